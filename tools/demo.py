"""The main job on real input, told step by step, every figure read again from the API and compared.

The 21 cities of Guangdong get their budgets of 2021 and publish their 900,000 vouchers; a worker claims one of
Shenzhen's, an institution verifies and redeems it, and a second redemption is refused. A figure that differs from what
it must be ends the run with exit code 1. ``--stay`` leaves the API serving until Ctrl-C.
"""

import argparse
import csv
import json
import os
import secrets
import signal
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from chalicelib.api import qr_picture
from chalicelib.config import read_settings
from chalicelib.domain import calendar
from chalicelib.domain.money import yuan
from tools import bootstrap
from tools.api_client import Answer, ApiClient, Operator, Refused
from tools.demo_desk import tell_of_the_desk
from tools.demo_eligibility import tell_who_may_claim
from tools.demo_money import tell_of_class_and_money
from tools.demo_rosters import tell_of_rosters
from tools.demo_stage import KEPT, DemoStage, new_operator_key
from tools.deploy import step
from tools.local_stack import LocalStack, local_stack
from tools.package import ROOT
from tools.people import invented_person
from tools.story import Difference, Story

FACE_VALUE_FEN = 100_000
"""The demo's stated face value: 1,000.00 yuan a voucher. The notice sets quantities, not values."""
YEAR = 2021
PROVINCE, CITY = "440000", "440300"
INSTITUTION_ID = "91440300MADEM1006J"
TARGETS = ROOT / "reference" / "guangdong_targets_2021.csv"
WORKER = invented_person(1)


@dataclass
class Cast:
    """Everybody who acts."""

    ministry: ApiClient
    province: ApiClient
    channel: ApiClient
    desk: ApiClient


def tell(stage: DemoStage, ministry: ApiClient, story: Story, today: date) -> None:
    """The main job. Raises Difference, Refused."""
    targets = _targets()
    province, channel = _admit_authorities(stage, ministry, story)
    programme_id, course_id, desk = _build_catalogue(stage, province, story)
    templates = _publish_all(province, story, targets, programme_id, today)
    stage.facts |= {
        "programme_id": programme_id,
        "template_id": templates[CITY],
        "institution_id": INSTITUTION_ID,
        "course_id": course_id,
    }
    _use_one_voucher(stage, Cast(ministry, province, channel, desk), story, templates[CITY], course_id)


def prepare(stage: DemoStage, ministry: ApiClient, story: Story, today: date) -> None:
    """What an act needs that is played alone: the authorities, a programme, an account. Raises Refused."""
    province, _ = _admit_authorities(stage, ministry, story)
    programme_id, course_id, _ = _build_catalogue(stage, province, story)
    stage.facts |= {"programme_id": programme_id, "course_id": course_id, "institution_id": INSTITUTION_ID}
    province.do("/v1/accounts", {"region": CITY, "year": YEAR, "budget_fen": 0})


def _admit_authorities(stage: DemoStage, ministry: ApiClient, story: Story) -> tuple[ApiClient, ApiClient]:
    story.act(
        "部级：信任电子社保卡平台，接入省厅和渠道", "The ministry admits the e-SSC platform, a province, a channel"
    )
    body: dict[str, Any] = {"kid": stage.essc.kid, "public_key": stage.essc.public_key}
    story.request("ministry", "POST", "/v1/assertion-keys", body)
    story.answer(ministry.post("/v1/assertion-keys", body), "kid", "made_at")
    province = _admit(stage, ministry, story, "province", "广东省人力资源和社会保障厅", "province", PROVINCE)
    channel = _admit(stage, ministry, story, "channel", "演示渠道（全国）", "channel", "000000", with_operator=False)
    return province, channel


