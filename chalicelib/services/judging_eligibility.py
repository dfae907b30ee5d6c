"""What is known of a person when a template asks who may claim it."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import calendar
from chalicelib.domain.eligibility import (
    MOST_DEPTH,
    MOST_PARTS,
    Applicant,
    Asked,
    Declared,
    Rule,
    ServiceVerdict,
    groups_of,
    looks_at_lists,
    parts_of,
)
from chalicelib.domain.eligibility_service import ServiceQuestion
from chalicelib.domain.errors import EligibilityServiceUnavailable, Invalid
from chalicelib.domain.identifiers import NATION, region_ancestors
from chalicelib.domain.outcomes import Identified
from chalicelib.domain.template import Template, Terms
from chalicelib.services.cataloguing import find_region
from chalicelib.services.deciding_eligibility_service import eligibility_service_of
from chalicelib.services.identifying import Named
from chalicelib.services.ports import Catalogue, EligibilityServices


def check_rule(catalogue: Catalogue, region: str, rule: Rule | None) -> None:
    """Raises Invalid: what a rule on a template of the region cannot say. RegionNotFound."""
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
        if isinstance(part, Asked) and eligibility_service_of(catalogue, region) is None:
            raise Invalid(pointer="/eligibility", reason="the region has no eligibility service")


def regions_of_lists(template: Template, terms: Terms) -> tuple[str, ...]:
    """Whose lists of eligible people count for the template: its region's and those of the regions above; none where
    its rule does not look at lists."""
    if not looks_at_lists(terms.eligibility):
        return ()
    return (template.region, *(code for code in region_ancestors(template.region) if code != NATION))


def applicant_of(named: Named, found: Identified, said: ServiceVerdict | None, now: datetime) -> Applicant:
    """Whom the rule is judged for. ``said``: what the region's service said, if it was asked."""
    today, groups = calendar.local_date(now), groups_of(found.lists)
    return Applicant(number=named.number, today=today, groups=groups, service=said)


def ask_service(
    catalogue: Catalogue,
    services: EligibilityServices,
    template: Template,
    terms: Terms,
    named: Named,
    now: datetime,
) -> ServiceVerdict:
    """What the service of the template's region says of one person. Raises as ``ask_service_of_many``."""
    return ask_service_of_many(catalogue, services, template, terms, [named], now)[0]


def ask_service_of_many(
    catalogue: Catalogue,
    services: EligibilityServices,
    template: Template,
    terms: Terms,
    people: Sequence[Named],
    now: datetime,
) -> list[ServiceVerdict]:
    """What the service of the template's region says of each of these, 500 at most, in one call.

    Raises EligibilityServiceUnavailable, also where the region has none in use any more: whether somebody is eligible
    is not known then, and a refusal would say more than that.
    """
    service = eligibility_service_of(catalogue, template.region)
    if service is None:
        raise EligibilityServiceUnavailable(region=template.region, reason="none")
    questions = [
        ServiceQuestion(str(i), one.profile.name, one.number.id_type, one.number.number)
        for i, one in enumerate(people, start=1)
    ]
    verdicts = services.ask(
        service,
        template_id=template.template_id,
        programme_type=terms.programme_type,
        people=questions,
        now=now,
    )
    return [verdicts[question.reference] for question in questions]
