"""All or nothing: a roster is judged as a whole, its units are set aside, and only then anything is issued.

What is set aside waits on the template, out of everybody's reach, and comes to a shard with the voucher that it
becomes. What is not needed after all goes back to the shards.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from chalicelib.domain.access import Actor
from chalicelib.domain.errors import Contended
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.roster import (
    AT_WORK,
    MOST_ROWS_AT_ONCE,
    OVER,
    Roster,
    RosterState,
    RowVerdict,
    Verdict,
    go,
    noted,
)
from chalicelib.domain.sheets import Entry, FileRefused
from chalicelib.domain.template import TemplateState, give_back_aside, set_aside
from chalicelib.services.judging_rosters import Judged, VoucherRows
from chalicelib.services.ports import Platform
from chalicelib.services.publishing import settle
from chalicelib.services.reading_rosters import Reading

TRIES = 12
WINDOW = 200
MOST_SHARDS = 90
"""Of a transaction's hundred actions; the roster and the template take two more."""
_STANDS_IN_THE_WAY = frozenset({Verdict.CONFLICT, Verdict.ENDED, Verdict.REFUSED})


def weigh(
    p: Platform,
    roster: Roster,
    sheet: Reading,
    actor: Actor,
    moment: Callable[[], datetime],
    may_go_on: Callable[[], bool],
) -> Roster | None:
    """The roster with its units set aside, or held back; None where the time did not suffice.

    Nothing is written before all rows are judged, so whoever is cut off begins anew. Raises FileRefused,
    EligibilityServiceUnavailable, Contended.
    """
    if (roster.rows or 0) > MOST_ROWS_AT_ONCE:
        zh = f"“全部或不发”的名单最多 {MOST_ROWS_AT_ONCE} 行，请拆分或改为逐行发放。"
        en = f"A roster that is issued all or nothing has {MOST_ROWS_AT_ONCE} rows at most; split it."
        raise FileRefused("too_many_rows_at_once", zh, en)
    for _ in range(TRIES):
        if roster.held_back or roster.reserved is not None or roster.state not in AT_WORK:
            return roster
        found = _judge_all(VoucherRows(p, replace(roster, dry_run=True), actor), sheet, moment, may_go_on)
        if found is None:
            return None
        try:
            if any(verdict in _STANDS_IN_THE_WAY for verdict in found):
                after = go(roster, RosterState.RUNNING, held_back=True)
                p.rosters.change(after)
                return after
            return _set_aside(p, roster, found.count(Verdict.ISSUED))
        except (StaleRow, WriteConflict):
            roster = p.rosters.read(roster.roster_id) or roster
    raise Contended()


def release(p: Platform, roster: Roster) -> Roster:
    """Give back what was set aside for a roster that is over. Raises Contended."""
    for _ in range(TRIES):
        if roster.state not in OVER or not roster.reserved or roster.template_id is None:
            return roster
        head = settle(p.templates, roster.template_id)
        after = noted(roster, reserved=0)
        try:
            p.rosters.give_back(after, give_back_aside(head, roster.reserved))
        except (StaleRow, WriteConflict):
            roster = p.rosters.read(roster.roster_id) or roster
            continue
        settle(p.templates, head.template_id)
        return after
    raise Contended()


class HeldBack:
    """Judges rows that would be issued but for the others that were refused."""

    def __init__(self, rows: VoucherRows) -> None:
        self._rows = rows

    def judge(self, entries: Sequence[Entry], now: datetime) -> Judged:
        judged = self._rows.judge(entries, now)
        # As promised to nobody: the next window is judged by the stock that is left after this one all the same.
        self._rows.note(judged)
        return Judged(tuple(_not_all(one) if one.verdict is Verdict.ISSUED else one for one in judged.rows))

    def note(self, judged: Judged) -> None:
        """Nothing was made."""

    def look_again(self) -> None:
        self._rows.look_again()

    def remember(self, entry: Entry) -> None:
        self._rows.remember(entry)


def _not_all(one: RowVerdict) -> RowVerdict:
    return RowVerdict(
        one.number,
        Verdict.REFUSED,
        code="not_all",
        zh="名单中另有未通过的行，按“全部或不发”未发放。",
        en="Other rows of the roster were refused, and it is issued all or nothing.",
    )


def _judge_all(
    rows: VoucherRows, sheet: Reading, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> list[Verdict] | None:
    found: list[Verdict] = []
    entries = sheet.entries()
    waiting = list(islice(entries, WINDOW))
    while waiting:
        if not may_go_on():
            return None
        judged = rows.judge(waiting, moment())
        rows.note(judged)
        found += [row.verdict for row in judged.rows]
        waiting = [*waiting[len(judged.rows) :], *islice(entries, len(judged.rows))]
    return found


def _set_aside(p: Platform, roster: Roster, units: int) -> Roster:
    """All units at once, or held back: others were quicker."""
    assert roster.template_id is not None
    head = settle(p.templates, roster.template_id)
    after_head, taken = set_aside(head, p.templates.shards(head), units, MOST_SHARDS)
    if head.state is not TemplateState.PUBLISHED or sum(taken.values()) < units:
        raise StaleRow  # judged again, the rows say why
    after = go(roster, RosterState.RUNNING, reserved=units)
    p.rosters.set_aside(after, after_head, taken)
    return after
