"""CloudWatch: metrics that services and programs write, reading them, and alarms.

Sources: the CloudWatch User Guide and API Reference, "Available CloudWatch metrics for Amazon
SQS", "Types of metrics for Lambda functions", and what users of AWS report.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.conformance.kit import HEAD, Declared, Scenario, poll, refusal, unique

PERIOD_S = 60
EMF = (
    "import json, time\n" + HEAD + "    print(json.dumps({'_aws': {'Timestamp': int(time.time()"
    " * 1000), 'CloudWatchMetrics': [{'Namespace': event['namespace'], 'Dimensions':"
    " [['service']], 'Metrics': [{'Name': 'orders', 'Unit': 'Count'}, {'Name': 'ms',"
    " 'Unit': 'Milliseconds'}]}]}, 'service': 'shop', 'orders': 2, 'ms': [10, 20, 90]}))\n"
)
PUTS = (
    "import boto3\n" + HEAD + "    boto3.client('cloudwatch').put_metric_data("
    "Namespace='X', MetricData=[{'MetricName': 'y', 'Value': 1}])\n"
)
SOMETIMES = HEAD + "    if event.get('fails'):\n        raise ValueError('as asked')\n"

NOT_MODELLED = {
    "CW-015": "these are refused with a sentence, never answered with nothing.",
}
DIFFERS = {
    "CW-002": "data come at once, and an idle queue's go on; on AWS they come a minute or two "
    "later, and end after six hours.",
    "CW-010": "it is evaluated as soon as a minute is over; on AWS half a minute or more later.",
}

COUNTED = Scenario(
    HEAD + "    return {}\n",
    ["one", "two", "not this one"],
    MetricsConfig={"Metrics": ["EventCount"]},
    FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": [{"prefix": "t"}, "one"]})}]},
)
FAILS_SOMETIMES = Declared(SOMETIMES)
WRITES_METRICS = Declared(EMF)
PUTS_METRICS = Declared(PUTS)
SHOWS_ITS_EVENT = Declared("import json\n" + HEAD + "    print(json.dumps(event))\n")


@pytest.fixture(scope="module")
def cloudwatch(aws):
    return aws.client("cloudwatch")


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def statistics(cloudwatch, namespace: str, name: str, of: list[dict], *names: str, **more: Any):
    """The data points of the last hour together: one, or none."""
    now = time.time()
    (point,) = cloudwatch.get_metric_statistics(
        **{
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": of,
            "StartTime": now - 3600,
            "EndTime": now + 3600,
            "Period": 86_400,
            **({"Statistics": list(names)} if names else {}),
            **more,
        }
    )["Datapoints"] or [{}]
    return point


def wait_sum(cloudwatch, namespace: str, name: str, of: list[dict], least: float) -> float:
    what = f"the sum of {name} to be {least}"
    return poll(
        lambda: statistics(cloudwatch, namespace, name, of, "Sum").get("Sum", 0.0),
        lambda seen: seen >= least,
        what,
    )


def put(cloudwatch, namespace: str, *data: dict[str, Any]) -> None:
    cloudwatch.put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": "m", **each} for each in data]
    )


def ask(cloudwatch, namespace: str, start: float, end: float, *expressions: str, **more: Any):
    """GetMetricData's values of the metric `m`, and of expressions on it, by time."""
    stat = {"Metric": {"Namespace": namespace, "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m", "MetricStat": stat}] + [
        {"Id": f"e{number}", "Expression": text} for number, text in enumerate(expressions)
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=start, EndTime=end, **more
    )
    return [
        [(at.timestamp() - start, value) for at, value in zip(each["Timestamps"], each["Values"],
                                                             strict=True)]
        for each in answer["MetricDataResults"]
    ]  # fmt: skip


# -- what services write ---------------------------------------------------------------------


