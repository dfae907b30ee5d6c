"""Redemptions: a voucher is used, once, for one course of one institution."""

from typing import Self

from chalice.app import Blueprint
from pydantic import model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.shapes import Asked, Identifier, Jws, Nothing, exactly_one, told_as_one
from chalicelib.api.verifications import Code, Token
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AlreadyRedeemed,
    AssertionNotAccepted,
    CapReached,
    CardReadNotAccepted,
    CodeNotAccepted,
    CourseNotFound,
    Expired,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    NotClaimed,
    NotYetValid,
    OutOfScope,
    PersonFlagged,
    StaffDisabled,
    StaffUnknown,
    TokenNotAccepted,
    UsedTooOften,
    VoucherEnded,
    VoucherNotFound,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.outcomes import Done
from chalicelib.services import redeeming
from chalicelib.services.identifying import Presented

routes = Blueprint(__name__)


class RedemptionRequest(Asked):
    """Exactly one of ``token``, ``code``, ``assertion`` and ``card_read`` (purpose ``redeem``); the last two with
    ``template_id``. ``staff_assertion`` (purpose ``staff``, subject the institution): who scans, from a channel."""

    model_config = told_as_one(
        "token", "code", "assertion", "card_read", assertion="template_id", card_read="template_id"
    )

    institution_id: Identifier
    course_id: Identifier
    token: Token | None = None
    code: Code | None = None
    assertion: Jws | None = None
    card_read: Jws | None = None
    template_id: Identifier | None = None
    staff_assertion: Jws | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "token", "code", "assertion", "card_read")
        if self.assertion is not None or self.card_read is not None:
            exactly_one(self, "template_id")
        return self


@answers(
    routes,
    "POST",
    "/v1/redemptions",
    status=201,
    act=Act.REDEEM,
    by_staff=True,
    tag="vouchers",
    zh="用券",
    en="Redeem a voucher",
    errors=(
        AssertionNotAccepted,
        CardReadNotAccepted,
        StaffUnknown,
        StaffDisabled,
        Invalid,
        OutOfScope,
        InstitutionNotFound,
        CourseNotFound,
        VoucherNotFound,
        InstitutionNotAdmitted,
        TokenNotAccepted,
        CodeNotAccepted,
        AlreadyRedeemed,
        VoucherEnded,
        NotClaimed,
        NotYetValid,
        UsedTooOften,
        PersonFlagged,
        Expired,
        WrongInstitution,
        WrongCourse,
        CapReached,
    ),
)
def post_redemption(call: Call[RedemptionRequest, Nothing]) -> Done[ReceiptAnswer]:
    p, asked = call.platform, call.body
    done = redeeming.redeem_voucher(
        p.catalogue,
        p.templates,
        p.people,
        p.keys,
        Presented(asked.token, asked.code, asked.assertion, asked.template_id, asked.card_read),
        institution_id=asked.institution_id,
        course_id=asked.course_id,
        staff_assertion=asked.staff_assertion,
        **call.acting,
    )
    return ReceiptAnswer.done(done)
