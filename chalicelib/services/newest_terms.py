"""What a voucher's template promises by now, before and after the amendment's job has come to the voucher.

Every promise only grows, so a voucher that its own terms allow is allowed; only where they refuse is the template
asked whether it promises more by now. That is one read more, and only on the way to a refusal.
"""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import voucher as steps
from chalicelib.domain.person import Person, hold_again
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import AMENDABLE, Voucher
from chalicelib.services.ports import Templates


def brought_to(templates: Templates, voucher: Voucher, terms_version: int, now: datetime) -> Voucher:
    """The voucher with an entry for each amendment up to these terms; itself when it has them, or nothing is promised
    of it any more."""
    if voucher.state not in AMENDABLE:
        return voucher
    for version in range(voucher.terms_version + 1, terms_version + 1):
        terms = templates.terms(voucher.template_id, version)
        voucher = steps.amend(
            voucher,
            terms_version=version,
            valid_until=terms.valid_until,
            claim_until=terms.claim_until,
            reason=terms.reason,
            now=now,
        )
    return voucher


def brought_up(templates: Templates, voucher: Voucher, now: datetime) -> Voucher:
    """``brought_to`` the newest terms, as they are at this moment."""
    head = templates.read(voucher.template_id)
    return brought_to(templates, voucher, head.terms_version, now) if head else voucher


def revived(templates: Templates, voucher: Voucher, now: datetime) -> Voucher:
    """A voucher that has lapsed by its own date, brought to its template's newest terms if by them it lives; any other
    voucher as it is."""
    if not steps.has_lapsed(voucher, now):
        return voucher
    newest = brought_up(templates, voucher, now)
    return voucher if steps.has_lapsed(newest, now) else newest


def in_hand_again(vouchers: Sequence[Voucher], holder: Person, now: datetime) -> Person | None:
    """The holder of vouchers that had lapsed and live again: they may have been dropped from the hand, and whoever is
    just dropping them must find this row changed. None where none had lapsed."""
    lapsed = {one.template_id: one.region for one in vouchers if steps.has_lapsed(one, now)}
    return hold_again(holder, lapsed) if lapsed else None


def as_promised(templates: Templates, template: Template, voucher: Voucher) -> Voucher:
    """How the voucher is shown: by its template's newest terms, with no entry made."""
    if voucher.state not in AMENDABLE or voucher.terms_version >= template.terms_version:
        return voucher
    terms = templates.terms(voucher.template_id, template.terms_version)
    return steps.under(
        voucher, terms_version=terms.version, valid_until=terms.valid_until, claim_until=terms.claim_until
    )
