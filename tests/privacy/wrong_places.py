"""What a careless integrator sends: a person's number, mobile or name wherever one can be put."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from chalicelib.api.answers import Operation
from chalicelib.api.requests import MOST_BYTES
from chalicelib.domain.person import Profile

PROOFS = ("X-App-Key", "X-Timestamp", "X-Signature", "X-Operator", "X-Holder-Session", "Content-Type")
BY_THE_WAY = ("X-Request-Id", "X-Amzn-Trace-Id", "User-Agent", "Referer", "X-Forwarded-For")
PUBLISHED = {"help_line"}
"""Fields that are there to be told to everybody, also in problems."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that nobody should send; ``headers`` stand over those of the signature."""

    method: str
    target: str
    raw: bytes = b""
    key: str = ""
    nonce: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def wrong_requests(operation: Operation, example: Mapping[str, Any], canary: Profile, typed: str) -> Iterator[Wrong]:
    """One operation with the canary in each place, one at a time. ``typed``: a name that goes into free texts."""
    number, mobile, name = canary.id_number, canary.mobile or "", canary.name
    target = str(example["target"])
    path, _, query = target.partition("?")
    method = operation.method
    raw = json.dumps(example["request"]).encode() if "request" in example else b""
    key = f"{quote(name)}{number}{mobile}" if operation.changes else ""
    for said in (number, mobile, quote(name)):
        for wrong in _in_path(operation.path, path, said):
            yield Wrong(method, wrong + (f"?{query}" if query else ""), raw, key)
    glue = "&" if query else "?"
    yield Wrong(method, f"{target}{glue}{number}={quote(name)}&{quote(name)}={mobile}", raw, key)
    yield Wrong(method, f"{target}{glue}{number}={mobile}&{number}={mobile}", raw, key)
    for parameter in operation.query.model_fields:
        for said in (number, quote(name)):
            yield Wrong(method, f"{path}?{parameter}={said}", raw, key)
    yield Wrong(method, target, raw, number)
    yield Wrong(method, target, raw, name.encode().decode("latin-1"))
    yield Wrong(method, target, raw, key, nonce=number)
    if method == "POST":
        for count, body in enumerate(_bodies(example, canary, typed)):
            yield Wrong(method, target, body, f"{key}-{count}" if key else "")


def wrong_proofs(operation: Operation, example: Mapping[str, Any], canary: Profile) -> Iterator[Wrong]:
    """The canary in the headers that say who asks."""
    raw = json.dumps(example["request"]).encode() if "request" in example else b""
    for header in PROOFS:
        yield Wrong(operation.method, example["target"], raw, "key", headers={header: canary.id_number})


def by_the_way(canary: Profile) -> dict[str, str]:
    """Headers that we do not ask for, but that come along; and a language that is none."""
    number, mobile = canary.id_number, canary.mobile
    return dict.fromkeys(BY_THE_WAY, f"{number};{mobile}") | {"Accept-Language": f"en, {number}"}


def _in_path(route: str, path: str, said: str) -> Iterator[str]:
    places = [n for n, segment in enumerate(route.split("/")) if segment.startswith("{")]
    segments = path.split("/")
    for place in places:
        yield "/".join([*segments[:place], said, *segments[place + 1 :]])
    if not places:
        yield f"{path}/{said}"


def _bodies(example: Mapping[str, Any], canary: Profile, typed: str) -> Iterator[bytes]:
    number, name, mobile = canary.id_number, canary.name, canary.mobile
    good = dict(example["request"])
    deep = {one: inner for one, inner in good.items() if isinstance(inner, dict)}
    wrongly = (f"{name}{mobile}", number, {number: name})
    for changed in (
        *({**good, stranger: name} for stranger in (number, name, mobile)),
        *({**good, one: said} for one in good for said in wrongly),
        *({**good, one: f"学员{typed}"} for one in good if one not in PUBLISHED),
        *({**good, one: {**inner, number: name}} for one, inner in deep.items()),
        *(
            {**good, one: {**inner, two: said}}
            for one, inner in deep.items()
            for two in inner
            for said in (*wrongly, f"学员{typed}")
        ),
        number,
        [name],
    ):
        yield json.dumps(changed, ensure_ascii=False).encode()
    yield f'{{"{number}": "{name}'.encode()
    yield f'{{"{number}": 1, "{number}": 2}}'.encode()
    yield f'{{"a": {re.sub("[^0-9]", "", number)}e999999}}'.encode()
    yield f'{{"{name}": "{number}"}}'.encode("gb18030")
    yield b"[" * 30 + f'"{number}"'.encode() + b"]" * 30
    yield f'"{number}{name}"'.encode() + b" " * MOST_BYTES
