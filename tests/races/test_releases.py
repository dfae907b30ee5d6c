"""Postings of what is free again, among claims, give-backs, expiries and each other: nothing lost, nothing twice."""

import random
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from chalicelib.domain.fund import Balance
from chalicelib.domain.voucher import State
from chalicelib.services import expiring, publishing
from tests.jobs.test_releasing import check, releases
from tests.races.crowd import at_once
from tests.world import FACE_VALUE, World, a_person, local


def run(world: World) -> int:
    return world.release().fen


def test_given_two_runs_among_claims_and_give_backs_when_all_is_over_then_every_fen_is_where_it_belongs(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(300, peak_claims=48)
    people = [a_person() for _ in range(24)]
    ids = [world.claim(person, template).answer.voucher_id for person in people]
    others = [world.another_container() for _ in range(2)]
    for person, voucher_id in list(zip(people, ids, strict=True))[:6]:
        world.give_back(person, voucher_id)

    acts: list[Callable[[], Any]] = [
        *(partial(world.give_back, person, one) for person, one in list(zip(people, ids, strict=True))[6:16]),
        *(partial(world.claim, a_person(), template) for _ in range(10)),
        *(partial(run, one) for one in others * 3),
    ]
    random.Random(7).shuffle(acts)
    outcomes = at_once(acts)

    posted = sum(one for one in outcomes if isinstance(one, int))
    assert 6 * FACE_VALUE <= posted <= 16 * FACE_VALUE
    check(world)
    assert sum(releases(world)) == posted
    rest = world.release()
    assert posted + rest.fen == 16 * FACE_VALUE
    assert world.stock(template).to_release_fen == 0
    check(world)


def test_given_two_runs_while_two_sweeps_expire_and_a_template_closes_when_all_is_over_then_nothing_waits_or_is_twice(
    strict_world: World,
) -> None:
    world = strict_world
    budget = world.balances()[Balance.FREE]
    template, closing = world.publish(100, peak_claims=48), world.publish(50, peak_claims=48)
    for _ in range(60):
        world.claim(a_person(), template)
    world.platform.checkpoints.advance(expiring.SWEEP, date(2021, 6, 29))
    world.clock.set(local("2021-06-30T16:05:00Z"))
    others = [world.another_container() for _ in range(4)]

    acts: list[Callable[[], Any]] = [
        *(one.expire for one in others[:2]),
        *(partial(run, one) for one in others * 2),
        partial(world.act, publishing.close_template, closing),
        *(partial(run, one) for one in others),
    ]
    outcomes = at_once(acts)

    assert not [one for one in outcomes if isinstance(one, Exception)]
    check(world)
    while world.release().fen:
        check(world)
    assert world.platform.templates.to_release(0, 10, None).items == ()
    assert sum(releases(world)) == 110 * FACE_VALUE
    assert {one.state for one in world.vouchers()} == {State.EXPIRED}
    assert world.balances()[Balance.FREE] == budget - 40 * FACE_VALUE
    check(world)
