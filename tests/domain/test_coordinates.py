"""What coordinates promise: no figure without its datum, and one datum to compare in."""

from math import atan2, cos, hypot, inf, nan, pi, radians, sin

import pytest
from hypothesis import assume, given
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

# Latitude and longitude in WGS-84, GCJ-02 and BD-09, reckoned with two other statements of the published formulas
# (coord-convert 0.2.1, whose figures these are; eviltransform 0.1.1 is within 2 cm of them).
REFERENCES = [
    ((39.9087, 116.3975), (39.9101035, 116.4037436), (39.9164427, 116.4101166)),  # Beijing
    ((31.2304, 121.4737), (31.2284577, 121.4782231), (31.2343106, 121.4847815)),  # Shanghai
    ((23.1291, 113.2644), (23.1264233, 113.2697296), (23.1327113, 113.2761508)),  # Guangzhou
    ((22.5431, 114.0579), (22.5403828, 114.0630140), (22.5460416, 114.0695640)),  # Shenzhen
    ((22.2707, 113.5767), (22.2676845, 113.5817390), (22.2733437, 113.5882979)),  # Zhuhai
    ((21.2707, 110.3594), (21.2683180, 110.3638964), (21.2742178, 110.3704360)),  # Zhanjiang
    ((24.4800, 118.0800), (24.4773475, 118.0849754), (24.4836893, 118.0914017)),  # Xiamen
    ((30.5728, 104.0668), (30.5703461, 104.0693055), (30.5763519, 104.0757830)),  # Chengdu
    ((43.8256, 87.6168), (43.8268054, 87.6196499), (43.8329498, 87.6260998)),  # Urumqi
    ((29.6520, 91.1721), (29.6492105, 91.1735674), (29.6552642, 91.1800597)),  # Lhasa
    ((45.8038, 126.5350), (45.8057815, 126.5410404), (45.8113958, 126.5476592)),  # Harbin
    ((18.2528, 109.5119), (18.2510948, 109.5159843), (18.2568766, 109.5225318)),  # Sanya
]

# Places close to the borders, latitude and longitude in WGS-84.
ON_THE_MAINLAND = {
    "Luohu port": (22.5320, 114.1130), "Futian port": (22.5165, 114.0690), "Shekou": (22.48, 113.92),
    "Yantian": (22.56, 114.27), "Wutong mountain": (22.582, 114.215), "Nan'ao": (22.533, 114.48),
    "Nei Lingding": (22.41, 113.80), "Guishan island": (22.135, 113.825), "Gongbei": (22.216, 113.549),
    "Hengqin": (22.12, 113.54), "Wanzai": (22.19, 113.525), "Xiamen": (24.48, 118.08), "Pingtan": (25.50, 119.79),
}  # fmt: skip
NOT_SHIFTED = {
    "Central": (22.281, 114.158), "Sheung Shui": (22.501, 114.126), "Tung Chung": (22.289, 113.94),
    "Lok Ma Chau": (22.514, 114.066), "Lo Wu": (22.528, 114.113), "Sha Tau Kok": (22.543, 114.222),
    "Tai O": (22.254, 113.862), "Lau Fau Shan": (22.469, 113.984), "Cheung Chau": (22.209, 114.029),
    "Po Toi": (22.165, 114.265), "Tung Ping Chau": (22.544, 114.435), "Macao": (22.198, 113.543),
    "Portas do Cerco": (22.2145, 113.549), "Cotai": (22.14, 113.56), "Coloane": (22.118, 113.551),
    "Taipei": (25.0330, 121.5654), "Kaohsiung": (22.62, 120.30), "Hengchun": (21.95, 120.80),
    "Penghu": (23.57, 119.57), "Lanyu": (22.05, 121.55), "Pengjia": (25.63, 122.07),
}  # fmt: skip

LATITUDES = st.floats(18.2, 53.5)
LONGITUDES = st.floats(73.6, 135.0)
POINTS = st.builds(Point, LATITUDES, LONGITUDES, st.sampled_from(Datum))


def misread(point: Point, datum: Datum) -> float:
    """Metres between a place and where it seems to be when its figures are taken for another datum."""
    return distance_metres(point, Point(point.latitude, point.longitude, datum))


