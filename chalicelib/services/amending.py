"""Amend published terms in the holders' favour, and bring every held voucher to them.

The act is one transaction: the next terms, the head that points to them, the amendment's own row. From then on every
reader goes by the newest terms (``newest_terms``). The shards follow by their gate (``publishing.settle``). The
vouchers' own rows and histories follow by a job, chunk by chunk, which is asked for *before* the act is written: so
no crash leaves an amendment that nobody carries out, and an errand for one that was never made finds nothing to do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor, covers, must_cover
from chalicelib.domain.amendment import (
    Amendment,
    Changes,
    Errand,
    amend_template,
    amend_terms,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AmendmentNotFound, Contended, TemplateNotFound, Unavailable
from chalicelib.domain.listing import follow
from chalicelib.domain.outcomes import Done, Mark, Page, StaleRow, WriteConflict
from chalicelib.domain.person import Person
from chalicelib.domain.template import DistributionMode, Template, Terms
from chalicelib.domain.voucher import State, Voucher, has_lapsed
from chalicelib.services.cataloguing import find_institution
from chalicelib.services.newest_terms import brought_to, in_hand_again
from chalicelib.services.once import TRIES, once
from chalicelib.services.ports import Catalogue, Errands, Marks, People, Templates
from chalicelib.services.publishing import check_courses, find_template, settle
from chalicelib.services.sweeping import LANES, LOOK_BACK

# Longer than a request can last: by then the amendment is written, or it never will be.
FIRST_LOOK = timedelta(seconds=60)
# Longer than an index lags, and than a container remembers a template (60 s) and a request lasts (20 s): what may have
# been written by old terms is there to be found.
NEXT_LOOK = timedelta(seconds=90)
# Each voucher may bring its holder's row along, and the amendment's row comes with them: 2 × 49 + 1 ≤ 100 actions.
CHUNK = 49


@dataclass(frozen=True, slots=True)
class Failure:
    """A voucher that cannot be amended; somebody must look at it. ``trouble``: what kind of error."""

    person_id: str
    template_id: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did. ``next_errand``: what is left to do, after ``delay``; None: the amendment is carried out, or
    somebody is left behind, in this run or in one before it in the same look (``errand.failed``)."""

    examined: int = 0
    moved: int = 0
    next_errand: Errand | None = None
    delay: timedelta = timedelta()
    failures: tuple[Failure, ...] = ()


def amend(
    catalogue: Catalogue,
    templates: Templates,
    marks: Marks,
    errands: Errands,
    template_id: str,
    changes: Changes,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Amendment]:
    """Give the template its next terms.

    Raises TemplateNotFound, OutOfScope, TemplateStateRefused, Invalid, NotInFavour, CourseNotFound,
    InstitutionNotFound, ListingFull, Unavailable.
    """

    def act() -> Amendment:
        before = templates.read(template_id)
        if before is None or not covers(actor, before.region):
            raise TemplateNotFound()
        must_cover(actor, before.region)
        terms = templates.terms(template_id, before.terms_version)
        after = amend_template(before)
        better = amend_terms(before, terms, changes, reason, today=calendar.local_date(now))
        _check_places(catalogue, better, changes)
        amendment = Amendment(
            template_id=template_id,
            number=before.terms_version,
            reason=reason,
            valid_until=changes.valid_until,
            claim_until=changes.claim_until,
            add_courses=changes.add_courses,
            add_institutions=changes.add_institutions,
            made_at=now,
            operator_id=actor.operator_id,
        )
        listing = follow(templates.listing(after.region), after, better, now, amended=True)
        errands.ask(Errand(template_id, amendment.number), FIRST_LOOK)
        templates.amend(after, better, amendment, Mark(attempt, amendment, now), listing)
        return amendment

    done = once(marks, attempt, Amendment, now, act)
    settle(templates, template_id)
    return done


def find_amendment(templates: Templates, template_id: str, number: int, actor: Actor) -> Amendment:
    """Raises TemplateNotFound, also outside the scope, AmendmentNotFound."""
    _must_see(templates, template_id, actor)
    amendment = templates.amendment(template_id, number)
    if amendment is None:
        raise AmendmentNotFound()
    return amendment


def list_amendments(
    templates: Templates, template_id: str, actor: Actor, limit: int, cursor: str | None
) -> Page[Amendment]:
    """Oldest first. Raises TemplateNotFound, also outside the scope."""
    _must_see(templates, template_id, actor)
    return templates.amendments(template_id, limit, cursor)


