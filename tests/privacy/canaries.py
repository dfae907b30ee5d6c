"""Canaries: people whose numbers, names and mobiles must show up nowhere, in whatever form they could lie about."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from chalicelib.domain.person import Profile

ROOM = {"name": "实训楼", "latitude": 22.543096, "longitude": 114.057865, "datum": "gcj02"}
THERE = {"latitude": 22.5431, "longitude": 114.0579, "datum": "gcj02", "accuracy": 12.0}
"""Of their class, and where they check in."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Whose secret was found, in which form; the secret itself is the canary's, so it may be shown."""

    what: str
    form: str


def secrets_of(*people: Profile) -> dict[str, str]:
    """What must not be known of them: the number and its telling parts, name, mobile."""
    found: dict[str, str] = {}
    for person in people:
        number, who = person.id_number, person.id_number[-4:]
        found |= {
            f"number of {who}": number,
            f"number without check digit of {who}": number[:-1],
            f"birth and sequence of {who}": number[6:17],
            f"name of {who}": person.name,
        }
        if person.mobile:
            found[f"mobile of {who}"] = person.mobile
    return found


def leaks(text: str, secrets: Mapping[str, str]) -> list[Leak]:
    """Every secret that the text carries, in any form; upper and lower case are the same."""
    folded = text.lower()
    return [Leak(what, form) for what, secret in secrets.items() for form in sorted(forms_of(secret)) if form in folded]


@cache
def forms_of(secret: str) -> frozenset[str]:
    """A secret as it could lie about, in lower case: plain, wide, grouped, escaped, encoded, or as a bare digest."""
    spelled = {secret, secret.lower(), *_grouped(secret)}
    forms = {*spelled, _wide(secret)}
    for one in (secret, secret.lower(), json.dumps(secret)[1:-1], _wide(secret)):
        forms |= {json.dumps(one)[1:-1], quote(one, safe=""), quote(quote(one, safe=""), safe="")}
        forms |= {one.encode().hex(), repr(one.encode())[2:-1], *_in_base64(one.encode())}
    if not secret.isascii():
        for raw in (secret.encode("gb18030"), secret.encode("utf-16-le")):
            forms |= {raw.hex(), quote(raw), *_in_base64(raw)}
    forms |= {digest for one in (secret, secret.lower()) for digest in _digests(one)}
    return frozenset(form.lower() for form in forms if form)


def _wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def _grouped(secret: str) -> set[str]:
    """As people group a number: 3-4-4 or 6-8-4."""
    for pattern in (r"(\d{3})(\d{4})(\d{4})", r"(\d{6})(\d{8})(\d{3}[\dX])"):
        found = re.fullmatch(pattern, secret)
        if found:
            return {gap.join(found.groups()) for gap in (" ", "-")}
    return set()


def _in_base64(raw: bytes) -> set[str]:
    """The characters that say these bytes wherever they begin within something longer."""
    found = set()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= 6}


def _digests(secret: str) -> set[str]:
    """The beginnings of bare digests: whoever can try all numbers finds the one behind such a digest."""
    found = set()
    for said in (secret, f"resident_id\0{secret}", f"resident_id{secret}"):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, said.encode()).digest()
            found |= {digest.hex()[:24], *(encode(digest).decode()[:20] for encode in _BASE64)}
    return found


_BASE64 = (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode)
