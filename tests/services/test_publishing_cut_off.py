"""Templates from draft to closing: what is refused, what is reserved, and what any interruption leaves behind."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from chalicelib.domain.access import Role
from chalicelib.domain.errors import (
    AccountNotFound,
    BudgetExceeded,
    CourseNotFound,
    DomainError,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    ProgrammeNotFound,
    RegionNotFound,
    TemplateNotFound,
    TemplateNotOpen,
    TemplateStateRefused,
)
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.outcomes import WriteConflict
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.template import FunctionMode, Template, TemplateState
from chalicelib.domain.voucher import State
from chalicelib.services import funding, publishing
from chalicelib.services.identifying import Presented
from tests.services.faults import PowerCut, Watched, cut_at, with_store
from tests.world import FACE_VALUE, INSTITUTION_ID, OTHER_CITY, World, a_person, an_actor

STANDARD = FACE_VALUE
SIBLINGS_PROGRAMME, OTHER_COURSE = "Q" * 16, "E" * 16


@pytest.fixture(scope="module", autouse=True)
def more_catalogue(shared_world: World) -> None:
    """A programme of another city, and a course of it that our institution teaches."""
    catalogue = shared_world.platform.catalogue
    catalogue.programmes.add(Programme(SIBLINGS_PROGRAMME, OTHER_CITY, "项目制", "Project", "project", STANDARD), None)
    catalogue.courses.add(
        Course(OTHER_COURSE, SIBLINGS_PROGRAMME, INSTITUTION_ID, "440300", "焊工", "Welder", 40), None
    )


def reserved(world: World) -> int:
    return world.balances()[Balance.RESERVED]


def shards_left(world: World, template: Template) -> list[int]:
    shards = world.platform.templates.shards(world.template(template.template_id))
    return [shard.remaining for shard in shards]


def change_budget(world: World, amount_fen: int) -> None:
    p = world.platform
    funding.change_budget(
        p.accounts,
        p.marks,
        account_id=world.account_id,
        amount_fen=amount_fen,
        note="调整",
        **world.by(world.bureau),
    )


# --- drafts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"claim_from": date(2021, 7, 1)}, "/claim_until"),
        ({"valid_from": date(2021, 7, 1)}, "/valid_until"),
        ({"claim_until": date(2021, 7, 1)}, "/claim_until"),
        ({"face_value_fen": 0}, "/face_value_fen"),
        ({"face_value_fen": STANDARD + 1}, "/face_value_fen"),
        ({"attendance_only": True}, "/attendance_only"),
        ({"function_mode": FunctionMode.NO_FACE_VALUE, "face_value_fen": 1}, "/face_value_fen"),
        ({"programme_id": SIBLINGS_PROGRAMME}, "/programme_id"),
        ({"courses": ("C" * 16, OTHER_COURSE)}, "/courses"),
    ],
)
def test_given_a_draft_that_cannot_be_right_when_written_then_the_field_is_named_and_nothing_is_kept(
    town: World, changes: dict[str, Any], pointer: str
) -> None:
    before = len(town.rows("catalogue"))

    with pytest.raises(Invalid) as refused:
        town.draft(**changes)

    assert refused.value.pointer == pointer
    assert len(town.rows("catalogue")) == before


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"region": "999999"}, RegionNotFound),
        ({"programme_id": "NONE"}, ProgrammeNotFound),
        ({"courses": ("NONE",)}, CourseNotFound),
        ({"institutions": ("NONE",)}, InstitutionNotFound),
        ({"account_id": "440300-1999"}, AccountNotFound),
        ({"region": OTHER_CITY}, AccountNotFound),  # the account is another region's
    ],
)
def test_given_a_draft_that_names_what_there_is_not_when_written_then_it_is_not_found(
    town: World, changes: dict[str, Any], refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        town.draft(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"claim_from": date(2021, 6, 30), "valid_from": date(2021, 6, 30)},  # a day long, and the same day
        {"face_value_fen": 1},
        {"courses": ("C" * 16,), "institutions": (INSTITUTION_ID,)},
    ],
)
def test_given_a_draft_at_its_edges_when_written_then_it_is_kept_and_no_money_moves(
    town: World, changes: dict[str, Any]
) -> None:
    before = town.balances()

    draft = town.draft(**changes)

    assert draft.state is TemplateState.DRAFT
    assert town.template(draft.template_id) == draft
    assert town.balances() == before
    with pytest.raises(TemplateNotFound):
        town.claim(a_person(), draft)


def test_given_a_bureau_of_another_city_when_it_acts_then_it_has_no_say(town: World) -> None:
    elsewhere = replace(town, bureau=an_actor("GUANGZHOU", Role.CITY, OTHER_CITY))
    draft = town.draft()

    with pytest.raises(OutOfScope):
        elsewhere.draft()
    for act in (publishing.publish_template, publishing.close_template):
        with pytest.raises(TemplateNotFound):
            elsewhere.act(act, draft)
    with pytest.raises(TemplateNotFound):
        publishing.list_shards(town.platform.templates, draft.template_id, elsewhere.bureau)

    assert town.template(draft.template_id) == draft


def test_given_an_operator_of_another_city_on_the_bureaus_client_when_it_acts_then_it_has_no_say(town: World) -> None:
    operator = an_actor("GUANGZHOU", Role.CITY, OTHER_CITY).operator
    elsewhere = replace(town, bureau=replace(town.bureau, operator=operator))
    draft = town.draft()

    with pytest.raises(OutOfScope):
        elsewhere.act(publishing.publish_template, draft)

    assert town.template(draft.template_id) == draft


# --- money ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "ceiling"),
    [
        ({"face_value_fen": 150_000}, 150_000),
        ({"function_mode": FunctionMode.NO_FACE_VALUE, "face_value_fen": 0}, STANDARD),
        ({"function_mode": FunctionMode.NO_FACE_VALUE, "face_value_fen": 0, "attendance_only": True}, 0),
    ],
)
def test_given_what_a_voucher_can_cost_at_most_when_published_then_that_is_reserved_for_each(
    town: World, changes: dict[str, Any], ceiling: int
) -> None:
    before = town.balances()

    template = town.publish(70, **changes)

    after = town.balances()
    assert after[Balance.RESERVED] - before[Balance.RESERVED] == 70 * ceiling
    assert before[Balance.FREE] - after[Balance.FREE] == 70 * ceiling
    assert town.stock(template).reserved_fen == 70 * ceiling
    assert town.claim(a_person(), template).answer.state is State.CLAIMED
    town.check_laws()


def test_given_one_fen_too_little_when_published_then_it_stays_a_draft_until_the_budget_suffices(town: World) -> None:
    free = town.balances()[Balance.FREE]
    draft = town.draft(3)
    change_budget(town, 3 * FACE_VALUE - 1 - free)

    with pytest.raises(BudgetExceeded) as refused:
        town.act(publishing.publish_template, draft, key="short")
    assert refused.value.facts == {"needed_fen": 3 * FACE_VALUE, "free_fen": 3 * FACE_VALUE - 1}
    assert town.template(draft.template_id) == draft
    change_budget(town, 1)
    done = town.act(publishing.publish_template, draft, key="short")

    assert not done.hit  # a refusal is no answer that is kept
    assert town.balances()[Balance.FREE] == 0
    with pytest.raises(BudgetExceeded):
        town.act(publishing.add_quantity, draft, 1)
    assert town.template(draft.template_id).quantity == 3
    change_budget(town, free)
    town.check_laws()


def test_given_a_budget_that_is_bound_when_it_is_taken_back_then_only_what_is_free_can_go(town: World) -> None:
    town.publish(5)
    free = town.balances()[Balance.FREE]

    with pytest.raises(BudgetExceeded):
        change_budget(town, -free - 1)

    assert town.balances()[Balance.FREE] == free


def test_given_publishing_and_adding_when_the_postings_are_read_then_each_is_one_balanced_posting_of_its_template(
    town: World,
) -> None:
    accounts = town.platform.accounts
    before = accounts.postings(town.account_id, 1000, None).items

    template = town.publish(20)
    town.act(publishing.add_quantity, template, 5)
    town.act(publishing.suspend_template, template)
    town.act(publishing.close_template, template)

    after = accounts.postings(town.account_id, 1000, None).items
    new = after[len(before) :]
    assert after[: len(before)] == before
    assert [posting.number for posting in after] == list(range(1, len(after) + 1))
    assert [posting.kind for posting in new] == [PostingKind.RESERVE] * 2
    assert [posting.legs[Balance.RESERVED] for posting in new] == [20 * FACE_VALUE, 5 * FACE_VALUE]
    assert {sum(posting.legs.values()) for posting in new} == {0}
    assert {posting.reference for posting in new} == {template.template_id}
    assert {posting.operator_id for posting in new} == {town.bureau.operator_id}


# --- acts on what is published -------------------------------------------------------------------------------------


def test_given_a_published_template_when_published_again_then_the_same_request_is_answered_and_a_new_one_refused(
    town: World,
) -> None:
    draft, before = town.draft(10), reserved(town)
    first = town.act(publishing.publish_template, draft, key="twice")

    again = town.act(publishing.publish_template, draft, key="twice")
    with pytest.raises(TemplateStateRefused) as refused:
        town.act(publishing.publish_template, draft)

    assert (first.hit, again.hit) == (False, True)
    assert again.answer == first.answer
    assert refused.value.facts["state"] == TemplateState.PUBLISHED
    assert reserved(town) - before == 10 * FACE_VALUE


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("draft", ["suspend", "resume", "add"]),
        ("published", ["publish", "resume"]),
        ("suspended", ["publish", "suspend"]),
        ("closed", ["publish", "suspend", "resume", "add", "close"]),
    ],
)
def test_given_a_state_when_an_act_does_not_fit_then_it_is_refused_and_nothing_changes(
    town: World, state: str, refused: list[str]
) -> None:
    acts: dict[str, tuple[Any, ...]] = {
        "publish": (publishing.publish_template,),
        "suspend": (publishing.suspend_template,),
        "resume": (publishing.resume_template,),
        "close": (publishing.close_template,),
        "add": (publishing.add_quantity, 5),
    }
    ways: dict[str, list[str]] = {
        "draft": [],
        "published": ["publish"],
        "suspended": ["publish", "suspend"],
        "closed": ["publish", "close"],
    }
    template = town.draft(10)
    for name in ways[state]:
        service, *more = acts[name]
        town.act(service, template, *more)
    before, money = town.template(template.template_id), town.balances()

    for name in refused:
        service, *more = acts[name]
        with pytest.raises(TemplateStateRefused) as refusal:
            town.act(service, template, *more)
        assert refusal.value.facts == {"state": state}

    assert town.template(template.template_id) == before
    assert town.balances() == money


def test_given_uneven_shards_when_quantity_is_added_then_it_levels_them_out(town: World) -> None:
    template = town.publish(30, peak_claims=36)
    for _ in range(7):
        town.claim(a_person(), template)

    town.act(publishing.add_quantity, template, 25)

    left = shards_left(town, template)
    assert sum(left) == 48
    assert max(left) - min(left) <= 1
    assert town.template(template.template_id).quantity == 55
    town.check_laws()


def test_given_much_more_quantity_when_added_then_more_shards_take_it(town: World) -> None:
    template = town.publish(5_000)
    assert template.shards == 1

    town.act(publishing.add_quantity, template, 10_000)

    assert shards_left(town, template) == [5_000] * 3
    town.check_laws()


def test_given_a_suspended_template_when_quantity_is_added_then_it_is_claimed_only_after_it_is_resumed(
    town: World,
) -> None:
    template = town.publish(1)
    town.claim(a_person(), template)
    town.act(publishing.suspend_template, template)

    town.act(publishing.add_quantity, template, 6_000)

    assert shards_left(town, template) == [3_000, 3_000]
    with pytest.raises(TemplateNotOpen):
        town.claim(a_person(), template)
    town.act(publishing.resume_template, template)
    assert town.claim(a_person(), template).answer.state is State.CLAIMED
    town.check_laws()


def test_given_a_closed_template_when_its_stock_is_read_then_the_rest_is_released_and_held_vouchers_stay_usable(
    town: World,
) -> None:
    template, person, before = town.publish(40, peak_claims=36), a_person(), reserved(town)
    voucher_id = town.claim(person, template).answer.voucher_id

    town.act(publishing.close_template, template)

    stock = town.stock(template)
    assert (stock.remaining, stock.made, stock.released) == (0, 1, 39)
    assert (stock.to_release_fen, stock.reserved_fen) == (39 * FACE_VALUE, FACE_VALUE)
    assert reserved(town) == before  # the account follows when a job posts it
    with pytest.raises(TemplateNotOpen):
        town.claim(a_person(), template)
    redeemed = town.redeem(Presented(token=town.token(person, voucher_id)))
    assert redeemed.answer.state is State.REDEEMED
    town.check_laws()


def test_given_a_draft_when_closed_then_it_is_thrown_away_and_no_money_moves(town: World) -> None:
    draft, before = town.draft(10), town.balances()

    town.act(publishing.close_template, draft)

    closed = town.template(draft.template_id)
    assert (closed.state, closed.quantity, closed.shards) == (TemplateState.CLOSED, 0, 0)
    assert town.balances() == before
    town.check_laws()


# --- cut off anywhere ----------------------------------------------------------------------------------------------

# A template of 100 shards is dealt in two transactions, then its head row says that all stand at its gate.
WIDE = {"quantity": 200, "peak_claims": 1_200}
CUTS = [
    ("deal", "before", 1),
    ("deal", "after", 1),
    ("deal", "before", 2),
    ("deal", "after", 2),
    ("change", "after", 1),
    ("change", "before", 2),
    ("change", "after", 2),
]


def cut(world: World, method: str, moment: str, call: int) -> World:
    """The same world on a machine that stops before or after this call of the templates' store."""
    when: dict[str, Callable[[int], None]] = {moment: cut_at(call)}
    return with_store(world, "templates", Watched(world.platform.templates, method, **when))


@pytest.mark.parametrize(("method", "moment", "call"), CUTS)
def test_given_a_power_cut_while_publishing_when_the_request_is_repeated_then_it_is_finished_and_paid_once(
    town: World, method: str, moment: str, call: int
) -> None:
    draft, before = town.draft(**WIDE), reserved(town)

    with pytest.raises(PowerCut):
        cut(town, method, moment, call).act(publishing.publish_template, draft, key=draft.template_id)
    half_way = town.template(draft.template_id)
    town.check_laws()  # they hold at any moment
    repeated = town.act(publishing.publish_template, draft, key=draft.template_id)

    assert half_way.state is TemplateState.PUBLISHED
    assert repeated.hit
    assert shards_left(town, draft) == [2] * 100
    assert town.template(draft.template_id).gate_reached == 1
    assert reserved(town) - before == 200 * FACE_VALUE
    town.check_laws()


def test_given_a_power_cut_while_publishing_when_people_claim_then_they_find_the_stock_on_its_way(town: World) -> None:
    draft = town.draft(**WIDE)
    with pytest.raises(PowerCut):
        cut(town, "deal", "before", 1).act(publishing.publish_template, draft)
    assert town.template(draft.template_id).shards == 0

    claimed = town.claim(a_person(), draft)

    assert claimed.answer.state is State.CLAIMED
    assert sum(shards_left(town, draft)) == 199
    town.check_laws()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_power_cut_while_suspending_when_repeated_then_every_shard_is_shut(town: World, moment: str) -> None:
    template = town.publish(60, peak_claims=36)
    town.claim(a_person(), template)

    with pytest.raises(PowerCut):
        cut(town, "set_gate", moment, 1).act(publishing.suspend_template, template, key=template.template_id)
    repeated = town.act(publishing.suspend_template, template, key=template.template_id)

    assert repeated.hit
    shards = town.platform.templates.shards(town.template(template.template_id))
    assert {shard.open for shard in shards} == {False}
    with pytest.raises(TemplateNotOpen):
        town.another_container().claim(a_person(), template)


def test_given_another_container_that_has_not_heard_of_a_suspension_when_it_claims_then_the_shards_refuse(
    town: World,
) -> None:
    template, unaware = town.publish(60, peak_claims=36), town.another_container()
    unaware.claim(a_person(), template)
    town.act(publishing.suspend_template, template)
    cached = unaware.platform.templates.get(template.template_id)
    assert cached is not None
    assert cached.state is TemplateState.PUBLISHED

    with pytest.raises(TemplateNotOpen):
        unaware.claim(a_person(), template)

    assert town.stock(template).made == 1


@pytest.mark.parametrize(
    ("method", "moment", "call"),
    [("set_gate", "before", 1), ("set_gate", "after", 1), ("release", "before", 1), ("release", "after", 2)],
)
def test_given_a_power_cut_while_closing_when_repeated_then_all_is_released_once(
    town: World, method: str, moment: str, call: int
) -> None:
    template = town.publish(60, peak_claims=36)
    town.claim(a_person(), template)

    with pytest.raises(PowerCut):
        cut(town, method, moment, call).act(publishing.close_template, template, key=template.template_id)
    town.check_laws()
    repeated = town.act(publishing.close_template, template, key=template.template_id)

    assert repeated.hit
    stock = town.stock(template)
    assert (stock.remaining, stock.released, stock.to_release_fen) == (0, 59, 59 * FACE_VALUE)
    assert town.template(template.template_id).released
    town.check_laws()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_power_cut_while_adding_when_the_template_is_closed_instead_then_the_stock_on_its_way_is_released_too(
    town: World, moment: str
) -> None:
    template = town.publish(10)

    with pytest.raises(PowerCut):
        cut(town, "deal", moment, 1).act(publishing.add_quantity, template, 5)
    town.act(publishing.close_template, template)

    stock = town.stock(template)
    assert (stock.quantity, stock.unallotted, stock.released) == (15, 0, 15)
    town.check_laws()


def test_given_claims_in_the_way_of_every_shard_write_when_suspending_then_it_is_tried_until_it_is_done(
    town: World,
) -> None:
    template = town.publish(60, peak_claims=36)

    def in_the_way(call: int) -> None:
        if call <= 3:
            raise WriteConflict

    store = Watched(town.platform.templates, "set_gate", before=in_the_way)
    done = with_store(town, "templates", store).act(publishing.suspend_template, template)

    assert (store.calls, done.hit) == (4, False)
    assert {shard.open for shard in town.platform.templates.shards(template)} == {False}


def test_given_a_closing_that_was_cut_off_when_closed_under_another_key_then_refused_and_yet_finished(
    strict_world: World,
) -> None:
    template = strict_world.publish(300, peak_claims=30)
    cut = with_store(strict_world, "templates", Watched(strict_world.platform.templates, "release", before=cut_at(1)))
    with pytest.raises(PowerCut):
        cut.act(publishing.close_template, template, key="first")
    assert strict_world.stock(template).remaining == 300

    with pytest.raises(TemplateStateRefused):
        strict_world.act(publishing.close_template, template, key="second")

    stock = strict_world.stock(template)
    assert (stock.remaining, stock.released, stock.to_release_fen) == (0, 300, 300 * FACE_VALUE)
    strict_world.check_laws()
