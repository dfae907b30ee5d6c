"""Packaging itself: same bytes from same sources, nothing done twice, no package with a hole in it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.package import BUILD, PackagingFailed, package


@pytest.fixture
def scratch_stage() -> Iterator[str]:
    yield "scratch"
    shutil.rmtree(BUILD / "scratch", ignore_errors=True)
    shutil.rmtree(BUILD / "scratch-new", ignore_errors=True)
    (BUILD / "scratch-merge.json").unlink(missing_ok=True)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_same_sources_give_same_bytes(scratch_stage: str) -> None:
    first = package(scratch_stage)
    before = contents(first.directory)
    shutil.rmtree(first.directory)

    assert contents(package(scratch_stage).directory) == before
    assert set(before) == {"data.yaml", "deployment.zip", "layer-deployment.zip", "sam.json", "sources.sha256"}


def test_nothing_is_done_when_nothing_changed(scratch_stage: str) -> None:
    package(scratch_stage)

    assert not package(scratch_stage).built


def test_a_missing_wheel_is_a_failure(scratch_stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given Chalice as it is when a wheel is missing: a warning, and success (chalice #803)
    def warn(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            command, 0, stdout="Could not install dependencies:\nsomething==1.0\n", stderr=""
        )

    monkeypatch.setattr("tools.package.subprocess.run", warn)
    monkeypatch.setattr("tools.package._cached_layer", lambda project: None)

    with pytest.raises(PackagingFailed, match=r"something==1\.0"):
        package(scratch_stage)

    assert not (BUILD / scratch_stage).exists()


def test_an_app_that_cannot_be_imported_is_a_failure(
    scratch_stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text('{"version": "2.0", "app_name": "broken"}')
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "app.py").write_text("import no_such_thing")
    monkeypatch.setattr("tools.package._copy_of_the_project", lambda _: tmp_path)

    with pytest.raises(PackagingFailed, match="no_such_thing"):
        package(scratch_stage)


@pytest.mark.parametrize("name", ["", "Prod", "1st", "a stage", "a" * 17, "../up"])
def test_a_stage_name_fits_into_every_name(name: str) -> None:
    with pytest.raises(PackagingFailed, match="stage name"):
        package(name)
