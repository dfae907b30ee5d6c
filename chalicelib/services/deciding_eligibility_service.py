"""Decide which service a region asks about who is eligible: address, secret, rotation, end; and try it out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain import eligibility_service
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.eligibility import ServiceVerdict
from chalicelib.domain.eligibility_service import (
    EligibilityService,
    ServiceQuestion,
    ServiceSecret,
    must_be_in_use,
    signing_secret,
)
from chalicelib.domain.errors import AlreadyExists, EligibilityServiceNotFound, Invalid
from chalicelib.domain.identifiers import NATION, normalise_name, region_ancestors
from chalicelib.domain.outcomes import Done, Mark, StaleRow
from chalicelib.services.cataloguing import find_region
from chalicelib.services.identifying import read_number
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Chance, EligibilityServices, Marks, Sealer

TRIAL = "TRIAL"
"""The template that a trial names."""


@dataclass(frozen=True, slots=True)
class DecidedService:
    """A region's service and, where one was made and this one time, its secret."""

    service: EligibilityService
    key_id: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a service answered about one person."""

    service: EligibilityService
    key_id: str
    verdict: ServiceVerdict


def service_secret_context(region: str, key_id: str) -> str:
    """What a service's sealed secret is tied to."""
    return f"eligibility-service-secret:{region}:{key_id}"


def eligibility_service_of(catalogue: Catalogue, region: str) -> EligibilityService | None:
    """The service in use of the nearest of county, city and province that has one; at most 60 s old."""
    for code in (region, *region_ancestors(region)):
        found = catalogue.eligibility_services.get(code) if code != NATION else None
        if found is not None and found.disabled_at is None:
            return found
    return None


def decide_service(
    catalogue: Catalogue,
    services: EligibilityServices,
    marks: Marks,
    sealer: Sealer,
    chance: Chance,
    region: str,
    url: str,
    remember_seconds: int,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[DecidedService]:
    """Decide where the region's service is. The first time, and after it was disabled, a secret is made; else the
    present one stays. Raises RegionNotFound, OutOfScope, Invalid (the address may not be called; the nation has none).
    """

    def act() -> DecidedService:
        find_region(catalogue, region)
        must_cover(actor, region)
        if region == NATION:
            raise Invalid(reason="counties, cities and provinces have eligibility services")
        if not services.may_call(url):
            raise Invalid(
                pointer="/url",
                reason="not an address that may be called: https, a public host, a plain path, no query",
            )
        before = catalogue.eligibility_services.read(region)
        secret, secrets = None, before.secrets if before else ()
        if before is None or before.disabled_at is not None:
            secret, fresh = _fresh_secret(sealer, chance, region, now, now)
            secrets = (fresh,)
        after = EligibilityService(
            region=region,
            url=url,
            remember_seconds=remember_seconds,
            secrets=secrets,
            decided_at=now,
            decided_by=actor.operator_id,
            version=before.version + 1 if before else 1,
        )
        answer = DecidedService(_without_secrets(after), secrets[-1].key_id, None)
        if before is None:
            try:
                catalogue.eligibility_services.add(after, Mark(attempt, answer, now))
            except AlreadyExists:  # somebody else decided first: this is a change of theirs
                raise StaleRow from None
        else:
            catalogue.eligibility_services.change(after, Mark(attempt, answer, now))
        return replace(answer, secret=secret)

    return once(marks, attempt, DecidedService, now, act)


def rotate_service_secret(
    catalogue: Catalogue,
    marks: Marks,
    sealer: Sealer,
    chance: Chance,
    region: str,
    starts_in: timedelta,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[DecidedService]:
    """Make another secret, which signs after ``starts_in``: so the region can bring it to its service before. One that
    still waits gives way to it. Raises RegionNotFound, OutOfScope, EligibilityServiceNotFound,
    EligibilityServiceDisabled."""

    def act() -> DecidedService:
        before = _to_change(catalogue, region, actor)
        must_be_in_use(before)
        secret, fresh = _fresh_secret(sealer, chance, region, now, now + starts_in)
        after = eligibility_service.rotate(before, fresh, now)
        answer = DecidedService(_without_secrets(after), fresh.key_id, None)
        catalogue.eligibility_services.change(after, Mark(attempt, answer, now))
        return replace(answer, secret=secret)

    return once(marks, attempt, DecidedService, now, act)


def disable_service(
    catalogue: Catalogue, marks: Marks, region: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[EligibilityService]:
    """Ask it no more; within 60 s everywhere. Then the service of the region above is asked, if there is one.

    Raises RegionNotFound, OutOfScope, EligibilityServiceNotFound.
    """

    def act() -> EligibilityService:
        before = _to_change(catalogue, region, actor)
        after = replace(before, disabled_at=before.disabled_at or now, version=before.version + 1)
        shown = _without_secrets(after)
        catalogue.eligibility_services.change(after, Mark(attempt, shown, now))
        return shown

    return once(marks, attempt, EligibilityService, now, act)


def find_service(catalogue: Catalogue, region: str, actor: Actor) -> EligibilityService:
    """The region's own. Raises RegionNotFound, OutOfScope, EligibilityServiceNotFound."""
    return _to_change(catalogue, region, actor)


def try_service(
    catalogue: Catalogue,
    services: EligibilityServices,
    region: str,
    *,
    name: str,
    id_type: str,
    id_number: str,
    actor: Actor,
    now: datetime,
) -> Trial:
    """Ask the region's own service about an invented person. Changes nothing.

    Raises RegionNotFound, OutOfScope, EligibilityServiceNotFound, EligibilityServiceDisabled, Invalid (the number is
    impossible), EligibilityServiceUnavailable.
    """
    service = _to_change(catalogue, region, actor)
    must_be_in_use(service)
    number = read_number(id_number, now, "/id_number")
    if number.id_type != id_type:
        raise Invalid(pointer="/id_type", reason="id_type does not fit the number")
    question = ServiceQuestion("1", normalise_name(name), number.id_type, number.number)
    verdicts = services.ask(
        service, template_id=TRIAL, programme_type=TRIAL.lower(), people=(question,), now=now, trial=True
    )
    return Trial(service, signing_secret(service.secrets, now).key_id, verdicts["1"])


def _to_change(catalogue: Catalogue, region: str, actor: Actor) -> EligibilityService:
    find_region(catalogue, region)
    must_cover(actor, region)
    found = catalogue.eligibility_services.read(region)
    if found is None:
        raise EligibilityServiceNotFound()
    return found


def _fresh_secret(
    sealer: Sealer, chance: Chance, region: str, now: datetime, signs_from: datetime
) -> tuple[str, ServiceSecret]:
    secret, key_id = chance.secret(), chance.short_id()
    sealed = sealer.seal(secret, service_secret_context(region, key_id))
    return secret, ServiceSecret(key_id, sealed, made_at=now, signs_from=signs_from)


def _without_secrets(service: EligibilityService) -> EligibilityService:
    """For marks and answers: what is known of the secrets, not themselves."""
    return replace(service, secrets=tuple(replace(one, sealed="") for one in service.secrets))
