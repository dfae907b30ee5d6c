"""Was the person there? A check-in (签到) is judged by place, time and the device's own word. domain.md §4.

Nothing of a position is kept but how far it was from the class's place. Relayed video, and a phone that somebody else
carries, still beat every code and every position: devices that serve several people are shown to whoever reviews.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

from chalicelib.domain import calendar
from chalicelib.domain.coordinates import InvalidPoint, Point, check_point, distance_metres
from chalicelib.domain.errors import (
    CheckInNotOpen,
    CheckInOver,
    DatumUnknown,
    OnlineSession,
    PositionInaccurate,
    PositionInvalid,
    PositionMocked,
    PositionOutsideChina,
    PositionSwapped,
    PositionZero,
    SessionNotFound,
    SessionOver,
    TooFar,
    TooFast,
)
from chalicelib.domain.training_class import ClassPlace, ClassRules, Session, TrainingClass


class Result(StrEnum):
    PRESENT = "present"
    LATE = "late"


RESULT_ZH = {Result.PRESENT: "到课", Result.LATE: "迟到"}


class Way(StrEnum):
    """How it was shown that the person was there."""

    LOCATION = "location"
    CLASS_CODE = "class_code"  # the person scanned the class's rotating code
    SCANNED = "scanned"  # staff scanned the person's code
    TERMINAL = "terminal"  # the physical card at a terminal
    REPORTED = "reported"  # by the region's own tool
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Position:
    """What a device says of where it is, as it was sent: degrees of its datum, metres of accuracy, and whether the
    system says that the position is made up."""

    latitude: object
    longitude: object
    datum: object
    accuracy: float | None = None
    mocked: bool = False


@dataclass(frozen=True, slots=True)
class KeptPosition:
    """A position that the region orders kept, ``sealed`` for this row alone; shown until the instant ``until``."""

    session_id: str
    leaving: bool
    at: datetime
    sealed: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """Where and when somebody was seen last: at a class's place, so many metres away."""

    place: ClassPlace
    metres: int
    at: datetime


def session_now(training: TrainingClass, session_id: str | None, at: datetime) -> Session:
    """The session that is meant: that one, or the one whose window is open.

    Raises SessionNotFound, SessionOver (cancelled), CheckInNotOpen (with when it opens), CheckInOver.
    """
    if session_id is not None:
        session = training.session(session_id)
        if not session.is_held:
            raise SessionOver(session=session_id)
        must_be_in_window(session, training.rules, at)
        return session
    held = training.held
    if not held:
        raise SessionNotFound()
    opens = timedelta(seconds=training.rules.opens)
    going_on = [one for one in held if one.starts_at - opens <= at <= one.ends_at]
    if going_on:
        # Between two that follow at once both are open: the one that goes on counts, until it has ended.
        return going_on[0]
    following = next((one for one in held if one.starts_at > at), None)
    if following is None:
        raise CheckInOver(ended_at=calendar.to_text(held[-1].ends_at))
    raise CheckInNotOpen(opens_at=calendar.to_text(following.starts_at - opens))


def session_left(training: TrainingClass, session_id: str | None, there: Collection[str], at: datetime) -> Session:
    """The session that is checked out of: that one, or of those whose time it is the first that is in ``there``, those
    that were not left yet; else the last.

    Raises SessionNotFound, SessionOver (cancelled), CheckInNotOpen (it has not begun), CheckInOver.
    """
    leaves = timedelta(seconds=training.rules.leaves)
    if session_id is not None:
        session = training.session(session_id)
        if not session.is_held:
            raise SessionOver(session=session_id)
        if at < session.starts_at:
            raise CheckInNotOpen(opens_at=calendar.to_text(session.starts_at))
        if at > session.ends_at + leaves:
            raise CheckInOver(ended_at=calendar.to_text(session.ends_at))
        return session
    going_on = [one for one in training.held if one.starts_at <= at <= one.ends_at + leaves]
    if not going_on:
        return session_now(training, None, at)  # which says why there is none, or when the next one opens
    return next((one for one in going_on if one.session_id in there), going_on[-1])


def session_shown(training: TrainingClass, session_id: str | None, at: datetime) -> Session:
    """The one whose code is shown: to check in, and then to check out. Raises what ``session_now`` raises."""
    try:
        return session_now(training, session_id, at)
    except (CheckInNotOpen, CheckInOver) as refused:
        leaves = timedelta(seconds=training.rules.leaves)
        over = [one for one in training.held if session_id in (None, one.session_id) and one.ends_at < at]
        if over and at <= over[-1].ends_at + leaves:
            return over[-1]
        raise refused


def must_be_in_window(session: Session, rules: ClassRules, at: datetime) -> None:
    """Raises CheckInNotOpen, CheckInOver."""
    opens_at = session.starts_at - timedelta(seconds=rules.opens)
    if at < opens_at:
        raise CheckInNotOpen(opens_at=calendar.to_text(opens_at))
    if at > session.ends_at:
        raise CheckInOver(ended_at=calendar.to_text(session.ends_at))


def result_at(session: Session, rules: ClassRules, at: datetime) -> Result:
    """Present until so many seconds after the start, late from then on."""
    late_from = session.starts_at + timedelta(seconds=rules.late)
    return Result.PRESENT if at <= late_from else Result.LATE


def judge_position(position: Position, session: Session, rules: ClassRules, last: Sequence[Seen], at: datetime) -> int:
    """How many metres the person was from the class's place, in GCJ-02, rounded.

    ``last``: where they were seen before, at whatever class. Raises OnlineSession, PositionMocked, DatumUnknown,
    PositionInvalid, PositionZero, PositionSwapped, PositionOutsideChina, PositionInaccurate, TooFar, TooFast.
    """
    if session.place is None:
        raise OnlineSession()
    if position.mocked:
        raise PositionMocked()
    point = _read(position, rules.accuracy)
    metres = distance_metres(point, session.place.point)
    allowed = rules.radius + min(position.accuracy or 0.0, rules.allowance)
    if metres > allowed:
        raise TooFar(metres=round(metres), radius=rules.radius)
    for seen in last:
        _must_be_reachable(point, seen, rules, at)
    return round(metres)


def _read(position: Position, worst: int) -> Point:
    accuracy = position.accuracy
    if accuracy is not None and not isfinite(accuracy):
        raise PositionInvalid()
    try:
        return check_point(
            position.latitude,
            position.longitude,
            position.datum,
            accuracy_metres=accuracy,
            accuracy_limit_metres=worst,
        )
    except InvalidPoint as refused:
        match refused.code:
            case "datum":
                raise DatumUnknown() from None
            case "zero":
                raise PositionZero() from None
            case "swapped":
                raise PositionSwapped() from None
            case "outside_china":
                raise PositionOutsideChina() from None
            case "accuracy":
                raise PositionInaccurate(limit=worst) from None
            case _:
                raise PositionInvalid() from None


def _must_be_reachable(point: Point, seen: Seen, rules: ClassRules, at: datetime) -> None:
    """Where the person was is known to ``metres`` only, so the shortest way that they can have come counts."""
    seconds = abs((at - seen.at).total_seconds())
    way = distance_metres(point, seen.place.point) - seen.metres - rules.allowance
    if way > rules.top_speed * max(seconds, 1.0):
        raise TooFast(metres=round(way), seconds=round(seconds))
