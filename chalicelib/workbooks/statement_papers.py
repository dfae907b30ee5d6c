"""An account's monthly statement as XLSX, CSV and PDF, all of the same rows. Amounts are yuan with two decimals."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from io import StringIO

from chalicelib.domain import calendar
from chalicelib.domain.fund import BALANCE_ZH, POSTING_ZH, Balance
from chalicelib.domain.money import Fen
from chalicelib.domain.statement import Statement
from chalicelib.workbooks.class_papers import workbook_of
from chalicelib.workbooks.paper_pages import pdf_of
from chalicelib.workbooks.paper_tables import Cell, Column, Paper, Table
from chalicelib.workbooks.writing import harmless

OPENING, CLOSING = "期初余额", "期末余额"
FOOT = ("制表：", "复核（盖章）：", "年　　月　　日")
LEGEND = "单位：元。资金来源为预算的对方科目，以负数表示；每一行各科目合计为零。本表由记账分录逐月汇总。"


def statement_workbook(statement: Statement, region: str) -> bytes:
    """For going on with: amounts are numbers."""
    return workbook_of(_paper(statement, region))


def statement_pdf(statement: Statement, region: str) -> bytes:
    """For the printer, A4 across."""
    return pdf_of(_paper(statement, region))


def statement_csv(statement: Statement, region: str) -> bytes:
    """One heading and a line a row, UTF-8 with a byte order mark, as spreadsheets in China want it. ``1234.50``: no
    separators, so that any program reads it."""
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(("专账", "地区", "年度", "月份", "项目", *(f"{BALANCE_ZH[balance]}（元）" for balance in Balance)))
    at = (statement.account_id, harmless(region), statement.year, statement.month)
    for label, sums in _rows(statement):
        writer.writerow((*at, label, *(str(_yuan(sums[balance])) for balance in Balance)))
    return file.getvalue().encode("utf-8-sig")


def _rows(statement: Statement) -> Iterator[tuple[str, Mapping[Balance, Fen]]]:
    yield OPENING, statement.opening
    for kind, sums in statement.movements.items():
        yield POSTING_ZH[kind], sums
    yield CLOSING, statement.closing


def _paper(statement: Statement, region: str) -> Paper:
    columns = [Column(("项目",), 37, left=True)]
    columns += [Column((BALANCE_ZH[balance],), 40, right=True) for balance in Balance]
    rows = [_cells(label, sums) for label, sums in _rows(statement)]
    at = f"{statement.made_at.astimezone(calendar.CHINA):%Y-%m-%d %H:%M}"
    facts = (
        ("专账编号", statement.account_id),
        ("所属地区", region),
        ("年度", str(statement.year)),
        ("月份", statement.month if statement.complete else f"{statement.month}（未结束，截至 {at}）"),
    )
    table = Table("专账月报", columns, rows, total=True)
    return Paper("职业培训补贴专账月报", facts, (table,), landscape=True, legend=LEGEND, foot=FOOT)


def _cells(label: str, sums: Mapping[Balance, Fen]) -> Sequence[Cell]:
    return (label, *(_yuan(sums[balance]) for balance in Balance))


def _yuan(fen: Fen) -> Decimal:
    """Exactly, with two places."""
    return Decimal(fen).scaleb(-2)
