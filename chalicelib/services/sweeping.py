"""Sweep what is due, day by day and lane by lane: expire (过期), forfeit (失效), write off (核销). domain.md §3.

Called by the schedule; harmless twice, late or half-way. A voucher says by itself on which day it is looked at
(``due_on``), so a sweep costs what is due and no more; its state then says what becomes of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from chalicelib.domain import calendar, voucher
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.person import Person
from chalicelib.domain.template import Template
from chalicelib.domain.training_class import ClassState, TrainingClass
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.newest_terms import brought_to, in_hand_again
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Platform

SWEEP = "expire"
LANES = 32
# Each voucher is one action, may stand on a shard of its own, and hangs on one row more that must be as it was read:
# of its template, or of its holder. 33 × 3 ≤ 100 actions.
CHUNK = 33
# A day is begun this late: what was asked before midnight has been written, and the index has it.
SETTLING = timedelta(minutes=4)
# Where no checkpoint says otherwise, a first sweep looks this far back.
LOOK_BACK = timedelta(days=31)
# A row that its index shows this late is still found.
LATE = timedelta(days=2)
# So long after its last session a class may take to be finished before the vouchers of its people are looked at again,
# and so long until nobody waits for it any more: its institution has given it up.
FINISHING, GIVEN_UP = timedelta(days=30), timedelta(days=180)

Step = tuple[Voucher, Voucher]


@dataclass(frozen=True, slots=True)
class Failure:
    """A voucher that cannot be swept; somebody must look at it. ``trouble``: what kind of error."""

    person_id: str
    template_id: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a run did. ``finished``: every day up to ``until`` is swept; else it stopped in time and must go on.

    ``deferred``: vouchers whose class goes on, which are looked at again later. ``failures`` hold up nobody but
    themselves: their day is swept again until they are mended.
    """

    since: date
    until: date
    examined: int
    expired: int
    forfeited: int
    written_off: int
    deferred: int
    finished: bool
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class _Tally:
    """What a run has done so far. ``steps``: how many of each name."""

    examined: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def told(self, since: date, until: date, *, finished: bool) -> Sweep:
        return Sweep(
            since=since,
            until=until,
            examined=self.examined,
            expired=self.steps["expire"],
            forfeited=self.steps["forfeit"],
            written_off=self.steps["write_off"],
            deferred=self.steps["defer"],
            finished=finished,
            failures=tuple(self.failures),
        )


def sweep_due(p: Platform, *, now: datetime, may_go_on: Callable[[], bool]) -> Sweep:
    """Sweep all vouchers that are due up to today (China, from 00:04 on). ``may_go_on`` is asked before each chunk.

    Issued or claimed and past its day: expired. Used, and its class not completed or its money not applied for in time:
    forfeited, but never while its holder is on a class by it that goes on; then it is deferred, for as long as a class
    may take to be finished. Paid, or completed with
    nothing to pay: written off, and its code is dead.

    A day's rows never increase once it has come (see ``calendar.due_day``), and what was swept leaves the index. So
    days that were passed are over; the last two are looked at once more, in case the index was late. A voucher whose
    template promises more by now, and that an amendment's job has not reached, is brought to that instead. Raises
    Unavailable when the tables cannot be had: the next run takes it up where this one was.
    """
    today = calendar.local_date(now - SETTLING)
    passed = p.checkpoints.swept_until(SWEEP)
    since = passed + timedelta(days=1) - LATE if passed else today - LOOK_BACK
    tally = _Tally()
    day = since
    while day <= today:
        for lane in range(LANES):
            cursor: str | None = None
            while True:
                if not may_go_on():
                    return tally.told(since, today, finished=False)
                page = p.people.due(day, lane, CHUNK, cursor)
                tally.examined += len(page.items)
                _sweep_chunk(p, page.items, now, tally)
                cursor = page.cursor
                if cursor is None:
                    break
        if not tally.failures:
            p.checkpoints.advance(SWEEP, day)
        day += timedelta(days=1)
    return tally.told(since, today, finished=True)


def _sweep_chunk(p: Platform, keys: tuple[tuple[str, str], ...], now: datetime, tally: _Tally) -> None:
    """The index finds, the base rows decide; a chunk that somebody changed meanwhile is judged again."""
    if not keys:
        return
    try:
        tally.steps += _sweep(p, keys, now)
    except Unavailable:
        raise
    except Exception:
        # One of them keeps changing, cannot be read or cannot be written: each for itself, so that it stops no other.
        for key in keys:
            _sweep_one(p, key, now, tally)


