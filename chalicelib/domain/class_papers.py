"""What the printed papers of a training class say: its attendance sheet (签到表) and its roster (花名册).

Nothing here knows paper or file: who is on it, which sessions there were, and what of each person may be shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum

from chalicelib.domain.identifiers import Sex, mask_mobile, mask_number


class PaperKind(StrEnum):
    ATTENDANCE = "attendance"
    ROSTER = "roster"


class PaperFormat(StrEnum):
    PDF = "pdf"
    XLSX = "xlsx"


PAPER_ZH: Mapping[PaperKind, str] = {PaperKind.ATTENDANCE: "签到表", PaperKind.ROSTER: "花名册"}


class Mark(StrEnum):
    """How a trainee stood to a session."""

    PRESENT = "present"
    LATE = "late"
    ON_LEAVE = "on_leave"
    CUT_SHORT = "cut_short"  # came, but left too early for it to count
    ABSENT = "absent"
    NOT_HELD = "not_held"  # not yet, cancelled, or before the trainee joined


SIGNS: Mapping[Mark, str] = {
    Mark.PRESENT: "到",
    Mark.LATE: "迟到",
    Mark.ON_LEAVE: "请假",
    Mark.CUT_SHORT: "早退",
    Mark.ABSENT: "缺",
    Mark.NOT_HELD: "–",
}
CAME = frozenset({Mark.PRESENT, Mark.LATE})
SEX_ZH: Mapping[Sex | None, str] = {"male": "男", "female": "女", None: ""}
_WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class PaperSession:
    """One session of the class, in local time; ``place`` as people know it."""

    day: date
    starts: time
    ends: time
    place: str
    cancelled: bool = False

    @property
    def weekday(self) -> str:
        return "周" + _WEEKDAYS[self.day.weekday()]


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A trainee's mark at one session; ``at``: local time of the check-in, None where there was none."""

    mark: Mark
    at: time | None = None

    @property
    def sign(self) -> str:
        """``到 08:55``, ``缺``."""
        return SIGNS[self.mark] if self.at is None else f"{SIGNS[self.mark]} {self.at:%H:%M}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Sessions that were due, and those of them that were attended, late or not."""

    due: int
    came: int

    @property
    def rate(self) -> str:
        """出勤率 as ``95.0%``, cut, not rounded, so that it never shows a limit that was missed; ``–`` of nothing."""
        if not self.due:
            return SIGNS[Mark.NOT_HELD]
        tenths = self.came * 1000 // self.due
        return f"{tenths // 10}.{tenths % 10}%"


@dataclass(frozen=True, slots=True)
class PaperTrainee:
    """One person of the class; ``check_ins`` in the order of the class's sessions, numbers masked or whole."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    mobile: str = field(repr=False, default="")
    sex: Sex | None = None
    voucher: str = ""
    reported: date | None = None
    check_ins: Sequence[CheckIn] = ()


@dataclass(frozen=True, slots=True)
class ClassPaper:
    """All that is printed of a class; ``full_numbers``: ID numbers stand on the roster (never on the attendance sheet)
    as they are given.

    Raises ValueError where a trainee has check-ins, but not one for each session.
    """

    name: str
    course: str
    institution: str
    teacher: str
    region: str
    sessions: Sequence[PaperSession] = ()
    trainees: Sequence[PaperTrainee] = ()
    full_numbers: bool = False

    def __post_init__(self) -> None:
        for number, trainee in enumerate(self.trainees, 1):
            if trainee.check_ins and len(trainee.check_ins) != len(self.sessions):
                raise ValueError(f"trainee {number}: {len(trainee.check_ins)} marks, {len(self.sessions)} sessions")

    @property
    def facts(self) -> Sequence[tuple[str, str]]:
        """What stands at the head of every page, with its labels."""
        return (
            ("班级名称", self.name),
            ("培训课程", self.course),
            ("培训机构", self.institution),
            ("任课教师", self.teacher),
            ("所属地区", self.region),
        )

    def check_in(self, trainee: PaperTrainee, session: int) -> CheckIn:
        """The mark at a session, counted from 0; a session that is cancelled was not held, whatever was marked."""
        if not trainee.check_ins or self.sessions[session].cancelled:
            return CheckIn(Mark.NOT_HELD)
        return trainee.check_ins[session]

    def tally_of(self, trainee: PaperTrainee) -> Tally:
        return _tally(self.check_in(trainee, session) for session in range(len(self.sessions)))

    def tally_at(self, session: int) -> Tally:
        return _tally(self.check_in(trainee, session) for trainee in self.trainees)

    def tally(self) -> Tally:
        each = [self.tally_of(trainee) for trainee in self.trainees]
        return Tally(sum(one.due for one in each), sum(one.came for one in each))

    def id_number_on_roster(self, trainee: PaperTrainee) -> str:
        return trainee.id_number if self.full_numbers else mask_number(trainee.id_number)

    def id_number_on_sheet(self, trainee: PaperTrainee) -> str:
        return mask_number(trainee.id_number)

    def mobile_of(self, trainee: PaperTrainee) -> str:
        return mask_mobile(trainee.mobile)


def _tally(check_ins: Iterable[CheckIn]) -> Tally:
    marks = [check_in.mark for check_in in check_ins]
    return Tally(sum(mark is not Mark.NOT_HELD for mark in marks), sum(mark in CAME for mark in marks))
