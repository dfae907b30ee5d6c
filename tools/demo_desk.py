"""The demo's third job: at the desk without a scanner gun. Somebody of an institution's staff scans by their own e-SSC,
in a channel; and a card on a terminal claims and redeems. On a small template of its own, out of an account of its own.
"""

import secrets
from datetime import date
from typing import Any

from chalicelib.integrations.essc_platform import DemoTerminal
from tools.demo_eligibility import CITY, FACE_VALUE_FEN, Bureau
from tools.demo_stage import DemoStage, new_operator_key
from tools.people import invented_person
from tools.story import Story

YEAR = 2023
CARD_NUMBER = "Z9900001X"


def tell_of_the_desk(stage: DemoStage, story: Story, today: date) -> None:
    """Raises Difference, Refused."""
    province = stage.client("province")
    model = province.read(f"/v1/templates/{stage.facts['template_id']}")
    account = {"region": CITY, "year": YEAR, "budget_fen": 100 * FACE_VALUE_FEN}
    account_id = province.do("/v1/accounts", account)["account_id"]
    bureau = Bureau(province, account_id, model["terms"]["programme_id"], today)
    template_id = bureau.publish("柜台培训券", None)
    place = {"institution_id": stage.facts["institution_id"], "course_id": stage.facts["course_id"]}
    _by_staff(stage, story, template_id, place)
    _by_card(stage, story, template_id, place)


def _by_staff(stage: DemoStage, story: Story, template_id: str, place: dict[str, str]) -> None:
    story.act("扫一扫：工作人员用本人电子社保卡核验", "A member of staff scans by their own e-SSC, in a channel")
    channel, desk, institution_id = stage.client("channel"), stage.client("desk"), place["institution_id"]
    member, holder = invented_person(31), invented_person(32)
    claim = {"template_id": template_id, "assertion": stage.assertion(channel, holder, "claim", template_id)}
    voucher_id = channel.do("/v1/claims", claim)["voucher_id"]
    session = {"X-Holder-Session": stage.session(channel, holder)}
    token = channel.read(f"/v1/vouchers/{voucher_id}/qr", {"format": "token"}, headers=session)["token"]

    def scan() -> dict[str, Any]:
        return {**place, "token": token, "staff_assertion": stage.assertion(channel, member, "staff", institution_id)}

    story.say("  somebody whom the institution has not registered scans:")
    refused = channel.post("/v1/redemptions", scan())
    story.answer(refused, "code", "detail")
    story.must_be("the scan of a stranger", (refused.status, refused.body["code"]), (403, "staff_unknown"))
    body = {"name": member.name, "id_type": member.id_type, "id_number": member.id_number}
    path = f"/v1/institutions/{institution_id}/staff"
    story.request("desk", "POST", path, body)
    registered = desk.post(path, body)
    story.answer(registered, "staff_id", "name", "id_number")
    story.must_be("registered", registered.status, 201)
    story.say("  and scans again:")
    used = channel.post("/v1/redemptions", scan())
    story.answer(used, "step", "state", "facts")
    story.must_be("the scan of staff", used.status, 201)


def _by_card(stage: DemoStage, story: Story, template_id: str, place: dict[str, str]) -> None:
    story.act("实体社保卡：在终端领券、用券", "A physical card on a terminal claims and redeems")
    province, desk, person = stage.client("province"), stage.client("desk"), invented_person(33)
    seed, public_key = new_operator_key()
    path = f"/v1/institutions/{place['institution_id']}/terminals"
    story.request("province", "POST", path, {"name": "一号窗口", "public_key": public_key})
    installed = province.post(path, {"name": "一号窗口", "public_key": public_key})
    story.answer(installed, "terminal_id", "name")
    terminal_id = province.must(installed, "POST", path)["terminal_id"]

    def put_down(purpose: str) -> dict[str, str]:
        card_read = DemoTerminal(bytes.fromhex(seed)).card_read(
            terminal_id,
            person,
            card_number=CARD_NUMBER,
            app_key=desk.app_key,
            purpose=purpose,
            subject=template_id,
            jti=secrets.token_hex(12),
            now=desk.now(),
        )
        return {"template_id": template_id, "card_read": card_read}

    for what, target, asked in (
        ("claim", "/v1/claims", put_down("claim")),
        ("redemption", "/v1/redemptions", place | put_down("redeem")),
    ):
        story.request("desk", "POST", target, asked)
        answer = desk.post(target, asked)
        story.answer(answer, "step", "state", "facts")
        story.must_be(f"the {what} by card", answer.status, 201)
        told = answer.body["facts"]
        story.must_be("the proof", (told["proof"], told["terminal"]), ("card", terminal_id))
