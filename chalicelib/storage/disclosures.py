"""Disclosures, in the casework table: each with the mark of its request, never changed."""

from chalicelib.domain.calendar import to_text
from chalicelib.domain.disclosure import Disclosure
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.storage import keys
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class DisclosureStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, disclosure: Disclosure, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        row = CaseworkRow(
            keys.disclosure(disclosure.disclosure_id),
            keys.HEAD,
            version=1,
            body=to_body(disclosure),
            list_key=keys.disclosure(disclosure.region),
            list_order=f"{to_text(disclosure.made_at)}#{disclosure.disclosure_id}",
        )
        tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        tx.commit()

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Disclosure]:
        found = self._tables.listed(CaseworkRow, keys.disclosure(region), limit, cursor)
        return Page(tuple(from_body(Disclosure, text(item, "body")) for item in found.items), found.cursor)
