"""Sheets as they really come: find the header, tell people from footers, read each cell. domain.md §6.

A sheet is rows of cells, whatever file it came from. Nothing here judges a person: a row whose cells can be right comes
out as values in their one form, any other with the faults that make it refused. No bad row stops another.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal, Protocol

from chalicelib.domain.identifiers import (
    CitizenId,
    InvalidIdentifier,
    normalise_name,
    normalise_number,
    parse_citizen_id,
    parse_mobile,
    parse_uscc,
)

Cell = str | int | float | bool | date | datetime | time | timedelta | None
ColumnKind = Literal[
    "name", "id_number", "id_type", "mobile", "uscc", "date", "integer", "yuan", "choice", "code", "text"
]  # fmt: skip
LONGEST_NAME, LONGEST_TEXT = 100, 200
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
IGNORED = ("序号", "结果", "原因")
"""Columns of nobody's: serial numbers, and what a result workbook says; it may be mended and put again."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in the sheet: ``number`` from 1, cells from column A on.

    ``merged``: columns (from 0) whose value stands in another cell of a merged range; ``unset``: those with a formula
    that has no value.
    """

    number: int
    cells: Sequence[Cell] = field(repr=False)
    hidden: bool = False
    merged: frozenset[int] = frozenset()
    unset: frozenset[int] = frozenset()


class FileRefused(Exception):
    """The file as a whole cannot be read; ``code`` is stable snake_case, the sentences tell what to do."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code)
        self.code, self.zh, self.en = code, zh, en


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell makes its row refused."""

    code: str
    column: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a template. ``title`` and ``aliases`` are what its header may say; ``choices``: the words that a
    cell may have, each with its code."""

    name: str
    title: str
    english: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False
    kind: ColumnKind = "text"
    explanation: str = ""
    example: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    kind: str
    title: str
    version: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header stands, and in which column (from 0) each of the schema's is. ``unknown``: how many more."""

    number: int
    places: Mapping[str, int]
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A row with somebody on it. ``values`` by column: a CitizenId, a date, an integer, else text; none where empty."""

    number: int
    values: Mapping[str, Any] = field(repr=False)
    faults: tuple[Fault, ...] = ()
    hidden: bool = False


class Sheet(Protocol):
    """A file that was opened; its rows may be asked for again. ``kind``, ``version``: of the template that it was made
    of, where it tells."""

    kind: str | None
    version: str | None

    def rows(self) -> Iterator[RawRow]:
        """Raises FileRefused."""
        ...


# --- the header -------------------------------------------------------------------------------------------------------


def find_header(
    rows: Sequence[RawRow], schema: Schema, *, kind: str | None = None, version: str | None = None
) -> Header:
    """The row of titles among the first rows: the one that names most of the schema's columns.

    Raises FileRefused: wrong_template (of another kind), old_template, missing_columns, column_twice, no_header.
    """
    if kind is not None and kind != schema.kind:
        raise FileRefused(
            "wrong_template",
            f"这不是“{schema.title}”的模板，请下载对应的模板填写。",
            f"This is the template of another kind of list; fill in the one for: {schema.kind}.",
        )
    found = (_read_titles(row, schema) for row in rows)
    best, twice = max(found, key=lambda one: len(one[0].places), default=(None, False))
    required = [column for column in schema.columns if column.required]
    if best is None or len(best.places) < min(2, len(required)):
        titles = "、".join(column.title for column in required)
        raise FileRefused(
            "no_header",
            f"没有找到表头。表头须含：{titles}。请使用模板填写。",
            "No row of titles was found; fill in the template.",
        )
    if twice:
        raise FileRefused(
            "column_twice",
            "表头中有两列表示同一项内容，请删除其中一列。",
            "Two columns of the header mean the same; delete one of them.",
        )
    missing = [column for column in required if column.name not in best.places]
    if missing:
        raise _lacks(missing, version, schema)
    return best


def _read_titles(row: RawRow, schema: Schema) -> tuple[Header, bool]:
    """The row as a header, and whether two columns of it mean the same.

    What is needed may stand there once only. Of two others the one that has the template's own title is meant.
    """
    places: dict[str, int] = {}
    ranks: dict[str, int] = {}
    unknown, twice = 0, False
    names = names_of(schema)
    columns = {column.name: column for column in schema.columns}
    for i, cell in enumerate(row.cells):
        if not isinstance(cell, str) or not cell.strip():
            continue
        name = _named(cell, names)
        if name is None:
            unknown += plain_title(cell) not in IGNORED
            continue
        column = columns[name]
        rank = int(_named(cell, {plain_title(column.title): name}) is None)
        if name in places:
            twice = twice or column.required or rank == ranks[name] == 0
            unknown += 1
        if rank < ranks.get(name, 2):
            places[name], ranks[name] = i, rank
    return Header(row.number, places, unknown), twice


def names_of(schema: Schema) -> dict[str, str]:
    """Each title that a header may have, in its plain form, and the column that it means."""
    english = {plain_title(one.english): one.name for one in schema.columns if one.english}
    return english | {plain_title(title): one.name for one in schema.columns for title in (one.title, *one.aliases)}


def plain_title(text: str) -> str:
    """A title without line breaks, spaces, stars and colons; brackets are ASCII."""
    return _TITLE_NOISE.sub("", unicodedata.normalize("NFKC", text)).lower()


def _named(text: str, names: Mapping[str, str]) -> str | None:
    """The column that a title means, with or without what it says in brackets."""
    title = plain_title(text)
    return names.get(title) or names.get(_PARENTHESES.sub("", title))


def _lacks(missing: Sequence[Column], version: str | None, schema: Schema) -> FileRefused:
    titles = "、".join(column.title for column in missing)
    names = ", ".join(column.english or column.name for column in missing)
    if version is not None and version != schema.version:
        return FileRefused(
            "old_template",
            f"模板版本 {version} 已停用，缺少：{titles}。请下载新版模板（{schema.version}）。",
            f"The template's version {version} is out of use; it lacks: {names}. Fetch version {schema.version}.",
        )
    return FileRefused("missing_columns", f"表头缺少：{titles}。", f"The header lacks: {names}.")


_TITLE_NOISE = re.compile(r"[\s*:\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_PARENTHESES = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


# --- the rows ---------------------------------------------------------------------------------------------------------


def read_entries(rows: Iterable[RawRow], header: Header, schema: Schema, *, today: date) -> Iterator[Entry]:
    """One entry for each row with somebody (or something) on it; blank rows, footers, repeated headers and the sample
    of the template are none. ``today`` (China) bounds birth dates."""
    places = [(column, header.places[column.name]) for column in schema.columns if column.name in header.places]
    readers = [(column, place, _reader(column, today)) for column, place in places]
    key, main = _key_place(header, schema), header.places[schema.columns[0].name]
    names = names_of(schema)
    for row in rows:
        if row.number <= header.number:
            continue
        cells = row.cells
        width = len(cells)
        number = cells[key] if key is not None and key < width else None
        # A number makes it somebody's row: most are told by its length and a look at its first digit.
        if not (isinstance(number, str) and len(number) > 17 and number[0].isdigit()) and not _is_somebody(
            row, number, (main, key), places, names
        ):
            continue
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for column, place, read in readers:
            cell = cells[place] if place < width else None
            if cell is None or cell == "":
                if not column.required and not row.unset and not row.merged:
                    continue
                fault = _empty(column, place, row)
                if fault is not None:
                    faults.append(fault)
                continue
            try:
                value = read(cell)
            except InvalidIdentifier as refused:
                faults.append(Fault(refused.code, column.name, refused.hint_zh, refused.hint_en))
                continue
            if value is not None:
                values[column.name] = value
            elif column.required:
                faults.append(_missing(column))
        if not faults and "id_type" in values:
            citizen = values.get("id_number")
            if isinstance(citizen, CitizenId) and values["id_type"] != citizen.id_type:
                faults.append(_OTHER_TYPE)
        yield Entry(row.number, values, tuple(faults), row.hidden)


_OTHER_TYPE = Fault("id_type", "id_type", "证件类型与证件号码不符。", "The ID type does not fit the number.")


def _key_place(header: Header, schema: Schema) -> int | None:
    """The column that makes a row one of somebody, whatever else it looks like: the number."""
    for column in schema.columns:
        if column.kind in ("id_number", "uscc") and column.required:
            return header.places.get(column.name)
    return None


def _is_somebody(
    row: RawRow,
    number: Cell,
    identity: tuple[int, int | None],
    places: Sequence[tuple[Column, int]],
    names: Mapping[str, str],
) -> bool:
    if _is_long(number):
        return True
    cells = row.cells
    width = len(cells)
    name = cells[identity[0]] if identity[0] < width else None
    if isinstance(name, str) and name.startswith("示例"):
        return False  # the template's own
    filled = [cells[place] for _, place in places if place < width and not _is_blank(cells[place])]
    if not filled:
        return _hides_somebody(row, identity)
    first = next((cell for cell in cells if not _is_blank(cell)), None)
    if any(isinstance(one, str) and _FOOTER.fullmatch(_closed_up(one)) for one in (first, name)):
        return False
    return not all(isinstance(cell, str) and _named(cell, names) for cell in filled)


def _is_long(number: Cell) -> bool:
    """As long as the number of a person or an organisation, right or wrong, and no telephone number of a footer."""
    if isinstance(number, str):
        return sum(char.isalnum() for char in normalise_number(number)) > 13 and any(map(str.isdigit, number))
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) >= 1e13


def _hides_somebody(row: RawRow, identity: tuple[int, int | None]) -> bool:
    """In a row with nothing to be read: a name or number that is not computed, or one that was merged away beside
    something else, unless that is a sentence that goes through the whole row."""
    if any(place in row.unset for place in identity):
        return True
    others = [i for i, cell in enumerate(row.cells) if not _is_blank(cell)]
    if not others or not any(place in row.merged for place in identity):
        return False
    sentence = row.cells[others[0]]
    return not (
        len(others) == 1
        and others[0] + 1 in row.merged
        and isinstance(sentence, str)
        and not sentence.strip().isdigit()
    )


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not (cell and normalise_number(cell)))


def _closed_up(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


# What stands below the people: sums, who filled it in, seals. A word alone, or with what follows its colon: a name or a
# department may begin with the same characters.
_SEAL = r"(?:\(?(?:签字|签名|签章|盖章|公章)\)?)?"
_FOOTER = re.compile(
    r"\(?(?:合计|总计|小计|共计|总人数|人数合计)(?:(?::|[0-9]).*)?"
    r"|共[0-9]+[人名条行页].*|第[0-9]+页.*|[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日"
    r"|(?:注|注意|备注|说明|填表说明|填报说明|声明|承诺)[0-9一二三]?[:、.].*"
    r"|\(?(?:填表|填报|制表|编制|审核|复核|审批|经办|主管|单位|部门)?(?:负责人|联系人|法定代表人|人|人员|单位|日期)"
    + _SEAL
    + r"\)?(?:[:_].*)?|(?:审核|复核|审批|经办|制表|编制|填表|填报|日期|传真|电话|手机)[:_].*"
    r"|(?:联系电话|联系方式|联系手机)(?:[:_].*)?|\(?(?:签字|签名|盖章|公章|年月日)\)?(?:[:_].*)?"
)


def _empty(column: Column, place: int, row: RawRow) -> Fault | None:
    if place in row.unset:
        return Fault(
            "formula_without_value",
            column.name,
            f"“{column.title}”是没有计算结果的公式，请粘贴为数值。",
            "The cell has a formula without a value; paste the value.",
        )
    if place in row.merged:
        return Fault(
            "merged",
            column.name,
            f"“{column.title}”是合并单元格的一部分，没有内容；请取消合并并逐行填写。",
            "The cell is part of a merged one and empty; unmerge it and fill in each row.",
        )
    return _missing(column) if column.required else None


def _missing(column: Column) -> Fault:
    return Fault("missing", column.name, f"“{column.title}”未填写。", f"{column.english or column.name} is missing.")


# --- the cells --------------------------------------------------------------------------------------------------------

Reader = Callable[[Any], Any]


def _reader(column: Column, today: date) -> Reader:
    """What turns a cell that is not empty into a value: None where nothing is left. Raises InvalidIdentifier."""
    match column.kind:
        case "id_number":
            return _id_number(today)
        case "name":
            return _name
        case "mobile":
            return _mobile
        case "uscc":
            return lru_cache(maxsize=1024, typed=True)(_uscc)  # of an institution there are many rows
        case "date":
            return _date
        case "integer":
            return _integer
        case "yuan":
            return _yuan
        case "choice" | "id_type":
            return _choice(column)
        case "code":
            return _code
    # Groups and courses come again and again. Kept for this sheet only: remarks may tell of people.
    return lru_cache(maxsize=1024, typed=True)(_any_text)


def _id_number(today: date) -> Reader:
    def read(cell: Cell) -> CitizenId | None:
        if not isinstance(cell, str):
            raise _numeric_id()
        if not cell.isdecimal():  # as nearly all are, and then there is nothing to see
            if _SCIENTIFIC.fullmatch(cell.strip()):
                raise _numeric_id()
            if not cell.strip():
                return None
        return parse_citizen_id(cell, today=today)

    return read


def _numeric_id() -> InvalidIdentifier:
    # Made anew each time: one that is raised again and again keeps every frame, and the numbers in them.
    return InvalidIdentifier(
        "numeric_id",
        "证件号码是数字格式，第 15 位以后可能已丢失；请将单元格设为文本后按证件重新填写。",
        "The ID number stands in a numeric cell, which loses what is past the 15th digit; type it again as text.",
    )


_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+")


def _name(cell: Cell) -> str | None:
    if not isinstance(cell, str):
        raise InvalidIdentifier("characters", "姓名应为文本。", "A name is text.")
    if _PLAIN_NAME.fullmatch(cell):
        return cell  # in its one form already, as most are
    name = normalise_name(cell).lstrip("'’‘")
    if len(name) > LONGEST_NAME:
        raise InvalidIdentifier("too_long", "姓名过长。", "The name is too long.")
    if not name:
        return None
    if name.startswith("示例"):
        raise InvalidIdentifier("sample", "姓名仍是模板的示例文字，请改为真实姓名。", "This is the sample's name.")
    if (
        _has_controls(name)
        or _ERROR_VALUE.fullmatch(name)
        or any(char.isdigit() for char in name)
        or all(unicodedata.category(char)[0] in "PSZ" for char in name)  # a dash says that there is none
    ):
        raise InvalidIdentifier("characters", "姓名含有不允许的字符。", "The name has characters that no name has.")
    return name


_PLAIN_NAME = re.compile("[\u4e00-\u9fff]{1,8}")


def _mobile(cell: Cell) -> str | None:
    if isinstance(cell, str) and _PLAIN_MOBILE.fullmatch(cell):
        return cell
    return parse_mobile(_as_number(cell)) if _text(cell).strip() else None


_PLAIN_MOBILE = re.compile("1[3-9][0-9]{9}")


def _has_controls(text: str) -> bool:
    """Characters that nobody can read. Those for private use can be: older encodings put rare Chinese ones there."""
    return not text.isprintable() and any(unicodedata.category(char) in ("Cc", "Cs", "Cn", "Zl", "Zp") for char in text)


def _uscc(cell: Cell) -> str | None:
    if not isinstance(cell, str):
        raise InvalidIdentifier(
            "numeric_code",
            "统一社会信用代码是数字格式，请设为文本后重新填写。",
            "The credit code stands in a numeric cell; type it again as text.",
        )
    return parse_uscc(cell) if cell.strip() else None


def _code(cell: Cell) -> str | None:
    """Somebody else's number of something, as long as it is: one that a spreadsheet has cut down is none."""
    if isinstance(cell, str):
        cut = _CUT_DOWN.fullmatch(cell.strip()) is not None
    else:
        cut = isinstance(cell, int | float) and abs(cell) >= 1e15
    if cut:
        raise InvalidIdentifier(
            "numeric_code",
            "编号是数字格式，第 15 位以后可能已丢失；请将单元格设为文本后重新填写。",
            "The number stands in a numeric cell, which loses what is past the 15th digit; type it again as text.",
        )
    return _any_text(cell)