def test_CW_001_a_queue_counts_its_messages(aws, cloudwatch) -> None:
    url, _ = aws.queue()
    of = dimensions(QueueName=url.rpartition("/")[2])
    for body in ("1234", "123456"):
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    (message,) = aws.sqs.receive_message(QueueUrl=url)["Messages"]
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert wait_sum(cloudwatch, "AWS/SQS", "NumberOfMessagesSent", of, 2) == 2
    assert wait_sum(cloudwatch, "AWS/SQS", "NumberOfMessagesReceived", of, 1) == 1
    assert wait_sum(cloudwatch, "AWS/SQS", "NumberOfMessagesDeleted", of, 1) == 1
    sizes = statistics(cloudwatch, "AWS/SQS", "SentMessageSize", of, "Average", "Maximum")
    assert (sizes["Average"], sizes["Maximum"], sizes["Unit"]) == (5.0, 6.0, "Bytes")


def test_CW_002_dead_letters_are_counted_as_visible_and_not_as_sent(aws, cloudwatch) -> None:
    dead_url, dead_arn = aws.queue()
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, _ = aws.queue(RedrivePolicy=policy)
    aws.sqs.send_message(QueueUrl=url, MessageBody="m")
    aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    poll(lambda: aws.sqs.receive_message(QueueUrl=url), lambda seen: "Messages" not in seen, "none")
    of = dimensions(QueueName=dead_url.rpartition("/")[2])
    point = poll(
        lambda: statistics(
            cloudwatch, "AWS/SQS", "ApproximateNumberOfMessagesVisible", of, "Maximum"
        ),
        lambda seen: seen.get("Maximum") == 1.0,
        "the dead letter to be counted",
    )
    assert point["Unit"] == "Count"
    assert statistics(cloudwatch, "AWS/SQS", "NumberOfMessagesSent", of, "Sum") == {}


def test_CW_003_a_function_counts_its_invocations(aws, cloudwatch) -> None:
    name = FAILS_SOMETIMES.name
    for event in ({}, {}, {"fails": True}):
        aws.invoke(name, event)
    for of in (dimensions(FunctionName=name), dimensions(FunctionName=name, Resource=name)):
        assert wait_sum(cloudwatch, "AWS/Lambda", "Invocations", of, 3) == 3
        assert wait_sum(cloudwatch, "AWS/Lambda", "Errors", of, 1) == 1
        assert wait_sum(cloudwatch, "AWS/Lambda", "Throttles", of, 0) == 0
        times = statistics(
            cloudwatch, "AWS/Lambda", "Duration", of, "SampleCount", "Maximum",
            ExtendedStatistics=["p50"],
        )  # fmt: skip
        assert (times["SampleCount"], times["Unit"]) == (3.0, "Milliseconds")
        assert 0 < times["ExtendedStatistics"]["p50"] <= times["Maximum"]
    assert wait_sum(cloudwatch, "AWS/Lambda", "Invocations", [], 3) >= 3


def test_CW_004_a_mapping_counts_its_events(aws, cloudwatch) -> None:
    aws.wait_empty(COUNTED.url)
    of = dimensions(EventSourceMappingUUID=COUNTED.uuid)
    found = {
        name: wait_sum(cloudwatch, "AWS/Lambda", f"{name}EventCount", of, least)
        for name, least in (("Polled", 3), ("FilteredOut", 1), ("Invoked", 2), ("Deleted", 2))
    }
    assert found == {"Polled": 3, "FilteredOut": 1, "Invoked": 2, "Deleted": 2}


def test_CW_005_a_printed_line_becomes_metrics(aws, cloudwatch) -> None:
    namespace = unique("Shop")
    for _ in range(2):
        assert aws.invoke(WRITES_METRICS.name, {"namespace": namespace}).error is None
    of = dimensions(service="shop")
    assert wait_sum(cloudwatch, namespace, "orders", of, 4) == 4
    times = statistics(cloudwatch, namespace, "ms", of, "SampleCount", "Maximum")
    assert (times["SampleCount"], times["Maximum"], times["Unit"]) == (6.0, 90.0, "Milliseconds")


# -- what programs write, and reading ----------------------------------------------------------


