"""Sheets as other programs write them, and people who mean harm: what calamine does not tell, and must not be given."""

import os
import struct
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.schemas import VOUCHERS
from chalicelib.domain.sheets import Entry, FileRefused, RawRow, find_header, read_entries
from chalicelib.workbooks import reading, sheet_xml, xls_rows
from chalicelib.workbooks.reading import open_sheet
from chalicelib.workbooks.sheet_xml import Marks, SheetTooLarge, UnreadableXml, column_of, look_through
from tests.rosters.test_reading import TODAY
from tools.people import invented_person
from tools.roster_files import clean_roster

ROOT = Path(__file__).parents[2]
NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
GOOD = clean_roster(1)


def a_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def people_rows(count: int = 2, *, first: int = 2) -> str:
    header = f'<row r="1">{a_cell("A1", "姓名")}{a_cell("B1", "证件号码")}{a_cell("C1", "备注")}</row>'
    people = ((row, invented_person(row)) for row in range(first, first + count))
    return header + "".join(
        f'<row r="{row}">{a_cell(f"A{row}", one.name)}{a_cell(f"B{row}", one.id_number)}</row>' for row, one in people
    )


def a_workbook(rows: str, after: str = "", *, parts: dict[str, str] | None = None, calculated: bool = True) -> bytes:
    """Our own clean workbook with these rows in it."""
    sheet = f'<?xml version="1.0"?><worksheet xmlns="{NS}"><sheetData>{rows}</sheetData>{after}</worksheet>'
    with zipfile.ZipFile(BytesIO(GOOD)) as file:
        there = {name: file.read(name).decode() for name in file.namelist()}
    if calculated:
        there["xl/workbook.xml"] = there["xl/workbook.xml"].replace(' fullCalcOnLoad="1"', "")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in (there | {"xl/worksheets/sheet1.xml": sheet} | (parts or {})).items():
            file.writestr(name, text)
    return packed.getvalue()


def entries_of(data: bytes) -> list[Entry]:
    sheet = open_sheet(data, "名单.xlsx")
    header = find_header(list(islice(sheet.rows(), 30)), VOUCHERS)
    return list(read_entries(sheet.rows(), header, VOUCHERS, today=TODAY))


def codes_of(data: bytes) -> list[tuple[int, list[str]]]:
    return [(one.number, [fault.code for fault in one.faults]) for one in entries_of(data)]


def opened_in_little_memory(data: bytes, folder: Path) -> str:
    """The code by which it is refused, or nothing."""
    file = folder / "roster"
    file.write_bytes(data)
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from chalicelib.workbooks.reading import open_sheet, FileRefused\n"
        "try: list(open_sheet(open(sys.argv[1], 'rb').read(), 'x').rows())\n"
        "except FileRefused as refused: print(refused.code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-300:]
    return run.stdout.strip()


