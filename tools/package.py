"""Package the app for one stage: ``python -m tools.package --stage prod`` writes ``build/prod/``.

``build/<stage>/`` then holds what a deploy needs and nothing else: ``data.yaml``, ``sam.json``, ``deployment.zip``
(the app) and ``layer-deployment.zip`` (what ``requirements.txt`` names). No AWS account takes part. The same sources
give the same bytes, and nothing is done when nothing changed.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
STAGE_NAMES = re.compile(r"[a-z][a-z0-9-]{0,15}")

# A zip entry needs a date, and the same sources must give the same bytes: the earliest one that zip knows.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class PackagingFailed(Exception):
    """The package could not be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """A packaged stage: where it lies and whether it had to be built."""

    stage: str
    directory: Path
    built: bool
    seconds: float

    @property
    def data_template(self) -> Path:
        return self.directory / "data.yaml"

    @property
    def app_template(self) -> Path:
        return self.directory / "sam.json"


def package(stage: str, *, say: Callable[[str], None] = print) -> Package:
    """Package ``stage`` into ``build/<stage>/``, unless what lies there was made from these very sources.

    Raises ``PackagingFailed`` when Chalice fails or a dependency has no wheel for Lambda.
    """
    if not STAGE_NAMES.fullmatch(stage):
        raise PackagingFailed(f"{stage!r} is no stage name: small letters, digits, hyphens, at most 16 in all")
    started = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    # Test workers may ask for the same package at once; the later one then finds it done.
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = _build_unless_fresh(stage, say)
    return Package(stage, BUILD / stage, built, seconds=time.monotonic() - started)


def _build_unless_fresh(stage: str, say: Callable[[str], None]) -> bool:
    directory = BUILD / stage
    stamp = directory / "sources.sha256"
    sources = _digest_of_sources(stage)
    if stamp.exists() and stamp.read_text() == sources:
        return False

    project = _copy_of_the_project(stage)
    merge = BUILD / f"{stage}-merge.json"
    merge.write_text(json.dumps(_merge_template(stage), ensure_ascii=False, indent=2))
    new = BUILD / f"{stage}-new"
    shutil.rmtree(new, ignore_errors=True)
    if _cached_layer(project) is None:
        say("downloading the wheels of requirements.txt for Lambda (once, until it changes)")
    _run_chalice(project, stage, merge, new)
    merge.unlink()
    layer = _cached_layer(project)
    if layer is None:
        raise PackagingFailed("chalice package made no layer: is requirements.txt empty?")
    _make_reproducible(layer)  # in the cache: it is big, and once is enough
    shutil.copyfile(layer, new / "layer-deployment.zip")
    _make_reproducible(new / "deployment.zip")
    shutil.copyfile(ROOT / "infra" / "data.yaml", new / "data.yaml")
    (new / stamp.name).write_text(sources)
    shutil.rmtree(directory, ignore_errors=True)
    new.rename(directory)
    return True


def _sources() -> Iterator[Path]:
    yield ROOT / "app.py"
    yield ROOT / "requirements.txt"
    yield Path(__file__).resolve()
    for folder, pattern in (("chalicelib", "**/*"), (".chalice", "*.json"), ("infra", "*.yaml")):
        yield from sorted(path for path in (ROOT / folder).glob(pattern) if _belongs(path))


def _belongs(path: Path) -> bool:
    # Chalice takes every file of chalicelib: compiled files of a test run would change the package each time.
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"


def _digest_of_sources(stage: str) -> str:
    digest = hashlib.sha256()
    # The runtime and the wheels follow the Python that packages.
    digest.update(f"{stage} {sys.version_info[:2]}".encode())
    for path in _sources():
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _copy_of_the_project(stage: str) -> Path:
    """Copy what Lambda gets to ``build/project``, whose ``.chalice/deployments`` keeps the layer between runs."""
    project = BUILD / "project"
    project.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(project / "chalicelib", ignore_errors=True)
    for old in (project / ".chalice" / "deployments").glob("appcode-*.zip"):
        old.unlink()
    for path in _sources():
        target = project / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if _settings_of(stage).get("MOVABLE_CLOCK"):
        for policy in (project / ".chalice").glob("policy-*.json"):
            _let_read_the_clock(policy)
    return project


def _settings_of(stage: str) -> dict[str, str]:
    stages = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"]
    settings: dict[str, str] = stages.get(stage, {}).get("environment_variables", {})
    return settings


def _let_read_the_clock(policy: Path) -> None:
    """Where the clock can be moved it lies in a table, which most functions need not see otherwise."""
    allowed = json.loads(policy.read_text(encoding="utf-8"))
    table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${InsightsTable}"
    allowed["Statement"].append(
        {
            "Sid": "ReadTheMovableClock",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem"],
            "Resource": {"Fn::Sub": table},
        }
    )
    policy.write_text(json.dumps(allowed, indent=2), encoding="utf-8")


def _merge_template(stage: str) -> object:
    template = yaml.safe_load((ROOT / "infra" / "app.yaml").read_text(encoding="utf-8"))
    # A package belongs to one stage: deploying it as another would mix names.
    template["Parameters"]["Stage"] |= {"Default": stage, "AllowedValues": [stage]}
    return template


def _cached_layer(project: Path) -> Path | None:
    # Chalice names the layer by the hash of requirements.txt (chalice/deploy/packager.py).
    digest = hashlib.md5((project / "requirements.txt").read_bytes(), usedforsecurity=False).hexdigest()
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    layer = project / ".chalice" / "deployments" / f"managed-layer-{digest}-{python}.zip"
    return layer if layer.exists() else None


def _run_chalice(project: Path, stage: str, merge: Path, out: Path) -> None:
    environment = os.environ | {
        # Chalice wants a region although nothing in the result depends on it: service names are the same in all.
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [
        sys.executable,
        "-c",
        "import sys; from chalice.cli import main; sys.exit(main())",
        "--project-dir",
        str(project),
    ]
    command += ["package", "--stage", stage, "--merge-template", str(merge), str(out)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    # https://github.com/aws/chalice/issues/803: a missing wheel is only a warning, and the function fails on AWS.
    missing = "Could not install dependencies" in said
    if run.returncode != 0 or missing:
        layer = _cached_layer(project)
        if missing and layer is not None:
            layer.unlink()  # or the next run would reuse the incomplete layer without a word
        tail = "\n".join(said.strip().splitlines()[-12:])
        raise PackagingFailed(f"chalice package failed for stage {stage}:\n{tail}")


def _make_reproducible(path: Path) -> None:
    """Rewrite a zip with sorted names and one fixed date."""
    rewritten = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old:
        if all(entry.date_time == ZIP_DATE for entry in old.infolist()):
            return
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(rewritten, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in sorted(old.infolist(), key=lambda one: one.filename):
            if entry.is_dir():
                continue
            clean = zipfile.ZipInfo(entry.filename, date_time=ZIP_DATE)
            clean.compress_type = zipfile.ZIP_DEFLATED
            executable = entry.external_attr >> 16 & 0o100
            clean.external_attr = (0o100755 if executable else 0o100644) << 16
            new.writestr(clean, old.read(entry))
    rewritten.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Package the app for one stage into build/<stage>/.")
    parser.add_argument("--stage", default="prod")
    try:
        done = package(parser.parse_args().stage)
    except PackagingFailed as error:
        raise SystemExit(str(error)) from error
    word = "packaged" if done.built else "nothing changed since the last package"
    print(f"{done.directory.relative_to(ROOT)}: {word} ({done.seconds:.1f} s)")


if __name__ == "__main__":
    main()
