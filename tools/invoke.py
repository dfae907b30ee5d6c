"""Invoke a deployed function with an event file: ``make invoke EVENT=events/expire.schedule.json``.

The file's name up to the first dot names the function (``api``, ``expire``, ``count_offers``, ``continue_expiry``,
``amend_vouchers``, ``import_rosters``, ``settle_money``, ``remind``, ``release``, ``follow_people``).
A running local stack (``make run``) is used; without one, a stack is started for this one call.
"""

import argparse
import base64
import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from rich.console import Console
from rich.json import JSON

from tools.local_stack import CREDENTIALS, REGION, local_stack, running_stack


def function_of(event: Path, stage: str) -> str:
    """The deployed name of the function that an event file is for."""
    function = event.name.split(".", 1)[0].replace("_", "-")
    return f"training-voucher-{stage}-{function}"


def invoke(endpoint: str, function: str, event: bytes) -> tuple[Any, str, bool]:
    """Invoke and wait: the answer, the tail of the log, and whether it succeeded."""
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        # As long as a function may take, and once: a second try would run the event twice.
        config=Config(read_timeout=310, retries={"total_max_attempts": 1}),
    )
    answer = client.invoke(FunctionName=function, Payload=event, LogType="Tail")
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    return json.loads(answer["Payload"].read() or b"null"), log, "FunctionError" not in answer


def main() -> None:
    parser = argparse.ArgumentParser(description="Invoke a function of the local stack with an event file.")
    parser.add_argument("event", type=Path)
    path: Path = parser.parse_args().event
    console = Console(soft_wrap=True)
    try:
        event = path.read_bytes()
        json.loads(event)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from error
    running = running_stack()
    with local_stack(console=console) if running is None else nullcontext() as started:
        endpoint = started.endpoint if started else (running or {})["endpoint"]
        stage = started.stage if started else (running or {})["stage"]
        function = function_of(path, stage)
        began = time.monotonic()
        try:
            answer, log, succeeded = invoke(endpoint, function, event)
        except ClientError as error:
            raise SystemExit(f"{function}: {error}") from error
        console.print(f"{function} {time.monotonic() - began:.1f} s", highlight=False)
        if log.strip():
            console.print(log.strip(), markup=False, highlight=False)
        console.print(JSON(json.dumps(answer, ensure_ascii=False)))
    raise SystemExit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
