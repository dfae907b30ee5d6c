"""Nobody reads everything at one moment: what was told from two of them must still be true at one."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import SoldOut
from chalicelib.domain.outcomes import ShardRefused
from chalicelib.domain.template import Shard, Template, TemplateState
from chalicelib.services import publishing
from chalicelib.services.ports import Chance
from tests.races.conftest import Ground
from tests.races.crowd import held_up
from tests.races.witness import a_witness
from tests.services.faults import with_store
from tests.world import World, a_person


class InOrder:
    """Chance that always picks the first shards first, or the last ones."""

    def __init__(self, chance: Chance, last_first: bool = False) -> None:
        self._chance, self._step = chance, -1 if last_first else 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chance, name)

    def order(self, count: int) -> list[int]:
        return [*range(count)][:: self._step]


def picking(world: World, *, last_first: bool = False) -> World:
    chance: Any = InOrder(world.platform.chance, last_first)
    return replace(world, platform=replace(world.platform, chance=chance))


class OneByOne:
    """Templates whose shards are read one after the other, as a BatchGet may: others act before the last is read."""

    def __init__(self, templates: Any, others: Any) -> None:
        self._templates, self._others = templates, others

    def __getattr__(self, name: str) -> Any:
        return getattr(self._templates, name)

    def shards(self, template: Template) -> list[Shard]:
        before = self._templates.shards(template)
        self._others()
        self._others = lambda: None
        return [*before[:-1], self._templates.shards(template)[-1]]


def test_given_three_shards_when_one_is_filled_and_another_emptied_while_they_are_read_then_not_sold_out(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    template = mine.publish(3, peak_claims=36)
    witness = a_witness(mine, template)
    for _ in range(2):
        witness.claim(picking(other), a_person(), template)
    assert [shard.remaining for shard in mine.platform.templates.shards(template)] == [0, 0, 1]

    def fill_and_empty() -> None:
        witness.act(other, "add", template, 1)
        witness.claim(picking(other, last_first=True), a_person(), template)

    torn = with_store(picking(mine), "templates", OneByOne(mine.platform.templates, fill_and_empty))
    witness.claim(torn, a_person(), template)

    assert witness.told[-1].answer == "claimed 1"
    witness.must_fit()


def test_given_two_requests_of_one_person_when_the_other_took_the_last_one_then_it_is_already_claimed(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    template, person = mine.publish(2, peak_claims=24), a_person()
    witness = a_witness(mine, template)
    witness.claim(picking(other), a_person(), template)
    assert [shard.remaining for shard in mine.platform.templates.shards(template)] == [0, 1]

    class Early:
        """People who claim from an empty shard a moment before the person's other request takes the last one."""

        def __getattr__(self, name: str) -> Any:
            return getattr(mine.platform.people, name)

        def record_claim(self, *asked: Any) -> None:
            witness_first()
            raise ShardRefused(mine.platform.templates.shards(template)[0])

    def witness_first() -> None:
        if not any(one.act.person == person.id_number for one in witness.told):
            witness.claim(other, person, template)

    witness.claim(with_store(picking(mine), "people", Early()), person, template)

    assert [one.answer for one in witness.told[1:]] == ["claimed 1", "already_claimed"]
    witness.must_fit()


def test_given_a_duplicate_when_the_template_is_shut_shard_by_shard_then_it_gets_the_answer_of_the_quicker_one(
    ground: Ground,
) -> None:
    mine, other, *_ = ground.worlds()
    template, person = mine.publish(2, peak_claims=24), a_person()
    jws = mine.assertion(person, "claim", template.template_id)
    quicker: list[Any] = []
    for world in (mine, other):
        world.platform.templates.get(template.template_id)  # remembered as published
    store = mine.another_container().platform.templates
    head = store.read(template.template_id)
    assert head is not None
    shut = replace(head, state=TemplateState.SUSPENDED, gate=head.gate + 1, version=head.version + 1)
    store.change(shut, None)
    store.set_gate(shut, [0])

    def claim_from_the_other_shard() -> None:
        quicker.append(picking(other, last_first=True).claim(person, template, key="once", assertion=jws))

    late = held_up(picking(mine), "templates", ["read"], claim_from_the_other_shard)
    answer = late.claim(person, template, key="once", assertion=jws)

    assert (answer.hit, answer.answer) == (True, quicker[0].answer)


def test_given_a_container_that_remembers_sold_out_when_stock_was_added_elsewhere_then_for_a_second_only(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other, *_ = ground.worlds()
    template = mine.publish(1)
    mine.claim(a_person(), template)
    memory: Any = mine.platform.templates

    def at(seconds: float) -> World:
        monkeypatch.setattr(memory._sold_out, "_ticks", lambda: seconds)
        return mine

    with pytest.raises(SoldOut):
        at(100).claim(a_person(), template)
    other.act(publishing.add_quantity, template, 2)

    with pytest.raises(SoldOut):
        at(100.99).claim(a_person(), template)
    assert at(101).claim(a_person(), template).answer.version == 1
    assert other.claim(a_person(), template).answer.version == 1
