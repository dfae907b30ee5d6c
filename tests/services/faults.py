"""A store in which something happens at one of its calls: a power cut before or after it, or somebody's step first."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.world import World


class PowerCut(BaseException):
    """The machine stops here. Nobody catches it."""


class Watched:
    """A store that calls ``before`` and ``after`` around the calls of one of its methods; they are told which call."""

    def __init__(
        self,
        store: Any,
        method: str,
        *,
        before: Callable[[int], object] = lambda _: None,
        after: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._store, self._method, self._before, self._after = store, method, before, after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._call if name == self._method else found

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        call = self.calls
        self._before(call)
        answer = getattr(self._store, self._method)(*args, **kwargs)
        self._after(call)
        return answer


def with_store(world: World, name: str, store: Any) -> World:
    """The same world on a platform with this store in the place of its own."""
    stores: dict[str, Any] = {name: store}
    return replace(world, platform=replace(world.platform, **stores))


def cut_at(call: int) -> Callable[[int], None]:
    """Stop the machine at this call."""

    def happen(number: int) -> None:
        if number == call:
            raise PowerCut

    return happen
