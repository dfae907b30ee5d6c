"""What working days promise: the notices to the letter, moved days included, and no guess beyond them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.domain.holidays import CalendarUnknown, add_working_days, is_working_day

DAY = timedelta(days=1)
FIRST, LAST = date(2020, 1, 1), date(2026, 12, 31)
DAYS = st.dates(min_value=FIRST, max_value=date(2026, 9, 30))
COUNTS = st.integers(0, 40)

# As the notices put it, month and day: spans that are off, weekends included, then days that are worked.
NOTICES = {
    2020: ("0101 0124-0202 0404-0406 0501-0505 0625-0627 1001-1008", "0119 0426 0509 0628 0927 1010"),
    2021: ("0101-0103 0211-0217 0403-0405 0501-0505 0612-0614 0919-0921 1001-1007",
           "0207 0220 0425 0508 0918 0926 1009"),
    2022: ("0101-0103 0131-0206 0403-0405 0430-0504 0603-0605 0910-0912 1001-1007",
           "0129 0130 0402 0424 0507 1008 1009"),
    2023: ("0101-0102 0121-0127 0405 0429-0503 0622-0624 0929-1006", "0128 0129 0423 0506 0625 1007 1008"),
    2024: ("0101 0210-0217 0404-0406 0501-0505 0610 0915-0917 1001-1007", "0204 0218 0407 0428 0511 0914 0929 1012"),
    2025: ("0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008", "0126 0208 0427 0928 1011"),
    2026: ("0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007", "0104 0214 0228 0509 0920 1010"),
}  # fmt: skip


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included."""
    return [first + n * DAY for n in range((last - first).days + 1)]


def named(year: int, text: str) -> set[date]:
    """The days of ``0101 0124-0202`` in a year."""
    spans = [
        [datetime.strptime(f"{year}{end}", "%Y%m%d").replace(tzinfo=UTC).date() for end in span.split("-")]
        for span in text.split()
    ]
    return {day for span in spans for day in days_between(span[0], span[-1])}


def working(first: date, last: date) -> int:
    return sum(is_working_day(day) for day in days_between(first, last))


class TestWorkingDays:
    @pytest.mark.parametrize(
        ("day", "works"),
        [
            (date(2020, 1, 31), False),  # the prolonged Spring Festival
            (date(2020, 2, 1), False),  # a Saturday that was to be worked, and was not
            (date(2020, 2, 3), True),
            (date(2021, 2, 7), True),  # a Sunday
            (date(2021, 2, 11), False),
            (date(2021, 2, 20), True),  # a Saturday
            (date(2021, 2, 21), False),
            (date(2021, 5, 8), True),  # a Saturday
            (date(2021, 6, 30), True),
            (date(2023, 10, 6), False),
            (date(2023, 10, 7), True),  # a Saturday
            (date(2025, 10, 8), False),
            (date(2026, 1, 4), True),  # a Sunday
            (date(2026, 2, 23), False),
            (date(2026, 12, 31), True),
        ],
    )
    def test_given_a_day_when_asked_then_the_notice_of_its_year_answers(self, day: date, works: bool) -> None:
        assert is_working_day(day) is works

    @pytest.mark.parametrize("year", NOTICES)
    def test_given_the_words_of_a_notice_when_every_day_of_its_year_is_asked_then_it_is_as_they_say(
        self, year: int
    ) -> None:
        off, worked = (named(year, text) for text in NOTICES[year])

        for day in days_between(date(year, 1, 1), date(year, 12, 31)):
            assert is_working_day(day) == (day in worked or (day.weekday() < 5 and day not in off)), day

    @pytest.mark.parametrize(
        ("year", "count"), [(2020, 249), (2021, 250), (2022, 249), (2023, 249), (2024, 251), (2025, 248), (2026, 248)]
    )
    def test_given_a_year_when_its_working_days_are_counted_then_they_are_as_many_as_known(
        self, year: int, count: int
    ) -> None:
        assert working(date(year, 1, 1), date(year, 12, 31)) == count


class TestCounting:
    @pytest.mark.parametrize(
        ("day", "count", "reached"),
        [
            (date(2021, 6, 28), 0, date(2021, 6, 28)),
            (date(2021, 6, 28), 3, date(2021, 7, 1)),
            (date(2021, 6, 25), 1, date(2021, 6, 28)),
            (date(2021, 6, 26), 0, date(2021, 6, 28)),
            (date(2021, 6, 26), 1, date(2021, 6, 28)),
            (date(2021, 2, 10), 1, date(2021, 2, 18)),
            (date(2021, 2, 10), 3, date(2021, 2, 20)),  # a Saturday that is worked
            (date(2021, 2, 10), 4, date(2021, 2, 22)),
            (date(2020, 1, 23), 1, date(2020, 2, 3)),
            (date(2022, 12, 30), 1, date(2023, 1, 3)),
        ],
    )
    def test_given_a_day_when_working_days_are_added_then_days_off_do_not_count_and_moved_ones_do(
        self, day: date, count: int, reached: date
    ) -> None:
        assert add_working_days(day, count) == reached

    @given(DAYS, COUNTS)
    def test_given_any_day_when_working_days_are_added_then_a_working_day_is_reached_with_so_many_between(
        self, day: date, count: int
    ) -> None:
        reached = add_working_days(day, count)

        assert is_working_day(reached)
        if count == 0:
            assert reached == day or (not is_working_day(day) and working(day, reached) == 1)
        else:
            assert reached > day
            assert working(day + DAY, reached) == count

    @given(DAYS, DAYS, COUNTS, COUNTS)
    def test_given_a_later_day_or_more_days_when_added_then_never_an_earlier_day_is_reached(
        self, one: date, other: date, few: int, many: int
    ) -> None:
        early, late = sorted((one, other))
        few, many = sorted((few, many))

        assert add_working_days(early, few) <= add_working_days(late, few) <= add_working_days(late, many)

    @given(DAYS, COUNTS, COUNTS)
    def test_given_a_working_day_when_days_are_added_in_two_steps_then_it_is_as_in_one(
        self, day: date, first: int, second: int
    ) -> None:
        assume(first > 0 or is_working_day(day))

        assert add_working_days(add_working_days(day, first), second) == add_working_days(day, first + second)


class TestBeyondTheNotices:
    @pytest.mark.parametrize("day", [FIRST - DAY, LAST + DAY, date(2015, 6, 1), date.max])
    def test_given_a_year_without_a_notice_when_asked_then_it_is_unknown_and_never_guessed(self, day: date) -> None:
        for count in (None, 0, 1):
            with pytest.raises(CalendarUnknown, match=str(day.year)) as caught:
                _ = is_working_day(day) if count is None else add_working_days(day, count)
            assert caught.value.year == day.year

    def test_given_the_last_known_days_when_counting_leads_beyond_them_then_it_is_unknown(self) -> None:
        assert add_working_days(LAST, 0) == LAST
        with pytest.raises(CalendarUnknown, match=str(LAST.year + 1)):
            add_working_days(LAST, 1)

    @given(st.integers(max_value=-1))
    def test_given_a_negative_count_when_added_then_it_is_refused(self, count: int) -> None:
        with pytest.raises(ValueError, match="forward"):
            add_working_days(FIRST, count)

    def test_given_a_datetime_when_used_as_a_day_then_it_is_refused(self) -> None:
        moment = datetime(2021, 6, 30, 12, tzinfo=UTC)

        with pytest.raises(TypeError, match="plain date"):
            is_working_day(moment)
        with pytest.raises(TypeError, match="plain date"):
            add_working_days(moment, 1)
