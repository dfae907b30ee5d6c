"""Who may find whom, who sees full data, and what trace that leaves."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Duty, Role
from chalicelib.domain.errors import Invalid, OperatorRequired, PersonNotFound, Reused
from chalicelib.domain.person import Profile
from chalicelib.services import disclosing, finding_people
from chalicelib.services.identifying import Presented
from tests.world import CITY, OTHER_CITY, World, a_person, an_actor


def an_authority(region: str = CITY, *, role: Role = Role.CITY, operator_region: str = "") -> Actor:
    actor = an_actor(f"AUTHORITY{region}", role, region)
    assert actor.operator is not None
    return replace(actor, operator=replace(actor.operator, region=operator_region or region, duties=(Duty.CLERK,)))


def find(world: World, person: Profile, actor: Actor) -> finding_people.Found:
    p = world.platform
    return finding_people.find_by_number(p.people, p.keys, person.id_type, person.id_number, actor=actor, now=world.now)


def see(world: World, person_id: str, actor: Actor, reason: str = "核对名单", **more: Any) -> Any:
    p = world.platform
    class_id = more.pop("class_id", None)
    return disclosing.disclose(p, person_id, reason, class_id, **world.by(actor, **more))


def traces(world: World, region: str) -> list[str]:
    return [one.disclosure_id for one in world.platform.disclosures.page(region, 100, None).items]


class TestFinding:
    def test_given_somebody_with_vouchers_when_looked_for_by_number_or_voucher_then_the_same_one_is_found(
        self, town: World
    ) -> None:
        person, first, second = a_person(), town.publish(3), town.publish(3)
        receipt = town.claim(person, first).answer
        town.claim(person, second)
        town.redeem(Presented(code=town.code(person, receipt.voucher_id)))

        found = find(town, person, an_authority())

        p = town.platform
        assert found == finding_people.find_by_voucher(p.people, p.keys, receipt.voucher_id, actor=an_authority())
        assert (found.vouchers, found.person.person_id) == (2, town.session(person).person_id)

    @pytest.mark.parametrize(
        ("actor", "found"),
        [
            (an_authority(CITY), True),
            (an_authority("440000", role=Role.PROVINCE), True),
            (an_authority("000000", role=Role.MINISTRY), True),
            (an_authority("440000", role=Role.PROVINCE, operator_region=OTHER_CITY), False),
            (an_authority(CITY, operator_region="440305"), False),
            (an_authority(OTHER_CITY), False),
        ],
        ids=["city", "province", "ministry", "operator of another city", "operator of a county", "another city"],
    )
    def test_given_a_voucher_of_a_city_when_an_authority_looks_then_scope_of_client_and_operator_decide(
        self, town: World, actor: Actor, found: bool
    ) -> None:
        person = a_person()
        voucher_id = town.claim(person, town.publish(1)).answer.voucher_id
        person_id, p = town.session(person).person_id, town.platform

        for ask in (
            lambda: find(town, person, actor),
            lambda: finding_people.find_by_voucher(p.people, p.keys, voucher_id, actor=actor),
            lambda: see(town, person_id, actor),
        ):
            if found:
                assert ask()
                continue
            with pytest.raises(PersonNotFound):
                ask()

    def test_given_somebody_whose_only_voucher_was_given_back_when_looked_for_then_still_found(
        self, town: World
    ) -> None:
        person = a_person()
        town.give_back(person, town.claim(person, town.publish(1)).answer.voucher_id)

        assert find(town, person, an_authority()).vouchers == 1

    def test_given_nobody_or_an_impossible_number_when_looked_for_then_it_is_said_which(self, town: World) -> None:
        stranger, p = a_person(), town.platform

        with pytest.raises(PersonNotFound):
            find(town, stranger, an_authority())
        with pytest.raises(PersonNotFound):
            finding_people.find_by_voucher(p.people, p.keys, "NONE", actor=an_authority())
        with pytest.raises(Invalid) as impossible:
            find(town, replace(stranger, id_number=stranger.id_number[:-1] + "A"), an_authority())
        with pytest.raises(Invalid) as other_type:
            find(town, replace(stranger, id_type="foreign_permanent"), an_authority())
        assert (impossible.value.pointer, other_type.value.pointer) == ("/id_number", "/id_type")

    def test_given_more_vouchers_than_a_page_when_counted_then_all_are(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finding_people, "PAGE", 1)
        person = a_person()
        for _ in range(3):
            town.claim(person, town.publish(1))

        assert find(town, person, an_authority()).vouchers == 3


class TestDisclosing:
    def test_given_a_reason_when_full_data_are_asked_for_then_they_are_shown_and_a_trace_stays(
        self, town: World
    ) -> None:
        person, actor = a_person(), an_authority()
        town.claim(person, town.publish(1))
        person_id = town.session(person).person_id

        done = see(town, person_id, actor)

        assert done.answer.profile == person
        trace = done.answer.disclosure
        assert (trace.person_id, trace.operator_id, trace.reason, trace.region, trace.made_at) == (
            person_id, actor.operator_id, "核对名单", CITY, town.now,
        )  # fmt: skip
        assert trace.disclosure_id in traces(town, CITY)  # those of one instant stand in the order of their ids
        assert trace.disclosure_id not in traces(town, OTHER_CITY)
        assert person.id_number not in repr(done)

    def test_given_a_request_sent_twice_when_answered_then_the_same_trace_and_no_second_one(self, town: World) -> None:
        person, actor = a_person(), an_authority()
        town.claim(person, town.publish(1))
        person_id = town.session(person).person_id
        first = see(town, person_id, actor, key="see")
        before = traces(town, CITY)

        again = see(town, person_id, actor, key="see")

        assert (again.hit, again.answer) == (True, first.answer)
        assert traces(town, CITY) == before
        with pytest.raises(Reused):
            see(town, person_id, actor, key="see", body=b"other")
        assert actor.operator is not None
        another = replace(actor, operator=replace(actor.operator, operator_id="ANOTHER"))
        elsewhere = replace(actor, operator=replace(actor.operator, region="440305"))
        for other, refusal in ((another, Reused), (elsewhere, PersonNotFound)):
            with pytest.raises(refusal):
                see(town, person_id, other, key="see")
        assert traces(town, CITY) == before

    def test_given_nobody_when_asked_for_then_no_trace_is_left(self, town: World) -> None:
        before = traces(town, CITY)

        with pytest.raises(PersonNotFound):
            see(town, "NOBODY", an_authority())

        assert traces(town, CITY) == before

    def test_given_no_operator_when_asked_then_refused(self, town: World) -> None:
        with pytest.raises(OperatorRequired):
            see(town, "NOBODY", replace(an_authority(), operator=None))
