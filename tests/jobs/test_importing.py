"""The import function: what S3 tells, what we tell ourselves, and what does not concern it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from chalicelib import wiring
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.roster import DIRECT, MOST_TRIES, Counts, RosterErrand, RosterState
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.jobs import importing
from chalicelib.jobs.lambda_runs import SHORT_REST, GivenUp
from chalicelib.services.receiving_rosters import Arrived
from tests.bucket import Errands
from tests.engines import Engine
from tests.jobs.conftest import Reports
from tests.rostering import (
    carry_on,
    files_of,
    know,
    put_roster,
    receive,
    roster_of,
    row_of,
    vouchers_of,
    with_bucket,
    workbook,
)
from tests.storage.worlds import own_world, shared_world
from tests.world import CITY, OTHER_CITY, World, a_person, an_actor

PLENTY = 300_000


class Clockwork:
    """Lambda's context: so much time, less with each look."""

    def __init__(self, milliseconds: int = PLENTY, each: int = 0) -> None:
        self._left, self._each = milliseconds, each

    def get_remaining_time_in_millis(self) -> int:
        self._left -= self._each
        return self._left


@pytest.fixture(scope="module")
def shared(engines: dict[str, Engine]) -> Iterator[World]:
    with shared_world(engines) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    world = with_bucket(own_world(shared))
    wiring.use(world.platform)
    yield world
    wiring.use(None)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    caught = Reports()
    monkeypatch.setattr("chalicelib.jobs.importing.log_outcome", caught.log)
    monkeypatch.setattr("chalicelib.jobs.importing.count_outcome", caught.count)
    return caught


def directed(world: World, quantity: int = 100) -> Template:
    return world.publish(quantity, distribution_mode=DistributionMode.DIRECTED)


def told(*arrived: Arrived, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    """One message with a record for each object, its key as S3 encodes it."""
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": event,
            "s3": {"object": {"key": quote_plus(one.key), "versionId": one.version}},
        }
        for one in arrived
    ]
    return message({"Records": records})


def message(*bodies: Any) -> dict[str, Any]:
    return {"Records": [{"body": json.dumps(body)} for body in bodies]}


def asked(world: World) -> list[tuple[RosterErrand, timedelta]]:
    errands: Any = world.platform.roster_errands
    assert isinstance(errands, Errands)
    return errands.asked


