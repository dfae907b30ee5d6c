"""A small China to test in: regions, a bureau, a channel, an institution, people whom nobody is.

``World`` stands on real tables of one engine. Its helpers do what the routes do and nothing more, so that a test reads
as given, when, then. ``check_laws`` recounts everything from the vouchers up.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import boto3

from chalicelib import wiring
from chalicelib.config import read_settings
from chalicelib.domain import calendar, history
from chalicelib.domain.access import Actor, AssertionKey, Client, Operator, Role
from chalicelib.domain.amendment import Amendment, Changes, Errand
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.eligibility import Enlisted, Span
from chalicelib.domain.fund import Balance, Posting
from chalicelib.domain.identifiers import InvalidIdentifier, parse_uscc
from chalicelib.domain.institution import Institution, Kind
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.person import Profile
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.region import Region, RuleSet
from chalicelib.domain.template import (
    BusinessMode,
    DistributionMode,
    FunctionMode,
    Look,
    Shard,
    Stock,
    Template,
    TemplateState,
)
from chalicelib.domain.voucher import ENDED, Receipt, State, Voucher
from chalicelib.integrations.clock import FixedClock
from chalicelib.integrations.essc_platform import DemoPlatform
from chalicelib.integrations.keyring import Keyring
from chalicelib.services import (
    amending,
    changing_vouchers,
    claiming,
    counting,
    deciding_eligibility_service,
    enlisting,
    funding,
    identifying,
    issuing,
    offering,
    publishing,
    redeeming,
    releasing,
    showing,
    sweeping,
    verifying,
)
from chalicelib.services.deciding_eligibility_service import DecidedService
from chalicelib.services.identifying import Presented, Said
from chalicelib.services.ports import Chance, Platform
from tests import eligibility
from tests.bucket import Errands, RememberedFiles
from tools.people import invented_person

START = datetime(2021, 5, 1, 4, 0, tzinfo=UTC)
CITY, PROVINCE, OTHER_CITY = "440300", "440000", "440100"
INSTITUTION_ID, OTHER_INSTITUTION_ID = "91350100M000100Y43", "52440100MJX0000186"
FACE_VALUE = 200_000
KEYRING = Keyring("1", {"1": b"platform keys of the tests, no secret at all"})
PEPPER = Keyring("1", {"1": b"identity pepper of the tests, no secret at all"})
_numbers = itertools.count(1)


def a_person(number: int | None = None, *, birth: date = date(1990, 1, 1), name: str = "测试甲") -> Profile:
    """Somebody who is nobody; a new one each time unless ``number`` says which."""
    return invented_person(next(_numbers) if number is None else number, birth=birth, name=name)


def a_uscc() -> str:
    """A unified social credit code that nobody here has; its two check characters are found by trying."""
    body = f"91440300{next(_numbers):08d}"
    for organisation, last in itertools.product("0123456789X", "0123456789ABCDEFGHJKLMNPQRTUWXY"):
        try:
            return parse_uscc(f"{body}{organisation}{last}")
        except InvalidIdentifier:
            continue
    raise AssertionError(body)


@dataclass
class RememberedErrands:
    """A queue that keeps what it was asked for."""

    asked: list[tuple[Errand, timedelta]] = field(default_factory=list)

    def ask(self, errand: Errand, delay: timedelta) -> None:
        self.asked.append((errand, delay))


@dataclass
class World:
    platform: Platform
    clock: FixedClock
    essc: DemoPlatform
    bureau: Actor
    channel: Actor
    desk: Actor
    other_desk: Actor
    programme: Programme
    institution: Institution
    course: Course
    account_id: str
    environment: dict[str, str]
    templates: list[str] = field(default_factory=list)
    _requests: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def attempt(self, key: str | None = None, body: bytes = b"{}", actor: Actor | None = None) -> Attempt:
        """A request of its own, or the one with this key."""
        name = key or f"request-{next(self._requests)}"
        return attempt_of((actor or self.bureau).app_key, "test", name, body)

    def another_container(self, *, now: datetime | None = None) -> "World":
        """The same world from a container of its own, with its own memory; ``now``: and with its own clock."""
        clock = self.clock if now is None else FixedClock(now)
        return replace(self, platform=_a_platform(self.environment, clock, self.platform.chance), clock=clock)

    def at(self, now: datetime) -> "World":
        """The same world and container, asked at another instant."""
        return replace(self, clock=FixedClock(now))

    def by(self, actor: Actor, key: str | None = None, body: bytes = b"{}") -> dict[str, Any]:
        """The keyword arguments that every changing service takes."""
        return {"actor": actor, "attempt": self.attempt(key, body, actor), "now": self.now}

    # --- templates ---

    def a_draft(self, quantity: int = 100, **changes: Any) -> publishing.TemplateDraft:
        """What a bureau asks for when it drafts a template."""
        draft = publishing.TemplateDraft(
            region=CITY,
            account_id=self.account_id,
            quantity=quantity,
            look=Look("深圳市职业培训券"),
            business_mode=BusinessMode.FOUNDATION,
            function_mode=FunctionMode.FACE_VALUE,
            distribution_mode=DistributionMode.OPEN,
            programme_id=self.programme.programme_id,
            face_value_fen=FACE_VALUE,
            attendance_only=False,
            claim_from=date(2021, 4, 1),
            claim_until=date(2021, 6, 30),
            valid_from=date(2021, 4, 1),
            valid_until=date(2021, 6, 30),
        )
        return replace(draft, **changes)

    def draft(self, quantity: int = 100, **changes: Any) -> Template:
        p = self.platform
        done = publishing.draft_template(
            p.catalogue,
            p.accounts,
            p.templates,
            p.marks,
            p.chance,
            self.a_draft(quantity, **changes),
            **self.by(self.bureau),
        )
        self.templates.append(done.answer.template_id)
        return done.answer

    def publish(self, quantity: int = 100, **changes: Any) -> Template:
        """A published template with its shards."""
        template = self.draft(quantity, **changes)
        self.act(publishing.publish_template, template)
        return self.template(template.template_id)

    def act(self, service: Any, template: Template, *more: Any, key: str | None = None) -> Done[Template]:
        """publish, suspend, resume, close, add_quantity (with the quantity)."""
        p = self.platform
        done: Done[Template] = service(
            p.templates, p.accounts, p.marks, template.template_id, *more, **self.by(self.bureau, key)
        )
        return done

    def amend(
        self, template: Template, *, key: str | None = None, reason: str = "台风", **changes: Any
    ) -> Done[Amendment]:
        """Amend its terms: valid_until, claim_until, add_courses, add_institutions."""
        p = self.platform
        return amending.amend(
            p.catalogue,
            p.templates,
            p.marks,
            p.errands,
            template.template_id,
            Changes(**changes),
            reason,
            **self.by(self.bureau, key),
        )

    def carry_out(self, amendment: Amendment, look: int = 0, may_go_on: Any = lambda: True) -> amending.Run:
        """One look of an amendment's job."""
        p, errand = self.platform, Errand(amendment.template_id, amendment.number, look)
        return amending.carry_out(p.templates, p.people, errand, now=self.now, may_go_on=may_go_on)

    def template(self, template_id: str) -> Template:
        return publishing.find_template(self.platform.templates, template_id)[0]

    def stock(self, template: Template) -> Stock:
        return publishing.count_stock(self.platform.templates, self.template(template.template_id))

    # --- people ---

    def assertion(
        self,
        person: Profile,
        purpose: str,
        subject: str | None = None,
        *,
        actor: Actor | None = None,
        now: datetime | None = None,
    ) -> str:
        return self.essc.assertion(
            person,
            app_key=(actor or self.channel).app_key,
            purpose=purpose,
            subject=subject,
            jti=f"jti-{next(self._requests)}",
            now=now or self.now,
        )

    def claim(
        self,
        person: Profile,
        template: Template,
        *,
        key: str | None = None,
        body: bytes = b"{}",
        actor: Actor | None = None,
        assertion: str | None = None,
    ) -> Done[Receipt]:
        who = actor or self.channel
        p = self.platform
        jws = assertion or self.assertion(person, "claim", template.template_id, actor=who)
        asked = claiming.ClaimRequest(template.template_id, jws, "card")
        return claiming.claim_voucher(
            p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **self.by(who, key, body)
        )

    def offers(
        self, person: Profile, *, region: str = CITY, actor: Actor | None = None, **page: Any
    ) -> dict[str, offering.Offer]:
        """What the person is offered at a place, by template."""
        return {one.entry.template_id: one for one in self.look(person, region=region, actor=actor, **page).items}

    def look(
        self, person: Profile, *, region: str = CITY, actor: Actor | None = None, **page: Any
    ) -> Page[offering.Offer]:
        p, who = self.platform, actor or self.channel
        asked = offering.Look(region, self.assertion(person, "claimable", region, actor=who), **page)
        return offering.look_at_offers(p.catalogue, p.listings, p.people, p.keys, asked, actor=who, now=self.now)

    def session(self, person: Profile, actor: Actor | None = None) -> HolderSession:
        p, who = self.platform, actor or self.channel
        jws = self.assertion(person, "session", actor=who)
        opened = identifying.open_session(p.people, p.keys, p.chance, jws, actor=who, now=self.now)
        return p.keys.sessions.read(opened.session)

    def voucher(self, voucher_id: str) -> Voucher:
        """As it stands in the table."""
        key = self.platform.keys.voucher_ids.decode(voucher_id)
        assert key is not None
        found = self.platform.people.voucher(*key)
        assert found is not None
        return found

    def vouchers(self) -> list[Voucher]:
        """All that were ever made, as the rows of the table say."""
        found = [self.platform.people.from_image(row) for row in self.rows("people")]
        return [one for one in found if one is not None]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every raw row of people, catalogue, casework or insights."""
        name = self.environment[f"{table.upper()}_TABLE"]
        scan = _dynamodb(self.environment["AWS_ENDPOINT_URL"]).get_paginator("scan")
        return [row for page in scan.paginate(TableName=name, ConsistentRead=True) for row in page["Items"]]

    def row(self, table: str, key: dict[str, str]) -> dict[str, Any]:
        """One raw row."""
        names = {name: {"S": value} for name, value in key.items()}
        asked = {"TableName": self.environment[f"{table.upper()}_TABLE"], "Key": names, "ConsistentRead": True}
        found: dict[str, Any] = _dynamodb(self.environment["AWS_ENDPOINT_URL"]).get_item(**asked)["Item"]
        return found

    def put_back(self, table: str, before: dict[str, Any] | None, row: dict[str, Any]) -> None:
        """One raw row as it was; None: it was not there."""
        client, name = _dynamodb(self.environment["AWS_ENDPOINT_URL"]), self.environment[f"{table.upper()}_TABLE"]
        if before is not None:
            client.put_item(TableName=name, Item=before)
            return
        hash_key = "person" if "person" in row else "subject"
        client.delete_item(TableName=name, Key={key: row[key] for key in (hash_key, "item")})

    def code(self, person: Profile, voucher_id: str) -> str:
        p = self.platform
        card = showing.show_voucher(
            p.templates, p.people, p.keys, voucher_id, actor=self.channel, session=self.session(person), now=self.now
        )
        assert card.code is not None
        return card.code

    def token(self, person: Profile, voucher_id: str) -> str:
        p = self.platform
        session = self.session(person)
        return showing.show_token(
            p.templates, p.people, p.keys, p.chance, voucher_id, session=session, actor=self.channel, now=self.now
        ).token

    # --- desk ---

    def redeem(
        self, presented: Presented, *, key: str | None = None, body: bytes = b"{}", **changes: Any
    ) -> Done[Receipt]:
        p = self.platform
        place = {"institution_id": INSTITUTION_ID, "course_id": self.course.course_id, **changes}
        actor = place.pop("actor", self.desk)
        return redeeming.redeem_voucher(
            p.catalogue, p.templates, p.people, p.keys, presented, **place, **self.by(actor, key, body)
        )

    def verify(self, presented: Presented, **changes: Any) -> verifying.Verification:
        p = self.platform
        place = {"institution_id": INSTITUTION_ID, "course_id": self.course.course_id, "actor": self.desk, **changes}
        return verifying.verify_voucher(p.catalogue, p.templates, p.people, p.keys, presented, now=self.now, **place)

    def reverse(self, voucher_id: str, *, key: str | None = None, actor: Actor | None = None) -> Done[Receipt]:
        p = self.platform
        return changing_vouchers.reverse_redemption(
            p.catalogue,
            p.templates,
            p.people,
            p.enrolments,
            p.keys,
            voucher_id,
            "扫错了",
            **self.by(actor or self.desk, key),
        )

    def issue(
        self, person: Profile, template: Template, *, key: str | None = None, actor: Actor | None = None, **said: Any
    ) -> Done[Receipt]:
        """Put the person on a directed template; ``said`` says otherwise than the profile."""
        p = self.platform
        whom = Said(person.name, person.id_type, person.id_number, person.mobile)
        return issuing.issue_voucher(
            p.catalogue,
            p.templates,
            p.people,
            p.keys,
            p.chance,
            template.template_id,
            replace(whom, **said),
            **self.by(actor or self.bureau, key),
        )

    def give_back(self, person: Profile, voucher_id: str, *, key: str | None = None) -> Done[Receipt]:
        p = self.platform
        return changing_vouchers.give_back(
            p.catalogue,
            p.templates,
            p.people,
            p.keys,
            voucher_id,
            session=self.session(person),
            **self.by(self.channel, key),
        )

    def revoke(self, voucher_id: str, *, key: str | None = None, actor: Actor | None = None) -> Done[Receipt]:
        p = self.platform
        return changing_vouchers.revoke_voucher(
            p.templates, p.people, p.keys, voucher_id, "资格有误", **self.by(actor or self.bureau, key)
        )

    # --- bureau ---

    def enlist(self, person: Profile, group: str, span: Span | None = None, region: str = CITY) -> Enlisted:
        """Put somebody on a region's list of eligible people."""
        p, entry = self.platform, enlisting.Entry(person.name, person.id_number, group, span or Span())
        return enlisting.enlist(p.catalogue, p.people, p.keys, p.marks, region, entry, **self.by(self.bureau)).answer

    def decide_service(self, remember_seconds: int = 0, region: str = CITY) -> DecidedService:
        """Decide that the region asks the sample server, which knows the secret by then."""
        p = self.platform
        decided = deciding_eligibility_service.decide_service(
            p.catalogue, p.keys.eligibility_services, p.marks, p.keys.sealer, p.chance, region, eligibility.URL,
            remember_seconds, **self.by(self.bureau),
        ).answer  # fmt: skip
        if decided.secret is not None:
            eligibility.sample_server().trust(decided.key_id, decided.secret)
        return decided

    def rules(self, **changes: Any) -> RuleSet:
        """Decide a rule set for the city, in force at once."""
        latest = next(iter(self.platform.catalogue.rule_sets.versions(CITY, 1, None).items), None)
        rules = RuleSet(region=CITY, version=(latest.version if latest else 0) + 1, effective_from=date(2021, 1, 1))
        rules = replace(rules, **changes)
        self.platform.catalogue.rule_sets.add(rules, None)
        return rules

    def expire(self, may_go_on: Any = lambda: True) -> sweeping.Sweep:
        return sweeping.sweep_due(self.platform, now=self.now, may_go_on=may_go_on)

    def count(self, may_go_on: Any = lambda: True) -> counting.Count:
        """Count what is left of all that is offered."""
        p = self.platform
        return counting.count_offers(p.listings, p.templates, now=self.now, may_go_on=may_go_on)

    def release(self, may_go_on: Any = lambda: True) -> releasing.Releases:
        """Post what ended vouchers leave free."""
        p = self.platform
        return releasing.post_releases(p.templates, p.accounts, now=self.now, may_go_on=may_go_on)

    def balances(self) -> dict[Balance, int]:
        account = self.platform.accounts.read(self.account_id)
        assert account is not None
        return dict(account.balances)

    # --- laws ---

    def check_laws(self, vouchers: Iterable[Voucher] | None = None) -> None:
        """Read the books and check them; ``vouchers``: all that were made of these templates, if they are to be
        compared too."""
        p = self.platform
        templates = [self.template(template_id) for template_id in self.templates]
        shards = {one.template_id: p.templates.shards(one) for one in templates}
        postings = p.accounts.postings(self.account_id, 1000, None).items
        check_books(Books(templates, shards, self.balances(), postings), None if vouchers is None else list(vouchers))


