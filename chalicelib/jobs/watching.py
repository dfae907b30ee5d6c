"""The people table's one stream consumer: for now it watches that every change is a lawful step."""

from typing import Any

from chalicelib.observability import count_outcome, log_outcome
from chalicelib.services.watching import find_fault
from chalicelib.wiring import platform


def run(event: dict[str, Any]) -> dict[str, Any]:
    """Look at each record; one that cannot be read is handed back alone, with all after it, in order."""
    people = platform().people
    watched = faults = 0
    for record in event.get("Records", []):
        change = record["dynamodb"]
        try:
            before, after = (
                people.from_image(change[image]) if change.get(image) else None for image in ("OldImage", "NewImage")
            )
            erased = people.may_be_erased(change["Keys"]["item"]["S"])
            gone = change.get("OldImage") and not change.get("NewImage") and not erased
            fault = "deleted" if gone else find_fault(before, after) if after else None
        except (KeyError, ValueError) as unreadable:
            log_outcome("follow_people", failed=True, outcome="unreadable", error=type(unreadable).__name__)
            count_outcome("follow_people", "unreadable")
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
        watched += 1 if before or after else 0
        if fault:
            faults += 1
            voucher = after or before
            log_outcome(
                "follow_people",
                failed=True,
                outcome=fault,
                item=change["Keys"]["item"]["S"],
                voucher_id=voucher.voucher_id if voucher else None,
            )
            count_outcome("follow_people", fault)
            count_outcome("follow_people", "unlawful_change")  # the one that the alarm watches
    log_outcome("follow_people", outcome="ok", watched=watched, faults=faults)
    return {"batchItemFailures": []}
