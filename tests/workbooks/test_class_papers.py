"""The papers of a class, read back: the workbooks as a spreadsheet would, the PDFs page by page."""

import hashlib
import re
import struct
import subprocess
import sys
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from chalicelib.domain.class_papers import CAME, CheckIn, ClassPaper, Mark, PaperSession, PaperTrainee, Tally
from chalicelib.workbooks.class_papers import attendance_pdf, attendance_workbook, roster_pdf, roster_workbook
from chalicelib.workbooks.paper_tables import NARROWEST_SESSION, attendance_paper, blocks_of
from chalicelib.workbooks.paper_type import GETA, cut_font, printable, width_of, wrapped
from tools.people import invented_person

DOCUMENTS = (attendance_workbook, attendance_pdf, roster_workbook, roster_pdf)
FACTS = "班级名称：第3期粤菜师傅班　　培训课程：中式烹调师（四级）"
UNKNOWN = "\U0002a6d6"
"""A character that is in Unicode and not in the font."""


def sessions(count: int, *, cancelled: Sequence[int] = ()) -> list[PaperSession]:
    return [
        PaperSession(date(2026, 3, 2) + timedelta(days=n), time(9), time(12), f"实训楼{n + 1}室", n in cancelled)
        for n in range(count)
    ]


def a_trainee(number: int, *marks: Mark, name: str | None = None) -> PaperTrainee:
    person = invented_person(number, name=name)
    return PaperTrainee(
        name=person.name,
        id_number=person.id_number,
        mobile=person.mobile or "",
        sex="female" if number % 2 else "male",
        voucher=f"SYNTHETICVOUCHER{number:010d}",
        reported=date(2026, 3, 1),
        check_ins=[CheckIn(mark, time(8, 55) if mark in CAME else None) for mark in marks],
    )


def a_class(trainees: Sequence[PaperTrainee], held: Sequence[PaperSession] = (), **other: str) -> ClassPaper:
    usual = {
        "name": "第3期粤菜师傅班",
        "course": "中式烹调师（四级）",
        "institution": "示例职业技能培训学校",
        "teacher": "测甲乙",
        "region": "广东省广州市",
    }
    return ClassPaper(sessions=held, trainees=trainees, **(usual | other))  # type: ignore[arg-type]


def a_full_class(people: int, held: int) -> ClassPaper:
    each = tuple(Mark)
    trainees = [a_trainee(n, *(each[(n + k) % len(each)] for k in range(held))) for n in range(people)]
    return a_class(trainees, sessions(held))


SMALL = a_class(
    [
        a_trainee(0, Mark.PRESENT, Mark.LATE, Mark.PRESENT),
        a_trainee(1, Mark.ON_LEAVE, Mark.ABSENT, Mark.PRESENT),
        a_trainee(2, Mark.NOT_HELD, Mark.PRESENT, Mark.PRESENT),
    ],
    sessions(3, cancelled=[2]),
)


def sheets_of(data: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(BytesIO(data))
    return {n: list(map(list, book.get_sheet_by_name(n).to_python(skip_empty_area=False))) for n in book.sheet_names}


def part(data: bytes, name: str) -> str:
    with ZipFile(BytesIO(data)) as archive:
        return archive.read(name).decode()


def pages_of(data: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(data)).pages]


