"""What the services need from outside, as Protocols; ``wiring.py`` picks who answers them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, BinaryIO, Protocol, TypeVar

from chalicelib.domain.access import AssertionKey, Client, Operator
from chalicelib.domain.amendment import Amendment, Errand
from chalicelib.domain.application import Application, Line, MoneyErrand
from chalicelib.domain.assertion import Assertion, HolderSession
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.bank_account import InstitutionAccount
from chalicelib.domain.budget_transfer import BudgetTransfer
from chalicelib.domain.check_in import KeptPosition
from chalicelib.domain.class_papers import ClassPaper, PaperFormat, PaperKind
from chalicelib.domain.disclosure import Disclosure
from chalicelib.domain.eligibility import Enlisted, ServiceVerdict
from chalicelib.domain.eligibility_service import EligibilityService, ServiceQuestion
from chalicelib.domain.enrolment import Enrolment
from chalicelib.domain.evaluation import Evaluation, Ratings, Words
from chalicelib.domain.fund import Account, Posting
from chalicelib.domain.institution import Institution
from chalicelib.domain.line_list import LineList
from chalicelib.domain.listing import Listing
from chalicelib.domain.merge import Merge
from chalicelib.domain.outcomes import Enrolling, Identified, LineStep, Mark, NewVoucher, Page
from chalicelib.domain.pace import Pace
from chalicelib.domain.payment import BatchPayee, FileRow, PaymentBatch
from chalicelib.domain.person import NameDifference, Person, Profile
from chalicelib.domain.programme import Course, Programme
from chalicelib.domain.proxy import ByProxy, Relation
from chalicelib.domain.record import Record
from chalicelib.domain.region import Region, Rules, RuleSet
from chalicelib.domain.roster import Chunk, Outcome, Roster, RosterErrand, WithdrawnChunk
from chalicelib.domain.sheets import RawRow, Schema, Sheet
from chalicelib.domain.staff import StaffMember
from chalicelib.domain.statement import Statement, StatementFormat
from chalicelib.domain.stored_file import Download, Stored, Upload
from chalicelib.domain.template import Shard, Template, Terms
from chalicelib.domain.terminal import Terminal
from chalicelib.domain.token import Token
from chalicelib.domain.training_class import TrainingClass
from chalicelib.domain.voucher import Voucher

T = TypeVar("T")


# --- time, chance, keys ----------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime: ...


class Chance(Protocol):
    """Random ids and picks; tests pass a seeded one."""

    def person_id(self) -> str:
        """26 characters of base32: 128 bits."""
        ...

    def short_id(self) -> str:
        """16 characters of base32: 80 bits; templates, programmes, courses, operators, clients."""
        ...

    def code_bytes(self) -> bytes:
        """10 bytes for a typed code."""
        ...

    def nonce(self) -> bytes:
        """12 bytes."""
        ...

    def secret(self) -> str:
        """A client's signing secret: 43 characters of base64url, 256 bits."""
        ...

    def order(self, count: int) -> list[int]:
        """0 … count-1 in random order."""
        ...


class Identities(Protocol):
    def keys(self, id_type: str, id_number: str) -> Sequence[str]:
        """Identity partitions of a normalised number, current pepper first."""
        ...

    def code_key(self, code: str) -> str:
        """The index key of a canonical typed code."""
        ...

    def veil(self, said: bytes) -> str:
        """A keyed digest of what is only compared, never read again."""
        ...


class Sealer(Protocol):
    """Authenticated encryption of fields; ``context`` ties a value to its row and field."""

    def seal(self, plain: str, context: str) -> str: ...

    def unseal(self, sealed: str, context: str) -> str: ...

    def seal_profile(self, profile: Profile, person_id: str) -> str: ...

    def unseal_profile(self, sealed: str, person_id: str) -> Profile: ...


class VoucherIds(Protocol):
    def encode(self, person_id: str, template_id: str) -> str: ...

    def decode(self, voucher_id: str) -> tuple[str, str] | None:
        """(person, template), or None for what we never made."""
        ...


class Tokens(Protocol):
    def issue(self, voucher: Voucher, nonce: bytes, now: datetime) -> str: ...

    def read(self, text: str) -> Token:
        """Raises TokenNotAccepted (malformed, unknown_key, signature)."""
        ...

    def public_keys(self) -> Mapping[str, str]:
        """kid → raw Ed25519 public key, base64url."""
        ...


