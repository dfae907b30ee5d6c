"""Staff of an institution: registered once, disabled, enabled; and what they may do by their own e-SSC (扫一扫)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.assertion import MAX_AGE
from chalicelib.domain.errors import (
    AlreadyExists,
    AssertionNotAccepted,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    StaffDisabled,
    StaffNotFound,
    StaffUnknown,
    VoucherNotFound,
)
from chalicelib.domain.identifiers import mask_name, mask_number
from chalicelib.domain.institution import AdmissionStep
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.staff import StaffMember
from chalicelib.domain.voucher import Receipt
from chalicelib.services import cataloguing, changing_vouchers, staffing
from chalicelib.services.identifying import Presented, Said
from tests.storage.worlds import no_writes
from tests.world import CITY, INSTITUTION_ID, OTHER_CITY, OTHER_INSTITUTION_ID, World, a_person, an_actor

ELSEWHERE = an_actor("GUANGZHOUSTAFF", Role.CITY, OTHER_CITY)
GUEST = an_actor("GUESTDESK", Role.INSTITUTION, CITY, OTHER_INSTITUTION_ID)


def register(
    world: World,
    person: Profile,
    actor: Actor | None = None,
    institution_id: str = INSTITUTION_ID,
    key: str | None = None,
    **changes: Any,
) -> Done[StaffMember]:
    p, draft = world.platform, Said(person.name, person.id_type, person.id_number, person.mobile)
    by = world.by(actor or world.desk, key)
    return staffing.register_staff(
        p.catalogue, p.marks, p.keys, p.chance, institution_id, replace(draft, **changes), **by
    )


def disable(world: World, member: StaffMember, actor: Actor | None = None) -> StaffMember:
    p, by = world.platform, world.by(actor or world.desk)
    return staffing.disable_staff(p.catalogue, p.marks, member.institution_id, member.staff_id, **by).answer


def enable(world: World, member: StaffMember) -> StaffMember:
    p, by = world.platform, world.by(world.desk)
    return staffing.enable_staff(p.catalogue, p.marks, member.institution_id, member.staff_id, **by).answer


def scan(world: World, person: Profile, subject: str | None = INSTITUTION_ID, **changes: Any) -> str:
    return world.assertion(person, changes.pop("purpose", "staff"), subject, **changes)


def redeem(world: World, code: str, jws: str | None, actor: Actor | None = None, **more: Any) -> Done[Receipt]:
    return world.redeem(Presented(code=code), staff_assertion=jws, actor=actor or world.channel, **more)


def reverse(world: World, voucher_id: str, jws: str, key: str | None = None) -> Done[Receipt]:
    p, by = world.platform, world.by(world.channel, key)
    return changing_vouchers.reverse_redemption(
        p.catalogue, p.templates, p.people, p.enrolments, p.keys, voucher_id, "扫错了", staff_assertion=jws, **by
    )


def a_code(world: World) -> tuple[str, str]:
    """A voucher's id and its typed code."""
    person = a_person()
    voucher_id = world.claim(person, world.publish(5)).answer.voucher_id
    return voucher_id, world.code(person, voucher_id)