_CUT_DOWN = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]+")


def _any_text(cell: Cell) -> str | None:
    text = _text(cell)
    text = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    text = " ".join(text.split())
    if _has_controls(text):
        raise InvalidIdentifier("characters", "内容含有控制字符。", "The text has control characters.")
    if text.startswith(("'", "’")):
        text = text[1:].strip()
    if _ERROR_VALUE.fullmatch(text):
        raise InvalidIdentifier("error_value", "单元格是错误值。", "The cell holds an error value.")
    if len(text) > LONGEST_TEXT:
        raise InvalidIdentifier(
            "too_long", f"内容超过 {LONGEST_TEXT} 个字符。", f"The text has more than {LONGEST_TEXT} characters."
        )
    return text or None


_ERROR_VALUE = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|GETTING_DATA|SPILL!)")


def _choice(column: Column) -> Reader:
    codes = {plain_title(word): code for word, code in column.choices} | {code: code for _, code in column.choices}

    @lru_cache(maxsize=256, typed=True)
    def read(cell: Cell) -> str | None:
        word = plain_title(_text(cell))
        if not word:
            return None
        if word not in codes:
            words = "、".join(word for word, _ in column.choices)
            raise InvalidIdentifier(
                "choice", f"“{column.title}”应为：{words}。", f"It is one of: {', '.join(codes.values())}."
            )
        return codes[word]

    return read


