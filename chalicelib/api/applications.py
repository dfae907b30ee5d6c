"""Applications for money (资金申请): opened, followed, cancelled; reviewed by line and in bulk."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.rosters import FileAnswer, UploadAnswer
from chalicelib.api.shapes import (
    AmountFen,
    Asked,
    Day,
    Identifier,
    Instant,
    Line,
    Listing,
    Nothing,
    Reason,
    RegionCode,
    Shown,
)
from chalicelib.domain import application as domain
from chalicelib.domain import errors
from chalicelib.domain.access import Act
from chalicelib.domain.application import (
    MOST_LINES,
    Application,
    ApplicationState,
    Decision,
    Filter,
    LineState,
    LineVerdict,
    OutsideOutcome,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.programme import Payee
from chalicelib.services import applying, attaching, reviewing, withdrawing_approvals

routes = Blueprint(__name__)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[int, Field(ge=0, le=100)]


class LineRequest(Asked):
    """``claimed_fen``: as much as the voucher and the programme allow, unless told."""

    voucher_id: Identifier
    claimed_fen: Annotated[AmountFen, Field(ge=1)] | None = None


class ApplicationRequest(Asked):
    """For a finished class, to the region that pays. ``lines``: voucher by voucher; else whoever completed the class.
    ``claimed_fen``: of each, where a line tells no sum."""

    class_id: Identifier
    region: RegionCode
    claimed_fen: Annotated[AmountFen, Field(ge=1)] | None = None
    lines: Annotated[tuple[LineRequest, ...], Field(max_length=MOST_LINES)] = ()


class AttachmentRequest(Asked):
    """What file will come: ``size`` in bytes, ``sha256`` of its content in hex; the bucket takes no other."""

    kind: Annotated[Line, Field(max_length=30, examples=["签到表"])]
    file_name: Annotated[Line, Field(examples=["第1期签到表.pdf"])]
    size: Annotated[int, Field(ge=1, le=50 * 1024 * 1024, description="bytes")]
    sha256: Sha256


class ApplicationReasonRequest(Asked):
    reason: Reason


class DecisionRequest(Asked):
    """``fen``: how much of each is granted, with ``approve_less`` and only there. ``reason``: one of the region's,
    unless it is granted; ``text``: in one's own words."""

    verdict: LineVerdict = Field(strict=False)
    fen: Annotated[AmountFen, Field(ge=1)] | None = None
    reason: Reason | None = None
    text: Reason | None = None


class LinesDecisionRequest(DecisionRequest):
    voucher_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=reviewing.MOST_AT_ONCE)]


class WithdrawnApprovalsRequest(Asked):
    """Of granted lines, not paid yet. ``reason``: one of the region's; ``text``: in one's own words."""

    voucher_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=reviewing.MOST_AT_ONCE)]
    reason: Reason
    text: Reason | None = None


class BulkDecisionRequest(DecisionRequest):
    """Of all lines that wait and match: per cent of attendance, check-ins by hand, template."""

    least_percent: Percent | None = None
    most_percent: Percent | None = None
    most_by_hand: Annotated[int, Field(ge=0, le=200)] | None = None
    template_id: Identifier | None = None


class ApplicationListing(Listing):
    """Those of a payer region, or of an institution. ``waiting``: of a region, to be reviewed, the first due first;
    ``overdue``: of these, not reviewed in time."""

    of: Annotated[str, Field(pattern=r"^[A-Z0-9]{6,20}$", description="a region's code or an institution's id")]
    waiting: Annotated[bool, Field(strict=False)] = False
    overdue: Annotated[bool, Field(strict=False)] = False


class LineListing(Listing):
    """``state``: only lines in this one; a page may then be short, or empty, and go on."""

    state: LineState | None = Field(default=None, strict=False)


class AttachmentAnswer(Shown):
    """``stored_version``: null until the file was put and confirmed."""

    attachment_id: str
    kind: str
    file_name: str
    size: int
    sha256: str
    declared_at: Instant
    stored_version: str | None
    stored_at: Instant | None
    stored_by: str | None


