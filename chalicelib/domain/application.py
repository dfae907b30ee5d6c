"""An application for the money of a class's vouchers (资金申请), voucher by voucher. domain.md §3, §4.

One institution, one class, one payer region; 1 to 5,000 lines, built by a job. Each line stands beside its voucher and
moves with it in one transaction; the head counts them. Requester, reviewer and payer are three operators.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chalicelib.domain.access import Actor
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    AlreadyPublished,
    ApplicationBusy,
    ApplicationStateRefused,
    Invalid,
    NoPublicity,
    NotPublished,
    ObjectionNotFound,
    ObjectionResolved,
    OverClaim,
    PublicityNotOver,
    SameOperator,
    TooManyObjections,
)
from chalicelib.domain.programme import Payee
from chalicelib.domain.region import Rules
from chalicelib.domain.voucher import Completion

MOST_LINES = 5_000
MOST_ATTACHMENTS = 50
MOST_OBJECTIONS, MOST_OBJECTIONS_EVER = 50, 150
"""Open ones, and with those that are resolved: all stand on the application's row."""
"""Of an application: they stand on its head, which is read with every step."""


class ApplicationState(StrEnum):
    COLLECTING = "collecting"  # its lines are being built
    SUBMITTED = "submitted"  # the reviewer's turn
    DECIDED = "decided"  # no line waits for a decision
    SETTLED = "settled"  # whatever was granted is paid
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


APPLICATION_STATE_ZH: Mapping[ApplicationState, str] = {
    ApplicationState.COLLECTING: "生成中",
    ApplicationState.SUBMITTED: "待审核",
    ApplicationState.DECIDED: "已审核",
    ApplicationState.SETTLED: "已结清",
    ApplicationState.CANCELLING: "撤销中",
    ApplicationState.CANCELLED: "已撤销",
}


class LineState(StrEnum):
    NOT_ACCEPTED = "not_accepted"  # a rule keeps it out; ``code`` says which
    APPLIED = "applied"
    REVIEWED = "reviewed"  # granted by one reviewer; a second one is needed
    APPROVED = "approved"
    RETURNED = "returned"  # the voucher may be applied for again
    REFUSED = "refused"  # for good
    PAYING = "paying"  # in a payment batch
    PAID = "paid"
    CANCELLED = "cancelled"


LINE_STATE_ZH: Mapping[LineState, str] = {
    LineState.NOT_ACCEPTED: "未受理",
    LineState.APPLIED: "待审核",
    LineState.REVIEWED: "待复审",
    LineState.APPROVED: "审核通过",
    LineState.RETURNED: "已退回",
    LineState.REFUSED: "不予通过",
    LineState.PAYING: "拨付中",
    LineState.PAID: "已拨付",
    LineState.CANCELLED: "已撤销",
}
UNDECIDED = frozenset({LineState.APPLIED, LineState.REVIEWED})
UNPAID = frozenset({LineState.APPROVED, LineState.PAYING})
# Which state of a line may follow which.
LINE_FOLLOWS: Mapping[LineState, frozenset[LineState]] = {
    LineState.NOT_ACCEPTED: frozenset(),
    LineState.APPLIED: frozenset(
        {
            LineState.REVIEWED,
            LineState.APPROVED,
            LineState.RETURNED,
            LineState.REFUSED,
            LineState.CANCELLED,
            LineState.PAID,  # settled in the region's own system
        }
    ),
    LineState.REVIEWED: frozenset(
        {LineState.REVIEWED, LineState.APPROVED, LineState.RETURNED, LineState.REFUSED, LineState.CANCELLED}
    ),
    LineState.APPROVED: frozenset({LineState.PAYING, LineState.REFUSED}),
    LineState.PAYING: frozenset({LineState.PAID, LineState.APPROVED}),
    LineState.PAID: frozenset(),
    LineState.RETURNED: frozenset(),
    LineState.REFUSED: frozenset(),
    LineState.CANCELLED: frozenset(),
}


class LineVerdict(StrEnum):
    """What a reviewer says of a line."""

    APPROVE = "approve"
    APPROVE_LESS = "approve_less"
    RETURN = "return"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class LineAct:
    """Who did what to a line, when and why. ``fen``: how much it is about."""

    step: str
    at: datetime
    operator_id: str | None
    fen: int | None = None
    reason: str | None = None
    text: str | None = None


