"""The money of the classroom's class, to the fen: application, review, payment, write-off, expiry and forfeiture.

A part of the main job; ``make demo-money`` plays it alone, after the classroom. One trainee is granted less, one line
is returned and handed in again, one is refused; one payee's payment fails and is paid again; one trainee never applies,
one never completed the class, two claim a voucher and never use it. A plan of what must have become of each voucher
says every figure of account, stock and applications; it knows the trainees and the decisions, and reads nothing from
the platform. The clock of the stage goes on by a year and some days.
"""

import csv
import hashlib
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from chalicelib.domain import calendar
from chalicelib.domain.money import yuan
from tools.api_client import ApiClient, Operator, Refused
from tools.demo_classroom import FIRST_PERSON, SELDOM, TRAINEES, Classroom, tell_of_a_class
from tools.demo_stage import DemoStage, new_operator_key
from tools.invoke import invoke
from tools.local_stack import LOCAL, LocalStack
from tools.package import ROOT
from tools.people import invented_person
from tools.story import Difference, Story

CEILING_FEN, LESS_FEN = 100_000, 60_000
CUT, SENT_BACK, TURNED_DOWN, UNLUCKY, NEVER_APPLIES = 1, 2, 3, 10, 28
"""Trainees by number: granted less, returned once, refused, not reached by the first payment, not applied for."""
NEVER_USED = (TRAINEES + 1, TRAINEES + 2)
"""Claimed and not used: they expire."""
APPLICANTS = tuple(one for one in range(1, TRAINEES + 1) if one not in (SELDOM, NEVER_APPLIES))
STATES = ("issued", "claimed", "redeemed", "applied", "written_off", "returned", "expired", "forfeited", "revoked")
COMPLETION_DAYS, FILING_DAYS = 365, 90
"""The default rules: so long after its use a class is over, and so long after the class it is applied for."""
JOBS = ("expire", "release", "remind")
MOST_SECONDS = 120.0
Figures = dict[str, int]


@dataclass
class Fate:
    """What must have become of a voucher. ``granted``: in fen, None while nobody has decided."""

    state: str
    granted: int | None = None
    paid: int = 0

    @property
    def bound(self) -> int:
        """What of its ceiling is reserved for it still."""
        return CEILING_FEN if self.granted is None and self.state in ("claimed", "redeemed", "applied") else 0

    @property
    def freed(self) -> int:
        """What of its ceiling it left free."""
        return CEILING_FEN - self.bound - (self.granted or 0)


@dataclass
class Plan:
    """Each voucher's fate, by trainee; ``posted``: how much the release job has posted so far."""

    fates: dict[int, Fate] = field(default_factory=lambda: {n: Fate("redeemed") for n in range(1, TRAINEES + 1)})
    posted: int = 0

    def all(self, trainees: tuple[int, ...], state: str, *, granted: int | None = None, paid: bool = False) -> None:
        for one in trainees:
            fate = self.fates[one]
            fate.state = state
            fate.granted = fate.granted if granted is None else granted
            fate.paid = (fate.granted or 0) if paid else fate.paid

    def release(self) -> None:
        self.posted = sum(one.freed for one in self.fates.values())

    def figures(self) -> Figures:
        """Every figure of the account and of the stock."""
        fates = self.fates.values()
        bound, freed = sum(one.bound for one in fates), sum(one.freed for one in fates) - self.posted
        granted, paid = sum(one.granted or 0 for one in fates), sum(one.paid for one in fates)
        states = Counter(one.state for one in fates)
        used = sum(one not in NEVER_USED for one in self.fates)
        return {
            "account: budget": len(fates) * CEILING_FEN,
            "account: free": self.posted,
            "account: reserved": bound + freed,
            "account: payable": granted - paid,
            "account: paid": paid,
            "account: recovered": 0,
            "stock: quantity": len(fates),
            "stock: unallotted": 0,
            "stock: remaining": 0,
            "stock: made": len(fates),
            "stock: released": 0,
            "stock: ever_claimed": len(fates),
            "stock: ever_redeemed": used,
            "stock: reserved_fen": bound,
            "stock: to_release_fen": freed,
            **{f"vouchers: {state}": states[state] for state in STATES},
        }


