"""Logs, metrics and traces: one line and one count for each outcome, and nothing personal in either."""

import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.tracing import Tracer

NAMESPACE = "TrainingVoucher"


@cache
def logger() -> Logger:
    """The one logger; service (with the stage in it) and level come from POWERTOOLS_SERVICE_NAME and …_LOG_LEVEL."""
    return Logger(logger_formatter=_OneLine(use_rfc3339=True, utc=True))


def log_outcome(message: str, *, failed: bool = False, **facts: Any) -> None:
    """One line for what came out of a request, a message or a sweep."""
    (logger().error if failed else logger().info)(message, extra={"facts": facts})


def count_outcome(operation: str, outcome: str, times: int = 1) -> None:
    """Count an outcome (``ok`` or an error's code) of an operation; ``times``: how often at once."""
    # A line of CloudWatch's embedded metric format. Powertools makes a provider anew for each: seven times as long.
    told = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service", "operation"]],
        "Metrics": [{"Name": outcome, "Unit": "Count"}],
    }
    line = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [told]},
        "service": logger().service,
        "operation": operation,
        outcome: [float(times)],
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


class _OneLine(LambdaPowertoolsFormatter):
    """The same line as Powertools', which looks each through for what it may hold: more than twice the time."""

    def format(self, record: Any) -> str:
        line = {
            "level": record.levelname,
            "message": record.getMessage(),
            "timestamp": self.formatTime(record),
            "service": self.log_format["service"],
            **getattr(record, "facts", {}),
            "xray_trace_id": self._get_latest_trace_id(),
        }
        return self.serialize({name: value for name, value in line.items() if value is not None})


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
