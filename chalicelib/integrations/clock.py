"""What time it is: the system's clock, and one that stands still until somebody moves it."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock in UTC, in whole milliseconds: what is kept as text comes back equal."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class FixedClock:
    """A clock that stands still; tests and the local stage move it. Naive instants raise ``ValueError``."""

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move by a length of time, backwards too, and tell the new time."""
        self._now += by
        return self._now

    def set(self, to: datetime) -> datetime:
        """Move to an instant, and tell it."""
        self._now = _in_utc(to)
        return self._now


def to_milliseconds(instant: datetime) -> int:
    """Milliseconds since 1970, never rounded up; raises ``ValueError`` for a naive instant."""
    return (_in_utc(instant) - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(milliseconds: int) -> datetime:
    """The instant, in UTC; raises ``OverflowError`` beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _in_utc(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError("a naive datetime is no instant")
    return instant.astimezone(UTC)
