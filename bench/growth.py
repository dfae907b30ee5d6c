"""A long life in a large catalogue: claim, wallet and verify for a person with 2,000 entries among 2,000 templates,
beside the same for one with 3 among 10, taken in turn."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import boto3

from bench.process import Measured
from bench.steps import send
from bench.town import Town
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.integrations.clock import SystemClock
from tests.world import a_person

STEPS = ("claim", "wallet", "verify")
FEW, FEW_TEMPLATES = 3, 10
# Copies sort behind all that is real, so that both wallets show real vouchers first.
_COPY = "ZZZZZZ{:010}"


@dataclass
class Life:
    """One town with one person in it, who claims, opens the wallet, shows a voucher."""

    town: Town
    container: Measured
    person: Profile
    token: str
    templates: Iterator[Template]

    def ask(self, step: str) -> float:
        """Seconds that this step takes now."""
        if step == "claim":
            template = next(self.templates)
            send(self.container, [self.town.claim(a_person(), template)], status=201)  # the container knows it now
            event, status = self.town.claim(self.person, template), 201
        elif step == "wallet":
            event, status = self.town.wallet(self.person, limit=FEW), 200
        else:
            event, status = self.town.verify(token=self.token), 200
        (seconds,) = send(self.container, [event], status=status)["wall"]
        return float(seconds)


def a_life(town: Town, container: Measured, *, entries: int, templates: int, rounds: int) -> Life:
    """A person with so many entries, in a catalogue of so many templates; ``rounds`` claims can be asked for."""
    real = [town.template(100) for _ in range(FEW_TEMPLATES)]
    person = a_person()
    for template in real[:FEW]:
        (answer,) = send(container, [town.claim(person, template)], status=201)["gave"]
    voucher_id = json.loads(answer["body"])["voucher_id"]
    fresh = [town.template(100) for _ in range(rounds)]
    _grow(town, voucher_id, entries - FEW, templates - FEW_TEMPLATES)
    return Life(town, container, person, town.token(person, voucher_id), iter(fresh))


def compare(few: Life, many: Life, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of each step for both, in turn; the first quarter warms up."""
    found: dict[str, tuple[list[float], list[float]]] = {step: ([], []) for step in STEPS}
    for number in range(rounds):
        for step in STEPS:
            if step == "verify":  # a token lives for a minute
                for life in (few, many):
                    life.token = _again(life)
            both = (few, many) if number % 2 else (many, few)
            took = {id(life): life.ask(step) for life in both}
            if number >= rounds // 4:
                found[step][0].append(took[id(few)])
                found[step][1].append(took[id(many)])
    return found


def _again(life: Life) -> str:
    p = life.town.world.platform
    token = p.keys.tokens.read(life.token)
    voucher = p.people.voucher(token.person_id, token.template_id)
    assert voucher is not None
    return p.keys.tokens.issue(voucher, p.chance.nonce(), SystemClock().now())


def _grow(town: Town, voucher_id: str, vouchers: int, templates: int) -> None:
    """Copies of one voucher that ended long ago, all still in the person's hands, and of its template."""
    environment = town.world.environment
    dynamodb = boto3.client("dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"])
    people, catalogue = environment["PEOPLE_TABLE"], environment["CATALOGUE_TABLE"]
    voucher = town.world.voucher(voucher_id)

    def row(table: str, **key: str) -> dict[str, Any]:
        item: dict[str, Any] = dynamodb.get_item(TableName=table, Key={n: {"S": v} for n, v in key.items()})["Item"]
        return item

    one = row(people, person=voucher.person_id, item=f"1#VOUCHER#{voucher.template_id}")
    old = json.dumps(one)
    for day in (voucher.valid_from, voucher.valid_until):
        old = old.replace(day.isoformat(), day.replace(year=day.year - 1, day=min(day.day, 28)).isoformat())
    copies = [old.replace(voucher.template_id, _COPY.format(n)) for n in range(vouchers)]
    _put(dynamodb, people, [_without_index(json.loads(copy)) for copy in copies])
    head = row(people, person=voucher.person_id, item="0#PERSON")
    body = json.loads(head["body"]["S"])
    body["held"] = {**{_COPY.format(n): voucher.region for n in range(vouchers)}, **body["held"]}
    head["body"]["S"] = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    _put(dynamodb, people, [head])
    offered = json.dumps(row(catalogue, subject=f"TEMPLATE#{voucher.template_id}", item="0#HEAD"))
    _put(
        dynamodb,
        catalogue,
        [json.loads(offered.replace(voucher.template_id, _COPY.format(n))) for n in range(templates)],
    )


def _without_index(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("code_key", "due", "due_order")}


def _put(dynamodb: Any, table: str, items: Sequence[dict[str, Any]]) -> None:
    rest = iter(items)
    while chunk := list(islice(rest, 25)):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in chunk]})
