"""Try all of one act, count its cells, and compare them with the document."""

from collections import Counter
from functools import partial

from tests.faults import document
from tests.faults.acts import SUBJECTS, Subject
from tests.faults.crash_matrix import ALL_OF_ONE_KIND, LONG, Name, Report, tells_who_asks, try_all, ways_of
from tests.faults.operations import Scene


def try_and_compare(scene: Scene, name: Name, subject: Subject) -> None:
    everything = LONG or name in IN_FULL
    report = try_all(scene.world, partial(subject, scene), all_rows_of_it=everything)

    assert len({(cell.call, cell.which, cell.way) for cell in report.cells}) == _expected(report, everything=everything)
    scene.world.check_laws(scene.world.vouchers())
    if document.RECORDING:
        document.record(name, report, [document.act_of(one) for one in SUBJECTS])
    if not LONG:  # the document is that of the gate
        assert document.read()[document.act_of(name)] == document.rows_of(name, report), (
            "RECORD_MATRIX=1 writes it anew"
        )


IN_FULL: frozenset[Name] = frozenset(
    {("GET /v1/accounts", ""), ("POST /v1/accounts", ""), ("POST /v1/redemptions", "")}
)
"""Acts of which the gate tries also what tells who asks."""


def _expected(report: Report, *, everything: bool) -> int:
    """How many cells there must be, by what was recorded: each call, of many equal ones two."""
    equal = Counter(call for call in report.calls if everything or not tells_who_asks(call))
    return sum(len(ways_of(call)) * (count if count <= ALL_OF_ONE_KIND else 2) for call, count in equal.items())
