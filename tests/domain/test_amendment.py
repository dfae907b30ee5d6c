"""Terms change in the holders' favour only. Source: domain.md §3 (粤人社函〔2021〕101号: terms that a person holds)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.amendment import (
    MOST_AMENDMENTS,
    MOST_PLACES,
    Changes,
    Errand,
    amend_template,
    amend_terms,
)
from chalicelib.domain.errors import Invalid, NotInFavour, TemplateStateRefused
from chalicelib.domain.template import TemplateState, is_settled
from tests.domain.builders import a_template, some_terms

TODAY = date(2021, 6, 1)
TERMS = some_terms(
    claim_from=date(2021, 4, 1),
    claim_until=date(2021, 5, 31),
    valid_from=date(2021, 4, 1),
    valid_until=date(2021, 6, 30),
    courses=("C1",),
    institutions=("I1",),
)
PUBLISHED = replace(a_template(), state=TemplateState.PUBLISHED, published_at=a_template().made_at)


def amended(terms: Any = TERMS, template: Any = PUBLISHED, **changes: Any) -> Any:
    return amend_terms(template, terms, Changes(**changes), "台风", today=TODAY)


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"valid_until": date(2021, 7, 1)}, {"valid_until": date(2021, 7, 1)}),
        ({"claim_until": date(2021, 6, 30)}, {"claim_until": date(2021, 6, 30)}),
        ({"add_courses": ("C2", "C1", "C2")}, {"courses": ("C1", "C2")}),
        ({"add_institutions": ("I2",)}, {"institutions": ("I1", "I2")}),
        (
            {"valid_until": date(2021, 9, 1), "claim_until": date(2021, 9, 1)},
            {"valid_until": date(2021, 9, 1), "claim_until": date(2021, 9, 1)},
        ),
    ],
)
def test_given_terms_when_amended_in_favour_then_the_next_version_promises_that_and_all_else_as_before(
    changes: dict[str, Any], after: dict[str, Any]
) -> None:
    assert amended(**changes) == replace(TERMS, version=2, reason="台风", **after)


@pytest.mark.parametrize(
    ("changes", "what", "reason"),
    [
        ({"valid_until": date(2021, 6, 29)}, "valid_until", "not_later"),
        ({"valid_until": date(2021, 6, 30)}, "valid_until", "not_later"),
        ({"claim_until": date(2021, 5, 30)}, "claim_until", "not_later"),
        ({"add_courses": ("C1",)}, "add_courses", "there_already"),
        ({"add_institutions": ("I1",)}, "add_institutions", "there_already"),
        ({"valid_until": date(2021, 7, 1), "claim_until": date(2021, 5, 31)}, "claim_until", "not_later"),
        ({"add_courses": tuple(f"N{n}" for n in range(MOST_PLACES))}, "add_courses", "too_often"),
    ],
)
def test_given_terms_when_an_amendment_is_not_in_favour_then_it_is_refused_with_the_reason(
    changes: dict[str, Any], what: str, reason: str
) -> None:
    with pytest.raises(NotInFavour) as refused:
        amended(**changes)

    assert refused.value.facts == {"what": what, "reason": reason}


@pytest.mark.parametrize("what", ["courses", "institutions"])
def test_given_terms_that_allow_any_when_one_is_to_be_added_then_there_is_nothing_to_add(what: str) -> None:
    anywhere: Any = {what: ()}

    with pytest.raises(NotInFavour) as refused:
        amended(replace(TERMS, **anywhere), **{f"add_{what}": ("X",)})

    assert refused.value.facts["reason"] == "any_already"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({}, ""),
        ({"claim_until": date(2021, 7, 1)}, "/claim_until"),
    ],
)
def test_given_terms_when_an_amendment_makes_no_sense_then_the_field_is_named(
    changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        amended(**changes)

    assert refused.value.pointer == pointer


def test_given_terms_that_are_over_when_made_longer_by_days_that_are_over_too_then_refused() -> None:
    over = replace(TERMS, claim_until=date(2021, 5, 1), valid_until=date(2021, 5, 1))

    with pytest.raises(Invalid):
        amended(over, valid_until=date(2021, 5, 31))
    assert amended(over, valid_until=TODAY).valid_until == TODAY


def test_given_terms_amended_as_often_as_can_be_when_amended_again_then_refused() -> None:
    amended(replace(TERMS, version=MOST_AMENDMENTS), valid_until=date(2021, 7, 1))

    with pytest.raises(NotInFavour):
        amended(replace(TERMS, version=MOST_AMENDMENTS + 1), valid_until=date(2021, 7, 1))


def test_given_a_closed_template_when_amended_then_its_vouchers_are_valid_longer_but_nobody_claims_again() -> None:
    closed = replace(PUBLISHED, state=TemplateState.CLOSED)

    assert amended(template=closed, valid_until=date(2021, 7, 1)).version == 2
    with pytest.raises(TemplateStateRefused):
        amended(template=closed, claim_until=date(2021, 6, 30))


@pytest.mark.parametrize("state", [TemplateState.PUBLISHED, TemplateState.SUSPENDED, TemplateState.CLOSED])
def test_given_a_template_when_amended_then_its_shards_have_yet_to_follow(state: TemplateState) -> None:
    before = replace(PUBLISHED, state=state, gate=3, gate_reached=3, released=True, unallotted=0)

    after = amend_template(before)

    assert is_settled(before)
    assert not is_settled(after)
    assert (after.terms_version, after.gate, after.version) == (before.terms_version + 1, 4, before.version + 1)
    assert after.state is state


@pytest.mark.parametrize("state", [TemplateState.DRAFT, TemplateState.CLOSED])
def test_given_a_template_that_was_never_published_when_amended_then_refused(state: TemplateState) -> None:
    with pytest.raises(TemplateStateRefused):
        amend_template(replace(PUBLISHED, state=state, published_at=None))


@pytest.mark.parametrize("errand", [Errand("T", 1), Errand("T", 2, 3, True, date(2021, 7, 1), 31, True)])
def test_given_an_errand_when_written_and_read_then_it_is_the_same(errand: Errand) -> None:
    assert Errand.read(errand.text()) == errand
