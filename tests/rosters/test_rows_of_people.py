"""Who is a person in a sheet, which column is meant, what a cell may say: the cases that are easily got wrong."""

from collections.abc import Sequence

import pytest

from chalicelib.domain.schemas import COURSES, ELIGIBLE, PAYMENT_RESULTS, VOUCHERS
from chalicelib.domain.sheets import Cell, Entry, FileRefused, RawRow, Schema, find_header, read_entries
from tests.rosters.test_reading import TODAY
from tools.people import invented_person

PERSON = invented_person(11)
assert PERSON.mobile is not None


def entries_in(rows: Sequence[Sequence[Cell]], schema: Schema = VOUCHERS) -> list[Entry]:
    raw = [RawRow(number, cells) for number, cells in enumerate(rows, 1)]
    return list(read_entries(raw, find_header(raw[:1], schema), schema, today=TODAY))


class TestFooters:
    HEADER = ("部门", "姓名", "证件号码", "手机号")

    @pytest.mark.parametrize(
        "row",
        [
            ("合计", None, "25人", None),
            ("合计", None, 25.0, None),
            ("合计：25 人", None, None, None),
            ("填表人", "测试甲", "联系电话", PERSON.mobile),
            ("填表人：测试甲", None, "审核人：测试乙", None),
            ("联系人", "测试甲", PERSON.mobile, None),
            (None, "备注：以上人员均已核实", None, None),
            (None, "2026年11月1日", None, None),
            ("单位负责人（签字）：", None, None, None),
            ("第 1 页 共 3 页", None, None, None),
        ],
    )
    def test_given_a_footer_when_read_then_nobody(self, row: tuple[Cell, ...]) -> None:
        assert entries_in([self.HEADER, row]) == []

    @pytest.mark.parametrize(
        "row",
        [
            ("审批科", "测试甲", None, None),
            ("说明书编制组", "测试甲", None, None),
            ("电话客服部", "测试甲", None, None),
            ("合计", "测试甲", PERSON.id_number, None),
            ("示例班", "示例甲", PERSON.id_number, None),
            (None, None, "同上", None),
            (None, None, None, PERSON.mobile),
        ],
    )
    def test_given_somebody_who_looks_like_one_when_read_then_not_dropped(self, row: tuple[Cell, ...]) -> None:
        assert len(entries_in([self.HEADER, row])) == 1


class TestNumbersOfPayments:
    HEADER = ("批次号", "付款序号", "金额（元）", "付款结果", "银行流水号")

    @pytest.mark.parametrize("cell", [1234567890123456789.0, 1234567890123450000, 1e15, "1.23457E+18", "2E+20"])
    def test_given_a_number_that_lost_its_end_when_read_then_refused_and_never_guessed(self, cell: Cell) -> None:
        (entry,) = entries_in([self.HEADER, ("B" * 16, 1.0, 2000.5, "成功", cell)], PAYMENT_RESULTS)
        assert [(fault.code, fault.column) for fault in entry.faults] == [("numeric_code", "reference")]

    @pytest.mark.parametrize(
        ("cell", "read"),
        [
            (202601310001.0, "202601310001"),
            ("1234567890123456789", "1234567890123456789"),
            ("1E10", "1E10"),
            ("", None),
        ],
    )
    def test_given_a_number_that_is_whole_when_read_then_as_it_stands(self, cell: Cell, read: str | None) -> None:
        (entry,) = entries_in([self.HEADER, ("B" * 16, 1.0, 2000.5, "成功", cell)], PAYMENT_RESULTS)
        assert (entry.faults, entry.values.get("reference")) == ((), read)


