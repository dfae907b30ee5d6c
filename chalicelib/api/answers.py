"""One decorator for every view: read, authenticate, call, render. It also tells OpenAPI what an operation is.

A view says with its types what it takes and gives: ``def post_programme(call: Call[ProgrammeRequest, Nothing]) ->
Done[ProgrammeAnswer]``. All errors of the domain become problems here, since Chalice shows its middleware only
responses (https://github.com/aws/chalice/issues/1884).
"""

import functools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from chalice.app import Blueprint, Response
from pydantic import BaseModel

from chalicelib import wiring
from chalicelib.api import requests, signing
from chalicelib.api.problems import HELP_LINE, problem, wants_chinese
from chalicelib.api.refusals import (
    BodyTooLarge,
    IdempotencyKeyNotTaken,
    IdempotencyKeyRequired,
    InternalError,
    InvalidFields,
    MalformedJson,
    TooManyRequests,
    UnsupportedMediaType,
)
from chalicelib.api.requests import Received
from chalicelib.api.shapes import Asked, Nothing, Shown
from chalicelib.domain import access
from chalicelib.domain.access import Act, Actor, Client, Operator
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.calendar import local_date
from chalicelib.domain.errors import (
    BadSignature,
    ClientDisabled,
    Contended,
    DomainError,
    DutyRequired,
    Forbidden,
    Invalid,
    NotFound,
    OperatorNotAccepted,
    OperatorRequired,
    Reused,
    SessionEnded,
    SessionRequired,
    StaleTimestamp,
    Unauthenticated,
    Unavailable,
    UnknownClient,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.pace import WINDOW_SECONDS, Pace
from chalicelib.domain.region import within
from chalicelib.observability import count_outcome, log_outcome, masked_key, stack_of, traced
from chalicelib.services.granting_access import secret_context
from chalicelib.services.ports import Platform

B = TypeVar("B", bound=Asked)
Q = TypeVar("Q", bound=Asked)

OPERATOR, HOLDER_SESSION = "X-Operator", "X-Holder-Session"

Holder = Literal["none", "may", "must"]
"""Whether an operation takes a holder session."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An answer that is no JSON."""

    content_type: str
    text: str


class Acting(TypedDict):
    """Who changes something, as which attempt, when."""

    actor: Actor
    attempt: Attempt
    now: datetime


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """What a view is given: who asks, what for, when. What an operation does not take is refused here as a mistake."""

    platform: Platform
    now: datetime
    request_id: str
    chinese: bool
    body: B
    query: Q
    asked_by: Actor | None = None
    attempted: Attempt | None = None
    opened: HolderSession | None = None

    @property
    def actor(self) -> Actor:
        assert self.asked_by is not None, "a public operation has no actor"
        return self.asked_by

    @property
    def attempt(self) -> Attempt:
        assert self.attempted is not None, "an operation that changes nothing has no attempt"
        return self.attempted

    @property
    def session(self) -> HolderSession:
        assert self.opened is not None, "an operation without holder has no session"
        return self.opened

    @property
    def acting(self) -> Acting:
        """The three that every changing service wants, to be passed as ``**call.acting``."""
        return Acting(actor=self.actor, attempt=self.attempt, now=self.now)


Plain = Call[Nothing, Nothing]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the decorator and the view's types describe it."""

    method: str
    path: str
    name: str
    status: int
    act: Act | None
    holder: Holder
    changes: bool
    body: type[Asked]
    query: type[Asked]
    answer: tuple[type[Shown] | type[Picture], ...]
    listed: bool
    errors: tuple[type[DomainError], ...]
    zh: str
    en: str
    tag: str
    by_staff: bool = False

    @property
    def label(self) -> str:
        """``POST /v1/programmes``."""
        return f"{self.method} {self.path}"

    @property
    def every_error(self) -> tuple[type[DomainError], ...]:
        """All that it can answer beside its answer."""
        found: list[type[DomainError]] = [BodyTooLarge]
        if self.act is not None:
            found += [Unauthenticated, UnknownClient, ClientDisabled, StaleTimestamp, BadSignature, TooManyRequests]
            found += [OperatorNotAccepted, Forbidden]
            if access.needs_operator(self.act):
                found += [OperatorRequired, DutyRequired]
        if self.method == "POST":
            found += [UnsupportedMediaType, MalformedJson]
        found += [InvalidFields, IdempotencyKeyRequired if self.changes else IdempotencyKeyNotTaken]
        if self.holder != "none":
            found += [SessionRequired, SessionEnded]
        if self.listed:
            found.append(Invalid)  # a cursor of another list
        if "{" in self.path:
            found.append(NotFound)
        if self.changes:
            found += [Reused, Contended]
        if self.act is not None:
            found.append(Unavailable)
        return tuple(dict.fromkeys([*found, *self.errors, InternalError]))


OPERATIONS: list[Operation] = []

_View = TypeVar("_View", bound=Callable[..., Any])


def answers(
    routes: Blueprint,
    method: Literal["GET", "POST"],
    path: str,
    *,
    act: Act | None,
    zh: str,
    en: str,
    tag: str,
    status: int = 200,
    holder: Holder = "none",
    changes: bool | None = None,
    by_staff: bool = False,
    errors: Sequence[type[DomainError]] = (),
) -> Callable[[_View], _View]:
    """Serve ``view`` at ``method path``. ``act`` is what the client must be allowed to do; None is open to all.

    With ``holder="may"`` a request with a session counts as SERVE_HOLDER, and only one without it as ``act``.
    ``by_staff``: a channel may ask too, with a ``staff_assertion`` in the body in place of an operator's signature.
    ``changes`` (default: a POST does) decides whether an Idempotency-Key is needed or refused.
    """

    def decorate(view: _View) -> _View:
        body, query, answer, listed = _types_of(view)
        operation = Operation(
            method=method,
            path=path,
            name=view.__name__,
            status=status,
            act=act,
            holder=holder,
            changes=method == "POST" if changes is None else changes,
            body=body,
            query=query,
            answer=answer,
            listed=listed,
            errors=tuple(errors),
            zh=zh,
            en=en,
            tag=tag,
            by_staff=by_staff,
        )
        OPERATIONS.append(operation)

        @functools.wraps(view)
        def serve(**_: str) -> Response:
            return _serve(operation, view, routes)

        # Any content type comes through to us: Chalice's own refusal is no problem+json.
        routes.route(path, methods=[method], name=view.__name__, content_types=["*/*"])(serve)
        return view

    return decorate


@dataclass(slots=True)
class _Progress:
    """How far a request has come, for its log line and for the help line of a refusal."""

    request_id: str
    received: Received | None = None
    actor: Actor | None = None
    body: Asked | None = None
    query: Asked | None = None
    pace: Pace | None = None
    started: float = field(default_factory=time.monotonic)


def _serve(operation: Operation, view: Callable[..., Any], routes: Blueprint) -> Response:
    request = routes.current_request
    progress = _Progress(requests.request_id_of(request))
    accept_language = request.headers.get("accept-language")
    facts: dict[str, Any] = {}
    with traced(operation.name):
        try:
            received = progress.received = requests.receive(request)
            platform = wiring.platform()
            call = _read(operation, platform, received, progress)
            response = _render(operation, view(call, **requests.read_parameters(received)))
            outcome = "ok"
        except DomainError as refused:
            response = problem(
                refused,
                request_id=progress.request_id,
                accept_language=accept_language,
                help_line=_help_line(progress),
            )
            outcome, facts = refused.code, {"facts": refused.facts}
        except Exception as error:
            response = problem(
                InternalError(),
                request_id=progress.request_id,
                accept_language=accept_language,
            )
            outcome, facts = InternalError.code, {"stack": stack_of(error)}
    response.headers.update(_pace_headers(progress.pace))
    _tell(operation, progress, response, outcome, facts)
    return response


def _read(operation: Operation, platform: Platform, received: Received, progress: _Progress) -> Call[Any, Any]:
    now = platform.clock.now()
    actor, session, through_staff = None, None, False
    if operation.act is not None:
        client = _authenticate(platform, received, now)
        _count(platform, client, now, progress)
        actor = progress.actor = Actor(client, _operator(platform, received, client, now))
        session = _session(operation, platform, received, client, now)
        through_staff = operation.by_staff and client.role is access.Role.CHANNEL
        if not through_staff:
            access.may(actor, operation.act if session is None else _act_with_session(operation))
    key = requests.read_idempotency_key(received, changes=operation.changes)
    body, canonical = requests.read_body(received, operation.body)
    progress.body = body
    if through_staff and getattr(body, "staff_assertion", None) is None:
        raise Forbidden()
    query = progress.query = requests.read_query(received, operation.query)
    attempt = None
    if operation.changes and actor is not None:
        veil = platform.keys.identities.veil
        named = f"{received.method} {received.path}"
        attempt = attempt_of(actor.app_key, named, veil(key.encode()), veil(canonical).encode())
    chinese = wants_chinese(received.header("accept-language"))
    return Call(platform, now, received.request_id, chinese, body, query, actor, attempt, session)


def _authenticate(platform: Platform, received: Received, now: datetime) -> Client:
    app_key = received.header(signing.APP_KEY)
    if not app_key:
        raise Unauthenticated()
    client = platform.catalogue.clients.get(app_key) if requests.could_be_id(app_key) else None
    if client is None:
        raise UnknownClient()
    sealer = platform.keys.sealer
    secrets = [
        sealer.unseal(secret.sealed, secret_context(client.app_key, secret.secret_id))
        for secret in access.secrets_in_force(client, now)
    ]
    signing.check(received.signable, received.header(signing.SIGNATURE) or "", secrets, now)
    return client


def _count(platform: Platform, client: Client, now: datetime, progress: _Progress) -> None:
    """After the signature, so that nobody can use up another's budget."""
    progress.pace = pace = platform.paces.take(client.app_key, client.requests_per_second, now)
    if not pace.allowed:
        raise TooManyRequests(limit=pace.limit, window_seconds=WINDOW_SECONDS, retry_after_seconds=pace.resets_in)


def _operator(platform: Platform, received: Received, client: Client, now: datetime) -> Operator | None:
    jws = received.header(OPERATOR)
    if jws is None:
        return None
    signatures = platform.keys.operator_signatures
    operator = platform.catalogue.operators.get(signatures.signer(jws))
    if operator is None:
        raise OperatorNotAccepted(reason="unknown")
    access.must_be_active(operator)
    signatures.check(
        jws,
        operator.public_key,
        app_key=client.app_key,
        method=received.method,
        path=received.path,
        body=received.body,
        key=received.signable.idempotency_key,
        now=now,
    )
    if operator.institution_id is None:
        belongs = within(operator.region, client.regions)
    else:
        belongs = operator.institution_id in client.institutions
    if not belongs:
        raise OperatorNotAccepted(reason="client")
    return operator


def _session(
    operation: Operation, platform: Platform, received: Received, client: Client, now: datetime
) -> HolderSession | None:
    text = received.header(HOLDER_SESSION)
    if operation.holder == "none":
        return None
    if text is None:
        # A channel has no other way to a voucher than its holder.
        if operation.holder == "must" or client.role is access.Role.CHANNEL:
            raise SessionRequired()
        return None
    session = platform.keys.sessions.read(text)
    if session.app_key != client.app_key or now >= session.ends_at:
        raise SessionEnded()
    return session


def _act_with_session(operation: Operation) -> Act:
    assert operation.act is not None
    return Act.SERVE_HOLDER if operation.holder == "may" else operation.act


def _render(operation: Operation, answer: object) -> Response:
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Done):
        if answer.hit:
            headers["Idempotency-Hit"] = "true"
        answer = answer.answer
    if isinstance(answer, Picture):
        return Response(answer.text, headers | {"Content-Type": answer.content_type}, operation.status)
    if isinstance(answer, Page):
        items = ",".join(map(_said, answer.items))
        text = f'{{"items":[{items}],"next_cursor":{json.dumps(answer.cursor)}}}'
    else:
        text = _said(answer)
    return Response(text, headers | {"Content-Type": "application/json"}, operation.status)


