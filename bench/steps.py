"""What a step costs through the whole handler, beside the bare floor: time, CPU, calls, capacity, memory."""

import json
import secrets
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.process import Measured, measured
from bench.town import Event, Town
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from tests.world import KEYRING, PEPPER, a_person

Calls = list[list[Any]]
STEPS = ("first claim", "claim", "verify", "redeem")
# A unit of JSON for the measured process; botocore writes ids of its own for what has none.
_TOKEN = "ClientRequestToken"


@dataclass(frozen=True, slots=True)
class Block:
    """The same requests through both, in seconds, one after another."""

    handler: list[float]
    floor: list[float]
    handler_cpu: list[float]
    floor_cpu: list[float]

    @property
    def ratio(self) -> float:
        return sum(self.handler) / sum(self.floor)


@contextmanager
def a_container(town: Town, number: int = 1) -> Iterator[Measured]:
    """A container of the API on the town's tables."""
    environment = town.world.environment
    settings = {
        "environment": environment,
        "endpoint": environment["AWS_ENDPOINT_URL"],
        "keys": _secret(KEYRING.materials),
        "pepper": _secret(PEPPER.materials),
    }
    with measured("bench.handler", settings, environment) as container:
        yield container


@contextmanager
def the_floor(town: Town) -> Iterator[Measured]:
    """Plain botocore on the town's tables, as it comes."""
    environment = town.world.environment
    settings = {"region": environment["AWS_REGION"], "endpoint": environment["AWS_ENDPOINT_URL"]}
    with measured("bench.floor", settings, environment) as floor:
        yield floor


def send(container: Measured, events: list[Event], *, record: bool = False, status: int | None = None) -> Any:
    """Events through a container; all must be answered by ``status``, where it is given."""
    answer = container.ask({"events": events, "record": record})
    if status is not None:
        wrong = [one for one in answer["gave"] if one["statusCode"] != status]
        assert not wrong, wrong[0]
    return answer


@dataclass
class Road:
    """Some people who take the same road: a first claim, a second one, verified, redeemed."""

    town: Town
    templates: tuple[Template, Template]
    people: list[Profile]

    def walk(self, container: Measured, *, record: bool = False) -> Iterator[tuple[str, Any]]:
        """Each step with what the container measured of it."""
        first, second = self.templates
        yield "first claim", self._claim(container, first, record)
        claimed = self._claim(container, second, record)
        yield "claim", claimed
        ids = [json.loads(one["body"])["voucher_id"] for one in claimed["gave"]]
        tokens = [self.town.token(person, one) for person, one in zip(self.people, ids, strict=True)]
        verified = [self.town.verify(token=token) for token in tokens]
        yield "verify", send(container, verified, record=record, status=200)
        redeemed = [self.town.redeem(token=token) for token in tokens]
        yield "redeem", send(container, redeemed, record=record, status=201)

    def _claim(self, container: Measured, template: Template, record: bool) -> Any:
        events = [self.town.claim(person, template) for person in self.people]
        return send(container, events, record=record, status=201)


def record_road(town: Town, container: Measured, templates: tuple[Template, Template]) -> dict[str, Calls]:
    """The wire requests of one person's road, once everything is warm."""
    for _ in range(2):
        told = {}
        for step, answer in Road(town, templates, [a_person()]).walk(container, record=True):
            (told[step],) = answer["told"]
    return {step: [call for call in calls if not _is_lease(call)] for step, calls in told.items()}


def fresh(recorded: dict[str, Calls]) -> dict[str, Calls]:
    """The same requests for another person with other vouchers, of the same sizes."""
    text = json.dumps(recorded)
    for old in _names_of(recorded):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" if old.isupper() else "0123456789abcdef"
        text = text.replace(old, "".join(secrets.choice(alphabet) for _ in old))
    again: dict[str, Calls] = json.loads(text)
    for calls in again.values():
        for _, parameters in calls:
            parameters.pop(_TOKEN, None)
    return again


def compare(
    town: Town, container: Measured, floor: Measured, *, blocks: int, size: int, say: Callable[[str], None]
) -> dict[str, list[Block]]:
    """Blocks of people through both in turn, on the same tables; the first ones warm up and are not counted."""
    templates = (town.template(), town.template())
    recorded = record_road(town, container, templates)
    found: dict[str, list[Block]] = {step: [] for step in STEPS}
    for number in range(-WARMING, blocks):
        replays = [fresh(recorded) for _ in range(size)]
        road = Road(town, templates, [a_person() for _ in range(size)]).walk(container)
        for step in STEPS:
            calls = [[_as_method(call) for call in one[step]] for one in replays]
            if number % 2:
                bare = floor.ask(calls)
                name, ours = next(road)
            else:
                name, ours = next(road)
                bare = floor.ask(calls)
            assert name == step
            if number >= 0:
                found[step].append(Block(ours["wall"], bare["wall"], ours["cpu"], bare["cpu"]))
    return found


WARMING = 3


def _names_of(recorded: dict[str, Calls]) -> set[str]:
    """What is one person's alone: their id, their identity's key, their vouchers' code keys and ids."""
    names = set()
    for _, parameters in recorded["first claim"] + recorded["claim"]:
        for action in parameters.get("TransactItems", []):
            item = action.get("Put", {}).get("Item", {})
            if "code_key" in item:
                names |= {item["person"]["S"], item["code_key"]["S"], json.loads(item["body"]["S"])["voucher_id"]}
            if "person_id" in item:
                names.add(item["person"]["S"].rpartition("#")[2])
    return names


def _as_method(call: list[Any]) -> list[Any]:
    """``GetItem`` as botocore's clients call it: ``get_item``."""
    operation, parameters = call
    return ["".join("_" + c.lower() if c.isupper() else c for c in operation).lstrip("_"), parameters]


def _is_lease(call: list[Any]) -> bool:
    return bool(call[0] == "UpdateItem")


def _secret(materials: Any) -> str:
    return json.dumps({"current": "1", **{version: raw.decode() for version, raw in materials.items()}})


def median(values: list[float]) -> float:
    return statistics.median(values)
