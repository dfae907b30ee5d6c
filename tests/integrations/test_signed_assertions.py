"""Assertions of the e-SSC platform: accepted in one form only, refused for a stated reason."""

import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.domain.assertion import Assertion
from chalicelib.domain.errors import AssertionNotAccepted
from chalicelib.domain.person import Profile
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.assertions import SignedAssertions
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.compact_jws import sign_jws
from chalicelib.integrations.essc_platform import DemoPlatform

SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
PLATFORM = DemoPlatform(SEED, "essc-1")
NEXT = DemoPlatform(bytes(range(1, 33)), "essc-2")
KEYS = {"essc-1": PLATFORM.public_key, "essc-2": NEXT.public_key}
ASSERTIONS = SignedAssertions(KEYS.get)
CLAIMS: Mapping[str, Any] = {
    "iss": "essc",
    "aud": "app-1",
    "purpose": "claim",
    "sub": "TEMPLATEID234567",
    "iat": 1625040000.123,
    "jti": "j-1",
    "name": "张三丰",
    "id_type": "resident_id",
    "id_number": "11010519491231002X",
    "mobile": "13800000000",
    "verified_by": "face",
    "verified_at": 1625039990,
}


def why(text: str, assertions: SignedAssertions = ASSERTIONS) -> object:
    """The reason; whatever it is, nothing of the person may stand in the error or its traceback's messages."""
    with pytest.raises(AssertionNotAccepted) as refusal:
        assertions.read(text)
    said = repr(refusal.value) + str(refusal.value.facts) + "".join(traceback.format_exception_only(refusal.value))
    assert "110105" not in said
    assert "张三丰" not in said
    assert "1380" not in said
    assert refusal.value.__context__ is None
    return refusal.value.facts["reason"]


def a_jws(header: Mapping[str, Any], payload: bytes, sign: Callable[[bytes], bytes] = KEY.sign) -> str:
    """A compact JWS by hand, so that no library corrects it."""
    signed = f"{to_base64url(json.dumps(header).encode())}.{to_base64url(payload)}"
    return f"{signed}.{to_base64url(sign(signed.encode()))}"


HEADER = {"alg": "EdDSA", "kid": "essc-1"}
PAYLOAD = json.dumps(CLAIMS).encode()


def test_an_assertion_is_read() -> None:
    said = ASSERTIONS.read(PLATFORM.sign(CLAIMS))

    assert said == Assertion(
        kid="essc-1",
        audience="app-1",
        purpose="claim",
        subject="TEMPLATEID234567",
        name="张三丰",
        id_type="resident_id",
        id_number="11010519491231002X",
        mobile="13800000000",
        verified_by="face",
        verified_at=datetime(2021, 6, 30, 7, 59, 50, tzinfo=UTC),
        issued_at=datetime(2021, 6, 30, 8, 0, 0, 123000, tzinfo=UTC),
        jti="j-1",
    )
    assert ASSERTIONS.read(a_jws(HEADER, PAYLOAD)) == said


def test_the_demo_platform_vouches_for_a_person(profile: Profile, clock: FixedClock) -> None:
    text = PLATFORM.assertion(profile, app_key="app-1", purpose="session", jti="j-2", now=clock.now())

    said = ASSERTIONS.read(text)

    assert (said.name, said.id_number, said.mobile) == (profile.name, profile.id_number, profile.mobile)
    assert (said.audience, said.purpose, said.subject, said.jti) == ("app-1", "session", None, "j-2")
    assert said.issued_at == said.verified_at == clock.now()


def test_what_is_optional_may_be_missing_or_null() -> None:
    without = {claim: said for claim, said in CLAIMS.items() if claim not in ("sub", "mobile")}

    for claims in (without, {**without, "sub": None, "mobile": None}):
        said = ASSERTIONS.read(PLATFORM.sign(claims))
        assert (said.subject, said.mobile) == (None, None)


