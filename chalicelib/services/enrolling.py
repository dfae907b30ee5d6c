"""Put the holders of used vouchers on a class (入班), take them off it, and let them change to another one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain import enrolment as enrolments
from chalicelib.domain import person
from chalicelib.domain import voucher as vouchers
from chalicelib.domain.access import Actor
from chalicelib.domain.application import MoneyErrand
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.enrolment import Enrolment, EnrolmentReceipt, EnrolmentState, earlier_answer, receipt
from chalicelib.domain.errors import (
    ClassesOverlap,
    ClassStateRefused,
    Contended,
    EnrolledAlready,
    Invalid,
    NotEnrolled,
    NotFound,
    NotRedeemedHere,
    Refused,
    VoucherNotFound,
    sentences,
)
from chalicelib.domain.outcomes import Done, Enrolling, Mark, Page, StaleRow, WriteConflict
from chalicelib.domain.person import Person
from chalicelib.domain.region import Overlaps
from chalicelib.domain.training_class import (
    ClassState,
    Session,
    TrainingClass,
    finish,
    must_be_open,
    overlapping,
    take_seats,
    traced,
)
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.applying import SURELY_WRITTEN
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.holding_classes import find_class, own_class
from chalicelib.services.linking import linked_of
from chalicelib.services.once import TRIES, once
from chalicelib.services.ports import Platform

PAGE = 45
"""Each may take two of a transaction's hundred actions."""
MOST_AT_ONCE = 20
"""Each takes four of a transaction's hundred actions."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one voucher of a list. ``code``, ``zh``, ``en``: why it was refused; None: its holder is on the
    class. ``overlaps``: and on another one at the same time, which the region wants to be told."""

    voucher_id: str
    code: str | None = None
    zh: str | None = None
    en: str | None = None
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class EnrolledList:
    class_id: str
    enrolled: int
    results: tuple[Enrolled, ...]


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a change of class wrote: the step off the one, and the step on to the other."""

    left: EnrolmentReceipt
    enrolled: EnrolmentReceipt


def enrol_holders(
    p: Platform, class_id: str, voucher_ids: Sequence[str], *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[EnrolledList]:
    """Put the holders of these vouchers on the class, all who can be at once; one that cannot be stops no other.

    Raises ClassNotFound, OutOfScope, ClassStateRefused, ClassFull (nobody is put on it), Contended. Of each voucher:
    voucher_not_found, not_redeemed_here, enrolled_already, classes_overlap.
    """

    def act() -> EnrolledList:
        for _ in range(TRIES):
            training = own_class(p, class_id, actor)
            must_be_open(training)
            results, people = judge_all(p, training, voucher_ids, actor, attempt, now)
            after = take_seats(training, len(people))
            answer = EnrolledList(class_id, after.enrolled, tuple(results))
            try:
                p.enrolments.enrol(after, people, Mark(attempt, answer, now))
                return answer
            except StaleRow:
                continue
        raise Contended()

    return once(p.marks, attempt, EnrolledList, now, act)


def judge_all(
    p: Platform, training: TrainingClass, voucher_ids: Sequence[str], actor: Actor, attempt: Attempt, now: datetime
) -> tuple[list[Enrolled], list[Enrolling]]:
    """What becomes of each of these vouchers, once each; and whom the class may be given."""
    results, people = list[Enrolled](), list[Enrolling]()
    for voucher_id in dict.fromkeys(voucher_ids):
        try:
            one = _judge(p, training, _read(p, voucher_id), actor, attempt, now)
        except (NotFound, Refused) as refused:
            results.append(Enrolled(voucher_id, refused.code, *sentences(refused)))
            continue
        if any(one.enrolment.person_id == other.enrolment.person_id for other in people):
            again = EnrolledAlready(class_id=training.class_id)
            results.append(Enrolled(voucher_id, again.code, *sentences(again)))
            continue
        people.append(one)
        results.append(Enrolled(voucher_id, overlaps=one.enrolment.overlaps))
    return results, people


def is_redeemed_for(voucher: Voucher, training: TrainingClass) -> bool:
    """Whether it is in use for the class's course at its institution."""
    used = voucher.redemption
    place = (training.institution_id, training.course_id)
    return voucher.state is State.REDEEMED and used is not None and (used.institution_id, used.course_id) == place


