"""The listings as those read them who look at all that a place offers, or count what is left."""

from collections.abc import Sequence

from chalicelib.domain.listing import Listing
from chalicelib.domain.outcomes import Identified, Page
from chalicelib.domain.template import Shard, Template
from chalicelib.storage import keys
from chalicelib.storage.fresh import Fresh
from chalicelib.storage.listing_rows import ALL, MOST_BYTES_BY_ITSELF, put_listing, read_listing, to_listing
from chalicelib.storage.people import identified, keys_to_identify
from chalicelib.storage.rows import ListedRow, PeopleRow, ShardRow, from_body, text
from chalicelib.storage.tables import Tables
from chalicelib.storage.templates import to_shard
from chalicelib.storage.transaction import Transaction


class ListingStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        # In a rush thousands look at the same few rows each second, and one row gives some 3,000 units of reading.
        self._fresh: Fresh[str, Listing] = Fresh(seconds=1)

    def look(
        self, regions: Sequence[str], identity_keys: Sequence[str], lists_of: Sequence[str]
    ) -> tuple[list[Listing], Identified]:
        known = {region: there for region in regions if (there := self._fresh.get(region, lambda: None))}
        wanted = [region for region in regions if region not in known]
        rows, people = self._tables.batch_get_both(
            (ListedRow, [(keys.listing(region), keys.HEAD) for region in wanted]),
            (PeopleRow, keys_to_identify(identity_keys, lists_of)),
        )
        known |= {region: Listing(region) for region in wanted} | {one.region: one for one in map(to_listing, rows)}
        for region in wanted:
            self._fresh.keep(region, known[region])
        return [known[region] for region in regions], identified(identity_keys, people)

    def page(self, limit: int, cursor: str | None, since: str = "0", until: str = "~") -> Page[Listing]:
        found = self._tables.listed(ListedRow, ALL, limit, cursor, ListedRow.list_order.between(since, until))
        return Page(tuple(map(to_listing, found.items)), found.cursor)

    def read(self, region: str) -> Listing:
        return read_listing(self._tables, region)

    def templates(self, listing: Listing) -> tuple[list[Template], list[Shard]]:
        wanted = [(keys.template(one.template_id), keys.HEAD) for one in listing.entries]
        heads = [from_body(Template, text(item, "body")) for item in self._tables.batch_get(ListedRow, wanted)]
        parts = [(keys.shard(one.template_id, n), keys.SHARD) for one in heads for n in range(one.shards)]
        return heads, [to_shard(item) for item in self._tables.batch_get(ShardRow, parts)]

    def write(self, after: Listing) -> None:
        tx = Transaction(self._tables)
        put_listing(tx, after, MOST_BYTES_BY_ITSELF)
        tx.commit()
