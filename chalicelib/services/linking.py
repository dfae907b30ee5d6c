"""The records of one person that were merged: read beside the one that is at hand. No call where there are none."""

from collections.abc import Sequence

from chalicelib.domain.person import Person
from chalicelib.domain.voucher import ENDED, Voucher
from chalicelib.services.ports import People


def linked_with(people: People, person: Person) -> tuple[Person, ...]:
    """The other records of the same person, whichever of them is at hand."""
    if person.merged_into is not None:
        (survivor,) = people.heads([person.merged_into])
        others = [person_id for person_id in survivor.also if person_id != person.person_id]
        return (survivor, *(people.heads(others) if others else ()))
    return tuple(people.heads(person.also)) if person.also else ()


def linked_of(people: People, person: Person | None) -> tuple[Person, ...]:
    """The same of somebody who may not be known."""
    return linked_with(people, person) if person else ()


def any_voucher(people: People, identity_keys: Sequence[str], template_id: str) -> Voucher | None:
    """The voucher of whoever the number leads to, on whichever of their records it stands: up to three reads."""
    person_id = people.find(identity_keys)
    if person_id is None:
        return None
    holder, vouchers = people.read(person_id, [template_id])
    return first_of([*vouchers.values(), *vouchers_among(people, linked_of(people, holder), template_id)])


def vouchers_among(people: People, linked: Sequence[Person], template_id: str) -> list[Voucher]:
    """The vouchers of this template that other records of the person have; at most one of all has not ended."""
    return list(people.vouchers([(one.person_id, template_id) for one in linked])) if linked else []


def voucher_among(people: People, linked: Sequence[Person], template_id: str) -> Voucher | None:
    """The one of those that tells."""
    return first_of(vouchers_among(people, linked, template_id))


def first_of(found: Sequence[Voucher]) -> Voucher | None:
    """The one that tells of a person's vouchers of one template: that which has not ended, if there is one."""
    return min(found, key=lambda one: one.state in ENDED, default=None)
