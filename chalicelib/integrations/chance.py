"""Random ids, secrets and picks: from the system, or from a seed so that a test or recorded example repeats itself."""

import random
import secrets

from chalicelib.integrations.alphabets import to_base32, to_base64url


class SystemChance:
    """Randomness of the operating system; nothing of it can be foretold."""

    def person_id(self) -> str:
        return to_base32(secrets.token_bytes(16))

    def short_id(self) -> str:
        return to_base32(secrets.token_bytes(10))

    def code_bytes(self) -> bytes:
        return secrets.token_bytes(10)

    def nonce(self) -> bytes:
        return secrets.token_bytes(12)

    def secret(self) -> str:
        return to_base64url(secrets.token_bytes(32))

    def order(self, count: int) -> list[int]:
        return random.SystemRandom().sample(range(count), count)


class SeededChance:
    """The same ids in the same order for the same seed. Never where a real secret is made."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - to be foretold is its purpose

    def person_id(self) -> str:
        return to_base32(self._random.randbytes(16))

    def short_id(self) -> str:
        return to_base32(self._random.randbytes(10))

    def code_bytes(self) -> bytes:
        return self._random.randbytes(10)

    def nonce(self) -> bytes:
        return self._random.randbytes(12)

    def secret(self) -> str:
        return to_base64url(self._random.randbytes(32))

    def order(self, count: int) -> list[int]:
        return self._random.sample(range(count), count)
