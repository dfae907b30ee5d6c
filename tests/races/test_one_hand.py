"""One voucher at a time: two claims meet, whatever has just become of the voucher that was held."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.services.identifying import Presented
from tests.races.conftest import Ground
from tests.races.crowd import held_up
from tests.races.witness import Witness, a_witness
from tests.world import World, a_person, an_actor, local

LAST_MOMENT, JUST_OVER = local("2021-05-31T15:59:59.999Z"), local("2021-05-31T16:00:00Z")
CHANNELS = [an_actor(f"CHANNEL{number}", Role.CHANNEL, "000000") for number in range(3)]


@dataclass
class Town:
    """Three templates; vouchers of the first are good until the end of May."""

    worlds: list[World]
    templates: list[Template]
    witness: Witness


def a_town(ground: Ground) -> Town:
    worlds = [world.at(LAST_MOMENT) for world in ground.worlds()]
    until = date(2021, 5, 31)
    templates = [
        worlds[0].publish(200, claim_until=until, valid_until=until),
        worlds[0].publish(200),
        worlds[0].publish(200),
    ]
    return Town(worlds, templates, a_witness(worlds[0], *templates, one_at_a_time=True))


class Scene:
    """Somebody new holds a voucher of the first template, and wants the others."""

    def __init__(self, town: Town) -> None:
        self.worlds, self.templates, self.witness = town.worlds, town.templates, town.witness
        self.person: Profile = a_person()
        held = self.witness.claim(self.worlds[0], self.person, self.templates[0])
        self.code = Presented(code=self.worlds[0].code(self.person, held.answer.voucher_id))

    @property
    def held(self) -> tuple[Profile, Template]:
        return self.person, self.templates[0]

    def claim(self, world: World, number: int) -> Any:
        return self.witness.claim(world, self.person, self.templates[number], actor=CHANNELS[number])


Step = Callable[[Scene, World], Any]
STEPS: dict[str, Step] = {
    "nothing": lambda s, w: None,
    "use": lambda s, w: s.witness.redeem(w, *s.held, s.code),
    "reverse": lambda s, w: s.witness.reverse(w, *s.held),
    "give back": lambda s, w: s.witness.give_back(w, *s.held),
    "revoke": lambda s, w: s.witness.revoke(w, *s.held),
    "sweep": lambda s, w: s.witness.sweep(w.at(local("2021-05-31T16:05:00Z")), *s.held),
    "claim another": lambda s, w: s.claim(w, 2),
    "claim another a moment later": lambda s, w: s.claim(w.at(JUST_OVER), 2),
}


MEANWHILE = [("claim another",), ("claim another a moment later",), ("reverse",), ("give back", "claim another")]


@pytest.mark.parametrize("now", [LAST_MOMENT, JUST_OVER], ids=["in force", "just over"])
@pytest.mark.parametrize("before", ["nothing", "use", "give back", "revoke", "sweep"])
def test_given_what_became_of_the_held_one_when_two_claims_meet_then_one_order_explains_them(
    one_hand: Ground, before: str, now: Any
) -> None:
    town = a_town(one_hand)
    for meanwhile, method in itertools.product(MEANWHILE, ("vouchers", "record_claim")):
        scene = Scene(town)
        STEPS[before](scene, scene.worlds[0])

        def act_first(scene: Scene = scene, meanwhile: tuple[str, ...] = meanwhile) -> None:
            for world, name in zip(scene.worlds[2:], meanwhile, strict=False):
                STEPS[name](scene, world)

        late = held_up(scene.worlds[1].at(now), "people", [method], act_first)
        scene.claim(late, 1)

        scene.witness.must_fit()


def test_given_a_claim_that_is_held_up_when_the_person_claims_another_then_it_is_refused_for_that_one(
    one_hand: Ground,
) -> None:
    scene = Scene(a_town(one_hand))
    STEPS["revoke"](scene, scene.worlds[0])

    late = held_up(scene.worlds[1], "people", ["record_claim"], lambda: scene.claim(scene.worlds[2], 2))
    scene.claim(late, 1)

    assert [one.answer for one in scene.witness.told[-2:]] == ["claimed 1", "holds_another"]
    scene.witness.must_fit()
