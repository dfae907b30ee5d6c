"""The demo's second job: who may claim. For each source of eligibility one person is refused and one is served; then a
relative acts for somebody. All on small templates of their own, out of an account of their own."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from chalicelib.domain.person import Profile
from tools.api_client import ApiClient
from tools.demo_stage import DemoStage
from tools.eligibility_server import EligibilityServer
from tools.people import invented_person
from tools.story import Story

CITY = "440300"
YEAR = 2022
FACE_VALUE_FEN = 100


@dataclass
class Bureau:
    """Who publishes small templates, and what all of them have in common."""

    province: ApiClient
    account_id: str
    programme_id: str
    today: date

    def publish(self, title: str, eligibility: dict[str, Any] | None) -> str:
        """Five vouchers of one yuan; no dates of validity: the region's rules say how long."""
        last = self.today.replace(month=12, day=31).isoformat()
        body = {
            "region": CITY,
            "account_id": self.account_id,
            "quantity": 5,
            "look": {"title": title},
            "business_mode": "upskilling",
            "function_mode": "face_value",
            "distribution_mode": "open",
            "programme_id": self.programme_id,
            "face_value_fen": FACE_VALUE_FEN,
            "claim_from": self.today.isoformat(),
            "claim_until": last,
            "eligibility": eligibility,
        }
        template_id: str = self.province.do("/v1/templates", body)["template_id"]
        self.province.do(f"/v1/templates/{template_id}/publish", {})
        return template_id


def tell_who_may_claim(stage: DemoStage, story: Story, today: date, service: EligibilityServer) -> None:
    """Raises Difference, Refused."""
    province, channel = stage.client("province"), stage.client("channel")
    model = province.read(f"/v1/templates/{stage.facts['template_id']}")
    account = {"region": CITY, "year": YEAR, "budget_fen": 100 * FACE_VALUE_FEN}
    account_id = province.do("/v1/accounts", account)["account_id"]
    bureau = Bureau(province, account_id, model["terms"]["programme_id"], today)
    _by_number(stage, story, bureau, channel)
    _by_list(stage, story, bureau, channel)
    _by_service(stage, story, bureau, channel, service)
    _by_relative(stage, story, bureau, channel)


def _by_number(stage: DemoStage, story: Story, bureau: Bureau, channel: ApiClient) -> None:
    story.act("谁可领取（一）：按证件号码声明的条件", "Who may claim, 1: a rule over the ID number")
    rule = {"kind": "declared", "rule": "working_age", "age_from": 16, "age_to": 59}
    template_id = bureau.publish("适龄劳动者培训券", rule)
    story.say(f"  eligibility: {rule}")
    pensioner = invented_person(21, birth=date(1950, 1, 1))
    story.say("  somebody born in 1950 claims:")
    _refused(stage, story, channel, pensioner, template_id, "working_age")
    story.say("  somebody born in 1990 claims:")
    _served(stage, story, channel, invented_person(22), template_id)


def _by_list(stage: DemoStage, story: Story, bureau: Bureau, channel: ApiClient) -> None:
    story.act("谁可领取（二）：适用人群名单", "Who may claim, 2: the region's list of eligible people")
    rule = {"kind": "listed", "rule": "veterans", "groups": ["veteran"]}
    template_id, person = bureau.publish("退役军人培训券", rule), invented_person(23)
    story.say("  somebody who is on no list claims:")
    _refused(stage, story, channel, person, template_id, "veterans")
    listed = {"name": person.name, "id_number": person.id_number, "group": "veteran"}
    path = f"/v1/regions/{CITY}/eligible-people"
    answer = bureau.province.post(path, listed)
    story.say("  the bureau puts the same person on its list:")
    story.answer(answer, "name", "id_number", "groups")
    story.must_be("put on the list", answer.status, 200)
    story.say("  and they claim again:")
    _served(stage, story, channel, person, template_id)


