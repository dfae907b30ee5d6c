"""The world in which each act of the crash matrix is tried."""

from collections.abc import Iterator
from functools import partial

import boto3
import pytest

from chalicelib import wiring
from chalicelib.integrations import outbound
from tests.engines import Engine, create_tables, delete_tables
from tests.faults.operations import Scene, a_scene
from tests.world import a_world


@pytest.fixture
def scene(engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Tables of its own for each subject, so that looking at all rows stays cheap; a queue where there is one."""
    elsewhere = engines["ministack"].endpoint
    endpoint = engines["dynamodb-local"].endpoint or elsewhere
    assert endpoint is not None
    assert elsewhere is not None
    # What fails here does so by plan: a machine that is busy is no fault.
    monkeypatch.setattr(outbound, "post", partial(outbound.post, seconds=60.0))
    monkeypatch.setattr(outbound, "CONNECT_SECONDS", 30.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", elsewhere)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", elsewhere)
    monkeypatch.setenv("ELSEWHERE", elsewhere)
    environment = create_tables(endpoint)
    queue = boto3.client("sqs").create_queue(QueueName="crash-matrix")["QueueUrl"]
    environment |= {
        "SWEEPS_QUEUE_URL": queue,
        "AMENDMENTS_QUEUE_URL": queue,
        "ROSTERS_QUEUE_URL": queue,
        "MONEY_QUEUE_URL": queue,
    }
    bucket = boto3.client("s3")
    bucket.create_bucket(Bucket="crash-matrix")
    bucket.put_bucket_versioning(Bucket="crash-matrix", VersioningConfiguration={"Status": "Enabled"})
    environment |= {"BUCKET": "crash-matrix"}
    made = a_scene(a_world(environment))
    wiring.use(made.world.platform)
    yield made
    wiring.use(None)
    delete_tables(environment)
