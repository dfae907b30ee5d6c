"""The service by which a region says who is eligible (身份核验): where it is, and with which secret both sides sign.

Source: 粤人社函〔2021〕101号, 通用券: the region checks by its own service who may claim; docs/eligibility-service.md
is the contract that such a service keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.domain.errors import EligibilityServiceDisabled

MOST_PEOPLE = 500
"""So many are asked about in one question at most."""
MOST_REMEMBERED = 3600
"""Seconds for which an answer may be remembered at most."""
LATEST_START = timedelta(days=7)
"""A new secret signs within this time."""


@dataclass(frozen=True, slots=True)
class ServiceSecret:
    """A secret that both sides know, sealed; we sign with it from ``signs_from`` on."""

    key_id: str
    sealed: str = field(repr=False)
    made_at: datetime
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class EligibilityService:
    """A region's service. ``remember_seconds``: for how long its answers may be remembered, 0: not at all.

    ``secrets``, the oldest first: the one that signs, and perhaps one that will.
    """

    region: str
    url: str
    remember_seconds: int
    secrets: tuple[ServiceSecret, ...]
    decided_at: datetime
    decided_by: str | None
    disabled_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class ServiceQuestion:
    """One person of a question; ``reference`` is the asker's own word by which the answer comes back."""

    reference: str
    name: str = field(repr=False)
    id_type: str = field(repr=False)
    id_number: str = field(repr=False)


def must_be_in_use(service: EligibilityService) -> None:
    """Raises EligibilityServiceDisabled."""
    if service.disabled_at is not None:
        raise EligibilityServiceDisabled()


def signing_secret(secrets: Sequence[ServiceSecret], now: datetime) -> ServiceSecret:
    """The secret that signs now: the newest that has begun; else the first of all."""
    begun = [one for one in secrets if one.signs_from <= now]
    return begun[-1] if begun else secrets[0]


def rotate(service: EligibilityService, fresh: ServiceSecret, now: datetime) -> EligibilityService:
    """Let a fresh secret take over when it begins; one that still waits was perhaps never received and gives way."""
    kept = signing_secret(service.secrets, now)
    return replace(service, secrets=(kept, fresh), version=service.version + 1)
