"""A deployed stack of the contract test's own: what a fuzzer leaves behind is in nobody's way."""

import io
import os
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from rich.console import Console

from tests.contract.cast import Cast
from tests.contract.contract import Contract
from tests.contract.tally import ANSWERED, Answered
from tools.demo import raise_curtain
from tools.local_stack import LocalStack, local_stack


@pytest.fixture(scope="package")
def stack() -> Iterator[LocalStack]:
    with local_stack() as stack:
        yield stack


@pytest.fixture(scope="package")
def cast(stack: LocalStack) -> Iterator[Cast]:
    with mock.patch.dict(os.environ):
        yield Cast(*raise_curtain(stack, Console(file=io.StringIO())), stack.eligibility)


@pytest.fixture(scope="package")
def contract(cast: Cast) -> Contract:
    return Contract(cast)


@pytest.fixture
def answered(record_property: Callable[[str, object], None]) -> Answered:
    """What came back in this test, counted; the summary at the end adds all tests up."""
    counts: Answered = {}
    record_property(ANSWERED, counts)
    return counts
