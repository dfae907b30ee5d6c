"""Random histories of classes: some in the gate, the same each time; thousands of new ones in ``make test-long``."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from chalicelib.domain.errors import AlreadyCheckedIn, CheckedInBefore, TooManyByHand
from chalicelib.domain.region import Overlaps
from tests.engines import Engine
from tests.histories.classrooms import Classrooms
from tests.histories.town import Tally
from tests.services.test_card_reads import install
from tests.storage.worlds import shared_world

LONG = bool(os.environ.get("LONG"))
HISTORIES = int(os.environ.get("HISTORIES", 5_000 if LONG else 18))
STEPS = 30

Steps = list[tuple[str, dict[str, Any]]]
ONE_ON_IT = {"percent": 50, "by_hand": 34, "overlaps": Overlaps.REFUSED, "capacity": 4, "sessions": 2, "on": 1}
CHECKED_IN: Steps = [("found", ONE_ON_IT), ("go_on", {"which": 0, "minutes": 0, "ways": ["location"], "seed": 0})]
BACK_BY_ANOTHER: tuple[str, dict[str, Any]] = ("leave", {"which": 0, "back": True, "seed": 0})
KEPT: dict[tuple[str, str], Steps] = {
    # Found, and cut down by hand; what fails by itself goes here too.
    ("left by one voucher, back by another, and leaving asked for again", "repeated"): [
        ("found", ONE_ON_IT),
        BACK_BY_ANOTHER,
        ("repeat", {"which": 0, "seed": 0}),
    ],
    ("there, and asked for again as something else", "idempotency_key_reused"): [
        *CHECKED_IN,
        ("repeat_with_another_body", {"which": 0, "seed": 0}),
    ],
    ("there by one voucher, back by another, and the first one's use is to be undone", "checked_in_before"): [
        *CHECKED_IN,
        BACK_BY_ANOTHER,
        ("stand_at_the_desk", {"act": "reverse", "which": 0, "seed": 0}),
    ],
    ("on a class by one voucher, back by another, and the first one's use is undone", "done"): [
        ("found", ONE_ON_IT),
        BACK_BY_ANOTHER,
        ("stand_at_the_desk", {"act": "reverse", "which": 0, "seed": 0}),
    ],
}


@pytest.fixture(scope="module")
def classrooms(engines: dict[str, Engine]) -> Iterator[type[Classrooms]]:
    with shared_world(engines) as world:
        Classrooms.shared, Classrooms.tally, Classrooms.terminal = world, Tally(), install(world)
        yield Classrooms


@pytest.mark.parametrize(("name", "at_last"), KEPT)
def test_given_a_history_of_a_class_that_once_failed_when_lived_again_then_every_law_holds(
    classrooms: type[Classrooms], name: str, at_last: str
) -> None:
    """``at_last``: the last step's answer."""
    classrooms.tally = Tally()
    history = classrooms()

    for step, arguments in KEPT[name, at_last]:
        classrooms.tally.answers.clear()
        getattr(history, step)(**arguments)
        history.holds()

    assert at_last in classrooms.tally.answers


def test_given_any_history_of_classes_when_calls_fail_then_every_law_of_attendance_holds_after_each_step(
    classrooms: type[Classrooms], record_property: Callable[[str, object], None]
) -> None:
    Classrooms.tally = tally = Tally()

    run_state_machine_as_test(
        classrooms,
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
    assert tally.faults.total() > 0.05 * tally.calls
    ways = {f"check in by {way}" for way in ("location", "code", "scan", "hand")}
    assert ways | {"report", "reverse", "finish", "leave"} <= tally.steps.keys()
    assert {"done", "repeated", AlreadyCheckedIn.code, CheckedInBefore.code, TooManyByHand.code} <= tally.answers.keys()
