"""Voucher templates (券模板), their immutable terms, and their stock in shards. domain.md §1, §3; design.md §1.

Law of a shard: ``quantity = remaining + made + released`` and the counts per state sum to ``made``.
Law of a template: ``quantity = unallotted + Σ shards' quantity``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain import calendar
from chalicelib.domain.eligibility import Rule
from chalicelib.domain.errors import (
    ClaimWindowNotOpen,
    ClaimWindowOver,
    DirectedOnly,
    NotDirected,
    TemplateNotOpen,
    TemplateStateRefused,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.programme import Course, Payee
from chalicelib.domain.voucher import ENDED, State, Voucher

MOST_SHARDS = 128
VOUCHERS_PER_SHARD = 5_000
CLAIMS_PER_SHARD = 12  # a second, before conflicts cost more than another shard does
RELEASE_LANES = 8
"""Over so many partitions of the index shards with money to release are spread, by template."""


class BusinessMode(StrEnum):
    FOUNDATION = "foundation"  # 普及型
    UPSKILLING = "upskilling"  # 提升型


class FunctionMode(StrEnum):
    FACE_VALUE = "face_value"  # 面值券
    NO_FACE_VALUE = "no_face_value"  # 抵用券


class DistributionMode(StrEnum):
    OPEN = "open"  # 通用券
    DIRECTED = "directed"  # 定向券


class TemplateState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Look:
    """What the card looks like: title, colours (#RRGGBB), object key of an image, a note to the holder."""

    title: str
    colour: str = "#B01E23"
    text_colour: str = "#FFFFFF"
    image_key: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a holder is promised; never changed, only followed by a next version. Dates are local and inclusive.

    ``ceiling_fen`` is what publishing reserves per voucher: the face value, or the programme's standard, or 0.
    Empty ``courses``/``institutions``: any course of the programme, any admitted institution that teaches it.
    ``eligibility``: who may claim; None: whoever the e-SSC platform asserts.
    ``reason``: why these terms followed the earlier ones. ``payee``: to whom the subsidy goes.
    """

    template_id: str
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
    claim_from: date
    claim_until: date
    valid_from: date
    valid_until: date
    courses: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    eligibility: Rule | None = None
    reason: str = ""
    payee: Payee = Payee.INSTITUTION


@dataclass(frozen=True, slots=True)
class Template:
    """A template's head row.

    ``shards`` counts those that exist. ``unallotted`` stock is on its way to a shard (all of it, in a draft); of it
    ``set_aside`` waits for rosters that are issued as a whole. ``gate`` grows with every opening and shutting, so that
    a late shard write of an older act finds itself overtaken; ``gate_reached`` follows when every shard has it,
    ``released`` when a closed template's shards are empty.
    """

    template_id: str
    region: str
    account_id: str
    state: TemplateState
    look: Look
    terms_version: int
    peak_claims: int
    quantity: int
    made_at: datetime
    unallotted: int = 0
    set_aside: int = 0
    shards: int = 0
    gate: int = 0
    gate_reached: int = 0
    released: bool = False
    ceiling_fen: int = 0
    published_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the stock and its complete sub-ledger; money in fen."""

    template_id: str
    number: int
    open: bool
    gate: int
    terms_version: int
    quantity: int
    remaining: int
    reserved_fen: int
    made: int = 0
    released: int = 0
    to_release_fen: int = 0
    ever_claimed: int = 0
    ever_redeemed: int = 0
    counts: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    version: int = 1


@dataclass(frozen=True, slots=True)
class Movement:
    """What one step of one voucher does to its shard; every number is a difference."""

    remaining: int = 0
    made: int = 0
    counts: Mapping[State, int] = field(default_factory=dict)
    ever_claimed: int = 0
    ever_redeemed: int = 0
    reserved_fen: int = 0
    to_release_fen: int = 0


@dataclass(frozen=True, slots=True)
class Stock:
    """The sum of a template's shards, with what is still unallotted."""

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


def movement(before: Voucher | None, after: Voucher) -> Movement:
    """What a step does to the shard (table of domain.md §3); an amendment moves nothing.

    What is approved leaves the shard's reservation for the account's payable in the same transaction; whatever else
    leaves it waits in ``to_release_fen`` until the job has posted it.
    """
    was, is_now = before.state if before else None, after.state
    leaves = _reserved(before) - _reserved(after) if before else 0
    granted = (after.approved_fen or 0) - (before.approved_fen or 0) if before and leaves else 0
    counts = {} if was is is_now else {is_now: 1} if was is None else {was: -1, is_now: 1}
    return Movement(
        remaining=-1 if before is None else 0,
        made=1 if before is None else 0,
        counts=counts,
        ever_claimed=1 if is_now is State.CLAIMED and was in (None, State.ISSUED) else 0,
        ever_redeemed={(State.CLAIMED, State.REDEEMED): 1, (State.REDEEMED, State.CLAIMED): -1}.get(
            (was or State.ISSUED, is_now), 0
        ),
        reserved_fen=-leaves,
        to_release_fen=leaves - granted,
    )


def _reserved(voucher: Voucher) -> int:
    """What a shard keeps for a voucher: its ceiling, until it ends or its money is granted."""
    return 0 if voucher.state in ENDED or voucher.approved_fen is not None else voucher.ceiling_fen


def total(movements: Iterable[Movement]) -> Movement:
    """Several vouchers' movements on one shard as one."""
    sum_ = Movement()
    for m in movements:
        counts = {s: sum_.counts.get(s, 0) + m.counts.get(s, 0) for s in {*sum_.counts, *m.counts}}
        sum_ = Movement(
            remaining=sum_.remaining + m.remaining,
            made=sum_.made + m.made,
            counts={s: n for s, n in counts.items() if n},
            ever_claimed=sum_.ever_claimed + m.ever_claimed,
            ever_redeemed=sum_.ever_redeemed + m.ever_redeemed,
            reserved_fen=sum_.reserved_fen + m.reserved_fen,
            to_release_fen=sum_.to_release_fen + m.to_release_fen,
        )
    return sum_


def ceiling_of(function_mode: FunctionMode, face_value_fen: int, standard_fen: int, *, attendance_only: bool) -> int:
    """The most that one voucher can cost, in fen."""
    if function_mode is FunctionMode.FACE_VALUE:
        return face_value_fen
    return 0 if attendance_only else standard_fen


def shards_wanted(quantity: int, peak_claims: int) -> int:
    """clamp(max(quantity / 5,000, peak claims a second / 12), 1, 128)."""
    wanted = max(quantity / VOUCHERS_PER_SHARD, peak_claims / CLAIMS_PER_SHARD)
    return min(max(math.ceil(wanted), 1), MOST_SHARDS)


def publish(template: Template, now: datetime) -> Template:
    """draft → published: the whole quantity is on its way to the shards."""
    if template.state is not TemplateState.DRAFT:
        raise TemplateStateRefused(state=template.state)
    return _next(template, state=TemplateState.PUBLISHED, gate=template.gate + 1, published_at=now)


def suspend(template: Template) -> Template:
    """published → suspended: stops claims, not use."""
    if template.state is not TemplateState.PUBLISHED:
        raise TemplateStateRefused(state=template.state)
    return _next(template, state=TemplateState.SUSPENDED, gate=template.gate + 1)


def resume(template: Template) -> Template:
    """suspended → published."""
    if template.state is not TemplateState.SUSPENDED:
        raise TemplateStateRefused(state=template.state)
    return _next(template, state=TemplateState.PUBLISHED, gate=template.gate + 1)


def close(template: Template) -> Template:
    """draft, published, suspended → closed, for good; claimed vouchers stay usable."""
    if template.state is TemplateState.CLOSED:
        raise TemplateStateRefused(state=template.state)
    if template.state is TemplateState.DRAFT:  # nothing was ever published: a draft is thrown away
        return _next(template, state=TemplateState.CLOSED, quantity=0, unallotted=0, released=True)
    return _next(template, state=TemplateState.CLOSED, gate=template.gate + 1)


def add(template: Template, quantity: int) -> Template:
    """More vouchers for a template that is published or suspended."""
    if template.state not in (TemplateState.PUBLISHED, TemplateState.SUSPENDED):
        raise TemplateStateRefused(state=template.state)
    return _next(template, quantity=template.quantity + quantity, unallotted=template.unallotted + quantity)


def release(shard: Shard, ceiling_fen: int) -> Shard:
    """What a closing does to a shut shard: what remains is released, and its money waits to be posted."""
    freed = shard.remaining * ceiling_fen
    return replace(
        shard,
        remaining=0,
        released=shard.released + shard.remaining,
        reserved_fen=shard.reserved_fen - freed,
        to_release_fen=shard.to_release_fen + freed,
        version=shard.version + 1,
    )


def _next(template: Template, **changes: object) -> Template:
    return replace(template, version=template.version + 1, **changes)  # type: ignore[arg-type]


def allotments(template: Template, shards: Sequence[Shard], most: int) -> dict[int, int]:
    """How the unallotted stock is dealt to shard numbers, at most ``most`` of them at once.

    The emptiest, new ones among them, are filled up to a common level, so that stock added to a template that sold
    unevenly levels out. A closed template's stock goes to shard 0, to be released there.
    """
    if template.state is TemplateState.CLOSED:
        return {0: to_deal(template)}
    wanted = max(shards_wanted(template.quantity, template.peak_claims), len(shards))
    remaining = {s.number: s.remaining for s in shards}
    levels = sorted((remaining.get(n, 0), n) for n in range(wanted))
    # New shards are numbered without gaps: a chunk that is cut off takes the lowest numbers of equal level first.
    filled, poured = 1, levels[0][0]
    while filled < wanted and levels[filled][0] * filled - poured < to_deal(template):
        poured += levels[filled][0]
        filled += 1
    level, rest = divmod(to_deal(template) + poured, filled)
    deals = {n: level + (1 if i < rest else 0) - had for i, (had, n) in enumerate(levels[:filled])}
    return dict(sorted((n, q) for n, q in deals.items() if q > 0)[:most])


def to_deal(template: Template) -> int:
    """The unallotted stock that goes to shards now; once closed, also what was set aside."""
    kept = 0 if template.state is TemplateState.CLOSED else template.set_aside
    return template.unallotted - kept


def set_aside(template: Template, shards: Iterable[Shard], units: int, most: int) -> tuple[Template, dict[int, int]]:
    """Take units back from the fullest shards, ``most`` of them at once, for a roster that is issued as a whole: the
    template after it, and how many of which shard. They may be fewer than were asked for."""
    taken: dict[int, int] = {}
    for shard in sorted(shards, key=lambda one: -one.remaining)[:most]:
        some = min(units - sum(taken.values()), shard.remaining)
        if some > 0:
            taken[shard.number] = some
    units = sum(taken.values())
    after = _next(template, unallotted=template.unallotted + units, set_aside=template.set_aside + units)
    return after, taken


def use_aside(template: Template, units: int) -> Template:
    """Units that were set aside become vouchers of a shard."""
    return _next(template, unallotted=template.unallotted - units, set_aside=template.set_aside - units)


def give_back_aside(template: Template, units: int) -> Template:
    """Units that were set aside and are not needed go to the shards again; a closed template has dealt them already."""
    return _next(template, set_aside=template.set_aside - min(units, template.set_aside))


def deal(template: Template, deals: Mapping[int, int]) -> Template:
    """The template after it gave stock to shards."""
    return _next(
        template,
        unallotted=template.unallotted - sum(deals.values()),
        set_aside=0 if template.state is TemplateState.CLOSED else template.set_aside,
        shards=max(template.shards, *(n + 1 for n in deals)),
    )


def new_shard(template: Template, number: int, quantity: int) -> Shard:
    """A shard as dealing creates it."""
    return Shard(
        template_id=template.template_id,
        number=number,
        open=template.state is TemplateState.PUBLISHED,
        gate=template.gate,
        terms_version=template.terms_version,
        quantity=quantity,
        remaining=quantity,
        reserved_fen=quantity * template.ceiling_fen,
    )


def is_settled(template: Template) -> bool:
    """Whether every shard has got what the template's last act meant for it."""
    if template.state is TemplateState.DRAFT:
        return True
    closed = template.state is TemplateState.CLOSED
    return template.gate_reached == template.gate and (template.released if closed else to_deal(template) == 0)


def reached(template: Template) -> Template:
    """Every shard stands at the template's gate; a closed template is empty as well."""
    return _next(template, gate_reached=template.gate, released=template.state is TemplateState.CLOSED)


def check_open_for_claim(state: TemplateState, terms: Terms, now: datetime) -> None:
    """Raises TemplateNotOpen, DirectedOnly, ClaimWindowNotOpen, ClaimWindowOver. The shard's conditions decide."""
    if state is not TemplateState.PUBLISHED:
        raise TemplateNotOpen(state=state)
    if terms.distribution_mode is DistributionMode.DIRECTED:
        raise DirectedOnly()
    match calendar.in_force(terms.claim_from, terms.claim_until, now):
        case "not_yet":
            raise ClaimWindowNotOpen(claim_from=terms.claim_from.isoformat())
        case "expired":
            raise ClaimWindowOver(claim_until=terms.claim_until.isoformat())


def check_open_for_issue(state: TemplateState, terms: Terms, now: datetime) -> None:
    """Raises TemplateNotOpen, NotDirected, ClaimWindowOver. The shard's conditions decide."""
    if state is not TemplateState.PUBLISHED:
        raise TemplateNotOpen(state=state)
    if terms.distribution_mode is not DistributionMode.DIRECTED:
        raise NotDirected()
    if calendar.local_date(now) > terms.claim_until:
        raise ClaimWindowOver(claim_until=terms.claim_until.isoformat())


def check_open_for_taking(state: TemplateState, terms: Terms, now: datetime) -> None:
    """Whether what was issued may be claimed now. Raises TemplateNotOpen (suspended; a closed one lets it),
    ClaimWindowNotOpen, ClaimWindowOver. Source: domain.md §3."""
    if state is TemplateState.SUSPENDED:
        raise TemplateNotOpen(state=state)
    match calendar.in_force(terms.claim_from, terms.claim_until, now):
        case "not_yet":
            raise ClaimWindowNotOpen(claim_from=terms.claim_from.isoformat())
        case "expired":
            raise ClaimWindowOver(claim_until=terms.claim_until.isoformat())


def check_place(terms: Terms, course: Course, institution_id: str) -> None:
    """Whether a voucher of these terms may be used for the course there. Raises WrongInstitution, WrongCourse."""
    if terms.institutions and institution_id not in terms.institutions:
        raise WrongInstitution()
    if course.institution_id != institution_id:
        raise WrongCourse()
    if course.programme_id != terms.programme_id or (terms.courses and course.course_id not in terms.courses):
        raise WrongCourse()


def stock_of(template: Template, shards: Iterable[Shard]) -> Stock:
    """Add the shards up."""
    rows = list(shards)
    return Stock(
        quantity=template.quantity,
        unallotted=template.unallotted,
        remaining=sum(s.remaining for s in rows),
        made=sum(s.made for s in rows),
        released=sum(s.released for s in rows),
        counts={state: sum(s.counts[state] for s in rows) for state in State},
        ever_claimed=sum(s.ever_claimed for s in rows),
        ever_redeemed=sum(s.ever_redeemed for s in rows),
        reserved_fen=sum(s.reserved_fen for s in rows),
        to_release_fen=sum(s.to_release_fen for s in rows),
    )
