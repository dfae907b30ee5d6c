"""The model can say no: to stories that cannot be, and to stores that are careless of one condition."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.models import Model as Row

from chalicelib.services.identifying import Presented
from chalicelib.storage import people, templates
from chalicelib.storage.rows import CaseworkRow, PeopleRow, ShardRow
from chalicelib.storage.transaction import Transaction
from tests.races.conftest import Ground
from tests.races.crowd import held_up
from tests.races.model import Act, Model, Template, Told, an_end
from tests.races.witness import Witness, a_witness
from tests.world import World, a_person

START = Model({"T": Template("published", 2, 2)})
CLAIM, USE = Act("claim", "T", "one"), Act("redeem", "T", "one")


def end_of(*told: tuple[Act, float, float, str]) -> Model | None:
    return an_end(START, [Told(*one) for one in told], lambda _: True)


# --- stories ---------------------------------------------------------------------------------------------------------


def test_given_acts_that_overlap_when_any_order_explains_them_then_they_fit() -> None:
    back, use_again = Act("reverse", "T", "one"), Act("redeem", "T", "one", key="again")

    end = end_of(
        (use_again, 2, 9, "redeemed 4"),
        (back, 2, 9, "claimed 3"),
        (USE, 2, 9, "redeemed 2"),
        (Act("redeem", "T", "one", key="late"), 2, 9, "already_redeemed"),
        (CLAIM, 0, 1, "claimed 1"),
    )

    assert end is not None
    assert end.vouchers["one", "T"].steps == ("claim", "redeem", "reverse", "redeem")


CLAIMED = (CLAIM, 0.0, 1.0, "claimed 1")
OTHER_USE = Act("redeem", "T", "one", "other")
SUSPENDED = Told(Act("suspend", "T"), 0, 1, "suspended 2")


@pytest.mark.parametrize(
    "story",
    [
        [CLAIMED, (USE, 2, 3, "redeemed 2"), (OTHER_USE, 2, 3, "redeemed 2")],
        [CLAIMED, (USE, 2, 3, "already_redeemed")],
        [CLAIMED, (USE, 4, 5, "redeemed 2"), (OTHER_USE, 2, 3, "already_redeemed")],
        [(Act("claim", "T", who), 0, 1, "claimed 1") for who in ("one", "two", "three")],
        [(CLAIM, 0, 1, "sold_out")],
        [(Act("budget", amount=-1), 0, 1, "free -1")],
    ],
    ids=["used twice", "refused for nothing", "known beforehand", "one too many", "not sold out", "no money"],
)
def test_given_a_story_that_cannot_be_when_held_against_the_model_then_it_does_not_fit(
    story: list[tuple[Act, float, float, str]],
) -> None:
    assert end_of(*story) is None


@pytest.mark.parametrize(("began", "fits"), [(0.5, True), (1.5, False)])
def test_given_a_suspension_that_is_over_when_a_claim_begins_after_it_then_it_does_not_fit(
    began: float, fits: bool
) -> None:
    everywhere = Told(Act("shut", "T"), 0, 1, "", behind=SUSPENDED)

    end = an_end(START, [everywhere, SUSPENDED, Told(CLAIM, began, 2, "claimed 1")], lambda _: True)

    assert (end is not None) == fits


def test_given_a_story_that_can_be_when_the_tables_ended_otherwise_then_it_does_not_fit() -> None:
    assert an_end(START, [Told(CLAIM, 0, 1, "claimed 1")], lambda model: not model.vouchers) is None


# --- careless stores -------------------------------------------------------------------------------------------------


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Row], Callable[[Any], Any]], None]:
    """Makes every store forget what it must compare: ``instead`` says which condition a row's write has then."""

    def forget(kind: type[Row], instead: Callable[[Any], Any]) -> None:
        class Careless(Transaction):
            def check(self, row: Row, condition: Any, otherwise: Any) -> None:
                if not isinstance(row, kind):
                    super().check(row, condition, otherwise)

            def put(self, row: Row, condition: Any, otherwise: Any) -> None:
                super().put(row, instead(row) if isinstance(row, kind) else condition, otherwise)

            def update(self, row: Row, actions: Any, condition: Any, otherwise: Any) -> None:
                super().update(row, actions, instead(row) if isinstance(row, kind) else condition, otherwise)

        for room in (people, templates):
            monkeypatch.setattr(room, "Transaction", Careless)

    return forget


