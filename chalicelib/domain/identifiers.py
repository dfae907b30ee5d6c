"""Numbers, names and codes that people and papers carry: read, checked, shown masked.

Every reader here takes text as it was typed or imported, normalises it, judges it, and returns the canonical text.
A refusal is an ``InvalidIdentifier``; neither its text nor any repr made here contains the number itself.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from operator import mul
from typing import Literal

Sex = Literal["male", "female"]
RegionLevel = Literal["nation", "province", "city", "county"]

NATION = "000000"
CORPS = "660000"  # 兵团: our private code, GB/T 2260 has none


class InvalidIdentifier(ValueError):
    """A number, name or code that breaks its own rules; ``code`` says which, the hints say it to people.

    ``code``: stable snake_case reason. ``hint_zh``, ``hint_en``: one sentence each, without the refused text.
    """

    def __init__(self, code: str, hint_zh: str, hint_en: str) -> None:
        super().__init__(code, hint_zh, hint_en)
        self.code = code
        self.hint_zh = hint_zh
        self.hint_en = hint_en

    def __str__(self) -> str:
        return f"{self.code}: {self.hint_en}"


class IdType(StrEnum):
    """Which document a personal number belongs to."""

    RESIDENT_ID = "resident_id"
    HK_MACAO_TAIWAN_PERMIT = "hk_macao_taiwan_permit"
    FOREIGN_PERMANENT = "foreign_permanent"


@dataclass(frozen=True, slots=True)
class CitizenId:
    """A personal number that passed its checks, with what the number itself tells; its repr shows the type only.

    ``birth_date`` and ``sex`` are None for old foreign numbers, ``region_code`` (six digits) for all foreign ones.
    """

    number: str = field(repr=False)
    id_type: IdType
    birth_date: date | None = field(repr=False)
    sex: Sex | None = field(repr=False)
    region_code: str | None = field(repr=False)


# --- text as it comes -------------------------------------------------------------------------------------------


def normalise_number(text: str) -> str:
    """Bring a number as typed or imported into the one form that is compared, stored and hashed.

    NFKC, no format characters (zero-width, bidi marks), no white space anywhere, no leading apostrophe, ASCII letters
    in upper case (so x becomes X). Hyphens stay: they are no layout noise in an ID number. Never raises; idempotent.
    Source: domain §6.
    """
    if text.isascii() and text.isalnum():
        return text.upper()  # in its one form but for that, as nearly all are: rosters have many
    visible = "".join(_without_invisible(unicodedata.normalize("NFKC", text)).split())
    bare = visible.lstrip(_APOSTROPHES).translate(_ASCII_UPPER)
    # Removing a space can bring a combining mark next to a letter; composing again keeps the result stable.
    return unicodedata.normalize("NFC", bare)


def normalise_name(text: str) -> str:
    """Bring a person's name into the form in which two spellings of it are compared.

    NFKC, no format characters or variation selectors, every encoding of the separating dot as U+00B7 (a full stop
    only between two Chinese characters), no spaces between Chinese characters or around that dot, single spaces in
    Latin names; letter case untouched. Never raises; idempotent. Source: domain §6.
    """
    visible = _without_invisible(unicodedata.normalize("NFKC", text))
    spaced = " ".join(visible.translate(_DOTS).split())
    dotted = _FULL_STOP_BETWEEN_HAN.sub(_DOT, spaced)
    return unicodedata.normalize("NFC", _SPACE_IN_CHINESE.sub("", dotted))


# --- people -----------------------------------------------------------------------------------------------------


def parse_citizen_id(text: str, *, today: date) -> CitizenId:
    """Read a resident ID, a Hong Kong, Macao or Taiwan residence permit, or a foreign permanent resident's number.

    ``today`` (China) bounds the birth date: 1900-01-01 to today. Refusals, in this order: ``empty``, ``lookalike_x``,
    ``characters``, ``length``, ``checksum``, ``province``, ``birth_date``. A county that does not exist is accepted.
    Foreign numbers: 9 + two digits of the accepting province + three digits of the nationality + birth date + serial
    + check, so their first six digits are no region; the older 3 letters + 12 digits tell neither sex nor a full
    birth date and their last digit is not checked. Raises ``InvalidIdentifier``. Source: GB 11643; domain §5, §6;
    National Immigration Administration's reading rules for the 2023 permit.
    """
    _refuse_clock(today)
    number = text if _EIGHTEEN.fullmatch(text) else _id_form(text)  # nearly all are in their one form already
    if len(number) != 18:
        return CitizenId(number, IdType.FOREIGN_PERMANENT, birth_date=None, sex=None, region_code=None)
    if number[17] != _id_check(number):
        raise InvalidIdentifier(
            "checksum",
            "证件号码校验位不符，请核对是否输错。",
            "The check digit of the ID number does not fit; look for a typing error.",
        )
    id_type = _id_type(number)
    birth_date = _birth_date(number, today)
    sex: Sex = "male" if int(number[16]) % 2 else "female"
    region_code = None if id_type is IdType.FOREIGN_PERMANENT else number[:6]
    return CitizenId(number, id_type, birth_date, sex, region_code)


def age_on(birth: date, day: date) -> int:
    """Completed years on a day: one more on each birthday itself.

    Convention: who was born on 29 February is a year older on 1 March in common years. Raises ``ValueError`` when
    the day is before the birth.
    """
    _refuse_clock(birth, day)
    if day < birth:
        raise ValueError("the day is before the birth")
    birthday_to_come = (day.month, day.day) < (birth.month, birth.day)
    return day.year - birth.year - birthday_to_come


def parse_mobile(text: str) -> str:
    """Read a mainland mobile number: 11 digits, 1 and then 3-9; +86, 0086 or 86, spaces and hyphens are dropped.

    Raises ``InvalidIdentifier`` with ``empty``, ``characters``, ``length`` or ``prefix``.
    """
    number = _without_hyphens(normalise_number(text))
    if not number:
        raise InvalidIdentifier("empty", "手机号为空。", "The mobile number is empty.")
    with_country = _COUNTRY_CODE.fullmatch(number)
    if with_country:
        number = with_country[1]
    if not set(number) <= _DIGITS:
        raise InvalidIdentifier("characters", "手机号只能含数字。", "A mobile number has digits only.")
    if len(number) != 11:
        raise InvalidIdentifier("length", "手机号应为 11 位数字。", "A mobile number has 11 digits.")
    if not _MOBILE.fullmatch(number):
        raise InvalidIdentifier("prefix", "手机号应以 13 至 19 开头。", "A mobile number starts with 13 to 19.")
    return number


def carries_personal_number(text: str) -> bool:
    """Whether a free text has an 18-character ID number or a mobile number in it, in any width, also in groups.

    Only numbers that could be somebody's: the check digit fits, the birth date exists, a mobile begins with 13 to 19.
    """
    visible = _without_invisible(unicodedata.normalize("NFKC", text)).translate(_ASCII_UPPER)
    if _MOBILE_WITHIN.search(visible):
        return True
    return any(_is_somebodys("".join(groups)) for groups in _EIGHTEEN_WITHIN.findall(visible))


# --- organisations ----------------------------------------------------------------------------------------------


def parse_uscc(text: str) -> str:
    """Read an organisation's unified social credit code: 18 characters without I O Z S V, lower case accepted.

    Refusals, in this order: ``empty``, ``characters``, ``length``, ``region`` (characters 3-8 are digits),
    ``all_zeros``, ``checksum`` (last character), ``organisation_checksum`` (characters 9-17, GB 11714). Any
    registering department is accepted, A, N and Y too. Raises ``InvalidIdentifier``. Source: GB 32100; domain §5.
    """
    code = normalise_number(text)
    if not code:
        raise InvalidIdentifier("empty", "统一社会信用代码为空。", "The unified social credit code is empty.")
    if not set(code) <= set(_USCC_ALPHABET):
        raise InvalidIdentifier(
            "characters",
            "统一社会信用代码只含数字和大写字母，且不含 I、O、Z、S、V。",
            "A unified social credit code has digits and capital letters, but never I, O, Z, S or V.",
        )
    if len(code) != 18:
        raise InvalidIdentifier(
            "length", "统一社会信用代码应为 18 位。", "A unified social credit code has 18 characters."
        )
    if not set(code[2:8]) <= _DIGITS:
        raise InvalidIdentifier(
            "region",
            "统一社会信用代码第 3 至 8 位应为数字（登记机关行政区划码）。",
            "Characters 3 to 8 of a unified social credit code are digits (the registering region).",
        )
    if set(code) == {"0"}:
        raise InvalidIdentifier(
            "all_zeros", "统一社会信用代码不能全为 0。", "A unified social credit code cannot be all zeros."
        )
    if code[17] != _uscc_check(code):
        raise InvalidIdentifier(
            "checksum",
            "统一社会信用代码校验位不符，请核对是否输错。",
            "The check character of the unified social credit code does not fit; look for a typing error.",
        )
    if code[16] != _organisation_check(code[8:16]):
        raise InvalidIdentifier(
            "organisation_checksum",
            "统一社会信用代码第 9 至 17 位（主体标识码）校验不符，请核对证书原件。",
            "Characters 9 to 17 of the unified social credit code fail their own check; compare with the certificate.",
        )
    return code


# --- regions ----------------------------------------------------------------------------------------------------


def parse_region_code(text: str) -> str:
    """Read a region code: six digits shaped like GB/T 2260, 000000 for the nation, or 660000 for the Corps (兵团).

    Shape only: whether the region exists is the catalogue's question. Refusals, in this order: ``empty``,
    ``characters``, ``length``, ``province``, ``region_shape`` (a county without a city), ``no_counties`` (below
    东莞 441900 or 中山 442000). Raises ``InvalidIdentifier``. Source: GB/T 2260; domain §5.
    """
    code = normalise_number(text)
    if not code:
        raise InvalidIdentifier("empty", "行政区划代码为空。", "The region code is empty.")
    if not set(code) <= _DIGITS:
        raise InvalidIdentifier("characters", "行政区划代码只能含数字。", "A region code has digits only.")
    if len(code) != 6:
        raise InvalidIdentifier("length", "行政区划代码应为 6 位数字。", "A region code has six digits.")
    if code in (NATION, CORPS):
        return code
    if code[:2] not in _REGION_PROVINCES:
        raise InvalidIdentifier(
            "province", "行政区划代码前两位不是省级代码。", "The region code does not start with a province's code."
        )
    if code[2:4] == "00" and code[4:] != "00":
        raise InvalidIdentifier(
            "region_shape",
            "行政区划代码有县级而没有地级。",
            "The region code names a county without a city.",
        )
    if code[:4] in _CITIES_WITHOUT_COUNTIES and code[4:] != "00":
        raise InvalidIdentifier(
            "no_counties", "东莞、中山不设区县。", "Dongguan and Zhongshan have no counties below them."
        )
    return code


def region_level(code: str) -> RegionLevel:
    """The level a region code stands for by its shape; the Corps (660000) counts as a province.

    Raises ``InvalidIdentifier`` as ``parse_region_code`` does. Source: GB/T 2260.
    """
    code = parse_region_code(code)
    if code == NATION:
        return "nation"
    if code.endswith("0000"):
        return "province"
    return "city" if code.endswith("00") else "county"


def region_ancestors(code: str) -> tuple[str, ...]:
    """The regions above a region, nearest first, up to 000000; empty for the nation itself.

    A county directly under its province (429004) has the placeholder city of GB/T 2260 (429000) between them.
    Raises ``InvalidIdentifier`` as ``parse_region_code`` does. Source: GB/T 2260.
    """
    code = parse_region_code(code)
    upwards = (code[:4] + "00", code[:2] + "0000", NATION)
    levels: dict[RegionLevel, int] = {"county": 0, "city": 1, "province": 2, "nation": 3}
    return upwards[levels[region_level(code)] :]


# --- voucher codes ----------------------------------------------------------------------------------------------


def format_code(random: bytes) -> str:
    """Write 10 random bytes (80 bits) as a voucher's typed code, ``XXXX-XXXX-XXXX-XXXX-C``.

    Sixteen symbols of Crockford's base32 and a check symbol of the same alphabet. The code is a secret. Raises
    ``ValueError`` for any other number of bytes. Source: design §1; decision 0003.
    """
    if len(random) != _CODE_BYTES:
        raise ValueError(f"a voucher code is made of {_CODE_BYTES} bytes")
    value = int.from_bytes(random, "big")
    symbols = [value >> shift & 31 for shift in range(75, -1, -5)]
    text = "".join(_CROCKFORD[symbol] for symbol in [*symbols, _code_check(symbols)])
    return "-".join((text[:4], text[4:8], text[8:12], text[12:16], text[16]))


def parse_code(text: str) -> str:
    """Read a typed voucher code and return its 17 canonical symbols without hyphens.

    Lower case, spaces and hyphens are forgiven, O is read as 0, I and L as 1. Refusals, in this order: ``empty``,
    ``characters``, ``length``, ``checksum``. Any one wrong symbol and any two swapped symbols are caught. Raises
    ``InvalidIdentifier``. Source: design §1; decision 0003.
    """
    code = _without_hyphens(normalise_number(text)).translate(_CODE_MISREADINGS)
    if not code:
        raise InvalidIdentifier("empty", "券码为空。", "The voucher code is empty.")
    if not set(code) <= set(_CROCKFORD):
        raise InvalidIdentifier(
            "characters",
            "券码只含数字和英文字母，且不含字母 U。",
            "A voucher code has digits and letters, but never the letter U.",
        )
    if len(code) != _CODE_SYMBOLS:
        raise InvalidIdentifier("length", "券码应为 17 位。", "A voucher code has 17 symbols.")
    *symbols, check = (_CROCKFORD.index(symbol) for symbol in code)
    if check != _code_check(symbols):
        raise InvalidIdentifier(
            "checksum",
            "券码校验位不符，请核对是否输错。",
            "The check symbol of the voucher code does not fit; look for a typing error.",
        )
    return code


# --- masking ----------------------------------------------------------------------------------------------------


def mask_number(number: str) -> str:
    """Show a personal number's first three and last four characters, stars for the rest.

    A number of fewer than 11 characters is hidden whole. The length is kept. Source: domain §5 (six and four would
    hide only the birth date).
    """
    number = normalise_number(number)
    if len(number) < 11:
        return "*" * len(number)
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def mask_mobile(mobile: str) -> str:
    """Show a mobile number's first three and last four digits, stars for the rest: ``138****0000``.

    Anything shorter than 11 characters is hidden whole; a country code in front is dropped where the rest is one.
    """
    number = _without_hyphens(normalise_number(mobile))
    with_country = _COUNTRY_CODE.fullmatch(number)
    return mask_number(with_country[1] if with_country else number)


def mask_name(name: str) -> str:
    """Show a name's first character, or a two-character surname from three characters on, stars for the rest.

    ``张三`` → ``张*``, ``欧阳娜娜`` → ``欧阳**``; Latin names and names with dots keep the first letter,
    their spaces and dots. A name of a single character is hidden whole. The length is kept.
    """
    name = normalise_name(name)
    if len(name) < 2:
        return "*" * len(name)
    shown = 2 if len(name) > 2 and name[:2] in _COMPOUND_SURNAMES else 1
    return name[:shown] + "".join(sign if sign in (" ", _DOT) else "*" for sign in name[shown:])


# --- below: how it is done --------------------------------------------------------------------------------------

_DIGITS = frozenset("0123456789")
_DIGITS_AND_LETTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ASCII_UPPER = {small: small - 32 for small in range(ord("a"), ord("z") + 1)}
_APOSTROPHES = "'`´‘’‛′"
_HYPHENS = dict.fromkeys(map(ord, "-‐‑‒–—―−"))

# Times signs, Cyrillic ha and Greek chi, which print like X. The Roman numeral ten and full-width X are X by NFKC.
_LOOKALIKE_X = frozenset("×✕✖╳⨉⨯ХхΧχ")

_DOT = "\u00b7"
# Middle dot's rivals seen in names: bullet, hyphenation point, katakana dot, bullet and dot operators, and others;
# half-width katakana dot, Greek ano teleia and the Hangul dot (as U+119E) arrive here through NFKC.
_DOTS = dict.fromkeys(map(ord, "•‧・∙⋅◦●⸱⸳ꞏ᛫\u119e"), _DOT)
# 々 and 〇 occur in names; the private use area carries rare characters of older Chinese encodings.
_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\ue000-\uf8ff\uf900-\ufaff\U00020000-\U000323af"
_FULL_STOP_BETWEEN_HAN = re.compile(f"(?<=[{_HAN}]) ?\\. ?(?=[{_HAN}])")
_SPACE_IN_CHINESE = re.compile(f"(?<=[{_HAN}]) (?=[{_HAN}])|(?<={_DOT}) | (?={_DOT})")
_COMPOUND_SURNAMES = frozenset((
    "欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "司徒", "司空", "夏侯", "皇甫", "尉迟",
    "尉遲", "公孙", "公孫", "慕容", "令狐", "宇文", "长孙", "長孫", "端木", "东方", "東方", "独孤",
    "獨孤", "南宫", "南宮", "轩辕", "軒轅", "钟离", "鍾離", "呼延", "申屠", "太史", "淳于", "单于",
    "濮阳", "濮陽", "澹台", "澹臺", "公冶", "赫连", "赫連", "闻人", "聞人", "万俟", "宗政", "拓跋",
    "百里", "东郭", "東郭", "西门", "西門", "第五",
))  # fmt: skip

_ID_PROVINCES = frozenset((
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
    "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82", "83",
))  # fmt: skip
_REGION_PROVINCES = _ID_PROVINCES - {"83"}  # 83 stands on Taiwan residents' permits only; the region is 71
_CITIES_WITHOUT_COUNTIES = frozenset({"4419", "4420"})
_EARLIEST_BIRTH = date(1900, 1, 1)

_EIGHTEEN = re.compile("[0-9]{17}[0-9X]")
_OLD_FOREIGN = re.compile("[A-Z]{3}[0-9]{12}")
_COUNTRY_CODE = re.compile(r"(?:\+86|0086|86)([0-9]{11})")
_MOBILE = re.compile("1[3-9][0-9]{9}")
# Within a text: typed in one, or grouped as people group them. A digest in hexadecimal has no mobile number in it.
_GAP = "[ \\-‐‑‒–—―−]?"
_EIGHTEEN_WITHIN = re.compile(f"(?<![0-9])([0-9]{{6}}){_GAP}([0-9]{{8}}){_GAP}([0-9]{{3}}[0-9X])(?![0-9])")
_MOBILE_WITHIN = re.compile(
    rf"(?<![0-9A-Z])(?:(?:\+|00)?86{_GAP})?1[3-9][0-9]{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}(?![0-9A-Z])"
)

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_ID_ZEROS = sum(_ID_WEIGHTS) * ord("0")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_BYTES = 10
_CODE_SYMBOLS = 17
_CODE_MISREADINGS = str.maketrans("OIL", "011")


def _without_invisible(text: str) -> str:
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf" and not _is_variation_selector(sign))


def _is_variation_selector(sign: str) -> bool:
    return "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"


def _without_hyphens(number: str) -> str:
    return number.translate(_HYPHENS)


def _refuse_clock(*days: date) -> None:
    # A datetime is a date to Python; mixing them here would be a bug of the caller.
    for day in days:
        if isinstance(day, datetime):
            raise TypeError("a plain date is needed, not a datetime")


def _id_form(text: str) -> str:
    """Eighteen characters that may be a number, or a foreign permit's older fifteen."""
    number = normalise_number(text)
    if not number:
        raise InvalidIdentifier("empty", "证件号码为空。", "The ID number is empty.")
    if not _LOOKALIKE_X.isdisjoint(number):
        raise InvalidIdentifier(
            "lookalike_x",
            "证件号码中含有形似 X 的字符（乘号、西里尔字母或希腊字母），请改为英文字母 X。",
            "The ID number has a sign that only looks like X (times sign, Cyrillic, Greek); type the letter X.",
        )
    if not set(number) <= _DIGITS_AND_LETTERS:
        raise _bad_id_characters()
    if _OLD_FOREIGN.fullmatch(number):
        return number
    if len(number) != 18:
        raise _bad_id_length(number)
    if not _EIGHTEEN.fullmatch(number):
        raise _bad_id_characters()
    return number


