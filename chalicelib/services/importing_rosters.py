"""Work a roster off, chunk by chunk, until it is done or the time is over. design.md §2.

Each chunk is one transaction: what it makes, its mark, and the roster's row that it brings forward. So a run may be cut
off anywhere, repeated, or meet another run of the same roster: whoever comes second finds the row further on, and goes
on from there. What the marks say of the rows is what happened.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Protocol

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor
from chalicelib.domain.errors import Contended, EligibilityServiceUnavailable
from chalicelib.domain.outcomes import ShardRefused, StaleRow, VoucherExists, WriteConflict
from chalicelib.domain.roster import (
    AT_WORK,
    MOST_BYTES,
    Chunk,
    Kind,
    Roster,
    RosterErrand,
    RosterState,
    Verdict,
    enter,
    go,
)
from chalicelib.domain.schemas import SCHEMAS
from chalicelib.domain.sheets import Entry, FileRefused, RawRow, find_header, read_entries
from chalicelib.services.judging_rosters import ROOM, Judged, VoucherRows
from chalicelib.services.ports import Platform

TRIES = 12
FIRST_WINDOW, WIDEST_WINDOW = ROOM // 2, 400
HEADER_WITHIN = 30
# Until the service is asked again: a little at first, then longer.
SHORTEST_REST, LONGEST_REST = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to. ``next_errand``: what is left to do, after ``delay``."""

    outcome: str
    roster: Roster | None = None
    chunks: int = 0
    next_errand: RosterErrand | None = None
    delay: timedelta = timedelta()


class Rows(Protocol):
    """What judges the rows of one kind of roster."""

    def judge(self, entries: Sequence[Entry], now: datetime) -> Judged: ...

    def note(self, judged: Judged) -> None: ...

    def look_again(self) -> None: ...

    def remember(self, entry: Entry) -> None: ...


