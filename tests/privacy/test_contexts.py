"""Sealed fields open in their own place only: moved to another row, field or person they fail, and tell nothing."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.errors import SessionEnded
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.integrations.alphabets import from_base64url, to_base64url
from chalicelib.integrations.chance import SystemChance
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.sealing import CannotUnseal, FieldSealer
from chalicelib.integrations.sessions import SealedSessions
from tests.api.test_road_over_http import SECRET, Caller, Callers, RecordedWorld
from tests.privacy.canaries import leaks, secrets_of
from tests.privacy.conftest import CANARY, OTHER
from tests.privacy.overhearing import Overheard, overhearing
from tests.world import CITY, START

MATERIALS = {"1": b"1" * 32, "2": b"2" * 32, "3": b"3" * 32}
RING = Keyring("2", MATERIALS)
CHANCE = SystemChance()
SEALER = FieldSealer(RING, CHANCE.nonce)
PLACES = st.builds(
    str.join,
    st.just(":"),
    st.tuples(
        st.sampled_from(["profile", "code", "client-secret", "eligibility-service-secret"]),
        st.text(max_size=12),
        st.text(max_size=12),
    ),
)


def _flipped(sealed: str, data: st.DataObject) -> str:
    version, _, text = sealed.partition(".")
    raw = bytearray(from_base64url(text) or b"")
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return f"{version}.{to_base64url(bytes(raw))}"


def _cut(sealed: str, data: st.DataObject) -> str:
    return sealed[: data.draw(st.integers(0, len(sealed) - 1))]


def _lengthened(sealed: str, data: st.DataObject) -> str:
    return sealed + data.draw(st.text("AZaz09-_=. ", min_size=1, max_size=8))


def _of_another_key(sealed: str, data: st.DataObject) -> str:
    return data.draw(st.sampled_from(["1", "3", "4", "", "02", "２"])) + sealed[1:]


def _joined(sealed: str, data: st.DataObject) -> str:
    """The nonce of one with the box of another."""
    other = SEALER.seal(data.draw(st.text(max_size=20)), "anywhere")
    raw, more = from_base64url(sealed[2:]), from_base64url(other[2:])
    assert raw is not None
    assert more is not None
    return f"2.{to_base64url(more[:12] + raw[12:])}"


class TestAnyField:
    @given(st.data(), st.text(), PLACES)
    @pytest.mark.parametrize("spoilt", [_flipped, _cut, _lengthened, _of_another_key, _joined])
    def test_given_a_sealed_field_when_it_is_spoilt_in_any_way_then_it_does_not_open(
        self, spoilt: Callable[[str, st.DataObject], str], data: st.DataObject, plain: str, place: str
    ) -> None:
        sealed = SEALER.seal(plain, place)
        other = spoilt(sealed, data)
        assume(other != sealed)

        with pytest.raises(CannotUnseal) as refused:
            SEALER.unseal(other, place)

        assert str(refused.value) == ""
        assert refused.value.__suppress_context__ or refused.value.__context__ is None

    @given(st.text(), PLACES, PLACES)
    def test_given_a_sealed_field_when_it_is_opened_elsewhere_then_it_does_not(
        self, plain: str, place: str, elsewhere: str
    ) -> None:
        assume(place != elsewhere)

        with pytest.raises(CannotUnseal):
            SEALER.unseal(SEALER.seal(plain, place), elsewhere)

    @given(st.text(min_size=4), PLACES)
    def test_given_a_sealed_field_when_looked_at_then_nothing_of_it_can_be_read(self, plain: str, place: str) -> None:
        sealed, again = SEALER.seal(plain, place), SEALER.seal(plain, place)

        raw = from_base64url(sealed[2:]) or b""
        assert plain.encode() not in raw
        assert sealed != again  # that two are alike cannot be seen either

    @given(st.builds(Profile, st.text(), st.text(), st.text(), st.none() | st.text()), st.text(), st.text())
    def test_given_a_profile_when_opened_for_another_person_then_it_does_not(
        self, profile: Profile, person_id: str, other_id: str
    ) -> None:
        sealed = SEALER.seal_profile(profile, person_id)

        assert SEALER.unseal_profile(sealed, person_id) == profile
        if other_id != person_id:
            with pytest.raises(CannotUnseal):
                SEALER.unseal_profile(sealed, other_id)

    @given(st.text(), st.text())
    def test_given_a_field_and_a_session_when_one_is_taken_for_the_other_then_neither_opens(
        self, app_key: str, person_id: str
    ) -> None:
        sessions = SealedSessions(RING)
        session = sessions.issue(HolderSession(app_key, person_id, START), CHANCE.nonce())
        said = json.dumps({"app_key": app_key, "person": person_id, "ends_at": 0})

        with pytest.raises(CannotUnseal):
            SEALER.unseal(session, "holder-session")
        with pytest.raises(SessionEnded):
            sessions.read(SEALER.seal(said, "holder-session"))


class Swapped:
    """Two people with a voucher each of two templates, whose rows somebody with the tables' keys rearranges."""

    def __init__(self, callers: Callers) -> None:
        self.world, self.bureau, self.channel, _ = callers
        self.templates = [self.world.publish(20), self.world.publish(20)]
        for person in (CANARY, OTHER):
            for template in self.templates:
                self.world.claim(person, template, actor=self.world.channel)

    def holder(self, world: RecordedWorld, person: Any) -> Caller:
        assertion = world.essc.assertion(
            person, app_key=self.channel.app_key, purpose="session", jti="j-1234567", now=world.now
        )
        session = self.channel.post("/v1/sessions", {"assertion": assertion}, key=None)["session"]
        return Caller(world, self.channel.app_key, session=session)

    def voucher_of(self, person: Any, template: Template) -> dict[str, Any]:
        person_id = self.world.session(person).person_id
        item = f"1#VOUCHER#{template.template_id}"
        (row,) = [
            row for row in self.world.rows("people") if (row["person"]["S"], row["item"]["S"]) == (person_id, item)
        ]
        return row

    def client_row(self, app_key: str) -> dict[str, Any]:
        (row,) = [row for row in self.world.rows("catalogue") if row["subject"]["S"] == f"CLIENT#{app_key}"]
        return row

    def put(self, table: str, row: dict[str, Any]) -> None:
        environment = self.world.environment
        dynamodb = boto3.client("dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"])
        dynamodb.put_item(TableName=environment[f"{table.upper()}_TABLE"], Item=row)


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(row["body"]["S"])
    return body


