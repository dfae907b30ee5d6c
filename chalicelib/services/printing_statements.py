"""An account's monthly statement (专账月报), to be looked at, and as a file to fetch. domain/statement.py"""

from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.statement import Statement, StatementFormat, statement_of
from chalicelib.domain.stored_file import Download
from chalicelib.services.cataloguing import find_region
from chalicelib.services.funding import find_account
from chalicelib.services.ports import Platform

STATEMENTS = "accounts/statements/"
CONTENT_TYPES = {
    StatementFormat.PDF: "application/pdf",
    StatementFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    StatementFormat.CSV: "text/csv; charset=utf-8",
}


def show_statement(p: Platform, account_id: str, month: str, *, actor: Actor, now: datetime) -> Statement:
    """Raises AccountNotFound, StatementNotFound."""
    return statement_of(find_account(p.accounts, account_id, actor), month, now)


def print_statement(p: Platform, statement: Statement, form: StatementFormat, *, now: datetime) -> Download:
    """Where the statement may be fetched for some minutes; the file is made anew each time."""
    region = find_region(p.catalogue, statement.region).name_zh
    key = f"{STATEMENTS}{statement.account_id}-{statement.month}.{form}"
    with p.workbooks.statement(statement, region, form) as file:
        p.files.write(key, file, CONTENT_TYPES[form])
    return p.files.download_url(key, f"{region}-专账月报-{statement.month}.{form}", now)
