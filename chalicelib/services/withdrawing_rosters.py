"""Withdraw a whole roster that was put on the wrong template: what is unused is revoked, the rest is listed.

Chunk by chunk as it was issued, each in one transaction with its mark: cut off anywhere, it goes on from there.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chalicelib.domain import voucher
from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.errors import Contended, RosterStateRefused
from chalicelib.domain.outcomes import Done, StaleRow, WriteConflict
from chalicelib.domain.roster import (
    ROSTER_STATE_ZH,
    Chunk,
    Roster,
    RosterErrand,
    RosterKind,
    RosterState,
    Withdrawal,
    WithdrawnChunk,
    WithdrawnRow,
    go,
    noted,
)
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.newest_terms import revived
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Platform
from chalicelib.services.reading_marks import issued_rows, marks
from chalicelib.services.submitting_rosters import act_on_roster, ask_now

UNUSED = frozenset({State.ISSUED, State.CLAIMED})


def withdraw_roster(
    p: Platform, roster_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Roster]:
    """Raises RosterNotFound, OutOfScope, RosterStateRefused (it is not over; a dry run issued nothing, nor did a
    list of what is no voucher: what that recorded stays)."""

    def change(before: Roster) -> Roster:
        if before.kind is not RosterKind.VOUCHERS or before.dry_run:
            raise RosterStateRefused(state=before.state, state_zh=ROSTER_STATE_ZH[before.state])
        withdrawal = Withdrawal(reason, actor.operator_id, actor.app_key, now)
        return go(before, RosterState.WITHDRAWING, withdrawal=withdrawal, result_at=None)

    errand = RosterErrand(roster_id)
    done = act_on_roster(p, roster_id, change, actor=actor, attempt=attempt, now=now, errand=errand)
    ask_now(p, errand)
    return done


def carry_out_withdrawal(
    p: Platform, roster: Roster, actor: Actor, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> tuple[Roster, bool]:
    """The roster after it, and whether it is done. Raises Contended, Unavailable."""
    assert roster.withdrawal is not None
    for chunk in marks(p, roster.roster_id):
        if chunk.until <= roster.withdrawal.done_until:
            continue
        if not may_go_on():
            return roster, False
        roster = _withdraw_chunk(p, roster, chunk, actor, moment())
        assert roster.withdrawal is not None
    now = moment()
    for _ in range(TRIES):
        if roster.state is not RosterState.WITHDRAWING or roster.withdrawal is None:
            return roster, True
        after = go(roster, RosterState.WITHDRAWN, withdrawal=replace(roster.withdrawal, finished_at=now))
        try:
            p.rosters.change(after)
            return after, True
        except (StaleRow, WriteConflict):
            roster = p.rosters.read(roster.roster_id) or roster
    raise Contended()


def _withdraw_chunk(p: Platform, roster: Roster, chunk: Chunk, actor: Actor, now: datetime) -> Roster:
    numbers = issued_rows(chunk)
    for _ in range(TRIES):
        withdrawal = roster.withdrawal
        if withdrawal is None or withdrawal.done_until >= chunk.until:
            return roster  # another run was quicker
        keys = [p.keys.voucher_ids.decode(voucher_id) for voucher_id in numbers]
        found = p.people.vouchers([key for key in keys if key is not None]) if keys else []
        judged = [_judge(p, roster, withdrawal, one, numbers[one.voucher_id], actor, now) for one in found]
        rows = tuple(sorted((row for row, _ in judged), key=lambda row: row.number))
        steps = [step for _, step in judged if step is not None]
        after = noted(
            roster,
            withdrawal=replace(
                withdrawal,
                done_until=chunk.until,
                revoked=withdrawal.revoked + len(steps),
                kept=withdrawal.kept + len(rows) - len(steps),
            ),
        )
        try:
            p.rosters.record_withdrawal(after, WithdrawnChunk(roster.roster_id, chunk.until, rows), steps)
            return after
        except (StaleRow, WriteConflict):
            roster = p.rosters.read(roster.roster_id) or roster
    raise Contended()


def _judge(
    p: Platform, roster: Roster, withdrawal: Withdrawal, before: Voucher, number: int, actor: Actor, now: datetime
) -> tuple[WithdrawnRow, tuple[Voucher, Voucher] | None]:
    newest = revived(p.templates, before, now)
    state = voucher.effective_state(newest, now)
    if state not in UNUSED:
        return WithdrawnRow(number, before.voucher_id, revoked=False, state=state), None
    attempt = attempt_of(withdrawal.app_key, "withdraw_roster", f"{roster.roster_id} {number}", b"")
    after = voucher.revoke(newest, reason=withdrawal.reason, attempt=attempt, actor=actor, now=now)
    return WithdrawnRow(number, before.voucher_id, revoked=True, state=after.state), (before, after)