def with_body(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, "body": {"S": json.dumps(body_of(row) | changes, ensure_ascii=False)}}


def heard_nothing_of(heard: Overheard, *secrets: str) -> bool:
    said = heard.channels()
    of_people = [one for channel in said.values() for one in leaks(channel, secrets_of(CANARY, OTHER))]
    return not of_people and not [one for one in secrets if any(one in channel for channel in said.values())]


@pytest.fixture
def swapped(callers: Callers) -> Swapped:
    return Swapped(callers)


class TestMovedInTheTables:
    @pytest.mark.parametrize(("whose", "which"), [(OTHER, 0), (CANARY, 1)], ids=["another person", "another template"])
    def test_given_a_typed_code_moved_to_another_voucher_when_shown_then_it_does_not_open(
        self, swapped: Swapped, whose: Any, which: int
    ) -> None:
        row, other = (
            swapped.voucher_of(CANARY, swapped.templates[0]), swapped.voucher_of(whose, swapped.templates[which])
        )  # fmt: skip
        code = swapped.world.code(whose, body_of(other)["voucher_id"])
        swapped.put("people", with_body(row, sealed_code=body_of(other)["sealed_code"]))
        holder = swapped.holder(swapped.world, CANARY)

        with overhearing() as heard:
            told = holder.get(f"/v1/vouchers/{body_of(row)['voucher_id']}", 500)

        assert told["code"] == "internal_error"
        assert heard.log_lines()[-1]["stack"][0] == "chalicelib.integrations.sealing.CannotUnseal"
        assert heard_nothing_of(heard, code)

    def test_given_a_whole_voucher_copied_into_another_s_partition_when_either_asks_then_the_other_s_is_not_told(
        self, swapped: Swapped
    ) -> None:
        mine, theirs = (swapped.voucher_of(one, swapped.templates[0]) for one in (CANARY, OTHER))
        code = swapped.world.code(OTHER, body_of(theirs)["voucher_id"])
        swapped.put("people", {**mine, "body": theirs["body"]})
        holder = swapped.holder(swapped.world, CANARY)

        with overhearing() as heard:
            told = [holder.get(f"/v1/vouchers/{body_of(one)['voucher_id']}", 404) for one in (mine, theirs)]

        assert {one["code"] for one in told} == {"voucher_not_found"}
        assert heard_nothing_of(heard, code)

    def test_given_profiles_changed_over_when_opened_then_neither_person_becomes_the_other(
        self, swapped: Swapped
    ) -> None:
        sealer = swapped.world.platform.keys.sealer
        heads = [body_of(row) for row in swapped.world.rows("people") if row["item"]["S"] == "0#PERSON"]
        one, two = heads

        for mine, theirs in ((one, two), (two, one)):
            with pytest.raises(CannotUnseal):
                sealer.unseal_profile(theirs["sealed_profile"], mine["person_id"])
            with pytest.raises(CannotUnseal):
                sealer.unseal(mine["sealed_profile"], f"code:{mine['person_id']}:{swapped.templates[0].template_id}")
        assert {sealer.unseal_profile(head["sealed_profile"], head["person_id"]) for head in heads} == {CANARY, OTHER}


