"""A region's eligibility service as a real server: what docs/eligibility-service.md asks of one, and ways to break it.

    .venv/bin/python -m tools.eligibility_server --port 8790 --key KEYID=SECRET

answers ``POST /v1/eligibility`` by ``tools/eligibility_rules.csv`` (the first row that fits). It listens on loopback
only. ``POST /control`` tells it to behave otherwise, ``GET /control`` says what it was asked: for trying and testing,
and no part of the contract.
"""

import argparse
import csv
import json
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chalicelib.integrations import service_signatures as signatures

RULES = Path(__file__).with_name("eligibility_rules.csv")
PATH, CONTROL = "/v1/eligibility", "/control"
TOLERANCE = 300
MOST_PEOPLE = 500
LONGEST_WAIT = 60.0
BEHAVIOURS = (
    "answer", "refuse", "hang", "slow", "drip", "fail", "status", "redirect", "half", "not_json", "too_large",
    "unsigned", "wrongly_signed", "answer_of_before", "somebody_else", "missing", "one_more", "double", "wrong_types",
    "extra_field", "no_reason", "personal", "member_twice", "other_version",
)  # fmt: skip
"""``answer`` is the honest one; the others refuse everybody, come late or never, or lie in one way each."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How it behaves; ``seconds`` for slow and drip, ``status`` for status, ``times``: so often, then honest again."""

    kind: str = "answer"
    reason_zh: str = "不符合本地区条件"
    reason_en: str = "the region's conditions are not met"
    seconds: float = 1.0
    status: int = 404
    times: int | None = None


