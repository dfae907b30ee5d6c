"""Authenticated encryption of what is kept or handed out as text: ``<key version>.<base64url>``.

The base64url is nonce (12 bytes), AES-256-GCM ciphertext, tag (16). The context is authenticated with it, so a value
moved to another row or field does not open.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.domain.person import Profile
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.keyring import Keyring

NONCE_BYTES = 12
_TAG_BYTES = 16


class CannotUnseal(Exception):
    """The text is damaged, from another place, or sealed with a key that is not ours; it says no more than that."""


class FieldSealer:
    """Seals fields of rows with the current key; every older version stays readable."""

    def __init__(self, keyring: Keyring, nonce: Callable[[], bytes]) -> None:
        self._keyring = keyring
        self._nonce = nonce

    def seal(self, plain: str, context: str) -> str:
        return seal_text(self._keyring, "field", plain, context, self._nonce())

    def unseal(self, sealed: str, context: str) -> str:
        """Raises CannotUnseal."""
        return unseal_text(self._keyring, "field", sealed, context, self._keyring.versions())

    def seal_profile(self, profile: Profile, person_id: str) -> str:
        plain = json.dumps(asdict(profile), ensure_ascii=False, separators=(",", ":"))
        return self.seal(plain, f"profile:{person_id}")

    def unseal_profile(self, sealed: str, person_id: str) -> Profile:
        """Raises CannotUnseal."""
        plain = self.unseal(sealed, f"profile:{person_id}")
        try:
            said = json.loads(plain)
            known = Profile(said["name"], said["id_type"], said["id_number"], said["mobile"])
            others = tuple((id_type, number) for id_type, number in said.get("other_numbers", ()))
            return replace(known, other_numbers=others)
        except (ValueError, KeyError, TypeError):
            raise CannotUnseal() from None


def seal_text(keyring: Keyring, purpose: str, plain: str, context: str, nonce: bytes) -> str:
    """Seal with the current version's key of this purpose. Raises ``ValueError`` for a nonce of another length."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    box = AESGCM(keyring.derive(purpose)).encrypt(nonce, plain.encode(), context.encode())
    return f"{keyring.current}.{to_base64url(nonce + box)}"


def unseal_text(keyring: Keyring, purpose: str, sealed: str, context: str, versions: Collection[str]) -> str:
    """Open what was sealed by one of these versions for this purpose and context. Raises CannotUnseal."""
    version, _, text = sealed.partition(".")
    raw = from_base64url(text)
    if version not in versions or raw is None or len(raw) < NONCE_BYTES + _TAG_BYTES:
        raise CannotUnseal()
    try:
        plain = AESGCM(keyring.derive(purpose, version)).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
    except InvalidTag:
        raise CannotUnseal() from None
    return plain.decode()
