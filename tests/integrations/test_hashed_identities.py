"""Numbers and codes find their rows by HMAC."""

import hashlib
import hmac

import pytest

from chalicelib.integrations.identities import HashedIdentities
from chalicelib.integrations.keyring import Keyring

NUMBER = "11010519491231002X"
CODE = "0123456789ABCDEFP"


def test_a_number_leads_to_one_partition(first: Keyring) -> None:
    (key,) = HashedIdentities(first, first).keys("resident_id", NUMBER)

    digest = hmac.new(first.derive("identity"), b"resident_id\0" + NUMBER.encode(), hashlib.sha256).hexdigest()
    assert key == f"IDENTITY#1#{digest}"
    assert NUMBER not in key


def test_type_and_number_both_count(first: Keyring, stranger: Keyring) -> None:
    identities = HashedIdentities(first, first)
    keys = {
        *identities.keys("resident_id", NUMBER),
        *identities.keys("resident_i", f"d{NUMBER}"),
        *identities.keys("foreign_permanent", NUMBER),
        *HashedIdentities(stranger, first).keys("resident_id", NUMBER),
    }

    assert len(keys) == 4


def test_after_a_rotation_the_old_key_is_looked_for_too(first: Keyring, second: Keyring, third: Keyring) -> None:
    before = HashedIdentities(first, first).keys("resident_id", NUMBER)
    after = HashedIdentities(second, first).keys("resident_id", NUMBER)
    later = HashedIdentities(third, first).keys("resident_id", NUMBER)

    assert [key.split("#")[1] for key in later] == ["3", "2", "1"]
    assert after[1:] == before
    assert later[1:] == after


def test_a_number_with_nul_is_refused_unseen(first: Keyring) -> None:
    with pytest.raises(ValueError, match="NUL") as refusal:
        HashedIdentities(first, first).keys("resident_id", f"{NUMBER}\0")

    assert NUMBER not in str(refusal.value)


def test_a_code_is_found_after_every_rotation(first: Keyring, third: Keyring) -> None:
    printed = HashedIdentities(first, first).code_key(CODE)

    assert HashedIdentities(third, third).code_key(CODE) == printed
    assert len(printed) == 64
    assert HashedIdentities(first, first).code_key("0000000000000001" + "2") != printed


def test_a_request_is_known_again_after_every_rotation_and_by_nobody_without_the_keys(
    first: Keyring, third: Keyring, stranger: Keyring
) -> None:
    veiled = HashedIdentities(first, first).veil(NUMBER.encode())

    assert HashedIdentities(third, third).veil(NUMBER.encode()) == veiled
    assert HashedIdentities(first, stranger).veil(NUMBER.encode()) != veiled
    assert veiled != HashedIdentities(first, first).code_key(NUMBER)
    assert veiled != hashlib.sha256(NUMBER.encode()).hexdigest()
