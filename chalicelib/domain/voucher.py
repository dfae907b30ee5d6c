"""A voucher and its steps. Each step decides and returns the voucher after it; nothing here knows of storage.

Source of the table of steps: domain.md §3 (粤人社函〔2021〕101号, 三、业务流程).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chalicelib.domain import calendar, history
from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt, still_kept
from chalicelib.domain.errors import (
    AlreadyApplied,
    AlreadyRedeemed,
    CheckedInBefore,
    Expired,
    FilingOver,
    NotClaimed,
    NotCompleted,
    NotHeld,
    NothingToRecover,
    NotRedeemed,
    NotRevocable,
    NotYetValid,
    OverCeiling,
    Reused,
    ReversalWindowOver,
    UsedTooOften,
    VoucherEnded,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.history import Entry
from chalicelib.domain.person import CountKey


class State(StrEnum):
    ISSUED = "issued"
    CLAIMED = "claimed"
    REDEEMED = "redeemed"
    APPLIED = "applied"
    WRITTEN_OFF = "written_off"
    RETURNED = "returned"
    EXPIRED = "expired"
    FORFEITED = "forfeited"
    REVOKED = "revoked"


ENDED = frozenset({State.WRITTEN_OFF, State.RETURNED, State.EXPIRED, State.FORFEITED, State.REVOKED})
MOST_ENTRIES = 40
"""Redeemed and reversed again and again, a row would outgrow DynamoDB's 400 KB and could not even expire any more."""
MOST_APPLIED_FOR = 2 * MOST_ENTRIES
"""From so many entries on it is not applied for again: taken back or returned on and on, the rows of a chunk would
outgrow a transaction's 4 MB. However often it was used before, twenty times remain."""
STATE_ZH = {
    State.ISSUED: "发放",
    State.CLAIMED: "领取",
    State.REDEEMED: "使用",
    State.APPLIED: "申请资金",
    State.WRITTEN_OFF: "核销",
    State.RETURNED: "退回",
    State.EXPIRED: "过期",
    State.FORFEITED: "失效",
    State.REVOKED: "作废",
}
# The whole table of steps: which state may follow which. Nothing leaves an end state.
FOLLOWS: Mapping[State | None, frozenset[State]] = {
    None: frozenset({State.ISSUED, State.CLAIMED}),
    State.ISSUED: frozenset({State.CLAIMED, State.RETURNED, State.EXPIRED, State.REVOKED}),
    State.CLAIMED: frozenset({State.REDEEMED, State.RETURNED, State.EXPIRED, State.REVOKED}),
    State.REDEEMED: frozenset({State.CLAIMED, State.APPLIED, State.WRITTEN_OFF, State.FORFEITED, State.REVOKED}),
    State.APPLIED: frozenset({State.REDEEMED, State.FORFEITED, State.WRITTEN_OFF}),
} | {ended: frozenset[State]() for ended in ENDED}


AMEND, COMPLETE, DEFER, APPROVE, PAY, CLAW_BACK = "amend", "complete", "defer", "approve", "pay", "claw_back"
BUILDING = timedelta(days=1)
"""How long after the last day to apply an application of that day may wait for its job."""
AMENDABLE = frozenset({State.ISSUED, State.CLAIMED, State.REDEEMED})
"""In these a voucher follows its template's amendments. Of what is applied for or has ended nothing is promised."""


_STAYS: Mapping[str, frozenset[State]] = {
    AMEND: AMENDABLE,
    COMPLETE: frozenset({State.REDEEMED}),
    DEFER: frozenset({State.REDEEMED}),
    APPROVE: frozenset({State.APPLIED}),
    PAY: frozenset({State.APPLIED}),
    CLAW_BACK: frozenset({State.APPLIED, State.WRITTEN_OFF}),
}
"""Steps that say something more of a voucher and leave it in its state: in which."""


