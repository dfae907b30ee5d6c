"""The regions' eligibility services, asked over real sockets: what is an answer, and all that is none.

Source: docs/eligibility-service.md; design.md §3, outbound URLs.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.eligibility import ServiceVerdict
from chalicelib.domain.eligibility_service import EligibilityService, ServiceQuestion, ServiceSecret
from chalicelib.domain.errors import EligibilityServiceUnavailable
from chalicelib.domain.identifiers import mask_name
from chalicelib.integrations.circuit_breaker import MOST_FAILURES, REST_SECONDS
from chalicelib.integrations.eligibility_services import MOST_KEPT, SignedEligibilityServices, read_verdicts
from chalicelib.integrations.outbound import NoAnswer, read_url
from tests.eligibility import HOST, authority, tls_of
from tests.integrations.conftest import NOW
from tools.eligibility_server import BEHAVIOURS, PATH, EligibilityServer, eligibility_server
from tools.people import invented_person

SECRET = "made up for the tests, in bytes of UTF-8: 券"
KEY_ID = "KEYOFTHETESTS234"


class Ticks:
    """Elapsed seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def questions(count: int = 1, first: int = 1) -> list[ServiceQuestion]:
    people = [invented_person(number) for number in range(first, first + count)]
    return [ServiceQuestion(str(n), one.name, one.id_type, one.id_number) for n, one in enumerate(people, 1)]


def a_service(url: str, remember_seconds: int = 0, **changes: Any) -> EligibilityService:
    secret = ServiceSecret(KEY_ID, f"sealed {SECRET}", NOW, NOW)
    return replace(EligibilityService("440300", url, remember_seconds, (secret,), NOW, None), **changes)


def unseal(sealed: str, context: str) -> str:
    assert context == f"440300/{KEY_ID}"
    return sealed.removeprefix("sealed ")


def asking(ticks: Any = time.monotonic, **changes: Any) -> SignedEligibilityServices:
    numbers = iter(range(1, 100_000))
    made: dict[str, Any] = {
        "unseal": unseal,
        "context_of": lambda region, key_id: f"{region}/{key_id}",
        "veil": lambda said: said.hex(),
        "nonce": lambda: next(numbers).to_bytes(12, "big"),
        "loopback_allowed": True,
        "ticks": ticks,
    }
    return SignedEligibilityServices(**made | changes)


def ask(
    services: SignedEligibilityServices, service: EligibilityService, people: Sequence[ServiceQuestion], **more: Any
) -> dict[str, ServiceVerdict]:
    named: dict[str, Any] = {"template_id": "T" * 16, "programme_type": "enterprise_staff", "now": NOW} | more
    return dict(services.ask(service, people=people, **named))


def why(services: SignedEligibilityServices, service: EligibilityService, count: int = 2) -> str:
    with pytest.raises(EligibilityServiceUnavailable) as refused:
        ask(services, service, questions(count))
    assert refused.value.facts.keys() == {"region", "reason"}
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return str(refused.value.facts["reason"])


@pytest.fixture
def server() -> Iterator[EligibilityServer]:
    with eligibility_server(now=NOW.timestamp) as running:
        running.trust(KEY_ID, SECRET)
        yield running