def test_CW_006_a_period_without_data_has_no_point(cloudwatch) -> None:
    namespace = unique("N")
    start = time.time() // 60 * 60 - 600
    put(
        cloudwatch,
        namespace,
        *({"Timestamp": start + at, "Value": value} for at, value in ((0, 1), (130, 2), (179, 3))),
    )
    look = lambda *expressions, **more: ask(  # noqa: E731
        cloudwatch, namespace, start, start + 240, *expressions, **more
    )
    (line,) = poll(look, lambda seen: len(seen[0]) == 2, "the data to be there")
    assert line == [(120.0, 5.0), (0.0, 1.0)]
    ascending = look("FILL(m, 0) * 10", "100 / m", "RUNNING_SUM(m)", ScanBy="TimestampAscending")
    assert ascending == [
        [(0.0, 1.0), (120.0, 5.0)],
        [(0.0, 10.0), (60.0, 0.0), (120.0, 50.0), (180.0, 0.0)],
        [(0.0, 100.0), (120.0, 20.0)],
        [(0.0, 1.0), (120.0, 6.0)],
    ]
    end_is_out = ask(cloudwatch, namespace, start, start + 120)
    assert end_is_out == [[(0.0, 1.0)]]


def test_CW_007_statistics_of_values_counts_and_sets(cloudwatch) -> None:
    single, sets = unique("N"), unique("N")
    put(cloudwatch, single, {"Values": [10.0, 20.0, 90.0], "Counts": [4, 4, 2]}, {"Value": 40.0})
    put(
        cloudwatch,
        sets,
        {"StatisticValues": {"SampleCount": 3, "Sum": 6.0, "Minimum": 1.0, "Maximum": 3.0}},
    )
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    poll(lambda: statistics(cloudwatch, sets, "m", [], "Sum"), bool, "the data to be there")
    point = statistics(cloudwatch, single, "m", [], *names, ExtendedStatistics=["p100", "p50"])
    assert [point[name] for name in names] == [11.0, 340.0, pytest.approx(340 / 11), 10.0, 90.0]
    assert point["ExtendedStatistics"]["p100"] == pytest.approx(90.0, rel=0.02)
    assert 10 <= point["ExtendedStatistics"]["p50"] <= 21
    assert point["Unit"] == "None"
    point = statistics(cloudwatch, sets, "m", [], *names)
    assert [point[name] for name in names] == [3.0, 6.0, 2.0, 1.0, 3.0]
    assert statistics(cloudwatch, sets, "m", [], ExtendedStatistics=["p50"]) == {}


QUESTION = {"Namespace": "N", "MetricName": "m", "StartTime": 0, "EndTime": 3600, "Period": 60}


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        (
            {"Statistics": ["Sum"], "EndTime": 1_123_200},
            "InvalidParameterCombination",
            "You have requested up to 18720 datapoints, which exceeds the limit of 1440. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range.",
        ),
        (
            {},
            "InvalidParameterCombination",
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
        ),
        (
            {"Statistics": ["Sum"], "EndTime": 0},
            "InvalidParameterValue",
            "The parameter StartTime must be less than the parameter EndTime.",
        ),
    ],
)
def test_CW_008_questions_that_are_refused(cloudwatch, changes, code, text) -> None:
    refused = refusal(cloudwatch.get_metric_statistics, **{**QUESTION, **changes})
    assert refused == (400, code, text)


def test_CW_008_two_queries_of_one_name(cloudwatch) -> None:
    queries = [{"Id": "a", "Expression": "1"}, {"Id": "a", "Expression": "2"}]
    refused = refusal(
        cloudwatch.get_metric_data, MetricDataQueries=queries, StartTime=0, EndTime=60
    )
    text = "The values for parameter id in MetricDataQueries are not unique."
    assert refused == (400, "ValidationError", text)
    status, code, text = refusal(
        cloudwatch.get_metric_data,
        MetricDataQueries=[{"Id": "a", "Expression": "NOTHING(b)"}],
        StartTime=0,
        EndTime=60,
    )
    assert (status, code) == (400, "ValidationError")
    assert text.startswith("Error in expression 'a'")


