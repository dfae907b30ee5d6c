"""How often each operation was asked, and what it answered: a table at the end of the run."""

from collections.abc import Iterable
from typing import Any

import pytest

ANSWERED = "answered"
Answered = dict[str, dict[str, int]]
"""By operation and status; plain dicts, since they travel from one process to another."""


def count(answered: Answered, label: str, status: int) -> None:
    counts, name = answered.setdefault(label, {}), "2xx" if 200 <= status < 300 else str(status)
    counts[name] = counts.get(name, 0) + 1


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The lines of the table, from what tests recorded; none where no test did."""
    total: Answered = {}
    for report in reports:
        answered: Any = dict(report.user_properties).get(ANSWERED, {})
        for label, counts in answered.items():
            for status, times in counts.items():
                total.setdefault(label, {}).setdefault(status, 0)
                total[label][status] += times
    if not total:
        return []
    statuses = sorted({status for counts in total.values() for status in counts})
    width = max(map(len, total))
    lines = [" ".join(["contract".ljust(width), "  all", *(status.rjust(5) for status in statuses)])]
    for label in sorted(total, key=lambda label: label.split(" ")[::-1]):
        counts = total[label]
        cells = [str(sum(counts.values())), *(str(counts.get(status) or "·") for status in statuses)]
        lines.append(" ".join([label.ljust(width), *(cell.rjust(5) for cell in cells)]))
    sums = [sum(sum(counts.values()) for counts in total.values())]
    sums += [sum(counts.get(status, 0) for counts in total.values()) for status in statuses]
    return [*lines, " ".join(["".ljust(width), *(str(number).rjust(5) for number in sums)])]
