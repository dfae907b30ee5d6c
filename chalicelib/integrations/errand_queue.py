"""The queues by which a job is asked to begin, to go on, to look again: of amendments, of rosters."""

from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol

from chalicelib.domain.errors import Unavailable


class Written(Protocol):
    def text(self) -> str: ...


class ErrandQueue:
    def __init__(self, queue_url: str, region: str | None) -> None:
        self._queue_url = queue_url
        self._region = region

    def ask(self, errand: Written, delay: timedelta) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        seconds = int(delay.total_seconds())
        try:
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=errand.text(), DelaySeconds=seconds)
        except (BotoCoreError, ClientError) as failed:
            raise Unavailable() from failed

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        # A request waits for the answer: what is not through within seconds is asked for again by its repetition.
        patience = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3, "mode": "standard"})
        return Session().create_client("sqs", region_name=self._region, config=patience)
