"""The OpenAPI document that the deployed stack serves, as a promise that each answer is held to."""

import copy
import re
from typing import Any, TypeAlias

import requests
import schemathesis
from schemathesis import APIOperation, Case, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.cast import Cast, Good, Signer
from tests.contract.tally import Answered, count
from tools.package import ROOT

Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
AnyCase: TypeAlias = Case[Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
_OURS, _GATEWAY = (ROOT / "docs" / "errors.md").read_text("utf-8").split("## What API Gateway answers itself")
_ROWS = [[cell.strip() for cell in line.split(" | ")] for line in _OURS.splitlines() if line.startswith("| `")]
# As the tables of docs/errors.md say it: code and status, with the names of the facts.
DOCUMENTED = {
    (found[1], int(found[2])): set(re.findall(r"`([a-z_]+)`:", row[3]))
    for row in _ROWS
    if (found := re.fullmatch(r"\| `([a-z_]+)` ([0-9]{3})", row[0]))
}
OF_THE_GATEWAY = set(re.findall(r"^\| `([a-z_]+)` [0-9x]{3} \|", _GATEWAY, re.MULTILINE))
# What no request that the document allows may be answered with.
OF_FORM = {"invalid_fields", "malformed_json", "unsupported_media_type", "idempotency_key_required", "bad_request"}
# What the signer adds; requests without it have tests of their own.
_SIGNERS_PART = [{"$ref": f"#/components/parameters/{name}"} for name in ("timestamp", "nonce")]


class Contract:
    """What the deployed stack promises of each operation."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.base_url = cast, cast.stage.base_url
        self.http = requests.Session()
        self.document: dict[str, Any] = self.http.get(f"{self.base_url}/v1/openapi.json", timeout=60).json()
        self._unsigned = _unsigned(self.document)

    def operation(self, label: str, good: Good) -> Operation:
        """The operation as it is promised, its examples being those of ``good``: cases are made around them."""
        method, _, path = label.partition(" ")
        ways = self._unsigned["paths"][path]
        described = copy.deepcopy(ways[method.lower()])
        for parameter in described["parameters"]:
            known = {"path": good.path, "query": good.query}.get(parameter.get("in"), {})
            if parameter.get("name") in known:
                parameter["example"] = known[parameter["name"]]
        if good.body:
            described["requestBody"]["content"]["application/json"]["example"] = good.body
        document = {**self._unsigned, "paths": {path: {**ways, method.lower(): described}}}
        operation: Operation = schemathesis.openapi.from_dict(document)[path][method]
        return operation

    def ask(self, case: AnyCase, signer: Signer | None, answered: Answered) -> Response:
        """Send, count, and hold the answer to what is promised."""
        response = case.call(self.base_url, self.http, auth=signer, allow_redirects=False)
        count(answered, case.operation.label, response.status_code)
        said = problem_of(response) if response.status_code >= 400 else {}
        if said.get("type") != "about:blank":
            case.validate_response(response, checks=CHECKS)
        if case.meta and case.meta.generation.mode.is_positive:
            assert said.get("code") not in OF_FORM, f"what the document allows is refused: {response.text}"
        return response


def problem_of(response: Response) -> Any:
    """What a refusal says: a problem document whose status, code and facts are those of docs/errors.md."""
    assert 400 <= response.status_code < 500, (response.status_code, response.text)
    assert response.headers["content-type"] == ["application/problem+json"], response.text
    said = response.json()
    assert said["request_id"]
    if said["type"] == "about:blank":
        assert said["code"] in OF_THE_GATEWAY
        assert said.keys() <= {"type", "title", "status", "code", "request_id"}
    else:
        facts = DOCUMENTED[said["code"], response.status_code]
        assert said["status"] == response.status_code
        assert said.get("facts", {}).keys() == facts
    return said


def _unsigned(document: dict[str, Any]) -> dict[str, Any]:
    """The document without what the signer adds."""
    document = copy.deepcopy(document)
    for path in document["paths"].values():
        for one in path.values():
            one["security"] = []
            one["parameters"] = [each for each in one["parameters"] if each not in _SIGNERS_PART]
    # To make 8,192 characters that fit a pattern takes minutes; longer ones are among the odd requests.
    _shorten(document["components"]["schemas"])
    return document


def _shorten(schema: Any) -> None:
    if isinstance(schema, dict):
        if "pattern" in schema and schema.get("maxLength", 0) > 1_000:
            del schema["maxLength"]
        for part in schema.values():
            _shorten(part)
    elif isinstance(schema, list):
        for part in schema:
            _shorten(part)