def _sweep_one(p: Platform, key: tuple[str, str], now: datetime, tally: _Tally) -> None:
    try:
        tally.steps += _sweep(p, (key,), now)
    except Unavailable:
        raise
    except Exception as trouble:
        tally.failures.append(Failure(*key, type(trouble).__name__))


def _sweep(p: Platform, keys: tuple[tuple[str, str], ...], now: datetime) -> Counter[str]:
    """All of these in one transaction; how many steps of which name. Raises WriteConflict when they keep changing."""
    read = p.templates.get  # first as remembered: that they are still so is a condition of the transaction
    for _ in range(TRIES):
        there = p.people.vouchers(keys)
        lapsed = [one for one in there if voucher.has_lapsed(one, now)]
        heads = {template_id: read(template_id) for template_id in sorted({one.template_id for one in lapsed})}
        steps: list[Step] = [(one, _lapsed_step(p, heads[one.template_id], one, now)) for one in lapsed]
        living = [before for before, after in steps if after.state is not State.EXPIRED]
        hands = [
            in_hand_again([one for one in living if one.person_id == holder.person_id], holder, now)
            for holder in p.people.holders(sorted({one.person_id for one in living}))
        ]
        again = [one for one in hands if one]
        ended, waited_for = _used_steps(p, [one for one in there if one not in lapsed], now)
        steps += ended
        if not steps:
            return Counter()
        still = [head for head in heads.values() if head is not None]
        changed = {one.person_id for one in again}
        unchanged = [one for one in waited_for if one.person_id not in changed]
        try:
            p.people.record_steps(steps, holders=again, heads=still, unchanged=unchanged)
            return Counter(after.history[-1].said["step"] for _, after in steps)
        except (StaleRow, WriteConflict):
            read = p.templates.read
    raise WriteConflict


def _lapsed_step(p: Platform, head: Template | None, lapsed: Voucher, now: datetime) -> Voucher:
    """What has lapsed expires, unless by its template's newest terms it lives."""
    if head is None:
        raise LookupError(f"template {lapsed.template_id} is gone")
    newest = brought_to(p.templates, lapsed, head.terms_version, now)
    if newest is not lapsed and not voucher.has_lapsed(newest, now):
        return newest
    expired = voucher.expire(lapsed, now=now)
    assert expired is not None
    return expired


def _used_steps(p: Platform, used: Sequence[Voucher], now: datetime) -> tuple[list[Step], list[Person]]:
    """What becomes of vouchers that were used, and the holders who must be as they were read: whoever is put on a class
    is another version of themselves, so none is forfeited whom a class takes in the same moment."""
    written = [(one, voucher.write_off(one, now=now)) for one in used]
    steps = [(before, after) for before, after in written if after is not None]
    late = [(one, voucher.forfeit(one, now=now)) for one in used]
    open_ended = [before for before, after in late if after is not None and before.completion is None]
    # Before their classes are looked at.
    holders = p.people.holders(sorted({one.person_id for one in open_ended})) if open_ended else []
    remembered: dict[str, TrainingClass | None] = {}
    for before, forfeited in late:
        if forfeited is None:
            continue
        goes_on = _classes_that_go_on(p, before, remembered) if before.completion is None else []
        steps.append((before, _deferred(before, goes_on, now) or forfeited))
    return steps, holders


def _classes_that_go_on(p: Platform, used: Voucher, remembered: dict[str, TrainingClass | None]) -> list[TrainingClass]:
    """Classes on which the holder is by this voucher. Of one that was just finished too: until its people were told
    whether they have completed it, they are on it."""
    found = list[TrainingClass]()
    for one in p.enrolments.of_person(used.person_id):
        if not one.is_on or one.template_id != used.template_id:
            continue
        if one.class_id not in remembered:
            remembered[one.class_id] = p.catalogue.classes.read(one.class_id)
        training = remembered[one.class_id]
        if training is not None and training.state is not ClassState.CANCELLED:
            found.append(training)
    return found


def _deferred(used: Voucher, goes_on: Iterable[TrainingClass], now: datetime) -> Voucher | None:
    """None: there is no class, or none that is waited for."""
    last, class_id = max(((_last_day(one), one.class_id) for one in goes_on), default=(date.min, ""))
    today = calendar.local_date(now)
    if not class_id or last + GIVEN_UP < today:
        return None
    until = min(max(last, today) + FINISHING, last + GIVEN_UP)
    return voucher.defer(used, until=until, class_id=class_id, now=now)


def _last_day(training: TrainingClass) -> date:
    """Of its last session; of a class that has none the day on which it was opened."""
    return max([calendar.local_date(training.made_at), *(calendar.local_date(one.ends_at) for one in training.held)])
