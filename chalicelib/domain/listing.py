"""What a region offers right now: one listing of its open templates, small enough to be read whole. design.md §1.

A listing follows its templates in their own transactions; what is left is counted anew each minute, in steps only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain import calendar
from chalicelib.domain.errors import ListingFull
from chalicelib.domain.template import DistributionMode, Look, Template, TemplateState, Terms

MOST_ENTRIES = 200
"""Of one region: more is no list that anybody reads, and a row has an end."""
FEW_UNITS, FEW_PERCENT, SOME_PERCENT = 100, 1, 20


class Left(StrEnum):
    """What is left of a template, in steps: nobody can tell from it what a single claim did."""

    NONE = "none"
    FEW = "few"
    SOME = "some"
    PLENTY = "plenty"


_ORDER = tuple(Left)


@dataclass(frozen=True, slots=True)
class Entry:
    """An open template as a channel draws it and as a claim judges it.

    ``look`` is without its note, which only a holder reads. ``left_since``: since when that step stands here.
    """

    template_id: str
    region: str
    state: TemplateState
    look: Look
    terms: Terms
    published_at: datetime
    left: Left
    left_since: datetime

    @property
    def place(self) -> str:
        """Where it stands among the entries of its region, the newest first: unique, and it never changes."""
        return f"{calendar.to_text(self.published_at)}#{self.template_id}"


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a region offers; version 0 has not been written yet."""

    region: str
    version: int = 0
    entries: tuple[Entry, ...] = ()


def left_of(remaining: int, quantity: int) -> Left:
    """The step: nothing; at most 100 or 1 %; at most 20 %; more."""
    if remaining <= 0:
        return Left.NONE
    if remaining <= FEW_UNITS or remaining * 100 <= quantity * FEW_PERCENT:
        return Left.FEW
    return Left.SOME if remaining * 100 <= quantity * SOME_PERCENT else Left.PLENTY


def is_listed(template: Template, terms: Terms, now: datetime) -> bool:
    """Whether a channel may tell of it: open to all, published or suspended, and its claim window is not over."""
    return (
        terms.distribution_mode is DistributionMode.OPEN
        and template.state in (TemplateState.PUBLISHED, TemplateState.SUSPENDED)
        and calendar.local_date(now) <= terms.claim_until
    )


def follow(
    listing: Listing, template: Template, terms: Terms, now: datetime, *, amended: bool = False
) -> Listing | None:
    """The listing after an act upon a template; None where the act changes nothing in it.

    Stock that was added counts at once, as far as it is more than was left. Only what was never here needs room: a
    suspension is never refused for want of it. Raises ListingFull, when a template that is published, or whose window
    is opened again by an amendment, finds none.
    """
    others = tuple(one for one in listing.entries if one.template_id != template.template_id)
    before = next((one for one in listing.entries if one.template_id == template.template_id), None)
    if not is_listed(template, terms, now):
        return replace(listing, version=listing.version + 1, entries=others) if before else None
    # Of what comes in anew with its stock in shards, the count will tell: nobody is turned away until then.
    left = left_of(template.unallotted, template.quantity) if before or template.unallotted else Left.SOME
    if before is not None and _ORDER.index(before.left) > _ORDER.index(left):
        left = before.left
    after = _entry(template, terms, left, now)
    if before is not None and before.left is left:
        after = replace(after, left_since=before.left_since)
    if after == before:
        return None
    if before is None:
        others = tuple(one for one in others if calendar.local_date(now) <= one.terms.claim_until)
        if len(others) >= MOST_ENTRIES:
            if amended or template.published_at == now:
                raise ListingFull(limit=MOST_ENTRIES)
            return None
    return _with(listing, (*others, after))


def recount(
    listing: Listing, templates: Sequence[tuple[Template, Terms]], remaining: Mapping[str, int], now: datetime
) -> Listing | None:
    """The listing after a count; None where all of it stands already.

    ``templates``: the heads of all its entries as they are now; ``remaining``: units by template, those on their way to
    a shard among them. What is over, or gone, is dropped; whatever else differs from its template is set right.
    """
    heads = {template.template_id: (template, terms) for template, terms in templates}
    entries = []
    for before in listing.entries:
        template, terms = heads.get(before.template_id, (None, None))
        if template is None or terms is None or not is_listed(template, terms, now):
            continue
        after = _entry(template, terms, left_of(remaining[template.template_id], template.quantity), now)
        entries.append(replace(after, left_since=before.left_since) if after.left is before.left else after)
    after_all = _with(listing, tuple(entries))
    return None if after_all.entries == listing.entries else after_all


def after_place(listings: Sequence[Listing], place: tuple[str, str] | None) -> Iterator[Entry]:
    """All entries of these listings, in their order and the newest first in each, behind ``place``: (region, place of
    the entry that was told last)."""
    seen = place is None
    for listing in listings:
        last = None
        if place is not None and listing.region == place[0]:
            seen, last = True, place[1]
        if seen:
            yield from (one for one in listing.entries if last is None or one.place < last)


def _entry(template: Template, terms: Terms, left: Left, now: datetime) -> Entry:
    return Entry(
        template_id=template.template_id,
        region=template.region,
        state=template.state,
        look=replace(template.look, note=""),
        terms=terms,
        published_at=template.published_at or template.made_at,
        left=left,
        left_since=now,
    )


def _with(listing: Listing, entries: tuple[Entry, ...]) -> Listing:
    newest_first = tuple(sorted(entries, key=lambda one: one.place, reverse=True))
    return replace(listing, version=listing.version + 1, entries=newest_first)
