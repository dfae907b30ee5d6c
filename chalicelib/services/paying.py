"""Pay what was granted (资金拨付): a batch is opened, gathered by a job, sent as a file, or cancelled. domain.md §4.

Each chunk is one transaction: an application's lines, the payees to whom they go, the control totals. So a run may be
cut off anywhere, repeated, or meet another run. Only applications of which everything is decided are paid, and where a
region publishes what it means to pay (公示), only when that is over and no objection is open.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import application as lines_of
from chalicelib.domain.access import Actor, must_cover, reaches
from chalicelib.domain.application import Application, ApplicationState, Line, LineAct, LineState, count, step_line
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.bank_account import AccountDetails, context
from chalicelib.domain.errors import (
    ApplicationNotFound,
    BatchNotFound,
    Invalid,
    PublicityNotOver,
    SettledElsewhere,
)
from chalicelib.domain.institution import Institution, is_paid, must_be_paid
from chalicelib.domain.outcomes import Done, LineStep, Mark, Page
from chalicelib.domain.payment import (
    MOST_APPLICATIONS,
    MOST_LINES_OF_A_PERSON,
    BatchPayee,
    BatchState,
    FileRow,
    PassedOver,
    PayeeState,
    PaymentBatch,
    holder_of,
    must_be,
    pay_too,
)
from chalicelib.domain.person import Person
from chalicelib.domain.programme import Payee
from chalicelib.domain.stored_file import Download
from chalicelib.services.applying import SURELY_WRITTEN, find_application
from chalicelib.services.cataloguing import find_institution, find_region, rules_in_force
from chalicelib.services.in_chunks import in_chunks
from chalicelib.services.once import once
from chalicelib.services.ports import Platform

WIDE, NARROW = 90, 31
"""Lines of a chunk: as many as fit where they go to few payees, and as many as fit in any case (each a new payee: a
line, a payee, and what leads to them)."""
ROOM = 96
"""Of a transaction's hundred actions, beside batch and application."""
FILES = "payments/files/"
NOTHING_TO_PAY = "没有可拨付的券"
PAGE = 500


@dataclass(frozen=True, slots=True)
class BankFile:
    """The batch that was sent, and where its file may be fetched for some minutes."""

    batch: PaymentBatch
    download: Download


