"""Keys are rotated under a running platform: what was made before goes on, what is made after uses the new key."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.domain.errors import AlreadyClaimed
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.integrations.alphabets import from_base32
from chalicelib.integrations.keyring import Keyring, read_keyring
from tests.api.test_road_over_http import Caller, Callers, RecordedWorld
from tests.privacy.canaries import leaks, secrets_of
from tests.privacy.conftest import CANARY, OTHER
from tests.privacy.overhearing import overhearing
from tests.races.crowd import at_once
from tests.world import CITY, INSTITUTION_ID, KEYRING, PEPPER, World

MORE_KEYS = {"2": b"platform keys of the tests, after a rotation", "3": b"platform keys of the tests, after another!"}
MORE_PEPPER = {"2": b"identity pepper of the tests, after a rotation"}
RINGS = {last: {v: m for v, m in {**KEYRING.materials, **MORE_KEYS}.items() if v <= last} for last in "123"}
PEPPERED = Keyring("2", {**PEPPER.materials, **MORE_PEPPER})


class Before:
    """What people and clients were given before anything was rotated."""

    def __init__(self, callers: Callers) -> None:
        self.world, self.bureau, self.channel, self.desk = callers
        self.template_id = self.world.publish(20).template_id
        claim = self._claim_of(CANARY)
        self.claim = claim, self.channel.post("/v1/claims", claim, status=201, key="before")
        self.voucher_id = self.claim[1]["voucher_id"]
        self.holder = self.session(CANARY)
        self.code = self.holder.get(f"/v1/vouchers/{self.voucher_id}")["code"]
        draft = {"name": "渠道", "role": "channel", "regions": [CITY]}
        granted = self.bureau.post("/v1/clients", draft, status=201)
        self.client = Caller(self.world, granted["client"]["app_key"], granted["secret"])

    def _claim_of(self, person: Profile, template_id: str = "") -> dict[str, str]:
        template_id = template_id or self.template_id
        return {"template_id": template_id, "assertion": self._assertion(person, "claim", template_id)}

    def _assertion(self, person: Profile, purpose: str, subject: str | None = None) -> str:
        return self.world.essc.assertion(
            person, app_key=self.channel.app_key, purpose=purpose, subject=subject, jti="j-1234567", now=self.world.now
        )

    def claimed(self, person: Profile, template_id: str = "", status: int = 201) -> Any:
        return self.channel.post("/v1/claims", self._claim_of(person, template_id), status=status)

    def session(self, person: Profile, status: int = 200) -> Caller:
        body = {"assertion": self._assertion(person, "session")}
        opened = self.channel.post("/v1/sessions", body, key=None, status=status)
        return replace(self.channel, session=opened.get("session", ""))

    def token(self) -> str:
        return str(self.holder.get(f"/v1/vouchers/{self.voucher_id}/qr?format=token")["token"])

    def place(self, **proof: str) -> dict[str, str]:
        return {"institution_id": INSTITUTION_ID, "course_id": self.world.course.course_id, **proof}

    def rows(self, item: str) -> list[dict[str, Any]]:
        return [row for row in self.world.rows("people") if row["item"]["S"].startswith(item)]


@pytest.fixture
def before(callers: Callers) -> Before:
    return Before(callers)


def rotate(world: RecordedWorld, keys: Keyring = KEYRING, pepper: Keyring = PEPPER) -> World:
    """The same world from a new container that has these rings, and all requests to it."""
    fresh = wiring.build(
        read_settings(world.environment),
        load_keys=lambda: (keys, pepper),
        endpoint=world.environment["AWS_ENDPOINT_URL"],
        clock=world.clock,
        chance=world.platform.chance,
    )
    wiring.use(fresh)
    return replace(world, platform=fresh)


def version_of(voucher_id: str) -> int:
    raw = from_base32(voucher_id, 43)
    assert raw is not None
    return raw[0]


class TestPlatformKeys:
    @pytest.mark.parametrize("current", ["1", "2"])
    def test_given_vouchers_of_before_when_a_key_is_added_and_then_used_then_all_that_was_given_goes_on(
        self, before: Before, current: str
    ) -> None:
        shown = before.token()
        rotate(before.world, Keyring(current, RINGS["2"]))

        (card,) = before.holder.get("/v1/wallet")["items"]
        again = before.channel.post("/v1/claims", before.claim[0], status=201, key="before")

        assert card["voucher_id"] == before.voucher_id
        assert before.holder.get(f"/v1/vouchers/{before.voucher_id}")["code"] == before.code
        assert len(before.holder.get(f"/v1/vouchers/{before.voucher_id}/history")["entries"]) == 1
        assert again == before.claim[1]  # its idempotency key is known again
        assert before.client.get(f"/v1/regions/{CITY}")
        assert {one["kid"] for one in before.bureau.get("/v1/keys")["keys"]} == {"1", "2"}
        assert before.desk.post("/v1/verifications", before.place(token=shown), key=None)["usable"]
        used = before.desk.post("/v1/redemptions", before.place(code=before.code.lower()), status=201)
        assert used["voucher_id"] == before.voucher_id

    def test_given_a_key_in_use_when_something_new_is_made_then_it_is_made_with_that_key(self, before: Before) -> None:
        rotate(before.world, Keyring("2", RINGS["2"]))

        made = before.claimed(OTHER)
        rotated = before.bureau.post(
            f"/v1/clients/{before.client.app_key}/secrets", {"overlap_seconds": 60}, status=201
        )

        assert (version_of(before.voucher_id), version_of(made["voucher_id"])) == (1, 2)
        sealed = {json.loads(row["body"]["S"])["sealed_code"][:2] for row in before.rows("1#VOUCHER")}
        profiles = {json.loads(row["body"]["S"])["sealed_profile"][:2] for row in before.rows("0#PERSON")}
        client = before.world.platform.catalogue.clients.read(before.client.app_key)
        assert sealed == profiles == {"1.", "2."}
        assert client is not None
        assert [one.sealed[:2] for one in client.secrets] == ["1.", "2."]
        assert before.client.get(f"/v1/regions/{CITY}")
        assert replace(before.client, secret=rotated["secret"]).get(f"/v1/regions/{CITY}")
        assert before.session(OTHER).session.startswith("2.")

    def test_given_two_rotations_when_what_is_short_lived_comes_back_then_only_that_is_over(
        self, before: Before
    ) -> None:
        shown = before.token()
        rotate(before.world, Keyring("3", RINGS["3"]))

        told = before.holder.get("/v1/wallet", 401)
        refused = before.desk.post("/v1/redemptions", before.place(token=shown), status=409)

        assert told["code"] == "holder_session_ended"
        assert (refused["code"], refused["facts"]) == ("token_not_accepted", {"reason": "unknown_key"})
        holder = before.session(CANARY)
        assert holder.get(f"/v1/vouchers/{before.voucher_id}")["code"] == before.code
        assert before.client.get(f"/v1/regions/{CITY}")
        assert before.desk.post("/v1/redemptions", before.place(code=before.code), status=201)

    def test_given_the_newest_key_is_lost_when_what_it_made_is_asked_for_then_a_clear_failure_and_no_secret(
        self, before: Before
    ) -> None:
        rotate(before.world, Keyring("2", RINGS["2"]))
        made = before.claimed(OTHER)["voucher_id"]
        holder = before.session(OTHER)
        with overhearing() as heard:
            rotate(before.world, KEYRING)

            ended = holder.get("/v1/wallet", 401)
            anew = before.session(OTHER)
            (card,) = anew.get("/v1/wallet")["items"]
            lost = anew.get(f"/v1/vouchers/{made}", 404)

        assert (ended["code"], lost["code"]) == ("holder_session_ended", "voucher_not_found")
        assert card["voucher_id"] == made
        assert not [one for channel in heard.channels().values() for one in leaks(channel, secrets_of(OTHER))]


class TestPepper:
    def test_given_people_of_before_when_the_pepper_is_rotated_then_they_are_who_they_were(
        self, before: Before
    ) -> None:
        world = rotate(before.world, pepper=PEPPERED)
        second = before.world.publish(20).template_id

        claimed = before.claimed(CANARY, second)
        refused = before.claimed(CANARY, status=409)
        before.claimed(OTHER, second)

        assert refused["code"] == "already_claimed"
        owned = [one["voucher_id"] for one in before.session(CANARY).get("/v1/wallet")["items"]]
        assert sorted(owned) == sorted([before.voucher_id, claimed["voucher_id"]])
        assert len(before.rows("0#PERSON")) == 2
        versions = Counter(row["person"]["S"].split("#")[1] for row in before.rows("0#IDENTITY"))
        assert versions == {"1": 2, "2": 1}  # who is new is known by both
        world.check_laws(world.vouchers())

    def test_given_somebody_of_before_when_old_and_new_containers_claim_at_once_then_once_and_for_one_person(
        self, before: Before
    ) -> None:
        template = before.world.publish(50)
        spread = rotate(before.world, pepper=Keyring("1", PEPPERED.materials))
        containers = (before.world, spread, rotate(before.world, pepper=PEPPERED))

        outcomes = at_once([partial(one.claim, CANARY, template) for one in containers * 4])

        assert sum(isinstance(one, Done) for one in outcomes) == 1
        assert sum(isinstance(one, AlreadyClaimed) for one in outcomes) == len(outcomes) - 1
        assert len(before.rows("0#PERSON")) == 1
        assert {one.session(CANARY).person_id for one in containers} == {before.rows("0#PERSON")[0]["person"]["S"]}

    @pytest.mark.parametrize("dropped", ["platform keys", "pepper"])
    def test_given_an_older_version_is_taken_out_when_its_people_come_then_nothing_is_done_and_nobody_is_made_twice(
        self, before: Before, dropped: str
    ) -> None:
        second = before.world.publish(20).template_id
        rows = before.rows("")

        def load_keys() -> tuple[Keyring, Keyring]:
            without = read_keyring(json.dumps({"current": "2", "2": MORE_PEPPER["2"].decode()}))
            return (without, PEPPER) if dropped == "platform keys" else (KEYRING, without)

        with overhearing() as heard:
            broken = wiring.build(
                read_settings(before.world.environment),
                load_keys=load_keys,
                endpoint=before.world.environment["AWS_ENDPOINT_URL"],
                clock=before.world.clock,
            )
            wiring.use(broken)
            told = before.claimed(CANARY, second, 500)

        assert told["code"] == "internal_error"
        assert before.rows("") == rows
        said = heard.log_lines()[-1]
        assert (said["level"], said["stack"][0]) == ("ERROR", "chalicelib.integrations.keyring.BadKeyring")
        assert not [one for channel in heard.channels().values() for one in leaks(channel, secrets_of(CANARY))]
        assert MORE_PEPPER["2"].decode() not in "".join(heard.channels().values())
