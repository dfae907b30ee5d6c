"""QR tokens: what a phone shows for a minute. 130 bytes, 208 characters of base32 (QR version 8-M holds 221).

| bytes | what |
|---|---|
| 1 | format, 1 |
| 1 | kid: the version of our keys |
| 6 | issued at, milliseconds since 1970, big-endian |
| 12 | nonce |
| 46 | AES-256-GCM of person (16), template (10), voucher version (4, big-endian); the 20 bytes before are its AAD |
| 64 | Ed25519 signature of all before |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.domain.errors import TokenNotAccepted
from chalicelib.domain.token import Token
from chalicelib.domain.voucher import Voucher
from chalicelib.integrations.alphabets import from_base32, from_base64url, to_base32, to_base64url
from chalicelib.integrations.clock import from_milliseconds, to_milliseconds
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.voucher_ids import pair_bytes, pair_of

_FORMAT = 1
_NONCE_BYTES = 12
_CLEAR = 20
_SIGNED = _CLEAR + 46
_TOKEN_BYTES = _SIGNED + 64


class SignedTokens:
    """Issues tokens with the current key; reads those of the current version and its neighbour."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._signers = {
            version: Ed25519PrivateKey.from_private_bytes(keyring.derive("token-signature", version))
            for version in keyring.overlapping()
        }
        self._public_keys = {version: signer.public_key() for version, signer in self._signers.items()}

    def issue(self, voucher: Voucher, nonce: bytes, now: datetime) -> str:
        """208 characters. Raises ``ValueError`` for a nonce that has not 12 bytes."""
        if len(nonce) != _NONCE_BYTES:
            raise ValueError(f"a nonce has {_NONCE_BYTES} bytes")
        version = self._keyring.current
        clear = bytes([_FORMAT, int(version)]) + to_milliseconds(now).to_bytes(6, "big") + nonce
        secret = pair_bytes(voucher.person_id, voucher.template_id) + voucher.version.to_bytes(4, "big")
        signed = clear + self._cipher(version).encrypt(nonce, secret, clear)
        return to_base32(signed + self._signers[version].sign(signed))

    def read(self, text: str) -> Token:
        """Raises TokenNotAccepted (malformed, unknown_key, signature); the caller checks the time."""
        raw = _checked(text, self._public_keys)
        clear, box = raw[:_CLEAR], raw[_CLEAR:_SIGNED]
        shown = _clear_part(raw)
        try:
            secret = self._cipher(str(shown.kid)).decrypt(clear[8:], box, clear)
        except InvalidTag:
            raise TokenNotAccepted(reason="signature") from None
        person_id, template_id = pair_of(secret)
        return Token(
            kid=shown.kid,
            issued_at=shown.issued_at,
            nonce=shown.nonce,
            person_id=person_id,
            template_id=template_id,
            voucher_version=int.from_bytes(secret[-4:], "big"),
        )

    def public_keys(self) -> Mapping[str, str]:
        """kid → raw Ed25519 public key, base64url; the key to come is there while it is being spread."""
        return {kid: to_base64url(key.public_bytes_raw()) for kid, key in self._public_keys.items()}

    def _cipher(self, version: str) -> AESGCM:
        return AESGCM(self._keyring.derive("token-content", version))


@dataclass(frozen=True, slots=True)
class ShownToken:
    """What anybody can read from a genuine token without our secrets: not whose it is, nor whether it still counts."""

    kid: int
    issued_at: datetime
    nonce: str


def check_offline(text: str, public_keys: Mapping[str, str]) -> ShownToken:
    """What a scanner can check without a network, from the published keys alone: form, kid, signature, issue time.

    The age of ``issued_at`` is the caller's to judge (60 s). Whether the voucher was used meanwhile, and for which
    course it is good, only the platform can tell. Raises TokenNotAccepted (malformed, unknown_key, signature).
    """
    usable = {}
    for kid, published in public_keys.items():
        raw = from_base64url(published)
        if raw is not None and len(raw) == 32:
            usable[kid] = Ed25519PublicKey.from_public_bytes(raw)
    return _clear_part(_checked(text, usable))


def _checked(text: str, public_keys: Mapping[str, Ed25519PublicKey]) -> bytes:
    raw = from_base32(text, _TOKEN_BYTES)
    if raw is None or raw[0] != _FORMAT:
        raise TokenNotAccepted(reason="malformed")
    key = public_keys.get(str(raw[1]))
    if key is None:
        raise TokenNotAccepted(reason="unknown_key")
    try:
        key.verify(raw[_SIGNED:], raw[:_SIGNED])
    except InvalidSignature:
        raise TokenNotAccepted(reason="signature") from None
    return raw


def _clear_part(raw: bytes) -> ShownToken:
    issued_at = from_milliseconds(int.from_bytes(raw[2:8], "big"))
    return ShownToken(kid=raw[1], issued_at=issued_at, nonce=raw[8:_CLEAR].hex())
