"""Claim a voucher of an open template (领取): two reads and one transaction. design.md §1, §2."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import cycle, islice

from chalicelib.domain import assertion as assertions
from chalicelib.domain import person, voucher
from chalicelib.domain import proxy as proxies
from chalicelib.domain.access import Actor, Role
from chalicelib.domain.assertion import Assertion, Purpose
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.eligibility import ServiceVerdict, must_be_eligible, needs_service
from chalicelib.domain.errors import (
    CapReached,
    ChannelNotOpen,
    Contended,
    Forbidden,
    HoldsAnother,
    Invalid,
    NotEligible,
    ProxyLimitReached,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.identifiers import format_code, parse_code
from chalicelib.domain.institution import Institution, must_redeem
from chalicelib.domain.outcomes import Done, ShardRefused, StaleRow, VoucherExists, WriteConflict
from chalicelib.domain.person import CountKey, Person
from chalicelib.domain.proxy import ByProxy, Kin, Relation
from chalicelib.domain.region import Rules
from chalicelib.domain.template import Template, TemplateState, Terms
from chalicelib.domain.voucher import Receipt, State, Voucher, receipt
from chalicelib.services.cataloguing import find_institution, rules_in_force
from chalicelib.services.identifying import Named, card_facts, name_person, new_person, read_card
from chalicelib.services.judging_claims import (
    already_claimed,
    channel_not_open,
    in_hand,
    judge_claim,
    must_hold_no_other,
)
from chalicelib.services.judging_eligibility import applicant_of, ask_service, regions_of_lists
from chalicelib.services.linking import first_of, linked_with, vouchers_among
from chalicelib.services.newest_terms import revived
from chalicelib.services.ports import Catalogue, Chance, Keys, People, Templates
from chalicelib.services.publishing import settle

TRIES = 12
ROUNDS_OF_STOCK, TRIES_A_ROUND = 4, 12
FULL_HANDS = 64


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a channel asks for, by an assertion, or an institution's client, by what its terminal read off a card.

    ``entrance``: card, activity page …, as the channel names it.
    """

    template_id: str
    assertion: str | None = None
    entrance: str | None = None
    proxy: "ProxyRequest | None" = None
    card_read: str | None = None


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A relative acts (亲情代办): their own assertion, for purpose ``proxy`` and the template, beside the person's."""

    assertion: str
    kin: Kin


@dataclass(frozen=True, slots=True)
class _Relative:
    named: Named
    assertion: Assertion
    kin: Kin
    limit: int


def claim_voucher(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    chance: Chance,
    asked: ClaimRequest,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """Claim once for the asserted person.

    Raises Forbidden (an institution by anything but a card), AssertionNotAccepted, CardReadNotAccepted, Invalid,
    TemplateNotFound, InstitutionNotAdmitted (where the card was read), ChannelNotOpen, TemplateNotOpen, DirectedOnly,
    ClaimWindowNotOpen, ClaimWindowOver, AlreadyClaimed, NotEligible, PersonFlagged, CapReached, HoldsAnother,
    ProxyLimitReached, SoldOut, Reused, Contended.
    """
    assertion, place = _read_proof(catalogue, keys, asked, actor)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.CLAIM, asked.template_id)
    named = name_person(keys, assertion, now, "/card_read" if place else "/assertion")
    template = templates.get(asked.template_id)
    if template is None or template.state is TemplateState.DRAFT:
        template = templates.read(asked.template_id)
    if template is None or template.state is TemplateState.DRAFT:
        raise TemplateNotFound()
    rules = rules_in_force(catalogue, template.region, now)
    relative = _relative(keys, asked, named, rules, actor, now)
    try:
        return _claim(
            catalogue, templates, people, keys, chance, template, rules, named, assertion, place, relative,
            actor=actor, attempt=attempt, entrance=asked.entrance, now=now,
        )  # fmt: skip
    except ChannelNotOpen:
        raise channel_not_open(catalogue, template.region) from None
    except (TemplateNotOpen, NotEligible, SoldOut, CapReached, HoldsAnother, ProxyLimitReached):
        # Another request of this person may have been quicker, and taken what this one lacked. If it was a duplicate,
        # its answer is ours.
        person_id = people.find(named.identity_keys)
        there = _any_voucher(people, person_id, template.template_id) if person_id else None
        if there is None:
            raise
        earlier = voucher.earlier_answer(there, attempt, now)
        if earlier is None:
            raise already_claimed(there) from None
        return Done(receipt(there, earlier), hit=True)


