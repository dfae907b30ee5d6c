"""A class of 30 in the classroom, day by day: every way to check in, every way to fail, and what the paper says.

A part of the main job; ``python -m tools.demo_classroom`` plays it alone. The clock of the stage goes on by six days.
"""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import requests
from python_calamine import CalamineWorkbook
from rich.console import Console
from rich.table import Table

from chalicelib.domain import calendar
from chalicelib.domain.identifiers import mask_number
from chalicelib.domain.person import Profile
from tools.api_client import Refused
from tools.demo_stage import DemoStage
from tools.local_stack import LOCAL
from tools.people import invented_person
from tools.story import Difference, Story

TRAINEES, SESSIONS, FIRST_PERSON = 30, 6, 90_001
SELDOM, CAME = 29, 3
"""The trainee (by number) who comes to so many sessions only."""
ROOM = {"name": "实训楼 301", "latitude": 22.543096, "longitude": 114.057865, "datum": "gcj02"}
HERE = {"latitude": 22.5433, "longitude": 114.0581, "datum": "gcj02", "accuracy": 15.0}
WRONG: dict[str, dict[str, Any]] = {
    "position_mocked": {"mocked": True},
    "datum_unknown": {"datum": "cgcs2000"},
    "position_zero": {"latitude": 0.0, "longitude": 0.0},
    "position_swapped": {"latitude": 114.0581, "longitude": 22.5433},
    "position_invalid": {"latitude": 500.0},
    "position_outside_china": {"latitude": 48.85, "longitude": 2.35},
    "position_inaccurate": {"accuracy": 900.0},
    "too_far": {"datum": "wgs84"},
}
"""Each failure with what makes it; the last is the right place in the wrong datum."""


class Classroom:
    """The class, its trainees (from 1), and what must have become of each of their sessions."""

    def __init__(self, stage: DemoStage, story: Story) -> None:
        self.stage, self.story = stage, story
        self.province, self.desk, self.channel = (stage.client(one) for one in ("province", "desk", "channel"))
        self.people: list[Profile] = []
        self.vouchers: list[str] = []
        self.codes: list[str] = []
        self.planned: dict[tuple[int, int], str] = {}
        self.class_id = self.course_id = self.template_id = self.account_id = ""
        self.used_on = self.finished_on = date.min

    def tick(self, moment: datetime) -> None:
        """Move the stage's clock there."""
        self.stage.move_clock(moment - self.province.now() + self.stage.clock_offset())
        for client in (self.province, self.desk, self.channel):
            client.look_at_clock()

    def headers(self, trainee: int) -> dict[str, str]:
        return {"X-Holder-Session": self.stage.session(self.channel, self.people[trainee - 1])}

    def check_in(self, trainee: int, headers: dict[str, str] | None = None, **how: Any) -> dict[str, Any]:
        """Its answer, or the refusal's."""
        body = {"class_id": self.class_id, "device": f"phone-of-{trainee:04}", **(how or {"position": HERE})}
        answer = self.channel.post("/v1/check-ins", body, headers=headers or self.headers(trainee))
        said: dict[str, Any] = answer.body
        return said


def tell_of_a_class(stage: DemoStage, story: Story, today: date) -> Classroom:
    """The class as it ended: its money is another act. Raises Difference, Refused."""
    room = Classroom(stage, story)
    _gather(room, today)
    sessions = _open(room)
    for number in range(1, SESSIONS + 1):
        room.tick(calendar.from_text(sessions[number - 1]["starts_at"]) + timedelta(minutes=2))
        story.act(f"第 {number} 课", f"Session {number}")
        _DAYS[number](room, number)
    _end(room, calendar.from_text(sessions[-1]["ends_at"]))
    _evaluate(room)
    _print(room)
    counted = sum(one in ("到", "迟到") for one in room.planned.values())
    line = f"class demo: {TRAINEES} trainees, {SESSIONS} sessions, {counted} check-ins as planned, 0 differences"
    story.say(f"[bold green]{line}[/]")
    return room


