"""A region's eligibility service: decided, rotated, tried out, ended; and claims that ask it, over real sockets.

Source: 粤人社函〔2021〕101号, 通用券 (身份核验); docs/eligibility-service.md.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.domain.access import Role
from chalicelib.domain.eligibility import AllOf, AnyOf, Asked, Declared, Listed, NotOf, ServiceVerdict
from chalicelib.domain.errors import (
    CapReached,
    ConcurrentChange,
    DomainError,
    EligibilityServiceDisabled,
    EligibilityServiceNotFound,
    EligibilityServiceUnavailable,
    Invalid,
    NotEligible,
    OutOfScope,
    RegionNotFound,
    SoldOut,
)
from chalicelib.domain.region import Cap, CapBy, Region, Window
from chalicelib.domain.template import Template
from chalicelib.integrations.sealing import CannotUnseal
from chalicelib.services import deciding_eligibility_service as deciding
from chalicelib.services.deciding_eligibility_service import Trial, eligibility_service_of
from tests.eligibility import URL, sample_server
from tests.world import CITY, KEYRING, OTHER_CITY, PEPPER, PROVINCE, World, a_person, an_actor
from tools.eligibility_server import EligibilityServer

STUDENT = date(2002, 1, 1)
"""Whom tools/eligibility_rules.csv takes for a student."""
COUNTY = "440305"


@pytest.fixture
def world(strict_world: World) -> World:
    """Rules of regions are the whole China's: tables of its own for each test, on one engine."""
    return strict_world


@pytest.fixture
def server() -> Iterator[EligibilityServer]:
    running = sample_server()
    running.behave("answer")
    running.asked.clear()
    running.refused.clear()
    yield running
    running.behave("answer")


@pytest.fixture
def here(world: World, server: EligibilityServer) -> World:
    """The city has a service."""
    world.decide_service()
    return world


def decide(world: World, region: str = CITY, url: str = URL, actor: Any = None, key: str | None = None) -> Any:
    p = world.platform
    return deciding.decide_service(
        p.catalogue, p.keys.eligibility_services, p.marks, p.keys.sealer, p.chance, region, url, 0,
        **world.by(actor or world.bureau, key),
    )  # fmt: skip


def rotate(world: World, starts_in: int = 0, key: str | None = None) -> Any:
    p = world.platform
    return deciding.rotate_service_secret(
        p.catalogue, p.marks, p.keys.sealer, p.chance, CITY, timedelta(seconds=starts_in), **world.by(world.bureau, key)
    )


def disable(world: World, region: str = CITY) -> Any:
    p = world.platform
    return deciding.disable_service(p.catalogue, p.marks, region, **world.by(world.bureau))


def try_out(world: World, **changes: Any) -> Trial:
    p, person = world.platform, a_person()
    asked = {"name": person.name, "id_type": person.id_type, "id_number": person.id_number} | changes
    return deciding.try_service(
        p.catalogue, p.keys.eligibility_services, CITY, **asked, actor=world.bureau, now=world.now
    )


def asking(world: World, rule: Any = None, quantity: int = 100, **changes: Any) -> Template:
    return world.publish(quantity, eligibility=rule or Asked(), **changes)


