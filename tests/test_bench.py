"""The bench works: a few of everything. What its figures are is measured by ``make bench`` alone."""

import json
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import figures, shards
from bench.figures import Figure
from tests.engines import Engine


def test_given_a_few_of_everything_when_measured_then_every_part_gives_its_figures_and_they_are_written(
    tmp_path: Path, engines: dict[str, Engine]
) -> None:
    results = tmp_path / "results.json"
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint

    assert bench.main(["--quick", "--results", str(results)], endpoint) == 0

    written = {one["name"]: one for one in json.loads(results.read_text("utf-8"))}
    for step in ("first claim", "claim", "verify", "redeem", "check in"):
        assert written[f"{step}, whole handler"]["value"] > 0
        assert written[f"{step}, CPU of the process in ms"]["floor"] > 0
    for exact in (
        "acknowledged steps lost under load",
        "check-ins lost in crowds",
        "libraries loaded before they are needed",
    ):
        assert written[exact]["value"] == 0
    counted = [one for name, one in written.items() if name.endswith((" units", " once warm"))]
    assert len(counted) == 22
    assert all(one["floor"] <= one["value"] <= one["at_most"] for one in counted)
    for unbound in (
        "dearest claim, 140 entries",
        "claimable, 10 listed among 140 published",
        "import and first claim in a fresh process, ms",
        "check-ins a second, one class online",
        "check-in in a crowd, 99 % within ms",
    ):
        assert written[unbound]["value"] > 0
    assert all(set(one) == {"name", "value", "at_most", "at_least", "floor", "note"} for one in written.values())


@pytest.mark.parametrize(
    ("figure", "kept"),
    [
        (Figure("a", 1.2, at_most=1.2), True),
        (Figure("a", 1.21, at_most=1.2), False),
        (Figure("a", 3, at_least=4), False),
        (Figure("a", 3), True),
    ],
)
def test_given_a_figure_and_its_bound_when_told_then_a_missed_one_is_named(figure: Figure, kept: bool) -> None:
    assert figure.kept is kept
    assert ("MISSED" in figures.lines([figure])[1]) is not kept


def test_given_a_rush_when_simulated_then_our_choice_of_a_shard_meets_far_fewer_conflicts_than_a_random_one() -> None:
    ours, uniform = (shards.simulate(policy, 64, 500, 2) for policy in (shards.ours, shards.uniform))

    assert ours.conflicts < uniform.conflicts / 4
    assert ours.p99 <= uniform.p99
    assert ours.given_up == uniform.given_up == 0


def test_given_the_same_seed_when_simulated_again_then_it_is_the_same_rush() -> None:
    assert shards.simulate(shards.ours, 8, 200, 0.5) == shards.simulate(shards.ours, 8, 200, 0.5)
