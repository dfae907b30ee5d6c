"""Post money on accounts, with the step that moves it.

Accounts are read before the vouchers whose money is moved: whoever was quicker is then seen on the voucher, and never
only as a balance that is too small.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from chalicelib.domain import fund
from chalicelib.domain.access import Actor
from chalicelib.domain.fund import Account, Balance, Posting, PostingKind
from chalicelib.services.ports import Platform


def read_accounts(p: Platform, account_ids: Iterable[str]) -> dict[str, Account]:
    """Each as it is now."""
    found = {one: p.accounts.read(one) for one in sorted(set(account_ids))}
    there = {one: account for one, account in found.items() if account is not None}
    assert len(there) == len(found), "an account is never deleted"
    return there


def post_on(
    accounts: Mapping[str, Account],
    amounts: Mapping[str, int],
    kind: PostingKind,
    legs: Callable[[int], dict[Balance, int]],
    reference: str,
    actor: Actor | None,
    now: datetime,
) -> list[tuple[Account, Posting]]:
    """One posting on each account of which an amount in fen is told."""
    return [
        fund.post(
            accounts[account_id],
            kind,
            legs(fen),
            reference=reference,
            app_key=actor.app_key if actor else None,
            operator_id=actor.operator_id if actor else None,
            now=now,
        )
        for account_id, fen in sorted(amounts.items())
    ]
