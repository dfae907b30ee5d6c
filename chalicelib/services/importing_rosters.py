"""Work a roster off, chunk by chunk, until it is done or the time is over. design.md §2.

Each chunk is one transaction: what it makes, its mark, and the roster's row that it brings forward. So a run may be cut
off anywhere, repeated, or meet another run of the same roster: whoever comes second finds the row further on, and goes
on from there. What the marks say of the rows is what happened.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Protocol

from chalicelib.domain.access import Actor
from chalicelib.domain.errors import Contended, EligibilityServiceUnavailable
from chalicelib.domain.outcomes import ShardRefused, StaleRow, VoucherExists, WriteConflict
from chalicelib.domain.roster import (
    AT_WORK,
    OVER,
    Chunk,
    Roster,
    RosterErrand,
    RosterKind,
    RosterState,
    Verdict,
    enter,
    go,
)
from chalicelib.domain.sheets import Entry, FileRefused
from chalicelib.services.judging_rosters import ROOM, Judged, VoucherRows
from chalicelib.services.ports import Platform
from chalicelib.services.reading_marks import marks
from chalicelib.services.reading_rosters import Reading
from chalicelib.services.recording_rosters import RecordedRows
from chalicelib.services.reporting_rosters import write_result
from chalicelib.services.weighing_rosters import HeldBack, release, weigh
from chalicelib.services.withdrawing_rosters import carry_out_withdrawal

TRIES = 12
FIRST_WINDOW, WIDEST_WINDOW = ROOM // 2, 400
# The result of so many rows is written within seconds, by the run that has issued the last of them.
MOST_REPORTED_AT_ONCE = 20_000
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
    try:
        if roster.state in AT_WORK:
            return _work_off(p, roster, errand, moment, may_go_on)
        if roster.state is RosterState.WITHDRAWING:
            return _withdraw(p, roster, moment, may_go_on)
        return _report(p, roster, moment, 0)
    except FileRefused as refused:
        return _refuse(p, roster, refused, moment())


def _work_off(
    p: Platform,
    roster: Roster,
    errand: RosterErrand,
    moment: Callable[[], datetime],
    may_go_on: Callable[[], bool],
) -> Run:
    sheet = Reading(p, roster, moment())
    roster = _count(p, roster, sheet)
    if roster.all_or_nothing and roster.kind is RosterKind.VOUCHERS and not roster.dry_run and roster.state in AT_WORK:
        try:
            weighed = weigh(p, roster, sheet, _actor_of(p, roster), moment, may_go_on)
        except EligibilityServiceUnavailable:
            return _pause(p, roster, errand, moment(), 0)
        if weighed is None:
            return Run("handed_on", roster, 0, RosterErrand(roster.roster_id, errand.tried + 1))
        roster = weighed
    rows = rows_of(p, roster)
    left = _after(p, roster, sheet, rows)
    window, chunks, waiting = FIRST_WINDOW, 0, deque[Entry]()
    while roster.state in AT_WORK:
        _fill(waiting, left, window, roster.done_until)
        if not waiting:
            roster = _finish(p, roster, moment())
            break
        if not may_go_on():
            return Run("handed_on", roster, chunks, RosterErrand(roster.roster_id))
        try:
            roster, window = _do_chunk(p, roster, rows, waiting, window, moment)
        except EligibilityServiceUnavailable:
            return _pause(p, roster, errand, moment(), chunks)
        chunks += 1
    return _report(p, roster, moment, chunks)


def _report(p: Platform, roster: Roster, moment: Callable[[], datetime], chunks: int) -> Run:
    """It is over: what was set aside for it goes back, and its result is written; of a long one by a run of its own,
    which has all the time that there is."""
    if roster.state in OVER and roster.reserved:
        roster = release(p, roster)
    if roster.state not in OVER or roster.result_at is not None or roster.object_version is None:
        return Run(f"nothing_to_do_{roster.state}", roster, chunks)
    if chunks and (roster.rows or 0) > MOST_REPORTED_AT_ONCE:
        return Run(roster.state, roster, chunks, RosterErrand(roster.roster_id))
    return Run(roster.state, write_result(p, roster, moment()), chunks)


def _withdraw(p: Platform, roster: Roster, moment: Callable[[], datetime], may_go_on: Callable[[], bool]) -> Run:
    actor = _actor(p, roster.withdrawal.app_key, roster.withdrawal.operator_id) if roster.withdrawal else None
    assert actor is not None
    after, done = carry_out_withdrawal(p, roster, actor, moment=moment, may_go_on=may_go_on)
    if not done:
        return Run("handed_on", after, next_errand=RosterErrand(roster.roster_id))
    return _report(p, after, moment, 0)


def _refuse(p: Platform, roster: Roster, refused: FileRefused, now: datetime) -> Run:
    """The file as a whole cannot be read; if that is found out only for its result, it stays as it is."""
    problem = {"problem": refused.code, "problem_zh": refused.zh, "problem_en": refused.en}
    for _ in range(TRIES):
        if roster.state not in AT_WORK:
            return Run(refused.code, roster)
        after = go(roster, RosterState.UNREADABLE, finished_at=now, **problem)
        try:
            p.rosters.change(after)
            return Run("unreadable", after)
        except (StaleRow, WriteConflict):
            roster = _as_it_is(p, roster)
    raise Contended()


def rows_of(p: Platform, roster: Roster) -> Rows:
    """Who judges them."""
    if roster.kind is not RosterKind.VOUCHERS:
        return RecordedRows(p, roster, _actor_of(p, roster))
    if roster.held_back:
        return HeldBack(VoucherRows(p, replace(roster, dry_run=True), _actor_of(p, roster)))
    return VoucherRows(p, roster, _actor_of(p, roster))


def _actor_of(p: Platform, roster: Roster) -> Actor:
    return _actor(p, roster.decided_for or roster.app_key, roster.decided_by)


def _actor(p: Platform, app_key: str, operator_id: str | None) -> Actor:
    """By whose word it is done."""
    client = p.catalogue.clients.get(app_key)
    assert client is not None, "a client is never deleted"
    return Actor(client, p.catalogue.operators.get(operator_id) if operator_id else None)


def _count(p: Platform, roster: Roster, sheet: Reading) -> Roster:
    """Read it through once before anything is written: how many people stand on it, and whether it can be read."""
    if roster.rows is not None:
        return roster
    rows = hidden = 0
    for entry in sheet.entries():
        rows += 1
        hidden += entry.hidden
    if not rows:
        raise FileRefused("no_rows", "名单中没有人员。", "Nobody stands on the roster.")
    for _ in range(TRIES):
        if roster.state not in AT_WORK or roster.rows is not None:
            return roster  # another run was quicker, or somebody has stopped it
        counted = go(roster, RosterState.RUNNING, rows=rows, hidden_rows=hidden)
        try:
            p.rosters.change(counted)
            return counted
        except (StaleRow, WriteConflict):
            roster = _as_it_is(p, roster)
    raise Contended()


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
            if judged.aside is not None:
                after = replace(after, reserved=(after.reserved or 0) - len(judged.made))
            p.rosters.record_chunk(after, chunk, () if roster.dry_run else judged.made, judged.aside)
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


def _fill(waiting: deque[Entry], left: Iterator[Entry], window: int, done_until: int) -> None:
    """As many as the window has room for; what another run has done meanwhile is passed over."""
    while len(waiting) < window:
        entry = next(left, None)
        if entry is None:
            return
        if entry.number > done_until:
            waiting.append(entry)


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
