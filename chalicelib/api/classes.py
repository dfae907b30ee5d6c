"""Classes (班级): opened with their sessions, changed, and who is on them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.rosters import FileAnswer
from chalicelib.api.shapes import Asked, Identifier, Instant, Line, Listing, Nothing, Reason, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.check_in import Result, Way
from chalicelib.domain.class_papers import PaperFormat, PaperKind
from chalicelib.domain.coordinates import Datum, InvalidPoint, check_point
from chalicelib.domain.enrolment import Attendance, Enrolment, EnrolmentState, attendance
from chalicelib.domain.errors import (
    ClassesOverlap,
    ClassFull,
    ClassNotFound,
    ClassStateRefused,
    ConcurrentChange,
    CourseNotFound,
    EnrolledAlready,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    NotEnrolled,
    NotRedeemedHere,
    OutOfScope,
    RosterNotFound,
    RosterStateRefused,
    SessionNotFound,
    SessionOver,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.region import Overlaps
from chalicelib.domain.training_class import (
    LARGEST,
    MOST_SESSIONS,
    ClassPlace,
    ClassState,
    SessionPlan,
    TrainingClass,
    state_at,
)
from chalicelib.services import enrolling, enrolling_rosters, holding_classes, printing_classes

routes = Blueprint(__name__)

Degrees = Annotated[float, Field(allow_inf_nan=False)]
Seats = Annotated[int, Field(ge=1, le=LARGEST)]
PersonName = Annotated[Line, Field(max_length=60)]
ClassName = Annotated[Line, Field(max_length=100)]


class ClassPlaceRequest(Asked):
    """Where a session is held: decimal degrees of the datum that is named."""

    name: ClassName
    latitude: Degrees
    longitude: Degrees
    datum: Datum = Field(strict=False)


class ClassSessionRequest(Asked):
    """``place``: none where it is held online. ``makes_up_for``: the cancelled session that it is held instead of."""

    starts_at: Instant
    ends_at: Instant
    place: ClassPlaceRequest | None = None
    teacher: PersonName
    makes_up_for: Annotated[str, Field(pattern=r"^S[0-9]{3}$")] | None = None


class ClassRequest(Asked):
    """The region's rules are frozen on the class as it opens."""

    institution_id: Identifier
    course_id: Identifier
    name: ClassName
    teacher: PersonName
    capacity: Seats
    sessions: Annotated[tuple[ClassSessionRequest, ...], Field(min_length=1, max_length=MOST_SESSIONS)]


class MoreSessionsRequest(Asked):
    sessions: Annotated[tuple[ClassSessionRequest, ...], Field(min_length=1, max_length=MOST_SESSIONS)]


class SessionChangeRequest(Asked):
    """What is left out stays; of a session that has begun only the teacher can be set right."""

    starts_at: Instant | None = None
    ends_at: Instant | None = None
    place: ClassPlaceRequest | None = None
    teacher: PersonName | None = None


class ClassChangeRequest(Asked):
    """What is left out stays. Not fewer seats than there are people on the class."""

    name: ClassName | None = None
    teacher: PersonName | None = None
    capacity: Seats | None = None


class ClassReasonRequest(Asked):
    reason: Reason


class EnrolmentRequest(Asked):
    """Vouchers in use at the institution for the course; their holders are put on the class."""

    voucher_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=enrolling.MOST_AT_ONCE)]


class RosterEnrolmentRequest(Asked):
    """A roster that has been worked off: the next ``limit`` of its people whose vouchers are in use for the class,
    after row ``after`` of its sheet."""

    roster_id: Identifier
    after: Annotated[int, Field(ge=0, le=9_999_999)] = 0
    limit: Annotated[int, Field(ge=1, le=enrolling.MOST_AT_ONCE)] = enrolling.MOST_AT_ONCE


class TransferRequest(Asked):
    """Whose voucher put them on the class, and the class of the same course that they change to."""

    voucher_id: Identifier
    to_class_id: Identifier
    reason: Reason


class ClassPlaceAnswer(Shown):
    name: str
    latitude: float
    longitude: float
    datum: Datum


class ClassSessionAnswer(Shown):
    """``cancelled``: why it is not held."""

    session_id: str
    starts_at: Instant
    ends_at: Instant
    place: ClassPlaceAnswer | None
    teacher: str
    makes_up_for: str | None
    cancelled: str | None


class ClassRulesAnswer(Shown):
    """Frozen when it opened. Metres: radius, accuracy, allowance. Seconds: opens, late, code_period, offline_grace,
    leaves (the time after a session in which one checks out)."""

    attendance_percent: int
    radius: int
    accuracy: int
    allowance: int
    opens: int
    late: int
    code_period: int
    offline_grace: int
    top_speed: int
    by_hand_percent: int
    overlaps: Overlaps
    evaluation_dimensions: tuple[str, ...]
    evaluation_days: int
    leaves: int
    hours_percent: int
    position_days: int


