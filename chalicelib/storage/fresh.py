"""A small memory of rows for up to a minute: what changes take effect in is at most that (design.md §3)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
SECONDS = 60.0
MOST = 4096


class Fresh(Generic[K, V]):
    """Remembers what ``load`` gave, never that it gave nothing. Measures elapsed time, not the platform's clock."""

    def __init__(self, seconds: float = SECONDS, ticks: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._ticks = ticks
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K, load: Callable[[], V | None]) -> V | None:
        kept = self._kept.get(key)
        if kept is not None and self._ticks() < kept[0]:
            return kept[1]
        loaded = load()
        if loaded is not None:
            self.keep(key, loaded)
        return loaded

    def keep(self, key: K, value: V) -> None:
        self._kept.pop(key, None)  # the newest stands last; and no step here minds a thread that forgets meanwhile
        self._kept[key] = (self._ticks() + self._seconds, value)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        self._kept.pop(key, None)

    def clear(self) -> None:
        self._kept.clear()
