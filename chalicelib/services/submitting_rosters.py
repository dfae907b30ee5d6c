"""Rosters before and after they are worked off: declare, receive the file, accept, return, cancel, look, fetch.

An institution submits, the bureau accepts or returns (经培训机构上报); the bureau's own needs nobody's word. Each act
is asked of the import function *before* it is written and once more after: so no crash leaves a roster that nobody
works off, and an errand for an act that was never written finds nothing to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.access import (
    AUTHORITIES,
    DUTIES,
    Act,
    Actor,
    Duty,
    Role,
    covers,
    must_act_for,
    must_cover,
    must_have_duty,
    reaches,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import (
    Invalid,
    NotDirected,
    RosterNotFound,
    RosterStateRefused,
    TemplateNotFound,
    Unavailable,
)
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.roster import (
    ROSTER_STATE_ZH,
    Roster,
    RosterErrand,
    RosterKind,
    RosterState,
    declared_key,
    go,
)
from chalicelib.domain.stored_file import Upload
from chalicelib.domain.template import DistributionMode
from chalicelib.services.cataloguing import find_region
from chalicelib.services.once import once
from chalicelib.services.ports import Platform

# Longer than a request can last: by then the act is written, or it never will be.
SURELY_WRITTEN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is said of a roster before its file is put. ``region`` where it is no roster of vouchers."""

    kind: RosterKind
    template_id: str | None
    region: str | None
    file_name: str
    size: int
    sha256: str
    dry_run: bool
    all_or_nothing: bool


def declare_roster(
    p: Platform, declaration: Declaration, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Roster]:
    """Say what file will come; ``upload_of`` tells where to put it.

    Raises TemplateNotFound, NotDirected, OutOfScope, RegionNotFound, Invalid, DutyRequired (what the bank answered
    comes from whoever pays).
    """

    def act() -> Roster:
        _must_handle(actor, declaration.kind)
        region = _region_of(p, declaration, actor)
        institution_id = _submitter(actor)
        if institution_id is None:
            must_cover(actor, region)
        roster_id = p.chance.short_id()
        roster = Roster(
            roster_id=roster_id,
            kind=declaration.kind,
            template_id=declaration.template_id,
            region=region,
            file_name=declaration.file_name,
            size=declaration.size,
            sha256=declaration.sha256,
            state=RosterState.DECLARED,
            made_at=now,
            app_key=actor.app_key,
            operator_id=actor.operator_id,
            institution_id=institution_id,
            dry_run=declaration.dry_run,
            all_or_nothing=declaration.all_or_nothing,
            object_key=declared_key(roster_id),
        )
        p.rosters.add(roster, Mark(attempt, roster, now))
        return roster

    return once(p.marks, attempt, Roster, now, act)


def upload_of(p: Platform, roster: Roster, now: datetime) -> Upload:
    """Where to put the file of a declared roster."""
    assert roster.object_key is not None
    assert roster.sha256 is not None
    return p.files.upload_url(roster.object_key, size=roster.size, sha256=roster.sha256, now=now)


def accept_roster(p: Platform, roster_id: str, *, actor: Actor, attempt: Attempt, now: datetime) -> Done[Roster]:
    """The bureau lets an institution's roster be worked off. Raises RosterNotFound, OutOfScope, RosterStateRefused."""

    def change(before: Roster) -> Roster:
        return go(before, RosterState.ACCEPTED, decided_by=actor.operator_id, decided_for=actor.app_key)

    done = act_on_roster(p, roster_id, change, actor=actor, attempt=attempt, now=now, errand=RosterErrand(roster_id))
    ask_now(p, RosterErrand(roster_id))
    return done


def return_roster(
    p: Platform, roster_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Roster]:
    """The bureau gives it back; what is mended comes as another one. Raises RosterNotFound, OutOfScope,
    RosterStateRefused."""

    def change(before: Roster) -> Roster:
        return go(before, RosterState.RETURNED, decided_by=actor.operator_id, reason=reason, finished_at=now)

    return act_on_roster(p, roster_id, change, actor=actor, attempt=attempt, now=now)


def cancel_roster(
    p: Platform, roster_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Roster]:
    """Stop it after the chunk that is being written; what was issued stays, and its rows say so.

    Raises RosterNotFound, OutOfScope, DutyRequired, RosterStateRefused.
    """

    def change(before: Roster) -> Roster:
        return go(before, RosterState.CANCELLED, reason=reason, finished_at=now)

    errand = RosterErrand(roster_id)
    done = act_on_roster(p, roster_id, change, actor=actor, attempt=attempt, now=now, errand=errand, by_submitter=True)
    ask_now(p, errand)
    return done


