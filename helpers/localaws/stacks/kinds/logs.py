"""CloudWatch Logs: log groups.

Source: Template reference, AWS::Logs::LogGroup.
"""

from __future__ import annotations

from helpers.localaws.stacks.calls import Calls
from helpers.localaws.stacks.kinds.kind import Kind, Made, Wanted, changed_tags

LONGEST_NAME = 512


class LogGroup(Kind):
    name = "AWS::Logs::LogGroup"
    properties = frozenset({"LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"})
    attributes = frozenset({"Arn"})
    name_property = "LogGroupName"

    def create(self, aws: Calls, wanted: Wanted) -> Made:
        name = wanted.name("LogGroupName", LONGEST_NAME)
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


KINDS: list[Kind] = [LogGroup()]
