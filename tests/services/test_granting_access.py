"""Who may grant, renew and withdraw whose access; what a lost answer costs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chalicelib.domain.access import Actor, Client, Operator, Role, secrets_in_force
from chalicelib.domain.errors import (
    AssertionKeyNotFound,
    Invalid,
    OperatorNotFound,
    OutOfScope,
    RegionNotFound,
)
from chalicelib.domain.region import Region
from chalicelib.integrations.alphabets import to_base64url
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.services import granting_access
from chalicelib.services.granting_access import ClientDraft, OperatorDraft, secret_context
from tests.world import CITY, INSTITUTION_ID, OTHER_CITY, PROVINCE, START, World, an_actor, an_institution

COUNTY = "440304"
A_KEY = OperatorKey(b"o" * 32).public_key
DAY = timedelta(days=1)


def rotate(world: World, app_key: str, actor: Actor, overlap: timedelta = DAY, key: str | None = None) -> Any:
    p = world.platform
    return granting_access.rotate_secret(
        p.catalogue, p.marks, p.keys.sealer, p.chance, app_key, overlap, **world.by(actor, key)
    )


def set_pace(world: World, app_key: str, actor: Actor) -> Any:
    p = world.platform
    return granting_access.set_pace(p.catalogue, p.marks, app_key, 7, **world.by(actor))


def disable(world: World, app_key: str, actor: Actor) -> Any:
    p = world.platform
    return granting_access.disable_client(p.catalogue, p.marks, app_key, **world.by(actor))


def disable_operator(world: World, operator_id: str, actor: Actor) -> Any:
    p = world.platform
    return granting_access.disable_operator(p.catalogue, p.marks, operator_id, **world.by(actor))


def register(world: World, draft: ClientDraft, actor: Actor | None = None, key: str | None = None) -> Any:
    p = world.platform
    by = world.by(actor or world.bureau, key)
    return granting_access.add_client(p.catalogue, p.marks, p.keys.sealer, p.chance, draft, **by)


def register_operator(world: World, draft: OperatorDraft, key: str | None = None) -> Any:
    p = world.platform
    return granting_access.add_operator(p.catalogue, p.marks, p.chance, draft, **world.by(world.bureau, key))


def without_reference_data(world: World) -> World:
    """The same world, where no region and no institution is to be found."""
    nothing = world.another_container().platform.catalogue
    empty = SimpleNamespace(get=lambda _: None)
    catalogue = replace(nothing, regions=cast(Any, empty), institutions=cast(Any, empty))
    return replace(world, platform=replace(world.platform, catalogue=catalogue))


def a_client(world: World, role: Role = Role.CITY, regions: tuple[str, ...] = (CITY,), **more: Any) -> Client:
    """A registered client, as it stands in the table."""
    granted = register(world, ClientDraft("a client", role, regions, **more)).answer
    return kept(world, granted.client.app_key)


def kept(world: World, app_key: str) -> Client:
    client = world.platform.catalogue.clients.read(app_key)
    assert client is not None
    return client


def an_operator(world: World, region: str, institution_id: str | None = None) -> Operator:
    name = world.platform.chance.short_id()
    operator = Operator(name, "经*", "unused", region, institution_id, START)
    world.platform.catalogue.operators.add(operator, None)
    return operator


def city(operator_region: str = CITY) -> Actor:
    """The city's client, signed by somebody of this region's authority."""
    actor = an_actor("CITYBUREAU", Role.CITY, CITY)
    assert actor.operator is not None
    return replace(actor, operator=replace(actor.operator, region=operator_region))


CHANGES = [rotate, set_pace, disable]


class TestWhoseAccess:
    @pytest.mark.parametrize("change", CHANGES)
    def test_given_a_county_operator_on_the_citys_client_when_changing_that_client_then_out_of_scope(
        self, town: World, change: Callable[..., Any]
    ) -> None:
        client = a_client(town)

        with pytest.raises(OutOfScope):
            change(town, client.app_key, city(COUNTY))

        assert kept(town, client.app_key) == client
        assert change(town, client.app_key, city()).answer

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("role", [Role.PROVINCE, Role.MINISTRY])
    def test_given_a_client_of_a_higher_rank_when_a_city_changes_it_then_out_of_scope(
        self, town: World, change: Callable[..., Any], role: Role
    ) -> None:
        client = a_client(town, role)

        with pytest.raises(OutOfScope):
            change(town, client.app_key, city())

        assert kept(town, client.app_key) == client
        assert change(town, client.app_key, town.bureau).answer

    @pytest.mark.parametrize("change", CHANGES)
    def test_given_a_client_of_another_citys_institution_when_a_city_changes_it_then_out_of_scope(
        self, town: World, change: Callable[..., Any]
    ) -> None:
        elsewhere = replace(an_institution(f"X{next(town._requests)}", "广州机构"), region=OTHER_CITY)
        town.platform.catalogue.institutions.add(elsewhere, None)
        client = a_client(town, Role.INSTITUTION, institutions=(INSTITUTION_ID, elsewhere.institution_id))

        with pytest.raises(OutOfScope):
            change(town, client.app_key, city())

        assert change(town, client.app_key, an_actor("GUANGDONG", Role.PROVINCE, PROVINCE)).answer

    def test_given_an_operator_above_ones_own_region_when_disabled_then_out_of_scope(self, town: World) -> None:
        colleague = an_operator(town, CITY)

        with pytest.raises(OutOfScope):
            disable_operator(town, colleague.operator_id, city(COUNTY))

        assert town.platform.catalogue.operators.read(colleague.operator_id) == colleague
        assert disable_operator(town, colleague.operator_id, city()).answer.disabled_at == START

    def test_given_an_operator_of_another_citys_institution_when_disabled_then_out_of_scope(self, town: World) -> None:
        elsewhere = replace(an_institution(f"X{next(town._requests)}", "广州机构"), region=OTHER_CITY)
        town.platform.catalogue.institutions.add(elsewhere, None)
        teacher = an_operator(town, CITY, elsewhere.institution_id)

        with pytest.raises(OutOfScope):
            disable_operator(town, teacher.operator_id, city())

    def test_given_a_county_operator_when_changing_what_is_the_countys_then_done(self, town: World) -> None:
        if town.platform.catalogue.regions.read(COUNTY) is None:
            town.platform.catalogue.regions.add(Region(COUNTY, "福田区", "Futian", "county", CITY), None)
        client = a_client(town, Role.COUNTY, (COUNTY,))

        assert rotate(town, client.app_key, city(COUNTY)).answer.secret
        assert disable_operator(town, an_operator(town, COUNTY).operator_id, city(COUNTY)).answer.disabled_at


class TestPlaces:
    @pytest.mark.parametrize("region", ["990000", "440001", "441901", COUNTY.replace("304", "399")])
    def test_given_a_region_that_does_not_exist_when_granted_then_not_found(self, town: World, region: str) -> None:
        with pytest.raises(RegionNotFound):
            register(town, ClientDraft("nowhere", Role.CHANNEL, (CITY, region)))
        with pytest.raises(RegionNotFound):
            register_operator(town, OperatorDraft("张三", A_KEY, region))

    def test_given_a_region_named_twice_when_registered_then_it_counts_once_in_the_client_and_its_listings(
        self, town: World
    ) -> None:
        client = a_client(town, Role.CHANNEL, ("440300", "440100", "440300", "440100"))

        assert client.regions == ("440300", "440100")
        for region in client.regions:
            listed = town.platform.catalogue.clients.page(region, 100, None).items
            assert [one.app_key for one in listed].count(client.app_key) == 1


class TestTheSameRequestAgain:
    def test_given_a_client_registered_when_its_institution_is_gone_then_the_repeat_has_the_answer(
        self, town: World
    ) -> None:
        draft = ClientDraft("desk", Role.INSTITUTION, (CITY,), (INSTITUTION_ID,))
        first = register(town, draft, key="desk")

        again = register(without_reference_data(town), draft, key="desk")

        assert again.hit
        assert again.answer == replace(first.answer, secret=None, client=replace(first.answer.client, secrets=()))

    def test_given_an_operator_registered_when_the_region_is_gone_then_the_repeat_has_the_answer(
        self, town: World
    ) -> None:
        draft = OperatorDraft("张三", A_KEY, CITY)
        first = register_operator(town, draft, key="operator")

        again = register_operator(without_reference_data(town), draft, key="operator")

        assert (again.hit, again.answer) == (True, first.answer)


class TestLostAnswers:
    def test_given_a_rotation_whose_answer_was_lost_when_rotated_again_then_the_newer_is_replaced(
        self, town: World
    ) -> None:
        client = a_client(town)
        rotate(town, client.app_key, town.bureau, key="lost")
        assert rotate(town, client.app_key, town.bureau, key="lost").answer.secret is None

        granted = rotate(town, client.app_key, town.bureau).answer

        assert granted.secret
        alive = secrets_in_force(kept(town, client.app_key), town.now)
        assert {(one.secret_id, one.ends_at) for one in alive} == {
            (client.secrets[0].secret_id, START + DAY),
            (granted.secret_id, None),
        }

    def test_given_a_client_when_it_rotates_its_own_secret_without_overlap_then_the_answer_carries_the_only_one(
        self, town: World
    ) -> None:
        client = a_client(town)
        itself = Actor(client, city().operator)

        granted = rotate(town, client.app_key, itself, timedelta(0)).answer

        (only,) = secrets_in_force(kept(town, client.app_key), town.now)
        sealer = town.platform.keys.sealer
        assert sealer.unseal(only.sealed, secret_context(client.app_key, only.secret_id)) == granted.secret


class TestKeys:
    @pytest.mark.parametrize(
        "raw",
        [
            bytes(32),
            b"\x01" + bytes(31),
            b"\xec" + b"\xff" * 30 + b"\x7f",
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            b"\x02" + bytes(31),  # no point has this y
            b"\xf0" + b"\xff" * 30 + b"\x7f",  # 3, written as p + 3
            b"\xff" * 32,
            b"short",
        ],
        ids=lambda raw: str(raw[:1].hex()),
    )
    def test_given_a_key_that_verifies_nothing_when_registered_then_refused(self, town: World, raw: bytes) -> None:
        with pytest.raises(Invalid) as refused:
            granting_access.check_public_key(town.platform.keys.operator_signatures, to_base64url(raw))

        assert refused.value.pointer == "/public_key"
        assert set(refused.value.facts) == {"reason", "reason_zh"}

    def test_given_proper_keys_when_checked_then_taken(self, town: World) -> None:
        for number in range(100):
            public_key = OperatorKey(bytes([number]) * 32).public_key

            granting_access.check_public_key(town.platform.keys.operator_signatures, public_key)

    def test_given_nobody_of_that_name_when_withdrawn_then_not_found(self, town: World) -> None:
        p = town.platform

        with pytest.raises(OperatorNotFound):
            disable_operator(town, "NOBODY", town.bureau)
        with pytest.raises(AssertionKeyNotFound):
            granting_access.disable_assertion_key(p.catalogue, p.marks, "nothing", **town.by(town.bureau))
