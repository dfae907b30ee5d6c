"""The font of printed papers: which characters it has, how wide they are, and a font of just those that were used.

``paper_font.ttf`` (tools/paper_font.py) has no composite glyphs and no hints, so a glyph is moved by copying its bytes.
docs/decisions/0024
"""

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

GETA = "〓"
"""Printed for a character that the font lacks (下駄, so that a gap is seen and can be filled in by hand)."""
EM = 1000
_FILE = Path(__file__).with_name("paper_font.ttf")
_CHECKSUM_MAGIC = 0xB1B0AFBA


@dataclass(frozen=True, slots=True)
class _Font:
    """A TrueType file taken apart; ``groups`` of the character map: first and last character, first glyph."""

    tables: dict[str, bytes]
    groups: Sequence[tuple[int, int, int]]
    firsts: Sequence[int]
    places: Sequence[int]
    widths: Sequence[int]


@lru_cache(maxsize=1)
def _font() -> _Font:
    data = _FILE.read_bytes()
    tables = {}
    for n in range(struct.unpack_from(">H", data, 4)[0]):
        tag, _, offset, length = struct.unpack_from(">4sIII", data, 12 + 16 * n)
        tables[tag.decode()] = data[offset : offset + length]
    glyphs = struct.unpack_from(">H", tables["maxp"], 4)[0]
    (measured,) = struct.unpack_from(">H", tables["hhea"], 34)
    widths = list(struct.unpack_from(">" + "Hh" * measured, tables["hmtx"])[::2])
    assert struct.unpack_from(">h", tables["head"], 50) == (1,), "short offsets"
    groups = _groups(tables["cmap"])
    return _Font(
        tables,
        groups,
        [first for first, _, _ in groups],
        struct.unpack(f">{glyphs + 1}I", tables["loca"]),
        widths + widths[-1:] * (glyphs - measured),
    )


def _groups(cmap: bytes) -> list[tuple[int, int, int]]:
    for n in range(struct.unpack_from(">H", cmap, 2)[0]):
        (offset,) = struct.unpack_from(">I", cmap, 8 + 8 * n)
        if struct.unpack_from(">H", cmap, offset) == (12,):
            (count,) = struct.unpack_from(">I", cmap, offset + 12)
            return list(struct.iter_unpack(">III", cmap[offset + 16 : offset + 16 + 12 * count]))
    raise AssertionError("no map of all characters")


def _glyph(char: str) -> int:
    """0 where there is none."""
    font, code = _font(), ord(char)
    first, last, glyph = font.groups[max(0, bisect_right(font.firsts, code) - 1)]
    return glyph + code - first if first <= code <= last else 0


def printable(text: str) -> tuple[str, Sequence[str]]:
    """A text on one line with 〓 for what the font lacks, and the characters that this happened to.

    What shows nothing anyway (joiners, marks of direction) is left out; a variant that a selector asks for is lacking.
    """
    seen, lacking = [], []
    if any(map(unicodedata.combining, text)):
        # Only then, because it also makes other characters of some that stand in names.
        text = unicodedata.normalize("NFC", text)
    for char in " ".join(text.split()):
        if _glyph(char):
            seen.append(char)
        elif unicodedata.category(char) != "Cf":
            seen.append(GETA)
            lacking.append(char)
    return "".join(seen), lacking


def width_of(text: str) -> int:
    """In thousandths of the font's size."""
    widths = _font().widths
    return sum(widths[_glyph(char)] for char in text)


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The lines of a text in a column of ``width`` points; parted at spaces or between two Chinese characters, and
    anywhere within a word that is wider than the column."""
    room, lines, line = width * EM / size, [""], 0
    for word in _words(text):
        bare = word.rstrip()
        if lines[-1] and line + width_of(bare) > room:
            lines.append("")
            line = 0
        for char in bare:
            one = width_of(char)
            if lines[-1] and line + one > room:
                lines.append("")
                line = 0
            lines[-1] += char
            line += one
        lines[-1] += word[len(bare) :]
        line += width_of(word[len(bare) :])
    return [one.rstrip() for one in lines]


# What no line begins with, and what none ends with.
_NOT_FIRST, _NOT_LAST = frozenset("，。、；：？！）》」』】〕”’…·％"), frozenset("（《「『【〔“‘")


def _words(text: str) -> list[str]:
    """Pieces that stay on one line, each with the spaces after it."""
    words: list[str] = []
    for before, char in zip(" " + text, text, strict=False):
        if not words or (char != " " and (before == " " or _apart(before, char))):
            words.append(char)
        else:
            words[-1] += char
    return words


def _apart(before: str, char: str) -> bool:
    if char in _NOT_FIRST or before in _NOT_LAST:
        return False
    return before >= "\u2e80" or char >= "\u2e80"


# --- the font that goes into a file -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutFont:
    """A TrueType font of a few characters: the n-th of ``characters`` is glyph n + 1, its ``widths`` in 1/1000 em."""

    characters: str
    widths: Sequence[int]
    data: bytes

    def glyphs(self, text: str) -> bytes:
        """The text as hexadecimal glyph numbers, two bytes each."""
        return "".join(f"{self.characters.index(char) + 1:04x}" for char in text).encode()


def cut_font(texts: Iterable[str]) -> CutFont:
    """A font of just the characters in these texts, the same for the same characters in whatever order."""
    font = _font()
    characters = "".join(sorted(set().union(*texts)))
    old = [0, *map(_glyph, characters)]
    outlines, places = bytearray(), [0]
    for glyph in old:
        outlines += font.tables["glyf"][font.places[glyph] : font.places[glyph + 1]]
        outlines += bytes(-len(outlines) % 4)
        places.append(len(outlines))
    sides = [struct.unpack_from(">h", outlines, at + 2)[0] if end > at else 0 for at, end in pairwise(places)]
    widths = [font.widths[glyph] for glyph in old]
    head, hhea, maxp = (bytearray(font.tables[tag]) for tag in ("head", "hhea", "maxp"))
    struct.pack_into(">I", head, 8, 0)  # of the whole file, below
    struct.pack_into(">H", hhea, 34, len(old))
    struct.pack_into(">H", maxp, 4, len(old))
    tables = {
        "glyf": bytes(outlines),
        "head": bytes(head),
        "hhea": bytes(hhea),
        "hmtx": b"".join(map(struct.Struct(">Hh").pack, widths, sides)),
        "loca": struct.pack(f">{len(places)}I", *places),
        "maxp": bytes(maxp),
    }
    return CutFont(characters, widths[1:], _file_of(tables))


def _file_of(tables: dict[str, bytes]) -> bytes:
    power = len(tables).bit_length() - 1
    header = struct.pack(">IHHHH", 0x10000, len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    offset, body, starts = len(header) + 16 * len(tables), b"", {}
    for tag, table in sorted(tables.items()):
        starts[tag] = offset + len(body)
        header += struct.pack(">4sIII", tag.encode(), _sum_of(table), starts[tag], len(table))
        body += table + bytes(-len(table) % 4)
    file = bytearray(header + body)
    struct.pack_into(">I", file, starts["head"] + 8, (_CHECKSUM_MAGIC - _sum_of(bytes(file))) & 0xFFFFFFFF)
    return bytes(file)


def _sum_of(table: bytes) -> int:
    table += bytes(-len(table) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(table) // 4}I", table)
    return sum(words) & 0xFFFFFFFF
