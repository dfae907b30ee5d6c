"""What docs/table.md says of rows and of the cost of steps is so on an engine."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain import voucher as voucher_rules
from chalicelib.domain.application import LineVerdict
from chalicelib.domain.attempt import attempt_of
from chalicelib.domain.budget_transfer import BudgetTransfer
from chalicelib.domain.disclosure import Disclosure
from chalicelib.domain.errors import NameDiffers, SoldOut
from chalicelib.domain.merge import Merge
from chalicelib.domain.outcomes import Mark
from chalicelib.domain.person import Profile
from chalicelib.domain.record import Record, RecordKind
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.integrations.chance import SystemChance
from chalicelib.services import (
    changing_vouchers,
    checking_in,
    making_vouchers,
    publishing,
    publishing_grants,
    showing,
    submitting_rosters,
    withdrawing_rosters,
)
from chalicelib.services.identifying import Presented
from chalicelib.storage.checkpoints import MovedClock
from tests.capacity import TABLES, Spy, tables_of
from tests.classroom import THERE, enrol, finished_class, open_class, plan, transfer, used
from tests.faults.layer import Recorded, under
from tests.paying import open_batch, with_account, work_on
from tests.rostering import carry_on, know, put_roster, receive, row_of
from tests.services.test_acting_for import claim_for
from tests.settling import REVIEWER, a_completed_class, collected, decide, with_clerks
from tests.world import World, a_person, local
from tools.reference_docs import DOCS

TEXT = (DOCS / "table.md").read_text("utf-8")


def section(heading: str) -> str:
    """A heading's text, up to the next heading of its own level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = TEXT.partition(f"\n{heading}\n")
    assert found, f"docs/table.md has no {heading}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def section_of(table: str) -> str:
    heading = re.search(rf"^## [0-9]+\. {table}$", TEXT, re.MULTILINE)
    assert heading, table
    return section(heading[0])


def cells(text: str) -> Iterator[list[str]]:
    """The rows of all tables in a text."""
    for line in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
        yield [cell.strip() for cell in line.split("|")]


# --- rows ------------------------------------------------------------------------------------------------------------


def shape(partition: str, sort: str) -> tuple[str, ...]:
    """What kind of row a key names: its fixed words, without the ids between them."""
    return tuple(part if part in _WORDS else "…" for part in f"{partition}#{sort}".split("#"))


_WORDS = {
    "IDENTITY", "PERSON", "VOUCHER", "REGION", "RULES", "PROGRAMME", "COURSE", "INSTITUTION", "CLIENT", "OPERATOR",
    "ASSERTION_KEY", "TEMPLATE", "TERMS", "SHARD", "ACCOUNT", "POSTING", "MARK", "SWEEP", "PACE", "CLOCK", "HEAD",
    "LISTED", "DISCLOSURE", "RELATION", "RECORD", "MERGE", "LISTING", "SCOPE", "AMENDMENT",
    "ROSTER", "CHUNK", "WITHDRAWN", "OF_INSTITUTION", "NAMES", "CLASS", "ENROLMENT", "ON", "EVALUATION", "WORDS",
    "RATINGS", "BUDGET_TRANSFER", "APPLICATION", "LINE", "ASKED", "WAITING_HERE", "WAITING_TODAY", "PUBLISHED",
    "OF_GIVER", "OF_RECEIVER", "BATCH", "PAYEE", "PAID_TO", "BANK_ACCOUNT",
}  # fmt: skip


