"""One TransactWriteItems: what each failed condition means, what is tried again, what is done once."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from pynamodb.exceptions import CancellationReason, TransactWriteError, VerboseClientError

from chalicelib.config import read_settings
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcomes import WriteConflict
from chalicelib.storage import keys, transaction
from chalicelib.storage.rows import CaseworkRow, Item
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import MOST_ACTIONS, Transaction, always
from tests.storage.arranging import an_id

ABSENT = CaseworkRow.subject.does_not_exist()
THERE = CaseworkRow.subject.exists()


class Meant(Exception):
    """What a test's condition means."""


@pytest.fixture
def own_tables(shared_tables: dict[str, str]) -> Tables:
    """A connection of this test's own, to break."""
    return Tables(read_settings(shared_tables), shared_tables["AWS_ENDPOINT_URL"])


def a_row(subject: str, body: str = "{}", version: int = 1) -> CaseworkRow:
    return CaseworkRow(subject, keys.HEAD, version=version, body=body)


def put_one(rows: Tables, subject: str, body: str = "{}") -> None:
    tx = Transaction(rows)
    tx.put(a_row(subject, body), ABSENT, always(Meant("there")))
    tx.commit()


def stands(rows: Tables, subject: str) -> bool:
    return rows.get(CaseworkRow, subject, keys.HEAD) is not None


def body_of(rows: Tables, subject: str) -> str:
    item = rows.get(CaseworkRow, subject, keys.HEAD)
    assert item is not None
    return str(item["body"]["S"])


def add_refused(tx: Transaction, kind: str, subject: str, error: Exception) -> None:
    """A write whose condition does not hold, for a row that stands."""
    if kind == "put":
        tx.put(a_row(subject), ABSENT, always(error))
    elif kind == "update":
        tx.update(a_row(subject), [CaseworkRow.version.add(1)], ABSENT, always(error))
    else:
        tx.check(a_row(subject), ABSENT, always(error))


@pytest.mark.parametrize("order", list(itertools.permutations(("put", "update", "check"))))
def test_given_several_failed_conditions_when_committed_then_the_first_added_is_the_one_that_is_meant(
    rows: Tables, order: tuple[str, ...]
) -> None:
    subjects = {kind: an_id() for kind in order}
    for subject in subjects.values():
        put_one(rows, subject)
    tx = Transaction(rows)
    for kind in order:
        add_refused(tx, kind, subjects[kind], Meant(kind))

    with pytest.raises(Meant) as refused:
        tx.commit()

    assert refused.value.args == (order[0],)


@pytest.mark.parametrize("failing", range(6))
def test_given_one_failed_condition_among_six_when_committed_then_its_own_error_comes_and_nothing_is_written(
    rows: Tables, failing: int
) -> None:
    kinds = ["update", "put", "check", "put", "update", "check"]
    subjects = [an_id() for _ in kinds]
    for subject in subjects:
        put_one(rows, subject, "before")
    fresh = an_id()
    tx = Transaction(rows)
    tx.put(a_row(fresh), ABSENT, always(Meant("fresh")))
    for place, (kind, subject) in enumerate(zip(kinds, subjects, strict=True)):
        condition, meaning = ABSENT if place == failing else THERE, always(Meant(place))
        if kind == "put":
            tx.put(a_row(subject, "after"), condition, meaning)
        elif kind == "update":
            tx.update(a_row(subject), [CaseworkRow.body.set("after")], condition, meaning)
        else:
            tx.check(a_row(subject), condition, meaning)

    with pytest.raises(Meant) as refused:
        tx.commit()

    assert refused.value.args == (failing,)
    assert not stands(rows, fresh)
    assert [body_of(rows, subject) for subject in subjects] == ["before"] * 6


def test_given_a_failed_condition_when_its_meaning_is_asked_then_it_is_told_the_row_as_it_was(rows: Tables) -> None:
    subject, told = an_id(), list[Item | None]()
    put_one(rows, subject, "as it was")

    def meaning(item: Item | None) -> Exception:
        told.append(item)
        return Meant()

    for missing_or_not in (subject, an_id()):
        tx = Transaction(rows)
        tx.update(a_row(missing_or_not), [CaseworkRow.version.add(1)], CaseworkRow.version == 7, meaning)
        with pytest.raises(Meant):
            tx.commit()

    there, missing = told
    assert there is not None
    assert there["body"] == {"S": "as it was"}
    assert missing is None


def test_given_a_transaction_that_was_committed_when_repeated_then_its_own_condition_refuses_it(rows: Tables) -> None:
    subject = an_id()
    tx = Transaction(rows)
    tx.put(a_row(subject, "once"), ABSENT, always(Meant("twice")))
    tx.commit()

    with pytest.raises(Meant, match="twice"):
        tx.commit()

    assert body_of(rows, subject) == "once"


def test_given_a_hundred_actions_when_committed_then_they_pass_and_one_more_is_our_own_mistake(rows: Tables) -> None:
    subjects = [an_id() for _ in range(MOST_ACTIONS + 1)]
    full, over = Transaction(rows), Transaction(rows)
    for subject in subjects[:MOST_ACTIONS]:
        full.put(a_row(subject), ABSENT, always(Meant()))
    for subject in subjects:
        over.put(a_row(subject, "over"), CaseworkRow.body != "over", always(Meant()))

    full.commit()

    assert len(over) == 101
    with pytest.raises(AssertionError, match="101 actions"):
        over.commit()
    assert all(stands(rows, subject) for subject in subjects[:MOST_ACTIONS])
    assert not stands(rows, subjects[-1])


# --- others are in the way -----------------------------------------------------------------------------------------


