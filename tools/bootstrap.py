"""The first things in an empty deployment: regions with their rule sets, the ministry's client, its first operator.

Nobody can be authorised through the API before somebody is. Whoever may write the tables and read the secrets (the
deployer) runs this once:

    make bootstrap STAGE=prod

It is safe to repeat: what is there stays; a second run makes no second ministry client unless ``--another-client``.
"""

import argparse
import csv
import json
import os
import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from chalicelib.config import Settings, read_settings
from chalicelib.domain import calendar, pace
from chalicelib.domain.access import Client, Operator, Role, Secret
from chalicelib.domain.errors import AlreadyExists, ConcurrentChange
from chalicelib.domain.identifiers import mask_name
from chalicelib.domain.region import Cap, CapBy, Region, RuleSet, Window
from chalicelib.integrations.essc_platform import OperatorKey
from chalicelib.services.granting_access import secret_context
from chalicelib.services.ports import Platform
from chalicelib.services.sweeping import SWEEP
from chalicelib.wiring import build, keyrings_of
from tools.package import ROOT

NATION = "000000"
# What the notice's own examples tell of two regions (domain §3); all others begin with the defaults.
SHENZHEN_CAPS = (
    Cap("sz-year-all", Window.YEAR, CapBy.ALL, 3),
    Cap("sz-year-type", Window.YEAR, CapBy.PROGRAMME_TYPE, 1),
    Cap("sz-occupation-level", Window.LIFETIME, CapBy.OCCUPATION_LEVEL, 1),
)
FUJIAN_CAPS = (Cap("fj-lifetime", Window.LIFETIME, CapBy.ALL, 3),)


@dataclass(frozen=True, slots=True)
class Ministry:
    """Credentials of the first client and its operator; the secret and the seed are shown this once."""

    app_key: str
    secret: str
    operator_id: str
    operator_seed: str


def load_regions(platform: Platform, path: Path = ROOT / "reference" / "regions.csv") -> int:
    """Put the reference regions and a first rule set for each; count what was new."""
    new = 0
    today = calendar.local_date(platform.clock.now())
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code = row["region_code"]
            region = Region(code, row["name_zh"], row["name_en"], row["level"], row["parent"] or None)
            try:
                platform.catalogue.regions.add(region, None)
                new += 1
            except AlreadyExists:
                pass
            caps = {"440300": SHENZHEN_CAPS, "350000": FUJIAN_CAPS}.get(code, ())
            rules = RuleSet(code, 1, effective_from=today, caps=caps, one_at_a_time=code == "350000")
            try:
                platform.catalogue.rule_sets.add(rules, None)
            except ConcurrentChange:
                continue
    return new


def first_client(platform: Platform, operator_name: str) -> Ministry:
    """Make a ministry client with one operator who may do everything everywhere."""
    now, chance = platform.clock.now(), platform.chance
    app_key, secret_id, secret = chance.short_id(), chance.short_id(), chance.secret()
    sealed = platform.keys.sealer.seal(secret, secret_context(app_key, secret_id))
    client = Client(
        app_key=app_key,
        name="人力资源社会保障部 MOHRSS",
        role=Role.MINISTRY,
        regions=(NATION,),
        institutions=(),
        secrets=(Secret(secret_id, sealed, now),),
        made_at=now,
        requests_per_second=pace.USUAL[Role.MINISTRY],
    )
    seed = secrets.token_bytes(32)
    operator = Operator(
        operator_id=chance.short_id(),
        name=mask_name(operator_name),
        public_key=OperatorKey(seed).public_key,
        region=NATION,
        institution_id=None,
        made_at=now,
    )
    platform.catalogue.operators.add(operator, None)
    platform.catalogue.clients.add(client, None)
    return Ministry(app_key, secret, operator.operator_id, seed.hex())


def begin_sweeps(platform: Platform) -> None:
    """Nothing can be due before today: the first sweep begins here, not a month back."""
    yesterday = calendar.local_date(platform.clock.now()) - timedelta(days=1)
    if platform.checkpoints.swept_until(SWEEP) is None:
        platform.checkpoints.advance(SWEEP, yesterday)


def deployed_platform(settings: Settings) -> Platform:
    """A platform on a deployment's tables and secrets, with the caller's own credentials."""
    return build(settings, load_keys=lambda: keyrings_of(settings))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--out", type=Path, default=Path("ministry.json"), help="where the credentials go")
    parser.add_argument("--operator", default="首任管理员", help="name of the first operator (kept masked)")
    parser.add_argument("--another-client", action="store_true", help="make a client although there is one")
    asked = parser.parse_args(words)
    console = Console()
    if asked.out.exists():
        console.print(f"{asked.out} exists; name another file with --out")
        return 1
    import boto3

    exports = boto3.client("lambda").get_function_configuration(FunctionName=f"training-voucher-{asked.stage}-api")
    settings = read_settings({**os.environ, **exports["Environment"]["Variables"]})
    platform = deployed_platform(settings)
    console.print(f"{load_regions(platform)} regions new")
    begin_sweeps(platform)
    if platform.catalogue.clients.page(NATION, 1, None).items and not asked.another_client:
        console.print("there is a national client already; --another-client makes one more")
        return 0
    ministry = first_client(platform, asked.operator)
    asked.out.touch(mode=0o600)
    asked.out.write_text(json.dumps({name: getattr(ministry, name) for name in Ministry.__slots__}, indent=2))
    console.print(f"credentials of the ministry's client and operator: {asked.out} (keep them safe, then delete)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
