"""People and their vouchers. Once per person and template is the primary key itself."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.amendment import Amendment
from chalicelib.domain.calendar import to_text
from chalicelib.domain.eligibility import Enlisted
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.outcomes import (
    Identified,
    IdentityTaken,
    Mark,
    NewVoucher,
    Page,
    ShardRefused,
    StaleRow,
    VoucherExists,
)
from chalicelib.domain.person import NameDifference, Person
from chalicelib.domain.proxy import ByProxy, Relation
from chalicelib.domain.record import Record
from chalicelib.domain.template import Movement, Template, movement, total
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Voucher
from chalicelib.storage import keys
from chalicelib.storage.enrolment_rows import put_class, put_enrolment
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import CaseworkRow, Item, PeopleRow, ShardRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.templates import check_head, move, put_progress, to_shard
from chalicelib.storage.transaction import Transaction, always


class PeopleStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, identity_keys: Sequence[str]) -> str | None:
        return self.identify(identity_keys, ()).person_id

    def identify(
        self, identity_keys: Sequence[str], regions: Sequence[str], proxy_keys: Sequence[str] = ()
    ) -> Identified:
        wanted = keys_to_identify(identity_keys, regions)
        rows = self._tables.batch_get(PeopleRow, [*wanted, *((key, keys.IDENTITY) for key in proxy_keys)])
        return identified(identity_keys, rows, proxy_keys)

    def identify_all(self, people: Sequence[Sequence[str]], regions: Sequence[str]) -> list[Identified]:
        wanted = dict.fromkeys(key for identity_keys in people for key in keys_to_identify(identity_keys, regions))
        rows: dict[str, list[Item]] = {}
        for row in self._tables.batch_get(PeopleRow, list(wanted)):
            rows.setdefault(text(row, "person"), []).append(row)
        return [identified(one, [row for key in one for row in rows.get(key, ())]) for one in people]

    def read_all(self, person_ids: Sequence[str], template_id: str) -> tuple[dict[str, Person], dict[str, Voucher]]:
        item = keys.voucher_item(template_id)
        wanted = [(person_id, one) for person_id in dict.fromkeys(person_ids) for one in (keys.PERSON, item)]
        people, vouchers = dict[str, Person](), dict[str, Voucher]()
        for row in self._tables.batch_get(PeopleRow, wanted):
            if text(row, "item") == keys.PERSON:
                people[text(row, "person")] = from_body(Person, text(row, "body"))
            else:
                vouchers[text(row, "person")] = from_body(Voucher, text(row, "body"))
        return people, vouchers

    def enlisted(self, identity_keys: Sequence[str], region: str) -> Enlisted | None:
        return next(iter(self.identify(identity_keys, [region]).lists), None)

    def enlist(self, enlisted: Enlisted, identity_keys: Sequence[str], mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        older = (PeopleRow.version < enlisted.version) | PeopleRow.person.does_not_exist()
        for key in identity_keys:
            row = PeopleRow(key, keys.listed_item(enlisted.region), version=enlisted.version, body=to_body(enlisted))
            tx.put(row, older, always(StaleRow()))
        tx.commit()

    def read(self, person_id: str, template_ids: Sequence[str]) -> tuple[Person | None, dict[str, Voucher]]:
        wanted = [(person_id, keys.PERSON), *((person_id, keys.voucher_item(t)) for t in template_ids)]
        person, vouchers = None, {}
        for item in self._tables.batch_get(PeopleRow, wanted):
            if text(item, "item") == keys.PERSON:
                person = from_body(Person, text(item, "body"))
            else:
                voucher = from_body(Voucher, text(item, "body"))
                vouchers[voucher.template_id] = voucher
        return person, vouchers

    def read_with_proxy(
        self, person_id: str | None, template_id: str, proxy_id: str | None
    ) -> tuple[Person | None, Voucher | None, Person | None]:
        item = keys.voucher_item(template_id)
        wanted = [(person_id, keys.PERSON), (person_id, item), (proxy_id, keys.PERSON)]
        # Both numbers may be one person's: DynamoDB refuses a key that is asked for twice.
        keys_of = dict.fromkeys((person, item) for person, item in wanted if person is not None)
        rows = self._tables.batch_get(PeopleRow, list(keys_of))
        there = {(text(row, "person"), text(row, "item")): text(row, "body") for row in rows}
        bodies = [there.get((person or "", item)) for person, item in wanted]
        person, voucher, proxy = bodies
        return (
            from_body(Person, person) if person else None,
            from_body(Voucher, voucher) if voucher else None,
            from_body(Person, proxy) if proxy else None,
        )

    def relation(self, person_id: str, relation_id: str) -> Relation | None:
        item = self._tables.get(PeopleRow, person_id, keys.relation_item(relation_id))
        return from_body(Relation, text(item, "body")) if item else None

    def relations(self, person_id: str, limit: int, cursor: str | None) -> Page[Relation]:
        condition = PeopleRow.item.startswith(keys.RELATIONS)
        found = self._tables.query(PeopleRow, person_id, condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Relation, text(item, "body")) for item in found.items), found.cursor)

    def end_relation(self, proxy: Person, ended: Relation, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_person_row(proxy), PeopleRow.version == proxy.version - 1, always(StaleRow()))
        for row in _relation_rows(ended):
            tx.put(row, PeopleRow.version == ended.version - 1, always(StaleRow()))
        tx.commit()

    def heads(self, person_ids: Sequence[str]) -> list[Person]:
        rows = self._tables.batch_get(PeopleRow, [(person_id, keys.PERSON) for person_id in person_ids])
        return [from_body(Person, text(item, "body")) for item in rows]

    def voucher(self, person_id: str, template_id: str) -> Voucher | None:
        item = self._tables.get(PeopleRow, person_id, keys.voucher_item(template_id))
        return from_body(Voucher, text(item, "body")) if item else None

    def find_by_code(self, code_key: str) -> tuple[str, str] | None:
        for _ in range(2):  # an index lags a little: look twice before saying that there is none
            found = self._tables.query(PeopleRow, code_key, limit=1, index="by_code").items
            if found:
                return text(found[0], "person"), _template_of(found[0])
        return None

    def vouchers(self, wanted: Sequence[tuple[str, str]]) -> list[Voucher]:
        rows = self._tables.batch_get(PeopleRow, [(person, keys.voucher_item(template)) for person, template in wanted])
        return [from_body(Voucher, text(item, "body")) for item in rows]

    def hold_name(self, difference: NameDifference, name_key: str) -> None:
        row = CaseworkRow(
            keys.names(difference.voucher_id),
            name_key,
            version=1,
            body=to_body(difference),
            list_key=keys.names(difference.region),
            list_order=f"{to_text(difference.found_at)}#{difference.voucher_id}",
        )
        tx = Transaction(self._tables)
        tx.put(row, CaseworkRow.subject.does_not_exist(), always(StaleRow()))
        with suppress(StaleRow):  # it is known
            tx.commit()

    def names_held(self, region: str, limit: int, cursor: str | None) -> Page[NameDifference]:
        found = self._tables.listed(CaseworkRow, keys.names(region), limit, cursor)
        return Page(tuple(from_body(NameDifference, text(item, "body")) for item in found.items), found.cursor)

    def wallet(self, person_id: str, limit: int, cursor: str | None) -> Page[Voucher]:
        condition = PeopleRow.item.startswith(keys.VOUCHERS)
        found = self._tables.query(PeopleRow, person_id, condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Voucher, text(item, "body")) for item in found.items), found.cursor)

    def open_wallet(self, person_id: str, limit: int) -> tuple[Person | None, Page[Voucher]]:
        # The head row stands right before the vouchers: one query has both.
        condition = PeopleRow.item.between(keys.PERSON, keys.VOUCHERS + "~")
        found = self._tables.query(PeopleRow, person_id, condition, limit=limit + 1)
        heads = [from_body(Person, text(i, "body")) for i in found.items if text(i, "item") == keys.PERSON]
        vouchers = [i for i in found.items if text(i, "item").startswith(keys.VOUCHERS)]
        page = Page(tuple(from_body(Voucher, text(item, "body")) for item in vouchers), found.cursor)
        return next(iter(heads), None), page

    def record_claim(
        self,
        voucher: Voucher,
        person: Person,
        identity_keys: Sequence[str],
        met: int = 0,
        by_proxy: ByProxy | None = None,
        linked: Sequence[Person] = (),
        unchanged: Sequence[Person] = (),
    ) -> None:
        tx = Transaction(self._tables)
        _check_unchanged(tx, unchanged)
        put_new_voucher(tx, NewVoucher(voucher, person, identity_keys, linked))
        if by_proxy is not None:
            _put_proxy(tx, by_proxy)
        take_from_shards(tx, [voucher])
        tx.commit(tries=1, met=met)  # the caller takes another shard

    def record_step(
        self,
        before: Voucher,
        after: Voucher,
        person: Person | None = None,
        unchanged: Sequence[Person] = (),
        *,
        while_open: bool = False,
        by_proxy: ByProxy | None = None,
        off_class: tuple[Enrolment, TrainingClass] | None = None,
    ) -> None:
        tx = Transaction(self._tables)
        _check_unchanged(tx, unchanged)
        put_step(tx, before, after)
        if off_class is not None:
            put_enrolment(tx, off_class[0])
            put_class(tx, off_class[1])
        if person is not None:
            tx.put(_person_row(person), PeopleRow.version == person.version - 1, always(StaleRow()))
        if by_proxy is not None:
            _put_proxy(tx, by_proxy)
        move_shards(tx, [(before, after)], while_open=while_open)
        tx.commit()

    def record_steps(
        self,
        steps: Sequence[tuple[Voucher, Voucher]],
        holders: Sequence[Person] = (),
        heads: Sequence[Template] = (),
        progress: Amendment | None = None,
        unchanged: Sequence[Person] = (),
    ) -> None:
        tx = Transaction(self._tables)
        _check_unchanged(tx, unchanged)
        for before, after in steps:
            put_step(tx, before, after)
        for person in holders:
            tx.put(_person_row(person), PeopleRow.version == person.version - 1, always(StaleRow()))
        for head in heads:
            check_head(tx, head)
        if progress is not None:
            put_progress(tx, progress)
        move_shards(tx, steps)
        tx.commit()

    def change(self, changes: Sequence[tuple[Person, Record]], mark: Mark, identity_keys: Sequence[str] = ()) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        for identity_key in identity_keys:
            identity = PeopleRow(identity_key, keys.IDENTITY, version=1, person_id=changes[0][0].person_id)
            tx.put(identity, PeopleRow.person.does_not_exist(), always(IdentityTaken()))
        put_changes(tx, changes)
        tx.commit()

    def leading_to(self, identity_keys: Sequence[str], person_id: str) -> list[str]:
        rows = self._tables.batch_get(PeopleRow, [(key, keys.IDENTITY) for key in identity_keys])
        return [text(row, "person") for row in rows if text(row, "person_id") == person_id]

    def records(self, person_id: str, limit: int, cursor: str | None) -> Page[Record]:
        condition = PeopleRow.item.startswith(keys.RECORDS)
        found = self._tables.query(PeopleRow, person_id, condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Record, text(item, "body")) for item in found.items), found.cursor)

    def due(self, day: date, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, str]]:
        found = self._tables.query(PeopleRow, keys.due(day, lane), limit=limit, cursor=cursor, index="by_due")
        return Page(tuple((text(item, "person"), _template_of(item)) for item in found.items), found.cursor)

    def due_of(self, template_id: str, day: date, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, str]]:
        condition = PeopleRow.due_order.startswith(f"{template_id}#")
        found = self._tables.query(
            PeopleRow, keys.due(day, lane), condition, limit=limit, cursor=cursor, index="by_due"
        )
        return Page(tuple((text(item, "person"), _template_of(item)) for item in found.items), found.cursor)

    def holders(self, person_ids: Sequence[str]) -> list[Person]:
        rows = self._tables.batch_get(PeopleRow, [(person_id, keys.PERSON) for person_id in person_ids])
        return [from_body(Person, text(item, "body")) for item in rows]

    def may_be_erased(self, item: str) -> bool:
        return item.startswith(keys.POSITIONS)

    def from_image(self, image: Mapping[str, Any]) -> Voucher | None:
        if not image["item"]["S"].startswith(keys.VOUCHERS):
            return None
        return from_body(Voucher, image["body"]["S"])


def keys_to_identify(identity_keys: Sequence[str], regions: Sequence[str]) -> list[tuple[str, str]]:
    """Of the rows that tell whom a number leads to, and what these regions' lists say of it."""
    items = [keys.IDENTITY, *(keys.listed_item(region) for region in regions)]
    return [(key, item) for key in identity_keys for item in items]


