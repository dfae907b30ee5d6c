"""What a step costs through the whole handler, beside the bare floor: time, CPU, calls, capacity, memory."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.process import Measured, measured
from bench.town import Event, Town
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from tests.world import KEYRING, PEPPER, a_person

Calls = list[list[Any]]
STEPS = ("first claim", "claim", "verify", "redeem", "check in")
READING = {"GetItem", "BatchGetItem", "Query"}
PARTS = 4
"""A block goes through both in so many parts, in turn: what else the machine does meets both alike."""
WARMING = 3
_TOKEN = "ClientRequestToken"  # botocore writes one of its own where there is none


@dataclass(frozen=True, slots=True)
class Block:
    """The same requests through both, in seconds, one after another."""

    handler: list[float]
    floor: list[float]
    handler_cpu: list[float]
    floor_cpu: list[float]

    def add(self, ours: Any, bare: Any) -> None:
        self.handler.extend(ours["wall"])
        self.floor.extend(bare["wall"])
        self.handler_cpu.extend(ours["cpu"])
        self.floor_cpu.extend(bare["cpu"])

    @property
    def ratio(self) -> float:
        return sum(self.handler) / sum(self.floor)


@contextmanager
def a_container(town: Town) -> Iterator[Measured]:
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


Go = Callable[[str, list[Event], int, Calls], list[Any]]
"""Carries out one step of all people: its name, their events, the status that each must get, and what one of them needs
to be there before (somebody else has put it there); gives the answers."""


def walk(town: Town, templates: tuple[Template, Template], people: list[Profile], go: Go) -> None:
    """The road of some people: a first claim, a second one; that voucher is verified and redeemed; the person is put on
    a class and checks in."""
    first, second = templates
    go("first claim", [town.claim(person, first) for person in people], 201, [])
    claimed = go("claim", [town.claim(person, second) for person in people], 201, [])
    ids = [json.loads(one["body"])["voucher_id"] for one in claimed]
    tokens = [town.token(person, one) for person, one in zip(people, ids, strict=True)]
    go("verify", [town.verify(token=token) for token in tokens], 200, [])
    go("redeem", [town.redeem(token=token) for token in tokens], 201, [])
    training = town.a_class(ids)
    enrolled = town.as_it_stands(training, ids[0])
    go("check in", [town.check_in(person, training) for person in people], 201, [["PutItem", enrolled]])


def record_road(town: Town, container: Measured, templates: tuple[Template, Template]) -> dict[str, Calls]:
    """The wire requests of one person's road, once everything is warm."""
    told: dict[str, Calls] = {}

    def go(step: str, events: list[Event], status: int, before: Calls) -> list[Any]:
        answer = send(container, events, record=True, status=status)
        told[f"before {step}"] = before
        told[step] = [call for call in answer["told"][0] if not is_lease(call, town)]
        gave: list[Any] = answer["gave"]
        return gave

    for _ in range(2):
        walk(town, templates, [a_person()], go)
    return told


def is_lease(call: Sequence[Any], town: Town) -> bool:
    """Whether it leases a part of a client's budget: that is paid once for many requests, whatever they ask."""
    operation, parameters = call
    name: str = town.world.environment["INSIGHTS_TABLE"]
    return bool(operation == "UpdateItem" and parameters["TableName"] == name)


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


def compare(town: Town, container: Measured, floor: Measured, *, blocks: int, size: int) -> dict[str, list[Block]]:
    """Blocks of people through both in turn, on the same tables; the first ones warm up and are not counted."""
    templates = (town.template(), town.template())
    recorded = record_road(town, container, templates)
    found: dict[str, list[Block]] = {step: [] for step in STEPS}
    for number in range(-WARMING, blocks):
        replays = [fresh(recorded) for _ in range(size)]
        go = _through_both(container, floor, replays, found if number >= 0 else {}, number)
        walk(town, templates, [a_person() for _ in range(size)], go)
    return found


def _through_both(
    container: Measured, floor: Measured, replays: list[dict[str, Calls]], found: dict[str, list[Block]], number: int
) -> Go:
    def go(step: str, events: list[Event], status: int, before: Calls) -> list[Any]:
        calls = [[_as_method(call) for call in one[step]] for one in replays]
        if before:
            floor.ask([[_as_method(call) for call in one[f"before {step}"]] for one in replays])
        gave: list[Any] = []
        block = Block([], [], [], [])
        for part in range(PARTS):
            mine, theirs = events[part::PARTS], calls[part::PARTS]
            bare = floor.ask(theirs) if (number + part) % 2 else None
            ours = send(container, mine, status=status)
            block.add(ours, bare or floor.ask(theirs))
            gave += ours["gave"]
        found.setdefault(step, []).append(block)
        return gave

    return go


def count_calls(town: Town, container: Measured) -> dict[tuple[str, str], tuple[int, int]]:
    """Reads and writes of each step once warm, with what they may be at most."""
    told = record_road(town, container, (town.template(), town.template()))
    most = {"first claim": (1, 1), "claim": (2, 1), "verify": (1, 0), "redeem": (1, 1), "check in": (1, 1)}
    found = {}
    for step in STEPS:
        calls = told[step]
        reads = sum(operation in READING for operation, _ in calls)
        found[step, "reads"] = reads, most[step][0]
        found[step, "writes"] = len(calls) - reads, most[step][1]
    return found


def resident(town: Town) -> int:
    """Bytes in RAM of a container that claimed some vouchers."""
    template = town.template()
    with a_container(town) as container:
        events = [town.claim(a_person(), template) for _ in range(5)]
        return int(send(container, events, status=201)["resident"])


def beginning(town: Town) -> tuple[float, float]:
    """Seconds, and seconds of CPU, from the first import to the first claim's answer in a fresh process."""
    template = town.template()
    with a_container(town) as container:
        answer = send(container, [town.claim(a_person(), template)], status=201)
    wall, cpu = (answer["started"][clock][0] + answer[clock][0] for clock in ("wall", "cpu"))
    return wall, cpu


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


def _secret(materials: Any) -> str:
    return json.dumps({"current": "1", **{version: raw.decode() for version, raw in materials.items()}})
