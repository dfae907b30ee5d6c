"""What an authority changed of a person, kept beside them for ever: what, by whom, when, why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RecordKind(StrEnum):
    CORRECTION = "correction"
    NUMBER = "number"
    FLAG_SET = "flag_set"
    FLAG_CLEARED = "flag_cleared"
    MERGED = "merged"
    MERGE_UNDONE = "merge_undone"


@dataclass(frozen=True, slots=True)
class Record:
    """One change. ``number`` is the version of the person's row that it made.

    ``facts`` say what is not personal, or masked. ``sealed_before``: the profile that the change took the place of; it
    opens for this record alone.
    """

    person_id: str
    number: int
    kind: RecordKind
    app_key: str
    operator_id: str | None
    reason: str
    made_at: datetime
    facts: Mapping[str, str | None] = field(default_factory=dict)
    sealed_before: str | None = field(default=None, repr=False)
