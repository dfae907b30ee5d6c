"""Problems (RFC 9457): what a refusal looks like over HTTP, in the asker's language."""

import json
import re
from collections.abc import Mapping
from typing import Any

from chalice.app import Response

from chalicelib.api.refusals import STATUS, InvalidFields
from chalicelib.domain.errors import (
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    Reused,
    Unauthenticated,
    Unavailable,
)
from chalicelib.domain.words import say, shown

HELP_LINE = "12333"
"""The national line of the labour authorities, where a region has not named its own."""

STATUS_BY_BASE: Mapping[type[DomainError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Refused: 409,
    Reused: 422,
    Unavailable: 503,
}
TITLES: Mapping[int, tuple[str, str]] = {
    400: ("请求内容有误", "The request is not valid"),
    401: ("身份未经证实", "Who is asking is not proven"),
    403: ("无权进行此操作", "Not allowed"),
    404: ("没有找到", "Not found"),
    405: ("不支持此方法", "Method not supported"),
    409: ("当前状态不允许", "The present state does not allow this"),
    413: ("请求体太大", "The body is too large"),
    415: ("内容类型不支持", "Content type not supported"),
    422: ("幂等键已用于另一请求", "Idempotency key reused"),
    429: ("请求过于频繁", "Too many requests"),
    500: ("系统内部错误", "Internal error"),
    503: ("暂时无法处理", "Cannot be handled right now"),
}


def status_of(kind: type[DomainError]) -> int:
    """The HTTP status of an error: its own where it has one, else that of its base class."""
    for ancestor in kind.__mro__:
        if ancestor in STATUS or ancestor in STATUS_BY_BASE:
            return STATUS.get(ancestor) or STATUS_BY_BASE[ancestor]
    return 500


def wants_chinese(accept_language: str | None) -> bool:
    """Chinese unless English is preferred to it (RFC 9110 12.5.4)."""
    weights = {"zh": -1.0, "en": -1.0, "*": -1.0}
    for part in (accept_language or "").split(",")[:20]:
        found = _RANGE.fullmatch(part.strip().lower())
        if found:
            weights[found["tag"]] = max(weights[found["tag"]], float(found["q"] or 1))
    chinese = weights["zh"] if weights["zh"] >= 0 else weights["*"]
    return weights["en"] <= max(chinese, 0)


def problem(
    error: DomainError, *, request_id: str, accept_language: str | None, help_line: str = HELP_LINE
) -> Response:
    """The response that says ``error``. Nothing in it is personal: facts never are, and values are not repeated."""
    chinese = wants_chinese(accept_language)
    status = status_of(type(error))
    said: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": TITLES[status][0 if chinese else 1],
        "status": status,
        "detail": say(error.zh if chinese else error.en, error.facts, chinese=chinese),
        "code": error.code,
        "request_id": request_id,
        "help_line": help_line,
    }
    facts = shown(error.facts)
    if facts:
        said["facts"] = facts
    errors = _errors(error, said["detail"], chinese=chinese)
    if errors:
        said["errors"] = errors
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/problem+json",
        "Content-Language": "zh" if chinese else "en",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
    }
    if status == 503:
        headers["Retry-After"] = "1"
    if status == 429:
        headers["Retry-After"] = str(error.facts["retry_after_seconds"])
    if status == 405:
        headers["Allow"] = str(error.facts.get("allowed", ""))
    return Response(json.dumps(said, ensure_ascii=False, separators=(",", ":")), headers, status)


def _errors(error: DomainError, detail: str, *, chinese: bool) -> list[dict[str, str]]:
    if isinstance(error, InvalidFields):
        return [{one.place: one.name, "detail": one.zh if chinese else one.en} for one in error.details]
    if isinstance(error, Invalid) and error.pointer:
        place = "pointer" if error.pointer.startswith("/") else "parameter"
        return [{place: error.pointer, "detail": detail}]
    return []


_RANGE = re.compile(r"(?P<tag>zh|en|\*)(?:-[a-z0-9-]+)?\s*(?:;\s*q=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")
