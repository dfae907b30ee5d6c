"""Publicity: masked, until a day; objections, and what becomes of a line when one is upheld; when it may be paid."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.access import Actor
from chalicelib.domain.application import (
    MOST_OBJECTIONS,
    MOST_OBJECTIONS_EVER,
    Application,
    ApplicationState,
    LineState,
    LineVerdict,
    must_be_payable,
    object_to,
)
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    AlreadyPublished,
    ApplicationStateRefused,
    DomainError,
    Invalid,
    LineNotFound,
    LineStateRefused,
    NoPublicity,
    NotPublished,
    ObjectionNotFound,
    ObjectionResolved,
    OutOfScope,
    PublicityNotOver,
    SameOperator,
    SettledElsewhere,
    TooManyObjections,
)
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.outcomes import Done
from chalicelib.domain.voucher import State
from chalicelib.services import publishing_grants
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.publishing_grants import PublicLine
from tests.classroom import at
from tests.paying import answer, batch_of, make_file, open_batch, payees, row, with_account, work_on
from tests.races.crowd import at_once
from tests.settling import (
    CLERK,
    REVIEWER,
    a_completed_class,
    an_operator,
    collected,
    decide,
    lines,
    read,
    voucher,
    with_clerks,
)
from tests.world import CITY, FACE_VALUE, OTHER_CITY, World

DAYS = 5


@pytest.fixture
def town(world: World) -> Iterator[World]:
    world.rules(publicity_days=DAYS)
    yield with_clerks(world)
    world.check_laws(world.vouchers())


def granted(world: World, people: int = 2) -> tuple[Application, list[str]]:
    training, ids = a_completed_class(world, people)
    there = collected(world, training)
    for i in range(0, people, 20):
        decide(world, there, LineVerdict.APPROVE, *ids[i : i + 20])
    return read(world, there), ids


def publish(world: World, there: Application, *, actor: Actor = REVIEWER, key: str | None = None) -> Done[Application]:
    return publishing_grants.publish_grants(world.platform, there.application_id, **world.by(actor, key))


def object_(world: World, there: Application, voucher_id: str, **more: Any) -> Done[Application]:
    by = world.by(more.pop("actor", CLERK), more.pop("key", None))
    return publishing_grants.enter_objection(world.platform, there.application_id, voucher_id, "本人未参加培训", **by)


def resolve(world: World, there: Application, number: int, upheld: bool, **more: Any) -> Done[Application]:
    by = world.by(more.pop("actor", REVIEWER), more.pop("key", None))
    return publishing_grants.resolve_objection(world.platform, there.application_id, number, upheld, "经核查属实", **by)


def published(world: World, limit: int = 50, actor: Actor | None = None) -> list[PublicLine]:
    """All pages."""
    found, cursor = list[PublicLine](), None
    while True:
        page = publishing_grants.list_published(
            world.platform, CITY, limit, cursor, actor=actor or world.channel, now=world.now
        )
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def check_payable(world: World, there: Application) -> None:
    must_be_payable(read(world, there), rules_in_force(world.platform.catalogue, CITY, world.now), world.now)


class TestPublished:
    def test_given_decided_applications_when_published_then_everybody_sees_masked_lines_page_by_page(
        self, town: World
    ) -> None:
        first, ids = granted(town, 5)
        second, more = granted(town, 2)
        hidden, _ = granted(town, 1)
        done = publish(town, first, key="once")
        assert publish(town, first, key="once").hit
        publish(town, second)

        seen = published(town, 2)

        assert len(seen) == 7
        assert {one.application_id for one in seen} == {first.application_id, second.application_id}
        assert hidden.application_id not in {one.application_id for one in seen}
        assert {(one.course_name, one.fen) for one in seen} == {("电工（初级）", FACE_VALUE)}
        there = lines(town, first) | lines(town, second)
        assert sorted(one.masked_name for one in seen) == sorted(there[one].masked_name for one in (*ids, *more))
        assert all("*" in one.masked_name for one in seen)
        assert done.answer.publicity is not None
        assert done.answer.publicity.until == local_date(town.now) + timedelta(days=DAYS)
        assert published(town, 50, actor=CLERK) == published(town)

    def test_given_the_last_day_when_it_is_over_then_it_is_published_no_more(self, town: World) -> None:
        there, _ = granted(town, 1)
        publish(town, there)
        midnight = town.now.replace(hour=16, minute=0, second=0, microsecond=0)  # of China

        town.clock.set(midnight + timedelta(days=DAYS) - timedelta(seconds=1))
        assert len(published(town)) == 1
        with pytest.raises(PublicityNotOver):
            check_payable(town, there)

        town.clock.set(midnight + timedelta(days=DAYS))
        assert published(town) == []
        check_payable(town, there)

    def test_given_an_application_that_may_not_be_published_when_published_then_refused(self, town: World) -> None:
        training, ids = a_completed_class(town, 2)
        waiting = collected(town, training)
        decide(town, waiting, LineVerdict.APPROVE, ids[0])
        with pytest.raises(ApplicationStateRefused):
            publish(town, waiting)
        decide(town, waiting, LineVerdict.APPROVE, ids[1])
        with pytest.raises(SameOperator):
            publish(town, waiting, actor=an_operator("DESK"))
        publish(town, waiting)
        with pytest.raises(AlreadyPublished):
            publish(town, waiting)

        town.rules(external_settlement=True, publicity_days=DAYS)
        outside = collected(town, a_completed_class(town, 1)[0])
        with pytest.raises(SettledElsewhere):
            publish(town, outside)
        town.rules(publicity_days=0)
        there, _ = granted(town, 1)
        with pytest.raises(NoPublicity):
            publish(town, there)
        check_payable(town, there)

    def test_given_another_region_or_a_strange_cursor_when_listed_then_refused(self, town: World) -> None:
        p, now = town.platform, town.now
        with pytest.raises(OutOfScope):
            publishing_grants.list_published(
                p, CITY, 50, None, actor=an_operator("ELSEWHERE", region=OTHER_CITY), now=now
            )
        for cursor in ("x", "x~y~z", "~~~"):
            with pytest.raises(Invalid):
                publishing_grants.list_published(p, CITY, 50, cursor, actor=town.channel, now=now)


class TestObjections:
    def test_given_an_objection_when_upheld_then_line_voucher_and_account_go_back_to_the_fen(self, town: World) -> None:
        there, ids = granted(town, 2)
        publish(town, there)
        before = town.balances()
        object_(town, there, ids[0], key="once")
        assert object_(town, there, ids[0], key="once").hit

        done = resolve(town, there, 1, True, key="upheld")
        assert resolve(town, there, 1, True, key="upheld").hit

        (one,) = done.answer.objections
        assert (one.voucher_id, one.upheld, one.resolved_by) == (ids[0], True, REVIEWER.operator_id)
        assert lines(town, there)[ids[0]].state is LineState.REFUSED
        refused = voucher(town, ids[0])
        assert (refused.state, refused.approved_fen) == (State.FORFEITED, 0)
        after = town.balances()
        assert after[Balance.PAYABLE] == before[Balance.PAYABLE] - FACE_VALUE
        assert after[Balance.FREE] == before[Balance.FREE] + FACE_VALUE
        assert read(town, there).approved_fen == FACE_VALUE
        posting = town.platform.accounts.postings(town.account_id, 100, None).items[-1]
        assert posting.kind is PostingKind.WITHDRAW_APPROVAL
        assert [one.fen for one in published(town)] == [FACE_VALUE]

    def test_given_an_objection_when_dismissed_then_the_line_stands_and_it_is_payable_when_the_days_are_over(
        self, town: World
    ) -> None:
        there, ids = granted(town, 1)
        with pytest.raises(PublicityNotOver):
            check_payable(town, there)
        publish(town, there)
        object_(town, there, ids[0])
        town.clock.set(town.now + timedelta(days=DAYS + 1))
        with pytest.raises(PublicityNotOver):
            check_payable(town, there)

        resolve(town, there, 1, False)

        check_payable(town, there)
        assert lines(town, there)[ids[0]].state is LineState.APPROVED
        assert town.balances()[Balance.PAYABLE] == FACE_VALUE

    def test_given_two_objections_to_one_line_when_both_are_upheld_then_it_is_refused_once_and_the_application_settled(
        self, town: World
    ) -> None:
        there, ids = granted(town, 1)
        publish(town, there)
        object_(town, there, ids[0])
        object_(town, there, ids[0])

        first = resolve(town, there, 1, True)
        second = resolve(town, there, 2, True)

        assert (first.answer.state, second.answer.state) == (ApplicationState.SETTLED, ApplicationState.SETTLED)
        assert town.balances()[Balance.PAYABLE] == 0
        with pytest.raises(LineStateRefused):
            object_(town, there, ids[0])

    def test_given_an_objection_that_cannot_be_when_entered_or_resolved_then_refused(self, town: World) -> None:
        there, ids = granted(town, 1)
        with pytest.raises(NotPublished):
            object_(town, there, ids[0])
        publish(town, there)
        with pytest.raises(LineNotFound):
            object_(town, there, "A" * 40)
        with pytest.raises(ObjectionNotFound):
            resolve(town, there, 1, True)
        object_(town, there, ids[0])
        resolve(town, there, 1, False)
        with pytest.raises(ObjectionResolved):
            resolve(town, there, 1, True)
        full = read(town, there)
        full = replace(full, objections=full.objections * MOST_OBJECTIONS_EVER)
        with pytest.raises(TooManyObjections):
            object_to(full, ids[0], "又一件", operator_id=None, now=town.now)

    def test_given_money_that_is_on_its_way_or_paid_when_objected_to_then_entered_and_told_what_comes_first(
        self, town: World
    ) -> None:
        with_account(town)
        there, ids = granted(town, 2)
        publish(town, there)
        at(town, town.now + timedelta(days=DAYS + 1))
        batch = open_batch(town, read(town, there))
        work_on(town, batch)

        object_(town, there, ids[0])
        with pytest.raises(LineStateRefused):
            resolve(town, there, 1, True)
        make_file(town, batch_of(town, batch))
        answer(town, [row(one) for one in payees(town, batch)])
        work_on(town, batch)

        done = resolve(town, there, 1, True).answer
        assert (done.objections[0].upheld, done.paid_fen) == (True, 2 * FACE_VALUE)
        assert lines(town, there)[ids[0]].state is LineState.PAID  # its money is clawed back, by the act for that

    def test_given_objections_that_are_resolved_when_more_come_then_only_open_ones_stand_in_the_way(
        self, town: World
    ) -> None:
        there, ids = granted(town, 1)
        publish(town, there)
        object_(town, there, ids[0])
        resolve(town, there, 1, False)
        resolved = read(town, there)
        (one,) = resolved.objections
        many = replace(resolved, objections=resolved.objections * MOST_OBJECTIONS)
        assert object_to(many, ids[0], "又一件", operator_id=None, now=town.now).objections[-1].upheld is None
        still_open = replace(resolved, objections=(replace(one, upheld=None),) * MOST_OBJECTIONS)
        with pytest.raises(TooManyObjections):
            object_to(still_open, ids[0], "又一件", operator_id=None, now=town.now)

    def test_given_16_threads_when_each_upholds_then_the_money_goes_back_once(self, strict_world: World) -> None:
        town = with_clerks(strict_world)
        town.rules(publicity_days=DAYS)
        there, ids = granted(town, 2)
        publish(town, there)
        object_(town, there, ids[0])

        told = at_once([partial(resolve, town, there, 1, True, key=f"o{i}") for i in range(16)])

        assert sum(not isinstance(one, DomainError) for one in told) == 1
        assert {one.code for one in told if isinstance(one, DomainError)} <= {"objection_resolved", "contended"}
        assert town.balances()[Balance.PAYABLE] == FACE_VALUE
        town.check_laws(town.vouchers())