class TestTold:
    def test_given_several_records_in_a_message_when_told_then_each_roster_is_worked_off(
        self, world: World, reports: Reports
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(2)]
        rosters = [put_roster(world, template, [row_of(one)]) for one in people]

        answer = importing.run(told(*(arrived for _, arrived in rosters)), Clockwork())

        assert answer == {"batchItemFailures": []}
        assert [roster_of(world, roster).state for roster, _ in rosters] == [RosterState.FINISHED] * 2
        assert len(vouchers_of(world, template, people)) == 2

    def test_given_the_same_message_again_when_told_then_nothing_more_happens(
        self, world: World, reports: Reports
    ) -> None:
        template = directed(world)
        roster, arrived = put_roster(world, template, [row_of(a_person())])
        importing.run(told(arrived), Clockwork())
        before = roster_of(world, roster)

        importing.run(told(arrived), Clockwork())
        importing.run(message({"roster_id": roster.roster_id, "tried": 0}), Clockwork())

        assert roster_of(world, roster) == before
        idle = ("import_rosters", "nothing_to_do_finished")
        assert reports.counts[-3:] == [("receive_roster", "again"), idle, idle]

    def test_given_a_run_that_was_cut_off_when_its_message_comes_again_then_it_goes_on_from_there(
        self, world: World, reports: Reports
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(70)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        receive(world, arrived)
        carry_on(world, roster.roster_id, chunks=1)
        assert roster_of(world, roster).state is RosterState.RUNNING

        importing.run(told(arrived), Clockwork())

        assert roster_of(world, roster).counts == Counts(issued=70)
        assert roster_of(world, roster).result_at is not None

    @pytest.mark.parametrize(
        "body",
        [
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
            {
                "Records": [
                    {"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "k"}}}
                ]
            },
            {"Records": []},
        ],
    )
    def test_given_what_is_no_new_file_when_told_then_passed_over(
        self, world: World, reports: Reports, body: dict[str, Any]
    ) -> None:
        assert importing.run(message(body), Clockwork()) == {"batchItemFailures": []}
        assert reports.lines == []

    def test_given_a_file_that_nobody_declared_when_told_then_left_alone(self, world: World, reports: Reports) -> None:
        importing.run(told(Arrived("rosters/incoming/declared/NOBODYSROSTER", "1")), Clockwork())
        importing.run(told(Arrived("rosters/incoming/elsewhere/x", "1")), Clockwork())

        assert [outcome for _, outcome in reports.counts] == ["not_declared", "not_ours"]

    def test_given_an_object_that_is_gone_when_told_then_left_alone(self, world: World, reports: Reports) -> None:
        roster, arrived = put_roster(world, directed(world), [row_of(a_person())])
        files_of(world).objects.clear()

        importing.run(told(arrived), Clockwork())

        assert reports.counts == [("receive_roster", "gone")]
        assert roster_of(world, roster).state is RosterState.DECLARED


class TestTime:
    def test_given_too_little_time_when_worked_off_then_it_hands_itself_on_by_message_until_done(
        self, world: World, reports: Reports
    ) -> None:
        template, people = directed(world, 200), [a_person() for _ in range(100)]
        roster, arrived = put_roster(world, template, [row_of(one) for one in people])
        one_chunk = importing.RESERVE_MILLISECONDS + 2

        importing.run(told(arrived), Clockwork(one_chunk, each=1))
        while asked(world):
            errand, delay = asked(world).pop()
            assert delay == timedelta()
            importing.run(message(json.loads(errand.text())), Clockwork(one_chunk, each=1))

        assert roster_of(world, roster).counts == Counts(issued=100)
        assert [outcome for name, outcome in reports.counts if name == "import_rosters"][-1] == "finished"
        assert reports.counts.count(("import_rosters", "handed_on")) >= 3
        world.check_laws()

    def test_given_a_table_that_does_not_answer_when_worked_off_then_tried_again_soon_and_given_up_in_the_end(
        self, world: World, reports: Reports, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def silent(*_: Any, **__: Any) -> Any:
            raise Unavailable

        monkeypatch.setattr("chalicelib.services.importing_rosters.carry_out", silent)

        importing.run(message({"roster_id": "R", "tried": 3}), Clockwork())

        assert asked(world) == [(RosterErrand("R", 4), SHORT_REST)]
        with pytest.raises(GivenUp):
            importing.run(message({"roster_id": "R", "tried": MOST_TRIES}), Clockwork())


class TestPutStraight:
    KEY = "广州 第1期+花名册 50%.xlsx"

    def test_given_a_file_without_a_signature_when_put_then_it_waits_for_the_bureau(
        self, world: World, reports: Reports
    ) -> None:
        template = directed(world)
        arrived = self._put(world, template, {})

        importing.run(told(arrived, event="ObjectCreated:CompleteMultipartUpload"), Clockwork())
        importing.run(told(arrived), Clockwork())

        (roster,) = [one for one in self._listed(world) if one.template_id == template.template_id]
        assert (roster.state, roster.file_name) == (RosterState.SUBMITTED, self.KEY)
        assert [outcome for _, outcome in reports.counts] == ["submitted", "again"]

    def test_given_a_clerks_signature_over_this_very_file_when_put_then_worked_off_at_once(
        self, world: World, reports: Reports
    ) -> None:
        template, person = directed(world), a_person()
        data = workbook([row_of(person)])
        arrived = self._put(world, template, self._signed(world, template, data), data)

        importing.run(told(arrived), Clockwork())
        importing.run(told(arrived), Clockwork())

        assert len(vouchers_of(world, template, [person])) == 1
        (roster,) = [one for one in self._listed(world) if one.template_id == template.template_id]
        assert (roster.state, roster.decided_by) == (RosterState.FINISHED, "OPSIGNER")

    @pytest.mark.parametrize("wrong", ["file", "key", "region", "client", "garbage", "old"])
    def test_given_a_signature_that_does_not_fit_when_put_then_it_waits_for_the_bureau(
        self, world: World, reports: Reports, wrong: str
    ) -> None:
        template = directed(world)
        data = workbook([row_of(a_person())])
        signed = self._signed(world, template, data, wrong)
        arrived = self._put(world, template, signed, data)

        importing.run(told(arrived), Clockwork())

        assert [outcome for _, outcome in reports.counts] == ["submitted"]

    def test_given_no_such_template_when_put_then_left_alone(self, world: World, reports: Reports) -> None:
        open_to_all = world.publish(5)
        for template_id in ("NOSUCHTEMPLATE", open_to_all.template_id):
            version = files_of(world).put(f"{DIRECT}{template_id}/x.xlsx", b"x")
            importing.run(told(Arrived(f"{DIRECT}{template_id}/x.xlsx", version)), Clockwork())

        assert [outcome for _, outcome in reports.counts] == ["no_such_template", "not_directed"]

    def _put(self, world: World, template: Template, metadata: dict[str, str], data: bytes | None = None) -> Arrived:
        key = f"{DIRECT}{template.template_id}/{self.KEY}"
        version = files_of(world).put(key, data or workbook([row_of(a_person())]), **metadata)
        return Arrived(key, version)

    def _signed(self, world: World, template: Template, data: bytes, wrong: str = "") -> dict[str, str]:
        device = OperatorKey(b"the device of an operator, tests")
        actor = an_actor("SIGNER", world.bureau.client.role, OTHER_CITY if wrong == "region" else CITY)
        if wrong == "region":
            actor = an_actor("SIGNERELSEWHERE", actor.client.role, OTHER_CITY)
        assert actor.operator is not None
        actor = replace(actor, operator=replace(actor.operator, public_key=device.public_key))
        assert actor.operator is not None
        know(world, actor)
        path = f"/{DIRECT}{template.template_id}/{'x' if wrong == 'key' else self.KEY}"
        at = world.now - timedelta(hours=1) if wrong == "old" else world.now
        body = b"another file" if wrong == "file" else data
        jws = device.sign(actor.operator.operator_id, actor.app_key, "PUT", path, body, "", at)
        app_key = "NOBODY" if wrong == "client" else actor.app_key
        return {"app_key": app_key, "operator": "x.y.z" if wrong == "garbage" else jws}

    def _listed(self, world: World) -> Any:
        found: list[Any] = []
        cursor = None
        while True:
            page = world.platform.rosters.page(CITY, 100, cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found
