"""Issue a directed voucher to a named person (直接配置培训人员), and let that person take it. domain.md §3, §6."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from chalicelib.domain import person, voucher
from chalicelib.domain.access import Actor, covers, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.eligibility import ServiceVerdict, must_be_eligible, needs_service
from chalicelib.domain.errors import (
    CapReached,
    Contended,
    HoldsAnother,
    NameDiffers,
    NotEligible,
    SoldOut,
    TemplateNotFound,
    TemplateNotOpen,
)
from chalicelib.domain.outcomes import Done, StaleRow, VoucherExists
from chalicelib.domain.person import Person
from chalicelib.domain.template import Template, check_open_for_issue
from chalicelib.domain.voucher import Receipt, Voucher, receipt
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.identifying import Named, Said, content_of, new_person, read_profile
from chalicelib.services.judging_claims import already_claimed, judge_person
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
from chalicelib.services.ports import Catalogue, Chance, Keys, People, Templates


def issue_voucher(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    chance: Chance,
    template_id: str,
    said: Said,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """Put the person on the template: they have a voucher then, which they take through a channel.

    Judged as a claim would be, but for the channel. Raises Invalid, TemplateNotFound (also outside the client's
    scope), OutOfScope, TemplateNotOpen, NotDirected, ClaimWindowOver, AlreadyClaimed, NameDiffers, NotEligible,
    PersonFlagged, CapReached, HoldsAnother, SoldOut, EligibilityServiceUnavailable, Reused, Contended.
    """
    named = read_profile(keys, said, now)
    template = templates.get(template_id)
    if template is None or not covers(actor, template.region):
        raise TemplateNotFound()
    must_cover(actor, template.region)
    try:
        return _issue(
            catalogue, templates, people, keys, chance, template, named, actor=actor, attempt=attempt, now=now
        )
    except (TemplateNotOpen, NotEligible, SoldOut, CapReached, HoldsAnother):
        done = done_by_a_twin(people, named.identity_keys, template_id, attempt, now)
        if done is None:
            raise
        return done


def _issue(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    chance: Chance,
    template: Template,
    named: Named,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    template_id = template.template_id
    rules = rules_in_force(catalogue, template.region, now)
    said: ServiceVerdict | None = None
    for _ in range(TRIES):
        terms = templates.terms(template_id, template.terms_version)
        found = people.identify(named.identity_keys, regions_of_lists(template, terms))
        holder, there = None, dict[str, Voucher]()
        if found.person_id:
            holder, there = people.read(found.person_id, [template_id])
            if holder is not None and holder.merged_into is not None:
                continue  # a moment ago: the number leads to the other record by now
        linked = linked_of(people, holder)
        all_there = [*there.values(), *vouchers_among(people, linked, template_id)]
        for one in all_there:
            earlier = voucher.earlier_answer(one, attempt, now)
            if earlier is not None:
                return Done(receipt(one, earlier), hit=True)
        standing = first_of(all_there)
        if standing is not None:
            raise already_claimed(standing)
        check_open_for_issue(template.state, terms, now)
        if holder is not None:
            must_be_called(keys, holder, named)
        applicant = applicant_of(named, found, said, now)
        records = (holder, *linked) if holder else ()
        wanted = judge_person(template.region, terms, applicant, records, rules, now)
        holder = look_at_hands(templates, people, holder, linked, rules, now)
        if templates.is_sold_out(template):
            raise SoldOut()
        known = holder or new_person(keys, chance, named)
        if needs_service(terms.eligibility, applicant):
            # Last of all that could refuse, and once for a request, as at a claim.
            said = ask_service(catalogue, keys.eligibility_services, template, terms, named, now)
            must_be_eligible(terms.eligibility, replace(applicant, service=said))
        make = partial(
            voucher.issue,
            claim_until=terms.claim_until,
            attempt=attempt,
            actor=actor,
            now=now,
            facts={"content": content_of(keys, named, {})},  # should they stand on a roster later
        )
        try:
            made = take_from_stock(
                templates, people, chance, template,
                blank_voucher(keys, chance, known, template, terms, wanted, now),
                person.take(known, template_id, wanted),
                named.identity_keys if holder is None else (),
                make,
                linked=linked,
            )  # fmt: skip
            return Done(receipt(made))
        except (VoucherExists, StaleRow):
            continue
        except TermsChanged as changed:
            template = changed.template
    raise Contended()


def must_be_called(keys: Keys, holder: Person, named: Named) -> None:
    """Check that the person is registered under this name; both are in their one form. Raises NameDiffers."""
    profile = keys.sealer.unseal_profile(holder.sealed_profile, holder.person_id)
    if profile.name != named.profile.name:
        raise NameDiffers()
