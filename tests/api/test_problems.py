"""Refusals as problem+json, whoever refuses: the domain, the framework, Chalice."""

import io
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.app import Response

from app import app
from chalicelib import observability
from chalicelib.api import gateway, refusals
from chalicelib.api.answers import OPERATIONS
from chalicelib.api.problems import STATUS_BY_BASE, TITLES, problem, status_of, wants_chinese
from chalicelib.domain import errors, words
from chalicelib.domain.access import Role
from chalicelib.domain.errors import DomainError, every_error
from tests.api.conftest import Desk

HTTP_ONLY = [
    kind for kind in vars(refusals).values() if isinstance(kind, type) and kind.__module__ == refusals.__name__
]
ALL = [*every_error(), *(kind for kind in HTTP_ONLY if issubclass(kind, DomainError))]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the log gets."""
    handler = observability.logger().registered_handler
    assert isinstance(handler, logging.StreamHandler)
    monkeypatch.setattr(handler, "stream", io.StringIO())
    stream: io.StringIO = handler.stream
    return stream


def said(error: DomainError, language: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(problem(error, request_id="r-1", accept_language=language).body)
    return answer


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_title_and_two_languages(kind: type[DomainError]) -> None:
    assert status_of(kind) in TITLES
    assert kind.code
    assert kind.zh.endswith("。")
    assert kind.en.endswith(".")


def test_codes_are_not_used_twice() -> None:
    codes = [kind.code for kind in ALL]

    assert len(codes) == len(set(codes))


def test_every_base_has_its_status() -> None:
    assert {status_of(kind): kind for kind in STATUS_BY_BASE} == {
        400: errors.Invalid,
        401: errors.Unauthenticated,
        403: errors.Forbidden,
        404: errors.NotFound,
        409: errors.Refused,
        422: errors.Reused,
        503: errors.Unavailable,
    }


@pytest.mark.parametrize(
    ("header", "chinese"),
    [
        (None, True),
        ("", True),
        ("zh-CN", True),
        ("fr", True),
        ("en", False),
        ("en-GB,en;q=0.9", False),
        ("en;q=0.3, zh;q=0.8", True),
        ("zh;q=0.1, en", False),
        ("*", True),
        ("en;q=0", True),
        ("zh, en", True),
        ("nonsense;;;q=9,,", True),
    ],
)
def test_chinese_is_spoken_unless_english_is_preferred(header: str | None, chinese: bool) -> None:
    assert wants_chinese(header) == chinese


def test_facts_fill_the_sentence_and_instants_are_told_in_china_time() -> None:
    error = errors.AlreadyRedeemed(
        redeemed_at="2021-06-30T15:59:59.999Z", institution_id="9", institution_name="深圳技师学院"
    )

    assert said(error)["detail"] == "该券已于 2021-06-30 23:59:59（北京时间） 在“深圳技师学院”使用。"
    assert "2021-06-30 23:59:59 (China time)" in said(error, "en")["detail"]
    assert said(error)["facts"]["redeemed_at"] == "2021-06-30T15:59:59.999Z"


def test_reasons_and_states_are_said_in_words_and_kept_as_codes() -> None:
    expired = errors.AssertionNotAccepted(reason="expired")
    draft = errors.TemplateStateRefused(state="draft")

    assert said(expired)["detail"] == "身份断言不被接受：已过期。"
    assert said(expired, "en")["detail"] == "The identity assertion is not accepted: it has expired."
    assert said(expired)["facts"] == {"reason": "expired"}
    assert "草稿" in said(draft)["detail"]


def test_every_reason_that_is_written_down_has_words() -> None:
    rooms = [path for path in Path(errors.__file__).parents[1].rglob("*.py") if path.parent.name != "api"]
    written = {reason for path in rooms for reason in re.findall(r'reason="([^"]+)"', path.read_text("utf-8"))}

    assert written
    assert written <= words.REASONS.keys() | words.PHRASES.keys()


def test_a_fact_in_two_languages_is_said_in_the_one_asked_for() -> None:
    error = errors.Invalid(pointer="/x", reason="The amount is too large.", reason_zh="金额过大。")

    assert said(error)["detail"] == "请求内容有误：金额过大。"
    assert said(error, "en")["detail"] == "The request is not valid: The amount is too large."
    assert said(error)["facts"] == {"reason": "The amount is too large."}


def test_an_unknown_fact_is_a_dash() -> None:
    assert said(errors.Expired())["detail"] == "该券已于 — 到期。"


def test_pointers_and_parameters_are_told_apart() -> None:
    assert said(errors.Invalid(pointer="/look/title", reason="x"))["errors"][0]["pointer"] == "/look/title"
    assert said(errors.Invalid(pointer="cursor", reason="x"))["errors"][0]["parameter"] == "cursor"


def test_what_is_only_delayed_says_when_to_come_back() -> None:
    response = problem(errors.Contended(), request_id="r", accept_language=None)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


def test_the_regions_own_help_line_is_told_where_the_region_is_known(desk: Desk) -> None:
    known = desk.send("GET", "/v1/regions/440300?x=1", client=desk.a_client())
    other = desk.send("GET", "/v1/regions/440100?x=1", client=desk.a_client())
    stranger = desk.send("GET", "/v1/regions/440300")

    assert [answer.json_body["help_line"] for answer in (known, other, stranger)] == ["0755-12333", "12333", "12333"]


def test_given_a_wrong_method_when_sent_then_405_as_a_problem(desk: Desk) -> None:
    answer = desk.send("POST", "/v1/time", headers={"Accept-Language": "en"})

    assert (answer.status_code, answer.json_body["code"]) == (405, "method_not_allowed")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, refusals.BadRequest), (415, refusals.UnsupportedMediaType), (502, refusals.InternalError)],
)
def test_given_chalice_refuses_by_itself_when_answered_then_as_a_problem(status: int, kind: type[DomainError]) -> None:
    request: Any = SimpleNamespace(path="/v1/time", headers={}, context={"requestId": "R1"}, lambda_context=None)
    own = Response({"Code": "BadRequestError", "Message": "in no language of ours"}, status_code=status)

    answer = gateway._as_problem(app, request, lambda _: own)

    body = json.loads(answer.body)
    assert (answer.status_code, body["code"], body["request_id"]) == (status_of(kind), kind.code, "R1")
    assert "in no language" not in answer.body


def test_given_an_unknown_route_when_lambda_gets_it_then_404_as_a_problem() -> None:
    event = {
        "requestContext": {"httpMethod": "GET", "resourcePath": "/v1/nothing", "requestId": "r-9"},
        "headers": {},
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": None,
    }

    answer = app(event, None)

    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["code"] == "no_such_route"
    assert json.loads(answer["body"])["request_id"] == "r-9"


def test_given_an_unknown_route_when_the_gateway_refuses_it_then_its_own_shape(desk: Desk) -> None:
    # Chalice's test client answers as a bare API Gateway does; infra/app.yaml gives the deployed one our shape.
    answer = desk.send("GET", "/v1/nothing")

    assert (answer.status_code, answer.json_body) == (403, {"message": "Missing Authentication Token"})


def test_given_an_unforeseen_failure_when_it_happens_then_500_and_no_message_is_told_or_logged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("11010519491231002X")

    monkeypatch.setattr(desk.catalogue.regions, "get", fail)

    answer = desk.send("GET", "/v1/regions/440300", client=desk.a_client())

    assert (answer.status_code, answer.json_body["code"]) == (500, "internal_error")
    assert answer.json_body["request_id"]
    told = capsys.readouterr()
    assert "11010519491231002X" not in answer.body.decode() + lines.getvalue() + told.out + told.err
    assert "builtins.RuntimeError" in lines.getvalue()
    assert "test_problems.py" in lines.getvalue()


def test_given_any_outcome_when_told_then_one_line_and_one_metric(
    desk: Desk, lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    client = desk.a_client(Role.CHANNEL)

    desk.send("GET", "/v1/regions/000001", client=client)

    (line,) = map(json.loads, lines.getvalue().splitlines())
    (metric,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["message"], line["status"], line["operation"]) == ("region_not_found", 404, "GET /v1/regions/{code}")
    assert line["request_id"]
    assert client.app_key not in json.dumps(line)
    assert metric["region_not_found"] == [1.0]
    assert metric["operation"] == "GET /v1/regions/{code}"


def test_every_operation_names_only_errors_with_words() -> None:
    assert {kind for one in OPERATIONS for kind in one.every_error} <= set(ALL)
