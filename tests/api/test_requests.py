"""How strictly requests are read."""

import json
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.api.refusals import MalformedJson
from chalicelib.api.requests import MOST_BYTES, read_json
from chalicelib.api.shapes import Day, Line, Note, Reason
from chalicelib.domain.access import Role
from chalicelib.integrations.alphabets import to_base64url
from chalicelib.integrations.essc_platform import OperatorKey
from tests.api.conftest import Desk

PROGRAMME = {
    "region": "440300",
    "name_zh": "企业职工培训",
    "name_en": "Training of staff",
    "programme_type": "enterprise_staff",
    "standard_fen": 100_000,
}
# Controls, zero-width characters, line ends, bidi marks.
UNSEEN = (0x00, 0x1B, 0x7F, 0x86, 0x061C, 0x200B, 0x200F, 0x2028, 0x202A, 0x202E, 0x2060, 0x2066, 0x2069, 0xFEFF)


def post(desk: Desk, body: object = None, **more: Any) -> Any:
    return desk.send("POST", "/v1/programmes", body, client=desk.a_client(), operator=desk.an_operator(), **more)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "syntax"),
        (b"{", "syntax"),
        (b"\xef\xbb\xbf{}", "syntax"),
        (b"{'a': 1}", "syntax"),
        (b'{"a": "\xc4\xe3"}', "encoding"),
        (b'{"a": NaN}', "number"),
        (b'{"a": -Infinity}', "number"),
        (b'{"a": 1e999}', "number"),
        (b'{"a": 1, "a": 1}', "duplicate"),
        (b'{"o": [{"a": 1, "a": 2}]}', "duplicate"),
        (b"[" * 21 + b"]" * 21, "depth"),
        (b"[" * 100_000, "depth"),
        (b"9" * 5000, "syntax"),
    ],
    ids=lambda given: repr(given)[:24],
)
def test_json_that_two_readers_could_read_differently_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedJson) as refused:
        read_json(raw)

    assert refused.value.facts == {"reason": reason}


def test_json_of_twenty_levels_is_read() -> None:
    assert read_json(b"[" * 20 + b"]" * 20)


def test_given_a_proper_body_when_posted_then_created(desk: Desk) -> None:
    answer = post(desk, PROGRAMME, key="k1")

    assert answer.status_code == 201
    assert answer.json_body["standard_fen"] == 100_000


def test_given_the_same_request_in_another_spelling_when_repeated_then_the_same_answer(desk: Desk) -> None:
    client, operator = desk.a_client(), desk.an_operator()
    first = desk.send("POST", "/v1/programmes", PROGRAMME, client=client, operator=operator, key="k1")
    spelled = json.dumps(dict(reversed(PROGRAMME.items())), ensure_ascii=False, indent=2).encode()

    again = desk.send("POST", "/v1/programmes", raw=spelled, client=client, operator=operator, key="k1")

    assert (again.status_code, again.body) == (201, first.body)
    assert again.headers["Idempotency-Hit"] == "true"
    assert "Idempotency-Hit" not in first.headers


