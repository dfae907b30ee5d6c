"""Ask a region's eligibility service, and believe nothing but an answer that is exactly one.

The contract: docs/eligibility-service.md. Who is asked about stands in the body alone, and nothing of it is logged.
"""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.domain.eligibility import ServiceVerdict
from chalicelib.domain.eligibility_service import (
    MOST_PEOPLE,
    EligibilityService,
    ServiceQuestion,
    signing_secret,
)
from chalicelib.domain.errors import EligibilityServiceUnavailable
from chalicelib.domain.identifiers import carries_personal_number, mask_name, normalise_name, normalise_number
from chalicelib.integrations import outbound, service_signatures
from chalicelib.integrations.circuit_breaker import CircuitBreaker
from chalicelib.integrations.outbound import NoAnswer, Place, Resolve

VERSION = 1
MOST_KEPT = 4096
LONGEST_REASON = 200
# No control characters, line ends, zero-width or bidi marks: people read it as it is.
_VISIBLE = re.compile(r"[^\x00-\x1F\x7F-\x9F\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]*")

Unseal = Callable[[str, str], str]


class SignedEligibilityServices:
    """Asks over HTTP. Remembers answers where the region says so, by a keyed digest; each container its own.

    ``context_of`` (region, key id) names what a secret is sealed to; ``veil`` is the keyed digest.
    """

    def __init__(
        self,
        *,
        unseal: Unseal,
        context_of: Callable[[str, str], str],
        veil: Callable[[bytes], str],
        nonce: Callable[[], bytes],
        loopback_allowed: bool = False,
        resolve: Resolve = outbound.look_up,
        ca_certs: str | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unseal, self._context_of, self._veil, self._nonce = unseal, context_of, veil, nonce
        self._loopback_allowed, self._resolve, self._ca_certs = loopback_allowed, resolve, ca_certs
        self._ticks = ticks
        self._breakers: OrderedDict[tuple[str, int], CircuitBreaker] = OrderedDict()
        self._kept: OrderedDict[str, tuple[float, ServiceVerdict]] = OrderedDict()

    def may_call(self, url: str) -> bool:
        return outbound.read_url(url, loopback_allowed=self._loopback_allowed) is not None

    def ask(
        self,
        service: EligibilityService,
        *,
        template_id: str,
        programme_type: str,
        people: Sequence[ServiceQuestion],
        now: datetime,
        trial: bool = False,
    ) -> Mapping[str, ServiceVerdict]:
        if len(people) > MOST_PEOPLE or len({one.reference for one in people}) != len(people):
            raise ValueError(f"one question is about {MOST_PEOPLE} people at most, each with a reference of its own")
        remembers = service.remember_seconds > 0 and not trial
        found: dict[str, ServiceVerdict] = {}
        keys: dict[str, str] = {}
        if remembers:
            keys = {one.reference: self._key(service, template_id, programme_type, one) for one in people}
            known = {reference: self._recall(key, service.remember_seconds) for reference, key in keys.items()}
            found = {reference: verdict for reference, verdict in known.items() if verdict is not None}
        asked = [one for one in people if one.reference not in found]
        if asked:
            answered = self._ask(service, template_id, programme_type, asked, now, trial=trial)
            if remembers:
                for reference, verdict in answered.items():
                    self._keep(keys[reference], verdict)
            found |= answered
        return found

    def forget(self) -> None:
        """As if the container had just been started."""
        self._breakers.clear()
        self._kept.clear()

    # --- the question ---

    def _ask(
        self,
        service: EligibilityService,
        template_id: str,
        programme_type: str,
        people: Sequence[ServiceQuestion],
        now: datetime,
        *,
        trial: bool,
    ) -> dict[str, ServiceVerdict]:
        breaker = self._breaker(service)
        if not trial and not breaker.admits():
            raise EligibilityServiceUnavailable(region=service.region, reason="resting")
        try:
            verdicts = self._exchange(service, template_id, programme_type, people, now)
        except NoAnswer as failed:
            breaker.failed()
            raise EligibilityServiceUnavailable(region=service.region, reason=failed.why) from None
        breaker.succeeded()
        return verdicts

    def _exchange(
        self,
        service: EligibilityService,
        template_id: str,
        programme_type: str,
        people: Sequence[ServiceQuestion],
        now: datetime,
    ) -> dict[str, ServiceVerdict]:
        place = outbound.read_url(service.url, loopback_allowed=self._loopback_allowed)
        if place is None:  # decided where more was allowed
            raise NoAnswer("address")
        signing = signing_secret(service.secrets, now)
        secret = self._unseal(signing.sealed, self._context_of(service.region, signing.key_id))
        body = question_body(template_id, programme_type, people)
        nonce = self._nonce().hex()
        headers = signed_headers(place, body, key_id=signing.key_id, secret=secret, now=now, nonce=nonce)
        answer = outbound.post(
            place,
            body,
            headers,
            loopback_allowed=self._loopback_allowed,
            resolve=self._resolve,
            ca_certs=self._ca_certs,
        )
        said = service_signatures.answer_text(answer.status, nonce, answer.body)
        if answer.status != 200:
            raise NoAnswer("status")
        if not service_signatures.fits(answer.headers.get("x-signature", ""), said, secret):
            raise NoAnswer("signature")
        return read_verdicts(answer.body, people)

    def _breaker(self, service: EligibilityService) -> CircuitBreaker:
        key = service.region, service.version
        breaker = self._breakers.pop(key, None) or CircuitBreaker(self._ticks)
        self._breakers[key] = breaker
        while len(self._breakers) > MOST_KEPT:
            self._breakers.popitem(last=False)
        return breaker

    # --- what is remembered ---

    def _key(self, service: EligibilityService, template_id: str, programme_type: str, asked: ServiceQuestion) -> str:
        named = (service.region, str(service.version), template_id, programme_type)
        return self._veil("\0".join((*named, asked.id_type, asked.id_number, asked.name)).encode())

    def _recall(self, key: str, seconds: int) -> ServiceVerdict | None:
        kept = self._kept.get(key)
        return kept[1] if kept is not None and self._ticks() < kept[0] + seconds else None

    def _keep(self, key: str, verdict: ServiceVerdict) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (self._ticks(), verdict)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def question_body(template_id: str, programme_type: str, people: Sequence[ServiceQuestion]) -> bytes:
    """The document that a service gets: one person or many, the same form."""
    asked = [
        {"reference": one.reference, "name": one.name, "id_type": one.id_type, "id_number": one.id_number}
        for one in people
    ]
    document = {"version": VERSION, "template_id": template_id, "programme_type": programme_type, "people": asked}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(place: Place, body: bytes, *, key_id: str, secret: str, now: datetime, nonce: str) -> dict[str, str]:
    """The headers of a question."""
    timestamp = str(int(now.timestamp()))
    text = service_signatures.question_text(place.path, body, timestamp, nonce)
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "training-voucher",
        service_signatures.KEY_ID: key_id,
        service_signatures.TIMESTAMP: timestamp,
        service_signatures.NONCE: nonce,
        service_signatures.SIGNATURE: service_signatures.signature(text, secret),
    }


