"""The classes of this room are what the services ask for; mypy does the comparing."""

from chalicelib.integrations.assertions import SignedAssertions
from chalicelib.integrations.card_reads import SignedCardReads
from chalicelib.integrations.chance import SeededChance, SystemChance
from chalicelib.integrations.clock import FixedClock, SystemClock
from chalicelib.integrations.eligibility_services import SignedEligibilityServices
from chalicelib.integrations.identities import HashedIdentities
from chalicelib.integrations.keyring import Keyring
from chalicelib.integrations.operator_signatures import JwsOperatorSignatures
from chalicelib.integrations.sealing import FieldSealer
from chalicelib.integrations.sessions import SealedSessions
from chalicelib.integrations.tokens import SignedTokens
from chalicelib.integrations.voucher_ids import SivVoucherIds
from chalicelib.services.deciding_eligibility_service import service_secret_context
from chalicelib.services.ports import Chance, Clock, Keys


def test_every_port_is_answered(first: Keyring, clock: FixedClock) -> None:
    clocks: list[Clock] = [SystemClock(), clock]
    chances: list[Chance] = [SystemChance(), SeededChance(1)]
    keys = Keys(
        identities=HashedIdentities(pepper=first, platform=first),
        sealer=FieldSealer(first, chances[0].nonce),
        voucher_ids=SivVoucherIds(first),
        tokens=SignedTokens(first),
        sessions=SealedSessions(first),
        assertions=SignedAssertions(find_key=lambda kid: None),
        card_reads=SignedCardReads(find_key=lambda terminal_id: None),
        operator_signatures=JwsOperatorSignatures(),
        eligibility_services=SignedEligibilityServices(
            unseal=FieldSealer(first, chances[0].nonce).unseal,
            context_of=service_secret_context,
            veil=HashedIdentities(pepper=first, platform=first).veil,
            nonce=chances[0].nonce,
        ),
    )

    assert len(clocks) + len(chances) == 4
    assert keys.voucher_ids.decode("") is None
