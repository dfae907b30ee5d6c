"""Templates, their terms and shards: what each write of the settling may do, and what it must not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import fund
from chalicelib.domain import template as rules
from chalicelib.domain.errors import Invalid
from chalicelib.domain.fund import Account, Balance, Posting, PostingKind, budget_legs, reserve_legs
from chalicelib.domain.outcomes import RequestSeen, StaleRow
from chalicelib.domain.region import Region
from chalicelib.domain.template import (
    BusinessMode,
    DistributionMode,
    FunctionMode,
    Look,
    Shard,
    Template,
    TemplateState,
    Terms,
)
from chalicelib.domain.voucher import State
from chalicelib.services.ports import Platform
from tests.domain.builders import CEILING, CLAIMED_AT, a_shard, a_template, some_terms
from tests.storage.arranging import a_mark, an_id, joined, some_stock, walk

FULL: dict[str, Any] = {
    "look": Look("券", "#000000", "#111111", "looks/a.png", "注意事项"),
    "peak_claims": 900,
    "quantity": 12_000_000,
    "made_at": CLAIMED_AT + timedelta(milliseconds=7),
    "unallotted": 5,
    "shards": 128,
    "gate": 3,
    "gate_reached": 2,
    "released": True,
    "published_at": CLAIMED_AT,
    "version": 4,
}


def added(stores: Platform, **changes: Any) -> Template:
    template = a_template(**{"template_id": an_id(), **changes})
    stores.templates.add(template, some_terms(template_id=template.template_id), a_mark())
    return template


def shards_of(stores: Platform, template: Template) -> list[Shard]:
    return stores.templates.shards(template)


# --- heads and terms -----------------------------------------------------------------------------------------------


def test_given_a_template_when_added_then_any_container_reads_it_and_its_terms_the_same(
    stores: Platform, elsewhere: Platform
) -> None:
    template = a_template(TemplateState.SUSPENDED, template_id=an_id(), **FULL)
    terms = Terms(
        template_id=template.template_id,
        version=1,
        business_mode=BusinessMode.UPSKILLING,
        function_mode=FunctionMode.NO_FACE_VALUE,
        distribution_mode=DistributionMode.DIRECTED,
        programme_id="P1",
        programme_type="enterprise",
        occupation="4-02-02-01",
        level=5,
        face_value_fen=0,
        ceiling_fen=10**15,
        claim_from=CLAIMED_AT.date(),
        claim_until=CLAIMED_AT.date(),
        valid_from=CLAIMED_AT.date(),
        valid_until=CLAIMED_AT.date(),
        courses=("C1", "C2"),
        institutions=("I1",),
    )

    stores.templates.add(template, terms, a_mark())

    assert elsewhere.templates.read(template.template_id) == template
    assert elsewhere.templates.get(template.template_id) == template
    assert elsewhere.templates.terms(template.template_id, 1) == terms
    assert elsewhere.templates.read(an_id()) is None


def test_given_terms_that_were_never_written_when_asked_for_then_that_is_our_own_mistake(stores: Platform) -> None:
    template = added(stores)

    with pytest.raises(LookupError):
        stores.templates.terms(template.template_id, 2)


def test_given_a_template_when_its_id_is_taken_or_its_request_seen_then_nothing_is_overwritten(
    stores: Platform,
) -> None:
    mark = a_mark()
    template = a_template(template_id=an_id())
    terms = some_terms(template_id=template.template_id)
    stores.templates.add(template, terms, mark)
    other = replace(template, quantity=7)

    with pytest.raises(StaleRow):
        stores.templates.add(other, replace(terms, ceiling_fen=1), a_mark())
    with pytest.raises(RequestSeen):
        stores.templates.add(other, replace(terms, ceiling_fen=1), mark)

    assert stores.templates.read(template.template_id) == template
    assert stores.templates.terms(template.template_id, 1) == terms


def test_given_a_template_when_changed_then_only_from_the_version_that_was_read(
    stores: Platform, elsewhere: Platform
) -> None:
    template = added(stores)
    assert elsewhere.templates.get(template.template_id) == template
    after = replace(template, state=TemplateState.SUSPENDED, version=2)
    mark = a_mark()
    stores.templates.change(after, mark)

    for version in (1, 2, 4):
        with pytest.raises(StaleRow):
            stores.templates.change(replace(template, quantity=1, version=version), a_mark())
    with pytest.raises(RequestSeen):
        stores.templates.change(replace(template, version=2), mark)

    assert stores.templates.get(template.template_id) == after  # who changed it forgets at once
    assert elsewhere.templates.get(template.template_id) == template  # another may lag for a minute
    assert elsewhere.templates.read(template.template_id) == after
    assert elsewhere.templates.get(template.template_id) == after  # and has learned by reading


def test_given_an_act_that_moves_money_when_either_row_is_stale_then_neither_is_written(stores: Platform) -> None:
    region = an_id()
    opened = posted_by(Account(f"{region}-2021", region, 2021), PostingKind.BUDGET, budget_legs(1_000))
    stores.accounts.open(opened[0], opened[1], a_mark())
    account = opened[0]
    template = added(stores, account_id=account.account_id)
    after = replace(template, version=2)
    posted = posted_by(account, PostingKind.RESERVE, reserve_legs(100))
    stale_money = posted_by(replace(account, version=0), PostingKind.RESERVE, reserve_legs(100))
    mark = a_mark()

    with pytest.raises(StaleRow):
        stores.templates.change(after, mark, stale_money)
    with pytest.raises(StaleRow):
        stores.templates.change(replace(after, version=3), mark, posted)

    assert stores.templates.read(template.template_id) == template
    assert stores.accounts.read(account.account_id) == account
    assert stores.marks.find(mark.attempt, str, CLAIMED_AT) is None

    stores.templates.change(after, mark, posted)

    assert stores.templates.read(template.template_id) == after
    assert stores.accounts.read(account.account_id) == posted[0]
    assert stores.accounts.postings(account.account_id, 9, None).items == (opened[1], posted[1])


def posted_by(account: Account, kind: PostingKind, legs: dict[Balance, int]) -> tuple[Account, Posting]:
    return fund.post(account, kind, legs, reference="r", app_key="APPKEY", operator_id=None, now=CLAIMED_AT)


def test_given_templates_of_a_region_when_walked_then_each_stands_once_the_oldest_first(stores: Platform) -> None:
    region = an_id()
    ages = [timedelta(milliseconds=n) for n in (5, 0, 1000, 999, 0)]
    made = [added(stores, region=region, made_at=CLAIMED_AT + age) for age in ages]
    added(stores, region=an_id())

    pages = walk(lambda cursor: stores.templates.page(region, 2, cursor))

    assert joined(pages) == sorted(made, key=lambda one: (one.made_at, one.template_id))
    assert [len(page) for page in pages] == [2, 2, 1]


def test_given_a_cursor_of_a_region_s_templates_when_used_elsewhere_then_it_is_refused(stores: Platform) -> None:
    region = an_id()
    for _ in range(2):
        added(stores, region=region)
    cursor = stores.templates.page(region, 1, None).cursor
    assert cursor is not None

    with pytest.raises(Invalid):
        stores.templates.page(an_id(), 1, cursor)
    with pytest.raises(Invalid):
        stores.catalogue.programmes.page(region, 1, cursor)


def test_given_a_region_and_its_templates_when_listed_then_neither_list_holds_the_other(stores: Platform) -> None:
    """Both stand in one table, and a region's rule sets in its own partition."""
    code = an_id()
    stores.catalogue.regions.add(Region(code, "某市", "A city", "city", "440000"), None)
    template = added(stores, region=code)

    assert stores.templates.page(code, 9, None).items == (template,)
    assert stores.catalogue.programmes.page(code, 9, None).items == ()


