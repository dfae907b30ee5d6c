"""Payment: batches gathered, sent, answered, paid again, cancelled; whatever is cut off, repeated or done at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from chalicelib.domain.access import Duty
from chalicelib.domain.application import ApplicationState, LineState, LineVerdict, Objection, Publicity
from chalicelib.domain.bank_account import MOST_PROPOSALS
from chalicelib.domain.errors import (
    AlreadyExists,
    ApplicationNotFound,
    ApplicationStateRefused,
    BankAccountNotFound,
    BatchNotFound,
    BatchStateRefused,
    DutyRequired,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    ProposalChanged,
    RosterStateRefused,
    SameOperator,
    SettledElsewhere,
)
from chalicelib.domain.fund import Balance
from chalicelib.domain.institution import Admission
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.payment import BankAnswer, BatchState, FileRow, PassedOver, PayeeState, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.domain.roster import result_key
from chalicelib.domain.voucher import State
from chalicelib.services import keeping_bank_accounts, paying, settling_payments, withdrawing_rosters
from chalicelib.workbooks.bank_file import bank_file
from tests.paying import (
    ACCOUNT,
    a_class_of,
    answer,
    approved,
    batch_of,
    confirm,
    file_of,
    make_file,
    open_batch,
    payees,
    pays_to,
    propose,
    row,
    sent_batch,
    with_account,
    work_on,
)
from tests.races.crowd import at_once
from tests.rostering import verdicts
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.services.test_merging import confirm as confirm_merge
from tests.services.test_merging import propose as propose_merge
from tests.settling import (
    CLERK,
    PAYER,
    REVIEWER,
    SECOND,
    a_completed_class,
    an_operator,
    collected,
    decide,
    lines,
    read,
    voucher,
    with_clerks,
)
from tests.world import CITY, FACE_VALUE, INSTITUTION_ID, OTHER_CITY, World

ORG, PERSON = Payee.INSTITUTION, Payee.PERSON
OTHER_PAYER = an_operator("OTHERPAYER", Duty.PAYER)

THIRD = an_operator("THIRD", Duty.REVIEWER, Duty.PAYER)


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_account(with_clerks(world))
    world.check_laws(world.vouchers())
    check_batches(world)


@pytest.fixture
def strict_town(strict_world: World) -> Iterator[World]:
    yield with_account(with_clerks(strict_world))
    strict_world.check_laws(strict_world.vouchers())
    check_batches(strict_world)


def check_batches(world: World) -> None:
    """The laws of batches: totals are the payees', a line is in one batch at most, whoever is paid is paid whole."""
    p = world.platform
    batches = p.payments.page(CITY, 200, None).items
    applications = p.applications.page(CITY, 200, None).items
    every = [one for app in applications for one in p.applications.lines(app.application_id, 500, None).items]
    for batch in batches:
        mine = p.payments.payees(batch.batch_id, 500, None).items
        assert [one.sequence for one in mine] == list(range(1, batch.payees + 1))
        assert (sum(one.lines for one in mine), sum(one.fen for one in mine)) == (batch.lines, batch.fen)
        assert len({one.holder for one in mine}) == batch.payees
        answered = Counter(one.state for one in mine)
        if batch.state in (BatchState.SENT, BatchState.CLOSED):
            assert (answered[PayeeState.PAID], answered[PayeeState.FAILED]) == (batch.paid, batch.failed)
            assert batch.pending == answered[PayeeState.PENDING]
            assert batch.settling == sum(one.settling for one in mine)
            assert batch.paid_fen == sum(one.fen for one in mine if one.state is PayeeState.PAID)
        held = [one for one in every if one.batch_id == batch.batch_id]
        if batch.state is BatchState.CLOSED:
            assert {one.state for one in held} <= {LineState.PAID}
            assert sum(one.paid_fen for one in held) == batch.paid_fen
        elif batch.state is BatchState.CANCELLED:
            assert not held
        elif batch.state is BatchState.READY:
            assert (len(held), {one.state for one in held}) == (batch.lines, {LineState.PAYING})
    for one in every:
        assert (one.state is LineState.PAID) == (voucher(world, one.voucher_id).paid_fen > 0 and one.paid_fen > 0)
        assert (one.batch_id is not None) == (one.state in (LineState.PAYING, LineState.PAID))
    for app in applications:
        own = [one for one in every if one.application_id == app.application_id]
        assert {k: n for k, n in app.counts.items() if n} == Counter(one.state for one in own)
        assert app.paid_fen == sum(one.paid_fen for one in own)


