"""Applications for money and their lines, in the casework table; a line moves with its voucher in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.domain.application import Application, Line
from chalicelib.domain.calendar import to_text
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.outcomes import LineStep, Mark, Page, StaleRow
from chalicelib.storage import keys
from chalicelib.storage.accounts import post_in_turn
from chalicelib.storage.marks import put_mark
from chalicelib.storage.people import check_person, move_shards, put_step
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


@dataclass(frozen=True, slots=True)
class Asked:
    """Some of the lines that were asked for one by one: (voucher id, fen; 0: as much as there is)."""

    lines: tuple[tuple[str, int], ...]


class ApplicationStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, application_id: str) -> Application | None:
        item = self._tables.get(CaseworkRow, keys.application(application_id), keys.HEAD)
        return from_body(Application, text(item, "body")) if item else None

    def page(self, of: str, limit: int, cursor: str | None) -> Page[Application]:
        found = self._tables.listed(CaseworkRow, keys.application(of), limit, cursor, item=keys.HEAD)
        return Page(tuple(from_body(Application, text(item, "body")) for item in found.items), found.cursor)

    def waiting(self, region: str, before: date | None, limit: int, cursor: str | None) -> Page[Application]:
        condition = CaseworkRow.list_order < before.isoformat() if before else None
        found = self._tables.listed(CaseworkRow, keys.waiting(region), limit, cursor, condition, item=keys.HEAD)
        return Page(tuple(from_body(Application, text(item, "body")) for item in found.items), found.cursor)

    def due_on(self, day: date, limit: int, cursor: str | None) -> Page[Application]:
        found = self._tables.listed(CaseworkRow, keys.waiting(day.isoformat()), limit, cursor, item=keys.HEAD)
        return Page(tuple(from_body(Application, text(item, "body")) for item in found.items), found.cursor)

    def line(self, application_id: str, voucher_id: str) -> Line | None:
        item = self._tables.get(CaseworkRow, keys.application(application_id), keys.line_item(voucher_id))
        return from_body(Line, text(item, "body")) if item else None

    def lines_of(self, application_id: str, voucher_ids: Sequence[str]) -> list[Line]:
        wanted = [(keys.application(application_id), keys.line_item(one)) for one in voucher_ids]
        return [from_body(Line, text(item, "body")) for item in self._tables.batch_get(CaseworkRow, wanted)]

    def lines(self, application_id: str, limit: int, cursor: str | None) -> Page[Line]:
        condition = CaseworkRow.item.startswith(keys.LINES)
        found = self._tables.query(CaseworkRow, keys.application(application_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Line, text(item, "body")) for item in found.items), found.cursor)

    def asked(self, application_id: str, number: int) -> tuple[tuple[str, int], ...]:
        item = self._tables.get(CaseworkRow, keys.application(application_id), keys.asked_item(number))
        return from_body(Asked, text(item, "body")).lines if item else ()

    def open(self, application: Application, asked: Sequence[Sequence[tuple[str, int]]], mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        absent = CaseworkRow.subject.does_not_exist()
        subject = keys.application(application.application_id)
        tx.put(_head(application), absent, always(StaleRow()))
        pointer = CaseworkRow(
            subject,
            keys.OF_INSTITUTION,
            version=1,
            list_key=keys.application(application.institution_id),
            list_order=_order(application),
        )
        tx.put(pointer, absent, always(StaleRow()))
        for number, lines in enumerate(asked):
            row = CaseworkRow(subject, keys.asked_item(number), version=1, body=to_body(Asked(tuple(lines))))
            tx.put(row, absent, always(StaleRow()))
        tx.commit()

    def published(self, region: str, since: date, limit: int, cursor: str | None) -> Page[Application]:
        condition = CaseworkRow.list_order >= since.isoformat()
        found = self._tables.listed(CaseworkRow, keys.publicity(region), limit, cursor, condition, item=keys.HEAD)
        return Page(tuple(from_body(Application, text(item, "body")) for item in found.items), found.cursor)

    def publish(self, after: Application, mark: Mark) -> None:
        assert after.publicity is not None
        tx = Transaction(self._tables)
        put_application(tx, after)
        put_mark(tx, mark)
        row = CaseworkRow(
            keys.application(after.application_id),
            keys.PUBLISHED,
            version=1,
            list_key=keys.publicity(after.region),
            list_order=f"{after.publicity.until.isoformat()}#{after.application_id}",
        )
        tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        tx.commit()

    def note(self, steps: Sequence[LineStep], posted: Sequence[tuple[Account, Posting]]) -> None:
        tx = Transaction(self._tables)
        put_line_steps(tx, steps)
        post_in_turn(tx, posted)
        tx.commit()

    def change(self, after: Application, mark: Mark | None = None) -> None:
        self.record(after, (), (), mark)

    def record(
        self,
        after: Application,
        steps: Sequence[LineStep],
        posted: Sequence[tuple[Account, Posting]] = (),
        mark: Mark | None = None,
        waits: bool | None = None,
    ) -> None:
        tx = Transaction(self._tables)
        # First of all: where another run was quicker, nothing else that is wrong matters.
        put_application(tx, after, waits)
        if mark is not None:
            put_mark(tx, mark)
        put_line_steps(tx, steps)
        post_in_turn(tx, posted)
        tx.commit()


def put_application(tx: Transaction, after: Application, waits: bool | None = None) -> None:
    """Add an application, one version further, to a transaction. ``waits``: it begins (or ends) to wait for a review:
    it stands in the list of its region's, and of its last day's, or no more."""
    tx.put(_head(after), CaseworkRow.version == after.version - 1, always(StaleRow()))
    if waits is None or after.due_on is None:
        return
    for item, of in ((keys.WAITING_HERE, after.region), (keys.WAITING_TODAY, after.due_on.isoformat())):
        order = f"{after.due_on.isoformat()}#{after.application_id}"
        row = CaseworkRow(
            keys.application(after.application_id),
            item,
            version=1,
            list_key=keys.waiting(of) if waits else None,
            list_order=order if waits else None,
        )
        tx.put(row, CaseworkRow.subject.does_not_exist() | CaseworkRow.subject.exists(), always(StaleRow()))


def put_line_steps(tx: Transaction, steps: Sequence[LineStep]) -> None:
    """Add lines with their vouchers, the holders who must be as they were read, and the shards to a transaction."""
    for step in steps:
        row = CaseworkRow(
            keys.application(step.line.application_id),
            keys.line_item(step.line.voucher_id),
            version=step.line.version,
            body=to_body(step.line),
        )
        first = CaseworkRow.subject.does_not_exist()
        tx.put(
            row, first if step.line.version == 1 else CaseworkRow.version == step.line.version - 1, always(StaleRow())
        )
        if step.voucher is not None:
            put_step(tx, *step.voucher)
        if step.holder is not None:
            check_person(tx, step.holder)
    move_shards(tx, [step.voucher for step in steps if step.voucher is not None])


def _head(application: Application) -> CaseworkRow:
    return CaseworkRow(
        keys.application(application.application_id),
        keys.HEAD,
        version=application.version,
        body=to_body(application),
        list_key=keys.application(application.region),
        list_order=_order(application),
    )


def _order(application: Application) -> str:
    return f"{to_text(application.made_at)}#{application.application_id}"
