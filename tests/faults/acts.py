"""The acts of the crash matrix: a request of each operation, each recorded event, and the refusals."""

import json
import os
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3

import app as application
from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.domain.amendment import Errand
from chalicelib.domain.application import Application, LineVerdict
from chalicelib.domain.calendar import local_date
from chalicelib.domain.template import DistributionMode
from chalicelib.integrations.keyring import load_keyrings
from chalicelib.jobs import importing, settling
from chalicelib.jobs.sweeping import RESERVE_MILLISECONDS
from chalicelib.services import publishing, reminding, sweeping
from chalicelib.storage import keys
from tests.classroom import enrol, open_class, plan, used
from tests.faults.crash_matrix import FAILED, LONG, Heard, Name, Trial, alike
from tests.faults.operations import REFUSALS, SCENES, Prepare, Scene, claimed, forget, get
from tests.rostering import put_roster, row_of
from tests.settling import apply_for, collected, decide, with_clerks
from tests.sweeping import completed, night_of, paid
from tests.world import CITY, KEYRING, PEPPER, START, a_person, local

ROOT = Path(__file__).resolve().parent.parent.parent
LAST_DAY, NIGHT = date(2021, 6, 30), local("2021-06-30T16:05:00Z")

Subject = Callable[[Scene], Trial]


def over_http(prepare: Prepare) -> Subject:
    """One request of the API through the whole handler."""

    def subject(scene: Scene) -> Trial:
        request = prepare(scene)

        def act() -> Heard:
            answer = request.send()
            is_json = "json" in answer.headers["Content-Type"]
            return Heard(str(answer.status_code), alike(answer.json_body) if is_json else None)

        return Trial(act, (lambda: None) if request.warm else partial(forget, scene.world), spent=request.warm)

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
        elif kind == "release":  # what is free again is posted once
            scene.world.act(publishing.close_template, scene.world.publish(5))
        else:
            claimed(scene)
        scene.world.clock.set(NIGHT)
        _stands_at(scene, sweeping.SWEEP, LAST_DAY)

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


def by_roster(milliseconds: int = 300_000, *, dry_run: bool = False, all_or_nothing: bool = False) -> Subject:
    """A file that has come, told by S3: received, worked off, its result written."""
    event = json.loads((ROOT / "events" / "import_rosters.file.json").read_text(encoding="utf-8"))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return milliseconds

    def subject(scene: Scene) -> Trial:
        world = scene.world
        world.clock.set(START)
        people = [a_person() for _ in range(3)]
        rows = [*(row_of(one) for one in people), row_of(people[0], name="测试乙")]
        rows.append(["测试丙", "12345", "", ""])
        template = world.publish(5, distribution_mode=DistributionMode.DIRECTED)
        _, arrived = put_roster(world, template, rows, dry_run=dry_run, all_or_nothing=all_or_nothing)
        told = json.loads(event["Records"][0]["body"])
        told["Records"][0]["s3"]["object"] |= {"key": arrived.key, "versionId": arrived.version}
        delivery = {"Records": [{**event["Records"][0], "body": json.dumps(told)}]}

        def act() -> Heard:
            outcomes: list[str] = []
            with patch.object(importing, "count_outcome", lambda _, outcome: outcomes.append(outcome)):
                try:
                    application.import_rosters(delivery, Context())
                except Exception:  # SQS is told that it failed, and the message comes again
                    return FAILED
            # The function has asked itself to go on in a moment.
            return FAILED if {"unavailable", "contended"} & {*outcomes} else Heard("done")

        return Trial(act, partial(forget, world))

    return subject


def by_night(what: str) -> Subject:
    """The sweep of a voucher that was used: nothing came of it, its class goes on, or it is paid."""
    event = json.loads((ROOT / "events" / "expire.schedule.json").read_text(encoding="utf-8"))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 300_000

    def subject(scene: Scene) -> Trial:
        world = with_clerks(scene.world)
        world.clock.set(START)
        if not world.templates:
            world.rules(completion_days=(LAST_DAY - local_date(START)).days)
            forget(world)
        if what == "paid":
            world.clock.set(NIGHT - timedelta(hours=9))
            paid(world)
        else:
            _, voucher_id = used(world, scene.stock)
            if what == "its class goes on":
                enrol(world, open_class(world, [plan(START + timedelta(days=90))]), voucher_id)
        world.clock.set(NIGHT)
        _stands_at(scene, sweeping.SWEEP, LAST_DAY)

        def act() -> Heard:
            try:
                return Heard("done", alike(_said(application.expire(event, Context()))))
            except Exception:  # Lambda is told that it failed, and the event comes again
                return FAILED

        return Trial(act, partial(forget, world))

    return subject


def by_reminder() -> Subject:
    """The reminder in the night after an application's last day."""
    event = json.loads((ROOT / "events" / "remind.schedule.json").read_text(encoding="utf-8"))
    others: list[tuple[Application, Sequence[str]]] = []

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 300_000

    def subject(scene: Scene) -> Trial:
        world = with_clerks(scene.world)
        world.clock.set(START)
        for there, ids in others:  # each act has one that waits alone
            decide(world, there, LineVerdict.RETURN, *ids)
        taught = completed(world)
        waiting = collected(world, taught.training)
        others[:] = [(waiting, taught.ids)]
        overdue = waiting.due_on
        assert overdue is not None
        world.clock.set(night_of(overdue + timedelta(days=1)))
        _stands_at(scene, reminding.REMINDERS, overdue)

        def act() -> Heard:
            try:
                return Heard("done", alike(_said(application.remind(event, Context()))))
            except Exception:  # Lambda is told that it failed, and the event comes again
                return FAILED

        return Trial(act, partial(forget, world))

    return subject