def states(world: World, application: Any) -> Counter[LineState]:
    return Counter(one.state for one in lines(world, application).values())


class TestPaid:
    def test_given_granted_lines_when_paid_then_batch_application_vouchers_and_account_say_so(
        self, town: World
    ) -> None:
        training, ids = a_class_of(town, ORG, ORG, PERSON)
        there = approved(town, training)

        batch = open_batch(town, there, key="once")
        assert (batch.state, open_batch(town, there, key="once").batch_id) == (BatchState.BUILDING, batch.batch_id)
        assert work_on(town, batch).outcome == "ready"
        ready = batch_of(town, batch)
        assert (ready.payees, ready.lines, ready.fen, ready.pending) == (2, 3, 3 * FACE_VALUE, 2)
        assert town.balances()[Balance.PAYABLE] == 3 * FACE_VALUE

        sent = make_file(town, batch, key="file")
        assert answer(town, [row(one) for one in payees(town, sent)]).counts.issued == 2
        assert town.balances()[Balance.PAID] == 0
        assert (read(town, there).state, batch_of(town, batch).settling) == (ApplicationState.DECIDED, 2)
        assert work_on(town, batch).outcome == "closed"

        closed = batch_of(town, batch)
        assert (closed.paid, closed.paid_fen, closed.failed, closed.settling) == (2, 3 * FACE_VALUE, 0, 0)
        assert closed.closed_at == town.now
        settled = read(town, there)
        assert (settled.state, settled.paid_fen) == (ApplicationState.SETTLED, 3 * FACE_VALUE)
        balances = town.balances()
        assert (balances[Balance.PAYABLE], balances[Balance.PAID]) == (0, 3 * FACE_VALUE)
        for one in ids:
            own = voucher(town, one)
            assert (own.state, own.paid_fen, own.due_on is not None) == (State.APPLIED, FACE_VALUE, True)
            said = own.history[-1].said
            assert (said["step"], said["facts"]["batch"], said["operator"]) == ("pay", batch.batch_id, "OPPAYER")
        assert work_on(town, batch).outcome == "nothing_to_do"

    def test_given_a_payee_who_failed_when_put_into_a_second_batch_then_paid_once(self, town: World) -> None:
        training, ids = a_class_of(town, PERSON, ORG)
        there = approved(town, training)
        first = sent_batch(town, there)
        person, institution = sorted(payees(town, first), key=lambda one: one.kind, reverse=True)

        answer(town, [row(person, paid=False), row(institution)])
        work_on(town, first)

        found = lines(town, there)
        assert (found[ids[0]].state, found[ids[0]].failures, found[ids[0]].acts[-1].reason) == (
            LineState.APPROVED, 1, "账户已注销",
        )  # fmt: skip
        assert (found[ids[1]].state, voucher(town, ids[0]).paid_fen) == (LineState.PAID, 0)
        assert (batch_of(town, first).state, batch_of(town, first).failed_fen) == (BatchState.CLOSED, FACE_VALUE)
        whom = paying.list_payees(town.platform, first.batch_id, 10, None, state=PayeeState.FAILED, actor=PAYER)
        assert [one.sequence for one in whom.items] == [person.sequence]
        assert read(town, there).state is ApplicationState.DECIDED
        assert town.balances()[Balance.PAYABLE] == FACE_VALUE

        second = sent_batch(town, read(town, there))
        assert (second.payees, second.lines) == (1, 1)
        answer(town, [row(one) for one in payees(town, second)])
        work_on(town, second)

        assert read(town, there).state is ApplicationState.SETTLED
        assert voucher(town, ids[0]).paid_fen == FACE_VALUE
        assert town.balances()[Balance.PAID] == 2 * FACE_VALUE
        late = answer(town, [row(person)])  # the bank finds that the first one came through after all
        assert verdicts(town, late) == [("conflict", None)]

    def test_given_more_lines_than_a_chunk_holds_when_paid_then_the_totals_are_right_in_each_transaction(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small_chunks(monkeypatch)
        one, _ = a_class_of(town, ORG, ORG, ORG, PERSON, PERSON)
        pays_to(town, ORG)
        two, _ = a_completed_class(town, 3, absent=1)
        there = [approved(town, one), approved_but_absent(town, two)]
        batch = open_batch(town, *there)

        while batch_of(town, batch).state is BatchState.BUILDING:
            work_on(town, batch, once())
            now = batch_of(town, batch)
            assert sum(one.fen for one in payees(town, batch)) == now.fen == now.lines * FACE_VALUE
        make_file(town, batch)
        answer(town, [row(one) for one in payees(town, batch)])
        paid = [town.balances()[Balance.PAID]]
        while batch_of(town, batch).state is BatchState.SENT:
            work_on(town, batch, once())
            paid.append(town.balances()[Balance.PAID])
            town.check_laws(town.vouchers())

        assert paid == sorted(paid)
        assert paid[-1] == 8 * FACE_VALUE
        assert len(set(paid)) >= 5  # nothing, and then two lines at a time, at most
        assert {read(town, one).state for one in there} == {ApplicationState.SETTLED}


class TestGathered:
    def test_given_whoever_reviewed_when_paying_then_the_lines_are_passed_over_and_nothing_is_left(
        self, town: World
    ) -> None:
        there = approved(town, a_completed_class(town, 1)[0])
        both = an_operator("REVIEWER", Duty.REVIEWER, Duty.PAYER)

        batch = open_batch(town, there, actor=both)
        assert work_on(town, batch).outcome == "cancelled"
        assert batch_of(town, batch).passed_over == {PassedOver.SAME_OPERATOR: 1}

        town.rules(separate_duties=False)
        fresh = town.another_container()
        batch = open_batch(fresh, there, actor=both)
        assert work_on(fresh, batch).outcome == "ready"

    def test_given_a_first_reviewer_whose_sum_gave_way_to_anothers_when_paying_then_passed_over_too(
        self, town: World
    ) -> None:
        town.rules(second_review=True)
        training, ids = a_completed_class(town, 1)
        there = collected(town, training)
        decide(town, there, LineVerdict.APPROVE, *ids, actor=THIRD)
        decide(town, there, LineVerdict.APPROVE_LESS, *ids, actor=REVIEWER, fen=FACE_VALUE - 1)
        decide(town, there, LineVerdict.APPROVE_LESS, *ids, actor=SECOND, fen=FACE_VALUE - 1)

        batch = open_batch(town, there, actor=THIRD)
        work_on(town, batch)

        assert batch_of(town, batch).passed_over == {PassedOver.SAME_OPERATOR: 1}

    def test_given_an_objection_that_comes_before_the_job_when_gathered_then_passed_over_for_that(
        self, town: World
    ) -> None:
        there = approved(town, a_completed_class(town, 1)[0])
        batch = open_batch(town, there)
        (line,) = lines(town, there).values()
        objected = Objection(1, line.voucher_id, "本人未参加培训", town.now, CLERK.operator_id)
        head = read(town, there)
        published = Publicity(town.now - timedelta(days=9), date(2021, 4, 1), REVIEWER.operator_id)
        town.platform.applications.change(
            replace(head, publicity=published, objections=(objected,), version=head.version + 1)
        )

        work_on(town, batch)

        assert batch_of(town, batch).passed_over == {PassedOver.OBJECTED: 1}

    def test_given_an_institution_that_is_withdrawn_while_the_file_is_written_when_sent_then_refused(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = approved(town, a_completed_class(town, 1)[0])
        batch = open_batch(town, there)
        work_on(town, batch)
        write = town.platform.files.write

        def withdrawn_meanwhile(*asked: Any) -> None:
            write(*asked)
            admission(town, Admission.WITHDRAWN)

        monkeypatch.setattr(town.platform.files, "write", withdrawn_meanwhile)
        with pytest.raises(InstitutionNotAdmitted):
            make_file(town, batch_of(town, batch))
        assert batch_of(town, batch).state is BatchState.READY

    def test_given_an_institution_without_an_account_when_gathered_then_only_people_are_paid(
        self, world: World
    ) -> None:
        with_clerks(world)
        there = approved(world, a_class_of(world, ORG, PERSON)[0])

        batch = open_batch(world, there)
        work_on(world, batch)

        ready = batch_of(world, batch)
        assert (ready.state, ready.passed_over) == (BatchState.READY, {PassedOver.NO_ACCOUNT: 1})
        assert [one.kind for one in payees(world, batch)] == [PERSON]

    def test_given_an_application_that_may_not_be_paid_when_a_batch_is_opened_then_refused(self, town: World) -> None:
        training, _ = a_completed_class(town, 1)
        waits = collected(town, training)
        with pytest.raises(ApplicationStateRefused):
            open_batch(town, waits)
        with pytest.raises(Invalid):
            open_batch(town)
        with pytest.raises(Invalid):
            open_batch(town, waits, waits)
        with pytest.raises(ApplicationNotFound):
            open_batch(town, replace(waits, application_id="NOSUCHAPPLICATION"))
        town.platform.applications.change(replace(waits, external=True, version=waits.version + 1))
        with pytest.raises(SettledElsewhere):
            open_batch(town, waits)
        nobody = replace(PAYER, operator=None)
        with pytest.raises(SameOperator):
            open_batch(town, waits, actor=nobody)
        assert not town.platform.payments.page(CITY, 10, None).items

    def test_given_a_withdrawn_institution_when_paying_then_refused_at_each_step_before_the_file(
        self, town: World
    ) -> None:
        first, second = (approved(town, a_completed_class(town, 1)[0]) for _ in range(2))
        ready = open_batch(town, first)
        work_on(town, ready)
        building = open_batch(town, second)

        admission(town, Admission.WITHDRAWN)

        with pytest.raises(InstitutionNotAdmitted):
            make_file(town, ready)
        work_on(town, building)
        assert batch_of(town, building).passed_over == {PassedOver.WITHDRAWN: 1}
        with pytest.raises(InstitutionNotAdmitted):
            open_batch(town, second)
        assert batch_of(town, ready).state is BatchState.READY

    def test_given_a_withdrawn_institution_when_only_people_are_to_be_paid_then_no_file_either(
        self, town: World
    ) -> None:
        there = approved(town, a_class_of(town, PERSON)[0])
        ready = open_batch(town, there)
        work_on(town, ready)

        admission(town, Admission.WITHDRAWN)

        with pytest.raises(InstitutionNotAdmitted):
            make_file(town, ready)
        assert batch_of(town, ready).state is BatchState.READY

    def test_given_two_records_of_one_person_when_gathered_then_one_payee_of_the_record_in_use(
        self, town: World
    ) -> None:
        classes = [a_class_of(town, PERSON) for _ in range(2)]
        survivor, other = (voucher(town, ids[0]).person_id for _, ids in classes)
        merge = propose_merge(town, survivor, other).answer
        confirm_merge(town, merge.merge_id)
        there = [approved(town, training) for training, _ in classes]

        batch = sent_batch(town, *there)

        assert (batch.payees, batch.lines, batch.fen) == (1, 2, 2 * FACE_VALUE)
        (payee,) = payees(town, batch)
        assert payee.holder == survivor
        answer(town, [row(payee)])
        assert work_on(town, batch).outcome == "closed"
        assert {read(town, one).state for one in there} == {ApplicationState.SETTLED}
        assert [voucher(town, ids[0]).paid_fen for _, ids in classes] == [FACE_VALUE] * 2

    def test_given_a_batch_of_another_region_when_looked_for_then_not_found(self, town: World) -> None:
        batch = open_batch(town, approved(town, a_completed_class(town, 1)[0]))
        elsewhere = an_operator("ELSEWHERE", Duty.PAYER, region=OTHER_CITY)
        with pytest.raises(BatchNotFound):
            paying.find_batch(town.platform, batch.batch_id, actor=elsewhere)
        assert paying.list_batches(town.platform, CITY, 10, None, actor=PAYER).items == (batch_of(town, batch),)


class TestCancelled:
    @pytest.mark.parametrize("chunks", [0, 1, 9])
    def test_given_a_batch_that_was_not_sent_when_cancelled_then_its_lines_go_into_another_one(
        self, town: World, monkeypatch: pytest.MonkeyPatch, chunks: int
    ) -> None:
        small_chunks(monkeypatch)
        there = approved(town, a_class_of(town, ORG, ORG, ORG, PERSON)[0])
        batch = open_batch(town, there)
        work_on(town, batch, times(chunks))

        cancelled = cancel(town, batch, key="stop")
        while work_on(town, batch, once()).outcome == "handed_on":
            pass

        assert batch_of(town, batch).state is BatchState.CANCELLED
        assert cancel(town, batch, key="stop") == cancelled
        assert states(town, there) == {LineState.APPROVED: 4}
        assert {one.failures for one in lines(town, there).values()} == {0}
        assert {one.state for one in payees(town, batch)} <= {PayeeState.CANCELLED}
        again = sent_batch(town, read(town, there))
        assert again.fen == 4 * FACE_VALUE

    def test_given_a_batch_that_was_sent_when_cancelled_then_refused(self, town: World) -> None:
        batch = sent_batch(town, approved(town, a_completed_class(town, 1)[0]))
        with pytest.raises(BatchStateRefused):
            cancel(town, batch)
        with pytest.raises(BatchStateRefused):
            make_file(town, open_batch(town, approved(town, a_completed_class(town, 1)[0])))


class TestAnswered:
    def test_given_answers_when_they_come_again_differ_or_are_wrong_then_each_row_says_so_and_nothing_moves(
        self, town: World
    ) -> None:
        there = approved(town, a_class_of(town, ORG, PERSON)[0])
        batch = open_batch(town, there)
        work_on(town, batch)
        one, two = payees(town, batch)
        too_early = answer(town, [row(one)])
        assert verdicts(town, too_early) == [("refused", "batch_state")]
        make_file(town, batch)

        first = answer(
            town,
            [
                row(one, fen=one.fen - 1),
                ["NOSUCHBATCH", *row(one)[1:]],
                [one.batch_id, "77", *row(one)[2:]],
                [*row(one)[:2], "二千元", *row(one)[3:]],
                row(one),
                row(one),
                row(one, reference="ANOTHER"),
                row(one, paid=False),
                ["合计", "2", "4000.00", "", "", ""],
            ],
        )
        assert verdicts(town, first) == [
            ("refused", "amount_differs"), ("refused", "batch_not_found"), ("refused", "payee_not_found"),
            ("refused", "amount"), ("issued", None), ("same", None), ("conflict", None), ("conflict", None),
        ]  # fmt: skip
        work_on(town, batch)
        assert (town.balances()[Balance.PAID], batch_of(town, batch).state) == (FACE_VALUE, BatchState.SENT)

        answer(town, [row(two, paid=False)])
        assert work_on(town, batch).outcome == "closed"
        second = answer(town, [row(one), row(two, paid=False), row(two)])
        assert verdicts(town, second) == [("same", None), ("same", None), ("conflict", None)]
        assert town.balances()[Balance.PAID] == FACE_VALUE

    def test_given_a_dry_run_when_answered_then_judged_and_nothing_written(self, town: World) -> None:
        batch = sent_batch(town, approved(town, a_completed_class(town, 1)[0]))
        roster = answer(town, [row(one) for one in payees(town, batch)], dry_run=True)
        assert roster.counts.issued == 1
        assert batch_of(town, batch) == batch

    def test_given_another_answer_when_its_result_is_read_then_it_tells_of_the_bank_and_of_no_voucher(
        self, town: World
    ) -> None:
        batch = sent_batch(town, approved(town, a_class_of(town, PERSON)[0]))
        (payee,) = payees(town, batch)
        answer(town, [row(payee)])

        roster = answer(town, [row(payee, paid=False)])

        data = town.platform.files.read(result_key(roster.roster_id), None, 1 << 20)
        assert data is not None
        book = CalamineWorkbook.from_object(BytesIO(data))
        said = " ".join(str(book.get_sheet_by_index(i).to_python()) for i in range(len(book.sheet_names)))
        assert "该笔此前已有不同的银行答复" in said
        assert "已登记" in said
        assert "该人员" not in said
        assert "已发放" not in said

    def test_given_a_cancelled_batch_when_answered_then_the_payee_is_over(self, town: World) -> None:
        batch = open_batch(town, approved(town, a_completed_class(town, 1)[0]))
        work_on(town, batch)
        cancel(town, batch)
        work_on(town, batch)
        assert verdicts(town, answer(town, [row(one) for one in payees(town, batch)])) == [("ended", None)]

    def test_given_whoever_pays_not_when_handing_in_answers_then_refused(self, town: World) -> None:
        batch = sent_batch(town, approved(town, a_completed_class(town, 1)[0]))
        rows = [row(one) for one in payees(town, batch)]
        for actor in (town.bureau, an_operator("REVIEWER", Duty.REVIEWER), town.desk):
            with pytest.raises((DutyRequired, Invalid)):
                answer(town, rows, actor=actor)

    def test_given_a_payer_when_handing_in_another_list_then_refused(self, town: World) -> None:
        from tests.rostering import put_roster

        with pytest.raises(DutyRequired):
            put_roster(town, town.publish(1), b"x", actor=PAYER)

    def test_given_a_list_of_answers_when_withdrawn_then_refused(self, town: World) -> None:
        batch = sent_batch(town, approved(town, a_completed_class(town, 1)[0]))
        roster = answer(town, [row(one) for one in payees(town, batch)])
        with pytest.raises(RosterStateRefused):
            withdrawing_rosters.withdraw_roster(town.platform, roster.roster_id, "误报", **town.by(town.bureau))

    @pytest.mark.parametrize("reason", ["请联系13800138000", "收款人13800138000账户已注销，请核实后重新提交"])
    def test_given_a_reason_with_somebodys_number_when_answered_then_refused(self, town: World, reason: str) -> None:
        batch = sent_batch(town, approved(town, a_completed_class(town, 1)[0]))
        (one,) = payees(town, batch)
        told = row(one, paid=False)
        told[4] = reason
        assert verdicts(town, answer(town, [told])) == [("refused", "invalid_request")]
        # The bank's own number of a payment is nobody's, whatever it looks like.
        assert verdicts(town, answer(town, [row(one, reference="13800138000")])) == [("issued", None)]


class TestBankFile:
    def test_given_a_batch_when_its_file_is_made_again_then_the_same_bytes_and_totals_that_agree(
        self, town: World
    ) -> None:
        there = approved(town, a_class_of(town, ORG, PERSON)[0])
        batch = open_batch(town, there)
        work_on(town, batch)
        sent = make_file(town, batch, key="first")
        cells = file_of(town, batch)

        confirm(town, propose(town, "6222999988887777").answer.proposals, account="6222999988887777")
        again = make_file(town, batch, actor=OTHER_PAYER)
        assert (again.sent_by, sent.sent_by) == ("OPPAYER", "OPPAYER")

        assert (again.file_key, again.file_sha256) == (sent.file_key, sent.file_sha256)
        assert file_of(town, batch) == cells
        assert make_file(town, batch, key="first").file_key == sent.file_key
        _, *rows, trailer = cells
        assert [one[0] for one in rows] == ["1", "2"]
        institution = next(one for one in rows if one[1] == "机构账户")
        person = next(one for one in rows if one[1] == "社会保障卡账户")
        assert institution[2:6] == ["深圳测试培训学校", ACCOUNT, "测试银行深圳分行", "2000.00"]
        assert (person[2], len(person[3]), person[4]) == ("测试甲", 18, "")
        assert trailer == ["合计", "2", "", "", "", "4000.00", batch.batch_id, ""]
        assert len({len(one) for one in cells}) == 1
        download = paying.download_of(town.platform, batch_of(town, batch), town.now).download
        assert sent.file_key is not None
        assert sent.file_key in download.url
        shown = repr(payees(town, batch)) + repr(batch_of(town, batch)) + sent.file_key
        assert ACCOUNT not in shown
        assert person[3] not in shown

    def test_given_cells_that_a_spreadsheet_would_compute_when_written_then_they_are_text(self, world: World) -> None:
        batch = PaymentBatch("B" * 16, CITY, (), BatchState.READY, "APP", "OP", world.now)
        names = ["=1+1", "+86", "-2", "@x", "＝1", "\t=1", "某某", "𠮷"]
        rows = [FileRow(i, ORG, name, "1234", "银行", 123456789) for i, name in enumerate(names, 1)]

        data = bank_file(batch, rows)

        written = [line.split(",") for line in data.decode("gb18030").split("\r\n")]
        assert [one[2] for one in written[1:-2]] == [*(f"'{name}" for name in names[:6]), *names[6:]]
        assert written[1][5] == "1234567.89"
        assert written[-2][:6] == ["合计", "8", "", "", "", "9876543.12"]
        assert data == bank_file(batch, rows)


class TestBankAccount:
    def test_given_a_change_when_confirmed_then_by_another_operator_of_the_authority(self, world: World) -> None:
        with pytest.raises(BankAccountNotFound):
            keeping_bank_accounts.find_account(world.platform, INSTITUTION_ID, actor=PAYER)
        with pytest.raises(BankAccountNotFound):
            confirm(world, 1)
        proposed = propose(world, "6222 0000-1111 2222", actor=PAYER, key="new").answer
        assert (proposed.current, proposed.proposed and proposed.proposed.masked) == (None, "****2222")
        assert propose(world, "6222 0000-1111 2222", actor=PAYER, key="new").hit
        with pytest.raises(SameOperator):
            confirm(world, 1)
        with pytest.raises(SameOperator):
            confirm(world, 1, actor=replace(PAYER, operator=None))
        with pytest.raises(ProposalChanged):
            confirm(world, 2, actor=OTHER_PAYER)
        with pytest.raises(ProposalChanged):  # the same last digits, and another account
            confirm(world, 1, actor=OTHER_PAYER, account="6222000099992222")

        done = confirm(world, 1, actor=OTHER_PAYER, key="yes").answer

        assert done.current is not None
        assert (done.current.masked, done.current.proposed_by, done.current.confirmed_by) == (
            "****2222", "OPPAYER", "OPOTHERPAYER",
        )  # fmt: skip
        assert confirm(world, 1, actor=OTHER_PAYER, key="yes").hit
        with pytest.raises(ProposalChanged):
            confirm(world, 1, actor=OTHER_PAYER)
        assert "6222000011112222" not in repr(done)
        assert "6222000011112222" not in str(world.rows("catalogue"))

    def test_given_many_changes_when_looked_at_then_every_account_that_was_paid_to_is_told(self, world: World) -> None:
        changes = MOST_PROPOSALS + 3
        for i in range(changes):
            number = f"62220000{i:04d}"
            done = confirm(world, propose(world, number).answer.proposals, account=number).answer
        assert done.current is not None
        assert (done.current.number, [one.number for one in done.acts]) == (changes, list(range(1, changes)))
        for i in range(changes):
            done = propose(world, f"62221111{i:04d}").answer
        confirmed = [one.number for one in done.acts if one.confirmed_at is not None]
        idle = [one.number for one in done.acts if one.confirmed_at is None]
        assert confirmed == list(range(1, changes))
        assert idle == list(range(2 * changes - MOST_PROPOSALS, 2 * changes))
        assert done.proposed is not None
        assert done.proposed.number == 2 * changes

    def test_given_another_institution_of_the_region_when_looked_for_then_not_found(self, town: World) -> None:
        p = town.platform
        assert keeping_bank_accounts.find_account(p, INSTITUTION_ID, actor=town.desk).current is not None
        with pytest.raises(InstitutionNotFound):
            keeping_bank_accounts.find_account(p, INSTITUTION_ID, actor=town.other_desk)
        with pytest.raises(InstitutionNotFound):
            propose(town, actor=town.other_desk)

    @pytest.mark.parametrize("number", ["", "1234567", "x" * 12, "1" * 33])
    def test_given_no_account_number_when_proposed_then_refused(self, world: World, number: str) -> None:
        with pytest.raises(Invalid):
            propose(world, number)


class TestCutOff:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_given_power_cuts_at_every_chunk_when_gone_on_then_as_without_them(
        self, town: World, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        small_chunks(monkeypatch)
        there = approved(town, a_class_of(town, ORG, ORG, ORG, PERSON, PERSON)[0])
        batch = open_batch(town, there)

        through_power_cuts(town, lambda world: work_on(world, batch), when)
        assert (batch_of(town, batch).state, batch_of(town, batch).lines) == (BatchState.READY, 5)
        make_file(town, batch)
        people = [one.sequence for one in payees(town, batch) if one.kind is PERSON]
        answers = [row(one, paid=one.sequence != people[0]) for one in payees(town, batch)]
        through_power_cuts(town, lambda world: answer(world, answers), when)
        through_power_cuts(town, lambda world: work_on(world, batch), when)

        closed = batch_of(town, batch)
        assert (closed.state, closed.paid, closed.failed) == (BatchState.CLOSED, 2, 1)
        assert town.balances()[Balance.PAID] == closed.paid_fen == 4 * FACE_VALUE
        assert states(town, there) == {LineState.PAID: 4, LineState.APPROVED: 1}

    def test_given_an_import_that_is_cut_off_when_rows_were_recorded_then_somebody_was_asked_to_go_on(
        self, town: World
    ) -> None:
        batch = sent_batch(town, approved(town, a_class_of(town, ORG, PERSON)[0]))
        asked: Any = town.platform.money_errands
        asked.asked.clear()
        watched = Watched(town.platform.payments, "record", after=cut_at(1))

        with pytest.raises(PowerCut):
            answer(with_store(town, "payments", watched), [row(one) for one in payees(town, batch)])

        assert batch.errand() in [errand for errand, _ in asked.asked]


class TestAtOnce:
    def test_given_one_application_in_two_batches_when_gathered_by_sixteen_then_each_line_is_in_one(
        self, strict_town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small_chunks(monkeypatch)
        there = approved(strict_town, a_class_of(strict_town, ORG, ORG, ORG, PERSON, PERSON)[0])
        batches = [open_batch(strict_town, there), open_batch(strict_town, there, actor=OTHER_PAYER)]

        at_once([partial(patiently, strict_town, batches[i % 2]) for i in range(16)])

        after = [batch_of(strict_town, one) for one in batches]
        assert sum(one.lines for one in after) == 5
        assert {one.state for one in after} <= {BatchState.READY, BatchState.CANCELLED}
        for one in after:
            if one.state is BatchState.READY:
                make_file(strict_town, one)
                answer(strict_town, [row(payee) for payee in payees(strict_town, one)])
        at_once([partial(patiently, strict_town, batches[i % 2]) for i in range(16)])

        assert strict_town.balances()[Balance.PAID] == 5 * FACE_VALUE
        assert read(strict_town, there).state is ApplicationState.SETTLED

    def test_given_two_payers_of_one_batch_when_sixteen_send_or_cancel_then_one_of_both(
        self, strict_town: World
    ) -> None:
        there = approved(strict_town, a_class_of(strict_town, ORG, PERSON)[0])
        batch = open_batch(strict_town, there)
        work_on(strict_town, batch)
        payers = [PAYER, PAYER, OTHER_PAYER, OTHER_PAYER] * 4
        acts = [partial(make_file if i % 2 else cancel, strict_town, batch, None, who) for i, who in enumerate(payers)]

        told = at_once(acts)

        state = batch_of(strict_town, batch).state
        assert state in (BatchState.SENT, BatchState.CANCELLING)
        sent, cancelled = told[1::2], told[0::2]
        won = [one for one in (sent if state is BatchState.SENT else cancelled) if isinstance(one, PaymentBatch)]
        lost = [one for one in (cancelled if state is BatchState.SENT else sent) if isinstance(one, PaymentBatch)]
        assert won
        assert not lost
        work_on(strict_town, batch)

    def test_given_both_answers_for_one_payee_when_sixteen_bring_them_then_the_first_counts(
        self, strict_town: World
    ) -> None:
        there = approved(strict_town, a_class_of(strict_town, PERSON)[0])
        batch = sent_batch(strict_town, there)
        payee = payees(strict_town, batch)[0]

        def bring(i: int) -> Any:
            said = BankAnswer(i % 2 == 0, payee.fen, None, f"BANK{i}")
            return settling_payments.record_answer(
                strict_town.platform, batch, payee, said, attempt=strict_town.attempt(f"row-{i}"),
                now=strict_town.now,
            )  # fmt: skip

        told = at_once([partial(bring, i) for i in range(16)])

        assert Counter(type(one) for one in told) == {type(None): 1, AlreadyExists: 15}
        at_once([lambda: patiently(strict_town, batch)] * 16)
        after = batch_of(strict_town, batch)
        assert (after.state, after.paid + after.failed) == (BatchState.CLOSED, 1)
        assert strict_town.balances()[Balance.PAID] == after.paid_fen


def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines are a chunk, and so is one person."""
    for room in (paying, settling_payments):
        monkeypatch.setattr(room, "WIDE", 2)
        monkeypatch.setattr(room, "NARROW", 2)
    monkeypatch.setattr(settling_payments, "ROOM", 7)


def through_power_cuts(world: World, act: Callable[[World], Any], when: str) -> None:
    """Each run is cut off at its first write, or right after it, until there is nothing to write any more."""
    for _ in range(30):
        watched = Watched(world.platform.payments, "record", **{when: cut_at(1 if when == "after" else 2)})
        try:
            act(with_store(world, "payments", watched))
        except PowerCut:
            continue
        return
    raise AssertionError("it never comes to an end")


def patiently(world: World, batch: PaymentBatch) -> None:
    """A container of its own, which is asked again as the queue would ask it."""
    from chalicelib.domain.errors import Unavailable

    mine = world.another_container()
    mine = replace(mine, platform=replace(mine.platform, files=world.platform.files))
    for _ in range(50):
        try:
            if work_on(mine, batch).outcome != "handed_on":
                return
        except Unavailable:
            continue
    raise AssertionError("it never comes to an end")


def approved_but_absent(world: World, training: Any) -> Any:
    from chalicelib.domain.application import LineVerdict as Word
    from tests.settling import decide

    there = collected(world, training)
    granted = [one for one, line in lines(world, there).items() if line.state is LineState.APPLIED]
    decide(world, there, Word.APPROVE, *granted)
    return read(world, there)


def admission(world: World, state: Admission) -> None:
    shelf = world.platform.catalogue.institutions
    there = shelf.read(INSTITUTION_ID)
    assert there is not None
    after = replace(there, admission=state, version=there.version + 1)
    shelf.change(after, Mark(world.attempt(), after, world.now))


def cancel(world: World, batch: PaymentBatch, key: str | None = None, actor: Any = PAYER) -> PaymentBatch:
    return paying.cancel_batch(world.platform, batch.batch_id, "账户有误", **world.by(actor, key)).answer


def once() -> Callable[[], bool]:
    return times(1)


def times(n: int) -> Callable[[], bool]:
    left = iter([True] * n)
    return lambda: next(left, False)
