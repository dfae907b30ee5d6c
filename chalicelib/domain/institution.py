"""Training institutions (培训机构) and their admission."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import AdmissionStepRefused, InstitutionNotAdmitted

MOST_ACTS = 20
"""Of the acts on an institution's admission, the last so many stand on its row."""


class Kind(StrEnum):
    TRAINING = "training"  # 培训机构
    SCHOOL = "school"  # 院校
    ENTERPRISE = "enterprise"  # 企业
    PLATFORM = "platform"  # 线上平台
    ASSESSMENT = "assessment"  # 评价机构


class Admission(StrEnum):
    CANDIDATE = "candidate"
    ADMITTED = "admitted"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an institution may do in a state of its admission; what it did before stays as it is, in every state.

    ``redeems``: use vouchers, be told of one that is shown whether it could be used, claim by a card. ``teaches``: have
    new courses recorded. A mis-scan of before may be reversed in every state: that is in the holder's favour.
    """

    redeems: bool
    teaches: bool


# Source: domain.md §1 (admitted, suspended, withdrawn: 准入、暂停、退出机制). A candidate is judged by the courses that
# it means to teach, so they are recorded before it is admitted.
MEANS: Mapping[Admission, Meaning] = {
    Admission.CANDIDATE: Meaning(redeems=False, teaches=True),
    Admission.ADMITTED: Meaning(redeems=True, teaches=True),
    Admission.SUSPENDED: Meaning(redeems=False, teaches=False),
    Admission.WITHDRAWN: Meaning(redeems=False, teaches=False),
}


class AdmissionStep(StrEnum):
    ADMIT = "admit"
    SUSPEND = "suspend"
    READMIT = "readmit"
    WITHDRAW = "withdraw"
    REAPPLY = "reapply"


# Each step: from which states, to which.
STEPS: Mapping[AdmissionStep, tuple[frozenset[Admission], Admission]] = {
    AdmissionStep.ADMIT: (frozenset({Admission.CANDIDATE}), Admission.ADMITTED),
    AdmissionStep.SUSPEND: (frozenset({Admission.ADMITTED}), Admission.SUSPENDED),
    AdmissionStep.READMIT: (frozenset({Admission.SUSPENDED}), Admission.ADMITTED),
    AdmissionStep.WITHDRAW: (
        frozenset({Admission.CANDIDATE, Admission.ADMITTED, Admission.SUSPENDED}),
        Admission.WITHDRAWN,
    ),
    AdmissionStep.REAPPLY: (frozenset({Admission.WITHDRAWN}), Admission.CANDIDATE),
}


@dataclass(frozen=True, slots=True)
class AdmissionAct:
    """One act on an institution's admission: what it became, when, by whose hand and why."""

    state: Admission
    at: datetime
    operator_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution; ``institution_id`` is its unified social credit code (GB 32100).

    ``latitude``/``longitude`` are decimal degrees as text in ``datum`` (wgs84, gcj02, bd09), kept as they were given.
    ``acts``: the last acts on its admission, the oldest first.
    """

    institution_id: str
    region: str
    name_zh: str
    name_en: str
    kind: Kind
    latitude: str
    longitude: str
    datum: str
    admission: Admission = Admission.ADMITTED
    version: int = 1
    acts: tuple[AdmissionAct, ...] = ()


def take_step(
    institution: Institution, step: AdmissionStep, *, reason: str | None, operator_id: str | None, now: datetime
) -> Institution:
    """Raises AdmissionStepRefused: the step does not begin where the institution stands."""
    begins, ends = STEPS[step]
    if institution.admission not in begins:
        raise AdmissionStepRefused(state=institution.admission)
    act = AdmissionAct(ends, now, operator_id, reason)
    acts = (*institution.acts, act)[-MOST_ACTS:]
    return replace(institution, admission=ends, version=institution.version + 1, acts=acts)


def must_redeem(institution: Institution) -> None:
    """Raises InstitutionNotAdmitted."""
    if not MEANS[institution.admission].redeems:
        raise InstitutionNotAdmitted(state=institution.admission)


def is_paid(institution: Institution) -> bool:
    """A withdrawn institution's applications stand still, until it is admitted anew: who applies for that is a
    candidate, and has nothing to be paid unless it was withdrawn before. Source: domain.md §1."""
    return institution.admission in (Admission.ADMITTED, Admission.SUSPENDED)


def must_be_paid(institution: Institution) -> None:
    """Raises InstitutionNotAdmitted."""
    if not is_paid(institution):
        raise InstitutionNotAdmitted(state=institution.admission)


def must_teach(institution: Institution) -> None:
    """Raises InstitutionNotAdmitted."""
    if not MEANS[institution.admission].teaches:
        raise InstitutionNotAdmitted(state=institution.admission)
