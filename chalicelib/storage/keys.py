"""Every key of every table, in one place. ``docs/table.md`` says which access pattern each serves."""

import hashlib
from datetime import date

from chalicelib.domain.template import RELEASE_LANES

LANES = 32

HEAD = "0#HEAD"
PERSON = "0#PERSON"
IDENTITY = "0#IDENTITY"
SHARD = "0#SHARD"
VOUCHERS = "1#VOUCHER#"
ENROLMENTS = "2#ENROLMENT#"
ON_CLASS = "1#ON#"
RATINGS = "2#RATINGS"
WORDS = "3#WORDS#"
AMENDMENTS = "AMENDMENT#"
LISTS = "1#LISTED#"
RELATIONS = "7#RELATION#"
RECORDS = "7#RECORD#"
POSITIONS = "9#POSITION#"
CHUNKS = "1#CHUNK#"
WITHDRAWN = "2#WITHDRAWN#"
LINES = "1#LINE#"
PAYEES = "1#PAYEE#"
WAITING_HERE, WAITING_TODAY = "8#WAITING_HERE", "8#WAITING_TODAY"
OF_INSTITUTION = "9#OF_INSTITUTION"
OF_GIVER, OF_RECEIVER = "9#OF_GIVER", "9#OF_RECEIVER"
PUBLISHED = "9#PUBLISHED"


def voucher_item(template_id: str) -> str:
    return f"{VOUCHERS}{template_id}"


def relation_item(relation_id: str) -> str:
    return f"{RELATIONS}{relation_id}"


def listed_item(region: str) -> str:
    return f"{LISTS}{region}"


def staff_item(institution_id: str) -> str:
    """In the partition of a number: whom it leads to at the institution."""
    return f"STAFF#{institution_id}"


def record_item(number: int) -> str:
    return f"{RECORDS}{number:09d}"


def template(template_id: str) -> str:
    return f"TEMPLATE#{template_id}"


def shard(template_id: str, number: int) -> str:
    return f"TEMPLATE#{template_id}#SHARD#{number:03d}"


def to_release(lane: int) -> str:
    """The listing of shards with money that waits to be posted to their accounts."""
    return f"RELEASE#{lane:02d}"


def release_lane(template_id: str) -> int:
    """All shards of a template stand together, so that one posting frees what one account gets."""
    return hashlib.sha256(template_id.encode()).digest()[0] % RELEASE_LANES


def release_order(template_id: str, number: int) -> str:
    return f"{template_id}#{number:03d}"


def listing(region: str) -> str:
    return f"LISTING#{region}"


def terms_item(version: int) -> str:
    return f"TERMS#{version:06d}"


def amendment_item(number: int) -> str:
    return f"{AMENDMENTS}{number:06d}"


def rules_item(version: int) -> str:
    return f"RULES#{version:06d}"


def scope_item(region: str) -> str:
    return f"SCOPE#{region}"


def account(account_id: str) -> str:
    return f"ACCOUNT#{account_id}"


def budget_transfer(of: str) -> str:
    """Of a transfer of budget; and the listing of those within a province."""
    return f"BUDGET_TRANSFER#{of}"


def posting_item(number: int) -> str:
    return f"POSTING#{number:09d}"


def disclosure(disclosure_id: str) -> str:
    return f"DISCLOSURE#{disclosure_id}"


def enrolment_item(class_id: str) -> str:
    return f"{ENROLMENTS}{class_id}"


def training_class(class_id: str) -> str:
    return f"CLASS#{class_id}"


def on_class_item(person_id: str) -> str:
    """In the class's partition: that somebody is, or was, on it."""
    return f"{ON_CLASS}{person_id}"


def positions(class_id: str) -> str:
    return f"{POSITIONS}{class_id}#"


def position_item(class_id: str, session_id: str, leaving: bool) -> str:
    return f"{positions(class_id)}{session_id}#{'OUT' if leaving else 'IN'}"


def evaluation_item(class_id: str) -> str:
    return f"6#EVALUATION#{class_id}"


def words_item(words_id: str) -> str:
    """In the class's partition: what somebody wrote. The id is random, so the order tells nothing."""
    return f"{WORDS}{words_id}"


def merge(merge_id: str) -> str:
    return f"MERGE#{merge_id}"


def application(of: str) -> str:
    """Of an application's rows; and the listing of those of a region, or of an institution."""
    return f"APPLICATION#{of}"


def institution(institution_id: str) -> str:
    return f"INSTITUTION#{institution_id}"


def waiting(of: str) -> str:
    """The listing of applications that wait for a review: of a region, or of those whose last day it is."""
    return f"WAITING#{of}"


def publicity(region: str) -> str:
    """The listing of a region's published applications, by their last day."""
    return f"PUBLICITY#{region}"


def line_item(voucher_id: str) -> str:
    return f"{LINES}{voucher_id}"


def batch(of: str) -> str:
    """Of a payment batch's rows; and the listing of those of a region."""
    return f"BATCH#{of}"


def payee_item(sequence: int) -> str:
    return f"{PAYEES}{sequence:06d}"


def paid_to_item(holder: str) -> str:
    """Which payee of the batch an institution, or a person, is."""
    return f"2#PAID_TO#{holder}"


def asked_item(number: int) -> str:
    """Lines that were asked for one by one, some at a time."""
    return f"2#ASKED#{number:03d}"


def roster(roster_id: str) -> str:
    """Of a roster's rows; and the listing of those of a region, or of those that an institution submitted."""
    return f"ROSTER#{roster_id}"


def names(of: str) -> str:
    """Of the names under which a voucher was wanted, each of them once; and the listing of those of a region."""
    return f"NAMES#{of}"


LAST_CHUNK = 999_999_999
"""No row of a sheet comes after it."""


def chunk_item(until: int) -> str:
    """By the last row of the sheet that is in it."""
    return f"{CHUNKS}{until:09d}"


def withdrawn_item(until: int) -> str:
    return f"{WITHDRAWN}{until:09d}"


def mark(request: str) -> str:
    return f"MARK#{request}"


def due(day: date, lane: int) -> str:
    return f"{day.isoformat()}#{lane:02d}"


def due_lane(person_id: str) -> int:
    """Spread a day's rows over 32 partitions of the index."""
    return hashlib.sha256(person_id.encode()).digest()[0] % LANES


def due_order(template_id: str, shard_number: int, person_id: str) -> str:
    """Vouchers of one shard stand together, so that a chunk touches few shard rows."""
    return f"{template_id}#{shard_number:03d}#{person_id}"
