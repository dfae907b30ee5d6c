"""Writes what of docs/ is read off the code: openapi.json, and the marked parts of errors.md and api.md.

    python -m tools.reference_docs            # writes
    python -m tools.reference_docs --check    # only looks; exit code 1 where something is stale

Repeat it whenever an operation, an error or a recorded example changed; ``tests/docs`` fails until then. What stands
outside the marks is written by hand and left as it is. An error, a fact or a gateway's code that nobody has described
here stops it with the name of what is missing.
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from chalicelib.api import gateway, openapi, refusals
from chalicelib.api.answers import OPERATIONS, Operation
from chalicelib.api.problems import TITLES, status_of
from chalicelib.domain import access, errors, words
from chalicelib.domain.access import Actor, Client, Duty, Operator, Role
from chalicelib.domain.errors import DomainError, every_error

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COMMAND = ".venv/bin/python -m tools.reference_docs"
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
BEGIN, END = "<!-- {} · written by tools.reference_docs -->", "<!-- end -->"


def main(arguments: Sequence[str] = ()) -> int:
    """Write each document that differs, or with ``--check`` only say which; 1 when one was found so."""
    if not set(arguments) <= {"--check"}:
        print(__doc__, file=sys.stderr)
        return 2
    old = [path for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in old:
            print(f"stale: {path.relative_to(ROOT)}; run: {COMMAND}", file=sys.stderr)
        return 1 if old else 0
    for path in old:
        path.write_text(documents()[path], "utf-8")
        print(f"written: {path.relative_to(ROOT)}")
    return 0


def documents() -> dict[Path, str]:
    """Every document as it ought to be."""
    return {
        DOCS / "openapi.json": openapi_text(),
        DOCS / "errors.md": filled(DOCS / "errors.md"),
        DOCS / "api.md": filled(DOCS / "api.md"),
    }


def openapi_text() -> str:
    """What ``python -m chalicelib.api.openapi`` prints."""
    assert gateway.BLUEPRINTS  # importing the gateway is what registers the operations
    return json.dumps(openapi.document(), ensure_ascii=False, indent=2) + "\n"


def filled(path: Path) -> str:
    """A document whose marked parts are written anew. Raises LookupError for a mark that means nothing."""
    return _MARKED.sub(lambda found: _marked(found["name"]), path.read_text("utf-8"))


_MARKED = re.compile(r"<!-- (?P<name>[^·\n]+?) · written by tools\.reference_docs -->\n.*?<!-- end -->", re.DOTALL)


def _marked(name: str) -> str:
    kind, _, what = name.partition(" of ")
    if kind not in _PARTS:
        raise LookupError(f"a mark in docs/ asks for “{name}”; there are: {', '.join(_PARTS)}")
    return "\n".join((BEGIN.format(name), _PARTS[kind](what).rstrip("\n"), END))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# --- errors ----------------------------------------------------------------------------------------------------------

MEND = "Mend the request."
FIND = "Check the id, and the client's scope."
WAIT = "Send the same request with the same key again, later and later."

# For each code: when it comes, and what the caller does. One that is not here yet is described by its docstring.
ADVICE: Mapping[str, tuple[str, str]] = {
    # HTTP
    "too_many_requests": (
        "The client's budget of the running window is used up.",
        "Wait `retry_after_seconds` (also in `Retry-After`), then send it again with the same key.",
    ),
    "body_too_large": ("The body has more bytes than are read at all.", MEND),
    "unsupported_media_type": ("A body without `Content-Type: application/json`.", MEND),
    "malformed_json": ("The body is no JSON that two readers would understand alike.", MEND),
    "idempotency_key_required": (
        "A changing POST came without a key, or with one of another form.",
        MEND,
    ),
    "idempotency_key_not_taken": ("A key came with an operation that changes nothing.", "Leave the key out."),
    "invalid_fields": ("Fields or parameters are missing, unknown, repeated or unfit; `errors` names each.", MEND),
    "no_such_route": ("No operation has this address.", "Compare with `GET /v1/openapi.json`."),
    "method_not_allowed": ("The address is known, the method is not.", "Compare with `GET /v1/openapi.json`."),
    "bad_request": ("The request could not be taken apart.", MEND),
    "internal_error": (
        "A fault of ours. The outcome is unknown.",
        f"{WAIT} If it stays, tell support the `request_id`.",
    ),
    # payment
    "batch_not_found": ("No payment batch has this id, or it is another region's.", FIND),
    "payee_not_found": ("No payee of the batch has this number.", "Take batch and number from the bank file."),
    "bank_account_not_found": (
        "Nobody has proposed a bank account for the institution.",
        "Propose one: `POST /v1/institutions/{institution_id}/bank-account`.",
    ),
    "batch_state": (
        "The batch is in a state that does not allow this: a batch is cancelled before it is sent, and answered after.",
        "Look at it: `GET /v1/payment-batches/{batch_id}`.",
    ),
    "amount_differs": (
        "The bank's list has another amount than the bank file: a payee is paid whole or not at all.",
        "Compare with the bank file, and ask the bank.",
    ),
    "proposal_changed": (
        "No proposal of this number waits to be confirmed, or the account number that is typed again is another.",
        "Look at it: `GET /v1/institutions/{institution_id}/bank-account`; then confirm what is proposed now.",
    ),
    # bases
    "invalid_request": ("A field is right by itself, but not together with others or with what is there.", MEND),
    "unauthenticated": ("`X-App-Key`, `X-Timestamp`, `X-Nonce` or `X-Signature` is missing or has another form.", MEND),
    "forbidden": (
        "The client's role may not do this, whatever the scope.",
        "Nothing; ask for a client of another role.",
    ),
    "not_found": ("A name in the path has a form that no id of ours has.", FIND),
    "refused": ("Never by itself: the base of all 409.", "–"),
    "idempotency_key_reused": (
        "The key was used within 30 days for another body on the same target.",
        "The earlier request was carried out and stands. Read what it did; for another act take a new key.",
    ),
    "unavailable": ("The database did not answer in time. The outcome is unknown.", WAIT),
    # who is asking
    "unknown_client": ("`X-App-Key` names no client.", MEND),
    "client_disabled": (
        "The client was disabled; or that one was whose secret is to be rotated.",
        "Ask the authority.",
    ),
    "stale_timestamp": ("`X-Timestamp` is too far from our clock.", "Set the clock by `GET /v1/time`, sign again."),
    "bad_signature": (
        "The signature fits under no secret in force.",
        "Compare with [the vectors](signing.md); after a rotation: the old secret may have ended.",
    ),
    "operator_required": ("The act needs an operator's signature and came without.", "Let the operator sign it."),
    "operator_not_accepted": (
        "An operator's signature came that does not count, also where none is needed.",
        "See `reason`; let the operator sign this very request anew.",
    ),
    "holder_session_required": (
        "A holder's operation without `X-Holder-Session`.",
        "Open a session: `POST /v1/sessions`.",
    ),
    "holder_session_ended": ("The session is over, of another client, or none of ours.", "Open a new session."),
    "assertion_not_accepted": (
        "An identity assertion is not one that counts here and now.",
        "See `reason`; ask the e-SSC platform for a new assertion and send it with the same key.",
    ),
    "out_of_scope": (
        "A region or institution outside what the client, or the operator, acts for.",
        "Nothing; ask for a wider scope.",
    ),
    "channel_not_open": (
        "The channel's regions do not hold the voucher's region.",
        "Do not offer this voucher; name the channels that do.",
    ),
    # what does not exist
    "region_not_found": ("No region has this code.", FIND),
    "relation_not_found": ("No such relation of this person, or it has ended.", FIND),
    "rules_not_found": ("The region has no such version, or it was withdrawn.", FIND),
    "not_enlisted": ("The number is on no group of this region's list.", "Nothing, unless it was mistyped."),
    "eligibility_service_not_found": ("This very region has decided none; one above it may have.", "Decide one."),
    "programme_not_found": ("No programme has this id.", FIND),
    "course_not_found": ("No course has this id.", FIND),
    "institution_not_found": ("No institution has this id.", FIND),
    "client_not_found": ("No client has this key, or not all its regions are in the asker's scope.", FIND),
    "operator_not_found": ("No operator has this id, or not in the asker's scope.", FIND),
    "assertion_key_not_found": ("No assertion key has this `kid`.", FIND),
    "account_not_found": ("No account has this id; out of scope; or it is of another region than the template.", FIND),
    "template_not_found": ("No template has this id; a draft, or an act, outside the asker's scope.", FIND),
    "amendment_not_found": ("The template was not amended so often.", "List the template's amendments."),
    "voucher_not_found": (
        "No voucher has this id, or it is not the asker's to see; nobody with the asserted number has one.",
        FIND,
    ),
    # what exists already, or changed meanwhile
    "already_exists": ("A noun with this id is there already.", "Read it; it may be what was wanted."),
    "concurrent_change": (
        "Somebody changed the same noun between our reading and writing.",
        "Read again, then repeat.",
    ),
    # catalogue, templates, money
    "institution_not_admitted": (
        "The institution is a candidate, suspended or withdrawn (`state`), and that does not allow the act.",
        "Nothing until the authority (re)admits it.",
    ),
    "staff_unknown": (
        "The asserted person is not registered as staff of the institution that the assertion names.",
        "Register them (`POST /v1/institutions/{institution_id}/staff`).",
    ),
    "staff_disabled": ("The asserted member of staff is disabled.", "Enable them, or let somebody else scan."),
    "staff_not_found": ("No member of staff of this institution has this id.", FIND),
    "terminal_not_found": ("No terminal of this institution has this id.", FIND),
    "card_read_not_accepted": (
        "The card read is not one that counts here and now, or its terminal is disabled or stands elsewhere.",
        "Read the card again; for `unknown_key` and `place` ask the authority about the terminal.",
    ),
    "admission_step": (
        "The step does not begin in this `state` of admission: a candidate is admitted, who is suspended readmitted.",
        "Read the institution; it may be done already.",
    ),
    "template_state": (
        "The act does not follow from the template's state.",
        "Read the template; it may be done already.",
    ),
    "listing_full": (
        "Channels are told of so many templates of a region, and a published one would be one more.",
        "Close what is no longer offered; the same key may be used.",
    ),
    "not_in_favour": (
        "An amendment would shorten what holders were promised, or adds nothing to it: `what` and `reason` say so.",
        "Close the template and issue anew, or leave the change out.",
    ),
    "budget_exceeded": (
        "More is to be reserved, or taken back, than is free.",
        "Raise the budget or ask for less; the same key may be used.",
    ),
    "budget_transfer_not_found": ("There is no such transfer of budget, or it is not yours to see.", FIND),
    "budget_transfer_state": ("Confirmed, refused or taken back already.", "Read the transfer; propose another."),
    "statement_not_found": (
        "The account was opened later, the month has not begun in China, or it is no month as `2021-06`.",
        "Ask for one from `first_month` to `last_month`.",
    ),
    "year_not_over": ("What is free is carried over when the account's year is over in China.", "Come again then."),
    # claiming
    "template_not_open": ("Not published, suspended or closed.", "Take the voucher out of what is offered."),
    "directed_only": ("Directed vouchers (定向券) are issued to named people, not claimed freely.", "Do not offer it."),
    "roster_not_found": ("There is no such roster, or it is not yours to see.", FIND),
    "roster_state_refused": (
        "The roster is in a state that does not allow this: what is accepted cannot be returned, what is at work "
        "cannot be withdrawn, what is over cannot be cancelled.",
        "Look at it: `GET /v1/rosters/{roster_id}`.",
    ),
    "result_not_ready": (
        "The result workbook is written when the roster is over; of a long one some minutes later.",
        "Ask again when the roster has `result_at`.",
    ),
    "not_directed": ("The template is open: people claim its vouchers themselves.", "Use a directed template."),
    "name_differs": (
        "The name that was sent or asserted is not the one that the person is registered under, however it is spelt.",
        "The bureau looks at it; a name that changed is corrected at `POST /v1/people/{person_id}/corrections`.",
    ),
    "claim_window_not_open": ("Before the first day of claiming.", "Show the date; claim from then on."),
    "claim_window_over": ("After the last day of claiming.", "Do not offer it any more."),
    "already_claimed": (
        "The person has a voucher of this template, whatever became of it.",
        "Show that voucher (`voucher_id`). Also what a repeated claim gets under another key.",
    ),
    "not_eligible": (
        "The template's rule on who may claim is not met; `rules` names its parts, `reason` is the region's service's.",
        "Show the reason; the region's help line knows more.",
    ),
    "proxy_limit_reached": (
        "The region allows one relative to act for so many people; 0: it allows none.",
        "Show it; one of the relations may be ended first.",
    ),
    "eligibility_service_disabled": ("It was disabled; nobody asks it.", "Decide it anew, if it is to be asked again."),
    "eligibility_service_unavailable": (
        "The service that the template's rule asks gave no answer that can be relied on; `reason` says what was wrong "
        "with it. Nothing changed.",
        f"{WAIT} If it stays, tell the region: docs/eligibility-service.md.",
    ),
    "rules_in_force": ("The date of this version has come: it cannot be withdrawn.", "Decide a next version."),
    "cap_reached": (
        "One more would break a cap of the region.",
        "Show it to the person; a yearly cap ends with the year.",
    ),
    "holds_another": (
        "The region allows one at a time, and another is held; also when a use is to be reversed.",
        "At a claim show that voucher (`voucher_id`); at a desk the person knows which.",
    ),
    "sold_out": (
        "Every part of the stock was seen empty.",
        "Show it; more may be added, then the same key may be used.",
    ),
    # presenting, using, undoing
    "token_not_accepted": ("The QR code is not one that counts here and now.", "Show the code anew, scan again."),
    "code_not_accepted": ("The typed code has a typing error, or no voucher has it.", "Type it again."),
    "already_redeemed": (
        "The voucher is in use already, here or elsewhere.",
        "Tell when and where. A repeated request with its own key gets its first answer instead.",
    ),
    "expired": ("After the last day of validity, whether or not the job has run.", "Nothing; it is over."),
    "voucher_ended": ("Returned, revoked, forfeited or written off.", "Nothing; it is over."),
    "duty_required": (
        "The operator who signed has none of the duties that this act needs.",
        "Let an operator sign who has one of `duties`.",
    ),
    "person_not_found": (
        "Nobody has this number or id, or none of their vouchers is of the asker's regions.",
        "Check the number, and the scope of client and operator.",
    ),
    "same_operator": ("The operator who proposed the merge confirms it too.", "Let another operator confirm."),
    "merge_not_found": ("No merge has this id, or it is of another region.", FIND),
    "record_merged": ("To be changed, but merged into another record.", "Act on the record `person_id`."),
    "records_linked": (
        "To be merged, but one of them leads to another record already, or has too many that lead to it.",
        "Take the record that stays (search finds it); or undo the earlier merge.",
    ),
    "both_hold": (
        "To be merged, but both have a voucher of one template, and neither came to nothing.",
        "Revoke one, or let it be given back; then propose again.",
    ),
    "relations_stand": (
        "To be merged into another, but it acts for somebody, or is acted for.",
        "The person or the relative ends the relation in a session of their own; then propose again.",
    ),
    "merge_state": ("Confirmed or undone already.", "Read the merge."),
    "undo_window_over": ("Confirmed more than 30 days ago.", "Nothing."),
    "number_taken": (
        "The number leads to another record.",
        "Compare the two; if both are one person, `POST /v1/merges` with `person_id`.",
    ),
    "number_known": ("The number leads to this very person.", "Nothing."),
    "flag_not_set": (
        "To be taken away, but no region within the asker's scope has put it.",
        "Search the person; its `flags` name the regions.",
    ),
    "person_flagged": (
        "An authority flagged the person as deceased, or as not eligible for vouchers of this region.",
        "Nothing; the person or a relative asks the authority, which can take the flag away.",
    ),
    "not_claimed": ("Issued, but not claimed by its person yet.", "The person claims it first."),
    "not_yet_valid": ("Before the first day of validity.", "Show the date."),
    "used_too_often": (
        "Used and reversed, or applied for, so often that its history keeps only room for its end.",
        "Nothing; the person asks the issuing authority.",
    ),
    "wrong_institution": ("The terms name institutions, and this is none of them.", "Nothing at this institution."),
    "wrong_course": (
        "The course is of another institution or programme, or not among those that the terms name.",
        "Choose another course.",
    ),
    "not_redeemed": (
        "To be reversed, or applied for, but not in use.",
        "Read the voucher; it may be done already.",
    ),
    "completed_elsewhere": (
        "By this voucher another class was completed.",
        "Apply for it with that class.",
    ),
    "reversal_window_over": (
        "Later than the region lets a redemption be reversed.",
        "Nothing; the authority can revoke.",
    ),
    "not_held": ("To be given back, but used or ended.", "Read the voucher."),
    "not_revocable": ("To be revoked, but applied for or ended.", "Read the voucher."),
    "checked_in_before": (
        "To be reversed, but the person was at a class by it.",
        "Nothing; the authority can revoke.",
    ),
    # classes, check-ins
    "class_not_found": ("There is no such class, or it is not yours to see.", FIND),
    "session_not_found": ("The class has no session of this id, or none that is held.", FIND),
    "not_enrolled": ("The person is not, or no longer, on the class.", "Put them on it first."),
    "class_state": (
        "The class is finished or cancelled; or it is to be finished before all its sessions are over.",
        "Read the class.",
    ),
    "session_over": ("The session is cancelled; or it is to be moved and has begun.", "Read the class."),
    "class_full": (
        "More would be on the class than it has seats; nobody was put on it.",
        "Send fewer.",
    ),
    "enrolled_already": ("By this voucher its holder is on a class, or they are on this one.", "Nothing; it is done."),
    "not_redeemed_here": (
        "The voucher is not in use, or at another institution, or for another course.",
        "Redeem it first: `POST /v1/redemptions`.",
    ),
    "classes_overlap": (
        "Another class of the person is at the same time.",
        "Take them off the other class first; if it is of the same course, let them change from it.",
    ),
    "already_checked_in": (
        "One check-in counts per person and session, whatever the way.",
        "Show when; a repeated request with its own key gets its first answer instead.",
    ),
    # money
    "application_not_found": ("Nobody made such an application, or it is another's.", "Check the id."),
    "attachment_not_found": ("The application has no such attachment.", "Check the id."),
    "line_not_found": ("The voucher stands on no line of this application.", "Read its lines."),
    "application_state": (
        "The application's state does not allow the act.",
        "Read it: it is still being built, decided, settled or cancelled.",
    ),
    "application_busy": ("A decision in bulk is being carried out.", "Wait until `bulk.finished_at` is there."),
    "line_state": ("The line is decided already.", "Read its lines; nothing was changed."),
    "attachments_missing": ("The region wants attachments that are not there.", "The institution adds them."),
    "attachment_not_stored": ("The file was not put, or is of another size.", "Put it by the address that was given."),
    "settled_elsewhere": (
        "The region reviews and pays in its own system; what it was handed is not taken back here either.",
        "Report its results: paid, refused, or returned.",
    ),
    "over_claim": ("More was granted than was claimed.", "Grant at most what was claimed."),
    "over_ceiling": ("The claim is above what the voucher can cost, or nothing.", "Claim at most the ceiling."),
    "already_applied": ("The voucher stands in a live application.", "Wait for that one, or take it back."),
    "filing_over": ("The class's deadline for applying is over.", "Nothing; the voucher is forfeited."),
    "not_checked_in": ("A check-out needs a check-in of the same session.", "Check in first, if the session goes on."),
    "already_checked_out": (
        "One check-out counts per person and session; what was entered by hand counts whole.",
        "Show when; the institution may set it right by hand.",
    ),
    "already_excused": ("Leave from the session is entered already.", "Nothing; it is done."),
    "check_in_not_open": ("Before the session's window.", "Show when it opens."),
    "check_in_over": ("After the session, or after the last one.", "The institution may enter it by hand."),
    "online_session": ("A position was sent, and the session has no place.", "Scan the class's code."),
    "position_mocked": ("The device's system says that the position is made up.", "Ask to turn it off."),
    "datum_unknown": ("The datum is none of wgs84, gcj02, bd09; it is never assumed.", "Mend the channel."),
    "position_invalid": ("No numbers, or no degrees.", "Mend the channel."),
    "position_zero": ("The device had no position yet.", "Wait for a position, send it again."),
    "position_swapped": ("Latitude and longitude stand in each other's place.", "Mend the channel."),
    "position_outside_china": ("The place is not in China.", "Show it."),
    "position_inaccurate": ("The device's own accuracy is worse than the region takes.", "Try again outside, or scan."),
    "too_far": ("Farther from the class's place than its radius, in GCJ-02.", "Show the distance."),
    "too_fast": ("Nobody comes that far in that time from where they checked in last.", "Show it; staff may scan."),
    "class_code_not_accepted": ("Not this session's code, or older than two periods.", "Scan the one shown now."),
    "not_completed": ("The class is not finished, or the person has not completed it.", "Wait for its end."),
    "evaluation_over": ("Later after the class than the region takes evaluations.", "Nothing; it is over."),
    "words_not_found": ("Nothing of this id is held; it may have been released.", FIND),
    "reported_too_late": (
        "A check-in of a region's tool that comes later than the region takes them.",
        "The institution may enter it by hand.",
    ),
    "too_many_by_hand": (
        "More of the person's check-ins would be by hand than the region allows.",
        "Nothing; the authority decides.",
    ),
    # settlement outside, claw-back, publicity
    "objection_not_found": ("The application has no objection of this number.", FIND),
    "settled_here": (
        "A result came for an application that is reviewed and paid on the platform.",
        "Review and pay it here.",
    ),
    "settled_otherwise": (
        "The line has another result already; each counts once.",
        "Compare; what was paid by mistake is clawed back.",
    ),
    "no_publicity": ("The region's `publicity_days` are 0.", "Nothing; it is payable as it is."),
    "already_published": ("It was published before.", "Nothing."),
    "not_published": ("An objection came for an application that was never published.", "Publish it first."),
    "too_many_objections": ("So many objections are kept of one application.", "Look into it as a whole."),
    "objection_resolved": ("It was upheld or dismissed before.", "Nothing; a new one may be entered."),
    "publicity_not_over": (
        "It is not published, the last day is not over, or an objection is open.",
        "Publish it, wait, resolve what is open; then pay.",
    ),
    "nothing_to_recover": ("More is claimed back than was paid and is still there.", "Claim `left_fen` at most."),
    # later, please
    "contended": ("Too many wrote the same rows; an act on a template may stand, its shards not yet follow.", WAIT),
}

# What a fact says and in which unit; "code.fact" where one name says different things.
FACTS: Mapping[str, str] = {
    "application_id": "the application",
    "ceiling_fen": "fen",
    "claimed_fen": "fen",
    "kinds": "kinds of attachments",
    "filing_over.until": "local date",
    "at": "instant",
    "capacity": "seats",
    "class_id": "the class",
    "checked_in_before.count": "check-ins",
    "ended_at": "instant",
    "opens_at": "instant",
    "hours": "hours",
    "metres": "metres",
    "radius": "metres",
    "result": "`present` or `late`",
    "session": "id of the session",
    "percent": "per cent of the sessions",
    "position_inaccurate.limit": "metres",
    "too_fast.seconds": "seconds",
    "allowed": "methods, separated by commas",
    "body_too_large.limit": "bytes",
    "cap_reached.limit": "vouchers",
    "effective_from": "first day, China",
    "proxy_limit_reached.limit": "people",
    "not_eligible.reason": "a sentence in English",
    "rules": "names of rules, as the template has them",
    "claim_from": "first day, China",
    "claim_until": "last day, China",
    "channels": "names of channels that are open, separated by commas; twenty at most",
    "claimed_at": "instant",
    "count": "how many `errors`",
    "duties": "duties of which one will do, separated by commas",
    "first_month": "`2021-06`, China",
    "last_month": "`2021-06`, China",
    "month": "as it was asked for",
    "year": "the account's",
    "flag": "`deceased` or `ineligible`",
    "free_fen": "fen",
    "amount_differs.fen": "fen",
    "expected_fen": "fen",
    "institution_id": "where",
    "institution_name": "where, in Chinese",
    "invalid_request.reason": "a sentence in English",
    "listing_full.limit": "templates",
    "needed_fen": "fen",
    "person_id": "the other record; none where it is outside the asker's scope",
    "eligibility_service_unavailable.region": "whose service",
    "record_merged.person_id": "the record that counts",
    "reason": "a word of the list below",
    "redeemed_at": "instant",
    "retry_after_seconds": "seconds to the next window",
    "rule": "the cap's id in the region's rule set",
    "seconds": "tolerance, seconds",
    "state": "the state now",
    "too_many_requests.limit": "requests in a window",
    "used_too_often.limit": "entries of its history",
    "until": "instant",
    "already_published.until": "last day, China",
    "publicity_not_over.until": "last day, China, or `not published yet`",
    "objections": "objections that are open",
    "too_many_objections.limit": "objections",
    "outcome": "`paid`, `refused` or `returned`",
    "settled_on": "day, China",
    "left_fen": "fen",
    "valid_from": "first day, China",
    "valid_until": "last day, China",
    "template_id": "the template that both have",
    "voucher_id": "the voucher that is there",
    "what": "its id",
    "window_seconds": "seconds",
}

# Codes that the gateway says on its own, before or instead of us.
GATEWAY_ADVICE: Mapping[str, str] = {
    "no_such_route": "Compare with `GET /v1/openapi.json`.",
    "body_too_large": MEND,
    "unsupported_media_type": MEND,
    "bad_request": MEND,
    "too_many_requests": "The whole stage is throttled. Wait `Retry-After`, send it again with the same key.",
    "outcome_unknown": WAIT,
    "gateway_refused": MEND,
}


def http_errors() -> list[type[DomainError]]:
    """The refusals that only HTTP knows, in the order of their page."""
    return _sorted_by_line(refusals)


def _errors(_: str) -> str:
    parts = []
    for section, kinds in groupby(every_error(), _section_of):
        parts.append(f"### {section}\n\n{_error_table(list(kinds))}")
    return "\n".join(parts)


def _http_errors(_: str) -> str:
    return _error_table(http_errors())


def _error_table(kinds: Sequence[type[DomainError]]) -> str:
    rows = []
    for kind in kinds:
        when, what_to_do = advice_on(kind)
        rows.append(
            [f"`{kind.code}` {status_of(kind)}", when, f"{kind.zh}<br>{kind.en}", _facts_said(kind), what_to_do]
        )
    return table(["code", "when", "text", "facts", "what the caller does"], rows)


def advice_on(kind: type[DomainError]) -> tuple[str, str]:
    """When it comes and what to do. Raises LookupError for an error that nobody has described."""
    told = vars(kind).get("__doc__")
    if kind.code in ADVICE:
        return ADVICE[kind.code]
    if not told:
        raise LookupError(
            f"nobody has described {kind.code}: in ADVICE of tools/reference_docs.py, or in its docstring"
        )
    first, _, _ = told.partition("\n")
    return first, "–"


def _facts_said(kind: type[DomainError]) -> str:
    said = []
    for fact in sorted(facts_of(kind)):
        meaning = FACTS.get(f"{kind.code}.{fact}") or FACTS.get(fact)
        if meaning is None:
            raise LookupError(f"FACTS of tools/reference_docs.py does not say what {kind.code}'s fact {fact} is")
        said.append(f"`{fact}`: {meaning}")
    return "<br>".join(said) or "–"


def facts_of(kind: type[DomainError]) -> set[str]:
    """What an instance may carry: what its sentences name and what the code hands over where it is made."""
    named = {name for text in (kind.zh, kind.en) for _, name, _, _ in Formatter().parse(text) if name}
    return {fact for fact in named | _handed().get(kind.__name__, set()) if not fact.endswith("_zh")}


@cache
def _handed() -> dict[str, set[str]]:
    """For each class of error: the names of the facts that any place in chalicelib gives it."""
    handed: dict[str, set[str]] = {}
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                given = {keyword.arg for keyword in node.keywords if keyword.arg not in (None, "pointer")}
                handed.setdefault(name, set()).update(str(one) for one in given)
    return handed


def _section_of(kind: type[DomainError]) -> str:
    """The comment that heads the part of errors.py in which a class stands."""
    lines = inspect.getsource(errors).splitlines()[: inspect.getsourcelines(kind)[1]]
    heads = [found[1] for line in lines if (found := re.fullmatch(r"# -+ (.+?) -+", line))]
    return heads[-1].capitalize() if heads else "In general"


def _sorted_by_line(module: Any) -> list[type[DomainError]]:
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, DomainError) and kind.__module__ == module.__name__
    ]
    return sorted(kinds, key=lambda kind: inspect.getsourcelines(kind)[1])


def _reasons(_: str) -> str:
    return table(["`reason`", "中文", "English"], [[f"`{word}`", zh, en] for word, (zh, en) in words.REASONS.items()])


def _titles(_: str) -> str:
    return table(["status", "中文", "English"], [[str(status), zh, en] for status, (zh, en) in TITLES.items()])


def _gateway_errors(_: str) -> str:
    rows: dict[tuple[str, str], str] = {}
    for status, code in gateway_codes():
        rows[code, status] = GATEWAY_ADVICE[code]
    return table(["code", "what the caller does"], [[f"`{code}` {status}", do] for (code, status), do in rows.items()])


def gateway_codes() -> Iterator[tuple[str, str]]:
    """Status and code of what API Gateway answers itself, as infra/app.yaml has it."""
    template = yaml.safe_load((ROOT / "infra" / "app.yaml").read_text("utf-8"))
    responses = template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    for name, response in responses.items():
        said = json.loads(response["ResponseTemplates"]["application/json"])
        yield str(response.get("StatusCode", {"DEFAULT_4XX": "4xx", "DEFAULT_5XX": "5xx"}.get(name))), said["code"]


# --- operations ------------------------------------------------------------------------------------------------------


def _operations(_: str) -> str:
    parts = []
    for tag, title in openapi.TAGS.items():
        found = [one for one in OPERATIONS if one.tag == tag]
        rows = [[f"`{one.label}`", f"{one.zh} {one.en}", _who(one), _needs(one), _answer(one)] for one in found]
        parts.append(f"**{title}**\n\n" + table(["operation", "", "who", "needs", "answers"], rows))
    return "\n".join(parts)


def _who(one: Operation) -> str:
    if one.act is None:
        return "anybody"
    acts = {one.act} | ({access.Act.SERVE_HOLDER} if one.holder == "may" else set())
    roles = [role for role in Role if any(_may(role, act) for act in acts)]
    return "all roles" if len(roles) == len(Role) else ", ".join(roles)


def _may(role: Role, act: access.Act) -> bool:
    client = Client("", "", role, (), (), (), NEVER)
    try:
        access.may(Actor(client, Operator("", "", "", "", None, NEVER, duties=tuple(Duty))), act)
    except errors.Forbidden:
        return False
    return True


def _needs(one: Operation) -> str:
    needs = []
    if one.changes:
        needs.append("key")
    if one.act is not None and access.needs_operator(one.act):
        needs.append(f"operator: {' or '.join(access.DUTIES[one.act])}")
    if one.holder != "none":
        needs.append("session" if one.holder == "must" else "session (channels)")
    return ", ".join(needs) or "–"


def _answer(one: Operation) -> str:
    said = " or ".join("SVG" if shape.__name__ == "Picture" else f"`{shape.__name__}`" for shape in one.answer)
    return f"{one.status} {'a page of ' if one.listed else ''}{said}"


def _example(label: str) -> str:
    """Request and response of an operation as the tests recorded them; long texts are cut."""
    example = json.loads(openapi.EXAMPLES.read_text("utf-8"))[label]
    lines = [f"{label.partition(' ')[0]} {_cut(example['target'])}"]
    if example.get("request"):
        lines += [_json(example["request"])]
    lines += ["", str(example["status"]), _json(example["response"])]
    return "```\n" + "\n".join(lines) + "\n```"


def _json(value: object) -> str:
    return json.dumps(_shortened(value), ensure_ascii=False, indent=2)


def _shortened(value: object) -> object:
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return re.sub(r"[A-Za-z0-9._-]{60,}", lambda found: found[0][:24] + "…", text)


_PARTS: Mapping[str, Callable[[str], str]] = {
    "errors": _errors,
    "http errors": _http_errors,
    "gateway errors": _gateway_errors,
    "reasons": _reasons,
    "titles": _titles,
    "operations": _operations,
    "example": _example,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
