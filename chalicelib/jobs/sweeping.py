"""Run the sweep of what is due: by the schedule at 00:05 China, and by message when a run before it ran out of time."""

from dataclasses import asdict
from typing import Any

from chalicelib.jobs.lambda_runs import Context, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import sweeping
from chalicelib.wiring import platform

# What the function keeps for itself: a chunk in flight, the message that hands the rest on, the log line.
RESERVE_MILLISECONDS = 30_000


class VouchersLeft(Exception):
    """All others were swept; for these the function fails, so that the alarm rings until somebody mended them."""


def run(context: Context) -> dict[str, Any]:
    """Sweep what is due; hand on what the time did not suffice for. Harmless twice, late, or cut off anywhere."""
    parts = platform()
    sweep = sweeping.sweep_due(
        parts,
        now=parts.clock.now(),
        may_go_on=has_time(context, RESERVE_MILLISECONDS),
    )
    if not sweep.finished:
        parts.continuations.ask(sweeping.SWEEP)
    for failure in sweep.failures:
        log_outcome("expire", failed=True, outcome="failed", **asdict(failure))
    outcome = ("failed" if sweep.failures else "finished") if sweep.finished else "handed_on"
    steps = {
        "expired": sweep.expired,
        "forfeited": sweep.forfeited,
        "written_off": sweep.written_off,
        "deferred": sweep.deferred,
    }
    report: dict[str, Any] = {
        "since": sweep.since.isoformat(),
        "until": sweep.until.isoformat(),
        "examined": sweep.examined,
        **steps,
        "finished": sweep.finished,
        "left": len(sweep.failures),
    }
    log_outcome("expire", failed=outcome == "failed", outcome=outcome, **report)
    count_outcome("expire", outcome)
    for step, times in steps.items():
        if times:
            count_outcome("expire", step, times)
    if outcome == "failed":
        raise VouchersLeft(f"{len(sweep.failures)} could not be swept; the log names them")
    return report


def go_on(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Messages that ask to go on. Several in one delivery, or the same twice, are one run: a sweep knows where it is.

    A failure leaves all of them in the queue; after some tries they stand in the dead-letter queue, and an alarm rings.
    """
    if event.get("Records"):
        run(context)
    return {"batchItemFailures": []}