class OutsideOutcome(StrEnum):
    """What a region's own system made of a line."""

    PAID = "paid"
    REFUSED = "refused"
    RETURNED = "returned"


OUTSIDE_ZH: Mapping[OutsideOutcome, str] = {
    OutsideOutcome.PAID: "已拨付",
    OutsideOutcome.REFUSED: "不予通过",
    OutsideOutcome.RETURNED: "退回",
}


@dataclass(frozen=True, slots=True)
class OutsideResult:
    """What a region's own system tells of a line. ``fen`` and ``reference`` (of the payment) where it was paid,
    ``reason`` where it was not; ``settled_on`` is a local date."""

    outcome: OutsideOutcome
    settled_on: date
    fen: int | None = None
    reference: str | None = None
    reason: str | None = None

    def says_what(self, other: "OutsideResult") -> bool:
        """Whether both tell the same; a reason may be worded anew."""
        return replace(self, reason=None) == replace(other, reason=None)


@dataclass(frozen=True, slots=True)
class Line:
    """One voucher of an application, with the evidence that it was used and its holder attended.

    ``code``, ``zh``, ``en``: why it was not accepted. ``granted_fen`` is what a reviewer granted; ``reviewed_by`` who
    (of two, the first), ``approved_by`` whose word made it payable. ``batch_id``: the payment batch that it is in, or
    was paid by. ``failures``: how often a payment did not come through. ``outside``: what the region's own system made
    of it, where that settles.
    """

    application_id: str
    voucher_id: str
    person_id: str
    template_id: str
    account_id: str
    masked_name: str
    state: LineState
    claimed_fen: int
    ceiling_fen: int
    payee: Payee = Payee.INSTITUTION
    redeemed_at: datetime | None = None
    proof: str | None = None
    completion: Completion | None = None
    code: str | None = None
    zh: str | None = None
    en: str | None = None
    granted_fen: int | None = None
    reviewed_by: str | None = None
    approved_by: str | None = None
    batch_id: str | None = None
    paid_fen: int = 0
    failures: int = 0
    outside: OutsideResult | None = None
    acts: tuple[LineAct, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer decides, of some lines or of all that match. ``fen``: of each, where less is granted.

    ``reason``: one of the region's; ``text``: in the reviewer's own words.
    """

    verdict: LineVerdict
    fen: int | None = None
    reason: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are meant in bulk; None: whatever. ``least_percent``, ``most_percent`` of attendance."""

    states: tuple[LineState, ...] = (LineState.APPLIED, LineState.REVIEWED)
    least_percent: int | None = None
    most_percent: int | None = None
    most_by_hand: int | None = None
    template_id: str | None = None


@dataclass(frozen=True, slots=True)
class BulkReview:
    """A decision that a job carries out line by line. ``cursor``: how far it has come; ``done``, ``passed_over``."""

    decision: Decision
    filter: Filter
    app_key: str
    operator_id: str | None
    asked_at: datetime
    cursor: str | None = None
    done: int = 0
    passed_over: int = 0
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with it, by its hash. ``stored_version``: it is there, with this very content, since
    ``stored_at``; ``stored_by`` confirmed it."""

    attachment_id: str
    kind: str
    file_name: str
    size: int
    sha256: str
    object_key: str
    declared_at: datetime
    stored_version: str | None = None
    stored_at: datetime | None = None
    stored_by: str | None = None


@dataclass(frozen=True, slots=True)
class Publicity:
    """That what was granted is published, masked, until the end of a local date."""

    published_at: datetime
    until: date
    operator_id: str | None


@dataclass(frozen=True, slots=True)
class Objection:
    """What somebody said against a line while it was published. ``number`` from 1; ``upheld`` None: it is open."""

    number: int
    voucher_id: str
    text: str
    entered_at: datetime
    entered_by: str | None
    upheld: bool | None = None
    answer: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """The head. ``counts``: lines by state; money in fen over its lines: ``claimed`` of those accepted, ``approved`` of
    those granted and not refused after all, ``paid``. ``cursor``: how far its lines are built. ``asked``: voucher by
    voucher, or None: whoever completed the class. ``due_on``: the last day for the review."""

    application_id: str
    institution_id: str
    class_id: str
    region: str
    state: ApplicationState
    app_key: str
    requested_by: str | None
    made_at: datetime
    claimed_each_fen: int | None = None
    asked: int | None = None
    counts: Mapping[LineState, int] = field(default_factory=dict)
    claimed_fen: int = 0
    approved_fen: int = 0
    paid_fen: int = 0
    cursor: str | None = None
    submitted_at: datetime | None = None
    due_on: date | None = None
    reminded_on: date | None = None
    decided_at: datetime | None = None
    settled_at: datetime | None = None
    reason: str | None = None
    external: bool = False
    bulk: BulkReview | None = None
    attachments: tuple[Attachment, ...] = ()
    publicity: Publicity | None = None
    objections: tuple[Objection, ...] = ()
    version: int = 1

    @property
    def lines(self) -> int:
        return sum(self.counts.values())

    def errand(self) -> "MoneyErrand":
        return MoneyErrand("application", self.application_id)


@dataclass(frozen=True, slots=True)
class MoneyErrand:
    """What the money function is told by a message: to go on with an application or a payment batch, whatever is next
    for it by its state; or to tell whoever is left on a finished class. ``tried``: how often in a row that came to
    nothing."""

    noun: str
    id: str
    tried: int = 0

    def text(self) -> str:
        """As it stands in a message."""
        return json.dumps({"noun": self.noun, "id": self.id, "tried": self.tried})

    @staticmethod
    def read(said: Mapping[str, object]) -> "MoneyErrand":
        """Raises KeyError, ValueError for what is none of ours."""
        return MoneyErrand(str(said["noun"]), str(said["id"]), int(str(said["tried"])))


def step_line(line: Line, after: LineState, act: LineAct, **changes: object) -> Line:
    """The line in its next state."""
    if after not in LINE_FOLLOWS[line.state]:
        raise AssertionError(f"{after} does not follow {line.state}")
    acts = (*line.acts, act)
    return replace(line, state=after, acts=acts, version=line.version + 1, **changes)  # type: ignore[arg-type]


def count(application: Application, lines: Iterable[tuple[Line | None, Line]], **changes: object) -> Application:
    """The head after these lines have changed, one version further. It is read before its lines: of one that another
    step has moved since it may know nothing yet. What is made of it is not written then, for its version."""
    counts = dict(application.counts)
    claimed, approved, paid = application.claimed_fen, application.approved_fen, application.paid_fen
    for before, after in lines:
        if before is not None:
            counts[before.state] = counts.get(before.state, 0) - 1
            claimed, approved, paid = (
                total - was for total, was in zip((claimed, approved, paid), _sums(before), strict=True)
            )
        counts[after.state] = counts.get(after.state, 0) + 1
        claimed, approved, paid = (
            total + now for total, now in zip((claimed, approved, paid), _sums(after), strict=True)
        )
    return replace(
        application,
        counts=counts,
        claimed_fen=claimed,
        approved_fen=approved,
        paid_fen=paid,
        version=application.version + 1,
        **changes,  # type: ignore[arg-type]
    )


def _sums(line: Line) -> tuple[int, int, int]:
    claimed = 0 if line.state in (LineState.NOT_ACCEPTED, LineState.CANCELLED) else line.claimed_fen
    granted = line.granted_fen or 0 if line.state in (LineState.APPROVED, LineState.PAYING, LineState.PAID) else 0
    return claimed, granted, line.paid_fen


def settle(application: Application, now: datetime) -> Application:
    """The state that follows from its lines: decided when none waits, settled when nothing granted is unpaid."""
    waiting = sum(application.counts.get(state, 0) for state in UNDECIDED)
    unpaid = sum(application.counts.get(state, 0) for state in UNPAID)
    match application.state:
        case ApplicationState.SUBMITTED | ApplicationState.DECIDED if not waiting and not unpaid:
            decided = application.decided_at or now
            return replace(application, state=ApplicationState.SETTLED, decided_at=decided, settled_at=now)
        case ApplicationState.SUBMITTED if not waiting:
            return replace(application, state=ApplicationState.DECIDED, decided_at=now)
        case _:
            return application


def stops_waiting(before: Application, after: Application) -> bool | None:
    """False where the change takes it off the list of those that wait for their review; None: no change of that."""
    was, waits = (one.state is ApplicationState.SUBMITTED for one in (before, after))
    return False if was and not waits else None


def must_be(application: Application, states: Collection[ApplicationState]) -> None:
    """Raises ApplicationStateRefused, ApplicationBusy (a decision in bulk is being carried out)."""
    if application.state not in states:
        raise ApplicationStateRefused(state=application.state, state_zh=APPLICATION_STATE_ZH[application.state])
    if application.bulk is not None and application.bulk.finished_at is None:
        raise ApplicationBusy()


def must_be_another(actor: Actor, *others: str | None) -> None:
    """Requester, reviewer and payer are three operators. Raises SameOperator. Source: domain.md §2."""
    if actor.operator_id is None or actor.operator_id in others:
        raise SameOperator()


_GRANTING = frozenset({"apply", LineVerdict.APPROVE, LineVerdict.APPROVE_LESS})


def answers_for(line: Line) -> frozenset[str | None]:
    """Who asked for its money, and whoever said that it be granted: none of them pays it. Source: domain.md §3."""
    return frozenset(act.operator_id for act in line.acts if act.step in _GRANTING)


def decide(line: Line, decision: Decision, *, second: bool, operator_id: str | None, now: datetime) -> Line:
    """What a decision makes of a line that waits. ``second``: two reviewers have to grant it.

    Raises OverClaim (more than was claimed), SameOperator (the second is the first).
    """
    if line.state not in UNDECIDED:
        raise AssertionError(f"nothing is to be decided of a line that is {line.state}")
    act = LineAct(decision.verdict, now, operator_id, decision.fen, decision.reason, decision.text)
    match decision.verdict:
        case LineVerdict.RETURN:
            return step_line(line, LineState.RETURNED, act, granted_fen=None)
        case LineVerdict.REFUSE:
            return step_line(line, LineState.REFUSED, act, granted_fen=None)
    fen = decision.fen if decision.verdict is LineVerdict.APPROVE_LESS else (line.granted_fen or line.claimed_fen)
    assert fen is not None, "less is granted as a sum"
    if not 0 < fen <= line.claimed_fen:
        raise OverClaim(claimed_fen=line.claimed_fen)
    act = replace(act, fen=fen)
    if second and line.state is LineState.REVIEWED and line.reviewed_by == operator_id:
        raise SameOperator()
    # Whoever grants another sum than the first reviewer is a first reviewer again.
    agreed = line.state is LineState.REVIEWED and line.granted_fen == fen
    if second and not agreed:
        return step_line(line, LineState.REVIEWED, act, granted_fen=fen, reviewed_by=operator_id)
    return step_line(
        line, LineState.APPROVED, act, granted_fen=fen, reviewed_by=line.reviewed_by or operator_id,
        approved_by=operator_id,
    )  # fmt: skip


def settle_outside(line: Line, result: OutsideResult, *, operator_id: str | None, now: datetime) -> Line:
    """What a region's own system says becomes of a line that waits; ``check_result`` has passed it.

    Raises OverClaim (more was paid than was claimed).
    """
    act = LineAct(f"{result.outcome}_outside", now, operator_id, result.fen, result.reason, result.reference)
    match result.outcome:
        case OutsideOutcome.REFUSED:
            return step_line(line, LineState.REFUSED, act, outside=result)
        case OutsideOutcome.RETURNED:
            return step_line(line, LineState.RETURNED, act, outside=result)
    fen = result.fen or 0
    if not 0 < fen <= line.claimed_fen:
        raise OverClaim(claimed_fen=line.claimed_fen)
    return step_line(
        line, LineState.PAID, act, outside=result, granted_fen=fen, approved_by=operator_id, paid_fen=fen
    )  # fmt: skip


def check_result(result: OutsideResult, applied_on: date, today: date) -> None:
    """Raises Invalid: paid without a sum or a reference, not paid with them or without a reason, a day to come, or one
    on which nobody had applied for it."""
    paid = result.outcome is OutsideOutcome.PAID
    if paid and not (result.fen and result.reference):
        raise Invalid(pointer="/fen", reason="what was paid has a sum and a reference")
    if not paid and (result.fen or result.reference or not result.reason):
        raise Invalid(pointer="/reason", reason="what was not paid has a reason, and neither sum nor reference")
    if result.settled_on > today:
        raise Invalid(pointer="/settled_on", reason="a result is of today or before")
    if result.settled_on < applied_on:
        raise Invalid(pointer="/settled_on", reason="a result is of the day of the application or later")


def note_on_line(line: Line, act: LineAct) -> Line:
    """The line with something more said of it, in the state that it has."""
    return replace(line, acts=(*line.acts, act), version=line.version + 1)


def publish(application: Application, rules: Rules, *, operator_id: str | None, now: datetime) -> Application:
    """Publish what was granted for as many days as the region's rules say, this one not counted.

    Raises NoPublicity (the rules want none), ApplicationStateRefused, ApplicationBusy, AlreadyPublished.
    """
    if application.publicity is not None:
        raise AlreadyPublished(until=application.publicity.until.isoformat())
    if not rules.publicity_days:
        raise NoPublicity()
    must_be(application, {ApplicationState.DECIDED})
    until = local_date(now) + timedelta(days=rules.publicity_days)
    return replace(application, publicity=Publicity(now, until, operator_id), version=application.version + 1)


def object_to(
    application: Application, voucher_id: str, text: str, *, operator_id: str | None, now: datetime
) -> Application:
    """Enter what somebody said against a published line. What came in on the last day may be entered later: until it
    is resolved, nothing more of the application is paid. Raises NotPublished, TooManyObjections."""
    if application.publicity is None:
        raise NotPublished()
    if open_objections(application) >= MOST_OBJECTIONS:
        raise TooManyObjections(limit=MOST_OBJECTIONS)
    if len(application.objections) >= MOST_OBJECTIONS_EVER:
        raise TooManyObjections(limit=MOST_OBJECTIONS_EVER)
    one = Objection(len(application.objections) + 1, voucher_id, text, now, operator_id)
    return replace(application, objections=(*application.objections, one), version=application.version + 1)


def find_objection(application: Application, number: int) -> Objection:
    """One that is open. Raises ObjectionNotFound, ObjectionResolved."""
    found = next((one for one in application.objections if one.number == number), None)
    if found is None:
        raise ObjectionNotFound()
    if found.upheld is not None:
        raise ObjectionResolved()
    return found


def resolve(
    application: Application, number: int, *, upheld: bool, text: str, operator_id: str | None, now: datetime
) -> tuple[Objection, ...]:
    """The application's objections with this one resolved. Raises ObjectionNotFound, ObjectionResolved."""
    find_objection(application, number)
    return tuple(
        replace(one, upheld=upheld, answer=text, resolved_at=now, resolved_by=operator_id)
        if one.number == number
        else one
        for one in application.objections
    )


def withdraw_approval(
    line: Line, reason: str | None, text: str | None, *, operator_id: str | None, now: datetime
) -> Line:
    """What was granted is refused after all: an objection was upheld, or a reviewer takes it back."""
    act = LineAct("withdraw_approval", now, operator_id, line.granted_fen, reason, text)
    return step_line(line, LineState.REFUSED, act, granted_fen=None)


def open_objections(application: Application) -> int:
    return sum(one.upheld is None for one in application.objections)


def must_be_payable(application: Application, rules: Rules, now: datetime) -> None:
    """Where the region publishes what it grants, that is over, and nobody's objection is open.

    Whoever pays writes the head in the same transaction: an objection that comes in between is not overtaken. Raises
    PublicityNotOver.
    """
    there = application.publicity
    waits = open_objections(application)
    if there is None:
        if rules.publicity_days:
            raise PublicityNotOver(until="not published yet", until_zh="未公示", objections=waits)
    elif waits or local_date(now) <= there.until:
        raise PublicityNotOver(until=there.until.isoformat(), objections=waits)


def matches(line: Line, wanted: Filter) -> bool:
    """Whether a line is meant in bulk."""
    there = line.completion
    if line.state not in wanted.states or (wanted.template_id not in (None, line.template_id)):
        return False
    if there is None:
        return wanted.least_percent is None and wanted.most_percent is None and wanted.most_by_hand is None
    return (
        (wanted.least_percent is None or there.percent >= wanted.least_percent)
        and (wanted.most_percent is None or there.percent <= wanted.most_percent)
        and (wanted.most_by_hand is None or there.by_hand <= wanted.most_by_hand)
    )


def check_decision(decision: Decision, reasons: Collection[str]) -> None:
    """Raises Invalid: a sum without less, less without a sum, no reason, or one that is not the region's."""
    if (decision.fen is not None) is not (decision.verdict is LineVerdict.APPROVE_LESS):
        raise Invalid(pointer="/fen", reason="a sum is told where less is granted, and only there")
    if decision.verdict is not LineVerdict.APPROVE and decision.reason not in reasons:
        raise Invalid(pointer="/reason", reason="the reason is one of those that the region has")
