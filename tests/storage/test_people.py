"""People and their vouchers: once per person and template, each step from the version that was read."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import voucher as steps
from chalicelib.domain.errors import Invalid
from chalicelib.domain.outcomes import ShardRefused, StaleRow, VoucherExists
from chalicelib.domain.template import Shard, Template
from chalicelib.domain.voucher import State, Voucher
from chalicelib.services.ports import Platform
from chalicelib.services.sweeping import CHUNK, LANES
from chalicelib.storage import keys
from chalicelib.storage.rows import PeopleRow
from chalicelib.storage.tables import Tables
from tests.domain.builders import CEILING, COUNTED, OVER, REDEEMED_AT, a_holder
from tests.storage.arranging import (
    a_claim,
    a_person_id,
    an_id,
    claimed,
    counts,
    its_holder,
    joined,
    redeemed,
    returned,
    reversed_,
    some_stock,
    walk,
)


def only_shard(stores: Platform, template: Template) -> Shard:
    (shard,) = stores.templates.shards(template)
    return shard


def expired(voucher: Voucher) -> Voucher:
    after = steps.expire(voucher, now=OVER)
    assert after is not None
    return after


# --- claiming ------------------------------------------------------------------------------------------------------


def test_given_a_claim_when_recorded_then_voucher_person_identity_and_shard_tell_of_it(
    stores: Platform, elsewhere: Platform
) -> None:
    template = some_stock(stores, shards={0: 10})
    voucher, identity = a_claim(template), f"IDENTITY#{an_id()}"
    holder = its_holder(voucher, counts={COUNTED: 1})

    stores.people.record_claim(voucher, holder, (identity,))

    assert elsewhere.people.find([f"IDENTITY#{an_id()}", identity]) == voucher.person_id
    assert elsewhere.people.read(voucher.person_id, [template.template_id]) == (holder, {template.template_id: voucher})
    assert elsewhere.people.voucher(voucher.person_id, template.template_id) == voucher
    assert elsewhere.people.find_by_code(voucher.code_key) == (voucher.person_id, template.template_id)
    shard = only_shard(elsewhere, template)
    assert (shard.remaining, shard.made, shard.ever_claimed, shard.version) == (9, 1, 1, 2)
    assert shard.counts == counts(claimed=1)
    assert shard.reserved_fen == 10 * CEILING  # a claim moves no money


def test_given_nobody_when_looked_for_then_nothing_is_found(stores: Platform) -> None:
    person, template = a_person_id(), an_id()

    assert stores.people.find([f"IDENTITY#{an_id()}"]) is None
    assert stores.people.read(person, [template]) == (None, {})
    assert stores.people.voucher(person, template) is None
    assert stores.people.find_by_code(an_id()) is None
    assert stores.people.vouchers([(person, template)]) == []
    assert stores.people.wallet(person, 9, None).items == ()


def test_given_a_person_with_vouchers_when_read_for_some_templates_then_only_those_come(stores: Platform) -> None:
    template, other = some_stock(stores, shards={0: 10}), some_stock(stores, shards={0: 10})
    voucher = claimed(stores, template)
    second = a_claim(other, person_id=voucher.person_id)
    holder = replace(its_holder(voucher), version=2)
    stores.people.record_claim(second, holder, ())

    assert stores.people.read(voucher.person_id, [other.template_id, an_id()]) == (holder, {other.template_id: second})
    assert stores.people.read(voucher.person_id, []) == (holder, {})


def test_given_a_person_and_a_template_when_claimed_again_then_the_voucher_exists_before_all_else(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 1})
    voucher = claimed(stores, template)

    # The shard is empty by now, the identity known, the person's row newer: the voucher is what is told.
    with pytest.raises(VoucherExists):
        stores.people.record_claim(replace(voucher, code_key=an_id()), its_holder(voucher), (f"IDENTITY#{an_id()}",))

    assert stores.people.voucher(voucher.person_id, template.template_id) == voucher
    assert only_shard(stores, template).made == 1


def test_given_two_first_claims_of_one_number_when_both_make_a_person_then_the_second_reads_again(
    stores: Platform,
) -> None:
    template, identity = some_stock(stores, shards={0: 10}), f"IDENTITY#{an_id()}"
    first, second = a_claim(template), a_claim(template)
    stores.people.record_claim(first, its_holder(first), (identity,))

    with pytest.raises(StaleRow):
        stores.people.record_claim(second, its_holder(second), (identity,))

    assert stores.people.find([identity]) == first.person_id
    assert stores.people.read(second.person_id, [template.template_id]) == (None, {})
    assert only_shard(stores, template).made == 1


@pytest.mark.parametrize("version", [1, 3], ids=["behind", "ahead"])
def test_given_a_person_that_changed_meanwhile_when_another_claim_is_recorded_then_it_is_stale(
    stores: Platform, version: int
) -> None:
    template, other = some_stock(stores, shards={0: 10}), some_stock(stores, shards={0: 10})
    voucher = claimed(stores, template)
    second = a_claim(other, person_id=voucher.person_id)

    with pytest.raises(StaleRow):
        stores.people.record_claim(second, its_holder(voucher, version=version), ())

    assert stores.people.voucher(voucher.person_id, other.template_id) is None
    assert only_shard(stores, other).made == 0


def test_given_a_person_that_is_not_there_when_a_known_one_s_claim_is_recorded_then_none_is_made(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 10})
    voucher = a_claim(template)

    with pytest.raises(StaleRow):
        stores.people.record_claim(voucher, its_holder(voucher, version=2), ())

    assert stores.people.read(voucher.person_id, [template.template_id]) == (None, {})


@pytest.mark.parametrize(
    ("stock", "shard"),
    [(0, {}), (10, {"open": False}), (10, {"terms_version": 2})],
    ids=["empty", "shut", "other terms"],
)
def test_given_a_shard_that_gives_nothing_when_claimed_from_then_it_says_how_it_stands(
    stores: Platform, stock: int, shard: dict[str, Any]
) -> None:
    template = some_stock(stores, shards={0: stock}, shard_changes=shard)
    voucher = a_claim(template)

    with pytest.raises(ShardRefused) as refused:
        stores.people.record_claim(voucher, its_holder(voucher), (f"IDENTITY#{an_id()}",))

    assert refused.value.shard == only_shard(stores, template)
    assert only_shard(stores, template).made == 0
    assert stores.people.read(voucher.person_id, [template.template_id]) == (None, {})


def test_given_a_shard_that_is_not_there_when_claimed_from_then_it_is_not_made(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10})
    voucher = a_claim(template, shard=1)

    with pytest.raises(ShardRefused) as refused:
        stores.people.record_claim(voucher, its_holder(voucher), (f"IDENTITY#{an_id()}",))

    assert refused.value.shard is None
    assert len(stores.templates.shards(replace(template, shards=2))) == 1


def test_given_the_last_unit_when_claimed_then_the_next_claim_finds_none(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 1})
    claimed(stores, template)

    with pytest.raises(ShardRefused) as refused:
        claimed(stores, template)

    assert refused.value.shard is not None
    assert (refused.value.shard.remaining, refused.value.shard.open) == (0, True)


# --- steps ---------------------------------------------------------------------------------------------------------


def test_given_a_voucher_when_it_goes_there_and_back_then_row_history_and_shard_follow_each_step(
    stores: Platform, elsewhere: Platform
) -> None:
    template = some_stock(stores, shards={0: 10})
    before = claimed(stores, template)
    used = redeemed(before)
    back = reversed_(used, REDEEMED_AT)
    given = returned(back)
    expected = [(1, 0, 1, 0), (0, 1, 1, 1), (1, 0, 1, 0), (0, 0, 1, 0)]  # now claimed, redeemed; ever claimed, redeemed
    seen = []

    for earlier, later in ((None, before), (before, used), (used, back), (back, given)):
        if earlier:
            stores.people.record_step(earlier, later)
        assert elsewhere.people.voucher(before.person_id, template.template_id) == later
        shard = only_shard(elsewhere, template)
        seen.append(
            (shard.counts[State.CLAIMED], shard.counts[State.REDEEMED], shard.ever_claimed, shard.ever_redeemed)
        )

    assert seen == expected
    shard = only_shard(stores, template)
    assert shard.counts == counts(returned=1)
    assert (shard.reserved_fen, shard.to_release_fen, shard.remaining, shard.made) == (9 * CEILING, CEILING, 9, 1)


def test_given_a_voucher_that_moved_on_when_a_late_writer_comes_then_it_is_stale_even_in_the_same_state(
    stores: Platform,
) -> None:
    """Redeem, reverse: the state is what the late writer read, the version is not."""
    template = some_stock(stores, shards={0: 10})
    before = claimed(stores, template)
    used = redeemed(before)
    back = reversed_(used, REDEEMED_AT)
    stores.people.record_step(before, used)
    stores.people.record_step(used, back)
    shard = only_shard(stores, template)

    with pytest.raises(StaleRow):
        stores.people.record_step(before, redeemed(before))
    with pytest.raises(StaleRow):
        stores.people.record_steps([(before, expired(before))])

    assert stores.people.voucher(before.person_id, template.template_id) == back
    assert only_shard(stores, template) == shard


def test_given_a_step_with_its_person_when_the_person_is_stale_then_the_voucher_stays(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10})
    before = claimed(stores, template)

    with pytest.raises(StaleRow):
        stores.people.record_step(before, returned(before), its_holder(before, version=1))

    assert stores.people.voucher(before.person_id, template.template_id) == before
    after = replace(its_holder(before), version=2, held={})
    stores.people.record_step(before, returned(before), after)
    assert stores.people.read(before.person_id, [])[0] == after


def test_given_many_vouchers_on_several_shards_when_stepped_together_then_each_shard_counts_its_own(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 10, 1: 10, 2: 10})
    made = [claimed(stores, template, shard=n % 2) for n in range(7)]

    stores.people.record_steps([(one, expired(one)) for one in made])

    shards = stores.templates.shards(template)
    assert [shard.counts[State.EXPIRED] for shard in shards] == [4, 3, 0]
    assert [shard.counts[State.CLAIMED] for shard in shards] == [0, 0, 0]
    assert [shard.to_release_fen for shard in shards] == [4 * CEILING, 3 * CEILING, 0]
    assert [shard.version for shard in shards] == [1 + 4 + 1, 1 + 3 + 1, 1]  # one write for all of a chunk
    states = {one.state for one in stores.people.vouchers([(v.person_id, v.template_id) for v in made])}
    assert states == {State.EXPIRED}


def test_given_many_vouchers_when_one_of_them_moved_on_then_none_is_stepped(stores: Platform) -> None:
    template = some_stock(stores, shards={0: 10})
    made = [claimed(stores, template) for _ in range(3)]
    stores.people.record_step(made[1], redeemed(made[1]))
    shard = only_shard(stores, template)

    with pytest.raises(StaleRow):
        stores.people.record_steps([(one, expired(one)) for one in made])

    assert only_shard(stores, template) == shard
    assert stores.people.voucher(made[0].person_id, template.template_id) == made[0]


def test_given_a_full_chunk_with_a_shard_for_each_voucher_when_stepped_then_it_fits_one_transaction(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards=dict.fromkeys(range(CHUNK), 1))
    made = [claimed(stores, template, shard=n) for n in range(CHUNK)]

    stores.people.record_steps([(one, expired(one)) for one in made])

    assert {shard.counts[State.EXPIRED] for shard in stores.templates.shards(template)} == {1}


# --- finding -------------------------------------------------------------------------------------------------------


def test_given_a_wallet_when_walked_then_each_voucher_stands_once_and_no_other_row_of_the_person(
    stores: Platform,
) -> None:
    person = a_person_id()
    templates = [some_stock(stores, shards={0: 1}) for _ in range(5)]
    made = [a_claim(template, person_id=person) for template in templates]
    for number, voucher in enumerate(made, start=1):
        holder = a_holder(person_id=person, version=number)
        stores.people.record_claim(voucher, holder, (f"IDENTITY#{an_id()}",) if number == 1 else ())
    stranger = claimed(stores, some_stock(stores, shards={0: 1}))

    pages = walk(lambda cursor: stores.people.wallet(person, 2, cursor))

    assert joined(pages) == sorted(made, key=lambda one: one.template_id)
    assert [len(page) for page in pages] == [2, 2, 1]
    cursor = stores.people.wallet(person, 2, None).cursor
    assert cursor is not None
    assert person not in base64.urlsafe_b64decode(cursor + "==").decode()
    # So another's wallet goes on from there as well, in its own rows only.
    others = stores.people.wallet(stranger.person_id, 2, cursor).items
    assert all(one.person_id == stranger.person_id for one in others)


def test_given_a_code_when_its_voucher_moved_on_then_the_base_row_decides_what_is_shown(stores: Platform) -> None:
    voucher = claimed(stores, some_stock(stores, shards={0: 1}))
    after = redeemed(voucher)
    stores.people.record_step(voucher, after)

    assert stores.people.find_by_code(voucher.code_key) == (voucher.person_id, after.template_id)


def due(stores: Platform, template: Template, day: Any) -> dict[int, list[tuple[str, str]]]:
    """What stands under a day, lane by lane, of this template alone (a day is shared by all)."""
    found = {
        lane: joined(walk(lambda cursor, lane=lane: stores.people.due(day, lane, 100, cursor)))  # type: ignore[misc]
        for lane in range(LANES)
    }
    return {
        lane: mine for lane, all_ in found.items() if (mine := [key for key in all_ if key[1] == template.template_id])
    }


def test_given_claimed_vouchers_when_their_day_is_looked_through_then_each_stands_in_its_lane_once(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 100, 1: 100})
    made = [claimed(stores, template, shard=n % 2) for n in range(24)]
    day = made[0].due_on
    assert day == made[0].valid_until + timedelta(days=1)

    lanes = due(stores, template, day)

    assert sorted(key for lane in lanes.values() for key in lane) == sorted((v.person_id, v.template_id) for v in made)
    assert all(keys.due_lane(person) == lane for lane, found in lanes.items() for person, _ in found)
    assert len(lanes) > 8  # they spread
    assert due(stores, template, made[0].valid_until) == {}


def test_given_vouchers_of_a_lane_when_paged_then_those_of_one_shard_stand_together_and_each_once(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 100, 1: 100, 2: 100})
    in_lane = list[str]()
    while len(in_lane) < 9:
        person = a_person_id()
        if keys.due_lane(person) == 7:
            in_lane.append(person)
    made = [claimed(stores, template, shard=n % 3, person_id=person) for n, person in enumerate(in_lane)]
    day = made[0].due_on
    assert day is not None
    ordered = sorted(made, key=lambda one: (one.shard, one.person_id))

    pages = walk(lambda cursor: stores.people.due(day, 7, 4, cursor))

    mine = [key for key in joined(pages) if key[1] == template.template_id]
    assert mine == [(one.person_id, one.template_id) for one in ordered]
    cursor = stores.people.due(day, 7, 4, None).cursor
    for other_day, lane in ((day, 8), (day + timedelta(days=1), 7)):
        with pytest.raises(Invalid):
            stores.people.due(other_day, lane, 4, cursor)


def test_given_vouchers_when_used_or_ended_then_they_leave_the_day_and_a_reversal_brings_them_back(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 10})
    voucher = claimed(stores, template)
    day, key = voucher.due_on, (voucher.person_id, voucher.template_id)
    used = redeemed(voucher)
    back = reversed_(used, REDEEMED_AT)

    stores.people.record_step(voucher, used)
    assert due(stores, template, day) == {}
    stores.people.record_step(used, back)
    assert due(stores, template, day) == {keys.due_lane(voucher.person_id): [key]}
    stores.people.record_steps([(back, expired(back))])
    assert due(stores, template, day) == {}


def test_given_a_reversal_after_the_last_day_when_recorded_then_it_is_due_on_a_day_that_was_not_swept_yet(
    stores: Platform,
) -> None:
    template = some_stock(stores, shards={0: 10})
    voucher = claimed(stores, template)
    used = redeemed(voucher)
    late = reversed_(used, OVER + timedelta(days=10))
    stores.people.record_step(voucher, used)

    stores.people.record_step(used, late)

    assert due(stores, template, voucher.due_on) == {}
    later = voucher.valid_until + timedelta(days=12)
    assert due(stores, template, later) == {
        keys.due_lane(voucher.person_id): [(voucher.person_id, template.template_id)]
    }


# --- stream images -------------------------------------------------------------------------------------------------


def test_given_the_rows_of_a_claim_when_seen_as_images_then_only_the_voucher_s_is_one(
    stores: Platform, rows: Tables
) -> None:
    template, identity = some_stock(stores, shards={0: 1}), f"IDENTITY#{an_id()}"
    voucher = a_claim(template)
    stores.people.record_claim(voucher, its_holder(voucher), (identity,))

    def image(partition: str, item: str) -> Any:
        return rows.get(PeopleRow, partition, item)

    assert stores.people.from_image(image(voucher.person_id, keys.voucher_item(template.template_id))) == voucher
    assert stores.people.from_image(image(voucher.person_id, keys.PERSON)) is None
    assert stores.people.from_image(image(identity, keys.IDENTITY)) is None