def _pace_headers(pace: Pace | None) -> dict[str, str]:
    """The fields of the IETF's draft on RateLimit headers: the policy, and where this client stands."""
    if pace is None:
        return {}
    return {
        "RateLimit-Policy": f'"client";q={pace.limit};w={WINDOW_SECONDS}',
        "RateLimit": f'"client";r={pace.left};t={pace.resets_in}',
    }


def _said(answer: object) -> str:
    if not isinstance(answer, BaseModel):
        raise TypeError(f"{type(answer).__name__} is no answer")
    return answer.model_dump_json()


def _tell(operation: Operation, progress: _Progress, response: Response, outcome: str, facts: dict[str, Any]) -> None:
    actor = progress.actor
    log_outcome(
        outcome,
        failed=outcome == InternalError.code,
        operation=operation.label,
        status=response.status_code,
        request_id=progress.request_id,
        client=masked_key(actor.app_key) if actor else "",
        operator=actor.operator_id if actor else None,
        milliseconds=round((time.monotonic() - progress.started) * 1000),
        repeated="Idempotency-Hit" in response.headers,
        **facts,
    )
    count_outcome(operation.label, outcome)


def _help_line(progress: _Progress) -> str:
    """The line of the region that a refused request was about, as far as can be told; never a reason to fail."""
    with suppress(Exception):
        platform = wiring.platform()
        region = _region_of(platform, progress)
        if region is not None:
            return platform.catalogue.rule_sets.in_force(region, local_date(platform.clock.now())).help_line
    return HELP_LINE


