"""The QR token: what it says and how long it lives. design.md §3."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.errors import TokenNotAccepted
from chalicelib.domain.voucher import Voucher

LIFE = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Token:
    """A shown QR code, signature checked. It is bound to the voucher's version, so every step kills it: a token that
    was used stays dead after a reversal, and no list of used nonces is needed."""

    kid: int
    issued_at: datetime
    nonce: str
    person_id: str
    template_id: str
    voucher_version: int


def check_age(token: Token, now: datetime) -> None:
    """Alive for 60 s. Raises TokenNotAccepted (expired, future)."""
    if now - token.issued_at > LIFE:
        raise TokenNotAccepted(reason="expired")
    if token.issued_at - now > CLOCK_SKEW:
        raise TokenNotAccepted(reason="future")


def check_bound(token: Token, voucher: Voucher) -> None:
    """Raises TokenNotAccepted (used) when a step happened since the token was shown."""
    if token.voucher_version != voucher.version:
        raise TokenNotAccepted(reason="used")
