"""The whole platform on this machine: MiniStack, and in it the very templates that AWS gets.

    with local_stack() as stack:
        urlopen(stack.base_url + "/v1/time")

Everything that a stack writes lies in ``.local/``; its own folder there is removed when it stops. MiniStack keeps
nothing between runs: each stack starts empty.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from tools.deploy import Cloud, Deployed, deploy, step
from tools.eligibility_server import EligibilityServer, eligibility_server
from tools.package import ROOT, Package, package

LOCAL = ROOT / ".local"
RUNNING = LOCAL / "stack.json"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
START_SECONDS = 60.0


class LocalStackFailed(Exception):
    """MiniStack did not start; the message names its log."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running local stack.

    ``environment`` is what the API's function got, plus region, endpoint and credentials of MiniStack: give it to
    ``chalicelib.config.read_settings`` or to a process. ``eligibility``: the sample service that a region may decide.
    """

    stage: str
    endpoint: str
    base_url: str
    environment: Mapping[str, str]
    cloudformation_outputs: Mapping[str, str]
    log: Path
    eligibility: EligibilityServer

    def client(self, service: str) -> Any:
        """A boto3 client of this stack's services."""
        return session().client(service, endpoint_url=self.endpoint)


@contextmanager
def local_stack(
    stage: str = "local", *, port: int | None = None, console: Console | None = None, announce: bool = False
) -> Iterator[LocalStack]:
    """Package, start MiniStack on 127.0.0.1 (a free port unless one is given), deploy, and stop at the end.

    ``announce`` writes ``.local/stack.json``, by which ``make invoke`` finds the stack. Raises ``PackagingFailed``,
    ``LocalStackFailed`` or ``DeploymentFailed``.
    """
    console = console or Console(quiet=True)
    with step(console, f"package {stage}"):
        packaged = package(stage, say=lambda text: console.print(f"  {text}", highlight=False))
    with ministack(port=port, console=console) as (endpoint, log), eligibility_server() as eligibility:
        eligibility.tolerance = float("inf")  # the stage's clock can be moved, that of the service cannot
        cloud = Cloud(session(), endpoint, look_every=0.1)
        deployed = deploy(cloud, packaged, console=console)
        stack = _describe(cloud, packaged, deployed, endpoint, log, eligibility)
        if announce:
            told = {"endpoint": endpoint, "base_url": stack.base_url, "stage": stage, "eligibility": eligibility.url}
            RUNNING.write_text(json.dumps(told))
        try:
            yield stack
        finally:
            if announce:
                RUNNING.unlink(missing_ok=True)


@contextmanager
def ministack(*, port: int | None = None, console: Console | None = None) -> Iterator[tuple[str, Path]]:
    """Start an empty MiniStack; give its endpoint and its log; stop it and remove its files at the end."""
    console = console or Console(quiet=True)
    port = port or free_port()
    home = LOCAL / f"ministack-{port}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "tmp").mkdir(parents=True)
    log = LOCAL / f"ministack-{port}.log"
    with step(console, f"MiniStack on 127.0.0.1:{port}"), log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=home,
            env=_ministack_environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to handle, and its functions end with it
            preexec_fn=end_with_parent,
        )
        endpoint = f"http://127.0.0.1:{port}"
        try:
            _wait_until_healthy(process, endpoint, log)
        except BaseException:
            _stop(process, home)
            raise
    try:
        yield endpoint, log
    finally:
        _stop(process, home)
    log.unlink()  # not after an error: then it may say why


def end_with_parent() -> None:
    """In a child that is starting: ask Linux to end it when its parent dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def running_stack() -> Mapping[str, str] | None:
    """What ``.local/stack.json`` says, when that stack still answers."""
    try:
        told: dict[str, str] = json.loads(RUNNING.read_text())
        return told if _is_healthy(told["endpoint"]) else None
    except (OSError, ValueError, KeyError):
        return None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ministack_environment(home: Path, port: int) -> dict[str, str]:
    # Functions inherit this environment, so it is written down here instead of being passed through: nobody's
    # profile, proxy or endpoint takes part.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    return (
        kept
        | CREDENTIALS
        | {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "TMPDIR": str(home / "tmp"),
            "S3_DATA_DIR": str(home / "s3"),
            "STATE_DIR": str(home / "state"),
            "LOG_LEVEL": "WARNING",
            "LAMBDA_EXECUTOR": "local",
            # Each function may do what its policy allows and nothing else, as on AWS.
            "AUTH": "true",
            "PYTHONUNBUFFERED": "1",
        }
    )


def _wait_until_healthy(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if _is_healthy(endpoint):
            return
        time.sleep(0.05)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise LocalStackFailed(f"MiniStack did not start ({log.relative_to(ROOT)}):\n{tail}")


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):  # noqa: S310 (an address of ours)
            return True
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes], home: Path) -> None:
    # The group: MiniStack and the functions that it started.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    shutil.rmtree(home, ignore_errors=True)


def _describe(
    cloud: Cloud, packaged: Package, deployed: Deployed, endpoint: str, log: Path, eligibility: EligibilityServer
) -> LocalStack:
    api = deployed.app["RestAPIId"]
    _put_gateway_responses(cloud, packaged, api, deployed.stage)
    _let_in_by_loopback(cloud, deployed)
    function = cloud.client("lambda").get_function_configuration(FunctionName=deployed.app["APIHandlerName"])
    environment = function["Environment"]["Variables"] | CREDENTIALS
    environment |= {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}
    return LocalStack(
        stage=deployed.stage,
        endpoint=endpoint,
        base_url=f"{endpoint}/_aws/execute-api/{api}/{deployed.stage}",
        environment=environment,
        cloudformation_outputs={**deployed.data, **deployed.app},
        log=log,
        eligibility=eligibility,
    )


def _put_gateway_responses(cloud: Cloud, packaged: Package, api: str, stage: str) -> None:
    """Give the template's gateway responses to MiniStack 1.5.33, which does not read them from an API's definition."""
    gateway = cloud.client("apigateway")
    template = json.loads(packaged.app_template.read_text(encoding="utf-8"))
    for kind, response in template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        status = {"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=response["ResponseTemplates"],
            **status,
        )
    gateway.create_deployment(restApiId=api, stageName=stage)


def _let_in_by_loopback(cloud: Cloud, deployed: Deployed) -> None:
    """The bucket takes nothing without TLS, and MiniStack on the loopback has none: here only, that rule is lifted."""
    cloud.client("s3").delete_bucket_policy(Bucket=deployed.data["BucketName"])


def session() -> boto3.Session:
    """A boto3 session of MiniStack's region and credentials."""
    return boto3.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


def main() -> None:
    """Run the local stack until Ctrl-C."""
    console = Console()
    with local_stack(console=console, announce=True) as stack:
        console.print(f"{stack.base_url}", highlight=False)
        try:
            signal.pause()
        except KeyboardInterrupt:
            console.print("stopping")


if __name__ == "__main__":
    main()
