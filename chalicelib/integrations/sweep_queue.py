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
        from botocore.session import Session

        return Session().create_client("sqs", region_name=self._region)
