"""Budgets of requests: one row a client, whose numbers belong to one window and are begun anew with the next."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import pace
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.pace import Pace
from chalicelib.storage import keys
from chalicelib.storage.rows import PaceRow
from chalicelib.storage.tables import Tables


@dataclass(slots=True)
class _Lease:
    """What this container may still let through. ``taken``: what all had taken when it last asked."""

    left: int
    taken: int = 0
    exhausted: bool = False


class PaceStore:
    """One container's share. Not for threads: Lambda gives a container one request at a time."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._window = 0
        self._leases: dict[str, _Lease] = {}

    def take(self, app_key: str, requests_per_second: int, now: datetime) -> Pace:
        """Count one request: no call for the first few of a window, one or two calls each time a lease is used up."""
        window, limit = pace.window_of(now), pace.limit_of(requests_per_second)
        if window != self._window:
            self._window, self._leases = window, {}
        lease = self._leases.setdefault(app_key, _Lease(min(pace.FREE, limit)))
        if not lease.left and not lease.exhausted:
            self._renew(lease, app_key, window, limit)
        allowed = lease.left > 0
        lease.left -= allowed
        left = 0 if lease.exhausted else max(0, limit - max(lease.taken, pace.FREE))
        return Pace(allowed, limit, left + lease.left, pace.resets_in(now))

    def _renew(self, lease: _Lease, app_key: str, window: int, limit: int) -> None:
        wanted = pace.lease_of(limit)
        row = PaceRow(f"PACE#{app_key}", keys.HEAD)
        # A container whose clock is a little behind takes from the window that others have begun.
        going_on = (PaceRow.window >= window) & (PaceRow.taken <= limit - wanted)
        beginning = PaceRow.subject.does_not_exist() | (PaceRow.window < window)
        try:
            after = self._tables.update_if(row, [PaceRow.taken.add(wanted)], going_on)
            if after is None:
                begin = [PaceRow.window.set(window), PaceRow.taken.set(wanted)]
                after = self._tables.update_if(row, begin, beginning)
            if after is None:  # somebody began it in between, or it is used up
                after = self._tables.update_if(row, [PaceRow.taken.add(wanted)], going_on)
        except Unavailable:
            lease.left = wanted  # that nobody can count is no reason to refuse
            return
        if after is None:
            lease.exhausted = True
        else:
            lease.left, lease.taken = wanted, int(after["taken"]["N"])
