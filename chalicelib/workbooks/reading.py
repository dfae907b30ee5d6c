"""STUB"""

from collections.abc import Iterator
from io import BytesIO

from chalicelib.domain.sheets import RawRow


class Sheet:
    def __init__(self, data: bytes) -> None:
        from python_calamine import CalamineWorkbook

        self._s = CalamineWorkbook.from_object(BytesIO(data)).get_sheet_by_index(0)

    def rows(self) -> Iterator[RawRow]:
        for i, r in enumerate(self._s.to_python(skip_empty_area=False), 1):
            yield RawRow(i, r)


def open_sheet(data: bytes, file_name: str) -> Sheet:
    return Sheet(data)
