"""The first and the last millisecond: of a day in China, of an assertion, of a QR token, of a session, of a window."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import jwt
import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.errors import (
    AssertionNotAccepted,
    ClaimWindowNotOpen,
    ClaimWindowOver,
    Expired,
    NotYetValid,
    ReversalWindowOver,
    TokenNotAccepted,
)
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.voucher import State
from chalicelib.integrations.essc_platform import DemoPlatform
from chalicelib.services import showing
from chalicelib.services.identifying import Presented
from tests.world import World, a_person, an_actor, local

# 2021-06-30 is the last day of the world's templates; it ends at 16:00 UTC.
LAST = local("2021-06-30T15:59:59.999Z")
OVER = local("2021-06-30T16:00:00.000Z")


def effective_state(world: World, person_id: str, now: datetime) -> State:
    p = world.platform
    voucher = p.people.wallet(person_id, 1, None).items[0]
    return showing.show_voucher(
        p.templates, p.people, p.keys, voucher.voucher_id, actor=world.bureau, session=None, now=now
    ).state


class TestTheLastDay:
    def test_given_its_last_millisecond_when_claimed_then_it_is_theirs(self, strict_world: World) -> None:
        template = strict_world.publish()
        strict_world.clock.set(LAST)

        assert strict_world.claim(a_person(), template).answer.state is State.CLAIMED

    def test_given_the_millisecond_after_when_claimed_then_the_window_is_over(self, strict_world: World) -> None:
        template = strict_world.publish()
        strict_world.clock.set(OVER)

        with pytest.raises(ClaimWindowOver):
            strict_world.claim(a_person(), template)
        assert strict_world.stock(template).made == 0

    def test_given_its_last_millisecond_when_redeemed_then_it_is_used(self, strict_world: World) -> None:
        template, person = strict_world.publish(), a_person()
        voucher_id = strict_world.claim(person, template).answer.voucher_id
        strict_world.clock.set(LAST)
        shown = Presented(token=strict_world.token(person, voucher_id))

        assert strict_world.verify(shown).usable
        assert strict_world.redeem(shown).answer.state is State.REDEEMED

    def test_given_the_millisecond_after_when_shown_or_used_then_it_has_expired_although_no_job_ran(
        self, strict_world: World
    ) -> None:
        template, person = strict_world.publish(), a_person()
        voucher_id = strict_world.claim(person, template).answer.voucher_id
        strict_world.clock.set(LAST)
        shown = Presented(token=strict_world.token(person, voucher_id))
        code = Presented(code=strict_world.code(person, voucher_id))
        voucher = strict_world.voucher(voucher_id)
        assert effective_state(strict_world, voucher.person_id, LAST) is State.CLAIMED

        strict_world.clock.set(OVER)

        assert voucher.state is State.CLAIMED
        assert effective_state(strict_world, voucher.person_id, OVER) is State.EXPIRED
        for proof in (shown, code):
            verified = strict_world.verify(proof)
            assert not verified.usable
            assert isinstance(verified.refusal, Expired)
            with pytest.raises(Expired) as refused:
                strict_world.redeem(proof)
            assert refused.value.facts["valid_until"] == "2021-06-30"
        with pytest.raises(Expired):
            strict_world.token(person, voucher_id)

    def test_given_the_sweep_before_five_past_midnight_when_run_then_the_day_is_not_passed_yet(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish()
        voucher_id = strict_world.claim(a_person(), template).answer.voucher_id
        strict_world.clock.set(OVER + timedelta(minutes=1))
        early = strict_world.expire()

        strict_world.clock.set(OVER + timedelta(minutes=5))
        sweep = strict_world.expire()

        assert (early.expired, early.until) == (0, date(2021, 6, 30))
        assert (sweep.expired, sweep.until) == (1, date(2021, 7, 1))
        assert strict_world.voucher(voucher_id).state is State.EXPIRED


class TestTheFirstDay:
    def test_given_the_window_opens_tomorrow_when_claimed_then_refused_until_midnight_in_china(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish(claim_from=date(2021, 5, 2), valid_from=date(2021, 5, 2))
        strict_world.clock.set(local("2021-05-01T15:59:59.999Z"))
        with pytest.raises(ClaimWindowNotOpen) as refused:
            strict_world.claim(a_person(), template)
        assert refused.value.facts["claim_from"] == "2021-05-02"

        strict_world.clock.set(local("2021-05-01T16:00:00.000Z"))

        assert strict_world.claim(a_person(), template).answer.state is State.CLAIMED

    def test_given_it_is_valid_from_tomorrow_when_redeemed_then_refused_until_midnight_in_china(
        self, strict_world: World
    ) -> None:
        template, person = strict_world.publish(valid_from=date(2021, 5, 2)), a_person()
        voucher_id = strict_world.claim(person, template).answer.voucher_id
        code = Presented(code=strict_world.code(person, voucher_id))
        strict_world.clock.set(local("2021-05-01T15:59:59.999Z"))
        with pytest.raises(NotYetValid):
            strict_world.redeem(code)

        strict_world.clock.set(local("2021-05-01T16:00:00.000Z"))

        assert strict_world.redeem(code).answer.state is State.REDEEMED


class TestAssertions:
    def test_given_it_is_300_seconds_old_when_claimed_then_accepted_and_at_301_not(self, strict_world: World) -> None:
        template = strict_world.publish()
        person, other = a_person(), a_person()
        of_both = [strict_world.assertion(one, "claim", template.template_id) for one in (person, other)]

        strict_world.clock.advance(timedelta(seconds=300))
        assert strict_world.claim(person, template, assertion=of_both[0]).answer.version == 1

        strict_world.clock.advance(timedelta(seconds=1))
        assert self.refusal(strict_world, of_both[1]) == "expired"

    def test_given_an_old_assertion_when_the_same_request_is_repeated_then_its_answer_still_comes(
        self, strict_world: World
    ) -> None:
        template, person = strict_world.publish(), a_person()
        assertion = strict_world.assertion(person, "claim", template.template_id)
        first = strict_world.claim(person, template, assertion=assertion, key="lost")

        strict_world.clock.advance(timedelta(days=29))

        again = strict_world.claim(person, template, assertion=assertion, key="lost")
        assert (again.hit, again.answer) == (True, first.answer)

    def test_given_it_is_from_the_future_when_claimed_then_only_half_a_minute_is_forgiven(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish()

        def dated(ahead: int) -> str:
            now = strict_world.now + timedelta(seconds=ahead)
            return strict_world.assertion(a_person(), "claim", template.template_id, now=now)

        assert self.refusal(strict_world, dated(31)) == "future"
        assert strict_world.claim(a_person(), template, assertion=dated(30)).answer.version == 1

    def test_given_it_is_for_another_client_purpose_or_template_when_claimed_then_refused(
        self, strict_world: World
    ) -> None:
        template, other = strict_world.publish(), strict_world.publish()
        person = a_person()
        stranger = an_actor("ELSEWHERE", Role.CHANNEL, "000000")

        for_others = strict_world.assertion(person, "claim", template.template_id, actor=stranger)
        for_use = strict_world.assertion(person, "redeem", template.template_id)
        for_another = strict_world.assertion(person, "claim", other.template_id)

        assert self.refusal(strict_world, for_others) == "audience"
        assert self.refusal(strict_world, for_use) == "purpose"
        assert self.refusal(strict_world, for_another) == "subject"

    def test_given_no_signature_or_an_unknown_key_when_claimed_then_refused(self, strict_world: World) -> None:
        template = strict_world.publish()
        person = a_person()
        good = strict_world.assertion(person, "claim", template.template_id)
        claims = jwt.decode(good, options={"verify_signature": False})
        header, payload, signature = good.split(".")
        strangers = DemoPlatform(b"nobody whom anybody here trusts!", kid="unknown")
        pretender = DemoPlatform(b"nobody whom anybody here trusts!", kid=strict_world.essc.kid)

        assert self.refusal(strict_world, jwt.encode(claims, "", algorithm="none")) == "algorithm"
        assert self.refusal(strict_world, jwt.encode(claims, "s" * 32, headers={"kid": "demo-1"})) == "algorithm"
        assert self.refusal(strict_world, strangers.sign(claims)) == "unknown_key"
        assert self.refusal(strict_world, pretender.sign(claims)) == "signature"
        flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
        assert self.refusal(strict_world, f"{header}.{payload}.{flipped}") == "signature"
        assert strict_world.claim(person, template, assertion=good).answer.version == 1

    def test_given_a_key_that_was_disabled_when_claimed_then_another_container_refuses(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish()
        keys = strict_world.platform.catalogue.assertion_keys
        known = keys.read(strict_world.essc.kid)
        assert known is not None
        ended = replace(known, disabled_at=strict_world.now, version=known.version + 1)
        keys.change(ended, Mark(strict_world.attempt(), ended, strict_world.now))

        fresh = strict_world.another_container()

        assert self.refusal(fresh, fresh.assertion(a_person(), "claim", template.template_id)) == "unknown_key"

    @staticmethod
    def refusal(world: World, assertion: str) -> object:
        template = world.template(world.templates[0])
        with pytest.raises(AssertionNotAccepted) as refused:
            world.claim(a_person(), template, assertion=assertion)
        return refused.value.facts["reason"]


class TestTokens:
    def test_given_it_is_60_seconds_old_when_redeemed_then_accepted_and_at_61_not(self, strict_world: World) -> None:
        template = strict_world.publish()
        shown = []
        for person in (a_person(), a_person()):
            voucher_id = strict_world.claim(person, template).answer.voucher_id
            shown.append(Presented(token=strict_world.token(person, voucher_id)))

        strict_world.clock.advance(timedelta(seconds=60))
        assert strict_world.redeem(shown[0]).answer.state is State.REDEEMED

        strict_world.clock.advance(timedelta(seconds=1))
        with pytest.raises(TokenNotAccepted) as refused:
            strict_world.redeem(shown[1])
        assert refused.value.facts["reason"] == "expired"
        with pytest.raises(TokenNotAccepted):
            strict_world.verify(shown[1])

    def test_given_an_old_token_when_the_same_redemption_is_repeated_then_its_answer_still_comes(
        self, strict_world: World
    ) -> None:
        template, person = strict_world.publish(), a_person()
        voucher_id = strict_world.claim(person, template).answer.voucher_id
        shown = Presented(token=strict_world.token(person, voucher_id))
        first = strict_world.redeem(shown, key="lost")

        strict_world.clock.advance(timedelta(days=1))

        again = strict_world.redeem(shown, key="lost")
        assert (again.hit, again.answer) == (True, first.answer)

    def test_given_a_token_that_was_used_when_the_redemption_was_reversed_then_it_is_dead_and_a_new_one_lives(
        self, strict_world: World
    ) -> None:
        template, person = strict_world.publish(), a_person()
        voucher_id = strict_world.claim(person, template).answer.voucher_id
        used = Presented(token=strict_world.token(person, voucher_id))
        strict_world.redeem(used)
        strict_world.reverse(voucher_id)

        with pytest.raises(TokenNotAccepted) as refused:
            strict_world.redeem(used)

        assert refused.value.facts["reason"] == "used"
        assert strict_world.redeem(Presented(token=strict_world.token(person, voucher_id))).answer.version == 4


class TestTheWindowOfReversal:
    def test_given_its_last_second_when_reversed_then_done_and_a_millisecond_later_not(
        self, strict_world: World
    ) -> None:
        strict_world.rules(reversal_window=600)
        template = strict_world.publish()
        ids = []
        for person in (a_person(), a_person()):
            ids.append(strict_world.claim(person, template).answer.voucher_id)
            strict_world.redeem(Presented(code=strict_world.code(person, ids[-1])))

        strict_world.clock.advance(timedelta(seconds=600))
        assert strict_world.reverse(ids[0]).answer.state is State.CLAIMED

        strict_world.clock.advance(timedelta(milliseconds=1))
        with pytest.raises(ReversalWindowOver):
            strict_world.reverse(ids[1])
        strict_world.check_laws(strict_world.vouchers())
