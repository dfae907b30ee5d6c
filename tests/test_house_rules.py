"""The rules of the house, read off the source: who imports whom, what a room may know, what every thing must have."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from chalicelib.api import refusals
from chalicelib.api.problems import TITLES, status_of
from chalicelib.domain.errors import DomainError, every_error

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "chalicelib"
EVENTS = ROOT / "events"
SOURCES = [ROOT / "app.py", *sorted(HOUSE.rglob("*.py"))]
OURS = sorted(path for top in ("chalicelib", "tests", "tools", "bench") for path in (ROOT / top).rglob("*.py"))

# Who may import whom, beside itself.
NEIGHBOURS = {
    "app": {"api", "jobs", "observability", "config"},
    "api": {"services", "domain", "wiring", "observability"},
    "jobs": {"services", "domain", "wiring", "observability"},
    "workbooks": {"domain"},
    "wiring": {"storage", "integrations", "workbooks", "services", "domain", "config", "observability"},
    "services": {"domain"},
    "storage": {"domain", "config"},
    "integrations": {"domain", "config"},
    "observability": set[str](),
    "config": set[str](),
    "domain": set[str](),
}
# What each may use from outside the standard library: a framework stays in the one room that knows it.
OUTSIDERS = {
    "app": {"chalice"},
    "api": {"chalice", "pydantic", "pydantic_core", "qrcode"},
    "storage": {"botocore", "pynamodb", "pydantic"},
    "integrations": {"botocore", "cryptography", "urllib3"},
    "workbooks": {"pydyf", "python_calamine", "xlsxwriter"},
    "observability": {"aws_lambda_powertools"},
}
# Rules get time and chance handed in, and neither log nor touch the machine.
NOT_IN_RULES = {
    "asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "ssl", "subprocess",
    "sys", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "fromtimestamp", "utcfromtimestamp"}
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "managers", "misc", "lib"}
HEAVY = {
    "boto3", "cryptography", "qrcode", "PIL", "openpyxl", "xlsxwriter", "python_calamine", "jwt", "aws_xray_sdk",
    "pydyf", "requests", "pytest", "hypothesis", "moto",
    "stdnum", "chalice.cli", "chalice.deploy", "chalice.package", "chalice.test", "tools", "tests",
    "chalicelib.integrations.tokens", "chalicelib.integrations.sealing", "chalicelib.integrations.assertions",
}  # fmt: skip
AN_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14})(?![0-9A-Za-z])")
A_MOBILE = re.compile(r"(?<![0-9A-Za-z])1[3-9][0-9]{9}(?![0-9A-Za-z])")
PERSONAL = {"name", "id_number", "mobile", "code", "token", "assertion", "secret", "session", "body", "presented"}


def room_of(path: Path) -> str:
    """``domain`` for chalicelib/domain/voucher.py, ``config`` for chalicelib/config.py, ``app`` for app.py."""
    return path.stem if path.parent in (ROOT, HOUSE) else path.relative_to(HOUSE).parts[0]


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file: ``chalicelib.domain.voucher``, ``datetime``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place_of(path)} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The last name of everything that a file calls."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def rooms(*names: str) -> list[Path]:
    return [path for path in SOURCES if room_of(path) in names]


class TestRooms:
    @pytest.mark.parametrize("path", SOURCES, ids=place_of)
    def test_given_a_file_when_it_imports_then_only_from_rooms_that_it_may_know(self, path: Path) -> None:
        room = room_of(path)
        if path == HOUSE / "__init__.py":
            assert not list(imports_of(path))
            return

        for name in imports_of(path):
            top, _, rest = name.partition(".")
            if top == "chalicelib":
                assert rest.split(".")[0] in {room, *NEIGHBOURS[room]}, name
            else:
                assert top in sys.stdlib_module_names | OUTSIDERS.get(room, set()), name

    @pytest.mark.parametrize("path", [*SOURCES[1:], *sorted((ROOT / "tools").rglob("*.py"))], ids=place_of)
    def test_given_a_file_that_is_no_test_when_it_imports_then_never_the_app_or_tests(self, path: Path) -> None:
        assert not {name for name in imports_of(path) if name.split(".")[0] in ("app", "tests", "bench")}

    def test_given_the_bare_floor_when_it_imports_then_botocore_and_nothing_of_ours(self) -> None:
        outside = {name.split(".")[0] for name in imports_of(ROOT / "bench" / "floor.py")} - sys.stdlib_module_names

        assert outside == {"botocore"}

    @pytest.mark.parametrize("path", rooms("domain", "services"), ids=place_of)
    def test_given_a_rule_when_read_then_time_and_chance_come_in_and_it_touches_nothing(self, path: Path) -> None:
        assert not {name for name in imports_of(path) if name.split(".")[0] in NOT_IN_RULES}
        assert not {name for name, _ in called(path)} & CLOCKS

    def test_given_the_environment_when_read_then_only_by_the_settings(self) -> None:
        readers = {
            place_of(path)
            for path in SOURCES
            for node in ast.walk(tree_of(path))
            if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"))
            or (isinstance(node, ast.ImportFrom) and node.module == "os")
        }

        assert readers == {"chalicelib/config.py"}

    def test_given_rooms_when_looked_through_then_each_has_its_rule(self) -> None:
        assert {room_of(path) for path in SOURCES} - {"__init__"} == NEIGHBOURS.keys()


class TestNames:
    @pytest.mark.parametrize("top", ["chalicelib", "tests", "tools", "bench", "docs", "infra", "events"])
    def test_given_a_file_when_named_then_it_says_what_it_is_in_the_field_s_words(self, top: str) -> None:
        names = {path.stem.lower() for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts}

        assert not names & NO_NAMES


class TestErrors:
    ALL = (
        *every_error(),
        *(
            kind
            for kind in vars(refusals).values()
            if isinstance(kind, type) and issubclass(kind, DomainError) and kind.__module__ == refusals.__name__
        ),
    )
    TESTS = "\n".join(
        path.read_text("utf-8")
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path.name not in ("test_errors.py", Path(__file__).name)
    )

    @pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
    def test_given_an_error_when_answered_then_it_has_a_status_and_a_sentence_in_both_languages(
        self, kind: type[DomainError]
    ) -> None:
        assert 400 <= status_of(kind) < 600
        assert all(TITLES[status_of(kind)])
        assert kind.zh
        assert kind.en

    @pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
    def test_given_an_error_when_looked_for_then_a_test_names_it(self, kind: type[DomainError]) -> None:
        # A code of one word ("expired") could as well be a state or a reason.
        code = rf'|["\']{kind.code}["\']' if "_" in kind.code else ""

        named = re.search(rf"\b{kind.__name__}\b{code}", self.TESTS) is not None
        assert named, f"no test names {kind.__name__}"

    def test_given_all_codes_when_compared_then_no_two_are_alike(self) -> None:
        codes = [kind.code for kind in self.ALL]

        assert len(codes) == len(set(codes))


class TestHandlers:
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in tree_of(ROOT / "app.py").body if isinstance(node, ast.FunctionDef)}

    def test_given_an_event_handler_when_read_then_it_only_hands_over(self) -> None:
        for name, function in self.functions().items():
            assert [type(line) for line in function.body] == [ast.Return], name

    def test_given_an_event_handler_when_declared_then_it_stands_in_app_py(self) -> None:
        """In a Blueprint it would run without app.py (https://github.com/aws/chalice/issues/1566)."""
        events = re.compile(r"schedule|lambda_function|authorizer|on_(s3|sqs|sns|cw|kinesis|dynamodb|ws)_\w+")
        elsewhere = {
            f"{place_of(path)}: {ast.unparse(one)}"
            for path in SOURCES[1:]
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.FunctionDef)
            for one in node.decorator_list
            if events.fullmatch(ast.unparse(one).partition("(")[0].rpartition(".")[2])
        }

        assert not elsewhere

    def test_given_every_handler_and_the_api_when_looked_for_then_each_has_a_real_event(self) -> None:
        assert {path.name.partition(".")[0] for path in EVENTS.iterdir()} == {"api", *self.functions()}

    @pytest.mark.parametrize("path", sorted(EVENTS.iterdir()), ids=lambda path: path.name)
    def test_given_an_event_file_when_read_then_it_is_an_event_and_a_test_uses_it(self, path: Path) -> None:
        tests = [one.read_text("utf-8") for one in (ROOT / "tests").rglob("test_*.py") if one != Path(__file__)]

        assert path.suffix == ".json"
        assert isinstance(json.loads(path.read_text("utf-8")), dict)
        assert any(path.name in text or re.search(r"\bEVENTS\.glob\(", text) for text in tests)


