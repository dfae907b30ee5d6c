"""In the classroom: opened, enrolled, checked in by each way, finished; reversal and attendance. domain.md §4."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from threading import Barrier, Thread
from typing import Any
from unittest.mock import Mock

import pytest
from python_calamine import CalamineWorkbook

from chalicelib.domain.check_in import Position, Result, Way, session_now
from chalicelib.domain.class_papers import PaperFormat, PaperKind
from chalicelib.domain.coordinates import Datum, Point
from chalicelib.domain.enrolment import EnrolmentState, attendance
from chalicelib.domain.errors import (
    AlreadyCheckedIn,
    AlreadyExcused,
    CheckedInBefore,
    CheckInNotOpen,
    CheckInOver,
    ClassCodeNotAccepted,
    ClassesOverlap,
    ClassFull,
    ClassNotFound,
    ClassStateRefused,
    ConcurrentChange,
    Contended,
    CourseNotFound,
    DatumUnknown,
    DomainError,
    EnrolledAlready,
    InstitutionNotAdmitted,
    Invalid,
    NotEnrolled,
    NotRedeemed,
    NotRedeemedHere,
    OnlineSession,
    OutOfScope,
    PositionInaccurate,
    PositionInvalid,
    PositionMocked,
    PositionOutsideChina,
    PositionSwapped,
    PositionZero,
    ReportedTooLate,
    Reused,
    SessionNotFound,
    SessionOver,
    TooFar,
    TooFast,
    TooManyByHand,
    Unavailable,
)
from chalicelib.domain.history import check_chain, genesis
from chalicelib.domain.region import Overlaps
from chalicelib.domain.training_class import LARGEST, ClassPlace, ClassState, TrainingClass, state_at
from chalicelib.domain.voucher import State
from chalicelib.services import checking_in, enrolling, holding_classes, printing_classes
from chalicelib.services.identifying import Presented
from tests.classroom import (
    HOUR,
    ROOM,
    THERE,
    at,
    check_in,
    days,
    enrol,
    enrolment_of,
    open_class,
    plan,
    transfer,
    used,
)
from tests.races.crowd import at_once
from tests.storage.worlds import all_rows, own_world
from tests.world import OTHER_INSTITUTION_ID, World, a_person


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def fresh(world: World, training: TrainingClass) -> TrainingClass:
    found = world.platform.catalogue.classes.read(training.class_id)
    assert found is not None
    return found


def results(done: Any) -> list[str | None]:
    return [one.code for one in done.answer.results]


def change(world: World, training: TrainingClass, session_id: str, **changes: Any) -> TrainingClass:
    said: dict[str, Any] = {"starts_at": None, "ends_at": None, "place": None, "teacher": None} | changes
    return holding_classes.change_session(
        world.platform, training.class_id, session_id, **said, **world.by(world.desk)
    ).answer


def change_class(world: World, training: TrainingClass, **changes: Any) -> TrainingClass:
    by = world.by(changes.pop("actor", world.desk), changes.pop("key", None))
    said: dict[str, Any] = {"name": None, "teacher": None, "capacity": None} | changes
    return holding_classes.change_class(world.platform, training.class_id, **said, **by).answer


def cancel_session(world: World, training: TrainingClass, session_id: str) -> TrainingClass:
    return holding_classes.cancel_session(
        world.platform, training.class_id, session_id, "教师生病", **world.by(world.desk)
    ).answer


def finish(world: World, training: TrainingClass, key: str | None = None) -> TrainingClass:
    return enrolling.finish_class(world.platform, training.class_id, **world.by(world.desk, key)).answer


def by_hand(world: World, training: TrainingClass, session_id: str, voucher_id: str, **more: Any) -> Any:
    return checking_in.enter_by_hand(
        world.platform,
        training.class_id,
        session_id,
        voucher_id,
        "手机没电",
        late=False,
        **world.by(world.desk, more.pop("key", None)),
    )


class TestHeld:
    def test_given_a_course_when_opened_then_the_regions_rules_are_frozen_on_it(self, world: World) -> None:
        world.rules(check_in_radius=500, overlaps=Overlaps.FLAGGED)
        training = open_class(world)
        world.rules(check_in_radius=100)

        found = fresh(world, training)
        assert (found.rules.radius, found.rules.overlaps) == (500, Overlaps.FLAGGED)
        assert [one.session_id for one in found.sessions] == ["S001", "S002", "S003"]
        assert (found.state, found.enrolled) == (ClassState.OPENED, 0)
        world.rules()

    def test_given_a_request_when_it_comes_again_then_no_second_class(self, world: World) -> None:
        first, again = open_class(world, key="one"), open_class(world, key="one")

        assert first == again

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"institution_id": OTHER_INSTITUTION_ID}, OutOfScope),
            ({"course_id": "D" * 16}, CourseNotFound),
            ({"course_id": "nothing"}, CourseNotFound),
        ],
    )
    def test_given_what_is_not_the_institutions_when_opened_then_refused(
        self, world: World, changes: dict[str, Any], error: type[DomainError]
    ) -> None:
        with pytest.raises(error):
            open_class(world, **changes)

    def test_given_sessions_that_cannot_be_held_when_opened_then_refused_with_which(self, world: World) -> None:
        tomorrow = world.now + timedelta(days=1)
        wrong = {
            "/sessions": [plan(world.now - HOUR)],
            "/sessions/0/ends_at": [plan(tomorrow, hours=0)],
            "/sessions/1/starts_at": [plan(tomorrow), plan(tomorrow + HOUR)],
            "/sessions/0/makes_up_for": [plan(tomorrow, makes_up_for="S001")],
        }
        for pointer, sessions in wrong.items():
            with pytest.raises(Invalid) as refused:
                open_class(world, sessions)
            assert refused.value.pointer == pointer
        for sessions in ([plan(tomorrow, hours=13)], [plan(tomorrow), plan(tomorrow + timedelta(days=732))]):
            with pytest.raises(Invalid):
                open_class(world, sessions)
        with pytest.raises(Invalid) as refused:
            open_class(world, [plan(tomorrow, place=None)])
        assert "online" in str(refused.value.facts["reason"])

    def test_given_an_institution_that_is_no_longer_admitted_when_opened_then_refused(self, world: World) -> None:
        with pytest.raises((InstitutionNotAdmitted, OutOfScope)):
            open_class(world, institution_id=OTHER_INSTITUTION_ID)

    def test_given_a_session_when_cancelled_and_made_up_then_it_counts_no_more_and_the_other_does(
        self, world: World
    ) -> None:
        training = cancel_session(world, open_class(world), "S002")
        more = [plan(world.now + timedelta(days=9), makes_up_for="S002")]

        after = holding_classes.add_sessions(world.platform, training.class_id, more, **world.by(world.desk)).answer

        assert [one.session_id for one in after.held] == ["S001", "S003", "S004"]
        with pytest.raises(SessionOver):
            cancel_session(world, training, "S002")
        with pytest.raises(Invalid):  # it is made up for already
            holding_classes.add_sessions(
                world.platform,
                training.class_id,
                [plan(world.now + timedelta(days=10), makes_up_for="S002")],
                **world.by(world.desk),
            )

    def test_given_a_session_when_moved_then_elsewhere_and_once_begun_only_its_teacher_changes(
        self, world: World
    ) -> None:
        training = open_class(world)
        there = ClassPlace("二号楼", Point(22.6, 114.1, Datum.GCJ02))
        moved = change(world, training, "S001", place=there, starts_at=training.sessions[0].starts_at + HOUR / 2)
        assert (moved.sessions[0].place, moved.sessions[0].ends_at) == (there, training.sessions[0].ends_at)
        with pytest.raises(SessionNotFound):
            change(world, training, "S009", teacher="别人")

        at(world, moved.sessions[0].starts_at)
        with pytest.raises(SessionOver):
            change(world, training, "S001", place=ROOM)
        assert change(world, training, "S001", teacher="代课师").sessions[0].teacher == "代课师"
        assert state_at(fresh(world, training), world.now) is ClassState.RUNNING

    def test_given_a_class_when_its_name_teacher_or_seats_change_then_the_rest_stays_and_it_says_who_changed_it(
        self, world: World
    ) -> None:
        training = open_class(world, capacity=2)
        assert (training.changed_at, training.changed_by) == (None, None)
        at(world, training.sessions[0].starts_at)

        renamed = change_class(world, training, name="电工晚班", teacher="李老师", key="rename")

        after = replace(training, name="电工晚班", teacher="李老师", version=2)
        assert renamed == replace(after, changed_at=world.now, changed_by=world.desk.operator_id)
        assert change_class(world, training, name="电工晚班", teacher="李老师", key="rename") == renamed
        wider = change_class(world, training, capacity=LARGEST)
        assert (wider.capacity, wider.name, wider.sessions) == (LARGEST, "电工晚班", training.sessions)
        enrol(world, training, used(world, world.publish(1))[1])
        assert fresh(world, training).changed_at == world.now
        cancelled = cancel_session(world, training, "S002")
        assert (cancelled.changed_by, cancelled.version) == (world.desk.operator_id, 5)

    def test_given_people_on_a_class_when_its_seats_become_fewer_then_never_fewer_than_them(self, world: World) -> None:
        training, template = open_class(world, capacity=9), world.publish(3)
        enrol(world, training, *(used(world, template)[1] for _ in range(2)))

        with pytest.raises(Invalid) as refused:
            change_class(world, training, capacity=1)

        assert refused.value.pointer == "/capacity"
        assert change_class(world, training, capacity=2).capacity == 2
        with pytest.raises(ClassFull):
            enrol(world, training, used(world, template)[1])
        holding_classes.cancel_class(world.platform, training.class_id, "人数不足", **world.by(world.desk))
        with pytest.raises(ClassStateRefused):
            change_class(world, training, capacity=9)
        with pytest.raises(ClassNotFound):
            change_class(world, training, capacity=9, actor=world.other_desk)

    def test_given_the_last_seats_when_they_are_taken_away_as_people_come_then_nobody_is_without_one(
        self, world: World
    ) -> None:
        for _ in range(4):
            training, template = open_class(world, capacity=8), world.publish(8)
            ids = [used(world, template)[1] for _ in range(8)]
            come = [lambda one=one, training=training: enrol(world, training, one).answer.results for one in ids]
            fewer = [
                lambda seats=seats, training=training: change_class(world, training, capacity=seats)
                for seats in range(1, 9)
            ]

            told: list[Any] = at_once([*come, *fewer])

            found = fresh(world, training)
            assert found.enrolled <= found.capacity
            assert (
                found.enrolled == sum(not isinstance(one, DomainError) for one in told[:8]) == len(on(world, training))
            )
            refused = {type(one) for one in told if isinstance(one, DomainError)}
            assert refused <= {ClassFull, Invalid, ConcurrentChange, Contended}, refused

    def test_given_somebody_elses_class_when_asked_for_then_it_is_not_there(self, world: World) -> None:
        training = open_class(world)

        for act in (
            lambda: holding_classes.find_class(world.platform, training.class_id, actor=world.other_desk),
            lambda: enrol(world, training, "x", actor=world.other_desk),
            lambda: holding_classes.cancel_class(world.platform, training.class_id, "x", **world.by(world.other_desk)),
        ):
            with pytest.raises(ClassNotFound):
                act()
        assert holding_classes.find_class(world.platform, training.class_id, actor=world.bureau) == training

    def test_given_a_cancelled_class_when_anything_is_asked_of_it_then_refused(self, world: World) -> None:
        training = open_class(world)
        _, voucher_id = used(world, world.publish(1))
        cancelled = holding_classes.cancel_class(
            world.platform, training.class_id, "人数不足", **world.by(world.desk)
        ).answer

        assert (cancelled.state, cancelled.reason) == (ClassState.CANCELLED, "人数不足")
        for act in (lambda: enrol(world, training, voucher_id), lambda: cancel_session(world, training, "S001")):
            with pytest.raises(ClassStateRefused):
                act()


class TestEnrolled:
    def test_given_used_vouchers_when_put_on_a_class_then_each_has_its_verdict_and_a_seat(self, world: World) -> None:
        template, training = world.publish(5), open_class(world)
        (_, one), (_, two) = used(world, template), used(world, template)
        person = a_person()
        unused = world.claim(person, template).answer.voucher_id

        done = enrol(world, training, one, two, unused, "nothing", key="list")

        assert results(done) == [None, None, "not_redeemed_here", "voucher_not_found"]
        assert (done.answer.enrolled, fresh(world, training).enrolled) == (2, 2)
        again = enrol(world, training, one, two, unused, "nothing", key="list")
        assert (again.hit, again.answer) == (True, done.answer)
        assert results(enrol(world, training, one)) == ["enrolled_already"]
        _, page = enrolling.list_enrolments(world.platform, training.class_id, 10, None, actor=world.bureau)
        assert {there.voucher_id for there in page.items} == {one, two}
        for there in page.items:
            check_chain(there.history, genesis(f"class:{training.class_id}", there.person_id))

    def test_given_more_than_seats_when_put_on_then_nobody_is(self, world: World) -> None:
        template, training = world.publish(5), open_class(world, capacity=1)
        ids = [used(world, template)[1] for _ in range(2)]

        with pytest.raises(ClassFull):
            enrol(world, training, *ids)

        assert fresh(world, training).enrolled == 0
        assert results(enrol(world, training, ids[0])) == [None]

    @pytest.mark.parametrize("policy", list(Overlaps))
    def test_given_two_classes_at_one_time_when_put_on_both_then_as_the_region_says(
        self, world: World, policy: Overlaps
    ) -> None:
        world.rules(overlaps=policy)
        first, second = open_class(world), open_class(world)
        person, one = used(world, world.publish(1))
        _, two = used(world, world.publish(1), person)
        enrol(world, first, one)

        done = enrol(world, second, two)

        told = done.answer.results[0]
        assert (told.code, told.overlaps) == {
            Overlaps.REFUSED: ("classes_overlap", False),
            Overlaps.FLAGGED: (None, True),
            Overlaps.ALLOWED: (None, False),
        }[policy]
        world.rules()

    def test_given_the_last_seat_when_two_are_put_on_it_at_once_then_one_is(self, world: World) -> None:
        template, training = world.publish(5), open_class(world, capacity=1)
        ids = [used(world, template)[1] for _ in range(2)]
        gate, told = Barrier(2), list[str]()

        def put(voucher_id: str) -> None:
            gate.wait()
            try:
                told.append(str(results(enrol(world, training, voucher_id))[0]))
            except ClassFull:
                told.append("full")

        threads = [Thread(target=put, args=(one,)) for one in ids]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

        assert sorted(told) == ["None", "full"]
        assert fresh(world, training).enrolled == 1

    def test_given_somebody_who_left_when_put_on_again_then_on_it_with_one_story(self, world: World) -> None:
        training = open_class(world)
        _, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)

        left = enrolling.leave_class(
            world.platform, training.class_id, voucher_id, "转班", **world.by(world.desk, "leave")
        )
        repeated = enrolling.leave_class(
            world.platform, training.class_id, voucher_id, "转班", **world.by(world.desk, "leave")
        )
        assert (left.answer.state, repeated.hit) == (EnrolmentState.LEFT, True)
        with pytest.raises(NotEnrolled):
            enrolling.leave_class(world.platform, training.class_id, voucher_id, "转班", **world.by(world.desk))
        assert fresh(world, training).enrolled == 0
        enrol(world, training, voucher_id)

        there = enrolment_of(world, training, voucher_id)
        assert (there.state, there.version) == (EnrolmentState.ENROLLED, 3)
        assert fresh(world, training).enrolled == 1

    def test_given_somebody_back_on_the_class_by_another_voucher_when_the_first_is_named_then_only_what_was_is_told(
        self, world: World
    ) -> None:
        training = open_class(world, [plan(world.now + HOUR)])
        person, one = used(world, world.publish(1))
        _, two = used(world, world.publish(1), person)
        enrol(world, training, one)

        def leave(key: str) -> Any:
            return enrolling.leave_class(world.platform, training.class_id, one, "转班", **world.by(world.desk, key))

        left = leave("leave")
        enrol(world, training, two)
        at(world, world.now + HOUR)

        again = leave("leave")
        assert (again.hit, again.answer, again.answer.voucher_id) == (True, left.answer, one)
        shown = Presented(token=world.token(person, one))
        for act in (
            lambda: leave("anew"),
            lambda: by_hand(world, training, "S001", one),
            lambda: checking_in.scan_holder(world.platform, training.class_id, None, shown, **world.by(world.desk)),
        ):
            with pytest.raises(NotEnrolled):
                act()
        reports = [checking_in.Report(voucher_id, "S001", world.now) for voucher_id in (one, two)]
        told = checking_in.take_reports(world.platform, training.class_id, "x", reports, **world.by(world.desk))
        assert results(told) == ["not_enrolled", None]


def on(world: World, training: TrainingClass) -> set[str]:
    """By which vouchers people are on the class, as its list says."""
    page = world.platform.enrolments.on_class(training.class_id, 100, None)
    return {one.voucher_id for one in page.items if one.is_on}

    def test_given_a_class_that_was_cancelled_when_its_people_are_put_on_another_then_they_are(
        self, world: World
    ) -> None:
        first, second = open_class(world), open_class(world)
        _, voucher_id = used(world, world.publish(1))
        enrol(world, first, voucher_id)
        assert enrol(world, second, voucher_id).answer.results[0].code == "enrolled_already"
        holding_classes.cancel_class(world.platform, first.class_id, "人数不足", **world.by(world.desk))
        world.another_container()
        world.platform.catalogue.classes.read(first.class_id)

        assert enrol(world.another_container(), second, voucher_id).answer.results[0].code is None


class TestTransferred:
    def test_given_somebody_on_a_class_when_they_change_then_off_the_one_and_on_the_other_in_one_step(
        self, world: World
    ) -> None:
        first, second = open_class(world), open_class(world)  # at the same times: the one that is left does not count
        person, voucher_id = used(world, world.publish(1))
        enrol(world, first, voucher_id)
        check_in(world, person, at_session(world, first, 0))

        done = transfer(world, voucher_id, first, second, key="change")

        left, joined = enrolment_of(world, first, voucher_id), enrolment_of(world, second, voucher_id)
        assert (left.state, joined.state) == (EnrolmentState.LEFT, EnrolmentState.ENROLLED)
        assert left.history[-1].said["facts"] == {"reason": "时间不合适", "to": second.class_id}
        assert joined.history[-1].said["facts"] == {"voucher": voucher_id, "overlaps": 0, "from": first.class_id}
        assert (list(left.check_ins), list(joined.check_ins)) == (["S001"], [])
        assert (fresh(world, first).enrolled, fresh(world, second).enrolled) == (0, 1)
        assert (on(world, first), on(world, second)) == (set(), {voucher_id})
        assert (done.answer.left.class_id, done.answer.left.version) == (first.class_id, 3)
        assert (done.answer.enrolled.class_id, done.answer.enrolled.version) == (second.class_id, 1)
        for there in (left, joined):
            check_chain(there.history, genesis(f"class:{there.class_id}", there.person_id))
        with pytest.raises(CheckedInBefore):  # the way out of a reversal is none
            world.reverse(voucher_id)
        assert check_in(world, person, second).answer.facts["session"] == "S001"

    def test_given_a_change_when_the_request_comes_again_then_its_first_answer_whatever_happened_since(
        self, world: World
    ) -> None:
        first, second, template = open_class(world), open_class(world), world.publish(2)
        person, voucher_id = used(world, template)
        _, other_id = used(world, world.publish(1), person)
        enrol(world, first, voucher_id)
        done = transfer(world, voucher_id, first, second, key="again")
        with pytest.raises(NotEnrolled):
            transfer(world, voucher_id, first, second)
        enrolling.leave_class(world.platform, second.class_id, voucher_id, "退班", **world.by(world.desk))
        enrol(world, first, other_id)  # the first class knows the person by another voucher now

        again = transfer(world, voucher_id, first, second, key="again")

        assert (again.hit, again.answer) == (True, done.answer)
        assert (fresh(world, first).enrolled, fresh(world, second).enrolled) == (1, 0)
        with pytest.raises(Reused):
            transfer(world, voucher_id, first, second, key="again", body=b"other")

    def test_given_somebody_who_comes_back_when_they_change_again_then_one_story_and_what_they_checked_in_there_counts(
        self, world: World
    ) -> None:
        first, second = open_class(world), open_class(world)
        person, voucher_id = used(world, world.publish(1))
        enrol(world, first, voucher_id)
        check_in(world, person, at_session(world, first, 0))
        transfer(world, voucher_id, first, second)

        transfer(world, voucher_id, second, first)

        there = enrolment_of(world, first, voucher_id)
        assert [entry.said["step"] for entry in there.history] == ["enrol", "check_in", "leave", "enrol"]
        assert (list(there.check_ins), on(world, first), on(world, second)) == (["S001"], {voucher_id}, set())

    def test_given_what_does_not_allow_it_when_they_change_then_refused_and_nothing_is_written(
        self, world: World
    ) -> None:
        world.rules(overlaps=Overlaps.REFUSED)
        template = world.publish(5)
        first = open_class(world)
        person, voucher_id = used(world, template)
        _, stranger_id = used(world, template)
        _, taken_id = used(world, template)
        enrol(world, first, voucher_id)
        full = open_class(world, capacity=1)
        enrol(world, full, taken_id)
        cancelled = open_class(world)
        holding_classes.cancel_class(world.platform, cancelled.class_id, "人数不足", **world.by(world.desk))
        other_course = replace(world.course, course_id="F" * 16)
        if world.platform.catalogue.courses.get(other_course.course_id) is None:
            world.platform.catalogue.courses.add(other_course, None)
        elsewhere = open_class(world, course_id=other_course.course_id)
        later = open_class(world, days(world, 2, first=20))
        _, second_id = used(world, world.publish(1), person)
        enrol(world, later, second_id)
        at_that_time, there_too = open_class(world, days(world, 1, first=21)), later
        nowhere = replace(first, class_id="X" * 16)

        before = all_rows(world)
        for left, joined, voucher, error in (
            (first, nowhere, voucher_id, ClassNotFound),
            (nowhere, first, voucher_id, ClassNotFound),
            (first, first, voucher_id, Invalid),
            (first, elsewhere, voucher_id, NotRedeemedHere),
            (first, full, voucher_id, ClassFull),
            (first, cancelled, voucher_id, ClassStateRefused),
            (cancelled, first, voucher_id, ClassStateRefused),
            (first, at_that_time, voucher_id, ClassesOverlap),
            (first, there_too, voucher_id, EnrolledAlready),
            (full, first, voucher_id, NotEnrolled),
            (first, full, stranger_id, NotEnrolled),
            (first, full, "nothing", NotEnrolled),
        ):
            with pytest.raises(error):
                transfer(world, voucher, left, joined)
        with pytest.raises(ClassNotFound):
            transfer(world, voucher_id, first, at_that_time, actor=world.other_desk)
        with pytest.raises(OutOfScope):
            transfer(world, voucher_id, first, at_that_time, actor=replace(world.desk, operator=world.bureau.operator))
        assert all_rows(world) == before
        world.rules()

    def test_given_a_third_class_at_that_time_when_they_change_then_flagged_where_the_region_wants_that(
        self, world: World
    ) -> None:
        world.rules(overlaps=Overlaps.FLAGGED)
        first, third, second = open_class(world), open_class(world), open_class(world, days(world, 1, first=2))
        person, voucher_id = used(world, world.publish(1))
        enrol(world, first, voucher_id)
        transfer(world, voucher_id, first, second)
        assert not enrolment_of(world, second, voucher_id).overlaps
        transfer(world, voucher_id, second, first)
        enrol(world, third, used(world, world.publish(1), person)[1])

        transfer(world, voucher_id, first, second)

        assert enrolment_of(world, second, voucher_id).overlaps
        world.rules()

    def test_given_all_that_can_happen_to_people_of_a_class_when_it_does_at_once_then_each_is_where_it_was_said(
        self, world: World
    ) -> None:
        """Sixteen at the same moment: changes, leaving, check-ins, reversals, and the last two seats."""
        world.rules(overlaps=Overlaps.ALLOWED)
        for _ in range(6):
            template = world.publish(9)
            first, second, third = (
                open_class(world, [plan(world.now)]),
                open_class(world, capacity=2),
                open_class(world),
            )
            people = [used(world, template) for _ in range(6)]
            ids = [voucher_id for _, voucher_id in people]
            enrol(world, first, *ids[:4])
            sessions = [world.session(person) for person, _ in people]

            def change(
                which: int, joined: TrainingClass, key: str | None = None, first: Any = first, ids: Any = ids
            ) -> Any:
                return lambda: transfer(world, ids[which], first, joined, key=key)

            def leave(which: int, first: Any = first, ids: Any = ids) -> Any:
                return lambda: enrolling.leave_class(
                    world.platform, first.class_id, ids[which], "退班", **world.by(world.desk)
                )

            def come(which: int, first: Any = first, sessions: Any = sessions) -> Any:
                return lambda: checking_in.check_in_holder(
                    world.platform,
                    first.class_id,
                    None,
                    THERE,
                    None,
                    session=sessions[which],
                    **world.by(world.channel),
                )

            def back(which: int, ids: Any = ids) -> Any:
                return lambda: world.reverse(ids[which])

            def put(which: int, second: Any = second, ids: Any = ids) -> Any:
                return lambda: enrol(world, second, ids[which])

            one_key = f"twice {first.class_id}"
            acts = [
                change(0, second, one_key),
                change(0, second, one_key),
                change(0, third),
                leave(0),
                come(0),
                back(0),
                change(1, second),
                leave(1),
                back(1),
                change(2, second),
                come(2),
                back(2),
                change(3, second),
                change(3, third),
                put(4),
                put(5),
            ]
            told = at_once(acts)

            refused = [one for one in told if isinstance(one, DomainError)]
            assert {type(one) for one in refused} <= {
                NotEnrolled,
                ClassFull,
                CheckedInBefore,
                NotRedeemed,
                NotRedeemedHere,
                EnrolledAlready,
            }, refused
            done = [one for one in told[:2] if not isinstance(one, DomainError)]
            assert [one.hit for one in done] in ([], [False], [True, False], [False, True])
            assert all(one.answer == done[0].answer for one in done)
            where = [on(world, training) for training in (first, second, third)]
            assert [fresh(world, one).enrolled for one in (first, second, third)] == [len(one) for one in where]
            assert len(where[1]) <= 2
            for voucher_id in ids:
                mine = [
                    there
                    for there in world.platform.enrolments.of_person(person_of(world, voucher_id))
                    if there.voucher_id == voucher_id
                ]
                held = [there for there in mine if there.is_on]
                assert len(held) == sum(voucher_id in one for one in where) <= 1
                redeemed = world.voucher(voucher_id).state is State.REDEEMED
                assert redeemed or not (held or any(there.check_ins for there in mine))
                steps = [entry.said for there in mine for entry in there.history]
                went = [said["facts"]["to"] for said in steps if said["step"] == "leave" and "to" in said["facts"]]
                came = [said for said in steps if said["step"] == "enrol" and "from" in said["facts"]]
                assert len(went) == len(came) <= 1
                for there in mine:
                    check_chain(there.history, genesis(f"class:{there.class_id}", there.person_id))
        world.rules()


def person_of(world: World, voucher_id: str) -> str:
    key = world.platform.keys.voucher_ids.decode(voucher_id)
    assert key is not None
    return key[0]


class TestCheckedIn:
    @pytest.fixture
    def room(self, world: World) -> tuple[World, TrainingClass, Any, str]:
        training = open_class(world)
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, training.sessions[0].starts_at)
        return world, training, person, voucher_id

    def test_given_somebody_at_the_place_when_checking_in_then_present_with_the_distance_and_nothing_of_the_place(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, voucher_id = room
        near = Position(22.5440, 114.0585, "gcj02", 15.0)

        done = check_in(world, person, training, near, device="device-0001", key="in")

        there = enrolment_of(world, training, voucher_id)
        made = there.check_ins["S001"]
        assert (made.result, made.way, made.at) == (Result.PRESENT, Way.LOCATION, world.now)
        assert 100 < (made.metres or 0) < 130
        assert (done.answer.step, done.answer.facts["metres"]) == ("check_in", made.metres)
        row = next(one for one in world.rows("people") if one["item"]["S"] == f"2#ENROLMENT#{training.class_id}")
        assert "22.544" not in row["body"]["S"]
        assert "device-0001" not in row["body"]["S"]
        assert check_in(world, person, training, near, device="device-0001", key="in").hit
        with pytest.raises(Reused):
            check_in(world, person, training, near, key="in", body=b"other")
        with pytest.raises(AlreadyCheckedIn):
            check_in(world, person, training)

    @pytest.mark.parametrize(
        ("minutes", "told"),
        [(-16, CheckInNotOpen), (-15, "present"), (15, "present"), (16, "late"), (180, "late"), (181, CheckInNotOpen)],
    )
    def test_given_a_moment_when_checking_in_then_present_late_or_refused(
        self, room: tuple[World, TrainingClass, Any, str], minutes: int, told: Any
    ) -> None:
        world, training, person, _ = room
        at(world, training.sessions[0].starts_at + timedelta(minutes=minutes))
        if isinstance(told, str):
            assert check_in(world, person, training).answer.facts["result"] == told
        else:
            with pytest.raises(told):
                check_in(world, person, training)

    @pytest.mark.parametrize(
        ("position", "error"),
        [
            (replace(THERE, mocked=True), PositionMocked),
            (replace(THERE, datum="cgcs"), DatumUnknown),
            (replace(THERE, latitude=0.0, longitude=0.0), PositionZero),
            (replace(THERE, latitude=114.057865, longitude=22.543096), PositionSwapped),
            (replace(THERE, latitude=float("nan")), PositionInvalid),
            (replace(THERE, latitude=200.0, longitude=300.0), PositionInvalid),
            (replace(THERE, accuracy=float("nan")), PositionInvalid),
            (replace(THERE, latitude=48.85, longitude=2.35), PositionOutsideChina),
            (replace(THERE, accuracy=201.0), PositionInaccurate),
            (replace(THERE, datum="wgs84"), TooFar),
            (replace(THERE, latitude=22.5470), TooFar),
        ],
    )
    def test_given_a_position_that_cannot_count_when_checking_in_then_its_own_code_and_nothing_is_kept(
        self, room: tuple[World, TrainingClass, Any, str], position: Position, error: type[DomainError]
    ) -> None:
        world, training, person, voucher_id = room

        with pytest.raises(error):
            check_in(world, person, training, position)

        assert enrolment_of(world, training, voucher_id).check_ins == {}

    def test_given_an_accuracy_when_judged_then_its_allowance_is_bounded(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, _ = room
        far = replace(THERE, latitude=22.543096 + 340 / 111_195)
        with pytest.raises(TooFar) as refused:
            check_in(world, person, training, replace(far, accuracy=30.0))
        assert refused.value.facts == {"metres": 340, "radius": 300}
        with pytest.raises(TooFar):
            check_in(world, person, training, replace(far, latitude=far.latitude + 0.001, accuracy=190.0))  # type: ignore[operator]

        assert check_in(world, person, training, replace(far, accuracy=190.0)).answer.facts["metres"] == 340

    def test_given_two_classes_far_apart_when_checked_in_within_minutes_then_nobody_comes_that_fast(
        self, world: World
    ) -> None:
        world.rules(overlaps=Overlaps.ALLOWED)
        away = ClassPlace("广州校区", Point(23.106589, 113.324510, Datum.GCJ02))
        tomorrow = world.now + timedelta(days=1)
        here = open_class(world, [plan(tomorrow)])
        there = open_class(world, [plan(tomorrow + timedelta(minutes=10), place=away)])
        person, one = used(world, world.publish(1))
        _, two = used(world, world.publish(1), person)
        enrol(world, here, one)
        enrol(world, there, two)
        at(world, tomorrow)
        check_in(world, person, here)
        at(world, tomorrow + timedelta(minutes=10))
        in_guangzhou = Position(23.106589, 113.324510, "gcj02", 10.0)

        with pytest.raises(TooFast) as refused:
            check_in(world, person, there, in_guangzhou)

        assert 90_000 < int(refused.value.facts["metres"] or 0) < 110_000
        at(world, tomorrow + timedelta(minutes=60))
        assert check_in(world, person, there, in_guangzhou).answer.facts["result"] == "late"
        world.rules()

    def test_given_the_classes_code_when_scanned_then_it_counts_for_two_periods_and_for_its_session_only(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, voucher_id = room
        shown = checking_in.show_class_code(world.platform, training.class_id, None, actor=world.desk, now=world.now)
        assert shown.session_id == "S001"
        assert timedelta() < shown.ends_at - world.now <= timedelta(seconds=15)
        for wrong in (shown.code[:-1] + "x", shown.code.replace("S001", "S002"), "CLASS1." + "x" * 40):
            with pytest.raises(ClassCodeNotAccepted):
                check_in(world, person, training, wrong)
        at(world, world.now + timedelta(seconds=30))
        with pytest.raises(ClassCodeNotAccepted):
            check_in(world, person, training, shown.code)
        at(world, world.now - timedelta(seconds=1))

        check_in(world, person, training, shown.code, device="device-0001")

        made = enrolment_of(world, training, voucher_id).check_ins["S001"]
        assert (made.way, made.metres) == (Way.CLASS_CODE, None)
        assert made.device is not None

    def test_given_an_online_session_when_a_position_is_sent_then_the_code_is_asked_for(self, world: World) -> None:
        online = replace(world.course, course_id="E" * 16, online=True)
        if world.platform.catalogue.courses.get(online.course_id) is None:
            world.platform.catalogue.courses.add(online, None)
        training = open_class(world, [plan(world.now + HOUR, place=None)], course_id=online.course_id)
        person = a_person()
        voucher_id = world.claim(person, world.publish(1)).answer.voucher_id
        world.redeem(Presented(code=world.code(person, voucher_id)), course_id=online.course_id)
        enrol(world, training, voucher_id)
        at(world, world.now + HOUR)

        with pytest.raises(OnlineSession):
            check_in(world, person, training)

    def test_given_staff_who_scan_when_the_persons_code_is_shown_then_checked_in_once(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, voucher_id = room

        def scan(key: str) -> Any:
            shown = Presented(token=world.token(person, voucher_id))
            return checking_in.scan_holder(world.platform, training.class_id, None, shown, **world.by(world.desk, key))

        assert scan("scan").answer.facts["way"] == "scanned"
        assert scan("scan").hit
        with pytest.raises(AlreadyCheckedIn):
            scan("again")

    def test_given_what_was_not_checked_in_when_entered_by_hand_then_counted_apart_and_capped(
        self, world: World
    ) -> None:
        training = open_class(world, days(world, 6))
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        with pytest.raises(CheckInNotOpen):
            by_hand(world, training, "S001", voucher_id)
        at(world, training.sessions[2].ends_at)

        done = by_hand(world, training, "S001", voucher_id, key="hand")

        assert by_hand(world, training, "S001", voucher_id, key="hand").hit
        assert done.answer.facts["reason"] == "手机没电"
        with pytest.raises(TooManyByHand) as refused:  # two of six are more than 20 %
            by_hand(world, training, "S002", voucher_id)
        assert refused.value.facts == {"percent": 20}
        there = attendance(enrolment_of(world, training, voucher_id), fresh(world, training), world.now)
        assert (there.held, there.attended, there.by_hand, there.percent) == (3, 1, 1, 33)
        assert check_in(world, person, at_session(world, training, 3)).answer.facts["session"] == "S004"

    def test_given_a_tools_reports_when_taken_then_each_counts_once_and_says_why_it_does_not(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, _, voucher_id = room
        first, second = training.sessions[0].starts_at, training.sessions[1].starts_at
        reports = [
            checking_in.Report(voucher_id, "S001", first + timedelta(minutes=20)),
            checking_in.Report(voucher_id, "S001", first),
            checking_in.Report(voucher_id, "S002", first),
            checking_in.Report(voucher_id, "S003", second + timedelta(days=30)),
            checking_in.Report(voucher_id, "S009", first),
            checking_in.Report("nobody", "S001", first),
        ]
        at(world, second + timedelta(hours=4))

        def send(key: str, tool: str = "刷脸机") -> Any:
            return checking_in.take_reports(
                world.platform, training.class_id, tool, reports, **world.by(world.desk, key, tool.encode())
            )

        done = send("once")

        assert [(one.result, one.code) for one in done.answer.results] == [
            (Result.LATE, None),
            (None, "already_checked_in"),
            (None, "check_in_not_open"),
            (None, "check_in_not_open"),
            (None, "session_not_found"),
            (None, "not_enrolled"),
        ]
        again = send("once")
        assert (again.hit, again.answer) == (True, done.answer)
        assert len(enrolment_of(world, training, voucher_id).check_ins) == 1
        with pytest.raises(Reused):
            send("once", "另一工具")
        at(world, second + timedelta(hours=73))
        late = [checking_in.Report(voucher_id, "S002", second)]
        (told,) = checking_in.take_reports(
            world.platform, training.class_id, "刷脸机", late, **world.by(world.desk)
        ).answer.results
        assert told.code == ReportedTooLate.code

    def test_given_leave_when_entered_then_told_apart_from_absence_and_no_attendance(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, voucher_id = room

        def excuse(session_id: str, key: str | None = None) -> Any:
            return checking_in.excuse(
                world.platform, training.class_id, session_id, voucher_id, "就医", **world.by(world.desk, key)
            )

        assert excuse("S002", "leave").answer.facts == {"session": "S002", "reason": "就医"}
        assert excuse("S002", "leave").hit
        with pytest.raises(AlreadyExcused):
            excuse("S002")
        check_in(world, person, training)
        with pytest.raises(AlreadyCheckedIn):
            excuse("S001")
        at(world, training.sessions[1].ends_at)
        there = attendance(enrolment_of(world, training, voucher_id), training, world.now)
        assert (there.held, there.attended, there.excused, there.percent) == (2, 1, 1, 50)

    def test_given_somebody_who_is_not_on_the_class_when_checking_in_then_not_enrolled(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, _, _ = room
        stranger, voucher_id = used(world, world.publish(1))

        with pytest.raises(NotEnrolled):
            check_in(world, stranger, training)
        with pytest.raises(NotEnrolled):
            by_hand(world, training, "S001", voucher_id)

    def test_given_one_person_when_two_ways_are_taken_at_once_then_one_check_in(
        self, room: tuple[World, TrainingClass, Any, str]
    ) -> None:
        world, training, person, voucher_id = room
        gate, told = Barrier(3), list[str]()
        shown = checking_in.show_class_code(world.platform, training.class_id, None, actor=world.desk, now=world.now)
        session, desk = world.session(person), world.desk

        def act(which: int) -> None:
            gate.wait()
            try:
                if which < 2:
                    checking_in.check_in_holder(
                        world.platform,
                        training.class_id,
                        None,
                        (THERE, shown.code)[which],
                        None,
                        session=session,
                        **world.by(world.channel),
                    )
                else:
                    by_hand(world, training, "S001", voucher_id)
                told.append("in")
            except (AlreadyCheckedIn, TooManyByHand) as refused:
                told.append(refused.code)

        threads = [Thread(target=act, args=(which,)) for which in range(3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

        assert told.count("in") == 1, told
        assert desk is world.desk
        there = enrolment_of(world, training, voucher_id)
        assert len(there.check_ins) == 1
        assert sum(entry.said["step"] == "check_in" for entry in there.history) == 1


class TestCrowd:
    def test_given_fifty_people_when_they_check_in_at_once_then_nobody_is_lost(self, world: World) -> None:
        """50 people in one minute at one class: sixteen at a time, as fast as they can."""
        training, template = open_class(world, [plan(world.now)], capacity=50), world.publish(50)
        people = [used(world, template) for _ in range(50)]
        ids = [voucher_id for _, voucher_id in people]
        for first in range(0, 50, enrolling.MOST_AT_ONCE):
            enrol(world, training, *ids[first : first + enrolling.MOST_AT_ONCE])
        sessions = [world.session(person) for person, _ in people]
        began = time.monotonic()

        def go(session: Any) -> None:
            checking_in.check_in_holder(
                world.platform, training.class_id, None, THERE, None, session=session, **world.by(world.channel)
            )

        with ThreadPoolExecutor(16) as crowd:
            list(crowd.map(go, sessions))

        assert time.monotonic() - began < 60
        assert all(len(enrolment_of(world, training, one).check_ins) == 1 for one in ids)
        assert fresh(world, training).enrolled == 50


def at_session(world: World, training: TrainingClass, which: int) -> TrainingClass:
    at(world, training.sessions[which].starts_at)
    return training


class TestFinished:
    def test_given_a_class_when_finished_then_whoever_met_the_threshold_has_completed_it(self, world: World) -> None:
        training, template = open_class(world, days(world, 5)), world.publish(5)
        people = [used(world, template) for _ in range(3)]
        enrol(world, training, *(voucher_id for _, voucher_id in people))
        with pytest.raises(ClassStateRefused):
            finish(world, training)
        for which in range(5):
            at_session(world, training, which)
            check_in(world, people[0][0], training)
            if which < 4:
                check_in(world, people[1][0], training)
            if which < 3:
                check_in(world, people[2][0], training)
        at(world, training.sessions[4].ends_at)

        done = finish(world, training, "finish")

        assert done.state is ClassState.FINISHED
        states = [enrolment_of(world, training, voucher_id).state for _, voucher_id in people]
        assert states == [EnrolmentState.COMPLETED, EnrolmentState.COMPLETED, EnrolmentState.NOT_COMPLETED]
        said = enrolment_of(world, training, people[2][1]).history[-1].said["facts"]
        assert said == {"held": 5, "attended": 3, "by_hand": 0, "cancelled": 0, "percent": 60, "needed": 80}
        assert finish(world, training, "finish") == done
        assert enrolment_of(world, training, people[0][1]).version == 7
        with pytest.raises(ClassStateRefused):
            finish(world, training)
        with pytest.raises((NotEnrolled, ClassStateRefused)):
            by_hand(world, training, "S004", people[2][1])
        with pytest.raises(CheckInOver):
            session_now(replace(training), None, world.now + timedelta(days=30))

    def test_given_a_cancelled_session_when_finished_then_what_was_checked_in_there_counts_for_nobody(
        self, world: World
    ) -> None:
        training = open_class(world, days(world, 2))
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        check_in(world, person, at_session(world, training, 0))
        cancel_session(world, training, "S001")
        at(world, training.sessions[1].ends_at)

        finish(world, training)

        there = enrolment_of(world, training, voucher_id)
        assert (there.state, list(there.check_ins)) == (EnrolmentState.NOT_COMPLETED, ["S001"])
        assert there.history[-1].said["facts"]["held"] == 1

    def test_given_sessions_that_are_cancelled_after_they_were_over_when_finished_then_by_hand_counts_within_its_share(
        self, world: World
    ) -> None:
        world.rules(by_hand_percent=20)
        training, template = open_class(world, days(world, 10)), world.publish(2)
        came, never = used(world, template), used(world, template)
        enrol(world, training, came[1], never[1])
        for which in range(3, 10):
            check_in(world, came[0], at_session(world, training, which))
        at(world, training.sessions[9].ends_at)
        for who in (came, never):
            for session_id in ("S001", "S002"):
                by_hand(world, training, session_id, who[1])
        for which in range(3, 8):
            cancel_session(world, training, f"S{which:03}")

        finish(world, training)

        # Of five that are left one may be by hand: a person who was at three of them has four, who was at none has one.
        said = [enrolment_of(world, training, who[1]).history[-1].said["facts"] for who in (came, never)]
        assert [(one["held"], one["cancelled"], one["by_hand"], one["attended"]) for one in said] == [
            (5, 5, 2, 4), (5, 5, 2, 1),
        ]  # fmt: skip
        states = [enrolment_of(world, training, who[1]).state for who in (came, never)]
        assert states == [EnrolmentState.COMPLETED, EnrolmentState.NOT_COMPLETED]

    def test_given_a_finish_that_was_cut_off_when_another_request_comes_then_refused_and_everybody_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        training = open_class(world, days(world, 1))
        _, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, training.sessions[0].ends_at)
        with monkeypatch.context() as broken:
            broken.setattr(enrolling, "_complete_all", Mock(side_effect=Unavailable()))
            with pytest.raises(Unavailable):
                finish(world, training, key="lost")
        assert enrolment_of(world, training, voucher_id).state is EnrolmentState.ENROLLED

        with pytest.raises(ClassStateRefused):
            finish(world, training, key="another")

        assert enrolment_of(world, training, voucher_id).state is EnrolmentState.NOT_COMPLETED


class TestPrinted:
    @pytest.mark.parametrize("kind", list(PaperKind))
    def test_given_a_class_when_printed_then_names_are_whole_numbers_masked_and_each_mark_stands_there(
        self, world: World, kind: PaperKind
    ) -> None:
        training, template = open_class(world, days(world, 3)), world.publish(5)
        people = [used(world, template) for _ in range(2)]
        enrol(world, training, *(voucher_id for _, voucher_id in people))
        check_in(world, people[0][0], at_session(world, training, 0))
        at(world, training.sessions[0].ends_at)

        told = printing_classes.print_class(
            world.platform, training.class_id, kind, PaperFormat.XLSX, actor=world.desk, now=world.now
        )

        key = f"classes/papers/{training.class_id}-{kind}.xlsx"
        data = world.platform.files.read(key, None, 1 << 20)
        assert data is not None
        said = str(CalamineWorkbook.from_object(BytesIO(data)).get_sheet_by_index(0).to_python())
        for person, _ in people:
            assert person.name in said
            assert person.id_number not in said
        assert told.url
        if kind is PaperKind.ATTENDANCE:
            assert ("到 " in said, "缺" in said) == (True, True)
        with pytest.raises(ClassNotFound):
            printing_classes.print_class(
                world.platform, training.class_id, kind, PaperFormat.PDF, actor=world.other_desk, now=world.now
            )


class TestReversed:
    def test_given_somebody_on_a_class_when_the_redemption_is_reversed_then_off_it_with_the_seat_free(
        self, world: World
    ) -> None:
        training = open_class(world, [plan(world.now + HOUR)])
        _, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)

        world.reverse(voucher_id)

        assert world.voucher(voucher_id).state is State.CLAIMED
        assert enrolment_of(world, training, voucher_id).state is EnrolmentState.LEFT
        assert fresh(world, training).enrolled == 0
        world.check_laws()

    def test_given_somebody_who_was_there_when_the_redemption_is_to_be_reversed_then_refused(
        self, world: World
    ) -> None:
        training = open_class(world, [plan(world.now + HOUR)])
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, world.now + HOUR)
        check_in(world, person, training)

        with pytest.raises(CheckedInBefore) as refused:
            world.reverse(voucher_id)

        assert refused.value.facts == {"count": 1}
        enrolling.leave_class(world.platform, training.class_id, voucher_id, "退班", **world.by(world.desk))
        with pytest.raises(CheckedInBefore):  # nor by taking them off the class first
            world.reverse(voucher_id)

    def test_given_two_vouchers_one_after_the_other_when_reversed_then_each_by_what_was_attended_by_it(
        self, world: World
    ) -> None:
        training = open_class(world, [plan(world.now + HOUR)])
        person, one = used(world, world.publish(1))
        _, two = used(world, world.publish(1), person)
        enrol(world, training, one)
        at(world, world.now + HOUR)
        check_in(world, person, training)
        enrolling.leave_class(world.platform, training.class_id, one, "退班", **world.by(world.desk))
        enrol(world, training, two)

        with pytest.raises(CheckedInBefore):
            world.reverse(one)
        world.reverse(two)

        assert (world.voucher(one).state, world.voucher(two).state) == (State.REDEEMED, State.CLAIMED)
        assert enrolment_of(world, training, two).state is EnrolmentState.LEFT
        assert fresh(world, training).enrolled == 0

    def test_given_a_reversal_and_a_check_in_at_once_when_both_are_over_then_only_one_was_done(
        self, world: World
    ) -> None:
        for _ in range(8):
            training = open_class(world, [plan(world.now + HOUR)])
            person, voucher_id = used(world, world.publish(1))
            enrol(world, training, voucher_id)
            at(world, world.now + HOUR)
            gate, told = Barrier(2), list[str]()
            session = world.session(person)

            def there(
                training: TrainingClass = training, session: Any = session, gate: Barrier = gate, told: list[str] = told
            ) -> None:
                gate.wait()
                try:
                    checking_in.check_in_holder(
                        world.platform, training.class_id, None, THERE, None, session=session, **world.by(world.channel)
                    )
                    told.append("in")
                except NotEnrolled:
                    told.append("out")

            def back(voucher_id: str = voucher_id, gate: Barrier = gate, told: list[str] = told) -> None:
                gate.wait()
                try:
                    world.reverse(voucher_id)
                    told.append("reversed")
                except (CheckedInBefore, NotRedeemed):
                    told.append("refused")

            threads = [Thread(target=there), Thread(target=back)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()

            assert sorted(told) in (["in", "refused"], ["out", "reversed"]), told
            there_now, voucher = enrolment_of(world, training, voucher_id), world.voucher(voucher_id)
            assert bool(there_now.check_ins) == (voucher.state is State.REDEEMED)