def find_roster(p: Platform, roster_id: str, *, actor: Actor) -> Roster:
    """Raises RosterNotFound, also outside the scope."""
    roster = p.rosters.read(roster_id)
    if roster is None or not may_see(actor, roster):
        raise RosterNotFound()
    return roster


def list_rosters(p: Platform, of: str, limit: int, cursor: str | None, *, actor: Actor) -> Page[Roster]:
    """Those of a region, or those that an institution submitted; the oldest first.

    Raises OutOfScope, RegionNotFound.
    """
    if actor.client.role is Role.INSTITUTION:
        must_act_for(actor, of)
    else:
        find_region(p.catalogue, of)
        must_cover(actor, of)
    return p.rosters.page(of, limit, cursor)


def may_see(actor: Actor, roster: Roster) -> bool:
    """The authorities of its region, and the institution that submitted it."""
    if actor.client.role is Role.INSTITUTION:
        return roster.institution_id is not None and roster.institution_id in actor.institutions
    return reaches(actor, roster.region)


def _region_of(p: Platform, declaration: Declaration, actor: Actor) -> str:
    if declaration.kind is not RosterKind.VOUCHERS:
        if declaration.region is None or declaration.template_id is not None:
            raise Invalid(pointer="/region", reason="this kind of roster is one of a region, not of a template")
        if declaration.all_or_nothing:
            raise Invalid(pointer="/all_or_nothing", reason="only a roster of vouchers is issued all or nothing")
        if actor.client.role not in AUTHORITIES:
            raise Invalid(pointer="/kind", reason="only an authority submits this kind of roster")
        find_region(p.catalogue, declaration.region)
        return declaration.region
    if declaration.template_id is None or declaration.region is not None:
        raise Invalid(pointer="/template_id", reason="a roster of vouchers is one of a template")
    template = p.templates.get(declaration.template_id)
    of_institution = actor.client.role is Role.INSTITUTION
    if template is None or not (of_institution or covers(actor, template.region)):
        raise TemplateNotFound()
    terms = p.templates.terms(template.template_id, template.terms_version)
    if of_institution and terms.institutions and set(terms.institutions).isdisjoint(actor.institutions):
        raise TemplateNotFound()
    if terms.distribution_mode is not DistributionMode.DIRECTED:
        raise NotDirected()
    return template.region


def _must_handle(actor: Actor, kind: RosterKind) -> None:
    """What a bank answered is a payer's; of results from elsewhere whoever may report them one by one; all else is a
    clerk's. Raises DutyRequired."""
    acts = {RosterKind.PAYMENT_RESULTS: Act.PAY, RosterKind.SETTLEMENTS: Act.SETTLE_OUTSIDE}
    must_have_duty(actor, *DUTIES[acts[kind]] if kind in acts else (Duty.CLERK,))


def _submitter(actor: Actor) -> str | None:
    """The institution that submits; its operator belongs to one."""
    if actor.client.role is not Role.INSTITUTION:
        return None
    assert actor.operator is not None
    assert actor.operator.institution_id is not None
    return actor.operator.institution_id


def act_on_roster(
    p: Platform,
    roster_id: str,
    change: Callable[[Roster], Roster],
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
    errand: RosterErrand | None = None,
    by_submitter: bool = False,
) -> Done[Roster]:
    """Bring a roster into another state, once; ``errand``: what the import function has to do then.

    Raises RosterNotFound, OutOfScope, and what ``change`` refuses.
    """

    def act() -> Roster:
        before = find_roster(p, roster_id, actor=actor)
        if by_submitter:
            _must_handle(actor, before.kind)
        if actor.client.role is Role.INSTITUTION:
            if not by_submitter:
                raise RosterNotFound()
            must_act_for(actor, before.institution_id or "")
            if before.state not in (RosterState.DECLARED, RosterState.SUBMITTED):
                # What the bureau has accepted is the bureau's.
                raise RosterStateRefused(state=before.state, state_zh=ROSTER_STATE_ZH[before.state])
        else:
            must_cover(actor, before.region)
        after = change(before)
        if errand is not None:
            p.roster_errands.ask(errand, SURELY_WRITTEN)
        p.rosters.change(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Roster, now, act)


def ask_now(p: Platform, errand: RosterErrand) -> None:
    """Once more, so that nobody waits for a minute; if that does not come through, the other one does."""
    try:
        p.roster_errands.ask(errand, timedelta())
    except Unavailable:
        return
