"""The straight road over HTTP, every operation at least once, through Chalice's test client on a real engine.

Clock, chance and keys are fixed, so every answer is the same each time: ``chalicelib/api/examples.json``, from which
the OpenAPI document takes its examples, is this road's own recording, and walking it again replays them all.
``RECORD_EXAMPLES=1 pytest tests/api/test_road_over_http.py`` writes it anew.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest
from chalice.local import RouteMatcher
from chalice.test import Client as ChaliceClient
from chalice.test import HTTPResponse

from app import app
from chalicelib import wiring
from chalicelib.api import openapi, signing
from chalicelib.api.answers import OPERATIONS
from chalicelib.domain.access import Actor, Client, Duty, Operator, Role, Secret
from chalicelib.domain.application import MoneyErrand
from chalicelib.domain.calendar import local_date, to_text
from chalicelib.domain.identifiers import mask_mobile, mask_name
from chalicelib.domain.person import Profile
from chalicelib.domain.region import RuleSet
from chalicelib.domain.roster import declared_key
from chalicelib.integrations.chance import SeededChance
from chalicelib.integrations.essc_platform import DemoTerminal, OperatorKey
from chalicelib.services import working_off_money
from chalicelib.services.granting_access import secret_context
from chalicelib.storage.fresh import Fresh
from tests import eligibility
from tests.engines import Engine, create_tables, delete_tables
from tests.paying import answer
from tests.rostering import carry_on, put_file, receive
from tests.settling import a_completed_class, collected, with_clerks
from tests.world import CITY, INSTITUTION_ID, World, a_person, a_world

SECRET = "made up for the tests, in bytes of UTF-8: 券"


@dataclass
class Caller:
    """A client of the API with its operator, if it has one."""

    world: "RecordedWorld"
    app_key: str
    secret: str = SECRET
    operator_id: str = ""
    key: OperatorKey | None = None
    session: str = ""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def get(self, target: str, status: int = 200) -> Any:
        return self._call("GET", target, None, "", status)

    def post(self, target: str, body: object = None, *, status: int = 200, key: str | None = "new") -> Any:
        name = f"{self.app_key}-{next(self._numbers)}" if key == "new" else key or ""
        return self._call("POST", target, body, name, status)

    def send_raw(
        self,
        method: str,
        target: str,
        raw: bytes = b"",
        key: str = "",
        *,
        nonce: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Any request, signed as this client signs; ``headers`` come last and win."""
        sent = signing.sign(
            method,
            target,
            app_key=self.app_key,
            secret=self.secret,
            timestamp=int(self.world.now.timestamp()),
            nonce=nonce or f"nonce-{next(self._numbers):04}",
            body=raw,
            idempotency_key=key,
        )
        if self.key:
            path = target.partition("?")[0]
            now = self.world.now
            sent["X-Operator"] = self.key.sign(self.operator_id, self.app_key, method, path, raw, key, now)
        if self.session:
            sent["X-Holder-Session"] = self.session
        if raw:
            sent["Content-Type"] = "application/json"
        with ChaliceClient(app) as chalice:
            return chalice.http.request(method, target, headers={**sent, **(headers or {})}, body=raw)

    def send(self, method: str, target: str, body: object = None, key: str = "") -> HTTPResponse:
        """Whatever the answer is."""
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        return self.send_raw(method, target, raw, key)

    def _call(self, method: str, target: str, body: object, key: str, status: int) -> Any:
        answer = self.send(method, target, body, key)
        assert answer.status_code == status, (method, target, answer.body.decode())
        if "json" not in answer.headers["Content-Type"]:
            return answer.body.decode()
        if status < 300:
            self._record(method, target, body, answer)
        return answer.json_body

    def _record(self, method: str, target: str, body: object, answer: HTTPResponse) -> None:
        """The first good answer of each operation is its example."""
        label = f"{method} {app_route(target)}"
        if label in self.world.examples or label == "GET /v1/openapi.json":  # which would contain itself
            return
        example = {"target": target, "status": answer.status_code, "response": answer.json_body}
        if method == "POST":
            example["request"] = {} if body is None else body
        self.world.examples[label] = example


@dataclass
class RecordedWorld(World):
    """A world that remembers what was said in it."""

    examples: dict[str, Any] = field(default_factory=dict)


def _money(world: RecordedWorld, desk: Caller, class_id: str, voucher_id: str) -> None:
    """From the class that is finished to what a reviewer grants; one application is taken back first."""
    reviewer = a_caller(world, "CITY8", Role.CITY, CITY, duties=(Duty.REVIEWER,))

    def job(application_id: str) -> None:
        errand = MoneyErrand("application", application_id)
        working_off_money.carry_out(world.platform, errand, moment=lambda: world.now, may_go_on=lambda: True)

    asked = {"class_id": class_id, "region": CITY}
    made = desk.post("/v1/applications", asked, status=202)
    path = f"/v1/applications/{made['application_id']}"
    assert (made["state"], made["counts"]) == ("collecting", [])
    job(made["application_id"])
    sheet = {"kind": "签到表", "file_name": "签到表.pdf", "size": 5, "sha256": hashlib.sha256(b"sheet").hexdigest()}
    declared = desk.post(f"{path}/attachments", sheet, status=201)
    file = f"{path}/attachments/{declared['attachment']['attachment_id']}"
    assert desk.post(file, status=409)["code"] == "attachment_not_stored"
    key = f"applications/attachments/{made['application_id']}/{declared['attachment']['attachment_id']}"
    world.platform.files.write(key, BytesIO(b"sheet"), "application/pdf")
    assert desk.post(file)["attachments"][0]["stored_version"]
    assert "url" in reviewer.get(file)
    assert desk.get(path)["state"] == "submitted"
    assert desk.post(f"{path}/cancellation", {"reason": "填错了"}, status=202)["state"] == "cancelling"
    job(made["application_id"])
    made = desk.post("/v1/applications", asked, status=202)
    path = f"/v1/applications/{made['application_id']}"
    job(made["application_id"])
    there = reviewer.get(f"/v1/applications?of={CITY}")["items"]
    assert {one["state"] for one in there} == {"cancelled", "submitted"}
    (line,) = [one for one in reviewer.get(f"{path}/lines")["items"] if one["state"] == "applied"]
    assert (line["voucher_id"], line["completion"]["needed"]) == (voucher_id, 80)
    back = {"verdict": "return", "voucher_ids": [voucher_id], "reason": "材料不全", "text": "缺少签到表"}
    assert reviewer.post(f"{path}/decisions", back)["state"] == "settled"
    made = desk.post("/v1/applications", asked, status=202)
    path = f"/v1/applications/{made['application_id']}"
    job(made["application_id"])
    bulk = {"verdict": "approve", "least_percent": 80}
    assert reviewer.post(f"{path}/decisions/bulk", bulk, status=202)["bulk"]["decided"] == 0
    approve = {"verdict": "approve", "voucher_ids": [voucher_id]}
    assert reviewer.post(f"{path}/decisions", approve, status=409)["code"] == "application_busy"
    job(made["application_id"])
    assert reviewer.get(path)["state"] == "decided"


