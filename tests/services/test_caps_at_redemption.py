"""Caps by occupation and level where the programme leaves both to its courses: judged when the voucher is used.

Source: domain.md §3, e.g. Shenzhen: the same occupation and level once ever; checked again at redemption.
"""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import CapReached, Invalid, Unavailable
from chalicelib.domain.person import Profile
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import CourseDraft, ProgrammeDraft
from chalicelib.services.identifying import Presented
from tests.services.faults import Watched, with_store
from tests.storage.worlds import own_world
from tests.world import CITY, INSTITUTION_ID, World, a_person

WELDER, COOK = "6-18-02-04", "4-03-02-01"
ONCE_EVER = Cap("once_ever", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 1)


@pytest.fixture
def world(shared_world: World) -> World:
    world = own_world(shared_world)
    world.rules(caps=(ONCE_EVER,))
    return world


def a_programme(world: World, occupation: str | None = None, level: int | None = None) -> Programme:
    p = world.platform
    draft = ProgrammeDraft(CITY, "技能提升", "Upskilling", "enterprise_staff", 200_000, occupation, level)
    return cataloguing.add_programme(p.catalogue, p.marks, p.chance, draft, **world.by(world.bureau)).answer


def a_course(world: World, programme: Programme, occupation: str | None = WELDER, level: int | None = 4) -> Course:
    p = world.platform
    draft = CourseDraft(
        programme.programme_id, INSTITUTION_ID, "课程", "Course", 40, occupation=occupation, level=level
    )
    return cataloguing.add_course(p.catalogue, p.marks, p.chance, draft, **world.by(world.bureau)).answer


def hold(world: World, person: Profile, programme: Programme) -> tuple[str, Presented]:
    """A voucher of a template of its own for this programme, and how it is shown."""
    template = world.publish(5, programme_id=programme.programme_id)
    voucher_id = world.claim(person, template).answer.voucher_id
    return voucher_id, Presented(code=world.code(person, voucher_id))


def counts(world: World, voucher_id: str) -> dict[str, int]:
    p, person_id = world.platform, world.voucher(voucher_id).person_id
    holder, _ = p.people.read(person_id, [])
    assert holder is not None
    return {"|".join(text.split("|")[3:]): n for text, n in holder.counts.items()}


def test_given_two_vouchers_when_both_are_used_for_one_occupation_and_level_then_only_the_first_is(
    world: World,
) -> None:
    person, programme = a_person(), a_programme(world)
    course = a_course(world, programme)
    first_id, first = hold(world, person, programme)
    second_id, second = hold(world, person, programme)
    place: dict[str, Any] = {"course_id": course.course_id}

    used = world.redeem(first, key="use", **place)
    with pytest.raises(CapReached) as refused:
        world.redeem(second, **place)
    judged = world.verify(second, **place)

    assert refused.value.facts == {"rule": "once_ever", "limit": 1}
    assert isinstance(judged.refusal, CapReached)
    assert world.redeem(first, key="use", **place).answer == used.answer
    assert counts(world, first_id) == {f"{WELDER}|4": 1, "|": 1}
    assert world.redeem(second, course_id=a_course(world, programme, COOK).course_id).answer.version == 2
    assert counts(world, second_id) == {f"{WELDER}|4": 1, f"{COOK}|4": 1}


@pytest.mark.parametrize(("occupation", "level"), [(WELDER, 3), (WELDER, None), (COOK, 4), (None, None)])
def test_given_another_occupation_or_level_or_none_when_used_then_allowed(
    world: World, occupation: str | None, level: int | None
) -> None:
    person, programme = a_person(), a_programme(world)
    world.redeem(hold(world, person, programme)[1], course_id=a_course(world, programme).course_id)

    course = a_course(world, programme, occupation, level)

    assert world.redeem(hold(world, person, programme)[1], course_id=course.course_id).answer.version == 2


def test_given_a_mis_scan_when_reversed_then_it_counts_as_before_and_the_place_is_free_again(world: World) -> None:
    person, programme = a_person(), a_programme(world)
    course = a_course(world, programme)
    first_id, first = hold(world, person, programme)
    _, second = hold(world, person, programme)
    world.redeem(first, course_id=course.course_id)

    world.reverse(first_id)

    assert counts(world, first_id) == {"|": 2}
    assert world.voucher(first_id).counted_as.occupation is None
    assert world.redeem(second, course_id=course.course_id).answer.version == 2
    with pytest.raises(CapReached):
        world.redeem(first, course_id=course.course_id)


def test_given_a_cap_that_was_lowered_when_what_is_held_is_used_then_what_was_allowed_at_the_claim_stays(
    world: World,
) -> None:
    person, programme = a_person(), a_programme(world)
    vouchers = [hold(world, person, programme) for _ in range(2)]
    world.rules(caps=(Cap("one", Window.YEAR, CapBy.ALL, 1), replace(ONCE_EVER, limit=2)))
    course = a_course(world, programme)

    for _, shown in vouchers:
        assert world.redeem(shown, course_id=course.course_id).answer.version == 2


def test_given_rules_that_cannot_be_read_when_verified_then_that_is_no_refusal_of_the_voucher(world: World) -> None:
    programme = a_programme(world)
    course = a_course(world, programme)
    _, shown = hold(world, a_person(), programme)

    def unread(_: int) -> None:
        raise Unavailable

    catalogue = world.platform.catalogue
    broken = replace(catalogue, rule_sets=Watched(catalogue.rule_sets, "in_force", before=unread))

    with pytest.raises(Unavailable):
        with_store(world, "catalogue", broken).verify(shown, course_id=course.course_id)


def test_given_a_programme_that_is_bound_when_a_course_names_another_occupation_then_refused(world: World) -> None:
    bound = a_programme(world, WELDER, 4)

    assert a_course(world, bound, None, None).occupation == WELDER
    assert a_course(world, bound).level == 4
    for occupation, level in ((COOK, 4), (WELDER, 3)):
        with pytest.raises(Invalid, match="invalid_request"):
            a_course(world, bound, occupation, level)
    with pytest.raises(Invalid) as refused:
        a_course(world, a_programme(world), None, 4)
    assert refused.value.pointer == "/level"
