"""Builds stores, clock, keys and clients once per container; the only place that picks implementations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.config import Settings, read_settings
from chalicelib.integrations.chance import SystemChance
from chalicelib.integrations.clock import SystemClock
from chalicelib.integrations.errand_queue import ErrandQueue
from chalicelib.integrations.keyring import Keyring, load_keyrings
from chalicelib.integrations.sweep_queue import SweepQueue
from chalicelib.services.deciding_eligibility_service import service_secret_context
from chalicelib.services.ports import Catalogue, Chance, Clock, Keys, Platform
from chalicelib.storage import catalogue
from chalicelib.storage.accounts import AccountStore
from chalicelib.storage.applications import ApplicationStore
from chalicelib.storage.budget_transfers import BudgetTransferStore
from chalicelib.storage.checkpoints import CheckpointStore, MovedClock
from chalicelib.storage.disclosures import DisclosureStore
from chalicelib.storage.enrolments import ClassShelf, EnrolmentStore
from chalicelib.storage.evaluations import EvaluationStore
from chalicelib.storage.files import FileStore
from chalicelib.storage.listings import ListingStore
from chalicelib.storage.marks import MarkStore
from chalicelib.storage.merges import MergeStore
from chalicelib.storage.pace import PaceStore
from chalicelib.storage.payments import PaymentStore
from chalicelib.storage.people import PeopleStore
from chalicelib.storage.rosters import RosterStore
from chalicelib.storage.staff import StaffShelf
from chalicelib.storage.tables import Tables
from chalicelib.storage.templates import TemplateStore
from chalicelib.workbooks.files import WorkbookFiles

_platform: Platform | None = None


def platform() -> Platform:
    """The container's platform, built when first asked for."""
    global _platform
    if _platform is None:
        settings = read_settings()
        _platform = build(settings, load_keys=lambda: keyrings_of(settings))
    return _platform


def use(other: Platform | None) -> None:
    """Put another platform in its place: tests and tools; None to build anew."""
    global _platform
    _platform = other


def build(
    settings: Settings,
    *,
    load_keys: Callable[[], Sequence[Keyring]],
    endpoint: str | None = None,
    clock: Clock | None = None,
    chance: Chance | None = None,
    outside: Mapping[str, Any] | None = None,
) -> Platform:
    """A platform on the settings' tables. ``load_keys`` gives (platform keys, identity pepper) when first needed;
    ``outside``: how hosts are looked up and certificates checked, where not as everywhere."""
    tables = Tables(settings, endpoint)
    dice = chance or SystemChance()
    shelves = Catalogue(
        regions=catalogue.regions(tables),
        rule_sets=catalogue.RuleSetStore(tables),
        programmes=catalogue.programmes(tables),
        courses=catalogue.courses(tables),
        institutions=catalogue.institutions(tables),
        staff=StaffShelf(tables),
        terminals=catalogue.terminals(tables),
        clients=catalogue.ClientShelf(tables),
        operators=catalogue.operators(tables),
        assertion_keys=catalogue.assertion_keys(tables),
        eligibility_services=catalogue.eligibility_services(tables),
        classes=ClassShelf(tables),
        bank_accounts=catalogue.bank_accounts(tables),
    )
    return Platform(
        clock=clock or (MovedClock(tables) if settings.movable_clock else SystemClock()),
        chance=dice,
        catalogue=shelves,
        make_keys=lambda: _keys(load_keys(), dice, shelves, settings, outside),
        marks=MarkStore(tables),
        accounts=AccountStore(tables),
        templates=TemplateStore(tables),
        listings=ListingStore(tables),
        people=PeopleStore(tables),
        disclosures=DisclosureStore(tables),
        merges=MergeStore(tables),
        enrolments=EnrolmentStore(tables),
        evaluations=EvaluationStore(tables),
        checkpoints=CheckpointStore(tables),
        continuations=SweepQueue(settings.sweeps_queue_url, settings.region),
        errands=ErrandQueue(settings.amendments_queue_url, settings.region),
        paces=PaceStore(tables),
        rosters=RosterStore(tables),
        files=FileStore(settings.bucket, settings.region),
        roster_errands=ErrandQueue(settings.rosters_queue_url, settings.region),
        workbooks=WorkbookFiles(),
        applications=ApplicationStore(tables),
        money_errands=ErrandQueue(settings.money_queue_url, settings.region),
        budget_transfers=BudgetTransferStore(tables),
        payments=PaymentStore(tables),
    )


def _keys(
    rings: Sequence[Keyring],
    chance: Chance,
    shelves: Catalogue,
    settings: Settings,
    outside: Mapping[str, Any] | None,
) -> Keys:
    # Here, not above: the jobs need none of this, and cryptography takes its time to load.
    from chalicelib.integrations.assertions import SignedAssertions
    from chalicelib.integrations.card_reads import SignedCardReads
    from chalicelib.integrations.eligibility_services import SignedEligibilityServices
    from chalicelib.integrations.identities import HashedIdentities
    from chalicelib.integrations.operator_signatures import JwsOperatorSignatures
    from chalicelib.integrations.sealing import FieldSealer
    from chalicelib.integrations.sessions import SealedSessions
    from chalicelib.integrations.tokens import SignedTokens
    from chalicelib.integrations.voucher_ids import SivVoucherIds

    keyring, pepper = rings

    def find_key(kid: str) -> str | None:
        key = shelves.assertion_keys.get(kid)
        return key.public_key if key and key.disabled_at is None else None

    def find_terminal_key(terminal_id: str) -> str | None:
        terminal = shelves.terminals.get(terminal_id)
        return terminal.public_key if terminal and terminal.disabled_at is None else None

    identities, sealer = HashedIdentities(pepper, keyring), FieldSealer(keyring, chance.nonce)
    return Keys(
        identities=identities,
        sealer=sealer,
        voucher_ids=SivVoucherIds(keyring),
        tokens=SignedTokens(keyring),
        sessions=SealedSessions(keyring),
        assertions=SignedAssertions(find_key),
        card_reads=SignedCardReads(find_terminal_key),
        operator_signatures=JwsOperatorSignatures(),
        eligibility_services=SignedEligibilityServices(
            unseal=sealer.unseal,
            context_of=service_secret_context,
            veil=identities.veil,
            nonce=chance.nonce,
            loopback_allowed=settings.loopback_allowed,
            **(outside or {}),
        ),
    )


def keyrings_of(settings: Settings) -> Sequence[Keyring]:
    """The two keyrings of a deployment, fetched: (platform keys, identity pepper). Raises as ``load_keyrings``."""
    return load_keyrings((settings.keys_secret, settings.pepper_secret), settings.region)
