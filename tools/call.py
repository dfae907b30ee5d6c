"""Send a signed request to the running local stack, and show what comes back.

    python -m tools.call ministry GET /v1/regions parent=440000
    python -m tools.call channel POST /v1/claims '{"template_id": "…", "assertion": "@claim"}' --person 7
    python -m tools.call channel GET /v1/wallet --person 7
    python -m tools.call channel GET /v1/vouchers/VOUCHER/qr format=token --person 7
    python -m tools.call desk POST /v1/redemptions '{"token": "…", "institution_id": "…", "course_id": "…"}'

The first word names who asks, as ``make run`` prints them. ``--person N`` is the N-th invented person: what needs a
holder session gets one, and ``"@claim"``, ``"@redeem"``, ``"@session"`` in the body become the e-SSC platform's
assertion about that person (of the body's template_id). ``--key`` repeats a request under the same idempotency key.
``--verbose`` shows the request with its headers. The word ``clock`` moves the platform's clock forward, on this stage
only, and never back (what was swept stays swept):

    python -m tools.call clock +36h
"""

import argparse
import json
import re
import secrets
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from tools.api_client import Answer, ApiClient, Refused
from tools.demo_stage import DemoStage, NothingRuns, open_stage
from tools.people import invented_person

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", help="ministry, channel, desk … or clock")
    parser.add_argument("method", help="GET or POST; for clock: +36h, +5d")
    parser.add_argument("path", nargs="?", help="/v1/…")
    parser.add_argument("more", nargs="*", help="name=value of the query, or one JSON body")
    parser.add_argument("--person", type=int, help="which invented person")
    parser.add_argument("--key", help="idempotency key; a fresh one unless given")
    parser.add_argument("--language", default="zh", help="zh or en")
    parser.add_argument("--verbose", action="store_true", help="show the request too")
    asked = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        stage = open_stage()
    except NothingRuns as nothing:
        console.print(str(nothing))
        return 1
    if asked.who == "clock":
        return _move_clock(stage, asked.method, console)
    if asked.path is None:
        parser.error("a path is needed")
    client = stage.client(asked.who)
    client.language = asked.language
    try:
        answer = _send(stage, client, asked, console)
    except Refused as refused:
        console.print(str(refused), markup=False)
        return 1
    _show(answer, console)
    return 0 if answer.status < 400 else 1


def _send(stage: DemoStage, client: ApiClient, asked: argparse.Namespace, console: Console) -> Answer:
    headers = {}
    of_holder = asked.who == "channel" and re.fullmatch(r"/v1/(wallet|vouchers/.*)", asked.path)
    if of_holder and asked.person is not None:
        headers["X-Holder-Session"] = stage.session(client, invented_person(asked.person))
    method = asked.method.upper()
    bodies = [word for word in asked.more if word.lstrip().startswith("{")]
    query = dict(word.split("=", 1) for word in asked.more if word not in bodies)
    body = _fill(stage, client, json.loads(bodies[0]), asked.person) if bodies else None
    changes = method == "POST" and asked.path not in ("/v1/sessions", "/v1/verifications")
    key = (asked.key or secrets.token_hex(12)) if changes else None
    if asked.verbose:
        console.print(f"{method} {asked.path} {query or ''}", markup=False)
        console.print(json.dumps({"Idempotency-Key": key, **headers, "body": body}, ensure_ascii=False, indent=2))
    return client.call(method, asked.path, query=query or None, body=body, key=key, headers=headers)


def _fill(stage: DemoStage, client: ApiClient, body: dict[str, Any], person: int | None) -> dict[str, Any]:
    def value(said: Any) -> Any:
        if said in ("@claim", "@redeem", "@session"):
            if person is None:
                raise SystemExit(f"{said} needs --person N")
            return stage.assertion(client, invented_person(person), str(said)[1:], body.get("template_id"))
        return said

    return {name: value(said) for name, said in body.items()}


def _show(answer: Answer, console: Console) -> None:
    hit = "  Idempotency-Hit: true" if answer.hit else ""
    console.print(f"{answer.status}  {answer.milliseconds:.0f} ms{hit}")
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body, ensure_ascii=False, indent=2)
    console.print(text, markup=False)


def _move_clock(stage: DemoStage, said: str, console: Console) -> int:
    moved = re.fullmatch(r"\+?([0-9]+)([dhms])", said)
    if moved is None:
        console.print("move the clock by +36h, +5d, +20m or +90s")
        return 2
    offset = stage.clock_offset() + timedelta(**{_UNITS[moved[2]]: int(moved[1])})
    stage.move_clock(offset)
    console.print(f"the platform's clock says {datetime.now(UTC) + offset:%Y-%m-%d %H:%M:%S} UTC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
