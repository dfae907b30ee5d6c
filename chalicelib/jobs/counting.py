"""Count what is left of all that is offered: by the schedule, each minute."""

from dataclasses import asdict
from typing import Any

from chalicelib.jobs.lambda_runs import Context, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import counting
from chalicelib.wiring import platform

# What the function keeps for itself: a listing in the middle of being written, the log line.
RESERVE_MILLISECONDS = 12_000


class OffersLeft(Exception):
    """Some could not be counted: the function fails, so that the alarm rings."""


def run(context: Context) -> dict[str, Any]:
    """Count. Harmless twice, late, or cut off anywhere: the next minute begins elsewhere and counts again."""
    parts = platform()
    count = counting.count_offers(
        parts.listings,
        parts.templates,
        now=parts.clock.now(),
        may_go_on=has_time(context, RESERVE_MILLISECONDS),
    )
    for failure in count.failures:
        log_outcome("count_offers", failed=True, outcome="failed", **asdict(failure))
    outcome = "failed" if count.failures else "finished" if count.finished else "unfinished"
    report: dict[str, Any] = {
        "listings": count.listings,
        "changed": count.changed,
        "finished": count.finished,
        "left": len(count.failures),
    }
    log_outcome("count_offers", failed=outcome == "failed", outcome=outcome, **report)
    count_outcome("count_offers", outcome)
    if outcome == "failed":
        raise OffersLeft("not all that is offered could be counted; the log says what was")
    return report
