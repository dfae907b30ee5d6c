"""An authority finds a person by a number or a voucher: only people who have a voucher of its regions."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.access import Actor, reaches
from chalicelib.domain.errors import Invalid, PersonNotFound, RecordMerged
from chalicelib.domain.person import Person
from chalicelib.domain.voucher import Voucher
from chalicelib.services.identifying import identity_keys, read_number
from chalicelib.services.linking import linked_with
from chalicelib.services.ports import Keys, People

PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A person's record, those merged with it, and how many vouchers of the asker's regions all these have, whatever
    became of them."""

    person: Person
    vouchers: int
    linked: tuple[Person, ...] = ()


def find_by_number(people: People, keys: Keys, id_type: str, id_number: str, *, actor: Actor, now: datetime) -> Found:
    """Raises Invalid (the number is impossible, or of another type), PersonNotFound."""
    number = read_number(id_number, now, "/id_number")
    if number.id_type != id_type:
        raise Invalid(pointer="/id_type", reason="id_type does not fit the number")
    person_id = people.find(identity_keys(keys, number))
    if person_id is None:
        raise PersonNotFound()
    return find_in_scope(people, person_id, actor=actor)


def find_by_voucher(people: People, keys: Keys, voucher_id: str, *, actor: Actor) -> Found:
    """Raises PersonNotFound, also for a voucher of another region."""
    key = keys.voucher_ids.decode(voucher_id)
    voucher = people.voucher(*key) if key else None
    if voucher is None or not reaches(actor, voucher.region):
        raise PersonNotFound()
    found = find_in_scope(people, voucher.person_id, actor=actor)
    into = found.person.merged_into
    return found if into is None else find_in_scope(people, into, actor=actor)


def find_in_scope(people: People, person_id: str, *, actor: Actor) -> Found:
    """The person, if a voucher of theirs is of the asker's regions. Raises PersonNotFound."""
    person, _ = people.read(person_id, [])
    if person is None:
        raise PersonNotFound()
    linked = linked_with(people, person)
    had = [voucher for one in (person, *linked) for voucher in all_vouchers(people, one.person_id)]
    count = sum(reaches(actor, voucher.region) for voucher in had)
    if not count:
        raise PersonNotFound()
    return Found(person, count, linked)


def find_to_change(people: People, person_id: str, *, actor: Actor) -> Found:
    """The same, where it is the record that counts. Raises PersonNotFound, RecordMerged."""
    found = find_in_scope(people, person_id, actor=actor)
    if found.person.merged_into is not None:
        raise RecordMerged(person_id=found.person.merged_into)
    return found


def all_vouchers(people: People, person_id: str) -> list[Voucher]:
    """Whatever their state."""
    page = people.wallet(person_id, PAGE, None)
    found = [*page.items]
    while page.cursor is not None:
        page = people.wallet(person_id, PAGE, page.cursor)
        found += page.items
    return found
