"""What one request may bring fits into its body."""

import json

from chalicelib.api.applications import ApplicationRequest
from chalicelib.api.requests import MOST_BYTES
from chalicelib.domain.application import MOST_LINES
from tests.world import CITY

VOUCHER_ID = "A" * 69
"""As long as they are."""


def test_given_as_many_lines_as_an_application_has_when_each_names_voucher_and_sum_then_they_fit() -> None:
    lines = [{"voucher_id": VOUCHER_ID, "claimed_fen": 10_000_00} for _ in range(MOST_LINES)]
    body = json.dumps({"class_id": "C" * 16, "region": CITY, "lines": lines}).encode()

    assert len(body) <= MOST_BYTES
    assert len(ApplicationRequest.model_validate_json(body).lines) == MOST_LINES
