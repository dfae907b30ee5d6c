"""How long the import of a roster takes, beside a bare loop of the very transactions that it made.

The transactions are recorded while the roster is worked off, and carried out once more by plain botocore on a copy of
the tables as they were before. What the import does beside them (reading the file, looking people up, judging,
sealing, writing the result) is what it is slower by.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session

from chalicelib.domain.roster import Roster
from chalicelib.domain.template import DistributionMode, Template
from tests.capacity import TABLES, tables_of
from tests.engines import create_tables
from tests.rostering import carry_on, know, put_roster, receive, roster_of
from tests.storage.worlds import own_world
from tests.world import World, a_world
from tools.roster_files import clean_roster

FIRST_PERSON = 300_000
Calls = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds for so many rows: the import, the bare loop, the second upload."""

    rows: int
    transactions: int
    ours: float
    bare: float
    again: float


def measure(endpoint: str, rows: int) -> Taken:
    """Import so many new people, then the same file once more."""
    world = own_world(a_world(create_tables(endpoint)))
    know(world, world.bureau)
    template = world.publish(rows + 100, distribution_mode=DistributionMode.DIRECTED)
    data = clean_roster(rows, first=FIRST_PERSON)
    first = _arrived(world, template, data)
    copy = copied(world, endpoint)
    with recording(world) as calls:
        ours = _seconds(world, first)
    assert roster_of(world, first).counts.issued == rows
    bare = replayed(calls, world, copy, endpoint)
    second = _arrived(world, template, data)
    again = _seconds(world, second)
    assert roster_of(world, second).counts.same == rows
    return Taken(rows, len(calls), ours, bare, again)


def _arrived(world: World, template: Template, data: bytes) -> Roster:
    roster, arrived = put_roster(world, template, data)
    receive(world, arrived)
    return roster


def _seconds(world: World, roster: Roster) -> float:
    began = time.perf_counter()
    carry_on(world, roster.roster_id)
    return time.perf_counter() - began


@contextmanager
def recording(world: World) -> Iterator[Calls]:
    """The transactions that this world's container sends meanwhile."""
    client = tables_of(world).connection.client
    through, calls = client._make_api_call, list[dict[str, Any]]()

    def call(operation: str, asked: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems":
            calls.append(asked)
        return through(operation, asked)

    client._make_api_call = call
    try:
        yield calls
    finally:
        client._make_api_call = through


def copied(world: World, endpoint: str, keep: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, str]:
    """The same rows in tables of their own: by the name of each table, that of its copy."""
    made, client = create_tables(endpoint), _client(endpoint)
    names = {}
    for table in TABLES:
        here, there = (environment[f"{table.upper()}_TABLE"] for environment in (world.environment, made))
        names[here] = there
        for row in filter(keep, world.rows(table)):
            client.put_item(TableName=there, Item=row)
    return names


def replayed(calls: Calls, world: World, names: dict[str, str], endpoint: str) -> float:
    """Carry these transactions out on the copy: seconds of the bare loop."""
    client = _client(endpoint)
    asked = [
        {
            "TransactItems": [
                {kind: {**action, "TableName": names[action["TableName"]]}}
                for item in call["TransactItems"]
                for kind, action in item.items()
            ],
            "ClientRequestToken": uuid.uuid4().hex,
        }
        for call in calls
    ]
    began = time.perf_counter()
    for one in asked:
        client.transact_write_items(**one)
    return time.perf_counter() - began


def _client(endpoint: str) -> Any:
    return botocore.session.get_session().create_client("dynamodb", region_name="us-east-1", endpoint_url=endpoint)
