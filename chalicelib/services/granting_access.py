"""Grant and withdraw access: clients and their secrets, operators, keys of the e-SSC platform."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain import access, pace
from chalicelib.domain.access import Actor, AssertionKey, Client, Duty, Operator, Role, Secret, must_cover
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import (
    AssertionKeyNotFound,
    ClientNotFound,
    Invalid,
    OperatorNotFound,
    OutOfScope,
)
from chalicelib.domain.identifiers import mask_name
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.services.cataloguing import find_institution, find_region
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Chance, Marks, OperatorSignatures, Sealer

_RANK = {Role.COUNTY: 1, Role.CITY: 2, Role.PROVINCE: 3, Role.MINISTRY: 4}

_NO_KEY_EN, _NO_KEY_ZH = "no Ed25519 signature can be verified by this key", "该公钥不能用于验证 Ed25519 签名"


@dataclass(frozen=True, slots=True)
class ClientDraft:
    name: str
    role: Role
    regions: tuple[str, ...]
    institutions: tuple[str, ...] = ()
    requests_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorDraft:
    name: str
    public_key: str
    region: str
    institution_id: str | None = None
    duties: tuple[Duty, ...] = (Duty.CLERK,)


@dataclass(frozen=True, slots=True)
class GrantedSecret:
    """A client and, this one time, its secret; a repeated request gets the answer without it."""

    client: Client
    secret_id: str
    secret: str | None


def secret_context(app_key: str, secret_id: str) -> str:
    """What a client's sealed secret is tied to."""
    return f"client-secret:{app_key}:{secret_id}"


