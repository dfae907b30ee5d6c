"""The search itself: whatever lies about, in whatever form and wherever it comes out, is found."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import urllib3
from chalice.test import Client as ChaliceClient

from app import app
from chalicelib import observability
from tests.engines import Engine
from tests.privacy.canaries import forms_of, leaks, secrets_of
from tests.privacy.conftest import CANARY, OTHER
from tests.privacy.overhearing import CHANNELS, Exchange, Overheard, overhearing
from tools.local_stack import CREDENTIALS, REGION

NUMBER, NAME = CANARY.id_number, CANARY.name
IN_GROUPS = f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}"
SECRETS = secrets_of(CANARY)


def anything(text: str) -> str:
    return f"before {text} after"


def in_base64(before: bytes) -> Callable[[str], str]:
    return lambda text: base64.b64encode(before + text.encode() + b"y").decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": anything,
    "lower case": str.lower,
    "escaped JSON": json.dumps,
    "escaped twice": lambda text: json.dumps(json.dumps(text)),
    "address": quote,
    "address, twice": lambda text: quote(quote(text)),
    "hex": lambda text: f"0f{text.encode().hex().upper()}",
    "bytes": lambda text: str(text.encode()),
    "full width": lambda text: "".join(
        chr(ord(sign) + 0xFEE0) if sign.isalnum() and sign.isascii() else sign for sign in text
    ),
    "SHA-256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "MD5, in base64": lambda text: base64.b64encode(hashlib.md5(text.encode()).digest()).decode(),
    "SHA-256 cut to 128 bits": lambda text: hashlib.sha256(text.encode()).hexdigest()[:32],
    **{f"base64 after {shift} bytes": in_base64(b"x" * shift) for shift in range(4)},
    "base64 for addresses, of JSON": lambda text: base64.urlsafe_b64encode(json.dumps({"a": text}).encode()).decode(),
}


class TestForms:
    @pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
    @pytest.mark.parametrize("secret", [NUMBER, NAME, OTHER.name, CANARY.mobile, "测试甲"])
    def test_given_a_secret_in_some_form_when_searched_for_then_found(
        self, secret: str, spelled: Callable[[str], str]
    ) -> None:
        assert leaks(spelled(secret), {"it": secret})

    @pytest.mark.parametrize(
        "part",
        [NUMBER[:-1], NUMBER[6:17], f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}", "138 0000 0005", "138-0000-0005"],
    )
    def test_given_a_telling_part_or_a_number_in_groups_when_searched_for_then_found(self, part: str) -> None:
        assert leaks(anything(part), SECRETS)

    @pytest.mark.parametrize("text", ["", "欧阳***", NUMBER[:3] + "*" * 11 + NUMBER[-4:], "138****0005", NUMBER[:6]])
    def test_given_masked_forms_when_searched_then_nothing_is_found(self, text: str) -> None:
        assert leaks(text, SECRETS) == []

    def test_given_any_secret_when_its_forms_are_made_then_none_is_so_short_that_it_would_be_anywhere(self) -> None:
        for secret in (*SECRETS.values(), *secrets_of(OTHER).values()):
            assert all(len(form) >= 3 for form in forms_of(secret)), secret


def _in_a_row(name: str) -> Callable[[Overheard], None]:
    return lambda heard: heard.rows.append({name: {"S": NUMBER}})


def _in_an_answer(status: int, **parts: Any) -> Callable[[Overheard], None]:
    def plant(heard: Overheard) -> None:
        with ChaliceClient(app) as chalice:
            answer = chalice.http.request("GET", "/v1/time")
        answer.status_code = status
        vars(answer).update(parts)
        heard.exchanges.append(Exchange("GET", "/v1/time", {}, answer))

    return plant


def _in_a_trace(heard: Overheard) -> None:
    with observability.traced(NUMBER):
        pass


def _in_a_traced_failure(heard: Overheard) -> None:
    with pytest.raises(RuntimeError), observability.traced("anything"):
        raise RuntimeError(NUMBER)


def _in_a_call(host: str = "127.0.0.1", path: str = "/", **fields: str) -> Callable[[Overheard], None]:
    def plant(_: Overheard) -> None:
        with pytest.raises(urllib3.exceptions.HTTPError):  # nobody is there
            urllib3.PoolManager().request("GET", f"http://{host}:1{path}", fields=fields, retries=False)

    return plant


PLANTED: dict[str, tuple[str, Callable[[Overheard], None]]] = {
    "a fact of a log line": ("logs and metrics", lambda _: observability.log_outcome("ok", note=NUMBER)),
    "the name of a metric": ("logs and metrics", lambda _: observability.count_outcome("any", NUMBER)),
    "a dimension of a metric": ("logs and metrics", lambda _: observability.count_outcome(NUMBER, "ok")),
    "something printed": ("logs and metrics", lambda _: print(NUMBER)),
    "the name of a subsegment": ("traces", _in_a_trace),
    "the message of an error that a trace saw": ("traces", _in_a_traced_failure),
    "a header": ("headers", _in_an_answer(200, headers={"Location": f"/v1/people/{NUMBER}"})),
    "a problem": ("errors", _in_an_answer(404, body=json.dumps({"instance": NUMBER}).encode())),
    "an answer": ("answers", _in_an_answer(200, body=json.dumps({"holder": NAME}).encode())),
    "the path of a call": ("urls", _in_a_call(path=f"/people/{NUMBER}")),
    "the query of a call": ("urls", _in_a_call(name=NAME)),
    "the host of a call": ("urls", _in_a_call(host=f"{NUMBER}.localhost")),
    "a table's key": ("keys", _in_a_row("item")),
    "an index's key": ("keys", _in_a_row("list_order")),
    "an index's key to come": ("keys", _in_a_row("class_key")),
    "a body": ("rows", _in_a_row("body")),
    "a message": ("messages", lambda heard: heard.messages.append(NUMBER)),
}


@pytest.mark.parametrize(("channel", "plant"), PLANTED.values(), ids=PLANTED)
def test_given_a_leak_planted_somewhere_when_that_channel_is_searched_then_found(
    channel: str, plant: Callable[[Overheard], None]
) -> None:
    with overhearing() as heard:
        plant(heard)
    channels = heard.channels()

    assert tuple(channels) == CHANNELS
    assert leaks(channels[channel], SECRETS)
    assert not [one for one in CHANNELS if one != channel and leaks(channels[one], SECRETS)]


def test_given_a_call_to_aws_when_traced_then_the_trace_tells_of_it_and_botocore_is_left_as_it_was(
    engines: dict[str, Engine],
) -> None:
    before = boto3.client("dynamodb", region_name=REGION)._make_api_call.__func__
    with overhearing() as heard:
        dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=engines["ministack"].endpoint,
            region_name=REGION,
            **{name.lower(): value for name, value in CREDENTIALS.items()},
        )
        with observability.traced("get_time"), pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.get_item(TableName=NUMBER, Key={"person": {"S": "a"}, "item": {"S": "b"}})

    assert leaks(heard.channels()["traces"], SECRETS)
    assert boto3.client("dynamodb", region_name=REGION)._make_api_call.__func__ is before


def test_given_an_object_written_when_its_key_names_somebody_then_the_key_is_found_and_the_service_is_known(
    engines: dict[str, Engine],
) -> None:
    with overhearing() as heard:
        s3 = boto3.client("s3", endpoint_url=engines["ministack"].endpoint, region_name=REGION)
        with pytest.raises(s3.exceptions.NoSuchBucket):
            s3.put_object(Bucket="nobodys", Key=f"rosters/{NUMBER}.csv", Body=b"")

    assert leaks(heard.channels()["urls"], SECRETS)
    assert {one.service for one in heard.calls} == {"s3"}
