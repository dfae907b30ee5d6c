"""Directed vouchers: a bureau puts one person on a template (直接配置培训人员); rosters do it for many."""

from chalice.app import Blueprint

from chalicelib.api.answers import Call, answers
from chalicelib.api.people import PersonRequest
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.shapes import Nothing
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AlreadyClaimed,
    CapReached,
    ClaimWindowOver,
    EligibilityServiceUnavailable,
    HoldsAnother,
    Invalid,
    NameDiffers,
    NotDirected,
    NotEligible,
    OutOfScope,
    PersonFlagged,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.outcomes import Done
from chalicelib.services import issuing
from chalicelib.services.identifying import Said

routes = Blueprint(__name__)


class IssueRequest(PersonRequest):
    """Whom the voucher is for; the name is compared with the one that the e-SSC platform asserts at the claim."""


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/vouchers",
    status=201,
    act=Act.ISSUE,
    tag="templates",
    zh="为指定人员发放定向券",
    en="Issue a directed voucher to a named person",
    errors=(
        Invalid,
        OutOfScope,
        TemplateNotFound,
        TemplateNotOpen,
        NotDirected,
        ClaimWindowOver,
        AlreadyClaimed,
        NameDiffers,
        NotEligible,
        PersonFlagged,
        CapReached,
        HoldsAnother,
        SoldOut,
        EligibilityServiceUnavailable,
    ),
)
def post_voucher(call: Call[IssueRequest, Nothing], template_id: str) -> Done[ReceiptAnswer]:
    p, said = call.platform, Said(**call.body.model_dump())
    done = issuing.issue_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, template_id, said, **call.acting)
    return ReceiptAnswer.done(done)
