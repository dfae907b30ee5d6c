"""Who may claim: the rule on a template, and the region's list of eligible people."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from chalice.app import Blueprint
from pydantic import BeforeValidator, Field

from chalicelib.api.answers import Call, answers
from chalicelib.api.shapes import NO_NUMBER, Asked, Day, Instant, Nothing, RegionCode, Shown
from chalicelib.domain import eligibility
from chalicelib.domain.access import Act
from chalicelib.domain.eligibility import MOST_AGE, Enlisted, Rule, Span
from chalicelib.domain.errors import Invalid, NotEnlisted, OutOfScope, RegionNotFound
from chalicelib.domain.outcomes import Done
from chalicelib.services import enlisting

routes = Blueprint(__name__)

Named = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["working_age"]), NO_NUMBER]
Group = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$", examples=["migrant_worker"]), NO_NUMBER]
"""E.g. graduate (高校毕业生), migrant_worker (农民工), veteran (退役军人), unemployed (失业人员), lifted_from_poverty
(脱贫人口), registered_poor (建档立卡); a region may have others."""
Age = Annotated[int, Field(ge=0, le=MOST_AGE)]
IdNumber = Annotated[str, Field(min_length=1, max_length=40)]


class DeclaredRule(Asked):
    """What the ID number tells: completed years on the day of the claim (inclusive), sex, the region in it."""

    kind: Literal["declared"]
    rule: Named = "declared"
    age_from: Age | None = None
    age_to: Age | None = None
    sex: Literal["male", "female"] | None = None
    regions: Annotated[tuple[RegionCode, ...], Field(max_length=40)] = ()


class ListedRule(Asked):
    """On the list of eligible people of the template's region or one above it, in one of the groups; none: in any."""

    kind: Literal["listed"]
    rule: Named = "listed"
    groups: Annotated[tuple[Group, ...], Field(max_length=20)] = ()


class ServiceRule(Asked):
    """The region's eligibility service says so."""

    kind: Literal["service"]
    rule: Named = "service"


class AllRule(Asked):
    kind: Literal["all"]
    parts: Annotated[tuple["RuleRequest", ...], Field(min_length=1, max_length=10)]


class AnyRule(Asked):
    kind: Literal["any"]
    parts: Annotated[tuple["RuleRequest", ...], Field(min_length=1, max_length=10)]


class NotRule(Asked):
    """``rule`` is the name by which a refusal tells of it."""

    kind: Literal["not"]
    rule: Named = "not"
    part: "RuleRequest"


RuleRequest = Annotated[
    DeclaredRule | ListedRule | ServiceRule | AllRule | AnyRule | NotRule, Field(discriminator="kind")
]


def _as_sent(rule: object) -> object:
    """A rule of the domain in the form in which it was sent."""
    return asdict(rule) if isinstance(rule, Rule) else rule


RuleShown = Annotated[RuleRequest, BeforeValidator(_as_sent, json_schema_input_type=RuleRequest)]


def rule_of(asked: RuleRequest | None) -> Rule | None:
    """The rule that was sent, as the domain has it."""
    match asked:
        case None:
            return None
        case AllRule():
            return eligibility.AllOf(tuple(_part(part) for part in asked.parts))
        case AnyRule():
            return eligibility.AnyOf(tuple(_part(part) for part in asked.parts))
        case NotRule():
            return eligibility.NotOf(_part(asked.part), asked.rule)
        case DeclaredRule():
            return eligibility.Declared(**asked.model_dump())
        case ListedRule():
            return eligibility.Listed(**asked.model_dump())
        case ServiceRule():
            return eligibility.Asked(**asked.model_dump())


def _part(asked: RuleRequest) -> Rule:
    rule = rule_of(asked)
    assert rule is not None
    return rule


class EnlistRequest(Asked):
    """Dates are local and inclusive; none: without end on that side."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["王小明"])]
    id_number: IdNumber
    group: Group
    since: Day | None = None
    until: Day | None = None


class StrikeOffRequest(Asked):
    id_number: IdNumber
    group: Group


class LookUpRequest(Asked):
    id_number: IdNumber


class SpanAnswer(Shown):
    since: Day | None
    until: Day | None


class EnlistedAnswer(Shown):
    """What the list says of one person; name and number are masked."""

    region: str
    name: str
    id_number: str
    groups: Mapping[str, SpanAnswer]
    changed_at: Instant
    version: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: Enlisted = noun
        return cls(
            region=one.region,
            name=one.masked_name,
            id_number=one.masked_number,
            groups={group: SpanAnswer.of(span) for group, span in one.groups.items()},
            changed_at=one.changed_at,
            version=one.version,
        )


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligible-people",
    act=Act.MANAGE_CATALOGUE,
    tag="eligibility",
    zh="将人员列入适用人群名单",
    en="Put a person on the list of eligible people",
    errors=(Invalid, OutOfScope, RegionNotFound),
)
def post_eligible_person(call: Call[EnlistRequest, Nothing], code: str) -> Done[EnlistedAnswer]:
    asked, p = call.body, call.platform
    entry = enlisting.Entry(asked.name, asked.id_number, asked.group, Span(asked.since, asked.until))
    return EnlistedAnswer.done(enlisting.enlist(p.catalogue, p.people, p.keys, p.marks, code, entry, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligible-people/removal",
    act=Act.MANAGE_CATALOGUE,
    tag="eligibility",
    zh="将人员移出适用人群名单",
    en="Take a person off the list of eligible people",
    errors=(Invalid, OutOfScope, RegionNotFound, NotEnlisted),
)
def post_removal(call: Call[StrikeOffRequest, Nothing], code: str) -> Done[EnlistedAnswer]:
    asked, p = call.body, call.platform
    return EnlistedAnswer.done(
        enlisting.strike_off(p.catalogue, p.people, p.keys, p.marks, code, asked.id_number, asked.group, **call.acting)
    )


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligible-people/search",
    act=Act.MANAGE_CATALOGUE,
    changes=False,
    tag="eligibility",
    zh="查询适用人群名单中的人员",
    en="Look a person up on the list of eligible people",
    errors=(Invalid, OutOfScope, RegionNotFound, NotEnlisted),
)
def post_search(call: Call[LookUpRequest, Nothing], code: str) -> EnlistedAnswer:
    p = call.platform
    found = enlisting.look_up(p.catalogue, p.people, p.keys, code, call.body.id_number, actor=call.actor, now=call.now)
    return EnlistedAnswer.of(found)