class TestAnswers:
    def test_given_somebody_whom_the_rules_take_when_asked_then_eligible(self, server: EligibilityServer) -> None:
        assert ask(asking(), a_service(server.url), questions()) == {"1": ServiceVerdict(True)}
        assert (server.asked, server.refused) == ([1], [])

    def test_given_a_refusal_when_asked_then_it_comes_with_the_service_s_words(self, server: EligibilityServer) -> None:
        student = replace(questions()[0], id_number="440199200201010011")

        said = ask(asking(), a_service(server.url), [student])["1"]

        assert said == ServiceVerdict(
            False, "在校学生不属于补贴对象", "Students in full-time education are not subsidised"
        )

    def test_given_five_hundred_people_when_asked_then_in_one_question(self, server: EligibilityServer) -> None:
        said = ask(asking(), a_service(server.url), questions(500))

        assert said == {str(n): ServiceVerdict(True) for n in range(1, 501)}
        assert server.asked == [500]

    def test_given_more_people_or_a_reference_twice_when_asked_then_it_is_a_mistake_of_ours(self) -> None:
        for people in (questions(501), questions() * 2):
            with pytest.raises(ValueError, match="500 people"):
                ask(asking(), a_service("http://127.0.0.1:1/"), people)

    def test_given_a_rotation_when_its_time_comes_then_the_new_secret_signs(self, server: EligibilityServer) -> None:
        later = ServiceSecret(KEY_ID, "sealed the next one", NOW, NOW + timedelta(hours=1))
        service = a_service(server.url)
        service = replace(service, secrets=(*service.secrets, later))
        services = asking()

        assert ask(services, service, questions())
        server.trust(KEY_ID, "the next one")
        assert why(services, service) == "status"
        server.now = (NOW + timedelta(hours=1)).timestamp
        assert ask(services, service, questions(), now=NOW + timedelta(hours=1))

    def test_given_https_when_asked_then_the_name_is_checked_though_the_address_is_pinned(self) -> None:
        with eligibility_server(now=NOW.timestamp, tls=tls_of(HOST)) as server:
            server.trust(KEY_ID, SECRET)
            looked_up: list[str] = []

            def resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
                looked_up.append(host)
                return [("127.0.0.1", server.port)]

            services = asking(resolve=resolve, ca_certs=str(authority()))

            assert ask(services, a_service(f"https://{HOST}{PATH}"), questions())
            assert why(services, a_service(f"https://other.example{PATH}")) == "connection"
            assert why(asking(resolve=resolve), a_service(f"https://{HOST}{PATH}")) == "connection"
            assert looked_up == [HOST, "other.example", HOST]  # once for each question
            assert server.asked == [1]


LIES = {
    "fail": "status",
    "status": "status",
    "redirect": "status",
    "half": "broken_off",
    "not_json": "form",
    "too_large": "too_large",
    "unsigned": "signature",
    "wrongly_signed": "signature",
    "answer_of_before": "signature",
    "somebody_else": "form",
    "missing": "form",
    "one_more": "form",
    "double": "form",
    "wrong_types": "form",
    "extra_field": "form",
    "no_reason": "form",
    "personal": "personal",
    "member_twice": "form",
    "other_version": "form",
}
LATE = {"hang", "slow", "drip"}


