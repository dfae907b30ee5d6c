"""Identity assertions signed by the e-SSC platform, and holder sessions made from them. domain.md §3, design.md §3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.errors import AssertionNotAccepted, CardReadNotAccepted

MAX_AGE = timedelta(seconds=300)
SESSION_LENGTH = timedelta(minutes=15)
CLOCK_SKEW = timedelta(seconds=30)


class Purpose(StrEnum):
    CLAIM = "claim"
    REDEEM = "redeem"
    SESSION = "session"
    PROXY = "proxy"
    CLAIMABLE = "claimable"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Assertion:
    """Who the platform says it is, or a terminal that read a card: for whom (``audience``: the client's app key) and
    for what.

    ``subject`` names the template or voucher of a claim or a use, or the region whose offers are looked at.
    ``verified_by`` says how the person was verified (face, card, password …), ``verified_at`` when. The
    signature was checked before this object exists.
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
    terminal_id: str | None = None
    card_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HolderSession:
    """A person in one channel's hands for fifteen minutes; ``relation_id``: in those of the relative who acts."""

    app_key: str
    person_id: str
    ends_at: datetime
    relation_id: str | None = None


def check_meant_for(assertion: Assertion, app_key: str, purpose: Purpose, subject: str | None) -> None:
    """Check what does not depend on time. Raises AssertionNotAccepted, CardReadNotAccepted (audience, purpose,
    subject)."""
    if assertion.audience != app_key:
        raise _not_accepted(assertion, "audience")
    if assertion.purpose != purpose:
        raise _not_accepted(assertion, "purpose")
    if subject is not None and assertion.subject != subject:
        raise _not_accepted(assertion, "subject")


def check_age(assertion: Assertion, now: datetime) -> None:
    """At most 300 s old, at most 30 s ahead of our clock. Raises AssertionNotAccepted, CardReadNotAccepted (expired,
    future)."""
    if now - assertion.issued_at > MAX_AGE:
        raise _not_accepted(assertion, "expired")
    if assertion.issued_at - now > CLOCK_SKEW:
        raise _not_accepted(assertion, "future")


def check_unused(assertion: Assertion, digest: str, said: Iterable[Mapping[str, object]]) -> None:
    """Check that no step of a voucher's history was taken by this very assertion: after a reversal the holder shows
    their card, or themselves, anew. ``said``: the facts of its entries. Raises AssertionNotAccepted,
    CardReadNotAccepted (used)."""
    if any(facts.get("asserted") == digest for facts in said):
        raise _not_accepted(assertion, "used")


def _not_accepted(assertion: Assertion, reason: str) -> AssertionNotAccepted:
    return CardReadNotAccepted(reason=reason) if assertion.terminal_id else AssertionNotAccepted(reason=reason)