def _paid(world: RecordedWorld, desk: Caller, bureau: Caller, channel: Caller) -> None:
    """Two classes that are over: of one the money is published, paid through the bank and claimed back in part, of the
    other it is settled in a region's own system."""
    reviewer = a_caller(world, "CITY7", Role.CITY, CITY, duties=(Duty.REVIEWER,))
    payer = a_caller(world, "CITY9", Role.CITY, CITY, duties=(Duty.PAYER,))
    desks = replace(world.desk.client, app_key=desk.app_key)
    world.desk = Actor(desks, world.platform.catalogue.operators.read(desk.operator_id))
    with_clerks(world)
    training, (one, two) = a_completed_class(world, 2, who=[a_person(8_101), a_person(8_102)])
    there = collected(world, training)
    path = f"/v1/applications/{there.application_id}"
    assert "url" in reviewer.get(f"{path}/lines-file")
    reviewer.post(f"{path}/decisions", {"verdict": "approve", "voucher_ids": [one, two]})
    assert reviewer.post(f"{path}/publicity", status=409)["code"] == "no_publicity"
    world.platform.catalogue.rule_sets.add(RuleSet(CITY, 3, date(2021, 1, 1), publicity_days=3), None)
    payment = {"region": CITY, "application_ids": [there.application_id]}
    forget_rules(world)
    assert payer.post("/v1/payment-batches", payment, status=409)["code"] == "publicity_not_over"
    until = reviewer.post(f"{path}/publicity")["publicity"]["until"]
    shown = channel.get(f"/v1/publicity?region={CITY}")["items"]
    assert [len(shown) > 0, until > "2021"] == [True, True]
    objection = {"voucher_id": two, "text": "本人未参加培训"}
    assert bureau.post(f"{path}/objections", objection)["objections"][0]["upheld"] is None
    found = {"upheld": True, "text": "经核查属实"}
    assert reviewer.post(f"{path}/objections/1/resolution", found)["approved_fen"] > 0
    first = world.now
    world.clock.set(first + timedelta(days=5))
    account = f"/v1/institutions/{INSTITUTION_ID}/bank-account"
    asked = {"account_name": "深圳测试培训学校", "bank": "测试银行深圳分行", "account_number": "6222000011112222"}
    assert desk.post(account, asked, status=201)["proposed"]["masked"].endswith("2222")
    payer.post(f"{account}/confirmation", {"number": 1, "account_number": "6222 0000 1111 2222"})
    assert desk.get(account)["current"]["number"] == 1

    def batch(*, file: bool) -> dict[str, Any]:
        made: dict[str, Any] = payer.post("/v1/payment-batches", payment, status=201)
        work_on(world, made["batch_id"])
        at = f"/v1/payment-batches/{made['batch_id']}"
        if file:
            assert payer.post(f"{at}/bank-file")["batch"]["state"] == "sent"
        else:
            assert payer.post(f"{at}/cancellation", {"reason": "漏了一个机构"})["state"] == "cancelling"
            work_on(world, made["batch_id"])
        ready: dict[str, Any] = payer.get(at)
        return ready

    assert batch(file=False)["state"] == "cancelled"
    sent = batch(file=True)
    assert len(payer.get(f"/v1/payment-batches?region={CITY}")["items"]) == 2
    (payee,) = payer.get(f"/v1/payment-batches/{sent['batch_id']}/payees")["items"]
    assert (payee["kind"], payee["state"], payee["lines"]) == ("institution", "pending", 1)
    told = [sent["batch_id"], "1", f"{payee['fen'] / 100:.2f}", "成功", "", "BANK1"]
    answer(world, [told])
    work_on(world, sent["batch_id"])
    assert payer.get(f"/v1/payment-batches/{sent['batch_id']}")["paid_fen"] == payee["fen"]
    assert reviewer.get(path)["state"] == "settled"
    back = {"fen": 10, "reason": "虚假培训"}
    assert reviewer.post(f"/v1/vouchers/{one}/claw-back", back)["facts"]["recovered_fen"] == 10
    training, (four,) = a_completed_class(world, 1, who=[a_person(8_104)])
    mistaken = f"/v1/applications/{collected(world, training).application_id}"
    reviewer.post(f"{mistaken}/decisions", {"verdict": "approve", "voucher_ids": [four]})
    back = {"voucher_ids": [four], "reason": "材料不全", "text": "签到表系伪造"}
    assert reviewer.post(f"{mistaken}/withdrawn-approvals", back)["approved_fen"] == 0
    world.platform.catalogue.rule_sets.add(RuleSet(CITY, 4, date(2021, 1, 1), external_settlement=True), None)
    forget_rules(world)
    training, (three,) = a_completed_class(world, 1, who=[a_person(8_103)])
    elsewhere = collected(world, training)
    result = {
        "voucher_id": three,
        "outcome": "paid",
        "settled_on": f"{local_date(world.now)}",
        "fen": 100,
        "reference": "PZ-1",
    }
    settled = bureau.post(f"/v1/applications/{elsewhere.application_id}/settlements", {"results": [result]})
    assert [one["state"] for one in settled["results"]] == ["paid"]
    assert bureau.get(f"/v1/institutions/{INSTITUTION_ID}/affected?kind=classes")["classes"]
    world.clock.set(first)


def forget_rules(world: World) -> None:
    """As if a minute had gone by for what containers remember of rules."""
    for kept in vars(world.platform.catalogue.rule_sets).values():
        if isinstance(kept, Fresh):
            kept.clear()


def work_on(world: World, batch_id: str) -> None:
    errand = MoneyErrand("batch", batch_id)
    working_off_money.carry_out(world.platform, errand, moment=lambda: world.now, may_go_on=lambda: True)


def app_route(target: str) -> str:
    """The route that serves a path."""
    path = target.partition("?")[0]
    return str(RouteMatcher(list(app.routes)).match_route(path).route)


Callers = tuple[RecordedWorld, Caller, Caller, Caller]


@contextmanager
def calling(engines: dict[str, Engine]) -> Iterator[Callers]:
    """The bureau, a channel, an institution's desk, in a world without chance."""
    endpoint = engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    plain = a_world(environment, SeededChance("the road over HTTP"))
    world = RecordedWorld(**{one.name: getattr(plain, one.name) for one in fields(plain)})
    wiring.use(world.platform)
    yield (
        world,
        a_caller(world, "BUREAU2", Role.MINISTRY, "000000"),
        a_caller(world, "CHANNEL2", Role.CHANNEL, "000000"),
        a_caller(world, "DESK2", Role.INSTITUTION, CITY, INSTITUTION_ID),
    )
    wiring.use(None)
    delete_tables(environment)


@pytest.fixture
def callers(engines: dict[str, Engine]) -> Iterator[Callers]:
    with calling(engines) as them:
        yield them


def a_caller(
    world: RecordedWorld,
    app_key: str,
    role: Role,
    region: str,
    institution_id: str | None = None,
    *,
    duties: tuple[Duty, ...] = (Duty.ADMINISTRATOR, Duty.CLERK),
) -> Caller:
    catalogue, now = world.platform.catalogue, world.now
    sealed = world.platform.keys.sealer.seal(SECRET, secret_context(app_key, "S1"))
    institutions = (institution_id,) if institution_id else ()
    catalogue.clients.add(
        Client(app_key, app_key, role, (region,), institutions, (Secret("S1", sealed, now),), now), None
    )
    if role is Role.CHANNEL:
        return Caller(world, app_key)
    key = OperatorKey(app_key.encode().ljust(32, b"-"))
    operator = Operator(f"OP-{app_key}", "经*", key.public_key, region, institution_id, now, duties=duties)
    catalogue.operators.add(operator, None)
    return Caller(world, app_key, operator_id=operator.operator_id, key=key)


def a_template(
    bureau: Caller, programme_id: str, account_id: str, quantity: int = 50, *, distribution_mode: str = "open"
) -> dict[str, Any]:
    body = {
        "region": CITY,
        "account_id": account_id,
        "quantity": quantity,
        "look": {"title": "深圳市职业培训券", "note": "请在有效期内使用"},
        "business_mode": "foundation",
        "function_mode": "face_value",
        "distribution_mode": distribution_mode,
        "programme_id": programme_id,
        "face_value_fen": 80_000,
        "claim_from": "2021-04-01",
        "claim_until": "2021-06-30",
        "valid_from": "2021-04-01",
        "valid_until": "2021-06-30",
    }
    made: dict[str, Any] = bureau.post("/v1/templates", body, status=201)
    return made


