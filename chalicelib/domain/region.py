"""Regions (行政区划, GB/T 2260) and the rule set that each one has.

Source: 粤人社函〔2021〕101号 leaves caps, windows and deadlines to the regions; hence versions, never constants.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
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


class Overlaps(StrEnum):
    """What becomes of somebody who is put on two classes at one time."""

    REFUSED = "refused"
    FLAGGED = "flagged"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``limit`` vouchers of one region for a person, per window and kind."""

    rule: str
    window: Window
    by: CapBy
    limit: int


@dataclass(frozen=True, slots=True)
class RosterColumn:
    """What a region's rosters of one kind have beside the template: more words (``aliases``) for the header of one of
    its columns, or, with a ``title``, a column more: a text that nobody need fill in."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    title: str | None = None
    title_en: str | None = None
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a region decided, from ``effective_from`` on (local date); what is None it leaves to the region above.

    ``withdrawn_at``: taken back while it still waited for its date.
    """

    region: str
    version: int
    effective_from: date
    caps: tuple[Cap, ...] | None = None
    one_at_a_time: bool | None = None
    redeemed_counts_as_held: bool | None = None
    give_back_frees_cap: bool | None = None
    validity_days: int | None = None
    proxy_limit: int | None = None
    attendance_percent: int | None = None
    check_in_radius: int | None = None
    check_in_opens: int | None = None
    check_in_late: int | None = None
    check_in_accuracy: int | None = None
    check_in_allowance: int | None = None
    check_in_top_speed: int | None = None
    check_in_grace: int | None = None
    check_out_closes: int | None = None
    hours_percent: int | None = None
    position_days: int | None = None
    class_code_seconds: int | None = None
    by_hand_percent: int | None = None
    overlaps: Overlaps | None = None
    evaluation_dimensions: tuple[str, ...] | None = None
    evaluation_days: int | None = None
    held_words: tuple[str, ...] | None = None
    completion_days: int | None = None
    filing_deadline: int | None = None
    review_days: int | None = None
    review_reasons: tuple[str, ...] | None = None
    second_review: bool | None = None
    publicity_days: int | None = None
    attachments_needed: tuple[str, ...] | None = None
    reversal_window: int | None = None
    separate_duties: bool | None = None
    external_settlement: bool | None = None
    help_line: str | None = None
    roster_columns: tuple[RosterColumn, ...] | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in a region on a day: each rule by the nearest of county, city, province and nation that decided it.

    ``decided_by`` names that region for each rule that one decided; the others stand at these defaults.
    ``caps``: vouchers of ``caps_of`` and all below it count together; ``one_at_a_time`` likewise over ``held_of``:
    no claim while another voucher there is held (issued or claimed, and in force; also redeemed ones if
    ``redeemed_counts_as_held``). ``validity_days``: how long a voucher is valid where its template does not say.
    ``proxy_limit``: people one relative may act for. ``attendance_percent`` of the sessions held earn the subsidy.
    ``check_in_radius`` in metres; ``check_in_opens``, ``check_in_late`` in seconds before and after a session's start.
    ``check_in_accuracy``: the worst that a position is taken with, of which ``check_in_allowance`` at most counts for
    the person, both in metres. ``check_in_top_speed`` in metres a second: nobody comes faster from one check-in to the
    next. ``check_in_grace`` in seconds: so late may a region's tool report. ``check_out_closes`` in seconds after a
    session's end. ``hours_percent`` of a session's length must be stayed for it to count; 0: hours do not count.
    ``position_days``: so long a check-in's position is kept, sealed; 0: it is dropped when it is judged.
    ``class_code_seconds``: a class's code is another after these. ``by_hand_percent`` of a class's sessions at most
    are entered by hand for one person. ``overlaps``: of somebody's classes. ``evaluation_dimensions``: what trainees
    rate, for ``evaluation_days`` after a class; what they write is held where one of ``held_words`` is in it.
    A used voucher's class is over ``completion_days`` after the use, or the voucher is forfeited; ``filing_deadline``
    in days after the class. An application is reviewed within ``review_days`` working days, with one of
    ``review_reasons``, by two reviewers where ``second_review`` says so, then published for ``publicity_days`` before
    it is paid; ``attachments_needed`` come with it. ``reversal_window`` in seconds from redemption.
    ``separate_duties``: requester, reviewer and payer are three operators. ``external_settlement``: reviewed and paid
    in the region's own system. Source: domain.md §3, §4.
    """

    region: str
    version: int
    caps: tuple[Cap, ...] = ()
    one_at_a_time: bool = False
    redeemed_counts_as_held: bool = False
    give_back_frees_cap: bool = True
    validity_days: int = 180
    proxy_limit: int = 3
    attendance_percent: int = 80
    check_in_radius: int = 300
    check_in_opens: int = 15 * 60
    check_in_late: int = 15 * 60
    check_in_accuracy: int = 200
    check_in_allowance: int = 50
    check_in_top_speed: int = 100
    check_in_grace: int = 72 * 3600
    check_out_closes: int = 30 * 60
    hours_percent: int = 0
    position_days: int = 0
    class_code_seconds: int = 15
    by_hand_percent: int = 20
    overlaps: Overlaps = Overlaps.REFUSED
    evaluation_dimensions: tuple[str, ...] = ("teaching", "content", "place", "service")
    evaluation_days: int = 30
    held_words: tuple[str, ...] = ()
    completion_days: int = 365
    filing_deadline: int = 90
    review_days: int = 20
    review_reasons: tuple[str, ...] = ("签到不足", "材料不全", "金额有误", "重复申请", "涉嫌虚假培训", "其他")
    second_review: bool = False
    publicity_days: int = 0
    attachments_needed: tuple[str, ...] = ()
    reversal_window: int = 24 * 3600
    separate_duties: bool = True
    external_settlement: bool = False
    help_line: str = "12333"
    roster_columns: tuple[RosterColumn, ...] = ()
    decided_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def caps_of(self) -> str:
        return self.decided_by.get("caps", self.region)

    @property
    def held_of(self) -> str:
        return self.decided_by.get("one_at_a_time", self.region)


DECIDABLE = tuple(f.name for f in fields(Rules) if f.name not in ("region", "version", "decided_by"))
"""The names of all rules that a region may decide."""


def resolve(region: str, chain: Sequence[RuleSet | None]) -> Rules:
    """The rules of a region from its own rule set and those above it, nearest first; None: nothing decided there."""
    there = [decided for decided in chain if decided is not None]
    chosen = {name: next((d for d in there if getattr(d, name) is not None), None) for name in DECIDABLE}
    values = {name: getattr(decided, name) for name, decided in chosen.items() if decided}
    own = next((d.version for d in there if d.region == region), 0)
    sources = {name: decided.region for name, decided in chosen.items() if decided}
    return Rules(region=region, version=own, **values, decided_by=sources)


def differences(before: Rules, after: Rules) -> tuple[str, ...]:
    """The rules that differ, by name."""
    return tuple(name for name in DECIDABLE if getattr(before, name) != getattr(after, name))