def _admit(
    stage: DemoStage,
    by: ApiClient,
    story: Story,
    short: str,
    name: str,
    role: str,
    region: str,
    *,
    institution_id: str | None = None,
    with_operator: bool = True,
) -> ApiClient:
    body: dict[str, Any] = {"name": name, "role": role, "regions": [region]}
    if institution_id:
        body["institutions"] = [institution_id]
    story.request("ministry" if role != "institution" else "province", "POST", "/v1/clients", body)
    answer = by.post("/v1/clients", body)
    made = by.must(answer, "POST", "/v1/clients")
    story.answer(
        Answer(answer.status, answer.headers, made["client"], answer.milliseconds), "app_key", "role", "regions"
    )
    operator = None
    if with_operator:
        seed, public_key = new_operator_key()
        person: dict[str, Any] = {"name": "经办人员", "public_key": public_key, "region": region}
        if not institution_id:
            person["duties"] = ["administrator", "clerk"]
        else:
            person["institution_id"] = institution_id
        operator = Operator(by.do("/v1/operators", person)["operator_id"], seed)
    return stage.admit(short, made["client"]["app_key"], made["secret"], operator)


def _build_catalogue(stage: DemoStage, province: ApiClient, story: Story) -> tuple[str, str, ApiClient]:
    story.act("省厅：培训项目、培训机构、课程", "The province's programme, institution and course")
    programme = {
        "region": PROVINCE,
        "name_zh": "重点群体技能提升培训",
        "name_en": "Skills upgrading for priority groups",
        "programme_type": "priority_groups",
        "standard_fen": 150_000,
    }
    story.request("province", "POST", "/v1/programmes", programme)
    answer = province.post("/v1/programmes", programme)
    programme_id: str = province.must(answer, "POST", "/v1/programmes")["programme_id"]
    story.answer(answer, "programme_id", "region", "standard_fen")
    institution = {
        "institution_id": INSTITUTION_ID,
        "region": CITY,
        "name_zh": "深圳演示职业培训学校",
        "name_en": "Shenzhen Demo Vocational School",
        "kind": "training",
        "coordinates": {"latitude": "22.543096", "longitude": "114.057865", "datum": "gcj02"},
    }
    story.request("province", "POST", "/v1/institutions", institution)
    answer = province.post("/v1/institutions", institution)
    province.must(answer, "POST", "/v1/institutions")
    story.answer(answer, "institution_id", "admission")
    course = {
        "programme_id": programme_id,
        "institution_id": INSTITUTION_ID,
        "name_zh": "电工（初级）",
        "name_en": "Electrician, junior",
        "hours": 40,
    }
    story.request("province", "POST", "/v1/courses", course)
    answer = province.post("/v1/courses", course)
    course_id: str = province.must(answer, "POST", "/v1/courses")["course_id"]
    story.answer(answer, "course_id", "hours")
    desk = _admit(
        stage, province, story, "desk", "深圳演示职业培训学校前台", "institution", CITY, institution_id=INSTITUTION_ID
    )
    return programme_id, course_id, desk


