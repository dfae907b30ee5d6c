"""Templates: terms, look, stock, and their way from draft to closing."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.eligibility import RuleRequest, RuleShown, rule_of
from chalicelib.api.shapes import (
    NO_NUMBER,
    AmountFen,
    Asked,
    Day,
    Identifier,
    Instant,
    Line,
    Note,
    Nothing,
    Quantity,
    RegionCode,
    RegionListing,
    Shown,
)
from chalicelib.domain.access import AUTHORITIES, Act, Actor, Role, covers
from chalicelib.domain.errors import (
    AccountNotFound,
    BudgetExceeded,
    CourseNotFound,
    InstitutionNotFound,
    Invalid,
    ListingFull,
    OutOfScope,
    ProgrammeNotFound,
    RegionNotFound,
    TemplateNotFound,
    TemplateStateRefused,
)
from chalicelib.domain.listing import Left
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.template import (
    BusinessMode,
    DistributionMode,
    FunctionMode,
    Look,
    Stock,
    Template,
    TemplateState,
    Terms,
)
from chalicelib.domain.voucher import State
from chalicelib.services import offering, publishing
from chalicelib.services.publishing import TemplateDraft

routes = Blueprint(__name__)

Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$", examples=["#B01E23"])]


class LookRequest(Asked):
    """What the card looks like."""

    title: Annotated[Line, Field(max_length=40)]
    colour: Colour = "#B01E23"
    text_colour: Colour = "#FFFFFF"
    image_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9/_.-]{1,200}$"), NO_NUMBER] | None = None
    note: Note = ""


class TemplateRequest(Asked):
    """Dates are local and inclusive. No courses or institutions: any of the programme, any admitted one.

    No ``valid_from``: valid from the first day of claiming; no ``valid_until``: for as long as the region's rules say.
    ``eligibility``: who may claim; none: whoever the e-SSC platform asserts.
    ``peak_claims``: claims a second that are expected at most; it decides how the stock is spread.
    """

    region: RegionCode
    account_id: Identifier
    quantity: Quantity
    look: LookRequest
    business_mode: BusinessMode
    function_mode: FunctionMode
    distribution_mode: DistributionMode
    programme_id: Identifier
    face_value_fen: AmountFen = 0
    attendance_only: bool = False
    claim_from: Day
    claim_until: Day
    valid_from: Day | None = None
    valid_until: Day | None = None
    courses: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    institutions: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    eligibility: RuleRequest | None = None
    peak_claims: Annotated[int, Field(ge=0, le=100_000)] = 0


class AdditionRequest(Asked):
    quantity: Quantity


class LookAnswer(Shown):
    title: str
    colour: str
    text_colour: str
    image_key: str | None
    note: str


class TermsAnswer(Shown):
    """What a holder is promised. ``ceiling_fen``: the most that one voucher can cost."""

    version: int
    business_mode: BusinessMode
    function_mode: FunctionMode
    distribution_mode: DistributionMode
    programme_id: str
    programme_type: str
    occupation: str | None
    level: int | None
    face_value_fen: int
    ceiling_fen: int
    claim_from: Day
    claim_until: Day
    valid_from: Day
    valid_until: Day
    courses: tuple[str, ...]
    institutions: tuple[str, ...]
    eligibility: RuleShown | None


class StockAnswer(Shown):
    """``quantity = unallotted + remaining + made + released``; ``counts`` by state sum to ``made``."""

    quantity: int
    unallotted: int
    remaining: int
    made: int
    released: int
    counts: Mapping[State, int]
    ever_claimed: int
    ever_redeemed: int
    reserved_fen: int
    to_release_fen: int


class ShardAnswer(Shown):
    """A part of the stock, complete in itself: ``quantity = remaining + made + released``."""

    number: int
    open: bool
    terms_version: int
    quantity: int
    remaining: int
    made: int
    released: int
    counts: Mapping[State, int]
    ever_claimed: int
    ever_redeemed: int
    reserved_fen: int
    to_release_fen: int
    version: int


class ShardsAnswer(Shown):
    items: tuple[ShardAnswer, ...]


class TemplateHead(Shown):
    """A template without its terms."""

    template_id: str
    region: str
    account_id: str
    state: TemplateState
    look: LookAnswer
    terms_version: int
    quantity: int
    made_at: Instant
    published_at: Instant | None
    version: int


class TemplateWithTerms(TemplateHead):
    terms: TermsAnswer

    @classmethod
    def joined(cls, template: Template, terms: Terms, stock: Stock | None = None) -> Self:
        parts: dict[str, Any] = TemplateHead.of(template).model_dump() | {"terms": TermsAnswer.of(terms)}
        if "stock" in cls.model_fields:
            parts["stock"] = StockAnswer.of(stock) if stock else None
        return cls(**parts)


class OfferLookAnswer(Shown):
    title: str
    colour: str
    text_colour: str
    image_key: str | None


class OfferAnswer(Shown):
    """A template as everybody sees it. ``left``: none, few (100 or 1 % at most), some (20 % at most), plenty; at most a
    minute old."""

    template_id: str
    region: str
    state: TemplateState
    look: OfferLookAnswer
    terms: TermsAnswer
    left: Left
    published_at: Instant


class TemplateAnswer(TemplateWithTerms):
    """``stock`` is for the authorities of its region and auditors; others see null."""

    stock: StockAnswer | None


@answers(
    routes,
    "POST",
    "/v1/templates",
    status=201,
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="起草券模板",
    en="Draft a template",
    errors=(
        Invalid,
        OutOfScope,
        RegionNotFound,
        ProgrammeNotFound,
        CourseNotFound,
        InstitutionNotFound,
        AccountNotFound,
    ),
)
def post_template(call: Call[TemplateRequest, Nothing]) -> Done[TemplateHead]:
    asked, p = call.body, call.platform
    plain = asked.model_dump(exclude={"look", "eligibility"})
    draft = TemplateDraft(**plain, look=Look(**asked.look.model_dump()), eligibility=rule_of(asked.eligibility))
    done = publishing.draft_template(p.catalogue, p.accounts, p.templates, p.marks, p.chance, draft, **call.acting)
    return TemplateHead.done(done)


@answers(
    routes,
    "GET",
    "/v1/templates",
    act=Act.READ_CATALOGUE,
    tag="templates",
    zh="地区的券模板；对渠道：该地区及其上级地区在架的券",
    en="Templates of a region; for channels: what is offered there, by the regions above it too",
    errors=(RegionNotFound,),
)
def list_templates(call: Call[Nothing, RegionListing]) -> Page[TemplateWithTerms | OfferAnswer]:
    asked, templates = call.query, call.platform.templates
    if call.actor.client.role is Role.CHANNEL:
        offers = offering.list_offers(
            call.platform.catalogue,
            call.platform.listings,
            asked.region,
            asked.limit,
            asked.cursor,
            actor=call.actor,
            now=call.now,
        )
        return Page(tuple(OfferAnswer.of(one) for one in offers.items), offers.cursor)
    page = templates.page(asked.region, asked.limit, asked.cursor)
    shown = [one for one in page.items if _may_see(call.actor, one)]
    items = (TemplateWithTerms.joined(one, templates.terms(one.template_id, one.terms_version)) for one in shown)
    return Page(tuple(items), page.cursor)


@answers(
    routes,
    "GET",
    "/v1/templates/{template_id}",
    act=Act.READ_CATALOGUE,
    tag="templates",
    zh="查询券模板及库存",
    en="One template with its stock",
    errors=(TemplateNotFound,),
)
def get_template(call: Plain, template_id: str) -> TemplateAnswer:
    template, terms = publishing.find_template(call.platform.templates, template_id)
    if not _may_see(call.actor, template):
        raise TemplateNotFound()
    stock = publishing.count_stock(call.platform.templates, template) if _may_count(call.actor, template) else None
    return TemplateAnswer.joined(template, terms, stock)


@answers(
    routes,
    "GET",
    "/v1/templates/{template_id}/shards",
    act=Act.READ_MONEY,
    tag="templates",
    zh="库存分片",
    en="The shards of the stock",
    errors=(TemplateNotFound,),
)
def list_shards(call: Plain, template_id: str) -> ShardsAnswer:
    shards = publishing.list_shards(call.platform.templates, template_id, call.actor)
    return ShardsAnswer(items=tuple(ShardAnswer.of(shard) for shard in shards))


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/publish",
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="发布",
    en="Publish",
    errors=(OutOfScope, TemplateNotFound, AccountNotFound, TemplateStateRefused, ListingFull, BudgetExceeded),
)
def publish_template(call: Plain, template_id: str) -> Done[TemplateHead]:
    p = call.platform
    done = publishing.publish_template(p.templates, p.accounts, p.marks, template_id, **call.acting)
    return TemplateHead.done(done)


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/suspend",
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="暂停领取",
    en="Suspend claiming",
    errors=(OutOfScope, TemplateNotFound, TemplateStateRefused),
)
def suspend_template(call: Plain, template_id: str) -> Done[TemplateHead]:
    p = call.platform
    done = publishing.suspend_template(p.templates, p.accounts, p.marks, template_id, **call.acting)
    return TemplateHead.done(done)


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/resume",
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="恢复领取",
    en="Resume claiming",
    errors=(OutOfScope, TemplateNotFound, TemplateStateRefused),
)
def resume_template(call: Plain, template_id: str) -> Done[TemplateHead]:
    p = call.platform
    done = publishing.resume_template(p.templates, p.accounts, p.marks, template_id, **call.acting)
    return TemplateHead.done(done)


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/close",
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="关闭",
    en="Close for good",
    errors=(OutOfScope, TemplateNotFound, TemplateStateRefused),
)
def close_template(call: Plain, template_id: str) -> Done[TemplateHead]:
    p = call.platform
    done = publishing.close_template(p.templates, p.accounts, p.marks, template_id, **call.acting)
    return TemplateHead.done(done)


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/additions",
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="追加数量",
    en="Add vouchers",
    errors=(OutOfScope, TemplateNotFound, AccountNotFound, TemplateStateRefused, BudgetExceeded),
)
def post_addition(call: Call[AdditionRequest, Nothing], template_id: str) -> Done[TemplateHead]:
    p, quantity = call.platform, call.body.quantity
    done = publishing.add_quantity(p.templates, p.accounts, p.marks, template_id, quantity, **call.acting)
    return TemplateHead.done(done)


def _may_see(actor: Actor, template: Template) -> bool:
    """Drafts are the region's own business."""
    return template.state is not TemplateState.DRAFT or _may_count(actor, template)


def _may_count(actor: Actor, template: Template) -> bool:
    role = actor.client.role
    return (role in AUTHORITIES or role is Role.AUDITOR) and covers(actor, template.region)
