"""Programmes: what is subsidised."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import NO_NUMBER, AmountFen, Asked, Line, Nothing, RegionCode, RegionListing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import OutOfScope, ProgrammeNotFound, RegionNotFound
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.programme import Payee
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import ProgrammeDraft

routes = Blueprint(__name__)

ProgrammeType = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["enterprise_staff"]), NO_NUMBER]
Level = Annotated[int, Field(ge=1, le=5)]
Occupation = Annotated[str, Field(pattern=r"^[0-9A-Z-]{1,20}$", examples=["4-02-02-01"]), NO_NUMBER]


class ProgrammeRequest(Asked):
    """``standard_fen``: the most that one trainee's training is paid. ``level``: 5 lowest to 1 highest.
    ``payee``: to whom the subsidy goes; a person's to the bank account of their social security card."""

    region: RegionCode
    name_zh: Line
    name_en: Line
    programme_type: ProgrammeType
    standard_fen: AmountFen
    occupation: Occupation | None = None
    level: Level | None = None
    payee: Payee = Field(default=Payee.INSTITUTION, strict=False)


class ProgrammeAnswer(Shown):
    programme_id: str
    region: str
    name_zh: str
    name_en: str
    programme_type: str
    standard_fen: int
    occupation: str | None
    level: int | None
    payee: Payee
    version: int


@answers(
    routes,
    "POST",
    "/v1/programmes",
    status=201,
    act=Act.MANAGE_CATALOGUE,
    tag="programmes",
    zh="新增培训项目",
    en="Add a programme",
    errors=(OutOfScope, RegionNotFound),
)
def post_programme(call: Call[ProgrammeRequest, Nothing]) -> Done[ProgrammeAnswer]:
    p, draft = call.platform, ProgrammeDraft(**call.body.model_dump())
    return ProgrammeAnswer.done(cataloguing.add_programme(p.catalogue, p.marks, p.chance, draft, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/programmes",
    act=Act.READ_CATALOGUE,
    tag="programmes",
    zh="地区的培训项目",
    en="Programmes of a region",
)
def list_programmes(call: Call[Nothing, RegionListing]) -> Page[ProgrammeAnswer]:
    asked = call.query
    return ProgrammeAnswer.page(call.platform.catalogue.programmes.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/programmes/{programme_id}",
    act=Act.READ_CATALOGUE,
    tag="programmes",
    zh="查询培训项目",
    en="One programme",
    errors=(ProgrammeNotFound,),
)
def get_programme(call: Plain, programme_id: str) -> ProgrammeAnswer:
    return ProgrammeAnswer.of(cataloguing.find_programme(call.platform.catalogue, programme_id))
