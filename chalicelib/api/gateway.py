"""Bring the API into a Chalice app: its blueprints, and a middleware for what Chalice itself answers.

API Gateway's own refusals have the same shape by the gateway responses of ``infra/app.yaml``.
"""

from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, Request, Response

from chalicelib.api import (
    about,
    accounts,
    amendments,
    applications,
    assertion_keys,
    check_ins,
    claims,
    classes,
    clients,
    courses,
    eligibility,
    eligibility_service,
    evaluations,
    institutions,
    issuing,
    merges,
    offers,
    operators,
    payments,
    people,
    programmes,
    publicity,
    redemptions,
    regions,
    relations,
    rosters,
    settlements,
    staff,
    templates,
    terminals,
    verifications,
    vouchers,
)
from chalicelib.api.problems import problem
from chalicelib.api.refusals import BadRequest, InternalError, MethodNotAllowed, NoSuchRoute, UnsupportedMediaType
from chalicelib.api.requests import request_id_of
from chalicelib.domain.errors import DomainError
from chalicelib.observability import count_outcome, log_outcome, stack_of

BLUEPRINTS = (
    about.routes,
    regions.routes,
    eligibility.routes,
    eligibility_service.routes,
    programmes.routes,
    institutions.routes,
    issuing.routes,
    rosters.routes,
    staff.routes,
    terminals.routes,
    courses.routes,
    classes.routes,
    check_ins.routes,
    evaluations.routes,
    applications.routes,
    settlements.routes,
    publicity.routes,
    clients.routes,
    operators.routes,
    assertion_keys.routes,
    accounts.routes,
    templates.routes,
    offers.routes,
    amendments.routes,
    claims.routes,
    vouchers.routes,
    relations.routes,
    verifications.routes,
    redemptions.routes,
    people.routes,
    merges.routes,
    payments.routes,
)


def open_to(app: Chalice) -> None:
    """Register all routes and the middleware."""
    app.register_middleware(lambda event, get_response: _as_problem(app, event, get_response), "http")
    for routes in BLUEPRINTS:
        app.register_blueprint(routes)


def _as_problem(app: Chalice, request: Request, get_response: Callable[[Any], Response]) -> Response:
    """Turn what Chalice refuses into a problem; never raise, that would become a bare 500
    (https://github.com/aws/chalice/issues/2056)."""
    if not app.routes.get(getattr(request, "path", "")):
        return _refuse(request, NoSuchRoute())  # Chalice would add the route while looking it up
    try:
        response = get_response(request)
    except Exception as error:
        return _refuse(request, InternalError(), stack_of(error))
    body = response.body
    if not (response.status_code >= 400 and isinstance(body, dict) and {"Code", "Message"} <= body.keys()):
        return response
    refused: DomainError = InternalError()
    if response.status_code == 405:
        refused = MethodNotAllowed(allowed=str(response.headers.get("Allow", "")))
    elif response.status_code == 415:
        refused = UnsupportedMediaType()
    elif response.status_code < 500:
        refused = BadRequest()
    return _refuse(request, refused)


def _refuse(request: Request, refused: DomainError, stack: list[str] | None = None) -> Response:
    request_id = request_id_of(request)
    response = problem(refused, request_id=request_id, accept_language=request.headers.get("accept-language"))
    failed = isinstance(refused, InternalError)
    log_outcome(refused.code, failed=failed, status=response.status_code, request_id=request_id, stack=stack or [])
    count_outcome("gateway", refused.code)
    return response
