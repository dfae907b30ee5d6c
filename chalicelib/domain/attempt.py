"""One attempt at a changing step: how a repeated request is told from a new one. design.md §3."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Digests of who asked for what under which key. ``request``: client + operation + key; ``body``: canonical body.

    The target (voucher, or person and template) is the row on which the digests are kept.
    """

    request: str
    body: str


def attempt_of(app_key: str, operation: str, key: str, canonical_body: bytes) -> Attempt:
    """Digest a request: 128 bits of SHA-256 each, in hex.

    The edge hands in keyed digests of key and body: neither can be read back from what is kept, nor found by trying.
    """
    named = "\n".join((app_key, operation, key)).encode()
    return Attempt(
        request=hashlib.sha256(named).hexdigest()[:32],
        body=hashlib.sha256(canonical_body).hexdigest()[:32],
    )


def still_kept(happened_at: datetime, now: datetime) -> bool:
    """Whether a request made then is still recognised: 30 days, the last instant included."""
    return now - happened_at <= KEPT
