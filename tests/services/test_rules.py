"""What a region decided, and whose voucher it is: caps, one at a time, places, scopes, suspended and withdrawn."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.errors import (
    AlreadyClaimed,
    CapReached,
    ChannelNotOpen,
    CodeNotAccepted,
    DirectedOnly,
    HoldsAnother,
    InstitutionNotAdmitted,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    OutOfScope,
    SessionEnded,
    TemplateNotOpen,
    TokenNotAccepted,
    VoucherEnded,
    VoucherNotFound,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.institution import Admission
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.domain.voucher import State
from chalicelib.services import publishing
from chalicelib.services.identifying import Presented
from tests.world import INSTITUTION_ID, OTHER_CITY, OTHER_INSTITUTION_ID, World, a_person, an_actor, local

THREE_A_YEAR = Cap("three-a-year", Window.YEAR, CapBy.ALL, 3)
ONE_OF_A_TYPE = Cap("one-of-a-type", Window.YEAR, CapBy.PROGRAMME_TYPE, 1)
ONE_A_LIFE = Cap("one-a-life", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 1)


@pytest.fixture
def world(strict_world: World) -> World:
    """Rules of regions are the whole China's: tables of its own for each test, on one engine."""
    return strict_world


def a_template(world: World, programme_type: str = "enterprise", **changes: Any) -> Template:
    """A published template of a programme of its own."""
    number = len(world.templates)
    programme = replace(
        world.programme,
        programme_id=f"PROGRAMME{number:07}",
        programme_type=programme_type,
        **{name: changes.pop(name) for name in ("occupation", "level") if name in changes},
    )
    world.platform.catalogue.programmes.add(programme, None)
    return world.publish(10, programme_id=programme.programme_id, **changes)


class TestCaps:
    def test_given_three_a_year_when_the_fourth_is_claimed_then_refused_by_name_until_the_new_year_in_china(
        self, world: World
    ) -> None:
        world.rules(caps=(THREE_A_YEAR,))
        late: dict[str, Any] = {"claim_until": date(2022, 6, 30), "valid_until": date(2022, 6, 30)}
        templates = [a_template(world, **late) for _ in range(5)]
        person = a_person()
        for template in templates[:3]:
            world.claim(person, template)

        with pytest.raises(CapReached) as refused:
            world.claim(person, templates[3])

        assert refused.value.facts == {"rule": "three-a-year", "limit": 3}
        world.clock.set(local("2021-12-31T15:59:59.999Z"))
        with pytest.raises(CapReached):
            world.claim(person, templates[3])
        world.clock.set(local("2021-12-31T16:00:00.000Z"))
        assert world.claim(person, templates[3]).answer.state is State.CLAIMED
        world.check_laws(world.vouchers())

    def test_given_one_of_a_type_when_another_type_is_claimed_then_only_the_same_is_refused(self, world: World) -> None:
        world.rules(caps=(ONE_OF_A_TYPE,))
        person = a_person()
        world.claim(person, a_template(world, "enterprise"))

        with pytest.raises(CapReached):
            world.claim(person, a_template(world, "enterprise"))
        assert world.claim(person, a_template(world, "start_up")).answer.state is State.CLAIMED

    def test_given_one_a_life_for_an_occupation_and_level_when_years_pass_then_still_refused_but_a_higher_level_not(
        self, world: World
    ) -> None:
        world.rules(caps=(ONE_A_LIFE,))
        late: dict[str, Any] = {
            "claim_until": date(2023, 6, 30),
            "valid_until": date(2023, 6, 30),
            "occupation": "6-31-01-03",
        }
        person = a_person()
        world.claim(person, a_template(world, level=5, **late))
        world.clock.set(local("2023-05-01T04:00:00Z"))

        with pytest.raises(CapReached):
            world.claim(person, a_template(world, level=5, **late))
        assert world.claim(person, a_template(world, level=4, **late)).answer.state is State.CLAIMED

    @pytest.mark.parametrize("frees", [True, False])
    def test_given_a_voucher_given_back_when_the_region_says_so_then_the_cap_is_free_again(
        self, world: World, frees: bool
    ) -> None:
        world.rules(caps=(replace(THREE_A_YEAR, limit=1),), give_back_frees_cap=frees)
        person, first, second = a_person(), a_template(world), a_template(world)
        world.give_back(person, world.claim(person, first).answer.voucher_id)

        if frees:
            assert world.claim(person, second).answer.state is State.CLAIMED
        else:
            with pytest.raises(CapReached):
                world.claim(person, second)
        with pytest.raises(AlreadyClaimed):  # the same template is once a life all the same
            world.claim(person, first)
        world.check_laws(world.vouchers())


