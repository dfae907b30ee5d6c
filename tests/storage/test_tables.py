"""Reading tables: batches, pages and their cursors, what a failed call means, one row outside a transaction."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.exceptions import PynamoDBException, QueryError

from chalicelib.config import read_settings
from chalicelib.domain.errors import Invalid, Unavailable
from chalicelib.services.ports import Platform
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow, InsightRow, PeopleRow
from chalicelib.storage.tables import Tables, translate
from chalicelib.storage.transaction import MOST_ACTIONS, Transaction, always
from tests.storage.arranging import an_id, joined

SETTINGS = read_settings(
    {
        "STAGE": "test",
        "AWS_REGION": "cn-north-1",
        **{f"{table}_TABLE": table.lower() for table in ("PEOPLE", "CATALOGUE", "CASEWORK", "INSIGHTS")},
    }
)
OFFLINE = Tables(SETTINGS, "http://127.0.0.1:9")


def put_rows(rows: Tables, subject: str, items: list[str]) -> None:
    for start in range(0, len(items), MOST_ACTIONS):
        tx = Transaction(rows)
        for item in items[start : start + MOST_ACTIONS]:
            row = CaseworkRow(subject, item, version=1, body="{}", list_key=subject, list_order=item)
            tx.put(row, CaseworkRow.subject.does_not_exist(), always(AssertionError("there")))
        tx.commit()


def opened(cursor: str) -> dict[str, str]:
    flat: dict[str, str] = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    return flat


def forged(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def test_given_more_keys_than_a_batch_holds_when_read_then_every_row_that_exists_comes_once(rows: Tables) -> None:
    subject, items = an_id(), [f"{n:03d}" for n in range(205)]
    put_rows(rows, subject, items)

    found = rows.batch_get(CaseworkRow, [(subject, item) for item in [*items, "missing"]])

    assert sorted(item["item"]["S"] for item in found) == items
    assert rows.batch_get(CaseworkRow, []) == []


def test_given_a_batch_that_is_answered_in_parts_when_read_then_the_rest_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, asked = OFFLINE.name(CaseworkRow), list[int]()

    def answer(_: str, wanted: list[Any], **__: Any) -> Any:
        asked.append(len(wanted))
        rest = wanted[2:]
        return {"Responses": {table: wanted[:2]}, "UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}

    monkeypatch.setattr(OFFLINE.connection, "batch_get_item", answer)
    monkeypatch.setattr("chalicelib.storage.tables.time.sleep", lambda _: None)

    found = OFFLINE.batch_get(CaseworkRow, [("S", str(n)) for n in range(5)])

    assert [item["item"]["S"] for item in found] == ["0", "1", "2", "3", "4"]
    assert asked == [5, 3, 1]


def test_given_a_batch_that_is_never_answered_whole_when_read_then_it_is_unavailable_and_not_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = OFFLINE.name(CaseworkRow)
    monkeypatch.setattr(
        OFFLINE.connection, "batch_get_item", lambda _, wanted, **__: {"UnprocessedKeys": {table: {"Keys": wanted}}}
    )
    monkeypatch.setattr("chalicelib.storage.tables.time.sleep", lambda _: None)

    with pytest.raises(Unavailable):
        OFFLINE.batch_get(CaseworkRow, [("S", "I")])


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "backward"])
def test_given_a_partition_when_walked_in_either_direction_then_each_row_stands_once_in_order(
    rows: Tables, forward: bool
) -> None:
    subject, items = an_id(), [f"{n:03d}" for n in range(10)]
    put_rows(rows, subject, items)
    put_rows(rows, an_id(), items)
    pages, cursor = [], None

    while True:
        page = rows.query(CaseworkRow, subject, limit=3, cursor=cursor, forward=forward)
        pages.append(tuple(item["item"]["S"] for item in page.items))
        cursor = page.cursor
        if cursor is None:
            break

    assert joined(pages) == (items if forward else items[::-1])


def test_given_a_list_when_its_index_still_names_rows_that_are_gone_then_they_are_passed_over(
    rows: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = an_id()
    put_rows(rows, subject, ["a", "b", "c"])
    through = rows.batch_get
    monkeypatch.setattr(rows, "batch_get", lambda row, wanted: through(row, [key for key in wanted if key[1] != "b"]))

    assert [item["item"]["S"] for item in rows.listed(CaseworkRow, subject, 9, None).items] == ["a", "c"]


# --- cursors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [None, "by_list"])
def test_given_a_cursor_when_its_keys_are_tampered_with_then_it_is_refused(rows: Tables, index: str | None) -> None:
    subject = an_id()
    put_rows(rows, subject, ["a", "b"])
    cursor = rows.query(CaseworkRow, subject, limit=1, index=index).cursor
    assert cursor is not None
    said = opened(cursor)
    partition = "list_key" if index else "subject"
    tampered = [
        {**said, partition: an_id()},
        {name: value for name, value in said.items() if name != "item"},
        {**said, "extra": "x"},
        {**said, "item": 7},
        {**said, "item": {"S": "a"}},
    ]

    for one in tampered:
        with pytest.raises(Invalid) as refused:
            rows.query(CaseworkRow, subject, limit=1, cursor=forged(one), index=index)
        assert refused.value.pointer == "cursor"

    whole = rows.query(CaseworkRow, subject, limit=1, cursor=forged(said), index=index)
    assert [item["item"]["S"] for item in whole.items] == ["b"]  # the same keys again do go on


def test_given_a_cursor_of_a_partition_when_used_for_an_index_of_it_then_it_is_refused(rows: Tables) -> None:
    subject = an_id()
    put_rows(rows, subject, ["a", "b"])
    cursor = rows.query(CaseworkRow, subject, limit=1).cursor

    with pytest.raises(Invalid):
        rows.listed(CaseworkRow, subject, 1, cursor)


def test_given_any_cursor_of_ours_when_looked_into_then_it_is_safe_in_a_url(stores: Platform, rows: Tables) -> None:
    subject = f"中文/{an_id()}?&="
    put_rows(rows, subject, ["a", "b"])

    cursor = rows.query(CaseworkRow, subject, limit=1).cursor

    assert cursor is not None
    assert cursor.isascii()
    assert not set(cursor) & set("/+=?&% ")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_given_whatever_text_when_taken_for_a_cursor_then_it_is_refused_before_any_call(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        OFFLINE.query(CaseworkRow, "SUBJECT", limit=1, cursor=text)
    assert refused.value.pointer == "cursor"


def test_given_a_well_formed_cursor_of_another_list_when_used_then_it_is_refused_before_any_call() -> None:
    """The engines would refuse it too; whether they do is not what keeps one list's cursor out of another."""
    of_a_partition = forged({"subject": "OTHER", "item": "I"})
    of_an_index = forged({"subject": "S", "item": "I", "list_key": "OTHER", "list_order": "O"})

    with pytest.raises(Invalid):
        OFFLINE.query(CaseworkRow, "SUBJECT", limit=1, cursor=of_a_partition)
    with pytest.raises(Invalid):
        OFFLINE.query(CaseworkRow, "SUBJECT", limit=1, cursor=of_an_index, index="by_list")


