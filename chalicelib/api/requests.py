"""Read a request strictly, or say what is wrong with it.

Lambda, MiniStack and Chalice's test client hand the path over in different forms (with the stage, decoded, raw). What
is the same everywhere is the route and its parameters, so the path that is signed and named is put together from those.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from chalice.app import Request
from pydantic import BaseModel, ValidationError

from chalicelib.api import signing
from chalicelib.api.refusals import (
    BodyTooLarge,
    Detail,
    IdempotencyKeyNotTaken,
    IdempotencyKeyRequired,
    InvalidFields,
    MalformedJson,
    UnsupportedMediaType,
)
from chalicelib.api.shapes import Nothing
from chalicelib.domain.errors import Invalid, NotFound

MOST_BYTES = 640 * 1024
"""An application of 5,000 lines fits, each with its voucher and its sum."""
MOST_DEPTH = 20

B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: ``path`` is canonical and without stage, ``parameters`` are decoded once."""

    method: str
    route: str
    path: str
    parameters: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    request_id: str

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    @property
    def signable(self) -> signing.Signable:
        """What its client signed."""
        return signing.Signable(
            method=self.method,
            path=self.path,
            query=signing.canonical_query(self.query),
            body=self.body,
            timestamp=self.header(signing.TIMESTAMP) or "",
            nonce=self.header(signing.NONCE) or "",
            idempotency_key=self.header(signing.IDEMPOTENCY_KEY) or "",
        )


def receive(request: Request) -> Received:
    """Take from Chalice's request what we go by. Raises BodyTooLarge."""
    raw = request.raw_body
    body = raw.encode() if isinstance(raw, str) else raw
    if len(body) > MOST_BYTES:
        raise BodyTooLarge(limit=MOST_BYTES)
    # Path parameters arrive percent-encoded (https://github.com/aws/chalice/issues/511).
    parameters = {name: unquote(value) for name, value in (request.uri_params or {}).items()}
    asked = request.query_params
    return Received(
        method=request.method,
        route=request.path,
        path=_BRACES.sub(lambda found: quote(parameters[found[1]], safe=""), request.path),
        parameters=parameters,
        query=tuple((name, value) for name in asked for value in asked.getlist(name)) if asked else (),
        headers={str(name).lower(): str(value) for name, value in request.headers.items()},
        body=body,
        request_id=request_id_of(request),
    )


def request_id_of(request: Request) -> str:
    """What finds the request in the log."""
    context: Mapping[str, Any] = request.context
    return str(context.get("requestId") or getattr(request.lambda_context, "aws_request_id", ""))


def could_be_id(text: str) -> bool:
    """Whether it looks like an id of ours; what does not is not looked up: no key of a table may be as long."""
    return _NAME.fullmatch(text) is not None


def read_parameters(received: Received) -> dict[str, str]:
    """The path's parameters; what does not look like an id names nothing. Raises NotFound."""
    if not all(map(could_be_id, received.parameters.values())):
        raise NotFound()
    return dict(received.parameters)


def read_query(received: Received, model: type[B]) -> B:
    """Raises InvalidFields: unknown, repeated or unfit parameters."""
    names = [name for name, _ in received.query]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidFields(tuple(Detail("parameter", _said(n), "参数重复", "stands more than once") for n in twice))
    try:
        return model.model_validate(dict(received.query))
    except ValidationError as refused:
        raise InvalidFields(_details(refused, "parameter")) from None


