"""Check-ins (打卡签到): by the person through a channel, by staff who scan, by hand; and the class's rotating code."""

from typing import Annotated, Self

from chalice.app import Blueprint
from pydantic import ConfigDict, Field, JsonValue, model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.classes import EnrolmentStepAnswer
from chalicelib.api.shapes import Asked, Identifier, Instant, Line, Nothing, Reason, Shown, exactly_one, told_as_one
from chalicelib.domain import errors
from chalicelib.domain.access import Act
from chalicelib.domain.check_in import Position, Result
from chalicelib.domain.outcomes import Done
from chalicelib.services import checking_in
from chalicelib.services.identifying import Presented

routes = Blueprint(__name__)

SessionId = Annotated[str, Field(pattern=r"^S[0-9]{3}$")]
_OF_THE_CLASS = (
    errors.ClassStateRefused,
    errors.SessionNotFound,
    errors.SessionOver,
    errors.CheckInNotOpen,
    errors.CheckInOver,
)


class PositionRequest(Asked):
    """As the device says it: decimal degrees of ``datum``, metres of ``accuracy``. ``mocked``: the system says that the
    position is made up. A position that cannot be meant is refused with a code of its own."""

    latitude: Annotated[float, Field(ge=-1000, le=1000)]
    longitude: Annotated[float, Field(ge=-1000, le=1000)]
    datum: Annotated[str, Field(max_length=20, examples=["gcj02"])]
    accuracy: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    mocked: bool = False


_ONLY_POSITION: dict[str, JsonValue] = {
    "required": ["position"],
    "properties": {"position": {"type": "object"}, "class_code": {"type": "null"}},
}
_ONLY_CODE: dict[str, JsonValue] = {
    "required": ["class_code"],
    "properties": {"class_code": {"type": "string"}, "position": {"type": "null"}},
}


