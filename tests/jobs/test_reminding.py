"""What the reminder reports: ids only, one line and one count for each application; and when it fails."""

import pytest

from chalicelib.domain.application import Application
from chalicelib.jobs import reminding as job
from chalicelib.services.reminding import REMINDERS
from tests.classroom import at
from tests.jobs.conftest import Reports
from tests.jobs.test_deliveries import PLENTY, Time
from tests.settling import collected, with_clerks
from tests.sweeping import completed, night_of
from tests.world import CITY, INSTITUTION_ID, World


@pytest.fixture
def overdue(wired: World) -> Application:
    """One whose last day is over."""
    there = collected(with_clerks(wired), completed(wired).training)
    assert there.due_on is not None
    wired.platform.checkpoints.advance(REMINDERS, there.due_on.replace(day=1))
    at(wired, night_of(there.due_on.replace(day=there.due_on.day + 1)))
    return there


def test_given_an_overdue_application_when_the_schedule_fires_twice_then_one_line_and_one_count_tell_it(
    overdue: Application, reports: Reports
) -> None:
    assert overdue.due_on is not None

    first, second = job.run(Time(PLENTY)), job.run(Time(PLENTY))

    assert (first["reminded"], second["reminded"], first["finished"], first["left"]) == (1, 0, True, 0)
    assert reports.lines[0] == {
        "message": "remind", "failed": False, "outcome": "overdue", "application_id": overdue.application_id,
        "region": CITY, "institution_id": INSTITUTION_ID, "due_on": overdue.due_on.isoformat(),
    }  # fmt: skip
    assert reports.counts == [("remind", "overdue"), ("remind", "finished"), ("remind", "finished")]


def test_given_no_time_when_the_schedule_fires_then_it_fails_and_lambdas_next_try_goes_on(
    overdue: Application, reports: Reports
) -> None:
    with pytest.raises(job.RemindersLeft):
        job.run(Time(job.RESERVE_MILLISECONDS))

    assert job.run(Time(job.RESERVE_MILLISECONDS + 1))["reminded"] == 1
    assert reports.counts[0] == ("remind", "out_of_time")


def test_given_one_that_cannot_be_changed_when_the_schedule_fires_then_the_log_names_it_and_the_function_fails(
    wired: World, overdue: Application, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Application) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr(wired.platform.applications, "change", refuse)
        with pytest.raises(job.RemindersLeft):
            job.run(Time(PLENTY))

    named = {
        "message": "remind", "failed": True, "outcome": "failed",
        "application_id": overdue.application_id, "trouble": "ValueError",
    }  # fmt: skip
    assert named in reports.lines
    assert reports.counts == [("remind", "failed")]
    assert job.run(Time(PLENTY))["reminded"] == 1
