"""One request for each operation of the API, with all that must stand before it; each time for a target of its own."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from functools import cached_property, partial
from io import BytesIO
from typing import Any

from chalice.test import HTTPResponse

from chalicelib.domain.access import Duty, Operator, Role
from chalicelib.domain.application import Application, LineVerdict, MoneyErrand
from chalicelib.domain.calendar import to_text
from chalicelib.domain.eligibility import Asked
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.pace import FREE, WINDOW_SECONDS
from chalicelib.domain.person import Profile
from chalicelib.domain.region import Region, RuleSet
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.integrations.essc_platform import DemoTerminal, OperatorKey
from chalicelib.services import publishing, working_off_money
from chalicelib.services.identifying import Presented
from chalicelib.storage.fresh import Fresh
from tests import eligibility
from tests.api.test_road_over_http import Caller, RecordedWorld, a_caller
from tests.paying import ACCOUNT, approved, open_batch, propose, with_account, work_on
from tests.rostering import carry_on, import_roster, put_roster, receive, row_of
from tests.settling import a_completed_class, collected, decide, read, with_clerks
from tests.world import CITY, INSTITUTION_ID, World, a_person, a_uscc, an_institution

_numbers = itertools.count(1)


@dataclass
class Scene:
    """A world with three callers whom the handler knows."""

    world: RecordedWorld
    bureau: Caller
    channel: Caller
    desk: Caller

    @cached_property
    def stock(self) -> Template:
        """A published template with vouchers enough for all."""
        return self.world.publish(1000)

    @cached_property
    def other_stock(self) -> Template:
        return self.world.publish(1000)

    @cached_property
    def directed(self) -> Template:
        """A template whose vouchers are issued to named people."""
        return self.world.publish(1000, distribution_mode=DistributionMode.DIRECTED)

    @cached_property
    def by_service(self) -> Template:
        """A template for whom the city's service takes."""
        self.world.decide_service()
        return self.world.publish(1000, eligibility=Asked())

    @cached_property
    def sold_out(self) -> Template:
        template = self.world.publish(1)
        self.world.claim(a_person(), template)
        return template

    @cached_property
    def one_at_a_time(self) -> RuleSet:
        return self.world.rules(one_at_a_time=True)

    @cached_property
    def checker(self) -> Caller:
        """The bureau with another of its operators."""
        key = OperatorKey(b"who confirms".ljust(32, b"-"))
        operator = Operator(
            "OP-CHECKER3", "审*", key.public_key, "000000", None, self.world.now, duties=(Duty.REVIEWER, Duty.FINANCE)
        )
        self.world.platform.catalogue.operators.add(operator, None)
        return replace(self.bureau, operator_id=operator.operator_id, key=key)

    @cached_property
    def payer(self) -> Caller:
        """The bureau with an operator who pays."""
        key = OperatorKey(b"who pays".ljust(32, b"-"))
        operator = Operator("OP-PAYER3", "付*", key.public_key, "000000", None, self.world.now, duties=(Duty.PAYER,))
        self.world.platform.catalogue.operators.add(operator, None)
        return replace(self.bureau, operator_id=operator.operator_id, key=key)

    def assertion(self, person: Profile, purpose: str, subject: str | None = None, *, caller: Caller) -> str:
        return self.world.essc.assertion(
            person,
            app_key=caller.app_key,
            purpose=purpose,
            subject=subject,
            jti=f"jti-{next(_numbers):08}",
            now=self.world.now,
        )

    def holder(self, person: Profile) -> Caller:
        """The channel with this person's session."""
        jws = self.assertion(person, "session", caller=self.channel)
        opened = self.channel.post("/v1/sessions", {"assertion": jws}, key=None)
        return replace(self.channel, session=opened["session"])


def a_scene(world: World) -> Scene:
    made = _recorded(world)
    return Scene(
        made,
        a_caller(made, "BUREAU3", Role.MINISTRY, "000000"),
        a_caller(made, "CHANNEL3", Role.CHANNEL, "000000"),
        a_caller(made, "DESK3", Role.INSTITUTION, CITY, INSTITUTION_ID),
    )


def _recorded(world: World) -> RecordedWorld:
    return RecordedWorld(**{one.name: getattr(world, one.name) for one in fields(World)})


@dataclass(frozen=True)
class Request:
    """One request that can be sent again as it is."""

    caller: Caller
    method: str
    target: str
    body: object = None
    key: str = ""
    warm: bool = False
    """Whether the container keeps what it remembers; else it has just been started."""

    def send(self) -> HTTPResponse:
        return self.caller.send(self.method, self.target, self.body, self.key)


def get(caller: Caller, target: str) -> Request:
    return Request(caller, "GET", target)


def post(caller: Caller, target: str, body: object = None) -> Request:
    return Request(caller, "POST", target, body, f"crash-{next(_numbers)}")


def ask(caller: Caller, target: str, body: object) -> Request:
    """A POST that changes nothing and takes no key."""
    return Request(caller, "POST", target, body)


Prepare = Callable[[Scene], Request]
SCENES: dict[str, dict[str, Prepare]] = {}
"""By operation, then by what makes the difference where an operation makes different calls; mostly that is nothing."""


REFUSALS: dict[str, dict[str, Prepare]] = {}
"""Requests that must be refused and leave nothing behind, by operation and reason."""


def scene(
    label: str, variant: str = "", *, among: dict[str, dict[str, Prepare]] = SCENES
) -> Callable[[Prepare], Prepare]:
    def add(prepare: Prepare) -> Prepare:
        among.setdefault(label, {})[variant] = prepare
        return prepare

    return add


refusal = partial(scene, among=REFUSALS)


def _simple(label: str, prepare: Prepare) -> None:
    scene(label)(prepare)


# --- open to all -----------------------------------------------------------------------------------------------------

_simple("GET /v1/time", lambda s: get(s.channel, "/v1/time"))
_simple("GET /v1/keys", lambda s: get(s.channel, "/v1/keys"))
_simple("GET /v1/openapi.json", lambda s: get(s.channel, "/v1/openapi.json"))

# --- money -----------------------------------------------------------------------------------------------------------

BUDGET = {"amount_fen": 7, "note": "追加"}
_years = itertools.cycle(range(2022, 2100))  # each act has tables of its own


@scene("POST /v1/accounts/{account_id}/budget")
def change_budget(s: Scene) -> Request:
    opened = open_account(s).send().json_body
    return post(s.bureau, f"/v1/accounts/{opened['account_id']}/budget", BUDGET)


@scene("POST /v1/accounts")
def open_account(s: Scene) -> Request:
    return post(s.bureau, "/v1/accounts", {"region": "440100", "year": next(_years), "budget_fen": 7})


_simple("GET /v1/accounts", lambda s: get(s.bureau, f"/v1/accounts?region={CITY}&limit=1"))
_simple("GET /v1/accounts/{account_id}", lambda s: get(s.bureau, f"/v1/accounts/{s.world.account_id}"))
_simple(
    "GET /v1/accounts/{account_id}/postings", lambda s: get(s.bureau, f"/v1/accounts/{s.world.account_id}/postings")
)
_simple(
    "GET /v1/accounts/{account_id}/statements/{month}",
    lambda s: get(s.bureau, f"/v1/accounts/{s.world.account_id}/statements/2021-05?format=csv"),
)
# Years that are over, each with a next one that nothing else opens.
_past = itertools.cycle(itertools.product(("440100", "440000", "000000", CITY), range(2000, 2020, 2)))


@scene("POST /v1/accounts/{account_id}/carry-over")
def carry_over(s: Scene) -> Request:
    region, year = next(_past)
    opened = s.bureau.post("/v1/accounts", {"region": region, "year": year, "budget_fen": 7}, status=201)
    return post(s.bureau, f"/v1/accounts/{opened['account_id']}/carry-over")


def a_transfer(s: Scene) -> dict[str, object]:
    """What is asked for: budget goes from the world's account to that of the other city."""
    receiver = f"440100-{s.world.account_id.partition('-')[2]}"
    if s.world.platform.accounts.read(receiver) is None:
        region, _, year = receiver.partition("-")
        s.bureau.post("/v1/accounts", {"region": region, "year": int(year), "budget_fen": 7}, status=201)
    return {"giver": s.world.account_id, "receiver": receiver, "amount_fen": 7, "reason": "年中调剂"}


def proposed_transfer(s: Scene) -> str:
    return str(s.bureau.post("/v1/budget-transfers", a_transfer(s), status=201)["transfer_id"])


