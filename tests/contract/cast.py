"""Everybody and everything that a request of each operation needs, on a deployed stack: who asks, with which ids.

``good`` makes a request that must succeed, each time on something made for it alone: whatever is disabled, closed or
drained by the contract test is nobody's but the request's.
"""

import hashlib
import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest
from requests.auth import AuthBase
from stdnum.cn import uscc

from chalicelib.api import signing
from chalicelib.domain import calendar
from chalicelib.domain.application import MoneyErrand
from chalicelib.domain.identifiers import InvalidIdentifier, parse_uscc
from chalicelib.domain.roster import RosterErrand
from tools.api_client import ApiClient, Operator
from tools.demo_stage import DemoStage, new_operator_key
from tools.eligibility_server import EligibilityServer
from tools.local_stack import session
from tools.people import invented_person
from tools.roster_files import clean_roster

PROVINCE, CITY = "440000", "440100"
CITIES = [f"44{number:02}00" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18)]
BUDGET = 10**12


class Signer(AuthBase):
    """Signs whatever is about to be sent, however odd, as the client says that it should be."""

    def __init__(self, client: ApiClient, session: str = "", secret: str = "") -> None:
        self._client, self._session, self._secret = client, session, secret or client.secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        client = self._client
        address = urlsplit(str(request.url))
        # docs/signing.md: a space is %20, which requests writes as a plus.
        request.url = address._replace(query=address.query.replace("+", "%20")).geturl()
        target = request.path_url.removeprefix(urlsplit(client.base_url).path)
        method, now = str(request.method), client.now()
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        assert isinstance(body, bytes)
        key = str(request.headers.get(signing.IDEMPOTENCY_KEY, ""))
        signed = signing.sign(
            method,
            target,
            app_key=client.app_key,
            secret=self._secret,
            timestamp=int(now.timestamp()),
            nonce=secrets.token_hex(12),
            body=body,
            idempotency_key=key,
        )
        request.headers.update(signed)
        if client.operator:
            path = signing.canonical_path(target.partition("?")[0])
            request.headers["X-Operator"] = client.operator.sign(client.app_key, method, path, body, key, now)
        if self._session:
            request.headers["X-Holder-Session"] = self._session
        return request


@dataclass(frozen=True, slots=True)
class Good:
    """A request that must succeed. Nobody asks where everybody may."""

    client: ApiClient | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    session: str = ""

    def signer(self, *, secret: str = "") -> Signer | None:
        return Signer(self.client, self.session, secret) if self.client else None


