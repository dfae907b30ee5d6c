"""docs/api.md draws what the rules say: steps, states, and what is looked at with --check."""

import re
from pathlib import Path

import pytest

from chalicelib.domain import pace
from chalicelib.domain.access import Role
from chalicelib.domain.template import TemplateState
from chalicelib.domain.voucher import FOLLOWS, State
from tools import reference_docs
from tools.reference_docs import DOCS

API = DOCS / "api.md"


def arrows(states: set[str]) -> list[tuple[str, str]]:
    """The arrows of the diagram that draws these states."""
    diagrams = re.findall(r"stateDiagram-v2\n(.*?)```", API.read_text("utf-8"), re.DOTALL)
    drawn = [re.findall(r"^ +(\S+) --> ([^\s:]+)", diagram, re.MULTILINE) for diagram in diagrams]
    return next(found for found in drawn if states & {end for _, end in found})


def test_given_the_life_of_a_voucher_when_drawn_then_every_arrow_is_a_lawful_step() -> None:
    found = arrows({"redeemed"})

    steps = [(None if before == "[*]" else State(before), State(after)) for before, after in found if after != "[*]"]
    assert len(steps) > 5
    assert all(after in FOLLOWS[before] for before, after in steps)
    assert all(not FOLLOWS[State(before)] for before, after in found if after == "[*]")


def test_given_the_life_of_a_voucher_when_drawn_then_every_step_of_an_operation_or_job_is_there() -> None:
    lawful = {(before, after) for before, ends in FOLLOWS.items() for after in ends}

    found = arrows({"redeemed"})

    drawn = {(None if before == "[*]" else before, after) for before, after in found if after != "[*]"}
    assert drawn == lawful


def test_given_the_life_of_a_template_when_drawn_then_it_shows_every_state() -> None:
    found = arrows({"draft"})

    assert {end for arrow in found for end in arrow} - {"[*]"} == set(TemplateState)


def test_given_a_stale_document_when_checked_then_the_exit_code_says_so_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("old", "utf-8")
    monkeypatch.setattr(reference_docs, "ROOT", tmp_path)
    monkeypatch.setattr(reference_docs, "documents", lambda: {page: "new"})

    assert reference_docs.main(["--check"]) == 1
    assert page.read_text("utf-8") == "old"
    assert "page.md" in (said := capsys.readouterr().err)
    assert reference_docs.COMMAND in said

    assert reference_docs.main([]) == 0
    assert page.read_text("utf-8") == "new"
    assert reference_docs.main(["--check"]) == 0


def test_given_usual_paces_when_the_document_tells_them_then_they_are_those_of_the_code() -> None:
    usual = re.sub(r"\s+", " ", API.read_text("utf-8").partition("## How fast")[2]).partition("changes it")[0]

    told = {
        Role.CHANNEL: "channels 500",
        Role.INSTITUTION: "institutions, counties and auditors 20",
        Role.COUNTY: "institutions, counties and auditors 20",
        Role.AUDITOR: "institutions, counties and auditors 20",
        Role.CITY: "cities 50",
        Role.PROVINCE: "provinces 100",
        Role.MINISTRY: "the ministry 200",
    }
    assert all(words in usual for words in told.values())
    assert {role: int(words.rpartition(" ")[2]) for role, words in told.items()} == pace.USUAL
