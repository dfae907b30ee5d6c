"""The same request again, for every operation that changes something, through the handler and on a real engine.

What interrupts a request and what a repetition makes of that is tried call by call in ``tests/faults``; what happens to
a repeated step when the world has moved on, in ``tests/services/test_idempotency.py``.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib import wiring
from chalicelib.api.answers import OPERATIONS
from chalicelib.api.shapes import Nothing
from chalicelib.domain.access import Client, Secret
from chalicelib.domain.attempt import KEPT
from chalicelib.domain.pace import FASTEST
from chalicelib.services.granting_access import secret_context
from tests.api.test_road_over_http import SECRET, Caller
from tests.engines import Engine, create_tables, delete_tables
from tests.faults.operations import SCENES, Request, Scene, a_public_key, a_scene, results_of
from tests.races.crowd import at_once, give_each_thread_its_request
from tests.storage.worlds import all_rows
from tests.world import START, a_world

SECOND = timedelta(seconds=1)
CHANGING = {one.label: one for one in OPERATIONS if one.changes}
BODILESS = {label for label, one in CHANGING.items() if one.body is Nothing}
# A field that is sent otherwise while the target stays the same.
OTHERWISE: dict[str, dict[str, Any]] = {
    "POST /v1/accounts": {"budget_fen": 8},
    "POST /v1/accounts/{account_id}/budget": {"amount_fen": 8},
    "POST /v1/applications": {"claimed_fen": 1},
    "POST /v1/applications/{application_id}/attachments": {"kind": "发票"},
    "POST /v1/applications/{application_id}/cancellation": {"reason": "另有原因"},
    "POST /v1/applications/{application_id}/decisions": {"text": "另有说明"},
    "POST /v1/applications/{application_id}/decisions/bulk": {"least_percent": 81},
    "POST /v1/applications/{application_id}/withdrawn-approvals": {"text": "另有说明"},
    "POST /v1/assertion-keys": {"public_key": a_public_key()},
    "POST /v1/claims": {"entrance": "banner"},
    "POST /v1/check-ins": {"device": "device-0002"},
    "POST /v1/classes": {"capacity": 31},
    "POST /v1/classes/{class_id}": {"capacity": 41},
    "POST /v1/classes/{class_id}/cancellation": {"reason": "另有原因"},
    "POST /v1/classes/{class_id}/check-ins": {"session_id": "S001"},
    "POST /v1/classes/{class_id}/check-ins/by-hand": {"reason": "另有原因"},
    "POST /v1/classes/{class_id}/check-ins/reported": {"tool": "另一工具"},
    "POST /v1/classes/{class_id}/enrolments": {"voucher_ids": ["X" * 16]},
    "POST /v1/classes/{class_id}/enrolments/by-roster": {"limit": 7},
    "POST /v1/classes/{class_id}/enrolments/{voucher_id}/leave": {"reason": "另有原因"},
    "POST /v1/classes/{class_id}/enrolments/{voucher_id}/rating": {"rating": 4},
    "POST /v1/evaluations": {"text": "一般"},
    "POST /v1/classes/{class_id}/leaves": {"reason": "另有原因"},
    "POST /v1/classes/{class_id}/sessions": {
        "sessions": [{"starts_at": "2021-09-01T01:00:00Z", "ends_at": "2021-09-01T02:00:00Z", "teacher": "测试师"}]
    },
    "POST /v1/classes/{class_id}/sessions/{session_id}": {"teacher": "另一位"},
    "POST /v1/classes/{class_id}/sessions/{session_id}/cancellation": {"reason": "另有原因"},
    "POST /v1/classes/{class_id}/transfers": {"reason": "另有原因"},
    "POST /v1/clients": {"name": "另一渠道"},
    "POST /v1/clients/{app_key}/secrets": {"overlap_seconds": 61},
    "POST /v1/clients/{app_key}/pace": {"requests_per_second": 8},
    "POST /v1/courses": {"hours": 41},
    "POST /v1/institutions": {"name_zh": "另一学校"},
    "POST /v1/institutions/{institution_id}/admit": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/suspend": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/readmit": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/withdraw": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/reapply": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/staff": {"name": "王五"},
    "POST /v1/institutions/{institution_id}/terminals": {"name": "二号窗口"},
    "POST /v1/operators": {"name": "王五"},
    "POST /v1/people/{person_id}/disclosure": {"reason": "另有原因"},
    "POST /v1/budget-transfers": {"reason": "另有原因"},
    "POST /v1/budget-transfers/{transfer_id}/decline": {"reason": "另有原因"},
    "POST /v1/merges": {"reason": "另有原因"},
    "POST /v1/merges/{merge_id}/undo": {"reason": "另有原因"},
    "POST /v1/people/{person_id}/corrections": {"reason": "另有原因"},
    "POST /v1/people/{person_id}/flags": {"reason": "另有原因"},
    "POST /v1/people/{person_id}/numbers": {"reason": "另有原因"},
    "POST /v1/programmes": {"standard_fen": 1},
    "POST /v1/payment-batches": {"region": "440100"},
    "POST /v1/payment-batches/{batch_id}/cancellation": {"reason": "另有原因"},
    "POST /v1/institutions/{institution_id}/bank-account": {"bank": "另一家银行"},
    "POST /v1/institutions/{institution_id}/bank-account/confirmation": {"number": 99},
    "POST /v1/rosters": {"size": 11},
    "POST /v1/rosters/{roster_id}/return": {"reason": "另有原因"},
    "POST /v1/rosters/{roster_id}/cancellation": {"reason": "另有原因"},
    "POST /v1/rosters/{roster_id}/withdrawal": {"reason": "另有原因"},
    "POST /v1/templates": {"quantity": 6},
    "POST /v1/templates/{template_id}/additions": {"quantity": 4},
    "POST /v1/templates/{template_id}/amendments": {"reason": "另有原因"},
    "POST /v1/templates/{template_id}/vouchers": {"mobile": "13900000009"},
    "POST /v1/vouchers/{voucher_id}/reversal": {"reason": "另有原因"},
    "POST /v1/vouchers/{voucher_id}/revocation": {"reason": "另有原因"},
    "POST /v1/vouchers/{voucher_id}/claw-back": {"fen": 11},
    "POST /v1/applications/{application_id}/settlements": results_of("A" * 26),
    "POST /v1/applications/{application_id}/objections": {"text": "另有情况"},
    "POST /v1/applications/{application_id}/objections/{number}/resolution": {"upheld": False},
    "POST /v1/redemptions": {"course_id": "D" * 16},
    "POST /v1/regions/{code}/rules": {"help_line": "12333"},
    "POST /v1/regions/{code}/rules/withdrawal": {"version": 2},
    "POST /v1/regions/{code}/eligible-people": {"until": "2021-11-30"},
    "POST /v1/regions/{code}/eligible-people/removal": {"group": "graduate"},
    "POST /v1/regions/{code}/eligibility-service": {"remember_seconds": 7},
    "POST /v1/regions/{code}/eligibility-service/rotation": {"starts_in_seconds": 7},
}
# What the same words are as a request of their own, once they were carried out. The others are carried out again.
ANEW = {
    "POST /v1/merges/{merge_id}/confirm": "merge_state",
    "POST /v1/merges/{merge_id}/undo": "merge_state",
    "POST /v1/people/{person_id}/corrections": "invalid_request",
    "POST /v1/people/{person_id}/numbers": "number_known",
    "POST /v1/people/{person_id}/flags taken away": "flag_not_set",
    "POST /v1/accounts": "already_exists",
    "POST /v1/applications/{application_id}/cancellation": "application_state",
    "POST /v1/applications/{application_id}/decisions": "application_state",
    "POST /v1/applications/{application_id}/decisions/bulk": "application_busy",
    "POST /v1/applications/{application_id}/withdrawn-approvals": "application_state",
    "POST /v1/budget-transfers/{transfer_id}/confirm": "budget_transfer_state",
    "POST /v1/budget-transfers/{transfer_id}/decline": "budget_transfer_state",
    "POST /v1/assertion-keys": "already_exists",
    "POST /v1/check-ins": "already_checked_in",
    "POST /v1/claims": "already_claimed",
    "POST /v1/classes/{class_id}/cancellation": "class_state",
    "POST /v1/classes/{class_id}/check-ins": "already_checked_in",
    "POST /v1/classes/{class_id}/check-ins/by-hand": "already_checked_in",
    "POST /v1/classes/{class_id}/enrolments/{voucher_id}/leave": "not_enrolled",
    "POST /v1/classes/{class_id}/evaluations/{words_id}/release": "words_not_found",
    "POST /v1/classes/{class_id}/finish": "class_state",
    "POST /v1/classes/{class_id}/leaves": "already_excused",
    "POST /v1/classes/{class_id}/sessions": "invalid_request",
    "POST /v1/classes/{class_id}/sessions/{session_id}/cancellation": "session_over",
    "POST /v1/classes/{class_id}/transfers": "not_enrolled",
    "POST /v1/institutions": "already_exists",
    "POST /v1/institutions/{institution_id}/staff": "already_exists",
    "POST /v1/institutions/{institution_id}/admit": "admission_step",
    "POST /v1/institutions/{institution_id}/suspend": "admission_step",
    "POST /v1/institutions/{institution_id}/readmit": "admission_step",
    "POST /v1/institutions/{institution_id}/withdraw": "admission_step",
    "POST /v1/institutions/{institution_id}/reapply": "admission_step",
    "POST /v1/payment-batches/{batch_id}/cancellation": "batch_state",
    "POST /v1/institutions/{institution_id}/bank-account/confirmation": "proposal_changed",
    "POST /v1/regions/{code}/rules/withdrawal": "rules_not_found",
    "POST /v1/regions/{code}/eligible-people/removal": "not_enlisted",
    "POST /v1/redemptions": "already_redeemed",
    "POST /v1/relations/{relation_id}/revocation": "relation_not_found",
    "POST /v1/rosters/{roster_id}/acceptance": "roster_state_refused",
    "POST /v1/rosters/{roster_id}/return": "roster_state_refused",
    "POST /v1/rosters/{roster_id}/cancellation": "roster_state_refused",
    "POST /v1/rosters/{roster_id}/withdrawal": "roster_state_refused",
    "POST /v1/templates/{template_id}/amendments": "not_in_favour",
    "POST /v1/templates/{template_id}/publish": "template_state",
    "POST /v1/templates/{template_id}/vouchers": "already_claimed",
    "POST /v1/templates/{template_id}/suspend": "template_state",
    "POST /v1/templates/{template_id}/resume": "template_state",
    "POST /v1/templates/{template_id}/close": "template_state",
    "POST /v1/vouchers/{voucher_id}/reversal": "not_redeemed",
    "POST /v1/vouchers/{voucher_id}/return": "not_held",
    "POST /v1/vouchers/{voucher_id}/revocation": "not_revocable",
    "POST /v1/applications/{application_id}/publicity": "already_published",
    "POST /v1/applications/{application_id}/objections/{number}/resolution": "objection_resolved",
}
# And in a month, when what they carry is too old.
IN_A_MONTH = ANEW | {
    "POST /v1/evaluations": "evaluation_over",
    "POST /v1/check-ins": "check_in_over",
    "POST /v1/classes": "invalid_request",
    "POST /v1/classes/{class_id}/check-ins": "check_in_over",
    "POST /v1/claims": "assertion_not_accepted",
    "POST /v1/claims by card": "card_read_not_accepted",
    "POST /v1/redemptions by card": "card_read_not_accepted",
    "POST /v1/redemptions by staff through a channel": "assertion_not_accepted",
    "POST /v1/vouchers/{voucher_id}/reversal by staff through a channel": "assertion_not_accepted",
    "POST /v1/redemptions by token": "token_not_accepted",
    "POST /v1/redemptions by assertion": "assertion_not_accepted",
    "POST /v1/regions/{code}/rules": "invalid_request",
}
EACH = pytest.mark.parametrize("label", CHANGING)
# A rule that lets one hold a single voucher would stay for all that come after.
WAYS = [(label, variant) for label in CHANGING for variant in SCENES[label] if not variant.startswith("one at a time")]
EACH_WAY = pytest.mark.parametrize(("label", "variant"), WAYS)
# Where no path names the target it is the list, which is one and the same; or a voucher, which the body leads to.
EACH_TARGET = pytest.mark.parametrize(
    "label", [label for label in CHANGING if "{" in label or label in ("POST /v1/claims", "POST /v1/redemptions")]
)


@pytest.fixture(scope="module")
def stage(engines: dict[str, Engine]) -> Iterator[Scene]:
    endpoint = engines["dynamodb-local"].endpoint or engines["ministack"].endpoint
    assert endpoint is not None
    environment = create_tables(endpoint)
    scene = a_scene(a_world(environment))
    # More requests come here within one window of the standing clock than a client has by itself.
    scene = replace(
        scene,
        bureau=registered_again(scene, scene.bureau, "BUREAU4"),
        channel=registered_again(scene, scene.channel, "CHANNEL4"),
        desk=registered_again(scene, scene.desk, "DESK4"),
    )
    yield scene
    # Once, after all races: what one of them did twice or by half is in the books for good.
    scene.world.check_laws(one for one in scene.world.vouchers() if one.template_id in scene.world.templates)
    delete_tables(environment)


def registered_again(scene: Scene, caller: Caller, app_key: str) -> Caller:
    """Another client of the same scope, through which the same operator acts."""
    clients, sealer = scene.world.platform.catalogue.clients, scene.world.platform.keys.sealer
    known = clients.read(caller.app_key)
    assert known is not None
    secret = Secret("S1", sealer.seal(SECRET, secret_context(app_key, "S1")), START)
    client: Client = replace(known, app_key=app_key, secrets=(secret,), requests_per_second=FASTEST)
    clients.add(client, None)
    return replace(caller, app_key=app_key)


@pytest.fixture
def scene(stage: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The stage, at its beginning."""
    give_each_thread_its_request(monkeypatch)
    stage.world.clock.set(START)
    wiring.use(stage.world.platform)
    yield stage
    wiring.use(None)


