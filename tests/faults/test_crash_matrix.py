"""docs/crash-matrix.md as a whole; its rows are compared where they are run (test_crashes_of_*.py)."""

from chalicelib.api.answers import OPERATIONS
from tests.faults import document
from tests.faults.acts import CHANGES, LOOKS, OF_FUNCTIONS, REFUSED, ROOT, SUBJECTS, WITH_PEOPLE

EVENTS = {one.name for one in (ROOT / "events").iterdir()}


def test_given_the_acts_when_counted_then_every_operation_and_event_is_among_them() -> None:
    assert {label for label, _ in SUBJECTS} == {o.label for o in OPERATIONS} | EVENTS
    assert len(SUBJECTS) == sum(map(len, (LOOKS, CHANGES, WITH_PEOPLE, REFUSED, OF_FUNCTIONS)))


def test_given_the_document_when_read_then_it_has_exactly_these_acts_and_counts_itself_rightly() -> None:
    rows = document.read()

    assert document.RECORDING or list(rows) == [document.act_of(name) for name in SUBJECTS]
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.as_text(rows)
