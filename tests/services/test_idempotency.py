"""The same request twice: one act, one answer, whatever has happened meanwhile; and what is another request."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.attempt import KEPT, attempt_of
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AlreadyExists,
    AlreadyRedeemed,
    DomainError,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    Reused,
    SoldOut,
    TemplateStateRefused,
)
from chalicelib.domain.identifiers import InvalidIdentifier, parse_uscc
from chalicelib.domain.institution import Admission, Kind
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State
from chalicelib.services import (
    cataloguing,
    changing_vouchers,
    claiming,
    funding,
    granting_access,
    publishing,
    redeeming,
)
from chalicelib.services.granting_access import GrantedSecret
from chalicelib.services.identifying import Presented
from tests.storage.worlds import all_rows, no_writes, own_world
from tests.world import CITY, FACE_VALUE, INSTITUTION_ID, OTHER_CITY, PROVINCE, World, a_person, an_actor

SECOND = timedelta(seconds=1)
_numbers = itertools.count(1)

By = dict[str, Any]
Ask = Callable[[World, By], Done[Any]]


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


@dataclass(frozen=True)
class Step:
    """A changing service. ``prepare`` arranges a target of its own and gives its name and the request for it.

    ``anew``: what the same words are as a request of their own, once it was carried out: refused like this, or (None)
    carried out again. ``target``: whether the target stands in the path, as a row of its own, or is the whole list.
    """

    prepare: Callable[[World], tuple[str, Ask]]
    anew: type[DomainError] | None = None
    target: str = "path"
    actor: Callable[[World], Actor] = lambda world: world.bureau


# --- steps of vouchers -----------------------------------------------------------------------------------------------


def claimed(world: World) -> tuple[Profile, str]:
    person = a_person()
    return person, world.claim(person, world.publish(5)).answer.voucher_id


def used(world: World) -> str:
    person, voucher_id = claimed(world)
    world.redeem(Presented(code=world.code(person, voucher_id)))
    return voucher_id


def claim(world: World) -> tuple[str, Ask]:
    template, person = world.publish(5), a_person()

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        jws = now.assertion(person, "claim", template.template_id, actor=by["actor"])
        asked = claiming.ClaimRequest(template.template_id, jws, "card")
        return claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **by)

    return "", ask


def redeem(world: World) -> tuple[str, Ask]:
    person, voucher_id = claimed(world)
    shown = Presented(code=world.code(person, voucher_id))

    def ask(now: World, by: By) -> Done[Any]:
        p, course = now.platform, now.course.course_id
        return redeeming.redeem_voucher(
            p.catalogue, p.templates, p.people, p.keys, shown, institution_id=INSTITUTION_ID, course_id=course, **by
        )

    return "", ask


def reverse(world: World) -> tuple[str, Ask]:
    voucher_id = used(world)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return changing_vouchers.reverse_redemption(p.catalogue, p.people, p.keys, voucher_id, "扫错了", **by)

    return "", ask


def give_back(world: World) -> tuple[str, Ask]:
    person, voucher_id = claimed(world)

    def ask(now: World, by: By) -> Done[Any]:
        p, session = now.platform, now.session(person)
        return changing_vouchers.give_back(p.catalogue, p.people, p.keys, voucher_id, session=session, **by)

    return "", ask


def revoke(world: World) -> tuple[str, Ask]:
    _, voucher_id = claimed(world)
    return "", lambda now, by: changing_vouchers.revoke_voucher(
        now.platform.people, now.platform.keys, voucher_id, "资格有误", **by
    )


# --- acts on templates and money -------------------------------------------------------------------------------------


def draft(world: World) -> tuple[str, Ask]:
    wanted = world.a_draft(5)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return publishing.draft_template(p.catalogue, p.accounts, p.templates, p.marks, p.chance, wanted, **by)

    return "", ask


def act(service: Any, *more: Any, before: tuple[Any, ...] = ()) -> Callable[[World], tuple[str, Ask]]:
    """An act on a template with which some things were done before."""

    def prepare(world: World) -> tuple[str, Ask]:
        template = world.draft(5)
        for earlier in before:
            world.act(earlier, template)

        def ask(now: World, by: By) -> Done[Any]:
            p = now.platform
            done: Done[Template] = service(p.templates, p.accounts, p.marks, template.template_id, *more, **by)
            return done

        return template.template_id, ask

    return prepare


def account(_: World) -> tuple[str, Ask]:
    year = 3000 + next(_numbers)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return funding.open_account(p.catalogue, p.accounts, p.marks, region=CITY, year=year, budget_fen=7, **by)

    return "", ask


def budget(world: World) -> tuple[str, Ask]:
    return world.account_id, lambda now, by: funding.change_budget(
        now.platform.accounts, now.platform.marks, account_id=world.account_id, amount_fen=7, note="追加", **by
    )


# --- the catalogue and access ----------------------------------------------------------------------------------------


def a_uscc() -> str:
    """A unified social credit code that nobody here has; its two check characters are found by trying."""
    body = f"91440300{next(_numbers):08d}"
    for organisation, last in itertools.product("0123456789X", "0123456789ABCDEFGHJKLMNPQRTUWXY"):
        try:
            return parse_uscc(f"{body}{organisation}{last}")
        except InvalidIdentifier:
            continue
    raise AssertionError(body)


def rules(_: World) -> tuple[str, Ask]:
    decided = cataloguing.RulesDraft(
        effective_from=date(2021, 12, 31),
        caps=(Cap("three", Window.YEAR, CapBy.ALL, 3),),
        one_at_a_time=True,
        redeemed_counts_as_held=True,
        give_back_frees_cap=False,
        reversal_window=60,
        help_line="0755-12333",
    )
    return OTHER_CITY, lambda now, by: cataloguing.decide_rules(
        now.platform.catalogue, now.platform.marks, OTHER_CITY, decided, **by
    )


def programme(_: World) -> tuple[str, Ask]:
    wanted = cataloguing.ProgrammeDraft(CITY, "项目", "Programme", "enterprise", FACE_VALUE, "4-02-02-01", 5)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return cataloguing.add_programme(p.catalogue, p.marks, p.chance, wanted, **by)

    return "", ask


def institution(_: World) -> tuple[str, Ask]:
    wanted = cataloguing.InstitutionDraft(a_uscc(), CITY, "某校", "School", Kind.SCHOOL, "22.54", "114.05", "wgs84")
    return "", lambda now, by: cataloguing.add_institution(now.platform.catalogue, now.platform.marks, wanted, **by)


def admission(world: World) -> tuple[str, Ask]:
    _, add = institution(world)
    added = add(world, world.by(world.bureau)).answer.institution_id
    return added, lambda now, by: cataloguing.set_admission(
        now.platform.catalogue, now.platform.marks, added, Admission.SUSPENDED, **by
    )


def course(world: World) -> tuple[str, Ask]:
    wanted = cataloguing.CourseDraft(world.programme.programme_id, INSTITUTION_ID, "电工", "Electrician", 40)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return cataloguing.add_course(p.catalogue, p.marks, p.chance, wanted, **by)

    return "", ask


def client(_: World) -> tuple[str, Ask]:
    wanted = granting_access.ClientDraft("某渠道", Role.CHANNEL, (CITY,))

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return granting_access.add_client(p.catalogue, p.marks, p.keys.sealer, p.chance, wanted, **by)

    return "", ask


def a_client(world: World) -> str:
    _, add = client(world)
    return str(add(world, world.by(world.bureau)).answer.client.app_key)


def rotation(world: World) -> tuple[str, Ask]:
    app_key, overlap = a_client(world), timedelta(days=60)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return granting_access.rotate_secret(p.catalogue, p.marks, p.keys.sealer, p.chance, app_key, overlap, **by)

    return app_key, ask


def client_pace(world: World) -> tuple[str, Ask]:
    app_key = a_client(world)
    return app_key, lambda now, by: granting_access.set_pace(
        now.platform.catalogue, now.platform.marks, app_key, 7, **by
    )


def client_disabling(world: World) -> tuple[str, Ask]:
    app_key = a_client(world)
    return app_key, lambda now, by: granting_access.disable_client(
        now.platform.catalogue, now.platform.marks, app_key, **by
    )


def operator(_: World) -> tuple[str, Ask]:
    wanted = granting_access.OperatorDraft("经办人", "cHVibGlj", CITY)

    def ask(now: World, by: By) -> Done[Any]:
        p = now.platform
        return granting_access.add_operator(p.catalogue, p.marks, p.chance, wanted, **by)

    return "", ask


def operator_disabling(world: World) -> tuple[str, Ask]:
    _, add = operator(world)
    added = add(world, world.by(world.bureau)).answer.operator_id
    return added, lambda now, by: granting_access.disable_operator(
        now.platform.catalogue, now.platform.marks, added, **by
    )


def assertion_key(_: World) -> tuple[str, Ask]:
    kid = f"kid-{next(_numbers)}"
    return "", lambda now, by: granting_access.add_assertion_key(
        now.platform.catalogue, now.platform.marks, kid, "cHVibGlj", **by
    )


def assertion_key_disabling(world: World) -> tuple[str, Ask]:
    kid = f"kid-{next(_numbers)}"
    p = world.platform
    granting_access.add_assertion_key(p.catalogue, p.marks, kid, "cHVibGlj", **world.by(world.bureau))
    return kid, lambda now, by: granting_access.disable_assertion_key(
        now.platform.catalogue, now.platform.marks, kid, **by
    )


PUBLISH, SUSPEND = publishing.publish_template, publishing.suspend_template
STEPS = {
    "claim": Step(claim, AlreadyClaimed, "row", lambda world: world.channel),
    "redeem": Step(redeem, AlreadyRedeemed, "row", lambda world: world.desk),
    "reverse": Step(reverse, NotRedeemed, "row", lambda world: world.desk),
    "give back": Step(give_back, NotHeld, "row", lambda world: world.channel),
    "revoke": Step(revoke, NotRevocable, "row"),
    "draft": Step(draft, target="list"),
    "publish": Step(act(PUBLISH), TemplateStateRefused),
    "suspend": Step(act(SUSPEND, before=(PUBLISH,)), TemplateStateRefused),
    "resume": Step(act(publishing.resume_template, before=(PUBLISH, SUSPEND)), TemplateStateRefused),
    "close": Step(act(publishing.close_template, before=(PUBLISH,)), TemplateStateRefused),
    "add quantity": Step(act(publishing.add_quantity, 3, before=(PUBLISH,))),
    "open account": Step(account, AlreadyExists, "list"),
    "change budget": Step(budget, target="list"),  # a world has one account only
    "decide rules": Step(rules, target="list"),
    "add programme": Step(programme, target="list"),
    "add institution": Step(institution, AlreadyExists, "list"),
    "set admission": Step(admission),
    "add course": Step(course, target="list"),
    "add client": Step(client, target="list"),
    "rotate secret": Step(rotation),
    "set pace": Step(client_pace),
    "disable client": Step(client_disabling),
    "add operator": Step(operator, target="list"),
    "disable operator": Step(operator_disabling),
    "add assertion key": Step(assertion_key, AlreadyExists, "list"),
    "disable assertion key": Step(assertion_key_disabling),
}
EVERY_STEP = pytest.mark.parametrize("name", STEPS)


class Asking:
    """One client's requests for one target, under a key that is new in every test."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.step = world, name, STEPS[name]
        self.key = f"key-{next(_numbers)}"
        self.actor = self.step.actor(world)
        self.target, self._ask = self.step.prepare(world)

    def __call__(
        self, body: bytes = b"{}", *, key: str | None = None, actor: Actor | None = None, after: timedelta = timedelta()
    ) -> Done[Any]:
        who = actor or self.actor
        now = self.world.at(self.world.now + after)
        # As the API does: the target of a path belongs to the operation.
        attempt = attempt_of(who.app_key, f"POST {self.name} {self.target}", key or self.key, body)
        return self._ask(now, {"actor": who, "attempt": attempt, "now": now.now})

    def as_new(self, **how: Any) -> None:
        """The same words as a request of their own: refused by what the first one did, or carried out once more."""
        if self.step.anew is None:
            done = self(**how)
            assert not done.hit
            again = self(**how)  # and it is kept in turn
            assert (again.answer, again.hit) == (as_kept(done.answer), True)
        else:
            with pytest.raises(self.step.anew):
                self(**how)


