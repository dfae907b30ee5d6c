"""Regions and the rule sets that they decide."""

from collections.abc import Mapping
from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import NO_NUMBER, Asked, Day, Instant, Line, Listing, Nothing, Reason, RegionCode, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    ConcurrentChange,
    Invalid,
    OutOfScope,
    RegionNotFound,
    RulesInForce,
    RulesNotFound,
)
from chalicelib.domain.identifiers import NATION
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.region import Cap, CapBy, Overlaps, RosterColumn, RuleSet, Window
from chalicelib.domain.roster import RosterKind
from chalicelib.services import cataloguing, deciding_rules

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


Words = Annotated[Line, Field(max_length=40)]
Dimension = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["teaching"]), NO_NUMBER]


class RosterColumnRequest(Asked):
    """``name``: of a column of the template, whose header may then also say one of ``aliases``; or of a column more,
    which has a ``title`` and holds a text that nobody need fill in."""

    kind: RosterKind = Field(default=RosterKind.VOUCHERS, strict=False)
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["employer"]), NO_NUMBER]
    aliases: Annotated[tuple[Words, ...], Field(max_length=20)] = ()
    title: Words | None = None
    title_en: Words | None = None
    explanation: Annotated[Line, Field(max_length=100)] | None = None


class RulesRequest(Asked):
    """A region's next rule set, whole: what is left out or null is inherited from city, province and nation.

    ``reversal_window``, ``check_in_opens``, ``check_in_late``, ``check_in_grace``, ``check_out_closes``,
    ``class_code_seconds`` in seconds;
    ``check_in_radius``, ``check_in_accuracy``, ``check_in_allowance`` in metres; ``check_in_top_speed`` in metres a
    second; the other spans in days.
    """

    effective_from: Day
    caps: Annotated[tuple[CapRequest, ...], Field(max_length=20)] | None = None
    one_at_a_time: bool | None = None
    redeemed_counts_as_held: bool | None = None
    give_back_frees_cap: bool | None = None
    validity_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    proxy_limit: Annotated[int, Field(ge=0, le=100)] | None = None
    attendance_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    check_in_radius: Annotated[int, Field(ge=100, le=3000)] | None = None
    check_in_opens: Annotated[int, Field(ge=0, le=6 * 3600)] | None = None
    check_in_late: Annotated[int, Field(ge=0, le=6 * 3600)] | None = None
    check_in_accuracy: Annotated[int, Field(ge=20, le=3000)] | None = None
    check_in_allowance: Annotated[int, Field(ge=0, le=1000)] | None = None
    check_in_top_speed: Annotated[int, Field(ge=10, le=1000)] | None = None
    check_in_grace: Annotated[int, Field(ge=0, le=31 * 24 * 3600)] | None = None
    check_out_closes: Annotated[int, Field(ge=0, le=4 * 3600)] | None = None
    hours_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    position_days: Annotated[int, Field(ge=0, le=366)] | None = None
    class_code_seconds: Annotated[int, Field(ge=10, le=30)] | None = None
    by_hand_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    overlaps: Overlaps | None = Field(default=None, strict=False)
    evaluation_dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=20)] | None = None
    evaluation_days: Annotated[int, Field(ge=1, le=366)] | None = None
    held_words: Annotated[tuple[Words, ...], Field(max_length=200)] | None = None
    completion_days: Annotated[int, Field(ge=1, le=1100)] | None = None
    review_days: Annotated[int, Field(ge=1, le=366)] | None = None
    review_reasons: Annotated[tuple[Reason, ...], Field(min_length=1, max_length=50)] | None = None
    second_review: bool | None = None
    publicity_days: Annotated[int, Field(ge=0, le=60)] | None = None
    attachments_needed: Annotated[tuple[Annotated[Line, Field(max_length=30)], ...], Field(max_length=20)] | None = None
    filing_deadline: Annotated[int, Field(ge=1, le=3660)] | None = None
    reversal_window: Annotated[int, Field(ge=0, le=31 * 24 * 3600)] | None = None
    separate_duties: bool | None = None
    external_settlement: bool | None = None
    help_line: Annotated[Line, Field(max_length=30)] | None = None
    roster_columns: Annotated[tuple[RosterColumnRequest, ...], Field(max_length=40)] | None = None


class WithdrawalRequest(Asked):
    version: Annotated[int, Field(ge=1, le=999_999)]


class CapAnswer(Shown):
    rule: str
    window: Window
    by: CapBy
    limit: int


class RosterColumnAnswer(Shown):
    kind: RosterKind
    name: str
    aliases: tuple[str, ...]
    title: str | None
    title_en: str | None
    explanation: str | None


class RulesAnswer(Shown):
    """What holds; ``version``: of the region's own rule set, 0: it decided nothing.

    ``decided_by``: for each rule the region that decided it; a rule that is not in it stands at its default.
    """

    region: str
    version: int
    caps: tuple[CapAnswer, ...]
    one_at_a_time: bool
    redeemed_counts_as_held: bool
    give_back_frees_cap: bool
    validity_days: int
    proxy_limit: int
    attendance_percent: int
    check_in_radius: int
    check_in_opens: int
    check_in_late: int
    check_in_accuracy: int
    check_in_allowance: int
    check_in_top_speed: int
    check_in_grace: int
    check_out_closes: int
    hours_percent: int
    position_days: int
    class_code_seconds: int
    by_hand_percent: int
    overlaps: Overlaps
    evaluation_dimensions: tuple[str, ...]
    evaluation_days: int
    held_words: tuple[str, ...]
    completion_days: int
    review_days: int
    review_reasons: tuple[str, ...]
    second_review: bool
    publicity_days: int
    attachments_needed: tuple[str, ...]
    filing_deadline: int
    reversal_window: int
    separate_duties: bool
    external_settlement: bool
    help_line: str
    roster_columns: tuple[RosterColumnAnswer, ...]
    decided_by: Mapping[str, str]