class DeclaredAttachmentAnswer(Shown):
    attachment: AttachmentAnswer
    upload: UploadAnswer


class BulkAnswer(Shown):
    """A decision in bulk: ``decided`` lines so far, ``passed_over`` those that cannot be decided so. What was asked for
    stands beside it: ``least_percent`` to ``template_id`` are the filter."""

    verdict: LineVerdict
    fen: int | None
    reason: str | None
    text: str | None
    least_percent: int | None
    most_percent: int | None
    most_by_hand: int | None
    template_id: str | None
    asked_at: Instant
    operator_id: str | None
    decided: int
    passed_over: int
    finished_at: Instant | None


class LineCountAnswer(Shown):
    state: LineState
    lines: int


class PublicityAnswer(Shown):
    """Published, masked, until the end of the local date ``until``."""

    published_at: Instant
    until: Day
    operator_id: str | None


class ObjectionAnswer(Shown):
    """``upheld``: null while it is open; ``answer``: what was found."""

    number: int
    voucher_id: str
    text: str
    entered_at: Instant
    entered_by: str | None
    upheld: bool | None
    answer: str | None
    resolved_at: Instant | None
    resolved_by: str | None


class ApplicationAnswer(Shown):
    """``counts``: lines by state. Money in fen: claimed of what was accepted, approved of what was granted, paid.
    ``external``: reviewed and paid in the region's own system. ``reminded_on``: when its review was overdue."""

    application_id: str
    institution_id: str
    class_id: str
    region: str
    state: ApplicationState
    requested_by: str | None
    made_at: Instant
    submitted_at: Instant | None
    due_on: Day | None
    reminded_on: Day | None
    decided_at: Instant | None
    settled_at: Instant | None
    counts: tuple[LineCountAnswer, ...]
    claimed_fen: int
    approved_fen: int
    paid_fen: int
    external: bool
    reason: str | None
    bulk: BulkAnswer | None
    attachments: tuple[AttachmentAnswer, ...]
    publicity: PublicityAnswer | None
    objections: tuple[ObjectionAnswer, ...]
    version: int

    @classmethod
    def of(cls, noun: Application) -> "ApplicationAnswer":
        told = {name: getattr(noun, name) for name in cls.model_fields}
        bulk = noun.bulk
        told |= {
            "counts": tuple(LineCountAnswer(state=state, lines=n) for state, n in sorted(noun.counts.items()) if n),
            "attachments": tuple(AttachmentAnswer.of(one) for one in noun.attachments),
            "publicity": noun.publicity and PublicityAnswer.of(noun.publicity),
            "objections": tuple(ObjectionAnswer.of(one) for one in noun.objections),
            "bulk": bulk
            and BulkAnswer(
                verdict=bulk.decision.verdict,
                fen=bulk.decision.fen,
                reason=bulk.decision.reason,
                text=bulk.decision.text,
                least_percent=bulk.filter.least_percent,
                most_percent=bulk.filter.most_percent,
                most_by_hand=bulk.filter.most_by_hand,
                template_id=bulk.filter.template_id,
                asked_at=bulk.asked_at,
                operator_id=bulk.operator_id,
                decided=bulk.done,
                passed_over=bulk.passed_over,
                finished_at=bulk.finished_at,
            ),
        }
        return cls(**told)


class EvidenceAnswer(Shown):
    """That the class was completed by the rule frozen on it; ``evidence`` is the hash of the enrolment's last entry.
    ``cancelled``: sessions that were not held."""

    class_id: str
    completed_at: Instant
    held: int
    attended: int
    percent: int
    needed: int
    by_hand: int
    cancelled: int
    minutes: int
    enrolment_version: int
    evidence: str


class LineActAnswer(Shown):
    step: str
    at: Instant
    operator_id: str | None
    fen: int | None
    reason: str | None
    text: str | None


class OutsideResultAnswer(Shown):
    """What the region's own system made of it."""

    outcome: OutsideOutcome
    settled_on: Day
    fen: int | None
    reference: str | None
    reason: str | None


