"""Classes for tests: opened, with people on them, and people who check in."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.check_in import Position
from chalicelib.domain.coordinates import Datum, Point
from chalicelib.domain.enrolment import Enrolment, EnrolmentReceipt
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.domain.training_class import ClassPlace, SessionPlan, TrainingClass
from chalicelib.services import checking_in, enrolling, evaluating, holding_classes
from chalicelib.services.identifying import Presented
from tests.world import INSTITUTION_ID, World, a_person

ROOM = ClassPlace("实训楼 301", Point(22.543096, 114.057865, Datum.GCJ02))
THERE = Position(22.543096, 114.057865, "gcj02", 20.0)
HOUR = timedelta(hours=1)


def plan(starts_at: datetime, *, hours: float = 3, place: ClassPlace | None = ROOM, **more: Any) -> SessionPlan:
    return SessionPlan(starts_at, starts_at + hours * HOUR, place, "测试师", **more)


def days(world: World, count: int, *, first: int = 1) -> list[SessionPlan]:
    """So many sessions, one a day, from the day after tomorrow's first hour on."""
    return [plan(world.now + timedelta(days=first + i)) for i in range(count)]


def open_class(
    world: World, sessions: Sequence[SessionPlan] | None = None, *, key: str | None = None, **changes: Any
) -> TrainingClass:
    draft = holding_classes.ClassDraft(
        INSTITUTION_ID, world.course.course_id, "电工一班", "测试师", 30, tuple(sessions or days(world, 3))
    )
    return holding_classes.open_class(world.platform, replace(draft, **changes), **world.by(world.desk, key)).answer


def used(world: World, template: Template, person: Profile | None = None) -> tuple[Profile, str]:
    """Somebody who has redeemed a voucher at the institution: who, and the voucher's id."""
    who = person or a_person()
    voucher_id = world.claim(who, template).answer.voucher_id
    world.redeem(Presented(code=world.code(who, voucher_id)))
    return who, voucher_id


def enrol(
    world: World, training: TrainingClass, *voucher_ids: str, key: str | None = None, **more: Any
) -> Done[enrolling.EnrolledList]:
    by = world.by(more.pop("actor", world.desk), key)
    return enrolling.enrol_holders(world.platform, training.class_id, voucher_ids, **by)


def transfer(
    world: World, voucher_id: str, left: TrainingClass, joined: TrainingClass, *, key: str | None = None, **more: Any
) -> Done[enrolling.Transferred]:
    by = world.by(more.pop("actor", world.desk), key, more.pop("body", b"{}"))
    return enrolling.transfer(world.platform, left.class_id, voucher_id, joined.class_id, "时间不合适", **by)


def check_in(
    world: World,
    person: Profile,
    training: TrainingClass,
    shown: Position | str = THERE,
    *,
    session_id: str | None = None,
    device: str | None = None,
    key: str | None = None,
    body: bytes = b"{}",
) -> Done[EnrolmentReceipt]:
    return checking_in.check_in_holder(
        world.platform,
        training.class_id,
        session_id,
        shown,
        device,
        session=world.session(person),
        **world.by(world.channel, key, body),
    )


def enrolment_of(world: World, training: TrainingClass, voucher_id: str) -> Enrolment:
    return enrolling.find_enrolment(world.platform, training, voucher_id)


def at(world: World, moment: datetime) -> World:
    world.clock.set(moment)
    return world


def finish(world: World, training: TrainingClass, key: str | None = None) -> TrainingClass:
    return enrolling.finish_class(world.platform, training.class_id, **world.by(world.desk, key)).answer


STARS = {"teaching": 5, "content": 4, "place": 3, "service": 5}


def evaluate(
    world: World,
    person: Profile,
    training: TrainingClass,
    text: str = "",
    *,
    key: str | None = None,
    **stars: int,
) -> Done[evaluating.Evaluated]:
    return evaluating.evaluate_class(
        world.platform,
        training.class_id,
        STARS | stars,
        text,
        session=world.session(person),
        **world.by(world.channel, key, text.encode()),
    )


def finished_class(world: World, people: int = 1) -> tuple[TrainingClass, list[Profile]]:
    """A class of one session that is over, and who completed it; the clock stands where it stood."""
    before, template = world.now, world.publish(people)
    training = open_class(world, [plan(world.now, hours=1)])
    came = [used(world, template) for _ in range(people)]
    enrol(world, training, *(voucher_id for _, voucher_id in came))
    for person, _ in came:
        check_in(world, person, training)
    at(world, before + HOUR)
    finish(world, training)
    evaluate(world, came[0][0], training, "很好")
    at(world, before)
    return training, [person for person, _ in came]
