"""The signature of requests: published vectors, and what is refused."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chalicelib.api import signing
from chalicelib.domain.access import Role, Secret
from chalicelib.services.granting_access import secret_context
from tests.api.conftest import NOW, Desk

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "vectors" / "signing.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_vectors_hold(vector: dict[str, Any]) -> None:
    path, _, query = vector["target"].partition("?")
    said = signing.Signable(
        method=vector["method"],
        path=signing.canonical_path(path),
        query=signing.canonical_query(parse_qsl(query, keep_blank_values=True)),
        body=vector["body"].encode(),
        timestamp=str(vector["timestamp"]),
        nonce=vector["nonce"],
        idempotency_key=vector["idempotency_key"],
    )

    assert said.text() == vector["string_to_sign"]
    assert signing.signature(said, vector["secret"]) == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_client_side_makes_the_same_signature(vector: dict[str, Any]) -> None:
    given = {name: vector[name] for name in ("app_key", "secret", "timestamp", "nonce", "idempotency_key")}

    headers = signing.sign(vector["method"], vector["target"], body=vector["body"].encode(), **given)

    assert headers["X-Signature"] == vector["signature"]
    assert headers.get("Idempotency-Key", "") == vector["idempotency_key"]


def test_given_a_signed_request_when_sent_then_it_is_answered(desk: Desk) -> None:
    answer = desk.send("GET", "/v1/regions/440300", client=desk.a_client(Role.CHANNEL))

    assert answer.status_code == 200
    assert answer.json_body["name_zh"] == "深圳市"


@pytest.mark.parametrize(
    "target", ["/v1/regions?limit=1&parent=440000", "/v1/regions?parent=440000&cursor=440100&limit=2", "/v1/regions"]
)
def test_given_a_query_in_any_order_when_signed_then_it_is_answered(desk: Desk, target: str) -> None:
    assert desk.send("GET", target, client=desk.a_client()).status_code == 200


@pytest.mark.parametrize("header", ["X-App-Key", "X-Timestamp", "X-Nonce", "X-Signature"])
def test_given_a_missing_header_when_sent_then_unauthenticated(desk: Desk, header: str) -> None:
    answer = desk.send("GET", "/v1/regions", client=desk.a_client(), headers={header: ""})

    assert (answer.status_code, answer.json_body["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Signature", "0" * 64, "bad_signature"),
        ("X-Signature", "签名", "bad_signature"),
        ("X-Nonce", "another-nonce", "bad_signature"),
        ("X-Nonce", "short", "unauthenticated"),
        ("X-Nonce", "n" * 129, "unauthenticated"),
        ("X-Nonce", "with a space", "unauthenticated"),
        ("X-Timestamp", "yesterday", "unauthenticated"),
        ("X-Timestamp", "-1", "unauthenticated"),
        ("X-App-Key", "NOBODY", "unknown_client"),
    ],
)
def test_given_a_changed_header_when_sent_then_refused(desk: Desk, header: str, value: str, code: str) -> None:
    answer = desk.send("GET", "/v1/regions", client=desk.a_client(), headers={header: value})

    assert (answer.status_code, answer.json_body["code"]) == (401, code)


def test_given_a_changed_body_or_key_when_sent_then_bad_signature(desk: Desk) -> None:
    client = desk.a_client()
    signed = signing.sign(
        "POST",
        "/v1/programmes",
        app_key=client.app_key,
        secret="wrong",
        timestamp=int(NOW.timestamp()),
        nonce="n" * 8,
        body=b"{}",
        idempotency_key="k",
    )

    for headers in (signed, {"Idempotency-Key": "another"}):
        answer = desk.send("POST", "/v1/programmes", {}, client=client, key="k", headers=headers)
        assert answer.json_body["code"] == "bad_signature"


@pytest.mark.parametrize(("seconds", "status"), [(300, 200), (301, 401), (-300, 200), (-301, 401)])
def test_timestamps_may_be_300_seconds_off_either_way(desk: Desk, seconds: int, status: int) -> None:
    client = desk.a_client()
    signed = signing.sign(
        "GET",
        "/v1/regions",
        app_key=client.app_key,
        secret="a-secret-of-the-tests-and-of-nobody-else",
        timestamp=int(NOW.timestamp()) - seconds,
        nonce="n" * 8,
    )
    desk.clock.set(NOW.replace(microsecond=0))

    answer = desk.send("GET", "/v1/regions", headers=signed)

    assert answer.status_code == status
    if status == 401:
        assert answer.json_body["code"] == "stale_timestamp"
        assert answer.json_body["facts"] == {"seconds": 300}


def test_given_a_disabled_client_when_it_signs_then_refused(desk: Desk) -> None:
    answer = desk.send("GET", "/v1/regions", client=desk.a_client(disabled_at=NOW))

    assert (answer.status_code, answer.json_body["code"]) == (401, "client_disabled")


def test_given_two_secrets_in_force_when_either_signs_then_answered_until_the_old_one_ends(desk: Desk) -> None:
    client = desk.a_client()
    (old,) = client.secrets
    fresh = Secret("TWO", desk.keys.sealer.seal("fresh", secret_context(client.app_key, "TWO")), NOW)
    ending = Secret(old.secret_id, old.sealed, old.made_at, ends_at=NOW + timedelta(minutes=1))
    rotated = desk.a_client(app_key=client.app_key, secrets=(ending, fresh))

    assert desk.send("GET", "/v1/regions", client=rotated).status_code == 200
    desk.clock.set(NOW + timedelta(minutes=1))
    assert desk.send("GET", "/v1/regions", client=rotated).json_body["code"] == "bad_signature"
    signed = signing.sign(
        "GET",
        "/v1/regions",
        app_key=client.app_key,
        secret="fresh",
        timestamp=int(desk.clock.now().timestamp()),
        nonce="n" * 8,
    )
    assert desk.send("GET", "/v1/regions", headers=signed).status_code == 200
