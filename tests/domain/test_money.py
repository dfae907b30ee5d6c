"""What money promises: whole fen in, yuan for reading out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.money import InvalidAmount, parse_fen, yuan


@given(st.integers(0, 10**15))
def test_given_whole_fen_when_read_then_they_are_returned(value: int) -> None:
    assert parse_fen(value) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "type"),
        (False, "type"),
        (1.0, "type"),
        (float("nan"), "type"),
        ("100", "type"),
        (Decimal(100), "type"),
        (None, "type"),
        (-1, "negative"),
        (10**15 + 1, "too_large"),
    ],
)
def test_given_anything_else_when_read_then_the_code_says_why(value: object, code: str) -> None:
    with pytest.raises(InvalidAmount) as caught:
        parse_fen(value)

    assert caught.value.code == code
    assert caught.value.hint_zh
    assert str(caught.value) == f"{code}: {caught.value.hint_en}"


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (123_450, "1,234.50"),
        (100_000_000_00, "100,000,000.00"),
        (-5, "-0.05"),
        (-123_450, "-1,234.50"),
    ],
)
def test_given_fen_when_written_then_yuan_have_two_decimals(fen: int, text: str) -> None:
    assert yuan(fen) == text


@given(st.integers(-(10**18), 10**18))
def test_given_any_fen_when_written_then_no_fen_is_lost(fen: int) -> None:
    assert Decimal(yuan(fen).replace(",", "")) * 100 == fen
