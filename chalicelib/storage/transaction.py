"""One TransactWriteItems: each write with its condition, each condition with the error that it means.

PynamoDB sends checks and deletes first, then puts, then updates, and DynamoDB gives its reasons in that order: the
same sorting is done here, so that each reason finds its write again. What is raised is the first failed write in the
order in which the *caller* added them.
"""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action, Update
from pynamodb.models import Model

from chalicelib.domain.outcomes import WriteConflict
from chalicelib.storage.rows import Item
from chalicelib.storage.tables import Tables, said_by, translate, wire_key

MOST_ACTIONS = 100
TRIES = 4
# A transaction holds its rows for some 25 ms; who is throttled has to wait longer than that.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.08
_THROTTLED = {"ThrottlingError", "ProvisionedThroughputExceeded"}
Otherwise = Callable[[Item | None], Exception]


@dataclass(frozen=True, slots=True)
class _Write:
    order: int
    kwargs: dict[str, Any]
    otherwise: Otherwise


class Transaction:
    """Collect writes, then ``commit``. ``otherwise`` is told the row as it was when its condition failed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._checks: list[_Write] = []
        self._puts: list[_Write] = []
        self._updates: list[_Write] = []

    def __len__(self) -> int:
        return len(self._checks) + len(self._puts) + len(self._updates)

    def put(self, row: Model, condition: Condition, otherwise: Otherwise) -> None:
        """Create or replace a whole row."""
        self._add(self._puts, row, {"Item": row.serialize()}, condition, otherwise)

    def update(self, row: Model, actions: Sequence[Action], condition: Condition, otherwise: Otherwise) -> None:
        """Change some attributes of a row that exists; without a condition DynamoDB would create it."""
        self._add(self._updates, row, {"Key": wire_key(row)}, condition, otherwise, actions)

    def check(self, row: Model, condition: Condition, otherwise: Otherwise) -> None:
        """Only look."""
        self._add(self._checks, row, {"Key": wire_key(row)}, condition, otherwise)

    def commit(self, *, tries: int = TRIES, met: int = 0) -> None:
        """All or nothing; ``met``: how many conflicts the caller has met before on its way.

        Raises what a failed condition means, WriteConflict, or Unavailable (outcome unknown).
        """
        if len(self) > MOST_ACTIONS:
            raise AssertionError(f"{len(self)} actions in one transaction")
        wait = pause(met)
        for conflicts in range(met + 1, met + tries + 1):
            if wait:  # even a sleep of nothing costs some 50 µs
                time.sleep(wait)
            try:
                # botocore's own retries repeat this token, so a lost answer is answered again, not carried out again.
                self._tables.connection.transact_write_items(
                    condition_check_items=[w.kwargs for w in self._checks],
                    delete_items=[],
                    put_items=[w.kwargs for w in self._puts],
                    update_items=[w.kwargs for w in self._updates],
                    client_request_token=uuid.uuid4().hex,
                )
                return
            except TransactWriteError as failed:
                if said_by(failed)[0] != "TransactionCanceledException":
                    raise translate(failed) from failed
                wait = LONGEST_PAUSE if self._was_throttled(failed) else pause(conflicts)
        raise WriteConflict

    def _was_throttled(self, failed: TransactWriteError) -> bool:
        """Whether DynamoDB asked for patience, or others were only in the way; else raise what the first failed
        condition means."""
        writes = [*self._checks, *self._puts, *self._updates]
        reasons = list(zip(writes, failed.cancellation_reasons, strict=True))
        refused = [(w, r) for w, r in reasons if r is not None and r.code == "ConditionalCheckFailed"]
        if refused:
            write, reason = min(refused, key=lambda pair: pair[0].order)
            raise write.otherwise(reason.raw_item) from None
        codes = {reason.code for _, reason in reasons if reason is not None}
        if not codes <= {"TransactionConflict", *_THROTTLED}:
            raise failed
        return not codes.isdisjoint(_THROTTLED)

    def _add(
        self,
        writes: list[_Write],
        row: Model,
        what: dict[str, Item],
        condition: Condition,
        otherwise: Otherwise,
        actions: Sequence[Action] = (),
    ) -> None:
        # What PynamoDB's get_operation_kwargs gives, which looks up each attribute once more than is needed.
        names, values = dict[str, str](), dict[str, Any]()
        operation: dict[str, Any] = {
            "TableName": self._tables.name(row),
            **what,
            "ConditionExpression": condition.serialize(names, values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if actions:
            operation["UpdateExpression"] = Update(*actions).serialize(names, values)
        operation["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
        if values:
            operation["ExpressionAttributeValues"] = values
        writes.append(_Write(len(self), operation, otherwise))


def pause(conflicts: int) -> float:
    """Seconds to wait after so many conflicts in a row, at random: those who met once ought not to meet again."""
    if not conflicts:
        return 0.0
    return random.uniform(0, min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (conflicts - 1)))  # noqa: S311 - not a secret


def always(error: Exception) -> Otherwise:
    """The same meaning whatever the row was."""
    return lambda _: error
