"""What an alarm does when its state changes: it tells an SNS topic, or runs a function.

Forms: "Amazon CloudWatch alarm actions" and "Lambda alarm actions" in the CloudWatch User Guide,
and notifications as users of AWS report them. Every other action fails, which the history says.
"""

from __future__ import annotations

import functools
import json
import time
import uuid
from typing import Any

import botocore.session
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.exceptions import ServiceException

from helpers.localaws.common import arns
from helpers.localaws.metrics.alarms import Alarm, State, configuration
from helpers.localaws.metrics.data_queries import dimensions_in
from helpers.localaws.metrics.reasons import iso

ALARMS_SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"


def act(account: str, region: str, alarm: Alarm, old: State, arn: str) -> dict[str, Any]:
    """Do one action; what the history says of it has an "error" when it failed."""
    do = {"sns": publish, "lambda": invoke}.get(arns.service(arn))
    if do is None:
        return {"error": f"An action of {arns.service(arn)} is not modelled by this local AWS."}
    try:
        return do(account, region, alarm, old, arn)
    except ServiceException as error:
        return {"error": str(error.message)}
    except Exception as error:  # noqa: BLE001 (the history is to say it, and the alarm to go on)
        return {"error": repr(error)}


def publish(account: str, region: str, alarm: Alarm, old: State, arn: str) -> dict[str, Any]:
    from moto.sns.models import sns_backends  # takes a while: it can sign messages

    text = json.dumps(notification(account, region, alarm, old), separators=(",", ":"))
    subject = f'{alarm.state.value}: "{alarm.name}" in {region_name(region)}'
    topic_region = arn.split(":")[3]
    sns_backends[account][topic_region].publish(text, arn=arn, subject=subject[:100])
    return {"publishedMessage": text}


def invoke(account: str, _region: str, alarm: Alarm, old: State, arn: str) -> dict[str, Any]:
    backend: Any = lambda_simple_backends[account][arn.split(":")[3]]
    function = backend.get_function(arn)
    if not any(is_for_alarms(each) for each in function.policy.statements):
        return {
            "error": "CloudWatch Alarms is not authorized to perform: lambda:InvokeFunction on "
            f"the resource: {arn} because no resource-based policy allows the "
            "lambda:InvokeFunction action"
        }
    event = json.dumps(event_for_function(account, alarm, old, arn)).encode()
    _, qualifier = arns.function_and_qualifier(arn)
    backend.asynchronous.submit(function, event, str(uuid.uuid4()), qualifier or None)
    return {}


def is_for_alarms(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    service = principal.get("Service") if isinstance(principal, dict) else principal
    return statement.get("Effect") == "Allow" and service in (ALARMS_SERVICE, "*")


@functools.cache
def region_name(region: str) -> str:
    """
    >>> region_name("us-east-1")
    'US East (N. Virginia)'
    """
    for partition in botocore.session.get_session().get_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region


def notification(account: str, region: str, alarm: Alarm, old: State) -> dict[str, Any]:
    """The message to a topic."""
    given = alarm.settings
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": iso(alarm.configured_s),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": iso(alarm.state.since_s),
        "Region": region_name(region),
        "AlarmArn": alarm.arn,
        "OldStateValue": old.value,
        "OKActions": given.get("OKActions") or [],
        "AlarmActions": given.get("AlarmActions") or [],
        "InsufficientDataActions": given.get("InsufficientDataActions") or [],
        "Trigger": trigger(given),
    }


def trigger(given: dict[str, Any]) -> dict[str, Any]:
    """What of an alarm's settings a notification has: of its metric or its metric math."""
    about = {
        "Period": given.get("Period"),
        "EvaluationPeriods": given["EvaluationPeriods"],
        "DatapointsToAlarm": given.get("DatapointsToAlarm"),
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": given["Threshold"],
        "TreatMissingData": given.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile") or "",
    }
    known = {name: value for name, value in about.items() if value is not None}
    if given.get("Metrics"):
        return {**known, "Metrics": given["Metrics"]}
    simple = given.get("Statistic")
    kind = {"StatisticType": "Statistic", "Statistic": statistic_word(simple)} if simple else {
        "StatisticType": "ExtendedStatistic", "ExtendedStatistic": given.get("ExtendedStatistic")
    }  # fmt: skip
    return {
        "MetricName": given["MetricName"],
        "Namespace": given["Namespace"],
        **kind,
        "Unit": given.get("Unit"),
        "Dimensions": [
            {"value": value, "name": name} for name, value in dimensions_in(given.get("Dimensions"))
        ],
        **known,
    }


def statistic_word(name: str) -> str:
    """
    >>> statistic_word("SampleCount"), statistic_word("Maximum")
    ('SAMPLE_COUNT', 'MAXIMUM')
    """
    return "SAMPLE_COUNT" if name == "SampleCount" else name.upper()


def event_for_function(account: str, alarm: Alarm, old: State, arn: str) -> dict[str, Any]:
    def state(of: State) -> dict[str, Any]:
        about = {"value": of.value, "reason": of.reason, "timestamp": iso(of.since_s)}
        return {**about, "reasonData": of.data} if of.data else about

    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": account,
        "time": iso(time.time()),
        "region": arn.split(":")[3],
        "alarmData": {
            "alarmName": alarm.name,
            "state": state(alarm.state),
            "previousState": state(old),
            "configuration": configuration(alarm),
        },
    }
