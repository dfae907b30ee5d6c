"""docs/vectors: what others build against is what this code makes and reads.

``python -m tests.integrations.test_published_vectors`` writes the files anew; when they change, the format has.
"""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.calendar import from_text, to_text
from chalicelib.domain.errors import AssertionNotAccepted, OperatorNotAccepted, TokenNotAccepted
from chalicelib.domain.person import CountKey, Profile
from chalicelib.domain.voucher import State, Voucher
from chalicelib.integrations.assertions import SignedAssertions
from chalicelib.integrations.essc_platform import DemoPlatform, OperatorKey
from chalicelib.integrations.keyring import read_keyring
from chalicelib.integrations.operator_signatures import JwsOperatorSignatures, body_hash
from chalicelib.integrations.tokens import SignedTokens, check_offline

VECTORS = Path(__file__).parents[2] / "docs" / "vectors"
WARNING = "All keys here are published: never register or use them. The person is invented."
AT = from_text("2021-06-30T08:00:00.123Z")
SEED = bytes(range(32))


def _spoilt(text: str, place: int) -> str:
    """The same text with one character changed, so that it is still well formed."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def assertion_vector() -> dict[str, Any]:
    platform = DemoPlatform(SEED, "vector-1")
    person = Profile("张三丰", "resident_id", "11010519491231002X", "13800000000")
    text = platform.assertion(
        person,
        app_key="APPKEY2345672345",
        purpose="claim",
        subject="TEMPLATEID234567",
        jti="00000000-0000-4000-8000-000000000001",
        now=AT,
        verified_at=AT - timedelta(seconds=10),
    )
    head, body, signature = text.split(".")
    return {
        "about": f"Identity assertion of the e-SSC platform. {WARNING}",
        "private_key_hex": SEED.hex(),
        "public_key": platform.public_key,
        "kid": platform.kid,
        "assertion": text,
        "says": {"issued_at": to_text(AT), "audience": "APPKEY2345672345", "subject": "TEMPLATEID234567"},
        "refused": {
            "malformed": [f"{head}.{body}", f"{text}="],
            "algorithm": [f"eyJhbGciOiJub25lIiwia2lkIjoidmVjdG9yLTEifQ.{body}."],
            "unknown_key": [DemoPlatform(SEED, "vector-2").sign({})],
            "signature": [f"{head}.{_spoilt(body, 20)}.{signature}", f"{head}.{body}.{_spoilt(signature, 0)}"],
        },
    }


def operator_vector() -> dict[str, Any]:
    key = OperatorKey(SEED)
    request = {"app_key": "APPKEY2345672345", "method": "POST", "path": "/v1/templates/TEMPLATEID234567/suspension"}
    body = '{"reason":"台风"}'
    idempotency_key = "suspend-2021-06-30"
    text = key.sign(
        "OPERATORID234567", request["app_key"], request["method"], request["path"], body.encode(), idempotency_key, AT
    )
    return {
        "about": f"An operator's signature over one request (X-Operator). {WARNING}",
        "private_key_hex": SEED.hex(),
        "public_key": key.public_key,
        "operator_id": "OPERATORID234567",
        "request": {
            **request,
            "body": body,
            "body_sha256": body_hash(body.encode()),
            "idempotency_key": idempotency_key,
            "at": to_text(AT),
        },
        "signature": text,
        "refused": {
            "signature": {"signature": _spoilt(text, len(text) - 80)},
            "audience": {"app_key": "APPKEY2345672346"},
            "request": {"body": '{"reason":"台风" }'},
            "expired": {"at": to_text(AT + timedelta(milliseconds=300_001))},
            "future": {"at": to_text(AT - timedelta(milliseconds=300_001))},
        },
    }


def token_vector() -> dict[str, Any]:
    secret = json.dumps({"current": "1", "1": "published-material-never-to-be-used-1"})
    tokens = SignedTokens(read_keyring(secret))
    shown = Voucher(
        person_id="ABCDEFGHIJKLMNOPQRSTUVWXYA",
        template_id="TEMPLATEID234567",
        voucher_id="",
        region="440100",
        shard=0,
        terms_version=1,
        state=State.CLAIMED,
        version=1,
        ceiling_fen=0,
        valid_from=date(2021, 6, 1),
        valid_until=date(2021, 12, 31),
        counted_as=CountKey("440100", 2021, "skills"),
        masked_name="",
        sealed_code="",
        code_key="",
        made_at=AT,
        changed_at=AT,
    )
    text = tokens.issue(shown, bytes(range(12)), AT)
    return {
        "about": f"QR token; whoever has the public keys can check it without a network. {WARNING}",
        "platform_keys": secret,
        "public_keys": dict(tokens.public_keys()),
        "token": text,
        "anybody_reads": {"kid": 1, "issued_at": to_text(AT), "nonce": bytes(range(12)).hex()},
        "platform_reads": {"person": shown.person_id, "template": shown.template_id, "voucher_version": shown.version},
        "refused": {
            "malformed": [text.lower(), text[:-1]],
            "unknown_key": [_spoilt(text, 2)],
            "signature": [_spoilt(text, 10), _spoilt(text, 60), _spoilt(text, 150)],
        },
    }


MADE = {"assertion": assertion_vector, "operator_signature": operator_vector, "qr_token": token_vector}


@pytest.mark.parametrize("name", MADE)
def test_the_published_file_is_what_this_code_makes(name: str) -> None:
    assert json.loads((VECTORS / f"{name}.json").read_text()) == MADE[name]()


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def test_the_published_assertion_is_read_and_its_spoilt_forms_are_refused() -> None:
    vector = published("assertion")
    assertions = SignedAssertions({vector["kid"]: vector["public_key"]}.get)

    said = assertions.read(vector["assertion"])

    assert vector["says"] == {
        "issued_at": to_text(said.issued_at),
        "audience": said.audience,
        "subject": said.subject,
    }
    for reason, texts in vector["refused"].items():
        for text in texts:
            with pytest.raises(AssertionNotAccepted) as refusal:
                assertions.read(text)
            assert refusal.value.facts["reason"] == reason


def test_the_published_operators_signature_is_good_for_its_request_only() -> None:
    vector = published("operator_signature")
    signatures = JwsOperatorSignatures()
    good = {**vector["request"], "signature": vector["signature"]}

    def check(said: dict[str, Any]) -> None:
        signatures.check(
            said["signature"],
            vector["public_key"],
            app_key=said["app_key"],
            method=said["method"],
            path=said["path"],
            body=said["body"].encode(),
            key=said["idempotency_key"],
            now=from_text(said["at"]),
        )

    assert signatures.signer(vector["signature"]) == vector["operator_id"]
    check(good)
    for reason, change in vector["refused"].items():
        with pytest.raises(OperatorNotAccepted) as refusal:
            check({**good, **change})
        assert refusal.value.facts["reason"] == reason


def test_the_published_token_is_read_by_us_and_checked_by_anybody() -> None:
    vector = published("qr_token")
    tokens = SignedTokens(read_keyring(vector["platform_keys"]))

    shown = check_offline(vector["token"], vector["public_keys"])
    read = tokens.read(vector["token"])

    clear = {"kid": shown.kid, "issued_at": to_text(shown.issued_at), "nonce": shown.nonce}
    assert clear == vector["anybody_reads"]
    sealed = {"person": read.person_id, "template": read.template_id, "voucher_version": read.voucher_version}
    assert sealed == vector["platform_reads"]
    for reason, texts in vector["refused"].items():
        for text in texts:
            with pytest.raises(TokenNotAccepted) as refusal:
                check_offline(text, vector["public_keys"])
            assert refusal.value.facts["reason"] == reason


if __name__ == "__main__":
    for name, make in MADE.items():
        (VECTORS / f"{name}.json").write_text(json.dumps(make(), ensure_ascii=False, indent=2) + "\n")
