"""Review an application (审核): line by line, or in bulk by a filter, which a job carries out. domain.md §2, §3.

What is granted goes from the shard's reservation to the account's payable in the transaction of the line, its voucher
and its shard; the rest waits on the shard to be released. Requester, reviewer and payer are three operators.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import application as rules
from chalicelib.domain import fund, voucher
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.application import (
    UNDECIDED,
    Application,
    ApplicationState,
    BulkReview,
    Decision,
    Filter,
    Line,
    LineState,
    LineVerdict,
    count,
    must_be,
    must_be_another,
    settle,
    stops_waiting,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    AttachmentsMissing,
    LineNotFound,
    LineStateRefused,
    Refused,
    SameOperator,
    SettledElsewhere,
)
from chalicelib.domain.fund import Account, Posting, PostingKind
from chalicelib.domain.institution import is_paid, must_be_paid
from chalicelib.domain.outcomes import Done, LineStep, Mark, StaleRow
from chalicelib.domain.region import Rules
from chalicelib.domain.voucher import Voucher
from chalicelib.services.applying import SURELY_WRITTEN, find_application, reread
from chalicelib.services.cataloguing import find_institution, rules_in_force
from chalicelib.services.in_chunks import in_chunks, unless_moved
from chalicelib.services.once import once
from chalicelib.services.ports import Platform
from chalicelib.services.posting import post_on, read_accounts

MOST_AT_ONCE = 20
WIDE, NARROW = 44, 24
"""Lines of a chunk: as many as fit where they share shards, and as many as fit in any case."""
ROOM = 95
"""Of a transaction's hundred actions, for lines, vouchers, shards, accounts and postings."""
REFILING = timedelta(days=15)
"""What is returned may be handed in again for at least so long."""


def decide_lines(
    p: Platform,
    application_id: str,
    voucher_ids: Sequence[str],
    decision: Decision,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Application]:
    """Decide some lines, all or none of them.

    Raises ApplicationNotFound, OutOfScope, ApplicationStateRefused, ApplicationBusy, SettledElsewhere, Invalid,
    InstitutionNotAdmitted (withdrawn: its applications stand still), AttachmentsMissing, SameOperator, LineNotFound,
    LineStateRefused, OverClaim.
    """

    def act() -> Application:
        before = find_application(p, application_id, actor=actor)
        decided = _must_be_reviewable(p, before, decision, actor, now)
        lines = {
            one.voucher_id: one for one in p.applications.lines_of(application_id, list(dict.fromkeys(voucher_ids)))
        }
        for one in voucher_ids:
            if one not in lines:
                raise LineNotFound()
            if lines[one].state not in UNDECIDED:
                raise LineStateRefused(state=lines[one].state, state_zh=rules.LINE_STATE_ZH[lines[one].state])
        deciding = partial(_decide, p, list(lines.values()), decision, decided, actor, now)
        steps, posted = unless_moved(before, partial(reread, p), deciding)
        after = count(before, [(lines[step.line.voucher_id], step.line) for step in steps])
        after = settle(after, now)
        p.applications.record(after, steps, posted, Mark(attempt, after, now), waits=stops_waiting(before, after))
        return after

    return once(p.marks, attempt, Application, now, act)


def review_in_bulk(
    p: Platform,
    application_id: str,
    wanted: Filter,
    decision: Decision,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Application]:
    """Decide all lines that match; a job does it, and ``bulk`` of the application tells how far it has come.

    Raises as ``decide_lines`` does, but of single lines: those that cannot be decided so are passed over.
    """

    def act() -> Application:
        before = find_application(p, application_id, actor=actor)
        _must_be_reviewable(p, before, decision, actor, now)
        bulk = BulkReview(decision, wanted, actor.app_key, actor.operator_id, now)
        after = replace(before, bulk=bulk, version=before.version + 1)
        p.money_errands.ask(after.errand(), SURELY_WRITTEN)
        p.applications.change(after, Mark(attempt, after, now))
        return after

    done = once(p.marks, attempt, Application, now, act)
    p.money_errands.ask(done.answer.errand(), timedelta())
    return done


