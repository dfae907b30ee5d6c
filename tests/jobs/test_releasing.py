"""What ended vouchers leave free is posted to the accounts: found without a search, once, however often it runs."""

import itertools
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.outcomes import StaleRow
from chalicelib.domain.template import Template
from chalicelib.jobs import releasing as job
from chalicelib.services import publishing
from chalicelib.services.releasing import AT_ONCE, TRIES
from chalicelib.storage import keys
from chalicelib.storage.rows import ShardRow
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always
from tests.faults.layer import Recorded, under
from tests.jobs.conftest import Reports
from tests.jobs.test_deliveries import PLENTY, Time
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.storage.worlds import all_rows, own_world
from tests.world import FACE_VALUE, World, a_person, local

NIGHT = local("2021-06-30T16:05:00Z")


def closed(world: World, quantity: int = 10, shards: int = 1) -> Template:
    """A template whose whole stock was released."""
    template = world.publish(quantity, peak_claims=12 * shards if shards > 1 else 0)
    world.act(publishing.close_template, template)
    return world.template(template.template_id)


def check(world: World) -> None:
    """The laws; and a shard is listed while it has money to release, and only then."""
    world.check_laws(world.vouchers())
    for row in world.rows("catalogue"):
        if row["item"]["S"] == keys.SHARD:
            assert ("list_key" in row) == ("list_order" in row) == (row["to_release_fen"]["N"] != "0"), row


def releases(world: World) -> list[int]:
    postings = world.platform.accounts.postings(world.account_id, 1000, None).items
    return [one.legs[Balance.FREE] for one in postings if one.kind is PostingKind.RELEASE]


def break_shard(world: World, template: Template, fen: int) -> None:
    """As no step of ours leaves it: a shard that would release more than the account has reserved."""
    tx = Transaction(Tables(read_settings(world.environment), world.environment["AWS_ENDPOINT_URL"]))
    row = ShardRow(keys.shard(template.template_id, 0), keys.SHARD)
    tx.update(row, [ShardRow.to_release_fen.add(fen)], ShardRow.subject.exists(), always(StaleRow()))
    tx.commit()


class TestPosted:
    def test_given_vouchers_that_ended_each_way_when_posted_then_their_money_is_free_and_a_second_run_finds_nothing(
        self, world: World
    ) -> None:
        budget = world.balances()[Balance.FREE]
        template, other = world.publish(6), world.publish(5)
        people = [a_person() for _ in range(4)]
        ids = [world.claim(person, template).answer.voucher_id for person in people]
        world.give_back(people[0], ids[0])
        world.revoke(ids[1])
        world.act(publishing.close_template, other)
        check(world)

        done = world.release()

        assert (done.fen, done.shards, done.finished, done.busy, done.failures) == (7 * FACE_VALUE, 2, True, 0, ())
        assert world.balances()[Balance.FREE] == budget - 4 * FACE_VALUE
        assert world.balances()[Balance.RESERVED] == 4 * FACE_VALUE
        assert sum(releases(world)) == 7 * FACE_VALUE
        check(world)
        rows = all_rows(world)
        again = world.release()
        assert (again.fen, again.shards, again.postings, again.finished) == (0, 0, 0, True)
        assert all_rows(world) == rows

        world.clock.set(NIGHT)
        assert world.expire().expired == 2
        check(world)
        assert world.release().fen == 2 * FACE_VALUE
        assert world.balances()[Balance.RESERVED] == 2 * FACE_VALUE  # never claimed, and the template is not closed
        check(world)

    def test_given_a_posting_when_read_then_it_says_which_templates_and_that_a_job_did_it(self, world: World) -> None:
        first, second = closed(world, 3), closed(world, 4)

        world.release()

        postings = [
            one
            for one in world.platform.accounts.postings(world.account_id, 100, None).items
            if one.kind is PostingKind.RELEASE
        ]
        said = {name for one in postings for name in one.reference.split(",")}
        assert said == {first.template_id, second.template_id}
        assert {(one.app_key, one.operator_id) for one in postings} == {(None, None)}

    def test_given_128_shards_when_posted_then_in_two_transactions_of_95_actions_at_most(
        self, strict_world: World
    ) -> None:
        closed(strict_world, 1_280, shards=128)
        recorded = Recorded()

        with under(recorded):
            done = strict_world.release()

        rows = [call.rows for call in recorded.calls if call.is_transaction]
        assert rows == [AT_ONCE + 2, 128 - AT_ONCE + 2]
        assert max(rows) <= 95
        assert (done.shards, done.postings, done.fen) == (128, 2, 1_280 * FACE_VALUE)
        check(strict_world)

    def test_given_shards_of_several_accounts_when_posted_then_each_account_gets_its_own(self, world: World) -> None:
        worlds = [world, own_world(world), own_world(world)]
        for n, one in enumerate(worlds, 1):
            closed(one, n)

        done = world.release()

        assert done.postings == 3
        for n, one in enumerate(worlds, 1):
            assert releases(one) == [n * FACE_VALUE]
            one.check_laws()

    def test_given_attendance_only_when_closed_then_there_is_nothing_to_post(self, world: World) -> None:
        from chalicelib.domain.template import FunctionMode

        template = world.publish(5, function_mode=FunctionMode.NO_FACE_VALUE, face_value_fen=0, attendance_only=True)
        world.act(publishing.close_template, template)

        assert world.release().shards == 0
        check(world)


