"""One spelling for the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.integrations.alphabets import from_base32, from_base64url, to_base32, to_base64url


@given(st.binary(min_size=1, max_size=70))
def test_what_is_written_is_read_back(raw: bytes) -> None:
    assert from_base32(to_base32(raw), len(raw)) == raw
    assert from_base64url(to_base64url(raw)) == raw


@given(st.text(alphabet="ABCDXYZ234567", min_size=26, max_size=26))
def test_a_text_that_opens_is_the_one_that_would_be_written(text: str) -> None:
    raw = from_base32(text, 16)

    assert raw is None or to_base32(raw) == text


@pytest.mark.parametrize("text", ["", "A", "AAAAAAA", "AAAAAAAB", "aa======", "AA==", "A1", "AB", "ＡＡ", "AA\n"])
def test_base32_of_another_spelling_is_refused(text: str) -> None:
    assert from_base32(text, 1) is None


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "A+", "A/", "A A", "AA\n", "ＡＡ"])
def test_base64url_of_another_spelling_is_refused(text: str) -> None:
    assert from_base64url(text) is None
