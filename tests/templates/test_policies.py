"""Each function may do what it needs and nothing else."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.services import attaching, delivering_evidence, paying, printing_classes, printing_statements
from tests.templates.resources import Template, properties_of_type

WITHOUT_RESOURCES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
ROWS = {
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}
EVERYBODY = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
} | WITHOUT_RESOURCES
SWEEP = (ROWS | {"sqs:SendMessage"}) | EVERYBODY

ALLOWED = {
    "APIHandler": ROWS
    | {"secretsmanager:GetSecretValue", "sqs:SendMessage", "s3:GetObject", "s3:PutObject"}
    | EVERYBODY,
    "Expire": SWEEP,
    "CountOffers": (ROWS - {"dynamodb:UpdateItem"}) | {"sqs:SendMessage"} | EVERYBODY,
    "Release": SWEEP,
    "ContinueExpiry": SWEEP | {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "AmendVouchers": SWEEP | {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "ImportRosters": ROWS
    | {"secretsmanager:GetSecretValue", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}
    | {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"}
    | EVERYBODY,
    "SettleMoney": ROWS
    | {"secretsmanager:GetSecretValue"}
    | {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"}
    | EVERYBODY,
    "Remind": ROWS | {"sqs:SendMessage"} | EVERYBODY,
    "FollowPeople": EVERYBODY
    | {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "sqs:SendMessage",
    },
}


CLOCK = "ReadTheMovableClock"


def statements(template: Template, function: str) -> Iterator[tuple[set[str], list[Any]]]:
    """Actions and resources of each statement of a function's role, but for the one about the clock."""
    for statement in _policy(template, function):
        if statement["Sid"] != CLOCK:
            resources = statement["Resource"]
            yield set(statement["Action"]), resources if isinstance(resources, list) else [resources]


def _policy(template: Template, function: str) -> Iterator[dict[str, Any]]:
    role = properties_of_type(template, "AWS::Serverless::Function")[function]["Role"]["Fn::GetAtt"][0]
    properties = properties_of_type(template, "AWS::IAM::Role")[role]
    assert "ManagedPolicyArns" not in properties
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement
            yield statement


def test_the_clock_is_read_where_it_can_be_moved_and_nowhere_else(app_templates: Mapping[str, Template]) -> None:
    for stage, template in app_templates.items():
        for function in ALLOWED:
            clock = [one for one in _policy(template, function) if one["Sid"] == CLOCK]

            assert len(clock) == (stage == "local"), (stage, function)
            for one in clock:
                assert one["Action"] == ["dynamodb:GetItem"]
                assert one["Resource"]["Fn::Sub"].endswith(":table/${InsightsTable}")


def test_a_function_may_do_exactly_this(app_template: Template) -> None:
    for function in ALLOWED:
        allowed = set().union(*(actions for actions, _ in statements(app_template, function)))

        assert allowed == ALLOWED[function], function


def test_nothing_is_allowed_on_everything(app_template: Template) -> None:
    for function in ALLOWED:
        for actions, resources in statements(app_template, function):
            assert not any("*" in action for action in actions), function
            if "*" in resources:
                assert actions <= WITHOUT_RESOURCES, function


def test_rows_are_never_scanned_nor_deleted(app_template: Template) -> None:
    text = json.dumps(app_template["Resources"])

    for action in ("Scan", "DeleteItem", "DeleteTable", "BatchWriteItem", "PartiQL"):
        assert f"dynamodb:{action}" not in text, action


def test_a_sweep_searches_only_what_is_due_and_the_classes_of_whoever_is(app_template: Template) -> None:
    due, person = "table/${PeopleTable}/index/by_due", "table/${PeopleTable}"
    for function in ("Expire", "ContinueExpiry", "AmendVouchers"):
        searched = [
            resource["Fn::Sub"]
            for actions, resources in statements(app_template, function)
            if "dynamodb:Query" in actions
            for resource in resources
        ]

        expected = {due} if function == "AmendVouchers" else {due, person}
        assert {resource.rsplit(":", 1)[-1] for resource in searched} == expected


def test_a_reminder_sees_applications_and_how_far_it_came_alone(app_template: Template) -> None:
    tables = {
        resource["Fn::Sub"].rsplit(":", 1)[-1]
        for actions, resources in statements(app_template, "Remind")
        if any(action.startswith("dynamodb:") for action in actions)
        for resource in resources
    }

    assert tables == {"table/${CaseworkTable}", "table/${CaseworkTable}/index/by_list", "table/${InsightsTable}"}


def test_the_count_of_offers_sees_the_catalogue_alone(app_template: Template) -> None:
    tables = {
        resource["Fn::Sub"].rsplit(":", 1)[-1]
        for actions, resources in statements(app_template, "CountOffers")
        if any(action.startswith("dynamodb:") for action in actions)
        for resource in resources
    }

    assert tables == {"table/${CatalogueTable}", "table/${CatalogueTable}/index/by_list"}


def test_releases_see_the_catalogue_and_the_accounts_alone(app_template: Template) -> None:
    tables = {
        resource["Fn::Sub"].rsplit(":", 1)[-1]: actions
        for actions, resources in statements(app_template, "Release")
        if any(action.startswith("dynamodb:") for action in actions)
        for resource in resources
    }

    assert tables.keys() == {
        "table/${CatalogueTable}", "table/${CatalogueTable}/index/by_list", "table/${CaseworkTable}",
    }  # fmt: skip
    assert "dynamodb:PutItem" not in tables["table/${CatalogueTable}"]
    assert "dynamodb:UpdateItem" not in tables["table/${CaseworkTable}"]


def test_secrets_are_for_the_api_the_import_and_the_money_alone(app_template: Template) -> None:
    readers = {
        function
        for function in ALLOWED
        for actions, _ in statements(app_template, function)
        if any(action.startswith("secretsmanager:") for action in actions)
    }

    assert readers == {"APIHandler", "ImportRosters", "SettleMoney"}


def test_the_api_puts_and_fetches_every_kind_of_file_that_a_service_keeps(app_template: Template) -> None:
    kept = {
        attaching.FILES,
        delivering_evidence.FILES,
        paying.FILES,
        printing_classes.PAPERS,
        printing_statements.STATEMENTS,
    }

    for action in ("s3:PutObject", "s3:GetObject"):
        reached = {
            resource["Fn::Sub"].partition("/")[2].removesuffix("*")
            for actions, resources in statements(app_template, "APIHandler")
            if action in actions
            for resource in resources
        }
        assert kept <= reached, action


def test_each_role_serves_one_function(app_template: Template) -> None:
    functions = properties_of_type(app_template, "AWS::Serverless::Function")

    assert len({function["Role"]["Fn::GetAtt"][0] for function in functions.values()}) == len(ALLOWED)
