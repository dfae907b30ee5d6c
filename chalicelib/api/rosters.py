"""Rosters: declare one and put its file, follow it, accept, return, cancel it."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import (
    Asked,
    Cursor,
    Identifier,
    Instant,
    Limit,
    Line,
    Listing,
    Nothing,
    Reason,
    RegionCode,
    Shown,
)
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    Invalid,
    NotDirected,
    OutOfScope,
    RegionNotFound,
    ResultNotReady,
    RosterNotFound,
    RosterStateRefused,
    TemplateNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.roster import MOST_BYTES, Roster, RosterKind, RosterState, Verdict, estimated_end, per_cent
from chalicelib.domain.voucher import State
from chalicelib.services import reporting_rosters, submitting_rosters, withdrawing_rosters
from chalicelib.services.submitting_rosters import Declaration

routes = Blueprint(__name__)


class RosterRequest(Asked):
    """What file will come: ``size`` in bytes, ``sha256`` of its content in hex; the bucket takes no other. ``kind``
    vouchers names its template; any other kind its region. ``dry_run``: judge, and issue nothing. ``all_or_nothing``:
    issue only if no row is refused."""

    kind: RosterKind = Field(default=RosterKind.VOUCHERS, strict=False)
    template_id: Identifier | None = None
    region: RegionCode | None = None
    file_name: Annotated[Line, Field(examples=["广州 第1期+花名册.xlsx"])]
    size: Annotated[int, Field(ge=1, le=MOST_BYTES, description="bytes")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    dry_run: bool = False
    all_or_nothing: bool = False


class CountsAnswer(Shown):
    """Rows by what became of them. ``issued``: of a dry run, could be issued."""

    read: int
    issued: int
    same: int
    conflict: int
    ended: int
    refused: int


class UploadAnswer(Shown):
    """Put the file by exactly this request, until ``ends_at``."""

    method: str
    url: str
    headers: dict[str, str]
    ends_at: Instant


class WithdrawalAnswer(Shown):
    """``kept``: vouchers that were used or had ended already; the rows tell which."""

    reason: str
    operator_id: str | None
    asked_at: Instant
    finished_at: Instant | None
    revoked: int
    kept: int


class RosterAnswer(Shown):
    """``rows``: people on it, once it was read through. ``problem``: why the file as a whole was refused."""

    roster_id: str
    kind: RosterKind
    template_id: str | None
    region: str
    institution_id: str | None
    file_name: str
    size: int
    state: RosterState
    dry_run: bool
    all_or_nothing: bool
    rows: int | None
    hidden_rows: int
    counts: CountsAnswer
    per_cent: int
    estimated_end: Instant | None
    problem: str | None
    problem_zh: str | None
    problem_en: str | None
    reason: str | None
    made_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    operator_id: str | None
    decided_by: str | None
    result_at: Instant | None
    withdrawal: WithdrawalAnswer | None
    version: int

    @classmethod
    def of(cls, noun: Roster) -> "RosterAnswer":
        told = {name: getattr(noun, name) for name in cls.model_fields if hasattr(noun, name)}
        told |= {
            "counts": CountsAnswer.of(noun.counts),
            "per_cent": per_cent(noun),
            "estimated_end": estimated_end(noun),
        }
        return cls(**told)


class DeclaredRosterAnswer(Shown):
    roster: RosterAnswer
    upload: UploadAnswer


class RosterListing(Listing):
    """Those of a region; for an institution, its own."""

    of: Annotated[str, Field(pattern=r"^[A-Z0-9]{6,20}$", description="a region's code or an institution's id")]


class RowAnswer(Shown):
    """What became of the row that stands as ``number`` in the sheet, and why it was refused."""

    number: int
    verdict: Verdict
    voucher_id: str | None
    code: str | None
    column: str | None
    zh: str | None
    en: str | None


class RowsAnswer(Shown):
    """The rows of one chunk, in the order of the sheet."""

    rows: tuple[RowAnswer, ...]


class WithdrawnRowAnswer(Shown):
    """``state``: the one that the voucher has since."""

    number: int
    voucher_id: str
    revoked: bool
    state: State


class WithdrawnRowsAnswer(Shown):
    """The vouchers of one chunk, in the order of the sheet."""

    rows: tuple[WithdrawnRowAnswer, ...]


class ChunkListing(Asked):
    """Pages are chunks of some forty rows each, up to four hundred."""

    limit: Annotated[Limit, Field(le=100)] = 10
    cursor: Cursor | None = None


class FileAnswer(Shown):
    """Fetch it by GET, without any header, until ``ends_at``."""

    url: str
    ends_at: Instant


class WorkbookQuery(Asked):
    """For which kind of roster; a roster of vouchers unless told. ``region``: with the columns that its rules add."""

    kind: RosterKind = Field(default=RosterKind.VOUCHERS, strict=False)
    region: RegionCode | None = None


class RosterReasonRequest(Asked):
    reason: Reason


@answers(
    routes,
    "POST",
    "/v1/rosters",
    status=201,
    act=Act.SUBMIT_ROSTERS,
    tag="rosters",
    zh="申报名单并取得上传地址",
    en="Declare a roster and get the address for its file",
    errors=(Invalid, OutOfScope, RegionNotFound, TemplateNotFound, NotDirected),
)
def post_roster(call: Call[RosterRequest, Nothing]) -> Done[DeclaredRosterAnswer]:
    p = call.platform
    done = submitting_rosters.declare_roster(p, Declaration(**call.body.model_dump()), **call.acting)
    upload = submitting_rosters.upload_of(p, done.answer, call.now)
    answer = DeclaredRosterAnswer(roster=RosterAnswer.of(done.answer), upload=UploadAnswer.of(upload))
    return Done(answer, hit=done.hit)


@answers(
    routes,
    "GET",
    "/v1/rosters",
    act=Act.READ_ROSTERS,
    tag="rosters",
    zh="名单列表",
    en="The rosters of a region or of an institution",
    errors=(OutOfScope, RegionNotFound),
)
def list_rosters(call: Call[Nothing, RosterListing]) -> Page[RosterAnswer]:
    asked = call.query
    page = submitting_rosters.list_rosters(call.platform, asked.of, asked.limit, asked.cursor, actor=call.actor)
    return Page(tuple(RosterAnswer.of(one) for one in page.items), page.cursor)


@answers(
    routes,
    "GET",
    "/v1/rosters/template",
    act=Act.READ_CATALOGUE,
    tag="rosters",
    zh="下载名单模板",
    en="Where to fetch the workbook to fill in",
    errors=(RegionNotFound,),
)
def get_workbook(call: Call[Nothing, WorkbookQuery]) -> FileAnswer:
    asked = call.query
    return FileAnswer.of(reporting_rosters.template_of(call.platform, asked.kind, asked.region, call.now))


@answers(
    routes,
    "GET",
    "/v1/rosters/{roster_id}/result",
    act=Act.READ_ROSTERS,
    tag="rosters",
    zh="下载处理结果",
    en="Where to fetch the result workbook",
    errors=(RosterNotFound, ResultNotReady),
)
def get_result(call: Plain, roster_id: str) -> FileAnswer:
    p = call.platform
    roster = submitting_rosters.find_roster(p, roster_id, actor=call.actor)
    return FileAnswer.of(reporting_rosters.result_of(p, roster, call.now))


@answers(
    routes,
    "GET",
    "/v1/rosters/{roster_id}/rows",
    act=Act.READ_ROSTERS,
    tag="rosters",
    zh="逐行处理结果",
    en="What became of each row, chunk by chunk",
    errors=(RosterNotFound,),
)
def list_rows(call: Call[Nothing, ChunkListing], roster_id: str) -> Page[RowsAnswer]:
    asked, p = call.query, call.platform
    submitting_rosters.find_roster(p, roster_id, actor=call.actor)
    return RowsAnswer.page(p.rosters.chunks(roster_id, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/rosters/{roster_id}/withdrawn",
    act=Act.READ_ROSTERS,
    tag="rosters",
    zh="撤回结果",
    en="What the withdrawal did with each voucher, chunk by chunk",
    errors=(RosterNotFound,),
)
def list_withdrawn(call: Call[Nothing, ChunkListing], roster_id: str) -> Page[WithdrawnRowsAnswer]:
    asked, p = call.query, call.platform
    submitting_rosters.find_roster(p, roster_id, actor=call.actor)
    return WithdrawnRowsAnswer.page(p.rosters.withdrawn(roster_id, asked.limit, asked.cursor))


@answers(
    routes,
    "POST",
    "/v1/rosters/{roster_id}/withdrawal",
    act=Act.REVOKE,
    tag="rosters",
    zh="撤回整份名单（未使用的券作废）",
    en="Withdraw a whole roster: revoke what is unused",
    errors=(RosterNotFound, OutOfScope, RosterStateRefused),
)
def post_withdrawal(call: Call[RosterReasonRequest, Nothing], roster_id: str) -> Done[RosterAnswer]:
    done = withdrawing_rosters.withdraw_roster(call.platform, roster_id, call.body.reason, **call.acting)
    return Done(RosterAnswer.of(done.answer), hit=done.hit)


@answers(
    routes,
    "GET",
    "/v1/rosters/{roster_id}",
    act=Act.READ_ROSTERS,
    tag="rosters",
    zh="查询名单及进度",
    en="One roster and how far it has come",
    errors=(RosterNotFound,),
)
def get_roster(call: Plain, roster_id: str) -> RosterAnswer:
    return RosterAnswer.of(submitting_rosters.find_roster(call.platform, roster_id, actor=call.actor))


@answers(
    routes,
    "POST",
    "/v1/rosters/{roster_id}/acceptance",
    act=Act.ISSUE,
    tag="rosters",
    zh="接受培训机构上报的名单",
    en="Accept a roster that was submitted",
    errors=(RosterNotFound, OutOfScope, RosterStateRefused),
)
def post_acceptance(call: Plain, roster_id: str) -> Done[RosterAnswer]:
    done = submitting_rosters.accept_roster(call.platform, roster_id, **call.acting)
    return Done(RosterAnswer.of(done.answer), hit=done.hit)


@answers(
    routes,
    "POST",
    "/v1/rosters/{roster_id}/return",
    act=Act.ISSUE,
    tag="rosters",
    zh="退回培训机构上报的名单",
    en="Give a roster that was submitted back",
    errors=(RosterNotFound, OutOfScope, RosterStateRefused),
)
def post_roster_return(call: Call[RosterReasonRequest, Nothing], roster_id: str) -> Done[RosterAnswer]:
    done = submitting_rosters.return_roster(call.platform, roster_id, call.body.reason, **call.acting)
    return Done(RosterAnswer.of(done.answer), hit=done.hit)


@answers(
    routes,
    "POST",
    "/v1/rosters/{roster_id}/cancellation",
    act=Act.SUBMIT_ROSTERS,
    tag="rosters",
    zh="取消名单",
    en="Stop a roster",
    errors=(RosterNotFound, OutOfScope, RosterStateRefused),
)
def post_cancellation(call: Call[RosterReasonRequest, Nothing], roster_id: str) -> Done[RosterAnswer]:
    done = submitting_rosters.cancel_roster(call.platform, roster_id, call.body.reason, **call.acting)
    return Done(RosterAnswer.of(done.answer), hit=done.hit)
