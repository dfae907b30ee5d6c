"""Random histories of money: some in the gate, the same each time; thousands of new ones in ``make test-long``."""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engines import Engine
from tests.histories.purses import Purse, small_chunks
from tests.histories.town import Tally
from tests.storage.worlds import shared_world

LONG = bool(os.environ.get("LONG"))
HISTORIES = int(os.environ.get("HISTORIES", 5_000 if LONG else 15))
STEPS = 25


@pytest.fixture(scope="module")
def purses(engines: dict[str, Engine]) -> Iterator[type[Purse]]:
    with shared_world(engines) as world, small_chunks():
        Purse.shared, Purse.tally = world, Tally()
        yield Purse


def test_given_any_history_of_money_when_calls_fail_and_jobs_meet_then_every_law_holds_after_each_step(
    purses: type[Purse], record_property: Callable[[str, object], None]
) -> None:
    Purse.tally = tally = Tally()

    run_state_machine_as_test(
        purses,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not LONG,
            suppress_health_check=list(HealthCheck),
        ),
    )

    record_property("told", tally.told())
    assert tally.histories >= HISTORIES
    assert tally.faults.total() > 0.025 * tally.calls
