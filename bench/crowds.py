"""Crowds who check in through two containers at once: an online class, so many people a second, and a room beside it.

A request is sent when it is due, whether or not those before it are answered, to whichever container is free, as Lambda
does it; how long it took counts from when it was due. Each tenth person asks twice with one key, each tenth with two;
half of them at the same moment, so that both containers have them at once. Afterwards everybody's row is read.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from bench.process import Measured
from bench.steps import send
from bench.town import Event, Town
from chalicelib.domain.check_in import Way
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.history import check_chain, genesis
from chalicelib.domain.person import Profile
from chalicelib.domain.training_class import TrainingClass
from chalicelib.services.checking_in import ClassCode
from chalicelib.services.enrolling import MOST_AT_ONCE
from tests import classroom
from tests.world import a_person

Containers = tuple[Measured, Measured]
LATER = 0.5
"""Seconds after which the other half of those who ask twice does so."""
AHEAD = 0.2
"""Seconds before it is due that a request is made and signed."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody who is on a class, and the text of their session."""

    person: Profile
    training: TrainingClass
    voucher_id: str
    session: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody's request, ``due`` seconds after the start."""

    due: float
    seat: Seat
    key: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of it: seconds from when it was due to its answer, and those of them in the container."""

    asking: Asking
    seconds: float
    inside: float
    status: int
    said: dict[str, Any]


@dataclass
class Crowds:
    """``online`` come ``a_second``, those in the ``room`` in as long as it takes them."""

    town: Town
    online: list[Seat]
    room: list[Seat]
    a_second: float
    heard: list[Heard] = field(default_factory=list)
    took: float = 0.0
    _code: ClassCode | None = None
    _shown: dict[str, str] = field(default_factory=dict)

    def run(self, containers: Containers) -> None:
        """Everybody checks in."""
        waiting = SimpleQueue[tuple[Asking, Event] | None]()
        began = time.perf_counter() + 2 * AHEAD

        def serve(container: Measured) -> None:
            while (one := waiting.get()) is not None:
                asking, event = one
                _sleep_until(began + asking.due)
                answer = container.ask({"events": [event], "record": False})
                seconds = time.perf_counter() - began - asking.due
                (gave,), (inside,) = answer["gave"], answer["wall"]
                self.heard.append(Heard(asking, seconds, inside, gave["statusCode"], json.loads(gave["body"])))

        with ThreadPoolExecutor(len(containers)) as pool:
            serving = [pool.submit(serve, container) for container in containers]
            for asking in sorted(self._askings(), key=lambda one: one.due):
                _sleep_until(began + asking.due - AHEAD)
                waiting.put((asking, self._event(asking)))
            for _ in containers:
                waiting.put(None)
            for one in serving:
                one.result()
        self.took = time.perf_counter() - began

    def lost(self) -> int:
        """People whose check-in was acknowledged and is not there, or is there more than once, or otherwise than it was
        told; whoever was refused, or got no answer to go by, is an error."""
        answers: dict[str, list[Heard]] = {}
        for one in self.heard:
            answers.setdefault(one.asking.seat.voucher_id, []).append(one)
        there = {one.voucher_id: one for one in self._rows()}
        everybody = [*self.online, *self.room]
        assert there.keys() == answers.keys() == {seat.voucher_id for seat in everybody}
        return sum(not _is_kept(seat, there[seat.voucher_id], answers[seat.voucher_id]) for seat in everybody)

    def statuses(self) -> Counter[str]:
        """How often what was answered: the status, or the code of a refusal."""
        return Counter(str(one.said.get("code", one.status)) for one in self.heard)

    def reached(self) -> float:
        """People a second who had checked in online, until the last of them was told so first."""
        told: dict[str, float] = {}
        for one in self.heard:
            if one.asking.seat.training is self._online_class and one.status == 201:
                who, moment = one.asking.seat.voucher_id, one.asking.due + one.seconds
                told[who] = min(moment, told.get(who, moment))
        return len(told) / max(len(self.online) / self.a_second, *told.values())

    def waits(self) -> list[float]:
        """Seconds from when each request was due to its answer, the shortest first."""
        return sorted(one.seconds for one in self.heard)

    def busy(self) -> float:
        """The share of their time that the two containers worked."""
        return sum(one.inside for one in self.heard) / (2 * self.took)

    @property
    def _online_class(self) -> TrainingClass:
        return self.online[0].training

    def _askings(self) -> Iterator[Asking]:
        span = len(self.online) / self.a_second
        for crowd, apart in ((self.online, 1 / self.a_second), (self.room, span / len(self.room))):
            for number, seat in enumerate(crowd):
                due, key = number * apart, f"crowd-{seat.voucher_id}"
                yield Asking(due, seat, key)
                again = due + (0 if number % 20 < 10 else LATER)
                if number % 10 == 0:
                    yield Asking(again, seat, key)
                elif number % 10 == 5:
                    yield Asking(again, seat, f"{key}-2")

    def _event(self, asking: Asking) -> Event:
        seat = asking.seat
        code = None
        if seat.training is self._online_class:
            # Who repeats a request sends the code of the first time, whatever is shown by now.
            code = self._shown.setdefault(asking.key, self._code_now())
        return self.town.check_in(seat.person, seat.training, code=code, session=seat.session, key=asking.key)

    def _code_now(self) -> str:
        if self._code is None or self.town.tick() >= self._code.ends_at:
            self._code = self.town.class_code(self._online_class)
        return self._code.code

    def _rows(self) -> Iterator[Enrolment]:
        for class_id in (self._online_class.class_id, self.room[0].training.class_id):
            cursor = None
            while True:
                page = self.town.world.platform.enrolments.on_class(class_id, 50, cursor)
                yield from page.items
                cursor = page.cursor
                if cursor is None:
                    break


def crowds(town: Town, containers: Containers, *, online: int, room: int, a_second: float) -> Crowds:
    """People on two classes that go on now; both containers have claimed and redeemed for them, and are warm."""
    course = town.an_online_course()
    town.tick()
    plan = classroom.plan(town.world.now, place=None)
    there = classroom.plan(town.world.now)
    lesson = classroom.open_class(town.world, [plan], capacity=online, course_id=course.course_id)
    lecture = classroom.open_class(town.world, [there], capacity=room)
    return Crowds(town, _seats(town, containers, lesson, online), _seats(town, containers, lecture, room), a_second)


def _seats(town: Town, containers: Containers, training: TrainingClass, number: int) -> list[Seat]:
    template = town.template()
    people = [a_person() for _ in range(number)]
    claimed = _through(containers, [town.claim(person, template) for person in people])
    ids: list[str] = [json.loads(one["body"])["voucher_id"] for one in claimed]
    tokens = [town.token(person, one) for person, one in zip(people, ids, strict=True)]
    _through(containers, [town.redeem(token=token, course_id=training.course_id) for token in tokens])
    for first in range(0, number, MOST_AT_ONCE):
        told = classroom.enrol(town.world, training, *ids[first : first + MOST_AT_ONCE]).answer.results
        assert not [one for one in told if one.code], told[0]
    return [Seat(who, training, one, town.session(who)) for who, one in zip(people, ids, strict=True)]


def _through(containers: Containers, events: list[Event]) -> list[Any]:
    """A half to each, at once; all must be done."""
    with ThreadPoolExecutor(len(containers)) as pool:
        halves = events[: len(events) // 2], events[len(events) // 2 :]
        answers = pool.map(lambda container, half: send(container, half, status=201), containers, halves)
        return [one for answer in answers for one in answer["gave"]]


def _is_kept(seat: Seat, row: Enrolment, heard: Sequence[Heard]) -> bool:
    """Whether the row has one check-in, its history says so once, and every answer says what the history says."""
    done = [one for one in heard if one.status == 201]
    refused = [one for one in heard if one.status != 201]
    keys = {one.asking.key for one in done}
    # Of two keys one is first, whichever; the other is refused, whenever it comes.
    assert len(keys) == 1, (seat.voucher_id, [one.said for one in heard])
    assert all(one.said.get("code") == "already_checked_in" for one in refused), refused[0].said
    assert not any(one.asking.key in keys for one in refused), refused[0].said
    length = check_chain(row.history, genesis(f"class:{row.class_id}", row.person_id))
    told = [entry.said for entry in row.history if entry.said["step"] == "check_in"]
    way = Way.LOCATION if seat.training.sessions[0].place else Way.CLASS_CODE
    return (
        length == row.version
        and [(one.way, session) for session, one in row.check_ins.items()] == [(way, "S001")]
        and [(one["number"], one["facts"]["session"]) for one in told] == [(row.version, "S001")]
        and all((one.said["voucher_id"], one.said["version"]) == (row.voucher_id, row.version) for one in done)
        and all(one.said["at"] == told[0]["at"] for one in done)
    )


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))
