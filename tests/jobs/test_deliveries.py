"""What the sweep reports, when it stops, and which deliveries it answers how."""

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.voucher import State
from chalicelib.jobs import sweeping as job
from tests.jobs.conftest import RememberedQueue, Reports
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.world import World, a_person, local

EVENT = Path(__file__).resolve().parents[2] / "events" / "continue_expiry.sweeps.json"
NIGHT = local("2021-06-30T16:05:00Z")


class Time:
    """Lambda's context: how much time is left, whenever it is asked."""

    def __init__(self, milliseconds: int) -> None:
        self._left = milliseconds
        self.asked = 0

    def get_remaining_time_in_millis(self) -> int:
        self.asked += 1
        return self._left


PLENTY = 900_000


def a_delivery(*bodies: str) -> dict[str, Any]:
    """What SQS hands over, after the example in ``events/``."""
    record = json.loads(EVENT.read_text(encoding="utf-8"))["Records"][0]
    return {"Records": [{**record, "messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def claims(world: World, how_many: int) -> None:
    template = world.publish(50)
    for _ in range(how_many):
        world.claim(a_person(), template)
    world.clock.set(NIGHT)


def test_given_time_enough_when_the_schedule_fires_then_all_is_done_and_reported_once(
    wired: World, queue: RememberedQueue, reports: Reports
) -> None:
    claims(wired, 3)

    report = job.run(Time(PLENTY))

    said = {
        "since": "2021-06-29", "until": "2021-07-01", "examined": 3,
        "expired": 3, "forfeited": 0, "written_off": 0, "deferred": 0, "finished": True, "left": 0,
    }  # fmt: skip
    assert report == said
    assert reports.lines == [{"message": "expire", "failed": False, "outcome": "finished", **said}]
    assert reports.counts == [("expire", "finished"), ("expire", "expired 3")]
    assert queue.asked == []


def test_given_just_the_reserve_is_left_when_it_fires_then_no_chunk_is_begun(
    wired: World, queue: RememberedQueue, reports: Reports
) -> None:
    claims(wired, 1)

    report = job.run(Time(job.RESERVE_MILLISECONDS))
    again = job.run(Time(job.RESERVE_MILLISECONDS + 1))

    assert (report["examined"], report["finished"]) == (0, False)
    assert queue.asked == ["expire"]
    assert (again["expired"], again["finished"]) == (1, True)


def test_given_several_messages_in_one_delivery_and_it_comes_twice_when_gone_on_then_nothing_is_done_twice(
    wired: World, queue: RememberedQueue, reports: Reports
) -> None:
    claims(wired, 3)
    delivery = a_delivery('{"sweep":"expire"}', '{"sweep":"expire"}', '{"sweep":"expire"}')

    answers = [job.go_on(delivery, Time(PLENTY)) for _ in range(2)]

    assert answers == [{"batchItemFailures": []}] * 2
    assert [line["expired"] for line in reports.lines] == [3, 0]
    assert {one.version for one in wired.vouchers()} == {2}
    assert queue.asked == []


@pytest.mark.parametrize("event", [{}, {"Records": []}])
def test_given_a_delivery_of_nothing_when_gone_on_then_no_sweep_runs(
    wired: World, reports: Reports, event: dict[str, Any]
) -> None:
    claims(wired, 1)
    time = Time(PLENTY)

    assert job.go_on(event, time) == {"batchItemFailures": []}

    assert time.asked == 0
    assert {one.state for one in wired.vouchers()} == {State.CLAIMED}


def test_given_a_sweep_that_fails_when_gone_on_then_the_failure_keeps_the_message_and_its_next_delivery_finishes(
    wired: World, queue: RememberedQueue, reports: Reports
) -> None:
    claims(wired, 3)
    delivery, whole = a_delivery('{"sweep":"expire"}'), wired.platform
    broken = with_store(wired, "people", Watched(whole.people, "record_steps", after=cut_at(1)))
    wiring.use(broken.platform)

    with pytest.raises(PowerCut):
        job.go_on(delivery, Time(PLENTY))
    wiring.use(whole)
    job.go_on(delivery, Time(PLENTY))

    assert {one.state for one in wired.vouchers()} == {State.EXPIRED}
    assert {one.version for one in wired.vouchers()} == {2}
    wired.check_laws(wired.vouchers())
