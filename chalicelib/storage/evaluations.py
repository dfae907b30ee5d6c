"""Evaluations of classes: the ratings with the person, the words and the sums with the class."""

from chalicelib.domain.evaluation import Evaluation, Ratings, Words
from chalicelib.domain.outcomes import Mark, Page, StaleRow
from chalicelib.storage import keys
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import ListedRow, PeopleRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always


class EvaluationStore:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, person_id: str, class_id: str) -> Evaluation | None:
        item = self._tables.get(PeopleRow, person_id, keys.evaluation_item(class_id))
        return from_body(Evaluation, text(item, "body")) if item else None

    def ratings(self, class_id: str) -> Ratings:
        item = self._tables.get(ListedRow, keys.training_class(class_id), keys.RATINGS)
        return from_body(Ratings, text(item, "body")) if item else Ratings(class_id)

    def words(self, class_id: str, words_id: str) -> Words | None:
        item = self._tables.get(ListedRow, keys.training_class(class_id), keys.words_item(words_id))
        return from_body(Words, text(item, "body")) if item else None

    def page(self, class_id: str, limit: int, cursor: str | None) -> Page[Words]:
        condition = ListedRow.item.startswith(keys.WORDS)
        found = self._tables.query(ListedRow, keys.training_class(class_id), condition, limit=limit, cursor=cursor)
        return Page(tuple(from_body(Words, text(item, "body")) for item in found.items), found.cursor)

    def record(self, after: Evaluation, words: Words, ratings: Ratings, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        mine = PeopleRow(
            after.person_id, keys.evaluation_item(after.class_id), version=after.version, body=to_body(after)
        )
        new = PeopleRow.person.does_not_exist()
        tx.put(mine, new if after.version == 1 else PeopleRow.version == after.version - 1, always(StaleRow()))
        _put_words(tx, words)
        sums = ListedRow(
            keys.training_class(ratings.class_id), keys.RATINGS, version=ratings.version, body=to_body(ratings)
        )
        first = ListedRow.subject.does_not_exist()
        tx.put(sums, first if ratings.version == 1 else ListedRow.version == ratings.version - 1, always(StaleRow()))
        tx.commit()

    def release(self, words: Words, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        _put_words(tx, words)
        tx.commit()


def _put_words(tx: Transaction, words: Words) -> None:
    row = ListedRow(
        keys.training_class(words.class_id),
        keys.words_item(words.words_id),
        version=words.version,
        body=to_body(words),
    )
    first = ListedRow.subject.does_not_exist()
    tx.put(row, first if words.version == 1 else ListedRow.version == words.version - 1, always(StaleRow()))
