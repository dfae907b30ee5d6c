"""A bucket and a queue that only remember, for worlds that have none."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from chalicelib.domain.stored_file import Download, Stored, Upload


@dataclass
class RememberedFiles:
    """A bucket in memory: every version is kept, and nothing is told to anybody."""

    objects: dict[str, list[tuple[bytes, dict[str, str]]]] = field(default_factory=dict)

    def put(self, key: str, data: bytes, **metadata: str) -> str:
        self.objects.setdefault(key, []).append((data, {k.replace("_", "-"): v for k, v in metadata.items()}))
        return str(len(self.objects[key]))

    def upload_url(self, key: str, *, size: int, sha256: str, now: datetime) -> Upload:
        return Upload(
            "PUT", f"https://bucket.invalid/{key}", {"Content-Length": str(size)}, now + timedelta(minutes=15)
        )

    def download_url(self, key: str, file_name: str, now: datetime) -> Download:
        return Download(f"https://bucket.invalid/{key}", now + timedelta(minutes=5))

    def exists(self, key: str) -> bool:
        return key in self.objects

    def look(self, key: str, version: str | None) -> Stored | None:
        there = self.objects.get(key)
        if not there:
            return None
        data, metadata = there[int(version) - 1 if version else -1]
        return Stored(len(data), version or str(len(there)), datetime(2021, 5, 1, 4, 0, tzinfo=UTC), metadata)

    def read(self, key: str, version: str | None, most: int) -> bytes | None:
        there = self.objects.get(key)
        data = there[int(version) - 1 if version else -1][0] if there else None
        return data if data is not None and len(data) <= most else None

    def write(self, key: str, file: BinaryIO, content_type: str) -> None:
        self.put(key, file.read())

    def newest(self, key: str) -> bytes:
        return self.objects[key][-1][0]


@dataclass
class Errands:
    """A queue that keeps what it was asked for."""

    asked: list[tuple[Any, timedelta]] = field(default_factory=list)

    def ask(self, errand: Any, delay: timedelta) -> None:
        self.asked.append((errand, delay))
