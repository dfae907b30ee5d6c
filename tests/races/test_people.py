"""What an authority says of a person, and what happens to their vouchers at the same moment."""

from collections.abc import Callable
from functools import partial
from typing import Any

from chalicelib.domain.errors import DomainError, PersonFlagged
from chalicelib.services.identifying import Presented
from tests.races.conftest import Ground
from tests.races.crowd import at_once, held_up
from tests.services.test_flagging import flag
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