def _gather(room: Classroom, today: date) -> None:
    from tools.demo import CITY, FACE_VALUE_FEN, PROVINCE, YEAR, template_request

    stage, story = room.stage, room.story
    story.act("30 名学员：领券、用券", "Thirty trainees claim their vouchers and use them")
    programme = {
        "region": PROVINCE,
        "name_zh": "电工技能补贴（补贴到个人）",
        "name_en": "Electrician's subsidy, paid to persons",
        "programme_type": "priority_groups",
        "standard_fen": 150_000,
        "payee": "person",
    }
    programme_id = room.province.do("/v1/programmes", programme)["programme_id"]
    course = {
        "programme_id": programme_id,
        "institution_id": stage.facts["institution_id"],
        "name_zh": "电工（初级）",
        "name_en": "Electrician, junior",
        "hours": 40,
    }
    room.course_id = str(room.province.do("/v1/courses", course)["course_id"])
    # An account of its own, so that no other act moves its figures.
    account = {"region": CITY, "year": YEAR + 4, "budget_fen": TRAINEES * FACE_VALUE_FEN}
    room.account_id = str(room.province.do("/v1/accounts", account)["account_id"])
    body = template_request(CITY, "深圳", TRAINEES, room.account_id, programme_id, today)
    template_id = room.template_id = str(room.province.do("/v1/templates", body)["template_id"])
    room.province.do(f"/v1/templates/{template_id}/publish", {})
    place = {"institution_id": stage.facts["institution_id"], "course_id": room.course_id}
    for number in range(TRAINEES):
        person = invented_person(FIRST_PERSON + number)
        claim = {"template_id": template_id, "assertion": stage.assertion(room.channel, person, "claim", template_id)}
        voucher_id = str(room.channel.do("/v1/claims", claim)["voucher_id"])
        headers = {"X-Holder-Session": stage.session(room.channel, person)}
        code = room.channel.read(f"/v1/vouchers/{voucher_id}", headers=headers)["code"]
        room.desk.do("/v1/redemptions", place | {"code": code})
        room.people.append(person)
        room.vouchers.append(voucher_id)
        room.codes.append(code)
        room.used_on = calendar.local_date(room.desk.now())
    story.say(f"  {TRAINEES} vouchers claimed and used at {place['institution_id']}")


def _open(room: Classroom) -> list[dict[str, Any]]:
    story, stage = room.story, room.stage
    story.act("开班、入班", "The class opens, and they are put on it")
    first = room.province.now() + timedelta(minutes=30)
    sessions = [
        {
            "starts_at": calendar.to_text(first + timedelta(days=day)),
            "ends_at": calendar.to_text(first + timedelta(days=day, hours=3)),
            "place": ROOM,
            "teacher": "王老师",
        }
        for day in range(SESSIONS)
    ]
    asked = {
        "institution_id": stage.facts["institution_id"],
        "course_id": room.course_id,
        "name": "电工（初级）演示班",
        "teacher": "王老师",
        "capacity": TRAINEES,
        "sessions": sessions,
    }
    made = room.desk.do("/v1/classes", asked)
    room.class_id = str(made["class_id"])
    path = f"/v1/classes/{room.class_id}/enrolments"
    told = [
        one
        for at in range(0, TRAINEES, 20)
        for one in room.desk.do(path, {"voucher_ids": room.vouchers[at : at + 20]})["results"]
    ]
    story.must_be("refused", [one for one in told if one["code"]], [])
    again = room.desk.do(path, {"voucher_ids": room.vouchers[:1]})["results"][0]["code"]
    story.must_be("put on it twice", again, "enrolled_already")
    early = room.check_in(1, position=HERE)
    story.must_be("before the window", early["code"], "check_in_not_open")
    story.say(f"  class {room.class_id}: {SESSIONS} sessions, {TRAINEES} of {made['capacity']} seats")
    return sessions


def _everybody(room: Classroom, number: int, *, but: tuple[int, ...] = ()) -> None:
    for trainee in range(1, TRAINEES + 1):
        if trainee in but or (trainee == SELDOM and number > CAME):
            continue
        facts = room.check_in(trainee)["facts"]
        room.story.must_be(f"trainee {trainee}", (facts["result"], facts["way"]), ("present", "location"))
        room.planned[trainee, number] = "到"


