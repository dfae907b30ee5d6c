"""Invented people: valid numbers that can be nobody's, because 440199 is the code of no county."""

from datetime import date, timedelta

from chalicelib.domain.identifiers import IdType
from chalicelib.domain.person import Profile

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SURNAMES, _GIVEN = "测试样例虚拟假名", "甲乙丙丁戊己庚辛壬癸"


def invented_person(number: int, *, birth: date = date(1990, 1, 1), name: str | None = None) -> Profile:
    """The n-th invented person, always the same one. Every thousand share a birthday; the next are a day younger."""
    day = birth + timedelta(days=number // 1000)
    digits = f"440199{day:%Y%m%d}{number % 1000:03d}"
    check = "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11]
    invented = name or _SURNAMES[number % len(_SURNAMES)] + _GIVEN[number % 10] + _GIVEN[number // 10 % 10]
    return Profile(invented, IdType.RESIDENT_ID, digits + check, f"1380000{number % 10_000:04d}")
