"""Expire what is due (过期), day by day and lane by lane. Called by the schedule; harmless twice, late or half-way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.domain import calendar, voucher
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.newest_terms import brought_to, in_hand_again
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Checkpoints, People, Templates

SWEEP = "expire"
LANES = 32
# Each voucher is one action, and may stand on a shard of its own of a template of its own: 33 × 3 ≤ 100 actions.
CHUNK = 33
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


def expire_due(
    templates: Templates, people: People, checkpoints: Checkpoints, *, now: datetime, may_go_on: Callable[[], bool]
) -> Sweep:
    """Expire all vouchers that are due up to today (China, from 00:04 on). ``may_go_on`` is asked before each chunk.

    A day's rows never increase once it has come (see ``calendar.due_day``), and what was expired leaves the index. So
    days that were passed are over; the last two are looked at once more, in case the index was late. A voucher whose
    template promises more by now, and that an amendment's job has not reached, is brought to that instead. Raises
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
                expired += _expire_chunk(templates, people, page.items, now, failures)
                cursor = page.cursor
                if cursor is None:
                    break
        if not failures:
            checkpoints.advance(SWEEP, day)
        day += timedelta(days=1)
    return Sweep(since, today, examined, expired, finished=True, failures=tuple(failures))


def _expire_chunk(
    templates: Templates, people: People, keys: tuple[tuple[str, str], ...], now: datetime, failures: list[Failure]
) -> int:
    """The index finds, the base rows decide; a chunk that somebody changed meanwhile is judged again."""
    if not keys:
        return 0
    try:
        return _expire(templates, people, keys, now)
    except Unavailable:
        raise
    except Exception:
        # One of them keeps changing, cannot be read or cannot be written: each for itself, so that it stops no other.
        return sum(_expire_one(templates, people, key, now, failures) for key in keys)


def _expire_one(
    templates: Templates, people: People, key: tuple[str, str], now: datetime, failures: list[Failure]
) -> int:
    try:
        return _expire(templates, people, (key,), now)
    except Unavailable:
        raise
    except Exception as trouble:
        failures.append(Failure(*key, type(trouble).__name__))
        return 0


def _expire(templates: Templates, people: People, keys: tuple[tuple[str, str], ...], now: datetime) -> int:
    """All of these in one transaction. Raises WriteConflict when they keep changing."""
    read = templates.get  # first as remembered: that they are still so is a condition of the transaction
    for _ in range(TRIES):
        lapsed = [one for one in people.vouchers(keys) if voucher.has_lapsed(one, now)]
        if not lapsed:
            return 0
        heads = {template_id: read(template_id) for template_id in sorted({one.template_id for one in lapsed})}
        steps = [(one, _due_step(templates, heads[one.template_id], one, now)) for one in lapsed]
        living = [before for before, after in steps if after.state is not State.EXPIRED]
        hands = [
            in_hand_again([one for one in living if one.person_id == holder.person_id], holder, now)
            for holder in people.holders(sorted({one.person_id for one in living}))
        ]
        still = [head for head in heads.values() if head is not None]
        try:
            people.record_steps(steps, holders=[one for one in hands if one], heads=still)
            return sum(after.state is State.EXPIRED for _, after in steps)
        except (StaleRow, WriteConflict):
            read = templates.read
    raise WriteConflict


def _due_step(templates: Templates, head: Template | None, lapsed: Voucher, now: datetime) -> Voucher:
    """What has lapsed expires, unless by its template's newest terms it lives."""
    if head is None:
        raise LookupError(f"template {lapsed.template_id} is gone")
    newest = brought_to(templates, lapsed, head.terms_version, now)
    if newest is not lapsed and not voucher.has_lapsed(newest, now):
        return newest
    expired = voucher.expire(lapsed, now=now)
    assert expired is not None
    return expired
