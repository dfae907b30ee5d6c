"""Institutions and their admission."""

from typing import Annotated, Any, Literal, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Instant, Line, Listing, Nothing, Reason, RegionCode, RegionListing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.application import ApplicationState
from chalicelib.domain.coordinates import Datum
from chalicelib.domain.errors import (
    AdmissionStepRefused,
    AlreadyExists,
    ConcurrentChange,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    RegionNotFound,
)
from chalicelib.domain.institution import Admission, AdmissionStep, Institution, Kind
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.training_class import ClassState, state_at
from chalicelib.services import cataloguing, looking_at_affected
from chalicelib.services.cataloguing import InstitutionDraft

routes = Blueprint(__name__)

Degrees = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,12})?$", examples=["22.543096"])]


class Coordinates(Asked):
    """Decimal degrees as text, kept as they are given, in the datum that they were measured in."""

    latitude: Degrees
    longitude: Degrees
    datum: Datum


class InstitutionRequest(Asked):
    """``institution_id`` is the unified social credit code (GB 32100). A ``candidate`` is admitted by an act of its
    own."""

    institution_id: Annotated[str, Field(min_length=1, max_length=30, examples=["91350100M000100Y43"])]
    region: RegionCode
    name_zh: Line
    name_en: Line
    kind: Kind
    coordinates: Coordinates
    admission: Literal[Admission.CANDIDATE, Admission.ADMITTED] = Admission.ADMITTED


class AdmissionActAnswer(Shown):
    """What an act made of the admission, when, by whose hand and why."""

    state: Admission
    at: Instant
    operator_id: str | None
    reason: str | None


class InstitutionAnswer(Shown):
    """``acts``: the last twenty acts on its admission, the oldest first."""

    institution_id: str
    region: str
    name_zh: str
    name_en: str
    kind: Kind
    coordinates: Coordinates
    admission: Admission
    version: int
    acts: tuple[AdmissionActAnswer, ...]

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: Institution = noun
        return cls(
            institution_id=one.institution_id,
            region=one.region,
            name_zh=one.name_zh,
            name_en=one.name_en,
            kind=one.kind,
            coordinates=Coordinates(latitude=one.latitude, longitude=one.longitude, datum=Datum(one.datum)),
            admission=one.admission,
            version=one.version,
            acts=tuple(AdmissionActAnswer.of(act) for act in one.acts),
        )


class AdmissionRequest(Asked):
    reason: Reason


class BriefAdmissionRequest(Nothing):
    """The reason may be left out."""

    reason: Reason | None = None


