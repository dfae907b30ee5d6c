"""What anybody who reads the tables can learn of a person: nothing that names one."""

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

from chalicelib.domain.access import Role
from chalicelib.domain.identifiers import mask_name, mask_number
from chalicelib.services import granting_access
from chalicelib.services.granting_access import ClientDraft, GrantedSecret, OperatorDraft
from chalicelib.services.identifying import Presented
from tests.world import CITY, World, a_person

TABLES = ("people", "catalogue", "casework", "insights")
NAME, OPERATOR_NAME = "欧阳测试样", "经办人测试"


def everything(world: World) -> str:
    """All raw rows as one text, as they are and with whatever is base64 in them opened."""
    rows = [row for table in TABLES for row in world.rows(table)]
    return json.dumps(rows, ensure_ascii=False, default=lambda b: base64.b64encode(b).decode())


def forms_of(text: str) -> set[str]:
    """A secret as it could lie about: plain, escaped in JSON, in hexadecimal, in base64 at any offset."""
    raw = text.encode()
    found = {text, json.dumps(text)[1:-1], raw.hex()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= 5}


def lies_about(rows: str, text: str) -> bool:
    return any(form in rows for form in forms_of(text))


def grant(world: World, app_key: str | None = None, key: str | None = None) -> GrantedSecret:
    p, by = world.platform, world.by(world.bureau, key)
    if app_key:
        return granting_access.rotate_secret(
            p.catalogue, p.marks, p.keys.sealer, p.chance, app_key, timedelta(days=1), **by
        ).answer
    draft = ClientDraft("某渠道", Role.CHANNEL, (CITY,))
    return granting_access.add_client(p.catalogue, p.marks, p.keys.sealer, p.chance, draft, **by).answer


def test_given_a_person_who_claimed_and_redeemed_when_all_rows_are_read_then_nothing_in_them_names_anybody(
    world: World,
) -> None:
    person, other = a_person(name=NAME), a_person(name=NAME)
    template = world.publish()
    voucher_id = world.claim(person, template, key="幂等键 of the claim").answer.voucher_id
    code = world.code(person, voucher_id)
    token = world.token(person, voucher_id)
    world.redeem(Presented(token=token), key="key of the redemption")
    world.reverse(voucher_id)
    world.redeem(Presented(code=code))
    given = world.claim(other, template).answer.voucher_id
    other_code = world.code(other, given)
    world.give_back(other, given)

    rows = everything(world)

    assert person.mobile is not None
    assert other.mobile is not None
    for secret in (
        *(person.id_number, person.mobile, other.id_number, other.mobile, NAME),
        *(person.id_number[:-1], person.id_number[6:14] + person.id_number[14:17]),  # nor without the check digit
        *(code, code.replace("-", ""), other_code, other_code.replace("-", ""), token),
        *("幂等键 of the claim", "key of the redemption"),
    ):
        assert not lies_about(rows, secret), secret[:4]
    assert mask_name(NAME) in rows
    assert mask_number(person.id_number) in rows


def test_given_clients_and_operators_when_all_rows_are_read_then_no_secret_and_no_operator_s_name_stands_in_them(
    world: World,
) -> None:
    p = world.platform
    granted = grant(world)
    rotated = grant(world, granted.client.app_key)
    operator = OperatorDraft(OPERATOR_NAME, "cHVibGlj", CITY)
    granting_access.add_operator(p.catalogue, p.marks, p.chance, operator, **world.by(world.bureau))

    rows = everything(world)

    assert granted.secret is not None
    assert rotated.secret is not None
    for secret in (granted.secret, rotated.secret, OPERATOR_NAME):
        assert not lies_about(rows, secret), secret[:4]
    kept = p.catalogue.clients.read(granted.client.app_key)
    assert kept is not None
    opened = [
        p.keys.sealer.unseal(one.sealed, granting_access.secret_context(kept.app_key, one.secret_id))
        for one in kept.secrets
    ]
    assert opened == [granted.secret, rotated.secret]  # they are there, sealed


def test_given_a_granted_secret_when_the_request_is_repeated_then_the_answer_comes_without_it(world: World) -> None:
    first = grant(world, key="grant")

    again = grant(world, key="grant")

    assert first.secret is not None
    assert again.secret is None
    assert (again.secret_id, again.client.app_key) == (first.secret_id, first.client.app_key)
    assert again.client.secrets == ()


def test_given_one_number_on_many_rows_when_keys_are_compared_then_identities_and_codes_are_keyed_digests(
    world: World,
) -> None:
    """A bare hash of a number could be found by trying them all."""
    person = a_person()
    voucher_id = world.claim(person, world.publish()).answer.voucher_id
    code = world.code(person, voucher_id)

    rows = everything(world)

    for text in (person.id_number, f"resident_id{person.id_number}", code, code.replace("-", "")):
        for algorithm in ("sha256", "sha1", "md5", "sha512"):
            digest = hashlib.new(algorithm, text.encode())
            assert digest.hexdigest() not in rows
            assert base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=") not in rows


def test_given_such_forms_when_they_do_lie_about_then_they_are_found() -> None:
    def row(value: str) -> str:
        return json.dumps([{"body": {"S": value}}], ensure_ascii=False)

    secret = "19900101001X"
    shown: list[Any] = [
        secret,
        secret.encode().hex(),
        *(base64.b64encode(b"x" * n + secret.encode() + b"yz").decode() for n in range(4)),
        base64.urlsafe_b64encode(NAME.encode()).decode(),
    ]

    assert all(lies_about(row(one), secret) or lies_about(row(one), NAME) for one in shown)
    assert lies_about(json.dumps(NAME), NAME)
    assert not lies_about(row("nothing of it"), secret)
