"""Working days (工作日) in China, by which some deadlines count: weekends, holidays, and the days moved between them.

Each autumn the General Office of the State Council gives notice of the year to come
(国务院办公厅关于…年部分节假日安排的通知): which days are off, and which weekend days are worked for them (调休). No
rule foretells it, so a year is known when its notice is written down here, and never guessed.
"""

from datetime import date, datetime, timedelta


class CalendarUnknown(ValueError):
    """No notice for ``year`` is known here, so nobody can say which of its days are worked."""

    def __init__(self, year: int) -> None:
        super().__init__(year)
        self.year = year

    def __str__(self) -> str:
        return f"no notice on the holidays of {self.year} is known"


def is_working_day(day: date) -> bool:
    """Whether a day in China is a working day, moved days included.

    Raises ``CalendarUnknown`` for a year without a notice, ``TypeError`` for a datetime. Source: the State Council's
    notices.
    """
    # A datetime is a date to Python, but equal to none, so every holiday would be missed.
    if isinstance(day, datetime):
        raise TypeError("a plain date is needed, not a datetime")
    if day.year not in _NOTICES:
        raise CalendarUnknown(day.year)
    off, worked = _NOTICES[day.year]
    return day in worked or (day.weekday() < _SATURDAY and day not in off)


def add_working_days(day: date, count: int) -> date:
    """The ``count``-th working day after a day; 0 gives the day itself, or the next working day if it is none.

    Raises ``CalendarUnknown`` where a day that must be looked at, the first included, lies in a year without a notice,
    ``ValueError`` for a negative count, ``TypeError`` for a datetime. Source: the State Council's notices.
    """
    if count < 0:
        raise ValueError("working days are counted forward")
    # From a day off, 0 and 1 both lead to the next working day.
    worked = is_working_day(day)
    while count > 0 or not worked:
        day += timedelta(days=1)
        worked = is_working_day(day)
        count -= worked
    return day


def deadline(day: date, count: int) -> date:
    """The ``count``-th working day after a day; in a year whose notice is not known yet all weekdays count."""
    try:
        return add_working_days(day, count)
    except CalendarUnknown:
        while count > 0 or not _may_be_worked(day):
            day += timedelta(days=1)
            count -= _may_be_worked(day)
        return day


def _may_be_worked(day: date) -> bool:
    try:
        return is_working_day(day)
    except CalendarUnknown:
        return day.weekday() < _SATURDAY


_SATURDAY = 5


def _days(year: int, text: str) -> frozenset[date]:
    return frozenset(date(year, int(day[:2]), int(day[2:])) for day in text.split())


# Month and day: weekdays that are off, then weekend days that are worked. A notice may reach into the last December
# before its year, as that of 2019 did: whoever adds a year looks at that too.
_NOTICES = {
    year: (_days(year, off), _days(year, worked))
    for year, off, worked in (
        # 国办发明电〔2019〕16号. A notice of 26 January 2020 prolonged the Spring Festival to 2 February: 31 January
        # is off, and 1 February is not worked after all.
        (
            2020,
            "0101 0124 0127 0128 0129 0130 0131 0406 0501 0504 0505 0625 0626 1001 1002 1005 1006 1007 1008",
            "0119 0426 0509 0628 0927 1010",
        ),
        # 国办发明电〔2020〕27号
        (
            2021,
            "0101 0211 0212 0215 0216 0217 0405 0503 0504 0505 0614 0920 0921 1001 1004 1005 1006 1007",
            "0207 0220 0425 0508 0918 0926 1009",
        ),
        # 国办发明电〔2021〕11号
        (
            2022,
            "0103 0131 0201 0202 0203 0204 0404 0405 0502 0503 0504 0603 0912 1003 1004 1005 1006 1007",
            "0129 0130 0402 0424 0507 1008 1009",
        ),
        # 国办发明电〔2022〕16号
        (
            2023,
            "0102 0123 0124 0125 0126 0127 0405 0501 0502 0503 0622 0623 0929 1002 1003 1004 1005 1006",
            "0128 0129 0423 0506 0625 1007 1008",
        ),
        # 国办发明电〔2023〕7号
        (
            2024,
            "0101 0212 0213 0214 0215 0216 0404 0405 0501 0502 0503 0610 0916 0917 1001 1002 1003 1004 1007",
            "0204 0218 0407 0428 0511 0914 0929 1012",
        ),
        # 国办发明电〔2024〕12号
        (
            2025,
            "0101 0128 0129 0130 0131 0203 0204 0404 0501 0502 0505 0602 1001 1002 1003 1006 1007 1008",
            "0126 0208 0427 0928 1011",
        ),
        # 国办发明电〔2025〕7号
        (
            2026,
            "0101 0102 0216 0217 0218 0219 0220 0223 0406 0501 0504 0505 0619 0925 1001 1002 1005 1006 1007",
            "0104 0214 0228 0509 0920 1010",
        ),
    )
}