def may_follow(step: str, before: State | None, after: State) -> bool:
    """Whether a step of this name may lead from one state to the other."""
    if step in _STAYS:
        return before is after and after in _STAYS[step]
    return after in FOLLOWS[before]


@dataclass(frozen=True, slots=True)
class Redemption:
    """Where, for what and how a voucher was used. ``proof``: token, code or assertion.

    ``counted_before``: as what the caps counted the voucher, where the course told its occupation and level only now.
    """

    institution_id: str
    institution_name: str
    course_id: str
    proof: str
    redeemed_at: datetime
    counted_before: CountKey | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """That the holder completed a class, by the rule that was frozen on it. ``evidence``: the hash of the enrolment's
    last entry, which all its check-ins lead up to; ``enrolment_version``: how many entries that were. ``cancelled``:
    sessions of the class that were not held, which lowers what is needed."""

    class_id: str
    completed_at: datetime
    held: int
    attended: int
    percent: int
    needed: int
    by_hand: int
    minutes: int
    enrolment_version: int
    evidence: str
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Voucher:
    """One person's voucher of one template; the pair is its key. ``ceiling_fen`` is the most that it can cost.

    ``sealed_code`` opens to the typed code, ``code_key`` finds it. ``version`` equals the number of history entries.
    ``claim_until``: the last day on which the person whom it was issued to may take it; None: it was claimed openly.
    ``filing_until``: the last day on which, once used, it may be applied for, or on which its class must be over.
    ``application_id``: the application in which it stands. ``approved_fen``, ``paid_fen``, ``recovered_fen``: what a
    reviewer granted, what was paid, and how much of that was claimed back.
    """

    person_id: str
    template_id: str
    voucher_id: str
    region: str
    shard: int
    terms_version: int
    state: State
    version: int
    ceiling_fen: int
    valid_from: date
    valid_until: date
    counted_as: CountKey
    masked_name: str
    sealed_code: str
    code_key: str
    made_at: datetime
    changed_at: datetime
    redemption: Redemption | None = None
    due_on: date | None = None
    history: tuple[Entry, ...] = ()
    claim_until: date | None = None
    filing_until: date | None = None
    completion: Completion | None = None
    application_id: str | None = None
    approved_fen: int | None = None
    paid_fen: int = 0
    recovered_fen: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer of a step: read off the voucher's fixed facts and the step's own history entry, so that the same
    request is answered in the same words for as long as it is kept."""

    voucher_id: str
    template_id: str
    region: str
    step: str
    state: State
    version: int
    at: datetime
    facts: Mapping[str, str | int | None]


def receipt(voucher: Voucher, entry: Entry | None = None) -> Receipt:
    """What a step answers: by default the last one."""
    said = (entry or voucher.history[-1]).said
    return Receipt(
        voucher_id=voucher.voucher_id,
        template_id=voucher.template_id,
        region=voucher.region,
        step=said["step"],
        state=State(said["to"]),
        version=said["number"],
        at=calendar.from_text(said["at"]),
        facts=said["facts"],
    )


def claim(
    unclaimed: Voucher,
    *,
    attempt: Attempt,
    actor: Actor,
    entrance: str | None,
    now: datetime,
    facts: Mapping[str, str | int | None] | None = None,
) -> Voucher:
    """Make the voucher of an open template: the caller built it with ``version`` 0 and no history.

    ``facts``: what else there is to say of it, e.g. the relative who acted.
    """
    said = {
        "entrance": entrance,
        "shard": unclaimed.shard,
        "terms": unclaimed.terms_version,
        "valid_from": unclaimed.valid_from.isoformat(),
        "valid_until": unclaimed.valid_until.isoformat(),
        **(facts or {}),
    }
    return _step(unclaimed, "claim", None, State.CLAIMED, actor, attempt, now, said)


def issue(
    blank: Voucher,
    *,
    claim_until: date,
    attempt: Attempt,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, str | int | None] | None = None,
) -> Voucher:
    """Make the voucher of a directed template (定向券) for the person who is named: they still have to take it.

    Who does not until the end of ``claim_until`` loses it. Source: domain.md §3.
    """
    said = {
        "shard": blank.shard,
        "terms": blank.terms_version,
        "valid_from": blank.valid_from.isoformat(),
        "valid_until": blank.valid_until.isoformat(),
        "claim_until": claim_until.isoformat(),
        **(facts or {}),
    }
    issued = replace(blank, claim_until=claim_until)
    return _step(issued, "issue", None, State.ISSUED, actor, attempt, now, said)


def take(
    issued: Voucher,
    *,
    attempt: Attempt,
    actor: Actor,
    entrance: str | None,
    now: datetime,
    facts: Mapping[str, str | int | None] | None = None,
) -> Voucher:
    """The named person claims what was issued to them."""
    said = {"entrance": entrance, **(facts or {})}
    return _step(issued, "claim", State.ISSUED, State.CLAIMED, actor, attempt, now, said)


def redeem(
    voucher: Voucher,
    redemption: Redemption,
    *,
    attempt: Attempt,
    actor: Actor,
    facts: Mapping[str, str | int | None],
    counted_as: CountKey | None = None,
    class_over_by: date | None = None,
) -> Voucher:
    """Use a claimed voucher once, for one course of one institution; ``counted_as``: what it counts as from now on;
    ``class_over_by``: if no class was completed with it by then, it is forfeited.

    Raises AlreadyRedeemed, Expired, VoucherEnded, NotClaimed, NotYetValid, UsedTooOften.
    """
    must_be_usable(voucher, redemption.redeemed_at)
    said = {
        "institution": redemption.institution_id,
        "course": redemption.course_id,
        "proof": redemption.proof,
        **facts,
    }
    counted = counted_as or voucher.counted_as
    used = replace(voucher, redemption=redemption, counted_as=counted, filing_until=class_over_by)
    return _step(used, "redeem", State.CLAIMED, State.REDEEMED, actor, attempt, redemption.redeemed_at, said)


def reverse(voucher: Voucher, *, reason: str, window: int, attempt: Attempt, actor: Actor, now: datetime) -> Voucher:
    """Undo a mis-scan within ``window`` seconds, before any check-in or application.

    Raises NotRedeemed, CheckedInBefore (a class was completed by it), ReversalWindowOver.
    """
    if voucher.state is not State.REDEEMED or voucher.redemption is None:
        raise NotRedeemed(state=voucher.state)
    # Where nobody has to come, or came by another voucher, no check-in tells that; used again, it would still earn it.
    if voucher.completion is not None:
        raise CheckedInBefore(count=voucher.completion.attended)
    until = voucher.redemption.redeemed_at + timedelta(seconds=window)
    if now > until:
        raise ReversalWindowOver(until=calendar.to_text(until))
    facts = {"institution": voucher.redemption.institution_id, "reason": reason}
    counted = voucher.redemption.counted_before or voucher.counted_as
    back = replace(voucher, redemption=None, counted_as=counted, filing_until=None)
    return _step(back, "reverse", State.REDEEMED, State.CLAIMED, actor, attempt, now, facts)


def give_back(
    voucher: Voucher, *, attempt: Attempt, actor: Actor, now: datetime, relation_id: str | None = None
) -> Voucher:
    """The holder, or the relative who acts for them, returns a voucher that was not used. Raises NotHeld."""
    state = effective_state(voucher, now)
    if state not in (State.ISSUED, State.CLAIMED):
        raise NotHeld(state=state)
    facts = {"proxy": relation_id} if relation_id else {}
    return _step(voucher, "give_back", voucher.state, State.RETURNED, actor, attempt, now, facts)


def revoke(voucher: Voucher, *, reason: str, attempt: Attempt, actor: Actor, now: datetime) -> Voucher:
    """An authority takes a voucher away, with a reason. Raises NotRevocable."""
    state = effective_state(voucher, now)
    if state not in (State.ISSUED, State.CLAIMED, State.REDEEMED):
        raise NotRevocable(state=state)
    return _step(voucher, "revoke", voucher.state, State.REVOKED, actor, attempt, now, {"reason": reason})


def expire(voucher: Voucher, *, now: datetime) -> Voucher | None:
    """What the sweep makes of a voucher that is due: expired, or nothing if it is not (any more) to expire."""
    if voucher.state not in (State.ISSUED, State.CLAIMED) or effective_state(voucher, now) is not State.EXPIRED:
        return None
    facts = {"valid_until": _last_day(voucher).isoformat()}
    return _step(voucher, "expire", voucher.state, State.EXPIRED, None, None, now, facts)


def complete(voucher: Voucher, completion: Completion, *, filing_until: date, now: datetime) -> Voucher:
    """The holder has completed the class: it may be applied for until ``filing_until``; with nothing to pay it is
    written off by the next sweep. Raises NotRedeemed."""
    if voucher.state is not State.REDEEMED:
        raise NotRedeemed(state=voucher.state)
    facts: dict[str, str | int | None] = {
        "class": completion.class_id,
        "held": completion.held,
        "attended": completion.attended,
        "percent": completion.percent,
        "needed": completion.needed,
        "by_hand": completion.by_hand,
        "cancelled": completion.cancelled,
        "enrolment_version": completion.enrolment_version,
        "evidence": completion.evidence,
        "filing_until": filing_until.isoformat(),
    }
    done = replace(voucher, completion=completion, filing_until=filing_until)
    return _step(done, COMPLETE, State.REDEEMED, State.REDEEMED, None, None, now, facts)


def defer(voucher: Voucher, *, until: date, class_id: str, now: datetime) -> Voucher:
    """Its class goes on: it is looked at again after ``until``."""
    facts: dict[str, str | int | None] = {"class": class_id, "until": until.isoformat()}
    later = replace(voucher, filing_until=until)
    return _step(later, DEFER, State.REDEEMED, State.REDEEMED, None, None, now, facts)


def apply(
    voucher: Voucher,
    application_id: str,
    claimed_fen: int,
    *,
    filed_at: datetime,
    actor: Actor,
    attempt: Attempt | None,
    now: datetime,
) -> Voucher:
    """Apply for its money, once at a time. ``filed_at``: when the application was made; its lines may be built later.

    Raises AlreadyApplied, NotRedeemed, NotCompleted, FilingOver, UsedTooOften, OverCeiling.
    """
    if voucher.state is State.APPLIED:
        raise AlreadyApplied(application_id=voucher.application_id)
    if voucher.state is not State.REDEEMED:
        raise NotRedeemed(state=voucher.state)
    if voucher.completion is None:
        raise NotCompleted()
    if voucher.filing_until is not None and calendar.local_date(filed_at) > voucher.filing_until:
        raise FilingOver(until=voucher.filing_until.isoformat())
    if len(voucher.history) >= MOST_APPLIED_FOR and _steps_taken(voucher) >= MOST_APPLIED_FOR:
        raise UsedTooOften(limit=MOST_APPLIED_FOR)
    if not 0 < claimed_fen <= voucher.ceiling_fen:
        raise OverCeiling(claimed_fen=claimed_fen, ceiling_fen=voucher.ceiling_fen)
    facts: dict[str, str | int | None] = {"application": application_id, "claimed_fen": claimed_fen}
    asked = replace(voucher, application_id=application_id)
    return _step(asked, "apply", State.REDEEMED, State.APPLIED, actor, attempt, now, facts)


def give_back_line(
    voucher: Voucher, *, step: str, reason: str, filing_until: date | None, actor: Actor, now: datetime
) -> Voucher:
    """Out of its application again: ``step`` is ``return`` (by the reviewer) or ``cancel`` (by whoever applied)."""
    facts: dict[str, str | int | None] = {"application": voucher.application_id, "reason": reason}
    free = replace(voucher, application_id=None, filing_until=filing_until or voucher.filing_until)
    return _step(free, step, State.APPLIED, State.REDEEMED, actor, None, now, facts)


def approve(voucher: Voucher, fen: int, *, actor: Actor, now: datetime) -> Voucher:
    """The reviewer grants ``fen`` of what was claimed: so much is payable, the rest of the reservation is free."""
    if voucher.approved_fen is not None or not 0 < fen <= voucher.ceiling_fen:
        raise AssertionError(f"{fen} fen of a voucher of which {voucher.approved_fen} are approved")
    facts: dict[str, str | int | None] = {"application": voucher.application_id, "approved_fen": fen}
    granted = replace(voucher, approved_fen=fen)
    return _step(granted, APPROVE, State.APPLIED, State.APPLIED, actor, None, now, facts)


def refuse(voucher: Voucher, *, reason: str, actor: Actor, now: datetime) -> Voucher:
    """Refuse its money for good, also what was approved and not paid."""
    if voucher.paid_fen:
        raise AssertionError("what was paid is claimed back, not refused")
    facts: dict[str, str | int | None] = {"application": voucher.application_id, "reason": reason}
    refused = replace(voucher, approved_fen=None if voucher.approved_fen is None else 0)
    return _step(refused, "refuse", State.APPLIED, State.FORFEITED, actor, None, now, facts)


def pay(voucher: Voucher, *, batch_id: str | None, reference: str, actor: Actor, now: datetime) -> Voucher:
    """All that was approved is paid, once; without a batch where the region's own system paid. It is written off by the
    next sweep."""
    if not voucher.approved_fen or voucher.paid_fen:
        raise AssertionError(f"{voucher.approved_fen} fen are approved and {voucher.paid_fen} are paid")
    facts: dict[str, str | int | None] = {
        "application": voucher.application_id,
        "batch": batch_id,
        "paid_fen": voucher.approved_fen,
        "reference": reference,
    }
    paid = replace(voucher, paid_fen=voucher.approved_fen)
    return _step(paid, PAY, State.APPLIED, State.APPLIED, actor, None, now, facts)


def write_off(voucher: Voucher, *, now: datetime) -> Voucher | None:
    """What the sweep makes of a voucher that is paid in full, or completed with nothing to pay; else None.

    From then on its code is dead. Source: domain.md §3.
    """
    paid = voucher.state is State.APPLIED and voucher.paid_fen > 0
    nothing_to_pay = voucher.state is State.REDEEMED and voucher.completion is not None and not voucher.ceiling_fen
    if not (paid or nothing_to_pay):
        return None
    return _step(
        voucher, "write_off", voucher.state, State.WRITTEN_OFF, None, None, now, {"paid_fen": voucher.paid_fen}
    )


def forfeit(voucher: Voucher, *, now: datetime) -> Voucher | None:
    """What the sweep makes of a used voucher whose class was not completed, or not applied for, in time; else None."""
    last = voucher.filing_until
    if voucher.state is not State.REDEEMED or last is None or calendar.local_date(now) <= _kept_until(voucher, last):
        return None
    if voucher.completion is not None and not voucher.ceiling_fen:
        return None
    why = "not_applied" if voucher.completion else "not_completed"
    facts: dict[str, str | int | None] = {"reason": why, "until": last.isoformat()}
    return _step(voucher, "forfeit", State.REDEEMED, State.FORFEITED, None, None, now, facts)


def claw_back(
    voucher: Voucher, fen: int, *, reason: str, attempt: Attempt | None, actor: Actor, now: datetime
) -> Voucher:
    """Claim back what was paid, or a part of it. The voucher keeps its state. Raises NothingToRecover."""
    left = voucher.paid_fen - voucher.recovered_fen
    if not 0 < fen <= left:
        raise NothingToRecover(left_fen=left)
    facts: dict[str, str | int | None] = {"recovered_fen": fen, "reason": reason}
    back = replace(voucher, recovered_fen=voucher.recovered_fen + fen)
    return _step(back, CLAW_BACK, voucher.state, voucher.state, actor, attempt, now, facts)


def amend(
    voucher: Voucher, *, terms_version: int, valid_until: date, claim_until: date, reason: str, now: datetime
) -> Voucher:
    """Bring a voucher to its template's next terms: no state changes, no money moves. The caller keeps to the order of
    the versions, so that each amendment has its entry."""
    facts: dict[str, str | int | None] = {
        "amendment": terms_version - 1,
        "reason": reason,
        "terms_before": voucher.terms_version,
        "terms": terms_version,
        "valid_until_before": voucher.valid_until.isoformat(),
        "valid_until": valid_until.isoformat(),
    }
    if voucher.claim_until is not None:
        facts |= {"claim_until_before": voucher.claim_until.isoformat(), "claim_until": claim_until.isoformat()}
    better = under(voucher, terms_version=terms_version, valid_until=valid_until, claim_until=claim_until)
    return _step(better, AMEND, voucher.state, voucher.state, None, None, now, facts)


def under(voucher: Voucher, *, terms_version: int, valid_until: date, claim_until: date) -> Voucher:
    """A voucher as later terms promise it, to look at: nothing was entered yet."""
    return replace(
        voucher,
        terms_version=terms_version,
        valid_until=max(voucher.valid_until, valid_until),
        claim_until=max(voucher.claim_until, claim_until) if voucher.claim_until else None,
    )


def has_lapsed(voucher: Voucher, now: datetime) -> bool:
    """Expired by its own date, though no sweep has come to it yet."""
    return voucher.state not in ENDED and effective_state(voucher, now) is State.EXPIRED


def effective_state(voucher: Voucher, now: datetime) -> State:
    """The state as it counts at this instant, whether or not the sweep has run."""
    unused = voucher.state in (State.ISSUED, State.CLAIMED)
    if unused and calendar.local_date(now) > _last_day(voucher):
        return State.EXPIRED
    return voucher.state


def _due_on(voucher: Voucher, now: datetime) -> date | None:
    """The day whose sweep looks at it: expired, forfeited, or written off."""
    match voucher.state:
        case State.ISSUED | State.CLAIMED:
            return calendar.due_day(_last_day(voucher), now)
        case State.REDEEMED:
            if voucher.completion is not None and not voucher.ceiling_fen:
                return calendar.due_day(calendar.local_date(now), now)
            last = voucher.filing_until
            return calendar.due_day(_kept_until(voucher, last), now) if last else None
        case State.APPLIED if voucher.paid_fen:
            return calendar.due_day(calendar.local_date(now), now)
        case _:
            return None


def _kept_until(voucher: Voucher, last: date) -> date:
    """An application of the last day may still wait for the job that builds its lines: a day more, so that nothing is
    forfeited that was applied for in time."""
    return last + BUILDING if voucher.completion is not None else last


def _last_day(voucher: Voucher) -> date:
    """Until when it lives: what was issued and not taken ends with the claim window."""
    if voucher.state is State.ISSUED and voucher.claim_until is not None:
        return min(voucher.claim_until, voucher.valid_until)
    return voucher.valid_until


def must_be_named_place(voucher: Voucher, institution_id: str, course_id: str) -> None:
    """Check that the voucher is used where its roster sends the person, if that names an institution or a course.

    Raises WrongInstitution, WrongCourse. Source: domain.md §3 (right institution and course).
    """
    facts = voucher.history[0].said["facts"]
    if facts.get("institution") not in (None, institution_id):
        raise WrongInstitution()
    if facts.get("course") not in (None, course_id):
        raise WrongCourse()


def must_be_usable(voucher: Voucher, now: datetime) -> None:
    """Raises the first that holds: AlreadyRedeemed, Expired, VoucherEnded, NotClaimed, NotYetValid, UsedTooOften."""
    if voucher.state in (State.REDEEMED, State.APPLIED) and voucher.redemption:
        raise AlreadyRedeemed(
            redeemed_at=calendar.to_text(voucher.redemption.redeemed_at),
            institution_id=voucher.redemption.institution_id,
            institution_name=voucher.redemption.institution_name,
        )
    state = effective_state(voucher, now)
    if state is State.EXPIRED:
        raise Expired(valid_until=voucher.valid_until.isoformat())
    if state in ENDED:
        raise VoucherEnded(state=state, state_zh=STATE_ZH[state])
    if state is State.ISSUED:
        raise NotClaimed()
    if calendar.in_force(voucher.valid_from, voucher.valid_until, now) == "not_yet":
        raise NotYetValid(valid_from=voucher.valid_from.isoformat())
    if len(voucher.history) >= MOST_ENTRIES and _steps_taken(voucher) >= MOST_ENTRIES:
        raise UsedTooOften(limit=MOST_ENTRIES)


def waits_in(voucher: Voucher, application_id: str) -> bool:
    """Whether it stands in this application and nothing is decided of it."""
    return (voucher.state, voucher.application_id, voucher.approved_fen) == (State.APPLIED, application_id, None)


def is_granted(voucher: Voucher, application_id: str) -> bool:
    """Whether it stands in this application, granted and not paid."""
    there = voucher.state is State.APPLIED and voucher.application_id == application_id
    return there and bool(voucher.approved_fen) and not voucher.paid_fen


def paid_by(voucher: Voucher) -> str | None:
    """The operator who paid it, or who told that it was paid elsewhere."""
    said = next((one.said for one in voucher.history if one.said["step"] == PAY), None)
    return said["operator"] if said else None


def earlier_answer(voucher: Voucher, attempt: Attempt, now: datetime) -> Entry | None:
    """The entry that this very request wrote before, if it did and is still kept. Raises Reused (other body)."""
    for entry in reversed(voucher.history):
        if attempt.request not in entry.text:  # a digest, so it stands there as it is; most need not be read
            continue
        said = entry.said
        if said["request"] == attempt.request and still_kept(entry.at, now):
            if said["body"] != attempt.body:
                raise Reused()
            return entry
    return None


def is_held(voucher: Voucher, now: datetime, *, redeemed_counts: bool) -> bool:
    """Whether the voucher counts for ``one_at_a_time``."""
    state = effective_state(voucher, now)
    return state in (State.ISSUED, State.CLAIMED) or (redeemed_counts and state in (State.REDEEMED, State.APPLIED))


def _steps_taken(voucher: Voucher) -> int:
    """Amendments are counted by themselves: what is in the holder's favour uses up nothing."""
    return sum(entry.said["step"] != AMEND for entry in voucher.history)


def _step(
    voucher: Voucher,
    step: str,
    before: State | None,
    after: State,
    actor: Actor | None,
    attempt: Attempt | None,
    now: datetime,
    facts: Mapping[str, str | int | None],
) -> Voucher:
    if not may_follow(step, before, after):
        raise AssertionError(f"{after} does not follow {before}")
    entry = history.next_entry(
        voucher.history,
        history.genesis(voucher.template_id, voucher.person_id),
        step=step,
        before=before,
        after=after,
        at=now,
        app_key=actor.app_key if actor else None,
        operator_id=actor.operator_id if actor else None,
        request=attempt.request if attempt else None,
        body=attempt.body if attempt else None,
        facts=facts,
    )
    entered = replace(
        voucher, state=after, version=voucher.version + 1, changed_at=now, history=(*voucher.history, entry)
    )
    return replace(entered, due_on=_due_on(entered, now))
