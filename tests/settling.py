"""Money for tests: a class that was completed, applied for, reviewed, paid; with the jobs in between."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from chalicelib.domain.access import Actor, Duty, Role
from chalicelib.domain.application import (
    Application,
    Decision,
    Line,
    LineVerdict,
    MoneyErrand,
    OutsideOutcome,
    OutsideResult,
)
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Voucher
from chalicelib.services import applying, reviewing, settling_outside, working_off_money
from tests.classroom import HOUR, at, check_in, enrol, finish, open_class, plan, used
from tests.world import CITY, FACE_VALUE, World, an_actor


def an_operator(name: str, *duties: Duty, region: str = CITY) -> Actor:
    """An authority's operator of their own, by the city's client."""
    actor = an_actor("CITYBUREAU", Role.CITY, region)
    assert actor.operator is not None
    return replace(actor, operator=replace(actor.operator, operator_id=f"OP{name}", duties=duties))


REVIEWER, SECOND = an_operator("REVIEWER", Duty.REVIEWER), an_operator("SECOND", Duty.REVIEWER)
PAYER = an_operator("PAYER", Duty.PAYER)


def with_clerks(world: World) -> World:
    """Jobs look up by whose word they act: the institution's and the authority's clients and operators are there."""
    catalogue = world.platform.catalogue
    for actor in (world.desk, REVIEWER, SECOND, PAYER):
        if catalogue.clients.read(actor.app_key) is None:
            catalogue.clients.add(actor.client, None)
        if actor.operator is not None and catalogue.operators.read(actor.operator.operator_id) is None:
            catalogue.operators.add(actor.operator, None)
    return world


def a_completed_class(
    world: World, people: int = 2, absent: int = 0, *, who: Sequence[Profile] = (), **template: Any
) -> tuple[TrainingClass, list[str]]:
    """A class of one session that is over: who completed it, then who did not come; their vouchers. ``who``: they;
    else anybody."""
    published = world.publish(people + absent, **template)
    training = open_class(world, [plan(world.now + HOUR, hours=1)])
    came = [used(world, published, who[i] if who else None) for i in range(people + absent)]
    ids = [voucher_id for _, voucher_id in came]
    for i in range(0, len(ids), 20):
        enrol(world, training, *ids[i : i + 20])
    at(world, training.sessions[0].starts_at)
    for person, _ in came[:people]:
        check_in(world, person, training)
    at(world, training.sessions[0].ends_at)
    return finish(world, training), ids


def apply_for(world: World, training: TrainingClass, *, key: str | None = None, **changes: Any) -> Done[Application]:
    actor = changes.pop("actor", world.desk)
    draft = replace(applying.ApplicationDraft(training.class_id, CITY), **changes)
    return applying.open_application(world.platform, draft, **world.by(actor, key))


def work(world: World, noun: Application, may_go_on: Any = lambda: True) -> working_off_money.Run:
    """One run of the money function."""
    errand = MoneyErrand("application", noun.application_id)
    return working_off_money.carry_out(world.platform, errand, moment=lambda: world.now, may_go_on=may_go_on)


def collected(world: World, training: TrainingClass, **changes: Any) -> Application:
    application = apply_for(world, training, **changes).answer
    work(world, application)
    return read(world, application)


def read(world: World, application: Application) -> Application:
    there = world.platform.applications.read(application.application_id)
    assert there is not None
    return there


def lines(world: World, application: Application) -> dict[str, Line]:
    page = world.platform.applications.lines(application.application_id, 500, None)
    assert page.cursor is None
    return {one.voucher_id: one for one in page.items}


def voucher(world: World, voucher_id: str) -> Voucher:
    key = world.platform.keys.voucher_ids.decode(voucher_id)
    assert key is not None
    there = world.platform.people.voucher(*key)
    assert there is not None
    return there


def decide(
    world: World,
    application: Application,
    verdict: LineVerdict,
    *voucher_ids: str,
    fen: int | None = None,
    reason: str | None = None,
    actor: Actor = REVIEWER,
    key: str | None = None,
) -> Done[Application]:
    needs = verdict is not LineVerdict.APPROVE
    decision = Decision(verdict, fen, reason or ("金额有误" if needs else None), "说明" if needs else None)
    return reviewing.decide_lines(
        world.platform, application.application_id, voucher_ids, decision, **world.by(actor, key)
    )


FINANCE = an_operator("FINANCE", Duty.FINANCE)
CLERK = an_operator("CLERK", Duty.CLERK)
CHINA_DAY = date(2021, 5, 1)


def paid_outside(fen: int, reference: str = "2021-PZ-0001", **changes: Any) -> OutsideResult:
    return replace(OutsideResult(OutsideOutcome.PAID, CHINA_DAY, fen, reference), **changes)


def not_paid_outside(outcome: OutsideOutcome, reason: str = "材料不全") -> OutsideResult:
    return OutsideResult(outcome, CHINA_DAY, reason=reason)


def settle_outside(
    world: World,
    application: Application,
    *results: tuple[str, OutsideResult],
    actor: Actor = CLERK,
    key: str | None = None,
) -> Done[settling_outside.SettledOutside]:
    return settling_outside.settle_outside(world.platform, application.application_id, results, **world.by(actor, key))


def a_paid_class(
    world: World, people: int = 1, fen: int = FACE_VALUE, **template: Any
) -> tuple[Application, list[str]]:
    """A class that the region's own system has paid: its application and vouchers."""
    world.rules(external_settlement=True)
    training, ids = a_completed_class(world, people, **template)
    there = collected(world, training)
    for i in range(0, len(ids), settling_outside.MOST_AT_ONCE):
        some = ids[i : i + settling_outside.MOST_AT_ONCE]
        settle_outside(world, there, *((one, paid_outside(fen)) for one in some))
    return read(world, there), ids