class TestAttendance:
    def test_given_a_class_when_written_then_every_mark_time_and_total_has_its_cell(self) -> None:
        rows = sheets_of(attendance_workbook(SMALL))["签到表"]

        assert rows[0][0] == "培训班学员签到表"
        assert [row[0] for row in rows[1:4]] == [
            FACTS,
            "培训机构：示例职业技能培训学校　　任课教师：测甲乙",
            "所属地区：广东省广州市",
        ]
        assert rows[4] == [
            "序号", "姓名", "证件号码",
            "第1次 周一\n2026-03-02\n09:00–12:00\n实训楼1室",
            "第2次 周二\n2026-03-03\n09:00–12:00\n实训楼2室",
            "第3次 周三\n2026-03-04\n09:00–12:00\n实训楼3室\n（已取消）",
            "应到", "实到", "出勤率", "学员签名",
        ]  # fmt: skip
        assert rows[5:9] == [
            [1, "测甲甲", "440***********0009", "到 08:55", "迟到 08:55", "–", 2, 2, "100.0%", ""],
            [2, "试乙甲", "440***********0017", "请假", "缺", "–", 2, 0, "0.0%", ""],
            [3, "样丙甲", "440***********0025", "–", "到 08:55", "–", 1, 1, "100.0%", ""],
            ["", "实到/应到", "", "1/2", "2/3", "–", 5, 3, "60.0%", ""],
        ]
        assert str(rows[9][0]).startswith("到＝按时到课")
        assert [str(rows[11][0]).count(place) for place in ("班主任签字", "培训机构（盖章）", "日")] == [1, 1, 1]

    def test_given_a_class_when_printed_then_the_page_says_the_same(self) -> None:
        (page,) = pages_of(attendance_pdf(SMALL))

        for said in (
            "培训班学员签到表", "第3期粤菜师傅班", "中式烹调师（四级）", "示例职业技能培训学校", "测甲乙",
            "广东省广州市", "第2次 周二", "2026-03-03", "09:00–12:00", "实训楼2室", "（已取消）", "测甲甲",
            "440***********0009", "到 08:55", "迟到 08:55", "请假", "缺", "–", "应到", "实到", "出勤率", "60.0%",
            "学员签名", "班主任签字：", "培训机构（盖章）：", "年　　月　　日", "第 1 页　共 1 页",
        ):  # fmt: skip
            assert said in page, said
        assert GETA not in page

    def test_given_a_page_when_measured_then_it_is_a4_across_and_the_roster_upright(self) -> None:
        across, upright = (
            [round(float(side)) for side in PdfReader(BytesIO(document(SMALL))).pages[0].mediabox[2:]]
            for document in (attendance_pdf, roster_pdf)
        )

        assert across == [842, 595]
        assert upright == [595, 842]

    def test_given_sixty_people_and_forty_sessions_when_printed_then_nobody_and_no_session_is_lost(self) -> None:
        paper = a_full_class(60, 40)
        pages = pages_of(attendance_pdf(paper))
        text = "\n".join(pages)

        blocks = len(blocks_of(40))
        assert len(pages) % blocks == 0
        for n, page in enumerate(pages, 1):
            assert f"第 {n} 页　共 {len(pages)} 页" in page
            assert "第3期粤菜师傅班" in page
            assert "班主任签字：" in page
        for trainee in paper.trainees:
            assert text.count(f"440***********{trainee.id_number[-4:]}") == blocks
        for n in range(1, 41):
            assert text.count(f"第{n}次 ") == len(pages) // blocks
        # Of six marks two have an hour, one is leave; the legend says 请假 twice.
        assert text.count("到 08:55") == 60 * 40 * 2 // len(Mark)
        assert text.count("请假") - 2 * len(pages) == 60 * 40 // len(Mark)

    def test_given_sixty_people_and_forty_sessions_when_written_then_names_are_repeated_on_each_sheet(self) -> None:
        paper = a_full_class(60, 40)
        sheets = sheets_of(attendance_workbook(paper))

        assert list(sheets) == ["签到表1", "签到表2", "签到表3"]
        heads = [str(cell) for rows in sheets.values() for cell in rows[4]]
        assert [head.split()[0] for head in heads if head.startswith("第")] == [f"第{n}次" for n in range(1, 41)]
        for rows in sheets.values():
            assert [row[1] for row in rows[5:65]] == [trainee.name for trainee in paper.trainees]
        assert [rows[4][-1] == "学员签名" for rows in sheets.values()] == [False, False, True]

    def test_given_sixty_people_and_forty_sessions_when_printed_then_at_once_and_small(self) -> None:
        paper = a_full_class(60, 40)
        attendance_pdf(SMALL)  # takes the font apart, once

        started = clock.perf_counter()
        data = attendance_pdf(paper)

        assert clock.perf_counter() - started < 5
        assert len(data) < 200_000

    @pytest.mark.parametrize("count", range(121))
    def test_given_any_number_of_sessions_when_laid_out_then_each_stands_once_on_a_page_that_is_wide_enough(
        self, count: int
    ) -> None:
        paper = attendance_paper(a_class([], sessions(count)))

        heads = [column for table in paper.tables for column in table.columns if len(column.head) > 1]
        assert [column.head[0].split()[0] for column in heads] == [f"第{n}次" for n in range(1, count + 1)]
        assert all(column.width >= NARROWEST_SESSION - 1e-9 for column in heads)
        for table in paper.tables:
            assert sum(column.width for column in table.columns) <= 277 + 1e-9
            assert any(len(column.head) > 1 for column in table.columns) == (count > 0)

    def test_given_no_sessions_and_nobody_when_printed_then_the_empty_sheet_is_there(self) -> None:
        (page,) = pages_of(attendance_pdf(a_class([])))

        assert "学员签名" in page
        assert sheets_of(attendance_workbook(a_class([])))["签到表"][4][:3] == ["序号", "姓名", "证件号码"]

    def test_given_marks_that_do_not_fit_the_sessions_when_put_on_paper_then_it_fails_and_names_nobody(self) -> None:
        with pytest.raises(ValueError, match=r"^trainee 1: 1 marks, 3 sessions$"):
            a_class([a_trainee(0, Mark.PRESENT)], sessions(3))

    @pytest.mark.parametrize(
        ("due", "came", "rate"),
        [(0, 0, "–"), (3, 3, "100.0%"), (3, 2, "66.6%"), (2000, 1999, "99.9%"), (40, 0, "0.0%")],
    )
    def test_given_a_tally_when_told_then_its_rate_is_never_more_than_it_was(
        self, due: int, came: int, rate: str
    ) -> None:
        assert Tally(due, came).rate == rate


