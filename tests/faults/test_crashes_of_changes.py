"""The crash matrix of requests that change something of the catalogue, of access or of money."""

import pytest

from tests.faults.acts import CHANGES, Subject
from tests.faults.crash_matrix import Name
from tests.faults.operations import Scene
from tests.faults.trying import try_and_compare


@pytest.mark.parametrize(("name", "subject"), CHANGES.items(), ids=[" ".join(name) for name in CHANGES])
def test_given_a_request_that_changes_something_when_any_of_its_calls_fails_then_a_repetition_comes_to_the_same(
    scene: Scene, name: Name, subject: Subject
) -> None:
    try_and_compare(scene, name, subject)
