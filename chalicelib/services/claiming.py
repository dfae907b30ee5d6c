"""Claim a voucher of an open template (领取): two reads and one transaction. design.md §1, §2."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from chalicelib.domain import assertion as assertions
from chalicelib.domain import calendar, person, voucher
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
    NameDiffers,
    NotEligible,
    ProxyLimitReached,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.institution import Institution, must_redeem
from chalicelib.domain.outcomes import Done, ShardRefused, StaleRow, VoucherExists, WriteConflict
from chalicelib.domain.person import Person
from chalicelib.domain.proxy import ByProxy, Kin, Relation
from chalicelib.domain.region import Rules
from chalicelib.domain.template import Template, TemplateState, Terms, check_open_for_taking
from chalicelib.domain.voucher import Receipt, State, Voucher, receipt
from chalicelib.services import comparing_names
from chalicelib.services.cataloguing import find_institution, rules_in_force
from chalicelib.services.identifying import Named, card_facts, name_person, new_person, read_card
from chalicelib.services.issuing import must_be_called
from chalicelib.services.judging_claims import (
    already_claimed,
    channel_not_open,
    judge_claim,
    must_be_offered,
)
from chalicelib.services.judging_eligibility import applicant_of, ask_service, regions_of_lists
from chalicelib.services.linking import first_of, linked_of, vouchers_among
from chalicelib.services.making_vouchers import (
    TRIES,
    TermsChanged,
    blank_voucher,
    done_by_a_twin,
    look_at_hands,
    take_from_stock,
)
from chalicelib.services.newest_terms import in_hand_again, revived
from chalicelib.services.ports import Catalogue, Chance, Keys, People, Templates
from chalicelib.services.publishing import settle


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
        done = done_by_a_twin(
            people, named.identity_keys, template.template_id, attempt, now, not_in_the_way=(State.ISSUED,)
        )
        if done is None:
            raise
        return done


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
        linked = linked_of(people, holder)
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
        records = (holder, *linked) if holder else ()
        helpers = linked_of(people, helper)
        issued = _issued(templates, there, now)
        if there is not None and issued is None:
            raise already_claimed(there)
        if place:
            must_redeem(place)
        if there is not None and issued is not None:
            owner = next(one for one in records if one.person_id == there.person_id)
            try:
                _judge_taking(keys, template, terms, owner, records, named, actor, now)
            except NameDiffers:
                comparing_names.hold(people, keys, there, owner, named, actor, now)
                raise
            by = _by_proxy(keys, chance, relative, helper, helpers, owner, actor, now) if relative else None
            facts = _facts(keys, assertion, template.template_id, by)
            taken_up = voucher.take(issued, attempt=attempt, actor=actor, entrance=entrance, now=now, facts=facts)
            again = in_hand_again([there], owner, now)  # its window was over, and an amendment opened it again
            looked_at = [*records, *(one for one in helpers if one not in records)]
            unchanged = [one for one in looked_at if again is None or one is not owner]
            shut = template.state is TemplateState.CLOSED  # for good: what was issued before may still be taken
            try:
                people.record_step(there, taken_up, again, unchanged, while_open=not shut, by_proxy=by)
                return Done(receipt(taken_up))
            except (StaleRow, WriteConflict, ShardRefused):
                template = settle(templates, template.template_id)
                continue
        applicant = applicant_of(named, found, said, now)
        wanted = judge_claim(template.region, template.state, terms, applicant, records, rules, actor=actor, now=now)
        holder = look_at_hands(templates, people, holder, linked, rules, now)
        if templates.is_sold_out(template):
            raise SoldOut()
        known = holder or new_person(keys, chance, named)
        taken = person.take(known, template.template_id, wanted)
        by = _by_proxy(keys, chance, relative, helper, helpers, known, actor, now) if relative else None
        if needs_service(terms.eligibility, applicant):
            # Last of all that could refuse, and once for a request: nobody is asked about in vain.
            said = ask_service(catalogue, keys.eligibility_services, template, terms, named, now)
            must_be_eligible(terms.eligibility, replace(applicant, service=said))
        blank = blank_voucher(keys, chance, known, template, terms, wanted, now)
        facts = _facts(keys, assertion, template.template_id, by)
        make = partial(voucher.claim, attempt=attempt, actor=actor, entrance=entrance, now=now, facts=facts)
        newcomer = named.identity_keys if holder is None else ()
        try:
            made = take_from_stock(
                templates, people, chance, template, blank, taken, newcomer, make,
                by=by, linked=linked, unchanged=[one for one in helpers if one not in linked],
            )  # fmt: skip
            return Done(receipt(made))
        except (VoucherExists, StaleRow):
            continue
        except TermsChanged as changed:
            template = changed.template
    raise Contended()


def _issued(templates: Templates, there: Voucher | None, now: datetime) -> Voucher | None:
    """The voucher as it stands for the person to take; None where it does not."""
    if there is None or there.state is not State.ISSUED:
        return None
    issued = revived(templates, there, now)
    return issued if voucher.effective_state(issued, now) is State.ISSUED else None


def _judge_taking(
    keys: Keys,
    template: Template,
    terms: Terms,
    owner: Person,
    records: Sequence[Person],
    named: Named,
    actor: Actor,
    now: datetime,
) -> None:
    """Whether the person may take what was issued to them, now and here: who may have it was judged then.

    Raises ChannelNotOpen, TemplateNotOpen, ClaimWindowNotOpen, ClaimWindowOver, PersonFlagged, NameDiffers.
    """
    must_be_offered(actor, template.region)
    check_open_for_taking(template.state, terms, now)
    person.must_not_be_flagged(records, template.region, calendar.local_date(now))
    must_be_called(keys, owner, named)


def _facts(keys: Keys, assertion: Assertion, template_id: str, by: ByProxy | None) -> dict[str, str | int | None]:
    """What the history says of how it was claimed: the card, the relative who acted."""
    facts = card_facts(keys, assertion, template_id)
    return {**facts, "proxy": by.relation_id, "kin": by.kin} if by else facts


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
