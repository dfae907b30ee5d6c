"""Rosters: declare one and put its file, follow it, accept, return, cancel it."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Identifier, Instant, Line, Listing, Nothing, Reason, RegionCode, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    Invalid,
    NotDirected,
    OutOfScope,
    RegionNotFound,
    RosterNotFound,
    RosterStateRefused,
    TemplateNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.roster import MOST_BYTES, Kind, Roster, RosterState, estimated_end, per_cent
from chalicelib.services import submitting_rosters
from chalicelib.services.submitting_rosters import Declaration

routes = Blueprint(__name__)


class RosterRequest(Asked):
    """What file will come: ``size`` in bytes, ``sha256`` of its content in hex; the bucket takes no other. ``kind``
    vouchers names its template; any other kind its region. ``dry_run``: judge, and issue nothing. ``all_or_nothing``:
    issue only if no row is refused."""

    kind: Kind = Field(default=Kind.VOUCHERS, strict=False)
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


class RosterAnswer(Shown):
    """``rows``: people on it, once it was read through. ``problem``: why the file as a whole was refused."""

    roster_id: str
    kind: Kind
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
def post_return(call: Call[RosterReasonRequest, Nothing], roster_id: str) -> Done[RosterAnswer]:
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
