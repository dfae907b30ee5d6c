"""What trainees say of a class, and who hears it. domain.md §4."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from chalicelib.domain.errors import (
    ClassNotFound,
    EvaluationOver,
    Invalid,
    NotCompleted,
    NotEnrolled,
    WordsNotFound,
)
from chalicelib.services import evaluating
from tests.classroom import (
    at,
    check_in,
    enrol,
    enrolment_of,
    evaluate,
    finish,
    finished_class,
    open_class,
    plan,
    used,
)
from tests.storage.worlds import own_world
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def test_given_who_completed_a_class_when_evaluating_then_the_sums_are_exact_and_changes_move_them(
    world: World,
) -> None:
    training, people = finished_class(world, 3)
    evaluate(world, people[1], training, teaching=2)
    evaluate(world, people[2], training, teaching=1)
    evaluate(world, people[0], training, "一般", teaching=3)

    heard = evaluating.hear_of_class(world.platform, training.class_id, 10, None, actor=world.desk)

    assert heard.ratings is not None
    assert (heard.count, heard.ratings.sums) == (3, {"teaching": 6, "content": 12, "place": 9, "service": 15})
    assert [one.text for one in heard.words.items] == ["一般"]
    row = next(one for one in world.rows("catalogue") if one["item"]["S"].startswith("3#WORDS#"))
    person_id = world.session(people[0]).person_id
    assert person_id not in str(row)


def test_given_a_request_when_it_comes_again_then_one_evaluation(world: World) -> None:
    training, people = finished_class(world, 2)

    first = evaluate(world, people[1], training, "好", key="once")
    again = evaluate(world, people[1], training, "好", key="once")

    assert (again.hit, again.answer) == (True, first.answer)
    assert world.platform.evaluations.ratings(training.class_id).count == 2


def test_given_few_evaluations_when_the_institution_asks_then_it_hears_how_many_and_no_more(world: World) -> None:
    training, _ = finished_class(world, 2)

    mine = evaluating.hear_of_class(world.platform, training.class_id, 10, None, actor=world.desk)
    theirs = evaluating.hear_of_class(world.platform, training.class_id, 10, None, actor=world.bureau)

    assert (mine.count, mine.ratings, mine.words.items) == (1, None, ())
    assert [one.text for one in theirs.words.items] == ["很好"]
    with pytest.raises(ClassNotFound):
        evaluating.hear_of_class(world.platform, training.class_id, 10, None, actor=world.other_desk)


def test_given_a_word_of_the_list_when_written_then_held_until_the_authority_releases_it(world: World) -> None:
    world.rules(held_words=("退费",))
    training, people = finished_class(world, 3)
    for person in people[1:]:
        assert evaluate(world, person, training, "要求退 费！").answer.held
    p = world.platform

    before = evaluating.hear_of_class(p, training.class_id, 10, None, actor=world.desk)
    waiting = [
        one
        for one in evaluating.hear_of_class(p, training.class_id, 10, None, actor=world.bureau).words.items
        if one.held
    ]
    evaluating.release_words(p, training.class_id, waiting[0].words_id, **world.by(world.bureau))
    after = evaluating.hear_of_class(p, training.class_id, 10, None, actor=world.desk)

    assert ([one.text for one in before.words.items], len(waiting)) == (["很好"], 2)
    assert sorted(one.text for one in after.words.items) == ["很好", "要求退 费！"]
    with pytest.raises(WordsNotFound):
        evaluating.release_words(p, training.class_id, waiting[0].words_id, **world.by(world.bureau))
    with pytest.raises(ClassNotFound):
        evaluating.release_words(p, training.class_id, waiting[1].words_id, **world.by(world.desk))
    world.rules()


def test_given_who_did_not_complete_it_when_evaluating_then_refused_and_so_too_early_too_late_or_by_half(
    world: World,
) -> None:
    training = open_class(world, [plan(world.now, hours=1)])
    template = world.publish(2)
    (came, one), (absent, two) = used(world, template), used(world, template)
    enrol(world, training, one, two)
    check_in(world, came, training)
    with pytest.raises(NotCompleted):
        evaluate(world, came, training)
    at(world, training.sessions[0].ends_at)
    finish(world, training)

    with pytest.raises(NotCompleted):
        evaluate(world, absent, training)
    stranger, _ = used(world, world.publish(1))
    with pytest.raises(NotEnrolled):
        evaluate(world, stranger, training)
    with pytest.raises(Invalid):
        evaluate(world, came, training, friendliness=5)
    at(world, world.now + timedelta(days=31))
    with pytest.raises(EvaluationOver):
        evaluate(world, came, training)
    assert world.platform.evaluations.ratings(training.class_id).count == 0


def test_given_many_at_once_when_evaluating_then_no_star_is_lost(world: World) -> None:
    training, people = finished_class(world, 8)
    gate = Barrier(7)

    def say(which: int) -> None:
        gate.wait()
        evaluate(world, people[which], training, teaching=1)

    threads = [Thread(target=say, args=(which,)) for which in range(1, 8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    there = world.platform.evaluations.ratings(training.class_id)
    assert (there.count, there.sums["teaching"]) == (8, 5 + 7)


def test_given_a_trainee_when_rated_by_the_institution_then_only_after_the_class_and_the_last_word_counts(
    world: World,
) -> None:
    training = open_class(world, [plan(world.now, hours=1)])
    person, voucher_id = used(world, world.publish(1))
    enrol(world, training, voucher_id)
    p = world.platform

    def rate(rating: int, key: str | None = None) -> bool:
        return evaluating.rate_trainee(
            p, training.class_id, voucher_id, rating, "认真", **world.by(world.desk, key)
        ).hit

    with pytest.raises(NotCompleted):
        rate(5)
    check_in(world, person, training)
    at(world, training.sessions[0].ends_at)
    finish(world, training)

    assert [rate(5, "a"), rate(5, "a"), rate(3)] == [False, True, False]
    assert enrolment_of(world, training, voucher_id).rating == 3
