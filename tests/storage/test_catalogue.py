"""The catalogue's shelves and rule sets: what is put on a shelf is what is taken from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import MOST_REGIONS, AssertionKey, Client, Operator, Role, Secret
from chalicelib.domain.eligibility_service import EligibilityService, ServiceSecret
from chalicelib.domain.errors import AlreadyExists, ConcurrentChange, Invalid
from chalicelib.domain.institution import Admission, Institution, Kind
from chalicelib.domain.outcomes import RequestSeen
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.region import Cap, CapBy, Region, RuleSet, Window
from chalicelib.services.ports import Catalogue, Platform, Shelf
from tests.storage.arranging import a_mark, an_id, joined, walk

AT = datetime(2021, 5, 1, 4, 0, 0, 123_000, UTC)
TODAY = date(2021, 5, 1)


@dataclass(frozen=True)
class Noun:
    """A shelf, a full specimen that is listed under ``listing``, and the name of its id."""

    shelf: Callable[[Catalogue], Shelf[Any]]
    specimen: Callable[[str, str], Any]
    id_name: str

    def __call__(self, listing: str, **changes: Any) -> Any:
        return replace(self.specimen(an_id(), listing), **changes)

    def key(self, one: Any) -> str:
        return str(getattr(one, self.id_name))


NOUNS = {
    "regions": Noun(lambda c: c.regions, lambda i, of: Region(i, "深圳市", "Shenzhen", "city", of), "code"),
    "programmes": Noun(
        lambda c: c.programmes,
        lambda i, of: Programme(i, of, "企业职工培训", "Staff training", "enterprise", 10**15, "4-02-02-01", 5, 3),
        "programme_id",
    ),
    "courses": Noun(
        lambda c: c.courses,
        lambda i, of: Course(i, "P1", of, "440300", "电工（初级）", "Electrician", 40, online=True, version=3),
        "course_id",
    ),
    "institutions": Noun(
        lambda c: c.institutions,
        lambda i, of: Institution(
            i, of, "某校", "A school", Kind.SCHOOL, "22.5430960", "114.057865", "gcj02", Admission.SUSPENDED, 3
        ),
        "institution_id",
    ),
    "clients": Noun(
        lambda c: c.clients,
        lambda i, of: Client(
            i,
            "某渠道",
            Role.INSTITUTION,
            (of, "440100"),
            ("91350100M000100Y43",),
            (Secret("S1", "sealed", AT, AT + timedelta(days=1)), Secret("S2", "sealed too", AT)),
            AT,
            disabled_at=AT,
            version=3,
            requests_per_second=7,
        ),
        "app_key",
    ),
    "operators": Noun(
        lambda c: c.operators,
        lambda i, of: Operator(i, "经*", "key", of, "91350100M000100Y43", AT, disabled_at=AT, version=3),
        "operator_id",
    ),
    "assertion_keys": Noun(
        lambda c: c.assertion_keys, lambda i, _: AssertionKey(i, "key", AT, disabled_at=AT, version=3), "kid"
    ),
    "eligibility_services": Noun(
        lambda c: c.eligibility_services,
        lambda i, _: EligibilityService(
            i, "https://eligibility.example/", 60, (ServiceSecret("K1", "sealed", AT, AT),), AT, "OP1", AT, version=3
        ),
        "region",
    ),
}
VERSIONED = [name for name in NOUNS if name != "regions"]


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
def test_given_a_noun_when_put_on_its_shelf_then_any_container_takes_the_same_from_it(
    stores: Platform, elsewhere: Platform, noun: Noun
) -> None:
    one = noun("440300")

    noun.shelf(stores.catalogue).add(one, a_mark())

    assert noun.shelf(elsewhere.catalogue).read(noun.key(one)) == one
    assert noun.shelf(elsewhere.catalogue).get(noun.key(one)) == one
    assert noun.shelf(elsewhere.catalogue).read(an_id()) is None


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
def test_given_a_noun_when_added_twice_then_it_exists_and_the_first_stays(stores: Platform, noun: Noun) -> None:
    shelf, one = noun.shelf(stores.catalogue), noun("440300")
    shelf.add(one, None)

    with pytest.raises(AlreadyExists) as refused:
        shelf.add(noun("440100", **{noun.id_name: noun.key(one)}), a_mark())

    assert refused.value.facts == {"what": noun.key(one)}
    assert shelf.read(noun.key(one)) == one


@pytest.mark.parametrize("name", VERSIONED)
def test_given_a_noun_when_changed_then_only_from_the_version_that_was_read(stores: Platform, name: str) -> None:
    noun = NOUNS[name]
    shelf, one = noun.shelf(stores.catalogue), noun("440300")
    shelf.add(one, None)
    after = replace(one, version=4)
    shelf.change(after, a_mark())

    for version in (4, 3, 6):  # a second writer, one further behind, and one who skips
        with pytest.raises(ConcurrentChange):
            shelf.change(replace(one, version=version), a_mark())

    assert shelf.read(noun.key(one)) == after


def test_given_a_noun_that_is_not_there_when_changed_then_it_is_not_made(stores: Platform) -> None:
    shelf, one = stores.catalogue.operators, NOUNS["operators"]("440300")

    with pytest.raises(ConcurrentChange):
        shelf.change(one, a_mark())

    assert shelf.read(one.operator_id) is None


def test_given_a_request_that_was_seen_when_it_adds_or_changes_then_that_is_said_before_anything_else(
    stores: Platform,
) -> None:
    shelf, one = stores.catalogue.operators, NOUNS["operators"]("440300")
    mark = a_mark()
    shelf.add(one, mark)

    with pytest.raises(RequestSeen):
        shelf.add(one, mark)  # it exists as well
    with pytest.raises(RequestSeen):
        shelf.change(replace(one, version=9), mark)  # it is stale as well

    assert shelf.read(one.operator_id) == one


def test_given_a_noun_that_was_got_when_another_container_changes_it_then_get_may_lag_and_read_does_not(
    stores: Platform, elsewhere: Platform
) -> None:
    one = NOUNS["institutions"]("440300")
    stores.catalogue.institutions.add(one, None)
    here, there = stores.catalogue.institutions, elsewhere.catalogue.institutions
    assert here.get(one.institution_id) == there.get(one.institution_id) == one
    after = replace(one, admission=Admission.ADMITTED, version=4)

    here.change(after, a_mark())

    assert here.get(one.institution_id) == after  # who changed it forgets at once
    assert there.get(one.institution_id) == one
    assert there.read(one.institution_id) == after


def test_given_a_noun_that_was_missing_when_it_is_added_elsewhere_then_get_finds_it(
    stores: Platform, elsewhere: Platform
) -> None:
    one = NOUNS["programmes"]("440300")
    assert stores.catalogue.programmes.get(one.programme_id) is None

    elsewhere.catalogue.programmes.add(one, None)

    assert stores.catalogue.programmes.get(one.programme_id) == one


def test_given_a_region_without_a_service_when_got_again_then_nothing_is_read_until_one_is_added_here(
    stores: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, one = stores.catalogue.eligibility_services, NOUNS["eligibility_services"]("all")
    read: list[str] = []
    monkeypatch.setattr(shelf, "read", lambda key: read.append(key))

    assert [shelf.get(one.region) for _ in range(3)] == [None] * 3
    assert read == [one.region]

    monkeypatch.undo()
    shelf.add(one, None)
    assert shelf.get(one.region) == one


# --- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["courses", "institutions"])
def test_given_a_listing_when_walked_page_by_page_then_each_stands_once_in_order(stores: Platform, name: str) -> None:
    noun, listing, other = NOUNS[name], an_id(), an_id()
    shelf = noun.shelf(stores.catalogue)
    added = [noun(listing) for _ in range(7)]
    for one in (*added, noun(other)):
        shelf.add(one, None)

    pages = walk(lambda cursor: shelf.page(listing, 3, cursor))

    assert joined(pages) == sorted(added, key=noun.key)
    assert [len(page) for page in pages] == [3, 3, 1]


def test_given_a_listing_that_fits_a_page_when_read_then_it_ends_there_or_with_an_empty_page(stores: Platform) -> None:
    listing = an_id()
    added = [NOUNS["courses"](listing) for _ in range(3)]
    for one in added:
        stores.catalogue.courses.add(one, None)

    exactly = walk(lambda cursor: stores.catalogue.courses.page(listing, 3, cursor))
    roomy = stores.catalogue.courses.page(listing, 4, None)

    assert len(joined(exactly)) == 3
    assert len(roomy.items) == 3
    assert roomy.cursor is None
    assert stores.catalogue.courses.page(an_id(), 4, None).items == ()


def test_given_a_cursor_when_used_on_another_list_then_it_is_refused(stores: Platform) -> None:
    listing, other = an_id(), an_id()
    for name in ("courses", "institutions"):
        for place in (listing, listing, other):
            NOUNS[name].shelf(stores.catalogue).add(NOUNS[name](place), None)
    cursor = stores.catalogue.courses.page(listing, 1, None).cursor
    assert cursor is not None

    for another_list in (
        lambda: stores.catalogue.courses.page(other, 1, cursor),
        lambda: stores.catalogue.institutions.page(listing, 1, cursor),
        lambda: stores.templates.page(listing, 1, cursor),
        lambda: stores.accounts.page(listing, 1, cursor),
        lambda: stores.people.wallet(listing, 1, cursor),
    ):
        with pytest.raises(Invalid) as refused:
            another_list()
        assert refused.value.pointer == "cursor"

    assert len(stores.catalogue.courses.page(listing, 1, cursor).items) == 1  # on its own it goes on


# --- rule sets -----------------------------------------------------------------------------------------------------


def some_rules(region: str, version: int, effective_from: date, **changes: Any) -> RuleSet:
    return replace(RuleSet(region, version, effective_from), **changes)


def test_given_a_rule_set_when_added_then_the_same_comes_back(stores: Platform, elsewhere: Platform) -> None:
    region = an_id()
    rules = RuleSet(
        region,
        1,
        TODAY,
        caps=(
            Cap("three-a-year", Window.YEAR, CapBy.ALL, 3),
            Cap("once-ever", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 1),
        ),
        one_at_a_time=True,
        redeemed_counts_as_held=True,
        give_back_frees_cap=False,
        reversal_window=7,
        help_line="0755-12333",
    )

    stores.catalogue.rule_sets.add(rules, a_mark())

    assert elsewhere.catalogue.rule_sets.versions(region, 1, None).items[0] == rules
    assert elsewhere.catalogue.rule_sets.decided(region, TODAY) == rules


def test_given_a_version_that_is_taken_when_added_again_then_the_first_stays(stores: Platform) -> None:
    region = an_id()
    first = some_rules(region, 1, TODAY)
    stores.catalogue.rule_sets.add(first, None)

    with pytest.raises(ConcurrentChange):
        stores.catalogue.rule_sets.add(replace(first, help_line="other"), a_mark())

    assert stores.catalogue.rule_sets.versions(region, 1, None).items[0] == first


def test_given_versions_that_begin_on_different_days_when_asked_then_each_day_has_the_latest_that_has_begun(
    stores: Platform,
) -> None:
    region, day = an_id(), timedelta(days=1)
    begins = [TODAY, TODAY + 10 * day, TODAY + 5 * day, TODAY + 30 * day]
    sets = [some_rules(region, number, begin) for number, begin in enumerate(begins, start=1)]
    for rules in sets:
        stores.catalogue.rule_sets.add(rules, None)

    def standing(day: date) -> int | None:
        found = stores.catalogue.rule_sets.decided(region, day)
        return found.version if found else None

    assert standing(TODAY - day) is None
    assert standing(TODAY) == standing(TODAY + 4 * day) == 1
    assert standing(TODAY + 5 * day) == standing(TODAY + 29 * day) == 3  # version 3 replaced what 2 had announced
    assert standing(TODAY + 30 * day) == 4
    assert stores.catalogue.rule_sets.versions(region, 1, None).items[0] == sets[-1]


def test_given_the_tenth_version_when_asked_then_it_is_later_than_the_ninth(stores: Platform) -> None:
    region = an_id()
    for version in range(1, 12):
        stores.catalogue.rule_sets.add(some_rules(region, version, TODAY), None)

    assert stores.catalogue.rule_sets.versions(region, 1, None).items[0] == some_rules(region, 11, TODAY)


def test_given_rules_that_were_looked_up_when_this_container_decides_new_ones_then_they_hold_at_once(
    stores: Platform,
) -> None:
    region = an_id()
    stores.catalogue.rule_sets.add(some_rules(region, 1, TODAY), None)
    assert stores.catalogue.rule_sets.decided(region, TODAY) == some_rules(region, 1, TODAY)

    stores.catalogue.rule_sets.add(some_rules(region, 2, TODAY), None)

    assert stores.catalogue.rule_sets.decided(region, TODAY) == some_rules(region, 2, TODAY)


def test_given_rules_decided_elsewhere_when_a_minute_passes_then_they_hold_below_too(
    stores: Platform, elsewhere: Platform
) -> None:
    there: Any = elsewhere.catalogue.rule_sets
    ticks = [0.0]
    there._decided._ticks = lambda: ticks[0]
    stores.catalogue.rule_sets.add(some_rules("360700", 1, TODAY, one_at_a_time=False), None)
    assert there.in_force("360702", TODAY).one_at_a_time is False
    ticks[0] = 59.0
    assert there.in_force("360703", TODAY).one_at_a_time is False

    stores.catalogue.rule_sets.add(some_rules("360700", 2, TODAY, one_at_a_time=True), None)
    ticks[0] = 61.0

    assert there.in_force("360702", TODAY).one_at_a_time is True
    assert there.in_force("360703", TODAY).one_at_a_time is True


def test_given_more_clients_than_a_page_when_a_region_is_looked_through_then_all_are_there(stores: Platform) -> None:
    region, one = an_id(), NOUNS["clients"]("440300")
    for number in range(101):
        stores.catalogue.clients.add(replace(one, app_key=f"{region}{number:03d}", regions=(region,)), None)

    assert len(stores.catalogue.clients.listed(region)) == 101


def test_given_a_client_of_several_regions_when_listed_then_each_of_them_has_it_as_it_is_now(
    stores: Platform, elsewhere: Platform
) -> None:
    clients, regions = stores.catalogue.clients, (an_id(), an_id(), an_id())
    one = replace(NOUNS["clients"]("440300"), regions=regions)
    clients.add(one, a_mark())
    slower = replace(one, version=one.version + 1, requests_per_second=1)

    before = [clients.page(region, 10, None).items for region in regions]
    clients.change(slower, a_mark())

    assert before == [(one,)] * 3
    assert [clients.page(region, 10, None).items for region in regions] == [(slower,)] * 3
    assert [elsewhere.catalogue.clients.listed(region) for region in regions] == [(slower,)] * 3


def test_given_a_client_of_before_when_it_is_changed_then_its_other_regions_list_it_too(
    stores: Platform,
) -> None:
    clients, (first, second) = stores.catalogue.clients, (an_id(), an_id())
    old = replace(NOUNS["clients"]("440300"), regions=(first,))
    clients.add(old, a_mark())
    assert not clients.page(second, 10, None).items

    clients.change(replace(old, version=old.version + 1, regions=(first, second)), a_mark())

    assert [one.app_key for one in clients.page(second, 10, None).items] == [old.app_key]


def test_given_as_many_regions_as_a_client_may_have_when_added_then_one_transaction_holds_them(
    stores: Platform,
) -> None:
    clients, regions = stores.catalogue.clients, tuple(an_id() for _ in range(MOST_REGIONS))
    one = replace(NOUNS["clients"]("440300"), regions=regions)

    clients.add(one, a_mark())

    assert clients.page(regions[-1], 10, None).items == (one,)
