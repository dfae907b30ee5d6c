"""People, as an authority deals with them: found, masked, and disclosed for a reason."""

from typing import Annotated, Any, Self

from chalice.app import Blueprint
from pydantic import Field, model_validator

from chalicelib.api.answers import Call, answers
from chalicelib.api.shapes import (
    Asked,
    Day,
    Identifier,
    Instant,
    Line,
    Listing,
    Nothing,
    Reason,
    RegionListing,
    Shown,
    exactly_one,
    told_as_one,
)
from chalicelib.domain.access import Act, must_cover
from chalicelib.domain.errors import (
    FlagNotSet,
    Invalid,
    NumberKnown,
    NumberTaken,
    OutOfScope,
    PersonNotFound,
    RecordMerged,
)
from chalicelib.domain.identifiers import IdType
from chalicelib.domain.outcomes import Done, Page
from chalicelib.domain.person import FlagKind
from chalicelib.domain.record import Record, RecordKind
from chalicelib.observability import log_outcome, masked_key
from chalicelib.services import comparing_names, correcting, disclosing, finding_people, flagging
from chalicelib.services.correcting import Correction, NewNumber
from chalicelib.services.disclosing import Disclosed
from chalicelib.services.finding_people import Found

routes = Blueprint(__name__)

IdNumber = Annotated[str, Field(min_length=15, max_length=40, description="as typed; spaces do not matter")]


class PersonRequest(Asked):
    """Who somebody is, as an authority or an institution says it."""

    name: Annotated[Line, Field(max_length=60)]
    id_type: IdType
    id_number: IdNumber
    mobile: Annotated[str, Field(min_length=11, max_length=20)] | None = None


class PersonSearch(Asked):
    """Exactly one of ``id_number`` (with its ``id_type``) and ``voucher_id``."""

    model_config = told_as_one("id_number", "voucher_id", id_number="id_type")

    id_type: IdType | None = None
    id_number: IdNumber | None = None
    voucher_id: Identifier | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "id_number", "voucher_id")
        if self.id_number is not None:
            exactly_one(self, "id_type")
        return self


class FlagAnswer(Shown):
    """``region``: whose flag it is. ``deceased`` counts everywhere, ``ineligible`` for vouchers of it and below."""

    kind: FlagKind
    region: str
    since: Instant
    until: Day | None


class PersonAnswer(Shown):
    """``name`` and ``id_number`` are masked; ``vouchers``: how many of the asker's regions, whatever their state.

    ``also``: records that were merged into this one; vouchers and flags are those of all of them.
    """

    person_id: str
    name: str
    id_number: str
    vouchers: int
    flags: tuple[FlagAnswer, ...]
    also: tuple[str, ...]

    @classmethod
    def of(cls, noun: Any) -> Self:
        found: Found = noun
        person = found.person
        return cls(
            person_id=person.person_id,
            name=person.masked_name,
            id_number=person.masked_number,
            vouchers=found.vouchers,
            flags=tuple(FlagAnswer.of(flag) for one in (person, *found.linked) for flag in one.flags),
            also=person.also,
        )


class DisclosureRequest(Asked):
    """``reason``: what the full data are needed for; kept with who asked, and listed for auditors. ``class_id``: also
    the positions of the person's check-ins there, where the region has them kept."""

    reason: Reason
    class_id: Identifier | None = None


class DisclosureAnswer(Shown):
    """Who looked at whose full data, and why; not the data."""

    disclosure_id: str
    person_id: str
    region: str
    app_key: str
    operator_id: str
    reason: str
    made_at: Instant
    class_id: str | None


class PositionAnswer(Shown):
    """Degrees of ``datum``, metres of ``accuracy``, as the device said."""

    session_id: str
    leaving: bool
    at: Instant
    latitude: float
    longitude: float
    datum: str
    accuracy: float | None


class NumberAnswer(Shown):
    id_type: IdType
    id_number: str


