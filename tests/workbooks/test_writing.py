"""Workbooks that go out, read back as a spreadsheet would: the template, and the roster with its results."""

import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO
from zipfile import ZipFile

import pytest
from python_calamine import CalamineWorkbook

from chalicelib.domain.roster import Outcome
from chalicelib.domain.schemas import SCHEMAS
from chalicelib.domain.sheets import Cell, Column, RawRow, Schema, find_header, read_entries
from chalicelib.workbooks.reading import open_sheet
from chalicelib.workbooks.writing import (
    KIND_PROPERTY,
    SAMPLE,
    VERSION_PROPERTY,
    harmless,
    result_workbook,
    template_workbook,
    text_of,
)


def a_column(name: str, title: str, kind: str = "text", **other: object) -> Column:
    usual = {"english": title, "aliases": (), "required": False, "explanation": f"填写{title}。", "example": ""}
    return Column(name=name, title=title, kind=kind, **{"choices": (), **usual, **other})  # type: ignore[arg-type]


SCHEMA = Schema(
    kind="vouchers",
    title="培训券名单",
    version="3",
    columns=(
        a_column("serial", "序号", "integer", example="1"),
        a_column("name", "姓名", "name", required=True, example="测甲乙"),
        a_column("id_type", "证件类型", "id_type", choices=(("居民身份证", "id"), ("护照", "passport"))),
        a_column("id_number", "证件号码", "id_number", required=True, example="18位"),
        a_column("mobile", "手机号", "mobile"),
        a_column("start", "开班日期", "date", example="2026-01-31"),
    ),
)
HEADER = ("序号", "姓名*", "证件号码*")


