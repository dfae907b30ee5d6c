"""What every step of a voucher answers: read off its history entry, so a repeated request gets the same words."""

from chalicelib.api.shapes import Instant, Shown
from chalicelib.domain.voucher import State


class ReceiptAnswer(Shown):
    """``version`` is the number of the history entry that the step wrote; ``facts`` depend on the step."""

    voucher_id: str
    template_id: str
    region: str
    step: str
    state: State
    version: int
    at: Instant
    facts: dict[str, str | int | None]