class DisclosedAnswer(DisclosureAnswer):
    """The data as they are now, in full: for the operator who signed alone."""

    name: str
    id_type: IdType
    id_number: str
    mobile: str | None
    other_numbers: tuple[NumberAnswer, ...]
    positions: tuple[PositionAnswer, ...]

    @classmethod
    def of(cls, noun: Any) -> Self:
        disclosed: Disclosed = noun
        profile = disclosed.profile
        return cls(
            **DisclosureAnswer.of(disclosed.disclosure).model_dump(),
            name=profile.name,
            id_type=IdType(profile.id_type),
            id_number=profile.id_number,
            mobile=profile.mobile,
            other_numbers=tuple(
                NumberAnswer(id_type=IdType(id_type), id_number=number) for id_type, number in profile.other_numbers
            ),
            positions=tuple(PositionAnswer.of(one) for one in disclosed.positions),
        )


@answers(
    routes,
    "POST",
    "/v1/people/search",
    act=Act.READ_PEOPLE,
    changes=False,
    tag="people",
    zh="查找人员",
    en="Find a person",
    errors=(Invalid, PersonNotFound),
)
def search_people(call: Call[PersonSearch, Nothing]) -> PersonAnswer:
    p, asked = call.platform, call.body
    if asked.id_number is not None and asked.id_type is not None:
        found = finding_people.find_by_number(
            p.people, p.keys, asked.id_type, asked.id_number, actor=call.actor, now=call.now
        )
    else:
        found = finding_people.find_by_voucher(p.people, p.keys, asked.voucher_id or "", actor=call.actor)
    return PersonAnswer.of(found)


@answers(
    routes,
    "POST",
    "/v1/people/{person_id}/disclosure",
    status=201,
    act=Act.SEE_IDENTITY,
    tag="people",
    zh="查看完整证件号码",
    en="See a person's full data",
    errors=(PersonNotFound,),
)
def post_disclosure(call: Call[DisclosureRequest, Nothing], person_id: str) -> Done[DisclosedAnswer]:
    asked = call.body
    done = disclosing.disclose(call.platform, person_id, asked.reason, asked.class_id, **call.acting)
    seen = done.answer.disclosure
    log_outcome(
        "disclosure",
        disclosure_id=seen.disclosure_id,
        person_id=seen.person_id,
        operator=call.actor.operator_id,
        client=masked_key(call.actor.app_key),
        request_id=call.request_id,
        repeated=done.hit,
    )
    return DisclosedAnswer.done(done)


class FlagRequest(Asked):
    """``set``: put the flag for the operator's region (to the end of ``until``, where it is not for good), or take
    away those of the regions within scope."""

    flag: FlagKind
    set: bool
    reason: Reason
    until: Day | None = None


class RecordAnswer(Shown):
    """What was changed, by whom, when and why; ``facts`` depend on ``kind`` and are masked where personal.

    ``number`` grows with every change of the person's own row, so it need not follow on the one before.
    """

    person_id: str
    number: int
    kind: RecordKind
    app_key: str
    operator_id: str | None
    reason: str
    made_at: Instant
    facts: dict[str, str | None]

    @classmethod
    def of(cls, noun: Any) -> Self:
        record: Record = noun
        shown = {name: getattr(record, name) for name in cls.model_fields}
        return cls(**shown | {"facts": dict(record.facts)})


@answers(
    routes,
    "POST",
    "/v1/people/{person_id}/flags",
    act=Act.CORRECT_PEOPLE,
    tag="people",
    zh="标记人员（已去世、不符合条件）或取消标记",
    en="Flag a person as deceased or not eligible, or take the flag away",
    errors=(Invalid, PersonNotFound, RecordMerged, FlagNotSet),
)
def post_flag(call: Call[FlagRequest, Nothing], person_id: str) -> Done[RecordAnswer]:
    p, asked = call.platform, call.body
    if asked.set:
        done = flagging.set_flag(p.people, p.marks, person_id, asked.flag, asked.reason, asked.until, **call.acting)
    elif asked.until is not None:
        raise Invalid(pointer="/until", reason="a flag ends only where it is set")
    else:
        done = flagging.clear_flag(p.people, p.marks, person_id, asked.flag, asked.reason, **call.acting)
    return RecordAnswer.done(done)