def _bad_id_characters() -> InvalidIdentifier:
    return InvalidIdentifier(
        "characters",
        "证件号码含有不允许的字符：应为数字，最后一位可为 X。",
        "The ID number has characters that do not belong there: digits only, the last may be X.",
    )


def _bad_id_length(number: str) -> InvalidIdentifier:
    if len(number) == 15 and set(number) <= _DIGITS:
        return InvalidIdentifier(
            "length",
            "15 位的旧身份证号码已停用，请填写 18 位号码。",
            "The old 15-digit ID numbers are out of use; give the 18-digit number.",
        )
    return InvalidIdentifier(
        "length",
        "证件号码位数不对：应为 18 位（旧版外国人永久居留证为 3 个字母加 12 位数字）。",
        "The ID number has the wrong length: 18 characters (older foreign permits: 3 letters and 12 digits).",
    )


def _id_check(number: str) -> str:
    return _ID_CHECKS[(sum(map(mul, _ID_WEIGHTS, number.encode())) - _ID_ZEROS) % 11]


def _id_type(number: str) -> IdType:
    if number.startswith("9"):
        return IdType.FOREIGN_PERMANENT
    if number[:2] not in _ID_PROVINCES:
        raise InvalidIdentifier(
            "province",
            "证件号码前两位不是省级行政区划代码。",
            "The ID number does not start with a province's code.",
        )
    return IdType.HK_MACAO_TAIWAN_PERMIT if number[:2] in ("81", "82", "83") else IdType.RESIDENT_ID