def test_given_a_store_that_compares_the_state_when_a_use_was_reversed_meanwhile_then_the_model_sees_the_lost_steps(
    ground: Ground, careless: Any
) -> None:
    mine, other, *_ = ground.worlds()
    template, person = mine.publish(5), a_person()
    witness = a_witness(mine, template)
    voucher_id = witness.claim(mine, person, template).answer.voucher_id
    code = Presented(code=mine.code(person, voucher_id))
    witness.must_fit()

    def as_it_was(row: PeopleRow) -> Any:
        """The state from which the row's last step went out, instead of the version."""
        body = json.loads(row.body or "{}")
        if "state" not in body or len(body["history"]) == 1:
            return PeopleRow.person.does_not_exist() | PeopleRow.person.exists()
        before = json.loads(body["history"][-1]["text"])["from"]
        return PeopleRow.body.contains(f'"state":"{before}"')

    def use_and_reverse() -> None:
        witness.redeem(other, person, template, code)
        witness.reverse(other, person, template)

    careless(PeopleRow, as_it_was)
    witness.redeem(held_up(mine, "people", ["record_step"], use_and_reverse), person, template, code)

    assert [one.answer for one in witness.told] == ["redeemed 2", "claimed 3", "redeemed 2"]
    assert witness.fits() is None


def test_given_a_store_that_forgets_the_person_when_two_templates_are_claimed_then_the_model_sees_two_in_one_hand(
    one_hand: Ground, careless: Any
) -> None:
    mine, other, *_ = one_hand.worlds()
    first, second, third = (mine.publish(5) for _ in range(3))
    person = a_person()
    witness = a_witness(mine, first, second, third, one_at_a_time=True)
    witness.claim(mine, person, third)
    witness.give_back(mine, person, third)
    witness.must_fit()

    careless(PeopleRow, lambda row: PeopleRow.person.does_not_exist() | PeopleRow.person.exists())
    late = held_up(mine, "people", ["record_claim"], lambda: witness.claim(other, person, second))
    witness.claim(late, person, first)

    assert [one.answer for one in witness.told] == ["claimed 1", "claimed 1"]
    assert witness.fits() is None


@pytest.mark.parametrize(
    ("others", "forgotten"),
    [
        (lambda witness, world, template: witness.claim(world, a_person(), template), "remaining"),
        (lambda witness, world, template: witness.act(world, "close", template), "open"),
    ],
    ids=["the last one", "closed"],
)
def test_given_a_store_that_forgets_the_shard_when_others_were_quicker_then_the_model_sees_one_too_many(
    ground: Ground, careless: Any, others: Callable[[Witness, World, Any], object], forgotten: str
) -> None:
    mine, other, *_ = ground.worlds()
    template = mine.publish(1)
    witness = a_witness(mine, template)

    def act_first() -> None:
        others(witness, other, template)

    careless(ShardRow, lambda row: ShardRow.subject.exists())
    witness.claim(held_up(mine, "people", ["record_claim"], act_first), a_person(), template)

    assert witness.told[-1].answer == "claimed 1", forgotten
    assert witness.fits() is None


def test_given_a_store_that_forgets_the_account_when_the_budget_was_cut_then_the_model_sees_money_from_nowhere(
    ground: Ground, careless: Any
) -> None:
    mine, other, *_ = ground.worlds(budget=5)
    template = mine.draft(5)
    witness = a_witness(mine, template)

    careless(CaseworkRow, lambda row: CaseworkRow.subject.does_not_exist() | CaseworkRow.subject.exists())
    late = held_up(mine, "templates", ["change"], lambda: witness.budget(other, -5))
    witness.act(late, "publish", template)

    assert [one.answer for one in witness.told] == ["free 0", "published 5"]
    assert witness.fits() is None
