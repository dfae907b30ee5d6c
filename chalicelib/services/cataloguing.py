"""Keep the catalogue: regions, programmes, courses, institutions."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.coordinates import InvalidPoint, check_point
from chalicelib.domain.errors import (
    CourseNotFound,
    DomainError,
    InstitutionNotFound,
    Invalid,
    ProgrammeNotFound,
    RegionNotFound,
)
from chalicelib.domain.identifiers import InvalidIdentifier, parse_uscc
from chalicelib.domain.institution import Admission, AdmissionStep, Institution, Kind, must_teach, take_step
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.programme import Course, Payee, Programme
from chalicelib.domain.region import Region, Rules
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Chance, Marks

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProgrammeDraft:
    region: str
    name_zh: str
    name_en: str
    programme_type: str
    standard_fen: int
    occupation: str | None = None
    level: int | None = None
    payee: Payee = Payee.INSTITUTION


@dataclass(frozen=True, slots=True)
class CourseDraft:
    programme_id: str
    institution_id: str
    name_zh: str
    name_en: str
    hours: int
    online: bool = False
    occupation: str | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class InstitutionDraft:
    institution_id: str
    region: str
    name_zh: str
    name_en: str
    kind: Kind
    latitude: str
    longitude: str
    datum: str
    admission: Admission = Admission.ADMITTED


def find_region(catalogue: Catalogue, code: str) -> Region:
    """Raises RegionNotFound."""
    return _found(catalogue.regions.get(code), RegionNotFound)


def find_programme(catalogue: Catalogue, programme_id: str) -> Programme:
    """Raises ProgrammeNotFound."""
    return _found(catalogue.programmes.get(programme_id), ProgrammeNotFound)


def find_course(catalogue: Catalogue, course_id: str) -> Course:
    """Raises CourseNotFound."""
    return _found(catalogue.courses.get(course_id), CourseNotFound)


def find_institution(catalogue: Catalogue, institution_id: str) -> Institution:
    """Raises InstitutionNotFound."""
    return _found(catalogue.institutions.get(institution_id), InstitutionNotFound)


def rules_in_force(catalogue: Catalogue, region: str, now: datetime) -> Rules:
    """What holds in the region today, with what it inherits. Raises RegionNotFound."""
    find_region(catalogue, region)
    return catalogue.rule_sets.in_force(region, calendar.local_date(now))


def add_programme(
    catalogue: Catalogue,
    marks: Marks,
    chance: Chance,
    draft: ProgrammeDraft,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Programme]:
    """Raises RegionNotFound, OutOfScope."""

    def act() -> Programme:
        find_region(catalogue, draft.region)
        must_cover(actor, draft.region)
        programme = Programme(
            programme_id=chance.short_id(),
            region=draft.region,
            name_zh=draft.name_zh,
            name_en=draft.name_en,
            programme_type=draft.programme_type,
            standard_fen=draft.standard_fen,
            occupation=draft.occupation,
            level=draft.level,
            payee=draft.payee,
        )
        catalogue.programmes.add(programme, Mark(attempt, programme, now))
        return programme

    return once(marks, attempt, Programme, now, act)


def add_institution(
    catalogue: Catalogue, marks: Marks, draft: InstitutionDraft, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Institution]:
    """Record an institution, admitted or as a candidate.

    Raises RegionNotFound, OutOfScope, Invalid (code or coordinates), AlreadyExists.
    """

    def act() -> Institution:
        find_region(catalogue, draft.region)
        must_cover(actor, draft.region)
        try:
            institution_id = parse_uscc(draft.institution_id)
        except InvalidIdentifier as refused:
            raise Invalid(pointer="/institution_id", reason=refused.hint_en, reason_zh=refused.hint_zh) from None
        try:
            check_point(float(draft.latitude), float(draft.longitude), draft.datum)
        except InvalidPoint as refused:
            raise Invalid(pointer="/coordinates", reason=refused.hint_en, reason_zh=refused.hint_zh) from None
        institution = Institution(
            institution_id=institution_id,
            region=draft.region,
            name_zh=draft.name_zh,
            name_en=draft.name_en,
            kind=draft.kind,
            latitude=draft.latitude,
            longitude=draft.longitude,
            datum=draft.datum,
            admission=draft.admission,
        )
        catalogue.institutions.add(institution, Mark(attempt, institution, now))
        return institution

    return once(marks, attempt, Institution, now, act)


def change_admission(
    catalogue: Catalogue,
    marks: Marks,
    institution_id: str,
    step: AdmissionStep,
    reason: str | None = None,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Institution]:
    """Admit, suspend, readmit, withdraw an institution, or take its new application.

    Vouchers that it redeemed before stay as they are. Raises InstitutionNotFound, OutOfScope, AdmissionStepRefused.
    """

    def act() -> Institution:
        before = _found(catalogue.institutions.read(institution_id), InstitutionNotFound)
        must_cover(actor, before.region)
        after = take_step(before, step, reason=reason, operator_id=actor.operator_id, now=now)
        catalogue.institutions.change(after, Mark(attempt, after, now))
        return after

    return once(marks, attempt, Institution, now, act)


def add_course(
    catalogue: Catalogue,
    marks: Marks,
    chance: Chance,
    draft: CourseDraft,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Course]:
    """Record a programme as an institution teaches it.

    Raises ProgrammeNotFound, InstitutionNotFound, InstitutionNotAdmitted, OutOfScope, Invalid. The programme may be of
    another region: people train across regions (跨区域培训), and the region that issued the voucher pays.
    """

    def act() -> Course:
        programme = find_programme(catalogue, draft.programme_id)
        institution = find_institution(catalogue, draft.institution_id)
        must_cover(actor, institution.region)
        must_teach(institution)
        _check_occupation(programme, draft)
        course = Course(
            course_id=chance.short_id(),
            programme_id=programme.programme_id,
            institution_id=institution.institution_id,
            region=institution.region,
            name_zh=draft.name_zh,
            name_en=draft.name_en,
            hours=draft.hours,
            online=draft.online,
            occupation=programme.occupation or draft.occupation,
            level=programme.level if programme.occupation else draft.level,
        )
        catalogue.courses.add(course, Mark(attempt, course, now))
        return course

    return once(marks, attempt, Course, now, act)


def _check_occupation(programme: Programme, draft: CourseDraft) -> None:
    """A programme that is bound to an occupation and level binds its courses."""
    own, bound = (draft.occupation, draft.level), (programme.occupation, programme.level)
    if programme.occupation and own not in ((None, None), bound):
        raise Invalid(pointer="/occupation", reason="the programme is bound to another occupation or level")
    if draft.level is not None and draft.occupation is None and not programme.occupation:
        raise Invalid(pointer="/level", reason="a level is one of an occupation")


def _found(noun: T | None, missing: type[DomainError]) -> T:
    if noun is None:
        raise missing()
    return noun
