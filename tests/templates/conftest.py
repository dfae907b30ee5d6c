"""Packages once a run: the stage of this machine, production, and a stage that no configuration names."""

import json
from collections.abc import Mapping

import pytest

from tests.engines import read_template
from tests.templates.resources import Template
from tools.package import package

STAGES = ("local", "prod", "test")


@pytest.fixture(scope="session")
def app_templates() -> dict[str, Template]:
    """The packaged app template of each stage."""
    return {stage: json.loads(package(stage).app_template.read_text(encoding="utf-8")) for stage in STAGES}


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app_template(app_templates: Mapping[str, Template], stage: str) -> Template:
    """The packaged app template, one stage after the other."""
    return app_templates[stage]


@pytest.fixture(scope="session")
def data_template() -> Template:
    return read_template(package("prod").data_template)