class CheckInRequest(Asked):
    """Exactly one of ``position`` and ``class_code``. ``session_id``: the one that goes on, unless told. ``device``:
    what tells the channel's devices apart; only a digest of it is kept. ``leaving``: check out (签退) instead of in."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["position"],
                    "properties": {"position": {"type": "object"}, "class_code": {"type": "null"}},
                },
                {
                    "required": ["class_code"],
                    "properties": {"class_code": {"type": "string"}, "position": {"type": "null"}},
                },
            ]
        }
    )

    class_id: Identifier
    session_id: SessionId | None = None
    position: PositionRequest | None = None
    class_code: Annotated[str, Field(min_length=20, max_length=120)] | None = None
    device: Annotated[str, Field(min_length=8, max_length=200)] | None = None
    leaving: bool = False

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "position", "class_code")
        return self


class ScanRequest(Asked):
    """Exactly one of ``token`` (the person's QR code), ``code`` (typed) and ``card_read`` (with ``template_id``).
    ``leaving``: they check out instead of in."""

    model_config = told_as_one("token", "code", "card_read", card_read="template_id")

    session_id: SessionId | None = None
    leaving: bool = False
    token: Annotated[str, Field(max_length=1000)] | None = None
    code: Annotated[str, Field(max_length=60)] | None = None
    card_read: Annotated[str, Field(max_length=8000)] | None = None
    template_id: Identifier | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "token", "code", "card_read")
        if self.card_read is not None:
            exactly_one(self, "template_id")
        return self


class ByHandRequest(Asked):
    """``leaving``: that somebody who checked in stayed to the end, whatever check-out there is."""

    voucher_id: Identifier
    session_id: SessionId
    reason: Reason
    late: bool = False
    leaving: bool = False


class LeaveRequest(Asked):
    voucher_id: Identifier
    session_id: SessionId
    reason: Reason


class ClassCodeQuery(Asked):
    session_id: SessionId | None = None


class ClassCodeAnswer(Shown):
    """Show it as a QR code until ``ends_at``, then ask again; it is dead after one more period."""

    code: str
    session_id: str
    ends_at: Instant


@answers(
    routes,
    "POST",
    "/v1/check-ins",
    status=201,
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="classes",
    zh="学员签到",
    en="Check in by location, or by the class's code",
    errors=(
        errors.NotEnrolled,
        *_OF_THE_CLASS,
        errors.AlreadyCheckedIn,
        errors.NotCheckedIn,
        errors.AlreadyCheckedOut,
        errors.ClassCodeNotAccepted,
        errors.OnlineSession,
        errors.PositionMocked,
        errors.DatumUnknown,
        errors.PositionInvalid,
        errors.PositionZero,
        errors.PositionSwapped,
        errors.PositionOutsideChina,
        errors.PositionInaccurate,
        errors.TooFar,
        errors.TooFast,
    ),
)
def post_check_in(call: Call[CheckInRequest, Nothing]) -> Done[EnrolmentStepAnswer]:
    asked = call.body
    shown = Position(**asked.position.model_dump()) if asked.position else asked.class_code or ""
    done = checking_in.check_in_holder(
        call.platform,
        asked.class_id,
        asked.session_id,
        shown,
        asked.device,
        leaving=asked.leaving,
        session=call.session,
        **call.acting,
    )
    return EnrolmentStepAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/classes/{class_id}/code",
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="班级签到码",
    en="The class's rotating code, to show in the room",
    errors=(errors.OutOfScope, errors.ClassNotFound, *_OF_THE_CLASS),
)
def get_class_code(call: Call[Nothing, ClassCodeQuery], class_id: str) -> ClassCodeAnswer:
    code = checking_in.show_class_code(call.platform, class_id, call.query.session_id, actor=call.actor, now=call.now)
    return ClassCodeAnswer.of(code)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/check-ins",
    status=201,
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="扫描学员签到",
    en="Scan a trainee's code, or read their card, to check them in",
    errors=(
        errors.TokenNotAccepted,
        errors.CodeNotAccepted,
        errors.CardReadNotAccepted,
        errors.Invalid,
        errors.OutOfScope,
        errors.ClassNotFound,
        errors.VoucherNotFound,
        errors.NotEnrolled,
        *_OF_THE_CLASS,
        errors.AlreadyCheckedIn,
        errors.NotCheckedIn,
        errors.AlreadyCheckedOut,
    ),
)
def post_scan(call: Call[ScanRequest, Nothing], class_id: str) -> Done[EnrolmentStepAnswer]:
    asked = call.body
    presented = Presented(token=asked.token, code=asked.code, card_read=asked.card_read, template_id=asked.template_id)
    done = checking_in.scan_holder(
        call.platform, class_id, asked.session_id, presented, leaving=asked.leaving, **call.acting
    )
    return EnrolmentStepAnswer.done(done)


class ReportRequest(Asked):
    """``at``: when the person checked in, or (``leaving``) out, by the tool's own clock."""

    voucher_id: Identifier
    session_id: SessionId
    at: Instant
    leaving: bool = False


class ReportsRequest(Asked):
    """Check-ins of the region's own tool, each of which counts once whatever is sent again."""

    tool: Annotated[Line, Field(max_length=60)]
    items: Annotated[tuple[ReportRequest, ...], Field(min_length=1, max_length=50)]


class ReportedAnswer(Shown):
    """``code``: why it does not count."""

    voucher_id: str
    session_id: str
    leaving: bool
    result: Result | None
    code: str | None
    zh: str | None
    en: str | None


class ReportedListAnswer(Shown):
    results: tuple[ReportedAnswer, ...]


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/check-ins/reported",
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="批量上报签到（地方自有工具、离线补传）",
    en="Report check-ins of the region's own tool, also late ones",
    errors=(errors.OutOfScope, errors.ClassNotFound),
)
def post_reports(call: Call[ReportsRequest, Nothing], class_id: str) -> Done[ReportedListAnswer]:
    asked = call.body
    reports = [checking_in.Report(one.voucher_id, one.session_id, one.at, one.leaving) for one in asked.items]
    done = checking_in.take_reports(call.platform, class_id, asked.tool, reports, **call.acting)
    return ReportedListAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/check-ins/by-hand",
    status=201,
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="人工补签",
    en="Enter a check-in by hand, with a reason",
    errors=(
        errors.OutOfScope,
        errors.ClassNotFound,
        errors.NotEnrolled,
        *_OF_THE_CLASS,
        errors.AlreadyCheckedIn,
        errors.NotCheckedIn,
        errors.AlreadyCheckedOut,
        errors.TooManyByHand,
    ),
)
def post_by_hand(call: Call[ByHandRequest, Nothing], class_id: str) -> Done[EnrolmentStepAnswer]:
    asked = call.body
    done = checking_in.enter_by_hand(
        call.platform,
        class_id,
        asked.session_id,
        asked.voucher_id,
        asked.reason,
        late=asked.late,
        leaving=asked.leaving,
        **call.acting,
    )
    return EnrolmentStepAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/leaves",
    status=201,
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="登记请假",
    en="Enter leave from a session",
    errors=(
        errors.OutOfScope,
        errors.ClassNotFound,
        errors.ClassStateRefused,
        errors.NotEnrolled,
        errors.SessionNotFound,
        errors.AlreadyCheckedIn,
        errors.AlreadyExcused,
    ),
)
def post_leave(call: Call[LeaveRequest, Nothing], class_id: str) -> Done[EnrolmentStepAnswer]:
    asked = call.body
    done = checking_in.excuse(call.platform, class_id, asked.session_id, asked.voucher_id, asked.reason, **call.acting)
    return EnrolmentStepAnswer.done(done)