def _publish_all(
    province: ApiClient, story: Story, targets: dict[str, tuple[str, int]], programme_id: str, today: date
) -> dict[str, str]:
    story.act("21 个地市：下达预算，发布通用面值券", "21 cities get their budgets and publish open face-value vouchers")
    story.say(
        f"  面值 face value: {yuan(FACE_VALUE_FEN)} 元 yuan；数量 quantities: reference/guangdong_targets_2021.csv"
    )
    templates = {}
    with Progress(console=story.console, transient=True) as progress:
        bar = progress.add_task("accounts and templates", total=len(targets) * 3)
        for region, (city, quantity) in targets.items():
            account = {"region": region, "year": YEAR, "budget_fen": quantity * FACE_VALUE_FEN}
            account_id = _told(story, province, "/v1/accounts", account, region)["account_id"]
            progress.advance(bar)
            template = template_request(region, city, quantity, account_id, programme_id, today)
            templates[region] = _told(story, province, "/v1/templates", template, region)["template_id"]
            progress.advance(bar)
            _told(story, province, f"/v1/templates/{templates[region]}/publish", {}, region)
            progress.advance(bar)
    table = Table(header_style="dim", box=None, padding=(0, 1), pad_edge=False)
    for zh, en in (
        ("地市", "city"),
        ("目标", "target"),
        ("剩余", "remaining"),
        ("分片", "shards"),
        ("预算（元）", "budget, yuan"),
        ("预留（元）", "reserved, yuan"),
    ):
        table.add_column(f"{zh}\n{en}", justify="left" if en == "city" else "right", no_wrap=True)
    total = 0
    for region, (city, quantity) in targets.items():
        path = f"/v1/templates/{templates[region]}"
        read, shards = province.read(path), province.read(path + "/shards")["items"]
        account = province.read(f"/v1/accounts/{region}-{YEAR}")
        stock, amount = read["stock"], quantity * FACE_VALUE_FEN
        story.must_be(f"{city}: state", read["state"], "published")
        for name, wanted in (("quantity", quantity), ("remaining", quantity), ("unallotted", 0), ("made", 0)):
            story.must_be(f"{city}: {name}", stock[name], wanted)
        story.must_be(f"{city}: reserved on the shards", stock["reserved_fen"], amount)
        story.must_be(f"{city}: sum of the shards", sum(s["quantity"] for s in shards), quantity)
        for name, wanted in (("budget_fen", amount), ("reserved_fen", amount), ("free_fen", 0)):
            story.must_be(f"{city}: account's {name}", account[name], wanted)
        total += stock["remaining"]
        table.add_row(
            city,
            f"{quantity:,}",
            f"{stock['remaining']:,}",
            str(len(shards)),
            yuan(account["budget_fen"]),
            yuan(account["reserved_fen"]),
        )
    story.must_be("vouchers of all cities", total, sum(quantity for _, quantity in targets.values()))
    story.must_be("the province's target", total, 900_000)
    amount = total * FACE_VALUE_FEN
    table.add_row("[bold]广东 total", f"[bold]{total:,}", f"[bold]{total:,}", "", yuan(amount), yuan(amount))
    story.console.print(table)
    return templates


def _told(story: Story, province: ApiClient, path: str, body: dict[str, Any], region: str) -> dict[str, Any]:
    """Post; of the 21 cities' requests only Shenzhen's are shown, the others differ in the figures."""
    answer = province.post(path, body)
    made: dict[str, Any] = province.must(answer, "POST", path)
    if region == CITY:
        story.request("province", "POST", path, body)
        story.answer(answer, "account_id", "template_id", "state", "quantity", "shards", "budget_fen", "free_fen")
        account = province.read(f"/v1/accounts/{CITY}-{YEAR}")
        balances = ("budget_fen", "free_fen", "reserved_fen")
        story.say("    account now  " + ", ".join(f"{name} {account[name]:,}" for name in balances))
    return made


