"""Everything that a run of the platform lets out: logs, metrics, traces, answers, addresses, rows, messages."""

import io
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import botocore.client
import botocore.endpoint
import pytest
from aws_xray_sdk.core import patcher, xray_recorder
from chalice.test import HTTPResponse, TestHTTPClient
from urllib3.connectionpool import HTTPConnectionPool

from chalicelib import observability
from tests.engines import table_definitions

CHANNELS = ("logs and metrics", "traces", "headers", "errors", "answers", "urls", "keys", "rows", "messages")
KEYS = {
    key["AttributeName"]
    for table in table_definitions().values()
    for keyed in (table, *table.get("GlobalSecondaryIndexes", []))
    for key in keyed["KeySchema"]
}
"""Attributes by which a row is found: of the tables and of every index."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what was answered."""

    method: str
    target: str
    sent: Mapping[str, str]
    answer: HTTPResponse

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return self.sent.get("Idempotency-Key", "")

    @property
    def good(self) -> bool:
        return bool(self.answer.status_code < 300)

    @property
    def is_the_document(self) -> bool:
        """The API's description, whose examples show invented people at the desk."""
        return self.target.startswith("/v1/openapi.json")

    @property
    def is_a_disclosure(self) -> bool:
        """Full data, shown to the operator who asked for them: the one answer that says who somebody is."""
        return self.target.endswith("/disclosure")

    @property
    def said(self) -> Any:
        """The JSON of the answer, else nothing."""
        kind = self.answer.headers.get("Content-Type", "")
        return json.loads(self.answer.body) if "json" in kind else {}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that we made to somebody: its address (an object's key is part of it) and signature."""

    method: str
    url: str
    authorization: str

    @property
    def service(self) -> str:
        """The service of AWS that it is signed for, whatever host answers; none: empty."""
        scope = re.search("Credential=[^/]+/[0-9]+/[^/]+/([^/]+)/aws4_request", self.authorization)
        return scope[1] if scope else ""


@dataclass
class Overheard:
    """What one run let out."""

    printed: io.StringIO = field(default_factory=io.StringIO)
    segments: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def channels(self) -> dict[str, str]:
        """All of it as text, by where it came out."""
        keys = [{name: row[name] for name in KEYS if name in row} for row in self.rows]
        rows = [{name: said for name, said in row.items() if name not in KEYS} for row in self.rows]
        said = {
            "logs and metrics": self.printed.getvalue().splitlines(),
            "traces": self.segments,
            "headers": [json.dumps(dict(one.answer.headers)) for one in self.exchanges],
            "errors": [one.answer.body.decode() for one in self.exchanges if not one.good],
            "answers": [
                one.answer.body.decode()
                for one in self.exchanges
                if one.good and not one.is_the_document and not one.is_a_disclosure
            ],
            "urls": [f"{one.method} {one.url}" for one in self.calls],
            "keys": [json.dumps(one, ensure_ascii=False) for one in keys],
            "rows": [json.dumps(one, ensure_ascii=False) for one in rows],
            "messages": self.messages,
        }
        return {channel: "\n".join(dict.fromkeys(texts)) for channel, texts in said.items()}

    def log_lines(self) -> list[dict[str, Any]]:
        """The lines of the log, without the metrics."""
        return [line for line in self._lines() if "_aws" not in line]

    def metrics(self) -> list[dict[str, Any]]:
        """What CloudWatch takes for metrics (embedded metric format)."""
        return [line for line in self._lines() if "_aws" in line]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.getvalue().splitlines() if line.startswith("{")]


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Listen wherever the platform can say something, as if it ran in Lambda with X-Ray on."""
    heard = Overheard()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(heard.printed), redirect_stderr(heard.printed):
        handler = observability.logger().registered_handler
        patch.setattr(handler, "stream", heard.printed)
        others = logging.StreamHandler(heard.printed)  # of whatever library
        logging.getLogger().addHandler(others)
        _record_exchanges(patch, heard)
        _record_calls(patch, heard)
        with _traced(patch, heard):
            yield heard
        logging.getLogger().removeHandler(others)


def _record_exchanges(patch: pytest.MonkeyPatch, heard: Overheard) -> None:
    request = TestHTTPClient.request

    def recorded(client: TestHTTPClient, method: str, path: str, headers: Any = None, body: bytes = b"") -> Any:
        answer = request(client, method, path, headers=headers, body=body)
        heard.exchanges.append(Exchange(method, path, headers or {}, answer))
        return answer

    patch.setattr(TestHTTPClient, "request", recorded)


def _record_calls(patch: pytest.MonkeyPatch, heard: Overheard) -> None:
    """Under botocore and every other client that stands on urllib3; each try of a call, and each redirection."""
    urlopen = HTTPConnectionPool.urlopen

    def recorded(pool: Any, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any) -> Any:
        signed = (headers or {}).get("Authorization", "")
        address = f"{pool.scheme}://{pool.host}:{pool.port}{url}"
        heard.calls.append(Call(method, address, signed.decode() if isinstance(signed, bytes) else signed))
        return urlopen(pool, method, url, body=body, headers=headers, **kwargs)

    patch.setattr(HTTPConnectionPool, "urlopen", recorded)


@contextmanager
def _traced(patch: pytest.MonkeyPatch, heard: Overheard) -> Iterator[None]:
    """X-Ray's recorder with nobody listening but us. What it puts around botocore is taken away again."""

    class Ear:
        def send_entity(self, entity: Any) -> None:
            heard.segments.append(entity.serialize())

    patch.setenv("LAMBDA_TASK_ROOT", "/var/task")  # by which Powertools knows that tracing is wanted
    client, endpoint = botocore.client.BaseClient, botocore.endpoint.Endpoint
    patch.setattr(client, "_make_api_call", client._make_api_call)
    patch.setattr(endpoint, "prepare_request", endpoint.prepare_request)
    patch.setattr(xray_recorder, "_emitter", Ear())
    patch.setattr(xray_recorder, "_sampling", False)
    observability._tracer.cache_clear()
    xray_recorder.begin_segment("privacy")
    try:
        yield
    finally:
        xray_recorder.end_segment()
        observability._tracer.cache_clear()
        patcher._PATCHED_MODULES.discard("botocore")
        vars(botocore.client).pop("_xray_enabled", None)
