"""Clients (systems that call us), operators (people who act through them), and what each may do. domain.md §2."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import (
    ClientDisabled,
    DutyRequired,
    Forbidden,
    Invalid,
    OperatorNotAccepted,
    OperatorRequired,
    OutOfScope,
)
from chalicelib.domain.region import within
from chalicelib.domain.staff import StaffMember


class Role(StrEnum):
    CHANNEL = "channel"
    INSTITUTION = "institution"
    COUNTY = "county"
    CITY = "city"
    PROVINCE = "province"
    MINISTRY = "ministry"
    AUDITOR = "auditor"


class Act(StrEnum):
    """One word for each thing that a client may be allowed to do."""

    READ_CATALOGUE = "read_catalogue"
    MANAGE_CATALOGUE = "manage_catalogue"
    MANAGE_ACCESS = "manage_access"
    READ_ACCESS = "read_access"
    MANAGE_MONEY = "manage_money"
    READ_MONEY = "read_money"
    MANAGE_TEMPLATES = "manage_templates"
    SERVE_HOLDER = "serve_holder"
    VERIFY = "verify"
    REDEEM = "redeem"
    READ_VOUCHERS = "read_vouchers"
    REVOKE = "revoke"
    ISSUE = "issue"
    SUBMIT_ROSTERS = "submit_rosters"
    READ_ROSTERS = "read_rosters"
    READ_PEOPLE = "read_people"
    SEE_IDENTITY = "see_identity"
    READ_DISCLOSURES = "read_disclosures"
    CORRECT_PEOPLE = "correct_people"
    MERGE_PEOPLE = "merge_people"
    CLAIM = "claim"
    MANAGE_STAFF = "manage_staff"
    READ_STAFF = "read_staff"
    MANAGE_TERMINALS = "manage_terminals"
    MANAGE_CLASSES = "manage_classes"
    READ_CLASSES = "read_classes"
    TAKE_ATTENDANCE = "take_attendance"
    RELEASE_WORDS = "release_words"
    APPLY = "apply"
    READ_APPLICATIONS = "read_applications"
    REVIEW = "review"
    PAY = "pay"
    SETTLE_OUTSIDE = "settle_outside"
    CLAW_BACK = "claw_back"
    ENTER_OBJECTIONS = "enter_objections"
    READ_PUBLICITY = "read_publicity"
    PROPOSE_ACCOUNT = "propose_account"
    CONFIRM_ACCOUNT = "confirm_account"


class Duty(StrEnum):
    """What an operator is charged with (岗位); one may have several, but whoever audits has no other."""

    CLERK = "clerk"
    REVIEWER = "reviewer"
    PAYER = "payer"
    FINANCE = "finance"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


DUTY_ZH = {
    Duty.CLERK: "经办",
    Duty.REVIEWER: "审核",
    Duty.PAYER: "拨付",
    Duty.FINANCE: "财务",
    Duty.AUDITOR: "审计",
    Duty.ADMINISTRATOR: "管理员",
}

AUTHORITIES = frozenset({Role.COUNTY, Role.CITY, Role.PROVINCE, Role.MINISTRY})
_READING = {
    Act.READ_CATALOGUE,
    Act.READ_MONEY,
    Act.READ_VOUCHERS,
    Act.READ_ACCESS,
    Act.READ_PEOPLE,
    Act.SEE_IDENTITY,
    Act.READ_DISCLOSURES,
    Act.READ_STAFF,
    Act.READ_ROSTERS,
    Act.READ_CLASSES,
    Act.READ_APPLICATIONS,
    Act.READ_PUBLICITY,
}
_AUTHORITY = _READING | {
    Act.MANAGE_CATALOGUE,
    Act.MANAGE_TEMPLATES,
    Act.REVOKE,
    Act.ISSUE,
    Act.SUBMIT_ROSTERS,
    Act.CORRECT_PEOPLE,
    Act.MERGE_PEOPLE,
    Act.MANAGE_STAFF,
    Act.MANAGE_TERMINALS,
    Act.RELEASE_WORDS,
    Act.REVIEW,
    Act.PAY,
    Act.SETTLE_OUTSIDE,
    Act.CLAW_BACK,
    Act.ENTER_OBJECTIONS,
    Act.PROPOSE_ACCOUNT,
    Act.CONFIRM_ACCOUNT,
}
_ACTS: dict[Role, set[Act]] = {
    Role.CHANNEL: {Act.READ_CATALOGUE, Act.SERVE_HOLDER, Act.CLAIM, Act.READ_PUBLICITY},
    # An institution claims for whoever puts their card on its terminal, and for nobody else.
    Role.INSTITUTION: {
        Act.READ_CATALOGUE,
        Act.VERIFY,
        Act.REDEEM,
        Act.READ_VOUCHERS,
        Act.CLAIM,
        Act.MANAGE_STAFF,
        Act.READ_STAFF,
        Act.SUBMIT_ROSTERS,
        Act.READ_ROSTERS,
        Act.MANAGE_CLASSES,
        Act.READ_CLASSES,
        Act.TAKE_ATTENDANCE,
        Act.APPLY,
        Act.READ_APPLICATIONS,
        Act.PROPOSE_ACCOUNT,
    },
    Role.COUNTY: _AUTHORITY,
    Role.CITY: _AUTHORITY | {Act.MANAGE_MONEY, Act.MANAGE_ACCESS},
    Role.PROVINCE: _AUTHORITY | {Act.MANAGE_MONEY, Act.MANAGE_ACCESS},
    Role.MINISTRY: _AUTHORITY | {Act.MANAGE_MONEY, Act.MANAGE_ACCESS},
    Role.AUDITOR: _READING,
}
# Acts that a person answers for: they carry an operator's own signature, and the operator has one of these duties.
DUTIES: Mapping[Act, tuple[Duty, ...]] = {
    Act.MANAGE_CATALOGUE: (Duty.CLERK, Duty.ADMINISTRATOR),
    Act.MANAGE_ACCESS: (Duty.ADMINISTRATOR,),
    Act.MANAGE_MONEY: (Duty.FINANCE, Duty.ADMINISTRATOR),
    Act.MANAGE_TEMPLATES: (Duty.CLERK,),
    Act.REDEEM: (Duty.CLERK,),
    Act.REVOKE: (Duty.CLERK, Duty.REVIEWER),
    Act.ISSUE: (Duty.CLERK,),
    # A payer those of what a bank answered, and no others.
    Act.SUBMIT_ROSTERS: (Duty.CLERK, Duty.PAYER),
    # A result has people's names and numbers in it, so somebody answers for having looked.
    Act.READ_ROSTERS: (Duty.CLERK, Duty.REVIEWER, Duty.PAYER, Duty.AUDITOR),
    Act.READ_PEOPLE: (Duty.CLERK, Duty.REVIEWER, Duty.AUDITOR, Duty.ADMINISTRATOR),
    Act.SEE_IDENTITY: (Duty.CLERK, Duty.REVIEWER, Duty.AUDITOR),
    Act.READ_DISCLOSURES: (Duty.AUDITOR, Duty.ADMINISTRATOR),
    Act.CORRECT_PEOPLE: (Duty.CLERK, Duty.REVIEWER),
    Act.MERGE_PEOPLE: (Duty.CLERK, Duty.REVIEWER),
    Act.MANAGE_CLASSES: (Duty.CLERK,),
    Act.READ_CLASSES: (Duty.CLERK, Duty.REVIEWER, Duty.AUDITOR),
    Act.TAKE_ATTENDANCE: (Duty.CLERK,),
    Act.RELEASE_WORDS: (Duty.CLERK, Duty.REVIEWER),
    Act.APPLY: (Duty.CLERK,),
    Act.READ_APPLICATIONS: (Duty.CLERK, Duty.REVIEWER, Duty.PAYER, Duty.FINANCE, Duty.AUDITOR),
    Act.REVIEW: (Duty.REVIEWER,),
    Act.PAY: (Duty.PAYER,),
    Act.SETTLE_OUTSIDE: (Duty.CLERK, Duty.PAYER, Duty.FINANCE),
    Act.CLAW_BACK: (Duty.REVIEWER, Duty.FINANCE),
    Act.ENTER_OBJECTIONS: (Duty.CLERK,),
    Act.PROPOSE_ACCOUNT: (Duty.CLERK, Duty.PAYER, Duty.FINANCE),
    Act.CONFIRM_ACCOUNT: (Duty.PAYER, Duty.FINANCE),
    Act.MANAGE_STAFF: (Duty.CLERK, Duty.ADMINISTRATOR),
    # Whoever holds a terminal's key vouches for people: an institution does not hand such keys to itself.
    Act.MANAGE_TERMINALS: (Duty.CLERK, Duty.ADMINISTRATOR),
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A client's signing secret, sealed. ``ends_at`` is set when a newer one was made (overlap)."""

    secret_id: str
    sealed: str
    made_at: datetime
    ends_at: datetime | None = None


