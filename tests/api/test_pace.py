"""How fast a client may ask: headers, and the refusal that says when to come back."""

from datetime import timedelta

from chalicelib.domain import pace
from chalicelib.domain.access import Role
from tests.api.conftest import Desk


def test_given_a_signed_request_when_answered_then_headers_say_where_the_client_stands(desk: Desk) -> None:
    client = desk.a_client(Role.CITY, requests_per_second=1)

    answer = desk.send("GET", "/v1/regions/440300", client=client)

    assert answer.headers["RateLimit-Policy"] == '"client";q=10;w=10'
    name, left, _ = answer.headers["RateLimit"].split(";")
    assert (name, left) == ('"client"', "r=9")


def test_given_a_spent_budget_when_asked_again_then_429_says_when_and_the_next_window_serves(desk: Desk) -> None:
    client = desk.a_client(Role.CITY, requests_per_second=1)
    answers = [desk.send("GET", "/v1/regions/440300", client=client) for _ in range(11)]
    assert [one.status_code for one in answers] == [200] * 10 + [429]

    refused = answers[-1]

    assert refused.json_body["code"] == "too_many_requests"
    assert refused.json_body["facts"]["limit"] == 10
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= pace.WINDOW_SECONDS
    desk.clock.advance(timedelta(seconds=wait))
    assert desk.send("GET", "/v1/regions/440300", client=client).status_code == 200


def test_given_a_bad_signature_when_sent_in_numbers_then_the_named_client_loses_nothing(desk: Desk) -> None:
    client = desk.a_client(Role.CITY, requests_per_second=1)
    for _ in range(20):
        assert (
            desk.send("GET", "/v1/regions/440300", client=client, headers={"X-Signature": "0" * 64}).status_code == 401
        )

    answer = desk.send("GET", "/v1/regions/440300", client=client)

    assert answer.status_code == 200
    assert "r=9" in answer.headers["RateLimit"]


def test_given_what_is_open_to_all_when_asked_then_no_budget_is_counted(desk: Desk) -> None:
    assert "RateLimit" not in desk.send("GET", "/v1/time").headers
