"""Special accounts (专账), their budgets and postings. Everything is in fen."""

from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import (
    AmountFen,
    Asked,
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
from chalicelib.domain.errors import AccountNotFound, AlreadyExists, BudgetExceeded, OutOfScope, RegionNotFound
from chalicelib.domain.fund import Account, Balance, PostingKind
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import funding

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
    app_key: str
    operator_id: str | None
    posted_at: Instant


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
