"""Count what is left of all that is offered, each minute; harmless twice, late or cut off anywhere.

What it costs grows with the templates that are offered now, not with those that ever were, nor with their vouchers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.listing import Listing, recount
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.template import Template, Terms
from chalicelib.services.ports import Listings, Templates

# Listings are up to some 350 KB each, and one BatchGet gives 16 MB at most.
LISTINGS_AT_ONCE = 25
TRIES = 3
STRIDE = 37  # prime to 100: in a hundred minutes each place has been the first


@dataclass(frozen=True, slots=True)
class Failure:
    """A listing that cannot be counted; somebody must look at it. ``trouble``: what kind of error."""

    region: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a run did. ``finished``: all that is offered was counted; else it stopped in time."""

    listings: int
    changed: int
    finished: bool
    failures: tuple[Failure, ...] = ()


def count_offers(listings: Listings, templates: Templates, *, now: datetime, may_go_on: Callable[[], bool]) -> Count:
    """Set right what the listings say is left, and drop what is over. ``may_go_on`` is asked before each listing.

    Raises Unavailable when the tables cannot be had: the next minute counts again.
    """
    counted = changed = 0
    failures: list[Failure] = []
    for listing in _from_another_place_each_minute(listings, now):
        if not may_go_on():
            return Count(counted, changed, finished=False, failures=tuple(failures))
        try:
            changed += _count(listings, templates, listing, now)
        except Unavailable:
            raise
        except Exception as trouble:  # one that cannot be read or written holds up no other
            failures.append(Failure(listing.region, type(trouble).__name__))
        counted += 1
    return Count(counted, changed, finished=True, failures=tuple(failures))


def _from_another_place_each_minute(listings: Listings, now: datetime) -> Iterator[Listing]:
    """All of them, beginning at another province each minute: where the time does not suffice for all, none is always
    among the last."""
    first = f"{int(now.timestamp()) // 60 * STRIDE % 100:02d}"
    for since, until in ((first, "~"), ("0", first)):
        cursor: str | None = None
        while True:
            page = listings.page(LISTINGS_AT_ONCE, cursor, since, until)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                break


def _count(listings: Listings, templates: Templates, listing: Listing, now: datetime) -> int:
    """1 where something had to be written. What an act changed meanwhile is counted again, at last a minute later."""
    for _ in range(TRIES):
        after = _recounted(listings, templates, listing, now)
        if after is None:
            return 0
        try:
            listings.write(after)
            return 1
        except (StaleRow, WriteConflict):
            listing = listings.read(listing.region)
    return 0


def _recounted(listings: Listings, templates: Templates, listing: Listing, now: datetime) -> Listing | None:
    heads, shards = listings.templates(listing)
    remaining = {one.template_id: one.unallotted for one in heads}
    for shard in shards:
        remaining[shard.template_id] += shard.remaining
    known = {one.template_id: one.terms for one in listing.entries}
    return recount(listing, [(one, _terms(templates, one, known[one.template_id])) for one in heads], remaining, now)


def _terms(templates: Templates, head: Template, known: Terms) -> Terms:
    return known if known.version == head.terms_version else templates.terms(head.template_id, head.terms_version)
