"""Marks of requests that were carried out: in the transaction of the step itself, so the two cannot part."""

from datetime import datetime
from typing import TypeVar

from chalicelib.domain.attempt import KEPT, Attempt, still_kept
from chalicelib.domain.calendar import from_text, to_text
from chalicelib.domain.errors import Reused
from chalicelib.domain.outcomes import Mark, RequestSeen
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always

T = TypeVar("T")


class MarkStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, attempt: Attempt, kind: type[T], now: datetime) -> T | None:
        item = self._tables.get(CaseworkRow, keys.mark(attempt.request), keys.HEAD)
        if item is None or not still_kept(from_text(text(item, "made_at")), now):
            return None
        if text(item, "request_body") != attempt.body:
            raise Reused()
        return from_body(kind, text(item, "body"))

    def keep(self, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.commit()


def put_mark(tx: Transaction, mark: Mark) -> None:
    """Add the mark to the step's transaction, first of all: a duplicate is told before anything else is wrong."""
    row = CaseworkRow(
        keys.mark(mark.attempt.request),
        keys.HEAD,
        request_body=mark.attempt.body,
        made_at=to_text(mark.made_at),
        body=to_body(mark.answer),
    )
    outlived = CaseworkRow.made_at < to_text(mark.made_at - KEPT)
    tx.put(row, CaseworkRow.subject.does_not_exist() | outlived, always(RequestSeen()))
