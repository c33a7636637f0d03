"""CloudWatch: log groups, alarms and dashboards.

Source: Template reference, AWS::Logs::LogGroup, AWS::CloudWatch::Alarm and Dashboard.
"""

from __future__ import annotations

from helpers.localaws.stacks.calls import Calls, refuse_existing
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags

LONGEST_GROUP, LONGEST_ALARM = 512, 255


class LogGroup(Kind):
    name = "AWS::Logs::LogGroup"
    properties = frozenset({"LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"})
    attributes = frozenset({"Arn"})
    name_property = "LogGroupName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("LogGroupName", LONGEST_GROUP)
        kind = wanted.properties.get("LogGroupClass")
        given = {"logGroupClass": kind} if kind else {}
        if wanted.tags:
            given["tags"] = dict(wanted.tags)
        aws("logs").create_log_group(logGroupName=name, **given)
        wanted.begun(name)
        self._set_retention(aws, name, wanted)
        found = aws("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        arn = next(group["arn"] for group in found if group["logGroupName"] == name)
        return Made(name, {"Arn": arn})

    @staticmethod
    def _set_retention(aws: Calls, name: str, wanted: Wanted) -> None:
        days = wanted.properties.get("RetentionInDays")
        if days:
            aws("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            aws("logs").delete_retention_policy(logGroupName=name)

    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        self._set_retention(aws, made.physical_id, wanted)
        tags, gone = changed_tags(had, wanted)
        arn = made.attributes["Arn"].removesuffix(":*")
        if tags:
            aws("logs").tag_resource(resourceArn=arn, tags=tags)
        if gone:
            aws("logs").untag_resource(resourceArn=arn, tagKeys=gone)
        return made

    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        aws("logs").delete_log_group(logGroupName=made.physical_id)


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
        name = wanted.name("AlarmName", LONGEST_ALARM)
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
        name = wanted.name("DashboardName", LONGEST_ALARM)
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


KINDS: list[Kind] = [LogGroup(), Alarm(), Dashboard()]