@pytest.mark.parametrize("said", [None, [], "text", 7, {}, {"subject": "SUBJECT"}, [["subject", "SUBJECT"]]])
def test_given_json_that_is_no_cursor_when_taken_for_one_then_it_is_refused(said: object) -> None:
    with pytest.raises(Invalid):
        OFFLINE.query(CaseworkRow, "SUBJECT", limit=1, cursor=forged(said))


def test_given_json_nested_without_end_when_taken_for_a_cursor_then_it_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()

    with pytest.raises(Invalid):
        OFFLINE.query(CaseworkRow, "SUBJECT", limit=1, cursor=deep)


# --- failures ------------------------------------------------------------------------------------------------------


def failed(code: str, message: str = "") -> PynamoDBException:
    return QueryError("made up", ClientError({"Error": {"Code": code, "Message": message}}, "Query"))


@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError", "RequestLimitExceeded"],
)
def test_given_a_failure_that_passes_when_translated_then_it_is_unavailable(code: str) -> None:
    assert isinstance(translate(failed(code)), Unavailable)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_given_a_failure_of_our_own_when_translated_then_it_stays_what_it_is(code: str) -> None:
    failure = failed(code, "something else")

    assert translate(failure) is failure


@pytest.mark.parametrize(
    "message", ["The provided starting key is invalid", "Exclusive Start Key must have same size as table's key schema"]
)
def test_given_a_start_key_that_the_engine_refuses_when_translated_then_the_cursor_is_what_is_wrong(
    message: str,
) -> None:
    translated = translate(failed("ValidationException", message))

    assert isinstance(translated, Invalid)
    assert translated.pointer == "cursor"


def test_given_nobody_who_answers_when_asked_then_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)

    with pytest.raises(Unavailable):
        OFFLINE.get(PeopleRow, "P", "I")
    with pytest.raises(Unavailable):
        OFFLINE.update_if(InsightRow("S", "I"), [InsightRow.body.set("x")], InsightRow.subject.does_not_exist())


# --- one row outside a transaction -----------------------------------------------------------------------------------


def test_given_a_condition_when_it_holds_then_the_row_after_it_comes_and_else_nothing_is_changed(rows: Tables) -> None:
    row = InsightRow(an_id(), keys.HEAD)
    absent = InsightRow.subject.does_not_exist()

    made = rows.update_if(row, [InsightRow.body.set("once")], absent)
    refused = rows.update_if(row, [InsightRow.body.set("twice")], absent)

    assert made is not None
    assert made["body"] == {"S": "once"}
    assert refused is None
    kept = rows.get(InsightRow, row.subject, keys.HEAD)
    assert kept == made