def read_body(received: Received, model: type[B]) -> tuple[B, bytes]:
    """The body in its model, and its canonical bytes (names sorted, no white space).

    A body of which nothing must be there may be left out. Raises UnsupportedMediaType, MalformedJson, InvalidFields.
    """
    if issubclass(model, Nothing) and not received.body:
        return model(), b"{}"
    if received.method == "GET":
        raise Invalid(reason="a GET has no body")
    kind, _, _ = (received.header("content-type") or "").partition(";")
    if kind.strip().lower() != "application/json":
        raise UnsupportedMediaType()
    value = read_json(received.body)
    try:
        # In JSON mode a strict model still reads dates and enums from text; what Python read is only looked at.
        read = model.model_validate_json(received.body)
    except ValidationError as refused:
        raise InvalidFields(_details(refused, "pointer")) from None
    return read, json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read_json(body: bytes) -> Any:
    """Raises MalformedJson for what RFC 8259 allows but two readers may understand differently, and for the rest."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedJson(reason="encoding") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise MalformedJson(reason="depth") from None
    except ValueError:
        raise MalformedJson(reason="syntax") from None
    if _depth(value) > MOST_DEPTH:
        raise MalformedJson(reason="depth")
    return value


def read_idempotency_key(received: Received, *, changes: bool) -> str:
    """Raises IdempotencyKeyRequired, IdempotencyKeyNotTaken."""
    key = received.header(signing.IDEMPOTENCY_KEY)
    if not changes:
        if key is not None:
            raise IdempotencyKeyNotTaken()
        return ""
    if key is None or not _KEY.fullmatch(key):
        raise IdempotencyKeyRequired()
    return key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise MalformedJson(reason="duplicate")
    return read


def _no_number(_: str) -> Any:
    raise MalformedJson(reason="number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise MalformedJson(reason="number")
    return number


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [inner for outer in level for inner in _inner(outer)]
    return depth


def _inner(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _details(refused: ValidationError, place: str) -> tuple[Detail, ...]:
    found = refused.errors(include_url=False, include_context=True, include_input=False)
    return tuple(_detail(one["type"], one["loc"], one.get("ctx", {}), place) for one in found)


def _detail(kind: str, loc: tuple[int | str, ...], ctx: Mapping[str, Any], place: str) -> Detail:
    if kind == "extra_forbidden":
        known, stranger = loc[:-1], _said(str(loc[-1]))
        loc = (*known, stranger) if stranger else known  # the pointer of what holds it
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in loc]
    name = "".join(f"/{step}" for step in steps) if place == "pointer" else ".".join(steps)
    zh, en = _SENTENCES.get(kind, _UNFIT)
    return Detail(place, name, _fill(zh, ctx), _fill(en, ctx))


def _said(name: str) -> str:
    """A sender's own name as it may be repeated: a word is a slip of the pen, all else may be somebody's number."""
    return name if _WORD.fullmatch(name) else ""


def _fill(sentence: str, ctx: Mapping[str, Any]) -> str:
    return _BRACES.sub(lambda found: str(ctx.get(found[1], "")), sentence)


_BRACES = re.compile(r"\{([a-z_]+)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_KEY = re.compile(r"[!-~]{1,255}")
_WORD = re.compile(r"[A-Za-z_/~]{1,40}")
_UNFIT = ("内容不符合要求", "does not have the right form")
_SENTENCES = {
    "missing": ("必填", "is missing"),
    "extra_forbidden": ("没有此项", "is not known here"),
    "string_type": ("应为文本", "must be text"),
    "int_type": ("应为整数", "must be an integer"),
    "int_from_float": ("应为整数", "must be an integer"),
    "bool_type": ("应为 true 或 false", "must be true or false"),
    "tuple_type": ("应为数组", "must be an array"),
    "list_type": ("应为数组", "must be an array"),
    "model_type": ("应为对象", "must be an object"),
    "model_attributes_type": ("应为对象", "must be an object"),
    "string_too_short": ("至少 {min_length} 个字符", "must have {min_length} characters or more"),
    "string_too_long": ("最多 {max_length} 个字符", "must have {max_length} characters or fewer"),
    "too_short": ("至少 {min_length} 项", "must have {min_length} items or more"),
    "too_long": ("最多 {max_length} 项", "must have {max_length} items or fewer"),
    "greater_than_equal": ("不能小于 {ge}", "must be {ge} or more"),
    "less_than_equal": ("不能大于 {le}", "must be {le} or less"),
    "union_tag_not_found": ("须注明 {discriminator}", "must name its {discriminator}"),
    "union_tag_invalid": ("应为 {expected_tags} 之一", "must be one of {expected_tags}"),
    "enum": ("应为 {expected} 之一", "must be one of {expected}"),
    "literal_error": ("应为 {expected} 之一", "must be one of {expected}"),
    "one_proof": ("须且只须提供 {choices} 之一", "needs exactly one of {choices}"),
    "personal_number": ("不得含有证件号码或手机号", "must not hold an ID number or a mobile number"),
    "json_invalid": ("不是规范的 JSON", "is not proper JSON"),
}
