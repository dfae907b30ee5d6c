"""Opens what was uploaded: xlsx, xls or csv by its content, whatever it is called. domain.md §6.

Values and merged ranges come from calamine; which rows are hidden and which formulas have no value, from one pass over
the sheet's XML, which also sees that the sheet is no larger than it may be before calamine unfolds it. A file may lie
about itself in every respect: it is refused with one error, and nothing else is held up. docs/decisions/0020
"""

import csv
import re
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, NoReturn
from zipfile import BadZipFile, ZipFile, ZipInfo

from chalicelib.domain.sheets import FileRefused, RawRow
from chalicelib.workbooks.sheet_xml import (
    MOST_COLUMNS,
    MOST_MERGED,
    MOST_ROWS,
    Marks,
    SheetTooLarge,
    UnreadableXml,
    look_through,
)
from chalicelib.workbooks.trial import survives
from chalicelib.workbooks.xls_rows import UnreadableXls, XlsBook

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MOST_UNPACKED = 1 << 30
MOST_TEXT = 1 << 29
"""Bytes of text in all cells together."""
MOST_SHARED = 8_000_000
MOST_RATIO, SMALL = 300, 8 << 20
"""No sheet of people is packed more tightly than this; what unpacks to little may be."""
ASIDE = frozenset({"填写说明", "汇总"})
"""Sheets of our own beside the roster."""
_OLE, _ZIP, _PDF = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04", b"%PDF"
_PIECE = 1 << 20
_XLS = (65_536, 256)
"""Rows and columns that the format has: more are said only by a file that means harm."""


class SpreadSheet:
    """A sheet that calamine has read."""

    kind: str | None
    version: str | None

    def __init__(self, sheet: "CalamineSheet", marks: Marks, properties: Mapping[str, str]) -> None:
        self._sheet, self._marks = sheet, marks
        self.kind, self.version = properties.get("roster_kind"), properties.get("roster_version")

    def rows(self) -> Iterator[RawRow]:
        if self._sheet.start is None:
            return
        hidden, unset, merged = self._marks.hidden, self._marks.unset, _Merged(self._sheet)
        # From the sheet's first row and column on, whatever is empty there.
        for number, cells in enumerate(self._sheet.iter_rows(), 1):
            yield RawRow(
                number,
                cells,
                number in hidden,
                merged.of(number) if merged else _NONE,
                unset.get(number, _NONE),
            )


class TextSheet:
    """A sheet of comma-separated values: every cell is text."""

    kind: str | None = None
    version: str | None = None

    def __init__(self, text: str) -> None:
        """Read through once: a quote that is never closed takes in the people after it, and may not be found only when
        those before it have their vouchers. Raises FileRefused."""
        self._text = text
        self._delimiter = _delimiter_of(text)
        for _ in self.rows():
            pass

    def rows(self) -> Iterator[RawRow]:
        lines = csv.reader(StringIO(self._text, newline=""), delimiter=self._delimiter, strict=True)
        number = 0
        try:
            for number, cells in enumerate(lines, 1):
                if number > MOST_ROWS or len(cells) > MOST_COLUMNS:
                    raise _too_large()
                yield RawRow(number, [_text_of(cell) for cell in cells] if '="' in "".join(cells) else cells)
        except csv.Error:
            raise FileRefused(
                "csv_quotes",
                f"第 {number + 1} 行起引号不成对，无法分辨各行；请改正，或另存为 xlsx。",
                f"From row {number + 1} on a quote is not closed; mend it, or save the file as xlsx.",
            ) from None


def _text_of(cell: str) -> str:
    """Of ="123", by which a csv keeps a number a text, the text."""
    return cell[2:-1] if len(cell) > 2 and cell.startswith('="') and cell.endswith('"') else cell


def open_sheet(data: bytes, file_name: str) -> SpreadSheet | TextSheet:
    """Raises FileRefused."""
    if not data.strip():
        raise FileRefused("empty_file", "文件是空的。", "The file is empty.")
    if data.startswith(_ZIP):
        return _open_xlsx(data)
    if data.startswith(_OLE):
        return _open_xls(data)
    if data.startswith(_PDF):
        raise _not_a_sheet("PDF")
    return _open_text(data)


# --- xlsx -------------------------------------------------------------------------------------------------------------


