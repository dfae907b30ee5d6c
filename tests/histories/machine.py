"""Random histories of a small town: every step that there is, in any order, over a network that fails a quarter of the
time, repeated as it was and with another body; and what must hold after each step.

The town does not know what *should* be answered. It knows what may never be: a number that does not add up, a history
that was rewritten, an answer that was given and is not so, a refusal that changed something.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor
from chalicelib.domain.amendment import Changes, Errand
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import KEPT
from chalicelib.domain.errors import Contended, DomainError, Reused, Unavailable
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.institution import Admission, AdmissionStep
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.person import FlagKind, Person, Profile
from chalicelib.domain.proxy import Kin
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Receipt, State, Voucher, is_held
from chalicelib.services import (
    acting_for,
    amending,
    cataloguing,
    changing_vouchers,
    claiming,
    expiring,
    flagging,
    funding,
    publishing,
    redeeming,
)
from chalicelib.services.identifying import Presented
from chalicelib.services.making_vouchers import code_context
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow, ListedRow, PeopleRow, from_body, text
from chalicelib.storage.templates import to_shard
from tests.faults.layer import AtRandom, Fault, under
from tests.faults.operations import forget
from tests.services.faults import PowerCut
from tests.storage.worlds import own_world
from tests.world import (
    CITY,
    FACE_VALUE,
    INSTITUTION_ID,
    OTHER_INSTITUTION_ID,
    START,
    Books,
    World,
    a_person,
    check_books,
)

RATE = 0.25
SHARDS = 2
KINDS = tuple(fault for fault in Fault if fault is not Fault.SLOW)
LONGEST = KEPT - timedelta(days=1)
"""A history is shorter than requests are kept: a repetition is never judged anew in it."""

STOPPED = "the machine stopped"
UNKNOWN = (Unavailable.code, Contended.code, STOPPED)
"""After these nobody knows whether it was carried out."""

By = dict[str, Any]
Ask = Callable[[World, By], Done[Any]]

TEMPLATE_ACTS: dict[str, tuple[Any, ...]] = {
    "publish": (publishing.publish_template,),
    "suspend": (publishing.suspend_template,),
    "resume": (publishing.resume_template,),
    "add quantity": (publishing.add_quantity, 2),
    "close": (publishing.close_template,),
}
# Of what is possible some is wanted more often; a closed template ends most of a history.
DAYS_LONGER = (12, 25, 3, 40)
ACTS = ("suspend", "resume", "add quantity", "publish", "suspend", "resume", "add quantity", "publish", "close")
# Said again here, so that a wrong line in the domain's own table does not prove itself right.
MAY_FOLLOW: dict[State | None, set[State]] = {
    None: {State.CLAIMED},
    State.CLAIMED: {State.REDEEMED, State.RETURNED, State.EXPIRED, State.REVOKED},
    State.REDEEMED: {State.CLAIMED, State.REVOKED},
    **{ended: set() for ended in (State.RETURNED, State.EXPIRED, State.REVOKED)},
}
PROOFS = ("token", "code", "assertion")
USES = ("give back", "redeem", "reverse", "revoke", "give back", "reverse")

person_s = st.integers(0, 3)
template_s = st.integers(0, 2)
seed_s = st.integers(0, 999_999)


@dataclass
class Request:
    """One request, as it can come again. ``answer``: what it was told, once it was told that it was carried out."""

    kind: str
    actor: Actor
    key: str
    ask: Ask
    answer: Any = None


@dataclass
class Tally:
    """What all histories together were made of."""

    histories: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Standing:
    """All that the ledgers say at one moment."""

    vouchers: dict[tuple[str, str], Voucher]
    people: dict[str, Person]
    books: Books

    @property
    def unmoved(self) -> tuple[Any, ...]:
        """What a refusal must leave as it was. (It may carry on what another step has left half-done in the shards.)"""
        templates = tuple((one.state, one.quantity) for one in self.books.templates)
        return self.vouchers, self.people, templates, self.books.balances


class Histories(RuleBasedStateMachine):
    """One history. ``shared`` and ``tally`` are put here by who runs it."""

    shared: World
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Profile] = [a_person() for _ in range(4)]
        self.asking: set[int] = set()
        self.ids: dict[int, str] = {}
        self.requests: list[Request] = []
        self.acknowledged: list[Receipt] = []
        self.promises: list[tuple[str, datetime, date, int]] = []
        self.standing: Standing | None = None
        self.refused: str | None = None
        self.moved = True

    # --- how a step is taken -----------------------------------------------------------------------------------------

    def take(self, request: Request, seed: int, body: bytes = b"{}", rate: float = RATE) -> Done[Any] | str:
        """Carry a request out under faults: its answer, the code of its refusal, or what else became of it."""
        by = {
            "actor": request.actor,
            "attempt": self.world.attempt(request.key, body, request.actor),
            "now": self.world.now,
        }
        plan = AtRandom(seed, rate, KINDS)
        outcome: Done[Any] | str
        self.refused = None
        try:
            with under(plan):
                outcome = request.ask(self.world, by)
            word = "repeated" if outcome.hit else "done"
        except DomainError as refused:
            outcome = word = refused.code
            if not isinstance(refused, (Unavailable, Contended)):  # of these the outcome is unknown
                self.refused = f"{request.kind}: {word}"
        except PowerCut:
            outcome = word = STOPPED
            forget(self.world)
        self.moved = True
        self.tally.steps[request.kind] += 1
        self.tally.answers[word] += 1
        self.tally.calls += plan.calls
        self.tally.faults.update({str(fault): count for fault, count in plan.faults.items()})
        if isinstance(outcome, Done):
            if isinstance(outcome.answer, Receipt):
                self.acknowledged.append(outcome.answer)
            assert request.answer is None or outcome.answer == request.answer, (request, outcome)
            assert outcome.hit or request.answer is None, f"{request.kind} was carried out twice"
            request.answer = outcome.answer
        return outcome

    def begin(self, kind: str, actor: Actor, ask: Ask, seed: int) -> None:
        request = Request(kind, actor, f"{kind}-{len(self.requests)}-{self.world.account_id}", ask)
        self.requests.append(request)
        # Who does not know what became of it asks again, most of them twice.
        for patience in range(1 + seed % 3):
            if self.take(request, seed + patience) not in UNKNOWN:
                return

    def act(self, kind: str, service: Any, template: int, seed: int, *more: Any) -> None:
        template_id = self.world.templates[template]

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            done: Done[Any] = service(p.templates, p.accounts, p.marks, template_id, *more, **by)
            return done

        self.begin(kind, self.world.bureau, ask, seed)

    def voucher(self, person: int, template: int) -> Voucher | None:
        assert self.standing is not None
        person_id = self.ids.get(person)
        return self.standing.vouchers.get((person_id, self.world.templates[template])) if person_id else None

    # --- the bureau --------------------------------------------------------------------------------------------------

    @initialize(
        limit=st.integers(1, 4),
        one_at_a_time=st.booleans(),
        redeemed_counts=st.booleans(),
        frees=st.booleans(),
        quantities=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
        claimed=st.integers(0, 3),
        proxies=st.integers(0, 2),
    )
    def found(
        self,
        limit: int,
        one_at_a_time: bool,
        redeemed_counts: bool,
        frees: bool,
        quantities: tuple[int, int, int],
        claimed: int,
        proxies: int,
    ) -> None:
        """A bureau with little money, a rule set, and three templates, of which two are published."""
        self.tally.histories += 1
        self.shared.clock.set(START)
        self.world = world = own_world(self.shared, budget_fen=9 * FACE_VALUE)
        forget(world)
        p = world.platform
        other = p.catalogue.institutions.read(OTHER_INSTITUTION_ID)
        if other is not None and other.admission is Admission.SUSPENDED:  # by the history before
            by = world.by(world.bureau)
            cataloguing.change_admission(p.catalogue, p.marks, OTHER_INSTITUTION_ID, AdmissionStep.READMIT, **by)
        world.rules(
            caps=(Cap("cap", Window.YEAR, CapBy.ALL, limit),),
            one_at_a_time=one_at_a_time,
            redeemed_counts_as_held=redeemed_counts,
            give_back_frees_cap=frees,
            reversal_window=24 * 3600,
            proxy_limit=proxies,
        )
        self.decided = cataloguing.rules_in_force(p.catalogue, CITY, world.now)
        for quantity, days in zip(quantities, (2, 9, 20), strict=True):
            last = START.date() + timedelta(days=days)
            world.draft(quantity, valid_until=last, claim_until=last, peak_claims=12 * SHARDS)
        for template_id in world.templates[:2]:
            world.act(publishing.publish_template, world.template(template_id))
        for person in range(min(claimed, quantities[1])):
            world.claim(self.people[person], world.template(world.templates[1]))
            self.asking.add(person)
        self.standing = self._stand()

    @rule(act=st.sampled_from(ACTS), template=template_s, seed=seed_s)
    def act_on_template(self, act: str, template: int, seed: int) -> None:
        service, *more = TEMPLATE_ACTS[act]
        self.act(act, service, template, seed, *more)

    @rule(
        template=template_s,
        days=st.sampled_from(DAYS_LONGER),
        claims_too=st.booleans(),
        job=st.booleans(),
        seed=seed_s,
    )
    def amend(self, template: int, days: int, claims_too: bool, job: bool, seed: int) -> None:
        """Make a template valid longer, from today on; where that is no longer it is refused."""
        template_id = self.world.templates[template]
        until = calendar.local_date(self.world.now) + timedelta(days=days)
        changes = Changes(valid_until=until, claim_until=until if claims_too else None)

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            done = amending.amend(p.catalogue, p.templates, p.marks, p.errands, template_id, changes, "台风", **by)
            self.promises.append((template_id, by["now"], until, done.answer.number))
            return done

        self.begin("amend", self.world.bureau, ask, seed)
        if job and self.promises:
            self.carry_out(len(self.promises) - 1, 0, 100_000, seed)

    @precondition(lambda self: bool(self.promises))
    @rule(which=st.integers(0, 11), look=st.integers(0, 1), pages=st.sampled_from((40, 100_000)), seed=seed_s)
    def carry_out(self, which: int, look: int, pages: int, seed: int) -> None:
        """The job of an amendment, cut off by its time or by faults, over these people's lanes only."""
        p = self.world.platform
        template_id, _, _, number = self.promises[which % len(self.promises)]
        errand = Errand(template_id, number, look)
        people: Any = _SomeLanes(p.people, self._lanes())
        patience = iter(range(pages))

        def job() -> None:
            amending.carry_out(
                p.templates, people, errand, now=self.world.now, may_go_on=lambda: next(patience, None) is not None
            )

        self.in_the_background("carry out", "carried out", job, seed, RATE)

    @rule(vouchers=st.sampled_from((-2, -1, 1, 2)), seed=seed_s)
    def change_budget(self, vouchers: int, seed: int) -> None:
        account_id = self.world.account_id

        def ask(world: World, by: By) -> Done[Any]:
            p, amount = world.platform, vouchers * FACE_VALUE
            return funding.change_budget(
                p.accounts, p.marks, account_id=account_id, amount_fen=amount, note="调剂", **by
            )

        self.begin("change budget", self.world.bureau, ask, seed)

    @rule(admitted=st.booleans(), seed=seed_s)
    def set_admission(self, admitted: bool, seed: int) -> None:
        step = AdmissionStep.READMIT if admitted else AdmissionStep.SUSPEND

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return cataloguing.change_admission(p.catalogue, p.marks, OTHER_INSTITUTION_ID, step, **by)

        self.begin("set admission", self.world.bureau, ask, seed)

    # --- people ------------------------------------------------------------------------------------------------------

    @rule(person=person_s, template=template_s, seed=seed_s)
    def claim(self, person: int, template: int, seed: int) -> None:
        world, who = self.world, self.people[person]
        template_id = world.templates[template]
        jws = world.assertion(who, "claim", template_id)
        self.asking.add(person)
        self.begin("claim", world.channel, lambda w, by: _claim(w, template_id, jws, by), seed)

    @rule(person=person_s, relative=person_s, template=template_s, seed=seed_s)
    def claim_for(self, person: int, relative: int, template: int, seed: int) -> None:
        """A relative claims; nobody is their own, which is tried too."""
        world, template_id = self.world, self.world.templates[template]
        jws = world.assertion(self.people[person], "claim", template_id)
        proxy = claiming.ProxyRequest(world.assertion(self.people[relative], "proxy", template_id), Kin.OTHER)
        self.asking |= {person, relative}
        self.begin("claim for another", world.channel, lambda w, by: _claim(w, template_id, jws, by, proxy), seed)

    @precondition(lambda self: self._relations())
    @rule(which=st.integers(0, 11), by_proxy=st.booleans(), seed=seed_s)
    def end_relation(self, which: int, by_proxy: bool, seed: int) -> None:
        ends = self._relations()
        relation_id, proxy_id, person_id = ends[which % len(ends)]
        session = HolderSession(
            self.world.channel.app_key, proxy_id if by_proxy else person_id, self.world.now + timedelta(minutes=15)
        )

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return acting_for.end_relation(p.people, p.marks, relation_id, session=session, **by)

        self.begin("end relation", self.world.channel, ask, seed)

    @precondition(lambda self: bool(self.ids))
    @rule(person=person_s, on=st.booleans(), seed=seed_s)
    def flag(self, person: int, on: bool, seed: int) -> None:
        """Said of somebody, and mostly taken back: they claim and use nothing meanwhile."""
        person_id = sorted(self.ids.values())[person % len(self.ids)]

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            if on:
                return flagging.set_flag(p.people, p.marks, person_id, FlagKind.INELIGIBLE, "核对", None, **by)
            return flagging.clear_flag(p.people, p.marks, person_id, FlagKind.INELIGIBLE, "核对", **by)

        self.begin("flag" if on else "take a flag back", self.world.bureau, ask, seed)

    @rule(person=person_s, seed=seed_s)
    def claim_of_the_first(self, person: int, seed: int) -> None:
        """What everybody wants, until it is gone."""
        self.claim(person, 0, seed)

    @precondition(lambda self: self._any())
    @rule(use=st.sampled_from(USES), which=st.integers(0, 11), how=st.integers(0, 5), seed=seed_s)
    def use(self, use: str, which: int, how: int, seed: int) -> None:
        """A step of a voucher that there is; ``how`` is the proof and the place."""
        match use:
            case "redeem":
                self.redeem(which, PROOFS[how % 3], how >= 3, seed)
            case "reverse":
                self.reverse(which, seed)
            case "give back":
                self.give_back(which, seed)
            case _:
                self.revoke(which, seed)

    @precondition(lambda self: self._any())
    @rule(which=st.integers(0, 11), how=st.integers(0, 5), seed=seed_s)
    def scan(self, which: int, how: int, seed: int) -> None:
        """What desks do all day: redeem, and undo what was scanned by mistake."""
        _, voucher = self._pick(which)
        self.use("reverse" if voucher.state is State.REDEEMED else "redeem", which, how, seed)

    def give_back(self, which: int, seed: int) -> None:
        person, voucher = self._pick(which)
        session = self.world.session(self.people[person])

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return changing_vouchers.give_back(
                p.catalogue, p.templates, p.people, p.keys, voucher.voucher_id, session=session, **by
            )

        self.begin("give back", self.world.channel, ask, seed)

    # --- the desk ----------------------------------------------------------------------------------------------------

    def redeem(self, which: int, how: str, other: bool, seed: int) -> None:
        person, voucher = self._pick(which)
        desk = self.world.other_desk if other else self.world.desk
        shown = self._shown(person, voucher, how, desk)

        def ask(world: World, by: By) -> Done[Any]:
            place = {"institution_id": OTHER_INSTITUTION_ID, "course_id": "D" * 16} if other else {}
            return _redeem(world, shown, place, by)

        self.begin("redeem", desk, ask, seed)

    def reverse(self, which: int, seed: int) -> None:
        _, voucher = self._pick(which)
        used = voucher.redemption
        desk = self.world.other_desk if used and used.institution_id != INSTITUTION_ID else self.world.desk

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return changing_vouchers.reverse_redemption(
                p.catalogue, p.templates, p.people, p.enrolments, p.keys, voucher.voucher_id, "扫错了", **by
            )

        self.begin("reverse", desk, ask, seed)

    def revoke(self, which: int, seed: int) -> None:
        _, voucher = self._pick(which)

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return changing_vouchers.revoke_voucher(p.templates, p.people, p.keys, voucher.voucher_id, "资格有误", **by)

        self.begin("revoke", self.world.bureau, ask, seed)

    # --- again, later, elsewhere -------------------------------------------------------------------------------------

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 40), seed=seed_s)
    def repeat(self, which: int, seed: int) -> None:
        """The same request again: the same answer, or what became of it is decided now."""
        request = self.requests[which % len(self.requests)]
        known = request.answer is not None
        outcome = self.take(request, seed)
        assert not known or isinstance(outcome, Done) or outcome in UNKNOWN, (request.kind, outcome)

    @precondition(lambda self: any(one.answer is not None for one in self.requests))
    @rule(which=st.integers(0, 40), seed=seed_s)
    def repeat_with_another_body(self, which: int, seed: int) -> None:
        """A key that carried something out is of no use for anything else."""
        carried_out = [one for one in self.requests if one.answer is not None]
        request = carried_out[which % len(carried_out)]
        outcome = self.take(replace(request, kind=f"{request.kind} with another body"), seed, b'{"another":1}')
        assert outcome == Reused.code or outcome in UNKNOWN, (request.kind, outcome)

    @rule(hours=st.sampled_from((1, 23, 49)))
    def wait(self, hours: int) -> None:
        later = self.world.now + timedelta(hours=hours)
        if later - START < LONGEST:
            self.world.clock.set(later)

    @rule()
    def restart(self) -> None:
        """A container that has just been started."""
        forget(self.world)

    @rule(seed=seed_s, faults=st.booleans())
    def expire(self, seed: int, faults: bool) -> None:
        """The sweep, over the lanes of these people only: an empty lane is a call in which nothing can go wrong."""
        p = self.world.platform
        people: Any = _SomeLanes(p.people, self._lanes())
        passed = _Passed(calendar.local_date(self.world.now))

        def sweep() -> None:
            expiring.expire_due(p.templates, people, passed, now=self.world.now, may_go_on=lambda: True)

        self.in_the_background("expire", "swept", sweep, seed, RATE if faults else 0.0)

    def in_the_background(self, kind: str, done: str, job: Callable[[], None], seed: int, rate: float) -> None:
        """What no request asks for: it may fail, or be cut off, and whoever comes next goes on."""
        plan, word = AtRandom(seed, rate, KINDS), done
        try:
            with under(plan):
                job()
        except (Unavailable, Contended):
            word = f"{done} to a failure"
        except PowerCut:
            word = STOPPED
        self.moved = True
        self.tally.steps[kind] += 1
        self.tally.answers[word] += 1
        self.tally.calls += plan.calls
        self.tally.faults.update({str(fault): count for fault, count in plan.faults.items()})
        self.refused = None

    def _lanes(self) -> set[int]:
        return {keys.due_lane(person_id) for person_id in self.ids.values()}

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if self.standing is None or not self.moved:
            return
        before, now = self.standing, self._stand()
        self.standing, self.moved = now, False
        made = list(now.vouchers.values())
        check_books(now.books, made)
        for key, voucher in now.vouchers.items():
            _check_lawful(voucher)
            _check_promised(voucher, self.promises)
            if key in before.vouchers:
                earlier = before.vouchers[key].history
                assert voucher.history[: len(earlier)] == earlier, "a history was rewritten"
        assert before.vouchers.keys() <= now.vouchers.keys(), "a voucher is gone"
        for receipt in self.acknowledged:
            _check_kept(receipt, made)
        self._check_people(now.people, made)
        if self.refused:
            assert now.unmoved == before.unmoved, f"{self.refused}, and something was changed"

    def _check_people(self, people: dict[str, Person], made: list[Voucher]) -> None:
        for person_id, row in people.items():
            mine = [one for one in made if one.person_id == person_id]
            counted: Counter[str] = Counter(
                one.counted_as.text()
                for one in mine
                if not (self.decided.give_back_frees_cap and one.state is State.RETURNED)
            )
            assert {name: n for name, n in row.counts.items() if n} == dict(counted), row
            assert sum(counted.values()) <= self.decided.caps[0].limit
            assert len(row.serves) <= self.decided.proxy_limit
            assert len(set(row.serves.values())) == len(row.serves), "two relations with one person"
            assert set(row.serves.values()) <= people.keys() - {person_id}
            if self.decided.one_at_a_time:
                held = [
                    one
                    for one in mine
                    if is_held(one, self.world.now, redeemed_counts=self.decided.redeemed_counts_as_held)
                ]
                # What had lapsed and lives again is in the holder's favour, whatever was claimed in between.
                assert len(held) <= 1 + sum(_lived_again(one) for one in mine), [
                    (one.template_id, one.state) for one in held
                ]

    def _stand(self) -> Standing:
        """Read everything in three calls, since it is read after each step."""
        p: Any = self.world.platform
        tables, ids = p.people._tables, self.world.templates
        for number in self.asking - self.ids.keys():
            profile = self.people[number]
            found = p.people.find(p.keys.identities.keys(profile.id_type, profile.id_number))
            if found:
                self.ids[number] = found
        items = [keys.PERSON, *(keys.voucher_item(template_id) for template_id in ids)]
        wanted = [(person_id, item) for person_id in self.ids.values() for item in items]
        rows = tables.batch_get(PeopleRow, wanted) if wanted else []
        vouchers = [from_body(Voucher, text(row, "body")) for row in rows if text(row, "item") != keys.PERSON]
        people = [from_body(Person, text(row, "body")) for row in rows if text(row, "item") == keys.PERSON]
        return Standing(
            {(one.person_id, one.template_id): one for one in vouchers},
            {one.person_id: one for one in people},
            self._read_books(tables, ids),
        )

    def _read_books(self, tables: Any, ids: list[str]) -> Books:
        heads = [(keys.template(template_id), keys.HEAD) for template_id in ids]
        stock = [(keys.shard(template_id, n), keys.SHARD) for template_id in ids for n in range(SHARDS)]
        rows = tables.batch_get(ListedRow, heads + stock)
        templates = [from_body(Template, text(row, "body")) for row in rows if text(row, "item") == keys.HEAD]
        templates.sort(key=lambda one: ids.index(one.template_id))
        shards = [to_shard(row) for row in rows if text(row, "item") == keys.SHARD]
        account = tables.query(CaseworkRow, keys.account(self.world.account_id), limit=1000).items
        return Books(
            templates,
            {one.template_id: [s for s in shards if s.template_id == one.template_id] for one in templates},
            dict(from_body(Account, text(account[0], "body")).balances),
            [from_body(Posting, text(row, "body")) for row in account[1:]],
        )

    def _relations(self) -> list[tuple[str, str, str]]:
        """Those in force: relation, relative, person."""
        people = self.standing.people if self.standing else {}
        return sorted((one, row.person_id, served) for row in people.values() for one, served in row.serves.items())

    def _any(self) -> bool:
        return self.standing is not None and bool(self.standing.vouchers)

    def _pick(self, which: int) -> tuple[int, Voucher]:
        assert self.standing is not None
        numbers = {person_id: number for number, person_id in self.ids.items()}
        made = sorted(
            self.standing.vouchers.values(),
            key=lambda v: (numbers[v.person_id], self.world.templates.index(v.template_id)),
        )
        voucher = made[which % len(made)]
        return numbers[voucher.person_id], voucher

    def _shown(self, person: int, voucher: Voucher, how: str, desk: Actor) -> Presented:
        p = self.world.platform
        if how == "code":
            context = code_context(voucher.person_id, voucher.template_id)
            return Presented(code=p.keys.sealer.unseal(voucher.sealed_code, context))
        if how == "token" and voucher.state is State.CLAIMED and not is_over(voucher, self.world.now):
            return Presented(token=self.world.token(self.people[person], voucher.voucher_id))
        jws = self.world.assertion(self.people[person], "redeem", voucher.template_id, actor=desk)
        return Presented(assertion=jws, template_id=voucher.template_id)