def _failures_of_each_kind(room: Classroom, number: int) -> None:
    headers = room.headers(TRAINEES)
    found = {code: room.check_in(TRAINEES, headers, position=HERE | wrong) for code, wrong in WRONG.items()}
    for code, said in found.items():
        room.story.must_be(code, said["code"], code)
        room.story.say(f"  {code:<24} {said['detail']}")
    forged = room.check_in(TRAINEES, headers, class_code=f"CLASS1.{room.class_id}.S001.{'0' * 32}")
    room.story.must_be("a forged code", forged["code"], "class_code_not_accepted")
    shown = room.desk.read(f"/v1/classes/{room.class_id}/code")
    facts = room.check_in(TRAINEES, headers, class_code=shown["code"])["facts"]
    room.story.must_be("the class's code", (facts["result"], facts["way"]), ("present", "class_code"))
    room.planned[TRAINEES, number] = "到"
    _everybody(room, number, but=(TRAINEES,))
    room.story.must_be("twice", room.check_in(1)["code"], "already_checked_in")
    undone = room.desk.post(f"/v1/vouchers/{room.vouchers[0]}/reversal", {"reason": "演示：扫错了"}).body["code"]
    room.story.must_be("a reversal after a check-in", undone, "checked_in_before")


def _one_is_late(room: Classroom, number: int) -> None:
    _everybody(room, number, but=(1,))
    room.tick(room.province.now() + timedelta(minutes=20))
    room.story.must_be("the late one", room.check_in(1)["facts"]["result"], "late")
    room.planned[1, number] = "迟到"


def _staff_scan(room: Classroom, number: int) -> None:
    headers = room.headers(2)
    token = room.channel.read(f"/v1/vouchers/{room.vouchers[1]}/qr", {"format": "token"}, headers)["token"]
    scanned = room.desk.do(f"/v1/classes/{room.class_id}/check-ins", {"token": token})
    room.story.must_be("scanned by staff", scanned["facts"]["way"], "scanned")
    room.planned[2, number] = "到"
    _everybody(room, number, but=(2,))


def _by_hand_and_leave(room: Classroom, number: int) -> None:
    path = f"/v1/classes/{room.class_id}"
    session_id = f"S{number:03}"
    by_hand = {"voucher_id": room.vouchers[2], "session_id": session_id, "reason": "演示：手机没电"}
    room.desk.do(f"{path}/check-ins/by-hand", by_hand)
    room.planned[3, number] = "到"
    leave = {"voucher_id": room.vouchers[3], "session_id": session_id, "reason": "演示：就医"}
    room.desk.do(f"{path}/leaves", leave)
    room.planned[4, number] = "请假"
    _everybody(room, number, but=(3, 4))


def _reported_by_a_tool(room: Classroom, number: int) -> None:
    now = room.desk.now()
    items = [
        {"voucher_id": room.vouchers[trainee - 1], "session_id": f"S{number:03}", "at": calendar.to_text(now)}
        for trainee in range(5, 11)
    ]
    asked = {"tool": "演示：刷脸考勤机", "items": [*items, items[0] | {"session_id": "S001"}]}
    told = room.desk.do(f"/v1/classes/{room.class_id}/check-ins/reported", asked)["results"]
    room.story.must_be("reported", [one["result"] for one in told], ["present"] * 6 + [None])
    for trainee in range(5, 11):
        room.planned[trainee, number] = "到"
    _everybody(room, number, but=tuple(range(5, 11)))


def _as_usual(room: Classroom, number: int) -> None:
    _everybody(room, number)


_DAYS: dict[int, Callable[[Classroom, int], None]] = {
    1: _failures_of_each_kind,
    2: _one_is_late,
    3: _staff_scan,
    4: _by_hand_and_leave,
    5: _reported_by_a_tool,
    6: _as_usual,
}


def _end(room: Classroom, ends_at: datetime) -> None:
    story, path = room.story, f"/v1/classes/{room.class_id}"
    story.act("结班", "The class is finished")
    early = room.desk.post(f"{path}/finish", {}).body["code"]
    story.must_be("before its last session is over", early, "class_state")
    room.tick(ends_at + timedelta(minutes=1))
    room.finished_on = calendar.local_date(ends_at + timedelta(minutes=1))
    story.must_be("state", room.desk.do(f"{path}/finish", {})["state"], "finished")
    there = {one["voucher_id"]: one for one in _enrolments(room)}
    table = Table(header_style="dim", box=None, padding=(0, 2), pad_edge=False)
    for title in ("出勤率 attendance", "结果 outcome", "人数 people"):
        table.add_column(title, justify="right" if "people" in title else "left")
    counted = Counter((one["attendance"]["percent"], one["state"]) for one in there.values())
    for (percent, state), people in sorted(counted.items(), reverse=True):
        table.add_row(f"{percent} %", state, str(people))
    story.console.print(table)
    for trainee, voucher_id in enumerate(room.vouchers, 1):
        came = sum(room.planned.get((trainee, number)) in ("到", "迟到") for number in range(1, SESSIONS + 1))
        attendance = there[voucher_id]["attendance"]
        story.must_be(f"attended by trainee {trainee}", attendance["present"] + attendance["late"], came)
        wanted = "completed" if came * 100 >= 80 * SESSIONS else "not_completed"
        story.must_be(f"outcome of trainee {trainee}", there[voucher_id]["state"], wanted)
    devices = {made["device"] for one in there.values() for made in one["check_ins"] if made["device"]}
    story.must_be("devices", len(devices), TRAINEES)


