"""Claw-back: posting, voucher and line in one transaction; never more than was paid, and not by whoever paid."""

from collections.abc import Iterator
from functools import partial

import pytest

from chalicelib.domain.access import Actor
from chalicelib.domain.errors import DomainError, NothingToRecover, Reused, SameOperator, VoucherNotFound
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.outcomes import Done
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Receipt, State
from chalicelib.services import clawing_back, watching
from tests.races.crowd import at_once
from tests.settling import (
    CLERK,
    FINANCE,
    REVIEWER,
    a_completed_class,
    a_paid_class,
    an_operator,
    collected,
    lines,
    paid_outside,
    settle_outside,
    voucher,
    with_clerks,
)
from tests.world import FACE_VALUE, OTHER_CITY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_clerks(world)
    world.check_laws(world.vouchers())


def claw_back(
    world: World, voucher_id: str, fen: int, *, actor: Actor = FINANCE, key: str | None = None, body: bytes = b"{}"
) -> Done[Receipt]:
    return clawing_back.claw_back(world.platform, voucher_id, fen, "虚假培训", **world.by(actor, key, body))


class TestClawedBack:
    def test_given_a_paid_voucher_when_clawed_back_in_parts_then_account_voucher_and_line_say_so(
        self, town: World
    ) -> None:
        there, (voucher_id,) = a_paid_class(town)
        before = voucher(town, voucher_id)

        done = claw_back(town, voucher_id, 500)
        claw_back(town, voucher_id, FACE_VALUE - 500, actor=REVIEWER)

        after = voucher(town, voucher_id)
        assert (done.answer.step, done.answer.facts["recovered_fen"]) == ("claw_back", 500)
        assert (after.state, after.paid_fen, after.recovered_fen) == (State.APPLIED, FACE_VALUE, FACE_VALUE)
        assert watching.find_fault(before, after) == "rewritten"  # two steps are two writes
        balances = town.balances()
        assert (balances[Balance.PAID], balances[Balance.RECOVERED]) == (0, FACE_VALUE)
        acts = [(act.step, act.fen) for act in lines(town, there)[voucher_id].acts]
        assert acts[-2:] == [("claw_back", 500), ("claw_back", FACE_VALUE - 500)]
        postings = town.platform.accounts.postings(town.account_id, 100, None).items
        assert [one.kind for one in postings[-2:]] == [PostingKind.RECOVER] * 2

    def test_given_more_than_was_paid_when_clawed_back_then_refused_and_nothing_moves(self, town: World) -> None:
        _, (voucher_id,) = a_paid_class(town, fen=1000)
        claw_back(town, voucher_id, 600)
        balances = town.balances()

        for fen in (401, FACE_VALUE, 0, -1):
            with pytest.raises(NothingToRecover):
                claw_back(town, voucher_id, fen)

        assert town.balances() == balances
        assert voucher(town, voucher_id).recovered_fen == 600

    def test_given_the_same_request_when_repeated_then_its_answer_and_one_posting(self, town: World) -> None:
        _, (voucher_id,) = a_paid_class(town, fen=1000)
        first = claw_back(town, voucher_id, 1000, key="once")

        again = claw_back(town, voucher_id, 1000, key="once")

        assert (again.hit, again.answer) == (True, first.answer)
        assert town.balances()[Balance.RECOVERED] == 1000
        with pytest.raises(Reused):
            claw_back(town, voucher_id, 1000, key="once", body=b'{"other": 1}')

    def test_given_whoever_paid_when_clawing_back_then_refused(self, town: World) -> None:
        _, (voucher_id,) = a_paid_class(town)
        with pytest.raises(SameOperator):
            claw_back(town, voucher_id, 1, actor=CLERK)

    def test_given_a_voucher_that_is_not_paid_or_not_theirs_when_clawed_back_then_refused(self, town: World) -> None:
        _, (paid,) = a_paid_class(town)
        unpaid = town.claim(*self._somebody(town)).answer.voucher_id

        with pytest.raises(NothingToRecover):
            claw_back(town, unpaid, 1)
        with pytest.raises(VoucherNotFound):
            claw_back(town, paid, 1, actor=an_operator("ELSEWHERE", region=OTHER_CITY))
        with pytest.raises(VoucherNotFound):
            claw_back(town, "A" * 40, 1)

    def test_given_a_payment_between_the_look_at_account_and_voucher_when_clawed_back_then_seen_and_done_once(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        training, (voucher_id,) = a_completed_class_elsewhere(town)
        before = clawing_back._account(town.platform, town.account_id)
        settle_outside(town, collected(town, training), (voucher_id, paid_outside(FACE_VALUE)))
        looks, look = [before], clawing_back._account
        monkeypatch.setattr(clawing_back, "_account", lambda p, one: looks.pop() if looks else look(p, one))

        claw_back(town, voucher_id, FACE_VALUE)

        assert not looks
        assert town.balances()[Balance.RECOVERED] == FACE_VALUE

    def test_given_16_threads_when_each_claws_all_back_then_one_does(self, strict_world: World) -> None:
        town = with_clerks(strict_world)
        _, (voucher_id,) = a_paid_class(town)

        told = at_once([partial(claw_back, town, voucher_id, FACE_VALUE, key=f"c{i}") for i in range(16)])

        assert sum(not isinstance(one, DomainError) for one in told) == 1
        assert {one.code for one in told if isinstance(one, DomainError)} <= {"nothing_to_recover", "contended"}
        assert town.balances()[Balance.RECOVERED] == voucher(town, voucher_id).recovered_fen == FACE_VALUE
        town.check_laws(town.vouchers())

    @staticmethod
    def _somebody(town: World):  # type: ignore[no-untyped-def]
        from tests.world import a_person

        return a_person(), town.publish(1)


def a_completed_class_elsewhere(world: World) -> tuple[TrainingClass, list[str]]:
    world.rules(external_settlement=True)
    return a_completed_class(world, 1)
