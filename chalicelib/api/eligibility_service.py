"""The region's own service that says who is eligible: where it is, its secret, and a trial of it."""

from datetime import timedelta
from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.eligibility import IdNumber
from chalicelib.api.shapes import Asked, Instant, Nothing, RegionCode, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.eligibility_service import LATEST_START, MOST_REMEMBERED
from chalicelib.domain.errors import (
    ConcurrentChange,
    EligibilityServiceDisabled,
    EligibilityServiceNotFound,
    EligibilityServiceUnavailable,
    Invalid,
    OutOfScope,
    RegionNotFound,
)
from chalicelib.domain.identifiers import IdType
from chalicelib.domain.outcomes import Done
from chalicelib.services import deciding_eligibility_service as deciding
from chalicelib.services.deciding_eligibility_service import DecidedService

routes = Blueprint(__name__)

Url = Annotated[
    str,
    Field(
        min_length=10,
        max_length=500,
        pattern=r"^https?://[!-~]+$",
        description="https, a public host, a plain path, no query",
        examples=["https://eligibility.example/v1/eligibility"],
    ),
]


class ServiceRequest(Asked):
    """``remember_seconds``: for how long an answer about one person and template may be remembered; 0: not at all."""

    url: Url
    remember_seconds: Annotated[int, Field(ge=0, le=MOST_REMEMBERED)] = 0


class RotationRequest(Asked):
    """When the new secret begins to sign: time to bring it to the service, which knows both until then."""

    starts_in_seconds: Annotated[int, Field(ge=0, le=int(LATEST_START.total_seconds()))] = 3600


class TrialRequest(Asked):
    """Somebody invented, please: the region's service is really asked."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["测试甲"])]
    id_type: IdType
    id_number: IdNumber


class ServiceSecretAnswer(Shown):
    """What may be known of a secret; the secret itself is never shown again."""

    key_id: str
    made_at: Instant
    signs_from: Instant


class ServiceAnswer(Shown):
    """``secrets``: the one that signs, and perhaps one that will."""

    region: RegionCode
    url: str
    remember_seconds: int
    secrets: tuple[ServiceSecretAnswer, ...]
    decided_at: Instant
    decided_by: str | None
    disabled_at: Instant | None
    version: int


class DecidedServiceAnswer(Shown):
    """``secret`` is shown this one time, where one was made; a repeated request gets the same answer with null."""

    service: ServiceAnswer
    key_id: str
    secret: str | None

    @classmethod
    def of(cls, noun: Any) -> Self:
        decided: DecidedService = noun
        return cls(service=ServiceAnswer.of(decided.service), key_id=decided.key_id, secret=decided.secret)


class TrialAnswer(Shown):
    """What the service answered. The reasons are its own words; empty where it gave none."""

    eligible: bool
    reason_zh: str
    reason_en: str
    url: str
    key_id: str


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligibility-service",
    act=Act.MANAGE_CATALOGUE,
    tag="eligibility",
    zh="设置身份核验服务",
    en="Decide the region's eligibility service",
    errors=(Invalid, OutOfScope, RegionNotFound, ConcurrentChange),
)
def post_service(call: Call[ServiceRequest, Nothing], code: str) -> Done[DecidedServiceAnswer]:
    p, asked = call.platform, call.body
    done = deciding.decide_service(
        p.catalogue, p.keys.eligibility_services, p.marks, p.keys.sealer, p.chance, code, asked.url,
        asked.remember_seconds, **call.acting,
    )  # fmt: skip
    return DecidedServiceAnswer.done(done)


@answers(
    routes,
    "GET",
    "/v1/regions/{code}/eligibility-service",
    act=Act.READ_ACCESS,
    tag="eligibility",
    zh="查询身份核验服务",
    en="The region's eligibility service",
    errors=(OutOfScope, RegionNotFound, EligibilityServiceNotFound),
)
def get_service(call: Plain, code: str) -> ServiceAnswer:
    return ServiceAnswer.of(deciding.find_service(call.platform.catalogue, code, call.actor))


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligibility-service/rotation",
    act=Act.MANAGE_CATALOGUE,
    tag="eligibility",
    zh="轮换身份核验服务密钥",
    en="Rotate the service's secret",
    errors=(
        OutOfScope, RegionNotFound, EligibilityServiceNotFound, EligibilityServiceDisabled, ConcurrentChange,
    ),
)  # fmt: skip
def post_rotation(call: Call[RotationRequest, Nothing], code: str) -> Done[DecidedServiceAnswer]:
    p, starts_in = call.platform, timedelta(seconds=call.body.starts_in_seconds)
    done = deciding.rotate_service_secret(p.catalogue, p.marks, p.keys.sealer, p.chance, code, starts_in, **call.acting)
    return DecidedServiceAnswer.done(done)


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligibility-service/disable",
    act=Act.MANAGE_CATALOGUE,
    tag="eligibility",
    zh="停用身份核验服务",
    en="Ask the service no more",
    errors=(OutOfScope, RegionNotFound, EligibilityServiceNotFound, ConcurrentChange),
)
def disable_service(call: Plain, code: str) -> Done[ServiceAnswer]:
    p = call.platform
    return ServiceAnswer.done(deciding.disable_service(p.catalogue, p.marks, code, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/regions/{code}/eligibility-service/trial",
    act=Act.MANAGE_CATALOGUE,
    changes=False,
    tag="eligibility",
    zh="试问身份核验服务",
    en="Ask the service about somebody invented",
    errors=(
        Invalid, OutOfScope, RegionNotFound, EligibilityServiceNotFound, EligibilityServiceDisabled,
        EligibilityServiceUnavailable,
    ),
)  # fmt: skip
def post_trial(call: Call[TrialRequest, Nothing], code: str) -> TrialAnswer:
    p, asked = call.platform, call.body
    trial = deciding.try_service(
        p.catalogue, p.keys.eligibility_services, code, name=asked.name, id_type=asked.id_type,
        id_number=asked.id_number, actor=call.actor, now=call.now,
    )  # fmt: skip
    return TrialAnswer(
        eligible=trial.verdict.eligible,
        reason_zh=trial.verdict.reason_zh,
        reason_en=trial.verdict.reason_en,
        url=trial.service.url,
        key_id=trial.key_id,
    )
