"""Correct a person's name or mobile, and let a corrected or additional number lead to the same person."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Invalid, NumberKnown, NumberTaken, PersonNotFound
from chalicelib.domain.identifiers import (
    InvalidIdentifier,
    mask_mobile,
    mask_name,
    mask_number,
    normalise_name,
    parse_mobile,
)
from chalicelib.domain.outcomes import Done, IdentityTaken, Mark
from chalicelib.domain.person import Person, Profile, is_one
from chalicelib.domain.record import Record, RecordKind
from chalicelib.services.finding_people import find_in_scope, find_to_change
from chalicelib.services.identifying import identity_keys, read_number
from chalicelib.services.once import once
from chalicelib.services.ports import Keys, Marks, People

MOST_NUMBERS = 8


@dataclass(frozen=True, slots=True)
class Correction:
    """What is right; None: as it is. ``name`` and ``mobile`` as typed."""

    reason: str
    name: str | None = None
    mobile: str | None = None


@dataclass(frozen=True, slots=True)
class NewNumber:
    """A number that leads to the person too; with ``corrects`` it is the one that counts from now on."""

    id_type: str
    id_number: str
    reason: str
    corrects: bool = False


def correct_person(
    people: People,
    marks: Marks,
    keys: Keys,
    person_id: str,
    asked: Correction,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Record]:
    """Raises Invalid (the mobile is impossible; nothing would change), PersonNotFound."""
    name = normalise_name(asked.name) if asked.name is not None else None
    mobile = _read_mobile(asked.mobile) if asked.mobile is not None else None

    def act() -> Record:
        before = find_to_change(people, person_id, actor=actor).person
        known = keys.sealer.unseal_profile(before.sealed_profile, person_id)
        right = replace(known, name=name or known.name, mobile=mobile or known.mobile)
        if right == known:
            raise Invalid(pointer="", reason="this is what is known already")
        facts: dict[str, str | None] = {}
        if right.name != known.name:
            facts |= {"name": mask_name(right.name), "name_before": mask_name(known.name)}
        if right.mobile != known.mobile:
            facts |= {"mobile": _masked(right.mobile), "mobile_before": _masked(known.mobile)}
        after = _with_profile(keys, before, right)
        record = _record(keys, RecordKind.CORRECTION, known, after, facts, asked.reason, actor, now)
        told = replace(record, sealed_before=None)
        people.change([(after, record)], Mark(attempt, told, now))
        return told

    return once(marks, attempt, Record, now, act)


def add_number(
    people: People,
    marks: Marks,
    keys: Keys,
    person_id: str,
    asked: NewNumber,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Record]:
    """Raises Invalid (the number is impossible, of another type, or one too many), PersonNotFound, RecordMerged,
    NumberKnown, NumberTaken."""
    number = read_number(asked.id_number, now, "/id_number")
    if number.id_type != asked.id_type:
        raise Invalid(pointer="/id_type", reason="id_type does not fit the number")
    identities = identity_keys(keys, number)

    def act() -> Record:
        before = find_to_change(people, person_id, actor=actor).person
        _must_be_free(people, identities, before, actor)
        known = keys.sealer.unseal_profile(before.sealed_profile, person_id)
        if len(known.other_numbers) + 1 >= MOST_NUMBERS:
            raise Invalid(pointer="/id_number", reason="this person has too many numbers")
        fresh = (number.id_type, number.number)
        if asked.corrects:
            others = (*known.other_numbers, (known.id_type, known.id_number))
            right = replace(known, id_type=fresh[0], id_number=fresh[1], other_numbers=others)
        else:
            right = replace(known, other_numbers=(*known.other_numbers, fresh))
        facts = {
            "id_type": str(number.id_type),
            "id_number": mask_number(number.number),
            "corrects": mask_number(known.id_number) if asked.corrects else None,
        }
        after = _with_profile(keys, before, right)
        record = _record(keys, RecordKind.NUMBER, known, after, facts, asked.reason, actor, now)
        told = replace(record, sealed_before=None)
        try:
            people.change([(after, record)], Mark(attempt, told, now), identities)
        except IdentityTaken:  # a moment ago
            _must_be_free(people, identities, before, actor)
            raise NumberTaken(person_id=None) from None
        return told

    return once(marks, attempt, Record, now, act)


def record_context(person_id: str, number: int) -> str:
    """What a record's sealed profile is tied to."""
    return f"record:{person_id}:{number}"


def _must_be_free(people: People, identities: Sequence[str], person: Person, actor: Actor) -> None:
    leads_to = people.find(identities)
    if leads_to is None:
        return
    if is_one(person, leads_to):
        raise NumberKnown()
    try:
        other = find_in_scope(people, leads_to, actor=actor).person.person_id
    except PersonNotFound:
        raise NumberTaken(person_id=None) from None
    raise NumberTaken(person_id=other)


def _with_profile(keys: Keys, before: Person, profile: Profile) -> Person:
    return replace(
        before,
        version=before.version + 1,
        sealed_profile=keys.sealer.seal_profile(profile, before.person_id),
        masked_name=mask_name(profile.name),
        masked_number=mask_number(profile.id_number),
    )


def _record(
    keys: Keys,
    kind: RecordKind,
    known: Profile,
    after: Person,
    facts: dict[str, str | None],
    reason: str,
    actor: Actor,
    now: datetime,
) -> Record:
    plain = json.dumps(asdict(known), ensure_ascii=False, separators=(",", ":"))
    return Record(
        person_id=after.person_id,
        number=after.version,
        kind=kind,
        app_key=actor.app_key,
        operator_id=actor.operator_id,
        reason=reason,
        made_at=now,
        facts=facts,
        sealed_before=keys.sealer.seal(plain, record_context(after.person_id, after.version)),
    )


def _read_mobile(text: str) -> str:
    try:
        return parse_mobile(text)
    except InvalidIdentifier as refused:
        raise Invalid(pointer="/mobile", reason=refused.hint_en, reason_zh=refused.hint_zh) from None


def _masked(mobile: str | None) -> str | None:
    return mask_mobile(mobile) if mobile else None