def is_over(voucher: Voucher, now: datetime) -> bool:
    return calendar.in_force(voucher.valid_from, voucher.valid_until, now) != "in_force"


def _check_lawful(voucher: Voucher) -> None:
    state: State | None = None
    for entry in voucher.history:
        before, after = entry.said["from"], State(entry.said["to"])
        assert before == state, voucher.history
        if entry.said["step"] == "amend":
            assert after is state, voucher.history
            assert after in (State.CLAIMED, State.REDEEMED), voucher.history
        else:
            assert after in MAY_FOLLOW[state], voucher.history
        state = after
    assert state is voucher.state


def _check_promised(voucher: Voucher, promises: list[tuple[str, datetime, date, int]]) -> None:
    """Nothing expires while its template, amended before, promised that it is valid; each amendment stands once."""
    amended = [entry.said["facts"]["terms"] for entry in voucher.history if entry.said["step"] == "amend"]
    first = voucher.history[0].said["facts"]["terms"]
    assert amended == list(range(first + 1, first + 1 + len(amended))), voucher.history
    assert voucher.terms_version == first + len(amended), voucher.history
    last = voucher.history[-1]
    if last.said["step"] == "expire":
        for template_id, made_at, until, _ in promises:
            if template_id == voucher.template_id and made_at < last.at:
                assert calendar.local_date(last.at) > until, voucher.history


