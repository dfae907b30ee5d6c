"""Makes chalicelib/workbooks/paper_font.ttf, the font that printed papers carry with them, from Noto Sans CJK.

    python -m venv /tmp/font && /tmp/font/bin/pip install fonttools==4.68.0 manimgx-fonts-cjk==2026.9.26.post1
    PYTHONPATH=. /tmp/font/bin/python -m tools.paper_font

Needed again only for a newer Noto or for more characters, so the font stands in the repository and its tools are no
requirement. It is cut to what names and papers in Chinese are written with, as outlines of straight lines and
parabolas in single pieces; ``chalicelib.workbooks.paper_type`` then takes a glyph out without a font library.
docs/decisions/0024
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FONT = ROOT / "chalicelib" / "workbooks" / "paper_font.ttf"
LICENCE = FONT.with_suffix(".LICENSE")
SOURCE, SOURCE_DIGEST = "NotoSansCJK-VF.otf.ttc", "d3d8256cdec8dbcb3552284bc6b20c734dd60c2ee9df83b5758e34807c4bac32"
SIMPLIFIED, REGULAR = "Noto Sans CJK SC", 400
FINENESS = 3
"""Thousandths of an em by which an outline may differ from Noto's: 0.03 points in a text of 10 points."""
FAMILY = "Class Paper Sans"
# The day of the source's release, so that the same source makes the same file (seconds since 1904).
_MADE = 3_702_844_800

_RANGES = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x2C6, 0x2DD), (0x391, 0x3C9), (0x401, 0x451),
    (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x2044), (0x20AC, 0x20AC), (0x2100, 0x213B), (0x2150, 0x2188),
    (0x2190, 0x2193), (0x2212, 0x2212), (0x2460, 0x24FF), (0x25A0, 0x25CF), (0x2713, 0x2717),
    (0x2E80, 0x2FDF), (0x3000, 0x30FF), (0x3220, 0x3243), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0xFF01, 0xFF5E), (0xFFE0, 0xFFE6), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Letters, signs, kana and every Chinese character of the source."""


def main() -> None:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib import TTCollection

    found = find_spec("manimgx_fonts_cjk")
    assert found is not None, "install manimgx-fonts-cjk"
    assert found.origin is not None
    package = Path(found.origin).parent
    source = package / SOURCE
    assert hashlib.sha256(source.read_bytes()).hexdigest() == SOURCE_DIGEST, "another Noto than the one cut before"
    font = next(one for one in TTCollection(source).fonts if one["name"].getDebugName(4) == SIMPLIFIED)
    characters = {
        character: name
        for character, name in sorted(font.getBestCmap().items())
        if any(first <= character <= last for first, last in _RANGES)
    }
    # In the order of their characters, so that neighbours in a text are neighbours in the file.
    order = [".notdef", *dict.fromkeys(characters.values())]
    outlines = font.getGlyphSet(location={"wght": REGULAR})
    drawn = {name: _parabolas(outlines, name) for name in order}
    for glyph in drawn.values():
        glyph.recalcBounds(None)
    made = FontBuilder(round(font["head"].unitsPerEm), isTTF=True)
    made.setupGlyphOrder(order)
    made.setupCharacterMap(characters)
    made.setupGlyf(drawn)
    widths = {name: (round(outlines[name].width), getattr(drawn[name], "xMin", 0)) for name in order}
    made.setupHorizontalMetrics(widths)
    made.setupHorizontalHeader(ascent=880, descent=-120)
    made.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=1160, usWinDescent=320, sCapHeight=733)
    made.setupNameTable(
        {
            "familyName": FAMILY,
            "styleName": "Regular",
            "copyright": font["name"].getDebugName(0),
            "licenseDescription": font["name"].getDebugName(13),
            "licenseInfoURL": font["name"].getDebugName(14),
            "description": f"Cut from {SIMPLIFIED}, {font['name'].getDebugName(5)}",
        }
    )
    made.setupPost(keepGlyphNames=False)
    made.updateHead(created=_MADE, modified=_MADE)
    made.font.recalcTimestamp = False
    made.save(FONT)
    licence = next(package.parent.glob("manimgx_fonts_cjk-*.dist-info/licenses/LICENSE"))
    LICENCE.write_bytes(licence.read_bytes())
    print(f"{FONT.relative_to(ROOT)}: {len(characters)} characters, {len(order)} glyphs, {FONT.stat().st_size} bytes")


def _parabolas(outlines: Any, name: str) -> Any:
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    outlines[name].draw(Cu2QuPen(pen, FINENESS, reverse_direction=True))
    return pen.glyph(dropImpliedOnCurves=True)


if __name__ == "__main__":
    main()
