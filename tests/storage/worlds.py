"""Worlds for tests of services: many on one set of tables, each with an account and templates of its own."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chalicelib.services import funding
from tests.engines import Engine, create_tables, delete_tables
from tests.world import CITY, FACE_VALUE, START, World, a_world

_years = itertools.count(2022)
TABLES = ("people", "catalogue", "casework", "insights")


@contextmanager
def shared_world(engines: dict[str, Engine]) -> Iterator[World]:
    """A world on the strictest engine that runs here."""
    endpoints = [one.endpoint for one in engines.values() if one.endpoint]
    environment = create_tables(endpoints[-1])
    yield a_world(environment)
    delete_tables(environment)


def own_world(shared: World, budget_fen: int = 10_000_000 * FACE_VALUE) -> World:
    """The same China, with a special account and templates of its own: its laws can be recounted for it alone."""
    year = next(_years)
    world = replace(shared.at(START), account_id=f"{CITY}-{year}", templates=[])
    p = world.platform
    funding.open_account(
        p.catalogue, p.accounts, p.marks, region=CITY, year=year, budget_fen=budget_fen, **world.by(world.bureau)
    )
    return world


def all_rows(world: World) -> dict[str, dict[str, Any]]:
    """Every raw row by its table and key: to see that nothing was changed."""
    return {
        f"{table} {row.get('person', row.get('subject'))} {row['item']}": row
        for table in TABLES
        for row in world.rows(table)
    }


@contextmanager
def no_writes(world: World) -> Iterator[None]:
    """Fails if the world's own container sends any write within."""
    stores: Any = world.platform.templates
    connection, sent = stores._tables.connection, list[str]()

    def forbidden(name: str) -> Any:
        def write(*_: Any, **__: Any) -> Any:
            sent.append(name)
            raise AssertionError(f"{name} where nothing may be written")

        return write

    writes = {name: getattr(connection, name) for name in ("transact_write_items", "update_item", "put_item")}
    for name in writes:
        setattr(connection, name, forbidden(name))
    try:
        yield
    finally:
        for name, through in writes.items():
            setattr(connection, name, through)
    assert not sent
