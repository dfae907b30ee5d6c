"""Who may do what, where, for whom; and how a client's secrets overlap."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain import access
from chalicelib.domain.access import AUTHORITIES, DUTIES, DUTY_ZH, Act, Actor, Duty, Role
from chalicelib.domain.errors import (
    ClientDisabled,
    DutyRequired,
    Forbidden,
    Invalid,
    OperatorNotAccepted,
    OperatorRequired,
    OutOfScope,
)
from tests.domain.builders import (
    CITY,
    INSTITUTION,
    MICROSECOND,
    NATION,
    NOW,
    OTHER_CITY,
    OTHER_INSTITUTION,
    PROVINCE,
    a_client,
    a_secret,
    an_actor,
    an_operator,
)

# Who may do each act, in the order: channel, institution, county, city, province, ministry, auditor.
MAY = {
    Act.READ_CATALOGUE: "x x x x x x x",
    Act.MANAGE_CATALOGUE: ". . x x x x .",
    Act.MANAGE_ACCESS: ". . . x x x .",
    Act.READ_ACCESS: ". . x x x x x",
    Act.MANAGE_MONEY: ". . . x x x .",
    Act.READ_MONEY: ". . x x x x x",
    Act.MANAGE_TEMPLATES: ". . x x x x .",
    Act.SERVE_HOLDER: "x . . . . . .",
    Act.VERIFY: ". x . . . . .",
    Act.REDEEM: ". x . . . . .",
    Act.READ_VOUCHERS: ". x x x x x x",
    Act.REVOKE: ". . x x x x .",
    Act.ISSUE: ". . x x x x .",
    Act.SUBMIT_ROSTERS: ". x x x x x .",
    Act.READ_ROSTERS: ". x x x x x x",
    Act.READ_PEOPLE: ". . x x x x x",
    Act.SEE_IDENTITY: ". . x x x x x",
    Act.READ_DISCLOSURES: ". . x x x x x",
    Act.CORRECT_PEOPLE: ". . x x x x .",
    Act.MERGE_PEOPLE: ". . x x x x .",
    Act.CLAIM: "x x . . . . .",
    Act.MANAGE_STAFF: ". x x x x x .",
    Act.READ_STAFF: ". x x x x x x",
    Act.MANAGE_TERMINALS: ". . x x x x .",
    Act.MANAGE_CLASSES: ". x . . . . .",
    Act.READ_CLASSES: ". x x x x x x",
    Act.TAKE_ATTENDANCE: ". x . . . . .",
    Act.RELEASE_WORDS: ". . x x x x .",
    Act.APPLY: ". x . . . . .",
    Act.READ_APPLICATIONS: ". x x x x x x",
    Act.REVIEW: ". . x x x x .",
    Act.PAY: ". . x x x x .",
    Act.SETTLE_OUTSIDE: ". . x x x x .",
    Act.CLAW_BACK: ". . x x x x .",
    Act.ENTER_OBJECTIONS: ". . x x x x .",
    Act.READ_PUBLICITY: "x . x x x x x",
    Act.PROPOSE_ACCOUNT: ". x x x x x .",
    Act.CONFIRM_ACCOUNT: ". . x x x x .",
}
# What an operator with one duty alone may do, in the order: clerk, reviewer, payer, finance, auditor, administrator.
# Source: domain.md §2 (every act names its operator; auditors read everything and change nothing).
CHARGED = {
    Act.MANAGE_CATALOGUE: "x . . . . x",
    Act.MANAGE_ACCESS: ". . . . . x",
    Act.MANAGE_MONEY: ". . . x . x",
    Act.MANAGE_TEMPLATES: "x . . . . .",
    Act.REDEEM: "x . . . . .",
    Act.REVOKE: "x x . . . .",
    Act.ISSUE: "x . . . . .",
    Act.SUBMIT_ROSTERS: "x . x . . .",
    Act.READ_ROSTERS: "x x x . x .",
    Act.READ_PEOPLE: "x x . . x x",
    Act.SEE_IDENTITY: "x x . . x .",
    Act.READ_DISCLOSURES: ". . . . x x",
    Act.CORRECT_PEOPLE: "x x . . . .",
    Act.MERGE_PEOPLE: "x x . . . .",
    Act.MANAGE_STAFF: "x . . . . x",
    Act.MANAGE_TERMINALS: "x . . . . x",
    Act.MANAGE_CLASSES: "x . . . . .",
    Act.READ_CLASSES: "x x . . x .",
    Act.TAKE_ATTENDANCE: "x . . . . .",
    Act.RELEASE_WORDS: "x x . . . .",
    Act.APPLY: "x . . . . .",
    Act.READ_APPLICATIONS: "x x x x x .",
    Act.REVIEW: ". x . . . .",
    Act.PAY: ". . x . . .",
    Act.SETTLE_OUTSIDE: "x . x x . .",
    Act.CLAW_BACK: ". x . x . .",
    Act.ENTER_OBJECTIONS: "x . . . . .",
    Act.PROPOSE_ACCOUNT: "x . x x . .",
    Act.CONFIRM_ACCOUNT: ". . x x . .",
}
SIGNED = CHARGED.keys()
CHANGES_NOTHING = {
    Act.READ_APPLICATIONS,
    Act.READ_CLASSES,
    Act.READ_ROSTERS,
    Act.READ_PEOPLE,
    Act.SEE_IDENTITY,
    Act.READ_DISCLOSURES,
}
# There were duties already when these came: nobody who is a clerk or an administrator alone does them.
CAME_WITH_DUTIES = {Act.REVIEW, Act.PAY, Act.CLAW_BACK, Act.CONFIRM_ACCOUNT}


class TestRolesAndActs:
    @pytest.mark.parametrize(
        ("role", "act", "allowed"),
        [(role, act, row.split()[i] == "x") for act, row in MAY.items() for i, role in enumerate(Role)],
    )
    def test_given_a_role_when_it_acts_then_the_table_says_whether_it_may(
        self, role: Role, act: Act, allowed: bool
    ) -> None:
        if allowed:
            charged = an_operator(duties=DUTIES.get(act, (Duty.CLERK,)))
            access.may(Actor(a_client(role), charged), act)
            return
        with pytest.raises(Forbidden) as refused:
            access.may(an_actor(role), act)
        assert type(refused.value) is Forbidden

    def test_given_the_table_when_looked_through_then_no_act_and_no_role_is_missing(self) -> None:
        assert MAY.keys() == set(Act)
        assert {len(row.split()) for row in MAY.values()} == {len(Role)}

    @pytest.mark.parametrize("act", Act)
    def test_given_an_act_that_a_person_answers_for_when_nobody_signed_then_it_is_refused(self, act: Act) -> None:
        role = next(role for i, role in enumerate(Role) if MAY[act].split()[i] == "x")
        unsigned = an_actor(role, signed=False)

        assert access.needs_operator(act) is (act in SIGNED)
        if act in SIGNED:
            with pytest.raises(OperatorRequired):
                access.may(unsigned, act)
        else:
            access.may(unsigned, act)

    def test_given_a_role_that_may_not_when_nobody_signed_then_the_role_is_told_first(self) -> None:
        with pytest.raises(Forbidden) as refused:
            access.may(an_actor(Role.AUDITOR, signed=False), Act.REVOKE)

        assert type(refused.value) is Forbidden

    def test_given_an_auditor_when_it_may_then_it_reads_everything_and_changes_nothing(self) -> None:
        for act in Act:
            try:
                access.may(an_actor(Role.AUDITOR), act)
            except Forbidden:
                assert not act.startswith("read_")
            else:
                assert act.startswith("read_") or act in CHANGES_NOTHING
        assert Role.AUDITOR not in AUTHORITIES


class TestDuties:
    @pytest.mark.parametrize(
        ("duty", "act", "allowed"),
        [(duty, act, row.split()[i] == "x") for act, row in CHARGED.items() for i, duty in enumerate(Duty)],
    )
    def test_given_an_operator_with_one_duty_when_acting_then_the_table_says_whether_it_will_do(
        self, duty: Duty, act: Act, allowed: bool
    ) -> None:
        role = next(role for i, role in enumerate(Role) if MAY[act].split()[i] == "x")
        actor = Actor(a_client(role), an_operator(duties=(duty,)))

        if allowed:
            access.may(actor, act)
            return
        with pytest.raises(DutyRequired) as refused:
            access.may(actor, act)
        assert set(str(refused.value.facts["duties"]).split(", ")) == set(DUTIES[act])
        assert all(DUTY_ZH[one] in str(refused.value.facts["duties_zh"]) for one in DUTIES[act])

    def test_given_the_tables_when_looked_through_then_no_duty_is_missing_and_each_has_a_chinese_word(self) -> None:
        assert {len(row.split()) for row in CHARGED.values()} == {len(Duty)}
        assert DUTY_ZH.keys() == set(Duty)
        assert CHARGED.keys() == DUTIES.keys()

    def test_given_an_operator_of_before_there_were_duties_when_acting_then_all_goes_on_as_it_did(self) -> None:
        for act in SIGNED - CHANGES_NOTHING - CAME_WITH_DUTIES:
            role = next(role for i, role in enumerate(Role) if MAY[act].split()[i] == "x")

            access.may(Actor(a_client(role), an_operator()), act)

    def test_given_several_duties_when_one_of_them_is_needed_then_it_will_do(self) -> None:
        access.may(Actor(a_client(Role.CITY), an_operator(duties=(Duty.PAYER, Duty.REVIEWER))), Act.REVOKE)

    def test_given_an_auditor_when_charged_with_acts_then_with_such_only_as_change_nothing(self) -> None:
        assert {act for act, duties in DUTIES.items() if Duty.AUDITOR in duties} == CHANGES_NOTHING

    @pytest.mark.parametrize(
        "duties", [(Duty.AUDITOR, Duty.CLERK), (Duty.ADMINISTRATOR, Duty.AUDITOR), (Duty.CLERK, Duty.CLERK)]
    )
    def test_given_duties_that_do_not_go_together_when_checked_then_they_are_refused(
        self, duties: tuple[Duty, ...]
    ) -> None:
        with pytest.raises(Invalid) as refused:
            access.check_duties(duties)

        assert refused.value.pointer == "/duties"

    @pytest.mark.parametrize("duties", [(Duty.AUDITOR,), (Duty.CLERK, Duty.PAYER, Duty.FINANCE, Duty.REVIEWER)])
    def test_given_duties_that_go_together_when_checked_then_they_pass(self, duties: tuple[Duty, ...]) -> None:
        access.check_duties(duties)


class TestRegions:
    @pytest.mark.parametrize(
        ("scope", "region", "covered"),
        [
            (NATION, NATION, True),
            (NATION, PROVINCE, True),
            (NATION, "440305", True),
            (PROVINCE, PROVINCE, True),
            (PROVINCE, CITY, True),
            (PROVINCE, "440305", True),
            (PROVINCE, NATION, False),
            (PROVINCE, "350000", False),
            (CITY, CITY, True),
            (CITY, "440305", True),
            (CITY, OTHER_CITY, False),
            (CITY, PROVINCE, False),
            ("440305", "440305", True),
            ("440305", CITY, False),
            ("440305", "440304", False),
        ],
    )
    def test_given_a_scope_when_a_region_is_asked_then_it_holds_all_below_it_and_nothing_above(
        self, scope: str, region: str, covered: bool
    ) -> None:
        actor = an_actor(region=scope)

        assert access.covers(actor, region) is covered
        if covered:
            access.must_cover(actor, region)
        else:
            with pytest.raises(OutOfScope):
                access.must_cover(actor, region)

    def test_given_a_client_of_several_regions_when_asked_then_each_counts(self) -> None:
        actor = Actor(a_client(regions=(CITY, OTHER_CITY)))

        access.must_cover(actor, CITY)
        access.must_cover(actor, "440104")
        with pytest.raises(OutOfScope):
            access.must_cover(actor, PROVINCE)

    def test_given_a_client_without_regions_when_asked_then_it_covers_nothing(self) -> None:
        assert not access.covers(Actor(a_client(regions=())), CITY)

    def test_given_an_operator_of_a_smaller_region_when_acting_then_both_scopes_must_hold_it(self) -> None:
        actor = Actor(a_client(region=PROVINCE), an_operator(region=CITY))

        access.must_cover(actor, "440305")
        with pytest.raises(OutOfScope):
            access.must_cover(actor, OTHER_CITY)
        assert access.covers(actor, OTHER_CITY)  # what the client sees does not depend on who signed


class TestInstitutions:
    def test_given_a_desk_when_it_acts_for_its_institution_then_it_may(self) -> None:
        access.must_act_for(an_actor(Role.INSTITUTION, institution=INSTITUTION), INSTITUTION)

    @pytest.mark.parametrize(
        "actor",
        [
            an_actor(Role.INSTITUTION, institution=OTHER_INSTITUTION),
            an_actor(Role.INSTITUTION, institution=INSTITUTION, signed=False),
            an_actor(Role.CITY),
            an_actor(Role.MINISTRY, region=NATION),
            Actor(a_client(institution=INSTITUTION), an_operator(institution=OTHER_INSTITUTION)),
            Actor(a_client(institution=INSTITUTION), an_operator()),
            Actor(a_client(institution=OTHER_INSTITUTION), an_operator(institution=INSTITUTION)),
        ],
    )
    def test_given_anybody_else_when_acting_for_the_institution_then_it_is_refused(self, actor: Actor) -> None:
        with pytest.raises(OutOfScope):
            access.must_act_for(actor, INSTITUTION)

    def test_given_an_operator_of_one_of_several_institutions_when_acting_then_only_for_that_one(self) -> None:
        actor = Actor(
            a_client(institutions=(INSTITUTION, OTHER_INSTITUTION)), an_operator(institution=OTHER_INSTITUTION)
        )

        access.must_act_for(actor, OTHER_INSTITUTION)
        with pytest.raises(OutOfScope):
            access.must_act_for(actor, INSTITUTION)


class TestDisabling:
    def test_given_an_operator_when_disabled_then_nothing_of_theirs_is_accepted(self) -> None:
        access.must_be_active(an_operator())
        with pytest.raises(OperatorNotAccepted) as refused:
            access.must_be_active(an_operator(disabled_at=NOW))

        assert refused.value.facts == {"reason": "disabled"}

    @pytest.mark.parametrize(
        "act",
        [
            lambda client: access.secrets_in_force(client, NOW),
            lambda client: access.rotate(client, a_secret("S2"), old_ends_at=NOW, now=NOW),
        ],
    )
    def test_given_a_disabled_client_when_it_signs_or_rotates_then_it_is_refused(
        self, act: Callable[[access.Client], object]
    ) -> None:
        with pytest.raises(ClientDisabled):
            act(a_client(secrets=(a_secret(),), disabled_at=NOW))


class TestSecrets:
    OLD_ENDS = NOW + timedelta(hours=24)

    def rotated(self) -> access.Client:
        client = a_client(secrets=(a_secret("S1"),), version=3)
        return access.rotate(client, a_secret("S2", made_at=NOW), old_ends_at=self.OLD_ENDS, now=NOW)

    def test_given_a_rotation_when_the_overlap_lasts_then_both_secrets_sign_newest_first(self) -> None:
        client = self.rotated()

        for now in (NOW, self.OLD_ENDS - MICROSECOND):
            assert [secret.secret_id for secret in access.secrets_in_force(client, now)] == ["S2", "S1"]
        assert client.version == 4

    def test_given_a_rotation_when_the_overlap_ends_then_the_old_secret_ends_at_that_very_instant(self) -> None:
        assert [secret.secret_id for secret in access.secrets_in_force(self.rotated(), self.OLD_ENDS)] == ["S2"]

    @pytest.mark.parametrize("made_at", [NOW, NOW + timedelta(hours=1)])
    def test_given_two_secrets_in_force_when_rotated_then_the_newer_is_replaced_and_the_older_keeps_its_end(
        self, made_at: datetime
    ) -> None:
        third, ends = a_secret("S3", made_at=made_at), made_at + timedelta(hours=24)

        again = access.rotate(self.rotated(), third, old_ends_at=ends, now=made_at)

        assert [(one.secret_id, one.ends_at) for one in again.secrets] == [("S1", self.OLD_ENDS), ("S3", None)]

    def test_given_two_secrets_in_force_when_rotated_with_a_shorter_overlap_then_the_older_ends_sooner(self) -> None:
        again = access.rotate(self.rotated(), a_secret("S3", made_at=NOW), old_ends_at=NOW, now=NOW)

        assert [secret.secret_id for secret in access.secrets_in_force(again, NOW)] == ["S3"]

    def test_given_two_secrets_when_rotated_after_the_older_has_ended_then_the_newer_overlaps(self) -> None:
        client, third = self.rotated(), a_secret("S3", made_at=self.OLD_ENDS)
        ends = self.OLD_ENDS + timedelta(hours=1)

        again = access.rotate(client, third, old_ends_at=ends, now=self.OLD_ENDS)

        assert [(secret.secret_id, secret.ends_at) for secret in again.secrets] == [("S2", ends), ("S3", None)]

    def test_given_no_overlap_when_rotated_then_the_old_secret_is_dead_at_once(self) -> None:
        client = access.rotate(a_client(secrets=(a_secret(),)), a_secret("S2"), old_ends_at=NOW, now=NOW)

        assert [secret.secret_id for secret in access.secrets_in_force(client, NOW)] == ["S2"]

    def test_given_a_rotation_when_done_then_nothing_else_of_the_client_changes(self) -> None:
        before = a_client(secrets=(a_secret(),))

        after = access.rotate(before, a_secret("S2"), old_ends_at=NOW, now=NOW)

        assert replace(after, secrets=before.secrets, version=before.version) == before


class TestActors:
    def test_given_an_actor_when_named_in_a_history_then_client_and_operator_are_told(self) -> None:
        assert (an_actor().app_key, an_actor().operator_id) == ("APPKEY", "OPERATOR")
        assert an_actor(signed=False).operator_id is None
