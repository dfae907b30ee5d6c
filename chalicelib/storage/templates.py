"""Templates, their terms, and their shards."""

from collections.abc import Mapping, Sequence
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.domain.amendment import Amendment
from chalicelib.domain.calendar import to_text
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.listing import Listing
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.domain.template import Movement, Shard, Template, TemplateState, Terms
from chalicelib.domain.voucher import State
from chalicelib.storage import keys
from chalicelib.storage.accounts import post_to_account
from chalicelib.storage.fresh import Fresh
from chalicelib.storage.listing_rows import MOST_BYTES, MOST_BYTES_BY_ITSELF, put_listing, read_listing
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import Item, ListedRow, ShardRow, from_body, number, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class TemplateStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._fresh: Fresh[str, Template] = Fresh()
        self._terms: Fresh[tuple[str, int], Terms] = Fresh(seconds=float("inf"))  # terms never change
        # What is asked for a thousand times a second after the last one is gone costs a look a second, not a thousand.
        self._sold_out: Fresh[str, int] = Fresh(seconds=1)
        # For a second only: a rush is where it helps, and in quiet hours all shards ought to empty alike.
        self._shard: Fresh[str, int] = Fresh(seconds=1)

    def get(self, template_id: str) -> Template | None:
        return self._fresh.get(template_id, lambda: self._read(template_id))

    def read(self, template_id: str) -> Template | None:
        template = self._read(template_id)
        if template:
            self._fresh.keep(template_id, template)
        return template

    def terms(self, template_id: str, version: int) -> Terms:
        terms = self._terms.get((template_id, version), lambda: self._read_terms(template_id, version))
        if terms is None:
            raise LookupError(f"template {template_id} has no terms {version}")
        return terms

    def note_sold_out(self, template: Template) -> None:
        self._sold_out.keep(template.template_id, template.version)

    def is_sold_out(self, template: Template) -> bool:
        # Stock comes only with a later version of the template.
        version = self._sold_out.get(template.template_id, lambda: None)
        return version is not None and template.version <= version

    def note_shard(self, template_id: str, number: int) -> None:
        self._shard.keep(template_id, number)

    def noted_shard(self, template_id: str) -> int | None:
        return self._shard.get(template_id, lambda: None)

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Template]:
        found = self._tables.listed(ListedRow, keys.template(region), limit, cursor)
        return Page(tuple(from_body(Template, text(item, "body")) for item in found.items), found.cursor)

    def add(self, template: Template, terms: Terms, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        absent = ListedRow.subject.does_not_exist()
        tx.put(_template_row(template), absent, always(StaleRow()))
        subject = keys.template(template.template_id)
        row = ListedRow(subject, keys.terms_item(terms.version), version=1, body=to_body(terms))
        tx.put(row, absent, always(StaleRow()))
        tx.commit()

    def listing(self, region: str) -> Listing:
        return read_listing(self._tables, region)

    def change(
        self,
        after: Template,
        mark: Mark | None,
        posted: tuple[Account, Posting] | None = None,
        listing: Listing | None = None,
    ) -> None:
        tx = Transaction(self._tables)
        if mark:
            put_mark(tx, mark)
        replace_head(tx, after)
        if posted:
            post_to_account(tx, *posted)
        if listing:
            fewer = after.state is not TemplateState.PUBLISHED
            put_listing(tx, listing, MOST_BYTES_BY_ITSELF if fewer else MOST_BYTES)
        tx.commit()
        self._fresh.forget(after.template_id)

    def shards(self, template: Template) -> list[Shard]:
        wanted = [(keys.shard(template.template_id, n), keys.SHARD) for n in range(template.shards)]
        shards = [to_shard(item) for item in self._tables.batch_get(ShardRow, wanted)]
        return sorted(shards, key=lambda shard: shard.number)

    def deal(self, after: Template, deals: Mapping[int, int], new: Sequence[Shard]) -> None:
        tx = Transaction(self._tables)
        replace_head(tx, after)
        for shard in new:
            tx.put(_shard_row(shard), ShardRow.subject.does_not_exist(), always(StaleRow()))
        for shard_number, quantity in deals.items():
            actions = [
                ShardRow.version.add(1),
                ShardRow.quantity.add(quantity),
                ShardRow.remaining.add(quantity),
                ShardRow.reserved_fen.add(quantity * after.ceiling_fen),
            ]
            row = ShardRow(keys.shard(after.template_id, shard_number), keys.SHARD)
            tx.update(row, actions, ShardRow.subject.exists(), always(StaleRow()))
        tx.commit()
        self._fresh.forget(after.template_id)

    def set_gate(self, template: Template, numbers: Sequence[int]) -> None:
        # Shard by shard, not all in one: each is in the way of claims for an instant only, and each is safe to repeat.
        for shard_number in numbers:
            tx = Transaction(self._tables)
            row = ShardRow(keys.shard(template.template_id, shard_number), keys.SHARD)
            actions = [
                ShardRow.version.add(1),
                ShardRow.gate.set(template.gate),
                ShardRow.open.set(template.state is TemplateState.PUBLISHED),
                ShardRow.terms.set(template.terms_version),
            ]
            tx.update(row, actions, ShardRow.gate < template.gate, always(StaleRow()))
            try:
                tx.commit()
            except StaleRow:
                continue  # it is there already, or further

    def amend(
        self, after: Template, terms: Terms, amendment: Amendment, mark: Mark, listing: Listing | None = None
    ) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        replace_head(tx, after)
        absent = ListedRow.subject.does_not_exist()
        subject = keys.template(after.template_id)
        row = ListedRow(subject, keys.terms_item(terms.version), version=1, body=to_body(terms))
        tx.put(row, absent, always(StaleRow()))
        tx.put(_amendment_row(amendment), absent, always(StaleRow()))
        if listing:
            put_listing(tx, listing)
        tx.commit()
        self._fresh.forget(after.template_id)

    def amendment(self, template_id: str, number: int) -> Amendment | None:
        item = self._tables.get(ListedRow, keys.template(template_id), keys.amendment_item(number))
        return from_body(Amendment, text(item, "body")) if item else None

    def amendments(self, template_id: str, limit: int, cursor: str | None) -> Page[Amendment]:
        condition = ListedRow.item.startswith(keys.AMENDMENTS)
        found = self._tables.query(ListedRow, keys.template(template_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Amendment, text(item, "body")) for item in found.items), found.cursor)

    def note_progress(self, after: Amendment) -> None:
        tx = Transaction(self._tables)
        put_progress(tx, after)
        tx.commit()

    def release(self, before: Shard, after: Shard) -> None:
        tx = Transaction(self._tables)
        tx.put(_shard_row(after), ShardRow.version == before.version, always(StaleRow()))
        tx.commit()

    def to_release(self, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, int]]:
        found = self._tables.query(ShardRow, keys.to_release(lane), limit=limit, cursor=cursor, index="by_list")
        return Page(tuple(_key_of(item) for item in found.items), found.cursor)

    def some_shards(self, wanted: Sequence[tuple[str, int]]) -> list[Shard]:
        rows = [(keys.shard(template_id, number), keys.SHARD) for template_id, number in wanted]
        return [to_shard(item) for item in self._tables.batch_get(ShardRow, rows)]

    def post_release(self, shards: Sequence[Shard], account: Account, posting: Posting) -> None:
        tx = Transaction(self._tables)
        post_to_account(tx, account, posting)
        for shard in shards:
            actions = [
                ShardRow.version.add(1),
                ShardRow.to_release_fen.add(-shard.to_release_fen),
                ShardRow.list_key.remove(),
                ShardRow.list_order.remove(),
            ]
            # Not the version: claims change that at any moment, and leave alone what is posted here. That the same
            # amount came twice does no harm either: it is there to be posted then, and the account's version knows.
            same = ShardRow.to_release_fen == shard.to_release_fen
            tx.update(
                ShardRow(keys.shard(shard.template_id, shard.number), keys.SHARD), actions, same, always(StaleRow())
            )
        tx.commit()

    def _read(self, template_id: str) -> Template | None:
        item = self._tables.get(ListedRow, keys.template(template_id), keys.HEAD)
        return from_body(Template, text(item, "body")) if item else None

    def _read_terms(self, template_id: str, version: int) -> Terms | None:
        item = self._tables.get(ListedRow, keys.template(template_id), keys.terms_item(version))
        return from_body(Terms, text(item, "body")) if item else None


