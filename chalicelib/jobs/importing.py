"""Rosters: files that have come, and errands of our own to go on with one. One queue brings both."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.roster import MOST_TRIES, RosterErrand
from chalicelib.jobs.lambda_runs import SHORT_REST, Context, GivenUp, has_time
from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services import importing_rosters, receiving_rosters
from chalicelib.services.importing_rosters import Run
from chalicelib.services.receiving_rosters import Arrived
from chalicelib.wiring import platform

# What the function keeps for itself: a chunk in flight, the message that hands the rest on, the log line.
RESERVE_MILLISECONDS = 30_000


def run(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Work off what the messages say; the same one twice, late, or at once with another comes to the same."""
    for record in event.get("Records", []):
        _take(json.loads(record["body"]), context)
    return {"batchItemFailures": []}


def _take(said: Mapping[str, Any], context: Context) -> None:
    if "roster_id" in said:
        _go_on(RosterErrand.read(said), context)
        return
    for arrived in _arrived(said):
        parts = platform()
        receipt = receiving_rosters.receive_file(parts, arrived, parts.clock.now())
        roster_id = receipt.roster.roster_id if receipt.roster else None
        log_outcome("receive_roster", failed=False, outcome=receipt.outcome, roster_id=roster_id)
        count_outcome("receive_roster", receipt.outcome)
        if receipt.go_on and receipt.roster is not None:
            _go_on(RosterErrand(receipt.roster.roster_id), context)


def _arrived(said: Mapping[str, Any]) -> Iterator[Arrived]:
    """The objects that a notification of S3 names. There may be several; a test event when it is set up has none."""
    for record in said.get("Records", ()):
        if record.get("eventSource") == "aws:s3" and str(record.get("eventName", "")).startswith("ObjectCreated:"):
            told = record["s3"]["object"]
            # Keys come percent-encoded, with + for a space: decoded once, a file may still be called 50%25+.xlsx.
            yield Arrived(unquote_plus(told["key"]), told.get("versionId"))


def _go_on(errand: RosterErrand, context: Context) -> None:
    parts = platform()
    try:
        done = importing_rosters.carry_out(
            parts,
            errand,
            moment=parts.clock.now,
            may_go_on=has_time(context, RESERVE_MILLISECONDS),
        )
    except Unavailable as unavailable:  # the marks tell how far it came; it goes on from there in a moment
        done = Run(unavailable.code, next_errand=replace(errand, tried=errand.tried + 1), delay=SHORT_REST)
    _tell(errand, done)
    if done.next_errand is None:
        return
    if done.next_errand.tried > MOST_TRIES:
        raise GivenUp(f"roster {errand.roster_id}: {done.outcome}")
    parts.roster_errands.ask(done.next_errand, done.delay)


def _tell(errand: RosterErrand, done: Run) -> None:
    counts = done.roster.counts if done.roster else None
    log_outcome(
        "import_rosters",
        failed=False,
        outcome=done.outcome,
        roster_id=errand.roster_id,
        chunks=done.chunks,
        rows=counts.read if counts else None,
        issued=counts.issued if counts else None,
        tried=errand.tried,
    )
    count_outcome("import_rosters", done.outcome)
