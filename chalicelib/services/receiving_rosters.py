"""A file has come: which roster it is of, and whether it may be worked off at once.

Notifications come twice, late, out of order, and several in one message; the roster's row decides what is new.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.access import Act, Actor, may, must_be_active, must_cover
from chalicelib.domain.errors import DomainError
from chalicelib.domain.outcomes import StaleRow
from chalicelib.domain.roster import (
    DECLARED,
    DIRECT,
    MOST_BYTES,
    Roster,
    RosterKind,
    RosterState,
    declared_key,
    go,
    id_of_object,
)
from chalicelib.domain.stored_file import Stored
from chalicelib.domain.template import DistributionMode, Template
from chalicelib.services.ports import Platform

APP_KEY, OPERATOR = "app-key", "operator"
"""Metadata of a file that is put straight under the prefix: the client, and the operator's signature over the file."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One object that was put, as a notification tells it; ``key`` is decoded."""

    key: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of it; ``go_on``: the roster is to be gone on with now, whatever is next for it. That is so for a
    notification that comes again, too: the run that it brought may have been cut off."""

    outcome: str
    roster: Roster | None = None

    @property
    def go_on(self) -> bool:
        return self.roster is not None and self.roster.state is not RosterState.SUBMITTED


def receive_file(p: Platform, arrived: Arrived, now: datetime) -> Receipt:
    """Raises Unavailable."""
    if arrived.key.startswith(DECLARED):
        return _receive_declared(p, arrived, now)
    if arrived.key.startswith(DIRECT):
        return _receive_direct(p, arrived, now)
    return Receipt("not_ours")


def _receive_declared(p: Platform, arrived: Arrived, now: datetime) -> Receipt:
    roster = p.rosters.read(arrived.key.removeprefix(DECLARED))
    if roster is None or arrived.key != declared_key(roster.roster_id):
        return Receipt("not_declared")
    if roster.state is not RosterState.DECLARED:
        # The same notification again: what was accepted is gone on with. Another file under this address is too late.
        same = roster.object_version == arrived.version
        return Receipt("again" if same else "too_late", roster if same else None)
    stored = p.files.look(arrived.key, arrived.version)
    if stored is None:
        return Receipt("gone")
    if problem := _differs(p, roster, arrived, stored):
        zh, en = problem
        return _write(
            p, go(roster, RosterState.UNREADABLE, problem="file_differs", problem_zh=zh, problem_en=en, finished_at=now)
        )
    if roster.institution_id is None:
        decided = {"decided_by": roster.operator_id, "decided_for": roster.app_key}
        return _write(p, go(roster, RosterState.ACCEPTED, object_version=arrived.version, **decided))
    return _write(p, go(roster, RosterState.SUBMITTED, object_version=arrived.version))


def _differs(p: Platform, roster: Roster, arrived: Arrived, stored: Stored) -> tuple[str, str] | None:
    """Why the file is not the one that was declared."""
    data = p.files.read(arrived.key, arrived.version, MOST_BYTES) if stored.size == roster.size else b""
    if data is not None and hashlib.sha256(data).hexdigest() == roster.sha256:
        return None
    return (
        "收到的文件与申报的大小或 SHA-256 不一致，请重新申报并上传。",
        "The file is not the one that was declared: its size or SHA-256 differs. Declare and upload it again.",
    )


def _receive_direct(p: Platform, arrived: Arrived, now: datetime) -> Receipt:
    template_id, _, file_name = arrived.key.removeprefix(DIRECT).partition("/")
    roster_id = id_of_object(arrived.key, arrived.version or "")
    there = p.rosters.read(roster_id)
    if there is not None:
        return Receipt("again", there)
    template = p.templates.get(template_id) if template_id.isalnum() else None
    if template is None or not file_name:
        return Receipt("no_such_template")
    terms = p.templates.terms(template_id, template.terms_version)
    if terms.distribution_mode is not DistributionMode.DIRECTED:
        return Receipt("not_directed")
    stored = p.files.look(arrived.key, arrived.version)
    if stored is None:
        return Receipt("gone")
    signer = _signer(p, template, arrived, stored)
    roster = Roster(
        roster_id=roster_id,
        kind=RosterKind.VOUCHERS,
        template_id=template_id,
        region=template.region,
        file_name=file_name[-200:],
        size=stored.size,
        sha256=None,
        state=RosterState.ACCEPTED if signer else RosterState.SUBMITTED,
        made_at=now,
        app_key=signer.app_key if signer else "",
        operator_id=signer.operator_id if signer else None,
        object_key=arrived.key,
        object_version=arrived.version,
        decided_by=signer.operator_id if signer else None,
        decided_for=signer.app_key if signer else None,
    )
    try:
        p.rosters.add(roster, None)
    except StaleRow:  # the same notification, at once
        return Receipt("again", p.rosters.read(roster_id))
    return Receipt("accepted" if signer else "submitted", roster)


def _signer(p: Platform, template: Template, arrived: Arrived, stored: Stored) -> Actor | None:
    """The clerk of a bureau of the region who signed exactly this file under this key, or nobody: then it waits for
    the bureau's word. The signature is one over a request, PUT of the key with the file as its body."""
    app_key, jws = stored.metadata.get(APP_KEY), stored.metadata.get(OPERATOR)
    if not app_key or not jws or stored.size > MOST_BYTES:
        return None
    client = p.catalogue.clients.get(app_key) if app_key.isalnum() else None
    data = p.files.read(arrived.key, arrived.version, MOST_BYTES)
    if client is None or client.disabled_at is not None or data is None:
        return None
    signatures = p.keys.operator_signatures
    try:
        operator = p.catalogue.operators.get(signatures.signer(jws))
        if operator is None or operator.institution_id is not None:
            return None
        must_be_active(operator)
        signatures.check(
            jws,
            operator.public_key,
            app_key=app_key,
            method="PUT",
            path=f"/{arrived.key}",
            body=data,
            key="",
            now=stored.put_at,
        )
        actor = Actor(client, operator)
        may(actor, Act.ISSUE)
        must_cover(actor, operator.region)
        must_cover(actor, template.region)
        return actor
    except DomainError:
        return None


def _write(p: Platform, after: Roster) -> Receipt:
    try:
        p.rosters.change(after)
        return Receipt(after.state, after)
    except StaleRow:  # the same notification, at once, or somebody cancelled it
        return Receipt("again", p.rosters.read(after.roster_id))
