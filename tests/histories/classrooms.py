"""Random histories of classes: opened, with holders of used vouchers on them, who leave and come back, check in by
every way, and whose redemptions are reversed; over a network that fails, repeated as it was and with another body.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from chalicelib.domain.access import Actor
from chalicelib.domain.assertion import HolderSession
from chalicelib.domain.attempt import attempt_of
from chalicelib.domain.check_in import Position
from chalicelib.domain.enrolment import Enrolment, EnrolmentReceipt
from chalicelib.domain.errors import ClassStateRefused, DomainError
from chalicelib.domain.evaluation import Evaluation, Ratings
from chalicelib.domain.outcomes import Done
from chalicelib.domain.region import Cap, CapBy, Overlaps, Window
from chalicelib.domain.terminal import Terminal
from chalicelib.domain.training_class import ClassState, TrainingClass
from chalicelib.domain.voucher import Voucher
from chalicelib.services import cataloguing, checking_in, enrolling, evaluating, holding_classes
from chalicelib.services.checking_in import Report, Reported, ReportedList
from chalicelib.services.enrolling import EnrolledList
from chalicelib.services.evaluating import Evaluated
from chalicelib.services.identifying import Presented
from chalicelib.services.making_vouchers import code_context
from chalicelib.storage import keys
from chalicelib.storage.rows import Item, from_body, text
from tests.classroom import HOUR, STARS, THERE, enrol, open_class, plan
from tests.faults.operations import forget
from tests.histories import class_laws
from tests.histories.class_laws import Rooms
from tests.histories.town import LONGEST, RATE, SHARDS, Ask, Request, Town, seed_s
from tests.services.test_card_reads import read
from tests.world import CITY, START

FAR = replace(THERE, latitude=22.5470)
MINUTES = (0, 20, -15, -16, 180, 181)
"""From a session's start: there in time, late, as early as may be, too early, at its end, too late."""
WAYS = ("location", "code", "scan", "hand", "location", "card", "far")
MOST_CLASSES, MOST_SESSIONS, VOUCHERS = 3, 6, 5
NOW, LAST = 0, 7
"""Which session is meant: the one that goes on, or one by its number; the last number is none."""

# Of what is possible some is wanted more often; a class that has ended ends most of a history.
OFFICE = ("open", "add a session", "cancel a session", "make up for a session", "move a session")
LIFE = (
    *("go on", "check in", "reverse", "go on", "put on", "report", "leave and come back") * 4,
    *("go on", "redeem", "say", "repeat", "repeat with another body", "repeat with another body", *OFFICE) * 2,
    *("leave", "revoke", "wait", "restart", "finish", "cancel"),
)
HOURS = (24, 3, 1, 50)
LATER = (0, 3, 0, 74)
ABSENT = "absent"
OPEN, TOOL = "open a class", "刷脸机"


N = TypeVar("N")


