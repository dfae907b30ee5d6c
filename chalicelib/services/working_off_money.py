"""Go on with an application, a payment batch, or the end of a class, whatever is next: the money function's one act."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.application import Application, ApplicationState, MoneyErrand
from chalicelib.domain.payment import BatchState
from chalicelib.services import applying, enrolling, paying, reviewing, settling_payments
from chalicelib.services.ports import Platform


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to. ``next_errand``: what is left to do, after ``delay``."""

    outcome: str
    next_errand: MoneyErrand | None = None
    delay: timedelta = timedelta()


def carry_out(
    p: Platform, errand: MoneyErrand, *, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Run:
    """``may_go_on`` is asked before each chunk. Raises Contended, Unavailable."""
    if errand.noun == "batch":
        return _carry_out_batch(p, errand, moment, may_go_on)
    if errand.noun == "class":
        told, all_of_them = enrolling.tell_the_rest(p, errand.id, now=moment(), may_go_on=may_go_on)
        if not all_of_them:
            return Run("handed_on", replace(errand, tried=0 if told else errand.tried + 1))
        return Run("told" if told else "nothing_to_do")
    application = p.applications.read(errand.id) if errand.noun == "application" else None
    if application is None:
        return Run("unknown")
    after = _go_on(p, application, moment, may_go_on)
    if _has_more(after):
        return Run("handed_on", replace(errand, tried=0 if after.version > application.version else errand.tried + 1))
    return Run(after.state if after.version > application.version else "nothing_to_do")


def _carry_out_batch(
    p: Platform, errand: MoneyErrand, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Run:
    batch = p.payments.read(errand.id)
    if batch is None:
        return Run("unknown")
    after = paying.gather(p, batch, moment=moment, may_go_on=may_go_on)
    after = settling_payments.settle_payees(p, after, moment=moment, may_go_on=may_go_on)
    if after.state is BatchState.BUILDING or settling_payments.has_to_settle(after):
        return Run("handed_on", replace(errand, tried=0 if after.version > batch.version else errand.tried + 1))
    return Run(after.state if after.version > batch.version else "nothing_to_do")


def _go_on(
    p: Platform, application: Application, moment: Callable[[], datetime], may_go_on: Callable[[], bool]
) -> Application:
    match application.state:
        case ApplicationState.COLLECTING:
            return applying.collect(p, application, moment=moment, may_go_on=may_go_on)
        case ApplicationState.CANCELLING:
            return applying.take_back(p, application, moment=moment, may_go_on=may_go_on)
        case _:
            return reviewing.go_on_in_bulk(p, application, moment=moment, may_go_on=may_go_on)


def _has_more(application: Application) -> bool:
    at_work = application.state in (ApplicationState.COLLECTING, ApplicationState.CANCELLING)
    return at_work or reviewing.has_more_in_bulk(application)
