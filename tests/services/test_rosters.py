"""A roster is put, and every person on it gets exactly one voucher or a reason. domain.md §6."""

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from threading import Thread
from typing import Any

import pytest

from chalicelib.domain.eligibility import Asked, Declared, Span
from chalicelib.domain.errors import (
    Contended,
    Invalid,
    NotDirected,
    OutOfScope,
    ResultNotReady,
    RosterNotFound,
    RosterStateRefused,
    TemplateNotFound,
    Unavailable,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.person import FlagKind
from chalicelib.domain.region import RosterColumn
from chalicelib.domain.roster import Counts, Roster, RosterKind, RosterState, estimated_end, per_cent
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.domain.voucher import State
from chalicelib.services import publishing, reporting_rosters, submitting_rosters, withdrawing_rosters
from chalicelib.services.identifying import Presented
from tests.eligibility import sample_server
from tests.rostering import (
    carry_on,
    files_of,
    import_roster,
    put_roster,
    receive,
    roster_of,
    row_of,
    verdicts,
    vouchers_of,
    with_bucket,
    workbook,
)
from tests.services.faults import Watched, with_store
from tests.services.test_flagging import flag
from tests.storage.worlds import own_world
from tests.world import CITY, INSTITUTION_ID, OTHER_CITY, World, a_person, a_uscc


@pytest.fixture
def world(shared_world: World) -> World:
    return with_bucket(own_world(shared_world))


def directed(world: World, quantity: int = 100, **changes: Any) -> Template:
    return world.publish(quantity, distribution_mode=DistributionMode.DIRECTED, **changes)


def deliver(world: World, roster_id: str) -> None:
    """One message, which comes again until somebody has done what it says: a busy store makes a run end early."""
    for _ in range(10):
        with suppress(Unavailable, Contended):
            carry_on(world, roster_id)
            return


class TestWorkedOff:
    def test_given_people_when_imported_then_each_has_one_and_the_counters_fit(self, world: World) -> None:
        template, people = directed(world), [a_person() for _ in range(40)]

        roster = import_roster(world, template, [row_of(one) for one in people])

        assert (roster.state, roster.rows, roster.counts.issued) == (RosterState.FINISHED, 40, 40)
        assert verdicts(world, roster) == [("issued", None)] * 40
        assert [one.state for one in vouchers_of(world, template, people)] == [State.ISSUED] * 40
        world.check_laws()

    def test_given_the_same_file_again_when_imported_then_each_is_the_same_and_nothing_is_issued(
        self, world: World
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(40)]
        import_roster(world, template, [row_of(one) for one in people])

        again = import_roster(world, template, [row_of(one, remark="第二次") for one in people])

        assert (again.counts, again.chunks) == (Counts(same=40), 1)
        world.check_laws()

    def test_given_one_row_changed_and_one_voucher_revoked_when_uploaded_again_then_a_conflict_and_an_ended_one(
        self, world: World
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(4)]
        import_roster(world, template, [row_of(one) for one in people])
        world.revoke(vouchers_of(world, template, [people[1]])[0].voucher_id)
        rows = [row_of(people[0], mobile="13900000000"), *(row_of(one) for one in people[1:])]

        again = import_roster(world, template, rows)

        assert [verdict for verdict, _ in verdicts(world, again)] == ["conflict", "ended", "same", "same"]
        assert vouchers_of(world, template, [people[1]])[0].state is State.REVOKED

    def test_given_somebody_who_was_issued_one_singly_when_on_a_roster_then_the_same_or_a_conflict(
        self, world: World
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(3)]
        for one in people[:2]:
            world.issue(one, template)
        rows = [row_of(people[0]), row_of(people[1], mobile="13900000000"), row_of(people[2])]

        roster = import_roster(world, template, rows)

        assert [verdict for verdict, _ in verdicts(world, roster)] == ["same", "conflict", "issued"]
        world.check_laws()

    def test_given_a_regions_own_words_and_columns_when_imported_then_they_are_read_and_compared(
        self, world: World
    ) -> None:
        columns = (RosterColumn("vouchers", "name", ("劳动者",)), RosterColumn("vouchers", "street", title="街道"))
        titles = ("劳动者", "证件号码", "街道")
        template, people = directed(world), [a_person() for _ in range(2)]

        def put(*streets: str) -> Roster:
            rows = [[one.name, one.id_number, street] for one, street in zip(people, streets, strict=True)]
            return import_roster(world, template, workbook(rows, titles))

        before = put("粤海", "沙河")
        world.rules(roster_columns=columns)
        after, again = put("粤海", "沙河"), put("粤海", "西丽")

        assert (before.state, before.problem) == (RosterState.UNREADABLE, "no_header")
        assert after.counts == Counts(issued=2)
        assert again.counts == Counts(same=1, conflict=1)
        own, common = (
            reporting_rosters.template_of(world.platform, RosterKind.VOUCHERS, region, world.now).url
            for region in (CITY, None)
        )
        assert own != common

    def test_given_more_rows_than_stock_when_imported_then_in_row_order_what_fits(self, world: World) -> None:
        template = directed(world, 7, peak_claims=36)
        assert template.shards == 3
        people = [a_person() for _ in range(10)]

        roster = import_roster(world, template, [row_of(one) for one in people])

        assert verdicts(world, roster) == [("issued", None)] * 7 + [("refused", "sold_out")] * 3
        world.check_laws()

    def test_given_one_number_on_the_file_several_times_when_imported_then_the_first_has_it(self, world: World) -> None:
        template, people = directed(world), [a_person() for _ in range(60)]
        twin = people[0]
        rows = [row_of(twin), row_of(twin), row_of(twin, name="测试乙"), *(row_of(one) for one in people[1:])]

        roster = import_roster(world, template, [*rows, row_of(twin), row_of(twin, name="测试乙")])

        found = [verdict for verdict, _ in verdicts(world, roster)]
        assert found == ["issued", "same", "conflict", *["issued"] * 59, "same", "conflict"]
        world.check_laws()

    def test_given_a_twin_whose_first_row_is_refused_when_imported_then_the_second_is_judged_by_itself(
        self, world: World
    ) -> None:
        template, person = directed(world), a_person()

        roster = import_roster(world, template, [[person.name, "12345", "", ""], row_of(person)])

        assert verdicts(world, roster) == [("refused", "length"), ("issued", None)]

    def test_given_a_known_person_of_another_name_when_imported_then_refused(self, world: World) -> None:
        template, person = directed(world), a_person()
        import_roster(world, directed(world), [row_of(person)])

        roster = import_roster(world, template, [row_of(person, name="测试乙")])

        assert verdicts(world, roster) == [("refused", "name_differs")]

    def test_given_rules_of_the_template_when_imported_then_judged_as_a_claim_would_be(self, world: World) -> None:
        template = directed(world, eligibility=Declared(rule="age", age_to=20))
        flagged, old = a_person(), a_person()
        elsewhere = directed(world)
        import_roster(world, elsewhere, [row_of(flagged)])
        flag(world, vouchers_of(world, elsewhere, [flagged])[0].person_id, FlagKind.DECEASED)

        other = directed(world)

        assert verdicts(world, import_roster(world, template, [row_of(old)])) == [("refused", "not_eligible")]
        assert verdicts(world, import_roster(world, other, [row_of(flagged)])) == [("refused", "person_flagged")]

    def test_given_places_on_the_rows_when_imported_then_they_have_to_be_there_and_fit(self, world: World) -> None:
        template, people = directed(world), [a_person() for _ in range(4)]
        header = ("姓名", "证件号码", "培训机构统一社会信用代码", "课程编号")
        places = [(INSTITUTION_ID, "C" * 16), ("91440300MADEM1006J", ""), (INSTITUTION_ID, "X" * 16), ("", "C" * 16)]
        rows = [[one.name, one.id_number, *place] for one, place in zip(people, places, strict=True)]

        roster = import_roster(world, template, workbook(rows, header))

        found = verdicts(world, roster)
        assert found == [
            ("issued", None),
            ("refused", "institution_not_found"),
            ("refused", "course_not_found"),
            ("issued", None),
        ]

    @pytest.mark.parametrize(
        ("place", "refusal"),
        [
            (("52440100MJX0000186", ""), WrongInstitution),
            ((INSTITUTION_ID, ""), None),
            (("", "C" * 16), None),
            (("", "E" * 16), WrongCourse),
        ],
    )
    def test_given_a_place_on_the_row_when_the_voucher_is_used_then_there_alone(
        self, world: World, place: tuple[str, str], refusal: type[Exception] | None
    ) -> None:
        template, person, courses = directed(world), a_person(), world.platform.catalogue.courses
        if courses.get("E" * 16) is None:
            courses.add(replace(world.course, course_id="E" * 16), None)
        header = ("姓名", "证件号码", "培训机构统一社会信用代码", "课程编号")
        import_roster(world, template, workbook([[person.name, person.id_number, *place]], header))
        voucher_id = world.claim(person, template).answer.voucher_id
        shown = Presented(code=world.code(person, voucher_id))

        if refusal is None:
            assert world.redeem(shown).answer.state is State.REDEEMED
        else:
            assert not world.verify(shown).usable
            with pytest.raises(refusal):
                world.redeem(shown)
        world.check_laws()

    def test_given_a_template_that_is_suspended_on_the_way_when_imported_then_the_rest_is_refused_with_that_reason(
        self, world: World
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(60)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)
        carry_on(world, roster.roster_id, chunks=1)
        world.act(publishing.suspend_template, template)

        carry_on(world, roster.roster_id)

        issued = len(vouchers_of(world, template, people))
        assert 0 < issued < 60
        assert verdicts(world, roster)[issued:] == [("refused", "template_not_open")] * (60 - issued)
        world.check_laws()


class TestCutOff:
    def test_given_a_run_that_ends_after_each_chunk_when_it_goes_on_then_nobody_is_left_out_or_has_two(
        self, world: World
    ) -> None:
        template, people = directed(world, 200), [a_person() for _ in range(150)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)

        runs = [carry_on(world, roster.roster_id, chunks=1) for _ in range(3)]
        assert {run.outcome for run in runs} == {"handed_on"}
        while carry_on(world, roster.roster_id, chunks=1).next_errand is not None:
            pass

        done = roster_of(world, roster)
        assert (done.state, done.counts) == (RosterState.FINISHED, Counts(issued=150))
        assert len(verdicts(world, roster)) == 150
        world.check_laws()

    def test_given_progress_when_looked_at_then_per_cent_and_the_estimated_end(self, world: World) -> None:
        template, people = directed(world, 200), [a_person() for _ in range(90)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)
        assert per_cent(roster_of(world, roster)) == 0
        carry_on(world, roster.roster_id, chunks=1)

        first = roster_of(world, roster)
        later = replace(first, worked_at=world.now + timedelta(seconds=10))

        assert per_cent(first) == first.counts.read * 100 // 90
        seconds = 10 + 10 / first.counts.read * (90 - first.counts.read)
        end = estimated_end(later)
        assert end is not None
        assert abs(end - world.now - timedelta(seconds=seconds)) < timedelta(milliseconds=1)

    def test_given_two_runs_at_once_when_both_go_on_then_each_row_has_one_verdict(self, world: World) -> None:
        template, people = directed(world, 200), [a_person() for _ in range(150)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)

        both = [Thread(target=deliver, args=(world, roster.roster_id)) for _ in range(3)]
        for one in both:
            one.start()
        for one in both:
            one.join()

        done = roster_of(world, roster)
        assert (done.state, done.counts) == (RosterState.FINISHED, Counts(issued=150))
        assert verdicts(world, roster) == [("issued", None)] * 150
        world.check_laws()

    def test_given_two_files_that_overlap_when_imported_at_once_then_each_person_has_one(self, world: World) -> None:
        template, people = directed(world, 200), [a_person() for _ in range(100)]
        rosters = []
        for some in (people[:70], people[30:]):
            roster, arrived = put_roster(world, template, [row_of(one) for one in some])
            receive(world, arrived)
            rosters.append(roster)

        both = [Thread(target=deliver, args=(world, roster.roster_id)) for roster in rosters]
        for one in both:
            one.start()
        for one in both:
            one.join()

        counts = [roster_of(world, roster).counts for roster in rosters]
        assert sum(one.issued for one in counts) == 100
        assert sum(one.same for one in counts) == 40
        assert len(vouchers_of(world, template, people)) == 100
        world.check_laws()


class TestFiles:
    def test_given_the_same_notification_twice_when_received_then_once(self, world: World) -> None:
        template = directed(world)
        roster, arrived = put_roster(world, template, [row_of(a_person())])

        first, second = receive(world, arrived), receive(world, arrived)

        assert (first.outcome, second.outcome, second.go_on) == ("accepted", "again", True)
        assert roster_of(world, roster).version == 2

    def test_given_another_file_than_declared_when_received_then_refused_as_a_whole(self, world: World) -> None:
        template = directed(world)
        roster, arrived = put_roster(world, template, [row_of(a_person())])
        version = files_of(world).put(arrived.key, workbook([row_of(a_person())]))

        receipt = receive(world, replace(arrived, version=version))

        assert receipt.outcome == RosterState.UNREADABLE
        assert roster_of(world, roster).problem == "file_differs"

    def test_given_a_second_file_under_the_address_when_received_then_too_late(self, world: World) -> None:
        template = directed(world)
        roster, arrived = put_roster(world, template, [row_of(a_person())])
        receive(world, arrived)
        version = files_of(world).put(arrived.key, workbook([row_of(a_person())]))

        receipt = receive(world, replace(arrived, version=version))

        assert (receipt.outcome, receipt.go_on) == ("too_late", False)
        assert roster_of(world, roster).object_version == arrived.version

    def test_given_an_object_that_is_gone_when_worked_off_then_one_clear_error(self, world: World) -> None:
        template = directed(world)
        roster, arrived = put_roster(world, template, [row_of(a_person())])
        receive(world, arrived)
        files_of(world).objects.clear()

        run = carry_on(world, roster.roster_id)

        assert run.outcome == "unreadable"
        assert roster_of(world, roster).problem == "file_gone"

    def test_given_nobody_on_the_file_when_worked_off_then_one_clear_error(self, world: World) -> None:
        roster = import_roster(world, directed(world), [])

        assert (roster.state, roster.problem) == (RosterState.UNREADABLE, "no_rows")

    def test_given_an_open_template_or_a_stranger_when_declared_then_refused(self, world: World) -> None:
        with pytest.raises(NotDirected):
            put_roster(world, world.publish(5), [row_of(a_person())])
        with pytest.raises(Invalid):
            put_roster(world, None, [row_of(a_person())])
        stranger = replace(world.bureau, client=replace(world.bureau.client, app_key="OTHER", regions=(OTHER_CITY,)))
        with pytest.raises(TemplateNotFound):
            put_roster(world, directed(world), [row_of(a_person())], actor=stranger)


class TestSubmitted:
    def test_given_an_institutions_roster_when_it_comes_then_it_waits_until_the_bureau_accepts(
        self, world: World
    ) -> None:
        template, p = directed(world), world.platform
        roster, arrived = put_roster(world, template, [row_of(a_person())], actor=world.desk)
        receive(world, arrived)
        assert roster_of(world, roster).state is RosterState.SUBMITTED
        assert carry_on(world, roster.roster_id).outcome == "nothing_to_do_submitted"

        accepted = submitting_rosters.accept_roster(p, roster.roster_id, **world.by(world.bureau)).answer
        carry_on(world, roster.roster_id)

        done = roster_of(world, roster)
        assert (accepted.state, done.state, done.counts.issued) == (RosterState.ACCEPTED, RosterState.FINISHED, 1)
        assert (done.institution_id, done.decided_by) == (INSTITUTION_ID, "OPBUREAU")
        errands: Any = p.roster_errands
        assert [(one.roster_id, delay) for one, delay in errands.asked] == [
            (roster.roster_id, submitting_rosters.SURELY_WRITTEN),
            (roster.roster_id, timedelta()),
        ]

    def test_given_an_institutions_roster_when_returned_then_nothing_is_issued_and_it_is_over(
        self, world: World
    ) -> None:
        template, p, person = directed(world), world.platform, a_person()
        roster, arrived = put_roster(world, template, [row_of(person)], actor=world.desk)
        receive(world, arrived)

        submitting_rosters.return_roster(p, roster.roster_id, "缺少盖章", **world.by(world.bureau))

        assert (roster_of(world, roster).state, roster_of(world, roster).reason) == (RosterState.RETURNED, "缺少盖章")
        with pytest.raises(RosterStateRefused):
            submitting_rosters.accept_roster(p, roster.roster_id, **world.by(world.bureau))
        assert carry_on(world, roster.roster_id).outcome == "nothing_to_do_returned"
        assert vouchers_of(world, template, [person]) == []

    def test_given_people_for_another_institution_when_an_institution_submits_them_then_those_rows_are_refused(
        self, world: World
    ) -> None:
        template, person = directed(world), a_person()
        header = ("姓名", "证件号码", "培训机构统一社会信用代码")
        data = workbook([[person.name, person.id_number, "52440100MJX0000186"]], header)
        roster, arrived = put_roster(world, template, data, actor=world.desk)
        receive(world, arrived)
        submitting_rosters.accept_roster(world.platform, roster.roster_id, **world.by(world.bureau))

        carry_on(world, roster.roster_id)

        assert verdicts(world, roster) == [("refused", "wrong_institution")]

    def test_given_rosters_when_listed_then_each_sees_its_own(self, world: World) -> None:
        p, template = world.platform, directed(world)
        mine, _ = put_roster(world, template, [row_of(a_person())], actor=world.desk)
        others, _ = put_roster(world, template, [row_of(a_person())])

        of_desk = submitting_rosters.list_rosters(p, INSTITUTION_ID, 100, None, actor=world.desk).items
        of_city = submitting_rosters.list_rosters(p, CITY, 100, None, actor=world.bureau).items

        assert mine.roster_id in {one.roster_id for one in of_desk}
        assert others.roster_id not in {one.roster_id for one in of_desk}
        assert {mine.roster_id, others.roster_id} <= {one.roster_id for one in of_city}
        with pytest.raises(OutOfScope):
            submitting_rosters.list_rosters(p, INSTITUTION_ID, 100, None, actor=world.other_desk)
        with pytest.raises(RosterNotFound):
            submitting_rosters.find_roster(p, mine.roster_id, actor=world.other_desk)
        assert world.bureau.operator is not None
        far = replace(world.bureau, operator=replace(world.bureau.operator, region=OTHER_CITY))
        with pytest.raises(RosterNotFound):  # the client reaches it, its operator does not
            submitting_rosters.find_roster(p, others.roster_id, actor=far)
        with pytest.raises(RosterNotFound):
            submitting_rosters.accept_roster(p, mine.roster_id, **world.by(world.desk))


class TestStopped:
    def test_given_a_roster_on_its_way_when_cancelled_then_what_was_issued_stays_and_the_rest_is_not(
        self, world: World
    ) -> None:
        template, people, p = directed(world, 200), [a_person() for _ in range(90)], world.platform
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)
        carry_on(world, roster.roster_id, chunks=1)

        submitting_rosters.cancel_roster(p, roster.roster_id, "放错了模板", **world.by(world.bureau))
        run = carry_on(world, roster.roster_id)

        done = roster_of(world, roster)
        assert (run.outcome, done.state) == ("cancelled", RosterState.CANCELLED)
        assert len(vouchers_of(world, template, people)) == done.counts.issued < 90
        assert done.result_at == world.now
        world.check_laws()

    def test_given_a_finished_roster_when_withdrawn_then_unused_vouchers_are_revoked_and_the_rest_is_listed(
        self, world: World
    ) -> None:
        template, people, p = directed(world, 200), [a_person() for _ in range(60)], world.platform
        roster = import_roster(world, template, [row_of(one) for one in people])
        used = world.claim(people[0], template).answer.voucher_id
        world.redeem(Presented(code=world.code(people[0], used)))

        withdrawing_rosters.withdraw_roster(p, roster.roster_id, "放错了模板", **world.by(world.bureau))
        first = carry_on(world, roster.roster_id, chunks=1)
        carry_on(world, roster.roster_id)

        done = roster_of(world, roster)
        assert first.outcome == "handed_on"
        assert done.withdrawal is not None
        assert (done.state, done.withdrawal.revoked, done.withdrawal.kept) == (RosterState.WITHDRAWN, 59, 1)
        states = [one.state for one in vouchers_of(world, template, people)]
        assert sorted(states) == sorted([State.REVOKED] * 59 + [State.REDEEMED])
        kept = [row for chunk in p.rosters.withdrawn(roster.roster_id, 10, None).items for row in chunk.rows]
        assert [(row.voucher_id, row.state) for row in kept if not row.revoked] == [(used, State.REDEEMED)]
        world.check_laws()
        with pytest.raises(RosterStateRefused):
            withdrawing_rosters.withdraw_roster(p, roster.roster_id, "再来", **world.by(world.bureau))

    def test_given_a_result_that_is_not_written_when_fetched_then_said_so(self, world: World) -> None:
        roster, _ = put_roster(world, directed(world), [row_of(a_person())])

        with pytest.raises(ResultNotReady):
            reporting_rosters.result_of(world.platform, roster, world.now)