def a_roster(world: World, by: Caller, template_id: str, person: Profile) -> str:
    """Declared, its file put and told of, and worked off as far as nobody's word is needed."""
    lines = ("姓名,证件号码,手机号", f"{person.name},{person.id_number},{person.mobile}", "测试另一人,12345,")
    data = "\r\n".join(lines).encode()
    asked: dict[str, Any] = {"template_id": template_id, "file_name": "第1期 名单.csv", "size": len(data)}
    asked["sha256"] = hashlib.sha256(data).hexdigest()
    roster_id: str = by.post("/v1/rosters", asked, status=201)["roster"]["roster_id"]
    receive(world, put_file(world, declared_key(roster_id), data))
    carry_on(world, roster_id)
    return roster_id


def in_the_classroom(
    world: RecordedWorld,
    bureau: Caller,
    channel: Caller,
    desk: Caller,
    *,
    template_id: str,
    directed_id: str,
    course_id: str,
) -> None:
    """From the used voucher to the class that is finished."""
    place, today = {"institution_id": INSTITUTION_ID, "course_id": course_id}, world.now
    starts_at = today + timedelta(minutes=10)
    room = {"name": "实训楼 301", "latitude": 22.543096, "longitude": 114.057865, "datum": "gcj02"}

    def session(day: int) -> dict[str, Any]:
        begins = starts_at + timedelta(days=day)
        ends = begins + timedelta(hours=3)
        return {"starts_at": to_text(begins), "ends_at": to_text(ends), "place": room, "teacher": "王老师"}

    asked = place | {"name": "电工初级一班", "teacher": "王老师", "capacity": 30}
    opened = desk.post("/v1/classes", asked | {"sessions": [session(day) for day in range(5)]}, status=201)
    class_id, path = opened["class_id"], f"/v1/classes/{opened['class_id']}"
    assert (opened["state"], opened["rules"]["radius"], len(opened["sessions"])) == ("opened", 300, 5)
    renamed = desk.post(path, {"name": "电工初级一班（周末）", "teacher": "赵老师", "capacity": 32})
    assert (renamed["teacher"], renamed["capacity"], renamed["changed_at"]) == ("赵老师", 32, to_text(today))
    with_one_more = desk.post(f"{path}/sessions", {"sessions": [session(5)]})
    assert with_one_more["sessions"][-1]["session_id"] == "S006"
    assert desk.post(f"{path}/sessions/S006", {"teacher": "李老师"})["sessions"][-1]["teacher"] == "李老师"
    assert desk.post(f"{path}/sessions/S006/cancellation", {"reason": "教师生病"})["sessions"][-1]["cancelled"]
    (listed,) = desk.get(f"/v1/institutions/{INSTITUTION_ID}/classes")["items"]
    assert listed["class_id"] == class_id

    people = [a_person(number) for number in (8_001, 8_002)]
    holders, vouchers = [], []
    for person in people:
        jws = world.essc.assertion(
            person, app_key=channel.app_key, purpose="claim", subject=template_id, jti="j-c-123456", now=world.now
        )
        claimed = channel.post("/v1/claims", {"template_id": template_id, "assertion": jws}, status=201)
        jws = world.essc.assertion(
            person, app_key=channel.app_key, purpose="session", subject=None, jti="j-s-123456", now=world.now
        )
        opened = channel.post("/v1/sessions", {"assertion": jws}, key=None)
        holder = Caller(world, channel.app_key, session=opened["session"])
        code = holder.get(f"/v1/vouchers/{claimed['voucher_id']}")["code"]
        desk.post("/v1/redemptions", place | {"code": code}, status=201)
        holders.append(holder)
        vouchers.append((claimed["voucher_id"], code))
    (one, code), (two, _) = vouchers
    enrolled = desk.post(f"{path}/enrolments", {"voucher_ids": [one, two, class_id]})
    assert [told["code"] for told in enrolled["results"]] == [None, None, "voucher_not_found"]

    there = {"latitude": 22.5437, "longitude": 114.0582, "datum": "gcj02", "accuracy": 18.0}
    asked = {"class_id": class_id, "position": there, "device": "device-1-of-app"}
    checked_in = holders[0].post("/v1/check-ins", asked, status=201)
    assert (checked_in["facts"]["result"], checked_in["facts"]["way"]) == ("present", "location")
    far = holders[1].post("/v1/check-ins", asked | {"position": there | {"datum": "wgs84"}}, status=409)
    assert (far["code"], far["facts"]["radius"]) == ("too_far", 300)
    shown = desk.get(f"{path}/code")
    assert shown["session_id"] == "S001"
    by_code = {"class_id": class_id, "class_code": shown["code"], "device": "device-1-of-app"}
    assert holders[1].post("/v1/check-ins", by_code, status=201)["facts"]["way"] == "class_code"
    assert desk.post(f"{path}/check-ins", {"code": code}, status=409)["code"] == "already_checked_in"
    reason = {"voucher_id": two, "session_id": "S002", "reason": "就医"}
    assert desk.post(f"{path}/leaves", reason, status=201)["step"] == "excuse"
    assert desk.post(f"/v1/vouchers/{one}/reversal", {"reason": "扫错了"}, status=409)["code"] == "checked_in_before"
    first, second = bureau.get(f"{path}/enrolments")["items"]
    assert {told["check_ins"][0]["device"] for told in (first, second)} == {first["check_ins"][0]["device"]}
    evening = place | {"name": "电工初级晚班", "teacher": "王老师", "capacity": 30, "sessions": [session(7)]}
    evening_id = desk.post("/v1/classes", evening, status=201)["class_id"]
    change = {"voucher_id": two, "to_class_id": evening_id, "reason": "白天要上班"}
    changed = desk.post(f"{path}/transfers", change)
    assert (changed["left"]["state"], changed["enrolled"]["facts"]["from"]) == ("left", class_id)
    left = desk.post(f"/v1/classes/{evening_id}/enrolments/{two}/leave", {"reason": "个人原因"})
    assert left["state"] == "left"

    for day in range(1, 5):
        world.clock.set(starts_at + timedelta(days=day, minutes=5))
        jws = world.essc.assertion(
            people[0], app_key=channel.app_key, purpose="session", subject=None, jti=f"j-d-12345{day}", now=world.now
        )
        opened = channel.post("/v1/sessions", {"assertion": jws}, key=None)
        holder = Caller(world, channel.app_key, session=opened["session"])
        if day == 1:
            token = holder.get(f"/v1/vouchers/{one}/qr?format=token")["token"]
            assert desk.post(f"{path}/check-ins", {"token": token}, status=201)["facts"]["way"] == "scanned"
        elif day == 2:
            by_hand = {"voucher_id": one, "session_id": "S003", "reason": "手机没电"}
            assert desk.post(f"{path}/check-ins/by-hand", by_hand, status=201)["facts"]["way"] == "by_hand"
        elif day == 3:
            items = [{"voucher_id": one, "session_id": "S004", "at": to_text(world.now)}]
            (told,) = desk.post(f"{path}/check-ins/reported", {"tool": "刷脸考勤机", "items": items})["results"]
            assert told["result"] == "present"
        else:
            holder.post("/v1/check-ins", {"class_id": class_id, "position": there}, status=201)
    assert desk.post(f"{path}/finish", status=409)["code"] == "class_state"
    world.clock.set(starts_at + timedelta(days=4, hours=3))
    assert desk.post(f"{path}/finish")["state"] == "finished"
    assert bureau.get(path)["ended_at"] == to_text(world.now)
    stars = [{"dimension": one, "stars": 5} for one in ("teaching", "content", "place", "service")]
    evaluation = {"class_id": class_id, "ratings": stars, "text": "老师很耐心，但要求退费。"}
    jws = world.essc.assertion(
        people[0], app_key=channel.app_key, purpose="session", subject=None, jti="j-e-123456", now=world.now
    )
    opened = channel.post("/v1/sessions", {"assertion": jws}, key=None)
    holder = Caller(world, channel.app_key, session=opened["session"])
    evaluated = holder.post("/v1/evaluations", evaluation)
    assert (evaluated["held"], evaluated["version"]) == (True, 1)
    heard = bureau.get(f"{path}/evaluations")
    assert (heard["count"], heard["sums"]["teaching"], heard["words"][0]["held"]) == (1, 5, True)
    assert desk.get(f"{path}/evaluations") == {"count": 1, "sums": None, "words": [], "next_cursor": None}
    words_id = heard["words"][0]["words_id"]
    assert bureau.post(f"{path}/evaluations/{words_id}/release")["held"] is False
    assert desk.post(f"{path}/enrolments/{one}/rating", {"rating": 5, "remark": "认真"})["step"] == "rate"
    for paper, form in (("attendance", "pdf"), ("attendance", "xlsx"), ("roster", "pdf"), ("roster", "xlsx")):
        assert f"{paper}.{form}" in desk.get(f"{path}/papers?paper={paper}&format={form}")["url"]
    _money(world, desk, class_id, one)
    states = {told["voucher_id"]: told["state"] for told in bureau.get(f"{path}/enrolments")["items"]}
    assert states == {one: "completed", two: "left"}
    world.clock.set(today)
    again = place | {"name": "电工初级二班", "teacher": "王老师", "capacity": 30, "sessions": [session(9)]}
    second_id = desk.post("/v1/classes", again, status=201)["class_id"]
    listed = a_person(8_003)
    roster_id = a_roster(world, desk, directed_id, listed)
    bureau.post(f"/v1/rosters/{roster_id}/acceptance")
    carry_on(world, roster_id)
    jws = world.essc.assertion(
        listed, app_key=channel.app_key, purpose="claim", subject=directed_id, jti="j-f-123456", now=world.now
    )
    claimed = channel.post("/v1/claims", {"template_id": directed_id, "assertion": jws}, status=201)
    desk.post("/v1/redemptions", place | {"code": world.code(listed, claimed["voucher_id"])}, status=201)
    by_roster = desk.post(f"/v1/classes/{second_id}/enrolments/by-roster", {"roster_id": roster_id, "after": 0})
    assert [(row["number"], row["code"]) for row in by_roster["results"]] == [(2, None)]
    assert (by_roster["enrolled"], by_roster["next"]) == (1, None)
    assert desk.post(f"/v1/classes/{second_id}/cancellation", {"reason": "人数不足"})["state"] == "cancelled"


