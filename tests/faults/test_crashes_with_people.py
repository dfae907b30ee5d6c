"""The crash matrix of requests about people and their vouchers."""

import pytest

from tests.faults.acts import WITH_PEOPLE, Subject
from tests.faults.crash_matrix import Name
from tests.faults.operations import Scene
from tests.faults.trying import try_and_compare


@pytest.mark.parametrize(("name", "subject"), WITH_PEOPLE.items(), ids=[" ".join(name) for name in WITH_PEOPLE])
def test_given_a_request_about_people_when_any_of_its_calls_fails_then_a_repetition_comes_to_the_same(
    scene: Scene, name: Name, subject: Subject
) -> None:
    try_and_compare(scene, name, subject)