class LineAnswer(Shown):
    """``code``: why it was not accepted. ``acts``: who did what to it, the oldest first. ``outside``: what the region's
    own system made of it."""

    voucher_id: str
    template_id: str
    account_id: str
    masked_name: str
    state: LineState
    payee: Payee
    claimed_fen: int
    ceiling_fen: int
    granted_fen: int | None
    paid_fen: int
    redeemed_at: Instant | None
    proof: str | None
    completion: EvidenceAnswer | None
    code: str | None
    zh: str | None
    en: str | None
    reviewed_by: str | None
    approved_by: str | None
    batch_id: str | None
    failures: int
    outside: OutsideResultAnswer | None
    acts: tuple[LineActAnswer, ...]


_TO_REVIEW = (
    errors.Invalid,
    errors.OutOfScope,
    errors.ApplicationNotFound,
    errors.ApplicationStateRefused,
    errors.ApplicationBusy,
    errors.SettledElsewhere,
    errors.InstitutionNotAdmitted,
    errors.InstitutionNotFound,
    errors.AttachmentsMissing,
    errors.SameOperator,
)


@answers(
    routes,
    "POST",
    "/v1/applications",
    status=202,
    act=Act.APPLY,
    tag="applications",
    zh="提交资金申请",
    en="Apply for the money of a class; a job builds the lines",
    errors=(
        errors.Invalid,
        errors.OutOfScope,
        errors.ClassNotFound,
        errors.ClassStateRefused,
        errors.RegionNotFound,
        errors.InstitutionNotFound,
        errors.InstitutionNotAdmitted,
    ),
)
def post_application(call: Call[ApplicationRequest, Nothing]) -> Done[ApplicationAnswer]:
    asked = call.body
    lines = tuple((one.voucher_id, one.claimed_fen) for one in asked.lines)
    draft = applying.ApplicationDraft(asked.class_id, asked.region, asked.claimed_fen, lines)
    done = applying.open_application(call.platform, draft, **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/applications",
    act=Act.READ_APPLICATIONS,
    tag="applications",
    zh="资金申请列表（含待审、超期未审）",
    en="Applications of a region or of an institution; those to be reviewed, or not reviewed in time",
    errors=(errors.Invalid, errors.ApplicationNotFound),
)
def list_applications(call: Call[Nothing, ApplicationListing]) -> Page[ApplicationAnswer]:
    asked = call.query
    page = applying.list_applications(
        call.platform,
        asked.of,
        asked.limit,
        asked.cursor,
        waiting=asked.waiting,
        overdue=asked.overdue,
        actor=call.actor,
        now=call.now,
    )
    return ApplicationAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/applications/{application_id}",
    act=Act.READ_APPLICATIONS,
    tag="applications",
    zh="查询资金申请及进度",
    en="One application and how far it has come",
    errors=(errors.ApplicationNotFound,),
)
def get_application(call: Plain, application_id: str) -> ApplicationAnswer:
    return ApplicationAnswer.of(applying.find_application(call.platform, application_id, actor=call.actor))


