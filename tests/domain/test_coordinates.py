"""What coordinates promise: no figure without its datum, and one datum to compare in."""

from math import atan2, cos, hypot, inf, nan, pi, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.coordinates import Datum, InvalidPoint, Point, check_point, distance_metres, to_gcj02

# The same place in three datums (domain §4).
WGS = Point(23.1092, 113.3191, Datum.WGS84)
GCJ = Point(23.106589, 113.324510, Datum.GCJ02)
BD = Point(23.112354, 113.331051, Datum.BD09)

# Centres of Guangdong's cities, roughly.
CITIES = [
    (23.13, 113.26), (22.54, 114.06), (22.27, 113.58), (23.35, 116.68), (23.02, 113.12), (24.81, 113.60),
    (23.74, 114.70), (24.29, 116.12), (23.11, 114.42), (22.79, 115.37), (23.02, 113.75), (22.52, 113.39),
    (22.58, 113.08), (21.86, 111.98), (21.27, 110.36), (21.66, 110.93), (23.05, 112.47), (23.68, 113.06),
    (23.66, 116.62), (23.55, 116.37), (22.92, 112.04),
]  # fmt: skip

LATITUDES = st.floats(18.2, 53.5)
LONGITUDES = st.floats(73.6, 135.0)
POINTS = st.builds(Point, LATITUDES, LONGITUDES, st.sampled_from(Datum))


def misread(point: Point, datum: Datum) -> float:
    """Metres between a place and where it seems to be when its figures are taken for another datum."""
    return distance_metres(point, Point(point.latitude, point.longitude, datum))


class TestConversion:
    @pytest.mark.parametrize("point", [WGS, GCJ, BD])
    def test_given_the_same_place_in_each_datum_when_converted_then_it_is_one_place_to_a_metre(
        self, point: Point
    ) -> None:
        converted = to_gcj02(point)

        assert converted.datum is Datum.GCJ02
        assert (converted.latitude, converted.longitude) == pytest.approx((GCJ.latitude, GCJ.longitude), abs=2e-6)
        assert distance_metres(point, GCJ) < 1

    @pytest.mark.parametrize(("latitude", "longitude"), CITIES)
    def test_given_a_city_of_guangdong_when_datums_are_mixed_then_it_is_off_as_published(
        self, latitude: float, longitude: float
    ) -> None:
        assert 530 < misread(Point(latitude, longitude, Datum.WGS84), Datum.GCJ02) < 650
        assert 910 < misread(Point(latitude, longitude, Datum.BD09), Datum.GCJ02) < 975

    @given(LATITUDES, LONGITUDES)
    def test_given_gcj02_when_converted_then_it_stays(self, latitude: float, longitude: float) -> None:
        point = Point(latitude, longitude, Datum.GCJ02)

        assert to_gcj02(point) is point

    @pytest.mark.parametrize("datum", Datum)
    @pytest.mark.parametrize(("latitude", "longitude"), [(48.8566, 2.3522), (-33.87, 151.21), (40.71, -74.01)])
    def test_given_a_place_abroad_when_converted_then_its_figures_stay(
        self, latitude: float, longitude: float, datum: Datum
    ) -> None:
        assert to_gcj02(Point(latitude, longitude, datum)) == Point(latitude, longitude, Datum.GCJ02)

    @given(LATITUDES, LONGITUDES)
    def test_given_any_place_in_baidus_figures_when_converted_then_the_published_forward_step_leads_back(
        self, latitude: float, longitude: float
    ) -> None:
        place = to_gcj02(Point(latitude, longitude, Datum.BD09))
        wave = pi * 3000 / 180
        radius = hypot(place.longitude, place.latitude) + 2e-5 * sin(place.latitude * wave)
        angle = atan2(place.latitude, place.longitude) + 3e-6 * cos(place.longitude * wave)

        assert radius * cos(angle) + 0.0065 == pytest.approx(longitude, abs=1e-9)
        assert radius * sin(angle) + 0.006 == pytest.approx(latitude, abs=1e-9)


