"""Payment batches (拨付批次), their bank files, the accounts that institutions are paid to. Everything is in fen."""

from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.rosters import FileAnswer
from chalicelib.api.shapes import (
    Asked,
    Identifier,
    Instant,
    Line,
    Listing,
    Nothing,
    Reason,
    RegionCode,
    RegionListing,
    Shown,
)
from chalicelib.domain.access import Act
from chalicelib.domain.bank_account import AccountDetails, InstitutionAccount
from chalicelib.domain.errors import (
    ApplicationBusy,
    ApplicationNotFound,
    ApplicationStateRefused,
    BankAccountNotFound,
    BatchNotFound,
    BatchStateRefused,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    ProposalChanged,
    PublicityNotOver,
    RegionNotFound,
    SameOperator,
    SettledElsewhere,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.payment import MOST_APPLICATIONS, BatchPayee, BatchState, PassedOver, PayeeState, PaymentBatch
from chalicelib.domain.programme import Payee
from chalicelib.services import keeping_bank_accounts, paying

routes = Blueprint(__name__)


class BatchRequest(Asked):
    """Whose approved lines are paid together: applications of this region of which everything is decided."""

    region: RegionCode
    application_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=MOST_APPLICATIONS)]


class BatchCancellationRequest(Asked):
    reason: Reason


AccountNumber = Annotated[str, Field(pattern=r"^[0-9][0-9 -]{7,47}$", examples=["6222 0000 1111 2222"])]


class BankAccountRequest(Asked):
    """``account_number``: 8 to 32 digits; spaces and hyphens between them are passed over."""

    account_name: Line
    bank: Line
    account_number: AccountNumber


class BankAccountConfirmationRequest(Asked):
    """``number``: of the proposal that was looked at. ``account_number``: typed once more, from the institution's own
    papers: it is shown nowhere."""

    number: Annotated[int, Field(ge=1, le=999_999)]
    account_number: AccountNumber


class PayeeListing(Listing):
    """``state``: only payees in this one; a page may then be short, or empty, and go on."""

    state: PayeeState | None = Field(default=None, strict=False)


class PassedOverAnswer(Shown):
    """Approved lines that are not in the batch: the payer applied for or reviewed them; their institution has no
    account that was confirmed, or is withdrawn; an objection came in; their holder has enough lines in it."""

    same_operator: int = 0
    no_account: int = 0
    withdrawn: int = 0
    objected: int = 0
    later: int = 0


class BatchAnswer(Shown):
    """``payees``, ``lines``, ``fen``: the control totals. ``pending``: payees without an answer of the bank;
    ``settling``: those whose lines do not show it yet."""

    batch_id: str
    region: str
    application_ids: list[str]
    state: BatchState
    paid_by: str | None
    made_at: Instant
    payees: int
    lines: int
    fen: int
    passed_over: PassedOverAnswer
    pending: int
    settling: int
    paid: int
    paid_fen: int
    failed: int
    failed_fen: int
    file_sha256: str | None
    sent_at: Instant | None
    sent_by: str | None
    closed_at: Instant | None
    reason: str | None
    version: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: PaymentBatch = noun
        told = {name: getattr(one, name) for name in cls.model_fields}
        passed = PassedOverAnswer(**{why.value: one.passed_over.get(why, 0) for why in PassedOver})
        return cls(**told | {"application_ids": list(one.application_ids), "passed_over": passed})


class BatchPayeeAnswer(Shown):
    """Name and number are masked. ``reason``, ``reference``: of the bank's answer. ``institution_id``: of an
    institution; ``voucher_ids``: of a person."""

    sequence: int
    kind: Payee
    institution_id: str | None
    voucher_ids: tuple[str, ...]
    masked_name: str
    masked_number: str
    lines: int
    fen: int
    state: PayeeState
    settling: bool
    reason: str | None
    reference: str | None
    answered_at: Instant | None

    @classmethod
    def of(cls, noun: BatchPayee) -> "BatchPayeeAnswer":
        told: dict[str, Any] = {name: getattr(noun, name, None) for name in cls.model_fields}
        told["institution_id"] = noun.holder if noun.kind is Payee.INSTITUTION else None
        told["voucher_ids"] = tuple(voucher_id for _, voucher_id in noun.refs)
        return cls(**told)


class BankFileAnswer(Shown):
    """The batch that was sent, and where its file may be fetched."""

    batch: BatchAnswer
    download: FileAnswer


class AccountDetailsAnswer(Shown):
    """``masked``: the last four digits of the account's number."""

    number: int
    account_name: str
    bank: str
    masked: str
    proposed_by: str | None
    proposed_at: Instant
    confirmed_by: str | None
    confirmed_at: Instant | None


class BankAccountAnswer(Shown):
    """``current``: where the institution is paid; ``proposed``: what waits for a second operator; ``history``: what
    was before, and proposals that another one replaced, the oldest first."""

    institution_id: str
    current: AccountDetailsAnswer | None
    proposed: AccountDetailsAnswer | None
    history: list[AccountDetailsAnswer]
    version: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: InstitutionAccount = noun

        def shown(details: AccountDetails | None) -> AccountDetailsAnswer | None:
            return AccountDetailsAnswer.of(details) if details else None

        return cls(
            institution_id=one.institution_id,
            current=shown(one.current),
            proposed=shown(one.proposed),
            history=[AccountDetailsAnswer.of(details) for details in one.acts],
            version=one.version,
        )


