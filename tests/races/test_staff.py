"""Staff at the same moment: one person is registered once, however many ask."""

from functools import partial

from chalicelib.domain.errors import AlreadyExists
from chalicelib.domain.outcomes import Done
from tests.races.conftest import Ground
from tests.races.crowd import at_once
from tests.services.test_staffing import register
from tests.world import a_person


def test_given_one_person_when_registered_by_many_at_once_then_there_is_one_and_the_others_are_told_who(
    ground: Ground,
) -> None:
    worlds = ground.worlds()
    for _ in range(8):
        person = a_person()

        answers = at_once([partial(register, world, person) for world in worlds])

        made = [one.answer.staff_id for one in answers if isinstance(one, Done)]
        refused = [one.facts["what"] for one in answers if isinstance(one, AlreadyExists)]
        assert len(made) == 1
        assert len(made) + len(refused) == len(worlds)
        assert set(refused) == set(made)