class TestDeciding:
    def test_given_a_first_decision_when_repeated_then_the_secret_was_shown_once_and_is_kept_sealed(
        self, world: World
    ) -> None:
        first = decide(world, key="k")
        again = decide(world, key="k")

        assert len(first.answer.secret) == 43
        assert again.hit
        assert again.answer == replace(first.answer, secret=None)
        assert [one.sealed for one in first.answer.service.secrets] == [""]
        rows = str(world.rows("catalogue") + world.rows("casework"))
        assert first.answer.key_id in rows
        assert first.answer.secret not in rows

    def test_given_a_decision_when_changed_then_the_secret_stays_and_after_disabling_it_does_not(
        self, world: World
    ) -> None:
        first = decide(world).answer
        other = decide(world, url="https://elsewhere.example/eligibility").answer
        disable(world)
        anew = decide(world).answer

        assert (other.secret, other.key_id, other.service.version) == (None, first.key_id, 2)
        assert anew.secret not in (None, first.secret)
        assert (anew.service.disabled_at, anew.service.version) == (None, 4)

    @pytest.mark.parametrize(
        ("region", "url", "error"),
        [
            (CITY, "http://eligibility.example/", Invalid),
            (CITY, "https://10.0.0.1/", Invalid),
            ("000000", URL, Invalid),
            ("449900", URL, RegionNotFound),
        ],
    )
    def test_given_what_cannot_be_when_decided_then_refused(
        self, world: World, region: str, url: str, error: type[DomainError]
    ) -> None:
        with pytest.raises(error):
            decide(world, region, url)

    def test_given_another_city_s_bureau_when_it_decides_or_looks_then_out_of_scope(self, world: World) -> None:
        stranger = an_actor("ELSEWHERE", Role.CITY, OTHER_CITY)

        with pytest.raises(OutOfScope):
            decide(world, actor=stranger)
        decide(world)
        with pytest.raises(OutOfScope):
            deciding.find_service(world.platform.catalogue, CITY, stranger)

    def test_given_no_service_when_looked_at_rotated_disabled_or_tried_then_there_is_none(self, world: World) -> None:
        for act in (rotate, disable, try_out):
            with pytest.raises(EligibilityServiceNotFound):
                act(world)
        with pytest.raises(EligibilityServiceNotFound):
            deciding.find_service(world.platform.catalogue, CITY, world.bureau)

    def test_given_a_disabled_service_when_rotated_or_tried_then_that_is_said(self, here: World) -> None:
        disable(here)

        for act in (rotate, try_out):
            with pytest.raises(EligibilityServiceDisabled):
                act(here)
        assert disable(here).answer.disabled_at == here.now  # once more does no harm

    def test_given_a_rotation_that_waits_when_rotated_again_then_the_waiting_one_gives_way(self, here: World) -> None:
        first = deciding.find_service(here.platform.catalogue, CITY, here.bureau).secrets[0]

        lost, found = rotate(here, 3600).answer, rotate(here, 3600).answer

        assert [one.key_id for one in found.service.secrets] == [first.key_id, found.key_id]
        assert lost.key_id != found.key_id
        assert try_out(here).key_id == first.key_id
        sample_server().trust(found.key_id, found.secret)
        here.clock.advance(timedelta(seconds=3600))
        assert try_out(here).key_id == found.key_id

    def test_given_a_secret_moved_to_another_region_s_row_when_asked_with_then_it_does_not_open(
        self, here: World
    ) -> None:
        p = here.platform
        service = p.catalogue.eligibility_services.read(CITY)
        assert service is not None

        with pytest.raises(CannotUnseal):
            p.keys.sealer.unseal(
                service.secrets[0].sealed, deciding.service_secret_context(OTHER_CITY, service.secrets[0].key_id)
            )


class TestStages:
    @pytest.mark.parametrize(("stage", "allowed"), [({}, False), ({"LOOPBACK_ALLOWED": "1"}, True)])
    def test_given_a_stage_when_an_address_on_this_machine_is_to_be_decided_then_only_where_it_says_so(
        self, tables: dict[str, str], stage: dict[str, str], allowed: bool
    ) -> None:
        platform = wiring.build(read_settings({**tables, **stage}), load_keys=lambda: (KEYRING, PEPPER))

        for url in ("http://127.0.0.1:8790/", "https://localhost/", "http://[::1]/"):
            assert platform.keys.eligibility_services.may_call(url) == allowed
        assert platform.keys.eligibility_services.may_call(URL)


class TestNearest:
    def test_given_services_of_county_city_and_province_when_looked_for_then_the_nearest_in_use_decides(
        self, world: World
    ) -> None:
        catalogue = world.platform.catalogue
        catalogue.regions.add(Region(COUNTY, "南山区", "Nanshan", "county", CITY), None)

        def nearest(region: str = COUNTY) -> str | None:
            found = eligibility_service_of(catalogue, region)
            return found.region if found else None

        assert nearest() is None
        decide(world, PROVINCE)
        assert (nearest(), nearest(OTHER_CITY), nearest(PROVINCE)) == (PROVINCE, PROVINCE, PROVINCE)
        decide(world)
        assert (nearest(), nearest(OTHER_CITY)) == (CITY, PROVINCE)
        decide(world, COUNTY)
        assert (nearest(), nearest(CITY)) == (COUNTY, CITY)
        disable(world, COUNTY)
        assert nearest() == CITY
        decide(world, COUNTY)
        assert nearest() == COUNTY

    def test_given_no_service_anywhere_when_looked_for_again_then_nothing_is_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        catalogue = world.platform.catalogue
        assert eligibility_service_of(catalogue, CITY) is None
        monkeypatch.setattr(catalogue.eligibility_services, "read", lambda key: pytest.fail(key))

        assert eligibility_service_of(catalogue, CITY) is None


