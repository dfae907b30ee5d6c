"""Every AWS call of every operation, failing in every way: what the caller hears, and what a repetition makes of it.

A row is one call that an operation was recorded to make in a container that has just been started; a cell is that call
under one fault. Of more than eight equal calls (the lanes of a sweep, the shards of a template) the first and the last
get a row.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.faults.layer import Call, Fault, Plan, Recorded, under
from tests.services.faults import PowerCut
from tests.storage.worlds import all_rows
from tests.world import World

LONG = bool(os.environ.get("LONG"))
OF_ONE_KIND = 8
ALL_OF_ONE_KIND = 1_000 if LONG else OF_ONE_KIND
READS = ("GetItem", "BatchGetItem", "Query", "GetSecretValue")

Rows = dict[str, dict[str, Any]]
Name = tuple[str, str]
"""An operation or event, and what makes a variant of it."""


class Way(Enum):
    """A column: a fault, and whether the network stays like that when the call is tried again."""

    BEFORE = ("before", Fault.UNSENT, True)
    AFTER = ("after", Fault.CUT_AFTER, True)
    LOST = ("lost", Fault.LOST, True)
    BEFORE_ONCE = ("before, once", Fault.UNSENT, False)
    LOST_ONCE = ("lost, once", Fault.LOST, False)

    @property
    def title(self) -> str:
        return str(self.value[0])


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller of an act hears. ``word``: the status, or done and failed where there is none; ``said``: the
    answer without what differs from one target to the next."""

    word: str
    said: Any = None

    @property
    def done(self) -> bool:
        return self.word == "done" or self.word.startswith("2")

    @property
    def refused(self) -> bool:
        return self.word.startswith("4")


STOPPED = Heard("stopped")
FAILED = Heard("failed")


@dataclass(frozen=True, slots=True)
class Trial:
    """An act upon a target of its own, which can be carried out again as it is; ``restart`` begins a new container.

    ``spent``: once carried out it is not what it was, whatever the rows say.
    """

    act: Callable[[], Heard]
    restart: Callable[[], None]
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of one call under one fault."""

    call: str
    which: int
    way: Way
    heard: str


@dataclass(frozen=True, slots=True)
class Report:
    """One act: its answer without faults, what it calls, how many cells that makes, and all that were run."""

    word: str
    calls: tuple[str, ...]
    rows: tuple[tuple[str, int], ...]
    cells: tuple[Cell, ...]


def try_all(world: World, prepare: Callable[[], Trial], *, all_rows_of_it: bool = True) -> Report:
    """Run every cell of an act. Fails where a refusal left something behind, where a repetition does not come to what
    it would have come to, or where the step was done twice or by half. All cells share one target, whose rows are put
    back after each; an act that is spent gets one of its own for each. ``all_rows_of_it``: also the calls that tell who
    asks."""
    control = prepare()
    control.restart()
    before = all_rows(world)
    recorded = Recorded()
    with under(recorded):
        wanted = control.act()
    after = all_rows(world)
    done = effect(before, after)
    assert wanted.done or (wanted.refused and not done), f"{wanted}: {done}"
    calls = tuple(str(call) for call in recorded.calls)
    rows = tuple(row for row in _rows_of(calls) if all_rows_of_it or not tells_who_asks(row[0]))
    _put_back(world, before, after)
    cells = list[Cell]()
    for row in rows:
        for way in ways_of(row[0]):
            trial = prepare() if control.spent else control
            cells.append(_try(world, trial, all_rows(world) if control.spent else before, row, way, wanted, done))
    assert control.spent or all_rows(world) == before
    return Report(wanted.word, calls, rows, tuple(cells))


def tells_who_asks(call: str) -> bool:
    """A client's row or an operator's: every operation begins with these, by the same lines."""
    return call.endswith((" CLIENT", " OPERATOR"))


def ways_of(call: str) -> tuple[Way, ...]:
    """The columns of a call. A read changes nothing: whether it was not sent, or its answer was lost, is the same, and
    a machine that stops at it stopped after the write before it. So the gate tries of a read that it fails, of a
    write all but that it arrives at the second try, which is the client library's own work; the long run tries all."""
    if LONG:
        return tuple(Way)
    return (Way.BEFORE,) if call.split()[0] in READS else tuple(way for way in Way if way is not Way.BEFORE_ONCE)


