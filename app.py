"""The Chalice app: middleware, blueprints, and every queue, schedule and stream handler."""

from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Cron

from chalicelib.api import gateway
from chalicelib.jobs import expiring, watching

app = Chalice(app_name="training-voucher", configure_logs=False)
gateway.open_to(app)


# 00:05 in China; schedules can fire twice, the job does not mind.
@app.schedule(Cron(5, 16, "*", "*", "?", "*"), name="expire")
def expire(event: CloudWatchEvent) -> dict[str, Any]:
    return expiring.run(event.context)  # type: ignore[arg-type]  # Chalice calls Lambda's context a dict


@app.lambda_function(name="continue_expiry")
def continue_expiry(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return expiring.go_on(event, context)


@app.lambda_function(name="follow_people")
def follow_people(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return watching.run(event)