# --- shards --------------------------------------------------------------------------------------------------------


def test_given_a_shard_with_every_number_when_dealt_then_it_comes_back_the_same(
    stores: Platform, elsewhere: Platform
) -> None:
    counts = {state: n for n, state in enumerate(State, start=1)}
    template = added(stores, quantity=10**9, unallotted=10**9)
    shard = Shard(
        template_id=template.template_id,
        number=127,
        open=False,
        gate=9,
        terms_version=3,
        quantity=10**9,
        remaining=10**9 - 45,
        reserved_fen=10**15 + 1,
        made=45,
        released=0,
        to_release_fen=10**16 + 3,
        ever_claimed=44,
        ever_redeemed=43,
        counts=counts,
        version=8,
    )
    dealt = replace(template, unallotted=0, shards=128, version=2)

    stores.templates.deal(dealt, {}, [shard])

    assert elsewhere.templates.shards(dealt) == [shard]
    assert elsewhere.templates.read(template.template_id) == dealt


def test_given_128_shards_when_read_together_then_all_come_in_order_of_their_number(stores: Platform) -> None:
    template = added(stores, quantity=128, unallotted=128, version=1)
    numbers = list(range(128))
    for chunk in (numbers[:90], numbers[90:]):
        after = rules.deal(template, dict.fromkeys(chunk, 1))
        stores.templates.deal(after, {}, [a_shard(n, 1, template_id=template.template_id) for n in chunk])
        template = after

    assert [shard.number for shard in shards_of(stores, template)] == numbers