def prepared(scene: Scene, label: str, variant: str | None = None) -> Request:
    """A request for a target of its own."""
    variants = SCENES[label]
    return variants[next(iter(variants)) if variant is None else variant](scene)


def is_hit(answer: HTTPResponse) -> bool:
    return answer.headers.get("Idempotency-Hit") == "true"


def kept(answer: HTTPResponse) -> Any:
    """What of a good answer is kept: all but a secret."""
    assert answer.status_code < 300, answer.body.decode()
    said = answer.json_body
    return said | {"secret": None} if "secret" in said else said


def code_of(answer: HTTPResponse) -> tuple[int, str]:
    return answer.status_code, answer.json_body.get("code", "")


def rows(scene: Scene) -> dict[str, Any]:
    """All that is kept, but for how many requests clients have sent."""
    return {key: row for key, row in all_rows(scene.world).items() if "PACE#" not in key}


def spelled(request: Request) -> bytes:
    """The same JSON, names the other way round, with white space and escapes."""

    def turned(value: Any) -> Any:
        return {name: turned(value[name]) for name in reversed(value)} if isinstance(value, dict) else value

    return json.dumps(turned(request.body or {}), indent="\t").encode() + b"\r\n"


def sent_otherwise(request: Request, label: str) -> tuple[int, str]:
    if label in BODILESS:
        return code_of(replace(request, body={"force": True}).send())
    assert isinstance(request.body, dict)
    return code_of(replace(request, body=request.body | OTHERWISE[label]).send())


