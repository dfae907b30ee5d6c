"""What is subsidised (培训项目 programme) and what is taught (课程 course)."""

from dataclasses import dataclass
from enum import StrEnum


class Payee(StrEnum):
    """To whom the money goes."""

    INSTITUTION = "institution"
    PERSON = "person"  # to the bank account of their social security card


@dataclass(frozen=True, slots=True)
class Programme:
    """A subsidised programme of a region. ``standard_fen``: the most that one trainee's training is paid.

    ``occupation`` (职业 code) and ``level`` (5 lowest … 1 highest) only where the programme is
    bound to them. ``payee``: to whom its subsidy goes.
    """

    programme_id: str
    region: str
    name_zh: str
    name_en: str
    programme_type: str
    standard_fen: int
    occupation: str | None = None
    level: int | None = None
    version: int = 1
    payee: Payee = Payee.INSTITUTION


@dataclass(frozen=True, slots=True)
class Course:
    """A programme as one institution teaches it; ``hours`` are class hours (学时).

    ``occupation`` and ``level`` are the programme's where it is bound to them; else the course may name its own.
    """

    course_id: str
    programme_id: str
    institution_id: str
    region: str
    name_zh: str
    name_en: str
    hours: int
    online: bool = False
    occupation: str | None = None
    level: int | None = None
    version: int = 1