@dataclass(frozen=True)
class Books:
    """All ledgers of one account at one moment."""

    templates: Sequence[Template]
    shards: Mapping[str, Sequence[Shard]]
    balances: Mapping[Balance, int]
    postings: Sequence[Posting]


def check_books(books: Books, made: Sequence[Voucher] | None) -> None:
    """The laws of design.md §2 for every shard, template and the account; ``made``: all vouchers that there are, None:
    they are not looked at."""
    reserved = 0
    for template in books.templates:
        shards = books.shards[template.template_id]
        for shard in shards:
            assert shard.quantity == shard.remaining + shard.made + shard.released, shard
            assert sum(shard.counts.values()) == shard.made, shard
            assert min(shard.remaining, shard.made, shard.released, *shard.counts.values()) >= 0, shard
            granted_maybe = (State.APPLIED, State.FORFEITED, State.WRITTEN_OFF)
            if not any(shard.counts[state] for state in granted_maybe):  # else only the vouchers tell
                bound = shard.remaining + sum(n for state, n in shard.counts.items() if state not in ENDED)
                assert shard.reserved_fen == bound * template.ceiling_fen, shard
            assert 0 <= shard.to_release_fen <= shard.quantity * template.ceiling_fen - shard.reserved_fen, shard
            if made is not None:
                mine = [v for v in made if (v.template_id, v.shard) == (template.template_id, shard.number)]
                assert shard.counts == {s: sum(v.state is s for v in mine) for s in State}, shard
                bound_fen = sum(v.ceiling_fen for v in mine if v.state not in ENDED and v.approved_fen is None)
                assert shard.reserved_fen == shard.remaining * template.ceiling_fen + bound_fen, shard
                steps = [e.said["step"] for v in mine for e in v.history]
                assert shard.ever_claimed == steps.count("claim"), shard
                assert shard.ever_redeemed == steps.count("redeem") - steps.count("reverse"), shard
        assert template.quantity == template.unallotted + sum(s.quantity for s in shards), template
        if template.state is not TemplateState.DRAFT:
            reserved += sum(s.reserved_fen + s.to_release_fen for s in shards)
            reserved += template.unallotted * template.ceiling_fen
    assert sum(books.balances.values()) == 0
    assert books.balances[Balance.RESERVED] == reserved
    assert books.balances == {b: sum(p.legs.get(b, 0) for p in books.postings) for b in Balance}
    if made is not None:
        granted = [v for v in made if v.approved_fen and v.state in (State.APPLIED, State.WRITTEN_OFF)]
        assert books.balances[Balance.PAYABLE] == sum(v.approved_fen or 0 for v in granted if not v.paid_fen)
        assert books.balances[Balance.PAID] == sum(v.paid_fen - v.recovered_fen for v in made)
        assert books.balances[Balance.RECOVERED] == sum(v.recovered_fen for v in made)
    for voucher in made or ():
        check_money(voucher)
        genesis = history.genesis(voucher.template_id, voucher.person_id)
        assert history.check_chain(voucher.history, genesis) == voucher.version
        assert voucher.history[-1].said["to"] == voucher.state


