"""A withdrawn institution: its open applications stand still, and what is affected is listed; until it comes back."""

from collections.abc import Iterator

import pytest

from chalicelib.domain.access import Actor
from chalicelib.domain.application import ApplicationState, Decision, Filter, LineVerdict
from chalicelib.domain.errors import InstitutionNotAdmitted, InstitutionNotFound
from chalicelib.domain.institution import AdmissionStep
from chalicelib.services import cataloguing, looking_at_affected, reviewing
from tests.classroom import days, open_class
from tests.settling import CLERK, REVIEWER, a_completed_class, an_operator, collected, decide, read, with_clerks, work
from tests.world import INSTITUTION_ID, OTHER_CITY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    yield with_clerks(world)
    world.check_laws(world.vouchers())


def step(world: World, act: AdmissionStep) -> None:
    p = world.platform
    cataloguing.change_admission(p.catalogue, p.marks, INSTITUTION_ID, act, "停止办学", **world.by(world.bureau))


def affected(world: World, actor: Actor, limit: int = 1) -> tuple[set[str], set[str]]:
    """Classes and applications, all pages."""
    classes, applications = set[str](), set[str]()
    cursor = None
    while True:
        page = looking_at_affected.affected_classes(world.platform, INSTITUTION_ID, limit, cursor, actor=actor)
        classes |= {one.class_id for one in page.items}
        cursor = page.cursor
        if cursor is None:
            break
    while True:
        held = looking_at_affected.affected_applications(world.platform, INSTITUTION_ID, limit, cursor, actor=actor)
        applications |= {one.application_id for one in held.items}
        cursor = held.cursor
        if cursor is None:
            return classes, applications


class TestWithdrawn:
    def test_given_a_withdrawn_institution_when_reviewed_then_refused_until_its_new_application_is_taken(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 2)
        there = collected(town, training)
        step(town, AdmissionStep.WITHDRAW)

        with pytest.raises(InstitutionNotAdmitted):
            decide(town, there, LineVerdict.APPROVE, ids[0])
        with pytest.raises(InstitutionNotAdmitted):
            collected(town, training)
        # In nobody's disfavour: what cannot be granted can still be refused.
        decide(town, there, LineVerdict.REFUSE, ids[1])

        step(town, AdmissionStep.REAPPLY)
        with pytest.raises(InstitutionNotAdmitted):  # a candidate again, and no more
            decide(town, there, LineVerdict.APPROVE, ids[0])
        step(town, AdmissionStep.ADMIT)
        assert decide(town, there, LineVerdict.APPROVE, ids[0]).answer.state is ApplicationState.DECIDED

    def test_given_a_decision_in_bulk_when_withdrawn_before_its_job_comes_then_nothing_is_granted(
        self, town: World
    ) -> None:
        training, _ = a_completed_class(town, 2)
        there = collected(town, training)
        reviewing.review_in_bulk(
            town.platform, there.application_id, Filter(), Decision(LineVerdict.APPROVE), **town.by(REVIEWER)
        )
        step(town, AdmissionStep.WITHDRAW)

        work(town, there)

        after = read(town, there)
        assert after.bulk is not None
        assert (after.state, after.approved_fen) == (ApplicationState.SUBMITTED, 0)
        assert (after.bulk.done, after.bulk.passed_over, after.bulk.finished_at) == (0, 2, town.now)

    def test_given_classes_and_applications_when_withdrawn_then_those_that_are_not_at_their_end_are_listed(
        self, town: World
    ) -> None:
        training, ids = a_completed_class(town, 2)
        open_one = collected(town, training, lines=((ids[0], None),))
        over = collected(town, training, lines=((ids[1], None),))
        decide(town, over, LineVerdict.REFUSE, ids[1])
        assert read(town, over).state is ApplicationState.SETTLED
        going_on = open_class(town, days(town, 1))
        step(town, AdmissionStep.WITHDRAW)

        expected = ({going_on.class_id}, {open_one.application_id})

        assert affected(town, CLERK) == expected
        assert affected(town, town.desk) == expected
        assert affected(town, town.other_desk) == (set(), set())
        assert affected(town, an_operator("ELSEWHERE", region=OTHER_CITY)) == (set(), set())
        with pytest.raises(InstitutionNotFound):
            looking_at_affected.affected_classes(town.platform, "9" * 18, 1, None, actor=CLERK)
