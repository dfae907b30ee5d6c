"""Draws docs/pictures/roster-*.svg: the template that a bureau fills in, and a roster that came back with results.

    python -m tools.roster_pictures            # writes
    python -m tools.roster_pictures --check    # only looks; exit code 1 where a picture is stale

What is drawn is read out of the workbooks that ``chalicelib.workbooks.writing`` makes: cells, widths, colours. Repeat
it whenever a schema or that file changed; ``tests/docs`` fails until then. The people are invented, and their numbers
masked all the same.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape
from zipfile import ZipFile

from python_calamine import CalamineWorkbook

from chalicelib.domain.identifiers import mask_number
from chalicelib.domain.roster import Outcome
from chalicelib.domain.schemas import VOUCHERS
from chalicelib.domain.sheets import Cell, Column, RawRow
from chalicelib.workbooks.writing import result_workbook, template_workbook
from tools.people import invented_person

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"

FONTS = "'Noto Sans SC','Source Han Sans SC','PingFang SC','Microsoft YaHei','WenQuanYi Micro Hei',sans-serif"
UNIT, LINE, GUTTER = 7, 26, 34
"""Pixels: one Latin letter, one row, the row numbers' column."""
WIDEST = 64
"""Letters; a wider column is drawn narrower, and its text cut."""
BARE, GRID, FRAME = "#ffffff", "#d4d4d4", "#f3f3f3"
A_LONG_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{10,17}[0-9Xx](?![0-9A-Za-z])")


def main(arguments: Sequence[str] = ()) -> int:
    """Write the pictures, or with ``--check`` only say which of them are stale."""
    stale = [path for path, drawn in pictures().items() if not path.exists() or path.read_text("utf-8") != drawn]
    if "--check" in arguments:
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)}")
        return 1 if stale else 0
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(pictures()[path], "utf-8")
        print(f"written: {path.relative_to(ROOT)}")
    return 0


def pictures() -> dict[Path, str]:
    return {
        PICTURES / "roster-template.svg": drawn(template_workbook(VOUCHERS), "名单模板 The roster's template", blank=4),
        PICTURES / "roster-result.svg": drawn(a_result(), "处理结果 The roster with its results", blank=0),
    }


def a_result() -> bytes:
    """A small roster with what rosters have: a title, a footer, good people and refused ones."""
    fates: tuple[tuple[str, str], ...] = (
        ("已发放", ""),
        ("已发放", ""),
        ("未发放", "证件号码校验位不符，请核对原件。"),
        ("已发放", ""),
        ("未发放", "与第3行证件号码相同，每人只填写一次。"),
        ("未发放", "证件号码是数字格式，第15位以后已丢失，请以文本重新填写。"),
    )
    rows = [RawRow(1, ("广州第1期培训券花名册",)), RawRow(2, ("序号", *(column.title for column in VOUCHERS.columns)))]
    outcomes = []
    for number, (result, reason) in enumerate(fates, 3):
        rows.append(RawRow(number, (number - 2, *(_cell(column, number) for column in VOUCHERS.columns))))
        outcomes.append(Outcome(number, result, reason, refused=bool(reason)))
    rows.append(RawRow(len(fates) + 3, ("合计", f"{len(fates)}人")))
    file = BytesIO()
    result_workbook(rows, 2, iter(outcomes), summary=[("合计", str(len(fates)))], to=file)
    return file.getvalue()


def _cell(column: Column, number: int) -> Cell:
    person = invented_person(0 if number == 7 else number - 3)
    match column.name:
        case "name":
            return person.name
        case "id_number":
            return _as_typed(person.id_number, number)
        case "mobile":
            return person.mobile
    return column.choices[0][0] if column.choices else column.example