def _open_xlsx(data: bytes) -> SpreadSheet:
    try:
        with ZipFile(BytesIO(data)) as file:
            listed = file.infolist()
            parts = {part.filename.lstrip("/").replace("\\", "/"): part for part in listed}
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        raise _corrupt() from None
    if len({path.lower() for path in parts}) < len(listed):
        raise _corrupt()  # of two parts with one name, another reader may take the other
    _must_be_harmless(parts)
    sheets = _sheets_of(data, parts)
    calculated = b"fullCalcOnLoad" not in _whole(data, parts, "xl/workbook.xml")
    marks = {
        name: _look_through(data, parts[path], calculated=calculated) for name, path in sheets if name not in ASIDE
    }
    people = [name for name in marks if marks[name].cells]
    if not people:
        raise FileRefused("empty_file", "文件中没有内容。", "There is nothing in the file.")
    if len(people) > 1:
        raise _several_sheets(len(people))
    texts = _Texts()
    for path, part in parts.items():  # calamine reads these too, and to their real end
        if path.lower().endswith("styles.xml"):
            if part.file_size > _MOST_STYLES:
                raise _bomb()
            for _ in _unpacked(data, part):
                pass
        elif path.lower().endswith("sharedstrings.xml"):
            texts.look_at(_unpacked(data, part))
    there = marks[people[0]]
    # A text that many cells share is unfolded for each of them.
    fits = texts.usual and texts.count < MOST_SHARED and texts.longest * there.cells < MOST_TEXT
    if not fits or not all(one.usual for one in marks.values()):
        _must_survive(data)
    return SpreadSheet(_sheet_of(data, people[0]), there, _properties(data, parts))


class _Texts:
    """What is known of the texts that cells share: how many, at most so many bytes each. ``usual``: they begin as
    spreadsheet programs begin them, with a likely number of them (for which room is made at once)."""

    def __init__(self) -> None:
        self.longest = self.count = 0
        self.usual = True

    def look_at(self, pieces: Iterator[bytes]) -> None:
        length, end, first = 0, b"", True
        for piece in pieces:
            if first:
                self.usual, first = _STRINGS.match(piece) is not None, False
            before, *more = (end + piece).split(b"<si")
            length += len(before) - len(end)
            if more:
                self.count += len(more)
                self.longest = max(self.longest, length, *map(len, more))
                length = len(more[-1])
            end = (end + piece)[-2:] if len(piece) < 2 else piece[-2:]
        self.longest = max(self.longest, length)


_STRINGS = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml[^<>]*+>\s*+)?<sst"
    rb"(?:\s++(?:count|uniqueCount)=\"[0-9]{1,7}\"|\s++(?![\w:]*[Cc]ount)[\w:]++=\"[^\"<>&]*+\")*+\s*+/?>"
)
_MOST_STYLES = 32 << 20


def _must_survive(data: bytes) -> None:
    if not survives(data):
        raise FileRefused(
            "unsafe",
            "文件的结构异常，打开会占用过多内存；请用表格软件打开后另存为 xlsx。",
            "The file is built so that opening it takes too much memory; save it as xlsx in a spreadsheet program.",
        )


def _must_be_harmless(parts: Mapping[str, ZipInfo]) -> None:
    names = {path.lower() for path in parts}
    if any(name.endswith(("vbaproject.bin", "vbadata.xml")) or "/macrosheets/" in name for name in names):
        raise _macros()
    if "xl/workbook.xml" not in parts:
        raise _not_a_sheet("ZIP" if "word/document.xml" not in names else "Word")
    if any(part.flag_bits & 1 for part in parts.values()):
        raise _encrypted()
    sizes = [part.file_size for part in parts.values()]
    too_tight = any(
        part.file_size > SMALL and part.file_size > MOST_RATIO * max(1, part.compress_size) for part in parts.values()
    )
    if sum(sizes) > MOST_UNPACKED or too_tight:
        raise _bomb()