def identified(identity_keys: Sequence[str], rows: Sequence[Item], proxy_keys: Sequence[str] = ()) -> Identified:
    """What those rows tell."""
    found = {text(row, "person"): text(row, "person_id") for row in rows if text(row, "item") == keys.IDENTITY}
    # One stands under every pepper; a container that did not know the newest one may have left it behind.
    lists: dict[str, Enlisted] = {}
    for row in sorted((row for row in rows if text(row, "item") != keys.IDENTITY), key=_version_of):
        lists[text(row, "item")] = from_body(Enlisted, text(row, "body"))
    person_id = next((found[key] for key in identity_keys if key in found), None)
    proxy_id = next((found[key] for key in proxy_keys if key in found), None)
    return Identified(person_id, tuple(lists.values()), proxy_id)


def put_changes(tx: Transaction, changes: Sequence[tuple[Person, Record]]) -> None:
    """Add people as they are from now on, each with its record, to a transaction."""
    for after, record in changes:
        tx.put(_person_row(after), PeopleRow.version == after.version - 1, always(StaleRow()))
        row = PeopleRow(record.person_id, keys.record_item(record.number), version=1, body=to_body(record))
        tx.put(row, PeopleRow.person.does_not_exist(), always(StaleRow()))


def put_new_voucher(tx: Transaction, new: NewVoucher) -> None:
    """Add a voucher that is made, and its holder, to a transaction; not what it takes out of the stock."""
    _check_unchanged(tx, new.linked)
    for one in new.linked:
        row = PeopleRow(one.person_id, keys.voucher_item(new.voucher.template_id))
        tx.check(row, PeopleRow.person.does_not_exist(), always(VoucherExists()))
    tx.put(_voucher_row(new.voucher), PeopleRow.person.does_not_exist(), always(VoucherExists()))
    _put_person(tx, new.person, new.identity_keys)