class TestFailures:
    def test_given_all_behaviours_when_sorted_then_each_is_tried(self) -> None:
        assert set(BEHAVIOURS) == {"answer", "refuse"} | LATE | LIES.keys()

    @pytest.mark.parametrize("kind", LIES)
    def test_given_a_service_that_lies_or_fails_when_asked_then_that_is_no_answer(
        self, server: EligibilityServer, kind: str
    ) -> None:
        services, service = asking(), a_service(server.url)
        assert len(ask(services, service, questions(2))) == 2
        server.behave(kind)

        assert why(services, service) == LIES[kind]

        server.behave("answer")
        assert len(ask(services, service, questions(2))) == 2
        assert server.asked == [2, 2, 2]  # nothing was asked twice, no redirection followed

    @pytest.mark.parametrize("status", [204, 301, 307, 400, 401, 404, 429, 502])
    def test_given_any_other_status_when_answered_then_that_is_no_answer(
        self, server: EligibilityServer, status: int
    ) -> None:
        server.behave("status", status=status)

        assert why(asking(), a_service(server.url)) == "status"

    @pytest.mark.parametrize(("kind", "seconds"), [("hang", 0), ("slow", 9), ("drip", 0.2)])
    def test_given_a_service_that_is_late_in_any_way_when_asked_then_three_seconds_are_the_end(
        self, server: EligibilityServer, kind: str, seconds: float
    ) -> None:
        server.behave(kind, seconds=seconds)
        before, began = threading.active_count(), time.monotonic()

        assert why(asking(), a_service(server.url)) == "timeout"

        assert 2.9 < time.monotonic() - began < 3.5
        server.going_on.set()
        deadline = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert threading.active_count() <= before  # nothing waits on

    def test_given_a_name_that_takes_its_time_to_be_looked_up_when_asked_then_three_seconds_are_the_end(self) -> None:
        waits = threading.Event()

        def resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
            waits.wait(10)
            return []

        began = time.monotonic()
        assert why(asking(resolve=resolve), a_service(f"https://{HOST}{PATH}")) == "timeout"
        waits.set()
        assert time.monotonic() - began < 3.5

    def test_given_a_service_slow_but_in_time_when_asked_then_it_is_heard(self, server: EligibilityServer) -> None:
        server.behave("slow", seconds=0.3)

        assert ask(asking(), a_service(server.url), questions())

    def test_given_nobody_at_the_address_when_asked_then_no_connection(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = probe.getsockname()[1]

        assert why(asking(), a_service(f"http://127.0.0.1:{nobody}{PATH}")) == "connection"

    def test_given_one_address_of_two_that_refuses_when_asked_then_the_other_is_tried_once(
        self, server: EligibilityServer
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = probe.getsockname()[1]
        services = asking(resolve=lambda host, port: [("127.0.0.1", nobody), ("127.0.0.1", server.port)])

        assert ask(services, a_service(f"http://localhost:{server.port}{PATH}"), questions())
        assert server.asked == [1]

    def test_given_a_server_that_does_not_know_our_key_when_asked_then_that_is_no_answer(
        self, server: EligibilityServer
    ) -> None:
        server.trusted.clear()

        assert why(asking(), a_service(server.url)) == "status"
        assert server.refused == ["unknown key"]

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b"{}", b"\xff", b'{"version":1}', b'{"version":1,"verdicts":null}',
            b'{"version":true,"verdicts":[{"reference":"1","eligible":true}]}',
            b'{"version":1.0,"verdicts":[{"reference":"1","eligible":true}]}',
            b'{"version":"1","verdicts":[{"reference":"1","eligible":true}]}',
            b'{"version":1,"verdicts":[]}', b'{"version":1,"verdicts":[null]}',
            b'{"version":1,"verdicts":[{"reference":1,"eligible":true}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":1}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":null}]}',
            b'{"version":1,"verdicts":[{"reference":"1"}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":true,"reason_zh":null}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":true,"reason_zh":"a\\nb"}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":false,"reason_zh":" ","reason_en":"x"}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":true,"reason_en":"' + b"x" * 201 + b'"}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":true,"eligible":true}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":NaN}]}',
            b'{"version":1,"verdicts":[{"reference":"1","eligible":true}]} {}',
            b"[" * 100_000,
        ],
    )  # fmt: skip
    def test_given_a_body_that_is_not_exactly_an_answer_when_read_then_it_is_none(self, body: bytes) -> None:
        with pytest.raises(NoAnswer, match="form"):
            read_verdicts(body, questions())

    @pytest.mark.parametrize("within", [
            "{number}", "身份证{number}不在库", "NOT {lower}", "13800000001",
            "{spaced}", "{dotted}", "{wide}",
        ],
    )  # fmt: skip
    def test_given_a_reason_with_somebody_s_number_when_read_then_it_is_neither_shown_nor_logged(
        self, within: str
    ) -> None:
        (asked,) = questions()
        number = asked.id_number
        reason = within.format(
            number=number,
            lower=number.lower(),
            spaced=" ".join(number[at : at + 4] for at in range(0, 18, 4)),
            dotted=f"{number[:6]}.{number[6:14]}.{number[14:]}",
            wide="".join(chr(ord(sign) + 0xFEE0) for sign in number),
        )
        body = '{"version":1,"verdicts":[{"reference":"1","eligible":false,"reason_zh":"%s","reason_en":"x"}]}'

        with pytest.raises(NoAnswer) as refused:
            read_verdicts((body % reason).encode(), [asked])

        assert str(refused.value) == "personal"

    @pytest.mark.parametrize(
        ("name", "reason", "shown"),
        [
            ("测试甲", "测试甲不在库，请测试甲本人到窗口", "测**不在库，请测**本人到窗口"),
            ("Maria Testfall", "MARIA TESTFALL is not known here", f"{mask_name('Maria Testfall')} is not known here"),
            ("An", "An answer for An; another one", f"{mask_name('An')} answer for {mask_name('An')}; another one"),
            ("Li", "not eligible", "not eligible"),
            ("测试甲", "测 试 甲不在库", "测**不在库"),
            ("阿卜·买买提", "阿卜•买买提不在库", f"{mask_name('阿卜·买买提')}不在库"),
            ("Jo Test Jr.", "Jo  Test Jr. is not known", f"{mask_name('Jo Test Jr.')} is not known"),
            ("甲", "甲类人员除外", "甲类人员除外"),
            ("测试甲", "不符合条件", "不符合条件"),
        ],
    )
    def test_given_a_reason_with_somebody_s_name_when_read_then_the_name_is_masked_and_the_verdict_stands(
        self, name: str, reason: str, shown: str
    ) -> None:
        asked = replace(questions()[0], name=name)
        body = '{"version":1,"verdicts":[{"reference":"1","eligible":false,"reason_zh":"%s","reason_en":"x"}]}'

        assert read_verdicts((body % reason).encode(), [asked]) == {"1": ServiceVerdict(False, shown, "x")}


