"""Claim back what was paid for a voucher (追回), or a part of it; its posting goes with it. domain.md §3."""

from datetime import datetime
from functools import partial

from chalicelib.domain import fund, voucher
from chalicelib.domain.access import Actor, covers, must_cover
from chalicelib.domain.application import LineAct, must_be_another, note_on_line
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Contended, NothingToRecover, VoucherNotFound
from chalicelib.domain.fund import Account, PostingKind
from chalicelib.domain.outcomes import Done, LineStep, StaleRow, WriteConflict
from chalicelib.domain.voucher import Receipt, receipt
from chalicelib.services.in_chunks import unless_moved
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Platform
from chalicelib.services.posting import post_on, read_accounts


def claw_back(
    p: Platform, voucher_id: str, fen: int, reason: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Receipt]:
    """``fen`` of what was paid came back. Whoever paid it is not the one who says so.

    Raises VoucherNotFound, OutOfScope, SameOperator, NothingToRecover, Reused, Contended.
    """
    key = p.keys.voucher_ids.decode(voucher_id)
    if key is None:
        raise VoucherNotFound()
    template = p.templates.get(key[1])
    if template is None:
        raise VoucherNotFound()
    for _ in range(TRIES):
        account = _account(p, template.account_id)
        before = p.people.voucher(*key)
        if before is None or not covers(actor, before.region):
            raise VoucherNotFound()
        must_cover(actor, before.region)
        earlier = voucher.earlier_answer(before, attempt, now)
        if earlier is not None:
            return Done(receipt(before, earlier), hit=True)
        if not before.paid_fen or before.application_id is None:
            raise NothingToRecover(left_fen=0)
        must_be_another(actor, voucher.paid_by(before))
        after = voucher.claw_back(before, fen, reason=reason, attempt=attempt, actor=actor, now=now)
        line = p.applications.line(before.application_id, before.voucher_id)
        assert line is not None, "what was paid stands in an application"
        noted = note_on_line(line, LineAct("claw_back", now, actor.operator_id, fen, text=reason))
        accounts, back = {account.account_id: account}, {account.account_id: fen}
        posting = partial(
            post_on, accounts, back, PostingKind.RECOVER, fund.recover_legs, before.application_id, actor, now
        )
        try:
            # Paid a moment ago, it is on the voucher that we saw, and perhaps not on the account of before.
            posted = unless_moved(account, lambda one: _account(p, one.account_id), posting)
            p.applications.note([LineStep(noted, (before, after))], posted)
            return Done(receipt(after))
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def _account(p: Platform, account_id: str) -> Account:
    return read_accounts(p, [account_id])[account_id]
