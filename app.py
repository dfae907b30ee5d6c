"""The Chalice app: middleware, blueprints, and every queue, schedule and stream handler."""

import gc
from typing import Any

gc.disable()  # what imports make stays: to look through it again and again costs an eighth of a cold start

from chalice.app import Chalice, CloudWatchEvent, Cron, Rate  # noqa: E402

from chalicelib.api import gateway  # noqa: E402
from chalicelib.jobs import (  # noqa: E402
    amending,
    counting,
    importing,
    releasing,
    reminding,
    settling,
    sweeping,
    watching,
)

app = Chalice(app_name="training-voucher", configure_logs=False)
gateway.open_to(app)


# 00:05 in China; schedules can fire twice, the job does not mind.
@app.schedule(Cron(5, 16, "*", "*", "?", "*"), name="expire")
def expire(event: CloudWatchEvent) -> dict[str, Any]:
    return sweeping.run(event.context)  # type: ignore[arg-type]  # Chalice calls Lambda's context a dict


# 00:15 in China, when the sweep has had its first minutes.
@app.schedule(Cron(15, 16, "*", "*", "?", "*"), name="remind")
def remind(event: CloudWatchEvent) -> dict[str, Any]:
    return reminding.run(event.context)  # type: ignore[arg-type]  # Chalice calls Lambda's context a dict


@app.schedule(Rate(1, unit=Rate.MINUTES), name="count_offers")
def count_offers(event: CloudWatchEvent) -> dict[str, Any]:
    return counting.run(event.context)  # type: ignore[arg-type]  # Chalice calls Lambda's context a dict


# What a region closes or lets expire is soon there to be published again; and no account is posted to more often.
@app.schedule(Rate(10, unit=Rate.MINUTES), name="release")
def release(event: CloudWatchEvent) -> dict[str, Any]:
    return releasing.run(event.context)  # type: ignore[arg-type]  # Chalice calls Lambda's context a dict


@app.lambda_function(name="continue_expiry")
def continue_expiry(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return sweeping.go_on(event, context)


@app.lambda_function(name="amend_vouchers")
def amend_vouchers(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return amending.run(event, context)


@app.lambda_function(name="import_rosters")
def import_rosters(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return importing.run(event, context)


@app.lambda_function(name="settle_money")
def settle_money(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return settling.run(event, context)


@app.lambda_function(name="follow_people")
def follow_people(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return watching.run(event)


# And no request pays for it either; what requests make is mostly gone by itself before it is worth a look.
gc.freeze()
gc.set_threshold(20_000, 10, 10)
gc.enable()
