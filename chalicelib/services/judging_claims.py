"""Whether a person may claim: what a claim, and the page that offers it, judge by the same words in the same order.

Stock comes last and is the claim's own: only a shard's condition decides it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.domain import calendar, person, voucher
from chalicelib.domain.access import Actor, Role
from chalicelib.domain.eligibility import Applicant, must_be_eligible, needs_service
from chalicelib.domain.errors import AlreadyClaimed, ChannelNotOpen, HoldsAnother
from chalicelib.domain.identifiers import region_ancestors
from chalicelib.domain.person import CountKey, Person
from chalicelib.domain.region import Rules, within
from chalicelib.domain.template import TemplateState, Terms, check_open_for_claim
from chalicelib.domain.voucher import Voucher
from chalicelib.services.ports import Catalogue

MOST_CHANNELS = 20
"""Names in a refusal; nobody reads more."""


def already_claimed(there: Voucher) -> AlreadyClaimed:
    """What is said to whoever has a voucher of this template."""
    return AlreadyClaimed(claimed_at=calendar.to_text(there.made_at), voucher_id=there.voucher_id)


def channel_not_open(catalogue: Catalogue, region: str) -> ChannelNotOpen:
    """The refusal with the names of the channels that are open there, national ones and the region's own."""
    around = (region, *region_ancestors(region))
    there = [one for code in around for one in catalogue.clients.listed(code)]
    names = dict.fromkeys(one.name for one in there if one.role is Role.CHANNEL and one.disabled_at is None)
    told = list(names)[:MOST_CHANNELS]
    return ChannelNotOpen(channels=", ".join(told) or None, channels_zh="、".join(told) or None)


def judge_claim(
    region: str,
    state: TemplateState,
    terms: Terms,
    applicant: Applicant,
    records: Sequence[Person],
    rules: Rules,
    *,
    actor: Actor,
    now: datetime,
) -> CountKey:
    """Judge all but what is in the person's hands, and say as what the voucher would count.

    ``records``: the person's own, and those that were merged with it; none of who is not known yet. Where the region's
    service must be asked, whether the person is eligible is not judged here.

    Raises ChannelNotOpen (which names no channels yet: ``channel_not_open`` does), TemplateNotOpen, DirectedOnly,
    ClaimWindowNotOpen, ClaimWindowOver, NotEligible, PersonFlagged, CapReached.
    """
    must_be_offered(actor, region)
    check_open_for_claim(state, terms, now)
    return judge_person(region, terms, applicant, records, rules, now)


def judge_person(
    region: str, terms: Terms, applicant: Applicant, records: Sequence[Person], rules: Rules, now: datetime
) -> CountKey:
    """What a claim and an issue judge of the person alike, as ``judge_claim`` says. Raises NotEligible, PersonFlagged,
    CapReached."""
    if not needs_service(terms.eligibility, applicant):
        must_be_eligible(terms.eligibility, applicant)
    person.must_not_be_flagged(records, region, calendar.local_date(now))
    wanted = CountKey(region, calendar.year_of(now), terms.programme_type, terms.occupation, terms.level)
    person.check_caps(records[0] if records else None, rules, wanted, records[1:])
    return wanted


def must_be_offered(actor: Actor, region: str) -> None:
    """Raises ChannelNotOpen, which names no channels yet."""
    if not offers(actor, region):
        raise ChannelNotOpen(channels=None, channels_zh=None)


def offers(actor: Actor, region: str) -> bool:
    """A channel offers what is issued in its regions; an institution's terminal also what is issued for all of them."""
    regions = actor.client.regions
    if within(region, regions):
        return True
    return actor.client.role is Role.INSTITUTION and any(within(own, (region,)) for own in regions)


def in_hand(records: Sequence[Person], rules: Rules) -> list[tuple[str, str]]:
    """(person, template) of the vouchers that must be looked at before these rules let one more be claimed."""
    if not rules.one_at_a_time:
        return []
    return [
        (one.person_id, template_id)
        for one in records
        for template_id, region in one.held.items()
        if within(region, (rules.held_of,))
    ]


def must_hold_no_other(there: Iterable[Voucher], rules: Rules, now: datetime) -> None:
    """Raises HoldsAnother."""
    if not rules.one_at_a_time:
        return
    for other in there:
        counts = within(other.region, (rules.held_of,))
        if counts and voucher.is_held(other, now, redeemed_counts=rules.redeemed_counts_as_held):
            raise HoldsAnother(voucher_id=other.voucher_id)
