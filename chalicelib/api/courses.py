"""Courses: programmes as an institution teaches them."""

from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.api.answers import Call, Plain, answers
from chalicelib.api.programmes import Level, Occupation
from chalicelib.api.shapes import Asked, Identifier, Line, Listing, Nothing, Shown
from chalicelib.domain.access import Act
from chalicelib.domain.errors import (
    CourseNotFound,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    ProgrammeNotFound,
)
from chalicelib.domain.outcomes import Done, Page
from chalicelib.services import cataloguing
from chalicelib.services.cataloguing import CourseDraft

routes = Blueprint(__name__)


class CourseRequest(Asked):
    """``hours`` are class hours (学时). ``occupation``, ``level``: where the programme leaves them open; a voucher of
    such a programme is counted by them when it is redeemed. ``level``: 5 lowest to 1 highest."""

    programme_id: Identifier
    institution_id: Identifier
    name_zh: Line
    name_en: Line
    hours: Annotated[int, Field(ge=1, le=5000)]
    online: bool = False
    occupation: Occupation | None = None
    level: Level | None = None


class CourseListing(Listing):
    institution_id: Identifier


class CourseAnswer(Shown):
    course_id: str
    programme_id: str
    institution_id: str
    region: str
    name_zh: str
    name_en: str
    hours: int
    online: bool
    occupation: str | None
    level: int | None
    version: int


@answers(
    routes,
    "POST",
    "/v1/courses",
    status=201,
    act=Act.MANAGE_CATALOGUE,
    tag="courses",
    zh="新增课程",
    en="Add a course",
    errors=(Invalid, OutOfScope, ProgrammeNotFound, InstitutionNotFound, InstitutionNotAdmitted),
)
def post_course(call: Call[CourseRequest, Nothing]) -> Done[CourseAnswer]:
    p, draft = call.platform, CourseDraft(**call.body.model_dump())
    return CourseAnswer.done(cataloguing.add_course(p.catalogue, p.marks, p.chance, draft, **call.acting))


@answers(
    routes, "GET", "/v1/courses", act=Act.READ_CATALOGUE, tag="courses", zh="机构的课程", en="Courses of an institution"
)
def list_courses(call: Call[Nothing, CourseListing]) -> Page[CourseAnswer]:
    asked = call.query
    return CourseAnswer.page(call.platform.catalogue.courses.page(asked.institution_id, asked.limit, asked.cursor))


@answers(
    routes,
    "GET",
    "/v1/courses/{course_id}",
    act=Act.READ_CATALOGUE,
    tag="courses",
    zh="查询课程",
    en="One course",
    errors=(CourseNotFound,),
)
def get_course(call: Plain, course_id: str) -> CourseAnswer:
    return CourseAnswer.of(cataloguing.find_course(call.platform.catalogue, course_id))
