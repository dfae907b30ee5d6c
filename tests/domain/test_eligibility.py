"""Who may claim: every kind of rule with its source, in three values. 粤人社函〔2021〕101号 (通用券); domain.md §3."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.eligibility import (
    AllOf,
    AnyOf,
    Applicant,
    Asked,
    Declared,
    Listed,
    NotOf,
    Rule,
    ServiceVerdict,
    Span,
    judge,
    looks_at_lists,
    must_be_eligible,
    needs_service,
)
from chalicelib.domain.errors import NotEligible
from chalicelib.domain.identifiers import CitizenId, IdType

TODAY = date(2021, 5, 1)
DAY = timedelta(days=1)
WOMAN = CitizenId("440106198001010019", IdType.RESIDENT_ID, date(1980, 5, 1), "female", "440106")
NO_FACTS = CitizenId("ABC123456789012", IdType.FOREIGN_PERMANENT, None, None, None)
FOREIGN = CitizenId("911440198001010000", IdType.FOREIGN_PERMANENT, date(1980, 1, 1), "male", None)
YES, NO = ServiceVerdict(True), ServiceVerdict(False, "正在领取养老金", "draws a pension")


def somebody(number: CitizenId = WOMAN, service: ServiceVerdict | None = None, **groups: Span) -> Applicant:
    return Applicant(number, TODAY, {group: (span,) for group, span in groups.items()}, service)


@pytest.mark.parametrize(
    ("rule", "applicant", "holds"),
    [
        # 年龄 by the number: completed years on the day of the claim, both bounds inclusive; 41 since this very day.
        (Declared(age_from=41), somebody(), True),
        (Declared(age_from=42), somebody(), False),
        (Declared(age_to=41), somebody(), True),
        (Declared(age_to=40), somebody(), False),
        (Declared(age_from=16, age_to=60), somebody(), True),
        (Declared(age_to=0), somebody(), False),
        # 性别 and the region in the number.
        (Declared(sex="female"), somebody(), True),
        (Declared(sex="male"), somebody(), False),
        (Declared(regions=("440000",)), somebody(), True),
        (Declared(regions=("440100", "450000")), somebody(), True),
        (Declared(regions=("440300",)), somebody(), False),
        (Declared(sex="female", regions=("450000",)), somebody(), False),
        # What a number does not tell is not known: it neither holds nor fails, whichever way round it is asked.
        (Declared(age_from=16), somebody(NO_FACTS), None),
        (Declared(sex="male"), somebody(NO_FACTS), None),
        (Declared(regions=("440000",)), somebody(FOREIGN), None),
        (NotOf(Declared(regions=("440000",))), somebody(FOREIGN), None),
        (Declared(sex="female", regions=("440000",)), somebody(FOREIGN), False),
        (Declared(sex="male"), somebody(FOREIGN), True),
        # 大数据比对: the list, by group and dates (inclusive).
        (Listed(), somebody(), False),
        (Listed(), somebody(veteran=Span()), True),
        (Listed(groups=("veteran", "unemployed")), somebody(unemployed=Span()), True),
        (Listed(groups=("graduate",)), somebody(veteran=Span()), False),
        (Listed(), somebody(veteran=Span(TODAY, TODAY)), True),
        (Listed(), somebody(veteran=Span(TODAY + DAY)), False),
        (Listed(), somebody(veteran=Span(None, TODAY - DAY)), False),
        # 身份核验: the region's service.
        (Asked(), somebody(), None),
        (Asked(), somebody(service=YES), True),
        (Asked(), somebody(service=NO), False),
        # All, any, not.
        (AllOf((Declared(sex="female"), Asked())), somebody(), None),
        (AllOf((Declared(sex="male"), Asked())), somebody(), False),
        (AllOf((Declared(sex="female"), Listed())), somebody(veteran=Span()), True),
        (AnyOf((Declared(sex="female"), Asked())), somebody(), True),
        (AnyOf((Declared(sex="male"), Asked())), somebody(), None),
        (AnyOf((Declared(sex="male"), Listed())), somebody(), False),
        (NotOf(Listed(groups=("pensioner",))), somebody(pensioner=Span()), False),
        (NotOf(Listed(groups=("pensioner",))), somebody(), True),
        (NotOf(Asked()), somebody(), None),
        (NotOf(Asked()), somebody(service=NO), True),
    ],
)
def test_given_a_rule_when_judged_then_it_holds_fails_or_is_not_known(
    rule: Rule, applicant: Applicant, holds: bool | None
) -> None:
    assert judge(rule, applicant).holds is holds


def test_given_several_rules_that_fail_when_refused_then_each_is_named_and_the_service_is_quoted() -> None:
    rule = AnyOf((Declared(rule="young", age_to=30), Listed(rule="veterans", groups=("veteran",)), Asked(rule="hr")))

    with pytest.raises(NotEligible) as refused:
        must_be_eligible(rule, somebody(service=NO))

    assert refused.value.facts == {
        "rules": "young, veterans, hr",
        "reason_zh": "正在领取养老金",
        "reason": "draws a pension",
    }


def test_given_what_nobody_can_tell_when_judged_then_refused_and_named() -> None:
    with pytest.raises(NotEligible) as refused:
        must_be_eligible(NotOf(Declared(rule="locals", regions=("440000",)), rule="outsiders"), somebody(FOREIGN))

    assert refused.value.facts["rules"] == "outsiders"


def test_given_no_rule_when_judged_then_whoever_is_asserted_may_claim() -> None:
    must_be_eligible(None, somebody(NO_FACTS))

    assert not looks_at_lists(None)
    assert not needs_service(None, somebody())


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        (Asked(), True),
        (NotOf(Asked()), True),
        (AllOf((Declared(sex="female"), Asked())), True),
        (AllOf((Declared(sex="male"), Asked())), False),
        (AnyOf((Declared(sex="female"), Asked())), False),
        (AnyOf((Declared(sex="male"), Asked())), True),
        (Declared(sex="female"), False),
    ],
)
def test_given_a_rule_when_the_rest_settles_it_then_the_service_is_not_asked(rule: Rule, needed: bool) -> None:
    assert needs_service(rule, somebody()) is needed
    assert not needs_service(rule, somebody(service=YES))


_LEAVES: st.SearchStrategy[Rule] = st.sampled_from(
    [Declared(sex="male"), Declared(sex="female"), Declared(regions=("440000",)), Listed(), Asked()]
)
RULES: st.SearchStrategy[Rule] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(NotOf, inner)
        | st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@given(RULES, st.sampled_from([WOMAN, FOREIGN, NO_FACTS]), st.booleans(), st.sampled_from([None, YES, NO]))
def test_given_any_rule_when_judged_then_what_the_service_may_still_say_never_turns_a_settled_answer(
    rule: Rule, number: CitizenId, listed: bool, service: ServiceVerdict | None
) -> None:
    applicant = somebody(number, service, **({"veteran": Span()} if listed else {}))

    judged = judge(rule, applicant)

    assert bool(judged.missed) is not bool(judged.holds)
    assert judge(NotOf(rule), applicant).holds is (None if judged.holds is None else not judged.holds)
    if service is None and judged.holds is not None:
        assert not needs_service(rule, applicant)
