"""A network that fails on purpose, under botocore and under every other client that stands on urllib3.

``with under(plan):`` asks the plan about each call before it goes out, and does to it what the plan says. DynamoDB
Local and MiniStack never answer a conflict, a transaction in progress or throttling by themselves; here they do. While
a plan is in force nobody waits between two tries: what is only made up needs no patience.
"""

import io
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from urllib3 import HTTPResponse
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError, ReadTimeoutError
from urllib3.util.retry import Retry

from tests.services.faults import PowerCut

_send = HTTPConnectionPool.urlopen
_sleep = time.sleep
SLOW_SECONDS = 0.05


class Fault(StrEnum):
    """What can happen to a call."""

    UNSENT = "unsent"  # it never reaches the service
    LOST = "lost"  # it takes effect, and no answer comes back
    FAILED = "failed"  # it takes effect, and the answer is a failure of the service (500)
    CUT_BEFORE = "cut before"  # the machine stops before it is sent
    CUT_AFTER = "cut after"  # it takes effect, and the machine stops
    SLOW = "slow"  # it takes effect, late
    THROTTLED = "throttled"  # refused for the moment: nothing took effect
    CONFLICT = "conflict"  # DynamoDB: a transaction or another write was in the way
    IN_PROGRESS = "in progress"  # DynamoDB: the transaction of this token is still being carried out


@dataclass(frozen=True, slots=True)
class Call:
    """One try of one call: its operation (``POST host/path`` when it is not DynamoDB's), the tables that it touches
    and how many rows, of the catalogue which noun, which call since the plan began, and which try of it; both count
    from 1."""

    operation: str
    tables: tuple[str, ...]
    rows: int
    number: int
    attempt: int
    noun: str = ""

    def __str__(self) -> str:
        rows = f" {self.rows}" if self.rows > 1 else ""
        return f"{self.operation}{rows} {'+'.join(self.tables)} {self.noun}".strip()

    @property
    def is_transaction(self) -> bool:
        return self.operation == "TransactWriteItems"


Plan = Callable[[Call], Fault | None]


@contextmanager
def under(plan: Plan) -> Iterator[None]:
    """Let the plan decide about every call of this process, in whatever thread, until the end of the block."""
    counted = _Counted()

    def urlopen(pool: Any, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any) -> Any:
        said = {_text(name).lower(): _text(value) for name, value in (headers or {}).items()}
        call = counted.call(pool.host, method, url, body, said)

        def send() -> Any:
            return _send(pool, method, url, body=body, headers=headers, **kwargs)

        def lose(error: Exception) -> None:
            # As urllib3 itself does it: clients that let it try again, or want to, get its error about that.
            Retry.from_int(kwargs.get("retries")).increment(method, url, error=error, _pool=pool)
            raise error

        return _happen(plan(call), call, pool, url, send, lose)

    with patch.object(HTTPConnectionPool, "urlopen", urlopen), patch.object(time, "sleep", lambda _: None):
        yield


