"""STUB until the reader's own comes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from chalicelib.domain.identifiers import InvalidIdentifier, normalise_name, parse_citizen_id

Cell = str | int | float | bool | date | datetime | time | timedelta | None


@dataclass(frozen=True, slots=True)
class RawRow:
    number: int
    cells: Sequence[Cell]
    hidden: bool = False
    merged: frozenset[int] = frozenset()
    unset: frozenset[int] = frozenset()


class FileRefused(Exception):
    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code)
        self.code, self.zh, self.en = code, zh, en


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    column: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    title: str
    english: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False
    kind: str = "text"
    explanation: str = ""
    example: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    kind: str
    title: str
    version: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Header:
    number: int
    places: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    values: Mapping[str, Any] = field(repr=False)
    faults: tuple[Fault, ...]
    hidden: bool


class Sheet(Protocol):
    """A file that was opened; its rows may be asked for again."""

    def rows(self) -> Iterator[RawRow]: ...


def find_header(rows: Sequence[RawRow], schema: Schema) -> Header:
    for row in rows:
        places = {c.name: i for c in schema.columns for i, cell in enumerate(row.cells) if cell == c.title}
        if "id_number" in places:
            return Header(row.number, places)
    raise FileRefused("no_header", "没有表头", "no header")


def read_entries(rows: Iterable[RawRow], header: Header, schema: Schema, *, today: date) -> Iterator[Entry]:
    for row in rows:
        if row.number <= header.number or not any(row.cells):
            continue
        values: dict[str, Any] = {}
        faults = []
        for name, i in header.places.items():
            cell = row.cells[i]
            if cell is None or cell == "":
                continue
            try:
                values[name] = (
                    parse_citizen_id(str(cell), today=today) if name == "id_number" else normalise_name(str(cell))
                )
            except InvalidIdentifier as r:
                faults.append(Fault(r.code, name, r.hint_zh, r.hint_en))
        yield Entry(row.number, values, tuple(faults), row.hidden)
