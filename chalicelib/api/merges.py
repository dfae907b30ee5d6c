"""Merges: two records that are one person; one operator proposes, another confirms, for 30 days it can be undone."""

from chalice.app import Blueprint

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Identifier, Instant, Nothing, Reason, RegionListing, Shown
from chalicelib.domain.access import Act, must_cover
from chalicelib.domain.errors import (
    BothHold,
    Invalid,
    MergeNotFound,
    MergeStateRefused,
    OutOfScope,
    PersonNotFound,
    RecordsLinked,
    RelationsStand,
    SameOperator,
    UndoWindowOver,
)
from chalicelib.domain.merge import MergeState
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import merging

routes = Blueprint(__name__)


class MergeRequest(Asked):
    """``survivor``: the record that stays; ``other``: the one whose numbers lead to it from the confirmation on."""

    survivor: Identifier
    other: Identifier
    reason: Reason


class UndoRequest(Asked):
    reason: Reason


class MergeAnswer(Shown):
    """``both_have``: templates of which each record has a voucher, one of them to no use any more."""

    merge_id: str
    survivor: str
    other: str
    region: str
    reason: str
    both_have: tuple[str, ...]
    state: MergeState
    proposed_by: str
    proposed_at: Instant
    confirmed_by: str | None
    confirmed_at: Instant | None
    undone_by: str | None
    undone_at: Instant | None
    undo_reason: str | None
    version: int


@answers(
    routes,
    "POST",
    "/v1/merges",
    status=201,
    act=Act.MERGE_PEOPLE,
    tag="people",
    zh="提出合并两份档案",
    en="Propose to merge two records of one person",
    errors=(Invalid, PersonNotFound, RecordsLinked, RelationsStand, BothHold),
)
def post_merge(call: Call[MergeRequest, Nothing]) -> Done[MergeAnswer]:
    p, asked = call.platform, call.body
    done = merging.propose_merge(
        p.people, p.merges, p.marks, p.chance, asked.survivor, asked.other, asked.reason, **call.acting
    )
    return MergeAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/merges/{merge_id}/confirm",
    act=Act.MERGE_PEOPLE,
    tag="people",
    zh="由另一名经办人确认合并",
    en="Confirm a merge, as another operator",
    errors=(SameOperator, MergeNotFound, PersonNotFound, MergeStateRefused, RecordsLinked, RelationsStand, BothHold),
)
def confirm_merge(call: Plain, merge_id: str) -> Done[MergeAnswer]:
    p = call.platform
    return MergeAnswer.done(merging.confirm_merge(p.people, p.merges, p.marks, p.keys, merge_id, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/merges/{merge_id}/undo",
    act=Act.MERGE_PEOPLE,
    tag="people",
    zh="撤销合并（30 日内）",
    en="Undo a merge, within 30 days",
    errors=(MergeNotFound, PersonNotFound, MergeStateRefused, UndoWindowOver),
)
def undo_merge(call: Call[UndoRequest, Nothing], merge_id: str) -> Done[MergeAnswer]:
    p, reason = call.platform, call.body.reason
    return MergeAnswer.done(merging.undo_merge(p.people, p.merges, p.marks, p.keys, merge_id, reason, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/merges",
    act=Act.READ_PEOPLE,
    tag="people",
    zh="地区的合并申请",
    en="Merges that a region's operators proposed",
    errors=(OutOfScope,),
)
def list_merges(call: Call[Nothing, RegionListing]) -> Page[MergeAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    return MergeAnswer.page(call.platform.merges.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/merges/{merge_id}",
    act=Act.READ_PEOPLE,
    tag="people",
    zh="查询合并申请",
    en="One merge",
    errors=(MergeNotFound,),
)
def get_merge(call: Plain, merge_id: str) -> MergeAnswer:
    return MergeAnswer.of(merging.find_merge(call.platform.merges, merge_id, actor=call.actor))
