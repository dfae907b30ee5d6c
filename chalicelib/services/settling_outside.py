"""Take what a region's own system made of an application (外部结算), result by result. domain.md §4.

Each result counts once: the line keeps it, so the same again is answered as before, whatever way it comes. What it
means for voucher, shard and account is one transaction with the line. A result tells what has happened elsewhere, so
it is taken also of an institution that was withdrawn meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import application as rules
from chalicelib.domain import fund, voucher
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.application import (
    LINE_STATE_ZH,
    OUTSIDE_ZH,
    UNDECIDED,
    Application,
    ApplicationState,
    Line,
    LineState,
    OutsideOutcome,
    OutsideResult,
    check_result,
    count,
    must_be,
    must_be_another,
    settle,
    stops_waiting,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    ApplicationNotFound,
    Invalid,
    LineNotFound,
    LineStateRefused,
    NotFound,
    Refused,
    SettledHere,
    SettledOtherwise,
    sentences,
)
from chalicelib.domain.fund import Account, Posting, PostingKind
from chalicelib.domain.outcomes import Done, LineStep, Mark, StaleRow
from chalicelib.domain.region import within
from chalicelib.domain.roster import Verdict
from chalicelib.domain.voucher import Voucher
from chalicelib.services.applying import find_application, names_somebody
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.once import once
from chalicelib.services.ports import Platform
from chalicelib.services.posting import post_on, read_accounts
from chalicelib.services.reviewing import REFILING

MOST_AT_ONCE = 20
ROOM = 96
"""Of a transaction's hundred actions, beside the head, the mark and two to spare."""


@dataclass(frozen=True, slots=True)
class ToldResult:
    """What became of a result; ``code`` None: it counts, now or since before, and ``state`` is the line's."""

    voucher_id: str
    state: LineState | None = None
    code: str | None = None
    zh: str | None = None
    en: str | None = None


@dataclass(frozen=True, slots=True)
class SettledOutside:
    """The application after it, and what became of each result, in the order in which they were told."""

    application_id: str
    state: ApplicationState
    approved_fen: int
    paid_fen: int
    results: tuple[ToldResult, ...]


