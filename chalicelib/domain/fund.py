"""Special accounts (专账资金) and their double-entry postings. All amounts are integer fen. domain.md §4.

Law: ``budget = free + reserved + payable + paid + recovered``. Every posting's legs sum to zero; the account's
balances are the sums of its postings' legs; ``source`` is the budget's other side, so ``budget = -source``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain import calendar
from chalicelib.domain.errors import BudgetExceeded, YearNotOver


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
    RELEASE = "release"  # 过期、失效、退券等释放
    APPROVE = "approve"  # 审核通过
    WITHDRAW_APPROVAL = "withdraw_approval"  # 公示异议成立等，撤销审核
    PAY = "pay"  # 拨付
    RECOVER = "recover"  # 追回
    TRANSFER = "transfer"  # 地区间调剂
    CARRY_OVER = "carry_over"  # 年终结转


POSTING_ZH: Mapping[PostingKind, str] = {
    PostingKind.BUDGET: "预算",
    PostingKind.RESERVE: "预留",
    PostingKind.RELEASE: "释放",
    PostingKind.APPROVE: "审核通过",
    PostingKind.WITHDRAW_APPROVAL: "撤销审核",
    PostingKind.PAY: "拨付",
    PostingKind.RECOVER: "追回",
    PostingKind.TRANSFER: "调剂",
    PostingKind.CARRY_OVER: "结转",
}
BALANCE_ZH: Mapping[Balance, str] = {
    Balance.SOURCE: "资金来源",
    Balance.FREE: "可用",
    Balance.RESERVED: "预留",
    Balance.PAYABLE: "应付",
    Balance.PAID: "已付",
    Balance.RECOVERED: "已追回",
}
Sums = Mapping[PostingKind, Mapping[Balance, int]]


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of money on one account. ``number`` is the account's version that it made."""

    account_id: str
    number: int
    kind: PostingKind
    legs: Mapping[Balance, int]
    reference: str
    app_key: str | None
    operator_id: str | None
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """The special account of a region for a year; ``account_id`` is ``<region>-<year>``.

    ``months``: what was posted in each month (``2021-06``, China), by kind: the monthly statement reads nothing else.
    """

    account_id: str
    region: str
    year: int
    balances: Mapping[Balance, int] = field(default_factory=lambda: dict.fromkeys(Balance, 0))
    version: int = 0
    months: Mapping[str, Sums] = field(default_factory=dict)

    @property
    def budget(self) -> int:
        return -self.balances[Balance.SOURCE]

    def __post_init__(self) -> None:
        if sum(self.balances.values()) != 0:
            raise AssertionError("an account's balances sum to zero")


@dataclass(frozen=True, slots=True)
class CarryOver:
    """What a year's end carried over: both accounts after it, the next one None where there is none yet."""

    account: Account
    next_account: Account | None
    carried_fen: int


def account_id_of(region: str, year: int) -> str:
    return f"{region}-{year}"


def region_of(account_id: str) -> str:
    """The region whose account has this id."""
    return account_id.partition("-")[0]


def post(
    account: Account,
    kind: PostingKind,
    legs: Mapping[Balance, int],
    *,
    reference: str,
    app_key: str | None,
    operator_id: str | None,
    now: datetime,
) -> tuple[Account, Posting]:
    """Move money within one account. ``app_key`` None: a job does it.

    Raises BudgetExceeded when ``free`` would fall below zero.
    """
    if sum(legs.values()) != 0:
        raise AssertionError("a posting's legs sum to zero")
    balances = {b: account.balances[b] + legs.get(b, 0) for b in Balance}
    if balances[Balance.FREE] < 0:
        raise BudgetExceeded(needed_fen=-legs.get(Balance.FREE, 0), free_fen=account.balances[Balance.FREE])
    for balance in (Balance.RESERVED, Balance.PAYABLE, Balance.PAID, Balance.RECOVERED):
        if balances[balance] < 0:
            raise AssertionError(f"account {account.account_id}: {balance} would be {balances[balance]} fen")
    month = f"{calendar.local_date(now):%Y-%m}"
    sums = dict(account.months.get(month, {}))
    before = sums.get(kind, {})
    sums[kind] = {b: before.get(b, 0) + legs.get(b, 0) for b in Balance if b in before or legs.get(b)}
    months = {**account.months, month: sums}
    after = replace(account, balances=balances, version=account.version + 1, months=months)
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


def give_legs(amount: int) -> dict[Balance, int]:
    """Budget leaves the account for another one, with the free money that it is (调剂、结转)."""
    return budget_legs(-amount)


def receive_legs(amount: int) -> dict[Balance, int]:
    """The other side of ``give_legs``."""
    return budget_legs(amount)


def must_be_over(year: int, now: datetime) -> None:
    """Raises YearNotOver while the year goes on in China, or has not begun."""
    if calendar.year_of(now) <= year:
        raise YearNotOver(year=year)


def reserve_legs(amount: int) -> dict[Balance, int]:
    """Publishing binds quantity × ceiling."""
    return {Balance.FREE: -amount, Balance.RESERVED: amount}


def release_legs(amount: int) -> dict[Balance, int]:
    """Vouchers ended without payment, or stock was released: what was bound for them is free."""
    return {Balance.RESERVED: -amount, Balance.FREE: amount}


def approve_legs(amount: int) -> dict[Balance, int]:
    """A reviewer granted so much; the rest of the reservation is released as everything else is."""
    return {Balance.RESERVED: -amount, Balance.PAYABLE: amount}


def withdraw_approval_legs(amount: int) -> dict[Balance, int]:
    """What was granted is not paid after all."""
    return {Balance.PAYABLE: -amount, Balance.FREE: amount}


def pay_legs(amount: int) -> dict[Balance, int]:
    return {Balance.PAYABLE: -amount, Balance.PAID: amount}


def recover_legs(amount: int) -> dict[Balance, int]:
    """What was paid came back (追回); it is no budget again by itself."""
    return {Balance.PAID: -amount, Balance.RECOVERED: amount}
