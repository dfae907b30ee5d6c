"""Files that come with an application (附件): declared with their hash, put by a presigned address, then confirmed."""

from dataclasses import replace
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.application import MOST_ATTACHMENTS, Application, ApplicationState, Attachment, must_be
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import AttachmentNotFound, AttachmentNotStored, Invalid
from chalicelib.domain.outcomes import Done, Mark
from chalicelib.domain.stored_file import Download, Upload
from chalicelib.services.applying import find_application, own_application
from chalicelib.services.once import once
from chalicelib.services.ports import Platform

FILES = "applications/attachments/"
OPEN = frozenset({ApplicationState.COLLECTING, ApplicationState.SUBMITTED})


def declare_attachment(
    p: Platform,
    application_id: str,
    kind: str,
    file_name: str,
    size: int,
    sha256: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Attachment]:
    """Say what file will come; ``upload_of`` tells where to put it.

    Raises ApplicationNotFound, OutOfScope, ApplicationStateRefused, ApplicationBusy, Invalid (too many).
    """

    def act() -> Attachment:
        before = own_application(p, application_id, actor)
        must_be(before, OPEN)
        if len(before.attachments) >= MOST_ATTACHMENTS:
            raise Invalid(pointer="/kind", reason="an application has too many attachments")
        attachment_id = p.chance.short_id()
        key = f"{FILES}{application_id}/{attachment_id}"
        one = Attachment(attachment_id, kind, file_name, size, sha256, key, now)
        after = replace(before, attachments=(*before.attachments, one), version=before.version + 1)
        p.applications.change(after, Mark(attempt, one, now))
        return one

    return once(p.marks, attempt, Attachment, now, act)


def upload_of(p: Platform, attachment: Attachment, now: datetime) -> Upload:
    """Where and how the file is put: the bucket takes no other."""
    return p.files.upload_url(attachment.object_key, size=attachment.size, sha256=attachment.sha256, now=now)


def confirm_attachment(
    p: Platform, application_id: str, attachment_id: str, *, actor: Actor, attempt: Attempt, now: datetime
) -> Done[Application]:
    """The file has been put: from now on it belongs to the application, as it is.

    Raises ApplicationNotFound, OutOfScope, AttachmentNotFound, ApplicationStateRefused, ApplicationBusy,
    AttachmentNotStored.
    """

    def act() -> Application:
        before = own_application(p, application_id, actor)
        one = _find(before, attachment_id)
        must_be(before, OPEN)
        stored = p.files.look(one.object_key, None)
        if stored is None or stored.size != one.size:
            raise AttachmentNotStored()
        there = one
        if one.stored_version is None:
            version = stored.version or "1"
            there = replace(one, stored_version=version, stored_at=now, stored_by=actor.operator_id)
        attachments = tuple(there if one.attachment_id == attachment_id else one for one in before.attachments)
        after = replace(before, attachments=attachments, version=before.version + 1)
        p.applications.change(after, Mark(attempt, after, now))
        return after

    return once(p.marks, attempt, Application, now, act)


def attachment_of(p: Platform, application_id: str, attachment_id: str, *, actor: Actor, now: datetime) -> Download:
    """Where to fetch it. Raises ApplicationNotFound, AttachmentNotFound, AttachmentNotStored."""
    application = find_application(p, application_id, actor=actor)
    one = _find(application, attachment_id)
    if one.stored_version is None:
        raise AttachmentNotStored()
    return p.files.download_url(one.object_key, one.file_name, now)


def _find(application: Application, attachment_id: str) -> Attachment:
    for one in application.attachments:
        if one.attachment_id == attachment_id:
            return one
    raise AttachmentNotFound()
