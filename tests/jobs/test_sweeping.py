"""The first scheduled job: late, twice, cut off anywhere, handed on by message. On each engine."""

import itertools
import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.config import read_settings
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.voucher import State, Voucher
from chalicelib.jobs import sweeping
from chalicelib.services.sweeping import CHUNK, SWEEP, sweep_due
from chalicelib.storage.people import _voucher_row
from chalicelib.storage.rows import PeopleRow, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always
from tests.jobs.conftest import RememberedQueue
from tests.services.faults import PowerCut
from tests.world import FACE_VALUE, World, a_person, local
from tools.package import ROOT

MIDNIGHT_JOB = local("2021-06-30T16:05:00Z")


class Time:
    """Lambda's context: ``calls`` more questions are answered with plenty of time, all later ones with none."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def get_remaining_time_in_millis(self) -> int:
        self._left -= 1
        return 300_000 if self._left >= 0 else sweeping.RESERVE_MILLISECONDS


def claimed(world: World, count: int, **terms: Any) -> list[str]:
    template = world.publish(count, peak_claims=60, **terms)
    return [world.claim(a_person(), template).answer.voucher_id for _ in range(count)]


def states(world: World) -> list[State]:
    return sorted({voucher.state for voucher in world.vouchers()})


def test_given_120_vouchers_due_when_swept_then_all_expire_once_and_their_money_waits(world: World) -> None:
    claimed(world, 120)
    world.platform.checkpoints.advance(SWEEP, date(2021, 6, 29))
    world.clock.set(MIDNIGHT_JOB)

    first, second = world.expire(), world.expire()

    assert (first.examined, first.expired, first.finished) == (120, 120, True)
    assert (second.examined, second.expired, second.finished) == (0, 0, True)
    assert states(world) == [State.EXPIRED]
    (template_id,) = world.templates
    stock = world.stock(world.template(template_id))
    assert (stock.reserved_fen, stock.to_release_fen) == (0, 120 * FACE_VALUE)
    world.check_laws(world.vouchers())


def test_given_nothing_due_when_swept_then_no_row_changes(world: World) -> None:
    claimed(world, 3)
    before = world.vouchers()

    sweep = world.expire()

    assert (sweep.expired, sweep.finished) == (0, True)
    assert world.vouchers() == before


def test_given_days_were_missed_when_swept_then_each_is_caught_up_from_the_checkpoint(world: World) -> None:
    for day in (10, 12, 14):
        claimed(world, 4, claim_until=date(2021, 5, day), valid_until=date(2021, 5, day))
    world.platform.checkpoints.advance(SWEEP, date(2021, 5, 10))
    world.clock.set(local("2021-05-13T16:05:00Z"))

    sweep = world.expire()

    assert (sweep.since, sweep.until, sweep.expired) == (date(2021, 5, 9), date(2021, 5, 14), 8)
    world.clock.advance(timedelta(days=1))
    assert world.expire().expired == 4
    world.check_laws(world.vouchers())


@pytest.mark.all_lanes
def test_given_a_run_cut_off_after_any_number_of_chunks_when_run_again_then_it_ends_the_same(
    strict_world: World,
) -> None:
    world = strict_world
    claimed(world, 90)
    world.clock.set(MIDNIGHT_JOB)
    expired, runs = 0, 0
    for patience in itertools.count(800, 40):
        steps = itertools.count()
        sweep = world.expire(may_go_on=lambda steps=steps, patience=patience: next(steps) < patience)
        expired, runs = expired + sweep.expired, runs + 1
        world.check_laws(world.vouchers())
        if sweep.finished:
            break

    assert expired == 90
    assert runs > 1
    assert states(world) == [State.EXPIRED]


@pytest.mark.all_lanes
def test_given_a_crash_after_a_chunk_when_run_again_then_the_rest_follows_and_nothing_twice(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = strict_world
    claimed(world, 40)
    world.clock.set(MIDNIGHT_JOB)
    write = world.platform.people.record_steps
    written = itertools.count(1)

    def crashing(steps: list[tuple[Voucher, Voucher]], **more: Any) -> None:
        write(steps, **more)
        if next(written) == 5:
            raise PowerCut

    monkeypatch.setattr(world.platform.people, "record_steps", crashing)
    with pytest.raises(PowerCut):
        world.expire()
    part = sum(voucher.state is State.EXPIRED for voucher in world.vouchers())
    assert 0 < part < 40

    rest = world.expire()

    assert rest.expired == 40 - part
    world.check_laws(world.vouchers())


@pytest.mark.parametrize("trouble", [StaleRow, WriteConflict])
def test_given_a_voucher_that_cannot_be_written_when_swept_then_the_run_fails_and_the_day_is_not_passed(
    strict_world: World, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    world = strict_world
    claimed(world, 1)
    world.clock.set(MIDNIGHT_JOB)
    before = world.platform.checkpoints.swept_until(SWEEP)

    def refuse(*_: object, **__: object) -> None:
        raise trouble

    with monkeypatch.context() as broken:
        broken.setattr(world.platform.people, "record_steps", refuse)
        sweep = world.expire()
    assert (sweep.expired, [one.trouble for one in sweep.failures]) == (0, ["WriteConflict"])

    passed = world.platform.checkpoints.swept_until(SWEEP)
    assert passed is not None
    assert before is None
    assert passed == date(2021, 6, 30)  # the day before the one that is due
    assert world.expire().expired == 1


def test_given_one_voucher_that_no_longer_fits_its_row_when_swept_then_all_others_expire_and_the_function_fails(
    wired: World, queue: RememberedQueue
) -> None:
    world = wired
    ids = claimed(world, 60)
    victim = world.voucher(ids[7])
    # As no step of ours leaves it: a row so full that no entry more goes in.
    overgrown = replace(victim, sealed_code="x" * (409_300 - len(to_body(victim).encode())), version=victim.version)
    tx = Transaction(Tables(read_settings(world.environment), world.environment["AWS_ENDPOINT_URL"]))
    tx.put(_voucher_row(overgrown), PeopleRow.version == victim.version, always(StaleRow()))
    tx.commit()
    world.clock.set(MIDNIGHT_JOB)

    with pytest.raises(sweeping.VouchersLeft):
        sweeping.run(Time(100_000))

    found = Counter(voucher.state for voucher in world.vouchers())
    assert found == {State.EXPIRED: 59, State.CLAIMED: 1}
    world.check_laws(world.vouchers())
    passed = world.platform.checkpoints.swept_until(SWEEP)
    assert passed is not None
    assert passed < date(2021, 7, 1)
    with pytest.raises(sweeping.VouchersLeft):  # and again, until it is mended
        sweeping.run(Time(100_000))


@pytest.mark.all_lanes
def test_given_time_runs_out_when_the_schedule_fires_then_a_message_hands_the_rest_on(
    wired: World, queue: RememberedQueue
) -> None:
    world = wired
    claimed(world, 30)
    world.clock.set(MIDNIGHT_JOB)
    # Two days of 32 lanes are looked through once more; then time runs out in the day that is due.
    report = sweeping.run(Time(2 * 32 + 20))
    assert report["finished"] is False
    assert queue.asked == [SWEEP]
    assert 0 < report["expired"] < 30

    event = json.loads((ROOT / "events" / "continue_expiry.sweeps.json").read_text(encoding="utf-8"))
    answer = sweeping.go_on(event, Time(100_000))

    assert answer == {"batchItemFailures": []}
    assert queue.asked == [SWEEP]
    assert states(world) == [State.EXPIRED]
    world.check_laws(world.vouchers())


def test_given_the_same_message_twice_when_delivered_then_nothing_more_happens(
    wired: World, queue: RememberedQueue
) -> None:
    world = wired
    claimed(world, 5)
    world.clock.set(MIDNIGHT_JOB)
    event = json.loads((ROOT / "events" / "continue_expiry.sweeps.json").read_text(encoding="utf-8"))
    sweeping.go_on({"Records": event["Records"] * 3}, Time(100_000))
    before = world.vouchers()

    sweeping.go_on(event, Time(100_000))

    assert world.vouchers() == before
    assert queue.asked == []


def test_given_a_chunk_of_many_templates_when_swept_then_it_fits_one_transaction(world: World) -> None:
    # 33 vouchers, their shards and their templates are 99 actions: DynamoDB takes 100.
    for _ in range(CHUNK):
        world.claim(a_person(), world.publish(1))
    world.clock.set(MIDNIGHT_JOB)
    found = world.vouchers()
    people, now = world.platform.people, world.now

    class OneLane:
        """All that is due, in one page of one lane."""

        def due(self, day: date, lane: int, limit: int, cursor: str | None) -> Any:
            page = people.due(day, lane, limit, cursor)
            keys = [(v.person_id, v.template_id) for v in found] if lane == 0 and day == date(2021, 7, 1) else []
            return type(page)(tuple(keys), None)

        vouchers = staticmethod(people.vouchers)
        record_steps = staticmethod(people.record_steps)
        holders = staticmethod(people.holders)

    stand_in: Any = OneLane()
    sweep = sweep_due(replace(world.platform, people=stand_in), now=now, may_go_on=lambda: True)

    assert sweep.expired == CHUNK
    assert len({v.template_id for v in found}) == CHUNK
    world.check_laws(world.vouchers())
