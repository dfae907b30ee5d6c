"""What a channel draws: the templates that are offered at a place, and what the person in it may claim of them."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, answers
from chalicelib.api.shapes import Asked, Cursor, Jws, Nothing, RegionCode, Shown
from chalicelib.api.templates import OfferAnswer
from chalicelib.api.verifications import RefusalAnswer
from chalicelib.domain.access import Act
from chalicelib.domain.errors import AssertionNotAccepted, Invalid, RegionNotFound
from chalicelib.domain.outcomes import Page
from chalicelib.services import offering
from chalicelib.services.offering import MOST_AT_ONCE, Look, Offer

routes = Blueprint(__name__)


class ClaimableRequest(Asked):
    """``assertion``: for purpose ``claimable`` and this region. The next page takes the same or a fresh assertion."""

    region: RegionCode
    assertion: Jws
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE
    cursor: Cursor | None = None


class ClaimableAnswer(Shown):
    """``refusal``: what a claim would be refused with now; null: it may be claimed. ``asks_service``: the region's
    eligibility service has the last word at the claim."""

    template: OfferAnswer
    claimable: bool
    refusal: RefusalAnswer | None
    asks_service: bool


@answers(
    routes,
    "POST",
    "/v1/claimable",
    act=Act.SERVE_HOLDER,
    changes=False,
    tag="vouchers",
    zh="此人现在可领哪些券，不可领的原因",
    en="What the person may claim now, and for the rest why not",
    errors=(AssertionNotAccepted, Invalid, RegionNotFound),
)
def post_claimable(call: Call[ClaimableRequest, Nothing]) -> Page[ClaimableAnswer]:
    p, asked = call.platform, Look(**call.body.model_dump())
    page = offering.look_at_offers(p.catalogue, p.listings, p.people, p.keys, asked, actor=call.actor, now=call.now)
    return Page(tuple(_claimable(one, chinese=call.chinese) for one in page.items), page.cursor)


def _claimable(offer: Offer, *, chinese: bool) -> ClaimableAnswer:
    return ClaimableAnswer(
        template=OfferAnswer.of(offer.entry),
        claimable=offer.refusal is None,
        refusal=RefusalAnswer.saying(offer.refusal, chinese=chinese) if offer.refusal else None,
        asks_service=offer.asks_service,
    )
