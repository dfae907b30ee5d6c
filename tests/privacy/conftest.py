"""One day on which canaries go everywhere, and all that was heard of it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from chalice.test import Client as ChaliceClient
from chalice.test import HTTPResponse

from app import app
from chalicelib import wiring
from chalicelib.api.answers import OPERATIONS, Operation
from chalicelib.domain.access import Act
from chalicelib.jobs import counting as counting_job
from chalicelib.jobs import releasing as releasing_job
from chalicelib.jobs import sweeping as sweeping_job
from chalicelib.services import sweeping
from tests.api.test_road_over_http import Caller, Callers, RecordedWorld, calling
from tests.api.test_road_over_http import test_the_road as go_the_road
from tests.engines import Engine
from tests.jobs.conftest import RememberedQueue
from tests.jobs.test_deliveries import PLENTY, Time
from tests.privacy.overhearing import Exchange, Overheard, overhearing
from tests.privacy.refusals import Refusals
from tests.privacy.wrong_places import by_the_way, wrong_proofs, wrong_requests
from tests.world import a_person
from tools.package import ROOT

CANARY = replace(a_person(5), name="欧阳测试样")  # its number ends with an X
OTHER = replace(a_person(6), name="Maria Testfall")
PEOPLE = (
    CANARY,
    OTHER,
    *(a_person(number) for number in (1, 2, 15, 16, 6_001, 6_002, 8_001, 8_002, 8_003, 8_101, 8_102, 8_103, 8_104)),
)  # all but two go the road
SEEN = a_person(3)
"""Whose full data the road asks for, as the examples of the document show."""
TWIN = a_person(5_003)
"""Another record of theirs, merged and parted on the road."""
OPERATOR_NAME = "李四"  # of the road
TYPED = "慕容测验词"
"""A name that somebody typed into a free text: kept there as it is, and nowhere else."""
TABLES = ("people", "catalogue", "casework", "insights")
A_TICK = timedelta(milliseconds=30)


@dataclass(frozen=True, slots=True)
class Day:
    """The world at its end, and all that came out."""

    world: RecordedWorld
    heard: Overheard


@pytest.fixture(scope="module")
def day(engines: dict[str, Engine]) -> Iterator[Day]:
    with calling(engines) as callers:
        world, bureau, channel, desk = callers
        with overhearing() as heard:
            go_the_road(callers)
            Refusals(world, bureau, channel, desk, CANARY, OTHER).meet()
            acts = set()
            for operation in OPERATIONS:
                _put_into_wrong_places(operation, callers, proofs=operation.act not in acts)
                acts.add(operation.act)
            _past_the_gateway(heard)
            heard.rows = [row for table in TABLES for row in world.rows(table)]
            heard.messages = _the_night(world)
            heard.rows += [row for table in TABLES for row in world.rows(table)]
        yield Day(world, heard)


def _put_into_wrong_places(operation: Operation, callers: Callers, *, proofs: bool) -> None:
    world, _, channel, _ = callers
    session = channel.post("/v1/sessions", {"assertion": _session_assertion(world, channel)}, key=None)["session"]
    asker = _who_may(operation, callers, replace(channel, session=session))
    example = world.examples.get(operation.label, {"target": operation.path})
    wrong = list(wrong_requests(operation, example, CANARY, TYPED))
    wrong += wrong_proofs(operation, example, CANARY) if proofs else ()
    for one in wrong:
        headers = {**by_the_way(CANARY), **one.headers}
        asker.send_raw(one.method, one.target, one.raw, one.key, nonce=one.nonce, headers=headers)
        world.clock.advance(A_TICK)


def _session_assertion(world: RecordedWorld, channel: Caller) -> str:
    return world.essc.assertion(
        CANARY, app_key=channel.app_key, purpose="session", jti="j-of-the-canary", now=world.now
    )


def _who_may(operation: Operation, callers: Callers, holder: Caller) -> Caller:
    _, bureau, _, desk = callers
    if operation.act is Act.SERVE_HOLDER:
        return holder
    return desk if operation.act in (Act.VERIFY, Act.REDEEM) else bureau


def _past_the_gateway(heard: Overheard) -> None:
    """An address of nobody, as it comes to the function where the gateway lets it through."""
    event = json.loads((ROOT / "events" / "api.time.json").read_text("utf-8"))
    path = f"/v1/people/{CANARY.id_number}"
    event["requestContext"]["resourcePath"] = path
    answer = app({**event, "path": path, "resource": path}, None)
    told = HTTPResponse.create_from_dict({**answer, "isBase64Encoded": False})
    heard.exchanges.append(Exchange("GET", path, {}, told))


def _the_night(world: RecordedWorld) -> list[str]:
    """Every event of the house, and those that the canaries' own rows make; what the functions answered and sent."""
    queue, answers = RememberedQueue(), []
    wiring.use(replace(world.platform, continuations=queue))
    world.platform.checkpoints.advance(sweeping.SWEEP, date(2021, 5, 30))
    world.clock.set(world.now.replace(month=6, day=1, hour=16, minute=10))
    events = {path.name.partition(".")[0]: json.loads(path.read_text("utf-8")) for path in (ROOT / "events").glob("*")}
    events.pop("api")
    before = {(row["person"]["S"], row["item"]["S"]): row for row in world.rows("people")}
    with ChaliceClient(app) as chalice:
        for name, event in sorted(events.items()):  # in too little time: the rest is handed on
            with suppress(counting_job.OffersLeft):  # what cannot be handed on fails
                answers.append(json.dumps(chalice.lambda_.invoke(name, event).payload))
        answers.append(json.dumps(sweeping_job.run(Time(PLENTY))))
        answers.append(json.dumps(counting_job.run(Time(PLENTY))))
        answers.append(json.dumps(releasing_job.run(Time(PLENTY))))
        after = {(row["person"]["S"], row["item"]["S"]): row for row in world.rows("people")}
        for records in (_changes(before, after), _changes(after, before), _changes({}, after), [_unreadable(after)]):
            answers.append(json.dumps(chalice.lambda_.invoke("follow_people", {"Records": records}).payload))
    wiring.use(world.platform)
    return [*answers, *queue.asked]


def _changes(before: dict[Any, Any], after: dict[Any, Any]) -> list[dict[str, Any]]:
    """Stream records that say so; backwards they are unlawful."""
    return [
        {
            "dynamodb": {
                "Keys": {name: row[name] for name in ("person", "item")},
                "NewImage": row,
                "SequenceNumber": str(number),
                **({"OldImage": before[key]} if key in before else {}),
            }
        }
        for number, (key, row) in enumerate(after.items())
        if before.get(key) != row
    ]


def _unreadable(rows: dict[Any, Any]) -> dict[str, Any]:
    """A voucher's row that somebody wrote a person into."""
    (key, row), *_ = [one for one in rows.items() if one[0][1].startswith("1#VOUCHER")]
    broken = {**row, "body": {"S": json.dumps({"name": CANARY.name, "id_number": CANARY.id_number})}}
    return _changes({}, {key: broken})[0]


@pytest.fixture
def callers(engines: dict[str, Engine]) -> Iterator[Callers]:
    """A world of its own over HTTP."""
    with calling(engines) as them:
        yield them
