"""Several at once, drawn by lot, each in a container of its own that dawdles before it writes: every race must fit.

The gate runs a few rounds of known seeds. `make test-long` runs many of new ones and says how many and from which seed.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.template import Template
from chalicelib.services.identifying import Presented
from tests.races.conftest import Ground
from tests.races.crowd import at_once
from tests.races.witness import Witness, a_witness
from tests.services.faults import Watched, with_store
from tests.world import World, a_person, an_actor

WRITES = {"people": ("record_claim", "record_step"), "templates": ("change", "deal", "set_gate", "release")}
Acts = list[Callable[[World], Any]]
IN_TURN = 2
Drawn = list[Callable[[], Any]]


@pytest.fixture
def seeds(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterable[int]:
    """The seeds of the rounds; those of a long run are new each time."""
    first, count = (random.SystemRandom().randrange(10**9), 150) if os.environ.get("LONG") else (1, 5)
    record_property("told", f"{request.node.name}: {count} rounds from seed {first}")
    return range(first, first + count)


def dawdling(world: World, dice: random.Random) -> World:
    """The world of a container that now and then waits before it writes, for long enough that others act twice."""
    waits = [dice.choice((0.0, 0.0, 0.01, 0.1)) for _ in range(8)]
    for store, methods in WRITES.items():
        watched = getattr(world.platform, store)
        for method in methods:
            watched = Watched(watched, method, before=lambda call: time.sleep(waits[call % 8]))
        world = with_store(world, store, watched)
    return world


def drawn(acts: Acts, worlds: Sequence[World], dice: random.Random, weights: Sequence[int] | None = None) -> Drawn:
    """For each of the containers some acts that it carries out one after the other."""

    def in_turn(lots: Acts, world: World) -> None:
        for act in lots:
            act(world)

    return [partial(in_turn, dice.choices(acts, weights, k=IN_TURN), dawdling(world, dice)) for world in worlds]


def race(witness: Witness, acts: Drawn, seed: int) -> None:
    at_once(acts)

    try:
        witness.must_fit()
    except AssertionError as misfit:
        raise AssertionError(f"seed {seed}: {misfit}") from None


def test_given_one_voucher_when_used_reversed_returned_and_revoked_at_random_then_one_order_explains_it(
    ground: Ground, seeds: Iterable[int]
) -> None:
    worlds = ground.worlds()
    template = worlds[0].publish(1_000)
    witness = a_witness(worlds[0], template)
    for seed in seeds:
        race(witness, steps_of_one_voucher(witness, worlds, template, random.Random(seed)), seed)
    worlds[0].check_laws(v for v in worlds[0].vouchers() if v.template_id == template.template_id)


def steps_of_one_voucher(witness: Witness, worlds: Sequence[World], template: Template, dice: random.Random) -> Drawn:
    person = a_person()
    voucher_id = witness.claim(worlds[0], person, template).answer.voucher_id
    code = Presented(code=worlds[0].code(person, voucher_id))
    token = Presented(token=worlds[0].token(person, voucher_id))
    acts: Acts = [
        lambda w: witness.redeem(w, person, template, code),
        lambda w: witness.redeem(w, person, template, token, version=1),
        lambda w: witness.redeem(w, person, template, code, key="the use"),
        lambda w: witness.reverse(w, person, template),
        lambda w: witness.reverse(w, person, template, key="the reversal"),
        lambda w: witness.give_back(w, person, template),
        lambda w: witness.revoke(w, person, template),
    ]
    return drawn(acts, worlds, dice, weights=(4, 2, 4, 5, 3, 1, 1))


def test_given_one_hand_when_several_templates_are_claimed_and_let_go_through_channels_at_random_then_it_fits(
    one_hand: Ground, seeds: Iterable[int]
) -> None:
    worlds = one_hand.worlds()
    templates = [worlds[0].publish(1_000) for _ in range(3)]
    witness = a_witness(worlds[0], *templates, one_at_a_time=True)
    for seed in seeds:
        race(witness, steps_of_one_hand(witness, worlds, templates, random.Random(seed)), seed)


def steps_of_one_hand(
    witness: Witness, worlds: Sequence[World], templates: Sequence[Template], dice: random.Random
) -> Drawn:
    person, held = a_person(), templates[0]

    def claim(template: Template, channel: Actor, world: World) -> Any:
        return witness.claim(world, person, template, actor=channel)

    channels = [an_actor(f"CHANNEL{number}", Role.CHANNEL, "000000") for number in range(3)]
    acts: Acts = [partial(claim, template, channel) for template in templates for channel in channels]
    if dice.random() < 0.7:  # else everybody meets the person for the first time
        voucher_id = witness.claim(worlds[0], person, held).answer.voucher_id
        code = Presented(code=worlds[0].code(person, voucher_id))
        let_go: Acts = [
            lambda w: witness.redeem(w, person, held, code),
            lambda w: witness.reverse(w, person, held),
            lambda w: witness.give_back(w, person, held),
        ]
        acts += let_go * 4
    return drawn(acts, worlds, dice)


def test_given_the_last_three_when_claimed_while_the_template_is_shut_opened_and_filled_at_random_then_it_fits(
    ground: Ground, seeds: Iterable[int]
) -> None:
    for seed in seeds:
        dice, worlds = random.Random(seed), ground.worlds(budget=10)
        template = worlds[0].publish(3, peak_claims=24)
        witness = a_witness(worlds[0], template)
        claims: Drawn = [partial(witness.claim, dawdling(w, dice), a_person(), template) for w in worlds[:4]]

        race(witness, [*claims, *drawn(acts_on(witness, template), worlds[4:], dice)], seed)
        worlds[0].check_laws()


def acts_on(witness: Witness, template: Template) -> Acts:
    return [
        lambda w: witness.act(w, "suspend", template),
        lambda w: witness.act(w, "resume", template),
        lambda w: witness.act(w, "close", template),
        lambda w: witness.act(w, "add", template, 1),
        lambda w: witness.act(w, "add", template, 4),
    ]


def test_given_a_budget_when_published_added_and_cut_at_random_then_no_fen_is_spent_twice(
    ground: Ground, seeds: Iterable[int]
) -> None:
    for seed in seeds:
        dice, worlds = random.Random(seed), ground.worlds(budget=8)
        out, *drafts = worlds[0].publish(1), worlds[0].draft(3), worlds[0].draft(4)
        witness = a_witness(worlds[0], out, *drafts)

        race(witness, drawn(spendings(witness, out, drafts), worlds, dice), seed)
        worlds[0].check_laws()


def spendings(witness: Witness, out: Template, drafts: Sequence[Template]) -> Acts:
    return [
        lambda w: witness.act(w, "publish", drafts[0]),
        lambda w: witness.act(w, "publish", drafts[1]),
        lambda w: witness.act(w, "add", out, 3),
        lambda w: witness.act(w, "close", out),
        lambda w: witness.budget(w, -3),
        lambda w: witness.budget(w, 2),
    ]
