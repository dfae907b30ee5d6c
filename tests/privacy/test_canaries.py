"""People go through every operation, error and event; nothing that comes out says who they are."""

import json
import re

import pytest

from chalicelib.api import refusals
from chalicelib.api.answers import OPERATIONS
from chalicelib.domain.attempt import attempt_of
from chalicelib.domain.errors import DomainError, every_error
from chalicelib.domain.identifiers import mask_name, mask_number
from tests.eligibility import HOST, URL, sample_server
from tests.privacy.canaries import leaks, secrets_of
from tests.privacy.conftest import CANARY, OPERATOR_NAME, OTHER, PEOPLE, SEEN, TABLES, TWIN, TYPED, Day
from tests.privacy.overhearing import CHANNELS
from tests.privacy.refusals import CARD_NUMBER

SECRET_FIELDS = ("code", "token", "session", "secret")
PEOPLES = secrets_of(*PEOPLE) | {"an operator's name": OPERATOR_NAME, "a card's number": CARD_NUMBER}
CODES = {
    kind.code
    for kind in (*every_error(), *vars(refusals).values())
    if isinstance(kind, type) and issubclass(kind, DomainError) and kind is not DomainError
}
IN_RESULT_FILES = {"payee_not_found", "amount_differs"}
"""Told in the result of the bank's list only: tests/services/test_paying.py."""
NOT_REACHED = {
    "refused",  # the base of all 409, never answered
    "bad_request",  # what Chalice could not take apart; it takes everything that a gateway hands over
}


@pytest.fixture(scope="module")
def channels(day: Day) -> dict[str, str]:
    return day.heard.channels()


@pytest.fixture(scope="module")
def handed_out(day: Day) -> set[tuple[str, str]]:
    """Fields of answers that are secrets, and what they said; a region's code is none."""
    answers = [one.said for one in day.heard.exchanges if one.good and not one.is_the_document]
    return {(field, one[field]) for one in answers for field in SECRET_FIELDS if len(one.get(field) or "") > 6}


class TestWhoWentWhere:
    def test_given_the_day_when_its_log_is_read_then_every_operation_did_what_it_is_for(self, day: Day) -> None:
        done = {line["operation"] for line in day.heard.log_lines() if line["message"] == "ok"}

        assert {one.label for one in OPERATIONS} <= done

    def test_given_the_day_when_its_refusals_are_counted_then_every_code_but_two_was_told(self, day: Day) -> None:
        told = {one.said.get("code") for one in day.heard.exchanges if not one.good}
        # Of a list each has its own refusal, beside the answer to the whole.
        good = [one.said for one in day.heard.exchanges if one.good and isinstance(one.said, dict)]
        told |= {row.get("code") for said in good for row in (*said.get("results", ()), *said.get("items", ()))}

        assert CODES - told == NOT_REACHED | IN_RESULT_FILES

    def test_given_the_night_when_its_log_is_read_then_every_event_was_worked_on(self, day: Day) -> None:
        told = {(line["message"], line.get("outcome")) for line in day.heard.log_lines()}

        assert {("expire", "finished"), ("expire", "handed_on"), ("count_offers", "finished")} <= told
        assert {("settle_money", "unknown"), ("remind", "finished"), ("release", "finished")} <= told
        assert {("follow_people", outcome) for outcome in ("ok", "unreadable", "rewritten")} <= told

    def test_given_the_day_when_each_channel_is_looked_at_then_there_was_something_to_search(
        self, day: Day, channels: dict[str, str]
    ) -> None:
        ours = [one for one in day.heard.exchanges if one.said.get("request_id") or one.good]

        assert tuple(channels) == CHANNELS
        assert all(channels.values())
        assert len(day.heard.log_lines()) >= len(ours) > 1_000
        assert len(day.heard.metrics()) >= len(ours)
        assert all(f'"name": "## {one.name}"' in channels["traces"] for one in OPERATIONS)
        assert '"operation": "TransactWriteItems"' in channels["traces"]
        assert all(day.world.rows(table) for table in TABLES)

    def test_given_the_day_when_its_calls_are_looked_at_then_dynamodb_and_the_region_s_service_alone_were_called(
        self, day: Day
    ) -> None:
        asked_at = URL.replace(HOST, f"{HOST}:443")
        # An object's key would be among the urls already; once one is written, what it says has to be searched as well.
        assert len(day.heard.calls) > 1_000
        others = [one for one in day.heard.calls if one.service != "dynamodb"]
        assert {(one.method, one.url, one.authorization) for one in others} == {("POST", asked_at, "")}
        assert sample_server().asked  # and there they all arrived


