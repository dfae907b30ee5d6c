"""The catalogue's shelves: one class for every noun that is read and written whole, and the rule sets."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Generic, TypeVar

from chalicelib.domain.access import MOST_REGIONS, AssertionKey, Client, Operator
from chalicelib.domain.bank_account import InstitutionAccount
from chalicelib.domain.eligibility_service import EligibilityService
from chalicelib.domain.errors import AlreadyExists, ConcurrentChange
from chalicelib.domain.identifiers import region_ancestors
from chalicelib.domain.institution import Institution
from chalicelib.domain.outcomes import Mark, Page
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.region import Region, Rules, RuleSet, resolve
from chalicelib.domain.terminal import Terminal
from chalicelib.storage import keys
from chalicelib.storage.fresh import Fresh
from chalicelib.storage.marks import put_mark
from chalicelib.storage.rows import ListedRow, from_body, text, to_body
from chalicelib.storage.tables import Tables
from chalicelib.storage.transaction import Transaction, always

N = TypeVar("N")
MOST_PAGES = 5  # of a region's clients, where all of them are looked through


class NounShelf(Generic[N]):
    """Rows ``<NOUN>#<id>`` with their listing ``<NOUN>#<parent>``.

    ``sparse``: most ids have no such noun, so that there is none is remembered too.
    """

    def __init__(
        self,
        tables: Tables,
        kind: type[N],
        noun: str,
        id_of: Callable[[N], str],
        listing_of: Callable[[N], str],
        version_of: Callable[[N], int],
        *,
        sparse: bool = False,
    ) -> None:
        self._tables, self._kind, self._noun = tables, kind, noun
        self._id_of, self._listing_of, self._version_of = id_of, listing_of, version_of
        self._sparse = sparse
        self._fresh: Fresh[str, tuple[N | None]] = Fresh()

    def get(self, key: str) -> N | None:
        found = self._fresh.get(key, lambda: self._look(key))
        return found[0] if found else None

    def read(self, key: str) -> N | None:
        item = self._tables.get(ListedRow, f"{self._noun}#{key}", keys.HEAD)
        return from_body(self._kind, text(item, "body")) if item else None

    def add(self, noun: N, mark: Mark | None) -> None:
        tx = Transaction(self._tables)
        if mark:
            put_mark(tx, mark)
        exists = AlreadyExists(what=self._id_of(noun))
        tx.put(self._row(noun), ListedRow.subject.does_not_exist(), always(exists))
        self._put_more(tx, noun)
        tx.commit()
        self._fresh.forget(self._id_of(noun))

    def change(self, after: N, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(self._row(after), ListedRow.version == self._version_of(after) - 1, always(ConcurrentChange()))
        self._put_more(tx, after)
        tx.commit()
        self._fresh.forget(self._id_of(after))

    def _put_more(self, tx: Transaction, noun: N) -> None:
        """Whatever else is written with the noun: nothing."""

    def page(self, listing: str, limit: int, cursor: str | None) -> Page[N]:
        found = self._tables.listed(ListedRow, f"{self._noun}#{listing}", limit, cursor, item=keys.HEAD)
        return Page(tuple(from_body(self._kind, text(item, "body")) for item in found.items), found.cursor)

    def _look(self, key: str) -> tuple[N | None] | None:
        found = self.read(key)
        return None if found is None and not self._sparse else (found,)

    def _row(self, noun: N) -> ListedRow:
        return ListedRow(
            f"{self._noun}#{self._id_of(noun)}",
            keys.HEAD,
            version=self._version_of(noun),
            body=to_body(noun),
            list_key=f"{self._noun}#{self._listing_of(noun)}",
            list_order=self._id_of(noun),
        )


class ClientShelf(NounShelf[Client]):
    """Clients stand in the listings of all their regions: the head row in the first one's, and for each other region a
    row that only leads to it. A client's regions never change, so those rows do not either."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables, Client, "CLIENT", lambda c: c.app_key, lambda c: c.regions[0], lambda c: c.version)
        self._of_region: Fresh[str, tuple[Client, ...]] = Fresh()

    def change(self, after: Client, mark: Mark) -> None:
        super().change(after, mark)
        self._of_region.clear()

    def add(self, noun: Client, mark: Mark | None) -> None:
        super().add(noun, mark)
        self._of_region.clear()

    def listed(self, region: str) -> Sequence[Client]:
        return self._of_region.get(region, lambda: self._all_of(region)) or ()

    def _all_of(self, region: str) -> tuple[Client, ...]:
        found, cursor = list[Client](), None
        for _ in range(MOST_PAGES):
            page = self.page(region, 100, cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return tuple(found)

    def _put_more(self, tx: Transaction, noun: Client) -> None:
        # With every change again: clients of before had no such rows.
        for region in noun.regions[1:MOST_REGIONS]:
            row = ListedRow(
                f"CLIENT#{noun.app_key}",
                keys.scope_item(region),
                version=1,
                list_key=f"CLIENT#{region}",
                list_order=noun.app_key,
            )
            anyway = ListedRow.subject.does_not_exist() | ListedRow.subject.exists()
            tx.put(row, anyway, always(ConcurrentChange()))


class RuleSetStore:
    """Rule sets stand in their region's partition, one row per version, never changed but for being withdrawn."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        # In a tuple, since that a region decided nothing is worth remembering too.
        self._decided: Fresh[tuple[str, date], tuple[RuleSet | None]] = Fresh()
        # By what it was made of: no older than each of the versions.
        self._fresh: Fresh[tuple[str, tuple[int, ...]], Rules] = Fresh(seconds=float("inf"))

    def in_force(self, region: str, day: date) -> Rules:
        decided = [self.decided(code, day) for code in (region, *region_ancestors(region))]
        versions = tuple(one.version if one else 0 for one in decided)
        found = self._fresh.get((region, versions), lambda: resolve(region, decided))
        assert found is not None
        return found

    def decided(self, region: str, day: date) -> RuleSet | None:
        found = self._decided.get((region, day), lambda: (self._newest(region, day),))
        return found[0] if found else None

    def versions(self, region: str, limit: int, cursor: str | None) -> Page[RuleSet]:
        condition = ListedRow.item.startswith("RULES#")
        found = self._tables.query(ListedRow, _region(region), condition, limit=limit, cursor=cursor, forward=False)
        return Page(tuple(from_body(RuleSet, text(item, "body")) for item in found.items), found.cursor)

    def add(self, rules: RuleSet, mark: Mark | None) -> None:
        tx = Transaction(self._tables)
        if mark:
            put_mark(tx, mark)
        tx.put(_rules_row(rules, 1), ListedRow.subject.does_not_exist(), always(ConcurrentChange()))
        tx.commit()
        self._forget()

    def withdraw(self, withdrawn: RuleSet, mark: Mark) -> None:
        tx = Transaction(self._tables)
        put_mark(tx, mark)
        tx.put(_rules_row(withdrawn, 2), ListedRow.version == 1, always(ConcurrentChange()))
        tx.commit()
        self._forget()

    def _newest(self, region: str, day: date) -> RuleSet | None:
        # A later version may begin later: look back past those that wait.
        there = self.versions(region, 50, None).items
        return next((one for one in there if one.effective_from <= day and one.withdrawn_at is None), None)

    def _forget(self) -> None:
        self._decided.clear()


def _rules_row(rules: RuleSet, version: int) -> ListedRow:
    return ListedRow(_region(rules.region), keys.rules_item(rules.version), version=version, body=to_body(rules))


def _region(code: str) -> str:
    return f"REGION#{code}"


def regions(tables: Tables) -> NounShelf[Region]:
    return NounShelf(tables, Region, "REGION", lambda r: r.code, lambda r: r.parent or "", lambda _: 1)


def programmes(tables: Tables) -> NounShelf[Programme]:
    return NounShelf(tables, Programme, "PROGRAMME", lambda p: p.programme_id, lambda p: p.region, lambda p: p.version)


def courses(tables: Tables) -> NounShelf[Course]:
    return NounShelf(tables, Course, "COURSE", lambda c: c.course_id, lambda c: c.institution_id, lambda c: c.version)


def institutions(tables: Tables) -> NounShelf[Institution]:
    return NounShelf(
        tables, Institution, "INSTITUTION", lambda i: i.institution_id, lambda i: i.region, lambda i: i.version
    )


def operators(tables: Tables) -> NounShelf[Operator]:
    return NounShelf(tables, Operator, "OPERATOR", lambda o: o.operator_id, lambda o: o.region, lambda o: o.version)


def terminals(tables: Tables) -> NounShelf[Terminal]:
    return NounShelf(
        tables, Terminal, "TERMINAL", lambda t: t.terminal_id, lambda t: t.institution_id, lambda t: t.version
    )


def assertion_keys(tables: Tables) -> NounShelf[AssertionKey]:
    return NounShelf(tables, AssertionKey, "ASSERTION_KEY", lambda k: k.kid, lambda _: "all", lambda k: k.version)


def eligibility_services(tables: Tables) -> NounShelf[EligibilityService]:
    return NounShelf(
        tables, EligibilityService, "ELIGIBILITY_SERVICE", lambda s: s.region, lambda _: "all", lambda s: s.version,
        sparse=True,
    )  # fmt: skip


def bank_accounts(tables: Tables) -> NounShelf[InstitutionAccount]:
    return NounShelf(
        tables, InstitutionAccount, "BANK_ACCOUNT", lambda a: a.institution_id, lambda a: a.region, lambda a: a.version
    )
