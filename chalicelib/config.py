"""Settings: everything that a deployment decides, read once. The only reader of ``os.environ``."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stage's environment says.

    Tables, bucket, queues and secrets are names or addresses of the data stack. ``movable_clock`` and
    ``loopback_allowed`` are true on the local stage only; a template test proves that no other stage sets them.
    """

    stage: str
    people_table: str
    catalogue_table: str
    casework_table: str
    insights_table: str
    bucket: str
    sweeps_queue_url: str
    amendments_queue_url: str
    rosters_queue_url: str
    money_queue_url: str
    keys_secret: str
    pepper_secret: str
    region: str | None
    movable_clock: bool = False
    loopback_allowed: bool = False


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the stage's environment; a missing name raises ``KeyError`` with that name."""
    return Settings(
        stage=environment["STAGE"],
        people_table=environment["PEOPLE_TABLE"],
        catalogue_table=environment["CATALOGUE_TABLE"],
        casework_table=environment["CASEWORK_TABLE"],
        insights_table=environment["INSIGHTS_TABLE"],
        bucket=environment.get("BUCKET", ""),
        sweeps_queue_url=environment.get("SWEEPS_QUEUE_URL", ""),
        amendments_queue_url=environment.get("AMENDMENTS_QUEUE_URL", ""),
        rosters_queue_url=environment.get("ROSTERS_QUEUE_URL", ""),
        money_queue_url=environment.get("MONEY_QUEUE_URL", ""),
        keys_secret=environment.get("KEYS_SECRET", ""),
        pepper_secret=environment.get("PEPPER_SECRET", ""),
        region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
        movable_clock=environment.get("MOVABLE_CLOCK") == "1",
        loopback_allowed=environment.get("LOOPBACK_ALLOWED") == "1",
    )
