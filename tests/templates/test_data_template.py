"""The data stack keeps what it holds."""

import json

import pytest

from tests.engines import DATA_TEMPLATE, table_definitions
from tests.templates.resources import Template, lint, of_type

OUR_KEY = {"Fn::GetAtt": ["Key", "Arn"]}
KEYS = {
    "People": ("person", "item"),
    "Catalogue": ("subject", "item"),
    "Casework": ("subject", "item"),
    "Insights": ("subject", "item"),
}
INDEXES = {
    "People": {
        "by_code": ("code_key",),
        "by_due": ("due", "due_order"),
        "by_class": ("class_key", "class_order"),
        "by_application": ("application_key", "application_order"),
    },
    "Catalogue": {"by_list": ("list_key", "list_order")},
    "Casework": {"by_list": ("list_key", "list_order")},
    "Insights": {},
}


def test_cloudformation_accepts_it() -> None:
    assert lint(DATA_TEMPLATE) == ""


def test_no_partition_is_written_down(data_template: Template) -> None:
    text = json.dumps(data_template)

    assert "arn:aws:" not in text
    assert "arn:aws-cn:" not in text


def test_keys_and_indexes_are_the_designed_ones() -> None:
    tables = table_definitions()

    assert {name: tuple(key["AttributeName"] for key in table["KeySchema"]) for name, table in tables.items()} == KEYS
    assert {
        name: {
            index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        for name, table in tables.items()
    } == INDEXES
    for table in tables.values():
        assert all(
            index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in table.get("GlobalSecondaryIndexes", [])
        )
    assert tables["People"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.mark.parametrize("table", KEYS)
def test_a_table_outlives_slips(data_template: Template, table: str) -> None:
    resource = data_template["Resources"][table]
    properties = resource["Properties"]

    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": OUR_KEY}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_key_buckets_and_secrets_are_retained(data_template: Template) -> None:
    for kind in ("AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        kept = of_type(data_template, kind)
        assert kept
        for name, resource in kept.items():
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", name


def test_the_key_rotates(data_template: Template) -> None:
    assert data_template["Resources"]["Key"]["Properties"]["EnableKeyRotation"] is True


def test_every_queue_is_encrypted_and_has_dead_letters(data_template: Template) -> None:
    queues = of_type(data_template, "AWS::SQS::Queue")
    dead = {
        queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    }

    # failed-events is where functions put what they gave up: dead letters itself.
    assert {name for name, queue in queues.items() if "RedrivePolicy" not in queue["Properties"]} == {
        "FailedEvents",
        *dead,
    }
    for name, queue in queues.items():
        assert queue["Properties"]["KmsMasterKeyId"] == OUR_KEY, name
    # Six times the time limit of the function that it feeds.
    assert queues["Sweeps"]["Properties"]["VisibilityTimeout"] >= 6 * 300
    assert queues["Amendments"]["Properties"]["VisibilityTimeout"] >= 6 * 300
    assert queues["Rosters"]["Properties"]["VisibilityTimeout"] >= 6 * 300
    assert queues["Money"]["Properties"]["VisibilityTimeout"] >= 6 * 300


def test_dead_letters_raise_alarms(data_template: Template) -> None:
    alarms = [one["Properties"] for one in of_type(data_template, "AWS::CloudWatch::Alarm").values()]

    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in alarms
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible" and alarm["Threshold"] == 0
    }

    assert watched == {"SweepsDead", "AmendmentsDead", "RostersDead", "MoneyDead", "FailedEvents"}
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)


def test_buckets_are_closed_versioned_and_encrypted(data_template: Template) -> None:
    buckets = of_type(data_template, "AWS::S3::Bucket")
    policies = [one["Properties"] for one in of_type(data_template, "AWS::S3::BucketPolicy").values()]

    assert {policy["Bucket"]["Ref"] for policy in policies} == set(buckets)
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(properties["PublicAccessBlockConfiguration"]) == 4, name
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}, name
    (encryption,) = buckets["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == OUR_KEY


def test_secrets_are_generated_with_a_version_inside(data_template: Template) -> None:
    secrets = of_type(data_template, "AWS::SecretsManager::Secret")

    assert set(secrets) == {"PlatformKeys", "IdentityPepper"}
    for name, secret in secrets.items():
        properties = secret["Properties"]
        assert properties["KmsKeyId"] == OUR_KEY, name
        assert "SecretString" not in properties, name
        assert json.loads(properties["GenerateSecretString"]["SecretStringTemplate"]) == {"current": "1"}, name
        assert properties["GenerateSecretString"]["GenerateStringKey"] == "1", name
        assert properties["GenerateSecretString"]["PasswordLength"] == 64, name


def test_names_that_a_restore_changes_are_not_exported(data_template: Template) -> None:
    # CloudFormation refuses to change an export that another stack imports.
    exported = {name for name, output in data_template["Outputs"].items() if "Export" in output}

    assert not {name for name in exported if "Table" in name or "Stream" in name}
