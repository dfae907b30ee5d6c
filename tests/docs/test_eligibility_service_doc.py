"""docs/eligibility-service.md: its examples, vectors and schema are what this code makes and reads.

``python -m tests.docs.test_eligibility_service_doc`` writes the vectors anew; when they change, the format has.
"""

import json
import re
from datetime import date
from typing import Any

import jsonschema
import pytest
import requests

from chalicelib.api import signing
from chalicelib.domain.calendar import from_text
from chalicelib.domain.eligibility import ServiceVerdict
from chalicelib.domain.eligibility_service import MOST_PEOPLE, MOST_REMEMBERED, ServiceQuestion
from chalicelib.integrations import circuit_breaker, eligibility_services, outbound, service_signatures
from chalicelib.integrations.eligibility_services import question_body, read_verdicts, signed_headers
from chalicelib.integrations.outbound import read_url
from tools.eligibility_server import BEHAVIOURS, PATH, TOLERANCE, eligibility_server
from tools.people import invented_person
from tools.reference_docs import DOCS

TEXT = (DOCS / "eligibility-service.md").read_text("utf-8")
VECTORS = DOCS / "vectors" / "eligibility_service.json"
SCHEMA = json.loads((DOCS / "vectors" / "eligibility_service.schema.json").read_text("utf-8"))
SECRET, KEY_ID, NONCE = "eligibility-demo-secret-0123456789abcdefghi", "KEYID23456723456", "000000000000000000000001"
AT = from_text("2021-05-01T04:00:00.000Z")
PERSON = invented_person(1, name="测试甲")
STUDENT = invented_person(1, birth=date(2002, 1, 1), name="样例乙")
REFUSED = {
    "reference": "1",
    "eligible": False,
    "reason_zh": "在校学生不属于补贴对象",
    "reason_en": "Students in full-time education are not subsidised",
}


