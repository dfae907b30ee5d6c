"""Claims and acts on a template, each held up at each of its calls while others act: the model explains what comes."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from tests.races.conftest import Ground
from tests.races.crowd import held_up
from tests.races.witness import Witness, a_witness
from tests.world import World, a_person


class Scene:
    """A template that is published for three, and a draft of three; the money is enough for little more."""

    def __init__(self, ground: Ground) -> None:
        self.worlds = ground.worlds(budget=8)
        self.template: Template = self.worlds[0].publish(3, peak_claims=24)
        self.draft: Template = self.worlds[0].draft(3)
        self.person: Profile = a_person()
        self.witness: Witness = a_witness(self.worlds[0], self.template, self.draft)


Step = Callable[[Scene, World], Any]
STEPS: dict[str, Step] = {
    "claim": lambda s, w: s.witness.claim(w, s.person, s.template),
    "claim once": lambda s, w: s.witness.claim(w, s.person, s.template, key="the claim"),
    "two others claim": lambda s, w: [s.witness.claim(w, a_person(), s.template) for _ in range(2)],
    "suspend": lambda s, w: s.witness.act(w, "suspend", s.template),
    "resume": lambda s, w: s.witness.act(w, "resume", s.template),
    "close": lambda s, w: s.witness.act(w, "close", s.template),
    "add": lambda s, w: s.witness.act(w, "add", s.template, 4),
    "publish": lambda s, w: s.witness.act(w, "publish", s.draft),
    "cut": lambda s, w: s.witness.budget(w, -4),
}
HELD_UP_AT = {
    "claim": ["people.record_claim"],
    "suspend": ["templates.change", "templates.set_gate"],
    "resume": ["templates.set_gate"],
    "close": ["templates.change", "templates.set_gate", "templates.release"],
    "add": ["accounts.read", "templates.change", "templates.deal"],
    "publish": ["accounts.read", "templates.change", "templates.deal"],
    "cut": ["accounts.post"],
}
MEANWHILE: list[tuple[str, ...]] = [
    ("two others claim", "two others claim"),
    ("suspend", "resume"),
    ("add", "close"),
    ("publish", "cut"),
]
if os.environ.get("LONG"):
    MEANWHILE = [(one, other) for one in STEPS for other in STEPS]


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=" and ".join)
def test_given_an_act_that_is_held_up_when_others_act_meanwhile_then_one_order_explains_it_all(
    ground: Ground, meanwhile: tuple[str, ...]
) -> None:
    for late, method in [(late, method) for late, methods in HELD_UP_AT.items() for method in methods]:
        scene = Scene(ground)
        if late == "resume":
            STEPS["suspend"](scene, scene.worlds[0])
        acted: list[str] = []

        def act_first(scene: Scene = scene, acted: list[str] = acted) -> None:
            for world, name in zip(scene.worlds[2:], meanwhile, strict=False):
                acted.append(name)
                STEPS[name](scene, world)

        store, _, call = method.partition(".")
        STEPS[late](scene, held_up(scene.worlds[1], store, [call], act_first))

        assert acted == list(meanwhile), (late, method)
        scene.witness.must_fit()
        scene.worlds[0].check_laws()
