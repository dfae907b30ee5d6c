"""docs/pictures/roster-*.svg are what tools.roster_pictures draws of the workbooks as they are now."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools import roster_pictures

DRAWN = roster_pictures.pictures()


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.name)
def test_given_a_committed_picture_when_drawn_again_then_it_is_the_same(path: Path) -> None:
    assert path.read_text("utf-8") == DRAWN[path], "stale: .venv/bin/python -m tools.roster_pictures"


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.name)
def test_given_a_picture_when_read_then_it_is_well_formed_and_shows_nobody_s_number(path: Path) -> None:
    texts = [one.text or "" for one in ElementTree.fromstring(DRAWN[path]).iter("{http://www.w3.org/2000/svg}text")]

    assert texts
    assert not [text for text in texts if re.search(r"[0-9]{11}|[0-9]{17}", text)]


def test_given_the_result_when_drawn_then_refused_rows_are_tinted_and_tell_why() -> None:
    page = roster_pictures.read(roster_pictures.a_result())

    tinted = {row for row in range(2, len(page.cells)) if page.looks[row, 0].fill != roster_pictures.BARE}
    refused = {row for row, cells in enumerate(page.cells) if row > 1 and cells[-1]}
    assert tinted == refused == {4, 6, 7}


def test_given_a_stale_picture_when_checked_then_the_exit_code_says_so_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.svg"
    picture.write_text("old", "utf-8")
    monkeypatch.setattr(roster_pictures, "ROOT", tmp_path)
    monkeypatch.setattr(roster_pictures, "pictures", lambda: {picture: "new"})

    assert roster_pictures.main(["--check"]) == 1
    assert picture.read_text("utf-8") == "old"
    assert "stale: a.svg" in capsys.readouterr().out
