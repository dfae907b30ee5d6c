"""Public keys of the e-SSC platform, by which identity assertions are believed."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import NO_NUMBER, Asked, Instant, Listing, Nothing, PublicKey, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import AlreadyExists, AssertionKeyNotFound, ConcurrentChange, Invalid, OutOfScope
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import granting_access

routes = Blueprint(__name__)


class AssertionKeyRequest(Asked):
    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), NO_NUMBER]
    public_key: PublicKey


class AssertionKeyAnswer(Shown):
    kid: str
    public_key: str
    made_at: Instant
    disabled_at: Instant | None
    version: int


@answers(
    routes,
    "POST",
    "/v1/assertion-keys",
    status=201,
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="信任断言公钥",
    en="Trust an assertion key",
    errors=(Invalid, OutOfScope, AlreadyExists),
)
def post_assertion_key(call: Call[AssertionKeyRequest, Nothing]) -> Done[AssertionKeyAnswer]:
    p, asked = call.platform, call.body
    granting_access.check_public_key(p.keys.operator_signatures, asked.public_key)
    done = granting_access.add_assertion_key(p.catalogue, p.marks, asked.kid, asked.public_key, **call.acting)
    return AssertionKeyAnswer.done(done)


@answers(routes, "GET", "/v1/assertion-keys", act=Act.READ_ACCESS, tag="access", zh="断言公钥", en="The assertion keys")
def list_assertion_keys(call: Call[Nothing, Listing]) -> Page[AssertionKeyAnswer]:
    page = call.platform.catalogue.assertion_keys.page("all", call.query.limit, call.query.cursor)
    return AssertionKeyAnswer.page(page)


@answers(
    routes,
    "POST",
    "/v1/assertion-keys/{kid}/disable",
    act=Act.MANAGE_ACCESS,
    tag="access",
    zh="停用断言公钥",
    en="Disable an assertion key",
    errors=(OutOfScope, AssertionKeyNotFound, ConcurrentChange),
)
def disable_assertion_key(call: Plain, kid: str) -> Done[AssertionKeyAnswer]:
    p = call.platform
    return AssertionKeyAnswer.done(granting_access.disable_assertion_key(p.catalogue, p.marks, kid, **call.acting))