class Sessions(Protocol):
    def issue(self, session: HolderSession, nonce: bytes) -> str: ...

    def read(self, text: str) -> HolderSession:
        """Raises SessionEnded when it is not ours; the caller checks the time."""
        ...


class Assertions(Protocol):
    def read(self, jws: str) -> Assertion:
        """Check signature and form. Raises AssertionNotAccepted (malformed, algorithm, unknown_key, signature)."""
        ...


class CardReads(Protocol):
    def read(self, jws: str) -> Assertion:
        """Check signature and form of what a terminal read off a card. Raises CardReadNotAccepted (malformed,
        algorithm, unknown_key, signature)."""
        ...


class OperatorSignatures(Protocol):
    """An operator's own signature over one request (``X-Operator``)."""

    def signer(self, jws: str) -> str:
        """The operator id that the signature claims, nothing checked yet. Raises OperatorNotAccepted (malformed)."""
        ...

    def can_sign(self, public_key: str) -> bool:
        """Whether a signature under this Ed25519 key (raw, base64url) could ever be accepted."""
        ...

    def check(
        self, jws: str, public_key: str, *, app_key: str, method: str, path: str, body: bytes, key: str, now: datetime
    ) -> None:
        """Raises OperatorNotAccepted (malformed, algorithm, signature, audience, request, expired, future)."""
        ...


class EligibilityServices(Protocol):
    """The regions' own services that say who is eligible. docs/eligibility-service.md"""

    def may_call(self, url: str) -> bool:
        """Whether a service may have this address, as far as that can be told without looking it up."""
        ...

    def ask(
        self,
        service: EligibilityService,
        *,
        template_id: str,
        programme_type: str,
        people: Sequence[ServiceQuestion],
        now: datetime,
        trial: bool = False,
    ) -> Mapping[str, ServiceVerdict]:
        """What the service says of each person (500 at most), by reference; within about 3 s.

        A trial is asked whatever is remembered, and also while the service rests from failing. Raises
        EligibilityServiceUnavailable: whatever is not exactly an answer is none.
        """
        ...


# --- stores ----------------------------------------------------------------------------------------------------------


class Shelf(Protocol[T]):
    """One noun of the catalogue. Every noun has an id, a version, and stands in one listing."""

    def get(self, key: str) -> T | None:
        """At most 60 s old."""
        ...

    def read(self, key: str) -> T | None:
        """As it is now."""
        ...

    def add(self, noun: T, mark: Mark | None) -> None:
        """Without a mark for reference data only. Raises RequestSeen, AlreadyExists."""
        ...

    def change(self, after: T, mark: Mark) -> None:
        """Replace version ``after.version - 1``. Raises RequestSeen, ConcurrentChange."""
        ...

    def page(self, listing: str, limit: int, cursor: str | None) -> Page[T]: ...


class Staff(Shelf[StaffMember], Protocol):
    """``add`` is not for them: they come with what leads from a number to them."""

    def find(self, institution_id: str, identity_keys: Sequence[str]) -> StaffMember | None:
        """Whom any of the numbers leads to at the institution; at most 60 s old."""
        ...

    def register(self, member: StaffMember, identity_keys: Sequence[str], mark: Mark) -> None:
        """Raises RequestSeen, AlreadyExists (a number leads to somebody there already)."""
        ...


class Clients(Shelf[Client], Protocol):
    """A client stands in the listing of each of its regions."""

    def listed(self, region: str) -> Sequence[Client]:
        """Those of exactly this region, five hundred at most; at most 60 s old."""
        ...


class RuleSets(Protocol):
    def in_force(self, region: str, day: date) -> Rules:
        """What holds there on the day, with what it inherits; at most 60 s old."""
        ...

    def decided(self, region: str, day: date) -> RuleSet | None:
        """The region's own latest version that is effective on the day; at most 60 s old."""
        ...

    def versions(self, region: str, limit: int, cursor: str | None) -> Page[RuleSet]:
        """Newest first, with those that wait for their date and those that were withdrawn."""
        ...

    def withdraw(self, withdrawn: RuleSet, mark: Mark) -> None:
        """Raises RequestSeen, ConcurrentChange when it is withdrawn already."""
        ...

    def add(self, rules: RuleSet, mark: Mark | None) -> None:
        """Raises RequestSeen, ConcurrentChange when the version is taken."""
        ...