def go_on_in_bulk(
    p: Platform, application: Application, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Application:
    """The job's part of a decision in bulk. Raises Contended."""
    return in_chunks(
        application,
        has_more_in_bulk,
        partial(_decide_chunk, p),
        partial(reread, p),
        moment=moment,
        may_go_on=may_go_on,
    )


def has_more_in_bulk(application: Application) -> bool:
    """Whether a decision in bulk is under way."""
    return application.bulk is not None and application.bulk.finished_at is None


def _decide_chunk(p: Platform, application: Application, now: datetime) -> Application:
    bulk = application.bulk
    assert bulk is not None
    client = p.catalogue.clients.get(bulk.app_key)
    assert client is not None, "a client is never deleted"
    actor = Actor(client, p.catalogue.operators.get(bulk.operator_id) if bulk.operator_id else None)
    decided = rules_in_force(p.catalogue, application.region, now)
    institution = find_institution(p.catalogue, application.institution_id)
    stands_still = _grants(bulk.decision) and not is_paid(institution)  # withdrawn since the job was asked for
    for most in (WIDE, NARROW):
        page = p.applications.lines(application.application_id, most, bulk.cursor)
        meant = [one for one in page.items if rules.matches(one, bulk.filter)]
        possible = [one for one in meant if not stands_still and _is_possible(one, bulk.decision, decided, actor, now)]
        steps, posted = _decide(p, possible, bulk.decision, decided, actor, now)
        if _actions(steps, posted) <= ROOM:
            break
    after_bulk = replace(
        bulk,
        cursor=page.cursor,
        done=bulk.done + len(possible),
        passed_over=bulk.passed_over + len(meant) - len(possible),
        finished_at=now if page.cursor is None else None,
    )
    after = count(application, list(zip(possible, (step.line for step in steps), strict=True)), bulk=after_bulk)
    after = settle(after, now)
    p.applications.record(after, steps, posted, waits=stops_waiting(application, after))
    return after


def _decide(
    p: Platform, lines: Sequence[Line], decision: Decision, decided: Rules, actor: Actor, now: datetime
) -> tuple[list[LineStep], list[tuple[Account, Posting]]]:
    """What the decision makes of these lines and their vouchers, in this order, and of the accounts that pay them.

    Raises OverClaim, SameOperator.
    """
    after = [_decided(line, decision, decided, actor, now) for line in lines]
    moving = [line for line in after if line.state is not LineState.REVIEWED]
    granted: dict[str, int] = {}
    for line in after:
        if line.state is LineState.APPROVED:
            granted[line.account_id] = granted.get(line.account_id, 0) + (line.granted_fen or 0)
    accounts = read_accounts(p, granted)
    there = {one.voucher_id: one for one in p.people.vouchers([(one.person_id, one.template_id) for one in moving])}
    steps = [LineStep(line, _voucher_step(there.get(line.voucher_id), line, decision, actor, now)) for line in after]
    return steps, post_on(accounts, granted, PostingKind.APPROVE, fund.approve_legs, _reference(lines), actor, now)


def post_all(
    p: Platform,
    amounts: dict[str, int],
    kind: PostingKind,
    legs: Callable[[int], dict[fund.Balance, int]],
    reference: str,
    actor: Actor | None,
    now: datetime,
) -> list[tuple[Account, Posting]]:
    """One posting on each of these accounts, of so many fen."""
    return post_on(read_accounts(p, amounts), amounts, kind, legs, reference, actor, now)


def _decided(line: Line, decision: Decision, decided: Rules, actor: Actor, now: datetime) -> Line:
    if decided.separate_duties and _grants(decision):
        must_be_another(actor, line.acts[0].operator_id)
    return rules.decide(line, decision, second=decided.second_review, operator_id=actor.operator_id, now=now)


def _grants(decision: Decision) -> bool:
    return decision.verdict in (LineVerdict.APPROVE, LineVerdict.APPROVE_LESS)


def _is_possible(line: Line, decision: Decision, decided: Rules, actor: Actor, now: datetime) -> bool:
    try:
        _decided(line, decision, decided, actor, now)
        return True
    except (Refused, SameOperator):
        return False


def _voucher_step(
    before: Voucher | None, line: Line, decision: Decision, actor: Actor, now: datetime
) -> tuple[Voucher, Voucher] | None:
    if before is None:  # a first reviewer's word moves nothing yet
        return None
    if not voucher.waits_in(before, line.application_id):  # another reviewer was quicker than our look at the lines
        raise StaleRow
    reason = ": ".join(said for said in (decision.reason, decision.text) if said)
    match line.state:
        case LineState.APPROVED:
            assert line.granted_fen is not None
            return before, voucher.approve(before, line.granted_fen, actor=actor, now=now)
        case LineState.RETURNED:
            until = max(before.filing_until or local_date(now), local_date(now + REFILING))
            free = voucher.give_back_line(
                before, step="return", reason=reason, filing_until=until, actor=actor, now=now
            )
            return before, free
        case _:
            return before, voucher.refuse(before, reason=reason, actor=actor, now=now)


def _actions(steps: Sequence[LineStep], posted: Sequence[object]) -> int:
    shards = {(one.voucher[0].template_id, one.voucher[0].shard) for one in steps if one.voucher}
    return sum(step.actions for step in steps) + len(shards) + 2 * len(posted)


def _must_be_reviewable(
    p: Platform, application: Application, decision: Decision, actor: Actor, now: datetime
) -> Rules:
    """The rules of the payer region, by which it is reviewed."""
    must_cover(actor, application.region)
    if application.external:
        raise SettledElsewhere()
    must_be(application, {ApplicationState.SUBMITTED})
    decided = rules_in_force(p.catalogue, application.region, now)
    rules.check_decision(decision, decided.review_reasons)
    if _grants(decision):
        must_be_paid(find_institution(p.catalogue, application.institution_id))
        there = {one.kind for one in application.attachments if one.stored_version}
        missing = [kind for kind in decided.attachments_needed if kind not in there]
        if missing:
            raise AttachmentsMissing(kinds=", ".join(missing), kinds_zh="、".join(missing))
    if decided.separate_duties:
        must_be_another(actor, application.requested_by)
    return decided


def _reference(lines: Iterable[Line]) -> str:
    return ",".join(sorted({line.application_id for line in lines}))
