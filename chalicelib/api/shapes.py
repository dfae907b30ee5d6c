"""The forms that bodies, queries and answers share: strict in, exact out."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from chalicelib.domain.calendar import to_text
from chalicelib.domain.identifiers import carries_personal_number
from chalicelib.domain.money import MOST_FEN
from chalicelib.domain.outcomes import Done, Page


class Asked(BaseModel):
    """What comes in: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class Nothing(Asked):
    """No fields; those of what derives from it need not be there, so the body may be left out."""


class Shown(BaseModel):
    """What goes out, read off a domain object of the same fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True, defer_build=True)

    @classmethod
    def of(cls, noun: Any) -> Self:
        return cls.model_validate(noun)

    @classmethod
    def done(cls, done: Done[Any]) -> Done[Self]:
        return Done(cls.of(done.answer), hit=done.hit)

    @classmethod
    def page(cls, page: Page[Any]) -> Page[Self]:
        return Page(tuple(cls.of(item) for item in page.items), page.cursor)


def _text_that_reads(pattern: str, read: Callable[[str], Any]) -> BeforeValidator:
    wanted = re.compile(pattern)

    def check(value: object) -> Any:
        if isinstance(value, str) and wanted.fullmatch(value):
            return read(value)
        if isinstance(value, date):  # JSON has no dates: this one comes from a domain object, on its way out
            return value
        raise ValueError("form")

    return BeforeValidator(check)


Instant = Annotated[
    datetime,
    PlainSerializer(to_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2021-06-30T15:59:59.999Z"]}),
]
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)


def _day(text: str) -> date:
    """Nobody means other days, and the calendar's own last one has no end."""
    day = date.fromisoformat(text)
    if day < FIRST_DAY:
        raise PydanticCustomError("greater_than_equal", "too early", {"ge": FIRST_DAY.isoformat()})
    if day > LAST_DAY:
        raise PydanticCustomError("less_than_equal", "too late", {"le": LAST_DAY.isoformat()})
    return day


Day = Annotated[
    date,
    _text_that_reads(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", _day),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "description": f"from {FIRST_DAY} to {LAST_DAY}",
            "examples": ["2021-06-30"],
        }
    ),
]
"""A local date."""


def _nobodys(text: str) -> str:
    if carries_personal_number(text):
        raise PydanticCustomError("personal_number", "has a personal number in it")
    return text


NO_NUMBER = AfterValidator(_nobodys)
"""Texts of the sender's own are kept, shown and logged as they are: a personal number in one is refused."""

Identifier = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,80}$")]
RegionCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["440300"])]
# No control characters, line ends, zero-width or bidi marks: what is read is what is stored, and one name is one name.
_VISIBLE = r"^[^\x00-\x1F\x7F-\x9F\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]*$"
_Visible = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=_VISIBLE), NO_NUMBER]
Line = Annotated[_Visible, Field(max_length=100)]
"""One line of plain text, without the spaces around it."""
Reason = Annotated[_Visible, Field(max_length=200)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=_VISIBLE), NO_NUMBER]
"""A line that may be left empty."""
AmountFen = Annotated[int, Field(ge=0, le=MOST_FEN, description="fen")]
SignedFen = Annotated[int, Field(ge=-MOST_FEN, le=MOST_FEN, description="fen")]
Quantity = Annotated[int, Field(ge=1, le=100_000_000)]
Year = Annotated[int, Field(ge=2000, le=2100)]
Jws = Annotated[str, Field(min_length=20, max_length=8192, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]
PublicKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="raw Ed25519 public key, base64url")]

Limit = Annotated[
    int,
    _text_that_reads(r"[1-9][0-9]{0,2}", int),
    Field(ge=1, le=100),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
]
Cursor = Annotated[str, Field(min_length=1, max_length=2048, description="opaque; as the page before gave it")]


def exactly_one(asked: BaseModel, *names: str) -> None:
    """For a validator of a model: one of these fields, and only one, is there. ``told_as_one`` tells OpenAPI."""
    if sum(getattr(asked, name) is not None for name in names) != 1:
        raise PydanticCustomError("one_proof", "needs exactly one of {choices}", {"choices": ", ".join(names)})


def told_as_one(*names: str, **with_it: str) -> ConfigDict:
    """For the configuration of a model: ``exactly_one`` in words of JSON Schema, and what must come with one."""

    def only(chosen: str) -> dict[str, JsonValue]:
        others: dict[str, JsonValue] = {name: {"type": "null"} for name in names if name != chosen}
        needed = [chosen, *([with_it[chosen]] if chosen in with_it else [])]
        there: dict[str, JsonValue] = {name: {"type": "string"} for name in needed}
        return {"required": [*needed], "properties": there | others}

    return ConfigDict(json_schema_extra={"oneOf": [only(name) for name in names]})


class Listing(Asked):
    """Which page of a list."""

    limit: Limit = 50
    cursor: Cursor | None = None


class RegionListing(Listing):
    """A page of what a region has."""

    region: RegionCode
