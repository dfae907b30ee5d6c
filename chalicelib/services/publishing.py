"""Templates from draft to closing: write, publish, suspend, resume, add, close.

An act is one transaction on the template's head row (with the money that it moves). What it means for the shards is
then brought to them by ``settle``, which may be cut off anywhere and called again by anybody: by the repeated request,
by the next act, by a claim that finds stock on its way.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.domain import fund
from chalicelib.domain import template as rules
from chalicelib.domain.access import Actor, covers, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.eligibility import Rule
from chalicelib.domain.errors import (
    AccountNotFound,
    BudgetExceeded,
    Contended,
    Invalid,
    TemplateNotFound,
    TemplateStateRefused,
)
from chalicelib.domain.fund import Account, Posting, PostingKind, reserve_legs
from chalicelib.domain.listing import Listing, follow
from chalicelib.domain.outcomes import Done, Mark, StaleRow, WriteConflict
from chalicelib.domain.programme import Programme
from chalicelib.domain.region import within
from chalicelib.domain.template import (
    BusinessMode,
    DistributionMode,
    FunctionMode,
    Look,
    Shard,
    Stock,
    Template,
    TemplateState,
    Terms,
    ceiling_of,
    stock_of,
)
from chalicelib.services.cataloguing import (
    find_course,
    find_institution,
    find_programme,
    find_region,
    rules_in_force,
)
from chalicelib.services.judging_eligibility import check_rule
from chalicelib.services.once import once
from chalicelib.services.ports import Accounts, Catalogue, Chance, Marks, Templates

# One transaction holds 100 actions: the template's head row and this many shards, with room to spare.
# New shards are in nobody's way; those that people claim from are dealt to a few at a time, so that few conflict.
NEW_SHARDS_AT_ONCE, BUSY_SHARDS_AT_ONCE = 90, 4
SETTLE_TRIES = 120


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    region: str
    account_id: str
    quantity: int
    look: Look
    business_mode: BusinessMode
    function_mode: FunctionMode
    distribution_mode: DistributionMode
    programme_id: str
    face_value_fen: int
    attendance_only: bool
    claim_from: date
    claim_until: date
    valid_from: date | None = None
    valid_until: date | None = None
    courses: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    eligibility: Rule | None = None
    peak_claims: int = 0


def draft_template(
    catalogue: Catalogue,
    accounts: Accounts,
    templates: Templates,
    marks: Marks,
    chance: Chance,
    draft: TemplateDraft,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Write a draft with its first terms; nothing is reserved yet.

    Raises RegionNotFound, OutOfScope, ProgrammeNotFound, CourseNotFound, InstitutionNotFound, AccountNotFound, Invalid.
    """

    def act() -> Template:
        valid_from, valid_until = _validity(catalogue, draft, now)
        programme = _check_draft(catalogue, accounts, draft, valid_from, valid_until, actor, now)
        template_id = chance.short_id()
        ceiling = ceiling_of(
            draft.function_mode, draft.face_value_fen, programme.standard_fen, attendance_only=draft.attendance_only
        )
        terms = Terms(
            template_id=template_id,
            version=1,
            business_mode=draft.business_mode,
            function_mode=draft.function_mode,
            distribution_mode=draft.distribution_mode,
            programme_id=programme.programme_id,
            programme_type=programme.programme_type,
            occupation=programme.occupation,
            level=programme.level,
            face_value_fen=draft.face_value_fen,
            ceiling_fen=ceiling,
            claim_from=draft.claim_from,
            claim_until=draft.claim_until,
            valid_from=valid_from,
            valid_until=valid_until,
            courses=draft.courses,
            institutions=draft.institutions,
            eligibility=draft.eligibility,
            payee=programme.payee,
        )
        template = Template(
            template_id=template_id,
            region=draft.region,
            account_id=draft.account_id,
            state=TemplateState.DRAFT,
            look=draft.look,
            terms_version=1,
            peak_claims=draft.peak_claims,
            quantity=draft.quantity,
            unallotted=draft.quantity,
            ceiling_fen=ceiling,
            made_at=now,
        )
        templates.add(template, terms, Mark(attempt, template, now))
        return template

    return once(marks, attempt, Template, now, act)


