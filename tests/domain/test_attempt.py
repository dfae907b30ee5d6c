"""How a repeated request is told from a new one."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.attempt import attempt_of, still_kept
from tests.domain.builders import MICROSECOND, NOW

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)
WORDS = st.sampled_from(["A", "B", "AB", "POST /v1/claims", "POST /v1/redemptions", "claims"])


class TestDigests:
    def test_given_a_request_when_digested_then_it_is_128_bits_of_the_published_formula(self) -> None:
        attempt = attempt_of("APPKEY", "POST /v1/claims", "key-1", b'{"a":1}')

        assert attempt.request == hashlib.sha256(b"APPKEY\nPOST /v1/claims\nkey-1").hexdigest()[:32]
        assert attempt.body == hashlib.sha256(b'{"a":1}').hexdigest()[:32]

    def test_given_the_same_key_when_the_body_is_another_then_the_request_is_the_same_and_the_body_is_not(self) -> None:
        one, other = (attempt_of("A", "op", "key", body) for body in (b"{}", b'{"a":1}'))

        assert one.request == other.request
        assert one.body != other.body

    @given(WORDS, WORDS, KEYS, WORDS, WORDS, KEYS)
    def test_given_two_requests_when_client_operation_or_key_differ_then_so_do_their_digests(
        self, app_1: str, operation_1: str, key_1: str, app_2: str, operation_2: str, key_2: str
    ) -> None:
        one, two = attempt_of(app_1, operation_1, key_1, b"{}"), attempt_of(app_2, operation_2, key_2, b"{}")

        assert (one.request == two.request) == ((app_1, operation_1, key_1) == (app_2, operation_2, key_2))

    def test_given_parts_that_join_to_the_same_letters_when_digested_then_they_are_told_apart(self) -> None:
        assert attempt_of("AB", "C", "D", b"").request != attempt_of("A", "BC", "D", b"").request
        assert attempt_of("A", "BC", "D", b"").request != attempt_of("A", "B", "CD", b"").request

    def test_given_an_attempt_when_shown_then_neither_key_nor_body_can_be_read(self) -> None:
        shown = repr(attempt_of("APPKEY", "op", "secret-key", b'{"name":"value"}'))

        assert "secret-key" not in shown
        assert "value" not in shown


class TestKeeping:
    @pytest.mark.parametrize(
        ("age", "kept"),
        [
            (timedelta(0), True),
            (timedelta(days=30) - MICROSECOND, True),
            (timedelta(days=30), True),
            (timedelta(days=30) + MICROSECOND, False),
            (timedelta(days=31), False),
            (-timedelta(seconds=1), True),
        ],
    )
    def test_given_30_days_when_they_are_over_then_a_request_is_forgotten(self, age: timedelta, kept: bool) -> None:
        assert still_kept(NOW - age, NOW) is kept