def _sheets_of(data: bytes, parts: Mapping[str, ZipInfo]) -> list[tuple[str, str]]:
    """(name, path) of the sheets that can be seen."""
    book = _whole(data, parts, "xl/workbook.xml")
    targets = dict(_attributes(tag, "Id", "Target") for tag in _RELATION.findall(_whole(data, parts, _RELATIONS)))
    found = []
    for tag in _SHEET.findall(book):
        if b"hidden" in (_attribute(tag, "state") or b"").lower():
            continue
        name, relation = _attributes(tag, "name", "[A-Za-z0-9]+:id")
        target = targets.get(relation, "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if path in parts and "worksheet" in path.lower():
            found.append((name, path))
    if not found:
        raise _corrupt()
    return found


_RELATIONS = "xl/_rels/workbook.xml.rels"
_SHEET = re.compile(rb"<(?:[A-Za-z0-9]+:)?sheet\s[^>]*>")
_RELATION = re.compile(rb"<(?:[A-Za-z0-9]+:)?Relationship\s[^>]*>")
_PROPERTY = re.compile(rb"<(?:[A-Za-z0-9]+:)?property\s[^>]*\bname=\"(\w+)\"[^>]*>\s*<[^>]*>([^<]{0,100})<")


def _properties(data: bytes, parts: Mapping[str, ZipInfo]) -> dict[str, str]:
    """Custom properties of the document, by which our templates tell what they are."""
    if "docProps/custom.xml" not in parts:
        return {}
    said = _PROPERTY.findall(_whole(data, parts, "docProps/custom.xml"))
    return {name.decode("ascii", "replace"): value.decode("utf-8", "replace") for name, value in said}


def _attribute(tag: bytes, name: str) -> bytes | None:
    found = re.search(rb"\s" + name.encode() + rb"\s*=\s*[\"']([^\"']*)[\"']", tag)
    return found[1] if found else None


def _attributes(tag: bytes, one: str, other: str) -> tuple[str, str]:
    from html import unescape

    first, second = ((_attribute(tag, name) or b"").decode("utf-8", "replace") for name in (one, other))
    return unescape(first), unescape(second)


def _whole(data: bytes, parts: Mapping[str, ZipInfo], path: str) -> bytes:
    """A small part of the file."""
    if path not in parts:
        raise _corrupt()
    if parts[path].file_size > SMALL:
        raise _bomb()
    text = b"".join(_unpacked(data, parts[path]))
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise _corrupt()
    return text


def _unpacked(data: bytes, part: ZipInfo) -> Iterator[bytes]:
    """The part's content piece by piece, as far as its stream really goes: a longer one than the directory says is a
    trap for readers that go by the stream."""
    head = data[part.header_offset : part.header_offset + 30]
    if len(head) < 30 or not head.startswith(_ZIP):
        raise _corrupt()
    start = part.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    packed = memoryview(data)[start : start + part.compress_size]
    left = part.file_size
    if part.compress_type == 0:
        for at in range(0, len(packed), _PIECE):
            yield bytes(packed[at : at + _PIECE])
        return
    if part.compress_type != 8:
        raise _corrupt()
    stream = zlib.decompressobj(-15)
    try:
        for at in range(0, len(packed), _PIECE // 16):
            rest: bytes = bytes(packed[at : at + _PIECE // 16])
            while rest:
                piece = stream.decompress(rest, _PIECE)
                left -= len(piece)
                if left < 0:
                    raise _bomb()
                yield piece
                rest = stream.unconsumed_tail
        piece = stream.flush()
    except zlib.error:
        raise _corrupt() from None
    if len(piece) > left or not stream.eof:
        raise _corrupt()
    yield piece


def _look_through(data: bytes, part: ZipInfo, *, calculated: bool) -> Marks:
    try:
        return look_through(lambda: _unpacked(data, part), calculated=calculated)
    except UnreadableXml:
        raise _corrupt() from None
    except SheetTooLarge:
        raise _too_large() from None


class _Merged:
    """Which cells of a row stand in a merged range, and are not its first."""

    def __init__(self, sheet: "CalamineSheet") -> None:
        ranges = sheet.merged_cell_ranges or []
        if len(ranges) > MOST_MERGED:
            raise _too_large()
        self._waiting = sorted(ranges, reverse=True)
        self._until: dict[int, int] = {}  # by column the last row of what covers it: however many ranges overlap

    def __bool__(self) -> bool:
        return bool(self._waiting or self._until)

    def of(self, number: int) -> frozenset[int]:
        """Rows are asked for in their order."""
        row, first = number - 1, set[int]()
        while self._waiting and self._waiting[-1][0][0] <= row:
            (top, left), (bottom, right) = self._waiting.pop()
            for column in range(left, min(right, MOST_COLUMNS) + 1):
                self._until[column] = max(bottom, self._until.get(column, bottom))
            if top == row:
                first.add(left)
        if not self._until:
            return _NONE
        self._until = {column: last for column, last in self._until.items() if last >= row}
        return frozenset(self._until.keys() - first)


_NONE: frozenset[int] = frozenset()


# --- xls, csv ---------------------------------------------------------------------------------------------------------


def _open_xls(data: bytes) -> SpreadSheet:
    """A formula always stands there with a value here, be it 0."""
    if _in_utf_16("EncryptedPackage") in data:
        raise _encrypted()
    if _in_utf_16("_VBA_PROJECT") in data:
        raise _macros()
    try:
        rows = XlsBook(data)
    except UnreadableXls:
        raise _corrupt() from None
    if rows.encrypted():
        raise _encrypted()
    try:
        extent = rows.extent()
    except UnreadableXls:
        raise _corrupt() from None
    if any(found > most for found, most in zip(extent, _XLS, strict=True)):
        raise _too_large()
    _must_survive(data)
    book = _book(data)
    people = []
    for place, about in enumerate(book.sheets_metadata):
        if about.name in ASIDE or not str(about.visible).endswith(".Visible") or "WorkSheet" not in str(about.typ):
            continue
        sheet = _sheet_of(data, about.name, book)
        if sheet.start is not None:
            people.append((place, sheet))
    if not people:
        raise FileRefused("empty_file", "文件中没有内容。", "There is nothing in the file.")
    if len(people) > 1:
        raise _several_sheets(len(people))
    place, sheet = people[0]
    if sheet.total_height > MOST_ROWS or sheet.total_width > MOST_COLUMNS:
        raise _too_large()
    return SpreadSheet(sheet, Marks(hidden=rows.hidden_rows(place)), {})


def _in_utf_16(name: str) -> bytes:
    return name.encode("utf-16-le")


def _book(data: bytes) -> "CalamineWorkbook":
    from python_calamine import CalamineWorkbook

    try:
        return CalamineWorkbook.from_object(BytesIO(data))
    except BaseException as trouble:  # what panics in there is no Exception
        _refuse(trouble)


def _sheet_of(data: bytes, name: str, book: Any = None) -> "CalamineSheet":
    try:
        sheet: CalamineSheet = (book or _book(data)).get_sheet_by_name(name)
        return sheet
    except BaseException as trouble:
        _refuse(trouble)


def _refuse(trouble: BaseException) -> NoReturn:
    if isinstance(trouble, KeyboardInterrupt | SystemExit | FileRefused):
        raise trouble
    if isinstance(trouble, MemoryError):
        raise _too_large() from None
    if "assword" in str(trouble) or "ncrypt" in str(trouble):
        raise _encrypted() from None
    raise _corrupt() from None


def _open_text(data: bytes) -> TextSheet:
    begin = data[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if begin.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head", b"<style", b"<?xml", b"<div")):
        raise FileRefused(
            "html",
            "文件其实是网页（HTML 或 XML），只是扩展名像表格；请用表格软件打开后另存为 xlsx。",
            "The file is a web page in disguise; open it in a spreadsheet program and save it as xlsx.",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return TextSheet(_decoded(data, "utf-16"))
    if b"\0" in data:
        raise _not_a_sheet("?")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return TextSheet(text)
    raise _unknown_encoding()


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise _unknown_encoding() from None


def _delimiter_of(text: str) -> str:
    """The one that parts the first lines into most cells."""
    lines = text[:4096].splitlines()[:20]
    return max(",\t;|", key=lambda one: sum(line.count(one) for line in lines))


# --- refusals ---------------------------------------------------------------------------------------------------------


def _corrupt() -> FileRefused:
    return FileRefused("corrupt", "文件已损坏，无法打开；请重新导出。", "The file is damaged; export it again.")


def _encrypted() -> FileRefused:
    return FileRefused("encrypted", "文件已加密，请取消密码后再上传。", "The file is encrypted; remove the password.")


def _macros() -> FileRefused:
    return FileRefused("macros", "文件含有宏，请另存为不含宏的文件。", "The file has macros; save it without them.")


def _several_sheets(many: int) -> FileRefused:
    return FileRefused(
        "several_sheets",
        f"文件中有 {many} 个有内容的工作表，请只保留一个。",
        f"{many} sheets have content; leave only one of them.",
    )


def _unknown_encoding() -> FileRefused:
    return FileRefused(
        "encoding", "文字编码无法识别，请另存为 xlsx 或 UTF-8。", "The encoding is unknown; save it as xlsx."
    )


def _bomb() -> FileRefused:
    return FileRefused("bomb", "文件解压后过大，已拒绝。", "The file unpacks to far more than a roster can be.")


def _too_large() -> FileRefused:
    return FileRefused(
        "too_large",
        f"表格范围过大：最多 {MOST_ROWS - 100} 行、{MOST_COLUMNS} 列；请删除多余的空行空列。",
        f"The sheet is too large: {MOST_ROWS - 100} rows and {MOST_COLUMNS} columns at most.",
    )


def _not_a_sheet(what: str) -> FileRefused:
    return FileRefused(
        "not_a_sheet",
        f"文件不是表格（{what}），请上传 xlsx、xls 或 csv。",
        "The file is no spreadsheet; upload xlsx, xls or csv.",
    )
