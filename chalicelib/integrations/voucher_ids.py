"""Public voucher ids: the voucher's key, encrypted so that the ids of one person do not link. design.md §1."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from chalicelib.integrations.alphabets import from_base32, to_base32
from chalicelib.integrations.keyring import Keyring

PERSON_BYTES = 16
TEMPLATE_BYTES = 10
_ID_BYTES = 1 + 16 + PERSON_BYTES + TEMPLATE_BYTES


class SivVoucherIds:
    """69 characters of base32: key version (1 byte), then AES-256-SIV of person and template (42 bytes).

    Deterministic: the same voucher has the same id under the same key version. Ids of every version open for ever.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def encode(self, person_id: str, template_id: str) -> str:
        """Raises ``ValueError`` for a person that is not 26 characters of base32, or a template that is not 16."""
        version = self._keyring.current
        mark = bytes([int(version)])
        return to_base32(mark + self._cipher(version).encrypt(pair_bytes(person_id, template_id), [mark]))

    def decode(self, voucher_id: str) -> tuple[str, str] | None:
        """(person, template), or None for what we never made."""
        raw = from_base32(voucher_id, _ID_BYTES)
        if raw is None or str(raw[0]) not in self._keyring.materials:
            return None
        try:
            pair = self._cipher(str(raw[0])).decrypt(raw[1:], [raw[:1]])
        except InvalidTag:
            return None
        return pair_of(pair)

    def _cipher(self, version: str) -> AESSIV:
        return AESSIV(self._keyring.derive("voucher-id", version, 64))


def pair_bytes(person_id: str, template_id: str) -> bytes:
    """Person and template as 26 bytes. Raises ``ValueError``, which names neither."""
    person, template = from_base32(person_id, PERSON_BYTES), from_base32(template_id, TEMPLATE_BYTES)
    if person is None or template is None:
        raise ValueError("a person id is 26 characters of base32, a template id 16")
    return person + template


def pair_of(raw: bytes) -> tuple[str, str]:
    """(person, template) from the first 26 bytes."""
    return to_base32(raw[:PERSON_BYTES]), to_base32(raw[PERSON_BYTES : PERSON_BYTES + TEMPLATE_BYTES])
