"""The watch over the people table's stream: lawful steps pass in silence, all else is said and counted."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.jobs import watching
from tests.world import World
from tools.package import ROOT

STEPS = json.loads((ROOT / "events" / "follow_people.steps.json").read_text(encoding="utf-8"))["Records"]
CLAIM, REDEEM = STEPS[0], STEPS[3]


@pytest.fixture
def watched(strict_world: World) -> Iterator[World]:
    wiring.use(strict_world.platform)
    yield strict_world
    wiring.use(None)


def told(capsys: pytest.CaptureFixture[str], *records: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the function answers to these records, and the outcomes that it counted."""
    capsys.readouterr()
    answer = watching.run({"Records": list(records)})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    counted = [
        metric["Name"] for line in lines if "_aws" in line for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]
    return answer, counted


def changed(record: dict[str, Any], image: str = "NewImage", **changes: Any) -> dict[str, Any]:
    """The record with fields of the voucher's body replaced, as somebody with write access to the table could."""
    copy: dict[str, Any] = json.loads(json.dumps(record))
    body = json.loads(copy["dynamodb"][image]["body"]["S"])
    copy["dynamodb"][image]["body"]["S"] = json.dumps(body | changes, ensure_ascii=False)
    return copy


def body_of(record: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(record["dynamodb"]["NewImage"]["body"]["S"])
    return body


def test_given_lawful_steps_when_watched_then_nothing_is_counted(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, *STEPS) == ({"batchItemFailures": []}, [])


def test_given_a_voucher_row_that_was_deleted_when_watched_then_it_is_said(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = json.loads(json.dumps(REDEEM))
    gone["eventName"] = "REMOVE"
    gone["dynamodb"]["OldImage"] = gone["dynamodb"].pop("NewImage")

    _, counted = told(capsys, gone)

    assert counted == ["deleted", "unlawful_change"]


def test_given_a_history_that_was_rewritten_when_watched_then_it_is_said(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = body_of(REDEEM)["history"]
    lie = entries[0]["text"].replace('"entrance":"card"', '"entrance":"none"')
    assert lie != entries[0]["text"]

    _, counted = told(capsys, changed(REDEEM, history=[{"text": lie}, entries[1]]))

    assert counted[-1] == "unlawful_change"
    assert counted[0] in ("rewritten", "broken_chain")


def test_given_a_state_that_no_entry_tells_of_when_watched_then_it_is_said(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _, counted = told(capsys, changed(REDEEM, state="claimed"))

    assert counted[-1] == "unlawful_change"


def test_given_an_entry_that_was_dropped_when_watched_then_it_is_said(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _, counted = told(capsys, changed(REDEEM, history=body_of(REDEEM)["history"][:1]))

    assert counted[-1] == "unlawful_change"


def test_given_a_row_that_cannot_be_read_when_watched_then_it_is_handed_back_with_all_after_it(
    watched: World, capsys: pytest.CaptureFixture[str]
) -> None:
    unreadable = json.loads(json.dumps(REDEEM))
    unreadable["dynamodb"]["NewImage"]["body"]["S"] = "{not JSON"

    answer, counted = told(capsys, CLAIM, unreadable)

    assert answer == {"batchItemFailures": [{"itemIdentifier": unreadable["dynamodb"]["SequenceNumber"]}]}
    assert counted == ["unreadable"]
