"""Rosters, on the deployed stack: ``make demo-roster`` plays this alone, ``make demo`` as one of its acts.

A workbook with each kind of dirt in known places goes through a presigned address; its progress is followed; the
result workbook is fetched and each row's verdict compared with what was planted there. Then one row is changed, one
voucher revoked, and the file put again.
"""

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import Any

import requests
from python_calamine import CalamineWorkbook
from rich.console import Console
from rich.table import Table

from chalicelib.domain import calendar
from chalicelib.domain.roster import VERDICT_ZH, Verdict
from tools.api_client import ApiClient, Refused
from tools.demo_stage import DemoStage
from tools.roster_files import Planted, dirty_roster
from tools.story import Difference, Story

ROWS = 5_000
FIRST_PERSON = 20_000
"""Nobody whom the other acts know."""
FILE_NAME = "深圳 第1期+花名册.xlsx"
MOST_SECONDS = 240.0


def tell_of_rosters(stage: DemoStage, story: Story, today: date, rows: int = ROWS) -> None:
    """Raises Difference, Refused."""
    province = stage.client("province")
    template_id = _directed(stage, province, story, rows, today)

    story.act("名单模板：下载，按说明填写", "The template of a roster: download it, fill it in as it says")
    where = province.read("/v1/rosters/template")
    template = CalamineWorkbook.from_object(BytesIO(_fetched(where["url"])))
    story.must_be("the template's sheets", template.sheet_names, ["名单", "填写说明"])
    titles = template.get_sheet_by_index(0).to_python()[0]
    story.say(f"  名单 columns: {'、'.join(str(title) for title in titles)}")

    story.act(
        f"上传名单：{rows} 行，含各种“脏数据”", f"A roster of {rows} rows with every kind of dirt in known places"
    )
    data, planted = dirty_roster(rows, first=FIRST_PERSON)
    roster = _put(province, story, template_id, data)
    _compare(province, story, roster, planted)
    stock = province.read(f"/v1/templates/{template_id}")["stock"]
    story.must_be("vouchers made", stock["made"], roster["counts"]["issued"])

    story.act("改一行、作废一张，再传一次", "One row changed, one voucher revoked, and put again")
    twins = max(one.number for one in planted if one.verdict in ("same", "conflict"))
    changed, revoked, *_ = [one.number for one in planted if one.kind == "clean" and one.number > twins]
    vouchers = {row["number"]: row["voucher_id"] for row in _rows(province, roster["roster_id"])}
    province.do(f"/v1/vouchers/{vouchers[revoked]}/revocation", {"reason": "演示：本人放弃"})
    again, same_rows = dirty_roster(rows, first=FIRST_PERSON, changed={changed: {"mobile": "13900000000"}})
    story.must_be("the file's rows as before", same_rows, planted)
    expected = [_second_time(one, changed, revoked) for one in planted]
    second = _put(province, story, template_id, again)
    _compare(province, story, second, expected)
    first_time = Counter(one.verdict for one in planted)
    wanted = {
        "issued": 0,
        "same": first_time["issued"] - 2 + first_time["same"],
        "conflict": first_time["conflict"] + 1,
        "ended": 1,
        "refused": first_time["refused"],
        "read": rows,
    }
    story.must_be("counts of the second time", second["counts"], wanted)
    story.say(f"[bold green]roster demo: {rows} rows, {rows} verdicts as planted, 0 differences[/]")


def _directed(stage: DemoStage, province: ApiClient, story: Story, rows: int, today: date) -> str:
    from tools.demo import CITY, YEAR, template_request

    story.act("定向券：下达预算，发布定向模板", "Directed vouchers: budget, and a template that only a roster opens")
    known = stage.facts
    account_id = f"{CITY}-{YEAR}"
    budget = {"amount_fen": rows * 100_000, "note": "演示定向券"}
    province.do(f"/v1/accounts/{account_id}/budget", budget)
    body = template_request(CITY, "深圳", rows, account_id, known["programme_id"], today)
    body |= {"distribution_mode": "directed"}
    template_id: str = province.do("/v1/templates", body)["template_id"]
    province.do(f"/v1/templates/{template_id}/publish", {})
    story.say(f"  template {template_id}: {rows} vouchers")
    return template_id