class TestBreaker:
    def test_given_five_failures_in_a_row_when_asked_again_then_it_rests_for_thirty_seconds_and_one_tries(
        self, server: EligibilityServer
    ) -> None:
        ticks, service = Ticks(), a_service(server.url)
        services = asking(ticks)
        server.behave("fail")

        assert [why(services, service) for _ in range(MOST_FAILURES + 2)] == ["status"] * MOST_FAILURES + [
            "resting"
        ] * 2
        assert len(server.asked) == MOST_FAILURES

        ticks.seconds += REST_SECONDS - 0.1
        assert why(services, service) == "resting"
        ticks.seconds += 0.1
        assert [why(services, service) for _ in range(2)] == ["status", "resting"]  # half open: one tried, in vain
        ticks.seconds += REST_SECONDS
        server.behave("answer")
        assert ask(services, service, questions())
        server.behave("fail")
        assert why(services, service) == "status"  # closed again, and counting from nought

    def test_given_failures_with_an_answer_in_between_when_counted_then_it_does_not_rest(
        self, server: EligibilityServer
    ) -> None:
        services, service = asking(Ticks()), a_service(server.url)

        for kind in ("fail", "fail", "fail", "fail", "refuse", "fail", "fail", "fail", "fail", "answer"):
            server.behave(kind)
            if kind == "fail":
                assert why(services, service) == "status"
            else:
                assert ask(services, service, questions())

    def test_given_a_service_that_rests_when_another_or_a_new_decision_is_asked_then_each_has_its_own(
        self, server: EligibilityServer
    ) -> None:
        services, service = asking(Ticks()), a_service(server.url)
        server.behave("fail")
        for _ in range(MOST_FAILURES):
            why(services, service)
        server.behave("answer")

        assert why(services, service) == "resting"
        assert ask(services, replace(service, version=2), questions())
        assert ask(services, service, questions(), trial=True)  # a trial is asked all the same, and mends it
        assert ask(services, service, questions())

    def test_given_half_open_when_many_ask_at_once_then_one_goes_through(self, server: EligibilityServer) -> None:
        ticks, service = Ticks(), a_service(server.url)
        services = asking(ticks)
        server.behave("fail")
        for _ in range(MOST_FAILURES):
            why(services, service)
        ticks.seconds += REST_SECONDS
        server.behave("slow", seconds=0.3)
        heard: list[str] = []

        def one() -> None:
            try:
                ask(services, service, questions())
                heard.append("answered")
            except EligibilityServiceUnavailable as refused:
                heard.append(str(refused.facts["reason"]))

        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(heard) == ["answered"] + ["resting"] * 7


