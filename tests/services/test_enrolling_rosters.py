"""Those of a roster are put on a class, some at a time. domain.md §4."""

from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.domain.errors import (
    ClassFull,
    ClassNotFound,
    ClassStateRefused,
    DomainError,
    Invalid,
    RosterNotFound,
    RosterStateRefused,
)
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.domain.training_class import TrainingClass
from chalicelib.services import enrolling_rosters, holding_classes, importing_rosters, submitting_rosters
from chalicelib.services.enrolling_rosters import EnrolledRoster
from chalicelib.services.identifying import Presented
from tests.classroom import enrol, open_class, used
from tests.races.crowd import at_once
from tests.rostering import carry_on, know, put_roster, receive, row_of, with_bucket
from tests.storage.worlds import all_rows, own_world
from tests.world import World, a_person


@pytest.fixture
def world(shared_world: World) -> World:
    return with_bucket(own_world(shared_world))


@dataclass(frozen=True)
class Listed:
    """A roster that the institution submitted and the bureau accepted, worked off; people stand from row 2 on."""

    roster_id: str
    template: Template
    people: list[Profile]


def a_roster(world: World, count: int, *, accepted: bool = True, **options: Any) -> Listed:
    template = world.publish(count + 1, distribution_mode=DistributionMode.DIRECTED)
    people = [a_person() for _ in range(count)]
    rows = [row_of(one) for one in people]
    rows.insert(1, ["测试丙", "12345", "", ""])  # refused: nobody has a voucher by it
    roster, arrived = put_roster(world, template, rows, **({"actor": world.desk} | options))
    know(world, world.bureau)
    receive(world, arrived)
    if accepted and roster.institution_id is not None:
        submitting_rosters.accept_roster(world.platform, roster.roster_id, **world.by(world.bureau))
    if accepted:
        carry_on(world, roster.roster_id)
    return Listed(roster.roster_id, template, people)


def claim(world: World, listed: Listed, which: int) -> str:
    return world.claim(listed.people[which], listed.template).answer.voucher_id


def use(world: World, listed: Listed, which: int) -> str:
    voucher_id = claim(world, listed, which)
    world.redeem(Presented(code=world.code(listed.people[which], voucher_id)))
    return voucher_id


def put(
    world: World,
    training: TrainingClass,
    roster_id: str,
    *,
    after: int = 0,
    limit: int = 20,
    key: str | None = None,
    **more: Any,
) -> Done[EnrolledRoster]:
    by = world.by(more.pop("actor", world.desk), key)
    return enrolling_rosters.enrol_roster(world.platform, training.class_id, roster_id, after, limit, **by)


def on(world: World, training: TrainingClass) -> list[str]:
    page = world.platform.enrolments.on_class(training.class_id, 100, None)
    return sorted(one.voucher_id for one in page.items if one.is_on)