def publish_template(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Reserve quantity × ceiling and open the shards.

    Raises TemplateNotFound, TemplateStateRefused, BudgetExceeded, ListingFull.
    """

    def change(before: Template) -> tuple[Template, int]:
        return rules.publish(before, now), before.quantity

    return _act(templates, accounts, marks, template_id, change, actor, attempt, now)


def suspend_template(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Stop claims; use goes on. Raises TemplateNotFound, TemplateStateRefused."""
    return _act(templates, accounts, marks, template_id, lambda t: (rules.suspend(t), 0), actor, attempt, now)


def resume_template(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Let claims go on. Raises TemplateNotFound, TemplateStateRefused."""
    return _act(templates, accounts, marks, template_id, lambda t: (rules.resume(t), 0), actor, attempt, now)


def close_template(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Close for good: what nobody claimed is released. Raises TemplateNotFound, TemplateStateRefused."""
    return _act(templates, accounts, marks, template_id, lambda t: (rules.close(t), 0), actor, attempt, now)


def add_quantity(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    quantity: int,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """Publish more of the same. Raises TemplateNotFound, TemplateStateRefused, BudgetExceeded."""

    def change(before: Template) -> tuple[Template, int]:
        return rules.add(before, quantity), quantity

    return _act(templates, accounts, marks, template_id, change, actor, attempt, now)


def find_template(templates: Templates, template_id: str) -> tuple[Template, Terms]:
    """Raises TemplateNotFound."""
    template = templates.read(template_id)
    if template is None:
        raise TemplateNotFound()
    return template, templates.terms(template_id, template.terms_version)


def count_stock(templates: Templates, template: Template) -> Stock:
    """Add up the shards as they are now."""
    return stock_of(template, templates.shards(template))


def list_shards(templates: Templates, template_id: str, actor: Actor) -> list[Shard]:
    """Each shard's sub-ledger. Raises TemplateNotFound, also outside the scope."""
    template, _ = find_template(templates, template_id)
    if not covers(actor, template.region):
        raise TemplateNotFound()
    return templates.shards(template)


def settle(templates: Templates, template_id: str) -> Template:
    """Bring to the shards what the template's last acts mean for them. Raises TemplateNotFound, Contended."""
    for _ in range(SETTLE_TRIES):
        template = templates.read(template_id)
        if template is None:
            raise TemplateNotFound()
        if rules.is_settled(template):
            return template
        try:
            _settle_a_step(templates, template)
        except (StaleRow, WriteConflict):  # another settles too, claims are in the way, the next act came: look again
            continue
    raise Contended()


def _settle_a_step(templates: Templates, template: Template) -> None:
    shards = templates.shards(template)
    behind = [shard.number for shard in shards if shard.gate < template.gate]
    if behind:
        templates.set_gate(template, behind)
    if rules.to_deal(template):
        deals = rules.allotments(template, shards, BUSY_SHARDS_AT_ONCE if shards else NEW_SHARDS_AT_ONCE)
        known = {shard.number for shard in shards}
        new = [rules.new_shard(template, number, deals[number]) for number in deals if number not in known]
        more = {number: quantity for number, quantity in deals.items() if number in known}
        templates.deal(rules.deal(template, deals), more, new)
        return
    if template.state is TemplateState.CLOSED:
        for shard in templates.shards(template) if behind else shards:
            if shard.remaining:
                templates.release(shard, rules.release(shard, template.ceiling_fen))
    templates.change(rules.reached(template), mark=None)


def _act(
    templates: Templates,
    accounts: Accounts,
    marks: Marks,
    template_id: str,
    change: Callable[[Template], tuple[Template, int]],
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Template]:
    """One act on the head row: ``change`` says what it becomes and how many vouchers more must be reserved."""

    def act() -> Template:
        before = templates.read(template_id)
        if before is None or not covers(actor, before.region):
            raise TemplateNotFound()
        must_cover(actor, before.region)
        after, vouchers = change(before)
        try:
            posted = _reserve(accounts, after, vouchers, actor, now)
        except BudgetExceeded:
            # Template and account are read at two moments: what took the money may have been this very act, by another.
            if templates.read(template_id) != before:
                raise StaleRow from None
            raise
        templates.change(after, Mark(attempt, after, now), posted, _listing(templates, after, now))
        return after

    try:
        done = once(marks, attempt, Template, now, act)
    except TemplateStateRefused:
        # The act before this one may have been cut off before its shards were settled: finish it all the same.
        settle(templates, template_id)
        raise
    settle(templates, template_id)
    return done


def _listing(templates: Templates, after: Template, now: datetime) -> Listing | None:
    """What the region's listing becomes, where it is another one then. Raises ListingFull."""
    terms = templates.terms(after.template_id, after.terms_version)
    if terms.distribution_mode is DistributionMode.DIRECTED:
        return None
    return follow(templates.listing(after.region), after, terms, now)


def _reserve(
    accounts: Accounts, template: Template, vouchers: int, actor: Actor, now: datetime
) -> tuple[Account, Posting] | None:
    amount = vouchers * template.ceiling_fen
    if not amount:
        return None
    account = accounts.read(template.account_id)
    if account is None:
        raise AccountNotFound()
    return fund.post(
        account,
        PostingKind.RESERVE,
        reserve_legs(amount),
        reference=template.template_id,
        app_key=actor.app_key,
        operator_id=actor.operator_id,
        now=now,
    )


def _check_draft(
    catalogue: Catalogue,
    accounts: Accounts,
    draft: TemplateDraft,
    valid_from: date,
    valid_until: date,
    actor: Actor,
    now: datetime,
) -> Programme:
    find_region(catalogue, draft.region)
    must_cover(actor, draft.region)
    programme = find_programme(catalogue, draft.programme_id)
    if not within(draft.region, (programme.region,)):
        raise Invalid(pointer="/programme_id", reason="the programme is not one of this region or of one above it")
    _check_dates(draft, valid_from, valid_until)
    check_rule(catalogue, draft.region, draft.eligibility)
    today = local_date(now)
    for pointer, last in (("/valid_until", valid_until), ("/claim_until", draft.claim_until)):
        if last < today:
            raise Invalid(
                pointer=pointer,
                reason=f"{last} is over already; it must be today ({today}) or later",
                reason_zh=f"{last} 已过，不能早于今天（{today}）",
            )
    if draft.function_mode is FunctionMode.FACE_VALUE:
        if draft.attendance_only:
            raise Invalid(pointer="/attendance_only", reason="a face-value voucher is not for attendance only")
        if not 0 < draft.face_value_fen <= programme.standard_fen:
            raise Invalid(
                pointer="/face_value_fen",
                reason=f"must be from 1 fen to the programme's {programme.standard_fen} fen",
                reason_zh=f"面值须在 1 分至该项目补贴标准 {programme.standard_fen} 分之间",
            )
    elif draft.face_value_fen:
        raise Invalid(pointer="/face_value_fen", reason="a voucher without face value carries none")
    check_courses(catalogue, draft.courses, programme.programme_id, draft.institutions, "/courses")
    for institution_id in draft.institutions:
        find_institution(catalogue, institution_id)
    account = accounts.read(draft.account_id)
    if account is None or account.region != draft.region:
        raise AccountNotFound()
    return programme


def check_courses(
    catalogue: Catalogue, courses: Sequence[str], programme_id: str, institutions: Collection[str], pointer: str
) -> None:
    """Whether a template of the programme, for these institutions (none: for all), may name the courses.

    Raises CourseNotFound, Invalid at ``pointer``.
    """
    for course_id in courses:
        course = find_course(catalogue, course_id)
        if course.programme_id != programme_id:
            raise Invalid(
                pointer=pointer,
                reason=f"course {course_id} is not of this programme",
                reason_zh=f"课程 {course_id} 不属于该培训项目",
            )
        if institutions and course.institution_id not in institutions:
            raise Invalid(
                pointer=pointer,
                reason=f"course {course_id} is of an institution that is not among the institutions",
                reason_zh=f"课程 {course_id} 的机构不在所列机构之中",
            )


def _validity(catalogue: Catalogue, draft: TemplateDraft, now: datetime) -> tuple[date, date]:
    """The dates of validity; where the draft has none, from the first day of claiming on for as long as the region's
    rules say, and no shorter than claiming lasts. Raises RegionNotFound."""
    valid_from = draft.valid_from or draft.claim_from
    if draft.valid_until is not None:
        return valid_from, draft.valid_until
    days = rules_in_force(catalogue, draft.region, now).validity_days
    return valid_from, max(valid_from + timedelta(days=days - 1), draft.claim_until)


def _check_dates(draft: TemplateDraft, valid_from: date, valid_until: date) -> None:
    if draft.claim_from > draft.claim_until:
        raise Invalid(pointer="/claim_until", reason="claiming cannot end before it begins")
    if valid_from > valid_until:
        raise Invalid(pointer="/valid_until", reason="validity cannot end before it begins")
    if draft.claim_until > valid_until:
        raise Invalid(pointer="/claim_until", reason="nobody can claim a voucher that is no longer valid")