def _try(
    world: World, trial: Trial, before: Rows, row: tuple[str, int], way: Way, wanted: Heard, done: Counter[Any]
) -> Cell:
    trial.restart()
    plan = _Once(*row, way)

    heard = suffer(trial.act, plan)

    where = f"{row[0]} ({row[1]}) {way.title}"
    assert plan.met, f"{where}: this call was not made again"
    if heard.done or heard.refused:
        assert heard == wanted, f"{where}: {heard}"
    if done and (heard.done or heard.refused):  # where there is nothing to do, the end tells it all
        assert effect(before, all_rows(world)) == done, f"{where}: {heard}"
    if heard == STOPPED:
        trial.restart()
    again = trial.act()
    assert again == wanted, f"{where}: heard {heard}, then {again}"
    after = all_rows(world)
    assert effect(before, after) == done, f"{where}: heard {heard}"
    _put_back(world, before, after)
    return Cell(*row, way, heard.word)


def _put_back(world: World, before: Rows, after: Rows) -> None:
    """The tables as they were before."""
    for key, row in after.items():
        if before.get(key) != row:
            world.put_back(key.split(" ")[0], before.get(key), row)


def suffer(act: Callable[[], Heard], plan: Plan) -> Heard:
    try:
        with under(plan):
            return act()
    except PowerCut:
        return STOPPED


def _rows_of(calls: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for call, count in Counter(calls).items():
        for which in range(1, count + 1) if count <= ALL_OF_ONE_KIND else (1, count):
            yield call, which


class _Once:
    """The fault of a column at one call of an act, found by what it says; others may come in between."""

    def __init__(self, call: str, which: int, way: Way) -> None:
        self._call, self._left, self._number = call, which, 0
        _, self._fault, self._always = way.value
        self.met = 0

    def __call__(self, call: Call) -> Fault | None:
        if call.attempt == 1 and str(call) == self._call:
            self._left -= 1
            if self._left == 0:
                self._number = call.number
        if call.number != self._number or (call.attempt > 1 and not self._always):
            return None
        self.met += 1
        return self._fault


def effect(before: Rows, after: Rows) -> Counter[Any]:
    """What a step did to the tables, whatever names it gave: rows added, and what was added to which numbers.

    Budgets of requests are no ledger and may count a request twice.
    """
    assert before.keys() <= after.keys(), "rows are gone"
    changed = (key for key in after if before.get(key) != after[key] and "PACE#" not in key)
    return Counter((_nameless(key), _difference(before.get(key), after[key])) for key in changed)


def _nameless(key: str) -> str:
    return re.sub(r"[0-9A-Za-z+/=_-]{16,}|\d{4,}|kid-\d+", "*", key)


def _difference(before: Any, after: Any) -> tuple[tuple[str, int], ...]:
    old = _numbers(before) if before else {}
    return tuple(sorted((name, value - old.get(name, 0)) for name, value in _numbers(after).items()))


def _numbers(row: Any) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in row.items() if "N" in value}


def alike(value: Any) -> Any:
    """An answer without ids, secrets, moments, and how tightly a workbook is packed."""
    if isinstance(value, dict):
        return {name: None if name in ("secret", "year", "size") else alike(one) for name, one in value.items()}
    if isinstance(value, list):
        return [alike(one) for one in value]
    if isinstance(value, str):
        return "*" if len(value) >= 16 or re.search(r"\d{4}", value) or value.startswith("kid-") else value
    return value
