"""Make a voucher out of a template's stock, for whoever claims one or is issued one. design.md §1, §2."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import cycle, islice

from chalicelib.domain import person, voucher
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import Contended, SoldOut, TemplateNotOpen
from chalicelib.domain.identifiers import format_code, parse_code
from chalicelib.domain.outcomes import Done, ShardRefused, WriteConflict
from chalicelib.domain.person import CountKey, Person
from chalicelib.domain.proxy import ByProxy
from chalicelib.domain.region import Rules
from chalicelib.domain.template import Template, TemplateState, Terms
from chalicelib.domain.voucher import Receipt, State, Voucher, receipt
from chalicelib.services.judging_claims import already_claimed, in_hand, must_hold_no_other
from chalicelib.services.linking import any_voucher
from chalicelib.services.newest_terms import revived
from chalicelib.services.ports import Chance, Keys, People, Templates
from chalicelib.services.publishing import settle

TRIES = 12
ROUNDS_OF_STOCK, TRIES_A_ROUND = 4, 12
FULL_HANDS = 64


class TermsChanged(Exception):
    """The template promises something else by now: ``template`` is as it was read."""

    def __init__(self, template: Template) -> None:
        super().__init__()
        self.template = template


def done_by_a_twin(
    people: People,
    identity_keys: Sequence[str],
    template_id: str,
    attempt: Attempt,
    now: datetime,
    *,
    not_in_the_way: Collection[State] = (),
) -> Done[Receipt] | None:
    """What became of a refused request whose duplicate was quicker, and took what this one lacked; None where there was
    no such thing, or the voucher is in a state that does not stand in the way (``not_in_the_way``).

    Raises AlreadyClaimed (by another request), Reused.
    """
    there = any_voucher(people, identity_keys, template_id)
    if there is None:
        return None
    earlier = voucher.earlier_answer(there, attempt, now)
    if earlier is not None:
        return Done(receipt(there, earlier), hit=True)
    if there.state in not_in_the_way:
        return None
    raise already_claimed(there)


def look_at_hands(
    templates: Templates, people: People, holder: Person | None, linked: Sequence[Person], rules: Rules, now: datetime
) -> Person | None:
    """The only third read: when the region allows one at a time, and at one claim of some sixty to tidy up.

    What has ended can never count again and is dropped, so that a person's row holds no more than what is still open.
    """
    if holder is None or not any(one.held for one in (holder, *linked)):
        return holder
    tidies = bool(holder.held) and len(holder.held) % FULL_HANDS == 0
    if not (rules.one_at_a_time or tidies):
        return holder
    mine_to_tidy = [(holder.person_id, template_id) for template_id in holder.held] if tidies else []
    found = people.vouchers(list(dict.fromkeys([*mine_to_tidy, *in_hand((holder, *linked), rules)])))
    there = [revived(templates, one, now) for one in found]
    must_hold_no_other(there, rules, now)
    mine = [one for one in there if one.person_id == holder.person_id]
    ended = {one.template_id for one in mine if not voucher.is_held(one, now, redeemed_counts=True)}
    return person.drop_ended(holder, ended)


def blank_voucher(
    keys: Keys, chance: Chance, holder: Person, template: Template, terms: Terms, wanted: CountKey, now: datetime
) -> Voucher:
    code = format_code(chance.code_bytes())
    person_id, template_id = holder.person_id, template.template_id
    return Voucher(
        person_id=person_id,
        template_id=template_id,
        voucher_id=keys.voucher_ids.encode(person_id, template_id),
        region=template.region,
        shard=0,
        terms_version=terms.version,
        state=State.CLAIMED,
        version=0,
        ceiling_fen=terms.ceiling_fen,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        counted_as=wanted,
        masked_name=holder.masked_name,
        sealed_code=keys.sealer.seal(code, code_context(person_id, template_id)),
        code_key=keys.identities.code_key(parse_code(code)),
        made_at=now,
        changed_at=now,
    )


def code_context(person_id: str, template_id: str) -> str:
    """What a voucher's sealed code is tied to."""
    return f"code:{person_id}:{template_id}"


def take_from_stock(
    templates: Templates,
    people: People,
    chance: Chance,
    template: Template,
    blank: Voucher,
    taken: Person,
    identity_keys: Sequence[str],
    make: Callable[[Voucher], Voucher],
    *,
    by: ByProxy | None = None,
    linked: Sequence[Person] = (),
    unchanged: Sequence[Person] = (),
) -> Voucher:
    """Try shards until one gives a unit. A conflict is never "empty": sold out is only what every shard refused.

    ``identity_keys``: of a person who is new; ``make``: the first step of the voucher, once its shard is known. Raises
    SoldOut, TemplateNotOpen, TermsChanged, Contended, VoucherExists, StaleRow.
    """
    conflicts = 0
    for seen, numbers in rounds_of_shards(templates, chance, template):
        for number in numbers:
            made = make(replace(blank, shard=number))
            try:
                people.record_claim(made, taken, identity_keys, conflicts, by, linked, unchanged)
                templates.note_shard(template.template_id, number)
                return made
            except WriteConflict:
                conflicts += 1
                continue
            except ShardRefused as refused:
                shard = refused.shard
                if shard is not None and shard.open and shard.terms_version == blank.terms_version:
                    continue  # empty by now
                template = why_shut(templates, template)
        if not numbers:
            templates.note_sold_out(seen)
            raise SoldOut()
    raise Contended()


def why_shut(templates: Templates, template: Template) -> Template:
    fresh = settle(templates, template.template_id)
    if fresh.state is not TemplateState.PUBLISHED:
        raise TemplateNotOpen(state=fresh.state)
    if fresh.terms_version != template.terms_version:
        raise TermsChanged(fresh)
    return fresh


def rounds_of_shards(templates: Templates, chance: Chance, template: Template) -> Iterator[tuple[Template, list[int]]]:
    """Shards to try one after another, another one after each conflict.

    First two unread: the one that worked here a moment ago, so that in a rush each container keeps out of the others'
    way, and random ones. Then random ones of those that show stock, read anew each round; none: it is sold out.
    """
    if template.shards:
        order, noted = chance.order(template.shards), templates.noted_shard(template.template_id)
        if noted is not None:
            order = [noted, *(number for number in order if number != noted)]
        yield template, order[:2]
    for _ in range(ROUNDS_OF_STOCK):
        fresh = settle(templates, template.template_id)
        if fresh.state is not TemplateState.PUBLISHED:
            raise TemplateNotOpen(state=fresh.state)
        full = [shard.number for shard in templates.shards(fresh) if shard.remaining > 0]
        # Shards are not read at one moment: none has stock only if none was added meanwhile, which the head would show.
        if full or templates.read(fresh.template_id) == fresh:
            order = [full[i] for i in chance.order(len(full))]
            yield fresh, list(islice(cycle(order), TRIES_A_ROUND))
