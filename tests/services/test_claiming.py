"""Claims that meet a rotation, a duplicate that was quicker, or the end of the stock."""

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.errors import AlreadyClaimed, Contended, HoldsAnother, SoldOut
from chalicelib.domain.outcomes import WriteConflict
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.voucher import State
from chalicelib.integrations.identities import HashedIdentities
from chalicelib.integrations.keyring import Keyring
from chalicelib.services import making_vouchers, publishing
from chalicelib.services.identifying import Presented
from tests.races.crowd import at_once
from tests.services.faults import Watched, with_store
from tests.world import KEYRING, World, a_person, local

OLD, NEW = b"identity pepper before the rotation, 32", b"identity pepper after the rotation, 32 b"


def with_pepper(world: World, current: str, **materials: bytes) -> World:
    """A container that knows these peppers."""
    container = world.another_container()
    keys = replace(container.platform.keys, identities=HashedIdentities(Keyring(current, materials), KEYRING))
    return replace(container, platform=replace(container.platform, make_keys=lambda: keys))


def test_given_a_pepper_rotation_when_a_new_person_claims_before_and_after_it_at_once_then_one_person_is_made(
    strict_world: World,
) -> None:
    template, person = strict_world.publish(), a_person()
    before = with_pepper(strict_world, "1", **{"1": OLD, "2": NEW})
    after = with_pepper(strict_world, "2", **{"1": OLD, "2": NEW})

    outcomes = at_once([partial(one.claim, person, template) for one in (before, after) * 8])

    (voucher,) = strict_world.vouchers()
    assert sum(isinstance(one, AlreadyClaimed) for one in outcomes) == 15
    for container in (before, after):
        assert container.session(person).person_id == voucher.person_id
    strict_world.check_laws([voucher])


def test_given_the_last_one_went_to_a_duplicate_when_the_slower_finds_nothing_left_then_it_gets_that_answer(
    strict_world: World,
) -> None:
    world = strict_world
    template, person = world.publish(1), a_person()
    assertion = world.assertion(person, "claim", template.template_id)
    quicker: list[Any] = []

    def meanwhile(call: int) -> None:
        if call == 1:
            quicker.append(world.another_container().claim(person, template, key="once", assertion=assertion))

    # The slower one has read that nothing is there; before it writes, its duplicate takes the last one.
    slower = with_store(world, "templates", Watched(world.platform.templates, "terms", before=meanwhile))
    held_back = with_store(slower, "people", Blind(slower.platform.people))

    answer = held_back.claim(person, template, key="once", assertion=assertion)

    assert (answer.hit, answer.answer) == (True, quicker[0].answer)
    world.check_laws(world.vouchers())


class Blind:
    """People as somebody sees them who always read a moment too early: its first look finds nobody."""

    def __init__(self, people: Any) -> None:
        self._people, self._looks = people, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._people, name)

    def find(self, identity_keys: Any) -> Any:
        self._looks += 1
        return None if self._looks <= 1 else self._people.find(identity_keys)

    def record_claim(self, *_: Any) -> None:
        # The shard is looked at before the voucher: the last unit is gone.
        raise SoldOut


def test_given_a_cap_that_a_duplicate_filled_when_the_slower_is_judged_then_it_gets_that_answer(
    strict_world: World,
) -> None:
    world = strict_world
    world.rules(caps=(Cap("one", Window.YEAR, CapBy.ALL, 1),))
    template, person = world.publish(), a_person()
    assertion = world.assertion(person, "claim", template.template_id)
    first = world.claim(person, template, key="once", assertion=assertion)

    class Torn(Blind):
        """One read, two moments: the voucher before the duplicate's transaction, the person after it."""

        def find(self, identity_keys: Any) -> Any:
            return self._people.find(identity_keys)

        def read(self, person_id: str, template_ids: Any) -> Any:
            return self._people.read(person_id, template_ids)[0], {}

    torn = with_store(world, "people", Torn(world.platform.people))

    answer = torn.claim(person, template, key="once", assertion=assertion)

    assert (answer.hit, answer.answer) == (True, first.answer)


