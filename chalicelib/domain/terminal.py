"""Terminals that read physical social security cards (社保卡终端) at an institution. domain.md §2, §4."""

from dataclasses import dataclass
from datetime import datetime

KID = "terminal:"
"""What the key of a terminal is called in what it signs: this, and the terminal's id."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Whoever holds its key vouches for the cards that it reads. ``public_key``: raw Ed25519, base64url."""

    terminal_id: str
    institution_id: str
    name: str
    public_key: str
    made_at: datetime
    made_by: str | None
    disabled_at: datetime | None = None
    version: int = 1
