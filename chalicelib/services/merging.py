"""Merge two records of one person, and undo it. domain/merge.py"""

from dataclasses import replace
from datetime import datetime

from chalicelib.domain import merge as rules
from chalicelib.domain.access import Actor, Operator, reaches
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Invalid, MergeNotFound, OperatorRequired, RelationsStand
from chalicelib.domain.merge import Merge
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.person import Person
from chalicelib.domain.record import Record, RecordKind
from chalicelib.services.finding_people import PAGE, all_vouchers, find_in_scope
from chalicelib.services.once import once
from chalicelib.services.ports import Chance, Keys, Marks, Merges, People


def propose_merge(
    people: People,
    merges: Merges,
    marks: Marks,
    chance: Chance,
    survivor_id: str,
    other_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Merge]:
    """Nothing changes yet. Raises Invalid (a record with itself), PersonNotFound, RecordsLinked,
    RelationsStand, BothHold."""
    operator = _operator(actor)

    def act() -> Merge:
        if survivor_id == other_id:
            raise Invalid(pointer="/other", reason="a record cannot be merged with itself")
        survivor = find_in_scope(people, survivor_id, actor=actor).person
        other = find_in_scope(people, other_id, actor=actor).person
        rules.check_mergeable(survivor, other)
        both_have = _check_belongings(people, survivor, other)
        merge = Merge(
            merge_id=chance.short_id(),
            survivor=survivor_id,
            other=other_id,
            region=operator.region,
            reason=reason,
            both_have=both_have,
            proposed_by=operator.operator_id,
            proposed_at=now,
        )
        merges.propose(merge, Mark(attempt, merge, now))
        return merge

    return once(marks, attempt, Merge, now, act)


def confirm_merge(
    people: People,
    merges: Merges,
    marks: Marks,
    keys: Keys,
    merge_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Merge]:
    """From now on both are one person: whichever number is shown, both records' vouchers, caps and flags count.

    Raises MergeNotFound, MergeStateRefused, SameOperator, PersonNotFound, RecordsLinked, RelationsStand, BothHold.
    """
    operator = _operator(actor)

    def act() -> Merge:
        before = find_merge(merges, merge_id, actor=actor)
        after = rules.confirm(before, operator_id=operator.operator_id, now=now)
        survivor = find_in_scope(people, before.survivor, actor=actor).person
        other = find_in_scope(people, before.other, actor=actor).person
        rules.check_mergeable(survivor, other)
        after = replace(after, both_have=_check_belongings(people, survivor, other))
        _carry_out(
            people, merges, keys, after, RecordKind.MERGED, other, rules.join(survivor, other),
            other.person_id, survivor.person_id, before.reason, actor, attempt, now,
        )  # fmt: skip
        return after

    return once(marks, attempt, Merge, now, act)


def undo_merge(
    people: People,
    merges: Merges,
    marks: Marks,
    keys: Keys,
    merge_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Merge]:
    """Both are two again, each with what it had and what happened on it since; the other's numbers lead to it again.

    Raises MergeNotFound, MergeStateRefused, UndoWindowOver, PersonNotFound.
    """
    operator = _operator(actor)

    def act() -> Merge:
        before = find_merge(merges, merge_id, actor=actor)
        after = rules.undo(before, reason=reason, operator_id=operator.operator_id, now=now)
        survivor = find_in_scope(people, before.survivor, actor=actor).person
        other = find_in_scope(people, before.other, actor=actor).person
        _carry_out(
            people, merges, keys, after, RecordKind.MERGE_UNDONE, other, rules.part(survivor, other),
            survivor.person_id, other.person_id, reason, actor, attempt, now,
        )  # fmt: skip
        return after

    return once(marks, attempt, Merge, now, act)


def find_merge(merges: Merges, merge_id: str, *, actor: Actor) -> Merge:
    """Raises MergeNotFound, also for one of another region."""
    merge = merges.read(merge_id)
    if merge is None or not reaches(actor, merge.region):
        raise MergeNotFound()
    return merge


def _check_belongings(people: People, survivor: Person, other: Person) -> tuple[str, ...]:
    """The templates of which both have a voucher. Whoever claims, or begins to act for somebody, meanwhile changes the
    row of the one or the other."""
    if _has_relations(people, other.person_id):
        raise RelationsStand()
    ones = [one for person_id in (survivor.person_id, *survivor.also) for one in all_vouchers(people, person_id)]
    others = all_vouchers(people, other.person_id)
    rules.check_no_second_use(ones, others)
    return tuple(sorted({one.template_id for one in ones} & {one.template_id for one in others}))


def _has_relations(people: People, person_id: str) -> bool:
    """Whether they act for somebody, or are acted for: who holds the session of the survivor could not end that."""
    page = people.relations(person_id, PAGE, None)
    found = [*page.items]
    while page.cursor is not None:
        page = people.relations(person_id, PAGE, page.cursor)
        found += page.items
    return any(relation.revoked_at is None for relation in found)


def _carry_out(
    people: People,
    merges: Merges,
    keys: Keys,
    after: Merge,
    kind: RecordKind,
    other: Person,
    both: tuple[Person, Person],
    came_from: str,
    leads_to: str,
    reason: str,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> None:
    # The numbers that are the other record's own, under every pepper under which they are known.
    profile = keys.sealer.unseal_profile(other.sealed_profile, other.person_id)
    numbers = ((profile.id_type, profile.id_number), *profile.other_numbers)
    identities = [key for id_type, number in numbers for key in keys.identities.keys(id_type, number)]
    moved = people.leading_to(identities, came_from)
    survivor_after, other_after = both
    changes = [
        (
            person,
            Record(
                person.person_id, person.version, kind, actor.app_key, actor.operator_id, reason, now,
                {"merge_id": after.merge_id, "with": partner.person_id},
            ),
        )
        for person, partner in ((survivor_after, other_after), (other_after, survivor_after))
    ]  # fmt: skip
    merges.carry_out(after, changes, moved, came_from, leads_to, Mark(attempt, after, now))


def _operator(actor: Actor) -> Operator:
    if actor.operator is None:
        raise OperatorRequired()
    return actor.operator
