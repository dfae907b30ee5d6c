"""Logs, metrics and traces: one line and one count for each outcome, and nothing personal in either."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.tracing import Tracer

NAMESPACE = "TrainingVoucher"


@cache
def logger() -> Logger:
    """The one logger; service (with the stage in it) and level come from POWERTOOLS_SERVICE_NAME and …_LOG_LEVEL."""
    return Logger(location=None)  # always log_outcome below, so of no use


def log_outcome(message: str, *, failed: bool = False, **facts: Any) -> None:
    """One line for what came out of a request, a message or a sweep."""
    (logger().error if failed else logger().info)(message, extra=facts)


def count_outcome(operation: str, outcome: str) -> None:
    """Count an outcome (``ok`` or an error's code) of an operation."""
    service = {"service": logger().service}
    with single_metric(
        name=outcome, unit=MetricUnit.Count, value=1, namespace=NAMESPACE, default_dimensions=service
    ) as metric:
        metric.add_dimension("operation", operation)


@contextmanager
def traced(name: str) -> Iterator[None]:
    """A subsegment in X-Ray; free of cost where nothing is traced."""
    tracer = _tracer()
    if tracer is None:
        yield
        return
    with tracer.provider.in_subsegment(f"## {name}"):
        yield


def stack_of(error: BaseException) -> list[str]:
    """Types and places of an error and its causes. Messages are left out: those of others may hold what was sent."""
    lines: list[str] = []
    one: BaseException | None = error
    while one is not None and len(lines) < 60:
        frames = traceback.extract_tb(one.__traceback__)[-15:]
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}")
        lines.extend(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        one = one.__cause__ or one.__context__
    return lines


def masked_key(app_key: str) -> str:
    """An app key as it may stand in a log."""
    return app_key[:4] + "…" if app_key else ""


@cache
def _tracer() -> Tracer | None:
    # Making a Tracer imports the X-Ray SDK, a third of a second. Powertools knows without it whether it will be off:
    # outside Lambda, or by POWERTOOLS_TRACE_DISABLED.
    if Tracer._is_tracer_disabled():
        return None
    return Tracer(patch_modules=["botocore"])