class ClassAnswer(Shown):
    """``changed_at``, ``changed_by``: the last change of the class itself, and its operator."""

    class_id: str
    institution_id: str
    course_id: str
    region: str
    name: str
    teacher: str
    capacity: int
    enrolled: int
    state: ClassState
    sessions: tuple[ClassSessionAnswer, ...]
    rules: ClassRulesAnswer
    made_at: Instant
    ended_at: Instant | None
    reason: str | None
    changed_at: Instant | None
    changed_by: str | None
    version: int


class EnrolledAnswer(Shown):
    """``code``: why the voucher was refused; null: its holder is on the class. ``overlaps``: and on another one at the
    same time."""

    voucher_id: str
    code: str | None
    zh: str | None
    en: str | None
    overlaps: bool


class EnrolledListAnswer(Shown):
    class_id: str
    enrolled: int
    results: tuple[EnrolledAnswer, ...]


class EnrolledRowAnswer(Shown):
    """What became of the row that stands as ``number`` in the sheet; otherwise as of a voucher."""

    number: int
    voucher_id: str
    code: str | None
    zh: str | None
    en: str | None
    overlaps: bool


class EnrolledRosterAnswer(Shown):
    """``next``: send it as ``after`` to go on; null: the roster has no more. Rows without a voucher are passed over,
    so that there may be none in between."""

    class_id: str
    roster_id: str
    enrolled: int
    results: tuple[EnrolledRowAnswer, ...]
    next: int | None


class EnrolmentStepAnswer(Shown):
    """``version`` is the number of the history entry that the step wrote; ``facts`` depend on the step."""

    voucher_id: str
    class_id: str
    step: str
    state: EnrolmentState
    version: int
    at: Instant
    facts: dict[str, str | int | None]


class TransferAnswer(Shown):
    """Both steps, which were done as one."""

    left: EnrolmentStepAnswer
    enrolled: EnrolmentStepAnswer


class CheckInAnswer(Shown):
    """``metres``: how far from the class's place; ``device``: the same for one device all through the class."""

    session_id: str
    result: Result
    way: Way
    at: Instant
    metres: int | None
    device: str | None
    left_at: Instant | None
    left_by: Way | None


class AttendanceAnswer(Shown):
    """Of the sessions that have begun; ``percent`` is cut down. ``cut_short``: not stayed long enough to count;
    ``minutes``: those that are known from check-outs."""

    held: int
    present: int
    late: int
    excused: int
    by_hand: int
    cut_short: int
    minutes: int
    percent: int


class EnrolmentAnswer(Shown):
    voucher_id: str
    masked_name: str
    state: EnrolmentState
    overlaps: bool
    attendance: AttendanceAnswer
    check_ins: tuple[CheckInAnswer, ...]
    excused: dict[str, str]
    rating: int | None


