"""Rosters for the tests: made, put into a bucket, worked off, looked at."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from chalicelib.domain.access import Actor
from chalicelib.domain.person import Profile
from chalicelib.domain.roster import Roster, RosterErrand, RosterKind
from chalicelib.domain.sheets import Cell
from chalicelib.domain.template import Template
from chalicelib.domain.voucher import Voucher
from chalicelib.services import importing_rosters, reading_marks, receiving_rosters, submitting_rosters
from chalicelib.services.importing_rosters import Run
from chalicelib.services.receiving_rosters import Arrived, Receipt
from chalicelib.services.submitting_rosters import Declaration
from tests.bucket import Errands, RememberedFiles
from tests.world import World

HEADER = ("姓名", "证件号码", "手机号", "备注")


def workbook(rows: Sequence[Sequence[Cell]], header: Sequence[str] = HEADER) -> bytes:
    """A plain roster: the header in the first row, each cell as text."""
    import xlsxwriter

    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})  # the same people, the same bytes
        sheet = book.add_worksheet("名单")
        for number, row in enumerate([header, *rows]):
            for column, cell in enumerate(row):
                if cell is not None:
                    sheet.write_string(number, column, str(cell))
    return file.getvalue()


def row_of(person: Profile, *, name: str | None = None, mobile: str | None = None, remark: str = "") -> list[Cell]:
    return [name or person.name, person.id_number, mobile or person.mobile, remark]


def put_roster(
    world: World,
    template: Template | None,
    rows: Sequence[Sequence[Cell]] | bytes,
    *,
    actor: Actor | None = None,
    kind: RosterKind = RosterKind.VOUCHERS,
    region: str | None = None,
    **options: bool,
) -> tuple[Roster, Arrived]:
    """Declare a roster and put its file; nobody has been told yet."""
    by, p = actor or world.bureau, world.platform
    know(world, by)
    data = rows if isinstance(rows, bytes) else workbook(rows)
    declaration = Declaration(
        kind=kind,
        template_id=template.template_id if template else None,
        region=region,
        file_name="广州 第1期+花名册.xlsx",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        dry_run=options.get("dry_run", False),
        all_or_nothing=options.get("all_or_nothing", False),
    )
    roster = submitting_rosters.declare_roster(p, declaration, **world.by(by)).answer
    assert roster.object_key is not None
    return roster, put_file(world, roster.object_key, data)


def put_file(world: World, key: str, data: bytes) -> Arrived:
    """Put it into whatever bucket the world has."""
    files = world.platform.files
    files.write(key, BytesIO(data), "application/octet-stream")
    stored = files.look(key, None)
    assert stored is not None
    return Arrived(key, stored.version)


def receive(world: World, arrived: Arrived) -> Receipt:
    return receiving_rosters.receive_file(world.platform, arrived, world.now)


def carry_on(world: World, roster_id: str, *, chunks: int | None = None) -> Run:
    """One run of the import; ``chunks``: time for so many."""
    left = itertools.count()
    return importing_rosters.carry_out(
        world.platform,
        RosterErrand(roster_id),
        moment=world.clock.now,
        may_go_on=lambda: chunks is None or next(left) < chunks,
    )


def import_roster(world: World, template: Template | None, rows: Any, **options: Any) -> Roster:
    """From the file to its end."""
    roster, arrived = put_roster(world, template, rows, **options)
    receive(world, arrived)
    carry_on(world, roster.roster_id)
    return roster_of(world, roster)


def roster_of(world: World, roster: Roster) -> Roster:
    there = world.platform.rosters.read(roster.roster_id)
    assert there is not None
    return there


def verdicts(world: World, roster: Roster) -> list[tuple[str, str | None]]:
    """(verdict, code) of each row, in the order of the sheet, as the marks tell."""
    rows = [row for chunk in reading_marks.marks(world.platform, roster.roster_id) for row in chunk.rows]
    assert [row.number for row in rows] == sorted({row.number for row in rows})
    return [(row.verdict.value, row.code) for row in rows]


def vouchers_of(world: World, template: Template, people: Sequence[Profile]) -> list[Voucher]:
    """Those that they have of it; once each."""
    p = world.platform
    found = p.people.identify_all([p.keys.identities.keys(one.id_type, one.id_number) for one in people], ())
    _, vouchers = p.people.read_all([one.person_id for one in found if one.person_id], template.template_id)
    return list(vouchers.values())


def files_of(world: World) -> RememberedFiles:
    files: Any = world.platform.files
    assert isinstance(files, RememberedFiles)
    return files


def know(world: World, actor: Actor) -> None:
    """The import asks the catalogue who lets it issue."""
    catalogue = world.platform.catalogue
    if catalogue.clients.get(actor.app_key) is None:
        catalogue.clients.add(actor.client, None)
    if actor.operator is not None and catalogue.operators.get(actor.operator.operator_id) is None:
        catalogue.operators.add(actor.operator, None)


def with_bucket(world: World) -> World:
    """The world with a bucket in memory, where it has none."""
    return replace(world, platform=replace(world.platform, files=RememberedFiles(), roster_errands=Errands()))
