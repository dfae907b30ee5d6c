"""What may happen, told the plainest way: one thread, plain values, the words of the domain. And whether a race fits.

Nothing here is taken from the platform, so that the two can disagree. A race *fits* when there is an order of its acts,
each between its beginning and its end, in which the model answers what was answered and ends as the tables did.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

ENDED_FREE = ("returned", "expired", "revoked")
Answer = str
"""``redeemed 2`` (state and version), ``suspended 50`` (state and quantity), ``free 7``; or the code of a refusal."""


@dataclass(frozen=True)
class Act:
    """What somebody asks for. ``day``: when, as a number; ``shown``: the version that a token names; ``key``: of the
    request, where it may come twice; ``amount``: of vouchers, or of money in vouchers."""

    step: str
    template: str = ""
    person: str = ""
    key: str = ""
    body: str = ""
    day: int = 0
    shown: int | None = None
    amount: int = 0


@dataclass(frozen=True)
class Told:
    """An act, when it began and ended, and what it was answered. ``again``: the answer of an earlier request;
    ``behind``: what it can only follow."""

    act: Act
    began: float
    ended: float
    answer: Answer
    again: bool = False
    behind: "Told | None" = None


@dataclass(frozen=True)
class Voucher:
    """``steps`` is its whole story; ``kept`` the requests that are recognised: key → (body, answer)."""

    state: str
    steps: tuple[str, ...]
    kept: tuple[tuple[str, str, Answer], ...] = ()


@dataclass(frozen=True)
class Template:
    """``shutting``: suspended or closed, but not yet at every shard. ``last_day``: of its vouchers' validity."""

    state: str
    quantity: int
    remaining: int
    released: int = 0
    shutting: bool = False
    last_day: int = 0


@dataclass(frozen=True)
class Model:
    """``free``: money in vouchers, all of one price. Rules are those of the one region."""

    templates: Mapping[str, Template] = field(default_factory=dict)
    vouchers: Mapping[tuple[str, str], Voucher] = field(default_factory=dict)
    free: int = 0
    one_at_a_time: bool = False
    cap: int = 99
    cap_is_freed: bool = True

    def answers(self, act: Act) -> Iterator[tuple[Answer, bool, "Model"]]:
        """What may be answered now, whether as an earlier request's answer, and what is so afterwards."""
        voucher = self.vouchers.get((act.person, act.template))
        if act.step in _STEPS:
            for key, body, answer in voucher.kept if voucher else ():
                if act.key and key == act.key:
                    yield (answer, True, self) if body == act.body else ("idempotency_key_reused", False, self)
                    return
        for answer, after in _ALL[act.step](self, act):
            yield answer, False, after

    def voucher(self, act: Act) -> Voucher:
        return self.vouchers[act.person, act.template]

    def state(self, act: Act, template: str = "") -> str:
        """A voucher's state as it counts on the day of the act; of the act's person and, unless named, template."""
        voucher = self.vouchers[act.person, template or act.template]
        over = act.day > self.templates[template or act.template].last_day
        return "expired" if over and voucher.state == "claimed" else voucher.state

    def holds(self, act: Act) -> bool:
        """Whether the act's person holds any voucher."""
        return any(self.state(act, template) == "claimed" for person, template in self.vouchers if person == act.person)

    def step(self, act: Act, state: str) -> tuple[Answer, "Model"]:
        """The model after a voucher's step."""
        before = self.vouchers.get((act.person, act.template))
        steps = (*(before.steps if before else ()), act.step)
        answer = f"{state} {len(steps)}"
        kept = (*(before.kept if before else ()), (act.key, act.body, answer))
        vouchers = {**self.vouchers, (act.person, act.template): Voucher(state, steps, kept)}
        return answer, replace(self, vouchers=vouchers)

    def put(self, template: str, **changes: object) -> "Model":
        after = replace(self.templates[template], **changes)  # type: ignore[arg-type]
        return replace(self, templates={**self.templates, template: after})


Outcomes = Iterator[tuple[Answer, Model]]


# --- a voucher's steps -----------------------------------------------------------------------------------------------


