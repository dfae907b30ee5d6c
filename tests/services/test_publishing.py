"""Acts on templates, each in a world of its own account: refused ones change no row, cut-off ones are finished exactly.

``test_publishing_cut_off.py`` goes through what is refused and stops the machine around calls of the store; here it
stops before each transaction of each act, wherever that is.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import AccountNotFound, BudgetExceeded, Invalid, SoldOut, TemplateNotOpen
from chalicelib.domain.fund import Balance, Posting, PostingKind
from chalicelib.domain.programme import Programme
from chalicelib.domain.template import FunctionMode, Template, TemplateState, is_settled
from chalicelib.domain.voucher import State
from chalicelib.services import funding, publishing
from chalicelib.services.identifying import Presented
from chalicelib.services.ports import Platform
from tests.storage.worlds import all_rows, own_world
from tests.world import CITY, FACE_VALUE, OTHER_CITY, PROVINCE, World, a_person

WIDE: dict[str, Any] = {"quantity": 190, "peak_claims": 95 * 12}  # 95 shards: more than one transaction holds


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def postings(world: World) -> list[Posting]:
    return list(world.platform.accounts.postings(world.account_id, 1000, None).items)


def reserved(world: World) -> list[int]:
    """The amounts that were reserved, one after the other."""
    return [one.legs[Balance.RESERVED] for one in postings(world) if one.kind is PostingKind.RESERVE]


def raise_budget(world: World, amount: int) -> None:
    p = world.platform
    funding.change_budget(
        p.accounts, p.marks, account_id=world.account_id, amount_fen=amount, note="追加", **world.by(world.bureau)
    )


def check_books(world: World) -> None:
    """Each posting sums to zero, none is missing, and the world keeps its laws."""
    made = postings(world)
    assert [one.number for one in made] == list(range(1, len(made) + 1))
    assert {sum(one.legs.values()) for one in made} == {0}
    world.check_laws()


# --- drafts --------------------------------------------------------------------------------------------------------


def a_programme_of(world: World, region: str) -> str:
    programme_id = world.platform.chance.short_id()
    programme = Programme(programme_id, region, "项目", "A programme", "enterprise", FACE_VALUE)
    world.platform.catalogue.programmes.add(programme, None)
    return programme_id


@pytest.mark.parametrize("region", ["000000", PROVINCE, CITY])
def test_given_a_programme_of_the_region_or_of_one_above_when_drafted_for_then_it_is_kept(
    world: World, region: str
) -> None:
    draft = world.draft(programme_id=a_programme_of(world, region))

    assert world.template(draft.template_id) == draft
    assert reserved(world) == []


@pytest.mark.parametrize("region", [OTHER_CITY, "440305"], ids=["beside it", "below it"])
def test_given_a_programme_of_any_other_region_when_drafted_for_then_it_is_refused(world: World, region: str) -> None:
    programme_id = a_programme_of(world, region)
    before = all_rows(world)

    with pytest.raises(Invalid) as refused:
        world.draft(programme_id=programme_id)

    assert refused.value.pointer == "/programme_id"
    assert all_rows(world) == before


@pytest.mark.parametrize("face_value", [-1, 0, FACE_VALUE + 1])
def test_given_a_face_value_outside_the_standard_when_drafted_then_it_is_refused(world: World, face_value: int) -> None:
    with pytest.raises(Invalid) as refused:
        world.draft(face_value_fen=face_value)

    assert refused.value.pointer == "/face_value_fen"
    assert world.templates == []


def test_given_another_region_s_account_when_drafted_on_then_it_is_not_found(world: World) -> None:
    p, year = world.platform, int(world.account_id.partition("-")[2])
    other = funding.open_account(
        p.catalogue, p.accounts, p.marks, region=OTHER_CITY, year=year, budget_fen=1, **world.by(world.bureau)
    ).answer

    with pytest.raises(AccountNotFound):
        world.draft(account_id=other.account_id)


# --- money ---------------------------------------------------------------------------------------------------------


def test_given_a_budget_too_small_by_a_fen_when_published_then_no_row_is_changed_and_the_key_is_free(
    shared_world: World,
) -> None:
    world = own_world(shared_world, budget_fen=10 * FACE_VALUE - 1)
    template = world.draft(10)
    before = all_rows(world)

    with pytest.raises(BudgetExceeded) as refused:
        world.act(publishing.publish_template, template, key="publish")

    assert refused.value.facts == {"needed_fen": 10 * FACE_VALUE, "free_fen": 10 * FACE_VALUE - 1}
    assert all_rows(world) == before

    raise_budget(world, 1)
    done = world.act(publishing.publish_template, template, key="publish")

    assert not done.hit
    assert world.balances()[Balance.FREE] == 0
    assert world.stock(template).remaining == 10
    check_books(world)


def test_given_a_budget_too_small_by_a_voucher_when_quantity_is_added_then_no_row_is_changed(
    shared_world: World,
) -> None:
    world = own_world(shared_world, budget_fen=12 * FACE_VALUE)
    template = world.publish(10)
    before = all_rows(world)

    with pytest.raises(BudgetExceeded):
        world.act(publishing.add_quantity, template, 3)
    assert all_rows(world) == before

    world.act(publishing.add_quantity, template, 2)
    assert world.stock(template).remaining == 12
    check_books(world)


def test_given_one_budget_when_two_templates_want_it_all_then_only_the_first_is_published(shared_world: World) -> None:
    world = own_world(shared_world, budget_fen=10 * FACE_VALUE)
    first, second = world.draft(10), world.draft(10)
    world.act(publishing.publish_template, first)

    with pytest.raises(BudgetExceeded):
        world.act(publishing.publish_template, second)

    assert world.template(second.template_id) == second
    assert reserved(world) == [10 * FACE_VALUE]
    check_books(world)


def test_given_a_template_that_costs_nothing_when_published_and_added_to_then_nothing_is_posted(world: World) -> None:
    changes = {"function_mode": FunctionMode.NO_FACE_VALUE, "face_value_fen": 0, "attendance_only": True}
    template = world.publish(10, **changes)
    world.act(publishing.add_quantity, template, 5)

    assert reserved(world) == []
    assert world.stock(template).remaining == 15
    check_books(world)


def test_given_a_template_of_the_largest_size_when_published_then_128_shards_hold_it_all(world: World) -> None:
    template = world.publish(1_000_001)

    shards = world.platform.templates.shards(template)
    assert len(shards) == 128
    assert {shard.remaining for shard in shards} == {1_000_001 // 128, 1_000_001 // 128 + 1}
    assert all(shard.open and shard.gate == template.gate == template.gate_reached for shard in shards)
    assert reserved(world) == [1_000_001 * FACE_VALUE]
    check_books(world)


# --- claims meanwhile ----------------------------------------------------------------------------------------------


def test_given_a_sold_out_template_when_quantity_is_added_then_claims_go_on_until_that_is_gone(world: World) -> None:
    template = world.publish(1)
    world.claim(a_person(), template)
    with pytest.raises(SoldOut):
        world.claim(a_person(), template)

    world.act(publishing.add_quantity, template, 1)

    world.claim(a_person(), template)
    with pytest.raises(SoldOut):
        world.claim(a_person(), template)
    assert world.stock(template).made == 2
    check_books(world)


def test_given_a_suspended_template_when_claimed_anywhere_then_refused_while_use_goes_on_and_resuming_reopens_it(
    world: World,
) -> None:
    template, person = world.publish(10), a_person()
    unaware = world.another_container()
    voucher_id = unaware.claim(person, template).answer.voucher_id  # it remembers the template as published

    world.act(publishing.suspend_template, template)

    for container in (world, unaware):
        with pytest.raises(TemplateNotOpen) as refused:
            container.claim(a_person(), template)
        assert refused.value.facts == {"state": "suspended"}
    assert world.redeem(Presented(code=world.code(person, voucher_id))).answer.state is State.REDEEMED
    assert world.stock(template).made == 1

    world.act(publishing.resume_template, template)

    for container in (world, world.another_container()):  # one that saw it shut may remember that for a minute
        assert container.claim(a_person(), template).answer.state is State.CLAIMED
    check_books(world)


def test_given_a_closed_template_when_a_container_that_has_not_heard_claims_then_it_is_refused_and_nothing_is_lost(
    world: World,
) -> None:
    template, person = world.publish(30, peak_claims=24), a_person()
    unaware = world.another_container()
    voucher_id = unaware.claim(person, template).answer.voucher_id
    balances = world.balances()

    world.act(publishing.close_template, template)

    with pytest.raises(TemplateNotOpen) as refused:
        unaware.claim(a_person(), template)
    assert refused.value.facts == {"state": "closed"}
    stock = world.stock(template)
    assert (stock.quantity, stock.remaining, stock.made, stock.released, stock.unallotted) == (30, 0, 1, 29, 0)
    assert (stock.reserved_fen, stock.to_release_fen) == (FACE_VALUE, 29 * FACE_VALUE)
    assert world.balances() == balances  # the account follows when a job posts it

    world.give_back(person, voucher_id)

    stock = world.stock(template)
    assert (stock.remaining, stock.made, stock.released) == (0, 1, 29)  # no unit goes back to stock
    assert (stock.reserved_fen, stock.to_release_fen) == (0, 30 * FACE_VALUE)
    world.check_laws([world.voucher(voucher_id)])


# --- cut off before any transaction --------------------------------------------------------------------------------


class Died(BaseException):
    """The process ended between two writes. Nobody catches it."""


class Mortal:
    """A container that dies before its n-th transaction."""

    def __init__(self, world: World) -> None:
        self.platform: Platform = world.another_container().platform
        stores: Any = self.platform.templates
        connection = stores._tables.connection
        self._through = connection.transact_write_items
        connection.transact_write_items = self._write
        self._dies_at = self._written = 0

    def dies(self, world: World, service: Any, template: Template, *more: Any, at: int) -> bool:
        """Act under the template's own key until it dies; False when it came to its end."""
        self._dies_at, self._written = at, 0
        try:
            replace(world, platform=self.platform).act(service, template, *more, key=template.template_id)
        except Died:
            return True
        return False

    def _write(self, **kwargs: Any) -> Any:
        self._written += 1
        if self._written == self._dies_at:
            raise Died
        return self._through(**kwargs)


