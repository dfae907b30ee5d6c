"""How often a step asks the tables, once a container is warm: the whole handler, counted on the wire."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app import app
from bench.handler import Context, recorded
from bench.steps import READING, is_lease
from bench.town import Event, Town, a_town
from chalicelib import wiring
from chalicelib.domain.eligibility import AllOf, Asked, Declared, Listed
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.integrations.essc_platform import DemoTerminal
from chalicelib.services import installing_terminals, staffing
from chalicelib.services.identifying import Said
from tests.engines import Engine, create_tables, delete_tables
from tests.world import INSTITUTION_ID, a_person

Count = Callable[[Event], dict[str, int]]


@pytest.fixture(scope="module")
def town(engines: dict[str, Engine]) -> Iterator[Town]:
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    yield a_town(environment)
    delete_tables(environment)


@pytest.fixture
def count(town: Town) -> Iterator[Count]:
    """Carry out an event that must succeed: how many calls it made. Leases of budgets are not counted."""
    people: Any = town.world.platform.people
    client = people._tables.connection.client
    wiring.use(town.world.platform)

    def calls(event: Event) -> dict[str, int]:
        told: list[tuple[str, Any]] = []
        with recorded(client, told):
            answer = app(event, Context())
        assert answer["statusCode"] < 300, answer
        asked = [call[0] for call in told if not is_lease(call, town)]
        return Counter("read" if operation in READING else "write" for operation in asked)

    yield calls
    wiring.use(None)


def test_given_a_warm_container_when_somebody_walks_the_road_then_no_step_asks_more_often_than_it_must(
    town: Town, count: Count
) -> None:
    first, second = town.template(), town.template()
    known, other = a_person(), a_person()
    count(town.claim(other, first))
    count(town.claim(other, second))
    voucher_id = _voucher_of(town, other, second)
    code = town.code(other, voucher_id)
    count(town.verify(code=code))
    count(town.redeem(code=code))

    assert count(town.claim(known, first)) == {"read": 1, "write": 1}
    assert count(town.claim(known, second)) == {"read": 2, "write": 1}
    assert count(town.wallet(known)) == {"read": 1}
    voucher_id = _voucher_of(town, known, second)
    token, code = town.token(known, voucher_id), town.code(known, voucher_id)
    assert count(town.verify(token=token)) == {"read": 1}
    assert count(town.verify(code=code)) == {"read": 2}
    assert count(town.redeem(token=token)) == {"read": 1, "write": 1}
    assert count(town.reverse(voucher_id)) == {"read": 2, "write": 1}  # also: which class has it led to?
    assert count(town.redeem(code=code)) == {"read": 2, "write": 1}
    voucher_id = _voucher_of(town, known, first)
    assertion = town.world.assertion(known, "redeem", first.template_id, actor=town.desk)
    assert count(town.redeem(assertion=assertion, template_id=first.template_id)) == {"read": 2, "write": 1}
    assert count(town.give_back(other, _voucher_of(town, other, first))) == {"read": 1, "write": 1}


def test_given_staff_in_a_channel_or_a_card_when_a_container_has_met_them_then_no_step_asks_more_often(
    town: Town, count: Count
) -> None:
    first, second, third = town.template(), town.template(), town.template()
    world, p, member, newcomer = town.world, town.world.platform, a_person(), a_person()
    for one in (member, newcomer):
        draft = Said(one.name, one.id_type, one.id_number)
        staffing.register_staff(p.catalogue, p.marks, p.keys, p.chance, INSTITUTION_ID, draft, **world.by(world.bureau))
    device = DemoTerminal(b"t" * 32)
    terminal_id = installing_terminals.install_terminal(
        p.catalogue, p.marks, p.chance, INSTITUTION_ID, "一号窗口", device.public_key, **world.by(world.bureau)
    ).answer.terminal_id
    known, other = a_person(), a_person()
    for template in (first, second):
        count(town.claim(known, template))
        count(town.claim(other, template))

    def by_staff(scanner: Any, person: Any, template: Any) -> Event:
        jws = world.assertion(scanner, "staff", INSTITUTION_ID, actor=town.channel)
        place = {"institution_id": INSTITUTION_ID, "course_id": world.course.course_id}
        body = {**place, "token": town.token(person, _voucher_of(town, person, template)), "staff_assertion": jws}
        return town.event(town.channel, "POST", "/v1/redemptions", body)

    def card_read(purpose: str, template: Any) -> dict[str, str]:
        jws = device.card_read(
            terminal_id,
            known,
            card_number="Q8314472X",
            app_key=town.desk.app_key,
            purpose=purpose,
            subject=template.template_id,
            jti="card-1234",
            now=world.now,
        )
        return {"card_read": jws, "template_id": template.template_id}

    count(town.claim(a_person(), third))
    count(by_staff(member, other, first))  # the course and the institution are remembered since
    assert count(by_staff(newcomer, known, first)) == {"read": 3, "write": 1}  # whom the container has not met
    assert count(by_staff(newcomer, other, second)) == {"read": 1, "write": 1}
    count(town.verify(**card_read("redeem", second)))
    assert count(town.redeem(**card_read("redeem", second))) == {"read": 2, "write": 1}
    assert count(town.event(town.desk, "POST", "/v1/claims", card_read("claim", third))) == {"read": 2, "write": 1}


def test_given_offers_when_somebody_looks_then_it_is_one_read_and_one_more_for_who_is_known(
    town: Town, count: Count
) -> None:
    template, known = town.template(), a_person()
    count(town.claim(known, template))
    count(town.claimable(a_person()))

    assert count(town.claimable(a_person())) == {"read": 1}
    assert count(town.claimable(known)) == {"read": 2}


def test_given_one_at_a_time_when_something_is_found_held_then_it_is_one_read_more(town: Town, count: Count) -> None:
    first, second, person = town.template(), town.template(), a_person()
    count(town.claim(person, first))
    count(town.redeem(token=town.token(person, _voucher_of(town, person, first))))
    town.world.rules(one_at_a_time=True)
    count(town.claim(a_person(), second))

    counted = count(town.claim(person, second))

    town.world.rules(one_at_a_time=False)
    assert counted == {"read": 3, "write": 1}


def test_given_caps_a_list_and_a_relative_when_somebody_claims_then_it_asks_no_more_often(
    town: Town, count: Count
) -> None:
    rules = (Cap("year", Window.YEAR, CapBy.ALL, 9), Cap("type", Window.YEAR, CapBy.PROGRAMME_TYPE, 9))
    town.world.rules(caps=(*rules, Cap("ever", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 9)))
    listed = AllOf((Declared(age_from=16), Listed(groups=("veteran",))))
    first, second = town.template(eligibility=listed), town.template(eligibility=listed)
    person, relative, other = a_person(), a_person(), a_person()
    for one in (person, other):
        town.world.enlist(one, "veteran")
    for template in (first, second):
        count(town.claim(other, template))

    assert count(town.claim(person, first)) == {"read": 1, "write": 1}
    assert count(town.claim(person, second, relative=relative)) == {"read": 2, "write": 1}
    third = town.template()
    count(town.claim(other, third))
    assert count(town.claim(person, third, relative=relative)) == {"read": 2, "write": 1}  # the relation stands
    town.world.rules(caps=())


def _voucher_of(town: Town, person: Any, template: Any) -> str:
    p = town.world.platform
    person_id = p.people.find(p.keys.identities.keys(person.id_type, person.id_number))
    assert person_id is not None
    return str(p.keys.voucher_ids.encode(person_id, template.template_id))


def test_given_a_template_that_asks_the_region_s_service_when_somebody_claims_then_the_tables_are_asked_no_more_often(
    town: Town, count: Count
) -> None:
    town.world.decide_service()
    template, person = town.template(eligibility=Asked()), a_person()
    count(town.claim(a_person(), template))

    assert count(town.claim(person, template)) == {"read": 1, "write": 1}
