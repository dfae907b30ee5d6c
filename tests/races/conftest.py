"""A ground to race on, on the strictest engine: one set of tables, and containers that each remember alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chalicelib.services.ports import Platform
from tests.engines import Engine, create_tables, delete_tables
from tests.storage.worlds import own_world
from tests.world import FACE_VALUE, World, a_world

CONTAINERS = 6


@dataclass(frozen=True)
class Ground:
    """The same China seen from several containers."""

    shared: World
    platforms: Sequence[Platform]

    def worlds(self, budget: int = 1_000_000) -> list[World]:
        """A world with an account of its own, of so many vouchers' price, from each container."""
        world = own_world(self.shared, budget * FACE_VALUE)
        return [replace(world, platform=platform) for platform in self.platforms]


@contextmanager
def a_ground(engines: dict[str, Engine], **rules: Any) -> Iterator[Ground]:
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    world = a_world(environment)
    if rules:
        world.rules(**rules)
    yield Ground(world, [world.another_container().platform for _ in range(CONTAINERS)])
    delete_tables(environment)


@pytest.fixture(scope="module")
def ground(engines: dict[str, Engine]) -> Iterator[Ground]:
    """Where the region's rules are the usual ones."""
    with a_ground(engines) as made:
        yield made


@pytest.fixture(scope="module")
def one_hand(engines: dict[str, Engine]) -> Iterator[Ground]:
    """Where nobody may hold two vouchers at a time."""
    with a_ground(engines, one_at_a_time=True) as made:
        yield made
