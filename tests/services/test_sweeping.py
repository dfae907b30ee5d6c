"""What becomes of used vouchers by themselves: forfeited, put off, written off; and what a dead code says then."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.application import ApplicationState, LineVerdict
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    ApplicationStateRefused,
    DomainError,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    VoucherEnded,
)
from chalicelib.domain.fund import Balance
from chalicelib.domain.outcomes import Page
from chalicelib.domain.voucher import STATE_ZH, State, Voucher
from chalicelib.services import enrolling, holding_classes, showing
from chalicelib.services.identifying import Presented
from chalicelib.services.sweeping import CHUNK, FINISHING, GIVEN_UP, SWEEP, sweep_due
from tests.classroom import HOUR, at, check_in, days, enrol, finish, open_class, plan, used
from tests.settling import apply_for, collected, decide, lines, read, voucher, with_clerks, work
from tests.sweeping import NO_MONEY, completed, night_of, on_a_class, paid, sweep_on, tomorrow
from tests.world import FACE_VALUE, World, a_person

DAY = timedelta(days=1)


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_clerks(world)
    world.check_laws(world.vouchers())


def last_day(world: World, voucher_id: str) -> date:
    until = voucher(world, voucher_id).filing_until
    assert until is not None
    return until


def said(world: World, voucher_id: str) -> dict[str, Any]:
    """The last thing that a voucher's history says."""
    told: dict[str, Any] = voucher(world, voucher_id).history[-1].said
    return told


class TestForfeited:
    def test_given_a_used_voucher_without_a_class_when_its_time_is_over_then_forfeited_and_its_money_waits(
        self, town: World
    ) -> None:
        template = town.publish(1)
        _, voucher_id = used(town, template)
        until = last_day(town, voucher_id)

        on_the_day = sweep_on(town, until)
        after_it = sweep_on(town, until + DAY)
        again = town.expire()

        assert [one.forfeited for one in (on_the_day, after_it, again)] == [0, 1, 0]
        assert (after_it.examined, after_it.expired, after_it.written_off, after_it.finished) == (1, 0, 0, True)
        assert voucher(town, voucher_id).state is State.FORFEITED
        assert said(town, voucher_id)["facts"] == {"reason": "not_completed", "until": until.isoformat()}
        stock = town.stock(template)
        assert (stock.reserved_fen, stock.to_release_fen) == (0, FACE_VALUE)

    def test_given_a_completed_class_when_not_applied_for_in_time_then_forfeited(self, town: World) -> None:
        (voucher_id, *_) = completed(town).ids
        until = last_day(town, voucher_id)

        assert sweep_on(town, until + DAY).forfeited == 0  # an application of the last day may be in the making
        assert sweep_on(town, until + 2 * DAY).forfeited == 1

        assert said(town, voucher_id)["facts"]["reason"] == "not_applied"

    def test_given_a_class_that_was_not_completed_when_the_time_is_over_then_forfeited(self, town: World) -> None:
        taught = on_a_class(town)
        at(town, taught.training.sessions[0].ends_at)
        finish(town, taught.training)

        assert sweep_on(town, last_day(town, taught.ids[0]) + DAY).forfeited == 1

    @pytest.mark.parametrize("how", ["cancelled", "left", "by another voucher"])
    def test_given_a_class_that_is_none_of_the_vouchers_any_more_when_the_time_is_over_then_forfeited(
        self, town: World, how: str
    ) -> None:
        person, template = a_person(), town.publish(1)
        _, voucher_id = used(town, template, person)
        until = last_day(town, voucher_id)
        at(town, night_of(until - DAY))
        training = open_class(town, days(town, 2, first=4))
        if how == "by another voucher":
            other = town.publish(1, claim_until=until, valid_until=until)
            enrol(town, training, used(town, other, person)[1])
        else:
            enrol(town, training, voucher_id)
        if how == "left":
            enrolling.leave_class(town.platform, training.class_id, voucher_id, "不来了", **town.by(town.desk))
        if how == "cancelled":
            holding_classes.cancel_class(town.platform, training.class_id, "人数不足", **town.by(town.desk))

        sweep = sweep_on(town, until + DAY)

        assert (sweep.forfeited, sweep.deferred) == (1, 0)
        assert voucher(town, voucher_id).state is State.FORFEITED

    def test_given_nights_that_were_missed_when_swept_then_each_is_caught_up(self, town: World) -> None:
        template = town.publish(2)
        first, until = used(town, template)[1], None
        until = last_day(town, first)
        town.clock.advance(3 * DAY)
        second = used(town, template)[1]
        town.platform.checkpoints.advance(SWEEP, until - DAY)

        sweep = at(town, night_of(until + 8 * DAY)).expire()

        assert sweep.forfeited == 2
        assert {voucher(town, one).state for one in (first, second)} == {State.FORFEITED}
        assert town.platform.checkpoints.swept_until(SWEEP) == until + 8 * DAY