MOST_REGIONS = 90
"""Of one client: it is written in one transaction with a row for each."""


@dataclass(frozen=True, slots=True)
class Client:
    """A system that signs requests. Scope: ``regions`` (each with all below it) and, for institutions, their ids."""

    app_key: str
    name: str
    role: Role
    regions: tuple[str, ...]
    institutions: tuple[str, ...]
    secrets: tuple[Secret, ...]
    made_at: datetime
    disabled_at: datetime | None = None
    version: int = 1
    requests_per_second: int = 100


@dataclass(frozen=True, slots=True)
class Operator:
    """A person acting for an authority's region or for an institution; signs with a key of their own.

    ``public_key`` is a raw Ed25519 key, base64url. ``name`` is kept masked. Who was registered before there were
    duties did everything that an administrator and a clerk do.
    """

    operator_id: str
    name: str
    public_key: str
    region: str
    institution_id: str | None
    made_at: datetime
    disabled_at: datetime | None = None
    version: int = 1
    duties: tuple[Duty, ...] = (Duty.ADMINISTRATOR, Duty.CLERK)


@dataclass(frozen=True, slots=True)
class AssertionKey:
    """A public key of the e-SSC platform; several overlap while it rotates. Raw Ed25519, base64url."""

    kid: str
    public_key: str
    made_at: datetime
    disabled_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the client, and the operator where one signed, or the member of staff who scans through a channel."""

    client: Client
    operator: Operator | None = None
    staff: StaffMember | None = None

    @property
    def app_key(self) -> str:
        return self.client.app_key

    @property
    def operator_id(self) -> str | None:
        if self.staff:
            return self.staff.staff_id
        return self.operator.operator_id if self.operator else None

    @property
    def institutions(self) -> tuple[str, ...]:
        """Those that it acts for: of its client's that of the operator, where one signs."""
        if self.staff:
            return (self.staff.institution_id,)
        own = self.operator.institution_id if self.operator else None
        return (own,) if own in self.client.institutions else self.client.institutions