_simple("POST /v1/budget-transfers", lambda s: post(s.bureau, "/v1/budget-transfers", a_transfer(s)))
_simple(
    "POST /v1/budget-transfers/{transfer_id}/confirm",
    lambda s: post(s.checker, f"/v1/budget-transfers/{proposed_transfer(s)}/confirm"),
)
_simple(
    "POST /v1/budget-transfers/{transfer_id}/decline",
    lambda s: post(s.checker, f"/v1/budget-transfers/{proposed_transfer(s)}/decline", {"reason": "预算不足"}),
)
_simple("GET /v1/budget-transfers", lambda s: get(s.bureau, "/v1/budget-transfers?region=440000"))
_simple(
    "GET /v1/budget-transfers/{transfer_id}",
    lambda s: get(s.bureau, f"/v1/budget-transfers/{proposed_transfer(s)}"),
)

# --- access ----------------------------------------------------------------------------------------------------------


def a_public_key() -> str:
    return OperatorKey(f"key {next(_numbers)}".encode().ljust(32, b"-")).public_key


def a_kid(s: Scene) -> str:
    kid = f"kid-{next(_numbers)}"
    s.bureau.post("/v1/assertion-keys", {"kid": kid, "public_key": a_public_key()}, status=201)
    return kid


def a_client(s: Scene) -> str:
    asked = {"name": "渠道", "role": "channel", "regions": [CITY]}
    return str(s.bureau.post("/v1/clients", asked, status=201)["client"]["app_key"])


def an_operator(s: Scene) -> str:
    asked = {"name": "李四", "public_key": a_public_key(), "region": CITY}
    return str(s.bureau.post("/v1/operators", asked, status=201)["operator_id"])


_simple(
    "POST /v1/assertion-keys",
    lambda s: post(s.bureau, "/v1/assertion-keys", {"kid": f"kid-{next(_numbers)}", "public_key": a_public_key()}),
)
_simple("GET /v1/assertion-keys", lambda s: get(s.bureau, "/v1/assertion-keys"))
_simple("POST /v1/assertion-keys/{kid}/disable", lambda s: post(s.bureau, f"/v1/assertion-keys/{a_kid(s)}/disable"))
_simple(
    "POST /v1/clients",
    lambda s: post(s.bureau, "/v1/clients", {"name": "渠道", "role": "channel", "regions": [CITY]}),
)
_simple("GET /v1/clients", lambda s: get(s.bureau, f"/v1/clients?region={CITY}"))
_simple("GET /v1/clients/{app_key}", lambda s: get(s.bureau, f"/v1/clients/{a_client(s)}"))
_simple(
    "POST /v1/clients/{app_key}/secrets",
    lambda s: post(s.bureau, f"/v1/clients/{a_client(s)}/secrets", {"overlap_seconds": 60}),
)
_simple(
    "POST /v1/clients/{app_key}/pace",
    lambda s: post(s.bureau, f"/v1/clients/{a_client(s)}/pace", {"requests_per_second": 7}),
)
_simple("POST /v1/clients/{app_key}/disable", lambda s: post(s.bureau, f"/v1/clients/{a_client(s)}/disable"))
_simple(
    "POST /v1/operators",
    lambda s: post(s.bureau, "/v1/operators", {"name": "李四", "public_key": a_public_key(), "region": CITY}),
)
_simple("GET /v1/operators", lambda s: get(s.bureau, f"/v1/operators?region={CITY}"))
_simple("GET /v1/operators/{operator_id}", lambda s: get(s.bureau, f"/v1/operators/{an_operator(s)}"))
_simple("POST /v1/operators/{operator_id}/disable", lambda s: post(s.bureau, f"/v1/operators/{an_operator(s)}/disable"))

# --- catalogue -------------------------------------------------------------------------------------------------------


def a_school(s: Scene) -> str:
    asked = school()
    s.bureau.post("/v1/institutions", asked, status=201)
    return str(asked["institution_id"])


def a_school_that_was(s: Scene, *steps: str, admission: str = "admitted") -> str:
    """Recorded so, and taken through these steps."""
    asked = school() | {"admission": admission}
    s.bureau.post("/v1/institutions", asked, status=201)
    for step in steps:
        s.bureau.post(f"/v1/institutions/{asked['institution_id']}/{step}", {"reason": "年度评估"})
    return str(asked["institution_id"])


def school() -> dict[str, Any]:
    return {
        "institution_id": a_uscc(),
        "region": CITY,
        "name_zh": "学校",
        "name_en": "School",
        "kind": "school",
        "coordinates": {"latitude": "22.543096", "longitude": "114.057865", "datum": "wgs84"},
    }


def admission(step: str, *before: str, begins: str = "admitted") -> None:
    def prepare(s: Scene) -> Request:
        school_id = a_school_that_was(s, *before, admission=begins)
        return post(s.bureau, f"/v1/institutions/{school_id}/{step}", {"reason": "年度评估"})

    scene(f"POST /v1/institutions/{{institution_id}}/{step}")(prepare)


admission("admit", begins="candidate")
admission("suspend")
admission("readmit", "suspend")
admission("withdraw")
admission("reapply", "withdraw")


STAFF_PATH = f"/v1/institutions/{INSTITUTION_ID}/staff"
TERMINALS_PATH = f"/v1/institutions/{INSTITUTION_ID}/terminals"
TERMINAL = DemoTerminal(b"card terminal, tests, 32 bytes!!")


def staff_body(person: Profile) -> dict[str, Any]:
    return {"name": person.name, "id_type": person.id_type, "id_number": person.id_number, "mobile": person.mobile}


def a_member(s: Scene, person: Profile | None = None) -> str:
    """The id of somebody who scans for the institution."""
    return str(s.desk.post(STAFF_PATH, staff_body(person or a_person()), status=201)["staff_id"])


def a_terminal(s: Scene) -> str:
    asked = {"name": "一号窗口", "public_key": TERMINAL.public_key}
    return str(s.bureau.post(TERMINALS_PATH, asked, status=201)["terminal_id"])


def a_card_read(s: Scene, person: Profile, purpose: str, template: Template) -> str:
    return TERMINAL.card_read(
        a_terminal(s),
        person,
        card_number=f"A{person.id_number[-8:-1]}",
        app_key=s.desk.app_key,
        purpose=purpose,
        subject=template.template_id,
        jti=f"jti-{next(_numbers):08}",
        now=s.world.now,
    )


_simple(
    "POST /v1/institutions/{institution_id}/staff",
    lambda s: post(s.bureau, f"/v1/institutions/{a_school(s)}/staff", staff_body(a_person())),
)
_simple("GET /v1/institutions/{institution_id}/staff", lambda s: get(s.desk, f"{STAFF_PATH}?limit=1"))
_simple("GET /v1/institutions/{institution_id}/staff/{staff_id}", lambda s: get(s.desk, f"{STAFF_PATH}/{a_member(s)}"))
_simple(
    "POST /v1/institutions/{institution_id}/staff/{staff_id}/disable",
    lambda s: post(s.desk, f"{STAFF_PATH}/{a_member(s)}/disable"),
)


@scene("POST /v1/institutions/{institution_id}/staff/{staff_id}/enable")
def enable_staff(s: Scene) -> Request:
    path = f"{STAFF_PATH}/{a_member(s)}"
    s.desk.post(f"{path}/disable")
    return post(s.desk, f"{path}/enable")


_simple(
    "POST /v1/institutions/{institution_id}/terminals",
    lambda s: post(
        s.bureau, f"/v1/institutions/{a_school(s)}/terminals", {"name": "一号窗口", "public_key": a_public_key()}
    ),
)
_simple("GET /v1/institutions/{institution_id}/terminals", lambda s: get(s.desk, f"{TERMINALS_PATH}?limit=1"))
_simple(
    "POST /v1/institutions/{institution_id}/terminals/{terminal_id}/disable",
    lambda s: post(s.bureau, f"{TERMINALS_PATH}/{a_terminal(s)}/disable"),
)


@refusal("POST /v1/institutions/{institution_id}/staff", "refused: registered already")
def register_staff_twice(s: Scene) -> Request:
    person = a_person()
    a_member(s, person)
    return post(s.desk, STAFF_PATH, staff_body(person))


@refusal("POST /v1/institutions/{institution_id}/readmit", "refused: not suspended")
def readmit_who_is_admitted(s: Scene) -> Request:
    return post(s.bureau, f"/v1/institutions/{a_school(s)}/readmit")


