"""Rosters (名单): a file on which people stand, and what becomes of each row. domain.md §6.

A roster is declared, its file comes, the bureau accepts it (an institution's waits for that), and it is worked off
chunk by chunk. Each chunk is one transaction with its mark: what the mark says of a row is what was done with it.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import RosterStateRefused
from chalicelib.domain.voucher import State

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 500_000
MOST_ROWS_AT_ONCE = 20_000
"""Of a roster that is issued all or nothing: it is judged as a whole within one run."""
MOST_TRIES = 20
"""After so many runs in a row that brought nothing, an errand is given up and an alarm rings."""


class RosterKind(StrEnum):
    """What the rows are. Only vouchers are issued; the others are recorded."""

    VOUCHERS = "vouchers"
    ELIGIBLE = "eligible"
    INSTITUTIONS = "institutions"
    COURSES = "courses"
    STAFF = "staff"
    SETTLEMENTS = "settlements"
    PAYMENT_RESULTS = "payment_results"


class RosterState(StrEnum):
    DECLARED = "declared"  # its file has not come
    SUBMITTED = "submitted"  # the file is there; the bureau has not said anything
    ACCEPTED = "accepted"  # waits for its turn
    RUNNING = "running"
    PAUSED = "paused"  # the region's eligibility service does not answer; it goes on by itself
    FINISHED = "finished"
    UNREADABLE = "unreadable"  # the file was refused as a whole; ``problem`` says why
    RETURNED = "returned"
    CANCELLED = "cancelled"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


ROSTER_STATE_ZH: Mapping[RosterState, str] = {
    RosterState.DECLARED: "待上传",
    RosterState.SUBMITTED: "待受理",
    RosterState.ACCEPTED: "已受理",
    RosterState.RUNNING: "处理中",
    RosterState.PAUSED: "已暂停",
    RosterState.FINISHED: "已完成",
    RosterState.UNREADABLE: "文件无法读取",
    RosterState.RETURNED: "已退回",
    RosterState.CANCELLED: "已取消",
    RosterState.WITHDRAWING: "撤回中",
    RosterState.WITHDRAWN: "已整批撤回",
}
OVER = frozenset({RosterState.FINISHED, RosterState.CANCELLED, RosterState.WITHDRAWN})
"""These have a result to be fetched."""
AT_WORK = frozenset({RosterState.ACCEPTED, RosterState.RUNNING, RosterState.PAUSED})
"""The import may go on in these."""

_AT_WORK_TO = frozenset(
    {
        RosterState.RUNNING,
        RosterState.PAUSED,
        RosterState.FINISHED,
        RosterState.UNREADABLE,
        RosterState.CANCELLED,
    }
)
FOLLOWS: Mapping[RosterState, frozenset[RosterState]] = {
    RosterState.DECLARED: frozenset(
        {RosterState.SUBMITTED, RosterState.ACCEPTED, RosterState.UNREADABLE, RosterState.CANCELLED}
    ),
    RosterState.SUBMITTED: frozenset({RosterState.ACCEPTED, RosterState.RETURNED, RosterState.CANCELLED}),
    RosterState.ACCEPTED: _AT_WORK_TO,
    RosterState.RUNNING: _AT_WORK_TO,
    RosterState.PAUSED: _AT_WORK_TO,
    RosterState.FINISHED: frozenset({RosterState.WITHDRAWING}),
    RosterState.CANCELLED: frozenset({RosterState.WITHDRAWING}),
    RosterState.WITHDRAWING: frozenset({RosterState.WITHDRAWN}),
    RosterState.WITHDRAWN: frozenset(),
    RosterState.UNREADABLE: frozenset(),
    RosterState.RETURNED: frozenset(),
}


class Verdict(StrEnum):
    """What became of a row."""

    ISSUED = "issued"  # of a dry run: could be issued; of what is no voucher: recorded
    SAME = "same"  # there already, with equal content
    CONFLICT = "conflict"  # there already, with other content
    ENDED = "ended"  # there, but over
    REFUSED = "refused"


VERDICT_ZH: Mapping[Verdict, str] = {
    Verdict.ISSUED: "已发放",
    Verdict.SAME: "已存在（内容相同）",
    Verdict.CONFLICT: "已存在（内容不同）",
    Verdict.ENDED: "已失效",
    Verdict.REFUSED: "未通过",
}


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What became of the row that stands as ``number`` in the sheet (from 1). ``code`` and the sentences say why it was
    refused, ``column`` where that can be told; nothing here names anybody."""

    number: int
    verdict: Verdict
    voucher_id: str | None = None
    code: str | None = None
    column: str | None = None
    zh: str | None = None
    en: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what became of them; their sum is how many were read."""

    issued: int = 0
    same: int = 0
    conflict: int = 0
    ended: int = 0
    refused: int = 0

    @property
    def read(self) -> int:
        return self.issued + self.same + self.conflict + self.ended + self.refused

    def with_all(self, rows: Collection[RowVerdict]) -> "Counts":
        seen = {verdict: sum(one.verdict is verdict for one in rows) for verdict in Verdict}
        return Counts(**{verdict.value: getattr(self, verdict) + n for verdict, n in seen.items()})


@dataclass(frozen=True, slots=True)
class Chunk:
    """The mark of a chunk: the rows after ``after`` and up to ``until``, with what became of each person's row."""

    roster_id: str
    after: int
    until: int
    rows: tuple[RowVerdict, ...]


@dataclass(frozen=True, slots=True)
class WithdrawnRow:
    """What the withdrawal of a roster did with a voucher that the row was issued: ``state`` is the one that it has
    now."""

    number: int
    voucher_id: str
    revoked: bool
    state: State


