"""Corrections of names and mobiles, and numbers that lead to the same person."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from chalicelib.domain.errors import AlreadyClaimed, Invalid, NumberKnown, NumberTaken, PersonNotFound
from chalicelib.domain.identifiers import mask_mobile, mask_name, mask_number
from chalicelib.domain.outcomes import IdentityTaken
from chalicelib.domain.person import Profile
from chalicelib.integrations.sealing import CannotUnseal
from chalicelib.services import correcting, showing
from chalicelib.services.correcting import Correction, NewNumber, record_context
from chalicelib.services.identifying import Presented
from tests.services.faults import Watched, with_store
from tests.services.test_disclosing import an_authority, find, see
from tests.world import OTHER_CITY, World, a_person

RIGHT = Correction("公安部门已更名", "测试 更名", "139-0000-0000")


def correct(world: World, person_id: str, asked: Correction = RIGHT, *, key: str | None = None, **more: Any) -> Any:
    p, actor = world.platform, more.get("actor", an_authority())
    return correcting.correct_person(p.people, p.marks, p.keys, person_id, asked, **world.by(actor, key))


def add(world: World, person_id: str, number: Profile, *, key: str | None = None, corrects: bool = False) -> Any:
    p, asked = world.platform, NewNumber(number.id_type, number.id_number, "曾用号码", corrects)
    return correcting.add_number(p.people, p.marks, p.keys, person_id, asked, **world.by(an_authority(), key))


def somebody(world: World) -> tuple[Profile, str]:
    person = a_person()
    world.claim(person, world.publish(3))
    return person, world.session(person).person_id


def profile_of(world: World, person_id: str) -> Profile:
    holder, _ = world.platform.people.read(person_id, [])
    assert holder is not None
    return world.platform.keys.sealer.unseal_profile(holder.sealed_profile, person_id)


class TestCorrections:
    def test_given_a_name_and_a_mobile_when_corrected_then_profile_masked_forms_and_record_follow(
        self, town: World
    ) -> None:
        person, person_id = somebody(town)

        record = correct(town, person_id).answer

        assert profile_of(town, person_id) == replace(person, name="测试更名", mobile="13900000000")
        assert find(town, person, an_authority()).person.masked_name == mask_name("测试更名")
        assert record.facts == {
            "name": mask_name("测试更名"),
            "name_before": mask_name(person.name),
            "mobile": "139****0000",
            "mobile_before": mask_mobile(person.mobile or ""),
        }
        assert (record.reason, record.operator_id, record.made_at) == (RIGHT.reason, "OPAUTHORITY440300", town.now)

    def test_given_a_record_when_its_sealed_part_is_opened_then_it_is_what_was_known_before_and_opens_for_it_alone(
        self, town: World
    ) -> None:
        person, person_id = somebody(town)
        correct(town, person_id)
        (kept,) = town.platform.people.records(person_id, 10, None).items
        sealer = town.platform.keys.sealer

        assert kept.sealed_before is not None
        before = json.loads(sealer.unseal(kept.sealed_before, record_context(person_id, kept.number)))

        assert before == asdict(person) | {"other_numbers": []}
        with pytest.raises(CannotUnseal):
            sealer.unseal(kept.sealed_before, record_context(person_id, kept.number + 1))

    def test_given_a_corrected_name_when_vouchers_are_shown_verified_and_claimed_then_it_is_the_name(
        self, town: World
    ) -> None:
        person, person_id = somebody(town)
        correct(town, person_id)
        voucher_id = town.claim(person, town.publish(1)).answer.voucher_id
        p, session = town.platform, town.session(person)

        cards = showing.open_wallet(p.templates, p.people, session, 50, None, town.now).items
        verified = town.verify(Presented(code=town.code(person, voucher_id)))

        assert {*(one.masked_name for one in cards), verified.masked_name} == {mask_name("测试更名")}
        assert len(cards) == 2

    def test_given_one_thing_when_corrected_then_the_other_stays(self, town: World) -> None:
        person, person_id = somebody(town)

        record = correct(town, person_id, Correction("手机换号", mobile="13900000001")).answer

        assert profile_of(town, person_id) == replace(person, mobile="13900000001")
        assert record.facts.keys() == {"mobile", "mobile_before"}

    def test_given_a_request_sent_twice_when_correcting_then_one_record_and_the_same_answer(self, town: World) -> None:
        _, person_id = somebody(town)
        first = correct(town, person_id, key="correct")

        again = correct(town, person_id, key="correct")

        assert again == replace(first, hit=True)
        assert first.answer.sealed_before is None  # it stays with the record
        assert len(town.platform.people.records(person_id, 10, None).items) == 1

    @pytest.mark.parametrize(
        ("asked", "pointer"),
        [(Correction("x", mobile="12345678901"), "/mobile"), (Correction("x"), "")],
        ids=["no mobile", "nothing named"],
    )
    def test_given_what_cannot_be_when_correcting_then_refused(
        self, town: World, asked: Correction, pointer: str
    ) -> None:
        _, person_id = somebody(town)

        with pytest.raises(Invalid) as refused:
            correct(town, person_id, asked)

        assert refused.value.pointer == pointer
        assert not town.platform.people.records(person_id, 10, None).items

    def test_given_an_authority_of_another_city_when_correcting_then_it_finds_nobody(self, town: World) -> None:
        person, person_id = somebody(town)

        with pytest.raises(PersonNotFound):
            correct(town, person_id, actor=an_authority(OTHER_CITY))

        assert profile_of(town, person_id) == person


class TestNumbers:
    def test_given_another_number_when_added_then_both_lead_to_the_person_and_their_wallet(self, town: World) -> None:
        person, person_id = somebody(town)
        other = a_person()

        record = add(town, person_id, other).answer

        assert town.session(other).person_id == town.session(person).person_id == person_id
        assert record.facts["id_number"] == mask_number(other.id_number)
        seen = see(town, person_id, an_authority()).answer.profile
        assert seen.other_numbers == ((other.id_type, other.id_number),)
        assert find(town, person, an_authority()).person.masked_number == mask_number(person.id_number)

    def test_given_two_numbers_when_claiming_by_either_then_once_per_person_holds_for_both(self, town: World) -> None:
        person, person_id = somebody(town)
        other, template = a_person(), town.publish(3)
        add(town, person_id, other)
        town.claim(other, template)

        for number in (other, person):
            with pytest.raises(AlreadyClaimed):
                town.claim(number, template)

        assert town.stock(template).remaining == 2
        town.check_laws()

    def test_given_a_corrected_number_when_added_then_it_counts_and_the_wrong_one_still_leads_there(
        self, town: World
    ) -> None:
        person, person_id = somebody(town)
        right = a_person()

        record = add(town, person_id, right, corrects=True).answer

        profile = profile_of(town, person_id)
        assert (profile.id_number, profile.other_numbers) == (right.id_number, ((person.id_type, person.id_number),))
        assert find(town, person, an_authority()).person.masked_number == mask_number(right.id_number)
        assert record.facts["corrects"] == mask_number(person.id_number)

    def test_given_a_number_of_the_person_when_added_again_then_it_is_known(self, town: World) -> None:
        person, person_id = somebody(town)

        with pytest.raises(NumberKnown):
            add(town, person_id, person)

    def test_given_a_number_of_somebody_else_when_added_then_it_is_taken_and_a_merge_proposed(
        self, town: World
    ) -> None:
        _, person_id = somebody(town)
        other, other_id = somebody(town)

        with pytest.raises(NumberTaken) as refused:
            add(town, person_id, other)

        assert refused.value.facts == {"person_id": other_id}
        assert profile_of(town, person_id).other_numbers == ()

    def test_given_a_number_that_somebody_brings_at_the_same_moment_when_added_then_it_is_taken(
        self, town: World
    ) -> None:
        _, person_id = somebody(town)
        other, template = a_person(), town.publish(2)
        late = with_store(
            town, "people", Watched(town.platform.people, "change", before=lambda _: town.claim(other, template))
        )

        with pytest.raises(NumberTaken):
            add(late, person_id, other)

        assert town.session(other).person_id != person_id
        assert profile_of(town, person_id).other_numbers == ()

    def test_given_an_identity_taken_by_nobody_in_sight_when_added_then_who_it_is_is_not_told(
        self, town: World
    ) -> None:
        _, person_id = somebody(town)

        def lost(_: int) -> None:
            raise IdentityTaken

        late = with_store(town, "people", Watched(town.platform.people, "change", before=lost))
        with pytest.raises(NumberTaken) as refused:
            add(late, person_id, a_person())

        assert refused.value.facts == {"person_id": None}

    def test_given_an_impossible_number_or_one_too_many_when_added_then_refused(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, person_id = somebody(town)
        fresh = a_person()
        monkeypatch.setattr(correcting, "MOST_NUMBERS", 2)
        add(town, person_id, a_person())

        for number, pointer in (
            (replace(fresh, id_number=fresh.id_number[:-1] + "A"), "/id_number"),
            (replace(fresh, id_type="foreign_permanent"), "/id_type"),
            (fresh, "/id_number"),
        ):
            with pytest.raises(Invalid) as refused:
                add(town, person_id, number)
            assert refused.value.pointer == pointer