def test_time_is_not_judged_here() -> None:
    for seconds in (0, 1, 4_000_000_000):
        claims = {**CLAIMS, "iat": seconds, "exp": 1, "nbf": 4_000_000_000}
        assert ASSERTIONS.read(PLATFORM.sign(claims)).issued_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=seconds
        )


def test_keys_overlap_while_they_rotate() -> None:
    assert ASSERTIONS.read(PLATFORM.sign(CLAIMS)).kid == "essc-1"
    assert ASSERTIONS.read(NEXT.sign(CLAIMS)).kid == "essc-2"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c.d", "!.e30.AA", "e30.e30.e30.", "张.e30.AA", "e30=.e30.AA"]
)
def test_what_is_no_compact_jws_is_malformed(text: str) -> None:
    assert why(text) == "malformed"


def test_more_than_eight_kilobytes_are_malformed() -> None:
    assert why(PLATFORM.sign({**CLAIMS, "more": "x" * 6000})) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'"EdDSA"',
        b"{",
        b'{"alg":"EdDSA","alg":"none","kid":"essc-1"}',
        b'{"alg":"EdDSA","kid":"essc-1","crit":["b64"],"b64":false}',
        b'{"alg":"EdDSA","kid":"essc-1","b64":true}',
        b'{"alg":"EdDSA","kid":"essc-1","crit":["exp"]}',
        b'{"alg":"EdDSA","kid":NaN}',
        b'{"alg":"EdDSA","kid":"\\ud800"}',
        b"[" * 5000,
        b"\xff",
    ],
)
def test_a_header_of_another_form_is_malformed(header: bytes) -> None:
    signed = f"{to_base64url(header)}.{to_base64url(PAYLOAD)}"

    assert why(f"{signed}.{to_base64url(KEY.sign(signed.encode()))}") == "malformed"


@pytest.mark.parametrize("kid", [None, "", 1, ["essc-1"], "x" * 129, "张", "a\nb"])
def test_a_header_without_a_kid_is_malformed(kid: object) -> None:
    assert why(a_jws({"alg": "EdDSA", "kid": kid}, PAYLOAD)) == "malformed"
    assert why(a_jws({"alg": "EdDSA"}, PAYLOAD)) == "malformed"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES256", "eddsa", "Ed25519", "", None, 1, ["EdDSA"]])
def test_every_other_algorithm_is_refused(alg: object) -> None:
    assert why(a_jws({**HEADER, "alg": alg}, PAYLOAD)) == "algorithm"


def test_alg_none_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode(dict(CLAIMS), "", algorithm="none", headers={"kid": "essc-1"})

    assert unsigned.endswith(".")
    assert why(unsigned) == "algorithm"
    assert why(a_jws(HEADER, PAYLOAD, lambda _: b"")) == "signature"


@pytest.mark.parametrize("secret", [PLATFORM.public_key.encode(), from_base64url(PLATFORM.public_key) or b""])
def test_the_public_key_is_no_hmac_secret(secret: bytes) -> None:
    def sign(message: bytes) -> bytes:
        return hmac.digest(secret, message, hashlib.sha256)

    assert why(a_jws({**HEADER, "alg": "HS256"}, PAYLOAD, sign)) == "algorithm"
    assert why(a_jws(HEADER, PAYLOAD, sign)) == "signature"


def test_a_key_that_nobody_registered_is_unknown() -> None:
    stranger = DemoPlatform(bytes(32), "stranger")

    assert why(stranger.sign(CLAIMS)) == "unknown_key"
    assert why(PLATFORM.sign(CLAIMS), SignedAssertions(lambda _: None)) == "unknown_key"


def test_a_key_in_the_header_itself_is_not_believed() -> None:
    stranger = DemoPlatform(bytes(32), "essc-1")
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": stranger.public_key}
    own = Ed25519PrivateKey.from_private_bytes(bytes(32))

    assert why(stranger.sign(CLAIMS)) == "signature"
    assert why(sign_jws(own, {"kid": "essc-1", "jwk": jwk}, CLAIMS)) == "signature"


