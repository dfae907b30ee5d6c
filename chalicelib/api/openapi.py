"""The OpenAPI 3.1 document, from the models that validate and the operations that are served.

``python -m chalicelib.api.openapi`` prints it. ``examples.json`` beside this file holds what the tests replay:
``{"POST /v1/programmes": {"request": {…}, "response": {…}, "status": 201}}``.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.api import signing
from chalicelib.api.answers import HOLDER_SESSION, OPERATIONS, OPERATOR, Operation, Picture
from chalicelib.api.problems import TITLES, status_of
from chalicelib.api.shapes import Nothing, Shown
from chalicelib.domain.access import needs_operator
from chalicelib.domain.errors import DomainError

Mode = Literal["validation", "serialization"]
REF = "#/components/schemas/{model}"
EXAMPLES = Path(__file__).with_name("examples.json")
TAGS = {
    "about": "任何人可查 / Open to all",
    "regions": "行政区划与规则 / Regions and rule sets",
    "eligibility": "适用人群名单、身份核验服务 / Who is eligible: the list, the region's service",
    "programmes": "培训项目 / Programmes",
    "institutions": "培训机构 / Institutions",
    "staff": "机构工作人员与社保卡终端 / Staff and card terminals of institutions",
    "courses": "课程 / Courses",
    "classes": "班级、课次、学员、签到、出勤 / Classes, sessions, trainees, check-ins, attendance",
    "access": "应用、经办人、断言公钥 / Clients, operators, assertion keys",
    "people": "人员：查找、查看、更正、合并、标记 / People: find, disclose, correct, merge, flag",
    "accounts": "专账 / Special accounts",
    "applications": "资金申请、审核 / Applications for money, review",
    "payments": "拨付批次、银行文件、机构收款账户 / Payment batches, bank files, institutions' bank accounts",
    "templates": "券模板 / Voucher templates",
    "rosters": "名单：申报、上传、进度、结果、撤回 / Rosters: declare, upload, follow, results, withdraw",
    "vouchers": "领、验、用、退、撤销、作废 / Claim, verify, redeem, give back, reverse, revoke",
}


@cache
def document_text() -> str:
    """The document as JSON, built once per container."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":"))


def document() -> dict[str, Any]:
    """The document; stable from build to build, so that it can be committed and compared."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in sorted(OPERATIONS, key=lambda one: (one.path, one.method)):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, examples.get(operation.label, {})
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "职业培训券平台 / Training-voucher platform",
            "version": "1",
            "summary": "Vocational training vouchers: publish, claim, verify, redeem.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "the stage's address"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": _shared(paths),
            "securitySchemes": _SECURITY,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
        },
    }


def _shared(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Take the refusals that several operations have in common out of them, each under a name of its own."""
    told = [one["responses"] for methods in paths.values() for one in methods.values()]
    refusals = [(status, said) for answers in told for status, said in answers.items() if status >= "4"]
    often = Counter(said["description"] for _, said in refusals)
    shared = {}
    for answers in told:
        for status, said in answers.items():
            if status >= "4" and often[text := said["description"]] > 1:
                name = f"{status}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
                shared[name] = said
                answers[status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def _operation(one: Operation, example: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": f"{one.zh} / {one.en}",
        "security": _security(one),
        "parameters": _parameters(one),
        "responses": _responses(one, example),
    }
    if one.act is not None:
        said["description"] = f"Needs `{one.act}`" + (" and the operator's signature." if _signed(one) else ".")
    if one.method == "POST":
        content: dict[str, Any] = {"schema": {"$ref": REF.format(model=one.body.__name__)}}
        if "request" in example:
            content["example"] = example["request"]
        said["requestBody"] = {"required": not issubclass(one.body, Nothing), "content": {"application/json": content}}
    return said


def _signed(one: Operation) -> bool:
    return one.act is not None and needs_operator(one.act)


def _security(one: Operation) -> list[dict[str, list[str]]]:
    if one.act is None:
        return []
    client: dict[str, list[str]] = {"appKey": [], "signature": []}
    signed = client | {"operator": []}
    if one.by_staff:
        return [signed, client] if _signed(one) else [client]  # channels: the body carries the assertion of staff
    if _signed(one):
        client = signed
    holder = client | {"holderSession": []}
    return {"none": [client], "may": [client, holder], "must": [holder]}[one.holder]


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}}
        for name in re.findall(r"\{([a-z_]+)\}", one.path)
    ]
    schema = one.query.model_json_schema(ref_template=REF)
    for name, part in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        found.append({"name": name, "in": "query", "required": required, "schema": part})
    if one.act is not None:
        found += [_parameter("timestamp"), _parameter("nonce")]
    if one.changes:
        found.append(_parameter("idempotencyKey"))
    return [*found, _parameter("acceptLanguage")]


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}


