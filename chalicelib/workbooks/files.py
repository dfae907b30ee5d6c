"""Workbook files, as the services ask for them."""

from chalicelib.domain.sheets import Sheet
from chalicelib.workbooks import reading


class WorkbookFiles:
    def open(self, data: bytes, file_name: str) -> Sheet:
        return reading.open_sheet(data, file_name)
