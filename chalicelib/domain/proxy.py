"""亲情代办: a relative acts for a person. domain.md §1; how many people one relative may act for is regional."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import ProxyLimitReached, RelationNotFound
from chalicelib.domain.person import Person


class Kin(StrEnum):
    """What the relative is to the person."""

    SPOUSE = "spouse"  # 配偶
    CHILD = "child"  # 子女
    PARENT = "parent"  # 父母
    SIBLING = "sibling"  # 兄弟姐妹
    GRANDCHILD = "grandchild"  # 孙辈
    GUARDIAN = "guardian"  # 监护人
    OTHER = "other"  # 其他亲属


@dataclass(frozen=True, slots=True)
class Relation:
    """Who may act for whom, since both showed their e-SSC for it, until either ends it. Names are masked."""

    relation_id: str
    kin: Kin
    proxy_id: str = field(repr=False)
    person_id: str = field(repr=False)
    proxy_name: str
    person_name: str
    app_key: str
    made_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class ByProxy:
    """What a claim by a relative changes of the relative's row. ``relation`` is None where they act for this person
    already; ``identity_keys`` are those of somebody new."""

    after: Person
    relation_id: str
    kin: Kin
    relation: Relation | None = None
    identity_keys: tuple[str, ...] = ()


def relation_with(proxy: Person, person_id: str) -> str | None:
    """The relation in force by which the relative acts for this person."""
    return next((relation for relation, served in proxy.serves.items() if served == person_id), None)


def serve(proxy: Person, relation: Relation, limit: int) -> Person:
    """The relative's row with one person more to act for. Raises ProxyLimitReached."""
    if len(proxy.serves) >= limit:
        raise ProxyLimitReached(limit=limit)
    serves: Mapping[str, str] = {**proxy.serves, relation.relation_id: relation.person_id}
    return replace(proxy, version=proxy.version + 1, serves=serves)


def end(proxy: Person, relation: Relation, by: str, now: datetime) -> tuple[Person, Relation]:
    """Either side ends it. Raises RelationNotFound (it has ended already)."""
    if relation.revoked_at is not None:
        raise RelationNotFound()
    serves = {one: served for one, served in proxy.serves.items() if one != relation.relation_id}
    ended = replace(relation, revoked_at=now, revoked_by=by, version=relation.version + 1)
    return replace(proxy, version=proxy.version + 1, serves=serves), ended