ALARM = {
    "AlarmName": "refused",
    "Namespace": "N",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": PERIOD_S,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"DatapointsToAlarm": 2},
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ),
        (
            {"EvaluationPeriods": 1_441},
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be "
            "<= 86400) for alarms using period < 3600",
        ),
        (
            {
                **dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period")),
                "Metrics": [{"Id": "a", "Expression": "1", "ReturnData": False}],
            },
            "Exactly one element of the metrics list should return data.",
        ),
    ],
)
def test_CW_009_alarms_that_are_refused(cloudwatch, changes, text) -> None:
    wanted = {**ALARM, **changes}
    given = {name: value for name, value in wanted.items() if value is not None}
    assert refusal(cloudwatch.put_metric_alarm, **given) == (400, "ValidationError", text)


@pytest.mark.parametrize(
    ("namespace", "datum", "code"),
    [
        ("AWS/SQS", {"Value": 1.0}, "InvalidParameterValue"),
        ("N", {"Value": 1.0, "Unit": "Pieces"}, "InvalidParameterValue"),
        ("N", {"Value": float("nan")}, "InvalidParameterValue"),
        ("N", {"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ("N", {"Values": [1.0], "Counts": [1, 2]}, "InvalidParameterValue"),
        ("N", {"Value": 1.0, "Timestamp": 0}, "InvalidParameterValue"),
    ],
)
def test_CW_009_data_that_are_refused(cloudwatch, namespace, datum, code) -> None:
    data = [{"MetricName": "m", **datum}]
    status, found, _ = refusal(cloudwatch.put_metric_data, Namespace=namespace, MetricData=data)
    assert (status, found) == (400, code)


# -- alarms --------------------------------------------------------------------------------------


def make_alarm(aws, cloudwatch, **settings: Any) -> str:
    name = unique("alarm")
    cloudwatch.put_metric_alarm(**{**ALARM, "AlarmName": name, **settings})
    aws.later(cloudwatch.delete_alarms, AlarmNames=[name])
    return name


def look(cloudwatch, name: str) -> dict[str, Any]:
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm


def wait_state(cloudwatch, name: str, state: str) -> dict[str, Any]:
    return poll(
        lambda: look(cloudwatch, name),
        lambda seen: seen["StateValue"] == state,
        f"{name} to be in the state {state}",
    )


def test_CW_010_CW_011_an_alarm_fires_tells_a_topic_and_recovers(aws, cloudwatch) -> None:
    url, _ = aws.queue()
    inbox, inbox_arn = aws.queue()
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    aws.later(sns.delete_topic, TopicArn=topic)
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": inbox_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=inbox_arn)
    name = make_alarm(
        aws,
        cloudwatch,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=dimensions(QueueName=url.rpartition("/")[2]),
        Statistic="Maximum",
        DatapointsToAlarm=1,
        AlarmActions=[topic],
    )
    first = look(cloudwatch, name)
    assert first["StateValue"] in ("INSUFFICIENT_DATA", "OK")
    aws.sqs.send_message(QueueUrl=url, MessageBody="poison")
    fired = wait_state(cloudwatch, name, "ALARM")
    assert fired["StateReason"].startswith(
        "Threshold Crossed: 1 out of the last 1 datapoints [1.0 ("
    )
    assert fired["StateReason"].endswith(
        ")] was greater than the threshold (0.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(fired["StateReasonData"])
    assert (data["statistic"], data["period"], data["recentDatapoints"]) == ("Maximum", 60, [1.0])
    (told,) = poll(lambda: aws.receive(inbox), bool, "the notification")
    notice = json.loads(json.loads(told["Body"])["Message"])
    assert (notice["AlarmName"], notice["NewStateValue"]) == (name, "ALARM")
    assert notice["Trigger"]["Statistic"] == "MAXIMUM"
    (message,) = poll(lambda: aws.receive(url), bool, "the message")
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    recovered = wait_state(cloudwatch, name, "OK")
    assert "was not greater than the threshold (0.0)" in recovered["StateReason"]
    items = cloudwatch.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending")
    told = [
        (item["HistoryItemType"], item["HistorySummary"]) for item in items["AlarmHistoryItems"]
    ]
    assert told[0] == ("ConfigurationUpdate", f'Alarm "{name}" created')
    assert ("StateUpdate", "Alarm updated from ALARM to OK") in told
    assert ("Action", f"Successfully executed action {topic}") in told


def test_CW_011_an_alarm_runs_a_function_that_allows_it(aws, cloudwatch) -> None:
    name = SHOWS_ITS_EVENT.name
    arn = aws.lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    alarm = make_alarm(aws, cloudwatch, AlarmActions=[arn], TreatMissingData="ignore")

    def acted(state: str) -> str:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="a test")
        items = poll(
            lambda: cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")[
                "AlarmHistoryItems"
            ],
            bool,
            "the action to be in the history",
        )
        return items[0]["HistorySummary"]

    assert acted("ALARM").startswith(f"Failed to execute action {arn}. Received error: ")
    aws.lambda_.add_permission(
        FunctionName=name,
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="a test")
    assert acted("ALARM") == f"Successfully executed action {arn}"
    event = json.loads(aws.wait_lines(name, 1)[0])
    assert (event["source"], event["alarmData"]["alarmName"]) == ("aws.cloudwatch", alarm)
    assert event["alarmData"]["state"]["value"] == "ALARM"


def test_CW_012_an_alarm_is_set_tagged_silenced_and_deleted(aws, cloudwatch) -> None:
    name = make_alarm(
        aws, cloudwatch, TreatMissingData="ignore", Tags=[{"Key": "team", "Value": "shop"}]
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    alarm = wait_state(cloudwatch, name, "ALARM")
    assert alarm["StateReason"] == "a test"
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "shop"}]
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    assert look(cloudwatch, name)["ActionsEnabled"] is False
    found = cloudwatch.describe_alarms_for_metric(Namespace="N", MetricName="m")["MetricAlarms"]
    assert name in [each["AlarmName"] for each in found]
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    items = cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert f'Alarm "{name}" deleted' in [item["HistorySummary"] for item in items]
    refused = refusal(
        cloudwatch.set_alarm_state, AlarmName=name, StateValue="OK", StateReason="gone"
    )
    assert refused[:2] == (404, "ResourceNotFound")