class TestTriedOnly:
    def test_given_a_dry_run_when_imported_then_the_same_verdicts_and_nothing_is_written(self, world: World) -> None:
        template, people = directed(world, 55), [a_person() for _ in range(60)]
        rows = [row_of(people[0]), *(row_of(one) for one in people), row_of(people[1], name="测试乙")]

        roster, arrived = put_roster(world, template, rows, dry_run=True)
        receive(world, arrived)
        while carry_on(world, roster.roster_id, chunks=1).next_errand is not None:
            pass
        tried = verdicts(world, roster)

        assert vouchers_of(world, template, people) == []
        real = import_roster(world, template, rows)
        assert tried == verdicts(world, real)
        with pytest.raises(RosterStateRefused):
            withdrawing_rosters.withdraw_roster(
                world.platform, roster.roster_id, "放错了模板", **world.by(world.bureau)
            )
        assert real.counts == Counts(issued=55, same=1, conflict=1, refused=5)
        world.check_laws()


class TestAllOrNothing:
    def test_given_one_row_that_is_refused_when_imported_then_nobody_has_one(self, world: World) -> None:
        template, people = directed(world), [a_person() for _ in range(40)]
        rows = [*(row_of(one) for one in people), ["测试乙", "12345", "", ""]]

        roster = import_roster(world, template, rows, all_or_nothing=True)

        assert verdicts(world, roster) == [("refused", "not_all")] * 40 + [("refused", "length")]
        assert vouchers_of(world, template, people) == []
        world.check_laws()

    def test_given_fewer_units_than_rows_when_imported_then_nobody_has_one(self, world: World) -> None:
        template, people = directed(world, 5), [a_person() for _ in range(6)]

        roster = import_roster(world, template, [row_of(one) for one in people], all_or_nothing=True)

        assert verdicts(world, roster) == [("refused", "not_all")] * 5 + [("refused", "sold_out")]
        assert world.stock(template).remaining == 5
        world.check_laws()

    def test_given_units_for_all_when_imported_then_set_aside_before_and_out_of_reach_of_others(
        self, world: World
    ) -> None:
        template, people = directed(world, 70, peak_claims=36), [a_person() for _ in range(60)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people], all_or_nothing=True)
        receive(world, arrived)
        carry_on(world, roster.roster_id, chunks=2)
        world.check_laws()
        half = roster_of(world, roster)
        assert (half.counts.issued, half.reserved) == (31, 29)

        other = import_roster(world, template, [row_of(a_person()) for _ in range(15)])

        assert other.counts == Counts(issued=10, refused=5)
        world.check_laws()
        carry_on(world, roster.roster_id)
        assert (roster_of(world, roster).counts, roster_of(world, roster).reserved) == (Counts(issued=60), 0)
        assert world.stock(template).remaining == 0
        world.check_laws()

    @pytest.mark.parametrize("end", ["cancelled", "closed"])
    def test_given_units_set_aside_when_it_ends_on_the_way_then_they_are_back(self, world: World, end: str) -> None:
        template, people, p = directed(world, 70), [a_person() for _ in range(60)], world.platform
        roster, arrived = put_roster(world, template, [row_of(one) for one in people], all_or_nothing=True)
        receive(world, arrived)
        carry_on(world, roster.roster_id, chunks=2)

        if end == "closed":
            world.act(publishing.close_template, template)
        else:
            submitting_rosters.cancel_roster(p, roster.roster_id, "停", **world.by(world.bureau))
        world.check_laws()
        carry_on(world, roster.roster_id)

        stock, head = world.stock(template), world.template(template.template_id)
        assert (stock.unallotted, head.set_aside, roster_of(world, roster).reserved) == (0, 0, 0)
        assert stock.remaining + stock.released == 70 - 31
        world.check_laws()