class TestRoster:
    def test_given_a_class_when_written_then_its_people_stand_with_masked_numbers(self) -> None:
        rows = sheets_of(roster_workbook(SMALL))["花名册"]

        assert rows[0][0] == "培训班学员花名册"
        assert rows[3][0] == "所属地区：广东省广州市　　学员人数：3人"
        assert rows[4] == ["序号", "姓名", "性别", "证件号码", "手机号", "券编号", "报到日期", "签名"]
        assert rows[5] == [
            1, "测甲甲", "男", "440***********0009", "138****0000", "SYNTHETICVOUCHER0000000000", "2026-03-01", "",
        ]  # fmt: skip
        assert [row[2] for row in rows[5:8]] == ["男", "女", "男"]
        assert "班主任签字" in str(rows[9][0])

    def test_given_a_class_when_printed_then_the_page_says_the_same(self) -> None:
        (page,) = pages_of(roster_pdf(SMALL))

        for said in (
            "培训班学员花名册", "测甲甲", "440***********0009", "138****0000", "SYNTHETICVOUCHER0000000000",
            "2026-03-01", "签名", "班主任签字：", "培训机构（盖章）：", "第 1 页　共 1 页",
        ):  # fmt: skip
            assert said in page, said

    def test_given_full_numbers_when_asked_for_then_only_the_roster_has_them_and_no_mobile(self) -> None:
        number, mobile = SMALL.trainees[0].id_number, SMALL.trainees[0].mobile
        full = replace(SMALL, full_numbers=True)

        assert number in pages_of(roster_pdf(full))[0]
        assert sheets_of(roster_workbook(full))["花名册"][5][3] == number
        assert number not in pages_of(attendance_pdf(full))[0]
        for document in DOCUMENTS:
            read = str(pages_of(document(full)) if document in (attendance_pdf, roster_pdf) else "")
            read = read or str(sheets_of(document(full)))
            assert mobile not in read
        assert number not in str(sheets_of(attendance_workbook(full)))

    def test_given_numbers_that_are_masked_already_when_printed_then_they_stay_as_they_are(self) -> None:
        masked = replace(SMALL.trainees[0], id_number="440***********0009", mobile="138****0000")

        row = sheets_of(roster_workbook(replace(SMALL, trainees=[masked])))["花名册"][5]
        assert row[3:5] == ["440***********0009", "138****0000"]

    def test_given_many_people_when_printed_then_heading_and_foot_stand_on_every_page(self) -> None:
        pages = pages_of(roster_pdf(a_full_class(60, 0)))

        assert len(pages) > 1
        for page in pages:
            assert "券编号" in page
            assert "第3期粤菜师傅班" in page
            assert "培训机构（盖章）：" in page
        assert "\n".join(pages).count("SYNTHETICVOUCHER") == 60


