"""Training institutions (培训机构) and their admission."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.errors import InstitutionNotAdmitted


class Kind(StrEnum):
    TRAINING = "training"  # 培训机构
    SCHOOL = "school"  # 院校
    ENTERPRISE = "enterprise"  # 企业
    PLATFORM = "platform"  # 线上平台
    ASSESSMENT = "assessment"  # 评价机构


class Admission(StrEnum):
    ADMITTED = "admitted"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution; ``institution_id`` is its unified social credit code (GB 32100).

    ``latitude``/``longitude`` are decimal degrees as text in ``datum`` (wgs84, gcj02, bd09), kept as they were given.
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


def must_be_admitted(institution: Institution) -> None:
    """Raises InstitutionNotAdmitted."""
    if institution.admission is not Admission.ADMITTED:
        raise InstitutionNotAdmitted()
