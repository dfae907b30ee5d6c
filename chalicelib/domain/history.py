"""The hash chain of a voucher's life. Each entry keeps its canonical bytes; each names the hash of the one before.

Anyone holding the entries can recount the chain: ``hash(n) = SHA-256(canonical bytes of n)``, the first entry's
``prev`` is ``SHA-256("training-voucher" NUL template NUL person)``. No personal data stands in an entry.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.domain.calendar import from_text, to_text

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One step. ``text`` is the canonical JSON (keys sorted, no white space, UTF-8) that the hash is taken of."""

    text: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.text)
        return said

    @property
    def at(self) -> datetime:
        return from_text(self.said["at"])


class BrokenChain(Exception):
    """A history that does not follow from itself: ``number`` is the first entry that is wrong."""

    def __init__(self, number: int) -> None:
        super().__init__(f"entry {number}")
        self.number = number


def genesis(template_id: str, person_id: str) -> str:
    """The hash that the first entry follows: it ties the chain to one voucher."""
    return hashlib.sha256(b"\0".join((b"training-voucher", template_id.encode(), person_id.encode()))).hexdigest()


def next_entry(
    history: Sequence[Entry],
    genesis_hash: str,
    *,
    step: str,
    before: str | None,
    after: str,
    at: datetime,
    app_key: str | None,
    operator_id: str | None,
    request: str | None,
    body: str | None,
    facts: Mapping[str, str | int | None],
) -> Entry:
    """Write the entry that follows. ``number`` equals the voucher's version after the step."""
    said = {
        "format": FORMAT,
        "number": len(history) + 1,
        "prev": history[-1].hash if history else genesis_hash,
        "step": step,
        "from": before,
        "to": after,
        "at": to_text(at),
        "client": app_key,
        "operator": operator_id,
        "request": request,
        "body": body,
        "facts": dict(facts),
    }
    return Entry(json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def check_chain(history: Iterable[Entry], genesis_hash: str) -> int:
    """Recount the chain from the start and give its length. Raises BrokenChain."""
    prev, state, count = genesis_hash, None, 0
    for count, entry in enumerate(history, start=1):
        try:
            said = entry.said
            joins, after = (said["number"], said["prev"], said["from"]) == (count, prev, state), said["to"]
        except (ValueError, LookupError, TypeError):  # whoever wrote it, it was none of our steps
            raise BrokenChain(count) from None
        if not joins:
            raise BrokenChain(count)
        prev, state = entry.hash, after
    return count


def added(longer: Sequence[Entry], shorter: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries by which one history goes on from the other; none when it does not."""
    return tuple(longer[len(shorter) :]) if list(longer[: len(shorter)]) == list(shorter) else ()
