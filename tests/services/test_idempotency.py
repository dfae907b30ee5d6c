"""The same request again when the world has moved on: what was answered then is answered now; and what is not kept.

That every operation answers a repetition, and only that, is seen in ``tests/api/test_idempotency_over_http.py``.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.attempt import attempt_of
from chalicelib.domain.errors import AlreadyClaimed, SoldOut, TemplateStateRefused
from chalicelib.domain.institution import AdmissionStep
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.region import RuleSet
from chalicelib.domain.voucher import State
from chalicelib.services import cataloguing, changing_vouchers, deciding_rules, making_vouchers, publishing, redeeming
from chalicelib.services.identifying import Presented
from tests.storage.worlds import all_rows, own_world
from tests.world import INSTITUTION_ID, OTHER_CITY, World, a_person, an_actor, local

By = dict[str, Any]


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


def claimed(world: World) -> tuple[Profile, str]:
    person = a_person()
    return person, world.claim(person, world.publish(5)).answer.voucher_id


# --- when the world has moved on -------------------------------------------------------------------------------------


def test_given_a_voucher_that_went_on_when_earlier_requests_are_repeated_then_each_gets_its_own_answer(
    world: World,
) -> None:
    template, person = world.publish(5), a_person()
    jws = world.assertion(person, "claim", template.template_id)
    claim_ = world.claim(person, template, key="the claim", assertion=jws)
    voucher_id = claim_.answer.voucher_id
    shown = Presented(token=world.token(person, voucher_id))
    redeem_ = world.redeem(shown, key="the use")
    reverse_ = world.reverse(voucher_id, key="the reversal")
    use_again = world.redeem(Presented(code=world.code(person, voucher_id)), key="the second use")
    revoke_ = world.revoke(voucher_id, key="the end")
    before = all_rows(world)

    later = world.at(world.now + timedelta(days=3))  # the assertion and the token are long dead
    repeated = [
        later.claim(person, template, key="the claim", assertion=jws),
        later.redeem(shown, key="the use"),
        later.reverse(voucher_id, key="the reversal"),
        later.redeem(Presented(code=str(_code_of(world, voucher_id))), key="the second use"),
        later.revoke(voucher_id, key="the end"),
    ]

    assert [one.hit for one in repeated] == [True] * 5
    assert [one.answer for one in repeated] == [one.answer for one in (claim_, redeem_, reverse_, use_again, revoke_)]
    assert [one.answer.state for one in repeated] == [
        State.CLAIMED,
        State.REDEEMED,
        State.CLAIMED,
        State.REDEEMED,
        State.REVOKED,
    ]
    assert all_rows(world) == before
    world.check_laws([world.voucher(voucher_id)])


def _code_of(world: World, voucher_id: str) -> str:
    """The typed code of a voucher that has ended: shown to nobody any more, but somebody may still type it."""
    voucher = world.voucher(voucher_id)
    context = making_vouchers.code_context(voucher.person_id, voucher.template_id)
    return world.platform.keys.sealer.unseal(voucher.sealed_code, context)


@pytest.mark.parametrize("ending", [publishing.suspend_template, publishing.close_template])
def test_given_a_claim_when_its_template_is_shut_then_its_repetition_is_answered_and_a_new_one_is_not(
    world: World, ending: Any
) -> None:
    template, person = world.publish(5), a_person()
    first = world.claim(person, template, key="the claim")
    world.act(ending, template)

    again = world.another_container().claim(person, template, key="the claim")

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_a_course_when_its_institution_is_suspended_since_then_the_repetition_is_still_answered(
    world: World,
) -> None:
    p = world.platform
    wanted = cataloguing.CourseDraft(world.programme.programme_id, INSTITUTION_ID, "电工", "Electrician", 40)
    request = world.by(world.bureau, "the course")
    first = cataloguing.add_course(p.catalogue, p.marks, p.chance, wanted, **request)

    def change_admission(step: AdmissionStep) -> None:
        cataloguing.change_admission(p.catalogue, p.marks, INSTITUTION_ID, step, **world.by(world.bureau))

    change_admission(AdmissionStep.SUSPEND)
    try:
        again = cataloguing.add_course(p.catalogue, p.marks, p.chance, wanted, **request)
    finally:
        change_admission(AdmissionStep.READMIT)

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_rules_that_began_meanwhile_when_repeated_then_they_are_answered_and_not_called_late(
    world: World,
) -> None:
    p = world.platform
    decided = RuleSet(OTHER_CITY, 0, date(2021, 12, 31), reversal_window=60)

    def decide(now: World) -> Done[RuleSet]:
        return deciding_rules.decide_rules(
            p.catalogue, p.marks, decided, **now.by(world.bureau, "the rules of the end of the year")
        )

    first = decide(world.at(local("2021-12-27T04:00:00Z")))

    again = decide(world.at(local("2022-01-06T04:00:00Z")))

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_an_act_on_a_template_when_it_has_moved_on_then_the_repetition_gets_the_answer_of_then(
    world: World,
) -> None:
    template = world.draft(5)
    published = world.act(publishing.publish_template, template, key="publish")
    world.act(publishing.add_quantity, template, 3, key="add")
    world.act(publishing.close_template, template, key="close")

    again = world.act(publishing.publish_template, template, key="publish")

    assert (again.answer, again.hit) == (published.answer, True)
    assert again.answer.quantity == 5
    assert world.template(template.template_id).quantity == 8
    world.check_laws()


# --- what is kept, and what is not -----------------------------------------------------------------------------------


def test_given_a_claim_that_was_refused_when_repeated_with_its_key_then_it_is_judged_anew(world: World) -> None:
    template, person = world.publish(1), a_person()
    world.claim(a_person(), template)
    with pytest.raises(SoldOut):
        world.claim(person, template, key="the claim", body=b"one")
    world.act(publishing.add_quantity, template, 1)

    done = world.at(world.now).another_container().claim(person, template, key="the claim", body=b"other")

    assert (done.hit, done.answer.state) == (False, State.CLAIMED)


def test_given_an_act_that_was_refused_when_repeated_with_its_key_then_it_is_judged_anew(world: World) -> None:
    template = world.draft(5)
    with pytest.raises(TemplateStateRefused):
        world.act(publishing.suspend_template, template, key="suspend")
    world.act(publishing.publish_template, template)

    done = world.act(publishing.suspend_template, template, key="suspend")

    assert not done.hit


def test_given_one_key_when_used_for_different_operations_on_one_voucher_then_each_is_its_own_request(
    world: World,
) -> None:
    person, voucher_id = claimed(world)
    p, code = world.platform, world.code(person, voucher_id)

    def by(operation: str) -> By:
        return {"actor": world.desk, "attempt": attempt_of("DESK", operation, "a key", b"{}"), "now": world.now}

    place: By = {"institution_id": INSTITUTION_ID, "course_id": world.course.course_id}
    used_ = redeeming.redeem_voucher(
        p.catalogue, p.templates, p.people, p.keys, Presented(code=code), **place, **by("redeem")
    )
    back = changing_vouchers.reverse_redemption(
        p.catalogue, p.templates, p.people, p.enrolments, p.keys, voucher_id, "扫错了", **by("reverse")
    )

    assert (used_.hit, back.hit) == (False, False)
    assert (used_.answer.state, back.answer.state) == (State.REDEEMED, State.CLAIMED)


def test_given_a_kept_answer_when_another_actor_of_the_same_client_repeats_it_then_it_is_the_client_s(
    world: World,
) -> None:
    """A second operator at the same desk sees what was done, and does not do it twice."""
    template = world.publish(5)
    first = world.act(publishing.add_quantity, template, 3, key="the addition")
    colleague = replace(world.bureau, operator=an_actor("COLLEAGUE", Role.MINISTRY, "000000").operator)

    again = replace(world, bureau=colleague).act(publishing.add_quantity, template, 3, key="the addition")

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_a_claim_when_another_channel_uses_the_same_key_then_it_is_another_request(world: World) -> None:
    template, person = world.publish(5), a_person()
    world.claim(person, template, key="the claim")
    other = an_actor("OTHERCHANNEL", Role.CHANNEL, "000000")

    with pytest.raises(AlreadyClaimed):
        world.claim(person, template, key="the claim", actor=other)
