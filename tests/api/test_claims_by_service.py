"""A claim that the region's eligibility service decides, through the whole handler, on real tables and real sockets."""

import json
from collections.abc import Iterator
from datetime import date

import pytest

from chalicelib import wiring
from chalicelib.domain.eligibility import AllOf, Asked, Declared
from tests.eligibility import sample_server
from tests.faults.operations import Scene, a_scene, claim_by, draft_template
from tests.storage.worlds import all_rows
from tests.world import CITY, World, a_person
from tools.eligibility_server import EligibilityServer


@pytest.fixture
def server() -> Iterator[EligibilityServer]:
    running = sample_server()
    running.behave("answer")
    running.asked.clear()
    yield running
    running.behave("answer")


@pytest.fixture
def scene(strict_world: World, server: EligibilityServer) -> Iterator[Scene]:
    made = a_scene(strict_world)
    wiring.use(made.world.platform)
    made.world.decide_service()
    yield made
    wiring.use(None)


def test_given_a_student_when_claiming_then_refused_in_the_service_s_words_of_either_language(scene: Scene) -> None:
    template = scene.world.publish(10, eligibility=AllOf((Declared(age_from=16), Asked(rule="residents"))))
    request = claim_by(scene, a_person(birth=date(2002, 1, 1)), template)

    refused = request.send().json_body
    in_english = request.caller.send_raw(
        "POST", "/v1/claims", _raw(request.body), "another-key", headers={"Accept-Language": "en"}
    ).json_body

    assert (refused["status"], refused["code"]) == (409, "not_eligible")
    assert refused["detail"] == "不符合领取条件（residents）：在校学生不属于补贴对象。"
    assert in_english["detail"] == "Not eligible (residents): Students in full-time education are not subsidised."
    assert scene.world.vouchers() == []


def test_given_somebody_eligible_when_claiming_then_served_and_a_repetition_asks_nobody(
    scene: Scene, server: EligibilityServer
) -> None:
    request = claim_by(scene, a_person(), scene.world.publish(10, eligibility=Asked()))

    first, again = request.send(), request.send()

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Hit"] == "true"
    assert again.json_body == first.json_body
    assert server.asked == [1]


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("hang", "timeout"), ("fail", "status"), ("wrongly_signed", "signature")]
)
def test_given_a_service_that_gives_no_answer_when_claiming_then_503_nothing_changed_and_the_same_key_goes_on(
    scene: Scene, server: EligibilityServer, behaviour: str, reason: str
) -> None:
    request = claim_by(scene, a_person(), scene.world.publish(10, eligibility=Asked()))
    before = _ledgers(scene)
    server.behave(behaviour, times=1)

    told = request.send()

    assert told.status_code == 503
    assert told.json_body["code"] == "eligibility_service_unavailable"
    assert told.json_body["facts"] == {"region": CITY, "reason": reason}
    assert _ledgers(scene) == before
    done = request.send()
    assert (done.status_code, "Idempotency-Hit" in done.headers) == (201, False)
    assert request.send().json_body == done.json_body
    scene.world.check_laws(scene.world.vouchers())


def test_given_a_service_that_fails_again_and_again_when_claiming_then_it_is_left_alone(
    scene: Scene, server: EligibilityServer
) -> None:
    template = scene.world.publish(10, eligibility=Asked())
    server.behave("fail")

    heard = [claim_by(scene, a_person(), template).send().json_body["facts"]["reason"] for _ in range(7)]

    assert heard == ["status"] * 5 + ["resting"] * 2
    assert len(server.asked) == 5


def _ledgers(scene: Scene) -> dict[str, object]:
    """All rows but the budgets of requests."""
    return {key: row for key, row in all_rows(scene.world).items() if "PACE#" not in key}


def _raw(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "service", "rule": "residents"},
        {"kind": "declared", "rule": "age", "age_from": 16, "age_to": 59, "sex": "male", "regions": ["440300"]},
        {"kind": "not", "rule": "no_veteran", "part": {"kind": "listed", "rule": "listed", "groups": ["veteran"]}},
        {
            "kind": "all",
            "parts": [
                {"kind": "any", "parts": [{"kind": "listed", "rule": "l", "groups": []}]},
                {"kind": "service", "rule": "s"},
            ],
        },
    ],
    ids=lambda rule: rule["kind"],
)
def test_given_a_template_with_a_rule_when_read_by_itself_or_in_a_list_then_the_rule_is_shown_as_it_was_sent(
    scene: Scene, rule: dict[str, object]
) -> None:
    asked = draft_template(scene)
    assert isinstance(asked.body, dict)
    made = scene.bureau.post("/v1/templates", asked.body | {"eligibility": rule}, status=201)

    one = scene.bureau.get(f"/v1/templates/{made['template_id']}")
    (listed,) = scene.bureau.get(f"/v1/templates?region={CITY}")["items"]

    assert one["terms"]["eligibility"] == listed["terms"]["eligibility"] == rule
