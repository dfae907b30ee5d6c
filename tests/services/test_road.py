"""The straight road: publish, claim, verify, redeem, reverse, give back, revoke, expire — on each engine."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import AlreadyRedeemed, TokenNotAccepted
from chalicelib.domain.voucher import State
from chalicelib.services import publishing
from chalicelib.services.identifying import Presented
from tests.world import FACE_VALUE, INSTITUTION_ID, World, a_person, local


def test_given_a_published_template_when_claimed_and_redeemed_then_every_counter_follows(world: World) -> None:
    template = world.publish(12_000)
    assert template.shards == 3
    person = a_person()

    claimed = world.claim(person, template)

    assert claimed.answer.state is State.CLAIMED
    assert world.stock(template).remaining == 11_999
    presented = Presented(token=world.token(person, claimed.answer.voucher_id))
    assert world.verify(presented).usable

    redeemed = world.redeem(presented)

    assert redeemed.answer.state is State.REDEEMED
    stock = world.stock(template)
    assert (stock.counts[State.CLAIMED], stock.counts[State.REDEEMED], stock.ever_redeemed) == (0, 1, 1)
    with pytest.raises(AlreadyRedeemed) as refused:
        world.redeem(Presented(code=world.code(person, claimed.answer.voucher_id)))
    assert refused.value.facts["institution_id"] == INSTITUTION_ID
    assert refused.value.facts["redeemed_at"] == "2021-05-01T04:00:00.000Z"
    world.check_laws([world.voucher(claimed.answer.voucher_id)])


def test_given_a_reversed_voucher_when_its_old_token_is_shown_then_it_is_dead(world: World) -> None:
    template, person = world.publish(), a_person()
    voucher_id = world.claim(person, template).answer.voucher_id
    token = Presented(token=world.token(person, voucher_id))
    world.redeem(token)

    world.reverse(voucher_id)

    with pytest.raises(TokenNotAccepted) as refused:
        world.redeem(token)
    assert refused.value.facts["reason"] == "used"
    assert world.redeem(Presented(token=world.token(person, voucher_id))).answer.version == 4
    world.check_laws([world.voucher(voucher_id)])


def test_given_vouchers_in_every_hand_when_validity_passes_then_the_sweep_expires_the_unused(world: World) -> None:
    template = world.publish(10)
    people = [a_person() for _ in range(5)]
    ids = [world.claim(person, template).answer.voucher_id for person in people]
    world.redeem(Presented(code=world.code(people[0], ids[0])))
    world.give_back(people[1], ids[1])
    world.revoke(ids[2])

    world.clock.set(local("2021-06-30T16:05:00Z"))
    sweep = world.expire()

    assert (sweep.expired, sweep.finished) == (2, True)
    states = [world.voucher(one).state for one in ids]
    assert states == [State.REDEEMED, State.RETURNED, State.REVOKED, State.EXPIRED, State.EXPIRED]
    assert world.stock(template).to_release_fen == 4 * FACE_VALUE
    world.clock.advance(timedelta(days=1))
    assert world.expire().expired == 0
    world.act(publishing.close_template, template)
    assert world.stock(template).released == 5
    world.check_laws([world.voucher(one) for one in ids])
