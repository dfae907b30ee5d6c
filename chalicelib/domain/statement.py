"""An account's monthly statement (专账月报): opening, movements by kind, closing, for each balance. domain.md §4.

It is added up from what the account keeps of each month, which the postings put there: no posting is read again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain import calendar
from chalicelib.domain.errors import StatementNotFound
from chalicelib.domain.fund import Account, Balance, PostingKind

# What begins before midnight is posted with the moment at which it began, and by then written or given up.
SETTLING = timedelta(minutes=10)


class StatementFormat(StrEnum):
    XLSX = "xlsx"
    CSV = "csv"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Statement:
    """Fen. ``movements``: of the kinds that there were in the month, in the order of ``PostingKind``; every row sums to
    zero over the balances. ``complete``: the month is over in China, and so is what began in it, so that nothing
    changes any more."""

    account_id: str
    region: str
    year: int
    month: str
    complete: bool
    opening: Mapping[Balance, int]
    movements: Mapping[PostingKind, Mapping[Balance, int]]
    closing: Mapping[Balance, int]
    made_at: datetime


def statement_of(account: Account, month: str, now: datetime) -> Statement:
    """Of a month (``2021-06``, China) from the account's first posting up to now; in a month without postings nothing
    moved. Raises StatementNotFound."""
    running = f"{calendar.local_date(now):%Y-%m}"
    first = min(account.months)
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month) or not first <= month <= running:
        raise StatementNotFound(month=month[:7], first_month=first, last_month=running)
    opening = dict.fromkeys(Balance, 0)
    for before in (sums for told, sums in account.months.items() if told < month):
        for legs in before.values():
            opening = _plus(opening, legs)
    there = account.months.get(month, {})
    movements = {kind: _plus(dict.fromkeys(Balance, 0), there[kind]) for kind in PostingKind if kind in there}
    closing = opening
    for legs in movements.values():
        closing = _plus(closing, legs)
    return Statement(
        account_id=account.account_id,
        region=account.region,
        year=account.year,
        month=month,
        complete=month < f"{calendar.local_date(now - SETTLING):%Y-%m}",
        opening=opening,
        movements=movements,
        closing=closing,
        made_at=now,
    )


def _plus(sums: Mapping[Balance, int], legs: Mapping[Balance, int]) -> dict[Balance, int]:
    return {balance: sums[balance] + legs.get(balance, 0) for balance in Balance}
