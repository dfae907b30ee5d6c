"""Printed papers as PDF: A4 pages with their font inside, so that they look alike on every machine. docs/decisions/0024

Measures are points (1/72 inch) from the lower left corner, as in the format itself.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

from chalicelib.workbooks.paper_tables import LONG_SIDE, MARGIN, SHORT_SIDE, Cell, Paper, Table, told
from chalicelib.workbooks.paper_type import EM, GETA, CutFont, cut_font, printable, width_of, wrapped

if TYPE_CHECKING:
    import pydyf

MILLIMETRE = 72 / 25.4
LOWEST_ROW = 18.5
"""6.5 mm: less is too little to sign in."""
MOST_LINES, MOST_HEAD_LINES = 20, 6
"""In a cell, and of one text in a column's head; what is longer ends in …, and stands whole in the workbook."""
MOST_FACTS = 8
MOST_NOTED = 2
"""Lines that tell which characters are lacking on a page."""
_TITLE, _FACT, _BODY, _HEAD, _SMALL, _FINE = 16.0, 9.5, 8.5, 8.0, 7.5, 6.6
_LEADING, _PAD, _LINE = 1.25, 2.0, 0.4
_SIGNING, _NUMBERING = 30.0, 14.0
# In place of the hour, so that the same paper makes the same bytes.
_CREATED = "D:20260101000000Z"


def pdf_of(paper: Paper) -> bytes:
    """The paper as PDF 1.7, the same bytes for the same paper."""
    pages = list(_pages_of(paper))
    for number, page in enumerate(pages, 1):
        page.centred(f"第 {number} 页　共 {len(pages)} 页", page.width / 2, page.edge - 2, _SMALL)
    return _file_of(paper.title, pages)


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    x: float
    y: float
    size: float
    bold: bool = False


@dataclass(slots=True)
class _Page:
    width: float
    height: float
    texts: list[_Text] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float, bool]] = field(default_factory=list)
    edge = MARGIN * MILLIMETRE

    def left(self, text: str, x: float, y: float, size: float, *, bold: bool = False) -> None:
        if text:
            self.texts.append(_Text(text, x, y, size, bold))

    def centred(self, text: str, x: float, y: float, size: float, *, bold: bool = False) -> None:
        self.left(text, x - width_of(text) * size / EM / 2, y, size, bold=bold)

    def right(self, text: str, x: float, y: float, size: float, *, bold: bool = False) -> None:
        self.left(text, x - width_of(text) * size / EM, y, size, bold=bold)


@dataclass(frozen=True, slots=True)
class _Laid:
    """A row laid out: the lines of each cell, and the characters that could not be printed."""

    cells: Sequence[Sequence[str]]
    sizes: Sequence[float]
    height: float
    lacking: Sequence[str]
    is_head: bool = False


# --- where everything stands ------------------------------------------------------------------------------------------


def _pages_of(paper: Paper) -> Iterator[_Page]:
    width, height = (side * MILLIMETRE for side in (LONG_SIDE, SHORT_SIDE))
    if not paper.landscape:
        width, height = height, width
    facts, unprinted = _lines_of_facts(paper.facts, width - 2 * _Page.edge)
    for table in paper.tables:
        head = _laid_head(table)
        rows = [_laid_row(table, row) for row in table.rows]
        heading = [*unprinted, *head.lacking]
        noted = MOST_NOTED if heading or any(row.lacking for row in rows) else 0
        legend = len(wrapped(paper.legend, width - 2 * _Page.edge, _SMALL)) if paper.legend else 0
        foot = _NUMBERING + _SIGNING + (legend + noted) * _SMALL * _LEADING
        above = _TITLE * 1.6 + len(facts) * _FACT * _LEADING + 4 + head.height
        room = height - 2 * _Page.edge - above - foot
        for part in _parted(rows, room):
            page = _Page(width, height)
            y = _draw_heading(page, paper.title, facts)
            y = _draw_row(page, table, head, y, shaded=True, bold=True)
            for n in part:
                total = table.total and n == len(rows) - 1
                y = _draw_row(page, table, rows[n], y, shaded=total, bold=total)
            places = [("表头", heading), *((f"序号{n + 1}", rows[n].lacking) for n in part)]
            _draw_foot(page, paper, _note_of(places), y)
            yield page


def _lines_of_facts(facts: Iterable[tuple[str, str]], width: float) -> tuple[list[str], list[str]]:
    """As many to a line as fit; and what could not be printed of them."""
    lines, unprinted, gap = [""], list[str](), "　　"
    for label, value in facts:
        text, lacking = printable(f"{label}：{value}")
        unprinted += lacking
        longer = lines[-1] + gap + text if lines[-1] else text
        if width_of(longer) * _FACT / EM <= width:
            lines[-1] = longer
        else:
            lines += wrapped(text, width, _FACT)
    return _cut([line for line in lines if line], MOST_FACTS), unprinted


