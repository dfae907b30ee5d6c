"""Random histories of a small town: every step that there is, in any order, over a network that fails a quarter of the
time, repeated as it was and with another body; and what must hold after each step.

The town does not know what *should* be answered. It knows what may never be: a number that does not add up, a history
that was rewritten, an answer that was given and is not so, a refusal that changed something.
"""

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from chalicelib.domain import calendar
from chalicelib.domain.amendment import Changes, Errand
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.institution import Admission, AdmissionStep
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import FlagKind
from chalicelib.domain.proxy import Kin
from chalicelib.domain.region import Cap, CapBy, Window
from chalicelib.domain.voucher import State
from chalicelib.services import (
    acting_for,
    amending,
    cataloguing,
    claiming,
    flagging,
    funding,
    publishing,
)
from tests.histories.town import LONGEST, PROOFS, RATE, SHARDS, By, Town, seed_s
from tests.world import (
    CITY,
    FACE_VALUE,
    OTHER_INSTITUTION_ID,
    START,
    World,
)

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
USES = ("give back", "redeem", "reverse", "revoke", "give back", "reverse")

person_s = st.integers(0, 3)
template_s = st.integers(0, 2)


class Histories(Town):
    """One history of the town."""

    def act(self, kind: str, service: Any, template: int, seed: int, *more: Any) -> None:
        template_id = self.world.templates[template]

        def ask(world: World, by: By) -> Done[Any]:
            p = world.platform
            done: Done[Any] = service(p.templates, p.accounts, p.marks, template_id, *more, **by)
            return done

        self.begin(kind, self.world.bureau, ask, seed)

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
        world = self.settle()
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
        people = self.some_lanes()
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

    @rule(hours=st.sampled_from((1, 23, 49)))
    def wait(self, hours: int) -> None:
        later = self.world.now + timedelta(hours=hours)
        if later - START < LONGEST:
            self.world.clock.set(later)

    @rule(seed=seed_s, faults=st.booleans())
    def expire(self, seed: int, faults: bool) -> None:
        """The sweep of last night."""
        self.sweep(_Passed(calendar.local_date(self.world.now)), seed, RATE if faults else 0.0)


def _claim(world: World, template_id: str, jws: str, by: By, proxy: claiming.ProxyRequest | None = None) -> Done[Any]:
    p = world.platform
    asked = claiming.ClaimRequest(template_id, jws, "card", proxy)
    return claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **by)


class _Passed:
    """A sweep that has come to the day before yesterday; each history has its own."""

    def __init__(self, today: date) -> None:
        self._today = today

    def swept_until(self, _: str) -> date:
        return self._today - timedelta(days=2)

    def advance(self, _: str, __: date) -> None:
        pass
