"""What the business calendar promises at its edges."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.calendar import due_day, end_of, from_text, in_force, local_date, start_of, to_text, year_of

MICROSECOND = timedelta(microseconds=1)
DAYS = st.dates(min_value=date(1992, 1, 1), max_value=date(2199, 12, 31))
INSTANTS = st.integers(0, 7_000_000_000_000_000).map(lambda step: datetime(1992, 1, 1, tzinfo=UTC) + step * MICROSECOND)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FROM, UNTIL = date(2021, 6, 1), date(2021, 6, 30)


class TestLocalDates:
    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("2021-06-30T15:59:59.999Z", date(2021, 6, 30)),
            ("2021-06-30T16:00:00.000Z", date(2021, 7, 1)),
            ("2021-06-30T23:59:59+08:00", date(2021, 6, 30)),
            ("2020-12-31T16:00:00Z", date(2021, 1, 1)),
        ],
    )
    def test_given_an_instant_when_asked_then_the_day_in_china_answers(self, text: str, day: date) -> None:
        assert local_date(from_text(text)) == day
        assert year_of(from_text(text)) == day.year

    @given(INSTANTS, OFFSETS)
    def test_given_any_instant_in_any_offset_when_asked_then_the_zone_database_agrees(
        self, instant: datetime, offset: timezone
    ) -> None:
        assert local_date(instant.astimezone(offset)) == instant.astimezone(ZoneInfo("Asia/Shanghai")).date()

    @given(DAYS)
    def test_given_a_day_when_its_edges_are_asked_then_it_is_24_hours_from_midnight_in_china(self, day: date) -> None:
        start, end = start_of(day), end_of(day)

        assert end - start == timedelta(hours=24)
        assert start.utcoffset() == end.utcoffset() == timedelta(0)
        assert (start.hour, start.minute, start.second, start.microsecond) == (16, 0, 0, 0)
        assert local_date(start) == local_date(end - MICROSECOND) == day
        assert local_date(end) == day + timedelta(days=1)


class TestValidity:
    @pytest.mark.parametrize(
        ("text", "force"),
        [
            ("2021-05-31T15:59:59.999Z", "not_yet"),
            ("2021-05-31T16:00:00.000Z", "in_force"),
            ("2021-06-30T15:59:59.999Z", "in_force"),
            ("2021-06-30T15:59:59.999999Z", "in_force"),
            ("2021-06-30T16:00:00.000Z", "expired"),
        ],
    )
    def test_given_june_2021_when_asked_at_its_edges_then_the_last_day_counts_whole(
        self, text: str, force: str
    ) -> None:
        assert in_force(FROM, UNTIL, from_text(text)) == force

    def test_given_a_single_day_when_asked_within_it_then_it_is_in_force(self) -> None:
        assert in_force(UNTIL, UNTIL, start_of(UNTIL)) == "in_force"

    def test_given_an_end_before_the_beginning_when_asked_then_it_is_refused(self) -> None:
        with pytest.raises(ValueError, match="ends before"):
            in_force(UNTIL, FROM, start_of(FROM))

    @given(DAYS, DAYS, INSTANTS)
    def test_given_any_validity_when_asked_then_it_agrees_with_the_edges_of_its_days(
        self, one: date, other: date, instant: datetime
    ) -> None:
        first, last = sorted((one, other))

        force = in_force(first, last, instant)

        assert (force == "not_yet") == (instant < start_of(first))
        assert (force == "expired") == (instant >= end_of(last))


class TestDueDays:
    @pytest.mark.parametrize(
        ("written", "due"),
        [
            ("2021-06-01T02:00:00Z", date(2021, 7, 1)),
            ("2021-06-30T15:59:59.999Z", date(2021, 7, 1)),
            ("2021-06-30T16:00:00Z", date(2021, 7, 2)),
            ("2021-07-09T16:00:00Z", date(2021, 7, 11)),
        ],
    )
    def test_given_a_row_when_written_then_it_is_due_the_day_after_the_later_of_both(
        self, written: str, due: date
    ) -> None:
        assert due_day(UNTIL, from_text(written)) == due

    @given(DAYS, INSTANTS)
    def test_given_any_row_when_written_then_its_day_has_not_begun_and_its_validity_is_over(
        self, until: date, written: datetime
    ) -> None:
        due = due_day(until, written)

        assert written < start_of(due)
        assert end_of(until) <= start_of(due)


class TestInstantsAsText:
    def test_given_an_instant_when_written_then_it_is_utc_with_milliseconds_and_never_later(self) -> None:
        china = timezone(timedelta(hours=8))
        assert to_text(datetime(2021, 6, 30, 23, 59, 59, 999_999, china)) == "2021-06-30T15:59:59.999Z"
        assert to_text(datetime(2021, 7, 1, tzinfo=china)) == "2021-06-30T16:00:00.000Z"

    @given(INSTANTS, OFFSETS)
    def test_given_any_instant_when_written_and_read_then_only_microseconds_are_lost(
        self, instant: datetime, offset: timezone
    ) -> None:
        text = to_text(instant.astimezone(offset))

        assert from_text(text) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)
        assert to_text(from_text(text)) == text

    @given(INSTANTS, INSTANTS)
    def test_given_two_instants_when_written_then_the_texts_sort_like_them(self, a: datetime, b: datetime) -> None:
        assert (a <= b) <= (to_text(a) <= to_text(b))

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2021-06-30T16:00:00Z", datetime(2021, 6, 30, 16, tzinfo=UTC)),
            ("2021-07-01T00:00:00+08:00", datetime(2021, 6, 30, 16, tzinfo=UTC)),
            ("2021-06-30T16:00:00.5Z", datetime(2021, 6, 30, 16, 0, 0, 500_000, UTC)),
            ("2021-06-30T16:00:00.123456789Z", datetime(2021, 6, 30, 16, 0, 0, 123_456, UTC)),
        ],
    )
    def test_given_rfc_3339_when_read_then_it_is_utc(self, text: str, instant: datetime) -> None:
        read = from_text(text)

        assert read == instant
        assert read.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2021-06-30",
            "2021-06-30T16:00:00",
            "2021-06-30 16:00:00Z",
            "2021-06-30T16:00Z",
            "2021-06-31T16:00:00Z",
            "2021-06-30T24:00:00Z",
            "2021-06-30T23:59:60Z",
            "2021-06-30T16:00:00Z\n",
            "2021-06-30T16:00:00+24:00",
            "20210630T160000Z",
            "2021-W26-3T16:00:00Z",
            "２０２１-06-30T16:00:00Z",
            "0001-01-01T00:00:00+08:00",
        ],
    )
    def test_given_anything_else_when_read_then_it_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="instant"):
            from_text(text)


class TestMistakesOfCallers:
    NAIVE = datetime(2021, 6, 30, 12, tzinfo=UTC).replace(tzinfo=None)

    def test_given_a_naive_datetime_when_used_as_an_instant_then_it_is_refused(self) -> None:
        for act in (
            lambda: local_date(self.NAIVE),
            lambda: year_of(self.NAIVE),
            lambda: to_text(self.NAIVE),
            lambda: in_force(FROM, UNTIL, self.NAIVE),
            lambda: due_day(UNTIL, self.NAIVE),
        ):
            with pytest.raises(ValueError, match="naive"):
                act()

    def test_given_a_datetime_when_used_as_a_day_then_it_is_refused(self) -> None:
        moment = datetime(2021, 6, 30, 12, tzinfo=UTC)
        for act in (
            lambda: start_of(moment),
            lambda: end_of(moment),
            lambda: in_force(moment, UNTIL, moment),
            lambda: in_force(FROM, moment, moment),
            lambda: due_day(moment, moment),
        ):
            with pytest.raises(TypeError):
                act()