def read_verdicts(body: bytes, people: Sequence[ServiceQuestion]) -> dict[str, ServiceVerdict]:
    """The verdict of each person who was asked about, and of nobody else. Raises NoAnswer (form, personal)."""
    said = _read_json(body)
    if not isinstance(said, dict) or said.keys() != {"version", "verdicts"}:
        raise NoAnswer("form")
    if type(said["version"]) is not int or said["version"] != VERSION:
        raise NoAnswer("form")
    if not isinstance(said["verdicts"], list):
        raise NoAnswer("form")
    pairs = [_read_verdict(one) for one in said["verdicts"]]
    verdicts = dict(pairs)
    wanted = {one.reference: one for one in people}
    if len(pairs) != len(verdicts) or verdicts.keys() != wanted.keys():
        raise NoAnswer("form")
    # A reason is shown and logged: it is no place for anybody's number, nor for a name. What looks like a name may be a
    # word, though, and nobody should be left without an answer for being called so: names are only masked.
    telling = _Telling(people)
    return {
        reference: replace(
            verdict,
            reason_zh=telling.without_names(verdict.reason_zh),
            reason_en=telling.without_names(verdict.reason_en),
        )
        for reference, verdict in verdicts.items()
    }


def _read_verdict(said: object) -> tuple[str, ServiceVerdict]:
    if not isinstance(said, dict) or not {"reference", "eligible"} <= said.keys():
        raise NoAnswer("form")
    if not said.keys() <= {"reference", "eligible", "reason_zh", "reason_en"}:
        raise NoAnswer("form")
    reference, eligible = said["reference"], said["eligible"]
    reasons = [said.get(name, "") for name in ("reason_zh", "reason_en")]
    if not isinstance(reference, str) or not isinstance(eligible, bool):
        raise NoAnswer("form")
    for reason in reasons:
        if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not _VISIBLE.fullmatch(reason):
            raise NoAnswer("form")
        if not eligible and not reason.strip():
            raise NoAnswer("form")
    return reference, ServiceVerdict(eligible, *(reason.strip() for reason in reasons))


class _Telling:
    """What a reason may not tell of the people who were asked about, made ready once for all reasons of an answer."""

    def __init__(self, people: Sequence[ServiceQuestion]) -> None:
        self._numbers = {_bare(one.id_number) for one in people}
        names = {name for one in people if len(name := normalise_name(one.name)) > 1}
        self._names = [(name[0].casefold(), name[-1].casefold(), _pattern(name), mask_name(name)) for name in names]
        self._told: dict[str, str] = {"": ""}

    def without_names(self, reason: str) -> str:
        """The reason with the names in it masked: Chinese ones wherever they stand, also with spaces or dots between;
        a name in letters as whole words, and a single one only as it is spelt. Raises NoAnswer (personal): somebody's
        number stands there, in whatever width, case or groups."""
        told = self._told.get(reason)
        if told is None:
            told = self._told[reason] = self._tell(reason)
        return told

    def _tell(self, reason: str) -> str:
        bare = _bare(reason)
        if carries_personal_number(reason) or any(number in bare for number in self._numbers):
            raise NoAnswer("personal")
        signs = set(reason.casefold())
        for first, last, pattern, masked in self._names:
            if first in signs and last in signs:
                reason = pattern.sub(masked, reason)
        return reason


def _pattern(name: str) -> re.Pattern[str]:
    if name.isascii():
        words = r"\s+".join(map(re.escape, name.split()))
        return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE if " " in name else re.NOFLAG)
    return re.compile(r"[\s.·•・‧]*".join(re.escape(sign) for sign in name if sign.isalnum()), re.IGNORECASE)


def _bare(text: str) -> str:
    return "".join(sign for sign in normalise_number(text).casefold() if sign.isalnum())


def _read_json(body: bytes) -> Any:
    """What two readers may understand differently is no answer."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        raise NoAnswer("form") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read


def _refuse(_: str) -> None:
    raise ValueError("no number of ours")
