"""Payment batches and their payees, in the casework table; lines and vouchers move with them in one transaction."""

from collections.abc import Sequence

from chalicelib.domain.application import Application
from chalicelib.domain.calendar import to_text
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.institution import Institution
from chalicelib.domain.outcomes import LineStep, Mark, Page, StaleRow
from chalicelib.domain.payment import BatchPayee, PaymentBatch
from chalicelib.storage import keys
from chalicelib.storage.accounts import post_to_account
from chalicelib.storage.applications import put_application, put_line_steps
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import CaseworkRow, ListedRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always

LAST_PAYEE = 999_999


class PaymentStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, batch_id: str) -> PaymentBatch | None:
        item = self._tables.get(CaseworkRow, keys.batch(batch_id), keys.HEAD)
        return from_body(PaymentBatch, text(item, "body")) if item else None

    def page(self, region: str, limit: int, cursor: str | None) -> Page[PaymentBatch]:
        found = self._tables.listed(CaseworkRow, keys.batch(region), limit, cursor)
        return Page(tuple(from_body(PaymentBatch, text(item, "body")) for item in found.items), found.cursor)

    def payee(self, batch_id: str, sequence: int) -> BatchPayee | None:
        item = self._tables.get(CaseworkRow, keys.batch(batch_id), keys.payee_item(sequence))
        return from_body(BatchPayee, text(item, "body")) if item else None

    def payees(self, batch_id: str, limit: int, cursor: str | None, *, after: int = 0) -> Page[BatchPayee]:
        condition = CaseworkRow.item.between(keys.payee_item(after + 1), keys.payee_item(LAST_PAYEE))
        found = self._tables.query(CaseworkRow, keys.batch(batch_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(BatchPayee, text(item, "body")) for item in found.items), found.cursor)

    def payees_of(self, batch_id: str, holders: Sequence[str]) -> dict[str, BatchPayee]:
        subject = keys.batch(batch_id)
        pointers = self._tables.batch_get(CaseworkRow, [(subject, keys.paid_to_item(one)) for one in holders])
        items = [(subject, keys.payee_item(int(text(item, "body")))) for item in pointers]
        found = [from_body(BatchPayee, text(item, "body")) for item in self._tables.batch_get(CaseworkRow, items)]
        return {one.holder: one for one in found}

    def open(self, batch: PaymentBatch, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_head(batch), CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        tx.commit()

    def record(
        self,
        after: PaymentBatch,
        payees: Sequence[BatchPayee] = (),
        applications: Sequence[Application] = (),
        steps: Sequence[LineStep] = (),
        posted: Sequence[tuple[Account, Posting]] = (),
        mark: Mark | None = None,
        institutions: Sequence[Institution] = (),
    ) -> None:
        tx = Transaction(self._tables)
        # First of all: where another run was quicker, nothing else that is wrong matters.
        tx.put(_head(after), CaseworkRow.version == after.version - 1, always(StaleRow()))
        if mark is not None:
            put_mark(tx, mark)
        for payee in payees:
            _put_payee(tx, payee)
        for application in applications:
            put_application(tx, application)
        put_line_steps(tx, steps)
        for account, posting in posted:
            post_to_account(tx, account, posting)
        for one in institutions:
            row = ListedRow(keys.institution(one.institution_id), keys.HEAD)
            tx.check(row, ListedRow.version == one.version, always(StaleRow()))
        tx.commit()


def _put_payee(tx: Transaction, payee: BatchPayee) -> None:
    subject, absent = keys.batch(payee.batch_id), CaseworkRow.subject.does_not_exist()
    row = CaseworkRow(subject, keys.payee_item(payee.sequence), version=payee.version, body=to_body(payee))
    if payee.version > 1:
        tx.put(row, CaseworkRow.version == payee.version - 1, always(StaleRow()))
        return
    tx.put(row, absent, always(StaleRow()))
    pointer = CaseworkRow(subject, keys.paid_to_item(payee.holder), version=1, body=str(payee.sequence))
    tx.put(pointer, absent, always(StaleRow()))


def _head(batch: PaymentBatch) -> CaseworkRow:
    return CaseworkRow(
        keys.batch(batch.batch_id),
        keys.HEAD,
        version=batch.version,
        body=to_body(batch),
        list_key=keys.batch(batch.region),
        list_order=f"{to_text(batch.made_at)}#{batch.batch_id}",
    )
