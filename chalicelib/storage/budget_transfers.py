"""Transfers of budget, in the casework table: the one that is confirmed with both accounts and their postings."""

from collections.abc import Sequence

from chalicelib.domain.budget_transfer import BudgetTransfer
from chalicelib.domain.calendar import to_text
from chalicelib.domain.fund import Account, Posting, region_of
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.storage import keys
from chalicelib.storage.accounts import post_to_account
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class BudgetTransferStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, transfer_id: str) -> BudgetTransfer | None:
        item = self._tables.get(CaseworkRow, keys.budget_transfer(transfer_id), keys.HEAD)
        return from_body(BudgetTransfer, text(item, "body")) if item else None

    def page(self, region: str, limit: int, cursor: str | None) -> Page[BudgetTransfer]:
        found = self._tables.listed(CaseworkRow, keys.budget_transfer(region), limit, cursor, item=keys.HEAD)
        return Page(tuple(from_body(BudgetTransfer, text(item, "body")) for item in found.items), found.cursor)

    def propose(self, transfer: BudgetTransfer, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        absent = CaseworkRow.subject.does_not_exist()
        tx.put(_row(transfer), absent, always(StaleRow()))
        for item, account_id in ((keys.OF_GIVER, transfer.giver), (keys.OF_RECEIVER, transfer.receiver)):
            region = region_of(account_id)
            if region != transfer.province:  # there the transfer itself stands
                pointer = CaseworkRow(
                    keys.budget_transfer(transfer.transfer_id),
                    item,
                    version=1,
                    list_key=keys.budget_transfer(region),
                    list_order=_order(transfer),
                )
                tx.put(pointer, absent, always(StaleRow()))
        tx.commit()

    def end(self, after: BudgetTransfer, posted: Sequence[tuple[Account, Posting]], mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_row(after), CaseworkRow.version == after.version - 1, always(StaleRow()))
        for account, posting in posted:
            post_to_account(tx, account, posting)
        tx.commit()


def _row(transfer: BudgetTransfer) -> CaseworkRow:
    return CaseworkRow(
        keys.budget_transfer(transfer.transfer_id),
        keys.HEAD,
        version=transfer.version,
        body=to_body(transfer),
        list_key=keys.budget_transfer(transfer.province),
        list_order=_order(transfer),
    )


def _order(transfer: BudgetTransfer) -> str:
    return f"{to_text(transfer.proposed_at)}#{transfer.transfer_id}"