def refused_otherwise(label: str) -> tuple[int, str]:
    """Where nothing can be said there is no other body, only one that is not taken."""
    return (400, "invalid_fields") if label in BODILESS else (422, "idempotency_key_reused")


def must_be_new(answer: HTTPResponse, code: str | None) -> None:
    """Refused like this, or (None) carried out."""
    if code is None:
        assert answer.status_code < 300, answer.body.decode()
        assert not is_hit(answer)
    else:
        assert answer.json_body.get("code") == code, answer.body.decode()


def test_given_the_operations_that_change_something_when_counted_then_each_has_a_request_and_another_body() -> None:
    assert CHANGING.keys() <= SCENES.keys()
    assert OTHERWISE.keys() == CHANGING.keys() - BODILESS


@EACH_WAY
def test_given_a_request_that_was_carried_out_when_it_comes_again_then_only_its_answer_does(
    scene: Scene, label: str, variant: str
) -> None:
    request = prepared(scene, label, variant)
    first = request.send()
    before = rows(scene)

    again = request.send()
    in_other_words = request.caller.send_raw("POST", request.target, spelled(request), request.key)
    otherwise = sent_otherwise(request, label)

    assert (first.status_code, is_hit(first)) == (CHANGING[label].status, False)
    for answer in (again, in_other_words):
        assert (answer.status_code, is_hit(answer)) == (first.status_code, True), answer.body.decode()
        assert answer.json_body == kept(first)
    assert otherwise == refused_otherwise(label)
    assert rows(scene) == before


