"""An operator's own signature over one request: a compact JWS in ``X-Operator``.

Header: ``alg`` EdDSA, ``kid`` the operator's id, ``typ`` operator+jwt. Payload: ``sub`` the operator's id again,
``aud`` the client's app key, ``iat`` seconds since 1970, ``htm`` the method, ``htp`` the path as the client signed it,
``bsh`` the hex SHA-256 of the body, ``idk`` the idempotency key ("" where there is none): a client cannot carry out
what an operator signed once a second time under another key.
"""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from chalicelib.domain.errors import OperatorNotAccepted
from chalicelib.integrations.compact_jws import (
    ALGORITHM,
    CompactJws,
    is_binding_key,
    is_signed_by,
    open_jws,
    read_instant,
    read_object,
)

TYPE = "operator+jwt"
_LEEWAY = timedelta(seconds=300)


class JwsOperatorSignatures:
    """Checks that this operator signed this request of this client, now (within 300 s)."""

    def signer(self, jws: str) -> str:
        """The operator id that the signature claims, nothing checked yet. Raises OperatorNotAccepted (malformed)."""
        return _open(jws)[1]

    def can_sign(self, public_key: str) -> bool:
        """Whether a signature under this key (raw, base64url) could ever be accepted."""
        return is_binding_key(public_key)

    def check(
        self, jws: str, public_key: str, *, app_key: str, method: str, path: str, body: bytes, key: str, now: datetime
    ) -> None:
        """Raises OperatorNotAccepted: malformed, algorithm, signature, audience, request, expired, future; in this
        order. Claims are judged after the signature, as malformed too."""
        opened, operator_id = _open(jws)
        if opened.header.get("alg") != ALGORITHM:
            raise OperatorNotAccepted(reason="algorithm")
        if opened.header.get("typ") != TYPE:
            raise OperatorNotAccepted(reason="malformed")
        if not is_signed_by(opened, public_key):
            raise OperatorNotAccepted(reason="signature")
        claims = read_object(opened.payload) or {}
        issued_at = read_instant(claims.get("iat"))
        if issued_at is None or claims.get("sub") != operator_id:
            raise OperatorNotAccepted(reason="malformed")
        if claims.get("aud") != app_key:
            raise OperatorNotAccepted(reason="audience")
        signed = [claims.get(claim) for claim in ("htm", "htp", "bsh", "idk")]
        if signed != [method, path, body_hash(body), key]:
            raise OperatorNotAccepted(reason="request")
        if now - issued_at > _LEEWAY:
            raise OperatorNotAccepted(reason="expired")
        if issued_at - now > _LEEWAY:
            raise OperatorNotAccepted(reason="future")


def body_hash(body: bytes) -> str:
    """64 hex digits; an empty body has a hash too."""
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=1)  # a request asks for the signer, then for the check
def _open(jws: str) -> tuple[CompactJws, str]:
    opened = open_jws(jws)
    if opened is None or opened.kid is None:
        raise OperatorNotAccepted(reason="malformed")
    return opened, opened.kid
