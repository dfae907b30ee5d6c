"""A look at somebody's full data (查看完整证件号码): who looked, at whom, when, and why. domain.md §2, §5."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Kept for ever; nothing in it says who the person is. ``region`` is the operator's.

    ``class_id``: the positions that are kept of the person's check-ins there were shown too.
    """

    disclosure_id: str
    person_id: str
    region: str
    app_key: str
    operator_id: str
    reason: str
    made_at: datetime
    class_id: str | None = None