class TestTrial:
    def test_given_a_service_when_tried_then_what_it_answered_is_told(self, here: World) -> None:
        assert try_out(here).verdict == ServiceVerdict(True)
        student = a_person(birth=STUDENT)
        assert not try_out(here, id_number=student.id_number).verdict.eligible

    @pytest.mark.parametrize(("field", "value"), [("id_number", "1"), ("id_type", "foreign_permanent")])
    def test_given_an_impossible_number_when_tried_then_refused_and_nobody_asked(
        self, here: World, server: EligibilityServer, field: str, value: str
    ) -> None:
        with pytest.raises(Invalid):
            try_out(here, **{field: value})

        assert server.asked == []

    def test_given_a_service_that_fails_when_tried_then_told_how(self, here: World, server: EligibilityServer) -> None:
        server.behave("unsigned")

        with pytest.raises(EligibilityServiceUnavailable) as refused:
            try_out(here)

        assert refused.value.facts == {"region": CITY, "reason": "signature"}


class TestTemplates:
    def test_given_no_service_when_a_template_asks_one_then_refused_and_with_one_above_accepted(
        self, world: World
    ) -> None:
        with pytest.raises(Invalid) as refused:
            world.draft(eligibility=AnyOf((Listed(), Asked())))
        assert refused.value.facts["reason"] == "the region has no eligibility service"

        decide(world, PROVINCE)

        assert world.draft(eligibility=AnyOf((Listed(), Asked())))


