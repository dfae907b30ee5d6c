"""The edges of the business day: local dates, instants, and what lies between.

Business dates are dates in China; instants are aware datetimes, written in UTC. The offset is the fixed +08:00, which
is what Asia/Shanghai has been since 1992 and needs no zone database on the Lambda. Instants before 1992 do not
occur; birth dates are plain dates and never pass through here.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")

Force = Literal["not_yet", "in_force", "expired"]


def local_date(instant: datetime) -> date:
    """The date in China at an instant; raises ``ValueError`` for a naive datetime."""
    return _aware(instant).astimezone(CHINA).date()


def year_of(instant: datetime) -> int:
    """The natural year in China at an instant, by which yearly caps count; raises ``ValueError`` for a naive one."""
    return local_date(instant).year


def start_of(day: date) -> datetime:
    """The first instant of a day in China, in UTC; raises ``TypeError`` for a datetime."""
    day = _plain(day)
    return datetime(day.year, day.month, day.day, tzinfo=CHINA).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The first instant after a day in China, in UTC: the day itself is included, this instant is not.

    Raises ``TypeError`` for a datetime, ``OverflowError`` for the last date Python knows. Source: domain §3.
    """
    return start_of(_plain(day) + timedelta(days=1))


def in_force(valid_from: date, valid_until: date, instant: datetime) -> Force:
    """Whether an instant lies before, within or after a validity of two inclusive China dates.

    ``valid_until`` 2021-06-30 holds to 15:59:59.999Z of that day and has expired at 16:00:00Z. Raises ``ValueError``
    for a naive instant or a period that ends before it begins, ``TypeError`` for datetimes as dates. Source: domain §3.
    """
    if _plain(valid_until) < _plain(valid_from):
        raise ValueError("the validity ends before it begins")
    today = local_date(instant)
    if today < valid_from:
        return "not_yet"
    return "in_force" if today <= valid_until else "expired"


def due_day(valid_until: date, written: datetime) -> date:
    """The China date whose sweep (00:05) takes a row: the day after its validity, or after its writing if later.

    So a day that has been swept never gains a row. Raises ``ValueError`` for a naive ``written``. Source: design §1.
    """
    return max(_plain(valid_until), local_date(written)) + timedelta(days=1)


def to_text(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds, ``2021-06-30T15:59:59.999Z``; never rounds up.

    Raises ``ValueError`` for a naive datetime.
    """
    utc = _aware(instant).astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_text(text: str) -> datetime:
    """Read an RFC 3339 instant with Z or an offset into UTC; digits beyond microseconds are cut.

    Raises ``ValueError`` for anything else: no offset, no such date or time, leap seconds, other ISO 8601 shapes.
    """
    parts = _RFC_3339.fullmatch(text)
    if parts is None:
        raise ValueError("not an RFC 3339 instant with an offset")
    fraction = (parts["fraction"] or "")[:6].ljust(6, "0")
    offset = "+00:00" if parts["offset"] == "Z" else parts["offset"]
    try:
        return datetime.fromisoformat(f"{parts['second']}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("no such instant") from None


_RFC_3339 = re.compile(
    r"(?P<second>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<offset>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def _aware(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError("a naive datetime is no instant")
    return instant


def _plain(day: date) -> date:
    # A datetime is a date to Python, and its zone would be lost silently.
    if isinstance(day, datetime):
        raise TypeError("a plain date is needed, not a datetime")
    return day
