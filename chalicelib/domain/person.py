"""A person's own row: caps counted and vouchers held. domain.md §3."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chalicelib.domain.errors import CapReached, PersonFlagged
from chalicelib.domain.region import Cap, CapBy, Rules, Window, within


@dataclass(frozen=True, slots=True)
class Profile:
    """What the e-SSC platform asserted of a person; sealed wherever it is kept."""

    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)
    mobile: str | None = field(default=None, repr=False)
    other_numbers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(type, number): corrected and additional ones, which lead to the same person."""


@dataclass(frozen=True, slots=True)
class CountKey:
    """What a cap may be counted by, kept whatever rules exist today."""

    region: str
    year: int
    programme_type: str
    occupation: str | None = None
    level: int | None = None

    def text(self) -> str:
        return "|".join(
            (self.region, str(self.year), self.programme_type, self.occupation or "", str(self.level or ""))
        )

    @staticmethod
    def read(text: str) -> "CountKey":
        region, year, programme_type, occupation, level = text.split("|")
        return CountKey(region, int(year), programme_type, occupation or None, int(level) if level else None)


class FlagKind(StrEnum):
    DECEASED = "deceased"
    INELIGIBLE = "ineligible"


FLAG_ZH = {FlagKind.DECEASED: "已去世", FlagKind.INELIGIBLE: "不符合条件"}


@dataclass(frozen=True, slots=True)
class Flag:
    """What an authority of ``region`` says of a person: deceased, everywhere and for good; or not eligible for vouchers
    of this region and those below it, to the end of the local date ``until`` if there is one."""

    kind: FlagKind
    region: str
    since: datetime
    until: date | None = None


@dataclass(frozen=True, slots=True)
class NameDifference:
    """Somebody wanted to claim what was issued to this number, under another name; both names are masked. The voucher
    waits for the authority, which corrects the name or revokes it. domain.md §6."""

    voucher_id: str
    person_id: str
    template_id: str
    region: str
    asserted_name: str
    registered_name: str
    app_key: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """One partition's head row. ``sealed_profile`` opens only in the context of this ``person_id``.

    ``counts`` maps ``CountKey.text()`` to vouchers; ``held`` maps template to the issuing region and may name vouchers
    that have ended meanwhile: who reads it looks at those vouchers. ``also`` names the records that were merged into
    this one, ``merged_into`` the one that this was merged into. ``serves`` maps the relations in force in which this
    person acts for others to those others.
    """

    person_id: str
    version: int
    sealed_profile: str
    masked_name: str
    masked_number: str
    counts: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    also: tuple[str, ...] = ()
    merged_into: str | None = None
    serves: Mapping[str, str] = field(default_factory=dict)


def touched(person: Person) -> Person:
    """The record one step further, with nothing else in it: of two acts on the person only one can pass."""
    return replace(person, version=person.version + 1)


def _covers(cap: Cap, scope: str, wanted: CountKey, counted: CountKey) -> bool:
    if cap.window is Window.YEAR and counted.year != wanted.year:
        return False
    if counted.region != scope and not within(counted.region, (scope,)):
        return False
    if cap.by is CapBy.PROGRAMME_TYPE:
        return counted.programme_type == wanted.programme_type
    if cap.by is CapBy.OCCUPATION_LEVEL:
        known = wanted.occupation is not None
        return known and (counted.occupation, counted.level) == (wanted.occupation, wanted.level)
    return True


def check_caps(person: Person | None, rules: Rules, wanted: CountKey, linked: Sequence[Person] = ()) -> None:
    """Check that one more voucher breaks no cap. A cap counts all vouchers of the region that decided it, and of those
    below: a province's three in a lifetime are three in all its cities together. ``linked``: the person's records that
    were merged with this one, whose vouchers count as well. Raises CapReached."""
    records = [*([person] if person else []), *linked]
    counted = [(CountKey.read(text), n) for record in records for text, n in record.counts.items()]
    for cap in rules.caps:
        if cap.by is CapBy.OCCUPATION_LEVEL and wanted.occupation is None:
            continue
        if sum(n for key, n in counted if _covers(cap, rules.caps_of, wanted, key)) >= cap.limit:
            raise CapReached(rule=cap.rule, limit=cap.limit)


def take(person: Person, template_id: str, wanted: CountKey) -> Person:
    """Count a voucher and hold it."""
    key = wanted.text()
    return replace(
        person,
        version=person.version + 1,
        counts={**person.counts, key: person.counts.get(key, 0) + 1},
        held={**person.held, template_id: wanted.region},
    )


