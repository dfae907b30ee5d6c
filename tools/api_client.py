"""A client of the HTTP API that signs as docs/signing.md says; used by the tools, the demo and the stack tests."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import requests

from chalicelib.api.signing import sign
from chalicelib.domain.calendar import from_text
from chalicelib.integrations.essc_platform import OperatorKey

Query = Mapping[str, Any] | None
Headers = Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's id and the seed of their key, base64url or hex is up to the keeper: here hex."""

    operator_id: str
    seed: str

    def sign(self, app_key: str, method: str, path: str, body: bytes, key: str, now: datetime) -> str:
        return OperatorKey(bytes.fromhex(self.seed)).sign(self.operator_id, app_key, method, path, body, key, now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is parsed JSON, or text where the answer is none."""

    status: int
    headers: Mapping[str, str]
    body: Any
    milliseconds: float

    @property
    def hit(self) -> bool:
        return self.headers.get("Idempotency-Hit") == "true"


class Refused(Exception):
    """An answer that the caller did not want; its text is the problem document."""

    def __init__(self, method: str, target: str, answer: Answer) -> None:
        text = json.dumps(answer.body, ensure_ascii=False, indent=2)
        super().__init__(f"{method} {target} answered {answer.status}:\n{text}")
        self.answer = answer


@dataclass
class ApiClient:
    """One client of the platform. ``base_url`` carries the stage; ``operator`` signs what operators must sign.

    The platform's clock may have been moved (local stage): ``ahead`` is by how much, read once from GET /v1/time.
    """

    base_url: str
    app_key: str
    secret: str
    operator: Operator | None = None
    language: str = "zh"
    _ahead: timedelta | None = None
    _http: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, query: Query = None, headers: Headers = None) -> Answer:
        return self.call("GET", path, query=query, headers=headers)

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None, headers: Headers = None) -> Answer:
        """A changing request; a fresh idempotency key unless one is given."""
        return self.call("POST", path, body=body, key=key or secrets.token_hex(12), headers=headers)

    def must(self, answer: Answer, method: str, target: str, *statuses: int) -> Any:
        if answer.status not in (statuses or (200, 201, 202)):
            raise Refused(method, target, answer)
        return answer.body

    def read(self, path: str, query: Query = None, headers: Headers = None) -> Any:
        """GET that must succeed: its body."""
        return self.must(self.get(path, query, headers), "GET", path)

    def do(self, path: str, body: Mapping[str, Any], *, key: str | None = None, headers: Headers = None) -> Any:
        """POST that must succeed: its body."""
        return self.must(self.post(path, body, key=key, headers=headers), "POST", path)

    def now(self) -> datetime:
        """The platform's time."""
        if self._ahead is None:
            self.look_at_clock()
        return datetime.now(UTC) + (self._ahead or timedelta())

    def look_at_clock(self) -> None:
        answer = self._http.get(self.base_url + "/v1/time", timeout=60)
        self._ahead = from_text(answer.json()["now"]) - datetime.now(UTC)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        headers: Headers = None,
    ) -> Answer:
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        target = path + ("?" + urlencode(query) if query else "")
        now = self.now()
        signed = sign(
            method,
            target,
            app_key=self.app_key,
            secret=self.secret,
            timestamp=int(now.timestamp()),
            nonce=secrets.token_hex(12),
            body=raw,
            idempotency_key=key or "",
        )
        if self.operator:
            signed["X-Operator"] = self.operator.sign(self.app_key, method, path, raw, key or "", now)
        if raw:
            signed["Content-Type"] = "application/json"
        signed["Accept-Language"] = self.language
        started = time.monotonic()
        answer = self._http.request(
            method, self.base_url + target, data=raw or None, headers={**signed, **(headers or {})}, timeout=60
        )
        took = (time.monotonic() - started) * 1000
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Answer(answer.status_code, answer.headers, answer.json() if is_json else answer.text, took)
