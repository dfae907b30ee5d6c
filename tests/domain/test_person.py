"""A person's own row: caps in every window and kind, what is held, and what a repr may show."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import person
from chalicelib.domain.errors import CapReached, PersonFlagged
from chalicelib.domain.person import FLAG_ZH, CountKey, Flag, FlagKind, Profile
from chalicelib.domain.region import Cap, CapBy, Window
from tests.domain.builders import (
    CITY,
    COUNTED,
    NATION,
    NOW,
    OTHER_CITY,
    PROVINCE,
    TEMPLATE,
    UNTIL,
    a_cap,
    a_holder,
    some_rules,
)
from tools.people import invented_person

THIS = CountKey(CITY, 2021, "key_groups", "4-02-02-01", 4)
LAST_YEAR = CountKey(CITY, 2020, "key_groups", "4-02-02-01", 4)
OTHER_TYPE = CountKey(CITY, 2021, "enterprise_staff", "4-02-02-01", 4)
OTHER_LEVEL = CountKey(CITY, 2021, "key_groups", "4-02-02-01", 3)
OTHER_WORK = CountKey(CITY, 2021, "key_groups", "6-31-01-03", 4)
ELSEWHERE = CountKey(OTHER_CITY, 2021, "key_groups", "4-02-02-01", 4)
UNBOUND = CountKey(CITY, 2021, "key_groups")
OTHERS = (LAST_YEAR, OTHER_TYPE, OTHER_LEVEL, OTHER_WORK, ELSEWHERE, UNBOUND)
# For every window and kind: which of the others stand in the way of one more of THIS.
COUNTS_AGAINST: dict[tuple[Window, CapBy], set[CountKey]] = {
    (Window.YEAR, CapBy.ALL): {OTHER_TYPE, OTHER_LEVEL, OTHER_WORK, UNBOUND},
    (Window.YEAR, CapBy.PROGRAMME_TYPE): {OTHER_LEVEL, OTHER_WORK, UNBOUND},
    (Window.YEAR, CapBy.OCCUPATION_LEVEL): {OTHER_TYPE},
    (Window.LIFETIME, CapBy.ALL): {LAST_YEAR, OTHER_TYPE, OTHER_LEVEL, OTHER_WORK, UNBOUND},
    (Window.LIFETIME, CapBy.PROGRAMME_TYPE): {LAST_YEAR, OTHER_LEVEL, OTHER_WORK, UNBOUND},
    (Window.LIFETIME, CapBy.OCCUPATION_LEVEL): {LAST_YEAR, OTHER_TYPE},
}
KEYS = st.builds(
    CountKey,
    st.sampled_from([CITY, OTHER_CITY]),
    st.integers(2000, 2099),
    st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True),
    st.none() | st.from_regex(r"[0-9A-Z-]{1,20}", fullmatch=True),
    st.none() | st.integers(1, 5),
)


class TestCaps:
    @pytest.mark.parametrize(
        ("window", "by", "counted", "against"),
        [
            (window, by, counted, counted == THIS or counted in blockers)
            for (window, by), blockers in COUNTS_AGAINST.items()
            for counted in (THIS, *OTHERS)
        ],
    )
    def test_given_one_voucher_when_another_is_wanted_then_the_cap_counts_it_only_in_its_window_and_kind(
        self, window: Window, by: CapBy, counted: CountKey, against: bool
    ) -> None:
        holder, rules = a_holder({counted: 1}), some_rules(a_cap(by, window, limit=1))

        if not against:
            person.check_caps(holder, rules, THIS)
            return
        with pytest.raises(CapReached) as refused:
            person.check_caps(holder, rules, THIS)
        assert refused.value.facts == {"rule": "a-rule", "limit": 1}

    def test_given_every_window_and_kind_when_looked_through_then_none_is_missing(self) -> None:
        assert COUNTS_AGAINST.keys() == {(window, by) for window in Window for by in CapBy}

    @pytest.mark.parametrize(("counted", "refused"), [(0, False), (2, False), (3, True), (4, True)])
    def test_given_a_limit_of_three_when_one_more_is_wanted_then_the_third_is_the_last(
        self, counted: int, refused: bool
    ) -> None:
        holder, rules = a_holder({THIS: counted}), some_rules(a_cap(limit=3))

        if refused:
            with pytest.raises(CapReached):
                person.check_caps(holder, rules, THIS)
        else:
            person.check_caps(holder, rules, THIS)

    def test_given_vouchers_of_several_kinds_when_counted_in_all_then_they_add_up(self) -> None:
        holder = a_holder({THIS: 1, OTHER_TYPE: 1, OTHER_WORK: 1})

        person.check_caps(holder, some_rules(a_cap(limit=4)), THIS)
        with pytest.raises(CapReached):
            person.check_caps(holder, some_rules(a_cap(limit=3)), THIS)

    def test_given_a_programme_without_an_occupation_when_wanted_then_the_cap_by_occupation_waits(self) -> None:
        holder = a_holder({UNBOUND: 5, THIS: 5})

        for limit in (0, 1):
            rules = some_rules(a_cap(CapBy.OCCUPATION_LEVEL, Window.LIFETIME, limit))
            person.check_caps(holder, rules, UNBOUND)

    def test_given_nobody_yet_when_wanted_then_only_a_cap_of_none_refuses(self) -> None:
        person.check_caps(None, some_rules(a_cap(limit=1)), THIS)
        with pytest.raises(CapReached):
            person.check_caps(None, some_rules(a_cap(limit=0)), THIS)

    def test_given_several_caps_when_two_are_reached_then_the_first_is_told(self) -> None:
        caps = (
            Cap("year", Window.YEAR, CapBy.ALL, 3),
            Cap("type", Window.YEAR, CapBy.PROGRAMME_TYPE, 1),
            Cap("once", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 1),
        )

        with pytest.raises(CapReached) as refused:
            person.check_caps(a_holder({THIS: 1}), some_rules(*caps), THIS)

        assert refused.value.facts == {"rule": "type", "limit": 1}

    def test_given_no_caps_when_wanted_then_any_number_is_fine(self) -> None:
        person.check_caps(a_holder({THIS: 1000}), some_rules(), THIS)


class TestTakeAndLetGo:
    def test_given_a_person_when_a_voucher_is_taken_then_it_is_counted_and_held(self) -> None:
        before = a_holder({LAST_YEAR: 2}, held={"OTHER": OTHER_CITY}, version=4)

        after = person.take(person.take(before, TEMPLATE, THIS), "SECOND", THIS)

        assert after.counts == {LAST_YEAR.text(): 2, THIS.text(): 2}
        assert after.held == {"OTHER": OTHER_CITY, TEMPLATE: CITY, "SECOND": CITY}
        assert after.version == 6
        assert (before.counts, before.held) == ({LAST_YEAR.text(): 2}, {"OTHER": OTHER_CITY})

    @pytest.mark.parametrize(
        ("counted", "frees", "left"), [(2, True, {THIS.text(): 1}), (1, True, {}), (2, False, {THIS.text(): 2})]
    )
    def test_given_a_voucher_when_given_back_then_its_cap_is_freed_only_where_the_region_says_so(
        self, counted: int, frees: bool, left: dict[str, int]
    ) -> None:
        before = a_holder({THIS: counted, OTHER_TYPE: 1}, held={TEMPLATE: CITY, "OTHER": CITY}, version=4)

        after = person.let_go(before, TEMPLATE, THIS, frees_cap=frees)

        assert after.counts == {**left, OTHER_TYPE.text(): 1}
        assert after.held == {"OTHER": CITY}
        assert after.version == 5

    @pytest.mark.parametrize(("frees", "again"), [(True, True), (False, False)])
    def test_given_a_cap_of_one_when_the_voucher_was_given_back_then_another_may_or_may_not_be_had(
        self, frees: bool, again: bool
    ) -> None:
        rules = some_rules(a_cap(limit=1), give_back_frees_cap=frees)
        holder = person.take(a_holder(), TEMPLATE, THIS)

        after = person.let_go(holder, TEMPLATE, THIS, frees_cap=rules.give_back_frees_cap)

        if again:
            person.check_caps(after, rules, THIS)
        else:
            with pytest.raises(CapReached):
                person.check_caps(after, rules, THIS)

    def test_given_a_cap_that_a_province_decided_when_another_of_its_cities_gave_one_then_it_counts(self) -> None:
        holder, here = a_holder({ELSEWHERE: 1}), some_rules(a_cap(limit=1))

        person.check_caps(holder, here, THIS)
        with pytest.raises(CapReached):
            person.check_caps(holder, replace(here, decided_by={"caps": "440000"}), THIS)

    def test_given_counts_that_never_held_it_when_let_go_then_no_count_falls_below_zero(self) -> None:
        assert person.let_go(a_holder(), TEMPLATE, THIS, frees_cap=True).counts == {}

    def test_given_a_reversal_when_held_again_then_it_is_not_counted_twice(self) -> None:
        before = a_holder({THIS: 1}, version=2)

        after = person.hold_again(before, {TEMPLATE: CITY})

        assert (after.held, after.counts, after.version) == ({TEMPLATE: CITY}, before.counts, 3)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=20))
    def test_given_any_takes_and_give_backs_when_all_are_freed_then_counts_equal_what_is_held(
        self, acts: list[tuple[bool, int]]
    ) -> None:
        holder = a_holder()

        for taking, number in acts:
            template = f"T{number}"
            if taking and template not in holder.held:
                holder = person.take(holder, template, THIS)
            elif not taking and template in holder.held:
                holder = person.let_go(holder, template, THIS, frees_cap=True)
            assert holder.counts.get(THIS.text(), 0) == len(holder.held)


class TestCountKeys:
    @given(KEYS)
    def test_given_any_key_when_written_and_read_then_it_is_the_same(self, key: CountKey) -> None:
        assert CountKey.read(key.text()) == key

    @given(KEYS, KEYS)
    def test_given_two_keys_when_written_then_their_texts_differ_as_they_do(self, one: CountKey, two: CountKey) -> None:
        assert (one.text() == two.text()) == (one == two)

    def test_given_a_key_when_written_then_it_is_this_text_for_ever(self) -> None:
        assert COUNTED.text() == "440300|2021|key_groups|4-02-02-01|4"
        assert UNBOUND.text() == "440300|2021|key_groups||"


class TestProfiles:
    def test_given_a_profile_when_shown_in_a_log_then_nothing_personal_is_in_it(self) -> None:
        somebody = invented_person(1, name="测试甲")

        shown = f"{somebody!r} {somebody} {[somebody]}"

        assert somebody.mobile is not None
        for personal in (somebody.name, somebody.id_number, somebody.mobile, somebody.id_number[6:14]):
            assert personal not in shown
        assert shown.startswith("Profile(id_type=")

    def test_given_two_people_of_one_name_when_compared_then_the_number_tells_them_apart(self) -> None:
        assert invented_person(1, name="测试甲") == invented_person(1, name="测试甲")
        assert invented_person(1, name="测试甲") != invented_person(2, name="测试甲")
        assert isinstance(invented_person(1), Profile)


class TestFlags:
    """Source: the issue "Who may claim what" (deceased and ineligible, looked at again at redemption)."""

    @pytest.mark.parametrize(
        ("kind", "by", "until", "bites"),
        [
            (FlagKind.DECEASED, CITY, None, True),
            (FlagKind.DECEASED, OTHER_CITY, None, True),
            (FlagKind.INELIGIBLE, CITY, None, True),
            (FlagKind.INELIGIBLE, PROVINCE, None, True),
            (FlagKind.INELIGIBLE, NATION, None, True),
            (FlagKind.INELIGIBLE, "440305", None, False),
            (FlagKind.INELIGIBLE, OTHER_CITY, None, False),
            (FlagKind.INELIGIBLE, CITY, UNTIL, True),
            (FlagKind.INELIGIBLE, CITY, UNTIL - timedelta(days=1), False),
        ],
    )
    def test_given_a_flag_when_a_voucher_of_the_city_is_at_stake_then_its_kind_region_and_end_decide(
        self, kind: FlagKind, by: str, until: date | None, bites: bool
    ) -> None:
        flagged, free = person.set_flag(a_holder(), Flag(kind, by, NOW, until)), a_holder()

        for records in ([flagged], [free, flagged]):
            if bites:
                with pytest.raises(PersonFlagged) as refused:
                    person.must_not_be_flagged(records, CITY, UNTIL)
                assert refused.value.facts == {"flag": kind, "flag_zh": FLAG_ZH[kind]}
            else:
                person.must_not_be_flagged(records, CITY, UNTIL)

    def test_given_flags_of_several_regions_when_one_is_put_again_or_taken_away_then_the_others_stay(self) -> None:
        of_city, of_province = Flag(FlagKind.INELIGIBLE, CITY, NOW, UNTIL), Flag(FlagKind.INELIGIBLE, PROVINCE, NOW)
        dead = Flag(FlagKind.DECEASED, CITY, NOW)
        holder = a_holder()
        for flag in (of_city, of_province, dead):
            holder = person.set_flag(holder, flag)

        again = person.set_flag(holder, replace(of_city, until=None))
        cleared = person.clear_flags(again, FlagKind.INELIGIBLE, [CITY])

        assert set(again.flags) == {of_province, dead, replace(of_city, until=None)}
        assert set(cleared.flags) == {of_province, dead}
        assert (again.version, cleared.version) == (holder.version + 1, holder.version + 2)
