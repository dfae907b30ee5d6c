"""Who is who on the local stage: the demo's clients, operators and e-SSC platform, kept in ``.local/demo.json``.

All of it is made up anew with each local stack; nothing here is known to any other stage.
"""

import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.config import read_settings
from chalicelib.domain.person import Profile
from chalicelib.integrations.essc_platform import DemoPlatform, OperatorKey
from chalicelib.storage.checkpoints import MovedClock
from chalicelib.storage.tables import Tables
from tools.api_client import ApiClient, Operator
from tools.local_stack import LOCAL, running_stack

KEPT = LOCAL / "demo.json"


class NothingRuns(Exception):
    """No local stack to talk to; the message says what to do."""


@dataclass
class DemoStage:
    """A local stack and the credentials of all who act on it. ``clients`` by short name: ministry, channel, desk …"""

    base_url: str
    environment: dict[str, str]
    essc_seed: str
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def essc(self) -> DemoPlatform:
        return DemoPlatform(bytes.fromhex(self.essc_seed))

    def admit(self, name: str, app_key: str, secret: str, operator: Operator | None = None) -> ApiClient:
        """Remember a client by a short name."""
        signer = {"operator_id": operator.operator_id, "seed": operator.seed} if operator else None
        self.clients[name] = {"app_key": app_key, "secret": secret, "operator": signer}
        return self.client(name)

    def client(self, name: str) -> ApiClient:
        known = self.clients.get(name)
        if known is None:
            raise SystemExit(f"nobody here is called {name}; there are: {', '.join(self.clients)}")
        operator = Operator(**known["operator"]) if known["operator"] else None
        return ApiClient(self.base_url, known["app_key"], known["secret"], operator)

    def assertion(self, client: ApiClient, person: Profile, purpose: str, subject: str | None = None) -> str:
        """What the e-SSC platform says of a person to this client."""
        return self.essc.assertion(
            person,
            app_key=client.app_key,
            purpose=purpose,
            subject=subject if purpose != "session" else None,
            jti=secrets.token_hex(12),
            now=client.now(),
        )

    def session(self, client: ApiClient, person: Profile) -> str:
        """A holder session of this person in this channel."""
        body = {"assertion": self.assertion(client, person, "session")}
        answer = client.call("POST", "/v1/sessions", body=body)
        session: str = client.must(answer, "POST", "/v1/sessions")["session"]
        return session

    def clock_offset(self) -> timedelta:
        return self._clock().offset()

    def move_clock(self, offset: timedelta) -> None:
        self._clock().move(offset)

    def keep(self, path: Path = KEPT) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.__dict__, ensure_ascii=False, indent=2))

    def _clock(self) -> MovedClock:
        return MovedClock(Tables(read_settings(self.environment), self.environment["AWS_ENDPOINT_URL"]))


def open_stage(path: Path = KEPT) -> DemoStage:
    """The stage that ``make run`` keeps open. Raises NothingRuns."""
    running = running_stack()
    if running is None or not path.exists():
        raise NothingRuns("no local stack is running here; start one with: make run")
    stage = DemoStage(**json.loads(path.read_text()))
    if stage.base_url != running["base_url"]:
        raise NothingRuns("the local stack that runs here is still starting; try again in a moment")
    os.environ.update(stage.environment)  # MiniStack's credentials, never the machine's own
    return stage


def new_operator_key() -> tuple[str, str]:
    """(seed in hex, public key) of a new operator's device."""
    seed = secrets.token_bytes(32)
    return seed.hex(), OperatorKey(seed).public_key
