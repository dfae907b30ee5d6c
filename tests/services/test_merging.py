"""Two records merged: numbers, wallet, claims, caps, hands, redemptions, the sweep; and all of it undone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Duty
from chalicelib.domain.errors import (
    AlreadyClaimed,
    BothHold,
    CapReached,
    HoldsAnother,
    Invalid,
    MergeNotFound,
    MergeStateRefused,
    NumberKnown,
    OperatorRequired,
    PersonFlagged,
    PersonNotFound,
    RecordMerged,
    RecordsLinked,
    RelationsStand,
    SameOperator,
    UndoWindowOver,
    VoucherNotFound,
)
from chalicelib.domain.person import FlagKind, Profile
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.voucher import State
from chalicelib.services import merging, showing
from chalicelib.services.identifying import Presented
from tests.services.test_acting_for import claim_for, end, relations
from tests.services.test_correcting import add, correct
from tests.services.test_disclosing import an_authority, find, see
from tests.services.test_flagging import clear, flag
from tests.world import OTHER_CITY, World, a_person, local

PROPOSER = an_authority()
assert PROPOSER.operator is not None
CHECKER = replace(PROPOSER, operator=replace(PROPOSER.operator, operator_id="CHECKER", duties=(Duty.REVIEWER,)))


def propose(world: World, survivor: str, other: str, *, actor: Actor = PROPOSER, key: str | None = None) -> Any:
    p = world.platform
    return merging.propose_merge(
        p.people, p.merges, p.marks, p.chance, survivor, other, "同一人", **world.by(actor, key)
    )


def confirm(world: World, merge_id: str, *, actor: Actor = CHECKER, key: str | None = None) -> Any:
    p = world.platform
    return merging.confirm_merge(p.people, p.merges, p.marks, p.keys, merge_id, **world.by(actor, key))


def undo(world: World, merge_id: str, *, actor: Actor = CHECKER, key: str | None = None) -> Any:
    p = world.platform
    return merging.undo_merge(p.people, p.merges, p.marks, p.keys, merge_id, "不是同一人", **world.by(actor, key))


class Two:
    """Two records of one person, each with a voucher of its own."""

    def __init__(self, world: World, *, merged: bool = True) -> None:
        self.world = world
        self.first, self.second = a_person(), a_person()
        self.of_first, self.of_second = world.publish(5), world.publish(5)
        self.first_voucher = world.claim(self.first, self.of_first).answer.voucher_id
        self.second_voucher = world.claim(self.second, self.of_second).answer.voucher_id
        self.survivor, self.other = (world.session(one).person_id for one in (self.first, self.second))
        self.before = self.rows()
        self.merge_id = propose(world, self.survivor, self.other).answer.merge_id
        if merged:
            confirm(world, self.merge_id)

    def rows(self) -> dict[str, Any]:
        return {one.person_id: one for one in self.world.platform.people.heads([self.survivor, self.other])}

    def wallet(self, person: Profile, limit: int = 50) -> list[str]:
        p, found, cursor = self.world.platform, list[str](), None
        while True:
            page = showing.open_wallet(p.templates, p.people, self.world.session(person), limit, cursor, self.world.now)
            found += [card.voucher.voucher_id for card in page.items]
            cursor = page.cursor
            if cursor is None:
                return found


class TestConfirmed:
    def test_given_two_records_when_merged_then_both_numbers_lead_to_one_wallet(self, town: World) -> None:
        two = Two(town)

        for person in (two.first, two.second):
            assert town.session(person).person_id == two.survivor
            for limit in (50, 1):
                assert two.wallet(person, limit) == [two.first_voucher, two.second_voucher]
        found = find(town, two.second, PROPOSER)
        assert (found.person.person_id, found.person.also, found.vouchers) == (two.survivor, (two.other,), 2)

    def test_given_a_session_of_before_when_merged_then_it_goes_on_with_both(self, town: World) -> None:
        two = Two(town, merged=False)
        sessions = [town.session(person) for person in (two.first, two.second)]
        confirm(town, two.merge_id)
        p = town.platform

        for session in sessions:
            first = showing.open_wallet(p.templates, p.people, session, 50, None, town.now)
            rest = showing.open_wallet(p.templates, p.people, session, 50, first.cursor, town.now)
            assert [one.voucher.voucher_id for one in (*first.items, *rest.items)] == [
                two.first_voucher,
                two.second_voucher,
            ]
            for voucher_id in (two.first_voucher, two.second_voucher):
                card = showing.show_voucher(
                    p.templates, p.people, p.keys, voucher_id, actor=town.channel, session=session, now=town.now
                )
                assert card.code is not None

    def test_given_a_stranger_when_asking_for_a_merged_person_s_voucher_then_there_is_none(self, town: World) -> None:
        two, stranger = Two(town), a_person()
        town.claim(stranger, town.publish(1))
        p = town.platform

        with pytest.raises(VoucherNotFound):
            showing.show_voucher(
                p.templates, p.people, p.keys, two.second_voucher,
                actor=town.channel, session=town.session(stranger), now=town.now,
            )  # fmt: skip

    @pytest.mark.parametrize("number", ["cursor of another list", "9~", "x~", "1~bm9uZQ"])
    def test_given_a_cursor_that_is_none_when_the_wallet_is_opened_then_refused(self, town: World, number: str) -> None:
        two, p = Two(town), town.platform

        with pytest.raises(Invalid):
            showing.open_wallet(p.templates, p.people, town.session(two.first), 1, number, town.now)

    @pytest.mark.parametrize("which", ["first", "second"])
    def test_given_a_template_of_the_other_record_when_claimed_by_either_number_then_already_claimed(
        self, town: World, which: str
    ) -> None:
        two = Two(town)

        for template in (two.of_first, two.of_second):
            with pytest.raises(AlreadyClaimed):
                town.claim(getattr(two, which), template)

    def test_given_a_claim_of_before_when_repeated_after_the_merge_then_it_gets_its_answer(self, town: World) -> None:
        two = Two(town, merged=False)
        template = town.publish(2)
        first = town.claim(two.second, template, key="claim")
        confirm(town, two.merge_id)

        again = town.claim(two.second, template, key="claim")

        assert (again.hit, again.answer) == (True, first.answer)

    def test_given_a_new_template_when_claimed_by_the_other_s_number_then_once_on_the_survivor(
        self, town: World
    ) -> None:
        two, template = Two(town), town.publish(2)

        town.claim(two.second, template)

        with pytest.raises(AlreadyClaimed):
            town.claim(two.first, template)
        assert town.platform.people.voucher(two.survivor, template.template_id) is not None
        assert town.platform.people.voucher(two.other, template.template_id) is None
        town.check_laws()

    def test_given_a_cap_when_claiming_then_both_records_count_and_a_give_back_of_either_frees_it(
        self, town: World
    ) -> None:
        town.rules(caps=(Cap("two", Window.LIFETIME, CapBy.ALL, 2),))
        two, template = Two(town), town.publish(2)

        with pytest.raises(CapReached):
            town.claim(two.first, template)
        town.give_back(two.first, two.second_voucher)
        town.claim(two.first, template)

        assert town.voucher(two.second_voucher).state is State.RETURNED
        town.rules()
        town.check_laws()

    def test_given_one_at_a_time_when_the_other_record_holds_then_holds_another(self, town: World) -> None:
        two, template = Two(town), town.publish(2)
        town.give_back(two.second, two.first_voucher)
        town.rules(one_at_a_time=True)

        with pytest.raises(HoldsAnother):
            town.claim(two.first, template)
        town.revoke(two.second_voucher)
        town.claim(two.first, template)
        town.rules()

    def test_given_one_at_a_time_when_a_use_is_reversed_while_the_other_record_holds_then_holds_another(
        self, town: World
    ) -> None:
        two = Two(town)
        town.redeem(Presented(code=town.code(two.first, two.first_voucher)))
        town.rules(one_at_a_time=True)

        with pytest.raises(HoldsAnother):
            town.reverse(two.first_voucher)
        town.give_back(two.first, two.second_voucher)
        assert town.reverse(two.first_voucher).answer.state is State.CLAIMED
        town.rules()

    def test_given_vouchers_of_both_when_shown_by_token_code_and_assertion_then_all_work(self, town: World) -> None:
        two = Two(town)
        jws = town.assertion(two.first, "redeem", two.of_second.template_id, actor=town.desk)
        template = town.publish(1)
        third = town.claim(two.second, template).answer.voucher_id

        assert town.verify(Presented(token=town.token(two.second, two.first_voucher))).usable
        used = [
            town.redeem(Presented(token=town.token(two.second, two.first_voucher))),
            town.redeem(Presented(assertion=jws, template_id=two.of_second.template_id), key="use"),
            town.redeem(Presented(code=town.code(two.first, third))),
        ]

        assert [one.answer.voucher_id for one in used] == [two.first_voucher, two.second_voucher, third]
        again = town.redeem(Presented(assertion=jws, template_id=two.of_second.template_id), key="use")
        assert again == replace(used[1], hit=True)
        town.check_laws()

    def test_given_a_merged_person_when_their_vouchers_are_due_then_the_sweep_expires_both(self, town: World) -> None:
        two = Two(town)
        town.clock.set(local("2021-06-30T16:05:00Z"))

        town.expire()

        states = {town.voucher(one).state for one in (two.first_voucher, two.second_voucher)}
        assert states == {State.EXPIRED}
        town.check_laws()

    def test_given_a_flag_on_either_record_when_merged_then_it_bites_for_both_and_goes_from_both(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        flag(town, two.other, FlagKind.INELIGIBLE)
        confirm(town, two.merge_id)
        codes = [town.code(two.first, one) for one in (two.first_voucher, two.second_voucher)]

        for code in codes:
            assert isinstance(town.verify(Presented(code=code)).refusal, PersonFlagged)
            with pytest.raises(PersonFlagged):
                town.redeem(Presented(code=code))
        with pytest.raises(PersonFlagged):
            town.claim(two.first, town.publish(1))
        clear(town, two.survivor)
        assert [town.redeem(Presented(code=code)).answer.state for code in codes] == [State.REDEEMED] * 2

    def test_given_a_relative_whose_merged_record_says_deceased_when_they_act_then_refused(self, town: World) -> None:
        town.rules(proxy_limit=2)
        two, template = Two(town, merged=False), town.publish(2)
        flag(town, two.other, FlagKind.DECEASED)
        confirm(town, two.merge_id)

        with pytest.raises(PersonFlagged):
            claim_for(town, a_person(), two.first, template)

        town.rules()

    def test_given_a_template_that_one_claimed_and_gave_back_meanwhile_when_confirmed_then_the_merge_names_it(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        assert merging.find_merge(town.platform.merges, two.merge_id, actor=PROPOSER).both_have == ()
        town.give_back(two.second, town.claim(two.second, two.of_first).answer.voucher_id)

        confirm(town, two.merge_id)

        merge = merging.find_merge(town.platform.merges, two.merge_id, actor=PROPOSER)
        assert merge.both_have == (two.of_first.template_id,)

    def test_given_an_ended_voucher_on_one_record_when_claimed_again_then_the_living_one_is_named(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        town.give_back(two.first, two.first_voucher)
        living = town.claim(two.second, two.of_first, key="living").answer
        confirm(town, two.merge_id)

        for person in (two.first, two.second):
            with pytest.raises(AlreadyClaimed) as refused:
                town.claim(person, two.of_first)
            assert refused.value.facts["voucher_id"] == living.voucher_id

    def test_given_the_record_that_leads_on_when_corrected_flagged_or_numbered_then_the_other_one_is_named(
        self, town: World
    ) -> None:
        two = Two(town)

        acts: list[Callable[[], object]] = [
            lambda: correct(town, two.other),
            lambda: flag(town, two.other),
            lambda: clear(town, two.other),
            lambda: add(town, two.other, a_person()),
        ]
        for act in acts:
            with pytest.raises(RecordMerged) as refused:
                act()
            assert refused.value.facts == {"person_id": two.survivor}
        assert see(town, two.other, PROPOSER).answer.profile == two.second
        with pytest.raises(NumberKnown):
            add(town, two.survivor, two.second)

    def test_given_both_rows_when_merged_then_each_keeps_what_it_had_and_has_a_record_of_it(self, town: World) -> None:
        two = Two(town)

        for person_id, partner in ((two.survivor, two.other), (two.other, two.survivor)):
            after, before = two.rows()[person_id], two.before[person_id]
            assert (after.counts, after.held, after.sealed_profile) == (
                before.counts, before.held, before.sealed_profile,
            )  # fmt: skip
            (record,) = town.platform.people.records(person_id, 10, None).items
            assert (record.kind, record.facts) == ("merged", {"merge_id": two.merge_id, "with": partner})
            assert record.operator_id == "CHECKER"


class TestUndone:
    def test_given_a_merge_when_undone_then_both_are_two_again_with_what_they_had(self, town: World) -> None:
        two = Two(town)

        undo(town, two.merge_id)

        assert (two.wallet(two.first), two.wallet(two.second)) == ([two.first_voucher], [two.second_voucher])
        for person_id, before in two.before.items():
            assert two.rows()[person_id] == replace(before, version=before.version + 2)

    def test_given_claims_and_uses_meanwhile_when_undone_then_they_stay_with_the_record_on_which_they_happened(
        self, town: World
    ) -> None:
        two, template = Two(town), town.publish(2)
        added = a_person()
        add(town, two.survivor, added)
        later = town.claim(two.second, template).answer.voucher_id
        town.give_back(two.first, two.second_voucher)

        undo(town, two.merge_id)

        assert two.wallet(two.first) == two.wallet(added) != two.wallet(two.second)
        assert set(two.wallet(two.first)) == {two.first_voucher, later}
        assert two.rows()[two.other].counts == {}
        assert sum(two.rows()[two.survivor].counts.values()) == 2
        town.claim(two.second, template)
        town.check_laws()

    def test_given_an_alias_of_the_other_when_merged_and_undone_then_it_follows_each_time(self, town: World) -> None:
        two, alias = Two(town, merged=False), a_person()
        add(town, two.other, alias, corrects=True)

        confirm(town, two.merge_id)
        assert town.session(alias).person_id == two.survivor
        undo(town, two.merge_id)

        assert {town.session(one).person_id for one in (alias, two.second)} == {two.other}

    def test_given_two_merged_into_one_when_one_is_undone_then_the_other_stays(self, town: World) -> None:
        two, third = Two(town), a_person()
        town.claim(third, town.publish(1))
        third_id = town.session(third).person_id
        confirm(town, propose(town, two.survivor, third_id).answer.merge_id)
        assert len(two.wallet(two.second, 1)) == 3

        undo(town, two.merge_id)

        assert town.session(third).person_id == two.survivor
        assert len(two.wallet(third)) == 2
        assert two.wallet(two.second) == [two.second_voucher]

    def test_given_thirty_days_when_over_then_it_stays_merged(self, town: World) -> None:
        two = Two(town)
        town.clock.set(town.now + timedelta(days=30, microseconds=1))

        with pytest.raises(UndoWindowOver):
            undo(town, two.merge_id)

        assert town.session(two.second).person_id == two.survivor

    def test_given_an_undone_merge_when_proposed_anew_then_it_can_be_merged_again(self, town: World) -> None:
        two = Two(town)
        undo(town, two.merge_id)

        confirm(town, propose(town, two.other, two.survivor).answer.merge_id)

        assert town.session(two.first).person_id == two.other


class TestRefused:
    def test_given_a_proposal_when_looked_at_then_nothing_has_changed_yet(self, town: World) -> None:
        two = Two(town, merged=False)

        assert two.rows() == two.before
        assert merging.find_merge(town.platform.merges, two.merge_id, actor=PROPOSER).state == "proposed"
        assert two.merge_id in [one.merge_id for one in town.platform.merges.page("440300", 100, None).items]

    def test_given_the_proposer_when_confirming_then_another_operator_is_needed(self, town: World) -> None:
        two = Two(town, merged=False)

        with pytest.raises(SameOperator):
            confirm(town, two.merge_id, actor=PROPOSER)

        assert two.rows() == two.before

    def test_given_requests_sent_twice_when_proposing_confirming_and_undoing_then_each_is_done_once(
        self, town: World
    ) -> None:
        two = Two(town, merged=False)
        for act, key in ((propose, "p"), (confirm, "c"), (undo, "u")):
            asked = (two.survivor, two.other) if act is propose else (two.merge_id,)
            first = act(town, *asked, key=key)

            again = act(town, *asked, key=key)

            assert again == replace(first, hit=True)
        for again_anew in (confirm, undo):
            with pytest.raises(MergeStateRefused):
                again_anew(town, two.merge_id)

    def test_given_both_hold_a_voucher_of_one_template_when_merged_then_one_must_go_first(self, town: World) -> None:
        two = Two(town, merged=False)
        voucher_id = town.claim(two.first, two.of_second).answer.voucher_id

        acts: list[Callable[[], object]] = [
            lambda: propose(town, two.survivor, two.other),
            lambda: confirm(town, two.merge_id),
        ]
        for act in acts:
            with pytest.raises(BothHold) as refused:
                act()
            assert refused.value.facts == {"template_id": two.of_second.template_id}
        town.revoke(voucher_id)
        confirm(town, two.merge_id)

        jws = town.assertion(two.first, "redeem", two.of_second.template_id, actor=town.desk)
        used = town.redeem(Presented(assertion=jws, template_id=two.of_second.template_id))
        assert used.answer.voucher_id == two.second_voucher

    def test_given_merged_records_when_merged_once_more_then_refused(self, town: World) -> None:
        two, third = Two(town), a_person()
        town.claim(third, town.publish(1))
        third_id = town.session(third).person_id

        for survivor, other in ((two.other, third_id), (third_id, two.other), (third_id, two.survivor)):
            with pytest.raises(RecordsLinked):
                propose(town, survivor, other)
        with pytest.raises(Invalid):
            propose(town, third_id, third_id)

    @pytest.mark.parametrize("acts", [True, False], ids=["acts for somebody", "is acted for"])
    def test_given_a_record_with_a_relative_when_merged_then_the_relation_is_ended_first(
        self, town: World, acts: bool
    ) -> None:
        town.rules(proxy_limit=2)
        two, third, template = Two(town, merged=False), a_person(), town.publish(3)
        person, relative = (third, two.second) if acts else (two.second, third)
        claim_for(town, person, relative, template)
        mine = town.session(two.second)
        asked: list[Callable[[], object]] = [
            lambda: propose(town, two.survivor, two.other),
            lambda: confirm(town, two.merge_id),
        ]

        for act in asked:
            with pytest.raises(RelationsStand):
                act()
        (relation,) = relations(town, two.second)
        end(town, two.second, relation.relation_id)
        confirm(town, two.merge_id)

        assert mine.person_id == two.other
        assert town.session(two.second).person_id == two.survivor
        town.rules()

    def test_given_two_numbers_of_one_person_when_one_acts_for_the_other_then_nobody_is_their_own_proxy(
        self, town: World
    ) -> None:
        town.rules(proxy_limit=2)
        two, template = Two(town), town.publish(1)

        with pytest.raises(Invalid) as refused:
            claim_for(town, two.first, two.second, template)

        assert refused.value.pointer == "/proxy/assertion"
        town.rules()

    def test_given_nobody_another_region_or_no_operator_when_merging_then_refused(self, town: World) -> None:
        two = Two(town, merged=False)
        elsewhere = an_authority(OTHER_CITY)

        with pytest.raises(PersonNotFound):
            propose(town, two.survivor, "NOBODY")
        with pytest.raises(PersonNotFound):
            propose(town, two.survivor, two.other, actor=elsewhere)
        for act in (confirm, undo):
            with pytest.raises(MergeNotFound):
                act(town, two.merge_id, actor=elsewhere)
            with pytest.raises(MergeNotFound):
                act(town, "NONE")
        with pytest.raises(OperatorRequired):
            propose(town, two.survivor, two.other, actor=replace(PROPOSER, operator=None))
