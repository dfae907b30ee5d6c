"""Special accounts (专账): budgets, postings, statements, transfers between regions (调剂). Everything is in fen."""

from typing import Annotated, Any, Literal, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.rosters import FileAnswer
from chalicelib.api.shapes import (
    AmountFen,
    Asked,
    Identifier,
    Instant,
    Listing,
    Nothing,
    Reason,
    RegionCode,
    RegionListing,
    Shown,
    SignedFen,
    Year,
)
from chalicelib.domain.access import Act, must_cover
from chalicelib.domain.budget_transfer import BudgetTransferState
from chalicelib.domain.errors import (
    AccountNotFound,
    AlreadyExists,
    BudgetExceeded,
    BudgetTransferNotFound,
    BudgetTransferStateRefused,
    Invalid,
    OutOfScope,
    RegionNotFound,
    SameOperator,
    StatementNotFound,
    YearNotOver,
)
from chalicelib.domain.fund import Account, Balance, CarryOver, PostingKind
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.statement import Statement, StatementFormat
from chalicelib.services import funding, printing_statements, transferring_budget

routes = Blueprint(__name__)


class AccountRequest(Asked):
    region: RegionCode
    year: Year
    budget_fen: AmountFen


class BudgetRequest(Asked):
    """``amount_fen`` is added; negative, it is taken back from what is free."""

    amount_fen: SignedFen
    note: Reason


class AccountAnswer(Shown):
    """``budget = free + reserved + payable + paid + recovered``."""

    account_id: str
    region: str
    year: int
    budget_fen: int
    free_fen: int
    reserved_fen: int
    payable_fen: int
    paid_fen: int
    recovered_fen: int
    version: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        one: Account = noun
        return cls(
            account_id=one.account_id,
            region=one.region,
            year=one.year,
            budget_fen=one.budget,
            free_fen=one.balances[Balance.FREE],
            reserved_fen=one.balances[Balance.RESERVED],
            payable_fen=one.balances[Balance.PAYABLE],
            paid_fen=one.balances[Balance.PAID],
            recovered_fen=one.balances[Balance.RECOVERED],
            version=one.version,
        )


class PostingAnswer(Shown):
    """``legs`` map balances to fen and sum to zero; ``source`` is the budget's other side."""

    account_id: str
    number: int
    kind: PostingKind
    legs: Annotated[dict[Balance, int], Field(examples=[{"source": -100, "free": 100}])]
    reference: str
    app_key: str | None
    operator_id: str | None
    posted_at: Instant


class CarryOverAnswer(Shown):
    """``next_account`` is null where nothing was carried and there is none yet."""

    account: AccountAnswer
    next_account: AccountAnswer | None
    carried_fen: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        done: CarryOver = noun
        following = AccountAnswer.of(done.next_account) if done.next_account else None
        return cls(account=AccountAnswer.of(done.account), next_account=following, carried_fen=done.carried_fen)


class StatementQuery(Asked):
    """``format``: beside the figures also a file to fetch."""

    format: Literal["json", "xlsx", "csv", "pdf"] = "json"


class StatementSums(Shown):
    """They sum to zero: ``source_fen`` is the budget's other side."""

    source_fen: int
    free_fen: int
    reserved_fen: int
    payable_fen: int
    paid_fen: int
    recovered_fen: int

    @classmethod
    def of(cls, noun: Any) -> Self:
        return cls(**{f"{balance}_fen": noun[balance] for balance in Balance})


class StatementMovement(Shown):
    kind: PostingKind
    sums: StatementSums


class StatementAnswer(Shown):
    """``closing`` is ``opening`` and all ``movements``, and the opening of the next month. ``complete``: the month is
    over. ``file``: where a format was asked for."""

    account_id: str
    region: str
    year: int
    month: str
    complete: bool
    opening: StatementSums
    movements: tuple[StatementMovement, ...]
    closing: StatementSums
    made_at: Instant
    file: FileAnswer | None

    @classmethod
    def told(cls, one: Statement, file: FileAnswer | None) -> Self:
        return cls(
            account_id=one.account_id,
            region=one.region,
            year=one.year,
            month=one.month,
            complete=one.complete,
            opening=StatementSums.of(one.opening),
            movements=tuple(
                StatementMovement(kind=kind, sums=StatementSums.of(sums)) for kind, sums in one.movements.items()
            ),
            closing=StatementSums.of(one.closing),
            made_at=one.made_at,
            file=file,
        )


class BudgetTransferRequest(Asked):
    """``giver`` and ``receiver``: accounts of one year and of two regions of one province."""

    giver: Identifier
    receiver: Identifier
    amount_fen: Annotated[AmountFen, Field(ge=1)]
    reason: Reason


class BudgetTransferReasonRequest(Asked):
    reason: Reason


class BudgetTransferAnswer(Shown):
    """``ended_by``: who confirmed it, refused it, or took it back."""

    transfer_id: str
    province: str
    giver: str
    receiver: str
    amount_fen: int
    reason: str
    state: BudgetTransferState
    proposed_by: str
    proposed_at: Instant
    ended_by: str | None
    ended_at: Instant | None
    end_reason: str | None
    version: int


