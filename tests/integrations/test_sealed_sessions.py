"""Holder sessions: ours, or ended."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.errors import SessionEnded
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.sealing import FieldSealer
from chalicelib.integrations.sessions import SealedSessions

SESSION = HolderSession("app-广东", "ABCDEFGHIJKLMNOPQRSTUVWXYA", datetime(2021, 6, 30, 8, 15, 0, 123000, tzinfo=UTC))
NONCE = bytes(range(12))
SESSIONS = SealedSessions(Keyring("1", {"1": b"1" * 32}))


def test_a_session_is_read_back_and_tells_the_channel_nothing() -> None:
    text = SESSIONS.issue(SESSION, NONCE)

    assert SESSIONS.read(text) == SESSION
    assert SESSION.person_id.encode() not in (from_base64url(text[2:]) or b"")


@given(st.data())
def test_no_byte_may_change(data: st.DataObject) -> None:
    raw = bytearray(from_base64url(SESSIONS.issue(SESSION, NONCE)[2:]) or b"")
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SessionEnded):
        SESSIONS.read(f"1.{to_base64url(bytes(raw))}")


@pytest.mark.parametrize("text", ["", "1", "1.", "1.AAAA", "9.AAAA", "1." + "A" * 2000, "张", "1." + "A" * 100])
def test_what_is_no_session_has_ended(text: str) -> None:
    with pytest.raises(SessionEnded):
        SESSIONS.read(text)


def test_a_sealed_field_is_no_session() -> None:
    sealed = FieldSealer(Keyring("1", {"1": b"1" * 32}), lambda: NONCE).seal("{}", "holder-session")

    with pytest.raises(SessionEnded):
        SESSIONS.read(sealed)


def test_a_rotation_keeps_sessions_and_two_end_them(second: Keyring, third: Keyring, stranger: Keyring) -> None:
    text = SESSIONS.issue(SESSION, NONCE)

    assert SealedSessions(second).read(text) == SESSION
    assert SealedSessions(second).issue(SESSION, NONCE).startswith("2.")
    for ring in (third, stranger):
        with pytest.raises(SessionEnded):
            SealedSessions(ring).read(text)
