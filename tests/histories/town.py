"""A small town in which histories happen: how a step is taken over a network that fails, repeated as it was and with
another body; and what must hold of its vouchers, people and books after each.

The town does not know what *should* be answered. It knows what may never be: a number that does not add up, a history
that was rewritten, an answer that was given and is not so, a refusal that changed something.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import KEPT
from chalicelib.domain.errors import Contended, DomainError, Reused, Unavailable
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.person import Person, Profile
from chalicelib.domain.region import Rules
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Receipt, State, Voucher, is_held
from chalicelib.services import changing_vouchers, redeeming, sweeping
from chalicelib.services.identifying import Presented
from chalicelib.services.making_vouchers import code_context
from chalicelib.storage import keys
from chalicelib.storage.rows import CaseworkRow, Item, ListedRow, PeopleRow, from_body, text
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

# Said again here, so that a wrong line in the domain's own table does not prove itself right.
MAY_FOLLOW: dict[State | None, set[State]] = {
    None: {State.CLAIMED},
    State.CLAIMED: {State.REDEEMED, State.RETURNED, State.EXPIRED, State.REVOKED},
    State.REDEEMED: {State.CLAIMED, State.REVOKED},
    **{ended: set() for ended in (State.RETURNED, State.EXPIRED, State.REVOKED)},
}
PROOFS = ("token", "code", "assertion")
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

    def told(self) -> str:
        def listed(counts: Counter[str]) -> str:
            return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda one: -one[1]))

        return "\n".join(
            (
                f"{self.histories:,} histories, {self.steps.total():,} steps: {listed(self.steps)}",
                f"{self.calls:,} calls, {self.faults.total():,} faults: {listed(self.faults)}",
                f"answers: {listed(self.answers)}",
            )
        )


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


class Town(RuleBasedStateMachine):
    """One history. ``shared`` and ``tally`` are put here by who runs it."""

    shared: World
    tally: Tally
    world: World
    decided: Rules
    """The rules in force, for good."""

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

    def settle(self) -> World:
        """A town of its own in the shared China, with a little money, which offers nothing yet."""
        self.tally.histories += 1
        self.shared.clock.set(START)
        self.world = world = own_world(self.shared, budget_fen=9 * FACE_VALUE)
        forget(world)
        tables = world.platform.templates._tables  # type: ignore[attr-defined]
        # A region lists 200 templates; those of a hundred histories would fill it.
        tables.connection.delete_item(tables.name(ListedRow), keys.listing(CITY), keys.HEAD)
        return world

    # --- how a step is taken -----------------------------------------------------------------------------------------

    def take(self, request: Request, seed: int, body: bytes = b"{}") -> Done[Any] | str:
        """Carry a request out under faults: its answer, the code of its refusal, or what else became of it."""
        by = {
            "actor": request.actor,
            "attempt": self.world.attempt(request.key, body, request.actor),
            "now": self.world.now,
        }
        plan = self.plan(seed, self.rate(seed))
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

    def rate(self, seed: int) -> float:
        """How many of a step's calls fail."""
        return RATE

    def plan(self, seed: int, rate: float) -> AtRandom:
        """What becomes of a step's calls."""
        return AtRandom(seed, rate, KINDS)

    def begin(self, kind: str, actor: Actor, ask: Ask, seed: int) -> None:
        request = Request(kind, actor, self.key_of(kind), ask)
        self.requests.append(request)
        # Who does not know what became of it asks again, most of them twice.
        for patience in range(1 + seed % 3):
            if self.take(request, seed + patience) not in UNKNOWN:
                return

    def key_of(self, kind: str) -> str:
        """The key of the next request."""
        return f"{kind}-{len(self.requests)}-{self.world.account_id}"

    # --- the holder and the desk --------------------------------------------------------------------------------------

    def give_back(self, which: int, seed: int) -> None:
        person, voucher = self._pick(which)
        session = self.world.session(self.people[person])

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            return changing_vouchers.give_back(
                p.catalogue, p.templates, p.people, p.keys, voucher.voucher_id, session=session, **by
            )

        self.begin("give back", self.world.channel, ask, seed)

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

    @rule()
    def restart(self) -> None:
        """A container that has just been started."""
        forget(self.world)

    def in_the_background(self, kind: str, done: str, job: Callable[[], None], seed: int, rate: float) -> None:
        """What no request asks for: it may fail, or be cut off, and whoever comes next goes on."""
        plan, word = self.plan(seed, rate), done
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

    def sweep(self, passed: Any, seed: int, rate: float) -> None:
        """The sweep, over the lanes of these people only: an empty lane is a call in which nothing can go wrong.
        ``passed``: the days that it has come by."""
        p = self.world.platform
        some = replace(p, people=self.some_lanes(), checkpoints=passed)

        def sweep() -> None:
            sweeping.sweep_due(some, now=self.world.now, may_go_on=lambda: True)

        self.in_the_background("expire", "swept", sweep, seed, rate)

    def some_lanes(self) -> Any:
        """People in whose index only the lanes of these are looked at."""
        return _SomeLanes(self.world.platform.people, {keys.due_lane(person_id) for person_id in self.ids.values()})

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
            self.check_lawful(voucher)
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
        self.holds_beside()

    def check_lawful(self, voucher: Voucher) -> None:
        """Its history is one that a voucher can have here."""
        _check_lawful(voucher)

    def holds_beside(self) -> None:
        """What else must hold of a town that has more than vouchers."""

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
        """Read everything in two calls, since it is read after each step."""
        p: Any = self.world.platform
        tables, ids = p.people._tables, self.world.templates
        for number in self.asking - self.ids.keys():
            profile = self.people[number]
            found = p.people.find(p.keys.identities.keys(profile.id_type, profile.id_number))
            if found:
                self.ids[number] = found
        items = [keys.PERSON, *(keys.voucher_item(template_id) for template_id in ids)]
        mine = [(person_id, item) for person_id in self.ids.values() for item in items]
        heads = [(keys.template(template_id), keys.HEAD) for template_id in ids]
        stock = [(keys.shard(template_id, n), keys.SHARD) for template_id in ids for n in range(SHARDS)]
        mine_beside, listed_beside = self.keys_beside()
        people_rows, rows = tables.batch_get_both(
            (PeopleRow, mine + mine_beside), (ListedRow, heads + stock + listed_beside)
        )
        self.look_beside(people_rows, rows)
        vouchers = [from_body(Voucher, text(row, "body")) for row in people_rows if text(row, "item") in items[1:]]
        people = [from_body(Person, text(row, "body")) for row in people_rows if text(row, "item") == keys.PERSON]
        return Standing(
            {(one.person_id, one.template_id): one for one in vouchers},
            {one.person_id: one for one in people},
            self._read_books(tables, rows),
        )

    def keys_beside(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """What else is read of a town that has more than vouchers: rows of people, and of the catalogue."""
        return [], []

    def look_beside(self, people_rows: list[Item], rows: list[Item]) -> None:
        """Take what is there of it."""

    def _read_books(self, tables: Any, rows: list[Item]) -> Books:
        ids = self.world.templates
        at = {keys.template(template_id): template_id for template_id in ids}
        templates = [from_body(Template, text(row, "body")) for row in rows if text(row, "subject") in at]
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
        elif entry.said["step"] == "complete":
            assert before == after == State.REDEEMED, voucher.history
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