def a_told_world(world: World) -> World:
    """A world in which every kind of row that we write was written."""
    p = world.platform
    p.catalogue.clients.add(replace(world.channel.client, regions=("440300", "440100")), None)
    assert world.bureau.operator is not None
    know(world, world.bureau)
    world.rules(one_at_a_time=False)
    template = world.publish(20)
    people = [a_person() for _ in range(3)]
    first, second, _ = (world.claim(person, template).answer.voucher_id for person in people)
    world.redeem(Presented(token=world.token(people[0], first)))
    world.give_back(people[1], second)
    merge = Merge("M" * 16, "P" * 26, "Q" * 26, "440300", "同一人", (), "OPERATOR", world.now)
    p.merges.propose(merge, Mark(attempt_of("APP", "test", "merge", b"{}"), None, world.now))
    transfer = BudgetTransfer(
        "B" * 16, "440000", world.account_id, "440100-2021", 1, "调剂", "OPERATOR", world.now
    )  # fmt: skip
    p.budget_transfers.propose(transfer, Mark(attempt_of("APP", "test", "transfer", b"{}"), None, world.now))
    holder = p.people.heads([world.session(people[0]).person_id])[0]
    record = Record(holder.person_id, holder.version + 1, RecordKind.FLAG_SET, "APP", "OPERATOR", "核对", world.now)
    changed = replace(holder, version=holder.version + 1)
    p.people.change([(changed, record)], Mark(attempt_of("APP", "test", "flag", b"{}"), None, world.now))
    p.disclosures.add(
        Disclosure("D" * 16, "P" * 26, "440300", "APP", "OPERATOR", "核对", world.now),
        Mark(attempt_of("APP", "test", "disclose", b"{}"), None, world.now),
    )
    world.amend(template, valid_until=date(2021, 7, 31))
    directed = world.publish(5, distribution_mode=DistributionMode.DIRECTED)
    roster, arrived = put_roster(world, directed, [row_of(a_person())], actor=world.desk)
    receive(world, arrived)
    submitting_rosters.accept_roster(p, roster.roster_id, **world.by(world.bureau))
    carry_on(world, roster.roster_id)
    withdrawing_rosters.withdraw_roster(p, roster.roster_id, "放错了", **world.by(world.bureau))
    carry_on(world, roster.roster_id)
    training = open_class(world)
    enrol(world, training, used(world, template)[1])
    finished_class(world)
    _pay(world)
    named = a_person(name="测试乙")
    world.issue(named, directed, name="测试丙")
    with pytest.raises(NameDiffers):
        world.claim(named, directed)
    world.clock.set(local("2021-06-30T16:05:00Z"))
    world.expire()
    world.enlist(people[0], "veteran")
    last = date(2021, 12, 31)
    claim_for(world, a_person(), people[0], world.publish(5, claim_until=last, valid_until=last))
    world.decide_service()
    for _ in range(6):
        p.paces.take(world.channel.app_key, 100, world.now)
    MovedClock(tables_of(world)).move(timedelta(hours=1))
    return world


def _pay(world: World) -> None:
    """An application that was published, in a payment batch."""
    before, p = world.now, world.platform
    with_clerks(world)
    world.rules(one_at_a_time=False, publicity_days=1)
    training, (voucher_id,) = a_completed_class(world, 1)
    there = collected(world, training, lines=((voucher_id, None),))
    decide(world, there, LineVerdict.APPROVE, voucher_id)
    publishing_grants.publish_grants(p, there.application_id, **world.by(REVIEWER))
    world.clock.set(world.now + timedelta(days=3))
    work_on(with_account(world), open_batch(world, there))
    world.clock.set(before)


def test_given_every_kind_of_row_when_written_then_the_document_shows_its_like_and_names_its_attributes(
    strict_world: World,
) -> None:
    told = a_told_world(strict_world)

    for table in TABLES:
        text = section_of(table)
        partition = "person" if table == "people" else "subject"
        examples = [re.fullmatch(r"`(.+)`\|`(.+)`", f"{row[1]}|{row[2]}") for row in cells(text) if len(row) > 2]
        shown = {shape(found[1], found[2]) for found in examples if found}
        written = {shape(item[partition]["S"], item["item"]["S"]) for item in told.rows(table)}

        assert written == {one for one in shown if not _WORDS.isdisjoint(one)}, table
        attributes = {name for item in told.rows(table) for name in item}
        assert attributes <= set(re.findall(r"`([^`\n]+)`", text)), table


# --- costs -----------------------------------------------------------------------------------------------------------


