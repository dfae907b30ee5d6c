"""QR tokens: short enough, bound to every bit, readable across a rotation, checkable offline."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import TokenNotAccepted
from chalicelib.domain.token import Token
from chalicelib.domain.voucher import Voucher
from chalicelib.integrations.alphabets import from_base32, to_base32, to_base64url
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.tokens import ShownToken, SignedTokens, check_offline

NONCE = bytes(range(12))


def why(read: Callable[[], object]) -> object:
    with pytest.raises(TokenNotAccepted) as refusal:
        read()
    return refusal.value.facts["reason"]


@pytest.fixture
def now(clock: FixedClock) -> datetime:
    return clock.now()


def test_a_token_says_which_voucher_it_shows(first: Keyring, voucher: Voucher, now: datetime) -> None:
    tokens = SignedTokens(first)

    text = tokens.issue(voucher, NONCE, now)

    assert len(text) == 208
    assert tokens.read(text) == Token(1, now, NONCE.hex(), voucher.person_id, voucher.template_id, 7)


def test_microseconds_are_cut(first: Keyring, voucher: Voucher, now: datetime) -> None:
    tokens = SignedTokens(first)

    assert tokens.read(tokens.issue(voucher, NONCE, now.replace(microsecond=123999))).issued_at == now


def test_anybody_can_check_a_token_offline(first: Keyring, voucher: Voucher, now: datetime) -> None:
    tokens = SignedTokens(first)
    text = tokens.issue(voucher, NONCE, now)

    assert check_offline(text, tokens.public_keys()) == ShownToken(1, now, NONCE.hex())
    assert why(lambda: check_offline(text, {})) == "unknown_key"
    assert why(lambda: check_offline(text, {"1": "no key"})) == "unknown_key"
    assert why(lambda: check_offline(text, {"1": to_base64url(bytes(range(32)))})) == "signature"


def test_whose_it_is_cannot_be_read_offline(first: Keyring, voucher: Voucher, now: datetime) -> None:
    raw = from_base32(SignedTokens(first).issue(voucher, NONCE, now), 130) or b""

    assert (from_base32(voucher.person_id, 16) or b"") not in raw
    assert (from_base32(voucher.template_id, 10) or b"") not in raw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.integers(1, 255))
def test_no_byte_may_change(first: Keyring, voucher: Voucher, now: datetime, change: int) -> None:
    tokens = SignedTokens(first)
    raw = from_base32(tokens.issue(voucher, NONCE, now), 130) or b""

    for place in range(130):
        tampered = to_base32(raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :])
        expected = {0: "malformed", 1: "unknown_key"}.get(place, "signature")
        assert why(lambda text=tampered: tokens.read(text)) == expected  # type: ignore[misc]
        assert why(lambda text=tampered: check_offline(text, tokens.public_keys())) == expected  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "A" * 208, "A" * 207, "0" * 208, "ａ" * 208])
def test_what_is_no_token_is_malformed(first: Keyring, text: str) -> None:
    assert why(lambda: SignedTokens(first).read(text)) == "malformed"


def test_other_spellings_are_malformed(first: Keyring, voucher: Voucher, now: datetime) -> None:
    tokens = SignedTokens(first)
    text = tokens.issue(voucher, NONCE, now)

    for other in (text.lower(), f" {text}", text[:-1], f"{text}A"):
        assert why(lambda other=other: tokens.read(other)) == "malformed"  # type: ignore[misc]


def test_a_refusal_does_not_repeat_the_token(
    first: Keyring, stranger: Keyring, voucher: Voucher, now: datetime
) -> None:
    text = SignedTokens(stranger).issue(voucher, NONCE, now)

    with pytest.raises(TokenNotAccepted) as refusal:
        SignedTokens(first).read(text)

    assert refusal.value.facts == {"reason": "signature"}
    assert text[:20] not in repr(refusal.value)


def test_a_signature_without_our_sealing_is_refused(first: Keyring, voucher: Voucher, now: datetime) -> None:
    # Somebody has the signing key but not the other one.
    tokens = SignedTokens(first)
    raw = from_base32(tokens.issue(voucher, NONCE, now), 130) or b""
    signed = raw[:20] + bytes(46)
    signer = Ed25519PrivateKey.from_private_bytes(first.derive("token-signature"))

    assert why(lambda: tokens.read(to_base32(signed + signer.sign(signed)))) == "signature"


def test_a_rotation_keeps_living_tokens_and_two_end_them(
    first: Keyring, second: Keyring, third: Keyring, voucher: Voucher, now: datetime
) -> None:
    shown = SignedTokens(first).issue(voucher, NONCE, now)

    assert SignedTokens(second).read(shown).kid == 1
    assert SignedTokens(second).read(SignedTokens(second).issue(voucher, NONCE, now)).kid == 2
    assert why(lambda: SignedTokens(third).read(shown)) == "unknown_key"
    assert list(SignedTokens(third).public_keys()) == ["3", "2"]


def test_the_coming_key_is_published_while_it_is_spread(first: Keyring, voucher: Voucher, now: datetime) -> None:
    spreading = SignedTokens(Keyring("1", {**first.materials, "2": b"2" * 32}))
    rotated = SignedTokens(Keyring("2", {**first.materials, "2": b"2" * 32}))

    text = rotated.issue(voucher, NONCE, now)

    assert spreading.read(text).kid == 2
    assert check_offline(text, spreading.public_keys()).kid == 2


def test_what_cannot_be_issued_is_refused(first: Keyring, voucher: Voucher, now: datetime) -> None:
    tokens = SignedTokens(first)
    with pytest.raises(ValueError, match="12 bytes"):
        tokens.issue(voucher, b"short", now)
    with pytest.raises(ValueError, match="naive"):
        tokens.issue(voucher, NONCE, now.replace(tzinfo=None))
    with pytest.raises(ValueError, match="26 characters"):
        tokens.issue(replace(voucher, person_id="P1"), NONCE, now)