def _cut(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]


def _laid_head(table: Table) -> _Laid:
    cells, lacking = [], list[str]()
    # Sessions say more in their heads than fits at the size of the others.
    sizes = [_FINE if len(column.head) > 1 else _HEAD for column in table.columns]
    for column, size in zip(table.columns, sizes, strict=True):
        lines: list[str] = []
        for one in column.head:
            text, unprinted = printable(one)
            lacking += unprinted
            lines += _cut(wrapped(text, column.width * MILLIMETRE - 2, size), MOST_HEAD_LINES)
        cells.append(lines)
    return _Laid(cells, sizes, _height_of(cells, sizes), lacking, is_head=True)


def _laid_row(table: Table, row: Sequence[Cell]) -> _Laid:
    cells, lacking, sizes = [], list[str](), []
    for column, cell in zip(table.columns, row, strict=True):
        size = _BODY if column.left else _SMALL
        text, unprinted = printable(told(cell))
        lacking += unprinted
        cells.append(_cut(wrapped(text, column.width * MILLIMETRE - 2 * _PAD, size), MOST_LINES))
        sizes.append(size)
    return _Laid(cells, sizes, _height_of(cells, sizes), lacking)


def _height_of(cells: Sequence[Sequence[str]], sizes: Sequence[float]) -> float:
    tallest = max(len(lines) * size * _LEADING for lines, size in zip(cells, sizes, strict=True))
    return max(LOWEST_ROW, tallest + 2 * _PAD)


def _parted(rows: Sequence[_Laid], room: float) -> Iterator[Sequence[int]]:
    """The numbers of the rows on each page; a page without rows where there are none."""
    part: list[int] = []
    filled = 0.0
    for n, row in enumerate(rows):
        if part and filled + row.height > room:
            yield part
            part, filled = [], 0.0
        part.append(n)
        filled += row.height
    yield part


def _note_of(places: Iterable[tuple[str, Sequence[str]]]) -> str:
    told = [f"{place} {'、'.join(f'U+{ord(char):04X}' for char in chars)}" for place, chars in places if chars]
    return f"“{GETA}”处的字本字库未收，请手写补正：{'；'.join(told)}。" if told else ""


# --- drawing ----------------------------------------------------------------------------------------------------------


def _draw_heading(page: _Page, title: str, facts: Sequence[str]) -> float:
    y = page.height - page.edge
    page.centred(title, page.width / 2, y - _TITLE, _TITLE, bold=True)
    y -= _TITLE * 1.6
    for line in facts:
        page.left(line, page.edge, y - _FACT, _FACT)
        y -= _FACT * _LEADING
    return y - 4


def _draw_row(page: _Page, table: Table, row: _Laid, y: float, *, shaded: bool, bold: bool) -> float:
    x = page.edge
    for column, lines, size in zip(table.columns, row.cells, row.sizes, strict=True):
        # Too small for a line around it.
        thick = bold and size > _FINE
        width = column.width * MILLIMETRE
        page.boxes.append((x, y - row.height, width, row.height, shaded))
        # Chinese characters reach from 0.12 below their line to 0.88 above it.
        baseline = y - row.height / 2 + len(lines) * size * _LEADING / 2 - size * (0.88 + (_LEADING - 1) / 2)
        for line in lines:
            if column.left and not shaded:
                page.left(line, x + _PAD, baseline, size, bold=thick)
            elif column.right and not row.is_head:
                page.right(line, x + width - _PAD, baseline, size, bold=thick)
            else:
                page.centred(line, x + width / 2, baseline, size, bold=thick)
            baseline -= size * _LEADING
        x += width
    return y - row.height


def _draw_foot(page: _Page, paper: Paper, note: str, y: float) -> None:
    width = page.width - 2 * page.edge
    small = [*(wrapped(paper.legend, width, _SMALL) if paper.legend else ())]
    small += _cut(wrapped(note, width, _SMALL), MOST_NOTED) if note else []
    for line in small:
        y -= _SMALL * _LEADING
        page.left(line, page.edge, y, _SMALL)
    base = page.edge + _NUMBERING
    *places, day = paper.foot
    for n, place in enumerate(places):
        page.left(place, page.edge + n * width * 0.38, base + 4, _FACT)
    page.left(day, page.width - page.edge - width_of(day) * _FACT / EM - 6, base + 4, _FACT)


# --- the file ---------------------------------------------------------------------------------------------------------


