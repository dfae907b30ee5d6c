"""A class (班级): one course of one institution, held in sessions. domain.md §4.

Its rules are the region's on the day on which it was opened; what the region decides later is for later classes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.coordinates import Point
from chalicelib.domain.errors import ClassFull, ClassStateRefused, Invalid, SessionNotFound, SessionOver
from chalicelib.domain.region import Overlaps, Rules

MOST_SESSIONS, LARGEST = 200, 5_000
LONGEST_SESSION, LONGEST_CLASS = timedelta(hours=12), timedelta(days=731)


class ClassState(StrEnum):
    OPENED = "opened"
    RUNNING = "running"  # opened, and its first session has begun
    FINISHED = "finished"
    CANCELLED = "cancelled"


CLASS_STATE_ZH: Mapping[ClassState, str] = {
    ClassState.OPENED: "未开课",
    ClassState.RUNNING: "培训中",
    ClassState.FINISHED: "已结班",
    ClassState.CANCELLED: "已取消",
}


@dataclass(frozen=True, slots=True)
class ClassPlace:
    """Where a session is held; check-ins are compared with ``point``."""

    name: str
    point: Point


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A session as it is asked for. ``place`` None: online."""

    starts_at: datetime
    ends_at: datetime
    place: ClassPlace | None
    teacher: str
    makes_up_for: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One session (课次); ``session_id`` counts within the class and is never given again. ``makes_up_for``: the
    cancelled one that it is held instead of. ``cancelled``: why it is not held; what was checked in stays."""

    session_id: str
    starts_at: datetime
    ends_at: datetime
    place: ClassPlace | None
    teacher: str
    makes_up_for: str | None = None
    cancelled: str | None = None

    @property
    def is_held(self) -> bool:
        return self.cancelled is None


@dataclass(frozen=True, slots=True)
class ClassRules:
    """What is frozen on a class. Metres: ``radius``, ``accuracy`` (the worst that is taken), ``allowance`` (the most of
    it that counts for the person). Seconds: ``opens`` before a session's start, ``late`` after it, ``code_period``,
    ``offline_grace`` in which late reports are taken, ``leaves`` after a session's end until which one checks out.
    ``top_speed`` in metres a second. ``attendance_percent`` of the sessions held completes it; ``by_hand_percent`` of
    them at most are entered by hand. It is evaluated in these dimensions, for ``evaluation_days`` after its end.
    ``hours_percent`` of a session's length must be stayed for it to count (0: hours do not count); positions are kept
    for ``position_days`` (0: not at all)."""

    attendance_percent: int
    radius: int
    accuracy: int
    allowance: int
    opens: int
    late: int
    code_period: int
    offline_grace: int
    top_speed: int
    by_hand_percent: int
    overlaps: Overlaps
    evaluation_dimensions: tuple[str, ...] = ()
    evaluation_days: int = 0
    leaves: int = 0
    hours_percent: int = 0
    position_days: int = 0


@dataclass(frozen=True, slots=True)
class TrainingClass:
    """One class. ``enrolled``: how many are on it; ``sessions`` in the order in which they were made. ``changed_at``,
    ``changed_by``: when the class itself was changed last, and the operator; that people come or go is no change."""

    class_id: str
    institution_id: str
    course_id: str
    region: str
    name: str
    teacher: str
    capacity: int
    rules: ClassRules
    sessions: tuple[Session, ...]
    state: ClassState
    made_at: datetime
    made_by: str | None
    enrolled: int = 0
    ended_at: datetime | None = None
    reason: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None
    version: int = 1

    def session(self, session_id: str) -> Session:
        """Raises SessionNotFound."""
        for one in self.sessions:
            if one.session_id == session_id:
                return one
        raise SessionNotFound()

    @property
    def held(self) -> tuple[Session, ...]:
        """The sessions that count: all but the cancelled ones, in the order of time."""
        return tuple(sorted((one for one in self.sessions if one.is_held), key=lambda one: one.starts_at))


def frozen_rules(rules: Rules) -> ClassRules:
    """What of a region's rules a class that opens now keeps."""
    return ClassRules(
        attendance_percent=rules.attendance_percent,
        radius=rules.check_in_radius,
        accuracy=rules.check_in_accuracy,
        allowance=rules.check_in_allowance,
        opens=rules.check_in_opens,
        late=rules.check_in_late,
        code_period=rules.class_code_seconds,
        offline_grace=rules.check_in_grace,
        top_speed=rules.check_in_top_speed,
        by_hand_percent=rules.by_hand_percent,
        overlaps=rules.overlaps,
        evaluation_dimensions=rules.evaluation_dimensions,
        evaluation_days=rules.evaluation_days,
        leaves=rules.check_out_closes,
        hours_percent=rules.hours_percent,
        position_days=rules.position_days,
    )


