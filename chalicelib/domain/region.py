"""Regions (行政区划, GB/T 2260) and the rule set that each one has.

Source: 粤人社函〔2021〕101号 leaves caps, windows and deadlines to the regions; hence versions, never constants.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from chalicelib.domain.identifiers import InvalidIdentifier, region_ancestors


@dataclass(frozen=True, slots=True)
class Region:
    """A place with an authority. ``code`` has six digits; 660000 (兵团) is a private code."""

    code: str
    name_zh: str
    name_en: str
    level: str
    parent: str | None


def within(code: str, scope: Iterable[str]) -> bool:
    """Whether a region lies in, or is, one of the scope's regions; what is no region's code lies in none."""
    try:
        around = {code, *region_ancestors(code)}
    except InvalidIdentifier:
        return False
    return not around.isdisjoint(scope)


class Window(StrEnum):
    YEAR = "year"  # natural year in China
    LIFETIME = "lifetime"


class CapBy(StrEnum):
    ALL = "all"
    PROGRAMME_TYPE = "programme_type"
    OCCUPATION_LEVEL = "occupation_level"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``limit`` vouchers of one region for a person, per window and kind."""

    rule: str
    window: Window
    by: CapBy
    limit: int


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a region decided, from ``effective_from`` on (local date).

    ``one_at_a_time``: no claim while another voucher of the region is held (issued or claimed, and in force; also
    redeemed ones if ``redeemed_counts_as_held``). ``reversal_window`` is in seconds from redemption.
    """

    region: str
    version: int
    effective_from: date
    caps: tuple[Cap, ...] = ()
    one_at_a_time: bool = False
    redeemed_counts_as_held: bool = False
    give_back_frees_cap: bool = True
    reversal_window: int = 24 * 3600
    help_line: str = "12333"