def sheets_of(data: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(BytesIO(data))
    return {n: list(map(list, book.get_sheet_by_name(n).to_python(skip_empty_area=False))) for n in book.sheet_names}


def part(data: bytes, name: str) -> str:
    with ZipFile(BytesIO(data)) as archive:
        return archive.read(name).decode()


def raw(rows: Iterable[Sequence[Cell]]) -> list[RawRow]:
    return [RawRow(number, cells) for number, cells in enumerate(rows, 1)]


def a_result(
    rows: Iterable[Sequence[Cell]], *outcomes: Outcome, header: int = 1, summary: Sequence[tuple[str, str]] = ()
) -> bytes:
    file = BytesIO()
    result_workbook(raw(rows), header, iter(outcomes), summary=summary, to=file)
    return file.getvalue()


def issued(number: int) -> Outcome:
    return Outcome(number, "已发放", "", refused=False)


def refused(number: int, reason: str = "证件号码校验位不符") -> Outcome:
    return Outcome(number, "已退回", reason, refused=True)


def format_codes(data: bytes, sheet: str, cell: str) -> tuple[str, str]:
    """The number format and the fill of one cell: ("49", "0")."""
    style = re.search(rf'<c r="{cell}" s="(\d+)"', part(data, sheet))
    assert style, cell
    cells = part(data, "xl/styles.xml").partition("<cellXfs")[2]
    one = re.findall(r'<xf numFmtId="(\d+)" fontId="\d+" fillId="(\d+)"', cells)[int(style[1])]
    return one[0], one[1]


SHEET = "xl/worksheets/sheet1.xml"
TEXT_FORMAT = "49"
"""The built-in number format ``@`` (ECMA-376 part 1, 18.8.30)."""


class TestTemplate:
    DATA = template_workbook(SCHEMA)

    def test_given_a_schema_when_written_twice_then_the_bytes_are_the_same(self) -> None:
        assert template_workbook(SCHEMA) == self.DATA
        # Two files of one second would be alike even if it held the hour.
        assert set(re.findall(r"W3CDTF.>(.*?)<", part(self.DATA, "docProps/core.xml"))) == {"2026-01-01T00:00:00Z"}

    def test_given_required_columns_when_looked_at_then_their_heads_have_a_colour_of_their_own(self) -> None:
        fills = {letter: format_codes(self.DATA, SHEET, f"{letter}1")[1] for letter in "ABCDEF"}

        assert fills["B"] == fills["D"]
        assert fills["A"] == fills["C"] == fills["E"] == fills["F"] != fills["B"]

    def test_given_numbers_as_text_when_shown_then_no_cell_is_marked_as_wrong(self) -> None:
        for data in (self.DATA, a_result([HEADER])):
            assert '<ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/>' in part(data, SHEET)

    def test_given_a_template_when_read_then_header_and_sample_stand_on_its_first_sheet(self) -> None:
        sheets = sheets_of(self.DATA)

        assert list(sheets) == ["名单", "填写说明"]
        assert sheets["名单"] == [
            ["序号", "姓名*", "证件类型", "证件号码*", "手机号", "开班日期"],
            ["1", SAMPLE, "", "（18位证件号码）", "（11位手机号）", "2026-01-31"],
        ]

    @pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.kind)
    def test_given_a_template_with_its_sample_left_in_when_read_then_the_sample_is_nobody(self, schema: Schema) -> None:
        sheet = open_sheet(template_workbook(schema), "模板.xlsx")
        header = find_header(list(sheet.rows()), schema)

        assert [row.number for row in sheet.rows()] == [1, 2]
        assert list(read_entries(sheet.rows(), header, schema, today=date(2026, 1, 31))) == []

    def test_given_a_column_when_somebody_types_then_all_of_it_is_text(self) -> None:
        columns = re.findall(r'<col min="(\d+)" max="(\d+)" [^>]*style="(\d+)"', part(self.DATA, SHEET))
        formats = re.findall(r'<xf numFmtId="(\d+)"', part(self.DATA, "xl/styles.xml").partition("<cellXfs")[2])

        assert {n for low, high, _ in columns for n in range(int(low), int(high) + 1)} == set(range(1, 7))
        assert {formats[int(style)] for _, _, style in columns} == {TEXT_FORMAT}
        assert {format_codes(self.DATA, SHEET, f"{letter}2")[0] for letter in "ABCDEF"} == {TEXT_FORMAT}

    def test_given_a_column_with_choices_when_filled_in_then_it_offers_them_down_to_the_last_row(self) -> None:
        found = re.findall(r'<dataValidation type="list".*?sqref="(.*?)".*?<formula1>(.*?)<', part(self.DATA, SHEET))

        assert found == [("C2:C1048576", '"居民身份证,护照"')]

    @pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.kind)
    def test_given_a_sample_when_shown_then_its_column_is_wide_enough_to_read_that_it_is_one(
        self, schema: Schema
    ) -> None:
        data = template_workbook(schema)

        at = sheets_of(data)["名单"][1].index(SAMPLE)
        columns = re.findall(r'<col min="(\d+)" max="(\d+)" width="([0-9.]+)"', part(data, SHEET))
        (width,) = (float(width) for low, high, width in columns if int(low) <= at + 1 <= int(high))
        assert width >= len(SAMPLE) * 2 + 2

    def test_given_any_column_when_a_cell_is_chosen_then_a_message_explains_it(self) -> None:
        prompts = re.findall(r'promptTitle="(.*?)" prompt="(.*?)"', part(self.DATA, SHEET))

        assert len(prompts) == len(SCHEMA.columns)
        assert ("证件号码", "必填。填写证件号码。&#xA;例：18位") in prompts

    def test_given_a_template_when_scrolled_then_the_header_stays(self) -> None:
        assert 'ySplit="1" topLeftCell="A2"' in part(self.DATA, SHEET)
        assert 'state="frozen"' in part(self.DATA, SHEET)

    def test_given_the_explanation_when_read_then_every_column_the_mistakes_and_the_version_are_told(self) -> None:
        rows = sheets_of(self.DATA)["填写说明"]
        text = "\n".join(str(cell) for row in rows for cell in row)

        assert ["证件号码", "证件号码", "必填", "填写证件号码。", "18位", ""] in rows
        assert ["证件类型", "证件类型", "选填", "填写证件类型。", "", "居民身份证、护照"] in rows
        assert rows[1][:2] == ["模板版本 Template version", "3"]
        assert "数字格式会丢失第15位以后的数字" in text
        assert "合并" in text

    def test_given_a_template_when_its_properties_are_read_then_they_tell_kind_and_version(self) -> None:
        properties = part(self.DATA, "docProps/custom.xml")

        found = re.findall(r'name="(.*?)"><vt:lpwstr>(.*?)</vt:lpwstr>', properties)
        assert found == [(KIND_PROPERTY, "vouchers"), (VERSION_PROPERTY, "3")]

    @pytest.mark.parametrize("choices", [tuple((f"选项{n:03d}", str(n)) for n in range(60)), (("甲,乙", "1"),)])
    def test_given_choices_that_no_drop_down_can_hold_when_written_then_it_fails_at_once(
        self, choices: tuple[tuple[str, str], ...]
    ) -> None:
        with pytest.raises(AssertionError, match="choice"):
            template_workbook(Schema("vouchers", "名单", "1", (a_column("x", "选项", "choice", choices=choices),)))


