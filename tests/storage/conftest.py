"""Stores on one set of tables per engine: every test of this folder makes up its own ids, so none meets another's."""

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.services.ports import Platform
from chalicelib.storage.tables import Tables
from tests.engines import Engine, create_tables, delete_tables
from tests.world import KEYRING, PEPPER


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    return engines[request.param]


@pytest.fixture(scope="session")
def shared_tables(engine: Engine) -> Iterator[dict[str, str]]:
    assert engine.endpoint is not None, engine.reason
    environment = create_tables(engine.endpoint)
    yield environment
    delete_tables(environment)


@pytest.fixture(scope="session")
def stores(shared_tables: dict[str, str]) -> Platform:
    return a_container(shared_tables)


@pytest.fixture
def elsewhere(shared_tables: dict[str, str]) -> Platform:
    """Another container on the same tables."""
    return a_container(shared_tables)


@pytest.fixture(scope="session")
def rows(shared_tables: dict[str, str]) -> Tables:
    """The tables themselves, below the stores."""
    return Tables(read_settings(shared_tables), shared_tables["AWS_ENDPOINT_URL"])


def a_container(environment: dict[str, str]) -> Platform:
    settings, endpoint = read_settings(environment), environment["AWS_ENDPOINT_URL"]
    return wiring.build(settings, load_keys=lambda: (KEYRING, PEPPER), endpoint=endpoint)
