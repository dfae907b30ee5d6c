"""Budget moved from one region's account to another's of the same province and year (调剂). domain.md §4.

Proposed by one operator of the province, confirmed by another; nothing is kept aside for it in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain import fund
from chalicelib.domain.access import Actor
from chalicelib.domain.errors import BudgetTransferStateRefused, Invalid, SameOperator
from chalicelib.domain.fund import Account, Posting, PostingKind, give_legs, receive_legs


class BudgetTransferState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


TRANSFER_STATE_ZH: Mapping[BudgetTransferState, str] = {
    BudgetTransferState.PROPOSED: "待确认",
    BudgetTransferState.CONFIRMED: "已确认",
    BudgetTransferState.REFUSED: "已否决",
    BudgetTransferState.CANCELLED: "已撤回",
}


@dataclass(frozen=True, slots=True)
class BudgetTransfer:
    """``giver`` and ``receiver`` are accounts; ``province`` is that of both. ``ended_by``: who confirmed it, refused
    it, or, having proposed it, took it back, with the reason of the latter two."""

    transfer_id: str
    province: str
    giver: str
    receiver: str
    amount_fen: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    state: BudgetTransferState = BudgetTransferState.PROPOSED
    ended_by: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    version: int = 1


def province_of(giver: Account, receiver: Account) -> str:
    """The province within which budget may go from the one to the other. Raises Invalid."""
    if giver.account_id == receiver.account_id:
        raise Invalid(pointer="/receiver", reason="an account cannot give to itself")
    if giver.year != receiver.year:
        raise Invalid(pointer="/receiver", reason="the accounts are of different years")
    provinces = {f"{one.region[:2]}0000" for one in (giver, receiver)}
    if len(provinces) > 1 or provinces == {"000000"}:
        raise Invalid(pointer="/receiver", reason="the accounts are not of one province")
    return provinces.pop()


def confirm(transfer: BudgetTransfer, *, operator_id: str, now: datetime) -> BudgetTransfer:
    """Raises BudgetTransferStateRefused, SameOperator."""
    _must_be_proposed(transfer)
    if operator_id == transfer.proposed_by:
        raise SameOperator()
    return _end(transfer, BudgetTransferState.CONFIRMED, operator_id, None, now)


def decline(transfer: BudgetTransfer, *, reason: str, operator_id: str, now: datetime) -> BudgetTransfer:
    """Whoever proposed it takes it back; anybody else refuses it. Raises BudgetTransferStateRefused."""
    _must_be_proposed(transfer)
    own = operator_id == transfer.proposed_by
    state = BudgetTransferState.CANCELLED if own else BudgetTransferState.REFUSED
    return _end(transfer, state, operator_id, reason, now)


def postings_of(
    transfer: BudgetTransfer, giver: Account, receiver: Account, *, actor: Actor, now: datetime
) -> tuple[tuple[Account, Posting], tuple[Account, Posting]]:
    """Both accounts after it. Raises BudgetExceeded where the giver's free money does not suffice."""

    def post(account: Account, legs: dict[fund.Balance, int]) -> tuple[Account, Posting]:
        return fund.post(
            account,
            PostingKind.TRANSFER,
            legs,
            reference=transfer.transfer_id,
            app_key=actor.app_key,
            operator_id=actor.operator_id,
            now=now,
        )

    return post(giver, give_legs(transfer.amount_fen)), post(receiver, receive_legs(transfer.amount_fen))


def _must_be_proposed(transfer: BudgetTransfer) -> None:
    if transfer.state is not BudgetTransferState.PROPOSED:
        raise BudgetTransferStateRefused(state=transfer.state, state_zh=TRANSFER_STATE_ZH[transfer.state])


def _end(
    transfer: BudgetTransfer, state: BudgetTransferState, operator_id: str, reason: str | None, now: datetime
) -> BudgetTransfer:
    return replace(
        transfer,
        state=state,
        ended_by=operator_id,
        ended_at=now,
        end_reason=reason,
        version=transfer.version + 1,
    )