@scene("POST /v1/courses")
def add_course(s: Scene) -> Request:
    asked = {
        "programme_id": s.world.programme.programme_id,
        "institution_id": INSTITUTION_ID,
        "name_zh": "电工（初级）",
        "name_en": "Electrician (junior)",
        "hours": 40,
    }
    return post(s.bureau, "/v1/courses", asked)


@scene("POST /v1/programmes")
def add_programme(s: Scene) -> Request:
    asked = {
        "region": CITY,
        "name_zh": "电工",
        "name_en": "Electrician",
        "programme_type": "enterprise_staff",
        "standard_fen": 100_000,
    }
    return post(s.bureau, "/v1/programmes", asked)


@scene("POST /v1/regions/{code}/rules")
def decide_rules(s: Scene) -> Request:
    caps = [{"rule": "three_a_year", "window": "year", "by": "all", "limit": 3}]
    asked = {"effective_from": "2021-05-01", "caps": caps, "help_line": "0755-12333"}
    return post(s.bureau, f"/v1/regions/{a_county(s)}/rules", asked)


def claim_by_proxy(s: Scene) -> tuple[Request, Profile]:
    """A relative's claim, and whom it is for."""
    template_id, person = published(s), a_person()
    relative = s.assertion(a_person(), "proxy", template_id, caller=s.channel)
    asked = {
        "template_id": template_id,
        "assertion": s.assertion(person, "claim", template_id, caller=s.channel),
        "proxy": {"assertion": relative, "kin": "child"},
    }
    return post(s.channel, "/v1/claims", asked), person


@scene("POST /v1/claims", "by a relative")
def claim_for_somebody(s: Scene) -> Request:
    return claim_by_proxy(s)[0]


def _related(s: Scene) -> tuple[Caller, str]:
    """Somebody with a relative, and the relation."""
    claimed, person = claim_by_proxy(s)
    relation_id = claimed.send().json_body["facts"]["proxy"]
    return s.holder(person), relation_id


@scene("POST /v1/relations/{relation_id}/revocation")
def end_relation(s: Scene) -> Request:
    holder, relation_id = _related(s)
    return post(holder, f"/v1/relations/{relation_id}/revocation")


_simple("GET /v1/relations", lambda s: get(_related(s)[0], "/v1/relations"))


def a_county(s: Scene) -> str:
    county = f"44{5_000 + next(_numbers)}"
    s.world.platform.catalogue.regions.add(Region(county, "某区", "A county", "county", CITY), None)
    return county


@scene("POST /v1/regions/{code}/rules/withdrawal")
def withdraw_rules(s: Scene) -> Request:
    county = a_county(s)
    waits = {"effective_from": "2021-12-31", "one_at_a_time": True}
    version = s.bureau.post(f"/v1/regions/{county}/rules", waits, status=201)["version"]
    return post(s.bureau, f"/v1/regions/{county}/rules/withdrawal", {"version": version})


LISTED = {"group": "veteran", "until": "2021-12-31"}


@scene("POST /v1/regions/{code}/eligible-people")
def enlist(s: Scene) -> Request:
    person = a_person()
    body = {"name": person.name, "id_number": person.id_number, **LISTED}
    return post(s.bureau, f"/v1/regions/{a_county(s)}/eligible-people", body)


def _listed(s: Scene) -> tuple[str, str]:
    """Where, and the number."""
    county, person = a_county(s), a_person()
    path = f"/v1/regions/{county}/eligible-people"
    s.bureau.post(path, {"name": person.name, "id_number": person.id_number, **LISTED})
    return path, person.id_number


@scene("POST /v1/regions/{code}/eligible-people/removal")
def strike_off(s: Scene) -> Request:
    path, number = _listed(s)
    return post(s.bureau, f"{path}/removal", {"id_number": number, "group": "veteran"})


@scene("POST /v1/regions/{code}/eligible-people/search")
def look_up(s: Scene) -> Request:
    path, number = _listed(s)
    return ask(s.bureau, f"{path}/search", {"id_number": number})


def _serviced(s: Scene) -> str:
    """The path of the service of a county that has one."""
    county = a_county(s)
    s.world.decide_service(region=county)
    return f"/v1/regions/{county}/eligibility-service"


@scene("POST /v1/regions/{code}/eligibility-service")
def decide_service(s: Scene) -> Request:
    path = f"/v1/regions/{a_county(s)}/eligibility-service"
    return post(s.bureau, path, {"url": eligibility.URL, "remember_seconds": 60})


@scene("POST /v1/regions/{code}/eligibility-service", "decided before")
def move_service(s: Scene) -> Request:
    return post(s.bureau, _serviced(s), {"url": eligibility.URL})


@scene("POST /v1/regions/{code}/eligibility-service/trial")
def try_service(s: Scene) -> Request:
    person = a_person()
    body = {"name": person.name, "id_type": person.id_type, "id_number": person.id_number}
    return ask(s.bureau, f"{_serviced(s)}/trial", body)


_simple("GET /v1/regions/{code}/eligibility-service", lambda s: get(s.bureau, _serviced(s)))
_simple(
    "POST /v1/regions/{code}/eligibility-service/rotation",
    lambda s: post(s.bureau, f"{_serviced(s)}/rotation", {"starts_in_seconds": 60}),
)
_simple("POST /v1/regions/{code}/eligibility-service/disable", lambda s: post(s.bureau, f"{_serviced(s)}/disable"))
_simple(
    "POST /v1/regions/{code}/rules/preview",
    lambda s: ask(s.bureau, f"/v1/regions/{CITY}/rules/preview", {"effective_from": "2021-12-31", "caps": []}),
)
_simple("GET /v1/regions/{code}/rule-sets", lambda s: get(s.bureau, f"/v1/regions/{CITY}/rule-sets"))
_simple("GET /v1/courses", lambda s: get(s.bureau, f"/v1/courses?institution_id={INSTITUTION_ID}"))
_simple("GET /v1/courses/{course_id}", lambda s: get(s.bureau, f"/v1/courses/{s.world.course.course_id}"))
_simple("POST /v1/institutions", lambda s: post(s.bureau, "/v1/institutions", school()))
_simple("GET /v1/institutions", lambda s: get(s.bureau, f"/v1/institutions?region={CITY}"))
_simple("GET /v1/institutions/{institution_id}", lambda s: get(s.bureau, f"/v1/institutions/{INSTITUTION_ID}"))
_simple("GET /v1/programmes", lambda s: get(s.bureau, f"/v1/programmes?region={CITY}"))
_simple(
    "GET /v1/programmes/{programme_id}", lambda s: get(s.bureau, f"/v1/programmes/{s.world.programme.programme_id}")
)
_simple("GET /v1/regions", lambda s: get(s.bureau, "/v1/regions?parent=440000"))
_simple("GET /v1/regions/{code}", lambda s: get(s.bureau, f"/v1/regions/{CITY}"))
_simple("GET /v1/regions/{code}/rules", lambda s: get(s.bureau, f"/v1/regions/{CITY}/rules"))

# --- templates -------------------------------------------------------------------------------------------------------


def a_draft(s: Scene) -> str:
    return s.world.draft(5).template_id


def published(s: Scene) -> str:
    return s.world.publish(5).template_id


@scene("POST /v1/templates")
def draft_template(s: Scene) -> Request:
    asked = {
        "region": CITY,
        "account_id": s.world.account_id,
        "quantity": 5,
        "look": {"title": "深圳市职业培训券"},
        "business_mode": "foundation",
        "function_mode": "face_value",
        "distribution_mode": "open",
        "programme_id": s.world.programme.programme_id,
        "face_value_fen": 80_000,
        "claim_from": "2021-04-01",
        "claim_until": "2021-06-30",
        "valid_from": "2021-04-01",
        "valid_until": "2021-06-30",
    }
    return post(s.bureau, "/v1/templates", asked)


@scene("POST /v1/templates/{template_id}/publish", "16 shards")
def publish_wide(s: Scene) -> Request:
    return post(s.bureau, f"/v1/templates/{s.world.draft(50, peak_claims=192).template_id}/publish")


@scene("POST /v1/templates/{template_id}/resume")
def resume(s: Scene) -> Request:
    template = s.world.publish(5)
    s.world.act(publishing.suspend_template, template)
    return post(s.bureau, f"/v1/templates/{template.template_id}/resume")


