"""The file of a roster, opened."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from chalicelib.domain import calendar
from chalicelib.domain.roster import MOST_BYTES, Roster
from chalicelib.domain.schemas import regional
from chalicelib.domain.sheets import Entry, FileRefused, RawRow, find_header, read_entries
from chalicelib.services.cataloguing import rules_in_force
from chalicelib.services.ports import Platform

HEADER_WITHIN = 30


class Reading:
    """Its header, its rows, its people. Raises FileRefused, Unavailable."""

    def __init__(self, p: Platform, roster: Roster, now: datetime) -> None:
        data = p.files.read(roster.object_key or "", roster.object_version, MOST_BYTES)
        if data is None:
            zh, en = (
                "文件已不存在，或超过 50 MB；请重新上传。",
                "The file is gone, or larger than 50 MB; upload it again.",
            )
            raise FileRefused("file_gone", zh, en)
        self._sheet = p.workbooks.open(data, roster.file_name)
        # By the rules of the day on which it was declared: a column does not vanish while it is worked off.
        rules = rules_in_force(p.catalogue, roster.region, roster.made_at)
        self._schema = regional(roster.kind, rules.roster_columns)
        # Judged as on the day on which it was put: a birth date does not become possible while it is worked off.
        self._today = calendar.local_date(now)
        first = list(islice(self._sheet.rows(), HEADER_WITHIN))
        self.header = find_header(first, self._schema, kind=self._sheet.kind, version=self._sheet.version)

    def rows(self) -> Iterator[RawRow]:
        """All rows of the sheet, as they stand there."""
        return self._sheet.rows()

    def entries(self) -> Iterator[Entry]:
        """The rows with people on them."""
        return read_entries(self.rows(), self.header, self._schema, today=self._today)
