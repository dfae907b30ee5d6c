"""Staff of institutions: registered, disabled, enabled; and standing at the desk by their own e-SSC (扫一扫)."""

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain import assertion as assertions
from chalicelib.domain.access import Actor, Role, must_act_for, must_cover
from chalicelib.domain.assertion import Assertion, Purpose
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AssertionNotAccepted, Invalid, OutOfScope, StaffNotFound, StaffUnknown
from chalicelib.domain.identifiers import mask_name, mask_number
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.region import within
from chalicelib.domain.staff import StaffMember, must_serve
from chalicelib.services.cataloguing import find_institution
from chalicelib.services.identifying import Said, name_person, read_profile
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Chance, Keys, Marks

LONGEST_ID = 80


@dataclass(frozen=True, slots=True)
class AtTheDesk:
    """Who acts, and what still has to be judged of how they proved it, once it is known that the request is new."""

    actor: Actor
    assertion: Assertion | None = None

    def judge_age(self, now: datetime) -> None:
        """Raises AssertionNotAccepted."""
        if self.assertion:
            assertions.check_age(self.assertion, now)


def register_staff(
    catalogue: Catalogue,
    marks: Marks,
    keys: Keys,
    chance: Chance,
    institution_id: str,
    draft: Said,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[StaffMember]:
    """Register a person as staff, once per institution.

    Raises InstitutionNotFound, OutOfScope, Invalid (number or mobile), AlreadyExists.
    """

    def act() -> StaffMember:
        must_be_responsible(catalogue, institution_id, actor)
        named = read_profile(keys, draft, now)
        staff_id = chance.short_id()
        member = StaffMember(
            staff_id=staff_id,
            institution_id=institution_id,
            sealed_profile=keys.sealer.seal_profile(named.profile, _context(staff_id)),
            masked_name=mask_name(named.profile.name),
            masked_number=mask_number(named.profile.id_number),
            made_at=now,
            changed_by=actor.operator_id,
        )
        catalogue.staff.register(member, named.identity_keys, Mark(attempt, member, now))
        return member

    return once(marks, attempt, StaffMember, now, act)


def is_called(keys: Keys, member: StaffMember, name: str) -> bool:
    """Whether the member was registered under this name, which is in its one form."""
    return keys.sealer.unseal_profile(member.sealed_profile, _context(member.staff_id)).name == name


def disable_staff(
    catalogue: Catalogue,
    marks: Marks,
    institution_id: str,
    staff_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[StaffMember]:
    """Takes effect everywhere within 60 s. Raises InstitutionNotFound, OutOfScope, StaffNotFound."""

    def act() -> StaffMember:
        before = _member_to_change(catalogue, institution_id, staff_id, actor)
        return _change(catalogue, before, before.disabled_at or now, actor, attempt, now)

    return once(marks, attempt, StaffMember, now, act)


def enable_staff(
    catalogue: Catalogue,
    marks: Marks,
    institution_id: str,
    staff_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[StaffMember]:
    """Raises InstitutionNotFound, OutOfScope, StaffNotFound."""

    def act() -> StaffMember:
        before = _member_to_change(catalogue, institution_id, staff_id, actor)
        return _change(catalogue, before, None, actor, attempt, now)

    return once(marks, attempt, StaffMember, now, act)


def find_staff(catalogue: Catalogue, institution_id: str, staff_id: str, *, actor: Actor) -> StaffMember:
    """Raises InstitutionNotFound, OutOfScope, StaffNotFound."""
    must_look_at(catalogue, institution_id, actor)
    return _of_institution(catalogue.staff.get(staff_id), institution_id)


def list_staff(
    catalogue: Catalogue, institution_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> Page[StaffMember]:
    """Raises InstitutionNotFound, OutOfScope."""
    must_look_at(catalogue, institution_id, actor)
    return catalogue.staff.page(institution_id, limit, cursor)


def stand_at_the_desk(
    catalogue: Catalogue, keys: Keys, staff_assertion: str | None, *, actor: Actor, now: datetime
) -> AtTheDesk:
    """The actor as which a request counts: with the asserted member of staff, where a channel shows one.

    The assertion is for purpose ``staff`` and names the institution. Raises Invalid (from another client than a
    channel), AssertionNotAccepted, InstitutionNotFound, OutOfScope (a local channel of another region), StaffUnknown,
    StaffDisabled.
    """
    if staff_assertion is None:
        return AtTheDesk(actor)
    if actor.client.role is not Role.CHANNEL:
        raise Invalid(pointer="/staff_assertion", reason="only a channel acts by a member of staff")
    assertion = keys.assertions.read(staff_assertion)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.STAFF, None)
    institution_id = assertion.subject
    if institution_id is None or len(institution_id) > LONGEST_ID:  # no key of a table may be as long as a subject
        raise AssertionNotAccepted(reason="subject")
    if not within(find_institution(catalogue, institution_id).region, actor.client.regions):
        raise OutOfScope()
    named = name_person(keys, assertion, now, "/staff_assertion")
    member = catalogue.staff.find(institution_id, named.identity_keys)
    if member is None:
        raise StaffUnknown()
    must_serve(member)
    return AtTheDesk(Actor(actor.client, staff=member), assertion)


def must_be_responsible(catalogue: Catalogue, institution_id: str, actor: Actor) -> None:
    """Check that an authority's scope holds the institution, or that the institution's own operator signed.

    Raises InstitutionNotFound, OutOfScope.
    """
    institution = find_institution(catalogue, institution_id)
    if actor.client.role is Role.INSTITUTION:
        must_act_for(actor, institution_id)
    else:
        must_cover(actor, institution.region)


def must_look_at(catalogue: Catalogue, institution_id: str, actor: Actor) -> None:
    """As ``must_be_responsible``, but nobody need have signed. Raises InstitutionNotFound, OutOfScope."""
    institution = find_institution(catalogue, institution_id)
    if actor.client.role is Role.INSTITUTION:
        if institution_id not in actor.institutions:
            raise OutOfScope()
    else:
        must_cover(actor, institution.region)


def _member_to_change(catalogue: Catalogue, institution_id: str, staff_id: str, actor: Actor) -> StaffMember:
    must_be_responsible(catalogue, institution_id, actor)
    return _of_institution(catalogue.staff.read(staff_id), institution_id)


def _of_institution(member: StaffMember | None, institution_id: str) -> StaffMember:
    if member is None or member.institution_id != institution_id:
        raise StaffNotFound()
    return member


def _change(
    catalogue: Catalogue,
    before: StaffMember,
    disabled_at: datetime | None,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> StaffMember:
    after = replace(before, disabled_at=disabled_at, changed_by=actor.operator_id, version=before.version + 1)
    catalogue.staff.change(after, Mark(attempt, after, now))
    return after


def _context(staff_id: str) -> str:
    """What a sealed profile is tied to, beside those of people."""
    return f"staff:{staff_id}"
