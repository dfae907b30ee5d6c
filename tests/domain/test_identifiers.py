"""What identifiers promise. All people here are invented; their numbers only have valid check digits."""

import csv
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import stdnum.cn.ric
import stdnum.cn.uscc
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from chalicelib.domain.identifiers import (
    IdType,
    InvalidIdentifier,
    age_on,
    carries_personal_number,
    format_code,
    mask_mobile,
    mask_name,
    mask_number,
    normalise_name,
    normalise_number,
    parse_citizen_id,
    parse_code,
    parse_mobile,
    parse_region_code,
    parse_uscc,
    region_ancestors,
    region_level,
)

TODAY = date(2021, 6, 30)
REFERENCE = Path(__file__).parents[2] / "reference"
PROVINCES = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41",
    "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71",
]  # fmt: skip
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BIRTHS = st.dates(min_value=date(1900, 1, 1), max_value=TODAY)


def a_number(body: str) -> str:
    """Seventeen digits with their check digit, from an independent formula (MOD 11-2 as a power series)."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def people_numbers(first: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda head, rest, birth, serial: a_number(f"{head}{rest:04d}{birth:%Y%m%d}{serial:03d}"),
        first,
        st.integers(0, 9999),
        BIRTHS,
        st.integers(0, 999),
    )


def refusal_of(read: Callable[[str], object], text: str) -> InvalidIdentifier:
    with pytest.raises(InvalidIdentifier) as caught:
        read(text)
    return caught.value


def citizen_refusal(text: str, today: date = TODAY) -> InvalidIdentifier:
    return refusal_of(lambda typed: parse_citizen_id(typed, today=today), text)


class TestNormalisingNumbers:
    @pytest.mark.parametrize(
        "typed",
        [
            "11010519491231002x",
            "  11010519491231002X\n",
            "'11010519491231002X",
            "’11010519491231002X",
            "＇11010519491231002X",
            "110105 19491231 002X",
            "110105\u300019491231\u00a0002X",
            "１１０１０５１９４９１２３１００２Ｘ",
            "\ufeff11010519491231002X",
            "110105\u200b19491231\u200d002X",
            "\u202a11010519491231002X\u202c\u200e",
            "11010519491231002ⅹ",
            "1101051949\r\n1231002X",
        ],
    )
    def test_given_layout_noise_when_read_then_the_number_is_bare(self, typed: str) -> None:
        assert normalise_number(typed) == "11010519491231002X"

    def test_given_hyphens_when_read_then_they_stay_and_the_id_is_refused(self) -> None:
        assert normalise_number("110105-19491231-002X") == "110105-19491231-002X"
        assert citizen_refusal("110105-19491231-002X").code == "characters"

    @given(st.text())
    def test_given_any_text_when_normalised_twice_then_nothing_more_changes(self, text: str) -> None:
        once = normalise_number(text)

        assert normalise_number(once) == once
        assert not any(sign.isspace() for sign in once)


class TestNormalisingNames:
    @pytest.mark.parametrize(
        "dot", ["\u00b7", "\u2022", "\u2027", "\u30fb", "\uff65", "\u2219", "\uff0e", ".", "\u0387", "\u318d"]
    )
    def test_given_any_encoding_of_the_dot_when_read_then_it_is_u00b7(self, dot: str) -> None:
        assert normalise_name(f"阿依古丽{dot}买买提") == "阿依古丽\u00b7买买提"
        assert normalise_name(f"阿依古丽 {dot} 买买提") == "阿依古丽\u00b7买买提"

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("张 三", "张三"),
            ("\u3000张\u3000\u3000三\t", "张三"),
            ("张\u200b三\ufeff", "张三"),
            ("  John   Smith ", "John Smith"),
            ("J. R. Smith", "J. R. Smith"),
            ("ＪＯＨＮ　Smith", "JOHN Smith"),
            ("张 Wei", "张 Wei"),
            ("葛\U000e0100飞", "葛飞"),
            ("𠮷 田", "𠮷田"),
            ("\u2f25", "女"),
            ("", ""),
        ],
    )
    def test_given_a_name_as_typed_when_read_then_its_spaces_follow_its_script(self, typed: str, name: str) -> None:
        assert normalise_name(typed) == name

    @given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("张三·•. \u200b\u0301xA"))))
    def test_given_any_text_when_normalised_twice_then_nothing_more_changes(self, text: str) -> None:
        once = normalise_name(text)

        assert normalise_name(once) == once
        assert once == once.strip()


class TestCitizenIds:
    @pytest.mark.parametrize(
        ("number", "id_type", "birth", "sex", "region"),
        [
            ("11010519491231002X", IdType.RESIDENT_ID, date(1949, 12, 31), "female", "110105"),
            ("440106198001010019", IdType.RESIDENT_ID, date(1980, 1, 1), "male", "440106"),
            ("810000199001010019", IdType.HK_MACAO_TAIWAN_PERMIT, date(1990, 1, 1), "male", "810000"),
            (a_number("82000019900101002"), IdType.HK_MACAO_TAIWAN_PERMIT, date(1990, 1, 1), "female", "820000"),
            (a_number("83000020000229001"), IdType.HK_MACAO_TAIWAN_PERMIT, date(2000, 2, 29), "male", "830000"),
            (a_number("71000019900101001"), IdType.RESIDENT_ID, date(1990, 1, 1), "male", "710000"),
            (a_number("94484019850715002"), IdType.FOREIGN_PERMANENT, date(1985, 7, 15), "female", None),
            ("USA440185071501", IdType.FOREIGN_PERMANENT, None, None, None),
        ],
    )
    def test_given_a_valid_number_when_read_then_it_tells_what_it_can(
        self, number: str, id_type: IdType, birth: date | None, sex: str | None, region: str | None
    ) -> None:
        read = parse_citizen_id(number, today=TODAY)

        assert (read.number, read.id_type, read.birth_date, read.sex, read.region_code) == (
            number,
            id_type,
            birth,
            sex,
            region,
        )

    @pytest.mark.parametrize("number", ["44010619000229001X", "440524188001010014"])
    def test_given_a_right_check_digit_but_no_possible_birth_when_read_then_it_is_refused(self, number: str) -> None:
        assert a_number(number[:17]) == number
        assert citizen_refusal(number).code == "birth_date"

    def test_given_a_birth_today_or_tomorrow_when_read_then_only_today_is_accepted(self) -> None:
        born = a_number("44010620210630001")

        assert parse_citizen_id(born, today=date(2021, 6, 30)).birth_date == date(2021, 6, 30)
        assert citizen_refusal(born, today=date(2021, 6, 29)).code == "birth_date"

    def test_given_the_first_day_of_1900_or_the_day_before_when_read_then_only_1900_is_accepted(self) -> None:
        assert parse_citizen_id(a_number("44010619000101001"), today=TODAY).birth_date == date(1900, 1, 1)
        assert citizen_refusal(a_number("44010618991231001")).code == "birth_date"

    @pytest.mark.parametrize("lookalike", ["×", "Х", "х", "Χ", "χ"])
    def test_given_a_lookalike_of_x_when_read_then_it_is_refused_with_a_hint(self, lookalike: str) -> None:
        refusal = citizen_refusal("11010519491231002" + lookalike)

        assert refusal.code == "lookalike_x"
        assert "X" in refusal.hint_zh
        assert "X" in refusal.hint_en

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"),
            (" \u200b'", "empty"),
            ("44010619800101001", "length"),
            ("4401061980010100190", "length"),
            ("440106800101001", "length"),
            ("US440185071501", "length"),
            ("440106198001010O19", "characters"),
            ("44010619800101X019", "characters"),
            ("4401061980010100٩9", "characters"),
            ("440106198001010019.0", "characters"),
            ("4.40106198001010E+17", "characters"),
            ("440106198001010018", "checksum"),
            (a_number("16010619800101001"), "province"),
            (a_number("00010619800101001"), "province"),
            (a_number("94484019850230002"), "birth_date"),
        ],
    )
    def test_given_a_broken_number_when_read_then_the_code_says_why(self, text: str, code: str) -> None:
        assert citizen_refusal(text).code == code

    @pytest.mark.parametrize("county", ["440199", "440106", "449999"])
    def test_given_a_county_that_does_not_exist_when_read_then_it_is_accepted(self, county: str) -> None:
        assert parse_citizen_id(a_number(county + "19600101001"), today=TODAY).region_code == county

    @given(people_numbers(st.sampled_from([*PROVINCES, "81", "82", "83", "91"])), st.integers(0, 17), st.integers(1, 9))
    def test_given_one_wrong_digit_when_read_then_the_check_digit_tells(
        self, number: str, place: int, shift: int
    ) -> None:
        digit = 10 if number[place] == "X" else int(number[place])
        wrong = number[:place] + str((digit + shift) % 10) + number[place + 1 :]
        assume(wrong != number)

        assert citizen_refusal(wrong).code == "checksum"

    @given(people_numbers(st.sampled_from(PROVINCES)), st.integers(0, 16))
    def test_given_two_neighbours_swapped_when_read_then_it_is_refused(self, number: str, place: int) -> None:
        assume(number[place] != number[place + 1])
        wrong = number[:place] + number[place + 1] + number[place] + number[place + 2 :]

        assert citizen_refusal(wrong).code in {"checksum", "characters"}

    @given(people_numbers(st.sampled_from(PROVINCES)))
    def test_given_a_number_that_we_accept_when_the_oracle_looks_then_its_check_digit_agrees(self, number: str) -> None:
        assert parse_citizen_id(number, today=TODAY).number[-1] == stdnum.cn.ric.calc_check_digit(number)

    @given(st.one_of(st.text(max_size=20), people_numbers(st.sampled_from(["00", "16", "91", "44"]))))
    def test_given_any_text_when_read_then_it_is_accepted_or_refused_without_being_shown(self, text: str) -> None:
        try:
            read = parse_citizen_id(text, today=TODAY)
        except InvalidIdentifier as refusal:
            shown = str(refusal) + repr(refusal)
        else:
            shown = repr(read)

        number = normalise_number(text)
        assert len(number) < 8 or number not in shown
        assert len(number) != 18 or number[6:14] not in shown

    def test_given_a_clock_for_today_when_read_then_the_callers_bug_shows(self) -> None:
        with pytest.raises(TypeError):
            parse_citizen_id("440106198001010019", today=datetime(2021, 6, 30, tzinfo=UTC))

    def test_given_a_refusal_when_it_travels_between_processes_then_it_arrives_whole(self) -> None:
        refusal = citizen_refusal("1")

        arrived = pickle.loads(pickle.dumps(refusal))

        assert (arrived.code, arrived.hint_zh, arrived.hint_en) == (refusal.code, refusal.hint_zh, refusal.hint_en)


class TestAges:
    @pytest.mark.parametrize(
        ("birth", "day", "age"),
        [
            (date(2000, 6, 30), date(2016, 6, 29), 15),
            (date(2000, 6, 30), date(2016, 6, 30), 16),
            (date(2000, 2, 29), date(2021, 2, 28), 20),
            (date(2000, 2, 29), date(2021, 3, 1), 21),
            (date(2000, 2, 29), date(2020, 2, 28), 19),
            (date(2000, 2, 29), date(2020, 2, 29), 20),
            (date(2000, 2, 29), date(2000, 2, 29), 0),
        ],
    )
    def test_given_a_birth_when_asked_on_a_day_then_birthdays_count_themselves(
        self, birth: date, day: date, age: int
    ) -> None:
        assert age_on(birth, day) == age

    def test_given_a_day_before_the_birth_when_asked_then_it_is_refused(self) -> None:
        with pytest.raises(ValueError, match="before the birth"):
            age_on(date(2000, 1, 2), date(2000, 1, 1))

    @given(BIRTHS, st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31)))
    def test_given_any_birth_when_a_day_passes_then_age_grows_by_a_year_at_most(self, birth: date, day: date) -> None:
        assume(birth < day)

        yesterday = day.fromordinal(day.toordinal() - 1)

        assert age_on(birth, day) - age_on(birth, yesterday) in (0, 1)


class TestCreditCodes:
    VALID = ("91350100M000100Y43", "91110000600037341L", "52440100MJX0000186", "N2440106MF00000132")

    @pytest.mark.parametrize("code", VALID)
    def test_given_a_valid_code_when_read_then_it_is_returned(self, code: str) -> None:
        assert parse_uscc(code) == code
        assert parse_uscc(f" {code.lower()}\u200b") == code

    @pytest.mark.parametrize("code", VALID)
    def test_given_one_wrong_character_when_read_then_it_is_refused(self, code: str) -> None:
        for place in range(18):
            for sign in USCC.replace(code[place], ""):
                wrong = code[:place] + sign + code[place + 1 :]
                assert refusal_of(parse_uscc, wrong).code in {"checksum", "region"}

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"),
            ("0" * 18, "all_zeros"),
            ("91110000600037341", "length"),
            ("911100006000373410L", "length"),
            ("9111OOOO600037341L", "characters"),
            ("9111000060003734lL", "checksum"),
            ("91A10000600037341L", "region"),
            ("91110000600037341M", "checksum"),
        ],
    )
    def test_given_a_broken_code_when_read_then_the_code_says_why(self, text: str, code: str) -> None:
        assert refusal_of(parse_uscc, text).code == code

    @given(st.text("0123456789", min_size=8, max_size=8), st.text("0123456789ABCDEFGH", min_size=9, max_size=9))
    def test_given_an_outer_check_that_fits_when_read_then_the_inner_one_decides(self, head: str, inner: str) -> None:
        body = head + inner
        code = body + stdnum.cn.uscc.calc_check_digit(body + "0")
        assume(set(code) != {"0"})
        total = sum(w * int(sign, 36) for w, sign in zip((3, 7, 9, 10, 5, 8, 4, 2), inner, strict=False))
        inner_fits = "0X987654321"[total % 11] == inner[8]

        if inner_fits:
            assert parse_uscc(code) == code
        else:
            assert refusal_of(parse_uscc, code).code == "organisation_checksum"


class TestMobiles:
    @pytest.mark.parametrize(
        "typed",
        [
            "13800000000",
            "+8613800000000",
            "+86 138-0000-0000",
            "0086 13800000000",
            "8613800000000",
            "＋８６１３８００００００００",
            "'138 0000 0000",
            "138‐0000‐0000",
        ],
    )
    def test_given_a_mobile_as_typed_when_read_then_eleven_digits_remain(self, typed: str) -> None:
        assert parse_mobile(typed) == "13800000000"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"),
            ("1380000000", "length"),
            ("138000000000", "length"),
            ("12800000000", "prefix"),
            ("23800000000", "prefix"),
            ("1380000000O", "characters"),
            ("13800000000.0", "characters"),
            ("+85261234567", "characters"),
            ("+86+8613800000000", "characters"),
        ],
    )
    def test_given_anything_else_when_read_then_the_code_says_why(self, text: str, code: str) -> None:
        assert refusal_of(parse_mobile, text).code == code


class TestRegions:
    @pytest.mark.parametrize(
        ("code", "level", "ancestors"),
        [
            ("000000", "nation", ()),
            ("440000", "province", ("000000",)),
            ("660000", "province", ("000000",)),
            ("440100", "city", ("440000", "000000")),
            ("441900", "city", ("440000", "000000")),
            ("442000", "city", ("440000", "000000")),
            ("440106", "county", ("440100", "440000", "000000")),
            ("429004", "county", ("429000", "420000", "000000")),
            ("110101", "county", ("110100", "110000", "000000")),
        ],
    )
    def test_given_a_code_when_asked_then_its_shape_tells_level_and_ancestors(
        self, code: str, level: str, ancestors: tuple[str, ...]
    ) -> None:
        assert parse_region_code(f" {code} ") == code
        assert region_level(code) == level
        assert region_ancestors(code) == ancestors

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"),
            ("44010", "length"),
            ("440106000000", "length"),
            ("44O106", "characters"),
            ("160000", "province"),
            ("830000", "province"),
            ("660100", "province"),
            ("000001", "province"),
            ("440006", "region_shape"),
            ("441901", "no_counties"),
            ("442001", "no_counties"),
        ],
    )
    def test_given_no_such_shape_when_read_then_the_code_says_why(self, text: str, code: str) -> None:
        assert refusal_of(parse_region_code, text).code == code
        assert refusal_of(region_level, text).code == code
        assert refusal_of(region_ancestors, text).code == code

    def test_given_our_region_table_when_read_then_it_is_whole_and_agrees_with_the_shapes(self) -> None:
        raw = (REFERENCE / "regions.csv").read_bytes()
        rows = {row["region_code"]: row for row in csv.DictReader(raw.decode().splitlines())}

        assert not raw.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in raw
        assert len(rows) == raw.count(b"\n") - 1
        for code, row in rows.items():
            assert region_level(code) == row["level"]
            assert [row["parent"]] == [*region_ancestors(code), ""][:1]
            assert row["parent"] in rows or code == "000000"
            assert row["name_zh"]
            assert row["name_en"]

    @pytest.mark.parametrize("table", ["national_targets_2021.csv", "guangdong_targets_2021.csv"])
    def test_given_a_table_of_targets_when_read_then_every_region_of_it_is_known(self, table: str) -> None:
        names = {row["region_code"]: row["name_zh"] for row in rows_of("regions.csv")}

        for row in rows_of(table):
            assert row["region"] in names[row["region_code"]]


def rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((REFERENCE / name).read_text(encoding="utf-8").splitlines()))


class TestVoucherCodes:
    def test_given_known_bytes_when_written_then_the_code_is_known(self) -> None:
        assert format_code(bytes(10)) == "0000-0000-0000-0000-0"
        assert format_code(bytes(9) + b"\x01") == "0000-0000-0000-0001-2"
        assert format_code(bytes.fromhex("00443214c74254b635cf")) == "0123-4567-89AB-CDEF-P"
        assert format_code(b"\xff" * 10) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ-M"

    @pytest.mark.parametrize("size", [0, 9, 11, 16])
    def test_given_another_number_of_bytes_when_written_then_it_is_refused(self, size: int) -> None:
        with pytest.raises(ValueError, match="10 bytes"):
            format_code(bytes(size))

    @given(st.binary(min_size=10, max_size=10))
    def test_given_a_code_when_read_back_as_people_type_it_then_it_is_the_same(self, random: bytes) -> None:
        shown = format_code(random)
        code = shown.replace("-", "")

        assert set(code) <= set(CROCKFORD)
        assert sum(CROCKFORD.index(sign) << 5 * place for place, sign in enumerate(reversed(code[:16]))) == (
            int.from_bytes(random, "big")
        )
        misread = code.replace("0", "o").replace("1", "l")
        for typed in (shown, shown.lower(), code, f" {shown.replace('-', ' ')}\n", shown.replace("-", "–"), misread):
            assert parse_code(typed) == code
        assert parse_code(code.replace("1", "I").replace("0", "O")) == code

    @given(st.binary(min_size=10, max_size=10))
    def test_given_any_one_wrong_symbol_when_read_then_it_is_caught(self, random: bytes) -> None:
        code = format_code(random).replace("-", "")

        for place in range(17):
            for sign in CROCKFORD.replace(code[place], ""):
                wrong = code[:place] + sign + code[place + 1 :]
                assert refusal_of(parse_code, wrong).code == "checksum"

    @given(st.binary(min_size=10, max_size=10))
    def test_given_any_two_symbols_swapped_when_read_then_it_is_caught(self, random: bytes) -> None:
        code = format_code(random).replace("-", "")

        for left in range(17):
            for right in range(left + 1, 17):
                if code[left] != code[right]:
                    signs = list(code)
                    signs[left], signs[right] = signs[right], signs[left]
                    assert refusal_of(parse_code, "".join(signs)).code == "checksum"

    def test_given_iso_7064_mod_37_36_when_used_instead_then_it_misses_a_swap_and_writes_the_letter_o(self) -> None:
        """Why the check symbol is not the ISO one (decision 0003)."""
        body = "3CD0000000000000"
        swapped = "3DC0000000000000"

        assert mod_37_36.calc_check_digit(body) == mod_37_36.calc_check_digit(swapped)
        assert check_symbol(body) != check_symbol(swapped)
        assert mod_37_36.calc_check_digit("0000000000000019") == "O"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "empty"),
            (" - ", "empty"),
            ("0000-0000-0000-0000", "length"),
            ("0000-0000-0000-0000-00", "length"),
            ("0000-0000-0000-000U-0", "characters"),
            ("0000-0000-0000-000*-0", "characters"),
            ("0000-0000-0000-0000-1", "checksum"),
        ],
    )
    def test_given_a_broken_code_when_read_then_the_code_says_why(self, text: str, code: str) -> None:
        assert refusal_of(parse_code, text).code == code

    def test_given_a_wrong_code_when_refused_then_the_secret_is_not_shown(self) -> None:
        refusal = refusal_of(parse_code, "0123-4567-89AB-CDEF-3")

        assert "0123" not in str(refusal) + repr(refusal)


def check_symbol(body: str) -> str:
    value = sum(CROCKFORD.index(sign) << 5 * place for place, sign in enumerate(reversed(body)))
    return format_code(value.to_bytes(10, "big"))[-1]


class TestNumbersInText:
    @pytest.mark.parametrize(
        "text",
        [
            "440199199001010017",
            "身份证440199199001010017的学员",
            "440199 19900101 0017",
            "440199-19900101-0017",
            "４４０１９９１９９００１０１００１７",
            "4401991990\u200b01010017",
            "id440199199001010017",
            "11010519491231002x",
            "13800000001",
            "电话：138 0000 0001。",
            "138–0000–0001",
            "+86 13800000001",
            "008613800000001",
            "user_13800000001",
        ],
    )
    def test_given_a_number_of_somebody_in_a_text_when_looked_for_then_found(self, text: str) -> None:
        assert carries_personal_number(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "扫错了，2021-06-30 13:45 重扫",
            "粤人社函〔2021〕101号",
            "440199199001010013",  # the check digit does not fit
            "440199199002300010",  # no such day
            "1440199199001010017",  # a digit more
            "12380000001",  # begins with 12
            "138000000011",
            "0755-12333",
            "a13800000001f",  # part of a digest
            "91110000600037341L",
            "第 139 期 2021-06-30",
        ],
    )
    def test_given_other_figures_when_looked_for_then_nobody_s_number(self, text: str) -> None:
        assert not carries_personal_number(text)

    @given(people_numbers(st.sampled_from(PROVINCES)), st.text("零 ，a-", max_size=5))
    def test_given_any_personal_number_within_words_when_looked_for_then_found(self, number: str, words: str) -> None:
        assert carries_personal_number(f"{words}{number}{words}")


class TestMasks:
    @pytest.mark.parametrize(
        ("number", "masked"),
        [
            ("11010519491231002X", "110***********002X"),
            ("11010519491231002x ", "110***********002X"),
            ("USA440185071501", "USA********1501"),
            ("1234567890", "**********"),
            ("", ""),
        ],
    )
    def test_given_a_number_when_masked_then_three_and_four_remain(self, number: str, masked: str) -> None:
        assert mask_number(number) == masked

    @pytest.mark.parametrize(
        ("mobile", "masked"),
        [("13800001234", "138****1234"), ("+86 138-0000-1234", "138****1234"), ("1234567", "*******")],
    )
    def test_given_a_mobile_when_masked_then_three_and_four_remain(self, mobile: str, masked: str) -> None:
        assert mask_mobile(mobile) == masked

    @pytest.mark.parametrize(
        ("name", "masked"),
        [
            ("张三", "张*"),
            ("张三丰", "张**"),
            ("欧阳娜娜", "欧阳**"),
            ("欧阳修", "欧阳*"),
            ("欧阳", "欧*"),
            ("张", "*"),
            ("阿依古丽•买买提", "阿***·***"),
            ("John Smith", "J*** *****"),
            ("", ""),
        ],
    )
    def test_given_a_name_when_masked_then_the_surname_remains(self, name: str, masked: str) -> None:
        assert mask_name(name) == masked

    @given(people_numbers(st.sampled_from(PROVINCES)))
    def test_given_any_personal_number_when_masked_then_birth_and_county_are_hidden(self, number: str) -> None:
        assert mask_number(number) == number[:3] + "***********" + number[14:]

    @given(st.text())
    def test_given_any_name_when_masked_then_two_characters_show_at_most(self, name: str) -> None:
        masked = mask_name(name)

        assert len(masked) == len(normalise_name(name))
        assert all(sign in "* ·" for sign in masked[2:])