class Marks(Protocol):
    def find(self, attempt: Attempt, kind: type[T], now: datetime) -> T | None:
        """The kept answer of this request. Raises Reused when its body was another."""
        ...

    def keep(self, mark: Mark) -> None:
        """The answer of a request whose steps are rows of their own, each of which knows that it was done; after them
        all. Raises RequestSeen."""
        ...


class Accounts(Protocol):
    def read(self, account_id: str) -> Account | None: ...

    def open(self, account: Account, posting: Posting, mark: Mark) -> None:
        """Raises RequestSeen, AlreadyExists."""
        ...

    def post(self, account: Account, posting: Posting, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...

    def post_all(self, posted: Sequence[tuple[Account, Posting]], mark: Mark) -> None:
        """Several accounts in one transaction; a first posting opens its account. Raises RequestSeen, StaleRow."""
        ...

    def postings(self, account_id: str, limit: int, cursor: str | None) -> Page[Posting]: ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Account]: ...


class BudgetTransfers(Protocol):
    def read(self, transfer_id: str) -> BudgetTransfer | None: ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[BudgetTransfer]:
        """Those within a province, the oldest first."""
        ...

    def propose(self, transfer: BudgetTransfer, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...

    def end(self, after: BudgetTransfer, posted: Sequence[tuple[Account, Posting]], mark: Mark) -> None:
        """Replace version ``after.version - 1``, with the money that it moves. Raises RequestSeen, StaleRow."""
        ...


class Templates(Protocol):
    def get(self, template_id: str) -> Template | None:
        """At most 60 s old."""
        ...

    def read(self, template_id: str) -> Template | None: ...

    def terms(self, template_id: str, version: int) -> Terms: ...

    def note_sold_out(self, template: Template) -> None:
        """Every shard of this version was found empty: remembered for a second."""
        ...

    def is_sold_out(self, template: Template) -> bool:
        """Whether that was noted here within the last second, and no later version is known."""
        ...

    def note_shard(self, template_id: str, number: int) -> None:
        """This shard gave a unit: remembered for a second."""
        ...

    def noted_shard(self, template_id: str) -> int | None:
        """The shard that gave one here within the last second."""
        ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Template]: ...

    def add(self, template: Template, terms: Terms, mark: Mark) -> None:
        """Raises RequestSeen."""
        ...

    def listing(self, region: str) -> Listing:
        """What the region offers, as it is now; version 0 where nothing was ever offered."""
        ...

    def change(
        self,
        after: Template,
        mark: Mark | None,
        posted: tuple[Account, Posting] | None = None,
        listing: Listing | None = None,
    ) -> None:
        """Replace version ``after.version - 1``, with the money it moves and the listing that it stands in.

        Raises RequestSeen, StaleRow, ListingFull.
        """
        ...

    def shards(self, template: Template) -> list[Shard]:
        """All shards as they are now, read together, in order of number."""
        ...

    def deal(self, after: Template, deals: Mapping[int, int], new: Sequence[Shard]) -> None:
        """Add stock to existing shards, create new ones, and write the template that gave it. Raises StaleRow."""
        ...

    def set_gate(self, template: Template, numbers: Sequence[int]) -> None:
        """Open or shut shards; one that a later act has reached already is left alone."""
        ...

    def amend(
        self, after: Template, terms: Terms, amendment: Amendment, mark: Mark, listing: Listing | None = None
    ) -> None:
        """The head with its next terms, the amendment that made them, and the listing that it stands in.

        Raises RequestSeen, StaleRow, ListingFull.
        """
        ...

    def amendment(self, template_id: str, number: int) -> Amendment | None: ...

    def amendments(self, template_id: str, limit: int, cursor: str | None) -> Page[Amendment]:
        """Oldest first."""
        ...

    def note_progress(self, after: Amendment) -> None:
        """Replace version ``after.version - 1``. Raises StaleRow."""
        ...

    def release(self, before: Shard, after: Shard) -> None:
        """Raises StaleRow."""
        ...

    def to_release(self, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, int]]:
        """(template, number) of shards with money that waits to be posted, those of one template together; as far as
        the index has come."""
        ...

    def some_shards(self, wanted: Sequence[tuple[str, int]]) -> list[Shard]:
        """These shards of whatever templates as they are now, in any order."""
        ...

    def post_release(self, shards: Sequence[Shard], account: Account, posting: Posting) -> None:
        """One transaction: what these shards have to release is posted to their account. Raises StaleRow,
        WriteConflict."""
        ...