def take_from_shards(tx: Transaction, made: Sequence[Voucher]) -> None:
    """Add what these vouchers of one template take out of its shards: each shard once, only while it is open by the
    same terms and has as many."""
    for vouchers in _by_shard(made):
        moved = move(total(movement(None, one) for one in vouchers), vouchers[0].template_id, vouchers[0].shard)
        _update_open_shard(tx, vouchers[0], moved, ShardRow.remaining >= len(vouchers))


def bring_to_shards(tx: Transaction, made: Sequence[Voucher]) -> None:
    """Add these vouchers of one template to its shards, with the units that they are made of: those were set aside."""
    for vouchers in _by_shard(made):
        units, fen = len(vouchers), sum(one.ceiling_fen for one in vouchers)
        moved = total(movement(None, one) for one in vouchers)
        brought = replace(moved, remaining=moved.remaining + units, reserved_fen=moved.reserved_fen + fen)
        actions = move(brought, vouchers[0].template_id, vouchers[0].shard)
        _update_open_shard(tx, vouchers[0], [*actions, ShardRow.quantity.add(units)])


def _by_shard(made: Sequence[Voucher]) -> list[list[Voucher]]:
    return [list(group) for _, group in groupby(sorted(made, key=_shard_of), key=_shard_of)]


def _update_open_shard(tx: Transaction, one: Voucher, actions: list[Action], *more: Condition) -> None:
    condition = (ShardRow.open == True) & (ShardRow.terms == one.terms_version)  # noqa: E712
    for another in more:
        condition = condition & another
    row = ShardRow(keys.shard(one.template_id, one.shard), keys.SHARD)
    tx.update(row, actions, condition, lambda item: ShardRefused(to_shard(item) if item else None))


