"""How fast a client may ask: so many requests a window, which containers lease a few at a time. design.md §3.

A limit protects everybody else from a client that runs wild; it is no ledger. So a container lets ``FREE`` requests of
a window through without asking anybody, and what it leased and did not use is lost with the window.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain.access import Role

WINDOW_SECONDS = 10
FREE = 5
LEASE = 20
FASTEST = 5_000
"""Requests a second, the most that a client can be given."""
USUAL: dict[Role, int] = {
    Role.CHANNEL: 500,
    Role.INSTITUTION: 20,
    Role.COUNTY: 20,
    Role.CITY: 50,
    Role.PROVINCE: 100,
    Role.MINISTRY: 200,
    Role.AUDITOR: 20,
}
"""Requests a second of a client that was registered without a figure."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a client stands in this window, as far as this container knows. ``limit``, ``left``: requests."""

    allowed: bool
    limit: int
    left: int
    resets_in: int
    """Seconds, at least 1."""


def window_of(now: datetime) -> int:
    """The number of the window since 1970."""
    return int(now.timestamp()) // WINDOW_SECONDS


def resets_in(now: datetime) -> int:
    """Whole seconds until the next window, at least 1."""
    return WINDOW_SECONDS - int(now.astimezone(UTC).timestamp()) % WINDOW_SECONDS


def limit_of(requests_per_second: int) -> int:
    """Requests in one window."""
    return requests_per_second * WINDOW_SECONDS


def lease_of(limit: int) -> int:
    """How many a container asks for at once: few enough that a small budget is not lost in leases, and of a large one
    so many that its row is written some hundred times a second at most."""
    return max(1, min(max(LEASE, limit // 1000), limit // 20))
