"""Show an operator who somebody is: an act of its own, with a reason, and never without a trace."""

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.disclosure import Disclosure
from chalicelib.domain.errors import OperatorRequired, PersonNotFound, Reused
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.person import Profile
from chalicelib.services.finding_people import find_in_scope
from chalicelib.services.once import once
from chalicelib.services.ports import Chance, Disclosures, Keys, Marks, People


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What was shown, and the trace that it left."""

    disclosure: Disclosure
    profile: Profile = field(repr=False)


def disclose(
    people: People,
    disclosures: Disclosures,
    marks: Marks,
    keys: Keys,
    chance: Chance,
    person_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Disclosed]:
    """Open a person's profile to the operator who signed.

    The mark keeps the trace alone: a repeated request leaves no second one and reads the profile as it is then.
    Raises PersonNotFound, Reused (by another operator).
    """
    operator = actor.operator
    if operator is None:
        raise OperatorRequired()

    def act() -> Disclosure:
        find_in_scope(people, person_id, actor=actor)
        disclosure = Disclosure(
            disclosure_id=chance.short_id(),
            person_id=person_id,
            region=operator.region,
            app_key=actor.app_key,
            operator_id=operator.operator_id,
            reason=reason,
            made_at=now,
        )
        disclosures.add(disclosure, Mark(attempt, disclosure, now))
        return disclosure

    done = once(marks, attempt, Disclosure, now, act)
    if done.hit:
        find_in_scope(people, person_id, actor=actor)
        if done.answer.operator_id != operator.operator_id:  # nobody looks under another's name
            raise Reused()
    person, _ = people.read(done.answer.person_id, [])
    if person is None:
        raise PersonNotFound()
    profile = keys.sealer.unseal_profile(person.sealed_profile, person.person_id)
    return Done(Disclosed(done.answer, profile), hit=done.hit)
