"""What may be claimed: all that a place offers, and for one person why not. Two reads, three where hands are looked at.

Judged by the claim's own code from the listings, so nothing here depends on how many templates the country has.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from chalicelib.domain import assertion as assertions
from chalicelib.domain import calendar
from chalicelib.domain.access import Actor, covers
from chalicelib.domain.assertion import Purpose
from chalicelib.domain.eligibility import needs_service
from chalicelib.domain.errors import ChannelNotOpen, DomainError, Invalid, SoldOut
from chalicelib.domain.identifiers import NATION, region_ancestors
from chalicelib.domain.listing import Entry, Left, Listing, after_place
from chalicelib.domain.outcomes import Identified, Page
from chalicelib.domain.person import Person
from chalicelib.domain.region import Rules, within
from chalicelib.domain.voucher import Voucher
from chalicelib.services.cataloguing import find_region, rules_in_force
from chalicelib.services.identifying import Named, name_person
from chalicelib.services.judging_claims import (
    already_claimed,
    channel_not_open,
    in_hand,
    judge_claim,
    must_hold_no_other,
)
from chalicelib.services.judging_eligibility import applicant_of
from chalicelib.services.linking import first_of, linked_with
from chalicelib.services.ports import Catalogue, Keys, Listings, People

MOST_AT_ONCE = 90
"""The person's row and these vouchers are one BatchGet of 100 at most."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a channel asks for the person in it: how much of what is offered at a place."""

    region: str
    assertion: str
    limit: int = MOST_AT_ONCE
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A template that is offered. ``refusal``: what a claim would be refused with; ``asks_service``: the region's
    eligibility service has the last word at the claim."""

    entry: Entry
    refusal: DomainError | None = None
    asks_service: bool = False


def look_at_offers(
    catalogue: Catalogue, listings: Listings, people: People, keys: Keys, asked: Look, *, actor: Actor, now: datetime
) -> Page[Offer]:
    """All that the asserted person may claim at a place through this channel, and for the rest why not.

    The place's own offers first, then those of the regions above it. Raises AssertionNotAccepted, Invalid,
    RegionNotFound.
    """
    assertion = keys.assertions.read(asked.assertion)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.CLAIMABLE, asked.region)
    named = name_person(keys, assertion, now)
    assertions.check_age(assertion, now)
    find_region(catalogue, asked.region)
    around = (asked.region, *region_ancestors(asked.region))
    place = _read_cursor(asked.cursor, around, "/cursor")
    lists_of = [region for region in around if region != NATION]
    found, identified = listings.look(around, named.identity_keys, lists_of)
    entries, cursor = _page(found, place, asked.limit, asked.region)
    rules = {region: rules_in_force(catalogue, region, now) for region in {one.region for one in entries}}
    judge = _Judge(actor, named, identified, rules, now)
    if identified.person_id is not None:
        judge.meet(people, identified.person_id, [one.template_id for one in entries])
    return Page(_with_channels(catalogue, [judge.offer(one) for one in entries]), cursor)


def _with_channels(catalogue: Catalogue, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Name the channels that are open where this one is not: once a region, from what is remembered for a minute."""
    shut = {one.entry.region for one in offers if isinstance(one.refusal, ChannelNotOpen)}
    refusals = {region: channel_not_open(catalogue, region) for region in shut}
    return tuple(
        replace(one, refusal=refusals[one.entry.region]) if isinstance(one.refusal, ChannelNotOpen) else one
        for one in offers
    )


def list_offers(
    catalogue: Catalogue,
    listings: Listings,
    region: str,
    limit: int,
    cursor: str | None,
    *,
    actor: Actor,
    now: datetime,
) -> Page[Entry]:
    """What is open to this channel at a place: its own offers, then those of the regions above it.

    Raises RegionNotFound, Invalid.
    """
    find_region(catalogue, region)
    around = (region, *region_ancestors(region))
    place = _read_cursor(cursor, around, "cursor")
    found, _ = listings.look([one for one in around if covers(actor, one)], (), ())
    entries, next_cursor = _page(found, place, limit, region)
    today = calendar.local_date(now)
    return Page(tuple(one for one in entries if today <= one.terms.claim_until), next_cursor)


class _Judge:
    """Everything that is known of one person, before whom the offers pass."""

    def __init__(
        self, actor: Actor, named: Named, identified: Identified, rules: Mapping[str, Rules], now: datetime
    ) -> None:
        self._records: tuple[Person, ...] = ()
        self._there: dict[tuple[str, str], Voucher] = {}
        self._actor, self._named, self._identified = actor, named, identified
        self._rules, self._now = rules, now

    def meet(self, people: People, person_id: str, template_ids: Sequence[str]) -> None:
        """Read who it is, what they have of these templates and, where a region allows one at a time, what else is in
        their hands. Somebody whose records were merged costs two reads more."""
        holder, vouchers = people.read(person_id, template_ids)
        if holder is None:
            return
        linked = linked_with(people, holder)
        self._records = (holder, *linked)
        self._there = {(person_id, one.template_id): one for one in vouchers.values()}
        self._read(people, [(one.person_id, template_id) for one in linked for template_id in template_ids])
        hands = {key for rules in self._rules.values() for key in in_hand(self._records, rules)}
        known = {(one.person_id, template_id) for one in self._records for template_id in template_ids}
        self._read(people, sorted(hands - known))

    def _read(self, people: People, keys: Sequence[tuple[str, str]]) -> None:
        self._there |= {(one.person_id, one.template_id): one for one in (people.vouchers(keys) if keys else ())}

    def offer(self, entry: Entry) -> Offer:
        try:
            asks_service = self._judge(entry)
        except DomainError as refused:
            return Offer(entry, refused)
        return Offer(entry, asks_service=asks_service)

    def _judge(self, entry: Entry) -> bool:
        """As a claim does it; whether the service would have to be asked."""
        rules = self._rules[entry.region]
        of_this = [self._there.get((one.person_id, entry.template_id)) for one in self._records]
        there = of_this[0] if of_this and of_this[0] else first_of([one for one in of_this if one is not None])
        if there is not None:
            raise already_claimed(there)
        lists = tuple(one for one in self._identified.lists if within(entry.region, (one.region,)))
        applicant = applicant_of(self._named, Identified(self._identified.person_id, lists), None, self._now)
        judge_claim(
            entry.region, entry.state, entry.terms, applicant, self._records, rules, actor=self._actor, now=self._now
        )
        hands = in_hand(self._records, rules)
        must_hold_no_other((self._there[key] for key in hands if key in self._there), rules, self._now)
        if entry.left is Left.NONE:
            raise SoldOut()
        return needs_service(entry.terms.eligibility, applicant)


def _page(
    listings: Sequence[Listing], place: tuple[str, str] | None, limit: int, region: str
) -> tuple[list[Entry], str | None]:
    entries = list(islice(after_place(listings, place), limit + 1))
    if len(entries) <= limit:
        return entries, None
    last = entries[limit - 1]
    return entries[:limit], _cursor(region, last)


def _cursor(region: str, last: Entry) -> str:
    """Of this region's list only: a cursor of another one is refused."""
    said = f"{region}|{last.region}|{last.place}"
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None, around: Sequence[str], pointer: str) -> tuple[str, str] | None:
    """Raises Invalid."""
    if cursor is None:
        return None
    try:
        said = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        region, at, place = said.split("|")
    except (binascii.Error, ValueError):
        raise Invalid(pointer=pointer, reason="this cursor is not one of ours for this list") from None
    if region != around[0] or at not in around:
        raise Invalid(pointer=pointer, reason="this cursor is of another list")
    return at, place
