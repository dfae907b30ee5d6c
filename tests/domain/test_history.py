"""The hash chain: what it proves, and what it needs a second witness for."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import history
from chalicelib.domain.history import BrokenChain, Entry

GENESIS = history.genesis("TEMPLATE-1", "PERSON-1")
STATES = ("claimed", "redeemed", "claimed", "redeemed", "revoked")
AT = datetime(2021, 6, 2, 2, 0, 0, 123_000, UTC)


def a_chain(length: int = 5, genesis: str = GENESIS) -> list[Entry]:
    chain: list[Entry] = []
    for number in range(length):
        entry = history.next_entry(
            chain,
            genesis,
            step=f"step-{number}",
            before=STATES[number - 1] if number else None,
            after=STATES[number],
            at=AT + timedelta(days=number),
            app_key="APPKEY",
            operator_id=None,
            request=f"request-{number}",
            body="body",
            facts={"reason": "扫错了", "number": number, "nothing": None},
        )
        chain.append(entry)
    return chain


def forged(entry: Entry, **changes: Any) -> Entry:
    said = {**json.loads(entry.text), **changes}
    return Entry(json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


class TestEntries:
    def test_given_a_voucher_when_its_genesis_is_asked_then_it_is_the_published_formula(self) -> None:
        expected = hashlib.sha256(b"training-voucher\0TEMPLATE-1\0PERSON-1").hexdigest()

        assert expected == GENESIS

    def test_given_two_vouchers_when_their_geneses_are_asked_then_parts_cannot_move_between_ids(self) -> None:
        assert history.genesis("T", "1P") != history.genesis("T1", "P")
        assert history.genesis("A", "B") != history.genesis("B", "A")

    def test_given_a_step_when_written_then_its_bytes_are_canonical_and_its_hash_is_theirs(self) -> None:
        entry = a_chain(1)[0]

        assert entry.text == (
            '{"at":"2021-06-02T02:00:00.123Z","body":"body","client":"APPKEY","facts":{"nothing":null,"number":0,'
            '"reason":"扫错了"},"format":1,"from":null,"number":1,"operator":null,"prev":"' + GENESIS + '",'
            '"request":"request-0","step":"step-0","to":"claimed"}'
        )
        assert entry.hash == hashlib.sha256(entry.text.encode("utf-8")).hexdigest()
        assert entry.at == AT

    def test_given_a_second_step_when_written_then_it_names_the_hash_of_the_first(self) -> None:
        first, second = a_chain(2)

        assert (second.said["number"], second.said["prev"]) == (2, first.hash)


class TestChecking:
    @pytest.mark.parametrize("length", range(6))
    def test_given_a_sound_history_when_recounted_then_its_length_is_told(self, length: int) -> None:
        assert history.check_chain(a_chain(length), GENESIS) == length

    def test_given_another_voucher_s_history_when_recounted_then_its_first_entry_is_wrong(self) -> None:
        with pytest.raises(BrokenChain) as broken:
            history.check_chain(a_chain(genesis=history.genesis("TEMPLATE-1", "PERSON-2")), GENESIS)

        assert broken.value.number == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"at": "2021-06-02T02:00:00.124Z"},
            {"client": "OTHER"},
            {"operator": "SOMEBODY"},
            {"step": "other"},
            {"request": None},
            {"body": "other"},
            {"facts": {}},
            {"format": 2},
        ],
    )
    @pytest.mark.parametrize("place", range(4))
    def test_given_an_entry_that_was_changed_when_recounted_then_the_next_one_no_longer_follows(
        self, place: int, changes: dict[str, Any]
    ) -> None:
        chain = a_chain()
        chain[place] = forged(chain[place], **changes)

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 2

    @pytest.mark.parametrize("changes", [{"number": 9}, {"prev": "0" * 64}, {"from": "issued"}])
    @pytest.mark.parametrize("place", range(5))
    def test_given_an_entry_that_does_not_join_when_recounted_then_it_is_named(
        self, place: int, changes: dict[str, Any]
    ) -> None:
        chain = a_chain()
        chain[place] = forged(chain[place], **changes)

        with pytest.raises(BrokenChain, match=f"entry {place + 1}") as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 1

    @pytest.mark.parametrize("place", range(4))
    def test_given_an_entry_that_was_removed_when_recounted_then_the_gap_is_named(self, place: int) -> None:
        chain = a_chain()
        del chain[place]

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 1

    @pytest.mark.parametrize("place", range(4))
    def test_given_two_entries_that_changed_places_when_recounted_then_the_first_of_them_is_named(
        self, place: int
    ) -> None:
        chain = a_chain()
        chain[place], chain[place + 1] = chain[place + 1], chain[place]

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 1

    @pytest.mark.parametrize("place", range(1, 6))
    def test_given_an_entry_that_was_added_when_recounted_then_it_is_found(self, place: int) -> None:
        chain = a_chain()
        chain.insert(place, chain[place - 1])

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 1

    def test_given_an_entry_of_another_history_when_it_is_put_in_its_place_then_it_is_found(self) -> None:
        chain, other = a_chain(), a_chain(genesis=history.genesis("TEMPLATE-1", "PERSON-2"))
        chain[2] = other[2]

        with pytest.raises(BrokenChain):
            history.check_chain(chain, GENESIS)

    def test_given_a_newest_entry_that_was_changed_when_recounted_then_only_its_hash_noted_elsewhere_tells(
        self,
    ) -> None:
        """A chain proves what its later links cover: the newest is covered by the version and by who noted its hash."""
        chain = a_chain()
        noted = chain[-1].hash
        chain[-1] = forged(chain[-1], facts={"reason": "其他"})

        assert history.check_chain(chain, GENESIS) == 5
        assert chain[-1].hash != noted

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", "null", '{"number":5,"prev":"","from":"redeemed"}'])
    @pytest.mark.parametrize("place", [0, 2, 4])
    def test_given_an_entry_that_cannot_be_read_when_recounted_then_it_is_named(self, place: int, text: str) -> None:
        chain = a_chain()
        chain[place] = Entry(text)

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number == place + 1

    @given(st.integers(0, 3), st.data())
    def test_given_any_letter_of_any_older_entry_when_it_is_another_then_the_chain_breaks_there(
        self, place: int, data: st.DataObject
    ) -> None:
        chain = a_chain()
        text = chain[place].text
        at = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[at]))
        chain[place] = Entry(text[:at] + letter + text[at + 1 :])

        with pytest.raises(BrokenChain) as broken:
            history.check_chain(chain, GENESIS)

        assert broken.value.number in (place + 1, place + 2)


class TestGoingOn:
    def test_given_a_history_when_entries_more_stand_in_it_then_they_are_what_was_added(self) -> None:
        chain = a_chain()

        assert history.added(chain, chain[:-1]) == tuple(chain[-1:])
        assert history.added(chain[:1], ()) == tuple(chain[:1])
        assert history.added(tuple(chain), chain[:-2]) == tuple(chain[-2:])

    def test_given_any_other_pair_when_compared_then_nothing_was_added(self) -> None:
        chain = a_chain()
        rewritten = [forged(chain[0], step="other"), *chain[1:]]

        assert history.added(chain, chain) == ()
        assert history.added(chain[:-1], chain) == ()
        assert history.added(rewritten, chain[:-1]) == ()
        assert history.added(chain[1:], chain[:-2]) == ()
        assert history.added([], []) == ()

    def test_given_an_entry_when_somebody_would_change_it_then_it_stays(self) -> None:
        entry = a_chain(1)[0]

        with pytest.raises(AttributeError):
            entry.text = "{}"  # type: ignore[misc]

        assert replace(entry) == entry
