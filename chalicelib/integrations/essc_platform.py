"""Plays those who sign towards us: the e-SSC platform, an operator's device, a card terminal. For tools and tests.

Nothing in the running service uses this; a demo platform counts only where its public key was registered.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.domain.person import Profile
from chalicelib.domain.terminal import KID
from chalicelib.integrations.card_reads import TYPE as CARD_TYPE
from chalicelib.integrations.clock import to_milliseconds
from chalicelib.integrations.compact_jws import raw_public_key, sign_jws
from chalicelib.integrations.operator_signatures import TYPE, body_hash


class DemoPlatform:
    """Vouches for invented people. ``seed``: 32 bytes, the Ed25519 private key; ``public_key``: raw, base64url."""

    def __init__(self, seed: bytes, kid: str = "demo-1") -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.kid = kid
        self.public_key = raw_public_key(self._key)

    def assertion(
        self,
        profile: Profile,
        *,
        app_key: str,
        purpose: str,
        jti: str,
        now: datetime,
        subject: str | None = None,
        verified_by: str = "face",
        verified_at: datetime | None = None,
    ) -> str:
        """An assertion of this person for this client and purpose; ``subject``: the template or voucher."""
        claims = {
            "iss": "essc-demo",
            "aud": app_key,
            "purpose": purpose,
            "sub": subject,
            "iat": _seconds(now),
            "jti": jti,
            "name": profile.name,
            "id_type": profile.id_type,
            "id_number": profile.id_number,
            "mobile": profile.mobile,
            "verified_by": verified_by,
            "verified_at": _seconds(verified_at or now),
        }
        return self.sign({claim: said for claim, said in claims.items() if said is not None})

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims, also those that ought to be refused."""
        return sign_jws(self._key, {"kid": self.kid, "typ": "JWT"}, claims)


class OperatorKey:
    """An operator's private key. ``seed``: 32 bytes, random for a real one; ``public_key``: raw, base64url."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = raw_public_key(self._key)

    def sign(self, operator_id: str, app_key: str, method: str, path: str, body: bytes, key: str, now: datetime) -> str:
        """The value of ``X-Operator`` for one request, the body exactly as it will be sent; ``key`` may be empty."""
        claims = {
            "sub": operator_id,
            "aud": app_key,
            "iat": _seconds(now),
            "htm": method,
            "htp": path,
            "bsh": body_hash(body),
            "idk": key,
        }
        return sign_jws(self._key, {"kid": operator_id, "typ": TYPE}, claims)


class DemoTerminal:
    """A terminal that reads cards of invented people. ``seed``: 32 bytes; ``public_key``: raw, base64url."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = raw_public_key(self._key)

    def card_read(
        self,
        terminal_id: str,
        profile: Profile,
        *,
        card_number: str,
        app_key: str,
        purpose: str,
        subject: str,
        jti: str,
        now: datetime,
    ) -> str:
        """What the terminal says of this person's card, for this client; ``subject``: the template."""
        claims = {
            "aud": app_key,
            "purpose": purpose,
            "sub": subject,
            "read_at": _seconds(now),
            "jti": jti,
            "card_number": card_number,
            "name": profile.name,
            "id_type": profile.id_type,
            "id_number": profile.id_number,
        }
        return self.sign(terminal_id, claims)

    def sign(self, terminal_id: str, claims: Mapping[str, Any], **header: str) -> str:
        """Sign any claims, also those that ought to be refused."""
        return sign_jws(self._key, {"kid": f"{KID}{terminal_id}", "typ": CARD_TYPE, **header}, claims)


def _seconds(instant: datetime) -> int | float:
    milliseconds = to_milliseconds(instant)
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000
