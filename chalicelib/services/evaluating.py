"""Evaluate a class (培训评价), read what is said of one, release what was held, rate a trainee. domain.md §4."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain import enrolment as enrolments
from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.enrolment import Enrolment, EnrolmentReceipt
from chalicelib.domain.errors import ClassNotFound, NotEnrolled, WordsNotFound
from chalicelib.domain.evaluation import (
    FEWEST_SHOWN,
    Evaluation,
    Ratings,
    Words,
    check_ratings,
    is_to_be_held,
    must_be_evaluable,
    with_one,
)
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.training_class import TrainingClass
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.enrolling import of_other_records, step_enrolment
from chalicelib.services.holding_classes import find_class
from chalicelib.services.once import once
from chalicelib.services.ports import Platform


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was kept of an evaluation; ``held``: its words wait for the authority."""

    class_id: str
    ratings: Mapping[str, int]
    text: str
    held: bool
    version: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What is told of a class: sums, and a page of words. None of both where too few spoke."""

    count: int
    ratings: Ratings | None
    words: Page[Words]


def evaluate_class(
    p: Platform,
    class_id: str,
    ratings: Mapping[str, int],
    text: str,
    *,
    session: HolderSession,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Evaluated]:
    """Say what one thinks of a class, or say it otherwise while the window is open.

    Raises NotEnrolled, NotCompleted, EvaluationOver, Invalid, Reused, Contended.
    """

    def act() -> Evaluated:
        mine = p.enrolments.of_person(session.person_id)
        if all(one.class_id != class_id for one in mine):
            mine += of_other_records(p, p.people.read(session.person_id, [])[0])
        there = next((one for one in mine if one.class_id == class_id), None)
        training = p.catalogue.classes.read(class_id)
        if there is None or training is None:
            raise NotEnrolled()
        must_be_evaluable(training, there, now)
        check_ratings(training, ratings)
        held = is_to_be_held(text, rules_in_force(p.catalogue, training.region, now).held_words)
        before = p.evaluations.read(there.person_id, class_id)
        words_id = before.words_id if before else p.chance.short_id()
        old = p.evaluations.words(class_id, words_id) if before else None
        after = Evaluation(
            person_id=there.person_id,
            class_id=class_id,
            ratings=dict(ratings),
            words_id=words_id,
            made_at=before.made_at if before else now,
            changed_at=now,
            version=before.version + 1 if before else 1,
        )
        words = Words(class_id, words_id, text, held, version=old.version + 1 if old else 1)
        sums = with_one(p.evaluations.ratings(class_id), before, after)
        answer = Evaluated(class_id, after.ratings, text, held, after.version)
        p.evaluations.record(after, words, sums, Mark(attempt, answer, now))
        return answer

    return once(p.marks, attempt, Evaluated, now, act)


def hear_of_class(p: Platform, class_id: str, limit: int, cursor: str | None, *, actor: Actor) -> Heard:
    """What is said of a class: an institution reads it without what is held, and only where some spoke.

    Raises ClassNotFound.
    """
    training = find_class(p, class_id, actor=actor)
    sums = p.evaluations.ratings(class_id)
    if actor.institutions and sums.count < FEWEST_SHOWN:
        return Heard(sums.count, None, Page(()))
    page = p.evaluations.page(training.class_id, limit, cursor)
    shown = tuple(one for one in page.items if one.shown or (one.text and not actor.institutions))
    return Heard(sums.count, sums, Page(shown, page.cursor))


def release_words(
    p: Platform, class_id: str, words_id: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Words]:
    """Show what was held. Raises ClassNotFound (also: of the asker's own institution), WordsNotFound."""

    def act() -> Words:
        _find_for_authority(p, class_id, actor)
        there = p.evaluations.words(class_id, words_id)
        if there is None or not there.held:
            raise WordsNotFound()
        after = replace(there, held=False, released_by=actor.operator_id, version=there.version + 1)
        p.evaluations.release(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Words, now, act)


def rate_trainee(
    p: Platform,
    class_id: str,
    voucher_id: str,
    rating: int,
    remark: str | None,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[EnrolmentReceipt]:
    """The institution's word on a trainee. Raises ClassNotFound, OutOfScope, NotEnrolled, NotCompleted, Reused,
    Contended."""

    def step(_: TrainingClass, there: Enrolment) -> Enrolment:
        return enrolments.rate(there, rating, remark, attempt=attempt, actor=actor, now=now)

    return step_enrolment(p, class_id, voucher_id, step, actor=actor, attempt=attempt, now=now)


def _find_for_authority(p: Platform, class_id: str, actor: Actor) -> TrainingClass:
    if actor.institutions:
        raise ClassNotFound()
    return find_class(p, class_id, actor=actor)
