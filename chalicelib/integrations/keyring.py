"""The two secrets of a stage, each a ring of numbered versions, and the keys derived from them. Decision 0004."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.errors import Unavailable

_SHORTEST = 32
_VERSION = re.compile("[1-9][0-9]{0,2}")


class BadKeyring(ValueError):
    """A secret that is no keyring; the message names the fault and the version, never the material."""


class UnknownKeyVersion(LookupError):
    """This ring has no such version."""

    def __init__(self, version: str) -> None:
        super().__init__(f"the keyring has no version {version!r}")


@dataclass(frozen=True, eq=False)
class Keyring:
    """Versions "1" to "255" of one secret, none left out; what is made now uses ``current``. Raises BadKeyring.

    The repr shows versions only.
    """

    current: str
    materials: Mapping[str, bytes] = field(repr=False)
    _derived: dict[tuple[str, str, int], bytes] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for version, material in self.materials.items():
            if not _VERSION.fullmatch(version) or int(version) > 255:
                raise BadKeyring("a version is not a number from 1 to 255")
            if len(material) < _SHORTEST:
                raise BadKeyring(f"the material of version {version} is shorter than {_SHORTEST}")
        if len(set(self.materials.values())) < len(self.materials):
            raise BadKeyring("two versions have the same material")
        if self.current not in self.materials:
            raise BadKeyring("the current version is not among the materials")
        # Without it what it made could not be read, and whoever is known by it would be a second person the next time.
        missing = {str(one) for one in range(1, max(map(int, self.materials)))} - self.materials.keys()
        if missing:
            raise BadKeyring(f"version {min(missing, key=int)} is gone; versions are never taken out")

    def derive(self, purpose: str, version: str | None = None, length: int = 32) -> bytes:
        """The key of one purpose by HKDF-SHA256 (no salt, the purpose as info). Raises UnknownKeyVersion."""
        version = version or self.current
        known = self._derived.get((purpose, version, length))
        if known is None:
            if version not in self.materials:
                raise UnknownKeyVersion(version)
            # Here, not above: what never derives a key, as an import or a job, does not load it.
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF

            known = HKDF(SHA256(), length, salt=None, info=purpose.encode()).derive(self.materials[version])
            self._derived[purpose, version, length] = known
        return known

    def versions(self) -> tuple[str, ...]:
        """All versions: the current one, then the others from the newest to the oldest."""
        others = sorted((v for v in self.materials if v != self.current), key=int, reverse=True)
        return (self.current, *others)

    def overlapping(self) -> tuple[str, ...]:
        """The versions by which what lives for seconds or minutes is still accepted: the current one and one neighbour.

        While a newer version is being spread that is the newer one, afterwards the one before; so two rotations end
        what a stolen version can forge. Decision 0004.
        """
        return self.versions()[:2]


def read_keyring(secret_string: str) -> Keyring:
    """Read ``{"current": "1", "1": "<32 random characters or more>", …}``. Raises BadKeyring."""
    pairs = _members(secret_string)
    if pairs is None:
        raise BadKeyring("the secret is not a JSON object")
    said = dict(pairs)
    if len(said) < len(pairs):
        raise BadKeyring("a member of the secret is there twice")
    if not all(isinstance(value, str) for value in said.values()):
        raise BadKeyring("a member of the secret is not text")
    if "current" not in said:
        raise BadKeyring("the secret does not say which version is current")
    current = said.pop("current")
    # A lone surrogate must not raise here: the encoder's error would carry the material.
    return Keyring(current, {version: text.encode(errors="surrogatepass") for version, text in said.items()})


def load_keyrings(secret_ids: Sequence[str], region: str | None, endpoint: str | None = None) -> tuple[Keyring, ...]:
    """Fetch keyrings from Secrets Manager, each within 1 s to connect and 3 s to read, tried three times at most.

    Raises BadKeyring, Unavailable when the service cannot be reached or is too busy, and botocore's own errors when it
    refuses.
    """
    client = _secrets_manager(region, endpoint)  # one for all: making it costs about 0.1 s
    return tuple(_fetch(client, secret_id) for secret_id in secret_ids)


def _fetch(client: Any, secret_id: str) -> Keyring:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    try:
        answer = client.get_secret_value(SecretId=secret_id)
    except (ConnectionError, HTTPClientError) as unreachable:
        raise Unavailable() from unreachable
    except ClientError as refused:
        if refused.response["ResponseMetadata"]["HTTPStatusCode"] < 500 and _code(refused) != "ThrottlingException":
            raise
        raise Unavailable() from refused
    text = answer.get("SecretString")
    if text is None:
        raise BadKeyring("the secret has no text")
    return read_keyring(text)


def _code(refused: Any) -> str:
    return str(refused.response["Error"]["Code"])


def _secrets_manager(region: str | None, endpoint: str | None) -> Any:
    import botocore.config
    import botocore.session

    patience = botocore.config.Config(
        connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3, "mode": "standard"}
    )
    session = botocore.session.get_session()
    return session.create_client("secretsmanager", region_name=region, endpoint_url=endpoint, config=patience)


def _members(secret_string: str) -> list[tuple[str, Any]] | None:
    # The error of the JSON reader carries the whole text; it ends here and is nobody's context.
    try:
        found = json.loads(secret_string, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    # An array of arrays would look the same, but a secret starts with its brace.
    return found if isinstance(found, list) and secret_string.lstrip().startswith("{") else None
