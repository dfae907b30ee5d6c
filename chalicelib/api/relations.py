"""亲情代办: the relations in which a person acts for others, or is acted for."""

from chalice.app import Blueprint

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.shapes import Instant, Listing, Nothing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import Forbidden, RelationNotFound
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.proxy import Kin
from chalicelib.services import acting_for

routes = Blueprint(__name__)


class RelationAnswer(Shown):
    """``kin``: what the relative (``proxy_name``) is to the person (``person_name``). ``revoked_by``: proxy, person."""

    relation_id: str
    kin: Kin
    proxy_name: str
    person_name: str
    made_at: Instant
    revoked_at: Instant | None
    revoked_by: str | None


@answers(
    routes,
    "GET",
    "/v1/relations",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="vouchers",
    zh="代办关系",
    en="Who acts for whom",
    errors=(Forbidden,),
)
def list_relations(call: Call[Nothing, Listing]) -> Page[RelationAnswer]:
    asked = call.query
    return RelationAnswer.page(acting_for.list_relations(call.platform.people, call.session, asked.limit, asked.cursor))


@answers(
    routes,
    "POST",
    "/v1/relations/{relation_id}/revocation",
    act=Act.SERVE_HOLDER,
    holder="must",
    tag="vouchers",
    zh="解除代办关系",
    en="End a relation",
    errors=(Forbidden, RelationNotFound),
)
def post_relation_revocation(call: Plain, relation_id: str) -> Done[RelationAnswer]:
    p = call.platform
    done = acting_for.end_relation(p.people, p.marks, relation_id, session=call.session, **call.acting)
    return RelationAnswer.done(done)
