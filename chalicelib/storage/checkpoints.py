"""How far the sweeps have come, and, on the local stage, how far the clock was moved."""

from datetime import UTC, date, datetime, timedelta

from chalicelib.domain.outcomes import StaleRow
from chalicelib.storage import keys
from chalicelib.storage.rows import InsightRow, text
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class CheckpointStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def swept_until(self, sweep: str) -> date | None:
        item = self._tables.get(InsightRow, f"SWEEP#{sweep}", keys.HEAD)
        return date.fromisoformat(text(item, "body")) if item else None

    def advance(self, sweep: str, day: date) -> None:
        tx = Transaction(self._tables)
        row = InsightRow(f"SWEEP#{sweep}", keys.HEAD, body=day.isoformat())
        ahead = InsightRow.subject.does_not_exist() | (InsightRow.body < day.isoformat())
        tx.put(row, ahead, always(StaleRow()))
        try:
            tx.commit()
        except StaleRow:
            return  # another run is further already


class MovedClock:
    """The real clock plus an offset kept in the insights table; wired on the local stage only."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def now(self) -> datetime:
        instant = datetime.now(UTC) + self.offset()
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)

    def offset(self) -> timedelta:
        """How far the platform's clock is ahead of the real one."""
        item = self._tables.get(InsightRow, "CLOCK", keys.HEAD)
        return timedelta(seconds=int(text(item, "body"))) if item else timedelta()

    def move(self, offset: timedelta) -> None:
        """Set how far the platform's clock is ahead of the real one."""
        tx = Transaction(self._tables)
        row = InsightRow("CLOCK", keys.HEAD, body=str(int(offset.total_seconds())))
        tx.put(row, InsightRow.subject.does_not_exist() | InsightRow.subject.exists(), always(StaleRow()))
        tx.commit()