class TestService:
    def test_given_a_service_when_imported_then_asked_in_batches_and_its_word_counts(self, world: World) -> None:
        server = sample_server()
        server.behave("answer")
        world.decide_service()
        template, people = directed(world, 200, eligibility=Asked()), [a_person() for _ in range(40)]
        server.asked.clear()

        roster = import_roster(world, template, [row_of(one) for one in people])

        assert roster.counts == Counts(issued=40)
        # The rows of a window that went into no chunk are asked about again with the next.
        assert len(server.asked) == 2
        assert 40 <= sum(server.asked) <= 60

    def test_given_a_service_that_refuses_when_imported_then_each_row_has_its_words(self, world: World) -> None:
        server = sample_server()
        server.behave("refuse")
        world.decide_service()
        template = directed(world, eligibility=Asked())

        roster = import_roster(world, template, [row_of(a_person()), row_of(a_person())])

        assert verdicts(world, roster) == [("refused", "not_eligible")] * 2

    def test_given_a_service_that_is_silent_when_imported_then_it_pauses_and_goes_on_by_itself(
        self, world: World
    ) -> None:
        server = sample_server()
        world.decide_service()
        template, people = directed(world, 200, eligibility=Asked()), [a_person() for _ in range(5)]
        server.behave("fail")
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)

        paused = carry_on(world, roster.roster_id)

        assert (paused.outcome, roster_of(world, roster).state) == ("paused", RosterState.PAUSED)
        assert paused.next_errand is not None
        assert paused.delay > timedelta()
        assert vouchers_of(world, template, people) == []
        server.behave("answer")
        carry_on(world, roster.roster_id)
        assert roster_of(world, roster).counts == Counts(issued=5)


