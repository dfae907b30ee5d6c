"""Amendments of a template's terms, in the holders' favour."""

import re
from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Day, Identifier, Instant, Listing, Nothing, Reason, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.amendment import Changes
from chalicelib.domain.errors import (
    AmendmentNotFound,
    CourseNotFound,
    InstitutionNotFound,
    Invalid,
    ListingFull,
    NotInFavour,
    OutOfScope,
    TemplateNotFound,
    TemplateStateRefused,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import amending

routes = Blueprint(__name__)

Places = Annotated[tuple[Identifier, ...], Field(max_length=100)]


class AmendmentRequest(Asked):
    """At least one change. Dates are local and inclusive, and later than those in force; courses and institutions come
    to those that the terms name. ``reason`` stands in the history of every voucher."""

    reason: Reason
    valid_until: Day | None = None
    claim_until: Day | None = None
    add_courses: Places = ()
    add_institutions: Places = ()


class AmendmentAnswer(Shown):
    """``moved``: vouchers that were brought to the new terms so far; those that took a step of their own first brought
    themselves. ``finished_at``: none is left behind. The new terms hold from ``made_at`` on, reached or not."""

    template_id: str
    number: int
    terms_version: int
    reason: str
    valid_until: Day | None
    claim_until: Day | None
    add_courses: tuple[str, ...]
    add_institutions: tuple[str, ...]
    made_at: Instant
    operator_id: str | None
    moved: int
    finished_at: Instant | None


@answers(
    routes,
    "POST",
    "/v1/templates/{template_id}/amendments",
    status=201,
    act=Act.MANAGE_TEMPLATES,
    tag="templates",
    zh="变更条款（仅限有利于持券人）",
    en="Amend the terms in the holders' favour",
    errors=(
        Invalid,
        OutOfScope,
        TemplateNotFound,
        TemplateStateRefused,
        NotInFavour,
        CourseNotFound,
        InstitutionNotFound,
        ListingFull,
    ),
)
def post_amendment(call: Call[AmendmentRequest, Nothing], template_id: str) -> Done[AmendmentAnswer]:
    p, asked = call.platform, call.body
    changes = Changes(asked.valid_until, asked.claim_until, asked.add_courses, asked.add_institutions)
    done = amending.amend(
        p.catalogue, p.templates, p.marks, p.errands, template_id, changes, asked.reason, **call.acting
    )
    return AmendmentAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/templates/{template_id}/amendments",
    act=Act.READ_MONEY,
    tag="templates",
    zh="条款变更记录",
    en="The amendments of a template",
    errors=(TemplateNotFound,),
)
def list_amendments(call: Call[Nothing, Listing], template_id: str) -> Page[AmendmentAnswer]:
    asked, templates = call.query, call.platform.templates
    page = amending.list_amendments(templates, template_id, call.actor, asked.limit, asked.cursor)
    return AmendmentAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/templates/{template_id}/amendments/{number}",
    act=Act.READ_MONEY,
    tag="templates",
    zh="查询条款变更及进度",
    en="One amendment and how far it has come",
    errors=(TemplateNotFound, AmendmentNotFound),
)
def get_amendment(call: Plain, template_id: str, number: str) -> AmendmentAnswer:
    if not _NUMBER.fullmatch(number):
        raise AmendmentNotFound()
    return AmendmentAnswer.of(amending.find_amendment(call.platform.templates, template_id, int(number), call.actor))


_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
