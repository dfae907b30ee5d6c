"""The bucket: what is uploaded, what is made of it, and the addresses by which people put and fetch files."""

import base64
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import quote

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.stored_file import Download, Stored, Upload

# Long enough for 50 MB over a slow line to begin; a result holds people's data, so its address is good for less.
UPLOAD_FOR, DOWNLOAD_FOR = timedelta(minutes=15), timedelta(minutes=5)
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405"}  # the last two: a delete marker


class FileStore:
    def __init__(self, bucket: str, region: str | None) -> None:
        self._bucket = bucket
        self._region = region

    def upload_url(self, key: str, *, size: int, sha256: str, now: datetime) -> Upload:
        # Both are signed: another file than the one that was declared is refused by the bucket itself.
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        said = {"Bucket": self._bucket, "Key": key, "ContentLength": size, "ChecksumSHA256": checksum}
        url = self._client.generate_presigned_url("put_object", Params=said, ExpiresIn=_seconds(UPLOAD_FOR))
        headers = {"Content-Length": str(size), "x-amz-checksum-sha256": checksum}
        return Upload("PUT", url, headers, now + UPLOAD_FOR)

    def download_url(self, key: str, file_name: str, now: datetime) -> Download:
        disposition = f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
        said = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": disposition}
        url = self._client.generate_presigned_url("get_object", Params=said, ExpiresIn=_seconds(DOWNLOAD_FOR))
        return Download(url, now + DOWNLOAD_FOR)

    def exists(self, key: str) -> bool:
        return self.look(key, None) is not None

    def look(self, key: str, version: str | None) -> Stored | None:
        head = self._ask("head_object", key, version)
        if head is None:
            return None
        return Stored(head["ContentLength"], head.get("VersionId"), head["LastModified"], head.get("Metadata", {}))

    def read(self, key: str, version: str | None, most: int) -> bytes | None:
        there = self._ask("get_object", key, version)
        if there is None:
            return None
        # What it says of its length is the bucket's word, not the sender's.
        content: bytes = there["Body"].read(most + 1)
        return content if len(content) <= most else None

    def write(self, key: str, file: BinaryIO, content_type: str) -> None:
        self._call("put_object", Bucket=self._bucket, Key=key, Body=file, ContentType=content_type)

    def _ask(self, operation: str, key: str, version: str | None) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        which = {"VersionId": version} if version else {}
        try:
            return self._call(operation, Bucket=self._bucket, Key=key, **which)
        except ClientError as refused:
            if refused.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise

    def _call(self, operation: str, **said: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**said)
            return answer
        except BotoCoreError as failed:
            raise Unavailable() from failed
        except ClientError as failed:
            status = failed.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or failed.response.get("Error", {}).get("Code") == "SlowDown":
                raise Unavailable() from failed
            raise

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        config = Config(
            connect_timeout=1,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
            signature_version="s3v4",
            # Or a presigned address would ask whoever uses it for a checksum that they do not know of.
            request_checksum_calculation="when_required",
        )
        return Session().create_client("s3", region_name=self._region, config=config)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
