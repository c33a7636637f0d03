"""CloudWatch: alarms and dashboards.

Source: Template reference, AWS::CloudWatch::Alarm and Dashboard.
"""

from __future__ import annotations

from helpers.localaws.stacks.calls import Calls, refuse_existing
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags

LONGEST_NAME = 255


class Alarm(Kind):
    name = "AWS::CloudWatch::Alarm"
    properties = frozenset(
        {
            *("AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions"),
            *("InsufficientDataActions", "MetricName", "Namespace", "Statistic", "Dimensions"),
            *("ExtendedStatistic", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm"),
            *("Threshold", "ComparisonOperator", "TreatMissingData", "Metrics", "Tags"),
            *("EvaluateLowSampleCountPercentile", "ThresholdMetricId"),
        }
    )
    attributes = frozenset({"Arn"})
    name_property = "AlarmName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("AlarmName", LONGEST_NAME)
        there = aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        refuse_existing(there, self.name, name)
        return self._put(aws, name, wanted, Tags=wanted.tag_list)

    def _put(self, aws: Calls, name: str, wanted: Wanted, **more: object) -> Made:
        given = wanted.some(*self.properties - {"AlarmName", "Tags"})
        aws("cloudwatch").put_metric_alarm(AlarmName=name, **given, **more)
        found = aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return Made(name, {"Arn": found[0]["AlarmArn"]})

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._put(aws, made.physical_id, wanted)
        tags, gone = changed_tags(had, wanted)
        arn = made.attributes["Arn"]
        if tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            aws("cloudwatch").tag_resource(ResourceARN=arn, Tags=listed)
        if gone:
            aws("cloudwatch").untag_resource(ResourceARN=arn, TagKeys=gone)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("cloudwatch").delete_alarms(AlarmNames=[made.physical_id])


class Dashboard(Kind):
    name = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardName", "DashboardBody"})
    name_property = "DashboardName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("DashboardName", LONGEST_NAME)
        self._put(aws, name, wanted)
        return Made(name, {})

    @staticmethod
    def _put(aws: Calls, name: str, wanted: Wanted) -> None:
        body = wanted.properties["DashboardBody"]
        aws("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._put(aws, made.physical_id, wanted)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("cloudwatch").delete_dashboards(DashboardNames=[made.physical_id])


KINDS: list[Kind] = [Alarm(), Dashboard()]
