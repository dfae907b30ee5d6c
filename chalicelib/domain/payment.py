"""Payment batches (拨付批次): approved lines, gathered by payee, sent to a bank, settled by its answer. domain.md §4.

A payee is an institution's account, or a person: the account of their social security card. Each has one row in a batch
and is paid once or not at all. What was not paid goes back to its application and into a later batch.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.application import Line, MoneyErrand
from chalicelib.domain.errors import AmountDiffers, BatchStateRefused
from chalicelib.domain.person import Person
from chalicelib.domain.programme import Payee

MOST_APPLICATIONS = 20
MOST_LINES_OF_A_PERSON = 20
"""In one batch: all that is settled of a person is one transaction. What is more waits for the next batch."""


class BatchState(StrEnum):
    BUILDING = "building"  # its lines are being gathered
    READY = "ready"
    SENT = "sent"  # the bank file was made
    CLOSED = "closed"  # the bank has answered for every payee
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


BATCH_STATE_ZH: Mapping[BatchState, str] = {
    BatchState.BUILDING: "生成中",
    BatchState.READY: "待发送",
    BatchState.SENT: "已发送",
    BatchState.CLOSED: "已完成",
    BatchState.CANCELLING: "撤销中",
    BatchState.CANCELLED: "已撤销",
}


class PayeeState(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PassedOver(StrEnum):
    """Why an approved line is not in the batch."""

    SAME_OPERATOR = "same_operator"  # the payer applied for it, or reviewed it
    NO_ACCOUNT = "no_account"  # its institution has no account that was confirmed
    WITHDRAWN = "withdrawn"  # its institution is
    OBJECTED = "objected"  # its publicity is not over, or somebody's objection is open
    LATER = "later"  # its holder has enough lines in this batch


@dataclass(frozen=True, slots=True)
class BatchPayee:
    """Somebody who is paid by a batch. ``holder``: the institution's id, or that of the record in use of a person;
    ``sealed``: name, number and bank as they stand in the bank file, as they were when the row was made;
    ``account_number``: which of the institution's accounts that is.

    ``refs``: (application, voucher) of a person's lines; an institution's are found through its applications: ``at``
    and ``cursor`` tell how far they are settled. ``settling``: the bank has answered, and not all lines say so yet.
    """

    batch_id: str
    sequence: int
    kind: Payee
    holder: str
    masked_name: str
    masked_number: str
    sealed: str = field(repr=False)
    account_number: int | None = None
    lines: int = 0
    fen: int = 0
    refs: tuple[tuple[str, str], ...] = ()
    state: PayeeState = PayeeState.PENDING
    settling: bool = False
    settled: int = 0
    at: int = 0
    cursor: str | None = None
    reason: str | None = None
    reference: str | None = None
    answered_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class PaymentBatch:
    """The head. Control totals: ``payees``, ``lines``, ``fen``; of the payees ``pending`` have no answer,
    ``settling`` one that not all their lines show. ``at``, ``cursor``: how far its applications are gathered;
    ``settled_until``: the payee that was looked at last. ``paid_by``: the operator whose batch it is."""

    batch_id: str
    region: str
    application_ids: tuple[str, ...]
    state: BatchState
    app_key: str
    paid_by: str | None
    made_at: datetime
    at: int = 0
    cursor: str | None = None
    payees: int = 0
    lines: int = 0
    fen: int = 0
    passed_over: Mapping[PassedOver, int] = field(default_factory=dict)
    pending: int = 0
    settling: int = 0
    settled_until: int = 0
    paid: int = 0
    paid_fen: int = 0
    failed: int = 0
    failed_fen: int = 0
    file_key: str | None = None
    file_sha256: str | None = None
    sent_at: datetime | None = None
    sent_by: str | None = None
    closed_at: datetime | None = None
    reason: str | None = None
    version: int = 1

    def errand(self) -> MoneyErrand:
        return MoneyErrand("batch", self.batch_id)


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """What the bank says of a payee. ``reason``: why not; ``reference``: the bank's own number of the payment."""

    paid: bool
    fen: int
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A payee in the bank file, open."""

    sequence: int
    kind: Payee
    name: str = field(repr=False)
    number: str = field(repr=False)
    bank: str
    fen: int


@dataclass(frozen=True, slots=True)
class Answered:
    """Kept of a row of the bank's answer: that it was recorded."""

    batch_id: str
    sequence: int


def must_be(batch: PaymentBatch, states: Collection[BatchState]) -> None:
    """Raises BatchStateRefused."""
    if batch.state not in states:
        raise BatchStateRefused(state=batch.state, state_zh=BATCH_STATE_ZH[batch.state])


def holder_of(line: Line, institution_id: str, people: Mapping[str, Person]) -> str:
    """Whom the line's money goes to. ``people``: the records in use, by the ids under which lines name them."""
    return institution_id if line.payee is Payee.INSTITUTION else people[line.person_id].person_id


def pay_too(payee: BatchPayee, line: Line) -> BatchPayee:
    """The payee with one line more; of the same version, since several lines come in one act."""
    refs = payee.refs
    if payee.kind is Payee.PERSON:
        refs = (*refs, (line.application_id, line.voucher_id))
    return replace(payee, lines=payee.lines + 1, fen=payee.fen + (line.granted_fen or 0), refs=refs)


def answer(batch: PaymentBatch, payee: BatchPayee, said: BankAnswer, now: datetime) -> tuple[PaymentBatch, BatchPayee]:
    """Both as they are after the bank's answer. Raises BatchStateRefused, AmountDiffers."""
    must_be(batch, {BatchState.SENT})
    must_be_whole(payee, said)
    if payee.state is not PayeeState.PENDING:
        raise AssertionError(f"payee {payee.sequence} of batch {batch.batch_id} has an answer")
    state = PayeeState.PAID if said.paid else PayeeState.FAILED
    after = replace(
        payee,
        state=state,
        settling=True,
        reason=said.reason,
        reference=said.reference,
        answered_at=now,
        version=payee.version + 1,
    )
    paid, failed = (payee.fen, 0) if said.paid else (0, payee.fen)
    head = replace(
        batch,
        pending=batch.pending - 1,
        settling=batch.settling + 1,
        paid=batch.paid + said.paid,
        paid_fen=batch.paid_fen + paid,
        failed=batch.failed + (not said.paid),
        failed_fen=batch.failed_fen + failed,
        version=batch.version + 1,
    )
    return head, after


def must_be_whole(payee: BatchPayee, said: BankAnswer) -> None:
    """A payee is paid all or nothing. Raises AmountDiffers."""
    if said.fen != payee.fen:
        raise AmountDiffers(fen=said.fen, expected_fen=payee.fen)


def says_the_same(payee: BatchPayee, said: BankAnswer) -> bool:
    """Whether the bank has said so before: paid under the same number, or failed."""
    if said.paid:
        return payee.state is PayeeState.PAID and payee.reference == said.reference
    return payee.state is PayeeState.FAILED


def settled(batch: PaymentBatch, payees: int, until: int, now: datetime) -> PaymentBatch:
    """The head after all lines of so many more payees show the bank's answer, or are out of the batch again."""
    left = batch.settling - payees
    after = replace(batch, settling=left, settled_until=until, version=batch.version + 1)
    if left or batch.pending:
        return after
    if batch.state is BatchState.CANCELLING:
        return replace(after, state=BatchState.CANCELLED, closed_at=now)
    return replace(after, state=BatchState.CLOSED, closed_at=now)
