"""A client's secrets change, or it is disabled, while it asks: over HTTP, in this container and in others.

What a container remembers of a client is at most 60 s old (docs/signing.md).
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.access import Role
from chalicelib.services.ports import Platform
from tests.api.test_road_over_http import Caller, RecordedWorld, a_caller
from tests.races.conftest import Ground
from tests.races.crowd import at_once, give_each_thread_its_request
from tests.services.faults import Watched, with_store
from tests.world import CITY, START, World

HERE, ELSEWHERE = 0, 1
_numbers = itertools.count(1)
OVERLAP = 120


@dataclass
class Access:
    """The bureau, a client that it registered, and containers that serve both."""

    world: RecordedWorld
    bureau: Caller
    client: Caller
    containers: list[Platform]

    @property
    def path(self) -> str:
        return f"/v1/clients/{self.client.app_key}"

    def ask(self, secret: str, container: int = HERE) -> str:
        """What the client hears when it signs with this secret."""
        wiring.use(self.containers[container])
        return heard(replace(self.client, secret=secret).send("GET", f"/v1/regions/{CITY}"))

    def rotate(self, overlap: int = OVERLAP) -> str:
        """The new secret."""
        wiring.use(self.containers[HERE])
        return str(self.bureau.post(f"{self.path}/secrets", {"overlap_seconds": overlap}, status=201)["secret"])

    def disable(self) -> None:
        wiring.use(self.containers[HERE])
        self.bureau.post(f"{self.path}/disable")

    def pass_by(self, seconds: float) -> None:
        """So much time passes, on the clock and in every container's memory of clients."""
        self.world.clock.advance(timedelta(seconds=seconds))
        for container in self.containers:
            memory: Any = container.catalogue.clients
            before = memory._fresh._ticks
            memory._fresh._ticks = lambda before=before: before() + seconds


def heard(answer: Any) -> str:
    return "ok" if answer.status_code < 300 else str(answer.json_body["code"])


@pytest.fixture(scope="module")
def bureau(ground: Ground) -> Caller:
    plain = ground.shared
    world = RecordedWorld(**{one.name: getattr(plain, one.name) for one in fields(World)})
    return a_caller(world, "BUREAU5", Role.MINISTRY, "000000")


@pytest.fixture
def access(ground: Ground, bureau: Caller, monkeypatch: pytest.MonkeyPatch) -> Iterator[Access]:
    give_each_thread_its_request(monkeypatch)
    bureau.world.clock.set(START)
    containers = list(ground.platforms[:2])
    for container in containers:
        memory: Any = container.catalogue.clients
        monkeypatch.setattr(memory._fresh, "_ticks", time.monotonic)
    wiring.use(containers[HERE])
    asked = {"name": "渠道", "role": "channel", "regions": [CITY]}
    granted = bureau.post("/v1/clients", asked, status=201)
    client = Caller(bureau.world, granted["client"]["app_key"], granted["secret"])
    yield Access(bureau.world, bureau, client, containers)
    wiring.use(None)


def test_given_a_rotation_when_old_and_new_secret_sign_then_both_do_until_the_overlap_ends_to_the_second(
    access: Access,
) -> None:
    old = access.client.secret
    new = access.rotate()

    assert [access.ask(old), access.ask(new)] == ["ok", "ok"]
    access.pass_by(OVERLAP - 1)
    assert [access.ask(old), access.ask(new)] == ["ok", "ok"]
    access.pass_by(1)
    assert [access.ask(old), access.ask(new)] == ["bad_signature", "ok"]