def leave_class(
    p: Platform, class_id: str, voucher_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[EnrolmentReceipt]:
    """Take somebody off the class. Raises ClassNotFound, OutOfScope, ClassStateRefused, NotEnrolled, Reused,
    Contended."""

    def step(_: TrainingClass, there: Enrolment) -> Enrolment:
        return enrolments.leave(there, reason, attempt=attempt, actor=actor, now=now)

    return step_enrolment(p, class_id, voucher_id, step, seats=-1, actor=actor, attempt=attempt, now=now)


def transfer(
    p: Platform,
    class_id: str,
    voucher_id: str,
    to_class_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Transferred]:
    """Let somebody change to another class of the same course (转班): off the one and on the other, or neither.

    What they checked in stays with the class that they leave. Raises ClassNotFound, OutOfScope, Invalid (the same
    class), ClassStateRefused, NotEnrolled, NotRedeemedHere (a class of another course), EnrolledAlready,
    ClassesOverlap, ClassFull, Reused, Contended.
    """

    def act() -> Transferred:
        if to_class_id == class_id:
            raise Invalid(pointer="/to_class_id", reason="the class to change to is the same one")
        left, joined = own_class(p, class_id, actor), own_class(p, to_class_id, actor)
        must_be_open(left)
        must_be_open(joined)
        try:
            of = _read(p, voucher_id)
        except VoucherNotFound:
            raise NotEnrolled() from None
        there = enrolments.must_be_on(_by_voucher(of.mine, left, voucher_id))
        off = enrolments.leave(there, reason, to=to_class_id, attempt=attempt, actor=actor, now=now)
        on = _judge(p, joined, of, actor, attempt, now, leaving=there)
        answer = Transferred(receipt(off), receipt(on.enrolment))
        off_class = off, take_seats(left, -1)
        p.enrolments.enrol(take_seats(joined, 1), [on], Mark(attempt, answer, now), off_class)
        return answer

    return once(p.marks, attempt, Transferred, now, act)


def step_enrolment(
    p: Platform,
    class_id: str,
    voucher_id: str,
    step: Callable[[TrainingClass, Enrolment], Enrolment],
    *,
    seats: int = 0,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """A step of the institution's on somebody of its class, once per request. ``seats``: how many it takes.

    Raises ClassNotFound, OutOfScope, NotEnrolled, Reused, what ``step`` raises, Contended.
    """
    for _ in range(TRIES):
        training = own_class(p, class_id, actor)
        there = find_enrolment(p, training, voucher_id)
        earlier = earlier_answer(there, attempt, now)
        if earlier is not None:
            return Done(receipt(there, earlier), hit=True)
        enrolments.must_be_by(there, voucher_id)
        after = step(training, there)
        try:
            p.enrolments.record(after, take_seats(training, seats) if seats else None)
            return Done(receipt(after))
        except StaleRow:
            continue
    raise Contended()


def finish_class(p: Platform, class_id: str, *, actor: Actor, attempt: Attempt, now: datetime) -> Done[TrainingClass]:
    """The class is over (结班): each of its people has completed it or has not, for good.

    Whoever is still to be told so when this is cut off is told when it comes again, or by the job that was asked to
    look after it. Raises ClassNotFound, OutOfScope, ClassStateRefused, ConcurrentChange, Contended.
    """

    def act() -> TrainingClass:
        after = traced(finish(own_class(p, class_id, actor), now), actor.operator_id, now)
        p.money_errands.ask(MoneyErrand("class", class_id), SURELY_WRITTEN)
        p.catalogue.classes.change(after, Mark(attempt, after, now))
        return after

    try:
        done = once(p.marks, attempt, TrainingClass, now, act)
    except ClassStateRefused:
        # The finish before this one may have been cut off before everybody was told: do that all the same.
        there = own_class(p, class_id, actor)
        if there.state is ClassState.FINISHED:
            _tell_all(p, there, now)
        raise
    _tell_all(p, done.answer, now)
    return done


def tell_the_rest(p: Platform, class_id: str, *, now: datetime, may_go_on: Callable[[], bool]) -> tuple[int, bool]:
    """The job's part: whoever is on a finished class and was not told so. How many were told now, and whether those
    are all. Raises Contended."""
    training = p.catalogue.classes.read(class_id)
    if training is None or training.state is not ClassState.FINISHED:
        return 0, True
    return _tell_all(p, training, now, may_go_on)


def _tell_all(
    p: Platform, training: TrainingClass, now: datetime, may_go_on: Callable[[], bool] = lambda: True
) -> tuple[int, bool]:
    for _ in range(TRIES):
        try:
            return _complete_all(p, training, now, may_go_on)
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def _complete_all(
    p: Platform, training: TrainingClass, now: datetime, may_go_on: Callable[[], bool]
) -> tuple[int, bool]:
    told, cursor = 0, None
    while may_go_on():
        page = p.enrolments.on_class(training.class_id, PAGE, cursor)
        after = [one for one in (enrolments.complete(there, training, now) for there in page.items) if one is not None]
        if after:
            p.enrolments.record_all(after, _complete_vouchers(p, training, after, now))
        told, cursor = told + len(after), page.cursor
        if cursor is None:
            return told, True
    return told, False


def _complete_vouchers(
    p: Platform, training: TrainingClass, people: Sequence[Enrolment], now: datetime
) -> list[tuple[Voucher, Voucher]]:
    """What it means for the vouchers of those who completed it: they may be applied for, until the region's deadline.
    One that was revoked meanwhile stays so."""
    done = [one for one in people if one.state is EnrolmentState.COMPLETED]
    there = p.people.vouchers([(one.person_id, one.template_id) for one in done]) if done else []
    of = {(one.person_id, one.template_id): one for one in there}
    steps = list[tuple[Voucher, Voucher]]()
    for one in done:
        before = of.get((one.person_id, one.template_id))
        if before is None or before.state is not State.REDEEMED:
            continue
        rules = rules_in_force(p.catalogue, before.region, now)
        until = local_date(now) + timedelta(days=rules.filing_deadline)
        completion = enrolments.completion_of(one, training, now)
        steps.append((before, vouchers.complete(before, completion, filing_until=until, now=now)))
    return steps


def list_enrolments(
    p: Platform, class_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> tuple[TrainingClass, Page[Enrolment]]:
    """The class, and who is or was on it. Raises ClassNotFound."""
    training = find_class(p, class_id, actor=actor)
    return training, p.enrolments.on_class(class_id, limit, cursor)


def find_enrolment(p: Platform, training: TrainingClass, voucher_id: str) -> Enrolment:
    """The voucher's holder's; by another voucher meanwhile, it still tells what was done by this one. Raises
    NotEnrolled."""
    key = p.keys.voucher_ids.decode(voucher_id)
    mine = p.enrolments.of_person(key[0]) if key else []
    for one in mine:
        if one.class_id == training.class_id:
            return one
    raise NotEnrolled()


def of_other_records(p: Platform, person: Person | None) -> list[Enrolment]:
    """What stands on the records that were merged with this one; no call where there are none."""
    return [one for record in linked_of(p.people, person) for one in p.enrolments.of_person(record.person_id)]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Somebody who is to be put on a class: by which voucher, and what classes they are and were on."""

    holder: Person
    voucher: Voucher
    mine: Sequence[Enrolment]


def _read(p: Platform, voucher_id: str) -> _Candidate:
    """Raises VoucherNotFound."""
    key = p.keys.voucher_ids.decode(voucher_id)
    if key is None:
        raise VoucherNotFound()
    holder, held = p.people.read(key[0], [key[1]])
    voucher = held.get(key[1])
    if holder is None or voucher is None:
        raise VoucherNotFound()
    return _Candidate(holder, voucher, p.enrolments.of_person(holder.person_id))


def _by_voucher(mine: Sequence[Enrolment], training: TrainingClass, voucher_id: str) -> Enrolment | None:
    return next((one for one in mine if (one.class_id, one.voucher_id) == (training.class_id, voucher_id)), None)


def _judge(
    p: Platform,
    training: TrainingClass,
    of: _Candidate,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
    leaving: Enrolment | None = None,
) -> Enrolling:
    """``leaving``: what they leave for this class in the same act, which so stands in nobody's way."""
    holder, voucher, voucher_id = of.holder, of.voucher, of.voucher.voucher_id
    if not is_redeemed_for(voucher, training):
        raise NotRedeemedHere()
    all_of_them = (*of.mine, *of_other_records(p, holder))
    on = [one for one in all_of_them if one.state is not EnrolmentState.LEFT and one is not leaving]
    on = [one for one in on if not _is_cancelled(p, one)]
    taken = next((one for one in on if one.voucher_id == voucher_id or one.class_id == training.class_id), None)
    if taken is not None:
        raise EnrolledAlready(class_id=taken.class_id)
    overlaps = _overlaps(p, training, on)
    if overlaps and training.rules.overlaps is Overlaps.REFUSED:
        raise ClassesOverlap()
    blank = Enrolment(
        person_id=holder.person_id,
        class_id=training.class_id,
        voucher_id=voucher_id,
        template_id=voucher.template_id,
        masked_name=voucher.masked_name,
        state=EnrolmentState.ENROLLED,
        version=0,
        made_at=now,
        overlaps=overlaps and training.rules.overlaps is Overlaps.FLAGGED,
    )
    before = next((one for one in of.mine if one.class_id == training.class_id), None)
    came_from = leaving.class_id if leaving else None
    made = enrolments.enrol(blank, before, came_from=came_from, attempt=attempt, actor=actor, now=now)
    return Enrolling(made, person.touched(holder), voucher, is_new=before is None)


def _is_cancelled(p: Platform, one: Enrolment) -> bool:
    """Whether nothing comes of it any more because its class is not held: who was on it may go to another one."""
    training = p.catalogue.classes.get(one.class_id)
    return training is not None and training.state is ClassState.CANCELLED


def _overlaps(p: Platform, training: TrainingClass, others: Sequence[Enrolment]) -> bool:
    """Whether another class that the person is on is at the same time."""
    busy = list[Session]()
    for one in others:
        other = p.catalogue.classes.get(one.class_id)
        if other is not None and one.is_on:
            busy += other.held
    return overlapping(training.held, busy)
