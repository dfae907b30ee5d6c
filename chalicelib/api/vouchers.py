"""Vouchers: the holder's session and wallet, one voucher, its history and QR code, and the steps that name it."""

from typing import Any, Literal, Self

from chalice.app import Blueprint

from chalicelib.api import qr_picture
from chalicelib.api.answers import Call, Picture, Plain, answers
from chalicelib.api.receipts import ReceiptAnswer
from chalicelib.api.shapes import Asked, Day, Identifier, Instant, Jws, Listing, Nothing, Reason, Shown
from chalicelib.api.templates import LookAnswer
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    AssertionNotAccepted,
    Expired,
    HoldsAnother,
    InstitutionNotFound,
    Invalid,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    OutOfScope,
    RelationNotFound,
    ReversalWindowOver,
    StaffDisabled,
    StaffUnknown,
    VoucherEnded,
    VoucherNotFound,
)
from chalicelib.domain.history import Entry
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.template import BusinessMode, DistributionMode, FunctionMode
from chalicelib.domain.voucher import State
from chalicelib.services import acting_for, changing_vouchers, identifying, showing
from chalicelib.services.showing import Card, ShownToken

routes = Blueprint(__name__)


class SessionRequest(Asked):
    """``assertion``: for purpose ``session``. ``relation_id``: the relative is asserted, and the session is that of the
    person whom they act for."""

    assertion: Jws
    relation_id: Identifier | None = None


class SessionAnswer(Shown):
    """``session`` goes into X-Holder-Session until ``ends_at``, of this client only."""

    session: str
    ends_at: Instant


class RedemptionAnswer(Shown):
    institution_id: str
    institution_name: str
    course_id: str
    proof: str
    redeemed_at: Instant


class WalletCard(Shown):
    """A voucher as it is shown: ``state`` is the effective one, ``holder`` is masked. ``paid_fen`` of the subsidy, of
    which ``recovered_fen`` were claimed back."""

    voucher_id: str
    template_id: str
    region: str
    state: State
    version: int
    holder: str
    business_mode: BusinessMode
    function_mode: FunctionMode
    distribution_mode: DistributionMode
    programme_id: str
    face_value_fen: int
    valid_from: Day
    valid_until: Day
    claimed_at: Instant
    changed_at: Instant
    redemption: RedemptionAnswer | None
    paid_fen: int
    recovered_fen: int
    look: LookAnswer

    @classmethod
    def of(cls, noun: Any) -> Self:
        return cls(**_card_parts(noun))


class VoucherAnswer(WalletCard):
    """``code`` can be typed where no camera is; it is a secret and shown to the holder alone."""

    code: str | None

    @classmethod
    def of(cls, noun: Any) -> Self:
        return cls(**_card_parts(noun), code=noun.code)


class EntryAnswer(Shown):
    """``text`` is the canonical JSON that ``hash`` is the SHA-256 of; the other fields are read off it."""

    number: int
    step: str
    state: State
    at: Instant
    hash: str
    text: str

    @classmethod
    def of(cls, noun: Any) -> Self:
        entry: Entry = noun
        said = entry.said
        return cls(
            number=said["number"],
            step=said["step"],
            state=State(said["to"]),
            at=entry.at,
            hash=entry.hash,
            text=entry.text,
        )


class HistoryAnswer(Shown):
    """Each entry's ``prev`` is the hash of the one before; the first one's is ``genesis``."""

    voucher_id: str
    genesis: str
    entries: tuple[EntryAnswer, ...]


class QrQuery(Asked):
    format: Literal["svg", "token", "png"] = "svg"


class TokenAnswer(Shown):
    token: str
    expires_at: Instant


class PngAnswer(Shown):
    """``png`` is a data URI."""

    png: str
    expires_at: Instant


class ReasonRequest(Asked):
    reason: Reason


class ReversalRequest(ReasonRequest):
    """``staff_assertion`` (purpose ``staff``, subject the institution): who scanned, from a channel."""

    staff_assertion: Jws | None = None


@answers(
    routes,
    "POST",
    "/v1/sessions",
    act=Act.SERVE_HOLDER,
    changes=False,
    tag="vouchers",
    zh="打开持券人会话",
    en="Open a holder session",
    errors=(AssertionNotAccepted, Invalid, VoucherNotFound, RelationNotFound),
)
def post_session(call: Call[SessionRequest, Nothing]) -> SessionAnswer:
    p = call.platform
    jws, relation_id, actor, now = call.body.assertion, call.body.relation_id, call.actor, call.now
    if relation_id is None:
        opened = identifying.open_session(p.people, p.keys, p.chance, jws, actor=actor, now=now)
    else:
        opened = acting_for.open_session_for(p.people, p.keys, p.chance, jws, relation_id, actor=actor, now=now)
    return SessionAnswer.of(opened)


@answers(
    routes,
    "GET",
    "/v1/wallet",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="vouchers",
    zh="券包",
    en="The holder's wallet",
)
def get_wallet(call: Call[Nothing, Listing]) -> Page[WalletCard]:
    p, asked = call.platform, call.query
    return WalletCard.page(
        showing.open_wallet(p.templates, p.people, call.session, asked.limit, asked.cursor, call.now)
    )


