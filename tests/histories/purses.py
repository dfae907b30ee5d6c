"""Random histories of money: classes that are over, applied for, reviewed by two, paid in batches, answered by a bank,
claimed back, written off or forfeited; over a network that fails, by jobs that are cut off or meet each other, repeated
as they were and with another body.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from chalicelib.domain.access import Actor
from chalicelib.domain.application import (
    Application,
    ApplicationState,
    Decision,
    Filter,
    Line,
    LineState,
    LineVerdict,
    MoneyErrand,
)
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import Contended, DomainError
from chalicelib.domain.institution import Admission, AdmissionStep
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.payment import BankAnswer, BatchPayee, BatchState, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.domain.region import Cap, CapBy, Overlaps, Window
from chalicelib.domain.roster import Roster, RosterKind, RosterState, Verdict
from chalicelib.domain.sheets import Entry
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services import (
    applying,
    cataloguing,
    clawing_back,
    paying,
    releasing,
    reviewing,
    settling_payments,
    sweeping,
    withdrawing_approvals,
    working_off_money,
)
from chalicelib.services.identifying import Presented
from chalicelib.services.making_vouchers import code_context
from chalicelib.services.recording_rosters import RecordedRows
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow, Item, from_body, text
from tests.bucket import Errands
from tests.classroom import HOUR, at, check_in, enrol, finish, open_class, plan
from tests.faults.layer import AtRandom, Call, Fault
from tests.faults.operations import forget
from tests.histories import money_laws
from tests.histories.money_laws import Course, Purses
from tests.histories.town import LONGEST, RATE, SHARDS, Ask, Request, Town, seed_s
from tests.paying import confirm, pays_to, propose
from tests.services.faults import PowerCut
from tests.settling import FINANCE, PAYER, REVIEWER, SECOND, an_operator, with_clerks
from tests.world import CITY, FACE_VALUE, INSTITUTION_ID, START, World

MOST_APPLICATIONS, MOST_BATCHES, VOUCHERS = 6, 6, 5
WHOSE = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1))
"""Of the five vouchers: whose, and of which template; a class for each template."""
SAME_AS_DESK = an_operator("DESK")
"""The operator who applies, at the authority's desk."""
# Of what is possible some is wanted more often: an end has many steps before it.
LIFE = (
    *("go on",) * 30,
    *("apply", "work", "decide", "bulk", "open batch", "bank", "sweep", "repeat", "repeat with another body") * 2,
    *("cancel", "cancel batch", "file", "bank again", "claw back", "revoke", "admission", "wait", "release", "cap"),
    "take back",
    *("restart", "claw back", "wait", "wait", "wait"),
)
SUMS = (None, None, FACE_VALUE, FACE_VALUE // 2, FACE_VALUE + 1)
STEPS_OF_INSTITUTION = (
    AdmissionStep.SUSPEND,
    AdmissionStep.READMIT,
    AdmissionStep.WITHDRAW,
    AdmissionStep.REAPPLY,
    AdmissionStep.ADMIT,
)
BACK: Mapping[Admission, Sequence[AdmissionStep]] = {
    Admission.ADMITTED: (),
    Admission.SUSPENDED: (AdmissionStep.READMIT,),
    Admission.WITHDRAWN: (AdmissionStep.REAPPLY, AdmissionStep.ADMIT),
    Admission.CANDIDATE: (AdmissionStep.ADMIT,),
}
WORK = "money job"
COURSE_ID, NO_CAP, TWIN = "E" * 16, 9, 13


@contextmanager
def small_chunks() -> Iterator[None]:
    """Five vouchers are many: a job takes one or two of them at once, so that it can be cut off in between."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(applying, "CHUNK", 2))
        for service in (reviewing, paying, settling_payments):
            stack.enter_context(patch.object(service, "WIDE", 2))
            stack.enter_context(patch.object(service, "NARROW", 1))
        yield


def furnish(world: World) -> World:
    """What stands before the first history: clerks, a course of an occupation and level, an account to pay to."""
    p = with_clerks(world).platform
    assert FINANCE.operator is not None
    p.catalogue.operators.add(FINANCE.operator, None)
    course = replace(world.course, course_id=COURSE_ID, occupation="6-31-01-03", level=5)
    p.catalogue.courses.add(course, None)
    confirm(world, propose(world).answer.proposals)
    return world


@dataclass
class Between:
    """A plan in which somebody else acts before one of the calls."""

    plan: AtRandom
    at: int
    other: Callable[[], None] | None

    def __call__(self, call: Call) -> Fault | None:
        if self.other is not None and call.attempt == 1 and call.number >= self.at:
            other, self.other = self.other, None
            other()
        return self.plan(call)

    @property
    def calls(self) -> int:
        return self.plan.calls

    @property
    def faults(self) -> Counter[Fault]:
        return self.plan.faults


@dataclass
class Nights:
    """How far the sweep has come; each history has its own."""

    day: date = field(default_factory=lambda: local_date(START) - timedelta(days=1))

    def swept_until(self, _: str) -> date:
        return self.day

    def advance(self, _: str, day: date) -> None:
        self.day = max(self.day, day)


class SomeReleases:
    """Templates of which only some wait in the list of those that have something to release."""

    def __init__(self, templates: Any, mine: Sequence[str]) -> None:
        self._templates, self._lanes = templates, {keys.release_lane(one) for one in mine}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._templates, name)

    def to_release(self, lane: int, limit: int, cursor: str | None) -> Any:
        return self._templates.to_release(lane, limit, cursor) if lane in self._lanes else Page((), None)


class Purse(Town):
    """One history of the money of two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.purses: Purses | None = None
        self.next_purses: Purses | None = None
        self.course: Course | None = None
        self.classes: list[TrainingClass] = []
        self.nights = Nights()
        self.bank: dict[tuple[str, int], list[BankAnswer]] = {}
        self.lists: list[tuple[Roster, list[Entry]]] = []
        self.recorded: dict[tuple[str, int], Entry] = {}
        self.errands = Errands()
        self.other: Callable[[], None] | None = None
        self.other_at = 1
        self.met = self.twin = False
        self.trouble: list[BaseException] = []
        self.sound = False
        self.withdrawn = self.stands_still = False
        self.limit = NO_CAP
        self.asked = Counter[tuple[str, str]]()
        self.wanted: dict[str, Any] = {}
        self.decisions: dict[str, tuple[str, Decision, list[str]]] = {}
        self.known: dict[str, Sequence[Any]] = defaultdict(list)

    def rate(self, seed: int) -> float:
        """Half of the steps meet no fault, some few: an end has many steps before it, and a job many calls."""
        return (0.0, RATE, 0.0, RATE / 3)[seed % 4]

    def plan(self, seed: int, rate: float) -> Any:
        return Between(super().plan(seed, rate), self.other_at, self.other)

    def take(self, request: Request, seed: int, body: bytes = b"{}") -> Done[Any] | str:
        self.sound = False
        if self.twin:
            self.other = lambda: self._act_as_well(request, body)
        outcome = super().take(request, seed, body)
        if self.met:  # what somebody else did meanwhile is no change by a refusal
            self.refused = None
        return outcome

    @initialize(
        percent=st.sampled_from((80, 50, 100)),
        second=st.booleans(),
        separate=st.sampled_from((True, True, True, False)),
        filing=st.sampled_from((90, 3, 3)),
        completion=st.sampled_from((30, 2)),
        payees=st.sampled_from(
            (
                (Payee.INSTITUTION, Payee.INSTITUTION),
                (Payee.INSTITUTION, Payee.PERSON),
                (Payee.PERSON, Payee.PERSON),
                (Payee.PERSON, Payee.INSTITUTION),
            )
        ),
        absent=st.integers(0, VOUCHERS),
        stage=st.sampled_from((0, 2, 4, 6, 8, 10)),
    )
    def found(
        self,
        percent: int,
        second: bool,
        separate: bool,
        filing: int,
        completion: int,
        payees: tuple[Payee, Payee],
        absent: int,
        stage: int,
    ) -> None:
        """Three people with five used vouchers on two classes that are over; one of the five did not come.
        ``stage``: so many steps on the way to the money are behind them."""
        world = self.settle()
        world.platform = replace(world.platform, money_errands=self.errands)
        p = world.platform
        self._admit(world)
        course = p.catalogue.courses.get(COURSE_ID)
        assert course is not None
        world.course = course
        self.wanted = {
            "attendance_percent": percent,
            "second_review": second,
            "separate_duties": separate,
            "filing_deadline": filing,
            "completion_days": completion,
            "overlaps": Overlaps.ALLOWED,
        }
        self._decide_rules((Cap("cap", Window.YEAR, CapBy.ALL, 9),))
        self.decided = cataloguing.rules_in_force(p.catalogue, CITY, world.now)
        for payee in payees:
            pays_to(world, payee)
            world.publish(4, peak_claims=12 * SHARDS)
        self.classes = [open_class(world, [plan(START + HOUR, hours=1)], capacity=4) for _ in payees]
        published = [world.template(one) for one in world.templates]
        for person, which in WHOSE:
            world.claim(self.people[person], published[which])
            self.asking.add(person)
        self.standing = self._stand()
        for voucher in self._five():
            context = code_context(voucher.person_id, voucher.template_id)
            world.redeem(Presented(code=p.keys.sealer.unseal(voucher.sealed_code, context)))
        five = self._five()
        for number, training in enumerate(self.classes):
            enrol(
                world,
                training,
                *(one.voucher_id for one, (_, which) in zip(five, WHOSE, strict=True) if which == number),
            )
        at(world, START + HOUR)
        for number, (person, which) in enumerate(WHOSE):
            if number != absent:
                check_in(world, self.people[person], self.classes[which])
        at(world, START + 2 * HOUR)
        self.classes = [finish(world, one) for one in self.classes]
        share = {one.voucher_id: (int(number != absent), 1) for number, one in enumerate(five)}
        self.course = Course(self.decided, share)
        self.standing = self._stand()
        self.purses = self.next_purses
        for number in range(stage):
            self.go_on(number, 63, 0, 0)
            self.holds()

    def _admit(self, world: World) -> None:
        """Whatever the history before has made of the institution."""
        p = world.platform
        there = p.catalogue.institutions.read(INSTITUTION_ID)
        assert there is not None
        for step in BACK[there.admission]:
            cataloguing.change_admission(p.catalogue, p.marks, INSTITUTION_ID, step, **world.by(world.bureau))

    # --- all that can happen -----------------------------------------------------------------------------------------

    @rule(
        act=st.sampled_from(LIFE),
        which=st.integers(0, 11),
        whom=st.integers(1, 63),
        how=st.integers(0, 11),
        call=st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 11)),
        beside=st.integers(0, TWIN + 1),
        seed=seed_s,
    )
    def live(self, act: str, which: int, whom: int, how: int, call: int, beside: int, seed: int) -> None:
        """One act. All are in one rule: of several, Hypothesis leaves half out of a history. ``call`` > 0: before this
        call of its somebody else acts: ``beside`` tells who."""
        self.met, withdrawn = False, self.withdrawn
        self.other, self.other_at = (lambda: self.act_beside(beside, which, whom, seed)) if call else None, call
        self.twin = call > 0 and beside >= TWIN
        try:
            self.act(act, which, whom, how, seed)
        finally:
            self.other, self.twin = None, False
        if self.trouble:
            raise self.trouble[0]
        self.stands_still = withdrawn and self.withdrawn

    def act(self, act: str, which: int, whom: int, how: int, seed: int) -> None:
        match act:
            case "go on":
                self.go_on(which, whom, how, seed)
            case "apply":
                self.apply(which, whom, how, how, seed)
            case "work":
                self.work(which, (99, 1, 2, 99)[how % 4], seed)
            case "decide":
                self.decide(which, whom, how, seed)
            case "bulk":
                self.decide_in_bulk(which, whom, how, seed)
            case "cancel":
                self.cancel(which, seed)
            case "take back":
                self.take_back(which, whom, how, seed)
            case "open batch":
                self.open_batch(which, whom, how, seed)
            case "cancel batch":
                self.cancel_batch(which, seed)
            case "file":
                self.make_file(which, seed)
            case "bank":
                self.bank_answers(which, whom, how, seed)
            case "bank again":
                self.bank_says_it_again(which, seed)
            case "claw back":
                self.claw_back(which, how, seed)
            case "revoke":
                self.revoke(which, seed)
            case "admission":
                self.change_admission(how, seed)
            case "cap":
                self.change_cap((1, 2, NO_CAP, 2)[how % 4])
            case "wait":
                self.wait((1, 49, 24 * 6, 24 * 6)[how % 4])
            case "sweep":
                self.sweep(self.nights, seed, self.rate(seed))
            case "release":
                self.release(seed)
            case "repeat":
                if self.requests:
                    self.repeat(which + whom, seed)
            case "repeat with another body":
                if any(one.answer is not None for one in self.requests):
                    self.repeat_with_another_body(which + whom, seed)
            case "restart":
                self.restart()

    def repeat(self, which: int, seed: int) -> None:
        super().repeat(which, seed)

    def repeat_with_another_body(self, which: int, seed: int) -> None:
        super().repeat_with_another_body(which, seed)

    def restart(self) -> None:
        super().restart()

    def in_the_background(self, kind: str, done: str, job: Callable[[], None], seed: int, rate: float) -> None:
        self.sound = False
        super().in_the_background(kind, done, job, seed, rate)

    def go_on(self, which: int, whom: int, how: int, seed: int) -> None:
        """Whatever is next for anything, as the offices do all day."""
        applications, batches, five = self._applications(), self._batches(), self._five()
        unfinished = [i for i, one in enumerate(self._errands()) if self._has_work(one)]
        sent = [i for i, one in enumerate(batches) if one.state is BatchState.SENT and one.pending]
        ready = [i for i, one in enumerate(batches) if one.state is BatchState.READY]
        waiting = [i for i, one in enumerate(applications) if one.state is ApplicationState.SUBMITTED]
        payable = [
            one for one in applications if one.state is ApplicationState.DECIDED and one.counts.get(LineState.APPROVED)
        ]
        free = [
            one for one in five if one.state is State.REDEEMED and one.completion and (self._in_time(one) or how == 5)
        ]
        if self.withdrawn and how % 3 == 0:
            self.change_admission(3, seed)
            self.change_admission(4, seed)
        elif unfinished:
            self.work(unfinished[which % len(unfinished)], (99, 99, 1)[how % 3], seed)
        elif sent:
            self.bank_answers(sent[which % len(sent)], whom, 0 if how < 8 else how, seed)
        elif ready:
            self.make_file(ready[which % len(ready)], seed)
        elif waiting:
            number = waiting[which % len(waiting)]
            seen = {
                line.reviewed_by for line in self._lines_of(applications[number]) if line.state in money_laws.WAITING
            }
            who = SECOND if (REVIEWER.operator_id in seen) is not (seed % 3 == 1) else REVIEWER
            self.ask_for(self._decision(number, 63 if whom % 3 else whom, how, who), seed)
        elif payable and len(batches) < MOST_BATCHES:
            self.open_batch(0, 63, how, seed)
        elif free and len(applications) < MOST_APPLICATIONS:
            self.apply(self.classes.index(self._class_of(free[which % len(free)])), 63, 0, 0, seed)
        elif any(one.paid_fen and one.state is State.APPLIED for one in five) and how % 2:
            self.sweep(self.nights, seed, self.rate(seed))
        elif any(one.paid_fen > one.recovered_fen for one in five) and how % 3:
            self.claw_back(which, how, seed)
        elif how % 2:
            self.apply(which, whom, how, 1, seed)
        else:
            self.wait((23, 49)[which % 2])

    def _in_time(self, one: Voucher) -> bool:
        return one.filing_until is not None and local_date(self.world.now) <= one.filing_until

    def _class_of(self, one: Voucher) -> TrainingClass:
        return self.classes[self.world.templates.index(one.template_id)]

    def act_beside(self, beside: int, which: int, whom: int, seed: int) -> None:
        """Somebody else acts in between, over the same network: nobody hears what becomes of it, but the tables."""
        errands, applications, batches = self._errands(), self._applications(), self._batches()
        working = [one for one in errands if self._has_work(one)] or errands
        match beside:
            case 0 | 1 | 2 if working:
                self._in_between(lambda: self._carry_out(working[which % len(working)], (99, 1, 2)[beside]))
            case 3 | 4 if applications:
                self._quietly(self._decision(which, whom, which if beside == 3 else 0, SECOND))
            case 5 if applications:
                self._quietly(self._cancellation(which))
            case 6 if applications and len(batches) < MOST_BATCHES:
                self._quietly(self._opening(which, whom, PAYER))
            case 7 if batches:
                self._quietly(self._batch_cancellation(which))
            case 8 if batches:
                self._quietly(self._file(which))
            case 9:
                self._quietly(self._claw_back(which, 1, SECOND))
            case 10 if len(applications) < MOST_APPLICATIONS:
                self._quietly(self._application(which, whom, 0, 0, self.world.desk))
            case 11 if batches:
                roster, rows = self._list(self._batch(which), whom, which)
                self._in_between(self._judging(roster, rows))
            case 12 if which % 2 or not applications:
                self._in_between(lambda: self._sweep_in_between())
            case 12:
                self._quietly(self._taking_back(which, whom, SECOND))

    def _in_between(self, act: Callable[[], object]) -> None:
        """Over the same network: nobody hears what becomes of it, but the tables. What is none of what may happen is
        kept, since whoever acts around it might take it for trouble of its own."""
        self.met = True
        try:
            act()
        except DomainError:
            pass
        except PowerCut:
            pass  # the other machine stopped
        except BaseException as trouble:
            self.trouble.append(trouble)

    def _act_as_well(self, request: Request, body: bytes) -> None:
        """The very same request, by another container at the same time."""
        self.tally.steps["the same beside"] += 1
        self._in_between(lambda: self._carry_in_between(request, body))

    def _carry_in_between(self, request: Request, body: bytes) -> None:
        attempt = self.world.attempt(request.key, body, request.actor)
        done = request.ask(self.world, {"actor": request.actor, "attempt": attempt, "now": self.world.now})
        assert request.answer in (None, done.answer), (request, done)
        request.answer = done.answer

    def _sweep_in_between(self) -> None:
        some = replace(self.world.platform, people=self.some_lanes(), checkpoints=self.nights)
        sweeping.sweep_due(some, now=self.world.now, may_go_on=lambda: True)

    def _quietly(self, asked: Request) -> None:
        """A request of somebody else."""
        self.requests.append(asked)
        self.tally.steps[f"{asked.kind} beside"] += 1
        self._in_between(lambda: self._carry_in_between(asked, b"{}"))

    def ask_for(self, asked: Request, seed: int) -> None:
        self.begin(asked.kind, asked.actor, asked.ask, seed)

    def _request(self, kind: str, actor: Actor, ask: Ask) -> Request:
        return Request(kind, actor, self.key_of(kind), ask)

    # --- the institution ---------------------------------------------------------------------------------------------

    def apply(self, which: int, whom: int, fen: int, who: int, seed: int) -> None:
        """For a class, or (``whom``) for some vouchers of all that there are, and one that there is not."""
        if len(self._applications()) < MOST_APPLICATIONS:
            actor = self.world.other_desk if who == 11 else self.world.desk
            self.ask_for(self._application(which, whom, fen, who, actor), seed)

    def _application(self, which: int, whom: int, fen: int, who: int, actor: Actor) -> Request:
        training, sum_fen = self.classes[which % 2], SUMS[fen % len(SUMS)]
        ids = [*(one.voucher_id for one in self._five()), "nothing"]
        chosen = [one for i, one in enumerate(ids) if whom >> i & 1] if who % 3 == 1 else []
        lines = tuple((one, sum_fen) for one in chosen)
        draft = applying.ApplicationDraft(training.class_id, CITY, None if lines else sum_fen, lines)
        return self._request("apply", actor, lambda w, by: applying.open_application(w.platform, draft, **by))

    def cancel(self, which: int, seed: int) -> None:
        if self._applications():
            self.ask_for(self._cancellation(which), seed)

    def _cancellation(self, which: int) -> Request:
        one = self._application_of(which).application_id
        return self._request(
            "cancel", self.world.desk, lambda w, by: applying.cancel_application(w.platform, one, "填错了", **by)
        )

    # --- the authority -----------------------------------------------------------------------------------------------

    def decide(self, which: int, whom: int, how: int, seed: int) -> None:
        """Some of the lines that wait, or (now and then) of all that there are."""
        if self._applications():
            actor = (REVIEWER, SECOND, REVIEWER, SAME_AS_DESK if seed % 4 == 0 else SECOND)[seed % 4]
            self.ask_for(self._decision(which, whom, how, actor), seed)

    def _decision(self, which: int, whom: int, how: int, actor: Actor) -> Request:
        one = self._application_of(which)
        lines = self._lines_of(one)
        likely = [line for line in lines if line.state in money_laws.WAITING] if whom % 8 else []
        among = likely or lines
        chosen = [line.voucher_id for i, line in enumerate(among) if whom >> (i % 6) & 1] or ["nothing"]
        decision = self._said(how)
        asked = self._request(
            f"decide: {decision.verdict}",
            actor,
            lambda w, by: reviewing.decide_lines(w.platform, one.application_id, chosen, decision, **by),
        )
        self.decisions[asked.key] = (one.application_id, decision, chosen)
        return asked

    def _said(self, how: int) -> Decision:
        match how % 12:
            case 6:
                return Decision(LineVerdict.APPROVE_LESS, FACE_VALUE + 1, "金额有误", "多给")
            case 7 | 8:
                return Decision(LineVerdict.APPROVE_LESS, FACE_VALUE // (2 + how % 2), "金额有误", "核减")
            case 9 | 10:
                return Decision(LineVerdict.RETURN, None, "材料不全", "补齐")
            case 11:
                return Decision(LineVerdict.REFUSE, None, "涉嫌虚假培训", "核实")
            case _:
                return Decision(LineVerdict.APPROVE)

    def take_back(self, which: int, whom: int, how: int, seed: int) -> None:
        """What was granted, and now and then what was not."""
        if self._applications():
            self.ask_for(self._taking_back(which, whom, (REVIEWER, SECOND, REVIEWER, SAME_AS_DESK)[how % 4]), seed)

    def _taking_back(self, which: int, whom: int, actor: Actor) -> Request:
        granted = [
            one for one in self._applications() if any(it.state is LineState.APPROVED for it in self._lines_of(one))
        ]
        one = granted[which % len(granted)] if granted else self._application_of(which)
        lines = self._lines_of(one)
        likely = [line for line in lines if line.state is LineState.APPROVED] if whom % 8 else []
        among = likely or lines
        chosen = [line.voucher_id for i, line in enumerate(among) if whom >> (i % 6) & 1] or ["nothing"]
        return self._request(
            "take back",
            actor,
            lambda w, by: withdrawing_approvals.withdraw_approvals(
                w.platform, one.application_id, chosen, "材料不全", None, **by
            ),
        )

    def decide_in_bulk(self, which: int, whom: int, how: int, seed: int) -> None:
        if not self._applications():
            return
        one, decision = self._application_of(which), self._said(how)
        wanted = (
            Filter(),
            Filter(least_percent=50),
            Filter(states=(LineState.APPLIED,), most_by_hand=0),
            Filter(template_id=self.world.templates[0]),
        )[whom % 4]
        actor = (REVIEWER, SECOND, SAME_AS_DESK, REVIEWER, SECOND)[whom % 5]
        self.begin(
            "decide in bulk",
            actor,
            lambda w, by: reviewing.review_in_bulk(w.platform, one.application_id, wanted, decision, **by),
            seed,
        )

    def open_batch(self, which: int, whom: int, how: int, seed: int) -> None:
        if self._applications() and len(self._batches()) < MOST_BATCHES:
            actor = (*(PAYER,) * 8, REVIEWER, REVIEWER, SECOND, SAME_AS_DESK)[how % 12]
            self.ask_for(self._opening(which, whom, actor), seed)

    def _opening(self, which: int, whom: int, actor: Actor) -> Request:
        """Of applications that are decided, some; or of any."""
        decided = [one for one in self._applications() if one.state is ApplicationState.DECIDED]
        ids = [one.application_id for i, one in enumerate(decided) if whom >> i & 1]
        chosen = ids or [self._application_of(which).application_id]
        return self._request("open batch", actor, lambda w, by: paying.open_batch(w.platform, CITY, chosen, **by))

    def cancel_batch(self, which: int, seed: int) -> None:
        if self._batches():
            self.ask_for(self._batch_cancellation(which), seed)

    def _batch_cancellation(self, which: int) -> Request:
        one = self._batch(which).batch_id
        return self._request(
            "cancel batch", PAYER, lambda w, by: paying.cancel_batch(w.platform, one, "金额不符", **by)
        )

    def make_file(self, which: int, seed: int) -> None:
        if self._batches():
            self.ask_for(self._file(which), seed)

    def _file(self, which: int) -> Request:
        one = self._batch(which).batch_id
        return self._request("file", PAYER, lambda w, by: paying.make_bank_file(w.platform, one, **by))

    def claw_back(self, which: int, how: int, seed: int) -> None:
        actor = PAYER if how % 4 == 3 else FINANCE
        self.ask_for(self._claw_back(which, how, actor), seed)

    def _claw_back(self, which: int, how: int, actor: Actor) -> Request:
        five = self._five()
        likely = [one for one in five if one.paid_fen > one.recovered_fen] if which < 9 else []
        among = likely or five
        one = among[which % len(among)]
        fen = (one.paid_fen or FACE_VALUE, 10_000, 1 + one.paid_fen, 50_000)[how % 4]
        return self._request(
            "claw back",
            actor,
            lambda w, by: clawing_back.claw_back(w.platform, one.voucher_id, fen, "虚假培训", **by),
        )

    def revoke(self, which: int, seed: int) -> None:
        super().revoke(which, seed)

    def change_admission(self, how: int, seed: int) -> None:
        step = STEPS_OF_INSTITUTION[how % len(STEPS_OF_INSTITUTION)]
        self.begin(
            f"institution: {step}",
            self.world.bureau,
            lambda w, by: cataloguing.change_admission(
                w.platform.catalogue, w.platform.marks, INSTITUTION_ID, step, "检查", **by
            ),
            seed,
        )
        there = self.world.platform.catalogue.institutions.read(INSTITUTION_ID)
        assert there is not None
        forget(self.world)  # no container remembers for long what it was
        self.withdrawn = there.admission is Admission.WITHDRAWN

    def change_cap(self, limit: int) -> None:
        """How many vouchers of one occupation and level the region pays for from now on."""
        caps = (Cap("cap", Window.YEAR, CapBy.ALL, 9), Cap("level", Window.YEAR, CapBy.OCCUPATION_LEVEL, limit))
        self._decide_rules(caps)
        self.limit = limit
        forget(self.world)
        self.tally.steps["cap"] += 1

    def _decide_rules(self, caps: tuple[Cap, ...]) -> None:
        self.world.rules(caps=caps, **self.wanted)

    def wait(self, hours: int) -> None:
        later = self.world.now + hours * HOUR
        if later - START < LONGEST:
            self.world.clock.set(later)

    def release(self, seed: int) -> None:
        p = self.world.platform
        templates: Any = SomeReleases(p.templates, self.world.templates)

        def job() -> None:
            releasing.post_releases(templates, p.accounts, now=self.world.now, may_go_on=lambda: True)

        self.in_the_background("release", "released", job, seed, self.rate(seed))

    # --- the money job -----------------------------------------------------------------------------------------------

    def work(self, which: int, chunks: int, seed: int) -> None:
        errands = self._errands()
        if errands:
            errand = errands[which % len(errands)]

            def job() -> None:
                self._carry_out(errand, chunks)

            self.in_the_background(WORK, "worked", job, seed, self.rate(seed))

    def _carry_out(self, errand: MoneyErrand, chunks: int) -> working_off_money.Run:
        patience = iter(range(chunks))
        return working_off_money.carry_out(
            self.world.platform,
            errand,
            moment=lambda: self.world.now,
            may_go_on=lambda: next(patience, None) is not None,
        )

    def _has_work(self, errand: MoneyErrand) -> bool:
        return _has_work(self._there(), errand)

    # --- the bank ----------------------------------------------------------------------------------------------------

    def bank_answers(self, which: int, whom: int, how: int, seed: int) -> None:
        """A list of what became of some payees: paid, not paid, or another sum; of one that there is not, too."""
        if not self._batches():
            return
        self._judge(*self._list(self._batch(which), whom, how), seed)

    def _list(self, batch: PaymentBatch, whom: int, how: int) -> tuple[Roster, list[Entry]]:
        payees = self._payees_of(batch)
        told = [one for one in payees if whom >> (one.sequence - 1) % 6 & 1] or payees
        number, rows = len(self.lists), list[Entry]()
        for i, payee in enumerate(told):
            kind = (how + i) % 12
            fen = payee.fen + (1 if kind == 7 else 0)
            said = BankAnswer(True, fen, None, f"R{number}-{payee.sequence}")
            if kind in (4, 5, 10):
                said = BankAnswer(False, fen, "账户已注销", None)
            rows.append(self._row(2 + i, batch.batch_id, payee.sequence, said))
        if how == 8:
            rows.append(self._row(2 + len(told), batch.batch_id, 99, BankAnswer(True, 1, None, "R")))
        roster = Roster(
            f"BANK{number}{self.world.account_id}", RosterKind.PAYMENT_RESULTS, None, CITY, "结果.csv", 1, None,
            RosterState.ACCEPTED, self.world.now, PAYER.app_key, PAYER.operator_id,
        )  # fmt: skip
        self.lists.append((roster, rows))
        return roster, rows

    def bank_says_it_again(self, which: int, seed: int) -> None:
        if self.lists:
            self._judge(*self.lists[which % len(self.lists)], seed)

    def _row(self, number: int, batch_id: str, sequence: int, said: BankAnswer) -> Entry:
        self.bank.setdefault((batch_id, sequence), []).append(said)
        values = {
            "batch": batch_id,
            "sequence": sequence,
            "amount": said.fen,
            "result": "paid" if said.paid else "failed",
            "reason": said.reason,
            "reference": said.reference,
        }
        return Entry(number, {name: value for name, value in values.items() if value is not None})

    def _judge(self, roster: Roster, rows: list[Entry], seed: int) -> None:
        self.in_the_background("bank", "answered", self._judging(roster, rows), seed, self.rate(seed))

    def _judging(self, roster: Roster, rows: list[Entry]) -> Callable[[], None]:
        """As the import does, row by row; what was recorded once is recorded, however often it comes."""

        def job() -> None:
            judged = RecordedRows(self.world.platform, roster, PAYER).judge(rows, self.world.now)
            for one, entry in zip(judged.rows, rows, strict=True):
                key = (roster.roster_id, one.number)
                assert key not in self.recorded or one.verdict is Verdict.ISSUED or one.code == Contended.code, one
                if one.verdict is Verdict.ISSUED:
                    self.recorded[key] = entry
                self.tally.answers[f"bank: {one.code or one.verdict}"] += 1

        return job

    # --- what must hold ----------------------------------------------------------------------------------------------

    def check_lawful(self, voucher: Voucher) -> None:
        """Told in ``holds_beside``, with all that it is about."""

    def holds_beside(self) -> None:
        assert self.standing is not None
        assert self.purses is not None
        assert self.next_purses is not None
        assert self.course is not None
        before, now = self.purses, self.next_purses
        self.purses = now
        rules = self.course.rules
        vouchers = {one.voucher_id: one for one in self.standing.vouchers.values()}
        tales = {one: money_laws.tell(it, self.course, now) for one, it in vouchers.items()}
        for voucher_id, told in tales.items():
            money_laws.check_voucher(vouchers[voucher_id], told, self.course)
        for key, line in now.lines.items():
            money_laws.check_line(line, rules.second_review, rules.separate_duties)
            if key in before.lines:
                money_laws.check_line_went_on(before.lines[key], line)
        money_laws.check_lines_and_vouchers(now, vouchers)
        for application_id, one in now.applications.items():
            money_laws.check_application(one, now.lines_of(application_id))
            if application_id in before.applications:
                money_laws.check_application_went_on(before.applications[application_id], one)
        for batch_id, batch in now.batches.items():
            money_laws.check_batch(batch, now.payees_of(batch_id), now, self.bank)
            if batch_id in before.batches:
                money_laws.check_batch_went_on(before.batches[batch_id], batch)
        for of, payee in now.payees.items():
            if of in before.payees:
                money_laws.check_payee_went_on(before.payees[of], payee)
        assert before.lines.keys() <= now.lines.keys(), "a line is gone"
        assert before.applications.keys() <= now.applications.keys()
        books = self.standing.books
        money_laws.check_account(books.postings, books.balances, tales.values(), vouchers.values())
        for request in self.requests:
            if request.answer is not None:
                self._check_answer(request, now)
        for entry in self.recorded.values():
            payee = now.payees[entry.values["batch"], entry.values["sequence"]]
            assert payee.state == entry.values["result"], (entry, payee)
            assert payee.reference == entry.values.get("reference"), (entry, payee)
        self._check_asked(before, now)
        for voucher_id, voucher in vouchers.items():
            known = len(self.known[voucher_id])
            self.known[voucher_id] = voucher.history
            if any(entry.said["step"] == "apply" for entry in voucher.history[known:]):
                mine = [one for one in vouchers.values() if one.person_id == voucher.person_id]
                money_laws.check_caps(voucher, mine, self.limit)
        if self.stands_still:
            money_laws.check_stands_still(before, now)
        self.stands_still = False
        for batch_id, batch in now.batches.items():
            if batch.file_sha256:
                self._check_file(batch, now.payees_of(batch_id))
        if self.refused:
            assert now == before, f"{self.refused}, and something was changed"
        self.sound = True

    def _check_asked(self, before: Purses, now: Purses) -> None:
        """Whatever there is to go on with, somebody was asked to since it began."""
        asked = Counter((one.noun, one.id) for one, _ in self.errands.asked)
        for errand in self._errands():
            if _has_work(now, errand) and not _has_work(before, errand):
                key = (errand.noun, errand.id)
                assert asked[key] > self.asked[key], f"nobody was asked to go on with {errand}"
        self.asked = asked

    def _check_answer(self, request: Request, now: Purses) -> None:
        """What was answered is so."""
        match request.answer:
            case Application() as told:
                one = now.applications[told.application_id]
                assert one.version >= told.version, (told, one)
                assert one.state in money_laws.AFTER[told.state], (told, one)
                if request.key in self.decisions:
                    of, decision, chosen = self.decisions[request.key]
                    lines = now.lines_of(of)
                    money_laws.check_decided(lines, decision.verdict, decision.fen, request.actor.operator_id, chosen)
            case PaymentBatch() as told:
                batch = now.batches[told.batch_id]
                assert batch.version >= told.version, (told, batch)
                assert batch.state in money_laws.BATCH_AFTER[told.state], (told, batch)
                if told.file_sha256:
                    assert batch.file_sha256 == told.file_sha256

    def _check_file(self, batch: PaymentBatch, payees: Sequence[BatchPayee]) -> None:
        data = self.world.platform.files.read(batch.file_key or "", None, 10_000_000)
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == batch.file_sha256
        rows = list(csv.reader(StringIO(data.decode("gb18030"), newline="")))
        money_laws.check_file(batch, payees, rows)

    def teardown(self) -> None:
        """At last the network is sound, and every job comes to its end: nothing is stuck."""
        if not self.sound or self.purses is None:
            return
        for _ in range(3):
            for errand in self._errands():
                for _ in range(40):
                    if self._carry_out(errand, 99).next_errand is None:
                        break
                else:
                    raise AssertionError(f"{errand} is stuck")
            self.moved, self.refused = True, None
            self.holds()
        assert not [one for one in self._errands() if self._has_work(one)]
        for batch in self._batches():
            assert batch.state is not BatchState.SENT or batch.pending, batch
        self.world.clock.set(self.world.now + timedelta(days=1))
        self.sweep(self.nights, 0, 0.0)
        self.release(0)
        self.holds()
        for one in self._five():
            money_laws.check_swept(one, local_date(self.world.now))
        assert self.standing is not None
        for shard in (one for some in self.standing.books.shards.values() for one in some):
            assert not shard.to_release_fen, shard

    # --- what there is -----------------------------------------------------------------------------------------------

    def look_beside(self, people_rows: list[Item], rows: list[Item]) -> None:
        """All applications and batches that anybody was ever asked to go on with, whether or not they came to be."""
        if self.standing is None:
            return
        p: Any = self.world.platform
        wanted = list[tuple[str, str]]()
        lines = [keys.line_item(one.voucher_id) for one in self._five()] + [keys.line_item("nothing")]
        for noun, one in self._asked():
            subject = keys.batch(one) if noun == "batch" else keys.application(one)
            items = [keys.payee_item(i + 1) for i in range(4)] if noun == "batch" else lines
            wanted += [(subject, keys.HEAD), *((subject, item) for item in items)]
        found = p.people._tables.batch_get(CaseworkRow, wanted) if wanted else []
        heads = [row for row in found if text(row, "item") == keys.HEAD]
        of_batches = [row for row in heads if text(row, "subject").startswith(keys.batch(""))]
        of_applications = [row for row in heads if text(row, "subject").startswith(keys.application(""))]
        applications = [from_body(Application, text(row, "body")) for row in of_applications]
        batches = [from_body(PaymentBatch, text(row, "body")) for row in of_batches]
        made = [from_body(Line, text(row, "body")) for row in found if text(row, "item").startswith(keys.LINES)]
        payees = [
            from_body(BatchPayee, text(row, "body")) for row in found if text(row, "item").startswith(keys.PAYEES)
        ]
        self.next_purses = Purses(
            {one.application_id: one for one in applications},
            {(one.application_id, one.voucher_id): one for one in made},
            {one.batch_id: one for one in batches},
            {(one.batch_id, one.sequence): one for one in sorted(payees, key=lambda it: it.sequence)},
        )
        known = self.next_purses.applications.keys() | self.next_purses.batches.keys()
        self.errands.asked = [one for one in self.errands.asked if one[0].id in known]

    def _asked(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((errand.noun, errand.id) for errand, _ in self.errands.asked))

    def _there(self) -> Purses:
        assert self.purses is not None
        return self.purses

    def _errands(self) -> list[MoneyErrand]:
        there = self._there()
        known = there.applications.keys() | there.batches.keys()
        return [MoneyErrand(noun, one) for noun, one in self._asked() if one in known]

    def _applications(self) -> list[Application]:
        there = self._there()
        return [there.applications[one.id] for one in self._errands() if one.noun == "application"]

    def _application_of(self, which: int) -> Application:
        made = self._applications()
        return made[which % len(made)]

    def _lines_of(self, one: Application) -> list[Line]:
        order = [it.voucher_id for it in self._five()] + ["nothing"]
        return sorted(self._there().lines_of(one.application_id), key=lambda line: order.index(line.voucher_id))

    def _batches(self) -> list[PaymentBatch]:
        there = self._there()
        return [there.batches[one.id] for one in self._errands() if one.noun == "batch"]

    def _batch(self, which: int) -> PaymentBatch:
        made = self._batches()
        return made[which % len(made)]

    def _payees_of(self, batch: PaymentBatch) -> list[BatchPayee]:
        return self._there().payees_of(batch.batch_id)

    def _five(self) -> list[Voucher]:
        assert self.standing is not None
        return [self.standing.vouchers[self.ids[person], self.world.templates[which]] for person, which in WHOSE]


def _has_work(there: Purses, errand: MoneyErrand) -> bool:
    """Whether the money job has anything to do for it, as its head tells."""
    if errand.noun == "batch":
        batch = there.batches.get(errand.id)
        if batch is None or batch.state in (BatchState.READY, BatchState.CLOSED, BatchState.CANCELLED):
            return False
        return batch.state is not BatchState.SENT or batch.settling > 0
    one = there.applications.get(errand.id)
    if one is None:
        return False
    unfinished = one.bulk is not None and one.bulk.finished_at is None
    return unfinished or one.state in (ApplicationState.COLLECTING, ApplicationState.CANCELLING)
