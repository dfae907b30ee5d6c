"""Put those of a roster (名单) on a class, some at a time, as far as their vouchers are in use for it. domain.md §4."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Contended, Invalid, NotRedeemedHere, RosterStateRefused, sentences
from chalicelib.domain.outcomes import Done, Mark, StaleRow
from chalicelib.domain.roster import OVER, ROSTER_STATE_ZH, Roster, RosterKind, RosterState, RowVerdict
from chalicelib.domain.training_class import TrainingClass, must_be_open, take_seats
from chalicelib.services.enrolling import Enrolled, is_redeemed_for, judge_all
from chalicelib.services.holding_classes import own_class
from chalicelib.services.once import TRIES, once
from chalicelib.services.ports import Platform
from chalicelib.services.submitting_rosters import find_roster

MOST_LOOKED_AT = 50
"""Rows that one request answers; the mark keeps what it says of each."""
CHUNKS_AT_ONCE = 5
_WORKED_OFF = OVER | {RosterState.WITHDRAWING}


@dataclass(frozen=True, slots=True)
class EnrolledRow:
    """What became of the row that stands as ``number`` in the sheet; ``code`` None: its holder is on the class."""

    number: int
    voucher_id: str
    code: str | None = None
    zh: str | None = None
    en: str | None = None
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class EnrolledRoster:
    """``enrolled``: how many are on the class. ``next``: go on after this row; None: the roster has no more."""

    class_id: str
    roster_id: str
    enrolled: int
    results: tuple[EnrolledRow, ...]
    next: int | None


def enrol_roster(
    p: Platform,
    class_id: str,
    roster_id: str,
    after: int,
    limit: int,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolledRoster]:
    """Put the next ``limit`` people of a roster whose vouchers are in use for the class on it, after row ``after``.

    Rows without a voucher are passed over. Raises ClassNotFound, OutOfScope, ClassStateRefused, RosterNotFound,
    RosterStateRefused (it is not worked off), Invalid (it issues no vouchers), ClassFull (nobody is put on it),
    Contended. Of each row: not_redeemed_here, enrolled_already, classes_overlap.
    """

    def act() -> EnrolledRoster:
        for _ in range(TRIES):
            training = own_class(p, class_id, actor)
            must_be_open(training)
            _must_have_issued(roster := find_roster(p, roster_id, actor=actor))
            rows, more = _rows_after(p, roster, after)
            looked_at, used = _choose(p, training, rows, limit)
            told, people = judge_all(p, training, used, actor, attempt, now)
            taken = take_seats(training, len(people))
            answer = EnrolledRoster(
                class_id,
                roster_id,
                taken.enrolled,
                _results(looked_at, told),
                looked_at[-1].number if len(looked_at) < len(rows) else more,
            )
            try:
                p.enrolments.enrol(taken, people, Mark(attempt, answer, now))
                return answer
            except StaleRow:
                continue
        raise Contended()

    return once(p.marks, attempt, EnrolledRoster, now, act)


def _must_have_issued(roster: Roster) -> None:
    if roster.kind is not RosterKind.VOUCHERS or roster.dry_run:
        raise Invalid(pointer="/roster_id", reason="only a roster that issues vouchers puts people on a class")
    if roster.state not in _WORKED_OFF:
        raise RosterStateRefused(state=roster.state, state_zh=ROSTER_STATE_ZH[roster.state])


def _rows_after(p: Platform, roster: Roster, after: int) -> tuple[list[RowVerdict], int | None]:
    """Rows that have a voucher, as far as a look at some chunks brings; and after which row to go on, if not all."""
    page = p.rosters.chunks(roster.roster_id, CHUNKS_AT_ONCE, None, after=after)
    rows = [row for chunk in page.items for row in chunk.rows if row.number > after and row.voucher_id]
    return rows, page.items[-1].until if page.cursor else None


def _choose(
    p: Platform, training: TrainingClass, rows: Sequence[RowVerdict], limit: int
) -> tuple[list[RowVerdict], list[str]]:
    """The first rows, up to the last of so many whose vouchers are in use for the class; and which vouchers those are.

    Only a first look, all at once: each of them is judged by what is read together with its holder.
    """
    first = rows[:MOST_LOOKED_AT]
    wanted = [key for row in first if (key := p.keys.voucher_ids.decode(row.voucher_id or ""))]
    vouchers = {one.voucher_id: one for one in p.people.vouchers(wanted)} if wanted else {}
    looked_at, used = list[RowVerdict](), list[str]()
    for row in first:
        if len(used) == limit:
            break
        looked_at.append(row)
        voucher = vouchers.get(row.voucher_id or "")
        if voucher is not None and is_redeemed_for(voucher, training):
            used.append(voucher.voucher_id)
    return looked_at, used


def _results(looked_at: Sequence[RowVerdict], told: Sequence[Enrolled]) -> tuple[EnrolledRow, ...]:
    verdicts, unused = {one.voucher_id: one for one in told}, NotRedeemedHere()
    results = list[EnrolledRow]()
    for row in looked_at:
        voucher_id = row.voucher_id or ""
        said = verdicts.get(voucher_id) or Enrolled(voucher_id, unused.code, *sentences(unused))
        results.append(EnrolledRow(row.number, voucher_id, said.code, said.zh, said.en, said.overlaps))
    return tuple(results)