def steps_of(world: World) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each step of the document on a voucher of its own, in a container that has seen the catalogue before."""
    p = world.platform
    world.rules()
    template, other = world.publish(20), world.publish(20)
    known = a_person()
    for one in (template, other):
        world.claim(a_person(), one)
    voucher = world.claim(known, other).answer.voucher_id
    world.verify(Presented(token=world.token(known, voucher)))
    session, channel = world.session(known), world.channel

    def another() -> tuple[Profile, str]:
        person = a_person()
        return person, world.claim(person, template).answer.voucher_id

    def show() -> object:
        return showing.show_token(
            p.templates, p.people, p.keys, p.chance, voucher, session=session, actor=channel, now=world.now
        )

    yield "claim, person's first", lambda: world.claim(a_person(), template)
    yield "claim, known person", lambda: world.claim(known, template)
    yield "open a session", lambda: world.session(known)
    yield "wallet", lambda: showing.open_wallet(p.templates, p.people, session, 50, None, world.now)
    yield "QR code", show
    yield "history", lambda: showing.tell_history(p.people, p.keys, voucher, actor=channel, session=session)
    token, code = world.token(known, voucher), world.code(known, voucher)
    yield "verify by token", lambda: world.verify(Presented(token=token))
    yield "verify by code", lambda: world.verify(Presented(code=code))
    yield "redeem by token", lambda: world.redeem(Presented(token=token))
    yield "reverse", lambda: world.reverse(voucher)
    typed = world.code(*another())
    yield "redeem by code", lambda: world.redeem(Presented(code=typed))
    person, _ = another()
    assertion = world.assertion(person, "redeem", template.template_id, actor=world.desk)
    shown = Presented(assertion=assertion, template_id=template.template_id)
    yield "redeem by assertion", lambda: world.redeem(shown)
    _, revoked = another()
    yield "revoke", lambda: world.revoke(revoked)
    person, returned = another()
    theirs, attempt = world.session(person), attempt_of("CHANNEL", "POST", "k", b"{}")
    training = open_class(world, [plan(world.now)])
    pupil, theirs_too = used(world, template)
    yield "put one person on a class", lambda: enrol(world, training, theirs_too)
    left, joined, (_, moved) = open_class(world), open_class(world), used(world, template)
    enrol(world, left, moved)
    yield "change to another class", lambda: transfer(world, moved, left, joined)
    world.platform.catalogue.classes.get(training.class_id)
    sitting, attempt = world.session(pupil), attempt_of("CHANNEL", "POST", "in", b"{}")
    yield (
        "check in by location",
        lambda: checking_in.check_in_holder(
            p, training.class_id, None, THERE, None, session=sitting, actor=channel, attempt=attempt, now=world.now
        ),
    )
    yield (
        "give back",
        lambda: changing_vouchers.give_back(
            p.catalogue,
            p.templates,
            p.people,
            p.keys,
            returned,
            session=theirs,
            actor=channel,
            attempt=attempt,
            now=world.now,
        ),
    )
    due = [another() for _ in range(3)]
    world.clock.set(local("2021-06-30T16:05:00Z"))
    chunk = [(key[0], key[1]) for _, one in due if (key := p.keys.voucher_ids.decode(one))]
    steps = [
        (before, after) for before in p.people.vouchers(chunk) if (after := voucher_rules.expire(before, now=world.now))
    ]
    yield "expire, 3 vouchers of one shard", lambda: p.people.record_steps(steps)


def test_given_a_step_when_carried_out_then_it_costs_what_the_document_says(strict_world: World) -> None:
    rows = [row for row in cells(section("### What a step costs")) if row[1].isdigit()]
    told = {row[0]: tuple(int(cell) for cell in row[1:4]) for row in rows}
    spy = Spy(strict_world)

    measured = {name: spy.count(step) for name, step in steps_of(strict_world)}

    assert measured == told


def test_given_an_act_on_a_template_when_carried_out_then_its_transaction_has_the_documented_items(
    strict_world: World,
) -> None:
    world = strict_world
    rows = {row[0].replace("*", ""): row[2] for row in cells(section("### Steps"))}
    spy = Spy(world)
    template = world.publish(20)

    def items_of(step: Callable[[], object]) -> int:
        return spy.count(step)[1]

    assert items_of(lambda: world.draft(20)) == rows["a template is drafted"].count(",") + 1 == 3
    draft = world.draft(20)
    acts: list[tuple[str, Callable[[], object]]] = [
        ("publish", lambda: world.act(publishing.publish_template, draft)),
        ("add more", lambda: world.act(publishing.add_quantity, template, 5)),
        ("suspend, resume, close", lambda: world.act(publishing.suspend_template, template)),
        ("suspend, resume, close", lambda: world.act(publishing.resume_template, template)),
        ("suspend, resume, close", lambda: world.act(publishing.close_template, template)),
    ]
    for name, act in acts:
        assert items_of(act) == rows[name].count(",") + 1, name


# --- trips -----------------------------------------------------------------------------------------------------------


class FirstToLast(SystemChance):
    """Shards are picked in the order of their numbers."""

    def order(self, count: int) -> list[int]:
        return list(range(count))


HANDS = f"where the region allows one at a time, or `held` counts a multiple of {making_vouchers.FULL_HANDS}"
"""The row on the look at what is held."""
LAPSED = "and one of them has lapsed, and no sweep has come to it yet"


def told_of_claims() -> dict[str, int]:
    """The trips of the rows on claims; those that say + are more than a known person's."""
    text, found, _ = section("### Steps").partition("| **redeem** by token")
    assert found
    rows = {row[0].replace("*", "").strip("… "): row[3] for row in cells(text) if "claim" in row[0] or "…" in row[0]}
    known = int(rows["claim, known person"])
    return {name: int(said.strip("+ ")) + (known if "+" in said else 0) for name, said in rows.items()}