def _template_row(template: Template) -> ListedRow:
    return ListedRow(
        keys.template(template.template_id),
        keys.HEAD,
        version=template.version,
        body=to_body(template),
        list_key=keys.template(template.region),
        list_order=f"{to_text(template.made_at)}#{template.template_id}",
    )


def _amendment_row(amendment: Amendment) -> ListedRow:
    subject, item = keys.template(amendment.template_id), keys.amendment_item(amendment.number)
    return ListedRow(subject, item, version=amendment.version, body=to_body(amendment))


def put_progress(tx: Transaction, after: Amendment) -> None:
    """Add what an amendment's job has done to the transaction that does it."""
    tx.put(_amendment_row(after), ListedRow.version == after.version - 1, always(StaleRow()))


def replace_head(tx: Transaction, after: Template) -> None:
    """Add the template's next version to a transaction."""
    tx.put(_template_row(after), ListedRow.version == after.version - 1, always(StaleRow()))


def take_back_from_shards(tx: Transaction, head: Template, taken: Mapping[int, int]) -> None:
    """Add to a transaction that units of these shards go back to the template."""
    for shard_number, units in taken.items():
        actions = [
            ShardRow.version.add(1),
            ShardRow.quantity.add(-units),
            ShardRow.remaining.add(-units),
            ShardRow.reserved_fen.add(-units * head.ceiling_fen),
        ]
        row = ShardRow(keys.shard(head.template_id, shard_number), keys.SHARD)
        tx.update(row, actions, ShardRow.remaining >= units, always(StaleRow()))