def _any_voucher(people: People, person_id: str, template_id: str) -> Voucher | None:
    """The person's voucher, on whichever of their records it stands."""
    holder, vouchers = people.read(person_id, [template_id])
    theirs = vouchers_among(people, linked_with(people, holder), template_id) if holder else []
    return first_of([*vouchers.values(), *theirs])


def _claim(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    chance: Chance,
    template: Template,
    rules: Rules,
    named: Named,
    assertion: Assertion,
    place: Institution | None,
    relative: _Relative | None,
    *,
    actor: Actor,
    attempt: Attempt,
    entrance: str | None,
    now: datetime,
) -> Done[Receipt]:
    said: ServiceVerdict | None = None
    for _ in range(TRIES):
        terms = templates.terms(template.template_id, template.terms_version)
        regions = regions_of_lists(template, terms)
        found = people.identify(named.identity_keys, regions, relative.named.identity_keys if relative else ())
        holder, there, helper = None, None, None
        if found.person_id or found.proxy_id:
            holder, there, helper = people.read_with_proxy(found.person_id, template.template_id, found.proxy_id)
        if any(one is not None and one.merged_into is not None for one in (holder, helper)):
            continue  # a moment ago: the number leads to the other record by now
        linked = linked_with(people, holder) if holder else ()
        theirs = vouchers_among(people, linked, template.template_id)
        all_there = [*([there] if there else []), *theirs]
        for one in all_there:
            earlier = voucher.earlier_answer(one, attempt, now)
            if earlier is not None:
                return Done(receipt(one, earlier), hit=True)
        there = first_of(all_there)
        assertions.check_age(assertion, now)
        if relative:
            assertions.check_age(relative.assertion, now)
        if there is not None:
            raise already_claimed(there)
        if place:
            must_redeem(place)
        applicant = applicant_of(named, found, said, now)
        records = (holder, *linked) if holder else ()
        wanted = judge_claim(template.region, template.state, terms, applicant, records, rules, actor=actor, now=now)
        holder = _look_at_hands(templates, people, holder, linked, rules, now)
        if templates.is_sold_out(template):
            raise SoldOut()
        known = holder or new_person(keys, chance, named)
        taken = person.take(known, template.template_id, wanted)
        their_records = linked_with(people, helper) if helper else ()
        by = _by_proxy(keys, chance, relative, helper, their_records, known, actor, now) if relative else None
        if needs_service(terms.eligibility, applicant):
            # Last of all that could refuse, and once for a request: nobody is asked about in vain.
            said = ask_service(catalogue, keys.eligibility_services, template, terms, named, now)
            must_be_eligible(terms.eligibility, replace(applicant, service=said))
        blank = _blank_voucher(keys, chance, known, template, terms, wanted, now)
        try:
            made = _take_from_stock(
                templates, people, chance, template, blank, taken, named if holder is None else None, by, linked,
                [one for one in their_records if one not in linked],
                attempt=attempt, actor=actor, entrance=entrance, now=now,
                facts=card_facts(keys, assertion, template.template_id),
            )  # fmt: skip
            return Done(receipt(made))
        except (VoucherExists, StaleRow):
            continue
        except _TermsChanged as changed:
            template = changed.template
    raise Contended()


