"""Claims: a channel claims a voucher for the person in it, an institution for whoever puts a card on its terminal."""

from typing import Annotated, Self

from chalice.app import Blueprint
from pydantic import Field, model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.shapes import NO_NUMBER, Asked, Identifier, Jws, Nothing, exactly_one, told_as_one
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AssertionNotAccepted,
    CapReached,
    CardReadNotAccepted,
    ChannelNotOpen,
    ClaimWindowNotOpen,
    ClaimWindowOver,
    DirectedOnly,
    EligibilityServiceUnavailable,
    HoldsAnother,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    NameDiffers,
    NotEligible,
    PersonFlagged,
    ProxyLimitReached,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.outcomes import Done
from chalicelib.domain.proxy import Kin
from chalicelib.services import claiming

routes = Blueprint(__name__)


class ProxyRequest(Asked):
    """A relative acts (亲情代办): their own assertion, for purpose ``proxy`` and this template."""

    assertion: Jws
    kin: Kin


class ClaimRequest(Asked):
    """Exactly one of ``assertion`` (a channel's) and ``card_read`` (an institution's terminal's), the person's, for
    purpose ``claim`` and this template. ``entrance``: where in the channel it began. ``proxy``: the relative who acts
    for the person, with an assertion."""

    model_config = told_as_one("assertion", "card_read")

    template_id: Identifier
    assertion: Jws | None = None
    card_read: Jws | None = None
    entrance: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["home_card"]), NO_NUMBER] | None = None
    proxy: ProxyRequest | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        exactly_one(self, "assertion", "card_read")
        return self


@answers(
    routes,
    "POST",
    "/v1/claims",
    status=201,
    act=Act.CLAIM,
    tag="vouchers",
    zh="领券",
    en="Claim a voucher",
    errors=(
        AssertionNotAccepted,
        CardReadNotAccepted,
        Invalid,
        InstitutionNotFound,
        InstitutionNotAdmitted,
        ChannelNotOpen,
        TemplateNotFound,
        TemplateNotOpen,
        DirectedOnly,
        ClaimWindowNotOpen,
        ClaimWindowOver,
        AlreadyClaimed,
        NameDiffers,
        NotEligible,
        PersonFlagged,
        CapReached,
        HoldsAnother,
        ProxyLimitReached,
        SoldOut,
        EligibilityServiceUnavailable,
    ),
)
def post_claim(call: Call[ClaimRequest, Nothing]) -> Done[ReceiptAnswer]:
    p, body = call.platform, call.body
    proxy = claiming.ProxyRequest(body.proxy.assertion, body.proxy.kin) if body.proxy else None
    asked = claiming.ClaimRequest(body.template_id, body.assertion, body.entrance, proxy, body.card_read)
    done = claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **call.acting)
    return ReceiptAnswer.done(done)
