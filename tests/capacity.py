"""What a step asks of the tables: calls, items, and read and write units by the sizes of rows as an engine has them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from tests.world import World

TABLES = ("people", "catalogue", "casework", "insights")
Key = tuple[str, str, str]
Row = dict[str, Any]


@dataclass
class Spy:
    """Counts what a step asks of the tables: calls that read, their read units, the items of its first transaction."""

    world: World
    reads: int = 0
    read_units: float = 0
    transactions: list[list[Key]] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = tables_of(self.world).connection.client
        through = client._make_api_call

        def call(operation: str, asked: dict[str, Any]) -> Any:
            if operation == "TransactWriteItems":
                self.transactions.append([_key_of(action) for action in asked["TransactItems"]])
            elif not self.transactions and operation in ("GetItem", "BatchGetItem", "Query"):
                self.reads += 1
                answer = through(operation, asked)
                self.read_units += _read_units(asked, answer)
                return answer
            return through(operation, asked)

        client._make_api_call = call

    def count(self, step: Callable[[], object]) -> tuple[int, int, int]:
        """Reads before the transaction, its items (0: none), its write units."""
        self.reads, self.read_units, self.transactions = 0, 0, []
        before = self._rows()
        step()
        items = self.transactions[0] if self.transactions else []
        if len(self.transactions) > 1:  # what follows an act is another's: its units are not told apart
            return self.reads, len(items), 0
        after = self._rows()
        units = sum(2 * math.ceil(max(_size(before.get(key)), _size(after.get(key))) / 1024) for key in items)
        return self.reads, len(items), units + sum(_index_units(before.get(key), after.get(key)) for key in items)

    def _rows(self) -> dict[Key, Row]:
        found = {}
        for table in TABLES:
            name = self.world.environment[f"{table.upper()}_TABLE"]
            for item in self.world.rows(table):
                found[name, item["person" if table == "people" else "subject"]["S"], item["item"]["S"]] = item
        return found


def _read_units(asked: dict[str, Any], answer: dict[str, Any]) -> float:
    """One for each 4 KB begun of each row asked for, there or not, or of a whole Query; half where any age will do."""
    if "RequestItems" in asked:
        found = answer["Responses"]
        return sum(
            _read_units(wanted, {"Item": item})
            for name, wanted in asked["RequestItems"].items()
            for item, _ in zip_longest(found.get(name, []), wanted["Keys"])
        )
    items = answer["Items"] if "Items" in answer else [answer.get("Item")]
    units = max(1, math.ceil(sum(_size(item) for item in items) / 4096))
    return units if asked.get("ConsistentRead") else units / 2


def _key_of(action: dict[str, Any]) -> Key:
    (said,) = action.values()
    names = said.get("Item") or said["Key"]
    partition = names.get("person") or names["subject"]
    return said["TableName"], partition["S"], names["item"]["S"]


def _size(item: Row | None) -> int:
    """Bytes as DynamoDB counts them: names, UTF-8, numbers at two digits a byte and one more, booleans 1."""
    return sum(len(name.encode()) + _size_of(value) for name, value in (item or {}).items())


def _size_of(value: dict[str, Any]) -> int:
    ((kind, said),) = value.items()
    if kind == "BOOL":
        return 1
    return len(said.encode()) if kind == "S" else len(said) // 2 + 2


def _index_units(before: Row | None, after: Row | None) -> int:
    """A unit for each entry that an index of keys only loses or gains."""
    pairs = (((before or {}).get(name), (after or {}).get(name)) for name in ("code_key", "due", "list_key"))
    return sum((old is not None) + (new is not None) for old, new in pairs if old != new)


def tables_of(world: World) -> Any:
    people: Any = world.platform.people
    return people._tables
