"""Printed papers as tables: which columns stand side by side on A4, and which rows below them.

What is decided here holds for the workbook and for the PDF alike. Widths are millimetres on paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.class_papers import SEX_ZH, SIGNS, ClassPaper, Mark, PaperSession, PaperTrainee, Tally

Cell = str | int | Decimal
"""Yuan are decimals with two places."""
LONG_SIDE, SHORT_SIDE, MARGIN = 297.0, 210.0, 10.0
NARROWEST_SESSION, WIDEST_SESSION = 14.0, 24.0
"""A session's column; the narrowest still holds 09:00–12:00 on one line."""
FOOT = ("班主任签字：", "培训机构（盖章）：", "年　　月　　日")
LEGEND = (
    f"{SIGNS[Mark.PRESENT]}＝按时到课，{SIGNS[Mark.LATE]}＝迟到，{SIGNS[Mark.CUT_SHORT]}＝在场时长不足、不计，"
    f"{SIGNS[Mark.ON_LEAVE]}＝请假，{SIGNS[Mark.ABSENT]}＝缺课，"
    f"{SIGNS[Mark.NOT_HELD]}＝未开课、已取消或不计；时刻为签到时间；出勤率＝实到÷应到，迟到计为实到。"
)


@dataclass(frozen=True, slots=True)
class Column:
    """``head``: its lines, each wrapped by itself; ``left``: text that begins at the left, as names do; ``right``:
    amounts that end at the right."""

    head: Sequence[str]
    width: float
    left: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What stands side by side on one page, with as many rows as there are; ``tab``: its sheet's name in a workbook.

    ``total``: the last row is one.
    """

    tab: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A document of A4 pages; ``facts`` with their labels stand at the head of each, ``legend`` at the foot, and where
    it is signed: places from the left on, the last one is the date's."""

    title: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    landscape: bool
    legend: str = ""
    foot: Sequence[str] = FOOT


def told(cell: Cell) -> str:
    """A cell in writing."""
    return f"{cell:,.2f}" if isinstance(cell, Decimal) else str(cell)


def roster_paper(paper: ClassPaper) -> Paper:
    columns = (
        Column(("序号",), 9),
        Column(("姓名",), 26, left=True),
        Column(("性别",), 10),
        Column(("证件号码",), 31),
        Column(("手机号",), 22),
        Column(("券编号",), 44),
        Column(("报到日期",), 21),
        Column(("签名",), 27),
    )
    rows = [
        (
            number,
            trainee.name,
            SEX_ZH[trainee.sex],
            paper.id_number_on_roster(trainee),
            paper.mobile_of(trainee),
            trainee.voucher,
            trainee.reported.isoformat() if trainee.reported else "",
            "",
        )
        for number, trainee in enumerate(paper.trainees, 1)
    ]
    facts = (*paper.facts, ("学员人数", f"{len(rows)}人"))
    return Paper("培训班学员花名册", facts, (Table("花名册", columns, rows),), landscape=False)


def attendance_paper(paper: ClassPaper) -> Paper:
    tables = []
    first, blocks = 0, blocks_of(len(paper.sessions))
    for number, sessions in enumerate(blocks, 1):
        last = number == len(blocks)
        tab = "签到表" if len(blocks) == 1 else f"签到表{number}"
        tables.append(_block(paper, tab, range(first, first + sessions), last=last))
        first += sessions
    return Paper("培训班学员签到表", paper.facts, tables, landscape=True, legend=LEGEND)


_NAMES = (Column(("序号",), 8), Column(("姓名",), 27, left=True), Column(("证件号码",), 30))
_TOTALS = (Column(("应到",), 10), Column(("实到",), 10), Column(("出勤率",), 14), Column(("学员签名",), 24))


def _room(*fixed: Column) -> float:
    return LONG_SIDE - 2 * MARGIN - sum(column.width for column in fixed)


def blocks_of(sessions: int) -> Sequence[int]:
    """How many sessions stand on each page from left to right; the last has the totals and the signatures as well."""
    most, most_of_last = (int(_room(*fixed) / NARROWEST_SESSION) for fixed in (_NAMES, _NAMES + _TOTALS))
    before = -(-max(0, sessions - most_of_last) // most)
    last = min(most_of_last, sessions // (before + 1))
    rest, blocks = sessions - last, []
    for left in range(before, 0, -1):
        blocks.append(-(-rest // left))
        rest -= blocks[-1]
    return [*blocks, last]


def _block(paper: ClassPaper, tab: str, sessions: range, *, last: bool) -> Table:
    fixed = _NAMES + _TOTALS if last else _NAMES
    width = min(WIDEST_SESSION, _room(*fixed) / max(1, len(sessions)))
    spare = _room(*fixed) - width * len(sessions)
    serial, name, id_number = _NAMES
    # What few sessions leave over goes to the long names and to the pen.
    name = Column(name.head, name.width + spare / (2 if last else 1), left=True)
    columns = [serial, name, id_number]
    columns += [Column(_head_of(number, paper.sessions[number]), width) for number in sessions]
    if last:
        *totals, signature = _TOTALS
        columns += [*totals, Column(signature.head, signature.width + spare / 2)]
    rows = [_row(paper, number, trainee, sessions, last=last) for number, trainee in enumerate(paper.trainees, 1)]
    total: list[Cell] = ["", "实到/应到", ""]
    total += [_of_all(tally) for tally in map(paper.tally_at, sessions)]
    if last:
        tally = paper.tally()
        total += [tally.due, tally.came, tally.rate, ""]
    return Table(tab, columns, [*rows, total], total=True)


def _of_all(tally: Tally) -> str:
    return f"{tally.came}/{tally.due}" if tally.due else SIGNS[Mark.NOT_HELD]


def _head_of(number: int, session: PaperSession) -> Sequence[str]:
    lines = [
        f"第{number + 1}次 {session.weekday}",
        session.day.isoformat(),
        f"{session.starts:%H:%M}–{session.ends:%H:%M}",
        session.place,
    ]
    return [*lines, "（已取消）"] if session.cancelled else lines


def _row(paper: ClassPaper, number: int, trainee: PaperTrainee, sessions: range, *, last: bool) -> Sequence[Cell]:
    row: list[Cell] = [number, trainee.name, paper.id_number_on_sheet(trainee)]
    row += [paper.check_in(trainee, session).sign for session in sessions]
    if last:
        tally = paper.tally_of(trainee)
        row += [tally.due, tally.came, tally.rate, ""]
    return row
