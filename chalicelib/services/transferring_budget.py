"""Move budget between the accounts of two regions of one province (调剂). domain/budget_transfer.py"""

from datetime import datetime

from chalicelib.domain import budget_transfer as rules
from chalicelib.domain.access import Actor, Operator, must_cover, reaches
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.budget_transfer import BudgetTransfer
from chalicelib.domain.errors import BudgetTransferNotFound, OperatorRequired
from chalicelib.domain.fund import region_of
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.services.funding import find_account
from chalicelib.services.once import once
from chalicelib.services.ports import Platform


def propose_transfer(
    p: Platform,
    *,
    giver: str,
    receiver: str,
    amount_fen: int,
    reason: str,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[BudgetTransfer]:
    """Nothing moves yet, and nothing is kept aside. Raises AccountNotFound, Invalid (not two accounts of one province
    and year), OutOfScope (not of the province), BudgetExceeded (as things stand)."""
    operator = _operator(actor)

    def act() -> BudgetTransfer:
        accounts = [find_account(p.accounts, one, actor) for one in (giver, receiver)]
        transfer = BudgetTransfer(
            transfer_id=p.chance.short_id(),
            province=rules.province_of(*accounts),
            giver=giver,
            receiver=receiver,
            amount_fen=amount_fen,
            reason=reason,
            proposed_by=operator.operator_id,
            proposed_at=now,
        )
        must_cover(actor, transfer.province)
        rules.postings_of(transfer, *accounts, actor=actor, now=now)  # whether it could be done today
        p.budget_transfers.propose(transfer, Mark(attempt, transfer, now))
        return transfer

    return once(p.marks, attempt, BudgetTransfer, now, act)


def confirm_transfer(
    p: Platform, transfer_id: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[BudgetTransfer]:
    """The budget moves, on both accounts at once.

    Raises BudgetTransferNotFound, OutOfScope, BudgetTransferStateRefused, SameOperator, BudgetExceeded.
    """
    operator = _operator(actor)

    def act() -> BudgetTransfer:
        before = find_transfer(p, transfer_id, actor=actor)
        must_cover(actor, before.province)
        after = rules.confirm(before, operator_id=operator.operator_id, now=now)
        accounts = [find_account(p.accounts, one, actor) for one in (before.giver, before.receiver)]
        posted = rules.postings_of(before, *accounts, actor=actor, now=now)
        p.budget_transfers.end(after, posted, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, BudgetTransfer, now, act)


def decline_transfer(
    p: Platform, transfer_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[BudgetTransfer]:
    """Refused; or, by whoever proposed it, cancelled. Raises BudgetTransferNotFound, OutOfScope,
    BudgetTransferStateRefused."""
    operator = _operator(actor)

    def act() -> BudgetTransfer:
        before = find_transfer(p, transfer_id, actor=actor)
        must_cover(actor, before.province)
        after = rules.decline(before, reason=reason, operator_id=operator.operator_id, now=now)
        p.budget_transfers.end(after, (), Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, BudgetTransfer, now, act)


def find_transfer(p: Platform, transfer_id: str, *, actor: Actor) -> BudgetTransfer:
    """Either region's authority may look at it. Raises BudgetTransferNotFound."""
    transfer = p.budget_transfers.read(transfer_id)
    if transfer is None or not any(reaches(actor, region_of(one)) for one in (transfer.giver, transfer.receiver)):
        raise BudgetTransferNotFound()
    return transfer


def _operator(actor: Actor) -> Operator:
    if actor.operator is None:
        raise OperatorRequired()
    return actor.operator
