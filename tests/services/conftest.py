"""A world that the tests of one file share: where each test makes its own templates and people, none meets another."""

from collections.abc import Iterator

import pytest

from tests.engines import Engine, create_tables, delete_tables
from tests.world import START, World, a_world


@pytest.fixture(scope="module")
def shared_world(engines: dict[str, Engine]) -> Iterator[World]:
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    yield a_world(environment)
    delete_tables(environment)


@pytest.fixture
def town(shared_world: World) -> World:
    """The file's own world, its clock at the start."""
    shared_world.clock.set(START)
    return shared_world
