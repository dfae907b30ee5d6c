"""As many lines as an application may have, from the finished class to the written-off voucher; fewer in the gate."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from chalicelib.domain.application import MOST_LINES, ApplicationState, Decision, Filter, LineVerdict
from chalicelib.domain.payment import BatchState
from chalicelib.domain.programme import Payee
from chalicelib.domain.voucher import State
from chalicelib.services import reviewing
from tests.classroom import HOUR, at, check_in, enrol, finish, open_class, plan, used
from tests.paying import answer, batch_of, file_of, make_file, open_batch, payees, pays_to, row, with_account, work_on
from tests.settling import REVIEWER, apply_for, read, with_clerks, work
from tests.world import World

PEOPLE = MOST_LINES if os.environ.get("LONG") else 60


@pytest.mark.parametrize("payee", [Payee.INSTITUTION, Payee.PERSON])
def test_given_a_class_as_large_as_may_be_when_it_is_paid_for_then_every_line_once_and_to_the_fen(
    town: World, payee: Payee, record_property: Callable[[str, object], None]
) -> None:
    with_account(with_clerks(town))
    seconds = dict[str, float]()

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[what] = time.perf_counter() - began

    pays_to(town, payee)
    template = town.publish(PEOPLE)
    training = open_class(town, [plan(town.now + HOUR, hours=1)], capacity=PEOPLE)
    came = [used(town, template) for _ in range(PEOPLE)]
    ids = [voucher_id for _, voucher_id in came]
    for i in range(0, PEOPLE, 20):
        enrol(town, training, *ids[i : i + 20])
    at(town, training.sessions[0].starts_at)
    for person, _ in came:
        check_in(town, person, training)
    at(town, training.sessions[0].ends_at)
    with timed("finished"):
        finish(town, training)
    with timed("applied for"):
        application = apply_for(town, training).answer
        work(town, application)
    assert (read(town, application).state, read(town, application).lines) == (ApplicationState.SUBMITTED, PEOPLE)
    with timed("granted in bulk"):
        granted = Decision(LineVerdict.APPROVE)
        reviewing.review_in_bulk(town.platform, application.application_id, Filter(), granted, **town.by(REVIEWER))
        work(town, application)
    assert read(town, application).state is ApplicationState.DECIDED
    with timed("gathered in a batch"):
        batch = open_batch(town, application)
        work_on(town, batch)
    with timed("bank file"):
        make_file(town, batch_of(town, batch))
    there = payees(town, batch)
    assert len(there) == (PEOPLE if payee is Payee.PERSON else 1)
    assert sum(one.fen for one in there) == PEOPLE * template.ceiling_fen
    assert len(file_of(town, batch)) == 2 + len(there)
    with timed("bank's answer, settled"):
        answer(town, [row(one) for one in there])
        work_on(town, batch)
    done = read(town, application)
    assert (done.state, done.paid_fen) == (ApplicationState.SETTLED, PEOPLE * template.ceiling_fen)
    assert batch_of(town, batch).state is BatchState.CLOSED
    at(town, town.now + timedelta(days=1))
    with timed("written off"):
        sweep = town.expire()
    assert (sweep.written_off, sweep.finished) == (PEOPLE, True)
    ends = [one.state for one in town.vouchers() if one.template_id == template.template_id]
    assert ends == PEOPLE * [State.WRITTEN_OFF]
    record_property(
        "told", f"{PEOPLE} lines paid to {payee}: " + ", ".join(f"{k} {v:.1f} s" for k, v in seconds.items())
    )