class Classrooms(Town):
    """One history of some classes of one course; ``terminal``: where cards are read."""

    terminal: Terminal

    def __init__(self) -> None:
        super().__init__()
        self.rooms: Rooms | None = None
        self.next_rooms: Rooms | None = None
        self.first = ""
        self.known: set[str] = set()
        self.seen: dict[str, list[TrainingClass]] = {}

    def rate(self, seed: int) -> float:
        """Half of the steps meet no fault: an end has many steps before it."""
        return RATE if seed % 2 else 0.0

    def take(self, request: Request, seed: int, body: bytes = b"{}") -> Done[Any] | str:
        """Whoever asks again for the end of a class is refused, and does what a cut-off one has left to do."""
        assert self.rooms is not None
        finished = [one.class_id for one in self.rooms.classes.values() if one.state is ClassState.FINISHED]
        left = any(one.is_on and one.class_id in finished for one in self.rooms.enrolments.values())
        outcome = super().take(request, seed, body)
        if left and self.refused == f"finish: {ClassStateRefused.code}":
            self.refused = None
        return outcome

    def begin(self, kind: str, actor: Actor, ask: Ask, seed: int) -> None:
        """Some tap twice, whatever they were told."""
        super().begin(kind, actor, ask, seed)
        if seed % 3 == 2:
            self.holds()
            self.repeat(len(self.requests) - 1, seed)

    @initialize(
        percent=st.sampled_from((50, 67, 80)),
        by_hand=st.sampled_from((34, 20, 67)),
        overlaps=st.sampled_from(Overlaps),
        capacity=st.sampled_from((4, 2, 1)),
        sessions=st.integers(1, 3),
        on=st.integers(0, 4),
    )
    def found(self, percent: int, by_hand: int, overlaps: Overlaps, capacity: int, sessions: int, on: int) -> None:
        """Three people: one has used two vouchers, one has used one and holds another. The first class, and who is on
        it from the beginning."""
        world = self.settle()
        world.rules(
            caps=(Cap("cap", Window.YEAR, CapBy.ALL, 9),),
            reversal_window=20 * 24 * 3600,
            attendance_percent=percent,
            by_hand_percent=by_hand,
            overlaps=overlaps,
        )
        self.decided = cataloguing.rules_in_force(world.platform.catalogue, CITY, world.now)
        for _ in range(2):
            world.publish(4, peak_claims=12 * SHARDS)
        for person, which in ((0, 0), (0, 1), (1, 0), (2, 0), (2, 1)):
            world.claim(self.people[person], world.template(world.templates[which]))
            self.asking.add(person)
        self.standing = self._stand()
        used = [voucher for _, voucher in map(self._pick, range(4))]
        for voucher in used:
            world.redeem(self._code(voucher))
        plans = [plan(START + HOUR + day * timedelta(days=1)) for day in range(sessions)]
        training = open_class(world, plans, capacity=capacity)
        self.first = training.class_id
        chosen = [one.voucher_id for one in (used[0], used[2], used[3])][: min(on, capacity)]
        if chosen:
            enrol(world, training, *chosen)
        self.standing = self._stand()
        self.rooms = rooms = self.next_rooms
        assert rooms is not None
        self.seen = {class_id: [one] for class_id, one in rooms.classes.items()}
        self.known = {entry.said["request"] for one in rooms.enrolments.values() for entry in one.history}

    # --- all that can happen -----------------------------------------------------------------------------------------

    @rule(
        act=st.sampled_from(LIFE),
        which=st.integers(0, 11),
        number=st.sampled_from((NOW, NOW, 1, 2, 3, LAST)),
        hour=st.integers(0, 11),
        ways=st.lists(st.sampled_from((*WAYS, ABSENT)), min_size=1, max_size=3),
        whom=st.integers(1, 63),
        seed=seed_s,
    )
    def live(self, act: str, which: int, number: int, hour: int, ways: list[str], whom: int, seed: int) -> None:
        """One act. All are in one rule: of several, Hypothesis leaves half out of a history, and here attendance, its
        reversal and its end are to meet in most."""
        match act:
            case "go on":
                self.go_on(which % MOST_CLASSES, MINUTES[hour % len(MINUTES)], ways, seed)
            case "put on":
                self.put_on(which % MOST_CLASSES, whom, seed)
            case "repeat":
                self.repeat(which + whom, seed)
            case "repeat with another body":
                self.repeat_with_another_body(which + whom, seed)
            case "restart":
                self.restart()
            case "wait":
                self._go_to(self.world.now + (1, 23, 49, 73)[hour % 4] * HOUR)
            case "finish" | "cancel":
                self.change_class(act, which % MOST_CLASSES, number, 0, seed)
            case _ if act in OFFICE:
                self.change_class(act, which % MOST_CLASSES, number, HOURS[hour % len(HOURS)], seed)
            case _ if self._any_enrolment():
                self.live_of_somebody(act, which, number, hour, ways, whom, seed)

    def live_of_somebody(
        self, act: str, which: int, number: int, hour: int, ways: list[str], whom: int, seed: int
    ) -> None:
        match act:
            case "check in":
                self.check_in(which, number, ways[0] if ways[0] != ABSENT else "hand", seed)
            case "leave" | "leave and come back":
                self.leave(which, act != "leave", seed)
            case "report":
                told = [
                    (which + i, 1 + (whom >> i) % 3, MINUTES[(hour + i) % len(MINUTES)]) for i in range(1 + whom % 4)
                ]
                self.report(which % MOST_CLASSES, told, LATER[hour % len(LATER)], seed)
            case "say":
                self.say(("evaluate", "rate", "excuse")[hour % 3], which, number, 1 + whom % 5, seed)
            case _:
                self.stand_at_the_desk(act, which, seed)

    def repeat(self, which: int, seed: int) -> None:
        if self.requests:
            super().repeat(which, seed)

    def repeat_with_another_body(self, which: int, seed: int) -> None:
        if any(one.answer is not None for one in self.requests):
            super().repeat_with_another_body(which, seed)

    def restart(self) -> None:
        super().restart()

    # --- the institution holds classes -------------------------------------------------------------------------------

    def change_class(self, act: str, which: int, number: int, hours: int, seed: int) -> None:
        """What the office does: another class, sometimes at the same time, and sessions that are added or not held."""
        training, session_id, at = self._class(which), self._session(number), self.world.now + hours * HOUR
        class_id = training.class_id
        match act:
            case "open":
                if len(self._opened()) < MOST_CLASSES:
                    self.open_another(at, 1 + seed % 2, 1 + seed % 3, seed)
            case "add a session" | "make up for a session":
                if len(training.sessions) < MOST_SESSIONS:
                    made = plan(at, makes_up_for=session_id if act.startswith("make") else None)
                    self.ask(act, lambda w, by: holding_classes.add_sessions(w.platform, class_id, [made], **by), seed)
            case "cancel a session":
                self.ask(
                    act,
                    lambda w, by: holding_classes.cancel_session(w.platform, class_id, session_id, "台风", **by),
                    seed,
                )
            case "move a session":
                more: Any = {"starts_at": at, "ends_at": at + 2 * HOUR, "place": None, "teacher": None}
                self.ask(
                    act,
                    lambda w, by: holding_classes.change_session(w.platform, class_id, session_id, **more, **by),
                    seed,
                )
            case "finish":
                self.finish(training, seed)
            case _:
                self.ask(act, lambda w, by: holding_classes.cancel_class(w.platform, class_id, "无人", **by), seed)

    def open_another(self, at: datetime, sessions: int, capacity: int, seed: int) -> None:
        plans = tuple(plan(at + day * timedelta(days=1)) for day in range(sessions))
        draft = holding_classes.ClassDraft(
            self.world.institution.institution_id, self.world.course.course_id, "电工二班", "测试师", capacity, plans
        )
        self.ask(OPEN, lambda w, by: holding_classes.open_class(w.platform, draft, **by), seed)

    def finish(self, training: TrainingClass, seed: int) -> None:
        self.ask("finish", lambda w, by: enrolling.finish_class(w.platform, training.class_id, **by), seed)

    def go_on(self, which: int, minutes: int, ways: list[str], seed: int) -> None:
        """What a class does all the time: its next session is held, with its people there each in a way; or it ends."""
        training = self._class(which)
        to_come = [one for one in training.held if one.ends_at > self.world.now]
        if not to_come:
            self.finish(training, seed)
            return
        self._go_to(to_come[0].starts_at + timedelta(minutes=minutes))
        assert self.rooms is not None
        on = [one for one in self._in_order(self.rooms) if one.class_id == training.class_id and one.is_on]
        for number, one in enumerate(on):
            way = ways[number % len(ways)]
            if way != ABSENT:
                self.enter(one, to_come[0].session_id if way == "hand" else None, way, seed + number)
                self.holds()

    # --- who is on them ----------------------------------------------------------------------------------------------

    def put_on(self, which: int, whom: int, seed: int) -> None:
        """Holders of some of the five vouchers, used or not, and of one that there is not."""
        class_id = self._class(which).class_id
        ids = [*(self._pick(number)[1].voucher_id for number in range(VOUCHERS)), "nothing"]
        chosen = [one for number, one in enumerate(ids) if whom >> number & 1]
        self.ask("enrol", lambda w, by: enrolling.enrol_holders(w.platform, class_id, chosen, **by), seed)

    def leave(self, which: int, back: bool, seed: int) -> None:
        """Leave, and come back by whichever voucher of theirs can be used."""
        one = self._enrolment(which)
        self.ask(
            "leave",
            lambda w, by: enrolling.leave_class(w.platform, one.class_id, one.voucher_id, "转班", **by),
            seed,
        )
        if back:
            self.holds()
            assert self.standing is not None
            made = [it.voucher_id for it in self.standing.vouchers.values() if it.person_id == one.person_id]
            mine = sorted(made, key=lambda voucher_id: voucher_id == one.voucher_id)
            self.ask("enrol", lambda w, by: enrolling.enrol_holders(w.platform, one.class_id, mine, **by), seed)

    def check_in(self, which: int, number: int, way: str, seed: int) -> None:
        one = self._enrolment(which)
        self.enter(one, None if number == NOW and way != "hand" else self._session(number), way, seed)

    def report(self, which: int, reports: list[tuple[int, int, int]], hours: int, seed: int) -> None:
        """What a tool has gathered, some of it days ago, some of it twice."""
        self._go_to(self.world.now + hours * HOUR)
        training = self._class(which)
        made = list[Report]()
        for whom, number, minutes in reports:
            there = self._enrolment(whom)
            session = training.sessions[min(number, len(training.sessions)) - 1]
            made.append(Report(there.voucher_id, session.session_id, session.starts_at + timedelta(minutes=minutes)))
        asked = self.world.attempt(self.key_of("report"), actor=self.world.desk).request
        self.known |= {_request_of(asked, told) for told in made}  # each stands in a history under one of its own
        class_id = training.class_id
        self.ask("report", lambda w, by: checking_in.take_reports(w.platform, class_id, TOOL, made, **by), seed)

    def say(self, act: str, which: int, number: int, stars: int, seed: int) -> None:
        """Somebody cannot come; says what they think of the class; is judged by it. Both may change their mind."""
        one, session_id = self._enrolment(which, ended=act != "excuse"), self._session(number)
        class_id, voucher_id = one.class_id, one.voucher_id
        match act:
            case "excuse":
                self.ask(
                    act,
                    lambda w, by: checking_in.excuse(w.platform, class_id, session_id, voucher_id, "就医", **by),
                    seed,
                )
            case "evaluate":
                session, said = self._session_of(one), STARS | {"teaching": stars}
                self.begin(
                    act,
                    self.world.channel,
                    lambda w, by: evaluating.evaluate_class(w.platform, class_id, said, "", session=session, **by),
                    seed,
                )
            case _:
                self.ask(
                    act,
                    lambda w, by: evaluating.rate_trainee(w.platform, class_id, voucher_id, stars, None, **by),
                    seed,
                )

    # --- the desk, and what comes again ------------------------------------------------------------------------------

    def stand_at_the_desk(self, act: str, which: int, seed: int) -> None:
        """With any of the five vouchers, or with one by which somebody was at a session, or is on a class."""
        if which >= VOUCHERS and self._any_enrolment():
            assert self.rooms is not None
            told = [class_laws.tell(one.history) for one in self._in_order(self.rooms)]
            earned = [voucher_id for one in told for voucher_id in dict.fromkeys(one.earned.values())]
            meant = earned[which % len(earned)] if earned else self._enrolment(which - VOUCHERS).voucher_id
            which = next(number for number in range(VOUCHERS) if self._pick(number)[1].voucher_id == meant)
        match act:
            case "redeem":
                self.redeem(which, "code", other=False, seed=seed)
            case "reverse":
                self.reverse(which, seed)
            case _:
                self.revoke(which, seed)

    # --- what must hold ----------------------------------------------------------------------------------------------

    def holds_beside(self) -> None:
        assert self.rooms is not None
        assert self.next_rooms is not None
        assert self.standing is not None
        before, now = self.rooms, self.next_rooms
        self.rooms = now
        vouchers = {one.voucher_id: one for one in self.standing.vouchers.values()}
        for class_id, training in now.classes.items():
            looks = self.seen.setdefault(class_id, [])
            if training not in looks:
                looks.append(training)
            class_laws.check_class(training, now.on_class(class_id))
            if class_id in before.classes:
                class_laws.check_class_went_on(before.classes[class_id], training)
        assert now.listed == now.enrolments.keys()
        assert before.enrolments.keys() <= now.enrolments.keys(), "an enrolment is gone"
        for key, one in now.enrolments.items():
            class_laws.check_enrolment(one, now.classes[one.class_id])
            assert {entry.said["request"] for entry in one.history} <= self.known | self._asked() | {None}, one
            known = before.enrolments[key].history if key in before.enrolments else ()
            assert one.history[: len(known)] == known, "a history was rewritten"
            for entry in one.history[len(known) :]:
                class_laws.check_new_entry(entry, one, now, vouchers, self.seen)
        class_laws.check_vouchers(now, vouchers)
        class_laws.check_evaluations(now)
        for request in self.requests:
            if request.answer is not None:
                self._check_answer(request, now)
        if self.refused:
            mine = {class_id: now.classes[class_id] for class_id in before.classes}
            assert replace(now, classes=mine) == before, f"{self.refused}, and something was changed"

    def _check_answer(self, request: Request, now: Rooms) -> None:
        """What was answered is so."""
        asked = self._digest(request)
        match request.answer:
            case EnrolmentReceipt() as told:
                one = now.enrolments[self._whose(told.voucher_id), told.class_id]
                said = one.history[told.version - 1].said
                assert (said["step"], said["to"], said["request"]) == (told.step, told.state, asked), (told, said)
                assert class_laws.tell(one.history[: told.version]).voucher == told.voucher_id, told
            case EnrolledList() as told:
                for result in told.results:
                    put = [entry["facts"].get("voucher") for entry in self._entries(now, result.voucher_id, asked)]
                    assert put.count(result.voucher_id) == (result.code is None), (result, put)
            case ReportedList() as told:
                taken = {(one.voucher_id, one.session_id) for one in told.results if one.result is not None}
                assert len(taken) == sum(one.result is not None for one in told.results), told
                for report in told.results:
                    own = _request_of(asked, report)
                    made = [entry["facts"]["result"] for entry in self._entries(now, report.voucher_id, own)]
                    if report.result is not None:
                        assert made == [report.result], (report, made)
                    elif (report.voucher_id, report.session_id) not in taken:
                        assert made == [], (report, made)
            case TrainingClass() as told:
                there = now.classes[told.class_id]
                assert there.version >= told.version
                assert len(there.sessions) >= len(told.sessions)
                if told.state is not ClassState.OPENED:
                    assert there.state is told.state
                if told.state is ClassState.FINISHED:
                    assert all(one.state != class_laws.ON for one in now.on_class(told.class_id)), told
            case Evaluated() as told:
                assert any(
                    of == told.class_id and one.version >= told.version for (_, of), one in now.evaluations.items()
                )

    def _entries(self, now: Rooms, voucher_id: str, request: str) -> list[dict[str, Any]]:
        """The entries that this request has written to the histories of the voucher's holder."""
        whose = self._whose(voucher_id)
        return [e.said for one in now.of_person(whose) for e in one.history if e.said["request"] == request]

    def keys_beside(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        ids, people = self._opened(), self.ids.values()
        mine = [(one, of(class_id)) for one in people for class_id in ids for of in _OF_A_PERSON]
        items = [keys.HEAD, keys.RATINGS, *map(keys.on_class_item, people)]
        return mine, [(keys.training_class(class_id), item) for class_id in ids for item in items]

    def look_beside(self, people_rows: list[Item], rows: list[Item]) -> None:
        classes = {keys.training_class(class_id): class_id for class_id in self._opened()}
        of_classes = [row for row in rows if text(row, "subject") in classes]
        by_item = {keys.on_class_item(person_id): person_id for person_id in self.ids.values()}
        named = [(by_item.get(text(row, "item")), classes[text(row, "subject")]) for row in of_classes]
        enrolments = _bodies(Enrolment, people_rows, keys.enrolment_item(""))
        evaluations = _bodies(Evaluation, people_rows, keys.evaluation_item(""))
        self.next_rooms = Rooms(
            classes={one.class_id: one for one in _bodies(TrainingClass, of_classes, keys.HEAD)},
            enrolments={(one.person_id, one.class_id): one for one in enrolments},
            listed=frozenset((person_id, class_id) for person_id, class_id in named if person_id),
            evaluations={(one.person_id, one.class_id): one for one in evaluations},
            ratings={one.class_id: one for one in _bodies(Ratings, of_classes, keys.RATINGS)},
        )

    # --- who and what is meant ---------------------------------------------------------------------------------------

    def ask(self, kind: str, ask: Ask, seed: int) -> None:
        """The institution asks."""
        self.begin(kind, self.world.desk, ask, seed)

    def enter(self, one: Enrolment, session_id: str | None, way: str, seed: int) -> None:
        """Check in by this way; ``session_id`` None: at whichever session goes on."""
        training, kind = self._class_of(one), f"check in by {way}"
        match way:
            case "location" | "far" | "code":
                shown: Position | str = {"location": THERE, "far": FAR}.get(way) or self._class_code(training)
                session = self._session_of(one)
                self.begin(
                    kind,
                    self.world.channel,
                    lambda w, by: checking_in.check_in_holder(
                        w.platform, one.class_id, session_id, shown, None, session=session, **by
                    ),
                    seed,
                )
            case "scan" | "card":
                voucher = self._voucher_of(one)
                proof = self._code(voucher) if way == "scan" else self._card(voucher)
                self.ask(
                    kind,
                    lambda w, by: checking_in.scan_holder(w.platform, one.class_id, session_id, proof, **by),
                    seed,
                )
            case _:
                self.ask(
                    kind,
                    lambda w, by: checking_in.enter_by_hand(
                        w.platform, one.class_id, session_id or "S001", one.voucher_id, "没电", late=seed % 3 == 0, **by
                    ),
                    seed,
                )

    def _go_to(self, later: datetime) -> None:
        """At another hour: no container remembers for so long what a class was."""
        if later <= self.world.now or later - START >= LONGEST:
            return
        self.world.clock.set(later)
        forget(self.world)
        assert self.rooms is not None
        self.seen = {class_id: [one] for class_id, one in self.rooms.classes.items()}

    def _opened(self) -> list[str]:
        """The classes that are known: of some that were asked for nobody has had an answer."""
        answers = [one.answer for one in self.requests if one.kind == OPEN and one.answer is not None]
        return [*([self.first] if self.first else []), *(one.class_id for one in answers)]

    def _class(self, which: int) -> TrainingClass:
        """Mostly one of those that are not over."""
        assert self.rooms is not None
        known = [self.rooms.classes[class_id] for class_id in self._opened()]
        likely = [one for one in known if one.state is ClassState.OPENED]
        among = likely if likely and which < MOST_CLASSES - 1 else known
        return among[which % len(among)]

    def _class_of(self, one: Enrolment) -> TrainingClass:
        assert self.rooms is not None
        return self.rooms.classes[one.class_id]

    def _any_enrolment(self) -> bool:
        return self.rooms is not None and bool(self.rooms.enrolments)

    def _enrolment(self, which: int, *, ended: bool = False) -> Enrolment:
        """Mostly one of those that anything can happen to."""
        assert self.rooms is not None
        made = self._in_order(self.rooms)
        over = ClassState.FINISHED if ended else ClassState.OPENED
        likely = [one for one in made if one.is_on is not ended and self._class_of(one).state is over]
        among = likely if likely and which < 9 else made
        return among[which % len(among)]

    def _in_order(self, rooms: Rooms) -> list[Enrolment]:
        order, numbers = self._opened(), {person_id: number for number, person_id in self.ids.items()}
        return sorted(rooms.enrolments.values(), key=lambda one: (numbers[one.person_id], order.index(one.class_id)))

    def _session(self, number: int) -> str:
        return f"S{number or 1:03d}"

    def _session_of(self, one: Enrolment) -> HolderSession:
        return HolderSession(self.world.channel.app_key, one.person_id, self.world.now + timedelta(minutes=15))

    def _voucher_of(self, one: Enrolment) -> Voucher:
        assert self.standing is not None
        return self.standing.vouchers[one.person_id, one.template_id]

    def _whose(self, voucher_id: str) -> str:
        assert self.standing is not None
        found = [one.person_id for one in self.standing.vouchers.values() if one.voucher_id == voucher_id]
        return found[0] if found else ""

    def _class_code(self, training: TrainingClass) -> str:
        try:
            w = self.world
            shown = checking_in.show_class_code(w.platform, training.class_id, None, actor=w.desk, now=w.now)
        except DomainError:
            return "CLASS1.nothing"
        return shown.code

    def _code(self, voucher: Voucher) -> Presented:
        context = code_context(voucher.person_id, voucher.template_id)
        return Presented(code=self.world.platform.keys.sealer.unseal(voucher.sealed_code, context))

    def _card(self, voucher: Voucher) -> Presented:
        number = next(number for number, person_id in self.ids.items() if person_id == voucher.person_id)
        template = self.world.template(voucher.template_id)
        said = read(self.world, self.terminal, self.people[number], "redeem", template)
        return Presented(card_read=said, template_id=voucher.template_id)

    def _asked(self) -> set[str]:
        return {self._digest(one) for one in self.requests}

    def _digest(self, request: Request) -> str:
        return self.world.attempt(request.key, actor=request.actor).request


def _request_of(asked: str, report: Report | Reported) -> str:
    """Under which request one of a tool's reports stands in a history."""
    return attempt_of(asked, "report", f"{report.voucher_id} {report.session_id}", b"").request


def _bodies(kind: type[N], rows: list[Item], item: str) -> list[N]:
    return [from_body(kind, text(row, "body")) for row in rows if text(row, "item").startswith(item)]


_OF_A_PERSON = (keys.enrolment_item, keys.evaluation_item)