class TestCutOff:
    def test_given_runs_that_are_cut_off_anywhere_when_run_again_then_it_comes_to_the_same(
        self, strict_world: World
    ) -> None:
        for n in range(1, 7):
            closed(strict_world, n, shards=3)
        fen = 0
        for patience in itertools.count(1):
            steps = itertools.count()
            done = strict_world.release(lambda steps=steps, patience=patience: next(steps) < patience)
            fen += done.fen
            check(strict_world)
            if done.finished:
                break

        assert patience >= 8  # at least once for each lane
        assert fen == 21 * FACE_VALUE == sum(releases(strict_world))

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_given_the_machine_stops_at_a_posting_when_run_again_then_the_rest_follows_and_nothing_twice(
        self, strict_world: World, where: str
    ) -> None:
        for n in range(1, 7):
            closed(strict_world, n)
        happening: dict[str, Any] = {where: cut_at(2)}
        watched = Watched(strict_world.platform.templates, "post_release", **happening)
        with pytest.raises(PowerCut):
            with_store(strict_world, "templates", watched).release()
        check(strict_world)

        strict_world.release()

        assert sum(releases(strict_world)) == 21 * FACE_VALUE
        check(strict_world)

    def test_given_an_answer_that_is_lost_when_run_again_then_nothing_twice(self, strict_world: World) -> None:
        closed(strict_world, 5)

        def lose(_: int) -> None:
            raise Unavailable()

        watched = Watched(strict_world.platform.templates, "post_release", after=lose)
        with pytest.raises(Unavailable):
            with_store(strict_world, "templates", watched).release()

        assert strict_world.release().fen == 0
        assert releases(strict_world) == [5 * FACE_VALUE]
        check(strict_world)

    def test_given_more_ends_between_reading_and_posting_when_posted_then_all_of_it_once(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish(5)
        people = [a_person() for _ in range(2)]
        ids = [strict_world.claim(person, template).answer.voucher_id for person in people]
        strict_world.give_back(people[0], ids[0])

        def another(call: int) -> None:
            if call == 1:
                strict_world.give_back(people[1], ids[1])

        watched = Watched(strict_world.platform.templates, "post_release", before=another)
        done = with_store(strict_world, "templates", watched).release()

        assert (done.fen, watched.calls, releases(strict_world)) == (2 * FACE_VALUE, 2, [2 * FACE_VALUE])
        check(strict_world)

    def test_given_claims_between_reading_and_posting_when_posted_then_they_are_not_in_the_way(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish(9)
        person = a_person()
        strict_world.give_back(person, strict_world.claim(person, template).answer.voucher_id)
        watched = Watched(
            strict_world.platform.templates, "post_release", before=lambda _: strict_world.claim(a_person(), template)
        )

        with_store(strict_world, "templates", watched).release()

        assert (watched.calls, releases(strict_world)) == (1, [FACE_VALUE])
        check(strict_world)

    def test_given_one_shard_that_changes_all_the_while_when_posted_then_all_others_are_and_it_is_left_for_the_next(
        self, strict_world: World
    ) -> None:
        template = strict_world.publish(40, peak_claims=48)
        people = [a_person() for _ in range(20)]
        vouchers = {one: strict_world.claim(one, template).answer.voucher_id for one in people}
        busy = strict_world.voucher(vouchers[people[0]]).shard
        on_it = [one for one in people if strict_world.voucher(vouchers[one]).shard == busy]
        elsewhere = [one for one in people if one not in on_it]
        for one in (on_it[0], *elsewhere):
            strict_world.give_back(one, vouchers[one])
        waiting = list(on_it[1:])
        store = strict_world.platform.templates
        refused = itertools.count()

        class Busy:
            """Whenever the busy shard is to be posted, somebody was quicker."""

            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def post_release(self, shards: Any, *posted: Any) -> None:
                if any(shard.number == busy for shard in shards):
                    next(refused)
                    if waiting:
                        person = waiting.pop()
                        strict_world.give_back(person, vouchers[person])
                    raise StaleRow
                store.post_release(shards, *posted)

        done = with_store(strict_world, "templates", Busy()).release()

        assert (done.busy, done.failures, done.finished) == (1, (), True)
        assert done.fen == len(elsewhere) * FACE_VALUE > 0
        assert next(refused) >= 2 * TRIES
        check(strict_world)
        strict_world.release()
        assert strict_world.stock(template).to_release_fen == 0
        check(strict_world)


class TestFunction:
    def test_given_the_schedule_when_it_fires_then_reported_once(self, wired: World, reports: Reports) -> None:
        closed(wired, 4)

        first, second = job.run(Time(PLENTY)), job.run(Time(PLENTY))

        assert first == {
            "fen": 4 * FACE_VALUE, "shards": 1, "postings": 1, "finished": True, "busy": 0, "left": 0,
        }  # fmt: skip
        assert second == first | {"fen": 0, "shards": 0, "postings": 0}
        assert reports.lines == [
            {"message": "release", "failed": False, "outcome": "finished", **report} for report in (first, second)
        ]
        assert reports.counts == [("release", "finished")] * 2

    def test_given_no_time_when_it_fires_then_nothing_is_begun_and_it_is_said(
        self, wired: World, reports: Reports
    ) -> None:
        closed(wired, 4)

        report = job.run(Time(job.RESERVE_MILLISECONDS))

        assert (report["finished"], report["postings"]) == (False, 0)
        assert reports.lines[-1]["outcome"] == "unfinished"

    def test_given_books_that_are_wrong_when_it_fires_then_all_others_are_posted_and_the_alarm_rings(
        self, wired: World, reports: Reports
    ) -> None:
        broken, whole = closed(wired, 4), closed(wired, 5)
        break_shard(wired, broken, 10**15)

        with pytest.raises(job.ReleasesLeft):
            job.run(Time(PLENTY))

        assert reports.lines[0] == {
            "message": "release",
            "failed": True,
            "outcome": "failed",
            "template_id": broken.template_id,
            "shard": 0,
            "trouble": "AssertionError",
        }
        assert wired.stock(whole).to_release_fen == 0
        assert releases(wired) == [5 * FACE_VALUE]
        break_shard(wired, broken, -(10**15))
        assert job.run(Time(PLENTY))["fen"] == 4 * FACE_VALUE
        check(wired)

    def test_given_a_template_that_is_gone_when_it_fires_then_the_others_are_posted_and_the_alarm_rings(
        self, wired: World, reports: Reports
    ) -> None:
        gone, whole = closed(wired, 4), closed(wired, 5)
        store = wired.platform.templates

        class Lacking:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def get(self, template_id: str) -> Template | None:
                return None if template_id == gone.template_id else store.get(template_id)

        wiring.use(with_store(wired, "templates", Lacking()).platform)
        with pytest.raises(job.ReleasesLeft):
            job.run(Time(PLENTY))

        assert wired.stock(whole).to_release_fen == 0
        assert reports.lines[0]["template_id"] == gone.template_id


def test_given_many_templates_of_which_few_have_something_due_when_run_then_it_costs_what_those_do(
    world: World,
) -> None:
    def calls() -> list[str]:
        closed(world, 2)
        other = world.another_container()  # that remembers nothing
        recorded = Recorded()
        with under(recorded):
            assert other.release().shards == 1
        return sorted(str(call) for call in recorded.calls)

    before = calls()
    for _ in range(8):
        world.claim(a_person(), world.publish(3))
        world.draft(3)

    assert calls() == before
    assert before.count("Query catalogue") == 8
    assert len(before) == 8 + 4  # its template, the account, its shard, the transaction
