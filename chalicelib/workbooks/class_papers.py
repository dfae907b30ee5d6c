"""The printed papers of a training class, each as a workbook and as a PDF with the same content: 签到表, 花名册.

The same class makes the same bytes. The workbook is for going on with, the PDF for the printer. docs/decisions/0024
"""

from collections.abc import Iterable
from decimal import Decimal
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from chalicelib.domain.class_papers import ClassPaper
from chalicelib.workbooks.paper_pages import MILLIMETRE, pdf_of
from chalicelib.workbooks.paper_tables import MARGIN, Paper, Table, attendance_paper, roster_paper, told
from chalicelib.workbooks.paper_type import printable, wrapped
from chalicelib.workbooks.writing import CREATED, EVERYWHERE, TEXT, harmless, new_workbook

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_A4 = 9
_INCH = 25.4
_LETTER = 1.9
"""Millimetres of a column's width of 1."""
_BODY, _FINE, _LEADING = 10, 8, 1.3
_TALLEST = 409
"""Points that a row may have."""
_PLAIN = TEXT | {"font_size": _BODY, "text_wrap": True}
_TITLE = TEXT | {"font_size": 16, "bold": True, "align": "center"}
_FINELY = _PLAIN | {"font_size": _FINE}
_BOXED = _PLAIN | {"border": 1}
_CENTRED = _BOXED | {"align": "center"}
_HEAD = _CENTRED | {"bold": True, "bg_color": "#E8EDF7"}
_SESSION = _HEAD | {"font_size": _FINE}
# 4 is the built-in #,##0.00.
_MONEY = _BOXED | {"align": "right", "num_format": 4}
_MONEY_TOTAL = _HEAD | {"align": "right", "num_format": 4}


def attendance_workbook(paper: ClassPaper) -> bytes:
    """The attendance sheet as XLSX: a sheet for as many sessions as stand side by side on A4 across."""
    return workbook_of(attendance_paper(paper))


def attendance_pdf(paper: ClassPaper) -> bytes:
    """The attendance sheet as PDF, A4 across."""
    return pdf_of(attendance_paper(paper))


def roster_workbook(paper: ClassPaper) -> bytes:
    """The roster as XLSX, for A4 upright."""
    return workbook_of(roster_paper(paper))


def roster_pdf(paper: ClassPaper) -> bytes:
    """The roster as PDF, A4 upright."""
    return pdf_of(roster_paper(paper))


def workbook_of(paper: Paper) -> bytes:
    """Any paper as XLSX."""
    file = BytesIO()
    with TemporaryDirectory() as room:
        workbook = new_workbook(file, tmpdir=room)
        workbook.set_properties({"title": paper.title, "created": CREATED})
        for table in paper.tables:
            _write(workbook, workbook.add_worksheet(table.tab), paper, table)
        workbook.close()
    return file.getvalue()


def _write(workbook: "Workbook", sheet: "Worksheet", paper: Paper, table: Table) -> None:
    plain, fine, title, boxed, centred, head, session, money, money_total = map(
        workbook.add_format,
        (_PLAIN, _FINELY, _TITLE, _BOXED, _CENTRED, _HEAD, _SESSION, _MONEY, _MONEY_TOTAL),
    )
    last = len(table.columns) - 1
    width = sum(column.width for column in table.columns)
    for i, column in enumerate(table.columns):
        sheet.set_column(i, i, column.width / _LETTER, plain)
    _across(sheet, 0, last, paper.title, title, 26)
    number = 1
    for line in _lines_of_facts(paper):
        _across(sheet, number, last, line, plain, _height(width, [line], _BODY))
        number += 1
    heads = [session if len(column.head) > 1 else head for column in table.columns]
    for i, (column, format_) in enumerate(zip(table.columns, heads, strict=True)):
        sheet.write_string(number, i, harmless("\n".join(column.head)), format_)
    sheet.set_row(number, max(_height(column.width, column.head, _FINE) for column in table.columns))
    header = number
    for cells in table.rows:
        number += 1
        total = table.total and number == header + len(table.rows)
        for i, (column, cell) in enumerate(zip(table.columns, cells, strict=True)):
            format_ = head if total else boxed if column.left else centred
            if isinstance(cell, Decimal):
                sheet.write_number(number, i, float(cell), money_total if total else money)
            elif isinstance(cell, int):
                sheet.write_number(number, i, cell, format_)
            else:
                sheet.write_string(number, i, harmless(cell), format_)
        heights = [
            _height(column.width, [told(cell)], _BODY) for column, cell in zip(table.columns, cells, strict=True)
        ]
        sheet.set_row(number, max(20, *heights))
    if paper.legend:
        number += 1
        _across(sheet, number, last, paper.legend, fine, _height(width, [paper.legend], _FINE))
    _across(sheet, number + 2, last, "　　　　　　　　　　　".join(paper.foot), plain, 26)
    _for_the_printer(sheet, header, landscape=paper.landscape)


def _lines_of_facts(paper: Paper) -> list[str]:
    facts = [f"{label}：{value}" for label, value in paper.facts]
    return ["　　".join(facts[i : i + 2]) for i in range(0, len(facts), 2)]


def _across(sheet: "Worksheet", row: int, last: int, text: str, format_: "Format", height: float) -> None:
    sheet.merge_range(row, 0, row, last, harmless(text), format_)
    sheet.set_row(row, height)


def _height(width: float, texts: Iterable[str], size: float) -> float:
    """Of a row in points; the reader's font is hardly wider than ours."""
    lines = sum(len(wrapped(printable(text)[0], width * MILLIMETRE - 6, size)) for text in texts)
    return min(_TALLEST, lines * size * _LEADING + 5)


def _for_the_printer(sheet: "Worksheet", header: int, *, landscape: bool) -> None:
    sheet.set_paper(_A4)
    if landscape:
        sheet.set_landscape()
    else:
        sheet.set_portrait()
    margin = MARGIN / _INCH
    sheet.set_margins(left=margin, right=margin, top=margin, bottom=margin + 0.3)
    sheet.center_horizontally()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, header)
    sheet.set_footer("&C第 &P 页　共 &N 页", {"margin": margin})
    sheet.freeze_panes(header + 1, 3)
    sheet.ignore_errors({"number_stored_as_text": EVERYWHERE})
