"""Crowds who check in through two processes of the API that share nothing but the tables: nobody is lost or doubled."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench import steps
from bench.crowds import Crowds, crowds
from bench.town import a_town
from chalicelib.storage.enrolments import EnrolmentStore
from tests.capacity import tables_of
from tests.engines import Engine, create_tables, delete_tables

ONLINE, ROOM = 40, 20
A_SECOND = 500
"""More than two processes can do: the longer it lasts, the more of those who ask twice meet each other."""


@contextmanager
def checked_in(engines: dict[str, Engine]) -> Iterator[Crowds]:
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    town = a_town(environment)
    with steps.a_container(town) as one, steps.a_container(town) as other:
        both = crowds(town, (one, other), online=ONLINE, room=ROOM, a_second=A_SECOND)
        both.run((one, other))
        yield both
    delete_tables(environment)


def test_given_two_classes_when_all_check_in_through_two_processes_then_each_is_there_once_and_answers_agree(
    engines: dict[str, Engine],
) -> None:
    with checked_in(engines) as both:
        assert both.lost() == 0

        people, again = ONLINE + ROOM, ONLINE // 10 + ROOM // 10
        # Of those who came twice, half did with one key, which is answered twice, and half with another, refused.
        assert both.statuses() == Counter({"201": people + again, "already_checked_in": again})
        assert len({one.asking.seat.voucher_id for one in both.heard}) == people

        # And it would be seen if one were gone, or a history with it.
        store, seats = EnrolmentStore(tables_of(both.town.world)), both.online
        for seat, change in ((seats[1], {"check_ins": {}}), (seats[2], {"history": ()})):
            (row,) = store.of_person(person_of(both, seat.voucher_id))
            store.record(replace(row, version=row.version + 1, **change))
        assert both.lost() == 2


def person_of(both: Crowds, voucher_id: str) -> str:
    key = both.town.world.platform.keys.voucher_ids.decode(voucher_id)
    assert key is not None
    return key[0]
