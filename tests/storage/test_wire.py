"""Requests on the wire: in one piece each, over TLS too, to the address that botocore's own rules give."""

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest

from chalicelib.config import read_settings
from chalicelib.domain.errors import Unavailable
from chalicelib.storage.rows import PeopleRow
from chalicelib.storage.tables import Tables
from tests import eligibility


def tables_at(endpoint: str | None, region: str = "cn-north-1") -> Tables:
    names = {f"{table}_TABLE": table.lower() for table in ("PEOPLE", "CATALOGUE", "CASEWORK", "INSIGHTS")}
    return Tables(read_settings({"STAGE": "test", "AWS_REGION": region, **names}), endpoint)


@contextmanager
def a_store(tls: ssl.SSLContext | None = None, *, closes: bool = False) -> Iterator[tuple[str, list[Any]]]:
    """An address that has no row and what it was asked. ``closes``: it hangs up after each answer, and says nothing."""
    asked: list[Any] = []

    class Store(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            self.close_connection = closes

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was handed to a connection's socket, piece by piece."""
    found: list[bytes] = []
    send: Callable[..., None] = http.client.HTTPConnection.send

    def noted(connection: Any, data: bytes) -> None:
        found.append(data)
        send(connection, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", noted)
    return found


@pytest.mark.parametrize("secure", [False, True])
def test_given_a_call_when_it_is_sent_then_headers_and_body_go_in_one_piece(
    secure: bool, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(eligibility.authority()))
    with a_store(eligibility.tls_of("localhost") if secure else None) as (endpoint, asked):
        tables = tables_at(endpoint)

        assert tables.get(PeopleRow, "p", "i") is None
        assert tables.get(PeopleRow, "p", "another") is None

    assert [one["Key"]["item"]["S"] for one in asked] == ["i", "another"]
    assert len(pieces) == 2
    for piece, one in zip(pieces, asked, strict=True):
        head, _, body = piece.partition(b"\r\n\r\n")
        assert head.startswith(b"POST / HTTP/1.1\r\n")
        assert json.loads(body) == one


def test_given_a_certificate_of_nobody_known_when_called_then_nothing_is_sent(pieces: list[bytes]) -> None:
    with a_store(eligibility.tls_of("localhost")) as (endpoint, asked), pytest.raises(Unavailable):
        tables_at(endpoint).get(PeopleRow, "p", "i")

    assert pieces == asked == []


def test_given_a_store_that_hung_up_in_between_when_called_again_then_it_is_answered() -> None:
    with a_store(closes=True) as (endpoint, asked):
        tables = tables_at(endpoint)
        for _ in range(5):
            assert tables.get(PeopleRow, "p", "i") is None

    assert len(asked) == 5


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1", "ap-southeast-1", "us-east-1"])
def test_given_a_region_when_its_tables_are_called_then_at_the_address_of_botocores_own_rules(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    theirs: Any = botocore.session.get_session().create_client("dynamodb", region_name=region)
    ours: Any = tables_at(None, region).connection.client
    operation = theirs.meta.service_model.operation_model("TransactWriteItems")
    context = {"client_region": region}

    assert ours._resolve_endpoint_ruleset(operation, {}, {}) == theirs._resolve_endpoint_ruleset(operation, {}, context)