def _evaluate(room: Classroom) -> None:
    """Three who completed it speak, and one who did not; the institution hears sums and words, and not whose."""
    story, path = room.story, f"/v1/classes/{room.class_id}/evaluations"
    story.act("培训评价", "Evaluations")
    said = {1: "老师讲得清楚", 2: "", 5: "设备有点旧"}
    for trainee, words in said.items():
        stars = [{"dimension": one, "stars": 5 - trainee % 2} for one in ("teaching", "content", "place", "service")]
        asked = {"class_id": room.class_id, "ratings": stars, "text": words}
        room.channel.do("/v1/evaluations", asked, headers=room.headers(trainee))
        if trainee == 1:
            story.must_be("of one alone", room.desk.read(path)["sums"], None)
    refused = room.channel.post("/v1/evaluations", asked, headers=room.headers(SELDOM)).body["code"]
    story.must_be("who did not complete it", refused, "not_completed")
    heard = room.desk.read(path)
    story.must_be("sums", heard["sums"], dict.fromkeys(("teaching", "content", "place", "service"), 4 + 5 + 4))
    story.must_be("words", sorted(one["text"] for one in heard["words"]), sorted(filter(None, said.values())))
    story.say(f"  {heard['count']} evaluations, sums {heard['sums']}, words without names: {len(heard['words'])}")


def _enrolments(room: Classroom) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": 20} | ({"cursor": cursor} if cursor else {})
        page = room.province.read(f"/v1/classes/{room.class_id}/enrolments", query)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _print(room: Classroom) -> None:
    """The sheet's marks, person by person, as they were planned."""
    story, path = room.story, f"/v1/classes/{room.class_id}/papers"
    story.act("签到表、花名册", "The attendance sheet and the roster")
    for paper in ("attendance", "roster"):
        for form in ("pdf", "xlsx"):
            where = room.desk.read(path, {"paper": paper, "format": form})
            answer = requests.get(where["url"], timeout=60)
            answer.raise_for_status()
            file = LOCAL / f"demo-{paper}.{form}"
            file.write_bytes(answer.content)
            story.say(f"  {paper}.{form}: {len(answer.content):,} bytes, kept as .local/{file.name}")
            if (paper, form) == ("attendance", "xlsx"):
                _compare(room, answer.content)


def _compare(room: Classroom, data: bytes) -> None:
    book = CalamineWorkbook.from_object(BytesIO(data))
    rows = [row for row in book.get_sheet_by_index(0).to_python() if isinstance(row[0], float)]
    found = Counter(
        (str(row[1]), str(row[2]), *(str(cell).split()[0] for cell in row[3 : 3 + SESSIONS])) for row in rows
    )
    wanted = Counter(
        (
            person.name,
            mask_number(person.id_number),
            *(room.planned.get((trainee, number), "缺") for number in range(1, SESSIONS + 1)),
        )
        for trainee, person in enumerate(room.people, 1)
    )
    room.story.must_be("the sheet's rows", found, wanted)


def main() -> int:
    from tools import demo
    from tools.local_stack import local_stack

    console = Console(soft_wrap=True, highlight=False)
    story, quiet = Story(console), Story(Console(quiet=True))
    with local_stack(console=console) as stack:
        stage, ministry = demo.raise_curtain(stack, console)
        today = calendar.local_date(ministry.now())
        try:
            demo.prepare(stage, ministry, quiet, today)
            tell_of_a_class(stage, story, today)
        except (Difference, Refused) as wrong:
            console.print(f"\n✗ {wrong}", markup=False, style="bold red")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
