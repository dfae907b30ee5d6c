"""Files that stand in the bucket, and the addresses by which they are put and fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A request that puts the file: exactly this method, address and headers."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Download:
    url: str = field(repr=False)
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of an object without its content. ``metadata``: what was said of it when it was put."""

    size: int
    version: str | None
    put_at: datetime
    metadata: Mapping[str, str]
