"""What comes out of a step or a write: answers, pages, marks, and the signals of a store.

A signal is no refusal: it tells a service of something about which it can still do something.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from chalicelib.domain.application import Line
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.eligibility import Enlisted
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.person import Person
from chalicelib.domain.template import Shard
from chalicelib.domain.voucher import Voucher

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identified:
    """What a number leads to: the person, if we met them, and the eligible-population lists that name it; and the
    relative who acts for them, if that was asked too."""

    person_id: str | None
    lists: tuple[Enlisted, ...] = ()
    proxy_id: str | None = None


class RequestSeen(Exception):
    """This very request has already been carried out; its answer stands in the mark."""


class StaleRow(Exception):
    """A row changed between our read and our write; read again and judge again."""


class VoucherExists(Exception):
    """The person has a voucher of this template by now."""


class IdentityTaken(Exception):
    """A number leads to somebody by now."""


class ShardRefused(Exception):
    """The shard's conditions did not hold; ``shard`` is the row as it was (None: there is no such shard)."""

    def __init__(self, shard: Shard | None) -> None:
        super().__init__()
        self.shard = shard


class WriteConflict(Exception):
    """Others were writing the same rows; nothing happened, and trying again is right."""


@dataclass(frozen=True, slots=True)
class NewVoucher:
    """What making a voucher writes beside its shard. ``identity_keys``: of a person who is new; ``linked``: records
    that were merged with this one: they are still as they were read, and have no such voucher."""

    voucher: Voucher
    person: Person
    identity_keys: Sequence[str] = ()
    linked: Sequence[Person] = ()

    @property
    def actions(self) -> int:
        """How many of a transaction's hundred it takes."""
        return 2 + len(self.identity_keys) + 2 * len(self.linked)


@dataclass(frozen=True, slots=True)
class Enrolling:
    """What putting somebody on a class writes beside the class: their record is one step further, and the voucher is
    as it was read. ``is_new``: they were never on it."""

    enrolment: Enrolment
    person: Person
    voucher: Voucher
    is_new: bool


@dataclass(frozen=True, slots=True)
class LineStep:
    """A line as it is from now on, with the step of its voucher and the holder who must be as they were read."""

    line: Line
    voucher: tuple[Voucher, Voucher] | None = None
    holder: Person | None = None

    @property
    def actions(self) -> int:
        """How many of a transaction's hundred it takes, beside shards."""
        return 1 + (self.voucher is not None) + (self.holder is not None)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The answer of a changing step; ``hit`` when it was given before and is only repeated."""

    answer: T
    hit: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list and the opaque cursor of the next one."""

    items: tuple[T, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Goes into the transaction of a step that keeps no history of its own; ``answer`` is any domain dataclass."""

    attempt: Attempt
    answer: object
    made_at: datetime
