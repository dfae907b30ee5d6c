"""Special accounts: open one with its budget, change the budget, carry over at the year's end; read balances."""

from datetime import datetime

from chalicelib.domain import fund
from chalicelib.domain.access import Actor, covers, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AccountNotFound
from chalicelib.domain.fund import (
    Account,
    Balance,
    CarryOver,
    Posting,
    PostingKind,
    account_id_of,
    budget_legs,
    give_legs,
    receive_legs,
)
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.services.cataloguing import find_region
from chalicelib.services.once import once
from chalicelib.services.ports import Accounts, Catalogue, Marks


def find_account(accounts: Accounts, account_id: str, actor: Actor) -> Account:
    """Raises AccountNotFound, also for an account outside the scope."""
    account = accounts.read(account_id)
    if account is None or not covers(actor, account.region):
        raise AccountNotFound()
    return account


def open_account(
    catalogue: Catalogue,
    accounts: Accounts,
    marks: Marks,
    *,
    region: str,
    year: int,
    budget_fen: int,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Account]:
    """Open the region's account of a year with a budget in fen. Raises RegionNotFound, OutOfScope, AlreadyExists."""

    def act() -> Account:
        find_region(catalogue, region)
        must_cover(actor, region)
        empty = Account(account_id=account_id_of(region, year), region=region, year=year)
        account, posting = fund.post(
            empty,
            PostingKind.BUDGET,
            budget_legs(budget_fen),
            reference=f"budget {year}",
            app_key=actor.app_key,
            operator_id=actor.operator_id,
            now=now,
        )
        accounts.open(account, posting, Mark(attempt, account, now))
        return account

    return once(marks, attempt, Account, now, act)


def change_budget(
    accounts: Accounts,
    marks: Marks,
    *,
    account_id: str,
    amount_fen: int,
    note: str,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Account]:
    """Raise the budget, or lower it (negative) by what is free. Raises AccountNotFound, OutOfScope, BudgetExceeded."""

    def act() -> Account:
        before = find_account(accounts, account_id, actor)
        must_cover(actor, before.region)
        account, posting = fund.post(
            before,
            PostingKind.BUDGET,
            budget_legs(amount_fen),
            reference=note,
            app_key=actor.app_key,
            operator_id=actor.operator_id,
            now=now,
        )
        accounts.post(account, posting, Mark(attempt, account, now))
        return account

    return once(marks, attempt, Account, now, act)


def carry_over(
    accounts: Accounts, marks: Marks, *, account_id: str, actor: Actor, attempt: Attempt, now: datetime
) -> Done[CarryOver]:
    """What is free on a year's account goes to the region's account of the next year, which is opened if need be.

    What is reserved or payable stays until it is settled; what becomes free of it later is carried over by another
    request. Raises AccountNotFound, OutOfScope, YearNotOver.
    """

    def act() -> CarryOver:
        before = find_account(accounts, account_id, actor)
        must_cover(actor, before.region)
        fund.must_be_over(before.year, now)
        next_id = account_id_of(before.region, before.year + 1)
        next_before = accounts.read(next_id)
        amount = before.balances[Balance.FREE]
        if amount == 0:
            nothing = CarryOver(before, next_before, 0)
            marks.keep(Mark(attempt, nothing, now))
            return nothing
        if next_before is None:
            next_before = Account(account_id=next_id, region=before.region, year=before.year + 1)

        def post(account: Account, legs: dict[Balance, int], reference: str) -> tuple[Account, Posting]:
            return fund.post(
                account,
                PostingKind.CARRY_OVER,
                legs,
                reference=reference,
                app_key=actor.app_key,
                operator_id=actor.operator_id,
                now=now,
            )

        given = post(before, give_legs(amount), next_id)
        received = post(next_before, receive_legs(amount), account_id)
        done = CarryOver(given[0], received[0], amount)
        accounts.post_all((given, received), Mark(attempt, done, now))
        return done

    return once(marks, attempt, CarryOver, now, act)