def _region_of(platform: Platform, progress: _Progress) -> str | None:
    received, actor = progress.received, progress.actor
    if received is None or actor is None:  # who is not known is told nothing of a template's region
        return None
    for asked in (progress.body, progress.query):
        region = getattr(asked, "region", None)
        if isinstance(region, str):
            return region
    if "code" in received.parameters:
        return received.parameters["code"]
    template_id = getattr(progress.body, "template_id", None) or received.parameters.get("template_id")
    decoded = platform.keys.voucher_ids.decode(received.parameters.get("voucher_id", ""))
    if decoded is not None:
        template_id = decoded[1]
    template = platform.templates.get(template_id) if template_id else None
    if template is not None:
        return template.region
    return actor.client.regions[0] if len(actor.client.regions) == 1 else None


def _types_of(
    view: Callable[..., Any],
) -> tuple[type[Asked], type[Asked], tuple[type[Shown] | type[Picture], ...], bool]:
    """Body, query, answer and whether it is a list, from the view's annotations."""
    hints = get_type_hints(view)
    body, query = get_args(hints["call"])
    answer = hints["return"]
    listed = get_origin(answer) is Page
    if get_origin(answer) in (Done, Page):
        (answer,) = get_args(answer)
    return body, query, get_args(answer) or (answer,), listed
