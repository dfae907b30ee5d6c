"""The marked parts of docs/errors.md and docs/api.md are what the code says, and every mark and description is used."""

import json
import re
from pathlib import Path

import pytest

from chalicelib.api import openapi
from chalicelib.api.answers import OPERATIONS
from chalicelib.domain.errors import every_error
from tools import reference_docs
from tools.reference_docs import ADVICE, COMMAND, DOCS, FACTS, GATEWAY_ADVICE, advice_on, facts_of, filled, http_errors

WRITTEN = [DOCS / "errors.md", DOCS / "api.md"]
ALL = [*http_errors(), *every_error()]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_given_the_code_when_the_marked_parts_are_written_then_the_committed_file_is_the_same(path: Path) -> None:
    assert path.read_text("utf-8") == filled(path), f"docs/{path.name} is stale; run: {COMMAND}"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_given_a_document_when_read_then_every_mark_is_closed_and_none_is_empty(path: Path) -> None:
    text = path.read_text("utf-8")
    parts = re.findall(r"<!-- [^\n]+ · written by tools\.reference_docs -->\n(.*?)<!-- end -->", text, re.DOTALL)

    assert len(parts) == text.count("written by tools.reference_docs -->") == text.count("<!-- end -->") > 0
    assert all(part.strip() for part in parts)


def test_given_a_mark_that_means_nothing_when_filled_then_it_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- nonsense · written by tools.reference_docs -->\n<!-- end -->\n", "utf-8")

    with pytest.raises(LookupError, match="nonsense"):
        filled(page)


def test_given_all_errors_when_described_then_each_is_and_nothing_else_is() -> None:
    assert ADVICE.keys() <= {kind.code for kind in ALL}
    for kind in ALL:
        when, _ = advice_on(kind)
        assert when.endswith(".")
    assert GATEWAY_ADVICE.keys() == {code for _, code in reference_docs.gateway_codes()}


def test_given_all_facts_when_described_then_each_is_and_nothing_else_is() -> None:
    told = {(kind.code, fact) for kind in ALL for fact in facts_of(kind)}

    assert all(f"{code}.{fact}" in FACTS or fact in FACTS for code, fact in told)
    assert FACTS.keys() <= {f"{code}.{fact}" for code, fact in told} | {fact for _, fact in told}


def test_given_errors_md_when_read_then_codes_stand_in_their_order_of_precedence() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` [1-5][0-9x]{2} \|", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE)

    assert rows[: len(ALL)] == [kind.code for kind in ALL]


def test_given_errors_md_when_it_names_codes_then_there_are_such() -> None:
    known = {kind.code for kind in ALL} | GATEWAY_ADVICE.keys()
    text = (DOCS / "errors.md").read_text("utf-8").partition("## All codes")[0]
    order = text.partition("## The order of checks")[2]

    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", order))
    assert named <= known
    assert len(named) >= 30


def test_given_api_md_when_read_then_every_operation_stands_in_it_once_in_a_table() -> None:
    rows = re.findall(r"^\| `((?:GET|POST) /v1/[^`]+)` \|", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(one.label for one in OPERATIONS)


def test_given_api_md_when_it_shows_examples_then_they_are_recorded_ones() -> None:
    text = (DOCS / "api.md").read_text("utf-8")
    shown = re.findall(r"<!-- example of ([^·]+) · written", text)

    assert len(shown) > 5
    assert set(shown) <= json.loads(openapi.EXAMPLES.read_text("utf-8")).keys()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_given_a_document_when_it_links_then_the_file_and_the_heading_are_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not target.startswith(("http:", "https:")):
            name, _, heading = target.partition("#")
            there = (path.parent / name).resolve() if name else path
            assert there.exists(), target
            assert not heading or heading in _anchors(there), target


def _anchors(path: Path) -> set[str]:
    """The anchors that a Markdown renderer makes of a file's headings."""
    heads = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
