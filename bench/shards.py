"""What shards do for a rush of claims: our choice of shard beside a uniformly random one, simulated from a seed.

The choice is the real one (``rounds_of_shards``), with the real pauses and the real memory of a container. A
transaction holds its rows for 25 ms; one that comes meanwhile is cancelled and told so after 10 ms; the reads before
a claim take 10 ms, and so do those of a round of stock. A request goes to the container that was idle last, else to a
new one. Uniform: a random shard for each of as many tries, with the same pauses.
"""

import heapq
import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from chalicelib.domain.template import Shard, Template, TemplateState
from chalicelib.integrations.chance import SeededChance
from chalicelib.services.making_vouchers import ROUNDS_OF_STOCK, TRIES_A_ROUND, rounds_of_shards
from chalicelib.storage import transaction
from chalicelib.storage.fresh import Fresh
from tests.domain.builders import a_template

HOLDS, TOLD, READS = 0.025, 0.010, 0.010
SHARDS = (1, 2, 4, 8, 16, 32, 64, 128)
ARRIVALS = (50, 100, 200, 500, 1_000, 2_000)


class Try(int):
    """The shard that is tried."""


Claim = Generator[Try | float, bool, bool]
"""Yields the shard that it tries, or the seconds that it waits; hears whether a try went through."""


@dataclass(frozen=True, slots=True)
class Rush:
    """Claims a second while it lasted, milliseconds at p50 and p99; of all claims, of all tries: the share of 1."""

    claims: float
    p50: float
    p99: float
    given_up: float
    conflicts: float


class Container:
    """As much of ``Templates`` as the choice of a shard asks for: stock without end, and a container's memory."""

    def __init__(self, template: Template, seed: int, ticks: Callable[[], float]) -> None:
        self.template, self.chance = template, SeededChance(seed)
        self._shard: Fresh[str, int] = Fresh(seconds=1, ticks=ticks)
        self._stock = [cast(Shard, _Stock(number)) for number in range(template.shards)]

    def note_shard(self, template_id: str, number: int) -> None:
        self._shard.keep(template_id, number)

    def noted_shard(self, template_id: str) -> int | None:
        return self._shard.get(template_id, lambda: None)

    def read(self, template_id: str) -> Template:
        return self.template

    def shards(self, template: Template) -> list[Shard]:
        return self._stock


@dataclass(frozen=True, slots=True)
class _Stock:
    number: int
    remaining: int = 1


def ours(container: Container) -> Claim:
    conflicts = 0
    templates: Any = container
    for round_, (_, numbers) in enumerate(rounds_of_shards(templates, container.chance, container.template)):
        if round_:
            yield READS
        for number in numbers:
            if conflicts:
                yield transaction.pause(conflicts)
            if (yield Try(number)):
                container.note_shard(container.template.template_id, number)
                return True
            conflicts += 1
    return False


def uniform(container: Container) -> Claim:
    for conflicts in range(2 + ROUNDS_OF_STOCK * TRIES_A_ROUND):
        if conflicts:
            yield transaction.pause(conflicts)
        if (yield Try(container.chance.order(container.template.shards)[0])):
            return True
    return False


def simulate(policy: Callable[[Container], Claim], shards: int, arrivals: int, seconds: float, seed: int = 1) -> Rush:
    """Claims that arrive at random for so many seconds, followed to their ends."""
    random.seed(seed)  # the pauses are the real ones, drawn from here
    template = replace(a_template(state=TemplateState.PUBLISHED), shards=shards)
    clock, free_at, idle, made = [0.0], [0.0] * shards, list[Container](), 0
    waiting: list[tuple[float, int, Claim | None, Container | None, bool | None, float]] = []
    for number, instant in enumerate(_poisson(random.Random(seed), arrivals, seconds)):
        waiting.append((instant, -number, None, None, None, instant))
    heapq.heapify(waiting)
    took, conflicts, tries, last, events = list[float](), 0, 0, 0.0, 0
    while waiting:
        now, _, claim, container, heard, began = heapq.heappop(waiting)
        clock[0], events = now, events + 1
        if claim is None or container is None:
            made += not idle
            container = idle.pop() if idle else Container(template, seed * 100_000 + made, lambda: clock[0])
            heapq.heappush(waiting, (now + READS, events, policy(container), container, None, began))
            continue
        try:
            asked = next(claim) if heard is None else claim.send(heard)
        except StopIteration as ended:
            idle.append(container)
            if ended.value:
                took.append(now - began)
                last = now
            continue
        if isinstance(asked, Try):
            tries += 1
            free = free_at[asked] <= now
            if free:
                free_at[asked] = now + HOLDS
            conflicts += not free
            heapq.heappush(waiting, (now + (HOLDS if free else TOLD), events, claim, container, free, began))
        else:
            heapq.heappush(waiting, (now + asked, events, claim, container, None, began))
    took.sort()
    came = len(took) / max(last, seconds)
    given_up = 1 - len(took) / max(1, _count(random.Random(seed), arrivals, seconds))
    return Rush(came, 1e3 * took[len(took) // 2], 1e3 * took[len(took) * 99 // 100], given_up, conflicts / tries)


def table(seconds: float, shards: tuple[int, ...] = SHARDS, arrivals: tuple[int, ...] = ARRIVALS) -> Iterator[str]:
    """Both for every number of shards and arrivals, as lines of text."""
    columns = "claims/s  p99 ms  given up  conflicts"
    yield f"{'':17} | {'our choice':38} | uniform"
    yield f"shards arrivals/s | {columns:38} | {columns}"
    for number in shards:
        for rate in arrivals:
            cells = [simulate(policy, number, rate, seconds) for policy in (ours, uniform)]
            told = (f"{rush.claims:8.0f} {rush.p99:7.0f} {rush.given_up:9.1%} {rush.conflicts:9.1%}" for rush in cells)
            yield f"{number:6} {rate:10} | " + "   | ".join(told)


def _poisson(dice: random.Random, rate: float, seconds: float) -> Iterator[float]:
    instant = dice.expovariate(rate)
    while instant < seconds:
        yield instant
        instant += dice.expovariate(rate)


def _count(dice: random.Random, rate: float, seconds: float) -> int:
    return sum(1 for _ in _poisson(dice, rate, seconds))


if __name__ == "__main__":
    for line in table(5):
        print(line, flush=True)
