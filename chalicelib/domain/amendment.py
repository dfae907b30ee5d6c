"""Amendments: published terms change in the holders' favour only (typhoon, epidemic). domain.md §3.

What a person was promised is never taken back: validity and claim window only grow longer, courses and institutions
only more. Anything else is another promise: close the template and issue anew.
"""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime

from chalicelib.domain.errors import Invalid, NotInFavour, TemplateStateRefused
from chalicelib.domain.template import Template, TemplateState, Terms

MOST_AMENDMENTS = 20
"""Each one is an entry in the history of every voucher that is held: a row must have room for them."""
MOST_PLACES = 400


@dataclass(frozen=True, slots=True)
class Changes:
    """What an amendment asks for. Dates are local and inclusive; None: as it is."""

    valid_until: date | None = None
    claim_until: date | None = None
    add_courses: tuple[str, ...] = ()
    add_institutions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Amendment:
    """One amendment of a template: what it changed, why, by whom, and how far it has come.

    ``moved``: vouchers that the job has brought to the new terms; those that took a step of their own first brought
    themselves. ``finished_at``: a whole look found none left behind.
    """

    template_id: str
    number: int
    reason: str
    valid_until: date | None
    claim_until: date | None
    add_courses: tuple[str, ...]
    add_institutions: tuple[str, ...]
    made_at: datetime
    operator_id: str | None
    moved: int = 0
    finished_at: datetime | None = None
    version: int = 1

    @property
    def terms_version(self) -> int:
        return terms_version_of(self.number)


@dataclass(frozen=True, slots=True)
class Errand:
    """What the job of an amendment is told: which one, and how far it has come.

    ``look`` counts from 0; ``found``: whether this look has found anybody behind, ``failed``: somebody who could not be
    brought to the new terms; ``day``, ``lane``: where it goes on.
    It names nobody, so it may come twice or late: whatever it says, the rows decide.
    """

    template_id: str
    number: int
    look: int = 0
    found: bool = False
    day: date | None = None
    lane: int = 0
    failed: bool = False

    def text(self) -> str:
        """As it stands in a message."""
        day = self.day.isoformat() if self.day else None
        said = {"template_id": self.template_id, "number": self.number, "look": self.look, "found": self.found}
        return json.dumps(said | {"day": day, "lane": self.lane, "failed": self.failed})

    @staticmethod
    def read(text: str) -> "Errand":
        """Raises ValueError, KeyError for what is none of ours."""
        said = json.loads(text)
        day = date.fromisoformat(said["day"]) if said["day"] else None
        return Errand(
            str(said["template_id"]),
            int(said["number"]),
            int(said["look"]),
            bool(said["found"]),
            day,
            int(said["lane"]),
            bool(said.get("failed", False)),
        )


def terms_version_of(number: int) -> int:
    """The terms that an amendment made: the first terms are nobody's amendment."""
    return number + 1


def amend_template(template: Template) -> Template:
    """The head moves to the next terms; its shards follow by the gate. Raises TemplateStateRefused."""
    if template.state is TemplateState.DRAFT or template.published_at is None:
        raise TemplateStateRefused(state=template.state)
    return replace(
        template,
        terms_version=template.terms_version + 1,
        gate=template.gate + 1,
        version=template.version + 1,
    )


def amend_terms(template: Template, terms: Terms, changes: Changes, reason: str, *, today: date) -> Terms:
    """The next version of the terms. Raises Invalid, TemplateStateRefused, NotInFavour."""
    if changes == Changes():
        raise Invalid(pointer="", reason="an amendment changes something")
    if terms.version > MOST_AMENDMENTS:
        raise NotInFavour(what="amendments", reason="too_often")
    if changes.claim_until is not None and template.state is TemplateState.CLOSED:
        raise TemplateStateRefused(state=template.state)
    after = replace(
        terms,
        version=terms.version + 1,
        reason=reason,
        valid_until=_later("valid_until", terms.valid_until, changes.valid_until, today),
        claim_until=_later("claim_until", terms.claim_until, changes.claim_until, today),
        courses=_more("add_courses", terms.courses, changes.add_courses),
        institutions=_more("add_institutions", terms.institutions, changes.add_institutions),
    )
    if after.claim_until > after.valid_until:
        raise Invalid(pointer="/claim_until", reason="nobody can claim a voucher that is no longer valid")
    return after


def _later(what: str, before: date, wished: date | None, today: date) -> date:
    if wished is None:
        return before
    if wished <= before:
        raise NotInFavour(what=what, reason="not_later")
    if wished < today:
        raise Invalid(
            pointer=f"/{what}",
            reason=f"{wished} is over already; it must be today ({today}) or later",
            reason_zh=f"{wished} 已过，不能早于今天（{today}）",
        )
    return wished


def _more(what: str, before: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    if not added:
        return before
    if not before:
        raise NotInFavour(what=what, reason="any_already")
    new = tuple(one for one in dict.fromkeys(added) if one not in before)
    if not new:
        raise NotInFavour(what=what, reason="there_already")
    if len(before) + len(new) > MOST_PLACES:
        raise NotInFavour(what=what, reason="too_often")
    return before + new
