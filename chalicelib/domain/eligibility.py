"""Who may claim a template's vouchers: a rule over ID number, eligible-population list and the region's service.

Source: 粤人社函〔2021〕101号, 通用券: the region says by rule, list (大数据比对) or service (身份核验) who is eligible;
domain.md §3. A rule is judged in three values (Kleene): what is not known neither holds nor fails, also under a
``not``, and who is not known to be eligible is not. The service is asked only where its answer makes a difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from chalicelib.domain.errors import NotEligible
from chalicelib.domain.identifiers import CitizenId, Sex, age_on
from chalicelib.domain.region import within

MOST_PARTS, MOST_DEPTH, MOST_AGE = 30, 5, 150


@dataclass(frozen=True, slots=True)
class Declared:
    """What the ID number itself tells: completed years on the day of the claim (both bounds inclusive), sex, and the
    region in its first six digits (that lies in one of ``regions``). What is not given does not matter."""

    kind: Literal["declared"] = "declared"
    rule: str = "declared"
    age_from: int | None = None
    age_to: int | None = None
    sex: Sex | None = None
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """On the eligible-population list of the template's region or of one above it, in one of these groups and in
    force on the day of the claim; no groups: in any."""

    kind: Literal["listed"] = "listed"
    rule: str = "listed"
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """The eligibility service of the region says so."""

    kind: Literal["service"] = "service"
    rule: str = "service"


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Rule", ...]
    kind: Literal["all"] = "all"


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Rule", ...]
    kind: Literal["any"] = "any"


@dataclass(frozen=True, slots=True)
class NotOf:
    """``rule`` names the refusal: a part that holds has no name of its own for it."""

    part: "Rule"
    rule: str = "not"
    kind: Literal["not"] = "not"


Rule = Declared | Listed | Asked | AllOf | AnyOf | NotOf


@dataclass(frozen=True, slots=True)
class Span:
    """Local dates, both inclusive; None: without end on that side."""

    since: date | None = None
    until: date | None = None

    def holds(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class ServiceVerdict:
    """What the region's service said of one person. The reasons are the service's own words."""

    eligible: bool
    reason_zh: str = ""
    reason_en: str = ""


@dataclass(frozen=True, slots=True)
class Applicant:
    """All that is known of who asks. ``groups``: on which lists, in which groups, when."""

    number: CitizenId = field(repr=False)
    today: date
    groups: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    service: ServiceVerdict | None = None


@dataclass(frozen=True, slots=True)
class Enlisted:
    """A person on one region's eligible-population list: in which groups, from when until when.

    ``sealed_name`` opens only in the context of this region and number.
    """

    region: str
    masked_name: str
    masked_number: str
    sealed_name: str
    changed_at: datetime
    changed_by: str | None
    groups: Mapping[str, Span] = field(default_factory=dict)
    version: int = 1


def groups_of(lists: Iterable[Enlisted]) -> dict[str, tuple[Span, ...]]:
    """All groups that a person is in, whatever region listed them."""
    found: dict[str, tuple[Span, ...]] = {}
    for enlisted in lists:
        for group, span in enlisted.groups.items():
            found[group] = (*found.get(group, ()), span)
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """``holds`` is None where it is not known. ``missed``: the rules that do not hold, in order; none if all does."""

    holds: bool | None
    missed: tuple[str, ...] = ()


def judge(rule: Rule, applicant: Applicant) -> Judged:
    """Judge a rule; what the service would have to say is not known as long as it was not asked."""
    match rule:
        case Declared():
            return _leaf(rule.rule, _declared(rule, applicant))
        case Listed():
            wanted = rule.groups or tuple(applicant.groups)
            spans = [span for group in wanted for span in applicant.groups.get(group, ())]
            return _leaf(rule.rule, any(span.holds(applicant.today) for span in spans))
        case Asked():
            return _leaf(rule.rule, applicant.service.eligible if applicant.service else None)
        case NotOf():
            inner = judge(rule.part, applicant).holds
            return _leaf(rule.rule, None if inner is None else not inner)
        case AllOf():
            judged = [judge(part, applicant) for part in rule.parts]
            return _joined(judged, settles=False)
        case AnyOf():
            judged = [judge(part, applicant) for part in rule.parts]
            return _joined(judged, settles=True)


def needs_service(rule: Rule | None, applicant: Applicant) -> bool:
    """Whether what the service says would make a difference for this person."""
    if rule is None or applicant.service is not None:
        return False
    yes, no = (judge(rule, replace(applicant, service=ServiceVerdict(said))).holds for said in (True, False))
    return yes != no


def must_be_eligible(rule: Rule | None, applicant: Applicant) -> None:
    """Raises NotEligible: the rules that do not hold and, where the service refused, its reason in its own words."""
    if rule is None:
        return
    judged = judge(rule, applicant)
    if not judged.holds:
        said = applicant.service
        raise NotEligible(
            rules=", ".join(judged.missed),
            reason_zh=said.reason_zh if said and not said.eligible else "所列条件未满足",
            reason=said.reason_en if said and not said.eligible else "these conditions are not met",
        )


def parts_of(rule: Rule, depth: int = 1) -> Iterator[tuple[Rule, int]]:
    """The rule and all within it, with how deep each stands."""
    yield rule, depth
    inner = rule.parts if isinstance(rule, AllOf | AnyOf) else (rule.part,) if isinstance(rule, NotOf) else ()
    for part in inner:
        yield from parts_of(part, depth + 1)


def looks_at_lists(rule: Rule | None) -> bool:
    """Whether the lists must be read to judge it."""
    return rule is not None and any(isinstance(part, Listed) for part, _ in parts_of(rule))


def _leaf(name: str, holds: bool | None) -> Judged:
    return Judged(holds, () if holds else (name,))


def _joined(judged: list[Judged], *, settles: bool) -> Judged:
    """``all`` is settled by one part that fails, ``any`` by one that holds; else one unknown leaves it unknown."""
    values = {one.holds for one in judged}
    holds = settles if settles in values else None if None in values else not settles
    missed = () if holds else tuple(dict.fromkeys(name for one in judged if not one.holds for name in one.missed))
    return Judged(holds, missed)


def _declared(rule: Declared, applicant: Applicant) -> bool | None:
    """An older foreign number tells neither birth date nor sex, no foreign number tells a region: not known."""
    number, known = applicant.number, []
    if rule.age_from is not None or rule.age_to is not None:
        age = None if number.birth_date is None else age_on(number.birth_date, applicant.today)
        known.append(
            None if age is None else (rule.age_from or 0) <= age <= (MOST_AGE if rule.age_to is None else rule.age_to)
        )
    if rule.sex is not None:
        known.append(None if number.sex is None else number.sex == rule.sex)
    if rule.regions:
        known.append(None if number.region_code is None else within(number.region_code, rule.regions))
    return False if False in known else None if None in known else True
