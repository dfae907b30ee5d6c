"""Money is whole fen (1 yuan = 100 fen), as plain integers."""

import re
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


def parse_yuan(text: str) -> Fen:
    """Read yuan as people and banks write them, with at most two decimals: ``1,234.5`` is 123450 fen.

    Raises ``InvalidAmount`` (form).
    """
    plain = text.replace(",", "").removeprefix("¥").strip()
    if not _YUAN.fullmatch(plain):
        raise InvalidAmount(
            "form", "金额应为以元为单位的数字，最多两位小数。", "An amount is yuan with two decimals at most."
        )
    whole, _, rest = plain.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


_YUAN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


def yuan(fen: Fen) -> str:
    """Write fen as yuan with two decimals and thousands separators: 123450 is ``1,234.50``, -5 is ``-0.05``."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"
