"""The platform as it is deployed: HTTP through the gateway, functions by their events, the watch by the stream."""

import io
import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from chalicelib.domain import calendar
from tests.privacy.canaries import leaks, secrets_of
from tools import bootstrap, call
from tools.api_client import ApiClient, Operator
from tools.demo import INSTITUTION_ID, expire_one, raise_curtain, tell
from tools.demo_desk import tell_of_the_desk
from tools.demo_eligibility import tell_who_may_claim
from tools.demo_stage import DemoStage
from tools.invoke import function_of, invoke
from tools.local_stack import LocalStack
from tools.package import ROOT
from tools.people import invented_person
from tools.story import Story

EVENTS, README = ROOT / "events", ROOT / "README.md"


@pytest.fixture(scope="module")
def played(deployed: LocalStack) -> Iterator[tuple[DemoStage, Story, str]]:
    """The main job, run once on the deployed stack: who took part, what was compared, what was told."""
    told = io.StringIO()
    console = Console(file=told, width=100)
    with mock.patch.dict(os.environ):
        stage, ministry = raise_curtain(deployed, console)
        story = Story(console)
        tell(stage, ministry, story, calendar.local_date(ministry.now()))
        yield stage, story, told.getvalue()


def test_given_a_fresh_deployment_when_the_main_job_runs_then_every_figure_agrees(
    played: tuple[DemoStage, Story, str],
) -> None:
    stage, story, told = played

    assert story.compared > 21 * 10  # ten a city, then those of the whole and of each act
    assert "900,000" in told
    assert stage.client("province").read("/v1/accounts/440300-2021")["reserved_fen"] == 220_000 * 100_000


def test_given_the_demo_when_it_tells_who_may_claim_then_every_figure_agrees(
    played: tuple[DemoStage, Story, str], deployed: LocalStack
) -> None:
    stage, story, _ = played
    before = story.compared

    tell_who_may_claim(stage, story, calendar.local_date(stage.client("province").now()), deployed.eligibility)

    assert story.compared >= before + 14


def test_given_the_demo_when_staff_scans_and_a_card_is_read_then_every_figure_agrees(
    played: tuple[DemoStage, Story, str],
) -> None:
    stage, story, _ = played
    before = story.compared

    tell_of_the_desk(stage, story, calendar.local_date(stage.client("province").now()))

    assert story.compared == before + 7


def test_given_the_voucher_is_used_when_scanned_again_then_when_and_where_it_was(
    played: tuple[DemoStage, Story, str],
) -> None:
    stage, _, _ = played
    channel, desk = stage.client("channel"), stage.client("desk")
    session = {"X-Holder-Session": stage.session(channel, invented_person(1))}
    (card,) = channel.read("/v1/wallet", headers=session)["items"]
    token = channel.read(f"/v1/vouchers/{card['voucher_id']}/qr", {"format": "token"}, headers=session)["token"]

    answer = desk.call(
        "POST",
        "/v1/verifications",
        body={"token": token, "institution_id": INSTITUTION_ID, "course_id": stage.facts["course_id"]},
    )

    assert answer.status == 200
    assert answer.body["refusal"]["code"] == "already_redeemed"
    assert answer.body["refusal"]["facts"]["redeemed_at"] == card["redemption"]["redeemed_at"]
    assert card["redemption"]["institution_id"] == INSTITUTION_ID


def test_given_a_wrong_signature_when_asked_then_refused_as_a_problem(played: tuple[DemoStage, Story, str]) -> None:
    stage, _, _ = played
    known = stage.clients["channel"]
    stranger = ApiClient(stage.base_url, known["app_key"], "not the secret")

    answer = stranger.get("/v1/wallet")

    assert answer.status == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["code"] == "bad_signature"
    assert answer.body["request_id"]


def test_given_a_used_voucher_when_its_row_is_tampered_with_then_the_watch_says_so(
    deployed: LocalStack, played: tuple[DemoStage, Story, str]
) -> None:
    """What no service can do (``docs/decisions``: the stream is a watch), done with the deployer's own hands."""
    stage, _, _ = played
    voucher_id = _first_voucher(stage)
    dynamodb, logs = deployed.client("dynamodb"), deployed.client("logs")
    table = deployed.environment["PEOPLE_TABLE"]
    row = _voucher_row(dynamodb, table, voucher_id)
    forged = json.loads(row["body"]["S"])
    forged["state"], forged["redemption"] = "claimed", None

    dynamodb.put_item(TableName=table, Item={**row, "body": {"S": json.dumps(forged, ensure_ascii=False)}})
    try:
        said = _wait_for(logs, "/aws/lambda/training-voucher-local-follow-people", voucher_id)
    finally:
        dynamodb.put_item(TableName=table, Item=row)

    assert said["level"] == "ERROR"
    assert said["outcome"] in ("rewritten", "broken_chain", "impossible_step")


