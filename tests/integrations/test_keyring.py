"""Rings of keys: read, refused, derived from, fetched."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.integrations.keyring import (
    BadKeyring,
    Keyring,
    UnknownKeyVersion,
    _secrets_manager,
    load_keyrings,
    read_keyring,
)

LONG = "first-material-" + "a" * 32
OTHER = "other-material-" + "b" * 32


def test_a_secret_as_the_data_stack_makes_it_is_read() -> None:
    ring = read_keyring(json.dumps({"current": "1", "1": LONG}))

    assert ring.current == "1"
    assert ring.versions() == ("1",)


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        (LONG, "not a JSON object"),
        (f'["{LONG}"]', "not a JSON object"),
        (f'[["current", "1"], ["1", "{LONG}"]]', "not a JSON object"),
        (f'{{"1": "{LONG}"}}', "which version is current"),
        (f'{{"current": "2", "1": "{LONG}"}}', "current version is not among"),
        (f'{{"current": 1, "1": "{LONG}"}}', "not text"),
        (f'{{"current": "1", "1": {{"key": "{LONG}"}}}}', "not text"),
        (f'{{"current": "1", "1": "{LONG}", "1": "{OTHER}"}}', "twice"),
        (f'{{"current": "1", "1": "{LONG}", "2": "{LONG}"}}', "same material"),
        ('{"current": "1", "1": "first-material-"}', "version 1 is shorter"),
        (f'{{"current": "2", "2": "{LONG}"}}', "version 1 is gone"),
        (f'{{"current": "1", "1": "{LONG}", "12": "{OTHER}"}}', "version 2 is gone"),
        (f'{{"current": "1", "1": "{LONG}", "{OTHER}": "{LONG}x"}}', "from 1 to 255"),
        (f'{{"current": "0", "0": "{LONG}"}}', "from 1 to 255"),
        (f'{{"current": "01", "01": "{LONG}"}}', "from 1 to 255"),
        (f'{{"current": "256", "256": "{LONG}"}}', "from 1 to 255"),
    ],
)
def test_a_bad_secret_is_refused_without_showing_it(secret: str, why: str) -> None:
    with pytest.raises(BadKeyring, match=why) as refusal:
        read_keyring(secret)

    assert "material-" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_a_repr_shows_no_key() -> None:
    ring = read_keyring(json.dumps({"current": "1", "1": LONG}))
    ring.derive("field")

    assert repr(ring) == "Keyring(current='1')"


def test_keys_are_derived_as_rfc_5869_says() -> None:
    import hashlib
    import hmac

    ring = Keyring("1", {"1": LONG.encode()})
    extracted = hmac.digest(bytes(32), LONG.encode(), hashlib.sha256)

    assert ring.derive("field") == hmac.digest(extracted, b"field\x01", hashlib.sha256)


def test_purposes_versions_and_lengths_have_keys_of_their_own(second: Keyring) -> None:
    keys = {second.derive("a"), second.derive("b"), second.derive("a", "1"), second.derive("a", length=64)}

    assert len(keys) == 4
    assert second.derive("a") == second.derive("a", "2")
    assert second.derive("a") is second.derive("a")


def test_a_version_that_is_not_there_is_named(first: Keyring) -> None:
    with pytest.raises(UnknownKeyVersion, match="'9'"):
        first.derive("a", "9")


def test_versions_come_current_first_then_newest() -> None:
    ring = Keyring("2", {str(v): str(v).encode() * 32 for v in range(1, 11)})

    assert ring.versions() == ("2", "10", "9", "8", "7", "6", "5", "4", "3", "1")
    assert ring.overlapping() == ("2", "10")


class _Answers(BaseHTTPRequestHandler):
    said: dict[str, Any] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(self.said[asked["SecretId"]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    _Answers.said = {
        "good": {"SecretString": json.dumps({"current": "1", "1": LONG})},
        "binary": {"SecretBinary": "AAAA"},
    }
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_ring_is_fetched_from_secrets_manager(secrets_manager: str) -> None:
    (ring,) = load_keyrings(["good"], "cn-north-1", secrets_manager)

    assert ring.materials == {"1": LONG.encode()}


def test_a_secret_without_text_is_refused(secrets_manager: str) -> None:
    with pytest.raises(BadKeyring, match="no text"):
        load_keyrings(["binary"], "cn-north-1", secrets_manager)


def test_the_client_is_impatient(secrets_manager: str) -> None:
    client = _secrets_manager("cn-north-1", secrets_manager)

    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (1, 3)


def test_an_address_that_changed_is_the_one_that_is_asked(
    secrets_manager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stacks after one another in one process: the second is not asked under the address of the first."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(Unavailable):
            load_keyrings(["good"], "cn-north-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", secrets_manager)

    (ring,) = load_keyrings(["good"], "cn-north-1")

    assert ring.materials == {"1": LONG.encode()}