@answers(
    routes,
    "POST",
    "/v1/payment-batches",
    status=201,
    act=Act.PAY,
    tag="payments",
    zh="建立拨付批次",
    en="Begin a payment batch",
    errors=(
        PublicityNotOver,
        Invalid,
        OutOfScope,
        RegionNotFound,
        SameOperator,
        ApplicationNotFound,
        SettledElsewhere,
        ApplicationStateRefused,
        ApplicationBusy,
        InstitutionNotAdmitted,
    ),
)
def post_batch(call: Call[BatchRequest, Nothing]) -> Done[BatchAnswer]:
    asked = call.body
    return BatchAnswer.done(paying.open_batch(call.platform, asked.region, asked.application_ids, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/payment-batches",
    act=Act.READ_MONEY,
    tag="payments",
    zh="地区的拨付批次",
    en="The payment batches of a region",
    errors=(OutOfScope, RegionNotFound),
)
def list_batches(call: Call[Nothing, RegionListing]) -> Page[BatchAnswer]:
    asked = call.query
    page = paying.list_batches(call.platform, asked.region, asked.limit, asked.cursor, actor=call.actor)
    return BatchAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/payment-batches/{batch_id}",
    act=Act.READ_MONEY,
    tag="payments",
    zh="查询拨付批次",
    en="One payment batch",
    errors=(BatchNotFound,),
)
def get_batch(call: Plain, batch_id: str) -> BatchAnswer:
    return BatchAnswer.of(paying.find_batch(call.platform, batch_id, actor=call.actor))


@answers(
    routes,
    "GET",
    "/v1/payment-batches/{batch_id}/payees",
    act=Act.READ_MONEY,
    tag="payments",
    zh="批次的收款人",
    en="The payees of a batch",
    errors=(BatchNotFound,),
)
def list_payees(call: Call[Nothing, PayeeListing], batch_id: str) -> Page[BatchPayeeAnswer]:
    asked = call.query
    page = paying.list_payees(call.platform, batch_id, asked.limit, asked.cursor, state=asked.state, actor=call.actor)
    return BatchPayeeAnswer.page(page)


@answers(
    routes,
    "POST",
    "/v1/payment-batches/{batch_id}/bank-file",
    act=Act.PAY,
    tag="payments",
    zh="生成银行文件",
    en="Make the bank file; the batch is sent",
    errors=(OutOfScope, BatchNotFound, BatchStateRefused, InstitutionNotAdmitted),
)
def post_bank_file(call: Plain, batch_id: str) -> Done[BankFileAnswer]:
    p = call.platform
    done = paying.make_bank_file(p, batch_id, **call.acting)
    file = paying.download_of(p, done.answer, call.now)
    answer = BankFileAnswer(batch=BatchAnswer.of(file.batch), download=FileAnswer.of(file.download))
    return Done(answer, hit=done.hit)


@answers(
    routes,
    "POST",
    "/v1/payment-batches/{batch_id}/cancellation",
    act=Act.PAY,
    tag="payments",
    zh="撤销拨付批次",
    en="Give a batch up before it is sent",
    errors=(OutOfScope, BatchNotFound, BatchStateRefused),
)
def cancel_batch(call: Call[BatchCancellationRequest, Nothing], batch_id: str) -> Done[BatchAnswer]:
    return BatchAnswer.done(paying.cancel_batch(call.platform, batch_id, call.body.reason, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/bank-account",
    status=201,
    act=Act.PROPOSE_ACCOUNT,
    tag="payments",
    zh="申请变更机构收款账户",
    en="Propose an institution's bank account",
    errors=(Invalid, OutOfScope, InstitutionNotFound),
)
def post_bank_account(call: Call[BankAccountRequest, Nothing], institution_id: str) -> Done[BankAccountAnswer]:
    asked = call.body
    return BankAccountAnswer.done(
        keeping_bank_accounts.propose_account(
            call.platform, institution_id, asked.account_name, asked.bank, asked.account_number, **call.acting
        )
    )


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/bank-account/confirmation",
    act=Act.CONFIRM_ACCOUNT,
    tag="payments",
    zh="确认机构收款账户",
    en="Confirm an institution's bank account, as another operator",
    errors=(Invalid, OutOfScope, SameOperator, InstitutionNotFound, BankAccountNotFound, ProposalChanged),
)
def confirm_bank_account(
    call: Call[BankAccountConfirmationRequest, Nothing], institution_id: str
) -> Done[BankAccountAnswer]:
    asked = call.body
    done = keeping_bank_accounts.confirm_account(
        call.platform, institution_id, asked.number, asked.account_number, **call.acting
    )
    return BankAccountAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/bank-account",
    act=Act.READ_APPLICATIONS,
    tag="payments",
    zh="查询机构收款账户",
    en="An institution's bank account",
    errors=(InstitutionNotFound, BankAccountNotFound),
)
def get_bank_account(call: Plain, institution_id: str) -> BankAccountAnswer:
    return BankAccountAnswer.of(keeping_bank_accounts.find_account(call.platform, institution_id, actor=call.actor))
