"""A platform of this room's own: real keys, shelves in memory, and a client that signs as callers do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar, cast

import pytest
from chalice.test import Client as ChaliceClient
from chalice.test import HTTPResponse

from app import app
from chalicelib import wiring
from chalicelib.api import signing
from chalicelib.domain import pace
from chalicelib.domain.access import Client, Operator, Role, Secret
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AlreadyExists, Reused
from chalicelib.domain.outcomes import Mark, Page
from chalicelib.domain.pace import Pace
from chalicelib.domain.region import Region, Rules
from chalicelib.integrations.assertions import SignedAssertions
from chalicelib.integrations.card_reads import SignedCardReads
from chalicelib.integrations.chance import SeededChance
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.integrations.identities import HashedIdentities
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.operator_signatures import JwsOperatorSignatures
from chalicelib.integrations.sealing import FieldSealer
from chalicelib.integrations.sessions import SealedSessions
from chalicelib.integrations.tokens import SignedTokens
from chalicelib.integrations.voucher_ids import SivVoucherIds
from chalicelib.services.granting_access import secret_context
from chalicelib.services.ports import Catalogue, Keys, Platform

NOW = datetime(2021, 6, 30, 8, 0, 0, 123000, tzinfo=UTC)
SECRET = "a-secret-of-the-tests-and-of-nobody-else"
T = TypeVar("T")


class MemoryShelf(Generic[T]):
    """One noun in a dict; additions put their marks among the others."""

    def __init__(self, id_name: str, marks: "MemoryMarks") -> None:
        self.rows: dict[str, T] = {}
        self._id_name, self._marks = id_name, marks

    def put(self, noun: T) -> T:
        self.rows[getattr(noun, self._id_name)] = noun
        return noun

    def get(self, key: str) -> T | None:
        return self.rows.get(key)

    def read(self, key: str) -> T | None:
        return self.rows.get(key)

    def add(self, noun: T, mark: Mark | None) -> None:
        if getattr(noun, self._id_name) in self.rows:
            raise AlreadyExists(what=getattr(noun, self._id_name))
        if mark:
            self._marks.keep(mark)
        self.put(noun)

    def change(self, after: T, mark: Mark) -> None:
        self._marks.keep(mark)
        self.put(after)

    def listed(self, region: str) -> list[T]:
        return list(self.rows.values())

    def page(self, listing: str, limit: int, cursor: str | None) -> Page[T]:
        keys = sorted(key for key in self.rows if cursor is None or key > cursor)
        found = tuple(self.rows[key] for key in keys[:limit])
        return Page(found, keys[limit - 1] if len(keys) > limit else None)


class MemoryMarks:
    def __init__(self) -> None:
        self.kept: dict[str, Mark] = {}

    def keep(self, mark: Mark) -> None:
        self.kept[mark.attempt.request] = mark

    def find(self, attempt: Attempt, kind: type[T], now: datetime) -> T | None:
        mark = self.kept.get(attempt.request)
        if mark is not None and mark.attempt.body != attempt.body:
            raise Reused()
        return cast(T, mark.answer) if mark else None


class MemoryRules:
    """Shenzhen has a line of its own."""

    def in_force(self, region: str, day: date) -> Rules:
        return Rules(region, 1, help_line="0755-12333" if region == "440300" else "12333")


class MemoryPaces:
    """One container that knows of no other."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], int] = {}

    def take(self, app_key: str, requests_per_second: int, now: datetime) -> Pace:
        key, limit = (app_key, pace.window_of(now)), pace.limit_of(requests_per_second)
        taken = self._taken[key] = self._taken.get(key, 0) + 1
        return Pace(taken <= limit, limit, max(0, limit - taken), pace.resets_in(now))


class NoTemplates:
    def get(self, template_id: str) -> None:
        return None

    read = get


