"""How a number, a typed code or a request finds its row without standing in any key: by its HMAC. Decision 0004."""

import hmac

from chalicelib.integrations.keyring import Keyring

_CODE_VERSION = "1"


class HashedIdentities:
    """Keys of identity partitions and of the code index, and veils of what is only compared.

    Numbers are hashed with the pepper, which rotates: a number is looked for under every version. Codes and requests
    are hashed with version 1 of the platform's keys for ever: a code is 80 random bits, which nobody can enumerate, so
    its key needs no rotation and one lookup is enough; a request is known again after a rotation. No ring is without
    that version.
    """

    def __init__(self, pepper: Keyring, platform: Keyring) -> None:
        self._pepper = pepper
        self._platform = platform

    def keys(self, id_type: str, id_number: str) -> tuple[str, ...]:
        """``IDENTITY#<pepper version>#<64 hex digits>`` of a normalised number: current pepper first, then older."""
        if "\0" in id_type or "\0" in id_number:
            raise ValueError("an identity has no NUL in it")
        identity = f"{id_type}\0{id_number}".encode()
        return tuple(
            f"IDENTITY#{version}#{_digest(self._pepper.derive('identity', version), identity)}"
            for version in self._pepper.versions()
        )

    def code_key(self, code: str) -> str:
        """64 hex digits for the canonical code (17 symbols, as ``parse_code`` returns it)."""
        return _digest(self._platform.derive("code", _CODE_VERSION), code.encode())

    def veil(self, said: bytes) -> str:
        """64 hex digits, by which two requests can be compared. What a sender puts into an idempotency key may well be
        a personal number, and a bare hash of one is found by trying them all."""
        return _digest(self._platform.derive("request", _CODE_VERSION), said)


def _digest(key: bytes, message: bytes) -> str:
    return hmac.digest(key, message, "sha256").hex()
