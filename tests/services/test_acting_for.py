"""亲情代办: a relative claims for a person, shows and gives back for them, and either may end it. domain.md §1, §3."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AssertionNotAccepted,
    CapReached,
    Forbidden,
    Invalid,
    ProxyLimitReached,
    RelationNotFound,
    Reused,
)
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.proxy import Kin, Relation
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Receipt, State
from chalicelib.services import acting_for, changing_vouchers, claiming, showing
from chalicelib.services.identifying import OpenedSession
from tests.storage.worlds import own_world
from tests.world import World, a_person


@pytest.fixture
def world(shared_world: World) -> World:
    world = own_world(shared_world)
    world.rules(proxy_limit=2)
    return world


def claim_for(
    world: World, person: Profile, relative: Profile, template: Template, *, key: str | None = None, **changes: Any
) -> Done[Receipt]:
    p, template_id = world.platform, template.template_id
    asked = claiming.ClaimRequest(
        template_id,
        world.assertion(person, "claim", template_id, actor=world.channel),
        "card",
        claiming.ProxyRequest(world.assertion(relative, "proxy", template_id, actor=world.channel), Kin.CHILD),
    )
    return claiming.claim_voucher(
        p.catalogue, p.templates, p.people, p.keys, p.chance, replace(asked, **changes), **world.by(world.channel, key)
    )


def relations(world: World, person: Profile) -> list[Relation]:
    return list(acting_for.list_relations(world.platform.people, world.session(person), 50, None).items)


def end(world: World, person: Profile, relation_id: str, key: str | None = None) -> Done[Relation]:
    p = world.platform
    return acting_for.end_relation(
        p.people, p.marks, relation_id, session=world.session(person), **world.by(world.channel, key)
    )


def open_for(world: World, relative: Profile, relation_id: str) -> OpenedSession:
    p, jws = world.platform, world.assertion(relative, "session", actor=world.channel)
    return acting_for.open_session_for(p.people, p.keys, p.chance, jws, relation_id, actor=world.channel, now=world.now)


def test_given_a_relative_when_they_claim_then_the_voucher_is_the_person_s_and_history_names_both(
    world: World,
) -> None:
    person, relative, template = a_person(name="张三"), a_person(name="张小四"), world.publish(5)

    got = claim_for(world, person, relative, template).answer

    (relation,) = relations(world, person)
    assert (got.facts["proxy"], got.facts["kin"]) == (relation.relation_id, "child")
    assert (relation.person_name, relation.proxy_name) == ("张*", "张**")
    assert relations(world, relative) == [relation]
    assert (
        showing.open_wallet(world.platform.templates, world.platform.people, world.session(person), 50, None, world.now)
        .items[0]
        .voucher.voucher_id
        == got.voucher_id
    )
    with pytest.raises(AlreadyClaimed):
        world.claim(person, template)
    assert world.claim(relative, template).answer.version == 1  # their own right is untouched


@pytest.mark.parametrize("known", ["nobody", "the person", "the relative", "both"])
def test_given_who_was_met_before_when_a_relative_claims_then_it_works_and_again_is_the_same_answer(
    world: World, known: str
) -> None:
    person, relative, template = a_person(), a_person(), world.publish(9)
    met = {"nobody": [], "the person": [person], "the relative": [relative], "both": [person, relative]}[known]
    for one in met:
        world.claim(one, world.publish(5))

    first = claim_for(world, person, relative, template, key="k")
    again = claim_for(world, person, relative, template, key="k")

    assert (again.answer, again.hit) == (first.answer, True)
    assert len(relations(world, person)) == 1
    world.check_laws()


def test_given_a_relation_that_stands_when_the_relative_claims_again_then_it_is_the_same_one(world: World) -> None:
    person, relative = a_person(), a_person()

    got = [claim_for(world, person, relative, world.publish(5)).answer.facts["proxy"] for _ in range(3)]

    assert len(set(got)) == 1
    assert len(relations(world, relative)) == 1


def test_given_a_limit_of_two_when_a_third_person_is_to_be_served_then_refused_until_one_relation_ends(
    world: World,
) -> None:
    relative, people, template = a_person(), [a_person() for _ in range(3)], world.publish(9)
    first, _ = (claim_for(world, person, relative, template).answer for person in people[:2])

    with pytest.raises(ProxyLimitReached) as refused:
        claim_for(world, people[2], relative, template)
    end(world, people[0], str(first.facts["proxy"]))
    third = claim_for(world, people[2], relative, template)

    assert refused.value.facts == {"limit": 2}
    assert third.answer.version == 1
    assert world.stock(template).made == 3


def test_given_a_region_without_proxies_when_one_claims_then_refused(world: World) -> None:
    world.rules(proxy_limit=0)

    with pytest.raises(ProxyLimitReached):
        claim_for(world, a_person(), a_person(), world.publish(5))


def test_given_caps_when_a_relative_claims_then_those_of_the_person_count(world: World) -> None:
    world.rules(proxy_limit=5, caps=(Cap("one", Window.YEAR, CapBy.ALL, 1),))
    person, relative = a_person(), a_person()
    world.claim(relative, world.publish(5))
    claim_for(world, person, relative, world.publish(5))

    with pytest.raises(CapReached):
        claim_for(world, person, relative, world.publish(5))


@pytest.mark.parametrize(
    ("purpose", "subject", "age", "reason"),
    [("claim", True, 0, "purpose"), ("proxy", False, 0, "subject"), ("proxy", True, 301, "expired")],
)
def test_given_a_relative_s_assertion_that_is_not_for_this_when_claiming_then_refused(
    world: World, purpose: str, subject: bool, age: int, reason: str
) -> None:
    template = world.publish(5)
    named = template.template_id if subject else "SOMETHING"
    jws = world.at(world.now - timedelta(seconds=age)).assertion(a_person(), purpose, named, actor=world.channel)

    with pytest.raises(AssertionNotAccepted) as refused:
        claim_for(world, a_person(), a_person(), template, proxy=claiming.ProxyRequest(jws, Kin.SPOUSE))

    assert refused.value.facts == {"reason": reason}
    assert world.stock(template).made == 0


def test_given_somebody_who_would_act_for_themselves_when_claiming_then_refused(world: World) -> None:
    person = a_person()

    with pytest.raises(Invalid) as refused:
        claim_for(world, person, person, world.publish(5))

    assert refused.value.pointer == "/proxy/assertion"


def test_given_a_relation_when_the_relative_opens_a_session_then_wallet_and_giving_back_are_the_person_s(
    world: World,
) -> None:
    person, relative, p = a_person(), a_person(), world.platform
    got = claim_for(world, person, relative, world.publish(5)).answer
    relation_id = str(got.facts["proxy"])

    session = p.keys.sessions.read(open_for(world, relative, relation_id).session)
    (card,) = showing.open_wallet(p.templates, p.people, session, 50, None, world.now).items
    returned = changing_vouchers.give_back(
        p.catalogue, p.templates, p.people, p.keys, got.voucher_id, session=session, **world.by(world.channel)
    ).answer

    assert card.voucher.voucher_id == got.voucher_id
    assert (returned.state, returned.facts) == (State.RETURNED, {"proxy": relation_id})
    with pytest.raises(Forbidden):
        acting_for.list_relations(p.people, session, 50, None)
    with pytest.raises(Forbidden):
        acting_for.end_relation(p.people, p.marks, relation_id, session=session, **world.by(world.channel))


@pytest.mark.parametrize("by", ["person", "proxy"])
def test_given_a_relation_when_either_ends_it_then_no_session_opens_and_the_voucher_stays(
    world: World, by: str
) -> None:
    person, relative = a_person(), a_person()
    got = claim_for(world, person, relative, world.publish(5)).answer
    relation_id = str(got.facts["proxy"])
    who = person if by == "person" else relative

    ended = end(world, who, relation_id, key=f"end-{by}")

    assert (ended.answer.revoked_by, ended.answer.revoked_at) == (by, world.now)
    assert end(world, who, relation_id, key=f"end-{by}").hit
    with pytest.raises(RelationNotFound):
        end(world, who, relation_id)
    with pytest.raises(RelationNotFound):
        open_for(world, relative, relation_id)
    assert relations(world, person) == relations(world, relative) == [ended.answer]
    assert world.voucher(got.voucher_id).state is State.CLAIMED
    fresh = claim_for(world, person, relative, world.publish(5)).answer.facts["proxy"]  # both showed their e-SSC again
    assert fresh != relation_id


def test_given_a_person_who_is_acted_for_when_they_would_open_the_relative_s_session_then_there_is_none(
    world: World,
) -> None:
    person, relative = a_person(), a_person()
    relation_id = str(claim_for(world, person, relative, world.publish(5)).answer.facts["proxy"])

    with pytest.raises(RelationNotFound):
        open_for(world, person, relation_id)
    with pytest.raises(RelationNotFound):
        open_for(world, relative, "A" * 16)


def test_given_a_key_that_was_used_when_it_comes_with_another_body_then_it_is_reused(world: World) -> None:
    person, relative, template = a_person(), a_person(), world.publish(5)
    claim_for(world, person, relative, template, key="k")
    by = world.by(world.channel, "k")
    attempt = Attempt(by["attempt"].request, "another body")
    p, template_id = world.platform, template.template_id
    asked = claiming.ClaimRequest(template_id, world.assertion(person, "claim", template_id, actor=world.channel))

    with pytest.raises(Reused):
        claiming.claim_voucher(
            p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **(by | {"attempt": attempt})
        )