scene("GET /v1/templates")(lambda s: get(s.bureau, f"/v1/templates?region={CITY}"))
scene("GET /v1/templates", "by a channel")(lambda s: get(s.channel, f"/v1/templates?region={CITY}"))
_simple("GET /v1/templates/{template_id}", lambda s: get(s.bureau, f"/v1/templates/{s.stock.template_id}"))
_simple(
    "GET /v1/templates/{template_id}/shards", lambda s: get(s.bureau, f"/v1/templates/{s.stock.template_id}/shards")
)
_simple("POST /v1/templates/{template_id}/publish", lambda s: post(s.bureau, f"/v1/templates/{a_draft(s)}/publish"))
_simple("POST /v1/templates/{template_id}/suspend", lambda s: post(s.bureau, f"/v1/templates/{published(s)}/suspend"))
_simple("POST /v1/templates/{template_id}/close", lambda s: post(s.bureau, f"/v1/templates/{published(s)}/close"))
_simple(
    "POST /v1/templates/{template_id}/additions",
    lambda s: post(s.bureau, f"/v1/templates/{published(s)}/additions", {"quantity": 3}),
)

LONGER = {"valid_until": "2021-07-31", "reason": "台风"}


@scene("POST /v1/templates/{template_id}/amendments")
def amend(s: Scene) -> Request:
    return post(s.bureau, f"/v1/templates/{published(s)}/amendments", LONGER)


def amended(s: Scene) -> str:
    template = s.world.publish(5)
    s.world.amend(template, valid_until=date(2021, 7, 31))
    return template.template_id


_simple("GET /v1/templates/{template_id}/amendments", lambda s: get(s.bureau, f"/v1/templates/{amended(s)}/amendments"))
_simple(
    "GET /v1/templates/{template_id}/amendments/{number}",
    lambda s: get(s.bureau, f"/v1/templates/{amended(s)}/amendments/1"),
)

# --- payment ---------------------------------------------------------------------------------------------------------


def granted(s: Scene) -> Application:
    """An application of which everything is granted, of an institution that has an account."""
    if s.world.platform.catalogue.bank_accounts.read(INSTITUTION_ID) is None:
        with_account(s.world)
    now = s.world.now
    there = approved(with_clerks(s.world), a_completed_class(s.world, 1)[0])
    s.world.clock.set(now)
    return there


def ready(s: Scene) -> str:
    batch = open_batch(s.world, granted(s))
    work_on(s.world, batch)
    return batch.batch_id


@scene("POST /v1/payment-batches")
def begin_batch(s: Scene) -> Request:
    asked = {"region": CITY, "application_ids": [granted(s).application_id]}
    return post(s.payer, "/v1/payment-batches", asked)


@scene("POST /v1/payment-batches/{batch_id}/bank-file")
def send_batch(s: Scene) -> Request:
    return post(s.payer, f"/v1/payment-batches/{ready(s)}/bank-file")


@scene("POST /v1/payment-batches/{batch_id}/cancellation")
def give_batch_up(s: Scene) -> Request:
    return post(s.payer, f"/v1/payment-batches/{ready(s)}/cancellation", {"reason": "账户有误"})


_simple("GET /v1/payment-batches", lambda s: get(s.payer, f"/v1/payment-batches?region={CITY}&limit=1"))
_simple("GET /v1/payment-batches/{batch_id}", lambda s: get(s.payer, f"/v1/payment-batches/{ready(s)}"))
_simple("GET /v1/payment-batches/{batch_id}/payees", lambda s: get(s.payer, f"/v1/payment-batches/{ready(s)}/payees"))


@scene("POST /v1/institutions/{institution_id}/bank-account")
def propose_account(s: Scene) -> Request:
    asked = {"account_name": "深圳测试培训学校", "bank": "测试银行", "account_number": "6222 0000 1111 2222"}
    return post(s.bureau, f"/v1/institutions/{newcomer(s)}/bank-account", asked)


@scene("POST /v1/institutions/{institution_id}/bank-account/confirmation")
def confirm_account(s: Scene) -> Request:
    institution_id = newcomer(s)
    propose(s.world, actor=s.world.bureau, institution_id=institution_id)
    return post(
        s.payer,
        f"/v1/institutions/{institution_id}/bank-account/confirmation",
        {"number": 1, "account_number": ACCOUNT},
    )


@scene("GET /v1/institutions/{institution_id}/bank-account")
def look_at_account(s: Scene) -> Request:
    propose(s.world)
    return get(s.desk, f"/v1/institutions/{INSTITUTION_ID}/bank-account")


def newcomer(s: Scene) -> str:
    institution = an_institution(a_uscc(), "新来的培训机构")
    s.world.platform.catalogue.institutions.add(institution, None)
    return institution.institution_id


# --- rosters ---------------------------------------------------------------------------------------------------------


def submitted(s: Scene) -> str:
    """An institution's, whose file has come."""
    roster, arrived = put_roster(s.world, s.directed, [row_of(a_person())], actor=s.world.desk)
    receive(s.world, arrived)
    return roster.roster_id


def finished(s: Scene) -> str:
    return import_roster(s.world, s.directed, [row_of(a_person()), row_of(a_person())]).roster_id


@scene("POST /v1/rosters")
def declare_roster(s: Scene) -> Request:
    asked = {"template_id": s.directed.template_id, "file_name": "名单.xlsx", "size": 10, "sha256": "0" * 64}
    return post(s.bureau, "/v1/rosters", asked)


@scene("POST /v1/rosters/{roster_id}/acceptance")
def accept_roster(s: Scene) -> Request:
    return post(s.bureau, f"/v1/rosters/{submitted(s)}/acceptance")


@scene("POST /v1/rosters/{roster_id}/return")
def return_roster(s: Scene) -> Request:
    return post(s.bureau, f"/v1/rosters/{submitted(s)}/return", {"reason": "缺少盖章"})


@scene("POST /v1/rosters/{roster_id}/cancellation")
def cancel_roster(s: Scene) -> Request:
    return post(s.bureau, f"/v1/rosters/{submitted(s)}/cancellation", {"reason": "放错了"})


@scene("POST /v1/rosters/{roster_id}/withdrawal")
def withdraw_roster(s: Scene) -> Request:
    return post(s.bureau, f"/v1/rosters/{finished(s)}/withdrawal", {"reason": "放错了"})


@scene("GET /v1/rosters/template")
def roster_workbook(s: Scene) -> Request:
    s.bureau.get("/v1/rosters/template")  # it is made for whoever asks first
    return get(s.bureau, "/v1/rosters/template")


_simple("GET /v1/rosters", lambda s: get(s.bureau, f"/v1/rosters?of={CITY}"))
_simple("GET /v1/rosters/{roster_id}", lambda s: get(s.bureau, f"/v1/rosters/{submitted(s)}"))
_simple("GET /v1/rosters/{roster_id}/result", lambda s: get(s.bureau, f"/v1/rosters/{finished(s)}/result"))
_simple("GET /v1/rosters/{roster_id}/rows", lambda s: get(s.bureau, f"/v1/rosters/{finished(s)}/rows"))
_simple("GET /v1/rosters/{roster_id}/withdrawn", lambda s: get(s.bureau, f"/v1/rosters/{finished(s)}/withdrawn"))


# --- vouchers --------------------------------------------------------------------------------------------------------


def claimed(s: Scene) -> tuple[Profile, str]:
    person = a_person()
    return person, s.world.claim(person, s.stock).answer.voucher_id


def redeemed(s: Scene) -> str:
    person, voucher_id = claimed(s)
    s.world.redeem(Presented(code=s.world.code(person, voucher_id)))
    return voucher_id


def place(s: Scene) -> dict[str, str]:
    return {"institution_id": INSTITUTION_ID, "course_id": s.world.course.course_id}


def claim_by(s: Scene, person: Profile, template: Template) -> Request:
    template_id = template.template_id
    jws = s.assertion(person, "claim", template_id, caller=s.channel)
    return post(s.channel, "/v1/claims", {"template_id": template_id, "assertion": jws, "entrance": "card"})


def issue_to(s: Scene, person: Profile) -> Request:
    return post(s.bureau, f"/v1/templates/{s.directed.template_id}/vouchers", staff_body(person))


@scene("POST /v1/templates/{template_id}/vouchers")
def issue_new(s: Scene) -> Request:
    return issue_to(s, a_person())


@scene("POST /v1/templates/{template_id}/vouchers", "somebody known")
def issue_known(s: Scene) -> Request:
    return issue_to(s, claimed(s)[0])


