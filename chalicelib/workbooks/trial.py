"""Opens a file in a process of its own first: whatever it does to calamine, only that process ends.

For files that no spreadsheet program would write so, and for old workbooks: a size that is only claimed makes calamine
ask for all memory there is, upon which the whole process ends without an error. docs/decisions/0020
"""

import subprocess
import sys

MEMORY = 1 << 30
"""Bytes that the trial may take up: beside what the function itself has, within its 2 GB."""
SECONDS = 60


def survives(data: bytes) -> bool:
    """Whether the file can be opened and read to its end, or is refused by calamine in order."""
    try:
        done = subprocess.run(  # noqa: S603  (our own program; the file is only its input)
            [sys.executable, "-c", _PROGRAM, str(MEMORY), str(SECONDS)],
            input=data,
            env={"PYTHONPATH": ":".join(path or "." for path in sys.path)},
            timeout=2 * SECONDS,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


# A refusal in order is none of the trial's business: whoever opens the file next meets it again.
_PROGRAM = """
import io, resource, sys
memory, seconds = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from python_calamine import CalamineWorkbook
try:
    book = CalamineWorkbook.from_object(io.BytesIO(sys.stdin.buffer.read()))
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        sheet.merged_cell_ranges
        for _ in sheet.iter_rows():
            pass
except MemoryError:
    sys.exit(1)
except BaseException:
    pass
"""
