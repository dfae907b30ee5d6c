"""The jobs' platform: a world's, with a queue that only remembers, and what the jobs report, caught."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.services import sweeping
from tests.world import World


@dataclass
class RememberedQueue:
    """Keeps what a job asked for."""

    asked: list[str] = field(default_factory=list)

    def ask(self, sweep: str) -> None:
        self.asked.append(sweep)


@dataclass
class Reports:
    """What a job logged and counted."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    counts: list[tuple[str, str]] = field(default_factory=list)

    def log(self, message: str, *, failed: bool = False, **facts: Any) -> None:
        self.lines.append({"message": message, "failed": failed, **facts})

    def count(self, operation: str, outcome: str, times: int = 1) -> None:
        self.counts.append((operation, outcome if times == 1 else f"{outcome} {times}"))


@pytest.fixture
def queue() -> RememberedQueue:
    return RememberedQueue()


@pytest.fixture
def wired(strict_world: World, queue: RememberedQueue) -> Iterator[World]:
    """A world whose platform is the container's; its sweep has come to the last day of validity."""
    platform = replace(strict_world.platform, continuations=queue)
    platform.checkpoints.advance(sweeping.SWEEP, date(2021, 6, 30))
    wiring.use(platform)
    yield replace(strict_world, platform=platform)
    wiring.use(None)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    caught = Reports()
    for job in ("counting", "sweeping", "watching", "amending", "settling", "reminding", "releasing"):
        monkeypatch.setattr(f"chalicelib.jobs.{job}.log_outcome", caught.log)
        monkeypatch.setattr(f"chalicelib.jobs.{job}.count_outcome", caught.count)
    return caught
