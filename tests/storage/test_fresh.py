"""The small memory of rows: how long it keeps, what it never keeps, how much."""

from dataclasses import dataclass, field

import pytest

from chalicelib.storage.fresh import MOST, SECONDS, Fresh


@dataclass
class Source:
    """Rows that can be loaded, how often they were, and a watch to turn."""

    rows: dict[str, str] = field(default_factory=dict)
    loads: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.fresh = Fresh[str, str](ticks=lambda: self.seconds)

    def get(self, key: str) -> str | None:
        def load() -> str | None:
            self.loads += 1
            return self.rows.get(key)

        return self.fresh.get(key, load)


@pytest.fixture
def source() -> Source:
    return Source({"a": "first", "b": "other"})


def test_given_a_row_when_got_again_within_a_minute_then_it_is_not_loaded_again(source: Source) -> None:
    assert source.get("a") == "first"
    source.rows["a"] = "second"
    source.seconds = SECONDS - 0.001

    assert source.get("a") == "first"
    assert source.loads == 1


def test_given_a_row_when_a_minute_has_passed_then_it_is_loaded_and_kept_anew(source: Source) -> None:
    source.get("a")
    source.rows["a"] = "second"
    source.seconds = SECONDS

    assert source.get("a") == "second"
    source.rows["a"] = "third"
    source.seconds = 2 * SECONDS - 0.001
    assert source.get("a") == "second"
    assert source.loads == 2


def test_given_a_row_that_is_got_often_when_a_minute_has_passed_then_its_use_did_not_prolong_it(source: Source) -> None:
    for second in range(0, 60, 10):
        source.seconds = second
        source.get("a")
    source.seconds = 60

    source.get("a")

    assert source.loads == 2


def test_given_a_row_that_is_missing_when_got_again_then_it_is_looked_for_again(source: Source) -> None:
    assert source.get("new") is None
    source.rows["new"] = "there"

    assert source.get("new") == "there"


def test_given_a_row_when_forgotten_or_all_cleared_then_it_is_loaded_again(source: Source) -> None:
    source.get("a")
    source.get("b")

    source.fresh.forget("a")
    source.fresh.forget("never kept")
    source.get("a")
    source.get("b")
    assert source.loads == 3

    source.fresh.clear()
    source.get("b")
    assert source.loads == 4


def test_given_more_rows_than_are_kept_when_got_then_the_oldest_gives_way(source: Source) -> None:
    for number in range(MOST):
        source.fresh.keep(str(number), "kept")
    source.fresh.keep("0", "kept anew")  # stands last now

    source.fresh.keep("one more", "kept")

    assert source.get("0") == "kept anew"
    assert source.get("2") == "kept"
    assert source.loads == 0
    assert source.get("1") is None
    assert source.loads == 1