class TestClassThatGoesOn:
    def test_given_a_class_that_goes_on_when_the_time_is_over_then_put_off_until_it_is_over_and_completed_then(
        self, town: World
    ) -> None:
        person, template = a_person(), town.publish(1)
        _, voucher_id = used(town, template, person)
        until = last_day(town, voucher_id)
        at(town, night_of(until - DAY))
        training = open_class(town, [plan(town.now + 10 * DAY, hours=1)])
        enrol(town, training, voucher_id)
        last = local_date(training.sessions[0].ends_at)

        sweep, again = sweep_on(town, until + DAY), town.expire()

        assert (sweep.deferred, sweep.forfeited, again.examined) == (1, 0, 0)
        there = voucher(town, voucher_id)
        assert (there.state, there.filing_until) == (State.REDEEMED, last + FINISHING)
        assert there.due_on == last + FINISHING + DAY
        assert said(town, voucher_id)["facts"] == {
            "class": training.class_id, "until": (last + FINISHING).isoformat(),
        }  # fmt: skip
        at(town, training.sessions[0].starts_at)
        check_in(town, person, training)
        at(town, training.sessions[0].ends_at)
        done = finish(town, training)
        assert collected(town, done).claimed_fen == FACE_VALUE

    def test_given_a_class_that_nobody_finishes_when_looked_at_again_then_put_off_for_so_long_and_then_forfeited(
        self, town: World
    ) -> None:
        template = town.publish(1)
        _, voucher_id = used(town, template)
        until = last_day(town, voucher_id)
        at(town, night_of(until - DAY))
        training = open_class(town, [plan(town.now + HOUR, hours=1)])
        enrol(town, training, voucher_id)
        last = local_date(training.sessions[0].ends_at)

        nights = []
        while voucher(town, voucher_id).state is State.REDEEMED:
            due = voucher(town, voucher_id).due_on
            assert due is not None
            nights.append(sweep_on(town, due))
            assert last_day(town, voucher_id) <= last + GIVEN_UP

        assert [(one.deferred, one.forfeited) for one in nights] == [(1, 0)] * (len(nights) - 1) + [(0, 1)]
        assert len(nights) > GIVEN_UP // FINISHING - 1
        assert local_date(town.now) == last + GIVEN_UP + DAY
        assert voucher(town, voucher_id).state is State.FORFEITED

    def test_given_a_class_whose_end_was_cut_off_when_the_time_is_over_then_its_people_are_still_on_it(
        self, town: World
    ) -> None:
        person, template = a_person(), town.publish(1)
        _, voucher_id = used(town, template, person)
        until = last_day(town, voucher_id)
        at(town, night_of(until - DAY))
        training = open_class(town, [plan(town.now, hours=1)])
        enrol(town, training, voucher_id)
        check_in(town, person, training)
        at(town, training.sessions[0].ends_at)
        with pytest.MonkeyPatch.context() as cut:  # it is finished, and nobody was told so
            cut.setattr(enrolling, "_complete_all", lambda *_: (0, True))
            finish(town, training, key="end")

        sweep = sweep_on(town, until + DAY)
        enrolling.finish_class(town.platform, training.class_id, **town.by(town.desk, "end"))

        assert (sweep.deferred, sweep.forfeited) == (1, 0)
        assert voucher(town, voucher_id).completion is not None

    def test_given_somebody_who_is_put_on_a_class_in_the_same_moment_when_swept_then_not_forfeited(
        self, town: World
    ) -> None:
        template = town.publish(1)
        _, voucher_id = used(town, template)
        until = last_day(town, voucher_id)
        at(town, night_of(until - DAY))
        training = open_class(town, days(town, 2, first=4))
        town.platform.checkpoints.advance(SWEEP, until)
        at(town, night_of(until + DAY))
        people, written = town.platform.people, list[int]()

        class Slow:
            """Has read and judged; then the institution is quicker."""

            def __getattr__(self, name: str) -> Any:
                return getattr(people, name)

            def record_steps(self, steps: Any, **more: Any) -> None:
                if not written:
                    enrol(town, training, voucher_id)
                written.append(len(steps))
                people.record_steps(steps, **more)

        slow: Any = Slow()
        sweep = sweep_due(replace(town.platform, people=slow), now=town.now, may_go_on=lambda: True)

        assert (len(written), sweep.deferred, sweep.forfeited) == (2, 1, 0)
        assert voucher(town, voucher_id).state is State.REDEEMED


