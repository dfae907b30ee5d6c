"""Regions and the rule sets that they decide."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import NO_NUMBER, Asked, Day, Line, Listing, Nothing, RegionCode, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import ConcurrentChange, Invalid, OutOfScope, RegionNotFound
from chalicelib.domain.identifiers import NATION
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import RulesDraft

routes = Blueprint(__name__)


class RegionListing(Listing):
    parent: RegionCode = NATION


class RegionAnswer(Shown):
    code: str
    name_zh: str
    name_en: str
    level: str
    parent: str | None


class CapRequest(Asked):
    """At most ``limit`` vouchers of the region for a person, per window and kind."""

    rule: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["three_a_year"]), NO_NUMBER]
    window: Window
    by: CapBy
    limit: Annotated[int, Field(ge=1, le=1000)]


class RulesRequest(Asked):
    """``reversal_window`` in seconds from redemption."""

    effective_from: Day
    caps: Annotated[tuple[CapRequest, ...], Field(max_length=20)] = ()
    one_at_a_time: bool = False
    redeemed_counts_as_held: bool = False
    give_back_frees_cap: bool = True
    reversal_window: Annotated[int, Field(ge=0, le=31 * 24 * 3600)] = 24 * 3600
    help_line: Annotated[Line, Field(max_length=30)] = "12333"


class CapAnswer(Shown):
    rule: str
    window: Window
    by: CapBy
    limit: int


class RulesAnswer(Shown):
    """``version`` 0: the region has decided nothing, these are the defaults."""

    region: str
    version: int
    effective_from: Day
    caps: tuple[CapAnswer, ...]
    one_at_a_time: bool
    redeemed_counts_as_held: bool
    give_back_frees_cap: bool
    reversal_window: int
    help_line: str


@answers(
    routes, "GET", "/v1/regions", act=Act.READ_CATALOGUE, tag="regions", zh="下级行政区划", en="Regions below a region"
)
def list_regions(call: Call[Nothing, RegionListing]) -> Page[RegionAnswer]:
    page = call.platform.catalogue.regions.page(call.query.parent, call.query.limit, call.query.cursor)
    return RegionAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/regions/{code}",
    act=Act.READ_CATALOGUE,
    tag="regions",
    zh="查询行政区划",
    en="One region",
    errors=(RegionNotFound,),
)
def get_region(call: Plain, code: str) -> RegionAnswer:
    return RegionAnswer.of(cataloguing.find_region(call.platform.catalogue, code))


@answers(
    routes,
    "GET",
    "/v1/regions/{code}/rules",
    act=Act.READ_CATALOGUE,
    tag="regions",
    zh="现行规则",
    en="The rule set in force",
    errors=(RegionNotFound,),
)
def get_rules(call: Plain, code: str) -> RulesAnswer:
    return RulesAnswer.of(cataloguing.rules_in_force(call.platform.catalogue, code, call.now))


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/rules",
    status=201,
    act=Act.MANAGE_CATALOGUE,
    tag="regions",
    zh="制定新版规则",
    en="Decide the next rule set",
    errors=(Invalid, OutOfScope, RegionNotFound, ConcurrentChange),
)
def post_rules(call: Call[RulesRequest, Nothing], code: str) -> Done[RulesAnswer]:
    asked, p = call.body, call.platform
    caps = tuple(Cap(cap.rule, cap.window, cap.by, cap.limit) for cap in asked.caps)
    draft = RulesDraft(**(asked.model_dump(exclude={"caps"})), caps=caps)
    return RulesAnswer.done(cataloguing.decide_rules(p.catalogue, p.marks, code, draft, **call.acting))