@answers(
    routes,
    "GET",
    "/v1/vouchers/{voucher_id}",
    act=Act.READ_VOUCHERS,
    holder="may",
    tag="vouchers",
    zh="查询券",
    en="One voucher",
    errors=(VoucherNotFound,),
)
def get_voucher(call: Plain, voucher_id: str) -> VoucherAnswer:
    p = call.platform
    card = showing.show_voucher(
        p.templates, p.people, p.keys, voucher_id, actor=call.actor, session=call.opened, now=call.now
    )
    return VoucherAnswer.of(card)


@answers(
    routes,
    "GET",
    "/v1/vouchers/{voucher_id}/history",
    act=Act.READ_VOUCHERS,
    holder="may",
    tag="vouchers",
    zh="券的全程记录",
    en="A voucher's history",
    errors=(VoucherNotFound,),
)
def get_history(call: Plain, voucher_id: str) -> HistoryAnswer:
    p = call.platform
    story = showing.tell_history(p.people, p.keys, voucher_id, actor=call.actor, session=call.opened)
    entries = tuple(EntryAnswer.of(entry) for entry in story.entries)
    return HistoryAnswer(voucher_id=story.voucher_id, genesis=story.genesis, entries=entries)


@answers(
    routes,
    "GET",
    "/v1/vouchers/{voucher_id}/qr",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="vouchers",
    zh="出示二维码",
    en="Show the QR code",
    errors=(VoucherNotFound, VoucherEnded, Expired),
)
def get_qr(call: Call[Nothing, QrQuery], voucher_id: str) -> Picture | TokenAnswer | PngAnswer:
    p = call.platform
    shown = showing.show_token(
        p.templates, p.people, p.keys, p.chance, voucher_id, session=call.session, actor=call.actor, now=call.now
    )
    return _picture(call.query.format, shown)


@answers(
    routes,
    "POST",
    "/v1/vouchers/{voucher_id}/reversal",
    act=Act.REDEEM,
    by_staff=True,
    tag="vouchers",
    zh="撤销使用",
    en="Reverse a redemption",
    errors=(
        AssertionNotAccepted,
        StaffUnknown,
        StaffDisabled,
        InstitutionNotFound,
        Invalid,
        OutOfScope,
        VoucherNotFound,
        NotRedeemed,
        ReversalWindowOver,
        HoldsAnother,
    ),
)
def post_reversal(call: Call[ReversalRequest, Nothing], voucher_id: str) -> Done[ReceiptAnswer]:
    p, asked = call.platform, call.body
    done = changing_vouchers.reverse_redemption(
        p.catalogue,
        p.templates,
        p.people,
        p.enrolments,
        p.keys,
        voucher_id,
        asked.reason,
        staff_assertion=asked.staff_assertion,
        **call.acting,
    )
    return ReceiptAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/vouchers/{voucher_id}/return",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="vouchers",
    zh="退券",
    en="Give a voucher back",
    errors=(VoucherNotFound, NotHeld),
)
def post_return(call: Plain, voucher_id: str) -> Done[ReceiptAnswer]:
    p = call.platform
    done = changing_vouchers.give_back(
        p.catalogue, p.templates, p.people, p.keys, voucher_id, session=call.session, **call.acting
    )
    return ReceiptAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/vouchers/{voucher_id}/revocation",
    act=Act.REVOKE,
    tag="vouchers",
    zh="作废",
    en="Revoke a voucher",
    errors=(OutOfScope, VoucherNotFound, NotRevocable),
)
def post_revocation(call: Call[ReasonRequest, Nothing], voucher_id: str) -> Done[ReceiptAnswer]:
    p, reason = call.platform, call.body.reason
    done = changing_vouchers.revoke_voucher(p.templates, p.people, p.keys, voucher_id, reason, **call.acting)
    return ReceiptAnswer.done(done)


def _card_parts(card: Card) -> dict[str, Any]:
    voucher, terms = card.voucher, card.terms
    return {
        "voucher_id": voucher.voucher_id,
        "template_id": voucher.template_id,
        "region": voucher.region,
        "state": card.state,
        "version": voucher.version,
        "holder": card.masked_name,
        "business_mode": terms.business_mode,
        "function_mode": terms.function_mode,
        "distribution_mode": terms.distribution_mode,
        "programme_id": terms.programme_id,
        "face_value_fen": terms.face_value_fen,
        "valid_from": voucher.valid_from,
        "valid_until": voucher.valid_until,
        "claimed_at": voucher.made_at,
        "changed_at": voucher.changed_at,
        "redemption": RedemptionAnswer.of(voucher.redemption) if voucher.redemption else None,
        "paid_fen": voucher.paid_fen,
        "recovered_fen": voucher.recovered_fen,
        "look": LookAnswer.of(card.template.look),
    }


def _picture(form: str, shown: ShownToken) -> Picture | TokenAnswer | PngAnswer:
    if form == "svg":
        return Picture("image/svg+xml", qr_picture.svg(shown.token))
    if form == "png":
        return PngAnswer(png=qr_picture.png_data_uri(shown.token), expires_at=shown.expires_at)
    return TokenAnswer(token=shown.token, expires_at=shown.expires_at)
