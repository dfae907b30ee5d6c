"""What each region offers: one row a region, written in the transactions of its templates and by the count."""

from chalicelib.domain.errors import ListingFull
from chalicelib.domain.listing import Listing
from chalicelib.domain.outcomes import StaleRow
from chalicelib.storage import keys
from chalicelib.storage.rows import Item, ListedRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always

MOST_BYTES = 350_000
"""What is offered anew, or in other words, keeps to this."""
MOST_BYTES_BY_ITSELF = 395_000
"""A row has 400 KB: the step of each entry may become a longer word, and what is offered may be suspended."""
ALL = keys.listing("all")


def read_listing(tables: Tables, region: str) -> Listing:
    """As it is now; version 0 where there is none."""
    item = tables.get(ListedRow, keys.listing(region), keys.HEAD)
    return to_listing(item) if item else Listing(region)


def to_listing(item: Item) -> Listing:
    return from_body(Listing, text(item, "body"))


def put_listing(tx: Transaction, after: Listing, most: int = MOST_BYTES) -> None:
    """Add the listing to the transaction of what changes it. Raises ListingFull: the row would be too large."""
    body = to_body(after)
    if len(body.encode()) > most:
        raise ListingFull(limit=len(after.entries))
    row = ListedRow(keys.listing(after.region), keys.HEAD, version=after.version, body=body)
    if after.entries:  # the count passes over a region that offers nothing
        row.list_key, row.list_order = ALL, after.region
    first = after.version == 1
    as_read = ListedRow.subject.does_not_exist() if first else ListedRow.version == after.version - 1
    tx.put(row, as_read, always(StaleRow()))
