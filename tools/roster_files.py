"""Rosters as they really come, of people whom nobody is: clean ones, dirty ones whose dirt is known, and bad files.

The same every time. ``dirty_roster`` tells for each row what was planted there and what has to become of it; the demo
and the tests of the reader go by that. domain.md §6.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from typing import Any

from chalicelib.domain.person import Profile
from chalicelib.domain.schemas import VOUCHERS
from chalicelib.domain.sheets import Column
from tools.people import invented_person

TITLE = "2026 年定向职业培训券发放名单"
FOOTERS = (("合计", ""), ("填表人：", "经办"), ("联系电话：0755-12345678", ""), ("（单位盖章）", ""))


@dataclass(frozen=True, slots=True)
class Planted:
    """What stands in a row of the sheet, and what must become of it."""

    number: int
    kind: str
    verdict: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Dirt:
    """One kind of dirt: how it changes a row of somebody (by column), and what becomes of that."""

    kind: str
    verdict: str
    code: str | None
    spoil: Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that computes and has no value."""

    text: str = "=1/0"


def _changed(**cells: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: row | cells


def _number(change: Callable[[str], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: row | {"id_number": change(row["id_number"])}


def _with_check(digits: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return digits + "10X98765432"[sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11]


def _born_never(number: str) -> str:
    return _with_check(number[:6] + "19900231" + number[14:17])


def _other_check(number: str) -> str:
    return number[:17] + ("1" if number[17] != "1" else "2")


_FULL_WIDTH = {ord("0") + i: 0xFF10 + i for i in range(10)} | {ord("X"): 0xFF38}
DIRT: tuple[Dirt, ...] = (
    # Noise that is read through: the person is on the roster.
    Dirt("spaces in the number", "issued", None, _number(lambda n: f" {n[:6]} {n[6:14]} {n[14:]}\n")),
    Dirt("leading apostrophe", "issued", None, _number(lambda n: "'" + n)),
    Dirt("full-width digits", "issued", None, _number(lambda n: n.translate(_FULL_WIDTH))),
    Dirt("zero-width marks", "issued", None, _number(lambda n: f"\u200b{n[:10]}\u200e{n[10:]}\ufeff")),
    Dirt("lower-case x", "issued", None, _number(str.lower)),
    Dirt("minority name, middle dot", "issued", None, _changed(name="阿依古丽·买买提")),
    Dirt("minority name, other dot", "issued", None, _changed(name="阿卜杜拉・艾力")),
    Dirt("minority name, full stop", "issued", None, _changed(name="古丽.吐尔逊")),
    Dirt("spaces in the name", "issued", None, _changed(name=" 测　试 ")),
    Dirt("mobile as a number", "issued", None, lambda row: row | {"mobile": float(row["mobile"])}),
    Dirt("mobile with country code", "issued", None, lambda row: row | {"mobile": "+86 " + row["mobile"]}),
    Dirt("no mobile", "issued", None, _changed(mobile=None)),
    Dirt("formula in the remark's text", "issued", None, _changed(remark="=HYPERLINK(\"x\")")),
    # What cannot be right.
    Dirt("numeric ID cell", "refused", "numeric_id", _number(lambda n: float(n[:17] + "0"))),
    Dirt("times sign for X", "refused", "lookalike_x", _number(lambda n: n[:17] + "×")),
    Dirt("Cyrillic X", "refused", "lookalike_x", _number(lambda n: n[:17] + "Х")),
    Dirt("Greek X", "refused", "lookalike_x", _number(lambda n: n[:17] + "Χ")),
    Dirt("wrong check digit", "refused", "checksum", _number(_other_check)),
    Dirt("old 15-digit number", "refused", "length", _number(lambda n: n[:6] + n[8:17])),
    Dirt("a digit too few", "refused", "length", _number(lambda n: n[:17])),
    Dirt("birth date that never was", "refused", "birth_date", _number(_born_never)),
    Dirt("no such province", "refused", "province", _number(lambda n: _with_check("09" + n[2:17]))),
    Dirt("a letter in the number", "refused", "characters", _number(lambda n: n[:8] + "O" + n[9:])),
    Dirt("no number", "refused", "missing", _changed(id_number=None)),
    Dirt("no name", "refused", "missing", _changed(name=None)),
    Dirt("a digit in the name", "refused", "characters", _changed(name="测试1")),
    Dirt("short mobile", "refused", "length", _changed(mobile="1380000")),
    Dirt("mobile of no network", "refused", "prefix", _changed(mobile="12000000000")),
    Dirt("wrong credit code", "refused", "checksum", _changed(institution="91350100M000100Y44")),
    Dirt("credit code of nobody", "refused", "institution_not_found", _changed(institution="91350100M000100Y43")),
    Dirt("course of nobody", "refused", "course_not_found", _changed(course="NOSUCHCOURSE0000")),
    Dirt("unknown ID type", "refused", "choice", _changed(id_type="护照")),
    Dirt("another ID type", "refused", "id_type", _changed(id_type="外国人永久居留身份证")),
    Dirt("formula without value", "refused", "formula_without_value", _changed(id_number=Formula())),
    Dirt("error value in a column", "refused", "error_value", _changed(category="#N/A")),
)  # fmt: skip


def dirty_roster(
    rows: int, *, first: int = 0, every: int = 12, changed: Mapping[int, dict[str, Any]] | None = None
) -> tuple[bytes, list[Planted]]:
    """A workbook with so many people's rows: a title, a line of blanks, serial numbers, hidden rows, merged cells,
    footers; each ``every``-th row has the next kind of dirt, or is somebody twice, or the second of a merged cell.
    ``changed``: cells of clean rows, by the row's number, that are other than the first time."""
    planted: list[Planted] = []
    sheet = _Sheet()
    sheet.title(TITLE)
    kinds = _kinds()
    people = (invented_person(number) for number in count(first))
    earlier: list[dict[str, Any]] = []
    while len(planted) < rows:
        row = _row_of(next(people))
        kind: Dirt | str | None = next(kinds) if earlier and len(planted) % every == every - 1 else None
        if isinstance(kind, Dirt):
            if kind.kind == "lower-case x":
                row = _row_of(next(one for one in people if one.id_number.endswith("X")))
            spoiled = kind.spoil(row)
            planted.append(Planted(sheet.add(spoiled), kind.kind, kind.verdict, kind.code))
        elif kind == "merged" and len(planted) + 1 < rows:
            upper = sheet.add(row)
            planted.append(Planted(upper, "first of a merged cell", "issued"))
            lower = sheet.add(_row_of(next(people)) | {"id_number": None})
            sheet.merge("id_number", upper, lower, row["id_number"])
            planted.append(Planted(lower, "rest of a merged cell", "refused", "merged"))
        elif kind == "twice":
            twin = earlier[len(planted) % len(earlier)]
            planted.append(Planted(sheet.add(twin | {"remark": "重复"}), "the same person again", "same"))
        elif kind == "renamed":
            twin = earlier[len(planted) % len(earlier)]
            planted.append(Planted(sheet.add(twin | {"name": "测试另名"}), "the same number, another name", "conflict"))
        elif kind == "hidden":
            planted.append(Planted(sheet.add(row, hidden=True), "hidden row", "issued"))
        elif kind == "blank":
            sheet.skip()
        else:
            earlier.append(row)
            other = (changed or {}).get(sheet.next_number, {})
            planted.append(Planted(sheet.add(row | other), "clean", "issued"))
            continue
        if kind == "blank":  # no row of anybody: the next one is
            planted.append(Planted(sheet.add(row), "after a blank row", "issued"))
    sheet.footers()
    return sheet.done(), planted


def clean_roster(rows: int, *, first: int = 0) -> bytes:
    """So many people, and nothing else."""
    sheet = _Sheet()
    for number in range(first, first + rows):
        sheet.add(_row_of(invented_person(number)))
    return sheet.done()


def _kinds() -> Iterator[Dirt | str]:
    others = ("merged", "twice", "renamed", "hidden", "blank")
    while True:
        for i, dirt in enumerate(DIRT):
            yield dirt
            yield others[i % len(others)]


def _row_of(person: Profile) -> dict[str, Any]:
    return {
        "name": person.name,
        "id_type": "居民身份证",
        "id_number": person.id_number,
        "mobile": person.mobile,
        "category": "企业职工",
        "remark": "",
    }


class _Sheet:
    """Rows by column name, written in the order of the template, with serial numbers before them."""

    def __init__(self) -> None:
        import xlsxwriter

        self._file = BytesIO()
        # A fixed date, so that the same people make the same bytes.
        self._book = xlsxwriter.Workbook(self._file, {"in_memory": True, "strings_to_formulas": False})
        self._book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})
        self._sheet = self._book.add_worksheet("名单")
        self._bold = self._book.add_format({"bold": True, "align": "center"})
        self._next, self._serial, self._headed = 0, 0, False
        self._places = {column.name: i for i, column in enumerate(VOUCHERS.columns, 1)}

    @property
    def next_number(self) -> int:
        """Of the row that is added next, once there is a header."""
        return self._next + 1

    def title(self, text: str) -> None:
        self._sheet.merge_range(0, 0, 0, len(VOUCHERS.columns), text, self._bold)
        self._next = 2

    def add(self, row: dict[str, Any], *, hidden: bool = False) -> int:
        """The number of the row in the sheet, from 1."""
        if not self._headed:
            self._head()
        self._serial += 1
        self._sheet.write_number(self._next, 0, self._serial)
        for name, value in row.items():
            self._write(self._next, self._places[name], value)
        if hidden:
            self._sheet.set_row(self._next, None, None, {"hidden": True})
        self._next += 1
        return self._next

    def merge(self, name: str, first: int, last: int, value: str) -> None:
        place = self._places[name]
        self._sheet.merge_range(first - 1, place, last - 1, place, value)

    def skip(self) -> None:
        self._next += 1

    def footers(self) -> None:
        self.skip()
        for words in FOOTERS:
            for i, word in enumerate(words):
                self._sheet.write_string(self._next, i, word)
            self._next += 1

    def done(self) -> bytes:
        self._book.close()
        return self._file.getvalue()

    def _head(self) -> None:
        self._headed = True
        self._sheet.write_string(self._next, 0, "序号", self._bold)
        for column in VOUCHERS.columns:
            self._sheet.write_string(self._next, self._places[column.name], _titled(column), self._bold)
        self._next += 1

    def _write(self, row: int, place: int, value: Any) -> None:
        if isinstance(value, Formula):
            self._sheet.write_formula(row, place, value.text, None, "")
        elif isinstance(value, float):
            self._sheet.write_number(row, place, value)
        elif value:
            self._sheet.write_string(row, place, value)


def _titled(column: Column) -> str:
    """As people write it: a star, a line break, a remark in brackets."""
    star = "*" if column.required else ""
    return {"id_number": f"证件号码\n（社会保障号码）{star}", "mobile": "手机 号"}.get(column.name, column.title + star)


# --- files that are refused as a whole --------------------------------------------------------------------------------


def bad_files() -> dict[str, tuple[bytes, str]]:
    """By name: the bytes, and the code by which each is refused."""
    good = clean_roster(3)
    doctype, nothing = b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet/>', b"<worksheet><sheetData/></worksheet>"
    return {
        "nothing": (b"", "empty_file"),
        "blanks": (b" \r\n \t", "empty_file"),
        "a web page": (b"<html><table><tr><td>\xe5\xa7\x93\xe5\x90\x8d</td></tr></table></html>", "html"),
        "spreadsheet XML": (b'<?xml version="1.0"?><Workbook></Workbook>', "html"),
        "a PDF": (b"%PDF-1.7 ...", "not_a_sheet"),
        "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_sheet"),
        "a Word document": (_zip({"word/document.xml": b"<w/>"}), "not_a_sheet"),
        "a zip of anything": (_zip({"a.txt": b"a"}), "not_a_sheet"),
        "half a workbook": (good[: len(good) // 2], "corrupt"),
        "a workbook with holes": (good[:200] + bytes(200) + good[400:], "corrupt"),
        "macros": (_with(good, {"xl/vbaProject.bin": b"macro"}), "macros"),
        "encrypted": (_ole("EncryptedPackage"), "encrypted"),
        "an old workbook with macros": (_ole("_VBA_PROJECT"), "macros"),
        "an old workbook that is none": (_ole("Nothing"), "corrupt"),
        "a zip bomb": (_with(good, {"xl/worksheets/sheet1.xml": b"<worksheet>" + b" " * (64 << 20)}), "bomb"),
        "a bomb that lies about its size": (_lying(good), "bomb"),
        "an entity": (_with(good, {"xl/worksheets/sheet1.xml": doctype}), "corrupt"),
        "a cell far away": (_with(good, {"xl/worksheets/sheet1.xml": _far("XFD1048576", 1)}), "too_large"),
        "a row far down": (_with(good, {"xl/worksheets/sheet1.xml": _far("A1048576", 1_048_576)}), "too_large"),
        "an empty sheet": (_with(good, {"xl/worksheets/sheet1.xml": nothing}), "empty_file"),
        "two rosters": (_two_sheets(), "several_sheets"),
        "no known encoding": (b"\xff\xff\x81\x20\xff" * 20, "encoding"),
    }  # fmt: skip


def _zip(parts: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _with(workbook: bytes, parts: dict[str, bytes]) -> bytes:
    """The workbook with these parts in place of its own, or beside them."""
    with zipfile.ZipFile(BytesIO(workbook)) as packed:
        there = {name: packed.read(name) for name in packed.namelist()}
    return _zip(there | parts)


def _lying(workbook: bytes) -> bytes:
    """The sheet unpacks to 32 MB; both headers say that it is a few hundred bytes."""
    sheet = b"<worksheet>" + b" " * (32 << 20)
    packed = bytearray(_with(workbook, {"xl/worksheets/sheet1.xml": sheet}))
    said, lie = len(sheet).to_bytes(4, "little"), (300_000).to_bytes(4, "little")
    at = packed.find(said)
    while at >= 0:
        packed[at : at + 4] = lie
        at = packed.find(said)
    return bytes(packed)


def _far(cell: str, row: int) -> bytes:
    return (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        f'<sheetData><row r="{row}"><c r="{cell}" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'
    ).encode()


def _ole(name: str) -> bytes:
    """The beginning of a compound file with a stream of this name in it."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + name.encode("utf-16-le") + bytes(600)


def _two_sheets() -> bytes:
    import xlsxwriter

    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        for name in ("一班", "二班"):
            book.add_worksheet(name).write_row(0, 0, ["姓名", "证件号码"])
    return file.getvalue()