@refusal("POST /v1/templates/{template_id}/vouchers", "refused: has one already")
def issue_again(s: Scene) -> Request:
    person = a_person()
    issue_to(s, person).send()
    return issue_to(s, person)


@scene("POST /v1/claims", "of what was issued")
def take_issued(s: Scene) -> Request:
    person = a_person()
    issue_to(s, person).send()
    return claim_by(s, person, s.directed)


@scene("POST /v1/claims", "a newcomer")
def claim_new(s: Scene) -> Request:
    return claim_by(s, a_person(), s.stock)


@scene("POST /v1/claims", "somebody known")
def claim_known(s: Scene) -> Request:
    return claim_by(s, claimed(s)[0], s.other_stock)


@scene("POST /v1/claims", "one at a time, with a voucher that ended")
def claim_one_at_a_time(s: Scene) -> Request:
    s.one_at_a_time  # noqa: B018 - decided when first asked for
    person, voucher_id = claimed(s)
    s.world.revoke(voucher_id)
    return claim_by(s, person, s.other_stock)


@scene("POST /v1/claims", "the region's service is asked")
def claim_by_service(s: Scene) -> Request:
    return claim_by(s, a_person(), s.by_service)


def look(s: Scene, person: Profile) -> Request:
    jws = s.assertion(person, "claimable", CITY, caller=s.channel)
    return ask(s.channel, "/v1/claimable", {"region": CITY, "assertion": jws, "limit": 3})


@scene("POST /v1/claimable", "a stranger")
def look_as_a_stranger(s: Scene) -> Request:
    s.stock  # noqa: B018 - published when first asked for
    return look(s, a_person())


@scene("POST /v1/claimable", "somebody known")
def look_as_somebody_known(s: Scene) -> Request:
    return look(s, claimed(s)[0])


@scene("POST /v1/claims", "by card")
def claim_by_card(s: Scene) -> Request:
    card_read = a_card_read(s, a_person(), "claim", s.stock)
    return post(s.desk, "/v1/claims", {"template_id": s.stock.template_id, "card_read": card_read})


@scene("POST /v1/vouchers/{voucher_id}/return")
def give_back(s: Scene) -> Request:
    person, voucher_id = claimed(s)
    return post(s.holder(person), f"/v1/vouchers/{voucher_id}/return", {})


@scene("POST /v1/redemptions", "by token")
def redeem_by_token(s: Scene) -> Request:
    person, voucher_id = claimed(s)
    token = s.holder(person).get(f"/v1/vouchers/{voucher_id}/qr?format=token")["token"]
    return post(s.desk, "/v1/redemptions", place(s) | {"token": token})


@scene("POST /v1/redemptions", "by typed code")
def redeem_by_code(s: Scene) -> Request:
    return post(s.desk, "/v1/redemptions", place(s) | {"code": s.world.code(*claimed(s))})


@scene("POST /v1/redemptions", "by assertion")
def redeem_by_assertion(s: Scene) -> Request:
    template_id, (person, _) = s.stock.template_id, claimed(s)
    jws = s.assertion(person, "redeem", template_id, caller=s.desk)
    return post(s.desk, "/v1/redemptions", place(s) | {"assertion": jws, "template_id": template_id})


@scene("POST /v1/redemptions", "by card")
def redeem_by_card(s: Scene) -> Request:
    person, _ = claimed(s)
    card_read = a_card_read(s, person, "redeem", s.stock)
    return post(s.desk, "/v1/redemptions", place(s) | {"card_read": card_read, "template_id": s.stock.template_id})


def by_staff(s: Scene) -> dict[str, str]:
    """Somebody of the institution's staff, in the channel."""
    member = a_person()
    a_member(s, member)
    return {"staff_assertion": s.assertion(member, "staff", INSTITUTION_ID, caller=s.channel)}


@scene("POST /v1/redemptions", "by staff through a channel")
def redeem_by_staff(s: Scene) -> Request:
    return post(s.channel, "/v1/redemptions", place(s) | by_staff(s) | {"code": s.world.code(*claimed(s))})


@scene("POST /v1/vouchers/{voucher_id}/reversal", "by staff through a channel")
def reverse_by_staff(s: Scene) -> Request:
    return post(s.channel, f"/v1/vouchers/{redeemed(s)}/reversal", by_staff(s) | {"reason": "扫错了"})


@scene("POST /v1/verifications", "by staff through a channel")
def verify_by_staff(s: Scene) -> Request:
    return ask(s.channel, "/v1/verifications", place(s) | by_staff(s) | {"code": s.world.code(*claimed(s))})


@scene("POST /v1/verifications", "by card")
def verify_card(s: Scene) -> Request:
    person, _ = claimed(s)
    shown = {"card_read": a_card_read(s, person, "redeem", s.stock), "template_id": s.stock.template_id}
    return ask(s.desk, "/v1/verifications", place(s) | shown)


@scene("POST /v1/redemptions", "by terms that the voucher has not yet")
def redeem_by_newest_terms(s: Scene) -> Request:
    person, template = a_person(), s.world.publish(5, courses=("D" * 16,))
    code = s.world.code(person, s.world.claim(person, template).answer.voucher_id)
    s.world.amend(template, add_courses=(s.world.course.course_id,))
    return post(s.desk, "/v1/redemptions", place(s) | {"code": code})


@scene("POST /v1/verifications", "by token")
def verify_token(s: Scene) -> Request:
    person, voucher_id = claimed(s)
    token = s.holder(person).get(f"/v1/vouchers/{voucher_id}/qr?format=token")["token"]
    return ask(s.desk, "/v1/verifications", place(s) | {"token": token})


@scene("POST /v1/verifications", "by typed code")
def verify_code(s: Scene) -> Request:
    return ask(s.desk, "/v1/verifications", place(s) | {"code": s.world.code(*claimed(s))})


@scene("POST /v1/sessions")
def open_session(s: Scene) -> Request:
    jws = s.assertion(claimed(s)[0], "session", caller=s.channel)
    return ask(s.channel, "/v1/sessions", {"assertion": jws})


def of_holder(what: str) -> Prepare:
    def prepare(s: Scene) -> Request:
        person, voucher_id = claimed(s)
        return get(s.holder(person), f"/v1/{what}".replace("ID", voucher_id))

    return prepare


_simple("GET /v1/wallet", of_holder("wallet"))
_simple("GET /v1/vouchers/{voucher_id}", of_holder("vouchers/ID"))
_simple("GET /v1/vouchers/{voucher_id}/history", of_holder("vouchers/ID/history"))
_simple("GET /v1/vouchers/{voucher_id}/qr", of_holder("vouchers/ID/qr"))
_simple(
    "POST /v1/vouchers/{voucher_id}/reversal",
    lambda s: post(s.desk, f"/v1/vouchers/{redeemed(s)}/reversal", {"reason": "扫错了"}),
)
_simple(
    "POST /v1/vouchers/{voucher_id}/revocation",
    lambda s: post(s.bureau, f"/v1/vouchers/{claimed(s)[1]}/revocation", {"reason": "资格有误"}),
)


# --- people ----------------------------------------------------------------------------------------------------------


def known(s: Scene) -> str:
    """The id of somebody who has claimed."""
    return s.world.session(claimed(s)[0]).person_id


@scene("POST /v1/people/search", "by number")
def search_by_number(s: Scene) -> Request:
    person, _ = claimed(s)
    return ask(s.bureau, "/v1/people/search", {"id_type": person.id_type, "id_number": person.id_number})


@scene("POST /v1/people/search", "by voucher")
def search_by_voucher(s: Scene) -> Request:
    return ask(s.bureau, "/v1/people/search", {"voucher_id": claimed(s)[1]})


_simple(
    "POST /v1/people/{person_id}/disclosure",
    lambda s: post(s.bureau, f"/v1/people/{known(s)}/disclosure", {"reason": "核对名单"}),
)
_simple(
    "POST /v1/people/{person_id}/flags",
    lambda s: post(s.bureau, f"/v1/people/{known(s)}/flags", {"flag": "ineligible", "set": True, "reason": "已退休"}),
)


_simple(
    "POST /v1/people/{person_id}/corrections",
    lambda s: post(
        s.bureau, f"/v1/people/{known(s)}/corrections", {"name": "样例更正", "mobile": "13900000000", "reason": "更名"}
    ),
)


