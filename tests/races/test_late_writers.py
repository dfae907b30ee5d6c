"""Somebody reads, others act, and only then does he write: whatever the act and whatever the others did, it fits.

A check of states would let the late one through (redeemed and reversed again is claimed as before: the ABA case) and
lose two steps; the version does not. Every pair of steps is tried against every late step, and the model says what
may come of it.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.services.identifying import Presented
from tests.races.conftest import Ground
from tests.races.crowd import held_up
from tests.races.witness import Witness, a_witness
from tests.world import World, a_person, local

LAST_MOMENT, SWEEP_TIME = local("2021-06-30T15:59:59.999Z"), local("2021-06-30T16:05:00Z")
Step = Callable[["Scene", World], Any]


class Scene:
    """A new holder's voucher on its last day, and what was shown of it beforehand."""

    def __init__(self, witness: Witness, worlds: Sequence[World], template: Template) -> None:
        self.witness, self.worlds, self.template = witness, worlds, template
        self.person = a_person()
        claimed = witness.claim(worlds[0], self.person, template, key="the claim")
        self.voucher_id = claimed.answer.voucher_id
        self.code = Presented(code=worlds[0].code(self.person, self.voucher_id))

    def show(self) -> None:
        """A fresh token and assertion, as of now."""
        world, template_id = self.worlds[0], self.template.template_id
        self.version = world.voucher(self.voucher_id).version
        self.token = Presented(token=world.token(self.person, self.voucher_id))
        jws = world.assertion(self.person, "redeem", template_id, actor=world.desk)
        self.assertion = Presented(assertion=jws, template_id=template_id)

    @property
    def named(self) -> tuple[Profile, Template]:
        return self.person, self.template


STEPS: dict[str, Step] = {
    "redeem by token": lambda s, w: s.witness.redeem(w, *s.named, s.token, version=s.version),
    "redeem by code": lambda s, w: s.witness.redeem(w, *s.named, s.code),
    "redeem by assertion": lambda s, w: s.witness.redeem(w, *s.named, s.assertion),
    "redeem once": lambda s, w: s.witness.redeem(w, *s.named, s.code, key="the use"),
    "redeem once with another body": lambda s, w: s.witness.redeem(w, *s.named, s.code, key="the use", body="other"),
    "reverse": lambda s, w: s.witness.reverse(w, *s.named),
    "reverse once": lambda s, w: s.witness.reverse(w, *s.named, key="the reversal"),
    "give back": lambda s, w: s.witness.give_back(w, *s.named),
    "give back once": lambda s, w: s.witness.give_back(w, *s.named, key="the return"),
    "revoke": lambda s, w: s.witness.revoke(w, *s.named),
    "claim once more": lambda s, w: s.witness.claim(w, *s.named),
    "claim again": lambda s, w: s.witness.claim(w, *s.named, key="the claim"),
    "sweep": lambda s, w: s.witness.sweep(w.at(SWEEP_TIME), *s.named),
}
OTHERS = [name for name in STEPS if name not in ("redeem once with another body", "claim once more", "claim again")]
WRITES = ("record_step", "record_steps")


# How the voucher stood, and what the others do. The first two end as if nothing had happened.
CASES: list[tuple[str, tuple[str, ...]]] = [
    ("claim again", ("redeem by code", "reverse")),
    ("redeem by code", ("reverse", "redeem by assertion")),
    ("claim again", ("give back once",)),
    ("claim again", ("sweep",)),
    ("redeem by code", ("reverse once", "revoke")),
]
if os.environ.get("LONG"):
    CASES = [(before, others) for before, _ in CASES[:2] for others in itertools.product(OTHERS, repeat=2)]


@pytest.mark.parametrize("late", STEPS)
def test_given_a_step_that_is_held_up_when_others_act_meanwhile_then_one_order_explains_it_all(
    ground: Ground, late: str
) -> None:
    worlds = [world.at(LAST_MOMENT) for world in ground.worlds()]
    template = worlds[0].publish(500)
    witness = a_witness(worlds[0], template)

    for before, meanwhile in CASES:
        scene = Scene(witness, worlds, template)
        STEPS[before](scene, worlds[0])
        scene.show()

        def act_first(scene: Scene = scene, meanwhile: tuple[str, ...] = meanwhile) -> None:
            for world, name in zip(worlds[2:], meanwhile, strict=False):
                STEPS[name](scene, world)

        STEPS[late](scene, held_up(worlds[1], "people", WRITES, act_first))

        witness.must_fit()
    worlds[0].check_laws(worlds[0].vouchers())
