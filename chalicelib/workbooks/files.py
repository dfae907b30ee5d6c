"""Workbook files, as the services ask for them."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import BinaryIO

from chalicelib.domain.roster import Outcome
from chalicelib.domain.sheets import RawRow, Schema, Sheet
from chalicelib.workbooks import reading, writing


class WorkbookFiles:
    def open(self, data: bytes, file_name: str) -> Sheet:
        return reading.open_sheet(data, file_name)

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
