"""QR codes drawn in three ways."""

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib

from chalicelib.api import qr_picture

TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 6 + "ABCDEFGHIJKLMNOPQR"  # 210 characters, as ours are
SIDE = 49 + 8  # version 8 has 49 modules, and four of quiet on each side


def dark_in_svg(text: str) -> set[tuple[int, int]]:
    path = ET.fromstring(text)[1].attrib["d"]
    runs = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path)
    return {(int(x) + i, int(y)) for x, y, length in runs for i in range(int(length))}


def dark_in_png(uri: str) -> set[tuple[int, int]]:
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    width, height, depth = struct.unpack(">IIB", data[16:25])
    assert (width, height, depth) == (SIDE * 8, SIDE * 8, 1)
    (length,) = struct.unpack(">I", data[33:37])
    lines = zlib.decompress(data[41 : 41 + length])
    stride = 1 + width // 8
    return {(x, y) for y in range(SIDE) for x in range(SIDE) if lines[y * 8 * stride + 1 + x] == 0}


def dark_in_terminal(text: str) -> set[tuple[int, int]]:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()]
    return {
        (x, 2 * row + below)
        for row, line in enumerate(lines)
        for x, sign in enumerate(line)
        for below in (0, 1)
        if sign == "█" or sign == "▀▄"[below]
    }


def test_all_pictures_show_the_same_modules_of_version_8() -> None:
    svg = dark_in_svg(qr_picture.svg(TOKEN))

    assert svg
    assert svg == dark_in_png(qr_picture.png_data_uri(TOKEN)) == dark_in_terminal(qr_picture.terminal(TOKEN))
    assert {coordinate for place in svg for coordinate in place} <= set(range(4, SIDE - 4))


def test_the_finder_patterns_stand_in_three_corners() -> None:
    dark = dark_in_svg(qr_picture.svg(TOKEN))
    finder = {(x, y) for x in range(7) for y in range(7) if {x, y} & {0, 6} or (2 <= x <= 4 and 2 <= y <= 4)}

    for left, top in ((4, 4), (SIDE - 11, 4), (4, SIDE - 11)):
        corner = {(x - left, y - top) for x, y in dark if 0 <= x - left < 7 and 0 <= y - top < 7}
        assert corner == finder


def test_a_svg_is_small_and_has_no_script() -> None:
    text = qr_picture.svg(TOKEN)

    assert len(text) < 40_000
    assert TOKEN not in text
