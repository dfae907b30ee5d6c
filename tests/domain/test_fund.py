"""Special accounts: double entry, sums of zero, and a free balance that never falls below zero."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import fund
from chalicelib.domain.errors import BudgetExceeded
from chalicelib.domain.fund import Account, Balance, Posting, PostingKind
from tests.domain.builders import CITY, NOW

EMPTY = Account("440300-2021", CITY, 2021)
AMOUNTS = st.integers(0, 10**15)


def post(account: Account, legs: Mapping[Balance, int], kind: PostingKind = PostingKind.BUDGET) -> Account:
    return fund.post(account, kind, legs, reference="r", app_key="APPKEY", operator_id="OP", now=NOW)[0]


def funded(amount: int = 1_000) -> Account:
    return post(EMPTY, fund.budget_legs(amount))


class TestLegs:
    @given(st.integers(-(10**15), 10**15))
    def test_given_any_amount_when_its_legs_are_made_then_they_sum_to_zero(self, amount: int) -> None:
        for legs in (fund.budget_legs(amount), fund.reserve_legs(amount)):
            assert sum(legs.values()) == 0
            assert legs[Balance.FREE] == (amount if Balance.SOURCE in legs else -amount)

    def test_given_a_budget_when_posted_then_it_is_free_and_its_source_is_the_other_side(self) -> None:
        account = funded(1_000)

        assert account.balances == dict.fromkeys(Balance, 0) | {Balance.SOURCE: -1_000, Balance.FREE: 1_000}
        assert (account.budget, account.version) == (1_000, 1)

    def test_given_a_published_template_when_reserved_then_free_becomes_reserved_and_the_budget_stays(self) -> None:
        account = post(funded(1_000), fund.reserve_legs(400), PostingKind.RESERVE)

        assert (account.balances[Balance.FREE], account.balances[Balance.RESERVED], account.budget) == (600, 400, 1_000)

    def test_given_more_of_the_budget_when_reserved_again_then_it_adds_up(self) -> None:
        account = post(post(funded(1_000), fund.reserve_legs(400)), fund.reserve_legs(600))

        assert (account.balances[Balance.FREE], account.balances[Balance.RESERVED]) == (0, 1_000)


class TestFreeIsNeverNegative:
    @pytest.mark.parametrize(("legs", "needed"), [(fund.reserve_legs(1_001), 1_001), (fund.budget_legs(-1_001), 1_001)])
    def test_given_too_little_when_posted_then_it_says_what_is_needed_and_what_is_free(
        self, legs: dict[Balance, int], needed: int
    ) -> None:
        before = funded(1_000)

        with pytest.raises(BudgetExceeded) as refused:
            post(before, legs)

        assert refused.value.facts == {"needed_fen": needed, "free_fen": 1_000}
        assert before == funded(1_000)

    @pytest.mark.parametrize("legs", [fund.reserve_legs(1_000), fund.budget_legs(-1_000)])
    def test_given_exactly_enough_when_posted_then_nothing_is_left_free(self, legs: dict[Balance, int]) -> None:
        assert post(funded(1_000), legs).balances[Balance.FREE] == 0

    def test_given_reserved_money_when_the_budget_is_taken_back_then_only_what_is_free_can_go(self) -> None:
        account = post(funded(1_000), fund.reserve_legs(400))

        assert post(account, fund.budget_legs(-600)).budget == 400
        with pytest.raises(BudgetExceeded):
            post(account, fund.budget_legs(-601))

    @given(st.lists(st.tuples(st.sampled_from(["budget", "cut", "reserve"]), AMOUNTS), max_size=30))
    def test_given_any_postings_when_made_then_the_laws_hold_and_balances_are_the_sums_of_legs(
        self, acts: list[tuple[str, int]]
    ) -> None:
        account, postings = EMPTY, list[Posting]()

        for act, amount in acts:
            legs = (
                fund.reserve_legs(amount) if act == "reserve" else fund.budget_legs(-amount if act == "cut" else amount)
            )
            try:
                account, posting = fund.post(
                    account, PostingKind.BUDGET, legs, reference="r", app_key="A", operator_id=None, now=NOW
                )
            except BudgetExceeded:
                assert account.balances[Balance.FREE] + legs[Balance.FREE] < 0
                continue
            postings.append(posting)
            assert sum(account.balances.values()) == 0
            assert account.budget == sum(n for balance, n in account.balances.items() if balance is not Balance.SOURCE)
            assert account.balances[Balance.FREE] >= 0

        assert account.balances == {b: sum(p.legs.get(b, 0) for p in postings) for b in Balance}
        assert [posting.number for posting in postings] == list(range(1, account.version + 1))


class TestPostings:
    @pytest.mark.parametrize("kind", PostingKind)
    def test_given_each_kind_when_posted_then_the_posting_says_who_what_and_when(self, kind: PostingKind) -> None:
        legs = fund.budget_legs(5)

        after, posting = fund.post(
            replace(EMPTY, version=6), kind, legs, reference="TEMPLATE-1", app_key="APPKEY", operator_id="OP", now=NOW
        )

        assert posting == Posting(EMPTY.account_id, 7, kind, legs, "TEMPLATE-1", "APPKEY", "OP", NOW)
        assert after.version == 7

    def test_given_legs_when_they_change_later_then_the_posting_does_not(self) -> None:
        legs = fund.budget_legs(5)
        _, posting = fund.post(EMPTY, PostingKind.BUDGET, legs, reference="r", app_key="A", operator_id=None, now=NOW)

        legs[Balance.FREE] = 500

        assert posting.legs[Balance.FREE] == 5

    def test_given_legs_that_do_not_sum_to_zero_when_posted_then_it_stops(self) -> None:
        with pytest.raises(AssertionError, match="legs sum to zero"):
            post(EMPTY, {Balance.FREE: 1})

    def test_given_balances_that_do_not_sum_to_zero_when_an_account_is_made_then_it_stops(self) -> None:
        with pytest.raises(AssertionError, match="balances sum to zero"):
            Account("440300-2021", CITY, 2021, dict.fromkeys(Balance, 0) | {Balance.PAID: 1})

    def test_given_a_region_and_a_year_when_named_then_the_account_s_id_says_both(self) -> None:
        assert fund.account_id_of(CITY, 2021) == "440300-2021"