@answers(
    routes,
    "POST",
    "/v1/classes",
    status=201,
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="开班",
    en="Open a class",
    errors=(Invalid, OutOfScope, InstitutionNotFound, InstitutionNotAdmitted, CourseNotFound),
)
def post_class(call: Call[ClassRequest, Nothing]) -> Done[ClassAnswer]:
    asked = call.body
    draft = holding_classes.ClassDraft(
        asked.institution_id, asked.course_id, asked.name, asked.teacher, asked.capacity, _plans(asked.sessions)
    )
    return _told(call, holding_classes.open_class(call.platform, draft, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/classes",
    act=Act.READ_CLASSES,
    tag="classes",
    zh="机构的班级",
    en="Classes of an institution",
    errors=(InstitutionNotFound,),
)
def list_classes(call: Call[Nothing, Listing], institution_id: str) -> Page[ClassAnswer]:
    asked = call.query
    page = holding_classes.list_classes(call.platform, institution_id, asked.limit, asked.cursor, actor=call.actor)
    return Page(tuple(_shown(call, one) for one in page.items), page.cursor)


@answers(
    routes,
    "GET",
    "/v1/classes/{class_id}",
    act=Act.READ_CLASSES,
    tag="classes",
    zh="查询班级",
    en="One class",
    errors=(ClassNotFound,),
)
def get_class(call: Plain, class_id: str) -> ClassAnswer:
    return _shown(call, holding_classes.find_class(call.platform, class_id, actor=call.actor))


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="变更班级名称、主讲教师或名额",
    en="Give a class another name, main teacher or number of seats",
    errors=(Invalid, OutOfScope, ClassNotFound, ClassStateRefused, ConcurrentChange),
)
def change_class(call: Call[ClassChangeRequest, Nothing], class_id: str) -> Done[ClassAnswer]:
    asked = call.body
    done = holding_classes.change_class(
        call.platform,
        class_id,
        name=asked.name,
        teacher=asked.teacher,
        capacity=asked.capacity,
        **call.acting,
    )
    return _told(call, done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/sessions",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="增加课次（含补课）",
    en="Hold more sessions, also to make up for cancelled ones",
    errors=(Invalid, OutOfScope, ClassNotFound, ClassStateRefused, ConcurrentChange),
)
def post_sessions(call: Call[MoreSessionsRequest, Nothing], class_id: str) -> Done[ClassAnswer]:
    plans = _plans(call.body.sessions)
    return _told(call, holding_classes.add_sessions(call.platform, class_id, plans, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/sessions/{session_id}",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="调整课次",
    en="Change a session",
    errors=(Invalid, OutOfScope, ClassNotFound, ClassStateRefused, SessionNotFound, SessionOver, ConcurrentChange),
)
def change_session(call: Call[SessionChangeRequest, Nothing], class_id: str, session_id: str) -> Done[ClassAnswer]:
    asked = call.body
    done = holding_classes.change_session(
        call.platform,
        class_id,
        session_id,
        starts_at=asked.starts_at,
        ends_at=asked.ends_at,
        place=_place(asked.place, "/place"),
        teacher=asked.teacher,
        **call.acting,
    )
    return _told(call, done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/sessions/{session_id}/cancellation",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="取消课次",
    en="Cancel a session",
    errors=(OutOfScope, ClassNotFound, ClassStateRefused, SessionNotFound, SessionOver, ConcurrentChange),
)
def cancel_session(call: Call[ClassReasonRequest, Nothing], class_id: str, session_id: str) -> Done[ClassAnswer]:
    done = holding_classes.cancel_session(call.platform, class_id, session_id, call.body.reason, **call.acting)
    return _told(call, done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/cancellation",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="取消班级",
    en="Cancel a class",
    errors=(OutOfScope, ClassNotFound, ClassStateRefused, ConcurrentChange),
)
def cancel_class(call: Call[ClassReasonRequest, Nothing], class_id: str) -> Done[ClassAnswer]:
    return _told(call, holding_classes.cancel_class(call.platform, class_id, call.body.reason, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/finish",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="结班",
    en="Finish a class: each of its people has completed it or has not",
    errors=(OutOfScope, ClassNotFound, ClassStateRefused, ConcurrentChange),
)
def finish_class(call: Plain, class_id: str) -> Done[ClassAnswer]:
    return _told(call, enrolling.finish_class(call.platform, class_id, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/enrolments",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="学员入班",
    en="Put the holders of used vouchers on a class",
    errors=(OutOfScope, ClassNotFound, ClassStateRefused, ClassFull),
)
def post_enrolments(call: Call[EnrolmentRequest, Nothing], class_id: str) -> Done[EnrolledListAnswer]:
    done = enrolling.enrol_holders(call.platform, class_id, call.body.voucher_ids, **call.acting)
    return EnrolledListAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/enrolments/by-roster",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="名单人员入班",
    en="Put those of a roster on a class, some at a time",
    errors=(Invalid, OutOfScope, ClassNotFound, ClassStateRefused, RosterNotFound, RosterStateRefused, ClassFull),
)
def post_roster_enrolments(call: Call[RosterEnrolmentRequest, Nothing], class_id: str) -> Done[EnrolledRosterAnswer]:
    asked = call.body
    done = enrolling_rosters.enrol_roster(
        call.platform, class_id, asked.roster_id, asked.after, asked.limit, **call.acting
    )
    return EnrolledRosterAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/classes/{class_id}/enrolments",
    act=Act.READ_CLASSES,
    tag="classes",
    zh="班级学员及出勤",
    en="Who is on a class, and their attendance",
    errors=(ClassNotFound,),
)
def list_enrolments(call: Call[Nothing, Listing], class_id: str) -> Page[EnrolmentAnswer]:
    asked = call.query
    training, page = enrolling.list_enrolments(call.platform, class_id, asked.limit, asked.cursor, actor=call.actor)
    return Page(tuple(_enrolment(call, training, one) for one in page.items), page.cursor)


class PaperQuery(Asked):
    """签到表 or 花名册, to be printed and signed, or to go on with."""

    paper: Literal["attendance", "roster"] = "attendance"
    format: Literal["pdf", "xlsx"] = "pdf"


@answers(
    routes,
    "GET",
    "/v1/classes/{class_id}/papers",
    act=Act.READ_CLASSES,
    tag="classes",
    zh="打印签到表、花名册",
    en="Where to fetch the attendance sheet or the roster of a class",
    errors=(ClassNotFound,),
)
def get_paper(call: Call[Nothing, PaperQuery], class_id: str) -> FileAnswer:
    kind, form = PaperKind(call.query.paper), PaperFormat(call.query.format)
    return FileAnswer.of(
        printing_classes.print_class(call.platform, class_id, kind, form, actor=call.actor, now=call.now)
    )


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/enrolments/{voucher_id}/leave",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="学员退班",
    en="Take somebody off a class",
    errors=(OutOfScope, ClassNotFound, ClassStateRefused, NotEnrolled),
)
def leave_class(call: Call[ClassReasonRequest, Nothing], class_id: str, voucher_id: str) -> Done[EnrolmentStepAnswer]:
    done = enrolling.leave_class(call.platform, class_id, voucher_id, call.body.reason, **call.acting)
    return EnrolmentStepAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/transfers",
    act=Act.MANAGE_CLASSES,
    tag="classes",
    zh="学员转班",
    en="Let somebody change to another class of the course",
    errors=(
        Invalid,
        OutOfScope,
        ClassNotFound,
        ClassStateRefused,
        NotEnrolled,
        NotRedeemedHere,
        EnrolledAlready,
        ClassesOverlap,
        ClassFull,
    ),
)
def post_transfer(call: Call[TransferRequest, Nothing], class_id: str) -> Done[TransferAnswer]:
    asked = call.body
    done = enrolling.transfer(call.platform, class_id, asked.voucher_id, asked.to_class_id, asked.reason, **call.acting)
    return TransferAnswer.done(done)


