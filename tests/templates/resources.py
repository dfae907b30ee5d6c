"""Reading templates: resources by type, and cfn-lint's opinion."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Template = Mapping[str, Any]


def of_type(template: Template, kind: str) -> dict[str, Mapping[str, Any]]:
    """Resources of one type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def properties_of_type(template: Template, kind: str) -> dict[str, Mapping[str, Any]]:
    """Their properties."""
    return {name: resource["Properties"] for name, resource in of_type(template, kind).items()}


def lint(template: Path) -> str:
    """What cfn-lint has against a template, in regions of both partitions; empty when nothing."""
    regions = ["--regions", "ap-east-1", "cn-north-1", "us-east-1"]
    command = [str(Path(sys.executable).with_name("cfn-lint")), *regions, "--template", str(template)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr
