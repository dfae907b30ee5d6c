"""Acts that meet at one region's listing, on the strictest engine: none is lost, and what is shut is never offered."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.errors import Contended
from chalicelib.services import publishing
from tests.world import CITY, World


def test_given_bureaus_that_publish_at_once_in_one_region_when_done_then_every_template_is_listed_once(
    strict_world: World,
) -> None:
    drafts = [strict_world.draft(5) for _ in range(6)]
    containers = [strict_world.another_container() for _ in drafts]

    def publish(number: int) -> None:
        for _ in range(5):  # as a client does it that is told to come again, with the same key
            try:
                containers[number].act(publishing.publish_template, drafts[number], key=f"publish-{number}")
                return
            except Contended:
                continue
        pytest.fail("contended five times")

    with ThreadPoolExecutor(len(drafts)) as pool:
        list(pool.map(publish, range(len(drafts))))

    listed = [one.template_id for one in strict_world.platform.listings.read(CITY).entries]
    assert sorted(listed) == sorted(draft.template_id for draft in drafts)
    strict_world.check_laws(strict_world.vouchers())


def test_given_counts_while_templates_are_suspended_when_both_are_done_then_none_of_them_is_offered_as_open(
    strict_world: World,
) -> None:
    templates = [strict_world.publish(5) for _ in range(8)]
    counter, bureau = strict_world.another_container(), strict_world.another_container()
    busy = True

    def count() -> None:
        while busy:
            counter.count()

    def suspend() -> None:
        nonlocal busy
        try:
            for template in templates:
                bureau.act(publishing.add_quantity, template, 200)
                bureau.act(publishing.suspend_template, template)
        finally:
            busy = False

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(count), pool.submit(suspend)]:
            done.result()

    strict_world.count()
    entries = strict_world.platform.listings.read(CITY).entries
    assert {one.template_id: one.state for one in entries} == {one.template_id: "suspended" for one in templates}