def may(actor: Actor, act: Act) -> None:
    """Check the role and, for acts that a person answers for, the operator and the operator's duties.

    Raises Forbidden, OperatorRequired, DutyRequired.
    """
    if act not in _ACTS[actor.client.role]:
        raise Forbidden()
    if act not in DUTIES:
        return
    must_have_duty(actor, *DUTIES[act])


def must_have_duty(actor: Actor, *needed: Duty) -> None:
    """Check that the operator has one of these duties. Raises OperatorRequired, DutyRequired."""
    if actor.operator is None:
        raise OperatorRequired()
    if set(needed).isdisjoint(actor.operator.duties):
        raise DutyRequired(duties=", ".join(needed), duties_zh="、".join(DUTY_ZH[duty] for duty in needed))


def needs_operator(act: Act) -> bool:
    """Whether the act carries an operator's signature."""
    return act in DUTIES


def check_duties(duties: tuple[Duty, ...]) -> None:
    """Whoever audits changes nothing, so an auditor has no other duty. Raises Invalid."""
    if len(set(duties)) < len(duties):
        raise Invalid(pointer="/duties", reason="a duty is named twice")
    if Duty.AUDITOR in duties and len(duties) > 1:
        raise Invalid(pointer="/duties", reason="an auditor has no other duty")


def must_cover(actor: Actor, region: str) -> None:
    """Check that the client's scope, and the operator's, hold the region. Raises OutOfScope."""
    if not within(region, actor.client.regions):
        raise OutOfScope()
    if actor.operator and actor.operator.institution_id is None and not within(region, (actor.operator.region,)):
        raise OutOfScope()


def covers(actor: Actor, region: str) -> bool:
    """Whether the client's scope holds the region."""
    return within(region, actor.client.regions)


def reaches(actor: Actor, region: str) -> bool:
    """Whether the client's scope holds the region, and the operator's too: where one signs, it is the narrower one."""
    try:
        must_cover(actor, region)
    except OutOfScope:
        return False
    return True


def must_act_for(actor: Actor, institution_id: str) -> None:
    """Check that client and operator, or the member of staff, act for this institution. Raises OutOfScope."""
    if institution_id not in actor.institutions:
        raise OutOfScope()
    if actor.staff:
        return
    if actor.operator is None or actor.operator.institution_id != institution_id:
        raise OutOfScope()


def must_be_active(operator: Operator) -> None:
    """Raises OperatorNotAccepted."""
    if operator.disabled_at is not None:
        raise OperatorNotAccepted(reason="disabled")


def secrets_in_force(client: Client, now: datetime) -> tuple[Secret, ...]:
    """The secrets that may sign now, newest first. Raises ClientDisabled."""
    if client.disabled_at is not None:
        raise ClientDisabled()
    alive = [s for s in client.secrets if s.ends_at is None or now < s.ends_at]
    return tuple(sorted(alive, key=lambda s: s.made_at, reverse=True))


def rotate(client: Client, fresh: Secret, *, old_ends_at: datetime, now: datetime) -> Client:
    """Add a secret; the present one ends at ``old_ends_at``. Raises ClientDisabled.

    Where two are in force, the newer was perhaps never received: it gives way to the fresh one, and the older goes on
    to the end that it has, or to ``old_ends_at`` if that comes first. So two are in force at most.
    """
    alive = secrets_in_force(client, now)
    older = [s for s in alive if s.ends_at is not None] or alive
    kept = tuple(replace(s, ends_at=min(s.ends_at or old_ends_at, old_ends_at)) for s in older)
    return replace(client, secrets=(*kept, fresh), version=client.version + 1)
