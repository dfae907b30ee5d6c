"""What may never be of classes, enrolments and attendance: recounted from the histories, with nothing of the domain's
own arithmetic. The numbers and transitions are said again here, so that a wrong line there does not prove itself right.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.calendar import from_text
from chalicelib.domain.check_in import Result, Way
from chalicelib.domain.enrolment import Enrolment, EnrolmentState, attendance
from chalicelib.domain.evaluation import Evaluation, Ratings
from chalicelib.domain.history import Entry, check_chain, genesis
from chalicelib.domain.region import Overlaps
from chalicelib.domain.training_class import ClassState, Session, TrainingClass
from chalicelib.domain.voucher import State, Voucher

ON, LEFT = EnrolmentState.ENROLLED, EnrolmentState.LEFT
ENDED = (EnrolmentState.COMPLETED, EnrolmentState.NOT_COMPLETED)
MAY_FOLLOW: Mapping[str, Collection[tuple[str | None, str]]] = {
    "enrol": [(None, ON), (LEFT, ON)],
    "check_in": [(ON, ON)],
    "excuse": [(ON, ON)],
    "leave": [(ON, LEFT)],
    "complete": [(ON, one) for one in ENDED],
    "rate": [(one, one) for one in ENDED],
}
BY_THE_PERSON = (Way.LOCATION, Way.CLASS_CODE)


@dataclass(frozen=True)
class Rooms:
    """All classes that are known, and who is or was on them, at one moment. Enrolments and evaluations by person and
    class; ``listed``: the same pairs, as the classes name them."""

    classes: Mapping[str, TrainingClass]
    enrolments: Mapping[tuple[str, str], Enrolment]
    listed: frozenset[tuple[str, str]]
    evaluations: Mapping[tuple[str, str], Evaluation]
    ratings: Mapping[str, Ratings]

    def on_class(self, class_id: str) -> list[Enrolment]:
        return [one for one in self.enrolments.values() if one.class_id == class_id]

    def of_person(self, person_id: str) -> list[Enrolment]:
        return [one for one in self.enrolments.values() if one.person_id == person_id]


@dataclass
class Told:
    """What a history tells, entry by entry. ``earned``: by which voucher somebody was at a session."""

    state: str | None = None
    voucher: str = ""
    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    earned: dict[str, str] = field(default_factory=dict)
    excused: set[str] = field(default_factory=set)
    by_hand: int = 0
    rating: int | None = None


def tell(entries: Sequence[Entry]) -> Told:
    """Live the entries again; fails at the first that may not follow."""
    told = Told()
    for entry in entries:
        said, facts = entry.said, entry.said["facts"]
        assert (said["from"], said["to"]) in MAY_FOLLOW[said["step"]], said
        assert said["from"] == told.state, said
        match said["step"]:
            case "enrol":
                told.voucher = facts["voucher"]
            case "check_in":
                assert facts["session"] not in told.there, f"twice at {facts['session']}"
                told.there[facts["session"]] = facts
                told.earned[facts["session"]] = told.voucher
                told.by_hand += facts["way"] == "by_hand"
            case "excuse":
                assert facts["session"] not in told.there.keys() | told.excused, said
                told.excused.add(facts["session"])
            case "rate":
                told.rating = facts["rating"]
        told.state = said["to"]
    return told


def check_enrolment(one: Enrolment, training: TrainingClass) -> None:
    """The row is what its history tells, and no more; each request stands in it once."""
    assert check_chain(one.history, genesis(f"class:{one.class_id}", one.person_id)) == one.version, one
    told = tell(one.history)
    assert (one.state, one.voucher_id, one.rating) == (told.state, told.voucher, told.rating), one
    kept = {key: (it.result, it.way, it.at, it.metres) for key, it in one.check_ins.items()}
    assert kept == {
        key: (facts["result"], facts["way"], from_text(facts["checked_in_at"]), facts.get("metres"))
        for key, facts in told.there.items()
    }, one
    assert set(one.excused) == told.excused, one
    requests = Counter(entry.said["request"] for entry in one.history if entry.said["request"])
    assert max(requests.values()) == 1, f"a request was carried out twice: {requests}"
    known = {session.session_id for session in training.sessions}
    assert told.there.keys() | told.excused <= known, one
    held = [session.session_id for session in training.sessions if session.cancelled is None]
    attended = sum(session_id in told.there for session_id in held)
    counted = attendance(one, training)
    assert (counted.held, counted.attended) == (len(held), attended), one
    assert counted.attended <= counted.held
    if told.state in ENDED:
        _check_end(one, training, attended, len(held))


def _check_end(one: Enrolment, training: TrainingClass, attended: int, held: int) -> None:
    """Nobody has completed a class without the share that was frozen on it; and whoever had it has."""
    assert training.state is ClassState.FINISHED, (one, training)
    needed = training.rules.attendance_percent
    reached = bool(held) and attended / held * 100 >= needed
    assert (EnrolmentState.COMPLETED in (told := {entry.said["to"] for entry in one.history})) is reached, one
    assert len(told & set(ENDED)) == 1, one
    (end,) = [entry.said["facts"] for entry in one.history if entry.said["step"] == "complete"]
    assert (end["held"], end["attended"], end["needed"]) == (held, attended, needed), end


def check_class(training: TrainingClass, people: Sequence[Enrolment]) -> None:
    """Who is on it is counted, never over its capacity; no two sessions at once; one make-up for one cancelled."""
    on = sum(one.state != LEFT for one in people)
    assert training.enrolled == on <= training.capacity, (training.enrolled, on, training.capacity)
    assert [one.session_id for one in training.sessions] == [f"S{i + 1:03d}" for i in range(len(training.sessions))]
    held = [one for one in training.sessions if one.cancelled is None]
    assert not any(_at_once(one, other) for one in held for other in held if one is not other), held
    cancelled = {one.session_id for one in training.sessions if one.cancelled is not None}
    made_up = Counter(one.makes_up_for for one in held if one.makes_up_for is not None)
    assert made_up.keys() <= cancelled, training.sessions
    assert all(count == 1 for count in made_up.values()), made_up
    if training.state is ClassState.FINISHED:
        assert training.ended_at is not None
        assert held
        assert training.ended_at >= max(one.ends_at for one in held), training


def check_class_went_on(before: TrainingClass, now: TrainingClass) -> None:
    """Its rules stay frozen, an end is an end, and a session that was planned or cancelled stays so."""
    assert (before.rules, before.capacity) == (now.rules, now.capacity)
    assert now.version >= before.version
    assert before.state in (now.state, ClassState.OPENED), (before.state, now.state)
    if before.state is not ClassState.OPENED:
        assert (before.sessions, before.ended_at) == (now.sessions, now.ended_at), "a class that had ended was changed"
    assert len(before.sessions) <= len(now.sessions)
    for one, other in zip(before.sessions, now.sessions, strict=False):
        assert one.cancelled in (other.cancelled, None), (one, other)


def check_vouchers(rooms: Rooms, vouchers: Mapping[str, Voucher]) -> None:
    """Once somebody was there by a voucher, its use is not undone; one that is not used puts nobody on a class."""
    holding = Counter[str]()
    for one in rooms.enrolments.values():
        told = tell(one.history)
        for session_id, voucher_id in told.earned.items():
            assert vouchers[voucher_id].state in (State.REDEEMED, State.REVOKED), (
                f"at {session_id} by a voucher that is {vouchers[voucher_id].state}",
                one,
            )
        if one.state == ON:
            assert vouchers[one.voucher_id].state in (State.REDEEMED, State.REVOKED), one
        holding[one.voucher_id] += one.state != LEFT and not _is_cancelled(one, rooms)
    assert max(holding.values(), default=0) <= 1, f"a voucher on two classes: {holding}"


def check_evaluations(rooms: Rooms) -> None:
    """The sums are those of the evaluations that there are, each by somebody who completed the class."""
    for person_id, class_id in rooms.evaluations:
        assert rooms.enrolments[person_id, class_id].state == EnrolmentState.COMPLETED
    for class_id in rooms.classes:
        made = [one.ratings for (_, of), one in rooms.evaluations.items() if of == class_id]
        sums: Counter[str] = sum((Counter(one) for one in made), Counter())
        told = rooms.ratings.get(class_id, Ratings(class_id))
        assert (told.count, dict(told.sums)) == (len(made), dict(sums)), (told, made)


def check_new_entry(
    entry: Entry, one: Enrolment, rooms: Rooms, vouchers: Mapping[str, Voucher], seen: Mapping[str, Collection[Any]]
) -> None:
    """An entry that a step has just written: the class allowed it. ``seen``: each class in every version that a
    container may remember; the person's own check-in may go by any of them, the institution's acts by the last."""
    said = entry.said
    last = rooms.classes[one.class_id]
    match said["step"]:
        case "check_in":
            by_the_person = said["facts"]["way"] in BY_THE_PERSON
            looks: Collection[TrainingClass] = seen[one.class_id] if by_the_person else (last,)
            assert any(_allows(look, said["facts"], entry.at) for look in looks), (said, last)
            if said["facts"]["way"] == "by_hand":
                held = sum(session.cancelled is None for session in last.sessions)
                told = tell(one.history[: said["number"]])
                assert told.by_hand <= last.rules.by_hand_percent * held // 100, f"{told.by_hand} by hand of {held}"
        case "enrol":
            assert last.state is ClassState.OPENED
            used = vouchers[said["facts"]["voucher"]].redemption
            assert used is not None
            assert (used.institution_id, used.course_id) == (last.institution_id, last.course_id)
            _check_overlaps(one, rooms, seen)
        case "excuse":
            assert last.state is ClassState.OPENED


def _allows(training: TrainingClass, facts: Mapping[str, Any], now: datetime) -> bool:
    (session,) = [one for one in training.sessions if one.session_id == facts["session"]]
    if training.state is not ClassState.OPENED or session.cancelled is not None:
        return False
    at, way, rules = from_text(facts["checked_in_at"]), facts["way"], training.rules
    if way == "by_hand":
        return session.starts_at - timedelta(seconds=rules.opens) <= at == now
    if not session.starts_at - timedelta(seconds=rules.opens) <= at <= session.ends_at:
        return False
    late = at - session.starts_at > timedelta(seconds=rules.late)
    if facts["result"] != (Result.LATE if late else Result.PRESENT):
        return False
    if way == "reported":
        return timedelta() <= now - at <= timedelta(seconds=rules.offline_grace)
    if way == "location" and not (session.place and 0 <= facts["metres"] <= rules.radius + rules.allowance):
        return False
    return at == now


def _check_overlaps(one: Enrolment, rooms: Rooms, seen: Mapping[str, Collection[Any]]) -> None:
    training = rooms.classes[one.class_id]
    for other in rooms.of_person(one.person_id):
        if other is one or other.state != ON or _is_cancelled(other, rooms):
            continue
        both = {_overlap(training, look) for look in seen[other.class_id]}
        if training.rules.overlaps is Overlaps.REFUSED:
            assert False in both, (training, rooms.classes[other.class_id])
        if training.rules.overlaps is Overlaps.FLAGGED and both == {True}:
            assert one.overlaps


def _is_cancelled(one: Enrolment, rooms: Rooms) -> bool:
    """Whoever was on a class that was cancelled is free for another."""
    return rooms.classes[one.class_id].state is ClassState.CANCELLED


def _overlap(one: TrainingClass, other: TrainingClass) -> bool:
    first, second = ([it for it in of.sessions if it.cancelled is None] for of in (one, other))
    return any(_at_once(a, b) for a in first for b in second)


def _at_once(one: Session, other: Session) -> bool:
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at
