"""Sealed fields open in their own place only."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.person import Profile
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.chance import SeededChance, SystemChance
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.sealing import CannotUnseal, FieldSealer

RING = Keyring("1", {"1": b"1" * 32})
SEALER = FieldSealer(RING, SystemChance().nonce)


@given(st.text(), st.text())
def test_what_is_sealed_opens_in_its_context(plain: str, context: str) -> None:
    assert SEALER.unseal(SEALER.seal(plain, context), context) == plain


def test_sealing_twice_gives_two_texts() -> None:
    assert SEALER.seal("a", "row") != SEALER.seal("a", "row")


def test_another_context_does_not_open() -> None:
    sealed = SEALER.seal("secret", "row:1")

    with pytest.raises(CannotUnseal):
        SEALER.unseal(sealed, "row:2")


@given(st.data())
def test_no_byte_may_change(data: st.DataObject) -> None:
    sealed = SEALER.seal("secret", "row")
    raw = bytearray(from_base64url(sealed[2:]) or b"")
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(CannotUnseal):
        SEALER.unseal(f"1.{to_base64url(bytes(raw))}", "row")


@pytest.mark.parametrize(
    "sealed", ["", ".", "1", "1.", "1.AAAA", "1.!", "2.AAAA", "x", "1." + "A" * 64, ".1." + "A" * 64]
)
def test_what_was_never_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(CannotUnseal) as refusal:
        SEALER.unseal(sealed, "row")

    assert str(refusal.value) == ""
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_old_versions_stay_readable_and_new_ones_are_used(first: Keyring, third: Keyring, stranger: Keyring) -> None:
    nonce = SeededChance(1).nonce
    old = FieldSealer(first, nonce).seal("secret", "row")
    rotated = FieldSealer(third, nonce)

    assert rotated.unseal(old, "row") == "secret"
    assert rotated.seal("secret", "row").startswith("3.")
    with pytest.raises(CannotUnseal):
        rotated.unseal("2" + old[1:], "row")
    with pytest.raises(CannotUnseal):
        FieldSealer(stranger, nonce).unseal(old, "row")


def test_a_nonce_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        FieldSealer(RING, lambda: b"short").seal("a", "row")


def test_a_profile_opens_for_its_person_only(profile: Profile) -> None:
    sealed = SEALER.seal_profile(profile, "P1")

    assert SEALER.unseal_profile(sealed, "P1") == profile
    assert SEALER.unseal(sealed, "profile:P1").startswith("{")
    with pytest.raises(CannotUnseal):
        SEALER.unseal_profile(sealed, "P2")
    without = replace(profile, mobile=None)
    assert SEALER.unseal_profile(SEALER.seal_profile(without, "P1"), "P1") == without


@pytest.mark.parametrize("plain", ["张三", "[]", "{}"])
def test_what_is_no_profile_is_refused(plain: str) -> None:
    with pytest.raises(CannotUnseal):
        SEALER.unseal_profile(SEALER.seal(plain, "profile:P1"), "P1")