def test_given_more_stock_when_dealt_then_it_is_added_to_what_claims_have_left_by_then(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10, 1: 20})
    more = rules.add(template, 7)
    stores.templates.change(more, a_mark())

    stores.templates.deal(rules.deal(more, {0: 5, 1: 2}), {0: 5, 1: 2}, [])

    first, second = shards_of(stores, template)
    assert (first.quantity, first.remaining, first.reserved_fen) == (15, 15, 15 * CEILING)
    assert (second.quantity, second.remaining, second.reserved_fen) == (22, 22, 22 * CEILING)
    assert (first.version, second.version) == (2, 2)


def test_given_a_deal_when_any_of_its_rows_is_not_as_it_was_read_then_nothing_is_dealt(stores: Platform) -> None:
    template = rules.add(some_stock(stores, shards={0: 10}), 5)
    stores.templates.change(template, a_mark())
    after = rules.deal(template, {0: 5})
    number_taken = a_shard(0, 5, template_id=template.template_id)

    with pytest.raises(StaleRow):  # the template has moved on
        stores.templates.deal(replace(after, version=after.version + 1), {0: 5}, [])
    with pytest.raises(StaleRow):  # another has created the shard by now
        stores.templates.deal(after, {}, [number_taken])
    with pytest.raises(StaleRow):  # a shard that is not there is not made by adding to it
        stores.templates.deal(after, {0: 4, 1: 1}, [])

    assert [shard.quantity for shard in shards_of(stores, replace(template, shards=2))] == [10]
    assert stores.templates.read(template.template_id) == template


def test_given_a_new_gate_when_set_then_shards_open_and_shut_with_the_template(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10, 1: 10}, gate=1)
    suspended = replace(template, state=TemplateState.SUSPENDED, gate=2)
    resumed = replace(template, state=TemplateState.PUBLISHED, gate=3, terms_version=2)

    stores.templates.set_gate(suspended, [0])
    assert [(s.open, s.gate) for s in shards_of(stores, template)] == [(False, 2), (True, 1)]
    stores.templates.set_gate(resumed, [0, 1])

    assert [(s.open, s.gate, s.terms_version) for s in shards_of(stores, template)] == [(True, 3, 2)] * 2
    assert [(s.quantity, s.remaining) for s in shards_of(stores, template)] == [(10, 10)] * 2


def test_given_a_late_write_of_an_older_act_when_it_meets_a_newer_gate_then_it_is_passed_over(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 10, 1: 10}, gate=1)
    stores.templates.set_gate(replace(template, state=TemplateState.SUSPENDED, gate=3), [0])

    stores.templates.set_gate(replace(template, state=TemplateState.PUBLISHED, gate=2), [0, 1])
    stores.templates.set_gate(replace(template, state=TemplateState.PUBLISHED, gate=3), [0])

    assert [(s.open, s.gate) for s in shards_of(stores, template)] == [(False, 3), (True, 2)]


def test_given_a_shard_that_is_missing_when_its_gate_is_set_then_it_is_not_made(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10}, gate=1)

    stores.templates.set_gate(replace(template, gate=2), [0, 1])

    assert [shard.number for shard in shards_of(stores, replace(template, shards=2))] == [0]


def test_given_what_remains_when_released_then_once_and_only_as_it_was_read(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10})
    (before,) = shards_of(stores, template)
    after = rules.release(before, CEILING)
    stores.templates.release(before, after)

    with pytest.raises(StaleRow):
        stores.templates.release(before, after)

    assert shards_of(stores, template) == [after]
    assert (after.remaining, after.released, after.reserved_fen, after.to_release_fen) == (0, 10, 0, 10 * CEILING)