@answers(
    routes,
    "GET",
    "/v1/applications/{application_id}/lines",
    act=Act.READ_APPLICATIONS,
    tag="applications",
    zh="申请明细：用券与出勤凭据",
    en="Its lines, with usage and attendance",
    errors=(errors.ApplicationNotFound,),
)
def list_lines(call: Call[Nothing, LineListing], application_id: str) -> Page[LineAnswer]:
    asked = call.query
    page = applying.list_lines(
        call.platform, application_id, asked.limit, asked.cursor, state=asked.state, actor=call.actor
    )
    return LineAnswer.page(page)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/cancellation",
    status=202,
    act=Act.APPLY,
    tag="applications",
    zh="撤销资金申请",
    en="Take an application back",
    errors=(
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.ApplicationStateRefused,
        errors.ApplicationBusy,
        errors.SettledElsewhere,
    ),
)
def cancel_application(call: Call[ApplicationReasonRequest, Nothing], application_id: str) -> Done[ApplicationAnswer]:
    done = applying.cancel_application(call.platform, application_id, call.body.reason, **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/attachments",
    status=201,
    act=Act.APPLY,
    tag="applications",
    zh="申报附件并取得上传地址",
    en="Declare an attachment and get the address for its file",
    errors=(
        errors.Invalid,
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.ApplicationStateRefused,
        errors.ApplicationBusy,
    ),
)
def post_attachment(call: Call[AttachmentRequest, Nothing], application_id: str) -> Done[DeclaredAttachmentAnswer]:
    asked = call.body
    done = attaching.declare_attachment(
        call.platform, application_id, asked.kind, asked.file_name, asked.size, asked.sha256, **call.acting
    )
    upload = attaching.upload_of(call.platform, done.answer, call.now)
    answer = DeclaredAttachmentAnswer(attachment=AttachmentAnswer.of(done.answer), upload=UploadAnswer.of(upload))
    return Done(answer, hit=done.hit)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/attachments/{attachment_id}",
    act=Act.APPLY,
    tag="applications",
    zh="确认附件已上传",
    en="Confirm that the file was put",
    errors=(
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.AttachmentNotFound,
        errors.ApplicationStateRefused,
        errors.ApplicationBusy,
        errors.AttachmentNotStored,
    ),
)
def confirm_attachment(call: Plain, application_id: str, attachment_id: str) -> Done[ApplicationAnswer]:
    done = attaching.confirm_attachment(call.platform, application_id, attachment_id, **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/applications/{application_id}/attachments/{attachment_id}",
    act=Act.READ_APPLICATIONS,
    tag="applications",
    zh="下载附件",
    en="Where to fetch an attachment",
    errors=(errors.ApplicationNotFound, errors.AttachmentNotFound, errors.AttachmentNotStored),
)
def get_attachment(call: Plain, application_id: str, attachment_id: str) -> FileAnswer:
    found = attaching.attachment_of(call.platform, application_id, attachment_id, actor=call.actor, now=call.now)
    return FileAnswer.of(found)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/decisions",
    act=Act.REVIEW,
    tag="applications",
    zh="逐券审核",
    en="Decide some lines: approve, approve less, return, refuse",
    errors=(*_TO_REVIEW, errors.LineNotFound, errors.LineStateRefused, errors.OverClaim),
)
def post_decisions(call: Call[LinesDecisionRequest, Nothing], application_id: str) -> Done[ApplicationAnswer]:
    asked = call.body
    done = reviewing.decide_lines(call.platform, application_id, asked.voucher_ids, _decision(asked), **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/decisions/bulk",
    status=202,
    act=Act.REVIEW,
    tag="applications",
    zh="批量审核",
    en="Decide all lines that match; a job carries it out",
    errors=_TO_REVIEW,
)
def post_bulk(call: Call[BulkDecisionRequest, Nothing], application_id: str) -> Done[ApplicationAnswer]:
    asked = call.body
    wanted = Filter(
        least_percent=asked.least_percent,
        most_percent=asked.most_percent,
        most_by_hand=asked.most_by_hand,
        template_id=asked.template_id,
    )
    done = reviewing.review_in_bulk(call.platform, application_id, wanted, _decision(asked), **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/withdrawn-approvals",
    act=Act.REVIEW,
    tag="applications",
    zh="撤销审核通过",
    en="Refuse lines that were granted and are not paid",
    errors=(
        errors.Invalid,
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.SettledElsewhere,
        errors.SameOperator,
        errors.ApplicationStateRefused,
        errors.ApplicationBusy,
        errors.LineNotFound,
        errors.LineStateRefused,
    ),
)
def post_withdrawn_approvals(
    call: Call[WithdrawnApprovalsRequest, Nothing], application_id: str
) -> Done[ApplicationAnswer]:
    asked = call.body
    done = withdrawing_approvals.withdraw_approvals(
        call.platform, application_id, asked.voucher_ids, asked.reason, asked.text, **call.acting
    )
    return ApplicationAnswer.done(done)


def _decision(asked: DecisionRequest) -> Decision:
    return domain.Decision(asked.verdict, asked.fen, asked.reason, asked.text)