class TestTitles:
    def test_given_two_optional_columns_for_one_thing_when_found_then_the_templates_own_title_is_meant(self) -> None:
        (entry,) = entries_in([
            ("联系方式", "姓名", "证件号码", "手机号", "说明", "备注"),
            ("0755-12345678", PERSON.name, PERSON.id_number, PERSON.mobile, "旧", "新"),
        ])  # fmt: skip

        assert (entry.values["mobile"], entry.values["remark"], entry.faults) == (PERSON.mobile, "新", ())

    def test_given_a_column_twice_when_found_then_refused_only_if_the_header_itself_has_it(self) -> None:
        rows = [RawRow(1, ["说明", "姓名", "证件号码", "备注", "备注"])]
        with pytest.raises(FileRefused, match="column_twice"):
            find_header(rows, VOUCHERS)

        above = RawRow(1, ["姓名", "姓名"])
        assert find_header([above, RawRow(2, ["姓名", "证件号码", "备注"])], VOUCHERS).number == 2

    def test_given_english_titles_when_found_then_known(self) -> None:
        assert set(find_header([RawRow(1, ["Name", "ID number", "Mobile"])], VOUCHERS).places) == {
            "name",
            "id_number",
            "mobile",
        }


class TestCells:
    def remark(self, cell: Cell) -> tuple[object, list[str]]:
        (entry,) = entries_in([("姓名", "证件号码", "备注"), (PERSON.name, PERSON.id_number, cell)])
        return entry.values.get("remark"), [fault.code for fault in entry.faults]

    @pytest.mark.parametrize(
        ("cell", "found"),
        [
            ("课\u200b程\ufeff一", ("课程一", [])),
            ("第一行\n第二行", ("第一行 第二行", [])),
            ("坏\x07的", (None, ["characters"])),
            ("\ue123", ("\ue123", [])),
            ("字" * 200, ("字" * 200, [])),
            ("字" * 201, (None, ["too_long"])),
        ],
    )
    def test_given_a_text_when_read_then_what_is_seen_is_kept(
        self, cell: Cell, found: tuple[object, list[str]]
    ) -> None:
        assert self.remark(cell) == found

    def test_given_true_and_one_in_one_column_when_read_then_each_is_itself(self) -> None:
        rows: list[tuple[Cell, ...]] = [
            ("姓名", "证件号码", "备注"),
            *((PERSON.name, PERSON.id_number, cell) for cell in (True, 1, 1.0)),
        ]

        assert [one.values["remark"] for one in entries_in(rows)] == ["TRUE", "1", "1"]

    @pytest.mark.parametrize(("name", "known"), [("测\ue123", True), ("—", False), ("/", False), ("测\x07试", False)])
    def test_given_a_name_when_read_then_rare_characters_are_one_and_a_dash_is_none(
        self, name: str, known: bool
    ) -> None:
        (entry,) = entries_in([("姓名", "证件号码"), (name, PERSON.id_number)])

        assert ([fault.code for fault in entry.faults] == []) == known

    def test_given_numbers_in_numeric_cells_when_many_are_refused_then_no_frame_is_kept(self) -> None:
        import gc
        import types

        rows: list[tuple[Cell, ...]] = [("姓名", "证件号码"), *((PERSON.name, 4.4e17) for _ in range(500))]
        gc.collect()
        before = sum(isinstance(one, types.TracebackType) for one in gc.get_objects())

        assert len(entries_in(rows)) == 500

        gc.collect()
        assert sum(isinstance(one, types.TracebackType) for one in gc.get_objects()) - before < 50

    @pytest.mark.parametrize("cell", ["2026/1/5 0:00", "2026-01-05 00:00:00", "2026-01-05T00:00:00.000"])
    def test_given_a_day_with_midnight_when_read_then_the_day(self, cell: str) -> None:
        header = ("姓名", "证件号码", "人群类别", "开始日期")
        (entry,) = entries_in([header, (PERSON.name, PERSON.id_number, "veteran", cell)], ELIGIBLE)

        assert str(entry.values["since"]) == "2026-01-05"

    def test_given_a_schema_of_no_people_when_read_then_its_rows_too(self) -> None:
        header = ("课程名称", "课程英文名称", "培训机构统一社会信用代码", "培训项目编号", "学时")
        found = entries_in(
            [header, ("电工", "Electrician", "91350100M000100Y43", "P-1", 40.0), ("合计", None, None, None, 40)],
            COURSES,
        )

        assert [(one.values["hours"], one.faults) for one in found] == [(40, ())]
