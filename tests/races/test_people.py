"""What an authority says of a person, and what happens to their vouchers at the same moment."""

from collections.abc import Callable
from functools import partial
from typing import Any

from chalicelib.domain.errors import (
    AlreadyClaimed,
    BothHold,
    CapReached,
    DomainError,
    MergeStateRefused,
    PersonFlagged,
    RecordsLinked,
)
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import Template
from chalicelib.services.identifying import Presented
from tests.engines import Engine
from tests.races.conftest import Ground, a_ground
from tests.races.crowd import at_once, held_up
from tests.services.test_flagging import flag
from tests.services.test_merging import Two, confirm, propose, undo
from tests.world import a_person


def test_given_somebody_who_was_read_as_free_when_flagged_before_the_redemption_is_written_then_it_is_refused(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    person = a_person()
    voucher_id = mine.claim(person, mine.publish(1)).answer.voucher_id
    code, person_id = mine.code(person, voucher_id), mine.session(person).person_id

    late = held_up(mine, "people", ["record_step"], lambda: flag(other, person_id))
    (answer,) = at_once([lambda: late.redeem(Presented(code=code))])

    assert isinstance(answer, PersonFlagged)
    assert mine.voucher(voucher_id).state == "claimed"
    mine.check_laws()


def test_given_somebody_who_was_read_as_free_when_flagged_before_the_claim_is_written_then_it_is_refused(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    person, template = a_person(), mine.publish(2)
    mine.claim(person, mine.publish(1))
    person_id = mine.session(person).person_id

    late = held_up(mine, "people", ["record_claim"], lambda: flag(other, person_id))
    (answer,) = at_once([lambda: late.claim(person, template)])

    assert isinstance(answer, PersonFlagged)
    assert mine.stock(template).remaining == 2
    mine.check_laws()


def test_given_a_flag_and_a_redemption_at_once_when_both_are_over_then_one_came_first(ground: Ground) -> None:
    mine, other, third, *_ = ground.worlds()
    for _ in range(12):
        person = a_person()
        voucher_id = mine.claim(person, mine.publish(1)).answer.voucher_id
        code, person_id = mine.code(person, voucher_id), mine.session(person).person_id

        acts: list[Callable[[], Any]] = [partial(other.redeem, Presented(code=code)), partial(flag, third, person_id)]
        used, flagged = at_once(acts)

        refused = isinstance(used, PersonFlagged)
        assert mine.voucher(voucher_id).state == ("claimed" if refused else "redeemed")
        assert not isinstance(flagged, DomainError)
    mine.check_laws()


def test_given_a_claim_by_either_number_when_the_merge_is_confirmed_before_it_is_written_then_once_per_person(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    for which in ("first", "second"):
        two, template = Two(mine, merged=False), mine.publish(3)

        def confirm_and_claim(two: Two = two, template: Template = template, which: str = which) -> None:
            confirm(other, two.merge_id)
            # By the number that the one who is held up did not show.
            other.claim(two.second if which == "first" else two.first, template)

        late = held_up(mine, "people", ["record_claim"], confirm_and_claim)
        (answer,) = at_once([partial(late.claim, getattr(two, which), template)])

        assert isinstance(answer, AlreadyClaimed)
        assert mine.stock(template).remaining == 2
        assert len(two.wallet(two.first)) == 3
    mine.check_laws()


def test_given_a_claim_and_a_confirmation_at_once_when_both_are_over_then_the_voucher_is_in_the_one_wallet(
    ground: Ground,
) -> None:
    mine, other, third, fourth, *_ = ground.worlds()
    for _ in range(10):
        two, template = Two(mine, merged=False), mine.publish(3)
        acts: list[Callable[[], Any]] = [
            partial(other.claim, two.first, template),
            partial(third.claim, two.second, template),
            partial(confirm, fourth, two.merge_id),
        ]

        one, another, merged = at_once(acts)

        made = [answer for answer in (one, another) if not isinstance(answer, DomainError)]
        if isinstance(merged, DomainError):  # both were quicker, each on a record of its own
            assert (len(made), type(merged)) == (2, BothHold)
            assert {mine.session(person).person_id for person in (two.first, two.second)} == {two.survivor, two.other}
        else:
            assert len(made) == 1
            assert {type(answer) for answer in (one, another)} - {type(made[0])} == {AlreadyClaimed}
            assert made[0].answer.voucher_id in two.wallet(two.second)
        assert mine.stock(template).made == len(made)
    mine.check_laws()


def test_given_two_confirmations_at_once_when_both_are_over_then_one_was_carried_out(ground: Ground) -> None:
    mine, other, third, *_ = ground.worlds()
    for _ in range(6):
        two = Two(mine, merged=False)
        again = propose(mine, two.other, two.survivor).answer.merge_id  # the same two, the other way round

        answers = at_once(
            [
                partial(confirm, other, two.merge_id),
                partial(confirm, third, two.merge_id),
                partial(confirm, mine, again),
            ]
        )

        assert sum(not isinstance(answer, DomainError) for answer in answers) == 1
        refused = {type(answer) for answer in answers if isinstance(answer, DomainError)}
        assert refused <= {MergeStateRefused, RecordsLinked}
        one, another = two.rows().values()
        assert {one.merged_into, another.merged_into} - {None} in ({one.person_id}, {another.person_id})
        assert len(two.wallet(two.first)) == len(two.wallet(two.second)) == 2


def test_given_a_use_of_the_other_record_when_merged_with_somebody_flagged_before_it_is_written_then_refused(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    two = Two(mine, merged=False)
    code = mine.code(two.second, two.second_voucher)

    def flag_and_confirm() -> None:
        flag(other, two.survivor)
        confirm(other, two.merge_id)

    late = held_up(mine, "people", ["record_step"], flag_and_confirm)
    (answer,) = at_once([lambda: late.redeem(Presented(code=code))])

    assert isinstance(answer, PersonFlagged)
    assert mine.voucher(two.second_voucher).state == "claimed"


def test_given_a_cap_when_claimed_on_both_records_while_they_are_merged_then_it_holds_for_the_person(
    engines: dict[str, Engine],
) -> None:
    with a_ground(engines, caps=(Cap("three", Window.LIFETIME, CapBy.ALL, 3),)) as ground:
        mine, other, third, fourth, *_ = ground.worlds()
        for _ in range(6):
            two = Two(mine)
            one, another = mine.publish(1), mine.publish(1)
            acts: list[Callable[[], Any]] = [
                partial(other.claim, two.first, one),
                partial(third.claim, two.second, another),
                partial(fourth.give_back, two.first, two.second_voucher),
            ]

            answers = at_once(acts)

            held = [mine.voucher(voucher_id) for voucher_id in two.wallet(two.first)]
            assert sum(voucher.state == "claimed" for voucher in held) <= 3
            assert {type(one) for one in answers if isinstance(one, DomainError)} <= {CapReached}
        mine.check_laws()


def test_given_an_undo_when_a_claim_is_held_up_then_it_is_made_for_the_record_whose_number_was_shown(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    two, template = Two(mine), mine.publish(1)

    late = held_up(mine, "people", ["record_claim"], lambda: undo(other, two.merge_id))
    (answer,) = at_once([partial(late.claim, two.second, template)])

    assert not isinstance(answer, DomainError)
    assert answer.answer.voucher_id in two.wallet(two.second)
    assert two.wallet(two.first) == [two.first_voucher]
    mine.check_laws()
