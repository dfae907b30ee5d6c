"""Applications that a region settles in its own system: evidence goes out, results come back; and claw-back."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.rosters import FileAnswer
from chalicelib.api.shapes import AmountFen, Asked, Day, Identifier, Line, Nothing, Reason, Shown
from chalicelib.domain import errors
from chalicelib.domain.access import Act
from chalicelib.domain.application import ApplicationState, LineState, OutsideOutcome, OutsideResult
from chalicelib.domain.outcomes import Done
from chalicelib.services import clawing_back, delivering_evidence, settling_outside

routes = Blueprint(__name__)

Fen = Annotated[AmountFen, Field(ge=1)]


class SettlementRequest(Asked):
    """``fen`` and ``reference`` (of the payment) of what was paid, ``reason`` of what was not; ``settled_on`` is the
    local date."""

    voucher_id: Identifier
    outcome: OutsideOutcome = Field(strict=False)
    settled_on: Day
    fen: Fen | None = None
    reference: Line | None = None
    reason: Reason | None = None


class SettlementsRequest(Asked):
    results: Annotated[tuple[SettlementRequest, ...], Field(min_length=1, max_length=settling_outside.MOST_AT_ONCE)]


class SettlementResultAnswer(Shown):
    """``code`` null: it counts, now or since before, and ``state`` is the line's; else why it does not."""

    voucher_id: str
    state: LineState | None
    code: str | None
    zh: str | None
    en: str | None


class SettlementsAnswer(Shown):
    """In the order in which they were told; then the application's sums in fen."""

    application_id: str
    state: ApplicationState
    approved_fen: int
    paid_fen: int
    results: tuple[SettlementResultAnswer, ...]


class ClawBackRequest(Asked):
    """``fen``: of what was paid, so much came back."""

    fen: Fen
    reason: Reason


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/settlements",
    act=Act.SETTLE_OUTSIDE,
    tag="applications",
    zh="报送外部结算结果",
    en="Tell what the region's own system made of some lines",
    errors=(
        errors.Invalid,
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.ApplicationStateRefused,
        errors.SettledHere,
        errors.SameOperator,
    ),
)
def post_settlements(call: Call[SettlementsRequest, Nothing], application_id: str) -> Done[SettlementsAnswer]:
    results = [
        (one.voucher_id, OutsideResult(one.outcome, one.settled_on, one.fen, one.reference, one.reason))
        for one in call.body.results
    ]
    return SettlementsAnswer.done(
        settling_outside.settle_outside(call.platform, application_id, results, **call.acting)
    )


@answers(
    routes,
    "GET",
    "/v1/applications/{application_id}/lines-file",
    act=Act.READ_APPLICATIONS,
    tag="applications",
    zh="下载申请明细（用券与出勤凭据）",
    en="Where to fetch all lines, with usage and attendance, as a workbook",
    errors=(errors.ApplicationNotFound,),
)
def get_lines_file(call: Plain, application_id: str) -> FileAnswer:
    return FileAnswer.of(
        delivering_evidence.deliver_lines(call.platform, application_id, actor=call.actor, now=call.now)
    )


@answers(
    routes,
    "POST",
    "/v1/vouchers/{voucher_id}/claw-back",
    act=Act.CLAW_BACK,
    tag="vouchers",
    zh="追回",
    en="Claim back what was paid",
    errors=(errors.OutOfScope, errors.VoucherNotFound, errors.SameOperator, errors.NothingToRecover),
)
def post_claw_back(call: Call[ClawBackRequest, Nothing], voucher_id: str) -> Done[ReceiptAnswer]:
    asked = call.body
    return ReceiptAnswer.done(clawing_back.claw_back(call.platform, voucher_id, asked.fen, asked.reason, **call.acting))
