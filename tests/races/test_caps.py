"""Each kind of cap while one person claims, or uses, several vouchers at the same moment through several containers."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.errors import CapReached, DomainError, HoldsAnother
from chalicelib.domain.region import Cap, CapBy, Window
from tests.engines import Engine
from tests.races.conftest import Ground, a_ground
from tests.races.crowd import at_once
from tests.services.test_caps_at_redemption import ONCE_EVER, a_course, a_programme, hold
from tests.world import World, a_person

CAPS: dict[str, dict[str, Any]] = {
    "three a year": {"caps": (Cap("year", Window.YEAR, CapBy.ALL, 3),)},
    "three in a lifetime": {"caps": (Cap("ever", Window.LIFETIME, CapBy.ALL, 3),)},
    "three a year of a programme type": {"caps": (Cap("type", Window.YEAR, CapBy.PROGRAMME_TYPE, 3),)},
    "one at a time": {"one_at_a_time": True},
}
TEMPLATES = 6


@pytest.fixture(params=CAPS, scope="module")
def ruled(engines: dict[str, Engine], request: pytest.FixtureRequest) -> Iterator[tuple[Ground, int]]:
    rules = CAPS[request.param]
    with a_ground(engines, **rules) as ground:
        yield ground, 1 if "one_at_a_time" in rules else 3


@pytest.mark.parametrize("round_", range(3))
def test_given_a_cap_when_somebody_claims_six_at_once_then_no_more_than_it_allows_are_made(
    ruled: tuple[Ground, int], round_: int
) -> None:
    ground, limit = ruled
    worlds = ground.worlds()
    templates = [worlds[0].publish(5) for _ in range(TEMPLATES)]
    person = a_person()

    got = at_once([partial(world.claim, person, one) for world, one in zip(worlds, templates, strict=True)])

    refused = [one for one in got if isinstance(one, DomainError)]
    assert len(got) - len(refused) == limit
    assert {type(one) for one in refused} <= {CapReached, HoldsAnother}
    assert sum(worlds[0].stock(template).made for template in templates) == limit
    worlds[0].check_laws()


@pytest.mark.parametrize("round_", range(3))
def test_given_an_occupation_once_ever_when_six_vouchers_are_used_for_it_at_once_then_one_is(
    engines: dict[str, Engine], round_: int
) -> None:
    with a_ground(engines, caps=(ONCE_EVER,)) as ground:
        worlds: list[World] = ground.worlds()
        world, person = worlds[0], a_person()
        programme = a_programme(world)
        course = a_course(world, programme)
        shown = [hold(world, person, programme)[1] for _ in worlds]

        got = at_once(
            [partial(one.redeem, show, course_id=course.course_id) for one, show in zip(worlds, shown, strict=True)]
        )

        assert sum(not isinstance(one, DomainError) for one in got) == 1
        assert {type(one) for one in got if isinstance(one, DomainError)} == {CapReached}
        world.check_laws()
