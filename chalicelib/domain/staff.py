"""Staff of institutions (机构工作人员), who scan by their own e-SSC (扫一扫), through a channel. domain.md §2."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.errors import StaffDisabled


@dataclass(frozen=True, slots=True)
class StaffMember:
    """One person at one institution; at another one the same person is another member.

    ``sealed_profile`` opens only in the context of this ``staff_id``. ``changed_by``: the operator of the last act.
    """

    staff_id: str
    institution_id: str
    sealed_profile: str
    masked_name: str
    masked_number: str
    made_at: datetime
    changed_by: str | None
    disabled_at: datetime | None = None
    version: int = 1


def must_serve(member: StaffMember) -> None:
    """Raises StaffDisabled."""
    if member.disabled_at is not None:
        raise StaffDisabled()