def test_given_another_body_under_the_same_key_when_posted_then_422(desk: Desk) -> None:
    client, operator = desk.a_client(), desk.an_operator()
    desk.send("POST", "/v1/programmes", PROGRAMME, client=client, operator=operator, key="k1")

    other = PROGRAMME | {"standard_fen": 1}
    answer = desk.send("POST", "/v1/programmes", other, client=client, operator=operator, key="k1")

    assert (answer.status_code, answer.json_body["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"standard_fen": 1.0}, "/standard_fen"),
        ({"standard_fen": "1"}, "/standard_fen"),
        ({"standard_fen": True}, "/standard_fen"),
        ({"standard_fen": -1}, "/standard_fen"),
        ({"standard_fen": 10**15 + 1}, "/standard_fen"),
        ({"standard_fen": 10**40}, "/standard_fen"),
        ({"region": 440300}, "/region"),
        ({"region": "44030"}, "/region"),
        ({"region": "４４０３００"}, "/region"),
        ({"name_zh": ""}, "/name_zh"),
        ({"name_zh": "两\n行"}, "/name_zh"),
        ({"name_zh": None}, "/name_zh"),
        ({"name_zh": " \u3000\t"}, "/name_zh"),
        ({"name_zh": "券" * 101}, "/name_zh"),
        *(({"name_zh": f"深{chr(mark)}圳"}, "/name_zh") for mark in UNSEEN),
        *(({"name_zh": chr(mark)}, "/name_zh") for mark in UNSEEN),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_given_an_unfit_field_when_posted_then_the_problem_points_at_it(
    desk: Desk, change: dict[str, object], pointer: str
) -> None:
    answer = post(desk, PROGRAMME | change, key="k1")

    assert (answer.status_code, answer.json_body["code"]) == (400, "invalid_fields")
    assert [error["pointer"] for error in answer.json_body["errors"]] == [pointer]


def test_given_spaces_around_a_name_when_posted_then_they_are_cut(desk: Desk) -> None:
    answer = post(desk, PROGRAMME | {"name_zh": "  企业 培训\u3000", "name_en": "券" * 100 + " "}, key="k1")

    assert (answer.status_code, answer.json_body["name_zh"]) == (201, "企业 培训")


@pytest.mark.parametrize("unfit", ["", "  ", "张\u200b三", "张\n三", "\u202e三张", "张" * 61])
def test_given_an_unfit_name_of_an_operator_when_registered_then_refused(desk: Desk, unfit: str) -> None:
    body = {"name": unfit, "public_key": OperatorKey(b"o" * 32).public_key, "region": "440300"}
    answer = desk.send("POST", "/v1/operators", body, client=desk.a_client(), operator=desk.an_operator(), key="k1")

    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (400, "/name")


@pytest.mark.parametrize("unfit", ["", " \u3000", "扫\u200b错", "扫\u2066错", "扫" * 201])
def test_given_an_unfit_reason_when_read_then_refused(unfit: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Reason).validate_python(unfit)
    assert TypeAdapter(Reason).validate_python(" 扫错了 ") == "扫错了"


@pytest.mark.parametrize("kind", [Line, Reason, Note])
def test_given_a_personal_number_in_a_free_text_when_read_then_refused_without_it(kind: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python("张三，440199199001010017，扫错了")

    assert [one["type"] for one in refused.value.errors()] == ["personal_number"]


@pytest.mark.parametrize("name", ["x" * 500, "440199199001010017", "测试甲", "Maria Testfall", "p13800000001", "姓名"])
def test_given_a_name_of_the_sender_s_own_that_is_no_word_when_posted_then_it_is_not_repeated(
    desk: Desk, name: str
) -> None:
    client, operator = desk.a_client(), desk.an_operator()
    target = f"/v1/programmes?region=440300&{quote(name)}=1"

    posted = post(desk, PROGRAMME | {name: 1}, key="k1")
    asked = desk.send("GET", target, client=client, operator=operator)
    twice = desk.send("GET", f"{target}&{quote(name)}=2", client=client, operator=operator)

    assert posted.json_body["errors"] == [{"pointer": "", "detail": "没有此项"}]
    assert asked.json_body["errors"] == [{"parameter": "", "detail": "没有此项"}]
    assert twice.json_body["errors"] == [{"parameter": "", "detail": "参数重复"}]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("1999-12-31", ("不能小于 2000-01-01", "must be 2000-01-01 or more")),
        ("0001-01-01", ("不能小于 2000-01-01", "must be 2000-01-01 or more")),
        ("2101-01-01", ("不能大于 2100-12-31", "must be 2100-12-31 or less")),
        ("9999-12-31", ("不能大于 2100-12-31", "must be 2100-12-31 or less")),
        ("2021-02-29", ("内容不符合要求", "does not have the right form")),
    ],
)
def test_given_a_day_that_nobody_means_when_posted_then_refused_in_both_languages(
    desk: Desk, day: str, said: tuple[str, str]
) -> None:
    client, operator, answers = desk.a_client(), desk.an_operator(), []

    for language in ("zh", "en"):
        answers += desk.send(
            "POST",
            "/v1/regions/440300/rules",
            {"effective_from": day},
            client=client,
            operator=operator,
            key="k1",
            headers={"Accept-Language": language},
        ).json_body["errors"]

    assert answers == [{"pointer": "/effective_from", "detail": detail} for detail in said]


@pytest.mark.parametrize("day", ["2000-01-01", "2100-12-31"])
def test_given_the_first_or_last_day_when_read_then_taken(day: str) -> None:
    assert TypeAdapter(Day).validate_python(day) == date.fromisoformat(day)


@pytest.mark.parametrize("year", [1999, 2101, 20210])
def test_given_a_year_that_nobody_means_when_an_account_is_opened_then_refused(desk: Desk, year: int) -> None:
    body = {"region": "440300", "year": year, "budget_fen": 1}
    answer = desk.send("POST", "/v1/accounts", body, client=desk.a_client(), operator=desk.an_operator(), key="k1")

    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (400, "/year")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/jsonp", "image/png", "multipart/form-data"])
def test_given_another_content_type_when_posted_then_415(desk: Desk, content_type: str) -> None:
    answer = post(desk, PROGRAMME, key="k1", headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json_body["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_given_json_in_other_words_when_posted_then_read(desk: Desk, content_type: str) -> None:
    assert post(desk, PROGRAMME, key="k1", headers={"Content-Type": content_type}).status_code == 201


def test_given_a_body_over_the_limit_when_posted_then_413_before_anything_else(desk: Desk) -> None:
    answer = desk.send("POST", "/v1/programmes", raw=b" " * (MOST_BYTES + 1))

    assert (answer.status_code, answer.json_body["code"]) == (413, "body_too_large")
    assert answer.json_body["request_id"]
    assert desk.send("POST", "/v1/programmes", raw=b" " * MOST_BYTES).status_code == 401


@pytest.mark.parametrize("key", ["", "k" * 256, "a key", "键", "clé", "k\x7f"])
def test_given_no_fit_key_when_something_would_change_then_refused(desk: Desk, key: str) -> None:
    answer = post(desk, PROGRAMME, key=key)

    assert (answer.status_code, answer.json_body["code"]) == (400, "idempotency_key_required")


def test_given_a_key_when_nothing_can_change_then_refused(desk: Desk) -> None:
    answer = desk.send("GET", "/v1/regions", client=desk.a_client(), key="k1")

    assert (answer.status_code, answer.json_body["code"]) == (400, "idempotency_key_not_taken")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%201", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("parent=44", "parent"),
        ("page=2", "page"),
    ],
)
def test_given_an_unfit_parameter_when_asked_then_it_is_named(desk: Desk, query: str, parameter: str) -> None:
    answer = desk.send("GET", f"/v1/regions?{query}", client=desk.a_client())

    assert (answer.status_code, answer.json_body["code"]) == (400, "invalid_fields")
    assert [error["parameter"] for error in answer.json_body["errors"]] == [parameter]


def test_given_a_get_with_a_body_when_sent_then_refused(desk: Desk) -> None:
    answer = desk.send("GET", "/v1/regions", {"a": 1}, client=desk.a_client())

    assert (answer.status_code, answer.json_body["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("code", ["44%zz", "%E6%B7%B1", "440300%2F..", "44%2030", "a" * 129])
def test_given_a_path_that_is_no_id_when_asked_then_not_found(desk: Desk, code: str) -> None:
    answer = desk.send("GET", f"/v1/regions/{code}", client=desk.a_client())

    assert (answer.status_code, answer.json_body["code"]) == (404, "not_found")


def test_given_needless_escapes_in_a_path_when_asked_then_decoded_once(desk: Desk) -> None:
    client = desk.a_client()

    assert desk.send("GET", "/v1/regions/%34%340300", client=client).status_code == 200
    assert desk.send("GET", "/v1/regions/%2534%340300", client=client).status_code == 404


def test_given_no_fields_when_the_body_is_left_out_or_empty_then_both_are_read(desk: Desk) -> None:
    client, operator = desk.a_client(), desk.an_operator()
    target = "/v1/clients/NOBODY/disable"
    bodies: list[object] = [None, {}]

    for number, body in enumerate(bodies):
        answer = desk.send("POST", target, body, client=client, operator=operator, key=f"k{number}")
        assert answer.json_body["code"] == "client_not_found"
    answer = desk.send("POST", target, {"force": True}, client=client, operator=operator, key="k3")
    assert answer.json_body["code"] == "invalid_fields"


@pytest.mark.parametrize("region", ["990000", "441901", "440001"])
@pytest.mark.parametrize("listing", ["accounts", "clients", "operators"])
def test_given_a_code_of_no_region_when_a_list_is_asked_then_refused_as_out_of_scope(
    desk: Desk, listing: str, region: str
) -> None:
    answer = desk.send("GET", f"/v1/{listing}?region={region}", client=desk.a_client(Role.MINISTRY, region="000000"))

    assert (answer.status_code, answer.json_body["code"]) == (403, "out_of_scope")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/clients", {"name": "渠道", "role": "channel", "regions": ["440300", "440399"]}),
        ("/v1/operators", {"name": "张三", "public_key": OperatorKey(b"o" * 32).public_key, "region": "440399"}),
    ],
)
def test_given_a_region_that_does_not_exist_when_access_is_granted_then_not_found(
    desk: Desk, target: str, body: dict[str, object]
) -> None:
    answer = desk.send("POST", target, body, client=desk.a_client(), operator=desk.an_operator(), key="k1")

    assert (answer.status_code, answer.json_body["code"]) == (404, "region_not_found")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/operators", {"name": "张三", "region": "440300"}),
        ("/v1/assertion-keys", {"kid": "essc-bad"}),
    ],
)
@pytest.mark.parametrize("raw", [bytes(32), b"\x02" + bytes(31)], ids=["small order", "no point"])
def test_given_a_key_that_can_verify_nothing_when_registered_then_refused(
    desk: Desk, target: str, body: dict[str, object], raw: bytes
) -> None:
    asked = body | {"public_key": to_base64url(raw)}
    client, operator = desk.a_client(Role.MINISTRY, region="000000"), desk.an_operator(region="000000")
    answer = desk.send("POST", target, asked, client=client, operator=operator, key="k1")

    assert (answer.status_code, answer.json_body["code"]) == (400, "invalid_request")
    assert answer.json_body["errors"][0]["pointer"] == "/public_key"