class Cast:
    """The ministry's bureau, a channel and an institution's desk, and what they make for each request."""

    def __init__(self, stage: DemoStage, ministry: ApiClient, eligibility: EligibilityServer) -> None:
        self.stage, self.bureau, self.eligibility = stage, ministry, eligibility
        self._numbers = itertools.count(1)
        self.completed: list[tuple[str, str, str]] = []
        self.today = calendar.local_date(ministry.now())
        ministry.do("/v1/assertion-keys", {"kid": stage.essc.kid, "public_key": stage.essc.public_key})
        ministry.do(f"/v1/clients/{ministry.app_key}/pace", {"requests_per_second": 5_000})
        self.institution_id = self.an_institution()
        self.programme_id = self.made("/v1/programmes", "programme_id")
        self.course_id = self.made("/v1/courses", "course_id")
        self.channel = self._admitted("channel", "000000")
        self.desk = self._admitted("institution", CITY, self.institution_id)
        self.checker = self._another_operator(ministry)
        self.payer = self._another_operator(ministry, "payer")
        self.account_id = self.an_account()
        self.template_id = self.a_template("publish")

    def good(self, label: str) -> Good:
        """A request of this operation that must succeed."""
        return GOOD[label](self)

    def made(self, path: str, name: str) -> str:
        """The id of something new of this list."""
        return str(self.bureau.do(path, self.good(f"POST {path}").body or {})[name])

    def an_institution(self) -> str:
        return self.made("/v1/institutions", "institution_id")

    def an_account(self) -> str:
        return self.made("/v1/accounts", "account_id")

    def a_client(self) -> str:
        return str(self.bureau.do("/v1/clients", self.good("POST /v1/clients").body or {})["client"]["app_key"])

    def a_template(self, *steps: str) -> str:
        template_id = self.made("/v1/templates", "template_id")
        for step in steps:
            self.bureau.do(f"/v1/templates/{template_id}/{step}", {})
        return template_id

    def an_amended_template(self) -> str:
        asked = _amendment(self)
        template_id = asked.path["template_id"]
        self.bureau.do(f"/v1/templates/{template_id}/amendments", asked.body or {})
        return template_id

    def a_voucher(self, template_id: str = "") -> tuple[str, str]:
        """(its id, its holder's session in the channel) of a voucher just claimed by somebody new."""
        person, template_id = invented_person(next(self._numbers)), template_id or self.template_id
        claim = {
            "template_id": template_id,
            "assertion": self.stage.assertion(self.channel, person, "claim", template_id),
        }
        voucher_id = str(self.channel.do("/v1/claims", claim)["voucher_id"])
        return voucher_id, self.stage.session(self.channel, person)

    def a_token(self) -> str:
        voucher_id, session = self.a_voucher()
        path, headers = f"/v1/vouchers/{voucher_id}/qr", {"X-Holder-Session": session}
        return str(self.channel.read(path, {"format": "token"}, headers)["token"])

    def a_used_voucher(self) -> str:
        body = self.good("POST /v1/redemptions").body or {}
        return str(self.desk.do("/v1/redemptions", body)["voucher_id"])

    def a_class(self) -> str:
        """A class with a session that goes on, and with more of them."""
        return str(self.desk.do("/v1/classes", self.good("POST /v1/classes").body or {})["class_id"])

    def on_class(self) -> tuple[str, str, str]:
        """(class, voucher of somebody who is on it, their session in the channel)."""
        class_id = self.a_class()
        voucher_id, session = self.a_voucher()
        code = self.channel.read(f"/v1/vouchers/{voucher_id}", {}, {"X-Holder-Session": session})["code"]
        use = {"institution_id": self.institution_id, "course_id": self.course_id, "code": code}
        self.desk.do("/v1/redemptions", use)
        self.desk.do(f"/v1/classes/{class_id}/enrolments", {"voucher_ids": [voucher_id]})
        return class_id, voucher_id, session

    @cached_property
    def past_account_id(self) -> str:
        """Of a year that is over. Whatever was carried over may be carried over again."""
        return str(self.bureau.do("/v1/accounts", {"region": "445100", "year": 2020, "budget_fen": 7})["account_id"])

    @cached_property
    def receiver(self) -> str:
        """The account of another city in the year of the cast's own."""
        year = int(self.account_id.partition("-")[2])
        return str(self.bureau.do("/v1/accounts", {"region": "445200", "year": year, "budget_fen": 7})["account_id"])

    def a_budget_transfer(self) -> str:
        return self.made("/v1/budget-transfers", "transfer_id")

    def a_merge(self, *steps: str) -> str:
        merge_id = self.made("/v1/merges", "merge_id")
        for step in steps:
            self.checker.do(f"/v1/merges/{merge_id}/{step}", {})
        return merge_id

    def a_known_person(self, template_id: str = "") -> str:
        """The id of somebody who has just claimed."""
        body = {"voucher_id": self.a_voucher(template_id)[0]}
        answer = self.bureau.call("POST", "/v1/people/search", body=body)
        return str(self.bureau.must(answer, "POST", "/v1/people/search")["person_id"])

    def invoke(self, function: str, event: dict[str, Any]) -> None:
        """Call a function of the stack as whatever feeds it would."""
        endpoint = self.stage.environment["AWS_ENDPOINT_URL"]
        answer = (
            session()
            .client("lambda", endpoint_url=endpoint)
            .invoke(
                FunctionName=f"training-voucher-{self.stage.environment['STAGE']}-{function}", Payload=json.dumps(event)
            )
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def decide_service(self, region: str) -> None:
        """The region asks the stack's sample service."""
        body = {"url": self.eligibility.url}
        decided = self.bureau.do(f"/v1/regions/{region}/eligibility-service", body)
        if decided["secret"]:
            self.eligibility.trust(decided["key_id"], decided["secret"])

    @property
    def number(self) -> int:
        """A new one each time."""
        return next(self._numbers)

    def days(self, **offsets: int) -> dict[str, str]:
        return {name: (self.today + timedelta(days=days)).isoformat() for name, days in offsets.items()}

    def _admitted(self, role: str, region: str, institution_id: str | None = None) -> ApiClient:
        body: dict[str, Any] = {"name": role, "role": role, "regions": [region], "requests_per_second": 5_000}
        operator = None
        if institution_id:
            body["institutions"] = [institution_id]
            seed, public_key = new_operator_key()
            person = {"name": "经办人", "public_key": public_key, "region": region, "institution_id": institution_id}
            operator = Operator(self.bureau.do("/v1/operators", person)["operator_id"], seed)
        granted = self.bureau.do("/v1/clients", body)
        return self.stage.admit(role, granted["client"]["app_key"], granted["secret"], operator)

    def _another_operator(self, client: ApiClient, *duties: str) -> ApiClient:
        seed, public_key = new_operator_key()
        charged = [*(duties or ("reviewer", "finance"))]
        person = {"name": "复核员", "public_key": public_key, "region": "000000", "duties": charged}
        return replace(client, operator=Operator(self.bureau.do("/v1/operators", person)["operator_id"], seed))


def a_credit_code(number: int) -> str:
    """A unified social credit code (GB 32100) with both its check characters right."""
    for check in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        code = f"91440100{number:08}{check}"
        code += uscc.calc_check_digit(code)
        try:
            return parse_uscc(code)
        except InvalidIdentifier:
            continue
    raise AssertionError(f"no check character fits {number}")


def _ask(path: str = "", make: Callable[[Cast], str] | None = None, **body: Any) -> Callable[[Cast], Good]:
    """The bureau asks about what ``make`` gives, named by the path's parameter ``path``."""
    return lambda cast: Good(cast.bureau, {path: make(cast)} if make else {}, body=body or None)


def _list(**query: str) -> Callable[[Cast], Good]:
    return lambda cast: Good(cast.bureau, query=query)


def _hold(cast: Cast) -> Good:
    voucher_id, session = cast.a_voucher()
    return Good(cast.channel, {"voucher_id": voucher_id}, session=session)


def _wallet(cast: Cast) -> Good:
    _, session = cast.a_voucher()
    return Good(cast.channel, session=session)


def _rules(cast: Cast) -> Good:
    cap = {"rule": "three_a_year", "window": "year", "by": "all", "limit": 3}
    columns = {"roster_columns": [{"name": "street", "title": "街道", "aliases": ["所在街道"]}]}
    # Each in a region of its own: a rule set cannot begin before the one decided last.
    path = {"code": f"4401{(3, 4, 5, 6, 11, 12, 13, 14, 15, 17, 18)[cast.number % 11]:02}"}
    return Good(
        cast.bureau, path, body={**cast.days(effective_from=1), "caps": [cap], "help_line": "020-12333", **columns}
    )


def _withdrawal(cast: Cast) -> Good:
    waits = {**cast.days(effective_from=30), "one_at_a_time": True}
    path = _rules(cast).path
    version = cast.bureau.do(f"/v1/regions/{path['code']}/rules", waits)["version"]
    return Good(cast.bureau, path, body={"version": version})


def _veteran(cast: Cast) -> dict[str, str]:
    person = invented_person(cast.number)
    return {"name": person.name, "id_number": person.id_number, "group": "veteran"}


def _listed(cast: Cast) -> str:
    veteran = _veteran(cast)
    cast.bureau.do(f"/v1/regions/{CITY}/eligible-people", veteran)
    return veteran["id_number"]


def _enlist(cast: Cast) -> Good:
    return Good(cast.bureau, {"code": CITY}, body=_veteran(cast))


def _strike_off(cast: Cast) -> Good:
    return Good(cast.bureau, {"code": CITY}, body={"id_number": _listed(cast), "group": "veteran"})


def _look_up(cast: Cast) -> Good:
    return Good(cast.bureau, {"code": CITY}, body={"id_number": _listed(cast)})


def _service(cast: Cast) -> Good:
    return Good(cast.bureau, {"code": "440103"}, body={"url": cast.eligibility.url, "remember_seconds": 60})


def _of_service(**body: Any) -> Callable[[Cast], Good]:
    """About the service of a county that has one in use."""

    def good(cast: Cast) -> Good:
        code = f"4401{(4, 5, 6, 11, 12, 13, 14, 15, 17)[cast.number % 9]:02}"
        cast.decide_service(code)
        return Good(cast.bureau, {"code": code}, body=body or None)

    return good


def _trial(cast: Cast) -> Good:
    cast.decide_service("440118")  # which nobody else moves
    person = invented_person(cast.number)
    body = {"name": person.name, "id_type": person.id_type, "id_number": person.id_number}
    return Good(cast.bureau, {"code": "440118"}, body=body)


def _programme(cast: Cast) -> Good:
    body = {
        "region": PROVINCE,
        "name_zh": "电工",
        "name_en": "Electrician",
        "programme_type": "enterprise_staff",
        "standard_fen": 100_000,
        "occupation": "6-31-01-03",
        "level": 5,
    }
    return Good(cast.bureau, body=body)


def _institution(cast: Cast) -> Good:
    body = {
        "institution_id": a_credit_code(cast.number),
        "region": CITY,
        "name_zh": "测试学校",
        "name_en": "School",
        "kind": "school",
        "coordinates": {"latitude": "23.129110", "longitude": "113.264385", "datum": "gcj02"},
    }
    return Good(cast.bureau, body=body)


def _admission(*before: str, candidate: bool = False) -> Callable[[Cast], Good]:
    """A step on the admission of an institution that took these before."""

    def good(cast: Cast) -> Good:
        body = {**(_institution(cast).body or {}), "admission": "candidate" if candidate else "admitted"}
        institution_id = cast.bureau.do("/v1/institutions", body)["institution_id"]
        for step in before:
            cast.bureau.do(f"/v1/institutions/{institution_id}/{step}", {"reason": "年度评估"})
        return Good(cast.bureau, {"institution_id": institution_id}, body={"reason": "年度评估"})

    return good


def _staff(cast: Cast) -> Good:
    person = invented_person(cast.number)
    body = {"name": person.name, "id_type": person.id_type, "id_number": person.id_number, "mobile": person.mobile}
    return Good(cast.bureau, {"institution_id": cast.institution_id}, body=body)


def _member(cast: Cast) -> Good:
    staff_id = cast.bureau.do(f"/v1/institutions/{cast.institution_id}/staff", _staff(cast).body or {})["staff_id"]
    return Good(cast.bureau, {"institution_id": cast.institution_id, "staff_id": str(staff_id)})


def _terminal(cast: Cast) -> Good:
    _, public_key = new_operator_key()
    path = {"institution_id": cast.institution_id}
    return Good(cast.bureau, path, body={"name": "一号窗口", "public_key": public_key})


def _installed(cast: Cast) -> Good:
    made = cast.bureau.do(f"/v1/institutions/{cast.institution_id}/terminals", _terminal(cast).body or {})
    return Good(cast.bureau, {"institution_id": cast.institution_id, "terminal_id": str(made["terminal_id"])})


def _course(cast: Cast) -> Good:
    body = {
        "programme_id": cast.programme_id,
        "institution_id": cast.institution_id,
        "name_zh": "电工（初级）",
        "name_en": "Electrician (junior)",
        "hours": 40,
        "online": False,
    }
    return Good(cast.bureau, body=body)


def _operator(cast: Cast) -> Good:
    _, public_key = new_operator_key()
    return Good(cast.bureau, body={"name": "李四", "public_key": public_key, "region": CITY})


def _assertion_key(cast: Cast) -> Good:
    _, public_key = new_operator_key()
    return Good(cast.bureau, body={"kid": f"key-{cast.number}", "public_key": public_key})


def _account(cast: Cast) -> Good:
    years, number = 101, cast.number
    body = {"region": CITIES[number // years % len(CITIES)], "year": 2000 + number % years, "budget_fen": BUDGET}
    return Good(cast.bureau, body=body)


def _budget_transfer(cast: Cast) -> Good:
    body = {"giver": cast.account_id, "receiver": cast.receiver, "amount_fen": 1, "reason": "年中调剂"}
    return Good(cast.bureau, body=body)


def _template(cast: Cast) -> Good:
    body = {
        "region": cast.account_id.partition("-")[0],
        "account_id": cast.account_id,
        "quantity": 1_000,
        "look": {"title": "职业培训券", "colour": "#B01E23", "note": "请在有效期内使用"},
        "business_mode": "foundation",
        "function_mode": "face_value",
        "distribution_mode": "open",
        "programme_id": cast.programme_id,
        "face_value_fen": 80_000,
        "courses": [cast.course_id],
        "institutions": [cast.institution_id],
        **cast.days(claim_from=0, claim_until=30, valid_from=0, valid_until=60),
    }
    return Good(cast.bureau, body=body)


def _issue(cast: Cast) -> Good:
    body: dict[str, Any] = {**(_template(cast).body or {}), "distribution_mode": "directed"}
    template_id = cast.bureau.do("/v1/templates", body)["template_id"]
    cast.bureau.do(f"/v1/templates/{template_id}/publish", {})
    person = invented_person(cast.number)
    named = {"name": person.name, "id_type": person.id_type, "id_number": person.id_number}
    return Good(cast.bureau, {"template_id": template_id}, body=named)


def _session_body(cast: Cast, *, minutes: float) -> dict[str, Any]:
    begins = cast.bureau.now() + timedelta(minutes=minutes)
    place = {"name": "实训楼", "latitude": 23.13, "longitude": 113.26, "datum": "gcj02"}
    ends = begins + timedelta(minutes=30)
    return {"starts_at": calendar.to_text(begins), "ends_at": calendar.to_text(ends), "place": place, "teacher": "样例"}


def _class(cast: Cast) -> Good:
    """Its first session begins in a minute, so its window is open; the others follow by days."""
    sessions = [_session_body(cast, minutes=1 + day * 1440) for day in range(6)]
    body = {"institution_id": cast.institution_id, "course_id": cast.course_id, "name": "一班", "teacher": "样例"}
    return Good(cast.desk, body={**body, "capacity": 30, "sessions": sessions})


def _of_class(**body: Any) -> Callable[[Cast], Good]:
    return lambda cast: Good(cast.desk, {"class_id": cast.a_class()}, body=body or None)


def _of_session(**body: Any) -> Callable[[Cast], Good]:
    return lambda cast: Good(cast.desk, {"class_id": cast.a_class(), "session_id": "S002"}, body=body)


def _on_class(**body: Any) -> Callable[[Cast], Good]:
    def good(cast: Cast) -> Good:
        class_id, voucher_id, _ = cast.on_class()
        return Good(cast.desk, {"class_id": class_id}, body={**body, "voucher_id": voucher_id})

    return good


def _more_sessions(cast: Cast) -> Good:
    return Good(cast.desk, {"class_id": cast.a_class()}, body={"sessions": [_session_body(cast, minutes=60 * 24 * 30)]})


def _off_class(cast: Cast) -> Good:
    class_id, voucher_id, _ = cast.on_class()
    return Good(cast.desk, {"class_id": class_id, "voucher_id": voucher_id}, body={"reason": "转班"})


def _transfer(cast: Cast) -> Good:
    class_id, voucher_id, _ = cast.on_class()
    asked = {"voucher_id": voucher_id, "to_class_id": cast.a_class(), "reason": "时间不合适"}
    return Good(cast.desk, {"class_id": class_id}, body=asked)


def _check_in(cast: Cast) -> Good:
    class_id, _, session = cast.on_class()
    position = {"latitude": 23.1301, "longitude": 113.2601, "datum": "gcj02", "accuracy": 10.0}
    return Good(cast.channel, body={"class_id": class_id, "position": position}, session=session)


def _scan(cast: Cast) -> Good:
    class_id, voucher_id, session = cast.on_class()
    headers = {"X-Holder-Session": session}
    token = cast.channel.read(f"/v1/vouchers/{voucher_id}/qr", {"format": "token"}, headers)["token"]
    return Good(cast.desk, {"class_id": class_id}, body={"token": token})


def _completed(cast: Cast) -> tuple[str, str, str]:
    """(class, voucher, session) of somebody who completed a class of a moment; others may have been on it."""
    if not cast.completed:
        cast.completed = _a_completed_class(cast, AT_ONCE)
    return cast.completed.pop()


def _a_completed_class(cast: Cast, people: int) -> list[tuple[str, str, str]]:
    """(class, voucher, session) of each who completed it."""
    came = [cast.a_voucher() for _ in range(people)]
    for voucher_id, held_in in came:
        code = cast.channel.read(f"/v1/vouchers/{voucher_id}", {}, {"X-Holder-Session": held_in})["code"]
        use = {"institution_id": cast.institution_id, "course_id": cast.course_id, "code": code}
        cast.desk.do("/v1/redemptions", use)
    begins = cast.bureau.now() + timedelta(seconds=1 + people / 5)
    only = _session_body(cast, minutes=0) | {
        "starts_at": calendar.to_text(begins),
        "ends_at": calendar.to_text(begins + timedelta(seconds=1)),
    }
    class_id = str(cast.desk.do("/v1/classes", {**(_class(cast).body or {}), "sessions": [only]})["class_id"])
    cast.desk.do(f"/v1/classes/{class_id}/enrolments", {"voucher_ids": [voucher_id for voucher_id, _ in came]})
    position = {"latitude": 23.1301, "longitude": 113.2601, "datum": "gcj02", "accuracy": 10.0}
    for _, held_in in came:
        headers = {"X-Holder-Session": held_in}
        cast.channel.do("/v1/check-ins", {"class_id": class_id, "position": position}, headers=headers)
    time.sleep(max(0.0, (begins - cast.bureau.now()).total_seconds() + 1.1))
    cast.desk.do(f"/v1/classes/{class_id}/finish", {})
    return [(class_id, voucher_id, held_in) for voucher_id, held_in in came]


STARS = [{"dimension": one, "stars": 4} for one in ("teaching", "content", "place", "service")]


AT_ONCE = 8
"""A class takes its time in earnest, so some complete one together; a session of theirs lasts for fifteen minutes."""
SHEET = {"kind": "签到表", "file_name": "签到表.pdf", "size": 5, "sha256": hashlib.sha256(b"sheet").hexdigest()}


def _an_application(cast: Cast) -> tuple[str, str]:
    """(application that waits for a review, the voucher on its only line)."""
    class_id, voucher_id, _ = _completed(cast)
    asked = {"class_id": class_id, "region": CITY, "lines": [{"voucher_id": voucher_id}]}
    made = cast.desk.do("/v1/applications", asked)
    application_id = str(made["application_id"])
    cast.invoke("settle-money", {"Records": [{"body": MoneyErrand("application", application_id).text()}]})
    return application_id, voucher_id


def _of_application(by: str, **body: Any) -> Callable[[Cast], Good]:
    def make(cast: Cast) -> Good:
        return Good(getattr(cast, by), {"application_id": _an_application(cast)[0]}, body=body or None)

    return make


def _attachment(cast: Cast) -> Good:
    application_id, _ = _an_application(cast)
    made = cast.desk.do(f"/v1/applications/{application_id}/attachments", SHEET)
    upload = made["upload"]
    requests.put(upload["url"], data=b"sheet", headers=upload["headers"], timeout=30).raise_for_status()
    path = {"application_id": application_id, "attachment_id": str(made["attachment"]["attachment_id"])}
    return Good(cast.desk, path)


def _kept_attachment(cast: Cast) -> Good:
    good = _attachment(cast)
    cast.desk.do("/v1/applications/{application_id}/attachments/{attachment_id}".format(**good.path), {})
    return good


def _line_decision(cast: Cast) -> Good:
    application_id, voucher_id = _an_application(cast)
    asked = {"verdict": "approve", "voucher_ids": [voucher_id]}
    return Good(cast.checker, {"application_id": application_id}, body=asked)


def _approved(cast: Cast) -> tuple[str, str]:
    """(application of which everything is granted, the voucher on its only line)."""
    application_id, voucher_id = _an_application(cast)
    asked = {"verdict": "approve", "voucher_ids": [voucher_id]}
    cast.checker.do(f"/v1/applications/{application_id}/decisions", asked)
    return application_id, voucher_id


def _batch(cast: Cast) -> Good:
    return Good(cast.payer, body={"region": CITY, "application_ids": [_approved(cast)[0]]})


def _of_batch(by: str, **body: Any) -> Callable[[Cast], Good]:
    """A batch that is gathered, with somebody to pay."""

    def make(cast: Cast) -> Good:
        _with_account(cast)
        batch_id = str(cast.payer.do("/v1/payment-batches", _batch(cast).body or {})["batch_id"])
        cast.invoke("settle-money", {"Records": [{"body": MoneyErrand("batch", batch_id).text()}]})
        return Good(getattr(cast, by), {"batch_id": batch_id}, body=body or None)

    return make


TYPED_AGAIN = {"account_number": "6222000011112222"}
BANK_ACCOUNT = {"account_name": "培训学校", "bank": "测试银行", **TYPED_AGAIN}


def _with_account(cast: Cast) -> str:
    """The institution's bank account, confirmed."""
    path = f"/v1/institutions/{cast.institution_id}/bank-account"
    made = cast.desk.do(path, BANK_ACCOUNT)
    cast.payer.do(f"{path}/confirmation", {"number": made["proposed"]["number"], **TYPED_AGAIN})
    return cast.institution_id


def _account_confirmation(cast: Cast) -> Good:
    made = cast.desk.do(f"/v1/institutions/{cast.institution_id}/bank-account", BANK_ACCOUNT)
    body = {"number": made["proposed"]["number"], **TYPED_AGAIN}
    return Good(cast.payer, {"institution_id": cast.institution_id}, body=body)


def _rules_from_today(cast: Cast, **rules: Any) -> None:
    cast.bureau.do(f"/v1/regions/{CITY}/rules", {**cast.days(effective_from=0), **rules})


def _withdrawn_approval(cast: Cast) -> Good:
    application_id, voucher_id = _approved(cast)
    body = {"voucher_ids": [voucher_id], "reason": "材料不全"}
    return Good(cast.checker, {"application_id": application_id}, body=body)


def _to_publish(cast: Cast) -> Good:
    """Granted, in a region that publishes; its rules are as before for whoever comes next."""
    application_id, _ = _approved(cast)
    _rules_from_today(cast, publicity_days=3)
    return Good(cast.checker, {"application_id": application_id})


def _published(cast: Cast) -> tuple[str, str]:
    application_id, voucher_id = _approved(cast)
    _rules_from_today(cast, publicity_days=3)
    cast.checker.do(f"/v1/applications/{application_id}/publicity", {})
    return application_id, voucher_id


def _objection(cast: Cast) -> Good:
    application_id, voucher_id = _published(cast)
    body = {"voucher_id": voucher_id, "text": "本人未参加培训"}
    return Good(cast.bureau, {"application_id": application_id}, body=body)


def _resolution(cast: Cast) -> Good:
    good = _objection(cast)
    cast.bureau.do("/v1/applications/{application_id}/objections".format(**good.path), good.body or {})
    return Good(cast.checker, {**good.path, "number": "1"}, body={"upheld": False, "text": "查无此事"})


def _settlement(cast: Cast) -> Good:
    _rules_from_today(cast, external_settlement=True)
    application_id, voucher_id = _an_application(cast)
    _rules_from_today(cast)
    told = {"voucher_id": voucher_id, "outcome": "paid", "fen": 100, "reference": "PZ-1", **cast.days(settled_on=0)}
    return Good(cast.bureau, {"application_id": application_id}, body={"results": [told]})


def _claw_back(cast: Cast) -> Good:
    good = _settlement(cast)
    cast.bureau.do("/v1/applications/{application_id}/settlements".format(**good.path), good.body or {})
    voucher_id = str((good.body or {})["results"][0]["voucher_id"])
    return Good(cast.checker, {"voucher_id": voucher_id}, body={"fen": 10, "reason": "虚假培训"})


def _evaluation(cast: Cast) -> Good:
    class_id, _, session = _completed(cast)
    return Good(cast.channel, body={"class_id": class_id, "ratings": STARS, "text": "很好"}, session=session)


def _rating(cast: Cast) -> Good:
    class_id, voucher_id, _ = _completed(cast)
    return Good(cast.desk, {"class_id": class_id, "voucher_id": voucher_id}, body={"rating": 5})


def _release(cast: Cast) -> Good:
    cast.bureau.do(f"/v1/regions/{CITY}/rules", {**cast.days(effective_from=0), "held_words": ["退费"]})
    ((class_id, _, session),) = _a_completed_class(cast, 1)
    asked = {"class_id": class_id, "ratings": STARS, "text": "要求退费"}
    cast.channel.do("/v1/evaluations", asked, headers={"X-Holder-Session": session})
    (held,) = cast.bureau.read(f"/v1/classes/{class_id}/evaluations")["words"]
    return Good(cast.bureau, {"class_id": class_id, "words_id": held["words_id"]})


def _report(cast: Cast) -> Good:
    class_id, voucher_id, _ = cast.on_class()
    at = calendar.to_text(cast.bureau.now() - timedelta(seconds=1))
    items = [{"voucher_id": voucher_id, "session_id": "S001", "at": at}]
    return Good(cast.desk, {"class_id": class_id}, body={"tool": "刷脸机", "items": items})


def _finish(cast: Cast) -> Good:
    """A class of one session that lasts for a moment."""
    begins = cast.bureau.now() + timedelta(seconds=1)
    only = _session_body(cast, minutes=0) | {
        "starts_at": calendar.to_text(begins),
        "ends_at": calendar.to_text(begins + timedelta(milliseconds=1)),
    }
    class_id = str(cast.desk.do("/v1/classes", {**(_class(cast).body or {}), "sessions": [only]})["class_id"])
    time.sleep(1.1)
    return Good(cast.desk, {"class_id": class_id})


def _roster(cast: Cast) -> Good:
    data = clean_roster(1, first=cast.number)
    return Good(cast.bureau, body=_declared(_issue(cast).path["template_id"], data))


def _declared(template_id: str, data: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    return {"template_id": template_id, "file_name": "名单.xlsx", "size": len(data), "sha256": sha256}


def _arrived(cast: Cast, by: ApiClient) -> str:
    """A roster whose file has come; of the bureau's it is finished. S3's own notification comes too, and too late."""
    data = clean_roster(1, first=cast.number)
    made = by.do("/v1/rosters", _declared(_issue(cast).path["template_id"], data))
    upload, roster_id = made["upload"], str(made["roster"]["roster_id"])
    put = requests.put(upload["url"], data=data, headers=upload["headers"], timeout=30)
    put.raise_for_status()
    place = {"key": f"rosters/incoming/declared/{roster_id}", "versionId": put.headers["x-amz-version-id"]}
    told = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": place}}]}
    cast.invoke("import-rosters", {"Records": [{"body": json.dumps(told)}]})
    return roster_id


def _by_roster(cast: Cast) -> Good:
    roster_id = _arrived(cast, cast.desk)
    cast.bureau.do(f"/v1/rosters/{roster_id}/acceptance", {})
    cast.invoke("import-rosters", {"Records": [{"body": RosterErrand(roster_id).text()}]})
    return Good(cast.desk, {"class_id": cast.a_class()}, body={"roster_id": roster_id, "after": 0, "limit": 20})


def _amendment(cast: Cast) -> Good:
    path = {"template_id": cast.a_template("publish")}
    return Good(cast.bureau, path, body={**cast.days(valid_until=90, claim_until=40), "reason": "台风"})


def _claim(cast: Cast) -> Good:
    person, template_id = invented_person(cast.number), cast.template_id
    assertion = cast.stage.assertion(cast.channel, person, "claim", template_id)
    return Good(cast.channel, body={"template_id": template_id, "assertion": assertion, "entrance": "card"})


def _related(cast: Cast) -> tuple[str, str]:
    """A relation, and a session of the person who is acted for."""
    person, relative, template_id = invented_person(cast.number), invented_person(cast.number), cast.template_id
    body = {
        "template_id": template_id,
        "assertion": cast.stage.assertion(cast.channel, person, "claim", template_id),
        "proxy": {"assertion": cast.stage.assertion(cast.channel, relative, "proxy", template_id), "kin": "child"},
    }
    relation_id: str = cast.channel.do("/v1/claims", body)["facts"]["proxy"]
    return relation_id, cast.stage.session(cast.channel, person)


def _relations(cast: Cast) -> Good:
    return Good(cast.channel, session=_related(cast)[1])


def _end_relation(cast: Cast) -> Good:
    relation_id, session = _related(cast)
    return Good(cast.channel, {"relation_id": relation_id}, session=session)


def _claimable(cast: Cast) -> Good:
    region, person = cast.account_id.partition("-")[0], invented_person(cast.number)
    assertion = cast.stage.assertion(cast.channel, person, "claimable", region)
    return Good(cast.channel, body={"region": region, "assertion": assertion, "limit": 20})


def _session(cast: Cast) -> Good:
    person = invented_person(cast.number)
    cast.channel.do(
        "/v1/claims",
        {
            "template_id": cast.template_id,
            "assertion": cast.stage.assertion(cast.channel, person, "claim", cast.template_id),
        },
    )
    return Good(cast.channel, body={"assertion": cast.stage.assertion(cast.channel, person, "session")})


def _desk(cast: Cast) -> Good:
    place = {"institution_id": cast.institution_id, "course_id": cast.course_id}
    return Good(cast.desk, body={"token": cast.a_token(), **place})


def _merge(cast: Cast) -> Good:
    template_id = cast.a_template("publish")  # two vouchers of one template would be one too many
    body = {"survivor": cast.a_known_person(), "other": cast.a_known_person(template_id), "reason": "同一人"}
    return Good(cast.bureau, body=body)


def _number(cast: Cast) -> Good:
    number = invented_person(cast.number)
    body = {"id_type": number.id_type, "id_number": number.id_number, "reason": "曾用号码"}
    return Good(cast.bureau, {"person_id": cast.a_known_person()}, body=body)


_client = _ask(name="渠道", role="channel", regions=[CITY])
_new_template = _ask("template_id", lambda cast: cast.a_template())
_open_template = _ask("template_id", lambda cast: cast.a_template("publish"))

GOOD: Mapping[str, Callable[[Cast], Good]] = {
    "GET /v1/time": lambda _: Good(),
    "GET /v1/keys": lambda _: Good(),
    "GET /v1/openapi.json": lambda _: Good(),
    "GET /v1/regions": _list(parent=PROVINCE),
    "GET /v1/regions/{code}": _ask("code", lambda _: CITY),
    "GET /v1/regions/{code}/rules": _ask("code", lambda _: CITY),
    "POST /v1/regions/{code}/rules": _rules,
    "GET /v1/regions/{code}/rule-sets": _ask("code", lambda _: CITY),
    "POST /v1/regions/{code}/rules/preview": _rules,
    "POST /v1/regions/{code}/rules/withdrawal": _withdrawal,
    "POST /v1/regions/{code}/eligible-people": _enlist,
    "POST /v1/regions/{code}/eligible-people/removal": _strike_off,
    "POST /v1/regions/{code}/eligible-people/search": _look_up,
    "GET /v1/relations": _relations,
    "POST /v1/relations/{relation_id}/revocation": _end_relation,
    "POST /v1/regions/{code}/eligibility-service": _service,
    "GET /v1/regions/{code}/eligibility-service": _of_service(),
    "POST /v1/regions/{code}/eligibility-service/rotation": _of_service(starts_in_seconds=3600),
    "POST /v1/regions/{code}/eligibility-service/disable": _of_service(),
    "POST /v1/regions/{code}/eligibility-service/trial": _trial,
    "GET /v1/programmes": _list(region=PROVINCE),
    "POST /v1/programmes": _programme,
    "GET /v1/programmes/{programme_id}": _ask("programme_id", lambda cast: cast.programme_id),
    "GET /v1/institutions": _list(region=CITY),
    "POST /v1/institutions": _institution,
    "GET /v1/institutions/{institution_id}": _ask("institution_id", lambda cast: cast.institution_id),
    "POST /v1/institutions/{institution_id}/admit": _admission(candidate=True),
    "POST /v1/institutions/{institution_id}/suspend": _admission(),
    "POST /v1/institutions/{institution_id}/readmit": _admission("suspend"),
    "POST /v1/institutions/{institution_id}/withdraw": _admission(),
    "POST /v1/institutions/{institution_id}/reapply": _admission("withdraw"),
    "GET /v1/institutions/{institution_id}/staff": _ask("institution_id", lambda cast: cast.institution_id),
    "POST /v1/institutions/{institution_id}/staff": _staff,
    "GET /v1/institutions/{institution_id}/staff/{staff_id}": _member,
    "POST /v1/institutions/{institution_id}/staff/{staff_id}/disable": _member,
    "POST /v1/institutions/{institution_id}/staff/{staff_id}/enable": _member,
    "GET /v1/institutions/{institution_id}/terminals": _ask("institution_id", lambda cast: cast.institution_id),
    "POST /v1/institutions/{institution_id}/terminals": _terminal,
    "POST /v1/institutions/{institution_id}/terminals/{terminal_id}/disable": _installed,
    "GET /v1/courses": lambda cast: Good(cast.bureau, query={"institution_id": cast.institution_id}),
    "POST /v1/courses": _course,
    "GET /v1/courses/{course_id}": _ask("course_id", lambda cast: cast.course_id),
    "GET /v1/clients": _list(region=CITY),
    "POST /v1/clients": _client,
    "GET /v1/clients/{app_key}": _ask("app_key", Cast.a_client),
    "POST /v1/clients/{app_key}/secrets": _ask("app_key", Cast.a_client, overlap_seconds=60),
    "POST /v1/clients/{app_key}/pace": _ask("app_key", Cast.a_client, requests_per_second=10),
    "POST /v1/clients/{app_key}/disable": _ask("app_key", Cast.a_client),
    "GET /v1/operators": _list(region=CITY),
    "POST /v1/operators": _operator,
    "GET /v1/operators/{operator_id}": _ask("operator_id", lambda cast: cast.made("/v1/operators", "operator_id")),
    "POST /v1/operators/{operator_id}/disable": _ask(
        "operator_id", lambda cast: cast.made("/v1/operators", "operator_id")
    ),
    "GET /v1/assertion-keys": _list(),
    "POST /v1/assertion-keys": _assertion_key,
    "POST /v1/assertion-keys/{kid}/disable": _ask("kid", lambda cast: cast.made("/v1/assertion-keys", "kid")),
    "GET /v1/accounts": _list(region=CITY),
    "POST /v1/accounts": _account,
    "GET /v1/accounts/{account_id}": _ask("account_id", lambda cast: cast.account_id),
    "GET /v1/accounts/{account_id}/postings": _ask("account_id", lambda cast: cast.account_id),
    "GET /v1/accounts/{account_id}/statements/{month}": lambda cast: Good(
        cast.bureau,
        {"account_id": cast.account_id, "month": f"{calendar.local_date(cast.bureau.now()):%Y-%m}"},
        query={"format": "csv"},
    ),
    "POST /v1/accounts/{account_id}/carry-over": lambda cast: Good(cast.bureau, {"account_id": cast.past_account_id}),
    "POST /v1/budget-transfers": _budget_transfer,
    "GET /v1/budget-transfers": _list(region="440000"),
    "GET /v1/budget-transfers/{transfer_id}": _ask("transfer_id", Cast.a_budget_transfer),
    "POST /v1/budget-transfers/{transfer_id}/confirm": lambda cast: Good(
        cast.checker, {"transfer_id": cast.a_budget_transfer()}
    ),
    "POST /v1/budget-transfers/{transfer_id}/decline": _ask("transfer_id", Cast.a_budget_transfer, reason="预算不足"),
    "POST /v1/accounts/{account_id}/budget": _ask("account_id", Cast.an_account, amount_fen=-1_000, note="调剂"),
    "GET /v1/templates": _list(region=CITY),
    "POST /v1/templates": _template,
    "GET /v1/templates/{template_id}": _ask("template_id", lambda cast: cast.template_id),
    "GET /v1/templates/{template_id}/shards": _ask("template_id", lambda cast: cast.template_id),
    "POST /v1/templates/{template_id}/publish": _new_template,
    "POST /v1/templates/{template_id}/suspend": _open_template,
    "POST /v1/templates/{template_id}/resume": _ask("template_id", lambda cast: cast.a_template("publish", "suspend")),
    "POST /v1/templates/{template_id}/close": _open_template,
    "POST /v1/templates/{template_id}/additions": _ask(
        "template_id", lambda cast: cast.a_template("publish"), quantity=10
    ),
    "POST /v1/templates/{template_id}/amendments": _amendment,
    "GET /v1/templates/{template_id}/amendments": _ask("template_id", lambda cast: cast.an_amended_template()),
    "GET /v1/templates/{template_id}/amendments/{number}": lambda cast: Good(
        cast.bureau, {"template_id": cast.an_amended_template(), "number": "1"}
    ),
    "POST /v1/classes": _class,
    "GET /v1/institutions/{institution_id}/classes": lambda cast: Good(
        cast.desk, {"institution_id": cast.institution_id}
    ),
    "GET /v1/classes/{class_id}": _of_class(),
    "GET /v1/classes/{class_id}/code": _of_class(),
    "GET /v1/classes/{class_id}/enrolments": _of_class(),
    "GET /v1/classes/{class_id}/papers": _of_class(),
    "POST /v1/classes/{class_id}": _of_class(name="电工晚班", teacher="李老师", capacity=40),
    "POST /v1/classes/{class_id}/sessions": _more_sessions,
    "POST /v1/classes/{class_id}/sessions/{session_id}": _of_session(teacher="代课师"),
    "POST /v1/classes/{class_id}/sessions/{session_id}/cancellation": _of_session(reason="教师生病"),
    "POST /v1/classes/{class_id}/cancellation": _of_class(reason="人数不足"),
    "POST /v1/classes/{class_id}/finish": _finish,
    "POST /v1/classes/{class_id}/enrolments": lambda cast: Good(
        cast.desk, {"class_id": cast.a_class()}, body={"voucher_ids": [cast.a_used_voucher()]}
    ),
    "POST /v1/classes/{class_id}/enrolments/by-roster": _by_roster,
    "POST /v1/classes/{class_id}/enrolments/{voucher_id}/leave": _off_class,
    "POST /v1/classes/{class_id}/transfers": _transfer,
    "POST /v1/check-ins": _check_in,
    "POST /v1/classes/{class_id}/check-ins": _scan,
    "POST /v1/classes/{class_id}/check-ins/by-hand": _on_class(session_id="S001", reason="手机没电"),
    "POST /v1/classes/{class_id}/check-ins/reported": _report,
    "POST /v1/classes/{class_id}/enrolments/{voucher_id}/rating": _rating,
    "POST /v1/evaluations": _evaluation,
    "GET /v1/classes/{class_id}/evaluations": _of_class(),
    "POST /v1/classes/{class_id}/evaluations/{words_id}/release": _release,
    "POST /v1/classes/{class_id}/leaves": _on_class(session_id="S002", reason="就医"),
    "POST /v1/applications": lambda cast: Good(
        cast.desk, body={"class_id": _a_completed_class(cast, 1)[0][0], "region": CITY}
    ),
    "GET /v1/applications": _list(of=CITY),
    "GET /v1/applications/{application_id}": _of_application("bureau"),
    "GET /v1/applications/{application_id}/lines": _of_application("bureau"),
    "POST /v1/applications/{application_id}/cancellation": _of_application("desk", reason="填错了"),
    "POST /v1/applications/{application_id}/attachments": _of_application("desk", **SHEET),
    "POST /v1/applications/{application_id}/attachments/{attachment_id}": _attachment,
    "GET /v1/applications/{application_id}/attachments/{attachment_id}": _kept_attachment,
    "POST /v1/applications/{application_id}/decisions": _line_decision,
    "POST /v1/applications/{application_id}/decisions/bulk": _of_application(
        "checker", verdict="approve", least_percent=80
    ),
    "POST /v1/applications/{application_id}/withdrawn-approvals": _withdrawn_approval,
    "POST /v1/applications/{application_id}/publicity": _to_publish,
    "GET /v1/publicity": _list(region=CITY),
    "POST /v1/applications/{application_id}/objections": _objection,
    "POST /v1/applications/{application_id}/objections/{number}/resolution": _resolution,
    "POST /v1/applications/{application_id}/settlements": _settlement,
    "GET /v1/applications/{application_id}/lines-file": _of_application("bureau"),
    "POST /v1/vouchers/{voucher_id}/claw-back": _claw_back,
    "POST /v1/payment-batches": _batch,
    "GET /v1/payment-batches": lambda cast: Good(cast.payer, query={"region": CITY}),
    "GET /v1/payment-batches/{batch_id}": _of_batch("payer"),
    "GET /v1/payment-batches/{batch_id}/payees": _of_batch("payer"),
    "POST /v1/payment-batches/{batch_id}/bank-file": _of_batch("payer"),
    "POST /v1/payment-batches/{batch_id}/cancellation": _of_batch("payer", reason="漏了一个机构"),
    "POST /v1/institutions/{institution_id}/bank-account": lambda cast: Good(
        cast.desk, {"institution_id": cast.institution_id}, body=BANK_ACCOUNT
    ),
    "POST /v1/institutions/{institution_id}/bank-account/confirmation": _account_confirmation,
    "GET /v1/institutions/{institution_id}/bank-account": lambda cast: Good(
        cast.payer, {"institution_id": _with_account(cast)}
    ),
    "GET /v1/institutions/{institution_id}/affected": lambda cast: Good(
        cast.bureau, {"institution_id": cast.institution_id}
    ),
    "GET /v1/rosters": _list(of=CITY),
    "GET /v1/rosters/template": _list(),
    "POST /v1/rosters": _roster,
    "GET /v1/rosters/{roster_id}": _ask("roster_id", lambda cast: _arrived(cast, cast.bureau)),
    "GET /v1/rosters/{roster_id}/rows": _ask("roster_id", lambda cast: _arrived(cast, cast.bureau)),
    "GET /v1/rosters/{roster_id}/result": _ask("roster_id", lambda cast: _arrived(cast, cast.bureau)),
    "GET /v1/rosters/{roster_id}/withdrawn": _ask("roster_id", lambda cast: _arrived(cast, cast.bureau)),
    "POST /v1/rosters/{roster_id}/acceptance": _ask("roster_id", lambda cast: _arrived(cast, cast.desk)),
    "POST /v1/rosters/{roster_id}/return": _ask("roster_id", lambda cast: _arrived(cast, cast.desk), reason="缺少盖章"),
    "POST /v1/rosters/{roster_id}/cancellation": _ask(
        "roster_id", lambda cast: _arrived(cast, cast.desk), reason="放错了"
    ),
    "POST /v1/rosters/{roster_id}/withdrawal": _ask(
        "roster_id", lambda cast: _arrived(cast, cast.bureau), reason="放错了"
    ),
    "POST /v1/claims": _claim,
    "POST /v1/claimable": _claimable,
    "POST /v1/sessions": _session,
    "GET /v1/wallet": _wallet,
    "GET /v1/vouchers/{voucher_id}": _hold,
    "GET /v1/vouchers/{voucher_id}/history": _hold,
    "GET /v1/vouchers/{voucher_id}/qr": _hold,
    "POST /v1/vouchers/{voucher_id}/return": _hold,
    "POST /v1/vouchers/{voucher_id}/reversal": lambda cast: Good(
        cast.desk, {"voucher_id": cast.a_used_voucher()}, body={"reason": "扫错了"}
    ),
    "POST /v1/templates/{template_id}/vouchers": _issue,
    "POST /v1/vouchers/{voucher_id}/revocation": _ask(
        "voucher_id", lambda cast: cast.a_voucher()[0], reason="资格有误"
    ),
    "POST /v1/merges": _merge,
    "POST /v1/merges/{merge_id}/confirm": lambda cast: Good(cast.checker, {"merge_id": cast.a_merge()}),
    "POST /v1/merges/{merge_id}/undo": lambda cast: Good(
        cast.checker, {"merge_id": cast.a_merge("confirm")}, body={"reason": "不是同一人"}
    ),
    "GET /v1/merges": _list(region="000000"),
    "GET /v1/merges/{merge_id}": _ask("merge_id", Cast.a_merge),
    "POST /v1/people/search": lambda cast: Good(cast.bureau, body={"voucher_id": cast.a_voucher()[0]}),
    "POST /v1/people/{person_id}/disclosure": _ask("person_id", Cast.a_known_person, reason="核对花名册"),
    "POST /v1/people/{person_id}/corrections": _ask(
        "person_id", Cast.a_known_person, name="样例更正", mobile="13900000000", reason="更名"
    ),
    "POST /v1/people/{person_id}/numbers": _number,
    "POST /v1/people/{person_id}/flags": _ask(
        "person_id", Cast.a_known_person, flag="ineligible", set=True, reason="已办理退休"
    ),
    "GET /v1/people/{person_id}/records": _ask("person_id", Cast.a_known_person),
    "GET /v1/name-differences": _list(region="440300"),
    "GET /v1/disclosures": _list(region="000000"),
    "POST /v1/verifications": _desk,
    "POST /v1/redemptions": _desk,
}
"""For each operation a request that must succeed."""
