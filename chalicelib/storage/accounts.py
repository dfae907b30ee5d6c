"""Special accounts and their postings, in the casework table: the balance and its posting are one transaction."""

from collections import Counter
from collections.abc import Sequence

from chalicelib.domain.errors import AlreadyExists
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.storage import keys
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class AccountStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, account_id: str) -> Account | None:
        item = self._tables.get(CaseworkRow, keys.account(account_id), keys.HEAD)
        return from_body(Account, text(item, "body")) if item else None

    def open(self, account: Account, posting: Posting, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        exists = AlreadyExists(what=account.account_id)
        tx.put(_account_row(account), CaseworkRow.subject.does_not_exist(), always(exists))
        _put_posting(tx, posting)
        tx.commit()

    def post(self, account: Account, posting: Posting, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        post_to_account(tx, account, posting)
        tx.commit()

    def post_all(self, posted: Sequence[tuple[Account, Posting]], mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        for account, posting in posted:
            post_to_account(tx, account, posting)
        tx.commit()

    def postings(self, account_id: str, limit: int, cursor: str | None) -> Page[Posting]:
        condition = CaseworkRow.item.startswith("POSTING#")
        found = self._tables.query(CaseworkRow, keys.account(account_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Posting, text(item, "body")) for item in found.items), found.cursor)

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Account]:
        found = self._tables.listed(CaseworkRow, keys.account(region), limit, cursor)
        return Page(tuple(from_body(Account, text(item, "body")) for item in found.items), found.cursor)


def post_to_account(tx: Transaction, account: Account, posting: Posting) -> None:
    """Add the account after a posting, and the posting, to a transaction that needs both; the first one opens it."""
    new = account.version == 1
    before = CaseworkRow.subject.does_not_exist() if new else CaseworkRow.version == account.version - 1
    tx.put(_account_row(account), before, always(StaleRow()))
    _put_posting(tx, posting)


def post_in_turn(tx: Transaction, posted: Sequence[tuple[Account, Posting]]) -> None:
    """Add several postings to a transaction; of one account each follows the one before it, and the account is written
    once, as it is after the last."""
    last, made = dict[str, Account](), Counter[str]()
    for account, posting in posted:
        last[account.account_id] = account
        made[account.account_id] += 1
        _put_posting(tx, posting)
    for account in last.values():
        read = account.version - made[account.account_id]
        tx.put(_account_row(account), CaseworkRow.version == read, always(StaleRow()))


def _put_posting(tx: Transaction, posting: Posting) -> None:
    row = CaseworkRow(
        keys.account(posting.account_id), keys.posting_item(posting.number), version=1, body=to_body(posting)
    )
    tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))


def _account_row(account: Account) -> CaseworkRow:
    return CaseworkRow(
        keys.account(account.account_id),
        keys.HEAD,
        version=account.version,
        body=to_body(account),
        list_key=keys.account(account.region),
        list_order=account.account_id,
    )
