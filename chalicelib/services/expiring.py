"""Expire what is due (过期), day by day and lane by lane. Called by the schedule; harmless twice, late or half-way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.domain import calendar, voucher
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.voucher import Voucher
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Checkpoints, People

SWEEP = "expire"
LANES = 32
# Each voucher is one action and may stand on a shard of its own: 50 × 2 ≤ 100 actions.
CHUNK = 50
# A day is begun this late: what was asked before midnight has been written, and the index has it.
SETTLING = timedelta(minutes=4)
# Where no checkpoint says otherwise, a first sweep looks this far back.
LOOK_BACK = timedelta(days=31)


# A row that its index shows this late is still found.
LATE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Failure:
    """A voucher that cannot be expired; somebody must look at it. ``trouble``: what kind of error."""

    person_id: str
    template_id: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a run did. ``finished``: every day up to ``until`` is swept; else it stopped in time and must go on.

    ``failures`` hold up nobody but themselves: their day is swept again until they are mended.
    """

    since: date
    until: date
    examined: int
    expired: int
    finished: bool
    failures: tuple[Failure, ...] = ()


def expire_due(people: People, checkpoints: Checkpoints, *, now: datetime, may_go_on: Callable[[], bool]) -> Sweep:
    """Expire all vouchers that are due up to today (China, from 00:04 on). ``may_go_on`` is asked before each chunk.

    A day's rows never increase once it has come (see ``calendar.due_day``), and what was expired leaves the index. So
    days that were passed are over; the last two are looked at once more, in case the index was late. Raises
    Unavailable when the tables cannot be had: the next run takes it up where this one was.
    """
    today = calendar.local_date(now - SETTLING)
    passed = checkpoints.swept_until(SWEEP)
    since = passed + timedelta(days=1) - LATE if passed else today - LOOK_BACK
    examined = expired = 0
    failures: list[Failure] = []
    day = since
    while day <= today:
        for lane in range(LANES):
            cursor: str | None = None
            while True:
                if not may_go_on():
                    return Sweep(since, today, examined, expired, finished=False, failures=tuple(failures))
                page = people.due(day, lane, CHUNK, cursor)
                examined += len(page.items)
                expired += _expire_chunk(people, page.items, now, failures)
                cursor = page.cursor
                if cursor is None:
                    break
        if not failures:
            checkpoints.advance(SWEEP, day)
        day += timedelta(days=1)
    return Sweep(since, today, examined, expired, finished=True, failures=tuple(failures))


def _expire_chunk(people: People, keys: tuple[tuple[str, str], ...], now: datetime, failures: list[Failure]) -> int:
    """The index finds, the base rows decide; a chunk that somebody changed meanwhile is judged again."""
    if not keys:
        return 0
    try:
        return _expire(people, keys, now)
    except Unavailable:
        raise
    except Exception:
        # One of them keeps changing, cannot be read or cannot be written: each for itself, so that it stops no other.
        return sum(_expire_one(people, key, now, failures) for key in keys)


def _expire_one(people: People, key: tuple[str, str], now: datetime, failures: list[Failure]) -> int:
    try:
        return _expire(people, (key,), now)
    except Unavailable:
        raise
    except Exception as trouble:
        failures.append(Failure(*key, type(trouble).__name__))
        return 0


def _expire(people: People, keys: tuple[tuple[str, str], ...], now: datetime) -> int:
    """All of these in one transaction. Raises WriteConflict when they keep changing."""
    for _ in range(TRIES):
        steps = _due_steps(people.vouchers(keys), now)
        if not steps:
            return 0
        try:
            people.record_steps(steps)
            return len(steps)
        except (StaleRow, WriteConflict):
            continue
    raise WriteConflict


def _due_steps(found: list[Voucher], now: datetime) -> list[tuple[Voucher, Voucher]]:
    judged = [(before, voucher.expire(before, now=now)) for before in found]
    return [(before, after) for before, after in judged if after is not None]
