"""An amendment from the act to the last voucher: at once for whoever asks, by the job for every row."""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain import person as people_rules
from chalicelib.domain.amendment import Amendment, Errand
from chalicelib.domain.errors import (
    AlreadyRedeemed,
    AmendmentNotFound,
    ClaimWindowOver,
    CourseNotFound,
    Expired,
    HoldsAnother,
    InstitutionNotFound,
    Invalid,
    NotInFavour,
    OutOfScope,
    TemplateNotFound,
    TemplateStateRefused,
    Unavailable,
    WrongCourse,
    WrongInstitution,
)
from chalicelib.domain.outcomes import Page
from chalicelib.domain.person import Person
from chalicelib.domain.programme import Course
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import State
from chalicelib.services import amending, publishing, showing
from chalicelib.services.amending import CHUNK, FIRST_LOOK, NEXT_LOOK, Run
from chalicelib.services.identifying import Presented
from chalicelib.services.newest_terms import in_hand_again
from chalicelib.services.watching import find_fault
from tests.faults.operations import forget
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.world import (
    CITY,
    INSTITUTION_ID,
    OTHER_INSTITUTION_ID,
    World,
    a_person,
    local,
)

LONGER = date(2021, 7, 15)
NIGHT = local("2021-06-30T16:05:00Z")
DAY_AFTER = local("2021-07-01T02:00:00Z")


def look_until_finished(world: World, amendment: Amendment) -> list[Run]:
    """All that the job does, look by look."""
    runs: list[Run] = []
    while not runs or runs[-1].next_errand:
        runs.append(world.carry_out(amendment, len(runs)))
        assert len(runs) < 9
    return runs


def progress(world: World, amendment: Amendment) -> Amendment:
    found = world.platform.templates.amendment(amendment.template_id, amendment.number)
    assert found is not None
    return found


def steps_of(world: World, voucher_id: str) -> list[str]:
    return [entry.said["step"] for entry in world.voucher(voucher_id).history]


def holder_of(world: World, voucher_id: str) -> Person:
    (holder,) = world.platform.people.holders([world.voucher(voucher_id).person_id])
    return holder