class Listings(Protocol):
    """What each region offers."""

    def look(
        self, regions: Sequence[str], identity_keys: Sequence[str], lists_of: Sequence[str]
    ) -> tuple[list[Listing], Identified]:
        """The listings of these regions, in this order, and what a number leads to, as ``People.identify`` tells it
        with the lists of ``lists_of``: all in one call."""
        ...

    def page(self, limit: int, cursor: str | None, since: str = "0", until: str = "~") -> Page[Listing]:
        """All that offer anything, by region; ``since`` and ``until`` bound the region's code."""
        ...

    def read(self, region: str) -> Listing: ...

    def templates(self, listing: Listing) -> tuple[list[Template], list[Shard]]:
        """The heads of its templates and all their shards, as they are now."""
        ...

    def write(self, after: Listing) -> None:
        """Replace version ``after.version - 1``. Raises StaleRow, ListingFull."""
        ...


class People(Protocol):
    def find(self, identity_keys: Sequence[str]) -> str | None:
        """The person that any of the numbers leads to, the first of them if they should differ: one call."""
        ...

    def identify(
        self, identity_keys: Sequence[str], regions: Sequence[str], proxy_keys: Sequence[str] = ()
    ) -> Identified:
        """``find``, and what the eligible-population lists of these regions say of the number; and who the relative
        of these keys is: one call."""
        ...

    def identify_all(self, people: Sequence[Sequence[str]], regions: Sequence[str]) -> list[Identified]:
        """``identify`` for many, each by their keys: in this order, a call for each hundred rows."""
        ...

    def read_all(self, person_ids: Sequence[str], template_id: str) -> tuple[dict[str, Person], dict[str, Voucher]]:
        """The head rows of these, and their vouchers of one template, by person: a call for each hundred rows."""
        ...

    def read_with_proxy(
        self, person_id: str | None, template_id: str, proxy_id: str | None
    ) -> tuple[Person | None, Voucher | None, Person | None]:
        """The head row and the voucher of one, the head row of the other, as far as they are there: one call."""
        ...

    def relation(self, person_id: str, relation_id: str) -> Relation | None: ...

    def relations(self, person_id: str, limit: int, cursor: str | None) -> Page[Relation]:
        """Those on either side of which the person stands."""
        ...

    def end_relation(self, proxy: Person, ended: Relation, mark: Mark) -> None:
        """One transaction: the relation on both sides, and the relative's row. Raises RequestSeen, StaleRow."""
        ...

    def enlisted(self, identity_keys: Sequence[str], region: str) -> Enlisted | None:
        """The number on one region's list."""
        ...

    def enlist(self, enlisted: Enlisted, identity_keys: Sequence[str], mark: Mark) -> None:
        """Put it over older versions. Raises RequestSeen, StaleRow (this version stands already)."""
        ...

    def read(self, person_id: str, template_ids: Sequence[str]) -> tuple[Person | None, dict[str, Voucher]]:
        """The person's head row and the vouchers of these templates: one call, consistent."""
        ...

    def voucher(self, person_id: str, template_id: str) -> Voucher | None:
        """One consistent read."""
        ...

    def find_by_code(self, code_key: str) -> tuple[str, str] | None:
        """(person, template) of the voucher that has this code, as its index tells: the base rows decide."""
        ...

    def hold_name(self, difference: NameDifference, name_key: str) -> None:
        """Keep that somebody wanted the voucher under another name, once for each such name (``name_key``)."""
        ...

    def names_held(self, region: str, limit: int, cursor: str | None) -> Page[NameDifference]:
        """In the order in which they were found; also those that are settled by now."""
        ...

    def wallet(self, person_id: str, limit: int, cursor: str | None) -> Page[Voucher]: ...

    def open_wallet(self, person_id: str, limit: int) -> tuple[Person | None, Page[Voucher]]:
        """The person's head row and the first page of the wallet: one call."""
        ...

    def record_claim(
        self,
        voucher: Voucher,
        person: Person,
        identity_keys: Sequence[str],
        met: int = 0,
        by_proxy: ByProxy | None = None,
        linked: Sequence[Person] = (),
        unchanged: Sequence[Person] = (),
    ) -> None:
        """One transaction: voucher, shard, person (+ identities when given: the person is new then) (+ the relative).

        ``linked``: records that were merged with this one: they are still as they were read, and have no such voucher.
        ``unchanged``: other records that are still as they were read.
        Tried once, after a pause where conflicts were ``met`` before: the shard may be another next time.
        Raises VoucherExists, ShardRefused, StaleRow, WriteConflict.
        """
        ...

    def record_step(
        self,
        before: Voucher,
        after: Voucher,
        person: Person | None = None,
        unchanged: Sequence[Person] = (),
        *,
        while_open: bool = False,
        by_proxy: ByProxy | None = None,
        off_class: tuple[Enrolment, TrainingClass] | None = None,
    ) -> None:
        """One transaction: voucher, shard (+ person) (+ the relative). ``unchanged``: whoever must still be as they
        were read; ``while_open``: only while the shard lets vouchers be claimed.

        Raises StaleRow, ShardRefused, WriteConflict.
        """
        ...

    def heads(self, person_ids: Sequence[str]) -> list[Person]:
        """The head rows of these, in any order: one call."""
        ...

    def change(self, changes: Sequence[tuple[Person, Record]], mark: Mark, identity_keys: Sequence[str] = ()) -> None:
        """One transaction: mark, people, records (+ identities that are new and lead to the first of them).

        Raises RequestSeen, IdentityTaken, StaleRow.
        """
        ...

    def leading_to(self, identity_keys: Sequence[str], person_id: str) -> list[str]:
        """Those of the identities that exist and lead to this person: one call."""
        ...

    def records(self, person_id: str, limit: int, cursor: str | None) -> Page[Record]:
        """What authorities changed, the oldest first."""
        ...

    def due(self, day: date, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, str]]:
        """(person, template) of what stands in one lane of a day."""
        ...

    def due_of(self, template_id: str, day: date, lane: int, limit: int, cursor: str | None) -> Page[tuple[str, str]]:
        """``due``, of one template alone."""
        ...

    def vouchers(self, keys: Sequence[tuple[str, str]]) -> list[Voucher]: ...

    def holders(self, person_ids: Sequence[str]) -> list[Person]: ...

    def record_steps(
        self,
        steps: Sequence[tuple[Voucher, Voucher]],
        holders: Sequence[Person] = (),
        heads: Sequence[Template] = (),
        progress: Amendment | None = None,
        unchanged: Sequence[Person] = (),
    ) -> None:
        """Many vouchers' steps in one transaction, each shard once; with the holders that they change, only if these
        templates and the people of ``unchanged`` are still as they were read, and with what they are for an amendment's
        job. Raises StaleRow, WriteConflict."""
        ...

    def may_be_erased(self, item: str) -> bool:
        """Whether a row of this sort key is one that is erased when its term is over."""
        ...

    def from_image(self, image: Mapping[str, Any]) -> Voucher | None:
        """The voucher in a stream record's image; None for rows of another kind."""
        ...