def put_step(tx: Transaction, before: Voucher, after: Voucher) -> None:
    """Add the voucher as it is after a step to a transaction; not what the step does to its shard."""
    tx.put(_voucher_row(after), PeopleRow.version == before.version, always(StaleRow()))


def put_person(tx: Transaction, after: Person) -> None:
    """Add a person's record, one step further than it was read, to a transaction."""
    tx.put(_person_row(after), PeopleRow.version == after.version - 1, always(StaleRow()))


def check_person(tx: Transaction, person: Person) -> None:
    """Add to a transaction that the person's record is still as it was read."""
    _check_unchanged(tx, [person])


def check_voucher(tx: Transaction, voucher: Voucher) -> None:
    """Add to a transaction that the voucher is still as it was read."""
    row = PeopleRow(voucher.person_id, keys.voucher_item(voucher.template_id))
    tx.check(row, PeopleRow.version == voucher.version, always(StaleRow()))


def move_shards(tx: Transaction, steps: Sequence[tuple[Voucher, Voucher]], *, while_open: bool = False) -> None:
    """Add what these steps do to their shards to a transaction: each shard once."""

    def shard(step: tuple[Voucher, Voucher]) -> tuple[str, int]:
        return step[0].template_id, step[0].shard

    moving = [step for step in steps if movement(*step) != Movement()]
    for (template_id, number), moved in groupby(sorted(moving, key=shard), key=shard):
        sum_ = total(movement(before, after) for before, after in moved)
        row, actions = ShardRow(keys.shard(template_id, number), keys.SHARD), move(sum_, template_id, number)
        if while_open:
            tx.update(row, actions, ShardRow.open == True, always(ShardRefused(None)))  # noqa: E712
            continue
        missing = AssertionError(f"shard {number} of template {template_id} is gone")
        tx.update(row, actions, ShardRow.subject.exists(), always(missing))


