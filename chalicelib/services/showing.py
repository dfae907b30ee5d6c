"""Show vouchers: the holder's wallet, one voucher with its typed code, its history, its QR token."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import history, token, voucher
from chalicelib.domain.access import Actor, Role, covers
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.errors import Expired, Invalid, VoucherEnded, VoucherNotFound
from chalicelib.domain.history import Entry
from chalicelib.domain.outcomes import Page
from chalicelib.domain.person import Person, is_one
from chalicelib.domain.template import Template, Terms
from chalicelib.domain.voucher import ENDED, STATE_ZH, State, Voucher
from chalicelib.services.making_vouchers import code_context
from chalicelib.services.newest_terms import as_promised, revived
from chalicelib.services.ports import Chance, Keys, People, Templates


@dataclass(frozen=True, slots=True)
class Card:
    """A voucher as it is shown: whose it is, its effective state, its terms, and the look of the card.

    ``masked_name`` is the holder's name as it is now; a voucher keeps the one under which it was claimed.
    ``code`` is set for the holder alone, and only for one voucher at a time.
    """

    voucher: Voucher
    state: State
    terms: Terms
    template: Template
    masked_name: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A voucher's history; ``genesis`` and the entries' canonical texts are enough to recount the chain."""

    voucher_id: str
    genesis: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ShownToken:
    token: str
    expires_at: datetime


def open_wallet(
    templates: Templates, people: People, session: HolderSession, limit: int, cursor: str | None, now: datetime
) -> Page[Card]:
    """The holder's vouchers, whatever their state; those of records that were merged follow after one another.

    One read for the first page. Raises Invalid (a cursor of another list).
    """
    number, inner = _read_place(cursor)
    if cursor is None:
        holder, page = people.open_wallet(session.person_id, limit)
    else:
        holder, _ = people.read(session.person_id, [])
        page = Page(())
    if holder is not None and holder.merged_into is not None:  # after the session was opened
        holder, _ = people.read(holder.merged_into, [])
    if holder is None:
        return Page(())
    records = (holder.person_id, *holder.also)
    if number >= len(records):
        raise Invalid(pointer="cursor", reason="this cursor is not one of ours for this list")
    if cursor is not None or holder.person_id != session.person_id:
        page = people.wallet(records[number], limit, inner)
    cards = tuple(_card(templates, one, holder, now) for one in page.items)
    return Page(cards, _place_after(number, page.cursor, len(records)))


def show_voucher(
    templates: Templates,
    people: People,
    keys: Keys,
    voucher_id: str,
    *,
    actor: Actor,
    session: HolderSession | None,
    now: datetime,
) -> Card:
    """One voucher, to its holder, to an authority whose region it is of, or to the institution that redeemed it.

    Raises VoucherNotFound, also for all others.
    """
    found, holder = _visible(people, keys, voucher_id, actor, session)
    code = None
    if session is not None and found.state not in ENDED:
        code = keys.sealer.unseal(found.sealed_code, code_context(found.person_id, found.template_id))
    return _card(templates, found, holder, now, code)


def tell_history(people: People, keys: Keys, voucher_id: str, *, actor: Actor, session: HolderSession | None) -> Story:
    """All steps with their hash chain, recounted before it is told. Raises VoucherNotFound, BrokenChain."""
    found, _ = _visible(people, keys, voucher_id, actor, session)
    genesis = history.genesis(found.template_id, found.person_id)
    history.check_chain(found.history, genesis)
    return Story(found.voucher_id, genesis, found.history)


def show_token(
    templates: Templates,
    people: People,
    keys: Keys,
    chance: Chance,
    voucher_id: str,
    *,
    session: HolderSession,
    actor: Actor,
    now: datetime,
) -> ShownToken:
    """A fresh QR token of 60 s. Raises VoucherNotFound, VoucherEnded, Expired."""
    found, _ = _visible(people, keys, voucher_id, actor, session)
    state = voucher.effective_state(revived(templates, found, now), now)
    if state is State.EXPIRED:
        raise Expired(valid_until=found.valid_until.isoformat())
    if state in ENDED:
        raise VoucherEnded(state=state, state_zh=STATE_ZH[state])
    return ShownToken(keys.tokens.issue(found, chance.nonce(), now), now + token.LIFE)


def _visible(
    people: People, keys: Keys, voucher_id: str, actor: Actor, session: HolderSession | None
) -> tuple[Voucher, Person]:
    key = keys.voucher_ids.decode(voucher_id)
    if key is None:
        raise VoucherNotFound()
    person_id, template_id = key
    holder, vouchers = people.read(person_id, [template_id])
    found = vouchers.get(template_id)
    if found is None or holder is None:
        raise VoucherNotFound()
    if session is not None:
        seen = found.person_id == holder.person_id and is_one(holder, session.person_id)
    elif actor.client.role is Role.INSTITUTION:
        seen = found.redemption is not None and found.redemption.institution_id in actor.institutions
    else:
        seen = actor.client.role is not Role.CHANNEL and covers(actor, found.region)
    if not seen:
        raise VoucherNotFound()
    return found, holder


def _read_place(cursor: str | None) -> tuple[int, str | None]:
    """Where a wallet goes on: the how-manieth of the person's records, and from where in it."""
    if cursor is None:
        return 0, None
    number, separator, inner = cursor.rpartition("~")
    if not separator:
        return 0, inner
    if not (number.isascii() and number.isdigit() and len(number) == 1):
        raise Invalid(pointer="cursor", reason="this cursor is not one of ours for this list")
    return int(number), inner or None


def _place_after(number: int, inner: str | None, records: int) -> str | None:
    if inner is not None:
        return f"{number}~{inner}" if number else inner
    return f"{number + 1}~" if number + 1 < records else None


def _card(templates: Templates, one: Voucher, holder: Person, now: datetime, code: str | None = None) -> Card:
    template = templates.get(one.template_id)
    if template is None:
        raise VoucherNotFound()
    one = as_promised(templates, template, one)
    terms = templates.terms(one.template_id, one.terms_version)
    return Card(one, voucher.effective_state(one, now), terms, template, holder.masked_name, code)