def _use_one_voucher(stage: DemoStage, cast: Cast, story: Story, template_id: str, course_id: str) -> None:
    channel, desk = cast.channel, cast.desk

    story.act("领取：劳动者在渠道领取一张深圳券", "Claim: a worker claims a voucher of Shenzhen in a channel")
    before = _stock(cast.province, template_id)
    claim = {"template_id": template_id, "assertion": stage.assertion(channel, WORKER, "claim", template_id)}
    claim["entrance"] = "card"
    key = secrets.token_hex(12)
    story.request("channel", "POST", "/v1/claims", claim)
    answer = channel.post("/v1/claims", claim, key=key)
    story.answer(answer, "voucher_id", "step", "state", "at", "facts")
    story.must_be("the claim", answer.status, 201)
    voucher_id = answer.body["voucher_id"]
    story.moved(before, _stock(cast.province, template_id), remaining=-1, made=1, claimed=1, ever_claimed=1)
    again = channel.post("/v1/claims", claim, key=key)
    story.say("  the same request once more, as if its answer had been lost:")
    story.answer(again, "voucher_id", "version")
    story.must_be("the repeated claim", (again.hit, again.body), (True, answer.body))

    story.act("出示：券包和二维码", "Show: the wallet and the QR code")
    session = {"X-Holder-Session": stage.session(channel, WORKER)}
    wallet = channel.read("/v1/wallet", headers=session)
    story.must_be("vouchers in the wallet", [card["voucher_id"] for card in wallet["items"]], [voucher_id])
    card = channel.read(f"/v1/vouchers/{voucher_id}", headers=session)
    shown = channel.read(f"/v1/vouchers/{voucher_id}/qr", {"format": "token"}, headers=session)
    story.console.print(qr_picture.terminal(shown["token"]), markup=False, highlight=False)
    story.say(f"  券码 code: [bold]{card['code']}[/bold]   二维码有效至 QR valid until {shown['expires_at']}")

    story.act("验证：机构扫码", "Verify: the institution scans")
    place = {"institution_id": INSTITUTION_ID, "course_id": course_id}
    body = {"token": shown["token"], **place}
    story.request("desk", "POST", "/v1/verifications", body)
    answer = desk.call("POST", "/v1/verifications", body=body)
    story.answer(answer, "usable", "state", "holder", "valid_until", "face_value_fen")
    story.must_be("usable", answer.body.get("usable"), True)

    story.act("使用：开课前核验使用", "Redeem: before training, once")
    before = _stock(cast.province, template_id)
    key = secrets.token_hex(12)
    story.request("desk", "POST", "/v1/redemptions", body)
    first = desk.post("/v1/redemptions", body, key=key)
    story.answer(first, "step", "state", "version", "at", "facts")
    story.must_be("the redemption", first.status, 201)
    after = _stock(cast.province, template_id)
    story.moved(before, after, claimed=-1, redeemed=1, ever_redeemed=1)

    story.act("再次使用：拒绝，并说明何时何地已用", "A second redemption is refused, with when and where the first was")
    fresh = channel.read(f"/v1/vouchers/{voucher_id}/qr", {"format": "token"}, headers=session)
    body = {"token": fresh["token"], **place}
    story.request("desk", "POST", "/v1/redemptions", body)
    refused = desk.post("/v1/redemptions", body)
    story.answer(refused, "code", "title", "detail", "facts")
    story.must_be("the second redemption", (refused.status, refused.body["code"]), (409, "already_redeemed"))
    story.must_be("when the first was", refused.body["facts"]["redeemed_at"], first.body["at"])
    story.must_be("where the first was", refused.body["facts"]["institution_id"], INSTITUTION_ID)
    story.moved(after, _stock(cast.province, template_id))
    told = channel.read(f"/v1/vouchers/{voucher_id}/history", headers=session)["entries"]
    story.must_be("the voucher's history", [entry["step"] for entry in told], ["claim", "redeem"])


def expire_one(stage: DemoStage, stack: LocalStack, province: ApiClient, story: Story) -> None:
    """Only where the run ends after it: the platform's clock goes on to tomorrow."""
    story.act("过期：有效期过后的定时任务", "Expire: the scheduled job after the last day of validity")
    today = calendar.local_date(province.now())
    model = province.read(f"/v1/templates/{stage.facts['template_id']}")
    body = template_request(CITY, "深圳", 10, model["account_id"], model["terms"]["programme_id"], today)
    body |= {"claim_until": today.isoformat(), "valid_until": today.isoformat(), "face_value_fen": 100}
    story.say("  a small template, valid until today; its money is added to the account first")
    province.do(f"/v1/accounts/{model['account_id']}/budget", {"amount_fen": 1_000, "note": "演示追加"})
    template_id = province.do("/v1/templates", body)["template_id"]
    province.do(f"/v1/templates/{template_id}/publish", {})
    channel = stage.client("channel")
    # Somebody of whom the city's rule (one a year per programme type) has seen nothing yet.
    person = invented_person(2)
    claim = {"template_id": template_id, "assertion": stage.assertion(channel, person, "claim", template_id)}
    voucher_id = channel.do("/v1/claims", claim)["voucher_id"]
    before = _stock(province, template_id)
    midnight = calendar.end_of(today)
    stage.move_clock(midnight + timedelta(minutes=5) - province.now() + stage.clock_offset())
    province.look_at_clock()
    channel = stage.client("channel")
    session = {"X-Holder-Session": stage.session(channel, person)}
    card = channel.read(f"/v1/vouchers/{voucher_id}", headers=session)
    story.say(f"  clock: {calendar.to_text(province.now())} (00:05 in China); the voucher shows as {card['state']}")
    story.must_be("effective state before the job", card["state"], "expired")
    event = json.loads((ROOT / "events" / "expire.schedule.json").read_text())
    for run, moves in (
        ("first", {"claimed": -1, "expired": 1, "reserved_fen": -100, "to_release_fen": 100}),
        ("second", {}),
    ):
        answer = stack.client("lambda").invoke(
            FunctionName="training-voucher-local-expire", Payload=json.dumps(event).encode()
        )
        report = json.loads(answer["Payload"].read())
        story.say(f"  {run} run of the function expire: {json.dumps(report)}")
        after = _stock(province, template_id)
        story.moved(before, after, **moves)
        before = after


