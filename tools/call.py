"""Send a signed request to the running local stack, and show what comes back.

    python -m tools.call ministry GET /v1/regions parent=440000
    python -m tools.call channel POST /v1/claims '{"template_id": "@template", "assertion": "@claim"}' --person 7
    python -m tools.call channel GET /v1/vouchers/@voucher --person 7
    python -m tools.call desk POST /v1/redemptions \
        '{"token": "@token", "institution_id": "@institution", "course_id": "@course"}' --person 7

The first word names who asks, as ``make run`` prints them. Words with an @ are filled in:

    @template @course @institution   those of the main job
    @claim @redeem @session          the e-SSC platform's assertion about --person, for this client (and template)
    @voucher @token @code            of --person's voucher of @template: its id, a fresh QR token, its typed code

``--person N`` is the N-th invented person; what needs a holder session gets theirs. ``--key`` repeats a request under
the same idempotency key. The word ``clock`` moves the platform's clock forward, on this stage only, and never back
(what was swept stays swept):

    python -m tools.call clock +36h
"""

import argparse
import json
import re
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from rich.console import Console

from chalicelib.domain.person import Profile
from tools.api_client import Answer, ApiClient, Refused
from tools.demo_stage import DemoStage, NothingRuns, open_stage
from tools.people import invented_person

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", help="ministry, channel, desk … or clock")
    parser.add_argument("method", help="GET or POST; for clock: +36h, +5d")
    parser.add_argument("path", nargs="?", help="/v1/…")
    parser.add_argument("more", nargs="*", help="name=value of the query, or one JSON body")
    parser.add_argument("--person", type=int, help="which invented person")
    parser.add_argument("--key", help="idempotency key; a fresh one unless given")
    parser.add_argument("--language", default="zh", help="zh or en")
    parser.add_argument("--verbose", action="store_true", help="show the request too")
    asked = parser.parse_args(words)
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
    method = asked.method.upper()
    words = Words(stage, client, asked.person)
    path = words.fill(asked.path)
    bodies = [word for word in asked.more if word.lstrip().startswith("{")]
    query = dict(word.split("=", 1) for word in asked.more if word not in bodies)
    body = words.fill_body(json.loads(bodies[0])) if bodies else None
    headers = {}
    if asked.who == "channel" and asked.person is not None and re.fullmatch(r"/v1/(wallet|vouchers/.*)", path):
        headers["X-Holder-Session"] = words.session
    changes = method == "POST" and path not in ("/v1/sessions", "/v1/verifications")
    key = (asked.key or secrets.token_hex(12)) if changes else None
    if asked.verbose:
        console.print(f"{method} {path} {query or ''}", markup=False)
        console.print(json.dumps({"Idempotency-Key": key, **headers, "body": body}, ensure_ascii=False, indent=2))
    return client.call(method, path, query=query or None, body=body, key=key, headers=headers)


@dataclass
class Words:
    """What the words with an @ stand for."""

    stage: DemoStage
    client: ApiClient
    person: int | None

    def fill(self, text: str, template_id: str | None = None) -> str:
        return re.sub(r"@([a-z]+)", lambda found: self._mean(found[1], template_id), text)

    def fill_body(self, body: dict[str, Any]) -> dict[str, Any]:
        template_id = self.fill(body["template_id"]) if "template_id" in body else None
        return {name: self.fill(said, template_id) if isinstance(said, str) else said for name, said in body.items()}

    @cached_property
    def session(self) -> str:
        """The person's holder session, in the channel."""
        return self.stage.session(self.stage.client("channel"), self._profile("a holder session"))

    def _mean(self, word: str, template_id: str | None) -> str:
        if word in ("template", "course", "institution"):
            return self.stage.facts[f"{word}_id"]
        if word in ("claim", "redeem", "session"):
            return self.stage.assertion(self.client, self._profile(f"@{word}"), word, template_id)
        if word == "voucher":
            return self._voucher_id
        if word in ("token", "code"):
            path, query = f"/v1/vouchers/{self._voucher_id}", None
            if word == "token":
                path, query = f"{path}/qr", {"format": "token"}
            shown: str | None = self._holder(path, query)[word]
            if shown is None:
                raise SystemExit(f"this voucher has no {word} any more")
            return shown
        raise SystemExit(f"@{word} means nothing here; see --help")

    @cached_property
    def _voucher_id(self) -> str:
        cards = self._holder("/v1/wallet", None)["items"]
        mine = [card["voucher_id"] for card in cards if card["template_id"] == self.stage.facts["template_id"]]
        if not mine:
            raise SystemExit(f"person {self.person} has no voucher of @template yet; claim one first")
        return str(mine[0])

    def _holder(self, path: str, query: dict[str, str] | None) -> Any:
        return self.stage.client("channel").read(path, query, headers={"X-Holder-Session": self.session})

    def _profile(self, what: str) -> Profile:
        if self.person is None:
            raise SystemExit(f"{what} needs --person N")
        return invented_person(self.person)


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
