"""The sweep of used vouchers in the way of others, and of itself: each step once, and the books hold."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.application import LineVerdict
from chalicelib.domain.calendar import end_of, local_date
from chalicelib.domain.errors import DomainError
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services import applying
from chalicelib.services.identifying import Presented
from chalicelib.services.sweeping import SWEEP, Sweep
from tests.classroom import at, days, enrol, open_class, used
from tests.races.crowd import at_once
from tests.settling import apply_for, collected, decide, voucher, with_clerks, work
from tests.sweeping import completed, night_of, paid
from tests.world import World, a_person

DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)


def containers(world: World, count: int) -> list[World]:
    """The same world, each with a memory of its own."""
    return [world.another_container() for _ in range(count)]


def steps(one: Voucher) -> Counter[str]:
    return Counter(entry.said["step"] for entry in one.history)


def answers(outcomes: list[Any]) -> list[Any]:
    return [one for one in outcomes if not isinstance(one, DomainError)]


def sweeps(outcomes: list[Any]) -> list[Sweep]:
    return [one for one in outcomes if isinstance(one, Sweep)]


@pytest.fixture
def town(strict_world: World) -> World:
    return with_clerks(strict_world)


def test_given_vouchers_in_the_last_second_of_their_day_when_redeemed_and_swept_at_once_then_each_ends_one_way(
    town: World,
) -> None:
    template = town.publish(40, peak_claims=48)
    people = [a_person() for _ in range(24)]
    ids = [town.claim(person, template).answer.voucher_id for person in people]
    end = end_of(voucher(town, ids[0]).valid_until)
    town.platform.checkpoints.advance(SWEEP, local_date(end) - DAY)
    town.clock.set(end - MILLISECOND)
    shown = [Presented(token=town.token(person, one)) for person, one in zip(people, ids, strict=True)]
    last_moment, first_moment = town.at(end - MILLISECOND), town.at(end)
    night = town.at(night_of(local_date(end)))

    acts: list[Callable[[], Any]] = [partial(last_moment.redeem, one) for one in shown[:8]]
    acts += [partial(first_moment.redeem, one) for one in shown[8:16]]
    outcomes = at_once([*acts, night.expire, night.expire])

    used_in_time = [voucher(town, one).state is State.REDEEMED for one in ids[:8]]
    assert sum(used_in_time) == len(answers(outcomes[:8]))
    assert not answers(outcomes[8:16])  # an instant too late, whether or not the sweep had come
    assert {voucher(town, one).state for one in ids[8:]} == {State.EXPIRED}
    assert sum(one.expired for one in sweeps(outcomes)) == 24 - sum(used_in_time)
    for one in map(partial(voucher, town), ids):
        assert steps(one)["redeem"] + steps(one)["expire"] == 1
    town.check_laws(town.vouchers())


def test_given_four_sweeps_at_once_when_they_meet_then_each_voucher_has_its_step_once(town: World) -> None:
    template = town.publish(20, peak_claims=48)
    forfeit = [used(town, template)[1] for _ in range(12)]
    until = voucher(town, forfeit[0]).filing_until
    assert until is not None
    at(town, night_of(until) + 10 * timedelta(hours=1))
    later = {"claim_until": until + 30 * DAY, "valid_until": until + 30 * DAY}
    taught, _ = paid(town, 12, **later)
    goes_on = forfeit[:4]
    enrol(town, open_class(town, days(town, 2, first=4)), *goes_on)
    balances = town.balances()
    town.platform.checkpoints.advance(SWEEP, until)
    at(town, night_of(until + DAY))

    outcomes: list[Any] = at_once([one.expire for one in containers(town, 4)])

    done = sweeps(outcomes)
    assert len(done) == 4
    assert not any(one.failures for one in done)
    assert [sum(getattr(one, name) for one in done) for name in ("written_off", "forfeited", "deferred")] == [12, 8, 4]
    assert {steps(voucher(town, one))["write_off"] for one in taught.ids} == {1}
    assert {steps(voucher(town, one))["forfeit"] for one in forfeit[4:]} == {1}
    assert {(steps(one)["defer"], one.state) for one in map(partial(voucher, town), goes_on)} == {(1, State.REDEEMED)}
    assert town.balances() == balances
    town.check_laws(town.vouchers())


def test_given_people_who_are_put_on_a_class_while_the_sweep_runs_then_nobody_on_a_class_is_forfeited(
    town: World,
) -> None:
    template = town.publish(20, peak_claims=48)
    ids = [used(town, template)[1] for _ in range(12)]
    until = voucher(town, ids[0]).filing_until
    assert until is not None
    at(town, night_of(until))
    classes = [open_class(town, days(town, 2, first=4)) for _ in range(6)]
    town.platform.checkpoints.advance(SWEEP, until)
    at(town, night_of(until + DAY))

    acts: list[Callable[[], Any]] = [
        partial(enrol, one, training, *ids[2 * i : 2 * i + 2])
        for i, (one, training) in enumerate(zip(containers(town, 6), classes, strict=True))
    ]
    outcomes = at_once([*acts, *(one.expire for one in containers(town, 2))])

    for one in map(partial(voucher, town), ids):
        on = any(there.is_on for there in town.platform.enrolments.of_person(one.person_id))
        assert not (on and one.state is State.FORFEITED), one
        assert on or one.state is State.FORFEITED, one
    assert not any(one.failures for one in sweeps(outcomes))
    town.check_laws(town.vouchers())


def test_given_lines_that_are_returned_while_the_sweep_runs_then_they_may_be_handed_in_again(town: World) -> None:
    taught = completed(town, 8)
    there = collected(town, taught.training)
    until = voucher(town, taught.ids[0]).filing_until
    assert until is not None
    town.platform.checkpoints.advance(SWEEP, until)
    at(town, night_of(until + DAY))  # it was handed in in time, and is reviewed late

    acts: list[Callable[[], Any]] = [
        partial(decide, one, there, LineVerdict.RETURN, *taught.ids[4 * i : 4 * i + 4])
        for i, one in enumerate(containers(town, 2))
    ]
    outcomes = at_once([*acts, *(one.expire for one in containers(town, 3))])

    assert [type(one) for one in outcomes[:2] if isinstance(one, DomainError)] == []
    assert sum(one.forfeited for one in sweeps(outcomes)) == 0
    for one in map(partial(voucher, town), taught.ids):
        assert (one.state, one.filing_until) == (State.REDEEMED, local_date(town.now) + 15 * DAY)
    assert collected(town, taught.training).lines == 8
    town.check_laws(town.vouchers())


def test_given_an_application_on_the_last_day_when_built_while_the_sweep_of_the_next_runs_then_nothing_is_forfeited(
    town: World,
) -> None:
    taught = completed(town, 12)
    until = voucher(town, taught.ids[0]).filing_until
    assert until is not None
    in_time = at(town, end_of(until) - MILLISECOND)
    application = apply_for(town, taught.training).answer
    town.platform.checkpoints.advance(SWEEP, until)
    builder = town.another_container(now=in_time.now)
    night = [town.another_container(now=night_of(until + DAY)) for _ in range(2)]

    acts: list[Callable[[], Any]] = [partial(work, builder, application), *(one.expire for one in night)]
    outcomes = at_once(acts)

    assert {voucher(town, one).state for one in taught.ids} == {State.APPLIED}
    assert sum(one.forfeited for one in sweeps(outcomes)) == 0
    at(town, night_of(until + DAY))
    applying.cancel_application(town.platform, application.application_id, "填错了", **town.by(town.desk))
    work(town, application)
    town.check_laws(town.vouchers())