def test_given_nothing_is_left_when_the_next_thousand_ask_then_the_shards_are_not_read_for_each(
    strict_world: World,
) -> None:
    world = strict_world
    template = world.publish(1)
    world.claim(a_person(), template)
    shards = Watched(world.platform.templates, "shards")
    crowded = with_store(world, "templates", shards)

    for _ in range(20):
        with pytest.raises(SoldOut):
            crowded.claim(a_person(), template)

    assert shards.calls <= 3
    crowded.act(publishing.add_quantity, template, 1)
    assert crowded.claim(a_person(), template).answer.state is State.CLAIMED
    world.check_laws(world.vouchers())


def test_given_a_holder_of_another_when_a_desk_reverses_then_it_is_not_told_which(strict_world: World) -> None:
    world = strict_world
    world.rules(one_at_a_time=True)
    person = a_person()
    used = world.claim(person, world.publish()).answer.voucher_id
    world.redeem(Presented(code=world.code(person, used)))
    world.claim(person, world.publish())

    with pytest.raises(HoldsAnother) as refused:
        world.reverse(used)

    assert refused.value.facts == {}


class InTheWay:
    """Others are writing at the first shards that are tried; keeps which were tried, and after how many conflicts."""

    def __init__(self, people: Any, conflicts: int) -> None:
        self._people, self._left = people, conflicts
        self.tried: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._people, name)

    def record_claim(self, made: Any, taken: Any, identity_keys: Any, met: int, *more: Any) -> None:
        self.tried.append((made.shard, met))
        if self._left:
            self._left -= 1
            raise WriteConflict
        self._people.record_claim(made, taken, identity_keys, 0, *more)


def test_given_a_conflict_when_claimed_then_another_shard_is_taken_after_a_pause(strict_world: World) -> None:
    template = strict_world.publish(100, peak_claims=60)
    people = InTheWay(strict_world.platform.people, conflicts=3)
    world = with_store(strict_world, "people", people)

    voucher = world.voucher(world.claim(a_person(), template).answer.voucher_id)

    shards, met = zip(*people.tried, strict=True)
    assert met == (0, 1, 2, 3)
    assert shards[0] != shards[1]
    assert voucher.shard == shards[3]


def test_given_a_shard_that_gave_a_unit_when_claimed_again_within_a_second_then_it_is_asked_first(
    strict_world: World,
) -> None:
    template = strict_world.publish(100, peak_claims=60)
    people = InTheWay(strict_world.platform.people, conflicts=0)
    world = with_store(strict_world, "people", people)

    for _ in range(6):
        world.claim(a_person(), template)
        world.platform.templates.note_shard(template.template_id, 3)

    assert [shard for shard, _ in people.tried[1:]] == [3] * 5


def test_given_every_shard_is_busy_all_the_time_when_claimed_then_it_gives_up_in_the_end_and_says_so(
    strict_world: World,
) -> None:
    template = strict_world.publish(100, peak_claims=60)
    people = InTheWay(strict_world.platform.people, conflicts=1_000)
    world = with_store(strict_world, "people", people)

    with pytest.raises(Contended):
        world.claim(a_person(), template)

    assert len(people.tried) == 2 + making_vouchers.ROUNDS_OF_STOCK * making_vouchers.TRIES_A_ROUND


def test_given_hands_full_of_vouchers_that_ended_when_claimed_again_then_they_are_dropped_and_others_stay(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making_vouchers, "FULL_HANDS", 3)
    world, person = strict_world, a_person()
    soon = world.publish(claim_until=date(2021, 5, 2), valid_until=date(2021, 5, 2))
    used, kept, wanted = world.publish(), world.publish(), world.publish()
    world.claim(person, soon)
    world.redeem(Presented(code=world.code(person, world.claim(person, used).answer.voucher_id)))
    world.claim(person, kept)
    world.clock.set(local("2021-05-03T04:00:00Z"))

    voucher = world.voucher(world.claim(person, wanted).answer.voucher_id)

    holder, _ = world.platform.people.read(voucher.person_id, [])
    assert holder is not None
    assert set(holder.held) == {used.template_id, kept.template_id, wanted.template_id}
    assert sum(holder.counts.values()) == 4
