"""The crash matrix: run, counted, and compared with docs/crash-matrix.md. ``RECORD_MATRIX=1`` writes that anew."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

import app as application
from chalicelib import wiring
from chalicelib.api.answers import OPERATIONS
from chalicelib.config import read_settings
from chalicelib.domain.amendment import Errand
from chalicelib.integrations.keyring import load_keyrings
from chalicelib.jobs.expiring import RESERVE_MILLISECONDS
from chalicelib.services import expiring
from chalicelib.storage import keys
from tests.engines import Engine, create_tables, delete_tables
from tests.faults.crash_matrix import ALL_OF_ONE_KIND, FAILED, Heard, Report, Trial, Way, alike, try_all
from tests.faults.operations import REFUSALS, SCENES, Prepare, Scene, a_scene, claimed, forget, get
from tests.world import CITY, KEYRING, PEPPER, START, a_person, a_world, local

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "crash-matrix.md"
EVENTS = sorted(one.name for one in (ROOT / "events").iterdir())
LAST_DAY, NIGHT = date(2021, 6, 30), local("2021-06-30T16:05:00Z")

INTRODUCTION = """# Crash matrix

Written by `RECORD_MATRIX=1 pytest tests/faults/test_crash_matrix.py`; without it the test runs all of it and compares.

Each row is an AWS call that an operation makes in a container that has just been started. Of more than eight equal
calls (the lanes of a sweep, the shards of a template) the first and the last get a row. Each column is a single fault:
the call fails **before** it is sent, whatever is tried; the machine stops **after** it took effect; it takes effect and
its answer is **lost**, whatever is tried; and the first and the last of these at the first try only (**once**).

A cell is what the caller hears. In every cell the test then repeats the request with the same key, and sees that it
comes to what it would have come to without the fault: the same answer, the same rows added, the same numbers moved, and
the laws kept; and where a 4xx was heard, that nothing was left behind.
"""

Subject = Callable[[Scene], Trial]
Name = tuple[str, str]
REPORTS: dict[Name, Report] = {}


def over_http(prepare: Prepare) -> Subject:
    """One request of the API through the whole handler."""

    def subject(scene: Scene) -> Trial:
        request = prepare(scene)

        def act() -> Heard:
            answer = request.send()
            is_json = "json" in answer.headers["Content-Type"]
            return Heard(str(answer.status_code), alike(answer.json_body) if is_json else None)

        return Trial(act, (lambda: None) if request.warm else partial(forget, scene.world))

    return subject


def by_event(name: str, milliseconds: int = 300_000) -> Subject:
    """One recorded event through its function, in a night on which somebody's voucher is due, and claiming is over."""
    function = getattr(application, {"api": "app"}.get(kind := name.partition(".")[0], kind))
    event = json.loads((ROOT / "events" / name).read_text(encoding="utf-8"))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return milliseconds

    def subject(scene: Scene) -> Trial:
        scene.world.clock.set(START)
        if kind == "count_offers":  # what is over is dropped once: each act has one of its own
            scene.world.publish(5)
        else:
            claimed(scene)
        scene.world.clock.set(NIGHT)
        _sweep_stands_at(scene, LAST_DAY)

        def act() -> Heard:
            try:
                return Heard("done", alike(_said(function(event, Context()))))
            except Exception:  # Lambda is told that it failed, and the event comes again
                return FAILED

        return Trial(act, partial(forget, scene.world))

    return subject


def by_errand(look: int, milliseconds: int = 300_000) -> Subject:
    """The job of an amendment in the night on which somebody's voucher would have been due; the first look moves it."""
    event = json.loads((ROOT / "events" / "amend_vouchers.errand.json").read_text(encoding="utf-8"))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return milliseconds

    def subject(scene: Scene) -> Trial:
        world = scene.world
        world.clock.set(START)
        template = world.publish(5)
        world.claim(a_person(), template)
        world.clock.set(NIGHT)
        amendment = world.amend(template, valid_until=date(2021, 7, 31)).answer
        if look:
            world.carry_out(amendment)
        body = Errand(template.template_id, amendment.number, look).text()
        delivery = {"Records": [{**event["Records"][0], "body": body}]}

        def act() -> Heard:
            try:
                return Heard("done", alike(_said(application.amend_vouchers(delivery, Context()))))
            except Exception:  # SQS is told that it failed, and the message comes again
                return FAILED

        return Trial(act, partial(forget, world))

    return subject


def with_secrets_to_fetch(scene: Scene) -> Trial:
    """A container that has not even its keys yet: each start asks Secrets Manager for them."""
    request, secrets = get(scene.bureau, f"/v1/regions/{CITY}"), _secrets(scene)

    def start() -> None:
        environment = scene.world.environment
        wiring.use(
            wiring.build(
                read_settings(environment),
                load_keys=lambda: load_keyrings(("keys", "pepper"), "us-east-1", secrets),
                endpoint=environment["AWS_ENDPOINT_URL"],
                clock=scene.world.clock,
            )
        )

    def act() -> Heard:
        answer = request.send()
        return Heard(str(answer.status_code), alike(answer.json_body))

    return Trial(act, start)