def as_kept(answer: Any) -> Any:
    """What of an answer is kept: all but a secret."""
    if isinstance(answer, GrantedSecret):
        return replace(answer, secret=None, client=replace(answer.client, secrets=()))
    return answer


def another_client(actor: Actor) -> Actor:
    """A client of the same scope, through which the same operator acts."""
    return replace(actor, client=replace(actor.client, app_key=f"OTHER{actor.app_key}"))


# --- every step ------------------------------------------------------------------------------------------------------


@EVERY_STEP
def test_given_a_request_that_was_carried_out_when_it_comes_again_then_the_same_answer_and_nothing_is_written(
    world: World, name: str
) -> None:
    ask = Asking(world, name)
    first = ask()

    with no_writes(world):
        again = ask()
        late = ask(after=timedelta(minutes=10))

    assert not first.hit
    assert (again.answer, again.hit) == (as_kept(first.answer), True)
    assert (late.answer, late.hit) == (as_kept(first.answer), True)


@EVERY_STEP
def test_given_a_key_when_it_comes_with_another_body_then_it_is_reused_and_nothing_is_written(
    world: World, name: str
) -> None:
    ask = Asking(world, name)
    ask(b'{"a":1}')

    with no_writes(world), pytest.raises(Reused):
        ask(b'{"a":2}')

    assert ask(b'{"a":1}').hit


