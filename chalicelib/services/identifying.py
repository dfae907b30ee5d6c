"""Who is this? From an assertion to a person, and from a presented code, token or assertion to a voucher."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain import assertion as assertions
from chalicelib.domain import calendar
from chalicelib.domain import token as tokens
from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import SESSION_LENGTH, Assertion, HolderSession, Purpose
from chalicelib.domain.errors import CardReadNotAccepted, CodeNotAccepted, Invalid, VoucherNotFound
from chalicelib.domain.identifiers import (
    CitizenId,
    InvalidIdentifier,
    mask_name,
    mask_number,
    normalise_name,
    parse_citizen_id,
    parse_code,
    parse_mobile,
)
from chalicelib.domain.person import Person, Profile
from chalicelib.domain.roster import content
from chalicelib.domain.token import Token
from chalicelib.domain.voucher import ENDED, Voucher
from chalicelib.services.linking import linked_with, voucher_among
from chalicelib.services.ports import Catalogue, Chance, Keys, People


@dataclass(frozen=True, slots=True)
class Named:
    """A person as asserted: the profile in its one form, and the identity partitions that lead to the person."""

    profile: Profile
    identity_keys: tuple[str, ...]
    number: CitizenId


@dataclass(frozen=True, slots=True)
class Said:
    """What an authority or an institution says of a person, as it was sent."""

    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)
    mobile: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OpenedSession:
    session: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Presented:
    """What was shown at the desk: exactly one of token, code, or an assertion or card read for a voucher of
    ``template_id``."""

    token: str | None = None
    code: str | None = None
    assertion: str | None = None
    template_id: str | None = None
    card_read: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The voucher that was presented, how, whose it is, and what still has to be judged of the proof."""

    voucher: Voucher
    holder: Person
    proof: str
    token: Token | None = None
    assertion: Assertion | None = None
    asserted: str = ""

    def judge_age(self, now: datetime) -> None:
        """Raises TokenNotAccepted, AssertionNotAccepted, CardReadNotAccepted."""
        if self.token:
            tokens.check_age(self.token, now)
        if self.assertion:
            assertions.check_age(self.assertion, now)

    def facts(self, keys: Keys) -> dict[str, str | int | None]:
        """What the history says of the proof."""
        if self.token:
            return {"nonce": self.token.nonce}
        if self.assertion is None:
            return {}
        return {"asserted": self.asserted, **card_facts(keys, self.assertion, self.voucher.template_id)}

    def judge_bound(self) -> None:
        """Raises TokenNotAccepted, AssertionNotAccepted, CardReadNotAccepted (used)."""
        if self.token:
            tokens.check_bound(self.token, self.voucher)
        if self.assertion:
            assertions.check_unused(self.assertion, self.asserted, (one.said["facts"] for one in self.voucher.history))


def name_person(keys: Keys, assertion: Assertion, now: datetime, pointer: str = "/assertion") -> Named:
    """Bring the asserted identity into its one form. Raises Invalid (the number or mobile is impossible)."""
    number = read_number(assertion.id_number, now, pointer)
    try:
        mobile = parse_mobile(assertion.mobile) if assertion.mobile else None
    except InvalidIdentifier as refused:
        raise Invalid(pointer=pointer, reason=refused.hint_en, reason_zh=refused.hint_zh) from None
    if number.id_type != assertion.id_type:
        raise Invalid(pointer=pointer, reason="id_type does not fit the number")
    profile = Profile(normalise_name(assertion.name), number.id_type, number.number, mobile)
    return Named(profile, identity_keys(keys, number), number)


def read_profile(keys: Keys, said: Said, now: datetime) -> Named:
    """Bring what somebody else says of a person into its one form. Raises Invalid (/id_number, /id_type, /mobile)."""
    number = read_number(said.id_number, now, "/id_number")
    if number.id_type != said.id_type:
        raise Invalid(pointer="/id_type", reason="id_type does not fit the number")
    try:
        mobile = parse_mobile(said.mobile) if said.mobile else None
    except InvalidIdentifier as refused:
        raise Invalid(pointer="/mobile", reason=refused.hint_en, reason_zh=refused.hint_zh) from None
    profile = Profile(normalise_name(said.name), number.id_type, number.number, mobile)
    return Named(profile, identity_keys(keys, number), number)


def read_number(text: str, now: datetime, pointer: str) -> CitizenId:
    """Raises Invalid at ``pointer``: the number is impossible, and why."""
    try:
        return parse_citizen_id(text, today=calendar.local_date(now))
    except InvalidIdentifier as refused:
        raise Invalid(pointer=pointer, reason=refused.hint_en, reason_zh=refused.hint_zh) from None


def content_of(keys: Keys, named: Named, values: Mapping[str, object]) -> str:
    """A digest of what was said of a person who was named for a voucher, by which it is compared when they are named
    again: all but the remark. It cannot be turned back."""
    said = {name: str(value) for name, value in values.items() if name not in _NOT_COMPARED}
    said |= {"name": named.profile.name, "id_number": named.number.number, "mobile": named.profile.mobile or ""}
    return keys.identities.veil(b"roster\0" + content(list(said.items())))[:32]


_NOT_COMPARED = {"id_type", "remark"}


def identity_keys(keys: Keys, number: CitizenId) -> tuple[str, ...]:
    """The identity partitions of a number, that of the current pepper first."""
    return tuple(keys.identities.keys(number.id_type, number.number))


