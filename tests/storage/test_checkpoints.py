"""How far the sweeps have come, and how far the local stage's clock was moved."""

from datetime import UTC, date, datetime, timedelta

from chalicelib.config import read_settings
from chalicelib.services.ports import Platform
from chalicelib.storage.checkpoints import MovedClock
from chalicelib.storage.tables import Tables
from tests.storage.arranging import an_id

DAY = date(2021, 6, 30)


def test_given_a_sweep_that_never_ran_when_asked_then_nothing_is_known(stores: Platform) -> None:
    assert stores.checkpoints.swept_until(an_id()) is None


def test_given_a_sweep_when_it_advances_then_every_container_knows(stores: Platform, elsewhere: Platform) -> None:
    sweep, other = an_id(), an_id()

    stores.checkpoints.advance(sweep, DAY)
    stores.checkpoints.advance(sweep, DAY + timedelta(days=1))

    assert elsewhere.checkpoints.swept_until(sweep) == date(2021, 7, 1)
    assert elsewhere.checkpoints.swept_until(other) is None


def test_given_a_run_that_is_behind_when_it_reports_then_the_checkpoint_never_moves_back(stores: Platform) -> None:
    sweep = an_id()
    stores.checkpoints.advance(sweep, date(2021, 10, 1))

    for behind in (date(2021, 9, 30), date(2021, 10, 1), date(2020, 12, 31)):
        stores.checkpoints.advance(sweep, behind)

        assert stores.checkpoints.swept_until(sweep) == date(2021, 10, 1)


def test_given_a_clock_that_nobody_moved_when_read_then_it_is_the_real_one_in_milliseconds(
    tables: dict[str, str],
) -> None:
    clock = MovedClock(on(tables))

    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)

    assert clock.offset() == timedelta()
    assert before - timedelta(milliseconds=1) <= now <= after
    assert now.microsecond % 1000 == 0


def test_given_a_clock_when_moved_ahead_and_back_then_other_containers_read_the_last_offset(
    tables: dict[str, str],
) -> None:
    MovedClock(on(tables)).move(timedelta(days=60, hours=1))
    assert MovedClock(on(tables)).offset() == timedelta(days=60, hours=1)
    assert MovedClock(on(tables)).now() - datetime.now(UTC) > timedelta(days=60)

    MovedClock(on(tables)).move(timedelta(hours=-1))

    assert MovedClock(on(tables)).offset() == timedelta(hours=-1)


def on(tables: dict[str, str]) -> Tables:
    return Tables(read_settings(tables), tables["AWS_ENDPOINT_URL"])
