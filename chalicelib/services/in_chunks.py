"""Work off something large chunk by chunk, beside other runs: each chunk is one transaction that moves its head on."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from chalicelib.domain.errors import Contended
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.services.once import TRIES


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


T = TypeVar("T")
Head = TypeVar("Head", bound=_Versioned)


def in_chunks(
    head: Head,
    has_more: Callable[[Head], bool],
    do_chunk: Callable[[Head, datetime], Head],
    reread: Callable[[Head], Head],
    *,
    moment: Callable[[], datetime],
    may_go_on: Callable[[], bool],
) -> Head:
    """The head after the last chunk, or when ``may_go_on``, which is asked before each, says no. A chunk that another
    run has overtaken is judged again from the head as it is by then. Raises Contended when that happens all the time.
    """
    stuck = 0
    while has_more(head) and may_go_on():
        try:
            head = unless_moved(head, reread, partial(do_chunk, head, moment()))
            stuck = 0
        except (StaleRow, WriteConflict):
            stuck += 1
            if stuck > TRIES:
                raise Contended() from None
            head = reread(head)
    return head


def unless_moved(head: Head, reread: Callable[[Head], Head], act: Callable[[], T]) -> T:
    """Lines, vouchers and accounts are read one after the other: where another run wrote in between, what does not fit
    together is no fault. The head tells, since each change brings it forward. Raises StaleRow."""
    try:
        return act()
    except AssertionError:
        if reread(head).version != head.version:
            raise StaleRow from None
        raise