@dataclass
class EligibilityServer:
    """A running server: ``url`` is what a region decides, ``trusted`` the secrets by key id."""

    rules: Sequence[Mapping[str, str]]
    now: Callable[[], float] = time.time
    tolerance: float = TOLERANCE
    """Seconds that a question's timestamp may be off."""
    trusted: dict[str, str] = field(default_factory=dict)
    behaviour: Behaviour = Behaviour()
    asked: list[int] = field(default_factory=list)
    """How many people each accepted question was about."""
    refused: list[str] = field(default_factory=list)
    """Why questions were not accepted."""
    port: int = 0
    secure: bool = False
    last: tuple[bytes, str] = (b"", "")
    """Body and signature of the answer before."""
    going_on: threading.Event = field(default_factory=threading.Event)

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + PATH

    def trust(self, key_id: str, secret: str) -> None:
        self.trusted[key_id] = secret

    def behave(self, kind: str, **more: Any) -> None:
        if kind not in BEHAVIOURS:
            raise ValueError(f"{kind} is none of: {', '.join(BEHAVIOURS)}")
        self.behaviour = Behaviour(kind, **more)

    def next_behaviour(self) -> Behaviour:
        told = self.behaviour
        if told.times is not None:
            left = told.times - 1
            self.behaviour = Behaviour() if left <= 0 else Behaviour(**{**_fields(told), "times": left})
        return told

    def why_not(self, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """Why a question is not accepted; empty when it is."""
        secret = self.trusted.get(headers.get("x-key-id", ""))
        timestamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        if secret is None:
            return "unknown key"
        if not timestamp.isascii() or not timestamp.isdigit() or abs(self.now() - int(timestamp[:12])) > self.tolerance:
            return "timestamp"
        text = signatures.question_text(path, body, timestamp, nonce)
        return "" if signatures.fits(headers.get("x-signature", ""), text, secret) else "signature"

    def judge(self, person: Mapping[str, str], programme_type: str) -> dict[str, Any]:
        """By the first rule that fits; by none: not eligible."""
        for rule in self.rules:
            fits_number = person["id_number"].startswith(rule["id_number_prefix"])
            if fits_number and rule["programme_type"] in ("", programme_type):
                if rule["eligible"] == "yes":
                    return {"reference": person["reference"], "eligible": True}
                return _refusal(person["reference"], rule["reason_zh"], rule["reason_en"])
        return _refusal(person["reference"], "没有适用的规则", "no rule fits")


def _refusal(reference: str, reason_zh: str, reason_en: str) -> dict[str, Any]:
    return {"reference": reference, "eligible": False, "reason_zh": reason_zh, "reason_en": reason_en}


def _fields(behaviour: Behaviour) -> dict[str, Any]:
    return {name: getattr(behaviour, name) for name in Behaviour.__slots__}


def read_rules(path: Path = RULES) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def eligibility_server(
    *, port: int = 0, tls: ssl.SSLContext | None = None, now: Callable[[], float] = time.time, rules: Path = RULES
) -> Iterator[EligibilityServer]:
    """Serve on 127.0.0.1 (a free port unless one is given) until the end of the block."""
    told = EligibilityServer(read_rules(rules), now, secure=tls is not None)
    handler = type("Handler", (_Handler,), {"told": told})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        told.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="eligibility", daemon=True)
        thread.start()
        try:
            yield told
        finally:
            told.going_on.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    told: EligibilityServer
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_WAIT

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: an address or a header may be somebody's."""

    def do_GET(self) -> None:
        if self.path != CONTROL:
            return self._answer(404, b"")
        told = self.told
        said = {"behave": told.behaviour.kind, "asked": told.asked, "refused": told.refused}
        self._answer(200, json.dumps(said).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.path == CONTROL:
                self._control(json.loads(body))
            elif self.path == PATH:
                self._question(body)
            else:
                self._answer(404, b"")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True  # whoever asked has given up

    def _control(self, said: dict[str, Any]) -> None:
        for key_id, secret in said.pop("trust", {}).items():
            self.told.trust(key_id, secret)
        if said:
            self.told.behave(said.pop("behave"), **said)
        self._answer(204, b"")

    def _question(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        why = self.told.why_not(self.path, headers, body)
        if why:
            self.told.refused.append(why)
            return self._answer(401, json.dumps({"error": why}).encode())
        asked = json.loads(body)
        people = asked["people"]
        if len(people) > MOST_PEOPLE:
            return self._answer(400, b'{"error":"too many"}')
        self.told.asked.append(len(people))
        self._behave(asked, self.told.next_behaviour(), headers)
        return None

    def _behave(self, asked: dict[str, Any], behaviour: Behaviour, headers: Mapping[str, str]) -> None:
        told, people = self.told, asked["people"]
        kind, secret, nonce = behaviour.kind, told.trusted[headers["x-key-id"]], headers["x-nonce"]
        if kind == "hang":
            told.going_on.wait(LONGEST_WAIT)
            self.close_connection = True
            return
        if kind == "refuse":
            verdicts = [_refusal(one["reference"], behaviour.reason_zh, behaviour.reason_en) for one in people]
        else:
            verdicts = [told.judge(one, asked["programme_type"]) for one in people]
        said: dict[str, Any] = {"version": 1, "verdicts": _lie(kind, verdicts, people)}
        if kind == "other_version":
            said["version"] = 2
        if kind == "extra_field":
            said["comment"] = "没有约定的字段"
        body = json.dumps(said, ensure_ascii=False).encode()
        if kind == "member_twice":
            body = body.replace(b'{"version": 1', b'{"version": 1, "version": 1')
        if kind == "not_json":
            body = b"<html>eligible</html>"
        if kind == "too_large":
            body += b" " * 1_100_000
        status = {"fail": 500, "redirect": 302, "status": behaviour.status}.get(kind, 200)
        signed = signatures.signature(signatures.answer_text(status, nonce, body), secret)
        if kind == "unsigned":
            signed = ""
        if kind == "wrongly_signed":
            signed = signatures.signature(signatures.answer_text(status, nonce, body), "another secret")
        if kind == "answer_of_before":
            body, signed = told.last
        told.last = (body, signed)
        if kind == "slow":
            told.going_on.wait(behaviour.seconds)
        if kind == "drip":
            return self._drip(body, signed, behaviour.seconds)
        self._answer(status, body, signed, half=kind == "half", location=told.url if kind == "redirect" else "")

    def _answer(self, status: int, body: bytes, signed: str = "", *, half: bool = False, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if signed:
            self.send_header(signatures.SIGNATURE, signed)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.close_connection = True

    def _drip(self, body: bytes, signed: str, seconds: float) -> None:
        """Each byte in time, the whole never."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(signatures.SIGNATURE, signed)
        self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.told.going_on.wait(seconds):
                return


def _lie(kind: str, verdicts: list[dict[str, Any]], people: Sequence[Mapping[str, str]]) -> list[Any]:
    """What is said instead of the truth; the signature is right all the same."""
    first, rest = verdicts[0], verdicts[1:]
    lies: dict[str, list[Any]] = {
        "somebody_else": [{**first, "reference": "somebody-else"}, *rest],
        "missing": rest,
        "one_more": [*verdicts, {"reference": "one-more", "eligible": True}],
        "double": [first, *verdicts],
        "wrong_types": [{**first, "eligible": "yes"}, *rest],
        "no_reason": [{"reference": first["reference"], "eligible": False}, *rest],
        "personal": [_refusal(first["reference"], f"{people[0]['id_number']}不符合条件", "not eligible"), *rest],
    }
    return lies.get(kind, verdicts)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--rules", type=Path, default=RULES, help="a CSV file like tools/eligibility_rules.csv")
    parser.add_argument("--key", action="append", default=[], metavar="KEYID=SECRET", help="a secret that signs")
    asked = parser.parse_args()
    with eligibility_server(port=asked.port, rules=asked.rules) as server:
        for one in asked.key:
            server.trust(*one.split("=", 1))
        print(f"{server.url}; told what to do at {server.origin}{CONTROL}")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopping")


if __name__ == "__main__":
    main()
