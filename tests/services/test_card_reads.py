"""Physical cards on an institution's terminal: claiming and using without a phone, at that institution alone."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.access import Actor, Role
from chalicelib.domain.assertion import MAX_AGE
from chalicelib.domain.errors import (
    AlreadyClaimed,
    AssertionNotAccepted,
    CardReadNotAccepted,
    ChannelNotOpen,
    Forbidden,
    InstitutionNotAdmitted,
    InstitutionNotFound,
    Invalid,
    OutOfScope,
    TerminalNotFound,
    VoucherNotFound,
)
from chalicelib.domain.institution import AdmissionStep
from chalicelib.domain.outcomes import Done
from chalicelib.domain.person import Profile
from chalicelib.domain.proxy import Kin
from chalicelib.domain.template import Template
from chalicelib.domain.terminal import Terminal
from chalicelib.domain.voucher import Receipt
from chalicelib.integrations.essc_platform import DemoTerminal
from chalicelib.services import cataloguing, claiming, installing_terminals
from chalicelib.services.identifying import Presented
from chalicelib.services.judging_claims import offers
from tests.services.test_staffing import register, scan
from tests.storage.worlds import no_writes
from tests.world import (
    CITY,
    INSTITUTION_ID,
    OTHER_CITY,
    OTHER_INSTITUTION_ID,
    PROVINCE,
    World,
    a_person,
    an_actor,
)

DEVICE = DemoTerminal(b"a terminal of the tests, 32 byte")
CARD = "Q8314472X"
ELSEWHERE = an_actor("GUANGZHOUTERMINAL", Role.CITY, OTHER_CITY)
_numbers = itertools.count(1)


def install(world: World, institution_id: str = INSTITUTION_ID, actor: Actor | None = None, **by: Any) -> Terminal:
    p = world.platform
    return installing_terminals.install_terminal(
        p.catalogue,
        p.marks,
        p.chance,
        institution_id,
        "一号窗口",
        DEVICE.public_key,
        **world.by(actor or world.bureau, **by),
    ).answer


def disable(world: World, terminal: Terminal, actor: Actor | None = None) -> Terminal:
    p, by = world.platform, world.by(actor or world.bureau)
    return installing_terminals.disable_terminal(
        p.catalogue, p.marks, terminal.institution_id, terminal.terminal_id, **by
    ).answer


def read(world: World, terminal: Terminal, person: Profile, purpose: str, template: Template, **changes: Any) -> str:
    said: dict[str, Any] = {
        "card_number": CARD,
        "app_key": world.desk.app_key,
        "purpose": purpose,
        "subject": template.template_id,
        "jti": f"card-{next(_numbers)}",
        "now": world.now,
    }
    return DEVICE.card_read(terminal.terminal_id, person, **said | changes)


def claim(
    world: World, template: Template, card_read: str, actor: Actor | None = None, key: str | None = None, **more: Any
) -> Done[Receipt]:
    p, asked = world.platform, claiming.ClaimRequest(template.template_id, card_read=card_read, **more)
    by = world.by(actor or world.desk, key)
    return claiming.claim_voucher(p.catalogue, p.templates, p.people, p.keys, p.chance, asked, **by)


def shown(template: Template, card_read: str) -> Presented:
    return Presented(card_read=card_read, template_id=template.template_id)


class TestTerminals:
    def test_given_an_authority_when_it_installs_a_terminal_then_it_is_listed_and_can_be_disabled(
        self, town: World
    ) -> None:
        p, terminal = town.platform, install(town)

        page = installing_terminals.list_terminals(p.catalogue, INSTITUTION_ID, 100, None, actor=town.desk)
        off = disable(town, terminal)

        assert terminal in page.items
        assert (off.disabled_at, off.version) == (town.now, 2)
        assert disable(town, terminal).disabled_at == off.disabled_at

    def test_given_what_is_not_theirs_when_authorities_deal_with_terminals_then_refused(self, town: World) -> None:
        p, terminal = town.platform, install(town)

        with no_writes(town), pytest.raises(OutOfScope):
            install(town, actor=ELSEWHERE)
        with no_writes(town), pytest.raises(OutOfScope):
            disable(town, terminal, ELSEWHERE)
        with pytest.raises(OutOfScope):
            installing_terminals.list_terminals(p.catalogue, INSTITUTION_ID, 1, None, actor=town.other_desk)
        with pytest.raises(TerminalNotFound):
            disable(town, replace(terminal, institution_id=OTHER_INSTITUTION_ID))
        with pytest.raises(InstitutionNotFound):
            install(town, "91110000600037341L")


class TestClaiming:
    def test_given_a_card_on_a_terminal_when_claimed_then_history_names_the_terminal_and_no_card(
        self, town: World
    ) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)

        facts = claim(town, template, read(town, terminal, person, "claim", template)).answer.facts

        assert (facts["proof"], facts["terminal"], len(str(facts["card"]))) == ("card", terminal.terminal_id, 32)
        rows = json.dumps([town.rows(table) for table in ("people", "catalogue", "casework")])
        assert CARD not in rows
        assert person.id_number not in rows
        town.check_laws()

    def test_given_one_card_when_used_for_two_templates_then_the_histories_do_not_tell_that_it_is_one(
        self, town: World
    ) -> None:
        person, terminal, templates = a_person(), install(town), (town.publish(2), town.publish(2))

        first, second = (claim(town, t, read(town, terminal, person, "claim", t)).answer.facts for t in templates)

        assert first["card"] != second["card"]
        again = town.redeem(shown(templates[0], read(town, terminal, person, "redeem", templates[0])))
        assert again.answer.facts["card"] == first["card"]  # but the same card is known again within one

    def test_given_a_claim_by_card_when_repeated_a_month_of_minutes_later_then_answered_and_anew_it_is_too_old(
        self, town: World
    ) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        card_read = read(town, terminal, person, "claim", template)
        first = claim(town, template, card_read, key="card-claim")
        later = town.at(town.now + MAX_AGE + timedelta(seconds=1))

        assert claim(later, template, card_read, key="card-claim") == Done(first.answer, hit=True)
        with pytest.raises(CardReadNotAccepted) as refused:
            claim(later, template, card_read)
        assert refused.value.facts == {"reason": "expired"}
        with pytest.raises(AlreadyClaimed):
            claim(town, template, card_read)

    def test_given_an_institution_when_it_claims_by_an_assertion_then_it_may_not(self, town: World) -> None:
        person, template = a_person(), town.publish(5)

        with no_writes(town), pytest.raises(Forbidden):
            town.claim(person, template, actor=town.desk)

    def test_given_a_channel_when_it_hands_in_a_card_read_then_the_terminal_is_not_of_its_place(
        self, town: World
    ) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        card_read = read(town, terminal, person, "claim", template, app_key=town.channel.app_key)

        with no_writes(town), pytest.raises(CardReadNotAccepted) as refused:
            claim(town, template, card_read, town.channel)

        assert refused.value.facts == {"reason": "place"}

    def test_given_a_card_when_a_relative_would_act_then_that_is_a_mistake(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        proxy = claiming.ProxyRequest(town.assertion(a_person(), "proxy", template.template_id), Kin.CHILD)

        with no_writes(town), pytest.raises(Invalid) as refused:
            claim(town, template, read(town, terminal, person, "claim", template), proxy=proxy)

        assert refused.value.pointer == "/proxy"

    def test_given_a_suspended_institution_when_a_card_is_put_down_there_then_nothing_is_claimed(
        self, town: World
    ) -> None:
        p, person, template, terminal = town.platform, a_person(), town.publish(5), install(town)

        def step(admission: AdmissionStep) -> None:
            cataloguing.change_admission(p.catalogue, p.marks, INSTITUTION_ID, admission, **town.by(town.bureau))

        step(AdmissionStep.SUSPEND)
        try:
            with no_writes(town), pytest.raises(InstitutionNotAdmitted):
                claim(town, template, read(town, terminal, person, "claim", template))
        finally:
            step(AdmissionStep.READMIT)

    def test_given_templates_of_other_regions_when_claimed_at_a_terminal_then_only_those_that_hold_the_institution(
        self, town: World
    ) -> None:
        person, terminal = a_person(), install(town)
        city = town.publish(5)
        guest = replace(town.desk, client=replace(town.desk.client, regions=(OTHER_CITY,)))

        with no_writes(town), pytest.raises(ChannelNotOpen):
            claim(town, city, read(town, terminal, person, "claim", city), guest)
        assert offers(town.desk, PROVINCE)  # a province's template, at an institution of its city
        assert not offers(an_actor("LOCALTERMINAL", Role.CHANNEL, CITY), PROVINCE)


class TestUsing:
    def test_given_a_card_when_verified_and_redeemed_then_the_proof_is_the_card(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        voucher_id = town.claim(person, template).answer.voucher_id

        seen = town.verify(shown(template, read(town, terminal, person, "redeem", template)))
        used = town.redeem(shown(template, read(town, terminal, person, "redeem", template))).answer.facts

        assert seen.usable
        assert (used["proof"], used["terminal"]) == ("card", terminal.terminal_id)
        redemption = town.voucher(voucher_id).redemption
        assert redemption is not None
        assert redemption.proof == "card"
        town.reverse(voucher_id)
        town.check_laws()

    def test_given_staff_in_a_channel_when_a_card_is_read_at_their_institution_then_both_are_named(
        self, town: World
    ) -> None:
        person, scanner, template, terminal = a_person(), a_person(), town.publish(5), install(town)
        voucher_id = town.claim(person, template).answer.voucher_id
        member = register(town, scanner).answer
        card_read = read(town, terminal, person, "redeem", template, app_key=town.channel.app_key)

        town.redeem(shown(template, card_read), staff_assertion=scan(town, scanner), actor=town.channel)

        said = town.voucher(voucher_id).history[-1].said
        assert (said["operator"], said["facts"]["terminal"]) == (member.staff_id, terminal.terminal_id)

    @pytest.mark.parametrize(
        ("reason", "changes"),
        [
            ("audience", {"app_key": "ANOTHER"}),
            ("purpose", {"purpose": "claim"}),
            ("subject", {"subject": "T" * 16}),
            ("expired", {"ago": MAX_AGE + timedelta(milliseconds=1)}),
            ("future", {"ago": -timedelta(seconds=31)}),
        ],
    )
    def test_given_a_read_that_says_something_else_when_used_then_the_reason_is_told(
        self, town: World, reason: str, changes: dict[str, Any]
    ) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        town.claim(person, template)
        said = {"now": town.now - changes.get("ago", timedelta(0)), **changes}
        said.pop("ago", None)
        card_read = read(town, terminal, person, said.pop("purpose", "redeem"), template, **said)

        with no_writes(town), pytest.raises(CardReadNotAccepted) as refused:
            town.redeem(shown(template, card_read))
        with pytest.raises(CardReadNotAccepted):
            town.verify(shown(template, card_read))

        assert refused.value.facts == {"reason": reason}

    def test_given_a_read_that_is_five_minutes_old_when_used_then_it_still_counts(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        town.claim(person, template)

        card_read = read(town, terminal, person, "redeem", template, now=town.now - MAX_AGE)

        assert town.redeem(shown(template, card_read)).answer.state == "redeemed"

    def test_given_a_terminal_of_another_institution_when_its_read_is_used_here_then_it_is_of_another_place(
        self, town: World
    ) -> None:
        person, template, there = a_person(), town.publish(5), install(town, OTHER_INSTITUTION_ID)
        town.claim(person, template)
        both = replace(town.desk, client=replace(town.desk.client, institutions=(INSTITUTION_ID, OTHER_INSTITUTION_ID)))

        for actor in (town.desk, both):
            with no_writes(town), pytest.raises(CardReadNotAccepted) as refused:
                town.redeem(shown(template, read(town, there, person, "redeem", template)), actor=actor)
            assert refused.value.facts == {"reason": "place"}

    def test_given_a_terminal_when_disabled_then_here_at_once_and_elsewhere_within_a_minute(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        town.claim(person, template)
        card_read = read(town, terminal, person, "redeem", template)
        elsewhere = town.another_container()
        assert elsewhere.verify(shown(template, card_read)).usable
        disable(town, terminal)

        with no_writes(town), pytest.raises(CardReadNotAccepted) as refused:
            town.redeem(shown(template, card_read))
        assert refused.value.facts == {"reason": "unknown_key"}
        memory: Any = elsewhere.platform.catalogue.terminals
        memory._fresh._ticks = lambda: float("inf")  # a minute later
        with pytest.raises(CardReadNotAccepted):
            elsewhere.verify(shown(template, card_read))

    def test_given_a_use_that_was_reversed_when_the_same_card_read_comes_again_then_it_is_used_up(
        self, town: World
    ) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        voucher = town.claim(person, template)
        card_read = read(town, terminal, person, "redeem", template)
        asserted = town.assertion(person, "redeem", template.template_id, actor=town.desk)
        town.redeem(shown(template, card_read))
        town.reverse(voucher.answer.voucher_id)

        with no_writes(town), pytest.raises(CardReadNotAccepted) as refused:
            town.redeem(shown(template, card_read))
        assert refused.value.facts == {"reason": "used"}
        assert town.verify(shown(template, card_read)).usable is False

        by_assertion = Presented(assertion=asserted, template_id=template.template_id)
        town.redeem(by_assertion)
        town.reverse(voucher.answer.voucher_id)
        with no_writes(town), pytest.raises(AssertionNotAccepted) as refused_too:
            town.redeem(by_assertion)
        assert refused_too.value.facts == {"reason": "used"}
        assert town.redeem(shown(template, read(town, terminal, person, "redeem", template))).answer.state == "redeemed"

    def test_given_somebody_without_a_voucher_when_their_card_is_read_then_there_is_none(self, town: World) -> None:
        template, terminal = town.publish(5), install(town)

        with pytest.raises(VoucherNotFound):
            town.redeem(shown(template, read(town, terminal, a_person(), "redeem", template)))

    def test_given_one_kind_of_proof_when_handed_in_as_the_other_then_neither_counts(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        town.claim(person, template)
        of_platform = town.assertion(person, "redeem", template.template_id, actor=town.desk)
        of_terminal = read(town, terminal, person, "redeem", template)

        with pytest.raises(CardReadNotAccepted):
            town.redeem(shown(template, of_platform))
        with pytest.raises(AssertionNotAccepted) as refused:
            town.redeem(Presented(assertion=of_terminal, template_id=template.template_id))
        assert type(refused.value) is AssertionNotAccepted
        with pytest.raises(Invalid):
            town.redeem(Presented(card_read=of_terminal))

    def test_given_a_number_that_cannot_be_when_a_terminal_says_it_then_the_field_is_named(self, town: World) -> None:
        person, template, terminal = a_person(), town.publish(5), install(town)
        check = "1" if person.id_number.endswith("0") else "0"
        wrong = replace(person, id_number=person.id_number[:-1] + check)

        with no_writes(town), pytest.raises(Invalid) as refused:
            claim(town, template, read(town, terminal, wrong, "claim", template))

        assert refused.value.pointer == "/card_read"