class TestClientSecrets:
    def test_given_another_client_s_secret_in_a_client_s_row_when_signed_with_then_it_does_not_open(
        self, swapped: Swapped
    ) -> None:
        bureau, channel = swapped.client_row("BUREAU2"), swapped.client_row("CHANNEL2")
        swapped.put("catalogue", with_body(bureau, secrets=body_of(channel)["secrets"]))
        signed_by_the_channel = Caller(swapped.world, "BUREAU2", SECRET)

        with overhearing() as heard:
            told = signed_by_the_channel.get(f"/v1/clients?region={CITY}", 500)

        assert told["code"] == "internal_error"
        assert heard.log_lines()[-1]["stack"][0] == "chalicelib.integrations.sealing.CannotUnseal"
        assert heard_nothing_of(heard, SECRET)

    def test_given_an_older_secret_put_under_a_newer_one_s_name_when_signed_with_then_it_does_not_open(
        self, swapped: Swapped
    ) -> None:
        row = swapped.client_row("BUREAU2")
        renamed = [{**one, "secret_id": "S2"} for one in body_of(row)["secrets"]]
        swapped.put("catalogue", with_body(row, secrets=renamed))

        told = Caller(swapped.world, "BUREAU2", SECRET).get(f"/v1/clients?region={CITY}", 500)

        assert told["code"] == "internal_error"


class TestWhatIsHandedOut:
    def test_given_a_session_of_another_channel_or_damaged_when_sent_then_it_has_ended(self, swapped: Swapped) -> None:
        holder = swapped.holder(swapped.world, CANARY)
        sealed_field = swapped.world.platform.keys.sealer.seal("{}", "holder-session")
        cut = holder.session[:-1]

        for session in (cut, sealed_field, "", f"9{holder.session[1:]}"):
            told = Caller(swapped.world, "CHANNEL2", session=session or "-").get("/v1/wallet", 401)
            assert told["code"] == "holder_session_ended"

    def test_given_an_altered_voucher_id_when_asked_for_then_there_is_none(self, swapped: Swapped) -> None:
        holder = swapped.holder(swapped.world, CANARY)
        voucher_id = body_of(swapped.voucher_of(CANARY, swapped.templates[0]))["voucher_id"]

        for place in range(0, len(voucher_id), 7):
            altered = voucher_id[:place] + ("A" if voucher_id[place] != "A" else "B") + voucher_id[place + 1 :]
            assert holder.get(f"/v1/vouchers/{altered}", 404)["code"] == "voucher_not_found"
        assert holder.get(f"/v1/vouchers/{voucher_id}")["code"]
