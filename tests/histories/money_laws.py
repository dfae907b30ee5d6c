"""What may never be of money: recounted from the histories of vouchers, lines and answers, with nothing of the domain's
own arithmetic. Transitions and sums are said again here, so that a wrong line there does not prove itself right.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from chalicelib.domain.application import Application, ApplicationState, Line, LineState
from chalicelib.domain.calendar import local_date
from chalicelib.domain.fund import Balance, Posting, PostingKind
from chalicelib.domain.payment import BankAnswer, BatchPayee, BatchState, PayeeState, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.domain.region import Rules
from chalicelib.domain.voucher import State, Voucher

REFILING = timedelta(days=15)
MAY_FOLLOW: Mapping[str, Collection[tuple[str | None, str]]] = {
    "claim": [(None, "claimed")],
    "redeem": [("claimed", "redeemed")],
    "reverse": [("redeemed", "claimed")],
    "complete": [("redeemed", "redeemed")],
    "defer": [("redeemed", "redeemed")],
    "apply": [("redeemed", "applied")],
    "approve": [("applied", "applied")],
    "return": [("applied", "redeemed")],
    "cancel": [("applied", "redeemed")],
    "refuse": [("applied", "forfeited")],
    "pay": [("applied", "applied")],
    "write_off": [("applied", "written_off")],
    "claw_back": [("applied", "applied"), ("written_off", "written_off")],
    "forfeit": [("redeemed", "forfeited")],
    "expire": [("claimed", "expired")],
    "revoke": [("claimed", "revoked"), ("redeemed", "revoked")],
    "give_back": [("claimed", "returned")],
}
# What an act makes of a line; None: of two, the second reviewer's word decides.
ACTS: Mapping[str, tuple[Collection[str | None], str | None]] = {
    "apply": ((None,), "applied"),
    "not_accepted": ((None,), "not_accepted"),
    "approve": (("applied", "reviewed"), None),
    "approve_less": (("applied", "reviewed"), None),
    "return": (("applied", "reviewed"), "returned"),
    "refuse": (("applied", "reviewed"), "refused"),
    "cancel": (("applied", "reviewed"), "cancelled"),
    "withdraw_approval": (("approved",), "refused"),
    "send": (("approved",), "paying"),
    "fail": (("paying",), "approved"),
    "take_out": (("paying",), "approved"),
    "pay": (("paying",), "paid"),
    "claw_back": (("paid",), "paid"),
}
WAITING = (LineState.APPLIED, LineState.REVIEWED)
GRANTED = (LineState.APPROVED, LineState.PAYING)
LIVE = (*WAITING, *GRANTED, LineState.PAID)
"""In these a line holds its voucher."""
ENDS = (State.WRITTEN_OFF, State.FORFEITED, State.EXPIRED, State.RETURNED, State.REVOKED)
AFTER: Mapping[ApplicationState, Collection[ApplicationState]] = {
    ApplicationState.COLLECTING: set(ApplicationState),
    ApplicationState.SUBMITTED: set(ApplicationState) - {ApplicationState.COLLECTING},
    ApplicationState.DECIDED: {ApplicationState.DECIDED, ApplicationState.SETTLED},
    ApplicationState.SETTLED: {ApplicationState.SETTLED},
    ApplicationState.CANCELLING: {ApplicationState.CANCELLING, ApplicationState.CANCELLED},
    ApplicationState.CANCELLED: {ApplicationState.CANCELLED},
}
BATCH_AFTER: Mapping[BatchState, Collection[BatchState]] = {
    BatchState.BUILDING: set(BatchState),
    BatchState.READY: set(BatchState) - {BatchState.BUILDING},
    BatchState.SENT: {BatchState.SENT, BatchState.CLOSED},
    BatchState.CLOSED: {BatchState.CLOSED},
    BatchState.CANCELLING: {BatchState.CANCELLING, BatchState.CANCELLED},
    BatchState.CANCELLED: {BatchState.CANCELLED},
}

Bank = Mapping[tuple[str, int], Collection[BankAnswer]]
"""All that the bank ever said, by batch and payee."""


@dataclass(frozen=True)
class Purses:
    """All applications and batches that are known at one moment. Lines by application and voucher, payees by batch and
    sequence."""

    applications: Mapping[str, Application]
    lines: Mapping[tuple[str, str], Line]
    batches: Mapping[str, PaymentBatch]
    payees: Mapping[tuple[str, int], BatchPayee]

    def lines_of(self, application_id: str) -> list[Line]:
        return [one for (of, _), one in self.lines.items() if of == application_id]

    def payees_of(self, batch_id: str) -> list[BatchPayee]:
        return [one for (of, _), one in self.payees.items() if of == batch_id]


@dataclass(frozen=True)
class Course:
    """What the history's rules are, and who was there. ``share``: of a voucher's class, (attended, held)."""

    rules: Rules
    share: Mapping[str, tuple[int, int]]

    def earned(self, voucher_id: str) -> bool:
        attended, held = self.share.get(voucher_id, (0, 0))
        return held > 0 and attended * 100 >= self.rules.attendance_percent * held


@dataclass
class Told:
    """What a voucher's history tells, entry by entry. ``until``: the last day on which it may be applied for, or on
    which its class must be over. ``by``: who applied, who granted, who paid."""

    state: str | None = None
    application: str | None = None
    claimed: int = 0
    approved: int | None = None
    withdrawn: int = 0
    paid: int = 0
    recovered: int = 0
    batch: str | None = None
    reference: str | None = None
    until: date | None = None
    completed: bool = False
    by: dict[str, str | None] = field(default_factory=dict)


def tell(voucher: Voucher, course: Course, purses: Purses) -> Told:
    """Live the entries again; fails at the first that may not follow."""
    told = Told()
    for entry in voucher.history:
        said, facts = entry.said, entry.said["facts"]
        assert (said["from"], said["to"]) in MAY_FOLLOW[said["step"]], said
        assert said["from"] == told.state, said
        today = local_date(entry.at)
        match said["step"]:
            case "redeem":
                told.until = today + timedelta(days=course.rules.completion_days)
            case "reverse":
                assert not told.completed
                told.until = None
            case "complete":
                assert course.earned(voucher.voucher_id), f"completed without attendance: {said}"
                assert (facts["attended"], facts["held"]) == course.share[voucher.voucher_id], said
                assert facts["needed"] == course.rules.attendance_percent, said
                told.completed = True
                told.until = today + timedelta(days=course.rules.filing_deadline)
                assert facts["filing_until"] == told.until.isoformat(), said
            case "defer":
                told.until = date.fromisoformat(facts["until"])
            case "apply":
                _check_applied(voucher, told, facts, purses)
                told.application, told.claimed = facts["application"], facts["claimed_fen"]
                told.by["requester"] = said["operator"]
            case "approve":
                assert told.approved is None, "granted twice"
                assert facts["application"] == told.application, said
                assert 0 < facts["approved_fen"] <= told.claimed, said
                told.approved = facts["approved_fen"]
                told.by["reviewer"] = said["operator"]
            case "return" | "cancel":
                assert told.approved is None, said
                assert facts["application"] == told.application, said
                told.application = None
                if said["step"] == "return":
                    assert told.until is not None
                    told.until = max(told.until, local_date(entry.at + REFILING))
            case "refuse":
                assert not told.paid, said
                assert facts["application"] == told.application, said
                told.withdrawn = told.approved or 0
                told.approved = None if told.approved is None else 0
            case "pay":
                assert told.approved, "paid and not granted"
                assert not told.paid, "paid twice"
                assert (facts["application"], facts["paid_fen"]) == (told.application, told.approved), said
                told.paid, told.batch, told.reference = facts["paid_fen"], facts["batch"], facts["reference"]
                told.by["payer"] = said["operator"]
            case "claw_back":
                assert 0 < facts["recovered_fen"] <= told.paid - told.recovered, said
                told.recovered += facts["recovered_fen"]
                assert said["operator"] != told.by["payer"], said
            case "write_off":
                assert told.paid == told.approved, said
                assert told.paid, said
            case "forfeit":
                assert told.until is not None
                assert today > told.until, f"forfeited on {today}, and not after {told.until}"
        told.state = said["to"]
    return told


def _check_applied(voucher: Voucher, told: Told, facts: Mapping[str, Any], purses: Purses) -> None:
    assert told.completed, "applied for without a completion"
    assert told.until is not None
    filed = purses.applications[facts["application"]]
    assert local_date(filed.made_at) <= told.until, f"applied for on {filed.made_at}, due until {told.until}"
    assert 0 < facts["claimed_fen"] <= voucher.ceiling_fen, facts


def check_voucher(voucher: Voucher, told: Told, course: Course) -> None:
    """The row is what its history tells; and whoever asked for, granted and paid it are three."""
    row = (voucher.state, voucher.application_id, voucher.approved_fen, voucher.paid_fen, voucher.recovered_fen)
    assert row == (told.state, told.application, told.approved, told.paid, told.recovered), (row, told)
    assert voucher.filing_until == told.until, (voucher.filing_until, told.until)
    assert told.recovered <= told.paid <= (told.approved or 0) <= max(told.claimed, 0) <= voucher.ceiling_fen, told
    if told.paid:
        assert course.earned(voucher.voucher_id), "paid without attendance"
        if course.rules.separate_duties:
            assert None not in told.by.values(), told.by
            assert len(set(told.by.values())) == 3, f"requester, reviewer and payer are not three: {told.by}"
    if voucher.state in ENDS:
        assert voucher.due_on is None, "what has ended is due"


def check_line(line: Line, second: bool, separate: bool) -> None:
    """The row is what its acts tell."""
    state: str | None = None
    granted: int | None = None
    reviewer: str | None = None
    granters = set[str | None]()
    sent = failed = paid = 0
    for act in line.acts:
        before, after = ACTS[act.step]
        assert state in before, (state, act)
        if after is None:
            agreed = state == "reviewed" and granted == act.fen
            assert act.fen is not None
            assert 0 < act.fen <= line.claimed_fen, act
            if agreed:
                assert reviewer != act.operator_id, f"one reviewer's word twice: {line.acts}"
            if separate:
                assert act.operator_id not in (None, line.acts[0].operator_id), line.acts
            state = "approved" if agreed or not second else "reviewed"
            granted, reviewer = act.fen, act.operator_id
        else:
            if act.step == "withdraw_approval":
                assert act.fen == granted, act
                if separate:
                    assert act.operator_id not in (None, line.acts[0].operator_id), line.acts
            state = after
            granted = None if state in ("returned", "refused") else granted
        sent += act.step == "send"
        failed += act.step == "fail"
        paid += act.step == "pay"
        if after is None:
            granters.add(act.operator_id)
        if act.step in ("send", "fail", "take_out", "pay"):
            assert act.fen == granted, act
            if separate:
                assert act.operator_id not in (None, line.acts[0].operator_id, *granters), line.acts
    assert line.version == len(line.acts), line
    assert (line.state, line.granted_fen, line.failures) == (state, granted, failed), line
    assert line.paid_fen == (granted if paid else 0), line
    assert paid <= 1
    assert (line.batch_id is not None) == (line.state in (LineState.PAYING, LineState.PAID)), line
    assert 0 <= line.paid_fen <= (line.granted_fen or 0) <= line.claimed_fen <= line.ceiling_fen, line


def check_lines_and_vouchers(purses: Purses, vouchers: Mapping[str, Voucher]) -> None:
    """Each voucher stands in at most one live application, and says what its line says."""
    live: dict[str, list[Line]] = {}
    for line in purses.lines.values():
        if line.state in LIVE:
            live.setdefault(line.voucher_id, []).append(line)
    for voucher_id, voucher in vouchers.items():
        there = live.get(voucher_id, [])
        assert len(there) <= 1, f"in two applications at once: {there}"
        stands = voucher.state in (State.APPLIED, State.WRITTEN_OFF)
        assert stands == bool(there), (voucher.state, there)
        if there:
            (line,) = there
            assert voucher.application_id == line.application_id, (voucher, line)
            granted = None if line.state in WAITING else line.granted_fen
            assert (voucher.approved_fen, voucher.paid_fen) == (granted, line.paid_fen), (voucher, line)
            assert line.claimed_fen == _claimed(voucher), (voucher, line)
    assert live.keys() <= vouchers.keys(), "a line of no voucher"
    for line in purses.lines.values():
        if line.state is LineState.REFUSED:
            assert vouchers[line.voucher_id].state is State.FORFEITED, line
            assert vouchers[line.voucher_id].application_id == line.application_id, line
        if line.state is LineState.PAID:
            backs = [act.fen or 0 for act in line.acts if act.step == "claw_back"]
            assert sum(backs) == vouchers[line.voucher_id].recovered_fen, line


def _claimed(voucher: Voucher) -> int:
    (*_, last) = [entry.said["facts"]["claimed_fen"] for entry in voucher.history if entry.said["step"] == "apply"]
    return int(last)


def check_application(one: Application, lines: Sequence[Line]) -> None:
    """Its counts and sums are those of its lines, and its state follows from theirs."""
    counted = Counter(line.state for line in lines)
    assert {state: n for state, n in one.counts.items() if n} == dict(counted), (one.counts, counted)
    assert one.claimed_fen == sum(
        line.claimed_fen for line in lines if line.state not in (LineState.NOT_ACCEPTED, LineState.CANCELLED)
    ), one
    assert one.approved_fen == sum(
        line.granted_fen or 0 for line in lines if line.state in (*GRANTED, LineState.PAID)
    ), one
    assert one.paid_fen == sum(line.paid_fen for line in lines), one
    assert one.paid_fen <= one.approved_fen <= one.claimed_fen, one
    waiting = sum(counted[state] for state in WAITING)
    unpaid = sum(counted[state] for state in GRANTED)
    match one.state:
        case ApplicationState.COLLECTING:
            assert counted.keys() <= {LineState.APPLIED, LineState.NOT_ACCEPTED}, one
        case ApplicationState.SUBMITTED:
            assert waiting, one
            assert one.due_on is not None
        case ApplicationState.DECIDED:
            assert not waiting, one
            assert unpaid, one
        case ApplicationState.SETTLED:
            assert not waiting + unpaid, one
        case ApplicationState.CANCELLING:
            assert counted.keys() <= {*WAITING, LineState.NOT_ACCEPTED, LineState.CANCELLED}, one
        case ApplicationState.CANCELLED:
            assert counted.keys() <= {LineState.NOT_ACCEPTED, LineState.CANCELLED}, one


def check_application_went_on(before: Application, now: Application) -> None:
    assert now.version >= before.version
    assert now.state in AFTER[before.state], (before.state, now.state)
    assert (before.made_at, before.requested_by, before.class_id) == (now.made_at, now.requested_by, now.class_id)
    assert before == now or before.version < now.version, "changed, and of the same version"


def check_line_went_on(before: Line, now: Line) -> None:
    assert now.acts[: len(before.acts)] == before.acts, "the acts of a line were rewritten"
    assert before.claimed_fen == now.claimed_fen
    if before.state not in LIVE:
        assert before == now, "a line that had ended was changed"


def check_batch(one: PaymentBatch, payees: Sequence[BatchPayee], purses: Purses, bank: Bank) -> None:
    """Its totals are those of its payees, each payee's those of its lines, and nobody is paid whom the bank did not
    pay."""
    assert [p.sequence for p in payees] == list(range(1, len(payees) + 1)), payees
    assert len({p.holder for p in payees}) == len(payees), "a payee twice"
    sums = (len(payees), sum(p.lines for p in payees), sum(p.fen for p in payees))
    assert (one.payees, one.lines, one.fen) == sums, (one, sums)
    states = Counter(p.state for p in payees)
    paid = [p for p in payees if p.state is PayeeState.PAID]
    failed = [p for p in payees if p.state is PayeeState.FAILED]
    assert (one.paid, one.paid_fen) == (len(paid), sum(p.fen for p in paid)), one
    assert (one.failed, one.failed_fen) == (len(failed), sum(p.fen for p in failed)), one
    pending = states[PayeeState.PENDING]
    if one.state in (BatchState.CANCELLING, BatchState.CANCELLED):
        assert (one.pending, one.settling) == (0, pending), one
        assert not paid + failed, one
    else:
        assert (one.pending, one.settling) == (pending, sum(p.settling for p in payees)), one
    if one.state in (BatchState.CLOSED, BatchState.CANCELLED):
        assert not one.pending + one.settling, one
    if one.state in (BatchState.BUILDING, BatchState.READY):
        assert states.keys() <= {PayeeState.PENDING}, one
    assert (one.file_sha256 is not None) == (one.state in (BatchState.SENT, BatchState.CLOSED)), one
    for payee in payees:
        _check_payee(one, payee, purses, bank)
    mine = [line for line in purses.lines.values() if line.batch_id == one.batch_id]
    assert sum(line.paid_fen for line in mine) <= one.paid_fen, one
    assert {_holder(line, purses) for line in mine} <= {p.holder for p in payees}, one


def _check_payee(one: PaymentBatch, payee: BatchPayee, purses: Purses, bank: Bank) -> None:
    mine = [
        line
        for line in purses.lines.values()
        if line.batch_id == one.batch_id and _holder(line, purses) == payee.holder
    ]
    assert all(line.application_id in one.application_ids for line in mine), mine
    paying = [line for line in mine if line.state is LineState.PAYING]
    paid = [line for line in mine if line.state is LineState.PAID]
    said = bank.get((one.batch_id, payee.sequence), ())
    match payee.state:
        case PayeeState.PENDING:
            assert not paid, payee
            if one.state is not BatchState.CANCELLING:
                assert len(paying) == payee.lines, (payee, paying)
                assert sum(line.granted_fen or 0 for line in paying) == payee.fen, payee
        case PayeeState.PAID:
            assert any(it.paid and (it.fen, it.reference) == (payee.fen, payee.reference) for it in said), payee
            assert len(mine) == payee.lines, (payee, mine)
            assert sum(line.granted_fen or 0 for line in mine) == payee.fen, payee
            assert len(paid) == payee.lines or payee.settling, payee
        case PayeeState.FAILED:
            assert any(not it.paid and it.fen == payee.fen for it in said), payee
            assert not paid, payee
            assert not paying or payee.settling, payee
        case PayeeState.CANCELLED:
            assert not mine, (payee, mine)
    assert payee.settled <= payee.lines, payee
    if payee.kind is Payee.PERSON:
        assert len(set(payee.refs)) == len(payee.refs) == payee.lines, payee


def _holder(line: Line, purses: Purses) -> str:
    if line.payee is Payee.PERSON:
        return line.person_id
    return purses.applications[line.application_id].institution_id


def check_batch_went_on(before: PaymentBatch, now: PaymentBatch) -> None:
    assert now.version >= before.version
    assert now.state in BATCH_AFTER[before.state], (before.state, now.state)
    assert before == now or before.version < now.version, "changed, and of the same version"
    if before.state is not BatchState.BUILDING:
        assert (before.payees, before.lines, before.fen) == (now.payees, now.lines, now.fen), "its totals were changed"
    if before.file_sha256 is not None:
        assert (before.file_sha256, before.sent_at) == (now.file_sha256, now.sent_at), "another file was made"


def check_payee_went_on(before: BatchPayee, now: BatchPayee) -> None:
    assert (before.holder, before.sealed, before.kind) == (now.holder, now.sealed, now.kind)
    if before.state is not PayeeState.PENDING:
        assert (before.state, before.fen, before.reference) == (now.state, now.fen, now.reference), "another answer"


def check_account(
    postings: Sequence[Posting], balances: Mapping[Balance, int], told: Collection[Told], vouchers: Collection[Voucher]
) -> None:
    """What was posted is what the vouchers tell, kind by kind."""
    sums = Counter[tuple[PostingKind, Balance]]()
    for one in postings:
        sums.update({(one.kind, balance): fen for balance, fen in one.legs.items()})
    granted = sum(
        entry.said["facts"]["approved_fen"]
        for one in vouchers
        for entry in one.history
        if entry.said["step"] == "approve"
    )
    paid, recovered = sum(one.paid for one in told), sum(one.recovered for one in told)
    withdrawn = sum(one.withdrawn for one in told)
    assert sums[PostingKind.APPROVE, Balance.PAYABLE] == granted == -sums[PostingKind.APPROVE, Balance.RESERVED]
    assert sums[PostingKind.PAY, Balance.PAID] == paid == -sums[PostingKind.PAY, Balance.PAYABLE]
    assert sums[PostingKind.RECOVER, Balance.RECOVERED] == recovered == -sums[PostingKind.RECOVER, Balance.PAID]
    back = PostingKind.WITHDRAW_APPROVAL
    assert sums[back, Balance.FREE] == withdrawn == -sums[back, Balance.PAYABLE]
    assert balances[Balance.PAYABLE] == granted - paid - withdrawn
    assert balances[Balance.PAID] == paid - recovered
    assert balances[Balance.RECOVERED] == recovered


def check_caps(voucher: Voucher, mine: Collection[Voucher], limit: int) -> None:
    """Of what has just been applied for: of its occupation and level its holder has no more than the cap allows."""
    alike = [one for one in mine if one.counted_as == voucher.counted_as and one.state is not State.RETURNED]
    assert len(alike) <= limit, f"{len(alike)} of {limit}, and applied for"


def check_stands_still(before: Purses, now: Purses) -> None:
    """Of a withdrawn institution nothing is opened, granted, or sent to a bank."""
    assert before.applications.keys() == now.applications.keys(), "an application of a withdrawn institution"
    for key, line in now.lines.items():
        acts = line.acts[len(before.lines[key].acts) if key in before.lines else 0 :]
        assert {"approve", "approve_less", "send"}.isdisjoint(act.step for act in acts), acts
    for batch_id, batch in now.batches.items():
        was = before.batches.get(batch_id)
        assert was is not None, "a batch for a withdrawn institution"
        to_it = any(payee.kind is Payee.INSTITUTION for payee in now.payees_of(batch_id))
        assert batch.file_sha256 == was.file_sha256 or not to_it, "a file for a withdrawn institution"


def check_file(one: PaymentBatch, payees: Sequence[BatchPayee], rows: Sequence[Sequence[str]]) -> None:
    """What the bank was told to pay is what the payees are due: each once."""
    _, *told, total = rows
    assert [(int(row[0]), row[5]) for row in told] == [(p.sequence, f"{p.fen / 100:.2f}") for p in payees], rows
    assert len({row[7] for row in told}) == len(told), rows
    assert (total[1], total[5]) == (str(one.payees), f"{one.fen / 100:.2f}"), rows


def check_decided(
    lines: Collection[Line], verdict: str, fen: int | None, operator_id: str | None, voucher_ids: Collection[str]
) -> None:
    """A decision that was answered stands on each of its lines."""
    for voucher_id in voucher_ids:
        (line,) = [one for one in lines if one.voucher_id == voucher_id]
        acts = [(act.step, act.operator_id) for act in line.acts if fen is None or act.fen == fen]
        assert (verdict, operator_id) in acts, (verdict, line)


def check_swept(voucher: Voucher, today: date) -> None:
    """After a night in which nothing failed: what is paid is written off, what was not applied for in time is gone."""
    assert voucher.state is not State.APPLIED or not voucher.paid_fen, voucher
    late = voucher.state is State.REDEEMED and voucher.filing_until is not None and voucher.filing_until < today
    assert not late, (voucher, today)
