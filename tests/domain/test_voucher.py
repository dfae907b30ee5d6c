"""The steps of a voucher: the whole table of domain.md §3, its edges in time, and what each step leaves behind."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import history, voucher
from chalicelib.domain.access import Role
from chalicelib.domain.calendar import from_text, to_text
from chalicelib.domain.errors import (
    AlreadyRedeemed,
    DomainError,
    Expired,
    NotClaimed,
    NotHeld,
    NotRedeemed,
    NotRevocable,
    NotYetValid,
    Reused,
    ReversalWindowOver,
    UsedTooOften,
    VoucherEnded,
    every_error,
)
from chalicelib.domain.voucher import ENDED, FOLLOWS, MOST_ENTRIES, STATE_ZH, Completion, State, Voucher
from tests.domain.builders import (
    CLAIMED_AT,
    COURSE,
    FIRST_INSTANT,
    FROM,
    INSTITUTION,
    LAST_MILLISECOND,
    MICROSECOND,
    MILLISECOND,
    NOW,
    OVER,
    PERSON,
    REDEEMED_AT,
    TEMPLATE,
    UNTIL,
    a_claimed_voucher,
    a_redemption,
    a_voucher,
    an_actor,
    an_attempt,
    an_unclaimed,
)

DAY = 24 * 3600
DESK = an_actor(Role.INSTITUTION, institution=INSTITUTION)


def redeem(one: Voucher, now: datetime) -> Voucher:
    used = a_redemption(redeemed_at=now)
    return voucher.redeem(one, used, attempt=an_attempt(), actor=DESK, facts={"nonce": "n"})


def apply(one: Voucher, now: datetime) -> Voucher:
    return voucher.apply(one, "A" * 16, 1, filed_at=now, actor=DESK, attempt=None, now=now)


def reverse(one: Voucher, now: datetime) -> Voucher:
    return voucher.reverse(one, reason="扫错了", window=365 * DAY, attempt=an_attempt(), actor=DESK, now=now)


def give_back(one: Voucher, now: datetime) -> Voucher:
    return voucher.give_back(one, attempt=an_attempt(), actor=an_actor(Role.CHANNEL, signed=False), now=now)


def revoke(one: Voucher, now: datetime) -> Voucher:
    return voucher.revoke(one, reason="资格有误", attempt=an_attempt(), actor=an_actor(), now=now)


def expire(one: Voucher, now: datetime) -> Voucher | None:
    return voucher.expire(one, now=now)


Step = Callable[[Voucher, datetime], Voucher | None]
STEPS: Mapping[str, Step] = {
    "redeem": redeem,
    "reverse": reverse,
    "give_back": give_back,
    "revoke": revoke,
    "expire": expire,
}
USED = AlreadyRedeemed(redeemed_at=to_text(REDEEMED_AT), institution_id=INSTITUTION, institution_name="深圳技师学院")
OVERDUE = Expired(valid_until="2021-06-30")


def ended(state: State, zh: str) -> VoucherEnded:
    return VoucherEnded(state=state, state_zh=zh)


Outcome = State | DomainError | None
# state: redeem, reverse, give_back, revoke, expire; None where the sweep leaves the voucher alone.
IN_FORCE: Mapping[State, tuple[Outcome, ...]] = {
    State.ISSUED: (NotClaimed(), NotRedeemed(state="issued"), State.RETURNED, State.REVOKED, None),
    State.CLAIMED: (State.REDEEMED, NotRedeemed(state="claimed"), State.RETURNED, State.REVOKED, None),
    State.REDEEMED: (USED, State.CLAIMED, NotHeld(state="redeemed"), State.REVOKED, None),
    State.APPLIED: (
        USED, NotRedeemed(state="applied"), NotHeld(state="applied"), NotRevocable(state="applied"), None,
    ),
    State.WRITTEN_OFF: (
        ended(State.WRITTEN_OFF, "核销"),
        NotRedeemed(state="written_off"), NotHeld(state="written_off"), NotRevocable(state="written_off"), None,
    ),
    State.RETURNED: (
        ended(State.RETURNED, "退回"),
        NotRedeemed(state="returned"), NotHeld(state="returned"), NotRevocable(state="returned"), None,
    ),
    State.EXPIRED: (
        OVERDUE, NotRedeemed(state="expired"), NotHeld(state="expired"), NotRevocable(state="expired"), None,
    ),
    State.FORFEITED: (
        ended(State.FORFEITED, "失效"),
        NotRedeemed(state="forfeited"), NotHeld(state="forfeited"), NotRevocable(state="forfeited"), None,
    ),
    State.REVOKED: (
        ended(State.REVOKED, "作废"),
        NotRedeemed(state="revoked"), NotHeld(state="revoked"), NotRevocable(state="revoked"), None,
    ),
}  # fmt: skip
# Once its validity is over, what was not used is expired, whether or not the sweep has run; all else is as before.
OVER_TIME: Mapping[State, tuple[Outcome, ...]] = {
    **IN_FORCE,
    State.ISSUED: (
        OVERDUE, NotRedeemed(state="issued"), NotHeld(state="expired"), NotRevocable(state="expired"), State.EXPIRED,
    ),
    State.CLAIMED: (
        OVERDUE, NotRedeemed(state="claimed"), NotHeld(state="expired"), NotRevocable(state="expired"), State.EXPIRED,
    ),
}  # fmt: skip
TABLE = [
    pytest.param(state, step, now, outcome, id=f"{state}-{step}-{when}")
    for when, now, table in (("in_force", NOW, IN_FORCE), ("over", OVER, OVER_TIME))
    for state, row in table.items()
    for step, outcome in zip(STEPS, row, strict=True)
]


class TestTable:
    @pytest.mark.parametrize(("state", "step", "now", "outcome"), TABLE)
    def test_given_a_state_when_a_step_is_tried_then_it_leads_where_the_table_says(
        self, state: State, step: str, now: datetime, outcome: Outcome
    ) -> None:
        before = a_voucher(state)

        if isinstance(outcome, DomainError):
            with pytest.raises(type(outcome)) as refused:
                STEPS[step](before, now)
            assert type(refused.value) is type(outcome)
            assert refused.value.facts == outcome.facts
            return
        after = STEPS[step](before, now)

        if outcome is None:
            assert after is None
            return
        assert after is not None
        assert after.state is outcome
        assert after.version == before.version + 1 == len(after.history)
        assert after.changed_at == now
        assert history.added(after.history, before.history) == after.history[-1:]
        said = after.history[-1].said
        assert (said["step"], said["from"], said["to"]) == (step, state, outcome)

    def test_given_the_table_when_looked_through_then_no_state_and_no_step_is_missing(self) -> None:
        assert len(TABLE) == 2 * len(State) * len(STEPS)
        assert IN_FORCE.keys() == OVER_TIME.keys() == set(State)

    def test_given_the_table_when_compared_with_the_published_one_then_every_move_is_in_it(self) -> None:
        moves = {(p.values[0], p.values[3]) for p in TABLE if isinstance(p.values[3], State)}

        assert moves <= {(before, after) for before, follows in FOLLOWS.items() for after in follows}

    def test_given_the_notice_when_the_table_is_written_out_then_it_is_this_one(self) -> None:
        assert {str(before): {str(state) for state in follows} for before, follows in FOLLOWS.items()} == {
            "None": {"issued", "claimed"},
            "issued": {"claimed", "returned", "expired", "revoked"},
            "claimed": {"redeemed", "returned", "expired", "revoked"},
            "redeemed": {"claimed", "applied", "written_off", "forfeited", "revoked"},
            "applied": {"redeemed", "forfeited", "written_off"},
            "written_off": set(),
            "returned": set(),
            "expired": set(),
            "forfeited": set(),
            "revoked": set(),
        }

    def test_given_an_ended_voucher_when_anything_is_tried_then_it_never_leaves(self) -> None:
        assert {"written_off", "returned", "expired", "forfeited", "revoked"} == ENDED
        for state, step, now in product(sorted(ENDED), STEPS, (CLAIMED_AT, NOW, OVER, OVER + timedelta(days=4000))):
            try:
                assert STEPS[step](a_voucher(state), now) is None
            except DomainError:
                continue

    @pytest.mark.parametrize("state", State)
    def test_given_any_step_when_done_then_nothing_of_the_voucher_changes_but_what_the_step_says(
        self, state: State
    ) -> None:
        before = a_voucher(state)
        changing = {"state", "version", "changed_at", "history", "due_on", "redemption"}

        for step in STEPS.values():
            try:
                after = step(before, OVER)
            except DomainError:
                continue
            for name in {*Voucher.__slots__} - changing if after else ():
                assert getattr(after, name) == getattr(before, name)

    def test_given_a_step_that_the_table_does_not_know_when_done_then_it_stops(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(voucher, "FOLLOWS", {**FOLLOWS, State.CLAIMED: frozenset()})

        with pytest.raises(AssertionError, match="redeemed does not follow claimed"):
            redeem(a_voucher(), NOW)

    @given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 40)), max_size=12))
    def test_given_any_steps_in_any_order_when_done_then_each_is_lawful_and_the_chain_holds(
        self, tries: list[tuple[str, int]]
    ) -> None:
        one, now = a_claimed_voucher(), CLAIMED_AT

        for step, days in tries:
            now += timedelta(days=days)
            try:
                after = STEPS[step](one, now) or one
            except DomainError:
                continue
            assert after is one or after.state in FOLLOWS[one.state]
            assert after.state is State.REDEEMED or after.redemption is None or after.state is State.REVOKED
            one = after

        assert history.check_chain(one.history, history.genesis(TEMPLATE, PERSON)) == one.version
        assert one.history[-1].said["to"] == one.state


class TestClaim:
    def test_given_an_unclaimed_one_when_claimed_then_it_is_the_first_entry_of_its_life(self) -> None:
        actor = an_actor(Role.CHANNEL, signed=False)

        made = voucher.claim(an_unclaimed(), attempt=an_attempt("k"), actor=actor, entrance="activity", now=CLAIMED_AT)

        assert (made.state, made.version, made.due_on) == (State.CLAIMED, 1, date(2021, 7, 1))
        assert made.history[0].said == {
            "format": 1,
            "number": 1,
            "prev": history.genesis(TEMPLATE, PERSON),
            "step": "claim",
            "from": None,
            "to": "claimed",
            "at": "2021-06-02T02:00:00.000Z",
            "client": "APPKEY",
            "operator": None,
            "request": an_attempt("k").request,
            "body": an_attempt("k").body,
            "facts": {
                "entrance": "activity",
                "shard": 3,
                "terms": 1,
                "valid_from": "2021-06-01",
                "valid_until": "2021-06-30",
            },
        }

    def test_given_a_whole_life_when_its_history_is_read_then_nothing_personal_stands_in_it(self) -> None:
        one = revoke(reverse(redeem(a_claimed_voucher(), NOW), NOW), NOW)

        told = "".join(entry.text for entry in one.history)

        for secret in (one.masked_name, one.sealed_code, one.code_key, one.person_id):
            assert secret not in told


class TestRedeem:
    def test_given_a_claimed_one_when_redeemed_then_it_remembers_where_and_how(self) -> None:
        used = a_redemption(redeemed_at=NOW)

        after = voucher.redeem(a_claimed_voucher(), used, attempt=an_attempt(), actor=DESK, facts={"nonce": "nonce-1"})

        assert after.redemption == used
        assert after.due_on is None
        said = after.history[-1].said
        assert said["facts"] == {"institution": INSTITUTION, "course": COURSE, "proof": "token", "nonce": "nonce-1"}
        assert (said["client"], said["operator"]) == ("APPKEY", "OPERATOR")

    @pytest.mark.parametrize(
        ("now", "refusal"),
        [
            (FIRST_INSTANT - MICROSECOND, NotYetValid(valid_from="2021-06-01")),
            (FIRST_INSTANT, None),
            (LAST_MILLISECOND, None),
            (OVER - MICROSECOND, None),
            (OVER, OVERDUE),
            (OVER + timedelta(days=3650), OVERDUE),
        ],
    )
    def test_given_an_edge_of_the_validity_when_redeemed_then_the_last_day_counts_whole(
        self, now: datetime, refusal: DomainError | None
    ) -> None:
        one = a_voucher()

        if refusal is None:
            assert redeem(one, now).state is State.REDEEMED
            return
        with pytest.raises(type(refusal)) as refused:
            redeem(one, now)
        assert refused.value.facts == refusal.facts

    def test_given_the_notice_s_example_when_redeemed_then_the_edge_is_at_16_hours_utc(self) -> None:
        assert redeem(a_voucher(), from_text("2021-06-30T15:59:59.999Z")).state is State.REDEEMED
        with pytest.raises(Expired):
            redeem(a_voucher(), from_text("2021-06-30T16:00:00.000Z"))

    def test_given_an_issued_one_before_its_validity_when_redeemed_then_the_claim_is_missing_first(self) -> None:
        with pytest.raises(NotClaimed):
            redeem(a_voucher(State.ISSUED), FIRST_INSTANT - MICROSECOND)

    def test_given_a_redeemed_one_after_its_validity_when_redeemed_again_then_it_says_where_it_was_used(self) -> None:
        with pytest.raises(AlreadyRedeemed) as refused:
            redeem(a_voucher(State.REDEEMED), OVER)

        assert refused.value.facts["institution_name"] == "深圳技师学院"

    def test_given_a_voucher_used_and_reversed_on_and_on_when_its_history_is_full_then_it_can_still_end(self) -> None:
        one = a_claimed_voucher()
        while len(one.history) < MOST_ENTRIES:
            one = reverse(redeem(one, NOW), NOW)

        with pytest.raises(UsedTooOften) as refused:
            redeem(one, NOW)

        assert refused.value.facts == {"limit": MOST_ENTRIES}
        assert give_back(one, NOW).state is State.RETURNED
        assert revoke(one, NOW).state is State.REVOKED
        swept = expire(one, OVER)
        assert swept is not None
        assert swept.state is State.EXPIRED

    def test_given_a_voucher_applied_for_and_taken_back_on_and_on_when_it_is_enough_then_not_applied_for_again(
        self,
    ) -> None:
        one = a_claimed_voucher()
        while len(one.history) < MOST_ENTRIES - 1:
            one = reverse(redeem(one, NOW), NOW)
        done = Completion("C" * 16, NOW, 1, 1, 100, 80, 0, 60, 3, "e" * 64)
        one = voucher.complete(redeem(one, NOW), done, filing_until=UNTIL, now=NOW)

        for _ in range(20):  # whatever became of it before
            one = voucher.give_back_line(
                apply(one, NOW), step="cancel", reason="材料不全", filing_until=None, actor=DESK, now=NOW
            )

        with pytest.raises(UsedTooOften):
            apply(one, NOW)
        written = sum(len(entry.text.encode()) for entry in one.history)
        assert 44 * written < 4_000_000 // 2  # as many as one transaction takes

    def test_given_a_full_history_when_the_validity_is_over_then_that_is_told_first(self) -> None:
        entry = a_claimed_voucher().history[0]

        with pytest.raises(Expired):
            redeem(a_voucher(history=(entry,) * (MOST_ENTRIES - 1)), OVER)
        assert redeem(a_voucher(history=(entry,) * (MOST_ENTRIES - 2)), NOW).state is State.REDEEMED
        with pytest.raises(UsedTooOften):
            redeem(a_voucher(history=(entry,) * (MOST_ENTRIES - 1)), NOW)

    def test_given_several_reasons_when_refused_then_the_one_of_precedence_is_told(self) -> None:
        order = every_error()
        told = (AlreadyRedeemed, Expired, VoucherEnded, NotClaimed, NotYetValid, UsedTooOften)

        assert [kind for kind in order if kind in told] == [*told]


class TestReverse:
    WINDOW = 3600
    LAST = REDEEMED_AT + timedelta(seconds=WINDOW)

    def reversed_at(self, now: datetime) -> Voucher:
        return voucher.reverse(
            a_voucher(State.REDEEMED), reason="扫错了", window=self.WINDOW, attempt=an_attempt(), actor=DESK, now=now
        )

    @pytest.mark.parametrize("now", [REDEEMED_AT, LAST - MICROSECOND, LAST])
    def test_given_the_window_when_reversed_within_it_then_it_is_claimed_again_and_usable(self, now: datetime) -> None:
        after = self.reversed_at(now)

        assert (after.state, after.redemption, after.due_on) == (State.CLAIMED, None, date(2021, 7, 1))
        assert after.history[-1].said["facts"] == {"institution": INSTITUTION, "reason": "扫错了"}
        assert redeem(after, now).state is State.REDEEMED

    def test_given_the_window_when_it_is_over_by_a_microsecond_then_it_says_until_when(self) -> None:
        with pytest.raises(ReversalWindowOver) as refused:
            self.reversed_at(self.LAST + MICROSECOND)

        assert refused.value.facts == {"until": "2021-06-03T03:00:00.000Z"}

    def test_given_a_voucher_used_on_its_last_day_when_reversed_after_it_then_it_is_expired_and_swept_later(
        self,
    ) -> None:
        used = redeem(a_voucher(), LAST_MILLISECOND)

        back = reverse(used, OVER)

        assert back.state is State.CLAIMED
        assert voucher.effective_state(back, OVER) is State.EXPIRED
        assert back.due_on == date(2021, 7, 2)  # 1 July may have been swept already
        with pytest.raises(Expired):
            redeem(back, OVER)


class TestGiveBackRevokeExpire:
    @pytest.mark.parametrize("step", [give_back, revoke])
    def test_given_the_last_instant_when_given_back_or_revoked_then_it_is_not_expired_yet(self, step: Step) -> None:
        after = step(a_voucher(), OVER - MICROSECOND)

        assert after is not None
        assert after.due_on is None

    def test_given_a_revoked_one_when_read_then_it_says_why_and_by_whom(self) -> None:
        said = revoke(a_voucher(State.REDEEMED), NOW).history[-1].said

        assert (said["facts"], said["operator"]) == ({"reason": "资格有误"}, "OPERATOR")

    def test_given_the_sweep_when_it_expires_then_nobody_s_request_stands_in_the_entry(self) -> None:
        after = expire(a_voucher(), OVER)

        assert after is not None
        said = after.history[-1].said
        assert [said[name] for name in ("client", "operator", "request", "body")] == [None] * 4
        assert said["facts"] == {"valid_until": "2021-06-30"}
        assert after.due_on is None

    @pytest.mark.parametrize("state", [State.ISSUED, State.CLAIMED])
    def test_given_the_last_millisecond_when_swept_then_it_is_left_alone(self, state: State) -> None:
        assert expire(a_voucher(state), LAST_MILLISECOND) is None
        assert expire(a_voucher(state), LAST_MILLISECOND + MILLISECOND) is not None


class TestEffectiveState:
    @pytest.mark.parametrize("state", State)
    def test_given_any_state_when_its_validity_is_over_then_only_what_is_unused_counts_as_expired(
        self, state: State
    ) -> None:
        one = a_voucher(state)

        assert voucher.effective_state(one, LAST_MILLISECOND) is state
        unused = state in (State.ISSUED, State.CLAIMED)
        assert voucher.effective_state(one, OVER) is (State.EXPIRED if unused else state)

    @pytest.mark.parametrize("state", [State.ISSUED, State.CLAIMED])
    def test_given_a_voucher_that_is_not_valid_yet_when_asked_then_it_is_never_expired(self, state: State) -> None:
        assert voucher.effective_state(a_voucher(state), FIRST_INSTANT - MICROSECOND) is state

    @pytest.mark.parametrize(
        ("state", "now", "held", "held_with_redeemed"),
        [
            (State.ISSUED, NOW, True, True),
            (State.CLAIMED, NOW, True, True),
            (State.CLAIMED, FIRST_INSTANT - MICROSECOND, True, True),
            (State.CLAIMED, LAST_MILLISECOND, True, True),
            (State.CLAIMED, OVER, False, False),
            (State.ISSUED, OVER, False, False),
            (State.REDEEMED, NOW, False, True),
            (State.REDEEMED, OVER, False, True),
            (State.APPLIED, OVER, False, True),
            *((state, NOW, False, False) for state in sorted(ENDED)),
        ],
    )
    def test_given_one_at_a_time_when_a_voucher_is_looked_at_then_it_is_held_while_in_force(
        self, state: State, now: datetime, held: bool, held_with_redeemed: bool
    ) -> None:
        one = a_voucher(state)

        assert voucher.is_held(one, now, redeemed_counts=False) is held
        assert voucher.is_held(one, now, redeemed_counts=True) is held_with_redeemed

    def test_given_every_state_when_told_in_chinese_then_each_has_its_own_word(self) -> None:
        assert STATE_ZH.keys() == set(State)
        assert len(set(STATE_ZH.values())) == len(State)


class TestReceipts:
    def test_given_a_step_when_receipted_then_it_says_the_facts_of_that_step(self) -> None:
        used = redeem(a_claimed_voucher(), NOW)

        receipt = voucher.receipt(used)

        assert (receipt.step, receipt.state, receipt.version, receipt.at) == ("redeem", State.REDEEMED, 2, NOW)
        assert (receipt.voucher_id, receipt.template_id, receipt.region) == ("VOUCHER-1", TEMPLATE, "440300")
        assert receipt.facts["course"] == COURSE

    def test_given_later_steps_when_an_earlier_one_is_receipted_then_it_is_answered_in_the_same_words(self) -> None:
        claimed = a_claimed_voucher()
        first = voucher.receipt(claimed)

        later = revoke(redeem(claimed, NOW), NOW)

        assert voucher.receipt(later, later.history[0]) == first
        assert voucher.receipt(later) != first


class TestEarlierAnswer:
    def test_given_the_same_request_when_repeated_then_its_own_entry_answers_whatever_came_later(self) -> None:
        claimed = a_claimed_voucher()
        later = revoke(redeem(claimed, NOW), NOW)

        assert voucher.earlier_answer(later, an_attempt("claim-key"), NOW) == claimed.history[0]

    def test_given_another_key_when_asked_then_there_is_no_earlier_answer(self) -> None:
        assert voucher.earlier_answer(a_claimed_voucher(), an_attempt("other"), NOW) is None
        assert voucher.earlier_answer(an_unclaimed(), an_attempt("claim-key"), NOW) is None

    def test_given_the_same_key_when_the_body_is_another_then_it_is_refused(self) -> None:
        with pytest.raises(Reused):
            voucher.earlier_answer(a_claimed_voucher(), an_attempt("claim-key", b'{"entrance":"x"}'), NOW)

    @pytest.mark.parametrize("body", [b"{}", b'{"other":1}'])
    def test_given_30_days_when_they_are_over_then_the_key_is_forgotten(self, body: bytes) -> None:
        claimed, attempt = a_claimed_voucher(), an_attempt("claim-key", body)
        last = CLAIMED_AT + timedelta(days=30)

        if body == b"{}":
            assert voucher.earlier_answer(claimed, attempt, last) == claimed.history[0]
        else:
            with pytest.raises(Reused):
                voucher.earlier_answer(claimed, attempt, last)
        assert voucher.earlier_answer(claimed, attempt, last + MILLISECOND) is None

    def test_given_one_key_for_two_steps_when_asked_then_the_latest_of_them_answers(self) -> None:
        one = a_voucher()
        twice = redeem(reverse(redeem(one, NOW), NOW), NOW)  # all three under the same key

        found = voucher.earlier_answer(twice, an_attempt(), NOW)

        assert found == twice.history[-1]

    def test_given_an_entry_of_the_sweep_when_asked_then_it_is_nobody_s_answer(self) -> None:
        swept = expire(a_claimed_voucher(), OVER)

        assert swept is not None
        assert voucher.earlier_answer(swept, an_attempt("claim-key"), NOW) == swept.history[0]
        assert voucher.earlier_answer(replace(swept, history=swept.history[1:]), an_attempt("claim-key"), NOW) is None


class TestValidityOfOtherLengths:
    @given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(0, 800), st.integers(-900, 900 * 24))
    def test_given_any_validity_when_used_at_any_hour_then_exactly_its_days_in_china_count(
        self, first: date, days: int, hours: int
    ) -> None:
        last = first + timedelta(days=days)
        now = from_text(f"{first.isoformat()}T00:00:00+08:00") + timedelta(hours=hours)
        one = a_voucher(valid_from=first, valid_until=last)
        day = (now + timedelta(hours=8)).date()

        try:
            voucher.must_be_usable(one, now)
            assert first <= day <= last
        except NotYetValid:
            assert day < first
        except Expired:
            assert day > last


def test_given_the_builders_when_they_make_a_voucher_then_its_history_is_sound() -> None:
    assert (date(2021, 6, 1), date(2021, 6, 30)) == (FROM, UNTIL)
    for state in State:
        one = a_voucher(state)
        assert one.state is state
        assert history.check_chain(one.history, history.genesis(TEMPLATE, PERSON)) == one.version