def _responses(one: Operation, example: Mapping[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": one.en, "content": _content(one)}
    if "response" in example:
        good["content"]["application/json"]["example"] = example["response"]
    headers = [name for name, sent in (("Idempotency-Hit", one.changes), ("RateLimit", one.act is not None)) if sent]
    if headers:
        good["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    responses = {str(one.status): good}
    by_status: dict[int, list[type[DomainError]]] = {}
    for kind in one.every_error:
        by_status.setdefault(status_of(kind), []).append(kind)
    for status in sorted(by_status):
        responses[str(status)] = _problem(status, by_status[status])
    return responses


def _content(one: Operation) -> dict[str, Any]:
    models = [shape for shape in one.answer if issubclass(shape, BaseModel)]
    content: dict[str, Any] = {}
    if Picture in one.answer:
        content["image/svg+xml"] = {"schema": {"type": "string"}}
    schemas: list[dict[str, Any]] = [{"$ref": REF.format(model=model.__name__)} for model in models]
    if one.listed:
        schemas = [
            {
                "type": "object",
                "required": ["items", "next_cursor"],
                "properties": {
                    "items": {"type": "array", "items": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}},
                    "next_cursor": {"type": ["string", "null"], "description": "null on the last page"},
                },
                "additionalProperties": False,
            }
        ]
    if schemas:
        content["application/json"] = {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}
    return content


def _problem(status: int, kinds: list[type[DomainError]]) -> dict[str, Any]:
    lines = [f"* `{kind.code}`: {kind.zh} {kind.en}" for kind in kinds]
    schema = {
        "allOf": [
            {"$ref": REF.format(model="Problem")},
            {"properties": {"status": {"const": status}, "code": {"enum": [kind.code for kind in kinds]}}},
        ]
    }
    said: dict[str, Any] = {
        "description": "\n".join([" / ".join(TITLES[status]), "", *lines]),
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status in (429, 503):
        said["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return said


def _schemas() -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], Mode], None] = {}
    for one in OPERATIONS:
        if one.method == "POST":
            models[one.body, "validation"] = None
        models |= {(shape, "serialization"): None for shape in one.answer if issubclass(shape, Shown)}
    names = [model.__name__ for model in {model for model, _ in models}]
    twice = {name for name in names if names.count(name) > 1}
    if twice:  # the document refers to them by these
        raise ValueError(f"two models are called the same: {', '.join(sorted(twice))}")
    _, schema = models_json_schema(list(models), ref_template=REF)
    # A model within itself that is asked for and shown gets two names from pydantic, although it has one form.
    told = json.dumps(schema["$defs"]).replace("-Output", "").replace("-Input", "")
    return dict(sorted((json.loads(told) | {"Problem": _PROBLEM}).items()))


_DESCRIPTION = """\
Amounts are integer fen, instants RFC 3339 in UTC with milliseconds, dates local to China and inclusive.
4xx: nothing changed. 5xx or no answer: unknown; repeat with the same `Idempotency-Key`.
Unknown fields and query parameters are refused. Lists give opaque cursors and no totals.
How to sign: `docs/signing.md`.
"""

_SECURITY = {
    "appKey": {"type": "apiKey", "in": "header", "name": signing.APP_KEY, "description": "the client"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": signing.SIGNATURE,
        "description": "lower-case hex HMAC-SHA-256 over method, path, query, body hash, timestamp, nonce and "
        "idempotency key",
    },
    "operator": {
        "type": "apiKey",
        "in": "header",
        "name": OPERATOR,
        "description": "JWS by which the operator answers for this very request",
    },
    "holderSession": {
        "type": "apiKey",
        "in": "header",
        "name": HOLDER_SESSION,
        "description": "what POST /v1/sessions gave; for 15 minutes, for this client",
    },
}

_HEADERS: dict[str, Any] = {
    "Idempotency-Hit": {
        "description": "`true` when this request was answered before",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": (
            "requests left in this window as far as is known, and seconds until the next; "
            "`RateLimit-Policy` says how many a window has"
        ),
        "schema": {"type": "string"},
        "example": '"client";r=4980;t=7',
    },
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
}
_PARAMETERS = {
    "timestamp": {
        "name": signing.TIMESTAMP,
        "in": "header",
        "required": True,
        "description": f"seconds since 1970, at most {signing.TOLERANCE} off",
        "schema": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    },
    "nonce": {
        "name": signing.NONCE,
        "in": "header",
        "required": True,
        "description": "makes each signature unique",
        "schema": {"type": "string", "pattern": "^[!-~]{8,128}$"},
    },
    "idempotencyKey": {
        "name": signing.IDEMPOTENCY_KEY,
        "in": "header",
        "required": True,
        "description": "the same key and body again is answered as the first time; kept 30 days",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "acceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "zh (default) or en, for what problems say",
        "schema": {"type": "string"},
    },
}

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `detail` is for people, in the language asked for.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "help_line"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "help_line": {"type": "string", "description": "the region's telephone line for people"},
        "facts": {"type": "object", "additionalProperties": {"type": ["string", "integer", "null"]}},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "format": "json-pointer"},
                    "parameter": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def main() -> None:
    """Print the document as it is committed in docs/openapi.json."""
    from chalicelib.api import gateway  # noqa: F401 - importing it registers every operation

    print(json.dumps(document(), ensure_ascii=False, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