def _lived_again(voucher: Voucher) -> bool:
    return any(
        entry.said["step"] == "amend"
        and calendar.local_date(entry.at) > date.fromisoformat(entry.said["facts"]["valid_until_before"])
        for entry in voucher.history
    )


def _check_kept(receipt: Receipt, made: list[Voucher]) -> None:
    """What was answered is so: the step stands in the history at its place."""
    (voucher,) = [one for one in made if one.voucher_id == receipt.voucher_id]
    said = voucher.history[receipt.version - 1].said
    assert (said["step"], said["to"]) == (receipt.step, receipt.state)


def _claim(world: World, template_id: str, jws: str, by: By, proxy: claiming.ProxyRequest | None = None) -> Done[Any]:
    p = world.platform
    asked = claiming.ClaimRequest(template_id, jws, "card", proxy)
    return claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **by)


def _redeem(world: World, shown: Presented, place: dict[str, str], by: By) -> Done[Any]:
    p = world.platform
    here: dict[str, Any] = {"institution_id": INSTITUTION_ID, "course_id": world.course.course_id, **place}
    return redeeming.redeem_voucher(p.catalogue, p.templates, p.people, p.keys, shown, **here, **by)


class _SomeLanes:
    """People in whose index only some lanes are looked at."""

    def __init__(self, people: Any, lanes: set[int]) -> None:
        self._people, self._lanes = people, lanes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._people, name)

    def due(self, day: date, lane: int, limit: int, cursor: str | None) -> Any:
        if lane in self._lanes:
            return self._people.due(day, lane, limit, cursor)
        return Page((), None)

    def due_of(self, template_id: str, day: date, lane: int, limit: int, cursor: str | None) -> Any:
        if lane in self._lanes:
            return self._people.due_of(template_id, day, lane, limit, cursor)
        return Page((), None)


class _Passed:
    """A sweep that has come to the day before yesterday; each history has its own."""

    def __init__(self, today: date) -> None:
        self._today = today

    def swept_until(self, _: str) -> date:
        return self._today - timedelta(days=2)

    def advance(self, _: str, __: date) -> None:
        pass
