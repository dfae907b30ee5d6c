"""What is refused on the way to the money, of the canaries' own vouchers."""

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.domain.access import Duty, Role
from chalicelib.domain.application import MOST_OBJECTIONS, MoneyErrand
from chalicelib.services import working_off_money
from tests.api.test_road_over_http import Caller, a_caller, forget_rules, work_on
from tests.privacy.canaries import ROOM, THERE
from tests.world import CITY, INSTITUTION_ID, OTHER_INSTITUTION_ID

if TYPE_CHECKING:
    from tests.privacy.refusals import Refusals

NEEDED = "签到表"


class RefusalsOfMoney:
    """``day``: by whom, and on whose vouchers."""

    def __init__(self, day: "Refusals") -> None:
        self.day = day
        self.world = day.world
        self.reviewer = a_caller(day.world, "CITYR", Role.CITY, CITY, duties=(Duty.REVIEWER,))
        self.payer = a_caller(day.world, "CITYP", Role.CITY, CITY, duties=(Duty.PAYER,))

    def meet(self) -> None:
        first = self.world.now
        self._unknown()
        self._rules(attachments_needed=[NEEDED], publicity_days=1, overlaps="allowed")
        class_id, (mine, theirs) = self._finished_class()
        path = self._applied(class_id, mine, theirs)
        self._reviewed(path, mine, theirs)
        self._published(path, mine, theirs)
        self._paid(path, mine)
        self.world.clock.set(first)
        self._elsewhere(before=mine)
        self.world.clock.set(first)
        self._rules()

    def _rules(self, **rules: Any) -> None:
        """In force at once, as if a minute had gone by for what containers remember."""
        self.day.change_rules(**rules)
        forget_rules(self.world)

    def _unknown(self) -> None:
        for path in ("applications", "payment-batches"):
            self.reviewer.get(f"/v1/{path}/X", 404)
        account = f"/v1/institutions/{OTHER_INSTITUTION_ID}/bank-account"
        self.payer.get(account, 404)  # bank_account_not_found
        told = self.payer.post(
            f"{account}/confirmation", {"number": 9, "account_number": "6222000011113333"}, status=404
        )
        assert told["code"] == "bank_account_not_found"

    def _finished_class(self) -> tuple[str, list[str]]:
        """Both canaries completed it."""
        day = self.day
        first = self.world.now
        class_id, ids = day.open_class(ROOM), []
        for person in (day.canary, day.other):
            voucher_id, code = day.held(person)
            day.use(code)
            assert day.why(f"/v1/classes/{class_id}", voucher_id) is None
            ids.append(voucher_id)
            day.holder(person).post("/v1/check-ins", {"class_id": class_id, "position": THERE}, status=201)
        self.world.clock.set(first + timedelta(hours=2))
        day.desk.post(f"/v1/classes/{class_id}/finish")
        return class_id, ids

    def _applied(self, class_id: str, mine: str, theirs: str) -> str:
        """Too much, twice, and too late."""
        desk, now = self.day.desk, self.world.now
        too_much = {"class_id": class_id, "region": CITY, "lines": [{"voucher_id": mine, "claimed_fen": 10**7}]}
        assert self._codes(self._opened(desk, too_much)) == ["over_ceiling"]
        asked = {"class_id": class_id, "region": CITY}
        self.world.clock.set(now + timedelta(days=100))
        assert self._codes(self._opened(desk, asked)) == ["filing_over", "filing_over"]
        self.world.clock.set(now)
        path = self._opened(desk, asked)
        again = asked | {"lines": [{"voucher_id": one} for one in (mine, theirs)]}
        assert self._codes(self._opened(desk, again)) == ["already_applied", "already_applied"]
        assert desk.get(path)["state"] == "submitted"
        return path

    def _opened(self, desk: Caller, asked: dict[str, Any]) -> str:
        made = desk.post("/v1/applications", asked, status=202)
        self._work(made["application_id"])
        return f"/v1/applications/{made['application_id']}"

    def _work(self, application_id: str) -> None:
        errand = MoneyErrand("application", application_id)
        working_off_money.carry_out(self.world.platform, errand, moment=lambda: self.world.now, may_go_on=lambda: True)

    def _codes(self, path: str) -> list[str]:
        return [one["code"] for one in self.reviewer.get(f"{path}/lines")["items"]]

    def _reviewed(self, path: str, mine: str, theirs: str) -> None:
        reviewer, desk = self.reviewer, self.day.desk
        approve = {"verdict": "approve", "voucher_ids": [mine]}
        assert reviewer.post(f"{path}/decisions", approve, status=409)["code"] == "attachments_missing"
        reviewer.get(f"{path}/attachments/X", 404)
        content = hashlib.sha256(b"sheet").hexdigest()
        sheet = {"kind": NEEDED, "file_name": f"{NEEDED}.pdf", "size": 5, "sha256": content}
        declared = desk.post(f"{path}/attachments", sheet, status=201)["attachment"]["attachment_id"]
        assert desk.post(f"{path}/attachments/{declared}", status=409)["code"] == "attachment_not_stored"
        self._rules(publicity_days=1)
        nobody = approve | {"voucher_ids": ["X" * 26]}
        assert reviewer.post(f"{path}/decisions", nobody, status=404)["code"] == "line_not_found"
        more = approve | {"verdict": "approve_less", "fen": 10**7, "reason": "金额有误", "text": "核减"}
        assert reviewer.post(f"{path}/decisions", more, status=409)["code"] == "over_claim"
        reviewer.post(f"{path}/decisions", approve | {"voucher_ids": [mine, theirs]})
        assert reviewer.post(f"{path}/decisions", approve, status=409)["code"] in ("line_state", "application_state")
        told = desk.post(f"{path}/cancellation", {"reason": "填错了"}, status=409)
        assert told["code"] == "application_state"
        result = {"voucher_id": mine, "outcome": "refused", "settled_on": f"{self.world.now:%Y-%m-%d}", "reason": "无"}
        told = self.day.bureau.post(f"{path}/settlements", {"results": [result]}, status=409)
        assert told["code"] == "settled_here"

    def _published(self, path: str, mine: str, theirs: str) -> None:
        reviewer, bureau = self.reviewer, self.day.bureau
        objection = {"voucher_id": theirs, "text": "本人未参加培训"}
        assert bureau.post(f"{path}/objections", objection, status=409)["code"] == "not_published"
        reviewer.post(f"{path}/publicity")
        assert reviewer.post(f"{path}/publicity", status=409)["code"] == "already_published"
        for _ in range(MOST_OBJECTIONS):
            bureau.post(f"{path}/objections", objection)
        assert bureau.post(f"{path}/objections", objection, status=409)["code"] == "too_many_objections"
        found = {"upheld": False, "text": "经核查不属实"}
        told = reviewer.post(f"{path}/objections/99/resolution", found, status=404)
        assert told["code"] == "objection_not_found"
        for number in range(1, MOST_OBJECTIONS + 1):
            reviewer.post(f"{path}/objections/{number}/resolution", found)
        told = reviewer.post(f"{path}/objections/1/resolution", found, status=409)
        assert told["code"] == "objection_resolved"

    def _paid(self, path: str, mine: str) -> None:
        payer, desk = self.payer, self.day.desk
        self.world.clock.set(self.world.now + timedelta(days=4))
        account = f"/v1/institutions/{INSTITUTION_ID}/bank-account"
        asked = {"account_name": "深圳测试培训学校", "bank": "测试银行深圳分行", "account_number": "6222000011113333"}
        proposed = desk.post(account, asked, status=201)["proposed"]["number"]
        again = {"number": proposed, "account_number": asked["account_number"]}
        told = payer.post(f"{account}/confirmation", again | {"number": proposed + 1}, status=409)
        assert told["code"] == "proposal_changed"
        payer.post(f"{account}/confirmation", again)
        application_id = path.rpartition("/")[2]
        payment = {"region": CITY, "application_ids": [application_id]}
        batch_id = payer.post("/v1/payment-batches", payment, status=201)["batch_id"]
        at = f"/v1/payment-batches/{batch_id}"
        assert payer.post(f"{at}/bank-file", status=409)["code"] == "batch_state"
        work_on(self.world, batch_id)
        back = {"fen": 1, "reason": "虚假培训"}
        told = self.reviewer.post(f"/v1/vouchers/{mine}/claw-back", back, status=409)
        assert told["code"] == "nothing_to_recover"

    def _elsewhere(self, before: str) -> None:
        """Reviewed and paid in the region's own system. ``before``: a voucher by which another class was completed."""
        desk, bureau = self.day.desk, self.day.bureau
        self._rules(external_settlement=True, overlaps="allowed")
        class_id, (mine, theirs) = self._finished_class()
        others = {"class_id": class_id, "region": CITY, "lines": [{"voucher_id": before}]}
        assert self._codes(self._opened(desk, others)) == ["completed_elsewhere"]
        path = self._opened(desk, {"class_id": class_id, "region": CITY})
        approve = {"verdict": "approve", "voucher_ids": [mine]}
        assert self.reviewer.post(f"{path}/decisions", approve, status=409)["code"] == "settled_elsewhere"
        today = f"{self.world.now:%Y-%m-%d}"
        paid = {"voucher_id": mine, "outcome": "paid", "settled_on": today, "fen": 100, "reference": "PZ-1"}
        refused = {"voucher_id": theirs, "outcome": "refused", "settled_on": today, "reason": "材料不全"}
        told = bureau.post(f"{path}/settlements", {"results": [paid, refused]})["results"]
        assert [one["code"] for one in told] == [None, None]
        (told,) = bureau.post(f"{path}/settlements", {"results": [paid | {"fen": 99}]})["results"]
        assert told["code"] == "settled_otherwise"
