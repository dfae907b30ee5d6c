"""Deploy one stage with CloudFormation: ``python -m tools.deploy --stage test`` (``make deploy STAGE=test``).

The data stack first, then the packaged app, each by a change set; any region of ``aws`` and ``aws-cn``. The local
stack goes through the same functions, with another endpoint and shorter waits.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from tools.package import Package, PackagingFailed, package

# CloudFormation takes a template of this many bytes with the call; a bigger one must lie in S3.
INLINE_TEMPLATE_BYTES = 51_200

TABLES = {
    "people": "PeopleTable",
    "catalogue": "CatalogueTable",
    "casework": "CaseworkTable",
    "insights": "InsightsTable",
}

FAILED_STATES = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")


class DeploymentFailed(Exception):
    """CloudFormation refused or rolled back; the message carries its reasons."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where to deploy: a session, the endpoint when it is not AWS, and how long to wait between looks (seconds)."""

    session: boto3.Session
    endpoint: str | None = None
    look_every: float = 5.0
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"max_attempts": 5, "mode": "standard"})
            self._clients[service] = self.session.client(service, endpoint_url=self.endpoint, config=config)
        return self._clients[service]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands after a deploy: the outputs of both stacks and the parameters that the app stack was given."""

    stage: str
    data: Mapping[str, str]
    app: Mapping[str, str]
    parameters: Mapping[str, str]


def deploy(
    cloud: Cloud,
    packaged: Package,
    *,
    console: Console,
    alarm_email: str | None = None,
    tables: Mapping[str, str] | None = None,
) -> Deployed:
    """Deploy both stacks of a packaged stage.

    ``tables`` maps ``people``, ``catalogue``, ``casework`` or ``insights`` to another table, after a restore. A choice
    stays until another is made: a later deploy takes the names that the app stack has. Raises ``DeploymentFailed``.
    """
    stage = packaged.stage
    data_stack, app_stack = f"training-voucher-{stage}-data", f"training-voucher-{stage}"

    with step(console, f"data stack {data_stack}"):
        chosen = _parameters_of(cloud, data_stack)
        email = chosen.get("AlarmEmail", "") if alarm_email is None else alarm_email
        data = _apply(cloud, data_stack, packaged.data_template.read_text(), {"Stage": stage, "AlarmEmail": email})

    with step(console, "upload code and layer"):
        template = _upload(cloud, packaged, data["ArtifactsBucketName"])

    with step(console, f"app stack {app_stack}"):
        parameters = {"Stage": stage} | _tables_in_use(cloud, data, _parameters_of(cloud, app_stack), tables or {})
        app = _apply(cloud, app_stack, template, parameters, artifacts=data["ArtifactsBucketName"])

    return Deployed(stage, data, app, parameters)


@contextmanager
def step(console: Console, what: str) -> Iterator[None]:
    """Show a spinner while a step runs, then one line with the seconds it took."""
    started = time.monotonic()
    with console.status(f"{what} …"):
        try:
            yield
        except BaseException:
            console.print(f"[red]✗[/red] {what}")
            raise
    console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - started:.1f} s[/dim]", highlight=False)


def _tables_in_use(
    cloud: Cloud, data: Mapping[str, str], before: Mapping[str, str], wanted: Mapping[str, str]
) -> dict[str, str]:
    in_use = {
        parameter: wanted.get(table) or before.get(parameter) or data[parameter] for table, parameter in TABLES.items()
    }
    in_use["PeopleStreamArn"] = data["PeopleStreamArn"]
    if in_use["PeopleTable"] != data["PeopleTable"]:
        description = cloud.client("dynamodb").describe_table(TableName=in_use["PeopleTable"])["Table"]
        stream = description.get("LatestStreamArn")
        if stream is None:
            raise DeploymentFailed(
                f"{in_use['PeopleTable']} has no stream; a restored table needs one before it is used "
                "(docs/production.md, restore)"
            )
        in_use["PeopleStreamArn"] = stream
    return in_use


def _upload(cloud: Cloud, packaged: Package, bucket: str) -> str:
    """Upload what the template names by file, and return the template with addresses in S3."""
    template = json.loads(packaged.app_template.read_text(encoding="utf-8"))
    uploaded: dict[str, str] = {}
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            local = resource.get("Properties", {}).get(name)
            if isinstance(local, str) and not local.startswith("s3://"):
                if local not in uploaded:
                    path = (packaged.directory / local).resolve()
                    uploaded[local] = f"s3://{bucket}/{_put_once(cloud, bucket, path.read_bytes(), path.suffix)}"
                resource["Properties"][name] = uploaded[local]
    return json.dumps(template, ensure_ascii=False, separators=(",", ":"))


def _put_once(cloud: Cloud, bucket: str, content: bytes, suffix: str) -> str:
    key = f"{hashlib.sha256(content).hexdigest()}{suffix}"
    s3 = cloud.client("s3")
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
            raise
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key


def _apply(
    cloud: Cloud, stack: str, template: str, parameters: Mapping[str, str], *, artifacts: str | None = None
) -> dict[str, str]:
    """Bring a stack to a template by a change set and return its outputs; a set without changes is no failure."""
    cloudformation = cloud.client("cloudformation")
    status = _status(cloud, stack)
    if status in FAILED_STATES:
        raise DeploymentFailed(f"stack {stack} is {status}: delete or mend it first, then deploy again")
    change_set = f"deploy-{time.time_ns()}"
    if len(template.encode()) <= INLINE_TEMPLATE_BYTES:
        source = {"TemplateBody": template}
    elif artifacts is None:
        raise DeploymentFailed(f"the template of {stack} exceeds {INLINE_TEMPLATE_BYTES} bytes")
    else:
        key = _put_once(cloud, artifacts, template.encode(), ".json")
        source = {"TemplateURL": f"{cloud.client('s3').meta.endpoint_url}/{artifacts}/{key}"}
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=change_set,
        ChangeSetType="CREATE" if status in (None, "REVIEW_IN_PROGRESS") else "UPDATE",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        **source,
    )
    if _wait_for_change_set(cloud, stack, change_set):
        cloudformation.execute_change_set(StackName=stack, ChangeSetName=change_set)
        _wait_for_stack(cloud, stack)
    else:
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=change_set)
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _wait_for_change_set(cloud: Cloud, stack: str, change_set: str) -> bool:
    """Wait until the change set can be executed; false when it changes nothing."""
    while True:
        described = cloud.client("cloudformation").describe_change_set(StackName=stack, ChangeSetName=change_set)
        if described["Status"] == "CREATE_COMPLETE":
            return True
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                return False
            raise DeploymentFailed(f"change set of {stack}: {reason}")
        time.sleep(cloud.look_every)


def _wait_for_stack(cloud: Cloud, stack: str) -> None:
    while (status := _status(cloud, stack)) is not None and (
        status.endswith("_IN_PROGRESS") and status != "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    ):
        time.sleep(cloud.look_every)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        raise DeploymentFailed(f"stack {stack} is {status}:\n{_reasons(cloud, stack)}")


def _reasons(cloud: Cloud, stack: str) -> str:
    events = cloud.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"  {one['LogicalResourceId']}: {one.get('ResourceStatusReason', '?')}" for one in failed)


def _describe(cloud: Cloud, stack: str) -> Mapping[str, Any] | None:
    try:
        described: Mapping[str, Any] = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return described


def _status(cloud: Cloud, stack: str) -> str | None:
    described = _describe(cloud, stack)
    return None if described is None else str(described["StackStatus"])


def _parameters_of(cloud: Cloud, stack: str) -> dict[str, str]:
    described = _describe(cloud, stack) or {}
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", [])}


def _table_choice(text: str) -> tuple[str, str]:
    table, _, name = text.partition("=")
    if table not in TABLES or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: expected one of {', '.join(TABLES)}, '=', and a table's name")
    return table, name


def main() -> None:
    parser = argparse.ArgumentParser(description="Deploy a stage to the AWS account and region of the environment.")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--region", help="default: AWS_REGION, AWS_DEFAULT_REGION or the profile's")
    parser.add_argument("--alarm-email", help="who is told of alarms; kept until changed")
    parser.add_argument(
        "--table", action="append", default=[], type=_table_choice, metavar="people=NAME", help="after a restore"
    )
    chosen = parser.parse_args()
    console = Console()
    session = boto3.Session(region_name=chosen.region)
    if session.region_name is None:
        raise SystemExit("No region. Set AWS_REGION (for example cn-north-1) or give --region.")
    if chosen.stage == "local":
        raise SystemExit("Stage local has a movable clock and stays on this machine: make run.")
    try:
        with step(console, f"package {chosen.stage}"):
            packaged = package(chosen.stage)
        deployed = deploy(
            Cloud(session), packaged, console=console, alarm_email=chosen.alarm_email, tables=dict(chosen.table)
        )
        _protect(Cloud(session), chosen.stage)
    except (BotoCoreError, ClientError, DeploymentFailed, PackagingFailed) as error:
        raise SystemExit(f"Deploy failed. {error}") from error
    for table, parameter in TABLES.items():
        if deployed.parameters[parameter] != deployed.data[parameter]:
            console.print(f"table {table}: {deployed.parameters[parameter]} (instead of {deployed.data[parameter]})")
    console.print(f"\nThe API answers at {deployed.app['EndpointURL']}", highlight=False)
    console.print(f"Try: curl {deployed.app['EndpointURL']}v1/time", highlight=False)
    console.print("Next: register the first operator and client, subscribe to the alarms (docs/production.md).")


def _protect(cloud: Cloud, stage: str) -> None:
    # The tables are retained anyway; this keeps a slip from taking the key's alias, the queues and the alarms.
    cloud.client("cloudformation").update_termination_protection(
        StackName=f"training-voucher-{stage}-data", EnableTerminationProtection=True
    )


if __name__ == "__main__":
    main()
