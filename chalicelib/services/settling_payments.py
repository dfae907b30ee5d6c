"""What the bank answered (拨付结果): recorded payee by payee, then carried to the lines by a job. domain.md §4.

A payee has one answer, and its batch says so in the same transaction. Paid: each line and voucher is paid once, and its
account is posted in the transaction that says so. Failed: the lines are approved again, for a later batch. A batch that
is cancelled puts its lines back in the same way.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from chalicelib.domain import fund, payment, voucher
from chalicelib.domain.access import Actor
from chalicelib.domain.application import Application, Line, LineAct, LineState, count, settle, step_line
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AlreadyExists, BatchNotFound, Contended, PayeeNotFound
from chalicelib.domain.fund import PostingKind
from chalicelib.domain.outcomes import LineStep, Mark, RequestSeen, StaleRow, WriteConflict
from chalicelib.domain.payment import Answered, BankAnswer, BatchPayee, BatchState, PayeeState, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.domain.region import within
from chalicelib.services.in_chunks import in_chunks
from chalicelib.services.once import TRIES
from chalicelib.services.paying import reread
from chalicelib.services.ports import Platform
from chalicelib.services.reviewing import post_all

WIDE, NARROW = 44, 24
"""Lines of an institution in a chunk: of few accounts, and of any (a line, its voucher, perhaps an account of its own
with its posting)."""
ROOM = 96
"""Of a transaction's hundred actions, for lines, vouchers, accounts and postings, payees and applications."""
PAGE = 200


def find_payee(p: Platform, batch_id: str, sequence: int, region: str) -> tuple[PaymentBatch, BatchPayee]:
    """Of a batch of this region or one below it. Raises BatchNotFound, PayeeNotFound."""
    batch = p.payments.read(batch_id) if batch_id.isalnum() else None
    if batch is None or not within(batch.region, (region,)):
        raise BatchNotFound()
    payee = p.payments.payee(batch_id, sequence)
    if payee is None:
        raise PayeeNotFound()
    return batch, payee


def record_answer(
    p: Platform, batch: PaymentBatch, payee: BatchPayee, said: BankAnswer, *, attempt: Attempt, now: datetime
) -> None:
    """The payee is paid, or not; the job does the rest. Batch and payee are as they were just read.

    Raises BatchStateRefused, AmountDiffers, AlreadyExists (there is an answer by now), Contended.
    """
    for _ in range(2 * TRIES):
        if payee.state is not PayeeState.PENDING:
            raise AlreadyExists(what=f"{batch.batch_id}-{payee.sequence}")
        head, answered = payment.answer(batch, payee, said, now)
        try:
            p.payments.record(head, [answered], mark=Mark(attempt, Answered(batch.batch_id, payee.sequence), now))
            return
        except RequestSeen:  # this very row, by another run
            return
        except (StaleRow, WriteConflict):
            batch, payee = find_payee(p, batch.batch_id, payee.sequence, batch.region)
    raise Contended()


def has_to_settle(batch: PaymentBatch) -> bool:
    """Whether there is anything for the job."""
    return batch.settling > 0 and batch.state in (BatchState.SENT, BatchState.CANCELLING)