def _plans(sessions: Sequence[ClassSessionRequest]) -> tuple[SessionPlan, ...]:
    return tuple(
        SessionPlan(
            one.starts_at, one.ends_at, _place(one.place, f"/sessions/{i}/place"), one.teacher, one.makes_up_for
        )
        for i, one in enumerate(sessions)
    )


def _place(asked: ClassPlaceRequest | None, at: str) -> ClassPlace | None:
    """Raises Invalid at ``at``."""
    if asked is None:
        return None
    try:
        return ClassPlace(asked.name, check_point(asked.latitude, asked.longitude, asked.datum))
    except InvalidPoint as refused:
        raise Invalid(pointer=at, reason=refused.hint_en, reason_zh=refused.hint_zh) from None


def _told(call: Call[Any, Any], done: Done[TrainingClass]) -> Done[ClassAnswer]:
    return Done(_shown(call, done.answer), hit=done.hit)


def _shown(call: Call[Any, Any], training: TrainingClass) -> ClassAnswer:
    sessions = tuple(
        ClassSessionAnswer(
            session_id=one.session_id,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            place=ClassPlaceAnswer(
                name=one.place.name,
                latitude=one.place.point.latitude,
                longitude=one.place.point.longitude,
                datum=one.place.point.datum,
            )
            if one.place
            else None,
            teacher=one.teacher,
            makes_up_for=one.makes_up_for,
            cancelled=one.cancelled,
        )
        for one in sorted(training.sessions, key=lambda one: one.starts_at)
    )
    return ClassAnswer(
        class_id=training.class_id,
        institution_id=training.institution_id,
        course_id=training.course_id,
        region=training.region,
        name=training.name,
        teacher=training.teacher,
        capacity=training.capacity,
        enrolled=training.enrolled,
        state=state_at(training, call.now),
        sessions=sessions,
        rules=ClassRulesAnswer.of(training.rules),
        made_at=training.made_at,
        ended_at=training.ended_at,
        reason=training.reason,
        changed_at=training.changed_at,
        changed_by=training.changed_by,
        version=training.version,
    )


def _enrolment(call: Call[Any, Any], training: TrainingClass, one: Enrolment) -> EnrolmentAnswer:
    there: Attendance = attendance(one, training, call.now)
    return EnrolmentAnswer(
        voucher_id=one.voucher_id,
        masked_name=one.masked_name,
        state=one.state,
        overlaps=one.overlaps,
        attendance=AttendanceAnswer.of(there),
        check_ins=tuple(
            CheckInAnswer(
                session_id=session_id,
                result=made.result,
                way=made.way,
                at=made.at,
                metres=made.metres,
                device=made.device,
                left_at=made.left_at,
                left_by=made.left_by,
            )
            for session_id, made in sorted(one.check_ins.items())
        ),
        excused=dict(one.excused),
        rating=one.rating,
    )
