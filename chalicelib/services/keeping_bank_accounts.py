"""An institution's bank account (收款账户): proposed by one operator, confirmed by another. domain.md §4."""

from datetime import datetime

from chalicelib.domain import bank_account
from chalicelib.domain.access import AUTHORITIES, Actor, must_act_for, must_cover, reaches
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.bank_account import AccountDetails, InstitutionAccount
from chalicelib.domain.errors import (
    AlreadyExists,
    BankAccountNotFound,
    ConcurrentChange,
    InstitutionNotFound,
    ProposalChanged,
)
from chalicelib.domain.institution import Institution
from chalicelib.domain.outcomes import Done, Mark, StaleRow
from chalicelib.services.cataloguing import find_institution
from chalicelib.services.once import once
from chalicelib.services.ports import Platform


def propose_account(
    p: Platform,
    institution_id: str,
    account_name: str,
    bank: str,
    account_number: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[InstitutionAccount]:
    """By an operator of the institution, or of its authority. Until it is confirmed, the account of before is paid.

    Raises InstitutionNotFound, OutOfScope, Invalid (no account number).
    """

    def act() -> InstitutionAccount:
        institution = _find(p, institution_id, actor)
        if actor.client.role in AUTHORITIES:
            must_cover(actor, institution.region)
        else:
            must_act_for(actor, institution_id)
        plain = bank_account.plain_number(account_number)
        there = p.catalogue.bank_accounts.read(institution_id)
        before = there or InstitutionAccount(institution_id, institution.region)
        number = before.proposals + 1
        details = AccountDetails(
            number=number,
            account_name=account_name,
            bank=bank,
            masked=bank_account.mask(plain),
            sealed=p.keys.sealer.seal(plain, bank_account.context(institution_id, number)),
            proposed_by=actor.operator_id,
            proposed_at=now,
        )
        after = bank_account.propose(before, details)
        try:
            if there is None:
                p.catalogue.bank_accounts.add(after, Mark(attempt, after, now))
            else:
                p.catalogue.bank_accounts.change(after, Mark(attempt, after, now))
        except (AlreadyExists, ConcurrentChange):  # somebody proposed, or confirmed, at the same moment
            raise StaleRow from None
        return after

    return once(p.marks, attempt, InstitutionAccount, now, act)


def confirm_account(
    p: Platform,
    institution_id: str,
    number: int,
    account_number: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[InstitutionAccount]:
    """By another operator, of the authority, who types the account number once more: from now on the institution is
    paid there. ``number``: of the proposal that was looked at.

    Raises InstitutionNotFound, OutOfScope, BankAccountNotFound, Invalid (no account number), ProposalChanged (also:
    another account number), SameOperator.
    """

    def act() -> InstitutionAccount:
        must_cover(actor, _find(p, institution_id, actor).region)
        before = p.catalogue.bank_accounts.read(institution_id)
        if before is None:
            raise BankAccountNotFound()
        plain = bank_account.plain_number(account_number)
        after = bank_account.confirm(before, number, operator_id=actor.operator_id, now=now)
        assert after.current is not None
        if p.keys.sealer.unseal(after.current.sealed, bank_account.context(institution_id, number)) != plain:
            raise ProposalChanged()
        try:
            p.catalogue.bank_accounts.change(after, Mark(attempt, after, now))
        except ConcurrentChange:
            raise StaleRow from None
        return after

    return once(p.marks, attempt, InstitutionAccount, now, act)


def find_account(p: Platform, institution_id: str, *, actor: Actor) -> InstitutionAccount:
    """For the institution and its authorities. Raises InstitutionNotFound, BankAccountNotFound."""
    _find(p, institution_id, actor)
    there = p.catalogue.bank_accounts.read(institution_id)
    if there is None:
        raise BankAccountNotFound()
    return there


def _find(p: Platform, institution_id: str, actor: Actor) -> Institution:
    institution = find_institution(p.catalogue, institution_id)
    # An institution's client has regions too, and knows nothing of the others there.
    if institution_id not in actor.institutions and (actor.institutions or not reaches(actor, institution.region)):
        raise InstitutionNotFound()
    return institution