@scene("POST /v1/people/{person_id}/numbers")
def add_number(s: Scene) -> Request:
    fresh = a_person()
    number = {"id_type": fresh.id_type, "id_number": fresh.id_number, "corrects": True, "reason": "号码有误"}
    return post(s.bureau, f"/v1/people/{known(s)}/numbers", number)


@scene("POST /v1/people/{person_id}/flags", "taken away")
def take_flag_away(s: Scene) -> Request:
    flagged = known(s)
    s.bureau.post(f"/v1/people/{flagged}/flags", {"flag": "deceased", "set": True, "reason": "登记有误"})
    return post(s.bureau, f"/v1/people/{flagged}/flags", {"flag": "deceased", "set": False, "reason": "登记有误"})


def proposed(s: Scene) -> str:
    """The id of a merge that waits for its confirmation."""
    one, other = known(s), s.world.session(claimed_other(s)).person_id
    asked = {"survivor": one, "other": other, "reason": "同一人"}
    return str(s.bureau.post("/v1/merges", asked, status=201)["merge_id"])


def claimed_other(s: Scene) -> Profile:
    person = a_person()
    s.world.claim(person, s.other_stock)
    return person


@scene("POST /v1/merges")
def propose_merge(s: Scene) -> Request:
    one, other = known(s), s.world.session(claimed_other(s)).person_id
    return post(s.bureau, "/v1/merges", {"survivor": one, "other": other, "reason": "同一人"})


@scene("POST /v1/merges/{merge_id}/undo")
def undo_merge(s: Scene) -> Request:
    merge_id = proposed(s)
    s.checker.post(f"/v1/merges/{merge_id}/confirm")
    return post(s.bureau, f"/v1/merges/{merge_id}/undo", {"reason": "不是同一人"})


def merged(s: Scene) -> tuple[Profile, Profile, str]:
    """One person by two numbers, and the voucher of the second one's record."""
    (one, _), other = claimed(s), a_person()
    voucher_id = s.world.claim(other, s.other_stock).answer.voucher_id
    survivor, merged_into = (s.world.session(person).person_id for person in (one, other))
    asked = {"survivor": survivor, "other": merged_into, "reason": "同一人"}
    merge_id = s.bureau.post("/v1/merges", asked, status=201)["merge_id"]
    s.checker.post(f"/v1/merges/{merge_id}/confirm")
    return one, other, voucher_id


@scene("POST /v1/claims", "a person with two records")
def claim_merged(s: Scene) -> Request:
    return claim_by(s, merged(s)[1], s.world.publish(5))


@scene("POST /v1/redemptions", "of a person with two records")
def redeem_merged(s: Scene) -> Request:
    one, _, voucher_id = merged(s)
    return post(s.desk, "/v1/redemptions", place(s) | {"code": s.world.code(one, voucher_id)})


@scene("GET /v1/wallet", "of a person with two records")
def wallet_of_merged(s: Scene) -> Request:
    return get(s.holder(merged(s)[0]), "/v1/wallet?limit=1")


_simple("POST /v1/merges/{merge_id}/confirm", lambda s: post(s.checker, f"/v1/merges/{proposed(s)}/confirm"))
_simple("GET /v1/merges/{merge_id}", lambda s: get(s.bureau, f"/v1/merges/{proposed(s)}"))
_simple("GET /v1/merges", lambda s: get(s.bureau, "/v1/merges?region=000000"))
_simple("GET /v1/people/{person_id}/records", lambda s: get(s.bureau, f"/v1/people/{known(s)}/records"))
_simple("GET /v1/name-differences", lambda s: get(s.bureau, "/v1/name-differences?region=440300"))
_simple("GET /v1/disclosures", lambda s: get(s.bureau, "/v1/disclosures?region=000000"))


# --- classes ----------------------------------------------------------------------------------------------------------


def session_body(s: Scene, *, days: int = 0) -> dict[str, Any]:
    starts_at = s.world.now + timedelta(days=days)
    room = {"name": "实训楼 301", "latitude": 22.543096, "longitude": 114.057865, "datum": "gcj02"}
    return {
        "starts_at": to_text(starts_at),
        "ends_at": to_text(starts_at + timedelta(hours=3)),
        "place": room,
        "teacher": "测试师",
    }


def class_body(s: Scene, *days: int) -> dict[str, Any]:
    sessions = [session_body(s, days=day) for day in days or (0, 1)]
    return place(s) | {"name": "电工一班", "teacher": "测试师", "capacity": 30, "sessions": sessions}


def a_class(s: Scene, *days: int) -> str:
    return str(s.desk.post("/v1/classes", class_body(s, *days), status=201)["class_id"])


def a_class_that_is_over(s: Scene) -> str:
    """Its only session was yesterday; somebody is on it."""
    class_id, _, _ = on_class(s, 1)
    shelf = s.world.platform.catalogue.classes
    there = shelf.read(class_id)
    assert there is not None
    begun = s.world.now - timedelta(days=1)
    past = tuple(replace(one, starts_at=begun, ends_at=begun + timedelta(hours=3)) for one in there.sessions)
    shelf.change(
        replace(there, sessions=past, version=there.version + 1),
        Mark(s.world.attempt(None, b"{}", s.world.desk), there, s.world.now),
    )
    return class_id


def on_class(s: Scene, *days: int) -> tuple[str, Profile, str]:
    """(class, somebody on it, their voucher)."""
    class_id = a_class(s, *days)
    person, voucher_id = claimed(s)
    s.world.redeem(Presented(code=s.world.code(person, voucher_id)))
    s.desk.post(f"/v1/classes/{class_id}/enrolments", {"voucher_ids": [voucher_id]})
    return class_id, person, voucher_id


THERE = {"latitude": 22.5431, "longitude": 114.0579, "datum": "gcj02", "accuracy": 12.0}
REASON = {"reason": "教师生病"}


@scene("POST /v1/classes/{class_id}/enrolments")
def enrol(s: Scene) -> Request:
    return post(s.desk, f"/v1/classes/{a_class(s)}/enrolments", {"voucher_ids": [redeemed(s)]})


@scene("POST /v1/classes/{class_id}/enrolments/{voucher_id}/leave")
def leave_class(s: Scene) -> Request:
    class_id, _, voucher_id = on_class(s)
    return post(s.desk, f"/v1/classes/{class_id}/enrolments/{voucher_id}/leave", REASON)


@scene("POST /v1/classes/{class_id}/enrolments/by-roster")
def enrol_by_roster(s: Scene) -> Request:
    person = a_person()
    roster, arrived = put_roster(s.world, s.directed, [row_of(person)], actor=s.world.desk)
    receive(s.world, arrived)
    s.bureau.post(f"/v1/rosters/{roster.roster_id}/acceptance")
    carry_on(s.world, roster.roster_id)
    voucher_id = s.world.claim(person, s.directed).answer.voucher_id
    s.world.redeem(Presented(code=s.world.code(person, voucher_id)))
    return post(s.desk, f"/v1/classes/{a_class(s)}/enrolments/by-roster", {"roster_id": roster.roster_id})


@scene("POST /v1/classes/{class_id}/transfers")
def change_class(s: Scene) -> Request:
    class_id, _, voucher_id = on_class(s)
    asked = {"voucher_id": voucher_id, "to_class_id": a_class(s), "reason": "时间不合适"}
    return post(s.desk, f"/v1/classes/{class_id}/transfers", asked)


@scene("POST /v1/check-ins")
def check_in(s: Scene) -> Request:
    class_id, person, _ = on_class(s)
    return post(s.holder(person), "/v1/check-ins", {"class_id": class_id, "position": THERE, "device": "device-0001"})


@scene("POST /v1/check-ins", "by the class's code")
def check_in_by_code(s: Scene) -> Request:
    class_id, person, _ = on_class(s)
    code = s.desk.get(f"/v1/classes/{class_id}/code")["code"]
    return post(s.holder(person), "/v1/check-ins", {"class_id": class_id, "class_code": code})


@scene("POST /v1/classes/{class_id}/check-ins")
def scan(s: Scene) -> Request:
    class_id, person, voucher_id = on_class(s)
    return post(s.desk, f"/v1/classes/{class_id}/check-ins", {"code": s.world.code(person, voucher_id)})


@scene("POST /v1/classes/{class_id}/check-ins/by-hand")
def check_in_by_hand(s: Scene) -> Request:
    class_id, _, voucher_id = on_class(s, 0, 1, 2, 3, 4)
    asked = {"voucher_id": voucher_id, "session_id": "S001", "reason": "手机没电"}
    return post(s.desk, f"/v1/classes/{class_id}/check-ins/by-hand", asked)


