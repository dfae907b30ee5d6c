"""Operators: people who answer for acts, by a signature of their own."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import (
    Asked,
    Identifier,
    Instant,
    Line,
    Nothing,
    PublicKey,
    RegionCode,
    RegionListing,
    Shown,
)
from chalicelib.domain.access import Act, Duty, must_cover
from chalicelib.domain.errors import (
    ConcurrentChange,
    InstitutionNotFound,
    Invalid,
    OperatorNotFound,
    OutOfScope,
    RegionNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import granting_access
from chalicelib.services.granting_access import OperatorDraft

routes = Blueprint(__name__)


class OperatorRequest(Asked):
    """Someone of a region's authority, or of an institution when one is named. The name is kept masked.

    ``duties``: what the operator is charged with, by which acts are allowed; an auditor has no other.
    """

    name: Annotated[Line, Field(max_length=60)]
    public_key: PublicKey
    region: RegionCode
    institution_id: Identifier | None = None
    duties: Annotated[tuple[Duty, ...], Field(min_length=1, max_length=6)] = (Duty.CLERK,)


class OperatorAnswer(Shown):
    operator_id: str
    name: str
    public_key: str
    region: str
    institution_id: str | None
    made_at: Instant
    disabled_at: Instant | None
    version: int
    duties: tuple[Duty, ...]


@answers(
    routes,
    "POST",
    "/v1/operators",
    status=201,
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="登记经办人",
    en="Register an operator",
    errors=(Invalid, OutOfScope, RegionNotFound, InstitutionNotFound),
)
def post_operator(call: Call[OperatorRequest, Nothing]) -> Done[OperatorAnswer]:
    p, draft = call.platform, OperatorDraft(**call.body.model_dump())
    granting_access.check_public_key(p.keys.operator_signatures, draft.public_key)
    return OperatorAnswer.done(granting_access.add_operator(p.catalogue, p.marks, p.chance, draft, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/operators",
    act=Act.READ_ACCESS,
    tag="access",
    zh="地区的经办人",
    en="Operators of a region",
    errors=(OutOfScope,),
)
def list_operators(call: Call[Nothing, RegionListing]) -> Page[OperatorAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    return OperatorAnswer.page(call.platform.catalogue.operators.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/operators/{operator_id}",
    act=Act.READ_ACCESS,
    tag="access",
    zh="查询经办人",
    en="One operator",
    errors=(OperatorNotFound,),
)
def get_operator(call: Plain, operator_id: str) -> OperatorAnswer:
    return OperatorAnswer.of(granting_access.find_operator(call.platform.catalogue, operator_id, call.actor))


@answers(
    routes,
    "POST",
    "/v1/operators/{operator_id}/disable",
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="停用经办人",
    en="Disable an operator",
    errors=(OutOfScope, OperatorNotFound, ConcurrentChange),
)
def disable_operator(call: Plain, operator_id: str) -> Done[OperatorAnswer]:
    p = call.platform
    return OperatorAnswer.done(granting_access.disable_operator(p.catalogue, p.marks, operator_id, **call.acting))