def check_head(tx: Transaction, head: Template) -> None:
    """The template must still be as it was read: what was judged by its terms holds only then."""
    row = ListedRow(keys.template(head.template_id), keys.HEAD)
    tx.check(row, ListedRow.version == head.version, always(StaleRow()))


def _shard_row(shard: Shard) -> ShardRow:
    counts: dict[str, Any] = {state.value: shard.counts[state] for state in State}
    return ShardRow(
        keys.shard(shard.template_id, shard.number),
        keys.SHARD,
        version=shard.version,
        open=shard.open,
        gate=shard.gate,
        terms=shard.terms_version,
        quantity=shard.quantity,
        remaining=shard.remaining,
        made=shard.made,
        released=shard.released,
        ever_claimed=shard.ever_claimed,
        ever_redeemed=shard.ever_redeemed,
        reserved_fen=shard.reserved_fen,
        to_release_fen=shard.to_release_fen,
        list_key=keys.to_release(keys.release_lane(shard.template_id)) if shard.to_release_fen else None,
        list_order=keys.release_order(shard.template_id, shard.number) if shard.to_release_fen else None,
        **counts,
    )


def to_shard(item: Item) -> Shard:
    """A shard from its raw row; its template and number stand in its key alone."""
    template_id, shard_number = _key_of(item)
    return Shard(
        template_id=template_id,
        number=shard_number,
        open=bool(item["open"]["BOOL"]),
        gate=number(item, "gate"),
        terms_version=number(item, "terms"),
        quantity=number(item, "quantity"),
        remaining=number(item, "remaining"),
        reserved_fen=number(item, "reserved_fen"),
        made=number(item, "made"),
        released=number(item, "released"),
        to_release_fen=number(item, "to_release_fen"),
        ever_claimed=number(item, "ever_claimed"),
        ever_redeemed=number(item, "ever_redeemed"),
        counts={state: number(item, state.value) for state in State},
        version=number(item, "version"),
    )


def _key_of(item: Item) -> tuple[str, int]:
    """The template and number of a shard's row."""
    _, template_id, _, shard_number = text(item, "subject").split("#")
    return template_id, int(shard_number)


def move(moved: Movement, template_id: str, number: int) -> list[Action]:
    """The additions that bring a movement to a shard's row; where it leaves money to release, the row is listed."""
    differences = [
        (ShardRow.remaining, moved.remaining),
        (ShardRow.made, moved.made),
        (ShardRow.ever_claimed, moved.ever_claimed),
        (ShardRow.ever_redeemed, moved.ever_redeemed),
        (ShardRow.reserved_fen, moved.reserved_fen),
        (ShardRow.to_release_fen, moved.to_release_fen),
        *((getattr(ShardRow, state.value), difference) for state, difference in moved.counts.items()),
    ]
    listed = [
        ShardRow.list_key.set(keys.to_release(keys.release_lane(template_id))),
        ShardRow.list_order.set(keys.release_order(template_id, number)),
    ]
    added = [attribute.add(d) for attribute, d in differences if d]
    return [ShardRow.version.add(1), *added, *(listed if moved.to_release_fen else ())]
