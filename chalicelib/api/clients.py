"""Clients: systems that sign requests, and their secrets."""

from datetime import timedelta
from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Identifier, Instant, Line, Nothing, RegionCode, RegionListing, Shown
from chalicelib.domain import pace
from chalicelib.domain.access import MOST_REGIONS, Act, Role, must_cover
from chalicelib.domain.errors import (
    ClientDisabled,
    ClientNotFound,
    ConcurrentChange,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    RegionNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import granting_access
from chalicelib.services.granting_access import ClientDraft

routes = Blueprint(__name__)


class ClientRequest(Asked):
    """Scope: ``regions``, each with all below it, and for the role ``institution`` its institutions."""

    name: Line
    role: Role
    regions: Annotated[tuple[RegionCode, ...], Field(min_length=1, max_length=MOST_REGIONS)]
    institutions: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    requests_per_second: Annotated[int, Field(ge=1, le=pace.FASTEST)] | None = None


class PaceRequest(Asked):
    """Counted over windows of ten seconds."""

    requests_per_second: Annotated[int, Field(ge=1, le=pace.FASTEST)]


class SecretRequest(Asked):
    """For how long the present secret still signs.

    Where two sign, the new one replaces the newer, and the older ends as it would have, or after ``overlap_seconds`` if
    that is sooner. Whoever lost an answer rotates again under another key, signing with the older secret. With 0 the
    old secret is dead at once, the client's own too: nothing but this answer carries the new one.
    """

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] = 24 * 3600


class ClientAnswer(Shown):
    app_key: str
    name: str
    role: Role
    regions: tuple[str, ...]
    institutions: tuple[str, ...]
    requests_per_second: int
    made_at: Instant
    disabled_at: Instant | None
    version: int


class SecretAnswer(Shown):
    """What may be known of a secret; the secret itself is never shown again."""

    secret_id: str
    made_at: Instant
    ends_at: Instant | None


class ClientWithSecrets(ClientAnswer):
    secrets: tuple[SecretAnswer, ...]


class GrantedSecretAnswer(Shown):
    """``secret`` is shown this one time: a repeated request gets the same answer with null."""

    client: ClientAnswer
    secret_id: str
    secret: str | None


@answers(
    routes,
    "POST",
    "/v1/clients",
    status=201,
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="登记应用",
    en="Register a client",
    errors=(Invalid, OutOfScope, RegionNotFound, InstitutionNotFound),
)
def post_client(call: Call[ClientRequest, Nothing]) -> Done[GrantedSecretAnswer]:
    p, draft = call.platform, ClientDraft(**call.body.model_dump())
    done = granting_access.add_client(p.catalogue, p.marks, p.keys.sealer, p.chance, draft, **call.acting)
    return GrantedSecretAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/clients",
    act=Act.READ_ACCESS,
    tag="access",
    zh="地区的应用",
    en="Clients of a region",
    errors=(OutOfScope,),
)
def list_clients(call: Call[Nothing, RegionListing]) -> Page[ClientAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    return ClientAnswer.page(call.platform.catalogue.clients.page(asked.region, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/clients/{app_key}",
    act=Act.READ_ACCESS,
    tag="access",
    zh="查询应用",
    en="One client",
    errors=(ClientNotFound,),
)
def get_client(call: Plain, app_key: str) -> ClientWithSecrets:
    return ClientWithSecrets.of(granting_access.find_client(call.platform.catalogue, app_key, call.actor))


@answers(
    routes,
    "POST",
    "/v1/clients/{app_key}/secrets",
    status=201,
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="轮换密钥",
    en="Rotate the secret",
    errors=(ClientDisabled, OutOfScope, ClientNotFound, ConcurrentChange),
)
def post_secret(call: Call[SecretRequest, Nothing], app_key: str) -> Done[GrantedSecretAnswer]:
    p, overlap = call.platform, timedelta(seconds=call.body.overlap_seconds)
    done = granting_access.rotate_secret(p.catalogue, p.marks, p.keys.sealer, p.chance, app_key, overlap, **call.acting)
    return GrantedSecretAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/clients/{app_key}/pace",
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="调整应用的请求速率",
    en="Give a client another pace",
    errors=(OutOfScope, ClientNotFound, ConcurrentChange),
)
def set_pace(call: Call[PaceRequest, Nothing], app_key: str) -> Done[ClientAnswer]:
    p, wanted = call.platform, call.body.requests_per_second
    return ClientAnswer.done(granting_access.set_pace(p.catalogue, p.marks, app_key, wanted, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/clients/{app_key}/disable",
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="停用应用",
    en="Disable a client",
    errors=(OutOfScope, ClientNotFound, ConcurrentChange),
)
def disable_client(call: Plain, app_key: str) -> Done[ClientAnswer]:
    p = call.platform
    return ClientAnswer.done(granting_access.disable_client(p.catalogue, p.marks, app_key, **call.acting))
