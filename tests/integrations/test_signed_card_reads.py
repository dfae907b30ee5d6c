"""What a terminal signs of a card: accepted in one form only, refused for a stated reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chalicelib.domain.assertion import Assertion
from chalicelib.domain.errors import CardReadNotAccepted
from chalicelib.domain.person import Profile
from chalicelib.integrations.card_reads import TYPE, SignedCardReads
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.compact_jws import sign_jws
from chalicelib.integrations.essc_platform import DemoPlatform, DemoTerminal

SEED = bytes(range(32))
TERMINAL, OTHER = DemoTerminal(SEED), DemoTerminal(bytes(range(1, 33)))
READS = SignedCardReads({"T1": TERMINAL.public_key, "T2": OTHER.public_key}.get)
CLAIMS: Mapping[str, Any] = {
    "aud": "app-1",
    "purpose": "claim",
    "sub": "TEMPLATEID234567",
    "read_at": 1625040000.123,
    "jti": "j-1",
    "card_number": "Q8314472X",
    "name": "张三丰",
    "id_type": "resident_id",
    "id_number": "11010519491231002X",
}


def why(jws: str) -> object:
    """The reason; nothing of the person or the card stands in the error."""
    with pytest.raises(CardReadNotAccepted) as refused:
        READS.read(jws)
    said = repr(refused.value) + str(refused.value.facts)
    assert not [secret for secret in ("110105", "张三丰", "Q8314472X") if secret in said]
    return refused.value.facts["reason"]


def test_a_card_read_is_read() -> None:
    read_at = datetime(2021, 6, 30, 8, 0, 0, 123000, tzinfo=UTC)

    said = READS.read(TERMINAL.sign("T1", CLAIMS))

    assert said == Assertion(
        kid="terminal:T1",
        audience="app-1",
        purpose="claim",
        subject="TEMPLATEID234567",
        name="张三丰",
        id_type="resident_id",
        id_number="11010519491231002X",
        mobile=None,
        verified_by="card",
        verified_at=read_at,
        issued_at=read_at,
        jti="j-1",
        terminal_id="T1",
        card_number="Q8314472X",
    )
    assert "Q8314472X" not in repr(said)


def test_the_demo_terminal_reads_a_card(profile: Profile, clock: FixedClock) -> None:
    jws = TERMINAL.card_read(
        "T1",
        profile,
        card_number="Q8314472X",
        app_key="app-1",
        purpose="redeem",
        subject="T",
        jti="j-2",
        now=clock.now(),
    )

    said = READS.read(jws)

    assert (said.name, said.id_number, said.issued_at) == (profile.name, profile.id_number, clock.now())


@pytest.mark.parametrize("claim", CLAIMS)
def test_given_a_claim_that_is_missing_or_of_another_kind_when_read_then_malformed(claim: str) -> None:
    wrong: tuple[Any, ...] = (None, "", 7 if claim != "read_at" else "now", [], "x" * 513, "\0")
    for said in wrong:
        assert why(TERMINAL.sign("T1", {**CLAIMS, claim: said})) == "malformed"
    assert why(TERMINAL.sign("T1", {name: said for name, said in CLAIMS.items() if name != claim})) == "malformed"


@pytest.mark.parametrize(
    ("reason", "jws"),
    [
        ("malformed", "a.b.c"),
        ("algorithm", TERMINAL.sign("T1", CLAIMS, alg="none")),
        ("malformed", TERMINAL.sign("T1", CLAIMS, typ="JWT")),
        ("malformed", TERMINAL.sign("T1", CLAIMS, typ="operator+jwt")),
        ("malformed", TERMINAL.sign("T1", CLAIMS, kid="T1")),
        ("malformed", TERMINAL.sign("T1#0", CLAIMS)),
        ("malformed", TERMINAL.sign("", CLAIMS)),
        ("unknown_key", TERMINAL.sign("T3", CLAIMS)),
        ("signature", TERMINAL.sign("T2", CLAIMS)),
        ("signature", TERMINAL.sign("T1", CLAIMS)[:-8] + "AAAAAAAA"),
        ("malformed", DemoPlatform(SEED, "T1").sign(CLAIMS)),
        ("malformed", sign_jws(Ed25519PrivateKey.from_private_bytes(SEED), {"kid": "terminal:T1"}, CLAIMS)),
    ],
)
def test_given_another_form_key_or_signature_when_read_then_the_reason_is_told(reason: str, jws: str) -> None:
    assert TYPE == "card+jwt"
    assert why(jws) == reason
