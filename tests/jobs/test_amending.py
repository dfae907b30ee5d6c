"""The job of an amendment: what it asks for, what it reports, and which deliveries come to the same."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.amendment import Errand
from chalicelib.jobs import amending as job
from chalicelib.services.amending import FIRST_LOOK, NEXT_LOOK
from tests.jobs.conftest import Reports
from tests.services.faults import Watched, with_store
from tests.world import World, a_person

EVENT = Path(__file__).resolve().parents[2] / "events" / "amend_vouchers.errand.json"
LONGER = date(2021, 7, 15)


class Time:
    """Lambda's context: ``calls`` more questions are answered with plenty of time, all later ones with none."""

    def __init__(self, calls: int = 1_000_000) -> None:
        self._left = calls

    def get_remaining_time_in_millis(self) -> int:
        self._left -= 1
        return 300_000 if self._left >= 0 else job.RESERVE_MILLISECONDS


def a_delivery(*errands: Errand) -> dict[str, Any]:
    """What SQS hands over, after the example in ``events/``."""
    record = json.loads(EVENT.read_text(encoding="utf-8"))["Records"][0]
    return {"Records": [{**record, "body": errand.text()} for errand in errands]}


def an_amended(world: World, how_many: int) -> str:
    template = world.publish(50)
    for _ in range(how_many):
        world.claim(a_person(), template)
    world.amend(template, valid_until=LONGER)
    return template.template_id


def asked(world: World) -> list[tuple[Errand, timedelta]]:
    errands: Any = world.platform.errands
    return list(errands.asked)


def test_given_an_amendment_when_its_messages_are_delivered_one_after_the_other_then_it_is_finished(
    wired: World, reports: Reports
) -> None:
    template_id = an_amended(wired, 5)

    for number in range(2):
        errand, _ = asked(wired)[number]
        assert job.run(a_delivery(errand), Time()) == {"batchItemFailures": []}

    first, second = Errand(template_id, 1), Errand(template_id, 1, 1)
    assert asked(wired) == [(first, FIRST_LOOK), (second, NEXT_LOOK)]
    assert reports.counts == [("amend_vouchers", "looks_again"), ("amend_vouchers", "finished")]
    assert [(line["moved"], line["left"], line["look"]) for line in reports.lines] == [(5, 0, 0), (0, 0, 1)]
    done = wired.platform.templates.amendment(template_id, 1)
    assert done is not None
    assert (done.moved, done.finished_at) == (5, wired.now)
    wired.check_laws(wired.vouchers())


@pytest.mark.all_lanes
def test_given_time_runs_out_when_run_then_a_message_hands_the_rest_on_at_once_from_where_it_was(
    wired: World, reports: Reports
) -> None:
    template_id = an_amended(wired, 20)

    job.run(a_delivery(Errand(template_id, 1)), Time(20))
    rest, delay = asked(wired)[-1]

    assert (rest.look, rest.found, rest.day, rest.lane, delay) == (0, True, date(2021, 7, 1), 20, timedelta())
    assert reports.counts == [("amend_vouchers", "handed_on")]
    job.run(a_delivery(rest), Time())
    assert {one.valid_until for one in wired.vouchers()} == {LONGER}
    assert asked(wired)[-1] == (Errand(template_id, 1, 1), NEXT_LOOK)


def test_given_the_same_message_several_times_when_delivered_then_nothing_is_done_twice(
    wired: World, reports: Reports
) -> None:
    template_id = an_amended(wired, 5)
    first, last = Errand(template_id, 1), Errand(template_id, 1, 1)

    job.run(a_delivery(first, first, last), Time())
    before = wired.vouchers()
    job.run(a_delivery(last, first), Time())

    assert wired.vouchers() == before
    assert {one.version for one in before} == {2}
    assert reports.counts[2:] == [("amend_vouchers", "finished")] * 3


def test_given_the_recorded_event_of_a_template_that_is_not_there_when_run_then_there_is_nothing_to_do(
    wired: World, reports: Reports
) -> None:
    event = json.loads(EVENT.read_text(encoding="utf-8"))

    assert job.run(event, Time()) == {"batchItemFailures": []}
    assert job.run({}, Time()) == {"batchItemFailures": []}
    assert asked(wired) == []


@pytest.mark.parametrize("body", ["", "{}", '{"sweep":"expire"}', "[]"])
def test_given_a_message_of_another_kind_when_run_then_it_fails_and_stays_in_the_queue(wired: World, body: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        job.run({"Records": [{"body": body}]}, Time())


def test_given_a_voucher_that_cannot_be_written_when_run_then_the_function_fails_and_names_it(
    wired: World, reports: Reports
) -> None:
    template_id = an_amended(wired, 1)

    def refuse(_: int) -> None:
        raise ValueError

    whole = wired.platform
    broken = with_store(wired, "people", Watched(whole.people, "record_steps", before=refuse))
    wiring.use(broken.platform)

    with pytest.raises(job.VouchersLeft):
        job.run(a_delivery(Errand(template_id, 1)), Time())

    rest = Errand(template_id, 1, 1, False, date(2021, 7, 1), 31, failed=True)
    with pytest.raises(job.VouchersLeft):  # a run before it found somebody, who does not stand in what is left
        job.run(a_delivery(rest), Time())
    done = whole.templates.amendment(template_id, 1)
    assert done is not None
    assert done.finished_at is None
    del reports.lines[2:]
    assert [line["outcome"] for line in reports.lines] == ["failed", "failed"]
    assert reports.lines[0]["trouble"] == "ValueError"
    wiring.use(whole)
    job.run(a_delivery(Errand(template_id, 1)), Time())
    assert {one.valid_until for one in wired.vouchers()} == {LONGER}
