"""Which rows of an xls sheet are hidden, whether it is encrypted, how large it is: calamine tells the first two not at
all, and the third when it has taken the memory for it.

An xls is a compound file (MS-CFB) with a stream of records (MS-XLS): a sheet's place stands in BOUNDSHEET, a row's
looks in ROW. Sectors and records may lie about themselves; nothing is followed twice.
"""

from collections.abc import Iterator
from struct import error, unpack_from

_FREE, _FIRST_DIFAT = 0xFFFFFFFA, 109
_BOUNDSHEET, _ROW, _FILEPASS, _END, _DIMENSIONS = 0x85, 0x208, 0x2F, 0x0A, 0x200
# FORMULA, NUMBER, LABEL, BOOLERR, LABELSST, RK, MULRK, RSTRING. BLANK is none: a format alone makes no cell.
_CELLS = frozenset({0x006, 0x203, 0x204, 0x205, 0x0FD, 0x27E, 0x0BD, 0x0D6})

MOST_RECORDS = 6_000_000
"""65,536 rows of some 80 cells."""


class UnreadableXls(Exception):
    """No compound file, or no workbook in it."""


class XlsBook:
    """Raises UnreadableXls."""

    def __init__(self, data: bytes) -> None:
        try:
            self._read_directory(data)
        except (error, ValueError, IndexError):
            raise UnreadableXls from None

    def _read_directory(self, data: bytes) -> None:
        self._data, self._size = data, 1 << unpack_from("<H", data, 30)[0]
        if self._size not in (512, 4096):
            raise UnreadableXls
        self._fat = self._read_fat()
        self._directory = self._chain(unpack_from("<I", data, 48)[0])
        self.names: set[str] = set()
        workbook = None
        for at in range(0, len(self._directory) - 127, 128):
            length = unpack_from("<H", self._directory, at + 64)[0]
            name = self._directory[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            if not self._directory[at + 66]:
                continue
            self.names.add(name)
            if name in ("Workbook", "Book") and workbook is None:
                workbook = unpack_from("<II", self._directory, at + 116)
        if workbook is None:
            self.stream = b""
            return
        start, size = workbook
        small = size < unpack_from("<I", data, 56)[0]
        self.stream = (self._small(start) if small else self._chain(start))[:size]

    def _small(self, sector: int) -> bytes:
        """Streams that are short lie in sectors of 64 bytes, all of them in a stream of their own."""
        there = self._chain(unpack_from("<I", self._directory, 116)[0])
        table = self._chain(unpack_from("<I", self._data, 60)[0])
        pieces, seen = list[bytes](), set[int]()
        while sector < _FREE and sector not in seen:
            seen.add(sector)
            pieces.append(there[sector * 64 : sector * 64 + 64])
            sector = unpack_from("<I", table, sector * 4)[0]
        return b"".join(pieces)

    def encrypted(self) -> bool:
        return any(kind == _FILEPASS for kind, _, _ in self._records(0))

    def hidden_rows(self, sheet: int) -> frozenset[int]:
        """Of the sheet with this index: the numbers, from 1, of its hidden rows."""
        places = self._places()
        if sheet >= len(places):
            return frozenset()
        rows = (
            (unpack_from("<H", self.stream, at)[0], unpack_from("<I", self.stream, at + 12)[0])
            for kind, at, length in self._records(places[sheet])
            if kind == _ROW and length >= 16
        )
        return frozenset(number + 1 for number, looks in rows if looks & 0x20)

    def extent(self) -> tuple[int, int]:
        """The most rows and columns that a sheet's cells take up, or that it says they do.

        Raises UnreadableXls: more records than a workbook has, which sheets that lie in each other make of few.
        """
        rows = columns = looked_at = 0
        stream = self.stream
        for place in self._places():
            for kind, at, length in self._records(place):
                looked_at += 1
                if looked_at > MOST_RECORDS:
                    raise UnreadableXls
                if kind in _CELLS and length >= 6:
                    row, column = unpack_from("<HH", stream, at)
                    if kind == 0xBD:
                        column = max(column, unpack_from("<H", stream, at + length - 2)[0])
                    rows, columns = max(rows, row + 1), max(columns, column + 1)
                elif kind == _DIMENSIONS and length >= 10:
                    form = "<IIHH" if length >= 14 else "<HHHH"
                    _, last_row, _, last_column = unpack_from(form, stream, at)
                    rows, columns = max(rows, last_row), max(columns, last_column)
        return rows, columns

    def _places(self) -> list[int]:
        return [
            unpack_from("<I", self.stream, at)[0]
            for kind, at, length in self._records(0)
            if kind == _BOUNDSHEET and length >= 4
        ]

    def _records(self, at: int) -> Iterator[tuple[int, int, int]]:
        """(kind, where its content begins, how long that is), up to the end of what begins here."""
        stream = self.stream
        while at + 4 <= len(stream):
            kind, length = unpack_from("<HH", stream, at)
            if kind == _END or at + 4 + length > len(stream):
                return
            yield kind, at + 4, length
            at += 4 + length

    def _sector(self, number: int) -> bytes:
        return self._data[(number + 1) * self._size : (number + 2) * self._size]

    def _read_fat(self) -> list[int]:
        sectors = list(unpack_from(f"<{_FIRST_DIFAT}I", self._data, 76))
        following, seen = unpack_from("<I", self._data, 68)[0], set[int]()
        while following < _FREE and following not in seen:
            seen.add(following)
            *more, following = self._numbers(following)
            sectors += more
        return [entry for sector in sectors if sector < _FREE for entry in self._numbers(sector)]

    def _numbers(self, sector: int) -> tuple[int, ...]:
        return unpack_from(f"<{self._size // 4}I", self._sector(sector))

    def _chain(self, sector: int) -> bytes:
        pieces, seen = list[bytes](), set[int]()
        while sector < _FREE and sector not in seen:
            seen.add(sector)
            pieces.append(self._sector(sector))
            sector = self._fat[sector]
        return b"".join(pieces)
