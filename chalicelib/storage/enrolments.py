"""Who is on which class, and their attendance: in the partition of the person, and named in that of the class."""

from collections.abc import Sequence

from chalicelib.domain.check_in import KeptPosition
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.outcomes import Enrolling, Mark, Page, StaleRow
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Voucher
from chalicelib.storage import keys
from chalicelib.storage.catalogue import NounShelf
from chalicelib.storage.enrolment_rows import put_class, put_enrolment
from chalicelib.storage.marks import put_mark
from chalicelib.storage.people import check_voucher, put_person, put_step
from chalicelib.storage.rows import ListedRow, PeopleRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class ClassShelf(NounShelf[TrainingClass]):
    """Rows ``CLASS#<id>``, listed for their institution."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(
            tables, TrainingClass, "CLASS", lambda c: c.class_id, lambda c: c.institution_id, lambda c: c.version
        )


class EnrolmentStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of_person(self, person_id: str) -> list[Enrolment]:
        condition = PeopleRow.item.startswith(keys.ENROLMENTS)
        found, cursor = list[Enrolment](), None
        while True:
            page = self._tables.query(PeopleRow, person_id, condition, limit=100, cursor=cursor)
            found += [from_body(Enrolment, text(item, "body")) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    def positions(self, person_id: str, class_id: str) -> list[KeptPosition]:
        condition = PeopleRow.item.startswith(keys.positions(class_id))
        found, cursor = list[KeptPosition](), None
        while True:
            page = self._tables.query(PeopleRow, person_id, condition, limit=100, cursor=cursor)
            found += [from_body(KeptPosition, text(item, "body")) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    def on_class(self, class_id: str, limit: int, cursor: str | None) -> Page[Enrolment]:
        condition = ListedRow.item.startswith(keys.ON_CLASS)
        found = self._tables.query(ListedRow, keys.training_class(class_id), condition, limit=limit, cursor=cursor)
        people = [text(item, "item").removeprefix(keys.ON_CLASS) for item in found.items]
        wanted = [(one, keys.enrolment_item(class_id)) for one in people]
        rows = {text(i, "person"): i for i in self._tables.batch_get(PeopleRow, wanted)} if wanted else {}
        there = tuple(from_body(Enrolment, text(rows[one], "body")) for one in people if one in rows)
        return Page(there, found.cursor)

    def enrol(
        self,
        training: TrainingClass,
        people: Sequence[Enrolling],
        mark: Mark,
        off_class: tuple[Enrolment, TrainingClass] | None = None,
    ) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        put_class(tx, training)
        if off_class is not None:
            put_enrolment(tx, off_class[0])
            put_class(tx, off_class[1])
        for one in people:
            put_enrolment(tx, one.enrolment)
            put_person(tx, one.person)
            check_voucher(tx, one.voucher)
            if one.is_new:
                pointer = ListedRow(
                    keys.training_class(training.class_id),
                    keys.on_class_item(one.enrolment.person_id),
                    version=1,
                )
                tx.put(pointer, ListedRow.subject.does_not_exist(), always(StaleRow()))
        tx.commit()

    def record(self, after: Enrolment, training: TrainingClass | None = None, kept: KeptPosition | None = None) -> None:
        tx = Transaction(self._tables)
        put_enrolment(tx, after)
        if kept is not None:
            row = PeopleRow(
                after.person_id,
                keys.position_item(after.class_id, kept.session_id, kept.leaving),
                version=1,
                body=to_body(kept),
                erase_at=int(kept.until.timestamp()),
            )
            tx.put(row, PeopleRow.person.does_not_exist(), always(StaleRow()))
        if training is not None:
            put_class(tx, training)
        tx.commit()

    def record_all(self, after: Sequence[Enrolment], steps: Sequence[tuple[Voucher, Voucher]] = ()) -> None:
        tx = Transaction(self._tables)
        for one in after:
            put_enrolment(tx, one)
        for step in steps:
            put_step(tx, *step)
        tx.commit()