@pytest.fixture(scope="module")
def mortal(shared_world: World) -> Mortal:
    return Mortal(shared_world)


def two_shards(world: World, *before: Any) -> Template:
    """A published template of two shards with a claim on it, and what was done to it since."""
    template = world.publish(30, peak_claims=24)
    world.claim(a_person(), template)
    for service in before:
        world.act(service, template)
    return template


SUSPEND, RESUME, CLOSE = publishing.suspend_template, publishing.resume_template, publishing.close_template
Prepare = Callable[[World], Template]
CUT_OFF: dict[str, tuple[Prepare, Any, tuple[int, ...], TemplateState, int]] = {
    # how it is prepared, the act, and the state and the remaining stock when all is settled
    "publish": (lambda w: w.draft(**WIDE), publishing.publish_template, (), TemplateState.PUBLISHED, 190),
    "add": (two_shards, publishing.add_quantity, (13,), TemplateState.PUBLISHED, 42),
    "add shards": (two_shards, publishing.add_quantity, (24_970,), TemplateState.PUBLISHED, 24_999),
    "add, suspended": (
        lambda w: two_shards(w, SUSPEND), publishing.add_quantity, (13,), TemplateState.SUSPENDED, 42,
    ),
    "suspend": (two_shards, SUSPEND, (), TemplateState.SUSPENDED, 29),
    "resume": (lambda w: two_shards(w, SUSPEND), RESUME, (), TemplateState.PUBLISHED, 29),
    "close": (two_shards, CLOSE, (), TemplateState.CLOSED, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CUT_OFF)
def test_given_an_act_that_is_cut_off_before_any_of_its_transactions_when_repeated_then_it_is_finished_exactly(
    shared_world: World, mortal: Mortal, name: str
) -> None:
    prepare, service, more, state, remaining = CUT_OFF[name]

    for at in itertools.count(1):
        world = own_world(shared_world)
        template = prepare(world)
        quantity, bound = world.template(template.template_id).quantity, sum(reserved(world))
        if not mortal.dies(world, service, template, *more, at=at):
            break
        world.check_laws()  # they hold half-way too

        done = world.act(service, template, *more, key=template.template_id)

        assert done.hit is (at > 1)  # before the first one nothing had happened
        after, stock = world.template(template.template_id), world.stock(template)
        assert (after.state, after.gate_reached, is_settled(after)) == (state, after.gate, True)
        assert {shard.open for shard in world.platform.templates.shards(after)} == {state is TemplateState.PUBLISHED}
        assert (stock.remaining, stock.unallotted, stock.quantity) == (remaining, 0, quantity + sum(more))
        grown = sum(more) if more else quantity if name.startswith("publish") else 0
        assert sum(reserved(world)) - bound == grown * FACE_VALUE
        check_books(world)

    assert at > 2  # it did die, and not only before anything was written


def test_given_a_wide_publication_that_was_cut_off_when_closed_then_what_was_on_its_way_is_released_too(
    world: World, mortal: Mortal
) -> None:
    template = world.draft(**WIDE)
    assert mortal.dies(world, publishing.publish_template, template, at=3)
    assert 0 < world.template(template.template_id).unallotted < 190

    world.act(CLOSE, template)

    stock = world.stock(template)
    assert (stock.remaining, stock.unallotted, stock.released) == (0, 0, 190)
    assert stock.to_release_fen == 190 * FACE_VALUE == world.balances()[Balance.RESERVED]
    check_books(world)


def test_given_a_suspension_that_was_cut_off_when_resumed_then_no_late_writer_can_shut_a_shard_again(
    world: World, mortal: Mortal
) -> None:
    template = two_shards(world)
    assert mortal.dies(world, SUSPEND, template, at=3)
    suspended = world.template(template.template_id)
    assert {shard.open for shard in world.platform.templates.shards(template)} == {True, False}

    world.act(RESUME, template)
    world.platform.templates.set_gate(suspended, [0, 1])  # what the dead one had meant to do

    assert {shard.open for shard in world.platform.templates.shards(template)} == {True}
    check_books(world)


def test_given_a_suspension_whose_shards_nobody_shut_when_claimed_then_who_reads_the_template_is_refused(
    world: World, mortal: Mortal
) -> None:
    template = two_shards(world)
    assert mortal.dies(world, SUSPEND, template, at=2)
    assert {shard.open for shard in world.platform.templates.shards(template)} == {True}

    with pytest.raises(TemplateNotOpen):
        world.another_container().claim(a_person(), template)

    assert world.stock(template).made == 1
    check_books(world)


def test_given_a_closing_that_was_cut_off_when_vouchers_are_used_then_the_repetition_still_releases_exactly(
    shared_world: World, mortal: Mortal
) -> None:
    for at in (2, 3, 5):
        world = own_world(shared_world)
        person, template = a_person(), world.publish(30, peak_claims=24)
        voucher_id = world.claim(person, template).answer.voucher_id
        assert mortal.dies(world, CLOSE, template, at=at)
        world.redeem(Presented(code=world.code(person, voucher_id)))

        world.act(CLOSE, template, key=template.template_id)

        stock = world.stock(template)
        assert (stock.remaining, stock.released, stock.counts[State.REDEEMED]) == (0, 29, 1)
        world.check_laws([world.voucher(voucher_id)])