class TestMemory:
    def test_given_nothing_said_about_it_when_asked_again_then_the_service_is(self, server: EligibilityServer) -> None:
        services = asking()

        for _ in range(2):
            ask(services, a_service(server.url), questions())

        assert server.asked == [1, 1]

    def test_given_a_region_that_lets_us_remember_when_asked_again_then_the_answer_is_known_so_long(
        self, server: EligibilityServer
    ) -> None:
        ticks, service = Ticks(), a_service(server.url, remember_seconds=60)
        services = asking(ticks)
        server.behave("refuse")  # refusals too

        first = ask(services, service, questions(2))
        ticks.seconds += 59
        assert ask(services, service, questions(3)) | first == ask(services, service, questions(3))
        assert server.asked == [2, 1]  # only about whom nothing was known
        ticks.seconds += 1
        ask(services, service, questions(1))
        assert server.asked == [2, 1, 1]

    @pytest.mark.parametrize(
        "change",
        [
            {"template_id": "U" * 16},
            {"programme_type": "other"},
            {"people": questions(1, first=7)},
            {"people": [replace(questions()[0], name="另一名")]},
            {"people": [replace(questions()[0], id_type="foreign_permanent")]},
            {"version": 2},
            {"remember_seconds": 0},
            {"trial": True},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_given_anything_else_when_asked_then_it_is_another_question(
        self, server: EligibilityServer, change: dict[str, Any]
    ) -> None:
        service, services = a_service(server.url, remember_seconds=60), asking(Ticks())
        ask(services, service, questions())
        other = replace(service, **{name: change[name] for name in ("version", "remember_seconds") if name in change})
        more = {name: change[name] for name in ("template_id", "programme_type", "trial") if name in change}

        ask(services, other, change.get("people", questions()), **more)

        assert server.asked == [1, 1]

    def test_given_a_failure_when_asked_again_then_it_is_not_remembered(self, server: EligibilityServer) -> None:
        service, services = a_service(server.url, remember_seconds=60), asking(Ticks())
        server.behave("fail", times=1)

        assert why(services, service) == "status"
        assert len(ask(services, service, questions(2))) == 2

    def test_given_many_answers_when_remembered_then_only_so_many_and_by_digest_alone(
        self, server: EligibilityServer
    ) -> None:
        def veil(said: bytes) -> str:  # no digits: those of a hash may look like a number's
            return "".join(chr(ord("a") + int(digit)) for digit in str(abs(hash(said))))

        services, service = asking(Ticks(), veil=veil), a_service(server.url, 60)
        for first in range(1, MOST_KEPT + 600, 500):
            ask(services, service, questions(500, first=first))

        assert len(services._kept) == MOST_KEPT
        assert not [key for key in services._kept if "440199" in key]


ADDRESSES = {
    "0.0.0.0": False,
    "10.1.2.3": False,
    "100.64.0.1": False,
    "127.0.0.1": False,
    "169.254.169.254": False,
    "172.16.0.1": False,
    "192.0.2.1": False,
    "192.168.1.1": False,
    "198.18.0.1": False,
    "224.0.0.1": False,
    "240.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "::ffff:10.0.0.1": False,
    "::ffff:8.8.8.8": False,
    "64:ff9b::a00:1": False,
    "2002:a00:1::1": False,
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": False,
    "2001:db8::1": False,
    "fc00::1": False,
    "fd00:ec2::254": False,
    "fe80::1": False,
    "fe80::1%eth0": False,
    "fec0::1": False,
    "ff02::1": False,
    "not an address": False,
    "8.8.8.8": True,
    "119.29.29.29": True,
    "2400:3200::1": True,
}


class TestWhereItMayLead:
    @pytest.mark.parametrize(("address", "allowed"), ADDRESSES.items())
    def test_given_a_name_that_leads_to_an_address_when_asked_then_only_a_public_one_is_called(
        self, monkeypatch: pytest.MonkeyPatch, address: str, allowed: bool
    ) -> None:
        tried: list[Any] = []

        def connect(to: Any, *_: Any, **__: Any) -> Any:
            tried.append(to)
            raise OSError("nobody is called in this test")

        monkeypatch.setattr(socket, "create_connection", connect)
        services = asking(loopback_allowed=False, resolve=lambda host, port: [(address, port)])

        said = why(services, a_service(f"https://{HOST}{PATH}"))

        assert said == ("connection" if allowed else "address")
        assert tried == ([(address, 443)] * 2 if allowed else [])  # once more where no connection came about

    def test_given_one_private_address_among_public_ones_when_asked_then_none_is_called(self) -> None:
        services = asking(loopback_allowed=False, resolve=lambda host, port: [("8.8.8.8", port), ("10.0.0.1", port)])

        assert why(services, a_service(f"https://{HOST}{PATH}")) == "address"

    def test_given_a_name_that_is_nobody_s_when_asked_then_no_connection(self) -> None:
        def unknown(host: str, port: int) -> Sequence[tuple[str, int]]:
            raise socket.gaierror("no such name")

        def nowhere(host: str, port: int) -> Sequence[tuple[str, int]]:
            return []

        for resolve in (unknown, nowhere):
            assert why(asking(resolve=resolve), a_service(f"https://{HOST}{PATH}")) == "connection"

    def test_given_an_address_decided_on_a_stage_that_allowed_more_when_asked_then_not_called(self) -> None:
        assert why(asking(loopback_allowed=False), a_service("http://127.0.0.1:8790/v1/eligibility")) == "address"

    @pytest.mark.parametrize(
        ("url", "allowed", "on_this_machine"),
        [
            ("https://hrss.sz.gov.cn/eligibility", True, True),
            ("https://hrss.sz.gov.cn:8443/v1/eligibility", True, True),
            ("https://8.8.8.8/", True, True),
            ("https://hrss.sz.gov.cn", False, False),
            ("http://hrss.sz.gov.cn/eligibility", False, False),
            ("http://127.0.0.1:8790/v1/eligibility", False, True),
            ("http://localhost:8790/v1/eligibility", False, True),
            ("http://[::1]:8790/v1/eligibility", False, True),
            ("https://127.0.0.1/", False, True),
            ("https://localhost/", False, True),
            ("https://10.0.0.1/", False, False),
            ("https://169.254.169.254/latest/meta-data", False, False),
            ("https://[::ffff:10.0.0.1]/", False, False),
            ("https://[fe80::1%25eth0]/", False, False),
            ("https://127.1/", False, False),
            ("https://2130706433/", False, False),
            ("https://0x7f.0.0.1/", False, False),
            ("https://0177.0.0.1/", False, False),
            ("https://user:pass@hrss.sz.gov.cn/", False, False),
            ("https://hrss.sz.gov.cn/?a=1", False, False),
            ("https://hrss.sz.gov.cn/?", False, False),
            ("https://hrss.sz.gov.cn/#x", False, False),
            ("https://hrss.sz.gov.cn/a%2Fb", False, False),
            ("https://hrss.sz.gov.cn/a/../b", False, False),
            ("https://hrss.sz.gov.cn/资格", False, False),
            ("https://深圳.cn/", False, False),
            ("https://-a.cn/", False, False),
            ("https://a_b.cn/", False, False),
            ("https://hrss.sz.gov.cn:0/", False, False),
            ("https://hrss.sz.gov.cn:99999/", False, False),
            ("https://hrss.sz.gov.cn:x/", False, False),
            ("https:///path", False, False),
            ("https://[::1/", False, False),
            ("ftp://hrss.sz.gov.cn/", False, False),
            ("file:///etc/passwd", False, False),
            ("HTTPS://HRSS.SZ.GOV.CN/a", True, True),
            ("https://hrss.sz.gov.cn/ a", False, False),
            ("https://hrss.sz.gov.cn/a\n", False, False),
            ("", False, False),
        ],
    )
    def test_given_a_url_when_it_is_decided_then_only_plain_public_https_and_loopback_where_the_stage_says_so(
        self, url: str, allowed: bool, on_this_machine: bool
    ) -> None:
        assert (read_url(url, loopback_allowed=False) is not None) == allowed
        assert (read_url(url, loopback_allowed=True) is not None) == on_this_machine
        assert asking(loopback_allowed=False).may_call(url) == allowed


class TestSecrets:
    @pytest.mark.parametrize("kind", ["answer", "fail", "unsigned", "half"])
    def test_given_a_question_when_anything_becomes_of_it_then_neither_secret_nor_person_is_logged(
        self, server: EligibilityServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], kind: str
    ) -> None:
        caplog.set_level("DEBUG")
        server.behave(kind)
        services, service = asking(), a_service(server.url)

        said = ""
        try:
            ask(services, service, questions())
        except EligibilityServiceUnavailable as refused:
            said = f"{refused!r} {refused.facts} {refused.__context__!r}"

        (asked,) = questions()
        printed = capfd.readouterr()
        everything = " ".join((caplog.text, printed.out, printed.err, said, repr(service), repr(asked)))
        assert "urllib3" in caplog.text
        assert not [one for one in (SECRET, "sealed", asked.id_number, asked.name) if one in everything]