def test_no_character_may_change() -> None:
    text = PLATFORM.sign(CLAIMS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

    for place, sign in enumerate(text):
        other = alphabet[(alphabet.index(sign) + 1) % 65]
        assert why(text[:place] + other + text[place + 1 :]) in ("malformed", "algorithm", "unknown_key", "signature")


def test_the_last_spare_bits_may_not_change() -> None:
    text = PLATFORM.sign(CLAIMS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelt = text[:-1] + alphabet[alphabet.index(text[-1]) | 1]

    assert base64.urlsafe_b64decode(respelt.split(".")[2] + "==") == base64.urlsafe_b64decode(text.split(".")[2] + "==")
    assert why(respelt) == "malformed"


@pytest.mark.parametrize("claim", sorted(CLAIMS.keys() - {"sub", "mobile"}))
def test_a_missing_claim_is_malformed(claim: str) -> None:
    assert why(PLATFORM.sign({k: v for k, v in CLAIMS.items() if k != claim})) == "malformed"


@pytest.mark.parametrize("claim", sorted(CLAIMS.keys() - {"iat", "verified_at"}))
@pytest.mark.parametrize("value", ["", 1, True, ["app-1"], {"a": 1}, "x" * 513, "a\0b"])
def test_a_text_of_another_type_is_malformed(claim: str, value: object) -> None:
    assert why(PLATFORM.sign({**CLAIMS, claim: value})) == "malformed"


@pytest.mark.parametrize("claim", ["iat", "verified_at"])
@pytest.mark.parametrize("value", [None, True, "1625040000", -1, 10**30, 10**400, [1], 253_402_300_800])
def test_a_time_of_another_form_is_malformed(claim: str, value: object) -> None:
    assert why(PLATFORM.sign({**CLAIMS, claim: value})) == "malformed"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"a":' * 700,
        PAYLOAD[:-1] + b', "aud": "app-2"}',
        PAYLOAD[:-1] + b', "extra": NaN}',
        PAYLOAD.replace(b"1625039990", b"1e999"),
        PAYLOAD.replace(b"1625039990", b"9" * 4400),
        PAYLOAD.replace(b'"j-1"', b'"\\udc00"'),
    ],
)
def test_a_payload_of_another_form_is_malformed(payload: bytes) -> None:
    text = a_jws(HEADER, payload)

    assert len(text) <= 8192
    assert why(text) == "malformed"


@pytest.mark.parametrize("key", ["", "no key", "A" * 42, to_base64url(bytes(31)), f"{PLATFORM.public_key}="])
def test_a_registered_key_that_is_none_verifies_nothing(key: str) -> None:
    assert why(PLATFORM.sign(CLAIMS), SignedAssertions(lambda _: key)) == "signature"


def test_a_key_of_small_order_verifies_nothing() -> None:
    # Under the neutral point as key, "R = neutral point, s = 0" signs every message: OpenSSL agrees, we do not.
    neutral = b"\x01" + bytes(31)
    forged = a_jws(HEADER, PAYLOAD, lambda _: neutral + bytes(32))
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"anything")
    for sign_bit in (0, 0x80):
        key = to_base64url(neutral[:31] + bytes([sign_bit]))
        assert why(forged, SignedAssertions(lambda _, key=key: key)) == "signature"  # type: ignore[misc]


def test_given_another_library_when_it_signs_or_verifies_then_it_agrees_with_us() -> None:
    theirs = jwt.encode(dict(CLAIMS), KEY, algorithm="EdDSA", headers={"kid": "essc-1"})
    ours = sign_jws(KEY, {"kid": "essc-1"}, CLAIMS)

    assert ASSERTIONS.read(theirs) == ASSERTIONS.read(ours)
    assert jwt.decode(ours, KEY.public_key(), algorithms=["EdDSA"], audience="app-1") == CLAIMS
