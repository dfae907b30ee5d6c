"""What a person may claim, and for the rest why not: what is told is what a claim then says. domain.md §2, §3."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.eligibility import AnyOf, Asked, Declared, Listed, Rule
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AssertionNotAccepted,
    CapReached,
    ChannelNotOpen,
    ClaimWindowNotOpen,
    ClaimWindowOver,
    DomainError,
    HoldsAnother,
    Invalid,
    ListingFull,
    NotEligible,
    PersonFlagged,
    RegionNotFound,
    SoldOut,
    TemplateNotOpen,
)
from chalicelib.domain.listing import Left, Listing
from chalicelib.domain.person import FlagKind, Profile
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.services import flagging, offering, publishing
from chalicelib.storage.listing_rows import MOST_BYTES
from tests.faults.layer import Recorded, under
from tests.services.faults import Watched, with_store
from tests.services.test_merging import Two
from tests.world import CITY, OTHER_CITY, PROVINCE, START, World, a_person, an_actor

ONE_A_YEAR = Cap("one_a_year", Window.YEAR, CapBy.ALL, 1)


@pytest.fixture
def world(strict_world: World) -> World:
    """Rules and listings of its own."""
    return strict_world


def claim_says(world: World, person: Profile, template: Template, actor: Any = None) -> DomainError | None:
    try:
        world.claim(person, template, actor=actor)
    except DomainError as refused:
        return refused
    return None


# --- what is told is what a claim says -------------------------------------------------------------------------------

Arrange = Callable[[World, Profile], Template]


def open_to_all(world: World, person: Profile) -> Template:
    return world.publish(5)


def claimed_by_the_person(world: World, person: Profile) -> Template:
    template = world.publish(5)
    world.claim(person, template)
    return template


def suspended(world: World, person: Profile) -> Template:
    template = world.publish(5)
    world.act(publishing.suspend_template, template)
    return template


def not_begun(world: World, person: Profile) -> Template:
    return world.publish(5, claim_from=date(2021, 5, 2))


def over_since_midnight(world: World, person: Profile) -> Template:
    template = world.publish(5, claim_until=date(2021, 5, 1))
    world.clock.set(START + timedelta(days=1))
    return template


def for_the_old(world: World, person: Profile) -> Template:
    return world.publish(5, eligibility=Declared(rule="old", age_from=60))


def for_veterans(world: World, person: Profile) -> Template:
    return world.publish(5, eligibility=Listed(groups=("veteran",)))


def for_veterans_as_one(world: World, person: Profile) -> Template:
    world.enlist(person, "veteran", region=PROVINCE)
    return for_veterans(world, person)


def for_veterans_as_one_of_elsewhere(world: World, person: Profile) -> Template:
    world.enlist(person, "veteran", region=OTHER_CITY)
    return for_veterans(world, person)


def capped(world: World, person: Profile) -> Template:
    claimed_by_the_person(world, person)
    world.rules(caps=(ONE_A_YEAR,))
    return world.publish(5)


def another_in_hand(world: World, person: Profile) -> Template:
    claimed_by_the_person(world, person)
    world.rules(one_at_a_time=True)
    return world.publish(5)


def another_in_hand_of_what_is_closed(world: World, person: Profile) -> Template:
    held = claimed_by_the_person(world, person)
    world.act(publishing.close_template, held)
    world.rules(one_at_a_time=True)
    return world.publish(5)


def another_that_was_returned(world: World, person: Profile) -> Template:
    held = world.publish(5)
    world.give_back(person, world.claim(person, held).answer.voucher_id)
    world.rules(one_at_a_time=True)
    return world.publish(5)


def flagged(world: World, person: Profile) -> Template:
    claimed_by_the_person(world, person)
    p, person_id = world.platform, world.session(person).person_id
    flagging.set_flag(p.people, p.marks, person_id, FlagKind.INELIGIBLE, "已退休", None, **world.by(world.bureau))
    return world.publish(5)


def gone(world: World, person: Profile) -> Template:
    template = world.publish(1)
    world.claim(a_person(), template)
    world.count()
    return template


CASES: list[tuple[Arrange, type[DomainError] | None]] = [
    (open_to_all, None),
    (claimed_by_the_person, AlreadyClaimed),
    (suspended, TemplateNotOpen),
    (not_begun, ClaimWindowNotOpen),
    (over_since_midnight, ClaimWindowOver),
    (for_the_old, NotEligible),
    (for_veterans, NotEligible),
    (for_veterans_as_one, None),
    (for_veterans_as_one_of_elsewhere, NotEligible),
    (capped, CapReached),
    (another_in_hand, HoldsAnother),
    (another_in_hand_of_what_is_closed, HoldsAnother),
    (another_that_was_returned, None),
    (flagged, PersonFlagged),
    (gone, SoldOut),
]


@pytest.mark.parametrize(("arrange", "kind"), CASES, ids=lambda one: getattr(one, "__name__", "none"))
def test_given_an_offer_when_told_then_a_claim_says_the_same(
    world: World, arrange: Arrange, kind: type[DomainError] | None
) -> None:
    person = a_person()
    template = arrange(world, person)

    offer = world.offers(person)[template.template_id]
    said = claim_says(world, person, template)

    assert type(offer.refusal) is (kind or type(None))
    assert type(said) is (kind or type(None))
    if offer.refusal is not None and said is not None:
        assert offer.refusal.facts == said.facts


def test_given_a_local_channel_when_it_looks_then_what_it_may_not_offer_says_so(world: World) -> None:
    template, local = world.publish(5), an_actor("LOCAL", Role.CHANNEL, OTHER_CITY)

    offer = world.offers(a_person(), actor=local)[template.template_id]

    said = claim_says(world, a_person(), template, local)
    assert isinstance(offer.refusal, ChannelNotOpen)
    assert isinstance(said, ChannelNotOpen)
    assert offer.refusal.facts == said.facts == {"channels": None, "channels_zh": None}


@pytest.mark.parametrize(
    ("regions", "role", "disabled", "named"),
    [
        (("000000",), Role.CHANNEL, False, True),
        ((PROVINCE,), Role.CHANNEL, False, True),
        ((CITY,), Role.CHANNEL, False, True),
        ((OTHER_CITY, CITY), Role.CHANNEL, False, True),  # its second region counts as well
        ((OTHER_CITY,), Role.CHANNEL, False, False),
        ((CITY,), Role.CHANNEL, True, False),
        ((CITY,), Role.CITY, False, False),
    ],
)
def test_given_a_channel_that_is_not_open_when_refused_then_those_that_are_open_there_are_named(
    world: World, regions: tuple[str, ...], role: Role, disabled: bool, named: bool
) -> None:
    template, local = world.publish(5), an_actor("LOCAL", Role.CHANNEL, OTHER_CITY)
    other = replace(an_actor("OTHER", role, CITY).client, name="粤省事", regions=regions)
    world.platform.catalogue.clients.add(replace(other, disabled_at=START if disabled else None), None)

    said = claim_says(world, a_person(), template, local)

    assert isinstance(said, ChannelNotOpen)
    assert said.facts["channels"] == ("粤省事" if named else None)


def test_given_many_channels_when_refused_then_twenty_are_named_each_once(world: World) -> None:
    template, local = world.publish(5), an_actor("LOCAL", Role.CHANNEL, OTHER_CITY)
    for number in range(25):
        client = replace(an_actor(f"C{number:02}", Role.CHANNEL, CITY).client, regions=(PROVINCE, CITY))
        world.platform.catalogue.clients.add(client, None)

    said = claim_says(world, a_person(), template, local)

    assert said is not None
    assert said.facts["channels_zh"] == "、".join(f"C{number:02}" for number in range(20))


def test_given_a_region_that_asks_its_service_when_told_then_it_has_the_last_word_at_the_claim(world: World) -> None:
    asked, either = world.publish(5), world.publish(5)
    listing, p = world.platform.listings.read(CITY), world.platform
    rules: dict[str, Rule] = {asked.template_id: Asked(), either.template_id: AnyOf((Asked(), Declared(age_from=16)))}
    entries = tuple(
        replace(one, terms=replace(one.terms, eligibility=rules[one.template_id])) for one in listing.entries
    )
    p.listings.write(replace(listing, version=listing.version + 1, entries=entries))

    offers = world.offers(a_person())

    assert {name: (one.refusal, one.asks_service) for name, one in offers.items()} == {
        asked.template_id: (None, True),
        either.template_id: (None, False),
    }


@pytest.mark.parametrize(("one_at_a_time", "kind"), [(False, type(None)), (True, HoldsAnother)])
def test_given_records_that_were_merged_when_told_then_what_either_of_them_has_counts(
    world: World, one_at_a_time: bool, kind: type[object]
) -> None:
    two, free = Two(world), world.publish(5)
    world.rules(one_at_a_time=one_at_a_time)

    for person in (two.first, two.second):
        offers = world.offers(person)
        for template, expected in ((two.of_first, AlreadyClaimed), (two.of_second, AlreadyClaimed), (free, kind)):
            assert type(offers[template.template_id].refusal) is expected
    for person in (two.first, two.second):
        for template in (two.of_first, two.of_second):
            told, said = world.offers(person)[template.template_id].refusal, claim_says(world, person, template)
            assert told is not None
            assert said is not None
            assert (told.code, told.facts) == (said.code, said.facts)


# --- where, and how much ---------------------------------------------------------------------------------------------


def test_given_a_province_and_its_city_when_looked_at_in_the_city_then_the_citys_own_come_first(world: World) -> None:
    city, province = world.publish(5), _of_the_province(world)

    there = world.look(a_person()).items
    above = world.look(a_person(), region=PROVINCE).items
    elsewhere = world.look(a_person(), region=OTHER_CITY).items

    assert [one.entry.template_id for one in there] == [city.template_id, province]
    assert [one.entry.template_id for one in above] == [province]
    assert [one.entry.template_id for one in elsewhere] == [province]


def test_given_more_than_a_page_when_looked_at_page_by_page_then_each_comes_once(world: World) -> None:
    offered = {world.publish(5).template_id for _ in range(5)} | {_of_the_province(world)}
    person, told_of, cursor = a_person(), [], None

    while True:
        page = world.look(person, limit=2, cursor=cursor)
        told_of += [one.entry.template_id for one in page.items]
        cursor = page.cursor
        if cursor is None:
            break

    assert sorted(told_of) == sorted(offered)
    with pytest.raises(Invalid) as refused:
        world.look(person, region=PROVINCE, cursor=world.look(person, limit=2).cursor)
    assert refused.value.pointer == "/cursor"
    for broken in ("x", "AAAA", "w7fDtw"):
        with pytest.raises(Invalid):
            world.look(person, cursor=broken)


def test_given_drafts_and_directed_ones_and_what_was_closed_when_looked_at_then_they_are_not_offered(
    world: World,
) -> None:
    world.draft(5)
    world.publish(5, distribution_mode=DistributionMode.DIRECTED)
    world.act(publishing.close_template, world.publish(5))

    assert world.offers(a_person()) == {}


@pytest.mark.parametrize(
    ("purpose", "subject", "reason"),
    [("claim", CITY, "purpose"), ("claimable", OTHER_CITY, "subject"), ("claimable", None, "subject")],
)
def test_given_an_assertion_for_something_else_when_looked_at_then_it_is_not_accepted(
    world: World, purpose: str, subject: str | None, reason: str
) -> None:
    p, jws = world.platform, world.assertion(a_person(), purpose, subject)

    with pytest.raises(AssertionNotAccepted) as refused:
        offering.look_at_offers(
            p.catalogue, p.listings, p.people, p.keys, offering.Look(CITY, jws), actor=world.channel, now=world.now
        )

    assert refused.value.facts == {"reason": reason}


def test_given_an_old_assertion_or_an_unknown_region_when_looked_at_then_it_is_refused(world: World) -> None:
    p = world.platform
    old = world.assertion(a_person(), "claimable", CITY, now=world.now - timedelta(seconds=301))
    with pytest.raises(AssertionNotAccepted):
        offering.look_at_offers(
            p.catalogue, p.listings, p.people, p.keys, offering.Look(CITY, old), actor=world.channel, now=world.now
        )

    with pytest.raises(RegionNotFound):
        world.look(a_person(), region="110100")


# --- how many reads --------------------------------------------------------------------------------------------------


def test_given_many_templates_when_looked_at_then_it_is_one_read_two_for_who_is_known_three_where_hands_count(
    world: World,
) -> None:
    known = a_person()
    held = [world.publish(5) for _ in range(12)]
    for template in held[:3]:
        world.claim(known, template)
    world.act(publishing.close_template, held[0])
    world.offers(a_person())

    def reads(person: Profile) -> list[str]:
        memory: Any = world.platform.listings
        memory._fresh.clear()  # a second later
        recorded = Recorded()
        with under(recorded):
            world.offers(person)
        return [str(call) for call in recorded.calls]

    stranger, acquaintance = reads(a_person()), reads(known)
    world.rules(one_at_a_time=True)
    world.offers(a_person())
    with_hands = reads(known)

    world.offers(a_person())
    again = Recorded()
    with under(again):
        world.offers(a_person())

    assert stranger == ["BatchGetItem 6 catalogue+people"]
    assert [str(call) for call in again.calls] == ["BatchGetItem 3 people"]  # within the same second
    assert acquaintance == [*stranger, "BatchGetItem 12 people"]
    assert with_hands == [*acquaintance, "BatchGetItem people"]


# --- the listing and its templates -----------------------------------------------------------------------------------


def test_given_every_act_upon_a_template_when_it_is_done_then_the_listing_has_followed_in_its_transaction(
    world: World,
) -> None:
    def listed() -> tuple[int, list[tuple[str, Left]]]:
        listing = world.platform.listings.read(CITY)
        return listing.version, [(one.state, one.left) for one in listing.entries]

    template = world.draft(200)
    assert listed() == (0, [])
    world.act(publishing.publish_template, template, key="publish")
    world.act(publishing.publish_template, template, key="publish")
    assert listed() == (1, [("published", Left.PLENTY)])
    world.act(publishing.suspend_template, template)
    assert listed() == (2, [("suspended", Left.PLENTY)])
    world.act(publishing.add_quantity, template, 10)
    world.act(publishing.resume_template, template)
    assert listed() == (3, [("published", Left.PLENTY)])
    world.act(publishing.close_template, template)
    assert listed() == (4, [])
    assert world.platform.listings.page(10, None).items == ()


def test_given_somebody_else_wrote_the_listing_when_published_then_it_is_read_again(world: World) -> None:
    first = True

    def another_is_published(_: int) -> None:
        nonlocal first
        if first:
            first = False
            world.publish(5)

    draft = world.draft(5)
    busy = with_store(world, "templates", Watched(world.platform.templates, "change", before=another_is_published))
    busy.act(publishing.publish_template, draft)

    assert len(world.platform.listings.read(CITY).entries) == 2


def test_given_terms_too_long_for_a_row_when_published_then_the_listing_is_full_and_the_draft_stays(
    world: World,
) -> None:
    world.publish(5)
    (entry,) = world.platform.listings.read(CITY).entries
    wide = replace(entry, terms=replace(entry.terms, courses=tuple(f"{n:016}" for n in range(1_000))))
    full = Listing(CITY, 2, tuple(replace(wide, template_id=f"{n:016}") for n in range(MOST_BYTES // 20_000)))
    world.platform.listings.write(full)
    draft, reserved = world.draft(5, courses=(world.course.course_id,) * 1_000), world.balances()

    with pytest.raises(ListingFull):
        world.act(publishing.publish_template, draft)

    assert world.template(draft.template_id) == draft
    assert world.balances() == reserved
    assert world.platform.listings.read(CITY) == full


def _of_the_province(world: World) -> str:
    """A template of the province, put where its own would be."""
    p, template = world.platform, world.publish(5)
    listing = p.listings.read(CITY)
    entry = next(one for one in listing.entries if one.template_id == template.template_id)
    rest = tuple(one for one in listing.entries if one is not entry)
    p.listings.write(replace(listing, version=listing.version + 1, entries=rest))
    above = p.listings.read(PROVINCE)
    entries = (*above.entries, replace(entry, region=PROVINCE))
    p.listings.write(replace(above, version=above.version + 1, entries=entries))
    return template.template_id
