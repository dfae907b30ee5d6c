"""Verify a presented voucher (验证): would it be accepted here and now? Changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import voucher as steps
from chalicelib.domain.access import Actor
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import DomainError, OutOfScope, Unavailable
from chalicelib.domain.institution import must_be_admitted
from chalicelib.domain.person import must_not_be_flagged
from chalicelib.domain.template import Terms, check_place
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.cataloguing import find_course, find_institution
from chalicelib.services.identifying import Presented, find_presented
from chalicelib.services.ports import Catalogue, Keys, People, Templates
from chalicelib.services.redeeming import count_by_course


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
    actor: Actor,
    now: datetime,
) -> Verification:
    """Judge a token or code as redeeming would.

    A voucher that is not usable is an answer, not an error. Raises TokenNotAccepted, CodeNotAccepted,
    AssertionNotAccepted, VoucherNotFound, InstitutionNotFound, InstitutionNotAdmitted, CourseNotFound, OutOfScope.
    """
    if institution_id not in actor.client.institutions:
        raise OutOfScope()
    must_be_admitted(find_institution(catalogue, institution_id))
    course = find_course(catalogue, course_id) if course_id else None
    shown = find_presented(people, keys, presented, actor=actor, now=now)
    shown.judge_age(now)
    terms = templates.terms(shown.voucher.template_id, shown.voucher.terms_version)
    refusal: DomainError | None = None
    try:
        steps.must_be_usable(shown.voucher, now)
        must_not_be_flagged([shown.holder], shown.voucher.region, local_date(now))
        shown.judge_bound()
        if course:
            check_place(terms, course, institution_id)
            count_by_course(catalogue, shown.voucher, shown.holder, course, now)
    except Unavailable:  # nothing was judged: it is no refusal of the voucher
        raise
    except DomainError as refused:
        refusal = refused
    state = steps.effective_state(shown.voucher, now)
    return Verification(refusal is None, refusal, shown.voucher, state, terms, shown.holder.masked_name)
