"""Redeem a voucher (使用): before training, once, for one course of one institution."""

from dataclasses import replace
from datetime import datetime

from chalicelib.domain import person
from chalicelib.domain import voucher as steps
from chalicelib.domain.access import Actor, must_act_for
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import Contended
from chalicelib.domain.institution import must_be_admitted
from chalicelib.domain.outcomes import Done, StaleRow, WriteConflict
from chalicelib.domain.person import CountKey, Person, must_not_be_flagged
from chalicelib.domain.programme import Course
from chalicelib.domain.template import check_place
from chalicelib.domain.voucher import Receipt, Redemption, Voucher, receipt
from chalicelib.services.cataloguing import find_course, find_institution, rules_in_force
from chalicelib.services.identifying import Presented, find_presented
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Catalogue, Keys, People, Templates


def redeem_voucher(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    presented: Presented,
    *,
    institution_id: str,
    course_id: str,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """Use the presented voucher.

    Raises OutOfScope, TokenNotAccepted, CodeNotAccepted, AssertionNotAccepted, VoucherNotFound, Reused,
    InstitutionNotFound, InstitutionNotAdmitted, CourseNotFound, AlreadyRedeemed, VoucherEnded, NotClaimed, NotYetValid,
    Expired, UsedTooOften, PersonFlagged, WrongCourse, WrongInstitution, CapReached (the course's occupation and level),
    Contended.
    """
    must_act_for(actor, institution_id)
    for _ in range(TRIES):
        shown = find_presented(people, keys, presented, actor=actor, now=now)
        voucher = shown.voucher
        earlier = steps.earlier_answer(voucher, attempt, now)
        if earlier is not None:
            return Done(receipt(voucher, earlier), hit=True)
        shown.judge_age(now)
        institution = find_institution(catalogue, institution_id)
        must_be_admitted(institution)
        course = find_course(catalogue, course_id)
        steps.must_be_usable(voucher, now)
        must_not_be_flagged([shown.holder], voucher.region, local_date(now))
        shown.judge_bound()
        check_place(templates.terms(voucher.template_id, voucher.terms_version), course, institution_id)
        counted = voucher.counted_as
        recounted, holder = count_by_course(catalogue, voucher, shown.holder, course, now)
        redemption = Redemption(
            institution_id=institution_id,
            institution_name=institution.name_zh,
            course_id=course_id,
            proof=shown.proof,
            redeemed_at=now,
            counted_before=None if recounted == counted else counted,
        )
        proof_facts = {"nonce": shown.token.nonce} if shown.token else {}
        after = steps.redeem(voucher, redemption, attempt=attempt, actor=actor, facts=proof_facts, counted_as=recounted)
        try:
            # A flag meanwhile is seen.
            people.record_step(voucher, after, holder, unchanged=() if holder else [shown.holder])
            return Done(receipt(after))
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def count_by_course(
    catalogue: Catalogue, voucher: Voucher, holder: Person, course: Course, now: datetime
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
    return recounted, person.recount(holder, rules, counted, recounted)