class TestByRoster:
    def test_given_a_roster_when_its_people_are_put_on_a_class_then_those_who_used_their_voucher_there_are(
        self, world: World
    ) -> None:
        listed, training = a_roster(world, 4), open_class(world)
        one, two = use(world, listed, 0), use(world, listed, 3)
        claimed = claim(world, listed, 1)

        done = put(world, training, listed.roster_id, key=f"by {listed.roster_id}")

        told = done.answer
        assert [(row.number, row.code) for row in told.results] == [
            (2, None),
            (4, "not_redeemed_here"),
            (5, "not_redeemed_here"),
            (6, None),
        ]
        assert [row.voucher_id for row in told.results][:2] == [one, claimed]
        assert (told.enrolled, told.next, on(world, training)) == (2, None, sorted([one, two]))
        again = put(world, training, listed.roster_id, key=f"by {listed.roster_id}")
        assert (again.hit, again.answer) == (True, told)
        codes = [row.code for row in put(world, training, listed.roster_id).answer.results]
        assert codes == ["enrolled_already", "not_redeemed_here", "not_redeemed_here", "enrolled_already"]

    @pytest.mark.parametrize(
        ("window", "chunks", "most", "limit"),
        [(50, 5, 50, 2), (2, 1, 50, 20), (2, 2, 3, 2), (3, 1, 1, 1), (1, 1, 9, 9)],
    )
    def test_given_a_long_roster_when_gone_through_then_each_row_is_answered_once_whatever_it_is_cut_into(
        self, world: World, monkeypatch: pytest.MonkeyPatch, window: int, chunks: int, most: int, limit: int
    ) -> None:
        monkeypatch.setattr(importing_rosters, "FIRST_WINDOW", window)
        monkeypatch.setattr(importing_rosters, "WIDEST_WINDOW", window)
        monkeypatch.setattr(enrolling_rosters, "CHUNKS_AT_ONCE", chunks)
        monkeypatch.setattr(enrolling_rosters, "MOST_LOOKED_AT", most)
        listed, training = a_roster(world, 7), open_class(world)
        ids = sorted(use(world, listed, which) for which in (0, 1, 3, 4, 6))
        made = world.platform.rosters.chunks(listed.roster_id, 100, None).items
        assert len(made) == -(-8 // window)

        numbers, sizes, after = list[int](), list[int](), 0
        for _ in range(20):
            told = put(world, training, listed.roster_id, after=after, limit=limit).answer
            numbers += [row.number for row in told.results]
            sizes.append(sum(row.code is None for row in told.results))
            if told.next is None:
                break
            assert told.next > after
            after = told.next

        assert numbers == [2, 4, 5, 6, 7, 8, 9]
        assert (max(sizes) <= limit, sum(sizes)) == (True, 5)
        assert on(world, training) == ids

    def test_given_what_is_no_roster_of_theirs_when_asked_for_then_refused_and_nothing_is_written(
        self, world: World
    ) -> None:
        training, full = open_class(world), open_class(world, capacity=1)
        listed, waiting = a_roster(world, 2), a_roster(world, 1, accepted=False)
        tried, bureaus = a_roster(world, 1, dry_run=True), a_roster(world, 1, actor=world.bureau)
        use(world, listed, 0)
        enrol(world, full, used(world, world.publish(1))[1])
        cancelled = open_class(world)
        holding_classes.cancel_class(world.platform, cancelled.class_id, "人数不足", **world.by(world.desk))
        before = all_rows(world)

        def refused(error: type[DomainError], where: TrainingClass, roster_id: str, **more: Any) -> None:
            with pytest.raises(error):
                put(world, where, roster_id, **more)

        refused(RosterNotFound, training, "X" * 16)
        refused(RosterNotFound, training, bureaus.roster_id)
        refused(RosterStateRefused, training, waiting.roster_id)
        refused(Invalid, training, tried.roster_id)
        refused(ClassFull, full, listed.roster_id)
        refused(ClassStateRefused, cancelled, listed.roster_id)
        refused(ClassNotFound, training, listed.roster_id, actor=world.other_desk)
        assert all_rows(world) == before

    def test_given_two_who_go_through_one_roster_at_once_when_done_then_each_person_is_on_it_once(
        self, world: World
    ) -> None:
        listed, training = a_roster(world, 6), open_class(world)
        ids = sorted(use(world, listed, which) for which in range(6))
        key = f"twice {listed.roster_id}"

        told: list[Any] = at_once(
            [
                *[lambda: put(world, training, listed.roster_id, limit=4) for _ in range(2)],
                *[lambda: put(world, training, listed.roster_id, limit=6, key=key) for _ in range(2)],
            ]
        )

        assert not [one for one in told if isinstance(one, DomainError)]
        assert told[2].answer == told[3].answer
        assert on(world, training) == ids
        assert sum(row.code is None for one in told[:3] for row in one.answer.results) == 6
        found = world.platform.catalogue.classes.read(training.class_id)
        assert found is not None
        assert found.enrolled == 6