def _as_typed(id_number: str, number: int) -> Cell:
    """What is wrong with rows 5 and 8: the last digit, and a cell that is a number."""
    if number == 5:
        return id_number[:-1] + ("1" if id_number[-1] != "1" else "2")
    return float(id_number[:-3] + "000") if number == 8 else id_number


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    fill: str
    ink: str
    bold: bool
    italic: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The first sheet of a workbook as one would see it. ``looks``: by cell, (row, column) from 0."""

    tabs: Sequence[str]
    cells: Sequence[Sequence[object]]
    widths: Sequence[float]
    looks: dict[tuple[int, int], Look]


def read(data: bytes) -> Page:
    book = CalamineWorkbook.from_filelike(BytesIO(data))
    cells = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    with ZipFile(BytesIO(data)) as archive:
        sheet, styles = (_tree(archive.read(f"xl/{part}.xml")) for part in ("worksheets/sheet1", "styles"))
    looks = _looks(styles)
    widths = {
        number - 1: float(one.attrib["width"])
        for one in sheet.iterfind("cols/col")
        for number in range(int(one.attrib["min"]), int(one.attrib["max"]) + 1)
    }
    return Page(
        book.sheet_names,
        cells,
        [widths.get(i, 9) for i in range(max(map(len, cells)))],
        {_place(one.attrib["r"]): looks[int(one.attrib.get("s", 0))] for one in sheet.iterfind("sheetData/row/c")},
    )


def _tree(part: bytes) -> ElementTree.Element:
    # Without its namespaces; the file is our own, made a moment ago.
    return ElementTree.fromstring(re.sub(rb' xmlns(:\w+)?="[^"]*"| r:\w+="[^"]*"', b"", part))  # noqa: S314


def _looks(styles: ElementTree.Element) -> list[Look]:
    fonts, fills = styles.findall("fonts/font"), styles.findall("fills/fill")
    looks = []
    for style in styles.iterfind("cellXfs/xf"):
        font, fill = fonts[int(style.attrib["fontId"])], fills[int(style.attrib["fillId"])]
        looks.append(
            Look(
                _colour(fill.find("patternFill/fgColor"), BARE),
                _colour(font.find("color"), "#000000"),
                font.find("b") is not None,
                font.find("i") is not None,
            )
        )
    return looks


def _colour(found: ElementTree.Element | None, usual: str) -> str:
    written = "" if found is None else found.attrib.get("rgb", "")
    return f"#{written[2:].lower()}" if written else usual


def _place(reference: str) -> tuple[int, int]:
    """(0, 2) for C1; no sheet drawn here is wider than Z."""
    return int(reference[1:]) - 1, ord(reference[0]) - ord("A")


# --- drawing ----------------------------------------------------------------------------------------------------------


def drawn(data: bytes, title: str, *, blank: int) -> str:
    """The first sheet as an SVG document; ``blank`` empty rows are drawn below what it holds."""
    page = read(data)
    rows = [*page.cells, *[()] * blank]
    widths = [round(min(width, WIDEST) * UNIT) for width in page.widths]
    lefts = [GUTTER + sum(widths[:i]) for i in range(len(widths) + 1)]
    width, height = lefts[-1] + 1, LINE * (len(rows) + 2) + 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="{FONTS}" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<path fill="{BARE}" d="M0 0h{width}v{height}H0z"/>',
        f'<path fill="{FRAME}" d="M0 0h{width}v{LINE}H0zM0 0h{GUTTER}v{height - LINE}H0z"/>',
    ]
    plain = Look(BARE, "#000000", bold=False, italic=False)
    for (row, column), look in sorted(page.looks.items(), key=lambda one: one[0]):
        if look.fill != BARE:
            box = f'x="{lefts[column]}" y="{LINE * (row + 1)}" width="{widths[column]}" height="{LINE}"'
            parts.append(f'<rect {box} fill="{look.fill}"/>')
    lines = [f"M{left + 0.5} 0v{height - LINE}" for left in lefts]
    lines += [f"M0 {LINE * row + 0.5}h{width}" for row in range(1, len(rows) + 2)]
    parts.append(f'<path stroke="{GRID}" d="{"".join(lines)}"/>')
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            look, text = page.looks.get((row, column), plain), _masked(str(cell))
            # A long text runs over the empty cells to its right, as in a spreadsheet.
            end = next((i for i in range(column + 1, len(cells)) if cells[i] != ""), len(cells))
            over = _breadth(text) * UNIT + 8 - widths[column]
            if over > 0 and end > column + 1:
                box = f'x="{lefts[column + 1] - 1}" y="{LINE * (row + 1) + 1}" width="{over}" height="{LINE - 1}"'
                parts.append(f'<rect {box} fill="{look.fill}"/>')
            parts += _text(_fitted(text, (lefts[end] - lefts[column]) // UNIT - 1), lefts[column] + 4, row + 1, look)
    quiet = Look(FRAME, "#666666", bold=False, italic=False)
    for column, left in enumerate(lefts[:-1]):
        parts += _text(chr(ord("A") + column), left + widths[column] // 2 - 4, 0, quiet)
    for row in range(1, len(rows) + 1):
        parts += _text(str(row), 8, row, quiet)
    parts += _tabs(page.tabs, len(rows) + 1)
    return "\n".join([*parts, "</svg>", ""])


def _tabs(names: Sequence[str], row: int) -> list[str]:
    parts, left = [], GUTTER
    for i, name in enumerate(names):
        parts += _text(name, left + 10, row, Look(BARE, "#000000" if i == 0 else "#666666", bold=i == 0, italic=False))
        left += (_breadth(name) + 4) * UNIT
    return parts


def _text(text: str, left: int, row: int, look: Look) -> list[str]:
    if not text:
        return []
    manner = (' font-weight="bold"' if look.bold else "") + (' font-style="italic"' if look.italic else "")
    return [f'<text x="{left}" y="{LINE * row + 18}" fill="{look.ink}"{manner}>{escape(text)}</text>']


def _masked(text: str) -> str:
    return A_LONG_NUMBER.sub(lambda found: mask_number(found[0]), text)


def _fitted(text: str, room: int) -> str:
    text = " ".join(text.split())
    if _breadth(text) <= room:
        return text
    while _breadth(text) > room - 2:
        text = text[:-1]
    return text + "…"


def _breadth(text: str) -> int:
    return sum(1 if char < "\u2e80" else 2 for char in text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
