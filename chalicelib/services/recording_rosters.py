"""Lists of what is no voucher: eligible people, institutions, courses, staff, results. Each row is recorded by itself.

A row's own mark tells that it was recorded; the chunk's mark follows. So a run that is cut off in between finds its
rows recorded and says of them what it would have said. What is there with other content is left as it is, but for the
dates of the eligible population: lists come anew each month.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib.domain.access import Actor
from chalicelib.domain.application import MoneyErrand, OutsideOutcome, OutsideResult
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.eligibility import Enlisted, Span
from chalicelib.domain.errors import AlreadyExists, DomainError, Invalid, Unavailable
from chalicelib.domain.identifiers import CitizenId, carries_personal_number
from chalicelib.domain.institution import Institution
from chalicelib.domain.institution import Kind as InstitutionKind
from chalicelib.domain.payment import (
    Answered,
    BankAnswer,
    BatchPayee,
    BatchState,
    PayeeState,
    PaymentBatch,
    must_be,
    must_be_whole,
    says_the_same,
)
from chalicelib.domain.programme import Course
from chalicelib.domain.roster import Roster, RosterKind, RowVerdict, Verdict
from chalicelib.domain.sheets import Entry
from chalicelib.domain.staff import StaffMember
from chalicelib.services import cataloguing, enlisting, settling_outside, settling_payments, staffing
from chalicelib.services.applying import SURELY_WRITTEN
from chalicelib.services.cataloguing import CourseDraft, InstitutionDraft
from chalicelib.services.identifying import Said, identity_keys
from chalicelib.services.judging_rosters import Judged, faulty, refusal
from chalicelib.services.ports import Chance, Platform
from chalicelib.services.settling_outside import SettledOutside

T = TypeVar("T")
GROUP = re.compile(r"[a-z0-9_]{1,40}")
OCCUPATION = re.compile(r"[0-9A-Z-]{1,20}")
MOST_AT_ONCE = 50


class RecordedRows:
    """Judges and records the rows of one run."""

    def __init__(self, p: Platform, roster: Roster, actor: Actor) -> None:
        self._p, self._roster, self._actor = p, roster, actor
        self._record: Callable[[Entry, Attempt, datetime], Verdict] = {
            RosterKind.ELIGIBLE: self._enlist,
            RosterKind.INSTITUTIONS: self._add_institution,
            RosterKind.COURSES: self._add_course,
            RosterKind.STAFF: self._register,
            RosterKind.SETTLEMENTS: self._settle,
            RosterKind.PAYMENT_RESULTS: self._answer,
        }[roster.kind]
        self._batches = set[str]()

    def judge(self, entries: Sequence[Entry], now: datetime) -> Judged:
        """Raises Unavailable: whatever was recorded by then is found recorded next time."""
        judged = Judged(tuple(self._judge(entry, now) for entry in entries[:MOST_AT_ONCE]))
        # Before the chunk is marked: a run that is cut off here finds its rows again, and asks again.
        for batch_id in sorted(self._batches):
            self._p.money_errands.ask(MoneyErrand("batch", batch_id), timedelta())
        self._batches.clear()
        return judged

    def note(self, judged: Judged) -> None:
        """Nothing is made of a stock."""

    def look_again(self) -> None:
        """No shard can refuse."""

    def remember(self, entry: Entry) -> None:
        """Nobody was promised anything."""

    def _judge(self, entry: Entry, now: datetime) -> RowVerdict:
        if entry.faults:
            return faulty(entry)
        attempt = attempt_of(self._roster.app_key, "roster", f"{self._roster.roster_id} {entry.number}", b"")
        try:
            for name, value in entry.values.items():
                # Short texts are codes, numbers of payments and the like; but a reason is somebody's own words.
                is_free = isinstance(value, str) and (len(value) > 17 or name == "reason")
                if is_free and carries_personal_number(value):
                    raise Invalid(reason="a text holds somebody's number")
            return RowVerdict(entry.number, self._record(entry, attempt, now))
        except Unavailable:
            raise
        except DomainError as refused:
            return refusal(entry.number, refused)

    def _once(
        self,
        kind: type[T],
        attempt: Attempt,
        now: datetime,
        look: Callable[[], Verdict | None],
        add: Callable[[], object],
    ) -> Verdict:
        """Recorded by this very row before, there already, or recorded now."""
        if self._p.marks.find(attempt, kind, now) is not None:
            return Verdict.ISSUED
        there = look()
        if there is not None or self._roster.dry_run:
            return there or Verdict.ISSUED
        try:
            add()
        except AlreadyExists:  # a moment ago
            return look() or Verdict.CONFLICT
        return Verdict.ISSUED

    # --- the kinds ---

    def _enlist(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values, region = self._p, entry.values, self._roster.region
        number: CitizenId = values["id_number"]
        group, span = str(values["group"]), Span(values.get("since"), values.get("until"))
        if not GROUP.fullmatch(group):
            raise Invalid(reason="the group is a code of small letters")

        def look() -> Verdict | None:
            there = p.people.enlisted(identity_keys(p.keys, number), region)
            return Verdict.SAME if there is not None and there.groups.get(group) == span else None

        def add() -> object:
            listed = enlisting.Entry(values["name"], number.number, group, span)
            return enlisting.enlist(
                p.catalogue, p.people, p.keys, p.marks, region, listed, actor=self._actor, attempt=attempt, now=now
            )

        return self._once(Enlisted, attempt, now, look, add)

    def _add_institution(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values = self._p, entry.values
        draft = InstitutionDraft(**{**values, "kind": InstitutionKind(values["kind"])})

        def look() -> Verdict | None:
            return _compare(p.catalogue.institutions.read(draft.institution_id), values)

        def add() -> object:
            return cataloguing.add_institution(p.catalogue, p.marks, draft, actor=self._actor, attempt=attempt, now=now)

        return self._once(Institution, attempt, now, look, add)

    def _add_course(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values = self._p, {**entry.values, "online": entry.values.get("online") == "yes"}
        if not OCCUPATION.fullmatch(str(values.get("occupation", "0"))) or values.get("level", 1) not in range(1, 6):
            raise Invalid(reason="the occupation or its level has another form")
        draft = CourseDraft(**values)
        # A course has no number of its own on a roster: what it is called at its institution tells which it is.
        said = f"course\0{draft.institution_id}\0{draft.programme_id}\0{draft.name_zh}"
        chance: Chance = _Told(p.chance, p.keys.identities.veil(said.encode())[:16].upper())

        def look() -> Verdict | None:
            return _compare(p.catalogue.courses.read(chance.short_id()), values)

        def add() -> object:
            return cataloguing.add_course(
                p.catalogue, p.marks, chance, draft, actor=self._actor, attempt=attempt, now=now
            )

        return self._once(Course, attempt, now, look, add)

    def _register(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values = self._p, entry.values
        number: CitizenId = values["id_number"]
        institution_id = str(values["institution"])
        said = Said(values["name"], number.id_type, number.number, values.get("mobile"))

        def look() -> Verdict | None:
            there = p.catalogue.staff.find(institution_id, identity_keys(p.keys, number))
            if there is None:
                return None
            if there.disabled_at is not None:
                return Verdict.ENDED
            return Verdict.SAME if staffing.is_called(p.keys, there, said.name) else Verdict.CONFLICT

        def add() -> object:
            return staffing.register_staff(
                p.catalogue, p.marks, p.keys, p.chance, institution_id, said,
                actor=self._actor, attempt=attempt, now=now,
            )  # fmt: skip

        return self._once(StaffMember, attempt, now, look, add)

    def _settle(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values = self._p, entry.values
        application_id, voucher_id = str(values["application"]), str(values["voucher"])
        result = OutsideResult(
            OutsideOutcome(values["outcome"]),
            values["settled_on"],
            values.get("fen") or None,
            values.get("reference"),
            values.get("reason"),
        )

        def look() -> Verdict | None:
            return settling_outside.look_at(
                p, application_id, voucher_id, result, self._roster.region, actor=self._actor, now=now
            )

        def add() -> object:
            return settling_outside.settle_one(
                p, application_id, voucher_id, result, actor=self._actor, attempt=attempt, now=now
            )

        return self._once(SettledOutside, attempt, now, look, add)

    def _answer(self, entry: Entry, attempt: Attempt, now: datetime) -> Verdict:
        p, values, batch_id = self._p, entry.values, str(entry.values["batch"])
        sequence = int(values["sequence"])
        said = BankAnswer(
            values["result"] == "paid", int(values["amount"]), values.get("reason"), values.get("reference")
        )
        found: tuple[PaymentBatch, BatchPayee]

        def look() -> Verdict | None:
            nonlocal found
            batch, payee = found = settling_payments.find_payee(p, batch_id, sequence, self._roster.region)
            must_be_whole(payee, said)
            if payee.state is PayeeState.PENDING:
                must_be(batch, {BatchState.SENT})
                return None
            if payee.state is PayeeState.CANCELLED:
                return Verdict.ENDED
            return Verdict.SAME if says_the_same(payee, said) else Verdict.CONFLICT

        def add() -> None:
            # However this run ends, somebody goes on with what is written now.
            if batch_id not in self._batches:
                p.money_errands.ask(found[0].errand(), SURELY_WRITTEN)
            settling_payments.record_answer(p, *found, said, attempt=attempt, now=now)
            self._batches.add(batch_id)

        done = self._once(Answered, attempt, now, look, add)
        if done is Verdict.ISSUED and not self._roster.dry_run:
            self._batches.add(batch_id)
        return done


class _Told:
    """Chance, but for the id, which is told."""

    def __init__(self, chance: Chance, told: str) -> None:
        self._chance, self._told = chance, told

    def short_id(self) -> str:
        return self._told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chance, name)


def _compare(there: object | None, values: Mapping[str, object]) -> Verdict | None:
    if there is None:
        return None
    return Verdict.SAME if all(getattr(there, name) == value for name, value in values.items()) else Verdict.CONFLICT