def _integer(cell: Cell) -> int | None:
    text = _as_number(cell)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidIdentifier("integer", "应为整数。", "It is a whole number.")
    return int(text)


def _yuan(cell: Cell) -> int | None:
    """Yuan as fen: 2000, 2,000.00, 2000.5, ¥2000, 2000元."""
    if isinstance(cell, float):
        cell = f"{cell:.15g}"  # as one sees it: sums of yuan have a tail that nobody wrote
    text = _YUAN_NOISE.sub("", unicodedata.normalize("NFKC", _text(cell)))
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,13})(?:\.([0-9]{1,2})0*)?", text)
    if found is None:
        raise InvalidIdentifier(
            "amount",
            "金额应为数字，单位为元，至多两位小数。",
            "An amount is a number of yuan, with two decimals at most.",
        )
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


_YUAN_NOISE = re.compile(r"[\s,¥元\u200b-\u200f\ufeff]+")


def _date(cell: Cell) -> date | None:
    """A local date: 2021.6.1, 2021-06-01, 2021/6/1, 2021年6月1日, 20210601, a serial number (44348), a date cell."""
    if isinstance(cell, datetime):
        found: date | None = cell.date()
    elif isinstance(cell, date):
        found = cell
    else:
        text = _as_number(_MIDNIGHT.sub("", cell) if isinstance(cell, str) else cell)
        if not text:
            return None
        found = _date_of(text)
    if found is None or not FIRST_DAY <= found <= LAST_DAY:
        raise InvalidIdentifier(
            "date", "日期不存在或无法识别，请写成 2021-06-01。", "No such date; write it as 2021-06-01."
        )
    return found


_MIDNIGHT = re.compile(r"[ T]0?0:00(:00(\.0+)?)?\s*$")


def _date_of(text: str) -> date | None:
    if re.fullmatch(r"[0-9]{5}", text):
        return _SERIAL_ZERO + timedelta(days=int(text))
    parts = re.fullmatch(r"([0-9]{4})[-./年]([0-9]{1,2})[-./月]([0-9]{1,2})日?", text)
    parts = parts or re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})", text)
    if parts is None:
        return None
    try:
        return date(*(int(part) for part in parts.groups()))
    except ValueError:
        return None


# Serial 60 is the 29th of February 1900, which never was: from 61 on this is the day before the first.
_SERIAL_ZERO = date(1899, 12, 30)


def _as_number(cell: Cell) -> str:
    """The digits of a cell, whether it holds them as text or as a number."""
    return normalise_number(_text(cell))


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool) or cell is None:
        return "" if cell is None else str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell == cell and abs(cell) < 1e15 and cell == int(cell) else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return str(cell)