class TestOneAtATime:
    def test_given_one_is_held_when_another_is_claimed_then_refused_and_after_its_use_or_return_not(
        self, world: World
    ) -> None:
        world.rules(one_at_a_time=True)
        person = a_person()
        first, second, third = (world.publish() for _ in range(3))
        held = world.claim(person, first).answer.voucher_id

        with pytest.raises(HoldsAnother) as refused:
            world.claim(person, second)

        assert refused.value.facts["voucher_id"] == held
        world.redeem(Presented(code=world.code(person, held)))
        held = world.claim(person, second).answer.voucher_id
        with pytest.raises(HoldsAnother):
            world.claim(person, third)
        world.give_back(person, held)
        assert world.claim(person, third).answer.state is State.CLAIMED
        world.check_laws(world.vouchers())

    def test_given_a_used_one_counts_as_held_when_another_is_claimed_then_refused_and_without_that_rule_not(
        self, world: World
    ) -> None:
        world.rules(one_at_a_time=True, redeemed_counts_as_held=True)
        person = a_person()
        used = world.claim(person, world.publish(5)).answer.voucher_id
        world.redeem(Presented(code=world.code(person, used)))
        other = world.publish(5)

        with pytest.raises(HoldsAnother):
            world.claim(person, other)

        world.rules(one_at_a_time=True)
        assert world.claim(person, other).answer.state is State.CLAIMED

    def test_given_the_held_one_has_expired_unswept_when_another_is_claimed_then_it_does_not_count(
        self, world: World
    ) -> None:
        world.rules(one_at_a_time=True)
        person = a_person()
        short = world.publish(claim_until=date(2021, 5, 2), valid_until=date(2021, 5, 2))
        world.claim(person, short)
        world.clock.advance(timedelta(days=2))

        assert world.claim(person, world.publish()).answer.state is State.CLAIMED

    def test_given_another_is_held_meanwhile_when_a_redemption_is_reversed_then_refused(self, world: World) -> None:
        world.rules(one_at_a_time=True)
        person = a_person()
        used = world.claim(person, world.publish()).answer.voucher_id
        world.redeem(Presented(code=world.code(person, used)))
        world.claim(person, world.publish())

        with pytest.raises(HoldsAnother):
            world.reverse(used)
        assert world.voucher(used).state is State.REDEEMED


class TestPlaces:
    def test_given_a_voucher_for_some_courses_and_places_when_used_elsewhere_then_refused_with_the_reason(
        self, world: World
    ) -> None:
        bound = world.publish(institutions=(INSTITUTION_ID,), courses=(world.course.course_id,))
        person = a_person()
        voucher_id = world.claim(person, bound).answer.voucher_id
        code = Presented(code=world.code(person, voucher_id))

        with pytest.raises(WrongInstitution):
            world.redeem(code, institution_id=OTHER_INSTITUTION_ID, course_id="D" * 16, actor=world.other_desk)
        other = replace(world.course, course_id="E" * 16)
        world.platform.catalogue.courses.add(other, None)
        with pytest.raises(WrongCourse):
            world.redeem(code, course_id=other.course_id)
        with pytest.raises(WrongCourse):  # a course of somebody else's
            world.redeem(code, course_id="D" * 16)
        assert world.voucher(voucher_id).version == 1
        assert world.redeem(code).answer.state is State.REDEEMED

    def test_given_a_desk_of_another_institution_when_it_uses_our_name_then_out_of_scope(self, world: World) -> None:
        person, template = a_person(), world.publish()
        voucher_id = world.claim(person, template).answer.voucher_id
        code = Presented(code=world.code(person, voucher_id))

        with pytest.raises(OutOfScope):
            world.redeem(code, actor=world.other_desk)
        world.redeem(code)
        with pytest.raises(VoucherNotFound):
            world.reverse(voucher_id, actor=world.other_desk)

    def test_given_a_suspended_institution_when_it_redeems_then_refused(self, world: World) -> None:
        person, template = a_person(), world.publish()
        voucher_id = world.claim(person, template).answer.voucher_id
        institutions = world.platform.catalogue.institutions
        known = institutions.read(INSTITUTION_ID)
        assert known is not None
        suspended = replace(known, admission=Admission.SUSPENDED, version=known.version + 1)
        institutions.change(suspended, Mark(world.attempt(), suspended, world.now))

        with pytest.raises(InstitutionNotAdmitted):
            world.another_container().redeem(Presented(code=world.code(person, voucher_id)))
        assert world.voucher(voucher_id).state is State.CLAIMED

    def test_given_proofs_that_are_nobody_s_when_shown_then_each_says_what_it_is(self, world: World) -> None:
        template, person = world.publish(), a_person()

        with pytest.raises(CodeNotAccepted):
            world.redeem(Presented(code="0000-0000-0000-0000-0"))
        with pytest.raises(TokenNotAccepted):
            world.redeem(Presented(token="A" * 208))
        assertion = world.assertion(person, "redeem", template.template_id, actor=world.desk)
        with pytest.raises(VoucherNotFound):
            world.redeem(Presented(assertion=assertion, template_id=template.template_id))

    def test_given_an_online_platform_when_it_redeems_by_assertion_alone_then_it_is_used(self, world: World) -> None:
        template, person = world.publish(), a_person()
        voucher_id = world.claim(person, template).answer.voucher_id
        assertion = world.assertion(person, "redeem", template.template_id, actor=world.desk)

        used = world.redeem(Presented(assertion=assertion, template_id=template.template_id))

        assert (used.answer.voucher_id, used.answer.facts["proof"]) == (voucher_id, "assertion")


