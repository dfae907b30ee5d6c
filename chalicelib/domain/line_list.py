"""The lines of an application as they are delivered to whoever reviews and pays elsewhere: usage and evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.domain.application import Application, Line


@dataclass(frozen=True, slots=True)
class LineList:
    """``lines`` hold masked names and no numbers. ``institution``, ``course``, ``class_name``: as they are called."""

    application: Application
    institution: str
    course: str
    class_name: str
    lines: Sequence[Line] = field(repr=False)