class TestWrittenOff:
    def test_given_a_paid_voucher_when_the_next_night_comes_then_written_off_once_and_no_money_moves(
        self, town: World
    ) -> None:
        taught, application = paid(town, 3)
        balances, settled = town.balances(), read(town, application)

        sweep = sweep_on(town, tomorrow(town))
        again = town.expire()

        assert (sweep.written_off, sweep.examined, again.examined) == (3, 3, 0)
        assert {voucher(town, one).state for one in taught.ids} == {State.WRITTEN_OFF}
        assert said(town, taught.ids[0])["facts"] == {"paid_fen": FACE_VALUE}
        assert (town.balances(), read(town, application)) == (balances, settled)
        assert settled.state is ApplicationState.SETTLED
        assert balances[Balance.PAID] == 3 * FACE_VALUE

    def test_given_nothing_to_pay_when_the_class_is_completed_then_written_off_by_the_next_night(
        self, town: World
    ) -> None:
        taught = completed(town, 2, **NO_MONEY)
        balances = town.balances()

        sweep = sweep_on(town, tomorrow(town))

        assert (sweep.written_off, sweep.forfeited) == (2, 0)
        assert {voucher(town, one).state for one in taught.ids} == {State.WRITTEN_OFF}
        assert town.balances() == balances

    def test_given_lines_that_wait_or_are_approved_when_nights_pass_then_the_sweep_leaves_them_alone(
        self, town: World
    ) -> None:
        taught = completed(town, 2)
        there = collected(town, taught.training)
        decide(town, there, LineVerdict.APPROVE, taught.ids[0])
        until = last_day(town, taught.ids[1])

        assert sweep_on(town, until + DAY).examined == 0

        assert {voucher(town, one).state for one in taught.ids} == {State.APPLIED}

    def test_given_a_line_that_was_returned_when_it_is_not_handed_in_again_then_forfeited_after_its_new_time(
        self, town: World
    ) -> None:
        taught = completed(town)
        there = collected(town, taught.training)
        until = last_day(town, taught.ids[0])
        at(town, night_of(until + 2 * DAY))
        decide(town, there, LineVerdict.RETURN, taught.ids[0])
        new = last_day(town, taught.ids[0])
        assert new > until

        assert sweep_on(town, new + DAY).forfeited == 0
        assert sweep_on(town, new + 2 * DAY).forfeited == 1


