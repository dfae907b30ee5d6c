"""Refusals: one code each, a sentence in both languages that its facts fill, and an order that leaves no doubt."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from chalicelib.domain import errors
from chalicelib.domain.errors import DomainError, Invalid, every_error

CHALICELIB = Path(errors.__file__).parents[1]
ERRORS = every_error()
BY_NAME = {kind.__name__: kind for kind in ERRORS}
BASES = [kind for kind in ERRORS if kind.__bases__ == (DomainError,)]


def names_in(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def raised() -> Iterator[tuple[str, ast.Call, type[DomainError]]]:
    """Every place in chalicelib where a refusal of the domain is made."""
    for path in sorted(CHALICELIB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in BY_NAME:
                    yield f"{path.relative_to(CHALICELIB)}:{node.lineno}", node, BY_NAME[name]


RAISED = list(raised())


class TestTexts:
    @pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
    def test_given_an_error_when_said_then_code_and_both_texts_are_its_own(self, kind: type[DomainError]) -> None:
        for name in ("code", "zh", "en"):
            assert name in vars(kind)
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
        assert re.search(r"[\u4e00-\u9fff]", kind.zh)
        assert kind.zh.endswith("。")
        assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", kind.en)
        assert kind.en.endswith(".")

    @pytest.mark.parametrize("attribute", ["code", "zh", "en"])
    def test_given_all_errors_when_compared_then_no_two_say_the_same(self, attribute: str) -> None:
        said = [getattr(kind, attribute) for kind in ERRORS]

        assert len(said) == len(set(said))

    @pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
    def test_given_an_error_when_its_sentences_are_compared_then_both_name_the_same_facts(
        self, kind: type[DomainError]
    ) -> None:
        assert {name.removesuffix("_zh") for name in names_in(kind.zh)} == names_in(kind.en)

    @pytest.mark.parametrize(
        ("call", "kind"), [pytest.param(call, kind, id=f"{where}-{kind.__name__}") for where, call, kind in RAISED]
    )
    def test_given_a_place_that_refuses_when_read_then_it_tells_every_fact_that_the_sentences_name(
        self, call: ast.Call, kind: type[DomainError]
    ) -> None:
        told = {keyword.arg for keyword in call.keywords}

        assert not call.args
        for sentence in (kind.zh, kind.en):
            assert names_in(sentence) <= told

    def test_given_all_rooms_when_looked_through_then_every_error_is_made_somewhere(self) -> None:
        made = {kind.__name__ for _, _, kind in RAISED}
        for path in CHALICELIB.glob("[!a]*/*.py"):  # not api: it lists errors for the documentation
            made |= {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}

        assert {kind.__name__ for kind in ERRORS if kind not in BASES} <= made

    def test_given_facts_when_an_error_is_made_then_it_carries_them_and_its_text_does_not(self) -> None:
        error = errors.CapReached(rule="year", limit=3)

        assert error.facts == {"rule": "year", "limit": 3}
        assert str(error) == "cap_reached"  # what a stack trace shows
        assert error.zh.format(**error.facts) == "已达领取上限（规则 year，上限 3）。"
        assert error.en.format(**error.facts) == "The cap is reached (rule year, limit 3)."

    def test_given_a_field_that_is_wrong_when_refused_then_the_pointer_names_it_and_is_no_fact(self) -> None:
        error = Invalid(pointer="/quantity", reason="too small")

        assert (error.pointer, error.facts) == ("/quantity", {"reason": "too small"})
        assert Invalid(reason="x").pointer == ""


class TestPrecedence:
    def test_given_all_errors_when_listed_then_each_stands_once_in_the_order_of_the_page(self) -> None:
        lines = [inspect.getsourcelines(kind)[1] for kind in ERRORS]

        assert lines == sorted(set(lines))
        declared = [node for node in ast.parse(inspect.getsource(errors)).body if isinstance(node, ast.ClassDef)]
        assert [kind.__name__ for kind in ERRORS] == [node.name for node in declared if node.name != "DomainError"]

    def test_given_a_base_when_listed_then_it_stands_before_what_is_made_of_it(self) -> None:
        assert ERRORS[: len(BASES)] == BASES
        for kind in ERRORS[len(BASES) :]:
            assert sum(issubclass(kind, base) for base in BASES) == 1

    def test_given_the_bases_when_listed_then_who_is_asking_comes_before_what_is_there_and_its_state(self) -> None:
        names = [base.__name__ for base in BASES]
        order = ["Invalid", "Unauthenticated", "Forbidden", "NotFound", "Refused", "Reused", "Unavailable"]

        assert [name for name in names if name in order] == order