@scene("POST /v1/classes/{class_id}/check-ins/reported")
def report(s: Scene) -> Request:
    class_id, _, voucher_id = on_class(s)
    items = [{"voucher_id": voucher_id, "session_id": "S001", "at": to_text(s.world.now)}]
    return post(s.desk, f"/v1/classes/{class_id}/check-ins/reported", {"tool": "刷脸机", "items": items})


def completed(s: Scene) -> tuple[str, Profile, str]:
    """A class that is finished, and somebody who completed it."""
    class_id, person, voucher_id = on_class(s, 0)
    s.holder(person).post("/v1/check-ins", {"class_id": class_id, "position": THERE}, status=201)
    shelf = s.world.platform.catalogue.classes
    there = shelf.read(class_id)
    assert there is not None
    over = tuple(replace(one, ends_at=one.starts_at) for one in there.sessions)
    changed = replace(there, sessions=over, version=there.version + 1)
    shelf.change(changed, Mark(s.world.attempt(None, b"{}", s.world.desk), there, s.world.now))
    s.desk.post(f"/v1/classes/{class_id}/finish")
    return class_id, person, voucher_id


RATINGS = [
    {"dimension": name, "stars": stars}
    for name, stars in {"teaching": 5, "content": 4, "place": 3, "service": 5}.items()
]


@scene("POST /v1/evaluations")
def evaluate(s: Scene) -> Request:
    class_id, person, _ = completed(s)
    return post(s.holder(person), "/v1/evaluations", {"class_id": class_id, "ratings": RATINGS, "text": "很好"})


@scene("POST /v1/classes/{class_id}/evaluations/{words_id}/release")
def release_words(s: Scene) -> Request:
    s.world.rules(held_words=("退费",))
    class_id, person, _ = completed(s)
    asked = {"class_id": class_id, "ratings": RATINGS, "text": "要求退 费"}
    s.holder(person).post("/v1/evaluations", asked)
    (held,) = s.bureau.get(f"/v1/classes/{class_id}/evaluations")["words"]
    return post(s.bureau, f"/v1/classes/{class_id}/evaluations/{held['words_id']}/release")


@scene("POST /v1/classes/{class_id}/enrolments/{voucher_id}/rating")
def rate_trainee(s: Scene) -> Request:
    class_id, _, voucher_id = completed(s)
    return post(s.desk, f"/v1/classes/{class_id}/enrolments/{voucher_id}/rating", {"rating": 5})


@scene("POST /v1/classes/{class_id}/leaves")
def enter_leave(s: Scene) -> Request:
    class_id, _, voucher_id = on_class(s)
    asked = {"voucher_id": voucher_id, "session_id": "S002", "reason": "就医"}
    return post(s.desk, f"/v1/classes/{class_id}/leaves", asked)


@scene("POST /v1/vouchers/{voucher_id}/reversal", "somebody is on a class by it")
def reverse_off_a_class(s: Scene) -> Request:
    return post(s.desk, f"/v1/vouchers/{on_class(s)[2]}/reversal", {"reason": "扫错了"})


_simple("POST /v1/classes", lambda s: post(s.desk, "/v1/classes", class_body(s)))
_simple(
    "GET /v1/institutions/{institution_id}/classes",
    lambda s: get(s.desk, f"/v1/institutions/{INSTITUTION_ID}/classes?limit=1"),
)
_simple("GET /v1/classes/{class_id}", lambda s: get(s.desk, f"/v1/classes/{a_class(s)}"))
_simple("GET /v1/classes/{class_id}/evaluations", lambda s: get(s.bureau, f"/v1/classes/{a_class(s)}/evaluations"))
_simple("GET /v1/classes/{class_id}/code", lambda s: get(s.desk, f"/v1/classes/{a_class(s)}/code"))
_simple("GET /v1/classes/{class_id}/enrolments", lambda s: get(s.bureau, f"/v1/classes/{on_class(s)[0]}/enrolments"))
_simple("GET /v1/classes/{class_id}/papers", lambda s: get(s.desk, f"/v1/classes/{on_class(s)[0]}/papers?format=xlsx"))
_simple("POST /v1/classes/{class_id}", lambda s: post(s.desk, f"/v1/classes/{a_class(s)}", {"capacity": 40}))
_simple(
    "POST /v1/classes/{class_id}/sessions",
    lambda s: post(s.desk, f"/v1/classes/{a_class(s)}/sessions", {"sessions": [session_body(s, days=9)]}),
)
_simple(
    "POST /v1/classes/{class_id}/sessions/{session_id}",
    lambda s: post(s.desk, f"/v1/classes/{a_class(s)}/sessions/S002", {"teacher": "代课师"}),
)
_simple(
    "POST /v1/classes/{class_id}/sessions/{session_id}/cancellation",
    lambda s: post(s.desk, f"/v1/classes/{a_class(s)}/sessions/S002/cancellation", REASON),
)
_simple(
    "POST /v1/classes/{class_id}/cancellation", lambda s: post(s.desk, f"/v1/classes/{a_class(s)}/cancellation", REASON)
)
_simple("POST /v1/classes/{class_id}/finish", lambda s: post(s.desk, f"/v1/classes/{a_class_that_is_over(s)}/finish"))


# --- what is refused -------------------------------------------------------------------------------------------------


@refusal("POST /v1/claims", "refused: claimed already")
def claim_twice(s: Scene) -> Request:
    return claim_by(s, claimed(s)[0], s.stock)


@refusal("POST /v1/claims", "refused: by the region's service")
def claim_as_a_student(s: Scene) -> Request:
    return claim_by(s, a_person(birth=date(2002, 1, 1)), s.by_service)


@refusal("POST /v1/claims", "refused: sold out")
def claim_what_is_gone(s: Scene) -> Request:
    return claim_by(s, a_person(), s.sold_out)


@refusal("POST /v1/redemptions", "refused: the person is flagged")
def redeem_flagged(s: Scene) -> Request:
    person, voucher_id = claimed(s)
    code = s.world.code(person, voucher_id)
    flag = {"flag": "deceased", "set": True, "reason": "已去世"}
    s.bureau.post(f"/v1/people/{s.world.session(person).person_id}/flags", flag)
    return post(s.desk, "/v1/redemptions", place(s) | {"code": code})


@refusal("POST /v1/redemptions", "refused: redeemed already")
def redeem_twice(s: Scene) -> Request:
    person, voucher_id = claimed(s)
    code = s.world.code(person, voucher_id)
    s.world.redeem(Presented(code=code))
    return post(s.desk, "/v1/redemptions", place(s) | {"code": code})


