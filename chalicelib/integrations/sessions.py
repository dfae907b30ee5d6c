"""Holder sessions: a sealed note that we hand out and read back, so that no session is stored. design.md §3."""

import json

from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.errors import SessionEnded
from chalicelib.integrations.clock import from_milliseconds, to_milliseconds
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.sealing import CannotUnseal, seal_text, unseal_text

_PURPOSE = "holder-session"
_LONGEST = 1024


class SealedSessions:
    """``<key version>.<base64url>`` of the app key, the person and the end; the channel can read nothing of it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def issue(self, session: HolderSession, nonce: bytes) -> str:
        """Raises ``ValueError`` for a nonce that has not 12 bytes."""
        said: dict[str, str | int] = {
            "app_key": session.app_key,
            "person": session.person_id,
            "ends_at": to_milliseconds(session.ends_at),
        }
        if session.relation_id is not None:
            said["relation"] = session.relation_id
        plain = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        return seal_text(self._keyring, _PURPOSE, plain, _PURPOSE, nonce)

    def read(self, text: str) -> HolderSession:
        """Raises SessionEnded when it is not ours, or of a key two rotations old; the caller checks the time."""
        if len(text) > _LONGEST:
            raise SessionEnded()
        try:
            plain = unseal_text(self._keyring, _PURPOSE, text, _PURPOSE, self._keyring.overlapping())
        except CannotUnseal:
            raise SessionEnded() from None
        said = json.loads(plain)
        ends_at = from_milliseconds(said["ends_at"])
        return HolderSession(said["app_key"], said["person"], ends_at, said.get("relation"))
