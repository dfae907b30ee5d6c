"""An operator signs one request of one client, now; anything else is refused for a stated reason."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.domain.errors import OperatorNotAccepted
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.compact_jws import _SMALL_ORDER, sign_jws
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.integrations.operator_signatures import JwsOperatorSignatures

NOW = datetime(2021, 6, 30, 8, 0, 0, 123000, tzinfo=UTC)
SEED = bytes(range(32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
KEY = OperatorKey(SEED)
BODY = '{"reason":"误扫"}'.encode()
SIGNATURES = JwsOperatorSignatures()
SIGNED = KEY.sign("OP1", "app-1", "POST", "/v1/templates/T1/suspension", BODY, "key-1", NOW)
HEADER = {"alg": "EdDSA", "kid": "OP1", "typ": "operator+jwt"}
CLAIMS: Mapping[str, Any] = {
    "sub": "OP1",
    "aud": "app-1",
    "iat": NOW.timestamp(),
    "htm": "POST",
    "htp": "/v1/templates/T1/suspension",
    "bsh": hashlib.sha256(BODY).hexdigest(),
    "idk": "key-1",
}


def check(text: str, public_key: str = KEY.public_key, **other: Any) -> None:
    request: dict[str, Any] = {
        "app_key": "app-1",
        "method": "POST",
        "path": "/v1/templates/T1/suspension",
        "body": BODY,
        "key": "key-1",
        "now": NOW,
    }
    SIGNATURES.check(text, public_key, **{**request, **other})


def why(text: str, public_key: str = KEY.public_key, **other: Any) -> object:
    with pytest.raises(OperatorNotAccepted) as refusal:
        check(text, public_key, **other)
    return refusal.value.facts["reason"]


def signed(header: Mapping[str, Any] = HEADER, claims: object = CLAIMS) -> str:
    start = f"{to_base64url(json.dumps(header).encode())}.{to_base64url(json.dumps(claims).encode())}"
    return f"{start}.{to_base64url(PRIVATE.sign(start.encode()))}"


def test_the_request_that_was_signed_is_accepted() -> None:
    assert SIGNATURES.signer(SIGNED) == "OP1"
    check(SIGNED)
    check(signed())


def test_an_empty_body_is_signed_too() -> None:
    text = KEY.sign("OP1", "app-1", "POST", "/v1/x", b"", "", NOW)

    check(text, path="/v1/x", body=b"", key="")
    assert why(text, path="/v1/x", body=b" ") == "request"


@pytest.mark.parametrize("text", ["", "a.b.c", "e30.e30.AA", SIGNED + "=", SIGNED + ".", "A" * 9000, "张.e30.AA"])
def test_what_names_no_operator_is_malformed(text: str) -> None:
    with pytest.raises(OperatorNotAccepted) as refusal:
        SIGNATURES.signer(text)

    assert refusal.value.facts["reason"] == "malformed"
    assert why(text) == "malformed"


@pytest.mark.parametrize("typ", [None, "JWT", "operator", 1])
def test_another_type_of_jws_is_malformed(typ: object) -> None:
    assert why(signed({**HEADER, "typ": typ})) == "malformed"


@pytest.mark.parametrize(
    "claims",
    [
        [],
        {},
        {**CLAIMS, "sub": "OP2"},
        {**CLAIMS, "iat": str(NOW.timestamp())},
        {**CLAIMS, "iat": True},
        {k: v for k, v in CLAIMS.items() if k != "iat"},
        {k: v for k, v in CLAIMS.items() if k != "sub"},
    ],
)
def test_claims_of_another_form_are_malformed(claims: object) -> None:
    assert why(signed(claims=claims)) == "malformed"


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256", None, 1])
def test_every_other_algorithm_is_refused(alg: object) -> None:
    assert why(signed({**HEADER, "alg": alg})) == "algorithm"


def test_the_public_key_is_no_hmac_secret() -> None:
    start = (
        f"{to_base64url(json.dumps({**HEADER, 'alg': 'HS256'}).encode())}.{to_base64url(json.dumps(CLAIMS).encode())}"
    )
    tag = hmac.digest(KEY.public_key.encode(), start.encode(), "sha256")

    assert why(f"{start}.{to_base64url(tag)}") == "algorithm"


def test_another_operators_key_does_not_fit() -> None:
    assert why(SIGNED, OperatorKey(bytes(32)).public_key) == "signature"
    assert why(SIGNED, "no key") == "signature"
    assert why(sign_jws(Ed25519PrivateKey.generate(), HEADER, CLAIMS)) == "signature"


def test_no_byte_may_change() -> None:
    parts = [from_base64url(part) or b"" for part in SIGNED.split(".")]

    for number, part in enumerate(parts):
        for place in range(len(part)):
            changed = part[:place] + bytes([part[place] ^ 1]) + part[place + 1 :]
            text = ".".join(to_base64url(p) for p in [*parts[:number], changed, *parts[number + 1 :]])
            assert why(text) in ("malformed", "algorithm", "signature")


def test_another_client_may_not_use_it() -> None:
    assert why(SIGNED, app_key="app-2") == "audience"
    assert why(signed(claims={**CLAIMS, "aud": ["app-1"]})) == "audience"


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"method": "post"},
        {"path": "/v1/templates/T2/suspension"},
        {"path": "/v1/templates/T1/suspension/"},
        {"body": BODY + b" "},
        {"body": b""},
    ],
)
def test_it_is_good_for_one_request_only(other: dict[str, Any]) -> None:
    assert why(SIGNED, **other) == "request"


@pytest.mark.parametrize("claim", ["htm", "htp", "bsh"])
def test_a_request_only_half_named_is_another(claim: str) -> None:
    assert why(signed(claims={k: v for k, v in CLAIMS.items() if k != claim})) == "request"


def test_it_lives_five_minutes_either_way() -> None:
    edge, tick = timedelta(seconds=300), timedelta(milliseconds=1)

    check(SIGNED, now=NOW + edge)
    check(SIGNED, now=NOW - edge)
    assert why(SIGNED, now=NOW + edge + tick) == "expired"
    assert why(SIGNED, now=NOW - edge - tick) == "future"


def test_reasons_come_in_their_order() -> None:
    late = NOW + timedelta(days=1)

    assert why(SIGNED, OperatorKey(bytes(32)).public_key, app_key="app-2", method="PUT", now=late) == "signature"
    assert why(SIGNED, app_key="app-2", method="PUT", now=late) == "audience"
    assert why(SIGNED, method="PUT", now=late) == "request"


def test_the_refused_keys_are_the_points_of_small_order() -> None:
    # From the curve itself: eight times such a point is the neutral one. -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032).
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def times_two(x: int, y: int) -> tuple[int, int]:
        k = d * x * x * y * y
        return 2 * x * y * pow(1 + k, -1, p) % p, (y * y + x * x) * pow(1 - k, -1, p) % p

    heights = set()
    for text in _SMALL_ORDER:
        y = int.from_bytes(bytes.fromhex(text), "little") % p
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        x = x if x * x % p == square else x * pow(2, (p - 1) // 4, p) % p
        assert x * x % p == square
        point = (x, y)
        for _ in range(3):
            point = times_two(*point)
        assert point == (0, 1)
        heights.add(y)

    # Orders 1, 2, 4 and 8 share out 1 + 1 + 2 + 4 points; opposite ones have one height: 1, -1, 0 and two more.
    assert len(heights) == 5


def test_given_one_signature_when_sent_under_another_idempotency_key_then_it_is_for_another_request() -> None:
    assert why(SIGNED, key="key-2") == "request"
    assert why(SIGNED, key="") == "request"