class TestWhatIsNotSaid:
    @pytest.mark.parametrize("channel", CHANNELS)
    def test_given_the_day_when_a_channel_is_searched_then_nobody_is_in_it(
        self, channels: dict[str, str], channel: str
    ) -> None:
        assert leaks(channels[channel], PEOPLES) == []

    @pytest.mark.parametrize("channel", [one for one in CHANNELS if one not in ("answers", "rows")])
    def test_given_a_name_typed_into_free_texts_when_searched_then_it_is_only_where_those_are_kept(
        self, channels: dict[str, str], channel: str
    ) -> None:
        assert leaks(channels[channel], {"a typed name": TYPED}) == []
        assert leaks(channels["rows"], {"a typed name": TYPED})

    @pytest.mark.parametrize("channel", [one for one in CHANNELS if one != "answers"])
    def test_given_codes_tokens_sessions_and_secrets_of_the_day_when_searched_then_they_went_to_the_asker_alone(
        self, handed_out: set[tuple[str, str]], channels: dict[str, str], channel: str
    ) -> None:
        spelled = {form for _, secret in handed_out for form in (secret, secret.replace("-", ""))}

        assert {field for field, _ in handed_out} == set(SECRET_FIELDS)
        assert not [secret for secret in spelled if secret in channels[channel]]

    @pytest.mark.parametrize("channel", CHANNELS)
    def test_given_the_idempotency_keys_of_the_day_when_searched_then_none_is_kept_or_told(
        self, day: Day, channels: dict[str, str], channel: str
    ) -> None:
        keys = {one.key for one in day.heard.exchanges if len(one.key) > 8}

        assert any(CANARY.id_number in key for key in keys)
        assert not [key for key in keys if key in channels[channel]]

    def test_given_an_idempotency_key_made_of_a_number_when_rows_are_read_then_it_cannot_be_found_by_trying(
        self, day: Day, channels: dict[str, str]
    ) -> None:
        keyed = [one for one in day.heard.exchanges if one.good and CANARY.id_number.lower() in one.key.lower()]
        bare = {attempt_of(one.sent["X-App-Key"], f"{one.method} {one.target}", one.key, b"").request for one in keyed}

        assert len(bare) > 10
        assert not [digest for digest in bare if digest in channels["rows"] + channels["keys"]]

    def test_given_the_day_when_metrics_are_read_then_they_know_operations_and_outcomes_only(self, day: Day) -> None:
        operations = {one.label for one in OPERATIONS} | {
            "gateway",
            "expire",
            "amend_vouchers",
            "count_offers",
            "release",
            "import_rosters",
            "receive_roster",
            "settle_money",
            "remind",
            "follow_people",
        }

        for metric in day.heard.metrics():
            (told,) = metric["_aws"]["CloudWatchMetrics"]
            assert told["Dimensions"] == [["service", "operation"]]
            assert metric["operation"] in operations
            assert all(re.fullmatch("[a-z_]+", one["Name"]) for one in told["Metrics"])


class TestWhatIsSaid:
    def test_given_the_day_when_its_answers_are_read_then_people_are_masked(self, channels: dict[str, str]) -> None:
        for person in (CANARY, OTHER):
            assert f'"holder":"{mask_name(person.name)}"' in channels["answers"]
            assert mask_number(person.id_number) in channels["rows"]
        assert mask_name(OPERATOR_NAME) in channels["answers"]

    def test_given_a_person_of_the_day_when_their_row_is_unsealed_then_all_of_it_is_there(self, day: Day) -> None:
        heads = [json.loads(row["body"]["S"]) for row in day.world.rows("people") if row["item"]["S"] == "0#PERSON"]
        sealer = day.world.platform.keys.sealer

        found = [sealer.unseal_profile(one["sealed_profile"], one["person_id"]) for one in heads]

        numbers = {one.id_number for one in found}
        unchanged = [
            one for one in found if one.id_number not in (SEEN.id_number, TWIN.id_number)
        ]  # corrected on the road
        assert numbers == {one.id_number for one in (*PEOPLE, SEEN, TWIN)}
        assert sorted(unchanged, key=lambda one: one.id_number) == sorted(PEOPLE, key=lambda one: one.id_number)

    def test_given_a_canary_disclosed_when_everything_is_searched_then_one_answer_told_it_and_one_line_names_ids_alone(
        self, day: Day
    ) -> None:
        told = [one for one in day.heard.exchanges if one.is_a_disclosure and one.good]
        (of_canary,) = [one for one in told if one.said["id_number"] == CANARY.id_number]
        answer = of_canary.said
        lines = [line for line in day.heard.log_lines() if line["message"] == "disclosure"]
        (line,) = [line for line in lines if line["disclosure_id"] == answer["disclosure_id"]]

        assert (answer["name"], answer["mobile"]) == (CANARY.name, CANARY.mobile)
        assert len(lines) == len(told)
        assert (line["person_id"], line["operator"]) == (answer["person_id"], answer["operator_id"])
        assert not {"name", "id_number", "mobile", "reason"} & line.keys()
        kept = [row for row in day.world.rows("casework") if answer["disclosure_id"] in json.dumps(row)]
        assert {row["subject"]["S"].partition("#")[0] for row in kept} == {"DISCLOSURE", "MARK"}
        assert leaks(json.dumps(kept, ensure_ascii=False), PEOPLES) == []
