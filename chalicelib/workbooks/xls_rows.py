"""Which rows of an xls sheet are hidden, and whether it is encrypted: calamine tells neither.

An xls is a compound file (MS-CFB) with a stream of records (MS-XLS): a sheet's place stands in BOUNDSHEET, a row's
looks in ROW. Sectors and records may lie about themselves; nothing is followed twice.
"""

from collections.abc import Iterator
from struct import error, unpack_from

_FREE, _FIRST_DIFAT = 0xFFFFFFFA, 109
_BOUNDSHEET, _ROW, _FILEPASS, _END = 0x85, 0x208, 0x2F, 0x0A


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
        # Smaller streams lie in sectors of their own; a workbook is hardly ever one.
        small = workbook[1] < unpack_from("<I", data, 56)[0]
        self.stream = b"" if small else self._chain(workbook[0])[: workbook[1]]

    def encrypted(self) -> bool:
        return any(kind == _FILEPASS for kind, _, _ in self._records(0))

    def hidden_rows(self, sheet: int) -> frozenset[int]:
        """Of the sheet with this index: the numbers, from 1, of its hidden rows."""
        places = [
            unpack_from("<I", self.stream, at)[0] for kind, at, n in self._records(0) if kind == _BOUNDSHEET and n >= 4
        ]
        if sheet >= len(places):
            return frozenset()
        rows = (
            (unpack_from("<H", self.stream, at)[0], unpack_from("<I", self.stream, at + 12)[0])
            for kind, at, n in self._records(places[sheet])
            if kind == _ROW and n >= 16
        )
        return frozenset(number + 1 for number, looks in rows if looks & 0x20)

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
