"""How long the API function's import takes, beside the bare import of the frameworks that it stands on."""

import re
import statistics
import subprocess
import sys
import time

from tools.package import ROOT

BARE = "import chalice, pynamodb.models, pydantic, aws_lambda_powertools"
OURS = "import app"
# What is wanted only where it is used.
LATER = ("boto3", "python_calamine", "xlsxwriter", "qrcode", "cryptography")


def seconds(program: str) -> float:
    """A fresh interpreter that carries this out and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={}, check=True)
    return time.perf_counter() - began


def compare(rounds: int) -> tuple[float, float, float]:
    """Medians of both in seconds without the bare interpreter's own start, and of their ratio, taken in turn."""
    for program in (OURS, BARE):
        seconds(program)  # compiles what is not compiled yet
    ours, bare, ratios = [], [], []
    for number in range(rounds):
        order = (OURS, BARE, "pass") if number % 2 else (BARE, OURS, "pass")
        took = {program: seconds(program) for program in order}
        ours.append(took[OURS] - took["pass"])
        bare.append(took[BARE] - took["pass"])
        ratios.append(ours[-1] / bare[-1])
    return statistics.median(ours), statistics.median(bare), statistics.median(ratios)


def too_early() -> list[str]:
    """Which of ``LATER`` the import loads all the same."""
    program = f"{OURS}; import sys; print([name for name in {LATER!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={}, check=True, capture_output=True, text=True)
    return re.findall(r"'(\w+)'", run.stdout)