def recount(person: Person, rules: Rules, before: CountKey, after: CountKey, linked: Sequence[Person] = ()) -> Person:
    """Count a voucher that is held by what its course turned out to be: the caps that look at that must allow it.

    Only those by occupation and level can be new here; what was allowed at the claim stays allowed. Raises CapReached.
    """
    moved = move_count(person, before, after)
    others = replace(moved, counts={**moved.counts, after.text(): moved.counts[after.text()] - 1})
    check_caps(
        others, replace(rules, caps=tuple(c for c in rules.caps if c.by is CapBy.OCCUPATION_LEVEL)), after, linked
    )
    return replace(moved, version=person.version + 1)


def recheck(person: Person, rules: Rules, counted: CountKey, linked: Sequence[Person] = ()) -> None:
    """Check again, before it is paid, that a voucher breaks no cap by occupation and level. Raises CapReached."""
    others = replace(person, counts={**person.counts, counted.text(): person.counts.get(counted.text(), 1) - 1})
    caps = tuple(cap for cap in rules.caps if cap.by is CapBy.OCCUPATION_LEVEL)
    check_caps(others, replace(rules, caps=caps), counted, linked)


def move_count(person: Person, before: CountKey, after: CountKey) -> Person:
    """A voucher counts as something else than before; part of another change, so no new version."""
    if before == after:
        return person
    counts = dict(person.counts)
    counts[before.text()] = counts.get(before.text(), 0) - 1
    counts[after.text()] = counts.get(after.text(), 0) + 1
    return replace(person, counts={k: n for k, n in counts.items() if n > 0})


def let_go(person: Person, template_id: str, counted: CountKey, *, frees_cap: bool) -> Person:
    """Give a voucher back; the cap is freed only where the region says so."""
    key, counts = counted.text(), dict(person.counts)
    if frees_cap and counts.get(key, 0) > 0:
        counts[key] -= 1
    held = {t: r for t, r in person.held.items() if t != template_id}
    return replace(person, version=person.version + 1, counts={k: n for k, n in counts.items() if n}, held=held)


def drop_ended(person: Person, ended: Collection[str]) -> Person:
    """Forget that vouchers of these templates were held; they have ended, so it is no step and no new version."""
    return replace(person, held={t: r for t, r in person.held.items() if t not in ended})


def hold_again(person: Person, vouchers: Mapping[str, str]) -> Person:
    """Vouchers (template → region) come back into the hand: one was reversed, or they had lapsed and live again."""
    return replace(person, version=person.version + 1, held={**person.held, **vouchers})


def is_one(person: Person, person_id: str) -> bool:
    """Whether the record is this one, or merged with it."""
    return person_id in (person.person_id, person.merged_into, *person.also)


def must_not_be_flagged(people: Iterable[Person], region: str, day: date) -> None:
    """Check that none of a person's records is flagged for vouchers of this region. Raises PersonFlagged."""
    for flag in (flag for person in people for flag in person.flags):
        if _bites(flag, region, day):
            raise PersonFlagged(flag=flag.kind, flag_zh=FLAG_ZH[flag.kind])


def must_be_alive(person: Person) -> None:
    """Check that nobody said of them that they are deceased: so nobody acts in their name. Raises PersonFlagged."""
    if any(flag.kind is FlagKind.DECEASED for flag in person.flags):
        raise PersonFlagged(flag=FlagKind.DECEASED, flag_zh=FLAG_ZH[FlagKind.DECEASED])


def _bites(flag: Flag, region: str, day: date) -> bool:
    if flag.kind is FlagKind.DECEASED:
        return True
    return within(region, (flag.region,)) and (flag.until is None or day <= flag.until)


def set_flag(person: Person, flag: Flag) -> Person:
    """Put a flag, in the place of an earlier one of the same kind and region."""
    others = tuple(one for one in person.flags if (one.kind, one.region) != (flag.kind, flag.region))
    return replace(person, version=person.version + 1, flags=(*others, flag))


def clear_flags(person: Person, kind: FlagKind, regions: Collection[str]) -> Person:
    """Take away the flags of this kind that were put by these regions."""
    left = tuple(one for one in person.flags if one.kind is not kind or one.region not in regions)
    return replace(person, version=person.version + 1, flags=left)
