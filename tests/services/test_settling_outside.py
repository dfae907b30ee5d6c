"""A region that reviews and pays in its own system: usage and evidence go out, results come back, each counts once."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from chalicelib.domain.application import ApplicationState, LineState, LineVerdict, OutsideOutcome
from chalicelib.domain.errors import (
    ApplicationNotFound,
    ApplicationStateRefused,
    DomainError,
    Invalid,
    OutOfScope,
    SettledElsewhere,
    SettledHere,
)
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.institution import AdmissionStep
from chalicelib.domain.roster import RosterKind
from chalicelib.domain.schemas import SETTLEMENTS
from chalicelib.domain.sheets import find_header
from chalicelib.domain.voucher import State
from chalicelib.services import applying, cataloguing, delivering_evidence, settling_outside, watching
from tests.races.crowd import at_once
from tests.rostering import files_of, import_roster, verdicts, with_bucket, workbook
from tests.services.faults import Watched, with_store
from tests.settling import (
    CLERK,
    FINANCE,
    a_completed_class,
    an_operator,
    collected,
    decide,
    lines,
    not_paid_outside,
    paid_outside,
    read,
    settle_outside,
    voucher,
    with_clerks,
)
from tests.world import CITY, FACE_VALUE, OTHER_CITY, World

HEADER = tuple(column.title for column in SETTLEMENTS.columns)


@pytest.fixture
def town(world: World) -> Iterator[World]:
    world.rules(external_settlement=True)
    yield with_clerks(world)
    world.check_laws(world.vouchers())


class TestResults:
    def test_given_results_of_each_kind_when_told_then_voucher_shard_and_account_follow_to_the_fen(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 3)
        there = collected(town, training)
        before = town.balances()
        assert there.external

        done = settle_outside(
            town,
            there,
            (ids[0], paid_outside(FACE_VALUE - 100)),
            (ids[1], not_paid_outside(OutsideOutcome.REFUSED)),
            (ids[2], not_paid_outside(OutsideOutcome.RETURNED)),
        )

        assert [one.state for one in done.answer.results] == [LineState.PAID, LineState.REFUSED, LineState.RETURNED]
        assert (done.answer.state, done.answer.paid_fen) == (ApplicationState.SETTLED, FACE_VALUE - 100)
        first, second, third = (voucher(town, one) for one in ids)
        assert (first.state, first.approved_fen, first.paid_fen) == (State.APPLIED, FACE_VALUE - 100, FACE_VALUE - 100)
        assert [entry.said["step"] for entry in first.history[-2:]] == ["approve", "pay"]
        assert first.due_on is not None  # the sweep writes it off
        assert (second.state, third.state) == (State.FORFEITED, State.REDEEMED)
        after = town.balances()
        assert after[Balance.PAID] == FACE_VALUE - 100
        assert after[Balance.PAYABLE] == 0
        assert after[Balance.RESERVED] == before[Balance.RESERVED] - (FACE_VALUE - 100)
        kinds = [one.kind for one in town.platform.accounts.postings(town.account_id, 100, None).items]
        assert kinds[-2:] == [PostingKind.APPROVE, PostingKind.PAY]
        # What was returned may be applied for again.
        assert collected(town, training).counts[LineState.APPLIED] == 1

    def test_given_a_result_when_told_again_then_the_same_answer_and_nothing_moves(self, town: World) -> None:
        training, ids = a_completed_class(town, 2)
        there = collected(town, training)
        first = settle_outside(town, there, (ids[0], paid_outside(100)), key="once")
        balances, version = town.balances(), voucher(town, ids[0]).version

        by_key = settle_outside(town, there, (ids[0], paid_outside(100)), key="once")
        by_line = settle_outside(town, there, (ids[0], paid_outside(100)))

        assert by_key.hit
        assert by_key.answer == first.answer
        assert by_line.answer.results == first.answer.results
        assert (town.balances(), voucher(town, ids[0]).version) == (balances, version)

    def test_given_a_settled_line_when_another_result_is_told_then_a_conflict_and_the_others_count(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 3)
        there = collected(town, training, lines=tuple((one, None) for one in ids[:2]))
        settle_outside(town, there, (ids[0], paid_outside(100)))

        done = settle_outside(
            town,
            there,
            (ids[0], paid_outside(101)),
            (ids[2], paid_outside(100)),
            (ids[1], paid_outside(FACE_VALUE + 1)),
        )
        again = settle_outside(
            town, there, (ids[0], not_paid_outside(OutsideOutcome.REFUSED)), (ids[1], paid_outside(200))
        )

        codes = [one.code for one in done.answer.results]
        assert codes == ["settled_otherwise", "line_not_found", "over_claim"]
        assert [one.code for one in again.answer.results] == ["settled_otherwise", None]
        assert voucher(town, ids[0]).paid_fen == 100
        assert town.balances()[Balance.PAID] == 300

    def test_given_a_result_that_cannot_be_when_told_then_it_says_so_and_stops_no_other(self, town: World) -> None:
        training, ids = a_completed_class(town, 5)
        there = collected(town, training)
        tomorrow = paid_outside(100).settled_on + timedelta(days=1)

        done = settle_outside(
            town,
            there,
            (ids[0], paid_outside(100, reference="")),
            (ids[1], paid_outside(100, settled_on=tomorrow)),
            (ids[2], not_paid_outside(OutsideOutcome.RETURNED, reason="")),
            (ids[3], paid_outside(100)),
            (ids[4], paid_outside(100, settled_on=paid_outside(100).settled_on - timedelta(days=1))),
        )

        assert [one.code for one in done.answer.results] == ["invalid_request"] * 3 + [None, "invalid_request"]
        told = [one.zh or "" for one in done.answer.results]
        assert ("须填写金额和凭证号" in told[0], "不能早于申请日期" in told[4]) == (True, True)
        assert not any(re.search("[a-z]{3}", one) for one in told), told
        with pytest.raises(Invalid):
            settle_outside(town, there, (ids[0], paid_outside(100)), (ids[0], paid_outside(100)))
        with pytest.raises(Invalid):
            settle_outside(town, there, ("11010519491231002X", paid_outside(100)))
        assert "11010519491231002X" not in str(town.rows("casework"))

    def test_given_an_application_of_the_platforms_own_when_a_result_is_told_then_refused_and_the_other_way_round(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 1)
        outside = collected(town, training)
        with pytest.raises(SettledElsewhere):
            decide(town, outside, LineVerdict.APPROVE, ids[0])
        town.rules(external_settlement=False)
        training, ids = a_completed_class(town, 1)
        here = collected(town, training)

        with pytest.raises(SettledHere):
            settle_outside(town, here, (ids[0], paid_outside(100)))
        with pytest.raises(ApplicationNotFound):
            settle_outside(town, outside, actor=an_operator("ELSEWHERE", region=OTHER_CITY))
        narrow = an_operator("NARROW")
        assert narrow.operator is not None
        elsewhere = replace(narrow, operator=replace(narrow.operator, region=OTHER_CITY))
        with pytest.raises((ApplicationNotFound, OutOfScope)):
            settle_outside(town, outside, actor=elsewhere)

    def test_given_a_cancelled_application_when_a_result_is_told_then_refused(self, town: World) -> None:
        training, _ = a_completed_class(town, 0, absent=1)
        there = collected(town, training)
        with pytest.raises(ApplicationStateRefused):
            settle_outside(town, there, actor=FINANCE)

    def test_given_what_was_handed_to_another_system_when_taken_back_then_refused_since_it_may_be_paid(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)

        with pytest.raises(SettledElsewhere):
            applying.cancel_application(town.platform, there.application_id, "填错了", **town.by(town.desk))

        assert settle_outside(town, there, (ids[0], paid_outside(100))).answer.paid_fen == 100

    def test_given_a_withdrawn_institution_when_its_payment_elsewhere_is_told_then_it_counts(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        p = town.platform
        cataloguing.change_admission(
            p.catalogue, p.marks, training.institution_id, AdmissionStep.WITHDRAW, "停办", **town.by(town.bureau)
        )

        done = settle_outside(town, there, (ids[0], paid_outside(100)))

        assert done.answer.state is ApplicationState.SETTLED

    def test_given_a_payment_when_watched_then_granted_and_paid_in_one_write_is_no_fault(self, town: World) -> None:
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        before = voucher(town, ids[0])

        settle_outside(town, there, (ids[0], paid_outside(100)))

        after = voucher(town, ids[0])
        assert after.version == before.version + 2
        assert watching.find_fault(before, after) is None
        # Only so, and only of these two.
        halfway = replace(after, version=after.version - 1, history=after.history[:-1])
        assert watching.find_fault(replace(before, version=before.version - 1, history=before.history[:-1]), halfway)

    def test_given_lines_of_many_templates_when_told_at_once_then_all_count(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settling_outside, "ROOM", 12)  # room for three
        training, ids = a_completed_class(town, 5)
        there = collected(town, training)

        done = settle_outside(town, there, *((one, paid_outside(100)) for one in ids), key="all")

        assert [one.code for one in done.answer.results] == [None] * 5
        assert settle_outside(town, there, *((one, paid_outside(100)) for one in ids), key="all").hit
        assert (read(town, there).paid_fen, town.balances()[Balance.PAID]) == (500, 500)


class TestRaces:
    def test_given_16_threads_when_they_tell_different_results_of_one_line_then_one_counts(
        self, strict_world: World
    ) -> None:
        town = with_clerks(strict_world)
        town.rules(external_settlement=True)
        training, ids = a_completed_class(town, 2)
        there = collected(town, training)

        told = at_once(
            [partial(settle_outside, town, there, (ids[0], paid_outside(100 + i)), key=f"r{i}") for i in range(16)]
        )

        counted = [
            one for one in told if not isinstance(one, DomainError) and one.answer.results[0].code is None
        ]  # fmt: skip
        assert len(counted) == 1
        assert {one.code for one in told if isinstance(one, DomainError)} <= {"contended"}
        assert voucher(town, ids[0]).paid_fen == town.balances()[Balance.PAID] == read(town, there).paid_fen
        town.check_laws(town.vouchers())


class TestAsAList:
    def test_given_a_list_when_put_twice_then_each_row_counts_once_and_tells_what_became_of_it(
        self, town: World
    ) -> None:
        town = with_bucket(town)
        training, ids = a_completed_class(town, 4)
        there = collected(town, training, lines=tuple((one, None) for one in ids[:3]))
        rows = [
            [there.application_id, ids[0], "已拨付", "1,999.50", "PZ-1", "2021-05-01", ""],
            [there.application_id, ids[1], "不予通过", "", "", "2021.5.1", "材料不全"],
            [there.application_id, ids[2], "已拨付", "两千", "PZ-2", "2021-05-01", ""],
            [there.application_id, ids[3], "已拨付", "2000", "PZ-3", "2021-05-01", ""],
            [there.application_id, ids[2], "退回", "5", "", "2021-05-01", "金额有误"],
            ["X" * 16, ids[2], "退回", "", "", "2021-05-01", "金额有误"],
        ]

        first = self._import(town, rows)
        rows[0][6] = "说明另附"
        rows[1][2] = "退回"
        second = self._import(town, rows[:2])

        assert verdicts(town, first) == [
            ("issued", None),
            ("issued", None),
            ("refused", "amount"),
            ("refused", "line_not_found"),
            ("refused", "invalid_request"),
            ("refused", "application_not_found"),
        ]
        assert verdicts(town, second) == [("same", None), ("conflict", None)]
        assert (voucher(town, ids[0]).paid_fen, town.balances()[Balance.PAID]) == (199_950, 199_950)
        assert lines(town, there)[ids[1]].state is LineState.REFUSED

    def test_given_a_result_by_the_list_when_told_by_the_service_too_then_it_is_the_same(self, town: World) -> None:
        town = with_bucket(town)
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        row = [there.application_id, ids[0], "已拨付", "1.00", "2021-PZ-0001", "2021-05-01", ""]
        dry = self._import(town, [row], dry_run=True)
        assert (verdicts(town, dry), voucher(town, ids[0]).paid_fen) == ([("issued", None)], 0)

        self._import(town, [row])
        done = settle_outside(town, there, (ids[0], paid_outside(100)), (ids[0][::-1], paid_outside(100)))

        assert [one.code for one in done.answer.results] == [None, "line_not_found"]
        assert town.balances()[Balance.PAID] == 100

    def test_given_a_run_that_was_cut_off_before_its_mark_when_it_goes_on_then_the_row_is_recorded(
        self, town: World
    ) -> None:
        town = with_bucket(town)
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        data = workbook([[there.application_id, ids[0], "已拨付", "1", "PZ", "2021-05-01", ""]], HEADER)
        from tests.rostering import carry_on, put_roster, receive

        roster, arrived = put_roster(town, None, data, kind=RosterKind.SETTLEMENTS, region=CITY, actor=CLERK)
        receive(town, arrived)

        def cut_off(_: int) -> None:
            raise ApplicationNotFound()

        watched = Watched(town.platform.rosters, "record_chunk", before=cut_off)
        with pytest.raises(ApplicationNotFound):
            carry_on(with_store(town, "rosters", watched), roster.roster_id)
        carry_on(town, roster.roster_id)

        assert verdicts(town, roster) == [("issued", None)]
        assert town.balances()[Balance.PAID] == 100

    def _import(self, world: World, rows: list[list[str]], **options: bool):  # type: ignore[no-untyped-def]
        data = workbook(rows, HEADER)
        return import_roster(world, None, data, kind=RosterKind.SETTLEMENTS, region=CITY, actor=CLERK, **options)


class TestEvidence:
    def test_given_an_application_when_delivered_then_the_file_has_usage_and_attendance_and_comes_back_as_a_list(
        self, town: World
    ) -> None:
        town = with_bucket(town)
        training, ids = a_completed_class(town, 2, absent=1)
        there = collected(town, training)
        p = town.platform

        delivering_evidence.deliver_lines(p, there.application_id, actor=CLERK, now=town.now)

        data = files_of(town).read(f"applications/lines/{there.application_id}.xlsx", None, 10**7)
        assert data is not None
        sheet = p.workbooks.open(data, "明细.xlsx")
        rows = list(sheet.rows())
        header = find_header(rows[:20], SETTLEMENTS, kind=sheet.kind, version=sheet.version)
        titles = [str(cell) for cell in rows[0].cells]
        assert set(header.places) == {column.name for column in SETTLEMENTS.columns}
        first = dict(zip(titles, (str(cell) for cell in rows[1].cells), strict=False))
        assert len(rows) == 3  # who did not complete it is not on it
        assert {str(row.cells[1]) for row in rows[1:]} == set(ids[:2])
        line = lines(town, there)[first["券编号"]]
        assert line.completion is not None
        assert first["考勤证据摘要(SHA-256)"] == line.completion.evidence
        assert (first["出勤率(%)"], first["申请金额(元)"]) == ("100", "2,000.00")
        assert first["姓名（隐去）"] == line.masked_name
        said = " ".join(str(cell) for row in rows for cell in row.cells if cell)
        assert re.search(r"\d{17}[\dXx]", re.sub(r"[0-9a-f]{64}", "", said)) is None
        with pytest.raises(ApplicationNotFound):
            delivering_evidence.deliver_lines(p, there.application_id, actor=town.other_desk, now=town.now)
