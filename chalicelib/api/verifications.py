"""Verifications: would this voucher be accepted here and now?"""

from typing import Annotated, Self

from chalice.app import Blueprint
from pydantic import Field, model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.shapes import Asked, Day, Identifier, Nothing, Shown, exactly_one, told_as_one
from chalicelib.api.vouchers import RedemptionAnswer
from chalicelib.api.words import say, shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    CodeNotAccepted,
    CourseNotFound,
    DomainError,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    OutOfScope,
    TokenNotAccepted,
    VoucherNotFound,
)
from chalicelib.domain.template import FunctionMode
from chalicelib.domain.voucher import State
from chalicelib.services import verifying
from chalicelib.services.identifying import Presented

routes = Blueprint(__name__)

Token = Annotated[str, Field(pattern=r"^[A-Z2-7]{50,400}$", description="what the QR code says")]
Code = Annotated[str, Field(min_length=10, max_length=40, description="as typed; hyphens and spaces do not matter")]


class VerificationRequest(Asked):
    """Exactly one of ``token`` and ``code``. With a course its terms are judged too."""

    model_config = told_as_one("token", "code")

    institution_id: Identifier
    token: Token | None = None
    code: Code | None = None
    course_id: Identifier | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "token", "code")
        return self


class RefusalAnswer(Shown):
    """Why redeeming would be refused: what its problem would say."""

    code: str
    detail: str
    facts: dict[str, str | int | None]


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
    changes=False,
    tag="vouchers",
    zh="验券",
    en="Verify a voucher",
    errors=(
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
        Presented(token=asked.token, code=asked.code),
        institution_id=asked.institution_id,
        course_id=asked.course_id,
        actor=call.actor,
        now=call.now,
    )
    return VerificationAnswer(
        usable=found.usable,
        refusal=_refusal(found.refusal, chinese=call.chinese) if found.refusal else None,
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


def _refusal(error: DomainError, *, chinese: bool) -> RefusalAnswer:
    detail = say(error.zh if chinese else error.en, error.facts, chinese=chinese)
    return RefusalAnswer(code=error.code, detail=detail, facts=shown(error.facts))
