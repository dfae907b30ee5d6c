"""Engines, tables and worlds for the tests.

A test that asks for ``engine`` or ``world`` runs once on each DynamoDB engine that this machine has; one that asks for
``strict_world`` (races, transactions) runs on Amazon's DynamoDB Local where that is to be had, else on MiniStack.
"""

import os
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from botocore.loaders import create_loader
from hypothesis import settings

from chalicelib.services import amending, sweeping
from chalicelib.storage import keys
from tests.contract.tally import table
from tests.engines import Engine, create_tables, delete_tables, running_engines
from tests.world import World, a_world
from tools.dynamodb_local import why_unavailable
from tools.local_stack import LocalStack, local_stack

SWEPT = {"api", "faults", "histories", "jobs", "privacy", "races", "services"}
MINISTACK, DYNAMODB_LOCAL = "ministack", "dynamodb-local"
_missing = why_unavailable()
# The gate sees the same examples each time; `make test-long` looks for new ones, and for many more.
settings.register_profile("gate", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("long", deadline=None, max_examples=2_000)
settings.load_profile("long" if os.environ.get("LONG") else "gate")


ON_ONE_ENGINE = {"services", "jobs"}


def pytest_report_header() -> str:
    if _missing is None:
        return "engines: MiniStack and DynamoDB Local"
    return f"engines: MiniStack only. LEFT OUT: storage tests and races on DynamoDB Local, because {_missing}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in table([*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]):
        terminalreporter.write_line(line)
    if _missing is not None:
        terminalreporter.write_line(f"LEFT OUT: storage tests and races on DynamoDB Local, because {_missing}")

    # What a search did is worth knowing also where it found nothing; a test says it with record_property("told", …).
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, said in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(said))


def pytest_configure() -> None:
    if _missing is not None and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"CI needs DynamoDB Local: {_missing}")
    # Whatever the machine is logged in to: tests speak to loopback with made-up credentials only.
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "TrainingVoucher")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    # A session reads megabytes of JSON about AWS, the same each time; the tests open a thousand sessions.
    botocore.session.create_loader = cache(create_loader)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        names = [MINISTACK] if _missing else [MINISTACK, DYNAMODB_LOCAL]
        # What both engines make of each row and condition is tested with the storage; the gate has ten minutes.
        if not _missing and not os.environ.get("LONG") and ON_ONE_ENGINE & set(metafunc.definition.path.parts):
            names = [DYNAMODB_LOCAL]
        metafunc.parametrize("engine", names, indirect=True)


@pytest.fixture(autouse=True)
def few_lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a sweep has four lanes where what a sweep does is tested: each costs a query, and all are alike; but not
    where it is cut off between them (``all_lanes``)."""
    if SWEPT & set(request.path.parts) and not request.node.get_closest_marker("all_lanes"):
        for room in (keys, sweeping, amending):
            monkeypatch.setattr(room, "LANES", 4)


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[str, Engine]]:
    with running_engines() as running:
        yield running


@pytest.fixture
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    return engines[request.param]


@pytest.fixture
def tables(engine: Engine) -> Iterator[dict[str, str]]:
    yield from _tables(engine)


@pytest.fixture
def world(tables: dict[str, str]) -> World:
    return a_world(tables)


@pytest.fixture
def strict_world(engines: dict[str, Engine]) -> Iterator[World]:
    engine = engines[MINISTACK if _missing else DYNAMODB_LOCAL]
    for environment in _tables(engine):
        yield a_world(environment)


@pytest.fixture(scope="session")
def deployed() -> Iterator[LocalStack]:
    """A local stack with everything deployed, by the very templates that AWS gets."""
    with local_stack() as stack:
        yield stack


def _tables(engine: Engine) -> Iterator[dict[str, str]]:
    assert engine.endpoint is not None, engine.reason
    environment = create_tables(engine.endpoint)
    yield environment
    delete_tables(environment)
