"""Let a service that fails again and again rest for a while. docs/decisions/0012 says why this is no library."""

from collections.abc import Callable
from threading import Lock

MOST_FAILURES = 5
REST_SECONDS = 30.0


class CircuitBreaker:
    """Closed until five failures in a row; then open for 30 s; then half open: one call decides.

    ``ticks`` gives elapsed seconds. Safe under threads, and never holds its lock during a call.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._lock = Lock()
        self._failures = 0
        self._rests_until = 0.0

    def admits(self) -> bool:
        """Whether a call may be made now; half open, the one that asks first, and until 30 s later no other."""
        with self._lock:
            if self._failures < MOST_FAILURES:
                return True
            now = self._ticks()
            if now < self._rests_until:
                return False
            self._rests_until = now + REST_SECONDS  # the one that tries; should it never come back, another may then
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self._rests_until = self._ticks() + REST_SECONDS
