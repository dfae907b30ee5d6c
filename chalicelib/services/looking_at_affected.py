"""What the withdrawal of an institution leaves standing: its classes and applications that are not at their end."""

from chalicelib.domain.access import Actor, reaches
from chalicelib.domain.application import Application, ApplicationState
from chalicelib.domain.outcomes import Page
from chalicelib.domain.training_class import ClassState, TrainingClass
from chalicelib.services.cataloguing import find_institution
from chalicelib.services.ports import Platform

_OPEN_CLASS = frozenset({ClassState.OPENED, ClassState.RUNNING})
_AT_REST = frozenset({ApplicationState.SETTLED, ApplicationState.CANCELLED})


def affected_classes(
    p: Platform, institution_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> Page[TrainingClass]:
    """Its classes that are neither finished nor cancelled, as far as the asker looks after them; a page may be shorter
    than it was asked for, and go on. Raises InstitutionNotFound."""
    find_institution(p.catalogue, institution_id)
    page = p.catalogue.classes.page(institution_id, limit, cursor)
    open_ = [one for one in page.items if one.state in _OPEN_CLASS and _sees(actor, institution_id, one.region)]
    return Page(tuple(open_), page.cursor)


def affected_applications(
    p: Platform, institution_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> Page[Application]:
    """Its applications that are neither settled nor cancelled, likewise: they stand still, and go on when it is
    admitted, or its new application is taken. Raises InstitutionNotFound."""
    find_institution(p.catalogue, institution_id)
    page = p.applications.page(institution_id, limit, cursor)
    open_ = [one for one in page.items if one.state not in _AT_REST and _sees(actor, institution_id, one.region)]
    return Page(tuple(open_), page.cursor)


def _sees(actor: Actor, institution_id: str, region: str) -> bool:
    """The institution sees its own, an authority those of its regions."""
    return institution_id in actor.institutions if actor.institutions else reaches(actor, region)