class TestDistance:
    @given(POINTS, POINTS)
    def test_given_two_places_when_measured_either_way_then_the_distance_is_the_same(self, a: Point, b: Point) -> None:
        assert distance_metres(a, b) == pytest.approx(distance_metres(b, a), abs=1e-6)
        assert distance_metres(a, a) == 0

    @given(LATITUDES, LONGITUDES, st.floats(-0.003, 0.003), st.floats(-0.003, 0.003))
    def test_given_two_phones_near_each_other_when_measured_then_the_shift_hardly_matters(
        self, latitude: float, longitude: float, north: float, east: float
    ) -> None:
        here = Point(latitude, longitude, Datum.WGS84)
        there = Point(latitude + north, longitude + east, Datum.WGS84)
        plain = 111_195 * hypot(north, east * cos(radians(latitude)))

        assert distance_metres(here, there) == pytest.approx(plain, rel=0.01, abs=0.1)

    def test_given_one_degree_north_when_measured_then_it_is_111_kilometres(self) -> None:
        south, north = Point(22.5, 114, Datum.GCJ02), Point(23.5, 114, Datum.GCJ02)

        assert distance_metres(south, north) == pytest.approx(111_195, abs=1)


class TestChecking:
    @pytest.mark.parametrize("datum", [Datum.WGS84, "wgs84"])
    def test_given_good_figures_when_checked_then_they_are_a_point(self, datum: object) -> None:
        assert check_point(23.1092, 113.3191, datum) == WGS

    @pytest.mark.parametrize(
        ("latitude", "longitude", "datum", "code"),
        [
            (23.1, 113.3, "", "datum"),
            (23.1, 113.3, None, "datum"),
            (23.1, 113.3, "WGS84", "datum"),
            (23.1, 113.3, ["wgs84"], "datum"),
            ("23.1", 113.3, "wgs84", "type"),
            (23.1, None, "wgs84", "type"),
            (True, 113.3, "wgs84", "type"),
            (nan, 113.3, "wgs84", "not_finite"),
            (23.1, inf, "wgs84", "not_finite"),
            (-inf, nan, "wgs84", "not_finite"),
            (10**400, 113.3, "wgs84", "not_finite"),
            (0, 0, "wgs84", "zero"),
            (-0.0, 0.0, "wgs84", "zero"),
            (113.3191, 23.1092, "wgs84", "swapped"),
            (87.6, 43.8, "wgs84", "swapped"),
            (91, 181, "wgs84", "out_of_range"),
            (-90.1, 113.3, "wgs84", "out_of_range"),
            (23.1, -180.1, "wgs84", "out_of_range"),
            (48.8566, 2.3522, "wgs84", "outside_china"),
            (0, 113.3, "wgs84", "outside_china"),
            (23.1, 0, "wgs84", "outside_china"),
        ],
    )
    def test_given_figures_that_cannot_be_meant_when_checked_then_the_code_says_why(
        self, latitude: object, longitude: object, datum: object, code: str
    ) -> None:
        with pytest.raises(InvalidPoint) as caught:
            check_point(latitude, longitude, datum)

        assert caught.value.code == code
        assert caught.value.hint_zh
        assert str(caught.value) == f"{code}: {caught.value.hint_en}"

    @pytest.mark.parametrize(("accuracy", "limit"), [(0, 100), (30, 100), (100, 100), (5000, None), (None, 100)])
    def test_given_a_bearable_accuracy_when_checked_then_the_point_passes(
        self, accuracy: float | None, limit: float | None
    ) -> None:
        assert check_point(23.1, 113.3, "wgs84", accuracy_metres=accuracy, accuracy_limit_metres=limit)

    @pytest.mark.parametrize(("accuracy", "limit"), [(101, 100), (-1, None), (nan, 100), (inf, None)])
    def test_given_a_hopeless_accuracy_when_checked_then_it_is_refused(
        self, accuracy: float, limit: float | None
    ) -> None:
        with pytest.raises(InvalidPoint) as caught:
            check_point(23.1, 113.3, "wgs84", accuracy_metres=accuracy, accuracy_limit_metres=limit)

        assert caught.value.code == "accuracy"

    @given(LATITUDES, LONGITUDES, st.sampled_from(Datum))
    def test_given_any_place_in_china_when_checked_then_it_passes_and_swapped_it_is_told(
        self, latitude: float, longitude: float, datum: Datum
    ) -> None:
        assert check_point(latitude, longitude, datum) == Point(latitude, longitude, datum)
        with pytest.raises(InvalidPoint) as caught:
            check_point(longitude, latitude, datum)
        assert caught.value.code == "swapped"

    @given(st.floats(), st.floats())
    def test_given_any_figures_when_checked_then_nothing_but_a_coded_refusal_comes(
        self, latitude: float, longitude: float
    ) -> None:
        try:
            point = check_point(latitude, longitude, Datum.WGS84)
        except InvalidPoint as refusal:
            code = refusal.code
        else:
            code = "in_china" if 3 <= point.latitude <= 54 and 73 <= point.longitude <= 136 else "?"

        assert code in {"in_china", "not_finite", "zero", "swapped", "out_of_range", "outside_china"}
