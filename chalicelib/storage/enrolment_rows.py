"""The rows of enrolments and classes, as whichever transaction writes them."""

from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.outcomes import StaleRow
from chalicelib.domain.training_class import TrainingClass
from chalicelib.storage import keys
from chalicelib.storage.rows import ListedRow, PeopleRow, to_body
from chalicelib.storage.transaction import Transaction, always


def put_enrolment(tx: Transaction, after: Enrolment) -> None:
    row = PeopleRow(after.person_id, keys.enrolment_item(after.class_id), version=after.version, body=to_body(after))
    first = PeopleRow.person.does_not_exist()
    tx.put(row, first if after.version == 1 else PeopleRow.version == after.version - 1, always(StaleRow()))


def put_class(tx: Transaction, after: TrainingClass) -> None:
    row = ListedRow(
        keys.training_class(after.class_id),
        keys.HEAD,
        version=after.version,
        body=to_body(after),
        list_key=keys.training_class(after.institution_id),
        list_order=after.class_id,
    )
    tx.put(row, ListedRow.version == after.version - 1, always(StaleRow()))