def open_batch(
    p: Platform, region: str, application_ids: Sequence[str], *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[PaymentBatch]:
    """Begin a batch of the approved lines of these applications; a job gathers them.

    Raises RegionNotFound, OutOfScope, Invalid (one twice, none, too many), SameOperator (nobody answers for it),
    ApplicationNotFound, SettledElsewhere, ApplicationStateRefused, ApplicationBusy, PublicityNotOver,
    InstitutionNotAdmitted.
    """

    def act() -> PaymentBatch:
        find_region(p.catalogue, region)
        must_cover(actor, region)
        if not 0 < len(application_ids) <= MOST_APPLICATIONS or len(set(application_ids)) < len(application_ids):
            raise Invalid(pointer="/application_ids", reason="one to twenty applications, each of them once")
        if rules_in_force(p.catalogue, region, now).separate_duties:
            lines_of.must_be_another(actor)
        for application_id in application_ids:
            application = find_application(p, application_id, actor=actor)
            if application.region != region:
                raise ApplicationNotFound()
            if application.external:
                raise SettledElsewhere()
            lines_of.must_be(application, {ApplicationState.DECIDED})
            lines_of.must_be_payable(application, rules_in_force(p.catalogue, region, now), now)
            must_be_paid(find_institution(p.catalogue, application.institution_id))
        batch = PaymentBatch(
            batch_id=p.chance.short_id(),
            region=region,
            application_ids=tuple(application_ids),
            state=BatchState.BUILDING,
            app_key=actor.app_key,
            paid_by=actor.operator_id,
            made_at=now,
        )
        p.money_errands.ask(batch.errand(), SURELY_WRITTEN)
        p.payments.open(batch, Mark(attempt, batch, now))
        return batch

    done = once(p.marks, attempt, PaymentBatch, now, act)
    p.money_errands.ask(done.answer.errand(), timedelta())
    return done


def cancel_batch(
    p: Platform, batch_id: str, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[PaymentBatch]:
    """Give it up before it is sent: a job puts its lines back. Raises BatchNotFound, OutOfScope, BatchStateRefused."""

    def act() -> PaymentBatch:
        before = _own_batch(p, batch_id, actor)
        must_be(before, {BatchState.BUILDING, BatchState.READY})
        after = replace(
            before,
            state=BatchState.CANCELLING if before.payees else BatchState.CANCELLED,
            reason=reason,
            closed_at=None if before.payees else now,
            pending=0,
            settling=before.payees,
            version=before.version + 1,
        )
        p.money_errands.ask(after.errand(), SURELY_WRITTEN)
        p.payments.record(after, mark=Mark(attempt, after, now))
        return after

    done = once(p.marks, attempt, PaymentBatch, now, act)
    p.money_errands.ask(done.answer.errand(), timedelta())
    return done


def make_bank_file(p: Platform, batch_id: str, *, actor: Actor, attempt: Attempt, now: datetime) -> Done[PaymentBatch]:
    """Write what the bank is told to pay; from then on the batch is sent. ``download_of`` tells where the file is.

    Asked for again, also by somebody else, it is the file of the first time.
    Raises BatchNotFound, OutOfScope, BatchStateRefused, InstitutionNotAdmitted (one was withdrawn meanwhile: the batch
    is to be cancelled).
    """

    def act() -> PaymentBatch:
        before = _own_batch(p, batch_id, actor)
        must_be(before, {BatchState.READY, BatchState.SENT, BatchState.CLOSED})
        if before.state is not BatchState.READY:
            p.marks.keep(Mark(attempt, before, now))
            return before
        rows, institutions = _rows_of(p, before)
        assert (len(rows), sum(row.fen for row in rows)) == (before.payees, before.fen), "the totals are the payees'"
        file = p.workbooks.bank_file(before, rows)
        digest = hashlib.sha256(file.read()).hexdigest()
        file.seek(0)
        # Nothing of its payees changes any more: who is a moment late writes the same bytes over it.
        key = f"{FILES}{batch_id}.csv"
        p.files.write(key, file, "text/csv; charset=gb18030")
        after = replace(
            before,
            state=BatchState.SENT,
            file_key=key,
            file_sha256=digest,
            sent_at=now,
            sent_by=actor.operator_id,
            version=before.version + 1,
        )
        p.payments.record(after, mark=Mark(attempt, after, now), institutions=institutions)
        return after

    return once(p.marks, attempt, PaymentBatch, now, act)


def download_of(p: Platform, batch: PaymentBatch, now: datetime) -> BankFile:
    """Where the file of a batch that was sent may be fetched."""
    assert batch.file_key is not None
    return BankFile(batch, p.files.download_url(batch.file_key, f"{batch.batch_id}.csv", now))


def find_batch(p: Platform, batch_id: str, *, actor: Actor) -> PaymentBatch:
    """For the authorities of its region. Raises BatchNotFound."""
    batch = p.payments.read(batch_id)
    if batch is None or not reaches(actor, batch.region):
        raise BatchNotFound()
    return batch


def list_batches(p: Platform, region: str, limit: int, cursor: str | None, *, actor: Actor) -> Page[PaymentBatch]:
    """Those of a region, the oldest first. Raises RegionNotFound, OutOfScope."""
    find_region(p.catalogue, region)
    must_cover(actor, region)
    return p.payments.page(region, limit, cursor)


def list_payees(
    p: Platform, batch_id: str, limit: int, cursor: str | None, *, state: PayeeState | None = None, actor: Actor
) -> Page[BatchPayee]:
    """``state``: only those in it, so that a page may be short, or empty, and go on. Raises BatchNotFound."""
    page = p.payments.payees(find_batch(p, batch_id, actor=actor).batch_id, limit, cursor)
    return replace(page, items=tuple(one for one in page.items if state in (None, one.state)))


def gather(
    p: Platform, batch: PaymentBatch, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> PaymentBatch:
    """The job's part: take approved lines until all are there, or the time is over. Raises Contended."""
    return in_chunks(
        batch,
        lambda one: one.state is BatchState.BUILDING,
        partial(_gather_chunk, p),
        partial(reread, p),
        moment=moment,
        may_go_on=may_go_on,
    )


def reread(p: Platform, batch: PaymentBatch) -> PaymentBatch:
    fresh = p.payments.read(batch.batch_id)
    assert fresh is not None, "a batch is never deleted"
    return fresh


def payee_context(batch_id: str, sequence: int) -> str:
    """What a payee's sealed name and number are tied to."""
    return f"payee:{batch_id}:{sequence}"


# --- gathering --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Taken:
    """What a chunk takes: lines as they were and are, and the payees to whom they go, by holder."""

    lines: list[tuple[Line, Line]]
    payees: dict[str, BatchPayee]
    passed: dict[PassedOver, int]
    before: dict[str, BatchPayee]

    @property
    def actions(self) -> int:
        new = len(self.payees.keys() - self.before.keys())
        return len(self.lines) + len(self.payees) + new

    @property
    def fen(self) -> int:
        return sum(line.granted_fen or 0 for _, line in self.lines)


def _gather_chunk(p: Platform, batch: PaymentBatch, now: datetime) -> PaymentBatch:
    application = p.applications.read(batch.application_ids[batch.at])
    assert application is not None, "an application is never deleted"
    why = _stands_still(p, application, now)
    if why is not None:
        stopped = application.counts.get(LineState.APPROVED, 0) if application.state is ApplicationState.DECIDED else 0
        after = _further(batch, None, {why: stopped} if stopped else {}, now)
        p.payments.record(after)
        return after
    for most in (WIDE, NARROW):
        page = p.applications.lines(application.application_id, most, batch.cursor)
        approved = [one for one in page.items if one.state is LineState.APPROVED]
        taken = _take(p, batch, application, approved, now)
        if taken.actions <= ROOM:
            break
    new = len(taken.payees.keys() - taken.before.keys())
    grown = replace(
        batch,
        payees=batch.payees + new,
        pending=batch.pending + new,
        lines=batch.lines + len(taken.lines),
        fen=batch.fen + taken.fen,
    )
    after = _further(grown, page.cursor, taken.passed, now)
    changed = [count(application, taken.lines)] if taken.lines else []
    p.payments.record(after, list(taken.payees.values()), changed, [LineStep(line) for _, line in taken.lines])
    return after


def _stands_still(p: Platform, application: Application, now: datetime) -> PassedOver | None:
    """Why nothing of it is paid now, which was well when the batch was opened."""
    if application.state is not ApplicationState.DECIDED:
        return PassedOver.LATER  # settled by another batch meanwhile: it has nothing left
    try:
        lines_of.must_be_payable(application, rules_in_force(p.catalogue, application.region, now), now)
    except PublicityNotOver:
        return PassedOver.OBJECTED
    return None if is_paid(find_institution(p.catalogue, application.institution_id)) else PassedOver.WITHDRAWN


def _further(batch: PaymentBatch, cursor: str | None, passed: dict[PassedOver, int], now: datetime) -> PaymentBatch:
    """One version further; at the end of its applications it is ready, if there is anything to pay."""
    counted = {why: batch.passed_over.get(why, 0) + passed.get(why, 0) for why in {*batch.passed_over, *passed}}
    at = batch.at if cursor else batch.at + 1
    after = replace(batch, cursor=cursor, at=at, passed_over=counted, version=batch.version + 1)
    if at < len(batch.application_ids):
        return after
    if not after.lines:
        return replace(after, state=BatchState.CANCELLED, reason=NOTHING_TO_PAY, closed_at=now)
    return replace(after, state=BatchState.READY)


def _take(
    p: Platform, batch: PaymentBatch, application: Application, approved: Sequence[Line], now: datetime
) -> _Taken:
    separate = rules_in_force(p.catalogue, batch.region, now).separate_duties
    institution_id = application.institution_id
    # Whose records were merged is one payee, by the record in use: the card is theirs.
    people = _records_in_use(p, {one.person_id for one in approved if one.payee is Payee.PERSON})
    holders = {one.voucher_id: holder_of(one, institution_id, people) for one in approved}
    before = p.payments.payees_of(batch.batch_id, sorted(set(holders.values()))) if holders else {}
    taken = _Taken([], {}, {}, before)
    for line in approved:
        holder = holders[line.voucher_id]
        if separate and batch.paid_by in lines_of.answers_for(line):
            _pass_over(taken, PassedOver.SAME_OPERATOR)
            continue
        payee = taken.payees.get(holder)
        if payee is None:
            there = before.get(holder)
            if there is not None:
                payee = replace(there, version=there.version + 1)
            else:
                sequence = batch.payees + 1 + len(taken.payees.keys() - before.keys())
                payee = _new_payee(p, batch.batch_id, sequence, line, institution_id, people)
        if payee is None:
            _pass_over(taken, PassedOver.NO_ACCOUNT)
            continue
        if len(payee.refs) >= MOST_LINES_OF_A_PERSON:
            _pass_over(taken, PassedOver.LATER)
            continue
        act = LineAct("send", now, batch.paid_by, line.granted_fen)
        taken.payees[holder] = pay_too(payee, line)
        taken.lines.append((line, step_line(line, LineState.PAYING, act, batch_id=batch.batch_id)))
    return taken


def _pass_over(taken: _Taken, why: PassedOver) -> None:
    taken.passed[why] = taken.passed.get(why, 0) + 1


def _new_payee(
    p: Platform, batch_id: str, sequence: int, line: Line, institution_id: str, people: Mapping[str, Person]
) -> BatchPayee | None:
    """As whom, and where, they are paid by this batch, whatever is changed later; None: there is no account yet."""
    if line.payee is Payee.PERSON:
        holder = people[line.person_id]
        profile = p.keys.sealer.unseal_profile(holder.sealed_profile, holder.person_id)
        return BatchPayee(
            batch_id=batch_id,
            sequence=sequence,
            kind=Payee.PERSON,
            holder=holder.person_id,
            masked_name=holder.masked_name,
            masked_number=holder.masked_number,
            sealed=_seal(p, batch_id, sequence, profile.name, profile.id_number, ""),
        )
    details = _account_of(p, institution_id)
    if details is None:
        return None
    number = p.keys.sealer.unseal(details.sealed, context(institution_id, details.number))
    return BatchPayee(
        batch_id=batch_id,
        sequence=sequence,
        kind=Payee.INSTITUTION,
        holder=institution_id,
        masked_name=details.account_name,
        masked_number=details.masked,
        sealed=_seal(p, batch_id, sequence, details.account_name, number, details.bank),
        account_number=details.number,
    )


def _records_in_use(p: Platform, person_ids: Iterable[str]) -> dict[str, Person]:
    """By each of these ids the record that it was merged into, if it was; else its own."""
    wanted = sorted(person_ids)
    found = {one.person_id: one for one in p.people.heads(wanted)} if wanted else {}
    return {person_id: _record_in_use(p, one) for person_id, one in found.items()}


def _record_in_use(p: Platform, holder: Person) -> Person:
    while holder.merged_into is not None:
        holder = p.people.heads([holder.merged_into])[0]
    return holder


def _account_of(p: Platform, institution_id: str) -> AccountDetails | None:
    there = p.catalogue.bank_accounts.read(institution_id)
    return there.current if there else None


def _seal(p: Platform, batch_id: str, sequence: int, name: str, number: str, bank: str) -> str:
    plain = json.dumps([name, number, bank], ensure_ascii=False, separators=(",", ":"))
    return p.keys.sealer.seal(plain, payee_context(batch_id, sequence))


# --- the bank file ----------------------------------------------------------------------------------------------------


def _rows_of(p: Platform, batch: PaymentBatch) -> tuple[list[FileRow], list[Institution]]:
    """All payees, open; and the institutions of their lines, none of which is withdrawn."""
    rows, cursor = list[FileRow](), None
    institutions, applications = set[str](), set[str]()
    while True:
        page = p.payments.payees(batch.batch_id, PAGE, cursor)
        for one in page.items:
            if one.kind is Payee.INSTITUTION:
                institutions.add(one.holder)
            applications |= {application_id for application_id, _ in one.refs}
            plain = p.keys.sealer.unseal(one.sealed, payee_context(batch.batch_id, one.sequence))
            name, number, bank = json.loads(plain)
            rows.append(FileRow(one.sequence, one.kind, name, number, bank, one.fen))
        cursor = page.cursor
        if cursor is None:
            break
    for application_id in sorted(applications):
        application = p.applications.read(application_id)
        assert application is not None, "an application is never deleted"
        institutions.add(application.institution_id)
    found = list[Institution]()
    for institution_id in sorted(institutions):
        institution = p.catalogue.institutions.read(institution_id)
        assert institution is not None, "an institution is never deleted"
        must_be_paid(institution)
        found.append(institution)
    return rows, found


def _own_batch(p: Platform, batch_id: str, actor: Actor) -> PaymentBatch:
    batch = find_batch(p, batch_id, actor=actor)
    must_cover(actor, batch.region)
    return batch
