"""What `chalice package` made of app.py, .chalice/config.json and infra/app.yaml."""

import json

import pytest

from chalicelib.observability import count_outcome
from tests.templates.resources import Template, lint, properties_of_type
from tools.package import package

# Handler, time limit in seconds, memory in MB.
FUNCTIONS = {
    "APIHandler": ("app.app", 20, 1024),
    "Expire": ("app.expire", 300, 512),
    "CountOffers": ("app.count_offers", 50, 512),
    "Release": ("app.release", 300, 512),
    "ContinueExpiry": ("app.continue_expiry", 300, 512),
    "AmendVouchers": ("app.amend_vouchers", 300, 512),
    "ImportRosters": ("app.import_rosters", 300, 2048),
    "SettleMoney": ("app.settle_money", 300, 1024),
    "Remind": ("app.remind", 300, 512),
    "FollowPeople": ("app.follow_people", 120, 512),
}


def test_cloudformation_accepts_it(stage: str) -> None:
    assert lint(package(stage).app_template) == ""


def test_every_function_is_known_here(app_template: Template) -> None:
    functions = properties_of_type(app_template, "AWS::Serverless::Function")

    assert {
        name: (function["Handler"], function["Timeout"], function["MemorySize"]) for name, function in functions.items()
    } == FUNCTIONS
    # A handler in a Blueprint would start with chalicelib, and app.py would never be imported (chalice #1566).
    assert all(function["Handler"].startswith("app.") for function in functions.values())


def test_the_import_has_room_for_a_long_result(app_template: Template) -> None:
    functions = properties_of_type(app_template, "AWS::Serverless::Function")

    assert functions["ImportRosters"]["EphemeralStorage"] == {"Size": 2048}


def test_names_are_fixed_by_stage_and_traced(app_template: Template) -> None:
    for name, function in properties_of_type(app_template, "AWS::Serverless::Function").items():
        assert function["FunctionName"]["Fn::Sub"].startswith("training-voucher-${Stage}-"), name
        assert function["Tracing"] == "Active", name


def test_the_gateway_keeps_no_address_and_no_body(app_template: Template) -> None:
    """Its traces, access logs and execution logs would: a number in an address would stand in all of them."""
    api = properties_of_type(app_template, "AWS::Serverless::Api")["RestAPI"]

    assert api["TracingEnabled"] is False
    assert not {"AccessLogSetting", "MethodSettings"} & api.keys()


def test_the_package_belongs_to_its_stage(app_template: Template, stage: str) -> None:
    assert app_template["Parameters"]["Stage"] == {"Type": "String", "Default": stage, "AllowedValues": [stage]}


def test_no_partition_is_written_down(app_template: Template) -> None:
    text = json.dumps(app_template)

    assert "arn:aws:" not in text
    assert "arn:aws-cn:" not in text
    assert "amazonaws.com/" not in text.replace("${AWS::URLSuffix}", "")


def test_only_the_local_stage_moves_clocks_and_calls_this_machine(app_template: Template, stage: str) -> None:
    text = json.dumps(app_template)

    for switch in ("MOVABLE_CLOCK", "LOOPBACK_ALLOWED"):
        assert (switch in text) == (stage == "local"), switch


def test_every_function_gets_the_settings(app_template: Template) -> None:
    given = app_template["Globals"]["Function"]["Environment"]["Variables"]

    assert given.keys() >= {
        "STAGE",
        "PEOPLE_TABLE",
        "CATALOGUE_TABLE",
        "CASEWORK_TABLE",
        "INSIGHTS_TABLE",
        "BUCKET",
        "SWEEPS_QUEUE_URL",
        "AMENDMENTS_QUEUE_URL",
        "ROSTERS_QUEUE_URL",
        "MONEY_QUEUE_URL",
        "KEYS_SECRET",
        "PEPPER_SECRET",
    }


def test_every_function_has_a_log_that_is_kept_a_year(app_template: Template) -> None:
    groups = properties_of_type(app_template, "AWS::Logs::LogGroup").values()

    assert sorted(group["LogGroupName"]["Fn::Sub"] for group in groups) == sorted(
        f"/aws/lambda/${{{name}}}" for name in FUNCTIONS
    )
    assert {group["RetentionInDays"] for group in groups} == {365}


def test_the_api_is_regional_and_its_stage_is_ours(app_template: Template) -> None:
    api = properties_of_type(app_template, "AWS::Serverless::Api")["RestAPI"]

    assert api["EndpointConfiguration"] == "REGIONAL"
    assert api["StageName"] == {"Ref": "Stage"}
    assert app_template["Outputs"]["EndpointURL"]["Value"]["Fn::Sub"].endswith("/${Stage}/")