def an_old_workbook(rows: int) -> bytes:
    """An xls of two sheets, the second one hidden; so is the fourth row of each. The last column is numeric."""
    book = xlwt.Workbook()
    for name in ("名单", "另表"):
        sheet = book.add_sheet(name)
        for number in range(rows):
            person = invented_person(number)
            sheet.write(number, 0, person.name if number else "姓名")
            sheet.write(number, 1, person.id_number if number else "证件号码")
            sheet.write(number, 2, number + 0.123 if number else "数")
        sheet.row(3).hidden = True
    book.get_sheet(1).visibility = 1
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def an_old_workbook_of_one_text(rows: int, *, columns: int) -> bytes:
    """An xls in which each cell shows the same 8,000 letters."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("名单")
    for number in range(rows):
        for column in range(columns):
            sheet.write(number, column, "x" * 8_000)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


_MANY = 400_000  # so that the sheet unpacks to too little to be a bomb
LYING = {
    "two places": '<row r="1"><c r="A1"><v>1</v></c><c r="A2" r="XFD1048576"><v>1</v></c></row>',
    "two places, a tab": '<row r="1"><c r="A1"><v>1</v></c><c r="A2"\tr="XFD1048576"><v>1</v></c></row>',
    "two places, spaces": '<row r="1"><c r="A1"><v>1</v></c><c r="A2" r = "XFD1048576"><v>1</v></c></row>',
    "two places, quotes": """<row r="1"><c r="A1"><v>1</v></c><c r="A2" r='XFD1048576'><v>1</v></c></row>""",
    "a bracket in a tag": '<row r="1"><c r="A1" x=">"><v>1</v></c><c r="XFD1048576" x="<"><v>1</v></c></row>',
    "backwards": '<row r="999999"><c r="Z999999"><v>1</v></c></row><row r="2"><c r="A2"><v>1</v></c></row>',
    "no cell ends": '<row r="1"><c r="A1"><v>1</v></c>' + '<c r="A1 ' * _MANY,
    "no value ends": '<row r="1"><c r="A1"><f>1</f>' + "<v " * _MANY + "</c></row>",
    "no place ends": '<row r="1"><c r="AAA' + "x" * 5 * _MANY,
    "no row ends": '<row r="1" hidden=' * _MANY,
    "types": '<row r="1"><c r="A1" ' + 't="s"' * _MANY + "</c></row>",
    "a comment without end": "<!--" + "x" * 5 * _MANY,
}
"""Rows that make a careless search go through them again and again, or pass by a cell that calamine takes in."""


class TestMemory:
    """Each in a process that may have 2 GB: where the reader is taken in, that process ends and not the tests."""

    @pytest.mark.parametrize(
        "rows",
        [
            "<row r='1'><c r='A1'><v>1</v></c></row><row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
            '<row r="1"><c r="A1"><v>1</v></c><c r="A99999999999"><v>1</v></c></row>',
            '<row r="1"><c r="A1"><v>1</v></c><c r="A0"><v>1</v></c></row>',
            '<row r="1"><c r="A1"><v>1</v></c><c r="AAAAAAAAA1"><v>1</v></c></row>',
            '<row r="1"><c s="0" r="A1"><v>1</v></c><c s="0" r="GR900000"><v>1</v></c></row>',
            '<row r="1"><c r="A1"><v>1</v></c></row><row r="4000000000"><c><v>1</v></c></row>',
            '<row r="1"><c r="A1"><v>1</v></c><c r = "GR900000"><v>1</v></c></row>',
            '<x:row xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" r="1"><x:c r="A1"><x:v>1</x:v>'
            '</x:c><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
            '<row r="1"><c r="A1"><v>1</v></c><c r="b1048576"><v>1</v></c></row>',
        ],
        ids=["quotes", "row", "row 0", "column", "order", "implied", "blanks", "prefix", "small letter"],
    )
    def test_given_a_cell_far_away_however_written_when_opened_then_refused_before_it_is_unfolded(
        self, rows: str, tmp_path: Path
    ) -> None:
        assert opened_in_little_memory(a_workbook(rows), tmp_path) in ("too_large", "corrupt")

    @pytest.mark.parametrize("record", ["dimensions", "cell"])
    def test_given_an_old_workbook_that_says_it_is_huge_when_opened_then_refused(
        self, record: str, tmp_path: Path
    ) -> None:
        data = bytearray(an_old_workbook(200))
        if record == "dimensions":
            at = data.find(struct.pack("<HH", 0x200, 14)) + 4
            data[at : at + 12] = struct.pack("<IIHH", 0, 0xFFFFFFFF, 0, 0xFFFF)
        else:
            at = data.find(struct.pack("<HHHH", 0x203, 14, 199, 2)) + 4
            data[at : at + 4] = struct.pack("<HH", 0xFFFF, 0xFFFF)
        assert at > 4

        assert opened_in_little_memory(bytes(an_old_workbook(200)), tmp_path) == ""
        assert opened_in_little_memory(bytes(data), tmp_path) == "too_large"

    def test_given_formats_far_away_and_nothing_in_them_when_read_then_no_reason_to_refuse(self) -> None:
        rows = people_rows() + '<row r="1048576" s="1"><c r="A1048576" s="0"/><c r="XFD1048576" s="0"/></row>'

        assert codes_of(a_workbook(rows)) == [(2, []), (3, [])]

    @pytest.mark.parametrize(
        ("texts", "code"),
        [
            (f"<sst><si><t>{'长' * 100_000}</t></si></sst>", "unsafe"),
            (f'<x:sst xmlns:x="{NS}"><x:si><x:t>{"长" * 100_000}</x:t></x:si></x:sst>', "unsafe"),
            ('<sst count="99999999999999" uniqueCount="99999999999999"><si><t>x</t></si></sst>', "unsafe"),
            ('<sst uniqueCount="&#57;9999999999999"><si><t>x</t></si></sst>', ""),
            (f'<sst xmlns="{NS}" count="1" uniqueCount="1"><si><t>{"长" * 10}</t></si></sst>', ""),
        ],
        ids=["long", "long, prefix", "count", "count in disguise", "usual"],
    )
    def test_given_texts_that_every_cell_shares_when_opened_then_only_what_fits_is(
        self, texts: str, code: str, tmp_path: Path
    ) -> None:
        rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 5_000))

        assert opened_in_little_memory(a_workbook(rows, parts={"xl/sharedStrings.xml": texts}), tmp_path) == code

    @pytest.mark.parametrize("rows", [*LYING.values()], ids=[*LYING])
    def test_given_a_sheet_that_lies_about_its_form_when_opened_then_refused_soon(
        self, rows: str, tmp_path: Path
    ) -> None:
        began = time.monotonic()

        assert opened_in_little_memory(a_workbook(rows), tmp_path) in ("too_large", "corrupt")
        assert time.monotonic() - began < 30

    def test_given_a_workbook_as_programs_write_it_when_opened_then_not_tried_out_first(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "survives", lambda _: False)

        assert len(list(open_sheet(clean_roster(50), "x").rows())) > 50

    def test_given_an_old_workbook_whose_cells_share_a_long_text_when_opened_then_refused(self, tmp_path: Path) -> None:
        assert opened_in_little_memory(an_old_workbook_of_one_text(20_000, columns=3), tmp_path) == ""
        assert opened_in_little_memory(an_old_workbook_of_one_text(60_000, columns=3), tmp_path) == "unsafe"

    def test_given_sheets_that_lie_in_each_other_when_opened_then_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(xls_rows, "MOST_RECORDS", 50)

        with pytest.raises(FileRefused) as refused:
            open_sheet(an_old_workbook(30), "x")

        assert refused.value.code == "corrupt"

    def test_given_two_parts_of_one_name_when_opened_then_refused(self) -> None:
        packed = BytesIO(a_workbook(people_rows()))
        with zipfile.ZipFile(packed, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")

        with pytest.raises(FileRefused) as refused:
            open_sheet(packed.getvalue(), "x")

        assert refused.value.code == "corrupt"


class TestFormulas:
    def row(self, cell: str) -> str:
        number = invented_person(2).id_number
        return people_rows(0) + f'<row r="2">{a_cell("A2", "测试甲")}{a_cell("B2", number)}{cell}</row>'

    @pytest.mark.parametrize(
        ("cell", "codes"),
        [
            ('<c r="C2"><f>A9</f></c>', ["formula_without_value"]),
            ('<c r="C2"><f>A9</f><v></v></c>', ["formula_without_value"]),
            ('<c r="C2"><f>A9</f><v/></c>', ["formula_without_value"]),
            ('<c r="C2" t="str"><f t="shared" si="0"/></c>', ["formula_without_value"]),
            ('<c r="C2" t="e"><f>VLOOKUP(1,A:A,1,0)</f><v>#N/A</v></c>', ["formula_without_value"]),
            ('<c r="C2" t="e"><v>#REF!</v></c>', ["formula_without_value"]),
            ('<c r="C2" t="str"><f>IF(A9="","",A9)</f><v></v></c>', []),
            ('<c r="C2" t="str"><f>A9</f><v>无</v></c>', []),
            ("<c r='C2'><f>A9</f><v></v></c>", ["formula_without_value"]),
        ],
    )
    def test_given_a_formula_when_read_then_only_one_without_a_value_is_a_fault(
        self, cell: str, codes: list[str]
    ) -> None:
        assert codes_of(a_workbook(self.row(cell))) == [(2, codes)]

    def test_given_a_bare_format_before_a_formula_when_read_then_the_fault_is_the_formulas(self) -> None:
        rows = people_rows(0) + f'<row r="2">{a_cell("A2", "测试甲")}<c r="B2" s="0"/><c r="C2"><f>A9</f></c></row>'

        (entry,) = entries_of(a_workbook(rows))

        assert [(fault.column, fault.code) for fault in entry.faults] == [
            ("id_number", "missing"),
            ("remark", "formula_without_value"),
        ]

    def test_given_a_file_of_a_program_that_does_not_compute_when_read_then_an_empty_text_is_no_value(self) -> None:
        rows = self.row('<c r="C2" t="str"><f>A9</f><v></v></c>')

        assert codes_of(a_workbook(rows, calculated=False)) == [(2, ["formula_without_value"])]

    def test_given_formulas_drawn_down_below_the_people_when_read_then_they_are_nobody(self) -> None:
        below = "".join(
            f'<row r="{n}"><c r="A{n}" t="str"><f>IF(F{n}="","",F{n})</f><v></v></c></row>' for n in (4, 5, 6)
        )

        assert codes_of(a_workbook(people_rows() + below)) == [(2, []), (3, [])]


class TestMerged:
    def test_given_a_header_two_rows_high_when_read_then_its_second_row_is_nobody(self) -> None:
        after = "<mergeCells>" + "".join(f'<mergeCell ref="{c}1:{c}2"/>' for c in "ABC") + "</mergeCells>"

        assert codes_of(a_workbook(people_rows(first=3) + "", after)) == [(3, []), (4, [])]

    def test_given_a_sentence_through_the_row_when_read_then_nobody(self) -> None:
        rows = people_rows() + f'<row r="4">{a_cell("A4", "以下无正文")}</row>'
        sheet = [
            RawRow(1, ["序号", "姓名", "证件号码"]),
            RawRow(2, ["本表一式两份", None, None], merged=frozenset({1, 2})),
            RawRow(3, [1, None, None], merged=frozenset({1, 2})),
            RawRow(4, [None, None, None], merged=frozenset({1, 2})),
        ]

        found = list(read_entries(sheet, find_header(sheet[:1], VOUCHERS), VOUCHERS, today=TODAY))

        assert [(one.number, [fault.code for fault in one.faults]) for one in found] == [(3, ["merged", "merged"])]
        assert [number for number, _ in codes_of(a_workbook(rows))] == [2, 3, 4]  # not merged: it could be a name

    def test_given_ranges_that_overlap_by_thousands_when_read_then_soon(self) -> None:
        after = "<mergeCells>" + '<mergeCell ref="A1:C9000"/>' * 9_000 + "</mergeCells>"
        rows = people_rows() + f'<row r="9000">{a_cell("A9000", "测试")}</row>'

        assert len(list(open_sheet(a_workbook(rows, after), "x").rows())) == 9_000


class TestText:
    def test_given_a_quote_that_is_not_closed_when_opened_then_refused_before_anybody_is_read(self) -> None:
        one, two, three = (invented_person(number) for number in (1, 2, 3))
        lines = ["姓名,证件号码"] + [f"{who.name},{who.id_number}" for who in (one, two, three)]
        for broken in (f'"{lines[2]}', f'{lines[2]}\n"x"y'):
            text = "\n".join([*lines[:2], broken, *lines[3:]])

            with pytest.raises(FileRefused) as refused:
                open_sheet(text.encode(), "x.csv")

            assert refused.value.code == "csv_quotes"
            assert one.name not in refused.value.zh

    def test_given_a_number_kept_a_text_by_a_formula_when_read_then_the_number(self) -> None:
        who = invented_person(1)

        assert codes_of(f'姓名,证件号码\n{who.name},="{who.id_number}"\n'.encode()) == [(2, [])]

    def test_given_too_many_rows_when_opened_then_refused(self) -> None:
        with pytest.raises(FileRefused) as refused:
            open_sheet(b"a\n" * 500_101, "x.csv")

        assert refused.value.code == "too_large"


class TestOldWorkbooks:
    def test_given_hidden_rows_and_a_hidden_sheet_when_read_then_the_rows_told_and_the_sheet_left(self) -> None:
        found = entries_of(an_old_workbook(30))

        assert [one.number for one in found if one.hidden] == [4]
        assert len(found) == 29

    # Some of these end the process that opens them: each is tried out in one of its own, which takes its time.
    @settings(max_examples=400 if os.environ.get("LONG") else 30)
    @given(st.data())
    def test_given_bytes_changed_when_read_then_a_sheet_or_one_clear_error(self, data: Any) -> None:
        changed = bytearray(an_old_workbook(5))
        for _ in range(data.draw(st.integers(1, 6))):
            changed[data.draw(st.integers(8, len(changed) - 1))] = data.draw(st.integers(0, 255))

        try:
            entries_of(bytes(changed))
        except FileRefused:
            return  # and nothing else


PLACES = st.tuples(st.integers(1, 40), st.integers(0, 40))
CONTENTS = st.sampled_from([
    ("", "<v>1</v>"), ("", ""), ("", "<f>A1</f>"), ("", "<f>A1</f><v>2</v>"), (' t="str"', "<f>A1</f><v></v>"),
    (' t="e"', "<v>#N/A</v>"), (' t="inlineStr"', "<is><t>x</t></is>"), (' s="1"', "<f/><v/>"),
])  # fmt: skip


def letters_of(column: int) -> str:
    return chr(65 + column) if column < 26 else chr(64 + column // 26) + chr(65 + column % 26)


class TestTwoWays:
    @given(
        st.dictionaries(PLACES, CONTENTS, max_size=30), st.sets(st.integers(1, 40)), st.booleans(), st.integers(7, 400)
    )
    def test_given_any_sheet_when_searched_as_bytes_or_parsed_then_the_same_marks(
        self, cells: dict[tuple[int, int], tuple[str, str]], hidden: set[int], calculated: bool, piece: int
    ) -> None:
        rows = ""
        for row in sorted({row for row, _ in cells} | hidden):
            rows += f'<row r="{row}"{" hidden=" + chr(34) + "1" + chr(34) if row in hidden else ""}>'
            for (at, column), (type_, content) in sorted(cells.items()):
                if at == row:
                    tag = f'<c r="{letters_of(column)}{row}"{type_}'
                    rows += f"{tag}>{content}</c>" if content else f"{tag}/>"
            rows += "</row>"
        text = f'<worksheet xmlns="{NS}"><sheetData>{rows}</sheetData></worksheet>'.encode()
        pieces = [text[at : at + piece] for at in range(0, len(text), piece)]

        parsed = sheet_xml._parse(pieces, calculated)
        try:
            searched = sheet_xml._look_quickly(pieces, calculated)
        except sheet_xml._UnusualForm:
            assert any(column > 25 for (_, column), (_, content) in cells.items() if content)
            searched = parsed

        assert (searched.hidden, searched.unset) == (parsed.hidden, parsed.unset)
        assert (searched.cells > 0) >= (parsed.cells > 0)

    def test_given_an_unusual_sheet_that_goes_too_deep_when_looked_through_then_too_large(self) -> None:
        whole = b"<worksheet><sheetData><!-- -->" + b"<a>" * 65 + b"</a>" * 65 + b"</sheetData></worksheet>"

        with pytest.raises(SheetTooLarge):
            look_through(lambda: [whole])

    @given(st.binary(max_size=200))
    def test_given_any_bytes_when_looked_through_then_marks_or_one_of_two_errors(self, text: bytes) -> None:
        whole = b"<worksheet><sheetData>" + text + b"</sheetData></worksheet>"
        try:
            assert isinstance(look_through(lambda: [whole]), Marks)
        except (UnreadableXml, SheetTooLarge):
            return  # and nothing else

    def test_given_letters_when_counted_then_from_nought(self) -> None:
        assert [column_of(one) for one in ("A", "Z", "AA", "GR", b"XFD")] == [0, 25, 26, 199, 16_383]
