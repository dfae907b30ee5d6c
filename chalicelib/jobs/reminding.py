"""Remind of applications whose review is overdue: by the schedule, after 00:05 China."""

from dataclasses import asdict
from typing import Any

from chalicelib.jobs.lambda_runs import Context, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import reminding
from chalicelib.wiring import platform

# What the function keeps for itself: an application in flight, the log lines.
RESERVE_MILLISECONDS = 10_000


class RemindersLeft(Exception):
    """Some could not be reminded of, or the time was over: Lambda calls again, and the alarm rings."""


def run(context: Context) -> dict[str, Any]:
    """One line and one count for each application, with ids only. Harmless twice, late, or cut off anywhere."""
    parts = platform()
    done = reminding.remind_overdue(
        parts,
        now=parts.clock.now(),
        may_go_on=has_time(context, RESERVE_MILLISECONDS),
    )
    for one in done.reminded:
        log_outcome(
            "remind",
            outcome="overdue",
            application_id=one.application_id,
            region=one.region,
            institution_id=one.institution_id,
            due_on=one.due_on.isoformat() if one.due_on else None,
        )
        count_outcome("remind", "overdue")
    for failure in done.failures:
        log_outcome("remind", failed=True, outcome="failed", **asdict(failure))
    outcome = "failed" if done.failures else "finished" if done.finished else "out_of_time"
    report: dict[str, Any] = {
        "since": done.since.isoformat(),
        "until": done.until.isoformat(),
        "reminded": len(done.reminded),
        "finished": done.finished,
        "left": len(done.failures),
    }
    log_outcome("remind", failed=outcome != "finished", outcome=outcome, **report)
    count_outcome("remind", outcome)
    if outcome != "finished":
        raise RemindersLeft(f"{outcome}; what was told is told, and the next run goes on from there")
    return report
