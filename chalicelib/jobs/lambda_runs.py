"""What every job has to do with Lambda: the time that is left, and when to give up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

# Sooner than the queue would bring a message of a failed run again.
SHORT_REST = timedelta(seconds=30)


class Context(Protocol):
    """Lambda's context, as far as a job looks at it."""

    def get_remaining_time_in_millis(self) -> int: ...


class GivenUp(Exception):
    """So many runs in a row came to nothing: the message goes to the dead letters, and an alarm rings."""


def has_time(context: Context, reserve_milliseconds: int) -> Callable[[], bool]:
    """Whether a run may go on, asked again and again: so much time is kept for what is in flight and for the log."""
    return lambda: context.get_remaining_time_in_millis() > reserve_milliseconds
