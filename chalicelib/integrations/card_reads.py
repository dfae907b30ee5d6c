"""Reads what a terminal signed of a physical card: compact JWS, Ed25519, ``typ`` card+jwt, ``kid`` terminal:<id>.

Required claims: ``aud`` (the client), ``purpose`` (claim, redeem), ``sub`` (the template), ``read_at`` (seconds since
1970, fractions allowed), ``jti``, ``card_number``, ``name``, ``id_type``, ``id_number``. Others are ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.assertion import Assertion
from chalicelib.domain.errors import CardReadNotAccepted
from chalicelib.domain.terminal import KID
from chalicelib.integrations.compact_jws import ALGORITHM, is_signed_by, open_jws, read_instant, read_object

TYPE = "card+jwt"
_TEXTS = ("aud", "purpose", "sub", "jti", "card_number", "name", "id_type", "id_number")
_LONGEST_TEXT = 512


class SignedCardReads:
    """``find_key`` gives the raw public key (base64url) of a terminal, None for one that is not (any more) ours."""

    def __init__(self, find_key: Callable[[str], str | None]) -> None:
        self._find_key = find_key

    def read(self, jws: str) -> Assertion:
        """Raises CardReadNotAccepted: malformed, algorithm, unknown_key, signature; in this order.

        Claims are judged after the signature, as malformed too. Whom, what for and when are the domain's to check.
        """
        opened = open_jws(jws)
        if opened is None:
            raise CardReadNotAccepted(reason="malformed")
        if opened.header.get("alg") != ALGORITHM:
            raise CardReadNotAccepted(reason="algorithm")
        kid = opened.kid or ""
        terminal_id = kid.removeprefix(KID)
        if opened.header.get("typ") != TYPE or terminal_id == kid or not terminal_id.isalnum():
            raise CardReadNotAccepted(reason="malformed")
        public_key = self._find_key(terminal_id)
        if public_key is None:
            raise CardReadNotAccepted(reason="unknown_key")
        if not is_signed_by(opened, public_key):
            raise CardReadNotAccepted(reason="signature")
        claims = read_object(opened.payload)
        said = _read_claims(kid, terminal_id, claims) if claims is not None else None
        if said is None:
            raise CardReadNotAccepted(reason="malformed")
        return said


def _read_claims(kid: str, terminal_id: str, claims: Mapping[str, Any]) -> Assertion | None:
    read_at = read_instant(claims.get("read_at"))
    if read_at is None or not all(_is_text(claims.get(claim)) for claim in _TEXTS):
        return None
    return Assertion(
        kid=kid,
        audience=claims["aud"],
        purpose=claims["purpose"],
        subject=claims["sub"],
        name=claims["name"],
        id_type=claims["id_type"],
        id_number=claims["id_number"],
        mobile=None,
        verified_by="card",
        verified_at=read_at,
        issued_at=read_at,
        jti=claims["jti"],
        terminal_id=terminal_id,
        card_number=claims["card_number"],
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and "\0" not in value
