"""Marks: the kept answer of a request, and how long it is kept."""

from datetime import timedelta

import pytest

from chalicelib.domain.attempt import KEPT
from chalicelib.domain.errors import Reused
from chalicelib.domain.outcomes import Mark, RequestSeen
from chalicelib.domain.programme import Programme
from chalicelib.services.ports import Platform
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow
from chalicelib.storage.tables import Tables
from tests.domain.builders import CLAIMED_AT, MILLISECOND, an_attempt
from tests.storage.arranging import a_mark, an_id

SECOND = timedelta(seconds=1)


def a_programme() -> Programme:
    return Programme(an_id(), "440300", "企业职工培训", "Staff training", "enterprise", 200_000)


def carried_out(stores: Platform) -> Mark:
    """A request that added a programme, by its mark."""
    programme = a_programme()
    mark = a_mark(programme)
    stores.catalogue.programmes.add(programme, mark)
    return mark


def test_given_a_request_that_was_carried_out_when_looked_for_then_any_container_finds_its_answer(
    stores: Platform, elsewhere: Platform
) -> None:
    mark = carried_out(stores)

    assert elsewhere.marks.find(mark.attempt, Programme, CLAIMED_AT) == mark.answer
    assert elsewhere.marks.find(an_attempt(an_id()), Programme, CLAIMED_AT) is None


@pytest.mark.parametrize(
    ("age", "kept"),
    [(KEPT - SECOND, True), (KEPT, True), (KEPT + MILLISECOND, False), (KEPT + SECOND, False)],
    ids=["30 days less a second", "30 days", "30 days and a millisecond", "30 days and a second"],
)
def test_given_a_mark_of_an_age_when_looked_for_and_used_again_then_both_know_it_equally_long(
    stores: Platform, age: timedelta, kept: bool
) -> None:
    mark = carried_out(stores)
    later = CLAIMED_AT + age

    assert (stores.marks.find(mark.attempt, Programme, later) is not None) is kept

    other = a_programme()
    again = Mark(mark.attempt, other, later)
    if kept:
        with pytest.raises(RequestSeen):
            stores.catalogue.programmes.add(other, again)
        assert stores.marks.find(mark.attempt, Programme, later) == mark.answer
    else:
        stores.catalogue.programmes.add(other, again)
        assert stores.marks.find(mark.attempt, Programme, later) == other


def test_given_a_key_when_it_comes_with_another_body_then_it_is_reused_for_as_long_as_the_mark_is_kept(
    stores: Platform,
) -> None:
    key = an_id()
    programme = a_programme()
    stores.catalogue.programmes.add(programme, a_mark(programme, key=key, body=b"first"))
    other = an_attempt(key, b"second")

    for age in (timedelta(), KEPT):
        with pytest.raises(Reused):
            stores.marks.find(other, Programme, CLAIMED_AT + age)

    assert stores.marks.find(other, Programme, CLAIMED_AT + KEPT + SECOND) is None


def test_given_the_same_key_of_another_client_or_operation_when_looked_for_then_it_is_another_request(
    stores: Platform,
) -> None:
    key = an_id()
    programme = a_programme()
    stores.catalogue.programmes.add(programme, a_mark(programme, key=key))

    for other in (an_attempt(key, app_key="OTHER"), an_attempt(key, operation="other")):
        assert stores.marks.find(other, Programme, CLAIMED_AT) is None
    assert stores.marks.find(an_attempt(key), Programme, CLAIMED_AT) == programme


def test_given_a_mark_when_its_row_is_read_then_neither_key_nor_body_stands_in_it(
    stores: Platform, rows: Tables
) -> None:
    programme = a_programme()
    mark = a_mark(programme, key="a key that names somebody", body=b"a body that says something")
    stores.catalogue.programmes.add(programme, mark)

    row = rows.get(CaseworkRow, keys.mark(mark.attempt.request), keys.HEAD)

    assert row is not None
    assert "somebody" not in str(row)
    assert "something" not in str(row)
    assert row["request_body"]["S"] == mark.attempt.body