class TestBothAlike:
    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_given_a_class_when_made_twice_then_the_bytes_are_the_same(
        self, document: Callable[[ClassPaper], bytes]
    ) -> None:
        assert document(SMALL) == document(replace(SMALL))

    def test_given_another_process_when_it_makes_the_papers_then_the_bytes_are_the_same(self) -> None:
        program = (
            "import hashlib; from tests.workbooks.test_class_papers import DOCUMENTS, SMALL;"
            "print(*(hashlib.sha256(one(SMALL)).hexdigest() for one in DOCUMENTS))"
        )

        run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

        assert run.stdout.split() == [hashlib.sha256(one(SMALL)).hexdigest() for one in DOCUMENTS]

    @pytest.mark.parametrize("document", [attendance_pdf, roster_pdf])
    def test_given_a_pdf_when_opened_then_its_font_is_inside_and_it_tells_no_hour(
        self, document: Callable[[ClassPaper], bytes]
    ) -> None:
        reader = PdfReader(BytesIO(document(SMALL)))

        font = reader.pages[0]["/Resources"]["/Font"]["/F"]["/DescendantFonts"][0]  # type: ignore[index]
        file = font["/FontDescriptor"]["/FontFile2"].get_data()
        tables = {file[12 + 16 * n : 16 + 16 * n] for n in range(struct.unpack_from(">H", file, 4)[0])}
        assert tables == {b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp"}
        # A TrueType file adds up to this number, whatever it holds.
        assert sum(struct.unpack(f">{len(file) // 4}I", file)) & 0xFFFFFFFF == 0xB1B0AFBA
        assert reader.metadata is not None
        assert str(reader.metadata["/CreationDate"]) == "D:20260101000000Z"
        assert str(reader.root_object["/Lang"]) == "zh-CN"

    def test_given_a_workbook_when_sent_to_a_printer_then_it_fits_a4_and_repeats_its_heads(self) -> None:
        across, upright = attendance_workbook(SMALL), roster_workbook(SMALL)

        for data, orientation, columns in ((across, "landscape", "签到表"), (upright, "portrait", "花名册")):
            sheet = part(data, "xl/worksheets/sheet1.xml")
            assert re.search(rf'<pageSetup paperSize="9"[^>]* fitToHeight="0" orientation="{orientation}"', sheet)
            assert "&amp;C第 &amp;P 页　共 &amp;N 页" in sheet
            assert f"{columns}!$1:$5</definedName>" in part(data, "xl/workbook.xml")

    @pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", "＝1"])
    def test_given_texts_like_formulas_when_written_then_none_is_computed_and_the_print_shows_them_as_they_are(
        self, text: str
    ) -> None:
        held = [replace(one, place=text) for one in sessions(1)]
        paper = a_class([replace(a_trainee(0, Mark.PRESENT, name=text), voucher=text)], held, name=text, teacher=text)

        for document, place in ((attendance_workbook, "签到表"), (roster_workbook, "花名册")):
            data = document(paper)
            assert "<f>" not in part(data, "xl/worksheets/sheet1.xml")
            assert sheets_of(data)[place][5][1] == f"'{text}"
        for document in (attendance_pdf, roster_pdf):
            assert text in pages_of(document(paper))[0]

    @pytest.mark.parametrize("length", [40, 100, 2000])
    def test_given_very_long_texts_when_printed_then_they_are_wrapped_and_the_page_still_holds_a_row(
        self, length: int
    ) -> None:
        name, word = "长" * length, "L" * length
        trainees = [
            a_trainee(0, Mark.PRESENT, name=name),
            a_trainee(1, Mark.LATE, name=word),
            a_trainee(2, Mark.ABSENT),
        ]
        held = [replace(one, place=name) for one in sessions(1)]
        paper = a_class(trainees, held, institution=name, course=word)

        for document in (attendance_pdf, roster_pdf):
            pages = pages_of(document(paper))
            assert "样丙甲" in pages[-1]
            if length <= 100:
                assert "".join("".join(pages).split()).count("长") >= 2 * length
            else:
                assert "…" in pages[0]
        assert sheets_of(attendance_workbook(paper))["签到表"][5][1] == name


class TestCharacters:
    def test_given_rare_characters_of_names_when_printed_then_they_are_there(self) -> None:
        rare = "㛃𠅤喆䶮𠮷𬭊堃犇羴囍·é"

        for document in (attendance_pdf, roster_pdf):
            (page,) = pages_of(document(a_class([a_trainee(0, name=rare)])))
            assert set(rare) <= set(page)
            assert GETA not in page

    def test_given_a_character_that_the_font_lacks_when_printed_then_a_gap_is_seen_and_the_foot_says_where(
        self,
    ) -> None:
        trainees = [a_trainee(0), a_trainee(1, name=f"测{UNKNOWN}甲")]

        for document in (attendance_pdf, roster_pdf):
            (page,) = pages_of(document(a_class(trainees, teacher=UNKNOWN)))
            assert f"测{GETA}甲" in page
            assert f"任课教师：{GETA}" in page
            assert "“〓”处的字本字库未收，请手写补正：表头 U+2A6D6；序号2 U+2A6D6。" in page
        assert sheets_of(roster_workbook(a_class(trainees)))["花名册"][6][1] == f"测{UNKNOWN}甲"

    def test_given_pages_with_and_without_a_gap_when_printed_then_only_those_with_one_say_so(self) -> None:
        trainees = [a_trainee(n, name=f"测{UNKNOWN}" if n == 59 else None) for n in range(60)]

        pages = pages_of(roster_pdf(a_class(trainees)))

        assert ["手写补正" in page for page in pages] == [False] * (len(pages) - 1) + [True]
        assert "序号60 U+2A6D6" in pages[-1]

    @pytest.mark.parametrize(
        ("text", "printed", "lacking"),
        [
            ("测甲", "测甲", []),
            (" 测\n甲\t乙 ", "测 甲 乙", []),
            ("e\u0301", "é", []),
            ("测\u200b甲\ufeff", "测甲", []),
            (f"测{UNKNOWN}", "测〓", [UNKNOWN]),
            ("葛\U000e0100", "葛〓", ["\U000e0100"]),
            ("测\ud800", "测〓", ["\ud800"]),
            ("\x07", "〓", ["\x07"]),
            ("👍", "〓", ["👍"]),
        ],
        ids=ascii,
    )
    def test_given_a_text_when_made_printable_then_nothing_that_shows_is_dropped(
        self, text: str, printed: str, lacking: list[str]
    ) -> None:
        assert printable(text) == (printed, lacking)

    def test_given_the_characters_of_everyday_when_looked_for_then_the_font_has_every_one(self) -> None:
        both = [
            bytes((a, b)) for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF) if (a, b) < (0xD7, 0xFA) or a > 0xD7
        ]
        everyday = "".join(one.decode("gb2312") for one in both)
        unified, extension = map(chr, range(0x4E00, 0xA000)), map(chr, range(0x3400, 0x4DC0))

        assert len(everyday) == 6763
        assert printable(everyday)[1] == []
        assert len([char for char in unified if printable(char)[1]]) == 16
        assert len([char for char in extension if printable(char)[1]]) == 10

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("", [""]),
            ("一二三四五六", ["一二三四五", "六"]),
            ("一二三四五，六", ["一二三四", "五，六"]),
            ("一二三四（五六）", ["一二三四", "（五六）"]),
            ("ABC DEF GHI", ["ABC DEF", "GHI"]),
            ("LLLLLLLLLLLLL", ["LLLLLLLLL", "LLLL"]),
            ("一二三四五 六", ["一二三四五", "六"]),
        ],
    )
    def test_given_a_text_when_wrapped_then_it_is_parted_where_one_would(self, text: str, lines: list[str]) -> None:
        assert wrapped(text, 50, 10) == lines
        assert all(width_of(line) <= 5000 for line in lines)

    def test_given_the_same_characters_in_another_order_when_cut_then_the_font_is_the_same(self) -> None:
        font = cut_font(["甲乙", "丙"])

        assert font == cut_font(["丙乙", "甲甲"])
        assert font.characters == "丙乙甲"
        assert font.glyphs("甲丙") == b"00030001"
        assert list(font.widths) == [1000, 1000, 1000]


def test_given_a_fresh_interpreter_when_only_imported_then_neither_library_nor_font_is_loaded() -> None:
    program = (
        "import sys, chalicelib.workbooks.class_papers; from chalicelib.workbooks import paper_type;"
        "print({'xlsxwriter', 'pydyf'} & set(sys.modules), paper_type._font.cache_info().currsize)"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert run.stdout.strip() == "set() 0"