def _stock(reader: ApiClient, template_id: str) -> dict[str, int]:
    stock = reader.read(f"/v1/templates/{template_id}")["stock"]
    counts: dict[str, int] = stock.pop("counts")
    return {**stock, **counts}


def template_request(
    region: str, city: str, quantity: int, account_id: str, programme_id: str, today: date
) -> dict[str, Any]:
    return {
        "region": region,
        "account_id": account_id,
        "quantity": quantity,
        "look": {"title": f"{city}市职业培训券", "colour": "#B01E23", "note": "凭券免费参加培训"},
        "business_mode": "upskilling",
        "function_mode": "face_value",
        "distribution_mode": "open",
        "programme_id": programme_id,
        "face_value_fen": FACE_VALUE_FEN,
        "claim_from": today.isoformat(),
        "claim_until": (today + timedelta(days=180)).isoformat(),
        "valid_from": today.isoformat(),
        "valid_until": (today + timedelta(days=365)).isoformat(),
    }


def _targets() -> dict[str, tuple[str, int]]:
    with TARGETS.open(encoding="utf-8", newline="") as file:
        return {row["region_code"]: (row["region"], int(row["issue_target"])) for row in csv.DictReader(file)}


def raise_curtain(stack: LocalStack, console: Console) -> tuple[DemoStage, ApiClient]:
    """Reference data and the first client on a stack just deployed: the stage, and the ministry on it."""
    os.environ.update(stack.environment)  # MiniStack's credentials, never the machine's own
    stage = DemoStage(stack.base_url, dict(stack.environment), secrets.token_hex(32))
    with step(console, "reference data: regions, rule sets; the ministry's client"):
        platform = bootstrap.deployed_platform(read_settings(stack.environment))
        bootstrap.load_regions(platform)
        bootstrap.begin_sweeps(platform)
        first = bootstrap.first_client(platform, "首任管理员")
    operator = Operator(first.operator_id, first.operator_seed)
    return stage, stage.admit("ministry", first.app_key, first.secret, operator)


def _serve(stage: DemoStage, console: Console) -> None:
    names = ", ".join(f"{name} {value}" for name, value in stage.facts.items())
    console.print(
        f"\n[bold]serving {stage.base_url}/v1/[/bold]  (openapi.json, time, …)\n"
        f"  {names}\n"
        f"  callers: {', '.join(stage.clients)}; try  .venv/bin/python -m tools.call ministry GET /v1/regions\n"
        "  Ctrl-C ends it; nothing is kept."
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("\nstopping")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stay", action="store_true", help="serve until Ctrl-C after the main job")
    parser.add_argument("--port", type=int, help="MiniStack's port; a free one unless given")
    asked = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    story = Story(console)
    try:
        with local_stack(port=asked.port, console=console, announce=True) as stack:
            stage, ministry = raise_curtain(stack, console)
            try:
                today = calendar.local_date(ministry.now())
                tell(stage, ministry, story, today)
                tell_who_may_claim(stage, story, today, stack.eligibility)
                tell_of_the_desk(stage, story, today)
                tell_of_rosters(stage, story, today)
                if not asked.stay:
                    tell_of_class_and_money(stage, stack, story, today)
                    expire_one(stage, stack, stage.client("province"), story)
            except (Difference, Refused) as wrong:
                console.print(f"\n✗ {wrong}", markup=False, style="bold red")
                return 1
            console.print(f"\n[bold green]✓ {story.compared} figures read from the API and compared, no difference[/]")
            stage.keep()
            if asked.stay:
                _serve(stage, console)
        return 0
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130
    finally:
        KEPT.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
