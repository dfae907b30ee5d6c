"""One person on one class (报名), and their attendance. Each step returns the enrolment after it. domain.md §4.

Every check-in is an entry of a history that is chained as a voucher's is: what earns the subsidy can be recounted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain import calendar, history
from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt, still_kept
from chalicelib.domain.check_in import Result, Seen, Way
from chalicelib.domain.errors import (
    AlreadyCheckedIn,
    AlreadyCheckedOut,
    AlreadyExcused,
    CheckedInBefore,
    NotCheckedIn,
    NotCompleted,
    NotEnrolled,
    Reused,
)
from chalicelib.domain.history import Entry
from chalicelib.domain.training_class import Session, TrainingClass
from chalicelib.domain.voucher import Completion


class EnrolmentState(StrEnum):
    ENROLLED = "enrolled"
    LEFT = "left"  # taken off the class, or gone to another one
    COMPLETED = "completed"
    NOT_COMPLETED = "not_completed"


@dataclass(frozen=True, slots=True)
class CheckIn:
    """That somebody was there: when, how, and so many ``metres`` away. ``device``: a salted digest of the device.

    ``entered_by``: who, where it was entered by hand. ``left_at``: when they checked out, and by which way.
    """

    result: Result
    way: Way
    at: datetime
    metres: int | None = None
    device: str | None = None
    entered_by: str | None = None
    left_at: datetime | None = None
    left_by: Way | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """``version`` equals the number of history entries. ``check_ins`` and ``excused`` (leave, with its reason) by
    session. ``overlaps``: it was let on although another class of theirs is at the same time. ``seen``: the last time
    at a place. ``rating``: what the institution says of the trainee, 1 to 5."""

    person_id: str
    class_id: str
    voucher_id: str
    template_id: str
    masked_name: str
    state: EnrolmentState
    version: int
    made_at: datetime
    check_ins: Mapping[str, CheckIn] = field(default_factory=dict)
    excused: Mapping[str, str] = field(default_factory=dict)
    overlaps: bool = False
    seen: Seen | None = None
    rating: int | None = None
    history: tuple[Entry, ...] = ()

    @property
    def is_on(self) -> bool:
        return self.state is EnrolmentState.ENROLLED


@dataclass(frozen=True, slots=True)
class EnrolmentReceipt:
    """The answer of a step, read off its own history entry."""

    voucher_id: str
    class_id: str
    step: str
    state: EnrolmentState
    version: int
    at: datetime
    facts: Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Attendance:
    """How much of a class somebody was at. ``percent`` of the sessions that were held so far, cut down.

    ``cut_short``: sessions that they did not stay long enough to count; ``minutes``: of those with a check-out.
    ``beyond``: of those by hand, what is more than the share of the sessions held that the region allows, once some
    were cancelled: it counts for nobody. ``cancelled``: sessions that were not held.
    """

    held: int
    present: int
    late: int
    excused: int
    by_hand: int
    cut_short: int = 0
    minutes: int = 0
    beyond: int = 0
    cancelled: int = 0

    @property
    def attended(self) -> int:
        return self.present + self.late - self.beyond

    @property
    def percent(self) -> int:
        return self.attended * 100 // self.held if self.held else 0


def receipt(enrolment: Enrolment, entry: Entry | None = None) -> EnrolmentReceipt:
    """What a step answers: by default the last one."""
    said = (entry or enrolment.history[-1]).said
    return EnrolmentReceipt(
        voucher_id=_voucher_at(enrolment, said["number"]),
        class_id=enrolment.class_id,
        step=said["step"],
        state=EnrolmentState(said["to"]),
        version=said["number"],
        at=calendar.from_text(said["at"]),
        facts=said["facts"],
    )


def earlier_answer(enrolment: Enrolment, attempt: Attempt, now: datetime) -> Entry | None:
    """The entry that this very request wrote before, if it did and is still kept. Raises Reused (other body)."""
    for entry in reversed(enrolment.history):
        if attempt.request not in entry.text:  # a digest, so it stands there as it is; most need not be read
            continue
        said = entry.said
        if said["request"] == attempt.request and still_kept(entry.at, now):
            if said["body"] != attempt.body:
                raise Reused()
            return entry
    return None


def enrol(
    blank: Enrolment,
    before: Enrolment | None,
    *,
    came_from: str | None = None,
    attempt: Attempt,
    actor: Actor,
    now: datetime,
) -> Enrolment:
    """Put somebody on a class, or back on it: what was before stays in the history. ``came_from``: the class that they
    left for it; nothing that was checked in there counts here."""
    there = before or replace(blank, version=0, history=())
    on = replace(blank, version=there.version, history=there.history, check_ins=there.check_ins, excused=there.excused)
    facts: dict[str, str | int | None] = {"voucher": blank.voucher_id, "overlaps": int(blank.overlaps)}
    if came_from is not None:
        facts["from"] = came_from
    return _step(on, "enrol", before.state if before else None, EnrolmentState.ENROLLED, actor, attempt, now, facts)


def check_in(
    enrolment: Enrolment,
    session: Session,
    made: CheckIn,
    *,
    attempt: Attempt,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
) -> Enrolment:
    """Once per session, whatever the way. ``reason``: why it is entered by hand.

    Raises NotEnrolled, AlreadyCheckedIn.
    """
    must_be_on(enrolment)
    there = enrolment.check_ins.get(session.session_id)
    if there is not None:
        raise AlreadyCheckedIn(at=calendar.to_text(there.at), result=there.result)
    facts = {
        "session": session.session_id,
        "result": made.result,
        "way": made.way,
        "checked_in_at": calendar.to_text(made.at),
        "metres": made.metres,
        "device": made.device,
        "reason": reason,
    }
    seen = enrolment.seen
    if made.metres is not None and session.place is not None and (seen is None or seen.at < made.at):
        seen = Seen(session.place, made.metres, made.at)
    there_now = {**enrolment.check_ins, session.session_id: made}
    return _step(
        replace(enrolment, check_ins=there_now, seen=seen),
        "check_in",
        EnrolmentState.ENROLLED,
        EnrolmentState.ENROLLED,
        actor,
        attempt,
        now,
        {name: value for name, value in facts.items() if value is not None},
    )


def check_out(
    enrolment: Enrolment,
    session: Session,
    made: CheckIn,
    *,
    attempt: Attempt,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
) -> Enrolment:
    """Leave a session that was checked in for, once; by hand it can be set right.

    Raises NotEnrolled, NotCheckedIn, AlreadyCheckedOut.
    """
    must_be_on(enrolment)
    there = enrolment.check_ins.get(session.session_id)
    if there is None:
        raise NotCheckedIn()
    by_hand = Way.BY_HAND in (there.way, there.left_by)
    if by_hand or (there.left_at is not None and made.way is not Way.BY_HAND):
        raise AlreadyCheckedOut(at=calendar.to_text(there.left_at or there.at))
    facts = {
        "session": session.session_id,
        "way": made.way,
        "checked_out_at": calendar.to_text(made.at),
        "metres": made.metres,
        "device": made.device,
        "reason": reason,
    }
    left = {**enrolment.check_ins, session.session_id: replace(there, left_at=made.at, left_by=made.way)}
    on = EnrolmentState.ENROLLED
    said = {name: value for name, value in facts.items() if value is not None}
    return _step(replace(enrolment, check_ins=left), "check_out", on, on, actor, attempt, now, said)


def excuse(
    enrolment: Enrolment, session: Session, reason: str, *, attempt: Attempt, actor: Actor, now: datetime
) -> Enrolment:
    """Leave (请假) from a session. It is told apart from absence, and is no attendance.

    Raises NotEnrolled, AlreadyCheckedIn, AlreadyExcused.
    """
    must_be_on(enrolment)
    there = enrolment.check_ins.get(session.session_id)
    if there is not None:
        raise AlreadyCheckedIn(at=calendar.to_text(there.at), result=there.result)
    if session.session_id in enrolment.excused:
        raise AlreadyExcused()
    excused = {**enrolment.excused, session.session_id: reason}
    on = EnrolmentState.ENROLLED
    facts = {"session": session.session_id, "reason": reason}
    return _step(replace(enrolment, excused=excused), "excuse", on, on, actor, attempt, now, facts)


def leave(
    enrolment: Enrolment,
    reason: str,
    *,
    to: str | None = None,
    attempt: Attempt | None,
    actor: Actor | None,
    now: datetime,
) -> Enrolment:
    """Take somebody off the class; ``to``: the class that they go to. What they checked in stays in the history.

    Raises NotEnrolled.
    """
    must_be_on(enrolment)
    facts = {"reason": reason, **({"to": to} if to else {})}
    return _step(enrolment, "leave", EnrolmentState.ENROLLED, EnrolmentState.LEFT, actor, attempt, now, facts)


def complete(enrolment: Enrolment, training: TrainingClass, now: datetime) -> Enrolment | None:
    """What the end of the class makes of it: completed where the threshold is met; None: it is not on it."""
    if not enrolment.is_on:
        return None
    there = attendance(enrolment, training)
    met = there.held > 0 and there.attended * 100 >= training.rules.attendance_percent * there.held
    after = EnrolmentState.COMPLETED if met else EnrolmentState.NOT_COMPLETED
    facts: dict[str, str | int | None] = {
        "held": there.held,
        "attended": there.attended,
        "by_hand": there.by_hand,
        "cancelled": there.cancelled,
        "percent": there.percent,
        "needed": training.rules.attendance_percent,
    }
    return _step(enrolment, "complete", EnrolmentState.ENROLLED, after, None, None, now, facts)


def completion_of(enrolment: Enrolment, training: TrainingClass, now: datetime) -> Completion:
    """What the voucher keeps of it: figures, and the hash that all check-ins lead up to."""
    there = attendance(enrolment, training)
    return Completion(
        class_id=enrolment.class_id,
        completed_at=now,
        held=there.held,
        attended=there.attended,
        percent=there.percent,
        needed=training.rules.attendance_percent,
        by_hand=there.by_hand,
        minutes=there.minutes,
        enrolment_version=enrolment.version,
        evidence=enrolment.history[-1].hash,
        cancelled=there.cancelled,
    )


def rate(
    enrolment: Enrolment, rating: int, remark: str | None, *, attempt: Attempt, actor: Actor, now: datetime
) -> Enrolment:
    """The institution rates a trainee once the class is over; later words take the place of earlier ones.

    Raises NotCompleted.
    """
    if enrolment.state not in (EnrolmentState.COMPLETED, EnrolmentState.NOT_COMPLETED):
        raise NotCompleted()
    facts: dict[str, str | int | None] = {"rating": rating, **({"remark": remark} if remark else {})}
    state = enrolment.state
    return _step(replace(enrolment, rating=rating), "rate", state, state, actor, attempt, now, facts)


def must_be_on(enrolment: Enrolment | None) -> Enrolment:
    """Raises NotEnrolled."""
    if enrolment is None or not enrolment.is_on:
        raise NotEnrolled()
    return enrolment


def must_be_by(enrolment: Enrolment, voucher_id: str) -> None:
    """Whoever left a class may be back on it by another voucher. Raises NotEnrolled (it is not by this one)."""
    if enrolment.voucher_id != voucher_id:
        raise NotEnrolled()


def must_not_have_begun(enrolment: Enrolment, voucher_id: str) -> None:
    """A redemption is not undone once somebody was there by it, also where another voucher has put them back on the
    class since. Raises CheckedInBefore. Source: domain.md §3."""
    count, by = 0, ""
    for said in (entry.said for entry in enrolment.history):
        if said["step"] == "enrol":
            by = said["facts"]["voucher"]
        count += said["step"] == "check_in" and by == voucher_id
    if count:
        raise CheckedInBefore(count=count)


def attendance(enrolment: Enrolment, training: TrainingClass, until: datetime | None = None) -> Attendance:
    """By the sessions that are held, up to ``until``: those that have begun by then."""
    held = [one for one in training.held if until is None or one.starts_at <= until]
    made = [(one, enrolment.check_ins[one.session_id]) for one in held if one.session_id in enrolment.check_ins]
    counted = [there for session, there in made if counts(there, session, training)]
    times = [stayed(there, session) for session, there in made]
    by_hand = sum(_by_hand(there) for there in counted)
    return Attendance(
        held=len(held),
        present=sum(one.result is Result.PRESENT for one in counted),
        late=sum(one.result is Result.LATE for one in counted),
        excused=sum(one.session_id in enrolment.excused and one.session_id not in enrolment.check_ins for one in held),
        by_hand=by_hand,
        cut_short=len(made) - len(counted),
        minutes=sum(int(one.total_seconds()) for one in times if one is not None) // 60,
        beyond=max(0, by_hand - training.rules.by_hand_percent * len(training.held) // 100),
        cancelled=len(training.sessions) - len(training.held),
    )


def stayed(there: CheckIn, session: Session) -> timedelta | None:
    """How long somebody was at a session; all of it where that was entered by hand, None where nobody knows."""
    if _by_hand(there):
        return session.ends_at - session.starts_at
    if there.left_at is None:
        return None
    return max(min(there.left_at, session.ends_at) - max(there.at, session.starts_at), timedelta(0))


def counts(there: CheckIn, session: Session, training: TrainingClass) -> bool:
    """Whether a check-in is attendance: where hours count, only with enough of them. Source: domain.md §4."""
    needed = training.rules.hours_percent
    length = stayed(there, session) if needed else None
    return not needed or (length is not None and length * 100 >= needed * (session.ends_at - session.starts_at))


def may_be_entered_by_hand(enrolment: Enrolment, training: TrainingClass) -> bool:
    """Whether one more session by hand keeps to the share of the sessions that the region allows."""
    by_hand = sum(_by_hand(one) for one in enrolment.check_ins.values()) + 1
    return by_hand * 100 <= training.rules.by_hand_percent * len(training.held)


def _by_hand(there: CheckIn) -> bool:
    return Way.BY_HAND in (there.way, there.left_by)


def _voucher_at(enrolment: Enrolment, number: int) -> str:
    """By which voucher its holder was on the class at that entry."""
    for entry in reversed(enrolment.history[:number]):
        said = entry.said
        if said["step"] == "enrol":
            return str(said["facts"]["voucher"])
    raise AssertionError(f"class {enrolment.class_id}: no enrolment before entry {number}")


def _step(
    enrolment: Enrolment,
    step: str,
    before: EnrolmentState | None,
    after: EnrolmentState,
    actor: Actor | None,
    attempt: Attempt | None,
    now: datetime,
    facts: Mapping[str, str | int | None],
) -> Enrolment:
    entry = history.next_entry(
        enrolment.history,
        history.genesis(f"class:{enrolment.class_id}", enrolment.person_id),
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
    return replace(enrolment, state=after, version=enrolment.version + 1, history=(*enrolment.history, entry))
