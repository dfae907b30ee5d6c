"""Monthly statements by the books of a whole road, and as files."""

import csv
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from chalicelib.domain import calendar
from chalicelib.domain.application import LineVerdict
from chalicelib.domain.errors import AccountNotFound, StatementNotFound
from chalicelib.domain.fund import Balance, PostingKind
from chalicelib.domain.statement import Statement, StatementFormat
from chalicelib.services import funding, printing_statements, publishing
from chalicelib.services.releasing import post_releases
from tests.services.test_funding_transfers import OF_CITY, confirm, open_account, propose
from tests.settling import a_completed_class, collected, decide, with_clerks
from tests.world import CITY, FACE_VALUE, OTHER_CITY, World, local

HEAD = ["项目", "资金来源", "可用", "预留", "应付", "已付", "已追回"]


def show(world: World, month: str, account_id: str = f"{CITY}-2021", **changes: Any) -> Statement:
    return printing_statements.show_statement(
        world.platform, account_id, month, **{"actor": world.bureau, "now": world.now, **changes}
    )


def a_year(world: World) -> None:
    """Published in May; applied for, granted and closed in June; budget moved in July."""
    with_clerks(world)
    open_account(world, OTHER_CITY, 2021, 1_234_567)
    training, ids = a_completed_class(world, 3)
    world.clock.set(local("2021-05-31T16:00:00Z"))
    there = collected(world, training)
    decide(world, there, LineVerdict.APPROVE_LESS, ids[0], fen=100_001)
    decide(world, there, LineVerdict.REFUSE, ids[1])
    p = world.platform
    world.act(publishing.close_template, world.publish(7))
    post_releases(p.templates, p.accounts, now=world.now, may_go_on=lambda: True)
    world.clock.set(local("2021-07-15T00:00:00Z"))
    confirm(world, propose(world, 1_234_500).answer)
    funding.change_budget(
        p.accounts, p.marks, account_id=f"{CITY}-2021", amount_fen=-5, note="收回", **world.by(world.bureau)
    )


def test_given_a_year_of_everything_when_each_month_is_told_then_it_is_what_was_posted_in_it(world: World) -> None:
    a_year(world)
    postings = world.platform.accounts.postings(f"{CITY}-2021", 1000, None).items
    closing = dict.fromkeys(Balance, 0)

    for month in ("2021-05", "2021-06", "2021-07"):
        there = show(world, month)
        mine = [one for one in postings if f"{calendar.local_date(one.posted_at):%Y-%m}" == month]
        assert there.opening == closing
        for kind, sums in there.movements.items():
            assert sums == {b: sum(one.legs.get(b, 0) for one in mine if one.kind is kind) for b in Balance}
        assert set(there.movements) == {one.kind for one in mine}
        assert there.closing == {b: closing[b] + sum(one.legs.get(b, 0) for one in mine) for b in Balance}
        closing = dict(there.closing)
    assert closing == world.balances()
    june = show(world, "2021-06").movements
    assert june[PostingKind.RELEASE][Balance.FREE] == 9 * FACE_VALUE - 100_001
    assert june[PostingKind.APPROVE][Balance.PAYABLE] == 100_001
    assert show(world, "2021-07").movements[PostingKind.TRANSFER][Balance.FREE] == 1_234_500
    world.check_laws(world.vouchers())


def test_given_a_month_or_an_account_that_is_not_there_when_asked_then_clearly_refused(world: World) -> None:
    open_account(world, OTHER_CITY, 2021, 1)
    for month in ("2021-04", "2021-06", "2021-13", "junk"):
        with pytest.raises(StatementNotFound) as refused:
            show(world, month)
        assert refused.value.facts == {"month": month[:7], "first_month": "2021-05", "last_month": "2021-05"}
    with pytest.raises(AccountNotFound):
        show(world, "2021-05", f"{OTHER_CITY}-2021", actor=OF_CITY)
    with pytest.raises(AccountNotFound):
        show(world, "2021-05", f"{OTHER_CITY}-2031")


def printed(world: World, statement: Statement, form: StatementFormat) -> bytes:
    files: Any = world.platform.files
    where = printing_statements.print_statement(world.platform, statement, form, now=world.now)
    assert where.ends_at > world.now
    content = files.read(f"accounts/statements/{statement.account_id}-{statement.month}.{form}", None, 10**7)
    assert isinstance(content, bytes)
    return content


def yuan_of(sums: Any) -> list[float]:
    return [sums[balance] / 100 for balance in Balance]


def test_given_a_statement_when_printed_then_each_file_says_the_same_figures(world: World) -> None:
    a_year(world)
    june = show(world, "2021-06")
    wanted = [("期初余额", june.opening), *zip(("预留", "释放", "审核通过"), june.movements.values(), strict=True)]
    wanted.append(("期末余额", june.closing))

    text = printed(world, june, StatementFormat.CSV)
    assert text.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(StringIO(text.decode("utf-8-sig")))
    assert head == ["专账", "地区", "年度", "月份", "项目", *(f"{one}（元）" for one in HEAD[1:])]
    assert [(row[4], [float(one) for one in row[5:]]) for row in rows] == [
        (label, yuan_of(sums)) for label, sums in wanted
    ]
    assert {tuple(row[:4]) for row in rows} == {("440300-2021", "深圳市", "2021", "2021-06")}

    sheet = CalamineWorkbook.from_filelike(BytesIO(printed(world, june, StatementFormat.XLSX))).get_sheet_by_index(0)
    table = sheet.to_python()
    at = next(n for n, row in enumerate(table) if row[0] == "项目")
    assert table[at][:7] == HEAD
    assert [(row[0], row[1:7]) for row in table[at + 1 : at + 1 + len(wanted)]] == [
        (label, yuan_of(sums)) for label, sums in wanted
    ]

    pdf = PdfReader(BytesIO(printed(world, june, StatementFormat.PDF)))
    said = "".join(page.extract_text() for page in pdf.pages)
    for label, sums in wanted:
        assert label in said
        for balance in Balance:
            assert f"{sums[balance] / 100:,.2f}" in said
    assert len(pdf.pages) == 1
    assert "440300-2021" in said


def test_given_a_month_that_goes_on_when_printed_then_the_paper_says_until_when(world: World) -> None:
    may = show(world, "2021-05")
    text = PdfReader(BytesIO(printed(world, may, StatementFormat.PDF))).pages[0].extract_text()
    assert "未结束" in text
    world.clock.advance(timedelta(days=40))
    done = show(world, "2021-05")
    assert "未结束" not in PdfReader(BytesIO(printed(world, done, StatementFormat.PDF))).pages[0].extract_text()
    first, second = (printed(world, done, StatementFormat.XLSX) for _ in range(2))
    assert first == second
