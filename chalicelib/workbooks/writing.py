"""STUB until the writer's own comes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from chalicelib.domain.roster import Outcome
from chalicelib.domain.sheets import RawRow, Schema


def template_workbook(schema: Schema) -> bytes:
    return schema.title.encode()


def result_workbook(
    rows: Iterable[RawRow],
    header_number: int,
    outcomes: Iterator[Outcome],
    *,
    summary: Sequence[tuple[str, str]],
    to: BinaryIO,
) -> None:
    for one in outcomes:
        to.write(f"{one.number} {one.result} {one.reason}\n".encode())