def _by_service(stage: DemoStage, story: Story, bureau: Bureau, channel: ApiClient, service: EligibilityServer) -> None:
    story.act("谁可领取（三）：地区身份核验服务", "Who may claim, 3: the region's own eligibility service, over HTTP")
    path, body = f"/v1/regions/{CITY}/eligibility-service", {"url": service.url}
    story.request("province", "POST", path, body)
    answer = bureau.province.post(path, body)
    decided = bureau.province.must(answer, "POST", path)
    service.trust(decided["key_id"], decided["secret"])
    story.say(f"  decided: key {decided['key_id']}; its secret was shown this one time, and the service knows it")
    rule = {"kind": "service", "rule": "residents"}
    template_id = bureau.publish("身份核验培训券", rule)
    story.say("  a student of 19 claims; the service refuses, and its reason is told:")
    _refused(stage, story, channel, invented_person(26, birth=date(2002, 1, 1)), template_id, "residents")
    person = invented_person(27)
    claim = {"template_id": template_id, "assertion": stage.assertion(channel, person, "claim", template_id)}
    story.say("  another claims while the service hangs; after three seconds:")
    service.behave("hang", times=1)
    answer = channel.post("/v1/claims", claim, key="while-it-hangs")
    story.answer(answer, "code", "detail", "facts")
    told = (answer.status, answer.body["code"], answer.body["facts"]["reason"])
    story.must_be("the claim meanwhile", told, (503, "eligibility_service_unavailable", "timeout"))
    story.say("  the same request with the same key, once the service answers again:")
    answer = channel.post("/v1/claims", claim, key="while-it-hangs")
    story.answer(answer, "voucher_id", "state")
    story.must_be("the claim afterwards", (answer.status, answer.hit), (201, False))
    story.must_be("how often the service was asked, for how many", service.asked, [1, 1, 1])


def _by_relative(stage: DemoStage, story: Story, bureau: Bureau, channel: ApiClient) -> None:
    story.act("亲情代办：子女为父亲领券", "A relative acts: a child claims for the father")
    template_id, father, child = bureau.publish("亲情代办培训券", None), invented_person(24), invented_person(25)
    claim = {
        "template_id": template_id,
        "assertion": stage.assertion(channel, father, "claim", template_id),
        "proxy": {"assertion": stage.assertion(channel, child, "proxy", template_id), "kin": "child"},
    }
    story.request("channel", "POST", "/v1/claims", claim)
    answer = channel.post("/v1/claims", claim)
    story.answer(answer, "voucher_id", "state", "facts")
    story.must_be("the claim by a relative", answer.status, 201)
    relation_id = answer.body["facts"]["proxy"]
    theirs = {"X-Holder-Session": stage.session(channel, father)}
    told = channel.read("/v1/relations", headers=theirs)["items"]
    story.must_be("the father's relations", [one["relation_id"] for one in told], [relation_id])
    ended = channel.call("POST", f"/v1/relations/{relation_id}/revocation", body={}, key="the-end", headers=theirs)
    story.say("  the father ends it:")
    story.answer(ended, "kin", "proxy_name", "revoked_at", "revoked_by")
    story.must_be("ended by", ended.body["revoked_by"], "person")


def _claim(stage: DemoStage, channel: ApiClient, person: Profile, template_id: str) -> Any:
    assertion = stage.assertion(channel, person, "claim", template_id)
    return channel.post("/v1/claims", {"template_id": template_id, "assertion": assertion})


def _refused(stage: DemoStage, story: Story, channel: ApiClient, person: Profile, template_id: str, rules: str) -> None:
    answer = _claim(stage, channel, person, template_id)
    story.answer(answer, "code", "detail", "facts")
    story.must_be("refused", (answer.status, answer.body["code"]), (409, "not_eligible"))
    story.must_be("by the rule", answer.body["facts"]["rules"], rules)


def _served(stage: DemoStage, story: Story, channel: ApiClient, person: Profile, template_id: str) -> str:
    answer = _claim(stage, channel, person, template_id)
    story.answer(answer, "voucher_id", "state")
    story.must_be("served", answer.status, 201)
    voucher_id: str = answer.body["voucher_id"]
    return voucher_id
