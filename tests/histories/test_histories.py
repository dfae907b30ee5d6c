"""Random histories: a few hundred in the gate, the same each time; ten thousand new ones in ``make test-long``."""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engines import Engine
from tests.histories.machine import Histories, Tally
from tests.storage.worlds import shared_world

LONG = bool(os.environ.get("LONG"))
HISTORIES = int(os.environ.get("HISTORIES", 10_000 if LONG else 80))
STEPS = 16


@pytest.fixture
def histories(engines: dict[str, Engine]) -> Iterator[type[Histories]]:
    with shared_world(engines) as world:
        Histories.shared, Histories.tally = world, Tally()
        yield Histories


def test_given_any_history_when_a_quarter_of_all_calls_fail_then_every_law_holds_after_each_step(
    histories: type[Histories], record_property: Callable[[str, object], None]
) -> None:
    run_state_machine_as_test(
        histories,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not LONG,
            suppress_health_check=list(HealthCheck),
        ),
    )

    tally = histories.tally
    record_property("told", _told(tally))
    assert tally.histories >= HISTORIES
    assert tally.faults.total() > 0.15 * tally.calls
    assert {"done", "repeated", "unavailable", "the machine stopped"} <= tally.answers.keys()


def _told(tally: Tally) -> str:
    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda one: -one[1]))

    return "\n".join(
        (
            f"{tally.histories:,} histories, {tally.steps.total():,} steps: {listed(tally.steps)}",
            f"{tally.calls:,} calls, {tally.faults.total():,} faults: {listed(tally.faults)}",
            f"answers: {listed(tally.answers)}",
        )
    )
