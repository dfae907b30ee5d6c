"""Settlement outside, claw-back, publicity and what a withdrawal leaves open, through the handler."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.access import Duty, Operator
from chalicelib.domain.application import LineVerdict
from chalicelib.integrations.essc_platform import OperatorKey
from tests.api.test_road_over_http import Caller, Callers, calling
from tests.engines import Engine
from tests.settling import a_completed_class, collected, decide, with_clerks
from tests.world import CITY, FACE_VALUE, INSTITUTION_ID


@pytest.fixture
def callers(engines: dict[str, Engine]) -> Iterator[Callers]:
    with calling(engines) as them:
        with_clerks(them[0])
        yield them
        them[0].check_laws(them[0].vouchers())


def charged(bureau: Caller, duty: Duty) -> Caller:
    """The bureau by another of its operators, who has this duty alone."""
    name = f"OP-{duty.value.upper()}"
    key = OperatorKey(name.encode().ljust(32, b"-"))
    operator = Operator(name, "经*", key.public_key, "000000", None, bureau.world.now, duties=(duty,))
    bureau.world.platform.catalogue.operators.add(operator, None)
    return replace(bureau, operator_id=name, key=key)


def result(voucher_id: str, **told: Any) -> dict[str, Any]:
    return {"voucher_id": voucher_id, "outcome": "paid", "settled_on": "2021-05-01", **told}


def test_given_a_region_that_settles_elsewhere_when_results_are_told_then_they_count_once_and_come_back_by_claw_back(
    callers: Callers,
) -> None:
    world, bureau, channel, desk = callers
    world.rules(external_settlement=True)
    training, ids = a_completed_class(world, 2)
    there = collected(world, training)
    path = f"/v1/applications/{there.application_id}"
    told = {
        "results": [
            result(ids[0], fen=FACE_VALUE, reference="PZ-1"),
            result(ids[1], outcome="returned", reason="材料不全"),
            result("A" * 40, fen=1, reference="PZ-2"),
        ]
    }

    first = bureau.post(f"{path}/settlements", told, key="results-of-may")
    again = bureau.post(f"{path}/settlements", told, key="results-of-may")

    assert first == again
    assert (first["state"], first["paid_fen"]) == ("settled", FACE_VALUE)
    assert [(one["state"], one["code"]) for one in first["results"]] == [
        ("paid", None), ("returned", None), (None, "line_not_found"),
    ]  # fmt: skip
    lines = bureau.get(f"{path}/lines")["items"]
    assert {one["outside"]["outcome"] for one in lines} == {"paid", "returned"}
    assert bureau.get(f"{path}/lines-file")["url"]
    desk.post(f"{path}/settlements", told, status=403)
    channel.post(f"{path}/settlements", told, status=403)
    bureau.post(f"{path}/settlements", {"results": [result(ids[0]) for _ in range(21)]}, status=400)

    # Whoever told of the payment does not claim it back, nor does a clerk.
    finance = charged(bureau, Duty.FINANCE)
    ask = {"fen": 500, "reason": "虚假培训"}
    bureau.post(f"/v1/vouchers/{ids[0]}/claw-back", ask, status=403)
    back = finance.post(f"/v1/vouchers/{ids[0]}/claw-back", ask, key="back")
    assert (back["step"], back) == ("claw_back", finance.post(f"/v1/vouchers/{ids[0]}/claw-back", ask, key="back"))
    refused = finance.post(f"/v1/vouchers/{ids[0]}/claw-back", {"fen": FACE_VALUE, "reason": "虚假培训"}, status=409)
    assert (refused["code"], refused["facts"]["left_fen"]) == ("nothing_to_recover", FACE_VALUE - 500)


def test_given_a_region_that_publishes_when_granted_then_everybody_sees_it_masked_and_an_objection_is_heard(
    callers: Callers,
) -> None:
    world, bureau, channel, desk = callers
    world.rules(publicity_days=5)
    training, ids = a_completed_class(world, 2)
    there = collected(world, training)
    decide(world, there, LineVerdict.APPROVE, *ids)
    path, reviewer = f"/v1/applications/{there.application_id}", charged(bureau, Duty.REVIEWER)

    bureau.post(f"{path}/publicity", status=403)
    published = reviewer.post(f"{path}/publicity")
    assert published["publicity"]["until"] == "2021-05-06"
    page = channel.get(f"/v1/publicity?region={CITY}&limit=1")
    assert [(one["fen"], one["until"], "*" in one["masked_name"]) for one in page["items"]] == [
        (FACE_VALUE, "2021-05-06", True)
    ]
    assert "voucher_id" not in page["items"][0]
    rest = channel.get(f"/v1/publicity?region={CITY}&limit=50&cursor={page['next_cursor']}")
    assert len(rest["items"]) == 1
    assert channel.get(f"/v1/publicity?region={CITY}&cursor=~x", status=400)["code"] == "invalid_request"

    entered = bureau.post(f"{path}/objections", {"voucher_id": ids[0], "text": "本人未参加培训"})
    assert [(one["number"], one["upheld"]) for one in entered["objections"]] == [(1, None)]
    upheld = reviewer.post(f"{path}/objections/1/resolution", {"upheld": True, "text": "经核查属实"})
    assert (upheld["objections"][0]["upheld"], upheld["approved_fen"]) == (True, FACE_VALUE)
    for number in ("1", "2", "x"):
        status = 409 if number == "1" else 404
        reviewer.post(f"{path}/objections/{number}/resolution", {"upheld": False, "text": "不属实"}, status=status)
    desk.post(f"{path}/objections", {"voucher_id": ids[1], "text": "本人未参加培训"}, status=403)


def test_given_an_institution_with_open_business_when_withdrawn_then_what_is_affected_is_listed(
    callers: Callers,
) -> None:
    world, bureau, _, desk = callers
    training, ids = a_completed_class(world, 1)
    there = collected(world, training)
    path = f"/v1/institutions/{INSTITUTION_ID}"

    bureau.post(f"{path}/withdraw", {"reason": "停止办学"})

    for caller in (bureau, desk):
        found = caller.get(f"{path}/affected")
        assert [one["application_id"] for one in found["applications"]] == [there.application_id]
        assert caller.get(f"{path}/affected?kind=classes")["classes"] == []
    refused = charged(bureau, Duty.REVIEWER).post(
        f"/v1/applications/{there.application_id}/decisions",
        {"verdict": "approve", "voucher_ids": ids},
        status=409,
    )
    assert refused["code"] == "institution_not_admitted"
