"""Remind of applications whose review is overdue (逾期提醒): each once, on the day after its last day. domain.md §3.

Called by the schedule; harmless twice, late or half-way. It costs what has become overdue and no more: applications
that wait are listed by their last day.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from chalicelib.domain.application import Application, ApplicationState
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Platform
from chalicelib.services.sweeping import LATE, LOOK_BACK, SETTLING

REMINDERS = "remind"
PAGE = 100


@dataclass(frozen=True, slots=True)
class NotReminded:
    """An application that keeps changing or cannot be read; somebody must look at it. ``trouble``: kind of error."""

    application_id: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Reminders:
    """What a run did. ``finished``: every last day up to ``until`` was looked at. ``failures`` hold up nobody but
    themselves: their day is looked at again."""

    since: date
    until: date
    reminded: tuple[Application, ...]
    finished: bool
    failures: tuple[NotReminded, ...] = ()


def remind_overdue(p: Platform, *, now: datetime, may_go_on: Callable[[], bool]) -> Reminders:
    """Note on each application that still waits after its last day that this was told. ``may_go_on`` is asked before
    each of them.

    A last day that is over gains no application: whatever is handed in later has a later one. So days that were passed
    are over; the last two are looked at once more, in case the index was late. Raises Unavailable.
    """
    last = local_date(now - SETTLING) - timedelta(days=1)
    passed = p.checkpoints.swept_until(REMINDERS)
    since = passed + timedelta(days=1) - LATE if passed else last - LOOK_BACK
    reminded, failures = list[Application](), list[NotReminded]()
    day = since
    while day <= last:
        cursor: str | None = None
        while True:
            page = p.applications.due_on(day, PAGE, cursor)
            for waiting in page.items:
                if not may_go_on():
                    return Reminders(since, last, tuple(reminded), False, tuple(failures))
                try:
                    told = _remind(p, waiting, now)
                except Unavailable:
                    raise
                except Exception as trouble:
                    failures.append(NotReminded(waiting.application_id, type(trouble).__name__))
                    continue
                if told is not None:
                    reminded.append(told)
            cursor = page.cursor
            if cursor is None:
                break
        if not failures:
            p.checkpoints.advance(REMINDERS, day)
        day += timedelta(days=1)
    return Reminders(since, last, tuple(reminded), True, tuple(failures))


def _remind(p: Platform, waiting: Application, now: datetime) -> Application | None:
    """The application after it; None: it waits no more, or was reminded of. Raises WriteConflict: it keeps changing."""
    there: Application | None = waiting
    for _ in range(TRIES):
        if there is None or there.state is not ApplicationState.SUBMITTED or there.reminded_on is not None:
            return None
        after = replace(there, reminded_on=local_date(now), version=there.version + 1)
        try:
            p.applications.change(after)
            return after
        except (StaleRow, WriteConflict):  # a reviewer's word, or another run's
            there = p.applications.read(waiting.application_id)
    raise WriteConflict