def new_person(keys: Keys, chance: Chance, named: Named) -> Person:
    """A person whom we meet for the first time."""
    person_id = chance.person_id()
    return Person(
        person_id=person_id,
        version=0,
        sealed_profile=keys.sealer.seal_profile(named.profile, person_id),
        masked_name=mask_name(named.profile.name),
        masked_number=mask_number(named.profile.id_number),
    )


def open_session(people: People, keys: Keys, chance: Chance, jws: str, *, actor: Actor, now: datetime) -> OpenedSession:
    """Exchange an assertion for a holder session of this channel.

    Raises AssertionNotAccepted, Invalid, VoucherNotFound (nobody here has this number: there is no wallet to open).
    """
    assertion = keys.assertions.read(jws)
    assertions.check_meant_for(assertion, actor.app_key, Purpose.SESSION, None)
    assertions.check_age(assertion, now)
    person_id = people.find(name_person(keys, assertion, now).identity_keys)
    if person_id is None:
        raise VoucherNotFound()
    session = HolderSession(app_key=actor.app_key, person_id=person_id, ends_at=now + SESSION_LENGTH)
    return OpenedSession(keys.sessions.issue(session, chance.nonce()), session.ends_at)


def find_presented(
    catalogue: Catalogue,
    people: People,
    keys: Keys,
    presented: Presented,
    *,
    institution_id: str,
    actor: Actor,
    now: datetime,
) -> Shown:
    """Find the voucher that is shown at an institution; its state and the proof's age are judged by the caller.

    Raises TokenNotAccepted, CodeNotAccepted, AssertionNotAccepted, CardReadNotAccepted, VoucherNotFound.
    """
    if presented.token is not None:
        token = keys.tokens.read(presented.token)
        return Shown(*_held(people, token.person_id, token.template_id), "token", token=token)
    if presented.code is not None:
        try:
            code = parse_code(presented.code)
        except InvalidIdentifier:
            raise CodeNotAccepted() from None
        found = people.find_by_code(keys.identities.code_key(code))
        if found is None:
            raise CodeNotAccepted()
        return Shown(*_held(people, *found), "code")
    if presented.template_id is None:
        raise Invalid(pointer="", reason="one of token, code, or assertion with template_id is needed")
    if presented.card_read is not None:
        proof, pointer = "card", "/card_read"
        assertion, place = read_card(catalogue, keys, presented.card_read, actor=actor)
        if place != institution_id:
            raise CardReadNotAccepted(reason="place")
    elif presented.assertion is not None:
        proof, pointer = "assertion", "/assertion"
        assertion = keys.assertions.read(presented.assertion)
    else:
        raise Invalid(pointer="", reason="one of token, code, or assertion with template_id is needed")
    assertions.check_meant_for(assertion, actor.app_key, Purpose.REDEEM, presented.template_id)
    person_id = people.find(name_person(keys, assertion, now, pointer).identity_keys)
    if person_id is None:
        raise VoucherNotFound()
    asserted = keys.identities.veil(f"asserted\0{assertion.terminal_id or ''}\0{assertion.jti}".encode())[:32]
    held = _held_by_any(people, person_id, presented.template_id)
    return Shown(*held, proof, assertion=assertion, asserted=asserted)


def read_card(catalogue: Catalogue, keys: Keys, card_read: str, *, actor: Actor) -> tuple[Assertion, str]:
    """What a terminal read, and the institution where it stands; only for a client that acts for that one.

    Raises CardReadNotAccepted.
    """
    assertion = keys.card_reads.read(card_read)
    terminal = catalogue.terminals.get(assertion.terminal_id or "")
    if terminal is None or terminal.institution_id not in actor.institutions:
        raise CardReadNotAccepted(reason="place")
    return assertion, terminal.institution_id


def card_facts(keys: Keys, assertion: Assertion, template_id: str) -> dict[str, str | int | None]:
    """What a history says of a card read: the terminal, and a digest by which a card in hand can be compared.

    The digest is another for each template: one card is not known again in two histories.
    """
    if assertion.terminal_id is None or assertion.card_number is None:
        return {}
    veiled = keys.identities.veil(f"card\0{template_id}\0{assertion.card_number}".encode())
    return {"proof": "card", "terminal": assertion.terminal_id, "card": veiled[:32]}


def _held(people: People, person_id: str, template_id: str) -> tuple[Voucher, Person]:
    """The voucher and its holder, both read at one call. Raises VoucherNotFound."""
    holder, vouchers = people.read(person_id, [template_id])
    if holder is None or template_id not in vouchers:
        raise VoucherNotFound()
    return vouchers[template_id], holder


def _held_by_any(people: People, person_id: str, template_id: str) -> tuple[Voucher, Person]:
    """The same for a person whose voucher may be one of a record that was merged. Raises VoucherNotFound."""
    holder, vouchers = people.read(person_id, [template_id])
    if holder is None:
        raise VoucherNotFound()
    mine = vouchers.get(template_id)
    if mine is not None and mine.state not in ENDED:
        return mine, holder
    linked = linked_with(people, holder)
    theirs = voucher_among(people, linked, template_id)
    if theirs is not None and (mine is None or theirs.state not in ENDED):
        return theirs, next(one for one in linked if one.person_id == theirs.person_id)
    if mine is None:
        raise VoucherNotFound()
    return mine, holder
