"""Each minute's count of what is left: what it changes, what it costs, what it reports. design.md §1."""

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.listing import Left
from chalicelib.domain.outcomes import Page
from chalicelib.jobs import counting as job
from chalicelib.services import counting, publishing
from tests.faults.layer import Recorded, under
from tests.jobs.conftest import Reports
from tests.jobs.test_deliveries import PLENTY, Time
from tests.services.faults import Watched, with_store
from tests.world import CITY, PROVINCE, START, World, a_person


def lefts(world: World) -> dict[str, Left]:
    return {one.template_id: one.left for one in world.platform.listings.read(CITY).entries}


def test_given_claims_when_counted_then_the_steps_follow_and_a_second_count_writes_nothing(
    wired: World, reports: Reports
) -> None:
    plenty, gone = wired.publish(200), wired.publish(1)
    wired.claim(a_person(), plenty)
    wired.claim(a_person(), gone)

    first, second = job.run(Time(PLENTY)), job.run(Time(PLENTY))

    assert lefts(wired) == {plenty.template_id: Left.PLENTY, gone.template_id: Left.NONE}
    assert first == {"listings": 1, "changed": 1, "finished": True, "left": 0}
    assert second == first | {"changed": 0}
    assert reports.lines == [
        {"message": "count_offers", "failed": False, "outcome": "finished", **report} for report in (first, second)
    ]
    assert reports.counts == [("count_offers", "finished")] * 2


def test_given_a_window_that_is_over_when_counted_then_it_is_dropped_and_its_region_is_passed_over(
    wired: World, reports: Reports
) -> None:
    wired.publish(5, claim_until=date(2021, 5, 1))
    wired.clock.advance(timedelta(days=1))

    reported = [job.run(Time(PLENTY))["listings"] for _ in range(2)]

    assert lefts(wired) == {}
    assert reported == [1, 0]


def test_given_no_time_when_it_runs_then_nothing_is_begun_and_it_is_said(wired: World, reports: Reports) -> None:
    wired.publish(5)

    report = job.run(Time(job.RESERVE_MILLISECONDS))

    assert report["finished"] is False
    assert reports.lines[-1]["outcome"] == "unfinished"
    assert reports.lines[-1]["listings"] == 0


def test_given_one_listing_that_cannot_be_counted_when_it_runs_then_the_others_are_and_the_alarm_rings(
    wired: World, reports: Reports
) -> None:
    template = wired.publish(1)
    wired.claim(a_person(), template)
    listings = wired.platform.listings
    entries = tuple(replace(one, region=PROVINCE) for one in listings.read(CITY).entries)
    listings.write(replace(listings.read(PROVINCE), version=1, entries=entries))

    def breaks(call: int) -> None:
        if call == 1:
            raise RuntimeError("unreadable")

    broken = with_store(wired, "listings", Watched(listings, "templates", before=breaks))
    wiring.use(broken.platform)
    with pytest.raises(job.OffersLeft):
        job.run(Time(PLENTY))

    assert lefts(wired) == {template.template_id: Left.NONE}
    assert reports.lines[0] == {
        "message": "count_offers",
        "failed": True,
        "outcome": "failed",
        "region": PROVINCE,
        "trouble": "RuntimeError",
    }


def test_given_an_act_in_between_when_counted_then_it_is_counted_again_and_never_undone(
    wired: World, reports: Reports
) -> None:
    template = wired.publish(1)
    wired.claim(a_person(), template)

    def suspend(call: int) -> None:
        if call == 1:
            wired.act(publishing.suspend_template, template)

    busy = with_store(wired, "listings", Watched(wired.platform.listings, "write", before=suspend))
    wiring.use(busy.platform)
    report = job.run(Time(PLENTY))

    (entry,) = wired.platform.listings.read(CITY).entries
    assert report["changed"] == 1
    assert (entry.state, entry.left) == ("suspended", Left.NONE)


def test_given_templates_that_are_closed_or_over_when_counted_then_only_what_is_offered_is_read(wired: World) -> None:
    def calls() -> list[str]:
        recorded = Recorded()
        with under(recorded):
            wired.count()
        return [str(call) for call in recorded.calls]

    for _ in range(3):
        wired.publish(5)
    before = calls()
    for _ in range(5):
        wired.act(publishing.close_template, wired.publish(5))
        wired.draft(5)
    wired.count()

    assert calls() == before
    assert before == [
        "Query catalogue",
        "BatchGetItem catalogue",
        "BatchGetItem 3 catalogue",
        "BatchGetItem 3 catalogue",
        "Query catalogue",
    ]


def test_given_more_than_one_run_can_do_when_a_hundred_minutes_pass_then_each_place_has_been_the_first() -> None:
    spans: list[tuple[str, str]] = []

    def page(limit: int, cursor: str | None, since: str, until: str) -> Page[Any]:
        spans.append((since, until))
        return Page((), None)

    listings: Any = SimpleNamespace(page=page)
    for minute in range(100):
        counting.count_offers(listings, listings, now=START + timedelta(minutes=minute), may_go_on=lambda: True)

    assert {since for since, _ in spans[::2]} == {f"{number:02d}" for number in range(100)}
    assert spans == [span for since, _ in spans[::2] for span in ((since, "~"), ("0", since))]