class CorrectionRequest(Asked):
    """One or both; what is not named stays."""

    name: Annotated[Line, Field(max_length=60)] | None = None
    mobile: Annotated[str, Field(min_length=11, max_length=20)] | None = None
    reason: Reason


class NumberRequest(Asked):
    """A number that leads to the same person. ``corrects``: it is the right one, the one that counted was wrong."""

    id_type: IdType
    id_number: IdNumber
    corrects: bool = False
    reason: Reason


@answers(
    routes,
    "POST",
    "/v1/people/{person_id}/corrections",
    act=Act.CORRECT_PEOPLE,
    tag="people",
    zh="更正姓名或手机号",
    en="Correct a name or mobile",
    errors=(Invalid, PersonNotFound, RecordMerged),
)
def post_correction(call: Call[CorrectionRequest, Nothing], person_id: str) -> Done[RecordAnswer]:
    p, asked = call.platform, Correction(**call.body.model_dump())
    return RecordAnswer.done(correcting.correct_person(p.people, p.marks, p.keys, person_id, asked, **call.acting))


@answers(
    routes,
    "POST",
    "/v1/people/{person_id}/numbers",
    act=Act.CORRECT_PEOPLE,
    tag="people",
    zh="增加或更正证件号码",
    en="Add or correct an ID number",
    errors=(Invalid, PersonNotFound, RecordMerged, NumberTaken, NumberKnown),
)
def post_number(call: Call[NumberRequest, Nothing], person_id: str) -> Done[RecordAnswer]:
    p, asked = call.platform, NewNumber(**call.body.model_dump())
    return RecordAnswer.done(correcting.add_number(p.people, p.marks, p.keys, person_id, asked, **call.acting))


@answers(
    routes,
    "GET",
    "/v1/people/{person_id}/records",
    act=Act.READ_PEOPLE,
    tag="people",
    zh="人员信息变更记录",
    en="What authorities changed of a person",
    errors=(PersonNotFound,),
)
def list_records(call: Call[Nothing, Listing], person_id: str) -> Page[RecordAnswer]:
    people, asked = call.platform.people, call.query
    finding_people.find_in_scope(people, person_id, actor=call.actor)
    return RecordAnswer.page(people.records(person_id, asked.limit, asked.cursor))


class NameDifferenceAnswer(Shown):
    """Both names are masked, so they may look alike; who may disclose sees the registered one."""

    voucher_id: str
    person_id: str
    template_id: str
    asserted_name: str
    registered_name: str
    app_key: str
    found_at: Instant


@answers(
    routes,
    "GET",
    "/v1/name-differences",
    act=Act.READ_PEOPLE,
    tag="people",
    zh="领取时姓名与名单不一致、待处理的券",
    en="Issued vouchers that were claimed under another name and wait for a decision",
    errors=(OutOfScope,),
)
def list_name_differences(call: Call[Nothing, RegionListing]) -> Page[NameDifferenceAnswer]:
    asked = call.query
    page = comparing_names.list_held(
        call.platform, asked.region, asked.limit, asked.cursor, actor=call.actor, now=call.now
    )
    return NameDifferenceAnswer.page(page)


@answers(
    routes,
    "GET",
    "/v1/disclosures",
    act=Act.READ_DISCLOSURES,
    tag="people",
    zh="查看记录：谁查看过完整证件号码",
    en="Who has seen full data",
    errors=(OutOfScope,),
)
def list_disclosures(call: Call[Nothing, RegionListing]) -> Page[DisclosureAnswer]:
    asked = call.query
    must_cover(call.actor, asked.region)
    return DisclosureAnswer.page(call.platform.disclosures.page(asked.region, asked.limit, asked.cursor))
