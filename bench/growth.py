"""A long life in a large catalogue: claim, wallet and verify for a person with 2,000 entries among 2,000 templates,
beside the same for one with 3 among 10, taken in turn. And a look at ten offers in a country of 2,000, beside ten.

A life's vouchers end: what of them the hands still name is dropped by one claim in 64, so a usual claim finds 63 at
most, and that is what it finds here. Two claims are measured by themselves: the one that drops, and one of a person for
whom half of the 2,000 were redeemed and never written off, so that they stay in hand.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import islice
from typing import Any

import boto3

from bench.process import Measured
from bench.steps import send
from bench.town import Event, Town
from chalicelib.domain import voucher as rules
from chalicelib.domain.listing import Listing
from chalicelib.domain.person import Person, Profile
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Redemption, Voucher
from chalicelib.integrations.clock import SystemClock
from chalicelib.services.making_vouchers import FULL_HANDS
from chalicelib.storage import keys
from chalicelib.storage.rows import PeopleRow, to_body
from tests.world import INSTITUTION_ID, World, a_person

STEPS = ("claim", "wallet", "verify")
FEW, FEW_TEMPLATES = 3, 10
LOOKS = 5
LISTED, A_CITY_OFFERS = 10, 100
REMEMBERED_SECONDS = 1.05
YEAR = timedelta(days=365)


@dataclass
class Life:
    """One town with one person in it, who claims, opens the wallet, shows a voucher.

    ``had``: of which templates there are vouchers, those that stay in the person's hands first.
    """

    town: Town
    container: Measured
    person: Profile
    token: str
    templates: Iterator[Template]
    person_id: str
    had: Sequence[str]
    staying: int

    def ask(self, step: str) -> float:
        """Seconds that this step takes now."""
        if step == "claim":
            return self._claim(min(self.staying, FULL_HANDS - 1))
        if step == "wallet":
            event, status = self.town.wallet(self.person, limit=FEW), 200
        else:
            event, status = self.town.verify(token=self.token), 200
        return self._send(event, status)

    @property
    def full(self) -> int:
        """How many are held when next a claim looks through the hands."""
        return (self.staying // FULL_HANDS + 1) * FULL_HANDS

    def crowded(self) -> float:
        """Seconds that a claim takes with all in hand that was never written off."""
        return self._claim(self.staying)

    def look(self) -> float:
        """Seconds that a claim takes which looks through full hands and drops what has ended."""
        seconds = self._claim(self.full)
        assert len(self._holder().held) == self.staying + 1
        return seconds

    def _claim(self, held: int) -> float:
        template, holder = next(self.templates), self._holder()
        send(self.container, [self.town.claim(a_person(), template)], status=201)  # the container knows it now
        hands = dict.fromkeys(self.had[:held], template.region)
        _put(self.town.world, "people", [_person_row(replace(holder, held=hands))])
        return self._send(self.town.claim(self.person, template), 201)

    def _holder(self) -> Person:
        holder, _ = self.town.world.platform.people.read(self.person_id, [])
        assert holder is not None
        return holder

    def _send(self, event: Event, status: int) -> float:
        (seconds,) = send(self.container, [event], status=status)["wall"]
        return float(seconds)


def a_life(town: Town, container: Measured, *, entries: int, templates: int, claims: int) -> Life:
    """A person with so many entries, in a catalogue of so many templates; so many claims can be asked for."""
    real = [town.template(100) for _ in range(FEW_TEMPLATES)]
    person = a_person()
    for template in real[:FEW]:
        (answer,) = send(container, [town.claim(person, template)], status=201)["gave"]
    voucher_id = json.loads(answer["body"])["voucher_id"]
    voucher = town.world.voucher(voucher_id)
    fresh = [town.template(100) for _ in range(claims)]
    copies, staying = [_copy(n) for n in range(entries - FEW)], max(FEW, entries // 2)
    vouchers = [_long_ago(town, voucher, copy, used=n < staying - FEW) for n, copy in enumerate(copies)]
    _put(town.world, "people", [_voucher_row(one) for one in vouchers])
    _offer(town.world, voucher.template_id, templates - FEW_TEMPLATES)
    had = [template.template_id for template in real[:FEW]] + copies
    return Life(town, container, person, town.token(person, voucher_id), iter(fresh), voucher.person_id, had, staying)


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


@dataclass
class Window:
    """A town that offers ten templates, and somebody who has claimed some of them and looks at what there is."""

    town: Town
    container: Measured
    person: Profile

    def look(self) -> float:
        """Seconds that this takes."""
        answer = send(self.container, [self.town.claimable(self.person)], status=200)
        items = json.loads(answer["gave"][0]["body"])["items"]
        assert (len(items), sum(one["claimable"] for one in items)) == (LISTED, LISTED - FEW)
        (seconds,) = answer["wall"]
        return float(seconds)


def a_window(town: Town, container: Measured, *, published: int) -> Window:
    """Ten offers here, the others of the country in other cities."""
    here = [town.template(1_000) for _ in range(LISTED)]
    person = a_person()
    send(container, [town.claim(person, template) for template in here[:FEW]], status=201)
    listings = town.world.platform.listings
    (like, *_), rest = listings.read(here[0].region).entries, published - LISTED
    _offer(town.world, here[0].template_id, rest)
    for first in range(0, rest, A_CITY_OFFERS):
        region = f"{50 + first // A_CITY_OFFERS}0100"
        numbers = range(first, min(first + A_CITY_OFFERS, rest))
        listings.write(Listing(region, 1, tuple(replace(like, template_id=_copy(n), region=region) for n in numbers)))
    return Window(town, container, person)


def compare_windows(few: Window, many: Window, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a look in both, in turn; the first quarter warms up. A container remembers a listing for a second:
    each round begins when that is over, so that the listings are read."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        time.sleep(REMEMBERED_SECONDS)
        both = (few, many) if number % 2 else (many, few)
        took = {id(window): window.look() for window in both}
        if number >= rounds // 4:
            found[0].append(took[id(few)])
            found[1].append(took[id(many)])
    return found


def _again(life: Life) -> str:
    p = life.town.world.platform
    token = p.keys.tokens.read(life.token)
    voucher = p.people.voucher(token.person_id, token.template_id)
    assert voucher is not None
    return p.keys.tokens.issue(voucher, p.chance.nonce(), SystemClock().now())


def _copy(number: int) -> str:
    """The id of a copied template. It sorts behind what is real, so that both wallets show real vouchers first."""
    return "ZZZZZZ" + f"{number:010}".translate(str.maketrans("0189", "ABCD"))  # base32 has none of these


def _long_ago(town: Town, like: Voucher, template_id: str, *, used: bool) -> Voucher:
    """A voucher that was claimed a year ago, and either used then or left to expire."""
    world, p = town.world, town.world.platform
    then = SystemClock().now() - YEAR
    blank = replace(
        like,
        template_id=template_id,
        voucher_id=p.keys.voucher_ids.encode(like.person_id, template_id),
        code_key=p.keys.identities.code_key(template_id),
        version=0,
        valid_from=like.valid_from - YEAR,
        valid_until=like.valid_until - YEAR,
        made_at=then,
        history=(),
    )
    claimed = rules.claim(blank, attempt=world.attempt(), actor=town.channel, entrance="home_card", now=then)
    if used:
        course = world.course
        redemption = Redemption(INSTITUTION_ID, "职业培训学校", course.course_id, "token", then)
        facts = {"nonce": p.chance.nonce().hex()}
        return rules.redeem(claimed, redemption, attempt=world.attempt(), actor=town.desk, facts=facts)
    expired = rules.expire(claimed, now=SystemClock().now())
    assert expired is not None
    return expired


def _voucher_row(voucher: Voucher) -> dict[str, Any]:
    key, body = keys.voucher_item(voucher.template_id), to_body(voucher)
    return PeopleRow(voucher.person_id, key, version=voucher.version, body=body, code_key=voucher.code_key).serialize()


def _person_row(person: Person) -> dict[str, Any]:
    return PeopleRow(person.person_id, keys.PERSON, version=person.version, body=to_body(person)).serialize()


def _offer(world: World, template_id: str, number: int) -> None:
    """So many copies of a template."""
    (head,) = (
        row
        for row in world.rows("catalogue")
        if (row["subject"]["S"], row["item"]["S"]) == (keys.template(template_id), keys.HEAD)
    )
    offered = json.dumps(head)
    copies = [json.loads(offered.replace(template_id, _copy(n))) for n in range(number)]
    _put(world, "catalogue", copies)


def _put(world: World, table: str, items: Sequence[dict[str, Any]]) -> None:
    dynamodb = _dynamodb(world.environment["AWS_ENDPOINT_URL"])
    name, rest = world.environment[f"{table.upper()}_TABLE"], iter(items)
    while chunk := list(islice(rest, 25)):
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": item}} for item in chunk]})


@cache
def _dynamodb(endpoint: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint)
