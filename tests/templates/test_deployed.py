"""What the templates do once they stand: MiniStack enforces the policies that it was given."""

import io
import json
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest
from rich.console import Console

from chalicelib.domain.application import MoneyErrand
from tools.deploy import Cloud, deploy
from tools.local_stack import LocalStack, session
from tools.package import package

# Calls what it is told to, with the rights of the role that it was given.
PROBE = """
import boto3
from botocore.exceptions import ClientError
def call(event, context):
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["with"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
"""

# Of an application that there is not: the money function, which gets it, has nothing to do.
NOBODYS_ERRAND = MoneyErrand("application", "NOBODYSAPPLICATN").text()


def as_function(stack: LocalStack, function: str, service: str, call: str, **arguments: Any) -> str:
    """Make a call with the role of a function: ``done``, or the code of the error."""
    client = stack.client("lambda")
    role = client.get_function_configuration(FunctionName=f"training-voucher-local-{function}")["Role"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("probe.py", PROBE)
    name = f"probe-{function}"
    if name not in {one["FunctionName"] for one in client.list_functions()["Functions"]}:
        client.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.12",
            Handler="probe.call",
            Code={"ZipFile": code.getvalue()},
            Timeout=30,
        )
    event = json.dumps({"service": service, "call": call, "with": arguments})
    return str(json.loads(client.invoke(FunctionName=name, Payload=event)["Payload"].read()))


def test_the_api_reads_and_writes_rows_but_never_scans(deployed: LocalStack) -> None:
    table = deployed.environment["PEOPLE_TABLE"]
    row = {"person": {"S": "P"}, "item": {"S": "0#PERSON"}}
    put = {"Put": {"TableName": table, "Item": row}}

    assert as_function(deployed, "api", "dynamodb", "transact_write_items", TransactItems=[put]) == "done"
    assert as_function(deployed, "api", "dynamodb", "get_item", TableName=table, Key=row) == "done"
    assert as_function(deployed, "api", "dynamodb", "scan", TableName=table) == "AccessDeniedException"
    assert as_function(deployed, "api", "dynamodb", "delete_item", TableName=table, Key=row) == "AccessDeniedException"


def test_secrets_are_for_the_api_the_import_and_the_money_alone(deployed: LocalStack) -> None:
    secret = deployed.environment["KEYS_SECRET"]

    for function in ("api", "import-rosters", "settle-money"):
        assert as_function(deployed, function, "secretsmanager", "get_secret_value", SecretId=secret) == "done"
    for function in (
        "expire", "count-offers", "release", "continue-expiry", "amend-vouchers", "follow-people", "remind",
    ):  # fmt: skip
        answer = as_function(deployed, function, "secretsmanager", "get_secret_value", SecretId=secret)
        assert answer == "AccessDeniedException", function


def test_the_queue_is_for_sweeps_alone(deployed: LocalStack) -> None:
    message = {"QueueUrl": deployed.environment["SWEEPS_QUEUE_URL"], "MessageBody": "{}"}

    assert as_function(deployed, "expire", "sqs", "send_message", **message) == "done"
    assert as_function(deployed, "api", "sqs", "send_message", **message) == "AccessDenied"
    assert as_function(deployed, "follow-people", "sqs", "send_message", **message) == "AccessDenied"


def test_the_money_queue_is_for_those_who_settle_money(deployed: LocalStack) -> None:
    message = {"QueueUrl": deployed.environment["MONEY_QUEUE_URL"], "MessageBody": NOBODYS_ERRAND}

    for function in ("api", "settle-money", "import-rosters"):  # the last takes the bank's answers
        assert as_function(deployed, function, "sqs", "send_message", **message) == "done", function
    for function in ("expire", "remind", "release"):
        assert as_function(deployed, function, "sqs", "send_message", **message) == "AccessDenied", function


def test_unknown_routes_answer_a_problem(deployed: LocalStack) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{deployed.base_url}/v1/no-such-thing")

    answer = refused.value
    assert answer.code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.read())["code"] == "no_such_route"


def test_the_secret_carries_its_version(deployed: LocalStack) -> None:
    for name in ("KEYS_SECRET", "PEPPER_SECRET"):
        secret = deployed.client("secretsmanager").get_secret_value(SecretId=deployed.environment[name])
        versions = json.loads(secret["SecretString"])

        assert versions["current"] == "1"
        assert len(versions["1"]) == 64


def test_a_restored_table_is_taken_into_use_and_stays(deployed: LocalStack) -> None:
    # Given a table restored under another name
    dynamodb = deployed.client("dynamodb")
    before = dynamodb.describe_table(TableName=deployed.environment["PEOPLE_TABLE"])["Table"]
    names = {key["AttributeName"] for key in before["KeySchema"]}
    restored = dynamodb.create_table(
        TableName="people-restored",
        AttributeDefinitions=[one for one in before["AttributeDefinitions"] if one["AttributeName"] in names],
        KeySchema=before["KeySchema"],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    cloud = Cloud(session(), deployed.endpoint, look_every=0.1)
    packaged = package("local")
    console = Console(quiet=True)

    # When a deploy names it, and the next one names nothing
    deploy(cloud, packaged, console=console, tables={"people": "people-restored"})
    again = deploy(cloud, packaged, console=console)

    # Then functions and stream follow it, and the old table is still there
    assert again.parameters["PeopleTable"] == "people-restored"
    functions = deployed.client("lambda")
    function = functions.get_function_configuration(FunctionName="training-voucher-local-api")
    assert function["Environment"]["Variables"]["PEOPLE_TABLE"] == "people-restored"
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    sources = {mapping["EventSourceArn"] for mapping in mappings}
    assert restored["LatestStreamArn"] in sources
    assert before["LatestStreamArn"] not in sources
    assert dynamodb.describe_table(TableName=before["TableName"])["Table"]["TableStatus"] == "ACTIVE"

    # And back
    deploy(cloud, packaged, console=console, tables={"people": before["TableName"]})