class Merges(Protocol):
    def read(self, merge_id: str) -> Merge | None: ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Merge]:
        """Those that operators of one region proposed, the oldest first."""
        ...

    def propose(self, merge: Merge, mark: Mark) -> None:
        """Raises RequestSeen."""
        ...

    def carry_out(
        self,
        merge: Merge,
        changes: Sequence[tuple[Person, Record]],
        identity_keys: Sequence[str],
        came_from: str,
        leads_to: str,
        mark: Mark,
    ) -> None:
        """One transaction: mark, the merge's next version, both people with a record each, and the numbers that led to
        ``came_from`` lead to ``leads_to``. Raises RequestSeen, StaleRow."""
        ...


class Disclosures(Protocol):
    """Who looked at whose full data: added, never changed."""

    def add(self, disclosure: Disclosure, mark: Mark) -> None:
        """Raises RequestSeen."""
        ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[Disclosure]:
        """Of the operators of one region, the oldest first."""
        ...


class Rosters(Protocol):
    def read(self, roster_id: str) -> Roster | None: ...

    def page(self, of: str, limit: int, cursor: str | None) -> Page[Roster]:
        """Those of a region, or those that an institution submitted; the oldest first."""
        ...

    def add(self, roster: Roster, mark: Mark | None) -> None:
        """Without a mark for a file that was put straight under the prefix. Raises RequestSeen, StaleRow (it is
        there)."""
        ...

    def change(self, after: Roster, mark: Mark | None = None) -> None:
        """Replace version ``after.version - 1``. Raises RequestSeen, StaleRow."""
        ...

    def record_chunk(
        self, after: Roster, chunk: Chunk, made: Sequence[NewVoucher] = (), aside: Template | None = None
    ) -> None:
        """One transaction: the vouchers with their holders, their shards, the chunk's mark, the roster that it brings
        forward; and the template, where they are made of units that were set ``aside``.

        Raises StaleRow, VoucherExists, ShardRefused, WriteConflict, Unavailable (outcome unknown).
        """
        ...

    def set_aside(self, after: Roster, head: Template, taken: Mapping[int, int]) -> None:
        """One transaction: units of these shards wait on the template for it. Raises StaleRow, WriteConflict."""
        ...

    def give_back(self, after: Roster, head: Template) -> None:
        """One transaction: the template need not keep units for the roster any more. Raises StaleRow, WriteConflict."""
        ...

    def record_withdrawal(self, after: Roster, chunk: WithdrawnChunk, steps: Sequence[tuple[Voucher, Voucher]]) -> None:
        """One transaction: the steps with their shards, the mark, the roster. Raises StaleRow, WriteConflict."""
        ...

    def withdrawn(self, roster_id: str, limit: int, cursor: str | None) -> Page[WithdrawnChunk]:
        """In the order of the sheet."""
        ...

    def chunks(self, roster_id: str, limit: int, cursor: str | None, *, after: int = 0) -> Page[Chunk]:
        """In the order of the sheet; ``after``: from the one on that has rows after this."""
        ...


