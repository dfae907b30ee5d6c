"""Reads identity assertions of the e-SSC platform: compact JWS, Ed25519, with the claims of domain.md §3.

Required: ``iss``, ``aud`` (text), ``purpose``, ``iat``, ``jti``, ``name``, ``id_type``, ``id_number``, ``verified_by``,
``verified_at``. Optional: ``sub`` (template or voucher), ``mobile``. Times are seconds since 1970, fractions allowed.
Other claims are ignored, ``exp`` too: how old an assertion may be is our rule, not its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.assertion import Assertion
from chalicelib.domain.errors import AssertionNotAccepted
from chalicelib.integrations.compact_jws import ALGORITHM, is_signed_by, open_jws, read_instant, read_object

_TEXTS = ("iss", "aud", "purpose", "jti", "name", "id_type", "id_number", "verified_by")
_OPTIONAL_TEXTS = ("sub", "mobile")
_LONGEST_TEXT = 512


class SignedAssertions:
    """``find_key`` gives the raw public key (base64url) that a kid names, None for one that is not (any more) ours."""

    def __init__(self, find_key: Callable[[str], str | None]) -> None:
        self._find_key = find_key

    def read(self, jws: str) -> Assertion:
        """Raises AssertionNotAccepted: malformed, algorithm, unknown_key, signature; in this order.

        Claims are judged after the signature, as malformed too. Whom, what for and when are the domain's to check;
        numbers and names come as they were sent, not normalised.
        """
        opened = open_jws(jws)
        if opened is None:
            raise AssertionNotAccepted(reason="malformed")
        if opened.header.get("alg") != ALGORITHM:
            raise AssertionNotAccepted(reason="algorithm")
        if opened.kid is None:
            raise AssertionNotAccepted(reason="malformed")
        public_key = self._find_key(opened.kid)
        if public_key is None:
            raise AssertionNotAccepted(reason="unknown_key")
        if not is_signed_by(opened, public_key):
            raise AssertionNotAccepted(reason="signature")
        claims = read_object(opened.payload)
        said = _read_claims(opened.kid, claims) if claims is not None else None
        if said is None:
            raise AssertionNotAccepted(reason="malformed")
        return said


def _read_claims(kid: str, claims: Mapping[str, Any]) -> Assertion | None:
    issued_at, verified_at = read_instant(claims.get("iat")), read_instant(claims.get("verified_at"))
    texts_fit = all(_is_text(claims.get(claim)) for claim in _TEXTS)
    optional_fit = all(claims.get(claim) is None or _is_text(claims[claim]) for claim in _OPTIONAL_TEXTS)
    if issued_at is None or verified_at is None or not texts_fit or not optional_fit:
        return None
    return Assertion(
        kid=kid,
        audience=claims["aud"],
        purpose=claims["purpose"],
        subject=claims.get("sub"),
        name=claims["name"],
        id_type=claims["id_type"],
        id_number=claims["id_number"],
        mobile=claims.get("mobile"),
        verified_by=claims["verified_by"],
        verified_at=verified_at,
        issued_at=issued_at,
        jti=claims["jti"],
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and "\0" not in value
