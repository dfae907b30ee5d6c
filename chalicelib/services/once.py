"""Carry out a step once per request, where it keeps no history of its own: a mark goes into its transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Contended, DomainError
from chalicelib.domain.outcomes import Done, RequestSeen, StaleRow, WriteConflict
from chalicelib.services.ports import Marks

T = TypeVar("T")
TRIES = 8


def once(marks: Marks, attempt: Attempt, kind: type[T], now: datetime, act: Callable[[], T]) -> Done[T]:
    """Answer a repeated request from its mark, else act.

    ``act`` must put the mark into its transaction; it is tried again when a row changed under it. Raises Reused,
    Contended, and whatever ``act`` refuses.
    """
    kept = marks.find(attempt, kind, now)
    if kept is not None:
        return Done(kept, hit=True)
    for _ in range(TRIES):
        try:
            return Done(act())
        except (StaleRow, WriteConflict):
            continue
        except (RequestSeen, DomainError) as refused:
            # A concurrent duplicate may have won, and what it changed is why this one is refused: its answer is ours.
            winner = marks.find(attempt, kind, now)
            if winner is not None:
                return Done(winner, hit=True)
            if isinstance(refused, DomainError):
                raise
    raise Contended()
