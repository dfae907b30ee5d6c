"""One connection to DynamoDB and the four tables' names: reads, and what went wrong with them."""

import base64
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.exceptions import GetError, PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from chalicelib.config import Settings
from chalicelib.domain.errors import Invalid, Unavailable
from chalicelib.storage.rows import CaseworkRow, InsightRow, Item, ListedRow, PeopleRow
from chalicelib.storage.wire import lighten

# Fast failure inside, patience at the caller: every step is safe to repeat.
CONNECT_SECONDS, READ_SECONDS, RETRIES = 1, 3, 2
BATCH = 100

_KEYS: Mapping[str, tuple[str, str]] = {
    PeopleRow.Meta.table_name: ("person", "item"),
    ListedRow.Meta.table_name: ("subject", "item"),
    CaseworkRow.Meta.table_name: ("subject", "item"),
    InsightRow.Meta.table_name: ("subject", "item"),
}
_INDEXES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    PeopleRow.Meta.table_name: {"by_code": ("code_key",), "by_due": ("due", "due_order")},
    ListedRow.Meta.table_name: {"by_list": ("list_key", "list_order")},
    CaseworkRow.Meta.table_name: {"by_list": ("list_key", "list_order")},
    InsightRow.Meta.table_name: {},
}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of raw items and the cursor of the next one."""

    items: list[Item]
    cursor: str | None


class Tables:
    """The tables of one deployment. Made once per container: a connection costs about 100 ms."""

    def __init__(self, settings: Settings, endpoint: str | None = None) -> None:
        self.connection = Connection(
            region=settings.region,
            host=endpoint,
            connect_timeout_seconds=CONNECT_SECONDS,
            read_timeout_seconds=READ_SECONDS,
            max_retry_attempts=RETRIES,
            max_pool_connections=64,
        )
        # A name of our own, or botocore puts its long one together anew for each call: a tenth of a request's CPU.
        self.connection.session.set_default_client_config(Config(user_agent="training-voucher"))
        lighten(self.connection.client)
        self._names = {
            PeopleRow.Meta.table_name: settings.people_table,
            ListedRow.Meta.table_name: settings.catalogue_table,
            CaseworkRow.Meta.table_name: settings.casework_table,
            InsightRow.Meta.table_name: settings.insights_table,
        }
        for table, name in self._names.items():
            self.connection.add_meta_table(_meta_table(table, name))

    def name(self, row: type[Model] | Model) -> str:
        return self._names[row.Meta.table_name]

    def get(self, row: type[Model], hash_key: str, range_key: str, *, consistent: bool = True) -> Item | None:
        """One row."""
        answer = self._ask("get_item", self.name(row), hash_key, range_key, consistent_read=consistent)
        return answer.get("Item")

    def batch_get(self, row: type[Model], keys: Sequence[tuple[str, str]], *, consistent: bool = True) -> list[Item]:
        """Rows of one table, in any order, those that exist; 100 keys a call."""
        hash_name, range_name = _KEYS[row.Meta.table_name]
        items: list[Item] = []
        for start in range(0, len(keys), BATCH):
            wanted: list[Any] = [{hash_name: {"S": h}, range_name: {"S": r}} for h, r in keys[start : start + BATCH]]
            for attempt in range(8):
                answer = self._ask("batch_get_item", self.name(row), wanted, consistent_read=consistent)
                items += answer.get("Responses", {}).get(self.name(row), [])
                wanted = answer.get("UnprocessedKeys", {}).get(self.name(row), {}).get("Keys", [])
                if not wanted:
                    break
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
            else:
                raise Unavailable()
        return items

    def batch_get_both(
        self,
        one: tuple[type[Model], Sequence[tuple[str, str]]],
        other: tuple[type[Model], Sequence[tuple[str, str]]],
    ) -> tuple[list[Item], list[Item]]:
        """Rows of two tables in one call, in any order, those that exist; 100 keys in all. Consistent."""
        asked: Any = {}
        for row, keys in (one, other):
            hash_name, range_name = _KEYS[row.Meta.table_name]
            wanted = [{hash_name: {"S": h}, range_name: {"S": r}} for h, r in keys]
            if wanted:
                asked[self.name(row)] = {"Keys": wanted, "ConsistentRead": True}
        found: dict[str, list[Item]] = {}
        if not asked:
            return [], []
        for attempt in range(8):
            answer = self._dispatch("BatchGetItem", {"RequestItems": asked})
            for name, items in answer.get("Responses", {}).items():
                found.setdefault(name, []).extend(items)
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return found.get(self.name(one[0]), []), found.get(self.name(other[0]), [])
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise Unavailable()

    def query(
        self,
        row: type[Model],
        hash_key: str,
        range_condition: Condition | None = None,
        *,
        limit: int,
        cursor: str | None = None,
        index: str | None = None,
        forward: bool = True,
    ) -> Found:
        """A page of one partition; of the base table consistently, of an index as far as it has come."""
        answer = self._ask(
            "query",
            self.name(row),
            hash_key,
            range_key_condition=range_condition,
            consistent_read=index is None,
            exclusive_start_key=_open_cursor(cursor, row, index, hash_key),
            index_name=index,
            limit=limit,
            scan_index_forward=forward,
        )
        last = answer.get("LastEvaluatedKey")
        return Found(answer["Items"], _close_cursor(last, index) if last else None)

    def listed(
        self,
        row: type[Model],
        list_key: str,
        limit: int,
        cursor: str | None,
        condition: Condition | None = None,
        *,
        item: str | None = None,
    ) -> Found:
        """A page of base rows that the index ``by_list`` found, in its order, read consistently.

        ``item``: not the rows that stand in the index, but those of this sort key in the same partitions.
        """
        found = self.query(row, list_key, condition, limit=limit, cursor=cursor, index="by_list")
        keys = [(one["subject"]["S"], item or one["item"]["S"]) for one in found.items]
        rows = {(i["subject"]["S"], i["item"]["S"]): i for i in self.batch_get(row, keys)}
        return Found([rows[key] for key in keys if key in rows], found.cursor)

    def update_if(self, row: Model, actions: Sequence[Action], condition: Condition) -> Item | None:
        """Change one row outside a transaction, for what is no ledger: the row after it, None where refused."""
        hash_key, range_key = key_of(row)
        try:
            answer = self.connection.update_item(
                self.name(row), hash_key, range_key, actions=actions, condition=condition, return_values="ALL_NEW"
            )
        except PynamoDBException as failed:
            if said_by(failed)[0] == "ConditionalCheckFailedException":
                return None
            raise translate(failed) from failed
        after: Item = answer["Attributes"]
        return after

    def _dispatch(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What PynamoDB has no method for: its own batch_get_item knows one table at a time."""
        try:
            answer: dict[str, Any] = self.connection.dispatch(operation, asked)
            return answer
        except (BotoCoreError, ClientError) as failed:
            raise translate(GetError(f"{operation} failed", failed)) from failed

    def _ask(self, operation: str, *args: object, **kwargs: object) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.connection, operation)(*args, **kwargs)
            return answer
        except PynamoDBException as failed:
            raise translate(failed) from failed