@EVERY_STEP
def test_given_another_key_or_another_client_with_the_same_key_when_asked_then_it_is_another_request(
    world: World, name: str
) -> None:
    ask = Asking(world, name)
    first = ask()

    ask.as_new(key="another")
    ask.as_new(actor=another_client(ask.actor))

    assert as_kept(first.answer) == ask().answer  # and the first one's answer is still its own


@pytest.mark.parametrize("name", [name for name, step in STEPS.items() if step.target != "list"])
def test_given_a_key_that_was_used_for_one_target_when_it_comes_for_another_then_that_is_carried_out(
    world: World, name: str
) -> None:
    one, other = Asking(world, name), Asking(world, name)
    other.key = one.key
    first = one(b'{"for":"one"}')

    second = other(b'{"for":"the other"}')

    assert not second.hit
    assert second.answer != first.answer
    assert one(b'{"for":"one"}').answer == as_kept(first.answer)
    assert other(b'{"for":"the other"}').answer == as_kept(second.answer)


@EVERY_STEP
def test_given_a_kept_answer_when_thirty_days_have_passed_then_it_is_known_a_second_before_and_not_a_second_after(
    world: World, name: str
) -> None:
    ask = Asking(world, name)
    first = ask()

    before = ask(after=KEPT - SECOND)
    with pytest.raises(Reused):
        ask(b"other", after=KEPT - SECOND)

    assert (before.answer, before.hit) == (as_kept(first.answer), True)
    ask.as_new(after=KEPT + SECOND)


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
    context = claiming.code_context(voucher.person_id, voucher.template_id)
    return world.platform.keys.sealer.unseal(voucher.sealed_code, context)


