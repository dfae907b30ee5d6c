"""A container of the API: the real app, called with API Gateway's events as Lambda calls it, one after another.

A process of its own, asked like the floor: first its settings, then blocks ``{"events": […], "record": false}``.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.floor import Act, lines, measure, say


class Context:
    """What Lambda hands over beside the event, as far as anybody looks at it."""

    aws_request_id = "3f7a1f0c-1b5e-4c55-9f5e-bench0000001"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def recorded(client: Any, told: list[tuple[str, Any]]) -> Iterator[None]:
    """Every request to DynamoDB as it goes over the wire: ``[operation, parameters]``."""

    def note(model: Any, params: dict[str, Any], **_: object) -> None:
        told.append((model.name, json.loads(params["body"])))

    client.meta.events.register("before-call.dynamodb", note)
    yield
    client.meta.events.unregister("before-call.dynamodb", note)


def start(settings: dict[str, Any]) -> tuple[Any, Any]:
    """What a container does before its first request, but for fetching its keys: the app, and its DynamoDB client."""
    from app import app
    from chalicelib import wiring
    from chalicelib.config import read_settings
    from chalicelib.integrations.keyring import read_keyring

    rings = read_keyring(settings["keys"]), read_keyring(settings["pepper"])
    platform = wiring.build(read_settings(), load_keys=lambda: rings, endpoint=settings["endpoint"])
    wiring.use(platform)
    people: Any = platform.people
    return app, people._tables.connection.client


def main() -> None:
    questions, answers = lines()
    settings = json.loads(questions.readline())
    os.environ.update(settings["environment"])
    started = measure([lambda: start(settings)])
    ((app, client),) = started.pop("gave")
    context = Context()

    def ask(event: dict[str, Any]) -> Act:
        return lambda: app(event, context)

    for question in questions:
        asked = json.loads(question)
        told: list[list[tuple[str, Any]]] = []
        if asked["record"]:
            measured: dict[str, list[Any]] = {"wall": [], "cpu": [], "gave": []}
            for event in asked["events"]:
                told.append([])
                with recorded(client, told[-1]):
                    one = measure([ask(event)])
                for name, values in one.items():
                    measured[name] += values
        else:
            measured = measure([ask(event) for event in asked["events"]])
        say(answers, {**measured, "told": told, "resident": resident_bytes(), "started": started})


if __name__ == "__main__":
    main()
