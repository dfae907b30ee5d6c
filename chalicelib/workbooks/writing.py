"""Workbooks that go out: the template that a bureau fills in, and its own roster again with a result beside each row.

Both are XLSX and hold nothing but text, so that an 18-digit number keeps its digits. domain.md §6.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import chain
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from chalicelib.domain.roster import Outcome
from chalicelib.domain.sheets import Cell, Column, RawRow, Schema

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

SAMPLE = "示例（请删除本行）"
RESULT, REASON = "结果", "原因"
KIND_PROPERTY, VERSION_PROPERTY = "roster_kind", "roster_version"
"""Names of the custom document properties (docProps/custom.xml) of a template."""

MOST_ROWS = 1_048_576
MEASURED = 100
"""Rows of a roster from whose texts its columns get their widths."""
MOST_UNITS = 32_767
"""UTF-16 code units in one cell."""
MOST_LISTED, MOST_TITLE, MOST_MESSAGE = 255, 32, 255
"""Characters of a drop-down written out, of an input message's title and of the message itself."""

# Where a number written as text gets no green corner: here it is meant so.
EVERYWHERE = "A1:XFD1048576"
# Written into every file instead of the hour, so that the same rows make the same bytes.
CREATED = datetime(2026, 1, 1)  # noqa: DTZ001
# 49 is the built-in text format, @ (ECMA-376 part 1, 18.8.30); written as "@" it would become a custom one.
TEXT = {"num_format": 49, "font_name": "等线", "font_size": 11, "valign": "vcenter"}
_HEAD = TEXT | {"bold": True, "text_wrap": True, "border": 1, "border_color": "#8EA9DB", "bg_color": "#D9E2F3"}
_NEEDED = _HEAD | {"bg_color": "#FFE699"}
_SAMPLE = TEXT | {"italic": True, "font_color": "#7F7F7F"}
_TINTED = TEXT | {"bg_color": "#FCE4D6"}
_WRAPPED = TEXT | {"text_wrap": True, "valign": "top"}

_WIDTHS = {
    "name": 22, "id_number": 24, "id_type": 18, "mobile": 16, "uscc": 26, "date": 14, "integer": 10, "yuan": 14,
    "choice": 16, "text": 20,
}  # fmt: skip
# What stands in the sample's cells that must hold no number, real or invented: a number makes the row somebody's.
_PLAINLY_NO_NUMBER = {
    "id_number": "（18位证件号码）",
    "mobile": "（11位手机号）",
    "uscc": "（18位统一社会信用代码）",
}
_MISTAKES = (
    (
        "证件号码、手机号等长数字须为文本格式；数字格式会丢失第15位以后的数字，此类行一律退回。",
        "Keep ID numbers as text: a number cell loses every digit after the 15th and the row is refused.",
    ),
    (
        "证件号码末位只能是数字或英文字母X，不能用乘号×或其他字母代替。",
        "The last place of an ID number is a digit or the Latin letter X, no multiplication sign.",
    ),
    ("日期写作2026-01-31，不能是不存在的日期。", "Write dates as 2026-01-31; the day must exist."),
    (
        "一行一人，不要合并单元格；合并后只有第一格有内容，其余各行视为未填写。",
        "One person to a row; do not merge cells: only the first of them holds the value.",
    ),
    (
        "不要改动表头文字；可以增加列，增加的列不读取。",
        "Leave the headings as they are; columns may be added and are not read.",
    ),
    ("单元格不要使用公式，请粘贴为数值。", "No formulas: paste values."),
    ("同一人在同一名单中只填写一次。", "List each person once."),
    ("隐藏的行也会读取，不需要的行请删除。", "Hidden rows are read too; delete those that you do not want."),
)


def template_workbook(schema: Schema) -> bytes:
    """An empty roster to fill in, with its explanation; the same bytes for the same schema."""
    file = BytesIO()
    with TemporaryDirectory() as room:
        workbook = new_workbook(file, tmpdir=room)
        workbook.set_properties({"title": schema.title, "created": CREATED})
        workbook.set_custom_property(KIND_PROPERTY, schema.kind, "text")
        workbook.set_custom_property(VERSION_PROPERTY, schema.version, "text")
        _fill_in_sheet(workbook, workbook.add_worksheet("名单"), schema)
        _explanation(workbook, workbook.add_worksheet("填写说明"), schema)
        workbook.close()
    return file.getvalue()


