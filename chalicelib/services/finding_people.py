"""An authority finds a person by a number or a voucher: only people who have a voucher of its regions."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.access import Actor, reaches
from chalicelib.domain.errors import Invalid, PersonNotFound
from chalicelib.domain.person import Person
from chalicelib.domain.voucher import Voucher
from chalicelib.services.identifying import identity_keys, read_number
from chalicelib.services.ports import Keys, People

PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A person, and how many vouchers of the asker's regions they have, whatever became of these."""

    person: Person
    vouchers: int


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
    return find_in_scope(people, voucher.person_id, actor=actor)


def find_in_scope(people: People, person_id: str, *, actor: Actor) -> Found:
    """The person, if a voucher of theirs is of the asker's regions. Raises PersonNotFound."""
    person, _ = people.read(person_id, [])
    if person is None:
        raise PersonNotFound()
    count = sum(reaches(actor, voucher.region) for voucher in all_vouchers(people, person_id))
    if not count:
        raise PersonNotFound()
    return Found(person, count)


def all_vouchers(people: People, person_id: str) -> list[Voucher]:
    """Whatever their state."""
    page = people.wallet(person_id, PAGE, None)
    found = [*page.items]
    while page.cursor is not None:
        page = people.wallet(person_id, PAGE, page.cursor)
        found += page.items
    return found