def test_CW_013_a_role_must_allow_it(aws) -> None:
    answer = aws.invoke(PUTS_METRICS.name, {})
    assert answer.error == "Unhandled"
    text = answer.value["errorMessage"]
    assert text.startswith("An error occurred (AccessDenied) when calling the PutMetricData")
    assert text.endswith(
        "is not authorized to perform: cloudwatch:PutMetricData because no identity-based policy "
        "allows the cloudwatch:PutMetricData action"
    )


def test_CW_014_which_metrics_there_are(cloudwatch) -> None:
    namespace = unique("N")
    for number in range(3):
        put(cloudwatch, namespace, {"Value": 1.0, "Dimensions": dimensions(shop=str(number))})
    found = poll(
        lambda: cloudwatch.list_metrics(Namespace=namespace, MetricName="m")["Metrics"],
        lambda seen: len(seen) == 3,
        "three metrics",
    )
    assert sorted(each["Dimensions"][0]["Value"] for each in found) == ["0", "1", "2"]
    one = [{"Name": "shop", "Value": "1"}]
    (found,) = cloudwatch.list_metrics(Namespace=namespace, Dimensions=one)["Metrics"]
    assert found == {"Namespace": namespace, "MetricName": "m", "Dimensions": one}


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_composite_alarm", {"AlarmName": "x", "AlarmRule": "ALARM(y)"}),
        ("put_metric_alarm", {**ALARM, "Statistic": None, "ExtendedStatistic": "tm99"}),
        ("put_metric_alarm", {**ALARM, "ComparisonOperator": "GreaterThanUpperThreshold"}),
        (
            "get_metric_data",
            {
                "MetricDataQueries": [{"Id": "a", "Expression": 'SELECT AVG(m) FROM "N"'}],
                "StartTime": 0,
                "EndTime": 60,
            },
        ),
    ],
)
def test_CW_015_what_is_not_modelled_is_refused_and_never_empty(
    aws, cloudwatch, operation, arguments
) -> None:
    if aws.endpoint_url is None:
        pytest.skip("AWS has these.")
    given = {name: value for name, value in arguments.items() if value is not None}
    status, code, text = refusal(getattr(cloudwatch, operation), **given)
    assert (status, "not modelled" in text) == (400, True), (code, text)
