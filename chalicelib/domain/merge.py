"""Two records that turn out to be one person: proposed by one operator, confirmed by another, undone within 30 days.

Each record keeps its own row, counts, vouchers and histories; the two name each other, and whatever is judged of the
person is judged over both. So nothing has to be moved back where a merge is undone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.calendar import to_text
from chalicelib.domain.errors import BothHold, MergeStateRefused, RecordsLinked, SameOperator, UndoWindowOver
from chalicelib.domain.person import Person
from chalicelib.domain.voucher import ENDED, State, Voucher

UNDO = timedelta(days=30)
MOST_RECORDS = 4
"""Of one person, the one that stays included: every step checks them all in its transaction."""


class MergeState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Merge:
    """``survivor`` is the record that stays, ``other`` the one that leads to it. ``both_have``: templates of which each
    has a voucher, one of them to no use any more; both stay. ``region`` is the proposer's."""

    merge_id: str
    survivor: str
    other: str
    region: str
    reason: str
    both_have: tuple[str, ...]
    proposed_by: str
    proposed_at: datetime
    state: MergeState = MergeState.PROPOSED
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    undone_by: str | None = None
    undone_at: datetime | None = None
    undo_reason: str | None = None
    version: int = 1


def check_mergeable(survivor: Person, other: Person) -> None:
    """Two records that stand alone, or one more for a record that has others: no record leads to one that leads on, so
    that each merge can be undone by itself. Raises RecordsLinked."""
    alone = survivor.merged_into is None and other.merged_into is None and not other.also
    if not alone or len(survivor.also) + 2 > MOST_RECORDS:
        raise RecordsLinked()


def check_no_second_use(ones: Iterable[Voucher], others: Iterable[Voucher]) -> None:
    """One person uses a voucher of a template once: what is still open on one record must not have its like on the
    other, unless that one came to nothing. Raises BothHold. Source: domain.md §3 (once per template and person)."""
    theirs = {one.template_id: one for one in others}
    for mine in ones:
        other = theirs.get(mine.template_id)
        if other is None or {mine.state, other.state} <= ENDED:
            continue
        if not {mine.state, other.state} & _CAME_TO_NOTHING:
            raise BothHold(template_id=mine.template_id)


_CAME_TO_NOTHING = {State.RETURNED, State.EXPIRED, State.REVOKED}


def confirm(merge: Merge, *, operator_id: str, now: datetime) -> Merge:
    """Raises MergeStateRefused, SameOperator."""
    if merge.state is not MergeState.PROPOSED:
        raise MergeStateRefused(state=merge.state)
    if operator_id == merge.proposed_by:
        raise SameOperator()
    return replace(
        merge, state=MergeState.CONFIRMED, confirmed_by=operator_id, confirmed_at=now, version=merge.version + 1
    )


def undo(merge: Merge, *, reason: str, operator_id: str, now: datetime) -> Merge:
    """Raises MergeStateRefused, UndoWindowOver."""
    if merge.state is not MergeState.CONFIRMED or merge.confirmed_at is None:
        raise MergeStateRefused(state=merge.state)
    until = merge.confirmed_at + UNDO
    if now > until:
        raise UndoWindowOver(until=to_text(until))
    return replace(
        merge,
        state=MergeState.UNDONE,
        undone_by=operator_id,
        undone_at=now,
        undo_reason=reason,
        version=merge.version + 1,
    )


def join(survivor: Person, other: Person) -> tuple[Person, Person]:
    """Both rows after a confirmation."""
    stays = replace(survivor, also=(*survivor.also, other.person_id), version=survivor.version + 1)
    return stays, replace(other, merged_into=survivor.person_id, version=other.version + 1)


def part(survivor: Person, other: Person) -> tuple[Person, Person]:
    """Both rows after it was undone."""
    left = tuple(person_id for person_id in survivor.also if person_id != other.person_id)
    stays = replace(survivor, also=left, version=survivor.version + 1)
    return stays, replace(other, merged_into=None, version=other.version + 1)
