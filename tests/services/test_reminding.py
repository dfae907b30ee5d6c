"""Applications whose review is overdue: told of once, on the day after their last day; missed days are caught up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.application import Application, LineVerdict
from chalicelib.services import applying
from chalicelib.services.reminding import REMINDERS, Reminders, remind_overdue
from chalicelib.services.sweeping import LOOK_BACK
from tests.classroom import at
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.settling import apply_for, collected, decide, read, with_clerks
from tests.sweeping import completed, night_of
from tests.world import CITY, World

DAY = timedelta(days=1)


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_clerks(world)
    world.check_laws(world.vouchers())


def remind(world: World, may_go_on: Any = lambda: True) -> Reminders:
    return remind_overdue(world.platform, now=world.now, may_go_on=may_go_on)


def waiting(world: World, people: int = 1) -> tuple[Application, list[str], date]:
    """An application that waits for its review: with its vouchers and its last day."""
    taught = completed(world, people)
    there = collected(world, taught.training)
    assert there.due_on is not None
    world.platform.checkpoints.advance(REMINDERS, there.due_on - 3 * DAY)
    return there, list(taught.ids), there.due_on


def ids(done: Reminders) -> list[str]:
    return [one.application_id for one in done.reminded]


def test_given_an_application_when_its_last_day_is_over_then_told_of_once(town: World) -> None:
    there, _, due_on = waiting(town)

    on_the_day = remind(at(town, night_of(due_on)))
    after_it = remind(at(town, night_of(due_on + DAY)))
    again = remind(town)
    next_night = remind(at(town, night_of(due_on + 2 * DAY)))

    assert [ids(one) for one in (on_the_day, after_it, again, next_night)] == [[], [there.application_id], [], []]
    after = read(town, there)
    assert (after.reminded_on, after.version) == (due_on + DAY, there.version + 1)
    assert replace(after, reminded_on=None, version=there.version) == there
    assert town.platform.checkpoints.swept_until(REMINDERS) == due_on + DAY
    overdue = town.platform.applications.waiting(CITY, due_on + DAY, 10, None)
    assert [one.application_id for one in overdue.items] == [there.application_id]


def test_given_applications_that_were_decided_or_taken_back_when_the_day_is_over_then_nobody_is_told(
    town: World,
) -> None:
    decided, voucher_ids, due_on = waiting(town)
    decide(town, decided, LineVerdict.APPROVE, *voucher_ids)
    cancelled, _, _ = waiting(town)
    applying.cancel_application(town.platform, cancelled.application_id, "填错了", **town.by(town.desk))

    done = remind(at(town, night_of(due_on + 2 * DAY)))

    assert (ids(done), done.finished) == ([], True)
    assert read(town, decided).reminded_on is None


def test_given_nights_that_were_missed_when_it_runs_then_each_is_caught_up(town: World) -> None:
    first, _, _ = waiting(town)
    town.clock.advance(7 * DAY)
    second, _, due_on = waiting(town)
    assert first.due_on is not None
    assert first.due_on < due_on

    done = remind(at(town, night_of(due_on + 9 * DAY)))

    assert ids(done) == [first.application_id, second.application_id]
    assert {read(town, one).reminded_on for one in (first, second)} == {due_on + 9 * DAY}


def test_given_no_checkpoint_when_it_runs_then_it_looks_a_month_back(town: World) -> None:
    taught = completed(town)
    there = collected(town, taught.training)
    assert there.due_on is not None

    done = remind(at(town, night_of(there.due_on + LOOK_BACK)))

    assert (ids(done), done.since) == ([there.application_id], there.due_on - DAY)


def test_given_a_reviewers_word_in_the_same_moment_when_told_then_both_stand(town: World) -> None:
    there, voucher_ids, due_on = waiting(town, 2)
    at(town, night_of(due_on + DAY))
    first = iter([True])

    def word(_: int) -> None:
        if next(first, False):
            decide(town, there, LineVerdict.APPROVE, voucher_ids[0])

    slow = with_store(town, "applications", Watched(town.platform.applications, "change", before=word))
    done = remind(slow)

    after = read(town, there)
    assert ids(done) == [there.application_id]
    assert (after.reminded_on, after.version) == (due_on + DAY, there.version + 2)
    assert after.approved_fen > 0


def test_given_the_last_word_in_the_same_moment_when_told_then_nobody_is(town: World) -> None:
    there, voucher_ids, due_on = waiting(town)
    at(town, night_of(due_on + DAY))

    def word(_: int) -> None:
        decide(town, there, LineVerdict.APPROVE, *voucher_ids)

    done = remind(with_store(town, "applications", Watched(town.platform.applications, "change", before=word)))

    assert (ids(done), read(town, there).reminded_on) == ([], None)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_power_cut_when_it_runs_again_then_each_is_told_of_once(town: World, moment: str) -> None:
    one, _, due_on = waiting(town)
    other = apply_for(town, completed(town).training).answer
    applying.collect(town.platform, other, moment=lambda: town.now, may_go_on=lambda: True)
    at(town, night_of(due_on + DAY))
    cut: Any = {moment: cut_at(2)}

    with pytest.raises(PowerCut):
        remind(with_store(town, "applications", Watched(town.platform.applications, "change", **cut)))
    again = remind(town)

    assert len(again.reminded) == (1 if moment == "before" else 0)
    assert {read(town, each).version for each in (one, other)} == {one.version + 1}


def test_given_one_that_cannot_be_changed_when_it_runs_then_it_holds_up_nobody_else_and_its_day_is_not_passed(
    town: World,
) -> None:
    broken, _, due_on = waiting(town)
    other, _, _ = waiting(town)

    def refuse(after: Application) -> None:
        if after.application_id == broken.application_id:
            raise ValueError
        town.platform.applications.change(after)

    stuck: Any = Watched(town.platform.applications, "none")
    stuck.change = refuse
    at(town, night_of(due_on + DAY))
    done = remind(with_store(town, "applications", stuck))

    assert ids(done) == [other.application_id]
    assert [(one.application_id, one.trouble) for one in done.failures] == [(broken.application_id, "ValueError")]
    passed = town.platform.checkpoints.swept_until(REMINDERS)
    assert passed is not None
    assert passed < due_on
    assert ids(remind(town)) == [broken.application_id]


def test_given_no_time_when_it_runs_then_it_stops_and_the_next_run_goes_on(town: World) -> None:
    there, _, due_on = waiting(town)
    at(town, night_of(due_on + DAY))

    stopped = remind(town, lambda: False)

    assert (ids(stopped), stopped.finished) == ([], False)
    assert ids(remind(town)) == [there.application_id]
