"""The world of the tests with callers who sign, and their requests as the events that API Gateway makes of them."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib.api import signing
from chalicelib.domain import pace
from chalicelib.domain.access import Actor, Secret
from chalicelib.domain.calendar import local_date
from chalicelib.domain.person import Profile
from chalicelib.domain.programme import Course
from chalicelib.domain.template import Template
from chalicelib.domain.training_class import LARGEST, TrainingClass
from chalicelib.integrations.clock import SystemClock
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.services import checking_in
from chalicelib.services.granting_access import secret_context
from chalicelib.services.ports import Sealer
from tests import classroom
from tests.world import CITY, INSTITUTION_ID, World, a_world

SECRET = "a secret of the bench, and nobody's"
Event = dict[str, Any]


@dataclass
class Town:
    """Today's world: a channel and a desk that are as fast as the platform lets anybody be."""

    world: World
    channel: Actor
    desk: Actor
    signer: OperatorKey
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _class: TrainingClass | None = None
    _seats: int = 0

    def template(self, quantity: int = 5_000, **changes: Any) -> Template:
        """A published template that may be claimed and used today and for a month."""
        today = local_date(self.tick())
        window = {"claim_from": today, "valid_from": today}
        window |= {name: today + timedelta(days=30) for name in ("claim_until", "valid_until")}
        return self.world.publish(quantity, **{**window, **changes})

    def tick(self) -> Any:
        """Bring the world's clock to the present."""
        return self.world.clock.set(SystemClock().now())

    # --- requests ---

    def claim(self, person: Profile, template: Template, *, relative: Profile | None = None, **more: Any) -> Event:
        self.tick()
        template_id = template.template_id
        assertion = self.world.assertion(person, "claim", template_id, actor=self.channel)
        body: dict[str, Any] = {"template_id": template_id, "assertion": assertion, "entrance": "home_card"}
        if relative is not None:
            theirs = self.world.assertion(relative, "proxy", template_id, actor=self.channel)
            body["proxy"] = {"assertion": theirs, "kin": "child"}
        return self.event(self.channel, "POST", "/v1/claims", body, **more)

    def claimable(self, person: Profile) -> Event:
        """It changes nothing, so it takes no key."""
        self.tick()
        body = {"region": CITY, "assertion": self.world.assertion(person, "claimable", CITY, actor=self.channel)}
        return self.event(self.channel, "POST", "/v1/claimable", body, key="")

    def verify(self, **shown: str) -> Event:
        """It changes nothing, so no operator need sign."""
        desk = replace(self.desk, operator=None)
        return self.event(desk, "POST", "/v1/verifications", {**self._place(), **shown}, key="")

    def redeem(self, *, key: str | None = None, **shown: str) -> Event:
        return self.event(self.desk, "POST", "/v1/redemptions", {**self._place(), **shown}, key=key)

    def reverse(self, voucher_id: str, **more: Any) -> Event:
        route, body = "/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"}
        return self.event(self.desk, "POST", route, body, parameters={"voucher_id": voucher_id}, **more)

    def give_back(self, person: Profile, voucher_id: str, **more: Any) -> Event:
        route, session = "/v1/vouchers/{voucher_id}/return", self.session(person)
        return self.event(
            self.channel, "POST", route, {}, parameters={"voucher_id": voucher_id}, session=session, **more
        )

    def check_in(
        self,
        person: Profile,
        training: TrainingClass,
        *,
        code: str | None = None,
        session: str | None = None,
        key: str | None = None,
    ) -> Event:
        """By the class's code where it is given, else from the class's place."""
        there = {"latitude": 22.5431, "longitude": 114.0579, "datum": "gcj02", "accuracy": 12.0}
        shown: dict[str, Any] = {"class_code": code} if code else {"position": there}
        body = {"class_id": training.class_id, **shown, "device": "a phone of the bench"}
        return self.event(self.channel, "POST", "/v1/check-ins", body, session=session or self.session(person), key=key)

    def class_code(self, training: TrainingClass) -> checking_in.ClassCode:
        """What the class shows now."""
        now = self.tick()
        return checking_in.show_class_code(self.world.platform, training.class_id, None, actor=self.desk, now=now)

    def an_online_course(self) -> Course:
        """A course of the institution that is held nowhere."""
        course = replace(self.world.course, course_id="E" * 16, online=True)
        if self.world.platform.catalogue.courses.get(course.course_id) is None:
            self.world.platform.catalogue.courses.add(course, None)
        return course

    def a_class(self, voucher_ids: list[str]) -> TrainingClass:
        """A class that goes on now, with the holders of these vouchers on it: the same one while it has seats, so that
        a container remembers it."""
        self.tick()
        if self._class is None or self._seats < len(voucher_ids):
            self._class = classroom.open_class(self.world, [classroom.plan(self.world.now)], capacity=LARGEST)
            self._seats = LARGEST
        training = self._class
        self._seats -= len(voucher_ids)
        told = classroom.enrol(self.world, training, *voucher_ids).answer.results
        assert not [one for one in told if one.code], told[0]
        return training

    def as_it_stands(self, training: TrainingClass, voucher_id: str) -> dict[str, Any]:
        """The enrolment's row, as PutItem would put it."""
        key = self.world.platform.keys.voucher_ids.decode(voucher_id)
        assert key is not None
        there = self.world.row("people", {"person": key[0], "item": f"2#ENROLMENT#{training.class_id}"})
        return {"TableName": self.world.environment["PEOPLE_TABLE"], "Item": there}

    def wallet(self, person: Profile, limit: int = 50) -> Event:
        query = {"limit": str(limit)}
        return self.event(self.channel, "GET", "/v1/wallet", query=query, session=self.session(person))

    def session(self, person: Profile) -> str:
        """The text of a holder session."""
        p, session = self.world.platform, self._open(person)
        return p.keys.sessions.issue(session, p.chance.nonce())

    def token(self, person: Profile, voucher_id: str) -> str:
        self.tick()
        p = self.world.platform
        return p.keys.tokens.issue(self.world.voucher(voucher_id), p.chance.nonce(), self.world.now)

    def code(self, person: Profile, voucher_id: str) -> str:
        self.tick()
        return replace(self.world, channel=self.channel).code(person, voucher_id)

    def event(
        self,
        caller: Actor,
        method: str,
        route: str,
        body: object = None,
        *,
        parameters: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        key: str | None = None,
        session: str = "",
        raw: str | None = None,
    ) -> Event:
        """A signed request. ``key``: a fresh one where none is given; a GET, or "", sends none."""
        now, number = self.tick(), next(self._numbers)
        path = re.sub(r"\{(\w+)\}", lambda found: (parameters or {})[found[1]], route)
        content = raw if raw is not None else "" if body is None else json.dumps(body, ensure_ascii=False)
        sent_key = "" if method == "GET" else f"bench-{number:08}" if key is None else key
        target = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
        headers = signing.sign(
            method,
            target,
            app_key=caller.app_key,
            secret=SECRET,
            timestamp=int(now.timestamp()),
            nonce=f"nonce-{number:08}",
            body=content.encode(),
            idempotency_key=sent_key,
        )
        headers |= {"Accept": "application/json", "Accept-Language": "zh-CN", "X-Forwarded-For": "192.0.2.10"}
        if caller.operator:
            headers["X-Operator"] = self.signer.sign(
                caller.operator.operator_id, caller.app_key, method, path, content.encode(), sent_key, now
            )
        if session:
            headers["X-Holder-Session"] = session
        if content:
            headers["Content-Type"] = "application/json"
        return {
            "resource": route,
            "path": path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": dict(query) if query else None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
            "pathParameters": dict(parameters) if parameters else None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": route,
                "httpMethod": method,
                "path": f"/bench{path}",
                "stage": "bench",
                "protocol": "HTTP/1.1",
                "requestId": f"c6af9ac6-7b61-11e6-9a41-{number:012}",
                "requestTimeEpoch": int(now.timestamp() * 1000),
                "identity": {"sourceIp": "192.0.2.10", "userAgent": "bench"},
            },
            "body": content or None,
            "isBase64Encoded": False,
        }

    def _place(self) -> dict[str, str]:
        return {"institution_id": INSTITUTION_ID, "course_id": self.world.course.course_id}

    def _open(self, person: Profile) -> Any:
        self.tick()
        return self.world.session(person, self.channel)


def a_town(environment: dict[str, str]) -> Town:
    """A world on these tables that begins now, with a channel and a desk of real secrets and keys."""
    world = a_world(environment, start=SystemClock().now())
    catalogue, sealer = world.platform.catalogue, world.platform.keys.sealer
    signer = OperatorKey(b"the desk's operator of the bench")
    channel = _who_signs(world.channel, world, sealer)
    desk = _who_signs(world.desk, world, sealer)
    assert desk.operator is not None
    desk = replace(desk, operator=replace(desk.operator, public_key=signer.public_key))
    for actor in (channel, desk):
        catalogue.clients.add(actor.client, None)
    assert desk.operator is not None
    catalogue.operators.add(desk.operator, None)
    world.rules()
    return Town(world, channel, desk, signer)


def _who_signs(actor: Actor, world: World, sealer: Sealer) -> Actor:
    sealed = sealer.seal(SECRET, secret_context(actor.app_key, "S1"))
    secrets = (Secret("S1", sealed, world.now),)
    client = replace(actor.client, secrets=secrets, requests_per_second=pace.FASTEST)
    return replace(actor, client=client)