class Counting:
    """Whoever acts, what must be, and what was last shown."""

    def __init__(self, room: Classroom, stack: LocalStack) -> None:
        self.room, self.stack, self.story = room, stack, room.story
        self.plan = Plan()
        self.shown: Figures = {}
        self.reviewer = self._officer("reviewer")
        self.payer = self._officer("payer")

    def _officer(self, duty: str) -> ApiClient:
        """Another operator of the province, in the province's own system."""
        from tools.demo import PROVINCE

        seed, public_key = new_operator_key()
        person = {"name": "经办人员", "public_key": public_key, "region": PROVINCE, "duties": [duty]}
        known = self.room.stage.clients["province"]
        operator = Operator(self.room.province.do("/v1/operators", person)["operator_id"], seed)
        return self.room.stage.admit(duty, known["app_key"], known["secret"], operator)

    def tick(self, moment: datetime) -> None:
        self.room.tick(moment)
        for client in (self.reviewer, self.payer):
            client.look_at_clock()

    def vouchers(self, *trainees: int) -> list[str]:
        return [self.room.vouchers[one - 1] for one in trainees]

    def run(self, job: str, expected: Mapping[str, Any]) -> None:
        """Invoke a deployed function by its schedule's event until it is done; what it reports of its own end."""
        event = (ROOT / "events" / f"{job}.schedule.json").read_bytes()
        function = f"training-voucher-{self.stack.stage}-{job}"
        for _ in range(10):
            report, log, succeeded = invoke(self.stack.endpoint, function, event)
            if not succeeded:
                raise Difference(f"the function {job} failed:\n{log}")
            if report["finished"]:
                break
        told = {name: report[name] for name in expected}
        self.story.say(f"  function {job}: {json.dumps(told)}")
        self.story.must_be(f"report of {job}", told, dict(expected))

    def show(self) -> None:
        """Account and counters as they are now; each as the plan has it, whether it moved or not."""
        found, wanted = self._read(), self.plan.figures()
        table = Table(show_header=True, header_style="dim", box=None, padding=(0, 2))
        for heading in ("figure", "before", "now", "plan"):
            table.add_column(heading, justify="left" if heading == "figure" else "right")
        for name, value in found.items():
            before = self.shown.get(name, value)
            if name.startswith("account") or before != value or (not self.shown and value):
                table.add_row(name, f"{before:,}" if before != value else "=", f"{value:,}", f"{wanted[name]:,}")
        self.story.console.print(table)
        self.story.must_be("names of the figures", set(found), set(wanted))
        for name, value in found.items():
            self.story.must_be(name, value, wanted[name])
        parts = sum(value for name, value in found.items() if name.startswith("account") and "budget" not in name)
        self.story.must_be("the parts of the budget", parts, found["account: budget"])
        self.shown = found

    def _read(self) -> Figures:
        account = self.room.province.read(f"/v1/accounts/{self.room.account_id}")
        stock = self.room.province.read(f"/v1/templates/{self.room.template_id}")["stock"]
        counts = stock.pop("counts")
        balances = ("budget", "free", "reserved", "payable", "paid", "recovered")
        return (
            {f"account: {name}": account[f"{name}_fen"] for name in balances}
            | {f"stock: {name}": value for name, value in stock.items()}
            | {f"vouchers: {state}": counts.get(state, 0) for state in STATES}
        )

    def application(self, path: str, state: str, fen: tuple[int, int, int], **lines: int) -> None:
        """Claimed, approved, paid; and its lines by state."""
        found = self.reviewer.read(path)
        counts = {one["state"]: one["lines"] for one in found["counts"]}
        sums = tuple(found[f"{name}_fen"] for name in ("claimed", "approved", "paid"))
        told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        claimed, approved, paid = (yuan(one) for one in sums)
        self.story.say(
            f"  application {found['application_id']} {found['state']}: {told};  "
            f"claimed {claimed}, approved {approved}, paid {paid} yuan"
        )
        self.story.must_be("state of the application", found["state"], state)
        self.story.must_be("lines of the application", counts, lines)
        self.story.must_be("sums of the application", sums, fen)


