"""A canary's road with every refusal on it: each step is one that a person or a desk may really take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chalicelib import wiring
from chalicelib.domain.calendar import to_text
from chalicelib.domain.errors import ConcurrentChange, Unavailable
from chalicelib.domain.listing import MOST_ENTRIES
from chalicelib.domain.outcomes import WriteConflict
from chalicelib.domain.person import Profile
from chalicelib.domain.voucher import State
from chalicelib.integrations.essc_platform import DemoTerminal, OperatorKey
from tests import eligibility
from tests.api.test_road_over_http import Caller, RecordedWorld
from tests.privacy.canaries import ROOM, THERE
from tests.privacy.refusals_of_money import RefusalsOfMoney
from tests.services.faults import Watched
from tests.world import CITY, INSTITUTION_ID, OTHER_CITY, OTHER_INSTITUTION_ID

YEAR = 2024
CARD_NUMBER = "Q8314472X"
"""Of the canary's card; no other number looks like it."""
MAY, JUNE = ("2021-05-01", "2021-05-31"), ("2021-06-01", "2021-06-30")


@dataclass
class Refusals:
    """``canary`` and ``other`` meet them all."""

    world: RecordedWorld
    bureau: Caller
    channel: Caller
    desk: Caller
    canary: Profile
    other: Profile

    def meet(self) -> None:
        """Go the whole road; each request's status is checked by its caller."""
        self._prepare()
        self._who_asks()
        self._catalogue()
        self._claims()
        self._people()
        self._staff()
        self._desk()
        self._classroom()
        RefusalsOfMoney(self).meet()
        self._ends()
        self._faults()

    # --- what it takes ---

    def _prepare(self) -> None:
        programme = {
            "region": CITY,
            "name_zh": "焊工",
            "name_en": "Welder",
            "programme_type": "enterprise_staff",
            "standard_fen": 100_000,
        }
        self.programme_id = self.bureau.post("/v1/programmes", programme, status=201)["programme_id"]
        account = {"region": CITY, "year": YEAR, "budget_fen": 100_000_000}
        self.account_id = self.bureau.post("/v1/accounts", account, status=201)["account_id"]
        self.course_id = self._course(INSTITUTION_ID)
        self.change_rules()

    def _course(self, institution_id: str, *, online: bool = False) -> str:
        course = {
            "programme_id": self.programme_id,
            "institution_id": institution_id,
            "name_zh": "焊工（初级）",
            "name_en": "Welder (junior)",
            "hours": 40,
            "online": online,
        }
        return str(self.bureau.post("/v1/courses", course, status=201)["course_id"])

    def change_rules(self, **rules: Any) -> None:
        """What the region decides from today on, and nothing else."""
        self.bureau.post(f"/v1/regions/{CITY}/rules", {"effective_from": "2021-05-01", **rules}, status=201)

    def _template(self, *, quantity: int = 5, publish: bool = True, **changes: Any) -> str:
        days = dict(zip(("claim_from", "claim_until", "valid_from", "valid_until"), MAY + MAY, strict=True))
        body = {
            "region": CITY,
            "account_id": self.account_id,
            "quantity": quantity,
            "look": {"title": "焊工培训券"},
            "business_mode": "foundation",
            "function_mode": "face_value",
            "distribution_mode": "open",
            "programme_id": self.programme_id,
            "face_value_fen": 80_000,
        }
        template_id: str = self.bureau.post("/v1/templates", body | days | changes, status=201)["template_id"]
        if publish:
            self.bureau.post(f"/v1/templates/{template_id}/publish")
        return template_id

    def _assertion(self, person: Profile, purpose: str, subject: str | None, caller: Caller | None = None) -> str:
        who, now = caller or self.channel, self.world.now
        jti = f"jti-{len(self.world.examples)}-{now.timestamp()}"
        return self.world.essc.assertion(
            person, app_key=who.app_key, purpose=purpose, subject=subject, jti=jti, now=now
        )

    def _claim(self, person: Profile, template_id: str, status: int = 201, caller: Caller | None = None) -> Any:
        """As a careless channel does it: the number is its idempotency key, in lower case too."""
        who = caller or self.channel
        body = {"template_id": template_id, "assertion": self._assertion(person, "claim", template_id, who)}
        return who.post("/v1/claims", body, status=status, key=f"{person.id_number}-{template_id}-{status}".lower())

    def holder(self, person: Profile) -> Caller:
        body = {"assertion": self._assertion(person, "session", None)}
        session = self.channel.post("/v1/sessions", body, key=None)["session"]
        return Caller(self.world, self.channel.app_key, session=session)

    def held(self, person: Profile, **changes: Any) -> tuple[str, str]:
        """A voucher of a new template, and its typed code."""
        voucher_id: str = self._claim(person, self._template(**changes))["voucher_id"]
        return voucher_id, self.holder(person).get(f"/v1/vouchers/{voucher_id}")["code"]

    def use(self, code: str, status: int = 201, **changes: Any) -> Any:
        body = {"institution_id": INSTITUTION_ID, "course_id": self.course_id, "code": code, **changes}
        return self.desk.post("/v1/redemptions", body, status=status)

    # --- the refusals ---

    def _who_asks(self) -> None:
        number = self.canary.id_number
        get = "GET", "/v1/wallet"
        for headers, code in (
            ({"X-Nonce": "short"}, "unauthenticated"),
            ({"X-App-Key": number}, "unknown_client"),
            ({"X-Timestamp": "1"}, "stale_timestamp"),
            ({"X-Signature": number}, "bad_signature"),
            ({"X-Operator": number}, "operator_not_accepted"),
            ({}, "holder_session_required"),
            ({"X-Holder-Session": number}, "holder_session_ended"),
        ):
            assert self.channel.send_raw(*get, headers=headers).json_body["code"] == code
        granted = self.bureau.post(
            "/v1/clients",
            {"name": "慢", "role": "channel", "regions": [OTHER_CITY], "requests_per_second": 1},
            status=201,
        )
        slow = Caller(self.world, granted["client"]["app_key"], granted["secret"])
        template_id = self._template()
        self._claim(self.canary, template_id, 403, slow)  # channel_not_open
        answers = [slow.send("GET", "/v1/programmes/none").status_code for _ in range(30)]
        assert answers[-1] == 429
        self.bureau.post(f"/v1/clients/{slow.app_key}/disable")
        slow.get("/v1/wallet", 401)
        unsigned = replace(self.bureau, key=None)
        unsigned.post("/v1/programmes", {}, status=401)
        self.channel.post("/v1/programmes", {}, status=403)
        self.use("0" * 17, 403, institution_id=OTHER_INSTITUTION_ID)

    def _catalogue(self) -> None:
        draft = self._template(publish=False)
        self.bureau.post(f"/v1/templates/{draft}/suspend", status=409)
        self._listing_full(draft)
        self.bureau.post(f"/v1/accounts/{self.account_id}/budget", {"amount_fen": -(10**9), "note": "多了"}, status=409)
        self.bureau.post("/v1/accounts", {"region": CITY, "year": YEAR, "budget_fen": 1}, status=409)
        self.bureau.post("/v1/accounts", {"region": "449900", "year": YEAR, "budget_fen": 1}, status=404)
        self.bureau.post("/v1/accounts", {"region": CITY, "year": YEAR + 1, "budget_fen": 1}, status=201, key="once")
        self.bureau.post("/v1/accounts", {"region": CITY, "year": YEAR + 1, "budget_fen": 2}, status=422, key="once")
        self._budget_transfers()
        for path in ("regions/999999", "programmes/X", "courses/X", "institutions/X", "clients/X", "operators/X"):
            self.bureau.get(f"/v1/{path}", 404)
        self.bureau.get("/v1/accounts/X", 404)
        self.bureau.post("/v1/assertion-keys/X/disable", status=404)
        self.bureau.get("/v1/programmes/%E5%BC%A0", 404)
        self.bureau.send("DELETE", "/v1/regions")  # method_not_allowed
        self.bureau.post(f"/v1/regions/{CITY}/rules/withdrawal", {"version": 999}, status=404)
        self.bureau.post(f"/v1/regions/{CITY}/rules/withdrawal", {"version": 1}, status=409)
        self._list()

    def _listing_full(self, draft: str) -> None:
        self._template()
        listings = self.world.platform.listings
        before = listings.read(CITY)
        many = tuple(replace(before.entries[0], template_id=f"{n:016}") for n in range(MOST_ENTRIES))
        listings.write(replace(before, version=before.version + 1, entries=many))
        told = self.bureau.post(f"/v1/templates/{draft}/publish", status=409)
        assert told["code"] == "listing_full"
        listings.write(replace(before, version=before.version + 2))

    def _list(self) -> None:
        """Who is eligible: put on the list, looked up, taken off; a careless bureau makes its keys of the number."""
        path, number = f"/v1/regions/{CITY}/eligible-people", self.canary.id_number
        asked = {"name": self.canary.name, "id_number": number, "group": "veteran"}
        self.bureau.post(path, asked, key=number)
        self.bureau.post(path, asked | {"id_number": number[:-1] + "1"}, status=400)
        self.bureau.post(path, asked | {"since": MAY[1], "until": MAY[0]}, status=400)
        self.bureau.post(f"{path}/search", {"id_number": number}, key=None)
        self.bureau.post(f"{path}/removal", {"id_number": number, "group": "veteran"}, key=f"{number}-off")
        self.bureau.post(f"{path}/search", {"id_number": number}, key=None, status=404)  # not_enlisted

    def _claims(self) -> None:
        one = self._template()
        lower = replace(self.canary, id_number=self.canary.id_number.lower())
        self._claim(lower, one)
        self._claim(self.canary, one, 409)  # already_claimed
        look = {"region": CITY, "assertion": self._assertion(self.canary, "claimable", CITY)}
        assert self.channel.post("/v1/claimable", look, key=None)["items"]
        self._claim(self.canary, "NONE", 404)
        self._claim(replace(self.canary, id_number=self.canary.id_number[:-1] + "1"), one, 400)
        body = {"template_id": one, "assertion": self._assertion(self.canary, "redeem", one)}
        self.channel.post("/v1/claims", body, status=401)
        self.change_rules(one_at_a_time=True)
        self._claim(self.canary, self._template(), 409)  # holds_another
        self.change_rules(caps=[{"rule": "one", "window": "lifetime", "by": "all", "limit": 1}])
        self._claim(self.canary, self._template(), 409)  # cap_reached
        self.change_rules()
        self._relatives()
        single = self._template(quantity=1)
        self._claim(self.other, single)
        self._claim(self.canary, single, 409)  # sold_out
        self.bureau.post(f"/v1/templates/{one}/suspend")
        self._claim(self.other, one, 409)  # template_not_open
        self._claim(self.canary, self._template(distribution_mode="directed"), 409)
        self._directed(one)
        nobody = {"kind": "declared", "age_to": 0}
        self._claim(self.canary, self._template(eligibility=nobody), 409)  # not_eligible
        self._claim(self.canary, self._template(claim_from=MAY[1]), 409)
        self._by_service()

    def _directed(self, opened: str) -> None:
        """A directed voucher: issued, of an open template, under another name, twice, and taken under another name."""
        named = {"id_type": self.canary.id_type, "id_number": self.canary.id_number, "mobile": self.canary.mobile}
        named |= {"name": self.canary.name}
        directed = self._template(distribution_mode="directed")
        path = f"/v1/templates/{directed}/vouchers"
        self.bureau.post(f"/v1/templates/{opened}/vouchers", named, status=409)  # already claimed, or not directed
        stranger = {"name": self.other.name, "id_type": self.other.id_type, "id_number": self.other.id_number}
        self.bureau.post(f"/v1/templates/{self._template()}/vouchers", stranger, status=409)  # not_directed
        self.bureau.post(path, named | {"name": "测试另名"}, status=409)  # name_differs
        self.bureau.post(path, named | {"id_number": self.canary.id_number[:-1] + "?"}, status=400)
        self.bureau.post(path, named, status=201, key=self.canary.id_number)
        self.bureau.post(path, named, status=409)  # already_claimed
        self._claim(replace(self.canary, name="测试另名"), directed, 409)  # name_differs
        self._claim(self.canary, directed)

    def _by_service(self) -> None:
        """The region's service: it is down, then it names the canary in its reason, then it refuses."""
        path, server = f"/v1/regions/{CITY}/eligibility-service", eligibility.sample_server()
        decided = self.bureau.post(path, {"url": eligibility.URL, "remember_seconds": 60}, key=self.canary.id_number)
        server.trust(decided["key_id"], decided["secret"])
        one = self._template(eligibility={"kind": "service"})
        for behaviour, status in (("fail", 503), ("personal", 503), ("refuse", 409)):
            server.behave(behaviour, times=1)
            told = self._claim(self.canary, one, status)
            assert told["code"] == ("not_eligible" if status == 409 else "eligibility_service_unavailable")
        person = {"name": self.canary.name, "id_type": self.canary.id_type, "id_number": self.canary.id_number}
        server.behave("unsigned", times=1)
        self.bureau.post(f"{path}/trial", person, status=503, key=None)
        self.bureau.post(f"{path}/trial", person, key=None)
        self.bureau.post(f"{path}/disable", key=f"{self.canary.id_number}-end")

    def _staff(self) -> None:
        """The canary scans for the institution, and puts a card on its terminal."""
        staff, number = f"/v1/institutions/{INSTITUTION_ID}/staff", self.canary.id_number
        one, code = self.held(self.other)
        place = {"institution_id": INSTITUTION_ID, "course_id": self.course_id, "code": code}

        def scans() -> dict[str, str]:
            return {**place, "staff_assertion": self._assertion(self.canary, "staff", INSTITUTION_ID)}

        told = self.channel.post("/v1/redemptions", scans(), status=403)
        assert told["code"] == "staff_unknown"
        asked = {"name": self.canary.name, "id_type": self.canary.id_type, "id_number": number}
        asked["mobile"] = self.canary.mobile or ""
        staff_id = self.desk.post(staff, asked, status=201, key=number)["staff_id"]
        self.desk.post(staff, asked, status=409, key=f"{number}-again")
        self.channel.post("/v1/redemptions", scans(), status=201, key=f"{number}-scan")
        self.desk.post(f"{staff}/{staff_id}/disable", key=f"{number}-off")
        mistake = {"reason": "扫错了", "staff_assertion": scans()["staff_assertion"]}
        told = self.channel.post(f"/v1/vouchers/{one}/reversal", mistake, status=403)
        assert told["code"] == "staff_disabled"
        self.desk.get(f"{staff}/NOBODY", 404)
        self.desk.post(f"{staff}/NOBODY/enable", status=404)
        self._cards()

    def _cards(self) -> None:
        terminals, terminal = f"/v1/institutions/{INSTITUTION_ID}/terminals", DemoTerminal(b"c" * 32)
        self.bureau.post(f"{terminals}/NOTHING/disable", status=404)
        asked = {"name": "读卡器", "public_key": terminal.public_key}
        terminal_id = self.bureau.post(terminals, asked, status=201)["terminal_id"]
        template_id = self._template()

        def reads(purpose: str) -> dict[str, str]:
            card_read = terminal.card_read(
                terminal_id,
                self.canary,
                card_number=CARD_NUMBER,
                app_key=self.desk.app_key,
                purpose=purpose,
                subject=template_id,
                jti=f"jti-{self.canary.id_number}",
                now=self.world.now,
            )
            return {"template_id": template_id, "card_read": card_read}

        self.desk.post("/v1/claims", reads("redeem"), status=401)  # card_read_not_accepted
        self.desk.post("/v1/claims", reads("claim"), status=201, key=f"{self.canary.id_number}-card")
        place = {"institution_id": INSTITUTION_ID, "course_id": self.course_id}
        self.desk.post("/v1/redemptions", place | reads("redeem"), status=201)
        self.bureau.post(f"{terminals}/{terminal_id}/disable")
        self.desk.post("/v1/redemptions", place | reads("redeem"), status=401)

    def _people(self) -> None:
        number = {"id_type": self.canary.id_type, "id_number": self.canary.id_number}
        found = self.bureau.post("/v1/people/search", number, key=None)
        why = {"reason": "核对身份"}
        self.bureau.post(f"/v1/people/{found['person_id']}/disclosure", why, status=201, key=self.canary.id_number)
        self.bureau.post(f"/v1/people/{self.canary.id_number}/disclosure", why, status=404)
        self.bureau.post("/v1/people/search", number | {"id_type": "foreign_permanent"}, status=400, key=None)
        numbers = f"/v1/people/{found['person_id']}/numbers"
        self.bureau.post(numbers, number | {"reason": "重复"}, status=409)  # number_known
        theirs = {"id_type": self.other.id_type, "id_number": self.other.id_number, "reason": "曾用号码"}
        self._claim(self.other, self._template())
        self.bureau.post(numbers, theirs, status=409)  # number_taken
        corrections = f"/v1/people/{found['person_id']}/corrections"
        same = {"name": self.canary.name, "mobile": self.canary.mobile, "reason": "核对"}
        self.bureau.post(corrections, same, status=400)
        self.bureau.post(corrections, same | {"mobile": "13900000005"})
        self.bureau.post(corrections, same)
        flags, on = f"/v1/people/{found['person_id']}/flags", {"flag": "ineligible", "set": True, "reason": "已退休"}
        self.bureau.post(flags, on)
        self._claim(self.canary, self._template(), 409)  # person_flagged
        self.bureau.post(flags, on | {"set": False})
        self.bureau.post(flags, on | {"set": False}, status=409)
        merges = self.bureau.get("/v1/merges?region=000000")["items"]
        self.bureau.get(f"/v1/merges/{merges[0]['merge_id']}")
        self._merge(found["person_id"])
        payer = OperatorKey(b"who only pays".ljust(32, b"-"))
        asked = {"name": "王五", "public_key": payer.public_key, "region": CITY, "duties": ["payer"]}
        operator_id = self.bureau.post("/v1/operators", asked, status=201)["operator_id"]
        who_pays = replace(self.bureau, operator_id=operator_id, key=payer)
        told = who_pays.post(f"/v1/people/{found['person_id']}/disclosure", why, status=403)
        assert told["code"] == "duty_required"

    def _relatives(self) -> None:
        """The canary acts for another, and is acted for; the channel makes its keys of their numbers."""
        for person, relative in ((self.canary, self.other), (self.other, self.canary)):
            claimed = self._claim_for(person, relative, 201)
            relation_id = claimed["facts"]["proxy"]
            holder = self.holder(person)
            assert holder.get("/v1/relations")["items"]
            if person is self.other:  # by now both have vouchers
                merge = {"survivor": self._person_id(person), "other": self._person_id(relative), "reason": "同一人"}
                self.bureau.post("/v1/merges", merge, status=409)  # relations_stand
            holder.post(f"/v1/relations/{relation_id}/revocation", key=f"{person.id_number}-{relation_id}")
            holder.post(f"/v1/relations/{relation_id}/revocation", status=404)  # relation_not_found
        self.change_rules(proxy_limit=0)
        self._claim_for(self.other, self.canary, 409)  # proxy_limit_reached
        self.change_rules()

    def _budget_transfers(self) -> None:
        """Between two cities, by two operators; and a year that is over, and one that is not."""
        receiver = self.bureau.post("/v1/accounts", {"region": "440100", "year": YEAR, "budget_fen": 5}, status=201)
        asked = {"giver": self.account_id, "receiver": receiver["account_id"], "amount_fen": 5, "reason": "调剂"}
        self.bureau.post("/v1/budget-transfers", asked | {"receiver": self.account_id}, status=400)
        transfer_id = self.bureau.post("/v1/budget-transfers", asked, status=201)["transfer_id"]
        one = f"/v1/budget-transfers/{transfer_id}"
        self.bureau.post(f"{one}/confirm", status=403)  # same_operator
        key = OperatorKey(b"who transfers".ljust(32, b"-"))
        person = {"name": "赵六", "public_key": key.public_key, "region": "000000", "duties": ["finance"]}
        operator_id = self.bureau.post("/v1/operators", person, status=201)["operator_id"]
        checker = replace(self.bureau, operator_id=operator_id, key=key)
        checker.post(f"{one}/confirm")
        checker.post(f"{one}/decline", {"reason": "晚了"}, status=409)  # budget_transfer_state
        self.bureau.get(one)
        self.bureau.get("/v1/budget-transfers?region=440000")
        self.bureau.get("/v1/budget-transfers/X", 404)
        other = self.bureau.post("/v1/budget-transfers", asked, status=201)["transfer_id"]
        self.bureau.post(f"/v1/budget-transfers/{other}/decline", {"reason": "不需要了"})
        self.bureau.post(f"/v1/accounts/{self.account_id}/carry-over", status=409)  # year_not_over
        old = self.bureau.post("/v1/accounts", {"region": "440100", "year": 2019, "budget_fen": 5}, status=201)
        self.bureau.post(f"/v1/accounts/{old['account_id']}/carry-over")
        month = f"{self.world.now:%Y-%m}"
        self.bureau.get(f"/v1/accounts/{self.account_id}/statements/{month}?format=pdf")
        self.bureau.get(f"/v1/accounts/{self.account_id}/statements/1999-01", 404)  # statement_not_found

    def _person_id(self, person: Profile) -> str:
        number = {"id_type": person.id_type, "id_number": person.id_number}
        return str(self.bureau.post("/v1/people/search", number, key=None)["person_id"])

    def _claim_for(self, person: Profile, relative: Profile, status: int) -> Any:
        template_id = self._template()
        body = {
            "template_id": template_id,
            "assertion": self._assertion(person, "claim", template_id),
            "proxy": {"assertion": self._assertion(relative, "proxy", template_id), "kin": "spouse"},
        }
        return self.channel.post("/v1/claims", body, status=status, key=f"{relative.id_number}-{template_id}")

    def _merge(self, person_id: str) -> None:
        """With the other canary, confirmed by another operator, and undone too late."""
        number = {"id_type": self.other.id_type, "id_number": self.other.id_number}
        other = self.bureau.post("/v1/people/search", number, key=None)["person_id"]
        asked = {"survivor": person_id, "other": other, "reason": "同一人"}
        merge_id = self.bureau.post("/v1/merges", asked, status=201)["merge_id"]
        key = OperatorKey(b"who confirms".ljust(32, b"-"))
        person = {"name": "赵六", "public_key": key.public_key, "region": "000000", "duties": ["reviewer"]}
        operator_id = self.bureau.post("/v1/operators", person, status=201)["operator_id"]
        replace(self.bureau, operator_id=operator_id, key=key).post(f"/v1/merges/{merge_id}/confirm")
        now = self.world.now
        self.world.clock.set(now + timedelta(days=31))
        self.bureau.post(f"/v1/merges/{merge_id}/undo", {"reason": "晚了"}, status=409)  # undo_window_over
        self.world.clock.set(now)
        self.bureau.post(f"/v1/merges/{merge_id}/undo", {"reason": "不是同一人"})

    def _desk(self) -> None:
        voucher_id, code = self.held(self.canary, quantity=2)
        self.use("A" * 17, 409)  # code_not_accepted
        self.use(code, 404, course_id="NONE")
        place = {"institution_id": INSTITUTION_ID, "course_id": self.course_id}
        self.desk.post("/v1/redemptions", place | {"token": "A" * 208}, status=409)
        self.use(code, 409, course_id=self._course(OTHER_INSTITUTION_ID))  # wrong_course
        self.use(self.held(self.canary, institutions=[OTHER_INSTITUTION_ID])[1], 409)
        self.use(self.held(self.canary, valid_from=MAY[1])[1], 409)  # not_yet_valid
        self.bureau.post(f"/v1/institutions/{INSTITUTION_ID}/suspend")
        self.use(code, 409)
        self.bureau.post(f"/v1/institutions/{INSTITUTION_ID}/readmit")
        self.bureau.post(f"/v1/institutions/{INSTITUTION_ID}/readmit", status=409)  # admission_step
        for _ in range(20):
            self.use(code)
            self.use(code, 409)  # already_redeemed
            self._reverse(voucher_id)
        self.use(code, 409)  # used_too_often
        self._reverse(voucher_id, 409)  # not_redeemed
        other_id, other_code = self.held(self.other)
        self.use(other_code)
        self.holder(self.other).post(f"/v1/vouchers/{other_id}/return", status=409)  # not_held
        self.change_rules(reversal_window=0)
        self.world.clock.advance(timedelta(seconds=1))
        self._reverse(other_id, 409)
        self.change_rules()
        self.channel.get("/v1/vouchers/NONE", 401)
        self.bureau.get("/v1/vouchers/NONE", 404)

    def _reverse(self, voucher_id: str, status: int = 200) -> None:
        self.desk.post(f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"}, status=status)

    def _classroom(self) -> None:
        """A class with all that can be wrong with it, and with a check-in."""
        first, number = self.world.now, self.canary.id_number
        class_id = self.open_class(capacity=1)
        path = f"/v1/classes/{class_id}"
        voucher_id, code = self.held(self.canary)
        other_id, other_code = self.held(self.other)
        holder = self.holder(self.canary)
        put = {"voucher_ids": [voucher_id]}
        assert self.why(path, voucher_id) == "not_redeemed_here"
        self.use(code)
        self.use(other_code)
        self.desk.post(f"{path}/enrolments", {"voucher_ids": [voucher_id, other_id]}, status=409)  # class_full
        asked = {"class_id": class_id, "position": THERE, "device": number}
        holder.post("/v1/check-ins", asked, status=404, key=number)  # not_enrolled
        self.desk.post(f"{path}/enrolments", put, key=number)
        assert self.why(path, voucher_id) == "enrolled_already"
        second_id, second_code = self.held(self.canary)
        self.use(second_code)
        assert self.why(f"/v1/classes/{self.open_class()}", second_id) == "classes_overlap"
        for place, told in (
            ({"mocked": True}, "position_mocked"),
            ({"datum": "cgcs"}, "datum_unknown"),
            ({"latitude": 0.0, "longitude": 0.0}, "position_zero"),
            ({"latitude": 114.0579, "longitude": 22.5431}, "position_swapped"),
            ({"latitude": 500.0}, "position_invalid"),
            ({"latitude": 48.85, "longitude": 2.35}, "position_outside_china"),
            ({"accuracy": 3_000.0}, "position_inaccurate"),
            ({"latitude": 22.6}, "too_far"),
        ):
            refused = holder.post("/v1/check-ins", asked | {"position": THERE | place}, status=409)
            assert refused["code"] == told
        by_code = {"class_id": class_id, "class_code": f"CLASS1.{number}.S001.x"}
        assert holder.post("/v1/check-ins", by_code, status=409)["code"] == "class_code_not_accepted"
        for session_id, status, why in (("S009", 404, "session_not_found"), ("S002", 409, "check_in_not_open")):
            assert holder.post("/v1/check-ins", asked | {"session_id": session_id}, status=status)["code"] == why
        leaving = asked | {"leaving": True}
        assert holder.post("/v1/check-ins", leaving, status=409)["code"] == "not_checked_in"
        holder.post("/v1/check-ins", asked, status=201)
        assert holder.post("/v1/check-ins", asked, status=409)["code"] == "already_checked_in"
        holder.post("/v1/check-ins", leaving, status=201)
        assert holder.post("/v1/check-ins", leaving, status=409)["code"] == "already_checked_out"
        self.desk.post(f"/v1/vouchers/{voucher_id}/reversal", {"reason": "扫错了"}, status=409)  # checked_in_before
        leave = {"voucher_id": voucher_id, "session_id": "S002", "reason": "就医"}
        self.desk.post(f"{path}/leaves", leave, status=201)
        self.desk.post(f"{path}/leaves", leave, status=409)  # already_excused
        self.desk.post(f"{path}/sessions/S001", {"place": ROOM}, status=409)  # session_over
        self.desk.get("/v1/classes/X", 404)
        self.desk.post(f"{path}/finish", status=409)  # class_state
        self.world.clock.set(first + timedelta(days=1, hours=2))
        by_hand = {"voucher_id": voucher_id, "session_id": "S002", "reason": "手机没电"}
        assert self.desk.post(f"{path}/check-ins/by-hand", by_hand, status=409)["code"] == "too_many_by_hand"
        self.world.clock.set(first + timedelta(days=5))
        late = self.holder(self.canary)
        old = {"voucher_id": voucher_id, "session_id": "S002", "at": to_text(first + timedelta(days=1))}
        (told,) = self.desk.post(f"{path}/check-ins/reported", {"tool": "刷脸机", "items": [old]})["results"]
        assert told["code"] == "reported_too_late"
        assert late.post("/v1/check-ins", asked, status=409)["code"] == "check_in_over"
        self.world.clock.set(first)
        self._too_fast_and_online()
        self._evaluations()

    def _evaluations(self) -> None:
        """Too early, and too late; words that are not there."""
        first = self.world.now
        class_id = self.open_class(ROOM)
        voucher_id, code = self.held(self.other)
        self.use(code)
        assert self.why(f"/v1/classes/{class_id}", voucher_id) is None
        holder = self.holder(self.other)
        holder.post("/v1/check-ins", {"class_id": class_id, "position": THERE}, status=201)
        stars = [{"dimension": one, "stars": 5} for one in ("teaching", "content", "place", "service")]
        asked = {"class_id": class_id, "ratings": stars, "text": "很好"}
        assert holder.post("/v1/evaluations", asked, status=409)["code"] == "not_completed"
        self.world.clock.set(first + timedelta(hours=2))
        self.desk.post(f"/v1/classes/{class_id}/finish")
        self.bureau.post(f"/v1/classes/{class_id}/evaluations/X/release", status=404)  # words_not_found
        self.world.clock.set(first + timedelta(days=40))
        late = self.holder(self.other)
        assert late.post("/v1/evaluations", asked, status=409)["code"] == "evaluation_over"
        self.world.clock.set(first)

    def open_class(self, *places: Any, capacity: int = 9, course_id: str = "") -> str:
        def session(day: int, place: Any) -> dict[str, Any]:
            begins = self.world.now + timedelta(days=day)
            ends = begins + timedelta(hours=1)
            return {"starts_at": to_text(begins), "ends_at": to_text(ends), "place": place, "teacher": "王老师"}

        asked = {
            "institution_id": INSTITUTION_ID,
            "course_id": course_id or self.course_id,
            "name": "一班",
            "teacher": "王老师",
            "capacity": capacity,
            "sessions": [session(day, place) for day, place in enumerate(places or (ROOM, ROOM))],
        }
        return str(self.desk.post("/v1/classes", asked, status=201)["class_id"])

    def why(self, path: str, voucher_id: str) -> str | None:
        (told,) = self.desk.post(f"{path}/enrolments", {"voucher_ids": [voucher_id]})["results"]
        code: str | None = told["code"]
        return code

    def _too_fast_and_online(self) -> None:
        """The same person at once in another city, and a position for what has no place."""
        self.change_rules(overlaps="allowed")
        far = {"latitude": 23.1066, "longitude": 113.3245}
        online = self._course(INSTITUTION_ID, online=True)
        holder = self.holder(self.canary)
        for place, course_id, position, why in (
            (ROOM | far, "", THERE | far, "too_fast"),
            (None, online, THERE, "online_session"),
        ):
            class_id = self.open_class(place, course_id=course_id)
            voucher_id, code = self.held(self.canary)
            self.use(code, course_id=course_id or self.course_id)
            assert self.why(f"/v1/classes/{class_id}", voucher_id) is None
            asked = {"class_id": class_id, "position": position}
            assert holder.post("/v1/check-ins", asked, status=409)["code"] == why
        self.change_rules()

    def _ends(self) -> None:
        today = self._template(claim_until=MAY[0], valid_until=MAY[0])
        voucher_id = self._claim(self.other, today)["voucher_id"]
        code = self.holder(self.other).get(f"/v1/vouchers/{voucher_id}")["code"]
        self.world.clock.advance(timedelta(days=1))
        self._claim(self.canary, today, 409)  # claim_window_over
        self.use(code, 409)  # expired
        revoked_id, revoked_code = self.held(self.other)
        self.bureau.post(f"/v1/vouchers/{revoked_id}/revocation", {"reason": "资格有误"})
        self.bureau.post(f"/v1/vouchers/{revoked_id}/revocation", {"reason": "资格有误"}, status=409)
        self.use(revoked_code, 409)  # voucher_ended
        issued_id, issued_code = self.held(self.other)
        claimed = self.world.voucher(issued_id)
        # No service issues yet; the row is made to say so.
        self.world.platform.people.record_step(
            claimed, replace(claimed, state=State.ISSUED, version=claimed.version + 1)
        )
        self.use(issued_code, 409)  # not_claimed

    def _faults(self) -> None:
        """What goes wrong inside, with the canary in the message of whatever library raised it."""
        person, template_id = self.canary, self._template()
        says = f"{person.id_number} {person.name} {person.mobile}"
        for method, error, status in (
            ("identify", Unavailable(), 503),
            ("identify", RuntimeError(says), 500),
            ("record_claim", WriteConflict(), 503),
        ):
            with self._broken("people", method, error):
                self._claim(person, template_id, status)
        clients = Watched(self.world.platform.catalogue.clients, "change", before=_raise(ConcurrentChange()))
        with self._wired(catalogue=replace(self.world.platform.catalogue, clients=clients)):
            self.bureau.post("/v1/clients/CHANNEL2/pace", {"requests_per_second": 100}, status=409)

    def _broken(self, store: str, method: str, error: Exception) -> Any:
        return self._wired(**{store: Watched(getattr(self.world.platform, store), method, before=_raise(error))})

    @contextmanager
    def _wired(self, **stores: Any) -> Iterator[None]:
        wiring.use(replace(self.world.platform, **stores))
        yield
        wiring.use(self.world.platform)


def _raise(error: Exception) -> Callable[[int], None]:
    def happen(_: int) -> None:
        raise error

    return happen
