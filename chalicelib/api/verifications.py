"""Verifications: would this voucher be accepted here and now?"""

from typing import Annotated, Self

from chalice.app import Blueprint
from pydantic import Field, model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.shapes import Asked, Day, Identifier, Jws, Nothing, Shown, exactly_one, told_as_one
from chalicelib.api.vouchers import RedemptionAnswer
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AssertionNotAccepted,
    CardReadNotAccepted,
    CodeNotAccepted,
    CourseNotFound,
    DomainError,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    StaffDisabled,
    StaffUnknown,
    TokenNotAccepted,
    VoucherNotFound,
)
from chalicelib.domain.template import FunctionMode
from chalicelib.domain.voucher import State
from chalicelib.domain.words import say, shown
from chalicelib.services import verifying
from chalicelib.services.identifying import Presented

routes = Blueprint(__name__)

Token = Annotated[str, Field(pattern=r"^[A-Z2-7]{50,400}$", description="what the QR code says")]
Code = Annotated[str, Field(min_length=10, max_length=40, description="as typed; hyphens and spaces do not matter")]


class VerificationRequest(Asked):
    """Exactly one of ``token``, ``code`` and ``card_read`` (purpose ``redeem``); the last with ``template_id``. With a
    course its terms are judged too. ``staff_assertion`` (purpose ``staff``, subject the institution): who scans, from a
    channel."""

    model_config = told_as_one("token", "code", "card_read", card_read="template_id")

    institution_id: Identifier
    token: Token | None = None
    code: Code | None = None
    card_read: Jws | None = None
    template_id: Identifier | None = None
    course_id: Identifier | None = None
    staff_assertion: Jws | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "token", "code", "card_read")
        if self.card_read is not None:
            exactly_one(self, "template_id")
        return self


class RefusalAnswer(Shown):
    """Why it would be refused: what its problem would say."""

    code: str
    detail: str
    facts: dict[str, str | int | None]

    @classmethod
    def saying(cls, error: DomainError, *, chinese: bool) -> Self:
        detail = say(error.zh if chinese else error.en, error.facts, chinese=chinese)
        return cls(code=error.code, detail=detail, facts=shown(error.facts))


class VerificationAnswer(Shown):
    """``holder`` is masked."""

    usable: bool
    refusal: RefusalAnswer | None
    voucher_id: str
    template_id: str
    region: str
    state: State
    holder: str
    valid_from: Day
    valid_until: Day
    programme_id: str
    function_mode: FunctionMode
    face_value_fen: int
    redemption: RedemptionAnswer | None


@answers(
    routes,
    "POST",
    "/v1/verifications",
    act=Act.VERIFY,
    by_staff=True,
    changes=False,
    tag="vouchers",
    zh="验券",
    en="Verify a voucher",
    errors=(
        AssertionNotAccepted,
        CardReadNotAccepted,
        StaffUnknown,
        StaffDisabled,
        Invalid,
        TokenNotAccepted,
        CodeNotAccepted,
        OutOfScope,
        InstitutionNotFound,
        InstitutionNotAdmitted,
        CourseNotFound,
        VoucherNotFound,
    ),
)
def post_verification(call: Call[VerificationRequest, Nothing]) -> VerificationAnswer:
    p, asked = call.platform, call.body
    found = verifying.verify_voucher(
        p.catalogue,
        p.templates,
        p.people,
        p.keys,
        Presented(token=asked.token, code=asked.code, card_read=asked.card_read, template_id=asked.template_id),
        institution_id=asked.institution_id,
        course_id=asked.course_id,
        staff_assertion=asked.staff_assertion,
        actor=call.actor,
        now=call.now,
    )
    return VerificationAnswer(
        usable=found.usable,
        refusal=RefusalAnswer.saying(found.refusal, chinese=call.chinese) if found.refusal else None,
        voucher_id=found.voucher.voucher_id,
        template_id=found.voucher.template_id,
        region=found.voucher.region,
        state=found.state,
        holder=found.masked_name,
        valid_from=found.voucher.valid_from,
        valid_until=found.voucher.valid_until,
        programme_id=found.terms.programme_id,
        function_mode=found.terms.function_mode,
        face_value_fen=found.terms.face_value_fen,
        redemption=RedemptionAnswer.of(found.voucher.redemption) if found.voucher.redemption else None,
    )
