"""Applications and payment batches: errands to go on with one, chunk by chunk."""

import json
from dataclasses import replace
from typing import Any

from chalicelib.domain.application import MoneyErrand
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.roster import MOST_TRIES
from chalicelib.jobs.lambda_runs import SHORT_REST, Context, GivenUp, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import working_off_money
from chalicelib.services.working_off_money import Run
from chalicelib.wiring import platform

# What the function keeps for itself: a chunk in flight, the message that hands the rest on, the log line.
RESERVE_MILLISECONDS = 30_000


def run(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Work off what the messages say; the same one twice, late, or at once with another comes to the same."""
    for record in event.get("Records", []):
        _go_on(MoneyErrand.read(json.loads(record["body"])), context)
    return {"batchItemFailures": []}


def _go_on(errand: MoneyErrand, context: Context) -> None:
    parts = platform()
    try:
        done = working_off_money.carry_out(
            parts,
            errand,
            moment=parts.clock.now,
            may_go_on=has_time(context, RESERVE_MILLISECONDS),
        )
    except Unavailable as unavailable:  # the head tells how far it came; it goes on from there in a moment
        done = Run(unavailable.code, next_errand=replace(errand, tried=errand.tried + 1), delay=SHORT_REST)
    log_outcome("settle_money", failed=False, outcome=done.outcome, noun=errand.noun, id=errand.id, tried=errand.tried)
    count_outcome("settle_money", done.outcome)
    if done.next_errand is None:
        return
    if done.next_errand.tried > MOST_TRIES:
        raise GivenUp(f"{errand.noun} {errand.id}: {done.outcome}")
    parts.money_errands.ask(done.next_errand, done.delay)
