"""Builders of this room. All keys are made up, all people invented."""

from datetime import UTC, date, datetime

import pytest

from chalicelib.domain.person import CountKey, Profile
from chalicelib.domain.voucher import State, Voucher
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.keyring import Keyring

NOW = datetime(2021, 6, 30, 8, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def first() -> Keyring:
    """The ring on the first day."""
    return Keyring("1", {"1": b"1" * 32})


@pytest.fixture
def second() -> Keyring:
    """The same ring after one rotation."""
    return Keyring("2", {"1": b"1" * 32, "2": b"2" * 32})


@pytest.fixture
def third() -> Keyring:
    """The same ring after two rotations."""
    return Keyring("3", {"1": b"1" * 32, "2": b"2" * 32, "3": b"3" * 32})


@pytest.fixture
def stranger() -> Keyring:
    """A ring of somebody else with the same version number."""
    return Keyring("1", {"1": b"x" * 32})


@pytest.fixture
def profile() -> Profile:
    return Profile("张三丰", "resident_id", "11010519491231002X", "13800000000")


@pytest.fixture
def voucher() -> Voucher:
    return Voucher(
        person_id="ABCDEFGHIJKLMNOPQRSTUVWXYA",
        template_id="TEMPLATEID234567",
        voucher_id="",
        region="440100",
        shard=0,
        terms_version=1,
        state=State.CLAIMED,
        version=7,
        ceiling_fen=100_000,
        valid_from=date(2021, 6, 1),
        valid_until=date(2021, 12, 31),
        counted_as=CountKey("440100", 2021, "skills"),
        masked_name="张**",
        sealed_code="",
        code_key="",
        made_at=NOW,
        changed_at=NOW,
    )
