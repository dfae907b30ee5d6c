"""Check in (打卡签到): by location, by the class's rotating code, scanned by staff, by hand. domain.md §4."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import enrolment as enrolments
from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.calendar import to_text
from chalicelib.domain.check_in import (
    Position,
    Result,
    Seen,
    Way,
    judge_position,
    result_at,
    session_now,
)
from chalicelib.domain.enrolment import (
    CheckIn,
    Enrolment,
    EnrolmentReceipt,
    earlier_answer,
    must_be_by,
    must_be_on,
    receipt,
)
from chalicelib.domain.errors import (
    AlreadyCheckedIn,
    CheckInNotOpen,
    ClassCodeNotAccepted,
    Contended,
    DomainError,
    NotEnrolled,
    NotFound,
    Refused,
    ReportedTooLate,
    Reused,
    TooManyByHand,
    sentences,
)
from chalicelib.domain.outcomes import Done, Mark, StaleRow
from chalicelib.domain.training_class import Session, TrainingClass, must_be_open
from chalicelib.services.enrolling import find_enrolment, step_enrolment
from chalicelib.services.holding_classes import own_class
from chalicelib.services.identifying import Presented, find_presented
from chalicelib.services.once import TRIES, once
from chalicelib.services.ports import Keys, Platform


@dataclass(frozen=True, slots=True)
class ClassCode:
    """What a class shows for its trainees to scan, until ``ends_at``."""

    code: str
    session_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """What a region's own tool says of one person and session."""

    voucher_id: str
    session_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report. ``code``, ``zh``, ``en``: why it does not count."""

    voucher_id: str
    session_id: str
    result: Result | None
    code: str | None = None
    zh: str | None = None
    en: str | None = None


@dataclass(frozen=True, slots=True)
class ReportedList:
    results: tuple[Reported, ...]


def check_in_holder(
    p: Platform,
    class_id: str,
    session_id: str | None,
    shown: Position | str,
    device: str | None,
    *,
    session: HolderSession,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """The person checks in by where they are, or (text) by the class's code.

    ``device``: whatever tells the channel's devices apart; a salted digest is kept. Raises NotEnrolled, Reused,
    ClassStateRefused, SessionNotFound, SessionOver, CheckInNotOpen, CheckInOver, AlreadyCheckedIn,
    ClassCodeNotAccepted, what ``judge_position`` raises, Contended.
    """
    known = p.keys.identities.veil(f"device\0{class_id}\0{device}".encode())[:16] if device else None

    def judge(training: TrainingClass, mine: Sequence[Enrolment]) -> tuple[Session, CheckIn]:
        meant = session_now(training, session_id, now)
        if isinstance(shown, str):
            read_class_code(p.keys, training, meant, shown, now)
            return meant, CheckIn(result_at(meant, training.rules, now), Way.CLASS_CODE, now, device=known)
        last: list[Seen] = [one.seen for one in mine if one.seen is not None]
        metres = judge_position(shown, meant, training.rules, last, now)
        return meant, CheckIn(result_at(meant, training.rules, now), Way.LOCATION, now, metres, known)

    for _ in range(TRIES):
        mine = p.enrolments.of_person(session.person_id)
        there = next((one for one in mine if one.class_id == class_id), None)
        if there is None:
            raise NotEnrolled()
        earlier = earlier_answer(there, attempt, now)
        if earlier is not None:
            return Done(receipt(there, earlier), hit=True)
        must_be_on(there)
        # A class that was remembered says yes as well as one that was read; before it says no it is read.
        meant, made = _on_fresh(p, class_id, partial(judge, mine=mine))
        after = enrolments.check_in(there, meant, made, attempt=attempt, actor=actor, now=now)
        try:
            p.enrolments.record(after)
            return Done(receipt(after))
        except StaleRow:
            continue
    raise Contended()


def scan_holder(
    p: Platform,
    class_id: str,
    session_id: str | None,
    presented: Presented,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """Staff scan the person's code, or the card is read at a terminal.

    Raises ClassNotFound, OutOfScope, what ``find_presented`` raises, NotEnrolled, Reused, ClassStateRefused,
    SessionNotFound, SessionOver, CheckInNotOpen, CheckInOver, AlreadyCheckedIn, Contended.
    """
    for _ in range(TRIES):
        training = own_class(p, class_id, actor)
        shown = find_presented(
            p.catalogue,
            p.people,
            p.keys,
            presented,
            institution_id=training.institution_id,
            actor=actor,
            now=now,
        )
        there = find_enrolment(p, training, shown.voucher.voucher_id)
        earlier = earlier_answer(there, attempt, now)
        if earlier is not None:
            return Done(receipt(there, earlier), hit=True)
        shown.judge_age(now)
        must_be_by(there, shown.voucher.voucher_id)
        must_be_on(there)
        must_be_open(training)
        meant = session_now(training, session_id, now)
        way = Way.TERMINAL if shown.proof == "card" else Way.SCANNED
        made = CheckIn(result_at(meant, training.rules, now), way, now)
        after = enrolments.check_in(there, meant, made, attempt=attempt, actor=actor, now=now)
        try:
            p.enrolments.record(after)
            return Done(receipt(after))
        except StaleRow:
            continue
    raise Contended()


def take_reports(
    p: Platform,
    class_id: str,
    tool: str,
    reports: Sequence[Report],
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[ReportedList]:
    """Take what the region's own tool (``tool``) has checked in, each by itself; one that cannot count stops no other.

    A repetition finds what it has done, person by person. Raises ClassNotFound, OutOfScope, Reused (a report that came
    otherwise under this key), Contended. Of each: not_enrolled, class_state, session_not_found, session_over,
    check_in_not_open, check_in_over, reported_too_late, already_checked_in.
    """

    def act() -> ReportedList:
        training = own_class(p, class_id, actor)
        first = dict[tuple[str, str], Report]()
        told = list[Reported]()
        for report in reports:
            whom = report.voucher_id, report.session_id
            try:
                if first.setdefault(whom, report) is not report:
                    raise AlreadyCheckedIn(at=to_text(first[whom].at))
                result = _take_report(p, training, tool, report, actor, attempt, now)
                told.append(Reported(*whom, result))
            except Reused:
                raise
            except (NotFound, Refused) as refused:
                told.append(Reported(*whom, None, refused.code, *sentences(refused)))
        answer = ReportedList(tuple(told))
        p.marks.keep(Mark(attempt, answer, now))
        return answer

    return once(p.marks, attempt, ReportedList, now, act)


def _take_report(
    p: Platform, training: TrainingClass, tool: str, report: Report, actor: Actor, attempt: Attempt, now: datetime
) -> Result:
    said = f"{tool}\0{to_text(report.at)}".encode()
    own = attempt_of(attempt.request, "report", f"{report.voucher_id} {report.session_id}", said)
    for _ in range(TRIES):
        there = find_enrolment(p, training, report.voucher_id)
        earlier = earlier_answer(there, own, now)
        if earlier is not None:
            return Result(str(earlier.said["facts"]["result"]))
        must_be_by(there, report.voucher_id)
        must_be_on(there)
        must_be_open(training)
        if report.at > now:
            raise CheckInNotOpen(opens_at=to_text(report.at))
        meant = session_now(training, report.session_id, report.at)
        if now - report.at > timedelta(seconds=training.rules.offline_grace):
            raise ReportedTooLate(hours=training.rules.offline_grace // 3600)
        made = CheckIn(result_at(meant, training.rules, report.at), Way.REPORTED, report.at)
        after = enrolments.check_in(there, meant, made, attempt=own, actor=actor, now=now, reason=tool)
        try:
            p.enrolments.record(after)
            return made.result
        except StaleRow:
            continue
    raise Contended()


def enter_by_hand(
    p: Platform,
    class_id: str,
    session_id: str,
    voucher_id: str,
    reason: str,
    *,
    late: bool,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """Somebody of the institution says that the person was there (补签); counted apart, and capped.

    Raises ClassNotFound, OutOfScope, NotEnrolled, Reused, ClassStateRefused, SessionNotFound, SessionOver (cancelled),
    CheckInNotOpen (it has not begun), AlreadyCheckedIn, TooManyByHand, Contended.
    """

    def step(training: TrainingClass, there: Enrolment) -> Enrolment:
        must_be_on(there)
        must_be_open(training)
        meant = _begun(training, session_id, now)
        result = Result.LATE if late else Result.PRESENT
        made = CheckIn(result, Way.BY_HAND, now, entered_by=actor.operator_id)
        after = enrolments.check_in(there, meant, made, attempt=attempt, actor=actor, now=now, reason=reason)
        if not enrolments.may_be_entered_by_hand(there, training):
            raise TooManyByHand(percent=training.rules.by_hand_percent)
        return after

    return step_enrolment(p, class_id, voucher_id, step, actor=actor, attempt=attempt, now=now)


def excuse(
    p: Platform,
    class_id: str,
    session_id: str,
    voucher_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """Enter leave (请假) from a session. Raises ClassNotFound, OutOfScope, NotEnrolled, Reused, ClassStateRefused,
    SessionNotFound, AlreadyCheckedIn, AlreadyExcused, Contended."""

    def step(training: TrainingClass, there: Enrolment) -> Enrolment:
        must_be_open(training)
        meant = training.session(session_id)
        return enrolments.excuse(there, meant, reason, attempt=attempt, actor=actor, now=now)

    return step_enrolment(p, class_id, voucher_id, step, actor=actor, attempt=attempt, now=now)


def show_class_code(p: Platform, class_id: str, session_id: str | None, *, actor: Actor, now: datetime) -> ClassCode:
    """The code to show in the room now. Raises ClassNotFound, OutOfScope, ClassStateRefused, SessionNotFound,
    SessionOver, CheckInNotOpen, CheckInOver."""
    training = own_class(p, class_id, actor)
    must_be_open(training)
    meant = session_now(training, session_id, now)
    seconds = training.rules.code_period
    period = int(now.timestamp()) // seconds
    ends_at = now + timedelta(seconds=(period + 1) * seconds - now.timestamp())
    return ClassCode(_class_code(p.keys, training, meant, period), meant.session_id, ends_at)


def read_class_code(keys: Keys, training: TrainingClass, session: Session, code: str, now: datetime) -> None:
    """Check that the code is the class's, of this session, and of this period or the one before: it is dead after two.

    A video of the screen that is sent on at once still passes; so devices are compared. Raises ClassCodeNotAccepted.
    """
    period = int(now.timestamp()) // training.rules.code_period
    for known in (period, period - 1):
        if code == _class_code(keys, training, session, known):
            return
    raise ClassCodeNotAccepted()


def _class_code(keys: Keys, training: TrainingClass, session: Session, period: int) -> str:
    said = f"class-code\0{training.class_id}\0{session.session_id}\0{period}"
    return f"CLASS1.{training.class_id}.{session.session_id}.{keys.identities.veil(said.encode())[:32]}"


def _begun(training: TrainingClass, session_id: str, now: datetime) -> Session:
    """A session that has begun, or is over. Raises SessionNotFound, SessionOver, CheckInNotOpen."""
    meant = training.session(session_id)
    return session_now(training, session_id, min(now, meant.ends_at))


def _on_fresh(
    p: Platform, class_id: str, judge: Callable[[TrainingClass], tuple[Session, CheckIn]]
) -> tuple[Session, CheckIn]:
    for look in (p.catalogue.classes.get, p.catalogue.classes.read):
        training = look(class_id)
        if training is None:
            raise NotEnrolled()
        try:
            must_be_open(training)
            return judge(training)
        except DomainError as refused:
            why = refused
    raise why
