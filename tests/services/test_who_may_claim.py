"""Who may claim: by rule and by list at the claim itself, and the rules that a city inherits. domain.md §3."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.eligibility import AllOf, AnyOf, Asked, Declared, Listed, NotOf, Rule, Span
from chalicelib.domain.errors import (
    CapReached,
    HoldsAnother,
    Invalid,
    NotEligible,
    NotEnlisted,
    OutOfScope,
    RegionNotFound,
    RulesInForce,
    RulesNotFound,
)
from chalicelib.domain.person import Profile
from chalicelib.domain.region import Cap, CapBy, RuleSet, Window
from chalicelib.services import cataloguing, deciding_rules, enlisting
from tests.storage.worlds import own_world
from tests.world import CITY, OTHER_CITY, PROVINCE, World, a_person, an_actor

TODAY = date(2021, 5, 1)
DAY = timedelta(days=1)
VETERANS = Listed(rule="veterans", groups=("veteran",))


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def decide(world: World, region: str = CITY, day: date = TODAY, **rules: Any) -> RuleSet:
    p, draft = world.platform, RuleSet(region, 0, day, **rules)
    return deciding_rules.decide_rules(p.catalogue, p.marks, draft, **world.by(world.bureau)).answer


# --- at the claim ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "region", "listed"),
    [
        (Span(), CITY, True),
        (Span(), PROVINCE, True),  # the list of a region above counts
        (Span(), OTHER_CITY, False),  # that of another city does not
        (Span(TODAY, TODAY), CITY, True),
        (Span(TODAY + DAY), CITY, False),
        (Span(None, TODAY - DAY), CITY, False),
    ],
)
def test_given_a_list_when_somebody_claims_then_it_decides_by_region_and_dates(
    world: World, span: Span, region: str, listed: bool
) -> None:
    person, template = a_person(), world.publish(5, eligibility=VETERANS)
    world.enlist(person, "veteran", span, region)

    if listed:
        assert world.claim(person, template).answer.version == 1
        return
    with pytest.raises(NotEligible) as refused:
        world.claim(person, template)
    assert refused.value.facts["rules"] == "veterans"
    assert world.stock(template).remaining == 5


def test_given_somebody_on_a_list_when_struck_off_then_no_longer_eligible_and_what_was_claimed_stays(
    world: World,
) -> None:
    p, person = world.platform, a_person()
    first, second = (world.publish(5, eligibility=VETERANS) for _ in range(2))
    world.enlist(person, "veteran")
    world.enlist(person, "graduate")
    claimed = world.claim(person, first, key="first")

    after = enlisting.strike_off(
        p.catalogue, p.people, p.keys, p.marks, CITY, person.id_number, "veteran", **world.by(world.bureau)
    ).answer

    assert set(after.groups) == {"graduate"}
    assert world.claim(person, first, key="first").answer == claimed.answer
    with pytest.raises(NotEligible):
        world.claim(person, second)


def test_given_a_number_in_small_letters_and_spaces_when_listed_then_it_is_the_same_person(world: World) -> None:
    person, template = a_person(), world.publish(5, eligibility=VETERANS)
    spelled = f" {person.id_number[:6]} {person.id_number[6:].lower()}"

    world.enlist(replace(person, id_number=spelled), "veteran")

    assert world.claim(person, template).answer.version == 1


def test_given_a_declared_rule_when_the_number_does_not_meet_it_then_refused_by_name(world: World) -> None:
    rule = AllOf((Declared(rule="adults", age_from=16), Declared(rule="nobody", age_to=0)))

    with pytest.raises(NotEligible) as refused:
        world.claim(a_person(), world.publish(5, eligibility=rule))

    assert refused.value.facts["rules"] == "nobody"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Declared(), "a declared rule says nothing"),
        (NotOf(AnyOf((VETERANS, Declared(rule="x")))), "a declared rule says nothing"),
        (Declared(age_from=30, age_to=29), "the age ends before it begins"),
        (Asked(), "the region has no eligibility service"),
        (AllOf((VETERANS,) * 30), "the rule has too many parts, or they stand too deep"),
        (NotOf(NotOf(NotOf(NotOf(NotOf(VETERANS))))), "the rule has too many parts, or they stand too deep"),
    ],
)
def test_given_a_rule_that_cannot_be_right_when_drafted_then_refused_with_the_reason(
    world: World, rule: Rule, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        world.draft(eligibility=rule)

    assert (refused.value.pointer, refused.value.facts["reason"]) == ("/eligibility", reason)


def test_given_a_rule_of_a_region_that_is_none_when_drafted_then_not_found(world: World) -> None:
    with pytest.raises(RegionNotFound):
        world.draft(eligibility=Declared(regions=("449999",)))


# --- the list --------------------------------------------------------------------------------------------------------


def test_given_a_list_of_another_city_when_its_operator_looks_then_only_their_own_is_open(world: World) -> None:
    person, theirs = a_person(), an_actor("OTHER-BUREAU", Role.CITY, OTHER_CITY)
    world.enlist(person, "veteran")
    p = world.platform

    with pytest.raises(OutOfScope):
        enlisting.look_up(p.catalogue, p.people, p.keys, CITY, person.id_number, actor=theirs, now=world.now)
    with pytest.raises(NotEnlisted):
        enlisting.look_up(p.catalogue, p.people, p.keys, OTHER_CITY, person.id_number, actor=theirs, now=world.now)


@pytest.mark.parametrize(
    ("changes", "span", "pointer"),
    [
        ({"id_number": "440106198001010018"}, Span(), "/id_number"),
        ({}, Span(TODAY, TODAY - DAY), "/until"),
    ],
)
def test_given_what_cannot_be_right_when_enlisted_then_refused_and_nothing_is_kept(
    world: World, changes: dict[str, Any], span: Span, pointer: str
) -> None:
    person = a_person()

    with pytest.raises(Invalid) as refused:
        world.enlist(replace(person, **changes), "veteran", span)

    assert refused.value.pointer == pointer
    with pytest.raises(NotEnlisted):
        _look_up(world, person)


def test_given_twenty_groups_when_one_more_is_wanted_then_refused(world: World) -> None:
    person = a_person()
    for number in range(enlisting.MOST_GROUPS):
        world.enlist(person, f"group_{number}")

    world.enlist(person, "group_0", Span(TODAY))  # changing one is none more
    with pytest.raises(Invalid, match="invalid_request"):
        world.enlist(person, "one_more")


def _look_up(world: World, person: Profile) -> Any:
    p = world.platform
    return enlisting.look_up(p.catalogue, p.people, p.keys, CITY, person.id_number, actor=world.bureau, now=world.now)


# --- what a city inherits --------------------------------------------------------------------------------------------


def test_given_a_cap_of_the_province_when_a_city_decided_none_then_it_counts_in_all_cities_together(
    strict_world: World,
) -> None:
    world = strict_world
    decide(world, PROVINCE, caps=(Cap("three", Window.LIFETIME, CapBy.ALL, 1),), one_at_a_time=False)
    person = a_person()
    world.claim(person, world.publish(5))

    with pytest.raises(CapReached) as refused:
        world.claim(person, world.publish(5))
    assert refused.value.facts == {"rule": "three", "limit": 1}

    decide(world, CITY, caps=())
    assert world.claim(person, world.publish(5)).answer.version == 1


def test_given_one_at_a_time_of_the_province_when_something_is_held_then_the_city_refuses(strict_world: World) -> None:
    world = strict_world
    decide(world, PROVINCE, one_at_a_time=True)
    person = a_person()
    world.claim(person, world.publish(5))

    with pytest.raises(HoldsAnother):
        world.claim(person, world.publish(5))


def test_given_a_validity_of_the_region_when_a_template_says_none_then_it_is_valid_as_long(strict_world: World) -> None:
    world = strict_world
    decide(world, PROVINCE, validity_days=30)
    claim: dict[str, Any] = {"claim_from": TODAY, "claim_until": TODAY + 9 * DAY}

    short = world.draft(valid_from=None, valid_until=None, **claim)
    long = world.draft(valid_from=None, valid_until=None, **(claim | {"claim_until": TODAY + 90 * DAY}))

    terms = [world.platform.templates.terms(one.template_id, 1) for one in (short, long)]
    assert [(one.valid_from, one.valid_until) for one in terms] == [
        (TODAY, TODAY + 29 * DAY),
        (TODAY, TODAY + 90 * DAY),
    ]


# --- preview and withdrawal ------------------------------------------------------------------------------------------


def test_given_a_draft_when_previewed_then_it_tells_what_changes_where_and_changes_nothing(strict_world: World) -> None:
    world = strict_world
    decide(world, CITY, help_line="0755-12333")
    p, draft = world.platform, RuleSet(PROVINCE, 0, TODAY, help_line="020-12333", proxy_limit=5)

    preview = deciding_rules.preview_rules(p.catalogue, draft, actor=world.bureau, now=world.now)

    told = {one.rule: one for one in preview.changes}
    assert told.keys() == {"help_line", "proxy_limit"}
    assert (told["help_line"].before, told["help_line"].after) == ("12333", "020-12333")
    assert CITY in told["help_line"].decided_themselves
    assert OTHER_CITY in told["help_line"].follow
    assert {CITY, OTHER_CITY} <= set(told["proxy_limit"].follow)
    assert preview.rules.proxy_limit == 5
    assert cataloguing.rules_in_force(p.catalogue, PROVINCE, world.now).proxy_limit == 3


def test_given_a_version_that_waits_when_withdrawn_then_an_earlier_date_is_free_again(strict_world: World) -> None:
    world = strict_world
    p = world.platform
    far = decide(world, OTHER_CITY, TODAY + 300 * DAY, one_at_a_time=True)
    with pytest.raises(Invalid):
        decide(world, OTHER_CITY, TODAY + DAY, one_at_a_time=True)

    gone = deciding_rules.withdraw_rules(p.catalogue, p.marks, OTHER_CITY, far.version, **world.by(world.bureau)).answer
    near = decide(world, OTHER_CITY, TODAY + DAY, proxy_limit=1)

    assert gone.withdrawn_at == world.now
    assert near.version == far.version + 1
    assert not p.catalogue.rule_sets.in_force(OTHER_CITY, TODAY + 400 * DAY).one_at_a_time
    with pytest.raises(RulesNotFound):
        deciding_rules.withdraw_rules(p.catalogue, p.marks, OTHER_CITY, far.version, **world.by(world.bureau))


def test_given_a_version_whose_date_has_come_when_withdrawn_then_refused(strict_world: World) -> None:
    world = strict_world
    p, decided = world.platform, decide(world, OTHER_CITY)

    with pytest.raises(RulesInForce):
        deciding_rules.withdraw_rules(p.catalogue, p.marks, OTHER_CITY, decided.version, **world.by(world.bureau))
