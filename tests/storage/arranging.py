"""What storage tests arrange with: ids that nobody used before, marks, stock on shards, walks through pages."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from chalicelib.domain import voucher as steps
from chalicelib.domain.outcomes import Mark, Page
from chalicelib.domain.person import Person
from chalicelib.domain.template import Template, TemplateState
from chalicelib.domain.voucher import State, Voucher
from chalicelib.integrations.chance import SystemChance
from chalicelib.services.ports import Platform
from tests.domain.builders import (
    CLAIMED_AT,
    REDEEMED_AT,
    a_claimed_voucher,
    a_holder,
    a_redemption,
    a_shard,
    a_template,
    an_actor,
    an_attempt,
    some_terms,
)

T = TypeVar("T")
_chance = SystemChance()


def an_id() -> str:
    return _chance.short_id()


def a_person_id() -> str:
    return _chance.person_id()


def a_mark(answer: object = "done", *, key: str | None = None, body: bytes = b"{}", at: datetime = CLAIMED_AT) -> Mark:
    """The mark of a request of its own, or of the one with this key."""
    return Mark(an_attempt(key or an_id(), body), answer, at)


def walk(page_of: Callable[[str | None], Page[T]]) -> list[tuple[T, ...]]:
    """All pages of a list, one after the other."""
    pages, cursor = [], None
    for _ in range(100):
        page = page_of(cursor)
        pages.append(page.items)
        cursor = page.cursor
        if cursor is None:
            return pages
    raise AssertionError("a list that does not end")


def joined(pages: list[tuple[T, ...]]) -> list[T]:
    return [item for page in pages for item in page]


def some_stock(
    stores: Platform, *, shards: Mapping[int, int], shard_changes: Mapping[str, Any] | None = None, **changes: Any
) -> Template:
    """A published template with these shards (number → stock), as publishing leaves them."""
    quantity = sum(shards.values())
    template_id = an_id()
    draft = a_template(
        TemplateState.PUBLISHED, template_id=template_id, quantity=quantity, unallotted=quantity, **changes
    )
    stores.templates.add(draft, some_terms(template_id=template_id), a_mark())
    dealt = replace(draft, unallotted=0, shards=max(shards) + 1, version=2)
    new = [a_shard(number, stock, template_id=template_id, **(shard_changes or {})) for number, stock in shards.items()]
    stores.templates.deal(dealt, {}, new)
    return dealt


def a_claim(template: Template, *, shard: int = 0, person_id: str | None = None, **changes: Any) -> Voucher:
    """A claimed voucher that stands in no table yet."""
    return a_claimed_voucher(
        person_id=person_id or a_person_id(),
        template_id=template.template_id,
        voucher_id=an_id(),
        code_key=an_id(),
        shard=shard,
        **changes,
    )


def its_holder(voucher: Voucher, **changes: Any) -> Person:
    return a_holder(person_id=voucher.person_id, held={voucher.template_id: voucher.region}, **changes)


def claimed(stores: Platform, template: Template, **changes: Any) -> Voucher:
    """A claimed voucher of somebody new, in the table."""
    voucher = a_claim(template, **changes)
    stores.people.record_claim(voucher, its_holder(voucher), (f"IDENTITY#{an_id()}",))
    return voucher


def redeemed(voucher: Voucher) -> Voucher:
    """The voucher after its redemption, in no table yet."""
    return steps.redeem(
        voucher, a_redemption(redeemed_at=REDEEMED_AT), attempt=an_attempt(an_id()), actor=an_actor(), facts={}
    )


def reversed_(voucher: Voucher, at: datetime) -> Voucher:
    return steps.reverse(voucher, reason="扫错了", window=10**9, attempt=an_attempt(an_id()), actor=an_actor(), now=at)


def returned(voucher: Voucher) -> Voucher:
    return steps.give_back(voucher, attempt=an_attempt(an_id()), actor=an_actor(), now=CLAIMED_AT)


def counts(**numbers: int) -> dict[State, int]:
    """Shard counts, zero where nothing is said."""
    return dict.fromkeys(State, 0) | {State(name): n for name, n in numbers.items()}