@answers(
    routes,
    "POST",
    "/v1/institutions",
    status=201,
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="登记机构（准入或待准入）",
    en="Record an institution, admitted or as a candidate",
    errors=(Invalid, OutOfScope, RegionNotFound, AlreadyExists),
)
def post_institution(call: Call[InstitutionRequest, Nothing]) -> Done[InstitutionAnswer]:
    asked, p = call.body, call.platform
    draft = InstitutionDraft(**asked.model_dump(exclude={"coordinates"}), **asked.coordinates.model_dump())
    return InstitutionAnswer.done(cataloguing.add_institution(p.catalogue, p.marks, draft, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/institutions",
    act=Act.READ_CATALOGUE,
    tag="institutions",
    zh="地区的机构",
    en="Institutions of a region",
)
def list_institutions(call: Call[Nothing, RegionListing]) -> Page[InstitutionAnswer]:
    asked = call.query
    return InstitutionAnswer.page(call.platform.catalogue.institutions.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}",
    act=Act.READ_CATALOGUE,
    tag="institutions",
    zh="查询机构",
    en="One institution",
    errors=(InstitutionNotFound,),
)
def get_institution(call: Plain, institution_id: str) -> InstitutionAnswer:
    return InstitutionAnswer.of(cataloguing.find_institution(call.platform.catalogue, institution_id))


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/admit",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="准入机构",
    en="Admit a candidate",
    errors=(OutOfScope, InstitutionNotFound, AdmissionStepRefused, ConcurrentChange),
)
def admit_institution(call: Call[AdmissionRequest, Nothing], institution_id: str) -> Done[InstitutionAnswer]:
    return _step(call, institution_id, AdmissionStep.ADMIT, call.body.reason)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/suspend",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="暂停机构",
    en="Suspend an institution",
    errors=(OutOfScope, InstitutionNotFound, AdmissionStepRefused, ConcurrentChange),
)
def suspend_institution(call: Call[BriefAdmissionRequest, Nothing], institution_id: str) -> Done[InstitutionAnswer]:
    return _step(call, institution_id, AdmissionStep.SUSPEND, call.body.reason)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/readmit",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="恢复机构准入",
    en="Readmit a suspended institution",
    errors=(OutOfScope, InstitutionNotFound, AdmissionStepRefused, ConcurrentChange),
)
def readmit_institution(call: Call[BriefAdmissionRequest, Nothing], institution_id: str) -> Done[InstitutionAnswer]:
    return _step(call, institution_id, AdmissionStep.READMIT, call.body.reason)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/withdraw",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="机构退出",
    en="Withdraw an institution",
    errors=(OutOfScope, InstitutionNotFound, AdmissionStepRefused, ConcurrentChange),
)
def withdraw_institution(call: Call[AdmissionRequest, Nothing], institution_id: str) -> Done[InstitutionAnswer]:
    return _step(call, institution_id, AdmissionStep.WITHDRAW, call.body.reason)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/reapply",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="机构重新申请准入",
    en="A withdrawn institution applies anew",
    errors=(OutOfScope, InstitutionNotFound, AdmissionStepRefused, ConcurrentChange),
)
def reapply_institution(call: Call[BriefAdmissionRequest, Nothing], institution_id: str) -> Done[InstitutionAnswer]:
    return _step(call, institution_id, AdmissionStep.REAPPLY, call.body.reason)


class AffectedQuery(Listing):
    """Its open ``classes``, or its ``applications`` that are neither settled nor cancelled."""

    kind: Literal["classes", "applications"] = "applications"


class AffectedClassAnswer(Shown):
    class_id: str
    region: str
    name: str
    state: ClassState
    enrolled: int


class AffectedApplicationAnswer(Shown):
    """Money in fen."""

    application_id: str
    class_id: str
    region: str
    state: ApplicationState
    claimed_fen: int
    approved_fen: int
    paid_fen: int


class AffectedAnswer(Shown):
    """Of the kind that was asked for; a page may be short, or empty, and go on."""

    classes: tuple[AffectedClassAnswer, ...]
    applications: tuple[AffectedApplicationAnswer, ...]
    next_cursor: str | None


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/affected",
    act=Act.READ_APPLICATIONS,
    tag="institutions",
    zh="机构退出所影响的班级与申请",
    en="What the withdrawal of an institution leaves open",
    errors=(InstitutionNotFound, Invalid),
)
def get_affected(call: Call[Nothing, AffectedQuery], institution_id: str) -> AffectedAnswer:
    p, asked = call.platform, call.query
    if asked.kind == "classes":
        there = looking_at_affected.affected_classes(p, institution_id, asked.limit, asked.cursor, actor=call.actor)
        told = tuple(
            AffectedClassAnswer(
                class_id=one.class_id, region=one.region, name=one.name, state=state_at(one, call.now),
                enrolled=one.enrolled,
            )
            for one in there.items
        )  # fmt: skip
        return AffectedAnswer(classes=told, applications=(), next_cursor=there.cursor)
    page = looking_at_affected.affected_applications(p, institution_id, asked.limit, asked.cursor, actor=call.actor)
    applications = tuple(AffectedApplicationAnswer.of(one) for one in page.items)
    return AffectedAnswer(classes=(), applications=applications, next_cursor=page.cursor)


def _step(
    call: Call[Any, Nothing], institution_id: str, step: AdmissionStep, reason: str | None
) -> Done[InstitutionAnswer]:
    p = call.platform
    return InstitutionAnswer.done(
        cataloguing.change_admission(p.catalogue, p.marks, institution_id, step, reason, **call.acting)
    )
