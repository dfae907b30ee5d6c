"""Mixed requests through two containers at once: whether a step that was acknowledged is lost, and memory grows.

Both containers work on the same tables; half of the repeated requests reach the other container at about the same
time as the first. Afterwards everything is recounted from the vouchers up (``World.check_laws``, ``check_counts``).
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.process import Measured
from bench.steps import send
from bench.town import Event, Town
from chalicelib.domain.person import Person, Profile
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State, Voucher
from chalicelib.storage import keys
from chalicelib.storage.rows import from_body
from tests.world import World, a_person

# Of a hundred requests: what is asked, by those who can ask it just now.
MIX = {
    "claim": 30, "repeat": 8, "another claim": 4, "wallet": 10, "verify": 14, "redeem": 16, "redeem twice": 2,
    "reverse": 5, "give back": 4, "bad": 7,
}  # fmt: skip
BLOCK = 50


@dataclass
class Held:
    """A voucher as its acknowledged steps left it."""

    person: Profile
    voucher_id: str
    state: str


@dataclass
class Load:
    """What was asked and acknowledged so far."""

    town: Town
    templates: list[Template]
    dice: random.Random
    vouchers: list[Held] = field(default_factory=list)
    acknowledged: set[tuple[str, str, int]] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    resident: list[tuple[int, int]] = field(default_factory=list)
    asked: int = 0

    def run(self, containers: tuple[Measured, Measured], requests: int) -> None:
        """Blocks to both at once, until so many were asked; notes the memory of the larger after each."""
        while self.asked < requests:
            blocks = self._blocks()
            for container, block in zip(containers, blocks, strict=True):
                container.send({"events": [event for _, event, _ in block], "record": False})
            for container, block in zip(containers, blocks, strict=True):
                answer = container.hear()
                for (wish, _, held), gave in zip(block, answer["gave"], strict=True):
                    self._heard(wish, held, gave)
                self.asked += len(block)
                self.resident.append((self.asked, answer["resident"]))

    def lost(self) -> int:
        """Acknowledged steps that no history tells."""
        told = {
            (voucher.voucher_id, entry.said["step"], entry.said["number"])
            for voucher in self.town.world.vouchers()
            for entry in voucher.history
        }
        return len(self.acknowledged - told)

    def growth(self) -> tuple[int, int]:
        """Bytes in RAM of the larger container: when a quarter was asked, and at the end."""
        early = [size for asked, size in self.resident if asked <= self.asked / 4][-2:]
        late = [size for _, size in self.resident][-2:]
        return max(early), max(late)

    # --- what is asked ---

    def _blocks(self) -> tuple[list[Any], list[Any]]:
        """Two blocks of wishes: what, as which event, about which voucher. No voucher is in both, but repeats are."""
        blocks: tuple[list[Any], list[Any]] = ([], [])
        usable = {state: [one for one in self.vouchers if one.state == state] for state in ("claimed", "redeemed")}
        for among in usable.values():
            self.dice.shuffle(among)
        wishes = self.dice.choices(list(MIX), list(MIX.values()), k=2 * BLOCK)
        for number, wish in enumerate(wishes):
            mine, other = blocks[number % 2], blocks[1 - number % 2]
            for target, event, held in self._events(wish, usable):
                (mine if target else other).append((wish, event, held))
        return blocks

    def _events(self, wish: str, usable: dict[str, list[Held]]) -> list[tuple[bool, Event, Held | None]]:
        """The events of a wish, each for the first container (True) or the other; none where nobody can ask it."""
        town, template = self.town, self.dice.choice(self.templates)
        if wish in ("claim", "repeat"):
            person = a_person()
            event = town.claim(person, template)
            new: Held | None = Held(person, "", "")
            return [(True, event, new)] + ([(self.dice.random() < 0.5, event, new)] if wish == "repeat" else [])
        if wish == "bad":
            return [(True, self._bad(template), None)]
        source = usable["redeemed" if wish in ("reverse", "redeem twice") else "claimed"]
        if not source:
            return []
        held = source.pop()
        if wish == "another claim":
            return [(True, town.claim(held.person, self._template_of(held)), held)]
        if wish == "wallet":
            return [(True, town.wallet(held.person), held)]
        if wish == "reverse":
            return [(True, town.reverse(held.voucher_id), held)]
        if wish == "give back":
            return [(True, town.give_back(held.person, held.voucher_id), held)]
        token = town.token(held.person, held.voucher_id)
        return [(True, town.verify(token=token) if wish == "verify" else town.redeem(token=token), held)]

    def _template_of(self, held: Held) -> Template:
        template_id = self.town.world.voucher(held.voucher_id).template_id
        return next(one for one in self.templates if one.template_id == template_id)

    def _bad(self, template: Template) -> Event:
        """What ought to be refused: no JSON, a field too many, a broken signature, a torn token, no such address."""
        town, kind = self.town, self.dice.randrange(5)
        if kind == 0:
            return town.event(town.channel, "POST", "/v1/claims", raw="{")
        if kind == 1:
            return town.event(town.channel, "POST", "/v1/claims", {"template_id": template.template_id, "age": 3})
        if kind == 2:
            return town.redeem(token="A" * 208)
        event = town.claim(a_person(), template)
        if kind == 3:
            event["headers"]["X-Signature"] = "0" * 64
            event["multiValueHeaders"]["X-Signature"] = ["0" * 64]
        else:
            event["resource"] = event["requestContext"]["resourcePath"] = "/v1/nowhere"
        return event

    # --- what was heard ---

    def _heard(self, wish: str, held: Held | None, gave: dict[str, Any]) -> None:
        status, body = gave["statusCode"], json.loads(gave["body"])
        self.statuses[f"{wish} {status}"] += 1
        if status >= 500:
            raise AssertionError((wish, gave))
        if status >= 300 or "step" not in body:
            return
        self.acknowledged.add((body["voucher_id"], body["step"], body["version"]))
        assert held is not None
        if not held.voucher_id:
            self.vouchers.append(held)
        held.voucher_id, held.state = body["voucher_id"], body["state"]


def a_load(town: Town, seed: int = 1) -> Load:
    """Three templates, so that shards and vouchers of one container are met by the other."""
    return Load(town, [town.template(20_000) for _ in range(3)], random.Random(seed))


def warm(load: Load, containers: tuple[Measured, Measured]) -> None:
    for container in containers:
        send(container, [load.town.claim(a_person(), template) for template in load.templates], status=201)


def check_counts(world: World, vouchers: Sequence[Voucher]) -> None:
    """Every person's own row counts their vouchers, but for those given back, which free the cap in this region."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for voucher in vouchers:
        counted[voucher.person_id][voucher.counted_as.text()] += voucher.state is not State.RETURNED
    people = [from_body(Person, row["body"]["S"]) for row in world.rows("people") if row["item"]["S"] == keys.PERSON]
    told = {person.person_id: Counter(person.counts) for person in people}
    assert told == counted, next((told.get(one), counted[one]) for one in counted if told.get(one) != counted[one])
