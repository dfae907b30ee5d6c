"""What cannot be right is refused, and only then: a repeated request has its first answer all the same."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.errors import InstitutionNotAdmitted, Invalid
from chalicelib.domain.institution import Admission
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import CourseDraft, RulesDraft
from tests.world import CITY, OTHER_CITY, World, an_institution, local


def decide(world: World, effective_from: date, region: str = CITY, key: str | None = None, **changes: Any) -> Any:
    draft = RulesDraft(
        effective_from=effective_from,
        caps=(),
        one_at_a_time=False,
        redeemed_counts_as_held=False,
        give_back_frees_cap=True,
        reversal_window=3600,
        help_line="12333",
    )
    p = world.platform
    by = world.by(world.bureau, key)
    return cataloguing.decide_rules(p.catalogue, p.marks, region, replace(draft, **changes), **by)


def add_course(world: World, institution_id: str, key: str) -> Any:
    p = world.platform
    draft = CourseDraft(world.programme.programme_id, institution_id, "焊工", "Welder", 40)
    return cataloguing.add_course(p.catalogue, p.marks, p.chance, draft, **world.by(world.bureau, key))


class TestTheSameRequestAgain:
    def test_given_rules_from_today_when_repeated_after_midnight_then_the_same_answer(self, town: World) -> None:
        today = date(2021, 5, 1)
        first = decide(town, today, OTHER_CITY, key="rules of today")

        town.clock.set(local("2021-05-01T16:00:00.000Z"))
        again = decide(town, today, OTHER_CITY, key="rules of today")

        assert (again.hit, again.answer) == (True, first.answer)
        with pytest.raises(Invalid):
            decide(town, today, OTHER_CITY)

    def test_given_a_course_when_repeated_after_its_institution_was_suspended_then_the_same_answer(
        self, town: World
    ) -> None:
        p = town.platform
        school = an_institution("SCHOOL", "学校")
        p.catalogue.institutions.add(school, None)
        first = add_course(town, "SCHOOL", "course")
        cataloguing.set_admission(p.catalogue, p.marks, "SCHOOL", Admission.SUSPENDED, **town.by(town.bureau))

        again = add_course(town, "SCHOOL", "course")

        assert (again.hit, again.answer) == (True, first.answer)
        with pytest.raises(InstitutionNotAdmitted):
            add_course(town, "SCHOOL", "another course")
