"""Who acts for whom (亲情代办): see the relations, end one, and open a session for the person."""

from datetime import datetime

from chalicelib.domain import assertion as assertions
from chalicelib.domain import proxy as proxies
from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import SESSION_LENGTH, HolderSession, Purpose
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Forbidden, RelationNotFound, VoucherNotFound
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.proxy import Relation
from chalicelib.services.identifying import OpenedSession, name_person
from chalicelib.services.once import once
from chalicelib.services.ports import Chance, Keys, Marks, People


def open_session_for(
    people: People, keys: Keys, chance: Chance, jws: str, relation_id: str, *, actor: Actor, now: datetime
) -> OpenedSession:
    """A session of the person whom the asserted relative acts for; the wallet, the QR code and giving back are theirs.

    Raises AssertionNotAccepted, Invalid, VoucherNotFound (nobody here has this number), RelationNotFound.
    """
    assertion = keys.assertions.read(jws)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.SESSION, None)
    assertions.check_age(assertion, now)
    proxy_id = people.find(name_person(keys, assertion, now).identity_keys)
    if proxy_id is None:
        raise VoucherNotFound()
    relation = people.relation(proxy_id, relation_id)
    if relation is None or relation.revoked_at is not None or relation.proxy_id != proxy_id:
        raise RelationNotFound()
    session = HolderSession(actor.app_key, relation.person_id, now + SESSION_LENGTH, relation_id)
    return OpenedSession(keys.sessions.issue(session, chance.nonce()), session.ends_at)


def list_relations(people: People, session: HolderSession, limit: int, cursor: str | None) -> Page[Relation]:
    """Those in which the person acts, or is acted for. Raises Forbidden (in a session that a relative opened)."""
    _must_be_themselves(session)
    return people.relations(session.person_id, limit, cursor)


def end_relation(
    people: People,
    marks: Marks,
    relation_id: str,
    *,
    session: HolderSession,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Relation]:
    """Either side ends it; sessions that the relative opened end within 15 minutes. Vouchers that were claimed stay.

    Raises Forbidden (in a session that a relative opened), RelationNotFound, Reused, Contended.
    """
    _must_be_themselves(session)

    def act() -> Relation:
        relation = people.relation(session.person_id, relation_id)
        if relation is None:
            raise RelationNotFound()
        proxy, _ = people.read(relation.proxy_id, [])
        if proxy is None:
            raise AssertionError("a relation without its proxy")
        by = "proxy" if session.person_id == relation.proxy_id else "person"
        after, ended = proxies.end(proxy, relation, by, now)
        people.end_relation(after, ended, Mark(attempt, ended, now))
        return ended

    return once(marks, attempt, Relation, now, act)


def _must_be_themselves(session: HolderSession) -> None:
    if session.relation_id is not None:
        raise Forbidden()
