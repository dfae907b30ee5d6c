"""Requests as nobody sane sends them, through the deployed gateway: a clear 4xx each, and nothing is left behind.

They are well signed, so that it is the oddness that is refused. How strictly each part is read is proved more widely in
``tests/api``; here it is shown that nothing on the way there makes something else of it.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from requests import Request
from schemathesis import Response

from chalicelib.api.requests import MOST_BYTES
from tests.contract.cast import Cast, Good
from tests.contract.contract import Contract, problem_of
from tests.contract.tally import Answered, count
from tools.local_stack import LocalStack

PROGRAMME = {
    "region": "440100",
    "name_zh": "电工",
    "name_en": "Electrician",
    "programme_type": "enterprise_staff",
    "standard_fen": 100_000,
}
TEXT = json.dumps(PROGRAMME, ensure_ascii=False)
LONG_NAME = "券" * 10_000
DEEP = 100_000
TABLES = ("PEOPLE_TABLE", "CATALOGUE_TABLE", "CASEWORK_TABLE")


class Odd:
    """Sends a request as it is given, signed or not, and says how it was refused."""

    def __init__(self, contract: Contract, cast: Cast, answered: Answered) -> None:
        self._contract, self._cast, self._answered = contract, cast, answered

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        good: Good | None = None,
        label: str | None = None,
        unsigned: Mapping[str, str] | None = None,
    ) -> Response:
        """``unsigned`` headers take the place of those that the signer adds; ``label`` is what it counts as."""
        prepared = Request(method, self._contract.base_url, data=body).prepare()
        prepared.url = self._contract.base_url + target
        prepared.headers.update(headers or {})
        signer = (good or Good(self._cast.bureau)).signer()
        if signer:
            prepared = signer(prepared)
        prepared.headers.update(unsigned or {})
        answer = self._contract.http.send(prepared, timeout=60, allow_redirects=False)
        count(self._answered, label or f"{method} {target.partition('?')[0]}", answer.status_code)
        return Response.from_requests(answer, verify=True)

    def refused(self, *arguments: Any, **named: Any) -> tuple[int, str]:
        response = self.send(*arguments, **named)
        return response.status_code, problem_of(response)["code"]

    def post(self, body: bytes | str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """A programme to be added, that must not be."""
        sent = body.encode() if isinstance(body, str) else body
        usual = {"Content-Type": "application/json", "Idempotency-Key": "odd-1"}
        return self.refused("POST", "/v1/programmes", {**usual, **(headers or {})}, sent)


@pytest.fixture
def odd(contract: Contract, cast: Cast, answered: Answered) -> Odd:
    return Odd(contract, cast, answered)


@pytest.fixture(autouse=True)
def untouched(stack: LocalStack, cast: Cast) -> Iterator[None]:
    """Whatever a test of this file sends: no row of any table is another one afterwards."""
    dynamodb = stack.client("dynamodb")

    def rows() -> list[Any]:
        pages = dynamodb.get_paginator("scan")
        return [
            [page["Items"] for page in pages.paginate(TableName=stack.environment[table], ConsistentRead=True)]
            for table in TABLES
        ]

    before = rows()
    yield
    assert rows() == before


def fields(**others: object) -> str:
    return json.dumps({**PROGRAMME, **others}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(fields(name_zh="x" * 1_000_000), 413, "body_too_large", id="1 MB"),
        pytest.param(TEXT + " " * MOST_BYTES, 413, "body_too_large", id="white space over the limit"),
        pytest.param("", 400, "malformed_json", id="nothing"),
        pytest.param("[" * DEEP + "]" * DEEP, 400, "malformed_json", id="arrays, 100,000 deep"),
        pytest.param('{"a":' * 40_000 + "1" + "}" * 40_000, 400, "malformed_json", id="objects, 40,000 deep"),
        pytest.param(TEXT.replace("100000", "NaN"), 400, "malformed_json", id="NaN"),
        pytest.param(TEXT.replace("100000", "Infinity"), 400, "malformed_json", id="Infinity"),
        pytest.param(TEXT.replace("100000", "-Infinity"), 400, "malformed_json", id="-Infinity"),
        pytest.param(TEXT.replace("100000", "1e999"), 400, "malformed_json", id="1e999"),
        pytest.param(TEXT.replace("100000", "9" * 400), 400, "invalid_fields", id="an integer of 400 digits"),
        pytest.param(TEXT.replace("100000", "9" * 100_000), 400, "malformed_json", id="an integer of 100,000 digits"),
        pytest.param(TEXT.replace("100000", "1e5"), 400, "invalid_fields", id="an integer as a float"),
        pytest.param(TEXT[:-1] + ', "region": "440100"}', 400, "malformed_json", id="a name twice"),
        pytest.param(TEXT.replace("电工", "\\ud800"), 400, "invalid_fields", id="half a surrogate pair"),
        pytest.param(TEXT[:-1] + ', "\\ud800": 1}', 400, "invalid_fields", id="half a surrogate pair as a name"),
        pytest.param(TEXT.replace("电工", "电\\u0000工"), 400, "invalid_fields", id="NUL, escaped"),
        pytest.param(TEXT.replace("电工", "电\0工"), 400, "malformed_json", id="NUL, raw"),
        pytest.param(TEXT.encode("utf-8-sig"), 400, "malformed_json", id="a byte order mark"),
        pytest.param("null", 400, "invalid_fields", id="null"),
        pytest.param(f"[{TEXT}]", 400, "invalid_fields", id="an array"),
        pytest.param(TEXT + TEXT, 400, "malformed_json", id="two bodies"),
        pytest.param(TEXT.replace('"', "'"), 400, "malformed_json", id="single quotes"),
        pytest.param(fields(name_zh=LONG_NAME), 400, "invalid_fields", id="a name of 10,000 characters"),
        pytest.param(fields(**{LONG_NAME: 1}), 400, "invalid_fields", id="a field of 10,000 characters"),
        pytest.param(fields(name_zh=""), 400, "invalid_fields", id="an empty name"),
        pytest.param(fields(name_zh=" \t\u3000 "), 400, "invalid_fields", id="a name of white space"),
        pytest.param(fields(region="440100 "), 400, "invalid_fields", id="a code with a space after it"),
        pytest.param(fields(region="440100\n"), 400, "invalid_fields", id="a code with a line end after it"),
        pytest.param(fields(region="４４０１００"), 400, "invalid_fields", id="a code in wide digits"),
    ],
)
def test_given_an_odd_body_when_sent_then_refused(odd: Odd, body: bytes | str, status: int, code: str) -> None:
    assert odd.post(body) == (status, code)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TEXT.encode("utf-16"), {}),
        (TEXT.encode("gb18030"), {"Content-Type": "application/json; charset=gb18030"}),
        (b'{"a": "\xc0\xaf"}', {}),
        (gzip.compress(TEXT.encode()), {"Content-Encoding": "gzip"}),
    ],
    ids=["UTF-16", "GB 18030", "an overlong form", "compressed"],
)
def test_given_a_body_that_is_no_utf_8_when_sent_then_refused(
    odd: Odd, body: bytes, headers: Mapping[str, str]
) -> None:
    # A gateway that reads bodies as text hands over other bytes than were signed.
    assert odd.post(body, headers) in {(400, "malformed_json"), (401, "bad_signature")}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "*/*", "json", "券"],
)
def test_given_another_content_type_when_sent_then_refused(odd: Odd, content_type: str) -> None:
    assert odd.post(TEXT, {"Content-Type": content_type.encode().decode("latin-1")}) == (415, "unsupported_media_type")


def test_given_no_content_type_when_sent_then_refused(odd: Odd) -> None:
    answer = odd.refused("POST", "/v1/programmes", {"Idempotency-Key": "odd-1"}, TEXT.encode())

    assert answer == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "key",
    ["k" * 256, "k" * 5_000, "a key", "k\x7f", "k\x01", "kéy"],
    ids=["256 characters", "5,000 characters", "a space", "DEL", "a control", "not ASCII"],
)
def test_given_an_odd_idempotency_key_when_sent_then_refused(odd: Odd, key: str) -> None:
    assert odd.post(TEXT, {"Idempotency-Key": key}) == (400, "idempotency_key_required")


@pytest.mark.parametrize(
    "name",
    [
        "%2F",
        "%00",
        "%0A",
        "%FF",
        "%E5%8A%B5",
        "%252F",
        "%25252F",
        "%2E%2E%2F%2E%2E",
        "..%2f..",
        "440100%20",
        "%20440100",
        "440100;v=1",
        "440100%3Flimit=1",
        "%zz",
        "%",
        "4" * 10_000,
        "%E5%88%B8" * 1_000,
    ],
    ids=lambda name: name[:20],
)
def test_given_an_odd_name_in_the_path_when_asked_then_not_found(odd: Odd, cast: Cast, name: str) -> None:
    named = {"label": "GET /v1/regions/{code}", "good": Good(cast.channel)}
    status, code = odd.refused("GET", f"/v1/regions/{name}", **named)

    # A gateway that decodes once more than its caller sees another path than was signed.
    assert (status, code) in {(404, "not_found"), (404, "no_such_route"), (401, "bad_signature")}
    if "%2" not in name.lower():
        assert status == 404


@pytest.mark.parametrize("target", ["/", "/v1", "/v2/regions", "/v1/regions/440100/rules/1", "/v1/Regions"])
def test_given_an_address_that_there_is_not_when_asked_then_no_such_route(odd: Odd, target: str) -> None:
    assert odd.refused("GET", target, label="(no operation)") == (404, "no_such_route")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE", "QUERY"])
@pytest.mark.parametrize("target", ["/v1/regions", "/v1/regions/440100", "/v1/claims"])
def test_given_a_method_that_there_is_not_when_asked_then_refused(odd: Odd, method: str, target: str) -> None:
    status, code = odd.refused(method, target, label="(no operation)")

    assert (status, code) in {(404, "no_such_route"), (405, "method_not_allowed")}


@pytest.mark.parametrize(
    "query",
    [
        "limit=1&limit=1",
        "limit=1&limit=2",
        "limit=%31%00",
        "limit=%EF%BC%91",
        "limit=" + "1" * 4_000,
        "cursor=" + "x" * 2_049,
        "cursor=..%2F..",
        "cursor=%F0%9F%8E%AB",
        "%00=1",
        "=1",
        "a" * 4_000 + "=1",
        "&".join(f"p{number}=1" for number in range(500)),
        "Parent=440000",
        "parent=440000%20",
        "parent[]=440000",
    ],
    ids=lambda query: query[:20],
)
def test_given_an_odd_query_when_asked_then_refused(odd: Odd, query: str) -> None:
    status, code = odd.refused("GET", f"/v1/regions?{query}")

    assert (status, code) in {(400, "invalid_fields"), (400, "invalid_request")}


@pytest.mark.parametrize("query", ["limit=%FF", "limit=%zz", "limit=1+1", "&&&=&"], ids=lambda query: query)
def test_given_a_query_that_two_readers_decode_differently_when_asked_then_refused(odd: Odd, query: str) -> None:
    status, code = odd.refused("GET", f"/v1/regions?{query}")

    assert (status, code) in {(400, "invalid_fields"), (400, "bad_request"), (401, "bad_signature")}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("X-App-Key", "", "unauthenticated"),
        ("X-App-Key", "A" * 3_000, "unknown_client"),
        ("X-App-Key", "../#", "unknown_client"),
        ("X-App-Key", "é", "unknown_client"),
        ("X-Timestamp", "", "unauthenticated"),
        ("X-Timestamp", "9" * 12, "stale_timestamp"),
        ("X-Timestamp", "9" * 13, "unauthenticated"),
        ("X-Timestamp", "-1", "unauthenticated"),
        ("X-Timestamp", "1.6e9", "unauthenticated"),
        ("X-Nonce", "short", "unauthenticated"),
        ("X-Nonce", "n" * 129, "unauthenticated"),
        ("X-Nonce", "nonce with spaces", "unauthenticated"),
        ("X-Nonce", "another-nonce", "bad_signature"),
        ("X-Signature", "", "unauthenticated"),
        ("X-Signature", "0" * 64, "bad_signature"),
        ("X-Signature", "0" * 3_000, "bad_signature"),
        ("X-Signature", "é" * 64, "bad_signature"),
        ("X-Operator", "", "operator_not_accepted"),
        ("X-Operator", "a.b.c", "operator_not_accepted"),
        ("X-Operator", "e30.e30.e30", "operator_not_accepted"),
        ("X-Operator", "A" * 3_000 + ".e30.e30", "operator_not_accepted"),
    ],
    ids=lambda given: given[:24],
)
def test_given_an_odd_header_when_asked_then_refused(odd: Odd, name: str, value: str, code: str) -> None:
    assert odd.refused("GET", "/v1/regions", unsigned={name: value}) == (401, code)


@pytest.mark.parametrize("session", ["x", "1.", "é", "s" * 3_000], ids=lambda session: session[:10])
def test_given_a_session_that_is_none_when_asked_then_refused(odd: Odd, cast: Cast, session: str) -> None:
    good = Good(cast.channel)

    assert odd.refused("GET", "/v1/wallet", {"X-Holder-Session": session}, good=good) == (401, "holder_session_ended")


@pytest.mark.parametrize(
    "languages", ["", "zh;q=9", "券", "en;q=0.5, zh;q=", "en," * 1_000, "*"], ids=lambda given: given[:8]
)
def test_given_odd_languages_when_refused_then_it_is_said_in_one_that_there_is(odd: Odd, languages: str) -> None:
    headers = {"Accept-Language": languages.encode().decode("latin-1")}
    response = odd.send("GET", "/v1/regions/000001", headers, label="GET /v1/regions/{code}")

    assert problem_of(response)["code"] == "region_not_found"
    assert response.headers["content-language"][0] in ("zh", "en")


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml;q=0", "*/*;q=0", "", "x"])
def test_given_odd_wishes_for_the_answer_s_form_when_asked_then_it_is_the_promised_one(odd: Odd, accept: str) -> None:
    response = odd.send("GET", "/v1/time", {"Accept": accept}, good=Good())

    assert response.status_code == 200
    assert response.headers["content-type"] == ["application/json"]
