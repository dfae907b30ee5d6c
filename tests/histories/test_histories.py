"""Random histories: some in the gate, the same each time; ten thousand new ones in ``make test-long``."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engines import Engine
from tests.histories.machine import Histories
from tests.histories.town import Tally
from tests.storage.worlds import shared_world

LONG = bool(os.environ.get("LONG"))
HISTORIES = int(os.environ.get("HISTORIES", 10_000 if LONG else 60))
STEPS = 16

Steps = list[tuple[str, dict[str, Any]]]
ALL_ALLOWED = {
    "limit": 4,
    "one_at_a_time": False,
    "redeemed_counts": False,
    "frees": True,
    "quantities": (4, 4, 4),
    "proxies": 1,
}
KEPT: dict[tuple[str, str], Steps] = {
    # Shrunk by Hypothesis when a line of the product was taken away on purpose; what fails by itself goes here too.
    ("a redemption whose answer was lost, and asked for again", "repeated"): [
        ("found", ALL_ALLOWED | {"claimed": 1}),
        ("scan", {"how": 0, "seed": 269, "which": 0}),
        ("repeat", {"seed": 1212, "which": 0}),
    ],
    ("what is given back leaves the hand and frees the cap", "done"): [
        ("found", ALL_ALLOWED | {"limit": 1, "claimed": 0}),
        ("claim_of_the_first", {"person": 0, "seed": 0}),
        ("use", {"use": "give back", "how": 0, "seed": 0, "which": 0}),
        ("claim", {"person": 0, "template": 1, "seed": 0}),
    ],
}


@pytest.fixture(scope="module")
def histories(engines: dict[str, Engine]) -> Iterator[type[Histories]]:
    with shared_world(engines) as world:
        Histories.shared, Histories.tally = world, Tally()
        yield Histories


@pytest.mark.parametrize(("name", "at_last"), KEPT)
def test_given_a_history_that_once_failed_when_lived_again_then_every_law_holds(
    histories: type[Histories], name: str, at_last: str
) -> None:
    """``at_last``: the last step's answer; were it another, the seeds would no longer tell this history."""
    Histories.tally = Tally()
    history = histories()

    for step, arguments in KEPT[name, at_last]:
        Histories.tally.answers.clear()
        getattr(history, step)(**arguments)
        history.holds()

    assert at_last in Histories.tally.answers


def test_given_any_history_when_a_quarter_of_all_calls_fail_then_every_law_holds_after_each_step(
    histories: type[Histories], record_property: Callable[[str, object], None]
) -> None:
    Histories.tally = tally = Tally()

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

    record_property("told", tally.told())
    assert tally.histories >= HISTORIES
    assert tally.faults.total() > 0.2 * tally.calls
    assert {"done", "repeated", "unavailable", "the machine stopped"} <= tally.answers.keys()
