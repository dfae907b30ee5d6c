"""Random histories of money: some in the gate, the same each time; thousands of new ones in ``make test-long``."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from chalicelib.domain.errors import ApplicationStateRefused, BatchStateRefused, NothingToRecover, Reused
from chalicelib.domain.programme import Payee
from tests.engines import Engine
from tests.histories.purses import WORK, Purse, furnish, small_chunks
from tests.histories.town import STOPPED, Tally
from tests.storage.worlds import shared_world

LONG = bool(os.environ.get("LONG"))
HISTORIES = int(os.environ.get("HISTORIES", 5_000 if LONG else 15))
STEPS = 25

Steps = list[tuple[str, dict[str, Any]]]
ALL_CAME: dict[str, Any] = {
    "percent": 80,
    "second": False,
    "separate": True,
    "filing": 90,
    "completion": 30,
    "payees": (Payee.INSTITUTION, Payee.PERSON),
    "absent": 5,
    "stage": 2,
}
PLAINLY: dict[str, Any] = {"which": 0, "whom": 63, "how": 0, "call": 0, "beside": 0, "seed": 0}


def act(name: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    return "live", PLAINLY | {"act": name} | changes


KEPT: dict[tuple[str, str], Steps] = {
    # Cut down by hand, or found; what fails by itself goes here too.
    ("all is to be granted in bulk, the institution is withdrawn, and the job comes", "worked"): [
        ("found", ALL_CAME),
        act("bulk", whom=60),
        act("admission", how=2),
        act("work", which=0),
    ],
    ("a payment failed, and the next batch pays it", "bank: issued"): [
        ("found", ALL_CAME | {"stage": 6}),
        act("bank", how=4),
        act("work", which=1),
        act("open batch"),
        act("work", which=2),
        act("file", which=1),
        act("bank", which=1),
    ],
    ("the bank answers again, and another answer", "bank: conflict"): [
        ("found", ALL_CAME | {"stage": 6}),
        act("bank"),
        act("bank again"),
        act("bank", how=4),
    ],
    ("all is granted, a batch gathers it, and some is to be taken back", "line_state"): [
        ("found", ALL_CAME | {"stage": 5}),
        act("take back"),
    ],
    ("whoever is trained is trained twice, the cap becomes one, and both are applied for", "worked"): [
        ("found", ALL_CAME | {"stage": 0}),
        act("cap"),
        act("apply"),
        act("work"),
    ],
    ("one reviewer grants all, and would be the second one too", "same_operator"): [
        ("found", ALL_CAME | {"second": True}),
        act("decide"),
        act("decide"),
    ],
    ("the last day to apply is over, and no night has come", "worked"): [
        ("found", ALL_CAME | {"stage": 0, "filing": 3}),
        act("wait", how=2),
        act("apply"),
        act("work"),
    ],
    ("a second reviewer grants all between the first one's look at the application and at its lines", "done"): [
        ("found", ALL_CAME | {"second": True}),
        act("decide", call=3, beside=3),
    ],
    ("two jobs settle what the bank has answered at once", "worked"): [
        ("found", ALL_CAME | {"stage": 7}),
        act("work", which=1, call=3),
    ],
}


@pytest.fixture(scope="module")
def purses(engines: dict[str, Engine]) -> Iterator[type[Purse]]:
    with shared_world(engines) as world, small_chunks():
        Purse.shared, Purse.tally = furnish(world), Tally()
        yield Purse


@pytest.mark.parametrize(("name", "at_last"), KEPT)
def test_given_a_history_of_money_when_lived_again_then_every_law_holds(
    purses: type[Purse], name: str, at_last: str
) -> None:
    """``at_last``: the last step's answer."""
    purses.tally = Tally()
    history = purses()

    for step, arguments in KEPT[name, at_last]:
        purses.tally.answers.clear()
        getattr(history, step)(**arguments)
        history.holds()

    assert at_last in purses.tally.answers
    history.teardown()


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
    assert tally.faults.total() > 0.015 * tally.calls
    kinds = {"apply", WORK, "decide: approve", "open batch", "file", "bank", "expire", "the same beside"}
    if tally.histories >= 100:  # a few histories do not meet what is rarer
        kinds |= {"apply beside", "open batch beside", "decide: approve beside", "decide: approve_less"}
        kinds |= {"claw back", "decide in bulk", "cancel", "cancel batch", "release", "revoke", "take back"}
    assert kinds <= tally.steps.keys()
    assert {"done", "repeated", "worked", "worked to a failure", "bank: issued", STOPPED} <= tally.answers.keys()
    refused = {ApplicationStateRefused.code, Reused.code}
    if tally.histories >= 100:
        refused |= {BatchStateRefused.code, NothingToRecover.code}
    assert refused <= tally.answers.keys()