def state_at(training: TrainingClass, now: datetime) -> ClassState:
    """The state as it counts at this instant: a class runs from its first session on, whoever looks."""
    if training.state is ClassState.OPENED and any(one.starts_at <= now for one in training.held):
        return ClassState.RUNNING
    return training.state


def must_be_open(training: TrainingClass) -> None:
    """Raises ClassStateRefused (it is finished or cancelled)."""
    if training.state is not ClassState.OPENED:
        raise ClassStateRefused(state=training.state, state_zh=CLASS_STATE_ZH[training.state])


def planned(plans: Sequence[SessionPlan], there: Sequence[Session] = ()) -> tuple[Session, ...]:
    """Number the sessions that are asked for after those that are there.

    Raises Invalid: too many, one that ends before it begins or goes on for over 12 hours, two at one time, a class of
    over two years, a make-up of what is not cancelled.
    """
    if len(plans) + len(there) > MOST_SESSIONS:
        raise Invalid(pointer="/sessions", reason="a class has too many sessions")
    made = list(there)
    for i, plan in enumerate(plans):
        at = f"/sessions/{i}"
        _check_times(plan.starts_at, plan.ends_at, made, at)
        if plan.makes_up_for is not None and plan.makes_up_for not in _cancelled(made):
            raise Invalid(pointer=f"{at}/makes_up_for", reason="a make-up session is held instead of a cancelled one")
        number = f"S{len(made) + 1:03d}"
        made.append(
            Session(number, plan.starts_at, plan.ends_at, plan.place, plan.teacher, makes_up_for=plan.makes_up_for)
        )
    return tuple(made)


def change(training: TrainingClass, *, name: str | None, teacher: str | None, capacity: int | None) -> TrainingClass:
    """Give it another name, main teacher or number of seats; None: as it is. Sessions keep their own teachers.

    Raises ClassStateRefused, Invalid (more are on it than that).
    """
    must_be_open(training)
    if capacity is not None and capacity < training.enrolled:
        raise Invalid(pointer="/capacity", reason="more people are on the class than that")
    return replace(
        training,
        name=name or training.name,
        teacher=teacher or training.teacher,
        capacity=capacity or training.capacity,
        version=training.version + 1,
    )


def traced(training: TrainingClass, operator_id: str | None, now: datetime) -> TrainingClass:
    """Who has just changed it, and when; goes with the change."""
    return replace(training, changed_at=now, changed_by=operator_id)


def add_sessions(training: TrainingClass, plans: Sequence[SessionPlan]) -> TrainingClass:
    """More sessions, e.g. to make up for cancelled ones. Raises ClassStateRefused, Invalid."""
    must_be_open(training)
    return replace(training, sessions=planned(plans, training.sessions), version=training.version + 1)


def change_session(
    training: TrainingClass,
    session_id: str,
    *,
    starts_at: datetime | None,
    ends_at: datetime | None,
    place: ClassPlace | None,
    teacher: str | None,
    now: datetime,
) -> TrainingClass:
    """Move a session that has not begun to another time or place, or give it another teacher; None: as it is.

    Of one that has begun only the teacher can be set right. Raises ClassStateRefused, SessionNotFound, SessionOver,
    Invalid.
    """
    must_be_open(training)
    before = training.session(session_id)
    if not before.is_held or (now >= before.starts_at and (starts_at or ends_at or place)):
        raise SessionOver(session=session_id)
    after = replace(
        before,
        starts_at=starts_at or before.starts_at,
        ends_at=ends_at or before.ends_at,
        place=place or before.place,
        teacher=teacher or before.teacher,
    )
    others = [one for one in training.sessions if one.session_id != session_id]
    _check_times(after.starts_at, after.ends_at, others, "")
    return _with(training, after)


