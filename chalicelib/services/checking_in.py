"""Check in (打卡签到): by location, by the class's rotating code, scanned by staff, by hand. domain.md §4."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import enrolment as enrolments
from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.calendar import to_text
from chalicelib.domain.check_in import (
    KeptPosition,
    Position,
    Result,
    Seen,
    Way,
    judge_position,
    result_at,
    session_left,
    session_now,
    session_shown,
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
    AlreadyCheckedOut,
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
from chalicelib.services.enrolling import find_enrolment, of_other_records, step_enrolment
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
    """What a region's own tool says of one person and session: that they came, or (``leaving``) went."""

    voucher_id: str
    session_id: str
    at: datetime
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report. ``code``, ``zh``, ``en``: why it does not count."""

    voucher_id: str
    session_id: str
    result: Result | None
    leaving: bool = False
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
    leaving: bool = False,
    session: HolderSession,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """The person checks in, or out (``leaving``), by where they are, or (text) by the class's code.

    ``device``: whatever tells the channel's devices apart; a salted digest is kept. Raises NotEnrolled, Reused,
    ClassStateRefused, SessionNotFound, SessionOver, CheckInNotOpen, CheckInOver, AlreadyCheckedIn,
    NotCheckedIn, AlreadyCheckedOut, ClassCodeNotAccepted, what ``judge_position`` raises, Contended.
    """
    known = p.keys.identities.veil(f"device\0{class_id}\0{device}".encode())[:16] if device else None

    def judge(
        training: TrainingClass, there: Enrolment, mine: Sequence[Enrolment]
    ) -> tuple[Session, CheckIn, KeptPosition | None]:
        meant = _meant(training, session_id, there, leaving, now)
        if isinstance(shown, str):
            read_class_code(p.keys, training, meant, shown, now)
            return meant, CheckIn(result_at(meant, training.rules, now), Way.CLASS_CODE, now, device=known), None
        last: list[Seen] = [one.seen for one in mine if one.seen is not None]
        metres = judge_position(shown, meant, training.rules, last, now)
        made = CheckIn(result_at(meant, training.rules, now), Way.LOCATION, now, metres, known)
        return meant, made, _kept(p.keys, training, there, meant, shown, leaving, now)

    for _ in range(TRIES):
        mine = p.enrolments.of_person(session.person_id)
        there = next((one for one in mine if one.class_id == class_id), None)
        if there is None:
            mine += of_other_records(p, p.people.read(session.person_id, [])[0])
            there = next((one for one in mine if one.class_id == class_id), None)
        if there is None:
            raise NotEnrolled()
        earlier = earlier_answer(there, attempt, now)
        if earlier is not None:
            return Done(receipt(there, earlier), hit=True)
        must_be_on(there)
        # A class that was remembered says yes as well as one that was read; before it says no it is read.
        meant, made, kept = _on_fresh(p, class_id, partial(judge, there=there, mine=mine))
        after = _step(leaving)(there, meant, made, attempt=attempt, actor=actor, now=now)
        try:
            p.enrolments.record(after, kept=kept)
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
    leaving: bool = False,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """Staff scan the person's code, or the card is read at a terminal.

    Raises ClassNotFound, OutOfScope, what ``find_presented`` raises, NotEnrolled, Reused, ClassStateRefused,
    SessionNotFound, SessionOver, CheckInNotOpen, CheckInOver, AlreadyCheckedIn, NotCheckedIn, AlreadyCheckedOut,
    Contended.
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
        meant = _meant(training, session_id, there, leaving, now)
        way = Way.TERMINAL if shown.proof == "card" else Way.SCANNED
        made = CheckIn(result_at(meant, training.rules, now), way, now)
        after = _step(leaving)(there, meant, made, attempt=attempt, actor=actor, now=now)
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
    check_in_not_open, check_in_over, reported_too_late, already_checked_in, not_checked_in, already_checked_out.
    """

    def act() -> ReportedList:
        training = own_class(p, class_id, actor)
        first = dict[tuple[str, str, bool], Report]()
        told = list[Reported]()
        for report in reports:
            whom = report.voucher_id, report.session_id
            try:
                earlier = first.setdefault((*whom, report.leaving), report)
                if earlier is not report:
                    again = AlreadyCheckedOut if report.leaving else AlreadyCheckedIn
                    raise again(at=to_text(earlier.at))
                result = _take_report(p, training, tool, report, actor, attempt, now)
                told.append(Reported(*whom, result, report.leaving))
            except Reused:
                raise
            except (NotFound, Refused) as refused:
                told.append(Reported(*whom, None, report.leaving, refused.code, *sentences(refused)))
        answer = ReportedList(tuple(told))
        p.marks.keep(Mark(attempt, answer, now))
        return answer

    return once(p.marks, attempt, ReportedList, now, act)


def _take_report(
    p: Platform, training: TrainingClass, tool: str, report: Report, actor: Actor, attempt: Attempt, now: datetime
) -> Result:
    said = f"{tool}\0{to_text(report.at)}".encode()
    target = f"{report.voucher_id} {report.session_id}" + (" leaving" if report.leaving else "")
    own = attempt_of(attempt.request, "report", target, said)
    for _ in range(TRIES):
        there = find_enrolment(p, training, report.voucher_id)
        earlier = earlier_answer(there, own, now)
        if earlier is not None:
            return there.check_ins[report.session_id].result
        must_be_by(there, report.voucher_id)
        must_be_on(there)
        must_be_open(training)
        if report.at > now:
            raise CheckInNotOpen(opens_at=to_text(report.at))
        meant = _meant(training, report.session_id, there, report.leaving, report.at)
        if now - report.at > timedelta(seconds=training.rules.offline_grace):
            raise ReportedTooLate(hours=training.rules.offline_grace // 3600)
        made = CheckIn(result_at(meant, training.rules, report.at), Way.REPORTED, report.at)
        after = _step(report.leaving)(there, meant, made, attempt=own, actor=actor, now=now, reason=tool)
        try:
            p.enrolments.record(after)
            return after.check_ins[report.session_id].result
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
    leaving: bool = False,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """Somebody of the institution says that the person was there (补签), or stayed; counted apart, and capped.

    Raises ClassNotFound, OutOfScope, NotEnrolled, Reused, ClassStateRefused, SessionNotFound, SessionOver (cancelled),
    CheckInNotOpen (it has not begun), AlreadyCheckedIn, NotCheckedIn, AlreadyCheckedOut, TooManyByHand, Contended.
    """

    def step(training: TrainingClass, there: Enrolment) -> Enrolment:
        must_be_on(there)
        must_be_open(training)
        meant = _begun(training, session_id, now)
        result = Result.LATE if late else Result.PRESENT
        made = CheckIn(result, Way.BY_HAND, now, entered_by=actor.operator_id)
        after = _step(leaving)(there, meant, made, attempt=attempt, actor=actor, now=now, reason=reason)
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
    meant = session_shown(training, session_id, now)
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


def _step(leaving: bool) -> Callable[..., Enrolment]:
    return enrolments.check_out if leaving else enrolments.check_in


def _meant(training: TrainingClass, session_id: str | None, there: Enrolment, leaving: bool, at: datetime) -> Session:
    if not leaving:
        return session_now(training, session_id, at)
    not_left = [one for one, made in there.check_ins.items() if made.left_at is None]
    return session_left(training, session_id, not_left, at)


def _kept(
    keys: Keys, training: TrainingClass, there: Enrolment, meant: Session, shown: Position, leaving: bool, now: datetime
) -> KeptPosition | None:
    """What is kept of the point: nothing, unless the region orders it. Source: domain.md §5."""
    if not training.rules.position_days:
        return None
    context = position_context(there.person_id, there.class_id, meant.session_id, leaving)
    sealed = keys.sealer.seal(json.dumps(asdict(shown)), context)
    until = now + timedelta(days=training.rules.position_days)
    return KeptPosition(meant.session_id, leaving, now, sealed, until)


def position_context(person_id: str, class_id: str, session_id: str, leaving: bool) -> str:
    """To which row a sealed position belongs."""
    return f"position:{person_id}:{class_id}:{session_id}:{'out' if leaving else 'in'}"


def _on_fresh(
    p: Platform, class_id: str, judge: Callable[[TrainingClass], tuple[Session, CheckIn, KeptPosition | None]]
) -> tuple[Session, CheckIn, KeptPosition | None]:
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