def _shard_of(voucher: Voucher) -> int:
    return voucher.shard


def _check_unchanged(tx: Transaction, people: Sequence[Person]) -> None:
    for one in people:
        tx.check(PeopleRow(one.person_id, keys.PERSON), PeopleRow.version == one.version, always(StaleRow()))


def _put_person(tx: Transaction, person: Person, identity_keys: Sequence[str]) -> None:
    """``identity_keys``: of a person who is new."""
    # Under every pepper that is known: containers of before and after a rotation meet in one of them.
    for identity_key in identity_keys:
        identity = PeopleRow(identity_key, keys.IDENTITY, version=1, person_id=person.person_id)
        tx.put(identity, PeopleRow.person.does_not_exist(), always(StaleRow()))
    if identity_keys:
        tx.put(_person_row(person), PeopleRow.person.does_not_exist(), always(StaleRow()))
    else:
        tx.put(_person_row(person), PeopleRow.version == person.version - 1, always(StaleRow()))


def _put_proxy(tx: Transaction, by: ByProxy) -> None:
    if by.relation is None:  # they act for this person already, and must still do when the voucher is made
        row = PeopleRow(by.after.person_id, keys.PERSON)
        tx.check(row, PeopleRow.version == by.after.version, always(StaleRow()))
        return
    _put_person(tx, by.after, by.identity_keys)
    for row in _relation_rows(by.relation):
        tx.put(row, PeopleRow.person.does_not_exist(), always(StaleRow()))


def _relation_rows(relation: Relation) -> list[PeopleRow]:
    """The same on either side."""
    item, body = keys.relation_item(relation.relation_id), to_body(relation)
    return [
        PeopleRow(one, item, version=relation.version, body=body) for one in (relation.proxy_id, relation.person_id)
    ]


def _person_row(person: Person) -> PeopleRow:
    return PeopleRow(person.person_id, keys.PERSON, version=person.version, body=to_body(person))


def _voucher_row(voucher: Voucher) -> PeopleRow:
    row = PeopleRow(
        voucher.person_id,
        keys.voucher_item(voucher.template_id),
        version=voucher.version,
        body=to_body(voucher),
        code_key=voucher.code_key,
    )
    if voucher.due_on is not None:
        row.due = keys.due(voucher.due_on, keys.due_lane(voucher.person_id))
        row.due_order = keys.due_order(voucher.template_id, voucher.shard, voucher.person_id)
    return row


def _version_of(item: Item) -> int:
    return int(item["version"]["N"])


def _template_of(item: Item) -> str:
    return text(item, "item").removeprefix(keys.VOUCHERS)
