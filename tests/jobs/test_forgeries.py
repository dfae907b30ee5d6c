"""The watch over the stream: lawful steps pass in silence; whoever writes past our steps is reported."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain import history
from chalicelib.domain.history import Entry
from chalicelib.domain.voucher import State, Voucher
from chalicelib.jobs import watching as job
from chalicelib.services.identifying import Presented
from chalicelib.storage.rows import to_body
from tests.jobs.conftest import Reports
from tests.world import World, a_person

EVENT = Path(__file__).resolve().parents[2] / "events" / "follow_people.steps.json"
Image = dict[str, Any]


@dataclass
class Life:
    """A voucher's rows as they stood after each of its steps."""

    voucher_id: str
    images: list[Image]
    vouchers: list[Voucher]


@pytest.fixture
def life(wired: World) -> Life:
    """claimed, redeemed, reversed, redeemed again, revoked."""
    template, person = wired.publish(), a_person()
    voucher_id = wired.claim(person, template).answer.voucher_id

    def row() -> Image:
        found = [row for row in wired.rows("people") if row["item"]["S"].startswith("1#VOUCHER#")]
        assert len(found) == 1
        return found[0]

    images, vouchers = [row()], [wired.voucher(voucher_id)]
    steps: list[Callable[[], object]] = [
        lambda: wired.redeem(Presented(token=wired.token(person, voucher_id))),
        lambda: wired.reverse(voucher_id),
        lambda: wired.redeem(Presented(code=wired.code(person, voucher_id))),
        lambda: wired.revoke(voucher_id),
    ]
    for step in steps:
        step()
        images.append(row())
        vouchers.append(wired.voucher(voucher_id))
    return Life(voucher_id, images, vouchers)


def a_record(before: Image | None, after: Image | None, number: int = 1) -> dict[str, Any]:
    """A stream record with these images, after the example in ``events/``."""
    record: dict[str, Any] = json.loads(EVENT.read_text(encoding="utf-8"))["Records"][0]
    images = {"OldImage": before, "NewImage": after}
    kept = {name: image for name, image in images.items() if image is not None}
    change = {name: said for name, said in record["dynamodb"].items() if name not in images}
    name = "MODIFY" if len(kept) == 2 else "INSERT" if after else "REMOVE"
    row = after or before or {}
    change |= {"Keys": {key: row[key] for key in ("person", "item")}, "SequenceNumber": f"{number:024}"}
    return {**record, "eventName": name, "dynamodb": {**change, **kept}}


def deliver(*records: dict[str, Any]) -> dict[str, Any]:
    return job.run({"Records": list(records)})


def written(image: Image, voucher: Voucher) -> Image:
    """The row with another voucher in it, as somebody at a console would write it."""
    return {**image, "version": {"N": str(voucher.version)}, "body": {"S": to_body(voucher)}}


def with_entry(voucher: Voucher, *, to: State, told: Sequence[Entry] | None = None, **changes: Any) -> Voucher:
    """The voucher with one more entry, chained to what it is told, in the state that the entry says or another."""
    entry = history.next_entry(
        voucher.history if told is None else told,
        changes.pop("genesis", history.genesis(voucher.template_id, voucher.person_id)),
        step="by_hand",
        before=voucher.state,
        after=to,
        at=voucher.changed_at,
        app_key=None,
        operator_id=None,
        request=None,
        body=None,
        facts={},
    )
    moved = replace(voucher, state=to, version=voucher.version + 1, history=(*voucher.history, entry))
    return replace(moved, **changes)


def faults(reports: Reports) -> list[str]:
    """The outcomes that were reported as failures."""
    return [line["outcome"] for line in reports.lines if line["failed"]]


def test_given_every_lawful_step_when_delivered_twice_then_all_pass_in_silence(life: Life, reports: Reports) -> None:
    befores: list[Image | None] = [None, *life.images[:-1]]
    steps = [a_record(before, after) for before, after in zip(befores, life.images, strict=True)]

    answers = [deliver(*steps) for _ in range(2)]

    assert answers == [{"batchItemFailures": []}] * 2
    said = {"message": "follow_people", "failed": False, "outcome": "ok", "watched": 5, "faults": 0}
    assert reports.lines == [said, said]
    assert reports.counts == []


def test_given_rows_of_another_kind_when_delivered_then_they_are_not_watched(
    wired: World, life: Life, reports: Reports
) -> None:
    others = [row for row in wired.rows("people") if not row["item"]["S"].startswith("1#VOUCHER#")]
    assert {row["item"]["S"] for row in others} == {"0#PERSON", "0#IDENTITY"}

    deliver(*[a_record(None, row) for row in others], *[a_record(row, row) for row in others])

    assert [(line["outcome"], line["watched"]) for line in reports.lines] == [("ok", 0)]


def test_given_a_deleted_row_of_any_kind_when_delivered_then_it_is_reported(
    wired: World, life: Life, reports: Reports
) -> None:
    others = [row for row in wired.rows("people") if not row["item"]["S"].startswith("1#VOUCHER#")]

    deliver(*[a_record(row, None) for row in others])

    faults = [(line["outcome"], line["item"]) for line in reports.lines[:-1]]
    assert sorted(faults) == [("deleted", "0#IDENTITY"), ("deleted", "0#PERSON")]
    assert reports.counts.count(("follow_people", "unlawful_change")) == 2


def test_given_a_deleted_voucher_when_delivered_then_it_is_reported_with_its_id_and_nothing_else(
    life: Life, reports: Reports
) -> None:
    deliver(a_record(life.images[1], None))

    assert reports.lines[0] == {
        "message": "follow_people",
        "failed": True,
        "outcome": "deleted",
        "item": life.images[1]["item"]["S"],
        "voucher_id": life.voucher_id,
    }
    assert reports.lines[1]["faults"] == 1
    assert reports.counts == [("follow_people", "deleted"), ("follow_people", "unlawful_change")]


