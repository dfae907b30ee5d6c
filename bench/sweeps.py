"""How long a night's sweep takes, beside a bare loop of the very transactions that it made: expiry, and write-off.

All vouchers are of one template. So many are due this night; the others of the table are due later, and a sweep that
looks at no more than what is due takes no longer for them.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice
from typing import Any

from bench.rosters import copied, recording, replayed
from chalicelib.domain import calendar
from chalicelib.domain import voucher as rules
from chalicelib.domain.voucher import Completion, Redemption, Voucher
from chalicelib.services.sweeping import SWEEP, Sweep
from chalicelib.storage import keys
from chalicelib.storage.people import _voucher_row
from tests.capacity import tables_of
from tests.classroom import at
from tests.engines import create_tables
from tests.settling import PAYER, REVIEWER
from tests.storage.worlds import own_world
from tests.sweeping import night_of
from tests.world import FACE_VALUE, INSTITUTION_ID, World, a_person, a_world

LATER = timedelta(days=90)
WAITING = "WAITS"
Make = Callable[[World, Voucher], Voucher]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds for what was due: the sweep, the bare loop."""

    transactions: int
    ours: float
    bare: float


def measure(endpoint: str, kind: str, due: int, among: int) -> Taken:
    """Sweep so many that are due, of so many in all."""
    world = own_world(a_world(create_tables(endpoint)))
    voucher_id = world.claim(a_person(), world.publish(due + 1)).answer.voucher_id
    like, make = world.voucher(voucher_id), KINDS[kind]
    world.revoke(voucher_id)  # it was there to be copied
    night = night_of(_day_of(make(world, _blank(like, world, 0))))
    put_rows(
        world, "people", (_voucher_row(make(world, _blank(like, world, n))).serialize() for n in range(1, due + 1))
    )
    waiting = make(world, _blank(like, world, due + 1))
    later = replace(waiting, due_on=_day_of(waiting) + LATER)
    put_rows(world, "people", _waiting_rows(_voucher_row(later).serialize(), later, range(due + 1, among + 1)))
    world.platform.checkpoints.advance(SWEEP, calendar.local_date(night) - timedelta(days=1))
    # The bare loop writes only what is due, so the others stay away.
    names = copied(world, endpoint, lambda row: not row.get("person", {}).get("S", "").startswith(WAITING))
    at(world, night)
    with recording(world) as calls:
        began = time.perf_counter()
        sweep = world.expire()
        ours = time.perf_counter() - began
    assert (_done(sweep, kind), sweep.examined, sweep.finished) == (due, due, True)
    made = [one for one in calls if len(one["TransactItems"]) > 1]  # the others say how far it came
    bare = replayed(made, world, names, endpoint)
    return Taken(len(made), ours, bare)


def _claimed(world: World, blank: Voucher) -> Voucher:
    attempt = world.attempt()
    return rules.claim(blank, attempt=attempt, actor=world.channel, entrance="card", now=world.now)


def _paid(world: World, blank: Voucher) -> Voucher:
    now, actor = world.now, world.desk
    redemption = Redemption(INSTITUTION_ID, "职业培训学校", world.course.course_id, "token", now)
    used = rules.redeem(_claimed(world, blank), redemption, attempt=world.attempt(), actor=actor, facts={})
    completion = Completion("CLASS", now, 10, 9, 90, 80, 0, 600, 12, "0" * 64)
    done = rules.complete(used, completion, filing_until=calendar.local_date(now) + LATER, now=now)
    asked = rules.apply(done, "APPLICATION", FACE_VALUE, filed_at=now, actor=actor, attempt=None, now=now)
    granted = rules.approve(asked, FACE_VALUE, actor=REVIEWER, now=now)
    return rules.pay(granted, batch_id="BATCH", reference="R", actor=PAYER, now=now)


KINDS: dict[str, Make] = {"expiry": _claimed, "write-off": _paid}


def _done(sweep: Sweep, kind: str) -> int:
    return sweep.expired if kind == "expiry" else sweep.written_off


def _day_of(voucher: Voucher) -> date:
    assert voucher.due_on is not None
    return voucher.due_on


def _blank(like: Voucher, world: World, number: int) -> Voucher:
    """A voucher of the same template before its first step, of somebody else. Ids are as random as they are."""
    person_id = world.platform.chance.person_id()
    voucher_id = world.platform.keys.voucher_ids.encode(person_id, like.template_id)
    code_key = world.platform.keys.identities.code_key(f"{number}")
    return replace(
        like, person_id=person_id, voucher_id=voucher_id, code_key=code_key, version=0, history=(), due_on=None
    )


def _waiting_rows(row: dict[str, Any], of: Voucher, numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Rows that no sweep of the night reads: the same voucher under other people."""
    assert of.due_on is not None
    for number in numbers:
        person_id = f"{WAITING}{number:021}"
        yield {
            **row,
            "person": {"S": person_id},
            "code_key": {"S": f"{number:064}"},
            "due": {"S": keys.due(of.due_on, keys.due_lane(person_id))},
            "due_order": {"S": keys.due_order(of.template_id, of.shard, person_id)},
        }


def put_rows(world: World, table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Put rows as they are, past every rule."""
    client, name = tables_of(world).connection.client, world.environment[f"{table.upper()}_TABLE"]
    while some := list(islice(rows, 25)):
        left = {name: [{"PutRequest": {"Item": row}} for row in some]}
        while left:
            left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]
