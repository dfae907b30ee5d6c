"""Verify a presented voucher (验证): would it be accepted here and now? Changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import voucher as steps
from chalicelib.domain.access import Actor
from chalicelib.domain.errors import CapReached, DomainError, OutOfScope
from chalicelib.domain.institution import must_redeem
from chalicelib.domain.template import Terms
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.cataloguing import find_course, find_institution
from chalicelib.services.identifying import Presented, find_presented
from chalicelib.services.linking import linked_with
from chalicelib.services.ports import Catalogue, Keys, People, Templates
from chalicelib.services.redeeming import count_by_course, judge_use
from chalicelib.services.staffing import stand_at_the_desk


@dataclass(frozen=True, slots=True)
class Verification:
    """What the desk sees: whether redeeming would work, if not why, and of whom (masked) the voucher is."""

    usable: bool
    refusal: DomainError | None
    voucher: Voucher
    state: State
    terms: Terms
    masked_name: str


def verify_voucher(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    presented: Presented,
    *,
    institution_id: str,
    course_id: str | None,
    staff_assertion: str | None = None,
    actor: Actor,
    now: datetime,
) -> Verification:
    """Judge what is presented as redeeming would. ``staff_assertion``: who scans, where a channel asks.

    A voucher that is not usable is an answer, not an error. Raises TokenNotAccepted, CodeNotAccepted,
    AssertionNotAccepted, CardReadNotAccepted, VoucherNotFound, InstitutionNotFound, InstitutionNotAdmitted,
    CourseNotFound, OutOfScope, StaffUnknown, StaffDisabled.
    """
    desk = stand_at_the_desk(catalogue, keys, staff_assertion, actor=actor, now=now)
    desk.judge_age(now)
    if institution_id not in desk.actor.institutions:
        raise OutOfScope()
    must_redeem(find_institution(catalogue, institution_id))
    course = find_course(catalogue, course_id) if course_id else None
    shown = find_presented(catalogue, people, keys, presented, institution_id=institution_id, actor=desk.actor, now=now)
    shown.judge_age(now)
    linked = linked_with(people, shown.holder)
    voucher, refusal = judge_use(templates, shown, linked, course, institution_id, now)
    if course and refusal is None:
        try:
            count_by_course(catalogue, voucher, shown.holder, course, now, linked)
        except CapReached as refused:
            refusal = refused
    terms = templates.terms(voucher.template_id, voucher.terms_version)
    state = steps.effective_state(voucher, now)
    return Verification(refusal is None, refusal, voucher, state, terms, shown.holder.masked_name)
