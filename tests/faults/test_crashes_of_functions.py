"""The crash matrix of functions that no request calls, and of a container without keys."""

import pytest

from tests.faults.acts import OF_FUNCTIONS, Subject
from tests.faults.crash_matrix import Name
from tests.faults.operations import Scene
from tests.faults.trying import try_and_compare


@pytest.mark.parametrize(("name", "subject"), OF_FUNCTIONS.items(), ids=[" ".join(name) for name in OF_FUNCTIONS])
def test_given_an_event_when_any_of_its_calls_fails_then_a_repetition_comes_to_the_same(
    scene: Scene, name: Name, subject: Subject
) -> None:
    try_and_compare(scene, name, subject)
