"""Nights for tests: the day comes on which vouchers are due, and the sweep runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from chalicelib.domain import fund, voucher
from chalicelib.domain.application import Application, LineAct, LineState, LineVerdict, count, settle, step_line
from chalicelib.domain.calendar import local_date, start_of
from chalicelib.domain.fund import PostingKind
from chalicelib.domain.outcomes import LineStep
from chalicelib.domain.person import Profile
from chalicelib.domain.template import FunctionMode
from chalicelib.domain.training_class import TrainingClass
from chalicelib.services.reviewing import post_all
from chalicelib.services.sweeping import SWEEP, Sweep
from tests.classroom import HOUR, at, check_in, enrol, finish, open_class, plan, used
from tests.settling import PAYER, collected, decide, lines, read
from tests.world import World

NO_MONEY: dict[str, Any] = {
    "function_mode": FunctionMode.NO_FACE_VALUE, "face_value_fen": 0, "attendance_only": True,
}  # fmt: skip


@dataclass(frozen=True)
class Taught:
    """A class with who is on it, and their vouchers, in the same order."""

    training: TrainingClass
    people: Sequence[Profile]
    ids: Sequence[str]


def night_of(day: date) -> datetime:
    """When the schedule fires on this day."""
    return start_of(day) + timedelta(minutes=5)


def sweep_on(world: World, day: date, may_go_on: Any = lambda: True) -> Sweep:
    """The sweep of a day, where those before were swept."""
    world.platform.checkpoints.advance(SWEEP, day - timedelta(days=1))
    return at(world, night_of(day)).expire(may_go_on)


def tomorrow(world: World) -> date:
    return local_date(world.now) + timedelta(days=1)


def on_a_class(world: World, people: int = 1, *, sessions: Sequence[Any] | None = None, **template: Any) -> Taught:
    """An open class whose people have redeemed and are on it; its first session begins in an hour."""
    published = world.publish(people, **template)
    training = open_class(world, sessions or [plan(world.now + HOUR, hours=1)])
    came = [used(world, published) for _ in range(people)]
    ids = [voucher_id for _, voucher_id in came]
    for i in range(0, len(ids), 20):
        enrol(world, training, *ids[i : i + 20])
    return Taught(training, [person for person, _ in came], ids)


def completed(world: World, people: int = 1, **template: Any) -> Taught:
    """A class that is over, and that all have completed."""
    taught = on_a_class(world, people, **template)
    at(world, taught.training.sessions[0].starts_at)
    for person in taught.people:
        check_in(world, person, taught.training)
    at(world, taught.training.sessions[0].ends_at)
    return Taught(finish(world, taught.training), taught.people, taught.ids)


def paid(world: World, people: int = 1, **template: Any) -> tuple[Taught, Application]:
    """All of a class were applied for, approved and paid."""
    taught = completed(world, people, **template)
    there = collected(world, taught.training)
    for i in range(0, people, 20):
        decide(world, there, LineVerdict.APPROVE, *taught.ids[i : i + 20])
    for i in range(0, people, 20):
        pay(world, there, *taught.ids[i : i + 20])
    return taught, there


def pay(world: World, application: Application, *voucher_ids: str) -> Application:
    """Pay approved lines, as a payment does: line, voucher, account and head in one transaction."""
    p, now, before = world.platform, world.now, read(world, application)
    there = lines(world, application)
    paying = [
        step_line(there[one], LineState.PAYING, LineAct("paying", now, PAYER.client.app_key), batch_id="BATCH")
        for one in voucher_ids
    ]
    p.applications.record(
        count(before, [(there[one.voucher_id], one) for one in paying]), [LineStep(x) for x in paying]
    )
    steps = list[LineStep]()
    for line in paying:
        held = world.voucher(line.voucher_id)
        after = voucher.pay(held, batch_id="BATCH", reference="R1", actor=PAYER, now=now)
        act = LineAct("paid", now, PAYER.client.app_key, after.paid_fen)
        steps.append(LineStep(step_line(line, LineState.PAID, act, paid_fen=after.paid_fen), (held, after)))
    fen = sum(one.line.paid_fen for one in steps)
    posted = post_all(p, {steps[0].line.account_id: fen}, PostingKind.PAY, fund.pay_legs, "BATCH", PAYER, now)
    pairs = [(line, step.line) for line, step in zip(paying, steps, strict=True)]
    after_head = settle(count(read(world, application), pairs), now)
    p.applications.record(after_head, steps, posted)
    return after_head
