"""docs/table.md names every key, table, index and attribute that the code and infra/data.yaml have, and no others."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pynamodb.models import Model

from chalicelib.services import amending, publishing, sweeping
from chalicelib.storage import keys, rows, transaction
from tools.reference_docs import DOCS, ROOT

TEXT = (DOCS / "table.md").read_text("utf-8")
STORES = [*sorted((ROOT / "chalicelib" / "storage").glob("*.py")), ROOT / "chalicelib/integrations/identities.py"]
# IDENTITY#, 1#VOUCHER#, #SHARD# …
PREFIX = re.compile(r"(?:[0-9]#)?#?[A-Z][A-Z_]+#")


class _Loader(yaml.SafeLoader):
    """CloudFormation's tags read as what they stand before."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else None


_Loader.add_multi_constructor("!", _plain)


def tables() -> dict[str, dict[str, Any]]:
    """``people`` → its properties, from the data stack."""
    template = yaml.load((ROOT / "infra" / "data.yaml").read_text("utf-8"), _Loader)
    found = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::DynamoDB::Table"]
    return {properties["TableName"].rpartition("-")[2]: properties for properties in found}


def texts(path: Path) -> Iterator[str]:
    """Every text of a file that is no docstring."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def nouns() -> set[str]:
    """What the shelves of the catalogue are called in keys."""
    tree = ast.parse((ROOT / "chalicelib" / "storage" / "catalogue.py").read_text("utf-8"))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "NounShelf"
    ]
    return {f"{ast.literal_eval(call.args[2])}#" for call in calls}


def prefixes() -> set[str]:
    return nouns() | {found for path in STORES for said in texts(path) for found in PREFIX.findall(said)}


def models() -> list[type[Model]]:
    return [
        kind for kind in vars(rows).values() if isinstance(kind, type) and issubclass(kind, Model) and kind is not Model
    ]


def quoted() -> set[str]:
    """Everything between backticks."""
    return set(re.findall(r"`([^`\n]+)`", TEXT))


def test_given_the_code_when_its_key_prefixes_are_gathered_then_the_document_has_an_example_of_each() -> None:
    found = prefixes()

    assert len(found) > 15
    assert {"IDENTITY#", "1#VOUCHER#", "#SHARD#", "MARK#", "PACE#", "SWEEP#", "CLIENT#"} <= found
    missing = {prefix for prefix in found if not any(prefix in said for said in quoted())}
    assert not missing


def test_given_the_document_when_it_shows_a_key_then_the_code_makes_such() -> None:
    shown = {found[0] for said in quoted() if (found := re.match(r"(?:[0-9]#)?[A-Z][A-Z_]+#(?=[^ ]*$)", said))}

    assert len(shown) > 15
    assert shown <= prefixes()


@pytest.mark.parametrize("item", [keys.HEAD, keys.PERSON, keys.IDENTITY, keys.SHARD, "CLOCK"])
def test_given_a_fixed_key_when_looked_for_then_the_document_shows_it(item: str) -> None:
    assert item in quoted()
    assert item == "CLOCK" or item in {said for path in STORES for said in texts(path)}


def test_given_key_functions_when_called_with_the_document_s_examples_then_they_give_what_it_shows() -> None:
    person, template = "JBSWY3DPEHPK3PXPJBSWY3DPEA", "YM7WIRO77ASMWS3B"
    made = {
        keys.voucher_item(template),
        keys.listed_item("440300"),
        keys.relation_item("R6WAAEM3NRIA2C6V"),
        keys.template(template),
        keys.shard(template, 3),
        keys.listing("440300"),
        keys.scope_item("440100"),
        keys.terms_item(1),
        keys.amendment_item(1),
        keys.rules_item(2),
        keys.account("440300-2022"),
        keys.posting_item(2),
        keys.budget_transfer("B5QK7VXUNQNKZUAX"),
        keys.to_release(4),
        keys.release_order(template, 3),
        keys.record_item(12),
        keys.merge("3X5QK7VXUNQNKZUA"),
        keys.application("3X5QK7VXUNQNKZUB"),
        keys.line_item("AG6DHHRT2V7SOOPTBZUPT2CF2O"),
        keys.asked_item(0),
        keys.waiting("440300"),
        keys.publicity("440300"),
        keys.enrolment_item("7ITM6KWI4HPZCJJ4"),
        keys.training_class("7ITM6KWI4HPZCJJ4"),
        keys.on_class_item(person),
        keys.evaluation_item("7ITM6KWI4HPZCJJ4"),
        keys.position_item("7ITM6KWI4HPZCJJ4", "S001", leaving=False),
        keys.positions("7ITM6KWI4HPZCJJ4"),
        keys.words_item("W6WAAEM3NRIA2C6V"),
        keys.staff_item("91350100M000100Y43"),
        keys.institution("91350100M000100Y43"),
        keys.disclosure("QX4ZCTVXUNQNKZUA"),
        keys.roster("6VQ3IKRLBTD2UW7C"),
        keys.names("AG6DHHRT2V7SOOPTBZUPT2CF2O"),
        keys.chunk_item(32),
        keys.withdrawn_item(32),
        keys.batch("B6WAAEM3NRIA2C6V"),
        keys.payee_item(12),
        keys.paid_to_item("91350100M000100Y43"),
        keys.mark("076e2a99440f3424d46415a43faa45d2"),
        keys.due(date(2021, 7, 1), 17),
        keys.due_order(template, 3, person),
    }

    assert made <= quoted()
    assert keys.release_lane(template) == 4
    assert len(made) + 2 == len(
        [name for name, kind in vars(keys).items() if callable(kind) and kind.__module__ == keys.__name__]
    )


def test_given_the_data_stack_when_read_then_every_table_and_index_is_named_with_its_attributes() -> None:
    assert tables().keys() == {"people", "catalogue", "casework", "insights"}

    for name, table in tables().items():
        assert re.search(rf"^## [0-9]+\. {name}$", TEXT, re.MULTILINE), name
        assert {one["AttributeName"] for one in table["AttributeDefinitions"]} <= quoted(), name
        assert {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())} <= quoted(), name
        assert (f"{name} writes a stream" in TEXT) == ("StreamSpecification" in table), name


def test_given_the_document_when_it_names_an_index_then_a_table_has_it() -> None:
    named = {said for said in quoted() if re.fullmatch(r"by_[a-z]+", said)}

    assert named == {i["IndexName"] for table in tables().values() for i in table.get("GlobalSecondaryIndexes", ())}


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_given_a_row_when_its_attributes_are_listed_then_the_document_names_each(model: type[Model]) -> None:
    attributes = set(model.get_attributes())

    assert attributes
    assert attributes <= quoted()


def test_given_limits_when_the_document_tells_them_then_they_are_those_of_the_code() -> None:
    told = re.sub(r"\s+", " ", TEXT)

    assert f"a chunk of {sweeping.CHUNK}" in told
    assert f"amendments in chunks of {amending.CHUNK} v" in told
    assert f"chunks of {sweeping.CHUNK} vouchers; {publishing.NEW_SHARDS_AT_ONCE} new shards" in told
    assert (
        f"new shards ({publishing.NEW_SHARDS_AT_ONCE} at most) or busy ones ({publishing.BUSY_SHARDS_AT_ONCE} at most)"
        in told
    )
    assert f"{keys.LANES} lanes" in told
    assert keys.LANES == sweeping.LANES
    assert f"{transaction.MOST_ACTIONS} actions a transaction" in told
