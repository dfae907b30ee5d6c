"""Applications: opened, built by the job, taken back; reviewed line by line and in bulk.."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor
from chalicelib.domain.application import ApplicationState, Decision, Filter, LineState, LineVerdict
from chalicelib.domain.errors import (
    ApplicationNotFound,
    ApplicationStateRefused,
    AttachmentNotFound,
    AttachmentNotStored,
    AttachmentsMissing,
    CheckedInBefore,
    ClassStateRefused,
    CompletedElsewhere,
    FilingOver,
    Invalid,
    LineNotFound,
    LineStateRefused,
    OverClaim,
    SameOperator,
    SettledElsewhere,
)
from chalicelib.domain.fund import Balance
from chalicelib.domain.voucher import State
from chalicelib.services import applying, attaching, reviewing
from chalicelib.services.identifying import Presented
from tests.classroom import at, days, open_class
from tests.races.crowd import at_once
from tests.settling import (
    REVIEWER,
    SECOND,
    a_completed_class,
    an_operator,
    apply_for,
    collected,
    decide,
    lines,
    read,
    voucher,
    with_clerks,
    work,
)
from tests.world import CITY, FACE_VALUE, INSTITUTION_ID, OTHER_CITY, OTHER_INSTITUTION_ID, World, a_person


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_clerks(world)
    world.check_laws(world.vouchers())


class TestCollected:
    def test_given_a_finished_class_when_applied_for_then_each_who_completed_it_has_a_line_and_the_rest_a_reason(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 2, absent=1)

        done = apply_for(town, training, key="once")
        assert done.answer.state is ApplicationState.COLLECTING
        work(town, done.answer)

        there, found = read(town, done.answer), lines(town, done.answer)
        assert there.state is ApplicationState.SUBMITTED
        assert (there.counts[LineState.APPLIED], there.claimed_fen) == (2, 2 * FACE_VALUE)
        assert {one: found[one].code for one in ids} == {ids[0]: None, ids[1]: None, ids[2]: "not_completed"}

        def told(state: LineState | None) -> list[str]:
            page = applying.list_lines(town.platform, there.application_id, 10, None, state=state, actor=REVIEWER)
            return sorted(one.voucher_id for one in page.items)

        assert (told(None), told(LineState.APPLIED)) == (sorted(ids), sorted(ids[:2]))
        assert (told(LineState.NOT_ACCEPTED), told(LineState.PAID)) == ([ids[2]], [])
        assert [voucher(town, one).state for one in ids] == [State.APPLIED, State.APPLIED, State.REDEEMED]
        evidence = found[ids[0]].completion
        assert evidence is not None
        assert (evidence.percent, evidence.needed, evidence.class_id) == (100, 80, training.class_id)
        again = apply_for(town, training, key="once")
        assert (again.hit, again.answer.application_id) == (True, done.answer.application_id)

    def test_given_a_voucher_in_an_application_when_applied_for_again_then_the_line_is_not_accepted(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 2)
        first = collected(town, training, lines=((ids[0], None),))

        second = collected(town, training)

        assert first.counts == {LineState.APPLIED: 1}
        assert {one.code for one in lines(town, second).values()} == {None, "already_applied"}

    def test_given_a_class_that_goes_on_when_applied_for_then_refused(self, town: World) -> None:
        training = open_class(town, days(town, 1))
        with pytest.raises(ClassStateRefused):
            apply_for(town, training)

    def test_given_sums_when_above_ceiling_or_standard_then_told_line_by_line(self, town: World) -> None:
        training, ids = a_completed_class(town, 2)

        there = collected(town, training, lines=((ids[0], FACE_VALUE + 1), (ids[1], FACE_VALUE - 1)))

        found = lines(town, there)
        assert (found[ids[0]].code, found[ids[1]].claimed_fen) == ("over_ceiling", FACE_VALUE - 1)

    def test_given_vouchers_of_others_when_applied_for_then_nothing_of_them_is_told(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        person = a_person()
        elsewhere = town.claim(person, town.publish(1)).answer.voucher_id
        town.redeem(Presented(code=town.code(person, elsewhere)), actor=town.other_desk,
            institution_id=OTHER_INSTITUTION_ID, course_id="D" * 16,
        )  # fmt: skip
        there = collected(town, training, lines=((ids[0], None), (elsewhere, None)))

        line = lines(town, there)[elsewhere]
        assert (line.code, line.masked_name, line.template_id, line.ceiling_fen) == ("voucher_not_found", "", "", 0)

    def test_given_a_voucher_by_which_another_class_was_completed_when_applied_for_then_told_which(
        self, town: World
    ) -> None:
        (training, _), (_, others) = a_completed_class(town, 1), a_completed_class(town, 1)
        there = collected(town, training, lines=((others[0], None),))
        line = lines(town, there)[others[0]]
        assert (line.code, line.zh) == (CompletedElsewhere.code, CompletedElsewhere.zh)

    def test_given_an_operator_of_one_of_the_clients_institutions_when_looking_at_anothers_then_not_found(
        self, town: World
    ) -> None:
        training, _ = a_completed_class(town, 1)
        there = collected(town, training)
        shared = replace(town.other_desk.client, institutions=(OTHER_INSTITUTION_ID, INSTITUTION_ID))
        other = replace(town.other_desk, client=shared)
        with pytest.raises(ApplicationNotFound):
            applying.find_application(town.platform, there.application_id, actor=other)
        with pytest.raises(ApplicationNotFound):
            applying.list_applications(town.platform, INSTITUTION_ID, 10, None, actor=other, now=town.now)

    def test_given_applications_when_looked_for_then_what_waits_what_is_overdue_and_an_institutions(
        self, town: World
    ) -> None:
        def listed(of: str, actor: Actor = REVIEWER, **which: bool) -> list[str]:
            page = applying.list_applications(town.platform, of, 10, None, actor=actor, now=town.now, **which)
            return [one.application_id for one in page.items]

        (training, ids), (later, _) = a_completed_class(town, 1), a_completed_class(town, 1)
        first, second = collected(town, training), collected(town, later)
        assert sorted(listed(CITY)) == sorted([first.application_id, second.application_id])
        assert sorted(listed(CITY, waiting=True)) == sorted(listed(CITY))
        assert (listed(CITY, overdue=True), listed(INSTITUTION_ID)) == ([], listed(CITY))
        decide(town, first, LineVerdict.APPROVE, *ids)
        assert listed(CITY, waiting=True) == [second.application_id]
        assert listed(INSTITUTION_ID, town.desk) == listed(CITY)
        assert listed(INSTITUTION_ID, an_operator("FAR", region=OTHER_CITY)) == []
        for asked in (partial(listed, INSTITUTION_ID, waiting=True), partial(listed, INSTITUTION_ID, overdue=True)):
            with pytest.raises(Invalid):
                asked()
        with pytest.raises(ApplicationNotFound):
            listed("91440300NOSUCHONE0")

    def test_given_somebodys_number_in_the_place_of_a_voucher_when_applied_for_then_refused_and_kept_nowhere(
        self, town: World
    ) -> None:
        training, _ = a_completed_class(town, 1)
        number = "11010519491231002X"
        with pytest.raises(Invalid):
            apply_for(town, training, lines=((number, None),))
        assert number not in str(town.rows("casework"))

    def test_given_a_class_that_nobody_had_to_come_to_when_completed_then_the_redemption_is_not_reversed(
        self, town: World
    ) -> None:
        town.rules(attendance_percent=0)
        training, ids = a_completed_class(town, 0, absent=1)
        assert voucher(town, ids[0]).completion is not None

        with pytest.raises(CheckedInBefore):
            town.reverse(ids[0])

        assert collected(town, training).counts == {LineState.APPLIED: 1}

    def test_given_an_application_when_cancelled_then_each_voucher_is_as_before(self, town: World) -> None:
        training, ids = a_completed_class(town, 2)
        there = collected(town, training)

        applying.cancel_application(town.platform, there.application_id, "填错了", **town.by(town.desk))
        work(town, there)

        assert read(town, there).state is ApplicationState.CANCELLED
        assert [voucher(town, one).state for one in ids] == [State.REDEEMED] * 2
        assert collected(town, training).counts == {LineState.APPLIED: 2}


class TestReviewed:
    def test_given_lines_when_decided_each_way_then_voucher_shard_and_account_follow_to_the_fen(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 4)
        there = collected(town, training)
        reserved = town.balances()[Balance.RESERVED]

        decide(town, there, LineVerdict.APPROVE, ids[0])
        decide(town, there, LineVerdict.APPROVE_LESS, ids[1], fen=100)
        decide(town, there, LineVerdict.RETURN, ids[2])
        done = decide(town, there, LineVerdict.REFUSE, ids[3])

        assert done.answer.state is ApplicationState.DECIDED
        assert [voucher(town, one).state for one in ids] == [
            State.APPLIED, State.APPLIED, State.REDEEMED, State.FORFEITED,
        ]  # fmt: skip
        balances = town.balances()
        assert balances[Balance.PAYABLE] == FACE_VALUE + 100
        assert balances[Balance.RESERVED] == reserved - FACE_VALUE - 100
        with pytest.raises(ApplicationStateRefused):
            decide(town, there, LineVerdict.APPROVE, ids[0])

    def test_given_a_line_that_is_decided_when_decided_again_then_refused(self, town: World) -> None:
        training, ids = a_completed_class(town, 2)
        there = collected(town, training)
        first = decide(town, there, LineVerdict.APPROVE, ids[0], key="one")
        assert decide(town, there, LineVerdict.APPROVE, ids[0], key="one").hit
        assert first.answer.approved_fen == FACE_VALUE
        with pytest.raises(LineStateRefused):
            decide(town, there, LineVerdict.APPROVE, ids[0])
        with pytest.raises(OverClaim):
            decide(town, there, LineVerdict.APPROVE_LESS, ids[1], fen=FACE_VALUE + 1)

    def test_given_two_reviewers_where_the_region_wants_them_when_granted_then_by_both(self, town: World) -> None:
        town.rules(second_review=True)
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)

        decide(town, there, LineVerdict.APPROVE, ids[0])
        assert town.balances()[Balance.PAYABLE] == 0
        with pytest.raises(SameOperator):
            decide(town, there, LineVerdict.APPROVE, ids[0])
        decide(town, there, LineVerdict.APPROVE, ids[0], actor=SECOND)

        assert town.balances()[Balance.PAYABLE] == FACE_VALUE
        assert (lines(town, there)[ids[0]].reviewed_by, lines(town, there)[ids[0]].approved_by) == (
            "OPREVIEWER", "OPSECOND",
        )  # fmt: skip

    def test_given_whoever_applied_when_reviewing_then_refused(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        with pytest.raises(SameOperator):
            decide(town, there, LineVerdict.APPROVE, ids[0], actor=an_operator("DESK"))

    def test_given_a_filter_when_reviewed_in_bulk_then_all_that_match_are_decided_once(self, town: World) -> None:
        training, ids = a_completed_class(town, 30)
        there = collected(town, training)

        def bulk(key: str) -> Any:
            return reviewing.review_in_bulk(
                town.platform, there.application_id, Filter(least_percent=80), Decision(LineVerdict.APPROVE),
                **town.by(REVIEWER, key),
            )  # fmt: skip

        bulk("all")
        asked = iter([True, False])
        assert work(town, there, lambda: next(asked)).outcome in ("handed_on", "decided")
        work(town, there)

        after = read(town, there)
        assert after.bulk is not None
        assert (after.state, after.bulk.done, after.approved_fen) == (
            ApplicationState.DECIDED, 30, 30 * FACE_VALUE,
        )  # fmt: skip
        assert bulk("all").hit
        assert town.balances()[Balance.PAYABLE] == 30 * FACE_VALUE
        assert {voucher(town, one).approved_fen for one in ids} == {FACE_VALUE}

    def test_given_what_is_not_there_or_not_theirs_when_asked_for_then_not_found(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        with pytest.raises(ApplicationNotFound):
            applying.find_application(town.platform, there.application_id, actor=town.other_desk)
        with pytest.raises(LineNotFound):
            decide(town, there, LineVerdict.APPROVE, "NOBODYS")
        with pytest.raises(AttachmentNotFound):
            attaching.attachment_of(town.platform, there.application_id, "X", actor=REVIEWER, now=town.now)
        with pytest.raises(Invalid):
            decide(town, there, LineVerdict.REFUSE, ids[0], reason="别的")

    def test_given_attachments_that_the_region_wants_when_missing_then_nothing_is_granted(self, town: World) -> None:
        town.rules(attachments_needed=("签到表",))
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        with pytest.raises(AttachmentsMissing) as refused:
            decide(town, there, LineVerdict.APPROVE, ids[0])
        assert refused.value.facts["kinds_zh"] == "签到表"
        sheet = attaching.declare_attachment(
            town.platform, there.application_id, "签到表", "a.pdf", 5, "0" * 64, **town.by(town.desk)
        ).answer
        with pytest.raises(AttachmentNotStored):
            attaching.confirm_attachment(town.platform, there.application_id, sheet.attachment_id, **town.by(town.desk))
        town.platform.files.write(sheet.object_key, BytesIO(b"sheet"), "application/pdf")
        attaching.confirm_attachment(town.platform, there.application_id, sheet.attachment_id, **town.by(town.desk))

        late = attaching.declare_attachment(
            town.platform, there.application_id, "发票", "b.pdf", 5, "1" * 64, **town.by(town.desk)
        ).answer
        town.platform.files.write(late.object_key, BytesIO(b"bills"), "application/pdf")
        kept = read(town, there).attachments[0]
        assert (kept.stored_at, kept.stored_by) == (town.now, town.desk.operator_id)
        assert decide(town, there, LineVerdict.APPROVE, ids[0]).answer.approved_fen == FACE_VALUE
        with pytest.raises(ApplicationStateRefused):  # nothing is added to what was reviewed
            attaching.confirm_attachment(town.platform, there.application_id, late.attachment_id, **town.by(town.desk))

    def test_given_a_region_that_settles_elsewhere_when_reviewed_here_then_refused(self, town: World) -> None:
        town.rules(external_settlement=True)
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        assert there.external
        with pytest.raises(SettledElsewhere):
            decide(town, there, LineVerdict.APPROVE, ids[0])

    def test_given_the_last_day_when_the_lines_are_built_after_midnight_then_it_was_in_time(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        until = voucher(town, ids[0]).filing_until
        assert until is not None
        midnight = calendar.end_of(until)
        at(town, midnight - timedelta(seconds=5))
        opened = apply_for(town, training).answer
        at(town, midnight + timedelta(seconds=5))
        work(town, opened)
        assert lines(town, opened)[ids[0]].state is LineState.APPLIED

    def test_given_the_filing_deadline_when_it_is_over_then_the_line_is_not_accepted(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        at(town, town.now + timedelta(days=91))
        assert collected(town, training).state is ApplicationState.CANCELLED
        (again,) = [lines(town, one) for one in town.platform.applications.page(CITY, 10, None).items][-1:]
        assert again[ids[0]].code == FilingOver.code

    def test_given_one_voucher_when_sixteen_applications_want_it_then_one_gets_it(self, strict_world: World) -> None:
        town = with_clerks(strict_world)
        training, ids = a_completed_class(town, 1)
        made = [apply_for(town, training).answer for _ in range(16)]
        at_once([partial(work, town, one) for one in made])

        held = [one for one in made if read(town, one).counts.get(LineState.APPLIED)]
        assert len(held) == 1
        assert voucher(town, ids[0]).application_id == held[0].application_id
        assert sum(lines(town, one)[ids[0]].code == "already_applied" for one in made) == 15
        town.check_laws(town.vouchers())