def _read_proof(
    catalogue: Catalogue, keys: Keys, asked: ClaimRequest, actor: Actor
) -> tuple[Assertion, Institution | None]:
    """Who is asserted, and by a card: where it was read."""
    if asked.card_read is None:
        if asked.assertion is None:
            raise Invalid(pointer="", reason="one of assertion and card_read is needed")
        if actor.client.role is not Role.CHANNEL:  # nobody is asked for at an institution but by their card
            raise Forbidden()
        return keys.assertions.read(asked.assertion), None
    if asked.proxy is not None:
        raise Invalid(pointer="/proxy", reason="a card is put down by its holder: nobody acts for them")
    assertion, institution_id = read_card(catalogue, keys, asked.card_read, actor=actor)
    return assertion, find_institution(catalogue, institution_id)


def _relative(
    keys: Keys, asked: ClaimRequest, named: Named, rules: Rules, actor: Actor, now: datetime
) -> _Relative | None:
    if asked.proxy is None:
        return None
    assertion = keys.assertions.read(asked.proxy.assertion)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.PROXY, asked.template_id)
    relative = name_person(keys, assertion, now, "/proxy/assertion")
    if not set(relative.identity_keys).isdisjoint(named.identity_keys):
        raise Invalid(pointer="/proxy/assertion", reason="nobody is their own proxy")
    return _Relative(relative, assertion, asked.proxy.kin, rules.proxy_limit)


def _by_proxy(
    keys: Keys,
    chance: Chance,
    relative: _Relative,
    helper: Person | None,
    their_records: Sequence[Person],
    holder: Person,
    actor: Actor,
    now: datetime,
) -> ByProxy:
    """What the claim changes of the relative's row: nothing, where they act for this person already."""
    proxy = helper or new_person(keys, chance, relative.named)
    if person.is_one(holder, proxy.person_id):  # under another number of theirs
        raise Invalid(pointer="/proxy/assertion", reason="nobody is their own proxy")
    for one in (proxy, *their_records):
        person.must_be_alive(one)
    standing = proxies.relation_with(proxy, holder.person_id)
    if standing is not None:
        return ByProxy(proxy, standing, relative.kin)
    relation = Relation(
        relation_id=chance.short_id(),
        kin=relative.kin,
        proxy_id=proxy.person_id,
        person_id=holder.person_id,
        proxy_name=proxy.masked_name,
        person_name=holder.masked_name,
        app_key=actor.app_key,
        made_at=now,
    )
    after = proxies.serve(proxy, relation, relative.limit)
    keys_of_new = relative.named.identity_keys if helper is None else ()
    return ByProxy(after, relation.relation_id, relative.kin, relation, keys_of_new)


class _TermsChanged(Exception):
    def __init__(self, template: Template) -> None:
        super().__init__()
        self.template = template


def _look_at_hands(
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


def _blank_voucher(
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


def _take_from_stock(
    templates: Templates,
    people: People,
    chance: Chance,
    template: Template,
    blank: Voucher,
    taken: Person,
    newcomer: Named | None,
    by: ByProxy | None,
    linked: Sequence[Person],
    unchanged: Sequence[Person],
    *,
    attempt: Attempt,
    actor: Actor,
    entrance: str | None,
    now: datetime,
    facts: Mapping[str, str | int | None],
) -> Voucher:
    """Try shards until one gives a unit. A conflict is never "empty": sold out is only what every shard refused."""
    identity_keys = newcomer.identity_keys if newcomer else ()
    if by:
        facts = {**facts, "proxy": by.relation_id, "kin": by.kin}
    conflicts = 0
    for seen, numbers in rounds_of_shards(templates, chance, template):
        for number in numbers:
            unclaimed = replace(blank, shard=number)
            made = voucher.claim(unclaimed, attempt=attempt, actor=actor, entrance=entrance, now=now, facts=facts)
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
                template = _why_shut(templates, template)
        if not numbers:
            templates.note_sold_out(seen)
            raise SoldOut()
    raise Contended()


def _why_shut(templates: Templates, template: Template) -> Template:
    fresh = settle(templates, template.template_id)
    if fresh.state is not TemplateState.PUBLISHED:
        raise TemplateNotOpen(state=fresh.state)
    if fresh.terms_version != template.terms_version:
        raise _TermsChanged(fresh)
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