class TestWhatLeavesTheHouse:
    def test_given_templates_policies_and_code_when_read_then_no_partition_is_written_down(self) -> None:
        files = [path for top in ("infra", ".chalice") for path in (ROOT / top).rglob("*") if path.is_file()]
        read = [*files, *SOURCES]

        assert len(files) > 5
        assert not {place_of(path) for path in read if re.search(r"arn:aws[a-z-]*:", path.read_text("utf-8"))}

    def test_given_all_code_when_read_then_only_the_command_that_prints_the_document_prints(self) -> None:
        printing = {place_of(path) for path in SOURCES for name, _ in called(path) if name in ("print", "pprint")}

        assert printing == {"chalicelib/api/openapi.py"}

    @pytest.mark.parametrize("path", SOURCES, ids=place_of)
    def test_given_code_when_read_then_no_number_in_it_could_be_a_person_s(self, path: Path) -> None:
        text = path.read_text("utf-8")

        assert not AN_ID_NUMBER.findall(text)
        assert not A_MOBILE.findall(text)

    def test_given_such_numbers_when_looked_for_then_they_would_be_found(self) -> None:
        assert AN_ID_NUMBER.findall("x='11010519491231002X', 440106800101001 and 440199199001010013.") == [
            "11010519491231002X",
            "440106800101001",
            "440199199001010013",
        ]
        assert A_MOBILE.findall('"13800000001"') == ["13800000001"]
        assert not AN_ID_NUMBER.search("91110000600037341L 0.00669342162296594323 1000000000000000000000")

    def test_given_a_log_line_when_written_then_no_personal_fact_is_handed_to_it(self) -> None:
        lines = [(place_of(path), call) for path in SOURCES for name, call in called(path) if name == "log_outcome"]

        assert lines
        for place, call in lines:
            handed = {keyword.arg or "" for keyword in call.keywords}
            read = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
            assert not handed & PERSONAL, place
            assert not read & (PERSONAL - {"name", "code"}), place  # an operation's name, an error's code

    def test_given_the_logger_when_used_then_only_by_the_edges_through_observability(self) -> None:
        users = {room_of(path) for path in SOURCES if any(name.startswith("logging") for name in imports_of(path))}
        edges = {room_of(path) for path in SOURCES for name, _ in called(path) if name in ("log_outcome", "logger")}

        assert not users
        assert edges <= {"api", "jobs", "observability"}


class TestColdStart:
    def test_given_a_fresh_interpreter_without_settings_when_the_app_is_imported_then_nothing_heavy_is(self) -> None:
        program = "import sys, json, app; json.dump(sorted(sys.modules), sys.stdout)"

        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, check=True)

        loaded = set(json.loads(run.stdout))
        assert {"app", "chalice", "chalicelib.wiring"} <= loaded
        assert not loaded & HEAVY
