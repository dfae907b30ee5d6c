"""Staff of an institution: who may scan for it by their own e-SSC, through a channel (扫一扫)."""

from typing import Any, Self

from chalice.app import Blueprint

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.people import PersonRequest
from chalicelib.api.shapes import Instant, Listing, Nothing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AlreadyExists,
    ConcurrentChange,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    StaffNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.staff import StaffMember
from chalicelib.services import staffing
from chalicelib.services.identifying import Said

routes = Blueprint(__name__)


class StaffRequest(PersonRequest):
    """A person, who is registered once at an institution; at another one again."""


class StaffAnswer(Shown):
    """``name`` and ``id_number`` are masked. ``staff_id`` stands in histories as the operator."""

    staff_id: str
    institution_id: str
    name: str
    id_number: str
    made_at: Instant
    disabled_at: Instant | None
    version: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: StaffMember = noun
        return cls(
            staff_id=one.staff_id,
            institution_id=one.institution_id,
            name=one.masked_name,
            id_number=one.masked_number,
            made_at=one.made_at,
            disabled_at=one.disabled_at,
            version=one.version,
        )


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/staff",
    status=201,
    act=Act.MANAGE_STAFF,
    tag="staff",
    zh="登记工作人员",
    en="Register a member of staff",
    errors=(Invalid, OutOfScope, InstitutionNotFound, AlreadyExists),
)
def post_staff(call: Call[StaffRequest, Nothing], institution_id: str) -> Done[StaffAnswer]:
    p, draft = call.platform, Said(**call.body.model_dump())
    done = staffing.register_staff(p.catalogue, p.marks, p.keys, p.chance, institution_id, draft, **call.acting)
    return StaffAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/staff",
    act=Act.READ_STAFF,
    tag="staff",
    zh="机构的工作人员",
    en="Staff of an institution",
    errors=(OutOfScope, InstitutionNotFound),
)
def list_staff(call: Call[Nothing, Listing], institution_id: str) -> Page[StaffAnswer]:
    asked = call.query
    page = staffing.list_staff(call.platform.catalogue, institution_id, asked.limit, asked.cursor, actor=call.actor)
    return StaffAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/staff/{staff_id}",
    act=Act.READ_STAFF,
    tag="staff",
    zh="查询工作人员",
    en="One member of staff",
    errors=(OutOfScope, InstitutionNotFound, StaffNotFound),
)
def get_staff(call: Plain, institution_id: str, staff_id: str) -> StaffAnswer:
    found = staffing.find_staff(call.platform.catalogue, institution_id, staff_id, actor=call.actor)
    return StaffAnswer.of(found)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/staff/{staff_id}/disable",
    act=Act.MANAGE_STAFF,
    tag="staff",
    zh="停用工作人员",
    en="Disable a member of staff",
    errors=(OutOfScope, InstitutionNotFound, StaffNotFound, ConcurrentChange),
)
def disable_staff(call: Plain, institution_id: str, staff_id: str) -> Done[StaffAnswer]:
    p = call.platform
    return StaffAnswer.done(staffing.disable_staff(p.catalogue, p.marks, institution_id, staff_id, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/staff/{staff_id}/enable",
    act=Act.MANAGE_STAFF,
    tag="staff",
    zh="启用工作人员",
    en="Enable a member of staff",
    errors=(OutOfScope, InstitutionNotFound, StaffNotFound, ConcurrentChange),
)
def enable_staff(call: Plain, institution_id: str, staff_id: str) -> Done[StaffAnswer]:
    p = call.platform
    return StaffAnswer.done(staffing.enable_staff(p.catalogue, p.marks, institution_id, staff_id, **call.acting))