@refusal("POST /v1/vouchers/{voucher_id}/reversal", "refused: not redeemed any more")
def reverse_twice(s: Scene) -> Request:
    voucher_id = redeemed(s)
    s.world.reverse(voucher_id)
    return post(s.desk, f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"})


@refusal("POST /v1/templates/{template_id}/publish", "refused: published already")
def publish_twice(s: Scene) -> Request:
    return post(s.bureau, f"/v1/templates/{s.stock.template_id}/publish")


@refusal("POST /v1/accounts/{account_id}/budget", "refused: more than is free")
def overdraw(s: Scene) -> Request:
    opened = open_account(s).send().json_body
    return post(s.bureau, f"/v1/accounts/{opened['account_id']}/budget", BUDGET | {"amount_fen": -8})


@refusal("POST /v1/vouchers/{voucher_id}/reversal", "refused: its key was used for another body")
def reuse_a_key(s: Scene) -> Request:
    voucher_id = redeemed(s)
    used = post(s.desk, f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"})
    used.send()
    return replace(used, body={"reason": "又扫错了"})


@refusal("POST /v1/accounts", "refused: there already")
def open_twice(s: Scene) -> Request:
    account = open_account(s)
    account.send()
    return replace(account, key=f"crash-{next(_numbers)}")


# --- settled elsewhere, clawed back, published ------------------------------------------------------------------------

ELSEWHERE = "440100"
"""A payer region whose rules nobody else here looks at."""


def filed(s: Scene, **changes: object) -> tuple[Application, str]:
    """An application with one voucher, and that; the clock stands where it stood."""
    before = s.world.now
    training, (voucher_id,) = a_completed_class(with_clerks(s.world), 1)
    there = collected(s.world, training)
    s.world.clock.set(before)
    if changes:
        there = replace(there, version=there.version + 1, **changes)  # type: ignore[arg-type]
        s.world.platform.applications.change(there)
    return there, voucher_id


def results_of(voucher_id: str) -> dict[str, Any]:
    told = {"voucher_id": voucher_id, "outcome": "paid", "settled_on": "2021-05-01", "fen": 100, "reference": "PZ-1"}
    return {"results": [told]}


def a_settlement(s: Scene) -> tuple[Request, str]:
    there, voucher_id = filed(s, external=True)
    return post(s.bureau, f"/v1/applications/{there.application_id}/settlements", results_of(voucher_id)), voucher_id


def a_published(s: Scene) -> tuple[Application, str]:
    """Granted, of a region that publishes, published."""
    request, there, voucher_id = a_publicity(s)
    request.send()
    return there, voucher_id


def a_publicity(s: Scene) -> tuple[Request, Application, str]:
    there, voucher_id = filed(s)
    decide(s.world, there, LineVerdict.APPROVE, voucher_id)
    p = s.world.platform
    if not p.catalogue.rule_sets.versions(ELSEWHERE, 1, None).items:
        p.catalogue.rule_sets.add(RuleSet(ELSEWHERE, 1, date(2021, 1, 1), publicity_days=5), None)
    decided = read(s.world, there)
    there = replace(decided, region=ELSEWHERE, version=decided.version + 1)
    p.applications.change(there)
    return post(s.checker, f"/v1/applications/{there.application_id}/publicity", {}), there, voucher_id


def an_objection(s: Scene) -> tuple[Request, Application]:
    there, voucher_id = a_published(s)
    said = {"voucher_id": voucher_id, "text": "本人未参加培训"}
    return post(s.bureau, f"/v1/applications/{there.application_id}/objections", said), there


_simple("POST /v1/applications/{application_id}/settlements", lambda s: a_settlement(s)[0])
_simple("POST /v1/applications/{application_id}/publicity", lambda s: a_publicity(s)[0])
_simple("POST /v1/applications/{application_id}/objections", lambda s: an_objection(s)[0])


@scene("POST /v1/applications/{application_id}/withdrawn-approvals")
def withdraw_approval(s: Scene) -> Request:
    there, voucher_id = filed(s)
    decide(s.world, there, LineVerdict.APPROVE, voucher_id)
    asked = {"voucher_ids": [voucher_id], "reason": "材料不全"}
    return post(s.checker, f"/v1/applications/{there.application_id}/withdrawn-approvals", asked)


@scene("POST /v1/vouchers/{voucher_id}/claw-back")
def claw_back(s: Scene) -> Request:
    settlement, voucher_id = a_settlement(s)
    settlement.send()
    return post(s.checker, f"/v1/vouchers/{voucher_id}/claw-back", {"fen": 10, "reason": "虚假培训"})


@scene("POST /v1/applications/{application_id}/objections/{number}/resolution")
def uphold(s: Scene) -> Request:
    objection, there = an_objection(s)
    objection.send()
    found = {"upheld": True, "text": "经核查属实"}
    return post(s.checker, f"/v1/applications/{there.application_id}/objections/1/resolution", found)


@scene("GET /v1/applications/{application_id}/lines-file")
def fetch_lines(s: Scene) -> Request:
    return get(s.bureau, f"/v1/applications/{filed(s)[0].application_id}/lines-file")


@scene("GET /v1/publicity")
def look_at_publicity(s: Scene) -> Request:
    a_published(s)
    return get(s.channel, f"/v1/publicity?region={ELSEWHERE}&limit=1")


@scene("GET /v1/institutions/{institution_id}/affected")
def look_at_affected(s: Scene) -> Request:
    filed(s)
    return get(s.bureau, f"/v1/institutions/{INSTITUTION_ID}/affected?limit=1")


# --- where a client's budget is renewed ------------------------------------------------------------------------------


@scene("GET /v1/regions/{code}", "its client's budget is used up")
def renew_budget(s: Scene) -> Request:
    forget(s.world)
    s.world.clock.set(s.world.now + timedelta(seconds=WINDOW_SECONDS))
    for _ in range(FREE):
        s.bureau.get(f"/v1/regions/{CITY}")
    return replace(get(s.bureau, f"/v1/regions/{CITY}"), warm=True)


def forget(world: World) -> None:
    """As if the container had just been started: nothing is remembered. (Only its connection stays; it is dear.)"""
    p: Any = world.platform
    stores = [p.templates, p.listings, *(getattr(p.catalogue, one.name) for one in fields(p.catalogue))]
    for memory in (kept for store in stores for kept in vars(store).values() if isinstance(kept, Fresh)):
        memory.clear()
    p.paces._leases.clear()
    p.keys.eligibility_services.forget()


# --- money ------------------------------------------------------------------------------------------------------------


def an_application(s: Scene) -> tuple[str, str]:
    """(application that waits for a review, the voucher on its only line)."""
    class_id, _, voucher_id = completed(s)
    asked = {"class_id": class_id, "region": CITY}
    application_id = str(s.desk.post("/v1/applications", asked, status=202)["application_id"])
    carry_on_money(s, application_id)
    return application_id, voucher_id


def carry_on_money(s: Scene, application_id: str) -> None:
    errand = MoneyErrand("application", application_id)
    working_off_money.carry_out(s.world.platform, errand, moment=lambda: s.world.now, may_go_on=lambda: True)


def an_attachment(s: Scene) -> tuple[str, dict[str, Any]]:
    """(application, an attachment of it whose file was put)."""
    application_id, _ = an_application(s)
    made = s.desk.post(f"/v1/applications/{application_id}/attachments", SHEET, status=201)["attachment"]
    key = f"applications/attachments/{application_id}/{made['attachment_id']}"
    s.world.platform.files.write(key, BytesIO(b"sheet"), "application/pdf")
    return application_id, made


SHEET = {"kind": "签到表", "file_name": "签到表.pdf", "size": 5, "sha256": hashlib.sha256(b"sheet").hexdigest()}


@scene("POST /v1/applications")
def apply_for_money(s: Scene) -> Request:
    return post(s.desk, "/v1/applications", {"class_id": completed(s)[0], "region": CITY})


@scene("POST /v1/applications/{application_id}/cancellation")
def cancel_application(s: Scene) -> Request:
    return post(s.desk, f"/v1/applications/{an_application(s)[0]}/cancellation", {"reason": "填错了"})


@scene("POST /v1/applications/{application_id}/attachments")
def declare_attachment(s: Scene) -> Request:
    return post(s.desk, f"/v1/applications/{an_application(s)[0]}/attachments", SHEET)


@scene("POST /v1/applications/{application_id}/attachments/{attachment_id}")
def confirm_attachment(s: Scene) -> Request:
    application_id, made = an_attachment(s)
    return post(s.desk, f"/v1/applications/{application_id}/attachments/{made['attachment_id']}")


@scene("GET /v1/applications/{application_id}/attachments/{attachment_id}")
def fetch_attachment(s: Scene) -> Request:
    application_id, made = an_attachment(s)
    path = f"/v1/applications/{application_id}/attachments/{made['attachment_id']}"
    s.desk.post(path)
    return get(s.checker, path)


@scene("POST /v1/applications/{application_id}/decisions")
def decide_line(s: Scene) -> Request:
    application_id, voucher_id = an_application(s)
    asked = {"verdict": "approve", "voucher_ids": [voucher_id]}
    return post(s.checker, f"/v1/applications/{application_id}/decisions", asked)


@scene("POST /v1/applications/{application_id}/decisions", "it is returned")
def return_line(s: Scene) -> Request:
    application_id, voucher_id = an_application(s)
    asked = {"verdict": "return", "voucher_ids": [voucher_id], "reason": "材料不全"}
    return post(s.checker, f"/v1/applications/{application_id}/decisions", asked)


@scene("POST /v1/applications/{application_id}/decisions/bulk")
def decide_in_bulk(s: Scene) -> Request:
    asked = {"verdict": "approve", "least_percent": 80}
    return post(s.checker, f"/v1/applications/{an_application(s)[0]}/decisions/bulk", asked)


_simple("GET /v1/applications", lambda s: get(s.checker, f"/v1/applications?of={CITY}&limit=1"))
_simple("GET /v1/applications/{application_id}", lambda s: get(s.desk, f"/v1/applications/{an_application(s)[0]}"))
_simple(
    "GET /v1/applications/{application_id}/lines",
    lambda s: get(s.checker, f"/v1/applications/{an_application(s)[0]}/lines?limit=1"),
)
