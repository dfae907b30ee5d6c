"""Budgets of requests: leased by containers, on real rows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.config import read_settings
from chalicelib.domain import pace
from chalicelib.domain.errors import Unavailable
from chalicelib.storage import keys
from chalicelib.storage.pace import PaceStore
from chalicelib.storage.rows import PaceRow
from chalicelib.storage.tables import Tables
from tests.engines import Engine

NOW = datetime(2026, 11, 25, 8, 0, 3, tzinfo=UTC)
PER_SECOND = 20
LIMIT = pace.limit_of(PER_SECOND)


def a_container(tables: dict[str, str]) -> PaceStore:
    return PaceStore(Tables(read_settings(tables), tables["AWS_ENDPOINT_URL"]))


def passed(container: PaceStore, requests: int, now: datetime = NOW) -> int:
    return sum(container.take("CLIENT", PER_SECOND, now).allowed for _ in range(requests))


def test_given_one_container_when_more_is_asked_than_the_limit_then_the_rest_is_refused(tables: dict[str, str]) -> None:
    container = a_container(tables)

    allowed = passed(container, LIMIT * 2)

    assert allowed == LIMIT + pace.FREE
    refused = container.take("CLIENT", PER_SECOND, NOW)
    assert (refused.allowed, refused.limit, refused.left, refused.resets_in) == (False, LIMIT, 0, 7)


def test_given_a_full_window_when_the_next_begins_then_requests_pass_again(tables: dict[str, str]) -> None:
    container = a_container(tables)
    passed(container, LIMIT * 2)

    assert passed(container, LIMIT, NOW + timedelta(seconds=7)) == LIMIT


def test_given_a_full_budget_when_another_client_asks_then_it_has_its_own(tables: dict[str, str]) -> None:
    container = a_container(tables)
    passed(container, LIMIT * 2)

    assert container.take("OTHER", PER_SECOND, NOW).allowed


def test_given_many_containers_at_once_when_all_ask_then_together_they_keep_the_limit(
    tables: dict[str, str], engine: Engine
) -> None:
    containers = [a_container(tables) for _ in range(8)]

    with ThreadPoolExecutor(8) as threads:
        allowed = sum(threads.map(lambda one: passed(one, LIMIT), containers))

    assert allowed <= LIMIT + 8 * pace.FREE
    if engine.name == "dynamodb-local":  # MiniStack may be too busy to answer; a lease is then counted twice
        assert allowed == LIMIT + 8 * pace.FREE


def test_given_a_quiet_client_when_it_asks_then_no_row_is_written(tables: dict[str, str]) -> None:
    reader = Tables(read_settings(tables), tables["AWS_ENDPOINT_URL"])
    container = a_container(tables)

    passed(container, pace.FREE)
    before = reader.get(PaceRow, "PACE#CLIENT", keys.HEAD)
    passed(container, 1)
    after = reader.get(PaceRow, "PACE#CLIENT", keys.HEAD)

    assert before is None
    assert after is not None
    assert after["taken"] == {"N": str(pace.lease_of(LIMIT))}


def test_given_a_clock_a_little_behind_when_it_asks_then_it_takes_from_the_window_that_began(
    tables: dict[str, str],
) -> None:
    passed(a_container(tables), 2 * pace.FREE, NOW + timedelta(seconds=7))

    assert passed(a_container(tables), LIMIT // 2) == LIMIT // 2


def test_given_nobody_can_count_when_asked_then_requests_pass(tables: dict[str, str]) -> None:
    class Down(Tables):
        def update_if(self, *_: Any) -> Any:
            raise Unavailable

    container = PaceStore(Down(read_settings(tables), tables["AWS_ENDPOINT_URL"]))

    assert passed(container, LIMIT * 2) == LIMIT * 2
