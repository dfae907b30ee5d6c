"""Merges: who may confirm, what cannot be merged, how long it can be undone; caps over all records of a person."""

from datetime import timedelta

import pytest

from chalicelib.domain import merge as rules
from chalicelib.domain import person as people_rules
from chalicelib.domain.errors import (
    BothHold,
    CapReached,
    MergeStateRefused,
    RecordsLinked,
    SameOperator,
    UndoWindowOver,
)
from chalicelib.domain.merge import Merge, MergeState
from chalicelib.domain.voucher import State
from tests.domain.builders import CITY, COUNTED, MICROSECOND, NOW, a_cap, a_holder, a_voucher, some_rules

ONE, TWO = a_holder(person_id="ONE"), a_holder(person_id="TWO")
PROPOSED = Merge("M", "ONE", "TWO", CITY, "同一人", (), "PROPOSER", NOW)
CONFIRMED = rules.confirm(PROPOSED, operator_id="ANOTHER", now=NOW)
UNDONE = rules.undo(CONFIRMED, reason="不是同一人", operator_id="ANOTHER", now=NOW)
NO_USE = (State.RETURNED, State.EXPIRED, State.REVOKED)
ENDED = (*NO_USE, State.WRITTEN_OFF, State.FORFEITED)


class TestSteps:
    def test_given_a_proposal_when_confirmed_and_undone_then_it_tells_by_whom_and_when(self) -> None:
        assert (CONFIRMED.state, CONFIRMED.confirmed_by, CONFIRMED.confirmed_at) == (
            MergeState.CONFIRMED,
            "ANOTHER",
            NOW,
        )
        assert (UNDONE.state, UNDONE.undone_by, UNDONE.undo_reason) == (MergeState.UNDONE, "ANOTHER", "不是同一人")
        assert [one.version for one in (PROPOSED, CONFIRMED, UNDONE)] == [1, 2, 3]

    def test_given_the_proposer_when_confirming_then_refused(self) -> None:
        with pytest.raises(SameOperator):
            rules.confirm(PROPOSED, operator_id="PROPOSER", now=NOW)

    @pytest.mark.parametrize("merge", [CONFIRMED, UNDONE], ids=["confirmed", "undone"])
    def test_given_a_merge_that_is_over_when_confirmed_again_then_its_state_is_told(self, merge: Merge) -> None:
        with pytest.raises(MergeStateRefused) as refused:
            rules.confirm(merge, operator_id="ANOTHER", now=NOW)

        assert refused.value.facts == {"state": merge.state}

    @pytest.mark.parametrize("merge", [PROPOSED, UNDONE], ids=["proposed", "undone"])
    def test_given_a_merge_that_does_not_hold_when_undone_then_its_state_is_told(self, merge: Merge) -> None:
        with pytest.raises(MergeStateRefused):
            rules.undo(merge, reason="x", operator_id="ANOTHER", now=NOW)

    def test_given_thirty_days_when_undone_then_the_last_instant_is_in_time_and_the_next_is_not(self) -> None:
        last = NOW + timedelta(days=30)

        assert rules.undo(CONFIRMED, reason="x", operator_id="ANOTHER", now=last).state is MergeState.UNDONE
        with pytest.raises(UndoWindowOver):
            rules.undo(CONFIRMED, reason="x", operator_id="ANOTHER", now=last + MICROSECOND)


class TestWhatCanBeMerged:
    def test_given_two_records_that_stand_alone_or_one_more_for_a_survivor_when_checked_then_they_pass(self) -> None:
        rules.check_mergeable(ONE, TWO)
        rules.check_mergeable(a_holder(also=("X", "Y")), TWO)

    @pytest.mark.parametrize(
        ("survivor", "other"),
        [
            (ONE, a_holder(merged_into="X")),
            (ONE, a_holder(also=("X",))),
            (a_holder(merged_into="X"), TWO),
            (a_holder(also=("X", "Y", "Z")), TWO),
        ],
        ids=["merged already", "a survivor as the other", "a merged one as survivor", "too many"],
    )
    def test_given_a_chain_or_too_many_when_checked_then_refused(
        self, survivor: people_rules.Person, other: people_rules.Person
    ) -> None:
        with pytest.raises(RecordsLinked):
            rules.check_mergeable(survivor, other)

    @pytest.mark.parametrize("mine", State)
    @pytest.mark.parametrize("theirs", State)
    def test_given_a_voucher_of_one_template_on_each_when_checked_then_at_most_one_can_still_be_used_or_was(
        self, mine: State, theirs: State
    ) -> None:
        """Source: domain.md §3, 同一券一人只能领取1次、使用1次."""
        ones, others = [a_voucher(state=mine)], [a_voucher(state=theirs)]
        both_over = mine in ENDED and theirs in ENDED
        one_to_no_use = mine in NO_USE or theirs in NO_USE

        if both_over or one_to_no_use:
            rules.check_no_second_use(ones, others)
            return
        with pytest.raises(BothHold) as refused:
            rules.check_no_second_use(ones, others)
        assert refused.value.facts == {"template_id": ones[0].template_id}

    def test_given_different_templates_when_checked_then_they_pass(self) -> None:
        rules.check_no_second_use([a_voucher()], [])
        rules.check_no_second_use([], [a_voucher()])


class TestBothRows:
    def test_given_two_rows_when_joined_and_parted_then_each_is_what_it_was_but_for_its_version(self) -> None:
        stays, leads_on = rules.join(ONE, TWO)

        assert (stays.also, stays.merged_into, leads_on.merged_into) == (("TWO",), None, "ONE")
        assert people_rules.is_one(stays, "TWO")
        assert people_rules.is_one(leads_on, "ONE")
        back = rules.part(stays, leads_on)
        assert [(one.person_id, one.also, one.merged_into, one.counts, one.version) for one in back] == [
            ("ONE", (), None, ONE.counts, 3),
            ("TWO", (), None, TWO.counts, 3),
        ]

    def test_given_counts_on_both_when_a_cap_is_judged_then_they_count_together(self) -> None:
        one, two = a_holder({COUNTED: 1}), a_holder({COUNTED: 1})
        three = some_rules(a_cap(limit=3))

        people_rules.check_caps(one, three, COUNTED, [two])
        people_rules.check_caps(one, some_rules(a_cap(limit=2)), COUNTED)
        with pytest.raises(CapReached):
            people_rules.check_caps(one, some_rules(a_cap(limit=2)), COUNTED, [two])
        with pytest.raises(CapReached):
            people_rules.check_caps(None, some_rules(a_cap(limit=1)), COUNTED, [two])
