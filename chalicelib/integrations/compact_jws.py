"""Compact JWS with Ed25519 (RFC 7515, RFC 8037), read strictly: one algorithm, one spelling, no extensions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chalicelib.integrations.alphabets import from_base64url, to_base64url

ALGORITHM = "EdDSA"
LONGEST = 8192
# crit and b64 (RFC 7797) change how the rest is to be read; nobody needs them here.
_EXTENSIONS = frozenset({"crit", "b64"})


@dataclass(frozen=True, slots=True)
class CompactJws:
    """Header and payload as sent; nothing is checked yet but the form."""

    header: Mapping[str, Any]
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> str | None:
        """The key's name, when there is one that could be a name."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) and 0 < len(kid) <= 128 and kid.isascii() and kid.isprintable() else None


def open_jws(text: str) -> CompactJws | None:
    """Take a compact JWS apart; None for what is none: size over 8 KB, parts, base64url, header."""
    if len(text) > LONGEST or not text.isascii() or text.count(".") != 2:
        return None
    head, body, signature = (from_base64url(part) for part in text.split("."))
    header = read_object(head) if head is not None else None
    if header is None or body is None or signature is None or not _EXTENSIONS.isdisjoint(header):
        return None
    return CompactJws(header, body, text.rpartition(".")[0].encode(), signature)


def is_signed_by(jws: CompactJws, public_key: str) -> bool:
    """Whether the owner of a raw Ed25519 key (base64url) signed it; false also for what is no key that binds anyone."""
    key = _public_key(public_key)
    if key is None or jws.header.get("alg") != ALGORITHM:
        return False
    try:
        key.verify(jws.signature, jws.signed)
    except InvalidSignature:
        return False
    return True


def is_binding_key(text: str) -> bool:
    """Whether this is an Ed25519 public key (raw, base64url) under which its owner, and nobody else, can sign."""
    raw = from_base64url(text)
    return raw is not None and _public_key(text) is not None and _is_on_curve(raw)


def sign_jws(private_key: Ed25519PrivateKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Sign claims as a compact JWS; ``header`` may change everything, the algorithm's name too."""
    named = {"alg": ALGORITHM, **header}
    parts = (json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode() for part in (named, claims))
    signed = ".".join(to_base64url(part) for part in parts)
    return f"{signed}.{to_base64url(private_key.sign(signed.encode()))}"


def raw_public_key(private_key: Ed25519PrivateKey) -> str:
    """The public half, raw, base64url: 43 characters."""
    return to_base64url(private_key.public_key().public_bytes_raw())


def read_object(raw: bytes) -> dict[str, Any] | None:
    """Read a JSON object in which no name stands twice, no number is NaN, and all text is real Unicode; else None."""
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
        # A lone surrogate can be escaped in JSON, but neither hashed nor stored.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_instant(seconds: object) -> datetime | None:
    """An instant from seconds since 1970 with or without a fraction; None for anything else."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < _YEAR_9999:
        return None
    return _EPOCH + timedelta(seconds=seconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_9999 = 253_370_764_800
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
# The points of small order, as encoded without the sign bit (the last two write 0 and 1 as p and p + 1). Under such a
# key anyone can sign nearly anything, so its owner could deny every signature; OpenSSL does not refuse them.
_SMALL_ORDER = frozenset((
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
))  # fmt: skip


@lru_cache(maxsize=1024)
def _public_key(text: str) -> Ed25519PublicKey | None:
    raw = from_base64url(text)
    if raw is None or len(raw) != 32 or (raw[:31] + bytes([raw[31] & 0x7F])).hex() in _SMALL_ORDER:
        return None
    return Ed25519PublicKey.from_public_bytes(raw)


def _is_on_curve(raw: bytes) -> bool:
    # OpenSSL takes any 32 bytes as a key, and finds out at each signature. A point is its y and the sign of its x
    # (RFC 8032 5.1.3), and there is an x when (y² - 1) / (d y² + 1) is a square.
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    numerator, denominator = y * y - 1, _D * y * y + 1
    return y < _P and pow(numerator * pow(denominator, -1, _P), (_P - 1) // 2, _P) == 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        raise ValueError("a name stands twice")
    return said


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