def _put(province: ApiClient, story: Story, template_id: str, data: bytes) -> dict[str, Any]:
    """Declare the roster, put its file by the presigned request, follow it to its end."""
    body = {
        "template_id": template_id,
        "file_name": FILE_NAME,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    story.request("province", "POST", "/v1/rosters", body)
    answer = province.post("/v1/rosters", body)
    made = province.must(answer, "POST", "/v1/rosters")
    upload, roster_id = made["upload"], made["roster"]["roster_id"]
    put = requests.put(upload["url"], data=data, headers=upload["headers"], timeout=60)
    story.must_be("the upload", put.status_code, 200)
    started, told = time.monotonic(), ""
    while time.monotonic() - started < MOST_SECONDS:
        roster: dict[str, Any] = province.read(f"/v1/rosters/{roster_id}")
        counts = roster["counts"]
        line = (
            f"  {roster['state']:<9} {roster['per_cent']:>3} %  read {counts['read']:,} of {roster['rows'] or '?'}  "
            f"issued {counts['issued']:,}  same {counts['same']:,}  refused {counts['refused']:,}"
        )
        if line != told:
            story.say(line + (f"  until about {roster['estimated_end']}" if roster["estimated_end"] else ""))
            told = line
        if roster["state"] == "unreadable":
            raise Difference(f"the roster was refused: {roster['problem_en']}")
        if roster["result_at"] is not None:
            seconds = time.monotonic() - started
            story.say(f"  {counts['read']:,} rows in {seconds:.1f} s, from the upload to the written result")
            return roster
        time.sleep(0.5)
    raise Difference(f"the roster was not done after {MOST_SECONDS:.0f} s: {told}")


def _compare(province: ApiClient, story: Story, roster: dict[str, Any], planted: list[Planted]) -> None:
    """By its rows over HTTP and by its result workbook, row by row."""
    rows = {row["number"]: row for row in _rows(province, roster["roster_id"])}
    found = {number: (row["verdict"], row["code"]) for number, row in rows.items()}
    wanted = {one.number: (one.verdict, one.code) for one in planted}
    for number in sorted(wanted.keys() | found.keys()):
        story.must_be(f"row {number}", found.get(number), wanted.get(number))
    table = Table(header_style="dim", box=None, padding=(0, 2), pad_edge=False)
    for title in ("结果 verdict", "原因 reason", "行数 rows"):
        table.add_column(title, justify="right" if "rows" in title else "left")
    for (verdict, code), count in sorted(Counter(found.values()).items(), key=lambda one: (one[0][0], -one[1])):
        table.add_row(f"{VERDICT_ZH[Verdict(verdict)]} {verdict}", code or "", f"{count:,}")
    story.console.print(table)
    where = province.read(f"/v1/rosters/{roster['roster_id']}/result")
    book = CalamineWorkbook.from_object(BytesIO(_fetched(where["url"])))
    told = _results(book)
    for one in planted:
        result, reason = told[one.number]
        story.must_be(f"row {one.number} of the result", result, VERDICT_ZH[Verdict(one.verdict)])
        story.must_be(f"row {one.number} has a reason", bool(reason), one.verdict in ("refused", "conflict", "ended"))
    story.say(f"  结果文件 result workbook: {len(told):,} 行 rows, 与预置一致 as planted")


def _results(book: CalamineWorkbook) -> dict[int, tuple[str, str]]:
    rows = book.get_sheet_by_name("名单").to_python(skip_empty_area=False)
    header = next(i for i, row in enumerate(rows) if "结果" in row)
    place = rows[header].index("结果")
    return {i: (str(row[place]), str(row[place + 1])) for i, row in enumerate(rows, 1) if row[place] and i > header + 1}


def _rows(province: ApiClient, roster_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query: Mapping[str, Any] = {"limit": 50} | ({"cursor": cursor} if cursor else {})
        page = province.read(f"/v1/rosters/{roster_id}/rows", query)
        found += [row for chunk in page["items"] for row in chunk["rows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _second_time(one: Planted, changed: int, revoked: int) -> Planted:
    verdict = {changed: "conflict", revoked: "ended"}.get(
        one.number, "same" if one.verdict == "issued" else one.verdict
    )
    return Planted(one.number, one.kind, verdict, one.code)


def _fetched(url: str) -> bytes:
    answer = requests.get(url, timeout=60)
    answer.raise_for_status()
    return answer.content


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
            tell_of_rosters(stage, story, today)
        except (Difference, Refused) as wrong:
            console.print(f"\n✗ {wrong}", markup=False, style="bold red")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
