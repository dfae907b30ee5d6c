"""What a region offers, in steps. Source: domain.md §2 (a channel asks what can be claimed), §3 (suspension)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import listing as rules
from chalicelib.domain.errors import ListingFull
from chalicelib.domain.listing import MOST_ENTRIES, Left, Listing
from chalicelib.domain.template import DistributionMode, Look, Template, TemplateState, Terms
from tests.domain.builders import some_terms

NOW = datetime(2021, 5, 1, 4, 0, tzinfo=UTC)
CITY = "440300"


def terms_of(template_id: str = "T1", **changes: Any) -> Terms:
    wanted: dict[str, Any] = {"claim_from": date(2021, 4, 1), "claim_until": date(2021, 6, 30)}
    return replace(some_terms(), template_id=template_id, **{**wanted, **changes})


def a_template(template_id: str = "T1", **changes: Any) -> Template:
    template = Template(
        template_id=template_id,
        region=CITY,
        account_id=f"{CITY}-2021",
        state=TemplateState.PUBLISHED,
        look=Look("深圳市职业培训券", note="只给持券人看"),
        terms_version=1,
        peak_claims=0,
        quantity=1_000,
        unallotted=1_000,
        made_at=NOW,
        published_at=NOW,
    )
    return replace(template, **changes)


def listed(*templates: Template) -> Listing:
    listing = Listing(CITY)
    for template in templates:
        listing = rules.follow(listing, template, terms_of(template.template_id), NOW) or listing
    return listing


@pytest.mark.parametrize(
    ("remaining", "quantity", "step"),
    [
        (0, 10, Left.NONE),
        (1, 10, Left.FEW),
        (100, 100, Left.FEW),
        (101, 200, Left.PLENTY),
        (101, 1_000, Left.SOME),
        (1_000, 100_000, Left.FEW),
        (1_001, 100_000, Left.SOME),
        (20_000, 100_000, Left.SOME),
        (20_001, 100_000, Left.PLENTY),
    ],
)
def test_given_a_stock_when_told_then_it_is_a_step(remaining: int, quantity: int, step: Left) -> None:
    assert rules.left_of(remaining, quantity) is step


@pytest.mark.parametrize(
    ("changes", "terms", "there"),
    [
        ({}, {}, True),
        ({"state": TemplateState.SUSPENDED}, {}, True),
        ({"state": TemplateState.DRAFT}, {}, False),
        ({"state": TemplateState.CLOSED}, {}, False),
        ({}, {"distribution_mode": DistributionMode.DIRECTED}, False),
        ({}, {"claim_until": date(2021, 5, 1)}, True),
        ({}, {"claim_until": date(2021, 4, 30)}, False),
        ({}, {"claim_from": date(2021, 6, 1)}, True),
    ],
)
def test_given_a_template_when_judged_then_what_is_open_and_not_over_is_listed(
    changes: dict[str, Any], terms: dict[str, Any], there: bool
) -> None:
    assert rules.is_listed(a_template(**changes), terms_of(**terms), NOW) is there


class TestFollow:
    def test_given_a_publication_when_followed_then_it_stands_there_without_its_note(self) -> None:
        (entry,) = listed(a_template()).entries

        assert (entry.template_id, entry.left, entry.left_since) == ("T1", Left.PLENTY, NOW)
        assert entry.look.note == ""
        assert entry.look.title == "深圳市职业培训券"

    def test_given_several_when_listed_then_the_newest_comes_first(self) -> None:
        older = a_template("T9", published_at=NOW - timedelta(days=1))

        assert [one.template_id for one in listed(a_template("T1"), older, a_template("T2")).entries] == [
            "T2",
            "T1",
            "T9",
        ]

    def test_given_a_suspension_when_followed_then_what_is_left_stays_as_it_was_counted(self) -> None:
        before = listed(a_template())
        some = replace(before, entries=(replace(before.entries[0], left=Left.SOME),))
        shut = a_template(state=TemplateState.SUSPENDED, unallotted=0, version=4)

        after = rules.follow(some, shut, terms_of(), NOW + timedelta(hours=1))

        assert after is not None
        assert after.version == some.version + 1
        assert after.entries == (replace(some.entries[0], state=TemplateState.SUSPENDED),)

    def test_given_it_was_sold_out_when_more_is_added_then_that_counts_at_once(self) -> None:
        before = listed(a_template())
        gone = replace(before, entries=(replace(before.entries[0], left=Left.NONE),))
        later = NOW + timedelta(hours=1)

        after = rules.follow(gone, a_template(quantity=1_050, unallotted=50), terms_of(), later)

        assert after is not None
        assert (after.entries[0].left, after.entries[0].left_since) == (Left.FEW, later)

    def test_given_more_of_what_is_plenty_when_added_then_nothing_is_written(self) -> None:
        assert rules.follow(listed(a_template()), a_template(unallotted=10, quantity=1_010), terms_of(), NOW) is None

    def test_given_a_closing_when_followed_then_it_is_gone_and_twice_is_nothing(self) -> None:
        closed = a_template(state=TemplateState.CLOSED)

        after = rules.follow(listed(a_template(), a_template("T2")), closed, terms_of(), NOW)

        assert after is not None
        assert [one.template_id for one in after.entries] == ["T2"]
        assert rules.follow(after, closed, terms_of(), NOW) is None

    def test_given_a_window_that_opens_again_when_its_stock_is_in_shards_then_it_is_not_called_gone(
        self,
    ) -> None:
        template = a_template(unallotted=0, published_at=NOW - timedelta(days=9))

        after = rules.follow(listed(), template, terms_of(), NOW, amended=True)

        assert after is not None
        assert after.entries[0].left is Left.SOME

    def test_given_a_full_list_when_one_more_is_published_then_it_is_refused_and_a_suspension_never_is(self) -> None:
        full = listed(*(a_template(f"T{number}") for number in range(MOST_ENTRIES)))
        newcomer, later = a_template("NEW"), NOW + timedelta(days=1)
        stranger = a_template("OLD", state=TemplateState.SUSPENDED, published_at=NOW - timedelta(days=9))

        with pytest.raises(ListingFull) as refused:
            rules.follow(full, newcomer, terms_of("NEW"), NOW)

        assert refused.value.facts == {"limit": MOST_ENTRIES}
        assert rules.follow(full, stranger, terms_of("OLD"), later) is None
        with pytest.raises(ListingFull):  # its window was over, and an amendment opens it again
            rules.follow(full, stranger, terms_of("OLD"), later, amended=True)
        assert rules.follow(full, a_template("T7", state=TemplateState.SUSPENDED), terms_of("T7"), later) is not None

    def test_given_a_full_list_with_one_that_is_over_when_one_more_is_published_then_it_takes_its_place(self) -> None:
        full = listed(*(a_template(f"T{number}") for number in range(MOST_ENTRIES)))
        over = replace(full.entries[0], terms=replace(full.entries[0].terms, claim_until=date(2021, 4, 30)))
        full = replace(full, entries=(over, *full.entries[1:]))

        after = rules.follow(full, a_template("NEW"), terms_of("NEW"), NOW)

        assert after is not None
        names = {one.template_id for one in after.entries}
        assert "NEW" in names
        assert over.template_id not in names


class TestRecount:
    def test_given_a_count_when_no_step_changed_then_nothing_is_written(self) -> None:
        there = listed(a_template(), a_template("T2"))
        heads = [(a_template(one), terms_of(one)) for one in ("T1", "T2")]

        assert rules.recount(there, heads, {"T1": 999, "T2": 201}, NOW + timedelta(minutes=1)) is None

    def test_given_a_count_when_a_step_changed_then_that_entry_says_since_when(self) -> None:
        there, later = listed(a_template(), a_template("T2")), NOW + timedelta(minutes=1)
        heads = [(a_template(one), terms_of(one)) for one in ("T1", "T2")]

        after = rules.recount(there, heads, {"T1": 0, "T2": 500}, later)

        assert after is not None
        assert {one.template_id: (one.left, one.left_since) for one in after.entries} == {
            "T1": (Left.NONE, later),
            "T2": (Left.PLENTY, NOW),
        }

    def test_given_what_is_over_closed_or_unknown_when_counted_then_it_is_dropped(self) -> None:
        there = listed(*(a_template(one) for one in ("OVER", "CLOSED", "LOST", "STAYS")))
        heads = [
            (a_template("OVER"), terms_of("OVER", claim_until=date(2021, 4, 30))),
            (a_template("CLOSED", state=TemplateState.CLOSED), terms_of("CLOSED")),
            (a_template("STAYS"), terms_of("STAYS")),
        ]

        after = rules.recount(there, heads, dict.fromkeys(("OVER", "CLOSED", "STAYS"), 900), NOW)

        assert after is not None
        assert [one.template_id for one in after.entries] == ["STAYS"]

    def test_given_an_entry_that_is_behind_its_template_when_counted_then_it_is_set_right(self) -> None:
        newer = terms_of(version=2, claim_until=date(2021, 7, 31))
        head = a_template(state=TemplateState.SUSPENDED, terms_version=2)

        after = rules.recount(listed(a_template()), [(head, newer)], {"T1": 1_000}, NOW)

        assert after is not None
        assert (after.entries[0].state, after.entries[0].terms) == (TemplateState.SUSPENDED, newer)
        assert after.entries[0].left_since == NOW


def test_given_several_regions_when_paged_then_each_entry_comes_once_and_in_order() -> None:
    city = listed(a_template("T1"), a_template("T2"))
    province = replace(listed(a_template("T3"), a_template("T4")), region="440000")
    province = replace(province, entries=tuple(replace(one, region="440000") for one in province.entries))
    all_of_them = [one.template_id for one in rules.after_place([city, province], None)]

    told = []
    place: tuple[str, str] | None = None
    while entry := next(rules.after_place([city, province], place), None):
        told.append(entry.template_id)
        place = entry.region, entry.place

    assert told == all_of_them == ["T2", "T1", "T4", "T3"]