def check_money(voucher: Voucher) -> None:
    """No money without evidence that met the frozen rule, never more than the ceiling, and never twice."""
    steps = [entry.said for entry in voucher.history]
    paid = [one["facts"]["paid_fen"] for one in steps if one["step"] == "pay"]
    assert len(paid) <= 1
    assert voucher.paid_fen == sum(paid)
    assert 0 <= voucher.recovered_fen <= voucher.paid_fen <= (voucher.approved_fen or 0) <= voucher.ceiling_fen
    if voucher.approved_fen:
        there = voucher.completion
        assert there is not None
        assert there.attended * 100 >= there.needed * there.held > 0
    for one in steps:
        assert one["step"] not in ("approve", "pay", "refuse") or one["from"] == State.APPLIED


@lru_cache
def _dynamodb(endpoint: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint)


def a_world(environment: dict[str, str], chance: Chance | None = None, start: datetime = START) -> World:
    """Build the platform on these tables and everything that stands before the first template."""
    clock = FixedClock(start)
    platform = _a_platform(environment, clock, chance)
    catalogue = platform.catalogue
    for code, name, level, parent in (
        ("000000", "全国", "nation", None),
        (PROVINCE, "广东省", "province", "000000"),
        (CITY, "深圳市", "city", PROVINCE),
        (OTHER_CITY, "广州市", "city", PROVINCE),
    ):
        catalogue.regions.add(Region(code, name, name, level, parent), None)
    essc = DemoPlatform(b"e-SSC platform, tests, 32 bytes!")
    catalogue.assertion_keys.add(AssertionKey(essc.kid, essc.public_key, start), None)
    bureau = an_actor("BUREAU", Role.MINISTRY, "000000")
    world = World(
        platform=platform,
        clock=clock,
        essc=essc,
        bureau=bureau,
        channel=an_actor("CHANNEL", Role.CHANNEL, "000000"),
        desk=an_actor("DESK", Role.INSTITUTION, CITY, INSTITUTION_ID),
        other_desk=an_actor("OTHERDESK", Role.INSTITUTION, CITY, OTHER_INSTITUTION_ID),
        programme=Programme("P" * 16, PROVINCE, "企业职工培训", "Enterprise staff training", "enterprise", FACE_VALUE),
        institution=an_institution(INSTITUTION_ID, "深圳测试培训学校"),
        course=Course("C" * 16, "P" * 16, INSTITUTION_ID, CITY, "电工（初级）", "Electrician (junior)", 40),
        account_id=f"{CITY}-2021",
        environment=environment,
    )
    catalogue.programmes.add(world.programme, None)
    catalogue.institutions.add(world.institution, None)
    catalogue.institutions.add(an_institution(OTHER_INSTITUTION_ID, "另一家测试机构"), None)
    catalogue.courses.add(world.course, None)
    other = replace(world.course, course_id="D" * 16, institution_id=OTHER_INSTITUTION_ID)
    catalogue.courses.add(other, None)
    funding.open_account(
        catalogue,
        platform.accounts,
        platform.marks,
        region=CITY,
        year=2021,
        budget_fen=10_000_000 * FACE_VALUE,
        **world.by(bureau),
    )
    return world


