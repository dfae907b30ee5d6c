"""Regions, rule sets, programmes, courses, institutions: what they promise and what they default to."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import AdmissionStepRefused, InstitutionNotAdmitted
from chalicelib.domain.identifiers import region_ancestors
from chalicelib.domain.institution import (
    MEANS,
    MOST_ACTS,
    STEPS,
    Admission,
    AdmissionStep,
    Institution,
    Kind,
    must_redeem,
    must_teach,
    take_step,
)
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.region import (
    DECIDABLE,
    Cap,
    CapBy,
    Overlaps,
    RosterColumn,
    Rules,
    RuleSet,
    Window,
    differences,
    resolve,
    within,
)
from chalicelib.domain.voucher import Voucher
from tests.domain.builders import CITY, INSTITUTION, NATION, OTHER_CITY, PROVINCE, a_cap

COUNTY, TODAY = "440305", date(2021, 5, 1)

DISTRICTS = st.sampled_from(["440305", "440304", CITY, "440104", OTHER_CITY, PROVINCE, "350102", "441900", "660000"])


class TestWithin:
    @pytest.mark.parametrize(
        ("code", "scope", "inside"),
        [
            (CITY, (CITY,), True),
            ("440305", (CITY,), True),
            ("440305", (PROVINCE,), True),
            ("440305", (NATION,), True),
            ("441900", (PROVINCE,), True),  # 东莞 has no counties
            ("660000", (NATION,), True),  # 兵团
            ("429004", ("420000",), True),  # a county directly under its province
            (CITY, ("440305",), False),
            (CITY, (OTHER_CITY,), False),
            (CITY, ("350000",), False),
            (NATION, (PROVINCE,), False),
            (CITY, (), False),
            (CITY, (OTHER_CITY, PROVINCE), True),
        ],
    )
    def test_given_a_scope_when_a_region_is_asked_then_it_lies_in_it_or_not(
        self, code: str, scope: tuple[str, ...], inside: bool
    ) -> None:
        assert within(code, scope) is inside

    @given(DISTRICTS, DISTRICTS)
    def test_given_two_regions_when_each_lies_within_the_other_then_they_are_one(self, one: str, other: str) -> None:
        assert (within(one, [other]) and within(other, [one])) == (one == other)

    @given(DISTRICTS)
    def test_given_a_region_when_asked_then_it_lies_within_itself_and_all_above_it(self, code: str) -> None:
        assert all(within(code, [above]) for above in (code, *region_ancestors(code)))

    @pytest.mark.parametrize("code", ["", "44030", "4403000", "44O300", "990000"])
    def test_given_no_region_code_when_asked_then_it_is_never_inside(self, code: str) -> None:
        assert not within(code, [NATION, code])


class TestRuleSets:
    def test_given_a_region_that_decided_nothing_when_asked_then_these_are_the_defaults(self) -> None:
        rules = resolve(CITY, [None, None, None])

        assert (rules.caps, rules.one_at_a_time, rules.redeemed_counts_as_held) == ((), False, False)
        assert (rules.give_back_frees_cap, rules.reversal_window, rules.help_line) == (True, 86_400, "12333")
        assert (rules.version, rules.decided_by) == (0, {})

    @pytest.mark.parametrize("name", DECIDABLE)
    def test_given_a_rule_when_decided_above_then_it_holds_below_until_a_nearer_region_decides(self, name: str) -> None:
        """省、市、县: the nearest decides (domain.md §3: caps are regional)."""
        before = getattr(Rules(COUNTY, 0), name)
        other: dict[type, Any] = {
            bool: not before,
            int: 7,
            str: "0755-12333",
            Overlaps: Overlaps.ALLOWED,
            tuple: (Cap("a", Window.YEAR, CapBy.ALL, 9),),
        }
        if name == "roster_columns":
            other[tuple] = (RosterColumn("vouchers", "name", ("劳动者",)),)
        above = RuleSet(PROVINCE, 4, TODAY, **{name: other[type(before)]})
        nearer = RuleSet(CITY, 2, TODAY, **{name: before})

        inherited = resolve(COUNTY, [None, None, above, None])
        decided = resolve(COUNTY, [None, nearer, above, None])

        assert differences(Rules(COUNTY, 0), inherited) == (name,)
        assert inherited.decided_by == {name: PROVINCE}
        assert differences(Rules(COUNTY, 0), decided) == ()
        assert decided.decided_by == {name: CITY}

    def test_given_caps_of_a_province_when_inherited_then_they_count_all_its_cities_together(self) -> None:
        rules = resolve(CITY, [None, RuleSet(PROVINCE, 1, TODAY, caps=(a_cap(limit=1),), one_at_a_time=True)])

        assert (rules.caps_of, rules.held_of) == (PROVINCE, PROVINCE)
        assert resolve(CITY, [RuleSet(CITY, 1, TODAY, caps=())]).caps_of == CITY

    @pytest.mark.parametrize("field", ["caps", "version", "effective_from", "one_at_a_time"])
    def test_given_a_rule_set_when_somebody_would_change_it_then_only_a_next_version_can(self, field: str) -> None:
        rules = RuleSet(CITY, 1, date(2021, 1, 1))

        with pytest.raises(AttributeError):
            setattr(rules, field, None)


NOW = datetime(2021, 5, 1, 4, 0, tzinfo=UTC)


class TestInstitutions:
    INSTITUTION = Institution(
        INSTITUTION, CITY, "深圳技师学院", "Technician College", Kind.SCHOOL, "22.5", "114.0", "wgs84"
    )

    def test_given_a_new_institution_when_it_trains_then_it_is_admitted(self) -> None:
        must_redeem(self.INSTITUTION)
        must_teach(self.INSTITUTION)

    # Source: domain.md §1 (准入、暂停、退出机制).
    @pytest.mark.parametrize(
        ("admission", "redeems", "teaches"),
        [
            (Admission.CANDIDATE, False, True),
            (Admission.ADMITTED, True, True),
            (Admission.SUSPENDED, False, False),
            (Admission.WITHDRAWN, False, False),
        ],
    )
    def test_given_a_state_of_admission_when_it_would_redeem_or_teach_then_as_the_state_means(
        self, admission: Admission, redeems: bool, teaches: bool
    ) -> None:
        institution = replace(self.INSTITUTION, admission=admission)

        for allowed, must in ((redeems, must_redeem), (teaches, must_teach)):
            if allowed:
                must(institution)
                continue
            with pytest.raises(InstitutionNotAdmitted) as refused:
                must(institution)
            assert refused.value.facts == {"state": admission}

    def test_given_all_states_when_looked_up_then_each_means_something(self) -> None:
        assert MEANS.keys() == set(Admission)
        assert STEPS.keys() == set(AdmissionStep)

    @pytest.mark.parametrize("admission", Admission)
    @pytest.mark.parametrize("step", AdmissionStep)
    def test_given_a_state_when_a_step_is_taken_then_as_the_table_says_or_refused(
        self, admission: Admission, step: AdmissionStep
    ) -> None:
        allowed = {
            ("candidate", "admit"): "admitted",
            ("candidate", "withdraw"): "withdrawn",
            ("admitted", "suspend"): "suspended",
            ("admitted", "withdraw"): "withdrawn",
            ("suspended", "readmit"): "admitted",
            ("suspended", "withdraw"): "withdrawn",
            ("withdrawn", "reapply"): "candidate",
        }
        before = replace(self.INSTITUTION, admission=admission, version=7)

        if (admission, step) not in allowed:
            with pytest.raises(AdmissionStepRefused) as refused:
                take_step(before, step, reason=None, operator_id="OP", now=NOW)
            assert refused.value.facts == {"state": admission}
            return
        after = take_step(before, step, reason="年度评估", operator_id="OP", now=NOW)

        assert (after.admission, after.version) == (allowed[admission, step], 8)
        (act,) = after.acts
        assert (act.state, act.at, act.operator_id, act.reason) == (after.admission, NOW, "OP", "年度评估")

    def test_given_many_acts_when_one_more_is_done_then_the_oldest_is_forgotten(self) -> None:
        institution = self.INSTITUTION
        for number in range(MOST_ACTS + 1):
            step = AdmissionStep.READMIT if number % 2 else AdmissionStep.SUSPEND
            institution = take_step(institution, step, reason=str(number), operator_id=None, now=NOW)

        assert [act.reason for act in institution.acts] == [str(number) for number in range(1, MOST_ACTS + 1)]

    def test_given_the_notice_when_institutions_are_named_then_there_are_five_kinds(self) -> None:
        assert {str(kind) for kind in Kind} == {"training", "school", "enterprise", "platform", "assessment"}


class TestProgrammes:
    @pytest.mark.parametrize("kind", [Programme, Course, Institution, RuleSet, Voucher])
    def test_given_anything_of_the_catalogue_when_stored_then_it_carries_a_version(self, kind: type) -> None:
        assert "version" in kind.__dataclass_fields__  # type: ignore[attr-defined]
