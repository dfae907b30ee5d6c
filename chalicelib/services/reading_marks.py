"""What the marks of a roster say, chunk by chunk and row by row."""

from collections.abc import Iterator

from chalicelib.domain.roster import Chunk, Verdict, WithdrawnRow
from chalicelib.services.ports import Platform

PAGE = 25


def marks(p: Platform, roster_id: str) -> Iterator[Chunk]:
    """All marks of a roster, in the order of the sheet."""
    cursor: str | None = None
    while True:
        page = p.rosters.chunks(roster_id, PAGE, cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def withdrawn(p: Platform, roster_id: str) -> Iterator[WithdrawnRow]:
    """What the withdrawal did with each voucher, in the order of the sheet."""
    cursor: str | None = None
    while True:
        page = p.rosters.withdrawn(roster_id, PAGE, cursor)
        for chunk in page.items:
            yield from chunk.rows
        cursor = page.cursor
        if cursor is None:
            return


def issued_rows(chunk: Chunk) -> dict[str, int]:
    """The rows that were issued a voucher, by voucher."""
    return {row.voucher_id: row.number for row in chunk.rows if row.voucher_id and row.verdict is Verdict.ISSUED}