class TestRecorded:
    """What is no voucher goes through the same machine."""

    def test_given_a_list_of_eligible_people_when_put_twice_then_listed_once_and_new_dates_hold(
        self, world: World
    ) -> None:
        people = [a_person() for _ in range(3)]
        header = ("姓名", "证件号码", "人群类别", "截止日期")
        rows = [[one.name, one.id_number, "migrant_workers", "2021.12.31"] for one in people]

        first = self._import(world, RosterKind.ELIGIBLE, workbook(rows, header))
        rows[0][3] = "2022年6月30日"
        rows[1][2] = "农民工"
        second = self._import(world, RosterKind.ELIGIBLE, workbook(rows, header))

        assert verdicts(world, first) == [("issued", None)] * 3
        assert verdicts(world, second) == [("issued", None), ("refused", "invalid_request"), ("same", None)]
        p = world.platform
        listed = p.people.enlisted(p.keys.identities.keys(people[0].id_type, people[0].id_number), CITY)
        assert listed is not None
        assert listed.groups == {"migrant_workers": Span(until=date(2022, 6, 30))}

    def test_given_institutions_courses_and_staff_when_put_twice_then_recorded_once(self, world: World) -> None:
        code, other, person = a_uscc(), a_uscc(), a_person()
        institutions = (
            ("机构名称", "英文名称", "统一社会信用代码", "行政区划代码", "机构类型", "纬度", "经度", "坐标系"),
            [
                ["示范学校", "Model School", one, CITY, "培训机构", "22.54", "114.05", "GPS（WGS-84）"]
                for one in (code, other)
            ],
        )
        courses = (
            ("课程名称", "英文名称", "统一社会信用代码", "培训项目编号", "学时", "是否线上"),
            [["电工", "Electrician", code, "P" * 16, "40", "否"]],
        )
        staff = (("姓名", "证件号码", "统一社会信用代码"), [[person.name, person.id_number, code]])

        for kind, (header, rows) in (
            (RosterKind.INSTITUTIONS, institutions),
            (RosterKind.COURSES, courses),
            (RosterKind.STAFF, staff),
        ):
            data = workbook(rows, header)
            assert {v for v, _ in verdicts(world, self._import(world, kind, data, dry_run=True))} == {"issued"}
            assert {v for v, _ in verdicts(world, self._import(world, kind, data))} == {"issued"}, kind
            assert {v for v, _ in verdicts(world, self._import(world, kind, data))} == {"same"}, kind
            rows[0][0] = "测试改名"
            again = self._import(world, kind, workbook(rows, header))
            expected = {RosterKind.COURSES: "issued"}.get(kind, "conflict")  # another name is another course
            assert verdicts(world, again)[0] == (expected, None), kind
        assert world.platform.catalogue.institutions.read(code) is not None

    def test_given_a_run_that_was_cut_off_before_its_mark_when_it_goes_on_then_the_rows_are_recorded_all_the_same(
        self, world: World
    ) -> None:
        people, header = [a_person() for _ in range(3)], ("姓名", "证件号码", "人群类别")
        data = workbook([[one.name, one.id_number, "veterans"] for one in people], header)
        roster, arrived = put_roster(world, None, data, kind=RosterKind.ELIGIBLE, region=CITY)
        receive(world, arrived)
        rosters = Watched(world.platform.rosters, "record_chunk", before=_cut_off)
        with pytest.raises(Unavailable):
            carry_on(with_store(world, "rosters", rosters), roster.roster_id)

        carry_on(world, roster.roster_id)

        assert verdicts(world, roster) == [("issued", None)] * 3

    def test_given_an_institution_or_a_template_when_another_kind_is_declared_then_refused(self, world: World) -> None:
        data = workbook([["测试甲", a_person().id_number, "veterans"]], ("姓名", "证件号码", "人群类别"))

        with pytest.raises(Invalid):
            put_roster(world, None, data, kind=RosterKind.ELIGIBLE, region=CITY, actor=world.desk)
        with pytest.raises(Invalid):
            put_roster(world, directed(world), data, kind=RosterKind.ELIGIBLE)
        with pytest.raises(Invalid):
            put_roster(world, None, data, kind=RosterKind.ELIGIBLE, region=CITY, all_or_nothing=True)

    def _import(self, world: World, kind: RosterKind, data: bytes, **options: bool) -> Roster:
        return import_roster(world, None, data, kind=kind, region=CITY, **options)


def _cut_off(call: int) -> None:
    if call == 1:
        raise Unavailable