def result_workbook(
    rows: Iterable[RawRow],
    header_number: int,
    outcomes: Iterator[Outcome],
    *,
    summary: Sequence[tuple[str, str]],
    to: BinaryIO,
) -> None:
    """The uploaded rows at their old row numbers, with 结果 and 原因 beside them, and the summary on a second sheet.

    ``outcomes`` come in the order of the rows; a row without one is nobody and keeps an empty result. One row at a time
    is in memory; the sheet lies in temporary files until it is packed, at the end twice over: 1.25 kB for each row of
    eleven columns.
    """
    with TemporaryDirectory() as room:
        workbook = new_workbook(to, constant_memory=True, tmpdir=room)
        workbook.set_properties({"title": "名单处理结果", "created": CREATED})
        sheet, totals = workbook.add_worksheet("名单"), workbook.add_worksheet("汇总")
        _returned(workbook, sheet, iter(rows), header_number, outcomes)
        _summary(workbook, totals, summary)
        workbook.close()


def text_of(cell: Cell) -> str:
    """A cell as one would see it: no ``.0``, no exponent, 15 digits; dates as yyyy-mm-dd."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case int():
            return str(cell)
        case float():
            return _plain(cell)
        case datetime():
            return f"{cell:%Y-%m-%d}" if cell.time() == time() else f"{cell:%Y-%m-%d %H:%M:%S}"
        case date():
            return cell.isoformat()
        case time():
            return f"{cell:%H:%M:%S}"
        case timedelta():
            minutes, seconds = divmod(int(cell.total_seconds()), 60)
            return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula, none refuses to open and none finds too long."""
    text = text.translate(_NO_CHARACTERS)
    if text.startswith(_FORMULA):
        text = "'" + text
    # Astral characters are two units each, so only a text of half the length can be too long.
    if len(text) * 2 > MOST_UNITS:
        text = text.encode("utf-16-le", "replace")[: MOST_UNITS * 2].decode("utf-16-le", "ignore")
    return text


