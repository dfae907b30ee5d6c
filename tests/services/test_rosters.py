"""A roster is put, and every person on it gets exactly one voucher or a reason. domain.md §6."""

from typing import Any

import pytest

from chalicelib.domain.roster import RosterState
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.domain.voucher import State
from tests.rostering import import_roster, row_of, verdicts, vouchers_of, with_bucket
from tests.storage.worlds import own_world
from tests.world import World, a_person


@pytest.fixture
def world(shared_world: World) -> World:
    return with_bucket(own_world(shared_world))


def directed(world: World, quantity: int = 100, **changes: Any) -> Template:
    return world.publish(quantity, distribution_mode=DistributionMode.DIRECTED, **changes)


class TestWorkedOff:
    def test_given_people_when_imported_then_each_has_one_and_the_counters_fit(self, world: World) -> None:
        template, people = directed(world), [a_person() for _ in range(40)]

        roster = import_roster(world, template, [row_of(one) for one in people])

        assert (roster.state, roster.rows, roster.counts.issued) == (RosterState.FINISHED, 40, 40)
        assert verdicts(world, roster) == [("issued", None)] * 40
        assert {one.state for one in vouchers_of(world, template, people)} == {State.ISSUED}
        world.check_laws()

    def test_given_the_same_file_again_when_imported_then_each_is_the_same_and_nothing_is_written(
        self, world: World
    ) -> None:
        template, people = directed(world), [a_person() for _ in range(40)]
        import_roster(world, template, [row_of(one) for one in people])

        again = import_roster(world, template, [row_of(one) for one in people])

        assert (again.counts.same, again.counts.read) == (40, 40)
        world.check_laws()
