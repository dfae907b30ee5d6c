"""Merges, in the casework table: each step with the rows of both people and the numbers that lead to them."""

from collections.abc import Sequence

from chalicelib.domain.calendar import to_text
from chalicelib.domain.merge import Merge
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.domain.person import Person
from chalicelib.domain.record import Record
from chalicelib.storage import keys
from chalicelib.storage.marks import put_mark
from chalicelib.storage.people import put_changes
from chalicelib.storage.rows import CaseworkRow, PeopleRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class MergeStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, merge_id: str) -> Merge | None:
        item = self._tables.get(CaseworkRow, keys.merge(merge_id), keys.HEAD)
        return from_body(Merge, text(item, "body")) if item else None

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Merge]:
        found = self._tables.listed(CaseworkRow, keys.merge(region), limit, cursor)
        return Page(tuple(from_body(Merge, text(item, "body")) for item in found.items), found.cursor)

    def propose(self, merge: Merge, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_merge_row(merge), CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        tx.commit()

    def carry_out(
        self,
        merge: Merge,
        changes: Sequence[tuple[Person, Record]],
        identity_keys: Sequence[str],
        came_from: str,
        leads_to: str,
        mark: Mark,
    ) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_merge_row(merge), CaseworkRow.version == merge.version - 1, always(StaleRow()))
        put_changes(tx, changes)
        for key in identity_keys:
            actions = [PeopleRow.person_id.set(leads_to), PeopleRow.version.add(1)]
            tx.update(PeopleRow(key, keys.IDENTITY), actions, PeopleRow.person_id == came_from, always(StaleRow()))
        tx.commit()


def _merge_row(merge: Merge) -> CaseworkRow:
    return CaseworkRow(
        keys.merge(merge.merge_id),
        keys.HEAD,
        version=merge.version,
        body=to_body(merge),
        list_key=keys.merge(merge.region),
        list_order=f"{to_text(merge.proposed_at)}#{merge.merge_id}",
    )
