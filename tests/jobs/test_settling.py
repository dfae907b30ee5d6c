"""The money function by its messages: worked off, handed on, tried again, given up."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from chalicelib import wiring
from chalicelib.domain.application import Application, ApplicationState, LineState, MoneyErrand
from chalicelib.domain.enrolment import EnrolmentState
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.roster import MOST_TRIES
from chalicelib.jobs import settling as job
from chalicelib.jobs.lambda_runs import SHORT_REST, GivenUp
from chalicelib.services import applying, enrolling, working_off_money
from chalicelib.services.applying import SURELY_WRITTEN
from tests.bucket import Errands
from tests.classroom import HOUR, at, check_in, enrol, enrolment_of, finish, open_class, plan, used
from tests.jobs.conftest import Reports
from tests.jobs.test_deliveries import PLENTY, Time
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.settling import apply_for, lines, read, voucher, with_clerks
from tests.sweeping import completed
from tests.world import World
from tools.package import ROOT

EVENT = ROOT / "events" / "settle_money.errand.json"


def message(*errands: MoneyErrand) -> dict[str, Any]:
    record = json.loads(EVENT.read_text(encoding="utf-8"))["Records"][0]
    return {"Records": [{**record, "body": one.text()} for one in errands]}


def asked(world: World) -> list[tuple[MoneyErrand, timedelta]]:
    errands: Any = world.platform.money_errands
    assert isinstance(errands, Errands)
    said: Any = errands.asked
    told: list[tuple[MoneyErrand, timedelta]] = said
    return told


@pytest.fixture
def town(wired: World) -> World:
    return with_clerks(wired)


def opened(world: World, people: int = 3) -> Application:
    application = apply_for(world, completed(world, people).training).answer
    asked(world).clear()
    return application


class TwoLooks(Time):
    """Time for one chunk, and no more."""

    def get_remaining_time_in_millis(self) -> int:
        self.asked += 1
        return PLENTY if self.asked == 1 else job.RESERVE_MILLISECONDS


def test_given_an_errand_when_delivered_several_times_then_the_application_is_built_once(
    town: World, reports: Reports
) -> None:
    application = opened(town)
    told = message(*[application.errand()] * 2)

    answers = [job.run(told, Time(PLENTY)) for _ in range(2)]

    assert answers == [{"batchItemFailures": []}] * 2
    there = read(town, application)
    assert (there.state, there.counts) == (ApplicationState.SUBMITTED, {LineState.APPLIED: 3})
    assert reports.counts == [("settle_money", "submitted"), *[("settle_money", "nothing_to_do")] * 3]
    assert asked(town) == []
    town.check_laws(town.vouchers())


def test_given_time_for_one_chunk_when_worked_off_then_it_hands_itself_on_until_all_is_done(
    town: World, reports: Reports
) -> None:
    application = opened(town, applying.CHUNK + 3)

    job.run(message(application.errand()), TwoLooks(PLENTY))
    assert asked(town) == [(application.errand(), timedelta())]
    assert read(town, application).state is ApplicationState.COLLECTING
    job.run(message(asked(town).pop()[0]), Time(PLENTY))

    assert [outcome for _, outcome in reports.counts] == ["handed_on", "submitted"]
    assert len(lines(town, application)) == applying.CHUNK + 3
    town.check_laws(town.vouchers())


def test_given_a_power_cut_when_the_message_comes_again_then_it_goes_on_from_there(town: World) -> None:
    application = opened(town)
    whole = town.platform
    broken = with_store(town, "applications", Watched(whole.applications, "record", after=cut_at(1)))
    wiring.use(broken.platform)

    with pytest.raises(PowerCut):
        job.run(message(application.errand()), Time(PLENTY))
    wiring.use(whole)
    job.run(message(application.errand()), Time(PLENTY))

    assert read(town, application).counts == {LineState.APPLIED: 3}
    town.check_laws(town.vouchers())


def test_given_a_table_that_does_not_answer_when_worked_off_then_tried_again_soon_and_given_up_in_the_end(
    town: World, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(working_off_money, "carry_out", silent)

    job.run(message(MoneyErrand("application", "A", 3)), Time(PLENTY))

    assert asked(town) == [(MoneyErrand("application", "A", 4), SHORT_REST)]
    assert reports.lines == [
        {
            "message": "settle_money", "failed": False, "outcome": "unavailable",
            "noun": "application", "id": "A", "tried": 3,
        }
    ]  # fmt: skip
    with pytest.raises(GivenUp):
        job.run(message(MoneyErrand("application", "A", MOST_TRIES)), Time(PLENTY))


def test_given_the_end_of_a_class_that_was_cut_off_when_its_errand_comes_then_the_job_tells_the_rest_once(
    town: World, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolling, "PAGE", 2)
    template = town.publish(3)
    training = open_class(town, [plan(town.now + HOUR, hours=1)])
    came = [used(town, template) for _ in range(3)]
    enrol(town, training, *(voucher_id for _, voucher_id in came))
    at(town, training.sessions[0].starts_at)
    for person, _ in came:
        check_in(town, person, training)
    at(town, training.sessions[0].ends_at)
    asked(town).clear()
    with monkeypatch.context() as broken:
        broken.setattr(enrolling, "_complete_all", Mock(side_effect=Unavailable()))
        with pytest.raises(Unavailable):
            finish(town, training)
    ((errand, delay),) = asked(town)
    assert (errand, delay) == (MoneyErrand("class", training.class_id), SURELY_WRITTEN)
    asked(town).clear()

    job.run(message(errand), TwoLooks(PLENTY))
    assert asked(town) == [(errand, timedelta())]
    for _ in range(2):
        job.run(message(errand), Time(PLENTY))

    assert reports.counts == [("settle_money", one) for one in ("handed_on", "told", "nothing_to_do")]
    assert all(voucher(town, voucher_id).completion for _, voucher_id in came)
    assert {enrolment_of(town, training, voucher_id).state for _, voucher_id in came} == {EnrolmentState.COMPLETED}


def test_given_a_class_that_goes_on_when_an_errand_for_its_end_comes_then_nobody_is_told(
    town: World, reports: Reports
) -> None:
    training = open_class(town, [plan(town.now + HOUR, hours=1)])
    _, voucher_id = used(town, town.publish(1))
    enrol(town, training, voucher_id)

    job.run(message(MoneyErrand("class", training.class_id)), Time(PLENTY))

    assert reports.counts == [("settle_money", "nothing_to_do")]
    assert enrolment_of(town, training, voucher_id).state is EnrolmentState.ENROLLED


def test_given_an_errand_of_nothing_that_there_is_when_delivered_then_left_alone(town: World, reports: Reports) -> None:
    told = json.loads(EVENT.read_text(encoding="utf-8"))

    assert job.run(told, Time(PLENTY)) == {"batchItemFailures": []}
    assert job.run(message(MoneyErrand("nothing", "X")), Time(PLENTY)) == {"batchItemFailures": []}

    assert reports.counts == [("settle_money", "unknown")] * 2
    assert asked(town) == []
