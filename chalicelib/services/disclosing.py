"""Show an operator who somebody is: an act of its own, with a reason, and never without a trace."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.disclosure import Disclosure
from chalicelib.domain.errors import OperatorRequired, PersonNotFound, Reused
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.person import Person, Profile
from chalicelib.services.checking_in import position_context
from chalicelib.services.finding_people import find_in_scope
from chalicelib.services.linking import linked_with
from chalicelib.services.once import once
from chalicelib.services.ports import Platform


@dataclass(frozen=True, slots=True)
class ShownPosition:
    """Where a device said that it was: degrees of ``datum``, metres of ``accuracy``."""

    session_id: str
    leaving: bool
    at: datetime
    latitude: float
    longitude: float
    datum: str
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What was shown, and the trace that it left."""

    disclosure: Disclosure
    profile: Profile = field(repr=False)
    positions: tuple[ShownPosition, ...] = field(repr=False, default=())


def disclose(
    p: Platform,
    person_id: str,
    reason: str,
    class_id: str | None = None,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Disclosed]:
    """Open a person's profile to the operator who signed, and what is kept of their positions in a class.

    The mark keeps the trace alone: a repeated request leaves no second one and reads the profile as it is then.
    Raises PersonNotFound, Reused (by another operator).
    """
    operator = actor.operator
    if operator is None:
        raise OperatorRequired()

    def act() -> Disclosure:
        find_in_scope(p.people, person_id, actor=actor)
        disclosure = Disclosure(
            disclosure_id=p.chance.short_id(),
            person_id=person_id,
            region=operator.region,
            app_key=actor.app_key,
            operator_id=operator.operator_id,
            reason=reason,
            made_at=now,
            class_id=class_id,
        )
        p.disclosures.add(disclosure, Mark(attempt, disclosure, now))
        return disclosure

    done = once(p.marks, attempt, Disclosure, now, act)
    if done.hit:
        find_in_scope(p.people, person_id, actor=actor)
        if done.answer.operator_id != operator.operator_id:  # nobody looks under another's name
            raise Reused()
    person, _ = p.people.read(done.answer.person_id, [])
    if person is None:
        raise PersonNotFound()
    profile = p.keys.sealer.unseal_profile(person.sealed_profile, person.person_id)
    shown = _positions(p, person, done.answer.class_id, now) if done.answer.class_id else ()
    return Done(Disclosed(done.answer, profile, shown), hit=done.hit)


def _positions(p: Platform, person: Person, class_id: str, now: datetime) -> tuple[ShownPosition, ...]:
    """Those whose term is not over, of all the person's records."""
    found = list[ShownPosition]()
    for record in (person, *linked_with(p.people, person)):
        for kept in p.enrolments.positions(record.person_id, class_id):
            if now < kept.until:
                context = position_context(record.person_id, class_id, kept.session_id, kept.leaving)
                said = json.loads(p.keys.sealer.unseal(kept.sealed, context))
                where = said["latitude"], said["longitude"], said["datum"], said["accuracy"]
                found.append(ShownPosition(kept.session_id, kept.leaving, kept.at, *where))
    return tuple(sorted(found, key=lambda one: one.at))
