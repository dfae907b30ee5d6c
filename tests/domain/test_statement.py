"""Monthly statements: the sum of the postings, month after month."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import calendar, fund
from chalicelib.domain.errors import BudgetExceeded, StatementNotFound
from chalicelib.domain.fund import Account, Balance, Posting, PostingKind
from chalicelib.domain.statement import SETTLING, statement_of

OPENED = datetime(2021, 3, 31, 15, 59, tzinfo=UTC)  # 23:59 of the day in China
LEGS = {
    PostingKind.BUDGET: (fund.budget_legs, None),
    PostingKind.RESERVE: (fund.reserve_legs, Balance.FREE),
    PostingKind.RELEASE: (fund.release_legs, Balance.RESERVED),
    PostingKind.APPROVE: (fund.approve_legs, Balance.RESERVED),
    PostingKind.WITHDRAW_APPROVAL: (fund.withdraw_approval_legs, Balance.PAYABLE),
    PostingKind.PAY: (fund.pay_legs, Balance.PAYABLE),
    PostingKind.RECOVER: (fund.recover_legs, Balance.PAID),
    PostingKind.TRANSFER: (fund.give_legs, Balance.FREE),
    PostingKind.CARRY_OVER: (fund.give_legs, Balance.FREE),
}
ZERO = dict.fromkeys(Balance, 0)


def post(account: Account, kind: PostingKind, amount: int, now: datetime) -> tuple[Account, Posting]:
    legs = LEGS[kind][0](amount)
    return fund.post(account, kind, legs, reference="R", app_key="A", operator_id="O", now=now)


def month_of(instant: datetime) -> str:
    return f"{calendar.local_date(instant):%Y-%m}"


def sums_of(postings: list[Posting]) -> dict[Balance, int]:
    return {balance: sum(one.legs.get(balance, 0) for one in postings) for balance in Balance}


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(PostingKind), st.integers(0, 10**6), st.integers(0, 60 * 24 * 3)), max_size=40
    )
)
def test_given_random_postings_over_months_when_told_then_each_statement_is_the_sum_of_its_postings(
    steps: list[tuple[PostingKind, int, int]],
) -> None:
    now = OPENED
    account, first = post(Account("440300-2021", "440300", 2021), PostingKind.BUDGET, 10**6, now)
    postings = [first]
    for kind, amount, quarters in steps:
        now += timedelta(minutes=15 * quarters)
        limit = LEGS[kind][1]
        account, posting = post(account, kind, min(amount, account.balances[limit]) if limit else amount, now)
        postings.append(posting)

    month, closing = date_of_month(OPENED), ZERO
    while month <= calendar.local_date(now).replace(day=1):
        name = f"{month:%Y-%m}"
        there = statement_of(account, name, now)
        mine = [one for one in postings if month_of(one.posted_at) == name]
        assert there.opening == closing
        assert dict(there.movements) == {
            kind: sums_of([one for one in mine if one.kind is kind])
            for kind in PostingKind
            if any(one.kind is kind for one in mine)
        }
        assert there.closing == sums_of([one for one in postings if month_of(one.posted_at) <= name])
        assert there.complete == (name < month_of(now - SETTLING))
        for sums in (there.opening, *there.movements.values(), there.closing):
            assert sum(sums.values()) == 0
        closing = dict(there.closing)
        month = (month + timedelta(days=31)).replace(day=1)
    assert closing == account.balances


def date_of_month(instant: datetime) -> date:
    return calendar.local_date(instant).replace(day=1)


@pytest.mark.parametrize(
    "month", ["2021-02", "2021-07", "2021-13", "2021-00", "2021-6", "x", "", "2021-03-01", "2０21-03"]
)
def test_given_a_month_that_has_no_statement_when_asked_then_told_which_have(month: str) -> None:
    account, _ = post(Account("440300-2021", "440300", 2021), PostingKind.BUDGET, 5, OPENED)

    with pytest.raises(StatementNotFound) as refused:
        statement_of(account, month, datetime(2021, 6, 30, 15, 59, tzinfo=UTC))

    assert (refused.value.facts["first_month"], refused.value.facts["last_month"]) == ("2021-03", "2021-06")


def test_given_months_in_which_nothing_was_posted_when_told_then_they_close_as_they_opened() -> None:
    account, _ = post(Account("440300-2021", "440300", 2021), PostingKind.BUDGET, 5, OPENED)
    now = datetime(2021, 6, 30, 16, 0, tzinfo=UTC)

    for month in ("2021-04", "2021-06", "2021-07"):
        there = statement_of(account, month, now)
        assert (there.opening, there.movements) == (there.closing, {})
        assert there.closing[Balance.FREE] == 5
    assert not statement_of(account, "2021-07", now).complete


def test_given_a_month_that_has_just_ended_when_told_then_complete_only_when_what_began_in_it_is_written() -> None:
    account, _ = post(Account("440300-2021", "440300", 2021), PostingKind.BUDGET, 5, OPENED)
    midnight = datetime(2021, 6, 30, 16, 0, tzinfo=UTC)

    told = [
        statement_of(account, "2021-06", midnight + after).complete for after in (-SETTLING, SETTLING / 2, SETTLING)
    ]
    assert told == [False, False, True]


def test_given_free_money_that_does_not_suffice_when_given_then_refused() -> None:
    account, _ = post(Account("440300-2021", "440300", 2021), PostingKind.BUDGET, 5, OPENED)
    with pytest.raises(BudgetExceeded):
        post(account, PostingKind.TRANSFER, 6, OPENED)
