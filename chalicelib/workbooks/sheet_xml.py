"""One pass over a sheet's XML, for what calamine does not tell and for what it must not be given.

Calamine unfolds the rectangle around all cells at once: a single cell far away, or an impossible reference, takes all
memory there is and ends the process. So its size is found first. Cells as spreadsheet programs write them are counted
and searched as bytes; anything else makes the sheet be parsed in earnest. docs/decisions/0020
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.parsers import expat

MOST_ROWS = 500_100
"""500,000 people, and what stands around them."""
MOST_COLUMNS = 200
MOST_CELLS = 16_000_000
"""Of the rectangle around all that is filled in, and of filled cells."""
MOST_MERGED = 100_000
MOST_PARSED, MOST_ELEMENTS, DEEPEST = 512 << 20, 24_000_000, 64
"""Bytes, and elements, of a sheet in another than the usual form: half a minute's work."""


class UnreadableXml(Exception):
    """The XML is no sheet's."""


class SheetTooLarge(Exception):
    """More rows, columns, cells or merged ranges than a roster has."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the XML says. ``hidden``: row numbers; ``unset``: by row number the columns (from 0) of formulas without a
    value and of error values; ``cells``: how many have something in them; ``usual``: it is written as spreadsheet
    programs write it."""

    hidden: frozenset[int] = frozenset()
    unset: Mapping[int, frozenset[int]] = field(default_factory=dict)
    cells: int = 0
    usual: bool = True


def look_through(pieces: Callable[[], Iterable[bytes]], *, calculated: bool = True) -> Marks:
    """``pieces``: the sheet's XML, from its beginning each time. ``calculated``: an empty text is a formula's value, as
    spreadsheet programs write it, and not what a program wrote that cannot compute.

    Raises UnreadableXml, SheetTooLarge.
    """
    try:
        return _look_quickly(pieces(), calculated)
    except _UnusualForm:
        return replace(_parse(pieces(), calculated), usual=False)


@dataclass(slots=True)
class _Seen:
    """What was seen so far."""

    calculated: bool
    hidden: set[int] = field(default_factory=set)
    unset: dict[int, set[int]] = field(default_factory=dict)
    last_row: int = 0
    width: int = 0
    cells: int = 0
    merged: int = 0

    def take(self, row: int, column: int) -> None:
        if row > MOST_ROWS or column >= MOST_COLUMNS:
            raise SheetTooLarge
        self.last_row, self.width = max(self.last_row, row), max(self.width, column + 1)

    def check(self) -> None:
        if self.cells > MOST_CELLS or self.last_row * self.width > MOST_CELLS or self.merged > MOST_MERGED:
            raise SheetTooLarge

    def marks(self) -> Marks:
        self.check()
        return Marks(frozenset(self.hidden), {row: frozenset(some) for row, some in self.unset.items()}, self.cells)


# --- as bytes ---------------------------------------------------------------------------------------------------------


class _UnusualForm(Exception):
    """Well-formed perhaps, but not as spreadsheet programs write it."""


def _look_quickly(pieces: Iterable[bytes], calculated: bool) -> Marks:
    seen = _Seen(calculated)
    chunks = _chunks(iter(pieces))
    _check_head(next(chunks))
    for text in chunks:
        _look_at(text, seen)
        seen.check()
    if seen.width > _TO_Z:
        raise _UnusualForm  # how far down the widest row stands begins to matter
    return seen.marks()


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """All before the rows, then whole rows, many at a time; what follows them comes with the last."""
    text = b""
    while b"<sheetData" not in text:
        piece = next(pieces, None)
        if piece is None or len(text) > _LONGEST_HEAD:
            raise _UnusualForm
        text += piece
    begin = text.index(b"<sheetData")
    yield text[:begin]
    text = text[begin:]
    for piece in pieces:
        text += piece
        cut = text.rfind(b"<row r=")
        if cut > 0:
            yield text[:cut]
            text = text[cut:]
        elif len(text) > _LONGEST_ROW:
            raise _UnusualForm
    yield text


def _check_head(head: bytes) -> None:
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise UnreadableXml
    if b"<!" in head or b"<c " in head:
        raise _UnusualForm


def _look_at(text: bytes, seen: _Seen) -> None:
    rows, _, after = text.partition(b"</sheetData>")
    seen.merged += after.count(b"<mergeCell ")
    # As many cells and rows as there are in the usual form, each tag closed before the next, each with its place said
    # once, and nothing that could hide others: what is searched for below is all there is.
    cells, lines = rows.count(b'<c r="'), rows.count(b'<row r="')
    if (
        rows.count(b"<") != rows.count(b">")
        or rows.count(b"<c") != cells
        or rows.count(b"<row") != lines
        or rows.count(b'r="') != cells + lines
        or rows.count(b"=") != rows.count(b'="')
        or _has_what_is_unusual(rows)
        or any(one in after for one in (b"<c ", b"<row ", b"sheetData"))
    ):
        raise _UnusualForm
    for reference, rest, closed in _BEYOND_Z.findall(rows) if _SOME_BEYOND_Z.search(rows) else ():
        place = _PLACE.fullmatch(reference)
        if place is None or not closed:
            raise _UnusualForm
        if not rest.endswith(b"/"):  # a format alone makes no cell
            seen.take(int(place[2]), column_of(place[1]))
    filled = rows.count(b"</c>")
    if filled:
        seen.cells += filled
        last = _PLACE.match(rows, rows.rfind(b'<c r="', 0, rows.rfind(b"</c>")) + 6)
        if last is None:
            raise _UnusualForm
        seen.take(int(last[2]), max(column_of(last[1]), _TO_Z - 1))
    if b"hidden=" in rows:
        seen.hidden.update(int(number) for number, rest in _ROW.findall(rows) if _HIDDEN.search(rest))
    if b"<f" in rows or b't="e"' in rows:
        _look_at_formulas(rows, seen)


