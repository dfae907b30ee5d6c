"""The DynamoDB engines that storage tests run on, and tables on them made from the deployed definitions."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import yaml

from tools.dynamodb_local import DynamoDBLocalUnavailable, dynamodb_local
from tools.local_stack import CREDENTIALS, REGION, ministack

DATA_TEMPLATE = Path(__file__).resolve().parent.parent / "infra" / "data.yaml"


@dataclass(frozen=True, slots=True)
class Engine:
    """A DynamoDB engine by name: its endpoint, or the reason why it does not run here."""

    name: str
    endpoint: str | None
    reason: str = ""


@contextmanager
def running_engines() -> Iterator[dict[str, Engine]]:
    """Start MiniStack (empty, nothing deployed) and DynamoDB Local; stop them at the end.

    Where Java or npm is missing ``dynamodb-local`` has a reason instead of an endpoint; with ``CI=true`` that raises.
    """
    with ExitStack() as running:
        endpoint, _log = running.enter_context(ministack())
        engines = {"ministack": Engine("ministack", endpoint)}
        try:
            local = Engine("dynamodb-local", running.enter_context(dynamodb_local()))
        except DynamoDBLocalUnavailable as error:
            if os.environ.get("CI") == "true":
                raise
            local = Engine("dynamodb-local", None, str(error))
        yield engines | {local.name: local}


def create_tables(endpoint: str, data_stack_template: Path = DATA_TEMPLATE) -> dict[str, str]:
    """Create the four tables under new names on an engine.

    Returns the environment for ``chalicelib.config.read_settings``, with region, endpoint and credentials beside it.
    """
    dynamodb = _dynamodb(endpoint)
    mark = uuid.uuid4().hex[:8]
    environment = {
        "STAGE": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        **CREDENTIALS,
    }
    for logical_id, properties in table_definitions(data_stack_template).items():
        name = f"{logical_id.lower()}-{mark}"
        dynamodb.create_table(TableName=name, **_as_request(properties))
        environment[f"{logical_id.upper()}_TABLE"] = name
    return environment


def delete_tables(environment: Mapping[str, str]) -> None:
    """Delete what ``create_tables`` made."""
    endpoint = environment["AWS_ENDPOINT_URL"]
    dynamodb = _dynamodb(endpoint)
    for variable, name in environment.items():
        if variable.endswith("_TABLE"):
            dynamodb.delete_table(TableName=name)


@cache
def table_definitions(template: Path = DATA_TEMPLATE) -> dict[str, dict[str, Any]]:
    """The properties of the data stack's tables, by logical id (``People``, ``Catalogue``, …)."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in read_template(template)["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }


def read_template(path: Path) -> dict[str, Any]:
    """Read a CloudFormation template, short tags (``!Ref``) written out (``{"Ref": …}``)."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_TemplateLoader)
    return template


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's tags; still builds nothing but plain values."""


def _long_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_TemplateLoader.add_multi_constructor("!", _long_form)


def _as_request(properties: Mapping[str, Any]) -> dict[str, Any]:
    # What an engine needs to behave the same; encryption, recovery and protection are matters of the deployment.
    request = {name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    if "GlobalSecondaryIndexes" in properties:
        request["GlobalSecondaryIndexes"] = properties["GlobalSecondaryIndexes"]
    # Nothing follows the stream here (the deployed stack has it), and it costs each write a third more.
    return request


@cache
def _dynamodb(endpoint: str) -> Any:
    """Tables are made hundreds of times, and a client takes longer than a table."""
    return boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION, **_credentials())


def _credentials() -> dict[str, str]:
    return {name.lower(): value for name, value in CREDENTIALS.items()}