class Recorded:
    """A plan in which nothing happens: it remembers what was called."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> None:
        self.calls.append(call)


class At:
    """One fault, at one call: at its first try only, or (``always``) at each, so that trying again does not help."""

    def __init__(self, number: int, fault: Fault, *, always: bool = False) -> None:
        self._number, self._fault, self._always = number, fault, always
        self.met = 0

    def __call__(self, call: Call) -> Fault | None:
        if call.number != self._number or (call.attempt > 1 and not self._always):
            return None
        self.met += 1
        return self._fault


class AtRandom:
    """Faults of these kinds at this rate of the calls, the same for the same seed; counts what it did.

    Half of them meet the first try of a call only; the others stay, so that trying again does not help.
    """

    def __init__(self, seed: int | str, rate: float, kinds: Sequence[Fault] = tuple(Fault)) -> None:
        self._dice = random.Random(seed)
        self._rate, self._kinds = rate, tuple(kinds)
        self._staying: dict[int, Fault] = {}
        self._lock = threading.Lock()
        self.calls = 0
        self.faults: Counter[Fault] = Counter()

    def __call__(self, call: Call) -> Fault | None:
        with self._lock:
            if call.attempt > 1:
                return self._staying.get(call.number)
            self.calls += 1
            meets = self._dice.random() < self._rate
            possible = [kind for kind in self._kinds if can_meet(call, kind)]
            if not meets or not possible:
                return None
            fault = self._dice.choice(possible)
            if self._dice.random() < 0.5:
                self._staying[call.number] = fault
            self.faults[fault] += 1
            return fault


def can_meet(call: Call, fault: Fault) -> bool:
    """Whether the real service could do this to such a call."""
    if fault is Fault.IN_PROGRESS:
        return call.is_transaction
    if fault is Fault.CONFLICT:
        return call.is_transaction or call.operation in ("UpdateItem", "PutItem", "DeleteItem")
    if fault is Fault.THROTTLED:
        return "/" not in call.operation
    return True


class _Counted:
    """Numbers the calls and their tries. A try belongs to the call whose invocation id it carries."""

    def __init__(self) -> None:
        self._tries: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def call(self, host: str, method: str, url: str, body: Any, headers: dict[str, str]) -> Call:
        with self._lock:
            invocation = headers.get("amz-sdk-invocation-id", f"own-{len(self._numbers)}")
            number = self._numbers.setdefault(invocation, len(self._numbers) + 1)
            self._tries[invocation] += 1
            attempt = self._tries[invocation]
        target = headers.get("x-amz-target", "")
        if not target.startswith("DynamoDB"):
            operation = target.rpartition(".")[2] or f"{method} {host}{_NAME.sub('*', url.partition('?')[0])}"
            return Call(operation, (), 1, number, attempt)
        asked = json.loads(body)
        return Call(target.rpartition(".")[2], *_touched(asked), number, attempt, _noun(asked))


_NAME = re.compile(r"[A-Z2-7]{16}")
"""An id of ours in the name of an object."""


def _noun(asked: dict[str, Any]) -> str:
    """What stands in the catalogue's row that a GetItem asks for: CLIENT, OPERATOR, TEMPLATE."""
    if not str(asked.get("TableName", "")).startswith("catalogue"):
        return ""
    return str(asked.get("Key", {}).get("subject", {}).get("S", "")).partition("#")[0]


def _touched(asked: dict[str, Any]) -> tuple[tuple[str, ...], int]:
    if "TransactItems" in asked:
        names = [act["TableName"] for item in asked["TransactItems"] for act in item.values()]
    elif "RequestItems" in asked:
        names = [name for name, wanted in asked["RequestItems"].items() for _ in wanted["Keys"]]
    else:
        names = [asked["TableName"]]
    return tuple(sorted({name.partition("-")[0] for name in names})), len(names)


def _happen(
    fault: Fault | None, call: Call, pool: Any, url: str, send: Callable[[], Any], lose: Callable[[Exception], None]
) -> Any:
    match fault:
        case None:
            return send()
        case Fault.SLOW:
            _sleep(SLOW_SECONDS)
            return send()
        case Fault.UNSENT:
            return lose(NewConnectionError(pool, "made up: the network is down"))
        case Fault.CUT_BEFORE:
            raise PowerCut
        case Fault.THROTTLED:
            if call.is_transaction:
                return _cancelled(call, "ThrottlingError")
            busy = "ProvisionedThroughputExceededException" if call.tables else "ThrottlingException"
            return _refused(400, busy, call)
        case Fault.CONFLICT:
            return _cancelled(call, "TransactionConflict") if call.is_transaction else _conflict(call)
        case Fault.IN_PROGRESS:
            return _refused(400, "TransactionInProgressException", call)
    answer = send()
    answer.drain_conn()  # it has arrived in full; only nobody will see it
    if fault is Fault.CUT_AFTER:
        raise PowerCut
    if fault is Fault.FAILED:
        return _refused(500, "InternalServerError", call)
    return lose(ReadTimeoutError(pool, url, "made up: the answer was lost"))


def _conflict(call: Call) -> HTTPResponse:
    return _refused(400, "TransactionConflictException", call)


def _cancelled(call: Call, code: str) -> HTTPResponse:
    """As DynamoDB says it: a reason for each action, and only one of them was in the way."""
    reasons = [{"Code": "None"}] * (call.rows - 1) + [{"Code": code, "Message": "made up"}]
    return _refused(400, "TransactionCanceledException", call, CancellationReasons=reasons)


def _refused(status: int, error: str, call: Call, **more: Any) -> HTTPResponse:
    said = {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", "message": f"made up for {call}", **more}
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return HTTPResponse(io.BytesIO(json.dumps(said).encode()), headers, status, preload_content=False)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