@dataclass
class Desk:
    """What a test has in its hands: the platform's insides, and requests signed as wished."""

    clock: FixedClock
    keys: Keys
    catalogue: Catalogue
    chance: SeededChance = field(default_factory=lambda: SeededChance(7))
    count: int = 0

    def a_client(self, role: Role = Role.CITY, *, region: str = "440300", **changes: Any) -> Client:
        app_key = self.chance.short_id()
        sealed = self.keys.sealer.seal(SECRET, secret_context(app_key, "ONE"))
        client = Client(
            app_key=app_key,
            name="a client",
            role=role,
            regions=(region,),
            institutions=(),
            secrets=(Secret("ONE", sealed, NOW),),
            made_at=NOW,
        )
        return self._put("clients", replace(client, **changes))

    def an_operator(self, *, region: str = "440300", **changes: Any) -> tuple[Operator, OperatorKey]:
        key = OperatorKey(b"k" * 32)
        operator = Operator(self.chance.short_id(), "张**", key.public_key, region, None, NOW)
        return self._put("operators", replace(operator, **changes)), key

    def a_session(self, client: Client, person_id: str = "P" * 26, ends_at: datetime | None = None) -> str:
        session = HolderSession(client.app_key, person_id, ends_at or datetime(2021, 6, 30, 8, 15, tzinfo=UTC))
        return self.keys.sessions.issue(session, b"n" * 12)

    def send(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        client: Client | None = None,
        operator: tuple[Operator, OperatorKey] | None = None,
        key: str = "",
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        """Send a request, signed when there is a client; ``headers`` come last and win."""
        self.count += 1
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if content else {}
        if client:
            sent |= signing.sign(
                method,
                target,
                app_key=client.app_key,
                secret=SECRET,
                timestamp=int(self.clock.now().timestamp()),
                nonce=f"nonce-{self.count:06}",
                body=content,
                idempotency_key=key,
            )
            if operator:
                path = target.partition("?")[0]
                who, signer = operator
                sent["X-Operator"] = signer.sign(
                    who.operator_id, client.app_key, method, path, content, key, self.clock.now()
                )
        with ChaliceClient(app) as chalice:
            return chalice.http.request(method, target, headers=sent | (headers or {}), body=content)

    def _put(self, shelf: str, noun: T) -> T:
        memory: MemoryShelf[T] = getattr(self.catalogue, shelf)
        return memory.put(noun)


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock, chance, marks = FixedClock(NOW), SeededChance(1), MemoryMarks()
    ring = Keyring("1", {"1": b"1" * 32})
    keys = Keys(
        identities=HashedIdentities(Keyring("1", {"1": b"2" * 32}), ring),
        sealer=FieldSealer(ring, chance.nonce),
        voucher_ids=SivVoucherIds(ring),
        tokens=SignedTokens(ring),
        sessions=SealedSessions(ring),
        card_reads=SignedCardReads(lambda _: None),
        assertions=SignedAssertions(lambda _: None),
        operator_signatures=JwsOperatorSignatures(),
        eligibility_services=cast(Any, None),
    )

    def a_shelf(id_name: str) -> MemoryShelf[Any]:
        return MemoryShelf(id_name, marks)

    regions = a_shelf("code")
    regions.put(Region("440300", "深圳市", "Shenzhen", "city", "440000"))
    regions.put(Region("440100", "广州市", "Guangzhou", "city", "440000"))
    catalogue = Catalogue(
        regions=regions,
        rule_sets=cast(Any, MemoryRules()),
        programmes=a_shelf("programme_id"),
        courses=a_shelf("course_id"),
        institutions=a_shelf("institution_id"),
        clients=a_shelf("app_key"),
        operators=a_shelf("operator_id"),
        assertion_keys=a_shelf("kid"),
        staff=cast(Any, a_shelf("staff_id")),
        terminals=a_shelf("terminal_id"),
        eligibility_services=a_shelf("region"),
        classes=a_shelf("class_id"),
        bank_accounts=a_shelf("institution_id"),
    )
    nothing = cast(Any, None)
    wiring.use(
        Platform(
            clock=clock,
            chance=chance,
            catalogue=catalogue,
            make_keys=lambda: keys,
            marks=marks,
            accounts=nothing,
            templates=cast(Any, NoTemplates()),
            listings=nothing,
            people=nothing,
            disclosures=nothing,
            merges=nothing,
            budget_transfers=nothing,
            enrolments=nothing,
            evaluations=nothing,
            checkpoints=nothing,
            continuations=nothing,
            errands=nothing,
            paces=MemoryPaces(),
            rosters=nothing,
            files=nothing,
            roster_errands=nothing,
            workbooks=nothing,
            applications=nothing,
            money_errands=nothing,
            payments=nothing,
        )
    )
    yield Desk(clock, keys, catalogue)
    wiring.use(None)
