"""What cannot be right is refused, and only then: a repeated request has its first answer all the same."""

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.errors import InstitutionNotAdmitted, Invalid
from chalicelib.domain.institution import AdmissionStep
from chalicelib.domain.region import RuleSet
from chalicelib.services import cataloguing, deciding_rules
from chalicelib.services.cataloguing import CourseDraft
from tests.world import CITY, INSTITUTION_ID, OTHER_CITY, OTHER_INSTITUTION_ID, PROVINCE, World, an_institution, local


def decide(world: World, effective_from: date, region: str = CITY, key: str | None = None, **changes: Any) -> Any:
    draft = RuleSet(region, 0, effective_from, caps=(), reversal_window=3600)
    p = world.platform
    by = world.by(world.bureau, key)
    return deciding_rules.decide_rules(p.catalogue, p.marks, replace(draft, **changes), **by)


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
        cataloguing.change_admission(p.catalogue, p.marks, "SCHOOL", AdmissionStep.SUSPEND, **town.by(town.bureau))

        again = add_course(town, "SCHOOL", "course")

        assert (again.hit, again.answer) == (True, first.answer)
        with pytest.raises(InstitutionNotAdmitted):
            add_course(town, "SCHOOL", "another course")

    def test_given_a_draft_when_repeated_after_its_window_was_over_then_the_same_answer(self, town: World) -> None:
        one_request = replace(town, _requests=itertools.repeat("draft"))
        today = date(2021, 5, 1)
        first = one_request.draft(claim_until=today, valid_until=today)

        town.clock.set(local("2021-05-01T16:00:00.000Z"))

        assert one_request.draft(claim_until=today, valid_until=today) == first
        with pytest.raises(Invalid):
            town.draft(claim_until=today, valid_until=today)


class TestDrafts:
    @pytest.mark.parametrize(
        ("changes", "pointer", "en", "zh"),
        [
            (
                {"claim_until": date(2021, 4, 30)},
                "/claim_until",
                "2021-04-30 is over already; it must be today (2021-05-01) or later",
                "2021-04-30 已过，不能早于今天（2021-05-01）",
            ),
            (
                {"claim_until": date(2021, 4, 30), "valid_until": date(2021, 4, 30)},
                "/valid_until",
                "2021-04-30 is over already; it must be today (2021-05-01) or later",
                "2021-04-30 已过，不能早于今天（2021-05-01）",
            ),
            (
                {"courses": ("D" * 16,), "institutions": (INSTITUTION_ID,)},
                "/courses",
                "course DDDDDDDDDDDDDDDD is of an institution that is not among the institutions",
                "课程 DDDDDDDDDDDDDDDD 的机构不在所列机构之中",
            ),
            ({"claim_from": date(2021, 7, 1)}, "/claim_until", "claiming cannot end before it begins", None),
            ({"valid_from": date(2021, 7, 1)}, "/valid_until", "validity cannot end before it begins", None),
            (
                {"claim_until": date(2021, 7, 1)},
                "/claim_until",
                "nobody can claim a voucher that is no longer valid",
                None,
            ),
        ],
    )
    def test_given_a_draft_that_nobody_could_use_when_written_then_refused_with_the_reason(
        self, town: World, changes: dict[str, Any], pointer: str, en: str, zh: str | None
    ) -> None:
        with pytest.raises(Invalid) as refused:
            town.draft(**changes)

        assert refused.value.pointer == pointer
        assert (refused.value.facts["reason"], refused.value.facts.get("reason_zh")) == (en, zh)

    def test_given_a_draft_of_its_last_day_and_of_courses_of_its_institutions_when_written_then_done(
        self, town: World
    ) -> None:
        today = date(2021, 5, 1)

        draft = town.draft(
            claim_until=today,
            valid_until=today,
            courses=("C" * 16, "D" * 16),
            institutions=(INSTITUTION_ID, OTHER_INSTITUTION_ID),
        )

        assert draft.quantity == 100


class TestRuleSets:
    def test_given_a_rule_set_that_waits_when_an_earlier_one_is_decided_then_refused_with_the_date(
        self, town: World
    ) -> None:
        catalogue = town.platform.catalogue
        waiting = decide(town, date(2021, 7, 1), PROVINCE).answer

        with pytest.raises(Invalid) as refused:
            decide(town, date(2021, 6, 30), PROVINCE)

        assert refused.value.pointer == "/effective_from"
        assert refused.value.facts == {
            "reason": "the rule set decided last begins on 2021-07-01; the next cannot begin before it",
            "reason_zh": "上一版规则自 2021-07-01 起生效，新版规则不能早于该日期生效",
        }
        assert catalogue.rule_sets.versions(PROVINCE, 1, None).items[0] == waiting
        assert cataloguing.rules_in_force(catalogue, PROVINCE, local("2021-07-01T00:00:00Z")).version == waiting.version

    def test_given_a_rule_set_that_waits_when_another_of_its_date_is_decided_then_it_replaces_it(
        self, town: World
    ) -> None:
        catalogue = town.platform.catalogue
        decide(town, date(2021, 7, 1), "000000")

        better = decide(town, date(2021, 7, 1), "000000", one_at_a_time=True).answer

        assert (better.version, better.one_at_a_time) == (2, True)
        assert cataloguing.rules_in_force(catalogue, "000000", local("2021-07-01T00:00:00Z")).version == better.version