# The full-width signs are typed by Chinese keyboards, and taken for the others by some spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What XML 1.0 cannot hold (XlsxWriter escapes the control characters by itself).
_NO_CHARACTERS = dict.fromkeys([*range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")


def _plain(number: float) -> str:
    seen = Decimal(f"{number:.15g}")
    if not seen.is_finite():
        return str(seen)
    whole = f"{seen:f}"
    return whole.rstrip("0").rstrip(".") if "." in whole else whole


def new_workbook(to: BinaryIO, **options: Any) -> "Workbook":
    import xlsxwriter  # heavy: only who writes pays for it

    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(to, plain | options)


# --- the template -----------------------------------------------------------------------------------------------------


def _fill_in_sheet(workbook: "Workbook", sheet: "Worksheet", schema: Schema) -> None:
    text, sample = workbook.add_format(TEXT), workbook.add_format(_SAMPLE)
    heads = {True: workbook.add_format(_NEEDED), False: workbook.add_format(_HEAD)}
    named = next((i for i, column in enumerate(schema.columns) if column.name == "name"), 0)
    for i, column in enumerate(schema.columns):
        # The whole column is text, also below what is written here.
        sheet.set_column(i, i, max(_WIDTHS.get(column.kind, 20), _breadth(_head_of(column)) + 3), text)
        sheet.write_string(0, i, _head_of(column), heads[column.required])
        shown = SAMPLE if i == named else _PLAINLY_NO_NUMBER.get(column.kind, column.example)
        sheet.write_string(1, i, harmless(shown), sample)
        sheet.data_validation(1, i, MOST_ROWS - 1, i, _validation(column))
    sheet.set_row(0, 30)
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": EVERYWHERE})


def _validation(column: Column) -> dict[str, Any]:
    message = {"input_title": column.title[:MOST_TITLE], "input_message": _hint(column)[:MOST_MESSAGE]}
    if not column.choices:
        return {"validate": "any"} | message
    words = [word for word, _ in column.choices]
    assert len(",".join(words)) <= MOST_LISTED, f"too many choices to write out: {column.name}"
    assert not any("," in word for word in words), f"a comma parts choices: {column.name}"
    wrong = {"error_title": "请从下拉列表中选择", "error_message": "可选：" + "、".join(words)[: MOST_MESSAGE - 3]}
    return {"validate": "list", "source": words} | message | wrong


def _hint(column: Column) -> str:
    parts = ["必填。" if column.required else "选填。", column.explanation]
    if column.example:
        parts.append(f"\n例：{column.example}")
    return "".join(parts)


def _head_of(column: Column) -> str:
    return column.title + ("*" if column.required else "")


def _explanation(workbook: "Workbook", sheet: "Worksheet", schema: Schema) -> None:
    text, head, wrapped = (workbook.add_format(one) for one in (TEXT, _HEAD, _WRAPPED))
    for i, width in enumerate((26, 24, 14, 64, 24, 36)):
        sheet.set_column(i, i, width, text)
    lines: list[tuple[tuple[str, ...], Format]] = [
        ((f"{schema.title} 填写说明 How to fill in",), head),
        (("模板版本 Template version", schema.version), text),
        (("表头带 * 的列必填；示例行请删除。 Columns with * are required; delete the sample row.",), text),
        ((), text),
        (("列名", "English", "是否必填", "填写要求", "示例", "可选值"), head),
        *(
            (
                (
                    column.title,
                    column.english,
                    "必填" if column.required else "选填",
                    column.explanation,
                    column.example,
                    "、".join(word for word, _ in column.choices),
                ),
                wrapped,
            )
            for column in schema.columns
        ),
        ((), text),
        (("常见错误 Common mistakes",), head),
        *(((f"{n}. {zh} {en}",), text) for n, (zh, en) in enumerate(_MISTAKES, 1)),
    ]
    for number, (cells, format_) in enumerate(lines):
        for i, cell in enumerate(cells):
            sheet.write_string(number, i, harmless(cell), format_)


# --- the result -------------------------------------------------------------------------------------------------------


def _returned(
    workbook: "Workbook", sheet: "Worksheet", rows: Iterator[RawRow], header_number: int, outcomes: Iterator[Outcome]
) -> None:
    text, head, tinted = (workbook.add_format(one) for one in (TEXT, _HEAD, _TINTED))
    above, header = _down_to(rows, header_number)
    at, replaced = _place(header)
    row_number, widths = 0, dict[int, int]()
    outcome = next(outcomes, None)
    for row in chain(above, [header], rows):
        assert row_number < row.number <= MOST_ROWS, f"row {row.number} after row {row_number}"
        row_number = row.number
        own = outcome if outcome is not None and outcome.number == row.number else None
        if own is not None:
            outcome = next(outcomes, None)
        added = (RESULT, REASON) if row is header else (own.result, own.reason) if own is not None else ("", "")
        cells = [harmless(text_of(cell)) for cell in row.cells]
        if row.number >= header_number:
            cells += [""] * (at - len(cells))
            cells[at : at + replaced] = map(harmless, added)
        if row_number <= header_number + MEASURED:
            for i, cell in enumerate(cells if row_number >= header_number else ()):
                widths[i] = max(widths.get(i, 0), _breadth(cell))
        format_ = head if row is header else tinted if own is not None and own.refused else text
        for i, cell in enumerate(cells):
            if cell:
                sheet.write_string(row_number - 1, i, cell, format_)
            elif format_ is not text:
                sheet.write_blank(row_number - 1, i, None, format_)
    assert outcome is None, f"an outcome of row {outcome.number}, which is not there"
    widths |= {at: 12, at + 1: 60}
    for i, width in widths.items():
        sheet.set_column(i, i, min(60, max(8, width + 3)), text)
    sheet.freeze_panes(header_number, 0)
    sheet.ignore_errors({"number_stored_as_text": EVERYWHERE})
    sheet.autofilter(header_number - 1, 0, max(row_number, header_number) - 1, at + 1)


def _down_to(rows: Iterator[RawRow], header_number: int) -> tuple[list[RawRow], RawRow]:
    above: list[RawRow] = []
    for row in rows:
        if row.number == header_number:
            return above, row
        assert row.number < header_number, f"no row {header_number}"
        above.append(row)
    raise AssertionError(f"no row {header_number}")


def _place(header: RawRow) -> tuple[int, int]:
    """Where the two columns begin, and how many they take the place of: two where the sheet is a result already."""
    titles = [text_of(cell).strip() for cell in header.cells]
    for i in range(len(titles) - 2, -1, -1):
        # Only the pair is ours: a lone column of this name may well be the bureau's own.
        if titles[i : i + 2] == [RESULT, REASON]:
            return i, 2
    return max((i for i, title in enumerate(titles, 1) if title), default=0), 0


def _summary(workbook: "Workbook", sheet: "Worksheet", summary: Sequence[tuple[str, str]]) -> None:
    text, head = workbook.add_format(TEXT), workbook.add_format(_HEAD)
    sheet.set_column(0, 0, 32, text)
    sheet.set_column(1, 1, 64, text)
    for i, (title, value) in enumerate(summary):
        sheet.write_string(i, 0, harmless(title), head)
        sheet.write_string(i, 1, harmless(value), text)


def _breadth(text: str) -> int:
    """In columns of a Latin letter; a Chinese character takes two."""
    return max((sum(1 if char < "\u2e80" else 2 for char in line) for line in text.splitlines()), default=0)