def test_queue_and_stream_report_single_failures(app_template: Template) -> None:
    mappings = properties_of_type(app_template, "AWS::Lambda::EventSourceMapping")

    assert {mapping["FunctionName"]["Ref"] for mapping in mappings.values()} == {
        "ContinueExpiry",
        "AmendVouchers",
        "ImportRosters",
        "SettleMoney",
        "FollowPeople",
    }
    for name, mapping in mappings.items():
        # Without it Lambda ignores batchItemFailures and deletes the batch.
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
    stream = mappings["PeopleStreamFeedsFollowPeople"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] > 0
    assert "failed-events" in json.dumps(stream["DestinationConfig"]["OnFailure"])


def test_failed_schedules_are_kept(app_template: Template) -> None:
    scheduled = {
        name: function
        for name, function in properties_of_type(app_template, "AWS::Serverless::Function").items()
        if any(event["Type"] == "Schedule" for event in function.get("Events", {}).values())
    }

    assert set(scheduled) == {"CountOffers", "Expire", "Release", "Remind"}
    for name, function in scheduled.items():
        assert "failed-events" in json.dumps(function["DeadLetterQueue"]), name
    # 00:05 in China.
    assert "cron(5 16 * * ? *)" in json.dumps(scheduled["Expire"]["Events"])
    assert "cron(15 16 * * ? *)" in json.dumps(scheduled["Remind"]["Events"])
    # What is left is at most a minute old: it may take no longer than that either.
    assert "rate(1 minute)" in json.dumps(scheduled["CountOffers"]["Events"])
    assert scheduled["CountOffers"]["Timeout"] < 60
    # One run is over before the next begins.
    assert "rate(10 minutes)" in json.dumps(scheduled["Release"]["Events"])
    assert scheduled["Release"]["Timeout"] < 600


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_raises_alarms(app_template: Template, metric: str) -> None:
    alarms = properties_of_type(app_template, "AWS::CloudWatch::Alarm").values()

    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in alarms
        if alarm["Namespace"] == "AWS/Lambda" and alarm["MetricName"] == metric
    }

    assert watched == set(FUNCTIONS)


def test_the_watch_alarms_on_the_very_metric_that_it_counts(
    app_template: Template, capsys: pytest.CaptureFixture[str]
) -> None:
    alarm = properties_of_type(app_template, "AWS::CloudWatch::Alarm")["UnlawfulChange"]
    given = app_template["Globals"]["Function"]["Environment"]["Variables"]

    count_outcome("follow_people", "unlawful_change")

    counted = json.loads(capsys.readouterr().out)
    (measured,) = counted["_aws"]["CloudWatchMetrics"]
    watched = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert (measured["Namespace"], measured["Metrics"][0]["Name"]) == (alarm["Namespace"], alarm["MetricName"])
    assert set(measured["Dimensions"][0]) == watched.keys()
    assert watched["operation"] == counted["operation"]
    assert watched["service"] == given["POWERTOOLS_SERVICE_NAME"]


def test_tables_api_and_iterator_age_raise_alarms(app_template: Template) -> None:
    alarms = properties_of_type(app_template, "AWS::CloudWatch::Alarm")

    assert all(alarm["AlarmActions"] for alarm in alarms.values())
    assert len({json.dumps(alarm["AlarmName"]) for alarm in alarms.values()}) == len(alarms)
    assert alarms["RestAPIServerErrors"]["MetricName"] == "5XXError"
    age = alarms["FollowPeopleIteratorAge"]
    assert (age["MetricName"], age["Statistic"], age["Threshold"]) == ("IteratorAge", "Maximum", 3_600_000)
    watched = {
        (alarm["Dimensions"][0]["Value"]["Ref"], alarm["MetricName"])
        for alarm in alarms.values()
        if alarm["Namespace"] == "AWS/DynamoDB"
    }
    assert watched == {
        (table, metric)
        for table in ("PeopleTable", "CatalogueTable", "CaseworkTable", "InsightsTable")
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors")
    }


def test_errors_of_the_gateway_are_problems_like_all_others(app_template: Template) -> None:
    responses = properties_of_type(app_template, "AWS::Serverless::Api")["RestAPI"]["GatewayResponses"]

    assert responses.keys() >= {"MISSING_AUTHENTICATION_TOKEN", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"}
    for kind, response in responses.items():
        problem = json.loads(response["ResponseTemplates"]["application/json"])
        assert problem["type"] == "about:blank", kind
        assert problem["code"], kind
        chinese, _, english = problem["title"].partition(" / ")
        assert not chinese.isascii(), kind
        assert english.isascii(), kind
        assert english, kind
        assert problem.get("status") == response.get("StatusCode"), kind
        headers = response["ResponseParameters"]["Headers"]
        assert headers["Content-Type"] == "'application/problem+json'", kind
        assert headers["Access-Control-Allow-Origin"] == "'*'", kind