@EACH_TARGET
def test_given_a_key_that_was_used_for_one_target_when_it_comes_for_another_then_that_is_another_request(
    scene: Scene, label: str
) -> None:
    one, other = prepared(scene, label), prepared(scene, label)
    other = replace(other, key=one.key)
    first = one.send()

    second = other.send()

    assert (second.status_code, is_hit(second)) == (first.status_code, False)
    assert one.send().json_body == kept(first)
    assert other.send().json_body == kept(second)


@EACH
def test_given_a_request_that_was_carried_out_when_its_words_come_with_another_key_or_client_then_they_are_new(
    scene: Scene, label: str
) -> None:
    request = prepared(scene, label)
    first = request.send()

    with_another_key = replace(request, key=f"{request.key}-another").send()

    must_be_new(with_another_key, ANEW.get(label))
    if request.caller.key:  # assertions and sessions are made out to one channel: there the words would be others
        app_key = f"{request.caller.app_key}-{request.key}"
        by_another = replace(request, caller=registered_again(scene, request.caller, app_key)).send()
        must_be_new(by_another, ANEW.get(label))
    assert request.send().json_body == kept(first)


@EACH_WAY
def test_given_an_answer_when_thirty_days_pass_then_it_is_kept_a_second_before_and_not_a_second_after(
    scene: Scene, label: str, variant: str
) -> None:
    request = prepared(scene, label, variant)
    first = request.send()

    scene.world.clock.set(START + KEPT - SECOND)
    request = session_renewed(scene, request)
    before, otherwise = request.send(), sent_otherwise(request, label)
    scene.world.clock.set(START + KEPT + SECOND)
    after = session_renewed(scene, request).send()

    # The address for a roster's file, or of a bank file, is made anew each time.
    anew = {"upload": 0, "download": 0}
    assert (kept(before) | anew, is_hit(before)) == (kept(first) | anew, True)
    assert otherwise == refused_otherwise(label)
    must_be_new(after, IN_A_MONTH.get(f"{label} {variant}", IN_A_MONTH.get(label)))
    if after.status_code < 300:  # and is kept in turn
        again = request.send()
        assert (again.json_body, is_hit(again)) == (kept(after), True)