def carry_out(
    templates: Templates, people: People, errand: Errand, *, now: datetime, may_go_on: Callable[[], bool]
) -> Run:
    """Look for vouchers that are behind, and bring them to the newest terms. ``may_go_on`` is asked before each page.

    The index finds, the base rows decide. It lags, and containers remember a template for a minute: so a look that
    found somebody, and the first one anyhow, is followed by another; the amendment is finished when a look found
    nobody. Harmless twice, late, at once with another, or cut off anywhere. Raises Contended, Unavailable.
    """
    amendment = templates.amendment(errand.template_id, errand.number)
    if amendment is None or amendment.finished_at is not None:
        return Run()
    template = settle(templates, errand.template_id)
    examined = moved = 0
    failures: list[Failure] = []
    for day in _days(templates, template, now):
        for lane in range(LANES):
            if errand.day is not None and (day, lane) < (errand.day, errand.lane):
                continue
            cursor: str | None = None
            while True:
                if not may_go_on():
                    found, failed = errand.found or moved > 0, errand.failed or bool(failures)
                    rest = replace(errand, found=found, failed=failed, day=day, lane=lane)
                    return Run(examined, moved, rest, timedelta(), tuple(failures))
                page = people.due_of(template.template_id, day, lane, CHUNK, cursor)
                examined += len(page.items)
                moved += _move_chunk(templates, people, template, errand.number, page.items, now, failures)
                cursor = page.cursor
                if cursor is None:
                    break
    if failures or errand.failed:  # somebody is left behind, here or where this look began: it is not finished
        return Run(examined, moved, failures=tuple(failures))
    if moved or errand.found or errand.look == 0:
        again = Errand(errand.template_id, errand.number, errand.look + 1)
        return Run(examined, moved, again, NEXT_LOOK)
    _finish(templates, errand, now)
    return Run(examined, moved)


def _days(templates: Templates, template: Template, now: datetime) -> Sequence[date]:
    """Under which due days vouchers of earlier terms may stand: the day after each earlier validity and, where that is
    over, every day since (a step that was taken late is due late), as far back as a sweep would look."""
    earlier = [templates.terms(template.template_id, version) for version in range(1, template.terms_version)]
    ends = {one.valid_until for one in earlier}
    if any(one.distribution_mode is DistributionMode.DIRECTED for one in earlier):
        ends |= {one.claim_until for one in earlier}  # what was issued and not taken ends then
    today = calendar.local_date(now)
    first = max(min(ends) + timedelta(days=1), today - LOOK_BACK)
    late = [first + timedelta(days=n) for n in range((today - first).days + 2)] if first <= today else []
    return sorted({*(end + timedelta(days=1) for end in ends), *late})


def _move_chunk(
    templates: Templates,
    people: People,
    template: Template,
    number: int,
    keys: Sequence[tuple[str, str]],
    now: datetime,
    failures: list[Failure],
) -> int:
    if not keys:
        return 0
    try:
        return _move(templates, people, template, number, keys, now)
    except Unavailable:
        raise
    except Exception:
        # One of them keeps changing, cannot be read or cannot be written: each for itself, so that it stops no other.
        return sum(_move_one(templates, people, template, number, key, now, failures) for key in keys)


def _move_one(
    templates: Templates,
    people: People,
    template: Template,
    number: int,
    key: tuple[str, str],
    now: datetime,
    failures: list[Failure],
) -> int:
    try:
        return _move(templates, people, template, number, (key,), now)
    except Unavailable:
        raise
    except Exception as trouble:
        failures.append(Failure(*key, type(trouble).__name__))
        return 0


def _move(
    templates: Templates,
    people: People,
    template: Template,
    number: int,
    keys: Sequence[tuple[str, str]],
    now: datetime,
) -> int:
    """All of these in one transaction, with what it adds to the amendment. Raises WriteConflict."""
    for _ in range(TRIES):
        steps = _steps(templates, template, people.vouchers(keys), now)
        if not steps:
            return 0
        amendment = templates.amendment(template.template_id, number)
        if amendment is None:
            raise LookupError(f"template {template.template_id} has no amendment {number}")
        progress = replace(amendment, moved=amendment.moved + len(steps), version=amendment.version + 1)
        try:
            people.record_steps(steps, holders=_hands(people, steps, now), progress=progress)
            return len(steps)
        except (StaleRow, WriteConflict):
            continue
    raise WriteConflict


def _steps(
    templates: Templates, template: Template, found: Sequence[Voucher], now: datetime
) -> list[tuple[Voucher, Voucher]]:
    """Of those that are held. What has lapsed by the newest terms too is the sweep's; a redeemed one is in no index:
    the reversal that makes it held again brings it along."""
    held = [one for one in found if one.state in (State.ISSUED, State.CLAIMED)]
    judged = [(before, brought_to(templates, before, template.terms_version, now)) for before in held]
    return [(before, after) for before, after in judged if after is not before and not has_lapsed(after, now)]


def _hands(people: People, steps: Sequence[tuple[Voucher, Voucher]], now: datetime) -> list[Person]:
    """The holders of those that had lapsed and live again."""
    lapsed = {before.person_id: before for before, _ in steps if has_lapsed(before, now)}
    holders = people.holders(list(lapsed)) if lapsed else []
    changed = (in_hand_again([lapsed[holder.person_id]], holder, now) for holder in holders)
    return [holder for holder in changed if holder is not None]


def _finish(templates: Templates, errand: Errand, now: datetime) -> None:
    for _ in range(TRIES):
        amendment = templates.amendment(errand.template_id, errand.number)
        if amendment is None or amendment.finished_at is not None:
            return
        try:
            templates.note_progress(replace(amendment, finished_at=now, version=amendment.version + 1))
            return
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def _check_places(catalogue: Catalogue, terms: Terms, changes: Changes) -> None:
    check_courses(catalogue, changes.add_courses, terms.programme_id, terms.institutions, "/add_courses")
    for institution_id in changes.add_institutions:
        find_institution(catalogue, institution_id)


def _must_see(templates: Templates, template_id: str, actor: Actor) -> None:
    template, _ = find_template(templates, template_id)
    if not covers(actor, template.region):
        raise TemplateNotFound()
