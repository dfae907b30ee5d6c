"""The OpenAPI document: valid, complete, and the same from build to build."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import app
from chalicelib.api import openapi
from chalicelib.api.answers import OPERATIONS
from tests.api.conftest import Desk

DOCUMENT = openapi.document()
EXAMPLES = json.loads(openapi.EXAMPLES.read_text(encoding="utf-8"))


def test_it_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_it_describes_exactly_what_is_served() -> None:
    described = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert described == {(path, method) for path, methods in app.routes.items() for method in methods}


def test_it_is_served_as_it_is_printed(desk: Desk) -> None:
    answer = desk.send("GET", "/v1/openapi.json")
    printed = subprocess.run(
        [sys.executable, "-m", "chalicelib.api.openapi"], capture_output=True, check=True, text=True
    )

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json_body == json.loads(printed.stdout) == DOCUMENT


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "responses"):
        referred = set(re.findall(rf'"#/components/{kind}/([A-Za-z0-9_-]+)"', text))

        assert referred == set(DOCUMENT["components"][kind])


def test_a_refusal_that_several_operations_have_in_common_is_told_once() -> None:
    told = [
        json.dumps(one, sort_keys=True)
        for methods in DOCUMENT["paths"].values()
        for said in methods.values()
        for status, one in said["responses"].items()
        if status >= "4" and "$ref" not in one
    ]
    shared = [json.dumps(one, sort_keys=True) for one in DOCUMENT["components"]["responses"].values()]

    assert len({*told, *shared}) == len(told) + len(shared)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_operation_tells_its_errors_its_headers_and_both_languages(operation: Any) -> None:
    said = DOCUMENT["paths"][operation.path][operation.method.lower()]
    shared = DOCUMENT["components"]["responses"]
    told = json.dumps(
        [shared[one["$ref"].split("/")[-1]] if "$ref" in one else one for one in said["responses"].values()]
    )

    assert all(f'"{kind.code}"' in told for kind in operation.every_error)
    assert said["summary"] == f"{operation.zh} / {operation.en}"
    assert ("#/components/parameters/idempotencyKey" in json.dumps(said["parameters"])) == operation.changes
    assert bool(said["security"]) == (operation.act is not None)
    assert operation.tag in openapi.TAGS


PLACES = {"latitude", "longitude"}
"""Degrees, the only fractions that there are."""


def test_bodies_refuse_unknown_fields_and_amounts_are_whole() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name not in ("Problem", "Description") and schema["type"] == "object":
            assert schema["additionalProperties"] is False, name
        for field, part in schema.get("properties", {}).items():
            assert part.get("type") != "number" or field in PLACES, (name, field)
            if field.endswith("_fen"):
                kinds = {one["type"] for one in part.get("anyOf", [part])}
                assert kinds <= {"integer", "null"}, (name, field)


@pytest.mark.parametrize("label", sorted(EXAMPLES))
def test_every_example_fits_its_own_description(label: str) -> None:
    method, path = label.split()
    said = DOCUMENT["paths"][path][method.lower()]
    example = EXAMPLES[label]
    answer = said["responses"][str(example["status"])]["content"]["application/json"]

    assert answer["example"] == example["response"]
    fit(example["response"], answer["schema"])
    if method == "POST":
        asked = said["requestBody"]["content"]["application/json"]
        assert asked["example"] == example["request"]
        fit(example["request"], asked["schema"])


def fit(value: object, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(value)
