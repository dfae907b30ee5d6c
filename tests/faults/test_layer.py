"""What the fault layer does to a call is what it says, on a real engine and on a plain HTTP server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import WriteConflict
from chalicelib.integrations.keyring import load_keyrings
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always
from tests.engines import Engine
from tests.faults.layer import At, AtRandom, Call, Fault, Recorded, under
from tests.services.faults import PowerCut
from tests.world import World

BEFORE = (Fault.UNSENT, Fault.CUT_BEFORE, Fault.THROTTLED, Fault.CONFLICT, Fault.IN_PROGRESS)
AFTER = (Fault.LOST, Fault.FAILED, Fault.CUT_AFTER)


class Refused(Exception):
    pass


@pytest.fixture
def tables(strict_world: World) -> Tables:
    found: Tables = strict_world.platform.marks._tables  # type: ignore[attr-defined]
    return found


def write(tables: Tables, name: str) -> None:
    tx = Transaction(tables)
    for item in (keys.HEAD, "ANOTHER"):
        tx.put(CaseworkRow(name, item, version=1, body="{}"), CaseworkRow.subject.does_not_exist(), always(Refused()))
    tx.commit()


def is_there(tables: Tables, name: str) -> bool:
    return tables.get(CaseworkRow, name, keys.HEAD) is not None


@pytest.mark.parametrize("fault", BEFORE)
def test_given_a_fault_before_the_call_when_it_stays_then_the_write_fails_and_nothing_is_there(
    tables: Tables, fault: Fault
) -> None:
    with pytest.raises((Unavailable, WriteConflict, PowerCut)), under(_each(fault)):
        write(tables, "one")

    assert not is_there(tables, "one")


@pytest.mark.parametrize("fault", AFTER)
def test_given_a_fault_after_the_call_when_it_stays_then_nobody_hears_of_it_and_all_is_there(
    tables: Tables, fault: Fault
) -> None:
    with pytest.raises((Unavailable, PowerCut)), under(At(1, fault, always=True)):
        write(tables, "one")

    assert is_there(tables, "one")
    with pytest.raises(Refused):
        write(tables, "one")


@pytest.mark.parametrize(
    "fault", [Fault.UNSENT, Fault.LOST, Fault.FAILED, Fault.CONFLICT, Fault.IN_PROGRESS, Fault.SLOW]
)
def test_given_a_fault_at_the_first_try_only_when_written_then_it_goes_unnoticed(tables: Tables, fault: Fault) -> None:
    plan = At(1, fault)

    with under(plan):
        write(tables, "one")

    assert plan.met == 1
    assert is_there(tables, "one")


def test_given_a_recording_when_called_then_it_tells_operation_tables_and_rows(tables: Tables) -> None:
    recorded = Recorded()

    with under(recorded):
        write(tables, "one")
        is_there(tables, "one")

    assert recorded.calls == [
        Call("TransactWriteItems", ("casework",), 2, number=1, attempt=1),
        Call("GetItem", ("casework",), 1, number=2, attempt=1),
    ]
    assert [str(call) for call in recorded.calls] == ["TransactWriteItems 2 casework", "GetItem casework"]


def test_given_a_seed_when_faults_come_at_random_then_they_are_the_same_again_and_near_their_rate() -> None:
    def run(seed: int) -> list[Fault | None]:
        plan = AtRandom(seed, 0.25, (Fault.UNSENT, Fault.LOST))
        return [plan(Call("GetItem", ("people",), 1, n, 1)) for n in range(4000)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 900 < sum(fault is not None for fault in run(1)) < 1100


def test_given_reads_when_a_fault_cannot_meet_them_then_they_are_spared() -> None:
    plan = AtRandom(1, 1.0, (Fault.CONFLICT, Fault.IN_PROGRESS))

    assert plan(Call("GetItem", ("people",), 1, 1, 1)) is None
    assert plan(Call("TransactWriteItems", ("people",), 1, 2, 1)) is not None


def test_given_the_layer_when_the_block_is_over_then_nothing_happens_any_more(tables: Tables) -> None:
    with pytest.raises(Unavailable), under(_each(Fault.UNSENT)):
        is_there(tables, "one")

    assert not is_there(tables, "one")


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.FAILED, Fault.THROTTLED])
def test_given_a_secret_that_cannot_be_had_for_the_moment_when_loaded_then_repeating_may_help(
    engines: dict[str, Engine], fault: Fault
) -> None:
    endpoint = engines["ministack"].endpoint

    with pytest.raises(Unavailable), under(_each(fault)):
        load_keyrings(["no such secret"], "us-east-1", endpoint)
    with pytest.raises(ClientError):
        load_keyrings(["no such secret"], "us-east-1", endpoint)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server that remembers what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_given_outbound_http_when_a_fault_is_planned_then_it_meets_it_too(server: tuple[str, list[str]]) -> None:
    address, asked = server
    recorded = Recorded()

    with under(recorded):
        assert requests.post(f"{address}/eligible?x=1", json={}, timeout=5).json() == {}
    with pytest.raises(requests.ConnectionError), under(At(1, Fault.UNSENT)):
        requests.post(f"{address}/unsent", json={}, timeout=5)
    with pytest.raises(requests.ReadTimeout), under(At(1, Fault.LOST)):
        requests.post(f"{address}/lost", json={}, timeout=5)
    with pytest.raises(PowerCut), under(At(1, Fault.CUT_BEFORE)):
        requests.post(f"{address}/cut", json={}, timeout=5)

    assert [str(call) for call in recorded.calls] == ["POST 127.0.0.1/eligible"]
    assert asked == ["/eligible?x=1", "/lost"]


def _each(fault: Fault) -> Any:
    return lambda _: fault