class TestOneNight:
    def test_given_vouchers_of_each_kind_due_on_one_day_when_swept_then_each_goes_its_way(self, town: World) -> None:
        idle, lapsing = town.publish(1), town.publish(1)
        forfeits = used(town, idle)[1]
        until = last_day(town, forfeits)
        expires = town.claim(a_person(), town.publish(1, claim_until=until, valid_until=until)).answer.voucher_id
        goes_on = used(town, lapsing)[1]
        at(town, night_of(until) + 9 * HOUR)
        enrol(town, open_class(town, days(town, 2, first=4)), goes_on)
        new = {"claim_until": until + 30 * DAY, "valid_until": until + 30 * DAY}
        taught, _ = paid(town, 2, **new)

        sweep = sweep_on(town, until + DAY)

        counts = (sweep.examined, sweep.expired, sweep.forfeited, sweep.written_off, sweep.deferred)
        assert counts == (5, 1, 1, 2, 1)
        ids = (expires, forfeits, goes_on, *taught.ids)
        assert [voucher(town, one).state for one in ids] == [
            State.EXPIRED, State.FORFEITED, State.REDEEMED, State.WRITTEN_OFF, State.WRITTEN_OFF,
        ]  # fmt: skip

    def test_given_a_class_that_cannot_be_read_when_swept_then_it_holds_up_nobody_else_and_its_day_is_not_passed(
        self, town: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        template = town.publish(2)
        alone, waits = used(town, template)[1], used(town, template)[1]
        until = last_day(town, alone)
        at(town, night_of(until - DAY))
        enrol(town, open_class(town, days(town, 2, first=4)), waits)

        def broken(_: str) -> None:
            raise ValueError

        with monkeypatch.context() as trouble:
            trouble.setattr(town.platform.catalogue.classes, "read", broken)
            sweep = sweep_on(town, until + DAY)

        assert (sweep.forfeited, [one.trouble for one in sweep.failures]) == (1, ["ValueError"])
        assert town.platform.checkpoints.swept_until(SWEEP) == until
        mended = town.expire()
        assert (mended.deferred, mended.failures) == (1, ())

    def test_given_a_chunk_of_as_many_holders_as_shards_when_swept_then_it_fits_one_transaction(
        self, town: World
    ) -> None:
        # 33 vouchers, their shards and the holders who must be as they were read are 99 actions: DynamoDB takes 100.
        ids = [used(town, town.publish(1))[1] for _ in range(CHUNK)]
        keys = [(one.person_id, one.template_id) for one in map(town.voucher, ids)]
        people, written = town.platform.people, list[int]()
        due = last_day(town, ids[0]) + DAY

        class OneLane:
            def __getattr__(self, name: str) -> Any:
                return getattr(people, name)

            def due(self, day: date, lane: int, *_: Any) -> Page[tuple[str, str]]:
                return Page(tuple(keys) if (day, lane) == (due, 0) else ())

            def record_steps(self, steps: Any, **more: Any) -> None:
                written.append(len(steps))
                people.record_steps(steps, **more)

        lane: Any = OneLane()
        town.platform.checkpoints.advance(SWEEP, due - DAY)
        at(town, night_of(due))
        sweep = sweep_due(replace(town.platform, people=lane), now=town.now, may_go_on=lambda: True)

        assert (sweep.forfeited, written) == (CHUNK, [CHUNK])


class Dead:
    """A voucher that has ended, with a token and a code that were shown while it lived."""

    def __init__(self, world: World, ended: State) -> None:
        world.rules(reversal_window=400 * 86_400)
        if ended is State.WRITTEN_OFF:
            taught, _ = paid(world)
            night = tomorrow(world)
        else:
            taught = completed(world)
            night = last_day(world, taught.ids[0]) + 2 * DAY
        self.world, self.training = world, taught.training
        (self.person, self.voucher_id) = taught.people[0], taught.ids[0]
        at(world, night_of(night))
        self.token = Presented(token=world.token(self.person, self.voucher_id))
        self.code = Presented(code=world.code(self.person, self.voucher_id))
        sweep_on(world, night)
        assert self.voucher.state is ended

    @property
    def voucher(self) -> Voucher:
        return self.world.voucher(self.voucher_id)

    def assertion(self) -> Presented:
        template_id, world = self.voucher.template_id, self.world
        jws = world.assertion(self.person, "redeem", template_id, actor=world.desk)
        return Presented(assertion=jws, template_id=template_id)


@pytest.fixture(params=[State.WRITTEN_OFF, State.FORFEITED], ids=str)
def dead(town: World, request: pytest.FixtureRequest) -> Dead:
    return Dead(town, request.param)


class TestDeadCode:
    def test_given_a_voucher_that_ended_when_presented_in_each_way_then_its_code_is_dead_and_says_so(
        self, dead: Dead
    ) -> None:
        world, state = dead.world, dead.voucher.state
        before = world.vouchers()

        for shown in (dead.token, dead.code, dead.assertion()):
            seen = world.verify(shown)
            assert (seen.usable, seen.state) == (False, state)
            assert isinstance(seen.refusal, VoucherEnded)
            assert (seen.refusal.facts["state"], seen.refusal.facts["state_zh"]) == (state, STATE_ZH[state])
        for shown in (dead.token, dead.code, dead.assertion()):
            with pytest.raises(VoucherEnded) as refused:
                world.redeem(shown)
            assert refused.value.facts["state_zh"] == STATE_ZH[state]
        assert world.vouchers() == before

    def test_given_a_voucher_that_ended_when_its_holder_looks_then_there_is_no_qr_no_code_and_the_word(
        self, dead: Dead
    ) -> None:
        world, p, state = dead.world, dead.world.platform, dead.voucher.state
        session = world.session(dead.person)

        with pytest.raises(VoucherEnded) as refused:
            world.token(dead.person, dead.voucher_id)
        card = showing.show_voucher(
            p.templates, p.people, p.keys, dead.voucher_id, actor=world.channel, session=session, now=world.now
        )
        (in_wallet,) = showing.open_wallet(p.templates, p.people, session, 10, None, world.now).items

        assert refused.value.facts == {"state": state, "state_zh": STATE_ZH[state]}
        assert (card.state, card.code, in_wallet.state, in_wallet.code) == (state, None, state, None)

    def test_given_a_voucher_that_ended_when_anything_else_is_asked_of_it_then_refused_and_unchanged(
        self, dead: Dead
    ) -> None:
        world, p = dead.world, dead.world.platform
        before = dead.voucher
        acts: list[tuple[Callable[[], object], type[DomainError]]] = [
            (lambda: world.reverse(dead.voucher_id), NotRedeemed),
            (lambda: world.give_back(dead.person, dead.voucher_id), NotHeld),
            (lambda: world.revoke(dead.voucher_id), NotRevocable),
        ]
        for act, refusal in acts:
            with pytest.raises(refusal) as refused:
                act()
            assert refused.value.facts["state"] == before.state
        again = apply_for(world, dead.training, lines=((dead.voucher_id, None),)).answer
        work(world, again)
        (row,) = enrol(world, open_class(world, days(world, 1)), dead.voucher_id).answer.results

        assert lines(world, again)[dead.voucher_id].code == "not_redeemed"
        assert row.code == "not_redeemed_here"
        assert p.people.voucher(before.person_id, before.template_id) == before
        with pytest.raises(ApplicationStateRefused):  # it has no line that was accepted
            decide(world, again, LineVerdict.APPROVE, dead.voucher_id)
