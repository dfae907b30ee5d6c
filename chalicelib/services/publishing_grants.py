"""Publish what was granted (公示), masked, for some days before it is paid; and hear objections. domain.md §4."""

from dataclasses import dataclass
from datetime import date, datetime

from chalicelib.domain import application as rules
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.application import (
    LINE_STATE_ZH,
    UNPAID,
    Application,
    Line,
    LineState,
    count,
    find_objection,
    settle,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import Invalid, LineNotFound, LineStateRefused
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.institution import Institution
from chalicelib.domain.outcomes import Done, LineStep, Mark, Page
from chalicelib.services.applying import find_application
from chalicelib.services.cataloguing import find_course, find_institution, find_region
from chalicelib.services.once import once
from chalicelib.services.ports import Platform
from chalicelib.services.withdrawing_approvals import of_region, take_back

BETWEEN = "~"
"""Between what a cursor of the published lines tells: before which application, which one, before which line."""
_PUBLIC = UNPAID | {LineState.PAID}


@dataclass(frozen=True, slots=True)
class PublicLine:
    """One voucher as everybody may see it: nobody's number, no voucher's id."""

    application_id: str
    institution_id: str
    institution_name: str
    course_name: str
    masked_name: str
    fen: int
    until: date


def publish_grants(
    p: Platform, application_id: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Application]:
    """Publish a decided application.

    Raises ApplicationNotFound, OutOfScope, SettledElsewhere, NoPublicity, ApplicationStateRefused, AlreadyPublished,
    SameOperator.
    """

    def act() -> Application:
        before, decided = of_region(p, application_id, actor, now)
        after = rules.publish(before, decided, operator_id=actor.operator_id, now=now)
        p.applications.publish(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Application, now, act)


def enter_objection(
    p: Platform, application_id: str, voucher_id: str, text: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Application]:
    """Enter what somebody said against a published line, also when its money is on the way, or was paid.

    Raises ApplicationNotFound, OutOfScope, NotPublished, LineNotFound, LineStateRefused, TooManyObjections.
    """

    def act() -> Application:
        before = find_application(p, application_id, actor=actor)
        must_cover(actor, before.region)
        after = rules.object_to(before, voucher_id, text, operator_id=actor.operator_id, now=now)
        line = _line(p, application_id, voucher_id)
        if line.state not in _PUBLIC:
            raise LineStateRefused(state=line.state, state_zh=LINE_STATE_ZH[line.state])
        # The head's version sees to it that no payment takes the line up in between.
        p.applications.change(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Application, now, act)


def resolve_objection(
    p: Platform,
    application_id: str,
    number: int,
    upheld: bool,
    text: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Application]:
    """Uphold an objection: the line is refused, and what was granted is free again in the same transaction; or not.
    Of a line that was paid by then it is only said: its money is clawed back, by the act for that.

    Raises ApplicationNotFound, OutOfScope, SettledElsewhere, ObjectionNotFound, ObjectionResolved, SameOperator,
    LineStateRefused (its money is on the way: what the bank answers, or a cancelled batch, comes first).
    """

    def act() -> Application:
        before, _ = of_region(p, application_id, actor, now)
        one = find_objection(before, number)
        told = rules.resolve(before, number, upheld=upheld, text=text, operator_id=actor.operator_id, now=now)
        line = _line(p, application_id, one.voucher_id)
        changed, steps, posted = list[tuple[Line, Line]](), list[LineStep](), list[tuple[Account, Posting]]()
        # Of two objections to one line the first that is upheld has refused it already.
        if upheld and line.state not in (LineState.REFUSED, LineState.PAID):
            changed, steps, posted = take_back(p, before, [line], None, text, actor, now)
        after = settle(count(before, changed, objections=told), now)
        p.applications.record(after, steps, posted, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Application, now, act)


def list_published(
    p: Platform, region: str, limit: int, cursor: str | None, *, actor: Actor, now: datetime
) -> Page[PublicLine]:
    """What a region has published these days; a page may be shorter than it was asked for, or empty, and go on.

    Raises RegionNotFound, OutOfScope, Invalid (the cursor).
    """
    find_region(p.catalogue, region)
    must_cover(actor, region)
    here, application_id, of_lines = _open(cursor)
    applications = p.applications.published(region, local_date(now), 1, here or None)
    if not applications.items:
        return Page((), None)
    (application,) = applications.items
    # Where midnight has ended the other's publicity, this one begins with its first line.
    begin = of_lines if application.application_id == application_id else ""
    lines = p.applications.lines(application.application_id, limit, begin or None)
    if lines.cursor:
        more: str | None = BETWEEN.join((here, application.application_id, lines.cursor))
    else:
        more = BETWEEN.join((applications.cursor, "", "")) if applications.cursor else None
    return Page(_public(p, application, lines.items), more)


def _public(p: Platform, application: Application, lines: tuple[Line, ...]) -> tuple[PublicLine, ...]:
    training = p.catalogue.classes.get(application.class_id)
    assert training is not None, "a class is never deleted"
    assert application.publicity is not None
    institution: Institution = find_institution(p.catalogue, application.institution_id)
    course = find_course(p.catalogue, training.course_id)
    until = application.publicity.until
    return tuple(
        PublicLine(
            application.application_id, institution.institution_id, institution.name_zh, course.name_zh,
            line.masked_name, line.granted_fen or 0, until,
        )
        for line in lines
        if line.state in _PUBLIC
    )  # fmt: skip


def _open(cursor: str | None) -> tuple[str, str, str]:
    if cursor is None:
        return "", "", ""
    parts = cursor.split(BETWEEN)
    if len(parts) != 3:
        raise Invalid(pointer="cursor", reason="this cursor is not one of ours for this list")
    here, application_id, of_lines = parts
    return here, application_id, of_lines


def _line(p: Platform, application_id: str, voucher_id: str) -> Line:
    line = p.applications.line(application_id, voucher_id)
    if line is None:
        raise LineNotFound()
    return line
