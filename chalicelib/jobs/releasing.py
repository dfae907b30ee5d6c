"""Post what is free again to the accounts: by the schedule, every ten minutes."""

from dataclasses import asdict
from typing import Any

from chalicelib.jobs.lambda_runs import Context, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import releasing
from chalicelib.wiring import platform

# What the function keeps for itself: a posting in flight with all its tries, the log line.
RESERVE_MILLISECONDS = 30_000


class ReleasesLeft(Exception):
    """All others were posted; for these the function fails, so that the alarm rings until somebody mended them."""


def run(context: Context) -> dict[str, Any]:
    """Post what is due. Harmless twice, late, or cut off anywhere: the next run, in ten minutes, goes on with the rest,
    which is why nothing is handed on by message."""
    parts = platform()
    done = releasing.post_releases(
        parts.templates,
        parts.accounts,
        now=parts.clock.now(),
        may_go_on=has_time(context, RESERVE_MILLISECONDS),
    )
    for failure in done.failures:
        log_outcome("release", failed=True, outcome="failed", **asdict(failure))
    outcome = "failed" if done.failures else "finished" if done.finished else "unfinished"
    report: dict[str, Any] = {
        "fen": done.fen,
        "shards": done.shards,
        "postings": done.postings,
        "finished": done.finished,
        "busy": done.busy,
        "left": len(done.failures),
    }
    log_outcome("release", failed=outcome == "failed", outcome=outcome, **report)
    count_outcome("release", outcome)
    if outcome == "failed":
        raise ReleasesLeft(f"what {len(done.failures)} shards release could not be posted; the log names them")
    return report
