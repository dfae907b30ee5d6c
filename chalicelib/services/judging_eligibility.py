"""What is known of a person when a template asks who may claim it."""

from datetime import datetime

from chalicelib.domain import calendar
from chalicelib.domain.eligibility import (
    MOST_DEPTH,
    MOST_PARTS,
    Applicant,
    Asked,
    Declared,
    Rule,
    groups_of,
    looks_at_lists,
    parts_of,
)
from chalicelib.domain.errors import Invalid
from chalicelib.domain.identifiers import NATION, region_ancestors
from chalicelib.domain.outcomes import Identified
from chalicelib.domain.template import Template, Terms
from chalicelib.services.cataloguing import find_region
from chalicelib.services.identifying import Named
from chalicelib.services.ports import Catalogue


def check_rule(catalogue: Catalogue, rule: Rule | None) -> None:
    """Raises Invalid: what a rule on a template cannot say. RegionNotFound."""
    parts = list(parts_of(rule)) if rule else []
    if len(parts) > MOST_PARTS or any(depth > MOST_DEPTH for _, depth in parts):
        raise Invalid(pointer="/eligibility", reason="the rule has too many parts, or they stand too deep")
    for part, _ in parts:
        if isinstance(part, Declared):
            if part == Declared(rule=part.rule):
                raise Invalid(pointer="/eligibility", reason="a declared rule says nothing")
            if part.age_from is not None and part.age_to is not None and part.age_to < part.age_from:
                raise Invalid(pointer="/eligibility", reason="the age ends before it begins")
            for code in part.regions:
                find_region(catalogue, code)
        if isinstance(part, Asked):
            raise Invalid(pointer="/eligibility", reason="the region has no eligibility service")


def regions_of_lists(template: Template, terms: Terms) -> tuple[str, ...]:
    """Whose lists of eligible people count for the template: its region's and those of the regions above; none where
    its rule does not look at lists."""
    if not looks_at_lists(terms.eligibility):
        return ()
    return (template.region, *(code for code in region_ancestors(template.region) if code != NATION))


def applicant_of(named: Named, found: Identified, now: datetime) -> Applicant:
    """Whom the rule is judged for."""
    return Applicant(number=named.number, today=calendar.local_date(now), groups=groups_of(found.lists))