SUBJECTS: dict[Name, Subject] = {
    **{
        (label, variant): over_http(one)
        for scenes in (SCENES, REFUSALS)
        for label, variants in scenes.items()
        for variant, one in variants.items()
    },
    ("GET /v1/regions/{code}", "its container has no keys yet"): with_secrets_to_fetch,
    ("api.time.json", ""): by_event("api.time.json"),
    ("expire.schedule.json", ""): by_event("expire.schedule.json"),
    ("expire.schedule.json", "its time is up"): by_event("expire.schedule.json", RESERVE_MILLISECONDS),
    ("count_offers.schedule.json", ""): by_event("count_offers.schedule.json"),
    ("continue_expiry.sweeps.json", ""): by_event("continue_expiry.sweeps.json"),
    ("amend_vouchers.errand.json", ""): by_event("amend_vouchers.errand.json"),
    ("amend_vouchers.errand.json", "the first look"): by_errand(0),
    ("amend_vouchers.errand.json", "the last look"): by_errand(1),
    ("amend_vouchers.errand.json", "its time is up"): by_errand(0, RESERVE_MILLISECONDS),
    ("follow_people.steps.json", ""): by_event("follow_people.steps.json"),
}


@pytest.fixture
def scene(engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Tables of its own for each subject, so that looking at all rows stays cheap; a queue where there is one."""
    elsewhere = engines["ministack"].endpoint
    endpoint = engines["dynamodb-local"].endpoint or elsewhere
    assert endpoint is not None
    assert elsewhere is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", elsewhere)
    monkeypatch.setenv("ELSEWHERE", elsewhere)
    environment = create_tables(endpoint)
    queue = boto3.client("sqs").create_queue(QueueName="crash-matrix")["QueueUrl"]
    environment |= {"SWEEPS_QUEUE_URL": queue, "AMENDMENTS_QUEUE_URL": queue}
    made = a_scene(a_world(environment))
    wiring.use(made.world.platform)
    yield made
    wiring.use(None)
    delete_tables(environment)


@pytest.mark.parametrize("name", SUBJECTS, ids=" ".join)
def test_given_an_act_when_any_of_its_calls_fails_then_a_repetition_comes_to_the_same(scene: Scene, name: Name) -> None:
    REPORTS[name] = report = try_all(scene.world, partial(SUBJECTS[name], scene))

    assert len({(cell.call, cell.which, cell.way) for cell in report.cells}) == expected(report)
    scene.world.check_laws(scene.world.vouchers())


def expected(report: Report) -> int:
    """How many cells there must be, by what was recorded: each call, of many equal ones two."""
    equal = Counter(report.calls).values()
    return len(Way) * sum(count if count <= ALL_OF_ONE_KIND else 2 for count in equal)


def test_given_the_matrix_when_counted_then_every_operation_and_event_is_in_it_and_the_document_says_so() -> None:
    labels = {o.label for o in OPERATIONS} | set(EVENTS)

    assert {label for label, _ in REPORTS} == labels
    assert REPORTS.keys() == SUBJECTS.keys()
    assert sum(len(one.cells) for one in REPORTS.values()) == sum(expected(one) for one in REPORTS.values())
    if ALL_OF_ONE_KIND > 8:
        return  # the document is that of the gate
    text = _document()
    if os.environ.get("RECORD_MATRIX"):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text, "RECORD_MATRIX=1 writes it anew"


def _document() -> str:
    cells = [cell for report in REPORTS.values() for cell in report.cells]
    heard = Counter(cell.heard for cell in cells)
    counts = ", ".join(f"{count} × {word}" for word, count in sorted(heard.items()))
    lines = [
        INTRODUCTION,
        f"{len(REPORTS)} acts ({len(OPERATIONS)} operations, {len(EVENTS)} events, and variants of them), "
        f"{sum(len(one.calls) for one in REPORTS.values())} calls recorded, {len(cells)} cells: {counts}.",
        "",
        "| act | answers | call | " + " | ".join(way.title for way in Way) + " |",
        "|---|---|---|" + "---|" * len(Way),
    ]
    for (label, variant), report in REPORTS.items():
        act = f"`{label}`" + (f" {variant}" if variant else "")
        if not report.rows:
            lines.append(f"| {act} | {report.word} | none |" + " |" * len(Way))
        for call, which in report.rows:
            found = {cell.way: cell.heard for cell in report.cells if (cell.call, cell.which) == (call, which)}
            lines.append(
                f"| {act} | {report.word} | {_ordinal(report, call, which)} | "
                + " | ".join(found[way] for way in Way)
                + " |"
            )
    return "\n".join(lines) + "\n"


def _ordinal(report: Report, call: str, which: int) -> str:
    count = report.calls.count(call)
    return call if count == 1 else f"{call} ({which} of {count})"


def _said(answer: Any) -> Any:
    """What a function tells Lambda, without what depends on the moment and on how much was left for this run."""
    return {
        name: one for name, one in answer.items() if name not in ("examined", "expired", "listings", "changed", "body")
    }


def _sweep_stands_at(scene: Scene, day: date) -> None:
    """Put the sweep's checkpoint back, which by itself never goes back."""
    name = scene.world.environment["INSIGHTS_TABLE"]
    table = boto3.resource("dynamodb", endpoint_url=scene.world.environment["AWS_ENDPOINT_URL"]).Table(name)
    table.put_item(Item={"subject": f"SWEEP#{expiring.SWEEP}", "item": keys.HEAD, "body": day.isoformat()})
    assert scene.world.platform.checkpoints.swept_until(expiring.SWEEP) == day


def _secrets(scene: Scene) -> str:
    endpoint = os.environ["ELSEWHERE"]
    client = boto3.client("secretsmanager", endpoint_url=endpoint)
    for name, ring in (("keys", KEYRING), ("pepper", PEPPER)):
        text = json.dumps({"current": "1", "1": ring.materials["1"].decode()})
        try:
            client.create_secret(Name=name, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)
    return endpoint