@answers(
    routes,
    "POST",
    "/v1/accounts",
    status=201,
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="开立专账",
    en="Open an account",
    errors=(OutOfScope, RegionNotFound, AlreadyExists),
)
def post_account(call: Call[AccountRequest, Nothing]) -> Done[AccountAnswer]:
    p, asked = call.platform, call.body
    done = funding.open_account(p.catalogue, p.accounts, p.marks, **asked.model_dump(), **call.acting)
    return AccountAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/accounts",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="地区的专账",
    en="Accounts of a region",
    errors=(OutOfScope,),
)
def list_accounts(call: Call[Nothing, RegionListing]) -> Page[AccountAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    return AccountAnswer.page(call.platform.accounts.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/accounts/{account_id}",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="查询专账",
    en="One account",
    errors=(AccountNotFound,),
)
def get_account(call: Plain, account_id: str) -> AccountAnswer:
    return AccountAnswer.of(funding.find_account(call.platform.accounts, account_id, call.actor))


@answers(
    routes,
    "POST",
    "/v1/accounts/{account_id}/budget",
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="调整预算",
    en="Change the budget",
    errors=(OutOfScope, AccountNotFound, BudgetExceeded),
)
def post_budget(call: Call[BudgetRequest, Nothing], account_id: str) -> Done[AccountAnswer]:
    p, asked = call.platform, call.body
    done = funding.change_budget(
        p.accounts, p.marks, account_id=account_id, amount_fen=asked.amount_fen, note=asked.note, **call.acting
    )
    return AccountAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/accounts/{account_id}/postings",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="专账分录",
    en="Postings of an account",
    errors=(AccountNotFound,),
)
def list_postings(call: Call[Nothing, Listing], account_id: str) -> Page[PostingAnswer]:
    accounts = call.platform.accounts
    account = funding.find_account(accounts, account_id, call.actor)
    return PostingAnswer.page(accounts.postings(account.account_id, call.query.limit, call.query.cursor))


@answers(
    routes,
    "GET",
    "/v1/accounts/{account_id}/statements/{month}",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="专账月报",
    en="Monthly statement of an account",
    errors=(AccountNotFound, StatementNotFound),
)
def get_statement(call: Call[Nothing, StatementQuery], account_id: str, month: str) -> StatementAnswer:
    p = call.platform
    statement = printing_statements.show_statement(p, account_id, month, actor=call.actor, now=call.now)
    if call.query.format == "json":
        return StatementAnswer.told(statement, None)
    form = StatementFormat(call.query.format)
    file = FileAnswer.of(printing_statements.print_statement(p, statement, form, now=call.now))
    return StatementAnswer.told(statement, file)


@answers(
    routes,
    "POST",
    "/v1/accounts/{account_id}/carry-over",
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="年终结转",
    en="Carry what is free over to the next year's account",
    errors=(OutOfScope, AccountNotFound, YearNotOver),
)
def post_carry_over(call: Plain, account_id: str) -> Done[CarryOverAnswer]:
    p = call.platform
    return CarryOverAnswer.done(funding.carry_over(p.accounts, p.marks, account_id=account_id, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/budget-transfers",
    status=201,
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="提出地区间资金调剂",
    en="Propose to move budget between two regions of a province",
    errors=(Invalid, OutOfScope, AccountNotFound, BudgetExceeded),
)
def post_budget_transfer(call: Call[BudgetTransferRequest, Nothing]) -> Done[BudgetTransferAnswer]:
    done = transferring_budget.propose_transfer(call.platform, **call.body.model_dump(), **call.acting)
    return BudgetTransferAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/budget-transfers/{transfer_id}/confirm",
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="由另一名经办人确认资金调剂",
    en="Confirm a transfer of budget, as another operator",
    errors=(
        SameOperator,
        OutOfScope,
        BudgetTransferNotFound,
        AccountNotFound,
        BudgetTransferStateRefused,
        BudgetExceeded,
    ),
)
def confirm_budget_transfer(call: Plain, transfer_id: str) -> Done[BudgetTransferAnswer]:
    return BudgetTransferAnswer.done(transferring_budget.confirm_transfer(call.platform, transfer_id, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/budget-transfers/{transfer_id}/decline",
    act=Act.MANAGE_MONEY,
    tag="accounts",
    zh="不同意资金调剂，或撤回自己提出的资金调剂",
    en="Refuse a transfer of budget, or take one's own back",
    errors=(OutOfScope, BudgetTransferNotFound, BudgetTransferStateRefused),
)
def decline_budget_transfer(
    call: Call[BudgetTransferReasonRequest, Nothing], transfer_id: str
) -> Done[BudgetTransferAnswer]:
    done = transferring_budget.decline_transfer(call.platform, transfer_id, call.body.reason, **call.acting)
    return BudgetTransferAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/budget-transfers",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="省内资金调剂",
    en="Transfers of budget within a province",
    errors=(OutOfScope,),
)
def list_budget_transfers(call: Call[Nothing, RegionListing]) -> Page[BudgetTransferAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    page = call.platform.budget_transfers.page(asked.region, asked.limit, asked.cursor)
    return BudgetTransferAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/budget-transfers/{transfer_id}",
    act=Act.READ_MONEY,
    tag="accounts",
    zh="查询资金调剂",
    en="One transfer of budget",
    errors=(BudgetTransferNotFound,),
)
def get_budget_transfer(call: Plain, transfer_id: str) -> BudgetTransferAnswer:
    return BudgetTransferAnswer.of(transferring_budget.find_transfer(call.platform, transfer_id, actor=call.actor))