Forgery = Callable[[Voucher, Voucher], Voucher]
_other_genesis = history.genesis("ANOTHER-TEMPLATE", "ANOTHER-PERSON")
FORGERIES: list[tuple[str, str, Forgery]] = [
    ("the state without an entry", "rewritten", lambda was, _: replace(was, state=State.REDEEMED)),
    ("the amount without an entry", "rewritten", lambda was, _: replace(was, ceiling_fen=900_000)),
    ("the version without an entry", "rewritten", lambda was, _: replace(was, version=was.version + 1)),
    ("an entry without the version", "rewritten", lambda was, now: replace(now, version=was.version)),
    ("the only entry replaced", "rewritten", lambda was, now: replace(now, history=now.history[1:])),
    (
        "an earlier entry reworded",
        "rewritten",
        lambda _, now: replace(
            now, history=(Entry(now.history[0].text.replace('"entrance":"card"', '"entrance":"ad"')), *now.history[1:])
        ),
    ),
    (
        "two steps at once",
        "rewritten",
        lambda was, now: with_entry(with_entry(was, to=State.REDEEMED), to=State.CLAIMED),
    ),
    (
        "an entry that follows nothing",
        "broken_chain",
        lambda was, _: with_entry(was, to=State.REVOKED, told=()),
    ),
    (
        "an entry that follows another voucher",
        "broken_chain",
        lambda was, _: with_entry(was, to=State.REVOKED, told=(), genesis=_other_genesis),
    ),
    (
        "an entry that is no JSON",
        "broken_chain",
        lambda was, now: replace(now, history=(*was.history, Entry("redeemed, says the clerk"))),
    ),
    ("a step that nobody takes", "impossible_step", lambda was, _: with_entry(was, to=State.WRITTEN_OFF)),
    ("claimed to claimed", "impossible_step", lambda was, _: with_entry(was, to=State.CLAIMED)),
    (
        "another state than the entry says",
        "impossible_step",
        lambda was, _: with_entry(was, to=State.REDEEMED, state=State.REVOKED),
    ),
]


@pytest.mark.parametrize(("fault", "forge"), [case[1:] for case in FORGERIES], ids=[case[0] for case in FORGERIES])
def test_given_a_claimed_voucher_when_somebody_writes_past_our_steps_then_it_is_found_out(
    life: Life, reports: Reports, fault: str, forge: Forgery
) -> None:
    forged = forge(life.vouchers[0], life.vouchers[1])

    answer = deliver(a_record(life.images[0], written(life.images[0], forged)))

    assert faults(reports) == [fault]
    assert reports.counts == [("follow_people", fault), ("follow_people", "unlawful_change")]
    assert answer == {"batchItemFailures": []}  # it is told, not tried again


@pytest.mark.parametrize("after", [State.CLAIMED, State.REDEEMED, State.REVOKED])
def test_given_a_voucher_that_ended_when_somebody_wakes_it_then_it_is_found_out(
    life: Life, reports: Reports, after: State
) -> None:
    woken = with_entry(life.vouchers[-1], to=after)

    deliver(a_record(life.images[-1], written(life.images[-1], woken)))

    assert faults(reports) == ["impossible_step"]


def test_given_a_row_that_begins_in_the_middle_of_its_life_when_delivered_then_it_is_found_out(
    life: Life, reports: Reports
) -> None:
    born_redeemed = with_entry(replace(life.vouchers[0], history=(), version=0), to=State.REDEEMED)

    deliver(
        a_record(None, life.images[1]),
        a_record(None, written(life.images[0], born_redeemed)),
    )

    assert faults(reports) == ["rewritten", "broken_chain"]


def test_given_one_unlawful_change_among_lawful_ones_when_delivered_then_all_are_looked_at(
    life: Life, reports: Reports
) -> None:
    deliver(
        a_record(None, life.images[0]),
        a_record(life.images[0], None),
        a_record(life.images[0], life.images[1]),
        a_record(life.images[1], life.images[1]),
    )

    assert faults(reports) == ["deleted", "rewritten"]
    assert (reports.lines[-1]["watched"], reports.lines[-1]["faults"]) == (4, 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: {**image, "body": {"S": "{"}},
        lambda image: {**image, "body": {"S": "{}"}},
        lambda image: {name: said for name, said in image.items() if name != "body"},
    ],
    ids=["no JSON", "no voucher", "no body"],
)
def test_given_a_row_that_cannot_be_read_when_delivered_then_it_and_all_after_it_are_handed_back(
    life: Life, reports: Reports, spoil: Callable[[Image], Image]
) -> None:
    answer = deliver(
        a_record(None, life.images[0], 1),
        a_record(life.images[0], spoil(life.images[1]), 2),
        a_record(life.images[1], None, 3),
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{2:024}"}]}
    assert faults(reports) == ["unreadable"]
    assert reports.counts == [("follow_people", "unreadable")]


def test_given_an_unlawful_change_when_it_is_counted_then_the_metric_has_the_alarms_name_and_no_personal_data(
    wired: World, life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(a_record(life.images[1], None))

    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "unlawful_change" in line]
    assert len(metrics) == 1
    assert metrics[0]["unlawful_change"] == [1.0]
    assert metrics[0]["operation"] == "follow_people"
    assert "测" not in json.dumps(metrics, ensure_ascii=False)
    assert life.voucher_id not in json.dumps(metrics)
