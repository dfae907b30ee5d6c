"""The queue by which a sweep that runs out of time asks to be called again."""

import json
from functools import cached_property
from typing import Any


class SweepQueue:
    def __init__(self, queue_url: str, region: str | None) -> None:
        self._queue_url = queue_url
        self._region = region

    def ask(self, sweep: str) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps({"sweep": sweep}))

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        # The sweep asks at the end of its time: what is not through within seconds, its next run asks again.
        patience = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3, "mode": "standard"})
        return Session().create_client("sqs", region_name=self._region, config=patience)
