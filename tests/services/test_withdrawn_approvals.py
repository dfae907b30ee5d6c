"""What was granted and is not paid yet is taken back: a mistake, or a fraud, found before the money goes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from chalicelib.domain.access import Actor
from chalicelib.domain.application import Application, ApplicationState, LineState, LineVerdict
from chalicelib.domain.errors import (
    ApplicationNotFound,
    ApplicationStateRefused,
    Invalid,
    LineNotFound,
    LineStateRefused,
    OutOfScope,
    SameOperator,
    SettledElsewhere,
)
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.institution import Admission
from chalicelib.domain.outcomes import Done
from chalicelib.domain.payment import PayeeState
from chalicelib.domain.voucher import State
from chalicelib.services import withdrawing_approvals
from tests.paying import answer, batch_of, open_batch, payees, row, sent_batch, with_account, work_on
from tests.races.crowd import at_once
from tests.services.test_paying import admission
from tests.settling import (
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
from tests.world import FACE_VALUE, OTHER_CITY, World

REASON = "材料不全"


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_account(with_clerks(world))
    world.check_laws(world.vouchers())


def withdraw(
    world: World,
    there: Application,
    *voucher_ids: str,
    reason: str = REASON,
    actor: Actor = REVIEWER,
    key: str | None = None,
) -> Done[Application]:
    return withdrawing_approvals.withdraw_approvals(
        world.platform, there.application_id, voucher_ids, reason, "签到表系伪造", **world.by(actor, key)
    )


def granted(world: World, people: int) -> tuple[Application, list[str]]:
    training, ids = a_completed_class(world, people)
    there = collected(world, training)
    decide(world, there, LineVerdict.APPROVE, *ids)
    return read(world, there), ids


def test_given_granted_lines_when_taken_back_then_line_voucher_shard_and_account_say_so_to_the_fen(town: World) -> None:
    there, ids = granted(town, 3)
    before = town.balances()

    done = withdraw(town, there, *ids[:2], key="once")

    assert withdraw(town, there, *ids[:2], key="once").hit
    assert (done.answer.state, done.answer.approved_fen) == (ApplicationState.DECIDED, FACE_VALUE)
    found = lines(town, there)
    assert [found[one].state for one in ids] == [LineState.REFUSED, LineState.REFUSED, LineState.APPROVED]
    act = found[ids[0]].acts[-1]
    assert (act.step, act.operator_id, act.fen) == ("withdraw_approval", REVIEWER.operator_id, FACE_VALUE)
    assert (act.reason, act.text) == (REASON, "签到表系伪造")
    assert [voucher(town, one).state for one in ids] == [State.FORFEITED, State.FORFEITED, State.APPLIED]
    after = town.balances()
    assert after[Balance.PAYABLE] == before[Balance.PAYABLE] - 2 * FACE_VALUE
    assert after[Balance.FREE] == before[Balance.FREE] + 2 * FACE_VALUE
    posting = town.platform.accounts.postings(town.account_id, 100, None).items[-1]
    assert (posting.kind, posting.operator_id) == (PostingKind.WITHDRAW_APPROVAL, REVIEWER.operator_id)
    assert withdraw(town, there, ids[2]).answer.state is ApplicationState.SETTLED


def test_given_lines_that_still_wait_when_one_that_was_granted_is_taken_back_then_the_others_wait_on(
    town: World,
) -> None:
    training, ids = a_completed_class(town, 2)
    there = collected(town, training)
    decide(town, there, LineVerdict.APPROVE, ids[0])

    done = withdraw(town, there, ids[0]).answer

    assert (done.state, done.counts[LineState.APPLIED]) == (ApplicationState.SUBMITTED, 1)
    listed = town.platform.applications.waiting(there.region, None, 10, None).items
    assert [one.application_id for one in listed] == [there.application_id]
    assert decide(town, there, LineVerdict.REFUSE, ids[1]).answer.state is ApplicationState.SETTLED
    assert not town.platform.applications.waiting(there.region, None, 10, None).items


def test_given_what_cannot_be_taken_back_when_asked_then_refused_and_nothing_moves(town: World) -> None:
    there, ids = granted(town, 2)
    with pytest.raises(Invalid):
        withdraw(town, there, ids[0], reason="别的")
    with pytest.raises(LineNotFound):
        withdraw(town, there, ids[0], "A" * 40)
    with pytest.raises(ApplicationNotFound):
        withdraw(town, there, ids[0], actor=town.other_desk)
    with pytest.raises((ApplicationNotFound, OutOfScope)):
        withdraw(town, there, ids[0], actor=an_operator("FAR", region=OTHER_CITY))
    asked_by_it = replace(there, requested_by=SECOND.operator_id, version=there.version + 1)
    town.platform.applications.change(asked_by_it)
    with pytest.raises(SameOperator):
        withdraw(town, there, ids[0], actor=SECOND)
    batch = open_batch(town, there)
    work_on(town, batch)
    with pytest.raises(LineStateRefused):  # its money is on the way
        withdraw(town, there, ids[0])
    assert [voucher(town, one).state for one in ids] == [State.APPLIED] * 2


def test_given_a_region_that_settles_elsewhere_or_an_application_that_is_over_when_asked_then_refused(
    town: World,
) -> None:
    there, ids = granted(town, 1)
    withdraw(town, there, *ids)
    with pytest.raises(ApplicationStateRefused):
        withdraw(town, there, *ids)
    town.rules(external_settlement=True)
    training, ids = a_completed_class(town, 1)
    outside = collected(town, training)
    with pytest.raises(SettledElsewhere):
        withdraw(town, outside, *ids)


def test_given_a_withdrawn_institution_when_its_granted_lines_are_taken_back_then_the_money_is_free(
    town: World,
) -> None:
    there, ids = granted(town, 1)
    admission(town, Admission.WITHDRAWN)

    assert withdraw(town, there, *ids).answer.state is ApplicationState.SETTLED

    assert town.balances()[Balance.PAYABLE] == 0


def test_given_a_payee_whom_the_bank_cannot_pay_when_the_line_is_taken_back_then_the_application_is_settled(
    town: World,
) -> None:
    there, ids = granted(town, 1)
    batch = sent_batch(town, there)
    (payee,) = payees(town, batch)
    answer(town, [row(payee, paid=False)])
    work_on(town, batch)
    assert payees(town, batch)[0].state is PayeeState.FAILED

    assert withdraw(town, there, *ids).answer.state is ApplicationState.SETTLED
    assert batch_of(town, batch).paid_fen == 0


def test_given_16_threads_when_each_takes_back_or_pays_then_one_of_both(strict_world: World) -> None:
    town = with_account(with_clerks(strict_world))
    there, ids = granted(town, 2)
    batch = open_batch(town, there)

    def act(i: int) -> object:
        return withdraw(town, there, *ids) if i % 2 else work_on(town, batch)

    told = Counter(type(one).__name__ for one in at_once([partial(act, i) for i in range(16)]))

    after, moved = read(town, there), voucher(town, ids[0]).state is State.FORFEITED
    assert told["Done"] == (1 if moved else 0), told
    assert after.approved_fen == (0 if moved else 2 * FACE_VALUE)
    assert town.balances()[Balance.PAYABLE] == after.approved_fen
    work_on(town, batch)
    assert batch_of(town, batch).fen == after.approved_fen
    town.check_laws(town.vouchers())
