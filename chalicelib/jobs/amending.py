"""Bring held vouchers to their template's newest terms: by message, and again until a look finds none left."""

from dataclasses import asdict
from typing import Any

from chalicelib.domain.amendment import Errand
from chalicelib.jobs.lambda_runs import Context, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import amending
from chalicelib.services.amending import Run
from chalicelib.wiring import platform

# What the function keeps for itself: a chunk in flight, the message that hands the rest on, the log line.
RESERVE_MILLISECONDS = 30_000


class VouchersLeft(Exception):
    """All others were amended; for these the function fails, so that the alarm rings until somebody mended them."""


def run(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run errands. The same one twice, late, or at once with another comes to the same; one that fails stays in the
    queue, and after some tries in the dead-letter queue, and an alarm rings."""
    for record in event.get("Records", []):
        _run(Errand.read(record["body"]), context)
    return {"batchItemFailures": []}


def _run(errand: Errand, context: Context) -> None:
    parts = platform()
    done = amending.carry_out(
        parts.templates,
        parts.people,
        errand,
        now=parts.clock.now(),
        may_go_on=has_time(context, RESERVE_MILLISECONDS),
    )
    if done.next_errand is not None:
        parts.errands.ask(done.next_errand, done.delay)
    for failure in done.failures:
        log_outcome("amend_vouchers", failed=True, outcome="failed", **asdict(failure))
    outcome = _outcome(done, errand)
    log_outcome(
        "amend_vouchers",
        failed=outcome == "failed",
        outcome=outcome,
        template_id=errand.template_id,
        number=errand.number,
        look=errand.look,
        examined=done.examined,
        moved=done.moved,
        left=len(done.failures),
    )
    count_outcome("amend_vouchers", outcome)
    if outcome == "failed":
        raise VouchersLeft("some could not be amended; the log names them, here or where this look began")


def _outcome(done: Run, errand: Errand) -> str:
    if done.next_errand is None:
        return "failed" if done.failures or errand.failed else "finished"
    return "handed_on" if done.next_errand.look == errand.look else "looks_again"