def cancel_session(training: TrainingClass, session_id: str, reason: str) -> TrainingClass:
    """It is not held, or was not; what was checked in stays, and counts for nobody.

    Raises ClassStateRefused, SessionNotFound, SessionOver (it is cancelled already).
    """
    must_be_open(training)
    before = training.session(session_id)
    if not before.is_held:
        raise SessionOver(session=session_id)
    return _with(training, replace(before, cancelled=reason))


def finish(training: TrainingClass, now: datetime) -> TrainingClass:
    """The last session is over, and so is the time for late reports: attendance is what it is.

    Raises ClassStateRefused (also: it has no session, or not all of them are over).
    """
    must_be_open(training)
    held = training.held
    if not held or now < max(one.ends_at for one in held):
        raise ClassStateRefused(state=state_at(training, now), state_zh=CLASS_STATE_ZH[state_at(training, now)])
    return replace(training, state=ClassState.FINISHED, ended_at=now, version=training.version + 1)


def cancel(training: TrainingClass, reason: str, now: datetime) -> TrainingClass:
    """Raises ClassStateRefused."""
    must_be_open(training)
    return replace(training, state=ClassState.CANCELLED, ended_at=now, reason=reason, version=training.version + 1)


def take_seats(training: TrainingClass, count: int) -> TrainingClass:
    """So many more are on it, or (negative) fewer. Raises ClassStateRefused, ClassFull."""
    must_be_open(training)
    enrolled = training.enrolled + count
    if count > 0 and enrolled > training.capacity:
        raise ClassFull(capacity=training.capacity)
    if enrolled < 0:
        raise AssertionError(f"class {training.class_id}: {enrolled} enrolled")
    return replace(training, enrolled=enrolled, version=training.version + 1)


def overlapping(sessions: Collection[Session], others: Collection[Session]) -> bool:
    """Whether somebody who is at all of these would have to be at two places at once."""
    busy = sorted([(one.starts_at, one.ends_at, 0) for one in sessions] + [(o.starts_at, o.ends_at, 1) for o in others])
    latest: dict[int, datetime] = {}
    for starts_at, ends_at, whose in busy:
        other = latest.get(1 - whose)
        if other is not None and starts_at < other:
            return True
        latest[whose] = max(ends_at, latest.get(whose, ends_at))
    return False


def _with(training: TrainingClass, after: Session) -> TrainingClass:
    sessions = tuple(after if one.session_id == after.session_id else one for one in training.sessions)
    return replace(training, sessions=sessions, version=training.version + 1)


def _cancelled(sessions: Sequence[Session]) -> set[str]:
    taken = {one.makes_up_for for one in sessions if one.is_held}
    return {one.session_id for one in sessions if not one.is_held and one.session_id not in taken}


def _check_times(starts_at: datetime, ends_at: datetime, others: Sequence[Session], at: str) -> None:
    if ends_at <= starts_at:
        raise Invalid(pointer=f"{at}/ends_at", reason="a session ends before it begins")
    if ends_at - starts_at > LONGEST_SESSION:
        raise Invalid(pointer=f"{at}/ends_at", reason="a session goes on for more than 12 hours")
    held = [one for one in others if one.is_held]
    if any(starts_at < one.ends_at and one.starts_at < ends_at for one in held):
        raise Invalid(pointer=f"{at}/starts_at", reason="two sessions of the class are at one time")
    times = [starts_at, *(one.starts_at for one in held)]
    if max(times) - min(times) > LONGEST_CLASS:
        raise Invalid(pointer=f"{at}/starts_at", reason="a class goes on for more than two years")
