"""Staff of institutions, in the catalogue table: each with the rows by which a number leads to them."""

from collections.abc import Sequence

from chalicelib.domain.errors import AlreadyExists
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.staff import StaffMember
from chalicelib.storage import keys
from chalicelib.storage.catalogue import NounShelf
from chalicelib.storage.fresh import Fresh
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import Item, ListedRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class StaffShelf(NounShelf[StaffMember]):
    """Rows ``STAFF#<id>``; beside them, never changed, ``IDENTITY#…`` with what leads from a number to the id."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(
            tables, StaffMember, "STAFF", lambda s: s.staff_id, lambda s: s.institution_id, lambda s: s.version
        )
        self._ids: Fresh[tuple[str, str], str] = Fresh()

    def find(self, institution_id: str, identity_keys: Sequence[str]) -> StaffMember | None:
        known = (institution_id, identity_keys[0])
        staff_id = self._ids.get(known, lambda: self._id_of_number(institution_id, identity_keys))
        return self.get(staff_id) if staff_id is not None else None

    def register(self, member: StaffMember, identity_keys: Sequence[str], mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        # Under every pepper that is known, as a person's identity: whoever registers meanwhile meets one of them.
        for key in identity_keys:
            row = ListedRow(key, keys.staff_item(member.institution_id), version=1, body=to_body(member.staff_id))
            tx.put(row, ListedRow.subject.does_not_exist(), _exists_already)
        tx.put(self._row(member), ListedRow.subject.does_not_exist(), always(AlreadyExists(what=member.staff_id)))
        tx.commit()

    def _id_of_number(self, institution_id: str, identity_keys: Sequence[str]) -> str | None:
        wanted = [(key, keys.staff_item(institution_id)) for key in identity_keys]
        rows = self._tables.batch_get(ListedRow, wanted)
        return from_body(str, text(rows[0], "body")) if rows else None


def _exists_already(there: Item | None) -> Exception:
    return AlreadyExists(what=from_body(str, text(there, "body")) if there else None)
