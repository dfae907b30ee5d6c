"""Small things to arrange with. Everybody here is invented; every voucher got where it is by lawful entries."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chalicelib.domain import history, voucher
from chalicelib.domain.access import Actor, Client, Operator, Role, Secret
from chalicelib.domain.assertion import Assertion
from chalicelib.domain.attempt import Attempt, attempt_of
from chalicelib.domain.person import CountKey, Person
from chalicelib.domain.programme import Course
from chalicelib.domain.region import Cap, CapBy, Rules, Window
from chalicelib.domain.template import (
    BusinessMode,
    DistributionMode,
    FunctionMode,
    Look,
    Shard,
    Template,
    TemplateState,
    Terms,
)
from chalicelib.domain.token import Token
from chalicelib.domain.voucher import Redemption, State, Voucher
from tools.people import invented_person

FROM, UNTIL = date(2021, 6, 1), date(2021, 6, 30)
FIRST_INSTANT = datetime(2021, 5, 31, 16, tzinfo=UTC)
LAST_MILLISECOND = datetime(2021, 6, 30, 15, 59, 59, 999_000, UTC)
OVER = datetime(2021, 6, 30, 16, tzinfo=UTC)
CLAIMED_AT = datetime(2021, 6, 2, 2, tzinfo=UTC)
REDEEMED_AT = CLAIMED_AT + timedelta(days=1)
NOW = CLAIMED_AT + timedelta(days=2)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)

CITY, PROVINCE, OTHER_CITY, NATION = "440300", "440000", "440100", "000000"
INSTITUTION, OTHER_INSTITUTION = "91350100M000100Y43", "52440100MJX0000186"
COURSE, PROGRAMME, TEMPLATE, PERSON = "COURSE-1", "PROGRAMME-1", "TEMPLATE-1", "PERSON-1"
CEILING = 200_000
COUNTED = CountKey(CITY, 2021, "key_groups", "4-02-02-01", 4)

# How a voucher comes to each state, by the names of its steps.
PATHS: Mapping[State, tuple[tuple[str, State], ...]] = {
    State.ISSUED: (("issue", State.ISSUED),),
    State.CLAIMED: (("claim", State.CLAIMED),),
    State.REDEEMED: (("claim", State.CLAIMED), ("redeem", State.REDEEMED)),
    State.APPLIED: (("claim", State.CLAIMED), ("redeem", State.REDEEMED), ("apply", State.APPLIED)),
    State.WRITTEN_OFF: (
        ("claim", State.CLAIMED),
        ("redeem", State.REDEEMED),
        ("apply", State.APPLIED),
        ("write_off", State.WRITTEN_OFF),
    ),
    State.RETURNED: (("claim", State.CLAIMED), ("give_back", State.RETURNED)),
    State.EXPIRED: (("claim", State.CLAIMED), ("expire", State.EXPIRED)),
    State.FORFEITED: (("claim", State.CLAIMED), ("redeem", State.REDEEMED), ("forfeit", State.FORFEITED)),
    State.REVOKED: (("claim", State.CLAIMED), ("revoke", State.REVOKED)),
}


# --- who asks ------------------------------------------------------------------------------------------------------


def a_client(role: Role = Role.CITY, *, region: str = CITY, institution: str | None = None, **changes: Any) -> Client:
    client = Client("APPKEY", "某应用", role, (region,), (institution,) if institution else (), (), CLAIMED_AT)
    return replace(client, **changes)


def an_operator(*, region: str = CITY, institution: str | None = None, **changes: Any) -> Operator:
    return replace(Operator("OPERATOR", "经*", "unused", region, institution, CLAIMED_AT), **changes)


def an_actor(
    role: Role = Role.CITY, *, region: str = CITY, institution: str | None = None, signed: bool = True
) -> Actor:
    operator = an_operator(region=region, institution=institution) if signed else None
    return Actor(a_client(role, region=region, institution=institution), operator)


def a_secret(secret_id: str = "S1", **changes: Any) -> Secret:
    return replace(Secret(secret_id, f"sealed {secret_id}", CLAIMED_AT), **changes)


def an_attempt(key: str = "key-1", body: bytes = b"{}", *, app_key: str = "APPKEY", operation: str = "test") -> Attempt:
    return attempt_of(app_key, operation, key, body)


def an_assertion(**changes: Any) -> Assertion:
    who = invented_person(1)
    assertion = Assertion(
        kid="kid-1",
        audience="APPKEY",
        purpose="claim",
        subject=TEMPLATE,
        name=who.name,
        id_type=who.id_type,
        id_number=who.id_number,
        mobile=who.mobile,
        verified_by="face",
        verified_at=NOW,
        issued_at=NOW,
        jti="jti-1",
    )
    return replace(assertion, **changes)


# --- vouchers ------------------------------------------------------------------------------------------------------


def a_redemption(**changes: Any) -> Redemption:
    return replace(Redemption(INSTITUTION, "深圳技师学院", COURSE, "token", REDEEMED_AT), **changes)


def an_unclaimed(**changes: Any) -> Voucher:
    """What a service builds before the claim: version 0, no history."""
    blank = Voucher(
        person_id=PERSON,
        template_id=TEMPLATE,
        voucher_id="VOUCHER-1",
        region=CITY,
        shard=3,
        terms_version=1,
        state=State.CLAIMED,
        version=0,
        ceiling_fen=CEILING,
        valid_from=FROM,
        valid_until=UNTIL,
        counted_as=COUNTED,
        masked_name="测*",
        sealed_code="sealed code",
        code_key="code key",
        made_at=CLAIMED_AT,
        changed_at=CLAIMED_AT,
    )
    return replace(blank, **changes)


def a_voucher(state: State = State.CLAIMED, **changes: Any) -> Voucher:
    """A voucher of June 2021 in this state, with the history that leads there."""
    one = an_unclaimed(**changes)
    before: State | None = None
    for number, (step, after) in enumerate(PATHS[state]):
        at = CLAIMED_AT + timedelta(days=1) * number
        entry = history.next_entry(
            one.history,
            history.genesis(one.template_id, one.person_id),
            step=step,
            before=before,
            after=after,
            at=at,
            app_key="APPKEY",
            operator_id=None,
            request=an_attempt(f"{step}-key").request,
            body=an_attempt().body,
            facts={},
        )
        used = a_redemption() if after is State.REDEEMED else one.redemption
        one = replace(
            one, state=after, version=number + 1, changed_at=at, redemption=used, history=(*one.history, entry)
        )
        before = after
    return one


def a_claimed_voucher(**changes: Any) -> Voucher:
    """One that came from the claim itself."""
    return voucher.claim(
        an_unclaimed(**changes),
        attempt=an_attempt("claim-key"),
        actor=an_actor(Role.CHANNEL, signed=False),
        entrance="card",
        now=CLAIMED_AT,
    )


def a_token(**changes: Any) -> Token:
    return replace(Token(1, NOW, "nonce", PERSON, TEMPLATE, 1), **changes)


# --- templates -----------------------------------------------------------------------------------------------------


def a_template(state: TemplateState = TemplateState.PUBLISHED, **changes: Any) -> Template:
    template = Template(
        template_id=TEMPLATE,
        region=CITY,
        account_id=f"{CITY}-2021",
        state=state,
        look=Look("深圳市职业培训券"),
        terms_version=1,
        peak_claims=0,
        quantity=100,
        made_at=CLAIMED_AT,
        ceiling_fen=CEILING,
    )
    return replace(template, **changes)


def some_terms(**changes: Any) -> Terms:
    terms = Terms(
        template_id=TEMPLATE,
        version=1,
        business_mode=BusinessMode.FOUNDATION,
        function_mode=FunctionMode.FACE_VALUE,
        distribution_mode=DistributionMode.OPEN,
        programme_id=PROGRAMME,
        programme_type="key_groups",
        occupation=None,
        level=None,
        face_value_fen=CEILING,
        ceiling_fen=CEILING,
        claim_from=FROM,
        claim_until=UNTIL,
        valid_from=FROM,
        valid_until=UNTIL,
    )
    return replace(terms, **changes)


def a_shard(number: int = 0, remaining: int = 10, made: int = 0, **changes: Any) -> Shard:
    """A shard that keeps its law, its made vouchers all claimed."""
    counts = dict.fromkeys(State, 0) | {State.CLAIMED: made}
    shard = Shard(
        template_id=TEMPLATE,
        number=number,
        open=True,
        gate=1,
        terms_version=1,
        quantity=remaining + made,
        remaining=remaining,
        reserved_fen=(remaining + made) * CEILING,
        made=made,
        ever_claimed=made,
        counts=counts,
    )
    return replace(shard, **changes)


def a_course(**changes: Any) -> Course:
    return replace(Course(COURSE, PROGRAMME, INSTITUTION, CITY, "育婴员", "Nursery carer", 40), **changes)


# --- people and rules ----------------------------------------------------------------------------------------------


def a_holder(counts: Mapping[CountKey, int] | None = None, **changes: Any) -> Person:
    counted = {key.text(): n for key, n in (counts or {}).items()}
    return replace(Person(PERSON, 1, "sealed profile", "测*", "440***********0019", counted), **changes)


def a_cap(by: CapBy = CapBy.ALL, window: Window = Window.YEAR, limit: int = 1, rule: str = "a-rule") -> Cap:
    return Cap(rule, window, by, limit)


def some_rules(*caps: Cap, **changes: Any) -> Rules:
    return replace(Rules(CITY, 1, caps), **changes)
