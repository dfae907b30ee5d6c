"""Sixty-four at once, on a real engine: what may happen once happens once, and every counter is exact afterwards."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.errors import (
    AlreadyClaimed,
    AlreadyRedeemed,
    HoldsAnother,
    SoldOut,
    TemplateNotOpen,
)
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template, TemplateState
from chalicelib.domain.voucher import Receipt, State
from chalicelib.services import publishing, sweeping
from chalicelib.services.identifying import Presented
from tests.races.crowd import at_once
from tests.world import FACE_VALUE, World, a_person, local

CROWD = 64


def claim(world: World, template: Template, person: Profile | None = None) -> Callable[[], Any]:
    """A claim by this person, or by somebody new."""
    return partial(world.claim, person or a_person(), template)


def answers(outcomes: Sequence[Any]) -> list[Done[Receipt]]:
    return [one for one in outcomes if isinstance(one, Done)]


def kinds(outcomes: Sequence[Any]) -> Counter[str]:
    return Counter(type(one).__name__ for one in outcomes)


def test_given_the_last_fifty_when_64_people_claim_then_50_have_one_and_14_are_told_sold_out(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(50)

    outcomes = at_once([claim(world, template) for _ in range(CROWD)])

    assert kinds(outcomes) == {"Done": 50, SoldOut.__name__: 14}
    assert len({one.answer.voucher_id for one in answers(outcomes)}) == 50
    stock = world.stock(template)
    assert (stock.remaining, stock.made, stock.counts[State.CLAIMED]) == (0, 50, 50)
    assert len(world.vouchers()) == 50
    world.check_laws(world.vouchers())


def test_given_the_last_fifty_on_many_shards_when_64_people_claim_then_every_one_of_them_is_found(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(50, peak_claims=192)
    assert template.shards == 16

    outcomes = at_once([claim(world, template) for _ in range(CROWD)])

    assert kinds(outcomes) == {"Done": 50, SoldOut.__name__: 14}
    assert {shard.remaining for shard in world.platform.templates.shards(template)} == {0}
    world.check_laws(world.vouchers())


def test_given_one_person_when_64_claims_arrive_then_one_voucher_is_made(strict_world: World) -> None:
    world = strict_world
    template, person = world.publish(100), a_person()

    outcomes = at_once([lambda: world.claim(person, template)] * CROWD)

    assert kinds(outcomes) == {"Done": 1, AlreadyClaimed.__name__: 63}
    (voucher,) = world.vouchers()
    refused = [one.facts["voucher_id"] for one in outcomes if isinstance(one, AlreadyClaimed)]
    assert set(refused) == {voucher.voucher_id}
    assert world.stock(template).made == 1
    world.check_laws([voucher])


def test_given_one_request_when_it_arrives_64_times_then_all_get_the_same_answer(strict_world: World) -> None:
    world = strict_world
    template, person = world.publish(100), a_person()
    assertion = world.assertion(person, "claim", template.template_id)

    outcomes = at_once([lambda: world.claim(person, template, key="once", assertion=assertion)] * CROWD)

    assert kinds(outcomes) == {"Done": CROWD}
    assert Counter(one.hit for one in answers(outcomes)) == {False: 1, True: 63}
    assert len({one.answer.voucher_id for one in answers(outcomes)}) == 1
    assert world.stock(template).made == 1
    world.check_laws(world.vouchers())


def test_given_one_voucher_when_64_desks_redeem_it_then_one_does_and_all_others_hear_of_it(strict_world: World) -> None:
    world = strict_world
    template, person = world.publish(100), a_person()
    voucher_id = world.claim(person, template).answer.voucher_id
    shown = Presented(token=world.token(person, voucher_id))

    outcomes = at_once([lambda: world.redeem(shown)] * CROWD)

    assert kinds(outcomes) == {"Done": 1, AlreadyRedeemed.__name__: 63}
    (first,) = answers(outcomes)
    told = {one.facts["redeemed_at"] for one in outcomes if isinstance(one, AlreadyRedeemed)}
    voucher = world.voucher(voucher_id)
    assert voucher.redemption is not None
    assert told == {"2021-05-01T04:00:00.000Z"}
    assert first.answer.version == voucher.version == 2
    stock = world.stock(template)
    assert (stock.counts[State.REDEEMED], stock.ever_redeemed) == (1, 1)
    world.check_laws([voucher])


def test_given_one_redemption_when_it_arrives_64_times_then_all_get_the_same_answer(strict_world: World) -> None:
    world = strict_world
    template, person = world.publish(100), a_person()
    voucher_id = world.claim(person, template).answer.voucher_id
    shown = Presented(token=world.token(person, voucher_id))

    outcomes = at_once([lambda: world.redeem(shown, key="once")] * CROWD)

    assert kinds(outcomes) == {"Done": CROWD}
    assert Counter(one.hit for one in answers(outcomes)) == {False: 1, True: 63}
    assert len({repr(one.answer) for one in answers(outcomes)}) == 1
    world.check_laws([world.voucher(voucher_id)])


def test_given_one_at_a_time_when_64_templates_are_claimed_by_one_person_then_one_is_held(strict_world: World) -> None:
    world = strict_world
    world.rules(one_at_a_time=True)
    templates = [world.publish(5) for _ in range(8)]
    person = a_person()

    outcomes = at_once([claim(world, one, person) for one in templates * 8])

    made = world.vouchers()
    assert len(made) == 1
    assert kinds(outcomes) == {"Done": 1, HoldsAnother.__name__: 56, AlreadyClaimed.__name__: 7}
    world.check_laws(made)


def test_given_claims_when_the_template_is_suspended_meanwhile_then_later_ones_are_refused_and_counted_right(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(1_000, peak_claims=48)
    claims = [claim(world, template) for _ in range(40)]

    outcomes = at_once([*claims, lambda: world.act(publishing.suspend_template, template)])

    assert set(kinds(outcomes[:-1])) <= {"Done", TemplateNotOpen.__name__}
    made = world.vouchers()
    assert len(made) == len(answers(outcomes[:-1]))
    assert world.template(template.template_id).state is TemplateState.SUSPENDED
    with pytest.raises(TemplateNotOpen):
        world.claim(a_person(), template)
    world.check_laws(made)


def test_given_claims_when_the_template_is_closed_meanwhile_then_nothing_is_left_open_or_lost(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(300, peak_claims=48)
    claims = [claim(world, template) for _ in range(40)]

    outcomes = at_once([*claims, lambda: world.act(publishing.close_template, template)])

    assert set(kinds(outcomes[:-1])) <= {"Done", TemplateNotOpen.__name__}
    made = world.vouchers()
    stock = world.stock(template)
    assert len(made) == len(answers(outcomes[:-1])) == stock.made
    assert (stock.remaining, stock.released) == (0, 300 - len(made))
    assert stock.to_release_fen == (300 - len(made)) * FACE_VALUE
    world.check_laws(made)


def test_given_an_empty_template_when_quantity_is_added_among_claims_then_no_more_than_that_is_claimed(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(5)
    for _ in range(5):
        world.claim(a_person(), template)
    claims = [claim(world, template) for _ in range(40)]

    outcomes = at_once([*claims, lambda: world.act(publishing.add_quantity, template, 20)])

    assert set(kinds(outcomes[:-1])) <= {"Done", SoldOut.__name__}
    assert len(answers(outcomes[:-1])) <= 20
    for _ in range(20 - len(answers(outcomes[:-1]))):
        world.claim(a_person(), template)
    with pytest.raises(SoldOut):
        world.claim(a_person(), template)
    assert len(world.vouchers()) == 25
    world.check_laws(world.vouchers())


def test_given_one_publication_when_16_times_asked_for_then_the_money_is_reserved_once(strict_world: World) -> None:
    world = strict_world
    template = world.draft(1_000, peak_claims=96)

    outcomes = at_once([lambda: world.act(publishing.publish_template, template, key="publish")] * 16)

    assert {type(one).__name__ for one in outcomes} == {"Done"}
    assert world.stock(template).remaining == 1_000
    world.check_laws()


def test_given_vouchers_on_their_last_day_when_redeemed_while_the_sweep_runs_then_each_ends_one_way(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(100, peak_claims=48)
    people = [a_person() for _ in range(40)]
    ids = [world.claim(person, template).answer.voucher_id for person in people]
    world.platform.checkpoints.advance(sweeping.SWEEP, date(2021, 6, 29))
    world.clock.set(local("2021-06-30T15:59:59.999Z"))
    tokens = [Presented(token=world.token(p, one)) for p, one in zip(people, ids, strict=True)]
    late = world.at(local("2021-06-30T16:05:00Z"))

    acts: list[Callable[[], Any]] = [partial(world.redeem, shown) for shown in tokens[:30]]
    outcomes = at_once([*acts, late.expire, late.expire])

    states = Counter(world.voucher(one).state for one in ids)
    assert states[State.REDEEMED] == len(answers(outcomes))
    assert states[State.REDEEMED] + states[State.EXPIRED] == 40
    assert states[State.EXPIRED] >= 10
    sweeps: list[Any] = outcomes[-2:]
    assert sum(one.expired for one in sweeps) == states[State.EXPIRED]
    assert world.at(local("2021-07-01T16:05:00Z")).expire().expired == 0
    world.check_laws([world.voucher(one) for one in ids])


def test_given_two_sweeps_at_once_when_they_meet_then_each_voucher_expires_once(strict_world: World) -> None:
    world = strict_world
    template = world.publish(200, peak_claims=48)
    ids = [world.claim(a_person(), template).answer.voucher_id for _ in range(60)]
    world.platform.checkpoints.advance(sweeping.SWEEP, date(2021, 6, 29))
    world.clock.set(local("2021-06-30T16:05:00Z"))

    sweeps: list[Any] = at_once([world.expire] * 4)

    assert sum(one.expired for one in sweeps) == 60
    assert world.stock(template).to_release_fen == 60 * FACE_VALUE
    world.clock.advance(timedelta(days=1))
    assert world.expire().expired == 0
    world.check_laws([world.voucher(one) for one in ids])
