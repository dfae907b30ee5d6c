"""Flag a person as deceased or not eligible, and take a flag away; claims and redemptions look at it."""

from datetime import date, datetime

from chalicelib.domain import person as people_rules
from chalicelib.domain.access import Actor, reaches
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import FlagNotSet, Invalid, OperatorRequired
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.person import Flag, FlagKind
from chalicelib.domain.record import Record, RecordKind
from chalicelib.services.finding_people import find_to_change
from chalicelib.services.once import once
from chalicelib.services.ports import Marks, People


def set_flag(
    people: People,
    marks: Marks,
    person_id: str,
    kind: FlagKind,
    reason: str,
    until: date | None,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Record]:
    """Put a flag for the operator's region; an earlier one of this kind and region gives way to it.

    Raises Invalid (``until`` of the dead, or in the past), PersonNotFound, RecordMerged.
    """
    operator = actor.operator
    if operator is None:
        raise OperatorRequired()

    def act() -> Record:
        if until is not None and kind is FlagKind.DECEASED:
            raise Invalid(pointer="/until", reason="who is deceased is so for good")
        if until is not None and until < local_date(now):
            raise Invalid(pointer="/until", reason="a flag cannot end in the past")
        before = find_to_change(people, person_id, actor=actor).person
        after = people_rules.set_flag(before, Flag(kind, operator.region, now, until))
        facts = {"flag": str(kind), "region": operator.region, "until": until.isoformat() if until else None}
        record = Record(
            person_id, after.version, RecordKind.FLAG_SET, actor.app_key, actor.operator_id, reason, now, facts
        )
        people.change([(after, record)], Mark(attempt, record, now))
        return record

    return once(marks, attempt, Record, now, act)


def clear_flag(
    people: People,
    marks: Marks,
    person_id: str,
    kind: FlagKind,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Record]:
    """Take away the flags of this kind that regions within the asker's scope have put, on all records of the person.

    Raises PersonNotFound, RecordMerged, FlagNotSet.
    """

    def act() -> Record:
        found = find_to_change(people, person_id, actor=actor)
        changes = []
        for before in (found.person, *found.linked):
            regions = sorted({f.region for f in before.flags if f.kind is kind and reaches(actor, f.region)})
            if not regions:
                continue
            after = people_rules.clear_flags(before, kind, regions)
            facts: dict[str, str | None] = {"flag": str(kind), "regions": ", ".join(regions)}
            record = Record(
                before.person_id, after.version, RecordKind.FLAG_CLEARED,
                actor.app_key, actor.operator_id, reason, now, facts,
            )  # fmt: skip
            changes.append((after, record))
        if not changes:
            raise FlagNotSet()
        _, first = changes[0]
        people.change(changes, Mark(attempt, first, now))
        return first

    return once(marks, attempt, Record, now, act)