class TestClaims:
    def test_given_somebody_eligible_when_claiming_then_the_service_is_asked_once(
        self, here: World, server: EligibilityServer
    ) -> None:
        template, person = asking(here), a_person()

        first = here.claim(person, template, key="k")
        again = here.claim(person, template, key="k")

        assert (first.hit, again.hit) == (False, True)
        assert server.asked == [1]  # a repeated request asks nobody
        here.check_laws(here.vouchers())

    def test_given_somebody_whom_it_refuses_when_claiming_then_the_refusal_names_rule_and_reason(
        self, here: World, server: EligibilityServer
    ) -> None:
        template = asking(here, Asked(rule="residents"))

        with pytest.raises(NotEligible) as refused:
            here.claim(a_person(birth=STUDENT), template)

        assert refused.value.facts == {
            "rules": "residents",
            "reason_zh": "在校学生不属于补贴对象",
            "reason": "Students in full-time education are not subsidised",
        }
        assert here.vouchers() == []

    @pytest.mark.parametrize("kind", ["fail", "half", "somebody_else", "wrongly_signed", "redirect", "personal"])
    def test_given_a_service_that_does_not_answer_when_claiming_then_503_and_the_same_key_goes_on(
        self, here: World, server: EligibilityServer, kind: str
    ) -> None:
        template, person = asking(here), a_person()
        before = here.rows("people"), here.stock(template)
        server.behave(kind, times=1)

        with pytest.raises(EligibilityServiceUnavailable):
            here.claim(person, template, key="k")

        assert (here.rows("people"), here.stock(template)) == before  # nothing changed
        assert not here.claim(person, template, key="k").hit
        assert here.claim(person, template, key="k").hit

    def test_given_a_service_disabled_since_when_claiming_then_nobody_is_refused_for_it(
        self, here: World, server: EligibilityServer
    ) -> None:
        template, person = asking(here), a_person()
        disable(here)

        with pytest.raises(EligibilityServiceUnavailable) as refused:
            here.claim(person, template, key="k")

        assert refused.value.facts["reason"] == "none"
        here.decide_service()
        assert here.claim(person, template, key="k").answer.voucher_id

    @pytest.mark.parametrize(
        ("rule", "eligible", "asks"),
        [
            (AllOf((Declared(age_from=16), Asked())), True, 1),
            (AllOf((Declared(age_from=60, rule="age"), Asked())), False, 0),
            (AnyOf((Declared(age_from=16), Asked())), True, 0),
            (AnyOf((Declared(age_from=60), Asked())), True, 1),
            (NotOf(Asked()), False, 1),
            (AllOf((Asked(), Asked(rule="twice"))), True, 1),
            (AllOf((AnyOf((Declared(age_from=16), Asked())), Declared(sex="male"))), True, 0),
        ],
    )
    def test_given_a_rule_when_judged_then_the_service_is_asked_only_where_it_makes_a_difference(
        self, here: World, server: EligibilityServer, rule: Any, eligible: bool, asks: int
    ) -> None:
        person, template = a_person(901), asking(here, rule)  # a man of 31

        try:
            here.claim(person, template)
            found = True
        except NotEligible:
            found = False

        assert (found, sum(server.asked)) == (eligible, asks)

    def test_given_what_is_refused_here_already_when_claiming_then_nobody_is_asked_about(
        self, here: World, server: EligibilityServer
    ) -> None:
        person, none_left = a_person(), asking(here, quantity=1)
        here.claim(a_person(), none_left)
        with pytest.raises(SoldOut):
            here.claim(a_person(), none_left)  # noted from now on, for a second
        server.asked.clear()
        with pytest.raises(SoldOut):
            here.claim(person, none_left)
        here.rules(caps=(Cap("one", Window.LIFETIME, CapBy.ALL, 1),))
        here.claim(person, here.publish())
        here.platform.catalogue.rule_sets._fresh.clear()  # type: ignore[attr-defined]
        with pytest.raises(CapReached):
            here.claim(person, asking(here))

        assert server.asked == []

    def test_given_a_service_that_changes_its_mind_when_the_same_claim_comes_again_then_its_answer_stands(
        self, here: World, server: EligibilityServer
    ) -> None:
        template, person = asking(here), a_person()
        first = here.claim(person, template, key="k")
        server.behave("refuse")

        assert here.claim(person, template, key="k").answer == first.answer

    def test_given_a_region_that_lets_us_remember_when_claiming_again_then_the_service_is_asked_once(
        self, world: World, server: EligibilityServer
    ) -> None:
        world.decide_service(remember_seconds=60)
        template, student = asking(world), a_person(birth=STUDENT)

        for _ in range(3):
            with pytest.raises(NotEligible):
                world.claim(student, template)

        assert server.asked == [1]


class TestTogether:
    def test_given_two_first_decisions_at_once_when_both_are_done_then_one_secret_was_made(
        self, strict_world: World, server: EligibilityServer
    ) -> None:
        def one(number: int) -> Any:
            try:
                return decide(strict_world, url=f"https://eligibility-{number}.example/").answer
            except ConcurrentChange as refused:
                return refused

        with ThreadPoolExecutor(8) as pool:
            heard = list(pool.map(one, range(8)))

        done = [said for said in heard if not isinstance(said, ConcurrentChange)]
        (made,) = [said for said in done if said.secret is not None]
        stands = deciding.find_service(strict_world.platform.catalogue, CITY, strict_world.bureau)
        assert made.service.version == 1
        assert {said.key_id for said in done} == {made.key_id} == {one.key_id for one in stands.secrets}
        assert sorted(said.service.version for said in done) == list(range(1, stands.version + 1))

    def test_given_one_request_sent_many_times_at_once_when_the_service_wavers_then_one_voucher_and_one_answer(
        self, strict_world: World, server: EligibilityServer
    ) -> None:
        world, person = strict_world, a_person()
        world.decide_service()
        template = asking(world)
        server.behave("refuse", times=3)  # some hear no, some yes

        def claim(_: int) -> Any:
            try:
                return world.claim(person, template, key="k").answer
            except NotEligible as refused:
                return refused

        with ThreadPoolExecutor(8) as pool:
            heard = list(pool.map(claim, range(8)))

        granted = [one for one in heard if not isinstance(one, NotEligible)]
        assert len({one.voucher_id for one in granted}) == 1
        assert len(world.vouchers()) == 1
        world.check_laws(world.vouchers())
        assert world.claim(person, template, key="k").answer == granted[0]
