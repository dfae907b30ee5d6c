"""Hold classes (开班): opened with their sessions, changed, finished, cancelled; and who may look at one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import training_class as classes
from chalicelib.domain.access import Actor, must_act_for, reaches
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import ClassNotFound, CourseNotFound, InstitutionNotFound, Invalid
from chalicelib.domain.institution import must_teach
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.training_class import (
    ClassPlace,
    ClassState,
    SessionPlan,
    TrainingClass,
    frozen_rules,
    planned,
    traced,
)
from chalicelib.services.cataloguing import find_course, find_institution, rules_in_force
from chalicelib.services.once import once
from chalicelib.services.ports import Platform


@dataclass(frozen=True, slots=True)
class ClassDraft:
    """A class as it is asked for; the sessions are numbered in the order of time."""

    institution_id: str
    course_id: str
    name: str
    teacher: str
    capacity: int
    sessions: tuple[SessionPlan, ...]


def open_class(p: Platform, draft: ClassDraft, *, actor: Actor, attempt: Attempt, now: datetime) -> Done[TrainingClass]:
    """Open a class of one of the institution's courses; the region's rules are frozen on it.

    Raises OutOfScope, InstitutionNotFound, InstitutionNotAdmitted, CourseNotFound, Invalid (sessions that cannot be
    held, or begin in the past).
    """

    def act() -> TrainingClass:
        must_act_for(actor, draft.institution_id)
        institution = find_institution(p.catalogue, draft.institution_id)
        must_teach(institution)
        course = find_course(p.catalogue, draft.course_id)
        if course.institution_id != draft.institution_id:
            raise CourseNotFound()
        if any(one.starts_at < now for one in draft.sessions):
            raise Invalid(pointer="/sessions", reason="a session cannot begin in the past")
        if not course.online and any(one.place is None for one in draft.sessions):
            raise Invalid(pointer="/sessions", reason="a session has a place unless the course is held online")
        opened = TrainingClass(
            class_id=p.chance.short_id(),
            institution_id=draft.institution_id,
            course_id=course.course_id,
            region=course.region,
            name=draft.name,
            teacher=draft.teacher,
            capacity=draft.capacity,
            rules=frozen_rules(rules_in_force(p.catalogue, course.region, now)),
            sessions=planned(sorted(draft.sessions, key=lambda one: one.starts_at)),
            state=ClassState.OPENED,
            made_at=now,
            made_by=actor.operator_id,
        )
        p.catalogue.classes.add(opened, Mark(attempt, opened, now))
        return opened

    return once(p.marks, attempt, TrainingClass, now, act)


def change_class(
    p: Platform,
    class_id: str,
    *,
    name: str | None,
    teacher: str | None,
    capacity: int | None,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[TrainingClass]:
    """Raises ClassNotFound, OutOfScope, ClassStateRefused, Invalid (fewer seats than people on it),
    ConcurrentChange."""
    return _change(
        p,
        class_id,
        lambda before: classes.change(before, name=name, teacher=teacher, capacity=capacity),
        actor=actor,
        attempt=attempt,
        now=now,
    )


def add_sessions(
    p: Platform, class_id: str, plans: Sequence[SessionPlan], *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[TrainingClass]:
    """Hold more sessions, e.g. instead of cancelled ones. Raises ClassNotFound, ClassStateRefused, Invalid,
    ConcurrentChange."""

    def step(before: TrainingClass) -> TrainingClass:
        if any(one.starts_at < now for one in plans):
            raise Invalid(pointer="/sessions", reason="a session cannot begin in the past")
        return classes.add_sessions(before, plans)

    return _change(p, class_id, step, actor=actor, attempt=attempt, now=now)


def change_session(
    p: Platform,
    class_id: str,
    session_id: str,
    *,
    starts_at: datetime | None,
    ends_at: datetime | None,
    place: ClassPlace | None,
    teacher: str | None,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[TrainingClass]:
    """Raises ClassNotFound, ClassStateRefused, SessionNotFound, SessionOver, Invalid, ConcurrentChange."""

    def step(before: TrainingClass) -> TrainingClass:
        if starts_at is not None and starts_at < now:
            raise Invalid(pointer="/starts_at", reason="a session cannot begin in the past")
        return classes.change_session(
            before, session_id, starts_at=starts_at, ends_at=ends_at, place=place, teacher=teacher, now=now
        )

    return _change(p, class_id, step, actor=actor, attempt=attempt, now=now)


def cancel_session(
    p: Platform, class_id: str, session_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[TrainingClass]:
    """Raises ClassNotFound, ClassStateRefused, SessionNotFound, SessionOver, ConcurrentChange."""
    return _change(
        p,
        class_id,
        lambda before: classes.cancel_session(before, session_id, reason),
        actor=actor,
        attempt=attempt,
        now=now,
    )


def cancel_class(
    p: Platform, class_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[TrainingClass]:
    """Raises ClassNotFound, ClassStateRefused, ConcurrentChange."""
    return _change(
        p, class_id, lambda before: classes.cancel(before, reason, now), actor=actor, attempt=attempt, now=now
    )


def find_class(p: Platform, class_id: str, *, actor: Actor) -> TrainingClass:
    """As it is now, for whoever may look at it. Raises ClassNotFound (also: not the asker's)."""
    training = p.catalogue.classes.read(class_id)
    if training is None or not _may_look(training.institution_id, training.region, actor):
        raise ClassNotFound()
    return training


def list_classes(
    p: Platform, institution_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> Page[TrainingClass]:
    """An institution's classes. Raises InstitutionNotFound (also: not the asker's)."""
    institution = find_institution(p.catalogue, institution_id)
    if not _may_look(institution_id, institution.region, actor):
        raise InstitutionNotFound()
    return p.catalogue.classes.page(institution_id, limit, cursor)


def own_class(p: Platform, class_id: str, actor: Actor) -> TrainingClass:
    """A class of the institution that asks, as it is now. Raises ClassNotFound, OutOfScope."""
    training = p.catalogue.classes.read(class_id)
    if training is None or training.institution_id not in actor.institutions:
        raise ClassNotFound()
    must_act_for(actor, training.institution_id)
    return training


def _change(
    p: Platform,
    class_id: str,
    step: Callable[[TrainingClass], TrainingClass],
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[TrainingClass]:
    def act() -> TrainingClass:
        after = traced(step(own_class(p, class_id, actor)), actor.operator_id, now)
        p.catalogue.classes.change(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, TrainingClass, now, act)


def _may_look(institution_id: str, region: str, actor: Actor) -> bool:
    """An institution sees its own classes, an authority those of its regions."""
    return institution_id in actor.institutions or (not actor.institutions and reaches(actor, region))