class TestRegistering:
    def test_given_a_person_when_registered_by_the_institution_or_the_authority_then_masked_and_sealed(
        self, town: World
    ) -> None:
        for actor in (town.desk, town.bureau):
            person = a_person()
            member = register(town, person, actor).answer

            assert (member.masked_name, member.masked_number) == (mask_name(person.name), mask_number(person.id_number))
            assert member.changed_by == actor.operator_id
            sealer = town.platform.keys.sealer
            assert sealer.unseal_profile(member.sealed_profile, f"staff:{member.staff_id}") == person
            p = town.platform
            assert staffing.find_staff(p.catalogue, INSTITUTION_ID, member.staff_id, actor=town.desk) == member

    def test_given_somebody_registered_when_registered_again_then_refused_and_at_another_institution_another_member(
        self, town: World
    ) -> None:
        person = a_person()
        first = register(town, person, key="staff-1")

        assert register(town, person, key="staff-1") == Done(first.answer, hit=True)
        with pytest.raises(AlreadyExists) as refused:
            register(town, person, town.bureau)
        assert refused.value.facts == {"what": first.answer.staff_id}
        other = register(town, person, town.other_desk, OTHER_INSTITUTION_ID).answer
        assert other.staff_id != first.answer.staff_id

    @pytest.mark.parametrize("actor", [ELSEWHERE, GUEST], ids=["another city", "another institution"])
    def test_given_another_s_institution_when_its_staff_is_dealt_with_then_it_is_out_of_scope(
        self, town: World, actor: Actor
    ) -> None:
        member, p = register(town, a_person()).answer, town.platform

        with no_writes(town), pytest.raises(OutOfScope):
            register(town, a_person(), actor)
        with no_writes(town), pytest.raises(OutOfScope):
            disable(town, member, actor)
        with pytest.raises(OutOfScope):
            staffing.list_staff(p.catalogue, INSTITUTION_ID, 10, None, actor=actor)
        with pytest.raises(OutOfScope):
            staffing.find_staff(p.catalogue, INSTITUTION_ID, member.staff_id, actor=actor)

    def test_given_an_operator_of_nobody_when_registering_for_the_institution_then_it_is_out_of_scope(
        self, town: World
    ) -> None:
        unsigned = replace(town.desk, operator=None)

        with pytest.raises(OutOfScope):
            register(town, a_person(), unsigned)

    @pytest.mark.parametrize(
        ("pointer", "changes"),
        [
            ("/id_number", {"id_number": "110105194912310021"}),
            ("/id_type", {"id_type": "foreign_permanent"}),
            ("/mobile", {"mobile": "12345678901"}),
        ],
    )
    def test_given_what_cannot_be_right_when_registered_then_the_field_is_named(
        self, town: World, pointer: str, changes: dict[str, Any]
    ) -> None:
        with no_writes(town), pytest.raises(Invalid) as refused:
            register(town, a_person(), **changes)

        assert refused.value.pointer == pointer

    def test_given_ids_of_nobody_when_asked_for_then_each_says_what_is_missing(self, town: World) -> None:
        member = register(town, a_person(), town.other_desk, OTHER_INSTITUTION_ID).answer
        p = town.platform

        for staff_id in ("NOBODY", member.staff_id):  # the latter is another institution's
            with pytest.raises(StaffNotFound):
                staffing.find_staff(p.catalogue, INSTITUTION_ID, staff_id, actor=town.bureau)
            with pytest.raises(StaffNotFound):
                disable(town, replace(member, institution_id=INSTITUTION_ID, staff_id=staff_id))
        with pytest.raises(InstitutionNotFound):
            register(town, a_person(), town.bureau, "91110000600037341L")

    def test_given_staff_when_listed_then_page_by_page(self, town: World) -> None:
        p, mine = town.platform, an_actor("LISTDESK", Role.INSTITUTION, CITY, OTHER_INSTITUTION_ID)
        made = {register(town, a_person(), mine, OTHER_INSTITUTION_ID).answer.staff_id for _ in range(3)}

        seen, cursor = [], None
        while True:
            page = staffing.list_staff(p.catalogue, OTHER_INSTITUTION_ID, 2, cursor, actor=mine)
            seen += [one.staff_id for one in page.items]
            cursor = page.cursor
            if cursor is None:
                break

        assert made <= set(seen)
        assert seen == sorted(set(seen))


