"""Flags: who puts them, where they bite, when they end, and what stays written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.errors import FlagNotSet, Invalid, OperatorRequired, PersonFlagged, PersonNotFound
from chalicelib.domain.person import FlagKind
from chalicelib.services import flagging
from chalicelib.services.identifying import Presented
from tests.services.test_acting_for import claim_for
from tests.services.test_disclosing import an_authority, find
from tests.world import CITY, OTHER_CITY, PROVINCE, World, a_person, local

DECEASED, INELIGIBLE = FlagKind.DECEASED, FlagKind.INELIGIBLE


def flag(
    world: World,
    person_id: str,
    kind: FlagKind = INELIGIBLE,
    *,
    region: str = CITY,
    until: date | None = None,
    key: str | None = None,
) -> Any:
    p, actor = world.platform, an_authority("000000", role=Role.MINISTRY, operator_region=region)
    return flagging.set_flag(p.people, p.marks, person_id, kind, "核实", until, **world.by(actor, key))


def clear(world: World, person_id: str, kind: FlagKind = INELIGIBLE, *, region: str = CITY) -> Any:
    p, actor = world.platform, an_authority("000000", role=Role.MINISTRY, operator_region=region)
    return flagging.clear_flag(p.people, p.marks, person_id, kind, "核实有误", **world.by(actor))


def somebody(world: World) -> tuple[Any, str, Presented]:
    """A person with a voucher of the city: who, their id, and the voucher's code."""
    person = a_person()
    voucher_id = world.claim(person, world.publish(3)).answer.voucher_id
    return person, world.session(person).person_id, Presented(code=world.code(person, voucher_id))


class TestWhereFlagsBite:
    @pytest.mark.parametrize(
        ("kind", "region"), [(DECEASED, CITY), (INELIGIBLE, CITY), (INELIGIBLE, PROVINCE), (INELIGIBLE, "000000")]
    )
    def test_given_a_flag_when_claiming_verifying_and_redeeming_then_all_three_are_refused_alike(
        self, town: World, kind: FlagKind, region: str
    ) -> None:
        person, person_id, presented = somebody(town)

        flag(town, person_id, kind, region=region)

        told = town.verify(presented)
        assert (told.usable, type(told.refusal)) == (False, PersonFlagged)
        steps: list[Callable[[], object]] = [
            lambda: town.redeem(presented),
            lambda: town.claim(person, town.publish(1)),
        ]
        for step in steps:
            with pytest.raises(PersonFlagged) as refused:
                step()
            assert refused.value.facts["flag"] == kind

    def test_given_a_region_without_a_voucher_of_the_person_when_it_flags_then_nobody_is_found(
        self, town: World
    ) -> None:
        _, person_id, presented = somebody(town)

        with pytest.raises(PersonNotFound):
            flag(town, person_id, INELIGIBLE, region=OTHER_CITY)

        assert town.redeem(presented).answer.state == "redeemed"

    @pytest.mark.parametrize(
        ("moment", "refused"),
        [("2021-05-10T15:59:59.999Z", True), ("2021-05-10T16:00:00.000Z", False)],
        ids=["its last instant", "the first after it"],
    )
    def test_given_a_flag_with_an_end_when_its_last_day_in_china_is_over_then_it_bites_no_more(
        self, town: World, moment: str, refused: bool
    ) -> None:
        _, person_id, presented = somebody(town)
        flag(town, person_id, until=date(2021, 5, 10))
        town.clock.set(local(moment))

        assert town.verify(presented).usable is not refused

    def test_given_a_flag_taken_away_when_used_then_it_works_again(self, town: World) -> None:
        _, person_id, presented = somebody(town)
        flag(town, person_id)

        clear(town, person_id)

        assert town.redeem(presented).answer.state == "redeemed"
        town.check_laws()

    def test_given_a_relative_who_is_deceased_when_somebody_claims_in_their_name_then_it_is_refused(
        self, town: World
    ) -> None:
        town.rules(proxy_limit=2)
        relative, person_id, _ = somebody(town)
        flag(town, person_id, DECEASED)

        with pytest.raises(PersonFlagged):
            claim_for(town, a_person(), relative, town.publish(1))

        clear(town, person_id, DECEASED)
        flag(town, person_id, INELIGIBLE)
        assert claim_for(town, a_person(), relative, town.publish(1)).answer.state == "claimed"
        town.rules()

    def test_given_a_repeated_redemption_when_flagged_meanwhile_then_it_still_gets_its_first_answer(
        self, town: World
    ) -> None:
        _, person_id, presented = somebody(town)
        first = town.redeem(presented, key="use")
        flag(town, person_id, DECEASED)

        assert town.redeem(presented, key="use") == replace(first, hit=True)


class TestPuttingThem:
    def test_given_a_flag_put_twice_when_looked_at_then_the_later_one_stands_and_both_are_recorded(
        self, town: World
    ) -> None:
        person, person_id, _ = somebody(town)
        flag(town, person_id, until=date(2021, 5, 10))

        flag(town, person_id)

        (stands,) = find(town, person, an_authority()).person.flags
        assert (stands.kind, stands.region, stands.until) == (INELIGIBLE, CITY, None)
        records = town.platform.people.records(person_id, 10, None).items
        assert [(one.kind, one.facts["until"], one.number) for one in records] == [
            ("flag_set", "2021-05-10", 2),
            ("flag_set", None, 3),
        ]
        assert {(one.operator_id, one.reason) for one in records} == {("OPAUTHORITY000000", "核实")}

    def test_given_a_request_sent_twice_when_flagging_then_one_record(self, town: World) -> None:
        _, person_id, _ = somebody(town)
        first = flag(town, person_id, key="flag")

        again = flag(town, person_id, key="flag")

        assert (again.hit, again.answer) == (True, first.answer)
        assert len(town.platform.people.records(person_id, 10, None).items) == 1

    @pytest.mark.parametrize(
        ("kind", "until"),
        [(DECEASED, date(2021, 12, 31)), (INELIGIBLE, date(2021, 4, 30))],
        ids=["the dead have no end", "in the past"],
    )
    def test_given_an_end_that_cannot_be_when_flagging_then_refused(
        self, town: World, kind: FlagKind, until: date
    ) -> None:
        _, person_id, _ = somebody(town)

        with pytest.raises(Invalid) as refused:
            flag(town, person_id, kind, until=until)

        assert refused.value.pointer == "/until"

    def test_given_a_province_s_flag_when_a_city_takes_it_away_then_it_has_none_to_take(self, town: World) -> None:
        _, person_id, _ = somebody(town)
        flag(town, person_id, region=PROVINCE)

        with pytest.raises(FlagNotSet):
            clear(town, person_id, region=CITY)

        assert clear(town, person_id, region=PROVINCE).answer.facts["regions"] == PROVINCE

    def test_given_no_operator_or_nobody_when_flagging_then_refused(self, town: World) -> None:
        p, actor = town.platform, replace(an_authority(), operator=None)
        by = town.by(actor)

        with pytest.raises(OperatorRequired):
            flagging.set_flag(p.people, p.marks, "NOBODY", DECEASED, "核实", None, **by)
        for act in (flag, clear):
            unknown: Callable[..., Any] = act
            with pytest.raises(PersonNotFound):
                unknown(town, "NOBODY", DECEASED)