def test_the_road(callers: Callers) -> None:
    world, bureau, channel, desk = callers

    # --- catalogue ---
    assert bureau.get("/v1/time")["now"].endswith("Z")
    assert bureau.get("/v1/keys")["keys"]
    assert bureau.get("/v1/openapi.json")["openapi"] == "3.1.0"
    assert [region["code"] for region in bureau.get("/v1/regions?parent=440000")["items"]] == ["440100", CITY]
    assert bureau.get(f"/v1/regions/{CITY}")["name_zh"] == "深圳市"
    assert bureau.get(f"/v1/regions/{CITY}/rules")["version"] == 0
    rules = {
        "effective_from": "2021-05-01",
        "caps": [{"rule": "three_a_year", "window": "year", "by": "all", "limit": 3}],
        "help_line": "0755-12333",
        "held_words": ["退费"],
        "roster_columns": [
            {"name": "name", "aliases": ["劳动者姓名"]},
            {"name": "street", "title": "街道", "title_en": "Street", "explanation": "户籍所在街道。"},
        ],
    }
    assert bureau.post(f"/v1/regions/{CITY}/rules", rules, status=201)["version"] == 1
    in_force = bureau.get(f"/v1/regions/{CITY}/rules")
    assert (in_force["caps"][0]["limit"], in_force["check_in_radius"]) == (3, 300)
    assert in_force["decided_by"] == dict.fromkeys(("caps", "help_line", "held_words", "roster_columns"), CITY)
    waits = {"effective_from": "2021-12-31", "caps": rules["caps"], "one_at_a_time": True}
    preview = bureau.post(f"/v1/regions/{CITY}/rules/preview", waits, key=None)
    assert {one["rule"]: one["after"] for one in preview["changes"]} == {
        "one_at_a_time": True,
        "help_line": "12333",
        "held_words": [],
        "roster_columns": [],
    }
    assert bureau.post(f"/v1/regions/{CITY}/rules", waits, status=201)["version"] == 2
    assert bureau.post(f"/v1/regions/{CITY}/rules/withdrawal", {"version": 2})["withdrawn_at"]
    assert bureau.post(f"/v1/regions/{CITY}/rules/withdrawal", {"version": 1}, status=409)["code"] == "rules_in_force"
    assert [one["version"] for one in bureau.get(f"/v1/regions/{CITY}/rule-sets")["items"]] == [2, 1]

    # --- who is eligible ---
    veteran = a_person(3)
    listed = {"name": veteran.name, "id_number": veteran.id_number, "group": "veteran", "until": "2021-12-31"}
    assert bureau.post(f"/v1/regions/{CITY}/eligible-people", listed)["groups"]["veteran"]["until"] == "2021-12-31"
    search = f"/v1/regions/{CITY}/eligible-people/search"
    assert "veteran" in bureau.post(search, {"id_number": veteran.id_number}, key=None)["groups"]
    gone = {"id_number": veteran.id_number, "group": "veteran"}
    assert bureau.post(f"/v1/regions/{CITY}/eligible-people/removal", gone)["groups"] == {}
    assert bureau.post(search, {"id_number": veteran.id_number}, key=None, status=404)["code"] == "not_enlisted"

    service = f"/v1/regions/{CITY}/eligibility-service"
    assert bureau.get(service, 404)["code"] == "eligibility_service_not_found"
    decided = bureau.post(service, {"url": eligibility.URL, "remember_seconds": 0})
    eligibility.sample_server().trust(decided["key_id"], decided["secret"])
    assert bureau.get(service)["secrets"][0]["key_id"] == decided["key_id"]
    nobody = a_person(4)
    tried = {"name": nobody.name, "id_type": nobody.id_type, "id_number": nobody.id_number}
    assert bureau.post(f"{service}/trial", tried, key=None)["eligible"]
    assert bureau.post(f"{service}/rotation", {"starts_in_seconds": 3600})["key_id"] != decided["key_id"]
    assert bureau.post(f"{service}/disable")["disabled_at"]
    assert bureau.post(f"{service}/rotation", status=409, body={})["code"] == "eligibility_service_disabled"

    programme = {
        "region": CITY,
        "name_zh": "电工",
        "name_en": "Electrician",
        "programme_type": "enterprise_staff",
        "standard_fen": 100_000,
        "occupation": "6-31-01-03",
        "level": 5,
    }
    programme_id = bureau.post("/v1/programmes", programme, status=201)["programme_id"]
    assert bureau.get(f"/v1/programmes?region={CITY}")["items"][0]["programme_id"] == programme_id
    assert bureau.get(f"/v1/programmes/{programme_id}")["level"] == 5

    school = {
        "institution_id": "91110000600037341L",
        "region": CITY,
        "name_zh": "学校",
        "name_en": "School",
        "kind": "school",
        "coordinates": {"latitude": "22.543096", "longitude": "114.057865", "datum": "wgs84"},
    }
    bureau.post("/v1/institutions", school, status=201)
    assert "91110000600037341L" in [
        one["institution_id"] for one in bureau.get(f"/v1/institutions?region={CITY}")["items"]
    ]
    assert bureau.get("/v1/institutions/91110000600037341L")["coordinates"] == school["coordinates"]
    steps = "/v1/institutions/91110000600037341L"
    why = {"reason": "年度评估"}
    assert bureau.post(f"{steps}/suspend")["admission"] == "suspended"
    assert bureau.post(f"{steps}/readmit")["admission"] == "admitted"
    assert bureau.post(f"{steps}/withdraw", why)["admission"] == "withdrawn"
    assert bureau.post(f"{steps}/readmit", status=409)["code"] == "admission_step"
    assert bureau.post(f"{steps}/reapply", {"reason": "整改完成"})["admission"] == "candidate"
    assert [act["reason"] for act in bureau.post(f"{steps}/admit", why)["acts"]] == [
        None,
        None,
        "年度评估",
        "整改完成",
        "年度评估",
    ]
    swapped = school | {"coordinates": {"latitude": "114.057865", "longitude": "22.543096", "datum": "wgs84"}}
    assert bureau.post("/v1/institutions", swapped, status=400)["errors"][0]["pointer"] == "/coordinates"

    course = {
        "programme_id": programme_id,
        "institution_id": INSTITUTION_ID,
        "name_zh": "电工（初级）",
        "name_en": "Electrician (junior)",
        "hours": 40,
    }
    course_id = bureau.post("/v1/courses", course, status=201)["course_id"]
    assert bureau.get(f"/v1/courses/{course_id}")["hours"] == 40
    assert course_id in [
        one["course_id"] for one in bureau.get(f"/v1/courses?institution_id={INSTITUTION_ID}")["items"]
    ]

    # --- staff and terminals ---
    staff = f"/v1/institutions/{INSTITUTION_ID}/staff"
    scanner = a_person(4)
    member = {"name": scanner.name, "id_type": scanner.id_type, "id_number": scanner.id_number}
    staff_id = desk.post(staff, member, status=201)["staff_id"]
    assert bureau.post(staff, member, status=409)["facts"] == {"what": staff_id}
    assert [one["staff_id"] for one in desk.get(staff)["items"]] == [staff_id]
    assert bureau.get(f"{staff}/{staff_id}")["name"] == mask_name(scanner.name)
    assert desk.post(f"{staff}/{staff_id}/disable")["disabled_at"]
    assert desk.post(f"{staff}/{staff_id}/enable")["disabled_at"] is None
    terminals = f"/v1/institutions/{INSTITUTION_ID}/terminals"
    card_terminal = DemoTerminal(b"t" * 32)
    installed = {"name": "一号窗口", "public_key": card_terminal.public_key}
    assert desk.post(terminals, installed, status=403)["code"] == "forbidden"
    terminal_id = bureau.post(terminals, installed, status=201)["terminal_id"]
    assert [one["terminal_id"] for one in desk.get(terminals)["items"]] == [terminal_id]

    # --- access ---
    granted = bureau.post("/v1/clients", {"name": "渠道", "role": "channel", "regions": [CITY]}, status=201)
    app_key = granted["client"]["app_key"]
    newcomer = Caller(world, app_key, granted["secret"])
    assert newcomer.get(f"/v1/regions/{CITY}")
    rotated = bureau.post(f"/v1/clients/{app_key}/secrets", {"overlap_seconds": 60}, status=201)
    assert rotated["secret"] != granted["secret"]
    assert len(bureau.get(f"/v1/clients/{app_key}")["secrets"]) == 2
    assert app_key in [one["app_key"] for one in bureau.get(f"/v1/clients?region={CITY}")["items"]]
    assert bureau.post(f"/v1/clients/{app_key}/pace", {"requests_per_second": 1200})["requests_per_second"] == 1200
    assert bureau.post(f"/v1/clients/{app_key}/disable")["disabled_at"]
    person = {"name": "李四", "public_key": OperatorKey(b"o" * 32).public_key, "region": CITY}
    operator_id = bureau.post("/v1/operators", person, status=201)["operator_id"]
    assert bureau.get(f"/v1/operators/{operator_id}")["name"] == "李*"
    assert bureau.get(f"/v1/operators?region={CITY}")["items"]
    assert bureau.post(f"/v1/operators/{operator_id}/disable")["disabled_at"]
    key = {"kid": "essc-2", "public_key": OperatorKey(b"e" * 32).public_key}
    bureau.post("/v1/assertion-keys", key, status=201)
    assert "essc-2" in [one["kid"] for one in bureau.get("/v1/assertion-keys")["items"]]
    assert bureau.post("/v1/assertion-keys/essc-2/disable")["disabled_at"]

    # --- money ---
    account = bureau.post("/v1/accounts", {"region": CITY, "year": 2022, "budget_fen": 10_000_000}, status=201)
    account_id = account["account_id"]
    assert account["free_fen"] == 10_000_000
    cut = bureau.post(f"/v1/accounts/{account_id}/budget", {"amount_fen": -1_000_000, "note": "调剂"})
    assert cut["budget_fen"] == 9_000_000
    refused = bureau.post(f"/v1/accounts/{account_id}/budget", {"amount_fen": -9_000_001, "note": "x"}, status=409)
    assert refused["facts"] == {"needed_fen": 9_000_001, "free_fen": 9_000_000}
    assert refused["help_line"] == "0755-12333" or refused["help_line"] == "12333"

    other_city = bureau.post("/v1/accounts", {"region": "440100", "year": 2022, "budget_fen": 500_000}, status=201)
    move = {"giver": other_city["account_id"], "receiver": account_id, "amount_fen": 1_000, "reason": "年中调剂"}
    too_much = bureau.post("/v1/budget-transfers", move | {"amount_fen": 500_001}, status=409)
    assert too_much["code"] == "budget_exceeded"
    transfer = bureau.post("/v1/budget-transfers", move, status=201)
    assert (transfer["state"], transfer["province"]) == ("proposed", "440000")
    confirmation = f"/v1/budget-transfers/{transfer['transfer_id']}/confirm"
    assert bureau.post(confirmation, status=403)["code"] == "same_operator"
    pays = OperatorKey(b"f" * 32)
    officer = {"name": "王五", "public_key": pays.public_key, "region": "440000", "duties": ["finance"]}
    finance = replace(bureau, operator_id=bureau.post("/v1/operators", officer, status=201)["operator_id"], key=pays)
    moved = finance.post(confirmation)
    assert moved["state"] == "confirmed"
    assert bureau.get(f"/v1/budget-transfers/{transfer['transfer_id']}") == moved
    assert finance.post(confirmation, status=409)["code"] == "budget_transfer_state"
    assert bureau.get(f"/v1/accounts/{account_id}")["free_fen"] == 9_001_000
    back = move | {"giver": account_id, "receiver": other_city["account_id"], "reason": "退回调剂"}
    returned = finance.post("/v1/budget-transfers", back, status=201)["transfer_id"]
    assert bureau.post(f"/v1/budget-transfers/{returned}/decline", {"reason": "留用"})["state"] == "refused"
    assert len(bureau.get("/v1/budget-transfers?region=440000")["items"]) == 2
    bureau.post(f"/v1/accounts/{account_id}/budget", {"amount_fen": -1_000, "note": "收回"})
    assert bureau.post(f"/v1/accounts/{account_id}/carry-over", status=409)["code"] == "year_not_over"
    past = bureau.post("/v1/accounts", {"region": CITY, "year": 2019, "budget_fen": 7_000}, status=201)["account_id"]
    carried = bureau.post(f"/v1/accounts/{past}/carry-over")
    assert (carried["carried_fen"], carried["next_account"]["account_id"]) == (7_000, f"{CITY}-2020")
    month = f"/v1/accounts/{account_id}/statements/2021-05"
    statement = bureau.get(month)
    assert (statement["file"], statement["complete"], statement["closing"]["free_fen"]) == (None, False, 9_000_000)
    assert [one["kind"] for one in statement["movements"]] == ["budget", "transfer"]
    for form in ("csv", "pdf", "xlsx"):
        assert f"-2021-05.{form}" in bureau.get(f"{month}?format={form}")["file"]["url"]
    assert bureau.get(f"/v1/accounts/{account_id}/statements/2021-04", status=404)["code"] == "statement_not_found"

    # --- template ---
    template_id = a_template(bureau, programme_id, account_id)["template_id"]
    channel.get(f"/v1/templates/{template_id}", status=404)
    published = bureau.post(f"/v1/templates/{template_id}/publish", key="publish-1")
    assert published["state"] == "published"
    assert bureau.post(f"/v1/templates/{template_id}/publish", key="publish-1") == published
    assert bureau.post(f"/v1/templates/{template_id}/suspend")["state"] == "suspended"
    assert bureau.post(f"/v1/templates/{template_id}/resume")["state"] == "published"
    assert bureau.post(f"/v1/templates/{template_id}/additions", {"quantity": 10})["quantity"] == 60
    longer = {"valid_until": "2021-07-31", "reason": "台风停课，有效期顺延"}
    amended = bureau.post(f"/v1/templates/{template_id}/amendments", longer, status=201)
    assert (amended["number"], amended["terms_version"], amended["moved"]) == (1, 2, 0)
    shorter = bureau.post(f"/v1/templates/{template_id}/amendments", longer | {"valid_until": "2021-07-01"}, status=409)
    assert shorter["code"] == "not_in_favour"
    assert bureau.get(f"/v1/templates/{template_id}/amendments")["items"] == [amended]
    assert bureau.get(f"/v1/templates/{template_id}/amendments/1") == amended
    assert bureau.get(f"/v1/templates/{template_id}")["terms"]["valid_until"] == "2021-07-31"
    stock = bureau.get(f"/v1/templates/{template_id}")["stock"]
    assert (stock["remaining"], stock["reserved_fen"]) == (60, 60 * 80_000)
    assert channel.get(f"/v1/templates/{template_id}")["stock"] is None
    assert bureau.get(f"/v1/templates?region={CITY}")["items"][0]["account_id"] == account_id
    (offer,) = channel.get(f"/v1/templates?region={CITY}")["items"]
    assert (offer["left"], offer["terms"]["face_value_fen"]) == ("few", 80_000)
    assert not {"account_id", "quantity", "stock"} & offer.keys()
    assert sum(one["remaining"] for one in bureau.get(f"/v1/templates/{template_id}/shards")["items"]) == 60
    kinds = [one["kind"] for one in bureau.get(f"/v1/accounts/{account_id}/postings")["items"]]
    assert kinds == ["budget", "budget", "transfer", "budget", "reserve", "reserve"]
    assert bureau.get(f"/v1/accounts/{account_id}")["reserved_fen"] == 60 * 80_000
    assert account_id in [one["account_id"] for one in bureau.get(f"/v1/accounts?region={CITY}")["items"]]

    # --- claim ---
    worker = a_person(1)

    def assertion(purpose: str, subject: str | None = None, *, caller: Caller = channel) -> str:
        return world.essc.assertion(
            worker, app_key=caller.app_key, purpose=purpose, subject=subject, jti="j-1234567", now=world.now
        )

    look = {"region": CITY, "assertion": assertion("claimable", CITY)}
    (offer,) = channel.post("/v1/claimable", look, key=None)["items"]
    assert (offer["template"]["template_id"], offer["claimable"], offer["refusal"]) == (template_id, True, None)
    asked = {"template_id": template_id, "assertion": assertion("claim", template_id), "entrance": "card"}
    claimed = channel.post("/v1/claims", asked, status=201, key="claim-1")
    assert channel.post("/v1/claims", asked, status=201, key="claim-1") == claimed
    assert channel.post("/v1/claims", asked, status=409)["code"] == "already_claimed"
    voucher_id = claimed["voucher_id"]
    assert (claimed["step"], claimed["state"], claimed["version"]) == ("claim", "claimed", 1)
    (offer,) = channel.post("/v1/claimable", look, key=None)["items"]
    assert (offer["claimable"], offer["refusal"]["code"]) == (False, "already_claimed")
    assert offer["refusal"]["facts"]["voucher_id"] == voucher_id

    # --- the holder ---
    opened = channel.post("/v1/sessions", {"assertion": assertion("session")}, key=None)
    holder = Caller(world, channel.app_key, session=opened["session"])
    (card,) = holder.get("/v1/wallet")["items"]
    assert card["voucher_id"] == voucher_id
    assert "code" not in card
    code = holder.get(f"/v1/vouchers/{voucher_id}")["code"]
    assert bureau.get(f"/v1/vouchers/{voucher_id}")["code"] is None
    desk.get(f"/v1/vouchers/{voucher_id}", status=404)
    token = holder.get(f"/v1/vouchers/{voucher_id}/qr?format=token")["token"]
    assert holder.get(f"/v1/vouchers/{voucher_id}/qr").startswith("<svg")
    assert holder.get(f"/v1/vouchers/{voucher_id}/qr?format=png")["png"].startswith("data:image/png;base64,")

    # --- the desk ---
    place = {"institution_id": INSTITUTION_ID, "course_id": course_id}
    assert desk.post("/v1/verifications", place | {"token": token}, key=None)["usable"] is True
    assert desk.post("/v1/verifications", place | {"token": token, "code": code}, status=400, key=None)["errors"]
    used = desk.post("/v1/redemptions", place | {"token": token}, status=201, key="redeem-1")
    assert desk.post("/v1/redemptions", place | {"token": token}, status=201, key="redeem-1") == used
    assert used["state"] == "redeemed"
    twice = desk.post("/v1/redemptions", place | {"code": code}, status=409)
    assert (twice["code"], twice["facts"]["institution_id"]) == ("already_redeemed", INSTITUTION_ID)
    told = desk.post("/v1/verifications", place | {"code": code}, key=None)
    assert (told["usable"], told["refusal"]["code"]) == (False, "already_redeemed")
    assert "深圳测试培训学校" in told["refusal"]["detail"]
    assert desk.get(f"/v1/vouchers/{voucher_id}")["redemption"]["course_id"] == course_id
    assert desk.post(f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"})["state"] == "claimed"
    online = place | {"assertion": assertion("redeem", template_id, caller=desk), "template_id": template_id}
    assert desk.post("/v1/redemptions", online, status=201)["facts"]["proof"] == "assertion"
    assert desk.post(f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"})["version"] == 5

    # --- somebody of its staff, through the channel; and a card on its terminal ---
    def scans() -> str:
        return world.essc.assertion(
            scanner,
            app_key=channel.app_key,
            purpose="staff",
            subject=INSTITUTION_ID,
            jti="j-scan-12345",
            now=world.now,
        )

    token = holder.get(f"/v1/vouchers/{voucher_id}/qr?format=token")["token"]
    channel.post("/v1/redemptions", place | {"token": token}, status=403)
    scanned = place | {"token": token, "staff_assertion": scans()}
    assert channel.post("/v1/verifications", scanned, key=None)["usable"] is True
    assert channel.post("/v1/redemptions", scanned, status=201)["facts"]["proof"] == "token"
    mistake = {"reason": "扫错了", "staff_assertion": scans()}
    assert channel.post(f"/v1/vouchers/{voucher_id}/reversal", mistake)["version"] == 7

    def on_the_terminal(purpose: str) -> str:
        return card_terminal.card_read(
            terminal_id,
            worker,
            card_number="A1234567X",
            app_key=desk.app_key,
            purpose=purpose,
            subject=template_id,
            jti="j-card-12345",
            now=world.now,
        )

    by_card = {"template_id": template_id, "card_read": on_the_terminal("redeem")}
    assert desk.post("/v1/verifications", place | by_card, key=None)["usable"] is True
    used = desk.post("/v1/redemptions", place | by_card, status=201)["facts"]
    assert (used["proof"], used["terminal"]) == ("card", terminal_id)
    assert desk.post(f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"})["version"] == 9
    claim_by_card = {"template_id": template_id, "card_read": on_the_terminal("claim")}
    assert desk.post("/v1/claims", claim_by_card, status=409)["code"] == "already_claimed"
    assert bureau.post(f"{terminals}/{terminal_id}/disable")["disabled_at"]
    assert desk.post("/v1/claims", claim_by_card, status=401)["code"] == "card_read_not_accepted"
    entries = holder.get(f"/v1/vouchers/{voucher_id}/history")["entries"]
    operators = [json.loads(one["text"])["operator"] for one in entries]
    assert operators[5:7] == [staff_id, staff_id]
    returned = holder.post(f"/v1/vouchers/{voucher_id}/return", {}, key="return-1")
    assert returned == holder.post(f"/v1/vouchers/{voucher_id}/return", key="return-1")
    assert returned["state"] == "returned"
    story = holder.get(f"/v1/vouchers/{voucher_id}/history")
    assert [entry["step"] for entry in story["entries"]] == [
        "claim",
        *("redeem", "reverse") * 4,
        "give_back",
    ]
    assert holder.get(f"/v1/vouchers/{voucher_id}")["code"] is None

    # --- a relative acts ---
    worker, relative = a_person(15), a_person(16)
    theirs = world.essc.assertion(
        relative, app_key=channel.app_key, purpose="proxy", subject=template_id, jti="j-proxy-1", now=world.now
    )
    asked = {"template_id": template_id, "assertion": assertion("claim", template_id)}
    for_them = channel.post("/v1/claims", asked | {"proxy": {"assertion": theirs, "kin": "child"}}, status=201)
    relation_id = for_them["facts"]["proxy"]
    jws = world.essc.assertion(
        relative, app_key=channel.app_key, purpose="session", subject=None, jti="j-proxy-2", now=world.now
    )
    opened = channel.post("/v1/sessions", {"assertion": jws, "relation_id": relation_id}, key=None)
    acting = Caller(world, channel.app_key, session=opened["session"])
    assert acting.get("/v1/wallet")["items"][0]["voucher_id"] == for_them["voucher_id"]
    acting.get("/v1/relations", status=403)
    opened = channel.post("/v1/sessions", {"assertion": assertion("session")}, key=None)
    holder = Caller(world, channel.app_key, session=opened["session"])
    (relation,) = holder.get("/v1/relations")["items"]
    assert (relation["relation_id"], relation["kin"]) == (relation_id, "child")
    assert holder.post(f"/v1/relations/{relation_id}/revocation")["revoked_by"] == "person"

    # --- the end ---
    worker = a_person(2)
    asked = {"template_id": template_id, "assertion": assertion("claim", template_id)}
    other_id = channel.post("/v1/claims", asked, status=201)["voucher_id"]
    assert bureau.post(f"/v1/vouchers/{other_id}/revocation", {"reason": "资格有误"})["state"] == "revoked"
    assert bureau.post(f"/v1/templates/{template_id}/close")["state"] == "closed"
    stock = bureau.get(f"/v1/templates/{template_id}")["stock"]
    assert (stock["remaining"], stock["released"], stock["made"]) == (0, 57, 3)
    assert (stock["reserved_fen"], stock["to_release_fen"]) == (80_000, 59 * 80_000)

    # --- a directed voucher ---
    worker = a_person(6_001)
    named = {
        "name": worker.name,
        "id_type": worker.id_type,
        "id_number": worker.id_number,
        "mobile": worker.mobile,
    }
    directed_id = a_template(bureau, programme_id, account_id, 2, distribution_mode="directed")["template_id"]
    bureau.post(f"/v1/templates/{directed_id}/publish")
    issued = bureau.post(f"/v1/templates/{directed_id}/vouchers", named, status=201)
    assert (issued["state"], issued["facts"]["claim_until"]) == ("issued", "2021-06-30")
    again = bureau.post(f"/v1/templates/{directed_id}/vouchers", named, status=409)
    assert (again["code"], again["facts"]["voucher_id"]) == ("already_claimed", issued["voucher_id"])
    asked = {"template_id": directed_id, "assertion": assertion("claim", directed_id)}
    themself, worker = worker, replace(worker, name="测试另名")
    other_name = {"template_id": directed_id, "assertion": assertion("claim", directed_id)}
    assert channel.post("/v1/claims", other_name, status=409)["code"] == "name_differs"
    (held,) = bureau.get(f"/v1/name-differences?region={CITY}")["items"]
    assert (held["voucher_id"], held["asserted_name"]) == (issued["voucher_id"], "测***")
    worker = themself
    assert channel.post("/v1/claims", asked, status=201)["voucher_id"] == issued["voucher_id"]
    assert bureau.get(f"/v1/name-differences?region={CITY}")["items"] == []
    worker = a_person(6_002)
    asked = {"template_id": directed_id, "assertion": assertion("claim", directed_id)}
    assert channel.post("/v1/claims", asked, status=409)["code"] == "directed_only"

    # --- rosters: the bureau's own, and an institution's ---
    roster_id = a_roster(world, bureau, directed_id, worker)
    roster = bureau.get(f"/v1/rosters/{roster_id}")
    assert (roster["state"], roster["counts"]["issued"], roster["per_cent"]) == ("finished", 1, 100)
    (chunk,) = bureau.get(f"/v1/rosters/{roster_id}/rows")["items"]
    assert [(row["number"], row["verdict"], row["code"]) for row in chunk["rows"]] == [
        (2, "issued", None),
        (3, "refused", "length"),
    ]
    assert bureau.get("/v1/rosters/template")["url"].endswith("2026.1.xlsx")
    assert "2026.1-" in bureau.get(f"/v1/rosters/template?region={CITY}")["url"]
    assert roster_id in bureau.get(f"/v1/rosters/{roster_id}/result")["url"]
    withdrawn = bureau.post(f"/v1/rosters/{roster_id}/withdrawal", {"reason": "放错了模板"})
    assert withdrawn["state"] == "withdrawing"
    assert bureau.get(f"/v1/rosters/{roster_id}/result", status=409)["code"] == "result_not_ready"
    carry_on(world, roster_id)
    (chunk,) = bureau.get(f"/v1/rosters/{roster_id}/withdrawn")["items"]
    assert [(row["revoked"], row["state"]) for row in chunk["rows"]] == [(True, "revoked")]
    submitted = [a_roster(world, desk, directed_id, a_person(n)) for n in (6_011, 6_012, 6_013)]
    assert bureau.post(f"/v1/rosters/{submitted[0]}/acceptance")["state"] == "accepted"
    assert bureau.post(f"/v1/rosters/{submitted[1]}/return", {"reason": "缺少盖章"})["state"] == "returned"
    assert desk.post(f"/v1/rosters/{submitted[2]}/cancellation", {"reason": "重新上报"})["state"] == "cancelled"
    again = bureau.post(f"/v1/rosters/{submitted[1]}/acceptance", status=409)
    assert (again["code"], again["facts"]) == ("roster_state_refused", {"state": "returned"})
    assert bureau.get("/v1/rosters/NOSUCHROSTER", status=404)["code"] == "roster_not_found"
    listed = desk.get(f"/v1/rosters?of={INSTITUTION_ID}")["items"]
    assert [one["roster_id"] for one in listed] == sorted(submitted)

    # --- the person, as an authority sees them ---
    worker = a_person(3)
    template_id = a_template(bureau, programme_id, account_id)["template_id"]
    bureau.post(f"/v1/templates/{template_id}/publish")
    asked = {"template_id": template_id, "assertion": assertion("claim", template_id)}
    voucher_id = channel.post("/v1/claims", asked, status=201)["voucher_id"]
    number = {"id_type": worker.id_type, "id_number": worker.id_number}
    found = bureau.post("/v1/people/search", number, key=None)
    assert found == bureau.post("/v1/people/search", {"voucher_id": voucher_id}, key=None)
    assert (found["name"], found["vouchers"]) == (mask_name(worker.name), 1)
    person_id = found["person_id"]
    why = {"reason": "核对花名册"}
    seen = bureau.post(f"/v1/people/{person_id}/disclosure", why, status=201, key="see-1")
    assert (seen["id_number"], seen["mobile"]) == (worker.id_number, worker.mobile)
    assert bureau.post(f"/v1/people/{person_id}/disclosure", why, status=201, key="see-1") == seen
    (trace,) = bureau.get("/v1/disclosures?region=000000")["items"]
    assert trace == {name: seen[name] for name in trace}

    flag = {"flag": "ineligible", "set": True, "reason": "已办理退休", "until": "2021-12-31"}
    assert bureau.post(f"/v1/people/{person_id}/flags", flag)["kind"] == "flag_set"
    assert bureau.post("/v1/people/search", number, key=None)["flags"][0]["until"] == "2021-12-31"
    code = world.code(worker, voucher_id)
    refused = desk.post("/v1/verifications", place | {"code": code}, key=None)["refusal"]
    assert (refused["code"], refused["facts"]) == ("person_flagged", {"flag": "ineligible"})
    assert desk.post("/v1/redemptions", place | {"code": code}, status=409)["code"] == "person_flagged"
    away = {"flag": "ineligible", "set": False, "reason": "核实有误"}
    assert bureau.post(f"/v1/people/{person_id}/flags", away)["kind"] == "flag_cleared"
    assert bureau.post(f"/v1/people/{person_id}/flags", away, status=409)["code"] == "flag_not_set"
    assert desk.post("/v1/verifications", place | {"code": code}, key=None)["usable"]
    right = {"name": "测试更名", "mobile": "139 0000 0003", "reason": "公安部门已更名"}
    corrected = bureau.post(f"/v1/people/{person_id}/corrections", right)
    assert corrected["facts"]["mobile_before"] == mask_mobile(worker.mobile or "")
    other = a_person(4)
    more = {"id_type": other.id_type, "id_number": other.id_number, "reason": "曾用号码"}
    assert bureau.post(f"/v1/people/{person_id}/numbers", more)["kind"] == "number"
    assert bureau.post(f"/v1/people/{person_id}/numbers", more, status=409)["code"] == "number_known"
    number = {"id_type": other.id_type, "id_number": other.id_number}
    assert bureau.post("/v1/people/search", number, key=None)["person_id"] == person_id
    assert desk.post("/v1/verifications", place | {"code": code}, key=None)["holder"] == mask_name("测试更名")
    assert [one["kind"] for one in bureau.get(f"/v1/people/{person_id}/records")["items"]] == [
        "flag_set",
        "flag_cleared",
        "correction",
        "number",
    ]

    # --- two records of one person ---
    worker = a_person(5_003)
    asked = {"template_id": template_id, "assertion": assertion("claim", template_id)}
    twin_voucher = channel.post("/v1/claims", asked, status=201)["voucher_id"]
    twin = bureau.post("/v1/people/search", {"voucher_id": twin_voucher}, key=None)["person_id"]
    taken = {"id_type": worker.id_type, "id_number": worker.id_number, "reason": "曾用号码"}
    refused = bureau.post(f"/v1/people/{person_id}/numbers", taken, status=409)
    assert (refused["code"], refused["facts"]) == ("number_taken", {"person_id": twin})
    merge = {"survivor": person_id, "other": twin, "reason": "同一人两个号码"}
    assert bureau.post("/v1/merges", merge, status=409)["code"] == "both_hold"
    bureau.post(f"/v1/vouchers/{twin_voucher}/revocation", {"reason": "重复领取"})
    merge_id = bureau.post("/v1/merges", merge, status=201)["merge_id"]
    assert bureau.post(f"/v1/merges/{merge_id}/confirm", status=403)["code"] == "same_operator"
    checks = OperatorKey(b"r" * 32)
    reviewer = {"name": "李四", "public_key": checks.public_key, "region": CITY, "duties": ["reviewer"]}
    reviewer_id = bureau.post("/v1/operators", reviewer, status=201)["operator_id"]
    checker = replace(bureau, operator_id=reviewer_id, key=checks)
    assert checker.post("/v1/programmes", programme, status=403)["code"] == "duty_required"
    assert checker.post(f"/v1/merges/{merge_id}/confirm", status=404)["code"] == "merge_not_found"  # of the nation
    reviewer |= {"public_key": OperatorKey(b"s" * 32).public_key, "region": "000000"}
    reviewer_id = bureau.post("/v1/operators", reviewer, status=201)["operator_id"]
    checker = replace(bureau, operator_id=reviewer_id, key=OperatorKey(b"s" * 32))
    assert checker.post(f"/v1/merges/{merge_id}/confirm")["state"] == "confirmed"
    assert bureau.get(f"/v1/merges/{merge_id}")["both_have"] == [template_id]
    assert [one["merge_id"] for one in bureau.get("/v1/merges?region=000000")["items"]] == [merge_id]
    assert bureau.post("/v1/people/search", taken | {"reason": ""}, status=400, key=None)
    number = {"id_type": worker.id_type, "id_number": worker.id_number}
    found = bureau.post("/v1/people/search", number, key=None)
    assert (found["person_id"], found["also"], found["vouchers"]) == (person_id, [twin], 2)
    assert bureau.post(f"/v1/people/{twin}/flags", flag, status=409)["code"] == "record_merged"
    assert bureau.post("/v1/merges", merge, status=409)["code"] == "records_linked"
    assert bureau.post(f"/v1/merges/{merge_id}/confirm", status=409)["code"] == "merge_state"
    assert bureau.post(f"/v1/merges/{merge_id}/undo", {"reason": "不是同一人"})["state"] == "undone"

    bureau.post(f"/v1/accounts/{account_id}/budget", {"amount_fen": 240_000, "note": "追加"})
    taught_id = a_template(bureau, programme_id, account_id, 2)["template_id"]
    listed_id = a_template(bureau, programme_id, account_id, 1, distribution_mode="directed")["template_id"]
    for template_id in (taught_id, listed_id):
        bureau.post(f"/v1/templates/{template_id}/publish")
    in_the_classroom(world, bureau, channel, desk, template_id=taught_id, directed_id=listed_id, course_id=course_id)

    _paid(world, desk, bureau, channel)

    # --- what was said ---
    assert {one.label for one in OPERATIONS} - world.examples.keys() == {"GET /v1/openapi.json"}
    text = json.dumps(world.examples, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    if os.environ.get("RECORD_EXAMPLES"):
        openapi.EXAMPLES.write_text(text, encoding="utf-8")
    assert openapi.EXAMPLES.read_text(encoding="utf-8") == text, "RECORD_EXAMPLES=1 records them anew"
