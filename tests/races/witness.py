"""Who was asked for what, when, and what came of it: a race as it was seen, to be held against the model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from chalicelib.domain.errors import DomainError
from chalicelib.domain.fund import Balance
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.person import Profile
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Receipt
from chalicelib.services import funding, publishing, sweeping
from chalicelib.services.identifying import Presented
from tests.races.model import Act, Model, Told, an_end
from tests.races.model import Template as ModelTemplate
from tests.world import FACE_VALUE, World

ACTS = {
    "publish": publishing.publish_template,
    "add": publishing.add_quantity,
    "suspend": publishing.suspend_template,
    "resume": publishing.resume_template,
    "close": publishing.close_template,
}


@dataclass
class Witness:
    """Carries out acts in any container and thread, and remembers them. ``start`` is the model before the first."""

    world: World
    start: Model
    told: list[Told] = field(default_factory=list)
    people: dict[str, Profile] = field(default_factory=dict)
    vouchers: dict[tuple[str, str], str] = field(default_factory=dict)

    # --- what is asked for ---

    def claim(self, world: World, person: Profile, template: Template, *, key: str = "", **how: Any) -> Any:
        name, template_id = person.id_number, template.template_id
        self.people[name] = person
        act = Act("claim", template_id, name, key, day=_day(world))
        done = self._see(act, lambda: world.claim(person, template, key=key or None, **how))
        if isinstance(done, Done):
            self.vouchers[name, template_id] = done.answer.voucher_id
        return done

    def redeem(
        self, world: World, person: Profile, template: Template, shown: Presented, *,
        version: int | None = None, key: str = "", body: str = "",
    ) -> Any:  # fmt: skip
        """``version``: the one that a token names."""
        act = Act("redeem", template.template_id, person.id_number, key, body, _day(world), version)
        return self._see(act, lambda: world.redeem(shown, key=key or None, body=body.encode() or b"{}"))

    def reverse(self, world: World, person: Profile, template: Template, *, key: str = "") -> Any:
        act, voucher_id = self._named(world, "reverse", person, template, key)
        return self._see(act, lambda: world.reverse(voucher_id, key=key or None))

    def give_back(self, world: World, person: Profile, template: Template, *, key: str = "") -> Any:
        act, voucher_id = self._named(world, "give_back", person, template, key)
        return self._see(act, lambda: world.give_back(person, voucher_id, key=key or None))

    def revoke(self, world: World, person: Profile, template: Template, *, key: str = "") -> Any:
        act, voucher_id = self._named(world, "revoke", person, template, key)
        return self._see(act, lambda: world.revoke(voucher_id, key=key or None))

    def sweep(self, world: World, person: Profile, template: Template) -> None:
        """The sweep, its index showing this voucher. It answers with a number; the voucher tells the rest."""
        named = person.id_number, template.template_id
        due: Any = _Due(world.platform.people, (self._person_id(named[0]), named[1]))
        began = time.monotonic()
        swept = sweeping.sweep_due(replace(world.platform, people=due), now=world.now, may_go_on=lambda: True)
        if swept.expired:
            version = world.voucher(self.vouchers[named]).version
            act = Act("expire", named[1], named[0], day=_day(world))
            self.told.append(Told(act, began, time.monotonic(), f"expired {version}"))

    def act(self, world: World, step: str, template: Template, *amount: int) -> Any:
        """publish, add (with a number of vouchers), suspend, resume, close."""
        asked = Act(step, template.template_id, amount=sum(amount))
        done = self._see(asked, lambda: world.act(ACTS[step], template, *amount))
        if step in ("suspend", "close") and isinstance(done, Done):
            seen = next(one for one in reversed(self.told) if one.act is asked)
            self.told.append(Told(Act("shut", template.template_id), seen.began, seen.ended, "", behind=seen))
        return done

    def budget(self, world: World, vouchers: int) -> Any:
        """Raise or lower the budget by the price of so many vouchers."""
        p, price = world.platform, vouchers * FACE_VALUE
        return self._see(
            Act("budget", amount=vouchers),
            lambda: funding.change_budget(
                p.accounts,
                p.marks,
                account_id=world.account_id,
                amount_fen=price,
                note="调整",
                **world.by(world.bureau),
            ),
        )

    # --- what came of it ---

    def must_fit(self) -> None:
        """Fails with all that was seen when no order of the acts explains it; else goes on from there."""
        end = self.fits()
        told = sorted(self.told, key=lambda one: one.began)
        assert end is not None, "\n".join(
            ["no order explains this:", *map(str, told), "the tables say:", str(self._vouchers()[0])]
        )
        self.start, self.told = end, []

    def fits(self) -> Model | None:
        """What the model ends as, in an order of the acts that explains them and the tables."""
        return an_end(self.start, self.told, lambda model: not self.differences(model))

    def differences(self, model: Model) -> list[str]:
        """Where the tables are not as the model ended, of all that was touched."""
        pairs = {"voucher": self._vouchers(model), "template": self._templates(model), "person": self._people(model)}
        return [
            f"{what} {key}: {seen[key]} is no {wanted.get(key)}"
            for what, (seen, wanted) in pairs.items()
            for key in seen
            if seen[key] != wanted.get(key)
        ]

    def _touched(self) -> set[tuple[str, str]]:
        return {(one.act.person, one.act.template) for one in self.told if one.act.person}

    def _vouchers(self, model: Model | None = None) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """State, version and steps."""
        seen = {}
        for person, template in self._touched():
            row = self.world.platform.people.voucher(self._person_id(person), template)
            steps = tuple(entry.said["step"] for entry in row.history) if row else ()
            seen[person, template] = (row.state.value, row.version, steps) if row else None
        wanted = {key: (v.state, len(v.steps), v.steps) for key, v in model.vouchers.items()} if model else {}
        return seen, wanted

    def _templates(self, model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
        seen: dict[str, Any] = {}
        wanted: dict[str, Any] = {}
        for template_id, template in model.templates.items():
            row = self.world.template(template_id)
            stock = self.world.stock(row)
            counts = {state.value: n for state, n in stock.counts.items() if n}
            seen[template_id] = (
                row.state.value, stock.quantity, stock.unallotted, stock.remaining, stock.released, stock.made, counts,
                stock.ever_claimed, stock.ever_redeemed,
            )  # fmt: skip
            mine = [v for (_, named), v in model.vouchers.items() if named == template_id]
            steps = [step for v in mine for step in v.steps]
            states = [v.state for v in mine]
            waiting = template.quantity if template.state == "draft" else 0
            wanted[template_id] = (
                template.state, template.quantity, waiting, template.remaining, template.released, len(mine),
                {state: states.count(state) for state in set(states)},
                steps.count("claim"), steps.count("redeem") - steps.count("reverse"),
            )  # fmt: skip
        seen["free"], wanted["free"] = self.world.balances()[Balance.FREE], model.free * FACE_VALUE
        return seen, wanted

    def _people(self, model: Model) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """What of the hand is written down, what is there that should not be (the ended may), what a cap counts."""
        seen: dict[str, Any] = {}
        wanted: dict[str, Any] = {}
        last_day = max((one.act.day for one in self.told), default=0)
        for name in {person for person, _ in self._touched()}:
            mine = {template: v.state for (who, template), v in model.vouchers.items() if who == name}
            perhaps = {template for template, state in mine.items() if state != "returned"}
            surely = {
                template
                for template in perhaps
                if mine[template] == "redeemed" or model.state(Act("", template, name, day=last_day)) == "claimed"
            }
            person = self.world.platform.people.read(self._person_id(name), [])[0]
            held, counted = (set(person.held), sum(person.counts.values())) if person else (set(), 0)
            seen[name] = held & surely, held - perhaps, counted
            wanted[name] = surely, set(), len(perhaps) if model.cap_is_freed else len(mine)
        return seen, wanted

    def _person_id(self, name: str) -> str:
        p, profile = self.world.platform, self.people[name]
        return p.people.find(p.keys.identities.keys(profile.id_type, profile.id_number)) or "nobody"

    def _named(self, world: World, step: str, person: Profile, template: Template, key: str) -> tuple[Act, str]:
        named = person.id_number, template.template_id
        return Act(step, named[1], named[0], key, day=_day(world)), self.vouchers[named]

    def _see(self, act: Act, do: Callable[[], Done[Any]]) -> Any:
        began = time.monotonic()
        try:
            done: Any = do()
            answer, again = _in_words(done.answer), done.hit
        except DomainError as refused:
            done, answer, again = refused, refused.code, False
        self.told.append(Told(act, began, time.monotonic(), answer, again))
        return done


class _Due:
    """People whose index of what is due shows one voucher, each day: the index finds, the rows decide."""

    def __init__(self, people: Any, voucher: tuple[str, str]) -> None:
        self._people, self._voucher = people, voucher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._people, name)

    def due(self, day: date, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, str]]:
        return Page((self._voucher,) if lane == 0 else (), None)


def a_witness(world: World, *templates: Template, **rules: Any) -> Witness:
    """Before anybody holds anything of these templates."""
    rows = {}
    for one in templates:
        remaining = 0 if one.state.value == "draft" else one.quantity
        last_day = world.platform.templates.terms(one.template_id, 1).valid_until.toordinal()
        rows[one.template_id] = ModelTemplate(one.state.value, one.quantity, remaining, last_day=last_day)
    return Witness(world, Model(rows, free=world.balances()[Balance.FREE] // FACE_VALUE, **rules))


def _day(world: World) -> int:
    """The number of the day, in China."""
    return (world.now + timedelta(hours=8)).date().toordinal()


def _in_words(answer: Any) -> str:
    if isinstance(answer, Receipt):
        return f"{answer.state} {answer.version}"
    if isinstance(answer, Template):
        return f"{answer.state} {answer.quantity}"
    return f"free {answer.balances[Balance.FREE] // FACE_VALUE}"
