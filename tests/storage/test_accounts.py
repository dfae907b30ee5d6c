"""Special accounts and their postings: one transaction, one number after the other."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain import fund
from chalicelib.domain.errors import AlreadyExists, Invalid
from chalicelib.domain.fund import Account, Balance, Posting, PostingKind, account_id_of, budget_legs, reserve_legs
from chalicelib.domain.outcomes import RequestSeen, StaleRow
from chalicelib.services.ports import Platform
from tests.domain.builders import CLAIMED_AT
from tests.storage.arranging import a_mark, an_id, joined, walk

MOST = 10**15


def posted(account: Account, amount: int, kind: PostingKind = PostingKind.BUDGET) -> tuple[Account, Posting]:
    legs = budget_legs(amount) if kind is PostingKind.BUDGET else reserve_legs(amount)
    return fund.post(
        account, kind, legs, reference="2021年度", app_key="APPKEY", operator_id="OPERATOR", now=CLAIMED_AT
    )


def an_account(stores: Platform, region: str | None = None, year: int = 2021, budget: int = MOST) -> Account:
    place = region or an_id()
    account, posting = posted(Account(account_id_of(place, year), place, year), budget)
    stores.accounts.open(account, posting, a_mark())
    return account


def all_postings(stores: Platform, account_id: str, limit: int = 100) -> list[Posting]:
    return joined(walk(lambda cursor: stores.accounts.postings(account_id, limit, cursor)))


def test_given_an_account_when_opened_and_posted_to_then_it_and_its_postings_come_back_the_same(
    stores: Platform, elsewhere: Platform
) -> None:
    opened, first = posted(Account("X-2021", "X", 2021), MOST)
    region = an_id()
    opened = replace(opened, account_id=f"{region}-2021", region=region)
    first = replace(first, account_id=opened.account_id)
    stores.accounts.open(opened, first, a_mark())
    assert elsewhere.accounts.read(opened.account_id) == opened
    after, second = posted(opened, 7, PostingKind.RESERVE)

    stores.accounts.post(after, second, a_mark())

    kept = elsewhere.accounts.read(opened.account_id)
    assert kept == after
    assert (kept.balances[Balance.FREE], kept.balances[Balance.RESERVED], kept.budget) == (MOST - 7, 7, MOST)
    assert all_postings(elsewhere, opened.account_id) == [first, second]
    assert elsewhere.accounts.read(an_id()) is None


def test_given_an_account_when_opened_again_then_it_exists_and_keeps_its_budget(stores: Platform) -> None:
    account = an_account(stores)
    again, posting = posted(Account(account.account_id, account.region, account.year), 5)

    with pytest.raises(AlreadyExists) as refused:
        stores.accounts.open(again, posting, a_mark())

    assert refused.value.facts == {"what": account.account_id}
    assert stores.accounts.read(account.account_id) == account
    assert len(all_postings(stores, account.account_id)) == 1


def test_given_two_who_read_the_same_balance_when_both_post_then_the_second_is_stale_and_posts_nothing(
    stores: Platform,
) -> None:
    account = an_account(stores)
    first, second = posted(account, 5, PostingKind.RESERVE), posted(account, 9, PostingKind.RESERVE)
    stores.accounts.post(*first, a_mark())

    with pytest.raises(StaleRow):
        stores.accounts.post(*second, a_mark())

    assert stores.accounts.read(account.account_id) == first[0]
    assert all_postings(stores, account.account_id)[1:] == [first[1]]


def test_given_an_account_that_nobody_opened_when_posted_to_then_nothing_is_written(stores: Platform) -> None:
    after, posting = posted(Account(f"{an_id()}-2021", "X", 2021, version=4), 5)

    with pytest.raises(StaleRow):
        stores.accounts.post(after, posting, a_mark())

    assert stores.accounts.read(after.account_id) is None
    assert all_postings(stores, after.account_id) == []


def test_given_a_request_that_was_seen_when_it_posts_again_then_that_is_said_first(stores: Platform) -> None:
    account, mark = an_account(stores), a_mark()
    stale = posted(account, 5)
    stores.accounts.post(*stale, mark)

    with pytest.raises(RequestSeen):
        stores.accounts.post(*stale, mark)

    assert len(all_postings(stores, account.account_id)) == 2


def test_given_a_posting_that_is_refused_when_its_mark_is_looked_for_then_there_is_none(stores: Platform) -> None:
    account, mark = an_account(stores), a_mark()
    stores.accounts.post(*posted(account, 5), a_mark())

    with pytest.raises(StaleRow):
        stores.accounts.post(*posted(account, 5), mark)

    assert stores.marks.find(mark.attempt, str, CLAIMED_AT) is None


def test_given_many_postings_when_walked_then_each_stands_once_in_order_of_its_number(stores: Platform) -> None:
    account = an_account(stores)
    for _ in range(11):
        account, posting = posted(account, 1)
        stores.accounts.post(account, posting, a_mark())

    found = all_postings(stores, account.account_id, limit=5)

    assert [one.number for one in found] == list(range(1, 13))
    assert {b: sum(one.legs.get(b, 0) for one in found) for b in Balance} == account.balances


def test_given_a_cursor_of_one_account_s_postings_when_used_for_another_then_it_is_refused(stores: Platform) -> None:
    one, other = an_account(stores), an_account(stores)
    stores.accounts.post(*posted(one, 5), a_mark())
    cursor = stores.accounts.postings(one.account_id, 1, None).cursor
    assert cursor is not None

    lists: list[Any] = [
        lambda: stores.accounts.postings(other.account_id, 1, cursor),
        lambda: stores.accounts.page(one.region, 1, cursor),
        lambda: stores.accounts.page(one.account_id, 1, cursor),
    ]
    for another_list in lists:
        with pytest.raises(Invalid):
            another_list()


def test_given_a_region_s_accounts_when_paged_then_each_year_stands_once_and_none_of_another_region(
    stores: Platform,
) -> None:
    region = an_id()
    accounts = [an_account(stores, region, year) for year in (2023, 2021, 2022)]
    an_account(stores)

    pages = walk(lambda cursor: stores.accounts.page(region, 2, cursor))

    assert joined(pages) == sorted(accounts, key=lambda one: one.year)