class DecidedAnswer(Shown):
    """One version of what a region decided itself; null: inherited."""

    region: str
    version: int
    effective_from: Day
    caps: tuple[CapAnswer, ...] | None
    one_at_a_time: bool | None
    redeemed_counts_as_held: bool | None
    give_back_frees_cap: bool | None
    validity_days: int | None
    proxy_limit: int | None
    attendance_percent: int | None
    check_in_radius: int | None
    check_in_opens: int | None
    check_in_late: int | None
    check_in_accuracy: int | None
    check_in_allowance: int | None
    check_in_top_speed: int | None
    check_in_grace: int | None
    check_out_closes: int | None
    hours_percent: int | None
    position_days: int | None
    class_code_seconds: int | None
    by_hand_percent: int | None
    overlaps: Overlaps | None
    evaluation_dimensions: tuple[str, ...] | None
    evaluation_days: int | None
    held_words: tuple[str, ...] | None
    completion_days: int | None
    review_days: int | None
    review_reasons: tuple[str, ...] | None
    second_review: bool | None
    publicity_days: int | None
    attachments_needed: tuple[str, ...] | None
    filing_deadline: int | None
    reversal_window: int | None
    separate_duties: bool | None
    external_settlement: bool | None
    help_line: str | None
    roster_columns: tuple[RosterColumnAnswer, ...] | None
    withdrawn_at: Instant | None


Value = bool | int | str | tuple[CapAnswer, ...] | tuple[RosterColumnAnswer, ...] | tuple[str, ...]


class ChangeAnswer(Shown):
    """``follow``: the regions below where the rule changes too; ``decided_themselves``: those where it does not."""

    rule: str
    before: Value
    after: Value
    follow: tuple[str, ...]
    decided_themselves: tuple[str, ...]


class PreviewAnswer(Shown):
    rules: RulesAnswer
    changes: tuple[ChangeAnswer, ...]


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
    en="The rules in force",
    errors=(RegionNotFound,),
)
def get_rules(call: Plain, code: str) -> RulesAnswer:
    return RulesAnswer.of(cataloguing.rules_in_force(call.platform.catalogue, code, call.now))


@answers(
    routes,
    "GET",
    "/v1/regions/{code}/rule-sets",
    act=Act.READ_CATALOGUE,
    tag="regions",
    zh="本地区历次规则",
    en="All rule sets that the region decided",
    errors=(RegionNotFound,),
)
def list_rule_sets(call: Call[Nothing, Listing], code: str) -> Page[DecidedAnswer]:
    p, asked = call.platform, call.query
    cataloguing.find_region(p.catalogue, code)
    return DecidedAnswer.page(p.catalogue.rule_sets.versions(code, asked.limit, asked.cursor))


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
def post_rules(call: Call[RulesRequest, Nothing], code: str) -> Done[DecidedAnswer]:
    p = call.platform
    return DecidedAnswer.done(deciding_rules.decide_rules(p.catalogue, p.marks, _draft(call.body, code), **call.acting))


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/rules/preview",
    act=Act.MANAGE_CATALOGUE,
    changes=False,
    tag="regions",
    zh="预览规则变更",
    en="What a rule set would change",
    errors=(Invalid, OutOfScope, RegionNotFound),
)
def preview_rules(call: Call[RulesRequest, Nothing], code: str) -> PreviewAnswer:
    draft = _draft(call.body, code)
    return PreviewAnswer.of(
        deciding_rules.preview_rules(call.platform.catalogue, draft, actor=call.actor, now=call.now)
    )


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/rules/withdrawal",
    act=Act.MANAGE_CATALOGUE,
    tag="regions",
    zh="撤回尚未生效的规则",
    en="Withdraw a rule set that still waits for its date",
    errors=(OutOfScope, RegionNotFound, RulesNotFound, RulesInForce, ConcurrentChange),
)
def withdraw_rules(call: Call[WithdrawalRequest, Nothing], code: str) -> Done[DecidedAnswer]:
    p = call.platform
    return DecidedAnswer.done(
        deciding_rules.withdraw_rules(p.catalogue, p.marks, code, call.body.version, **call.acting)
    )


def _draft(asked: RulesRequest, code: str) -> RuleSet:
    caps = None if asked.caps is None else tuple(Cap(cap.rule, cap.window, cap.by, cap.limit) for cap in asked.caps)
    columns = None
    if asked.roster_columns is not None:
        columns = tuple(RosterColumn(**one.model_dump()) for one in asked.roster_columns)
    said = asked.model_dump(exclude={"caps", "roster_columns"})
    return RuleSet(region=code, version=0, caps=caps, roster_columns=columns, **said)
