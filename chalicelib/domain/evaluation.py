"""What trainees say of a class (培训评价), once per person and class, and what is told of it. domain.md §4.

Ratings are kept as exact sums. What somebody wrote stands apart from who wrote it: an institution reads the words and
never learns whose they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.domain import calendar
from chalicelib.domain.enrolment import Enrolment, EnrolmentState
from chalicelib.domain.errors import EvaluationOver, Invalid, NotCompleted
from chalicelib.domain.training_class import ClassState, TrainingClass

LOWEST, HIGHEST = 1, 5
FEWEST_SHOWN = 3
"""Of fewer evaluations an institution is told nothing: it would know whose they are."""
DIMENSION_ZH = {"teaching": "教学质量", "content": "课程内容", "place": "场地设备", "service": "管理服务"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one person said of a class: ``ratings`` by dimension, 1 to 5. ``words_id``: where their words stand."""

    person_id: str
    class_id: str
    ratings: Mapping[str, int]
    words_id: str
    made_at: datetime
    changed_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody wrote, without who. ``held``: a word of the region's list is in it; until it is released nobody but
    the authority sees it."""

    class_id: str
    words_id: str
    text: str
    held: bool
    released_by: str | None = None
    version: int = 1

    @property
    def shown(self) -> bool:
        return bool(self.text) and not self.held


@dataclass(frozen=True, slots=True)
class Ratings:
    """Of all evaluations of a class: how many, and the exact sum of each dimension."""

    class_id: str
    count: int = 0
    sums: Mapping[str, int] = field(default_factory=dict)
    version: int = 0


def must_be_evaluable(training: TrainingClass, enrolment: Enrolment, now: datetime) -> None:
    """Raises NotCompleted (only who completed the class evaluates it), EvaluationOver."""
    if training.state is not ClassState.FINISHED or enrolment.state is not EnrolmentState.COMPLETED:
        raise NotCompleted()
    assert training.ended_at is not None
    until = training.ended_at + timedelta(days=training.rules.evaluation_days)
    if now > until:
        raise EvaluationOver(until=calendar.to_text(until))


def check_ratings(training: TrainingClass, ratings: Mapping[str, int]) -> None:
    """Each dimension of the class is rated, and nothing else. Raises Invalid."""
    if set(ratings) != set(training.rules.evaluation_dimensions):
        wanted = ", ".join(training.rules.evaluation_dimensions)
        raise Invalid(
            pointer="/ratings",
            reason=f"rate each of: {wanted}",
            reason_zh=f"须对以下各项评分：{wanted}",
        )


def is_to_be_held(text: str, words: Sequence[str]) -> bool:
    """Whether a word of the region's list is in it, however it is spaced or in which case."""
    plain = "".join(text.split()).lower()
    return any("".join(word.split()).lower() in plain for word in words)


def with_one(ratings: Ratings, before: Evaluation | None, after: Evaluation) -> Ratings:
    """The sums with one more evaluation in them, or with one changed."""
    sums = {
        name: ratings.sums.get(name, 0) + value - (before.ratings.get(name, 0) if before else 0)
        for name, value in after.ratings.items()
    }
    return replace(ratings, count=ratings.count + (before is None), sums=sums, version=ratings.version + 1)