class TestResult:
    def test_given_outcomes_when_written_then_they_stand_beside_their_rows_in_the_old_order(self) -> None:
        rows: list[Sequence[Cell]] = [HEADER, (1.0, "测甲", "甲"), (2.0, "测乙", "乙"), (3.0, "测丙", "丙")]

        read = sheets_of(a_result(rows, issued(2), refused(3), issued(4)))["名单"]

        assert read == [
            [*HEADER, "结果", "原因"],
            ["1", "测甲", "甲", "已发放", ""],
            ["2", "测乙", "乙", "已退回", "证件号码校验位不符"],
            ["3", "测丙", "丙", "已发放", ""],
        ]

    def test_given_titles_blanks_and_footers_when_written_then_they_stay_where_they_were(self) -> None:
        rows: list[Sequence[Cell]] = [
            ("广州第1期花名册",), (), HEADER, (1, "测甲", "甲"), (None, None, None), (2, "测乙", "乙"), ("合计", 2),
        ]  # fmt: skip

        read = sheets_of(a_result(rows, issued(4), refused(6), header=3))["名单"]

        assert read == [
            ["广州第1期花名册", "", "", "", ""],
            ["", "", "", "", ""],
            [*HEADER, "结果", "原因"],
            ["1", "测甲", "甲", "已发放", ""],
            ["", "", "", "", ""],
            ["2", "测乙", "乙", "已退回", "证件号码校验位不符"],
            ["合计", "2", "", "", ""],
        ]

    def test_given_row_numbers_with_gaps_when_written_then_every_row_keeps_its_number(self) -> None:
        file = BytesIO()
        rows = [RawRow(2, HEADER), RawRow(5, (1, "测甲", "甲"))]

        result_workbook(rows, 2, iter([issued(5)]), summary=(), to=file)

        read = sheets_of(file.getvalue())["名单"]
        assert [row[1] for row in read] == ["", "姓名*", "", "", "测甲"]

    @pytest.mark.parametrize(
        ("header", "person", "expected_header", "expected"),
        [
            (("姓名", "结果", "原因"), ("测甲", "旧", "旧"), ["姓名", "结果", "原因"], ["测甲", "已发放", ""]),
            (("姓名", "结果", "原因"), ("测甲",), ["姓名", "结果", "原因"], ["测甲", "已发放", ""]),
            (
                ("姓名", " 结果", "原因 ", "备注"),
                ("测甲", "旧", "旧", "注"),
                ["姓名", "结果", "原因", "备注"],
                ["测甲", "已发放", "", "注"],
            ),
            (("姓名", "结果"), ("测甲", "合格"), ["姓名", "结果", "结果", "原因"], ["测甲", "合格", "已发放", ""]),
            (("姓名", "原因"), ("测甲", "转岗"), ["姓名", "原因", "结果", "原因"], ["测甲", "转岗", "已发放", ""]),
            (
                ("姓名", "", None),
                ("测甲", "旁注"),
                ["姓名", "结果", "原因", ""],
                ["测甲", "已发放", "", "旁注"],
            ),
        ],
        ids=["result again", "cells missing", "in the middle", "own 结果", "own 原因", "notes beside the table"],
    )
    def test_given_columns_of_a_result_when_written_again_then_ours_are_replaced_and_nobody_else_s(
        self, header: Sequence[Cell], person: Sequence[Cell], expected_header: list[str], expected: list[str]
    ) -> None:
        assert sheets_of(a_result([header, person], issued(2)))["名单"] == [expected_header, expected]

    def test_given_a_result_when_uploaded_again_then_it_comes_back_as_it_was(self) -> None:
        once = a_result([HEADER, (1, "=测甲", "甲"), ("合计",)], refused(2))

        again = a_result(sheets_of(once)["名单"], refused(2))  # type: ignore[arg-type]

        assert sheets_of(again) == sheets_of(once)

    def test_given_a_title_above_the_result_s_columns_when_written_again_then_it_stays(self) -> None:
        rows = [("花名册", "", "2026年"), ("姓名", "结果", "原因"), ("测甲", "旧", "旧")]

        assert sheets_of(a_result(rows, issued(3), header=2))["名单"][0] == ["花名册", "", "2026年"]

    def test_given_a_stale_result_of_a_row_that_is_nobody_when_written_again_then_it_is_gone(self) -> None:
        rows = [("姓名", "结果", "原因"), ("", "已退回", "证件号码校验位不符"), ("测甲", "", "")]

        assert sheets_of(a_result(rows, issued(3)))["名单"][1] == ["", "", ""]

    def test_given_any_cell_when_written_then_it_is_text_and_refused_rows_are_tinted(self) -> None:
        data = a_result([HEADER, (1, date(2026, 1, 31), None), (2.5, True, "乙")], issued(2), refused(3))

        kinds = re.findall(r'<c r="\w+" s="\d+"( t="\w+")?', part(data, SHEET))
        assert set(kinds) <= {' t="inlineStr"', ""}
        plain, tinted = format_codes(data, SHEET, "A2"), format_codes(data, SHEET, "A3")
        assert plain[0] == tinted[0] == TEXT_FORMAT
        assert plain[1] != tinted[1]
        assert {format_codes(data, SHEET, f"{letter}3") for letter in "ABCDE"} == {tinted}

    def test_given_a_header_below_a_title_when_scrolled_then_it_stays_and_filters_all_rows(self) -> None:
        data = a_result([("花名册",), HEADER, (1, "测甲", "甲")], issued(3), header=2)

        assert 'ySplit="2" topLeftCell="A3"' in part(data, SHEET)
        assert '<autoFilter ref="A2:E3"/>' in part(data, SHEET)

    def test_given_long_and_short_texts_when_shown_then_columns_are_wide_enough_and_no_wider_than_a_screen(
        self,
    ) -> None:
        data = a_result([("长标题" * 30,), HEADER, (1, "测甲", "4" * 18), (2, "长" * 99, "乙")], issued(3), header=2)

        widths = re.findall(r'<col min="(\d)" max="\d" width="([0-9.]+)"', part(data, SHEET))
        assert [(column, round(float(width))) for column, width in widths] == [
            ("1", 9), ("2", 61), ("3", 22), ("4", 16), ("5", 61),
        ]  # fmt: skip

    def test_given_a_summary_when_read_then_it_stands_on_the_second_sheet(self) -> None:
        sheets = sheets_of(a_result([HEADER], summary=[("合计", "3"), ("备注", "=1+1")]))

        assert list(sheets) == ["名单", "汇总"]
        assert sheets["汇总"] == [["合计", "3"], ["备注", "'=1+1"]]

    @pytest.mark.parametrize(
        ("rows", "outcomes", "header"),
        [
            ([HEADER, ("1",)], [issued(3)], 1),
            ([HEADER, ("1",), ("2",)], [issued(3), issued(2)], 1),
            ([("1",)], [], 2),
        ],
        ids=["no such row", "out of order", "no header"],
    )
    def test_given_outcomes_that_do_not_fit_the_rows_when_written_then_it_fails_and_no_outcome_is_lost(
        self, rows: list[Sequence[Cell]], outcomes: list[Outcome], header: int
    ) -> None:
        with pytest.raises(AssertionError, match="row"):
            a_result(rows, *outcomes, header=header)


