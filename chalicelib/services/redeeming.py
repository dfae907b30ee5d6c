"""Redeem a voucher (使用): before training, once, for one course of one institution."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain import person
from chalicelib.domain import voucher as steps
from chalicelib.domain.access import Actor, must_act_for
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    CapReached,
    Contended,
    DomainError,
    Expired,
    Unavailable,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.institution import must_redeem
from chalicelib.domain.outcomes import Done, StaleRow, WriteConflict
from chalicelib.domain.person import CountKey, Person, must_not_be_flagged
from chalicelib.domain.programme import Course
from chalicelib.domain.template import check_place
from chalicelib.domain.voucher import Receipt, Redemption, Voucher, receipt
from chalicelib.services.cataloguing import find_course, find_institution, rules_in_force
from chalicelib.services.identifying import Presented, Shown, find_presented
from chalicelib.services.linking import linked_with
from chalicelib.services.newest_terms import brought_up, in_hand_again
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Catalogue, Keys, People, Templates
from chalicelib.services.staffing import stand_at_the_desk


def redeem_voucher(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    presented: Presented,
    *,
    institution_id: str,
    course_id: str,
    staff_assertion: str | None = None,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """Use the presented voucher. ``staff_assertion``: who scans, where a channel asks.

    Raises OutOfScope, StaffUnknown, StaffDisabled, TokenNotAccepted, CodeNotAccepted, AssertionNotAccepted,
    CardReadNotAccepted, VoucherNotFound, Reused,
    InstitutionNotFound, InstitutionNotAdmitted, CourseNotFound, AlreadyRedeemed, VoucherEnded, NotClaimed, NotYetValid,
    Expired, UsedTooOften, PersonFlagged, WrongCourse, WrongInstitution, CapReached (the course's occupation and level),
    Contended.
    """
    desk = stand_at_the_desk(catalogue, keys, staff_assertion, actor=actor, now=now)
    must_act_for(desk.actor, institution_id)
    for _ in range(TRIES):
        shown = find_presented(
            catalogue, people, keys, presented, institution_id=institution_id, actor=desk.actor, now=now
        )
        voucher = shown.voucher
        earlier = steps.earlier_answer(voucher, attempt, now)
        if earlier is not None:
            return Done(receipt(voucher, earlier), hit=True)
        desk.judge_age(now)
        shown.judge_age(now)
        institution = find_institution(catalogue, institution_id)
        must_redeem(institution)
        course = find_course(catalogue, course_id)
        linked = linked_with(people, shown.holder)
        voucher, refusal = judge_use(templates, shown, linked, course, institution_id, now)
        if refusal is not None:
            raise refusal
        counted = voucher.counted_as
        try:
            recounted, holder = count_by_course(catalogue, voucher, shown.holder, course, now, linked)
        except CapReached:  # read a moment apart, this very use may stand on the person's row and not on the voucher's
            if people.voucher(voucher.person_id, voucher.template_id) != shown.voucher:
                continue
            raise
        again = in_hand_again([shown.voucher], shown.holder, now)
        if again is not None:
            holder = replace(again, counts=(holder or again).counts)
        redemption = Redemption(
            institution_id=institution_id,
            institution_name=institution.name_zh,
            course_id=course_id,
            proof=shown.proof,
            redeemed_at=now,
            counted_before=None if recounted == counted else counted,
        )
        facts = shown.facts(keys)
        days = rules_in_force(catalogue, voucher.region, now).completion_days
        after = steps.redeem(
            voucher,
            redemption,
            attempt=attempt,
            actor=desk.actor,
            facts=facts,
            counted_as=recounted,
            class_over_by=local_date(now) + timedelta(days=days),
        )
        try:
            # A flag meanwhile is seen, or a merge.
            unchanged = [*linked] if holder else [shown.holder, *linked]
            people.record_step(shown.voucher, after, holder, unchanged=unchanged)
            return Done(receipt(after))
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def judge_use(
    templates: Templates,
    shown: Shown,
    linked: Sequence[Person],
    course: Course | None,
    institution_id: str,
    now: datetime,
) -> tuple[Voucher, DomainError | None]:
    """The presented voucher as it can be used here and now, and why not, if it cannot.

    Where its own terms refuse, those count that its template promises by now; then the voucher has their entries.
    """
    refusal = _refusal(templates, shown, linked, shown.voucher, course, institution_id, now)
    if not isinstance(refusal, (Expired, WrongCourse, WrongInstitution)):
        return shown.voucher, refusal
    newest = brought_up(templates, shown.voucher, now)
    if newest is shown.voucher:
        return newest, refusal
    return newest, _refusal(templates, shown, linked, newest, course, institution_id, now)


def _refusal(
    templates: Templates,
    shown: Shown,
    linked: Sequence[Person],
    voucher: Voucher,
    course: Course | None,
    institution_id: str,
    now: datetime,
) -> DomainError | None:
    try:
        steps.must_be_usable(voucher, now)
        must_not_be_flagged([shown.holder, *linked], voucher.region, local_date(now))
        shown.judge_bound()
        if course:
            check_place(templates.terms(voucher.template_id, voucher.terms_version), course, institution_id)
            steps.must_be_named_place(voucher, institution_id, course.course_id)
    except Unavailable:  # nothing was judged
        raise
    except DomainError as refused:
        return refused
    return None


def count_by_course(
    catalogue: Catalogue,
    voucher: Voucher,
    holder: Person,
    course: Course,
    now: datetime,
    linked: Sequence[Person] = (),
) -> tuple[CountKey, Person | None]:
    """As what the voucher counts once it is used for this course, and the person's row where that is something new.

    A programme may leave occupation and level to its courses: then they are known only now, and the caps that look at
    them are judged now. Raises CapReached. Source: domain.md §3 (checked again at redemption).
    """
    counted = voucher.counted_as
    if course.occupation is None or counted.occupation is not None:
        return counted, None
    recounted = replace(counted, occupation=course.occupation, level=course.level)
    rules = rules_in_force(catalogue, voucher.region, now)
    return recounted, person.recount(holder, rules, counted, recounted, linked)