def settle_payees(
    p: Platform, batch: PaymentBatch, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> PaymentBatch:
    """The job's part, until every answer that came is on its lines, or the time is over. Raises Contended."""
    return in_chunks(
        batch,
        has_to_settle,
        partial(_settle_chunk, p),
        partial(reread, p),
        moment=moment,
        may_go_on=may_go_on,
    )


def _settle_chunk(p: Platform, batch: PaymentBatch, now: datetime) -> PaymentBatch:
    waiting = _waiting(p, batch)
    if not waiting:
        raise StaleRow  # another run has just settled them
    if waiting[0].kind is Payee.INSTITUTION:
        return _settle_institution(p, batch, waiting[0], now)
    return _settle_people(p, batch, waiting, now)


def _waiting(p: Platform, batch: PaymentBatch) -> list[BatchPayee]:
    """Some payees whose lines do not show what became of them: from where the last chunk ended, then from the first."""
    for start in dict.fromkeys((batch.settled_until, 0)):
        cursor = None
        while True:
            page = p.payments.payees(batch.batch_id, PAGE, cursor, after=start)
            found = [one for one in page.items if _waits(batch, one)]
            cursor = page.cursor
            if found:
                return found
            if cursor is None:
                break
    return []


def _waits(batch: PaymentBatch, payee: BatchPayee) -> bool:
    return payee.settling or (batch.state is BatchState.CANCELLING and payee.state is PayeeState.PENDING)


def _settle_people(p: Platform, batch: PaymentBatch, waiting: Sequence[BatchPayee], now: datetime) -> PaymentBatch:
    """As many people at once as fit: of each all lines."""
    some, room = list[BatchPayee](), ROOM
    applications, accounts = set[str](), set[str]()
    lines = dict[str, list[Line]]()
    for payee in waiting:
        if payee.kind is not Payee.PERSON:
            break
        if 1 + 2 * len(payee.refs) > room:
            break
        mine = _lines_of_refs(p, batch, payee)
        applications_then = applications | {one.application_id for one in mine}
        accounts_then = accounts | {one.account_id for one in mine}
        new = len(applications_then - applications) + 2 * len(accounts_then - accounts)
        needed = 1 + 2 * len(mine) + new
        if needed > room and some:
            break
        room -= needed
        applications, accounts = applications_then, accounts_then
        lines[payee.holder] = mine
        some.append(payee)
    after = payment.settled(batch, len(some), some[-1].sequence, now)
    done = [_finished(payee, len(lines[payee.holder])) for payee in some]
    _record(p, batch, after, done, [(payee, lines[payee.holder]) for payee in some], now)
    return after


def _lines_of_refs(p: Platform, batch: PaymentBatch, payee: BatchPayee) -> list[Line]:
    by_application = dict[str, list[str]]()
    for application_id, voucher_id in payee.refs:
        by_application.setdefault(application_id, []).append(voucher_id)
    found = [one for each, ids in by_application.items() for one in p.applications.lines_of(each, ids)]
    mine = [one for one in found if _is_in(batch, one)]
    if len(mine) < payee.lines:
        raise StaleRow  # another run has just settled them
    return mine


def _settle_institution(p: Platform, batch: PaymentBatch, payee: BatchPayee, now: datetime) -> PaymentBatch:
    """The next lines of an institution, of one of its applications."""
    at, cursor = payee.at, payee.cursor
    while at < len(batch.application_ids):
        application = p.applications.read(batch.application_ids[at])
        assert application is not None, "an application is never deleted"
        if application.institution_id == payee.holder:
            break
        at, cursor = at + 1, None
    mine, following = list[Line](), None
    if at < len(batch.application_ids):
        for most in (WIDE, NARROW):
            page = p.applications.lines(batch.application_ids[at], most, cursor)
            mine = [one for one in page.items if one.payee is Payee.INSTITUTION and _is_in(batch, one)]
            following = page.cursor
            if 2 * len(mine) + 2 * len({one.account_id for one in mine}) + 2 <= ROOM:
                break
        at = at if following else at + 1
    settled = payee.settled + len(mine)
    if at < len(batch.application_ids):
        further = replace(payee, at=at, cursor=following, settled=settled, version=payee.version + 1)
        after = payment.settled(batch, 0, payee.sequence - 1, now)
        _record(p, batch, after, [further], [(payee, mine)], now)
        return after
    after = payment.settled(batch, 1, payee.sequence, now)
    _record(p, batch, after, [_finished(payee, settled)], [(payee, mine)], now)
    return after


def _is_in(batch: PaymentBatch, line: Line) -> bool:
    return line.state is LineState.PAYING and line.batch_id == batch.batch_id


def _finished(payee: BatchPayee, settled: int) -> BatchPayee:
    if settled != payee.lines:
        raise AssertionError(f"{settled} of {payee.lines} lines of payee {payee.sequence} of {payee.batch_id}")
    state = PayeeState.CANCELLED if payee.state is PayeeState.PENDING else payee.state
    return replace(payee, state=state, settling=False, settled=settled, cursor=None, version=payee.version + 1)


def _record(
    p: Platform,
    before: PaymentBatch,
    after: PaymentBatch,
    payees: Sequence[BatchPayee],
    settled: Iterable[tuple[BatchPayee, Sequence[Line]]],
    now: datetime,
) -> None:
    """One transaction: payees, their lines, what is paid with voucher and posting, the applications, the head."""
    client = p.catalogue.clients.get(before.app_key)
    assert client is not None, "a client is never deleted"
    actor = Actor(client, p.catalogue.operators.get(before.paid_by) if before.paid_by else None)
    pairs = [(payee, line) for payee, lines in settled for line in lines]
    paid = [line for payee, line in pairs if payee.state is PayeeState.PAID]
    keys = [(one.person_id, one.template_id) for one in paid]
    there = {one.voucher_id: one for one in p.people.vouchers(keys)} if keys else {}
    changed, steps = list[tuple[Line, Line]](), list[LineStep]()
    amounts = dict[str, int]()
    for payee, line in pairs:
        changed.append((line, moved := _moved(before, payee, line, now)))
        if payee.state is not PayeeState.PAID:
            steps.append(LineStep(moved))
            continue
        own = there[line.voucher_id]
        told = voucher.pay(
            own, batch_id=before.batch_id, reference=payee.reference or "", actor=actor, now=now
        )  # fmt: skip
        if own.approved_fen != line.granted_fen or own.application_id != line.application_id:
            raise AssertionError(f"voucher {line.voucher_id} is not what its line says")
        steps.append(LineStep(moved, (own, told)))
        amounts[line.account_id] = amounts.get(line.account_id, 0) + moved.paid_fen
    posted = post_all(p, amounts, PostingKind.PAY, fund.pay_legs, before.batch_id, actor, now)
    p.payments.record(after, payees, _counted(p, changed, now), steps, posted)


def _moved(batch: PaymentBatch, payee: BatchPayee, line: Line, now: datetime) -> Line:
    fen = line.granted_fen or 0
    match payee.state:
        case PayeeState.PAID:
            act = LineAct("pay", now, batch.paid_by, fen, text=payee.reference)
            return step_line(line, LineState.PAID, act, paid_fen=fen)
        case PayeeState.FAILED:
            act = LineAct("fail", now, batch.paid_by, fen, reason=payee.reason)
            return step_line(line, LineState.APPROVED, act, batch_id=None, failures=line.failures + 1)
        case _:
            act = LineAct("take_out", now, batch.paid_by, fen, reason=batch.reason)
            return step_line(line, LineState.APPROVED, act, batch_id=None)


def _counted(p: Platform, changed: Sequence[tuple[Line, Line]], now: datetime) -> list[Application]:
    after = list[Application]()
    for application_id in dict.fromkeys(line.application_id for line, _ in changed):
        application = p.applications.read(application_id)
        assert application is not None, "an application is never deleted"
        mine: list[tuple[Line | None, Line]] = [(b, a) for b, a in changed if a.application_id == application_id]
        after.append(settle(count(application, mine), now))
    return after
