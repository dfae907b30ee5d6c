"""Many at the same moment; or others while somebody is held up."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from chalice.app import Chalice

from chalicelib.domain.errors import DomainError
from tests.services.faults import Watched, with_store
from tests.world import World

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


def held_up(world: World, store: str, methods: Sequence[str], others: Callable[[], object]) -> World:
    """The world of somebody who has read and judged, and then waits at the first call of these methods of a store:
    until then the others have acted."""
    waiting = [others]

    def wait(_: int) -> None:
        while waiting:
            waiting.pop()()

    watched = getattr(world.platform, store)
    for method in methods:
        watched = Watched(watched, method, before=wait)
    return with_store(world, store, watched)


def give_each_thread_its_request(patch: pytest.MonkeyPatch) -> None:
    """Chalice keeps the request on the app, since Lambda gives a container one at a time: here every thread is one."""
    mine = threading.local()
    request = property(lambda _: mine.request, lambda _, request: setattr(mine, "request", request))
    patch.setattr(Chalice, "current_request", request, raising=False)
