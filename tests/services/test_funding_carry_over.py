"""Year-end carry-over: what is free goes on to the next year's account; what is bound stays until it is settled."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.errors import AccountNotFound, AlreadyExists, OutOfScope, YearNotOver
from chalicelib.domain.fund import Balance, CarryOver, PostingKind
from chalicelib.domain.outcomes import Done
from chalicelib.services import funding, publishing
from chalicelib.services.releasing import post_releases
from tests.services.faults import Watched, with_store
from tests.services.test_funding_transfers import OF_CITY, account, check_account, open_account
from tests.world import CITY, FACE_VALUE, OTHER_CITY, World, an_actor, local

OLD, NEXT = f"{CITY}-2021", f"{CITY}-2022"
LAST_MOMENT, NEW_YEAR = local("2021-12-31T15:59:59.999Z"), local("2021-12-31T16:00:00Z")


def carry(world: World, account_id: str = OLD, *, key: str | None = None, actor: Any = None) -> Done[CarryOver]:
    p = world.platform
    return funding.carry_over(p.accounts, p.marks, account_id=account_id, **world.by(actor or world.bureau, key))


def test_given_a_year_when_it_is_over_then_what_is_free_goes_on_and_what_is_reserved_stays(world: World) -> None:
    template = world.publish(10)
    budget = account(world, OLD).budget
    world.clock.set(LAST_MOMENT)
    with pytest.raises(YearNotOver):
        carry(world)
    assert world.platform.accounts.read(NEXT) is None
    world.clock.set(NEW_YEAR)

    done = carry(world, key="once")

    old, new = account(world, OLD), account(world, NEXT)
    assert done.answer == CarryOver(old, new, budget - 10 * FACE_VALUE)
    assert (old.budget, old.balances[Balance.FREE], old.balances[Balance.RESERVED]) == (
        10 * FACE_VALUE, 0, 10 * FACE_VALUE,
    )  # fmt: skip
    assert (new.budget, new.balances[Balance.FREE], new.year) == (budget - 10 * FACE_VALUE,) * 2 + (2022,)
    (opening,) = world.platform.accounts.postings(NEXT, 10, None).items
    assert (opening.kind, opening.reference) == (PostingKind.CARRY_OVER, OLD)
    again = carry(world, key="once")
    assert (again.hit, again.answer) == (True, done.answer)

    nothing = carry(world, key="nothing")
    assert (nothing.answer.carried_fen, nothing.answer.next_account) == (0, new)
    assert carry(world, key="nothing").hit
    assert (account(world, OLD), account(world, NEXT)) == (old, new)

    world.act(publishing.close_template, template)
    p = world.platform
    assert post_releases(p.templates, p.accounts, now=world.now, may_go_on=lambda: True).fen == 10 * FACE_VALUE
    assert carry(world).answer.carried_fen == 10 * FACE_VALUE
    assert (account(world, OLD).budget, account(world, NEXT).budget) == (0, budget)
    for account_id in (OLD, NEXT):
        check_account(world, account_id)
    world.check_laws(world.vouchers())


def test_given_a_next_account_when_there_then_added_to_and_a_later_opening_is_told(world: World) -> None:
    open_account(world, CITY, 2022, 500)
    world.clock.set(NEW_YEAR)
    budget = account(world, OLD).budget

    assert carry(world).answer.next_account == account(world, NEXT)

    assert account(world, NEXT).budget == budget + 500
    with pytest.raises(AlreadyExists):
        open_account(world, CITY, 2022, 500)
    with pytest.raises(YearNotOver):
        carry(world, NEXT)


def test_given_nothing_free_and_no_next_account_when_carried_then_none_is_opened(world: World) -> None:
    open_account(world, OTHER_CITY, 2020, 0)

    assert carry(world, f"{OTHER_CITY}-2020").answer.next_account is None

    assert world.platform.accounts.read(f"{OTHER_CITY}-2021") is None


def test_given_another_region_s_account_when_carried_then_refused(world: World) -> None:
    world.clock.set(NEW_YEAR)
    open_account(world, OTHER_CITY, 2020, 5)
    with pytest.raises(AccountNotFound):
        carry(world, f"{OTHER_CITY}-2020", actor=OF_CITY)
    narrow = an_actor("BUREAU", world.bureau.client.role, OTHER_CITY)
    wide = type(narrow)(world.bureau.client, narrow.operator)
    with pytest.raises(OutOfScope):
        carry(world, actor=wide)


def test_given_the_next_account_is_opened_in_between_when_carried_then_both_budgets_are_there(world: World) -> None:
    world.clock.set(NEW_YEAR)
    budget = account(world, OLD).budget
    store = world.platform.accounts
    busy = with_store(
        world, "accounts", Watched(store, "post_all", before=lambda n: n == 1 and open_account(world, CITY, 2022, 7))
    )

    carry(busy)

    assert account(world, NEXT).budget == budget + 7
    check_account(world, NEXT)


def test_given_many_who_carry_over_at_once_when_done_then_it_went_once(strict_world: World) -> None:
    strict_world.clock.set(NEW_YEAR)
    budget = account(strict_world, OLD).budget
    containers = [strict_world.another_container() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        carried = list(pool.map(lambda one: carry(one).answer.carried_fen, containers))

    assert sorted(carried) == [0] * 7 + [budget]
    assert (account(strict_world, OLD).version, account(strict_world, NEXT).budget) == (2, budget)
    for account_id in (OLD, NEXT):
        check_account(strict_world, account_id)
