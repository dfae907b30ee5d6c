"""Evaluations (培训评价): of a class by who completed it, of a trainee by the institution."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.classes import EnrolmentStepAnswer
from chalicelib.api.shapes import NO_NUMBER, Asked, Identifier, Listing, Note, Nothing, Reason, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    ClassNotFound,
    EvaluationOver,
    Invalid,
    NotCompleted,
    NotEnrolled,
    OutOfScope,
    WordsNotFound,
)
from chalicelib.domain.evaluation import HIGHEST, LOWEST
from chalicelib.domain.outcomes import Done
from chalicelib.services import evaluating

routes = Blueprint(__name__)

Stars = Annotated[int, Field(ge=LOWEST, le=HIGHEST)]


class StarsRequest(Asked):
    dimension: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["teaching"]), NO_NUMBER]
    stars: Stars


class EvaluationRequest(Asked):
    """``ratings``: 1 to 5 for each dimension that the class's rules name. Nobody is told whose the words are."""

    class_id: Identifier
    ratings: Annotated[tuple[StarsRequest, ...], Field(min_length=1, max_length=20)]
    text: Note = ""


class RatingRequest(Asked):
    rating: Stars
    remark: Reason | None = None


class EvaluationAnswer(Shown):
    """``held``: the words wait for the authority."""

    class_id: str
    ratings: dict[str, int]
    text: str
    held: bool
    version: int


class WordsAnswer(Shown):
    words_id: str
    text: str
    held: bool


class ClassEvaluationsAnswer(Shown):
    """``sums``: of all ratings by dimension, exact; null where too few spoke for them to be nobody's."""

    count: int
    sums: dict[str, int] | None
    words: tuple[WordsAnswer, ...]
    next_cursor: str | None


@answers(
    routes,
    "POST",
    "/v1/evaluations",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="classes",
    zh="学员评价班级",
    en="Evaluate a class, or change one's evaluation",
    errors=(Invalid, NotEnrolled, NotCompleted, EvaluationOver),
)
def post_evaluation(call: Call[EvaluationRequest, Nothing]) -> Done[EvaluationAnswer]:
    asked = call.body
    ratings = {one.dimension: one.stars for one in asked.ratings}
    if len(ratings) < len(asked.ratings):
        raise Invalid(pointer="/ratings", reason="a dimension is rated twice")
    done = evaluating.evaluate_class(
        call.platform, asked.class_id, ratings, asked.text, session=call.session, **call.acting
    )
    return EvaluationAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/classes/{class_id}/evaluations",
    act=Act.READ_CLASSES,
    tag="classes",
    zh="班级评价",
    en="What is said of a class",
    errors=(ClassNotFound,),
)
def get_evaluations(call: Call[Nothing, Listing], class_id: str) -> ClassEvaluationsAnswer:
    asked = call.query
    heard = evaluating.hear_of_class(call.platform, class_id, asked.limit, asked.cursor, actor=call.actor)
    return ClassEvaluationsAnswer(
        count=heard.count,
        sums=dict(heard.ratings.sums) if heard.ratings else None,
        words=tuple(WordsAnswer(words_id=one.words_id, text=one.text, held=one.held) for one in heard.words.items),
        next_cursor=heard.words.cursor,
    )


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/evaluations/{words_id}/release",
    act=Act.RELEASE_WORDS,
    tag="classes",
    zh="放行被拦截的评价",
    en="Show words that were held",
    errors=(ClassNotFound, WordsNotFound),
)
def release_words(call: Plain, class_id: str, words_id: str) -> Done[WordsAnswer]:
    done = evaluating.release_words(call.platform, class_id, words_id, **call.acting)
    answer = WordsAnswer(words_id=done.answer.words_id, text=done.answer.text, held=done.answer.held)
    return Done(answer, hit=done.hit)


@answers(
    routes,
    "POST",
    "/v1/classes/{class_id}/enrolments/{voucher_id}/rating",
    act=Act.TAKE_ATTENDANCE,
    tag="classes",
    zh="机构评价学员",
    en="Rate a trainee",
    errors=(OutOfScope, ClassNotFound, NotEnrolled, NotCompleted),
)
def post_rating(call: Call[RatingRequest, Nothing], class_id: str, voucher_id: str) -> Done[EnrolmentStepAnswer]:
    asked = call.body
    done = evaluating.rate_trainee(call.platform, class_id, voucher_id, asked.rating, asked.remark, **call.acting)
    return EnrolmentStepAnswer.done(done)
