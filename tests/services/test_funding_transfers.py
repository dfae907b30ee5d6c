"""Budget goes from one region's account to another's of the same province: proposed by one, confirmed by another."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Duty, Role
from chalicelib.domain.budget_transfer import BudgetTransfer, BudgetTransferState
from chalicelib.domain.errors import (
    AccountNotFound,
    BudgetExceeded,
    BudgetTransferNotFound,
    BudgetTransferStateRefused,
    DomainError,
    Invalid,
    OutOfScope,
    SameOperator,
)
from chalicelib.domain.fund import Account, Balance, PostingKind, region_of
from chalicelib.domain.outcomes import Done
from chalicelib.domain.region import Region
from chalicelib.services import funding
from chalicelib.services.transferring_budget import (
    confirm_transfer,
    decline_transfer,
    find_transfer,
    propose_transfer,
)
from tests.services.faults import Watched, with_store
from tests.world import CITY, OTHER_CITY, PROVINCE, World, an_actor

GIVER, RECEIVER, FAR = f"{CITY}-2021", f"{OTHER_CITY}-2021", "350200"


def a_clerk(name: str, region: str = PROVINCE, role: Role = Role.PROVINCE) -> Actor:
    actor = an_actor(f"BUREAU{region}", role, region)
    assert actor.operator is not None
    return replace(actor, operator=replace(actor.operator, operator_id=f"OP{name}", duties=(Duty.FINANCE,)))


ONE, OTHER = a_clerk("ONE"), a_clerk("OTHER")
OF_CITY = a_clerk("CITY", CITY, Role.CITY)


@pytest.fixture
def town(world: World) -> World:
    world.platform.catalogue.regions.add(Region(FAR, "厦门市", "Xiamen", "city", "350000"), None)
    open_account(world, OTHER_CITY, 2021, 1_000)
    return world


def open_account(world: World, region: str, year: int, budget: int) -> Account:
    p = world.platform
    return funding.open_account(
        p.catalogue, p.accounts, p.marks, region=region, year=year, budget_fen=budget, **world.by(world.bureau)
    ).answer


def propose(
    world: World, amount: int = 300, *, actor: Actor = ONE, key: str | None = None, **which: Any
) -> Done[BudgetTransfer]:
    accounts = {"giver": RECEIVER, "receiver": GIVER, **which}
    return propose_transfer(world.platform, **accounts, amount_fen=amount, reason="年中调剂", **world.by(actor, key))


def confirm(world: World, transfer: BudgetTransfer, *, actor: Actor = OTHER, key: str | None = None) -> Any:
    return confirm_transfer(world.platform, transfer.transfer_id, **world.by(actor, key))


def decline(world: World, transfer: BudgetTransfer, *, actor: Actor = OTHER, key: str | None = None) -> Any:
    return decline_transfer(world.platform, transfer.transfer_id, "不需要了", **world.by(actor, key))


def account(world: World, account_id: str) -> Account:
    there = world.platform.accounts.read(account_id)
    assert there is not None
    return there


def check_account(world: World, account_id: str) -> None:
    """Its balances, and what it keeps of each month, are the sums of its postings."""
    there, postings = account(world, account_id), world.platform.accounts.postings(account_id, 1000, None).items
    assert [one.number for one in postings] == list(range(1, there.version + 1))
    assert there.balances == {b: sum(one.legs.get(b, 0) for one in postings) for b in Balance}
    kept = [legs for month in there.months.values() for legs in month.values()]
    assert there.balances == {b: sum(legs.get(b, 0) for legs in kept) for b in Balance}


def test_given_a_proposal_when_another_confirms_then_the_budget_moves_on_both_accounts(town: World) -> None:
    before = account(town, GIVER)
    proposed = propose(town, key="once").answer
    assert (account(town, GIVER), account(town, RECEIVER).budget) == (before, 1_000)
    with pytest.raises(SameOperator):
        confirm(town, proposed, actor=ONE)

    done = confirm(town, proposed, key="twice")

    giver, receiver = account(town, RECEIVER), account(town, GIVER)
    assert (done.answer.state, done.answer.ended_by) == (BudgetTransferState.CONFIRMED, "OPOTHER")
    assert (giver.budget, giver.balances[Balance.FREE]) == (700, 700)
    assert (receiver.budget, receiver.balances[Balance.FREE]) == (
        before.budget + 300,
        before.balances[Balance.FREE] + 300,
    )
    for account_id in (GIVER, RECEIVER):
        (*_, last) = town.platform.accounts.postings(account_id, 100, None).items
        assert (last.kind, last.reference, last.operator_id) == (
            PostingKind.TRANSFER, proposed.transfer_id, "OPOTHER",
        )  # fmt: skip
        check_account(town, account_id)
    assert propose(town, key="once").hit
    again = confirm(town, proposed, key="twice")
    assert (again.hit, again.answer) == (True, done.answer)
    with pytest.raises(BudgetTransferStateRefused):
        confirm(town, proposed)
    assert account(town, RECEIVER) == giver


def test_given_a_proposal_when_declined_then_refused_or_taken_back_and_nothing_moves(town: World) -> None:
    refused, own = propose(town).answer, propose(town).answer
    before = account(town, RECEIVER)

    assert decline(town, refused).answer.state is BudgetTransferState.REFUSED
    assert decline(town, own, actor=ONE).answer.state is BudgetTransferState.CANCELLED

    for one in (refused, own):
        with pytest.raises(BudgetTransferStateRefused):
            confirm(town, one)
        with pytest.raises(BudgetTransferStateRefused):
            decline(town, one)
    assert account(town, RECEIVER) == before


def test_given_more_than_is_free_when_proposed_or_confirmed_then_refused_and_nothing_moves(town: World) -> None:
    with pytest.raises(BudgetExceeded):
        propose(town, 1_001)
    one, other = propose(town, 600).answer, propose(town, 600).answer
    confirm(town, one)

    with pytest.raises(BudgetExceeded) as refused:
        confirm(town, other)

    assert refused.value.facts == {"needed_fen": 600, "free_fen": 400}
    assert town.platform.budget_transfers.read(other.transfer_id) == other
    assert account(town, RECEIVER).balances[Balance.FREE] == 400


def test_given_accounts_that_do_not_belong_together_when_proposed_then_refused(town: World) -> None:
    open_account(town, FAR, 2021, 5)
    open_account(town, CITY, 2022, 5)
    open_account(town, "000000", 2021, 5)
    ministry = a_clerk("MINISTRY", "000000", Role.MINISTRY)
    for giver, receiver in (
        (GIVER, GIVER),
        (GIVER, f"{FAR}-2021"),
        (RECEIVER, f"{CITY}-2022"),
        (GIVER, "000000-2021"),
    ):
        with pytest.raises(Invalid):
            propose(town, 1, giver=giver, receiver=receiver, actor=ministry)
    with pytest.raises(AccountNotFound):
        propose(town, 1, giver=GIVER, receiver=f"{OTHER_CITY}-2030")
    with pytest.raises(AccountNotFound):  # it covers one of them only
        propose(town, 1, actor=OF_CITY)
    assert propose(town, 1, actor=ministry).answer.province == PROVINCE


def test_given_an_operator_of_a_city_when_its_province_s_client_asks_then_out_of_scope(town: World) -> None:
    assert OF_CITY.operator is not None
    of_city = replace(ONE, operator=replace(OF_CITY.operator))
    with pytest.raises(OutOfScope):
        propose(town, actor=of_city)
    proposed = propose(town).answer
    for act in (confirm, decline):
        with pytest.raises(OutOfScope):
            act(town, proposed, actor=of_city)


def test_given_either_region_when_it_looks_then_seen_and_by_strangers_not(town: World) -> None:
    proposed = propose(town).answer

    assert find_transfer(town.platform, proposed.transfer_id, actor=OF_CITY) == proposed
    with pytest.raises(OutOfScope):
        confirm(town, proposed, actor=OF_CITY)
    stranger = a_clerk("FAR", FAR, Role.CITY)
    with pytest.raises(BudgetTransferNotFound):
        find_transfer(town.platform, proposed.transfer_id, actor=stranger)
    for region in (PROVINCE, *{region_of(proposed.giver), region_of(proposed.receiver)}):
        assert town.platform.budget_transfers.page(region, 10, None).items == (proposed,), region
    assert town.platform.budget_transfers.page(FAR, 10, None).items == ()


def test_given_somebody_posts_in_between_when_confirmed_then_both_stand(town: World) -> None:
    proposed = propose(town, 600).answer
    p = town.platform

    def take(_: int) -> None:
        if account(town, RECEIVER).budget == 1_000:
            funding.change_budget(
                p.accounts, p.marks, account_id=RECEIVER, amount_fen=-300, note="收回", **town.by(town.bureau)
            )

    busy = with_store(town, "budget_transfers", Watched(p.budget_transfers, "end", before=take))
    confirm(busy, proposed)

    assert account(town, RECEIVER).balances[Balance.FREE] == 100
    check_account(town, RECEIVER)


def test_given_many_who_confirm_and_decline_at_once_when_done_then_one_of_them_did(strict_world: World) -> None:
    open_account(strict_world, OTHER_CITY, 2021, 1_000)
    for round_ in range(6):
        proposed = propose(strict_world, 100).answer
        containers = [strict_world.another_container() for _ in range(8)]

        def act(n: int, proposed: BudgetTransfer = proposed, containers: Any = containers) -> str:
            try:
                who = a_clerk(f"CLERK{n}")
                done = (decline if n % 4 == 3 else confirm)(containers[n], proposed, actor=who)
                return str(done.answer.state)
            except DomainError as refused:
                return refused.code

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(act, range(8)))

        after = strict_world.platform.budget_transfers.read(proposed.transfer_id)
        assert after is not None
        assert [one for one in told if one != "budget_transfer_state"] == [after.state], round_
    moved = sum(
        one.state is BudgetTransferState.CONFIRMED
        for one in strict_world.platform.budget_transfers.page(PROVINCE, 10, None).items
    )
    assert account(strict_world, RECEIVER).budget == 1_000 - 100 * moved
    for account_id in (GIVER, RECEIVER):
        check_account(strict_world, account_id)