def carry_out(
    p: Platform, errand: RosterErrand, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Run:
    """Go on with a roster. ``may_go_on`` is asked before each chunk. Raises Contended, Unavailable."""
    roster = p.rosters.read(errand.roster_id)
    if roster is None:
        return Run("unknown")
    if roster.state not in AT_WORK:
        return Run(f"nothing_to_do_{roster.state}", roster)
    try:
        return _work_off(p, roster, errand, moment, may_go_on)
    except FileRefused as refused:
        problem = {"problem": refused.code, "problem_zh": refused.zh, "problem_en": refused.en}
        refused_roster = go(roster, RosterState.UNREADABLE, finished_at=moment(), **problem)
        p.rosters.change(refused_roster)
        return Run("unreadable", refused_roster)


def _work_off(
    p: Platform,
    roster: Roster,
    errand: RosterErrand,
    moment: Callable[[], datetime],
    may_go_on: Callable[[], bool],
) -> Run:
    sheet = Reading(p, roster, moment())
    if roster.rows is None:
        roster = _count(p, roster, sheet)
    rows: Rows = rows_of(p, roster)
    left = _after(p, roster, sheet, rows)
    window, chunks, waiting = FIRST_WINDOW, 0, deque[Entry]()
    while True:
        waiting.extend(islice(left, max(0, window - len(waiting))))
        if not waiting:
            return Run("finished", _finish(p, roster, moment()), chunks)
        if not may_go_on():
            return Run("handed_on", roster, chunks, RosterErrand(roster.roster_id))
        try:
            roster, window = _do_chunk(p, roster, rows, waiting, window, moment)
        except EligibilityServiceUnavailable:
            return _pause(p, roster, errand, moment(), chunks)
        if roster.state not in AT_WORK:
            return Run(f"stopped_{roster.state}", roster, chunks)
        chunks += 1


def rows_of(p: Platform, roster: Roster) -> Rows:
    """Who judges them."""
    client = p.catalogue.clients.get(roster.decided_for or roster.app_key)
    assert client is not None, "a client is never deleted"
    operator = p.catalogue.operators.get(roster.decided_by) if roster.decided_by else None
    actor = Actor(client, operator)
    assert roster.kind is Kind.VOUCHERS
    return VoucherRows(p, roster, actor)


class Reading:
    """The file of a roster: its header, and its people. Raises FileRefused."""

    def __init__(self, p: Platform, roster: Roster, now: datetime) -> None:
        data = p.files.read(roster.object_key or "", roster.object_version, MOST_BYTES)
        if data is None:
            raise FileRefused(
                "file_gone", "文件已不存在，请重新上传。", "The file is not there any more; upload it again."
            )
        self.sheet = p.workbooks.open(data, roster.file_name)
        self.schema = SCHEMAS[roster.kind]
        self._today = calendar.local_date(now)
        first = list(islice(self.sheet.rows(), HEADER_WITHIN))
        self.header = find_header(first, self.schema)

    def rows(self) -> Iterator[RawRow]:
        """All rows of the sheet, as they stand there."""
        return iter(self.sheet.rows())

    def entries(self) -> Iterator[Entry]:
        return read_entries(self.rows(), self.header, self.schema, today=self._today)


def _count(p: Platform, roster: Roster, sheet: Reading) -> Roster:
    """Read it through once before anything is written: how many people stand on it, and whether it can be read."""
    rows = hidden = 0
    for entry in sheet.entries():
        rows += 1
        hidden += entry.hidden
    if not rows:
        raise FileRefused("no_rows", "名单中没有人员。", "Nobody stands on the roster.")
    counted = go(roster, RosterState.RUNNING, rows=rows, hidden_rows=hidden)
    p.rosters.change(counted)
    return counted


def _after(p: Platform, roster: Roster, sheet: Reading, rows: Rows) -> Iterator[Entry]:
    """The entries that are not done. A dry run has written nobody down, so it looks at who it passed."""
    entries = sheet.entries()
    passed = promised(p, roster) if roster.dry_run and roster.done_until else frozenset[int]()
    for entry in entries:
        if entry.number > roster.done_until:
            return chain([entry], entries)
        if entry.number in passed:
            rows.remember(entry)
    return iter(())


def promised(p: Platform, roster: Roster) -> frozenset[int]:
    """Rows of which the marks say that they got a voucher, or would get one."""
    return frozenset(
        row.number for chunk in marks(p, roster.roster_id) for row in chunk.rows if row.verdict is Verdict.ISSUED
    )


def marks(p: Platform, roster_id: str) -> Iterator[Chunk]:
    """All marks of a roster, in the order of the sheet."""
    cursor: str | None = None
    while True:
        page = p.rosters.chunks(roster_id, 25, cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _do_chunk(
    p: Platform, roster: Roster, rows: Rows, waiting: deque[Entry], window: int, moment: Callable[[], datetime]
) -> tuple[Roster, int]:
    """Take as many of those that wait as fit; the roster after it, and how many to look at next time."""
    for _ in range(TRIES):
        now, given = moment(), list(islice(waiting, window))
        if not given:
            return roster, FIRST_WINDOW
        try:
            judged = rows.judge(given, now)
            until = judged.rows[-1].number
            chunk = Chunk(roster.roster_id, roster.done_until, until, judged.rows)
            after = enter(roster, chunk, now)
            p.rosters.record_chunk(after, chunk, () if roster.dry_run else judged.made)
        except (StaleRow, VoucherExists, WriteConflict):
            roster = _as_it_is(p, roster)
            if roster.state not in AT_WORK:
                return roster, window
            _drop(waiting, roster.done_until)
            continue
        except ShardRefused:
            rows.look_again()
            continue
        rows.note(judged)
        _drop(waiting, until)
        return after, _next_window(window, given, judged)
    raise Contended()


def _next_window(window: int, given: Sequence[Entry], judged: Judged) -> int:
    """As many as fitted; more where there would have been room for twice as many."""
    if len(judged.rows) < len(given):
        return max(1, len(judged.rows))
    used = sum(new.actions for new in judged.made)
    return min(WIDEST_WINDOW, window * 2) if used <= ROOM // 2 else window


def _as_it_is(p: Platform, roster: Roster) -> Roster:
    fresh = p.rosters.read(roster.roster_id)
    assert fresh is not None, "a roster is never deleted"
    return fresh


def _drop(waiting: deque[Entry], done_until: int) -> None:
    while waiting and waiting[0].number <= done_until:
        waiting.popleft()


def _finish(p: Platform, roster: Roster, now: datetime) -> Roster:
    for _ in range(TRIES):
        if roster.state not in AT_WORK:
            return roster  # another run has finished it, or somebody stopped it at the last moment
        finished = go(roster, RosterState.FINISHED, finished_at=now)
        try:
            p.rosters.change(finished)
            return finished
        except (StaleRow, WriteConflict):
            roster = _as_it_is(p, roster)
    raise Contended()


def _pause(p: Platform, roster: Roster, errand: RosterErrand, now: datetime, chunks: int) -> Run:
    """The service does not answer, and nobody guesses: it is asked again later."""
    tried = 0 if chunks else errand.tried + 1
    paused = go(roster, RosterState.PAUSED, worked_at=now)
    try:
        p.rosters.change(paused)
    except (StaleRow, WriteConflict):
        paused = _as_it_is(p, roster)
    delay = min(LONGEST_REST, SHORTEST_REST * 2 ** min(tried, 10))
    return Run("paused", paused, chunks, RosterErrand(roster.roster_id, tried=tried), delay)
