"""Amazon's own DynamoDB Local, for the tests that prove transactions: fetched by npm, run by Java, in memory.

    with dynamodb_local() as endpoint: ...

The npm package ``amplify-dynamodb-simulator`` carries the jar; it is pinned and checked by its hash.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from tools.deploy import step
from tools.local_stack import LOCAL, end_with_parent, free_port

PACKAGE = "amplify-dynamodb-simulator"
VERSION = "2.9.30"
SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
JAVA = 17
START_SECONDS = 30.0


class DynamoDBLocalUnavailable(Exception):
    """DynamoDB Local cannot run here; the message is one line that says why."""


@contextmanager
def dynamodb_local(*, console: Console | None = None) -> Iterator[str]:
    """Fetch DynamoDB Local if need be, start it on a free port, give its endpoint, stop it at the end.

    Raises ``DynamoDBLocalUnavailable`` when Java or npm is missing or the download fails.
    """
    console = console or Console(quiet=True)
    java = _java()
    home = fetch(console=console)
    port = free_port()
    log = LOCAL / f"dynamodb-local-{port}.log"
    with step(console, f"DynamoDB Local on port {port}"), log.open("wb") as output:
        process = subprocess.Popen(
            [
                java,
                f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
                # A third less CPU on two cores: what compiles and collects beside the work takes it from the tests.
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-jar",
                str(home / "DynamoDBLocal.jar"),
                "-inMemory",
                "-sharedDb",
                "-disableTelemetry",
                "-port",
                str(port),
            ],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        endpoint = f"http://127.0.0.1:{port}"
        try:
            _wait_until_it_answers(process, endpoint, log)
        except BaseException:
            _stop(process)
            raise
    try:
        yield endpoint
    finally:
        _stop(process)
        log.unlink(missing_ok=True)


def why_unavailable() -> str | None:
    """Why DynamoDB Local cannot run here, in one line; None when it can."""
    try:
        _java()
        if not _fetched().exists():
            _npm()
    except DynamoDBLocalUnavailable as error:
        return str(error)
    return None


def fetch(*, console: Console | None = None) -> Path:
    """Fetch the emulator into ``.local/`` once and return its folder."""
    home = _fetched()
    if home.exists():
        return home
    npm = _npm()
    LOCAL.mkdir(exist_ok=True)
    # Beside its place, so that the last step is one rename: a torn download is never taken for a whole one, and of
    # two test workers that fetch at once the later one finds the work done.
    with (
        step(console or Console(quiet=True), f"fetch {PACKAGE} {VERSION} by npm (57 MB, once)"),
        tempfile.TemporaryDirectory(dir=LOCAL) as scratch,
    ):
        run = subprocess.run(
            [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        tarball = Path(scratch) / f"{PACKAGE}-{VERSION}.tgz"
        if run.returncode != 0 or not tarball.exists():
            said = (run.stderr or run.stdout).strip().splitlines() or ["no reason given"]
            raise DynamoDBLocalUnavailable(f"npm could not fetch {PACKAGE} {VERSION}: {said[-1]}")
        found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if found != SHA512:
            raise DynamoDBLocalUnavailable(f"{PACKAGE} {VERSION} has another sha512 than the pinned one: {found}")
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data")
        try:
            (Path(scratch) / "package" / "emulator").rename(home)
        except OSError:
            if not home.exists():
                raise
    return home


def _fetched() -> Path:
    return LOCAL / f"dynamodb-local-{VERSION}"


def _npm() -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise DynamoDBLocalUnavailable("npm is not installed, so DynamoDB Local cannot be fetched")
    return npm


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise DynamoDBLocalUnavailable(f"Java is not installed (DynamoDB Local needs {JAVA} or newer)")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA:
        raise DynamoDBLocalUnavailable(f"Java {version[1] if version else '?'} is too old; DynamoDB Local needs {JAVA}")
    return java


def _wait_until_it_answers(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(endpoint, timeout=2):  # noqa: S310 (an address of ours)
                return
        except urllib.error.HTTPError:
            return  # it answers 400 to what is no request of its protocol
        except OSError:
            time.sleep(0.1)
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise DynamoDBLocalUnavailable(f"DynamoDB Local did not start: {tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Fetch DynamoDB Local, or say in one line why not; with ``CI=true`` that is a failure."""
    console = Console()
    reason = why_unavailable()
    if reason is None:
        try:
            fetch(console=console)
            return
        except DynamoDBLocalUnavailable as error:
            reason = str(error)
    console.print(f"Left out: the tests on DynamoDB Local. {reason}.", highlight=False)
    if os.environ.get("CI") == "true":
        raise SystemExit(1)


if __name__ == "__main__":
    main()