def _has_what_is_unusual(rows: bytes) -> bool:
    """White space before an equals sign, a prefix, a comment or an instruction. One letter is found ten times as fast
    as two, so what is not there at all is asked for first."""
    return (
        b"\t" in rows
        or b"\r" in rows
        or (b"\n" in rows and b'\n="' in rows)
        or b' ="' in rows
        or (b"!" in rows and b"<!" in rows)
        or (b"?" in rows and b"<?" in rows)
        or b":c" in rows
        or b":row" in rows
    )


def _look_at_formulas(text: bytes, seen: _Seen) -> None:
    for cell in text.split(b'<c r="')[1:]:
        tag, _, content = cell.partition(b">")
        content, closed, _ = content.partition(b"</c>")
        if tag.endswith(b"/") or not closed:
            continue
        error, said = b't="e"' in tag, b't="str"' in tag and seen.calculated
        if error or (_FORMULA.search(content) and _has_no_value(content, empty_is_one=said)):
            place = _PLACE.match(cell)
            if place is None:
                raise _UnusualForm
            seen.unset.setdefault(int(place[2]), set()).add(column_of(place[1]))


def _has_no_value(content: bytes, *, empty_is_one: bool) -> bool:
    value = _VALUE.search(content)
    return value is None or not (value[1] or empty_is_one)


def column_of(letters: str | bytes) -> int:
    """From 0."""
    number = 0
    for letter in letters if isinstance(letters, bytes) else letters.encode():
        number = number * 26 + letter - 64
    return number - 1


_LONGEST_HEAD, _LONGEST_ROW = 4 << 20, 16 << 20
_TO_Z = 26
# No pattern goes past the next "<", and none goes back: each byte is looked at a few times at most.
_BEYOND_Z = re.compile(rb'<c r="(?![A-Z](?:[1-9][0-9]{0,4}|[1-5][0-9]{5})")([^"<>]*+)"?([^<>]*+)(>?)')
# Quicker, and enough: what else is no reference makes calamine refuse the sheet.
_SOME_BEYOND_Z = re.compile(rb'<c r="(?:[^A-Z]|[A-Z](?:[^1-9]|[0-9]{7}|[6-9][0-9]{5}))')
_PLACE = re.compile(rb"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ROW = re.compile(rb'<row r="([0-9]{1,7})"([^<>]*+)>')
_HIDDEN = re.compile(rb"\shidden=\"(?:1|true)\"")
_FORMULA = re.compile(rb"<f[\s/>]")
_VALUE = re.compile(rb"<v(?:\s[^<>]*)?(?:/>|>([^<]*+)</v>)")


# --- parsed -----------------------------------------------------------------------------------------------------------


def _parse(pieces: Iterable[bytes], calculated: bool) -> Marks:
    reader = _Reader(_Seen(calculated))
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    given = 0
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            given += len(piece)
            # What is not at an end yet is read anew with each piece: a long one takes minutes.
            if given - parser.CurrentByteIndex > _LONGEST_TOKEN or given > MOST_PARSED:
                raise SheetTooLarge
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError, MemoryError):
        raise UnreadableXml from None
    return reader.seen.marks()


def _refuse_doctype(*_: object) -> None:
    raise UnreadableXml


class _Reader:
    """Rows and cells as they come; both may leave out where they stand."""

    def __init__(self, seen: _Seen) -> None:
        self.seen = seen
        self._row = self._column = self._elements = self._depth = 0
        self._cell: tuple[int, int] | None = None
        self._type = ""
        self._formula = self._value = self._text = self._in_text = False

    def start(self, name: str, attributes: dict[str, Any]) -> None:
        self._elements += 1
        self._depth += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS:
            raise SheetTooLarge
        match name.rpartition(":")[2]:
            case "row":
                self._row = _count(attributes["r"]) if "r" in attributes else self._row + 1
                self._column = 0
                if attributes.get("hidden") in ("1", "true"):
                    self.seen.hidden.add(self._row)
            case "c":
                self._begin_cell(attributes)
            case "f":
                self._formula = True
            case "v" | "t":
                self._value = self._in_text = True
            case "mergeCell":
                self.seen.merged += 1
                self.seen.check()

    def text(self, text: str) -> None:
        if self._in_text and text:
            self._text = True

    def end(self, name: str) -> None:
        self._depth -= 1
        match name.rpartition(":")[2]:
            case "v" | "t":
                self._in_text = False
            case "c":
                self._end_cell()

    def _begin_cell(self, attributes: dict[str, Any]) -> None:
        row, column = max(1, self._row), self._column
        if "r" in attributes:
            place = _TEXT_PLACE.fullmatch(attributes["r"])
            if place is None:
                raise UnreadableXml
            row, column = int(place[2]), column_of(place[1].upper())
        self._cell, self._column = (row, column), column + 1
        self._type = attributes.get("t", "")
        self._formula = self._value = self._text = False

    def _end_cell(self) -> None:
        if self._cell is None:
            raise UnreadableXml
        row, column = self._cell
        if self._value:
            self.seen.take(row, column)
            self.seen.cells += 1
            self.seen.check()
        empty_is_one = self._type == "str" and self.seen.calculated and self._value
        if self._type == "e" or (self._formula and not (self._text or empty_is_one)):
            self.seen.unset.setdefault(row, set()).add(column)


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text):
        raise UnreadableXml
    return int(text)


_LONGEST_TOKEN = 4 << 20
_TEXT_PLACE = re.compile("([A-Za-z]{1,3})([1-9][0-9]{0,6})")
