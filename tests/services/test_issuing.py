"""定向券: issued to a named person, taken by that person, ended with the claim window. domain.md §3, §6."""

from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.eligibility import Asked, Declared
from chalicelib.domain.errors import (
    AlreadyClaimed,
    CapReached,
    ChannelNotOpen,
    ClaimWindowOver,
    EligibilityServiceUnavailable,
    Invalid,
    NameDiffers,
    NotClaimed,
    NotDirected,
    NotEligible,
    OutOfScope,
    PersonFlagged,
    Reused,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.outcomes import StaleRow
from chalicelib.domain.person import FlagKind, NameDifference
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.domain.voucher import State
from chalicelib.services import comparing_names, correcting, publishing
from chalicelib.services.correcting import Correction
from chalicelib.services.identifying import Presented
from tests.eligibility import sample_server
from tests.services.faults import Watched, with_store
from tests.services.test_acting_for import claim_for
from tests.services.test_flagging import flag
from tests.storage.worlds import no_writes, own_world
from tests.world import CITY, OTHER_CITY, World, a_person, an_actor, local


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def directed(world: World, quantity: int = 5, **changes: Any) -> Template:
    return world.publish(quantity, distribution_mode=DistributionMode.DIRECTED, **changes)


class TestIssued:
    def test_given_a_person_when_put_on_the_template_then_issued_taken_and_used_with_counters_that_fit(
        self, world: World
    ) -> None:
        person, template = a_person(), directed(world)

        issued = world.issue(person, template).answer

        assert (issued.state, issued.step, issued.version) == (State.ISSUED, "issue", 1)
        assert issued.facts["claim_until"] == "2021-06-30"
        stock = [shard.counts[State.ISSUED] for shard in world.platform.templates.shards(template)]
        assert sum(stock) == 1
        with pytest.raises(NotClaimed):
            world.redeem(Presented(code=world.code(person, issued.voucher_id)))

        taken = world.claim(person, template).answer

        assert (taken.voucher_id, taken.state, taken.version) == (issued.voucher_id, State.CLAIMED, 2)
        assert world.redeem(Presented(code=world.code(person, issued.voucher_id))).answer.state is State.REDEEMED
        world.check_laws(world.vouchers())

    def test_given_a_directed_template_when_somebody_else_claims_then_it_is_for_the_named(self, world: World) -> None:
        template = directed(world)
        world.issue(a_person(), template)

        with no_writes(world), pytest.raises(Exception, match="directed_only"):
            world.claim(a_person(), template)

    def test_given_the_same_request_when_sent_again_then_the_same_answer_and_another_request_is_refused(
        self, world: World
    ) -> None:
        person, template = a_person(), directed(world)
        first = world.issue(person, template, key="one")

        again = world.issue(person, template, key="one")

        assert (again.hit, again.answer) == (True, first.answer)
        with pytest.raises(AlreadyClaimed) as refused:
            world.issue(person, template, key="two")
        assert refused.value.facts["voucher_id"] == first.answer.voucher_id
        world.claim(person, template)
        assert world.issue(person, template, key="one").answer == first.answer
        assert sum(shard.made for shard in world.platform.templates.shards(template)) == 1

    def test_given_many_at_once_when_issued_to_one_person_then_one_voucher(self, world: World) -> None:
        person, template, together = a_person(), directed(world), Barrier(8)
        heard: list[str] = []

        def issue(number: int) -> None:
            mine = world.another_container()
            together.wait()
            try:
                heard.append(mine.issue(person, template, key=f"k{number}").answer.state)
            except AlreadyClaimed:
                heard.append("already")

        threads = [Thread(target=issue, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(heard) == ["already"] * 7 + ["issued"]
        world.check_laws(world.vouchers())


class TestRefused:
    def test_given_an_open_template_when_issued_then_refused(self, world: World) -> None:
        template = world.publish(5)

        with no_writes(world), pytest.raises(NotDirected):
            world.issue(a_person(), template)

    @pytest.mark.parametrize(
        ("said", "pointer"),
        [
            ({"id_number": "440199199001010011"}, "/id_number"),
            ({"id_type": "foreign_permanent"}, "/id_type"),
            ({"mobile": "12345678901"}, "/mobile"),
        ],
    )
    def test_given_what_cannot_be_when_issued_then_the_field_is_named(
        self, world: World, said: dict[str, Any], pointer: str
    ) -> None:
        person, template = a_person(), directed(world)
        number = {"id_number": person.id_number[:-1] + ("1" if person.id_number.endswith("0") else "0")}

        with no_writes(world), pytest.raises(Invalid) as refused:
            world.issue(person, template, **(number if "id_number" in said else said))

        assert refused.value.pointer == pointer

    def test_given_another_region_or_nobody_s_template_when_issued_then_it_does_not_exist_or_is_out_of_scope(
        self, world: World
    ) -> None:
        template = directed(world)
        elsewhere = an_actor("ELSEWHERE", Role.CITY, OTHER_CITY)
        narrow = an_actor("NARROW", Role.CITY, CITY)
        assert narrow.operator is not None
        narrow = replace(narrow, operator=replace(narrow.operator, region="440305"))

        for actor, refusal in ((elsewhere, TemplateNotFound), (narrow, OutOfScope)):
            with no_writes(world), pytest.raises(refusal):
                world.issue(a_person(), template, actor=actor)

    def test_given_no_stock_a_suspended_or_an_ended_template_when_issued_then_refused(self, world: World) -> None:
        empty, shut, over = directed(world, 1), directed(world), directed(world, claim_until=date(2021, 5, 2))
        world.issue(a_person(), empty)
        world.act(publishing.suspend_template, shut)
        world.clock.advance(timedelta(days=2))

        for template, refusal in ((empty, SoldOut), (shut, TemplateNotOpen), (over, ClaimWindowOver)):
            with pytest.raises(refusal):
                world.issue(a_person(), template)

    def test_given_rules_caps_and_flags_when_issued_then_judged_as_a_claim_is(self, world: World) -> None:
        person = a_person()
        world.claim(person, world.publish(1))
        young = directed(world, eligibility=Declared(rule="age", age_to=20))

        with no_writes(world), pytest.raises(NotEligible):
            world.issue(person, young)
        world.rules(caps=(Cap("all", Window.YEAR, CapBy.ALL, 1),))
        other = directed(world)
        with no_writes(world), pytest.raises(CapReached):
            world.issue(person, other)
        world.rules()
        flag(world, world.session(person).person_id, FlagKind.INELIGIBLE)
        with pytest.raises(PersonFlagged):
            world.issue(person, directed(world))


class TestByService:
    def test_given_a_template_that_asks_the_service_when_issued_then_it_is_asked_once_and_last_and_has_the_last_word(
        self, world: World
    ) -> None:
        server = sample_server()
        server.behave("answer")
        world.decide_service()
        template, known = directed(world, eligibility=Asked()), a_person()
        server.asked.clear()
        world.claim(known, world.publish(1))
        flag(world, world.session(known).person_id, FlagKind.INELIGIBLE)

        with pytest.raises(PersonFlagged):  # refused by what is known here: nobody is asked about in vain
            world.issue(known, template)
        assert len(server.asked) == 0
        assert world.issue(a_person(), template).answer.state is State.ISSUED
        assert len(server.asked) == 1
        server.behave("fail")
        with no_writes(world), pytest.raises(EligibilityServiceUnavailable):
            world.issue(a_person(), template)
        server.behave("answer")

    def test_given_the_service_when_a_race_makes_it_judge_again_then_it_is_asked_once(self, world: World) -> None:
        server = sample_server()
        server.behave("answer")
        world.decide_service()
        template, person = directed(world, eligibility=Asked()), a_person()
        server.asked.clear()

        def overtaken(call: int) -> None:
            if call == 1:
                raise StaleRow

        people = Watched(world.platform.people, "record_claim", before=overtaken)

        assert with_store(world, "people", people).issue(person, template).answer.state is State.ISSUED
        assert len(server.asked) == 1


def names_held(world: World, actor: Actor | None = None) -> list[NameDifference]:
    by = actor or world.bureau
    return list(comparing_names.list_held(world.platform, CITY, 10, None, actor=by, now=world.now).items)


class TestNames:
    def test_given_another_name_than_the_asserted_one_when_taken_then_held_until_the_bureau_corrects_it(
        self, world: World
    ) -> None:
        person, template = a_person(name="测试乙"), directed(world)
        world.issue(person, template, name="测试丙")

        for _ in range(2):
            with pytest.raises(NameDiffers):
                world.claim(person, template)

        (held,) = names_held(world)
        assert (held.asserted_name, held.registered_name, held.template_id) == ("测**", "测**", template.template_id)
        p = world.platform
        right = Correction(name=person.name, reason="名单有误")
        correcting.correct_person(p.people, p.marks, p.keys, held.person_id, right, **world.by(world.bureau))
        assert world.claim(person, template).answer.voucher_id == held.voucher_id
        assert names_held(world) == []

    def test_given_two_other_names_when_taken_then_each_is_told_until_the_voucher_is_revoked(
        self, world: World
    ) -> None:
        person, template = a_person(name="测试乙"), directed(world)
        voucher_id = world.issue(person, template, name="测试丙").answer.voucher_id
        for one in (person, replace(person, name="测乙"), person):
            with pytest.raises(NameDiffers):
                world.claim(one, template)

        assert sorted(one.asserted_name for one in names_held(world)) == ["测*", "测**"]
        with pytest.raises(OutOfScope):
            names_held(world, an_actor("ELSEWHERE", Role.CITY, OTHER_CITY))
        world.revoke(voucher_id)
        assert names_held(world) == []

    def test_given_another_spelling_of_the_name_when_taken_then_it_is_the_same(self, world: World) -> None:
        person, template = a_person(name="阿卜·买买提"), directed(world)
        world.issue(person, template, name=" 阿卜•买买提 ")

        assert world.claim(person, template).answer.state is State.CLAIMED

    def test_given_somebody_known_under_another_name_when_issued_then_refused(self, world: World) -> None:
        person = a_person(name="测试乙")
        template = directed(world)
        world.claim(person, world.publish(1))

        with no_writes(world), pytest.raises(NameDiffers):
            world.issue(person, template, name="测试丙")


class TestTaken:
    def test_given_a_local_channel_of_elsewhere_when_taken_then_not_open_there(self, world: World) -> None:
        person, template = a_person(), directed(world)
        world.issue(person, template)
        elsewhere = an_actor("LOCALAPP2", Role.CHANNEL, OTHER_CITY)

        with no_writes(world), pytest.raises(ChannelNotOpen):
            world.claim(person, template, actor=elsewhere)

    def test_given_a_request_to_take_it_when_sent_again_then_the_same_answer(self, world: World) -> None:
        person, template = a_person(), directed(world)
        world.issue(person, template)
        first = world.claim(person, template, key="take")

        again = world.claim(person, template, key="take")

        assert (again.hit, again.answer) == (True, first.answer)
        with pytest.raises(Reused):
            world.claim(person, template, key="take", body=b"other")
        with pytest.raises(AlreadyClaimed):
            world.claim(person, template)

    def test_given_a_suspension_that_this_container_has_not_heard_of_when_taken_then_the_shard_refuses(
        self, world: World
    ) -> None:
        person, template = a_person(), directed(world)
        world.issue(person, template)
        there = world.another_container()
        there.template(template.template_id)
        there.platform.templates.get(template.template_id)
        world.act(publishing.suspend_template, template)

        with pytest.raises(TemplateNotOpen):
            there.claim(person, template)

        world.act(publishing.resume_template, template)
        assert world.claim(person, template).answer.state is State.CLAIMED

    def test_given_a_closed_template_when_taken_within_its_window_then_it_still_can_be(self, world: World) -> None:
        person, template = a_person(), directed(world)
        world.issue(person, template)
        world.act(publishing.close_template, template)

        assert world.claim(person, template).answer.state is State.CLAIMED
        world.check_laws(world.vouchers())

    def test_given_a_flag_since_it_was_issued_when_taken_then_refused(self, world: World) -> None:
        person, template = a_person(), directed(world)
        world.issue(person, template)
        flag(world, world.session(person).person_id, FlagKind.DECEASED)

        with no_writes(world), pytest.raises(PersonFlagged):
            world.claim(person, template)

    def test_given_a_relative_when_they_take_it_then_both_are_named_and_the_relation_stands(self, world: World) -> None:
        world.rules(proxy_limit=1)
        person, relative, template = a_person(), a_person(), directed(world)
        world.issue(person, template)

        taken = claim_for(world, person, relative, template).answer

        assert (taken.state, taken.facts["kin"]) == (State.CLAIMED, "child")
        world.rules()


class TestEnded:
    def test_given_it_was_not_taken_when_the_claim_window_is_over_then_it_expires_and_frees_its_money(
        self, world: World
    ) -> None:
        person, template = a_person(), directed(world, claim_until=date(2021, 5, 31))
        issued = world.issue(person, template).answer
        assert world.voucher(issued.voucher_id).due_on == date(2021, 6, 1)
        world.clock.set(local("2021-05-31T16:05:00Z"))

        with pytest.raises(AlreadyClaimed):  # it had its voucher, which is over
            world.claim(person, template)
        world.expire()

        assert world.voucher(issued.voucher_id).state is State.EXPIRED
        world.check_laws(world.vouchers())

    def test_given_a_longer_claim_window_when_the_template_was_amended_then_it_can_be_taken_until_then(
        self, world: World
    ) -> None:
        person, other = a_person(), a_person()
        template = directed(world, claim_until=date(2021, 5, 31))
        ids = [world.issue(one, template).answer.voucher_id for one in (person, other)]
        amendment = world.amend(template, claim_until=date(2021, 6, 10)).answer
        world.clock.set(local("2021-05-31T16:05:00Z"))

        assert world.claim(person, template).answer.state is State.CLAIMED
        world.expire()
        assert world.voucher(ids[1]).state is State.ISSUED
        world.carry_out(amendment)
        assert world.voucher(ids[1]).claim_until == date(2021, 6, 10)
        assert world.voucher(ids[1]).due_on == date(2021, 6, 11)

    def test_given_it_was_issued_when_the_bureau_takes_it_away_or_the_holder_gives_it_back_then_it_is_over(
        self, world: World
    ) -> None:
        template, first, second = directed(world), a_person(), a_person()
        ids = [world.issue(one, template).answer.voucher_id for one in (first, second)]

        world.revoke(ids[0])
        world.give_back(second, ids[1])

        assert [world.voucher(one).state for one in ids] == [State.REVOKED, State.RETURNED]
        world.check_laws(world.vouchers())
