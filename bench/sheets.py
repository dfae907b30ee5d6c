"""How long the reader takes for a roster, beside calamine that reads the same file and does nothing with it.

``python -m bench.sheets [rows]``. Each reading has a process of its own, whose memory is the most that it ever held.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from io import BytesIO
from itertools import islice
from pathlib import Path
from statistics import median

from tools.package import ROOT
from tools.roster_files import clean_roster

ROWS, TIMES = 100_000, 3


def measure(rows: int = ROWS, times: int = TIMES) -> dict[str, float]:
    """Seconds and megabytes, bare and ours, taken in turn; the middle one of so many times."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "roster.xlsx"
        file.write_bytes(clean_roster(rows))
        taken = [{way: _in_a_process(way, file) for way in ("bare", "ours")} for _ in range(times)]
        size = file.stat().st_size
    bare, ours = (median(one[way]["seconds"] for one in taken) for way in ("bare", "ours"))
    return {
        "rows": rows,
        "file_mb": round(size / 1e6, 1),
        "bare_seconds": round(bare, 3),
        "ours_seconds": round(ours, 3),
        "ratio": round(ours / bare, 2),
        "bare_mb": max(one["bare"]["mb"] for one in taken),
        "ours_mb": max(one["ours"]["mb"] for one in taken),
    }


def _in_a_process(way: str, file: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.sheets", way, str(file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _read(way: str, file: Path) -> dict[str, float]:
    # Imported before the clock is started: a container does that once.
    from python_calamine import CalamineWorkbook

    from chalicelib.domain.schemas import VOUCHERS
    from chalicelib.domain.sheets import find_header, read_entries
    from chalicelib.workbooks.reading import open_sheet

    data = file.read_bytes()
    began = time.perf_counter()
    if way == "bare":
        found = len(CalamineWorkbook.from_object(BytesIO(data)).get_sheet_by_index(0).to_python()) - 1
    else:
        sheet = open_sheet(data, file.name)
        header = find_header(list(islice(sheet.rows(), 30)), VOUCHERS)
        entries = read_entries(sheet.rows(), header, VOUCHERS, today=date(2026, 11, 1))
        found = sum(not entry.faults for entry in entries)
    seconds = time.perf_counter() - began
    # Not ru_maxrss, which goes on from what the parent held when it started this process.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return {"seconds": seconds, "found": found, "mb": int(peak.split()[1]) // 1024}


if __name__ == "__main__":
    if sys.argv[1:2] in (["bare"], ["ours"]):
        print(json.dumps(_read(sys.argv[1], Path(sys.argv[2]))))
    else:
        print(json.dumps(measure(*map(int, sys.argv[1:])), indent=1))
