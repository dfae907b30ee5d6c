"""Rosters as they really come: each kind of dirt has its own verdict, and no file brings the reader down. domain §6."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Invalid
from chalicelib.domain.identifiers import CitizenId
from chalicelib.domain.region import RosterColumn
from chalicelib.domain.schemas import ELIGIBLE, SCHEMAS, VOUCHERS, regional
from chalicelib.domain.sheets import (
    Cell,
    Entry,
    FileRefused,
    RawRow,
    Schema,
    find_header,
    plain_title,
    read_entries,
)
from chalicelib.workbooks.reading import open_sheet
from chalicelib.workbooks.writing import template_workbook
from tools.people import invented_person
from tools.roster_files import DIRT, bad_files, clean_roster, dirty_roster

TODAY = date(2026, 11, 1)
BAD = bad_files()
TITLES = ("姓名", "证件号码", "手机号")


def entries_of(data: bytes, schema: Schema = VOUCHERS) -> list[Entry]:
    sheet = open_sheet(data, "名单")
    header = find_header(list(islice(sheet.rows(), 30)), schema, kind=sheet.kind, version=sheet.version)
    return list(read_entries(sheet.rows(), header, schema, today=TODAY))


def entries_in(rows: Sequence[Sequence[Cell]], schema: Schema = VOUCHERS, **marks: Any) -> list[Entry]:
    """Of rows that stand one below the other from row 1; ``marks`` of the last one."""
    raw = [RawRow(number, cells) for number, cells in enumerate(rows, 1)]
    raw[-1] = RawRow(len(rows), rows[-1], **marks)
    return list(read_entries(raw, find_header(raw, schema), schema, today=TODAY))


def a_row(number: int = 1, **changes: Cell) -> list[Cell]:
    person = invented_person(number)
    row: dict[str, Cell] = {"name": person.name, "id_number": person.id_number, "mobile": person.mobile}
    return list((row | changes).values())


def csv_of(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    return "\r\n".join(delimiter.join(row) for row in rows)


def text_row(number: int = 1) -> list[str]:
    return [str(cell) for cell in a_row(number)]


class TestDirt:
    def test_given_every_kind_of_dirt_when_read_then_each_row_is_as_planted(self) -> None:
        data, planted = dirty_roster(1_000)
        assert {one.kind for one in planted} >= {dirt.kind for dirt in DIRT} | {"rest of a merged cell", "hidden row"}

        found = {one.number: one for one in entries_of(data)}

        assert list(found) == [one.number for one in planted]
        for one in planted:
            entry = found[one.number]
            told_here = one.verdict == "refused" and one.code not in ("institution_not_found", "course_not_found")
            assert [fault.code for fault in entry.faults[:1]] == ([one.code] if told_here else []), one
            assert entry.hidden == (one.kind == "hidden row")

    @pytest.mark.parametrize("dirt", DIRT, ids=lambda dirt: dirt.kind)
    def test_given_one_kind_of_dirt_when_read_then_nobody_s_number_is_told(self, dirt: Any) -> None:
        person = invented_person(4_711)
        row = {"name": person.name, "id_number": person.id_number, "mobile": person.mobile}
        spoiled = dirt.spoil(row)
        cells = [spoiled.get(name) for name in ("name", "id_number", "mobile")]

        (entry,) = entries_in([TITLES, [cell if isinstance(cell, str | float | None) else "" for cell in cells]])

        told = repr(entry) + "".join(fault.zh + fault.en for fault in entry.faults)
        assert person.id_number[:17] not in told
        assert person.mobile is not None
        assert person.mobile not in told

    @pytest.mark.parametrize("name", BAD)
    def test_given_a_file_that_is_none_when_opened_then_one_clear_error(self, name: str) -> None:
        data, code = BAD[name]

        with pytest.raises(FileRefused) as refused:
            list(open_sheet(data, "名单.xlsx").rows())

        assert refused.value.code == code
        assert refused.value.zh.endswith("。")
        assert refused.value.en.endswith(".")

    def test_given_a_number_in_a_numeric_cell_when_read_then_refused_whatever_its_value(self) -> None:
        for value in (1.0, 440199199001010000, 4.40199199001010e17, 0):
            (entry,) = entries_in([TITLES, ["测试甲", value, "13800000001"]])
            assert [fault.code for fault in entry.faults] == ["numeric_id"]

    def test_given_scientific_notation_in_a_csv_when_read_then_the_hint_of_a_numeric_cell(self) -> None:
        data = csv_of([TITLES, ["测试甲", "4.40199E+17", "13800000001"]]).encode()

        assert [fault.code for fault in entries_of(data)[0].faults] == ["numeric_id"]


class TestLayout:
    def test_given_noise_around_when_read_then_the_header_is_found_and_only_people_are_people(self) -> None:
        rows: list[list[Cell]] = [
            ["广东省职业培训券发放名单", None, None, None],
            [None, None, None, None],
            ["填报单位：某某", None, None, None],
            ["序 号", "姓\n名*", "身份证\n号 码（18位）", "联系方式"],
            [1, *a_row(1)],
            [None, None, None, None],
            [2, *a_row(2)],
            ["序 号", "姓\n名*", "身份证\n号 码（18位）", "联系方式"],
            [3, "测试丙", None, None],
            [4, None, None, None],
            ["合计", "3 人", None, None],
            ["填表人：某", None, "审核人：某", None],
            ["联系电话：0755-12345678", None, None, None],
        ]

        found = entries_in(rows)

        assert [(one.number, [fault.code for fault in one.faults]) for one in found] == [
            (5, []),
            (7, []),
            (9, ["missing"]),
        ]

    def test_given_any_order_and_more_columns_when_read_then_by_their_titles(self) -> None:
        person = invented_person(1)
        header = ["街道", "手机号码", "公民身份号码", "备注", "学员姓名"]

        (entry,) = entries_in([header, ["某街道", person.mobile, person.id_number, "无", person.name]])

        number = entry.values["id_number"]
        assert isinstance(number, CitizenId)
        assert (entry.values["name"], number.number, entry.values["mobile"]) == (
            person.name,
            person.id_number,
            person.mobile,
        )

    @pytest.mark.parametrize(
        ("rows", "code"),
        [
            ([["甲", "乙"], ["丙", "丁"]], "no_header"),
            ([["姓名", "手机号"], ["测试甲", "13800000001"]], "missing_columns"),
            ([["姓名", "证件号码", "身份证号"], ["测试甲", "1", "2"]], "column_twice"),
            ([], "no_header"),
        ],
    )
    def test_given_no_header_that_will_do_when_looked_for_then_told_apart(
        self, rows: list[list[Cell]], code: str
    ) -> None:
        raw = [RawRow(number, cells) for number, cells in enumerate(rows, 1)]

        with pytest.raises(FileRefused) as refused:
            find_header(raw, VOUCHERS)

        assert refused.value.code == code

    def test_given_another_kind_or_an_old_version_when_looked_for_then_told_apart(self) -> None:
        raw = [RawRow(1, ["姓名", "手机号"])]

        for kind, version, code in (("courses", "1", "wrong_template"), ("vouchers", "2020.1", "old_template")):
            with pytest.raises(FileRefused) as refused:
                find_header(raw, VOUCHERS, kind=kind, version=version)
            assert refused.value.code == code

    @pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.kind)
    def test_given_our_own_template_when_put_empty_then_its_header_is_known_and_its_sample_is_nobody(
        self, schema: Schema
    ) -> None:
        data = template_workbook(schema)
        sheet = open_sheet(data, "模板.xlsx")

        assert (sheet.kind, sheet.version) == (schema.kind, schema.version)
        assert entries_of(data, schema) == []
        header = find_header(list(sheet.rows()), schema)
        assert set(header.places) == {column.name for column in schema.columns}

    def test_given_a_real_number_under_the_samples_name_when_read_then_refused_and_not_passed_over(self) -> None:
        (entry,) = entries_in([TITLES, a_row(1, name="示例（请删除本行）")])

        assert [fault.code for fault in entry.faults] == ["sample"]

    def test_given_a_regions_own_columns_when_read_then_they_come_along(self) -> None:
        own = [
            RosterColumn("vouchers", "street", title="街道", title_en="Street", explanation="户籍所在街道。"),
            RosterColumn("vouchers", "name", ("劳动者",)),
            RosterColumn("staff", "name", ("教师",)),
        ]
        schema, person = regional("vouchers", own), invented_person(1)

        (entry,) = entries_in([["劳动者", "证件号码", "街道"], [person.name, person.id_number, "粤海街道"]], schema)

        assert entry.values["street"] == "粤海街道"
        assert template_workbook(schema) != template_workbook(VOUCHERS)
        assert regional("vouchers", own[2:]) == VOUCHERS

    @pytest.mark.parametrize(
        ("own", "pointer"),
        [
            ([RosterColumn("vouchers", "street")], "/roster_columns/0/name"),
            ([RosterColumn("vouchers", "name", title="称呼")], "/roster_columns/0/title"),
            ([RosterColumn("vouchers", "name", ("手机",))], "/roster_columns/0"),
            (
                [RosterColumn("staff", "x", title="甲"), RosterColumn("vouchers", "y", title="姓 名")],
                "/roster_columns/1",
            ),
            ([RosterColumn("courses", name, title="街道") for name in ("x", "y")], "/roster_columns/1"),
            ([RosterColumn("courses", "x", title="街道")] * 2, "/roster_columns/1/title"),
        ],
    )
    def test_given_columns_that_cannot_be_told_apart_when_decided_then_refused(
        self, own: list[RosterColumn], pointer: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            [regional(kind, own) for kind in SCHEMAS]

        assert refused.value.pointer == pointer

    def test_given_two_columns_for_one_thing_in_each_schema_when_declared_then_no_title_means_two(self) -> None:
        for schema in SCHEMAS.values():
            titles = [plain_title(title) for one in schema.columns for title in (one.title, *one.aliases)]
            assert len(titles) == len(set(titles)), schema.kind

    def test_given_merged_and_unset_cells_when_read_then_said_so(self) -> None:
        (merged,) = entries_in([TITLES, ["测试甲", None, None]], merged=frozenset({1}))
        (unset,) = entries_in([TITLES, ["测试甲", "", None]], unset=frozenset({1}))

        assert [fault.code for fault in merged.faults] == ["merged"]
        assert [fault.code for fault in unset.faults] == ["formula_without_value"]


class TestDates:
    @pytest.mark.parametrize(
        "cell",
        [44348, 44348.0, "44348", "2021.6.1", "2021-06-01", "2021/6/1", "2021年6月1日", "20210601", 20210601.0,
         date(2021, 6, 1), datetime(2021, 6, 1, 9, 0, tzinfo=UTC), " 2021．6．1 "],
    )  # fmt: skip
    def test_given_a_date_in_any_form_when_read_then_the_day(self, cell: Cell) -> None:
        assert self._since(cell) == ([], date(2021, 6, 1))

    @pytest.mark.parametrize("cell", ["2021-02-29", "2021.13.1", "长期", "20211301", 1.5, "0", True, "1899-12-31"])
    def test_given_no_date_when_read_then_a_fault(self, cell: Cell) -> None:
        assert self._since(cell) == (["date"], None)

    def _since(self, cell: Cell) -> tuple[list[str], Any]:
        person = invented_person(1)
        rows: list[list[Cell]] = [
            ["姓名", "证件号码", "人群类别", "开始日期"],
            [person.name, person.id_number, "veterans", cell],
        ]
        (entry,) = entries_in(rows, ELIGIBLE)
        return [fault.code for fault in entry.faults], entry.values.get("since")


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_given_a_csv_when_read_then_whatever_its_encoding_and_delimiter(
        self, encoding: str, delimiter: str
    ) -> None:
        data = csv_of([TITLES, text_row(1), text_row(2)], delimiter).encode(encoding)

        found = entries_of(data)

        assert [(one.number, one.faults) for one in found] == [(2, ()), (3, ())]
        assert found[0].values["name"] == invented_person(1).name

    def test_given_quotes_and_line_breaks_when_read_then_as_csv_has_them(self) -> None:
        person = invented_person(1)
        data = f'"姓\n名","证件号码"\n"{person.name}","{person.id_number}"\n'.encode()

        (entry,) = entries_of(data)

        assert entry.faults == ()


class TestWorkbooks:
    def test_given_leading_empty_rows_and_columns_when_read_then_row_numbers_are_the_sheets(self) -> None:
        import xlsxwriter

        file = BytesIO()
        with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(6, 3, TITLES)
            sheet.write_row(8, 3, [str(cell) for cell in a_row(1)], book.add_format({"num_format": "@"}))

        (entry,) = entries_of(file.getvalue())

        assert (entry.number, entry.faults) == (9, ())

    def test_given_a_result_when_mended_and_put_again_then_read_as_the_roster_that_it_is(self) -> None:
        rows: list[list[Cell]] = [["序号", *TITLES, "结果", "原因"], [1, *a_row(1), "未通过", "手机号应为 11 位数字。"]]

        (entry,) = entries_in(rows)

        assert entry.faults == ()

    def test_given_many_rows_asked_for_twice_when_read_then_the_same(self) -> None:
        sheet = open_sheet(clean_roster(50), "x")

        assert [one.cells for one in sheet.rows()] == [one.cells for one in sheet.rows()]


CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.times(),
    st.sampled_from(
        ["姓名", "证件号码", "合计", "示例（请删除本行）", invented_person(7).id_number, "测试甲", "13800000001"]
    ),
)


class TestAnything:
    @given(st.lists(st.lists(CELLS, max_size=6), max_size=6), st.permutations(TITLES), st.integers(0, 3))
    def test_given_any_cells_below_a_header_when_read_then_one_entry_a_row_at_most_and_each_number_has_one(
        self, rows: list[list[Cell]], titles: list[str], above: int
    ) -> None:
        at = titles.index("证件号码")
        before: list[list[Cell]] = [["名单"] for _ in range(above)]
        sheet: list[list[Cell]] = [*before, [*titles], *rows]
        raw = [RawRow(number, cells) for number, cells in enumerate(sheet, 1)]

        found = list(read_entries(raw, find_header(raw[: above + 1], VOUCHERS), VOUCHERS, today=TODAY))

        numbers = [one.number for one in found]
        assert numbers == sorted(set(numbers))
        for row in raw[above + 1 :]:
            cell = row.cells[at] if at < len(row.cells) else None
            # Fewer digits may be a sum under the numbers: 合计 | 30.
            if isinstance(cell, str) and cell[:1].isdigit() and cell.isascii() and cell.isalnum() and len(cell) > 13:
                assert row.number in numbers
        for one in found:
            assert one.faults or {"name", "id_number"} <= one.values.keys()

    @given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<"]))
    def test_given_any_bytes_when_opened_then_a_sheet_or_one_clear_error(self, data: bytes, begin: bytes) -> None:
        try:
            list(open_sheet(begin + data, "x").rows())
        except FileRefused:
            return  # and nothing else

    @given(st.data())
    def test_given_a_workbook_with_bytes_changed_when_read_then_a_sheet_or_one_clear_error(self, data: Any) -> None:
        good = bytearray(clean_roster(3))
        for _ in range(data.draw(st.integers(1, 6))):
            good[data.draw(st.integers(4, len(good) - 1))] = data.draw(st.integers(0, 255))

        try:
            entries_of(bytes(good))
        except FileRefused:
            return  # and nothing else