class TestAtTheDesk:
    def test_given_a_member_of_staff_in_a_channel_when_scanning_then_they_redeem_and_reverse_and_history_names_them(
        self, town: World
    ) -> None:
        person = a_person()
        member = register(town, person).answer
        voucher_id, code = a_code(town)

        seen = town.verify(Presented(code=code), staff_assertion=scan(town, person), actor=town.channel)
        used = redeem(town, code, scan(town, person))
        back = reverse(town, voucher_id, scan(town, person))

        assert seen.usable
        assert (used.answer.facts["institution"], used.answer.facts["proof"]) == (INSTITUTION_ID, "code")
        assert back.answer.state == "claimed"
        said = [entry.said for entry in town.voucher(voucher_id).history[1:]]
        assert [(one["client"], one["operator"]) for one in said] == [(town.channel.app_key, member.staff_id)] * 2

    def test_given_a_request_when_it_comes_again_after_the_assertion_grew_old_then_the_same_answer(
        self, town: World
    ) -> None:
        person = a_person()
        register(town, person)
        voucher_id, code = a_code(town)
        jws = scan(town, person)
        used = redeem(town, code, jws, key="scan-1")
        undone_by = scan(town, person)
        undone = reverse(town, voucher_id, undone_by, "undo-1")
        later = town.at(town.now + MAX_AGE + timedelta(seconds=1))

        assert redeem(later, code, jws, key="scan-1") == Done(used.answer, hit=True)
        assert reverse(later, voucher_id, undone_by, "undo-1") == Done(undone.answer, hit=True)
        with pytest.raises(AssertionNotAccepted) as refused:
            redeem(later, code, jws, key="scan-2")
        assert refused.value.facts == {"reason": "expired"}

    def test_given_nobody_of_the_staff_or_one_who_is_disabled_when_scanning_then_refused_and_enabled_they_may_again(
        self, town: World
    ) -> None:
        person, (_, code) = a_person(), a_code(town)

        with no_writes(town), pytest.raises(StaffUnknown):
            redeem(town, code, scan(town, person))
        member = register(town, person).answer
        off = disable(town, member)
        assert disable(town, member).disabled_at == off.disabled_at
        for subject in (redeem, lambda w, c, j: w.verify(Presented(code=c), staff_assertion=j, actor=w.channel)):
            with no_writes(town), pytest.raises(StaffDisabled):
                subject(town, code, scan(town, person))
        enable(town, member)

        assert redeem(town, code, scan(town, person)).answer.state == "redeemed"

    @pytest.mark.parametrize(
        ("reason", "changes"),
        [
            ("purpose", {"purpose": "redeem"}),
            ("subject", {"subject": None}),
            ("subject", {"subject": "\N{GRINNING FACE}" * 512}),
            ("audience", {"actor": an_actor("ANOTHERAPP", Role.CHANNEL, "000000")}),
            ("expired", {"ago": MAX_AGE + timedelta(milliseconds=1)}),
            ("future", {"ago": -timedelta(seconds=31)}),
        ],
    )
    def test_given_an_assertion_that_says_something_else_when_scanning_then_the_reason_is_told(
        self, town: World, reason: str, changes: dict[str, Any]
    ) -> None:
        person, (_, code) = a_person(), a_code(town)
        register(town, person)
        ago = changes.get("ago", timedelta(0))
        said = {name: what for name, what in changes.items() if name != "ago"}

        with no_writes(town), pytest.raises(AssertionNotAccepted) as refused:
            redeem(town, code, scan(town, person, now=town.now - ago, **said))

        assert refused.value.facts == {"reason": reason}

    def test_given_staff_of_one_institution_when_scanning_for_another_then_it_is_out_of_scope(
        self, town: World
    ) -> None:
        person, (voucher_id, code) = a_person(), a_code(town)
        register(town, person)

        with no_writes(town), pytest.raises(OutOfScope):
            redeem(town, code, scan(town, person), institution_id=OTHER_INSTITUTION_ID, course_id="D" * 16)
        with pytest.raises(OutOfScope):
            town.verify(
                Presented(code=code),
                staff_assertion=scan(town, person),
                actor=town.channel,
                institution_id=OTHER_INSTITUTION_ID,
            )
        with pytest.raises(StaffUnknown):
            redeem(town, code, scan(town, person, OTHER_INSTITUTION_ID), institution_id=OTHER_INSTITUTION_ID)
        register(town, person, town.other_desk, OTHER_INSTITUTION_ID)
        redeem(town, code, scan(town, person))
        with no_writes(town), pytest.raises(VoucherNotFound):
            reverse(town, voucher_id, scan(town, person, OTHER_INSTITUTION_ID))

    def test_given_a_local_channel_of_another_city_when_staff_scans_there_then_it_is_out_of_scope(
        self, town: World
    ) -> None:
        person, (_, code) = a_person(), a_code(town)
        register(town, person)
        local = an_actor("LOCALSTAFFCHANNEL", Role.CHANNEL, OTHER_CITY)

        with no_writes(town), pytest.raises(OutOfScope):
            redeem(town, code, scan(town, person, actor=local), local)

    def test_given_an_institution_s_own_client_when_it_shows_a_staff_assertion_then_that_is_a_mistake(
        self, town: World
    ) -> None:
        person, (_, code) = a_person(), a_code(town)
        register(town, person)

        with no_writes(town), pytest.raises(Invalid) as refused:
            redeem(town, code, scan(town, person, actor=town.desk), town.desk)

        assert refused.value.pointer == "/staff_assertion"

    def test_given_a_channel_without_staff_when_redeeming_then_it_acts_for_nobody(self, town: World) -> None:
        _, code = a_code(town)

        with no_writes(town), pytest.raises(OutOfScope):
            redeem(town, code, None)

    def test_given_a_suspended_institution_when_its_staff_scans_then_it_is_not_admitted(self, town: World) -> None:
        p, person, (_, code) = town.platform, a_person(), a_code(town)
        register(town, person)

        def step(admission: AdmissionStep) -> None:
            cataloguing.change_admission(p.catalogue, p.marks, INSTITUTION_ID, admission, **town.by(town.bureau))

        step(AdmissionStep.SUSPEND)
        try:
            with no_writes(town), pytest.raises(InstitutionNotAdmitted):
                redeem(town, code, scan(town, person))
        finally:
            step(AdmissionStep.READMIT)

        assert redeem(town, code, scan(town, person)).answer.state == "redeemed"