def _a_platform(environment: dict[str, str], clock: FixedClock, chance: Chance | None) -> Platform:
    built = wiring.build(
        read_settings({**environment, "LOOPBACK_ALLOWED": "1"}),
        load_keys=lambda: (KEYRING, PEPPER),
        endpoint=environment["AWS_ENDPOINT_URL"],
        clock=clock,
        chance=chance,
        outside=eligibility.outside(),
    )
    if "AMENDMENTS_QUEUE_URL" not in environment:
        built = replace(built, errands=RememberedErrands())
    if "MONEY_QUEUE_URL" not in environment:
        built = replace(built, money_errands=Errands())
    if "ROSTERS_QUEUE_URL" not in environment:
        built = replace(built, roster_errands=Errands())
    return built if "BUCKET" in environment else replace(built, files=RememberedFiles())


def an_actor(app_key: str, role: Role, region: str, institution_id: str | None = None) -> Actor:
    """A client with its operator; channels have none."""
    client = Client(app_key, app_key, role, (region,), (institution_id,) if institution_id else (), (), START)
    operator = Operator(f"OP{app_key}", "经*", "unused", region, institution_id, START)
    return Actor(client, None if role is Role.CHANNEL else operator)


def an_institution(institution_id: str, name: str) -> Institution:
    return Institution(institution_id, CITY, name, name, Kind.TRAINING, "22.543096", "114.057865", "wgs84")


def local(text: str) -> datetime:
    """An instant from UTC text, for clock edges."""
    return calendar.from_text(text)