def cancelled(*codes: str) -> TransactWriteError:
    """What PynamoDB raises for a cancelled transaction with these reasons."""
    response = {"Error": {"Code": "TransactionCanceledException"}}
    reasons = [CancellationReason(code) for code in codes]
    cause = VerboseClientError(response, "TransactWriteItems", cancellation_reasons=reasons)
    return TransactWriteError("made up", cause)


def failed_with(code: str) -> TransactWriteError:
    return TransactWriteError("made up", ClientError({"Error": {"Code": code}}, "TransactWriteItems"))


def fail_first(monkeypatch: pytest.MonkeyPatch, tables: Tables, *failures: Exception) -> Callable[[], int]:
    """Let the first calls fail like this, and the next ones through; the answer counts the calls."""
    through, calls = tables.connection.transact_write_items, list[str]()

    def call(**kwargs: Any) -> Any:
        calls.append(kwargs["client_request_token"])
        if len(calls) <= len(failures):
            raise failures[len(calls) - 1]
        return through(**kwargs)

    monkeypatch.setattr(tables.connection, "transact_write_items", call)
    monkeypatch.setattr(f"{transaction.__name__}.time.sleep", lambda _: None)
    return lambda: len(calls) if len(set(calls)) == len(calls) else -1


@pytest.mark.parametrize("passing", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_given_others_in_the_way_for_a_moment_when_committed_then_it_is_tried_again_as_a_request_of_its_own(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables, passing: str
) -> None:
    calls = fail_first(monkeypatch, own_tables, cancelled(passing), cancelled(passing))
    subject = an_id()

    put_one(own_tables, subject)

    assert calls() == 3
    assert stands(own_tables, subject)


def test_given_others_in_the_way_all_the_time_when_committed_then_it_is_a_conflict_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    calls = fail_first(monkeypatch, own_tables, *[cancelled("TransactionConflict")] * 9)
    subject = an_id()

    with pytest.raises(WriteConflict):
        put_one(own_tables, subject)

    assert calls() == transaction.TRIES
    assert not stands(own_tables, subject)


def test_given_one_try_when_others_are_in_the_way_then_it_is_a_conflict_at_once(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    calls = fail_first(monkeypatch, own_tables, cancelled("TransactionConflict"))
    subject = an_id()
    tx = Transaction(own_tables)
    tx.put(CaseworkRow(subject, keys.HEAD), CaseworkRow.subject.does_not_exist(), always(AssertionError()))

    with pytest.raises(WriteConflict):
        tx.commit(tries=1, met=5)

    assert calls() == 1
    assert not stands(own_tables, subject)


def test_given_conflicts_in_a_row_when_waiting_then_longer_each_time_and_never_longer_than_the_longest() -> None:
    longest = [max(transaction.pause(conflicts) for _ in range(300)) for conflicts in range(1, 60)]

    assert 0 < longest[0] <= transaction.SHORTEST_PAUSE
    assert longest[0] < longest[2] < longest[3]
    assert transaction.LONGEST_PAUSE / 2 < max(longest) <= transaction.LONGEST_PAUSE


def test_given_a_conflict_beside_a_failed_condition_when_committed_then_the_condition_decides_at_once(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    calls = fail_first(monkeypatch, own_tables, cancelled("TransactionConflict", "ConditionalCheckFailed"))
    tx = Transaction(own_tables)
    tx.put(a_row(an_id()), ABSENT, always(Meant("the conflict's")))
    tx.put(a_row(an_id()), ABSENT, always(Meant("the condition's")))

    with pytest.raises(Meant, match="the condition's"):
        tx.commit()

    assert calls() == 1


def test_given_a_reason_that_no_patience_heals_when_committed_then_the_failure_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    calls = fail_first(monkeypatch, own_tables, cancelled("ValidationError"))

    with pytest.raises(TransactWriteError):
        put_one(own_tables, an_id())

    assert calls() == 1


@pytest.mark.parametrize(
    "failure",
    [
        failed_with("ThrottlingException"),
        failed_with("InternalServerError"),
        failed_with("TransactionInProgressException"),
        TransactWriteError("made up", EndpointConnectionError(endpoint_url="http://127.0.0.1")),
    ],
    ids=lambda failure: str(failure.cause_response_code),
)
def test_given_no_clear_answer_when_committed_then_the_outcome_is_said_to_be_unknown(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables, failure: Exception
) -> None:
    fail_first(monkeypatch, own_tables, failure)

    with pytest.raises(Unavailable):
        put_one(own_tables, an_id())


def test_given_a_failure_that_is_our_own_when_committed_then_it_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    fail_first(monkeypatch, own_tables, failed_with("AccessDeniedException"))

    with pytest.raises(TransactWriteError):
        put_one(own_tables, an_id())


def test_given_an_answer_that_is_lost_on_its_way_when_the_call_is_repeated_then_nothing_is_added_twice(
    monkeypatch: pytest.MonkeyPatch, own_tables: Tables
) -> None:
    subject = an_id()
    put_one(own_tables, subject)
    tx = Transaction(own_tables)
    tx.update(
        a_row(subject), [CaseworkRow.version.add(1)], CaseworkRow.version == 1, always(Meant("carried out twice"))
    )
    http = own_tables.connection.client._endpoint.http_session
    through, sent = http.send, list[bytes]()

    def lose_the_first(request: Any) -> Any:
        answer = through(request)
        sent.append(request.body)
        if len(sent) == 1:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr(http, "send", lose_the_first)

    tx.commit()

    assert len(sent) == 2
    assert sent[0] == sent[1]
    row = own_tables.get(CaseworkRow, subject, keys.HEAD)
    assert row is not None
    assert row["version"] == {"N": "2"}