def tell_of_money(room: Classroom, stack: LocalStack) -> None:
    """The class is finished; its vouchers end, each as planned. Raises Difference, Refused."""
    there = Counting(room, stack)
    before = room.story.compared
    _pause_schedules(there)
    there.run("release", {"finished": True, "left": 0})  # what other acts have left to post
    _two_more(there)
    path = _apply(there)
    _review(there, path)
    again = _hand_in_again(there)
    _pay(there, path, again)
    _write_off(there)
    _a_year_later(there)
    _look_at_the_books(there)
    paid = sum(one.paid for one in there.plan.fates.values())
    room.story.say(
        f"[bold green]money demo: {len(there.plan.fates)} vouchers, {yuan(paid)} yuan paid, "
        f"{room.story.compared - before} figures compared, 0 differences[/]"
    )


def _pause_schedules(there: Counting) -> None:
    """So that each figure is that of the step that is told, the story alone calls the jobs."""
    events = there.stack.client("events")
    paused = set()
    for rule in events.list_rules()["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        jobs = [job for job in JOBS if any(one["Arn"].endswith(f"-{job}") for one in targets)]
        if jobs:
            events.disable_rule(Name=rule["Name"])
            paused |= set(jobs)
    there.story.must_be("schedules that are paused", paused, set(JOBS))


def _two_more(there: Counting) -> None:
    room, story = there.room, there.story
    story.act("专账与券：再发两张，预算之外一张也不行", "The account: two vouchers more, and none beyond the budget")
    there.show()
    more = f"/v1/templates/{room.template_id}/additions"
    refused = room.province.post(more, {"quantity": len(NEVER_USED)})
    story.answer(refused, "code", "detail", "facts")
    wanted = {"needed_fen": len(NEVER_USED) * CEILING_FEN, "free_fen": 0}
    story.must_be("beyond the budget", (refused.body["code"], refused.body["facts"]), ("budget_exceeded", wanted))
    budget = {"amount_fen": len(NEVER_USED) * CEILING_FEN, "note": "演示追加"}
    room.province.do(f"/v1/accounts/{room.account_id}/budget", budget)
    room.province.do(more, {"quantity": len(NEVER_USED)})
    for number in NEVER_USED:
        person = invented_person(FIRST_PERSON + number)
        assertion = room.stage.assertion(room.channel, person, "claim", room.template_id)
        claim = {"template_id": room.template_id, "assertion": assertion}
        room.vouchers.append(str(room.channel.do("/v1/claims", claim)["voucher_id"]))
        room.people.append(person)
        there.plan.fates[number] = Fate("claimed")
    there.show()


def _apply(there: Counting) -> str:
    room, story = there.room, there.story
    story.act("申请资金：机构逐券申请，全班共用一份", "Application: the institution applies, voucher by voucher")
    asked = {
        "class_id": room.class_id,
        "region": _city(),
        "lines": [{"voucher_id": one} for one in there.vouchers(*APPLICANTS, SELDOM)],
    }
    story.request("desk", "POST", "/v1/applications", {**asked, "lines": f"{len(asked['lines'])} vouchers"})
    answer = room.desk.post("/v1/applications", asked)
    story.answer(answer, "application_id", "state")
    path = f"/v1/applications/{room.desk.must(answer, 'POST', '/v1/applications', 202)['application_id']}"
    _wait(lambda: room.desk.read(path), lambda one: one["state"] != "collecting")
    there.plan.all(APPLICANTS, "applied")
    claimed = len(APPLICANTS) * CEILING_FEN
    there.application(path, "submitted", (claimed, 0, 0), applied=len(APPLICANTS), not_accepted=1)
    (out,) = [one for one in _all(there.reviewer, f"{path}/lines") if one["state"] == "not_accepted"]
    story.say(f"  not accepted: {out['code']} {out['zh']}")
    seldom = room.vouchers[SELDOM - 1]
    story.must_be("who is not accepted", (out["voucher_id"], out["code"]), (seldom, "not_completed"))
    _attach(there, path)
    there.show()
    return path


def _attach(there: Counting, path: str) -> None:
    """The attendance sheet that the classroom printed comes with it, by its hash."""
    file = LOCAL / "demo-attendance.pdf"
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    declared = {"kind": "签到表", "file_name": file.name, "size": len(data), "sha256": digest}
    desk, story = there.room.desk, there.story
    made = desk.do(f"{path}/attachments", declared)
    one = f"{path}/attachments/{made['attachment']['attachment_id']}"
    early = desk.post(one, {})
    story.must_be("before it was put", early.body["code"], "attachment_not_stored")
    put = requests.put(made["upload"]["url"], data=data, headers=made["upload"]["headers"], timeout=60)
    story.must_be("the attachment's upload", put.status_code, 200)
    desk.do(one, {})
    fetched = _fetched(there.reviewer.read(one)["url"])
    story.say(f"  attachment {file.name}: {len(fetched):,} bytes, as it was put")
    story.must_be("the attachment as the reviewer gets it", hashlib.sha256(fetched).hexdigest(), digest)


def _review(there: Counting, path: str) -> None:
    story, reviewer = there.story, there.reviewer
    story.act(
        "审核：一张少给、一张退回、一张不予通过，其余批量通过",
        "Review: one is granted less, one returned, one refused; the rest is granted in bulk",
    )
    cut = {"verdict": "approve_less", "fen": LESS_FEN, "reason": "金额有误", "voucher_ids": there.vouchers(CUT)}
    too_much = reviewer.post(f"{path}/decisions", cut | {"fen": CEILING_FEN + 1})
    story.must_be("more than was claimed", too_much.body["code"], "over_claim")
    by_the_payer = there.payer.post(f"{path}/decisions", cut)
    story.must_be("by the payer", by_the_payer.body["code"], "duty_required")
    back = {"verdict": "return", "reason": "材料不全", "voucher_ids": there.vouchers(SENT_BACK)}
    no = {"verdict": "refuse", "reason": "涉嫌虚假培训", "voucher_ids": there.vouchers(TURNED_DOWN)}
    for asked in (cut, back, no):
        story.request("reviewer", "POST", f"{path}/decisions", asked)
        story.answer(reviewer.post(f"{path}/decisions", asked), "state", "claimed_fen", "approved_fen")
    there.plan.all((CUT,), "applied", granted=LESS_FEN)
    there.plan.all((SENT_BACK,), "redeemed")
    there.plan.all((TURNED_DOWN,), "forfeited")
    there.show()
    bulk = {"verdict": "approve", "least_percent": 80}
    story.request("reviewer", "POST", f"{path}/decisions/bulk", bulk)
    answer = reviewer.post(f"{path}/decisions/bulk", bulk)
    reviewer.must(answer, "POST", f"{path}/decisions/bulk", 202)
    told = _wait(lambda: reviewer.read(path), lambda one: one["bulk"]["finished_at"] is not None)["bulk"]
    rest = tuple(one for one in APPLICANTS if one not in (CUT, SENT_BACK, TURNED_DOWN))
    story.must_be("decided in bulk", (told["decided"], told["passed_over"]), (len(rest), 0))
    there.plan.all(rest, "applied", granted=CEILING_FEN)
    granted = len(rest) * CEILING_FEN + LESS_FEN
    sums = (len(APPLICANTS) * CEILING_FEN, granted, 0)
    lines = {"approved": len(rest) + 1, "returned": 1, "refused": 1, "not_accepted": 1}
    there.application(path, "decided", sums, **lines)
    there.show()


def _hand_in_again(there: Counting) -> str:
    room, story = there.room, there.story
    story.act("退回的再次申请", "What was returned is applied for again, and granted")
    lines = [{"voucher_id": one} for one in there.vouchers(SENT_BACK, UNLUCKY)]
    asked = {"class_id": room.class_id, "region": _city(), "lines": lines}
    made = room.desk.must(room.desk.post("/v1/applications", asked), "POST", "/v1/applications", 202)
    path = f"/v1/applications/{made['application_id']}"
    _wait(lambda: room.desk.read(path), lambda one: one["state"] != "collecting")
    there.application(path, "submitted", (CEILING_FEN, 0, 0), applied=1, not_accepted=1)
    (out,) = [one for one in _all(there.reviewer, f"{path}/lines") if one["state"] == "not_accepted"]
    story.must_be("one voucher in two applications", out["code"], "already_applied")
    there.reviewer.do(f"{path}/decisions", {"verdict": "approve", "voucher_ids": there.vouchers(SENT_BACK)})
    there.plan.all((SENT_BACK,), "applied", granted=CEILING_FEN)
    there.application(path, "decided", (CEILING_FEN, CEILING_FEN, 0), approved=1, not_accepted=1)
    there.show()
    return path


def _pay(there: Counting, path: str, again: str) -> None:
    story = there.story
    story.act("拨付：银行文件，一人未付成", "Payment: the bank file; one payee of all is not reached")
    paid = tuple(one for one in APPLICANTS if one not in (SENT_BACK, TURNED_DOWN, UNLUCKY))
    first, file = _batch(there, (path,), (*paid, UNLUCKY))
    story.must_be(
        "paid by the reviewer", there.reviewer.post("/v1/payment-batches", _asks(path)).body["code"], "duty_required"
    )
    granted = sum(there.plan.fates[one].granted or 0 for one in (*paid, UNLUCKY))
    claimed = len(APPLICANTS) * CEILING_FEN
    others = {"returned": 1, "refused": 1, "not_accepted": 1}
    there.application(path, "decided", (claimed, granted, 0), paying=len(paid) + 1, **others)
    there.show()
    results = _results(there, file, {UNLUCKY: "账户状态异常"})
    _bank_says(there, results, issued=len(file))
    _closed(there, first, paid=len(paid), failed=1, failed_fen=CEILING_FEN)
    there.plan.all(paid, "applied", paid=True)
    sums = (claimed, granted, granted - CEILING_FEN)
    there.application(path, "decided", sums, paid=len(paid), approved=1, **others)
    there.show()

    story.act("再付：只付未付成的和补报的", "Paid again: only who was not reached, and who was handed in again")
    second, file = _batch(there, (path, again), (UNLUCKY, SENT_BACK))
    _bank_says(there, _results(there, file, {}), issued=len(file))
    _closed(there, second, paid=2, failed=0, failed_fen=0)
    there.plan.all((UNLUCKY, SENT_BACK), "applied", paid=True)
    there.application(path, "settled", (claimed, granted, granted), paid=len(paid) + 1, **others)
    there.application(again, "settled", (CEILING_FEN,) * 3, paid=1, not_accepted=1)
    there.show()

    story.act("银行把第一次的结果再报一遍：什么也不变", "The bank tells its first results once more: nothing moves")
    _bank_says(there, results, same=results.count("\r\n") - 1)
    third = there.payer.post("/v1/payment-batches", _asks(path))
    story.must_be("a third batch", third.body["code"], "application_state")
    there.show()


def _asks(*paths: str) -> dict[str, Any]:
    return {"region": _city(), "application_ids": [one.rpartition("/")[2] for one in paths]}


def _batch(
    there: Counting, paths: tuple[str, ...], payees: tuple[int, ...]
) -> tuple[str, dict[int, tuple[list[str], int]]]:
    """Its path, and its bank file's rows by trainee, each with what it pays; the file is compared with the plan."""
    story, payer = there.story, there.payer
    asked = _asks(*paths)
    story.request("payer", "POST", "/v1/payment-batches", asked)
    answer = payer.post("/v1/payment-batches", asked)
    path = f"/v1/payment-batches/{payer.must(answer, 'POST', '/v1/payment-batches')['batch_id']}"
    batch = _wait(lambda: payer.read(path), lambda one: one["state"] != "building")
    wanted = {one: there.plan.fates[one].granted or 0 for one in payees}
    totals = (len(payees), len(payees), sum(wanted.values()))
    story.must_be("the batch", (batch["state"], batch["payees"], batch["lines"], batch["fen"]), ("ready", *totals))
    made = payer.do(f"{path}/bank-file", {})
    data = _fetched(made["download"]["url"])
    story.must_be("the file's SHA-256", hashlib.sha256(data).hexdigest(), made["batch"]["file_sha256"])
    _, *rows, trailer = list(csv.reader(io.StringIO(data.decode("gb18030"), newline="")))
    story.must_be("the trailer", (trailer[0], trailer[1], trailer[5]), ("合计", str(len(payees)), _plain(totals[2])))
    # Their numbers stand in the file for the bank, and nowhere in what is told here.
    trainees = {person.id_number: number for number, person in enumerate(there.room.people, 1)}
    found = {trainees[row[3]]: row for row in rows}
    story.must_be("rows of the file", len(rows), len(payees))
    amounts = {one: (row[1], row[2], row[5]) for one, row in found.items()}
    people = there.room.people
    said = {one: ("社会保障卡账户", people[one - 1].name, _plain(fen)) for one, fen in wanted.items()}
    story.must_be("names and sums of the file", amounts, said)
    story.say(
        f"  bank file of batch {batch['batch_id']}: GB18030, {len(data):,} bytes, "
        f"{len(rows)} payees, {trailer[5]} yuan, as the control totals"
    )
    return path, {one: (row, wanted[one]) for one, row in found.items()}


def _results(there: Counting, file: Mapping[int, tuple[list[str], int]], failed: Mapping[int, str]) -> str:
    """What the bank hands back: CSV, CR LF."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(["批次号", "付款序号", "金额（元）", "付款结果", "失败原因", "银行流水号"])
    for trainee, (row, fen) in file.items():
        why = failed.get(trainee)
        number = "" if why else f"BANK-{row[7]}"
        rows.writerow([row[6], row[0], _plain(fen), "失败" if why else "成功", why or "", number])
    return out.getvalue()


def _bank_says(there: Counting, results: str, **verdicts: int) -> None:
    """Put the bank's answer by its presigned address, and follow it to its end."""
    payer, story = there.payer, there.story
    data = results.encode("gb18030")
    declared = {
        "kind": "payment_results",
        "region": _city(),
        "file_name": "拨付结果.csv",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    story.request("payer", "POST", "/v1/rosters", declared)
    made = payer.do("/v1/rosters", declared)
    upload, path = made["upload"], f"/v1/rosters/{made['roster']['roster_id']}"
    put = requests.put(upload["url"], data=data, headers=upload["headers"], timeout=60)
    story.must_be("the upload", put.status_code, 200)
    roster = _wait(lambda: payer.read(path), lambda one: one["result_at"] or one["state"] == "unreadable")
    counts = {name: count for name, count in roster["counts"].items() if count and name != "read"}
    story.say(f"  the bank's answer: {roster['counts']['read']} rows {json.dumps(counts)}")
    story.must_be("the bank's answer", (roster["state"], counts), ("finished", verdicts))


def _closed(there: Counting, path: str, *, paid: int, failed: int, failed_fen: int) -> None:
    payer, story = there.payer, there.story
    done = _wait(lambda: payer.read(path), lambda one: one["state"] == "closed")
    payees = _all(payer, f"{path}/payees")
    story.say(
        f"  batch {done['batch_id']} {done['state']}: {done['paid']} paid {yuan(done['paid_fen'])} yuan, "
        f"{done['failed']} failed {yuan(done['failed_fen'])} yuan"
    )
    for one in payees:
        if one["state"] == "failed":
            story.say(f"    {one['sequence']}: {one['masked_name']} {one['masked_number']} {one['reason']}")
    found = (done["paid"], done["failed"], done["failed_fen"], done["paid_fen"] + done["failed_fen"], done["settling"])
    story.must_be("the batch's end", found, (paid, failed, failed_fen, done["fen"], 0))
    states = Counter(one["state"] for one in payees)
    story.must_be("its payees", (states["paid"], states["failed"]), (paid, failed))


def _write_off(there: Counting) -> None:
    room, story = there.room, there.story
    story.act("核销：次日定时任务，券码作废", "Write-off: the next day's job; a code that was paid is dead")
    there.run("release", {"finished": True, "left": 0, "fen": CEILING_FEN - LESS_FEN + CEILING_FEN})
    there.plan.release()
    there.show()
    there.tick(calendar.end_of(calendar.local_date(room.province.now())) + timedelta(minutes=5))
    there.run("expire", {"finished": True, "left": 0, "written_off": len(APPLICANTS) - 1})
    there.plan.all(tuple(one for one in APPLICANTS if one != TURNED_DOWN), "written_off")
    there.show()
    there.run("expire", {"finished": True, "left": 0, "written_off": 0})
    there.show()
    place = {"institution_id": room.stage.facts["institution_id"], "course_id": room.course_id}
    code = {"code": room.codes[UNLUCKY - 1]}
    verified = room.desk.call("POST", "/v1/verifications", body=place | code).body
    story.must_be("verified", (verified["usable"], verified["refusal"]["code"]), (False, "voucher_ended"))
    used = room.desk.post("/v1/redemptions", place | code)
    story.answer(used, "code", "detail")
    story.must_be("used again", (used.status, used.body["code"]), (409, "voucher_ended"))
    shown = room.channel.get(
        f"/v1/vouchers/{room.vouchers[UNLUCKY - 1]}/qr", {"format": "token"}, headers=room.headers(UNLUCKY)
    )
    story.must_be("the QR code", (shown.status, shown.body["code"]), (409, "voucher_ended"))


def _a_year_later(there: Counting) -> None:
    room, story = there.room, there.story
    last_day = room.finished_on + timedelta(days=FILING_DAYS)
    story.act("失效：结业后未按期申请", f"Forfeiture: not applied for within {FILING_DAYS} days after the class")
    there.tick(calendar.end_of(last_day) + timedelta(minutes=5))
    there.run("expire", {"finished": True, "left": 0})
    story.say("  a day more, for what was applied for on the last day and is still in the making")
    there.show()
    there.tick(calendar.end_of(last_day + timedelta(days=1)) + timedelta(minutes=5))
    there.run("expire", {"finished": True, "left": 0})
    there.plan.all((NEVER_APPLIES,), "forfeited")
    there.show()
    story.act("过期与失效：未使用的、未结业的", "Expiry and forfeiture: never used, and class not completed in a year")
    there.tick(calendar.end_of(room.used_on + timedelta(days=COMPLETION_DAYS)) + timedelta(minutes=5))
    there.run("expire", {"finished": True, "left": 0})
    there.plan.all(NEVER_USED, "expired")
    there.plan.all((SELDOM,), "forfeited")
    there.show()
    there.run("release", {"finished": True, "left": 0})
    there.plan.release()
    there.show()


def _look_at_the_books(there: Counting) -> None:
    room, story = there.room, there.story
    story.act("对账：分录、月报、逐张券", "The books: postings, monthly statement, voucher by voucher")
    fates = there.plan.fates
    granted, freed = sum(one.granted or 0 for one in fates.values()), sum(one.freed for one in fates.values())
    wanted = {
        "budget": len(fates) * CEILING_FEN,
        "reserve": len(fates) * CEILING_FEN,
        "approve": granted,
        "pay": granted,
        "release": freed,
    }
    account = f"/v1/accounts/{room.account_id}"
    postings = _all(room.province, f"{account}/postings")
    found: Counter[str] = Counter()
    for one in postings:
        story.must_be(f"legs of posting {one['number']}", sum(one["legs"].values()), 0)
        found[one["kind"]] += sum(leg for leg in one["legs"].values() if leg > 0)
    for kind, fen in found.items():
        story.say(f"  {kind:<8} {yuan(fen):>12} yuan")
    story.must_be("postings by kind", dict(found), wanted)
    closing = room.province.read(f"{account}/statements/{calendar.local_date(room.province.now()):%Y-%m}")["closing"]
    plan = there.plan.figures()
    story.must_be(
        "the statement's closing",
        {name.removesuffix("_fen"): fen for name, fen in closing.items()},
        {"source": -plan["account: budget"]}
        | {name: plan[f"account: {name}"] for name in ("free", "reserved", "payable", "paid", "recovered")},
    )
    ends: Counter[tuple[str, int]] = Counter()
    for trainee, fate in fates.items():
        card = room.province.read(f"/v1/vouchers/{room.vouchers[trainee - 1]}")
        story.must_be(f"voucher {trainee}", (card["state"], card["paid_fen"]), (fate.state, fate.paid))
        ends[card["state"], card["paid_fen"]] += 1
    for (state, fen), count in sorted(ends.items()):
        story.say(f"  {count:>2} {state:<12} {yuan(fen):>8} yuan")


def _plain(fen: int) -> str:
    """As a bank writes it: yuan with two decimals, nothing between the thousands."""
    return f"{fen // 100}.{fen % 100:02d}"


def _city() -> str:
    from tools.demo import CITY

    return CITY


def _wait(read: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """What a job of the stack made of it. Raises Difference after so many seconds."""
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        found = read()
        if done(found):
            return found
        time.sleep(0.3)
    raise Difference(f"not done after {MOST_SECONDS:.0f} s: {json.dumps(found, ensure_ascii=False)}")


def _all(reader: ApiClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = reader.read(path, {"limit": 20} | ({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _fetched(url: str) -> bytes:
    answer = requests.get(url, timeout=60)
    answer.raise_for_status()
    return answer.content


def tell_of_class_and_money(stage: DemoStage, stack: LocalStack, story: Story, today: date) -> None:
    """Both acts, one after the other. Raises Difference, Refused."""
    tell_of_money(tell_of_a_class(stage, story, today), stack)


def main() -> int:
    from tools import demo
    from tools.local_stack import local_stack

    console = Console(soft_wrap=True, highlight=False)
    story, quiet = Story(console), Story(Console(quiet=True))
    with local_stack(console=console) as stack:
        stage, ministry = demo.raise_curtain(stack, console)
        today = calendar.local_date(ministry.now())
        try:
            demo.prepare(stage, ministry, quiet, today)
            room = tell_of_a_class(stage, quiet, today)
            room.story = story
            console.print(f"  the class of the classroom demo: {TRAINEES} trainees, {TRAINEES - 1} completed it")
            tell_of_money(room, stack)
        except (Difference, Refused) as wrong:
            console.print(f"\n✗ {wrong}", markup=False, style="bold red")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