class Files(Protocol):
    """Objects of the bucket. All are encrypted, and every version is kept."""

    def upload_url(self, key: str, *, size: int, sha256: str, now: datetime) -> Upload:
        """Where and how a file of exactly this size and SHA-256 (hex) may be put for some minutes."""
        ...

    def download_url(self, key: str, file_name: str, now: datetime) -> Download:
        """Where the object may be fetched for some minutes; the browser saves it as ``file_name``."""
        ...

    def exists(self, key: str) -> bool: ...

    def look(self, key: str, version: str | None) -> Stored | None:
        """What stands there, without its content; None: nothing (any more)."""
        ...

    def read(self, key: str, version: str | None, most: int) -> bytes | None:
        """The content; None: there is no such object, or it is longer than ``most`` bytes."""
        ...

    def write(self, key: str, file: BinaryIO, content_type: str) -> None: ...


class Workbooks(Protocol):
    """Reads and writes workbook files, and papers."""

    def open(self, data: bytes, file_name: str) -> Sheet:
        """Raises FileRefused."""
        ...

    def paper(self, content: ClassPaper, kind: PaperKind, form: PaperFormat) -> BinaryIO:
        """What is printed of a class."""
        ...

    def statement(self, content: Statement, region: str, form: StatementFormat) -> BinaryIO:
        """An account's month; ``region``: its name."""
        ...

    def evidence(self, lines: LineList) -> BinaryIO:
        """The lines of an application, with usage and attendance."""
        ...

    def bank_file(self, batch: PaymentBatch, payees: Sequence[FileRow]) -> BinaryIO:
        """What a bank is told to pay. docs/bank-file.md"""
        ...

    def template(self, schema: Schema) -> BinaryIO:
        """An empty workbook to be filled in."""
        ...

    def result(
        self,
        rows: Iterable[RawRow],
        header_number: int,
        outcomes: Iterator[Outcome],
        *,
        summary: Sequence[tuple[str, str]],
    ) -> BinaryIO:
        """The rows as they were uploaded, each with what became of it; ``outcomes`` in the order of the sheet."""
        ...


