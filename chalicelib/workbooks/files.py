"""Workbook files, as the services ask for them."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import BinaryIO

from chalicelib.domain.class_papers import ClassPaper, PaperFormat, PaperKind
from chalicelib.domain.line_list import LineList
from chalicelib.domain.payment import FileRow, PaymentBatch
from chalicelib.domain.roster import Outcome
from chalicelib.domain.sheets import RawRow, Schema, Sheet
from chalicelib.domain.statement import Statement, StatementFormat
from chalicelib.workbooks import reading, writing


class WorkbookFiles:
    def open(self, data: bytes, file_name: str) -> Sheet:
        return reading.open_sheet(data, file_name)

    def paper(self, content: ClassPaper, kind: PaperKind, form: PaperFormat) -> BinaryIO:
        from chalicelib.workbooks import class_papers as papers

        make = {
            (PaperKind.ATTENDANCE, PaperFormat.PDF): papers.attendance_pdf,
            (PaperKind.ATTENDANCE, PaperFormat.XLSX): papers.attendance_workbook,
            (PaperKind.ROSTER, PaperFormat.PDF): papers.roster_pdf,
            (PaperKind.ROSTER, PaperFormat.XLSX): papers.roster_workbook,
        }
        return BytesIO(make[kind, form](content))

    def statement(self, content: Statement, region: str, form: StatementFormat) -> BinaryIO:
        from chalicelib.workbooks import statement_papers as papers

        make = {
            StatementFormat.XLSX: papers.statement_workbook,
            StatementFormat.CSV: papers.statement_csv,
            StatementFormat.PDF: papers.statement_pdf,
        }
        return BytesIO(make[form](content, region))

    def evidence(self, lines: LineList) -> BinaryIO:
        from chalicelib.workbooks import line_lists

        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
        line_lists.evidence_workbook(lines, to=file)
        file.seek(0)
        return file

    def bank_file(self, batch: PaymentBatch, payees: Sequence[FileRow]) -> BinaryIO:
        from chalicelib.workbooks.bank_file import bank_file

        return BytesIO(bank_file(batch, payees))

    def template(self, schema: Schema) -> BinaryIO:
        return BytesIO(writing.template_workbook(schema))

    def result(
        self,
        rows: Iterable[RawRow],
        header_number: int,
        outcomes: Iterator[Outcome],
        *,
        summary: Sequence[tuple[str, str]],
    ) -> BinaryIO:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
        writing.result_workbook(rows, header_number, outcomes, summary=summary, to=file)
        file.seek(0)
        return file
