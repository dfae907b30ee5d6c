"""How long the review of an application in bulk takes, beside a bare loop of the very transactions that it made.

The application is real; of its one line as many are copied as are asked for, each with its voucher, of one template.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bench.rosters import copied, recording, replayed
from bench.sweeps import put_rows
from chalicelib.domain.application import Application, ApplicationState, Decision, Filter, Line, LineState, LineVerdict
from chalicelib.domain.voucher import Voucher
from chalicelib.services import publishing, reviewing
from chalicelib.storage import keys
from chalicelib.storage.applications import put_application
from chalicelib.storage.people import _voucher_row
from chalicelib.storage.rows import CaseworkRow, to_body
from chalicelib.storage.transaction import Transaction
from tests.capacity import tables_of
from tests.engines import create_tables
from tests.settling import REVIEWER, a_completed_class, collected, lines, read, voucher, with_clerks, work
from tests.storage.worlds import own_world
from tests.world import World, a_world


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds for so many lines: the review, the bare loop."""

    lines: int
    transactions: int
    ours: float
    bare: float


def measure(endpoint: str, count: int) -> Taken:
    """Grant an application of so many lines in bulk, from the request to the last line."""
    world = with_clerks(own_world(a_world(create_tables(endpoint))))
    training, (voucher_id,) = a_completed_class(world, 1)
    world.act(publishing.add_quantity, world.template(voucher(world, voucher_id).template_id), count)
    application = collected(world, training)
    (line,) = lines(world, application).values()
    _copy(world, application, line, voucher(world, voucher_id), count - 1)
    names = copied(world, endpoint)
    with recording(world) as calls:
        began = time.perf_counter()
        by = world.by(REVIEWER)
        granted = Decision(LineVerdict.APPROVE)
        reviewing.review_in_bulk(world.platform, application.application_id, Filter(), granted, **by)
        work(world, application)
        ours = time.perf_counter() - began
    after = read(world, application)
    assert (after.state, after.counts[LineState.APPROVED]) == (ApplicationState.DECIDED, count)
    return Taken(count, len(calls), ours, replayed(calls, world, names, endpoint))


def _copy(world: World, application: Application, line: Line, like: Voucher, count: int) -> None:
    """So many lines more, and their vouchers; the head counts them."""
    copies = [_another(world, line, like) for _ in range(count)]
    put_rows(world, "people", (_voucher_row(one).serialize() for _, one in copies))
    put_rows(world, "casework", _line_rows(application, (one for one, _ in copies)))
    head = replace(
        application,
        counts={LineState.APPLIED: count + 1},
        claimed_fen=(count + 1) * line.claimed_fen,
        version=application.version + 1,
    )
    tx = Transaction(tables_of(world))
    put_application(tx, head)
    tx.commit()


def _another(world: World, line: Line, like: Voucher) -> tuple[Line, Voucher]:
    person_id = world.platform.chance.person_id()
    voucher_id = world.platform.keys.voucher_ids.encode(person_id, like.template_id)
    code_key = world.platform.keys.identities.code_key(voucher_id)
    made = replace(like, person_id=person_id, voucher_id=voucher_id, code_key=code_key)
    return replace(line, person_id=person_id, voucher_id=voucher_id), made


def _line_rows(application: Application, made: Iterator[Line]) -> Iterator[dict[str, Any]]:
    subject = keys.application(application.application_id)
    for line in made:
        row = CaseworkRow(subject, keys.line_item(line.voucher_id), version=line.version, body=to_body(line))
        yield row.serialize()