@pytest.mark.parametrize("ending", [SUSPEND, publishing.close_template])
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
    ask = Asking(world, "add course")
    first = ask()
    p = world.platform

    def set_admission(admission: Admission) -> None:
        cataloguing.set_admission(p.catalogue, p.marks, INSTITUTION_ID, admission, **world.by(world.bureau))

    set_admission(Admission.SUSPENDED)
    try:
        again = ask()
    finally:
        set_admission(Admission.ADMITTED)

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_rules_that_began_meanwhile_when_repeated_then_they_are_answered_and_not_called_late(
    world: World,
) -> None:
    ask = Asking(world, "decide rules")
    first = ask(after=timedelta(days=240))  # effective_from is four days ahead then

    again = ask(after=timedelta(days=250))

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_an_act_on_a_template_when_it_has_moved_on_then_the_repetition_gets_the_answer_of_then(
    world: World,
) -> None:
    template = world.draft(5)
    published = world.act(PUBLISH, template, key="publish")
    world.act(publishing.add_quantity, template, 3, key="add")
    world.act(publishing.close_template, template, key="close")

    again = world.act(PUBLISH, template, key="publish")

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
        world.act(SUSPEND, template, key="suspend")
    world.act(PUBLISH, template)

    done = world.act(SUSPEND, template, key="suspend")

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
    back = changing_vouchers.reverse_redemption(p.catalogue, p.people, p.keys, voucher_id, "扫错了", **by("reverse"))

    assert (used_.hit, back.hit) == (False, False)
    assert (used_.answer.state, back.answer.state) == (State.REDEEMED, State.CLAIMED)


def test_given_a_kept_answer_when_another_actor_of_the_same_client_repeats_it_then_it_is_the_client_s(
    world: World,
) -> None:
    """A second operator at the same desk sees what was done, and does not do it twice."""
    ask = Asking(world, "add quantity")
    first = ask()
    colleague = replace(ask.actor, operator=an_actor("COLLEAGUE", Role.MINISTRY, "000000").operator)

    again = ask(actor=colleague)

    assert (again.answer, again.hit) == (first.answer, True)


def test_given_a_new_secret_when_its_request_is_repeated_then_the_secret_is_never_told_again(world: World) -> None:
    for name in ("add client", "rotate secret"):
        ask = Asking(world, name)

        first, again = ask(), ask()

        assert first.answer.secret is not None
        assert again.answer.secret is None
        assert again.answer.secret_id == first.answer.secret_id
        assert again.answer.client.secrets == ()


def test_given_every_region_when_rules_are_decided_under_one_key_then_each_region_is_a_target_of_its_own(
    world: World,
) -> None:
    p = world.platform
    draft_ = cataloguing.RulesDraft(date(2021, 12, 31), (), False, False, True, 60, "12333")

    done = [
        cataloguing.decide_rules(
            p.catalogue,
            p.marks,
            region,
            draft_,
            actor=world.bureau,
            attempt=attempt_of("BUREAU", f"POST /v1/regions/{region}/rules", "one key", b"{}"),
            now=world.now,
        )
        for region in (PROVINCE, OTHER_CITY)
    ]

    assert [one.hit for one in done] == [False, False]
    assert [one.answer.region for one in done] == [PROVINCE, OTHER_CITY]