class RosterErrands(Protocol):
    """How the import function is asked to begin or to go on."""

    def ask(self, errand: RosterErrand, delay: timedelta) -> None:
        """Raises Unavailable."""
        ...


class Continuations(Protocol):
    """How a job that runs out of time asks to be called again."""

    def ask(self, sweep: str) -> None: ...


class Errands(Protocol):
    """How the job of an amendment is asked to begin, to go on, to look again."""

    def ask(self, errand: Errand, delay: timedelta) -> None:
        """Raises Unavailable."""
        ...


class Paces(Protocol):
    def take(self, app_key: str, requests_per_second: int, now: datetime) -> Pace:
        """Count one request of a client; the caller refuses when it is not allowed."""
        ...


class Checkpoints(Protocol):
    def swept_until(self, sweep: str) -> date | None: ...

    def advance(self, sweep: str, day: date) -> None:
        """Never moves back."""
        ...


# --- groups that services and edges share --------------------------------------------------------------------------


class Applications(Protocol):
    """Applications for money, with their lines."""

    def read(self, application_id: str) -> Application | None: ...

    def page(self, of: str, limit: int, cursor: str | None) -> Page[Application]:
        """Those of a payer region, or of an institution; the oldest first."""
        ...

    def waiting(self, region: str, before: date | None, limit: int, cursor: str | None) -> Page[Application]:
        """Those of the region that wait for their review; or those of them whose last day for it was before this one.
        The first due first."""
        ...

    def due_on(self, day: date, limit: int, cursor: str | None) -> Page[Application]:
        """Those that still wait for a review on their last day."""
        ...

    def published(self, region: str, since: date, limit: int, cursor: str | None) -> Page[Application]:
        """Those of the region that are published on this day, or will still be; whose last day comes first, first."""
        ...

    def line(self, application_id: str, voucher_id: str) -> Line | None: ...

    def lines_of(self, application_id: str, voucher_ids: Sequence[str]) -> list[Line]: ...

    def lines(self, application_id: str, limit: int, cursor: str | None) -> Page[Line]: ...

    def asked(self, application_id: str, number: int) -> tuple[tuple[str, int], ...]:
        """A chunk of the lines that were asked for one by one: (voucher id, fen; 0: as much as there is)."""
        ...

    def open(self, application: Application, asked: Sequence[Sequence[tuple[str, int]]], mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...

    def change(self, after: Application, mark: Mark | None = None) -> None:
        """Replace version ``after.version - 1``. Raises RequestSeen, StaleRow."""
        ...

    def record(
        self,
        after: Application,
        steps: Sequence[LineStep],
        posted: Sequence[tuple[Account, Posting]] = (),
        mark: Mark | None = None,
        waits: bool | None = None,
    ) -> None:
        """One transaction: the head, lines with their vouchers and shards, postings (several of one account follow each
        other). ``waits``: whether it begins, or ends, to wait for a review. Raises RequestSeen, StaleRow,
        WriteConflict."""
        ...

    def publish(self, after: Application, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow, WriteConflict."""
        ...

    def note(self, steps: Sequence[LineStep], posted: Sequence[tuple[Account, Posting]]) -> None:
        """One transaction: lines with their vouchers, and postings, where their heads stay as they are. The vouchers'
        versions make it once. Raises StaleRow, WriteConflict."""
        ...


class Payments(Protocol):
    """Payment batches with their payees."""

    def read(self, batch_id: str) -> PaymentBatch | None: ...

    def page(self, region: str, limit: int, cursor: str | None) -> Page[PaymentBatch]:
        """Those of a region; the oldest first."""
        ...

    def payee(self, batch_id: str, sequence: int) -> BatchPayee | None: ...

    def payees(self, batch_id: str, limit: int, cursor: str | None, *, after: int = 0) -> Page[BatchPayee]:
        """In the order of their numbers."""
        ...

    def payees_of(self, batch_id: str, holders: Sequence[str]) -> dict[str, BatchPayee]:
        """Those of these institutions and people who are in it, by holder."""
        ...

    def open(self, batch: PaymentBatch, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...

    def record(
        self,
        after: PaymentBatch,
        payees: Sequence[BatchPayee] = (),
        applications: Sequence[Application] = (),
        steps: Sequence[LineStep] = (),
        posted: Sequence[tuple[Account, Posting]] = (),
        mark: Mark | None = None,
        institutions: Sequence[Institution] = (),
    ) -> None:
        """One transaction: the head, payees (of version 1: new), applications, their lines with vouchers, postings;
        ``institutions`` must be as they were read.

        Raises RequestSeen, StaleRow, WriteConflict.
        """
        ...


class MoneyErrands(Protocol):
    """How the money function is asked to go on with an application or a payment batch."""

    def ask(self, errand: MoneyErrand, delay: timedelta) -> None:
        """Raises Unavailable."""
        ...


class Enrolments(Protocol):
    """Who is on which class, with their attendance."""

    def of_person(self, person_id: str) -> list[Enrolment]:
        """All that the person ever had, as they are now: one call."""
        ...

    def on_class(self, class_id: str, limit: int, cursor: str | None) -> Page[Enrolment]: ...

    def enrol(
        self,
        training: TrainingClass,
        people: Sequence[Enrolling],
        mark: Mark,
        off_class: tuple[Enrolment, TrainingClass] | None = None,
    ) -> None:
        """``off_class``: what is left in the same act. Raises RequestSeen, StaleRow."""
        ...

    def record(self, after: Enrolment, training: TrainingClass | None = None, kept: KeptPosition | None = None) -> None:
        """One step, the class where its seats change, and the position where the region orders it kept.

        Raises StaleRow.
        """
        ...

    def positions(self, person_id: str, class_id: str) -> list[KeptPosition]:
        """Those that are kept of somebody's check-ins in a class, also ones that are past their term."""
        ...

    def record_all(self, after: Sequence[Enrolment], steps: Sequence[tuple[Voucher, Voucher]] = ()) -> None:
        """A step of each, and of their vouchers, all or none. Raises StaleRow, WriteConflict."""
        ...


class Evaluations(Protocol):
    """What trainees said of classes."""

    def read(self, person_id: str, class_id: str) -> Evaluation | None: ...

    def ratings(self, class_id: str) -> Ratings: ...

    def words(self, class_id: str, words_id: str) -> Words | None: ...

    def page(self, class_id: str, limit: int, cursor: str | None) -> Page[Words]:
        """All words of a class, also those that are held, in no order that tells anything."""
        ...

    def record(self, after: Evaluation, words: Words, ratings: Ratings, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...

    def release(self, words: Words, mark: Mark) -> None:
        """Raises RequestSeen, StaleRow."""
        ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All shelves of the catalogue."""

    regions: Shelf[Region]
    rule_sets: RuleSets
    programmes: Shelf[Programme]
    courses: Shelf[Course]
    institutions: Shelf[Institution]
    staff: Staff
    terminals: Shelf[Terminal]
    clients: Clients
    operators: Shelf[Operator]
    assertion_keys: Shelf[AssertionKey]
    eligibility_services: Shelf[EligibilityService]
    classes: Shelf[TrainingClass]
    bank_accounts: Shelf[InstitutionAccount]


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything that holds a secret."""

    identities: Identities
    sealer: Sealer
    voucher_ids: VoucherIds
    tokens: Tokens
    sessions: Sessions
    assertions: Assertions
    card_reads: CardReads
    operator_signatures: OperatorSignatures
    eligibility_services: EligibilityServices


@dataclass(frozen=True)
class Platform:
    """What the wiring built: handed to routes and jobs, which pass on what a service needs.

    ``keys`` are fetched when first used: a function that never needs them may not read them.
    """

    clock: Clock
    chance: Chance
    catalogue: Catalogue
    make_keys: Callable[[], Keys]
    marks: Marks
    accounts: Accounts
    templates: Templates
    listings: Listings
    people: People
    disclosures: Disclosures
    merges: Merges
    enrolments: Enrolments
    evaluations: Evaluations
    checkpoints: Checkpoints
    continuations: Continuations
    errands: Errands
    paces: Paces
    rosters: Rosters
    files: Files
    roster_errands: RosterErrands
    workbooks: Workbooks
    applications: Applications
    money_errands: MoneyErrands
    budget_transfers: BudgetTransfers
    payments: Payments

    @cached_property
    def keys(self) -> Keys:
        return self.make_keys()
