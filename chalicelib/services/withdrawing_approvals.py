"""Take back what was granted and not paid (撤销审核通过): a mistake, or a fraud, that is found before the money goes.

The line is refused for good, and what was granted is free again in the transaction of the line, its voucher and its
account. What has been paid is clawed back instead.
"""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import application as rules
from chalicelib.domain import fund, voucher
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.application import (
    LINE_STATE_ZH,
    Application,
    ApplicationState,
    Line,
    LineState,
    count,
    must_be,
    must_be_another,
    settle,
    stops_waiting,
)
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Invalid, LineNotFound, LineStateRefused, SettledElsewhere
from chalicelib.domain.fund import Account, Posting, PostingKind
from chalicelib.domain.outcomes import Done, LineStep, Mark, StaleRow
from chalicelib.domain.region import Rules
from chalicelib.services.applying import find_application
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.once import once
from chalicelib.services.ports import Platform
from chalicelib.services.posting import post_on, read_accounts


def withdraw_approvals(
    p: Platform,
    application_id: str,
    voucher_ids: Sequence[str],
    reason: str,
    text: str | None,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Application]:
    """Refuse lines that were granted, all of these or none. ``reason``: one of the region's.

    Raises ApplicationNotFound, OutOfScope, SettledElsewhere, SameOperator, ApplicationStateRefused, ApplicationBusy,
    Invalid (the reason), LineNotFound, LineStateRefused (not granted, in a payment batch, or paid).
    """

    def act() -> Application:
        before, decided = of_region(p, application_id, actor, now)
        must_be(before, {ApplicationState.SUBMITTED, ApplicationState.DECIDED})
        if reason not in decided.review_reasons:
            raise Invalid(pointer="/reason", reason="the reason is one of those that the region has")
        wanted = list(dict.fromkeys(voucher_ids))
        lines = p.applications.lines_of(application_id, wanted)
        if len(lines) < len(wanted):
            raise LineNotFound()
        changed, steps, posted = take_back(p, before, lines, reason, text, actor, now)
        after = settle(count(before, changed), now)
        p.applications.record(after, steps, posted, Mark(attempt, after, now), waits=stops_waiting(before, after))
        return after

    return once(p.marks, attempt, Application, now, act)


def take_back(
    p: Platform,
    application: Application,
    lines: Sequence[Line],
    reason: str | None,
    text: str | None,
    actor: Actor,
    now: datetime,
) -> tuple[list[tuple[Line, Line]], list[LineStep], list[tuple[Account, Posting]]]:
    """What it makes of these lines, their vouchers and their accounts. Raises LineStateRefused."""
    for line in lines:
        if line.state is not LineState.APPROVED:
            raise LineStateRefused(state=line.state, state_zh=LINE_STATE_ZH[line.state])
    accounts = read_accounts(p, {line.account_id for line in lines})
    there = {one.voucher_id: one for one in p.people.vouchers([(one.person_id, one.template_id) for one in lines])}
    changed, steps, free = list[tuple[Line, Line]](), list[LineStep](), dict[str, int]()
    said = ": ".join(one for one in (reason, text) if one)
    for line in lines:
        own = there[line.voucher_id]
        if not voucher.is_granted(own, application.application_id):  # another was quicker than our look at the line
            raise StaleRow
        refused = rules.withdraw_approval(line, reason, text, operator_id=actor.operator_id, now=now)
        changed.append((line, refused))
        steps.append(LineStep(refused, (own, voucher.refuse(own, reason=said, actor=actor, now=now))))
        free[line.account_id] = free.get(line.account_id, 0) + (line.granted_fen or 0)
    kind, legs = PostingKind.WITHDRAW_APPROVAL, fund.withdraw_approval_legs
    return changed, steps, post_on(accounts, free, kind, legs, application.application_id, actor, now)


def of_region(p: Platform, application_id: str, actor: Actor, now: datetime) -> tuple[Application, Rules]:
    """An application, and the rules of its payer region, for a reviewer there who did not ask for it.

    Raises ApplicationNotFound, OutOfScope, SettledElsewhere, SameOperator.
    """
    application = find_application(p, application_id, actor=actor)
    must_cover(actor, application.region)
    if application.external:
        raise SettledElsewhere()
    decided = rules_in_force(p.catalogue, application.region, now)
    if decided.separate_duties:
        must_be_another(actor, application.requested_by)
    return application, decided
