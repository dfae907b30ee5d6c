"""Money is whole fen (1 yuan = 100 fen), as plain integers."""

from typing import TypeAlias

Fen: TypeAlias = int

MOST_FEN = 10**15
"""The largest amount accepted from outside: ten trillion yuan, far above any account and exact in JSON readers."""


class InvalidAmount(ValueError):
    """A value that is no amount of fen.

    ``code`` is ``type``, ``negative`` or ``too_large``; the hints say it to people.
    """

    def __init__(self, code: str, hint_zh: str, hint_en: str) -> None:
        super().__init__(code, hint_zh, hint_en)
        self.code = code
        self.hint_zh = hint_zh
        self.hint_en = hint_en

    def __str__(self) -> str:
        return f"{self.code}: {self.hint_en}"


def parse_fen(value: object) -> Fen:
    """Accept an integer from 0 to 10^15 as an amount in fen; text, floats and booleans are no amounts.

    Raises ``InvalidAmount``. Source: domain §4 (money is integer fen).
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidAmount("type", "金额应为整数，单位为分。", "An amount is a whole number of fen.")
    if value < 0:
        raise InvalidAmount("negative", "金额不能为负数。", "An amount cannot be negative.")
    if value > MOST_FEN:
        raise InvalidAmount("too_large", "金额过大。", "The amount is too large.")
    return int(value)


def yuan(fen: Fen) -> str:
    """Write fen as yuan with two decimals and thousands separators: 123450 is ``1,234.50``, -5 is ``-0.05``."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"
