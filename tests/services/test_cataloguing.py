"""The catalogue and who may keep it: what is not found, what is out of scope, who was quicker."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.errors import (
    AccountNotFound,
    AdmissionStepRefused,
    AlreadyExists,
    AssertionKeyNotFound,
    ChannelNotOpen,
    ClientNotFound,
    ConcurrentChange,
    CourseNotFound,
    DomainError,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OperatorNotFound,
    OutOfScope,
    ProgrammeNotFound,
    RegionNotFound,
    TemplateNotFound,
    VoucherNotFound,
)
from chalicelib.domain.institution import Admission, AdmissionStep, Institution, Kind
from chalicelib.domain.region import Rules, RuleSet
from chalicelib.domain.voucher import State
from chalicelib.services import cataloguing, deciding_rules, funding, granting_access, publishing
from chalicelib.services.cataloguing import CourseDraft, InstitutionDraft, ProgrammeDraft
from chalicelib.services.granting_access import ClientDraft, OperatorDraft
from chalicelib.services.identifying import Presented
from tests.storage.worlds import no_writes, own_world
from tests.world import (
    CITY,
    FACE_VALUE,
    INSTITUTION_ID,
    OTHER_CITY,
    OTHER_INSTITUTION_ID,
    PROVINCE,
    START,
    World,
    a_person,
    a_uscc,
    an_actor,
    local,
)

NOBODY = "Z" * 16
A_USCC, ITS_LOWER_CASE = "91110000600037341L", " 91110000600037341l "
ELSEWHERE = an_actor("GUANGZHOU", Role.CITY, OTHER_CITY)
Act = Callable[[World, Actor], Any]


@pytest.fixture
def world(shared_world: World) -> World:
    return own_world(shared_world)


# --- the acts, each with words that are right unless a test says otherwise ------------------------------------------


def decide_rules(world: World, actor: Actor, region: str = CITY, **changes: Any) -> RuleSet:
    p = world.platform
    draft = replace(RuleSet(region, 0, date(2021, 12, 31), caps=(), reversal_window=60), **changes)
    return deciding_rules.decide_rules(p.catalogue, p.marks, draft, **world.by(actor)).answer


def add_programme(world: World, actor: Actor, region: str = CITY) -> Any:
    p = world.platform
    draft = ProgrammeDraft(region, "项目", "Programme", "enterprise", FACE_VALUE)
    return cataloguing.add_programme(p.catalogue, p.marks, p.chance, draft, **world.by(actor)).answer


def add_institution(world: World, actor: Actor, **changes: Any) -> Institution:
    p = world.platform
    draft = InstitutionDraft(A_USCC, CITY, "某校", "School", Kind.SCHOOL, "22.54", "114.05", "gcj02")
    return cataloguing.add_institution(p.catalogue, p.marks, replace(draft, **changes), **world.by(actor)).answer


def change_admission(
    world: World,
    actor: Actor,
    institution_id: str = OTHER_INSTITUTION_ID,
    step: AdmissionStep = AdmissionStep.SUSPEND,
    reason: str | None = None,
) -> Institution:
    p = world.platform
    return cataloguing.change_admission(p.catalogue, p.marks, institution_id, step, reason, **world.by(actor)).answer


def add_course(world: World, actor: Actor, **changes: Any) -> Any:
    p = world.platform
    draft = replace(CourseDraft(world.programme.programme_id, INSTITUTION_ID, "电工", "Electrician", 40), **changes)
    return cataloguing.add_course(p.catalogue, p.marks, p.chance, draft, **world.by(actor)).answer


def add_client(world: World, actor: Actor, draft: ClientDraft | None = None) -> Any:
    p = world.platform
    wanted = draft or ClientDraft("某渠道", Role.CHANNEL, (CITY,))
    return granting_access.add_client(
        p.catalogue, p.marks, p.keys.sealer, p.chance, wanted, **world.by(actor)
    ).answer.client


def rotate_secret(world: World, actor: Actor, app_key: str) -> Any:
    p = world.platform
    return granting_access.rotate_secret(
        p.catalogue, p.marks, p.keys.sealer, p.chance, app_key, timedelta(days=1), **world.by(actor)
    )


def disable_client(world: World, actor: Actor, app_key: str) -> Any:
    return granting_access.disable_client(world.platform.catalogue, world.platform.marks, app_key, **world.by(actor))


def add_operator(world: World, actor: Actor, **changes: Any) -> Any:
    p = world.platform
    draft = replace(OperatorDraft("经办人", "cHVibGlj", CITY), **changes)
    return granting_access.add_operator(p.catalogue, p.marks, p.chance, draft, **world.by(actor)).answer


def disable_operator(world: World, actor: Actor, operator_id: str) -> Any:
    p = world.platform
    return granting_access.disable_operator(p.catalogue, p.marks, operator_id, **world.by(actor)).answer


def add_assertion_key(world: World, actor: Actor, kid: str = "kid-new") -> Any:
    p = world.platform
    return granting_access.add_assertion_key(p.catalogue, p.marks, kid, "cHVibGlj", **world.by(actor)).answer


def disable_assertion_key(world: World, actor: Actor, kid: str = NOBODY) -> Any:
    p = world.platform
    return granting_access.disable_assertion_key(p.catalogue, p.marks, kid, **world.by(actor)).answer


def open_account(world: World, actor: Actor, region: str = CITY, year: int = 1999) -> Any:
    p = world.platform
    return funding.open_account(
        p.catalogue, p.accounts, p.marks, region=region, year=year, budget_fen=7, **world.by(actor)
    ).answer


def change_budget(world: World, actor: Actor, account_id: str | None = None) -> Any:
    p = world.platform
    return funding.change_budget(
        p.accounts, p.marks, account_id=account_id or world.account_id, amount_fen=7, note="追加", **world.by(actor)
    ).answer


def draft(world: World, actor: Actor, **changes: Any) -> Any:
    return replace(world, bureau=actor).draft(**changes)


def act_on(world: World, actor: Actor, template_id: str, service: Any = publishing.publish_template) -> Any:
    p = world.platform
    return service(p.templates, p.accounts, p.marks, template_id, **world.by(actor))


# --- not found -----------------------------------------------------------------------------------------------------

NOT_FOUND: list[tuple[type[DomainError], str, Act]] = [
    (RegionNotFound, "rules", lambda w, a: decide_rules(w, a, "999999")),
    (RegionNotFound, "programme", lambda w, a: add_programme(w, a, "999999")),
    (RegionNotFound, "institution", lambda w, a: add_institution(w, a, region="999999")),
    (RegionNotFound, "account", lambda w, a: open_account(w, a, "999999")),
    (RegionNotFound, "draft", lambda w, a: draft(w, a, region="999999")),
    (ProgrammeNotFound, "course", lambda w, a: add_course(w, a, programme_id=NOBODY)),
    (ProgrammeNotFound, "draft", lambda w, a: draft(w, a, programme_id=NOBODY)),
    (CourseNotFound, "draft", lambda w, a: draft(w, a, courses=(w.course.course_id, NOBODY))),
    (InstitutionNotFound, "course", lambda w, a: add_course(w, a, institution_id=A_USCC)),
    (InstitutionNotFound, "draft", lambda w, a: draft(w, a, institutions=(INSTITUTION_ID, A_USCC))),
    (InstitutionNotFound, "admission", lambda w, a: change_admission(w, a, A_USCC)),
    (InstitutionNotFound, "operator", lambda w, a: add_operator(w, a, institution_id=A_USCC)),
    (
        InstitutionNotFound,
        "client",
        lambda w, a: add_client(w, a, ClientDraft("机构", Role.INSTITUTION, (CITY,), (INSTITUTION_ID, A_USCC))),
    ),
    (AccountNotFound, "draft", lambda w, a: draft(w, a, account_id=f"{CITY}-1999")),
    (AccountNotFound, "budget", lambda w, a: change_budget(w, a, f"{CITY}-1999")),
    (AccountNotFound, "account", lambda w, a: funding.find_account(w.platform.accounts, f"{CITY}-1999", a)),
    (TemplateNotFound, "publish", lambda w, a: act_on(w, a, NOBODY)),
    (TemplateNotFound, "close", lambda w, a: act_on(w, a, NOBODY, publishing.close_template)),
    (TemplateNotFound, "shards", lambda w, a: publishing.list_shards(w.platform.templates, NOBODY, a)),
    (TemplateNotFound, "settle", lambda w, a: publishing.settle(w.platform.templates, NOBODY)),
    (ClientNotFound, "rotate", lambda w, a: rotate_secret(w, a, NOBODY)),
    (ClientNotFound, "disable", lambda w, a: disable_client(w, a, NOBODY)),
    (OperatorNotFound, "disable", lambda w, a: disable_operator(w, a, NOBODY)),
    (OperatorNotFound, "find", lambda w, a: granting_access.find_operator(w.platform.catalogue, NOBODY, a)),
    (AssertionKeyNotFound, "disable", lambda w, a: disable_assertion_key(w, a)),
]


@pytest.mark.parametrize(
    ("refusal", "act"),
    [(refusal, act) for refusal, _, act in NOT_FOUND],
    ids=[f"{refusal.__name__}-{of}" for refusal, of, _ in NOT_FOUND],
)
def test_given_a_name_that_nothing_has_when_acted_upon_then_what_is_missing_is_said_and_nothing_is_written(
    world: World, refusal: type[DomainError], act: Act
) -> None:
    with no_writes(world), pytest.raises(refusal) as refused:
        act(world, world.bureau)

    assert type(refused.value) is refusal


def test_given_a_template_that_is_a_draft_when_claimed_then_for_a_channel_there_is_none(world: World) -> None:
    template = world.draft()

    for one in (template, replace(template, template_id=NOBODY)):
        with pytest.raises(TemplateNotFound):
            world.claim(a_person(), one)


def test_given_a_desk_when_it_names_a_course_or_an_institution_that_is_not_there_then_that_is_said(
    world: World,
) -> None:
    person = a_person()
    voucher_id = world.claim(person, world.publish(5)).answer.voucher_id
    shown = Presented(code=world.code(person, voucher_id))
    unknown_desk = an_actor("UNKNOWN", Role.INSTITUTION, CITY, A_USCC)

    for ask in (world.redeem, world.verify):
        with pytest.raises(CourseNotFound):
            ask(shown, course_id=NOBODY)
        with pytest.raises(InstitutionNotFound):
            ask(shown, institution_id=A_USCC, actor=unknown_desk)

    assert world.voucher(voucher_id).version == 1


# --- out of scope --------------------------------------------------------------------------------------------------

OUT_OF_SCOPE: dict[str, Act] = {
    "rules": decide_rules,
    "programme": add_programme,
    "institution": add_institution,
    "admission": change_admission,
    "course": add_course,
    "client": add_client,
    "operator": add_operator,
    "account": open_account,
    "draft": draft,
    "assertion key": add_assertion_key,
    "disable assertion key": disable_assertion_key,
}


@pytest.mark.parametrize("act", OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE)
def test_given_a_bureau_or_an_operator_of_another_city_when_acting_here_then_it_is_out_of_scope(
    world: World, act: Act
) -> None:
    guest = replace(world.bureau, operator=ELSEWHERE.operator)  # the ministry's client, another city's operator

    for actor in (ELSEWHERE, guest):
        with no_writes(world), pytest.raises(OutOfScope):
            act(world, actor)


def test_given_what_belongs_to_another_region_when_a_bureau_asks_for_it_then_it_is_not_there(world: World) -> None:
    template = world.publish(5)
    client, operator = add_client(world, world.bureau), add_operator(world, world.bureau)
    accounts, catalogue = world.platform.accounts, world.platform.catalogue

    hidden: list[tuple[type[DomainError], Callable[[], Any]]] = [
        (TemplateNotFound, lambda: act_on(world, ELSEWHERE, template.template_id, publishing.suspend_template)),
        (TemplateNotFound, lambda: publishing.list_shards(world.platform.templates, template.template_id, ELSEWHERE)),
        (AccountNotFound, lambda: funding.find_account(accounts, world.account_id, ELSEWHERE)),
        (AccountNotFound, lambda: change_budget(world, ELSEWHERE)),
        (ClientNotFound, lambda: granting_access.find_client(catalogue, client.app_key, ELSEWHERE)),
        (ClientNotFound, lambda: disable_client(world, ELSEWHERE, client.app_key)),
        (OperatorNotFound, lambda: granting_access.find_operator(catalogue, operator.operator_id, ELSEWHERE)),
        (OperatorNotFound, lambda: disable_operator(world, ELSEWHERE, operator.operator_id)),
    ]
    for missing, ask in hidden:
        with no_writes(world), pytest.raises(missing):
            ask()


def test_given_an_operator_of_another_city_when_acting_on_what_the_client_sees_then_it_is_out_of_scope(
    world: World,
) -> None:
    template = world.publish(5)
    guest = replace(world.bureau, operator=ELSEWHERE.operator)

    acts: list[Callable[[], Any]] = [
        lambda: act_on(world, guest, template.template_id, publishing.suspend_template),
        lambda: change_budget(world, guest),
    ]
    for ask in acts:
        with no_writes(world), pytest.raises(OutOfScope):
            ask()


def test_given_a_bureau_above_when_it_acts_for_a_city_then_it_is_in_scope(world: World) -> None:
    province = an_actor("PROVINCE", Role.PROVINCE, PROVINCE)

    assert decide_rules(world, province).region == CITY
    assert add_programme(world, province).region == CITY
    assert add_course(world, province).region == CITY
    with pytest.raises(OutOfScope):  # but not for what is above itself
        add_programme(world, province, "000000")


def test_given_a_desk_when_it_acts_for_another_institution_then_it_is_out_of_scope_and_the_voucher_stays(
    world: World,
) -> None:
    person = a_person()
    voucher_id = world.claim(person, world.publish(5)).answer.voucher_id
    shown = Presented(code=world.code(person, voucher_id))
    borrowed = replace(world.desk, operator=world.other_desk.operator)  # our client, their operator

    with pytest.raises(OutOfScope):
        world.redeem(shown, actor=world.other_desk)
    with pytest.raises(OutOfScope):
        world.redeem(shown, actor=borrowed)
    with pytest.raises(OutOfScope):
        world.verify(shown, actor=world.other_desk)
    with pytest.raises(VoucherNotFound):
        world.reverse(voucher_id, actor=world.other_desk)
    with pytest.raises(VoucherNotFound):
        world.revoke(voucher_id, actor=ELSEWHERE)

    assert world.voucher(voucher_id).version == 1


def test_given_a_channel_of_another_city_when_it_claims_here_then_the_voucher_is_not_open_there(world: World) -> None:
    template = world.publish(5)
    other, ours = (an_actor(f"LOCAL{region}", Role.CHANNEL, region) for region in (OTHER_CITY, CITY))

    with pytest.raises(ChannelNotOpen):
        world.claim(a_person(), template, actor=other)

    assert world.stock(template).made == 0
    assert world.claim(a_person(), template, actor=ours).answer.version == 1


# --- who was quicker -----------------------------------------------------------------------------------------------


class Overtaken:
    """A shelf on which somebody else is quicker: ``rival`` acts between our reading and our writing, once."""

    def __init__(self, shelf: Any, reading: str, rival: Callable[[], object]) -> None:
        self._shelf, self._reading, self._rival = shelf, reading, rival
        self.overtaken = 0

    def __getattr__(self, name: str) -> Any:
        through = getattr(self._shelf, name)
        if name != self._reading or self.overtaken:
            return through

        def read(*args: Any) -> Any:
            found = through(*args)
            self.overtaken += 1
            self._rival()
            return found

        return read


def overtaken(world: World, shelf: str, reading: str, rival: Callable[[], object]) -> World:
    slow = Overtaken(getattr(world.platform.catalogue, shelf), reading, rival)
    changed: dict[str, Any] = {shelf: slow}
    catalogue = replace(world.platform.catalogue, **changed)
    return replace(world, platform=replace(world.platform, catalogue=catalogue))


def test_given_two_who_change_one_institution_when_one_is_quicker_then_the_other_must_look_again(
    world: World,
) -> None:
    before = world.platform.catalogue.institutions.read(OTHER_INSTITUTION_ID)
    assert before is not None

    def rival() -> Institution:
        return change_admission(world, world.bureau, reason="first")

    with pytest.raises(ConcurrentChange):
        change_admission(overtaken(world, "institutions", "read", rival), world.bureau, reason="second")

    after = world.platform.catalogue.institutions.read(OTHER_INSTITUTION_ID)
    assert after is not None
    assert (after.admission, after.version) == (Admission.SUSPENDED, before.version + 1)
    assert after.acts[-1].reason == "first"
    back = change_admission(world, world.bureau, step=AdmissionStep.READMIT)
    assert back.admission is Admission.ADMITTED


def test_given_two_who_decide_rules_of_one_region_when_one_is_quicker_then_the_other_must_look_again(
    world: World,
) -> None:
    decided = decide_rules(world, world.bureau, PROVINCE, help_line="first")

    def rival() -> RuleSet:
        return decide_rules(world, world.bureau, PROVINCE, help_line="quicker")

    with pytest.raises(ConcurrentChange):
        decide_rules(overtaken(world, "rule_sets", "versions", rival), world.bureau, PROVINCE, help_line="slower")

    latest = world.platform.catalogue.rule_sets.versions(PROVINCE, 1, None).items[0]
    assert (latest.version, latest.help_line) == (decided.version + 1, "quicker")


# --- what is right -------------------------------------------------------------------------------------------------


def test_given_an_institution_when_admitted_then_its_code_has_one_form_and_it_exists_once(world: World) -> None:
    added = add_institution(world, world.bureau, institution_id=ITS_LOWER_CASE)

    assert added.institution_id == A_USCC
    assert cataloguing.find_institution(world.platform.catalogue, A_USCC) == added
    with pytest.raises(AlreadyExists):
        add_institution(world, world.bureau, name_zh="另一家")


@pytest.mark.parametrize(
    ("pointer", "changes"),
    [
        ("/institution_id", {"institution_id": "91110000600037341M"}),
        ("/institution_id", {"institution_id": ""}),
        ("/coordinates", {"latitude": "0", "longitude": "0"}),
        ("/coordinates", {"latitude": "114.05", "longitude": "22.54"}),
        ("/coordinates", {"latitude": "nan"}),
        ("/coordinates", {"datum": "unknown"}),
    ],
    ids=["check character", "nothing", "zero zero", "swapped", "not a number", "datum"],
)
def test_given_an_institution_that_cannot_be_right_when_admitted_then_the_field_is_named_in_both_languages(
    world: World, pointer: str, changes: dict[str, Any]
) -> None:
    with no_writes(world), pytest.raises(Invalid) as refused:
        add_institution(world, world.bureau, **changes)

    assert refused.value.pointer == pointer
    assert refused.value.facts["reason"]
    assert refused.value.facts["reason_zh"]


def test_given_a_suspended_institution_when_anything_is_done_there_then_it_is_not_admitted_until_readmitted(
    world: World,
) -> None:
    person = a_person()
    voucher_id = world.claim(person, world.publish(5)).answer.voucher_id
    change_admission(world, world.bureau, INSTITUTION_ID)
    shown = Presented(code=world.code(person, voucher_id))

    try:
        with pytest.raises(InstitutionNotAdmitted):
            add_course(world, world.bureau)
        with pytest.raises(InstitutionNotAdmitted):
            world.redeem(shown)
        with pytest.raises(InstitutionNotAdmitted):
            world.verify(shown)
    finally:
        change_admission(world, world.bureau, INSTITUTION_ID, AdmissionStep.READMIT)

    assert world.redeem(shown).answer.version == 2


def test_given_a_candidate_when_judged_then_its_courses_are_recorded_and_vouchers_are_used_once_it_is_admitted(
    world: World,
) -> None:
    candidate = add_institution(
        world, world.bureau, institution_id=a_uscc(), admission=Admission.CANDIDATE
    ).institution_id
    desk = an_actor("CANDIDATEDESK", Role.INSTITUTION, CITY, candidate)
    course_id = add_course(world, world.bureau, institution_id=candidate).course_id
    person = a_person()
    shown = Presented(code=world.code(person, world.claim(person, world.publish(5)).answer.voucher_id))
    place = {"institution_id": candidate, "course_id": course_id, "actor": desk}

    with pytest.raises(InstitutionNotAdmitted):
        world.redeem(shown, **place)
    with pytest.raises(InstitutionNotAdmitted):
        world.verify(shown, **place)
    admitted = change_admission(world, world.bureau, candidate, AdmissionStep.ADMIT, "材料齐全")

    assert world.redeem(shown, **place).answer.version == 2
    (act,) = admitted.acts
    assert (act.reason, act.operator_id) == ("材料齐全", world.bureau.operator_id)


def test_given_an_institution_that_withdrew_when_it_redeemed_before_then_that_stays_and_a_mis_scan_is_still_reversed(
    world: World,
) -> None:
    school = add_institution(world, world.bureau, institution_id=a_uscc()).institution_id
    desk = an_actor("LEAVINGDESK", Role.INSTITUTION, CITY, school)
    course_id = add_course(world, world.bureau, institution_id=school).course_id
    template = world.publish(5)
    person, other = a_person(), a_person()
    kept, undone = (world.claim(one, template).answer.voucher_id for one in (person, other))
    place = {"institution_id": school, "course_id": course_id, "actor": desk}
    world.redeem(Presented(code=world.code(person, kept)), **place)
    world.redeem(Presented(code=world.code(other, undone)), **place)

    change_admission(world, world.bureau, school, AdmissionStep.WITHDRAW, "停办")

    assert world.voucher(kept).state is State.REDEEMED
    assert world.reverse(undone, actor=desk).answer.state is State.CLAIMED
    with pytest.raises(InstitutionNotAdmitted):
        world.redeem(Presented(code=world.code(other, undone)), **place)
    with pytest.raises(AdmissionStepRefused):
        change_admission(world, world.bureau, school, AdmissionStep.READMIT)


def test_given_a_course_of_a_programme_of_another_region_when_recorded_then_it_is_of_the_institution_s_region(
    world: World,
) -> None:
    programme = add_programme(world, world.bureau, OTHER_CITY)

    course = add_course(world, world.bureau, programme_id=programme.programme_id)

    assert (course.region, course.programme_id) == (CITY, programme.programme_id)
    assert cataloguing.find_course(world.platform.catalogue, course.course_id) == course


def test_given_a_region_that_decided_nothing_when_its_rules_are_asked_for_then_the_defaults_hold(world: World) -> None:
    rules = cataloguing.rules_in_force(world.platform.catalogue, "000000", world.now)

    assert rules == Rules("000000", version=0)
    with pytest.raises(RegionNotFound):
        cataloguing.rules_in_force(world.platform.catalogue, "999999", world.now)


def test_given_a_day_in_china_when_rules_are_to_begin_then_today_is_in_time_and_yesterday_is_not(world: World) -> None:
    day = date(2021, 5, 2)
    last, first = local("2021-05-02T15:59:59.999Z"), local("2021-05-02T16:00:00.000Z")

    decided = decide_rules(world.at(last), world.bureau, OTHER_CITY, effective_from=day)
    with pytest.raises(Invalid) as refused:
        decide_rules(world.at(first), world.bureau, OTHER_CITY, effective_from=day)

    assert refused.value.pointer == "/effective_from"
    catalogue = world.platform.catalogue
    assert cataloguing.rules_in_force(catalogue, OTHER_CITY, first).version == decided.version
    assert cataloguing.rules_in_force(catalogue, OTHER_CITY, START).version < decided.version


def test_given_an_assertion_key_when_disabled_twice_then_the_first_time_counts_and_its_name_stays_taken(
    world: World,
) -> None:
    add_assertion_key(world, world.bureau, "kid-leaving")

    after = disable_assertion_key(world, world.bureau, "kid-leaving")
    again = disable_assertion_key(world.at(world.now + timedelta(days=1)), world.bureau, "kid-leaving")

    assert after.disabled_at == again.disabled_at == world.now
    assert again.version == after.version + 1
    with pytest.raises(AlreadyExists):
        add_assertion_key(world, world.bureau, "kid-leaving")
