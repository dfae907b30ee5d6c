"""The shapes of rows: key attributes, what indexes find, what conditions and arithmetic touch.

Everything else of a domain object stands in ``body`` as JSON: it is read and written whole, always on its ``version``,
and one attribute costs botocore's parser a fraction of thirty. ``docs/table.md`` lists access patterns and keys.
"""

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pynamodb.attributes import Attribute, BooleanAttribute, UnicodeAttribute
from pynamodb.constants import NUMBER
from pynamodb.models import Model

T = TypeVar("T")
Item = dict[str, dict[str, Any]]


class IntegerAttribute(Attribute[int]):
    """A whole number; PynamoDB's own NumberAttribute goes through float-friendly JSON."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return str(int(value))

    def deserialize(self, value: str) -> int:
        return int(value)


class PeopleRow(Model):
    """Identity, person and voucher rows, and what else is a person's. ``erase_at``: epoch seconds, of kept positions
    alone; whoever reads them looks at the term itself, the table erases them some hours later."""

    class Meta:
        table_name = "people"

    person = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    version = IntegerAttribute(null=True)
    body = UnicodeAttribute(null=True)
    person_id = UnicodeAttribute(null=True)
    code_key = UnicodeAttribute(null=True)
    due = UnicodeAttribute(null=True)
    due_order = UnicodeAttribute(null=True)
    erase_at = IntegerAttribute(null=True)


class ListedRow(Model):
    """Rows of the catalogue, casework and insights tables that are read and written whole."""

    class Meta:
        table_name = "catalogue"

    subject = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    version = IntegerAttribute(null=True)
    body = UnicodeAttribute(null=True)
    made_at = UnicodeAttribute(null=True)
    request_body = UnicodeAttribute(null=True)
    list_key = UnicodeAttribute(null=True)
    list_order = UnicodeAttribute(null=True)


class CaseworkRow(ListedRow):
    class Meta:
        table_name = "casework"


class InsightRow(ListedRow):
    class Meta:
        table_name = "insights"


class ShardRow(Model):
    """A shard's sub-ledger: the one row that many writers add to, so every number is an attribute.

    It is listed while it has money to release, and only then.
    """

    class Meta:
        table_name = "catalogue"

    subject = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    version = IntegerAttribute()
    open = BooleanAttribute()
    gate = IntegerAttribute()
    terms = IntegerAttribute()
    quantity = IntegerAttribute()
    remaining = IntegerAttribute()
    made = IntegerAttribute()
    released = IntegerAttribute()
    ever_claimed = IntegerAttribute()
    ever_redeemed = IntegerAttribute()
    reserved_fen = IntegerAttribute()
    to_release_fen = IntegerAttribute()
    list_key = UnicodeAttribute(null=True)
    list_order = UnicodeAttribute(null=True)
    issued = IntegerAttribute()
    claimed = IntegerAttribute()
    redeemed = IntegerAttribute()
    applied = IntegerAttribute()
    written_off = IntegerAttribute()
    returned = IntegerAttribute()
    expired = IntegerAttribute()
    forfeited = IntegerAttribute()
    revoked = IntegerAttribute()


class PaceRow(Model):
    """How many requests of the running window a client's containers have leased."""

    class Meta:
        table_name = "insights"

    subject = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    window = IntegerAttribute()
    taken = IntegerAttribute()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_body(thing: object) -> str:
    """A domain dataclass as JSON."""
    kind: Any = type(thing)
    return _adapter(kind).dump_json(thing).decode()


def from_body(kind: type[T], body: str) -> T:
    """A domain dataclass from the JSON that ``to_body`` wrote."""
    wanted: Any = kind
    thing: T = _adapter(wanted).validate_json(body)
    return thing


def text(item: Item, name: str) -> str:
    return str(item[name]["S"])


def number(item: Item, name: str) -> int:
    return int(item[name]["N"])
