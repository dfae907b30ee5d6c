"""The bare floor: the handler's own wire requests, with fresh keys, through plain botocore. It imports nothing of ours.

A process of its own. It reads one JSON text a line and answers each with one: first its settings, then blocks of
requests; every request is the list of calls that one request to the handler made, as ``[operation, parameters]``.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

Act = Callable[[], object]


def measure(acts: list[Act]) -> dict[str, list[Any]]:
    """Carry out one after another; for each its seconds, its seconds of this process's CPU, and what it gave."""
    wall, cpu, gave = [], [], []
    for act in acts:
        began, began_cpu = time.perf_counter(), time.process_time()
        gave.append(act())
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    return {"wall": wall, "cpu": cpu, "gave": gave}


def lines() -> tuple[TextIO, TextIO]:
    """Where questions come from and answers go to; what else is printed goes nowhere, but is printed all the same."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return sys.stdin, answers


def say(answers: TextIO, answer: object) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main() -> None:
    import botocore.session

    questions, answers = lines()
    settings = json.loads(questions.readline())
    client = botocore.session.get_session().create_client(
        "dynamodb", region_name=settings["region"], endpoint_url=settings["endpoint"]
    )

    def replay(calls: list[tuple[str, dict[str, Any]]]) -> Act:
        methods = [(getattr(client, operation), parameters) for operation, parameters in calls]

        def act() -> None:
            for method, parameters in methods:
                method(**parameters)

        return act

    for question in questions:
        say(answers, measure([replay(calls) for calls in json.loads(question)]))


if __name__ == "__main__":
    main()
