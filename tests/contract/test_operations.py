"""Every operation of the document that is served: strict, as promised, and never a server error.

Requests are made by Schemathesis from the document: each bound and each way past it (coverage), then at random. The
gate sees the same ones each time; ``LONG=1`` makes many more, from a new seed, which a failing test shows.
"""

import os
import re
import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoverageScenario

from chalicelib.api import gateway
from chalicelib.api.answers import OPERATIONS, Operation
from tests.contract.cast import Cast, Good
from tests.contract.contract import AnyCase, Contract, problem_of
from tests.contract.tally import Answered

assert gateway.BLUEPRINTS  # importing it registers every operation
KEY = "Idempotency-Key"
LONG = bool(os.environ.get("LONG"))
SEED = int(os.environ.get("SEED") or (secrets.randbelow(2**32) if LONG else 1))
EXAMPLES = 300 if LONG else 3
MOST_BOUNDS, MOST_MADE = 12, 400

at_random = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # what failed is not made smaller: the stage has moved on since
    suppress_health_check=list(HealthCheck),
)
# Of all operations that are read by the same headers, a few: the lines that read them are the same.
HEADERS_TRIED_AT = {
    one.label
    for said in {(one.act is None, one.changes) for one in OPERATIONS}
    for one in [one for one in OPERATIONS if (one.act is None, one.changes) == said][:3]
}
# Requests at random are a search: of every fourth operation in the gate.
AT_RANDOM = {one.label for one in OPERATIONS[:: 1 if LONG else 4]}
every_operation = pytest.mark.parametrize("promised", OPERATIONS, ids=lambda one: one.label)


def test_given_the_deployed_stack_when_asked_for_its_document_then_it_is_this_code_s(contract: Contract) -> None:
    served = {f"{method.upper()} {path}" for path, ways in contract.document["paths"].items() for method in ways}

    assert served == {one.label for one in OPERATIONS}


@every_operation
def test_given_a_good_request_when_something_is_wrong_with_it_then_refused_and_else_done_once(
    contract: Contract, cast: Cast, answered: Answered, promised: Operation
) -> None:
    good = cast.good(promised.label)
    operation = contract.operation(promised.label, good)
    key = {KEY: secrets.token_hex(8)} if promised.changes else {}

    def ask(headers: dict[str, str] = key, *, query: dict[str, str] | None = None, body: Any = None) -> Any:
        return contract.ask(_case(operation, good, headers, query, body), good.signer(), answered)

    def refusal(*arguments: Any, **named: Any) -> tuple[str, list[Any]]:
        said = problem_of(ask(*arguments, **named))
        return said["code"], [one.get("parameter") or one.get("pointer") for one in said.get("errors", [])]

    assert refusal(query={"no_such": "1"}) == ("invalid_fields", ["no_such"])
    if promised.method == "POST":
        assert refusal(body={**(good.body or {}), "no_such": 1}) == ("invalid_fields", ["/no_such"])
    if promised.changes:
        assert refusal({}) == ("idempotency_key_required", [])
    else:
        assert refusal({KEY: "k"}) == ("idempotency_key_not_taken", [])
    if promised.act is not None:
        for signer in (None, good.signer(secret="somebody else's")):
            refused = contract.ask(_case(operation, good, key), signer, answered)
            assert refused.status_code == 401

    done = ask()

    assert done.status_code == promised.status
    assert "idempotency-hit" not in done.headers
    if promised.changes:
        again = ask()
        assert (again.status_code, again.headers["idempotency-hit"]) == (promised.status, ["true"])
        assert _lasting(again.json()) == _lasting(done.json())


@every_operation
def test_given_requests_made_from_the_document_when_sent_then_answered_as_promised(
    contract: Contract, cast: Cast, answered: Answered, promised: Operation
) -> None:
    print(f"SEED={SEED}")
    good = cast.good(promised.label)
    operation = contract.operation(promised.label, good)

    for case in _bounds(operation, headers_too=LONG or promised.label in HEADERS_TRIED_AT):
        assert case.meta is not None
        _key(case, promised, fresh=case.meta.phase.data.parameter_location is not ParameterLocation.HEADER)
        contract.ask(case, good.signer(), answered)

    if promised.label not in AT_RANDOM:
        return
    # The operations that are open to all take nothing that could be wrong.
    modes = list(GenerationMode) if promised.act else [GenerationMode.POSITIVE]

    @seed(SEED)
    @at_random
    @given(
        case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)),
        known=st.booleans(),
    )
    def send(case: AnyCase, known: bool) -> None:
        assert case.meta is not None
        assume(all(map(_travels, case.query.values())))
        if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            case.body = _as_promised(case.body)
        if known and _is_right(case, ParameterLocation.PATH):
            case.path_parameters = dict(good.path)
        _key(case, promised, fresh=_is_right(case, ParameterLocation.HEADER))
        contract.ask(case, good.signer(), answered)

    send()


def _bounds(operation: Any, *, headers_too: bool) -> Iterator[AnyCase]:
    """Each bound, and ways past each; the gate sees one way of a kind past each, of many bounds one in so many, and
    those of headers at one operation of all that have the same headers."""
    generation, seen = operation.schema.config.generation, set()
    for mode in GenerationMode:
        made = operation.schema.iter_coverage_cases(operation, generation_modes=[mode], generation_config=generation)
        cases = list(made if LONG else islice(made, MOST_MADE))
        # A rule on who may claim holds rules: that alone is thousands of bounds.
        step = 1 if LONG or mode is GenerationMode.NEGATIVE else 1 + len(cases) // MOST_BOUNDS
        for case in cases[::step]:
            data = case.meta.phase.data
            kind = (mode, data.scenario, data.description, data.parameter, data.parameter_location)
            known = mode is GenerationMode.NEGATIVE and kind in seen and not LONG
            # Other methods are among the odd requests.
            of_headers = data.parameter_location is ParameterLocation.HEADER
            other_method = data.scenario is CoverageScenario.UNSPECIFIED_HTTP_METHOD
            if not known and not other_method and (headers_too or not of_headers):
                yield case
            seen.add(kind)


def _case(
    operation: Any, good: Good, headers: dict[str, str], query: dict[str, str] | None = None, body: Any = None
) -> AnyCase:
    sent = body or good.body
    more = {"body": sent, "media_type": "application/json"} if sent else {}
    case: AnyCase = operation.Case(
        path_parameters=dict(good.path), query={**good.query, **(query or {})}, headers=dict(headers), **more
    )
    return case


def _is_right(case: AnyCase, place: ParameterLocation) -> bool:
    """Whether what stands in this place of the request was made to be right."""
    component = case.meta.components.get(place) if case.meta else None
    return component is None or component.mode is GenerationMode.POSITIVE


def _key(case: AnyCase, promised: Operation, *, fresh: bool) -> None:
    """A key of its own, unless the key may be what is tried: else one request would be another's repetition."""
    if fresh and promised.changes:
        case.headers[KEY] = secrets.token_hex(8)


def _travels(value: Any) -> bool:
    """Whether anything of a query parameter is sent: an empty list or a null leaves the request without it."""
    return value is not None and (not isinstance(value, list) or any(one is not None for one in value))


def _as_promised(value: Any) -> Any:
    """What JSON Schema cannot say and the document's words do: 1.0 is no integer, and days have bounds."""
    if isinstance(value, dict):
        return {name: _as_promised(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_promised(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f"20{value[2:]}"  # the same day of this century, a 29th of February too
    return value


def _lasting(said: Any) -> Any:
    """Without what is told once only, or made anew each time: a secret, the address for a file."""
    return {**said, "secret": None, "upload": None, "download": None}