def _birth_date(number: str, today: date) -> date:
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise _bad_birth_date() from None
    if not _EARLIEST_BIRTH <= birth <= today:
        raise _bad_birth_date()
    return birth


def _bad_birth_date() -> InvalidIdentifier:
    return InvalidIdentifier(
        "birth_date",
        "证件号码中的出生日期不存在，或不在 1900 年至今之间。",
        "The birth date in the ID number does not exist or is not between 1900 and today.",
    )


def _is_somebodys(number: str) -> bool:
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return born >= _EARLIEST_BIRTH and number[17] == _id_check(number)


def _uscc_check(code: str) -> str:
    total = sum(pow(3, place, 31) * _USCC_ALPHABET.index(sign) for place, sign in enumerate(code[:17]))
    return _USCC_ALPHABET[-total % 31]


def _organisation_check(body: str) -> str:
    # Here letters count 10 to 35 as in the whole Latin alphabet, unlike in the credit code around it.
    total = sum(weight * int(sign, 36) for weight, sign in zip(_ORGANISATION_WEIGHTS, body, strict=True))
    return "0123456789X"[-total % 11]


def _code_check(symbols: Iterable[int]) -> int:
    """The check symbol that makes the code, as a polynomial over GF(32), vanish at a primitive element.

    Position k from the right weighs α^k. The 17 weights differ and none is zero, so one wrong symbol or two swapped
    ones always change the sum. ISO 7064 MOD 37,36 cannot promise that; decision 0003 has the figures.
    """
    total = 0
    for symbol in symbols:
        total = _times_alpha(total ^ symbol)
    return total


def _times_alpha(element: int) -> int:
    doubled = element << 1
    return doubled ^ 0b100101 if doubled & 32 else doubled  # x^5 + x^2 + 1, primitive over GF(2)
