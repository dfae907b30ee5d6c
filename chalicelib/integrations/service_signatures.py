"""How a question to a region's eligibility service is signed, and its answer: both sides of it.

The same convention as requests to our own API (docs/signing.md), with ``X-Key-Id`` instead of ``X-App-Key`` and no
idempotency key. docs/eligibility-service.md has the vectors.
"""

import hashlib
import hmac

KEY_ID, TIMESTAMP, NONCE, SIGNATURE = "X-Key-Id", "X-Timestamp", "X-Nonce", "X-Signature"


def question_text(path: str, body: bytes, timestamp: str, nonce: str) -> str:
    """What is signed of a question: seven lines, of which query and idempotency key are empty."""
    return "\n".join(("POST", path, "", _digest(body), timestamp, nonce, ""))


def answer_text(status: int, nonce: str, body: bytes) -> str:
    """What is signed of an answer: three lines, with the nonce of the question, so that it answers no other."""
    return "\n".join((str(status), nonce, _digest(body)))


def signature(text: str, secret: str) -> str:
    """Lower-case hex HMAC-SHA-256; the key is the secret's UTF-8 bytes."""
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def fits(given: str, text: str, secret: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(signature(text, secret).encode(), given.encode())


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