def in_baidus_figures(point: Point) -> Point:
    """A GCJ-02 point in BD-09, by the published forward step."""
    wave = pi * 3000 / 180
    radius = hypot(point.longitude, point.latitude) + 2e-5 * sin(point.latitude * wave)
    angle = atan2(point.latitude, point.longitude) + 3e-6 * cos(point.longitude * wave)
    return Point(radius * sin(angle) + 0.006, radius * cos(angle) + 0.0065, Datum.BD09)


def is_shifted(point: Point) -> bool:
    converted = to_gcj02(point)
    return (converted.latitude, converted.longitude) != (point.latitude, point.longitude)


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
        there = in_baidus_figures(place)

        assert there.longitude == pytest.approx(longitude, abs=1e-9)
        assert there.latitude == pytest.approx(latitude, abs=1e-9)

    @pytest.mark.parametrize(("wgs84", "gcj02", "bd09"), REFERENCES)
    def test_given_a_city_in_each_datum_when_converted_then_it_is_within_a_decimetre_of_the_published_formulas(
        self, wgs84: tuple[float, float], gcj02: tuple[float, float], bd09: tuple[float, float]
    ) -> None:
        expected = Point(*gcj02, Datum.GCJ02)

        assert distance_metres(Point(*wgs84, Datum.WGS84), expected) < 0.1
        assert distance_metres(Point(*bd09, Datum.BD09), expected) < 0.1


class TestPlacesThatAreNotShifted:
    @pytest.mark.parametrize("place", NOT_SHIFTED)
    def test_given_hong_kong_macao_or_taiwan_when_converted_then_the_figures_stay(self, place: str) -> None:
        assert to_gcj02(Point(*NOT_SHIFTED[place], Datum.WGS84)) == Point(*NOT_SHIFTED[place], Datum.GCJ02)

    @pytest.mark.parametrize("place", ON_THE_MAINLAND)
    def test_given_a_mainland_place_near_a_border_when_converted_then_it_is_shifted(self, place: str) -> None:
        here = Point(*ON_THE_MAINLAND[place], Datum.WGS84)

        assert 300 < misread(here, Datum.GCJ02) < 700

    @pytest.mark.parametrize("place", [*NOT_SHIFTED.values(), *ON_THE_MAINLAND.values()])
    def test_given_a_place_on_either_side_when_it_comes_in_baidus_figures_then_both_ways_lead_to_one_place(
        self, place: tuple[float, float]
    ) -> None:
        from_phone = to_gcj02(Point(*place, Datum.WGS84))
        from_baidu = to_gcj02(in_baidus_figures(from_phone))

        assert distance_metres(from_phone, from_baidu) < 0.01

    def test_given_a_place_in_hengqin_whose_baidu_figures_would_lie_in_macao_when_converted_then_it_stays_in_hengqin(
        self,
    ) -> None:
        hengqin = Point(*ON_THE_MAINLAND["Hengqin"], Datum.WGS84)
        baidu = in_baidus_figures(to_gcj02(hengqin))

        assert not is_shifted(Point(baidu.latitude, baidu.longitude, Datum.WGS84))
        assert distance_metres(hengqin, baidu) < 0.01

    @pytest.mark.parametrize(
        ("latitude", "longitude"),
        [(24.44, 118.32), (26.16, 119.93), (22.129, 113.544), (22.502, 113.945), (21.03, 105.85), (37.57, 126.98)],
        ids=["Kinmen", "Matsu", "Hengqin campus", "Shenzhen Bay port", "Hanoi", "Seoul"],
    )
    def test_given_a_place_beyond_the_drawn_borders_when_converted_then_it_is_shifted_as_documented(
        self, latitude: float, longitude: float
    ) -> None:
        assert is_shifted(Point(latitude, longitude, Datum.WGS84))

    @given(st.floats(22.0, 22.7), st.floats(113.4, 114.7))
    def test_given_any_place_around_the_river_mouth_when_converted_then_it_is_shifted_by_the_full_step_or_not_at_all(
        self, latitude: float, longitude: float
    ) -> None:
        moved = misread(Point(latitude, longitude, Datum.WGS84), Datum.GCJ02)

        assert moved == 0 or 500 < moved < 700


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
        assume(is_shifted(here) == is_shifted(there))

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
