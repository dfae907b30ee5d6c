"""Institutions and their admission."""

from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Line, Nothing, RegionCode, RegionListing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.coordinates import Datum
from chalicelib.domain.errors import AlreadyExists, InstitutionNotFound, Invalid, OutOfScope, RegionNotFound
from chalicelib.domain.institution import Admission, Institution, Kind
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import InstitutionDraft

routes = Blueprint(__name__)

Degrees = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,12})?$", examples=["22.543096"])]


class Coordinates(Asked):
    """Decimal degrees as text, kept as they are given, in the datum that they were measured in."""

    latitude: Degrees
    longitude: Degrees
    datum: Datum


class InstitutionRequest(Asked):
    """``institution_id`` is the unified social credit code (GB 32100)."""

    institution_id: Annotated[str, Field(min_length=1, max_length=30, examples=["91350100M000100Y43"])]
    region: RegionCode
    name_zh: Line
    name_en: Line
    kind: Kind
    coordinates: Coordinates


class InstitutionAnswer(Shown):
    institution_id: str
    region: str
    name_zh: str
    name_en: str
    kind: Kind
    coordinates: Coordinates
    admission: Admission
    version: int

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
        )


@answers(
    routes,
    "POST",
    "/v1/institutions",
    status=201,
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="准入机构",
    en="Admit an institution",
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
    "/v1/institutions/{institution_id}/suspend",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="暂停机构",
    en="Suspend an institution",
    errors=(OutOfScope, InstitutionNotFound),
)
def suspend_institution(call: Plain, institution_id: str) -> Done[InstitutionAnswer]:
    return _set_admission(call, institution_id, Admission.SUSPENDED)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/readmit",
    act=Act.MANAGE_CATALOGUE,
    tag="institutions",
    zh="恢复机构准入",
    en="Readmit an institution",
    errors=(OutOfScope, InstitutionNotFound),
)
def readmit_institution(call: Plain, institution_id: str) -> Done[InstitutionAnswer]:
    return _set_admission(call, institution_id, Admission.ADMITTED)


def _set_admission(call: Plain, institution_id: str, admission: Admission) -> Done[InstitutionAnswer]:
    p = call.platform
    done = cataloguing.set_admission(p.catalogue, p.marks, institution_id, admission, **call.acting)
    return InstitutionAnswer.done(done)
