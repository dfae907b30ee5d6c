"""Rosters and the marks of their chunks, in the casework table."""

from collections.abc import Mapping, Sequence

from chalicelib.domain.calendar import to_text
from chalicelib.domain.outcomes import Mark, NewVoucher, Page, StaleRow
from chalicelib.domain.roster import Chunk, Roster, WithdrawnChunk
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Voucher
from chalicelib.storage import keys
from chalicelib.storage.marks import put_mark
from chalicelib.storage.people import bring_to_shards, move_shards, put_new_voucher, put_step, take_from_shards
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.templates import replace_head, take_back_from_shards
from chalicelib.storage.transaction import Transaction, always


class RosterStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, roster_id: str) -> Roster | None:
        item = self._tables.get(CaseworkRow, keys.roster(roster_id), keys.HEAD)
        return from_body(Roster, text(item, "body")) if item else None

    def page(self, of: str, limit: int, cursor: str | None) -> Page[Roster]:
        found = self._tables.listed(CaseworkRow, keys.roster(of), limit, cursor, item=keys.HEAD)
        return Page(tuple(from_body(Roster, text(item, "body")) for item in found.items), found.cursor)

    def add(self, roster: Roster, mark: Mark | None) -> None:
        tx = Transaction(self._tables)
        if mark:
            put_mark(tx, mark)
        absent = CaseworkRow.subject.does_not_exist()
        tx.put(_roster_row(roster), absent, always(StaleRow()))
        if roster.institution_id is not None:
            # It stands in the listing of its region by its head, and in that of the institution by this.
            pointer = CaseworkRow(
                keys.roster(roster.roster_id),
                keys.OF_INSTITUTION,
                version=1,
                list_key=keys.roster(roster.institution_id),
                list_order=_order(roster),
            )
            tx.put(pointer, absent, always(StaleRow()))
        tx.commit()

    def change(self, after: Roster, mark: Mark | None = None) -> None:
        tx = Transaction(self._tables)
        if mark:
            put_mark(tx, mark)
        _replace(tx, after)
        tx.commit()

    def record_chunk(
        self, after: Roster, chunk: Chunk, made: Sequence[NewVoucher] = (), aside: Template | None = None
    ) -> None:
        tx = Transaction(self._tables)
        # First of all: where another run was quicker, nothing else that is wrong matters.
        _replace(tx, after)
        row = CaseworkRow(keys.roster(chunk.roster_id), keys.chunk_item(chunk.until), version=1, body=to_body(chunk))
        tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        for new in made:
            put_new_voucher(tx, new)
        vouchers = [new.voucher for new in made]
        if aside is None:
            take_from_shards(tx, vouchers)
        else:
            replace_head(tx, aside)
            bring_to_shards(tx, vouchers)
        tx.commit()

    def set_aside(self, after: Roster, head: Template, taken: Mapping[int, int]) -> None:
        tx = Transaction(self._tables)
        _replace(tx, after)
        replace_head(tx, head)
        take_back_from_shards(tx, head, taken)
        tx.commit()

    def give_back(self, after: Roster, head: Template) -> None:
        tx = Transaction(self._tables)
        _replace(tx, after)
        replace_head(tx, head)
        tx.commit()

    def record_withdrawal(self, after: Roster, chunk: WithdrawnChunk, steps: Sequence[tuple[Voucher, Voucher]]) -> None:
        tx = Transaction(self._tables)
        _replace(tx, after)
        subject, item = keys.roster(chunk.roster_id), keys.withdrawn_item(chunk.until)
        row = CaseworkRow(subject, item, version=1, body=to_body(chunk))
        tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        for step in steps:
            put_step(tx, *step)
        move_shards(tx, steps)
        tx.commit()

    def withdrawn(self, roster_id: str, limit: int, cursor: str | None) -> Page[WithdrawnChunk]:
        condition = CaseworkRow.item.startswith(keys.WITHDRAWN)
        found = self._tables.query(CaseworkRow, keys.roster(roster_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(WithdrawnChunk, text(item, "body")) for item in found.items), found.cursor)

    def chunks(self, roster_id: str, limit: int, cursor: str | None, *, after: int = 0) -> Page[Chunk]:
        condition = CaseworkRow.item.between(keys.chunk_item(after + 1), keys.chunk_item(keys.LAST_CHUNK))
        found = self._tables.query(CaseworkRow, keys.roster(roster_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Chunk, text(item, "body")) for item in found.items), found.cursor)


def _replace(tx: Transaction, after: Roster) -> None:
    tx.put(_roster_row(after), CaseworkRow.version == after.version - 1, always(StaleRow()))


def _roster_row(roster: Roster) -> CaseworkRow:
    return CaseworkRow(
        keys.roster(roster.roster_id),
        keys.HEAD,
        version=roster.version,
        body=to_body(roster),
        list_key=keys.roster(roster.region),
        list_order=_order(roster),
    )


def _order(roster: Roster) -> str:
    return f"{to_text(roster.made_at)}#{roster.roster_id}"
