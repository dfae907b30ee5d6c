"""Print a class: its attendance sheet (签到表) and its roster (花名册), as they stand now. domain.md §4."""

from datetime import datetime, timedelta

from chalicelib.domain import calendar
from chalicelib.domain.access import Actor
from chalicelib.domain.check_in import Result
from chalicelib.domain.class_papers import (
    PAPER_ZH,
    CheckIn,
    ClassPaper,
    Mark,
    PaperFormat,
    PaperKind,
    PaperSession,
    PaperTrainee,
)
from chalicelib.domain.enrolment import Enrolment, EnrolmentState, counts
from chalicelib.domain.identifiers import InvalidIdentifier, Sex, parse_citizen_id
from chalicelib.domain.person import Profile
from chalicelib.domain.stored_file import Download
from chalicelib.domain.training_class import Session, TrainingClass
from chalicelib.services.cataloguing import find_course, find_institution, find_region
from chalicelib.services.holding_classes import find_class
from chalicelib.services.ports import Platform

PAPERS = "classes/papers/"
CONTENT_TYPES = {
    PaperFormat.PDF: "application/pdf",
    PaperFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PAGE = 100
ONLINE = "线上"


def print_class(
    p: Platform, class_id: str, kind: PaperKind, form: PaperFormat, *, actor: Actor, now: datetime
) -> Download:
    """Where the paper may be fetched for some minutes; it is made anew each time. Numbers and mobiles are masked.

    Raises ClassNotFound.
    """
    training = find_class(p, class_id, actor=actor)
    key = f"{PAPERS}{class_id}-{kind}.{form}"
    with p.workbooks.paper(_paper(p, training, now), kind, form) as file:
        p.files.write(key, file, CONTENT_TYPES[form])
    return p.files.download_url(key, f"{training.name}-{PAPER_ZH[kind]}.{form}", now)


def _paper(p: Platform, training: TrainingClass, now: datetime) -> ClassPaper:
    sessions = sorted(training.sessions, key=lambda one: one.starts_at)
    people = [one for one in _all_on(p, training) if one.state is not EnrolmentState.LEFT]
    heads = {one.person_id: one for one in p.people.heads([one.person_id for one in people])} if people else {}
    profiles = {
        person_id: p.keys.sealer.unseal_profile(head.sealed_profile, person_id) for person_id, head in heads.items()
    }
    return ClassPaper(
        name=training.name,
        course=find_course(p.catalogue, training.course_id).name_zh,
        institution=find_institution(p.catalogue, training.institution_id).name_zh,
        teacher=training.teacher,
        region=find_region(p.catalogue, training.region).name_zh,
        sessions=tuple(_session(one) for one in sessions),
        trainees=tuple(_trainee(one, training, profiles[one.person_id], sessions, now) for one in people),
    )


def _all_on(p: Platform, training: TrainingClass) -> list[Enrolment]:
    found, cursor = list[Enrolment](), None
    while True:
        page = p.enrolments.on_class(training.class_id, PAGE, cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return sorted(found, key=lambda one: one.made_at)


def _session(session: Session) -> PaperSession:
    starts, ends = (one.astimezone(calendar.CHINA) for one in (session.starts_at, session.ends_at))
    place = session.place.name if session.place else ONLINE
    return PaperSession(starts.date(), starts.time(), ends.time(), place, cancelled=not session.is_held)


def _trainee(
    one: Enrolment, training: TrainingClass, profile: Profile, sessions: list[Session], now: datetime
) -> PaperTrainee:
    return PaperTrainee(
        name=profile.name,
        id_number=profile.id_number,
        mobile=profile.mobile or "",
        sex=_sex_of(profile, now),
        voucher=one.voucher_id,
        reported=calendar.local_date(one.made_at),
        check_ins=tuple(_mark(one, training, session, now) for session in sessions),
    )


def _mark(one: Enrolment, training: TrainingClass, session: Session, now: datetime) -> CheckIn:
    made = one.check_ins.get(session.session_id)
    if made is not None:
        mark = Mark.PRESENT if made.result is Result.PRESENT else Mark.LATE
        if not counts(made, session, training) and now > session.ends_at + timedelta(seconds=training.rules.leaves):
            mark = Mark.CUT_SHORT
        return CheckIn(mark, made.at.astimezone(calendar.CHINA).time())
    if session.session_id in one.excused:
        return CheckIn(Mark.ON_LEAVE)
    return CheckIn(Mark.ABSENT if session.ends_at <= now else Mark.NOT_HELD)


def _sex_of(profile: Profile, now: datetime) -> Sex | None:
    try:
        return parse_citizen_id(profile.id_number, today=calendar.local_date(now)).sex
    except InvalidIdentifier:
        return None
