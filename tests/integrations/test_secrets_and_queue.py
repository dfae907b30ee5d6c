"""The two calls to AWS that are no DynamoDB: reading a keyring from its secret, and asking a sweep to go on."""

import json
from datetime import date, timedelta

import boto3
import pytest
from moto import mock_aws

from chalicelib.domain.amendment import Errand
from chalicelib.domain.errors import Unavailable
from chalicelib.integrations.errand_queue import ErrandQueue
from chalicelib.integrations.keyring import BadKeyring, load_keyrings
from chalicelib.integrations.sweep_queue import SweepQueue

REGION = "cn-north-1"
MATERIAL = "0123456789abcdefghijklmnopqrstuv"


@mock_aws
def test_given_a_generated_secret_when_loaded_then_it_is_a_ring_of_one_version() -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="platform-keys", SecretString=json.dumps({"current": "1", "1": MATERIAL}))

    (ring,) = load_keyrings(["platform-keys"], REGION)

    assert ring.versions() == ("1",)
    assert ring.materials["1"] == MATERIAL.encode()
    assert MATERIAL not in repr(ring)


@mock_aws
def test_given_a_rotated_secret_when_loaded_then_the_new_version_comes_first() -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="pepper", SecretString=json.dumps({"current": "1", "1": MATERIAL}))
    client.put_secret_value(
        SecretId="pepper", SecretString=json.dumps({"current": "2", "1": MATERIAL, "2": MATERIAL[::-1]})
    )

    (ring,) = load_keyrings(["pepper"], REGION)

    assert ring.versions() == ("2", "1")


@mock_aws
def test_given_a_secret_that_somebody_broke_when_loaded_then_the_fault_is_named_and_the_material_is_not() -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="platform-keys", SecretString=json.dumps({"current": "2", "1": MATERIAL}))

    with pytest.raises(BadKeyring) as refused:
        load_keyrings(["platform-keys"], REGION)

    assert "current" in str(refused.value)
    assert MATERIAL not in str(refused.value)


@mock_aws
def test_given_a_sweep_that_ran_out_of_time_when_it_asks_then_one_message_names_it() -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName="sweeps")["QueueUrl"]

    SweepQueue(url, REGION).ask("expire")

    (message,) = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"]) == {"sweep": "expire"}


@mock_aws
def test_given_an_errand_when_asked_for_then_one_message_says_it_and_comes_after_the_delay() -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName="amendments")["QueueUrl"]
    errand = Errand("TEMPLATE", 2, 1, True, date(2021, 7, 1), 5)

    ErrandQueue(url, REGION).ask(errand, timedelta(seconds=0))
    ErrandQueue(url, REGION).ask(errand, timedelta(seconds=90))

    (message,) = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert Errand.read(message["Body"]) == errand


@mock_aws
def test_given_a_queue_that_is_not_there_when_asked_then_it_can_be_repeated() -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName="amendments")["QueueUrl"]
    client.delete_queue(QueueUrl=url)

    with pytest.raises(Unavailable):
        ErrandQueue(url, REGION).ask(Errand("TEMPLATE", 2), timedelta(seconds=0))
