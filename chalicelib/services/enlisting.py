"""The region's list of eligible people (大数据比对), one number at a time."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.eligibility import Enlisted, Span
from chalicelib.domain.errors import Invalid, NotEnlisted
from chalicelib.domain.identifiers import CitizenId, mask_name, mask_number, normalise_name
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.services.cataloguing import find_region
from chalicelib.services.identifying import identity_keys, read_number
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Keys, Marks, People

MOST_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is listed in which group, from when until when (local dates, inclusive)."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    group: str
    span: Span


def enlist(
    catalogue: Catalogue,
    people: People,
    keys: Keys,
    marks: Marks,
    region: str,
    entry: Entry,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Enlisted]:
    """Put a person into a group of the region's list, or change the dates.

    Raises RegionNotFound, OutOfScope, Invalid (the number is impossible; the dates end before they begin; too many
    groups).
    """

    def act() -> Enlisted:
        find_region(catalogue, region)
        must_cover(actor, region)
        number = read_number(entry.id_number, now, "/id_number")
        if entry.span.since and entry.span.until and entry.span.until < entry.span.since:
            raise Invalid(pointer="/until", reason="the dates end before they begin")
        parts = identity_keys(keys, number)
        before = people.enlisted(parts, region)
        groups = {**(before.groups if before else {}), entry.group: entry.span}
        if len(groups) > MOST_GROUPS:
            raise Invalid(pointer="/group", reason="one person is in too many groups")
        name = normalise_name(entry.name)
        after = Enlisted(
            region=region,
            masked_name=mask_name(name),
            masked_number=mask_number(number.number),
            sealed_name=keys.sealer.seal(name, _name_context(region, parts[0])),
            changed_at=now,
            changed_by=actor.operator_id,
            groups=groups,
            version=before.version + 1 if before else 1,
        )
        people.enlist(after, parts, Mark(attempt, after, now))
        return after

    return once(marks, attempt, Enlisted, now, act)


def strike_off(
    catalogue: Catalogue,
    people: People,
    keys: Keys,
    marks: Marks,
    region: str,
    id_number: str,
    group: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Enlisted]:
    """Take a person out of a group; vouchers that were claimed stay. Raises RegionNotFound, OutOfScope, Invalid,
    NotEnlisted."""

    def act() -> Enlisted:
        before, parts = _find(catalogue, people, keys, region, id_number, actor, now)
        if group not in before.groups:
            raise NotEnlisted()
        groups = {name: span for name, span in before.groups.items() if name != group}
        after = replace(before, groups=groups, changed_at=now, changed_by=actor.operator_id, version=before.version + 1)
        people.enlist(after, parts, Mark(attempt, after, now))
        return after

    return once(marks, attempt, Enlisted, now, act)


def look_up(
    catalogue: Catalogue, people: People, keys: Keys, region: str, id_number: str, *, actor: Actor, now: datetime
) -> Enlisted:
    """What the region's list says of a number. Raises RegionNotFound, OutOfScope, Invalid, NotEnlisted."""
    return _find(catalogue, people, keys, region, id_number, actor, now)[0]


def _find(
    catalogue: Catalogue, people: People, keys: Keys, region: str, id_number: str, actor: Actor, now: datetime
) -> tuple[Enlisted, tuple[str, ...]]:
    find_region(catalogue, region)
    must_cover(actor, region)
    number: CitizenId = read_number(id_number, now, "/id_number")
    parts = identity_keys(keys, number)
    found = people.enlisted(parts, region)
    if found is None or not found.groups:
        raise NotEnlisted()
    return found, parts


def _name_context(region: str, identity_key: str) -> str:
    """What a sealed name is tied to: the list and the number."""
    return f"listed:{region}:{identity_key}"
