"""Claims: a channel claims a voucher for the person in it."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, answers
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.shapes import NO_NUMBER, Asked, Identifier, Jws, Nothing
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AssertionNotAccepted,
    CapReached,
    ChannelNotOpen,
    ClaimWindowNotOpen,
    ClaimWindowOver,
    DirectedOnly,
    HoldsAnother,
    Invalid,
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
    """``assertion``: the person's, for purpose ``claim`` and this template. ``entrance``: where in the channel it
    began. ``proxy``: the relative who acts for the person."""

    template_id: Identifier
    assertion: Jws
    entrance: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$", examples=["home_card"]), NO_NUMBER] | None = None
    proxy: ProxyRequest | None = None


@answers(
    routes,
    "POST",
    "/v1/claims",
    status=201,
    act=Act.SERVE_HOLDER,
    tag="vouchers",
    zh="领券",
    en="Claim a voucher",
    errors=(
        AssertionNotAccepted,
        Invalid,
        ChannelNotOpen,
        TemplateNotFound,
        TemplateNotOpen,
        DirectedOnly,
        ClaimWindowNotOpen,
        ClaimWindowOver,
        AlreadyClaimed,
        NotEligible,
        PersonFlagged,
        CapReached,
        HoldsAnother,
        ProxyLimitReached,
        SoldOut,
    ),
)
def post_claim(call: Call[ClaimRequest, Nothing]) -> Done[ReceiptAnswer]:
    p, body = call.platform, call.body
    proxy = claiming.ProxyRequest(body.proxy.assertion, body.proxy.kin) if body.proxy else None
    asked = claiming.ClaimRequest(body.template_id, body.assertion, body.entrance, proxy)
    done = claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **call.acting)
    return ReceiptAnswer.done(done)