def by_application(milliseconds: int = 300_000) -> Subject:
    """An application that waits to be built, told by its message."""
    event = json.loads((ROOT / "events" / "settle_money.errand.json").read_text(encoding="utf-8"))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return milliseconds

    def subject(scene: Scene) -> Trial:
        world = with_clerks(scene.world)
        world.clock.set(START)
        waiting = apply_for(world, completed(world, 2).training).answer
        delivery = {"Records": [{**event["Records"][0], "body": waiting.errand().text()}]}

        def act() -> Heard:
            outcomes: list[str] = []
            with patch.object(settling, "count_outcome", lambda _, outcome: outcomes.append(outcome)):
                try:
                    application.settle_money(delivery, Context())
                except Exception:  # SQS is told that it failed, and the message comes again
                    return FAILED
            # The function has asked itself to go on in a moment.
            return FAILED if {"unavailable", "contended"} & {*outcomes} else Heard("done")

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


def _requests(scenes: dict[str, dict[str, Prepare]]) -> dict[Name, Subject]:
    return {(label, variant): over_http(one) for label, variants in scenes.items() for variant, one in variants.items()}


LOOKS = {name: subject for name, subject in _requests(SCENES).items() if name[0].startswith("GET ")}
_OTHERS = {name: subject for name, subject in _requests(SCENES).items() if name not in LOOKS}
_OF_PEOPLE = (
    "applications",
    "check-ins",
    "claimable",
    "claims",
    "classes",
    "evaluations",
    "merges",
    "people",
    "redemptions",
    "relations",
    "sessions",
    "verifications",
    "vouchers",
)
WITH_PEOPLE = {name: one for name, one in _OTHERS.items() if name[0].split("/")[2] in _OF_PEOPLE}
CHANGES = {name: one for name, one in _OTHERS.items() if name not in WITH_PEOPLE}
REFUSED = _requests(REFUSALS)
OF_FUNCTIONS: dict[Name, Subject] = {
    ("GET /v1/regions/{code}", "its container has no keys yet"): with_secrets_to_fetch,
    ("api.time.json", ""): by_event("api.time.json"),
    ("expire.schedule.json", ""): by_event("expire.schedule.json"),
    ("expire.schedule.json", "its time is up"): by_event("expire.schedule.json", RESERVE_MILLISECONDS),
    ("count_offers.schedule.json", ""): by_event("count_offers.schedule.json"),
    ("release.schedule.json", ""): by_event("release.schedule.json"),
    ("release.schedule.json", "its time is up"): by_event("release.schedule.json", RESERVE_MILLISECONDS),
    ("continue_expiry.sweeps.json", ""): by_event("continue_expiry.sweeps.json"),
    ("amend_vouchers.errand.json", ""): by_event("amend_vouchers.errand.json"),
    ("amend_vouchers.errand.json", "the first look"): by_errand(0),
    ("amend_vouchers.errand.json", "the last look"): by_errand(1),
    ("amend_vouchers.errand.json", "its time is up"): by_errand(0, RESERVE_MILLISECONDS),
    ("import_rosters.file.json", ""): by_event("import_rosters.file.json"),
    ("import_rosters.errand.json", ""): by_event("import_rosters.errand.json"),
    ("import_rosters.file.json", "a roster"): by_roster(),
    # A dry run makes the same calls, and writes less.
    **({("import_rosters.file.json", "a dry run"): by_roster(dry_run=True)} if LONG else {}),
    ("import_rosters.file.json", "all or nothing"): by_roster(all_or_nothing=True),
    ("import_rosters.file.json", "its time is up"): by_roster(RESERVE_MILLISECONDS),
    **{("expire.schedule.json", what): by_night(what) for what in ("used", "its class goes on", "paid")},
    ("remind.schedule.json", ""): by_reminder(),
    ("settle_money.errand.json", ""): by_event("settle_money.errand.json"),
    ("settle_money.errand.json", "an application"): by_application(),
    ("settle_money.errand.json", "its time is up"): by_application(RESERVE_MILLISECONDS),
    ("follow_people.steps.json", ""): by_event("follow_people.steps.json"),
}

SUBJECTS: dict[Name, Subject] = LOOKS | CHANGES | WITH_PEOPLE | REFUSED | OF_FUNCTIONS


def _said(answer: Any) -> Any:
    """What a function tells Lambda, without what depends on the moment and on how much was left for this run."""
    of_this_run = (
        "examined", "expired", "forfeited", "written_off", "deferred", "reminded", "listings", "changed",
        "fen", "shards", "postings", "body",
    )  # fmt: skip
    return {name: one for name, one in answer.items() if name not in of_this_run}


def _stands_at(scene: Scene, sweep: str, day: date) -> None:
    """Put a sweep's checkpoint back, which by itself never goes back."""
    name = scene.world.environment["INSIGHTS_TABLE"]
    table = boto3.resource("dynamodb", endpoint_url=scene.world.environment["AWS_ENDPOINT_URL"]).Table(name)
    table.put_item(Item={"subject": f"SWEEP#{sweep}", "item": keys.HEAD, "body": day.isoformat()})
    assert scene.world.platform.checkpoints.swept_until(sweep) == day


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
