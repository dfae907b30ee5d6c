"""Many at the same moment."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from chalicelib.domain.errors import DomainError

T = TypeVar("T")


def at_once(acts: Sequence[Callable[[], T]]) -> list[T | DomainError]:
    """Start all acts at the same moment, each in a thread of its own; answers and refusals in the order of the acts."""
    start = threading.Barrier(len(acts))

    def one(act: Callable[[], T]) -> T | DomainError:
        start.wait()
        try:
            return act()
        except DomainError as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(one, acts))
