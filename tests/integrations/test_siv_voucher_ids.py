"""Voucher ids lead back to the voucher's key, for us and for nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.integrations.alphabets import from_base32, to_base32
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.voucher_ids import SivVoucherIds

IDS = SivVoucherIds(Keyring("1", {"1": b"1" * 32}))
PERSON, TEMPLATE = "ABCDEFGHIJKLMNOPQRSTUVWXYA", "TEMPLATEID234567"


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=10, max_size=10))
def test_an_id_leads_back(person: bytes, template: bytes) -> None:
    voucher_id = IDS.encode(to_base32(person), to_base32(template))

    assert len(voucher_id) == 69
    assert IDS.decode(voucher_id) == (to_base32(person), to_base32(template))
    assert IDS.encode(to_base32(person), to_base32(template)) == voucher_id


def test_ids_of_one_person_do_not_link() -> None:
    one, other = IDS.encode(PERSON, TEMPLATE), IDS.encode(PERSON, "TEMPLATEID234566")

    # The first character is the key version, the second begins with its last bits; alike by chance: one in 32.
    assert sum(a == b for a, b in zip(one[2:], other[2:], strict=True)) < 12


@given(st.data())
def test_no_byte_may_change(data: st.DataObject) -> None:
    raw = bytearray(from_base32(IDS.encode(PERSON, TEMPLATE), 43) or b"")
    raw[data.draw(st.integers(0, 42))] ^= data.draw(st.integers(1, 255))

    assert IDS.decode(to_base32(bytes(raw))) is None


def test_every_other_spelling_is_not_ours() -> None:
    voucher_id = IDS.encode(PERSON, TEMPLATE)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    spare_bit = voucher_id[:-1] + last[last.index(voucher_id[-1]) ^ 1]

    for text in ("", "A" * 69, voucher_id.lower(), voucher_id[:-1], voucher_id + "A", voucher_id + "=", spare_bit):
        assert IDS.decode(text) is None
    assert IDS.decode("１" * 69) is None


def test_ids_survive_rotations(first: Keyring, second: Keyring, stranger: Keyring) -> None:
    given_before = SivVoucherIds(first).encode(PERSON, TEMPLATE)
    given_after = SivVoucherIds(second).encode(PERSON, TEMPLATE)

    assert given_before != given_after
    assert SivVoucherIds(second).decode(given_before) == SivVoucherIds(second).decode(given_after) == (PERSON, TEMPLATE)
    assert SivVoucherIds(first).decode(given_after) is None
    assert SivVoucherIds(stranger).decode(given_before) is None


@pytest.mark.parametrize(("person", "template"), [("P1", TEMPLATE), (PERSON, "T1"), (PERSON[:-1] + "B", TEMPLATE)])
def test_ids_of_another_form_are_refused(person: str, template: str) -> None:
    with pytest.raises(ValueError, match="26 characters") as refusal:
        IDS.encode(person, template)

    assert person not in str(refusal.value)
