"""Payment for tests: accounts, batches, the bank's answers; with the jobs in between."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from typing import Any

from chalicelib.domain.access import Actor
from chalicelib.domain.application import Application, LineVerdict, MoneyErrand
from chalicelib.domain.bank_account import InstitutionAccount
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.payment import BatchPayee, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.domain.roster import Roster, RosterKind
from chalicelib.domain.training_class import TrainingClass
from chalicelib.services import keeping_bank_accounts, paying, working_off_money
from tests.classroom import HOUR, at, check_in, enrol, finish, open_class, plan, used
from tests.rostering import import_roster
from tests.settling import PAYER, collected, decide, lines, read
from tests.world import CITY, INSTITUTION_ID, World

ACCOUNT = "6222000011112222"
HEADER = ("批次号", "付款序号", "金额（元）", "付款结果", "失败原因", "银行流水号")


def propose(
    world: World,
    number: str = ACCOUNT,
    actor: Actor | None = None,
    institution_id: str = INSTITUTION_ID,
    **by: Any,
) -> Done[InstitutionAccount]:
    return keeping_bank_accounts.propose_account(
        world.platform, institution_id, "深圳测试培训学校", "测试银行深圳分行", number,
        **world.by(actor or world.desk, **by),
    )  # fmt: skip


def confirm(
    world: World, number: int, actor: Actor = PAYER, account: str = ACCOUNT, **by: Any
) -> Done[InstitutionAccount]:
    """``account``: the number that is typed once more."""
    return keeping_bank_accounts.confirm_account(
        world.platform, INSTITUTION_ID, number, account, **world.by(actor, **by)
    )


def with_account(world: World, number: str = ACCOUNT) -> World:
    """The institution has an account that two operators stand for."""
    confirm(world, propose(world, number).answer.proposals, account=number)
    return world


def pays_to(world: World, payee: Payee) -> None:
    """Templates that are published from now on pay to these."""
    shelf = world.platform.catalogue.programmes
    there = shelf.read(world.programme.programme_id)
    assert there is not None
    after = replace(there, payee=payee, version=there.version + 1)
    shelf.change(after, Mark(world.attempt(), after, world.now))


def a_class_of(world: World, *payees: Payee) -> tuple[TrainingClass, list[str]]:
    """A class that is over, completed by one person for each of these, and their vouchers in this order."""
    templates = {}
    for payee in dict.fromkeys(payees):
        pays_to(world, payee)
        templates[payee] = world.publish(len(payees))
    training = open_class(world, [plan(world.now + HOUR, hours=1)])
    came = [used(world, templates[payee]) for payee in payees]
    enrol(world, training, *(voucher_id for _, voucher_id in came))
    at(world, training.sessions[0].starts_at)
    for person, _ in came:
        check_in(world, person, training)
    at(world, training.sessions[0].ends_at)
    return finish(world, training), [voucher_id for _, voucher_id in came]


def approved(world: World, training: TrainingClass) -> Application:
    """Everything of the class that can be is applied for and granted."""
    there = collected(world, training)
    decide(world, there, LineVerdict.APPROVE, *lines(world, there))
    return read(world, there)


def open_batch(world: World, *applications: Application, actor: Actor = PAYER, key: str | None = None) -> PaymentBatch:
    ids = [one.application_id for one in applications]
    return paying.open_batch(world.platform, CITY, ids, **world.by(actor, key)).answer


def work_on(world: World, batch: PaymentBatch, may_go_on: Any = lambda: True) -> working_off_money.Run:
    """One run of the money function."""
    errand = MoneyErrand("batch", batch.batch_id)
    return working_off_money.carry_out(world.platform, errand, moment=lambda: world.now, may_go_on=may_go_on)


def batch_of(world: World, batch: PaymentBatch) -> PaymentBatch:
    there = world.platform.payments.read(batch.batch_id)
    assert there is not None
    return there


def payees(world: World, batch: PaymentBatch) -> list[BatchPayee]:
    found, cursor = list[BatchPayee](), None
    while True:
        page = world.platform.payments.payees(batch.batch_id, 500, cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def make_file(world: World, batch: PaymentBatch, key: str | None = None, actor: Actor = PAYER) -> PaymentBatch:
    return paying.make_bank_file(world.platform, batch.batch_id, **world.by(actor, key)).answer


def file_of(world: World, batch: PaymentBatch) -> list[list[str]]:
    """What the bank reads: the cells of each line."""
    sent = batch_of(world, batch)
    data = world.platform.files.read(sent.file_key or "", None, 10_000_000)
    assert data is not None
    return list(csv.reader(StringIO(data.decode("gb18030"), newline="")))


def sent_batch(world: World, *applications: Application) -> PaymentBatch:
    batch = open_batch(world, *applications)
    work_on(world, batch)
    make_file(world, batch)
    return batch_of(world, batch)


def row(payee: BatchPayee, *, paid: bool = True, fen: int | None = None, reference: str = "") -> list[str]:
    """What the bank says of a payee."""
    amount = f"{(payee.fen if fen is None else fen) / 100:.2f}"
    result = ["成功", "", reference or f"BANK{payee.sequence}"] if paid else ["失败", "账户已注销", reference]
    return [payee.batch_id, str(payee.sequence), amount, *result]


def answer(world: World, rows: Sequence[Sequence[str]], *, actor: Actor = PAYER, **options: bool) -> Roster:
    """The bank's list comes through the import."""
    return import_roster(
        world, None, list_of(rows), actor=actor, kind=RosterKind.PAYMENT_RESULTS, region=CITY, **options
    )


def list_of(rows: Sequence[Sequence[str]]) -> bytes:
    to = StringIO()
    csv.writer(to).writerows([HEADER, *rows])
    return to.getvalue().encode("gb18030")
