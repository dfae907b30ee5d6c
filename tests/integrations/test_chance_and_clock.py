"""Chance and time, from the system and made up."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.identifiers import format_code
from chalicelib.integrations.chance import SeededChance, SystemChance
from chalicelib.integrations.clock import FixedClock, SystemClock, from_milliseconds, to_milliseconds

NOW = datetime(2021, 6, 30, 15, 59, 59, 999000, tzinfo=UTC)


@pytest.mark.parametrize("chance", [SystemChance(), SeededChance("a test")])
def test_every_draw_has_its_form(chance: SystemChance | SeededChance) -> None:
    assert re.fullmatch("[A-Z2-7]{26}", chance.person_id())
    assert re.fullmatch("[A-Z2-7]{16}", chance.short_id())
    assert re.fullmatch("[A-Za-z0-9_-]{43}", chance.secret())
    assert len(format_code(chance.code_bytes())) == 21
    assert len(chance.nonce()) == 12
    assert sorted(chance.order(10)) == list(range(10))
    assert chance.order(0) == []


@pytest.mark.parametrize("chance", [SystemChance(), SeededChance(1)])
def test_draws_differ(chance: SystemChance | SeededChance) -> None:
    assert len({chance.person_id() for _ in range(100)}) == 100
    assert len({chance.nonce() for _ in range(100)}) == 100
    assert len({tuple(chance.order(20)) for _ in range(100)}) == 100


def test_a_seed_repeats_itself() -> None:
    one, same, other = SeededChance("seed"), SeededChance("seed"), SeededChance("other")

    drawn = [one.person_id(), one.short_id(), one.secret(), one.nonce(), one.order(9)]

    assert drawn == [same.person_id(), same.short_id(), same.secret(), same.nonce(), same.order(9)]
    assert drawn[0] != other.person_id()


def test_the_systems_clock_tells_utc_in_milliseconds() -> None:
    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(NOW)
    assert clock.now() == clock.now() == NOW

    assert clock.advance(timedelta(milliseconds=1)) == clock.now() == NOW + timedelta(milliseconds=1)
    assert clock.set(NOW.astimezone(timezone(timedelta(hours=8)))) == NOW
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError, match="naive"):
        clock.set(NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="naive"):
        FixedClock(NOW.replace(tzinfo=None))


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_milliseconds_never_round_up(instant: datetime) -> None:
    back = from_milliseconds(to_milliseconds(instant))

    assert timedelta(0) <= instant - back < timedelta(milliseconds=1)
