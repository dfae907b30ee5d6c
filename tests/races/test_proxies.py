"""One relative at their limit: several people at once, and a claim while the relation ends."""

from collections.abc import Iterator
from functools import partial

import pytest

from chalicelib.domain.errors import DomainError, ProxyLimitReached
from tests.engines import Engine
from tests.races.conftest import Ground, a_ground
from tests.races.crowd import at_once, held_up
from tests.services.test_acting_for import claim_for, end, relations
from tests.world import a_person


@pytest.fixture(scope="module")
def ground(engines: dict[str, Engine]) -> Iterator[Ground]:
    with a_ground(engines, proxy_limit=3) as ground:
        yield ground


@pytest.mark.parametrize("met", [False, True])
def test_given_a_limit_of_three_when_a_relative_claims_for_six_at_once_then_three_are_served(
    ground: Ground, met: bool
) -> None:
    worlds, relative = ground.worlds(), a_person()
    template = worlds[0].publish(9)
    if met:
        worlds[0].claim(relative, worlds[0].publish(5))
    people = [a_person() for _ in worlds]

    got = at_once(
        [partial(claim_for, world, one, relative, template) for world, one in zip(worlds, people, strict=True)]
    )

    assert sum(not isinstance(one, DomainError) for one in got) == 3
    assert {type(one) for one in got if isinstance(one, DomainError)} == {ProxyLimitReached}
    assert len(relations(worlds[0], relative)) == 3
    assert worlds[0].stock(template).made == 3
    worlds[0].check_laws()


def test_given_a_claim_that_was_judged_when_the_relation_ends_first_then_the_claim_makes_a_new_one(
    ground: Ground,
) -> None:
    world, other = ground.worlds()[:2]
    person, relative = a_person(), a_person()
    relation_id = str(claim_for(world, person, relative, world.publish(5)).answer.facts["proxy"])
    template = world.publish(5)
    late = held_up(world, "people", ["record_claim"], lambda: end(other, person, relation_id))

    got = claim_for(late, person, relative, template).answer

    assert got.facts["proxy"] != relation_id
    assert [one.relation_id for one in relations(world, person) if one.revoked_at is None] == [got.facts["proxy"]]
