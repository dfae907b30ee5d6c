"""Deliver usage and attendance of all lines of an application as a file, for a region that settles elsewhere.

Its last columns are those of a list of results: filled in, the same file comes back through the import. domain.md §4.
"""

from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.application import Line, LineState
from chalicelib.domain.line_list import LineList
from chalicelib.domain.stored_file import Download
from chalicelib.services.applying import find_application
from chalicelib.services.cataloguing import find_course, find_institution
from chalicelib.services.ports import Platform

FILES = "applications/lines/"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PAGE = 500


def deliver_lines(p: Platform, application_id: str, *, actor: Actor, now: datetime) -> Download:
    """Where the workbook may be fetched for some minutes; it is made anew each time. Raises ApplicationNotFound."""
    application = find_application(p, application_id, actor=actor)
    training = p.catalogue.classes.read(application.class_id)
    assert training is not None, "a class is never deleted"
    content = LineList(
        application=application,
        institution=find_institution(p.catalogue, application.institution_id).name_zh,
        course=find_course(p.catalogue, training.course_id).name_zh,
        class_name=training.name,
        lines=_all_lines(p, application_id),
    )
    key = f"{FILES}{application_id}.xlsx"
    with p.workbooks.evidence(content) as file:
        p.files.write(key, file, CONTENT_TYPE)
    return p.files.download_url(key, f"{training.name}-资金申请明细.xlsx", now)


def _all_lines(p: Platform, application_id: str) -> list[Line]:
    """All that were accepted, and not taken back."""
    found, cursor = list[Line](), None
    while True:
        page = p.applications.lines(application_id, PAGE, cursor)
        found += [line for line in page.items if line.state not in (LineState.NOT_ACCEPTED, LineState.CANCELLED)]
        cursor = page.cursor
        if cursor is None:
            return found
