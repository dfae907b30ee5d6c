"""Identity assertions signed by the e-SSC platform, and holder sessions made from them. domain.md §3, design.md §3."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.errors import AssertionNotAccepted

MAX_AGE = timedelta(seconds=300)
SESSION_LENGTH = timedelta(minutes=15)
CLOCK_SKEW = timedelta(seconds=30)


class Purpose(StrEnum):
    CLAIM = "claim"
    REDEEM = "redeem"
    SESSION = "session"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Assertion:
    """Who the platform says it is, for whom (``audience``: the client's app key) and for what.

    ``subject`` names the template or voucher of a claim or a use. ``verified_by`` says how the person was verified
    (face, card, password …), ``verified_at`` when. The signature was checked before this object exists.
    """

    kid: str
    audience: str
    purpose: str
    subject: str | None
    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)
    mobile: str | None = field(repr=False)
    verified_by: str
    verified_at: datetime
    issued_at: datetime
    jti: str


@dataclass(frozen=True, slots=True)
class HolderSession:
    """A person in one channel's hands for fifteen minutes; ``relation_id``: in those of the relative who acts."""

    app_key: str
    person_id: str
    ends_at: datetime
    relation_id: str | None = None


def check_meant_for(assertion: Assertion, app_key: str, purpose: Purpose, subject: str | None) -> None:
    """Check what does not depend on time. Raises AssertionNotAccepted (audience, purpose, subject)."""
    if assertion.audience != app_key:
        raise AssertionNotAccepted(reason="audience")
    if assertion.purpose != purpose:
        raise AssertionNotAccepted(reason="purpose")
    if subject is not None and assertion.subject != subject:
        raise AssertionNotAccepted(reason="subject")


def check_age(assertion: Assertion, now: datetime) -> None:
    """At most 300 s old, at most 30 s ahead of our clock. Raises AssertionNotAccepted (expired, future)."""
    if now - assertion.issued_at > MAX_AGE:
        raise AssertionNotAccepted(reason="expired")
    if assertion.issued_at - now > CLOCK_SKEW:
        raise AssertionNotAccepted(reason="future")
