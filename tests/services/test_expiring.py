"""The sweep in the way of others: steps written meanwhile, edges of its night, what comes to it late."""

from datetime import date
from typing import Any

import pytest

from chalicelib.domain.outcomes import StaleRow
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State
from chalicelib.integrations.chance import SeededChance
from chalicelib.services import sweeping
from chalicelib.services.identifying import Presented
from chalicelib.storage import keys
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.world import FACE_VALUE, World, a_person, local

LAST_DAY = date(2021, 6, 30)
DUE_DAY = date(2021, 7, 1)
SINCE = date(2021, 6, 29)  # two days that were passed already are looked at again
NIGHT = local("2021-06-30T16:05:00Z")


class OneLane(SeededChance):
    """Gives ids to people who all stand in one lane, so that a few of them make a chunk."""

    def person_id(self) -> str:
        while True:
            person_id = super().person_id()
            if keys.due_lane(person_id) == 3:
                return person_id


@pytest.fixture
def world(strict_world: World) -> World:
    """A world whose sweep has come to the last day of validity, and whose people stand in one lane."""
    strict_world.platform.checkpoints.advance(sweeping.SWEEP, LAST_DAY)
    return with_store(strict_world, "chance", OneLane("lane"))


def claims(world: World, template: Template, how_many: int) -> list[str]:
    return [world.claim(a_person(), template).answer.voucher_id for _ in range(how_many)]


def swept_until(world: World) -> date | None:
    return world.platform.checkpoints.swept_until(sweeping.SWEEP)


def states(world: World) -> dict[State, int]:
    found = [one.state for one in world.vouchers()]
    return {state: found.count(state) for state in set(found)}


def everything(world: World) -> dict[str, list[Any]]:
    """All rows of all tables, but for how far the sweep has come."""
    tables = {name: world.rows(name) for name in ("people", "catalogue", "casework", "insights")}
    rest = [row for row in tables["insights"] if row["subject"]["S"] != f"SWEEP#{sweeping.SWEEP}"]
    return tables | {"insights": rest}


def test_given_a_swept_day_when_swept_again_then_no_row_changes(world: World) -> None:
    claims(world, world.publish(20), 6)
    world.clock.set(NIGHT)
    world.expire()
    before = everything(world)

    again = world.expire()
    forgotten = Watched(world.platform.checkpoints, "none")
    forgotten.swept_until = lambda _: LAST_DAY  # type: ignore[attr-defined]
    from_the_start = with_store(world, "checkpoints", forgotten).expire()

    assert (again.examined, again.expired) == (0, 0)
    assert (from_the_start.since, from_the_start.examined, from_the_start.expired) == (SINCE, 0, 0)
    assert everything(world) == before


def test_given_the_day_is_four_minutes_old_when_swept_then_it_is_begun_and_not_before(world: World) -> None:
    claims(world, world.publish(10), 1)

    early = world.at(local("2021-06-30T16:03:59.999Z")).expire()
    in_time = world.at(local("2021-06-30T16:04:00.000Z")).expire()

    assert (early.examined, early.finished, early.until) == (0, True, LAST_DAY)
    assert (in_time.expired, in_time.until) == (1, DUE_DAY)


def test_given_no_checkpoint_when_swept_then_it_looks_a_month_back(strict_world: World) -> None:
    world = strict_world
    template = world.publish(10, claim_until=date(2021, 5, 31), valid_until=date(2021, 5, 31))
    claims(world, template, 2)
    world.clock.set(NIGHT)

    sweep = world.expire()

    assert sweep.since == DUE_DAY - sweeping.LOOK_BACK
    assert sweep.expired == 2


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_power_cut_between_chunk_and_checkpoint_when_called_again_then_nothing_expires_twice(
    world: World, moment: str
) -> None:
    template = world.publish(20)
    claims(world, template, 5)
    world.clock.set(NIGHT)
    cut: Any = {moment: cut_at(3)}  # those of the two days before, then the one that is due

    with pytest.raises(PowerCut):
        with_store(world, "checkpoints", Watched(world.platform.checkpoints, "advance", **cut)).expire()
    again = world.expire()

    assert states(world) == {State.EXPIRED: 5}
    assert (again.expired, again.finished) == (0, True)
    assert swept_until(world) == DUE_DAY
    world.check_laws(world.vouchers())


def test_given_a_voucher_redeemed_in_time_but_written_late_when_its_chunk_is_written_then_it_alone_is_spared(
    world: World,
) -> None:
    template, person = world.publish(20), a_person()
    claims(world, template, 4)
    voucher_id = world.claim(person, template).answer.voucher_id
    world.clock.set(local("2021-06-30T15:59:59.999Z"))
    shown = Presented(token=world.token(person, voucher_id))
    in_time = world.at(world.now)
    world.clock.set(NIGHT)

    def redeem_first(call: int) -> None:
        if call == 1:
            in_time.redeem(shown)

    people = Watched(world.platform.people, "record_steps", before=redeem_first)
    sweep = with_store(world, "people", people).expire()

    assert people.calls == 2
    assert (sweep.examined, sweep.expired, sweep.finished) == (5, 4, True)
    assert world.voucher(voucher_id).state is State.REDEEMED
    world.check_laws(world.vouchers())


def test_given_a_chunk_that_is_always_in_somebodys_way_when_swept_then_its_vouchers_are_taken_one_by_one(
    world: World,
) -> None:
    template = world.publish(20)
    claims(world, template, 3)
    world.clock.set(NIGHT)
    people: Any = Watched(world.platform.people, "none")
    sizes = []

    def only_singly(steps: Any, **more: Any) -> None:
        sizes.append(len(steps))
        if len(steps) > 1:
            raise StaleRow
        world.platform.people.record_steps(steps, **more)

    people.record_steps = only_singly
    sweep = with_store(world, "people", people).expire()

    assert sizes[-3:] == [1, 1, 1]
    assert set(sizes[:-3]) == {3}
    assert (sweep.expired, sweep.finished) == (3, True)
    world.check_laws(world.vouchers())


def test_given_a_redemption_reversed_after_the_last_day_when_the_next_night_comes_then_it_expires(world: World) -> None:
    template, person = world.publish(20), a_person()
    voucher_id = world.claim(person, template).answer.voucher_id
    world.clock.set(local("2021-06-30T08:00:00Z"))
    world.redeem(Presented(code=world.code(person, voucher_id)))
    world.clock.set(NIGHT)
    first_night = world.expire()
    world.clock.set(local("2021-07-01T02:00:00Z"))
    world.reverse(voucher_id)

    same_day = world.expire()
    world.clock.set(local("2021-07-01T16:05:00Z"))
    next_night = world.expire()

    assert [one.expired for one in (first_night, same_day, next_night)] == [0, 0, 1]
    assert world.voucher(voucher_id).state is State.EXPIRED
    stock = world.stock(template)
    assert (stock.ever_claimed, stock.ever_redeemed, stock.to_release_fen) == (1, 0, FACE_VALUE)
    world.check_laws(world.vouchers())
