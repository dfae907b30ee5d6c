"""Special accounts (专账资金) and their double-entry postings. All amounts are integer fen. domain.md §4.

Law: ``budget = free + reserved + payable + paid + recovered``. Every posting's legs sum to zero; the account's
balances are the sums of its postings' legs; ``source`` is the budget's other side, so ``budget = -source``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import BudgetExceeded


class Balance(StrEnum):
    SOURCE = "source"
    FREE = "free"
    RESERVED = "reserved"
    PAYABLE = "payable"
    PAID = "paid"
    RECOVERED = "recovered"


class PostingKind(StrEnum):
    BUDGET = "budget"  # 预算下达、调整
    RESERVE = "reserve"  # 发布、追加


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of money on one account. ``number`` is the account's version that it made."""

    account_id: str
    number: int
    kind: PostingKind
    legs: Mapping[Balance, int]
    reference: str
    app_key: str
    operator_id: str | None
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """The special account of a region for a year; ``account_id`` is ``<region>-<year>``."""

    account_id: str
    region: str
    year: int
    balances: Mapping[Balance, int] = field(default_factory=lambda: dict.fromkeys(Balance, 0))
    version: int = 0

    @property
    def budget(self) -> int:
        return -self.balances[Balance.SOURCE]

    def __post_init__(self) -> None:
        if sum(self.balances.values()) != 0:
            raise AssertionError("an account's balances sum to zero")


def account_id_of(region: str, year: int) -> str:
    return f"{region}-{year}"


def post(
    account: Account,
    kind: PostingKind,
    legs: Mapping[Balance, int],
    *,
    reference: str,
    app_key: str,
    operator_id: str | None,
    now: datetime,
) -> tuple[Account, Posting]:
    """Move money within one account. Raises BudgetExceeded when ``free`` would fall below zero."""
    if sum(legs.values()) != 0:
        raise AssertionError("a posting's legs sum to zero")
    balances = {b: account.balances[b] + legs.get(b, 0) for b in Balance}
    if balances[Balance.FREE] < 0:
        raise BudgetExceeded(needed_fen=-legs.get(Balance.FREE, 0), free_fen=account.balances[Balance.FREE])
    after = replace(account, balances=balances, version=account.version + 1)
    posting = Posting(
        account_id=account.account_id,
        number=after.version,
        kind=kind,
        legs=dict(legs),
        reference=reference,
        app_key=app_key,
        operator_id=operator_id,
        posted_at=now,
    )
    return after, posting


def budget_legs(amount: int) -> dict[Balance, int]:
    """A budget of ``amount`` fen arrives (or, negative, is taken back from what is free)."""
    return {Balance.SOURCE: -amount, Balance.FREE: amount}


def reserve_legs(amount: int) -> dict[Balance, int]:
    """Publishing binds quantity × ceiling."""
    return {Balance.FREE: -amount, Balance.RESERVED: amount}
