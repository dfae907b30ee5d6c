"""Steps on a voucher named by its id: reverse (撤销使用), give back (退券), revoke (作废)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.domain import person, voucher
from chalicelib.domain.access import Actor, covers, must_act_for, must_cover
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.enrolment import Enrolment, leave, must_not_have_begun
from chalicelib.domain.errors import Contended, HoldsAnother, VoucherNotFound
from chalicelib.domain.outcomes import Done, StaleRow, WriteConflict
from chalicelib.domain.person import Person
from chalicelib.domain.region import Rules, within
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Receipt, State, Voucher, receipt
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.linking import linked_with
from chalicelib.services.newest_terms import brought_to, revived
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Catalogue, Enrolments, Keys, People, Templates
from chalicelib.services.staffing import stand_at_the_desk


def reverse_redemption(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    enrolments: Enrolments,
    keys: Keys,
    voucher_id: str,
    reason: str,
    *,
    staff_assertion: str | None = None,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """Undo a mis-scan; the institution that scanned does it, within the region's window, and before the person was
    there by it: with the redemption goes their place on a class. ``staff_assertion``: by whom, where a channel asks.

    Raises AssertionNotAccepted, StaffUnknown, StaffDisabled, VoucherNotFound, OutOfScope, NotRedeemed,
    ReversalWindowOver, CheckedInBefore, HoldsAnother, Reused, Contended.
    """
    desk = stand_at_the_desk(catalogue, keys, staff_assertion, actor=actor, now=now)

    def step(before: Voucher, holder: Person, linked: Sequence[Person]) -> tuple[Voucher, Person]:
        desk.judge_age(now)
        if before.redemption is not None:
            if before.redemption.institution_id not in desk.actor.institutions:
                raise VoucherNotFound()
            must_act_for(desk.actor, before.redemption.institution_id)
        elif not _was_here(before, desk.actor):
            raise VoucherNotFound()
        rules = rules_in_force(catalogue, before.region, now)
        head = templates.get(before.template_id)
        # Redeemed, it stood in no index, and no amendment's job could find it.
        newest = brought_to(templates, before, head.terms_version, now) if head else before
        after = voucher.reverse(
            newest,
            reason=reason,
            window=rules.reversal_window,
            attempt=attempt,
            actor=desk.actor,
            now=now,
        )
        if rules.one_at_a_time:
            _check_no_other_held(templates, people, [holder, *linked], before, rules, now)
        again = person.hold_again(holder, {before.template_id: before.region})
        return after, person.move_count(again, before.counted_as, after.counted_as)

    def off_class(before: Voucher) -> tuple[Enrolment, TrainingClass] | None:
        mine = enrolments.of_person(before.person_id)
        for one in mine:
            must_not_have_begun(one, voucher_id)
        on = next((one for one in mine if one.is_on and one.voucher_id == voucher_id), None)
        training = catalogue.classes.read(on.class_id) if on else None
        if on is None or training is None:
            return None
        left = leave(on, reason, attempt=attempt, actor=desk.actor, now=now)
        return left, replace(training, enrolled=training.enrolled - 1, version=training.version + 1)

    return _change(people, keys, voucher_id, step, attempt, now, off_class)


def give_back(
    catalogue: Catalogue,
    templates: Templates,
    people: People,
    keys: Keys,
    voucher_id: str,
    *,
    session: HolderSession,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """The holder gives an unused voucher back. Raises VoucherNotFound, NotHeld, Reused, Contended."""

    def step(before: Voucher, holder: Person, _: Sequence[Person]) -> tuple[Voucher, Person]:
        if before.person_id != holder.person_id or not person.is_one(holder, session.person_id):
            raise VoucherNotFound()
        rules = rules_in_force(catalogue, before.region, now)
        after = voucher.give_back(
            revived(templates, before, now), attempt=attempt, actor=actor, now=now, relation_id=session.relation_id
        )
        freed = person.let_go(holder, before.template_id, before.counted_as, frees_cap=rules.give_back_frees_cap)
        return after, freed

    return _change(people, keys, voucher_id, step, attempt, now)


def revoke_voucher(
    templates: Templates,
    people: People,
    keys: Keys,
    voucher_id: str,
    reason: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Receipt]:
    """An authority takes a voucher away. Raises VoucherNotFound, OutOfScope, NotRevocable, Reused, Contended."""

    def step(before: Voucher, _: Person, __: Sequence[Person]) -> tuple[Voucher, None]:
        if not covers(actor, before.region):
            raise VoucherNotFound()
        must_cover(actor, before.region)
        return voucher.revoke(
            revived(templates, before, now), reason=reason, attempt=attempt, actor=actor, now=now
        ), None

    return _change(people, keys, voucher_id, step, attempt, now)


def _change(
    people: People,
    keys: Keys,
    voucher_id: str,
    step: Callable[[Voucher, Person, Sequence[Person]], tuple[Voucher, Person | None]],
    attempt: Attempt,
    now: datetime,
    off_class: Callable[[Voucher], tuple[Enrolment, TrainingClass] | None] = lambda _: None,
) -> Done[Receipt]:
    key = keys.voucher_ids.decode(voucher_id)
    if key is None:
        raise VoucherNotFound()
    person_id, template_id = key
    for _ in range(TRIES):
        holder, vouchers = people.read(person_id, [template_id])
        before = vouchers.get(template_id)
        if before is None or holder is None:
            raise VoucherNotFound()
        earlier = voucher.earlier_answer(before, attempt, now)
        if earlier is not None:
            return Done(receipt(before, earlier), hit=True)
        linked = linked_with(people, holder)
        after, holder_after = step(before, holder, linked)
        try:
            people.record_step(before, after, holder_after, unchanged=linked, off_class=off_class(before))
            return Done(receipt(after))
        except (StaleRow, WriteConflict):
            continue
    raise Contended()


def _was_here(before: Voucher, actor: Actor) -> bool:
    """Whether the voucher was ever used at one of the actor's institutions: then it may know that it no longer is."""
    used_at = {entry.said["facts"].get("institution") for entry in before.history}
    return not used_at.isdisjoint(actor.institutions)


def _check_no_other_held(
    templates: Templates, people: People, records: Sequence[Person], before: Voucher, rules: Rules, now: datetime
) -> None:
    others = [
        (one.person_id, template_id)
        for one in records
        for template_id, region in one.held.items()
        if (one.person_id, template_id) != (before.person_id, before.template_id) and within(region, (rules.held_of,))
    ]
    for other in people.vouchers(others):
        if voucher.effective_state(revived(templates, other, now), now) in (State.ISSUED, State.CLAIMED):
            raise HoldsAnother()  # which one is no business of the institution
