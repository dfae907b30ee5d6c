"""What a signed statement is good for once its signature is right: for whom, for what, and for how long."""

from datetime import timedelta

import pytest

from chalicelib.domain import assertion, token
from chalicelib.domain.assertion import Purpose
from chalicelib.domain.errors import AssertionNotAccepted, TokenNotAccepted
from chalicelib.domain.voucher import State
from tests.domain.builders import MILLISECOND, NOW, TEMPLATE, a_token, a_voucher, an_assertion

SECOND = timedelta(seconds=1)


class TestAgeOfAssertions:
    @pytest.mark.parametrize(
        "age", [timedelta(0), 299 * SECOND, 300 * SECOND, -SECOND, -30 * SECOND], ids=lambda age: f"{age / SECOND:g}s"
    )
    def test_given_an_assertion_when_it_is_at_most_300_s_old_then_it_is_accepted(self, age: timedelta) -> None:
        assertion.check_age(an_assertion(issued_at=NOW - age), NOW)

    @pytest.mark.parametrize(
        ("age", "reason"),
        [
            (300 * SECOND + MILLISECOND, "expired"),
            (301 * SECOND, "expired"),
            (timedelta(days=1), "expired"),
            (-30 * SECOND - MILLISECOND, "future"),
            (-31 * SECOND, "future"),
            (timedelta(days=-1), "future"),
        ],
    )
    def test_given_an_assertion_when_it_is_older_or_of_the_future_then_it_is_refused(
        self, age: timedelta, reason: str
    ) -> None:
        with pytest.raises(AssertionNotAccepted) as refused:
            assertion.check_age(an_assertion(issued_at=NOW - age), NOW)

        assert refused.value.facts == {"reason": reason}


class TestMeaningOfAssertions:
    @pytest.mark.parametrize(("purpose", "subject"), [("claim", TEMPLATE), ("redeem", TEMPLATE), ("session", None)])
    def test_given_an_assertion_when_it_was_made_for_this_then_it_is_accepted(
        self, purpose: str, subject: str | None
    ) -> None:
        assertion.check_meant_for(an_assertion(purpose=purpose, subject=subject), "APPKEY", Purpose(purpose), subject)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"audience": "OTHER"}, "audience"),
            ({"audience": "appkey"}, "audience"),
            ({"audience": ""}, "audience"),
            ({"purpose": "redeem"}, "purpose"),
            ({"purpose": "session"}, "purpose"),
            ({"purpose": ""}, "purpose"),
            ({"subject": "TEMPLATE-2"}, "subject"),
            ({"subject": None}, "subject"),
            ({"audience": "OTHER", "purpose": "redeem", "subject": None}, "audience"),
            ({"purpose": "redeem", "subject": None}, "purpose"),
        ],
    )
    def test_given_an_assertion_when_it_was_made_for_something_else_then_the_first_reason_is_told(
        self, changes: dict[str, str | None], reason: str
    ) -> None:
        with pytest.raises(AssertionNotAccepted) as refused:
            assertion.check_meant_for(an_assertion(**changes), "APPKEY", Purpose.CLAIM, TEMPLATE)

        assert refused.value.facts == {"reason": reason}

    def test_given_an_assertion_for_a_template_when_no_subject_is_asked_then_it_does_not_matter(self) -> None:
        assertion.check_meant_for(an_assertion(purpose="session"), "APPKEY", Purpose.SESSION, None)

    def test_given_an_assertion_when_shown_in_a_log_then_nothing_personal_is_in_it(self) -> None:
        one = an_assertion()

        assert one.mobile is not None
        for personal in (one.name, one.id_number, one.mobile):
            assert personal not in repr(one)

    def test_given_a_session_when_it_is_opened_then_it_lasts_fifteen_minutes(self) -> None:
        assert timedelta(minutes=15) == assertion.SESSION_LENGTH


class TestAgeOfTokens:
    @pytest.mark.parametrize(
        "age", [timedelta(0), 59 * SECOND, 60 * SECOND, -5 * SECOND], ids=lambda age: f"{age / SECOND:g}s"
    )
    def test_given_a_token_when_it_is_at_most_60_s_old_then_it_is_alive(self, age: timedelta) -> None:
        token.check_age(a_token(issued_at=NOW - age), NOW)

    @pytest.mark.parametrize(
        ("age", "reason"),
        [
            (60 * SECOND + MILLISECOND, "expired"),
            (61 * SECOND, "expired"),
            (timedelta(hours=8), "expired"),
            (-5 * SECOND - MILLISECOND, "future"),
            (timedelta(hours=-8), "future"),
        ],
    )
    def test_given_a_token_when_it_is_older_or_of_the_future_then_it_is_dead(self, age: timedelta, reason: str) -> None:
        with pytest.raises(TokenNotAccepted) as refused:
            token.check_age(a_token(issued_at=NOW - age), NOW)

        assert refused.value.facts == {"reason": reason}


class TestBindingOfTokens:
    def test_given_a_token_when_nothing_happened_since_then_it_stands_for_the_voucher(self) -> None:
        token.check_bound(a_token(voucher_version=1), a_voucher(State.CLAIMED))

    @pytest.mark.parametrize("state", [state for state in State if state not in (State.ISSUED, State.CLAIMED)])
    def test_given_a_token_when_a_step_happened_since_then_it_is_used(self, state: State) -> None:
        with pytest.raises(TokenNotAccepted) as refused:
            token.check_bound(a_token(voucher_version=1), a_voucher(state))

        assert refused.value.facts == {"reason": "used"}

    def test_given_a_token_of_a_version_yet_to_come_when_shown_then_it_is_refused_too(self) -> None:
        with pytest.raises(TokenNotAccepted):
            token.check_bound(a_token(voucher_version=2), a_voucher(State.CLAIMED))