def trips_of(step: Callable[[], object]) -> list[str]:
    """What a step calls one after another, whatever it is answered."""
    recorded = Recorded()
    with under(recorded), suppress(SoldOut):
        step()
    return [call.operation for call in recorded.calls if call.attempt == 1]


def test_given_stock_that_comes_to_its_end_when_claimed_then_it_takes_the_documented_trips(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = replace(strict_world, platform=replace(strict_world.platform, chance=FirstToLast()))
    memory: Any = world.platform.templates
    monkeypatch.setattr(memory._sold_out, "_ticks", lambda: 100.0)
    world.rules()
    other, three, one = world.publish(), world.publish(3, peak_claims=36), world.publish(1)
    known = [a_person() for _ in range(7)]
    for person in known:
        world.claim(person, other)
    for template in (three, one):
        world.platform.templates.terms(template.template_id, template.terms_version)
    told = told_of_claims()

    def trips(template: Template, person: Profile | None = None) -> list[str]:
        return trips_of(lambda: world.claim(person or known.pop(), template))

    assert len(trips(three)) == told["claim, known person"]
    assert len(trips(three)) == told["where the shard tried first is empty"]
    assert len(trips(three)) == told["where the one tried second is empty too"]
    sold_out = trips(three)
    assert len(sold_out) == told["where nothing is left"]
    assert sold_out[2:4] == ["TransactWriteItems"] * 2
    assert len(trips(three)) == told["where nothing was left within the last second"]
    assert len(trips(one)) == told["claim, known person"]
    assert len(trips(one)) == told["where nothing is left"] - 1
    monkeypatch.setattr(memory._sold_out, "_ticks", lambda: 101.0)
    assert len(trips(three, a_person())) == told["claim, person's first"] + 5


def test_given_hands_that_are_full_when_claimed_then_they_are_looked_through_at_the_documented_claims(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_of_claims()
    monkeypatch.setattr(making_vouchers, "FULL_HANDS", 2)
    world, person = strict_world, a_person()
    world.rules()
    templates = [world.publish() for _ in range(5)]
    for template in templates:
        world.claim(a_person(), template)

    counted = [len(trips_of(partial(world.claim, person, template))) for template in templates]

    newcomer, known, looked = told["claim, person's first"], told["claim, known person"], told[HANDS]
    assert counted == [newcomer, known, looked, known, looked]


def test_given_one_at_a_time_when_claimed_by_one_whose_voucher_ended_then_there_is_the_documented_trip_more(
    strict_world: World,
) -> None:
    world, person = strict_world, a_person()
    world.rules(one_at_a_time=True)
    soon, later = world.publish(claim_until=date(2021, 5, 2), valid_until=date(2021, 5, 2)), world.publish()
    world.claim(person, soon)
    lapsed = a_person()
    world.claim(lapsed, soon)
    world.clock.set(local("2021-05-03T04:00:00Z"))
    world.claim(a_person(), later)

    told = told_of_claims()
    assert len(trips_of(lambda: world.claim(lapsed, later))) == told[LAPSED]
    world.expire()
    assert len(trips_of(lambda: world.claim(person, later))) == told[HANDS]
