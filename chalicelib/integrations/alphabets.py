"""Bytes as text in one spelling only: base32 (RFC 4648, upper case) and base64url, both without padding.

Python's own readers forgive foreign characters and stray bits at the end, so that many texts open to the same bytes.
These do not: what they accept is exactly what the writers here write.
"""

import base64
import re


def to_base32(raw: bytes) -> str:
    """Write bytes in base32 without padding: 16 bytes are 26 characters, 10 bytes 16."""
    return base64.b32encode(raw).decode().rstrip("=")


def from_base32(text: str, size: int) -> bytes | None:
    """Read ``size`` bytes of base32; None for any other length, alphabet, case or spelling."""
    if len(text) != -(-size * 8 // 5) or not _BASE32.fullmatch(text):
        return None
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    return raw if to_base32(raw) == text else None


def to_base64url(raw: bytes) -> str:
    """Write bytes in base64url without padding: 32 bytes are 43 characters."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes | None:
    """Read base64url of any length; None for another alphabet, padding or spelling."""
    if len(text) % 4 == 1 or not _BASE64URL.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw if to_base64url(raw) == text else None


_BASE32 = re.compile("[A-Z2-7]+")
_BASE64URL = re.compile("[A-Za-z0-9_-]*")
