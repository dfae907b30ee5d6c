"""An institution's bank account (收款账户): proposed by one operator, in force when another confirms it. domain.md §4.

The number is sealed; answers show its last four characters. A batch keeps the account that it was made with.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain.errors import Invalid, ProposalChanged, SameOperator

MOST_PROPOSALS = 20
NUMBER = re.compile(r"[0-9]{8,32}")


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """One account. ``number`` counts the institution's proposals; ``sealed`` opens to the account's number."""

    number: int
    account_name: str
    bank: str
    masked: str
    sealed: str = field(repr=False)
    proposed_by: str | None
    proposed_at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InstitutionAccount:
    """``current``: to which it is paid; ``proposed``: what waits for the second operator. ``acts``: the accounts of
    before, and proposals that another one replaced; the oldest first."""

    institution_id: str
    region: str
    current: AccountDetails | None = None
    proposed: AccountDetails | None = None
    acts: tuple[AccountDetails, ...] = ()
    proposals: int = 0
    version: int = 0


def context(institution_id: str, number: int) -> str:
    """What the sealed number is tied to."""
    return f"bank-account:{institution_id}:{number}"


def mask(number: str) -> str:
    return f"****{number[-4:]}"


def plain_number(text: str) -> str:
    """Digits without spaces and hyphens. Raises Invalid."""
    number = re.sub(r"[\s-]", "", text)
    if not NUMBER.fullmatch(number):
        raise Invalid(pointer="/account_number", reason="an account number has 8 to 32 digits")
    return number


def propose(account: InstitutionAccount, details: AccountDetails) -> InstitutionAccount:
    """The latest proposal counts; the one that it replaces stays in the history."""
    acts = (*account.acts, account.proposed) if account.proposed else account.acts
    return replace(
        account,
        proposed=details,
        acts=_kept(acts),
        proposals=details.number,
        version=account.version + 1,
    )


def confirm(account: InstitutionAccount, number: int, *, operator_id: str | None, now: datetime) -> InstitutionAccount:
    """Raises ProposalChanged (nothing is proposed, or something else), SameOperator."""
    proposed = account.proposed
    if proposed is None or proposed.number != number:
        raise ProposalChanged()
    if operator_id is None or operator_id == proposed.proposed_by:
        raise SameOperator()
    acts = (*account.acts, account.current) if account.current else account.acts
    current = replace(proposed, confirmed_by=operator_id, confirmed_at=now)
    return replace(account, current=current, proposed=None, acts=acts, version=account.version + 1)


def _kept(acts: tuple[AccountDetails, ...]) -> tuple[AccountDetails, ...]:
    """Every account that was ever paid to, and the last proposals that nobody confirmed: one clerk alone pushes nothing
    out of the history, and does not make it longer than a row may be."""
    idle = [one for one in acts if one.confirmed_at is None]
    gone = {one.number for one in idle[:-MOST_PROPOSALS]}
    return tuple(one for one in acts if one.number not in gone)