def claim(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    mine = {named: voucher for (person, named), voucher in model.vouchers.items() if person == act.person}
    counted = sum(not (model.cap_is_freed and voucher.state == "returned") for voucher in mine.values())
    if act.template in mine:
        yield "already_claimed", model
        return
    if template.state == "draft":
        yield "template_not_found", model
        return
    if template.state != "published":
        yield "template_not_open", model
        if not template.shutting:
            return
    if counted >= model.cap:
        yield "cap_reached", model
    elif model.one_at_a_time and model.holds(act):
        yield "holds_another", model
    elif template.remaining == 0:
        yield "sold_out", model
    else:
        yield model.put(act.template, remaining=template.remaining - 1).step(act, "claimed")


def redeem(model: Model, act: Act) -> Outcomes:
    state = model.state(act)
    if state == "redeemed":
        yield "already_redeemed", model
    elif state == "expired":
        yield "expired", model
    elif state != "claimed":
        yield "voucher_ended", model
    elif act.shown not in (None, len(model.voucher(act).steps)):
        yield "token_not_accepted", model
    else:
        yield model.step(act, "redeemed")


def reverse(model: Model, act: Act) -> Outcomes:
    voucher = model.voucher(act)
    if "redeem" not in voucher.steps:
        yield "voucher_not_found", model  # that desk never saw it
    elif voucher.state != "redeemed":
        yield "not_redeemed", model
    elif model.one_at_a_time and model.holds(act):
        yield "holds_another", model
    else:
        yield model.step(act, "claimed")


def give_back(model: Model, act: Act) -> Outcomes:
    held = model.state(act) == "claimed"
    yield model.step(act, "returned") if held else ("not_held", model)


def revoke(model: Model, act: Act) -> Outcomes:
    revocable = model.state(act) in ("claimed", "redeemed")
    yield model.step(act, "revoked") if revocable else ("not_revocable", model)


def expire(model: Model, act: Act) -> Outcomes:
    if model.state(act) == "expired" and model.voucher(act).state == "claimed":
        yield model.step(act, "expired")


# --- a template's acts and its money ---------------------------------------------------------------------------------


def publish(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    if template.state != "draft":
        yield "template_state", model
    elif template.quantity > model.free:
        yield "budget_exceeded", model
    else:
        after = model.put(act.template, state="published", remaining=template.quantity)
        yield f"published {template.quantity}", replace(after, free=model.free - template.quantity)


def add(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    if template.state not in ("published", "suspended"):
        yield "template_state", model
    elif act.amount > model.free:
        yield "budget_exceeded", model
    else:
        quantity = template.quantity + act.amount
        after = model.put(act.template, quantity=quantity, remaining=template.remaining + act.amount)
        yield f"{template.state} {quantity}", replace(after, free=model.free - act.amount)


def suspend(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    if template.state != "published":
        yield "template_state", model
    else:
        yield f"suspended {template.quantity}", model.put(act.template, state="suspended", shutting=True)


def resume(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    if template.state != "suspended":
        yield "template_state", model
    else:
        yield f"published {template.quantity}", model.put(act.template, state="published", shutting=False)


def close(model: Model, act: Act) -> Outcomes:
    template = model.templates[act.template]
    if template.state == "closed":
        yield "template_state", model
    elif template.state == "draft":  # it is thrown away
        yield "closed 0", model.put(act.template, state="closed", quantity=0)
    else:
        yield f"closed {template.quantity}", model.put(act.template, state="closed", shutting=True)


def shut(model: Model, act: Act) -> Outcomes:
    """The end of a suspending or closing: every shard has heard of it. What a closed one has left is released."""
    template = model.templates[act.template]
    if template.state == "published":
        yield "", model  # it was resumed before
    elif template.state == "suspended":
        yield "", model.put(act.template, shutting=False)
    else:
        released = template.released + template.remaining
        yield "", model.put(act.template, shutting=False, remaining=0, released=released)


def budget(model: Model, act: Act) -> Outcomes:
    free = model.free + act.amount
    yield (f"free {free}", replace(model, free=free)) if free >= 0 else ("budget_exceeded", model)


_STEPS: dict[str, Callable[[Model, Act], Outcomes]] = {
    step.__name__: step for step in (claim, redeem, reverse, give_back, revoke, expire)
}
_ALL = _STEPS | {act.__name__: act for act in (publish, add, suspend, resume, close, shut, budget)}


# --- does a race fit? ------------------------------------------------------------------------------------------------


def an_end(start: Model, told: Sequence[Told], ends_so: Callable[[Model], bool]) -> Model | None:
    """What the model ends as, in an order in which it explains every answer and the end; None where there is none."""
    hopeless: set[tuple[frozenset[int], str]] = set()

    def search(model: Model, left: frozenset[int]) -> Model | None:
        # What changes nothing and can be explained now may as well be explained now: only changes are tried in turn.
        while quiet := [i for i in _ready(told, left) if any(after is model for after in _fitting(model, told[i]))]:
            left -= set(quiet)
        if not left:
            return model if ends_so(model) else None
        if (left, repr(model)) in hopeless:
            return None
        for i in _ready(told, left):
            for after in _fitting(model, told[i]):
                end = search(after, left - {i})
                if end is not None:
                    return end
        hopeless.add((left, repr(model)))
        return None

    return search(start, frozenset(range(len(told))))


def _ready(told: Sequence[Told], left: frozenset[int]) -> list[int]:
    """What may be next: nothing that is left ended before it began, or is what it follows."""
    first_end = min((told[i].ended for i in left), default=0.0)
    waiting = {id(told[i]) for i in left}
    ready = [i for i in left if told[i].began <= first_end and id(told[i].behind) not in waiting]
    return sorted(ready, key=lambda i: told[i].ended)


def _fitting(model: Model, told: Told) -> list[Model]:
    said = (told.answer, told.again)
    return [after for answer, again, after in model.answers(told.act) if (answer, again) == said]