def _file_of(title: str, pages: Sequence[_Page]) -> bytes:
    import pydyf  # heavy enough: only who prints pays for it

    document = pydyf.PDF()
    font = cut_font(text.text for page in pages for text in page.texts)
    resources = pydyf.Dictionary({"Font": pydyf.Dictionary({"F": _embedded(document, font).reference})})
    document.add_object(resources)
    for page in pages:
        content = _content(page, font)
        document.add_object(content)
        document.add_page(
            pydyf.Dictionary(
                {
                    "Type": "/Page",
                    "Parent": document.pages.reference,
                    "MediaBox": pydyf.Array([0, 0, round(page.width, 2), round(page.height, 2)]),
                    "Resources": resources.reference,
                    "Contents": content.reference,
                }
            )
        )
    document.catalog["Lang"] = pydyf.String("zh-CN")
    document.catalog["ViewerPreferences"] = pydyf.Dictionary({"DisplayDocTitle": "true"})
    document.info["Title"] = pydyf.String(title)
    document.info["CreationDate"] = pydyf.String(_CREATED)
    file = BytesIO()
    document.write(file, compress=True)
    return file.getvalue()


def _content(page: _Page, font: CutFont) -> "pydyf.Stream":
    import pydyf

    stream = pydyf.Stream(compress=True)
    stream.set_line_width(_LINE)
    stream.set_color_rgb(0.91, 0.93, 0.97)
    for x, y, width, height, shaded in page.boxes:
        if shaded:
            stream.rectangle(*_rounded(x, y, width, height))
            stream.fill()
    stream.set_color_rgb(0, 0, 0)
    for x, y, width, height, _ in page.boxes:
        stream.rectangle(*_rounded(x, y, width, height))
    stream.stroke()
    stream.begin_text()
    for text in page.texts:
        stream.set_font_size("F", text.size)
        # There is one weight: bold is the same outline with a line around it.
        stream.set_text_rendering(2 if text.bold else 0)
        stream.set_line_width(text.size * 0.02)
        stream.set_text_matrix(1, 0, 0, 1, *_rounded(text.x, text.y))
        stream.show_text(b"<" + font.glyphs(text.text) + b">")
    stream.end_text()
    return stream


def _rounded(*measures: float) -> Iterator[float]:
    return (round(measure, 2) for measure in measures)


def _embedded(document: "pydyf.PDF", font: CutFont) -> "pydyf.Dictionary":
    """The font as the format has it: glyph numbers in the text, and a map that gives back what was written."""
    import pydyf

    # Six letters tell one cut of a font from another.
    tag = "".join(chr(ord("A") + byte % 26) for byte in hashlib.sha256(font.data).digest()[:6])
    name = f"/{tag}+ClassPaperSans"
    file = pydyf.Stream([font.data], {"Length1": len(font.data)}, compress=True)
    back = pydyf.Stream([_to_unicode(font.characters)], compress=True)
    descriptor = pydyf.Dictionary(
        {
            "Type": "/FontDescriptor",
            "FontName": name,
            "Flags": 4,
            "FontBBox": pydyf.Array([-100, -320, 1500, 1160]),
            "ItalicAngle": 0,
            "Ascent": 880,
            "Descent": -120,
            "CapHeight": 733,
            "StemV": 80,
        }
    )
    for one in (file, back, descriptor):
        document.add_object(one)
    descriptor["FontFile2"] = file.reference
    cid = pydyf.Dictionary(
        {
            "Type": "/Font",
            "Subtype": "/CIDFontType2",
            "BaseFont": name,
            "CIDSystemInfo": pydyf.Dictionary(
                {"Registry": pydyf.String("Adobe"), "Ordering": pydyf.String("Identity"), "Supplement": 0}
            ),
            "CIDToGIDMap": "/Identity",
            "DW": EM,
            "W": pydyf.Array([1, pydyf.Array(font.widths)]),
            "FontDescriptor": descriptor.reference,
        }
    )
    document.add_object(cid)
    whole = pydyf.Dictionary(
        {
            "Type": "/Font",
            "Subtype": "/Type0",
            "BaseFont": name,
            "Encoding": "/Identity-H",
            "DescendantFonts": pydyf.Array([cid.reference]),
            "ToUnicode": back.reference,
        }
    )
    document.add_object(whole)
    return whole


def _to_unicode(characters: str) -> bytes:
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    pairs = [f"<{n:04x}> <{char.encode('utf-16-be').hex()}>" for n, char in enumerate(characters, 1)]
    # At most a hundred to a section.
    for start, end in pairwise([*range(0, len(pairs), 100), len(pairs)]):
        lines += [f"{end - start} beginbfchar", *pairs[start:end], "endbfchar"]
    return "\n".join([*lines, "endcmap CMapName currentdict /CMap defineresource pop end end"]).encode()
