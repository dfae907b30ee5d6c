"""``docs/crash-matrix.md``: read, and written anew act by act where ``RECORD_MATRIX=1`` stands in the environment."""

import fcntl
import os
import re
from collections import Counter
from itertools import groupby
from pathlib import Path

from tests.faults.crash_matrix import Name, Report, Way

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "crash-matrix.md"
RECORDING = bool(os.environ.get("RECORD_MATRIX"))

INTRODUCTION = """# Crash matrix

Written by `RECORD_MATRIX=1 pytest tests/faults`; without it the tests run all of it and compare.

Each row is an AWS call that an operation makes in a container that has just been started. Of more than eight equal
calls (the lanes of a sweep, the shards of a template) the first and the last get a row; what tells who asks (client,
operator) has rows in three acts only, since every operation begins with it, by the same lines. Each column is a single
fault: the call fails **before** it is sent, whatever is tried; the machine stops **after** it took effect; it takes
effect and its answer is **lost**, whatever is tried; and the first and the last of these at the first try only
(**once**).

A read changes nothing: not sent or its answer lost is the same, and a machine that stops at it stopped after the write
before it. So each read is tried to fail, and a write in all ways but "before, once", which is the client library's own
work; `LONG=1` tries each in all five.

A cell is what the caller hears. In every cell the test then repeats the request with the same key, and sees that it
comes to what it would have come to without the fault: the same answer, the same rows added, the same numbers moved, and
the laws kept; and where a 4xx was heard, that nothing was left behind.
"""

Rows = dict[str, list[str]]
"""The lines of each act, by what its first column says."""


def act_of(name: Name) -> str:
    label, variant = name
    return f"`{label}`" + (f" {variant}" if variant else "")


def rows_of(name: Name, report: Report) -> list[str]:
    """The lines of one act: one for each call that was tried."""
    begin = f"| {act_of(name)} | {report.word} |"
    if not report.rows:
        return [f"{begin} none |" + " |" * len(Way)]
    lines = []
    for call, which in report.rows:
        found = {cell.way: cell.heard for cell in report.cells if (cell.call, cell.which) == (call, which)}
        heard = " | ".join(found.get(way, "") for way in Way)
        lines.append(f"{begin} {_ordinal(report, call, which)} | {heard} |")
    return lines


def read() -> Rows:
    """What stands in the document."""
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {act: list(group) for act, group in groupby(lines, key=lambda line: line.split(" | ")[0].removeprefix("| "))}


def record(name: Name, report: Report, order: list[str]) -> None:
    """Put one act's lines where it stands among all; workers take turns."""
    folder = os.open(DOCUMENT.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        rows = read() | {act_of(name): rows_of(name, report)}
        new = DOCUMENT.with_suffix(".new")
        new.write_text(as_text({act: rows[act] for act in order if act in rows}), encoding="utf-8")
        new.replace(DOCUMENT)  # others read it meanwhile
    finally:
        os.close(folder)


def as_text(rows: Rows) -> str:
    """The document; it counts itself."""
    lines = [line for one in rows.values() for line in one]
    cells = Counter(cell for line in lines for cell in re.findall(r" \| (\d{3}|done|failed|stopped)(?= \|)", line)[1:])
    counts = ", ".join(f"{count} × {word}" for word, count in sorted(cells.items()))
    head = [
        INTRODUCTION,
        f"{len(rows)} acts, {len(lines)} rows, {cells.total()} cells: {counts}.",
        "",
        "| act | answers | call | " + " | ".join(way.title for way in Way) + " |",
        "|---|---|---|" + "---|" * len(Way),
    ]
    return "\n".join(head + lines) + "\n"


def _ordinal(report: Report, call: str, which: int) -> str:
    count = report.calls.count(call)
    return call if count == 1 else f"{call} ({which} of {count})"
