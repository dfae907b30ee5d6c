"""Templates: their life, who may claim, how stock is dealt to shards, and what a step does to its shard."""

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, fields, replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import template as rules
from chalicelib.domain.errors import (
    ClaimWindowNotOpen,
    ClaimWindowOver,
    DirectedOnly,
    DomainError,
    TemplateNotOpen,
    TemplateStateRefused,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.template import DistributionMode, FunctionMode, Movement, Shard, Stock, Template, TemplateState
from chalicelib.domain.voucher import FOLLOWS, State
from tests.domain.builders import (
    CEILING,
    COURSE,
    FIRST_INSTANT,
    INSTITUTION,
    LAST_MILLISECOND,
    MICROSECOND,
    NOW,
    OTHER_INSTITUTION,
    OVER,
    PROGRAMME,
    a_course,
    a_shard,
    a_template,
    a_voucher,
    some_terms,
)

DRAFT, PUBLISHED, SUSPENDED, CLOSED = TemplateState
ACTS: Mapping[str, Callable[[Template], Template]] = {
    "publish": lambda template: rules.publish(template, NOW),
    "suspend": rules.suspend,
    "resume": rules.resume,
    "close": rules.close,
    "add": lambda template: rules.add(template, 50),
}
LIFE: Mapping[TemplateState, tuple[TemplateState | None, ...]] = {
    DRAFT: (PUBLISHED, None, None, CLOSED, None),
    PUBLISHED: (None, SUSPENDED, None, CLOSED, PUBLISHED),
    SUSPENDED: (None, None, PUBLISHED, CLOSED, SUSPENDED),
    CLOSED: (None, None, None, None, None),
}


class TestLife:
    @pytest.mark.parametrize(
        ("state", "act", "after"),
        [(state, act, after) for state, row in LIFE.items() for act, after in zip(ACTS, row, strict=True)],
    )
    def test_given_a_state_when_an_act_is_tried_then_it_leads_where_the_table_says(
        self, state: TemplateState, act: str, after: TemplateState | None
    ) -> None:
        before = a_template(state, gate=4, version=7)

        if after is None:
            with pytest.raises(TemplateStateRefused) as refused:
                ACTS[act](before)
            assert refused.value.facts == {"state": state}
            return
        changed = ACTS[act](before)

        assert (changed.state, changed.version) == (after, 8)
        gated = act != "add" and (state, act) != (DRAFT, "close")
        assert changed.gate == (5 if gated else 4)

    def test_given_a_draft_when_published_then_it_says_since_when(self) -> None:
        assert rules.publish(a_template(DRAFT), NOW).published_at == NOW

    def test_given_a_draft_when_closed_then_it_is_thrown_away_whole(self) -> None:
        closed = rules.close(a_template(DRAFT, quantity=100, unallotted=100))

        assert (closed.quantity, closed.unallotted, closed.released) == (0, 0, True)
        assert rules.is_settled(closed)

    @pytest.mark.parametrize("state", [PUBLISHED, SUSPENDED])
    def test_given_a_template_with_stock_on_its_way_when_more_is_added_then_both_are_on_their_way(
        self, state: TemplateState
    ) -> None:
        more = rules.add(a_template(state, quantity=100, unallotted=10), 50)

        assert (more.quantity, more.unallotted) == (150, 60)

    def test_given_a_published_template_when_closed_then_its_quantity_stays(self) -> None:
        closed = rules.close(a_template(PUBLISHED, quantity=100, unallotted=10))

        assert (closed.quantity, closed.unallotted, closed.released) == (100, 10, False)

    @pytest.mark.parametrize("field", [field.name for field in fields(some_terms())])
    def test_given_terms_when_somebody_would_change_them_then_they_stay(self, field: str) -> None:
        terms = some_terms()

        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(terms, field, "changed")

        assert terms == some_terms()


class TestSettling:
    @pytest.mark.parametrize(
        ("state", "changes", "settled"),
        [
            (DRAFT, {"unallotted": 100, "gate": 1}, True),
            (PUBLISHED, {"gate": 1, "gate_reached": 1}, True),
            (PUBLISHED, {"gate": 1, "gate_reached": 0}, False),
            (PUBLISHED, {"gate": 1, "gate_reached": 1, "unallotted": 1}, False),
            (SUSPENDED, {"gate": 2, "gate_reached": 2}, True),
            (SUSPENDED, {"gate": 2, "gate_reached": 1}, False),
            (SUSPENDED, {"gate": 2, "gate_reached": 2, "unallotted": 1}, False),
            (CLOSED, {"gate": 2, "gate_reached": 2, "released": True}, True),
            (CLOSED, {"gate": 2, "gate_reached": 2, "released": False}, False),
            (CLOSED, {"gate": 2, "gate_reached": 1, "released": True}, False),
        ],
    )
    def test_given_a_template_when_asked_then_it_is_settled_only_if_every_shard_has_it_all(
        self, state: TemplateState, changes: dict[str, int], settled: bool
    ) -> None:
        assert rules.is_settled(a_template(state, **changes)) is settled

    @pytest.mark.parametrize("state", [PUBLISHED, SUSPENDED, CLOSED])
    def test_given_all_shards_at_the_gate_when_reached_then_the_template_is_settled(self, state: TemplateState) -> None:
        there = rules.reached(a_template(state, gate=3, gate_reached=2, version=5))

        assert (there.gate_reached, there.released, there.version) == (3, state is CLOSED, 6)
        assert rules.is_settled(there)

    def test_given_a_shut_shard_when_released_then_its_rest_and_its_money_wait_to_be_posted(self) -> None:
        shard = a_shard(remaining=10, made=3, released=2, quantity=15, to_release_fen=7, version=4)

        after = rules.release(shard, CEILING)

        assert (after.remaining, after.released, after.made) == (0, 12, 3)
        assert after.quantity == after.remaining + after.made + after.released
        assert (after.reserved_fen, after.to_release_fen) == (3 * CEILING, 7 + 10 * CEILING)
        assert after.version == 5


class TestClaimGates:
    @pytest.mark.parametrize("state", [DRAFT, SUSPENDED, CLOSED])
    def test_given_a_template_that_is_not_published_when_claimed_then_it_is_refused(self, state: TemplateState) -> None:
        with pytest.raises(TemplateNotOpen) as refused:
            rules.check_open_for_claim(state, some_terms(), NOW)

        assert refused.value.facts == {"state": state}

    @pytest.mark.parametrize(
        ("now", "refusal"),
        [
            (FIRST_INSTANT - MICROSECOND, ClaimWindowNotOpen(claim_from="2021-06-01")),
            (FIRST_INSTANT, None),
            (LAST_MILLISECOND, None),
            (OVER - MICROSECOND, None),
            (OVER, ClaimWindowOver(claim_until="2021-06-30")),
        ],
    )
    def test_given_an_edge_of_the_claim_window_when_claimed_then_its_days_count_whole(
        self, now: datetime, refusal: DomainError | None
    ) -> None:
        if refusal is None:
            rules.check_open_for_claim(PUBLISHED, some_terms(), now)
            return
        with pytest.raises(type(refusal)) as refused:
            rules.check_open_for_claim(PUBLISHED, some_terms(), now)
        assert refused.value.facts == refusal.facts

    def test_given_a_claim_window_shorter_than_the_validity_when_claimed_then_the_window_decides(self) -> None:
        terms = some_terms(valid_from=some_terms().claim_until, valid_until=some_terms().claim_until)

        rules.check_open_for_claim(PUBLISHED, terms, FIRST_INSTANT)

    def test_given_a_directed_template_when_claimed_openly_then_it_is_for_the_named(self) -> None:
        with pytest.raises(DirectedOnly):
            rules.check_open_for_claim(PUBLISHED, some_terms(distribution_mode=DistributionMode.DIRECTED), OVER)

    def test_given_a_suspended_directed_template_out_of_its_window_when_claimed_then_its_state_is_told_first(
        self,
    ) -> None:
        terms = some_terms(distribution_mode=DistributionMode.DIRECTED)

        with pytest.raises(TemplateNotOpen):
            rules.check_open_for_claim(SUSPENDED, terms, OVER)


class TestPlace:
    @pytest.mark.parametrize(
        ("terms", "course", "institution", "refusal"),
        [
            ({}, {}, INSTITUTION, None),
            ({"courses": (COURSE,), "institutions": (INSTITUTION,)}, {}, INSTITUTION, None),
            ({"courses": ("OTHER", COURSE)}, {}, INSTITUTION, None),
            ({}, {"institution_id": OTHER_INSTITUTION}, OTHER_INSTITUTION, None),
            ({}, {"institution_id": OTHER_INSTITUTION}, INSTITUTION, WrongCourse),
            ({}, {"programme_id": "OTHER"}, INSTITUTION, WrongCourse),
            ({"courses": ("OTHER",)}, {}, INSTITUTION, WrongCourse),
            ({"courses": (COURSE,)}, {"programme_id": "OTHER"}, INSTITUTION, WrongCourse),
            ({"institutions": (OTHER_INSTITUTION,)}, {}, INSTITUTION, WrongInstitution),
            ({"institutions": (INSTITUTION,)}, {}, OTHER_INSTITUTION, WrongInstitution),
            ({"institutions": (OTHER_INSTITUTION,), "courses": ("OTHER",)}, {}, INSTITUTION, WrongInstitution),
        ],
    )
    def test_given_terms_when_used_at_a_place_then_only_the_right_one_is_accepted(
        self, terms: dict[str, object], course: dict[str, str], institution: str, refusal: type[DomainError] | None
    ) -> None:
        promised, taught = some_terms(**terms), a_course(**course)

        if refusal is None:
            rules.check_place(promised, taught, institution)
            return
        with pytest.raises(refusal) as refused:
            rules.check_place(promised, taught, institution)
        assert type(refused.value) is refusal

    def test_given_the_builders_when_they_teach_a_course_then_it_is_of_the_terms(self) -> None:
        assert (a_course().programme_id, a_course().institution_id) == (PROGRAMME, INSTITUTION)


class TestCeiling:
    @pytest.mark.parametrize(
        ("mode", "attendance_only", "ceiling"),
        [
            (FunctionMode.FACE_VALUE, False, 500),
            (FunctionMode.FACE_VALUE, True, 500),
            (FunctionMode.NO_FACE_VALUE, False, 900),
            (FunctionMode.NO_FACE_VALUE, True, 0),
        ],
    )
    def test_given_a_function_mode_when_asked_then_the_ceiling_is_what_one_voucher_can_cost(
        self, mode: FunctionMode, attendance_only: bool, ceiling: int
    ) -> None:
        assert rules.ceiling_of(mode, 500, 900, attendance_only=attendance_only) == ceiling


# --- stock -----------------------------------------------------------------------------------------------------


class TestShardsWanted:
    @pytest.mark.parametrize(
        ("quantity", "peak", "shards"),
        [
            (0, 0, 1),
            (1, 0, 1),
            (5_000, 0, 1),
            (5_001, 0, 2),
            (640_000, 0, 128),
            (10_000_000, 0, 128),
            (100, 12, 1),
            (100, 13, 2),
            (100, 367, 31),
            (15_000, 24, 3),
            (100, 100_000, 128),
        ],
    )
    def test_given_quantity_and_rush_when_asked_then_the_larger_need_decides_within_bounds(
        self, quantity: int, peak: int, shards: int
    ) -> None:
        assert rules.shards_wanted(quantity, peak) == shards


def dealt(template: Template, shards: list[Shard], deals: Mapping[int, int]) -> tuple[Template, list[Shard]]:
    """What a store makes of deals: shards that exist get more, others are made."""
    known = {shard.number: shard for shard in shards}
    for number, quantity in deals.items():
        if number in known:
            had = known[number]
            known[number] = replace(had, quantity=had.quantity + quantity, remaining=had.remaining + quantity)
        else:
            known[number] = rules.new_shard(template, number, quantity)
    return rules.deal(template, deals), [known[number] for number in sorted(known)]


class TestAllotments:
    @pytest.mark.parametrize(
        ("unallotted", "wanted", "remaining", "deals"),
        [
            (100, 1, [], {0: 100}),
            (100, 3, [], {0: 34, 1: 33, 2: 33}),
            (2, 3, [], {0: 1, 1: 1}),
            (10, 2, [0, 10], {0: 10}),
            (10, 2, [3, 7], {0: 7, 1: 3}),
            (3, 2, [3, 7], {0: 3}),
            (4, 2, [3, 7], {0: 4}),
            (5, 2, [3, 7], {0: 5}),
            (9, 3, [5, 1], {1: 4, 2: 5}),
            (20, 3, [5, 1], {0: 3, 1: 8, 2: 9}),
            (6, 4, [100, 100], {2: 3, 3: 3}),
            (7, 2, [5, 5, 5], {0: 3, 1: 2, 2: 2}),
        ],
    )
    def test_given_uneven_shards_when_stock_is_dealt_then_the_emptiest_are_filled_to_a_common_level(
        self, unallotted: int, wanted: int, remaining: list[int], deals: dict[int, int]
    ) -> None:
        template = a_template(quantity=1, unallotted=unallotted, peak_claims=wanted * rules.CLAIMS_PER_SHARD)
        shards = [a_shard(number, left) for number, left in enumerate(remaining)]

        assert rules.allotments(template, shards, 90) == deals

    @pytest.mark.parametrize("shards", [[], [a_shard(0, 0), a_shard(1, 90)]])
    def test_given_a_closed_template_when_stock_is_still_on_its_way_then_all_of_it_goes_to_the_first_shard(
        self, shards: list[Shard]
    ) -> None:
        assert rules.allotments(a_template(CLOSED, unallotted=77), shards, 1) == {0: 77}

    @given(
        st.integers(1, 200_000),
        st.integers(0, 2_000),
        st.lists(st.integers(0, 9_000), max_size=128),
        st.integers(1, 128),
    )
    def test_given_any_stock_when_dealt_chunk_by_chunk_then_nothing_is_lost_and_it_ends_level(
        self, unallotted: int, peak: int, remaining: list[int], most: int
    ) -> None:
        shards = [a_shard(number, left) for number, left in enumerate(remaining)]
        quantity = unallotted + sum(remaining)
        template = a_template(quantity=quantity, unallotted=unallotted, peak_claims=peak, shards=len(shards), version=1)
        wanted = max(rules.shards_wanted(quantity, peak), len(shards))
        got: dict[int, int] = {}

        for chunk in range(1, 130):
            deals = rules.allotments(template, shards, most)
            assert 1 <= len(deals) <= most
            assert all(q > 0 for q in deals.values())
            assert sum(deals.values()) <= template.unallotted
            template, shards = dealt(template, shards, deals)
            got = {number: got.get(number, 0) + deals.get(number, 0) for number in {*got, *deals}}
            assert template.version == 1 + chunk
            assert template.quantity == template.unallotted + sum(shard.quantity for shard in shards)
            if not template.unallotted:
                break

        assert template.unallotted == 0
        assert [shard.number for shard in shards] == list(range(template.shards))  # no gaps
        assert template.shards <= wanted
        levels = {shard.number: shard.remaining for shard in shards} | dict.fromkeys(range(template.shards, wanted), 0)
        filled = [levels[number] for number in got]
        assert max(filled) - min(filled) <= 1  # those that got something stand level …
        assert all(levels[number] >= max(filled) - 1 for number in levels)  # … and nobody stands lower

    @pytest.mark.parametrize(("state", "is_open"), [(PUBLISHED, True), (SUSPENDED, False), (CLOSED, False)])
    def test_given_a_deal_when_it_makes_a_shard_then_the_shard_keeps_its_law_and_the_template_s_gate(
        self, state: TemplateState, is_open: bool
    ) -> None:
        shard = rules.new_shard(a_template(state, gate=5, terms_version=2), 4, 30)

        assert (shard.number, shard.open, shard.gate, shard.terms_version) == (4, is_open, 5, 2)
        assert (shard.quantity, shard.remaining, shard.made, shard.released) == (30, 30, 0, 0)
        assert (shard.reserved_fen, shard.to_release_fen) == (30 * CEILING, 0)
        assert shard.counts == dict.fromkeys(State, 0)

    def test_given_a_template_with_more_shards_when_dealt_to_the_first_then_none_is_forgotten(self) -> None:
        after = rules.deal(a_template(unallotted=10, shards=5), {0: 4, 1: 3})

        assert (after.unallotted, after.shards) == (3, 5)


class TestMovements:
    @pytest.mark.parametrize(
        ("before", "after", "moved"),
        [
            (None, State.ISSUED, Movement(remaining=-1, made=1, counts={State.ISSUED: 1})),
            (None, State.CLAIMED, Movement(remaining=-1, made=1, counts={State.CLAIMED: 1}, ever_claimed=1)),
            (State.ISSUED, State.CLAIMED, Movement(counts={State.ISSUED: -1, State.CLAIMED: 1}, ever_claimed=1)),
            (State.CLAIMED, State.REDEEMED, Movement(counts={State.CLAIMED: -1, State.REDEEMED: 1}, ever_redeemed=1)),
            (State.REDEEMED, State.CLAIMED, Movement(counts={State.REDEEMED: -1, State.CLAIMED: 1}, ever_redeemed=-1)),
            (State.REDEEMED, State.APPLIED, Movement(counts={State.REDEEMED: -1, State.APPLIED: 1})),
            (State.APPLIED, State.REDEEMED, Movement(counts={State.APPLIED: -1, State.REDEEMED: 1})),
            *(
                (before, after, Movement(counts={before: -1, after: 1}, reserved_fen=-CEILING, to_release_fen=CEILING))
                for before, after in (
                    (State.ISSUED, State.RETURNED),
                    (State.ISSUED, State.EXPIRED),
                    (State.ISSUED, State.REVOKED),
                    (State.CLAIMED, State.RETURNED),
                    (State.CLAIMED, State.EXPIRED),
                    (State.CLAIMED, State.REVOKED),
                    (State.REDEEMED, State.FORFEITED),
                    (State.REDEEMED, State.REVOKED),
                    (State.APPLIED, State.FORFEITED),
                    (State.APPLIED, State.WRITTEN_OFF),  # nothing was granted, so nothing is kept for it
                    (State.REDEEMED, State.WRITTEN_OFF),
                )
            ),
        ],
    )
    def test_given_a_step_when_done_then_its_shard_moves_as_the_table_says(
        self, before: State | None, after: State, moved: Movement
    ) -> None:
        assert after in FOLLOWS[before]
        assert _moved(before, after) == moved

    def test_given_every_lawful_step_when_done_then_the_laws_of_the_shard_hold(self) -> None:
        for before, follows in FOLLOWS.items():
            for after in follows:
                m = _moved(before, after)
                assert m.remaining + m.made == 0  # quantity = remaining + made + released
                assert sum(m.counts.values()) == m.made  # states sum to made
                assert m.reserved_fen + m.to_release_fen == 0  # money stays until the job posts it

    @pytest.mark.parametrize(("granted", "released"), [(CEILING, 0), (CEILING - 30, 30)])
    def test_given_a_claim_when_granted_then_it_leaves_the_shard_and_only_the_rest_waits_to_be_released(
        self, granted: int, released: int
    ) -> None:
        applied = a_voucher(state=State.APPLIED, ceiling_fen=CEILING)
        approved = replace(applied, approved_fen=granted)

        m = rules.movement(applied, approved)

        assert (m.reserved_fen, m.to_release_fen, m.counts) == (-CEILING, released, {})
        paid = replace(approved, paid_fen=granted)
        assert rules.movement(approved, paid) == Movement()
        ended = rules.movement(paid, replace(paid, state=State.WRITTEN_OFF))
        assert (ended.reserved_fen, ended.to_release_fen) == (0, 0)
        refused = rules.movement(approved, replace(approved, state=State.FORFEITED, approved_fen=0))
        assert (refused.reserved_fen, refused.to_release_fen) == (0, 0)

    @given(st.lists(st.sampled_from([(b, a) for b, follows in FOLLOWS.items() for a in sorted(follows)])))
    def test_given_any_steps_when_totalled_then_each_number_is_the_sum_and_no_zero_is_kept(
        self, steps: list[tuple[State | None, State]]
    ) -> None:
        movements = [_moved(before, after) for before, after in steps]

        total = rules.total(movements)

        for name in ("remaining", "made", "ever_claimed", "ever_redeemed", "reserved_fen", "to_release_fen"):
            assert getattr(total, name) == sum(getattr(m, name) for m in movements)
        for state in State:
            assert total.counts.get(state, 0) == sum(m.counts.get(state, 0) for m in movements)
        assert 0 not in total.counts.values()


class TestStock:
    def test_given_shards_when_added_up_then_the_template_s_stock_is_told(self) -> None:
        shards = [
            a_shard(0, remaining=6, made=4, released=1, ever_redeemed=2, to_release_fen=5),
            a_shard(1, remaining=3, made=2, released=2, ever_redeemed=1, to_release_fen=6),
        ]

        stock = rules.stock_of(a_template(quantity=28, unallotted=10), shards)

        assert stock == Stock(
            quantity=28,
            unallotted=10,
            remaining=9,
            made=6,
            released=3,
            counts=dict.fromkeys(State, 0) | {State.CLAIMED: 6},
            ever_claimed=6,
            ever_redeemed=3,
            reserved_fen=15 * CEILING,
            to_release_fen=11,
        )
        assert stock.quantity == stock.unallotted + stock.remaining + stock.made + stock.released

    def test_given_a_draft_without_shards_when_added_up_then_all_is_unallotted(self) -> None:
        stock = rules.stock_of(a_template(DRAFT, quantity=100, unallotted=100), [])

        assert (stock.quantity, stock.unallotted, stock.remaining, stock.made) == (100, 100, 0, 0)


def _moved(before: State | None, after: State) -> Movement:
    """By the states alone: vouchers of which nothing is granted."""
    was = None if before is None else a_voucher(state=before, ceiling_fen=CEILING)
    return rules.movement(was, a_voucher(state=after, ceiling_fen=CEILING))
