"""The lines of an application as a workbook: usage, attendance, and room for what another system makes of them."""

from collections.abc import Callable
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from chalicelib.domain.application import LINE_STATE_ZH, OUTSIDE_ZH, Application, Line, OutsideOutcome, OutsideResult
from chalicelib.domain.calendar import CHINA
from chalicelib.domain.line_list import LineList
from chalicelib.domain.money import yuan
from chalicelib.domain.schemas import SETTLEMENTS
from chalicelib.domain.voucher import Completion
from chalicelib.workbooks.writing import (
    CREATED,
    EVERYWHERE,
    KIND_PROPERTY,
    TEXT,
    VERSION_PROPERTY,
    harmless,
    new_workbook,
)

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

_HEAD = TEXT | {"bold": True, "text_wrap": True, "border": 1, "border_color": "#8EA9DB", "bg_color": "#D9E2F3"}
_TO_FILL_IN = _HEAD | {"bg_color": "#FFE699"}
_PROOF_ZH = {"token": "二维码", "code": "券码", "assertion": "实名授权"}
Cells = Callable[[Application, Line], str]
_TITLES = {column.name: column.title for column in SETTLEMENTS.columns}
_WORDS = {code: word for column in SETTLEMENTS.columns for word, code in column.choices}
assert set(_WORDS) == set(OutsideOutcome) == set(OUTSIDE_ZH), "the list has a word for each outcome"


def evidence_workbook(content: LineList, *, to: BinaryIO) -> None:
    """A row for each line; the yellow columns are what comes back of it. Names are masked, money is in yuan."""
    with TemporaryDirectory() as room:
        workbook = new_workbook(to, constant_memory=True, tmpdir=room)
        workbook.set_properties({"title": "资金申请明细", "created": CREATED})
        workbook.set_custom_property(KIND_PROPERTY, SETTLEMENTS.kind, "text")
        workbook.set_custom_property(VERSION_PROPERTY, SETTLEMENTS.version, "text")
        _lines(workbook, workbook.add_worksheet("明细"), content)
        _summary(workbook, workbook.add_worksheet("汇总"), content)
        workbook.close()


def _lines(workbook: "Workbook", sheet: "Worksheet", content: LineList) -> None:
    text, head, to_fill_in = (workbook.add_format(one) for one in (TEXT, _HEAD, _TO_FILL_IN))
    for i, (title, width, _) in enumerate(_COLUMNS):
        sheet.set_column(i, i, width, text)
        sheet.write_string(0, i, title, to_fill_in if title in _FILLED_IN else head)
    for number, line in enumerate(content.lines, 1):
        for i, (_, _, cell) in enumerate(_COLUMNS):
            said = harmless(cell(content.application, line))
            if said:
                sheet.write_string(number, i, said, text)
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": EVERYWHERE})


def _summary(workbook: "Workbook", sheet: "Worksheet", content: LineList) -> None:
    text, head = workbook.add_format(TEXT), workbook.add_format(_HEAD)
    sheet.set_column(0, 0, 24, text)
    sheet.set_column(1, 1, 64, text)
    of = content.application
    facts = (
        ("申请编号", of.application_id),
        ("培训机构", content.institution),
        ("统一社会信用代码", of.institution_id),
        ("课程", content.course),
        ("班级", content.class_name),
        ("行政区划代码", of.region),
        ("券数", str(len(content.lines))),
        ("申请金额合计(元)", yuan(of.claimed_fen)),
    )
    for i, (title, value) in enumerate(facts):
        sheet.write_string(i, 0, title, head)
        sheet.write_string(i, 1, harmless(value), text)


def _minute(at: datetime | None) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}" if at else ""


def _there(say: Callable[[Completion], object]) -> Cells:
    """A cell of whoever completed the class."""
    return lambda _, line: str(say(line.completion)) if line.completion else ""


def _told(say: Callable[[OutsideResult], str | None]) -> Cells:
    """A cell of a line with a result."""
    return lambda _, line: say(line.outside) or "" if line.outside else ""


_COLUMNS: tuple[tuple[str, int, Cells], ...] = (
    (_TITLES["application"], 22, lambda of, _: of.application_id),
    (_TITLES["voucher"], 46, lambda _, line: line.voucher_id),
    ("姓名（隐去）", 14, lambda _, line: line.masked_name),
    ("券模板编号", 22, lambda _, line: line.template_id),
    ("使用时间", 18, lambda _, line: _minute(line.redeemed_at)),
    ("使用方式", 12, lambda _, line: _PROOF_ZH.get(line.proof or "", line.proof or "")),
    ("结业时间", 18, _there(lambda there: _minute(there.completed_at))),
    ("课次", 8, _there(lambda there: there.held)),
    ("出勤课次", 10, _there(lambda there: there.attended)),
    ("出勤率(%)", 10, _there(lambda there: there.percent)),
    ("要求出勤率(%)", 14, _there(lambda there: there.needed)),
    ("人工补签课次", 14, _there(lambda there: there.by_hand)),
    ("在课分钟", 10, _there(lambda there: there.minutes)),
    ("考勤记录数", 12, _there(lambda there: there.enrolment_version)),
    ("考勤证据摘要(SHA-256)", 68, _there(lambda there: there.evidence)),
    ("券面上限(元)", 14, lambda _, line: yuan(line.ceiling_fen)),
    ("申请金额(元)", 14, lambda _, line: yuan(line.claimed_fen)),
    ("明细状态", 12, lambda _, line: LINE_STATE_ZH[line.state]),
    (_TITLES["outcome"], 12, _told(lambda told: _WORDS[told.outcome])),
    (_TITLES["fen"], 14, _told(lambda told: yuan(told.fen) if told.fen else None)),
    (_TITLES["reference"], 20, _told(lambda told: told.reference)),
    (_TITLES["settled_on"], 14, _told(lambda told: told.settled_on.isoformat())),
    (_TITLES["reason"], 32, _told(lambda told: told.reason)),
)
_FILLED_IN = frozenset(_TITLES[name] for name in ("outcome", "fen", "reference", "settled_on", "reason"))