@pytest.mark.parametrize("event", sorted(EVENTS.glob("*.json")), ids=lambda path: path.name)
def test_given_a_real_event_when_its_function_is_invoked_then_it_succeeds(deployed: LocalStack, event: Path) -> None:
    answer, log, succeeded = invoke(deployed.endpoint, function_of(event, deployed.stage), event.read_bytes())

    assert succeeded, (answer, log)
    if event.name.startswith("api."):
        assert answer["statusCode"] == 200
    elif event.name.startswith(("expire.", "count_offers.", "remind.", "release.")):
        assert answer["finished"] is True
    else:
        assert answer == {"batchItemFailures": []}


def test_given_a_deployment_when_bootstrapped_again_then_only_what_is_asked_for_is_added(
    played: tuple[DemoStage, Story, str], tmp_path: Path
) -> None:
    stage, _, _ = played
    out = tmp_path / "ministry.json"

    assert bootstrap.main(["--stage", "local", "--out", str(out)]) == 0
    assert not out.exists()
    assert bootstrap.main(["--stage", "local", "--out", str(out), "--another-client"]) == 0

    assert out.stat().st_mode & 0o777 == 0o600
    made = json.loads(out.read_text())
    ministry = ApiClient(
        stage.base_url, made["app_key"], made["secret"], Operator(made["operator_id"], made["operator_seed"])
    )
    assert len(ministry.read("/v1/regions", {"parent": "440000"})["items"]) == 21
    key = {"kid": "another-1", "public_key": stage.essc.public_key}
    assert ministry.post("/v1/assertion-keys", key).status == 201


def test_given_the_readme_when_its_tour_is_typed_then_each_answer_has_the_status_it_says(
    played: tuple[DemoStage, Story, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, _, _ = played
    monkeypatch.setattr(call, "open_stage", lambda: stage)
    lines = re.findall(r"^call (.+?)\s+# ([0-9]{3})$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(lines) >= 10

    for words, status in lines:
        call.main(shlex.split(words))
        assert capsys.readouterr().out.split()[0] == status, words


def test_given_people_in_right_and_wrong_places_when_every_log_of_the_stack_is_read_then_nobody_is_named(
    deployed: LocalStack, played: tuple[DemoStage, Story, str]
) -> None:
    stage, _, _ = played
    people = [invented_person(number) for number in (1, 2, 3)]
    channel, desk = stage.client("channel"), stage.client("desk")
    for person in people:
        desk.get(f"/v1/programmes/{person.id_number}", {person.mobile or "": person.name})
        desk.post("/v1/redemptions", {person.id_number: person.name, "reason": person.mobile}, key=person.id_number)
        body = {"assertion": stage.assertion(channel, person, "session")}
        assert channel.call("POST", "/v1/sessions", body=body).status in (200, 404)  # some hold vouchers, some nothing

    refused = desk.get(f"/v1/vouchers/{people[0].id_number}")
    said = "\n".join([deployed.log.read_text(errors="replace"), *_everything_logged(deployed.client("logs"))])

    assert f'"request_id":"{refused.body["request_id"]}"' in said
    assert leaks(said, secrets_of(*people)) == []


def test_given_a_voucher_past_its_day_when_the_schedule_fires_twice_then_it_expires_once(
    deployed: LocalStack, played: tuple[DemoStage, Story, str]
) -> None:
    # The last test of this stack: its clock is a day ahead from here on.
    stage, story, _ = played
    before = story.compared

    expire_one(stage, deployed, stage.client("province"), story)

    assert story.compared > before


def _everything_logged(logs: Any) -> list[str]:
    """Every line of every function, and of the gateway."""
    groups = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    pages = logs.get_paginator("filter_log_events")
    return [
        event["message"] for group in groups for page in pages.paginate(logGroupName=group) for event in page["events"]
    ]


def _first_voucher(stage: DemoStage) -> str:
    channel = stage.client("channel")
    session = {"X-Holder-Session": stage.session(channel, invented_person(1))}
    voucher_id: str = channel.read("/v1/wallet", headers=session)["items"][0]["voucher_id"]
    return voucher_id


def _voucher_row(dynamodb: Any, table: str, voucher_id: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = dynamodb.scan(TableName=table)["Items"]
    return next(row for row in rows if voucher_id in row.get("body", {}).get("S", ""))


def _wait_for(logs: Any, group: str, word: str, seconds: float = 30) -> dict[str, Any]:
    """The first log line of an unlawful change to this voucher."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for one in logs.filter_log_events(logGroupName=group)["events"]:
            if word in one["message"] and '"ERROR"' in one["message"]:
                line: dict[str, Any] = json.loads(one["message"][one["message"].index("{") :])
                return line
        time.sleep(0.3)
    raise AssertionError(f"nothing in {group} names {word}")