def peak_of(people: int, to: BinaryIO) -> int:
    rows = chain([RawRow(1, HEADER)], (RawRow(n, (n, f"测{n}", "4" * 18)) for n in range(2, people + 2)))
    tracemalloc.start()
    try:
        result_workbook(rows, 1, (issued(n) for n in range(2, people + 2)), summary=(), to=to)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_given_many_people_when_written_then_no_more_than_some_rows_are_ever_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "first.xlsx").open("wb") as file:
        peak_of(1, file)  # loads what is loaded once

    with (tmp_path / "many.xlsx").open("wb") as file:
        assert peak_of(5_000, file) < 1_500_000


def test_given_rows_that_break_off_when_written_then_no_temporary_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def rows() -> Iterator[RawRow]:
        yield RawRow(1, HEADER)
        assert list(tmp_path.rglob("*"))
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        result_workbook(rows(), 1, iter(()), summary=(), to=BytesIO())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("", ""),
        (" 测 甲 ", " 测 甲 "),
        (True, "TRUE"),
        (7, "7"),
        (7.0, "7"),
        (-0.5, "-0.5"),
        (0.1 + 0.2, "0.3"),
        (1e20, "100000000000000000000"),
        (4.40199199001011e17, "440199199001011000"),
        (1e-7, "0.0000001"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31), "2026-01-31"),  # noqa: DTZ001
        (datetime(2026, 1, 31, 8, 5), "2026-01-31 08:05:00"),  # noqa: DTZ001
        (time(8, 5), "08:05:00"),
        (timedelta(hours=26, seconds=5), "26:00:05"),
    ],
)
def test_given_a_cell_when_told_then_it_is_what_one_would_see(cell: Cell, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("测甲", "测甲"),
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("'=1", "'=1"),
        ("a=1", "a=1"),
        ("_x0041_", "_x0041_"),
        ("<&>\"'", "<&>\"'"),
        ("第一行\n第二行", "第一行\n第二行"),
        ("\ufffe\ud800", "\ufffd\ufffd"),
        ("长" * 40_000, "长" * 32_767),
        ("𠮷" * 20_000, "𠮷" * 16_383),
        ("=" * 40_000, "'" + "=" * 32_766),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_given_any_text_when_written_then_no_spreadsheet_computes_it_or_stumbles_over_it(
    text: str, written: str
) -> None:
    assert harmless(text) == written
    read = sheets_of(a_result([HEADER, ("1", text)], Outcome(2, "已退回", text, refused=True)))["名单"][1]
    assert read == ["1", written, "", "已退回", written]


def test_given_a_fresh_interpreter_when_only_imported_then_no_spreadsheet_library_is_loaded() -> None:
    program = "import sys, chalicelib.workbooks.writing; print({'xlsxwriter', 'python_calamine'} & set(sys.modules))"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert run.stdout.strip() == "set()"