@dataclass(frozen=True, slots=True)
class WithdrawnChunk:
    """The mark of a chunk's withdrawal."""

    roster_id: str
    until: int
    rows: tuple[WithdrawnRow, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the result workbook says of the row that stands as ``number`` in the sheet; in Chinese."""

    number: int
    result: str
    reason: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How far the withdrawal of a whole roster has come. ``kept``: vouchers that could not be taken away any more."""

    reason: str
    operator_id: str | None
    app_key: str
    asked_at: datetime
    done_until: int = 0
    finished_at: datetime | None = None
    revoked: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """One roster. ``sha256`` in hex and ``size`` in bytes are those that were declared, or those of the file.

    ``institution_id``: who submitted it, where an institution did. ``done_until``: the last row of the sheet that is
    done. ``rows``: rows with people on them, once the file was read through. ``decided_by``, ``decided_for``: the
    operator who lets it be worked off, and by which client. ``all_or_nothing``: rows are judged first, then issued, if
    none was refused; ``reserved``: units that are set aside for that, ``held_back``: some was.
    """

    roster_id: str
    kind: RosterKind
    template_id: str | None
    region: str
    file_name: str
    size: int
    sha256: str | None
    state: RosterState
    made_at: datetime
    app_key: str
    operator_id: str | None
    institution_id: str | None = None
    dry_run: bool = False
    all_or_nothing: bool = False
    reserved: int | None = None
    held_back: bool = False
    object_key: str | None = None
    object_version: str | None = None
    counts: Counts = field(default_factory=Counts)
    rows: int | None = None
    hidden_rows: int = 0
    done_until: int = 0
    chunks: int = 0
    decided_by: str | None = None
    decided_for: str | None = None
    reason: str | None = None
    problem: str | None = None
    problem_zh: str | None = None
    problem_en: str | None = None
    started_at: datetime | None = None
    worked_at: datetime | None = None
    finished_at: datetime | None = None
    result_at: datetime | None = None
    withdrawal: Withdrawal | None = None
    version: int = 1


def go(roster: Roster, state: RosterState, **changes: object) -> Roster:
    """The roster in its next state, by the table of steps. Raises RosterStateRefused."""
    if state not in FOLLOWS[roster.state]:
        raise RosterStateRefused(state=roster.state, state_zh=ROSTER_STATE_ZH[roster.state])
    return replace(roster, state=state, version=roster.version + 1, **changes)  # type: ignore[arg-type]


def noted(roster: Roster, **changes: object) -> Roster:
    """The roster with something more known of it, in the state that it has."""
    return replace(roster, version=roster.version + 1, **changes)  # type: ignore[arg-type]


def enter(roster: Roster, chunk: Chunk, now: datetime) -> Roster:
    """The roster with one more chunk done; no row is ever done twice."""
    if any(not roster.done_until < row.number <= chunk.until for row in chunk.rows):
        raise AssertionError(f"roster {roster.roster_id}: a chunk until {chunk.until} after {roster.done_until}")
    return go(
        roster,
        RosterState.RUNNING,
        counts=roster.counts.with_all(chunk.rows),
        done_until=chunk.until,
        chunks=roster.chunks + 1,
        started_at=roster.started_at or now,
        worked_at=now,
    )


def per_cent(roster: Roster) -> int:
    """How much of it is done; 100 only when all is."""
    if roster.state in (RosterState.FINISHED, RosterState.WITHDRAWING, RosterState.WITHDRAWN):
        return 100
    if not roster.rows:
        return 0
    return min(99, roster.counts.read * 100 // roster.rows)


def estimated_end(roster: Roster) -> datetime | None:
    """When it will be done if it goes on as so far."""
    if roster.state is not RosterState.RUNNING or not roster.rows or not roster.counts.read:
        return None
    if roster.started_at is None or roster.worked_at is None:
        return None
    left = roster.rows - roster.counts.read
    return roster.worked_at + (roster.worked_at - roster.started_at) / roster.counts.read * left


@dataclass(frozen=True, slots=True)
class RosterErrand:
    """What the import function is told by a message of our own: to go on with a roster, whatever is next for it by its
    state. ``tried``: how often in a row that came to nothing."""

    roster_id: str
    tried: int = 0

    def text(self) -> str:
        """As it stands in a message."""
        return json.dumps({"roster_id": self.roster_id, "tried": self.tried})

    @staticmethod
    def read(said: Mapping[str, object]) -> "RosterErrand":
        """Raises KeyError, ValueError for what is none of ours."""
        return RosterErrand(str(said["roster_id"]), int(str(said["tried"])))


def content(values: Sequence[tuple[str, str]]) -> bytes:
    """What of a row is compared when the same person stands on a roster again: names and values that are not empty."""
    said = sorted((name, value) for name, value in values if value)
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


INCOMING = "rosters/incoming/"
"""Where files are put; what stands under it brings the import function."""
DECLARED, DIRECT = f"{INCOMING}declared/", f"{INCOMING}direct/"
RESULTS, TEMPLATES = "rosters/results/", "rosters/templates/"


def result_key(roster_id: str) -> str:
    return f"{RESULTS}{roster_id}.xlsx"


def declared_key(roster_id: str) -> str:
    """Where the file of a declared roster is put: no name of anybody stands in a key of ours."""
    return f"{DECLARED}{roster_id}"


def id_of_object(key: str, object_version: str) -> str:
    """The roster of a file that was put straight under the prefix: the same for each notification of it."""
    digest = hashlib.sha256(f"{key}\n{object_version}".encode()).digest()
    return "".join(_BASE32[byte & 31] for byte in digest[:16])


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
