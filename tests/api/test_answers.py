"""The decorator of all views: who may, operators' signatures, holder sessions."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.api.answers import OPERATIONS
from chalicelib.domain.access import Role
from tests.api.conftest import NOW, Desk
from tests.api.test_requests import PROGRAMME


def post(desk: Desk, **more: Any) -> Any:
    return desk.send("POST", "/v1/programmes", PROGRAMME, key="k1", **more)


def outcome(answer: Any) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json_body["code"], answer.json_body.get("facts", {}).get("reason")


@pytest.mark.parametrize("role", [Role.CHANNEL, Role.INSTITUTION, Role.AUDITOR])
def test_given_a_role_that_may_not_when_it_acts_then_forbidden(desk: Desk, role: Role) -> None:
    assert outcome(post(desk, client=desk.a_client(role), operator=desk.an_operator()))[:2] in [
        (403, "forbidden"),
        (401, "operator_not_accepted"),
    ]
    assert outcome(post(desk, client=desk.a_client(role)))[:2] == (403, "forbidden")


def test_given_an_act_of_an_authority_when_no_operator_signs_then_refused(desk: Desk) -> None:
    assert outcome(post(desk, client=desk.a_client()))[:2] == (401, "operator_required")


def test_given_a_region_outside_the_scope_when_it_acts_then_forbidden(desk: Desk) -> None:
    client, operator = desk.a_client(region="440100"), desk.an_operator(region="440100")

    assert outcome(post(desk, client=client, operator=operator))[:2] == (403, "out_of_scope")


def test_given_an_operator_of_a_district_when_the_city_is_acted_for_then_out_of_scope(desk: Desk) -> None:
    operator = desk.an_operator(region="440305")

    assert outcome(post(desk, client=desk.a_client(), operator=operator))[:2] == (403, "out_of_scope")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": "440100"}, "client"),
        ({"institution_id": "91350100M000100Y43"}, "client"),
        ({"disabled_at": NOW}, "disabled"),
        ({"public_key": "A" * 43}, "signature"),
    ],
)
def test_given_an_unfit_operator_when_it_signs_then_not_accepted(
    desk: Desk, changes: dict[str, Any], reason: str
) -> None:
    answer = post(desk, client=desk.a_client(), operator=desk.an_operator(**changes))

    assert outcome(answer) == (401, "operator_not_accepted", reason)


def test_given_an_unknown_operator_when_it_signs_then_not_accepted(desk: Desk) -> None:
    operator, key = desk.an_operator()
    desk.catalogue.operators.rows.clear()  # type: ignore[attr-defined]

    assert outcome(post(desk, client=desk.a_client(), operator=(operator, key)))[2] == "unknown"


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "reason"),
    [
        ("GET", "/v1/programmes", None, "k1", "request"),
        ("POST", "/v1/courses", None, "k1", "request"),
        ("POST", "/v1/programmes", b"{}", "k1", "request"),
        ("POST", "/v1/programmes", None, "k2", "request"),
        ("POST", "/v1/programmes", None, "k1", None),
    ],
)
def test_an_operators_signature_is_for_this_very_request(
    desk: Desk, method: str, path: str, body: bytes | None, key: str, reason: str | None
) -> None:
    client, (operator, signer) = desk.a_client(), desk.an_operator()
    signed = json.dumps(PROGRAMME).encode() if body is None else body
    jws = signer.sign(operator.operator_id, client.app_key, method, path, signed, key, NOW)

    answer = post(desk, client=client, headers={"X-Operator": jws})

    if reason is None:
        assert answer.status_code == 201
    else:
        assert outcome(answer) == (401, "operator_not_accepted", reason)


def test_given_garbage_as_operator_when_sent_then_malformed(desk: Desk) -> None:
    answer = post(desk, client=desk.a_client(), headers={"X-Operator": "garbage"})

    assert outcome(answer) == (401, "operator_not_accepted", "malformed")


def test_given_no_session_when_the_holder_is_needed_then_required(desk: Desk) -> None:
    channel = desk.a_client(Role.CHANNEL)

    for target in ("/v1/wallet", "/v1/vouchers/ABC", "/v1/vouchers/ABC/history", "/v1/vouchers/ABC/qr"):
        assert outcome(desk.send("GET", target, client=channel))[:2] == (401, "holder_session_required")


def test_a_session_is_for_its_channel_and_its_time(desk: Desk) -> None:
    channel, other = desk.a_client(Role.CHANNEL), desk.a_client(Role.CHANNEL)
    session = {"X-Holder-Session": desk.a_session(channel, ends_at=NOW + timedelta(minutes=15))}
    target = "/v1/vouchers/ABC/qr"

    assert outcome(desk.send("GET", target, client=channel, headers=session))[:2] == (404, "voucher_not_found")
    assert outcome(desk.send("GET", target, client=other, headers=session))[:2] == (401, "holder_session_ended")
    garbage = {"X-Holder-Session": "garbage"}
    assert outcome(desk.send("GET", target, client=channel, headers=garbage))[:2] == (401, "holder_session_ended")
    desk.clock.set(NOW + timedelta(minutes=15) - timedelta(milliseconds=1))
    assert outcome(desk.send("GET", target, client=channel, headers=session))[:2] == (404, "voucher_not_found")
    desk.clock.set(NOW + timedelta(minutes=15))
    assert outcome(desk.send("GET", target, client=channel, headers=session))[:2] == (401, "holder_session_ended")


def test_given_a_session_when_the_client_serves_no_holders_then_forbidden(desk: Desk) -> None:
    city = desk.a_client(Role.CITY)
    session = {"X-Holder-Session": desk.a_session(city)}

    assert outcome(desk.send("GET", "/v1/vouchers/ABC", client=city, headers=session))[:2] == (403, "forbidden")


def test_lists_are_pages_with_cursors(desk: Desk) -> None:
    client = desk.a_client()

    first = desk.send("GET", "/v1/regions?limit=1", client=client).json_body
    second = desk.send("GET", f"/v1/regions?limit=1&cursor={first['next_cursor']}", client=client).json_body

    assert [one["code"] for one in (*first["items"], *second["items"])] == ["440100", "440300"]
    assert second["next_cursor"] is None


def test_time_and_keys_are_open_to_all(desk: Desk) -> None:
    time, keys = desk.send("GET", "/v1/time").json_body, desk.send("GET", "/v1/keys").json_body

    assert time == {"now": "2021-06-30T08:00:00.123Z", "seconds": 1625040000}
    assert [(key["kty"], key["crv"], len(key["x"])) for key in keys["keys"]] == [("OKP", "Ed25519", 43)]


def test_operations_are_served_once_and_changes_are_posts() -> None:
    labels = [one.label for one in OPERATIONS]

    assert len(labels) == len(set(labels))
    assert {one.label for one in OPERATIONS if one.method == "POST" and not one.changes} == {
        "POST /v1/claimable",
        "POST /v1/people/search",
        "POST /v1/sessions",
        "POST /v1/verifications",
        "POST /v1/regions/{code}/eligible-people/search",
        "POST /v1/regions/{code}/eligibility-service/trial",
        "POST /v1/regions/{code}/rules/preview",
    }
    assert {one.label for one in OPERATIONS if one.act is None} == {
        "GET /v1/keys",
        "GET /v1/openapi.json",
        "GET /v1/time",
    }