def test_given_a_container_that_remembers_when_secrets_rotate_elsewhere_then_it_knows_the_new_one_within_a_minute(
    access: Access,
) -> None:
    old = access.client.secret
    assert access.ask(old, ELSEWHERE) == "ok"
    new = access.rotate()

    assert [access.ask(old, ELSEWHERE), access.ask(new, ELSEWHERE)] == ["ok", "bad_signature"]
    access.pass_by(60)
    assert [access.ask(old, ELSEWHERE), access.ask(new, ELSEWHERE)] == ["ok", "ok"]
    access.pass_by(OVERLAP - 60)
    assert [access.ask(old, ELSEWHERE), access.ask(new, ELSEWHERE)] == ["bad_signature", "ok"]


def test_given_a_container_that_remembers_when_the_client_is_disabled_elsewhere_then_it_refuses_within_a_minute(
    access: Access,
) -> None:
    secret = access.client.secret
    assert access.ask(secret, ELSEWHERE) == "ok"

    access.disable()

    assert [access.ask(secret, HERE), access.ask(secret, ELSEWHERE)] == ["client_disabled", "ok"]
    access.pass_by(60)
    assert access.ask(secret, ELSEWHERE) == "client_disabled"


def test_given_requests_by_the_old_secret_when_it_rotates_among_them_then_none_is_refused(access: Access) -> None:
    old, news = access.client.secret, list[str]()

    def ask(secret: str) -> list[str]:
        return [heard(replace(access.client, secret=secret).send("GET", f"/v1/regions/{CITY}")) for _ in range(6)]

    def rotate() -> list[str]:
        news.append(access.rotate())
        return ask(news[0])

    outcomes = at_once([lambda: ask(old), lambda: ask(old), rotate, lambda: ask(old)])

    assert outcomes == [["ok"] * 6] * 4


def test_given_two_rotations_at_once_when_each_is_told_then_every_secret_that_signs_was_told_to_somebody(
    access: Access,
) -> None:
    told: list[str] = [access.client.secret]

    def rotate() -> str:
        answer = access.bureau.send(
            "POST", f"{access.path}/secrets", {"overlap_seconds": OVERLAP}, f"change-{next(_numbers)}"
        )
        if answer.status_code == 201:
            told.append(answer.json_body["secret"])
        return heard(answer)

    outcomes = at_once([rotate] * 4)

    assert set(outcomes) <= {"ok", "concurrent_change"}
    signing = [secret for secret in told if access.ask(secret) == "ok"]
    assert len(signing) == 2  # the first, and the last that anybody was told
    assert signing[0] == access.client.secret
    assert len(access.bureau.get(access.path)["secrets"]) == 2


CHANGES: dict[str, tuple[str, dict[str, int]]] = {
    "rotation": ("secrets", {"overlap_seconds": OVERLAP}),
    "pace": ("pace", {"requests_per_second": 7}),
    "disabling": ("disable", {}),
}


@pytest.mark.parametrize("late", CHANGES)
@pytest.mark.parametrize("first", CHANGES)
def test_given_a_change_that_is_held_up_when_another_is_made_meanwhile_then_it_overwrites_nothing(
    access: Access, late: str, first: str
) -> None:
    def change(name: str) -> str:
        action, body = CHANGES[name]
        return heard(access.bureau.send("POST", f"{access.path}/{action}", body, f"change-{next(_numbers)}"))

    heard_first: list[str] = []

    def act_first(call: int) -> None:
        if call == 1:
            wiring.use(access.containers[ELSEWHERE])
            heard_first.append(change(first))

    here = replace(access.world, platform=access.containers[HERE])
    clients: Any = Watched(here.platform.catalogue.clients, "change", before=act_first)
    wiring.use(with_store(here, "catalogue", replace(here.platform.catalogue, clients=clients)).platform)
    heard_late = change(late)

    wiring.use(access.containers[HERE])
    after = access.bureau.get(access.path)
    assert (heard_first, heard_late, after["version"]) == (["ok"], "concurrent_change", 2)
    assert (after["disabled_at"] is not None) == (first == "disabling")
    assert (after["requests_per_second"] == 7) == (first == "pace")
    assert len(after["secrets"]) == (2 if first == "rotation" else 1)