class TestTheAct:
    def test_given_a_template_when_amended_then_head_terms_and_all_shards_have_the_next_version(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(40, peak_claims=60)

        done = world.amend(template, valid_until=LONGER)

        head, p = world.template(template.template_id), world.platform
        assert (done.answer.number, done.answer.terms_version, head.terms_version) == (1, 2, 2)
        assert p.templates.terms(template.template_id, 2).valid_until == LONGER
        assert p.templates.terms(template.template_id, 1).valid_until == date(2021, 6, 30)
        assert {(s.terms_version, s.open) for s in p.templates.shards(head)} == {(2, True)}
        errands: Any = p.errands
        assert errands.asked == [(Errand(template.template_id, 1), FIRST_LOOK)]
        world.check_laws([])

    def test_given_a_template_that_is_offered_when_amended_then_its_listing_tells_the_new_terms(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(40)
        world.amend(template, claim_until=LONGER, valid_until=LONGER)

        (entry,) = world.platform.listings.read(CITY).entries

        assert (entry.terms.version, entry.terms.claim_until, entry.terms.valid_until) == (2, LONGER, LONGER)

    def test_given_an_amendment_when_asked_for_again_then_the_answer_is_the_same_and_nothing_more_is_done(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(5)

        first, second = (world.amend(template, key="once", valid_until=LONGER) for _ in range(2))

        assert (second.answer, second.hit) == (first.answer, True)
        assert world.template(template.template_id).terms_version == 2

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"valid_until": date(2021, 6, 30)}, NotInFavour),
            ({"add_institutions": (OTHER_INSTITUTION_ID,)}, NotInFavour),
            ({}, Invalid),
            ({"add_courses": ("X" * 16,)}, CourseNotFound),
            ({"add_courses": ("D" * 16,)}, None),
        ],
    )
    def test_given_changes_that_cannot_be_when_amended_then_refused_and_nothing_is_asked_for(
        self, strict_world: World, changes: dict[str, Any], error: type[Exception] | None
    ) -> None:
        world = strict_world
        template = world.publish(5, courses=("C" * 16,))
        if error is None:
            assert world.amend(template, **changes).answer.add_courses == ("D" * 16,)
            return

        with pytest.raises(error):
            world.amend(template, **changes)

        errands: Any = world.platform.errands
        assert errands.asked == []
        assert world.template(template.template_id) == template

    def test_given_named_institutions_when_places_are_added_then_both_must_exist_and_fit(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(5, institutions=(INSTITUTION_ID,), courses=("C" * 16,))

        with pytest.raises(InstitutionNotFound):
            world.amend(template, add_institutions=("91110000600037341L",))
        with pytest.raises(Invalid):
            world.amend(template, add_courses=("D" * 16,))
        both = world.amend(template, add_courses=("D" * 16,), add_institutions=(OTHER_INSTITUTION_ID,))

        assert both.answer.terms_version == 2

    def test_given_a_draft_or_a_stranger_when_amended_then_refused(self, strict_world: World) -> None:
        world = strict_world
        elsewhere = replace(world.bureau, client=replace(world.bureau.client, regions=("440100",)))

        with pytest.raises(TemplateStateRefused):
            world.amend(world.draft(5), valid_until=LONGER)
        template = world.publish(5)
        with pytest.raises(TemplateNotFound):
            replace(world, bureau=elsewhere).amend(template, valid_until=LONGER)
        with pytest.raises(TemplateNotFound):
            amending.list_amendments(world.platform.templates, template.template_id, elsewhere, 5, None)
        with pytest.raises(AmendmentNotFound):
            amending.find_amendment(world.platform.templates, template.template_id, 1, world.bureau)

    def test_given_an_operator_of_elsewhere_when_amended_then_out_of_scope(self, strict_world: World) -> None:
        world = strict_world
        assert world.bureau.operator is not None
        stranger = replace(world.bureau, operator=replace(world.bureau.operator, region="440100"))

        with pytest.raises(OutOfScope):
            replace(world, bureau=stranger).amend(world.publish(5), valid_until=LONGER)

    def test_given_a_queue_that_is_down_when_amended_then_nothing_was_done(self, strict_world: World) -> None:
        world = strict_world
        template = world.publish(5)

        class Down:
            def ask(self, *_: object) -> None:
                raise Unavailable

        with pytest.raises(Unavailable):
            with_store(world, "errands", Down()).amend(template, valid_until=LONGER)

        assert world.template(template.template_id) == template

    def test_given_several_amendments_when_listed_then_in_order_page_by_page(self, strict_world: World) -> None:
        world = strict_world
        template = world.publish(5)
        for day in (1, 2, 3):
            world.amend(template, valid_until=date(2021, 7, day))

        first = amending.list_amendments(world.platform.templates, template.template_id, world.bureau, 2, None)
        rest = amending.list_amendments(world.platform.templates, template.template_id, world.bureau, 2, first.cursor)

        assert [one.number for one in (*first.items, *rest.items)] == [1, 2, 3]

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize(("store", "method"), [("templates", "amend"), ("templates", "set_gate")])
    def test_given_a_power_cut_in_the_act_when_claimed_or_repeated_then_it_is_settled(
        self, strict_world: World, store: str, method: str, moment: str
    ) -> None:
        world = strict_world
        template = world.publish(5)
        cut: Any = {moment: cut_at(1)}

        with pytest.raises(PowerCut):
            with_store(world, store, Watched(getattr(world.platform, store), method, **cut)).amend(
                template, key="once", valid_until=LONGER
            )
        forget(world)
        voucher_id = world.claim(a_person(), template).answer.voucher_id
        world.amend(template, key="once", valid_until=LONGER)

        head = world.template(template.template_id)
        assert (head.terms_version, publishing.settle(world.platform.templates, head.template_id)) == (2, head)
        assert world.voucher(voucher_id).terms_version in (1, 2)
        errands: Any = world.platform.errands
        assert {errand for errand, _ in errands.asked} == {Errand(template.template_id, 1)}
        world.check_laws(world.vouchers())

    def test_given_a_suspended_and_a_closed_template_when_amended_then_their_shards_stay_shut(
        self, strict_world: World
    ) -> None:
        world = strict_world
        for act in (publishing.suspend_template, publishing.close_template):
            template = world.publish(5)
            world.act(act, template)
            world.amend(template, valid_until=LONGER)

            head = world.template(template.template_id)
            shards = world.platform.templates.shards(head)
            assert {(s.open, s.terms_version) for s in shards} == {(False, 2)}
        world.check_laws([])


class TestAtOnce:
    """Before the job has come to anybody."""

    def test_given_a_claim_window_that_is_over_when_made_longer_then_claimed_by_the_new_terms(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(5, claim_until=date(2021, 5, 2))
        world.clock.set(local("2021-05-04T02:00:00Z"))
        with pytest.raises(ClaimWindowOver):
            world.claim(a_person(), template)
        world.amend(template, claim_until=date(2021, 5, 31), valid_until=LONGER)

        voucher = world.voucher(world.claim(a_person(), template).answer.voucher_id)

        assert (voucher.terms_version, voucher.valid_until) == (2, LONGER)

    def test_given_a_container_with_the_old_terms_when_claimed_then_by_the_new_ones(self, strict_world: World) -> None:
        world = strict_world
        template = world.publish(5)
        elsewhere = world.another_container()
        elsewhere.platform.templates.get(template.template_id)
        world.amend(template, valid_until=LONGER)

        voucher_id = elsewhere.claim(a_person(), template).answer.voucher_id

        assert world.voucher(voucher_id).terms_version == 2

    def test_given_a_lapsed_voucher_when_its_template_is_valid_longer_then_it_lives_for_everybody_who_asks(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5)
        voucher_id = world.claim(person, template).answer.voucher_id
        code = world.code(person, voucher_id)
        world.clock.set(DAY_AFTER)
        before = world.verify(Presented(code=code))
        with pytest.raises(Expired):
            world.redeem(Presented(code=code))
        world.amend(template, valid_until=LONGER)

        after = world.verify(Presented(code=code))
        p = world.platform
        (card,) = showing.open_wallet(p.templates, p.people, world.session(person), 10, None, world.now).items
        shown = Presented(token=world.token(person, voucher_id))

        assert (before.usable, before.state) == (False, State.EXPIRED)
        assert (after.usable, after.state, after.voucher.valid_until) == (True, State.CLAIMED, LONGER)
        assert (card.state, card.voucher.valid_until, card.voucher.version) == (State.CLAIMED, LONGER, 1)
        assert steps_of(world, voucher_id) == ["claim"]  # to look changes nothing
        assert world.redeem(shown).answer.version == 3
        assert steps_of(world, voucher_id) == ["claim", "amend", "redeem"]
        world.check_laws(world.vouchers())

    def test_given_another_course_and_institution_when_added_then_redeemed_there_at_once(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5, courses=("C" * 16,), institutions=(INSTITUTION_ID,))
        voucher_id = world.claim(person, template).answer.voucher_id
        there: dict[str, Any] = {
            "institution_id": OTHER_INSTITUTION_ID,
            "course_id": "D" * 16,
            "actor": world.other_desk,
        }
        shown = Presented(code=world.code(person, voucher_id))
        with pytest.raises(WrongInstitution):
            world.redeem(shown, **there)

        world.amend(template, add_courses=("D" * 16,), add_institutions=(OTHER_INSTITUTION_ID,))

        assert world.verify(shown, **there).usable
        assert world.redeem(shown, **there).answer.state is State.REDEEMED
        assert world.voucher(voucher_id).terms_version == 2

    def test_given_an_amendment_that_does_not_help_when_redeemed_then_refused_and_unchanged(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5, courses=("C" * 16,))
        voucher_id = world.claim(person, template).answer.voucher_id
        shown = Presented(code=world.code(person, voucher_id))
        another = Course("E" * 16, "P" * 16, INSTITUTION_ID, CITY, "焊工", "Welder", 40)
        world.platform.catalogue.courses.add(another, None)
        world.amend(template, add_courses=("D" * 16,))

        with pytest.raises(WrongCourse):
            world.redeem(shown, course_id=another.course_id)

        assert steps_of(world, voucher_id) == ["claim"]

    def test_given_a_lapsed_voucher_that_lives_again_when_given_back_or_revoked_then_it_can_be(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5)
        mine, other = (world.claim(one, template).answer.voucher_id for one in (person, a_person()))
        world.clock.set(DAY_AFTER)
        world.amend(template, valid_until=LONGER)

        world.give_back(person, mine)
        world.revoke(other)

        assert steps_of(world, mine) == ["claim", "amend", "give_back"]
        assert steps_of(world, other) == ["claim", "amend", "revoke"]
        world.check_laws(world.vouchers())

    def test_given_a_redeemed_voucher_when_reversed_after_the_amendment_then_it_comes_back_under_the_new_terms(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5)
        voucher_id = world.claim(person, template).answer.voucher_id
        world.redeem(Presented(code=world.code(person, voucher_id)))
        world.amend(template, valid_until=LONGER)
        forget(world)

        world.reverse(voucher_id)

        voucher = world.voucher(voucher_id)
        assert steps_of(world, voucher_id) == ["claim", "redeem", "amend", "reverse"]
        assert (voucher.terms_version, voucher.valid_until) == (2, LONGER)
        assert voucher.due_on == LONGER + timedelta(days=1)


class TestTheSweep:
    @pytest.mark.parametrize("remembers", [True, False])
    def test_given_a_lapsed_voucher_that_the_job_has_not_reached_when_swept_then_it_is_amended_and_not_expired(
        self, strict_world: World, remembers: bool
    ) -> None:
        world = strict_world
        template, other = world.publish(5), world.publish(5)
        lives = world.claim(a_person(), template).answer.voucher_id
        ends = world.claim(a_person(), other).answer.voucher_id
        world.clock.set(NIGHT)
        elsewhere = world.another_container()
        if remembers:
            elsewhere.platform.templates.get(template.template_id)
        world.amend(template, valid_until=LONGER)

        sweep = elsewhere.expire()

        assert (sweep.expired, sweep.finished) == (1, True)
        assert steps_of(world, lives) == ["claim", "amend"]
        assert world.voucher(ends).state is State.EXPIRED
        world.check_laws(world.vouchers())

    def test_given_an_amendment_between_judging_and_writing_when_swept_then_nobody_expires(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(5)
        voucher_id = world.claim(a_person(), template).answer.voucher_id
        world.clock.set(NIGHT)

        def amend_first(call: int) -> None:
            if call == 1:
                world.another_container().amend(template, valid_until=LONGER)

        people = Watched(world.platform.people, "record_steps", before=amend_first)
        sweep = with_store(world, "people", people).expire()

        assert (people.calls, sweep.expired) == (2, 0)
        assert steps_of(world, voucher_id) == ["claim", "amend"]

    def test_given_a_voucher_that_is_swept_when_its_template_is_amended_then_it_stays_expired(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5)
        voucher_id = world.claim(person, template).answer.voucher_id
        code = world.code(person, voucher_id)
        world.clock.set(NIGHT)
        world.expire()
        amendment = world.amend(template, valid_until=LONGER).answer

        look_until_finished(world, amendment)

        assert steps_of(world, voucher_id) == ["claim", "expire"]
        assert world.verify(Presented(code=code)).state is State.EXPIRED
        assert progress(world, amendment).moved == 0

    def test_given_an_amended_voucher_when_its_new_day_comes_then_it_expires_once(self, strict_world: World) -> None:
        world = strict_world
        template = world.publish(5)
        voucher_id = world.claim(a_person(), template).answer.voucher_id
        look_until_finished(world, world.amend(template, valid_until=date(2021, 7, 2)).answer)
        world.clock.set(NIGHT)
        assert world.expire().expired == 0

        world.clock.set(local("2021-07-02T16:05:00Z"))

        assert world.expire().expired == 1
        assert steps_of(world, voucher_id) == ["claim", "amend", "expire"]
        world.check_laws(world.vouchers())


class TestTheJob:
    def test_given_held_vouchers_when_the_job_looks_until_it_finds_none_then_each_was_moved_once(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(200, peak_claims=60)
        ids = [world.claim(a_person(), template).answer.voucher_id for _ in range(120)]
        before = {one.voucher_id: one for one in world.vouchers()}
        amendment = world.amend(template, valid_until=LONGER, reason="台风“烟花”").answer

        runs = look_until_finished(world, amendment)

        assert [run.moved for run in runs] == [120, 0]
        assert (runs[0].next_errand, runs[0].delay) == (Errand(template.template_id, 1, 1), NEXT_LOOK)
        done = progress(world, amendment)
        assert (done.moved, done.finished_at) == (120, world.now)
        for voucher_id in ids:
            voucher = world.voucher(voucher_id)
            assert (voucher.terms_version, voucher.valid_until, voucher.state) == (2, LONGER, State.CLAIMED)
            assert voucher.due_on == LONGER + timedelta(days=1)
            assert voucher.history[-1].said["facts"] == {
                "amendment": 1,
                "reason": "台风“烟花”",
                "terms_before": 1,
                "terms": 2,
                "valid_until_before": "2021-06-30",
                "valid_until": "2021-07-15",
            }
            assert find_fault(before[voucher_id], voucher) is None
        world.check_laws(world.vouchers())

    def test_given_more_courses_only_when_the_job_runs_then_all_are_moved_and_it_finds_an_end(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(20, courses=("C" * 16,))
        for _ in range(5):
            world.claim(a_person(), template)
        amendment = world.amend(template, add_courses=("D" * 16,)).answer
        world.claim(a_person(), template)  # by the new terms already, under the same due day

        runs = look_until_finished(world, amendment)

        assert [(run.examined, run.moved) for run in runs] == [(6, 5), (6, 0)]
        assert {one.terms_version for one in world.vouchers()} == {2}

    def test_given_two_amendments_when_the_first_s_job_comes_late_then_each_voucher_has_an_entry_of_each(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(20)
        voucher_id = world.claim(a_person(), template).answer.voucher_id
        first = world.amend(template, valid_until=date(2021, 7, 1)).answer
        second = world.amend(template, valid_until=LONGER).answer

        runs = [look_until_finished(world, one) for one in (first, second)]

        entries = world.voucher(voucher_id).history
        assert [entry.said["facts"].get("terms") for entry in entries[1:]] == [2, 3]
        assert [sum(run.moved for run in one) for one in runs] == [1, 0]
        assert world.voucher(voucher_id).valid_until == LONGER
        world.check_laws(world.vouchers())

    @pytest.mark.all_lanes
    def test_given_a_job_cut_off_anywhere_when_handed_on_then_it_ends_the_same(self, strict_world: World) -> None:
        world = strict_world
        template = world.publish(60)
        for _ in range(40):
            world.claim(a_person(), template)
        amendment = world.amend(template, valid_until=LONGER).answer
        p, errand, runs, moved = world.platform, Errand(template.template_id, 1), 0, 0

        while True:
            patience = iter([True] * 7 + [False] * 1000)
            run = amending.carry_out(p.templates, p.people, errand, now=world.now, may_go_on=partial(next, patience))
            runs, moved = runs + 1, moved + run.moved
            world.check_laws(world.vouchers())
            if run.next_errand is None:
                break
            errand = Errand.read(run.next_errand.text())

        assert runs > 5
        assert moved == progress(world, amendment).moved == 40
        assert {len(one.history) for one in world.vouchers()} == {2}

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("store_method", [("people", "record_steps"), ("templates", "note_progress")])
    def test_given_a_power_cut_in_the_job_when_its_message_comes_again_then_nothing_is_done_twice(
        self, strict_world: World, store_method: tuple[str, str], moment: str
    ) -> None:
        world = strict_world
        template = world.publish(20)
        for _ in range(5):
            world.claim(a_person(), template)
        amendment = world.amend(template, valid_until=LONGER).answer
        store, method = store_method
        cut: Any = {moment: cut_at(1)}
        cut_off = with_store(world, store, Watched(getattr(world.platform, store), method, **cut))

        with pytest.raises(PowerCut):
            look_until_finished(cut_off, amendment)
        look_until_finished(world, amendment)

        done = progress(world, amendment)
        assert (done.moved, done.finished_at) == (5, world.now)
        assert {len(one.history) for one in world.vouchers()} == {2}
        world.check_laws(world.vouchers())

    def test_given_a_chunk_of_vouchers_that_all_live_again_when_moved_then_it_fits_one_transaction(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(100)
        for _ in range(CHUNK):
            world.claim(a_person(), template)
        world.clock.set(DAY_AFTER)
        amendment = world.amend(template, valid_until=LONGER).answer
        keys = [(one.person_id, one.template_id) for one in world.vouchers()]
        people = Watched(world.platform.people, "record_steps")
        first: Any = people
        first.due_of = lambda _, day, lane, *__: Page(tuple(keys) if (day, lane) == (date(2021, 7, 1), 0) else ())

        run = with_store(world, "people", people).carry_out(amendment)

        assert (people.calls, run.moved) == (1, CHUNK)
        assert all(template.template_id in holder_of(world, one.voucher_id).held for one in world.vouchers())
        world.check_laws(world.vouchers())

    def test_given_an_errand_of_an_amendment_that_was_never_made_when_run_then_there_is_nothing_to_do(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(5)
        p = world.platform

        run = amending.carry_out(
            p.templates, p.people, Errand(template.template_id, 1), now=world.now, may_go_on=lambda: True
        )

        assert run == Run()

    def test_given_a_voucher_that_cannot_be_written_when_the_job_runs_then_all_others_are_moved_and_it_is_named(
        self, strict_world: World
    ) -> None:
        world = strict_world
        template = world.publish(20)
        ids = [world.claim(a_person(), template).answer.voucher_id for _ in range(6)]
        victim = world.voucher(ids[2])
        amendment = world.amend(template, valid_until=LONGER).answer

        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.platform.people, name)

            def record_steps(self, steps: Any, **more: Any) -> None:
                if any(before.person_id == victim.person_id for before, _ in steps):
                    raise ValueError
                world.platform.people.record_steps(steps, **more)

        run = with_store(world, "people", Broken()).carry_out(amendment)

        assert [(one.person_id, one.trouble) for one in run.failures] == [(victim.person_id, "ValueError")]
        assert (run.moved, run.next_errand) == (5, None)
        assert progress(world, amendment).finished_at is None
        assert sum(one.moved for one in look_until_finished(world, amendment)) == 1

    def test_given_a_redeemed_voucher_when_the_job_runs_then_it_is_left_as_it_is(self, strict_world: World) -> None:
        world, person = strict_world, a_person()
        template = world.publish(5)
        voucher_id = world.claim(person, template).answer.voucher_id
        world.redeem(Presented(code=world.code(person, voucher_id)))
        amendment = world.amend(template, valid_until=LONGER).answer

        look_until_finished(world, amendment)

        assert steps_of(world, voucher_id) == ["claim", "redeem"]
        with pytest.raises(AlreadyRedeemed):
            world.redeem(Presented(code=world.code(person, voucher_id)))


class TestTheHand:
    """One at a time, and a voucher that had lapsed lives again."""

    def dropped(self, world: World) -> tuple[Any, str, Template, str]:
        """Somebody whose lapsed voucher was dropped from the hand at another claim, which was given back since."""
        world.rules(one_at_a_time=True)
        person = a_person()
        first, second = world.publish(5), world.publish(5, claim_until=date(2021, 8, 1), valid_until=date(2021, 8, 1))
        lapsed = world.claim(person, first).answer.voucher_id
        world.clock.set(DAY_AFTER)
        newer = world.claim(person, second).answer.voucher_id
        assert first.template_id not in holder_of(world, lapsed).held
        world.give_back(person, newer)
        return person, lapsed, first, newer

    def bring(self, world: World, how: str, person: Any, voucher_id: str, amendment: Amendment) -> None:
        match how:
            case "job":
                look_until_finished(world, amendment)
            case "sweep":
                world.expire()
            case "redemption reversed":
                world.redeem(Presented(code=world.code(person, voucher_id)))
                world.reverse(voucher_id)

    @pytest.mark.parametrize("how", ["job", "sweep", "redemption reversed"])
    def test_given_a_voucher_dropped_from_the_hand_when_it_lives_again_then_it_counts_again(
        self, strict_world: World, how: str
    ) -> None:
        world = strict_world
        person, lapsed, first, _ = self.dropped(world)
        amendment = world.amend(first, valid_until=LONGER).answer

        self.bring(world, how, person, lapsed, amendment)

        assert first.template_id in holder_of(world, lapsed).held
        third = world.publish(5, claim_until=date(2021, 8, 1), valid_until=date(2021, 8, 1))
        with pytest.raises(HoldsAnother):
            world.claim(person, third)
        world.check_laws(world.vouchers())

    def test_given_two_of_one_person_dropped_from_the_hand_when_the_sweep_brings_both_back_then_both_count(
        self, strict_world: World
    ) -> None:
        world, person = strict_world, a_person()
        templates = [world.publish(5), world.publish(5)]
        ids = [world.claim(person, one).answer.voucher_id for one in templates]
        world.clock.set(local("2021-06-30T16:30:00Z"))
        holder = holder_of(world, ids[0])
        dropped = people_rules.drop_ended(holder, {one.template_id for one in templates})
        for template in templates:
            world.amend(template, valid_until=LONGER)

        hands = in_hand_again([world.voucher(one) for one in ids], dropped, world.now)

        assert hands is not None
        assert set(hands.held) == {one.template_id for one in templates}
        assert hands.version == dropped.version + 1
        world.expire()
        assert set(holder_of(world, ids[0]).held) == {one.template_id for one in templates}
        assert holder_of(world, ids[0]).version == holder.version + 1

    def test_given_a_lapsed_voucher_still_in_hand_when_it_lives_again_then_no_other_is_claimed_even_before_the_job(
        self, strict_world: World
    ) -> None:
        world = strict_world
        world.rules(one_at_a_time=True)
        person = a_person()
        first = world.publish(5)
        world.claim(person, first)
        other = world.publish(5, claim_until=date(2021, 8, 1), valid_until=date(2021, 8, 1))
        world.clock.set(DAY_AFTER)
        world.amend(first, valid_until=LONGER)

        with pytest.raises(HoldsAnother):
            world.claim(person, other)

    def test_given_a_claim_that_is_dropping_it_when_the_job_brings_it_back_then_the_claim_judges_again(
        self, strict_world: World
    ) -> None:
        world = strict_world
        world.rules(one_at_a_time=True)
        person = a_person()
        first = world.publish(5)
        world.claim(person, first)
        other = world.publish(5, claim_until=date(2021, 8, 1), valid_until=date(2021, 8, 1))
        world.clock.set(DAY_AFTER)

        def amend_first(call: int) -> None:
            if call == 1:
                elsewhere = world.another_container()
                look_until_finished(elsewhere, elsewhere.amend(first, valid_until=LONGER).answer)

        people = Watched(world.platform.people, "record_claim", before=amend_first)
        with pytest.raises(HoldsAnother):
            with_store(world, "people", people).claim(person, other)


def test_given_no_amendment_when_redeemed_and_verified_then_the_template_s_head_is_not_read(
    strict_world: World,
) -> None:
    world, person = strict_world, a_person()
    template = world.publish(5)
    voucher_id = world.claim(person, template).answer.voucher_id
    shown = Presented(code=world.code(person, voucher_id))
    heads = [Watched(world.platform.templates, method) for method in ("read", "get")]

    for watched in heads:
        with_store(world, "templates", watched).verify(shown)
    with_store(world, "templates", heads[0]).redeem(shown)

    assert [watched.calls for watched in heads] == [0, 0]
