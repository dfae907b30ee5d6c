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
    AlreadyRedeemed,
    Expired,
    NotClaimed,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    NotYetValid,
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


AMEND = "amend"
AMENDABLE = frozenset({State.ISSUED, State.CLAIMED, State.REDEEMED})
"""In these a voucher follows its template's amendments. Of what is applied for or has ended nothing is promised."""


def may_follow(step: str, before: State | None, after: State) -> bool:
    """Whether a step of this name may lead from one state to the other; an amendment leads to the same."""
    if step == AMEND:
        return before is after and after in AMENDABLE
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
class Voucher:
    """One person's voucher of one template; the pair is its key. ``ceiling_fen`` is the most that it can cost.

    ``sealed_code`` opens to the typed code, ``code_key`` finds it. ``version`` equals the number of history entries.
    ``claim_until``: the last day on which the person whom it was issued to may take it; None: it was claimed openly.
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
) -> Voucher:
    """Use a claimed voucher once, for one course of one institution; ``counted_as``: what it counts as from now on.

    Raises AlreadyRedeemed, Expired, VoucherEnded, NotClaimed, NotYetValid, UsedTooOften.
    """
    must_be_usable(voucher, redemption.redeemed_at)
    said = {
        "institution": redemption.institution_id,
        "course": redemption.course_id,
        "proof": redemption.proof,
        **facts,
    }
    used = replace(voucher, redemption=redemption, counted_as=counted_as or voucher.counted_as)
    return _step(used, "redeem", State.CLAIMED, State.REDEEMED, actor, attempt, redemption.redeemed_at, said)


def reverse(voucher: Voucher, *, reason: str, window: int, attempt: Attempt, actor: Actor, now: datetime) -> Voucher:
    """Undo a mis-scan within ``window`` seconds, before any check-in or application.

    Raises NotRedeemed, ReversalWindowOver.
    """
    if voucher.state is not State.REDEEMED or voucher.redemption is None:
        raise NotRedeemed(state=voucher.state)
    until = voucher.redemption.redeemed_at + timedelta(seconds=window)
    if now > until:
        raise ReversalWindowOver(until=calendar.to_text(until))
    facts = {"institution": voucher.redemption.institution_id, "reason": reason}
    counted = voucher.redemption.counted_before or voucher.counted_as
    back = replace(voucher, redemption=None, counted_as=counted)
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
    waits = after in (State.ISSUED, State.CLAIMED)
    entered = replace(
        voucher, state=after, version=voucher.version + 1, changed_at=now, history=(*voucher.history, entry)
    )
    return replace(entered, due_on=calendar.due_day(_last_day(entered), now) if waits else None)