_PASSING = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionInProgressException",
    "TransactionConflictException",
}


def translate(failed: PynamoDBException) -> Exception:
    """What a failed call means: Unavailable when repeating may help, a bad cursor, else the failure itself."""
    code, message = said_by(failed)
    if code is None or code in _PASSING:  # None: no answer at all
        return Unavailable()
    if code == "ValidationException" and ("xclusive" in message or "starting key" in message):
        return Invalid(pointer="cursor", reason="this cursor is not one of ours for this list")
    return failed


def said_by(failed: PynamoDBException) -> tuple[str | None, str]:
    """The code and message of DynamoDB's answer; (None, "") when none came.

    PynamoDB's own ``cause_response_code`` raises then: botocore's errors of the network have a response that is None.
    """
    said = (getattr(failed.cause, "response", None) or {}).get("Error", {})
    return said.get("Code"), said.get("Message", "")


def key_of(row: Model) -> tuple[str, str]:
    """The two values by which a row is found."""
    hash_key, range_key = (getattr(row, name) for name in _KEYS[row.Meta.table_name])
    return hash_key, range_key


def wire_key(row: Model) -> Item:
    """The same as they are sent."""
    return {name: {"S": getattr(row, name)} for name in _KEYS[row.Meta.table_name]}


def _meta_table(table: str, name: str) -> MetaTable:
    hash_name, range_name = _KEYS[table]
    indexes = _INDEXES[table]
    attributes = {hash_name, range_name, *(a for names in indexes.values() for a in names)}
    return MetaTable(
        {
            "TableName": name,
            "KeySchema": [
                {"AttributeName": hash_name, "KeyType": "HASH"},
                {"AttributeName": range_name, "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [{"AttributeName": a, "AttributeType": "S"} for a in sorted(attributes)],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": index,
                    "KeySchema": [
                        {"AttributeName": a, "KeyType": kind} for a, kind in zip(names, ("HASH", "RANGE"), strict=False)
                    ],
                }
                for index, names in indexes.items()
            ],
            "LocalSecondaryIndexes": [],
        }
    )


# A person's own partition is read by who holds their session; a cursor must not carry the person's id out of here.
_UNSAID = "person"


def _close_cursor(last: Item, index: str | None) -> str:
    flat = {name: value["S"] for name, value in last.items() if index or name != _UNSAID}
    return base64.urlsafe_b64encode(json.dumps(flat, separators=(",", ":")).encode()).decode().rstrip("=")


def _open_cursor(cursor: str | None, row: type[Model], index: str | None, hash_key: str) -> Item | None:
    if cursor is None:
        return None
    partition = _INDEXES[row.Meta.table_name][index] if index else _KEYS[row.Meta.table_name]
    names = {*_KEYS[row.Meta.table_name], *partition}
    unsaid = {_UNSAID: hash_key} if index is None and _UNSAID in names else {}
    try:
        flat = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):  # of base64, UTF-8 and JSON; or a list in a list in a list …
        flat = None
    # A cursor names keys, and whoever holds one could write others into it: it goes on in the list it came from only.
    whole = isinstance(flat, dict) and set(flat) == names - unsaid.keys()
    if not whole or not all(isinstance(v, str) for v in flat.values()):
        raise Invalid(pointer="cursor", reason="this cursor is not one of ours for this list")
    flat |= unsaid
    if flat[partition[0]] != hash_key:
        raise Invalid(pointer="cursor", reason="this cursor is of another list")
    return {name: {"S": value} for name, value in flat.items()}