def add_client(
    catalogue: Catalogue,
    marks: Marks,
    sealer: Sealer,
    chance: Chance,
    draft: ClientDraft,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[GrantedSecret]:
    """Register a client within the actor's own scope and not above its rank.

    Raises Invalid (an institution's client names its institutions, others none), OutOfScope, RegionNotFound,
    InstitutionNotFound.
    """

    def act() -> GrantedSecret:
        if (draft.role is Role.INSTITUTION) != bool(draft.institutions):
            raise Invalid(
                pointer="/institutions", reason="institutions are named for the role institution, and only for it"
            )
        _must_be_known(catalogue, draft.regions, draft.institutions)
        _must_govern(catalogue, actor, draft.regions, draft.institutions, draft.role)
        app_key = chance.short_id()
        secret, kept = _fresh_secret(sealer, chance, app_key, now)
        client = Client(
            app_key=app_key,
            name=draft.name,
            role=draft.role,
            regions=tuple(dict.fromkeys(draft.regions)),  # each region gets one row of the listing
            institutions=tuple(dict.fromkeys(draft.institutions)),
            secrets=(kept,),
            made_at=now,
            requests_per_second=draft.requests_per_second or pace.USUAL[draft.role],
        )
        catalogue.clients.add(client, Mark(attempt, _without_secret(client, kept.secret_id), now))
        return GrantedSecret(client, kept.secret_id, secret)

    return once(marks, attempt, GrantedSecret, now, act)


def rotate_secret(
    catalogue: Catalogue,
    marks: Marks,
    sealer: Sealer,
    chance: Chance,
    app_key: str,
    overlap: timedelta,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[GrantedSecret]:
    """Make a new secret; the present one ends after the overlap.

    Where two are in force the new one replaces the newer, and the older ends as it would have, or after the overlap if
    that is sooner: so an answer that was lost is made up for by rotating once more, with another key. A client may
    rotate its own secret with no overlap: only the answer carries the one that signs from then on, and if that is lost
    somebody else must rotate for it. Raises ClientNotFound, OutOfScope, ClientDisabled.
    """

    def act() -> GrantedSecret:
        before = _client_to_change(catalogue, app_key, actor)
        secret, kept = _fresh_secret(sealer, chance, app_key, now)
        after = access.rotate(before, kept, old_ends_at=now + overlap, now=now)
        catalogue.clients.change(after, Mark(attempt, _without_secret(after, kept.secret_id), now))
        return GrantedSecret(after, kept.secret_id, secret)

    return once(marks, attempt, GrantedSecret, now, act)


def set_pace(
    catalogue: Catalogue,
    marks: Marks,
    app_key: str,
    requests_per_second: int,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Client]:
    """Give a client another pace; it takes effect everywhere within 60 s. Raises ClientNotFound, OutOfScope."""

    def act() -> Client:
        before = _client_to_change(catalogue, app_key, actor)
        after = replace(before, requests_per_second=requests_per_second, version=before.version + 1)
        shown = replace(after, secrets=())
        catalogue.clients.change(after, Mark(attempt, shown, now))
        return shown

    return once(marks, attempt, Client, now, act)


def disable_client(
    catalogue: Catalogue, marks: Marks, app_key: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Client]:
    """Takes effect everywhere within 60 s. Raises ClientNotFound, OutOfScope."""

    def act() -> Client:
        before = _client_to_change(catalogue, app_key, actor)
        after = replace(before, disabled_at=before.disabled_at or now, version=before.version + 1)
        shown = replace(after, secrets=())
        catalogue.clients.change(after, Mark(attempt, shown, now))
        return shown

    return once(marks, attempt, Client, now, act)


def find_client(catalogue: Catalogue, app_key: str, actor: Actor) -> Client:
    """Raises ClientNotFound."""
    return _client_in_scope(catalogue, app_key, actor)


def check_public_key(signatures: OperatorSignatures, public_key: str) -> None:
    """Check a key before it is registered, an operator's or the e-SSC platform's: it is Ed25519 and binds its owner.

    Raises Invalid.
    """
    if not signatures.can_sign(public_key):
        raise Invalid(pointer="/public_key", reason=_NO_KEY_EN, reason_zh=_NO_KEY_ZH)


def add_operator(
    catalogue: Catalogue,
    marks: Marks,
    chance: Chance,
    draft: OperatorDraft,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Operator]:
    """Register a person who acts for a region's authority or for an institution.

    Raises Invalid (duties that do not go together), OutOfScope, RegionNotFound, InstitutionNotFound.
    """
    institutions = (draft.institution_id,) if draft.institution_id is not None else ()

    def act() -> Operator:
        access.check_duties(draft.duties)
        _must_be_known(catalogue, (draft.region,), institutions)
        _must_govern(catalogue, actor, (draft.region,), institutions)
        operator = Operator(
            operator_id=chance.short_id(),
            name=mask_name(draft.name),
            public_key=draft.public_key,
            region=draft.region,
            institution_id=draft.institution_id,
            made_at=now,
            duties=draft.duties,
        )
        catalogue.operators.add(operator, Mark(attempt, operator, now))
        return operator

    return once(marks, attempt, Operator, now, act)


def disable_operator(
    catalogue: Catalogue, marks: Marks, operator_id: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Operator]:
    """Takes effect everywhere within 60 s. Raises OperatorNotFound, OutOfScope."""

    def act() -> Operator:
        before = catalogue.operators.read(operator_id)
        if before is None or not access.covers(actor, before.region):
            raise OperatorNotFound()
        _must_govern(catalogue, actor, (before.region,), (before.institution_id,) if before.institution_id else ())
        after = replace(before, disabled_at=before.disabled_at or now, version=before.version + 1)
        catalogue.operators.change(after, Mark(attempt, after, now))
        return after

    return once(marks, attempt, Operator, now, act)


def find_operator(catalogue: Catalogue, operator_id: str, actor: Actor) -> Operator:
    """Raises OperatorNotFound."""
    operator = catalogue.operators.get(operator_id)
    if operator is None or not access.covers(actor, operator.region):
        raise OperatorNotFound()
    return operator


def add_assertion_key(
    catalogue: Catalogue, marks: Marks, kid: str, public_key: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[AssertionKey]:
    """Trust a public key of the e-SSC platform; the ministry alone does. Raises OutOfScope, AlreadyExists."""

    def act() -> AssertionKey:
        must_cover(actor, "000000")
        key = AssertionKey(kid=kid, public_key=public_key, made_at=now)
        catalogue.assertion_keys.add(key, Mark(attempt, key, now))
        return key

    return once(marks, attempt, AssertionKey, now, act)


def disable_assertion_key(
    catalogue: Catalogue, marks: Marks, kid: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[AssertionKey]:
    """Takes effect everywhere within 60 s. Raises AssertionKeyNotFound, OutOfScope."""

    def act() -> AssertionKey:
        must_cover(actor, "000000")
        before = catalogue.assertion_keys.read(kid)
        if before is None:
            raise AssertionKeyNotFound()
        after = replace(before, disabled_at=before.disabled_at or now, version=before.version + 1)
        catalogue.assertion_keys.change(after, Mark(attempt, after, now))
        return after

    return once(marks, attempt, AssertionKey, now, act)


def _client_in_scope(catalogue: Catalogue, app_key: str, actor: Actor) -> Client:
    client = catalogue.clients.read(app_key)
    if client is None or not all(access.covers(actor, region) for region in client.regions):
        raise ClientNotFound()
    return client


def _client_to_change(catalogue: Catalogue, app_key: str, actor: Actor) -> Client:
    client = _client_in_scope(catalogue, app_key, actor)
    _must_govern(catalogue, actor, client.regions, client.institutions, client.role)
    return client


def _must_be_known(catalogue: Catalogue, regions: tuple[str, ...], institutions: tuple[str, ...]) -> None:
    for region in regions:
        find_region(catalogue, region)
    for institution_id in institutions:
        find_institution(catalogue, institution_id)


def _must_govern(
    catalogue: Catalogue,
    actor: Actor,
    regions: tuple[str, ...],
    institutions: tuple[str, ...],
    role: Role | None = None,
) -> None:
    """Check that who grants or changes this access holds all of it: the client that asks and the operator who signed.

    What the client may see is not enough: who gets another's secret acts as that other. Raises OutOfScope.
    """
    if role is not None and _RANK.get(role, 0) > _RANK[actor.client.role]:
        raise OutOfScope()
    for region in regions:
        must_cover(actor, region)
    for institution_id in institutions:
        institution = catalogue.institutions.get(institution_id)
        if institution is None:
            raise OutOfScope()
        must_cover(actor, institution.region)


def _fresh_secret(sealer: Sealer, chance: Chance, app_key: str, now: datetime) -> tuple[str, Secret]:
    secret, secret_id = chance.secret(), chance.short_id()
    return secret, Secret(secret_id, sealer.seal(secret, secret_context(app_key, secret_id)), made_at=now)


def _without_secret(client: Client, secret_id: str) -> GrantedSecret:
    return GrantedSecret(replace(client, secrets=()), secret_id, secret=None)
