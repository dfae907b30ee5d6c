"""Apply for the money of a class (资金申请): opened by a request, its lines built by a job. domain.md §3, §4.

Each chunk is one transaction: lines, vouchers, shards, and the head that says how far it has come. So a run may be cut
off anywhere, repeated, or meet another run: whoever comes second finds the head further on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import person, voucher
from chalicelib.domain.access import Actor, must_act_for, reaches
from chalicelib.domain.application import (
    APPLICATION_STATE_ZH,
    MOST_LINES,
    Application,
    ApplicationState,
    Line,
    LineAct,
    LineState,
    count,
    must_be,
    step_line,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.enrolment import EnrolmentState
from chalicelib.domain.errors import (
    ApplicationNotFound,
    ApplicationStateRefused,
    ClassNotFound,
    ClassStateRefused,
    CompletedElsewhere,
    Invalid,
    NotFound,
    Refused,
    SettledElsewhere,
    VoucherNotFound,
    sentences,
)
from chalicelib.domain.holidays import deadline
from chalicelib.domain.identifiers import carries_personal_number
from chalicelib.domain.institution import must_be_paid
from chalicelib.domain.outcomes import Done, LineStep, Mark, Page, StaleRow
from chalicelib.domain.training_class import CLASS_STATE_ZH, ClassState, TrainingClass
from chalicelib.domain.voucher import Voucher
from chalicelib.services.cataloguing import find_institution, find_region, rules_in_force
from chalicelib.services.in_chunks import in_chunks
from chalicelib.services.linking import linked_with
from chalicelib.services.once import once
from chalicelib.services.ports import Platform

CHUNK = 22
"""Each takes a line, its voucher, its holder, and perhaps a shard of its own: 22 × 4 + 4 ≤ 100 actions."""
ASKED_AT_ONCE = 250
NOTHING_ACCEPTED = "没有可受理的券"
# Longer than a request can last: by then the act is written, or it never will be.
SURELY_WRITTEN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ApplicationDraft:
    """What is applied for. ``lines``: (voucher id, fen), or nothing: of whoever completed the class. ``claimed_fen``:
    of each; None: as much as the voucher and the programme allow."""

    class_id: str
    region: str
    claimed_fen: int | None = None
    lines: tuple[tuple[str, int | None], ...] = ()


def open_application(
    p: Platform, draft: ApplicationDraft, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Application]:
    """Apply; a job builds the lines, and hands the application in.

    Raises ClassNotFound, OutOfScope, ClassStateRefused (the class is not finished), RegionNotFound,
    InstitutionNotFound, InstitutionNotAdmitted (withdrawn), Invalid (a voucher twice, too many lines, somebody's number
    in the place of a voucher).
    """

    def act() -> Application:
        training = _finished_class(p, draft.class_id, actor)
        find_region(p.catalogue, draft.region)
        must_be_paid(find_institution(p.catalogue, training.institution_id))
        if len({one for one, _ in draft.lines}) < len(draft.lines):
            raise Invalid(pointer="/lines", reason="a voucher stands there twice")
        if len(draft.lines) > MOST_LINES:
            raise Invalid(pointer="/lines", reason="an application has too many lines")
        if any(names_somebody(p, one) for one, _ in draft.lines):
            raise Invalid(pointer="/lines", reason="an id holds somebody's number")
        application = Application(
            application_id=p.chance.short_id(),
            institution_id=training.institution_id,
            class_id=training.class_id,
            region=draft.region,
            state=ApplicationState.COLLECTING,
            app_key=actor.app_key,
            requested_by=actor.operator_id,
            made_at=now,
            claimed_each_fen=draft.claimed_fen,
            asked=len(draft.lines) or None,
            external=rules_in_force(p.catalogue, draft.region, now).external_settlement,
        )
        asked = [(one, fen or 0) for one, fen in draft.lines]
        chunks = [asked[i : i + ASKED_AT_ONCE] for i in range(0, len(asked), ASKED_AT_ONCE)]
        p.money_errands.ask(application.errand(), SURELY_WRITTEN)
        p.applications.open(application, chunks, Mark(attempt, application, now))
        return application

    done = once(p.marks, attempt, Application, now, act)
    p.money_errands.ask(done.answer.errand(), timedelta())
    return done


def cancel_application(
    p: Platform, application_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Application]:
    """Take it back while nothing of it is decided: each voucher is as it was before. A job does it.

    Raises ApplicationNotFound, OutOfScope, ApplicationStateRefused, ApplicationBusy, SettledElsewhere.
    """

    def act() -> Application:
        before = own_application(p, application_id, actor)
        must_be(before, {ApplicationState.COLLECTING, ApplicationState.SUBMITTED})
        if before.external and before.state is ApplicationState.SUBMITTED:
            # The region's own system may have paid it by now: only its result ``returned`` leads back.
            raise SettledElsewhere()
        decided = set(before.counts) - {LineState.APPLIED, LineState.REVIEWED, LineState.NOT_ACCEPTED}
        if any(before.counts[state] for state in decided):
            raise ApplicationStateRefused(state=before.state, state_zh=APPLICATION_STATE_ZH[before.state])
        after = replace(
            before, state=ApplicationState.CANCELLING, reason=reason, cursor=None, version=before.version + 1
        )
        p.money_errands.ask(after.errand(), SURELY_WRITTEN)
        p.applications.record(after, (), (), Mark(attempt, after, now), waits=False)
        return after

    done = once(p.marks, attempt, Application, now, act)
    p.money_errands.ask(done.answer.errand(), timedelta())
    return done


def find_application(p: Platform, application_id: str, *, actor: Actor) -> Application:
    """For the institution that applies, and the authorities of the payer region. Raises ApplicationNotFound."""
    application = p.applications.read(application_id)
    if application is None or not _may_look(application, actor):
        raise ApplicationNotFound()
    return application


def own_application(p: Platform, application_id: str, actor: Actor) -> Application:
    """Raises ApplicationNotFound, OutOfScope."""
    application = p.applications.read(application_id)
    if application is None or application.institution_id not in actor.institutions:
        raise ApplicationNotFound()
    must_act_for(actor, application.institution_id)
    return application


def list_applications(
    p: Platform,
    of: str,
    limit: int,
    cursor: str | None,
    *,
    waiting: bool = False,
    overdue: bool = False,
    actor: Actor,
    now: datetime,
) -> Page[Application]:
    """Those of a payer region, or of an institution: its own for itself, for an authority those to its regions, so that
    a page may be short, or empty, and go on. ``waiting``: of the region, those to be reviewed, the first due first;
    ``overdue``: of these, those not reviewed in time.

    Raises ApplicationNotFound (not the asker's), Invalid (what waits, of an institution).
    """
    of_region = not actor.institutions and reaches(actor, of)
    if not of_region:
        known = of in actor.institutions if actor.institutions else p.catalogue.institutions.get(of) is not None
        if not known:
            raise ApplicationNotFound()
        if waiting or overdue:
            raise Invalid(pointer="of", reason="only a region has lists of what waits")
        page = p.applications.page(of, limit, cursor)
        return replace(page, items=tuple(one for one in page.items if _may_look(one, actor)))
    if waiting or overdue:
        return p.applications.waiting(of, local_date(now) if overdue else None, limit, cursor)
    return p.applications.page(of, limit, cursor)


def list_lines(
    p: Platform, application_id: str, limit: int, cursor: str | None, *, state: LineState | None = None, actor: Actor
) -> Page[Line]:
    """``state``: only those in it, so that a page may be short, or empty, and go on. Raises ApplicationNotFound."""
    find_application(p, application_id, actor=actor)
    page = p.applications.lines(application_id, limit, cursor)
    return replace(page, items=tuple(one for one in page.items if state in (None, one.state)))


def collect(
    p: Platform, application: Application, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Application:
    """The job's part: build lines until all are there, or the time is over. Raises Contended."""
    return in_chunks(
        application,
        lambda one: one.state is ApplicationState.COLLECTING,
        partial(_collect_chunk, p),
        partial(reread, p),
        moment=moment,
        may_go_on=may_go_on,
    )


def take_back(
    p: Platform, application: Application, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Application:
    """The job's part of a cancellation: vouchers go back, chunk by chunk. Raises Contended."""
    return in_chunks(
        application,
        lambda one: one.state is ApplicationState.CANCELLING,
        partial(_take_back_chunk, p),
        partial(reread, p),
        moment=moment,
        may_go_on=may_go_on,
    )


def reread(p: Platform, application: Application) -> Application:
    fresh = p.applications.read(application.application_id)
    assert fresh is not None, "an application is never deleted"
    return fresh


def names_somebody(p: Platform, voucher_id: str) -> bool:
    """What is sent as a voucher is kept as it is, also where it is none: but no personal number is."""
    return carries_personal_number(voucher_id) and p.keys.voucher_ids.decode(voucher_id) is None


def _collect_chunk(p: Platform, application: Application, now: datetime) -> Application:
    training = p.catalogue.classes.read(application.class_id)
    assert training is not None
    if application.asked:
        candidates, cursor = _asked(p, application)
    else:
        page = p.enrolments.on_class(application.class_id, CHUNK, application.cursor)
        on = [one for one in page.items if one.state is not EnrolmentState.LEFT]
        candidates, cursor = [(one.voucher_id, 0) for one in on], page.cursor
    steps = _judge_all(p, application, training, candidates, now)
    after = count(application, [(None, step.line) for step in steps], cursor=cursor)
    waits = None
    if cursor is None:
        after, waits = _hand_in(p, after, now)
    p.applications.record(after, steps, waits=waits)
    return after


def _hand_in(p: Platform, application: Application, now: datetime) -> tuple[Application, bool | None]:
    if not application.counts.get(LineState.APPLIED):
        nothing = replace(application, state=ApplicationState.CANCELLED, reason=NOTHING_ACCEPTED)
        return nothing, None
    rules = rules_in_force(p.catalogue, application.region, now)
    due_on = deadline(local_date(now), rules.review_days)
    return replace(application, state=ApplicationState.SUBMITTED, submitted_at=now, due_on=due_on), True


def _asked(p: Platform, application: Application) -> tuple[list[tuple[str, int]], str | None]:
    """The next of the lines that were asked for one by one; the cursor counts them."""
    start = int(application.cursor or 0)
    lines = p.applications.asked(application.application_id, start // ASKED_AT_ONCE)
    offset = start % ASKED_AT_ONCE
    some = list(lines[offset : offset + CHUNK])
    reached = start + len(some)
    return some, None if reached >= (application.asked or 0) else str(reached)


def _judge_all(
    p: Platform,
    application: Application,
    training: TrainingClass,
    candidates: Sequence[tuple[str, int]],
    now: datetime,
) -> list[LineStep]:
    keys = {voucher_id: p.keys.voucher_ids.decode(voucher_id) for voucher_id, _ in candidates}
    wanted = [key for key in keys.values() if key is not None]
    vouchers = {(one.person_id, one.template_id): one for one in p.people.vouchers(wanted)} if wanted else {}
    holders = {one.person_id: one for one in p.people.heads(sorted({key[0] for key in wanted}))} if wanted else {}
    steps = list[LineStep]()
    for voucher_id, fen in candidates:
        key = keys[voucher_id]
        there = vouchers.get(key) if key else None
        if there is not None and there.redemption and there.redemption.institution_id != application.institution_id:
            there = None  # of another institution's vouchers it is told nothing
        if there is not None and there.region != application.region and not application.asked:
            continue  # another region pays for it: another application
        try:
            if there is None or there.region != application.region:
                raise VoucherNotFound()
            steps.append(_judge(p, application, training, there, holders[there.person_id], fen, now))
        except (NotFound, Refused) as refused:
            steps.append(LineStep(_not_accepted(p, application, voucher_id, there, refused, now)))
    return steps


def _judge(
    p: Platform,
    application: Application,
    training: TrainingClass,
    before: Voucher,
    holder: person.Person,
    fen: int,
    now: datetime,
) -> LineStep:
    """Raises CompletedElsewhere, AlreadyApplied, NotRedeemed, NotCompleted, FilingOver, UsedTooOften, OverCeiling,
    CapReached."""
    if before.completion is not None and before.completion.class_id != training.class_id:
        raise CompletedElsewhere()
    terms = p.templates.terms(before.template_id, before.terms_version)
    # No ceiling is above the programme's standard: publishing sees to that.
    claimed = fen or application.claimed_each_fen or before.ceiling_fen
    after = voucher.apply(
        before,
        application.application_id,
        claimed,
        filed_at=application.made_at,
        actor=_requester(p, application),
        attempt=None,
        now=now,
    )
    rules = rules_in_force(p.catalogue, before.region, now)
    person.recheck(holder, rules, before.counted_as, linked_with(p.people, holder))
    template = p.templates.get(before.template_id)
    assert template is not None
    line = Line(
        application_id=application.application_id,
        voucher_id=before.voucher_id,
        person_id=before.person_id,
        template_id=before.template_id,
        account_id=template.account_id,
        masked_name=before.masked_name,
        state=LineState.APPLIED,
        claimed_fen=claimed,
        ceiling_fen=before.ceiling_fen,
        payee=terms.payee,
        redeemed_at=before.redemption.redeemed_at if before.redemption else None,
        proof=before.redemption.proof if before.redemption else None,
        completion=before.completion,
        acts=(LineAct("apply", now, application.requested_by, claimed),),
    )
    return LineStep(line, (before, after), holder)


def _not_accepted(
    p: Platform,
    application: Application,
    voucher_id: str,
    there: Voucher | None,
    refused: NotFound | Refused,
    now: datetime,
) -> Line:
    zh, en = sentences(refused)
    return Line(
        application_id=application.application_id,
        voucher_id=voucher_id,
        person_id=there.person_id if there else "",
        template_id=there.template_id if there else "",
        account_id="",
        masked_name=there.masked_name if there else "",
        state=LineState.NOT_ACCEPTED,
        claimed_fen=0,
        ceiling_fen=there.ceiling_fen if there else 0,
        completion=there.completion if there else None,
        code=refused.code,
        zh=zh,
        en=en,
        acts=(LineAct("not_accepted", now, application.requested_by),),
    )


def _take_back_chunk(p: Platform, application: Application, now: datetime) -> Application:
    page = p.applications.lines(application.application_id, CHUNK, application.cursor)
    lines = [one for one in page.items if one.state in (LineState.APPLIED, LineState.REVIEWED)]
    there = {one.voucher_id: one for one in p.people.vouchers([(one.person_id, one.template_id) for one in lines])}
    reason = application.reason or ""
    steps = list[LineStep]()
    requester = _requester(p, application)
    for line in lines:
        before = there[line.voucher_id]
        if before.application_id != application.application_id:
            raise StaleRow  # another run has just taken it back
        free = voucher.give_back_line(before, step="cancel", reason=reason, filing_until=None, actor=requester, now=now)
        act = LineAct("cancel", now, application.requested_by, reason=reason)
        steps.append(LineStep(step_line(line, LineState.CANCELLED, act), (before, free)))
    changed = [(line, step.line) for line, step in zip(lines, steps, strict=True)]
    after = count(application, changed, cursor=page.cursor)
    if page.cursor is None:
        after = replace(after, state=ApplicationState.CANCELLED)
    p.applications.record(after, steps)
    return after


def _requester(p: Platform, application: Application) -> Actor:
    """By whose word it is done."""
    client = p.catalogue.clients.get(application.app_key)
    assert client is not None, "a client is never deleted"
    operator = p.catalogue.operators.get(application.requested_by) if application.requested_by else None
    return Actor(client, operator)


def _finished_class(p: Platform, class_id: str, actor: Actor) -> TrainingClass:
    training = p.catalogue.classes.read(class_id)
    if training is None or training.institution_id not in actor.institutions:
        raise ClassNotFound()
    must_act_for(actor, training.institution_id)
    if training.state is not ClassState.FINISHED:
        raise ClassStateRefused(state=training.state, state_zh=CLASS_STATE_ZH[training.state])
    return training


def _may_look(application: Application, actor: Actor) -> bool:
    if actor.institutions:
        return application.institution_id in actor.institutions
    return reaches(actor, application.region)
