"""Decide a region's rules: versions with a date, what they would change, and taking back one that still waits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Invalid, RulesInForce, RulesNotFound
from chalicelib.domain.identifiers import region_ancestors
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.region import Rules, RuleSet, differences, resolve
from chalicelib.domain.schemas import SCHEMAS, regional
from chalicelib.services.cataloguing import find_region
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Marks

LOOKED_BACK = 50
"""So many versions are looked through; more never wait at once."""


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that a draft would change: its value in the region, and the regions below that follow or do not."""

    rule: str
    before: Any
    after: Any
    follow: tuple[str, ...]
    decided_themselves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would hold in the region from the draft's date on, and what that changes."""

    rules: Rules
    changes: tuple[Change, ...]


def decide_rules(
    catalogue: Catalogue, marks: Marks, draft: RuleSet, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[RuleSet]:
    """Add the next version of a region's rule set; from its date on it stands instead of all before it. What the draft
    leaves at None is inherited from above.

    A version that waits for its date is replaced by one of the same date or a later one, never passed over by an
    earlier one, which would cancel it without a word: ``withdraw_rules`` takes it back. Raises RegionNotFound,
    OutOfScope, Invalid (date in the past, or before that of the version decided last; columns of rosters that cannot
    be told apart).
    """

    def act() -> RuleSet:
        latest = _check(catalogue, draft, actor, now)
        decided = replace(draft, version=latest + 1)
        catalogue.rule_sets.add(decided, Mark(attempt, decided, now))
        return decided

    return once(marks, attempt, RuleSet, now, act)


def preview_rules(catalogue: Catalogue, draft: RuleSet, *, actor: Actor, now: datetime) -> Preview:
    """What the draft would change, there and in all regions below, from its date on. Changes nothing.

    Raises as ``decide_rules``.
    """
    latest = _check(catalogue, draft, actor, now)
    region, day = draft.region, draft.effective_from
    decided = replace(draft, version=latest + 1)
    before = catalogue.rule_sets.in_force(region, day)
    after = resolve(region, [decided, *_decided(catalogue, region_ancestors(region), day)])
    below = list(_below(catalogue, region))
    changes = []
    for rule in differences(before, after):
        own = {code for code in below if _decides(catalogue, code, region, rule, day)}
        follow = tuple(code for code in below if code not in own)
        changes.append(Change(rule, getattr(before, rule), getattr(after, rule), follow, tuple(sorted(own))))
    return Preview(after, tuple(changes))


def withdraw_rules(
    catalogue: Catalogue, marks: Marks, region: str, version: int, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[RuleSet]:
    """Take back a version that still waits for its date. Raises RegionNotFound, OutOfScope, RulesNotFound,
    RulesInForce (its date has come)."""

    def act() -> RuleSet:
        find_region(catalogue, region)
        must_cover(actor, region)
        there = catalogue.rule_sets.versions(region, LOOKED_BACK, None).items
        found = next((one for one in there if one.version == version and one.withdrawn_at is None), None)
        if found is None:
            raise RulesNotFound()
        if found.effective_from <= calendar.local_date(now):
            raise RulesInForce(effective_from=found.effective_from.isoformat())
        withdrawn = replace(found, withdrawn_at=now)
        catalogue.rule_sets.withdraw(withdrawn, Mark(attempt, withdrawn, now))
        return withdrawn

    return once(marks, attempt, RuleSet, now, act)


def _check(catalogue: Catalogue, draft: RuleSet, actor: Actor, now: datetime) -> int:
    """The number of the region's last version."""
    find_region(catalogue, draft.region)
    must_cover(actor, draft.region)
    if draft.effective_from < calendar.local_date(now):
        raise Invalid(pointer="/effective_from", reason="a rule set cannot begin in the past")
    for kind in SCHEMAS:
        regional(kind, draft.roster_columns or ())
    there = catalogue.rule_sets.versions(draft.region, LOOKED_BACK, None).items
    standing = next((one for one in there if one.withdrawn_at is None), None)
    if standing is not None and draft.effective_from < standing.effective_from:
        raise Invalid(
            pointer="/effective_from",
            reason=f"the rule set decided last begins on {standing.effective_from}; the next cannot begin before it",
            reason_zh=f"上一版规则自 {standing.effective_from} 起生效，新版规则不能早于该日期生效",
        )
    return there[0].version if there else 0


def _decided(catalogue: Catalogue, regions: tuple[str, ...], day: date) -> list[RuleSet | None]:
    return [catalogue.rule_sets.decided(code, day) for code in regions]


def _below(catalogue: Catalogue, region: str) -> Iterator[str]:
    """All regions under this one."""
    cursor = None
    while True:
        page = catalogue.regions.page(region, 100, cursor)
        for child in page.items:
            yield child.code
            yield from _below(catalogue, child.code)
        cursor = page.cursor
        if cursor is None:
            return


def _decides(catalogue: Catalogue, code: str, above: str, rule: str, day: date) -> bool:
    """Whether the region, or one between it and ``above``, decided the rule itself."""
    between = [code, *(one for one in region_ancestors(code) if one != above and above in region_ancestors(one))]
    own = _decided(catalogue, tuple(between), day)
    return any(decided is not None and getattr(decided, rule) is not None for decided in own)