def session_renewed(scene: Scene, request: Request) -> Request:
    """A session is no part of a request's words: the holder has opened another meanwhile."""
    if not request.caller.session:
        return request
    keys = scene.world.platform.keys
    old = keys.sessions.read(request.caller.session)
    new = replace(old, ends_at=scene.world.now + timedelta(minutes=15))
    return replace(request, caller=replace(request.caller, session=keys.sessions.issue(new, b"n" * 12)))


@EACH
def test_given_one_request_when_it_comes_four_times_at_once_then_it_is_carried_out_once_and_all_get_that_answer(
    scene: Scene, label: str
) -> None:
    request = prepared(scene, label)

    answers: list[Any] = at_once([request.send] * 4)

    assert {answer.status_code for answer in answers} == {CHANGING[label].status}, [a.body for a in answers]
    (carried_out,) = [answer for answer in answers if not is_hit(answer)]
    assert all(answer.json_body == kept(carried_out) for answer in answers if is_hit(answer))


def test_given_one_key_when_it_is_used_for_every_operation_then_each_is_a_request_of_its_own(scene: Scene) -> None:
    requests = [replace(prepared(scene, label), key="one-for-all") for label in CHANGING]

    first = [request.send() for request in requests]
    again = [request.send() for request in requests]

    assert [is_hit(answer) for answer in first] == [False] * len(CHANGING)
    assert [is_hit(answer) for answer in again] == [True] * len(CHANGING)
    assert [answer.json_body for answer in again] == [kept(answer) for answer in first]


def test_given_a_key_of_255_characters_when_sent_then_taken_and_one_more_is_refused(scene: Scene) -> None:
    request = replace(prepared(scene, "POST /v1/programmes"), key="~" * 255)
    longer = replace(request, key="~" * 256)

    answers = [one.send() for one in (request, request, longer)]

    assert [(one.status_code, is_hit(one)) for one in answers] == [(201, False), (201, True), (400, False)]
    assert answers[2].json_body["code"] == "idempotency_key_required"
    assert "255" in answers[2].json_body["detail"]