class TestTheTemplate:
    def test_given_it_is_suspended_when_claimed_then_refused_but_what_is_held_is_used(self, world: World) -> None:
        template, person = world.publish(), a_person()
        voucher_id = world.claim(person, template).answer.voucher_id
        world.act(publishing.suspend_template, template)

        with pytest.raises(TemplateNotOpen) as refused:
            world.another_container().claim(a_person(), template)
        assert refused.value.facts["state"] == "suspended"
        assert world.redeem(Presented(code=world.code(person, voucher_id))).answer.state is State.REDEEMED

        world.act(publishing.resume_template, template)
        assert world.another_container().claim(a_person(), template).answer.state is State.CLAIMED
        world.check_laws(world.vouchers())

    def test_given_it_is_directed_when_claimed_then_refused(self, world: World) -> None:
        template = world.publish(distribution_mode=DistributionMode.DIRECTED)

        with pytest.raises(DirectedOnly):
            world.claim(a_person(), template)

    def test_given_a_channel_of_another_city_when_it_claims_then_it_is_not_open_there(self, world: World) -> None:
        template = world.publish()
        elsewhere = an_actor("GUANGZHOU", Role.CHANNEL, OTHER_CITY)

        with pytest.raises(ChannelNotOpen):
            world.claim(a_person(), template, actor=elsewhere)


class TestTheEnd:
    def test_given_a_voucher_that_has_ended_when_anything_is_asked_of_it_then_refused_and_nothing_changes(
        self, world: World
    ) -> None:
        template = world.publish()
        for end in ("return", "revocation"):
            person = a_person()
            voucher_id = world.claim(person, template).answer.voucher_id
            code = Presented(code=world.code(person, voucher_id))
            if end == "return":
                world.give_back(person, voucher_id)
            else:
                world.revoke(voucher_id)
            before = world.voucher(voucher_id)

            with pytest.raises(VoucherEnded):
                world.redeem(code)
            with pytest.raises(NotHeld):
                world.give_back(person, voucher_id)
            with pytest.raises(NotRevocable):
                world.revoke(voucher_id)
            with pytest.raises(VoucherNotFound):
                world.reverse(voucher_id)  # never used there: the desk is not told that it exists
            with pytest.raises(VoucherEnded):
                world.token(person, voucher_id)
            assert world.voucher(voucher_id) == before
        world.check_laws(world.vouchers())

    def test_given_a_reversed_redemption_when_reversed_again_then_there_is_nothing_to_reverse(
        self, world: World
    ) -> None:
        template, person = world.publish(), a_person()
        voucher_id = world.claim(person, template).answer.voucher_id
        world.redeem(Presented(code=world.code(person, voucher_id)))
        world.reverse(voucher_id)

        with pytest.raises(NotRedeemed):
            world.reverse(voucher_id)

    def test_given_a_bureau_of_another_city_when_it_revokes_then_the_voucher_does_not_exist(self, world: World) -> None:
        template = world.publish()
        voucher_id = world.claim(a_person(), template).answer.voucher_id

        with pytest.raises(VoucherNotFound):
            world.revoke(voucher_id, actor=an_actor("GUANGZHOU", Role.CITY, OTHER_CITY))
        assert world.revoke(voucher_id, actor=an_actor("SHENZHEN", Role.CITY, template.region)).answer.version == 2

    def test_given_somebody_s_voucher_when_another_holder_asks_then_it_does_not_exist(self, world: World) -> None:
        template, person, other = world.publish(), a_person(), a_person()
        voucher_id = world.claim(person, template).answer.voucher_id
        world.claim(other, template)

        with pytest.raises(VoucherNotFound):
            world.give_back(other, voucher_id)
        with pytest.raises(VoucherNotFound):
            world.code(other, voucher_id)
        with pytest.raises(VoucherNotFound):
            world.token(other, voucher_id)

    def test_given_a_session_that_was_tampered_with_when_read_then_it_is_none(self, world: World) -> None:
        template, person = world.publish(), a_person()
        world.claim(person, template)
        sessions = world.platform.keys.sessions
        text = sessions.issue(world.session(person), b"n" * 12)

        assert sessions.read(text) == world.session(person)
        with pytest.raises(SessionEnded):
            sessions.read(text[:-2] + ("AA" if text[-2:] != "AA" else "BB"))
