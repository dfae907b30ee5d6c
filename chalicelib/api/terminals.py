"""Terminals that read physical cards at an institution: by what they sign one claims and redeems without a phone."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Asked, Instant, Line, Listing, Nothing, PublicKey, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import ConcurrentChange, InstitutionNotFound, Invalid, OutOfScope, TerminalNotFound
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import granting_access, installing_terminals

routes = Blueprint(__name__)


class TerminalRequest(Asked):
    """``public_key``: of the key by which the terminal signs what it reads, as ``terminal:<terminal_id>``."""

    name: Annotated[Line, Field(max_length=60)]
    public_key: PublicKey


class TerminalAnswer(Shown):
    terminal_id: str
    institution_id: str
    name: str
    public_key: str
    made_at: Instant
    disabled_at: Instant | None
    version: int


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/terminals",
    status=201,
    act=Act.MANAGE_TERMINALS,
    tag="staff",
    zh="登记社保卡终端",
    en="Install a card terminal",
    errors=(Invalid, OutOfScope, InstitutionNotFound),
)
def post_terminal(call: Call[TerminalRequest, Nothing], institution_id: str) -> Done[TerminalAnswer]:
    p, asked = call.platform, call.body
    granting_access.check_public_key(p.keys.operator_signatures, asked.public_key)
    done = installing_terminals.install_terminal(
        p.catalogue, p.marks, p.chance, institution_id, asked.name, asked.public_key, **call.acting
    )
    return TerminalAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/institutions/{institution_id}/terminals",
    act=Act.READ_STAFF,
    tag="staff",
    zh="机构的社保卡终端",
    en="Card terminals of an institution",
    errors=(OutOfScope, InstitutionNotFound),
)
def list_terminals(call: Call[Nothing, Listing], institution_id: str) -> Page[TerminalAnswer]:
    asked = call.query
    page = installing_terminals.list_terminals(
        call.platform.catalogue, institution_id, asked.limit, asked.cursor, actor=call.actor
    )
    return TerminalAnswer.page(page)


@answers(
    routes,
    "POST",
    "/v1/institutions/{institution_id}/terminals/{terminal_id}/disable",
    act=Act.MANAGE_TERMINALS,
    tag="staff",
    zh="停用社保卡终端",
    en="Disable a card terminal",
    errors=(OutOfScope, InstitutionNotFound, TerminalNotFound, ConcurrentChange),
)
def disable_terminal(call: Plain, institution_id: str, terminal_id: str) -> Done[TerminalAnswer]:
    p = call.platform
    done = installing_terminals.disable_terminal(p.catalogue, p.marks, institution_id, terminal_id, **call.acting)
    return TerminalAnswer.done(done)
