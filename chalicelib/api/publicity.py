"""Publicity (公示) of what was granted, and objections to it."""

import re

from chalice.app import Blueprint

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.applications import ApplicationAnswer
from chalicelib.api.shapes import Asked, Day, Identifier, Nothing, Reason, RegionListing, Shown
from chalicelib.domain import errors
from chalicelib.domain.access import Act
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import publishing_grants

routes = Blueprint(__name__)


class ObjectionRequest(Asked):
    """``text``: what came in, without anybody's number."""

    voucher_id: Identifier
    text: Reason


class ResolutionRequest(Asked):
    """``upheld``: the line is refused, and its money is free again. ``text``: what was found."""

    upheld: bool
    text: Reason


class PublicLineAnswer(Shown):
    """One voucher of an application, as everybody may see it until the end of the day ``until``."""

    application_id: str
    institution_id: str
    institution_name: str
    course_name: str
    masked_name: str
    fen: int
    until: Day


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/publicity",
    act=Act.REVIEW,
    tag="applications",
    zh="公示",
    en="Publish what was granted, masked, for the region's days",
    errors=(
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.SettledElsewhere,
        errors.SameOperator,
        errors.AlreadyPublished,
        errors.NoPublicity,
        errors.ApplicationStateRefused,
        errors.ApplicationBusy,
    ),
)
def post_publicity(call: Plain, application_id: str) -> Done[ApplicationAnswer]:
    return ApplicationAnswer.done(publishing_grants.publish_grants(call.platform, application_id, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/publicity",
    act=Act.READ_PUBLICITY,
    tag="applications",
    zh="公示名单",
    en="What a region publishes these days; a page may be short, or empty, and go on",
    errors=(errors.Invalid, errors.OutOfScope, errors.RegionNotFound),
)
def list_publicity(call: Call[Nothing, RegionListing]) -> Page[PublicLineAnswer]:
    asked = call.query
    page = publishing_grants.list_published(
        call.platform, asked.region, asked.limit, asked.cursor, actor=call.actor, now=call.now
    )
    return PublicLineAnswer.page(page)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/objections",
    act=Act.ENTER_OBJECTIONS,
    tag="applications",
    zh="登记异议",
    en="Enter what was said against a published line",
    errors=(
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.LineNotFound,
        errors.NotPublished,
        errors.TooManyObjections,
        errors.LineStateRefused,
    ),
)
def post_objection(call: Call[ObjectionRequest, Nothing], application_id: str) -> Done[ApplicationAnswer]:
    asked = call.body
    done = publishing_grants.enter_objection(call.platform, application_id, asked.voucher_id, asked.text, **call.acting)
    return ApplicationAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/applications/{application_id}/objections/{number}/resolution",
    act=Act.REVIEW,
    tag="applications",
    zh="处理异议",
    en="Uphold an objection, or not",
    errors=(
        errors.OutOfScope,
        errors.ApplicationNotFound,
        errors.ObjectionNotFound,
        errors.SettledElsewhere,
        errors.SameOperator,
        errors.ObjectionResolved,
        errors.LineStateRefused,
    ),
)
def post_resolution(
    call: Call[ResolutionRequest, Nothing], application_id: str, number: str
) -> Done[ApplicationAnswer]:
    if not _NUMBER.fullmatch(number):
        raise errors.ObjectionNotFound()
    asked = call.body
    done = publishing_grants.resolve_objection(
        call.platform, application_id, int(number), asked.upheld, asked.text, **call.acting
    )
    return ApplicationAnswer.done(done)


_NUMBER = re.compile(r"[1-9][0-9]{0,2}")
