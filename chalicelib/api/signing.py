"""How a client signs a request, and how the signature is checked: both sides of it. docs/signing.md has the vectors.

What is signed is seven lines joined by ``\\n``: method, path, query, hex SHA-256 of the body, timestamp, nonce,
idempotency key (or nothing). The standard library is enough, so that tools and tests use this very file.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, unquote

from chalicelib.domain.errors import BadSignature, StaleTimestamp, Unauthenticated

TOLERANCE = 300
"""Seconds that a request's timestamp may be off, either way."""

APP_KEY, TIMESTAMP, NONCE, SIGNATURE = "X-App-Key", "X-Timestamp", "X-Nonce", "X-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Signable:
    """What of a request is signed. ``path`` and ``query`` in their canonical form, ``body`` as its bytes."""

    method: str
    path: str
    query: str
    body: bytes
    timestamp: str
    nonce: str
    idempotency_key: str = ""

    def text(self) -> str:
        """The string to sign."""
        digest = hashlib.sha256(self.body).hexdigest()
        lines = (self.method, self.path, self.query, digest, self.timestamp, self.nonce, self.idempotency_key)
        return "\n".join(lines)


def sign(
    method: str,
    target: str,
    *,
    app_key: str,
    secret: str,
    timestamp: int,
    nonce: str,
    body: bytes = b"",
    idempotency_key: str = "",
) -> dict[str, str]:
    """The headers of one request. ``target`` is path and query without the stage: ``/v1/regions?parent=440000``."""
    path, _, query = target.partition("?")
    said = Signable(
        method=method.upper(),
        path=canonical_path(path),
        query=canonical_query(parse_qsl(query, keep_blank_values=True)),
        body=body,
        timestamp=str(timestamp),
        nonce=nonce,
        idempotency_key=idempotency_key,
    )
    headers = {APP_KEY: app_key, TIMESTAMP: said.timestamp, NONCE: nonce, SIGNATURE: signature(said, secret)}
    return headers | ({IDEMPOTENCY_KEY: idempotency_key} if idempotency_key else {})


def check(said: Signable, given: str, secrets: Iterable[str], now: datetime) -> None:
    """Check form, time and signature against every secret in force.

    Raises Unauthenticated (a header is missing or malformed), StaleTimestamp, BadSignature.
    """
    if not (_TIMESTAMP.fullmatch(said.timestamp) and _NONCE.fullmatch(said.nonce) and given):
        raise Unauthenticated()
    if abs(now.timestamp() - int(said.timestamp)) > TOLERANCE:
        raise StaleTimestamp(seconds=TOLERANCE)
    # Every secret is tried even after one fitted: the time taken says nothing.
    fits = [hmac.compare_digest(signature(said, secret).encode(), given.encode()) for secret in secrets]
    if not any(fits):
        raise BadSignature()


def signature(said: Signable, secret: str) -> str:
    """Lower-case hex HMAC-SHA-256 of the string to sign; the key is the secret's UTF-8 bytes."""
    return hmac.new(secret.encode(), said.text().encode(), hashlib.sha256).hexdigest()


def canonical_path(path: str) -> str:
    """Each segment decoded once and encoded again, all but ``A-Z a-z 0-9 - . _ ~`` as ``%XX``."""
    return "/".join(quote(unquote(segment), safe="") for segment in path.split("/"))


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values (decoded) encoded like the path, sorted by name and then value, as ``a=1&b=2``."""
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[!-~]{8,128}")
