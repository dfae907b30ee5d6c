"""An amendment, its job, sweeps, redemptions and claims at the same moment: every voucher has one story that fits."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.errors import ClaimWindowOver, DomainError, Expired
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State
from chalicelib.services import sweeping
from chalicelib.services.identifying import Presented
from tests.races.conftest import Ground
from tests.races.crowd import at_once, held_up
from tests.world import World, a_person, local

LONGER = date(2021, 7, 15)
NIGHT = local("2021-06-30T16:05:00Z")
LAST_MOMENT = local("2021-06-30T15:59:59.999Z")


def steps_of(world: World, voucher_id: str) -> list[str]:
    return [entry.said["step"] for entry in world.voucher(voucher_id).history]


def amend_and_carry_out(world: World, template: Template) -> int:
    """The act and its job to the end; how many it moved."""
    amendment, look, moved = world.amend(template, valid_until=LONGER).answer, 0, 0
    while True:
        run = world.carry_out(amendment, look)
        moved, look = moved + run.moved, look + 1
        if run.next_errand is None:
            return moved


@pytest.mark.parametrize("first", ["job", "sweep", "redemption"])
@pytest.mark.parametrize("late", ["redemption", "job", "sweep"])
def test_given_a_lapsed_voucher_when_one_is_held_up_and_another_is_quicker_then_it_is_amended_once_and_lives(
    ground: Ground, first: str, late: str
) -> None:
    worlds = ground.worlds()
    template, person = worlds[0].publish(5), a_person()
    voucher_id = worlds[0].claim(person, template).answer.voucher_id
    shown = Presented(code=worlds[0].code(person, voucher_id))
    mine, other = (world.at(NIGHT) for world in worlds[:2])
    amendment = mine.amend(template, valid_until=LONGER).answer
    acts: dict[str, Callable[[World], Any]] = {
        "redemption": lambda w: at_once([partial(w.redeem, shown)]),
        "job": lambda w: w.carry_out(amendment),
        "sweep": lambda w: w.expire(),
    }

    acts[late](held_up(mine, "people", ["record_step", "record_steps"], lambda: acts[first](other)))

    story = steps_of(mine, voucher_id)
    redeemed = ["redeem"] if "redemption" in (first, late) else []
    assert story == ["claim", "amend", *redeemed]
    mine.check_laws([mine.voucher(voucher_id)])


def test_given_many_lapsed_vouchers_when_all_come_at_once_then_each_has_one_story_that_fits(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(200, peak_claims=48)
    people = [a_person() for _ in range(40)]
    ids = [world.claim(person, template).answer.voucher_id for person in people]
    codes = [Presented(code=world.code(p, one)) for p, one in zip(people, ids, strict=True)]
    world.platform.checkpoints.advance(sweeping.SWEEP, date(2021, 6, 29))
    world.clock.set(NIGHT)
    containers = [world.another_container() for _ in range(3)]
    redemptions: list[Callable[[], Any]] = [partial(world.redeem, shown) for shown in codes[:12]]

    others: list[Callable[[], Any]] = [partial(amend_and_carry_out, containers[0], template)]
    sweeps: list[Callable[[], Any]] = [one.expire for one in containers[1:]]

    outcomes = at_once([*redemptions, *others, *sweeps])

    stories = Counter(tuple(steps_of(world, one)) for one in ids)
    assert stories.keys() <= {("claim", "expire"), ("claim", "amend"), ("claim", "amend", "redeem")}
    answered: list[Any] = list(outcomes)
    assert {type(one) for one in answered[:12] if isinstance(one, DomainError)} <= {Expired}
    assert stories["claim", "amend", "redeem"] == sum(not isinstance(one, DomainError) for one in answered[:12])
    assert stories["claim", "expire"] == answered[13].expired + answered[14].expired
    assert {world.voucher(one).valid_until for one in ids if world.voucher(one).state is State.CLAIMED} <= {LONGER}
    world.check_laws([world.voucher(one) for one in ids])


def test_given_claims_in_the_last_moment_when_the_window_is_made_longer_then_all_end_with_the_newest_terms(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(200, peak_claims=96)
    world.clock.set(LAST_MOMENT)
    in_time, too_late = world.another_container(), world.another_container(now=NIGHT)
    for container in (in_time, too_late):
        container.platform.templates.get(template.template_id)  # as it was
    elsewhere = world.another_container(now=NIGHT)
    claims: list[Callable[[], Any]] = [
        partial(container.claim, a_person(), template) for container in (in_time, too_late) for _ in range(16)
    ]

    outcomes = at_once([*claims, lambda: elsewhere.amend(template, claim_until=LONGER, valid_until=LONGER)])

    refused = [one for one in outcomes if isinstance(one, DomainError)]
    assert {type(one) for one in refused} <= {ClaimWindowOver}
    amendment = elsewhere.platform.templates.amendment(template.template_id, 1)
    assert amendment is not None
    for look in range(3):
        elsewhere.carry_out(amendment, look)
    made = world.vouchers()
    assert len(made) == 32 - len(refused) >= 16
    assert {(one.terms_version, one.valid_until, one.state) for one in made} == {(2, LONGER, State.CLAIMED)}
    world.check_laws(made)


def test_given_two_jobs_at_once_when_they_meet_then_each_voucher_is_moved_once_and_counted_once(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(200, peak_claims=48)
    for _ in range(60):
        world.claim(a_person(), template)
    amendment = world.amend(template, valid_until=LONGER).answer

    outcomes: list[Any] = at_once([partial(world.another_container().carry_out, amendment) for _ in range(3)])

    assert sum(one.moved for one in outcomes) == 60
    done = world.platform.templates.amendment(template.template_id, 1)
    assert done is not None
    assert done.moved == 60
    assert {one.version for one in world.vouchers()} == {2}
    world.check_laws(world.vouchers())


def test_given_two_amendments_at_once_when_both_are_in_favour_then_both_hold_one_after_the_other(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(20, peak_claims=48)
    world.claim(a_person(), template)

    outcomes: list[Any] = at_once(
        [
            partial(world.another_container().amend, template, valid_until=LONGER),
            partial(world.another_container().amend, template, valid_until=date(2021, 7, 2)),
            partial(world.another_container().amend, template, valid_until=date(2021, 7, 20)),
        ]
    )

    made = sorted(one.answer.number for one in outcomes if not isinstance(one, DomainError))
    assert made == list(range(1, len(made) + 1))
    head = world.template(template.template_id)
    assert head.terms_version == len(made) + 1
    assert {s.terms_version for s in world.platform.templates.shards(head)} == {head.terms_version}
    assert world.platform.templates.terms(template.template_id, head.terms_version).valid_until == date(2021, 7, 20)
    world.check_laws(world.vouchers())
