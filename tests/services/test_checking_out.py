"""Check-out where hours count, positions that a region orders kept, check-ins of people with merged records."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.check_in import Position, Way
from chalicelib.domain.class_papers import Mark, PaperFormat, PaperKind
from chalicelib.domain.enrolment import Attendance, EnrolmentState, attendance
from chalicelib.domain.errors import (
    AlreadyCheckedIn,
    AlreadyCheckedOut,
    CheckInNotOpen,
    CheckInOver,
    NotCheckedIn,
    SessionOver,
    TooFar,
    TooManyByHand,
)
from chalicelib.domain.history import check_chain, genesis
from chalicelib.domain.training_class import TrainingClass
from chalicelib.jobs import watching
from chalicelib.services import checking_in, holding_classes, printing_classes
from chalicelib.services.identifying import Presented
from tests.classroom import (
    HOUR,
    THERE,
    at,
    check_in,
    days,
    enrol,
    enrolment_of,
    evaluate,
    finish,
    open_class,
    plan,
    used,
)
from tests.services.test_disclosing import an_authority, see
from tests.services.test_merging import Two, confirm
from tests.world import World

MINUTE = timedelta(minutes=1)


def leave(world: World, person: Any, training: TrainingClass, shown: Position | str = THERE, **more: Any) -> Any:
    return checking_in.check_in_holder(
        world.platform,
        training.class_id,
        more.pop("session_id", None),
        shown,
        None,
        leaving=True,
        session=world.session(person),
        **world.by(world.channel, more.pop("key", None)),
    )


def by_hand(world: World, training: TrainingClass, voucher_id: str, session: str = "S001", *, leaving: bool) -> Any:
    return checking_in.enter_by_hand(
        world.platform, training.class_id, session, voucher_id, "设备故障", late=False, leaving=leaving,
        **world.by(world.desk),
    )  # fmt: skip


def there(world: World, training: TrainingClass, voucher_id: str) -> Attendance:
    now = world.platform.catalogue.classes.read(training.class_id)
    assert now is not None
    return attendance(enrolment_of(world, training, voucher_id), now, world.now)


@pytest.fixture
def room(world: World) -> Any:
    """A class of two sessions of three hours, of which 80 % must be stayed; one person is on it, at its start."""
    world.rules(hours_percent=80, by_hand_percent=50)
    training = open_class(world, days(world, 2))
    world.rules()
    person, voucher_id = used(world, world.publish(1))
    enrol(world, training, voucher_id)
    at(world, training.sessions[0].starts_at)
    return world, training, person, voucher_id


class TestCheckedOut:
    @pytest.mark.parametrize(
        ("came", "went", "counted", "minutes"),
        [
            (0, 180, 1, 180),
            (0, 144, 1, 144),
            (0, 143, 0, 143),
            (36, 180, 1, 144),
            (37, 180, 0, 143),
            (-10, 200, 1, 180),
        ],
    )
    def test_given_hours_that_count_when_somebody_goes_then_the_session_counts_with_enough_of_them(
        self, room: Any, came: int, went: int, counted: int, minutes: int
    ) -> None:
        world, training, person, voucher_id = room
        start = training.sessions[0].starts_at
        at(world, start + came * MINUTE)
        check_in(world, person, training)
        at(world, start + went * MINUTE)

        done = leave(world, person, training, key="out")

        assert (done.answer.step, done.answer.facts["way"]) == ("check_out", "location")
        assert leave(world, person, training, key="out").hit
        seen = there(world, training, voucher_id)
        assert (seen.attended, seen.cut_short, seen.minutes) == (counted, 1 - counted, minutes)
        one = enrolment_of(world, training, voucher_id)
        assert check_chain(one.history, genesis(f"class:{one.class_id}", one.person_id)) == one.version

    def test_given_no_check_out_when_the_class_is_finished_then_the_session_was_cut_short(self, room: Any) -> None:
        world, training, person, voucher_id = room
        for session in training.sessions:
            at(world, session.starts_at)
            check_in(world, person, training)
        at(world, training.sessions[1].ends_at + 29 * MINUTE)
        leave(world, person, training)
        at(world, training.sessions[1].ends_at + HOUR)
        finish(world, training)

        one = enrolment_of(world, training, voucher_id)
        assert one.state is EnrolmentState.NOT_COMPLETED
        assert (there(world, training, voucher_id).cut_short, there(world, training, voucher_id).attended) == (1, 1)

    def test_given_hours_that_do_not_count_when_nobody_checks_out_then_each_check_in_is_attendance(
        self, world: World
    ) -> None:
        training = open_class(world, days(world, 1))
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, training.sessions[0].starts_at)
        check_in(world, person, training)

        assert (there(world, training, voucher_id).attended, there(world, training, voucher_id).cut_short) == (1, 0)

    def test_given_no_check_in_or_a_second_check_out_when_leaving_then_refused_and_nothing_changes(
        self, room: Any
    ) -> None:
        world, training, person, voucher_id = room
        with pytest.raises(NotCheckedIn):
            leave(world, person, training)
        at(world, training.sessions[0].starts_at - 5 * MINUTE)
        check_in(world, person, training)
        with pytest.raises(CheckInNotOpen):
            leave(world, person, training, session_id="S001")
        at(world, training.sessions[0].starts_at + HOUR)
        with pytest.raises(TooFar):
            leave(world, person, training, Position(23.0, 114.0, "gcj02", 10.0))
        assert enrolment_of(world, training, voucher_id).check_ins["S001"].left_at is None
        leave(world, person, training)
        with pytest.raises(AlreadyCheckedOut):
            leave(world, person, training)
        at(world, training.sessions[0].ends_at + 31 * MINUTE)
        with pytest.raises(CheckInOver):
            leave(world, person, training, session_id="S001")
        assert enrolment_of(world, training, voucher_id).version == 3

    def test_given_two_sessions_that_follow_at_once_when_leaving_then_the_one_that_was_checked_in_for_is_meant(
        self, world: World
    ) -> None:
        start = world.now + 24 * HOUR
        training = open_class(world, [plan(start, hours=1), plan(start + HOUR, hours=1)])
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, start)
        check_in(world, person, training)
        at(world, start + HOUR + 5 * MINUTE)
        code = checking_in.show_class_code(world.platform, training.class_id, "S001", actor=world.desk, now=world.now)

        done = leave(world, person, training, code.code)

        assert (done.answer.facts["session"], done.answer.facts["way"]) == ("S001", "class_code")
        with pytest.raises(NotCheckedIn):
            leave(world, person, training)  # of the second one, which goes on now

    def test_given_the_class_code_when_a_session_is_over_then_it_is_shown_until_check_out_closes(
        self, room: Any
    ) -> None:
        world, training, _, _ = room
        first = training.sessions[0]

        def shown(moment: Any, session: str | None = None) -> str:
            return checking_in.show_class_code(
                world.platform, training.class_id, session, actor=world.desk, now=moment
            ).session_id

        assert shown(first.ends_at + 30 * MINUTE) == "S001"
        with pytest.raises(CheckInNotOpen):
            shown(first.ends_at + 31 * MINUTE)
        with pytest.raises(CheckInOver):
            shown(first.ends_at + 31 * MINUTE, "S001")

    def test_given_staff_who_scan_when_somebody_leaves_then_out_by_their_code(self, room: Any) -> None:
        world, training, person, voucher_id = room
        check_in(world, person, training)
        at(world, training.sessions[0].ends_at)

        done = checking_in.scan_holder(
            world.platform, training.class_id, None, Presented(token=world.token(person, voucher_id)), leaving=True,
            **world.by(world.desk),
        )  # fmt: skip

        assert (done.answer.step, done.answer.facts["way"]) == ("check_out", "scanned")
        assert there(world, training, voucher_id).attended == 1

    def test_given_a_tool_that_reports_both_when_taken_then_in_and_out_once_each(self, room: Any) -> None:
        world, training, _, voucher_id = room
        session = training.sessions[0]
        at(world, session.ends_at + HOUR)
        reports = [
            checking_in.Report(voucher_id, "S001", session.ends_at, leaving=True),
            checking_in.Report(voucher_id, "S001", session.starts_at),
            checking_in.Report(voucher_id, "S001", session.ends_at, leaving=True),
        ]
        told = checking_in.take_reports(
            world.platform, training.class_id, "闸机", reports, **world.by(world.desk)
        ).answer.results
        assert [one.code for one in told] == ["not_checked_in", None, "already_checked_out"]

        again = checking_in.take_reports(
            world.platform, training.class_id, "闸机", reports[:1], **world.by(world.desk)
        ).answer.results

        assert [(one.leaving, one.code) for one in again] == [(True, None)]
        assert there(world, training, voucher_id).minutes == 180

    def test_given_a_check_out_too_early_when_set_right_by_hand_then_the_whole_session_counts_within_the_cap(
        self, room: Any
    ) -> None:
        world, training, person, voucher_id = room
        with pytest.raises(NotCheckedIn):
            by_hand(world, training, voucher_id, leaving=True)
        check_in(world, person, training)
        leave(world, person, training)

        by_hand(world, training, voucher_id, leaving=True)

        made = enrolment_of(world, training, voucher_id).check_ins["S001"]
        assert (made.way, made.left_by) == (Way.LOCATION, Way.BY_HAND)
        assert (there(world, training, voucher_id).attended, there(world, training, voucher_id).by_hand) == (1, 1)
        with pytest.raises(AlreadyCheckedOut):
            by_hand(world, training, voucher_id, leaving=True)
        at(world, training.sessions[1].starts_at)
        with pytest.raises(TooManyByHand):
            by_hand(world, training, voucher_id, "S002", leaving=False)

    def test_given_a_session_entered_by_hand_when_leaving_then_it_counts_whole_already(self, room: Any) -> None:
        world, training, person, voucher_id = room
        by_hand(world, training, voucher_id, leaving=False)

        with pytest.raises(AlreadyCheckedOut):
            leave(world, person, training)
        with pytest.raises(AlreadyCheckedIn):
            check_in(world, person, training)
        assert there(world, training, voucher_id).attended == 1

    def test_given_a_cancelled_session_when_leaving_it_then_refused(self, room: Any) -> None:
        world, training, person, _ = room
        check_in(world, person, training)
        holding_classes.cancel_session(world.platform, training.class_id, "S001", "停电", **world.by(world.desk))

        with pytest.raises(SessionOver):
            leave(world, person, training, session_id="S001")

    def test_given_a_session_cut_short_when_printed_then_the_sheet_says_so(
        self, room: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world, training, person, _ = room
        check_in(world, person, training)
        at(world, training.sessions[0].ends_at + 20 * MINUTE)
        papers: list[Any] = []
        printer = type(world.platform.workbooks)
        real = printer.paper

        def paper(self: Any, said: Any, *rest: Any) -> Any:
            papers.append(said)
            return real(self, said, *rest)

        monkeypatch.setattr(printer, "paper", paper)

        def mark() -> Mark:
            printing_classes.print_class(
                world.platform, training.class_id, PaperKind.ATTENDANCE, PaperFormat.XLSX, actor=world.desk,
                now=world.now,
            )  # fmt: skip
            first: Mark = papers[-1].trainees[0].check_ins[0].mark
            return first

        assert mark() is Mark.PRESENT  # whoever has not gone yet may still check out
        at(world, training.sessions[0].ends_at + 31 * MINUTE)
        assert mark() is Mark.CUT_SHORT
        assert papers[-1].tally_of(papers[-1].trainees[0]).came == 0


class TestKeptPositions:
    def test_given_a_region_that_orders_it_when_checked_in_then_kept_sealed_shown_for_a_reason_and_for_a_term(
        self, world: World
    ) -> None:
        world.rules(position_days=30)
        training = open_class(world, days(world, 1))
        world.rules()
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, training.sessions[0].starts_at)
        check_in(world, person, training, replace(THERE, latitude=22.5437))
        leave(world, person, training)

        rows = [one for one in world.rows("people") if one["item"]["S"].startswith("9#POSITION#")]
        mine = [one for one in rows if training.class_id in one["item"]["S"]]
        assert {one["item"]["S"].rpartition("#")[2] for one in mine} == {"IN", "OUT"}
        assert all("22.5437" not in json.dumps(one) for one in world.rows("people"))
        assert {int(one["erase_at"]["N"]) for one in mine} == {int((world.now + timedelta(days=30)).timestamp())}
        person_id = world.session(person).person_id
        seen = see(world, person_id, an_authority(), class_id=training.class_id).answer
        assert [(one.leaving, one.latitude, one.datum) for one in seen.positions] == [
            (False, 22.5437, "gcj02"),
            (True, THERE.latitude, "gcj02"),
        ]
        assert seen.disclosure.class_id == training.class_id
        assert see(world, person_id, an_authority()).answer.positions == ()
        at(world, world.now + timedelta(days=30))
        assert see(world, person_id, an_authority(), class_id=training.class_id).answer.positions == ()

    def test_given_a_region_that_orders_nothing_when_checked_in_then_no_position_is_kept(self, world: World) -> None:
        training = open_class(world, days(world, 1))
        person, voucher_id = used(world, world.publish(1))
        enrol(world, training, voucher_id)
        at(world, training.sessions[0].starts_at)
        check_in(world, person, training)

        person_id = world.session(person).person_id
        assert world.platform.enrolments.positions(person_id, training.class_id) == []

    def test_given_a_kept_position_when_its_row_is_erased_then_the_watch_does_not_cry(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[dict[str, Any]] = []
        monkeypatch.setattr(watching, "platform", lambda: world.platform)
        monkeypatch.setattr(watching, "log_outcome", lambda *_, **facts: told.append(facts))
        monkeypatch.setattr(watching, "count_outcome", lambda *_: None)

        def gone(item: str) -> dict[str, Any]:
            image = {"item": {"S": item}, "body": {"S": "{}"}}
            return {"dynamodb": {"Keys": {"item": {"S": item}}, "OldImage": image, "SequenceNumber": "1"}}

        watching.run({"Records": [gone("9#POSITION#C#S001#IN")]})
        assert [one["faults"] for one in told] == [0]
        watching.run({"Records": [gone("2#ENROLMENT#C")]})
        assert told[-1]["faults"] == 1


class TestMergedRecords:
    def test_given_a_class_on_the_other_record_when_merged_then_the_person_checks_in_and_evaluates(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        training = open_class(town, days(town, 1))
        _, voucher_id = used(town, town.publish(1), two.second)
        enrol(town, training, voucher_id)
        confirm(town, two.merge_id)
        at(town, training.sessions[0].starts_at)

        done = check_in(town, two.first, training)

        assert done.answer.voucher_id == voucher_id
        assert town.session(two.first).person_id != enrolment_of(town, training, voucher_id).person_id
        with pytest.raises(AlreadyCheckedIn):
            check_in(town, two.second, training)
        at(town, training.sessions[0].ends_at)
        finish(town, training)
        assert evaluate(town, two.first, training).answer.version == 1
        assert evaluate(town, two.second, training, teaching=1).answer.version == 2

    def test_given_a_class_on_one_record_when_the_other_is_put_on_it_or_on_one_at_that_time_then_refused(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        training, other = open_class(town, days(town, 1)), open_class(town, days(town, 1))
        _, mine = used(town, town.publish(1), two.first)
        _, theirs = used(town, town.publish(1), two.second)
        enrol(town, training, mine)
        confirm(town, two.merge_id)

        assert enrol(town, training, theirs).answer.results[0].code == "enrolled_already"
        assert enrol(town, other, theirs).answer.results[0].code == "classes_overlap"
