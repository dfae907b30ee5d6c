"""Places on the map: a latitude and longitude are nothing without their datum.

Phones give WGS-84, AMap and Tencent GCJ-02, Baidu BD-09; taken for one another they are off by 500 to 1,300 m in
Guangdong. Everything is brought to GCJ-02 and compared there (domain §4).
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import asin, atan2, cos, hypot, isfinite, pi, radians, sin, sqrt


class Datum(StrEnum):
    """The coordinate system that a latitude and longitude are given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in decimal degrees of its datum; make it with ``check_point`` when the figures come from outside."""

    latitude: float
    longitude: float
    datum: Datum


class InvalidPoint(ValueError):
    """Coordinates that cannot be meant; ``code`` says why, the hints say it to people.

    Codes, in order of precedence: ``datum``, ``type``, ``not_finite``, ``zero``, ``swapped``, ``out_of_range``,
    ``outside_china``, ``accuracy``. No text contains the coordinates, which are personal.
    """

    def __init__(self, code: str, hint_zh: str, hint_en: str) -> None:
        super().__init__(code, hint_zh, hint_en)
        self.code = code
        self.hint_zh = hint_zh
        self.hint_en = hint_en

    def __str__(self) -> str:
        return f"{self.code}: {self.hint_en}"


def check_point(
    latitude: object,
    longitude: object,
    datum: object,
    *,
    accuracy_metres: float | None = None,
    accuracy_limit_metres: float | None = None,
) -> Point:
    """Make a point of figures from outside, in decimal degrees, or say what is wrong with them.

    ``datum`` is a ``Datum`` or its text, never assumed. ``accuracy_metres`` is the device's own estimate; it must be
    finite and not negative, and within ``accuracy_limit_metres`` (regional) where both are given. Raises
    ``InvalidPoint``. Source: domain §4.
    """
    try:
        known = Datum(datum)  # type: ignore[arg-type]
    except ValueError:
        raise InvalidPoint(
            "datum",
            "须注明坐标系：wgs84、gcj02 或 bd09。",
            "Say which datum the coordinates have: wgs84, gcj02 or bd09.",
        ) from None
    lat, lon = _degrees(latitude), _degrees(longitude)
    if abs(lat) < _ZERO and abs(lon) < _ZERO:
        raise InvalidPoint(
            "zero", "坐标为 (0, 0)，设备未取得定位。", "The coordinates are (0, 0): the device had no position."
        )
    if not _in_box(lat, lon) and _in_box(lon, lat):
        raise InvalidPoint("swapped", "经度和纬度填反了。", "Latitude and longitude are swapped.")
    if abs(lat) > 90 or abs(lon) > 180:
        raise InvalidPoint(
            "out_of_range",
            "坐标超出范围：纬度 -90 至 90，经度 -180 至 180。",
            "Coordinates out of range: latitude -90 to 90, longitude -180 to 180.",
        )
    if not _in_box(lat, lon):
        raise InvalidPoint("outside_china", "坐标不在中国境内。", "The coordinates are not in China.")
    _check_accuracy(accuracy_metres, accuracy_limit_metres)
    return Point(lat, lon, known)


def to_gcj02(point: Point) -> Point:
    """The same place in GCJ-02, degrees; from WGS-84 by the published series, from BD-09 by inverting Baidu's shift.

    Abroad, outside the rectangle in which the shifts are defined, figures of any datum stay. In Hong Kong, Macao and
    Taiwan, where maps are not shifted, GCJ-02 figures are WGS-84's, and only Baidu's own step lies between them and
    BD-09. Not told apart from the mainland: abroad within the rectangle, Kinmen, Matsu and smaller outliers, and
    Macao's and Hong Kong's grounds on the mainland (Hengqin campus, Hengqin port, Shenzhen Bay port). Sources: the
    series and Baidu's constants as published by googollee/eviltransform and wandergis/coordtransform; Baidu's SDK
    manual (BD-09 in Hong Kong, Macao and Taiwan too); domain §4.
    """
    latitude, longitude = point.latitude, point.longitude
    if point.datum is Datum.GCJ02:
        return point
    if not _in_rectangle(latitude, longitude):
        return Point(latitude, longitude, Datum.GCJ02)
    if point.datum is Datum.BD09:
        return _from_baidu(point)
    if any(_is_within(border, latitude, longitude) for border in _UNSHIFTED):
        return Point(latitude, longitude, Datum.GCJ02)
    north, east = _shift(latitude, longitude)
    return Point(latitude + north, longitude + east, Datum.GCJ02)


def distance_metres(a: Point, b: Point) -> float:
    """Metres between two points of any datum, along a sphere of the Earth's mean radius, compared in GCJ-02.

    GCJ-02 stretches lengths by at most half a per cent in Guangdong, 0.8 % anywhere in China. Between a shifted place
    and one that is not, as across the Shenzhen river, it is off by the shift, some 600 m. Source: domain §4 (convert to
    GCJ-02 and compare there).
    """
    a, b = to_gcj02(a), to_gcj02(b)
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    half_north = sin((lat_b - lat_a) / 2)
    half_east = sin(radians(b.longitude - a.longitude) / 2)
    chord = half_north**2 + cos(lat_a) * cos(lat_b) * half_east**2
    return 2 * _MEAN_RADIUS * asin(min(1.0, sqrt(chord)))


_ZERO = 1e-6
_MEAN_RADIUS = 6_371_008.8

# Krasovsky 1940, on which the shift is computed.
_AXIS = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323

_BAIDU_EAST, _BAIDU_NORTH = 0.0065, 0.006
_BAIDU_WAVE = pi * 3000 / 180

# Longitude and latitude of the corners of places that are not shifted, drawn by hand: to some 250 m along borders on
# land and in rivers, freely at sea where nobody trains.
_HONG_KONG = (
    # Deep Bay to the mouth of the Shenzhen river
    (113.869, 22.331), (113.869, 22.400), (113.875, 22.432), (113.954, 22.477), (113.987, 22.504), (113.996, 22.510),
    # up the river: its mouth, Lok Ma Chau, Lo Wu
    (114.009, 22.502), (114.026, 22.507), (114.052, 22.502), (114.057, 22.506), (114.060, 22.514), (114.069, 22.516),
    (114.074, 22.520), (114.078, 22.530), (114.089, 22.537), (114.097, 22.534), (114.104, 22.535), (114.111, 22.530),
    (114.115, 22.531), (114.118, 22.534), (114.125, 22.540), (114.140, 22.543), (114.147, 22.541),
    # over the hills to Sha Tau Kok
    (114.152, 22.547), (114.150, 22.550), (114.152, 22.555), (114.157, 22.556), (114.161, 22.562), (114.164, 22.559),
    (114.168, 22.561), (114.177, 22.560), (114.178, 22.555), (114.196, 22.556), (114.209, 22.557), (114.218, 22.556),
    (114.226, 22.549), (114.226, 22.544),
    # Mirs Bay and round the islands
    (114.242, 22.550), (114.276, 22.558), (114.333, 22.567), (114.352, 22.567), (114.455, 22.545), (114.456, 22.466),
    (114.503, 22.365), (114.503, 22.148), (113.940, 22.148), (113.897, 22.142), (113.832, 22.184), (113.834, 22.258),
    (113.850, 22.280),
)  # fmt: skip
_MACAO = (
    # the border gate from the Inner Harbour to the sea
    (113.533, 22.212), (113.541, 22.213), (113.544, 22.2155), (113.551, 22.2155), (113.569, 22.209),
    # the sea
    (113.571, 22.204), (113.605, 22.204), (113.630, 22.166), (113.630, 22.109), (113.610, 22.077), (113.571, 22.077),
    (113.571, 22.099),
    # the channels between it and Hengqin, then Wanzai
    (113.550, 22.109), (113.548, 22.116), (113.549, 22.145), (113.540, 22.157), (113.532, 22.172), (113.528, 22.183),
    (113.530, 22.188), (113.534, 22.195), (113.5355, 22.203),
)  # fmt: skip
# With Penghu in the west, Pengjia in the north and Lanyu in the south-east; all at sea.
_TAIWAN = (
    (119.2, 23.0), (119.2, 23.8), (120.8, 25.2), (121.8, 25.75), (122.2, 25.75), (122.2, 24.6), (121.8, 21.8),
    (120.6, 21.7), (120.0, 22.4),
)  # fmt: skip
_UNSHIFTED = (_HONG_KONG, _MACAO, _TAIWAN)


def _degrees(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidPoint("type", "坐标应为数字（十进制度）。", "Coordinates are numbers in decimal degrees.")
    try:
        degrees = float(value)
    except OverflowError:
        degrees = float("inf")
    if not isfinite(degrees):
        raise InvalidPoint("not_finite", "坐标不是有效数字。", "The coordinates are not finite numbers.")
    return degrees


def _check_accuracy(metres: float | None, limit: float | None) -> None:
    if metres is None:
        return
    if not isfinite(metres) or metres < 0 or (limit is not None and metres > limit):
        raise InvalidPoint(
            "accuracy",
            "定位精度太差，请到开阔处重新定位。",
            "The position is too inaccurate; try again under open sky.",
        )


def _in_box(latitude: float, longitude: float) -> bool:
    """China with its islands, a little wider; also wide enough for the shifts of GCJ-02 and BD-09."""
    return 3.0 <= latitude <= 54.0 and 73.0 <= longitude <= 136.0


def _in_rectangle(latitude: float, longitude: float) -> bool:
    """The rectangle outside which the published conversions leave a point alone."""
    return 0.8293 <= latitude <= 55.8271 and 72.004 <= longitude <= 137.8347


def _is_within(border: tuple[tuple[float, float], ...], latitude: float, longitude: float) -> bool:
    """Whether a place lies within a border of straight lines: going east from it, one crosses an odd number of them."""
    inside = False
    for (east_a, north_a), (east_b, north_b) in pairwise((*border, border[0])):
        if (north_a > latitude) != (north_b > latitude):
            crossing = east_a + (latitude - north_a) / (north_b - north_a) * (east_b - east_a)
            inside ^= longitude < crossing
    return inside


def _shift(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees north and east from WGS-84 to GCJ-02: a series in metres, turned into degrees on the ellipsoid."""
    x, y = longitude - 105, latitude - 35
    root, product = sqrt(abs(x)), x * y
    ripple = 20 * sin(6 * pi * x) + 20 * sin(2 * pi * x)
    waves_north = 20 * sin(pi * y) + 40 * sin(pi * y / 3) + 160 * sin(pi * y / 12) + 320 * sin(pi * y / 30)
    waves_east = 20 * sin(pi * x) + 40 * sin(pi * x / 3) + 150 * sin(pi * x / 12) + 300 * sin(pi * x / 30)
    metres_north = -100 + 2 * x + 3 * y + 0.2 * y**2 + 0.1 * product + 0.2 * root + (ripple + waves_north) * 2 / 3
    metres_east = 300 + x + 2 * y + 0.1 * x**2 + 0.1 * product + 0.1 * root + (ripple + waves_east) * 2 / 3

    flattening = 1 - _ECCENTRICITY_SQUARED * sin(radians(latitude)) ** 2
    meridian_radius = _AXIS * (1 - _ECCENTRICITY_SQUARED) / flattening**1.5
    parallel_radius = _AXIS / sqrt(flattening) * cos(radians(latitude))
    return metres_north / meridian_radius * 180 / pi, metres_east / parallel_radius * 180 / pi


def _to_baidu(latitude: float, longitude: float) -> tuple[float, float]:
    """Latitude and longitude in BD-09 of a GCJ-02 place: a small wave in polar form, then a constant step."""
    radius = hypot(longitude, latitude) + 0.00002 * sin(latitude * _BAIDU_WAVE)
    angle = atan2(latitude, longitude) + 0.000003 * cos(longitude * _BAIDU_WAVE)
    return radius * sin(angle) + _BAIDU_NORTH, radius * cos(angle) + _BAIDU_EAST


def _from_baidu(point: Point) -> Point:
    # The published inverse is only approximate; correcting a guess by its error a few times is exact to millimetres.
    latitude, longitude = point.latitude - _BAIDU_NORTH, point.longitude - _BAIDU_EAST
    for _ in range(6):
        reached_latitude, reached_longitude = _to_baidu(latitude, longitude)
        latitude += point.latitude - reached_latitude
        longitude += point.longitude - reached_longitude
    return Point(latitude, longitude, Datum.GCJ02)