def settle_outside(
    p: Platform,
    application_id: str,
    results: Sequence[tuple[str, OutsideResult]],
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[SettledOutside]:
    """Take the results of some lines (voucher id, result); a bad one stops no other.

    Raises ApplicationNotFound, OutOfScope, SettledHere, ApplicationStateRefused, SameOperator, Invalid (a voucher
    twice, somebody's number in its place). Of each: line_not_found, line_state, over_claim, settled_otherwise,
    invalid_request.
    """
    if len({voucher_id for voucher_id, _ in results}) < len(results):
        raise Invalid(pointer="/results", reason="a voucher stands there twice")
    if any(names_somebody(p, voucher_id) for voucher_id, _ in results):
        raise Invalid(pointer="/results", reason="an id holds somebody's number")

    def act() -> SettledOutside:
        before = _settled_elsewhere(p, application_id, actor, now)
        left, told = list(results), list[ToldResult]()
        while True:  # all at once, but for lines of more templates and accounts than one transaction holds
            after, done, more = _settle_some(p, before, left, attempt, actor, now)
            told, left = told + done, left[len(done) :]
            answer = SettledOutside(application_id, after.state, after.approved_fen, after.paid_fen, tuple(told))
            waits = stops_waiting(before, after)
            p.applications.record(after, *more, None if left else Mark(attempt, answer, now), waits)
            if not left:
                return answer
            before = after

    return once(p.marks, attempt, SettledOutside, now, act)


def settle_one(
    p: Platform, application_id: str, voucher_id: str, result: OutsideResult, *, actor: Actor, attempt: Attempt,
    now: datetime,
) -> Done[SettledOutside]:  # fmt: skip
    """One result, of a list's row. Raises as ``settle_outside`` does, and what that tells of each."""

    def act() -> SettledOutside:
        before = _settled_elsewhere(p, application_id, actor, now)
        line = _line_of({one.voucher_id: one for one in p.applications.lines_of(application_id, [voucher_id])},
                        voucher_id)  # fmt: skip
        judged = _judge(line, result, actor, now)
        steps = [] if judged is line else [(line, judged)]
        after, moved = _carry_out(p, before, steps, actor, now)
        told = (ToldResult(voucher_id, judged.state),)
        answer = SettledOutside(application_id, after.state, after.approved_fen, after.paid_fen, told)
        waits = stops_waiting(before, after)
        p.applications.record(after, *moved, Mark(attempt, answer, now), waits)
        return answer

    return once(p.marks, attempt, SettledOutside, now, act)


def look_at(
    p: Platform, application_id: str, voucher_id: str, result: OutsideResult, region: str, *, actor: Actor,
    now: datetime,
) -> Verdict | None:  # fmt: skip
    """What a list of ``region`` would find: SAME or CONFLICT where the line has a result already, None where this one
    would count. Raises ApplicationNotFound (also: another region's), and what ``settle_one`` refuses."""
    application = _settled_elsewhere(p, application_id, actor, now)
    if not within(application.region, (region,)):
        raise ApplicationNotFound()
    line = p.applications.line(application_id, voucher_id)
    if line is None:
        raise LineNotFound()
    try:
        return Verdict.SAME if _judge(line, result, actor, now) is line else None
    except SettledOtherwise:
        return Verdict.CONFLICT


_Moved = tuple[list[LineStep], list[tuple[Account, Posting]]]


def _settle_some(
    p: Platform,
    before: Application,
    results: Sequence[tuple[str, OutsideResult]],
    attempt: Attempt,
    actor: Actor,
    now: datetime,
) -> tuple[Application, list[ToldResult], _Moved]:
    """As many of the results, from the first on, as one transaction holds."""
    lines = {
        one.voucher_id: one
        for one in p.applications.lines_of(before.application_id, [voucher_id for voucher_id, _ in results])
    }
    told, changed = list[ToldResult](), list[tuple[Line, Line]]()
    for voucher_id, result in results:
        try:
            line = _line_of(lines, voucher_id)
            judged = _judge(line, result, actor, now)
        except (Invalid, NotFound, Refused) as refused:
            there = lines.get(voucher_id)
            told.append(ToldResult(voucher_id, there.state if there else None, refused.code, *sentences(refused)))
            continue
        if judged is not line:
            if _most_actions([*changed, (line, judged)]) > ROOM:
                break
            changed.append((line, judged))
        told.append(ToldResult(voucher_id, judged.state))
    after, moved = _carry_out(p, before, changed, actor, now)
    return after, told, moved


def _most_actions(changed: Sequence[tuple[Line, Line]]) -> int:
    """Line and voucher of each, a shard of its own perhaps, and an account with two postings."""
    return 3 * len(changed) + 3 * len({line.account_id for line, _ in changed})


def _settled_elsewhere(p: Platform, application_id: str, actor: Actor, now: datetime) -> Application:
    application = find_application(p, application_id, actor=actor)
    must_cover(actor, application.region)
    if not application.external:
        raise SettledHere()
    must_be(application, {ApplicationState.SUBMITTED, ApplicationState.DECIDED, ApplicationState.SETTLED})
    if rules_in_force(p.catalogue, application.region, now).separate_duties:
        must_be_another(actor, application.requested_by)
    return application


def _line_of(lines: dict[str, Line], voucher_id: str) -> Line:
    line = lines.get(voucher_id)
    if line is None:
        raise LineNotFound()
    return line


def _judge(line: Line, result: OutsideResult, actor: Actor, now: datetime) -> Line:
    """The line after the result; the very same line where it was told before.

    Raises Invalid, SettledOtherwise, LineStateRefused, OverClaim.
    """
    check_result(result, local_date(line.acts[0].at), local_date(now))
    if line.outside is not None:
        if not line.outside.says_what(result):
            there = line.outside
            raise SettledOtherwise(
                outcome=there.outcome, outcome_zh=OUTSIDE_ZH[there.outcome], settled_on=there.settled_on.isoformat()
            )
        return line
    if line.state not in UNDECIDED:
        raise LineStateRefused(state=line.state, state_zh=LINE_STATE_ZH[line.state])
    return rules.settle_outside(line, result, operator_id=actor.operator_id, now=now)


def _carry_out(
    p: Platform, before: Application, changed: Sequence[tuple[Line, Line]], actor: Actor, now: datetime
) -> tuple[Application, _Moved]:
    paid: dict[str, int] = {}
    for _, line in changed:
        if line.paid_fen:
            paid[line.account_id] = paid.get(line.account_id, 0) + line.paid_fen
    accounts = read_accounts(p, paid)
    keys = [(line.person_id, line.template_id) for _, line in changed]
    there = {one.voucher_id: one for one in p.people.vouchers(keys)} if keys else {}
    steps = [LineStep(line, _voucher_step(there[line.voucher_id], line, actor, now)) for _, line in changed]
    of = before.application_id
    posted = post_on(accounts, paid, PostingKind.APPROVE, fund.approve_legs, of, actor, now)
    payable = {account.account_id: account for account, _ in posted}
    posted += post_on(payable, paid, PostingKind.PAY, fund.pay_legs, of, actor, now)
    return settle(count(before, changed), now), (steps, posted)


def _voucher_step(before: Voucher, line: Line, actor: Actor, now: datetime) -> tuple[Voucher, Voucher]:
    result = line.outside
    assert result is not None
    if not voucher.waits_in(before, line.application_id):  # another was quicker than our look at the lines
        raise StaleRow
    reason = result.reason or ""
    match result.outcome:
        case OutsideOutcome.PAID:
            granted = voucher.approve(before, line.paid_fen, actor=actor, now=now)
            return before, voucher.pay(granted, batch_id=None, reference=result.reference or "", actor=actor, now=now)
        case OutsideOutcome.REFUSED:
            return before, voucher.refuse(before, reason=reason, actor=actor, now=now)
    until = max(before.filing_until or local_date(now), local_date(now + REFILING))
    free = voucher.give_back_line(before, step="return", reason=reason, filing_until=until, actor=actor, now=now)
    return before, free