def vector(name: str, people: list[Any], verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    """One question and its answer, with all that is signed."""
    asked = [ServiceQuestion(str(n), one.name, one.id_type, one.id_number) for n, one in enumerate(people, 1)]
    body = question_body("YM7WIRO77ASMWS3B", "enterprise_staff", asked)
    place = read_url(f"https://eligibility.example{PATH}", loopback_allowed=False)
    assert place is not None
    headers = signed_headers(place, body, key_id=KEY_ID, secret=SECRET, now=AT, nonce=NONCE)
    answer = json.dumps({"version": 1, "verdicts": verdicts}, ensure_ascii=False, separators=(",", ":"))
    text = service_signatures.answer_text(200, NONCE, answer.encode())
    return {
        "name": name,
        "secret": SECRET,
        "path": place.path,
        "question": body.decode(),
        "headers": {name: value for name, value in headers.items() if name.startswith("X-")},
        "string_to_sign": service_signatures.question_text(place.path, body, headers["X-Timestamp"], NONCE),
        "answer": answer,
        "answer_string_to_sign": text,
        "answer_signature": service_signatures.signature(text, SECRET),
    }


def vectors() -> list[dict[str, Any]]:
    return [
        vector("one person, refused", [PERSON], [REFUSED]),
        vector("two people", [PERSON, STUDENT], [{"reference": "1", "eligible": True}, {**REFUSED, "reference": "2"}]),
    ]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)\n```", TEXT, re.DOTALL)


def test_given_the_vectors_when_made_again_then_the_published_ones_are_the_same() -> None:
    assert json.loads(VECTORS.read_text("utf-8")) == vectors()


@pytest.mark.parametrize("one", vectors(), ids=lambda one: one["name"])
def test_given_a_vector_when_its_question_is_signed_as_requests_to_us_are_then_the_signature_is_the_same(
    one: dict[str, Any],
) -> None:
    sent = one["headers"]

    signed = signing.sign(
        "POST",
        one["path"],
        app_key="whoever",
        secret=one["secret"],
        timestamp=int(sent["X-Timestamp"]),
        nonce=sent["X-Nonce"],
        body=one["question"].encode(),
    )

    assert signed[signing.SIGNATURE] == sent["X-Signature"]


@pytest.mark.parametrize("one", vectors(), ids=lambda one: one["name"])
def test_given_a_vector_when_read_then_by_schema_and_code_it_is_a_question_and_its_answer(one: dict[str, Any]) -> None:
    question, answer = json.loads(one["question"]), json.loads(one["answer"])
    asked = [ServiceQuestion(p["reference"], p["name"], p["id_type"], p["id_number"]) for p in question["people"]]

    validator("question").validate(question)
    validator("answer").validate(answer)
    assert read_verdicts(one["answer"].encode(), asked).keys() == {p.reference for p in asked}
    assert service_signatures.fits(one["answer_signature"], one["answer_string_to_sign"], one["secret"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2, "verdicts": [REFUSED]},
        {"version": 1, "verdicts": [REFUSED], "more": 1},
        {"version": 1, "verdicts": [{**REFUSED, "more": 1}]},
        {"version": 1, "verdicts": [{**REFUSED, "eligible": "no"}]},
        {"version": 1, "verdicts": [{"reference": "1", "eligible": False}]},
        {"version": 1, "verdicts": [{**REFUSED, "reason_zh": "x" * 201}]},
        {"version": 1},
    ],
)
def test_given_what_is_no_answer_when_read_then_the_schema_refuses_it_too(wrong: dict[str, Any]) -> None:
    asked = [ServiceQuestion("1", PERSON.name, PERSON.id_type, PERSON.id_number)]

    with pytest.raises(outbound.NoAnswer):
        read_verdicts(json.dumps(wrong).encode(), asked)
    assert list(validator("answer").iter_errors(wrong))


def test_given_the_page_s_examples_when_compared_then_they_are_the_first_vector() -> None:
    first = vectors()[0]

    assert blocks("json") == [first["question"], first["answer"]]
    assert f"```\n{first['string_to_sign']}\n```" in TEXT
    assert f"```\n{first['answer_string_to_sign']}\n```" in TEXT


def test_given_the_vector_when_sent_to_the_sample_service_then_it_accepts_and_answers_it() -> None:
    one = vectors()[1]
    with eligibility_server(now=AT.timestamp) as server:
        server.trust(KEY_ID, SECRET)

        answer = requests.post(server.url, one["question"].encode(), headers=one["headers"], timeout=5)

    assert (answer.status_code, server.refused) == (200, [])
    assert answer.json() == json.loads(one["answer"])
    text = service_signatures.answer_text(200, NONCE, answer.content)
    assert service_signatures.fits(answer.headers["X-Signature"], text, SECRET)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"X-Key-Id": "ANOTHER"}, "unknown key"),
        ({"X-Signature": "0" * 64}, "signature"),
        ({"X-Nonce": "0" * 24}, "signature"),
        ({"X-Timestamp": "1"}, "timestamp"),
    ],
)
def test_given_a_question_that_is_not_ours_when_sent_to_the_sample_service_then_refused(
    changed: dict[str, str], why: str
) -> None:
    one = vectors()[0]
    with eligibility_server(now=AT.timestamp) as server:
        server.trust(KEY_ID, SECRET)

        answer = requests.post(server.url, one["question"].encode(), headers=one["headers"] | changed, timeout=5)

    assert (answer.status_code, server.refused) == (401, [why])


def test_given_the_sample_service_when_told_by_its_control_then_it_behaves_so() -> None:
    one = vectors()[0]
    with eligibility_server(now=AT.timestamp) as server:
        control = f"{server.origin}/control"
        told: dict[str, Any] = {"trust": {KEY_ID: SECRET}, "behave": "refuse", "reason_zh": "不在库", "times": 1}
        assert requests.post(control, json=told, timeout=5).status_code == 204

        heard = [
            requests.post(server.url, one["question"].encode(), headers=one["headers"], timeout=5).json()["verdicts"][0]
            for _ in range(2)
        ]

        assert [said["eligible"] for said in heard] == [False, True]
        assert heard[0]["reason_zh"] == "不在库"
        assert requests.get(control, timeout=5).json() == {"behave": "answer", "asked": [1, 1], "refused": []}


def test_given_limits_and_behaviours_when_the_page_tells_them_then_they_are_those_of_the_code() -> None:
    told = re.sub(r"\s+", " ", TEXT)

    assert f"at most {MOST_PEOPLE} people" in told
    assert f"at most {outbound.MOST_BYTES:,} bytes, within {outbound.MOST_SECONDS:.0f} seconds" in told
    assert f"at most {eligibility_services.LONGEST_REASON} characters" in told
    assert f"After {circuit_breaker.MOST_FAILURES} failures in a row" in told
    assert f"alone for {circuit_breaker.REST_SECONDS:.0f} seconds" in told
    assert f"(up to {MOST_REMEMBERED})" in told
    assert f"more than {TOLERANCE} off" in told
    assert {one for one in BEHAVIOURS if f"`{one}`" not in TEXT} == set()
    assert isinstance(read_verdicts(vectors()[0]["answer"].encode(), [_first()])["1"], ServiceVerdict)


def _first() -> ServiceQuestion:
    return ServiceQuestion("1", PERSON.name, PERSON.id_type, PERSON.id_number)


def validator(which: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{which}"})


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), ensure_ascii=False, indent=2) + "\n", "utf-8")
