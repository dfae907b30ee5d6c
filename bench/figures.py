"""Figures: what was measured, what it may be at most or must be at least, and what it stands beside."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """``floor``: what the same costs without us, or what the rules alone force; None where there is no such thing."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None
    floor: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        too_much = self.at_most is not None and self.value > self.at_most
        return not too_much and not (self.at_least is not None and self.value < self.at_least)


def lines(figures: Sequence[Figure]) -> list[str]:
    """A table, one line a figure."""
    told = [f"{'figure':58} {'value':>9} {'bound':>10} {'floor':>9}"]
    for one in figures:
        bound = f"≤ {one.at_most:g}" if one.at_most is not None else f"≥ {one.at_least:g}" if one.at_least else ""
        floor = "" if one.floor is None else f"{one.floor:.4g}"
        missed = "" if one.kept else "  MISSED"
        told.append(f"{one.name:58} {one.value:9.4g} {bound:>10} {floor:>9}{missed}  {one.note}")
    return told


def write(figures: Sequence[Figure], path: Path) -> None:
    rows = [json.dumps(asdict(one), ensure_ascii=False) for one in figures]
    path.write_text("[\n  " + ",\n  ".join(rows) + "\n]\n", "utf-8")
