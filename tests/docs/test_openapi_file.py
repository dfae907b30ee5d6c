"""docs/openapi.json is the document that the platform serves."""

import json

from chalicelib.api import openapi
from tools.reference_docs import COMMAND, DOCS, openapi_text

FILE = DOCS / "openapi.json"


def test_given_the_code_when_the_document_is_built_then_the_committed_file_is_the_same() -> None:
    assert FILE.read_text("utf-8") == openapi_text(), f"docs/openapi.json is stale; run: {COMMAND}"


def test_given_the_committed_file_when_read_then_a_change_is_seen_line_by_line() -> None:
    text = FILE.read_text("utf-8")

    assert json.loads(text) == openapi.document()
    assert len(text.splitlines()) > 1_000
    assert text.endswith("}\n")
