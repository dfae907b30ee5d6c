"""The demo believes nothing: a figure that differs ends it with exit code 1 and says which."""

import io
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.world import local
from tools import demo
from tools.story import Difference, Story

STOCK = {"quantity": 10, "remaining": 10, "claimed": 0}


@pytest.fixture
def story() -> Story:
    return Story(Console(file=io.StringIO()))


def test_given_a_figure_as_it_must_be_when_compared_then_it_is_counted(story: Story) -> None:
    story.must_be("remaining", 9, 9)

    assert story.compared == 1


def test_given_a_counter_that_moved_unnamed_when_compared_then_the_run_ends(story: Story) -> None:
    story.moved(STOCK, STOCK | {"remaining": 9, "claimed": 1}, remaining=-1, claimed=1)

    with pytest.raises(Difference, match="claimed after is 1 and must be 0"):
        story.moved(STOCK, STOCK | {"remaining": 9, "claimed": 1}, remaining=-1)
    with pytest.raises(Difference, match="remaining after is 10 and must be 9"):
        story.moved(STOCK, STOCK, remaining=-1)


def test_given_a_difference_when_the_demo_runs_then_it_ends_with_exit_code_1_and_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(_stage: object, _ministry: object, story: Story, _today: object) -> None:
        story.must_be("vouchers of all cities", 899_999, 900_000)

    ministry: Any = SimpleNamespace(now=lambda: local("2021-05-01T04:00:00.000Z"))
    monkeypatch.setattr("sys.argv", ["demo"])
    monkeypatch.setattr(demo, "local_stack", lambda **_: nullcontext())
    monkeypatch.setattr(demo, "raise_curtain", lambda *_: (None, ministry))
    monkeypatch.setattr(demo, "tell", tell)

    assert demo.main() == 1
    assert "vouchers of all cities is 899999 and must be 900000" in capsys.readouterr().out
