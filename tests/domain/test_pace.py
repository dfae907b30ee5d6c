"""How fast a client may ask: windows, budgets, and the shares that a container leases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import pace
from chalicelib.domain.access import Role

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("second", "window", "resets_in"), [(0, 0, 10), (0.999, 0, 10), (1, 0, 9), (9, 0, 1), (9.999, 0, 1), (10, 1, 10)]
)
def test_given_an_instant_when_asked_then_its_window_and_the_next_are_known(
    second: float, window: int, resets_in: int
) -> None:
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

    assert (pace.window_of(now), pace.resets_in(now)) == (window, resets_in)


@given(INSTANTS)
def test_given_any_instant_when_waited_as_told_then_the_next_window_is_open_and_no_later_one(now: datetime) -> None:
    then = now + timedelta(seconds=pace.resets_in(now))

    assert pace.window_of(then) == pace.window_of(now) + 1


@given(INSTANTS)
def test_given_one_instant_in_two_zones_when_asked_then_it_is_one_window(now: datetime) -> None:
    china = now.astimezone(timezone(timedelta(hours=8)))

    assert (pace.window_of(china), pace.resets_in(china)) == (pace.window_of(now), pace.resets_in(now))


@pytest.mark.parametrize(
    ("limit", "lease"), [(0, 1), (1, 1), (10, 1), (39, 1), (40, 2), (399, 19), (400, 20), (20_000, 20), (50_000, 50)]
)
def test_given_a_budget_when_leased_then_a_small_one_is_not_lost_in_leases(limit: int, lease: int) -> None:
    assert pace.lease_of(limit) == lease


def test_given_every_role_when_registered_without_a_figure_then_it_has_one_that_can_be_given() -> None:
    assert pace.USUAL.keys() == set(Role)
    assert all(1 <= usual <= pace.FASTEST for usual in pace.USUAL.values())
    assert pace.limit_of(pace.USUAL[Role.CITY]) == 500
